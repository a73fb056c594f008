/*
 * Runs for real: the candidate's Python on data, in the sandbox with the device.
 *
 * A confirmation asks whether the Python does what its plans say, once
 * everything was right: one case that the secret chooses (with Triton's
 * interpreter, which is slow, among the small ones), two calls on inputs that
 * nobody has seen. Whoever passes only by its plan is refused with `plan_mismatch`.
 *
 * What capture cannot follow is judged by runs alone where the task allows it:
 * every case, every round, evidence `contained`.
 *
 * End to end: the cases for perf, called back to back, Python and Triton's
 * dispatch included. A figure beside the others, and no verdict.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "state.h"

#define MOST_FILES    GK_CONTAIN_MAX_FDS
#define CONFIRM_CALLS 2
#define TIMED_ROUND   0 /* its inputs are there already: large ones take their time */
/* Elements of a case's arguments that the interpreter gets through in a second or two. */
#define SMALL ((uint64_t)1 << 14)

static bool has_in_place(const struct gk_task *task)
{
	for (size_t i = 0; i < task->param_count; i++)
		if (task->params[i].in_place)
			return true;
	return false;
}

static struct run *run_new(struct gk_cascade *c, size_t case_index)
{
	struct run *run = gk_alloc(sizeof *run);

	run->x.number = c->runs.count;
	run->x.case_index = case_index;
	gk_vec_push(&c->runs, run);
	return run;
}

void run_free(struct run *run)
{
	json_decref(run->failing.detail);
	free(run);
}

/* Memory files of a run are counted: false when there is no room for another call. */
static bool add_call(const struct gk_cascade *c, struct run *run, int round)
{
	size_t each = c->cases[run->x.case_index].tensor_count + c->setup.task->return_count;

	if (run->x.count == GK_JUDGE_RUN_CALLS || (run->x.count + 1) * each > MOST_FILES)
		return false;
	run->x.rounds[run->x.count++] = round;
	return true;
}

/* ---- confirmation ---- */

static uint64_t elements(const struct gk_cascade *c, size_t i)
{
	json_t *args = json_array_get(c->args[0], i), *arg;
	uint64_t bytes = 0;
	size_t k;

	json_array_foreach(args, k, arg) bytes += (uint64_t)json_integer_value(json_object_get(arg, "bytes"));
	return bytes / 4;
}

static size_t smallest(const struct gk_cascade *c)
{
	size_t best = 0;

	for (size_t i = 1; i < c->exec_count; i++)
		if (elements(c, i) < elements(c, best))
			best = i;
	return best;
}

static size_t choose_case(const struct gk_cascade *c)
{
	size_t fit[GK_TASK_MAX_CASES + GK_JUDGE_HELD_OUT], count = 0;
	gk_buf_auto text = GK_BUF_INIT;

	for (size_t i = 0; i < c->exec_count && count < gk_count_of(fit); i++)
		if (c->setup.on_gpu || elements(c, i) <= SMALL)
			fit[count++] = i;
	if (count == 0)
		return smallest(c);
	gk_buf_printf(&text, "confirm/%s/%s", c->setup.task->id, c->setup.candidate);
	return fit[gk_hmac_seed(c->setup.secret, gk_buf_text(&text)) % count];
}

bool run_is_wanted(const struct gk_cascade *c)
{
	return c->setup.confirm || c->setup.end_to_end > 0;
}

static void add_confirmation(struct gk_cascade *c)
{
	struct run *run = run_new(c, choose_case(c));

	for (int i = 0; i < CONFIRM_CALLS; i++)
		add_call(c, run, GK_JUDGE_RUN_ROUND + i);
}

/* ---- end to end ---- */

static void add_timed(struct gk_cascade *c, size_t case_index)
{
	struct run *run = run_new(c, case_index);

	run->x.times = c->setup.end_to_end;
	add_call(c, run, TIMED_ROUND);
}

static void add_all_timed(struct gk_cascade *c)
{
	size_t before = c->runs.count;

	if (has_in_place(c->setup.task)) /* the second call would get what the first has left */
		return;
	for (size_t i = 0; c->setup.on_gpu && i < c->setup.case_count; i++)
		if (c->setup.cases[i]->perf)
			add_timed(c, i);
	if (c->runs.count == before)
		add_timed(c, smallest(c));
}

void run_start(struct gk_cascade *c)
{
	c->phase = PHASE_RUN;
	if (c->setup.confirm)
		add_confirmation(c);
	if (c->setup.end_to_end > 0)
		add_all_timed(c);
	if (c->runs.count == 0)
		run_go_on(c);
}

/* ---- judged contained ---- */

static bool permits(const struct gk_cascade *c, const struct failing *f, bool is_allowed)
{
	return strcmp(f->kind, "not_capturable") == 0 && (c->setup.task->contained || is_allowed);
}

bool run_can_judge(const struct gk_cascade *c)
{
	const struct failing *overall = &c->overall[c->decisive];
	bool any = overall->kind != NULL;

	if (!c->setup.may_contain || c->exec_count == 0 || (any && !permits(c, overall, false)))
		return false;
	for (size_t i = 0; i < c->setup.case_count; i++) {
		const struct failing *f = &c->cases[i].call[c->decisive];

		if (f->kind && !permits(c, f, c->cases[i].is_allowed[c->decisive]))
			return false;
		any |= f->kind != NULL;
	}
	return any;
}

