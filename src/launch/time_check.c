/*
 * Before anything is timed: each side once, and each of its variants, waited
 * for launch by launch, so that a fault has a side, a kernel and a line.
 * Afterwards: what lies around the buffers of all sets, and the inputs behind a
 * call that was not waited for. Of large inputs sums of all blocks are compared,
 * and parts that are drawn anew each time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "time.h"

enum {
	WHOLE_BYTES = 4 << 20,
	WINDOW = 256 << 10,
	WINDOWS = 4,
	MORE_WINDOWS = 64, /* where there are no sums */
	ROUNDS = 2,
	APART_CALLS = 5,
	EMPTY_MARKS = 16
};

#define AHEAD 1.3 /* how much longer the device should be busy than the host is with queueing */

/* ---- inputs ---- */

static int compare_part(struct time_job *job, uint64_t at, const uint8_t *want, uint64_t bytes, bool *differs,
                        struct gk_err *e)
{
	gk_free_auto uint8_t *got = gk_alloc(bytes + 1);

	if (job->ops->download(job->device, got, at, bytes, e) < 0)
		return -1;
	*differs |= memcmp(got, want, bytes) != 0;
	return 0;
}

static int compare_input(struct time_job *job, uint32_t input, struct gk_device_region r, bool *differs,
                         struct gk_err *e)
{
	const uint8_t *want = job->inputs[input].bytes;
	bool has_sums = time_has_sums(job, input, r.bytes);

	if (has_sums && time_compare_sums(job, input, r.at, differs, e) < 0)
		return -1;
	if (r.bytes <= WHOLE_BYTES)
		return compare_part(job, r.at, want, r.bytes, differs, e);
	for (int i = 0; i < (has_sums ? WINDOWS : MORE_WINDOWS) && !*differs; i++) {
		uint64_t from = gk_random_below(&job->random, r.bytes - WINDOW + 1);

		if (compare_part(job, r.at + from, want + from, WINDOW, differs, e) < 0)
			return -1;
	}
	return 0;
}

static int compare_inputs(struct time_job *job, uint32_t side, uint32_t set, struct gk_err *e)
{
	struct time_side *s = &job->sides[side];

	for (uint32_t i = 0; i < s->plan->buffer_count; i++) {
		struct gk_device_region r = job->ops->region(job->device, s->memory[set], i);

		if (s->input_of[i] >= 0 && r.bytes > 0 &&
		    compare_input(job, (uint32_t)s->input_of[i], r, &s->changed[i], e) < 0)
			return -1;
	}
	return 0;
}

/* ---- untimed calls ---- */

static int finish(struct time_job *job, struct time_side *s, bool near_only, struct gk_err *e)
{
	s->run.is_timed = near_only;
	if (!job->ops->finish(job->device, &s->run))
		return time_run_failed(job, &s->run, e);
	return 0;
}

static int check_call(struct time_job *job, uint32_t side, bool near_only, struct gk_err *e)
{
	struct time_side *s = &job->sides[side];
	uint32_t set = time_any_set(job);

	s->run.is_timed = false;
	if (time_prepare(job, side, set, TIME_NO_SLOT, e) < 0 || job->ops->sync(job->device, e) < 0 ||
	    time_steps(job, side, set, 0, e) < 0 || finish(job, s, near_only, e) < 0)
		return -1;
	return near_only ? 0 : compare_inputs(job, side, set, e);
}

static int check_side(struct time_job *job, uint32_t side, struct gk_err *e)
{
	struct time_side *s = &job->sides[side];

	job->who = (int)side;
	if (check_call(job, side, false, e) < 0)
		return -1;
	for (uint32_t c = 0; c < s->choice_count; c++) {
		const struct time_choice *choice = &s->choices[c];

		for (uint32_t i = 1; i < choice->count; i++) {
			s->variant[choice->step] = choice->allowed[i];
			if (check_call(job, side, true, e) < 0)
				return -1;
		}
		s->variant[choice->step] = choice->allowed[0];
	}
	return 0;
}

int time_check(struct time_job *job, struct gk_err *e)
{
	job->flushes = 1;
	for (uint32_t i = 0; i < job->side_count; i++)
		if (check_side(job, i, e) < 0)
			return -1;
	for (uint32_t i = 0; i < job->side_count; i++)
		job->sides[i].run.is_timed = true;
	return 0;
}

