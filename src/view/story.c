/* The events once more, folded for the eye instead of for the agent. */
#include "view/story.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/memory.h"
#include "base/vec.h"
#include "stat/pass.h"

/* One trajectory while its events pass by. */
struct reading {
	struct gk_story *story;
	struct gk_story_line *line;
	struct GK_VEC(struct gk_story_attempt) attempts;
	const char *prompt, *answer, *plan; /* of what is under way */
};

static const char *text_of(struct gk_story *story, const json_t *object, const char *key)
{
	return gk_arena_string(&story->arena, json_string_value(json_object_get(object, key)));
}

static bool is_role(const struct gk_event *event, const char *role)
{
	const char *value = json_string_value(json_object_get(event->body, "role"));

	return value && strcmp(value, role) == 0;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void on_candidate(struct reading *reading, const struct gk_event *event)
{
	struct gk_story *story = reading->story;
	struct gk_story_attempt attempt = {
		.number = (int)reading->attempts.count + 1,
		.strategy = or_empty(text_of(story, event->body, "strategy")),
		.prompt = reading->prompt,
		.answer = reading->answer,
		.code = text_of(story, event->body, "code"),
		.problem = or_empty(text_of(story, event->body, "problem")),
		.plan = reading->plan,
	};

	gk_vec_push(&reading->attempts, attempt);
	reading->prompt = reading->answer = reading->plan = NULL;
}

static void on_parsed(struct reading *reading, const struct gk_event *event)
{
	if (is_role(event, "generator"))
		on_candidate(reading, event);
	else if (is_role(event, "optimizer"))
		reading->plan = text_of(reading->story, event->body, "text");
	else if (reading->attempts.count)
		gk_vec_last(&reading->attempts).reflection = text_of(reading->story, event->body, "text");
}

static int on_judged(struct reading *reading, const struct gk_event *event, struct gk_err *e)
{
	struct gk_story_attempt *attempt;

	if (reading->attempts.count == 0)
		return gk_err_set(e, GK_ERR_SYSTEM, "event %lld judges what was not written", (long long)event->seq);
	attempt = &gk_vec_last(&reading->attempts);
	if (attempt->judged)
		gk_verdict_release(&attempt->verdict);
	attempt->judged = false;
	if (gk_verdict_from_json(json_object_get(event->body, "verdict"), &attempt->verdict, e) < 0)
		return gk_err_context(e, "event %lld", (long long)event->seq);
	attempt->judged = true;
	return 0;
}

static int read_event(void *ctx, const struct gk_event *event, struct gk_err *e)
{
	struct reading *reading = ctx;

	switch (event->kind) {
	case GK_EVENT_STARTED:
		reading->line->started = true;
		break;
	case GK_EVENT_ASKED:
		if (is_role(event, "generator"))
			reading->prompt = text_of(reading->story, event->body, "prompt");
		break;
	case GK_EVENT_ANSWERED:
		if (is_role(event, "generator"))
			reading->answer = text_of(reading->story, event->body, "answer");
		break;
	case GK_EVENT_PARSED:
		on_parsed(reading, event);
		break;
	case GK_EVENT_JUDGED:
		return on_judged(reading, event, e);
	case GK_EVENT_STOPPED:
		reading->line->stopped = true;
		reading->line->stop_reason = or_empty(text_of(reading->story, event->body, "reason"));
		reading->line->stop_message = or_empty(text_of(reading->story, event->body, "message"));
		break;
	default:
		break;
	}
	return 0;
}

static int read_line(struct gk_store *store, struct gk_story *story, struct gk_story_line *line, struct gk_err *e)
{
	struct reading reading = {.story = story, .line = line};
	int rc = gk_store_events(store, line->row.id, read_event, &reading, e);

	line->attempt_count = reading.attempts.count;
	line->attempts = gk_arena_array(&story->arena, line->attempt_count, sizeof *line->attempts);
	if (line->attempt_count)
		memcpy(line->attempts, reading.attempts.items, line->attempt_count * sizeof *line->attempts);
	gk_vec_release(&reading.attempts);
	story->attempts += line->attempt_count;
	if (line->attempt_count > story->most_attempts)
		story->most_attempts = line->attempt_count;
	return rc;
}

static int read_lines(struct gk_store *store, struct gk_story *story, struct gk_err *e)
{
	struct gk_store_trajectory *rows;
	size_t count;

	if (gk_store_trajectories(store, &story->arena, &rows, &count, e) < 0)
		return -1;
	story->lines = gk_arena_array(&story->arena, count, sizeof *story->lines);
	for (size_t i = 0; i < count; i++) {
		story->lines[i].row = rows[i];
		story->line_count = i + 1;
		if (read_line(store, story, &story->lines[i], e) < 0)
			return -1;
	}
	return 0;
}

/* --- by task --- */

static struct gk_story_task *task_of(struct gk_story *story, const char *id)
{
	struct gk_story_task *task;

	for (size_t i = 0; i < story->task_count; i++)
		if (strcmp(story->tasks[i].id, id) == 0)
			return &story->tasks[i];
	task = &story->tasks[story->task_count++];
	task->id = task->title = id;
	task->lines = gk_arena_array(&story->arena, story->line_count, sizeof(struct gk_story_line *));
	return task;
}

static void read_titles(struct gk_story *story)
{
	const json_t *rows = json_object_get(story->config, "tasks");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const char *id = text_of(story, json_array_get(rows, i), "id");
		const char *title = text_of(story, json_array_get(rows, i), "title");

		for (size_t k = 0; id && title && k < story->task_count; k++)
			if (strcmp(story->tasks[k].id, id) == 0)
				story->tasks[k].title = title;
	}
}

