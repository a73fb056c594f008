/* geak capture: the launch plan of a candidate, for people or as JSON. Nothing is executed, nothing is
 * judged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/place.h"
#include "base/text.h"
#include "cmd.h"
#include "fact/target.h"
#include "loop/loop.h"
#include "option.h"
#include "run/plans.h"
#include "task/task.h"
#include "view/term.h"

#define MAX_SOURCE ((size_t)1 << 20)

enum { SCHEMA_VERSION = 1 };

static const struct gk_command_help help = {"capture", "FILE --task TASK [--target ARCH] [--json]",
                                            "Show what a candidate's entry does to a GPU",
                                            "Runs the entry in the sandbox, on tensors without data, and "
                                            "prints its launch plan for each case: buffers,\n"
                                            "kernels with their options, steps with grids, arguments and "
                                            "source lines. For a target other than cpu the\n"
                                            "kernels are lowered: registers, spills, shared memory, "
                                            "occupancy. No GPU is needed for any target.\n"
                                            "Exit code: 0 every case has a plan that fits the task and the "
                                            "target, 1 one has not, 2 bad input, 3 geak\n"
                                            "itself failed."};

struct capture {
	struct gk_arena arena;
	struct gk_suite *suite;
	struct gk_loop *loop;
	struct gk_evaluator *evaluator;
	struct gk_plans plans;
	const char *task, *target, *pick;
	bool json;
};

static bool is_good(const struct gk_plans_case *c)
{
	return c->plan && !*c->problem;
}

static json_t *kernel_json(const struct gk_plans_kernel *kernel)
{
	json_t *json = kernel->has_object ? gk_object_to_json(&kernel->object) : json_object();
	json_t *problem = *kernel->problem ? json_string(kernel->problem) : json_null();
	const struct gk_target *target = gk_target_of(kernel->object.target);
	struct gk_occupancy occupancy;

	json_object_set_new(json, "problem", problem ? problem : json_string("(words that are not UTF-8)"));
	if (!kernel->has_object || !target)
		return json;
	gk_occupancy_of(target, &kernel->object, &occupancy);
	json_object_set_new(json, "occupancy",
	                    json_pack("{s:i, s:i, s:i, s:s}", "blocks", occupancy.blocks, "warps",
	                              occupancy.warps, "max_warps", occupancy.max_warps, "limit",
	                              occupancy.limit));
	return json;
}

/* One entry for each kernel of the plan; null where nothing is lowered. */
static json_t *objects_json(const struct capture *k, const struct gk_plan *plan)
{
	json_t *objects = json_array();

	for (uint32_t i = 0; i < plan->kernel_count; i++) {
		const struct gk_plans_kernel *kernel = gk_plans_kernel(&k->plans, &plan->kernels[i]);

		json_array_append_new(objects, kernel ? kernel_json(kernel) : json_null());
	}
	return objects;
}

static json_t *case_json(const struct capture *k, const struct gk_plans_case *c)
{
	json_t *json = json_pack("{s:s, s:i}", "case", c->id, "line", c->line);
	char hash[GK_HEX_SIZE];

	json_object_set_new(json, "problem", *c->problem ? json_string(c->problem) : json_null());
	json_object_set_new(json, "plan", c->plan ? gk_plan_to_json(c->plan) : json_null());
	json_object_set_new(json, "plan_hash", json_null());
	if (c->plan) {
		gk_plan_hash(c->plan, hash);
		json_object_set_new(json, "plan_hash", json_string(hash));
	}
	json_object_set_new(json, "objects", c->plan ? objects_json(k, c->plan) : json_null());
	return json;
}

static void print_json(const struct capture *k)
{
	gk_json_auto *all = json_pack("{s:i, s:s, s:s, s:[]}", "schema_version", SCHEMA_VERSION, "task",
	                              k->suite->tasks[0]->id, "target", k->target, "cases");
	gk_free_auto char *text = NULL;

	for (size_t i = 0; i < k->plans.case_count; i++)
		json_array_append_new(json_object_get(all, "cases"), case_json(k, &k->plans.cases[i]));
	text = gk_json_pretty(all);
	puts(text);
}

/* What the target's compiler made of the kernels: "    k0 softmax: 40 registers, ..". */
static void print_objects(const struct capture *k, const struct gk_plan *plan, struct gk_buf *out)
{
	if (k->plans.kernel_count)
		gk_buf_printf(out, "  lowered for %s\n", plan->target);
	for (uint32_t i = 0; i < plan->kernel_count; i++) {
		const struct gk_plans_kernel *kernel = gk_plans_kernel(&k->plans, &plan->kernels[i]);
		char text[256] = "";

		if (!kernel)
			continue;
		if (kernel->has_object)
			gk_object_text(&kernel->object, text, sizeof text);
		gk_buf_printf(out, "    k%u ", i);
		gk_text_add_safe(out, kernel->name, strlen(kernel->name), 100, false);
		gk_buf_printf(out, ": %s%s%s\n", text, *text && *kernel->problem ? "; " : "",
		              kernel->problem);
	}
}

