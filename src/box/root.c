/*
 * A root of one's own. Theory of operation: a small tmpfs is mounted, the paths
 * that are needed are bound into it at their own names, everything is made
 * read-only, and pivot_root() makes it the root; what is not in it cannot even
 * be named any more. Symbolic links on the way to a path are made anew, so that
 * /lib works where it points to usr/lib. The zygote does this once, after its
 * imports; its candidates inherit it and add a /proc and a /tmp of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"
#include "inside.h"

#define MAX_LINKS 40

struct root {
	const char *base; /* where the new root is mounted */
	const char *step; /* what is being done, for the message */
	int links;        /* symbolic links followed for one path */
};

static int provide(struct root *root, const char *path);

static int make_folder(const char *path)
{
	return mkdir(path, 0755) == 0 || errno == EEXIST ? 0 : -1;
}

static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return errno == EEXIST || errno == EROFS ? 0 : -1;
	return close(fd);
}

/* The link at path[0 .. length] is made in the new root too, and what it points to is provided. */
static int follow_link(struct root *root, const char *path, size_t length, const char *inside)
{
	char target[PATH_MAX], next[2 * PATH_MAX + 2];
	ssize_t n;

	snprintf(next, sizeof next, "%.*s", (int)length, path);
	n = readlink(next, target, sizeof target - 1);
	if (n < 0 || ++root->links > MAX_LINKS)
		return -1;
	target[n] = '\0';
	if (symlink(target, inside) < 0 && errno != EEXIST && errno != EROFS)
		return -1;
	if (target[0] == '/') {
		snprintf(next, sizeof next, "%s%s", target, path + length);
	} else {
		while (length && path[length - 1] != '/')
			length--;
		snprintf(next, sizeof next, "%.*s%s%s", (int)length, path, target,
		         path + length + strcspn(path + length, "/"));
	}
	return strlen(next) < PATH_MAX ? provide(root, next) : -1;
}

static int bind(const char *from, const char *to)
{
	return mount(from, to, NULL, MS_BIND | MS_REC, NULL);
}

/* "a/../b" and "./a" are what links make of paths. */
static void tidy(const char *path, char *out)
{
	size_t used = 0;

	for (const char *at = path; *at;) {
		size_t length = strcspn(at, "/");

		if (length == 2 && at[0] == '.' && at[1] == '.') {
			while (used && out[--used] != '/')
				continue;
		} else if (length && !(length == 1 && at[0] == '.')) {
			out[used++] = '/';
			memcpy(out + used, at, length);
			used += length;
		}
		at += length + (at[length] == '/');
	}
	out[used] = '\0';
}

/* Folders and links on the way, then the thing itself. What is not there is left out. */
static int provide(struct root *root, const char *wanted)
{
	char path[PATH_MAX], inside[2 * PATH_MAX];
	struct stat st = {0};

	tidy(wanted, path);
	for (size_t end = 1; path[0]; end++) {
		end += strcspn(path + end, "/");
		snprintf(inside, sizeof inside, "%s%.*s", root->base, (int)end, path);
		if (lstat(inside + strlen(root->base), &st) < 0)
			return errno == ENOENT || errno == EACCES ? 0 : -1;
		if (S_ISLNK(st.st_mode))
			return follow_link(root, path, end, inside);
		if (!path[end])
			break;
		if (make_folder(inside) < 0)
			return -1;
	}
	if (!path[0] || (S_ISDIR(st.st_mode) ? make_folder(inside) : make_file(inside)) < 0)
		return path[0] ? -1 : 0;
	return bind(path, inside);
}

static int provide_all(struct root *root, const char *paths)
{
	char path[PATH_MAX];

	root->step = "a path for the new root";
	for (const char *at = paths ? paths : ""; *at;) {
		size_t length = strcspn(at, "\n");

		root->links = 0;
		if (length && length < sizeof path) {
			memcpy(path, at, length);
			path[length] = '\0';
			if (provide(root, path) < 0)
				return -1;
		}
		at += length + (at[length] == '\n');
	}
	return 0;
}

static int provide_devices(struct root *root)
{
	static const char devices[] = "/dev/null\n/dev/zero\n/dev/full\n/dev/random\n/dev/urandom";
	char path[PATH_MAX];

	if (provide_all(root, devices) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/dev/fd", root->base);
	return symlink("/proc/self/fd", path) < 0 && errno != EEXIST ? -1 : 0;
}

/* A folder of the new root, with all above it. */
static int make_path(const struct root *root, const char *path, char *inside)
{
	for (size_t end = 1;; end++) {
		end += strcspn(path + end, "/");
		snprintf(inside, (size_t)2 * PATH_MAX, "%s%.*s", root->base, (int)end, path);
		if (make_folder(inside) < 0)
			return -1;
		if (!path[end])
			return 0;
	}
}

static int fill(struct root *root, const char *readable, const char *tmp_folder)
{
	char inside[2 * PATH_MAX];

	root->step = "the new root";
	if (mount("geak", root->base, "tmpfs", MS_NOSUID, "mode=755,nr_inodes=8192,size=4m") < 0)
		return -1;
	if (provide_all(root, "/proc") < 0 || provide_devices(root) < 0 || provide_all(root, readable) < 0)
		return -1;
	root->step = "the new root's /tmp";
	if (make_path(root, "/tmp", inside) < 0 || (tmp_folder && make_path(root, tmp_folder, inside) < 0))
		return -1;
	root->step = "making the new root read-only";
	if (gk_box_mount_read_only(root->base) < 0)
		return -1;
	root->step = "the new root's writable folder";
	return tmp_folder ? gk_box_mount_tmp(inside, 0) : 0;
}

static int enter(struct root *root)
{
	root->step = "entering the new root";
	if (chdir(root->base) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return -1;
	return chdir("/");
}

static const char *choose_base(const char *tmp_folder)
{
	static const char *const folders[] = {"/tmp", "/mnt", "/dev/shm", "/run", "/var"};
	struct stat st;

	if (tmp_folder)
		return tmp_folder;
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		if (stat(folders[i], &st) == 0 && S_ISDIR(st.st_mode))
			return folders[i];
	return NULL;
}

int gk_box_root(const char *readable, const char *tmp_folder, char *message, int32_t message_bytes)
{
	struct root root = {.base = choose_base(tmp_folder)};

	if (!root.base || unshare(CLONE_NEWNS) < 0)
		return 0;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
		if (fill(&root, readable, tmp_folder) == 0 && enter(&root) == 0)
			return GK_BOX_HAS_ROOT;
	} else if (errno == EINVAL) { /* in a chroot: what is no mount cannot be left for another root */
		return 0;
	}
	if (message && message_bytes > 0)
		snprintf(message, (size_t)message_bytes, "%s: %s", root.step ? root.step : "private mounts",
		         strerror(errno));
	return -1;
}
