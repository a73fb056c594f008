/* The journal into memory: trajectories, their agents, and what was under way when the last process ended. */
#include <stdlib.h>

#include "base/memory.h"
#include "state.h"

static const struct gk_task *task_named(const struct gk_run_options *options, const char *id)
{
	for (size_t i = 0; i < options->task_count; i++)
		if (strcmp(options->tasks[i]->id, id) == 0)
			return options->tasks[i];
	return NULL;
}

static int fold_one(void *ctx, const struct gk_event *event, struct gk_err *e)
{
	struct track *track = ctx;
	const char *role = json_string_value(json_object_get(event->body, "role"));

	if (event->kind == GK_EVENT_ASKED)
		track->ask_step = event->step;
	if (role)
		snprintf(track->role, sizeof track->role, "%s", role);
	track->written += event->kind == GK_EVENT_PARSED && strcmp(track->role, "generator") == 0;
	return gk_agent_fold(track->agent, event, e);
}

static int load_track(struct engine *engine, struct track *track, struct gk_err *e)
{
	const struct gk_run_options *options = engine->options;

	track->engine = engine;
	track->task = task_named(options, track->row.task);
	if (!track->task)
		return gk_err_set(e, GK_ERR_INPUT, "the run has a task \"%s\" that is not among those named", track->row.task);
	track->agent = gk_agent_new(&options->recipe);
	return gk_store_events(engine->store, track->row.id, fold_one, track, e);
}

/* A prompt that no answer has come for is sent again, byte for byte; a candidate in hand is judged again by itself. */
static int load_ask(struct track *track, struct gk_arena *arena, struct gk_err *e)
{
	struct gk_store_ask ask;
	struct gk_action action;

	if (track->ask_step == 0)
		return 0;
	if (gk_store_ask_get(track->engine->store, track->row.id, track->ask_step, arena, &ask, e) < 0)
		return -1;
	track->ask = ask.id;
	if (!gk_agent_outstanding(track->agent, &action))
		return 0;
	track->doing = DOING_ASK;
	track->to_perform = true;
	track->engine->asks_out++;
	return 0;
}

int engine_load(struct engine *engine, struct gk_err *e)
{
	struct gk_store_trajectory *rows;
	gk_arena_auto arena = {0};
	size_t count;

	if (gk_store_trajectories(engine->store, &arena, &rows, &count, e) < 0)
		return -1;
	engine->tracks = gk_alloc_array(count, sizeof *engine->tracks);
	for (size_t i = 0; i < count; i++) {
		struct track *track = &engine->tracks[engine->track_count++];

		track->index = (int)i;
		track->row = rows[i];
		if (load_track(engine, track, e) < 0)
			return -1;
		track->row.task = track->task->id;
		track->row.recipe = engine->options->recipe.name;
		if (load_ask(track, &arena, e) < 0)
			return -1;
	}
	return 0;
}

/* --- the same fold gives the same state --- */

static bool same_action(const struct gk_action *a, const struct gk_action *b)
{
	return a->kind == b->kind && strcmp(a->role, b->role) == 0 && a->sample == b->sample && a->ordinal == b->ordinal &&
	       strcmp(a->hash, b->hash) == 0 && strcmp(a->reason, b->reason) == 0 && strcmp(a->message, b->message) == 0;
}

static bool same_state(const struct gk_agent *a, const struct gk_agent *b)
{
	const struct gk_attempt *of_a, *of_b;
	struct gk_action next_a, next_b;
	size_t count = gk_agent_attempts(a, &of_a);

	gk_agent_next(a, &next_a);
	gk_agent_next(b, &next_b);
	if (!same_action(&next_a, &next_b) || gk_agent_next_step(a) != gk_agent_next_step(b) ||
	    gk_agent_iterations(a) != gk_agent_iterations(b) || count != gk_agent_attempts(b, &of_b))
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(of_a[i].code_hash, of_b[i].code_hash) != 0 || of_a[i].outcome != of_b[i].outcome ||
		    strcmp(of_a[i].message, of_b[i].message) != 0)
			return false;
	return true;
}

int engine_check_fold(struct engine *engine, struct gk_err *e)
{
	for (size_t i = 0; i < engine->track_count; i++) {
		struct track *track = &engine->tracks[i], again = {.agent = gk_agent_new(&engine->options->recipe)};
		int rc = gk_store_events(engine->store, track->row.id, fold_one, &again, e);
		bool same = rc == 0 && same_state(track->agent, again.agent);

		gk_agent_free(again.agent);
		if (rc < 0)
			return -1;
		if (!same)
			return gk_err_set(e, GK_ERR_INTERNAL, "trajectory %lld: the journal folds to another state than the live one",
			                  (long long)track->row.id);
	}
	return 0;
}
