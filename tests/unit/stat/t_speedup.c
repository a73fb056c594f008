#include "stat/speedup.h"

#include "tap.h"

int main(void)
{
	const struct gk_speedup_case cases[] = {{2, 1.9, 2.2, 0.01}, {1, 0.96, 1.05, 0.03}, {4, 3.6, 4.4, 0}};
	const struct gk_speedup_case narrow[] = {{1.05, 1.04, 1.06, 0.03}, {1.05, 1.04, 1.06, 0.045}};
	struct gk_speedup_all all;

	gk_speedup_combine(cases, 3, &all);
	near(all.mean, 7.0 / 3, 1e-15, "mean");
	near(all.geomean, 2, 1e-15, "geometric mean");
	near(all.worst, 1, 0, "worst");
	near(all.floor, 0.03, 0, "the largest floor");
	near(all.low, 7.0 / 3 - sqrt(0.01 + 0.0016 + 0.16) / 3, 1e-14, "errors are independent: below");
	near(all.high, 7.0 / 3 + sqrt(0.04 + 0.0025 + 0.16) / 3, 1e-14, "and above");
	ok(!all.within_noise, "a difference");
	gk_speedup_combine(cases, 1, &all);
	ok(all.mean == 2 && all.low == 1.9 && fabs(all.high - 2.2) < 1e-15 && all.geomean == 2,
	   "one case is itself");
	gk_speedup_combine(narrow, 1, &all);
	ok(!all.within_noise, "a small one beyond the floor counts");
	gk_speedup_combine(narrow, 2, &all);
	ok(all.within_noise, "within the floor it does not, however narrow the interval");
	gk_speedup_combine(NULL, 0, &all);
	ok(all.mean == 0 && all.geomean == 0 && all.low == 0 && all.high == 0 && !all.within_noise,
	   "of no case: nothing");

	ok(gk_within_noise(0.9, 1.1, 0) && !gk_within_noise(1.01, 1.1, 0) && !gk_within_noise(0.9, 0.99, 0),
	   "an interval that holds 1, or does not");
	ok(gk_within_noise(1.01, 1.1, 0.011) && gk_within_noise(0.9, 0.99, 0.011),
	   "widened by a floor, on both sides");
	return done_testing();
}
