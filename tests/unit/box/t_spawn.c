#include "box/spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tap.h"

static int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* Runs a shell script; what it writes to fd 5 comes back. */
static int shell(struct gk_spawn *spawn, const char *script, char *said, size_t size, struct gk_child_end *end)
{
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	struct gk_child child;
	struct gk_err e;
	int ends[2];
	size_t used = 0;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		abort();
	spawn->argv = argv;
	gk_spawn_fd(spawn, ends[1], 5);
	if (gk_spawn(spawn, &child, &e) < 0) {
		printf("# %s\n", e.text);
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	close(ends[1]);
	while ((n = read(ends[0], said + used, size - 1 - used)) > 0)
		used += (size_t)n;
	said[used] = '\0';
	close(ends[0]);
	gk_child_reap(&child, true, end);
	return 0;
}

static void test_plain(void)
{
	static const char *const environment[] = {"GREETING=hello", NULL};
	struct gk_spawn spawn = {.environment = environment, .folder = "/usr"};
	struct gk_child_end end;
	char said[256];

	setenv("SECRET_OF_GEAK", "key", 1);
	is_int(shell(&spawn, "echo \"$GREETING $SECRET_OF_GEAK$(pwd)\" >&5; exit 7", said, sizeof said, &end), 0,
	       "a shell runs");
	is_text(said, "hello /usr\n", "with the environment and the folder that were given, nothing else");
	ok(!end.signaled && end.code == 7, "its exit status is reported");
}

static void test_descriptors(void)
{
	struct gk_spawn spawn = {0};
	struct gk_child_end end;
	char said[256];
	int leaked = open("/dev/zero", O_RDONLY); /* not close-on-exec, on purpose */
	int file = open("/dev/full", O_WRONLY | O_CLOEXEC);

	gk_spawn_fd(&spawn, file, 3);
	gk_spawn_fd(&spawn, 3, 4); /* numbers cross: ours of 3 becomes 4, another becomes 3 */
	is_int(shell(&spawn, "for f in /proc/self/fd/*; do readlink $f; done >&5 2>/dev/null", said, sizeof said, &end),
	       0, "a shell lists its descriptors");
	ok(strstr(said, "/dev/null\n/dev/null\n/dev/full\n") || strstr(said, "/dev/full"), "what was given is there");
	ok(!strstr(said, "/dev/zero") || leaked == 3, "what was not given is not");
	close(leaked);
	close(file);
}

static void test_failures(void)
{
	const char *argv[] = {"/nowhere/program", NULL};
	struct gk_spawn spawn = {.argv = argv};
	struct gk_child child;
	struct gk_err e = {0};
	int before = open_descriptors();

	ok(gk_spawn(&spawn, &child, &e) < 0, "a program that is not there is an error of the start");
	is_text(e.text, "/nowhere/program: starting the program: No such file or directory", "and says so");
	argv[0] = "/bin/sh";
	spawn.folder = "/nowhere";
	ok(gk_spawn(&spawn, &child, &e) < 0 && strstr(e.text, "working folder"), "so is a folder that is not there");
	is_int(child.pid, 0, "there is no child then");
	is_int(open_descriptors(), before, "and no descriptor is left");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "and no zombie");
}

static void test_limits(void)
{
	struct gk_spawn spawn = {.limits = {.files = 20}, .no_new_privileges = true};
	struct gk_child_end end;
	char said[256];

	shell(&spawn, "ulimit -n >&5; grep NoNewPrivs /proc/self/status >&5", said, sizeof said, &end);
	is_text(said, "20\nNoNewPrivs:\t1\n", "limits and no_new_privs hold");
}

static int count_sleepers(const char *word)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(folder))) {
		char path[300], line[256] = "";
		ssize_t n;
		int fd;

		snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
		fd = open(path, O_RDONLY);
		n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
		if (fd >= 0)
			close(fd);
		count += n > 0 && memmem(line, (size_t)n, word, strlen(word)) != NULL;
	}
	closedir(folder);
	return count;
}

