/*
 * A tick: one transaction that holds what a turn of the loop brought, and
 * what the agents want because of it. Only its commit makes anything happen;
 * when it fails, memory is ahead of the journal and the engine ends at once.
 */
#include <stdlib.h>

#include "base/doc.h"
#include "base/memory.h"
#include "llm/answer.h"
#include "state.h"

/* Takes body over. */
static int write_event(struct track *track, enum gk_event_kind kind, json_t *body, int64_t ref, struct gk_err *e)
{
	struct gk_event event = {.trajectory = track->row.id,
	                         .step = gk_agent_next_step(track->agent),
	                         .kind = kind,
	                         .body = body};
	struct shown shown = {track, kind, body};

	if (!body)
		return gk_err_set(e, GK_ERR_INTERNAL, "an event without a body");
	gk_vec_push(&track->engine->shown, shown); /* holds the reference */
	if (gk_store_event_add(track->engine->store, &event, ref, e) < 0)
		return -1;
	return gk_agent_fold(track->agent, &event, e);
}

/* --- what came --- */

static int store_answer(struct track *track, char hash[GK_HEX_SIZE], struct gk_err *e)
{
	struct completion *came = &track->came;
	bool has_text = came->status == GK_ANSWER_OK;
	struct gk_store_answer answer = {track->ask, has_text ? hash : NULL, came->finish, came->usage};

	if (has_text && gk_store_blob_put(track->engine->store, came->text, came->size, hash, e) < 0)
		return -1;
	return gk_store_answer_add(track->engine->store, &answer, e);
}

static int take_final_answer(struct track *track, struct gk_err *e)
{
	struct completion *came = &track->came;
	char hash[GK_HEX_SIZE] = "";
	json_t *body;

	if (store_answer(track, hash, e) < 0)
		return -1;
	track->doing = DOING_NOTHING;
	if (came->status == GK_ANSWER_OK) {
		body = json_pack("{s:s, s:s, s:s}", "role", track->role, "answer", hash, "finish", came->finish);
		return write_event(track, GK_EVENT_ANSWERED, body, track->ask, e);
	}
	body = json_pack("{s:s, s:s, s:s}", "role", track->role, "status", "refused", "message", came->err.text);
	return write_event(track, GK_EVENT_NO_ANSWER, body, track->ask, e);
}

/* EXHAUSTED leaves the prompt open in the journal: the next run asks again. */
static int take_answer(struct track *track, struct gk_err *e)
{
	struct engine *engine = track->engine;

	switch (track->came.status) {
	case GK_ANSWER_OK:
	case GK_ANSWER_REFUSED:
		return take_final_answer(track, e);
	case GK_ANSWER_EXHAUSTED:
		track->doing = DOING_SUSPENDED;
		engine->suspended = track->came.err;
		return 0;
	case GK_ANSWER_FATAL:
		engine->failed = track->came.err; /* what else came is journalled first */
		track->doing = DOING_SUSPENDED;
		return 0;
	}
	return 0;
}

static int take_verdict(struct track *track, struct gk_err *e)
{
	struct gk_verdict *verdict = &track->came.verdict;
	int64_t id = 0;

	track->doing = DOING_NOTHING;
	if (gk_store_verdict_add(track->engine->store, track->row.id, gk_agent_next_step(track->agent), "attempt",
	                         track->code, track->engine->options->build, verdict, &id, e) < 0)
		return -1;
	return write_event(track, GK_EVENT_JUDGED,
	                   json_pack("{s:s, s:o}", "code", track->code, "verdict", gk_verdict_to_json(verdict)), id, e);
}

/*
 * Our own failure may be about this one candidate, or about this machine, now:
 * then the trajectory must not end by it. The reference, which passes where
 * judging works, tells which; until it has, the verdict waits.
 */
static bool must_probe(struct track *track)
{
	if (track->doing != DOING_JUDGE || track->came.verdict.outcome != GK_INFRA)
		return false;
	track->doing = DOING_PROBE;
	track->to_perform = true;
	track->probe_came = track->probe_failed = false;
	track->engine->judgings_out++;
	return true;
}

static int take_probe(struct track *track, struct gk_err *e)
{
	struct engine *engine = track->engine;

	track->probe_came = false;
	if (!track->probe_failed)
		return take_verdict(track, e);
	track->doing = DOING_SUSPENDED;
	gk_err_set(&engine->suspended, GK_ERR_SYSTEM, "no candidate can be judged: %s", track->came.verdict.message);
	return 0;
}

