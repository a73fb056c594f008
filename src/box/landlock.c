/*
 * Landlock, by its three system calls. The numbers are the kernel's interface;
 * headers of older distributions lack the newer ones, so they stand here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
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

/* What we cannot open ourselves stays closed, what is not there is not missed. */
static int allow_if_there(int ruleset, const char *path, uint64_t rights)
{
	return allow(ruleset, path, rights) < 0 && errno != ENOENT && errno != EACCES ? -1 : 0;
}

/* Rules only add, so "/" cannot be allowed without /dev, where root could read and write whole disks, and /proc. */
static int allow_all(int ruleset, bool devices)
{
	DIR *root = opendir("/");
	struct dirent *entry;
	char path[300];
	int code = root ? 0 : -1;

	while (code == 0 && (entry = readdir(root))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "proc") == 0 ||
		    (strcmp(entry->d_name, "dev") == 0 && !devices))
			continue;
		snprintf(path, sizeof path, "/%s", entry->d_name);
		code = allow_if_there(ruleset, path, reading(path));
	}
	if (root)
		closedir(root);
	return code;
}

/* One path a line. */
static int allow_list(int ruleset, const char *list, uint64_t rights)
{
	char path[4096];
	int code = 0;

	for (const char *at = list; *at && code == 0;) {
		size_t length = strcspn(at, "\n");

		if (length && length < sizeof path) {
			memcpy(path, at, length);
			path[length] = '\0';
			code = allow_if_there(ruleset, path, rights ? rights : reading(path));
		}
		at += length + (at[length] == '\n');
	}
	return code;
}

static int allow_proc(int ruleset, bool is_own)
{
	static const char harmless[] = "/proc/self\n/proc/meminfo\n/proc/cpuinfo\n/proc/stat\n/proc/uptime\n/proc/loadavg\n"
				       "/proc/version\n/proc/filesystems\n/proc/sys";

	return allow_list(ruleset, is_own ? "/proc" : harmless, 0);
}

static int allow_devices(int ruleset, uint64_t all)
{
	static const char reading_only[] = "/dev/zero\n/dev/full\n/dev/random\n/dev/urandom";

	if (allow_list(ruleset, reading_only, FS_READ_FILE) < 0)
		return -1;
	return allow_if_there(ruleset, "/dev/null", (FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE) & all);
}

/* What a driver asks for besides: its own settings, and to name its threads. */
static int allow_nodes(int ruleset, const char *nodes, uint64_t all)
{
	static const char asked[] = "/proc/driver\n/proc/devices\n/proc/modules";

	if (allow_list(ruleset, nodes, (FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV) & all) < 0 ||
	    allow_list(ruleset, asked, 0) < 0)
		return -1;
	return allow_if_there(ruleset, "/proc/self", all);
}

static int add_rules(int ruleset, const struct box_paths *paths, uint64_t all)
{
	const uint64_t no_nodes =
		all & ~(uint64_t)(FS_MAKE_CHAR | FS_MAKE_BLOCK | FS_MAKE_SOCK | FS_IOCTL_DEV);

	if (paths->readable ? allow_list(ruleset, paths->readable, 0) < 0 : allow_all(ruleset, paths->devices) < 0)
		return -1;
	if (allow_proc(ruleset, paths->own_proc) < 0 || allow_devices(ruleset, all) < 0)
		return -1;
	/* A driver names its threads through /proc/self. */
	if (paths->devices && (allow_if_there(ruleset, "/dev", all) < 0 || allow_if_there(ruleset, "/proc/self", all) < 0))
		return -1;
	if (paths->nodes && allow_nodes(ruleset, paths->nodes, all) < 0)
		return -1;
	return paths->writable ? allow_list(ruleset, paths->writable, no_nodes) : 0;
}

int gk_box_landlock(const struct box_paths *paths)
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
	code = add_rules(ruleset, paths, wanted.fs);
	if (code == 0)
		code = (int)syscall(SYS_LANDLOCK_RESTRICT, ruleset, 0);
	saved = errno;
	close(ruleset);
	errno = saved;
	return code < 0 ? -1 : 0;
}
