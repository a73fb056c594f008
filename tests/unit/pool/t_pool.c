/* The pool against peers that misbehave on demand (fake.py). */
#include "pool/pool.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "box/spawn.h"
#include "loop/loop.h"
#include "tap.h"

static struct gk_loop *loop;
static struct gk_runner *runner;
static char fake_folder[PATH_MAX], scratch[64], worker[128], program[128], python[PATH_MAX];

static int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static int children_left(void)
{
	return waitpid(-1, NULL, WNOHANG) != -1;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	struct gk_err e;

	if (gk_file_write(path, text, strlen(text), &e) < 0 || chmod(path, mode) < 0)
		abort();
}

/* A worker package and a launcher program whose peers say hello as named. */
static void make_peers(const char *hello)
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

static void open_pool(const char *hello, struct gk_pool_options options)
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

static void close_pool(void)
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

static void note_err(const struct gk_err *err)
{
	got.calls++;
	got.failed = err != NULL;
	if (err)
		got.err = *err;
}

static void linted(void *ctx, const struct gk_lint_result *r)
{
	(void)ctx;
	note_err(r->err);
	got.passed = r->passed;
	snprintf(got.text, sizeof got.text, "%s", r->message ? r->message : "");
}

static void lint(const char *what)
{
	json_t *entry = json_pack("{s:s, s:[]}", "name", "f", "params");
	struct gk_lint_request request = {entry, what, strlen(what)};

	memset(&got, 0, sizeof got);
	gk_runner_lint(runner, &request, linted, NULL);
	json_decref(entry);
	gk_loop_run(loop);
}

static void check_error(const char *words, const char *behaviour)
{
	if (!ok(got.calls == 1 && got.failed && strstr(got.err.text, words), behaviour))
		printf("# calls %d, failed %d: %s\n", got.calls, got.failed, got.err.text);
}

/* ---- hello ---- */

