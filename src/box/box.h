/*
 * Within the room: what the spawner and the library for the zygote share.
 * tree.c, landlock.c, filter.c, mount.c, root.c, group.c, inside.c, peer.c and
 * stub.c make up libgeakbox.so and know nothing of base/.
 */
#ifndef GK_BOX_BOX_H
#define GK_BOX_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- tree.c ---- */

struct box_process {
	pid_t pid, parent;
	unsigned long long start; /* pid and start name a process for good */
	int64_t private_bytes;    /* resident and not of a file */
};

/* Descendants of root (without it), parents before children; *list is malloc'ed. */
size_t gk_box_tree_list(pid_t root, struct box_process **list);
/* Stops what is below root until nothing new turns up, then kills it all; *list as above: who was killed. */
size_t gk_box_tree_kill(pid_t root, struct box_process **list);

/* ---- landlock.c ---- */

int gk_box_landlock_abi(void); /* 0: none */
struct box_paths {
	const char *readable; /* one path a line: read and executed; NULL: everything but /dev and /proc of others */
	const char *writable; /* one path a line, or NULL */
	bool own_proc;        /* /proc shows nobody else: all of it is readable */
	bool devices;         /* /dev may be used as it is: a GPU's driver */
	const char *nodes;    /* one path a line: only these of /dev may be used, by a candidate that runs for real; or NULL */
};
/* What is named, /dev/null and its like, and this process in /proc; nothing else. -1 with errno. */
int gk_box_landlock(const struct box_paths *paths);

/* ---- filter.c ---- */

struct box_filter {
	bool own_pids;        /* in a pid namespace of its own: signals need no filter */
	bool keep_files;      /* chmod and its like, which Landlock does not cover, are refused: not all is read-only */
	bool count_creations; /* clone asks the listener */
	bool is_peer;         /* of geak's own: memory files are allowed */
	bool has_device;      /* a GPU's driver runs in it: memory files are allowed */
	bool no_programs;     /* neither programs nor processes are started; threads are */
	bool all_threads;     /* of this process, not only the calling one */
};
/* Installs the filter; *listener gets the notification descriptor, or -1. -1 with errno. */
int gk_box_filter(const struct box_filter *filter, int *listener);
bool gk_box_filter_can_count(void);
/* Answers one notification: creations beyond *left fail. False when the listener is of no more use. */
bool gk_box_filter_answer(int listener, int64_t *left);

/* ---- inside.c ---- */

int gk_box_drop_rights(void); /* no capability, now or ever; -1 with errno */

/* ---- group.c ---- */

struct gk_box_group; /* spawn.h */

/* A control group for this process's candidates. -1 where there can be none. */
int gk_box_group_make(struct gk_box_group *group);
void gk_box_group_remove(const char *path); /* whoever is still in it is killed */

/* ---- mount.c; safe between fork and exec ---- */

/* In a new mount namespace: nothing travels back, all is read-only. -1 with errno. */
int gk_box_mount_private(void);
/* Everything at and below path. 0 as well where the kernel has no call for it. */
int gk_box_mount_read_only(const char *path);
int gk_box_mount_tmp(const char *folder, int64_t bytes);
int gk_box_mount_proc(void);
/* The same for a process with a device: what belongs to process 1, the caller, may be written. NVIDIA's driver says that
 * there is no device (cuInit: 100) where a thread cannot write its name into /proc/self/task/N/comm. */
int gk_box_mount_proc_of_driver(void);

#endif
