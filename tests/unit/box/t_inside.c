/* The sandbox from within: a stub and an inside per scenario, as the zygote makes them, but in C. */
#include "box/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "box/spawn.h"
#include "tap.h"

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#ifndef ADDRESS_SANITIZER
#define ADDRESS_SANITIZER 0
#endif

struct outcome {
	struct gk_box_stub stub;
	int layers, wait_code, children_left;
};

static const char *tmp_folder;
static const char *nodes; /* of a device, for who has one */
static char victim[64]; /* a file of ours that nobody may change */
static char words[256];
static bool is_plain; /* as in a container without CAP_SYS_ADMIN */

static void drop_admin(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &head, data);
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
	data[0].inheritable = 0;
	syscall(SYS_capset, &head, data);
}

static void be_inside(int notify, int report, void (*scenario)(void))
{
	int32_t keep[] = {report};
	struct gk_box_inside inside = {.keep_fds = keep,
	                               .keep_count = 1,
	                               .notify_fd = notify,
	                               .tmp_folder = tmp_folder,
	                               .group = -1,
	                               .nodes = nodes,
	                               .cpu_s = 20,
	                               .memory_bytes = ADDRESS_SANITIZER ? 0 : (int64_t)1 << 30,
	                               .file_bytes = 1 << 20,
	                               .processes = 4000};
	int layers = gk_box_inside_setup(&inside, words, sizeof words);

	if (layers < 0)
		dprintf(1, "# %s\n", words);
	if (write(report, &layers, sizeof layers) != sizeof layers || layers < 0)
		_exit(99);
	close(report);
	scenario();
	_exit(0);
}

static void be_stub(int result, void (*scenario)(void), struct gk_box_stub settings)
{
	struct outcome o = {.stub = settings};
	int pair[2], report[2];
	pid_t pid;

	if (is_plain)
		drop_admin();
	gk_box_stub_enter();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(report, O_CLOEXEC) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		be_inside(pair[1], report[1], scenario);
	}
	close(pair[1]);
	close(report[1]);
	o.stub.pid = pid;
	o.stub.notify_fd = pair[0];
	o.stub.stop_fd = -1;
	o.wait_code = gk_box_stub_wait(&o.stub);
	if (read(report[0], &o.layers, sizeof o.layers) != sizeof o.layers)
		o.layers = -2;
	o.children_left = waitpid(-1, NULL, WNOHANG) != -1;
	_exit(write(result, &o, sizeof o) == sizeof o ? 0 : 1);
}

static struct outcome play(void (*scenario)(void), struct gk_box_stub settings)
{
	struct outcome o = {.layers = -3};
	int ends[2];
	pid_t pid;

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0)
		be_stub(ends[1], scenario, settings);
	close(ends[1]);
	if (read(ends[0], &o, sizeof o) != sizeof o)
		o.layers = -4;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return o;
}

#define REFUSED(call, code) (errno = 0, (long)(call) == -1 && errno == (code))
#define MUST(number, holds) \
	if (!(holds))       \
	_exit(number)

/* ---- scenarios: exit 0 when the sandbox held ---- */

static void nothing(void)
{
}

static void try_everything(void)
{
	MUST(10, REFUSED(socket(AF_INET, SOCK_STREAM, 0), EPERM));
	MUST(11, REFUSED(socket(AF_UNIX, SOCK_STREAM, 0), EPERM));
	MUST(12, REFUSED(ptrace(PTRACE_TRACEME, 0, 0, 0), EPERM));
	MUST(13, REFUSED(unshare(CLONE_NEWUSER), EPERM));
	MUST(14, REFUSED(mount("none", "/", NULL, MS_REMOUNT, NULL), EPERM));
	MUST(15, REFUSED(memfd_create("x", 0), EPERM));
	MUST(16, REFUSED(syscall(SYS_bpf, 0, NULL, 0), EPERM));
	MUST(17, REFUSED(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EPERM));
	MUST(18, REFUSED(syscall(SYS_userfaultfd, 0), EPERM));
	MUST(19, REFUSED(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM));
	MUST(20, REFUSED(syscall(SYS_io_uring_setup, 1, NULL), EPERM));
	MUST(21, REFUSED(syscall(SYS_clone3, NULL, 0), ENOSYS));
	MUST(22, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == -1);
	MUST(23, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void try_files(void)
{
	char path[128];
	int fd;

	MUST(10, open("/etc/geak-test", O_WRONLY | O_CREAT, 0600) == -1);
	MUST(11, open("/var/tmp/geak-test", O_WRONLY | O_CREAT, 0600) == -1);
	MUST(12, unlink("/etc/hostname") == -1);
	MUST(13, rename("/etc/hostname", "/etc/hostname2") == -1);
	MUST(14, open("/proc/self/mem", O_RDWR) == -1);
	MUST(15, open("/etc/passwd", O_RDONLY) >= 0);
	snprintf(path, sizeof path, "%s/geak-test-own", tmp_folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	MUST(16, fd >= 0 && write(fd, "x", 1) == 1);
	signal(SIGXFSZ, SIG_IGN);
	MUST(17, pwrite(fd, "x", 1, 2 << 20) == -1);
	MUST(18, unlink(path) == 0);
	fd = open("/dev/null", O_WRONLY);
	MUST(19, fd >= 0 && write(fd, "x", 1) == 1);
}

/* What Landlock has no word for. */
static void try_attributes(void)
{
	MUST(10, chmod(victim, 0) == -1);
	MUST(11, chown(victim, 1, 1) == -1);
	MUST(12, utimensat(AT_FDCWD, victim, NULL, 0) == -1);
	MUST(13, truncate(victim, 0) == -1);
	MUST(14, setxattr(victim, "user.geak", "x", 1, 0) == -1);
	MUST(15, link(victim, "/tmp/geak-test-link") == -1);
}

static void try_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;

	MUST(10, folder != NULL);
	while ((entry = readdir(folder))) {
		int number = atoi(entry->d_name);

		MUST(11, number <= 2 || number == dirfd(folder));
	}
}

static void try_signals(void)
{
	MUST(10, kill(getppid() ? getppid() : 12345678, 0) == -1);
	MUST(11, kill(-1, 0) == -1);
	MUST(12, kill(getpid(), 0) == 0);
}

static void fork_bomb(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid < 0 && getpid() == 1)
			break;
		if (pid < 0)
			for (;;)
				pause();
	}
}

