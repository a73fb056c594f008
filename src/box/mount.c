/* Mounts of the sandbox. Only system calls: some of this runs between fork and exec. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"

#define SYS_MOUNT_SETATTR 442
#define ATTR_RDONLY       1
#define ATTR_NOSUID       2
#define RECURSIVE         0x8000 /* AT_RECURSIVE */

struct mount_attributes {
	uint64_t set, clear, propagation, user_namespace;
};

int gk_box_mount_read_only(const char *path)
{
	struct mount_attributes attributes = {.set = ATTR_RDONLY | ATTR_NOSUID};

	if (syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path, RECURSIVE, &attributes, sizeof attributes) == 0)
		return 0;
	/* Before Linux 5.12 there is no such call: Landlock alone keeps files from being written. */
	return errno == ENOSYS ? 0 : -1;
}

int gk_box_mount_private(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return gk_box_mount_read_only("/");
}

/* snprintf is not safe after a fork. */
static void put_number(char *at, int64_t value)
{
	char digits[24];
	int count = 0;

	do
		digits[count++] = (char)('0' + value % 10);
	while (value /= 10);
	while (count)
		*at++ = digits[--count];
	*at = '\0';
}

int gk_box_mount_tmp(const char *folder, int64_t bytes)
{
	char options[64] = "mode=1777,nr_inodes=16384,size=";

	put_number(options + 31, bytes > 0 ? bytes : (int64_t)256 << 20);
	return mount("geak", folder, "tmpfs", MS_NOSUID | MS_NODEV, options);
}

enum { PROC_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC };

int gk_box_mount_proc(void)
{
	/* Read-only: to root of a namespace that maps the real root, /proc/sys would be open. */
	return mount("proc", "/proc", "proc", MS_RDONLY | PROC_FLAGS, NULL);
}

int gk_box_mount_proc_of_driver(void)
{
	if (mount("proc", "/proc", "proc", PROC_FLAGS, NULL) < 0)
		return gk_box_mount_proc();
	if (mount("/proc/1", "/proc/1", NULL, MS_BIND, NULL) == 0 &&
	    mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | PROC_FLAGS, NULL) == 0)
		return 0;
	umount2("/proc", MNT_DETACH); /* never all of it writable */
	return gk_box_mount_proc();
}
