/*
 * The one spawner. A child gets exactly the descriptors, the environment, the
 * limits and the namespaces that are named here, and dies with its parent. What
 * fails between fork and exec is reported by gk_spawn() with the step's name.
 */
#ifndef GK_BOX_SPAWN_H
#define GK_BOX_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define GK_SPAWN_MAX_FDS 16

/* 0 or less: that limit is left alone. */
struct gk_limits {
	int64_t cpu_s;        /* RLIMIT_CPU */
	int64_t memory_bytes; /* RLIMIT_AS */
	int64_t processes;    /* RLIMIT_NPROC; root is exempt in the kernel */
	int64_t file_bytes;   /* RLIMIT_FSIZE */
	int64_t files;        /* RLIMIT_NOFILE */
};

enum gk_namespace {
	GK_NS_USER = 1,  /* the child is root within, with the caller's rights on files */
	GK_NS_MOUNT = 2, /* everything read-only but a private, small tmpfs on tmp_folder */
	GK_NS_NET = 4,
	GK_NS_IPC = 8,
	GK_NS_PID = 16, /* for the child's children */
	GK_NS_UTS = 32,
};

struct gk_spawn {
	const char *const *argv;        /* argv[0]: path of the program; PATH is not searched */
	const char *const *environment; /* "NAME=value", NULL-terminated: the whole of it */
	const char *folder;             /* working folder, or NULL */
	struct {
		int from, to;
	} fds[GK_SPAWN_MAX_FDS]; /* from (ours) becomes to (the child's); all others are closed; 0-2 default
	                            to /dev/null */
	size_t fd_count;
	unsigned namespaces;    /* gk_namespace bits; take them from gk_box_probe()->namespaces */
	const char *tmp_folder; /* see GK_NS_MOUNT; NULL: no writable folder */
	bool no_new_privileges;
	struct gk_limits limits;
};

/* Marks fd of ours to be number to in the child. */
void gk_spawn_fd(struct gk_spawn *spawn, int from, int to);

struct gk_child {
	pid_t pid; /* 0: none */
	int pidfd; /* readable once it has ended */
};

struct gk_child_end {
	bool signaled;
	int code; /* exit status or signal number */
	int64_t cpu_ms, max_rss_bytes;
};

/* Own session, SIGKILL at the death of this thread, default signals, its orphans become its children. */
int gk_spawn(const struct gk_spawn *spawn, struct gk_child *child, struct gk_err *e);
/* Reaps: 1 it has ended (child is released, *end filled unless NULL); 0 still running; waits when wait is
 * true. */
int gk_child_reap(struct gk_child *child, bool wait, struct gk_child_end *end);
/* Kills the child and every descendant, reaps the child and those that became ours. Safe when already dead.
 */
void gk_child_kill(struct gk_child *child);

/* Orphaned descendants become children of this process. Once, at the start. */
void gk_box_adopt_orphans(void);
/* Kills and reaps, with their trees, all children of this process that gk_spawn() did not make. */
void gk_box_sweep_orphans(void);

/* Finds a program: as it stands when it has a '/', else along PATH. */
int gk_program_find(const char *name, char *path, size_t size, struct gk_err *e);

/* ---- what this machine can do ---- */

/* How much of the sandbox must be there before a candidate's code is run. */
enum gk_containment {
	GK_CONTAIN_AUTO,   /* what this machine can give */
	GK_CONTAIN_STRICT, /* every layer of isolation, or nothing is run */
};
extern const char *const gk_containment_names[]; /* "auto" "strict" NULL */

struct gk_box_facts {
	unsigned namespaces; /* usable gk_namespace bits for a spawn, less PID (its first child's end would
	                        end it) */
	bool pid_namespace;  /* each candidate can be PID 1 of its own */
	bool root;           /* each candidate sees a root of its own, with nothing but what it needs */
	bool proc;           /* and a /proc of its own */
	int landlock_abi;    /* 0: none */
	bool seccomp;        /* filters can be installed */
	bool process_limit;  /* seccomp notification: creations of processes are counted */
	bool pidfd, subreaper;
	const char *tier;  /* the containment level: "namespaces", "landlock" (with seccomp), "seccomp", "limits" */
	char missing[256]; /* layers that --containment strict asks for and that are not there, as a list in
	                      words; "" when none is */
	char why[256];     /* the kernel's reason for what is missing; "" when nothing is */
};
/* Tried out once per process (in a forked child), then remembered. */
const struct gk_box_facts *gk_box_probe(void);


/* Says why strict containment cannot be had (GK_ERR_INPUT, one line that names the missing layers), or 0. */
int gk_box_check_strict(const struct gk_box_facts *facts, struct gk_err *e);
/* For the whole process, once, before a pool is opened. Refuses what cannot be had. */
int gk_box_demand(enum gk_containment wanted, struct gk_err *e);
enum gk_containment gk_box_demanded(void);
/* The fact "containment" as JSON text: {"level", "missing", "why", "landlock_abi"}. */
const char *gk_box_describe(void);

/* ---- control groups ---- */

/* What a group for candidates would count here: "memory pids cpu", or less; "kill": nothing, but they end as one;
 * "": there can be no group. Tried out once per process. */
const char *gk_box_groups(void);

struct gk_box_group {
	int fd;           /* of its folder, for the zygote; -1: there is none */
	char path[4096];
	char controllers[64];
};
/* For this process's candidates; removed with gk_box_group_close(), and whoever is still in it killed. */
void gk_box_group_open(struct gk_box_group *group);
void gk_box_group_close(struct gk_box_group *group);

/*
 * A folder of the system that a private tmpfs can cover without hiding any of
 * the paths in avoid (NULL-terminated, or NULL); NULL when there is none.
 */
const char *gk_box_tmp_folder(const char *const *avoid);

#endif
