/*
 * What the judge says of a candidate. A verdict is a value that is stored; it
 * is never made from a struct gk_err: our own failures are errors, or a
 * verdict with outcome INFRA when a job must end all the same.
 */
#ifndef GK_FACT_VERDICT_H
#define GK_FACT_VERDICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum gk_stage { GK_STAGE_LINT, GK_STAGE_CALL, GK_STAGE_EXEC, GK_STAGE_PERF, GK_STAGE_COUNT };
enum gk_outcome { GK_PASS, GK_FAIL, GK_UNDECIDED, GK_INFRA };
enum gk_evidence { GK_EVIDENCE_NONE, GK_SIMULATED, GK_SEALED, GK_CONTAINED };

extern const char *const gk_stage_names[];    /* "lint" "call" "exec" "perf" NULL */
extern const char *const gk_outcome_names[];  /* "pass" "fail" "undecided" "infra" NULL */
extern const char *const gk_evidence_names[]; /* "none" "simulated" "sealed" "contained" NULL */

/* One case in one part of the cascade. Strings belong to the verdict's arena. */
struct gk_case_result {
	const char *case_id;   /* "M=1823,N=781,dtype=float32", held-out ones end in " (held out)" */
	const char *part;      /* "call", "exec" or "perf" */
	enum gk_outcome outcome;
	const char *kind;      /* "" when passed, else as in struct gk_verdict */
	const char *message;   /* words that a model can act on */
	json_t *detail;        /* numbers behind the words (worst index, magnitudes, map of differences; docs/verdict.md), or NULL */
	json_t *samples;       /* of a perf part: what the launcher told (`timed`), raw; not part of the verdict's JSON; or NULL */
};

/*
 * Of a candidate over the task's perf cases. mean is the mean over cases of
 * median(reference)/median(candidate), with its interval (95 %); floor is the largest noise
 * floor of the cases (relative: 0.01 is one percent).
 */
struct gk_speedup {
	bool measured;
	double mean, geomean, worst, low, high, floor;
	bool within_noise; /* the interval, widened by the floor, holds 1 */
};

/*
 * Wall time of a judgement by what it went into, in milliseconds. Parts overlap
 * (lowering begins while the second capture runs), so their sum may be more than total.
 */
struct gk_spent {
	double total;   /* from the first action to the verdict */
	double start;   /* of total, waiting for peers that had not said hello before */
	double capture; /* from the first request to the last answer */
	double lower;   /* from the first request to the last answer */
	double oracle;  /* nothing else was under way than the oracle's inputs and expected values */
	double exec;    /* executions and comparisons */
	double reference; /* waiting for what it is measured against to be judged */
	double perf;    /* timing */
	double gpu;     /* the GPU was held by this candidate: what launchers say of executions and timings */
};

struct gk_verdict {
	struct gk_arena arena; /* owns every string below */
	enum gk_stage stage;   /* the furthest stage that was decided */
	enum gk_outcome outcome;
	const char *kind;      /* short snake_case: "pass", "wrong_values", "out_of_bounds", "not_capturable", ... */
	const char *message;   /* a paragraph a model can act on; "" for a pass */
	bool call, exec;       /* what the two accuracies count */
	enum gk_evidence evidence;
	bool compiled;         /* lowering for the target succeeded as well */
	const char *plan_hash; /* of the plans of all cases, hex, "" when there is none */
	struct gk_speedup speedup;
	double stages_ms[GK_STAGE_COUNT];
	struct gk_spent spent;
	double lower_ms;       /* the part of call that went into lowering */
	struct gk_case_result *cases;
	size_t case_count;
	json_t *notes;         /* array of strings: device_print, atomics, ...; or NULL */
	json_t *ulp;           /* distances of all outputs in units in the last place: {"count", "exact", "max", "apart", "buckets"}, or NULL */
	json_t *counts;        /* machine's traffic: {"bytes_read", "bytes_written", "operations", "launches"}, or NULL */
	json_t *end_to_end;    /* array of {"case", "calls", "ms" per call, ..} (docs/verdict.md), or NULL */
	json_t *kernels;       /* array of what was lowered: {"name", "options", "regs", "spills", "shared", "occupancy", ..}; or NULL */
};

void gk_verdict_release(struct gk_verdict *verdict);
/* The form of `geak eval --json` and of the journal (docs/verdict.md); new reference. */
json_t *gk_verdict_to_json(const struct gk_verdict *verdict);
int gk_verdict_from_json(const json_t *json, struct gk_verdict *verdict, struct gk_err *e);

#endif
