/* Roots of one's own, the confinement of peers, control groups: each in a forked child, which exits 0 when it held. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "box/box.h"
#include "box/inside.h"
#include "box/spawn.h"
#include "tap.h"

#define MUST(number, holds) \
	if (!(holds))       \
	_exit(number)
#define REFUSED(call, code) (errno = 0, (long)(call) == -1 && errno == (code))

static char words[256];
static char folder[64], kept[80], link_to[80];

static int play(void (*scenario)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		scenario();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- a root ---- */

static void enter_root(void)
{
	char readable[256];
	struct stat st;

	snprintf(readable, sizeof readable, "%s\n/no/such/path\n%s\n/etc/passwd", link_to, kept);
	MUST(50, gk_box_root(readable, "/var/tmp", words, sizeof words) == GK_BOX_HAS_ROOT);
	MUST(10, access(kept, R_OK) == 0);
	MUST(11, access(link_to, R_OK) == 0 && lstat(link_to, &st) == 0 && S_ISLNK(st.st_mode));
	MUST(12, access("/etc/passwd", R_OK) == 0 && access("/etc/group", F_OK) == -1);
	MUST(13, access("/usr", F_OK) == -1 && access("/home", F_OK) == -1);
	MUST(14, open(kept, O_WRONLY) == -1 && open("/new", O_WRONLY | O_CREAT, 0600) == -1);
	MUST(15, open("/var/tmp/new", O_WRONLY | O_CREAT, 0600) >= 0);
	MUST(16, open("/dev/null", O_WRONLY) >= 0 && open("/dev/urandom", O_RDONLY) >= 0);
	MUST(17, access("/dev/kmsg", F_OK) == -1 && access("/dev/mem", F_OK) == -1);
	MUST(18, access("/proc/self/status", R_OK) == 0);
	MUST(19, access("../../../../../../etc/group", F_OK) == -1);
}

static void test_root(void)
{
	int code;

	if (!gk_box_probe()->root || geteuid() != 0) {
		skip("a root of one's own", "no mounts here");
		return;
	}
	code = play(enter_root);
	if (!ok(code == 0, "a root holds what is named, links included, and nothing else; only the one folder is writable"))
		printf("# step %d\n", code);
	ok(access("/var/tmp/new", F_OK) == -1, "what is written there is seen by nobody else");
}

/* ---- peers ---- */

static void *do_nothing(void *ctx)
{
	return ctx;
}

