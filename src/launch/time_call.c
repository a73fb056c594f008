/*
 * One timed call, and what goes before it, for either side the same: written
 * inputs come back, outputs, workspaces and scratch are filled with fresh
 * random bytes, the plan's prologue runs, the multiprocessors' shared memory
 * is overwritten, the caches are flushed by reading: what was written before
 * waits in lines that must be written back, and the timed kernel would pay for
 * them. Nothing of it waits: the host only queues, and gets ahead of the device.
 */
#include <string.h>

#include "time.h"

static struct gk_device_value pointer(uint64_t at)
{
	return (struct gk_device_value){at, 8};
}

static struct gk_device_value word(uint64_t value)
{
	return (struct gk_device_value){value & 0xffffffffu, 4};
}

/* Whole words by the kernel; up to three bytes behind them from what the flush buffer holds, which is as
 * random. */
static int fill_region(struct time_job *job, uint64_t at, uint64_t bytes, struct gk_err *e)
{
	uint64_t words = bytes / 4, from;
	struct gk_device_value values[] = {pointer(at), pointer(words), word(gk_random_next(&job->random))};

	if (words &&
	    job->ops->launch(job->device, job->fill,
	                     (uint32_t)((words + GK_HELPER_BLOCK - 1) / GK_HELPER_BLOCK), values, 3, e) < 0)
		return -1;
	if (bytes % 4 == 0)
		return 0;
	from = time_room(job, job->rooms.flush).at +
	       4 * gk_random_below(&job->random, job->rooms.flush_words);
	return job->ops->copy(job->device, at + 4 * words, from, bytes % 4, e);
}

int time_run_failed(struct time_job *job, const struct gk_device_run *run, struct gk_err *e)
{
	if (run->finding.kind[0] && !job->finding.kind[0]) {
		job->finding = run->finding;
		if (run->is_timed && job->device->is_lost) { /* seen later than it happened */
			job->finding.kernel[0] = '\0';
			job->finding.line = 0;
		}
	}
	if (run->err.kind != GK_ERR_NONE)
		*e = run->err;
	else
		gk_err_set(e, GK_ERR_SYSTEM, "%s", run->finding.message);
	return -1;
}

static struct gk_device_run *ready(struct time_job *job, uint32_t side, uint32_t set, uint32_t load)
{
	struct time_side *s = &job->sides[side];

	s->run.memory = s->memory[set];
	s->run.modules = s->modules[load];
	return &s->run;
}

/* The prologue's code is that of the first load: it is not timed. */
static int run_prologue(struct time_job *job, uint32_t side, uint32_t set, struct gk_err *e)
{
	const struct gk_plan *plan = job->sides[side].plan;
	struct gk_device_run *run = ready(job, side, set, 0);

	for (uint32_t i = 0; i < plan->prologue_count; i++)
		if (!job->ops->step(job->device, run, &plan->prologue[i], 0))
			return time_run_failed(job, run, e);
	return 0;
}

int time_fill(struct time_job *job, uint32_t side, uint32_t set, int before, struct gk_err *e)
{
	const struct time_set *s = &job->sets[set];

	for (uint32_t i = 0; i < s->restore_count; i++)
		if (job->ops->copy(job->device, s->restores[i].at, s->restores[i].from, s->restores[i].bytes,
		                   e) < 0)
			return -1;
	for (uint32_t i = 0; i < s->fill_count; i++)
		if (fill_region(job, s->fills[i].at, s->fills[i].bytes, e) < 0)
			return -1;
	return time_witness(job, side, set, before, e) < 0 ? -1 : run_prologue(job, side, set, e);
}

int time_soil(struct time_job *job, uint32_t set, struct gk_err *e)
{
	const struct time_set *s = &job->sets[set];

	for (uint32_t i = 0; i < s->fill_count; i++)
		if (fill_region(job, s->fills[i].at, s->fills[i].bytes, e) < 0)
			return -1;
	return 0;
}

int time_fill_flush(struct time_job *job, struct gk_err *e)
{
	struct gk_device_region flush = time_room(job, job->rooms.flush);

	return fill_region(job, flush.at, flush.bytes, e);
}

int time_wash(struct time_job *job, struct gk_err *e)
{
	struct gk_device_region flush = time_room(job, job->rooms.flush),
				sink = time_room(job, job->rooms.sink);
	struct gk_device_value scrub[] = {pointer(sink.at), word(job->scrub_bytes),
	                                  word(gk_random_next(&job->random))},
			       read[] = {pointer(flush.at), pointer(job->rooms.flush_words),
	                                 pointer(sink.at)};
	uint32_t programs = (uint32_t)(job->rooms.flush_words / GK_HELPER_BLOCK);

	if (job->ops->launch(job->device, job->scrub, job->scrub_programs, scrub, 3, e) < 0)
		return -1;
	for (uint32_t i = 0; i < job->flushes; i++)
		if (job->ops->launch(job->device, job->flush, programs, read, 3, e) < 0)
			return -1;
	return 0;
}

int time_steps(struct time_job *job, uint32_t side, uint32_t set, uint32_t load, struct gk_err *e)
{
	struct time_side *s = &job->sides[side];
	struct gk_device_run *run = ready(job, side, set, load);

	for (uint32_t i = 0; i < s->plan->step_count; i++)
		if (!job->ops->step(job->device, run, &s->plan->steps[i], s->variant[i]))
			return time_run_failed(job, run, e);
	return 0;
}

int time_fills_only(struct time_job *job, uint32_t side, uint32_t set, struct gk_err *e)
{
	struct time_side *s = &job->sides[side];
	struct gk_device_run *run = ready(job, side, set, 0);

	for (uint32_t i = 0; i < s->plan->step_count; i++) {
		const struct gk_plan_step *step = &s->plan->steps[i], *list = step;
		uint32_t count = step->op == GK_STEP_LAUNCH ? 0 : 1;

		if (step->op == GK_STEP_CHOOSE) {
			list = step->variants[s->variant[i]].pre;
			count = step->variants[s->variant[i]].pre_count;
		}
		for (uint32_t k = 0; k < count; k++)
			if (!job->ops->step(job->device, run, &list[k], 0))
				return time_run_failed(job, run, e);
	}
	return 0;
}

int time_prepare(struct time_job *job, uint32_t side, uint32_t set, int before, struct gk_err *e)
{
	return time_fill(job, side, set, before, e) < 0 ? -1 : time_wash(job, e);
}

int time_call(struct time_job *job, const struct time_call *c, struct gk_err *e)
{
	if (time_prepare(job, c->side, c->set, c->before, e) < 0)
		return -1;
	if (c->mark != TIME_NO_MARK && job->ops->mark(job->device, (uint32_t)c->mark, e) < 0)
		return -1;
	if (time_steps(job, c->side, c->set, c->load, e) < 0)
		return -1;
	if (c->mark != TIME_NO_MARK && job->ops->mark(job->device, (uint32_t)c->mark + 1, e) < 0)
		return -1;
	return time_witness(job, c->side, c->set, c->slot, e);
}

int time_elapsed(struct time_job *job, int mark, double *ms, struct gk_err *e)
{
	return job->ops->elapsed(job->device, (uint32_t)mark, (uint32_t)mark + 1, ms, e);
}

uint32_t time_any_set(struct time_job *job)
{
	return (uint32_t)gk_random_below(&job->random, job->set_count);
}
