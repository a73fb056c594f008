/*
 * What this kernel lets us do, found out by doing it: a forked child enters
 * the namespaces, mounts, forks once more as PID 1, and reports. Asked for in
 * three sizes: everything, everything without a user namespace (root with
 * CAP_SYS_ADMIN), nothing.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "box.h"
#include "namespace.h"
#include "spawn.h"

#define SYS_PIDFD_OPEN 434

const char *gk_box_tmp_folder(const char *const *avoid)
{
	static const char *const folders[] = {"/dev/shm", "/mnt", "/media", "/srv", "/run", "/tmp"};

	for (size_t i = 0; i < gk_count_of(folders); i++) {
		size_t length = strlen(folders[i]);
		bool is_free = true;
		struct stat st;

		for (const char *const *a = avoid; a && *a; a++)
			if (gk_text_starts(*a, folders[i]) && ((*a)[length] == '/' || (*a)[length] == '\0'))
				is_free = false;
		if (is_free && stat(folders[i], &st) == 0 && S_ISDIR(st.st_mode))
			return folders[i];
	}
	return NULL;
}

/* 0, or the errno that stopped it. */
static int try_in_child(unsigned bits, const struct box_maps *maps)
{
	pid_t pid;
	int status = 0;

	if (gk_box_namespaces(bits, maps, gk_box_tmp_folder(NULL)) < 0)
		return errno;
	pid = fork();
	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(getpid() == 1 ? 0 : 1);
	if (waitpid(pid, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EPERM;
}

static int try_namespaces(unsigned bits)
{
	struct box_maps maps;
	int status = 0;
	pid_t pid;

	gk_box_maps_fill(&maps);
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(try_in_child(bits, &maps));
	if (waitpid(pid, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

static void find_namespaces(struct gk_box_facts *facts)
{
	const unsigned most = GK_NS_MOUNT | GK_NS_NET | GK_NS_IPC | GK_NS_PID;
	int with_user = try_namespaces(most | GK_NS_USER), without = 0;

	if (with_user != 0)
		without = geteuid() == 0 ? try_namespaces(most) : EPERM;
	facts->pid_namespace = with_user == 0 || without == 0;
	if (with_user == 0)
		facts->namespaces = (most | GK_NS_USER) & ~(unsigned)GK_NS_PID;
	else if (without == 0)
		facts->namespaces = most & ~(unsigned)GK_NS_PID;
	else
		snprintf(facts->why, sizeof facts->why, "no namespaces: %s", strerror(with_user));
}

static void name_tier(struct gk_box_facts *facts)
{
	size_t used = strlen(facts->why);

	facts->tier = facts->namespaces     ? "namespaces"
	              : facts->landlock_abi ? "landlock"
	              : facts->seccomp      ? "seccomp"
	                                    : "limits";
	if (!facts->landlock_abi)
		snprintf(facts->why + used, sizeof facts->why - used, "%sno Landlock in this kernel",
		         used ? "; " : "");
	used = strlen(facts->why);
	if (!facts->seccomp)
		snprintf(facts->why + used, sizeof facts->why - used, "%sno seccomp filters",
		         used ? "; " : "");
}

static void look(struct gk_box_facts *facts)
{
	uint32_t errno_action = SECCOMP_RET_ERRNO;
	int pidfd = (int)syscall(SYS_PIDFD_OPEN, getpid(), 0), subreaper;

	facts->pidfd = pidfd >= 0;
	if (pidfd >= 0)
		close(pidfd);
	facts->subreaper = prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) == 0;
	facts->landlock_abi = gk_box_landlock_abi();
	facts->seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &errno_action) == 0;
	facts->process_limit = facts->seccomp && gk_box_filter_can_count();
	find_namespaces(facts);
	name_tier(facts);
}

const struct gk_box_facts *gk_box_probe(void)
{
	static struct gk_box_facts facts;

	if (!facts.tier)
		look(&facts);
	return &facts;
}
