/*
 * The sandbox from within, as a small shared library (libgeakbox.so) that the
 * zygote's processes call through ctypes: plain C types only, no part of geak
 * but this room, no allocation that can fail half way.
 *
 * Who calls what, in order (worker/geak_worker):
 *
 *   zygote   forks a *stub* for each candidate.
 *   stub     gk_box_stub_enter(): new session, dies with the zygote, subreaper, new pid and mount namespace
 * for its children where the kernel lets it. Makes a socketpair, forks *inside* (PID 1 of the new namespace,
 * where there is one), closes the second end of the pair, opens inside's pidfd, sends `spawned`, closes its
 * own result and stdio ends, then gk_box_stub_wait(): returns when inside and its whole tree are gone; then
 * sends `exited`. inside   gk_box_inside_setup(): before it imports anything foreign. Afterwards only the
 * descriptors named are open, nothing can be written but tmp_folder, and there is no way back.
 *
 * tmp_folder comes from the environment variable GEAK_TMP that geak gives to the zygote. Where inside gets
 * mounts of its own (GK_BOX_HAS_MOUNT) it is a fresh, small tmpfs for each candidate and vanishes with it.
 * Elsewhere it is a real folder: the stub makes one below GEAK_TMP for each candidate and removes it after
 * gk_box_stub_wait().
 */
#ifndef GK_BOX_INSIDE_H
#define GK_BOX_INSIDE_H

#include <stdint.h>

#define GK_BOX_API 4
int gk_box_api(void); /* GK_BOX_API: the caller refuses another */

enum {
	GK_BOX_HAS_PID = 1,   /* inside is PID 1 of its own namespace */
	GK_BOX_HAS_MOUNT = 2, /* own /tmp and /proc, everything else read-only */
	GK_BOX_HAS_LANDLOCK = 4,
	GK_BOX_HAS_SECCOMP = 8,
	GK_BOX_HAS_COUNT = 16, /* creations of processes and threads are counted by the stub */
	GK_BOX_HAS_NET = 32,   /* no network but an empty loopback (else seccomp refuses sockets) */
	GK_BOX_HAS_ROOT = 64,  /* a root that holds nothing but what is needed */
	GK_BOX_HAS_PROC = 128, /* a /proc that shows nobody else */
	GK_BOX_HAS_GROUP = 256, /* a control group: memory and processes are counted by the kernel */
	GK_BOX_HAS_UTS = 512,
	/* What --containment strict asks for. */
	GK_BOX_STRICT = GK_BOX_HAS_PID | GK_BOX_HAS_MOUNT | GK_BOX_HAS_LANDLOCK | GK_BOX_HAS_SECCOMP |
	                GK_BOX_HAS_COUNT | GK_BOX_HAS_NET | GK_BOX_HAS_ROOT | GK_BOX_HAS_PROC | GK_BOX_HAS_UTS,
};

/*
 * In a process of geak's own, once, after it has loaded what it needs: its root becomes one that holds the
 * paths of readable (one a line, read-only), /proc, five harmless devices and tmp_folder (a fresh tmpfs; may be
 * NULL: no writable folder). Returns GK_BOX_HAS_ROOT, 0 where mounts are not allowed (nothing has changed), or
 * -1 with words in message.
 */
int gk_box_root(const char *readable, const char *tmp_folder, char *message, int32_t message_bytes);

struct gk_box_peer {
	const char *readable, *writable; /* one path a line; readable NULL: everything; writable NULL: nothing */
	int32_t may_run;    /* starts programs (an assembler); else neither programs nor processes, only threads */
	int32_t has_device; /* /dev and the capabilities stay as they are, for a GPU's driver */
};

/*
 * For a process of geak's own that eats what candidates have made (a lowering, a launcher): no rights, Landlock,
 * seccomp. Descriptors that are open stay usable. Returns the GK_BOX_HAS bits in force or -1 with words.
 */
int gk_box_confine(const struct gk_box_peer *peer, char *message, int32_t message_bytes);

/* In the stub, right after its fork. Returns GK_BOX_HAS_PID when inside will be PID 1, else 0; never fails.
 */
int gk_box_stub_enter(void);

struct gk_box_inside {
	const int32_t *keep_fds; /* descriptors that stay open, besides 0, 1 and 2 */
	int32_t keep_count;
	int32_t notify_fd;      /* inside's end of the socketpair to the stub, or -1; closed on return */
	const char *tmp_folder; /* the one writable folder; it must exist */
	const char *readable;   /* one path a line: what may be read and run; NULL: everything */
	const char *nodes;      /* one path a line: nodes of a GPU that may be used, or NULL: no device */
	int32_t has_root;       /* the zygote's gk_box_root() has succeeded */
	int32_t group;          /* descriptor of the candidate's control group, or -1; closed on return */
	int32_t need;           /* GK_BOX_HAS bits without which the candidate must not run */
	int64_t cpu_s;          /* each: 0 or less leaves it alone */
	int64_t memory_bytes;   /* on top of what the process has mapped already */
	int64_t file_bytes; /* size of one file, and of the whole of tmp_folder where it is a private mount */
	int64_t processes;  /* RLIMIT_NPROC (the kernel exempts root; the stub's count does not) */
};

/*
 * In inside, which has one thread: own session, limits, private mounts, descriptors, no capabilities,
 * no_new_privs, Landlock, seccomp. Returns the GK_BOX_HAS bits that are in force, or -1 with words in message
 * when a layer that the kernel has could not be set up (the caller must then not run the candidate).
 */
int gk_box_inside_setup(const struct gk_box_inside *inside, char *message, int32_t message_bytes);

/*
 * In the stub: the folder of a control group for one candidate, made below that of descriptor group, or -1.
 * Limits of 0 are none. gk_box_group_join() moves the caller into it. gk_box_group_end() kills whoever is in it,
 * removes it, and returns 1 when the kernel had to end somebody for memory; it closes leaf.
 */
int gk_box_group_leaf(int group, int32_t number, int64_t memory_bytes, int64_t processes);
int gk_box_group_join(int leaf);
int gk_box_group_end(int group, int32_t number, int leaf);

struct gk_box_stub {
	int32_t pid;            /* inside, as the stub sees it */
	int32_t notify_fd;      /* the stub's end of the socketpair, or -1; closed on return */
	int64_t max_creations;  /* of processes and threads over the whole capture; more are refused with
	                           EAGAIN */
	int64_t memory_bytes;   /* resident, over the whole tree: more and it is killed; 0: no ceiling */
	int64_t wall_ms;        /* the tree is killed at this age; 0: none */
	const char *tmp_folder; /* inside's, as the stub sees it, or NULL: more than tmp_bytes in it and the
	                           tree is killed */
	int64_t tmp_bytes;
	int32_t stop_fd; /* readable or closed: kill the tree (a pipe from the zygote), or -1 */
	/* filled: */
	int32_t signaled, code; /* of inside */
	int32_t timed_out, over_memory, over_disk;
	int64_t creations, cpu_ms, max_rss_bytes;
};

/* Blocks until inside and every descendant of the calling process are gone and reaped. 0, or -1 when there is
 * no such child. */
int gk_box_stub_wait(struct gk_box_stub *stub);

#endif
