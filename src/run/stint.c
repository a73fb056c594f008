/*
 * Timings: one case of a candidate against the reference, on a launcher's GPU.
 * First the helper kernels that prepare timed calls are asked for, then the
 * launcher; then the outputs of both sides are compared, each in a thread.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "judging.h"

#define MAX_TRIES 2 /* of a timing that failed for a reason of ours */

struct side {
	int *outputs; /* memory files */
	struct compared *compared;
};

struct stint {
	struct job *job;
	const struct gk_judge_timing *x;
	struct oracle_set *set; /* the take's: held by the job */
	struct side a, b;
	uint64_t helpers, request;
	int tries;
	int under_way; /* comparisons */
	json_t *timed;
};

static void side_release(struct side *side, const struct gk_judge_side *x)
{
	compared_free(side->compared);
	close_outputs(side->outputs, x->output_count);
	*side = (struct side){0};
}

void stint_free(struct stint *s)
{
	if (s->helpers)
		gk_helpers_cancel(s->job->evaluator->helpers, s->helpers);
	if (s->request)
		gk_runner_cancel(s->job->evaluator->runner, s->request);
	side_release(&s->a, &s->x->a);
	side_release(&s->b, &s->x->b);
	json_decref(s->timed);
	free(s);
}

static void end(struct stint *s)
{
	struct job *job = s->job;

	for (size_t i = 0; i < job->stints.count; i++) {
		if (job->stints.items[i] != s)
			continue;
		job->stints.items[i] = gk_vec_last(&job->stints);
		job->stints.count--;
		break;
	}
	stint_free(s);
	judging_pump(job);
}

static void fail(struct stint *s, const struct gk_err *why)
{
	gk_cascade_failed(s->job->cascade, why);
	end(s);
}

/* ---- what came of it ---- */

static const struct gk_outputs *outputs_of(const struct side *side)
{
	return side->compared ? compared_outputs(side->compared) : NULL;
}

static void tell(struct stint *s, const struct gk_time_result *result)
{
	struct job *job = s->job;

	judging_look_at_launcher(job);
	gk_cascade_timed(job->cascade, s->x->number, &s->set->data, result, outputs_of(&s->a), outputs_of(&s->b),
	                 judging_ms_since(job->perf_started_ns));
	end(s);
}

static void tell_compared(struct stint *s)
{
	struct gk_time_result result = {.death = "", .timed = s->timed};

	tell(s, &result);
}

static void compared(void *ctx)
{
	struct stint *s = ctx;

	judging_came(s->job);
	if (--s->under_way == 0)
		tell_compared(s);
}

static int compare(struct stint *s, struct side *side, const struct gk_judge_side *x, struct gk_err *e)
{
	struct compared_request request = {.task = s->job->prepared->task,
	                                   .c = s->job->prepared->cases[s->x->case_index],
	                                   .set = s->set,
	                                   .fds = side->outputs,
	                                   .sizes = x->output_bytes,
	                                   .count = x->output_count};

	if (compared_start(s->job->evaluator->loop, &request, compared, s, &side->compared, e) < 0)
		return -1;
	if (!compared_is_done(side->compared)) {
		s->under_way++;
		judging_sent(s->job);
	}
	return 0;
}

static void compare_both(struct stint *s)
{
	struct gk_err e = {0};

	if ((!s->x->a_is_known && compare(s, &s->a, &s->x->a, &e) < 0) || compare(s, &s->b, &s->x->b, &e) < 0)
		fail(s, &e);
	else if (s->under_way == 0)
		tell_compared(s);
}

static void ask(struct stint *s);

static void timed(void *ctx, const struct gk_time_result *result)
{
	struct stint *s = ctx;

	s->request = 0;
	judging_came(s->job);
	s->job->spent.gpu += json_number_value(json_object_get(result->timed, "held_ms"));
	if (result->err && s->tries < MAX_TRIES) {
		ask(s);
	} else if (result->err) {
		fail(s, result->err);
	} else if (!result->timed || !json_is_null(json_object_get(result->timed, "finding"))) {
		tell(s, result);
	} else {
		s->timed = json_incref(result->timed);
		compare_both(s);
	}
}

