/*
 * The seccomp filters of candidates and of geak's own peers: everything is
 * allowed but a list. Two things need more than a list. Creations of processes and threads ask the
 * stub, which counts them: RLIMIT_NPROC exempts root, and root is what we are
 * in many containers. And without a pid namespace signals to others are
 * refused, since zygote and geak run under the same user.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"

#define NAMESPACE_FLAGS                                                                                      \
	((uint64_t)(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |               \
	            CLONE_NEWUTS | CLONE_NEWCGROUP))

/* clang-format off: groups, not one name a line */
static const char *const denied[] = {
	/* other processes and the kernel */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
	"pidfd_send_signal", "bpf", "perf_event_open", "userfaultfd", "kexec_load", "kexec_file_load", "init_module",
	"finit_module", "delete_module", "reboot", "syslog", "acct", "quotactl", "quotactl_fd", "iopl", "ioperm",
	"lookup_dcookie", "vhangup", "personality", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"process_mrelease", "seccomp", "modify_ldt", "uselib", "nfsservctl",
	/* keys, clocks, names */
	"keyctl", "add_key", "request_key", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex",
	"sethostname", "setdomainname", "swapon", "swapoff",
	/* mounts and namespaces */
	"mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "mount_setattr", "move_mount", "open_tree",
	"fsopen", "fsconfig", "fsmount", "fspick", "open_by_handle_at", "name_to_handle_at", "fanotify_init",
	/* what happens to files of others */
	"inotify_init", "inotify_init1", "fanotify_mark", "mknod", "mknodat",
	/* memory that no limit counts, and ways out of the box */
	"memfd_secret", "shmget", "shmat", "shmctl", "msgget", "semget", "mq_open", "mq_unlink", "connect", "accept",
	"accept4", "move_pages", "migrate_pages", "set_mempolicy_home_node",
};

/* NVIDIA's driver makes no context without a local socket that it binds and listens at, for sharing memory between
 * processes. Nobody is ever let in. */
static const char *const denied_without_device[] = {"socket", "bind", "listen"};

/* Only candidates without a device: peers hand over results in memory files, drivers share them with the kernel. */
static const char *const denied_to_candidates[] = {"memfd_create"};

/* A launcher's: what it needs is open. */
static const char *const starting[] = {"execve", "execveat", "fork", "vfork"};
/* clang-format on */

/* Landlock knows opening, making and removing, but not these: an owner could lock everybody out. */
static const char *const changes_of_files[] = {
	"chmod",        "fchmod",        "fchmodat",  "fchmodat2",  "chown",        "fchown",
	"lchown",       "fchownat",      "utime",     "utimes",     "futimesat",    "utimensat",
	"setxattr",     "lsetxattr",     "fsetxattr", "setxattrat", "removexattr",  "lremovexattr",
	"fremovexattr", "removexattrat", "truncate",  "truncate64", "file_setattr",
};

static int deny(scmp_filter_ctx filter, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		/* A name that this libseccomp does not know: the system call is newer than its tables. */
		if (number == __NR_SCMP_ERROR)
			continue;
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) < 0)
			return -1;
	}
	return 0;
}

#define DENY(names) deny(filter, names, sizeof(names) / sizeof(names)[0])

static int deny_when(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1, condition);
}

/*
 * Calls that are harmless but for one argument: a datagram socket of a pair reaches every socket with a name;
 * F_SETOWN and its like have the kernel send signals, also SIGKILL; the others type into terminals.
 */
static int deny_arguments(scmp_filter_ctx filter)
{
	static const unsigned sockets[] = {2, 3, 4}, ioctls[] = {0x5412, 0x541c, 0x541d, 0x8901, 0x8902, 0x5423};
	static const int fcntls[] = {8, 10, 15}; /* F_SETOWN, F_SETSIG, F_SETOWN_EX */
	int code = 0;

	for (size_t i = 0; i < 3; i++)
		code |= deny_when(filter, SCMP_SYS(socketpair), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, sockets[i]));
	for (size_t i = 0; i < 6; i++)
		code |= deny_when(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, ioctls[i]));
	for (size_t i = 0; i < 3; i++)
		code |= deny_when(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, (unsigned)fcntls[i]));
	/* Limits of others; getrlimit() is prlimit64(0, ..). */
	return code | deny_when(filter, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_NE, 0, 0));
}

/* The one socket that a driver makes: local, and no datagrams, which would reach every socket with a name. */
static int keep_sockets_in(scmp_filter_ctx filter)
{
	enum { LOCAL = 1, IN_SEQUENCE = 5, TYPES = 16 };
	int code = deny_when(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_NE, LOCAL, 0));

	for (unsigned type = 0; type < TYPES; type++)
		if (type != IN_SEQUENCE)
			code |= deny_when(filter, SCMP_SYS(socket), SCMP_A1(SCMP_CMP_MASKED_EQ, TYPES - 1, type));
	return code;
}

