/* The interval must hold what it says: by simulation, from fixed seeds. */
#include "stat/ratio.h"

#include "stat/floor.h"
#include "stat/summary.h"
#include "tap.h"

#define MOST 400

static uint64_t state;

static double unit(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(state >> 33) + 0.5) / 2147483648.;
}

static double normal(void)
{
	return sqrt(-2 * log(unit())) * cos(2 * acos(-1) * unit());
}

/* Relative noise of calls and loads; every twentieth call or so is late, by 30 % in the mean, some by far
 * more. */
struct noise {
	double calls, loads, drift;
	bool has_outliers;
};

static double call(const struct noise *n, double ms, double common)
{
	double late = n->has_outliers && unit() < 0.05 ? -0.3 * log(unit()) : 0;

	return ms * exp(common + n->calls * normal() + late);
}

static void draw(const struct noise *n, double truth, size_t groups, size_t count, struct gk_pair *pairs)
{
	double a[16], b[16], drift = 0;

	for (size_t g = 0; g < groups; g++) {
		a[g] = n->loads * normal();
		b[g] = n->loads * normal();
	}
	for (size_t i = 0; i < count; i++) {
		size_t g = i % groups;

		drift += n->drift * normal();
		pairs[i] = (struct gk_pair){call(n, 0.1, a[g] + drift), call(n, 0.1 / truth, b[g] + drift),
		                            (uint32_t)g + 3};
	}
}

/* How many of runs intervals exclude value. */
static int count_excluded(const struct noise *n, double truth, double value, size_t groups, size_t count,
                          int runs)
{
	static struct gk_pair pairs[MOST];
	struct gk_ratio r;
	int excluded = 0;

	state = 7;
	for (int i = 0; i < runs; i++) {
		draw(n, truth, groups, count, pairs);
		gk_ratio_estimate(pairs, count, (uint64_t)i, GK_RATIO_LEVEL, &r);
		excluded += r.low > value || r.high < value;
	}
	return excluded;
}

/* As a launcher does: a look every 32 pairs, an end when it is precise, or at the most. */
static int count_excluded_when_stopping(const struct noise *n, double half_width, int runs,
                                        double *mean_pairs)
{
	static struct gk_pair pairs[MOST];
	struct gk_ratio r;
	int excluded = 0;

	state = 8;
	*mean_pairs = 0;
	for (int i = 0; i < runs; i++) {
		draw(n, 1, 8, 256, pairs);
		for (size_t count = 32; count <= 256; count += 32) {
			gk_ratio_estimate(pairs, count, 1, GK_RATIO_LEVEL, &r);
			if (gk_ratio_enough(&r, 8, half_width))
				break;
		}
		excluded += r.low > 1 || r.high < 1;
		*mean_pairs += (double)r.count / runs;
	}
	return excluded;
}

static void test_coverage(void)
{
	const struct noise calls = {0.01, 0, 0, false}, loads = {0.01, 0.005, 0, true},
			   big = {0.01, 0.02, 0, true}, drift = {0.01, 0.002, 0.01, true};

	ok(count_excluded(&calls, 1, 1, 8, 64, 800) <= 44,
	   "A/A: noise of calls, at most 5.5 of 100 intervals exclude 1");
	ok(count_excluded(&loads, 1, 1, 8, 64, 800) <= 48, "A/A: loads that differ by 0.5 %, and outliers");
	ok(count_excluded(&big, 1, 1, 8, 64, 800) <= 48, "A/A: loads that differ by 2 %, and outliers");
	ok(count_excluded(&big, 1, 1, 4, 64, 800) <= 48, "A/A: only four of them");
	ok(count_excluded(&big, 1, 1, 2, 64, 400) <= 24, "A/A: two");
	ok(count_excluded(&drift, 1, 1, 8, 64, 800) <= 48,
	   "A/A: a clock that drifts by a percent from pair to pair");
	ok(count_excluded(&loads, 1.3, 1.3, 8, 64, 400) <= 24, "a true ratio of 1.3 is held as well");
	ok(count_excluded(&big, 1, 1, 8, 64, 800) >= 16, "and none is so wide that it could not fail");
}