static void test_hello(void)
{
	static const struct {
		const char *hello, *words;
	} rows[] = {
		{"no torch", "No module named 'torch_that_is_not_there'"},
		{"dies", "exit status 3 before it was ready"},
		{"refuses", "cannot work here: the library does not fit"},
		{"proto", "version 2 of the protocol"},
		{"build", "of build other, this geak of build 17"},
		{"role", "a oracle was asked for, a lowering answered"},
		{"garbage", "bad magic"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		open_pool(rows[i].hello, (struct gk_pool_options){.build = "17"});
		lint("fine");
		check_error(rows[i].words, rows[i].hello);
		close_pool();
		ok(!children_left(), "no process is left");
	}
	open_pool("silent", (struct gk_pool_options){.start_ms = 150});
	lint("fine");
	check_error("did not say hello in time", "a peer that says nothing is given up");
	close_pool();
	open_pool("well", (struct gk_pool_options){.python = "/nowhere/python"});
	lint("fine");
	check_error("/nowhere/python", "a Python that is not there is named");
	close_pool();
}

/* ---- oracle ---- */

static void tensors_came(void *ctx, const struct gk_tensors_result *r)
{
	char *text = ctx;
	ssize_t n;

	note_err(r->err);
	got.fds = r->fd_count;
	if (r->err)
		return;
	n = pread(r->fds[0], text, 63, 0);
	text[n > 0 ? n : 0] = '\0';
	*(int *)(text + 64) = gk_fd_steal(&r->fds[0]);
}

static void test_oracle(void)
{
	struct {
		char text[64];
		int fd;
	} in = {{0}, -1}, out = {{0}, -1};
	json_t *params = json_pack("{s:i}", "M", 4), *args = json_array();
	struct gk_inputs_request inputs = {
		.task_folder = "/task", .params = params, .seed = UINT64_MAX, .distribution = "normal"};
	struct gk_expected_request expected = {"/task", params, args, NULL, 1};
	char once[128];

	open_pool("well", (struct gk_pool_options){.build = "17"});
	ok(!gk_runner_facts(runner, "oracle"), "nothing is started before it is needed");
	lint("fine");
	ok(got.calls == 1 && !got.failed && got.passed, "a lint is answered");
	is_text(gk_runner_facts(runner, "oracle"), "{\"fake\":\"oracle\"}", "facts of hello are kept");
	lint("bad");
	ok(!got.failed && !got.passed && strcmp(got.text, "bad") == 0, "a lint that fails says why");
	memset(&got, 0, sizeof got);
	gk_runner_inputs(runner, &inputs, tensors_came, &in);
	gk_loop_run(loop);
	ok(!got.failed && got.fds == 1, "inputs come with their descriptors");
	is_text(in.text, "input bytes", "and bytes");
	expected.fds = &in.fd;
	gk_runner_expected(runner, &expected, tensors_came, &out);
	gk_loop_run(loop);
	is_text(out.text, "setyb tupni", "expected values are made from the inputs that were sent");
	gk_fd_close(&in.fd);
	gk_fd_close(&out.fd);
	lint("task error");
	check_error("oracle.py: line 3", "a task's own error is an error");
	is_int(got.err.kind, GK_ERR_INPUT, "of the input");
	lint("system error");
	check_error("oracle: no memory", "an oracle's failure is one");
	is_int(got.err.kind, GK_ERR_SYSTEM, "of the system");
	snprintf(once, sizeof once, "once %s/once-oracle", scratch);
	lint(once);
	ok(got.calls == 1 && !got.failed, "a request whose oracle died is asked again");
	lint("exit");
	check_error("lint: 3 times running", "three deaths under a request are an error");
	ok(strstr(got.err.text, "its last words: fake: exit") != NULL, "that quotes the last words");
	lint("fine");
	ok(got.passed, "the next request gets a new oracle");
	close_pool();
	open_pool("well", (struct gk_pool_options){.answer_ms = 200});
	lint("hang");
	check_error("no answer to lint", "an oracle that hangs is given up");
	lint("fine");
	ok(got.passed, "and replaced");
	close_pool();
	ok(!children_left(), "no process is left");
	json_decref(params);
	json_decref(args);
}

/* ---- capture ---- */

static void captured(void *ctx, const struct gk_capture_result *r)
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

static uint64_t start_capture(const char *what, gk_capture_fn *fn, void *ctx)
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

static void capture(const char *what)
{
	memset(&got, 0, sizeof got);
	start_capture(what, captured, NULL);
	gk_loop_run(loop);
	if (got.calls != 1 || got.failed)
		printf("# %s: calls %d, failed %d: %s\n", what, got.calls, got.failed, got.err.text);
}

static void test_capture(void)
{
	static const struct {
		const char *what, *words;
	} forgeries[] = {
		{"garbage", "no frame"},        {"forged", "may not say executed"}, {"lying", "longer than their sum"},
		{"wrong hash", "the hash"},     {"after the end", "after the end"}, {"descriptor", "cannot travel"},
	};

	open_pool("well", (struct gk_pool_options){0});
	capture("good");
	ok(got.end == GK_CAPTURE_EXITED && got.code == 0 && got.complete && !got.malformed[0], "a capture is whole");
	ok(got.modules == 1 && got.claims == 1, "with its module and its plan");
	is_text(got.text, "candidate good\n", "and what it printed");
	capture("raised");
	ok(got.complete && got.claims == 1 && got.modules == 0, "so is one that raised");
	capture("exit 7");
	ok(got.end == GK_CAPTURE_EXITED && got.code == 7 && !got.complete && !got.malformed[0],
	   "an exit without a word is incomplete");
	capture("cut");
	ok(!got.complete && got.claims == 0 && got.modules == 1, "a plan cut in two is none");
	capture("segfault");
	ok(got.end == GK_CAPTURE_SIGNALED && got.code == SIGSEGV, "a signal is reported");
	for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
		capture(forgeries[i].what);
		if (!ok(strstr(got.malformed, forgeries[i].words) && !got.complete, forgeries[i].what))
			printf("# malformed: %s\n", got.malformed);
	}
	capture("hang");
	is_int(got.end, GK_CAPTURE_TIMED_OUT, "a hang ends at the deadline");
	capture("flood of claims");
	is_int(got.end, GK_CAPTURE_FLOODED, "a flood of claims is stopped");
	capture("flood of output");
	ok(got.end == GK_CAPTURE_FLOODED && got.total > 1 << 20, "so is a flood of output");
	capture("our failure");
	check_error("zygote: no room", "an error of the zygote is ours");
	capture("good");
	ok(got.complete, "and an honest candidate is served at once");
	close_pool();
	ok(!children_left(), "no process is left");
}

