/* geak doctor: what works on this machine, by trying it. Nothing is changed, no key's value is shown. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/place.h"
#include "base/text.h"
#include "box/spawn.h"
#include "cmd.h"
#include "launch/launch.h"
#include "option.h"
#include "run/aim.h"
#include "run/selftest.h"
#include "view/term.h"

#define PYTHON_SECONDS 60
#define MAX_ANSWER     65536
#define HIP_NOTE       "; geak's HIP path has not yet run on hardware"

enum state { WORKS, LACKS, FAILS };

struct finding {
	const char *name;
	enum state state;
	const char *text;
};

struct findings {
	struct gk_arena arena;
	struct finding items[48];
	size_t count;
};

static void find(struct findings *all, const char *name, enum state state, const char *text)
{
	if (all->count == gk_count_of(all->items))
		gk_bug("more than %zu findings", all->count);
	all->items[all->count++] = (struct finding){name, state, gk_arena_string(&all->arena, text)};
}

/* ---- Python ---- */

/* Prints JSON to descriptor 3: imports of torch and triton may write to the standard streams. */
static const char probe[] = "import json, os, platform\n"
			    "out = {'python': platform.python_version(), 'torch': None, 'triton': None, 'error': None}\n"
			    "for name in ('torch', 'triton'):\n"
			    "    try:\n"
			    "        out[name] = __import__(name).__version__\n"
			    "    except BaseException as fault:\n"
			    "        out['error'] = name + ': ' + type(fault).__name__ + ': ' + str(fault)[:200]\n"
			    "        break\n"
			    "os.write(3, json.dumps(out).encode())\n";

static int read_answer(int fd, struct gk_buf *answer, struct gk_err *e)
{
	int64_t deadline = gk_clock_ns() + (int64_t)PYTHON_SECONDS * 1000000000;

	for (;;) {
		int64_t left_ms = (deadline - gk_clock_ns()) / 1000000;
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		char bytes[4096];
		ssize_t n;

		if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) == 0)
			return gk_err_set(e, GK_ERR_SYSTEM, "no answer within %d s", PYTHON_SECONDS);
		n = read(fd, bytes, sizeof bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? gk_err_errno(e, "read") : 0;
		gk_buf_add(answer, bytes, (size_t)n);
	}
}

