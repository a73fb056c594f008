/* Launchers in the pool that die, hang, lose their GPU or serve over a pipe: plans executed, plans timed. */
#include "base/clock.h"
#include "peers.h"

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

/* ---- several at once ---- */

static struct answer {
	bool failed, died;
	double ms;
} answers[3];

static void one_executed(void *ctx, const struct gk_execute_result *r)
{
	*(struct answer *)ctx = (struct answer){r->err != NULL, r->died,
	                                        r->executed ? json_real_value(json_object_get(r->executed, "ms")) : 0};
}

static void execute_three(const char *const what[3], int64_t wall_ms)
{
	struct gk_err e;
	int in = gk_memfd_from("in", "an input", 8, &e), outs[3], buffer = 0;
	struct gk_execute_module module = {"aa", "module", 6};

	memset(answers, 0, sizeof answers);
	for (int i = 0; i < 3; i++) {
		json_t *plan = json_pack("{s:s}", "do", what[i]);
		struct gk_execute_request request = {.plan = plan, .modules = &module, .module_count = 1,
		                                     .input_buffers = &buffer, .input_fds = &in, .input_count = 1,
		                                     .output_fds = &outs[i], .output_count = 1, .wall_ms = wall_ms};

		outs[i] = gk_memfd_new("out", 18, &e);
		gk_runner_execute(runner, &request, one_executed, &answers[i]);
		json_decref(plan);
	}
	gk_loop_run(loop);
	for (int i = 0; i < 3; i++)
		close(outs[i]);
	close(in);
}

static void test_next_in_line(void)
{
	static const char *const naps[] = {"nap", "nap", "nap"};
	char once[64];

	open_pool("well", (struct gk_pool_options){.device = "cuda"});
	execute_three(naps, 700);
	ok(answers[0].ms > 2 && answers[1].ms > 2, "the next plan lies at a GPU's launcher before it is done with one");
	ok(answers[2].ms > 1 && answers[2].ms < 2, "but not where there is none");
	ok(!answers[1].died && !answers[2].died, "its time begins when the one before it is done");
	snprintf(once, sizeof once, "crash until %lld", (long long)gk_clock_ns() + 2000000000);
	execute_three((const char *const[]){"crash", once, "nap"}, 5000);
	ok(answers[0].died && answers[2].ms > 1, "a launcher's death is the plan's that was begun");
	ok(!answers[1].died && answers[1].ms > 1, "the next has not died yet: its own death is its first");
	close_pool();
	open_pool("well", (struct gk_pool_options){.device = "cpu"});
	execute_three(naps, 5000);
	ok(answers[0].ms > 1 && answers[0].ms < 2 && answers[2].ms > 1 && answers[2].ms < 2, "the machine gets one after the other");
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

static void all(void)
{
	test_execute();
	test_lost_gpu();
	test_next_in_line();
	test_time();
	test_time_on_a_broken_gpu();
}

int main(void)
{
	return test_pool("launchers", all);
}