static void sort_into_tasks(struct gk_story *story)
{
	story->tasks = gk_arena_array(&story->arena, story->line_count, sizeof *story->tasks);
	for (size_t i = 0; i < story->line_count; i++) {
		struct gk_story_line *line = &story->lines[i];
		struct gk_story_task *task = task_of(story, line->row.task);

		task->lines[task->line_count++] = line;
		task->attempts += line->attempt_count;
	}
	read_titles(story);
}

/* --- winners --- */

static bool is_refuted(const struct gk_store_fact *facts, size_t count, const char *task, const char *code)
{
	for (size_t i = 0; i < count; i++) {
		const char *of = json_string_value(json_object_get(facts[i].json, "task"));
		const char *hash = json_string_value(json_object_get(facts[i].json, "code"));

		if (of && hash && strcmp(of, task) == 0 && strcmp(hash, code) == 0)
			return true;
	}
	return false;
}

static void count_success(struct gk_story_task *task, const struct gk_store_fact *refuted, size_t count)
{
	for (size_t i = 0; i < task->line_count; i++)
		for (size_t k = 0; k < task->lines[i]->attempt_count; k++) {
			const struct gk_story_attempt *attempt = &task->lines[i]->attempts[k];

			if (!attempt->judged || !attempt->code)
				continue;
			task->call |= attempt->verdict.call;
			if (attempt->verdict.exec && !is_refuted(refuted, count, task->id, attempt->code))
				task->exec = task->lines[i]->exec = true;
		}
	for (size_t i = 0; i < count; i++) {
		const char *of = json_string_value(json_object_get(refuted[i].json, "task"));

		task->refuted += of && strcmp(of, task->id) == 0;
	}
}

static int take_winner(struct gk_story *story, const json_t *fact, struct gk_err *e)
{
	const char *id = json_string_value(json_object_get(fact, "task"));

	for (size_t i = 0; id && i < story->task_count; i++) {
		struct gk_story_task *task = &story->tasks[i];

		if (strcmp(task->id, id) != 0 || task->winner)
			continue;
		if (gk_verdict_from_json(json_object_get(fact, "verdict"), &task->confirmed, e) < 0)
			return gk_err_context(e, "the winner of %s", id);
		task->winner = or_empty(text_of(story, fact, "code"));
		task->winner_number = (int)json_integer_value(json_object_get(fact, "trajectory"));
		task->winner_attempt = (int)json_integer_value(json_object_get(fact, "attempt"));
	}
	return 0;
}

static void drop_facts(struct gk_store_fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_decref(facts[i].json);
}

