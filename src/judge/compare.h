/*
 * Every element of an output against its expected value. Pure and exact:
 * no sampling decides a verdict; sampling only describes a failure.
 *
 * An element is right when
 *   want is NaN and got is NaN; want is infinite and got is the same infinity
 *   (a format without infinities: NaN or its largest number);
 *   want overflows the format, or could with its tolerance, and got did;
 *   else |got - want| <= rtol * |want| + atol as in tolerance.h.
 * Integers, bools and exact outputs: equal (for floats as numbers, -0 == 0).
 * With signed_zeros, an expected zero that came with the other sign is wrong as well.
 */
#ifndef GK_JUDGE_COMPARE_H
#define GK_JUDGE_COMPARE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fact/tensor.h"
#include "judge/tolerance.h"
#include "judge/ulp.h"

#define GK_MAP_SIDE 32

/* Both contiguous, of the same shape. */
struct gk_comparison {
	enum gk_dtype dtype;      /* of got */
	enum gk_dtype want_dtype; /* GK_F64, or equal to dtype */
	int rank;
	int64_t shape[GK_MAX_RANK];
	const void *got, *want;
	struct gk_tolerance tolerance;
	bool signed_zeros; /* where exactly zero is expected, its sign counts */
	bool has_specials; /* huge expected values are no measure of what is usual: scale does without */
};

enum gk_pattern {
	GK_PATTERN_NONE, /* nothing recognised */
	GK_PATTERN_ALL_NAN,
	GK_PATTERN_NAN, /* NaN where numbers are expected */
	GK_PATTERN_ZEROS,
	GK_PATTERN_CONSTANT, /* one value everywhere */
	GK_PATTERN_FACTOR,   /* by one factor */
	GK_PATTERN_OFFSET,   /* by one summand */
	GK_PATTERN_NEGATED,
	GK_PATTERN_TRANSPOSED,
	GK_PATTERN_FLIPPED,
	GK_PATTERN_SHIFTED,
	GK_PATTERN_PRECISION, /* small, everywhere: computed in lower precision */
	GK_PATTERN_OVERFLOW,  /* infinite where finite values are expected */
	GK_PATTERN_NAN_LOST,  /* numbers where NaN is expected */
	GK_PATTERN_INF_LOST,  /* no infinity where one is expected */
	GK_PATTERN_ZERO_SIGN,
	GK_PATTERN_BROADCAST, /* along some dimension each index holds what belongs to index 0 */
	GK_PATTERN_COUNT
};
extern const char *const gk_pattern_names[]; /* "none", "all_nan", ... NULL */

struct gk_difference {
	int64_t count, wrong;       /* elements, wrong elements */
	int64_t first[GK_MAX_RANK]; /* index of the first wrong element */
	int64_t worst[GK_MAX_RANK]; /* and of the worst, by error over allowance */
	double first_got, first_want;
	double worst_got, worst_want;
	double max_abs; /* over wrong elements that are finite on both sides */
	double max_rel;
	double worst_ratio; /* error over allowance; of a passing output too: how near it was */
	double scale;       /* mean |want| over finite elements */
	int64_t low[GK_MAX_RANK], high[GK_MAX_RANK]; /* box around all wrong elements, inclusive */
	int64_t nan_got, zero_got;                   /* wrong elements that are NaN, that are 0 */
	int64_t nan_want, inf_want, sign_only;       /* where NaN, infinity is expected; a zero with the wrong sign */
	enum gk_pattern pattern;
	char words[512];                       /* pattern and place in words; "" when nothing is wrong */
	int32_t map[GK_MAP_SIDE][GK_MAP_SIDE]; /* wrong elements by cell, rows (leading dims) x last dim */
	int map_rows, map_columns;
	struct gk_ulps ulps; /* of all elements, right and wrong; of float outputs */
};

/* Fills *difference; returns true when nothing is wrong. Never fails. */
bool gk_compare(const struct gk_comparison *comparison, struct gk_difference *difference);

/*
 * {"count", "wrong", "scale", "worst_ratio", "ulp" (of floats: ulp.h)}, and when something is wrong {"first", "first_got",
 * "first_want", "worst", "got", "want", "max_abs", "max_rel", "pattern", "words", "map": rows of counts}; new
 * reference. NaN and infinities are the strings "nan", "inf", "-inf".
 */
json_t *gk_difference_json(const struct gk_difference *difference, int rank);

/* A number; NaN and infinities, which JSON has not, are words. New reference. */
json_t *gk_number_json(double value);

/* One element as a number; 64-bit integers beyond 2^53 lose bits. */
double gk_element(enum gk_dtype dtype, const void *bytes, int64_t index);

#endif