static int ask_python(const char *python, struct gk_buf *answer, struct gk_err *e)
{
	char path[4096], path_entry[4200], home_entry[4200];
	const char *const argv[] = {path, "-c", probe, NULL};
	const char *const environment[] = {path_entry, home_entry, "PYTHONDONTWRITEBYTECODE=1", NULL};
	struct gk_spawn spawn = {.argv = argv, .environment = environment};
	struct gk_child child = {0};
	int pipe_fds[2], result;

	if (gk_program_find(python, path, sizeof path, e) < 0)
		return -1;
	snprintf(path_entry, sizeof path_entry, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
	snprintf(home_entry, sizeof home_entry, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return gk_err_errno(e, "pipe");
	gk_fd_auto read_end = pipe_fds[0];
	gk_fd_auto write_end = pipe_fds[1];
	gk_spawn_fd(&spawn, write_end, 3);
	if (gk_spawn(&spawn, &child, e) < 0)
		return -1;
	gk_fd_close(&write_end);
	result = read_answer(read_end, answer, e);
	gk_child_kill(&child);
	return result;
}

static void judge_versions(struct findings *all, const json_t *answer)
{
	const char *python = json_string_value(json_object_get(answer, "python"));
	const char *torch = json_string_value(json_object_get(answer, "torch"));
	const char *triton = json_string_value(json_object_get(answer, "triton"));
	const char *fault = json_string_value(json_object_get(answer, "error"));
	int major = 0, minor = 0, python_minor = 0;
	bool is_supported;

	python_minor = python && gk_text_starts(python, "3.") ? (int)strtol(python + 2, NULL, 10) : 0;
	find(all, "python version", python_minor >= 9 ? WORKS : FAILS,
	     gk_arena_printf(&all->arena, "%s%s", python ? python : "?", python_minor >= 9 ? "" : ": 3.9 or newer is needed"));
	find(all, "torch", torch ? WORKS : FAILS, torch ? torch : fault ? fault : "not found");
	if (!triton) {
		find(all, "triton", FAILS, torch && fault ? fault : "not found");
		return;
	}
	is_supported = sscanf(triton, "%d.%d", &major, &minor) == 2 && major == 3 && minor >= 4 && minor <= 9;
	find(all, "triton", is_supported ? WORKS : FAILS,
	     is_supported ? triton : gk_arena_printf(&all->arena, "%s: geak's worker supports 3.4 to 3.9", triton));
}

static void look_at_python(struct findings *all, const struct gk_place *place)
{
	gk_buf_auto answer = {.ceiling = MAX_ANSWER};
	struct gk_err e = {0};
	gk_doc_auto doc = {0};

	if (ask_python(place->python, &answer, &e) < 0 ||
	    gk_doc_from_json(&doc, "its answer", gk_buf_text(&answer), answer.size, &e) < 0) {
		find(all, "python", FAILS, gk_arena_printf(&all->arena, "%s (from %s): %s; ./quickstart sets one up, or set GEAK_PYTHON",
		                                           place->python, place->python_from, e.text));
		return;
	}
	find(all, "python", WORKS, gk_arena_printf(&all->arena, "%s (from %s)", place->python, place->python_from));
	judge_versions(all, doc.root);
}

/* ---- the rest ---- */

/* note: said where there is such a GPU. */
static void look_at_driver(struct findings *all, const char *name, const char *library, const char *device,
                           const char *note)
{
	void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
	bool has_device = gk_path_exists(device);

	if (handle)
		dlclose(handle);
	if (handle && has_device)
		find(all, name, WORKS,
		     gk_arena_printf(&all->arena, "%s loads, %s is there%s", library, device, note));
	else
		find(all, name, LACKS, gk_arena_printf(&all->arena, "%s%s, %s%s", library, handle ? " loads" : " is not installed",
		                                       device, has_device ? " is there" : " is not there"));
}

/* A HIP verdict is sealed only with one. */
static void look_at_selftest(struct findings *all, const json_t *facts)
{
	gk_free_auto char *text = facts ? gk_json_text(facts) : NULL;
	gk_buf_auto words = GK_BUF_INIT;
	bool passed;

	if (!text)
		return;
	passed = gk_selftest_told(text, &words);
	find(all, "selftest", passed ? WORKS : LACKS, gk_buf_text(&words));
}

/* As a launcher would see it; in use or not. */
static void look_at_gpu(struct findings *all)
{
	const char *command = getenv("GEAK_LAUNCHER"), *name, *target;
	bool is_elsewhere = command && *command;
	gk_json_auto *facts = is_elsewhere ? NULL : gk_launch_describe();
	struct gk_err e;

	if (is_elsewhere && gk_aim_ask(&facts, &e) < 0) {
		find(all, "GPU", FAILS, e.text);
		return;
	}
	name = json_string_value(json_object_get(facts, "kind"));
	target = json_string_value(json_object_get(facts, "target"));
	if (!name || !target) {
		find(all, "GPU", LACKS,
		     is_elsewhere ? gk_arena_printf(&all->arena, "%s: knows none; plans run on the machine there", command)
		                  : "no driver here knows one; plans run on the machine");
		return;
	}
	find(all, "GPU", WORKS,
	     gk_arena_printf(&all->arena, "%s, %s, %lld of them%s", name, target,
	                     (long long)json_integer_value(json_object_get(facts, "gpus")),
	                     strcmp(json_string_value(json_object_get(facts, "device")), "hip") == 0
	                             ? HIP_NOTE
	                             : ""));
	look_at_selftest(all, facts);
}

static void look_at_sandbox(struct findings *all)
{
	static const struct {
		const char *name;
		unsigned bit;
	} layers[] = {{"user namespace", GK_NS_USER},
	              {"mount namespace", GK_NS_MOUNT},
	              {"pid namespace", GK_NS_PID},
	              {"net namespace", GK_NS_NET},
	              {"ipc namespace", GK_NS_IPC},
	              {"uts namespace", GK_NS_UTS}};
	const struct gk_box_facts *facts = gk_box_probe();

	for (size_t i = 0; i < gk_count_of(layers); i++) {
		bool works = layers[i].bit == GK_NS_PID ? facts->pid_namespace : facts->namespaces & layers[i].bit;

		find(all, layers[i].name, works ? WORKS : LACKS, works ? "usable" : facts->why);
	}
	find(all, "own root", facts->root ? WORKS : LACKS,
	     facts->root           ? "candidates see Python and its libraries alone"
	     : facts->landlock_abi ? "Landlock alone keeps other files away"
	                           : "nothing keeps other files away");
	find(all, "own /proc", facts->proc ? WORKS : LACKS, facts->proc ? "candidates see nobody else" : facts->why);
	find(all, "landlock", facts->landlock_abi ? WORKS : LACKS,
	     facts->landlock_abi ? gk_arena_printf(&all->arena, "ABI %d", facts->landlock_abi) : "not in this kernel");
	find(all, "seccomp", facts->seccomp ? WORKS : LACKS, facts->seccomp ? "filters can be installed" : "no filters");
	find(all, "process counting", facts->process_limit ? WORKS : LACKS,
	     facts->process_limit ? "creations of processes are counted" : "no seccomp notification");
	find(all, "containment", strcmp(facts->tier, "limits") == 0 ? LACKS : WORKS,
	     facts->missing[0] ? gk_arena_printf(&all->arena, "%s; --containment strict lacks %s", facts->tier, facts->missing)
	                       : gk_arena_printf(&all->arena, "%s, complete: --containment strict works", facts->tier));
}

static void look_at_cgroup(struct findings *all)
{
	const char *groups = gk_box_groups();

	if (strcmp(groups, "kill") == 0)
		find(all, "cgroup v2", WORKS, "candidates end as a group; memory and processes are counted without it");
	else if (groups[0])
		find(all, "cgroup v2", WORKS, gk_arena_printf(&all->arena, "candidates get a group of their own: %s", groups));
	else
		find(all, "cgroup v2", LACKS, "no group can be made by this user; limits and the stub's counting hold without");
}

static void look_at_keys(struct findings *all)
{
	static const char *const names[] = {"GEAK_API_KEY", "OPENAI_API_KEY"};

	for (size_t i = 0; i < gk_count_of(names); i++) {
		const char *value = getenv(names[i]);

		find(all, names[i], value && *value ? WORKS : LACKS, value && *value ? "set" : "not set");
	}
	find(all, "GEAK_BASE_URL", getenv("GEAK_BASE_URL") ? WORKS : LACKS, getenv("GEAK_BASE_URL") ? "set" : "not set");
}

static void look_at_machine(struct findings *all)
{
	struct utsname u;

	if (uname(&u) == 0)
		find(all, "system", WORKS, gk_arena_printf(&all->arena, "%s %s %s, %ld processors", u.sysname, u.release, u.machine,
		                                           sysconf(_SC_NPROCESSORS_ONLN)));
}

/* A bundle says what it needs; that it runs at all shows that it is there. */
static void look_at_glibc(struct findings *all, const char *share)
{
	gk_free_auto char *needed = NULL;
	struct gk_err ignored;
	size_t size = 0;

	if (gk_file_read(gk_path_join(&all->arena, share, "glibc"), 64, &needed, &size, &ignored) == 0)
		find(all, "glibc", WORKS,
		     gk_arena_printf(&all->arena, "%s; this bundle needs %.*s or newer", gnu_get_libc_version(),
		                     (int)strcspn(needed, "\n"), needed));
}

static void look_everywhere(struct findings *all)
{
	struct gk_place place;
	struct gk_err e = {0};
	int found = gk_place_find(&place, &all->arena, &e);

	find(all, "geak", WORKS, GK_VERSION);
	look_at_machine(all);
	find(all, "geak's files", found < 0 ? FAILS : WORKS, found < 0 ? e.text : place.share);
	if (found == 0)
		look_at_glibc(all, place.share);
	look_at_python(all, &place);
	find(all, "target cpu", WORKS, "the Triton IR machine");
	look_at_driver(all, "NVIDIA driver", "libcuda.so.1", "/dev/nvidiactl", "");
	look_at_driver(all, "AMD driver", "libamdhip64.so", "/dev/kfd", HIP_NOTE);
	look_at_gpu(all);
	look_at_sandbox(all);
	look_at_cgroup(all);
	look_at_keys(all);
}

static const char *const state_names[] = {"works", "absent", "fails"};

static void print_findings(const struct findings *all)
{
	static const enum gk_tone tones[] = {GK_GOOD, GK_DIM, GK_BAD};
	static const char *const marks[] = {"ok", "-", "FAILS"};
	struct gk_term term;

	gk_term_init(&term, stdout);
	for (size_t i = 0; i < all->count; i++) {
		gk_term_print(&term, tones[all->items[i].state], "%-6s", marks[all->items[i].state]);
		gk_term_print(&term, GK_PLAIN, "%-18s %s\n", all->items[i].name, all->items[i].text);
	}
}

static int print_json(const struct findings *all)
{
	gk_json_auto *object = json_object();
	gk_free_auto char *text = NULL;
	json_t *list = json_array();

	for (size_t i = 0; i < all->count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", all->items[i].name, "state",
		                                      state_names[all->items[i].state], "text", all->items[i].text));
	json_object_set_new(object, "schema_version", json_integer(1));
	json_object_set_new(object, "findings", list);
	text = gk_json_pretty(object);
	return puts(text) < 0 ? -1 : 0;
}

static bool all_well(const struct findings *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].state == FAILS)
			return false;
	return true;
}

int gk_cmd_doctor(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"doctor", "[--json] [--launcher COMMAND]", "Say what works on this machine",
		"Exit code 1 when something that geak cannot do without fails. Keys are reported as set or not set."};
	bool json = false;
	const struct gk_option options[] = {
		{.name = "json", .kind = GK_OPTION_FLAG, .help = "print JSON", .value = &json}, GK_OPTION_LAUNCHER, {0}};
	int done = gk_options_read(&help, options, &argc, argv, e);
	struct findings all = {0};
	int code;

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 0, 0, e) < 0)
		return -1;
	look_everywhere(&all);
	code = all_well(&all) ? 0 : 1;
	if (json && print_json(&all) < 0)
		code = -1;
	else if (!json)
		print_findings(&all);
	gk_arena_release(&all.arena);
	return code;
}
