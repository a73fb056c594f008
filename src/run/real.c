/*
 * Runs for real: the candidate's Python in the sandbox, on data. Inputs are the
 * oracle's sealed files; outputs are files of the run's own, of a size that
 * cannot change, which are looked at when the whole tree of the candidate's
 * process has ended: whoever of it would still write is gone, and sealing fails
 * as long as anybody holds them open for writing in his memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "judging.h"

/* Triton's interpreter is given less: what takes it longer is not confirmed. */
#define INTERPRETED_MS ((int64_t)20000)
#define CONTAINED_MS   ((int64_t)60000)
#define SEALS          (F_SEAL_GROW | F_SEAL_SHRINK)

struct real_call {
	struct oracle_set *set;
	int *outputs;
	uint64_t sizes[GK_PLAN_MAX_OUTPUTS];
	struct compared *compared; /* NULL: there is nothing to compare */
};

struct real {
	struct job *job;
	const struct gk_judge_run *x;
	struct real_call calls[GK_JUDGE_RUN_CALLS];
	size_t ready, comparing;
	uint64_t request;
	struct gk_capture_result result; /* what of it is needed after the callback; */
	struct gk_claim *claims;         /* owned, as are their objects */
	char *malformed;
	bool is_told;
};

static void free_claims(struct real *r)
{
	for (size_t i = 0; i < r->result.claim_count; i++)
		json_decref(r->claims[i].json);
	free(r->claims);
	free(r->malformed);
}

void real_free(struct real *r)
{
	if (r->request)
		gk_runner_cancel(r->job->evaluator->runner, r->request);
	for (size_t i = 0; i < r->x->count; i++) {
		struct real_call *call = &r->calls[i];

		compared_free(call->compared);
		if (!call->set)
			continue;
		close_outputs(call->outputs, call->set->data.output_count);
		oracle_forget(call->set, r);
		oracle_put(call->set);
	}
	free_claims(r);
	free(r);
}

static void end(struct real *r)
{
	struct job *job = r->job;

	for (size_t i = 0; i < job->reals.count; i++) {
		if (job->reals.items[i] != r)
			continue;
		job->reals.items[i] = gk_vec_last(&job->reals);
		job->reals.count--;
		break;
	}
	real_free(r);
	judging_pump(job);
}

static void fail(struct real *r, const struct gk_err *why)
{
	gk_cascade_failed(r->job->cascade, why);
	end(r);
}

/* ---- what came of it ---- */

static void tell(struct real *r)
{
	struct gk_judge_call calls[GK_JUDGE_RUN_CALLS];

	for (size_t i = 0; i < r->x->count; i++)
		calls[i] = (struct gk_judge_call){
			&r->calls[i].set->data,
			r->calls[i].compared ? compared_outputs(r->calls[i].compared) : NULL};
	gk_cascade_ran(r->job->cascade, r->x->number, &r->result, calls,
	               judging_ms_since(r->job->real_started_ns));
	end(r);
}

static void compared(void *ctx)
{
	struct real *r = ctx;

	if (--r->comparing > 0)
		return;
	judging_came(r->job);
	tell(r);
}

static int compare_call(struct real *r, size_t i, struct gk_err *e)
{
	struct real_call *call = &r->calls[i];
	struct gk_judge_setup setup = judging_setup(r->job);
	struct compared_request request = {.task = setup.task,
	                                   .c = setup.cases[r->x->case_index],
	                                   .set = call->set,
	                                   .fds = call->outputs,
	                                   .sizes = call->sizes,
	                                   .count = call->set->data.output_count};

	if (!gk_judge_call_fits(&setup, &call->set->data, &r->result, i))
		return 0;
	if (compared_start(r->job->evaluator->loop, &request, compared, r, &call->compared, e) < 0)
		return -1;
	r->comparing += !compared_is_done(call->compared);
	return 0;
}

static void compare_all(struct real *r)
{
	struct gk_err e = {0};

	for (size_t i = 0; i < r->x->count; i++) {
		if (compare_call(r, i, &e) == 0)
			continue;
		fail(r, &e);
		return;
	}
	if (r->comparing)
		judging_sent(r->job);
	else
		tell(r);
}

/* Comparisons may take longer than the result is lent. */
static void keep(struct real *r, const struct gk_capture_result *result)
{
	r->result = *result;
	r->claims = gk_alloc_array(result->claim_count + 1, sizeof *r->claims);
	for (size_t i = 0; i < result->claim_count; i++) {
		r->claims[i] = result->claims[i];
		json_incref(r->claims[i].json);
	}
	r->result.claims = r->claims;
	r->malformed = result->malformed ? gk_strdup(result->malformed) : NULL;
	r->result.malformed = r->malformed;
	r->result.output = "";
	r->result.output_size = 0;
	r->result.modules = NULL;
	r->result.module_count = 0;
}

/* Where it cannot be run at all a confirmation is no more than missing; a verdict that rests on it is ours to
 * fail. */
