/*
 * How much faster b is than a, from pairs of times that were taken close to
 * each other, with an interval that knows where the noise comes from: calls
 * within one load of the code differ less than loads do.
 *
 * Theory of operation. A pair gives one number, log(a/b): what drifts slowly
 * (clocks, heat, a neighbour) is in both and cancels. A group is what the pairs
 * of one load have in common; its figure is the median of its numbers, which
 * outliers do not move. The estimate is the mean of the groups' figures,
 * weighted by their pairs: a mean, because a load that is slower is part of
 * what one gets, and because averages of medians resolve what the ticks of a
 * clock hide.
 *
 * The difference of the logs of both sides' medians would be the other
 * natural estimate; under drift its error is several times larger, without
 * drift the same (bench/results/clock_simulated.md).
 *
 * The interval is a percentile bootstrap: groups are drawn whole, with
 * replacement. (A second draw, of pairs within each group drawn, counts the
 * noise of calls twice, since it is in the spread of the groups already:
 * intervals up to 1.4 times as wide as they must be.) Percentiles of so few
 * groups are too narrow, by two known factors: the spread of G figures about
 * their own mean is sqrt((G-1)/G) of the true one, and a spread known from
 * G figures needs Student's quantile with G-1 degrees of freedom where the
 * percentiles stand for the normal one. Both bounds are moved away from the
 * estimate by sqrt(G/(G-1)) * t/z, with G the effective number of groups,
 * (sum of weights)^2 / (sum of squared weights).
 *
 * With fewer than GK_RATIO_GROUPS groups the loads cannot be judged by their
 * spread (two groups: t is 13): then the pairs are drawn within each
 * group, and the interval is about the noise of calls alone.
 *
 * Looking again and again: a caller that stops when half_width is small enough
 * stops more often where the spread happened to come out small. Looking after
 * every chunk of 32 pairs, from GK_RATIO_FIRST on, costs about one percent of
 * coverage: tests/unit/stat/t_ratio.c holds it under 7 % of A/A measurements
 * that exclude 1.
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
	double ratio;        /* how many times b's speed is a's: above 1, b is faster. Within low .. high */
	double low, high;    /* its interval */
	double half_width;   /* of the interval of log(ratio) */
	double a_ms, b_ms;   /* medians; under drift a_ms / b_ms is not quite ratio */
	size_t count, groups;
};

#define GK_RATIO_LEVEL  0.95
#define GK_RATIO_GROUPS 4  /* from which on the interval rests on the spread of groups */
#define GK_RATIO_FIRST  64 /* pairs before which no one should stop */

/* The same pairs, seed and level (0.5 to 0.999) give the same interval. No pairs: all zero. */
void gk_ratio_estimate(const struct gk_pair *pairs, size_t count, uint64_t seed, double level,
                       struct gk_ratio *ratio);

/* Whether a measurement to half_width may stop here: enough pairs, from enough groups, narrow enough. */
bool gk_ratio_is_precise(const struct gk_ratio *ratio, double half_width);

#endif
