/*
 * Which variant of each choose step is the fastest, under the protocol by
 * which the whole is timed. Halving: all variants get a few calls, the better
 * half twice as many, and so on until one is left or the budget is used up.
 * Both sides have the same budget; the first round is always made, with one
 * call each where more would not fit. What won is measured anew afterwards:
 * the least of many medians is too small.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "time.h"

enum { FIRST_CALLS = 3, MOST_CALLS = 24, SAMPLES = 64 };

#define TUNE_SHARE 0.2 /* of the cap, for each side */

struct trial {
	uint32_t place; /* among the allowed variants */
	uint32_t count;
	double ms[SAMPLES], median;
};

struct tuning {
	struct time_job *job;
	uint32_t side;
	struct time_choice *choice;
	struct trial *trials; /* those still in the running come first */
	uint32_t left;
	double budget_ms;
};

static int queue_call(struct tuning *t, const struct trial *trial, uint32_t number, struct gk_err *e)
{
	struct time_side *s = &t->job->sides[t->side];
	struct time_call call = {.side = t->side,
	                         .set = time_any_set(t->job),
	                         .mark = 2 * (int)number,
	                         .slot = TIME_NO_SLOT,
	                         .before = TIME_NO_SLOT};

	s->variant[t->choice->step] = t->choice->allowed[trial->place];
	return time_call(t->job, &call, e);
}

/* order names trials, at most TIME_CALLS of them: queued together, waited for once. */
static int run_some(struct tuning *t, const uint32_t *order, uint32_t count, struct gk_err *e)
{
	for (uint32_t i = 0; i < count; i++)
		if (queue_call(t, &t->trials[order[i]], i, e) < 0)
			return -1;
	for (uint32_t i = 0; i < count; i++) {
		struct trial *trial = &t->trials[order[i]];
		double ms;

		if (time_elapsed(t->job, 2 * (int)i, &ms, e) < 0)
			return -1;
		if (trial->count < SAMPLES)
			trial->ms[trial->count++] = ms;
		t->budget_ms -= ms + t->job->prepare_ms;
	}
	return 0;
}

static int compare_trials(const void *a, const void *b)
{
	const struct trial *x = a, *y = b;

	if (x->median != y->median)
		return x->median < y->median ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static int run_round(struct tuning *t, uint32_t calls, struct gk_err *e)
{
	uint32_t total = t->left * calls;
	gk_free_auto uint32_t *order = gk_alloc_array(total, sizeof *order);

	for (uint32_t i = 0; i < total; i++)
		order[i] = i % t->left;
	gk_random_shuffle(&t->job->random, order, total);
	for (uint32_t done = 0; done < total; done += TIME_CALLS) {
		uint32_t n = total - done < TIME_CALLS ? total - done : TIME_CALLS;

		if (run_some(t, order + done, n, e) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < t->left; i++)
		t->trials[i].median = gk_median(t->trials[i].ms, t->trials[i].count);
	qsort(t->trials, t->left, sizeof *t->trials, compare_trials);
	return 0;
}

static int halve(struct tuning *t, struct gk_err *e)
{
	double call_ms = t->job->sides[t->side].call_ms + t->job->prepare_ms;
	uint32_t calls = t->left * FIRST_CALLS * call_ms > t->budget_ms ? 1 : FIRST_CALLS;
	bool is_first = true;

	if (run_round(t, calls, e) < 0)
		return -1;
	for (; t->left > 1; is_first = false) {
		if (t->left > 2 || !is_first) /* two alone meet twice */
			t->left = (t->left + 1) / 2;
		calls = calls < MOST_CALLS ? 2 * calls : MOST_CALLS;
		if (t->left == 1 ||
		    t->left * calls * (t->trials[0].median + t->job->prepare_ms) > t->budget_ms)
			return 0;
		if (run_round(t, calls, e) < 0)
			return -1;
	}
	return 0;
}

static int tune_choice(struct time_job *job, uint32_t side, struct time_choice *c, double budget_ms,
                       struct gk_err *e)
{
	struct tuning t = {job, side, c, gk_alloc_array(c->count, sizeof *t.trials), c->count, budget_ms};
	int done;

	for (uint32_t i = 0; i < c->count; i++)
		t.trials[i].place = i;
	done = halve(&t, e);
	for (uint32_t i = 0; i < c->count; i++)
		c->ms[t.trials[i].place] = t.trials[i].median;
	job->sides[side].variant[c->step] = c->allowed[t.trials[0].place];
	free(t.trials);
	return done;
}

int time_tune(struct time_job *job, struct gk_err *e)
{
	for (uint32_t side = 0; side < job->side_count; side++) {
		struct time_side *s = &job->sides[side];
		double budget = TUNE_SHARE * job->cap_ms / (s->choice_count ? s->choice_count : 1);

		job->who = (int)side;
		for (uint32_t i = 0; i < s->choice_count; i++)
			if (s->choices[i].count > 1 && tune_choice(job, side, &s->choices[i], budget, e) < 0)
				return -1;
	}
	return 0;
}