static int take_completion(struct track *track, struct gk_err *e)
{
	int rc = 0;

	if (track->doing == DOING_PROBE && !track->probe_came)
		return 0;
	if (track->doing == DOING_PROBE)
		rc = take_probe(track, e);
	else if (track->came.has_answer)
		rc = take_answer(track, e);
	else if (track->came.has_verdict && must_probe(track))
		return 0;
	else if (track->came.has_verdict)
		rc = take_verdict(track, e);
	completion_release(&track->came);
	return rc;
}

/* --- what is wanted --- */

static int write_started(struct track *track, struct gk_err *e)
{
	return write_event(track, GK_EVENT_STARTED,
	                   json_pack("{s:s, s:s, s:i, s:s}", "task", track->row.task, "recipe", track->row.recipe, "number",
	                             track->row.number, "target", track->engine->options->target), 0, e);
}

static int write_stopped(struct track *track, const char *reason, const char *message, struct gk_err *e)
{
	return write_event(track, GK_EVENT_STOPPED, json_pack("{s:s, s:s}", "reason", reason, "message", message), 0, e);
}

static int put_span(struct track *track, struct gk_span span, char hash[GK_HEX_SIZE], struct gk_err *e)
{
	hash[0] = '\0';
	return span.bytes ? gk_store_blob_put(track->engine->store, span.bytes, span.size, hash, e) : 0;
}

static int parse(struct track *track, const struct gk_action *action, struct gk_err *e)
{
	struct gk_answer answer;
	gk_arena_auto arena = {0};
	char code[GK_HEX_SIZE], said[GK_HEX_SIZE], *text;
	struct gk_store_answer stored;
	bool found = false;
	size_t size;

	if (gk_store_blob_get(track->engine->store, action->hash, &arena, &text, &size, e) < 0 ||
	    gk_store_answer_get(track->engine->store, track->ask, &arena, &stored, &found, e) < 0)
		return -1;
	gk_answer_parse(action->role, text, size, found ? stored.finish : "", &answer);
	if (put_span(track, answer.code, code, e) < 0 || put_span(track, answer.text, said, e) < 0)
		return -1;
	track->written += strcmp(action->role, "generator") == 0;
	return write_event(track, GK_EVENT_PARSED,
	                   gk_answer_to_body(action->role, &answer, code[0] ? code : NULL, said[0] ? said : NULL), 0, e);
}

static bool has_slot(const struct track *track, enum gk_action_kind kind)
{
	const struct engine *engine = track->engine;

	return kind == GK_ACTION_ASK ? engine->asks_out < engine->options->endpoint->max_parallel
	                             : engine->judgings_out < engine->judging_slots;
}

static int begin_ask(struct track *track, const struct gk_action *action, struct gk_err *e)
{
	json_t *body;
	gk_arena_auto arena = {0};
	struct gk_store_ask ask;

	if (engine_ask(track, action, e) < 0 ||
	    gk_store_ask_get(track->engine->store, track->row.id, track->ask_step, &arena, &ask, e) < 0)
		return -1;
	body = json_pack("{s:s, s:s, s:i, s:i}", "role", action->role, "prompt", ask.prompt_hash, "sample", action->sample,
	                 "ordinal", action->ordinal);
	snprintf(track->role, sizeof track->role, "%s", action->role);
	track->doing = DOING_ASK;
	track->engine->asks_out++;
	return write_event(track, GK_EVENT_ASKED, body, track->ask, e);
}

static void begin_judging(struct track *track, const struct gk_action *action)
{
	snprintf(track->code, sizeof track->code, "%s", action->hash);
	track->doing = DOING_JUDGE;
	track->engine->judgings_out++;
}

/* Starts what needs a slot when there is one. */
static int begin(struct track *track, const struct gk_action *action, struct gk_err *e)
{
	if (!has_slot(track, action->kind)) {
		if (!track->waiting_since)
			track->waiting_since = track->engine->ticks;
		return 0;
	}
	track->waiting_since = 0;
	track->to_perform = true;
	if (action->kind == GK_ACTION_ASK)
		return begin_ask(track, action, e);
	begin_judging(track, action);
	return 0;
}

