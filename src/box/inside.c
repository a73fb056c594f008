/*
 * What a candidate's process does to itself before it reads foreign code. The
 * order matters: mounts need capabilities, so they come before these are
 * dropped; Landlock forbids mounts, so it comes after them; the filter forbids
 * nearly all of this, so it comes last.
 */
#include "inside.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"

#define MAX_FILES       256
#define SYS_CLOSE_RANGE 436

struct setup {
	const struct gk_box_inside *inside;
	char *message;
	size_t message_bytes;
	int layers;
};

int gk_box_api(void)
{
	return GK_BOX_API;
}

static int failed(struct setup *s, const char *step)
{
	if (s->message && s->message_bytes)
		snprintf(s->message, s->message_bytes, "%s: %s", step, strerror(errno));
	return -1;
}

/* ---- limits ---- */

static int limit(int what, int64_t value)
{
	struct rlimit old, wanted = {(rlim_t)value, (rlim_t)value};

	if (getrlimit((__rlimit_resource_t)what, &old) == 0 && old.rlim_max < wanted.rlim_max)
		wanted = (struct rlimit){old.rlim_max, old.rlim_max}; /* never raised */
	return setrlimit((__rlimit_resource_t)what, &wanted);
}

/* Bytes that are mapped, and bytes of them that are private and writable. */
static void mapped_bytes(int64_t *all, int64_t *data)
{
	long long size = 0, private = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file && fscanf(file, "%lld %*s %*s %*s %*s %lld", &size, &private) != 2)
		size = private = 0;
	if (file)
		fclose(file);
	*all = size * sysconf(_SC_PAGESIZE);
	*data = private * sysconf(_SC_PAGESIZE);
}

static int set_limits(struct setup *s)
{
	const struct gk_box_inside *in = s->inside;
	int64_t all, data;

	mapped_bytes(&all, &data);
	if (in->cpu_s > 0 && limit(RLIMIT_CPU, in->cpu_s) < 0)
		return failed(s, "limit of processor time");
	if (in->memory_bytes > 0 &&
	    (limit(RLIMIT_AS, all + in->memory_bytes) < 0 || limit(RLIMIT_DATA, data + in->memory_bytes) < 0))
		return failed(s, "limit of memory");
	if (in->file_bytes > 0 && limit(RLIMIT_FSIZE, in->file_bytes) < 0)
		return failed(s, "limit of file size");
	if (in->processes > 0 && limit(RLIMIT_NPROC, in->processes) < 0)
		return failed(s, "limit of processes");
	/* One byte, not none: with none, a core_pattern that is a pipe is still fed. */
	if (limit(RLIMIT_CORE, 1) < 0 || limit(RLIMIT_MSGQUEUE, 0) < 0 || limit(RLIMIT_NOFILE, MAX_FILES) < 0)
		return failed(s, "limits");
	return 0;
}

/* ---- mounts ---- */

/* Honest code may write to /tmp by name. */
static void show_as_tmp(const char *folder)
{
	if (strcmp(folder, "/tmp") != 0)
		mount(folder, "/tmp", NULL, MS_BIND, NULL);
}

/* Not being allowed to is no failure: the layer is not there. Half of it would be one. */
static int set_mounts(struct setup *s)
{
	if (unshare(CLONE_NEWNS) < 0)
		return 0;
	unshare(CLONE_NEWIPC);
	if (unshare(CLONE_NEWUTS) == 0)
		s->layers |= GK_BOX_HAS_UTS;
	if (gk_box_mount_private() < 0) /* in a chroot the root is no mount: then nothing has changed */
		return errno == EINVAL ? 0 : failed(s, "private mounts");
	if (gk_box_mount_tmp(s->inside->tmp_folder, s->inside->file_bytes) < 0)
		return failed(s, "private mounts");
	if (s->inside->has_root) {
		s->layers |= GK_BOX_HAS_ROOT;
		show_as_tmp(s->inside->tmp_folder);
	}
	/* Where /proc has covered parts (containers) a fresh one is refused; the old one is read-only then. */
	if ((s->inside->nodes ? gk_box_mount_proc_of_driver() : gk_box_mount_proc()) == 0)
		s->layers |= GK_BOX_HAS_PROC;
	s->layers |= GK_BOX_HAS_MOUNT;
	return 0;
}

