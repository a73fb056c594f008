/* Performs what a cascade asks for: lint, captures, executions; and tells it what came of them. */
#include "judging.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#define EXECUTE_WALL_MS ((int64_t)60000)
#define GPU_WALL_MS     ((int64_t)5000) /* cases take milliseconds there; the rest is the first context */
/* Lane operations: a loop that does not end is stopped in seconds; no honest kernel needs a thousand per
 * element. */
#define BUDGET_BASE        ((int64_t)500000000)
#define BUDGET_PER_ELEMENT 1000

static double ms_since(int64_t started_ns)
{
	return (double)(gk_clock_ns() - started_ns) / 1e6;
}

static void pump(struct job *job);

static void fail_job(struct job *job, const struct gk_err *why)
{
	gk_cascade_failed(job->cascade, why);
	pump(job);
}

json_t *judging_entry(const struct gk_task *task)
{
	json_t *params = json_array();

	for (size_t i = 0; i < task->param_count; i++)
		json_array_append_new(params, json_string(task->params[i].name));
	return json_pack("{s:s, s:o}", "name", task->entry, "params", params);
}

/* ---- lint ---- */

static void linted(void *ctx, const struct gk_lint_result *result)
{
	struct job *job = ctx;

	job->lint_request = 0;
	if (result->err) {
		fail_job(job, result->err);
		return;
	}
	gk_cascade_linted(job->cascade, result, ms_since(job->lint_started_ns));
	pump(job);
}

static void perform_lint(struct job *job)
{
	json_t *entry = judging_entry(job->prepared->task);
	struct gk_lint_request request = {.entry = entry, .source = job->source, .size = job->size};

	job->lint_started_ns = gk_clock_ns();
	job->lint_request = gk_runner_lint(job->evaluator->runner, &request, linted, job);
	json_decref(entry);
}

/* ---- capture ---- */

static struct gk_judge_setup setup_of(const struct job *job)
{
	const struct gk_evaluator *evaluator = job->evaluator;

	return (struct gk_judge_setup){.task = job->prepared->task,
	                               .cases = job->prepared->cases,
	                               .case_count = job->prepared->count,
	                               .target = evaluator->target,
	                               .on_gpu = evaluator->options.on_gpu,
	                               .secret = evaluator->options.secret,
	                               .candidate = job->candidate,
	                               .source = job->source,
	                               .source_size = job->size,
	                               .rounds = evaluator->options.rounds};
}

static struct oracle_set *get_set(struct job *job, size_t case_index, int round, json_t *pinned,
                                  const char *pin_name)
{
	struct gk_judge_setup setup = setup_of(job);

	return oracle_get(&job->evaluator->oracle, setup.task, setup.cases[case_index],
	                  gk_judge_seed(&setup, case_index, round),
	                  gk_judge_distribution(&setup, case_index, round), pinned, pin_name);
}

static void take_release(struct take *take)
{
	if (take->request)
		gk_runner_cancel(take->job->evaluator->runner, take->request);
	take->request = 0;
	for (size_t i = 0; take->sets && i < take->job->prepared->count; i++) {
		oracle_forget(take->sets[i], take);
		oracle_put(take->sets[i]);
	}
	free(take->sets);
	take->sets = NULL;
}

static void captured(void *ctx, const struct gk_capture_result *result)
{
	struct take *take = ctx;
	struct job *job = take->job;
	struct gk_judge_data *data;

	take->request = 0;
	if (result->err) {
		fail_job(job, result->err);
		return;
	}
	data = gk_alloc_array(job->prepared->count ? job->prepared->count : 1, sizeof *data);
	for (size_t i = 0; i < job->prepared->count; i++)
		data[i] = take->sets[i]->data;
	gk_cascade_captured(job->cascade, take->number, data, result, ms_since(take->started_ns));
	free(data);
	pump(job);
}

