/* Executions: asked of a launcher with outputs of their own, compared, told to the cascade. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "judging.h"

#define EXECUTE_WALL_MS ((int64_t)60000)
#define GPU_WALL_MS     ((int64_t)5000) /* cases take milliseconds there; the rest is the first context */
/* Lane operations: a loop that does not end is stopped in seconds; no honest kernel needs a thousand per
 * element. */
#define BUDGET_BASE        ((int64_t)500000000)
#define BUDGET_PER_ELEMENT 1000

struct flight {
	struct job *job;
	struct gk_judge_execution *x;
	struct oracle_set *set;
	int *outputs; /* memory files, one per output */
	uint64_t request;
	struct compared *compared; /* under way, or NULL */
	json_t *executed;          /* what was told, while outputs are compared */
};

int make_outputs(const uint64_t *sizes, size_t count, int **fds, struct gk_err *e)
{
	*fds = gk_alloc_array(count ? count : 1, sizeof **fds);
	for (size_t i = 0; i < count; i++)
		(*fds)[i] = -1;
	for (size_t i = 0; i < count; i++) {
		(*fds)[i] = gk_memfd_new("geak-output", sizes[i], e);
		if ((*fds)[i] < 0)
			return -1;
	}
	return 0;
}

void close_outputs(int *fds, size_t count)
{
	for (size_t i = 0; fds && i < count; i++)
		gk_fd_close(&fds[i]);
	free(fds);
}

void flight_free(struct flight *f)
{
	if (f->request)
		gk_runner_cancel(f->job->evaluator->runner, f->request);
	compared_free(f->compared);
	json_decref(f->executed);
	if (f->set) {
		oracle_forget(f->set, f);
		oracle_put(f->set);
	}
	close_outputs(f->outputs, f->x->output_count);
	free(f);
}

static void end(struct flight *f)
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
	judging_pump(job);
}

static void tell(struct flight *f, const struct gk_execute_result *result, const struct gk_outputs *outputs)
{
	struct job *job = f->job;

	judging_look_at_launcher(job);
	gk_cascade_executed(job->cascade, f->x->number, &f->set->data, result, outputs,
	                    judging_ms_since(job->exec_started_ns));
}

static void tell_compared(struct flight *f)
{
	struct gk_execute_result result = {.death = "", .executed = f->executed};
	struct compared **paired = &f->job->paired;
	bool is_first = f->x->is_paired && !*paired;

	if (f->x->is_paired && *paired)
		compared_repeat(f->compared, &f->set->data, *paired);
	tell(f, &result, compared_outputs(f->compared));
	if (is_first) { /* what it holds is mapped: it outlives this execution */
		*paired = f->compared;
		f->compared = NULL;
	}
}

static void compared(void *ctx)
{
	struct flight *f = ctx;

	judging_came(f->job);
	tell_compared(f);
	end(f);
}

/* False: the comparison is under way. */
static bool compare(struct flight *f, json_t *executed)
{
	struct compared_request request = {.task = f->job->prepared->task,
	                                   .c = f->job->prepared->cases[f->x->case_index],
	                                   .set = f->set,
	                                   .fds = f->outputs,
	                                   .sizes = f->x->output_bytes,
	                                   .count = f->x->output_count};
	struct gk_err e = {0};

	f->executed = json_incref(executed);
	if (compared_start(f->job->evaluator->loop, &request, compared, f, &f->compared, &e) < 0) {
		gk_cascade_failed(f->job->cascade, &e);
		return true;
	}
	if (compared_is_done(f->compared)) {
		tell_compared(f);
		return true;
	}
	judging_sent(f->job);
	return false;
}

static void executed(void *ctx, const struct gk_execute_result *result)
{
	struct flight *f = ctx;
	struct job *job = f->job;

	f->request = 0;
	judging_came(job);
	if (job->evaluator->options.on_gpu)
		job->spent.gpu += json_number_value(json_object_get(result->executed, "held_ms"));
	if (result->err)
		gk_cascade_failed(job->cascade, result->err);
	else if (!result->executed || !json_is_null(json_object_get(result->executed, "finding")))
		tell(f, result, NULL);
	else if (!compare(f, result->executed))
		return;
	end(f);
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

static void send(struct flight *f)
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
	if (make_outputs(x->output_bytes, x->output_count, &f->outputs, &e) < 0) {
		judging_fail(f->job, &e);
		return;
	}
	request.output_fds = f->outputs;
	judging_sent(f->job);
	f->request = gk_runner_execute(f->job->evaluator->runner, &request, executed, f);
}

static void data_came(void *ctx, struct oracle_set *set)
{
	struct flight *f = ctx;

	if (set->state == ORACLE_FAILED)
		judging_fail(f->job, &set->err);
	else
		send(f);
}

void flight_start(struct job *job, struct gk_judge_execution *x)
{
	struct flight *f = gk_alloc(sizeof *f);
	struct take *take = &job->takes[x->take];
	bool pin = job->prepared->has_data && x->round != gk_judge_take_round(x->take);

	if (job->exec_started_ns == 0)
		job->exec_started_ns = gk_clock_ns();
	f->job = job;
	f->x = x;
	gk_vec_push(&job->flights, f);
	f->set = judging_get_set(job, x->case_index, x->round, pin ? take->sets[x->case_index]->args : NULL,
	                     !pin      ? "own"
	                     : x->take ? "take 1"
	                               : "take 0");
	if (f->set->state == ORACLE_READY)
		send(f);
	else
		oracle_wait(f->set, data_came, f);
}
