#include "stat/summary.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* Puts the number of that rank in its place, none larger before it, none smaller behind (Hoare's selection).
 */
static double select_rank(double *numbers, ptrdiff_t count, ptrdiff_t rank)
{
	ptrdiff_t low = 0, high = count - 1;

	while (low < high) {
		double pivot = numbers[low + (high - low) / 2];
		ptrdiff_t i = low, j = high;

		while (i <= j) {
			while (numbers[i] < pivot)
				i++;
			while (numbers[j] > pivot)
				j--;
			if (i <= j) {
				double swapped = numbers[i];

				numbers[i++] = numbers[j];
				numbers[j--] = swapped;
			}
		}
		if (rank <= j)
			high = j;
		else if (rank >= i)
			low = i;
		else
			break; /* between both: equal to the pivot */
	}
	return numbers[rank];
}

double gk_quantile_of(double *numbers, size_t count, double share)
{
	double at = share * (double)(count - 1), low, high = INFINITY;
	size_t rank;

	if (!count)
		return 0;
	rank = (size_t)at;
	low = select_rank(numbers, (ptrdiff_t)count, (ptrdiff_t)rank);
	if (at <= (double)rank)
		return low;
	for (size_t i = rank + 1; i < count; i++)
		high = numbers[i] < high ? numbers[i] : high;
	return low + (at - (double)rank) * (high - low);
}

double gk_median_of(double *numbers, size_t count)
{
	return gk_quantile_of(numbers, count, 0.5);
}

static double *copy_of(const double *numbers, size_t count)
{
	double *copy = gk_alloc_array(count + 1, sizeof *copy);

	if (count)
		memcpy(copy, numbers, count * sizeof *copy);
	return copy;
}

double gk_quantile(const double *numbers, size_t count, double share)
{
	gk_free_auto double *copy = copy_of(numbers, count);

	return gk_quantile_of(copy, count, share);
}

double gk_median(const double *numbers, size_t count)
{
	return gk_quantile(numbers, count, 0.5);
}

double gk_mad(const double *numbers, size_t count)
{
	gk_free_auto double *copy = copy_of(numbers, count);
	double median = gk_median_of(copy, count);

	for (size_t i = 0; i < count; i++)
		copy[i] = fabs(copy[i] - median);
	return gk_median_of(copy, count);
}

double gk_mean(const double *numbers, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += numbers[i];
	return count ? sum / (double)count : 0;
}

double gk_geomean(const double *numbers, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += log(numbers[i]);
	return count ? exp(sum / (double)count) : 0;
}

/* ---- quantiles of distributions: by the distributions themselves ---- */

#define HALVINGS 60
#define PANELS   128

double gk_normal_quantile(double share)
{
	double low = -40, high = 40;

	for (int i = 0; i < HALVINGS; i++) {
		double at = (low + high) / 2;

		if (0.5 * erfc(-at / sqrt(2)) < share)
			low = at;
		else
			high = at;
	}
	return (low + high) / 2;
}

/* Integral of cos(u)^power from 0 to angle by Simpson's rule. */
static double integral_of_cosine(double power, double angle)
{
	double sum = 1 + pow(cos(angle), power), step = angle / PANELS;

	for (int i = 1; i < PANELS; i++)
		sum += (i % 2 ? 4 : 2) * pow(cos(i * step), power);
	return sum * step / 3;
}

/*
 * With t = sqrt(df) tan(u), the density of t is that of u: c cos(u)^(df - 1), and smooth. It falls, so
 * Newton's steps from 0 never pass the wanted angle.
 */
double gk_student_quantile(double share, double df)
{
	const double scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(acos(-1)),
		     wanted = fabs(share - 0.5);
	double angle = 0, step = 1;

	for (int i = 0; i < HALVINGS && step > 1e-12 * angle; i++) {
		step = (wanted / scale - integral_of_cosine(df - 1, angle)) / pow(cos(angle), df - 1);
		angle += step;
	}
	return copysign(sqrt(df) * tan(angle), share - 0.5);
}
