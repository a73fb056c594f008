#include "redteam.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/record.h"
#include "evaluator.h"

struct asked {
	struct gk_redteam *team;
	struct gk_redteam_outcome *outcome;
};

static void tell(struct gk_redteam *team, const struct gk_redteam_outcome *outcome)
{
	team->done++;
	if (team->told)
		team->told(team->ctx, outcome, team->done, team->count);
}

static void judged(void *ctx, uint64_t id, struct gk_verdict *verdict)
{
	struct asked *asked = ctx;
	struct gk_redteam_outcome *o = asked->outcome;

	(void)id;
	o->stage = verdict->stage;
	o->outcome = verdict->outcome;
	o->kind = gk_arena_string(&asked->team->arena, verdict->kind);
	o->message = gk_arena_string(&asked->team->arena, verdict->message);
	o->is_ours = verdict->outcome == GK_INFRA;
	for (size_t i = 0; i < GK_STAGE_COUNT; i++)
		o->ms += verdict->stages_ms[i];
	o->state = gk_fixture_expects(o->fixture, asked->team->on_gpu, verdict) ? GK_REDTEAM_EXPECTED
	                                                                        : GK_REDTEAM_SURPRISE;
	gk_verdict_release(verdict);
	tell(asked->team, o);
}

static bool is_chosen(const struct gk_redteam *team, const struct gk_fixture *fixture)
{
	bool is_named = team->only_count == 0;

	for (size_t i = 0; i < team->only_count; i++)
		is_named |= strcmp(team->only[i], fixture->id) == 0;
	return is_named && (!team->group || strcmp(team->group, fixture->group) == 0);
}

static bool can_be_tried(const struct gk_redteam *team, const struct gk_fixture *fixture)
{
	return fixture->needs == GK_NEEDS_CPU || (fixture->needs == GK_NEEDS_GPU && team->on_gpu) ||
	       (fixture->needs == GK_NEEDS_CONTAINED && team->has_contained);
}

static void choose(struct gk_redteam *team)
{
	const struct gk_fixtures *all = team->fixtures;

	team->outcomes = gk_arena_array(&team->arena, all->count + 1, sizeof *team->outcomes);
	for (size_t i = 0; i < all->count; i++)
		if (is_chosen(team, &all->items[i]))
			team->outcomes[team->count++] =
				(struct gk_redteam_outcome){.fixture = &all->items[i],
			                                    .state = GK_REDTEAM_OPEN,
			                                    .kind = "",
			                                    .message = ""};
}

static void submit(struct gk_redteam *team, struct gk_redteam_outcome *outcome)
{
	struct asked *asked = gk_arena_array(&team->arena, 1, sizeof *asked);
	const struct gk_fixture *f = outcome->fixture;

	*asked = (struct asked){team, outcome};
	if (can_be_tried(team, f)) {
		gk_evaluator_submit(team->evaluator, f->task, f->source, f->size, judged, asked);
	} else {
		outcome->state = GK_REDTEAM_SKIPPED;
		tell(team, outcome);
	}
}

static bool is_waiting(const void *ctx)
{
	const struct gk_redteam *team = ctx;

	return team->done < team->count;
}

int gk_redteam_run(struct gk_redteam *team, struct gk_err *e)
{
	choose(team);
	if (team->count < (team->only_count ? team->only_count : 1))
		return gk_err_set(e, GK_ERR_INPUT,
		                  "%zu of the fixtures that were asked for are there; geak redteam --list "
		                  "names them all",
		                  team->count);
	team->started_ns = gk_clock_ns();
	for (size_t i = 0; i < team->count; i++)
		submit(team, &team->outcomes[i]);
	if (gk_loop_while(team->loop, is_waiting, team, e) < 0)
		return gk_err_context(e, "%zu of %zu fixtures judged", team->done, team->count);
	return 0;
}

void gk_redteam_release(struct gk_redteam *team)
{
	gk_arena_release(&team->arena);
}

/* ---- what came of it ---- */

struct gk_redteam_count gk_redteam_count(const struct gk_redteam *team, const char *group)
{
	struct gk_redteam_count n = {0, 0, 0};