json_t *judging_case(const struct gk_task *task, const struct gk_case *c, const json_t *args)
{
	json_t *copy = json_deep_copy(args), *arg;
	size_t i;

	json_array_foreach(copy, i, arg) if (i < task->param_count && task->params[i].data)
		json_object_set_new(arg, "data", json_true());
	return json_pack("{s:s, s:o}", "id", c->id, "args", copy);
}

json_t *judging_allow(const struct gk_task *task)
{
	json_t *allow = json_array();

	for (size_t i = 0; i < task->allow_count; i++)
		json_array_append_new(allow, json_string(task->allow[i]));
	return allow;
}

static void start_capture(struct take *take)
{
	struct job *job = take->job;
	const struct gk_task *task = job->prepared->task;
	json_t *entry = judging_entry(task), *cases = json_array(), *allow = judging_allow(task);
	struct gk_capture_request request = {.entry = entry,
	                                     .cases = cases,
	                                     .allow = allow,
	                                     .target = job->evaluator->target,
	                                     .salt = take->salt,
	                                     .source = job->source,
	                                     .size = job->size};

	for (size_t i = 0; i < job->prepared->count; i++)
		json_array_append_new(cases,
		                      judging_case(task, job->prepared->cases[i], take->sets[i]->args));
	take->started_ns = gk_clock_ns();
	take->request = gk_runner_capture(job->evaluator->runner, &request, captured, take);
	json_decref(entry);
	json_decref(cases);
	json_decref(allow);
}

static void take_data_came(void *ctx, struct oracle_set *set)
{
	struct take *take = ctx;

	if (set->state == ORACLE_FAILED)
		fail_job(take->job, &set->err);
	else if (++take->ready == take->job->prepared->count)
		start_capture(take);
}

static void perform_capture(struct job *job, const struct gk_judge_action *action)
{
	struct take *take = &job->takes[action->take];
	size_t count = job->prepared->count;

	take->number = action->take;
	take->job = job;
	memcpy(take->salt, action->salt, sizeof take->salt);
	take->sets = gk_alloc_array(count ? count : 1, sizeof *take->sets);
	for (size_t i = 0; i < count; i++) {
		take->sets[i] = get_set(job, i, gk_judge_take_round(action->take), NULL, "own");
		if (take->sets[i]->state == ORACLE_READY)
			take->ready++;
		else
			oracle_wait(take->sets[i], take_data_came, take);
	}
	if (take->ready == count)
		start_capture(take);
}

/* ---- lowering ---- */

static void descent_free(struct descent *d)
{
	if (d->request)
		gk_runner_cancel(d->job->evaluator->runner, d->request);
	free(d);
}

static void descent_end(struct descent *d)
{
	struct job *job = d->job;

	for (size_t i = 0; i < job->descents.count; i++) {
		if (job->descents.items[i] != d)
			continue;
		job->descents.items[i] = gk_vec_last(&job->descents);
		job->descents.count--;
		break;
	}
	descent_free(d);
}

static void lowered(void *ctx, const struct gk_lower_result *result)
{
	struct descent *d = ctx;
	struct job *job = d->job;

	d->request = 0;
	if (result->err)
		gk_cascade_failed(job->cascade, result->err);
	else
		gk_cascade_lowered(job->cascade, d->number, result, ms_since(job->lower_started_ns));
	descent_end(d);
	pump(job);
}

static void perform_lowering(struct job *job, const struct gk_judge_lowering *l)
{
	struct descent *d = gk_alloc(sizeof *d);
	struct gk_lower_request request = {
		.target = job->evaluator->target, .ttir = l->ttir, .ir = l->ir, .options = l->options};

	if (job->lower_started_ns == 0)
		job->lower_started_ns = gk_clock_ns();
	d->job = job;
	d->number = l->number;
	gk_vec_push(&job->descents, d);
	d->request = gk_runner_lower(job->evaluator->runner, &request, lowered, d);
}

/* ---- execution ---- */

