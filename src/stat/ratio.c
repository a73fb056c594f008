#include "stat/ratio.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stat/summary.h"

#define RESAMPLES           256     /* give a standard error to 6 % */
#define BELOW_ONE_DEVIATION 0.15866 /* share of the normal distribution */

/* What the bootstrap draws from. logs lie group by group, ascending within each. */
struct sample {
	double *logs, *figures, *weights; /* per pair; per group: median of its logs, number of its pairs */
	size_t *starts;                   /* per group, and one more */
	uint32_t *drawn;                  /* how often each pair of one group was drawn */
	double *room;                     /* for all pairs */
	size_t count, groups;
};

/* splitmix64: passes for random where nobody plays against it, and is one line. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* By the upper bits of a product: off by less than bound / 2^32. */
static size_t random_below(uint64_t *state, size_t bound)
{
	return (size_t)(((next_random(state) >> 32) * (uint64_t)bound) >> 32);
}

static int by_group(const void *a, const void *b)
{
	uint32_t left = ((const struct gk_pair *)a)->group, right = ((const struct gk_pair *)b)->group;

	return left < right ? -1 : left > right;
}

static void sample_release(struct sample *s)
{
	free(s->logs);
	free(s->figures);
	free(s->weights);
	free(s->starts);
	free(s->drawn);
	free(s->room);
}

