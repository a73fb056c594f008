/*
 * Performs what a cascade asks for, and tells it what came of it: lint,
 * captures, lowerings here, executions in flight.c, timings in stint.c. The oracle
 * is asked for data as soon as a job starts, not only when an action needs it.
 */
#include "judging.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "selftest.h"

double judging_ms_since(int64_t started_ns)
{
	return (double)(gk_clock_ns() - started_ns) / 1e6;
}

/* ---- where the time goes ---- */

static void account(struct job *job)
{
	int64_t now = gk_clock_ns();

	if (job->busy == 0 && job->accounted_ns)
		job->spent.oracle += (double)(now - job->accounted_ns) / 1e6;
	job->accounted_ns = now;
}

void judging_sent(struct job *job)
{
	account(job);
	job->busy++;
}

void judging_came(struct job *job)
{
	account(job);
	job->busy--;
}

void judging_fail(struct job *job, const struct gk_err *why)
{
	gk_cascade_failed(job->cascade, why);
	judging_pump(job);
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
	judging_came(job);
	if (job->is_cold)
		job->spent.start = judging_ms_since(job->lint_started_ns);
	if (result->err) {
		judging_fail(job, result->err);
		return;
	}
	gk_cascade_linted(job->cascade, result, judging_ms_since(job->lint_started_ns));
	judging_pump(job);
}

static void perform_lint(struct job *job)
{
	json_t *entry = judging_entry(job->prepared->task);
	struct gk_lint_request request = {.entry = entry, .source = job->source, .size = job->size};

	job->lint_started_ns = gk_clock_ns();
	job->is_cold = !gk_runner_facts(job->evaluator->runner, "oracle");
	judging_sent(job);
	job->lint_request = gk_runner_lint(job->evaluator->runner, &request, linted, job);
	json_decref(entry);
}

/* ---- capture ---- */

/* Always, never, or when the secret says so: nobody knows beforehand whose Python will be run. */
static bool is_confirmed(const struct job *job)
{
	const struct gk_evaluator_options *options = &job->evaluator->options;
	gk_buf_auto text = GK_BUF_INIT;

	if (job->is_reference || options->confirm_one_in < 1 || !gk_runner_can_contain(job->evaluator->runner))
		return false;
	gk_buf_printf(&text, "real/%s/%s", job->prepared->task->id, job->candidate);
	return gk_hmac_seed(options->secret, gk_buf_text(&text)) % (uint64_t)options->confirm_one_in == 0;
}

struct gk_judge_setup judging_setup(const struct job *job)
{
	const struct gk_evaluator *evaluator = job->evaluator;
	bool can_run = !job->is_reference && gk_runner_can_contain(evaluator->runner);

	return (struct gk_judge_setup){.task = job->prepared->task,
	                               .cases = job->prepared->cases,
	                               .case_count = job->prepared->count,
	                               .target = evaluator->target,
	                               .on_gpu = evaluator->options.on_gpu,
	                               .measure = job->is_reference || job->reference,
	                               .secret = evaluator->options.secret,
	                               .candidate = job->candidate,
	                               .source = job->source,
	                               .source_size = job->size,
	                               .rounds = job->is_reference ? 1 : evaluator->options.rounds,
	                               .confirm = is_confirmed(job),
	                               .may_contain = can_run && !evaluator->options.sealed_only,
	                               .end_to_end = can_run ? evaluator->options.end_to_end : 0};
}

struct oracle_set *judging_get_set(struct job *job, size_t case_index, int round, json_t *pinned, const char *pin_name)
{
	struct gk_judge_setup setup = judging_setup(job);

	return oracle_get(&job->evaluator->oracle, setup.task, setup.cases[case_index],
	                  gk_judge_seed(&setup, case_index, round),
	                  gk_judge_distribution(&setup, case_index, round),
	                  gk_judge_specials(&setup, case_index, round), pinned, pin_name);
}

static bool is_perf_only(const struct gk_case *c)
{
	return c->perf && !c->exec;
}

