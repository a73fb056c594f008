/*
 * How much faster b is than a, from pairs of times that were taken close to
 * each other, with an interval that knows where the noise comes from: calls
 * within one load of the code differ less than loads do.
 *
 * Theory of operation. A pair gives one number, log(a/b): what drifts (clocks,
 * heat, a neighbour) is in both and cancels. A group is what the pairs of one
 * load have in common; its figure is the median of its numbers, which outliers
 * do not move. The estimate is the mean of the groups' figures, weighted by
 * their pairs: a mean, because a load that is slower is part of what one gets,
 * and because a mean of medians resolves more than one median of a clock that
 * ticks. The difference of the logs of both sides' medians is the other natural
 * estimate: as good without drift, worse with it.
 *
 * The interval has two levels and is the wider of both:
 *   groups: the spread of the G figures is that of loads and of calls together.
 *     The mean is off by Student's t with G-1 degrees of freedom times its
 *     standard error, G being the effective number, (sum of weights)^2 / sum of
 *     squared weights. Percentiles of resampled groups are too narrow with few
 *     groups, by sqrt((G-1)/G) and by normal over t quantile: with 8, 7
 *     to 9 of 100 intervals miss the truth instead of 5. Corrected for both, they
 *     are this very interval, with the noise of drawing on top. Draws of pairs
 *     within drawn groups count the noise of calls twice: it is in the spread
 *     of the groups already.
 *   pairs: drawn with replacement within each group (bootstrap), t with n-G
 *     degrees of freedom. Known far better than the spread of groups, and never
 *     more than the truth: keeps the interval from being narrow by luck.
 * With one group only the pairs count: the interval knows nothing of loads.
 * bench/results/clock_simulated.md has figures of all of this.
 *
 * Looking again and again: a caller that stops when half_width is small enough
 * stops more often where the spread happened to come out small, and misses the
 * truth more often. Looking every 32 pairs, from GK_RATIO_FIRST on, costs less
 * than one of a hundred intervals, as simulated; tests/unit/stat/t_ratio.c holds
 * it below 7 % of A/A measurements that exclude 1.
 *
 * Two more reasons to stop. The difference is clear: the interval is a small part
 * of it. And what is left lies between the loads: the noise of calls is so small a
 * part of their spread that more calls of the same loads would make the interval
 * narrower by a fifth at most. The first never happens where there is no difference, the
 * second stops where the spread happens to be large, so neither misses more often.
 */
#ifndef GK_STAT_RATIO_H
#define GK_STAT_RATIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Times of one pair in milliseconds, both greater than 0, and the group of the
 * loads of the code objects that it used. Groups count as independent: one
 * load may be in one group only (group k: load k of a against load k of b).
 */
struct gk_pair {
	double a_ms, b_ms;
	uint32_t group;
};

struct gk_ratio {
	double ratio;      /* how many times b's speed is a's: above 1, b is faster. Within low .. high */
	double low, high;  /* its interval */
	double half_width; /* of the interval of log(ratio) */
	double calls_share; /* standard error by the noise of calls alone over that by the spread of groups; 0: not known */
	double a_ms, b_ms; /* medians; under drift a_ms / b_ms is not quite ratio */
	size_t count, groups;
};

#define GK_RATIO_LEVEL   0.95
#define GK_RATIO_FIRST   64 /* pairs before which no one should stop */
#define GK_RATIO_UNKNOWN 7. /* half_width of a single pair */

/* The same pairs, seed and level (0.5 to 0.999) give the same interval. No pairs: all zero. */
void gk_ratio_estimate(const struct gk_pair *pairs, size_t count, uint64_t seed, double level,
                       struct gk_ratio *ratio);

#define GK_RATIO_CLEAR   0.125 /* half_width over |log(ratio)| of a clear difference */
#define GK_RATIO_COARSE  4.    /* which need not be narrower than so many times the half width that is wanted */
#define GK_RATIO_SETTLED 0.6   /* calls_share where more calls are of no use: sqrt(1 - 0.6^2) = 0.8 */

/*
 * Why a measurement over that many groups may stop here, with enough pairs and all groups seen: "precise"
 * (half_width is reached), "clear", "settled" (above); NULL: it should not.
 */
const char *gk_ratio_enough(const struct gk_ratio *ratio, size_t groups, double half_width);

#endif
