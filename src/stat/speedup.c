#include "stat/speedup.h"

#include <math.h>

static double square(double x)
{
	return x * x;
}

bool gk_within_noise(double low, double high, double floor)
{
	return low / (1 + floor) <= 1 && high * (1 + floor) >= 1;
}

void gk_speedup_combine(const struct gk_speedup_case *cases, size_t count, struct gk_speedup_all *all)
{
	double sum = 0, logs = 0, below = 0, above = 0;

	*all = (struct gk_speedup_all){0};
	if (!count)
		return;
	all->worst = cases[0].ratio;
	for (size_t i = 0; i < count; i++) {
		const struct gk_speedup_case *c = &cases[i];

		sum += c->ratio;
		logs += log(c->ratio);
		below += square(c->ratio - c->low);
		above += square(c->high - c->ratio);
		all->worst = fmin(all->worst, c->ratio);
		all->floor = fmax(all->floor, c->floor);
	}
	all->mean = sum / (double)count;
	all->geomean = exp(logs / (double)count);
	all->low = all->mean - sqrt(below) / (double)count;
	all->high = all->mean + sqrt(above) / (double)count;
	all->within_noise = gk_within_noise(all->low, all->high, all->floor);
}
