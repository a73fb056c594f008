/*
 * Who is there: the journal (truth), one agent per trajectory (a fold of its
 * events), the model endpoint and the evaluator (the world). A turn of the
 * event loop lets the world call back; callbacks only put down what came
 * (perform.c). Then one tick (tick.c) journals it together with what the agents
 * want next, in one transaction; after the commit the wishes are performed.
 *
 * Who may die first: anyone, at any instruction. Before the commit nothing has
 * happened: an answer that came is asked for again, as its request has an open
 * row in `send` and is booked as lost. After the commit the journal knows what was
 * wanted, and a restart performs it (resume.c): prompts without an answer are
 * sent again, byte for byte; candidates without a verdict are judged again.
 */
#include "run/engine.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "state.h"

bool engine_is_interrupted(const struct engine *engine)
{
	int limit = engine->options->stop_after_ticks;

	return gk_loop_interrupted(engine->options->loop) != 0 || (limit > 0 && engine->ticks >= limit);
}

static bool has_correct(const struct gk_agent *agent)
{
	return gk_agent_winner(agent) != NULL;
}

void engine_show(const struct track *track, const struct gk_event *event, const char *doing)
{
	const struct gk_run_options *options = track->engine->options;
	struct gk_run_line line = {
		.task = track->row.task,
		.index = track->index,
		.number = track->row.number,
		.attempt = track->written,
		.doing = doing,
		.active = track->doing == DOING_ASK || track->doing == DOING_JUDGE || track->doing == DOING_PROBE,
		.correct = has_correct(track->agent),
		.stopped = gk_agent_is_stopped(track->agent),
	};

	if (options->progress)
		options->progress(options->ctx, &line, event);
}

/*
 * Attempts are judged by the seed, which a repeated run shares: prompts speak
 * of what was drawn from it. Winners are judged by the run's own secret, which
 * nobody knew when the answers were written.
 */
int engine_judging_open(struct engine *engine, enum judging_purpose purpose, struct gk_err *e)
{
	const struct gk_run_options *options = engine->options;
	struct gk_evaluator_options wanted = {
		.target = options->target, .parallel = engine->judging_slots, .skip_perf = options->skip_perf,
		.sealed_only = options->sealed_only, .confirm_one_in = options->confirm_one_in};

	if (purpose == JUDGE_ATTEMPTS)
		gk_hmac("attempts", strlen("attempts"), options->seed, strlen(options->seed), wanted.secret);
	else if (wanted.confirm_one_in > 0)
		wanted.confirm_one_in = 1; /* whoever wins has been run for real */
	if (purpose != JUDGE_ATTEMPTS)
		gk_hmac(engine->secret, sizeof engine->secret, "confirm", strlen("confirm"), wanted.secret);
	engine->evaluator = options->judging->open(options->loop, &wanted, e);
	return engine->evaluator ? 0 : -1;
}

static void judging_close(struct engine *engine)
{
	if (engine->evaluator)
		engine->options->judging->close(engine->evaluator);
	engine->evaluator = NULL;
}

static bool all_stopped(const struct engine *engine)
{
	for (size_t i = 0; i < engine->track_count; i++)
		if (!gk_agent_is_stopped(engine->tracks[i].agent))
			return false;
	return true;
}

static bool has_news(const struct engine *engine)
{
	for (size_t i = 0; i < engine->track_count; i++)
		if (engine->tracks[i].came.has_answer || engine->tracks[i].came.has_verdict || engine->tracks[i].probe_came)
			return true;
	return false;
}

static int suspend(struct engine *engine, enum gk_run_end *end, struct gk_err *e)
{
	if (engine->suspended.kind == GK_ERR_NONE)
		return gk_err_set(e, GK_ERR_INTERNAL, "the run has work left and nothing under way");
	*end = GK_RUN_SUSPENDED;
	return 0;
}

/* Until all trajectories have stopped, or nothing can go on. */
static int run_trajectories(struct engine *engine, enum gk_run_end *end, struct gk_err *e)
{
	for (;;) {
		bool alive;

		if (engine_tick(engine, e) < 0 || engine_perform(engine, e) < 0)
			return -1;
		if (engine->options->check_fold && engine_check_fold(engine, e) < 0)
			return -1;
		if (all_stopped(engine))
			return 0;
		if (engine_is_interrupted(engine)) {
			*end = GK_RUN_INTERRUPTED;
			return 0;
		}
		if (engine->asks_out + engine->judgings_out == 0)
			return suspend(engine, end, e);
		alive = gk_loop_turn(engine->options->loop, true);
		if (engine->failed.kind != GK_ERR_NONE) {
			*e = engine->failed;
			return -1;
		}
		if (!alive && !has_news(engine))
			return gk_err_set(e, GK_ERR_INTERNAL, "the run waits for an answer that nobody is going to give");
	}
}

static int hash_params(struct engine *engine)
{
	const struct gk_recipe *recipe = &engine->options->recipe;
	gk_json_auto *params = json_pack("{s:f, s:I}", "temperature", recipe->temperature, "max_tokens",
	                                 (json_int_t)recipe->max_tokens);
	gk_free_auto char *text = gk_json_text(params);

	gk_hash_hex(text, strlen(text), engine->params_hash);
	return 0;
}

static int slots(const struct gk_run_options *options)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return options->judging_slots > 0 ? options->judging_slots : cores > 0 ? (int)cores : 1;
}

static int read_secret(struct engine *engine, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	struct gk_store_run run;

	if (gk_store_run_get(engine->store, &arena, &run, e) < 0)
		return -1;
	memcpy(engine->secret, run.secret, sizeof engine->secret);
	return 0;
}

static int run_all(struct engine *engine, enum gk_run_end *end, struct gk_err *e)
{
	if (read_secret(engine, e) < 0 || hash_params(engine) < 0 || engine_load(engine, e) < 0 ||
	    engine_book_lost(engine, e) < 0)
		return -1;
	if (!all_stopped(engine)) {
		if (engine_judging_open(engine, JUDGE_ATTEMPTS, e) < 0 || run_trajectories(engine, end, e) < 0)
			return -1;
		judging_close(engine); /* the winners meet fresh processes */
	}
	return *end == GK_RUN_DONE ? engine_confirm_winners(engine, end, e) : 0;
}

static void engine_release(struct engine *engine)
{
	judging_close(engine);
	for (size_t i = 0; i < engine->track_count; i++) {
		gk_agent_free(engine->tracks[i].agent);
		completion_release(&engine->tracks[i].came);
	}
	for (size_t i = 0; i < engine->shown.count; i++)
		json_decref(engine->shown.items[i].body);
	gk_vec_release(&engine->shown);
	free(engine->tracks);
	gk_arena_release(&engine->scratch);
}

int gk_run(const struct gk_run_options *options, enum gk_run_end *end, struct gk_err *why, struct gk_err *e)
{
	struct engine engine = {.options = options, .store = options->store, .judging_slots = slots(options)};
	int rc;

	options->endpoint->answered = engine_answered;
	options->endpoint->sent = engine_sent;
	options->endpoint->ctx = &engine;
	*end = GK_RUN_DONE;
	rc = run_all(&engine, end, e);
	*why = engine.suspended;
	gk_store_rollback(options->store);
	options->endpoint->answered = NULL;
	options->endpoint->sent = NULL;
	engine_release(&engine);
	return rc;
}
