/*
 * What this kernel lets us do, found out by doing it: a forked child enters
 * the namespaces, mounts, forks once more as PID 1, and reports. Asked for in
 * three sizes: everything, everything without a user namespace (root with
 * CAP_SYS_ADMIN), nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "box.h"
#include "inside.h"
#include "namespace.h"
#include "spawn.h"

#define SYS_PIDFD_OPEN 434

const char *gk_box_tmp_folder(const char *const *avoid)
{
	static const char *const folders[] = {"/dev/shm", "/mnt", "/media", "/srv", "/run", "/tmp"};

	for (size_t i = 0; i < gk_count_of(folders); i++) {
		size_t length = strlen(folders[i]);
		bool is_free = true;
		struct stat st;

		for (const char *const *a = avoid; a && *a; a++)
			if (gk_text_starts(*a, folders[i]) && ((*a)[length] == '/' || (*a)[length] == '\0'))
				is_free = false;
		if (is_free && stat(folders[i], &st) == 0 && S_ISDIR(st.st_mode))
			return folders[i];
	}
	return NULL;
}

enum { FOUND_ROOT = 1, FOUND_PROC = 2 };

struct trial {
	int error; /* what stopped it, or 0 */
	int found;
};

/* As PID 1: what inside does. */
_Noreturn static void be_inside(int result, const char *tmp_folder)
{
	char words[64];
	int found = 0;

	if (getpid() != 1)
		_exit(1);
	if (gk_box_root("", tmp_folder, words, sizeof words) == GK_BOX_HAS_ROOT)
		found |= FOUND_ROOT;
	if (gk_box_mount_proc() == 0)
		found |= FOUND_PROC;
	_exit(write(result, &found, sizeof found) == sizeof found ? 0 : 1);
}

