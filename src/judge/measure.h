/*
 * What the launcher's clock says about one case (`timed` of docs/protocol.md):
 * figures, whether the clock can be believed, and what was wrong with the timed
 * calls. Pure. a is what b is measured against: the reference and the
 * candidate, or the two files of `geak bench`.
 *
 * Rules, in this order; the first that fails is the case's outcome:
 *
 *   finding, poisoned outputs, changed inputs, outputs that differ from call to
 *   call: of b a failure, of a a fault of the task (outcome INFRA, kind "task").
 *   Outputs that differ are only a note where the side's kernels use atomics.
 *
 *   clock_mismatch, where the host's clock was read:
 *       the events of b read shorter than the host did, by more than
 *           min(host / 2, max(10 % of host, floor * host, 2 ticks, 3 us))
 *       or those of a read longer than the host did, likewise of the event's figure, and beyond what
 *       they did when a was alone.
 *     Only these two pay; the other directions cost whoever forges. 3 us is what the host's clock
 *     is off by per call of a full queue, gaps between kernels included. The tolerance is never more than
 *     half, so that a time that reads less than half of what passed is seen however short it is.
 *     The slower figure counts for b, the faster one for a.
 *
 *   sabotage: a beside b is slower than a was alone, by more than max(5 %, 3 floors) and
 *     2 ticks, after what a lower clock of the GPU (health, both times) explains. The floor is
 *     counted up to 10 %: a noisy measurement is no licence.
 *
 * The interval is that of stat/ratio.h, widened by half a tick of each side: a median of times that are
 * whole ticks can be that far off, however many there are. floor is that of `alone`, at least one tick.
 * Without a pair that is left, nothing is measured, and nobody is at fault: INFRA, kind "infra".
 */
#ifndef GK_JUDGE_MEASURE_H
#define GK_JUDGE_MEASURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "fact/verdict.h"
#include "judge/describe.h"
#include "plan/plan.h"
#include "task/task.h"

struct gk_measure_side {
	const char *name;           /* in words; NULL: "the reference", "the candidate" */
	const struct gk_plan *plan; /* that was timed: tells configurations and buffers; may be NULL */
	bool has_atomics;           /* outputs may vary in their last bits */
};

/* Borrowed for the call. */
struct gk_measure_setup {
	const json_t *timed; /* a against b */
	const json_t *alone; /* a against a, or a without b, of the same case, before b was loaded; or NULL */
	const struct gk_task *task;     /* which inputs may be written; NULL: any */
	const struct gk_source *source; /* of b, for the line that a finding names; or NULL */
	struct gk_measure_side a, b;
	uint64_t seed; /* of the bootstrap */
};

struct gk_measure {
	bool is_measured; /* the figures are there, also where the outcome is a failure of the clock's */
	double a_ms, b_ms;
	double speedup, low, high; /* 95 % */
	double floor;              /* relative; 0: none was measured */
	bool within_noise;
	size_t pairs, loads;
	enum gk_outcome outcome; /* PASS, FAIL: b's fault, INFRA: a's or ours */
	const char *kind;        /* as in struct gk_verdict; "" when passed */
	struct gk_buf message;   /* words; "" when passed */
	struct gk_buf note;      /* what is no fault; "" for nothing */
	json_t *detail;          /* of a case's "perf" part (docs/verdict.md); never NULL after a success */
};

/* Fails (GK_ERR_INPUT) when timed or alone is not as docs/protocol.md says; nothing is to be released then. */
int gk_measure_case(const struct gk_measure_setup *setup, struct gk_measure *measure, struct gk_err *e);
void gk_measure_release(struct gk_measure *measure);

/* Those that are measured; none: not measured. */
void gk_measure_combine(const struct gk_measure *measures, size_t count, struct gk_speedup *speedup);

/* The A/A (or solo) measurement by itself: `alone` above, `geak selftest`. */
struct gk_alone {
	double ms;        /* median of all calls, of both sides */
	double floor;     /* relative, at least one tick */
	double low, high; /* of the A/A ratio; 0 where there was no b */
	double host_ms;   /* by the host's clock; 0: not read */
	double sm_mhz;    /* median; 0: not told */
};
int gk_measure_alone(const json_t *timed, uint64_t seed, struct gk_alone *alone, struct gk_err *e);

#endif