static void test_zygote_deaths(void)
{
	open_pool("well", (struct gk_pool_options){0});
	capture("kills the zygote");
	is_int(got.end, GK_CAPTURE_KILLED_ZYGOTE, "a candidate under which two zygotes died is condemned");
	capture("kills it once");
	ok(got.end == GK_CAPTURE_EXITED || got.end == GK_CAPTURE_KILLED_ZYGOTE, "a capture is asked again");
	capture("good");
	ok(got.complete, "and the next is served");
	close_pool();
}

static int done_count, good_count, condemned_count;

static void one_of_many(void *ctx, const struct gk_capture_result *r)
{
	(void)ctx;
	done_count++;
	good_count += !r->err && r->complete;
	condemned_count += !r->err && r->end == GK_CAPTURE_KILLED_ZYGOTE;
}

static void test_bystanders(void)
{
	open_pool("well", (struct gk_pool_options){0});
	capture("good");
	for (int i = 0; i < 8; i++)
		start_capture(i == 2 ? "kills the zygote" : "good", one_of_many, NULL);
	gk_loop_run(loop);
	is_int(done_count, 8, "every capture is answered");
	is_int(good_count, 7, "those that were in flight beside a killer are served by the next zygote");
	is_int(condemned_count, 1, "only the killer is condemned");
	close_pool();
}

static void never(void *ctx, const struct gk_capture_result *r)
{
	(void)ctx;
	(void)r;
	ok(false, "a cancelled capture does not call back");
}

static void cancel_it(void *ctx)
{
	gk_runner_cancel(runner, *(uint64_t *)ctx);
}

static void test_cancel(void)
{
	struct gk_timer *timer;
	uint64_t id;

	open_pool("well", (struct gk_pool_options){0});
	capture("good");
	id = start_capture("abandoned", never, NULL);
	gk_runner_cancel(runner, id);
	gk_runner_cancel(runner, id);
	gk_runner_cancel(runner, 999999);
	id = start_capture("abandoned", never, NULL);
	timer = gk_loop_timer(loop, 200, 0, cancel_it, &id);
	gk_loop_run(loop);
	gk_timer_stop(&timer);
	ok(true, "a cancelled capture ends, and so does the loop");
	capture("good");
	ok(got.complete, "the next is served");
	start_capture("abandoned", never, NULL);
	timer = gk_loop_timer(loop, 200, 0, (gk_loop_fn *)gk_loop_stop, loop);
	gk_loop_run(loop);
	gk_timer_stop(&timer);
	close_pool();
	gk_loop_run(loop);
	ok(!children_left(), "closing with a capture under way leaves nothing");
}

/* ---- execute ---- */

static void executed(void *ctx, const struct gk_execute_result *r)
{
	(void)ctx;
	note_err(r->err);
	got.died = r->died;
	got.timed_out = r->timed_out;
	got.ms = r->executed ? json_real_value(json_object_get(r->executed, "ms")) : 0;
	got.found = r->executed && json_is_object(json_object_get(r->executed, "finding"));
	snprintf(got.text, sizeof got.text, "%s", r->death ? r->death : "");
}