static void ran(void *ctx, const struct gk_capture_result *result)
{
	struct real *r = ctx;

	r->request = 0;
	judging_came(r->job);
	if (result->err) {
		gk_cascade_not_run(r->job->cascade, r->x->number, result->err);
		end(r);
		return;
	}
	if (r->job->evaluator->options.on_gpu)
		r->job->spent.gpu += (double)result->wall_ms;
	keep(r, result);
	compare_all(r);
}

/* ---- sent ---- */

static json_t *call_json(const struct gk_task *task, const struct real *r, size_t i)
{
	const struct gk_judge_data *data = &r->calls[i].set->data;
	json_t *args = json_deep_copy(r->calls[i].set->args), *outputs = json_array(), *arg;
	bool is_timed = r->x->times && i + 1 == r->x->count;
	size_t k;

	json_array_foreach(args, k, arg) if (k < task->param_count && task->params[k].in_place)
		json_object_set_new(arg, "in_place", json_true());
	for (k = 0; k < data->output_count; k++)
		json_array_append_new(outputs, json_integer((json_int_t)data->outputs[k].bytes));
	return json_pack("{s:o, s:o, s:i}", "args", args, "outputs", outputs, "times",
	                 is_timed ? r->x->times : 0);
}

static int prepare_outputs(struct real_call *call, struct gk_err *e)
{
	const struct gk_judge_data *data = &call->set->data;

	for (size_t i = 0; i < data->output_count; i++)
		call->sizes[i] = data->outputs[i].bytes;
	if (make_outputs(call->sizes, data->output_count, &call->outputs, e) < 0)
		return -1;
	for (size_t i = 0; i < data->output_count; i++)
		if (fcntl(call->outputs[i], F_ADD_SEALS, SEALS) < 0)
			return gk_err_errno(e, "an output's memory file");
	return 0;
}

static int collect(struct real *r, int *inputs, size_t *input_count, int *outputs, size_t *output_count,
                   struct gk_err *e)
{
	for (size_t i = 0; i < r->x->count; i++) {
		struct real_call *call = &r->calls[i];

		if (*input_count + call->set->input_count + *output_count + call->set->data.output_count >
		    GK_CONTAIN_MAX_FDS)
			return gk_err_set(e, GK_ERR_INPUT, "a run for real takes at most %d tensors",
			                  GK_CONTAIN_MAX_FDS);
		if (prepare_outputs(call, e) < 0)
			return -1;
		for (size_t k = 0; k < call->set->input_count; k++)
			inputs[(*input_count)++] = call->set->input_fds[k];
		for (size_t k = 0; k < call->set->data.output_count; k++)
			outputs[(*output_count)++] = call->outputs[k];
	}
	return 0;
}

static void send(struct real *r)
{
	const struct gk_task *task = r->job->prepared->task;
	const struct gk_evaluator *evaluator = r->job->evaluator;
	int inputs[GK_CONTAIN_MAX_FDS], outputs[GK_CONTAIN_MAX_FDS];
	gk_json_auto *entry = judging_entry(task);
	gk_json_auto *allow = judging_allow(task);
	gk_json_auto *calls = json_array();
	struct gk_contain_request request = {.entry = entry,
	                                     .calls = calls,
	                                     .allow = allow,
	                                     .target = evaluator->target,
	                                     .source = r->job->source,
	                                     .size = r->job->size,
	                                     .input_fds = inputs,
	                                     .output_fds = outputs,
	                                     .timed = r->x->times};
	struct gk_err e = {0};

	request.limits.wall_ms = evaluator->options.on_gpu ? CONTAINED_MS : INTERPRETED_MS;
	for (size_t i = 0; i < r->x->count; i++)
		json_array_append_new(calls, call_json(task, r, i));
	if (collect(r, inputs, &request.input_count, outputs, &request.output_count, &e) < 0) {
		fail(r, &e);
		return;
	}
	judging_sent(r->job);
	r->request = gk_runner_contain(evaluator->runner, &request, ran, r);
}

static void data_came(void *ctx, struct oracle_set *set)
{
	struct real *r = ctx;

	if (r->is_told)
		return;
	if (set->state == ORACLE_FAILED) {
		r->is_told = true;
		fail(r, &set->err);
	} else if (++r->ready == r->x->count) {
		send(r);
	}
}

void real_start(struct job *job, const struct gk_judge_run *x)
{
	struct real *r = gk_alloc(sizeof *r);

	if (job->real_started_ns == 0)
		job->real_started_ns = gk_clock_ns();
	r->job = job;
	r->x = x;
	gk_vec_push(&job->reals, r);
	for (size_t i = 0; i < x->count; i++) {
		r->calls[i].set = judging_get_set(job, x->case_index, x->rounds[i], NULL, "own");
		if (r->calls[i].set->state == ORACLE_READY)
			r->ready++;
		else
			oracle_wait(r->calls[i].set, data_came, r);
	}
	if (r->ready == x->count)
		send(r);
}
