/*
 * The stub's part: it stands outside of the candidate's namespace, answers the
 * filter's questions, keeps an eye on memory and the clock, and does not come
 * back before everything below it is gone.
 *
 * With a pid namespace the death of inside (its PID 1) takes everybody along,
 * and the kernel reports it only after that. Without one, orphans become the
 * stub's children (subreaper) and are swept; the filter's count bounds how many
 * there can be, and a closed listener lets nobody create more.
 */
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "box.h"
#include "inside.h"

#define TICK_MS       100
#define SWEEP_MS      5
#define MAX_SWEEPS    2000
#define MAX_CREATIONS ((int64_t)1 << 40)

#define SYS_PIDFD_SEND_SIGNAL 424
#define SYS_PIDFD_OPEN        434

struct watch {
	struct gk_box_stub *stub;
	int pidfd, listener;
	int64_t begin_ms, looked_ms, left;
	bool is_killed;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int gk_box_stub_enter(void)
{
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return unshare(CLONE_NEWPID) == 0 ? GK_BOX_HAS_PID : 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void kill_inside(struct watch *w)
{
	w->is_killed = true;
	close_fd(&w->listener); /* nobody is created any more */
	if (syscall(SYS_PIDFD_SEND_SIGNAL, w->pidfd, SIGKILL, NULL, 0) < 0)
		kill(w->stub->pid, SIGKILL);
}

static int receive_descriptor(int socket)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	int fd = -1;

	memset(&control, 0, sizeof control);
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) == 1 &&
	    control.head.cmsg_type == SCM_RIGHTS && control.head.cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(&control.head), sizeof fd);
	return fd;
}

/* ---- the tick ---- */

static void look_at_memory(struct watch *w)
{
	struct box_process *below;
	size_t count = gk_box_tree_list(getpid(), &below);
	int64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += below[i].private_bytes;
	free(below);
	if (sum <= w->stub->memory_bytes)
		return;
	w->stub->over_memory = 1;
	kill_inside(w);
}

static int64_t sum_bytes; /* nftw() has no context; a stub has one thread */

static int add_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)path;
	(void)type;
	(void)at;
	sum_bytes += (int64_t)st->st_blocks * 512;
	return 0;
}

/* A folder without a mount of its own has no size of its own. */
static void look_at_disk(struct watch *w)
{
	sum_bytes = 0;
	nftw(w->stub->tmp_folder, add_file, 16, FTW_PHYS | FTW_MOUNT);
	if (sum_bytes <= w->stub->tmp_bytes)
		return;
	w->stub->over_disk = 1;
	kill_inside(w);
}

static void look_around(struct watch *w)
{
	if (w->stub->memory_bytes > 0)
		look_at_memory(w);
	if (w->stub->tmp_folder && w->stub->tmp_bytes > 0 && !w->is_killed)
		look_at_disk(w);
}

static void tick(struct watch *w)
{
	int64_t now = now_ms();

	if (w->is_killed)
		return;
	if (w->stub->wall_ms > 0 && now - w->begin_ms >= w->stub->wall_ms) {
		w->stub->timed_out = 1;
		kill_inside(w);
	} else if (now - w->looked_ms >= TICK_MS) {
		w->looked_ms = now;
		look_around(w);
	}
}

/* One wait; false once inside has ended. */
static bool watch_once(struct watch *w)
{
	struct pollfd fds[4] = {
		{.fd = w->pidfd, .events = POLLIN},
		{.fd = w->listener, .events = POLLIN},
		{.fd = w->stub->notify_fd, .events = POLLIN},
		{.fd = w->is_killed ? -1 : w->stub->stop_fd, .events = POLLIN},
	};

	if (poll(fds, 4, TICK_MS) < 0)
		return errno == EINTR;
	if (fds[0].revents)
		return false;
	if (fds[2].revents) {
		w->listener = receive_descriptor(w->stub->notify_fd);
		close_fd(&w->stub->notify_fd);
	}
	if (fds[1].revents && (!(fds[1].revents & POLLIN) || !gk_box_filter_answer(w->listener, &w->left)))
		close_fd(&w->listener);
	if (fds[3].revents)
		kill_inside(w);
	tick(w);
	return true;
}

/* ---- the end ---- */

static void add_usage(struct gk_box_stub *stub, const struct rusage *usage)
{
	int64_t rss = (int64_t)usage->ru_maxrss * 1024;

	stub->cpu_ms += (int64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
	                (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
	if (rss > stub->max_rss_bytes)
		stub->max_rss_bytes = rss;
}

static int reap_inside(struct gk_box_stub *stub)
{
	struct rusage usage;
	int status;
	pid_t pid;

	do
		pid = wait4(stub->pid, &status, 0, &usage);
	while (pid < 0 && errno == EINTR);
	if (pid < 0)
		return -1;
	add_usage(stub, &usage);
	stub->signaled = WIFSIGNALED(status);
	stub->code = stub->signaled ? WTERMSIG(status) : WEXITSTATUS(status);
	return 0;
}

static void sweep(struct gk_box_stub *stub)
{
	for (int round = 0; round < MAX_SWEEPS; round++) {
		struct box_process *killed;
		struct rusage usage;
		struct timespec pause = {0, SWEEP_MS * 1000000L};
		pid_t pid;

		gk_box_tree_kill(getpid(), &killed);
		free(killed);
		while ((pid = wait4(-1, NULL, WNOHANG, &usage)) > 0)
			add_usage(stub, &usage);
		if (pid < 0 && errno == ECHILD)
			return;
		nanosleep(&pause, NULL);
	}
}

int gk_box_stub_wait(struct gk_box_stub *stub)
{
	int64_t most = stub->max_creations > 0 ? stub->max_creations : MAX_CREATIONS;
	struct watch w = {.stub = stub, .listener = -1, .begin_ms = now_ms(), .left = most};

	w.pidfd = (int)syscall(SYS_PIDFD_OPEN, stub->pid, 0);
	if (w.pidfd < 0)
		return -1;
	while (watch_once(&w))
		continue;
	close_fd(&w.listener);
	close_fd(&w.pidfd);
	close_fd(&stub->notify_fd);
	stub->creations = most - w.left;
	if (reap_inside(stub) < 0)
		return -1;
	sweep(stub);
	return 0;
}
