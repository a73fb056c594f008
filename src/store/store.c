/*
 * Who may have the journal open: one process that writes, any number that
 * read. The writer holds a flock on FOLDER/lock for as long as it lives (the
 * kernel drops it when the process dies, however it dies); the file's text
 * names the process, for the message of the one who comes second.
 *
 * On a local file system the journal is in WAL mode, so readers and the writer
 * do not meet. WAL needs shared memory between processes, which network file
 * systems do not give: there it is a rollback journal with exclusive locking,
 * and readers have to wait until the run ends. The writer leaves a plain file
 * without companions when it closes, so that an archived, read-only folder can
 * be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "sql.h"

#define BUSY_MS 5000

static bool is_network_file_system(const char *folder)
{
	/* nfs, smb, smb2, cifs, lustre, gpfs, ceph, afs, 9p, fuse (sshfs and the like), beegfs, ocfs2, gfs2 */
	static const unsigned long kinds[] = {0x6969,     0x517b,     0xfe534d42, 0xff534d42, 0x0bd00bd0,
	                                      0x47504653, 0x00c36400, 0x5346414f, 0x01021997, 0x65735546,
	                                      0x19830326, 0x7461636f, 0x01161970};
	struct statfs fs;

	if (statfs(folder, &fs) < 0)
		return true; /* the careful choice */
	for (size_t i = 0; i < gk_count_of(kinds); i++)
		if ((unsigned long)fs.f_type == kinds[i])
			return true;
	return false;
}

static char *path_in(const char *folder, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		gk_bug("asprintf");
	return path;
}

bool gk_store_exists(const char *folder)
{
	gk_free_auto char *path = path_in(folder, "journal.sqlite");

	return gk_path_exists(path);
}

static struct gk_store *store_new(const char *folder)
{
	struct gk_store *store = gk_alloc(sizeof *store);

	store->folder = gk_strdup(folder);
	store->path = path_in(folder, "journal.sqlite");
	store->lock = -1;
	return store;
}

const char *gk_store_folder(const struct gk_store *store)
{
	return store->folder;
}

static int lock_is_taken(const char *folder, int fd, struct gk_err *e)
{
	char owner[128] = "";
	ssize_t n = pread(fd, owner, sizeof owner - 1, 0);

	owner[n > 0 ? n : 0] = '\0';
	owner[strcspn(owner, "\n")] = '\0';
	return gk_err_set(e, GK_ERR_INPUT, "%s is in use by another geak (%s): wait for it or end it", folder,
	                  owner[0] ? owner : "unknown process");
}

static int take_lock(struct gk_store *store, struct gk_err *e)
{
	gk_free_auto char *path = path_in(store->folder, "lock");
	gk_fd_auto fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	char host[64] = "", owner[128];

	if (fd < 0)
		return gk_err_errno(e, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? lock_is_taken(store->folder, fd, e) : gk_err_errno(e, "%s", path);
	gethostname(host, sizeof host - 1);
	snprintf(owner, sizeof owner, "process %d on %s\n", (int)getpid(), host);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, owner, strlen(owner), 0) < 0)
		return gk_err_errno(e, "%s", path);
	store->lock = gk_fd_steal(&fd);
	return 0;
}

static int open_db(struct gk_store *store, const char *name, int flags, struct gk_err *e)
{
	if (sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_URI, NULL) != SQLITE_OK)
		return sql_fail(store, e);
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL); /* a damaged file is foreign input */
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return 0;
}