/* One trajectory as far as it goes by itself. */
static int advance(struct track *track, const char *spent, struct gk_err *e)
{
	if (gk_agent_next_step(track->agent) == 0 && write_started(track, e) < 0)
		return -1;
	while (track->doing == DOING_NOTHING) {
		struct gk_action action;

		gk_agent_next(track->agent, &action);
		if (action.kind == GK_ACTION_ASK && spent[0])
			return write_stopped(track, "budget", spent, e);
		if (action.kind == GK_ACTION_STOP)
			return write_stopped(track, action.reason, action.message, e);
		if (action.kind == GK_ACTION_WAIT)
			return 0;
		if (action.kind != GK_ACTION_PARSE)
			return begin(track, &action, e);
		if (parse(track, &action, e) < 0)
			return -1;
	}
	return 0;
}

static int by_waiting(const void *a, const void *b)
{
	const struct track *x = *(struct track *const *)a, *y = *(struct track *const *)b;
	int64_t since_x = x->waiting_since ? x->waiting_since : INT64_MAX;
	int64_t since_y = y->waiting_since ? y->waiting_since : INT64_MAX;

	return since_x != since_y ? (since_x > since_y) - (since_x < since_y) : (x->index > y->index) - (x->index < y->index);
}

/* Who has waited longest for a slot comes first. */
static int advance_all(struct engine *engine, struct gk_err *e)
{
	struct track **order = gk_arena_array(&engine->scratch, engine->track_count, sizeof(struct track *));
	char spent[128] = "";

	if (engine_check_budget(engine, spent, sizeof spent, e) < 0)
		return -1;
	for (size_t i = 0; i < engine->track_count; i++)
		order[i] = &engine->tracks[i];
	qsort(order, engine->track_count, sizeof(struct track *), by_waiting);
	for (size_t i = 0; i < engine->track_count; i++)
		if (advance(order[i], spent, e) < 0)
			return gk_err_context(e, "%s, trajectory %d", order[i]->row.task, order[i]->row.number);
	return 0;
}

/* What the peers said of themselves stands in the journal once they have said it. */
static int store_facts(struct engine *engine, struct gk_err *e)
{
	static const char *const roles[] = {"containment", "zygote", "oracle", "lowering", "launcher"};
	gk_json_auto *facts = json_object();

	if (engine->facts_stored || !engine->options->judging->facts)
		return 0;
	for (size_t i = 0; i < gk_count_of(roles); i++) {
		const char *text = engine->options->judging->facts(engine->evaluator, roles[i]);
		json_t *fact = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

		if (fact)
			json_object_set_new(facts, roles[i], fact);
	}
	if (!json_object_get(facts, "launcher"))
		return 0; /* not all have started */
	engine->facts_stored = true;
	return gk_store_fact_add(engine->store, "peers", facts, e);
}

static int fill_transaction(struct engine *engine, struct gk_err *e)
{
	bool judged = false;

	for (size_t i = 0; i < engine->track_count; i++) {
		judged |= engine->tracks[i].came.has_verdict && engine->tracks[i].doing != DOING_PROBE;
		if (take_completion(&engine->tracks[i], e) < 0)
			return -1;
	}
	if (judged && store_facts(engine, e) < 0)
		return -1;
	return advance_all(engine, e);
}

static const char *doing_text(const struct track *track, char text[48])
{
	if (track->doing == DOING_ASK)
		snprintf(text, 48, "asking %s", track->role);
	else
		snprintf(text, 48, "%s", gk_agent_is_stopped(track->agent) ? "stopped" :
		         track->doing == DOING_JUDGE || track->doing == DOING_PROBE ? "judging" :
		         track->doing == DOING_SUSPENDED ? "suspended" : "waiting");
	return text;
}

static void show_all(struct engine *engine)
{
	char doing[48];

	for (size_t i = 0; i < engine->shown.count; i++) {
		struct shown *shown = &engine->shown.items[i];
		struct gk_event event = {.trajectory = shown->track->row.id, .kind = shown->kind, .body = shown->body};

		engine_show(shown->track, &event, doing_text(shown->track, doing));
		json_decref(shown->body);
	}
	engine->shown.count = 0;
}

int engine_tick(struct engine *engine, struct gk_err *e)
{
	engine->ticks++;
	gk_arena_release(&engine->scratch);
	if (gk_store_begin(engine->store, e) < 0)
		return -1;
	if (fill_transaction(engine, e) < 0) {
		gk_store_rollback(engine->store);
		return -1;
	}
	if (gk_store_commit(engine->store, e) < 0)
		return -1;
	show_all(engine);
	return 0;
}
