/*
 * What capture_tritonbench.py wrote, plan by plan: is it read, does it validate, do its modules load, does it
 * run on the machine without complaint?
 *
 *     plans OUT [seconds=N] [budget=N] [memory=BYTES] [only=NAME]
 *
 * There is no task, so a plan is validated against its own inputs and outputs. Every plan is studied in a
 * forked process that writes into shared memory how far it came; it is killed after so many seconds of
 * processor time. All variants of autotuned launches run, one after the other, each on fresh buffers; what
 * was reached in time counts.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "device/device.h"
#include "inputs.h"

/* Where a plan's way ended, the worst first. */
enum stage {
	CRASHED,
	UNREAD,
	NO_MODULE,
	INVALID,
	TOO_LARGE,
	COMPLAINED,
	BAD_INDEX,
	OVER_BUDGET,
	OVER_TIME,
	RAN,
	STAGES
};
static const char *const stage_names[STAGES] = {
	[CRASHED] = "the machine crashed",
	[UNREAD] = "not read",
	[NO_MODULE] = "a module does not load",
	[INVALID] = "not valid",
	[TOO_LARGE] = "not executed: memory",
	[COMPLAINED] = "complaint",
	[BAD_INDEX] = "out of bounds with made-up integers",
	[OVER_BUDGET] = "no complaint within the budget",
	[OVER_TIME] = "no complaint within the time",
	[RAN] = "ran without complaint",
};

struct outcome {
	enum stage stage;
	char plan[160];      /* "NAME/N" */
	char reason[1024];   /* "" for RAN */
	char strictly[1024]; /* why it is valid only where fills and inline assembly are allowed; "" when it
	                        is so without */
	uint32_t modules[GK_PLAN_MAX_KERNELS], module_count;
	bool launched[GK_PLAN_MAX_KERNELS]; /* to the end */
	uint32_t variants, variants_done;
	uint32_t returned_inputs; /* outputs that are inputs, as they were */
	uint64_t undefined; /* elements of outputs: never written, or computed from something undefined */
	bool has_invented_ints;
	uint64_t operations;
	double ms;
};

struct module {
	char hash[GK_HEX_SIZE];
	bool loads, ran;
};

struct study {
	const char *folder, *only;
	uint64_t seconds, budget, memory;
	struct gk_arena arena;
	struct module *modules;
	size_t module_count, module_most;
	struct outcome *outcomes;
	size_t count, most;
};

/* ---- one plan, in a process of its own ---- */

struct job {
	const struct study *study;
	struct outcome *out;
	struct gk_plan *plan;
	struct gk_ir *irs[GK_PLAN_MAX_KERNELS];
	struct gk_device_module *made[GK_PLAN_MAX_KERNELS];
	struct gk_device *device;
	struct study_inputs inputs;
};

static int end(struct job *job, enum stage stage, const char *reason)
{
	job->out->stage = stage;
	snprintf(job->out->reason, sizeof job->out->reason, "%s", reason);
	return -1;
}

static struct gk_ir *read_module(const char *folder, const char *hash, struct gk_err *e)
{
	char path[512];
	char *text;
	size_t size;
	struct gk_ir *ir;

	snprintf(path, sizeof path, "%s/ttir/%s.ttir", folder, hash);
	if (gk_file_read(path, GK_IR_MAX_BYTES, &text, &size, e))
		return NULL;
	ir = gk_ir_read(hash, text, size, e);
	free(text);
	return ir;
}

static int read_plan(struct job *job)
{
	struct gk_err e = {0};
	char path[512];
	char *text;
	size_t size;

	snprintf(path, sizeof path, "%s/%s.json", job->study->folder, job->out->plan);
	if (gk_file_read(path, GK_PLAN_MAX_TEXT, &text, &size, &e))
		return end(job, UNREAD, e.text);
	job->plan = gk_plan_read("plan", text, size, &e);
	free(text);
	return job->plan ? 0 : end(job, UNREAD, e.text);
}