static void test_power(void)
{
	const struct noise plain = {0.01, 0, 0, false}, calls = {0.01, 0, 0, true},
			   loads = {0.01, 0.005, 0, true}, drift = {0.01, 0.002, 0.01, true};

	ok(count_excluded(&plain, 1.02, 1, 8, 64, 200) >= 198, "2 % are seen by 64 pairs with 1 % of noise");
	ok(count_excluded(&calls, 1.02, 1, 8, 64, 200) >= 188,
	   "mostly even where every tenth pair has an outlier");
	ok(count_excluded(&loads, 1.02, 1, 8, 128, 200) >= 195, "by 128 with loads that differ by 0.5 %");
	ok(count_excluded(&drift, 1 / 1.02, 1, 8, 128, 200) >= 195,
	   "also where drift is larger, and b is the slower one");
}

static void test_stopping(void)
{
	const struct noise early = {0.01, 0.004, 0, true}, late = {0.02, 0.006, 0, true};
	double pairs;

	ok(count_excluded_when_stopping(&early, 0.01, 300, &pairs) <= 21,
	   "stopping when precise misses at most 7 of 100");
	ok(pairs >= GK_RATIO_FIRST && pairs < 160, "and comes early where noise is small");
	ok(count_excluded_when_stopping(&late, 0.012, 300, &pairs) <= 21,
	   "nor where the spread decides about the end");
	ok(pairs > 100 && pairs < 256, "which comes at different times");
}

/* ---- what an estimate is ---- */

static void test_figures(void)
{
	/* group 1: logs of 2, 2, 4; group 5: of 1, 3; medians log 2 and log(3)/2 */
	const struct gk_pair pairs[] = {{2, 1, 1}, {1, 1, 5}, {4, 2, 1}, {3, 1, 5}, {8, 2, 1}};
	double one = log(2), two = log(3) / 2, middle = (3 * one + 2 * two) / 5, effective = 25. / 13;
	struct gk_ratio r, again, other;

	gk_ratio_estimate(pairs, 5, 1, 0.95, &r);
	near(log(r.ratio), middle, 1e-15, "the mean of the groups' medians, weighted by pairs");
	near(r.a_ms, 3, 0, "median of a");
	near(r.b_ms, 1, 0, "median of b");
	ok(r.count == 5 && r.groups == 2, "pairs and groups are counted");
	near(r.half_width,
	     fmin(GK_RATIO_UNKNOWN,
	          gk_student_quantile(0.975, 1) *
	                  sqrt((3 * pow(one - middle, 2) + 2 * pow(two - middle, 2)) / 5 / (effective - 1))),
	     0.2, "half width by the spread of groups, or by that of pairs");
	ok(r.low < r.ratio && r.ratio < r.high, "the estimate is inside");
	near((log(r.high) - log(r.low)) / 2, r.half_width, 1e-12, "half_width is of the logs");
	gk_ratio_estimate(pairs, 5, 1, 0.95, &again);
	ok(memcmp(&r, &again, sizeof r) == 0, "the same again: the same interval");
	gk_ratio_estimate(pairs, 5, 1, 0.99, &other);
	ok(other.half_width > r.half_width, "a higher level is wider");
}

