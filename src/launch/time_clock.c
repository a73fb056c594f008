/*
 * Two other views of the same calls. The host's clock: so many preparations
 * with calls, then as many without, and the difference. A kernel that reaches
 * the driver's pages can forge events; it cannot forge this. What a call leaves
 * in the caches unwritten is paid by the next preparation: so that both kinds
 * pay it, a fill of the same buffers stands in the call's place, and its time,
 * by events that only a kernel of ours had a part in, is added. Short bursts
 * are noisy: where they do not bear out the events, longer ones decide. And for short
 * calls a batch: each on a set of its own, prepared before, one behind the
 * other between two events, so that what an event costs is shared.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "time.h"

enum { ROUNDS = 3, MORE_ROUNDS = 5, MOST_BURST = 64, BATCH_ROUNDS = 5, SOIL_CALLS = 5 };

#define BURST_MS   0.8 /* of calls with preparation between two waits */
#define MORE_MS    60. /* of all that is done where the clocks are far apart */
#define SHORT_CALL 0.02
#define DOUBT_MS    0.0015 /* how far the clocks may be apart before more is done, or a share of a call */
#define DOUBT_SHARE 0.05

int64_t time_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- the host's clock ---- */

static int burst(struct time_job *job, uint32_t side, uint32_t count, bool with_calls, double *ms,
                 struct gk_err *e)
{
	int64_t started;

	if (job->ops->sync(job->device, e) < 0)
		return -1;
	started = time_now_ns();
	for (uint32_t i = 0; i < count; i++) {
		uint32_t set = time_any_set(job), load = (uint32_t)gk_random_below(&job->random, job->loads);

		if (time_prepare(job, side, set, TIME_NO_SLOT, e) < 0 ||
		    (with_calls ? time_steps(job, side, set, load, e) : time_soil(job, set, e)) < 0)
			return -1;
	}
	if (job->ops->sync(job->device, e) < 0)
		return -1;
	*ms = (double)(time_now_ns() - started) / 1e6;
	return 0;
}

/* Both kinds of both sides, in random order. */
static int host_round(struct time_job *job, uint32_t calls, double ms[2], struct gk_err *e)
{
	uint32_t order[4] = {0, 1, 2, 3}, kinds = 2 * job->side_count;
	double took[4] = {0};

	gk_random_shuffle(&job->random, order, kinds);
	for (uint32_t i = 0; i < kinds; i++)
		if (burst(job, order[i] / 2, calls, order[i] % 2, &took[order[i]], e) < 0)
			return -1;
	for (uint32_t s = 0; s < job->side_count; s++)
		ms[s] = (took[2 * s + 1] - took[2 * s]) / calls;
	return 0;
}

static double slower_call(const struct time_job *job)
{
	double a = job->sides[0].call_ms, b = job->side_count > 1 ? job->sides[1].call_ms : 0;

	return a > b ? a : b;
}

/* What the fill in a call's place takes. */
static int find_soil_ms(struct time_job *job, double *ms, struct gk_err *e)
{
	double all[SOIL_CALLS];

	for (uint32_t i = 0; i < SOIL_CALLS; i++) {
		uint32_t set = time_any_set(job);

		if (time_prepare(job, 0, set, TIME_NO_SLOT, e) < 0 || job->ops->mark(job->device, 2 * i, e) < 0 ||
		    time_soil(job, set, e) < 0 || job->ops->mark(job->device, 2 * i + 1, e) < 0)
			return -1;
	}
	for (int i = 0; i < SOIL_CALLS; i++)
		if (time_elapsed(job, 2 * i, &all[i], e) < 0)
			return -1;
	*ms = gk_median(all, SOIL_CALLS);
	return 0;
}

static int host_rounds(struct time_job *job, uint32_t rounds, double soil_ms, struct gk_err *e)
{
	double ms[2][MORE_ROUNDS];

	for (uint32_t i = 0; i < rounds; i++) {
		double round[2] = {0};

		if (host_round(job, job->host.calls, round, e) < 0)
			return -1;
		ms[0][i] = round[0] + soil_ms;
		ms[1][i] = round[1] + soil_ms;
	}
	job->host.rounds = rounds;
	for (uint32_t s = 0; s < job->side_count; s++)
		job->host.ms[s] = gk_median(ms[s], rounds);
	return 0;
}

static bool is_doubtful(const struct time_job *job)
{
	for (uint32_t s = 0; s < job->side_count; s++)
		if (fabs(job->host.ms[s] - job->sides[s].call_ms) > fmax(DOUBT_MS, DOUBT_SHARE * job->sides[s].call_ms))
			return true;
	return false;
}

int time_host(struct time_job *job, struct gk_err *e)
{
	double one = job->prepare_ms + slower_call(job), calls = one > 0 ? BURST_MS / one : MOST_BURST, soil_ms;

	job->host.calls = calls >= MOST_BURST ? MOST_BURST : calls >= 1 ? (uint32_t)calls : 1;
	if (find_soil_ms(job, &soil_ms, e) < 0 || host_rounds(job, ROUNDS, soil_ms, e) < 0)
		return -1;
	if (!is_doubtful(job))
		return 0;
	calls = one > 0 ? MORE_MS / (2 * job->side_count * MORE_ROUNDS * one) : MOST_BURST;
	if (calls > job->host.calls)
		job->host.calls = calls < MOST_BURST ? (uint32_t)calls : MOST_BURST;
	return host_rounds(job, MORE_ROUNDS, soil_ms, e);
}

/* ---- batches ---- */

static int queue_batch(struct time_job *job, uint32_t side, uint32_t mark, struct gk_err *e)
{
	uint32_t load = (uint32_t)gk_random_below(&job->random, job->loads);

	for (uint32_t i = 0; i < job->set_count; i++)
		if (time_fill(job, side, i, TIME_NO_SLOT, e) < 0)
			return -1;
	if (time_wash(job, e) < 0 || job->ops->mark(job->device, mark, e) < 0)
		return -1;
	for (uint32_t i = 0; i < job->set_count; i++)
		if (time_steps(job, side, i, load, e) < 0)
			return -1;
	return job->ops->mark(job->device, mark + 1, e);
}

static int batch_side(struct time_job *job, uint32_t side, struct gk_err *e)
{
	double ms[BATCH_ROUNDS];

	for (int i = 0; i < BATCH_ROUNDS; i++) {
		if (time_elapsed(job, 4 * i + 2 * (int)side, &ms[i], e) < 0)
			return -1;
		ms[i] /= job->set_count;
	}
	job->batch.ms[side] = gk_median(ms, BATCH_ROUNDS);
	return 0;
}

int time_batch(struct time_job *job, struct gk_err *e)
{
	if (job->set_count < 2 || slower_call(job) >= SHORT_CALL)
		return 0;
	for (uint32_t i = 0; i < BATCH_ROUNDS; i++) {
		uint32_t first = (uint32_t)gk_random_below(&job->random, job->side_count);

		if (queue_batch(job, first, 4 * i + 2 * first, e) < 0 ||
		    (job->side_count > 1 && queue_batch(job, 1 - first, 4 * i + 2 * (1 - first), e) < 0))
			return -1;
	}
	for (uint32_t s = 0; s < job->side_count; s++)
		if (batch_side(job, s, e) < 0)
			return -1;
	job->batch.calls = job->set_count;
	job->batch.rounds = BATCH_ROUNDS;
	return 0;
}