static int load_modules(struct job *job)
{
	struct gk_err e = {0};

	job->out->module_count = job->plan->kernel_count;
	for (uint32_t i = 0; i < job->plan->kernel_count; i++) {
		for (uint32_t m = 0; m < job->study->module_count; m++)
			if (strcmp(job->study->modules[m].hash, job->plan->kernels[i].ttir) == 0)
				job->out->modules[i] = m;
		job->irs[i] = read_module(job->study->folder, job->plan->kernels[i].ttir, &e);
		if (!job->irs[i])
			return end(job, NO_MODULE, e.text);
		job->made[i] = job->device->ops->module_load(
			job->device, &(struct gk_device_code){.ir = job->irs[i]}, &e);
		if (!job->made[i])
			return end(job, NO_MODULE, e.text);
	}
	return 0;
}

static void expect_outputs(const struct gk_plan *plan, struct gk_tensor *outputs,
                           struct gk_plan_expect *expect)
{
	for (expect->output_count = 0; expect->output_count < plan->output_count; expect->output_count++) {
		const struct gk_plan_output *from = &plan->outputs[expect->output_count];
		struct gk_tensor *to = &outputs[expect->output_count];

		snprintf(to->name, sizeof to->name, "%s", from->name);
		to->dtype = from->view.dtype;
		to->rank = from->view.rank;
		memcpy(to->shape, from->view.shape, sizeof to->shape);
	}
	expect->outputs = outputs;
}

/*
 * Wrappers return inputs as they got them, too (a weight, a table): no task would name these as outputs, so
 * they are set aside. What they write in place stays.
 */
static void drop_returned_inputs(struct job *job, const struct gk_plan_expect *expect)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < job->plan->output_count; i++) {
		struct gk_plan alone = *job->plan;
		struct gk_plan_expect only = *expect;
		struct gk_tensor output[1] = {0};
		struct gk_err e = {0};

		alone.outputs = &job->plan->outputs[i];
		alone.output_count = 1;
		expect_outputs(&alone, output, &only);
		if (job->plan->buffers[alone.outputs[0].view.buf].input &&
		    gk_plan_validate(&alone, &only, &e))
			job->out->returned_inputs++;
		else
			job->plan->outputs[kept++] = job->plan->outputs[i];
	}
	job->plan->output_count = kept;
}

/* Against the plan's own inputs, all of which may be written, and its own outputs. */
static int validate(struct job *job)
{
	struct gk_tensor inputs[GK_PLAN_MAX_BUFFERS] = {0}, outputs[GK_PLAN_MAX_OUTPUTS] = {0};
	struct gk_plan_module modules[GK_PLAN_MAX_KERNELS];
	bool in_place[GK_PLAN_MAX_BUFFERS];
	struct gk_plan_expect expect = {
		.target = job->plan->target, .inputs = inputs, .in_place = in_place, .modules = modules};
	struct gk_err e = {0};

	memset(in_place, 1, sizeof in_place);
	for (uint32_t i = 0; i < job->plan->buffer_count; i++) {
		if (!job->plan->buffers[i].input)
			continue;
		snprintf(inputs[expect.input_count].name, sizeof inputs->name, "%s",
		         job->plan->buffers[i].input);
		inputs[expect.input_count++].bytes = job->plan->buffers[i].bytes;
	}
	for (; expect.module_count < job->plan->kernel_count; expect.module_count++) {
		snprintf(modules[expect.module_count].hash, GK_HEX_SIZE, "%s",
		         job->plan->kernels[expect.module_count].ttir);
		modules[expect.module_count].ir = job->irs[expect.module_count];
	}
	expect.allow_fills = expect.allow_asm = true;
	expect.allow = gk_assist_names; /* what was allowed is for capture to say */
	while (expect.allow[expect.allow_count])
		expect.allow_count++;
	drop_returned_inputs(job, &expect);
	expect_outputs(job->plan, outputs, &expect);
	if (gk_plan_validate(job->plan, &expect, &e))
		return end(job, INVALID, e.text);
	expect.allow_fills = expect.allow_asm = false;
	if (gk_plan_validate(job->plan, &expect, &e))
		snprintf(job->out->strictly, sizeof job->out->strictly, "%s", e.text);
	return 0;
}

