/*
 * Theory of operation: a time request is answered in one go, by one thread.
 * Plans, code and inputs are read and checked; memory is counted before any is
 * taken; then everything that a call needs is made once: buffers in rotating
 * sets, code loaded several times, events. From there on the device is fed
 * from a queue that never runs dry while something is timed: calls are queued
 * in chunks, waited for at a chunk's end only.
 *
 *   check    each side and variant, waited for launch by launch
 *   settle   how long preparation and calls take
 *   tune     choose steps
 *   pairs    the measurement
 *   host     the same by another clock; batches of short calls
 *   finish   what lies around buffers, inputs
 *
 * A fault ends it with a finding. Where both sides run in turn nobody can say
 * whose it was: then no side is named. Each side has run alone before.
 *
 * The device's fault takes its context along (is_lost): every call after it
 * answers the same, which is how a fault in the middle of a queue is seen.
 */
#include "time.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/file.h"
#include "base/memory.h"

static int refuse(struct time_job *job, const struct gk_err *why)
{
	snprintf(job->finding.kind, sizeof job->finding.kind, "memory");
	snprintf(job->finding.message, sizeof job->finding.message, "%.500s", why->text);
	job->finding.buffer = -1;
	job->who = job->side_count > 1 ? -1 : 0;
	return 0;
}

static void ready_sides(struct time_job *job)
{
	for (uint32_t i = 0; i < job->side_count; i++)
		job->sides[i].run = (struct gk_device_run){.plan = job->sides[i].plan,
		                                           .seed = job->seed,
		                                           .budget = GK_LAUNCH_BUDGET,
		                                           .helpers = job->helpers,
		                                           .helper_count = job->helper_count};
}

void time_took(struct time_job *job, const char *name, double ms)
{
	if (job->took_count == TIME_PHASES)
		gk_bug("more than %d phases", TIME_PHASES);
	job->took[job->took_count].name = name;
	job->took[job->took_count++].ms = ms;
}

typedef int phase_fn(struct time_job *job, struct gk_err *e);

static int do_phase(struct time_job *job, const char *name, phase_fn *phase, struct gk_err *e)
{
	int64_t started = time_now_ns();
	int done = phase(job, e);

	time_took(job, name, (double)(time_now_ns() - started) / 1e6);
	return done;
}

static int measure(struct time_job *job, struct gk_err *e)
{
	static const struct {
		const char *name;
		phase_fn *phase;
	} phases[] = {{"check", time_check}, {"settle", time_settle}, {"tune", time_tune},
	              {"loads", time_load_more}, {"pairs", time_pairs}, {"host", time_host},
	              {"batch", time_batch}, {"steps", time_steps_apart}, {"finish", time_finish}};

	for (size_t i = 0; i < gk_count_of(phases); i++)
		if (do_phase(job, phases[i].name, phases[i].phase, e) < 0)
			return -1;
	return 0;
}

/* At once, not when the job is released: it is time of the GPU's. */
static int leave(struct time_job *job, struct gk_err *e)
{
	(void)e;
	time_unload(job);
	time_drop_memory(job);
	return 0;
}

/* A failure that is the kernels' becomes a finding, any other stays one. */
static int settle_failure(struct time_job *job, const struct gk_err *why)
{
	if (!job->finding.kind[0] && !job->device->is_lost)
		return -1;
	if (job->finding.kind[0])
		return 0;
	snprintf(job->finding.kind, sizeof job->finding.kind, "crash");
	snprintf(job->finding.message, sizeof job->finding.message,
	         "a timed kernel was stopped by the GPU: %.400s", why->text);
	job->finding.buffer = -1;
	return 0;
}

/* Everything on the device. */
static int run(struct time_job *job, struct gk_err *e)
{
	int64_t started = time_now_ns();
	int done;

	if (job->ops->limits(job->device, &job->limits, e) < 0)
		return -1;
	ready_sides(job);
	done = do_phase(job, "code", time_load_all, e);
	if (done == 0)
		done = do_phase(job, "memory", time_take_memory, e);
	if (job->is_refused)
		return refuse(job, e);
	if (done == 0)
		done = measure(job, e);
	do_phase(job, "leave", leave, e);
	job->held_ms = (double)(time_now_ns() - started) / 1e6;
	return done < 0 ? settle_failure(job, e) : 0;
}

/* ---- outputs ---- */

static int write_output(const struct time_side *s, uint32_t output, int fd, struct gk_err *e)
{
	uint64_t bytes = gk_plan_view_bytes(&s->plan->outputs[output].view);

	if (!s->evidence.sent) /* they were fetched there, or there is a finding */
		return 0;
	return launch_write_output(fd, s->evidence.sent + time_output_at(s, output), bytes, e);
}

/* Checks (or makes) a descriptor for each output of a, then of b, and writes to them if there is something to
 * be said. */
static int write_outputs(struct time_job *job, bool is_inline, bool only_check, int *fds, size_t *count,
                         struct gk_err *e)
{
	size_t blob = job->first_output;

	for (uint32_t s = 0; s < job->side_count; s++) {
		const struct time_side *side = &job->sides[s];

		for (uint32_t i = 0; i < side->plan->output_count && !side->is_known; i++, blob++) {
			uint64_t bytes = gk_plan_view_bytes(&side->plan->outputs[i].view);
			int fd;

			if (is_inline && only_check)
				continue;
			fd = launch_output_fd(job->frame, blob, is_inline, bytes, e);
			if (fd < 0)
				return -1;
			if (is_inline)
				fds[(*count)++] = fd;
			if (!only_check && write_output(side, i, fd, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* ---- the whole ---- */

static void job_release(struct time_job *job)
{
	time_unload(job);
	time_drop_memory(job);
	for (uint32_t i = 0; i < job->side_count; i++)
		time_evidence_release(&job->sides[i]);
	time_read_release(job);
	free(job->rooms.fetched);
	free(job);
}

static int answer(struct time_job *job, bool is_inline, json_t **json, int *outputs, size_t *count,
                  struct gk_err *e)
{
	int64_t started = time_now_ns();

	if (time_read(job, e) < 0 || write_outputs(job, is_inline, true, outputs, count, e) < 0 ||
	    run(job, e) < 0 || write_outputs(job, is_inline, false, outputs, count, e) < 0)
		return -1;
	*json = time_told(job, (double)(time_now_ns() - started) / 1e6);
	return *json ? 0 : gk_err_set(e, GK_ERR_INTERNAL, "time: the answer could not be written as JSON");
}

int gk_launcher_time(struct gk_launcher *launcher, struct gk_frame *frame, bool is_inline,
                     enum gk_wire_type *type, json_t **json, int outputs[GK_LAUNCH_OUTPUTS],
                     size_t *output_count, struct gk_err *e)
{
	struct time_job *job;
	int done;

	*output_count = 0;
	*type = GK_WIRE_TIMED;
	if (!launcher->device->ops->mark)
		return gk_err_set(e, GK_ERR_INPUT, "the machine has no clock");
	job = gk_alloc(sizeof *job);
	job->launcher = launcher;
	job->device = launcher->device;
	job->ops = launcher->device->ops;
	job->frame = frame;
	done = answer(job, is_inline, json, outputs, output_count, e);
	for (size_t i = 0; done < 0 && i < *output_count; i++)
		gk_fd_close(&outputs[i]);
	job_release(job);
	return done;
}
