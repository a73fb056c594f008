/* Candidates that run for real in the pool: what they say, and who shares a device with whom. */
#include "peers.h"

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

static void all(void)
{
	test_contain();
	test_one_device();
	test_several_on_one_device();
}

int main(void)
{
	return test_pool("contained candidates", all);
}
