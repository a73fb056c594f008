/*
 * Theory of operation. Between fork and exec the child calls nothing but
 * system calls: everything it needs (maps, paths, descriptor lists) is laid out
 * by the parent. A failing step writes (step, errno) into a close-on-exec pipe;
 * end of file on it means that exec worked. The child is born into its own
 * session with SIGKILL at its parent's death, so that killing geak at any
 * instruction takes the whole tree along.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "box.h"
#include "namespace.h"

#define SYS_CLOSE_RANGE       436
#define CLOSE_ON_EXEC         4u /* CLOSE_RANGE_CLOEXEC */
#define SYS_PIDFD_SEND_SIGNAL 424
#define SYS_PIDFD_OPEN        434

enum step { STEP_PARENT, STEP_FDS, STEP_FOLDER, STEP_NAMESPACE, STEP_LIMIT, STEP_PRIVILEGE, STEP_EXEC };
static const char *const step_words[] = {
	[STEP_PARENT] = "parent is gone",     [STEP_FDS] = "descriptors", [STEP_FOLDER] = "working folder",
	[STEP_NAMESPACE] = "namespaces",      [STEP_LIMIT] = "limits",    [STEP_PRIVILEGE] = "no_new_privs",
	[STEP_EXEC] = "starting the program",
};

#define MAX_CHILDREN 256
#define MAX_SWEEPS   100

/* Children that gk_spawn() made and nobody has reaped yet: all others are orphans. One thread spawns. */
static pid_t children[MAX_CHILDREN];

static void remember(pid_t old, pid_t new)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (children[i] == old) {
			children[i] = new;
			return;
		}
}

static bool is_child(pid_t pid)
{
	for (size_t i = 0; i < MAX_CHILDREN; i++)
		if (children[i] == pid)
			return true;
	return false;
}

struct report {
	int step, number;
};

struct plan {
	const struct gk_spawn *spawn;
	struct box_maps maps;
	pid_t parent;
	int error_fd;
	int above; /* descriptors from here on are in nobody's way */
};

void gk_spawn_fd(struct gk_spawn *spawn, int from, int to)
{
	if (spawn->fd_count == GK_SPAWN_MAX_FDS)
		gk_bug("more than %d descriptors for a child", GK_SPAWN_MAX_FDS);
	spawn->fds[spawn->fd_count].from = from;
	spawn->fds[spawn->fd_count++].to = to;
}

/* ---- in the child ---- */

_Noreturn static void give_up(const struct plan *plan, enum step step)
{
	struct report report = {(int)step, errno};
	ssize_t n = write(plan->error_fd, &report, sizeof report);

	_exit(n == (ssize_t)sizeof report ? 126 : 125);
}