static int try_in_child(unsigned bits, const struct box_maps *maps, int result)
{
	const char *tmp_folder = gk_box_tmp_folder(NULL);
	pid_t pid;
	int status = 0;

	if (gk_box_namespaces(bits, maps, tmp_folder) < 0)
		return errno;
	pid = fork();
	if (pid < 0)
		return errno;
	if (pid == 0)
		be_inside(result, tmp_folder);
	if (waitpid(pid, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EPERM;
}

static struct trial try_namespaces(unsigned bits)
{
	struct trial trial = {0};
	struct box_maps maps;
	int status = 0, ends[2];
	pid_t pid;

	gk_box_maps_fill(&maps);
	fflush(NULL);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return (struct trial){errno, 0};
	pid = fork();
	if (pid == 0)
		_exit(try_in_child(bits, &maps, ends[1]));
	close(ends[1]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		trial.error = errno;
	else
		trial.error = WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
	if (trial.error || read(ends[0], &trial.found, sizeof trial.found) != sizeof trial.found)
		trial.found = 0;
	close(ends[0]);
	return trial;
}

static void find_namespaces(struct gk_box_facts *facts)
{
	const unsigned most = GK_NS_MOUNT | GK_NS_NET | GK_NS_IPC | GK_NS_PID | GK_NS_UTS;
	struct trial with_user = try_namespaces(most | GK_NS_USER), without = {EPERM, 0}, used = with_user;

	if (with_user.error != 0 && geteuid() == 0)
		used = without = try_namespaces(most);
	facts->pid_namespace = used.error == 0;
	if (with_user.error == 0)
		facts->namespaces = (most | GK_NS_USER) & ~(unsigned)GK_NS_PID;
	else if (without.error == 0)
		facts->namespaces = most & ~(unsigned)GK_NS_PID;
	else
		snprintf(facts->why, sizeof facts->why, "no namespaces: %s", strerror(with_user.error));
	facts->root = used.found & FOUND_ROOT;
	facts->proc = used.found & FOUND_PROC;
	if (facts->namespaces && !facts->proc)
		snprintf(facts->why, sizeof facts->why, "parts of /proc are covered here, so none of its own can be mounted");
}

static void lacks(struct gk_box_facts *facts, bool has, const char *layer)
{
	size_t used = strlen(facts->missing);

	if (!has)
		snprintf(facts->missing + used, sizeof facts->missing - used, "%s%s", used ? ", " : "", layer);
}

static void name_tier(struct gk_box_facts *facts)
{
	facts->tier = facts->namespaces     ? "namespaces"
	              : facts->landlock_abi ? "landlock"
	              : facts->seccomp      ? "seccomp"
	                                    : "limits";
	lacks(facts, facts->namespaces, "mount, pid, net, ipc and uts namespaces");
	lacks(facts, facts->root, "a root of its own");
	lacks(facts, facts->proc, "a /proc of its own");
	lacks(facts, facts->landlock_abi, "Landlock");
	lacks(facts, facts->seccomp, "seccomp filters");
	lacks(facts, facts->process_limit, "counting of processes");
}

static void look(struct gk_box_facts *facts)
{
	uint32_t errno_action = SECCOMP_RET_ERRNO;
	int pidfd = (int)syscall(SYS_PIDFD_OPEN, getpid(), 0), subreaper;

	facts->pidfd = pidfd >= 0;
	if (pidfd >= 0)
		close(pidfd);
	facts->subreaper = prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) == 0;
	facts->landlock_abi = gk_box_landlock_abi();
	facts->seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &errno_action) == 0;
	facts->process_limit = facts->seccomp && gk_box_filter_can_count();
	find_namespaces(facts);
	name_tier(facts);
}

const struct gk_box_facts *gk_box_probe(void)
{
	static struct gk_box_facts facts;

	if (!facts.tier)
		look(&facts);
	return &facts;
}

/* ---- control groups ---- */

void gk_box_group_open(struct gk_box_group *group)
{
	if (gk_box_group_make(group) < 0)
		group->fd = -1;
}

void gk_box_group_close(struct gk_box_group *group)
{
	if (group->fd < 0)
		return;
	close(group->fd);
	group->fd = -1;
	gk_box_group_remove(group->path);
}

/* Apart from the facts: it makes folders, which only some ask for. */
const char *gk_box_groups(void)
{
	static char words[64];
	static bool is_known;
	struct gk_box_group group;

	if (is_known)
		return words;
	is_known = true;
	gk_box_group_open(&group);
	if (group.fd >= 0)
		snprintf(words, sizeof words, "%s", group.controllers[0] ? group.controllers : "kill");
	gk_box_group_close(&group);
	return words;
}

/* ---- what is asked for ---- */

const char *const gk_containment_names[] = {"auto", "strict", NULL};

static enum gk_containment demanded;

int gk_box_check_strict(const struct gk_box_facts *facts, struct gk_err *e)
{
	if (!facts->missing[0])
		return 0;
	return gk_err_set(e, GK_ERR_INPUT, "--containment strict: this machine lacks %s%s%s%s; the level here is \"%s\"",
	                  facts->missing, facts->why[0] ? " (" : "", facts->why, facts->why[0] ? ")" : "", facts->tier);
}

int gk_box_demand(enum gk_containment wanted, struct gk_err *e)
{
	if (wanted == GK_CONTAIN_STRICT && gk_box_check_strict(gk_box_probe(), e) < 0)
		return -1;
	demanded = wanted;
	return 0;
}

enum gk_containment gk_box_demanded(void)
{
	return demanded;
}

const char *gk_box_describe(void)
{
	static char text[1024];
	const struct gk_box_facts *facts = gk_box_probe();

	if (!text[0])
		snprintf(text, sizeof text,
		         "{\"level\": \"%s\", \"missing\": \"%s\", \"why\": \"%s\", \"landlock_abi\": %d}", facts->tier,
		         facts->missing, facts->why, facts->landlock_abi);
	return text;
}
