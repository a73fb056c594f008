#include "stat/pass.h"

#include "tap.h"

#include "base/memory.h"

static double at(size_t attempts, size_t right, size_t k)
{
	return gk_pass_at(&(struct gk_pass_task){attempts, right}, k);
}

/* By counting: the share of all ways to draw k of n that hold a right one. Bit i of a set: attempt i is
 * drawn. */
static double by_counting(unsigned attempts, unsigned right, int k)
{
	unsigned sets = 0, good = 0;

	for (unsigned set = 0; set < 1u << attempts; set++) {
		if (__builtin_popcount(set) != k)
			continue;
		sets++;
		good += (set & ((1u << right) - 1)) != 0;
	}
	return (double)good / sets;
}

static double largest_error(void)
{
	double largest = 0;

	for (unsigned attempts = 1; attempts <= 10; attempts++)
		for (unsigned right = 0; right <= attempts; right++)
			for (int k = 1; k <= (int)attempts; k++)
				largest = fmax(largest, fabs(at(attempts, right, (size_t)k) -
				                             by_counting(attempts, right, k)));
	return largest;
}

int main(void)
{
	const struct gk_pass_task tasks[] = {{10, 3}, {4, 0}, {2, 2}};
	size_t counted;

	near(largest_error(), 0, 1e-14, "the same as counting, for all k of up to 10 attempts");
	near(at(10, 3, 1), 0.3, 1e-15, "of one it is the share that is right");
	near(at(200, 7, 100), 0.9929911172418123, 1e-14, "many attempts");
	near(at(100000, 1, 50000), 0.5, 1e-11, "very many");
	near(at(5, 0, 5), 0, 0, "none right: never");
	near(at(20, 1, 20), 1, 0, "all drawn: surely");
	near(at(5, 3, 6) + at(5, 3, 0), 0, 0, "more than there are, or none: nothing is known");

	near(gk_pass_mean(tasks, 3, 1, &counted), (0.3 + 0 + 1) / 3, 1e-15, "mean over tasks");
	is_int((long long)counted, 3, "all of them");
	near(gk_pass_mean(tasks, 3, 3, &counted), (1 - 35.0 / 120) / 2, 1e-15,
	     "those with enough attempts only");
	is_int((long long)counted, 2, "are two");
	near(gk_pass_mean(tasks, 3, 11, NULL), 0, 0, "and none in the end");
	is_int((long long)gk_pass_most(tasks, 3), 2, "the largest k for all");
	is_int((long long)gk_pass_most(tasks, 0), 0, "of no task");
	return done_testing();
}
