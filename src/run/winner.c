/*
 * Winners: the best correct candidate of each task is captured and judged
 * again, in processes that have never met a candidate and with other secret
 * seeds, before it is called the winner. One that does not stand is refuted,
 * and the next best takes its place. Facts `winner` and `refuted` tell of it.
 */
#include <limits.h>
#include <stdlib.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "state.h"

#define MAX_INFRA 3

/* --- who is a candidate --- */

static int better_first(const void *a, const void *b)
{
	return -gk_attempt_compare(a, b);
}

static bool is_known(const struct contest *contest, const char *code)
{
	for (size_t i = 0; i < contest->ranked.count; i++)
		if (strcmp(contest->ranked.items[i].code_hash, code) == 0)
			return true;
	return false;
}

/* Sorted before doubles are dropped: the first of its kind stays. */
static void rank(struct contest *contest)
{
	struct engine *engine = contest->engine;
	struct GK_VEC(struct gk_attempt) all = {0};

	for (size_t i = 0; i < engine->track_count; i++) {
		const struct gk_attempt *attempts;
		size_t count = gk_agent_attempts(engine->tracks[i].agent, &attempts);

		for (size_t k = 0; engine->tracks[i].task == contest->task && k < count; k++)
			if (attempts[k].outcome == GK_PASS && attempts[k].exec)
				gk_vec_push(&all, attempts[k]);
	}
	if (all.count)
		qsort(all.items, all.count, sizeof *all.items, better_first);
	for (size_t i = 0; i < all.count; i++)
		if (!is_known(contest, all.items[i].code_hash))
			gk_vec_push(&contest->ranked, all.items[i]);
	gk_vec_release(&all);
}

static struct track *track_of(const struct contest *contest, const struct gk_attempt *attempt)
{
	struct engine *engine = contest->engine;

	for (size_t i = 0; i < engine->track_count; i++)
		if (engine->tracks[i].task == contest->task && engine->tracks[i].row.number == attempt->trajectory)
			return &engine->tracks[i];
	gk_bug("an attempt of no trajectory");
}

/* --- what was decided before --- */

static bool is_text(const json_t *object, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && strcmp(value, text) == 0;
}

static void drop(struct contest *contest, const char *code)
{
	size_t kept = 0;

	for (size_t i = 0; i < contest->ranked.count; i++)
		if (strcmp(contest->ranked.items[i].code_hash, code) != 0)
			contest->ranked.items[kept++] = contest->ranked.items[i];
	contest->ranked.count = kept;
}