static int by_number(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double sort_group(struct sample *s, size_t group)
{
	size_t count = s->starts[group + 1] - s->starts[group];
	double *logs = s->logs + s->starts[group];

	qsort(logs, count, sizeof *logs, by_number);
	return (logs[(count - 1) / 2] + logs[count / 2]) / 2;
}

static void sample_init(struct sample *s, const struct gk_pair *pairs, size_t count)
{
	gk_free_auto struct gk_pair *sorted = gk_alloc_array(count, sizeof *sorted);

	*s = (struct sample){.count = count};
	memcpy(sorted, pairs, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_group);
	s->logs = gk_alloc_array(count, sizeof *s->logs);
	s->figures = gk_alloc_array(count, sizeof *s->figures);
	s->weights = gk_alloc_array(count, sizeof *s->weights);
	s->starts = gk_alloc_array(count + 1, sizeof *s->starts);
	s->drawn = gk_alloc_array(count, sizeof *s->drawn);
	s->room = gk_alloc_array(count, sizeof *s->room);
	for (size_t i = 0; i < count; i++) {
		if (!i || sorted[i].group != sorted[i - 1].group)
			s->starts[s->groups++] = i;
		s->logs[i] = log(sorted[i].a_ms / sorted[i].b_ms);
	}
	s->starts[s->groups] = count;
	for (size_t g = 0; g < s->groups; g++) {
		s->figures[g] = sort_group(s, g);
		s->weights[g] = (double)(s->starts[g + 1] - s->starts[g]);
	}
}

static double mean_of_figures(const struct sample *s)
{
	double sum = 0, weights = 0;

	for (size_t g = 0; g < s->groups; g++) {
		sum += s->weights[g] * s->figures[g];
		weights += s->weights[g];
	}
	return sum / weights;
}

/* Standard error of the mean of figures by their spread, and its degrees of freedom. */
static double error_of_groups(const struct sample *s, double middle, double *df)
{
	double squares = 0, spread = 0, total = (double)s->count, effective;

	for (size_t g = 0; g < s->groups; g++) {
		squares += s->weights[g] * s->weights[g];
		spread += s->weights[g] * (s->figures[g] - middle) * (s->figures[g] - middle);
	}
	effective = total * total / squares;
	*df = fmax(1, effective - 1);
	return sqrt(spread / total / (effective - 1));
}

/* The median of as many draws from ascending numbers as there are; it is found by counting, which takes no sorting. */
static double draw_median(const double *numbers, size_t count, uint32_t *drawn, uint64_t *state)
{
	size_t low = 0, high, seen;

	memset(drawn, 0, count * sizeof *drawn);
	for (size_t i = 0; i < count; i++)
		drawn[random_below(state, count)]++;
	for (seen = drawn[0]; seen <= (count - 1) / 2; seen += drawn[low])
		low++;
	for (high = low; seen <= count / 2; seen += drawn[high])
		high++;
	return (numbers[low] + numbers[high]) / 2;
}

/* One resample: pairs within each group. */
static double draw_pairs(struct sample *s, uint64_t *state)
{
	double sum = 0;

	for (size_t g = 0; g < s->groups; g++) {
		size_t first = s->starts[g];

		sum += s->weights[g] * draw_median(s->logs + first, s->starts[g + 1] - first, s->drawn, state);
	}
	return sum / (double)s->count;
}

/*
 * Standard error by the noise of calls alone: half of what two thirds of the resamples lie within, since a
 * few outliers among few pairs of a group throw some medians far off. Resamples of n spread by sqrt((n-1)/n)
 * too little.
 */
static double error_of_pairs(struct sample *s, uint64_t state)
{
	double drawn[RESAMPLES], df = (double)(s->count - s->groups), spread;

	for (size_t i = 0; i < RESAMPLES; i++)
		drawn[i] = draw_pairs(s, &state);
	spread = gk_quantile_of(drawn, RESAMPLES, 1 - BELOW_ONE_DEVIATION) -
	         gk_quantile_of(drawn, RESAMPLES, BELOW_ONE_DEVIATION);
	return spread / 2 * sqrt((double)s->count / df);
}

static double half_width_of(struct sample *s, uint64_t seed, double level, double middle, double *calls_share)
{
	double share = (1 + level) / 2, df, width = 0, groups = 0, calls;

	*calls_share = 0;
	if (s->count == 1)
		return GK_RATIO_UNKNOWN;
	if (s->groups > 1) {
		groups = error_of_groups(s, middle, &df);
		width = groups * gk_student_quantile(share, df);
	}
	if (s->count > s->groups) {
		calls = error_of_pairs(s, seed);
		*calls_share = groups > 0 ? calls / groups : 0;
		width = fmax(width, calls * gk_student_quantile(share, (double)(s->count - s->groups)));
	}
	return fmin(width, GK_RATIO_UNKNOWN);
}

static double median_of_side(const struct gk_pair *pairs, size_t count, double *room, bool is_b)
{
	for (size_t i = 0; i < count; i++)
		room[i] = is_b ? pairs[i].b_ms : pairs[i].a_ms;
	return gk_median_of(room, count);
}

void gk_ratio_estimate(const struct gk_pair *pairs, size_t count, uint64_t seed, double level,
                       struct gk_ratio *ratio)
{
	struct sample s;
	double middle;

	*ratio = (struct gk_ratio){.count = count};
	if (!count)
		return;
	sample_init(&s, pairs, count);
	middle = mean_of_figures(&s);
	ratio->half_width = half_width_of(&s, seed, level, middle, &ratio->calls_share);
	ratio->ratio = exp(middle);
	ratio->low = exp(middle - ratio->half_width);
	ratio->high = exp(middle + ratio->half_width);
	ratio->groups = s.groups;
	ratio->a_ms = median_of_side(pairs, count, s.room, false);
	ratio->b_ms = median_of_side(pairs, count, s.room, true);
	sample_release(&s);
}

const char *gk_ratio_enough(const struct gk_ratio *ratio, size_t groups, double half_width)
{
	double apart = fabs(log(ratio->ratio));

	if (ratio->count < GK_RATIO_FIRST || ratio->groups < groups)
		return NULL;
	if (ratio->half_width <= half_width)
		return "precise";
	if (ratio->half_width <= fmin(GK_RATIO_COARSE * half_width, GK_RATIO_CLEAR * apart))
		return "clear";
	return ratio->calls_share > 0 && ratio->calls_share <= GK_RATIO_SETTLED ? "settled" : NULL;
}
