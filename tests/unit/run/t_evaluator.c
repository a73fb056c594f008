/* The evaluator over a scripted runner: one capture per text, oracle values asked once, our failures never
 * kept. */
#include "run/evaluator.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../add_kernel.h"
#include "base/file.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "run/judging.h"
#include "tap.h"

enum { COUNT = 100, BYTES = 4 * COUNT };

/* ---- a runner that answers in the next round of the loop ---- */

enum what { LINT, INPUTS, EXPECTED, CAPTURE, EXECUTE, WHAT_COUNT };

struct script {
	struct gk_runner runner;
	struct gk_loop *loop;
	int asked[WHAT_COUNT];
	int capture_cases;
	bool oracle_fails;
	struct GK_VEC(struct reply *) replies;
	uint64_t last;
	bool is_closed;
};

union callback {
	gk_lint_fn *lint;
	gk_tensors_fn *tensors;
	gk_capture_fn *capture;
	gk_execute_fn *execute;
};

struct reply {
	struct script *script;
	uint64_t id;
	enum what what;
	union callback fn;
	void *ctx;
	int outputs[GK_PLAN_MAX_OUTPUTS];
	size_t output_count;
};

static char hash[GK_HEX_SIZE];
static float values[COUNT];

static void forget(struct reply *r)
{
	struct script *s = r->script;

	for (size_t i = 0; i < s->replies.count; i++)
		if (s->replies.items[i] == r)
			s->replies.items[i] = NULL;
	gk_loop_forget(s->loop, r);
	for (size_t i = 0; i < r->output_count; i++)
		gk_fd_close(&r->outputs[i]);
	free(r);
}

static void reply_lint(const struct reply *r)
{
	struct gk_lint_result result = {.passed = true, .kind = "", .message = ""};

	r->fn.lint(r->ctx, &result);
}

static void reply_tensors(const struct reply *r)
{
	static const char tensor[] = "{\"name\":\"%s\",%s\"dtype\":\"%s\",\"shape\":[100],\"strides\":[1],"
	                             "\"offset\":0,\"bytes\":%d}";
	char a[256], b[256], all[600];
	double sums[COUNT];
	struct gk_err e = {0};
	int fds[2] = {-1, -1};
	struct gk_tensors_result result = {.fds = fds};

	for (int i = 0; i < COUNT; i++)
		sums[i] = 2 * (double)values[i];
	if (r->what == INPUTS) {
		snprintf(a, sizeof a, tensor, "x", "\"kind\":\"tensor\",", "float32", BYTES);
		snprintf(b, sizeof b, tensor, "y", "\"kind\":\"tensor\",", "float32", BYTES);
		snprintf(all, sizeof all, "[%s,%s]", a, b);
		fds[0] = gk_memfd_from("x", values, BYTES, &e);
		fds[1] = gk_memfd_from("y", values, BYTES, &e);
		result.fd_count = 2;
	} else {
		snprintf(a, sizeof a, tensor, "out", "\"declared\":\"float32\",", "float64", 2 * BYTES);
		snprintf(all, sizeof all, "[%s]", a);
		fds[0] = gk_memfd_from("out", sums, sizeof sums, &e);
		result.fd_count = 1;
	}
	result.tensors = json_loads(all, 0, NULL);
	if (r->script->oracle_fails) {
		gk_err_set(&e, GK_ERR_INPUT, "line 3: no");
		result.err = &e;
	}
	r->fn.tensors(r->ctx, &result);
	json_decref(result.tensors);
	gk_fd_close(&fds[0]);
	gk_fd_close(&fds[1]);
}

static void reply_capture(const struct reply *r)
{
	struct gk_captured_module module = {.text = ADD_GOOD, .size = strlen(ADD_GOOD)};
	struct gk_claim claims[16];
	struct gk_capture_result result = {.end = GK_CAPTURE_EXITED,
	                                   .complete = true,
	                                   .modules = &module,
	                                   .module_count = 1,
	                                   .claims = claims,
	                                   .claim_count = (size_t)r->script->capture_cases,
	                                   .output = ""};
	char text[4096];

	memcpy(module.hash, hash, sizeof hash);
	snprintf(text, sizeof text, ADD_PLAN, BYTES, BYTES, BYTES, hash, 2, 2, COUNT, COUNT);
	for (size_t i = 0; i < result.claim_count; i++)
		claims[i] = (struct gk_claim){GK_CLAIM_PLAN, (int64_t)i, json_loads(text, 0, NULL)};
	r->fn.capture(r->ctx, &result);
	for (size_t i = 0; i < result.claim_count; i++)
		json_decref(claims[i].json);
}

