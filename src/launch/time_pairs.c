/*
 * The measurement. Pairs of one call of each side, in random order, on a
 * random set of buffers, with one load of the code; loads take turns in random
 * order, so that each has as many pairs. They are queued in chunks, between
 * which the device's state is read and the figures are looked at: narrow
 * enough, or long enough. A chunk in which the clocks changed is left out.
 *
 * Alone, a side is measured against a constant: the interval is that of its
 * own time.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "time.h"

enum { LEAST_PAIRS = 5, SOME_CHUNK = 16, WHOLE_EVERY = 8, CHUNKS_OF_SHARE = 4, LEAST_DISCARDS = TIME_CHUNK, LOOK_EVERY = 2 };

#define PAIRS_SHARE  0.5 /* of the cap */
#define CLOCK_CHANGE 0.03

struct looking {
	uint32_t side;
	int slot, before;
};

struct chunk {
	uint32_t number, pairs;
	uint32_t group[TIME_CHUNK], first[TIME_CHUNK];
	double ms[2][TIME_CHUNK];
	struct looking looks[TIME_CALLS];
	uint32_t look_count, picked[2]; /* where few are looked at: which pair's outputs, by side */
	uint32_t befores[2];            /* fills that were put aside so far, by side */
};

struct measuring {
	struct time_job *job;
	struct chunk chunk;
	uint32_t order[TIME_LOADS], next; /* of loads */
	bool has_second[2]; /* of large outputs: a later chunk's call was kept too, by side */
	int64_t started, last_ns;
	double queue_ms, wait_ms, health_ms, look_ms, think_ms; /* what they took */
};

/* ---- queueing ---- */

static uint32_t next_load(struct measuring *m)
{
	if (m->next == 0) {
		for (uint32_t i = 0; i < m->job->loads; i++)
			m->order[i] = i;
		gk_random_shuffle(&m->job->random, m->order, m->job->loads);
		m->next = m->job->loads;
	}
	return m->order[--m->next];
}

/*
 * Where a call's outputs are put, if they are to be looked at. Of large ones
 * one call of the first chunk is kept, and one of all later chunks, each as
 * likely.
 */
static struct looking look_at(struct measuring *m, uint32_t side, uint32_t pair)
{
	struct chunk *c = &m->chunk;
	struct looking l = {side, TIME_NO_SLOT, TIME_NO_SLOT};

	if (m->job->all_outputs) {
		l.slot = (int)c->look_count;
		if (c->befores[side] < 2)
			l.before = (int)(TIME_CALLS + side + 2 * c->befores[side]++);
		c->looks[c->look_count++] = l;
	} else if (c->picked[side] == pair && (c->number == 0 || gk_random_below(&m->job->random, c->number) == 0)) {
		l.slot = (int)(side + (c->number ? 2 : 0));
		m->has_second[side] |= c->number > 0;
	}
	return l;
}

static int queue_one(struct measuring *m, uint32_t side, uint32_t pair, uint32_t set, struct gk_err *e)
{
	struct looking l = look_at(m, side, pair);
	struct time_call call = {.side = side,
	                         .set = set,
	                         .load = m->chunk.group[pair],
	                         .mark = (int)(4 * pair + 2 * side),
	                         .slot = l.slot,
	                         .before = l.before};

	return time_call(m->job, &call, e);
}

static int queue_pair(struct measuring *m, uint32_t pair, struct gk_err *e)
{
	struct time_job *job = m->job;
	uint32_t set = time_any_set(job), first = (uint32_t)gk_random_below(&job->random, job->side_count);

	m->chunk.group[pair] = next_load(m);
	m->chunk.first[pair] = first;
	if (queue_one(m, first, pair, set, e) < 0)
		return -1;
	return job->side_count > 1 ? queue_one(m, 1 - first, pair, set, e) : 0;
}

