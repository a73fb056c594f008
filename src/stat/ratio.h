/*
 * How much faster b is than a, from pairs of times that were taken close to
 * each other, with an interval that knows where the noise comes from: calls
 * within one load of the code differ less than loads do.
 */
#ifndef GK_STAT_RATIO_H
#define GK_STAT_RATIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Times of one pair in milliseconds, both greater than 0, and the load of the code objects that it used. */
struct gk_pair {
	double a_ms, b_ms;
	uint32_t group;
};

struct gk_ratio {
	double ratio;        /* median(a) / median(b): above 1, b is faster */
	double low, high;    /* its interval */
	double half_width;   /* of the interval of log(ratio) */
	double a_ms, b_ms;   /* medians */
	size_t count, groups;
};

#define GK_RATIO_LEVEL 0.95

/*
 * Percentile bootstrap over two levels: groups, then pairs within them, drawn
 * with replacement from seed; pairs stay together. level: 0.95. The same
 * pairs, seed and level give the same interval. No pairs: all zero.
 */
void gk_ratio_estimate(const struct gk_pair *pairs, size_t count, uint64_t seed, double level,
                       struct gk_ratio *ratio);

#endif
