/* Verdicts as rows, for queries; the fold reads them from the `judged` event. */
#include "base/doc.h"
#include "base/memory.h"
#include "base/text.h"
#include "sql.h"

#define MESSAGE_MAX ((size_t)16 << 10)

/* A candidate may have a hand in what is said of it: bytes that are no text must not stop the run. */
static json_t *safe_text(const char *text)
{
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, text, strlen(text), MESSAGE_MAX, true);
	return json_stringn(gk_buf_text(&safe), safe.size);
}

static int add_case(struct gk_store *store, int64_t verdict, const struct gk_case_result *result, struct gk_err *e)
{
	gk_json_auto *json = json_pack("{s:o, s:o, s:o, s:O?}", "case", safe_text(result->case_id), "kind",
	                               safe_text(result->kind), "message", safe_text(result->message), "detail",
	                               result->detail);
	char hash[GK_HEX_SIZE];

	gk_free_auto char *text = gk_json_text(json);
	gk_hash_hex(result->case_id, strlen(result->case_id), hash);
	return sql_run(store, e, "INSERT INTO case_result(verdict, case_hash, part, outcome, json) VALUES(?, ?, ?, ?, ?)",
	               "issss", verdict, hash, result->part, gk_outcome_names[result->outcome], text);
}

static char *stages_text(const struct gk_verdict *verdict)
{
	gk_json_auto *stages = json_object();

	for (int i = 0; i < GK_STAGE_COUNT; i++)
		json_object_set_new(stages, gk_stage_names[i], json_real(verdict->stages_ms[i]));
	return gk_json_text(stages);
}

int gk_store_verdict_add(struct gk_store *store, int64_t trajectory, int step, const char *purpose,
                         const char *candidate_hash, const char *judge_build, const struct gk_verdict *verdict,
                         int64_t *id, struct gk_err *e)
{
	gk_free_auto char *stages = stages_text(verdict);

	if (sql_run(store, e, "INSERT INTO verdict(traj, step, purpose, candidate_hash, plan_hash, judge_build, stage,"
	            " outcome, kind, evidence, message, stages_json) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	            "iissssssssss", trajectory, (int64_t)step, purpose, candidate_hash, verdict->plan_hash, judge_build,
	            gk_stage_names[verdict->stage], gk_outcome_names[verdict->outcome], verdict->kind,
	            gk_evidence_names[verdict->evidence], verdict->message, stages) < 0)
		return -1;
	*id = sql_id(store);
	for (size_t i = 0; i < verdict->case_count; i++)
		if (add_case(store, *id, &verdict->cases[i], e) < 0)
			return -1;
	return 0;
}