static int complain(struct job *job, const struct gk_finding *f, uint32_t variant)
{
	char text[640];
	enum stage stage = COMPLAINED;

	if (strcmp(f->kind, "budget") == 0)
		stage = OVER_BUDGET;
	else if (strcmp(f->kind, "out_of_bounds") == 0 && job->inputs.has_invented_ints)
		stage = BAD_INDEX;
	snprintf(text, sizeof text, "%s: %.60s, line %u, %s: %.400s%s", f->kind, f->kernel, f->line,
	         f->operation, f->message, variant ? " (not the first variant)" : "");
	if (stage == OVER_BUDGET && variant)
		return end(job, RAN, "");
	return end(job, stage, text);
}

static void note_launched(struct job *job, const struct gk_plan_step *step, uint32_t variant)
{
	if (step->op == GK_STEP_LAUNCH)
		job->out->launched[step->launch.kernel] = true;
	else if (step->op == GK_STEP_CHOOSE)
		job->out->launched[step->variants[variant < step->variant_count ? variant : 0]
		                           .launch.kernel] = true;
}

static void count_undefined(struct job *job, struct gk_device_memory *memory)
{
	for (uint32_t i = 0; i < job->plan->output_count; i++) {
		const struct gk_plan_view *view = &job->plan->outputs[i].view;
		uint64_t bytes = gk_plan_view_bytes(view), poisoned = 0;
		gk_free_auto void *dense = gk_alloc(bytes ? bytes : 1);
		struct gk_err e = {0};
		int64_t first;

		if (job->device->ops->copy_out(job->device, memory, view, dense, &poisoned, &first, &e) == 0)
			job->out->undefined += poisoned;
	}
}

static bool run_steps(struct job *job, struct gk_device_run *run, const struct gk_plan_step *steps,
                      uint32_t count, uint32_t variant)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!job->device->ops->step(job->device, run, &steps[i], variant))
			return false;
		note_launched(job, &steps[i], variant);
	}
	return true;
}

static int execute(struct job *job, uint32_t variant)
{
	struct gk_device_run run = {
		.plan = job->plan, .modules = job->made, .seed = 1, .budget = job->study->budget};
	const struct gk_plan *plan = job->plan;
	struct gk_err e = {0};
	bool fine;

	if (job->device->ops->memory_new(job->device, plan, (const void *const *)job->inputs.bytes, run.seed,
	                                 false, &run.memory, &e))
		return end(job, TOO_LARGE, e.text);
	fine = run_steps(job, &run, plan->prologue, plan->prologue_count, variant) &&
	       run_steps(job, &run, plan->steps, plan->step_count, variant);
	job->out->operations += run.counts.operations;
	if (fine && variant == 0)
		count_undefined(job, run.memory);
	job->device->ops->memory_free(job->device, run.memory);
	gk_buf_release(&run.notes);
	return fine ? 0 : complain(job, &run.finding, variant);
}

static void study_plan(struct job *job)
{
	const struct gk_plan *plan;
	char prefix[512];
	struct gk_err e = {0};

	if (read_plan(job) || load_modules(job) || validate(job))
		return;
	plan = job->plan;
	snprintf(prefix, sizeof prefix, "%s/inputs/%s.", job->study->folder, job->out->plan);
	*strrchr(prefix, '/') = '.'; /* NAME/N. is NAME.N. there */
	if (study_inputs_make(&job->inputs, plan, (const struct gk_ir *const *)job->irs, prefix, &e)) {
		end(job, TOO_LARGE, e.text);
		return;
	}
	job->out->has_invented_ints = job->inputs.has_invented_ints;
	job->out->variants = 1;
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].op == GK_STEP_CHOOSE && plan->steps[i].variant_count > job->out->variants)
			job->out->variants = plan->steps[i].variant_count;
	job->out->stage = OVER_TIME;
	for (uint32_t v = 0; v < job->out->variants; v++) {
		if (execute(job, v))
			return;
		job->out->variants_done++;
	}
	job->out->stage = RAN;
}

_Noreturn static void child(const struct study *study, struct outcome *out)
{
	struct gk_device_options options = {.threads = 1, .memory_bytes = study->memory};
	struct rlimit limit = {study->seconds, study->seconds + 1};
	struct job *job = gk_alloc(sizeof *job);
	struct gk_err e = {0};
	int64_t started = gk_clock_ns();

	setrlimit(RLIMIT_CPU, &limit);
	job->study = study;
	job->out = out;
	if (gk_machine_ops.open(&options, &job->device, &e))
		end(job, CRASHED, e.text);
	else
		study_plan(job);
	out->ms = (double)(gk_clock_ns() - started) / 1e6;
	_exit(0);
}