static void execute(const char *what, char *output, size_t size)
{
	struct gk_err e;
	json_t *plan = json_pack("{s:s}", "do", what);
	int in = gk_memfd_from("in", "an input", 8, &e), out = gk_memfd_new("out", 18, &e), buffer = 0;
	struct gk_execute_module module = {"aa", "module", 6};
	struct gk_execute_request request = {.plan = plan, .modules = &module, .module_count = 1,
	                                     .input_buffers = &buffer, .input_fds = &in, .input_count = 1,
	                                     .output_fds = &out, .output_count = 1, .seed = 5, .wall_ms = 5000};
	ssize_t n;

	if (strcmp(what, "hang") == 0)
		request.wall_ms = 200;
	memset(&got, 0, sizeof got);
	gk_runner_execute(runner, &request, executed, NULL);
	gk_loop_run(loop);
	n = pread(out, output, size - 1, 0);
	output[n > 0 ? n : 0] = '\0';
	close(in);
	close(out);
	json_decref(plan);
}

static void test_execute(void)
{
	char output[64], what[192];

	open_pool("well", (struct gk_pool_options){0});
	execute("copy", output, sizeof output);
	ok(got.calls == 1 && !got.failed && !got.died && got.ms > 1, "a plan is executed");
	is_text(output, "made from an input", "and its output is written");
	execute("error", output, sizeof output);
	check_error("launcher: device lost", "a launcher's error is ours");
	snprintf(what, sizeof what, "crash until %lld", (long long)gk_clock_ns() + 700000000);
	execute(what, output, sizeof output);
	ok(!got.failed && !got.died && got.ms > 1, "a plan under which a launcher died is asked again");
	for (int i = 0; i < 4; i++) {
		execute("crash", output, sizeof output);
		ok(!got.failed && got.died && !got.timed_out, "a second death is the plan's, however often in a row");
	}
	ok(strstr(got.text, "signal 9") != NULL, "and has words");
	execute("hang", output, sizeof output);
	ok(!got.failed && got.died && got.timed_out, "so is a plan that does not end");
	execute("copy", output, sizeof output);
	ok(got.ms > 1, "the next plan is executed");
	close_pool();
	snprintf(what, sizeof what, "exec %s", program);
	open_pool("well", (struct gk_pool_options){.launcher = what});
	execute("copy", output, sizeof output);
	if (!ok(!got.failed && got.ms > 1, "a plan is executed over a pipe"))
		printf("# %s\n", got.err.text);
	is_text(output, "made from an input", "and its output comes back inline");
	close_pool();
	ok(!children_left(), "no process is left");
}

static void test_lost_gpu(void)
{
	char output[64], good[192];
	struct gk_err e;

	snprintf(good, sizeof good, "good until %s/broken", scratch);
	open_pool("well", (struct gk_pool_options){.device = "cuda"});
	execute("fault", output, sizeof output);
	ok(!got.failed && !got.died && got.found, "a plan under which the GPU is lost twice is told with its finding");
	execute(good, output, sizeof output);
	ok(!got.failed && !got.found && got.ms > 1, "the next one goes well");
	execute("fault", output, sizeof output);
	ok(!got.failed && !got.died && got.found, "a fault is the plan's while what went well still does");
	execute("crash", output, sizeof output);
	ok(!got.failed && got.died, "so is a death");
	ok(gk_file_write(strchr(good, '/'), "", 0, &e) == 0, "the GPU breaks");
	execute("fault", output, sizeof output);
	check_error("a plan that went well before does not any more", "a fault is ours when it does not");
	close_pool();
	ok(!children_left(), "no process is left");
}

/* ---- time ---- */

static json_t *timed_json;

static void timed(void *ctx, const struct gk_time_result *r)
{
	(void)ctx;
	note_err(r->err);
	got.died = r->died;
	got.timed_out = r->timed_out;
	got.found = r->timed && json_is_object(json_object_get(r->timed, "finding"));
	json_decref(timed_json);
	timed_json = json_incref(r->timed);
	snprintf(got.text, sizeof got.text, "%s", r->death ? r->death : "");
}