static void test_tree_is_killed(void)
{
	/* A child, a grandchild in a session of its own, an orphan that ignores SIGTERM. */
	const char *argv[] = {"/bin/sh", "-c",
	                      "sleep 3571 & setsid sleep 3571 & (trap '' TERM; sleep 3571 & ) & wait", NULL};
	struct gk_spawn spawn = {.argv = argv};
	struct gk_child child;
	struct gk_err e;

	gk_box_adopt_orphans();
	is_int(gk_spawn(&spawn, &child, &e), 0, "a tree starts");
	for (int i = 0; i < 500 && count_sleepers("sleep\0" "3571") < 3; i++)
		usleep(10000);
	is_int(count_sleepers("3571") >= 3, 1, "it has members");
	gk_child_kill(&child);
	is_int(count_sleepers("3571"), 0, "none of them is left after the kill");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "nor as a zombie");
	gk_child_kill(&child);
	is_int(child.pid, 0, "killing twice is fine");
}

/* The program that replaces the shell knows nothing of the shell's child. */
static void test_zombie_in_tree(void)
{
	const char *argv[] = {"/bin/sh", "-c", "(exit 0) & exec sleep 3573", NULL};
	struct gk_spawn spawn = {.argv = argv};
	struct gk_child child;
	struct gk_err e;

	is_int(gk_spawn(&spawn, &child, &e), 0, "a tree with a zombie starts");
	usleep(300000);
	gk_child_kill(&child);
	is_int(waitpid(-1, NULL, WNOHANG), -1, "the zombie is reaped as well");
}

static void test_dies_with_parent(void)
{
	int status;
	pid_t middle = fork();

	if (middle == 0) {
		const char *argv[] = {"/bin/sleep", "3572", NULL};
		struct gk_spawn spawn = {.argv = argv};
		struct gk_child child;
		struct gk_err e;

		gk_spawn(&spawn, &child, &e);
		_exit(0);
	}
	waitpid(middle, &status, 0);
	for (int i = 0; i < 500 && count_sleepers("3572"); i++)
		usleep(10000);
	is_int(count_sleepers("3572"), 0, "a child dies with its parent");
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

static void test_namespaces(void)
{
	const struct gk_box_facts *facts = gk_box_probe();
	struct gk_spawn spawn = {.namespaces = facts->namespaces, .tmp_folder = gk_box_tmp_folder(NULL)};
	struct gk_child_end end;
	char said[1024], script[512];

	printf("# tier %s, namespaces %u, Landlock %d%s%s\n", facts->tier, facts->namespaces, facts->landlock_abi,
	       *facts->why ? ", " : "", facts->why);
	if (!facts->namespaces) {
		skip("namespaces", facts->why);
		return;
	}
	snprintf(script, sizeof script,
	         "touch /var/tmp/geak-test-escape 2>/dev/null && echo wrote >&5; "
	         "echo x > %s/own && cat %s/own >&5; tail -n +3 /proc/self/net/dev | grep -vc ' lo:' >&5",
	         spawn.tmp_folder, spawn.tmp_folder);
	is_int(shell(&spawn, script, said, sizeof said, &end), 0, "a shell runs in namespaces");
	is_text(said, "x\n0\n", "it can write to its own folder only, and has no network");
	snprintf(script, sizeof script, "%s/own", spawn.tmp_folder);
	ok(!gk_path_exists(script), "what it wrote is gone with it");
}

static void test_tmp_folder(void)
{
	const char *avoid[] = {"/dev/shm/checkout", "/usr/bin/python3", NULL};
	const char *plain = gk_box_tmp_folder(NULL), *other = gk_box_tmp_folder(avoid);

	ok(plain && other, "there is a folder to cover");
	ok(strcmp(other, "/dev/shm") != 0, "a folder that holds what is needed is not covered");
}

int main(void)
{
	test_plain();
	test_descriptors();
	test_failures();
	test_limits();
	test_tree_is_killed();
	test_zombie_in_tree();
	test_dies_with_parent();
	test_namespaces();
	test_tmp_folder();
	return done_testing();
}
