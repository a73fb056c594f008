/*
 * Control groups (version 2). Theory of operation: geak makes one group of its
 * own, geak-PID, below its own group or, where that holds processes, below the
 * nearest group above to which it may write; the zygote's stubs make a leaf in
 * it for each candidate, which joins before it runs anything foreign. Memory,
 * processes and processor time are then counted by the kernel, and the end of
 * a candidate is one write to cgroup.kill. Whatever cannot be had is left out:
 * limits and the stub's own counting hold without.
 *
 * A geak that was killed leaves empty groups; the next one that looks removes
 * those whose process is gone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "inside.h"
#include "spawn.h"

#define EMPTY_ROUNDS 200
#define EMPTY_MS     5

static const char *const controllers[] = {"memory", "pids", "cpu"};

/* ---- small files ---- */

static int write_at(int folder, const char *name, const char *text)
{
	int fd = openat(folder, name, O_WRONLY | O_CLOEXEC), saved;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static bool read_at(int folder, const char *name, char *text, size_t size)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += length)
		if ((at == text || at[-1] == ' ') && strchr(" \n", at[length]))
			return true;
	return false;
}

static int64_t number_after(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoll(at + strlen(key), NULL, 10) : 0;
}

/* ---- where ---- */

/* The folder of our own group and, within it, where the hierarchy begins. */
static bool find_own(char *folder, size_t size, size_t *top)
{
	char line[PATH_MAX * 2], within[PATH_MAX] = "", point[PATH_MAX] = "", own[PATH_MAX] = "";
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && fgets(line, sizeof line, file))
		if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %4095s %4095s", within, point) == 2)
			break;
	if (file)
		fclose(file);
	file = fopen("/proc/self/cgroup", "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "0::%4095s", own) == 1)
			break;
	if (file)
		fclose(file);
	if (!point[0] || own[0] != '/')
		return false;
	if (strcmp(within, "/") != 0) { /* a container's mount begins further down */
		if (strncmp(own, within, strlen(within)) != 0)
			return false;
		memmove(own, own + strlen(within), strlen(own + strlen(within)) + 1);
	}
	*top = strlen(point);
	return (size_t)snprintf(folder, size, "%s%s", point, strcmp(own, "/") == 0 ? "" : own) < size;
}

/* Whether a process can be moved into the group: its rules depend on what lies between. */
static bool can_join(int group)
{
	int status = 0;
	pid_t pid;

	if (mkdirat(group, "try", 0755) < 0)
		return false;
	pid = fork();
	if (pid == 0)
		_exit(write_at(group, "try/cgroup.procs", "0") < 0);
	if (pid > 0)
		waitpid(pid, &status, 0);
	unlinkat(group, "try", AT_REMOVEDIR);
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void remove_stale(const char *folder)
{
	DIR *list = opendir(folder);
	struct dirent *entry;
	char path[PATH_MAX];

	while (list && (entry = readdir(list))) {
		long pid = strncmp(entry->d_name, "geak-", 5) == 0 ? strtol(entry->d_name + 5, NULL, 10) : 0;

		if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH &&
		    (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < sizeof path)
			gk_box_group_remove(path);
	}
	if (list)
		closedir(list);
}

static void enable(int group, char *names, size_t size)
{
	char available[256], word[32];

	names[0] = '\0';
	read_at(group, "cgroup.controllers", available, sizeof available);
	for (size_t i = 0; i < sizeof controllers / sizeof controllers[0]; i++) {
		size_t used = strlen(names);

		snprintf(word, sizeof word, "+%s", controllers[i]);
		if (has_word(available, controllers[i]) && write_at(group, "cgroup.subtree_control", word) == 0)
			snprintf(names + used, size - used, "%s%s", used ? " " : "", controllers[i]);
	}
}

static int make_below(const char *folder, struct gk_box_group *group)
{
	static int number; /* one process may have several pools */

	remove_stale(folder);
	if ((size_t)snprintf(group->path, sizeof group->path, "%s/geak-%d-%d", folder, (int)getpid(), ++number) >=
	            sizeof group->path ||
	    (mkdir(group->path, 0755) < 0 && errno != EEXIST))
		return -1;
	group->fd = open(group->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group->fd >= 0 && can_join(group->fd)) {
		enable(group->fd, group->controllers, sizeof group->controllers);
		return 0;
	}
	if (group->fd >= 0)
		close(group->fd);
	gk_box_group_remove(group->path);
	return -1;
}

int gk_box_group_make(struct gk_box_group *group)
{
	char folder[PATH_MAX];
	size_t top;

	*group = (struct gk_box_group){.fd = -1};
	if (!find_own(folder, sizeof folder, &top))
		return -1;
	for (;;) {
		if (make_below(folder, group) == 0) {
			if (group->controllers[0] || strlen(folder) <= top)
				return 0;
			close(group->fd); /* further up there may be more */
			gk_box_group_remove(group->path);
		}
		if (strlen(folder) <= top)
			break;
		*strrchr(folder, '/') = '\0';
	}
	*group = (struct gk_box_group){.fd = -1};
	return -1;
}

/* ---- the end ---- */

static bool is_empty(int group)
{
	char text[256];

	return !read_at(group, "cgroup.events", text, sizeof text) || number_after(text, "populated ") == 0;
}

/* Everybody in it is dead and gone afterwards, where the kernel has cgroup.kill (5.14). */
static void empty(int group)
{
	struct timespec pause = {0, EMPTY_MS * 1000000L};

	write_at(group, "cgroup.kill", "1");
	for (int i = 0; i < EMPTY_ROUNDS && !is_empty(group); i++)
		nanosleep(&pause, NULL);
}

void gk_box_group_remove(const char *path)
{
	int group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = group < 0 ? NULL : opendir(path);
	struct dirent *entry;

	if (group >= 0)
		empty(group);
	while (list && (entry = readdir(list)))
		if (entry->d_name[0] != '.' && entry->d_type == DT_DIR)
			unlinkat(group, entry->d_name, AT_REMOVEDIR);
	if (list)
		closedir(list);
	if (group >= 0)
		close(group);
	rmdir(path);
}

/* ---- one candidate's ---- */

static void set_number(int leaf, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)value);
	if (value > 0)
		write_at(leaf, name, text);
}

int gk_box_group_leaf(int group, int32_t number, int64_t memory_bytes, int64_t processes)
{
	char name[32];
	int leaf;

	snprintf(name, sizeof name, "c%d", (int)number);
	if (mkdirat(group, name, 0755) < 0 && errno != EEXIST)
		return -1;
	leaf = openat(group, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (leaf < 0) {
		unlinkat(group, name, AT_REMOVEDIR);
		return -1;
	}
	/* A file that is not there belongs to a controller that is not. */
	set_number(leaf, "memory.max", memory_bytes);
	write_at(leaf, "memory.swap.max", "0");
	write_at(leaf, "memory.oom.group", "1");
	set_number(leaf, "pids.max", processes);
	write_at(leaf, "cpu.max", "200000 100000"); /* two processors: a capture needs one */
	return leaf;
}

int gk_box_group_join(int leaf)
{
	return write_at(leaf, "cgroup.procs", "0");
}

int gk_box_group_end(int group, int32_t number, int leaf)
{
	char name[32], text[256];
	bool over;

	if (leaf < 0)
		return 0;
	empty(leaf);
	over = read_at(leaf, "memory.events", text, sizeof text) && number_after(text, "oom_kill ") > 0;
	close(leaf);
	snprintf(name, sizeof name, "c%d", (int)number);
	unlinkat(group, name, AT_REMOVEDIR);
	return over;
}