/* a and b launch one kernel each, both the same helper; outputs[2] are texts that come back. */
static void time_plans(const char *what, bool is_solo, char outputs[2][64])
{
	struct gk_err e;
	json_t *plan = json_pack("{s:s}", "do", what), *variants = json_pack("[[i, i]]", 0, 2);
	struct gk_object objects[3] = {{.name = "one", .object = "11"}, {.name = "two", .object = "22"}, {.name = "fill", .object = "33"}};
	struct gk_execute_object a = {0, &objects[0], "code of a", 9}, b = {1, &objects[1], "other code", 10};
	struct gk_time_helper helpers[] = {{"fill", &objects[2], "help", 4}, {"again", &objects[0], "code of a", 9}};
	int in = gk_memfd_from("in", "an input", 8, &e), outs[2], buffer = 3, index = 0;
	struct gk_time_request request = {.is_solo = is_solo, .helpers = helpers, .helper_count = 2, .input_fds = &in,
	                                  .input_count = 1, .seed = 5, .cap_ms = 150, .half_width = 0.02, .loads = 3};

	for (int i = 0; i < 2; i++)
		outs[i] = gk_memfd_new("out", 40, &e);
	request.a = (struct gk_time_side){plan, variants, &a, 1, &buffer, &index, 1, &outs[0], 1, false};
	request.b = (struct gk_time_side){plan, NULL, &b, 1, &buffer, &index, 1, &outs[1], 1, false};
	request.wall_ms = strcmp(what, "hang") == 0 ? 200 : 0;
	memset(&got, 0, sizeof got);
	gk_runner_time(runner, &request, timed, NULL);
	gk_loop_run(loop);
	for (int i = 0; i < 2; i++) {
		ssize_t n = pread(outs[i], outputs[i], 63, 0);

		outputs[i][n > 0 ? n : 0] = '\0';
		close(outs[i]);
	}
	close(in);
	json_decref(plan);
	json_decref(variants);
}

/* A part of the request as the launcher got it. */
static long long asked(const char *side, const char *part, size_t index, const char *key)
{
	const json_t *at = json_object_get(timed_json, "asked");

	at = side ? json_object_get(at, side) : at;
	at = json_array_get(json_object_get(at, part), index);
	return json_integer_value(json_object_get(at, key));
}

static void test_time(void)
{
	char outputs[2][64], command[192], what[192];

	open_pool("well", (struct gk_pool_options){.device = "cuda"});
	time_plans("well", false, outputs);
	if (!ok(got.calls == 1 && !got.failed && !got.died && !got.found, "two plans are timed"))
		printf("# %s %s\n", got.err.text, got.text);
	ok(strcmp(outputs[0], "a code of a") == 0 && strcmp(outputs[1], "b other code") == 0,
	   "each kernel's code lies where the request says, and outputs come for either side");
	is_int(json_integer_value(json_object_get(timed_json, "code")), 48, "code that two of them share is sent once");
	ok(asked(NULL, "helpers", 1, "at") == asked("a", "objects", 0, "at") && asked("b", "objects", 0, "bytes") == 10 &&
	           asked("b", "objects", 0, "kernel") == 1,
	   "helpers' too");
	time_plans("well", true, outputs);
	ok(!got.failed && strcmp(outputs[0], "a code of a") == 0 && !*outputs[1] &&
	           json_is_null(json_object_get(json_object_get(timed_json, "asked"), "b")),
	   "one alone is timed");
	snprintf(what, sizeof what, "crash until %lld", (long long)gk_clock_ns() + 700000000);
	time_plans(what, false, outputs);
	ok(!got.failed && !got.died, "a timing under which a launcher died is asked again");
	time_plans("crash", false, outputs);
	ok(!got.failed && got.died && !timed_json && strstr(got.text, "signal 9"), "a second death is the plans'");
	time_plans("hang", false, outputs);
	ok(!got.failed && got.died && got.timed_out, "so is one that does not end");
	time_plans("fault", false, outputs);
	ok(!got.failed && !got.died && got.found, "a GPU that is lost twice is told with its finding");
	close_pool();
	snprintf(command, sizeof command, "exec %s", program);
	open_pool("well", (struct gk_pool_options){.launcher = command});
	time_plans("well", false, outputs);
	if (!ok(!got.failed && strcmp(outputs[0], "a code of a") == 0 && strcmp(outputs[1], "b other code") == 0,
	        "over a pipe the outputs come back inline"))
		printf("# %s\n", got.err.text);
	close_pool();
	json_decref(timed_json);
	timed_json = NULL;
	ok(!children_left(), "no process is left");
}