/* Large cases are made once: only scalars that stand for data would differ from take to take. */
static int round_of_take(const struct job *job, int take, size_t case_index)
{
	bool is_shared = is_perf_only(job->prepared->cases[case_index]) && !job->prepared->has_data;

	return is_shared ? 0 : gk_judge_take_round(take);
}

static void take_data_came(void *ctx, struct oracle_set *set);

static void take_prepare(struct job *job, int number)
{
	struct take *take = &job->takes[number];
	size_t count = job->prepared->count;

	take->number = number;
	take->job = job;
	take->sets = gk_alloc_array(count ? count : 1, sizeof *take->sets);
	for (size_t i = 0; i < count; i++) {
		take->sets[i] = judging_get_set(job, i, round_of_take(job, number, i), NULL, "own");
		if (take->sets[i]->state == ORACLE_READY)
			take->ready++;
		else
			oracle_wait(take->sets[i], take_data_came, take);
	}
}

/* Rounds that no take is captured with: made while the candidate's Python runs. */
static void ask_ahead(struct job *job)
{
	int rounds = judging_setup(job).rounds > 0 ? judging_setup(job).rounds : GK_JUDGE_ROUNDS;

	for (size_t i = 0; i < job->prepared->count && !job->prepared->has_data; i++) {
		for (int round = 2; round < rounds && !is_perf_only(job->prepared->cases[i]); round++)
			gk_vec_push(&job->ahead, judging_get_set(job, i, round, NULL, "own"));
		if (job->prepared->cases[i]->specials)
			gk_vec_push(&job->ahead, judging_get_set(job, i, GK_JUDGE_SPECIAL_ROUND, NULL, "own"));
	}
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
	judging_came(job);
	job->spent.capture = judging_ms_since(job->capture_started_ns);
	if (result->err) {
		judging_fail(job, result->err);
		return;
	}
	data = gk_alloc_array(job->prepared->count ? job->prepared->count : 1, sizeof *data);
	for (size_t i = 0; i < job->prepared->count; i++)
		data[i] = take->sets[i]->data;
	gk_cascade_captured(job->cascade, take->number, data, result, judging_ms_since(take->started_ns));
	free(data);
	judging_pump(job);
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
	if (job->capture_started_ns == 0)
		job->capture_started_ns = take->started_ns;
	judging_sent(job);
	take->request = gk_runner_capture(job->evaluator->runner, &request, captured, take);
	json_decref(entry);
	json_decref(cases);
	json_decref(allow);
}

/* What the oracle cannot make fails the job when it is needed, not before: lint may refuse the candidate. */
static void take_go_on(struct take *take)
{
	size_t count = take->job->prepared->count;

	if (!take->is_wanted || take->request)
		return;
	for (size_t i = 0; i < count; i++) {
		if (take->sets[i]->state != ORACLE_FAILED)
			continue;
		judging_fail(take->job, &take->sets[i]->err);
		return;
	}
	if (take->ready == count)
		start_capture(take);
}

static void take_data_came(void *ctx, struct oracle_set *set)
{
	struct take *take = ctx;

	take->ready += set->state == ORACLE_READY;
	take_go_on(take);
}

static void perform_capture(struct job *job, const struct gk_judge_action *action)
{
	struct take *take = &job->takes[action->take];

	memcpy(take->salt, action->salt, sizeof take->salt);
	take->is_wanted = true;
	take_go_on(take);
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
	judging_came(job);
	job->spent.lower = judging_ms_since(job->lower_started_ns);
	if (result->err)
		gk_cascade_failed(job->cascade, result->err);
	else
		gk_cascade_lowered(job->cascade, d->number, result, judging_ms_since(job->lower_started_ns));
	descent_end(d);
	judging_pump(job);
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
	judging_sent(job);
	gk_vec_push(&job->descents, d);
	d->request = gk_runner_lower(job->evaluator->runner, &request, lowered, d);
}

/* ---- the launcher ---- */