static void fork_bomb_that_stays(void)
{
	for (int i = 0; i < 100000; i++)
		if (fork() < 0)
			usleep(1000);
}

static void leave_a_daemon(void)
{
	if (fork() == 0) {
		setsid();
		signal(SIGTERM, SIG_IGN);
		if (fork() == 0)
			for (;;)
				pause();
		_exit(0);
	}
	usleep(50000);
}

static void spin(void)
{
	for (volatile int i = 0;; i++)
		continue;
}

static void take_memory(void)
{
	MUST(10, mmap(NULL, (size_t)100 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	                 MAP_FAILED);
	MUST(11, mmap(NULL, (size_t)100 << 30, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ==
	                 MAP_FAILED);
}

/* Each of them keeps within its own limit; only the sum does not. */
static void share_memory_hunger(void)
{
	for (int i = 0; i < 8; i++) {
		char *bytes;

		if (fork())
			continue;
		bytes = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (size_t at = 0; at < 64 << 20; at += 4096)
			bytes[at] = 1;
		pause();
	}
	pause();
}

static void segfault(void)
{
	signal(SIGSEGV, SIG_DFL); /* a sanitizer has its own handler */
	*(volatile int *)(uintptr_t)sysconf(_SC_PAGESIZE) = 1; /* mmap_min_addr keeps it unmapped */
}

/* As a driver does: a thread is named through /proc, and the rest of it stays as it is. */
static void name_a_thread(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%ld/comm", syscall(SYS_gettid));
	fd = open(path, O_WRONLY);
	MUST(40, fd >= 0 && write(fd, "named", 5) == 5);
	MUST(41, open("/proc/sys/vm/drop_caches", O_WRONLY) == -1);
	MUST(42, open("/proc/sys/kernel/hostname", O_WRONLY) == -1);
	MUST(43, open("/proc/sysrq-trigger", O_WRONLY) == -1);
	MUST(44, open("/dev/null", O_RDWR) >= 0);
}

/* Its driver listens at a socket; that is the only one. */
static void listen_as_a_driver(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "\0geak-t-inside"};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	MUST(50, fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
	MUST(51, REFUSED(connect(fd, (struct sockaddr *)&at, sizeof at), EPERM));
	MUST(52, REFUSED(accept(fd, NULL, NULL), EPERM));
	MUST(53, REFUSED(socket(AF_UNIX, SOCK_DGRAM, 0), EPERM));
	MUST(54, REFUSED(socket(AF_UNIX, SOCK_STREAM, 0), EPERM));
	MUST(55, REFUSED(socket(AF_INET, SOCK_SEQPACKET, 0), EPERM));
	MUST(56, REFUSED(socket(AF_INET6, SOCK_STREAM, 0), EPERM));
}

/* ---- tests ---- */

static void expect_clean(const char *name, const struct outcome *o)
{
	char text[128];

	snprintf(text, sizeof text, "%s: exit 0, tree gone", name);
	if (!ok(o->wait_code == 0 && !o->stub.signaled && o->stub.code == 0 && !o->children_left, text))
		printf("# wait %d signaled %d code %d layers %d\n", o->wait_code, o->stub.signaled, o->stub.code,
		       o->layers);
}

static void test_tier(void)
{
	struct outcome o = play(nothing, (struct gk_box_stub){0});

	printf("# layers %d\n", o.layers);
	expect_clean("nothing", &o);
	if (!(o.layers & GK_BOX_HAS_SECCOMP)) {
		skip("the filter", "no seccomp here");
	} else {
		o = play(try_everything, (struct gk_box_stub){0});
		expect_clean("forbidden calls are refused", &o);
	}
	if (o.layers & (GK_BOX_HAS_LANDLOCK | GK_BOX_HAS_MOUNT)) {
		o = play(try_files, (struct gk_box_stub){0});
		expect_clean("nothing can be written but the own folder", &o);
		o = play(try_attributes, (struct gk_box_stub){0});
		expect_clean("mode, owner, times, size and attributes of files cannot be changed", &o);
	} else {
		skip("files", "neither mounts nor Landlock here");
	}
	o = play(try_descriptors, (struct gk_box_stub){0});
	expect_clean("no descriptor is open but those listed", &o);
	if (o.layers & (GK_BOX_HAS_PID | GK_BOX_HAS_SECCOMP)) {
		o = play(try_signals, (struct gk_box_stub){0});
		expect_clean("others cannot be signalled", &o);
	}
	o = play(leave_a_daemon, (struct gk_box_stub){0});
	expect_clean("a daemon that was left behind is gone", &o);
	o = play(segfault, (struct gk_box_stub){0});
	ok(o.stub.signaled && o.stub.code == SIGSEGV, "a segmentation fault is reported as one");
	o = play(spin, (struct gk_box_stub){.wall_ms = 200});
	ok(o.stub.signaled && o.stub.code == SIGKILL && o.stub.timed_out, "an endless loop ends at the deadline");
}

static void test_driver(void)
{
	struct outcome o;

	nodes = "/dev/null";
	o = play(listen_as_a_driver, (struct gk_box_stub){0});
	if (o.layers & GK_BOX_HAS_SECCOMP)
		expect_clean("who has a device can listen as its driver does, and reach nobody", &o);
	else
		skip("sockets of who has a device", "no seccomp here");
	o = play(name_a_thread, (struct gk_box_stub){0});
	nodes = NULL;
	if (o.layers & GK_BOX_HAS_LANDLOCK)
		expect_clean("who has a device can name threads, and write nothing else of /proc", &o);
	else
		skip("/proc of who has a device", "no Landlock here");
}

static void test_creations(void)
{
	struct outcome o = play(fork_bomb, (struct gk_box_stub){.max_creations = 30, .wall_ms = 20000});

	if (!(o.layers & GK_BOX_HAS_COUNT)) {
		skip("creations are counted", "no seccomp notification here");
		return;
	}
	is_int(o.stub.creations, 30, "a fork bomb gets as many processes as allowed");
	ok(!o.children_left, "and they are gone");
	o = play(fork_bomb_that_stays, (struct gk_box_stub){.max_creations = 30, .wall_ms = 500});
	ok(o.stub.timed_out && o.stub.creations <= 30 && !o.children_left, "one that stays is killed at the deadline");
}

static void fill_the_folder(void)
{
	char path[128], block[4096] = "x";

	for (int i = 0; i < 200; i++) {
		int fd;

		snprintf(path, sizeof path, "%s/geak-test-%d", tmp_folder, i);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		for (int k = 0; fd >= 0 && k < 128; k++)
			if (write(fd, block, sizeof block) < 0)
				break;
		close(fd);
		usleep(5000);
	}
}

static void test_disk(void)
{
	char own[] = "/tmp/geak-t-disk-XXXXXX";
	struct outcome o;
	const char *old = tmp_folder;

	tmp_folder = mkdtemp(own);
	o = play(fill_the_folder, (struct gk_box_stub){.tmp_folder = own, .tmp_bytes = 4 << 20, .wall_ms = 20000});
	if (o.layers & GK_BOX_HAS_MOUNT)
		ok(!o.stub.signaled && !o.stub.over_disk, "a folder with a mount of its own has a size of its own");
	else
		ok(o.stub.over_disk && o.stub.signaled, "who fills a folder is stopped");
	gk_tree_remove(own, &(struct gk_err){0});
	tmp_folder = old;
}

static void test_memory(void)
{
	struct outcome o;

	if (ADDRESS_SANITIZER) {
		skip("memory", "address space limits and the address sanitizer exclude each other");
		return;
	}
	o = play(take_memory, (struct gk_box_stub){0});
	expect_clean("100 GB are refused, private or shared", &o);
	o = play(share_memory_hunger, (struct gk_box_stub){.memory_bytes = 200 << 20, .wall_ms = 20000});
	ok(o.stub.over_memory && !o.children_left, "a tree that takes too much together is killed");
}

int main(void)
{
	tmp_folder = gk_box_tmp_folder(NULL);
	is_int(gk_box_api(), GK_BOX_API, "library and header are of one version");
	snprintf(victim, sizeof victim, "/tmp/geak-t-victim-%d", (int)getpid());
	close(open(victim, O_WRONLY | O_CREAT, 0600));
	test_tier();
	test_driver();
	test_creations();
	test_memory();
	test_disk();
	is_plain = true;
	printf("# without CAP_SYS_ADMIN\n");
	test_tier();
	test_driver();
	test_creations();
	test_disk();
	unlink(victim);
	return done_testing();
}
