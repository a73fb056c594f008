/* `geak report --json` (docs/report.md). */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "view/story.h"

static json_t *run_json(const struct gk_story *story)
{
	char created[32];

	gk_wall_text(story->run.created_ns, created, sizeof created);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "folder", story->folder, "suite", story->suite, "model",
	                 story->model, "recipe", story->recipe, "target", story->target, "geak", story->run.geak, "created",
	                 created, "finished", (int)story->finished);
}

/* Timed cases as the verdict has them (docs/verdict.md). */
static json_t *cases_json(const struct gk_verdict *verdict)
{
	json_t *cases = json_array();

	for (size_t i = 0; i < verdict->case_count; i++) {
		const struct gk_case_result *result = &verdict->cases[i];

		if (strcmp(result->part, "perf") == 0)
			json_array_append_new(cases, json_pack("{s:s, s:O?}", "case", result->case_id, "detail", result->detail));
	}
	return cases;
}

static json_t *speedup_json(const struct gk_story_task *task)
{
	const struct gk_speedup *speedup = &task->confirmed.speedup;

	if (!task->winner || !speedup->measured)
		return json_null();
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:b, s:o}", "mean", speedup->mean, "geomean", speedup->geomean,
	                 "worst", speedup->worst, "low", speedup->low, "high", speedup->high, "floor", speedup->floor,
	                 "within_noise", (int)speedup->within_noise, "cases", cases_json(&task->confirmed));
}

static json_t *winner_json(const struct gk_story_task *task)
{
	if (!task->winner)
		return json_null();
	return json_pack("{s:i, s:i, s:s, s:s, s:b}", "trajectory", task->winner_number, "attempt", task->winner_attempt,
	                 "code", task->winner, "evidence", gk_evidence_names[task->confirmed.evidence], "compiled",
	                 (int)task->confirmed.compiled);
}

static json_t *task_json(const struct gk_story_task *task)
{
	return json_pack("{s:s, s:I, s:b, s:b, s:o, s:o}", "task", task->id, "attempts", (json_int_t)task->attempts, "call",
	                 (int)task->call, "exec", (int)task->exec, "speedup", speedup_json(task), "winner", winner_json(task));
}

static json_t *number_or_null(double number)
{
	return isfinite(number) ? json_real(number) : json_null();
}

/* By kind of evidence; a kind that no winner was measured with is left out. */
static json_t *speeds_json(const struct gk_story *story)
{
	json_t *speeds = json_object();
	struct gk_story_speed speed;

	for (int i = GK_SIMULATED; i <= GK_CONTAINED; i++) {
		gk_story_speed(story, (enum gk_evidence)i, &speed);
		if (speed.measured)
			json_object_set_new(speeds, gk_evidence_names[i],
			                    json_pack("{s:f, s:I, s:I, s:o}", "mean", speed.mean, "measured",
			                              (json_int_t)speed.measured, "within_noise", (json_int_t)speed.within_noise,
			                              "over_all", number_or_null(speed.over_all)));
	}
	if (json_object_size(speeds))
		return speeds;
	json_decref(speeds);
	return json_null();
}

/* For k = 1, 2, ..; empty while some task has no trajectory that stopped. */
static json_t *passes_json(const struct gk_story *story)
{
	json_t *passes = json_array();
	size_t most = gk_story_pass_most(story);

	for (size_t k = 1; k <= most; k++)
		json_array_append_new(passes, json_real(gk_story_pass(story, k)));
	return passes;
}

static json_t *totals_json(const struct gk_story *story)
{
	double call, exec;

	gk_story_totals(story, &call, &exec);
	return json_pack("{s:f, s:f, s:o, s:o}", "call_accuracy", call, "exec_accuracy", exec, "speedup", speeds_json(story),
	                 "pass_at", passes_json(story));
}

static json_t *ledger_json(const struct gk_store_ledger *ledger)
{
	bool is_known = ledger->cost_nano_usd > 0 || ledger->unpriced == 0;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I}", "requests", (json_int_t)ledger->requests, "sends",
	                 (json_int_t)ledger->sends, "lost", (json_int_t)ledger->lost, "prompt_tokens",
	                 (json_int_t)ledger->prompt_tokens, "cached_tokens", (json_int_t)ledger->cached_tokens,
	                 "completion_tokens", (json_int_t)ledger->completion_tokens, "cost_usd",
	                 is_known ? json_real((double)ledger->cost_nano_usd / 1e9) : json_null(), "unpriced",
	                 (json_int_t)ledger->unpriced);
}

json_t *gk_story_json(const struct gk_story *story)
{
	json_t *tasks = json_array();

	for (size_t i = 0; i < story->task_count; i++)
		json_array_append_new(tasks, task_json(&story->tasks[i]));
	return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o}", "schema_version", 1, "device",
	                 gk_peers_device(story->peers), "containment", gk_peers_containment(story->peers), "run", run_json(story), "tasks", tasks, "totals",
	                 totals_json(story), "ledger", ledger_json(&story->ledger));
}