/* An AMD GPU's word counts once a self-test has passed on its node. */
void judging_look_at_launcher(struct job *job)
{
	if (job->is_trust_known)
		return;
	job->is_trust_known = true;
	if (job->evaluator->options.on_gpu && gk_text_starts(job->evaluator->target, "gfx"))
		gk_cascade_trust(job->cascade,
		                 gk_selftest_passed(gk_runner_facts(job->evaluator->runner, "launcher")));
}

/* ---- the job ---- */

static void perform(struct job *job, const struct gk_judge_action *action)
{
	switch (action->kind) {
	case GK_JUDGE_LINT:
		perform_lint(job);
		take_prepare(job, 0);
		take_prepare(job, 1);
		ask_ahead(job);
		break;
	case GK_JUDGE_CAPTURE:
		perform_capture(job, action);
		break;
	case GK_JUDGE_LOWER:
		perform_lowering(job, action->lowering);
		break;
	case GK_JUDGE_EXECUTE:
		flight_start(job, action->execution);
		break;
	case GK_JUDGE_RUN:
		real_start(job, action->run);
		break;
	case GK_JUDGE_REFERENCE:
		reference_ask(job);
		break;
	case GK_JUDGE_TIME:
		stint_start(job, action->timing);
		break;
	case GK_JUDGE_DONE:
		break;
	}
}

static void end(struct job *job, struct gk_verdict *verdict)
{
	account(job);
	job->spent.total = judging_ms_since(job->started_ns);
	job->spent.exec = verdict->stages_ms[GK_STAGE_EXEC];
	job->spent.perf = verdict->stages_ms[GK_STAGE_PERF];
	verdict->spent = job->spent;
	if (job->is_reference)
		reference_judged(job, verdict);
	else
		evaluator_finished(job, verdict);
}

/* Until the cascade has nothing more to ask. An action may fail at once and come back here: the outer call
 * goes on. */
void judging_pump(struct job *job)
{
	struct gk_judge_action action;

	if (job->is_pumping)
		return;
	job->is_pumping = true;
	while (gk_cascade_next(job->cascade, &action)) {
		if (action.kind == GK_JUDGE_DONE) {
			end(job, action.verdict);
			return;
		}
		perform(job, &action);
	}
	job->is_pumping = false;
}

void job_start(struct job *job)
{
	struct gk_judge_setup setup = judging_setup(job);

	job->started_ns = gk_clock_ns();
	job->cascade = gk_cascade_new(&setup);
	if (job->prepared->err.kind != GK_ERR_NONE)
		gk_cascade_failed(job->cascade, &job->prepared->err);
	judging_pump(job);
}

void judging_rest(struct job *job)
{
	if (job->lint_request)
		gk_runner_cancel(job->evaluator->runner, job->lint_request);
	job->lint_request = 0;
	for (int i = 0; i < 2; i++)
		if (job->takes[i].sets)
			take_release(&job->takes[i]);
	for (size_t i = 0; i < job->descents.count; i++)
		descent_free(job->descents.items[i]);
	for (size_t i = 0; i < job->flights.count; i++)
		flight_free(job->flights.items[i]);
	for (size_t i = 0; i < job->stints.count; i++)
		stint_free(job->stints.items[i]);
	compared_free(job->paired);
	job->paired = NULL;
	for (size_t i = 0; i < job->reals.count; i++)
		real_free(job->reals.items[i]);
	for (size_t i = 0; i < job->ahead.count; i++)
		oracle_put(job->ahead.items[i]);
	gk_vec_release(&job->descents);
	gk_vec_release(&job->flights);
	gk_vec_release(&job->stints);
	gk_vec_release(&job->reals);
	gk_vec_release(&job->ahead);
}

void job_free(struct job *job)
{
	reference_forget(job);
	judging_rest(job);
	gk_vec_release(&job->clients);
	gk_cascade_free(job->cascade);
	free(job->source);
	free(job->key);
	free(job);
}
