/* Trajectories and their events: the only input of the fold. */
#include "base/doc.h"
#include "base/memory.h"
#include "base/vec.h"
#include "sql.h"

int gk_store_trajectory_add(struct gk_store *store, const char *task, const char *recipe, int number, int64_t *id,
                            struct gk_err *e)
{
	if (sql_run(store, e, "INSERT INTO trajectory(task, recipe, number) VALUES(?, ?, ?)", "ssi", task, recipe,
	            (int64_t)number) < 0)
		return -1;
	*id = sql_id(store);
	return 0;
}

int gk_store_trajectories(struct gk_store *store, struct gk_arena *arena, struct gk_store_trajectory **rows,
                          size_t *count, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT id, task, recipe, number FROM trajectory ORDER BY id", "");
	struct GK_VEC(struct gk_store_trajectory) found = {0};
	int rc = -1;

	while (statement && (rc = sql_step(store, statement, e)) == 1) {
		struct gk_store_trajectory row = {sqlite3_column_int64(statement, 0), sql_text(arena, statement, 1),
		                                  sql_text(arena, statement, 2), sqlite3_column_int(statement, 3)};

		gk_vec_push(&found, row);
	}
	sql_move_rows(&found, arena, rows, count);
	return rc;
}

int gk_store_event_add(struct gk_store *store, struct gk_event *event, int64_t ref, struct gk_err *e)
{
	gk_free_auto char *body = gk_json_text(event->body);

	if (sql_run(store, e, "INSERT INTO event(traj, step, kind, ref, body) VALUES(?, ?, ?, NULLIF(?, 0), ?)", "iisis",
	            event->trajectory, (int64_t)event->step, gk_event_names[event->kind], ref, body) < 0)
		return gk_err_context(e, "step %d of trajectory %lld", event->step, (long long)event->trajectory);
	event->seq = sql_id(store);
	return 0;
}

static int kind_of(const char *name)
{
	for (int i = 0; name && gk_event_names[i]; i++)
		if (strcmp(gk_event_names[i], name) == 0)
			return i;
	return -1;
}

static int read_event(struct gk_store *store, sqlite3_stmt *statement, struct gk_event *event, struct gk_err *e)
{
	const char *body = (const char *)sqlite3_column_text(statement, 4);
	int kind = kind_of((const char *)sqlite3_column_text(statement, 3));
	json_error_t why;

	*event = (struct gk_event){.seq = sqlite3_column_int64(statement, 0),
	                           .trajectory = sqlite3_column_int64(statement, 1),
	                           .step = sqlite3_column_int(statement, 2)};
	if (kind < 0)
		return sql_damaged(store, e, "event %lld is of no known kind", (long long)event->seq);
	event->kind = (enum gk_event_kind)kind;
	if (body)
		event->body = json_loadb(body, (size_t)sqlite3_column_bytes(statement, 4), JSON_REJECT_DUPLICATES, &why);
	if (json_is_object(event->body))
		return 0;
	json_decref(event->body);
	return sql_damaged(store, e, "the body of event %lld is no JSON object", (long long)event->seq);
}

int gk_store_events(struct gk_store *store, int64_t trajectory, gk_store_event_fn *fn, void *ctx, struct gk_err *e)
{
	sql_auto *statement =
		trajectory ? sql_query(store, e, "SELECT seq, traj, step, kind, body FROM event WHERE traj = ? ORDER BY seq",
		                       "i", trajectory)
			   : sql_query(store, e, "SELECT seq, traj, step, kind, body FROM event ORDER BY seq", "");
	int rc = -1;

	while (statement && (rc = sql_step(store, statement, e)) == 1) {
		struct gk_event event;

		if (read_event(store, statement, &event, e) < 0)
			return -1;
		rc = fn(ctx, &event, e);
		json_decref(event.body);
		if (rc < 0)
			return -1;
	}
	return rc;
}
