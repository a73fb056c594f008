/*
 * The noise floor: what a measurement of a thing against itself (A/A) shows
 * although there is nothing to be seen.
 */
#ifndef GK_STAT_FLOOR_H
#define GK_STAT_FLOOR_H

#include "ratio.h"

/*
 * The relative deviation from 1 (0.01: one percent) that A/A pairs stay below
 * with the given level: that quantile of |log ratio| over the estimate's own
 * distribution, which lies where the A/A estimate lies and is as wide as its
 * interval says. A bias between the sides is in it as well as the noise. For
 * measurements about as long as this one; no pairs: 0.
 */
double gk_floor(const struct gk_pair *pairs, size_t count, uint64_t seed, double level);

/* The same from one side's calls in the order of time: neighbours of one group are pairs. Loads are not in
 * it. */
double gk_floor_of_calls(const double *ms, const uint32_t *groups, size_t count, uint64_t seed, double level);

#endif
