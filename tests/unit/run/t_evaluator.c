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
static struct gk_case timed_cases[3]; /* the second for exec and perf, the third for perf alone */
static struct gk_task timed_task;
static int verdicts, passes;
static enum gk_outcome last;
static struct gk_verdict kept; /* the last one */

static void count_one(void *ctx)
{
	(void)ctx;
	verdicts++;
}

static void done(void *ctx, uint64_t id, struct gk_verdict *verdict)
{
	(void)ctx, (void)id;
	verdicts++;
	last = verdict->outcome;
	passes += verdict->outcome == GK_PASS;
	if (verdict->outcome != GK_PASS)
		printf("# %s: %s\n", verdict->kind, verdict->message);
	gk_verdict_release(&kept);
	kept = *verdict;
	*verdict = (struct gk_verdict){0};
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
	is_int(s.asked[EXECUTE], 6 + 1, "and one execution per case and round, and one again");
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

/* ---- on a GPU ---- */

static struct gk_evaluator *open_gpu(struct script *s, struct gk_loop *loop)
{
	struct gk_evaluator_options options = {.target = "sm_90", .parallel = 2, .on_gpu = true};

	*s = (struct script){.runner = {&ops}, .loop = loop, .target = "sm_90"};
	verdicts = passes = 0;
	return evaluator_over(loop, &s->runner, &options);
}

static void judge_text(struct gk_evaluator *evaluator, struct gk_loop *loop, const char *text)
{
	gk_evaluator_submit(evaluator, &timed_task, text, strlen(text), done, NULL);
	turn_until(loop, verdicts + 1);
}

static const char *note(const struct gk_verdict *v, const char *words)
{
	json_t *item;
	size_t i;

	json_array_foreach(v->notes, i, item)
	{
		if (strstr(json_string_value(item), words))
			return json_string_value(item);
	}
	return NULL;
}

static void what_is_right_is_measured(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_gpu(&s, loop);

	ok(gk_evaluator_is_on_gpu(evaluator), "an evaluator knows that it times");
	s.b_ms = 0.5;
	judge_text(evaluator, loop, "fast");
	ok(kept.outcome == GK_PASS && kept.stage == GK_STAGE_PERF && kept.speedup.measured, "a candidate is measured");
	near(kept.speedup.mean, 2, 0.01, "against the reference");
	is_int(s.asked[CAPTURE], 4, "the reference was captured too");
	is_int(s.asked[EXECUTE], 2 * 3 + 1 + 2 + 1, "and executed in one round");
	is_int(s.asked[TIME], 2 + 2, "each case of perf was timed, and before that the reference alone");
	is_int(s.asked[INPUTS], 2 * 3 + 1, "inputs of what is for perf alone are made once");
	ok(kept.spent.total > 0 && kept.spent.gpu >= 100, "the verdict says where the time went");
	judge_text(evaluator, loop, "other");
	is_int(s.asked[TIME], 6, "for the next candidate the reference is known");
	is_int(s.asked[INPUTS], 2 * 3 + 1, "and so are inputs");
	judge_text(evaluator, loop, "other");
	ok(s.asked[TIME] == 6 && kept.speedup.measured, "a known candidate is not measured again");
	gk_evaluator_close(evaluator);
}

static void two_files_are_measured_against_each_other(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_gpu(&s, loop);

	gk_evaluator_submit_against(evaluator, &timed_task, "b", 1, "a", 1, done, NULL);
	turn_until(loop, 1);
	is_int(kept.stage, GK_STAGE_PERF, "one file against another");
	is_int(s.asked[CAPTURE], 4, "without the task's own reference");
	gk_evaluator_submit(evaluator, &timed_task, "b", 1, done, NULL);
	turn_until(loop, 2);
	is_int(s.asked[CAPTURE], 8, "against another it is another verdict");
	gk_evaluator_close(evaluator);
}

static void nothing_is_timed_unless_wanted(struct gk_loop *loop)
{
	struct script s = {.runner = {&ops}, .loop = loop, .target = "sm_90"};
	struct gk_evaluator_options options = {.target = "sm_90", .parallel = 2, .on_gpu = true, .skip_perf = true};
	struct gk_evaluator *evaluator = evaluator_over(loop, &s.runner, &options);

	verdicts = passes = 0;
	judge_text(evaluator, loop, "text");
	ok(kept.outcome == GK_PASS && kept.stage == GK_STAGE_EXEC && s.asked[TIME] == 0 && s.asked[CAPTURE] == 2,
	   "without timing there is no reference either");
	is_int(s.capture_cases, 2, "nor are cases captured that are for perf alone");
	gk_evaluator_close(evaluator);
}

static void a_reference_that_fails_is_nobody_elses_fault(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_gpu(&s, loop);

	s.reference_dies = true;
	judge_text(evaluator, loop, "text");
	ok(kept.outcome == GK_PASS && kept.exec && !kept.speedup.measured, "the candidate passes, unmeasured");
	ok(note(&kept, "speed was not measured: what it is measured against did not pass itself: crash"),
	   "and a note says why");
	gk_evaluator_close(evaluator);
}

static void cheating_is_a_verdict(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_gpu(&s, loop);

	s.forged = true;
	s.b_ms = 0.4;
	judge_text(evaluator, loop, "forger");
	ok(kept.outcome == GK_FAIL && strcmp(kept.kind, "clock_mismatch") == 0 && !kept.exec, "a forged clock is found out");
	s.forged = false;
	s.is_wrong = true;
	judge_text(evaluator, loop, "liar");
	ok(kept.outcome == GK_FAIL && strcmp(kept.kind, "wrong_values") == 0 && kept.stage == GK_STAGE_PERF,
	   "so are timed calls that compute something else");
	gk_evaluator_close(evaluator);
}

static void our_failures_are_tried_again(struct gk_loop *loop)
{
	struct script s;
	struct gk_evaluator *evaluator = open_gpu(&s, loop);

	judge_text(evaluator, loop, "first"); /* the reference is known from here on */
	s.time_errors = 1;
	judge_text(evaluator, loop, "second");
	ok(kept.outcome == GK_PASS && kept.speedup.measured, "a timing that fails for a reason of ours is asked again");
	s.time_errors = 4;
	judge_text(evaluator, loop, "third");
	ok(kept.outcome == GK_INFRA && kept.stage == GK_STAGE_PERF, "but not for ever: then it is no verdict at all");
	s.time_errors = 0;
	judge_text(evaluator, loop, "third");
	is_int(kept.outcome, GK_PASS, "and the next one who asks gets one");
	gk_evaluator_close(evaluator);
	evaluator = open_gpu(&s, loop);
	s.time_errors = 4; /* both cases of the reference, twice */
	judge_text(evaluator, loop, "fourth");
	ok(kept.outcome == GK_PASS && !kept.speedup.measured, "a reference that we fail to time leaves speed unmeasured");
	judge_text(evaluator, loop, "fifth");
	ok(kept.outcome == GK_PASS && kept.speedup.measured, "and is judged again for the next candidate");
	gk_evaluator_close(evaluator);
}

static void large_outputs_do_not_stop_the_loop(struct gk_loop *loop)
{
	struct gk_err e = {0};
	enum { MANY = 1 << 18 };
	double *want = gk_alloc_array(MANY, sizeof *want);
	struct gk_case c = {.id = "large"};
	struct oracle_set set = {0};
	uint64_t size = MANY * sizeof(float);
	struct compared *compared = NULL;
	int fd = gk_memfd_new("got", size, &e), other = gk_memfd_new("got", size, &e), want_fd = gk_memfd_from("want", want, MANY * sizeof *want, &e);
	struct compared_request request = {&task, &c, &set, &fd, &size, 1};
	struct gk_tensor t = {.dtype = GK_F32, .rank = 1, .shape = {MANY}, .strides = {1}, .bytes = size};

	set.data.output_count = 1;
	set.data.outputs[0] = set.data.want[0] = t;
	set.data.want[0].dtype = GK_F64;
	set.data.want[0].bytes = MANY * sizeof *want;
	set.want_fds = &want_fd;
	verdicts = 0;
	is_int(compared_start(loop, &request, count_one, NULL, &compared, &e), 0, "a comparison of a megabyte");
	ok(!compared_is_done(compared), "goes on in a thread");
	for (int i = 0; i < 10000 && verdicts < 1; i++) {
		gk_loop_turn(loop, false);
		usleep(1000);
	}
	ok(compared_is_done(compared) && compared_outputs(compared)->wrong == 1, "and says when it is done");
	compared_free(compared);
	request.fds = &other;
	compared_start(loop, &request, count_one, NULL, &compared, &e);
	compared_free(compared);
	for (int i = 0; i < 100; i++) {
		gk_loop_turn(loop, false);
		usleep(1000);
	}
	is_int(verdicts, 1, "one that was given up tells nothing");
	close(fd);
	close(other);
	close(want_fd);
	free(want);
}

static void it_can_be_closed_while_it_measures(struct gk_loop *loop)
{
	for (int turns = 0; turns < 60; turns += 2) {
		struct script s;
		struct gk_evaluator *evaluator = open_gpu(&s, loop);

		gk_evaluator_submit(evaluator, &timed_task, "a", 1, done, NULL);
		gk_evaluator_submit(evaluator, &timed_task, "b", 1, done, NULL);
		for (int i = 0; i < turns; i++)
			gk_loop_turn(loop, false);
		gk_evaluator_close(evaluator);
		for (int i = 0; i < 5; i++)
			gk_loop_turn(loop, false);
	}
	ok(true, "closing while it measures leaves nothing behind");
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
	memcpy(timed_cases, cases, sizeof cases);
	timed_cases[1].perf = true;
	timed_cases[2] = (struct gk_case){.id = "N=3", .params = cases[0].params, .perf = true};
	timed_task = task;
	timed_task.hash[0] = 't';
	timed_task.cases = timed_cases;
	timed_task.case_count = 3;
	timed_task.reference = "reference";
	timed_task.reference_size = strlen("reference");
	the_same_text_is_judged_once(loop);
	many_wait_for_their_turn(loop);
	failures_of_ours_are_not_kept(loop);
	it_can_be_closed_at_any_time(loop);
	what_is_right_is_measured(loop);
	two_files_are_measured_against_each_other(loop);
	nothing_is_timed_unless_wanted(loop);
	a_reference_that_fails_is_nobody_elses_fault(loop);
	cheating_is_a_verdict(loop);
	our_failures_are_tried_again(loop);
	large_outputs_do_not_stop_the_loop(loop);
	it_can_be_closed_while_it_measures(loop);
	gk_verdict_release(&kept);
	for (int i = 0; i < 2; i++)
		json_decref(cases[i].params);
	gk_loop_free(loop);
	return done_testing();
}