static void test_edges(void)
{
	static struct gk_pair pairs[MOST];
	struct gk_ratio r;

	gk_ratio_estimate(NULL, 0, 1, 0.95, &r);
	ok(r.ratio == 0 && r.low == 0 && r.high == 0 && r.count == 0 && r.groups == 0, "no pairs: all zero");
	pairs[0] = (struct gk_pair){2, 1, 9};
	gk_ratio_estimate(pairs, 1, 1, 0.95, &r);
	near(r.ratio, 2, 1e-15, "one pair has a ratio");
	near(r.half_width, GK_RATIO_UNKNOWN, 0, "and says nothing about its error");
	for (size_t i = 0; i < 8; i++)
		pairs[i] = (struct gk_pair){1 + 0.01 * (double)i, 1, (uint32_t)i};
	gk_ratio_estimate(pairs, 8, 1, 0.95, &r);
	near(r.half_width, gk_student_quantile(0.975, 7) * 0.02367 / sqrt(8), 1e-5,
	     "a pair in each group: Student's interval");
	for (size_t i = 0; i < 100; i++)
		pairs[i] = (struct gk_pair){3, 1.5, (uint32_t)(i % 8)};
	gk_ratio_estimate(pairs, 100, 1, 0.95, &r);
	ok(fabs(r.ratio - 2) < 1e-12 && r.low <= r.ratio && r.high >= r.ratio && r.half_width < 1e-9,
	   "no noise: no width");
	is_text(gk_ratio_enough(&r, 8, 0.01), "precise", "a narrow interval is enough");
	ok(!gk_ratio_enough(&r, 9, 0.01), "but not before every group was seen");
	gk_ratio_estimate(pairs, GK_RATIO_FIRST - 1, 1, 0.95, &r);
	ok(!gk_ratio_enough(&r, 8, 0.01), "nor with few pairs");
}

static void test_enough(void)
{
	struct gk_ratio r = {.ratio = 1.2, .half_width = 0.018, .calls_share = 0.9, .count = 64, .groups = 8};

	is_text(gk_ratio_enough(&r, 8, 0.005), "clear", "a difference that is ten times its uncertainty is clear");
	r.half_width = 0.021;
	ok(!gk_ratio_enough(&r, 8, 0.005), "however large it is, the interval must be within a few times what is wanted");
	r.half_width = 0.008;
	r.ratio = 1.05;
	ok(!gk_ratio_enough(&r, 8, 0.005), "a small difference must be known better");
	r.calls_share = 0.5;
	is_text(gk_ratio_enough(&r, 8, 0.005), "settled", "more calls do not help where loads make the difference");
	r.calls_share = 0;
	ok(!gk_ratio_enough(&r, 8, 0.005), "nothing is known of calls: go on");
}

static void test_floor(void)
{
	const struct noise noise = {0.01, 0, 0, false};
	static struct gk_pair pairs[MOST];
	static double ms[2 * MOST];
	static uint32_t groups[2 * MOST];
	struct gk_ratio r;
	double floor;

	state = 9;
	draw(&noise, 1, 8, 128, pairs);
	gk_ratio_estimate(pairs, 128, 1, 0.95, &r);
	floor = log1p(gk_floor(pairs, 128, 1, 0.95));
	ok(floor > r.half_width * 0.9 && floor < r.half_width + fabs(log(r.ratio)),
	   "an honest A/A: about the half width");
	draw(&noise, 1.05, 8, 128, pairs);
	gk_ratio_estimate(pairs, 128, 1, 0.95, &r);
	near(log1p(gk_floor(pairs, 128, 1, 0.95)), log(r.ratio) + r.half_width * 1.644854 / 1.959964, 1e-4,
	     "a biased one: bias, and noise on one side");
	near(gk_floor(pairs, 0, 1, 0.95), 0, 0, "no pairs: none");
	for (size_t i = 0; i < 2 * MOST; i++) {
		groups[i] = (uint32_t)(i / 2 % 8);
		ms[i] = 0.1 * (1 + 0.1 * groups[i]) * exp(0.01 * normal());
	}
	floor = gk_floor_of_calls(ms, groups, 2 * MOST, 1, 0.95);
	ok(floor > 0.0005 && floor < 0.005,
	   "from calls of one side: loads that differ by 10 % are not in it");
	near(gk_floor_of_calls(ms, groups, 1, 1, 0.95), 0, 0, "one call has no partner");
}

int main(void)
{
	test_figures();
	test_edges();
	test_enough();
	test_coverage();
	test_power();
	test_stopping();
	test_floor();
	return done_testing();
}