int time_finish(struct time_job *job, struct gk_err *e)
{
	for (uint32_t side = 0; side < job->side_count; side++) {
		struct time_side *s = &job->sides[side];
		uint32_t last = time_any_set(job);

		/* what b shares with a has been seen with a's: whose doing it was is not known */
		job->who = job->side_count > 1 && side == 0 ? -1 : (int)side;
		if (time_prepare(job, side, last, TIME_NO_SLOT, e) < 0 ||
		    time_steps(job, side, last, 0, e) < 0 || job->ops->sync(job->device, e) < 0 ||
		    compare_inputs(job, side, last, e) < 0)
			return -1;
		for (uint32_t set = 0; set < job->set_count; set++) {
			s->run.memory = s->memory[set];
			if (finish(job, s, true, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- how long things take ---- */

/* One call with a mark before its preparation, one behind, one at its end. */
static int settle_call(struct time_job *job, uint32_t side, uint32_t set, uint32_t mark, struct gk_err *e)
{
	struct time_call call = {.side = side,
	                         .set = set,
	                         .mark = (int)mark + 1,
	                         .slot = TIME_NO_SLOT,
	                         .before = TIME_NO_SLOT};

	return job->ops->mark(job->device, mark, e) < 0 ? -1 : time_call(job, &call, e);
}

/* Every set once, so that what the first use takes aside is there. *host_ms: of queueing a call. */
static int settle_side(struct time_job *job, uint32_t side, double *prepare, double *host_ms,
                       struct gk_err *e)
{
	double prepares[TIME_SETS], calls[TIME_SETS];
	int64_t started = time_now_ns();

	for (uint32_t i = 0; i < job->set_count; i++)
		if (settle_call(job, side, i, 3 * i, e) < 0)
			return -1;
	*host_ms = (double)(time_now_ns() - started) / 1e6 / job->set_count;
	for (uint32_t i = 0; i < job->set_count; i++)
		if (time_elapsed(job, 3 * (int)i, &prepares[i], e) < 0 ||
		    time_elapsed(job, 3 * (int)i + 1, &calls[i], e) < 0)
			return -1;
	*prepare = gk_median(prepares, job->set_count);
	job->sides[side].call_ms = gk_median(calls, job->set_count);
	return 0;
}

static int read_flush(struct time_job *job, double *ms, struct gk_err *e)
{
	uint32_t before = job->flushes;
	double with;
	int done = 0;

	for (int i = 0; i < 2 && done == 0; i++) {
		job->flushes = i ? 3 : 1;
		done = job->ops->mark(job->device, 2 * (uint32_t)i, e) < 0 || time_wash(job, e) < 0 ||
		       job->ops->mark(job->device, 2 * (uint32_t)i + 1, e) < 0;
	}
	job->flushes = before;
	if (done || time_elapsed(job, 2, &with, e) < 0 || time_elapsed(job, 0, ms, e) < 0)
		return -1;
	*ms = (with - *ms) / 2;
	return 0;
}

/* A host that queues more slowly than the device works would be timed itself: more flushing, until it is
 * ahead. */
static int get_ahead(struct time_job *job, double busy_ms, double host_ms, struct gk_err *e)
{
	double flush_ms = 0, more;

	if (busy_ms >= AHEAD * host_ms || read_flush(job, &flush_ms, e) < 0)
		return busy_ms >= AHEAD * host_ms ? 0 : -1;
	more = flush_ms > 0 ? (AHEAD * host_ms - busy_ms) / flush_ms + 1 : 0;
	job->flushes = more < TIME_FLUSHES ? 1 + (uint32_t)more : TIME_FLUSHES;
	return 0;
}

/* The least that two events tell apart, from events with nothing between them; time_pairs() looks on. */
static int find_tick(struct time_job *job, struct gk_err *e)
{
	double first, ms;

	for (uint32_t i = 0; i <= EMPTY_MARKS; i++)
		if (job->ops->mark(job->device, i, e) < 0)
			return -1;
	if (time_elapsed(job, 0, &first, e) < 0)
		return -1;
	for (int i = 1; i < EMPTY_MARKS; i++) {
		double apart;

		if (time_elapsed(job, i, &ms, e) < 0)
			return -1;
		apart = ms > first ? ms - first : first - ms;
		if (apart > 1e-7 && (job->tick_ms == 0 || apart < job->tick_ms))
			job->tick_ms = apart;
	}
	return 0;
}

/* The first use of an event makes it: not in the middle of what is timed. */
static int make_events(struct time_job *job, struct gk_err *e)
{
	for (uint32_t i = 0; i < 2 * TIME_CALLS; i++)
		if (job->ops->mark(job->device, i, e) < 0)
			return -1;
	return job->ops->sync(job->device, e);
}

int time_settle(struct time_job *job, struct gk_err *e)
{
	double prepare = 0, host = 0, busy = 0, slowest = 0;

	if (make_events(job, e) < 0)
		return -1;
	for (int round = 0; round < ROUNDS; round++) {
		busy = slowest = 0;
		for (uint32_t i = 0; i < job->side_count; i++) {
			job->who = (int)i;
			if (settle_side(job, i, &prepare, &host, e) < 0)
				return -1;
			busy += prepare + job->sides[i].call_ms;
			slowest += host;
		}
	}
	job->prepare_ms = prepare;
	job->pair_ms = busy;
	job->who = job->side_count > 1 ? -1 : 0;
	return get_ahead(job, busy, slowest, e) < 0 ? -1 : find_tick(job, e);
}

/* ---- fills and copies ---- */

static bool has_fills(const struct time_side *s)
{
	for (uint32_t i = 0; i < s->plan->step_count; i++) {
		const struct gk_plan_step *step = &s->plan->steps[i];

		if (step->op != GK_STEP_LAUNCH &&
		    (step->op != GK_STEP_CHOOSE || step->variants[s->variant[i]].pre_count > 0))
			return true;
	}
	return false;
}

static int time_side_apart(struct time_job *job, uint32_t side, struct gk_err *e)
{
	double ms[APART_CALLS];

	for (uint32_t i = 0; i < APART_CALLS; i++) {
		uint32_t set = time_any_set(job);

		if (time_prepare(job, side, set, TIME_NO_SLOT, e) < 0 ||
		    job->ops->mark(job->device, 2 * i, e) < 0 || time_fills_only(job, side, set, e) < 0 ||
		    job->ops->mark(job->device, 2 * i + 1, e) < 0)
			return -1;
	}
	for (int i = 0; i < APART_CALLS; i++)
		if (time_elapsed(job, 2 * i, &ms[i], e) < 0)
			return -1;
	job->sides[side].fills_ms = gk_median(ms, APART_CALLS);
	return 0;
}

int time_steps_apart(struct time_job *job, struct gk_err *e)
{
	for (uint32_t i = 0; i < job->side_count; i++) {
		job->who = (int)i;
		job->sides[i].fills_ms = -1;
		if (has_fills(&job->sides[i]) && time_side_apart(job, i, e) < 0)
			return -1;
	}
	return 0;
}
