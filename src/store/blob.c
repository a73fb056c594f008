/*
 * Bytes by their SHA-256. Up to 1 MiB they are a column; larger ones are files
 * blobs/ab/REST: written beside their place, fsynced, renamed, and only then
 * does the row say that they exist. A file without a row is harmless, and used
 * when the same bytes come again.
 */
#include <limits.h>

#include "base/file.h"
#include "base/memory.h"
#include "sql.h"

static void blob_path(const struct gk_store *store, const char *hash, char *folder, char *path, size_t size)
{
	snprintf(folder, size, "%s/blobs/%.2s", store->folder, hash);
	snprintf(path, size, "%s/blobs/%.2s/%s", store->folder, hash, hash + 2);
}

static int write_outside(struct gk_store *store, const char *hash, const void *bytes, size_t size, struct gk_err *e)
{
	char folder[PATH_MAX], path[PATH_MAX];

	blob_path(store, hash, folder, path, sizeof path);
	if (gk_path_exists(path))
		return 0;
	return gk_dir_make(folder, e) < 0 || gk_file_write(path, bytes, size, e) < 0 ? -1 : 0;
}

static int is_stored(struct gk_store *store, const char *hash, struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT 1 FROM blob WHERE hash = ?", "s", hash);

	return statement ? sql_step(store, statement, e) : -1;
}

int gk_store_blob_put(struct gk_store *store, const void *bytes, size_t size, char hash[GK_HEX_SIZE],
                      struct gk_err *e)
{
	int stored;

	if (size > GK_BLOB_MAX)
		return gk_err_set(e, GK_ERR_INPUT, "%zu bytes are too many for the journal (at most %zu)", size, GK_BLOB_MAX);
	gk_hash_hex(bytes, size, hash);
	stored = is_stored(store, hash, e);
	if (stored != 0)
		return stored < 0 ? -1 : 0;
	if (size <= GK_BLOB_INSIDE_MAX)
		return sql_run(store, e, "INSERT INTO blob(hash, bytes, body) VALUES(?, ?, ?)", "sib", hash, (int64_t)size,
		               bytes, size);
	if (write_outside(store, hash, bytes, size, e) < 0)
		return -1;
	return sql_run(store, e, "INSERT INTO blob(hash, bytes) VALUES(?, ?)", "si", hash, (int64_t)size);
}

static int read_outside(struct gk_store *store, const char *hash, struct gk_arena *arena, char **bytes, size_t *size,
                        struct gk_err *e)
{
	char folder[PATH_MAX], path[PATH_MAX];
	gk_free_auto char *read = NULL;

	blob_path(store, hash, folder, path, sizeof path);
	if (gk_file_read(path, GK_BLOB_MAX, &read, size, e) < 0)
		return -1;
	*bytes = gk_arena_copy(arena, read, *size);
	return 0;
}

static bool is_hash(const char *text)
{
	return strspn(text, "0123456789abcdef") == GK_HEX_SIZE - 1 && text[GK_HEX_SIZE - 1] == '\0';
}

int gk_store_blob_get(struct gk_store *store, const char *hash, struct gk_arena *arena, char **bytes, size_t *size,
                      struct gk_err *e)
{
	sql_auto *statement = sql_query(store, e, "SELECT body FROM blob WHERE hash = ?", "s", hash);
	int rc = statement ? sql_step(store, statement, e) : -1;
	char check[GK_HEX_SIZE];

	if (rc < 0)
		return -1;
	if (rc == 0 || !is_hash(hash))
		return sql_damaged(store, e, "the text %.16s is not there", hash);
	if (sqlite3_column_type(statement, 0) == SQLITE_NULL) {
		if (read_outside(store, hash, arena, bytes, size, e) < 0)
			return -1;
	} else {
		*size = (size_t)sqlite3_column_bytes(statement, 0);
		*bytes = gk_arena_copy(arena, sqlite3_column_blob(statement, 0), *size);
	}
	gk_hash_hex(*bytes, *size, check);
	return strcmp(check, hash) == 0 ? 0 : sql_damaged(store, e, "the text %.16s has changed", hash);
}