/* How the process ended, where it did not say so itself. */
static void take_death(struct outcome *out, int status, uint64_t seconds)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL)) {
		out->stage = out->variants_done ? RAN : OVER_TIME;
		if (!out->variants_done)
			snprintf(out->reason, sizeof out->reason, "%s after %llu s",
			         out->variants ? "still running" : "not started",
			         (unsigned long long)seconds);
		return;
	}
	out->stage = CRASHED;
	snprintf(out->reason, sizeof out->reason, "%s %d", WIFSIGNALED(status) ? "signal" : "exit code",
	         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void study_one(struct study *study, const char *name, const char *number)
{
	struct outcome *shared =
		mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct outcome *out;
	int status = 0;
	pid_t pid;

	if (shared == MAP_FAILED)
		gk_bug("no shared memory");
	shared->stage = CRASHED;
	snprintf(shared->plan, sizeof shared->plan, "%s/%s", name, number);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(study, shared);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		gk_bug("no process");
	take_death(shared, status, study->seconds);
	if (study->count == study->most) {
		study->most = study->most ? 2 * study->most : 64;
		study->outcomes = gk_realloc_array(study->outcomes, study->most, sizeof *study->outcomes);
	}
	out = &study->outcomes[study->count++];
	*out = *shared;
	munmap(shared, sizeof *shared);
	for (uint32_t i = 0; i < out->module_count; i++)
		study->modules[out->modules[i]].ran |= out->launched[i];
	printf("%-44s %-36s %8.0f ms %13llu ops", out->plan, stage_names[out->stage], out->ms,
	       (unsigned long long)out->operations);
	if (out->variants > 1)
		printf("  %u of %u variants", out->variants_done, out->variants);
	if (out->undefined)
		printf("  %llu output elements undefined", (unsigned long long)out->undefined);
	printf("%s%s\n", out->reason[0] ? "  " : "", out->reason);
}

/* ---- the folder ---- */

static int study_modules(struct study *study, struct gk_err *e)
{
	char **names;
	size_t count;

	if (gk_dir_list(gk_arena_printf(&study->arena, "%s/ttir", study->folder), &study->arena, &names,
	                &count, e))
		return -1;
	study->modules = gk_alloc_array(count ? count : 1, sizeof *study->modules);
	for (size_t i = 0; i < count; i++) {
		struct module *m = &study->modules[study->module_count];
		struct gk_err why = {0};
		struct gk_ir *ir;

		if (strlen(names[i]) != GK_HEX_SIZE - 1 + 5 || !gk_text_ends(names[i], ".ttir"))
			continue;
		snprintf(m->hash, sizeof m->hash, "%.*s", GK_HEX_SIZE - 1, names[i]);
		ir = read_module(study->folder, m->hash, &why);
		m->loads = ir != NULL;
		if (!ir)
			printf("module %s: %s\n", m->hash, why.text);
		gk_ir_free(ir);
		study->module_count++;
	}
	return 0;
}

static int study_folder(struct study *study, struct gk_err *e)
{
	char **names, **plans;
	size_t count, plan_count;

	if (gk_dir_list(study->folder, &study->arena, &names, &count, e))
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *path = gk_path_join(&study->arena, study->folder, names[i]);

		if (!gk_path_is_dir(path) || strcmp(names[i], "ttir") == 0 ||
		    strcmp(names[i], "inputs") == 0 || (study->only && !strstr(names[i], study->only)))
			continue;
		if (gk_dir_list(path, &study->arena, &plans, &plan_count, e))
			return -1;
		for (size_t k = 0; k < plan_count; k++)
			if (gk_text_ends(plans[k], ".json"))
				study_one(study, names[i],
				          gk_arena_printf(&study->arena, "%.*s", (int)strlen(plans[k]) - 5,
				                          plans[k]));
	}
	return 0;
}

/* ---- tables ---- */

static size_t file_length(const struct outcome *out)
{
	return (size_t)(strchr(out->plan, '/') - out->plan);
}