static int read_winners(struct gk_store *store, struct gk_story *story, struct gk_err *e)
{
	struct gk_store_fact *winners, *refuted;
	size_t winner_count, refuted_count;
	int rc = 0;

	if (gk_store_facts(store, "refuted", &story->arena, &refuted, &refuted_count, e) < 0)
		return -1;
	for (size_t i = 0; i < story->task_count; i++)
		count_success(&story->tasks[i], refuted, refuted_count);
	drop_facts(refuted, refuted_count);
	if (gk_store_facts(store, "winner", &story->arena, &winners, &winner_count, e) < 0)
		return -1;
	for (size_t i = 0; i < winner_count && rc == 0; i++)
		rc = take_winner(story, winners[i].json, e);
	drop_facts(winners, winner_count);
	return rc;
}

static bool is_finished(const struct gk_story *story)
{
	for (size_t i = 0; i < story->line_count; i++)
		if (!story->lines[i].stopped)
			return false;
	for (size_t i = 0; i < story->task_count; i++)
		if (story->tasks[i].exec && !story->tasks[i].winner)
			return false;
	return story->line_count > 0;
}

/* How candidates are kept in is told beside what the processes say. */
static int read_peers(struct gk_store *store, struct gk_story *story, struct gk_err *e)
{
	gk_json_auto *containment = NULL;

	if (gk_store_fact_last(store, "peers", &story->peers, e) < 0 ||
	    gk_store_fact_last(store, "containment", &containment, e) < 0)
		return -1;
	if (containment && !story->peers)
		story->peers = json_object();
	if (containment)
		json_object_set(story->peers, "containment", containment);
	return 0;
}

static int read_all(struct gk_store *store, struct gk_story *story, struct gk_err *e)
{
	if (gk_store_run_get(store, &story->arena, &story->run, e) < 0 ||
	    gk_store_fact_last(store, "config", &story->config, e) < 0 ||
	    read_peers(store, story, e) < 0 ||
	    gk_store_ledger(store, &story->ledger, e) < 0 || read_lines(store, story, e) < 0)
		return -1;
	story->folder = gk_arena_string(&story->arena, gk_store_folder(store));
	story->suite = or_empty(text_of(story, story->config, "suite"));
	story->model = or_empty(text_of(story, story->config, "model"));
	story->target = or_empty(text_of(story, story->config, "target"));
	story->recipe = or_empty(text_of(story, json_object_get(story->config, "recipe"), "name"));
	sort_into_tasks(story);
	if (read_winners(store, story, e) < 0)
		return -1;
	story->finished = is_finished(story);
	return 0;
}

int gk_story_read(struct gk_store *store, struct gk_story *story, struct gk_err *e)
{
	*story = (struct gk_story){0};
	if (read_all(store, story, e) == 0)
		return 0;
	gk_story_release(story);
	return gk_err_context(e, "%s", gk_store_folder(store));
}

void gk_story_release(struct gk_story *story)
{
	for (size_t i = 0; i < story->line_count; i++)
		for (size_t k = 0; k < story->lines[i].attempt_count; k++)
			if (story->lines[i].attempts[k].judged)
				gk_verdict_release(&story->lines[i].attempts[k].verdict);
	for (size_t i = 0; i < story->task_count; i++)
		if (story->tasks[i].winner)
			gk_verdict_release(&story->tasks[i].confirmed);
	json_decref(story->config);
	json_decref(story->peers);
	gk_arena_release(&story->arena);
	*story = (struct gk_story){0};
}

const struct gk_story_line *gk_story_line_of(const struct gk_story *story, const char *task, int number)
{
	for (size_t i = 0; i < story->line_count; i++)
		if (story->lines[i].row.number == number && strcmp(story->lines[i].row.task, task) == 0)
			return &story->lines[i];
	return NULL;
}

const char *gk_story_outcome(const struct gk_story_attempt *attempt)
{
	if (!attempt->code)
		return "no code";
	if (!attempt->judged)
		return "not judged";
	return attempt->verdict.outcome == GK_PASS ? "pass" : attempt->verdict.kind;
}

void gk_story_totals(const struct gk_story *story, double *call, double *exec)
{
	double calls = 0, execs = 0;

	for (size_t i = 0; i < story->task_count; i++) {
		calls += story->tasks[i].call;
		execs += story->tasks[i].exec;
	}
	*call = story->task_count ? calls / (double)story->task_count : 0;
	*exec = story->task_count ? execs / (double)story->task_count : 0;
}