static void be_launcher(void)
{
	struct gk_box_peer peer = {.readable = "/etc/passwd"};
	char *const arguments[] = {(char *)(uintptr_t) "true", NULL};
	int open_before = open("/etc/group", O_RDONLY), pair[2];
	pthread_t thread;

	MUST(50, gk_box_confine(&peer, words, sizeof words) >= 0);
	MUST(10, REFUSED(execv("/bin/true", arguments), EPERM));
	MUST(11, fork() == -1);
	MUST(12, pthread_create(&thread, NULL, do_nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
	MUST(13, REFUSED(socket(AF_UNIX, SOCK_STREAM, 0), EPERM) && REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM));
	MUST(14, REFUSED(ptrace(PTRACE_TRACEME, 0, 0, 0), EPERM) && kill(getppid(), 0) == -1);
	MUST(15, memfd_create("output", MFD_ALLOW_SEALING) >= 0);
	MUST(16, read(open_before, pair, 4) == 4);
	if (gk_box_landlock_abi()) {
		MUST(17, open("/etc/passwd", O_RDONLY) >= 0 && open("/etc/group", O_RDONLY) == -1);
		MUST(18, open(kept, O_WRONLY) == -1);
	}
	MUST(19, getuid() != 0 || chown("/etc/passwd", 0, 0) == -1);
}

static void be_lowering(void)
{
	struct gk_box_peer peer = {.may_run = 1, .writable = folder};
	char *const arguments[] = {(char *)(uintptr_t) "true", NULL};
	char path[128];
	int status;
	pid_t pid;

	MUST(50, gk_box_confine(&peer, words, sizeof words) >= 0);
	pid = fork();
	if (pid == 0) {
		execv("/bin/true", arguments);
		_exit(1);
	}
	MUST(10, pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	snprintf(path, sizeof path, "%s/made", folder);
	MUST(11, open(path, O_WRONLY | O_CREAT, 0600) >= 0 && unlink(path) == 0);
	MUST(12, !gk_box_landlock_abi() || open("/var/tmp/geak-t-made", O_WRONLY | O_CREAT, 0600) == -1);
	MUST(13, REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM));
}

static void be_driver(void)
{
	struct gk_box_peer peer = {.has_device = 1, .writable = "/tmp"};

	MUST(50, gk_box_confine(&peer, words, sizeof words) >= 0);
	MUST(10, open("/dev/null", O_RDWR) >= 0 && open("/dev/zero", O_RDWR) >= 0);
	MUST(11, open("/etc/passwd", O_RDONLY) >= 0);
	MUST(12, !gk_box_landlock_abi() || open("/var/tmp/geak-t-made", O_WRONLY | O_CREAT, 0600) == -1);
	MUST(13, open("/proc/self/comm", O_RDWR) >= 0);
	MUST(14, fork() == -1);
}

static void test_peers(void)
{
	static const struct {
		void (*scenario)(void);
		const char *what;
	} cases[] = {{be_launcher, "a launcher has no programs, processes, sockets or files, but threads and memory files"},
	             {be_lowering, "a lowering runs its assembler and writes into its folder, and that is all"},
	             {be_driver, "a GPU's launcher keeps its devices and writes to temporary folders"}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int code;

		if (!gk_box_probe()->seccomp) {
			skip(cases[i].what, "no filters here");
			continue;
		}
		code = play(cases[i].scenario);
		if (!ok(code == 0, cases[i].what))
			printf("# step %d\n", code);
	}
}

/* ---- control groups ---- */

static void test_group(void)
{
	struct gk_box_group group;
	char path[8300];
	int leaf;
	pid_t pid;

	gk_box_group_open(&group);
	if (group.fd < 0) {
		skip("control groups", "none can be made here");
		return;
	}
	leaf = gk_box_group_leaf(group.fd, 7, 64 << 20, 10);
	snprintf(path, sizeof path, "%s/c7", group.path);
	ok(leaf >= 0 && access(path, F_OK) == 0, "a candidate's group is made");
	pid = fork();
	if (pid == 0) {
		if (gk_box_group_join(leaf) < 0)
			_exit(1);
		if (fork() == 0)
			setsid();
		for (;;)
			pause();
	}
	usleep(100000);
	is_int(gk_box_group_end(group.fd, 7, leaf), 0, "nobody was ended for memory");
	waitpid(pid, NULL, 0);
	ok(access(path, F_OK) == -1, "everybody in it is killed and it is removed");
	gk_box_group_close(&group);
	ok(access(group.path, F_OK) == -1, "and so is the whole");
}

/* ---- what is asked for ---- */

static void test_strict(void)
{
	struct gk_box_facts poor = {.tier = "landlock", .missing = "a root of its own, a /proc of its own", .why = "no namespaces"};
	struct gk_box_facts rich = {.tier = "namespaces"};
	struct gk_err e = {0};

	is_int(gk_box_check_strict(&rich, &e), 0, "strict containment is had where nothing is missing");
	ok(gk_box_check_strict(&poor, &e) < 0 && e.kind == GK_ERR_INPUT, "and refused where something is");
	is_text(e.text,
	       "--containment strict: this machine lacks a root of its own, a /proc of its own (no namespaces); the level here is \"landlock\"",
	       "with what is missing, in one line");
	ok(strstr(gk_box_describe(), gk_box_probe()->tier) != NULL, "the fact tells the level");
}

int main(void)
{
	snprintf(folder, sizeof folder, "/tmp/geak-t-peer-XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(kept, sizeof kept, "%s/kept", folder);
	snprintf(link_to, sizeof link_to, "%s/link", folder);
	close(open(kept, O_WRONLY | O_CREAT, 0600));
	if (symlink("kept", link_to) < 0)
		return 1;
	test_root();
	test_peers();
	test_group();
	test_strict();
	gk_tree_remove(folder, &(struct gk_err){0});
	return done_testing();
}
