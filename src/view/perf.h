/*
 * What was timed, for the eye: figures of a verdict's perf cases, in a line,
 * in a table, in words; and what was not timed, and why. Ratios are of the
 * reference's time over the candidate's: above 1, the candidate is faster.
 */
#ifndef GK_VIEW_PERF_H
#define GK_VIEW_PERF_H

#include "base/arena.h"
#include "base/buf.h"
#include "fact/verdict.h"
#include "view/table.h"

/* One case of part "perf". Numbers that the verdict does not tell are NaN, counts 0. Strings are borrowed from the verdict. */
struct gk_perf_case {
	const char *case_id;
	bool measured;                       /* the figures below are there */
	double reference_ms, candidate_ms;   /* medians */
	double speedup, low, high, floor;    /* as in struct gk_speedup */
	bool within_noise;
	int64_t pairs, loads, discarded;
	double held_ms, tick_ms;             /* the GPU was held; a tick of its clock */
	const char *note;                    /* why it was not measured, or what the figure needs beside it; "" */
	const struct gk_case_result *result;
};

/* In the verdict's order; returns their number. */
size_t gk_perf_cases(const struct gk_verdict *verdict, struct gk_arena *arena, struct gk_perf_case **cases);

/* "12.3 us", "1.234 ms": three or four digits; NaN: "-". */
void gk_perf_add_ms(struct gk_buf *out, double ms);
/* "0.4 %" of a relative floor. */
void gk_perf_add_percent(struct gk_buf *out, double part);

/* "1.23", "12.3", "123": as many digits as an interval of that width deserves; width 0: a ratio on its own. */
void gk_perf_add_ratio(struct gk_buf *out, double ratio, double width);

/* "1.23x [1.20, 1.26], mean of 3 cases (worst 1.05x, geometric mean 1.22x, noise floor 0.4 %)", or why there is none. */
void gk_perf_add_line(struct gk_buf *out, const struct gk_verdict *verdict);
/* What the interval and the floor allow to say, of b against a: "B is 1.10x as fast as A [..]: faster". */
void gk_perf_add_comparison(struct gk_buf *out, const struct gk_speedup *speedup, const char *a, const char *b);
/* Why a verdict has no speedup, in words; nothing when it has one. */
void gk_perf_add_why_not(struct gk_buf *out, const struct gk_verdict *verdict);

/* One row per case, measured or not, with the names of both sides over their columns; end with gk_table_release(). */
void gk_perf_table(const struct gk_verdict *verdict, const char *a, const char *b, struct gk_table *table);

#endif