static bool is_same_file(const struct outcome *a, const struct outcome *b)
{
	return file_length(a) == file_length(b) && memcmp(a->plan, b->plan, file_length(a)) == 0;
}

/* For each stage: plans, and files by the worst of their plans. */
static void print_stages(const struct study *study)
{
	size_t plans[STAGES] = {0}, files[STAGES] = {0};
	enum stage worst = RAN;

	for (size_t i = 0; i < study->count; i++) {
		const struct outcome *out = &study->outcomes[i];

		plans[out->stage]++;
		worst = out->stage < worst ? out->stage : worst;
		if (i + 1 == study->count || !is_same_file(out, out + 1)) {
			files[worst]++;
			worst = RAN;
		}
	}
	printf("\n%-40s %6s  files, by their worst plan\n", "", "plans");
	for (int s = STAGES - 1; s >= 0; s--)
		if (plans[s])
			printf("%-40s %6zu %6zu\n", stage_names[s], plans[s], files[s]);
}

static void print_totals(const struct study *study)
{
	size_t loads = 0, ran = 0, strict = 0, undefined = 0, returned = 0, invented = 0, variants = 0,
	       done = 0;
	uint64_t operations = 0;

	for (size_t i = 0; i < study->module_count; i++) {
		loads += study->modules[i].loads;
		ran += study->modules[i].ran;
	}
	for (size_t i = 0; i < study->count; i++) {
		const struct outcome *out = &study->outcomes[i];

		strict += out->strictly[0] != 0;
		undefined += out->undefined > 0;
		returned += out->returned_inputs > 0;
		invented += out->has_invented_ints;
		variants += out->variants;
		done += out->variants_done;
		operations += out->operations;
	}
	printf("\n%zu of %zu modules load, %zu were launched to the end\n", loads, study->module_count, ran);
	printf("%zu of %zu executions (each variant of an autotuned launch is one) ended without complaint\n",
	       done, variants);
	printf("%zu plans need fills or inline assembly to be allowed\n", strict);
	printf("%zu plans return inputs as they were, which were set aside\n", returned);
	printf("%zu plans have undefined elements in outputs, %zu had made-up integers\n", undefined,
	       invented);
	printf("%llu lane operations\n", (unsigned long long)operations);
}

/* All that did not run, and what is valid only with permission, for reading. */
static void print_rest(const struct study *study)
{
	for (int s = 0; s < RAN; s++)
		for (size_t i = 0; i < study->count; i++)
			if (study->outcomes[i].stage == (enum stage)s)
				printf("%s: %s: %s\n", stage_names[s], study->outcomes[i].plan,
				       study->outcomes[i].reason);
	for (size_t i = 0; i < study->count; i++)
		if (study->outcomes[i].strictly[0])
			printf("valid with permission: %s: %s\n", study->outcomes[i].plan,
			       study->outcomes[i].strictly);
}

static int read_option(struct study *study, const char *text)
{
	int64_t number = 0;

	if (gk_text_starts(text, "only=")) {
		study->only = text + strlen("only=");
		return 0;
	}
	if (!strchr(text, '=') || !gk_text_to_int(strchr(text, '=') + 1, &number) || number < 1)
		return -1;
	if (gk_text_starts(text, "seconds="))
		study->seconds = (uint64_t)number;
	else if (gk_text_starts(text, "budget="))
		study->budget = (uint64_t)number;
	else if (gk_text_starts(text, "memory="))
		study->memory = (uint64_t)number;
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	struct study study = {.seconds = 60, .budget = 20000000000, .memory = (uint64_t)4 << 30};
	struct gk_err e = {0};
	int failed = argc < 2;

	for (int i = 2; i < argc && !failed; i++)
		failed = read_option(&study, argv[i]);
	if (failed) {
		fprintf(stderr, "usage: plans OUT [seconds=N] [budget=N] [memory=BYTES] [only=NAME]\n");
		return 2;
	}
	study.folder = argv[1];
	if (study_modules(&study, &e) || study_folder(&study, &e)) {
		fprintf(stderr, "plans: %s\n", e.text);
		return 3;
	}
	print_rest(&study);
	print_stages(&study);
	print_totals(&study);
	free(study.modules);
	free(study.outcomes);
	gk_arena_release(&study.arena);
	return 0;
}