static void flight_free(struct flight *f)
{
	if (f->request)
		gk_runner_cancel(f->job->evaluator->runner, f->request);
	if (f->set) {
		oracle_forget(f->set, f);
		oracle_put(f->set);
	}
	for (size_t i = 0; f->outputs && i < f->x->output_count; i++)
		gk_fd_close(&f->outputs[i]);
	free(f->outputs);
	free(f);
}

static void flight_end(struct flight *f)
{
	struct job *job = f->job;

	for (size_t i = 0; i < job->flights.count; i++) {
		if (job->flights.items[i] != f)
			continue;
		job->flights.items[i] = gk_vec_last(&job->flights);
		job->flights.count--;
		break;
	}
	flight_free(f);
}

/* Outputs and expected values, in memory for the comparison. */
struct views {
	const void *got[GK_PLAN_MAX_OUTPUTS], *want[GK_PLAN_MAX_OUTPUTS];
	size_t sizes[GK_PLAN_MAX_OUTPUTS];
	struct oracle_bytes wanted[GK_PLAN_MAX_OUTPUTS];
	size_t count;
};

static int views_open(struct views *v, struct flight *f, struct gk_err *e)
{
	for (size_t i = 0; i < f->x->output_count; i++) {
		if (gk_memfd_seal(f->outputs[i], e) < 0 ||
		    gk_memfd_map(f->outputs[i], f->x->output_bytes[i], &v->got[i], e) < 0)
			return -1;
		v->sizes[i] = f->x->output_bytes[i];
		v->count++;
		if (oracle_want(f->set, i, &v->wanted[i], e) < 0)
			return -1;
		v->want[i] = v->wanted[i].bytes;
	}
	return 0;
}

static void views_close(struct views *v)
{
	for (size_t i = 0; i < v->count; i++) {
		if (v->sizes[i])
			munmap((void *)(uintptr_t)v->got[i], v->sizes[i]);
		oracle_bytes_release(&v->wanted[i]);
	}
}

static void executed(void *ctx, const struct gk_execute_result *result)
{
	struct flight *f = ctx;
	struct job *job = f->job;
	struct views *v = gk_alloc(sizeof *v);
	struct gk_err e = {0};
	int done = 0;

	f->request = 0;
	if (result->err)
		e = *result->err;
	else if (!result->died)
		done = views_open(v, f, &e);
	if (result->err || done < 0)
		gk_cascade_failed(job->cascade, &e);
	else
		gk_cascade_executed(job->cascade, f->x->number, &f->set->data, result, v->got, v->want,
		                    ms_since(job->exec_started_ns));
	views_close(v);
	free(v);
	flight_end(f);
	pump(job);
}

static int make_outputs(struct flight *f, struct gk_err *e)
{
	size_t count = f->x->output_count;

	f->outputs = gk_alloc_array(count ? count : 1, sizeof *f->outputs);
	for (size_t i = 0; i < count; i++)
		f->outputs[i] = -1;
	for (size_t i = 0; i < count; i++) {
		f->outputs[i] = gk_memfd_new("geak-output", f->x->output_bytes[i], e);
		if (f->outputs[i] < 0)
			return -1;
	}
	return 0;
}

static int64_t budget_of(const struct gk_judge_data *data)
{
	int64_t elements = 0;

	for (size_t i = 0; i < data->input_count; i++)
		elements += gk_tensor_count(&data->inputs[i]);
	for (size_t i = 0; i < data->output_count; i++)
		elements += gk_tensor_count(&data->outputs[i]);
	return BUDGET_BASE + elements * BUDGET_PER_ELEMENT;
}