/* ---- asked ---- */

/* The tensors that either side takes, each once. */
struct inputs {
	int fds[GK_PLAN_MAX_BUFFERS];
	size_t tensors[GK_PLAN_MAX_BUFFERS], count;
};

static int index_of(struct inputs *inputs, const struct oracle_set *set, size_t tensor)
{
	size_t i = 0;

	while (i < inputs->count && inputs->tensors[i] != tensor)
		i++;
	if (i == inputs->count) {
		inputs->tensors[i] = tensor;
		inputs->fds[inputs->count++] = set->input_fds[tensor];
	}
	return (int)i;
}

static struct gk_time_side side_of(const struct stint *s, const struct gk_judge_side *x, const struct side *side,
                                   struct inputs *inputs, int *indexes)
{
	for (size_t i = 0; i < x->input_count; i++)
		indexes[i] = index_of(inputs, s->set, x->input_tensors[i]);
	return (struct gk_time_side){.plan = x->json,
	                             .variants = x->variants,
	                             .objects = x->objects,
	                             .object_count = x->object_count,
	                             .input_buffers = x->input_buffers,
	                             .input_indexes = indexes,
	                             .input_count = x->input_count,
	                             .output_fds = side->outputs,
	                             .output_count = x->output_count};
}

static void send(struct stint *s, const struct gk_time_helper *helpers, size_t count)
{
	int a_indexes[GK_PLAN_MAX_BUFFERS], b_indexes[GK_PLAN_MAX_BUFFERS];
	struct inputs inputs = {.count = 0};
	const struct gk_evaluator_options *options = &s->job->evaluator->options;
	struct gk_time_request request = {.helpers = helpers,
	                                  .helper_count = count,
	                                  .seed = s->x->seed,
	                                  .cap_ms = options->cap_ms,
	                                  .half_width = options->half_width};

	request.a = side_of(s, &s->x->a, &s->a, &inputs, a_indexes);
	request.b = side_of(s, &s->x->b, &s->b, &inputs, b_indexes);
	request.a.is_known = s->x->a_is_known;
	if (s->x->a_is_known)
		request.a.output_count = 0;
	request.input_fds = inputs.fds;
	request.input_count = inputs.count;
	s->tries++;
	judging_sent(s->job);
	s->request = gk_runner_time(s->job->evaluator->runner, &request, timed, s);
}

static void helpers_came(void *ctx, const struct gk_helpers_result *result)
{
	struct stint *s = ctx;
	struct gk_err e = {0};

	s->helpers = 0;
	judging_came(s->job);
	if (result->err) {
		fail(s, result->err);
		return;
	}
	if (!s->b.outputs && ((!s->x->a_is_known && make_outputs(s->x->a.output_bytes, s->x->a.output_count,
	                                                         &s->a.outputs, &e) < 0) ||
	                      make_outputs(s->x->b.output_bytes, s->x->b.output_count, &s->b.outputs, &e) < 0)) {
		fail(s, &e);
		return;
	}
	send(s, result->helpers, result->count);
}

static void ask(struct stint *s)
{
	const struct gk_plan *plans[] = {s->x->a.plan, s->x->b.plan};

	judging_sent(s->job);
	s->helpers = gk_helpers_ask(s->job->evaluator->helpers, plans, 2, helpers_came, s);
}

void stint_start(struct job *job, const struct gk_judge_timing *x)
{
	struct stint *s = gk_alloc(sizeof *s);

	if (job->perf_started_ns == 0)
		job->perf_started_ns = gk_clock_ns();
	s->job = job;
	s->x = x;
	s->set = job->takes[0].sets[x->case_index];
	gk_vec_push(&job->stints, s);
	ask(s);
}