static void print_case(const struct capture *k, const struct gk_term *term, const struct gk_plans_case *c)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_term_print(term, GK_BOLD, "%s\n", c->id);
	if (*c->problem && c->line)
		gk_term_print(term, GK_BAD, "line %d: %s\n", c->line, c->problem);
	else if (*c->problem)
		gk_term_print(term, GK_BAD, "%s\n", c->problem);
	if (c->plan)
		gk_plan_print(c->plan, k->plans.modules, k->plans.module_count, &text);
	if (c->plan)
		print_objects(k, c->plan, &text);
	gk_term_write(term, GK_PLAIN, gk_buf_text(&text), text.size);
	gk_term_print(term, GK_PLAIN, "\n");
}

static void print_all(const struct capture *k)
{
	struct gk_term term;

	gk_term_init(&term, stdout);
	for (size_t i = 0; i < k->plans.case_count; i++)
		print_case(k, &term, &k->plans.cases[i]);
	if (k->plans.output && *k->plans.output)
		gk_term_print(&term, GK_DIM, "The candidate printed:\n%s\n", k->plans.output);
}

static int find_task(struct capture *k, struct gk_err *e)
{
	const char *suites;

	if (gk_place_path(&k->arena, "suites", &suites, e) < 0)
		return -1;
	k->suite = gk_target_find(suites, k->task, e);
	if (!k->suite)
		return -1;
	if (k->suite->task_count != 1)
		return gk_err_set(e, GK_ERR_INPUT, "%s has %zu tasks: name one (%s/%s)", k->task,
		                  k->suite->task_count, k->suite->id,
		                  k->suite->task_count ? k->suite->tasks[0]->id : "TASK");
	return 0;
}

static int capture(struct capture *k, const char *path, struct gk_err *e)
{
	struct gk_evaluator_options options = {.target = k->target};
	gk_free_auto char *source = NULL;
	size_t size;

	if (find_task(k, e) < 0 || gk_file_read(path, MAX_SOURCE, &source, &size, e) < 0)
		return -1;
	gk_random_bytes(options.secret, sizeof options.secret);
	k->loop = gk_loop_new(e);
	if (!k->loop || gk_loop_catch_interrupts(k->loop, NULL, NULL, e) < 0)
		return -1;
	k->evaluator = gk_evaluator_open(k->loop, &options, e);
	if (!k->evaluator ||
	    gk_plans_capture(k->loop, k->evaluator, k->suite->tasks[0], k->pick, source, size, &k->plans, e) <
	            0 ||
	    gk_plans_lower(k->loop, k->evaluator, &k->plans, e) < 0)
		return -1;
	(k->json ? print_json : print_all)(k);
	return gk_stdout_flush(e);
}

static int exit_code(const struct capture *k)
{
	for (size_t i = 0; i < k->plans.case_count; i++)
		if (!is_good(&k->plans.cases[i]))
			return 1;
	return 0;
}

static void release(struct capture *k)
{
	gk_evaluator_close(k->evaluator);
	gk_loop_free(k->loop);
	gk_plans_release(&k->plans);
	gk_suite_free(k->suite);
	gk_arena_release(&k->arena);
}

int gk_cmd_capture(int argc, char **argv, struct gk_err *e)
{
	struct capture k = {.target = "auto"};
	const struct gk_option table[] = {
		{0, "task", GK_OPTION_TEXT, "TASK", "folder or id of the task that FILE is for",
	         .value = &k.task},
		{'t', "target", GK_OPTION_TEXT, "ARCH", "auto, cpu, sm_90, gfx942, ...", .value = &k.target},
		{0, "case", GK_OPTION_TEXT, "TEXT", "only cases with TEXT in their name", .value = &k.pick},
		{0, "json", GK_OPTION_FLAG, NULL, "one JSON object", .value = &k.json},
		{0},
	};
	int done = gk_options_read(&help, table, &argc, argv, e);

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 1, 1, e) < 0)
		return -1;
	if (!k.task)
		return gk_err_set(
			e, GK_ERR_INPUT,
			"geak capture: --task TASK is needed: whose cases is the entry called with?");
	if (strcmp(k.target, "auto") == 0)
		k.target = "cpu";
	done = capture(&k, argv[1], e);
	if (done == 0)
		done = exit_code(&k);
	release(&k);
	return done;
}