static const char *why_not_captured(const struct gk_cascade *c)
{
	if (c->overall[c->decisive].kind)
		return c->overall[c->decisive].message;
	for (size_t i = 0; i < c->setup.case_count; i++)
		if (c->cases[i].call[c->decisive].kind)
			return c->cases[i].call[c->decisive].message;
	return "";
}

static void judge_case(struct gk_cascade *c, size_t i)
{
	struct run *run = run_new(c, i);

	for (int n = 0; n < c->rounds; n++)
		if (!add_call(c, run, GK_JUDGE_RUN_ROUND + n) &&
		    run->x.count) { /* more files than one process can have */
			run = run_new(c, i);
			add_call(c, run, GK_JUDGE_RUN_ROUND + n);
		}
	if (c->setup.cases[i]->specials && !add_call(c, run, GK_JUDGE_SPECIAL_ROUND))
		add_call(c, run_new(c, i), GK_JUDGE_SPECIAL_ROUND);
}

void run_judge(struct gk_cascade *c)
{
	c->phase = PHASE_RUN;
	c->is_contained = true;
	c->contained_why = why_not_captured(c);
	for (size_t i = 0; i < c->exec_count; i++)
		judge_case(c, i);
	if (c->setup.end_to_end > 0)
		add_all_timed(c);
}

/* ---- issued and told ---- */

bool run_next(struct gk_cascade *c, struct gk_judge_action *action)
{
	if (c->next_run == c->runs.count)
		return false;
	action->kind = GK_JUDGE_RUN;
	action->run = &c->runs.items[c->next_run++]->x;
	return true;
}

static bool all_are_told(const struct gk_cascade *c)
{
	for (size_t i = 0; i < c->runs.count; i++)
		if (!c->runs.items[i]->is_told)
			return false;
	return true;
}

static void move_failing(struct failing *to, struct failing *from)
{
	json_decref(to->detail);
	*to = *from;
	from->detail = NULL;
}

/* Being wrong outweighs not being able to say. */
static void take_case(struct gk_cascade *c, struct run *run)
{
	struct case_state *s = &c->cases[run->x.case_index];

	s->is_tried = true;
	if (run->failing.kind && (!s->exec.kind || (s->exec.outcome == GK_UNDECIDED && !run->is_unable)))
		move_failing(&s->exec, &run->failing);
}

static void end_contained(struct gk_cascade *c)
{
	uint64_t launches = 0;
	bool is_right = true;

	for (size_t i = 0; i < c->runs.count; i++) {
		struct run *run = c->runs.items[i];

		if (run->x.times)
			continue;
		launches += run->launches;
		is_right &= !run->failing.kind;
		take_case(c, run);
	}
	if (is_right && launches == 0) {
		gk_buf_auto words = GK_BUF_INIT;

		gk_buf_add_text(&words, "no Triton kernel was launched; the computation must be done by "
		                        "kernels of the candidate");
		c->cases[0].exec = failing_of(c, GK_FAIL, "not_a_kernel", &words);
	}
	c->launches = launches;
	cascade_finish(c);
}

/* What the interpreter cannot say is a note; what a timed run gets wrong is no more than one as well. */
static void end_confirmation(struct gk_cascade *c)
{
	for (size_t i = 0; i < c->runs.count; i++) {
		struct run *run = c->runs.items[i];

		if (!run->failing.kind)
			continue;
		if (run->is_unable || run->x.times)
			c->unconfirmed = c->unconfirmed ? c->unconfirmed : run->failing.message;
		else
			move_failing(&c->mismatch, &run->failing);
	}
	run_go_on(c);
}

static void end_if_told(struct gk_cascade *c)
{
	if (!all_are_told(c))
		return;
	if (c->is_contained)
		end_contained(c);
	else
		end_confirmation(c);
}

static struct run *awaited(const struct gk_cascade *c, size_t number)
{
	struct run *run = number < c->runs.count ? c->runs.items[number] : NULL;

	return c->phase == PHASE_RUN && run && !run->is_told ? run : NULL;
}

void gk_cascade_ran(struct gk_cascade *c, size_t number, const struct gk_capture_result *result,
                    const struct gk_judge_call *calls, double ms)
{
	struct run *run = awaited(c, number);

	if (!run)
		return;
	run->is_told = true;
	if (c->is_contained && ms > c->stages_ms[GK_STAGE_EXEC])
		c->stages_ms[GK_STAGE_EXEC] = ms;
	ran_judge(c, run, result, calls);
	end_if_told(c);
}

void gk_cascade_not_run(struct gk_cascade *c, size_t number, const struct gk_err *why)
{
	struct run *run = awaited(c, number);
	gk_buf_auto words = GK_BUF_INIT;

	if (!run)
		return;
	if (c->is_contained) {
		gk_cascade_failed(c, why);
		return;
	}
	run->is_told = run->is_unable = true;
	gk_describe_foreign(&words, why->text, 300);
	run->failing = failing_of(c, GK_UNDECIDED, "not_simulated", &words);
	end_if_told(c);
}
