/* Verdicts as rows, for queries; the fold reads them from the `judged` event. */
#include <math.h>

#include "base/doc.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vec.h"
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
	gk_store_case_hash(result->case_id, hash);
	return sql_run(store, e, "INSERT INTO case_result(verdict, case_hash, part, outcome, json) VALUES(?, ?, ?, ?, ?)",
	               "issss", verdict, hash, result->part, gk_outcome_names[result->outcome], text);
}

static double number_of(const json_t *detail, const char *key)
{
	const json_t *value = json_object_get(detail, key);

	return json_is_number(value) ? json_number_value(value) : NAN; /* SQLite keeps it as NULL */
}

/* Samples go by their hash: two verdicts told from the same measurement share them. */
static int put_samples(struct gk_store *store, const json_t *samples, char hash[GK_HEX_SIZE], struct gk_err *e)
{
	gk_free_auto char *text = gk_json_text(samples);

	return gk_store_blob_put(store, text, strlen(text), hash, e);
}

static int add_timing(struct gk_store *store, int64_t verdict, const struct gk_case_result *result, struct gk_err *e)
{
	char case_hash[GK_HEX_SIZE], samples[GK_HEX_SIZE];
	bool has_figure = json_is_number(json_object_get(result->detail, "speedup"));

	if (strcmp(result->part, "perf") != 0 || (!has_figure && !result->samples))
		return 0;
	if (result->samples && put_samples(store, result->samples, samples, e) < 0)
		return -1;
	gk_store_case_hash(result->case_id, case_hash);
	return sql_run(store, e, "INSERT INTO timing(verdict, case_hash, low, mid, high, floor, samples_hash)"
	               " VALUES(?, ?, ?, ?, ?, ?, ?)", "isdddds", verdict, case_hash, number_of(result->detail, "low"),
	               number_of(result->detail, "speedup"), number_of(result->detail, "high"),
	               number_of(result->detail, "floor"), result->samples ? samples : NULL);
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
		if (add_case(store, *id, &verdict->cases[i], e) < 0 || add_timing(store, *id, &verdict->cases[i], e) < 0)
			return -1;
	return 0;
}

/* --- reading --- */

void gk_store_case_hash(const char *case_id, char hash[GK_HEX_SIZE])
{
	gk_hash_hex(case_id, strlen(case_id), hash);
}

static double real_of(sqlite3_stmt *statement, int column)
{
	return sqlite3_column_type(statement, column) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, column);
}

int gk_store_timings(struct gk_store *store, int64_t verdict, struct gk_arena *arena, struct gk_store_timing **timings,
                     size_t *count, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT case_hash, low, mid, high, floor, samples_hash FROM timing"
	                                " WHERE verdict = ? ORDER BY rowid", "i", verdict);
	struct GK_VEC(struct gk_store_timing) rows = {0};
	int rc = -1;

	while (statement && (rc = sql_step(store, statement, e)) == 1) {
		struct gk_store_timing row = {sql_text(arena, statement, 0), real_of(statement, 1), real_of(statement, 2),
		                              real_of(statement, 3), real_of(statement, 4), sql_text(arena, statement, 5)};

		gk_vec_push(&rows, row);
	}
	sql_move_rows(&rows, arena, timings, count);
	return rc;
}

int gk_store_verdict_find(struct gk_store *store, int64_t trajectory, const char *purpose, const char *candidate_hash,
                          int64_t *id, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT MAX(id) FROM verdict WHERE traj = ? AND purpose = ?"
	                                " AND candidate_hash = ?", "iss", trajectory, purpose, candidate_hash);
	int rc = statement ? sql_step(store, statement, e) : -1;

	*id = rc == 1 ? sqlite3_column_int64(statement, 0) : 0;
	return rc < 0 ? -1 : 0;
}

int gk_store_json_get(struct gk_store *store, const char *hash, json_t **json, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	json_error_t why;
	char *text;
	size_t size;

	*json = NULL;
	if (gk_store_blob_get(store, hash, &arena, &text, &size, e) < 0)
		return -1;
	*json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
	return *json ? 0 : sql_damaged(store, e, "the text %.16s is no JSON", hash);
}