/* A preparation goes ahead of the first call: the host must be far in front when that begins. */
static int run_chunk(struct measuring *m, struct gk_err *e)
{
	struct time_job *job = m->job;
	struct chunk *c = &m->chunk;

	c->look_count = 0;
	for (uint32_t s = 0; s < job->side_count; s++)
		c->picked[s] = (uint32_t)gk_random_below(&job->random, c->pairs);
	if (time_wash(job, e) < 0)
		return -1;
	for (uint32_t i = 0; i < c->pairs; i++)
		if (queue_pair(m, i, e) < 0)
			return -1;
	m->queue_ms += launch_lap_ms(&m->last_ns);
	for (uint32_t i = 0; i < c->pairs; i++)
		for (uint32_t s = 0; s < job->side_count; s++)
			if (time_elapsed(job, (int)(4 * i + 2 * s), &c->ms[s][i], e) < 0)
				return -1;
	return job->ops->sync(job->device, e);
}

static int look(struct measuring *m, struct gk_err *e)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < m->chunk.look_count; i++) {
		const struct looking *l = &m->chunk.looks[i];
		int last = l->slot > l->before ? l->slot : l->before;

		slots = (uint32_t)last + 1 > slots ? (uint32_t)last + 1 : slots;
	}
	if (m->job->all_outputs && slots && time_fetch(m->job, slots, e) < 0)
		return -1;
	for (uint32_t i = 0; i < m->chunk.look_count; i++) {
		const struct looking *l = &m->chunk.looks[i];

		if (time_look(m->job, l->side, l->slot, l->before, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the device's state ---- */

static struct gk_device_health read_health(struct time_job *job, bool whole)
{
	struct gk_device_health health;

	job->ops->health(job->device, whole, &health);
	if (job->reading_count < TIME_HEALTH)
		job->readings[job->reading_count++] = (struct time_reading){job->pair_count, health};
	return health;
}

static bool is_other(const struct gk_device_health *before, const struct gk_device_health *after)
{
	if (before->throttle != after->throttle)
		return true;
	return before->sm_mhz > 0 && after->sm_mhz > 0 &&
	       fabs((double)after->sm_mhz / before->sm_mhz - 1) > CLOCK_CHANGE;
}

/* At most a third of all, but a chunk's worth anyway: clocks rise at the beginning. */
static bool may_discard(const struct time_job *job, uint32_t pairs)
{
	uint32_t gone = job->discarded + pairs;

	return gone <= LEAST_DISCARDS || 3 * gone <= gone + job->pair_count;
}

/* ---- the figures ---- */

/* Events can be so close that the clock sees no time between them; a logarithm needs some. */
static double some_time(const struct time_job *job, double ms)
{
	double least = job->tick_ms > 0 ? job->tick_ms : 1e-6;

	return ms > least ? ms : least;
}

static void keep(struct measuring *m)
{
	struct time_job *job = m->job;

	for (uint32_t i = 0; i < m->chunk.pairs && job->pair_count < TIME_PAIRS; i++) {
		uint32_t at = job->pair_count++;

		job->group[at] = m->chunk.group[i];
		job->first[at] = m->chunk.first[i];
		for (uint32_t s = 0; s < job->side_count; s++)
			job->sides[s].ms[at] = some_time(job, m->chunk.ms[s][i]);
	}
}

static const char *is_enough(const struct time_job *job)
{
	gk_free_auto struct gk_pair *pairs = gk_alloc_array(job->pair_count + 1, sizeof *pairs);
	struct gk_ratio ratio;

	for (uint32_t i = 0; i < job->pair_count; i++)
		pairs[i] = (struct gk_pair){job->sides[0].ms[i],
		                            job->side_count > 1 ? job->sides[1].ms[i] : job->sides[0].ms[0],
		                            job->group[i]};
	gk_ratio_estimate(pairs, job->pair_count, job->seed, GK_RATIO_LEVEL, &ratio);
	return gk_ratio_enough(&ratio, job->loads, job->half_width);
}

static double spent_ms(const struct measuring *m)
{
	return (double)(time_now_ns() - m->started) / 1e6;
}

/* NULL: go on. */
static const char *why_stop(const struct measuring *m)
{
	const struct time_job *job = m->job;
	const char *why = NULL;

	if (job->pair_count >= TIME_PAIRS)
		return "most";
	if (job->pair_count >= GK_RATIO_FIRST && m->chunk.number % LOOK_EVERY == 0)
		why = is_enough(job);
	if (why)
		return why;
	return job->pair_count >= LEAST_PAIRS && spent_ms(m) > PAIRS_SHARE * job->cap_ms ? "cap" : NULL;
}

/* As many as the budget has room for several times, so that there is something to decide. */
static uint32_t chunk_pairs(const struct measuring *m)
{
	const struct time_job *job = m->job;
	uint32_t most = job->all_outputs ? TIME_CHUNK : SOME_CHUNK, left = TIME_PAIRS - job->pair_count;
	double some = job->pair_ms > 0 ? PAIRS_SHARE * job->cap_ms / CHUNKS_OF_SHARE / job->pair_ms : most;

	most = most < left ? most : left;
	return some >= most ? most : some >= 1 ? (uint32_t)some : 1;
}

static int one_chunk(struct measuring *m, struct gk_device_health *before, struct gk_err *e)
{
	struct time_job *job = m->job;
	struct gk_device_health after;

	m->think_ms += launch_lap_ms(&m->last_ns);
	m->chunk.pairs = chunk_pairs(m);
	if (run_chunk(m, e) < 0)
		return -1;
	m->wait_ms += launch_lap_ms(&m->last_ns);
	after = read_health(job, m->chunk.number % WHOLE_EVERY == WHOLE_EVERY - 1);
	m->health_ms += launch_lap_ms(&m->last_ns);
	if (look(m, e) < 0)
		return -1;
	m->look_ms += launch_lap_ms(&m->last_ns);
	if (is_other(before, &after) && may_discard(job, m->chunk.pairs))
		job->discarded += m->chunk.pairs;
	else
		keep(m);
	*before = after;
	m->chunk.number++;
	return 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The least difference between two times of one side. */
static void find_tick(struct time_job *job, const struct time_side *s)
{
	gk_free_auto double *sorted = gk_alloc_array(job->pair_count + 1, sizeof *sorted);

	memcpy(sorted, s->ms, job->pair_count * sizeof *sorted);
	qsort(sorted, job->pair_count, sizeof *sorted, compare_doubles);
	for (uint32_t i = 1; i < job->pair_count; i++) {
		double apart = sorted[i] - sorted[i - 1];

		if (apart > 1e-7 * (1 + sorted[i]) && (job->tick_ms == 0 || apart < job->tick_ms))
			job->tick_ms = apart;
	}
}

int time_pairs(struct time_job *job, struct gk_err *e)
{
	struct measuring *m = gk_alloc(sizeof *m);
	struct gk_device_health before;
	int done = 0;

	job->who = job->side_count > 1 ? -1 : 0;
	m->job = job;
	m->last_ns = gk_clock_ns();
	before = read_health(job, true);
	m->health_ms += launch_lap_ms(&m->last_ns);
	m->started = time_now_ns();
	while (done == 0 && !(job->stopped = why_stop(m)))
		done = one_chunk(m, &before, e);
	for (uint32_t i = 0; i < job->side_count && done == 0 && !job->all_outputs; i++)
		done = time_look_few(job, i, (int)i, m->has_second[i] ? (int)i + 2 : TIME_NO_SLOT, e);
	for (uint32_t i = 0; i < job->side_count && done == 0; i++) {
		job->sides[i].call_ms = gk_median(job->sides[i].ms, job->pair_count);
		find_tick(job, &job->sides[i]);
	}
	time_took(job, "pairs, queueing", m->queue_ms);
	time_took(job, "pairs, waiting", m->wait_ms);
	time_took(job, "pairs, health", m->health_ms);
	time_took(job, "pairs, outputs", m->look_ms);
	time_took(job, "pairs, figures", m->think_ms);
	free(m);
	return done;
}
