/*
 * Landlock, by its three system calls. The numbers are the kernel's interface;
 * headers of older distributions lack the newer ones, so they stand here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "box.h"

#define SYS_LANDLOCK_CREATE   444
#define SYS_LANDLOCK_ADD      445
#define SYS_LANDLOCK_RESTRICT 446
#define CREATE_VERSION        1u
#define RULE_PATH_BENEATH     1

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_CHAR = 1 << 6,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10,
	FS_MAKE_BLOCK = 1 << 11,
	FS_MAKE_SYM = 1 << 12,
	FS_REFER = 1 << 13,     /* from 2 */
	FS_TRUNCATE = 1 << 14,  /* from 3 */
	FS_IOCTL_DEV = 1 << 15, /* from 5 */
	NET_ALL = 3,            /* TCP bind and connect, from 4 */
	SCOPE_ALL = 3,          /* abstract sockets and signals, from 6 */
};

struct ruleset {
	uint64_t fs, net, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t folder;
} __attribute__((packed));

int gk_box_landlock_abi(void)
{
	long abi = syscall(SYS_LANDLOCK_CREATE, NULL, 0, CREATE_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static uint64_t file_rights(int abi)
{
	uint64_t rights = (1u << 13) - 1;

	return rights | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
	       (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static int allow(int ruleset, const char *path, uint64_t rights)
{
	struct path_rule rule = {.allowed = rights};
	int code, saved;

	rule.folder = open(path, O_PATH | O_CLOEXEC);
	if (rule.folder < 0)
		return -1;
	code = (int)syscall(SYS_LANDLOCK_ADD, ruleset, RULE_PATH_BENEATH, &rule, 0);
	saved = errno;
	close(rule.folder);
	errno = saved;
	return code;
}

/* A file cannot get the rights of folders. */
static uint64_t reading(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return FS_EXECUTE | FS_READ_FILE | FS_READ_DIR;
	return FS_EXECUTE | FS_READ_FILE;
}

/* Rules only add, so "/" cannot be allowed without /dev, where root could read and write whole disks. */
static int allow_reading(int ruleset)
{
	DIR *root = opendir("/");
	struct dirent *entry;
	char path[300];
	int code = root ? 0 : -1;

	while (code == 0 && (entry = readdir(root))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "dev") == 0)
			continue;
		snprintf(path, sizeof path, "/%s", entry->d_name);
		/* What we cannot open ourselves stays closed. */
		if (allow(ruleset, path, reading(path)) < 0 && errno != ENOENT && errno != EACCES)
			code = -1;
	}
	if (root)
		closedir(root);
	return code;
}

static int allow_devices(int ruleset, uint64_t all)
{
	static const char *const devices[] = {"/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
	                                      "/dev/null"};
	uint64_t rights = FS_READ_FILE;

	for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
		if (i == 4)
			rights = (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE) & all;
		if (allow(ruleset, devices[i], rights) < 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

static int add_rules(int ruleset, const char *folder, uint64_t all)
{
	const uint64_t no_nodes =
		all & ~(uint64_t)(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_MAKE_SOCK | FS_IOCTL_DEV);

	if (allow_reading(ruleset) < 0 || allow_devices(ruleset, all) < 0)
		return -1;
	return folder ? allow(ruleset, folder, no_nodes) : 0;
}

int gk_box_landlock(const char *folder)
{
	int abi = gk_box_landlock_abi(), ruleset, code, saved;
	struct ruleset wanted = {file_rights(abi), abi >= 4 ? NET_ALL : 0, abi >= 6 ? SCOPE_ALL : 0};
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8; /* an older kernel refuses a longer struct */

	if (!abi) {
		errno = ENOSYS;
		return -1;
	}
	ruleset = (int)syscall(SYS_LANDLOCK_CREATE, &wanted, size, 0);
	if (ruleset < 0)
		return -1;
	code = add_rules(ruleset, folder, wanted.fs);
	if (code == 0)
		code = (int)syscall(SYS_LANDLOCK_RESTRICT, ruleset, 0);
	saved = errno;
	close(ruleset);
	errno = saved;
	return code < 0 ? -1 : 0;
}
