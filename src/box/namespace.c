#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "box.h"
#include "spawn.h"

void gk_box_maps_fill(struct box_maps *maps)
{
	snprintf(maps->user, sizeof maps->user, "0 %u 1\n", (unsigned)geteuid());
	snprintf(maps->group, sizeof maps->group, "0 %u 1\n", (unsigned)getegid());
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), saved;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int enter_user(const struct box_maps *maps)
{
	if (unshare(CLONE_NEWUSER) < 0)
		return -1;
	/* Groups can be mapped without privilege only once they can no longer be dropped. */
	if (write_to("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		return -1;
	if (write_to("/proc/self/uid_map", maps->user) < 0)
		return -1;
	return write_to("/proc/self/gid_map", maps->group);
}

int gk_box_namespaces(unsigned bits, const struct box_maps *maps, const char *tmp_folder)
{
	int flags = (bits & GK_NS_MOUNT ? CLONE_NEWNS : 0) | (bits & GK_NS_NET ? CLONE_NEWNET : 0) |
	            (bits & GK_NS_IPC ? CLONE_NEWIPC : 0) | (bits & GK_NS_PID ? CLONE_NEWPID : 0) |
	            (bits & GK_NS_UTS ? CLONE_NEWUTS : 0);

	if (bits & GK_NS_USER && enter_user(maps) < 0)
		return -1;
	if (flags && unshare(flags) < 0)
		return -1;
	if (!(bits & GK_NS_MOUNT))
		return 0;
	if (gk_box_mount_private() < 0)
		return -1;
	return tmp_folder ? gk_box_mount_tmp(tmp_folder, 0) : 0;
}
