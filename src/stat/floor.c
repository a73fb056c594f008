#include "stat/floor.h"

#include <math.h>

#include "base/memory.h"
#include "base/vec.h"
#include "stat/summary.h"

#define HALVINGS 60

/* Share of a normal distribution around middle that lies within -bound .. bound. */
static double share_within(double bound, double middle, double deviation)
{
	double scale = deviation * sqrt(2);

	return 0.5 * (erf((bound - middle) / scale) + erf((bound + middle) / scale));
}

double gk_floor(const struct gk_pair *pairs, size_t count, uint64_t seed, double level)
{
	struct gk_ratio ratio;
	double middle, deviation, low = 0, high;

	gk_ratio_estimate(pairs, count, seed, level, &ratio);
	if (!count)
		return 0;
	middle = fabs(log(ratio.ratio));
	deviation = ratio.half_width / gk_normal_quantile((1 + level) / 2);
	if (deviation <= 0)
		return expm1(middle);
	high = middle + 10 * deviation;
	for (int i = 0; i < HALVINGS; i++) {
		double at = (low + high) / 2;

		if (share_within(at, middle, deviation) < level)
			low = at;
		else
			high = at;
	}
	return expm1(high);
}

struct waiting {
	uint32_t group;
	double ms;
	bool is_waiting;
};

/* The call of that group that has no partner yet; a new place for a new group. */
static struct waiting *waiting_of(struct waiting *places, size_t *used, uint32_t group)
{
	for (size_t i = 0; i < *used; i++)
		if (places[i].group == group)
			return &places[i];
	places[*used] = (struct waiting){.group = group};
	return &places[(*used)++];
}

double gk_floor_of_calls(const double *ms, const uint32_t *groups, size_t count, uint64_t seed, double level)
{
	gk_free_auto struct waiting *places = gk_alloc_array(count + 1, sizeof *places);
	gk_free_auto struct gk_pair *pairs = gk_alloc_array(count / 2 + 1, sizeof *pairs);
	size_t used = 0, pair_count = 0;

	for (size_t i = 0; i < count; i++) {
		struct waiting *waiting = waiting_of(places, &used, groups[i]);

		if (waiting->is_waiting)
			pairs[pair_count++] = (struct gk_pair){waiting->ms, ms[i], groups[i]};
		waiting->ms = ms[i];
		waiting->is_waiting = !waiting->is_waiting;
	}
	return gk_floor(pairs, pair_count, seed, level);
}