static int set_modes(struct gk_store *store, struct gk_err *e)
{
	if (is_network_file_system(store->folder)) {
		if (sql_script(store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE", e) < 0)
			return -1;
	} else if (sql_script(store, "PRAGMA journal_mode = WAL", e) < 0) {
		return -1;
	}
	return sql_script(store, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", e);
}

static struct gk_store *open_failed(struct gk_store *store)
{
	gk_store_close(store);
	return NULL;
}

/* The secret in it decides what candidates are judged with: nobody else's eyes. */
static int make_private_file(const char *path, struct gk_err *e)
{
	gk_fd_auto fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? gk_err_errno(e, "%s", path) : 0;
}

struct gk_store *gk_store_create(const char *folder, struct gk_err *e)
{
	struct gk_store *store;

	if (gk_dir_make(folder, e) < 0)
		return NULL;
	store = store_new(folder);
	store->writable = true;
	if (take_lock(store, e) < 0)
		return open_failed(store);
	if (gk_path_exists(store->path)) {
		gk_err_set(e, GK_ERR_INPUT, "%s holds a run already", folder);
		return open_failed(store);
	}
	if (make_private_file(store->path, e) < 0 || open_db(store, store->path, SQLITE_OPEN_READWRITE, e) < 0 ||
	    set_modes(store, e) < 0 || schema_create(store, e) < 0)
		return open_failed(store);
	return store;
}

static int need_journal(struct gk_store *store, struct gk_err *e)
{
	if (access(store->path, F_OK) == 0)
		return 0;
	if (errno != ENOENT && errno != ENOTDIR)
		return gk_err_errno(e, "%s", store->path);
	return gk_err_set(e, GK_ERR_INPUT, "%s is not a run folder: it has no journal.sqlite", store->folder);
}

/* A process that died between making the file and its tables has left nothing that could be lost. */
static int is_stillborn(struct gk_store *store)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(store->db, "SELECT COUNT(*) FROM sqlite_schema", -1, &statement, NULL);
	int empty = rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) == 0;

	sqlite3_finalize(statement);
	return empty;
}

struct gk_store *gk_store_open(const char *folder, struct gk_err *e)
{
	struct gk_store *store = store_new(folder);

	store->writable = true;
	if (need_journal(store, e) < 0 || take_lock(store, e) < 0 ||
	    open_db(store, store->path, SQLITE_OPEN_READWRITE, e) < 0)
		return open_failed(store);
	if (is_stillborn(store)) {
		if (set_modes(store, e) < 0 || schema_create(store, e) < 0)
			return open_failed(store);
		return store;
	}
	if (schema_check(store, e) < 0 || set_modes(store, e) < 0)
		return open_failed(store);
	return store;
}

static char *immutable_name(const char *path)
{
	char *name = gk_alloc(strlen(path) * 3 + 32), *to = name;

	to += snprintf(to, 6, "file:");
	for (; *path; path++)
		if (strchr("%?#", *path))
			to += snprintf(to, 4, "%%%02X", (unsigned)(unsigned char)*path);
		else
			*to++ = *path;
	memcpy(to, "?immutable=1", 13);
	return name;
}

/* A folder that cannot be written has no room for WAL's shared memory; nobody writes there either. */
static int open_for_reading(struct gk_store *store, struct gk_err *e)
{
	if (access(store->folder, W_OK) == 0 || errno == ENOENT)
		return open_db(store, store->path, SQLITE_OPEN_READONLY, e);
	gk_free_auto char *name = immutable_name(store->path);
	return open_db(store, name, SQLITE_OPEN_READONLY, e);
}

struct gk_store *gk_store_open_read(const char *folder, struct gk_err *e)
{
	struct gk_store *store = store_new(folder);

	if (need_journal(store, e) < 0 || open_for_reading(store, e) < 0 || schema_check(store, e) < 0)
		return open_failed(store);
	return store;
}

void gk_store_close(struct gk_store *store)
{
	if (!store)
		return;
	gk_store_rollback(store);
	for (int i = 0; i < store->cached_count; i++)
		sqlite3_finalize(store->cached[i].statement);
	if (store->db && store->writable)
		sqlite3_exec(store->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	sqlite3_close(store->db);
	gk_fd_close(&store->lock);
	free(store->folder);
	free(store->path);
	free(store);
}

int gk_store_begin(struct gk_store *store, struct gk_err *e)
{
	if (store->in_transaction)
		gk_bug("a transaction within a transaction");
	if (sql_run(store, e, "BEGIN IMMEDIATE", "") < 0)
		return -1;
	store->in_transaction = true;
	return 0;
}

int gk_store_commit(struct gk_store *store, struct gk_err *e)
{
	if (sql_run(store, e, "COMMIT", "") < 0) {
		gk_store_rollback(store);
		return -1;
	}
	store->in_transaction = false;
	return 0;
}

void gk_store_rollback(struct gk_store *store)
{
	if (store->in_transaction && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	store->in_transaction = false;
}