/* A namespace without interfaces but "lo" is ours; the zygote's spawner made it. */
static void look_at_net(struct setup *s)
{
	FILE *file = fopen("/proc/self/net/dev", "re");
	char line[256];
	int interfaces = 0;

	while (file && fgets(line, sizeof line, file))
		if (strchr(line, ':') && !strstr(line, " lo:"))
			interfaces++;
	if (file)
		fclose(file);
	if (file && !interfaces)
		s->layers |= GK_BOX_HAS_NET;
}

/* ---- descriptors and rights ---- */

static int by_number(const void *a, const void *b)
{
	return *(const int32_t *)a - *(const int32_t *)b;
}

static int close_between(int first, int last)
{
	if (first > last)
		return 0;
	if (syscall(SYS_CLOSE_RANGE, (unsigned)first, (unsigned)last, 0) == 0)
		return 0;
	for (int fd = first; fd <= last && fd < 65536; fd++)
		close(fd);
	return 0;
}

static int close_others(struct setup *s)
{
	int32_t keep[66];
	int count = 0, next = 3;

	for (int i = 0; i < s->inside->keep_count && count < 63; i++)
		keep[count++] = s->inside->keep_fds[i];
	if (s->inside->notify_fd >= 0)
		keep[count++] = s->inside->notify_fd;
	qsort(keep, (size_t)count, sizeof keep[0], by_number);
	for (int i = 0; i < count; i++) {
		close_between(next, keep[i] - 1);
		if (keep[i] >= next)
			next = keep[i] + 1;
	}
	return close_between(next, INT32_MAX);
}

int gk_box_drop_rights(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	for (int capability = 0; capability < 64; capability++) /* fails past the last one, and without the right */
		prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (int)syscall(SYS_capset, &head, none);
}

static int drop_rights(struct setup *s)
{
	if (gk_box_drop_rights() < 0)
		return failed(s, "dropping capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(s, "no_new_privs");
	return 0;
}

/* ---- Landlock, seccomp ---- */

static int set_landlock(struct setup *s)
{
	struct box_paths paths = {.readable = s->inside->readable,
	                          .writable = s->inside->tmp_folder,
	                          .nodes = s->inside->nodes,
	                          .own_proc = s->layers & GK_BOX_HAS_PROC};

	if (!gk_box_landlock_abi())
		return 0;
	if (gk_box_landlock(&paths) < 0)
		return failed(s, "Landlock");
	s->layers |= GK_BOX_HAS_LANDLOCK;
	return 0;
}

static int send_descriptor(int socket, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	char byte = 1;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
	return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int set_filter(struct setup *s)
{
	struct box_filter filter = {
		.own_pids = getpid() == 1,
		.keep_files = !(s->layers & GK_BOX_HAS_MOUNT),
		.count_creations = s->inside->notify_fd >= 0 && gk_box_filter_can_count(),
		.has_device = s->inside->nodes != NULL,
	};
	int listener = -1;

	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return 0; /* a kernel without */
	if (gk_box_filter(&filter, &listener) < 0)
		return failed(s, "seccomp");
	s->layers |= GK_BOX_HAS_SECCOMP;
	if (listener < 0)
		return 0;
	if (send_descriptor(s->inside->notify_fd, listener) < 0)
		return failed(s, "the stub does not listen");
	close(listener);
	s->layers |= GK_BOX_HAS_COUNT;
	return 0;
}

static int join_group(struct setup *s)
{
	if (s->inside->group < 0)
		return 0;
	if (gk_box_group_join(s->inside->group) < 0)
		return failed(s, "control group");
	close(s->inside->group);
	s->layers |= GK_BOX_HAS_GROUP;
	return 0;
}

static int check_needs(struct setup *s)
{
	int lacking = s->inside->need & ~s->layers;

	if (!lacking)
		return 0;
	if (s->message && s->message_bytes)
		snprintf(s->message, s->message_bytes, "layers %#x of the sandbox are missing", (unsigned)lacking);
	return -1;
}

int gk_box_inside_setup(const struct gk_box_inside *inside, char *message, int32_t message_bytes)
{
	struct setup s = {.inside = inside, .message = message, .message_bytes = (size_t)message_bytes};

	setsid(); /* kill(0, ..) must not reach the stub */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getpid() == 1)
		s.layers |= GK_BOX_HAS_PID;
	if (join_group(&s) < 0)
		return -1;
	close_others(&s);
	if (set_mounts(&s) < 0 || set_limits(&s) < 0)
		return -1;
	look_at_net(&s);
	if (drop_rights(&s) < 0 || set_landlock(&s) < 0 || set_filter(&s) < 0 || check_needs(&s) < 0)
		return -1;
	if (inside->notify_fd >= 0)
		close(inside->notify_fd);
	return s.layers;
}
