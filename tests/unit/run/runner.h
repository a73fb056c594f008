/* A runner without peers, for the evaluator's tests: it answers in the next round of the loop, as its script says. */
#ifndef TEST_RUNNER_H
#define TEST_RUNNER_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../add_kernel.h"
#include "base/file.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "pool/runner.h"
#include "tap.h"

enum { COUNT = 100, BYTES = 4 * COUNT };

enum what { LINT, INPUTS, EXPECTED, CAPTURE, EXECUTE, LOWER, TIME, WHAT_COUNT };

struct script {
	struct gk_runner runner;
	struct gk_loop *loop;
	int asked[WHAT_COUNT];
	int capture_cases;
	bool oracle_fails;
	const char *target;        /* of plans; NULL: the machine */
	int time_errors;           /* so many timings fail for a reason of ours */
	bool forged, reference_dies, is_wrong; /* timings: the host reads more; of the reference they die; outputs of b */
	double b_ms;               /* of what is not the reference; 0: 1 */
	struct GK_VEC(struct reply *) replies;
	uint64_t last;
	bool is_closed;
};

union callback {
	gk_lint_fn *lint;
	gk_tensors_fn *tensors;
	gk_capture_fn *capture;
	gk_execute_fn *execute;
	gk_lower_fn *lower;
	gk_time_fn *time;
};

struct reply {
	struct script *script;
	uint64_t id;
	enum what what;
	union callback fn;
	void *ctx;
	int outputs[GK_PLAN_MAX_OUTPUTS];
	size_t output_count;
	char ttir[GK_HEX_SIZE];
	bool is_alone; /* TIME: both sides are the same */
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
	for (size_t i = 0; i < result.claim_count; i++) {
		json_t *plan = json_loads(text, 0, NULL);

		if (r->script->target)
			json_object_set_new(plan, "target", json_string(r->script->target));
		claims[i] = (struct gk_claim){.kind = GK_CLAIM_PLAN, .case_index = (int64_t)i, .json = plan};
	}
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

static void reply_lower(const struct reply *r)
{
	struct gk_object object = {.name = "add_kernel", .warps = 4, .warp_size = 32, .ctas = 1, .cluster = {1, 1, 1},
	                           .regs = 32, .scratch_align = 1};
	struct gk_lower_result result = {.object = &object, .code = "code", .size = 4};

	snprintf(object.target, sizeof object.target, "%s", r->script->target);
	memcpy(object.ttir, r->ttir, sizeof object.ttir);
	r->fn.lower(r->ctx, &result);
}

static json_t *told_json(double ms)
{
	json_t *all = json_array();

	for (int i = 0; i < 128; i++)
		json_array_append_new(all, json_real(ms * (1 + 0.001 * (i % 7))));
	return json_pack("{s:o, s:[], s:[], s:n, s:[], s:i, s:i, s:[{s:i, s:i}]}", "ms", all, "chosen", "tuned",
	                 "fills_ms", "changed", "checked", 128, "different", 0, "poisoned", "poisoned", 0, "first", -1);
}

static json_t *timed_json(double b_ms, double b_host_ms)
{
	json_t *group = json_array(), *first = json_array();

	for (int i = 0; i < 128; i++) {
		json_array_append_new(group, json_integer(i / 16));
		json_array_append_new(first, json_integer(i % 2));
	}
	return json_pack("{s:n, s:n, s:b, s:o, s:o, s:o, s:o, s:{s:i, s:i, s:f, s:f}, s:n, s:f, s:[], s:i, s:f, s:f, s:s}",
	                 "finding", "side", "lost", false, "a", told_json(1), "b", told_json(b_ms), "group", group, "first",
	                 first, "host", "calls", 20, "rounds", 5, "a_ms", 1.0, "b_ms", b_host_ms, "batch", "tick_ms", 0.00003,
	                 "health", "discarded", 0, "held_ms", 50.0, "ms", 60.0, "stopped", "precise");
}

static void reply_time(const struct reply *r)
{
	struct script *s = r->script;
	double b_ms = r->is_alone || s->b_ms <= 0 ? 1 : s->b_ms;
	struct gk_time_result result = {.death = "signal 9", .died = r->is_alone && s->reference_dies};
	struct gk_err e = {GK_ERR_SYSTEM, "no GPU"};
	float sums[COUNT];
	ssize_t written;

	if (s->time_errors > 0) {
		s->time_errors--;
		result.err = &e;
	}
	for (size_t i = 0; i < r->output_count; i++) {
		for (int k = 0; k < COUNT; k++)
			sums[k] = 2 * values[k] + (s->is_wrong && !r->is_alone);
		written = pwrite(r->outputs[i], sums, BYTES, 0);
		(void)written;
	}
	if (!result.err && !result.died)
		result.timed = timed_json(b_ms, s->forged && !r->is_alone ? 2 * b_ms : b_ms);
	r->fn.time(r->ctx, &result);
	json_decref(result.timed);
}

static void reply_now(void *ctx)
{
	static void (*const replies[WHAT_COUNT])(const struct reply *) = {
		reply_lint, reply_tensors, reply_tensors, reply_capture, reply_execute, reply_lower, reply_time};
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

static uint64_t do_lower(struct gk_runner *r, const struct gk_lower_request *q, gk_lower_fn *fn, void *ctx)
{
	struct reply *reply = later(r, LOWER, (union callback){.lower = fn}, ctx);

	snprintf(reply->ttir, sizeof reply->ttir, "%s", q->ttir);
	return reply->id;
}

/* The reference against itself has the same code on both sides. */
static uint64_t do_time(struct gk_runner *r, const struct gk_time_request *q, gk_time_fn *fn, void *ctx)
{
	struct reply *reply = later(r, TIME, (union callback){.time = fn}, ctx);

	reply->is_alone = q->a.objects[0].code == q->b.objects[0].code;
	ok(q->input_count == 2 && q->a.input_count == 2 && q->b.input_indexes[1] == 1 && !q->is_solo,
	   "both sides take the same inputs, each sent once");
	ok(q->a.is_known == !reply->is_alone && !q->b.is_known && q->a.output_count == (q->a.is_known ? 0 : 1),
	   "what the reference computes is looked at once");
	if (!q->a.is_known)
		reply->outputs[reply->output_count++] = dup(q->a.output_fds[0]);
	reply->outputs[reply->output_count++] = dup(q->b.output_fds[0]);
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
                                         .lower = do_lower,
                                         .time = do_time,
                                         .cancel = do_cancel,
                                         .facts = do_facts,
                                         .close = do_close};

#endif
