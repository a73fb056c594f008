/* What stands about the run as a whole: its one row, pins and facts. */
#include "base/doc.h"
#include "base/memory.h"
#include "base/vec.h"
#include "sql.h"

int gk_store_run_set(struct gk_store *store, const struct gk_store_run *run, struct gk_err *e)
{
	return sql_run(store, e, "INSERT INTO run(id, geak, config_hash, secret, replay_of, created_ns)"
	               " VALUES(1, ?, ?, ?, ?, ?)", "ssbsi", run->geak, run->config_hash, (const void *)run->secret,
	               sizeof run->secret, run->replay_of, run->created_ns);
}

int gk_store_run_get(struct gk_store *store, struct gk_arena *arena, struct gk_store_run *run, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT geak, config_hash, secret, replay_of, created_ns FROM run", "");
	int rc = statement ? sql_step(store, statement, e) : -1;

	if (rc < 0)
		return -1;
	if (rc == 0)
		return gk_err_set(e, GK_ERR_INPUT, "%s: the run never began: remove the folder, or name another with -o",
		                  store->folder);
	if (sqlite3_column_bytes(statement, 2) != sizeof run->secret)
		return sql_damaged(store, e, "the run's secret has a wrong size");
	run->geak = sql_text(arena, statement, 0);
	run->config_hash = sql_text(arena, statement, 1);
	memcpy(run->secret, sqlite3_column_blob(statement, 2), sizeof run->secret);
	run->replay_of = sql_text(arena, statement, 3);
	run->created_ns = sqlite3_column_int64(statement, 4);
	return 0;
}

bool gk_store_has_run(struct gk_store *store)
{
	struct gk_err ignored;
	sql_auto *statement = sql_query(store, &ignored, "SELECT 1 FROM run", "");

	return statement && sql_step(store, statement, &ignored) == 1;
}

int gk_store_pin_add(struct gk_store *store, const char *name, const char *hash, struct gk_err *e)
{
	return sql_run(store, e, "INSERT INTO pin(name, hash) VALUES(?, ?)", "ss", name, hash);
}

int gk_store_pins(struct gk_store *store, struct gk_arena *arena, struct gk_store_pin **pins, size_t *count,
                  struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT name, hash FROM pin ORDER BY name", "");
	struct GK_VEC(struct gk_store_pin) rows = {0};
	int rc = -1;

	while (statement && (rc = sql_step(store, statement, e)) == 1) {
		struct gk_store_pin pin = {sql_text(arena, statement, 0), sql_text(arena, statement, 1)};

		gk_vec_push(&rows, pin);
	}
	sql_move_rows(&rows, arena, pins, count);
	return rc;
}

int gk_store_fact_add(struct gk_store *store, const char *name, json_t *json, struct gk_err *e)
{
	gk_free_auto char *text = gk_json_text(json);

	return sql_run(store, e, "INSERT INTO fact(name, json) VALUES(?, ?)", "ss", name, text);
}

static int read_json(struct gk_store *store, sqlite3_stmt *statement, int column, const char *what, json_t **json,
                     struct gk_err *e)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	json_error_t why;

	*json = text ? json_loadb(text, (size_t)sqlite3_column_bytes(statement, column), JSON_REJECT_DUPLICATES, &why) : NULL;
	return *json ? 0 : sql_damaged(store, e, "%s is no JSON", what);
}

int gk_store_fact_last(struct gk_store *store, const char *name, json_t **json, struct gk_err *e)
{
	sql_auto *statement =
		sql_query(store, e, "SELECT json FROM fact WHERE name = ? ORDER BY seq DESC LIMIT 1", "s", name);
	int rc = statement ? sql_step(store, statement, e) : -1;

	*json = NULL;
	return rc <= 0 ? rc : read_json(store, statement, 0, name, json, e);
}

int gk_store_facts(struct gk_store *store, const char *name, struct gk_arena *arena, struct gk_store_fact **facts,
                   size_t *count, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT seq, json FROM fact WHERE name = ? ORDER BY seq", "s", name);
	struct GK_VEC(struct gk_store_fact) rows = {0};
	int rc = -1;

	while (statement && (rc = sql_step(store, statement, e)) == 1) {
		struct gk_store_fact fact = {sqlite3_column_int64(statement, 0), gk_arena_string(arena, name), NULL};

		rc = read_json(store, statement, 1, name, &fact.json, e);
		if (rc < 0)
			break;
		gk_vec_push(&rows, fact);
	}
	for (size_t i = 0; rc < 0 && i < rows.count; i++)
		json_decref(rows.items[i].json);
	sql_move_rows(&rows, arena, facts, count);
	return rc;
}