static void reply_execute(const struct reply *r)
{
	struct gk_execute_result result = {.death = ""};
	float sums[COUNT];
	ssize_t written;

	for (int i = 0; i < COUNT; i++)
		sums[i] = 2 * values[i];
	written = pwrite(r->outputs[0], sums, BYTES, 0);
	(void)written;
	result.executed = json_pack("{s:n, s:[], s:[{s:i, s:i}], s:{}, s:[], s:i}", "finding", "changed",
	                            "outputs", "poisoned", 0, "first", -1, "counts", "notes", "ms", 1);
	r->fn.execute(r->ctx, &result);
	json_decref(result.executed);
}

static void reply_now(void *ctx)
{
	static void (*const replies[WHAT_COUNT])(const struct reply *) = {
		reply_lint, reply_tensors, reply_tensors, reply_capture, reply_execute};
	struct reply *r = ctx, copy = *r;

	r->output_count = 0;
	forget(r);
	replies[copy.what](&copy);
	for (size_t i = 0; i < copy.output_count; i++)
		gk_fd_close(&copy.outputs[i]);
}

static struct reply *later(struct gk_runner *runner, enum what what, union callback fn, void *ctx)
{
	struct script *s = (struct script *)runner;
	struct reply *r = gk_alloc(sizeof *r);

	*r = (struct reply){.script = s, .id = ++s->last, .what = what, .fn = fn, .ctx = ctx};
	s->asked[what]++;
	gk_vec_push(&s->replies, r);
	gk_loop_defer(s->loop, reply_now, r);
	return r;
}

static uint64_t do_lint(struct gk_runner *r, const struct gk_lint_request *q, gk_lint_fn *fn, void *ctx)
{
	(void)q;
	return later(r, LINT, (union callback){.lint = fn}, ctx)->id;
}

static uint64_t do_inputs(struct gk_runner *r, const struct gk_inputs_request *q, gk_tensors_fn *fn,
                          void *ctx)
{
	(void)q;
	return later(r, INPUTS, (union callback){.tensors = fn}, ctx)->id;
}

static uint64_t do_expected(struct gk_runner *r, const struct gk_expected_request *q, gk_tensors_fn *fn,
                            void *ctx)
{
	(void)q;
	return later(r, EXPECTED, (union callback){.tensors = fn}, ctx)->id;
}

static uint64_t do_capture(struct gk_runner *r, const struct gk_capture_request *q, gk_capture_fn *fn,
                           void *ctx)
{
	((struct script *)r)->capture_cases = (int)json_array_size(q->cases);
	return later(r, CAPTURE, (union callback){.capture = fn}, ctx)->id;
}

static uint64_t do_execute(struct gk_runner *r, const struct gk_execute_request *q, gk_execute_fn *fn,
                           void *ctx)
{
	struct reply *reply = later(r, EXECUTE, (union callback){.execute = fn}, ctx);

	for (; reply->output_count < q->output_count; reply->output_count++)
		reply->outputs[reply->output_count] = dup(q->output_fds[reply->output_count]);
	return reply->id;
}

static void do_cancel(struct gk_runner *runner, uint64_t id)
{
	struct script *s = (struct script *)runner;

	for (size_t i = 0; i < s->replies.count; i++)
		if (s->replies.items[i] && s->replies.items[i]->id == id)
			forget(s->replies.items[i]);
}

static const char *do_facts(struct gk_runner *r, const char *role)
{
	(void)r;
	return strcmp(role, "launcher") == 0 ? "{}" : NULL;
}

static void do_close(struct gk_runner *runner)
{
	struct script *s = (struct script *)runner;

	for (size_t i = 0; i < s->replies.count; i++)
		if (s->replies.items[i])
			forget(s->replies.items[i]);
	gk_vec_release(&s->replies);
	s->is_closed = true;
}

static const struct gk_runner_ops ops = {.lint = do_lint,
                                         .inputs = do_inputs,
                                         .expected = do_expected,
                                         .capture = do_capture,
                                         .execute = do_execute,
                                         .cancel = do_cancel,
                                         .facts = do_facts,
                                         .close = do_close};

/* ---- the tests ---- */

static struct gk_param params[] = {{.name = "x"}, {.name = "y"}};
static struct gk_return returns[] = {{.name = "out", .dtype = "like:x"}};
static struct gk_case cases[2];
static struct gk_task task = {.id = "add",
                              .entry = "add",
                              .params = params,
                              .param_count = 2,
                              .returns = returns,
                              .return_count = 1,
                              .cases = cases,
                              .case_count = 2,
                              .folder = "/none",
                              .hash = "h"};
static int verdicts, passes;
static enum gk_outcome last;

