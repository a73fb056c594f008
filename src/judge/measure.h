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
 *   clock_mismatch: the host's clock reads longer for b than the device's events,
 *   by more than
 *       max(10 % of host, floor * host, 2 ticks, min(3 us, host / 2)), at most host / 2.
 *   Only that direction is a forgery that pays: an event that reads longer than the host
 *   costs the candidate. 3 us are what a host's clock errs by at most per call when the
 *   queue is full; they are never more than half of what it read, so that a time that was
 *   made less than half is always seen, however short the kernel.
 *   a's events reading longer than the host would pay as well: judged by the same
 *   tolerance, less what they did when a was alone; no tolerance for less is needed, since
 *   sabotage below sees it better. The slower figure of b, the faster of a count then.
 *
 *   sabotage: a beside b is slower than a was alone, by more than max(5 %, 3 floors) and
 *   2 ticks, after what a lower clock of the GPU (health, both times) explains.
 *
 * The interval is that of stat/ratio.h, widened by half a tick of each side; floor is that of the A/A
 * measurement, at least one tick.
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
#include "plan/plan.h"
#include "task/task.h"

struct gk_measure_side {
	const char *name;           /* in words; NULL: "the reference", "the candidate" */
	const struct gk_plan *plan; /* that was timed: configurations by their indexes, buffers by theirs; may be NULL */
	bool has_atomics;           /* outputs may vary in their last bits */
};

/* Borrowed for the call. */
struct gk_measure_setup {
	const json_t *timed;        /* a against b */
	const json_t *alone;        /* a against a, or a without b, of the same case, before b was loaded; or NULL */
	const struct gk_task *task; /* which inputs may be written; NULL: any */
	struct gk_measure_side a, b;
	uint64_t seed;              /* of the bootstrap */
};

struct gk_measure {
	bool is_measured; /* the figures are there, also where the outcome is a failure of the clock's */
	double a_ms, b_ms;
	double speedup, low, high; /* 95 % */
	double floor;              /* relative; 0: none was measured */
	bool within_noise;
	size_t pairs, loads;
	enum gk_outcome outcome;   /* PASS, FAIL: b's fault, INFRA: a's or ours */
	const char *kind;          /* as in struct gk_verdict; "" when passed */
	struct gk_buf message;     /* words; "" when passed */
	struct gk_buf note;        /* what is no fault; "" for nothing */
	json_t *detail;            /* of a case's "perf" part (docs/verdict.md); never NULL after a success */
};

/* Fails when timed or alone is not as docs/protocol.md says (GK_ERR_INPUT): then nothing is to be released. */
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