	for (size_t i = 0; i < team->count; i++) {
		const struct gk_redteam_outcome *o = &team->outcomes[i];

		if (group ? strcmp(group, o->fixture->group) != 0 : o->fixture->is_honest)
			continue;
		n.skipped += o->state == GK_REDTEAM_SKIPPED;
		n.tried += o->state == GK_REDTEAM_EXPECTED || o->state == GK_REDTEAM_SURPRISE;
		n.expected += o->state == GK_REDTEAM_EXPECTED;
	}
	return n;
}

bool gk_redteam_is_clean(const struct gk_redteam *team)
{
	for (size_t i = 0; i < team->count; i++)
		if (team->outcomes[i].state == GK_REDTEAM_SURPRISE)
			return false;
	return true;
}

static json_t *outcome_json(const struct gk_redteam *team, const struct gk_redteam_outcome *o)
{
	static const char *const states[] = {"expected", "surprise", "skipped", "open"};
	bool is_known = o->state == GK_REDTEAM_EXPECTED || o->state == GK_REDTEAM_SURPRISE;

	return json_pack(
		"{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s?, s:s?, s:s, s:s, s:f}", "id", o->fixture->id, "group",
		o->fixture->group, "entry", o->fixture->entry, "defence", o->fixture->defence, "state",
		states[o->state], "expected", gk_fixture_expectation(o->fixture, team->on_gpu), "stage",
		is_known ? gk_stage_names[o->stage] : NULL, "outcome",
		is_known ? gk_outcome_names[o->outcome] : NULL, "kind", o->kind, "message", o->message, "ms",
		o->ms);
}

static json_t *groups_json(const struct gk_redteam *team)
{
	json_t *groups = json_object();

	for (size_t i = 0; i < team->count; i++) {
		const char *group = team->outcomes[i].fixture->group;
		struct gk_redteam_count n = gk_redteam_count(team, group);

		if (!json_object_get(groups, group))
			json_object_set_new(groups, group,
			                    json_pack("{s:I, s:I, s:I}", "tried", (json_int_t)n.tried,
			                              "expected", (json_int_t)n.expected, "skipped",
			                              (json_int_t)n.skipped));
	}
	return groups;
}

/* Of the fixtures that are there, whether they were tried or not. */
static json_t *catalogue_json(const struct gk_fixtures *all)
{
	return json_pack("{s:i, s:I, s:I, s:I}", "entries", GK_CATALOGUE_ENTRIES, "covered",
	                 (json_int_t)all->entries_covered, "new", (json_int_t)all->new_count, "honest",
	                 (json_int_t)all->honest_count);
}

static void add_counts(const struct gk_redteam *team, json_t *object)
{
	struct gk_redteam_count exploits = gk_redteam_count(team, NULL),
				honest = gk_redteam_count(team, "honest");
	bool is_whole = !team->group && !team->only_count && team->done == team->count;

	json_object_set_new(object, "whole", json_boolean(is_whole));
	json_object_set_new(object, "exploits",
	                    json_pack("{s:I, s:I, s:I}", "tried", (json_int_t)exploits.tried, "caught",
	                              (json_int_t)exploits.expected, "skipped", (json_int_t)exploits.skipped));
	json_object_set_new(object, "honest",
	                    json_pack("{s:I, s:I}", "tried", (json_int_t)honest.tried, "flagged",
	                              (json_int_t)(honest.tried - honest.expected)));
	json_object_set_new(object, "catalogue", catalogue_json(team->fixtures));
	json_object_set_new(object, "groups", groups_json(team));
}

json_t *gk_redteam_json(const struct gk_redteam *team, const char *target, const char *evidence,
                        const char *containment)
{
	json_t *list = json_array(), *object;
	time_t now = time(NULL);
	char date[32] = "";
	struct tm utc;

	if (gmtime_r(&now, &utc))
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	object = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:f}", "schema_version", 1, "date", date, "build",
	                   gk_record_build(), "target", target, "evidence", evidence, "containment",
	                   containment, "seconds", (double)(gk_clock_ns() - team->started_ns) / 1e9);
	add_counts(team, object);
	for (size_t i = 0; i < team->count; i++)
		json_array_append_new(list, outcome_json(team, &team->outcomes[i]));
	json_object_set_new(object, "fixtures", list);
	return object;
}