static int drop_refuted(struct contest *contest, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	struct gk_store_fact *facts;
	size_t count;

	if (gk_store_facts(contest->engine->store, "refuted", &arena, &facts, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *code = json_string_value(json_object_get(facts[i].json, "code"));

		if (code && is_text(facts[i].json, "task", contest->task->id))
			drop(contest, code);
		json_decref(facts[i].json);
	}
	return 0;
}

/* DIR/best/TASK.py, readers see it whole. */
static int write_best(struct engine *engine, const char *task, const char *code, struct gk_err *e)
{
	char folder[PATH_MAX], path[PATH_MAX];
	gk_arena_auto arena = {0};
	char *source;
	size_t size;

	snprintf(folder, sizeof folder, "%s/best", gk_store_folder(engine->store));
	if (snprintf(path, sizeof path, "%s/%s.py", folder, task) >= (int)sizeof path || strchr(task, '/'))
		return gk_err_set(e, GK_ERR_INPUT, "%s: no file can be called like that", task);
	if (gk_store_blob_get(engine->store, code, &arena, &source, &size, e) < 0 || gk_dir_make(folder, e) < 0)
		return -1;
	return gk_file_write(path, source, size, e);
}

/* A winner that stands already: only its file may be missing. */
static int restore_winner(struct contest *contest, bool *stands, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	struct gk_store_fact *facts;
	size_t count;
	int rc = 0;

	*stands = false;
	if (gk_store_facts(contest->engine->store, "winner", &arena, &facts, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *code = json_string_value(json_object_get(facts[i].json, "code"));

		if (rc == 0 && code && is_text(facts[i].json, "task", contest->task->id)) {
			*stands = true;
			rc = write_best(contest->engine, contest->task->id, code, e);
		}
		json_decref(facts[i].json);
	}
	return rc;
}

/* --- confirmation --- */

static void confirmed(void *ctx, uint64_t job, struct gk_verdict *verdict)
{
	struct contest *contest = ctx;

	(void)job;
	contest->came.verdict = *verdict;
	contest->came.has_verdict = true;
	*verdict = (struct gk_verdict){0};
}

static int submit_next(struct contest *contest, struct gk_err *e)
{
	struct engine *engine = contest->engine;
	const struct gk_attempt *attempt = &contest->ranked.items[contest->next];
	gk_arena_auto arena = {0};
	char *source;
	size_t size;

	if (gk_store_blob_get(engine->store, attempt->code_hash, &arena, &source, &size, e) < 0)
		return -1;
	contest->is_out = true;
	track_of(contest, attempt)->doing = DOING_JUDGE;
	engine->judgings_out++;
	engine->options->judging->submit(engine->evaluator, contest->task, source, size, confirmed, contest);
	engine_show(track_of(contest, attempt), NULL, "confirming");
	return 0;
}

/* Beyond the noise of both, two measurements of one kernel should agree. */
static bool is_elsewhere(const struct gk_speedup *a, const struct gk_speedup *b)
{
	return a->low * (1 - a->floor) > b->high * (1 + b->floor);
}

/* The confirmed figure is the one that counts; when it is another than the first, the verdict says so. */
static void compare_speedups(const struct gk_speedup *first, struct gk_verdict *confirmed)
{
	const struct gk_speedup *again = &confirmed->speedup;
	char note[256];

	if (!first->measured)
		return;
	if (!again->measured)
		snprintf(note, sizeof note, "speedup %.3f (%.3f to %.3f) at first; not measured when it was confirmed",
		         first->mean, first->low, first->high);
	else if (is_elsewhere(first, again) || is_elsewhere(again, first))
		snprintf(note, sizeof note,
		         "speedup %.3f (%.3f to %.3f) at first, %.3f (%.3f to %.3f) when it was confirmed in fresh "
		         "processes: the intervals do not overlap",
		         first->mean, first->low, first->high, again->mean, again->low, again->high);
	else
		return;
	if (!confirmed->notes)
		confirmed->notes = json_array();
	json_array_append_new(confirmed->notes, json_string(note));
}

static int write_fact(struct contest *contest, const char *name, struct gk_err *e)
{
	const struct gk_attempt *attempt = &contest->ranked.items[contest->next];
	struct track *track = track_of(contest, attempt);
	gk_json_auto *fact = json_pack("{s:s, s:i, s:i, s:i, s:s, s:o}", "task", contest->task->id, "trajectory",
	                               track->row.number, "attempt", attempt->number, "step", attempt->step, "code",
	                               attempt->code_hash, "verdict", gk_verdict_to_json(&contest->came.verdict));
	struct gk_store *store = contest->engine->store;
	int64_t id;

	if (!fact)
		return gk_err_set(e, GK_ERR_INTERNAL, "a verdict that is no JSON");
	if (gk_store_begin(store, e) < 0)
		return -1;
	if (gk_store_verdict_add(store, track->row.id, attempt->step, "confirm", attempt->code_hash,
	                         contest->engine->options->build, &contest->came.verdict, &id, e) < 0 ||
	    gk_store_fact_add(store, name, fact, e) < 0) {
		gk_store_rollback(store);
		return -1;
	}
	return gk_store_commit(store, e);
}

static int on_infra(struct contest *contest)
{
	struct gk_err *why = &contest->engine->suspended;

	if (++contest->infra < MAX_INFRA)
		return 0;
	gk_err_set(why, GK_ERR_SYSTEM, "the winner of %s could not be judged again: %s", contest->task->id,
	           contest->came.verdict.message);
	contest->next = contest->ranked.count; /* for this time */
	return 0;
}

static int decide(struct contest *contest, struct gk_err *e)
{
	const struct gk_verdict *verdict = &contest->came.verdict;
	const struct gk_attempt *attempt = &contest->ranked.items[contest->next];

	if (verdict->outcome == GK_INFRA)
		return on_infra(contest);
	contest->infra = 0;
	if (verdict->outcome == GK_PASS && verdict->exec) {
		compare_speedups(&attempt->speedup, &contest->came.verdict);
		if (write_fact(contest, "winner", e) < 0)
			return -1;
		engine_show(track_of(contest, attempt), NULL, "confirmed");
		contest->next = contest->ranked.count;
		return write_best(contest->engine, contest->task->id, attempt->code_hash, e);
	}
	engine_show(track_of(contest, attempt), NULL, "refuted");
	if (write_fact(contest, "refuted", e) < 0)
		return -1;
	contest->next++;
	return 0;
}

static int step(struct contest *contest, struct gk_err *e)
{
	struct engine *engine = contest->engine;

	if (contest->came.has_verdict) {
		contest->is_out = false;
		track_of(contest, &contest->ranked.items[contest->next])->doing = DOING_NOTHING;
		engine->judgings_out--;
		if (decide(contest, e) < 0)
			return -1;
		completion_release(&contest->came);
	}
	if (!contest->is_out && contest->next < contest->ranked.count && engine->judgings_out < engine->judging_slots)
		return submit_next(contest, e);
	return 0;
}

static int run_contests(struct engine *engine, struct contest *contests, size_t count, enum gk_run_end *end,
                        struct gk_err *e)
{
	for (;;) {
		for (size_t i = 0; i < count; i++)
			if (step(&contests[i], e) < 0)
				return -1;
		if (engine->judgings_out == 0)
			break;
		if (engine_is_interrupted(engine)) {
			*end = GK_RUN_INTERRUPTED;
			return 0;
		}
		engine->ticks++;
		gk_loop_turn(engine->options->loop, true);
	}
	if (engine->suspended.kind != GK_ERR_NONE)
		*end = GK_RUN_SUSPENDED;
	return 0;
}

static int prepare(struct engine *engine, struct contest *contest, const struct gk_task *task, bool *has_work,
                   struct gk_err *e)
{
	bool stands;

	contest->engine = engine;
	contest->task = task;
	if (restore_winner(contest, &stands, e) < 0)
		return -1;
	if (stands)
		return 0;
	rank(contest);
	if (drop_refuted(contest, e) < 0)
		return -1;
	*has_work |= contest->ranked.count > 0;
	return 0;
}

int engine_confirm_winners(struct engine *engine, enum gk_run_end *end, struct gk_err *e)
{
	const struct gk_run_options *options = engine->options;
	struct contest *contests = gk_alloc_array(options->task_count, sizeof *contests);
	bool has_work = false;
	int rc = 0;

	engine->asks_out = engine->judgings_out = 0;
	engine->suspended = (struct gk_err){0};
	for (size_t i = 0; i < options->task_count && rc == 0; i++)
		rc = prepare(engine, &contests[i], options->tasks[i], &has_work, e);
	if (rc == 0 && has_work)
		rc = engine_judging_open(engine, JUDGE_WINNERS, e);
	if (rc == 0 && has_work)
		rc = run_contests(engine, contests, options->task_count, end, e);
	if (engine->evaluator)
		options->judging->close(engine->evaluator); /* before what its callbacks would write to */
	engine->evaluator = NULL;
	for (size_t i = 0; i < options->task_count; i++) {
		gk_vec_release(&contests[i].ranked);
		completion_release(&contests[i].came);
	}
	free(contests);
	return rc;
}
