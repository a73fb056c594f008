/* What the tests of the pool share: peers that misbehave on demand (fake.py), and their answers as the callbacks saw them. */
#ifndef TEST_PEERS_H
#define TEST_PEERS_H

#include "pool/pool.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "box/spawn.h"
#include "loop/loop.h"
#include "tap.h"

static struct gk_loop *loop;
static struct gk_runner *runner;
static char fake_folder[PATH_MAX], scratch[64], worker[128], program[128], python[PATH_MAX];

static inline int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static inline int children_left(void)
{
	return waitpid(-1, NULL, WNOHANG) != -1;
}

static inline void write_file(const char *path, const char *text, mode_t mode)
{
	struct gk_err e;

	if (gk_file_write(path, text, strlen(text), &e) < 0 || chmod(path, mode) < 0)
		abort();
}

/* A worker package and a launcher program whose peers say hello as named. */
static inline void make_peers(const char *hello)
{
	char path[256], text[2 * PATH_MAX + 512];
	struct gk_err e;

	snprintf(path, sizeof path, "%s/geak_worker", worker);
	gk_dir_make(path, &e);
	snprintf(path, sizeof path, "%s/geak_worker/__main__.py", worker);
	snprintf(text, sizeof text, "import sys\nsys.path.insert(0, '%s')\nimport fake\nfake.main(sys.argv[1], '%s')\n",
	         fake_folder, hello);
	write_file(path, text, 0644);
	snprintf(text, sizeof text,
	         "#!%s\nimport sys\nsys.dont_write_bytecode = True\nsys.path.insert(0, '%s')\nimport fake\n"
	         "fake.main('launcher', '%s')\n",
	         python, fake_folder, hello);
	write_file(program, text, 0755);
}

static inline void open_pool(const char *hello, struct gk_pool_options options)
{
	struct gk_err e = {0};

	make_peers(hello);
	options.worker = worker;
	options.program = program;
	if (!options.python)
		options.python = python;
	runner = gk_pool_open(loop, &options, &e);
	if (!runner)
		printf("# %s\n", e.text);
}

static inline void close_pool(void)
{
	gk_runner_close(runner);
	runner = NULL;
}

/* ---- answers, as the callbacks saw them ---- */

static struct {
	int calls;
	struct gk_err err;
	bool failed, passed, died, timed_out, complete, found;
	char text[512], malformed[512];
	enum gk_capture_end end;
	int code;
	size_t modules, claims, fds;
	uint64_t total;
	double ms;
} got;

static inline void note_err(const struct gk_err *err)
{
	got.calls++;
	got.failed = err != NULL;
	if (err)
		got.err = *err;
}

static inline void linted(void *ctx, const struct gk_lint_result *r)
{
	(void)ctx;
	note_err(r->err);
	got.passed = r->passed;
	snprintf(got.text, sizeof got.text, "%s", r->message ? r->message : "");
}

static inline void lint(const char *what)
{
	json_t *entry = json_pack("{s:s, s:[]}", "name", "f", "params");
	struct gk_lint_request request = {entry, what, strlen(what)};

	memset(&got, 0, sizeof got);
	gk_runner_lint(runner, &request, linted, NULL);
	json_decref(entry);
	gk_loop_run(loop);
}

static inline void check_error(const char *words, const char *behaviour)
{
	if (!ok(got.calls == 1 && got.failed && strstr(got.err.text, words), behaviour))
		printf("# calls %d, failed %d: %s\n", got.calls, got.failed, got.err.text);
}

/* ---- capture ---- */

static inline void captured(void *ctx, const struct gk_capture_result *r)
{
	(void)ctx;
	note_err(r->err);
	got.end = r->end;
	got.code = r->code;
	got.complete = r->complete;
	got.modules = r->module_count;
	got.claims = r->claim_count;
	got.total = r->output_total;
	snprintf(got.text, sizeof got.text, "%s", r->output);
	snprintf(got.malformed, sizeof got.malformed, "%s", r->malformed ? r->malformed : "");
}

static inline uint64_t start_capture(const char *what, gk_capture_fn *fn, void *ctx)
{
	json_t *entry = json_pack("{s:s, s:[]}", "name", "f", "params"), *cases = json_array();
	struct gk_capture_request request = {.entry = entry, .cases = cases, .target = "cpu", .salt = "00",
	                                     .source = what, .size = strlen(what)};
	uint64_t id;

	request.limits.wall_ms = strcmp(what, "hang") ? 20000 : 300;
	request.limits.output_bytes = 1 << 20;
	id = gk_runner_capture(runner, &request, fn, ctx);
	json_decref(entry);
	json_decref(cases);
	return id;
}

static inline void capture(const char *what)
{
	memset(&got, 0, sizeof got);
	start_capture(what, captured, NULL);
	gk_loop_run(loop);
	if (got.calls != 1 || got.failed)
		printf("# %s: calls %d, failed %d: %s\n", what, got.calls, got.failed, got.err.text);
}

/* ---- the program ---- */

static inline void find_python(void)
{
	const char *name = getenv("GEAK_PYTHON");
	struct gk_err e;

	if (gk_program_find(name ? name : "python3", python, sizeof python, &e) < 0)
		python[0] = '\0';
}

/* Runs the tests over a loop and a folder of their own; nothing may be left of them. Returns the exit code. */
static inline int test_pool(const char *name, void (*tests)(void))
{
	struct gk_err e;
	int before;

	find_python();
	if (!realpath("tests/unit/pool", fake_folder) || !python[0]) {
		skip(name, "it needs Python, and the checkout as working folder");
		return done_testing();
	}
	setenv("TMPDIR", "/tmp", 1);
	snprintf(scratch, sizeof scratch, "/tmp/geak-t-pool-XXXXXX");
	if (!mkdtemp(scratch))
		abort();
	snprintf(worker, sizeof worker, "%s/worker", scratch);
	snprintf(program, sizeof program, "%s/fake-launcher", scratch);
	gk_log_set_level(GK_LOG_ERROR);
	loop = gk_loop_new(&e);
	gk_box_probe();
	gk_loop_run(loop);
	before = open_descriptors();
	tests();
	is_int(open_descriptors(), before, "no descriptor is left");
	gk_loop_free(loop);
	gk_tree_remove(scratch, &e);
	return done_testing();
}

#endif