static void done(void *ctx, uint64_t id, struct gk_verdict *verdict)
{
	(void)ctx, (void)id;
	verdicts++;
	last = verdict->outcome;
	passes += verdict->outcome == GK_PASS;
	if (verdict->outcome != GK_PASS)
		printf("# %s: %s\n", verdict->kind, verdict->message);
	gk_verdict_release(verdict);
}

static struct gk_evaluator *open_over(struct script *s, struct gk_loop *loop)
{
	struct gk_evaluator_options options = {.target = "cpu", .parallel = 2};

	*s = (struct script){.runner = {&ops}, .loop = loop};
	verdicts = passes = 0;
	return evaluator_over(loop, &s->runner, &options);
}

static void turn_until(struct gk_loop *loop, int count)
{
	for (int i = 0; i < 10000 && verdicts < count; i++)
		gk_loop_turn(loop, false);
}

static void the_same_text_is_judged_once(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_over(&s, loop);

	for (int i = 0; i < 3; i++)
		gk_evaluator_submit(evaluator, &task, "same", 4, done, NULL);
	is_int(verdicts, 0, "submit does not call back");
	turn_until(loop, 3);
	ok(verdicts == 3 && passes == 3, "three clients have a verdict");
	is_int(s.asked[CAPTURE], 2, "of one job with two captures");
	is_int(s.asked[EXECUTE], 6, "and one execution per case and round");
	is_int(s.asked[INPUTS], 6, "inputs were asked for once per case and round");
	gk_evaluator_submit(evaluator, &task, "same", 4, done, NULL);
	is_int(verdicts, 3, "nor when the verdict is known");
	turn_until(loop, 4);
	ok(verdicts == 4 && s.asked[CAPTURE] == 2, "a known verdict costs nothing");
	gk_evaluator_submit(evaluator, &task, "other", 5, done, NULL);
	turn_until(loop, 5);
	ok(s.asked[CAPTURE] == 4 && s.asked[INPUTS] == 6,
	   "another candidate is captured, and meets the same inputs");
	gk_evaluator_close(evaluator);
	ok(s.is_closed, "the runner is closed with it");
}

static void many_wait_for_their_turn(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_over(&s, loop);
	char text[16];

	for (int i = 0; i < 7; i++) {
		snprintf(text, sizeof text, "text %d", i);
		gk_evaluator_submit(evaluator, &task, text, strlen(text), done, NULL);
	}
	gk_loop_turn(loop, false);
	ok(s.asked[LINT] <= 2, "no more are under way than were allowed");
	turn_until(loop, 7);
	ok(verdicts == 7 && passes == 7, "all come through");
	gk_evaluator_close(evaluator);
}

static void failures_of_ours_are_not_kept(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_over(&s, loop);

	s.oracle_fails = true;
	gk_evaluator_submit(evaluator, &task, "text", 4, done, NULL);
	turn_until(loop, 1);
	is_int(last, GK_INFRA, "an oracle that fails is no verdict about the candidate");
	s.oracle_fails = false;
	gk_evaluator_submit(evaluator, &task, "text", 4, done, NULL);
	turn_until(loop, 2);
	is_int(last, GK_PASS, "and is asked again for the next");
	gk_evaluator_close(evaluator);
}

static void it_can_be_closed_at_any_time(struct gk_loop *loop)
{
	for (int turns = 0; turns < 24; turns++) {
		struct script s;
		struct gk_evaluator *evaluator = open_over(&s, loop);

		gk_evaluator_submit(evaluator, &task, "a", 1, done, NULL);
		gk_evaluator_submit(evaluator, &task, "b", 1, done, NULL);
		for (int i = 0; i < turns; i++)
			gk_loop_turn(loop, false);
		gk_evaluator_close(evaluator);
		for (int i = 0; i < 5; i++)
			gk_loop_turn(loop, false);
	}
	ok(true, "closing in the middle leaves nothing behind");
}

int main(void)
{
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);

	for (int i = 0; i < COUNT; i++)
		values[i] = (float)(i + 1);
	for (int i = 0; i < 2; i++)
		cases[i] = (struct gk_case){
			.id = i ? "N=2" : "N=1", .params = json_object(), .exec = true, .cpu = true};
	gk_hash_hex(ADD_GOOD, strlen(ADD_GOOD), hash);
	the_same_text_is_judged_once(loop);
	many_wait_for_their_turn(loop);
	failures_of_ours_are_not_kept(loop);
	it_can_be_closed_at_any_time(loop);
	for (int i = 0; i < 2; i++)
		json_decref(cases[i].params);
	gk_loop_free(loop);
	return done_testing();
}