static void start_execution(struct flight *f)
{
	struct gk_judge_execution *x = f->x;
	int inputs[GK_PLAN_MAX_BUFFERS];
	struct gk_execute_request request = {.plan = x->plan,
	                                     .modules = x->modules,
	                                     .module_count = x->module_count,
	                                     .objects = x->objects,
	                                     .object_count = x->object_count,
	                                     .input_buffers = x->input_buffers,
	                                     .input_fds = inputs,
	                                     .input_count = x->input_count,
	                                     .output_count = x->output_count,
	                                     .seed = x->seed,
	                                     .budget = budget_of(&f->set->data),
	                                     .wall_ms = f->job->evaluator->options.on_gpu ? GPU_WALL_MS
	                                                                                  : EXECUTE_WALL_MS};
	struct gk_err e = {0};

	for (size_t i = 0; i < x->input_count; i++)
		inputs[i] = f->set->input_fds[x->input_tensors[i]];
	if (make_outputs(f, &e) < 0) {
		fail_job(f->job, &e);
		return;
	}
	request.output_fds = f->outputs;
	f->request = gk_runner_execute(f->job->evaluator->runner, &request, executed, f);
}

static void flight_data_came(void *ctx, struct oracle_set *set)
{
	struct flight *f = ctx;

	if (set->state == ORACLE_FAILED)
		fail_job(f->job, &set->err);
	else
		start_execution(f);
}

static bool has_data_params(const struct gk_task *task)
{
	for (size_t i = 0; i < task->param_count; i++)
		if (task->params[i].data)
			return true;
	return false;
}

static void perform_execution(struct job *job, struct gk_judge_execution *x)
{
	struct flight *f = gk_alloc(sizeof *f);
	struct take *take = &job->takes[x->take];
	bool pin = has_data_params(job->prepared->task) && x->round != gk_judge_take_round(x->take);

	if (job->exec_started_ns == 0)
		job->exec_started_ns = gk_clock_ns();
	f->job = job;
	f->x = x;
	gk_vec_push(&job->flights, f);
	f->set = get_set(job, x->case_index, x->round, pin ? take->sets[x->case_index]->args : NULL,
	                 !pin      ? "own"
	                 : x->take ? "take 1"
	                           : "take 0");
	if (f->set->state == ORACLE_READY)
		start_execution(f);
	else
		oracle_wait(f->set, flight_data_came, f);
}

/* ---- the job ---- */

static void perform(struct job *job, const struct gk_judge_action *action)
{
	switch (action->kind) {
	case GK_JUDGE_LINT:
		perform_lint(job);
		break;
	case GK_JUDGE_CAPTURE:
		perform_capture(job, action);
		break;
	case GK_JUDGE_LOWER:
		perform_lowering(job, action->lowering);
		break;
	case GK_JUDGE_EXECUTE:
		perform_execution(job, action->execution);
		break;
	case GK_JUDGE_DONE:
		break;
	}
}

/* Until the cascade has nothing more to ask. An action may fail at once and come back here: the outer call
 * goes on. */
static void pump(struct job *job)
{
	struct gk_judge_action action;

	if (job->is_pumping)
		return;
	job->is_pumping = true;
	while (gk_cascade_next(job->cascade, &action)) {
		if (action.kind == GK_JUDGE_DONE) {
			evaluator_finished(job, action.verdict);
			return;
		}
		perform(job, &action);
	}
	job->is_pumping = false;
}

void job_start(struct job *job)
{
	struct gk_judge_setup setup = setup_of(job);

	job->cascade = gk_cascade_new(&setup);
	if (job->prepared->err.kind != GK_ERR_NONE)
		gk_cascade_failed(job->cascade, &job->prepared->err);
	pump(job);
}

void job_free(struct job *job)
{
	if (job->lint_request)
		gk_runner_cancel(job->evaluator->runner, job->lint_request);
	for (int i = 0; i < 2; i++)
		if (job->takes[i].sets)
			take_release(&job->takes[i]);
	for (size_t i = 0; i < job->descents.count; i++)
		descent_free(job->descents.items[i]);
	for (size_t i = 0; i < job->flights.count; i++)
		flight_free(job->flights.items[i]);
	gk_vec_release(&job->descents);
	gk_vec_release(&job->flights);
	gk_vec_release(&job->clients);
	gk_cascade_free(job->cascade);
	free(job->source);
	free(job->key);
	free(job);
}
