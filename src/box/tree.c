/*
 * Process trees, from /proc/PID/stat. A tree that forks while it is being
 * killed is stopped first: what is stopped cannot fork, so after a round that
 * finds nobody new the list is whole.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "box.h"

#define MAX_PROCESSES ((size_t)1 << 17)
#define STOP_ROUNDS   200

struct list {
	struct box_process *items;
	size_t count, capacity;
};

static void push(struct list *list, struct box_process process)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		struct box_process *items =
			capacity > MAX_PROCESSES ? NULL : realloc(list->items, capacity * sizeof *items);

		if (!items)
			return; /* the next round finds the rest */
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = process;
}

static bool read_small(const char *name, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%.20s/%s", name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* pid (name) state parent ... field 22: start; field 24: resident pages. The name may hold anything. */
static bool read_process(const char *name, struct box_process *process)
{
	char text[1024];
	const char *rest;
	long parent = 0, resident = 0, shared = 0;

	if (!read_small(name, "stat", text, sizeof text))
		return false;
	rest = strrchr(text, ')');
	if (!rest ||
	    sscanf(rest + 1,
	           " %*c %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
	           &parent, &process->start) != 2)
		return false;
	process->pid = (pid_t)strtol(name, NULL, 10);
	process->parent = (pid_t)parent;
	if (read_small(name, "statm", text, sizeof text) &&
	    sscanf(text, "%*s %ld %ld", &resident, &shared) == 2)
		process->private_bytes = (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
	return true;
}

static struct list read_all(void)
{
	struct list all = {0};
	DIR *folder = opendir("/proc");
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		struct box_process process = {0};

		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    read_process(entry->d_name, &process))
			push(&all, process);
	}
	if (folder)
		closedir(folder);
	return all;
}

size_t gk_box_tree_list(pid_t root, struct box_process **list)
{
	struct list all = read_all(), below = {0};
	pid_t parent = root;

	for (size_t next = 0;; next++) {
		for (size_t i = 0; i < all.count; i++)
			if (all.items[i].parent == parent && all.items[i].pid != root)
				push(&below, all.items[i]);
		if (next >= below.count)
			break;
		parent = below.items[next].pid;
	}
	free(all.items);
	*list = below.items;
	return below.count;
}

static bool is_known(const struct list *known, const struct box_process *process)
{
	for (size_t i = 0; i < known->count; i++)
		if (known->items[i].pid == process->pid && known->items[i].start == process->start)
			return true;
	return false;
}

/* One round: stops everybody new. Returns how many. */
static size_t stop_new(pid_t root, struct list *known)
{
	struct box_process *below;
	size_t count = gk_box_tree_list(root, &below), fresh = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_known(known, &below[i])) /* a zombie counts: once its parent is gone we must reap it */
			continue;
		kill(below[i].pid, SIGSTOP);
		push(known, below[i]);
		fresh++;
	}
	free(below);
	return fresh;
}

size_t gk_box_tree_kill(pid_t root, struct box_process **list)
{
	struct list known = {0};

	for (int round = 0; round < STOP_ROUNDS && stop_new(root, &known); round++)
		continue;
	for (size_t i = 0; i < known.count; i++)
		kill(known.items[i].pid, SIGKILL);
	*list = known.items;
	return known.count;
}
