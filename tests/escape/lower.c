/*
 * lower LEVEL COMMAND...: runs a command as on a machine that lets less be done, so that the sandbox's lower levels
 * can be tried out anywhere. "landlock": no namespaces and no mounts, as in a default Docker container;
 * "seccomp": no Landlock either; "limits": no filters either. The kernel refuses, nothing in geak is told.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refuse_names(scmp_filter_ctx filter, const char *const *names, int error)
{
	for (; *names; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		if (number != __NR_SCMP_ERROR && seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), number, 0) < 0)
			return -1;
	}
	return 0;
}

static int refuse_namespaces(scmp_filter_ctx filter)
{
	static const char *const names[] = {"unshare",  "setns",      "mount",      "umount2", "pivot_root", "mount_setattr",
	                                    "fsopen",   "open_tree",  "move_mount", "fsmount", "chroot",     NULL};
	const unsigned flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS};

	if (refuse_names(filter, names, EPERM) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0)
		return -1;
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		                     SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i])) < 0)
			return -1;
	return 0;
}

/* Landlock's numbers: older tables do not have the names. */
static int refuse_landlock(scmp_filter_ctx filter)
{
	for (int number = 444; number <= 446; number++)
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0) < 0)
			return -1;
	return 0;
}

static int refuse_filters(scmp_filter_ctx filter)
{
	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(seccomp), 0) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) < 0)
		return -1;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
	                        SCMP_A0(SCMP_CMP_EQ, PR_GET_SECCOMP, 0));
}

/* Docker's default set of capabilities has none of these either. */
static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const int dropped[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_TIME,
	                       CAP_NET_ADMIN, CAP_SYS_RESOURCE, CAP_SYS_NICE, CAP_IPC_LOCK, CAP_DAC_READ_SEARCH};

	if (syscall(SYS_capget, &head, data) < 0)
		return;
	for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
		prctl(PR_CAPBSET_DROP, dropped[i], 0, 0, 0);
		data[dropped[i] / 32].permitted &= ~(1u << dropped[i] % 32);
	}
	for (int i = 0; i < 2; i++) {
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	syscall(SYS_capset, &head, data);
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	const char *level = argc > 2 ? argv[1] : "";
	int lowest = strcmp(level, "limits") == 0, lower = lowest || strcmp(level, "seccomp") == 0;

	if (!filter || (!lower && strcmp(level, "landlock") != 0)) {
		dprintf(2, "usage: lower landlock|seccomp|limits COMMAND...\n");
		return 2;
	}
	if (refuse_namespaces(filter) < 0 || (lower && refuse_landlock(filter) < 0) ||
	    (lowest && refuse_filters(filter) < 0) || seccomp_load(filter) < 0) {
		dprintf(2, "lower: no filter can be installed here\n");
		return 2;
	}
	drop_capabilities();
	execvp(argv[2], argv + 2);
	dprintf(2, "lower: %s: %s\n", argv[2], strerror(errno));
	return 127;
}
