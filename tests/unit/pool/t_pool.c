/* Python peers in the pool that misbehave: their hello, an oracle, captures. */
#include <signal.h>

#include "peers.h"

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
	close_pool();
	ok(!children_left(), "no process is left");
	json_decref(params);
	json_decref(args);
}

static void test_oracle_deaths(void)
{
	char once[128];

	open_pool("well", (struct gk_pool_options){0});
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
}

/* ---- capture ---- */

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

static void all(void)
{
	test_hello();
	test_oracle();
	test_oracle_deaths();
	test_capture();
	test_zygote_deaths();
	test_bystanders();
	test_cancel();
}

int main(void)
{
	return test_pool("the pool", all);
}
