#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "buf.h"
#include "memory.h"
#include "vec.h"

#define MAX_TREE_DEPTH 128

void gk_fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int gk_fd_steal(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

static int size_of_regular_file(int fd, const char *path, size_t max_bytes, size_t *size, struct gk_err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return gk_err_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return gk_err_set(e, GK_ERR_INPUT, "%s: not a regular file", path);
	if ((size_t)st.st_size > max_bytes)
		return gk_err_set(e, GK_ERR_INPUT, "%s: %lld bytes, at most %zu are read", path,
		                  (long long)st.st_size, max_bytes);
	*size = (size_t)st.st_size;
	return 0;
}

/* A missing or forbidden file is the user's to mend, a failing disk is not. */
static int fail_open(const char *path, struct gk_err *e)
{
	int reason = errno;

	gk_err_errno(e, "%s", path);
	if (reason == ENOENT || reason == ENOTDIR || reason == EACCES || reason == EISDIR || reason == ELOOP)
		e->kind = GK_ERR_INPUT;
	return -1;
}

int gk_file_read(const char *path, size_t max_bytes, char **bytes, size_t *size, struct gk_err *e)
{
	/* Without O_NONBLOCK the open of a FIFO would wait for a writer. */
	gk_fd_auto fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t length = 0;
	char *memory;

	if (fd < 0)
		return fail_open(path, e);
	if (size_of_regular_file(fd, path, max_bytes, &length, e) < 0)
		return -1;
	memory = gk_alloc(length + 1);
	if (gk_fd_read(fd, memory, length, e) < 0) {
		free(memory);
		return gk_err_context(e, "%s", path);
	}
	*bytes = memory;
	*size = length;
	return 0;
}

int gk_fd_write(int fd, const void *bytes, size_t size, struct gk_err *e)
{
	const char *at = bytes;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gk_err_errno(e, "write");
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A file that shrinks while it is read is an error, not a short result. */
int gk_fd_read(int fd, void *bytes, size_t size, struct gk_err *e)
{
	char *at = bytes;

	while (size) {
		ssize_t n = read(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gk_err_errno(e, "read");
		if (n == 0)
			return gk_err_set(e, GK_ERR_SYSTEM, "ends %zu bytes too early", size);
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_and_sync(int fd, const void *bytes, size_t size, struct gk_err *e)
{
	if (gk_fd_write(fd, bytes, size, e) < 0)
		return -1;
	return fsync(fd) < 0 ? gk_err_errno(e, "fsync") : 0;
}

int gk_file_write(const char *path, const void *bytes, size_t size, struct gk_err *e)
{
	gk_buf_auto temporary = GK_BUF_INIT;
	mode_t mask = umask(0);
	gk_fd_auto fd = -1;

	umask(mask);
	gk_buf_printf(&temporary, "%s.XXXXXX", path);
	fd = mkostemp(temporary.bytes, O_CLOEXEC);
	if (fd < 0)
		return gk_err_errno(e, "%s", path);
	if (write_and_sync(fd, bytes, size, e) < 0) {
		unlink(temporary.bytes);
		return gk_err_context(e, "%s", path);
	}
	if (fchmod(fd, 0666 & ~mask) < 0 || rename(temporary.bytes, path) < 0) {
		gk_err_errno(e, "%s", path);
		unlink(temporary.bytes);
		return -1;
	}
	return 0;
}

static int make_one(const char *path, struct gk_err *e)
{
	if (mkdir(path, 0777) == 0 || (errno == EEXIST && gk_path_is_dir(path)))
		return 0;
	return gk_err_errno(e, "%s", path);
}

int gk_dir_make(const char *path, struct gk_err *e)
{
	gk_free_auto char *copy = gk_strdup(path);

	for (char *slash = copy + 1; *copy && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (!gk_path_is_dir(copy) && make_one(copy, e) < 0)
			return -1;
		*slash = '/';
	}
	return gk_path_is_dir(path) ? 0 : make_one(path, e);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int gk_dir_list(const char *path, struct gk_arena *arena, char ***names, size_t *count, struct gk_err *e)
{
	struct GK_VEC(char *) found = {0};
	struct dirent *entry;
	DIR *folder = opendir(path);

	if (!folder)
		return fail_open(path, e);
	while ((entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			gk_vec_push(&found, gk_arena_string(arena, entry->d_name));
	closedir(folder);
	if (found.count)
		qsort(found.items, found.count, sizeof *found.items, compare_names);
	*names = gk_arena_array(arena, found.count + 1, sizeof **names);
	if (found.count)
		memcpy(*names, found.items, found.count * sizeof **names);
	*count = found.count;
	gk_vec_release(&found);
	return 0;
}

static int remove_at(int folder, const char *name, int depth);

/* Takes fd over. */
static int remove_contents(int fd, int depth)
{
	DIR *listing = fdopendir(fd);
	struct dirent *entry;
	int result = 0;

	if (!listing) {
		close(fd);
		return -1;
	}
	while (result == 0 && (entry = readdir(listing)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = remove_at(fd, entry->d_name, depth);
	closedir(listing);
	return result;
}

static int remove_at(int folder, const char *name, int depth)
{
	int fd;

	if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (depth == MAX_TREE_DEPTH) {
		errno = ELOOP;
		return -1;
	}
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || remove_contents(fd, depth + 1) < 0)
		return -1;
	return unlinkat(folder, name, AT_REMOVEDIR);
}

int gk_tree_remove(const char *path, struct gk_err *e)
{
	return remove_at(AT_FDCWD, path, 0) < 0 ? gk_err_errno(e, "%s", path) : 0;
}

bool gk_path_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool gk_path_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *gk_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *gk_path_join(struct gk_arena *arena, const char *folder, const char *name)
{
	size_t length = strlen(folder);

	if (name[0] == '/' || !length)
		return gk_arena_string(arena, name);
	return gk_arena_printf(arena, "%s%s%s", folder, folder[length - 1] == '/' ? "" : "/", name);
}