/* Priority and processors of others; one's own go by 0. By user or group they would be everybody's. */
static int keep_schedules_in(scmp_filter_ctx filter)
{
	static const int aimed[] = {SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam),
	                            SCMP_SYS(sched_setattr)};
	int code = deny_when(filter, SCMP_SYS(setpriority), SCMP_A0(SCMP_CMP_NE, 0, 0)) |
	           deny_when(filter, SCMP_SYS(setpriority), SCMP_A1(SCMP_CMP_NE, 0, 0)) |
	           deny_when(filter, SCMP_SYS(ioprio_set), SCMP_A1(SCMP_CMP_NE, 0, 0)) |
	           deny_when(filter, SCMP_SYS(ioprio_set), SCMP_A0(SCMP_CMP_NE, 1, 0));

	for (size_t i = 0; i < sizeof aimed / sizeof aimed[0]; i++)
		code |= deny_when(filter, aimed[i], SCMP_A0(SCMP_CMP_NE, 0, 0));
	return code;
}

static int deny_all(scmp_filter_ctx filter, const struct box_filter *wanted)
{
	if (DENY(denied) < 0 || deny_arguments(filter) != 0)
		return -1;
	if (wanted->has_device ? keep_sockets_in(filter) != 0 : DENY(denied_without_device) < 0)
		return -1;
	if (!wanted->is_peer && !wanted->has_device && DENY(denied_to_candidates) < 0)
		return -1;
	if (!wanted->is_peer && keep_schedules_in(filter) != 0)
		return -1;
	if (wanted->keep_files && DENY(changes_of_files) < 0)
		return -1;
	return wanted->no_programs ? DENY(starting) : 0;
}

static int keep_signals_in(scmp_filter_ctx filter)
{
	static const int aimed[] = {SCMP_SYS(kill), SCMP_SYS(tgkill), SCMP_SYS(rt_sigqueueinfo),
	                            SCMP_SYS(rt_tgsigqueueinfo)};
	scmp_datum_t self = (scmp_datum_t)getpid();

	for (size_t i = 0; i < sizeof aimed / sizeof aimed[0]; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), aimed[i], 1,
		                     SCMP_A0(SCMP_CMP_NE, self, 0)) < 0)
			return -1;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tkill), 0);
}

/* clone3 has its flags in memory, where they can change behind our back; glibc falls back to clone. */
static int guard_creations(scmp_filter_ctx filter, bool count, bool no_programs)
{
	static const int creating[] = {SCMP_SYS(clone), SCMP_SYS(fork), SCMP_SYS(vfork)};

	if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) < 0)
		return -1;
	for (size_t i = 0; count && i < sizeof creating / sizeof creating[0]; i++)
		if (seccomp_rule_add(filter, SCMP_ACT_NOTIFY, creating[i], 0) < 0)
			return -1;
	/* Threads are made with CLONE_THREAD, processes without. */
	if (no_programs && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
	                                    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) < 0)
		return -1;
	for (uint64_t flag = 1; !count && flag <= NAMESPACE_FLAGS; flag <<= 1)
		if (flag & NAMESPACE_FLAGS &&
		    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		                     SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)) < 0)
			return -1;
	return 0;
}

bool gk_box_filter_can_count(void)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int gk_box_filter(const struct box_filter *wanted, int *listener)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int code = -ENOMEM;

	*listener = -1;
	if (!filter)
		goto out;
	/* Calls of the 32-bit table would pass by the list. */
	code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	if (code == 0 && wanted->all_threads)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (code < 0 || deny_all(filter, wanted) < 0 ||
	    guard_creations(filter, wanted->count_creations, wanted->no_programs) < 0 ||
	    (!wanted->own_pids && keep_signals_in(filter) < 0)) {
		code = code < 0 ? code : -EINVAL;
		goto out;
	}
	code = seccomp_load(filter);
	if (code == 0 && wanted->count_creations)
		*listener = seccomp_notify_fd(filter);
out:
	if (filter)
		seccomp_release(filter);
	errno = code < 0 ? -code : 0;
	return code < 0 ? -1 : 0;
}

static void decide(const struct seccomp_notif *question, struct seccomp_notif_resp *answer, int64_t *left)
{
	answer->id = question->id;
	if (question->data.nr == SYS_clone && question->data.args[0] & NAMESPACE_FLAGS) {
		answer->error = -EPERM;
	} else if (*left <= 0) {
		answer->error = -EAGAIN;
	} else {
		--*left;
		answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	}
}

bool gk_box_filter_answer(int listener, int64_t *left)
{
	struct seccomp_notif *question = NULL;
	struct seccomp_notif_resp *answer = NULL;
	bool is_useful = true;

	if (seccomp_notify_alloc(&question, &answer) < 0)
		return false;
	/* The asker may be dead by now: no answer is due then. */
	if (seccomp_notify_receive(listener, question) < 0) {
		is_useful = errno == EINTR || errno == ENOENT || errno == ECANCELED;
	} else {
		decide(question, answer, left);
		seccomp_notify_respond(listener, answer);
	}
	seccomp_notify_free(question, answer);
	return is_useful;
}
