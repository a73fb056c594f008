#include "sql.h"

#include <stdarg.h>

#include "base/memory.h"

int sql_damaged(struct gk_store *store, struct gk_err *e, const char *format, ...)
{
	char what[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	return gk_err_set(e, GK_ERR_SYSTEM, "%s is damaged (%s): restore it from a copy, or begin a new run with another -o",
	                  store->path, what);
}

int sql_fail(struct gk_store *store, struct gk_err *e)
{
	const char *path = store->path;

	switch (sqlite3_errcode(store->db) & 0xff) {
	case SQLITE_FULL:
		return gk_err_set(e, GK_ERR_SYSTEM, "%s: the disk is full; free some space and run the same command again",
		                  path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return sql_damaged(store, e, "%s", sqlite3_errmsg(store->db));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return gk_err_set(e, GK_ERR_SYSTEM, "%s is in use by another process", path);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return gk_err_set(e, GK_ERR_SYSTEM, "%s cannot be opened or written: %s", path, sqlite3_errmsg(store->db));
	default:
		return gk_err_set(e, GK_ERR_SYSTEM, "%s: %s", path, sqlite3_errmsg(store->db));
	}
}

static sqlite3_stmt *prepared(struct gk_store *store, const char *sql, struct gk_err *e)
{
	sqlite3_stmt *statement = NULL;

	for (int i = 0; i < store->cached_count; i++)
		if (store->cached[i].sql == sql)
			return store->cached[i].statement;
	if (store->cached_count == SQL_MAX_CACHED)
		gk_bug("more than %d statements", SQL_MAX_CACHED);
	if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
		sql_fail(store, e);
		return NULL;
	}
	store->cached[store->cached_count].sql = sql;
	store->cached[store->cached_count++].statement = statement;
	return statement;
}

static int bind_all(sqlite3_stmt *statement, const char *format, va_list arguments)
{
	int rc = SQLITE_OK;

	for (int i = 1; *format && rc == SQLITE_OK; i++, format++) {
		if (*format == 'i') {
			rc = sqlite3_bind_int64(statement, i, va_arg(arguments, int64_t));
		} else if (*format == 'd') {
			rc = sqlite3_bind_double(statement, i, va_arg(arguments, double));
		} else if (*format == 's') {
			rc = sqlite3_bind_text(statement, i, va_arg(arguments, const char *), -1, SQLITE_STATIC);
		} else {
			const void *bytes = va_arg(arguments, const void *);
			size_t size = va_arg(arguments, size_t);

			rc = sqlite3_bind_blob64(statement, i, size ? bytes : "", size, SQLITE_STATIC);
		}
	}
	return rc;
}

static sqlite3_stmt *query(struct gk_store *store, struct gk_err *e, const char *sql, const char *format,
                           va_list arguments)
{
	sqlite3_stmt *statement = prepared(store, sql, e);

	if (statement && bind_all(statement, format, arguments) != SQLITE_OK) {
		sql_fail(store, e);
		return NULL;
	}
	return statement;
}

sqlite3_stmt *sql_query(struct gk_store *store, struct gk_err *e, const char *sql, const char *format, ...)
{
	sqlite3_stmt *statement;
	va_list arguments;

	va_start(arguments, format);
	statement = query(store, e, sql, format, arguments);
	va_end(arguments);
	return statement;
}

int sql_step(struct gk_store *store, sqlite3_stmt *statement, struct gk_err *e)
{
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return sql_fail(store, e);
	}
}

void sql_done(sqlite3_stmt **statement)
{
	if (!*statement)
		return;
	sqlite3_reset(*statement);
	sqlite3_clear_bindings(*statement); /* borrowed memory may end now */
}

int sql_run(struct gk_store *store, struct gk_err *e, const char *sql, const char *format, ...)
{
	sql_auto *statement = NULL;
	va_list arguments;

	va_start(arguments, format);
	statement = query(store, e, sql, format, arguments);
	va_end(arguments);
	return statement && sql_step(store, statement, e) >= 0 ? 0 : -1;
}

int sql_script(struct gk_store *store, const char *sql, struct gk_err *e)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(store, e);
}

const char *sql_text(struct gk_arena *arena, sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	return text ? gk_arena_copy(arena, text, (size_t)sqlite3_column_bytes(statement, column)) : NULL;
}

int64_t sql_id(struct gk_store *store)
{
	return sqlite3_last_insert_rowid(store->db);
}
