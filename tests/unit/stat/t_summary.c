#include "stat/summary.h"

#include <stdlib.h>
#include <time.h>

#include "tap.h"

#define MOST 200

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

/* The definition: sorted, between two neighbours by proportion. */
static double quantile_by_sorting(const double *numbers, size_t count, double share)
{
	double sorted[MOST], at = share * (double)(count - 1);
	size_t rank = (size_t)at;

	memcpy(sorted, numbers, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_value);
	return rank + 1 < count ? sorted[rank] + (at - (double)rank) * (sorted[rank + 1] - sorted[rank])
	                        : sorted[rank];
}

/* Few different values, so that equal ones are everywhere. */
static int count_wrong(int values)
{
	double numbers[MOST];
	unsigned state = 1;
	int wrong = 0;

	for (size_t count = 1; count < MOST; count++)
		for (int k = 0; k <= 8; k++) {
			for (size_t i = 0; i < count; i++) {
				state = state * 1103515245u + 12345u;
				numbers[i] = (double)(state / 65536 % (unsigned)values);
			}
			wrong += fabs(gk_quantile(numbers, count, k / 8.0) -
			              quantile_by_sorting(numbers, count, k / 8.0)) > 1e-12;
		}
	return wrong;
}

int main(void)
{
	const double odd[] = {5, 1, 4, 2, 300}, even[] = {4, 1, 3, 2}, one[] = {7};
	double sorted[5] = {1, 2, 3, 4, 5};

	near(gk_median(odd, 5), 4, 0, "the median is the middle one");
	near(odd[0], 5, 0, "and leaves the numbers where they are");
	near(gk_median(even, 4), 2.5, 0, "or the mean of both");
	near(gk_median(one, 1), 7, 0, "or the only one");
	near(gk_median(NULL, 0), 0, 0, "or nothing");
	near(gk_quantile(even, 4, 0.25), 1.75, 1e-15, "quantiles lie between neighbours by proportion");
	near(gk_quantile(even, 4, 0), 1, 0, "the first is the least");
	near(gk_quantile(even, 4, 1), 4, 0, "the last the most");
	near(gk_median_of(sorted, 5), 3, 0, "numbers in order are fine too");
	is_int(count_wrong(3), 0, "all agree with sorting, with many equal numbers");
	is_int(count_wrong(30000), 0, "and with few");
	near(gk_mad(odd, 5), 2, 0, "the median distance from the median does not see an outlier");
	near(gk_mean(odd, 5), 62.4, 1e-12, "the mean does");
	near(gk_geomean(even, 4), pow(24, 0.25), 1e-14, "geometric mean");
	near(gk_mean(NULL, 0) + gk_geomean(NULL, 0) + gk_mad(NULL, 0), 0, 0, "of nothing: nothing");

	near(gk_normal_quantile(0.975), 1.9599639845400536, 1e-12, "the normal distribution's quantiles");
	near(gk_normal_quantile(1e-6), -4.753424308822899, 1e-9, "far out as well");
	near(gk_normal_quantile(0.5), 0, 1e-12, "and in the middle");
	near(gk_student_quantile(0.975, 1), 12.706204736432095, 1e-5, "Student's with one degree of freedom");
	near(gk_student_quantile(0.975, 2.5), 3.574654841943083, 1e-6, "with a broken number");
	near(gk_student_quantile(0.975, 3), 3.182446305284263, 1e-8, "with 3");
	near(gk_student_quantile(0.975, 7), 2.3646242510102993, 1e-8, "with 7");
	near(gk_student_quantile(0.995, 10), 3.169272672616872, 1e-7, "for another share");
	near(gk_student_quantile(0.1, 100), -1.2900747613457497, 1e-8, "on the other side");
	near(gk_student_quantile(0.975, 1e6), 1.96, 1e-3, "with many it is nearly the normal one");
	return done_testing();
}
