/* One figure of several cases. */
#ifndef GK_STAT_SPEEDUP_H
#define GK_STAT_SPEEDUP_H

#include <stdbool.h>
#include <stddef.h>

/* A ratio with its interval and its noise floor (relative), as gk_ratio_estimate() and gk_floor() give them.
 */
struct gk_speedup_case {
	double ratio, low, high, floor;
};

struct gk_speedup_all {
	double mean, geomean, worst;
	double low, high; /* of mean */
	double floor;     /* the largest one */
	bool within_noise;
};

/*
 * Cases are measured one after another, their errors are independent: the
 * distances of the mean to its bounds are those of the cases, squared, summed,
 * rooted, over their number. No cases: all zero.
 */
void gk_speedup_combine(const struct gk_speedup_case *cases, size_t count, struct gk_speedup_all *all);

/* Whether the interval, widened by the floor, holds 1. */
bool gk_within_noise(double low, double high, double floor);

#endif
