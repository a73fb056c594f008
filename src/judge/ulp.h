/*
 * How far an output's elements lie from their expected values, in units in
 * the last place (ulp) of the output's format: the distance of two
 * neighbouring numbers of the format at the expected value's magnitude, at
 * least the smallest subnormal.
 *
 * The expected value is float64 and not rounded, so the best that the format
 * can hold is up to half an ulp away: distances are rounded to whole ones, 0
 * is "no number of the format is nearer". NaN where NaN is expected and equal
 * infinities are 0; NaN or infinity on one side alone has no distance.
 */
#ifndef GK_JUDGE_ULP_H
#define GK_JUDGE_ULP_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "num/dtype.h"

#define GK_ULP_BUCKETS 11 /* 0, 1, 2, 3 to 4, 5 to 8, ... 129 to 256, 257 and more */
#define GK_ULP_BLOCK   1024

struct gk_ulps {
	int64_t count;                   /* elements; 0: no output of a float format was compared */
	int64_t buckets[GK_ULP_BUCKETS]; /* of those that have a distance */
	int64_t apart;                   /* those that have none */
	double max;                      /* the largest distance, not rounded; capped at 1e30 */
};

/* What counting needs to know of a format. */
struct gk_ulp_unit {
	double least;     /* smaller magnitudes count as this: the smallest normal number */
	uint64_t inverse; /* bits of 1/ulp for the exponent 0 of a double */
};

struct gk_ulp_unit gk_ulp_unit(enum gk_dtype dtype);
/* Of one element; both finite. */
double gk_ulp_distance(struct gk_ulp_unit unit, double got, double want);

/* GK_ULP_BLOCK pairs of numbers, all finite, of which the first count are elements; the rest must be equal.
 */
void gk_ulps_add_block(struct gk_ulps *ulps, struct gk_ulp_unit unit, const double *got, const double *want,
                       int count);
/* The largest of GK_ULP_BLOCK numbers, none of which is negative or NaN. */
float gk_largest_of_block(const float *numbers);
/* One element. is_right: what has no distance is as it should be (NaN for NaN, an overflow that is due). */
void gk_ulps_add_element(struct gk_ulps *ulps, struct gk_ulp_unit unit, double got, double want,
                         bool is_right);
/* count elements at distance 0. */
void gk_ulps_add_exact(struct gk_ulps *ulps, int64_t count);
void gk_ulps_add(struct gk_ulps *ulps, const struct gk_ulps *more);

/* {"count", "exact": elements at 0, "max", "apart", "buckets": [..]}; new reference. NULL when there is no
 * element. */
json_t *gk_ulps_json(const struct gk_ulps *ulps);

#endif