static struct gk_pass_task *pass_tasks(const struct gk_story *story)
{
	struct gk_pass_task *tasks = gk_alloc_array(story->task_count + 1, sizeof *tasks);

	for (size_t i = 0; i < story->task_count; i++)
		for (size_t k = 0; k < story->tasks[i].line_count; k++)
			if (story->tasks[i].lines[k]->stopped) {
				tasks[i].attempts++;
				tasks[i].right += story->tasks[i].lines[k]->exec;
			}
	return tasks;
}

size_t gk_story_pass_most(const struct gk_story *story)
{
	gk_free_auto struct gk_pass_task *tasks = pass_tasks(story);

	return gk_pass_most(tasks, story->task_count);
}

double gk_story_pass(const struct gk_story *story, size_t k)
{
	gk_free_auto struct gk_pass_task *tasks = pass_tasks(story);

	return gk_pass_mean(tasks, story->task_count, k, NULL);
}

/* --- speed --- */

bool gk_story_has_speed(const struct gk_verdict *verdict)
{
	const struct gk_speedup *speedup = &verdict->speedup;

	return speedup->measured && speedup->low > 0 && speedup->low <= speedup->mean && speedup->mean <= speedup->high &&
	       isfinite(speedup->high);
}

void gk_story_speed(const struct gk_story *story, enum gk_evidence evidence, struct gk_story_speed *speed)
{
	size_t winners = 0;
	double sum = 0;

	*speed = (struct gk_story_speed){0};
	for (size_t i = 0; i < story->task_count; i++) {
		const struct gk_verdict *verdict = &story->tasks[i].confirmed;

		if (!story->tasks[i].winner)
			continue;
		winners++;
		if (verdict->evidence != evidence)
			continue;
		speed->winners++;
		if (!gk_story_has_speed(verdict))
			continue;
		speed->measured++;
		speed->within_noise += verdict->speedup.within_noise;
		sum += verdict->speedup.mean;
	}
	speed->mean = speed->measured ? sum / (double)speed->measured : 0;
	speed->over_all = speed->measured == winners && winners ? sum / (double)story->task_count : NAN;
}

/* --- peers --- */

static const json_t *containment_of(const json_t *peers)
{
	const json_t *own = json_object_get(peers, "containment");

	return own ? own : json_object_get(json_object_get(peers, "zygote"), "containment");
}

const char *gk_peers_containment(const json_t *peers)
{
	const json_t *containment = containment_of(peers);
	const char *level = json_string_value(json_object_get(containment, "level"));
	const char *box = json_string_value(json_object_get(json_object_get(peers, "zygote"), "box"));

	if (!level)
		level = json_string_value(containment);
	return level ? level : box ? box : "unknown";
}

const char *gk_peers_missing(const json_t *peers)
{
	return or_empty(json_string_value(json_object_get(containment_of(peers), "missing")));
}

const char *gk_peers_device(const json_t *peers)
{
	return or_empty(json_string_value(json_object_get(json_object_get(peers, "launcher"), "kind")));
}

/* What makes times on it worth less: it is a part of a GPU, or not alone there. */
static void add_company(struct gk_buf *out, const json_t *launcher)
{
	const char *partition = json_string_value(json_object_get(launcher, "partition"));
	long long others = json_integer_value(json_object_get(launcher, "others"));

	if (partition && strcmp(partition, "none") != 0 && *partition)
		gk_buf_printf(out, ", a partition (%s)", partition);
	if (others > 0)
		gk_buf_printf(out, ", in use by %lld other %s", others, others == 1 ? "process" : "processes");
}

void gk_peers_add_words(struct gk_buf *out, const json_t *peers)
{
	const char *device = gk_peers_device(peers);
	const char *target = json_string_value(json_object_get(json_object_get(peers, "launcher"), "target"));

	if (device[0]) {
		gk_buf_printf(out, "on %s%s%s%s", device, target ? " (" : "", target ? target : "", target ? ")" : "");
		add_company(out, json_object_get(peers, "launcher"));
		gk_buf_add_text(out, ", ");
	}
	gk_buf_printf(out, "containment: %s", gk_peers_containment(peers));
	if (gk_peers_missing(peers)[0])
		gk_buf_printf(out, " (without %s)", gk_peers_missing(peers));
}