static void default_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int mark_all_close_on_exec(void)
{
	struct rlimit limit;

	if (syscall(SYS_CLOSE_RANGE, 0u, UINT_MAX, CLOSE_ON_EXEC) == 0)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	for (int fd = 0; fd < (int)(limit.rlim_cur < 65536 ? limit.rlim_cur : 65536); fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* First everything moves out of the way, then each goes to its place: no order of pairs can clash. */
static int place_fds(struct plan *plan)
{
	const struct gk_spawn *spawn = plan->spawn;
	int high[GK_SPAWN_MAX_FDS], null;

	plan->error_fd = fcntl(plan->error_fd, F_DUPFD, plan->above);
	null = fcntl(open("/dev/null", O_RDWR), F_DUPFD, plan->above);
	if (plan->error_fd < 0 || null < 0)
		return -1;
	for (size_t i = 0; i < spawn->fd_count; i++) {
		high[i] = fcntl(spawn->fds[i].from, F_DUPFD, plan->above);
		if (high[i] < 0)
			return -1;
	}
	if (mark_all_close_on_exec() < 0)
		return -1;
	for (int standard = 0; standard < 3; standard++)
		if (dup2(null, standard) < 0)
			return -1;
	for (size_t i = 0; i < spawn->fd_count; i++)
		if (dup2(high[i], spawn->fds[i].to) < 0)
			return -1;
	return 0;
}

static int set_limit(int what, int64_t value)
{
	struct rlimit limit = {(rlim_t)value, (rlim_t)value};

	return value > 0 ? setrlimit((__rlimit_resource_t)what, &limit) : 0;
}

static int set_limits(const struct gk_limits *limits)
{
	if (set_limit(RLIMIT_CPU, limits->cpu_s) < 0 || set_limit(RLIMIT_AS, limits->memory_bytes) < 0 ||
	    set_limit(RLIMIT_NPROC, limits->processes) < 0 ||
	    set_limit(RLIMIT_FSIZE, limits->file_bytes) < 0 || set_limit(RLIMIT_NOFILE, limits->files) < 0)
		return -1;
	return 0;
}

_Noreturn static void become(struct plan *plan)
{
	const struct gk_spawn *spawn = plan->spawn;

	setsid();
	default_signals();
	if (place_fds(plan) < 0)
		give_up(plan, STEP_FDS);
	if (spawn->folder && chdir(spawn->folder) < 0)
		give_up(plan, STEP_FOLDER);
	if (gk_box_namespaces(spawn->namespaces, &plan->maps, spawn->tmp_folder) < 0)
		give_up(plan, STEP_NAMESPACE);
	if (set_limits(&spawn->limits) < 0)
		give_up(plan, STEP_LIMIT);
	if (spawn->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		give_up(plan, STEP_PRIVILEGE);
	/* Its orphans stay below it, where gk_child_kill() finds them. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* Only now: changing credentials (a user namespace) forgets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != plan->parent)
		give_up(plan, STEP_PARENT);
	execve(spawn->argv[0], (char *const *)(uintptr_t)spawn->argv,
	       (char *const *)(uintptr_t)spawn->environment);
	give_up(plan, STEP_EXEC);
}

/* ---- in the parent ---- */

static int highest(const struct gk_spawn *spawn)
{
	int most = 2;

	for (size_t i = 0; i < spawn->fd_count; i++)
		most = spawn->fds[i].to > most ? spawn->fds[i].to : most;
	return most;
}

/* The child's report, if any; end of file says that it runs. */
static int hear_of_failure(int error_fd, const char *program, struct gk_err *e)
{
	struct report report;
	ssize_t n;

	do
		n = read(error_fd, &report, sizeof report);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof report || report.step < 0 || report.step > STEP_EXEC)
		return gk_err_set(e, GK_ERR_SYSTEM, "%s: its start failed without a word", program);
	errno = report.number;
	return gk_err_errno(e, "%s: %s", program, step_words[report.step]);
}

static int follow(pid_t pid, int error_fd, const char *program, struct gk_child *child, struct gk_err *e)
{
	if (hear_of_failure(error_fd, program, e) < 0) {
		waitpid(pid, NULL, 0);
		return -1;
	}
	child->pid = pid;
	remember(0, pid);
	child->pidfd =
		(int)syscall(SYS_PIDFD_OPEN, pid, 0); /* the child cannot be reaped before us: no race */
	if (child->pidfd >= 0)
		return 0;
	gk_err_errno(e, "%s: no descriptor for the process (Linux 5.3 or newer is needed)", program);
	gk_child_kill(child);
	return -1;
}

int gk_spawn(const struct gk_spawn *spawn, struct gk_child *child, struct gk_err *e)
{
	static const char *const nothing[] = {NULL};
	struct gk_spawn copy = *spawn;
	struct plan plan = {.spawn = &copy, .parent = getpid(), .above = highest(spawn) + 1};
	gk_fd_auto read_end = -1;
	gk_fd_auto write_end = -1;
	int ends[2];
	pid_t pid;

	*child = (struct gk_child){0, -1};
	if (!copy.environment)
		copy.environment = nothing;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return gk_err_errno(e, "%s: pipe", spawn->argv[0]);
	read_end = ends[0];
	write_end = plan.error_fd = ends[1];
	gk_box_maps_fill(&plan.maps);
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return gk_err_errno(e, "%s: fork", spawn->argv[0]);
	if (pid == 0)
		become(&plan);
	gk_fd_close(&write_end);
	return follow(pid, read_end, spawn->argv[0], child, e);
}

static void describe_end(int status, const struct rusage *usage, struct gk_child_end *end)
{
	end->signaled = WIFSIGNALED(status);
	end->code = end->signaled ? WTERMSIG(status) : WEXITSTATUS(status);
	end->cpu_ms = (int64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
	              (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
	end->max_rss_bytes = (int64_t)usage->ru_maxrss * 1024;
}

int gk_child_reap(struct gk_child *child, bool wait, struct gk_child_end *end)
{
	struct rusage usage = {0};
	int status = 0;
	pid_t pid;

	if (!child->pid)
		return 1;
	do
		pid = wait4(child->pid, &status, wait ? 0 : WNOHANG, &usage);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return 0;
	if (end)
		describe_end(status, &usage, end);
	gk_fd_close(&child->pidfd);
	remember(child->pid, 0);
	child->pid = 0;
	return 1;
}

void gk_child_kill(struct gk_child *child)
{
	struct box_process *below;
	size_t count;

	if (!child->pid)
		return;
	kill(child->pid, SIGSTOP); /* it makes no more children while these are looked for */
	count = gk_box_tree_kill(child->pid, &below);
	kill(child->pid, SIGKILL);
	gk_child_reap(child, true, NULL);
	/* Parents first: once a parent is reaped its children are ours, if orphans are adopted. */
	for (size_t i = 0; i < count; i++)
		while (waitpid(below[i].pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	free(below);
}

void gk_box_adopt_orphans(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void end_orphan(pid_t pid)
{
	struct box_process *below;

	kill(pid, SIGSTOP);
	gk_box_tree_kill(pid, &below);
	free(below);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

void gk_box_sweep_orphans(void)
{
	bool found = true;

	/* The orphans of an orphan become ours in turn. */
	for (int round = 0; found && round < MAX_SWEEPS; round++) {
		struct box_process *below;
		size_t count = gk_box_tree_list(getpid(), &below);

		found = false;
		for (size_t i = 0; i < count; i++)
			if (below[i].parent == getpid() && !is_child(below[i].pid)) {
				end_orphan(below[i].pid);
				found = true;
			}
		free(below);
	}
}

int gk_program_find(const char *name, char *path, size_t size, struct gk_err *e)
{
	const char *folders = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(path, size, "%s", name);
		return access(path, X_OK) == 0 ? 0 : gk_err_errno(e, "%s", name);
	}
	for (const char *at = folders ? folders : "/usr/bin:/bin"; *at;) {
		size_t length = strcspn(at, ":");

		snprintf(path, size, "%.*s/%s", (int)length, at, name);
		if (length && access(path, X_OK) == 0)
			return 0;
		at += length + (at[length] == ':');
	}
	return gk_err_set(e, GK_ERR_INPUT, "%s: no such program in PATH", name);
}