static void test_time_on_a_broken_gpu(void)
{
	char output[64], outputs[2][64], good[192];
	struct gk_err e;

	snprintf(good, sizeof good, "good until %s/broken-too", scratch);
	open_pool("well", (struct gk_pool_options){.device = "cuda"});
	execute(good, output, sizeof output);
	time_plans("crash", false, outputs);
	ok(!got.failed && got.died, "a death is the plans' while what went well still does");
	ok(gk_file_write(strchr(good, '/'), "", 0, &e) == 0, "the GPU breaks");
	time_plans("crash", false, outputs);
	check_error("a plan that went well before does not any more", "a death is ours when it does not");
	close_pool();
	json_decref(timed_json);
	timed_json = NULL;
}

/* ---- candidates that run for real ---- */

enum { JOBS = 4 };

static struct {
	int outputs[2 * JOBS], done;
	size_t claims;
	bool failed, complete, is_malformed;
} real;

static void ran(void *ctx, const struct gk_capture_result *r)
{
	(void)ctx;
	real.done++;
	real.failed |= r->err != NULL;
	real.complete = r->complete;
	real.is_malformed = r->malformed != NULL;
	real.claims = r->claim_count;
}

static void real_executed(void *ctx, const struct gk_execute_result *r)
{
	(void)ctx;
	real.done++;
	real.failed |= r->err || r->died;
}

static void contain_timed(const char *what, int output, int timed)
{
	json_t *entry = json_pack("{s:s, s:[]}", "name", "f", "params"), *calls = json_array();
	struct gk_contain_request request = {.entry = entry, .calls = calls, .target = "cpu", .source = what,
	                                     .size = strlen(what), .output_fds = &output, .output_count = 1, .timed = timed};

	gk_runner_contain(runner, &request, ran, NULL);
	json_decref(entry);
	json_decref(calls);
}

static void contain(const char *what, int output)
{
	contain_timed(what, output, 0);
}

static void execute_clock(int output)
{
	json_t *plan = json_pack("{s:s}", "do", "clock");
	struct gk_execute_request request = {.plan = plan, .output_fds = &output, .output_count = 1, .wall_ms = 20000};

	gk_runner_execute(runner, &request, real_executed, NULL);
	json_decref(plan);
}

static bool overlap(int a, int b)
{
	int64_t x[2] = {0, 0}, y[2] = {0, 0};

	if (pread(a, x, sizeof x, 0) != sizeof x || pread(b, y, sizeof y, 0) != sizeof y || !x[1] || !y[1])
		return true;
	return x[0] < y[1] && y[0] < x[1];
}

/* As many of both as there are, the second ones when the first are under way; how many pairs of a candidate and an execution ran at the same time. */
static int share_device(bool candidates_first)
{
	struct gk_err e;
	int pairs = 0;

	memset(&real, 0, sizeof real);
	for (int i = 0; i < 2 * JOBS; i++)
		real.outputs[i] = gk_memfd_new("out", 16, &e);
	for (int i = 0; i < 2 * JOBS; i++) {
		for (int turn = 0; i == JOBS && turn < 20; turn++)
			gk_loop_turn(loop, false);
		if ((i < JOBS) == candidates_first)
			contain("ran", real.outputs[JOBS + i % JOBS]);
		else
			execute_clock(real.outputs[i % JOBS]);
	}
	gk_loop_run(loop);
	for (int i = 0; i < JOBS; i++)
		for (int k = 0; k < JOBS; k++)
			pairs += overlap(real.outputs[i], real.outputs[JOBS + k]);
	for (int i = 0; i < 2 * JOBS; i++)
		close(real.outputs[i]);
	return pairs;
}

