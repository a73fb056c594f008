/* The evaluator over a scripted runner: one capture per text, oracle values asked once, our failures never
 * kept. */
#include "run/evaluator.h"

#include "run/judging.h"
#include "runner.h"
#include "tap.h"

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
