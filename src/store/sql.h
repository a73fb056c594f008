/* Inside store/ only: statements by their text, values by a format string, SQLite's failures in geak's words. */
#ifndef GK_STORE_SQL_H
#define GK_STORE_SQL_H

#include <sqlite3.h>
#include <stdbool.h>

#include "store/store.h"

#define SQL_MAX_CACHED 64

struct gk_store {
	sqlite3 *db;
	char *folder, *path;
	int lock;      /* descriptor of FOLDER/lock, or -1 */
	bool writable, in_transaction;
	struct {
		const char *sql; /* the literal's address is the key */
		sqlite3_stmt *statement;
	} cached[SQL_MAX_CACHED];
	int cached_count;
};

/* Fills e from the connection's last failure; returns -1. */
int sql_fail(struct gk_store *store, struct gk_err *e);
/* "the journal's ROW is damaged: WHY"; returns -1. */
int sql_damaged(struct gk_store *store, struct gk_err *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A statement ready to be stepped. format: i int64_t, d double, s text or NULL,
 * b const void * and size_t. Reset it with sql_done() (or sql_auto) before it is used again.
 */
sqlite3_stmt *sql_query(struct gk_store *store, struct gk_err *e, const char *sql, const char *format, ...);
int sql_step(struct gk_store *store, sqlite3_stmt *statement, struct gk_err *e); /* 1 a row, 0 the end, -1 */
void sql_done(sqlite3_stmt **statement);
#define sql_auto __attribute__((cleanup(sql_done))) sqlite3_stmt

/* A statement without rows. */
int sql_run(struct gk_store *store, struct gk_err *e, const char *sql, const char *format, ...);
/* Statements as they stand, several at once: schema and pragmas. */
int sql_script(struct gk_store *store, const char *sql, struct gk_err *e);

/* Text of a column in the arena, NULL for NULL. */
const char *sql_text(struct gk_arena *arena, sqlite3_stmt *statement, int column);
int64_t sql_id(struct gk_store *store); /* of the last row written */
/* Moves a growing array (GK_VEC) to the arena, as *out and *count. */
#define sql_move_rows(rows, arena, out, count)                                                               \
	(*(count) = (rows)->count, *(out) = gk_arena_array(arena, (rows)->count, sizeof *(rows)->items),     \
	 (rows)->count ? (void)memcpy(*(out), (rows)->items, (rows)->count * sizeof *(rows)->items) : (void)0, \
	 gk_vec_release(rows))

/* Creates or checks the tables (schema.c). */
int schema_create(struct gk_store *store, struct gk_err *e);
int schema_check(struct gk_store *store, struct gk_err *e);

#endif