/* Of JOBS candidates, the second of which is timed or has an output of many bytes, how many pairs ran at the same time; *beside: those with the second. */
static int run_together(int timed, off_t bytes, int *beside)
{
	struct gk_err e;
	int pairs = 0;

	memset(&real, 0, sizeof real);
	*beside = 0;
	for (int i = 0; i < JOBS; i++) {
		real.outputs[i] = gk_memfd_new("out", i == 1 ? (size_t)bytes : 16, &e);
		contain_timed("ran", real.outputs[i], i == 1 ? timed : 0);
	}
	gk_loop_run(loop);
	for (int i = 0; i < JOBS; i++)
		for (int k = 0; k < i; k++) {
			int both = overlap(real.outputs[i], real.outputs[k]);

			pairs += both;
			*beside += (i == 1 || k == 1) * both;
		}
	for (int i = 0; i < JOBS; i++)
		close(real.outputs[i]);
	return pairs;
}

static void test_contain(void)
{
	struct gk_err e;
	int output = gk_memfd_new("out", 16, &e);

	open_pool("well", (struct gk_pool_options){0});
	ok(gk_runner_can_contain(runner), "candidates can be run for real");
	memset(&real, 0, sizeof real);
	contain("ran", output);
	gk_loop_run(loop);
	ok(real.done == 1 && !real.failed && real.complete && real.claims == 2, "what it says comes, marks as well");
	memset(&real, 0, sizeof real);
	contain("garbage", output);
	gk_loop_run(loop);
	ok(real.done == 1 && !real.failed && real.is_malformed, "garbage is its own");
	capture("ran");
	ok(strstr(got.malformed, "may not say ran") != NULL, "one that is captured may not say so");
	close_pool();
	close(output);
}

static void test_one_device(void)
{
	open_pool("well", (struct gk_pool_options){.device = "cuda", .launchers = 2});
	is_int(share_device(false), 0, "on a GPU no candidate runs beside an execution");
	ok(real.done == 2 * JOBS && !real.failed, "and all come to their end");
	is_int(share_device(true), 0, "nor an execution beside a candidate");
	is_int(share_device(false), 0, "nor when both are up already");
	close_pool();
	open_pool("well", (struct gk_pool_options){.device = "cuda", .launcher = program});
	ok(!gk_runner_can_contain(runner), "beside a launcher elsewhere nothing can be run for real");
	close_pool();
}

static void test_several_on_one_device(void)
{
	int beside;

	open_pool("well", (struct gk_pool_options){.device = "cuda"});
	is_int(run_together(0, 16, &beside), 0, "on a GPU candidates run one after the other");
	close_pool();
	open_pool("well", (struct gk_pool_options){.device = "cuda", .contained = JOBS, .launchers = 2});
	ok(run_together(0, 16, &beside) > 0 && beside > 0, "or several at once, where that is asked for");
	ok(real.done == JOBS && !real.failed, "and all come to their end");
	run_together(1, 16, &beside);
	ok(real.done == JOBS && beside == 0, "one that is timed is alone");
	run_together(0, (off_t)65 << 20, &beside);
	ok(real.done == JOBS && beside == 0, "so is one with large tensors");
	is_int(share_device(false), 0, "no execution runs beside any of them");
	is_int(share_device(true), 0, "whoever comes first");
	close_pool();
}

static void find_python(void)
{
	const char *name = getenv("GEAK_PYTHON");
	struct gk_err e;

	if (gk_program_find(name ? name : "python3", python, sizeof python, &e) < 0)
		python[0] = '\0';
}

int main(void)
{
	struct gk_err e;
	int before;

	find_python();
	if (!realpath("tests/unit/pool", fake_folder) || !python[0]) {
		skip("the pool", "it needs Python, and the checkout as working folder");
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
	test_hello();
	test_oracle();
	test_capture();
	test_zygote_deaths();
	test_bystanders();
	test_cancel();
	test_execute();
	test_lost_gpu();
	test_time();
	test_time_on_a_broken_gpu();
	test_contain();
	test_one_device();
	test_several_on_one_device();
	is_int(open_descriptors(), before, "no descriptor is left");
	gk_loop_free(loop);
	gk_tree_remove(scratch, &e);
	return done_testing();
}
