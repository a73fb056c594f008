/*
 * What the interval of a ratio is worth, by simulation: how often it misses
 * the truth, how often it sees a difference, how wide it is; the estimate of
 * stat/ratio.c beside its alternatives. Prints Markdown:
 *
 *     cc -O2 -std=gnu11 -Isrc -include src/base/banned.h -o /tmp/simulate bench/clock/simulate.c \
 *         src/stat/ratio.c src/stat/summary.c src/base/memory.c -lm && /tmp/simulate [RUNS]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stat/ratio.h"
#include "stat/summary.h"

#define MOST        1024
#define CHUNK       32
#define DRAWS       400
#define MOST_GROUPS 64

/* A kernel's clock: everything relative to the call but ms and tick. */
struct noise {
	const char *name;
	double ms, calls, loads, drift, outliers, tick_us;
};

static uint64_t state;

static uint64_t next(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static double unit(void)
{
	return ((double)(next() >> 11) + 0.5) / 9007199254740992.;
}

static double normal(void)
{
	return sqrt(-2 * log(unit())) * cos(2 * acos(-1) * unit());
}

/* Two stamps of a clock that ticks: what lies between them in whole ticks. */
static double ticked(double ms, double tick_us)
{
	double tick = tick_us / 1000, start = unit() * tick;

	return tick > 0 ? fmax(1, floor((start + ms) / tick)) * tick : ms;
}

static double call_ms(const struct noise *n, double ms, double load, double drift)
{
	double late = unit() < n->outliers ? -log(unit()) * 0.3 : 0;

	return ticked(ms * exp(load + drift + n->calls * normal() + late), n->tick_us);
}

/* Drift is a walk from pair to pair plus, half of the time, a jump to another clock state. */
static void draw_measurement(const struct noise *n, double truth, size_t groups, size_t count,
                             struct gk_pair *pairs)
{
	double a[MOST_GROUPS], b[MOST_GROUPS], drift = 0, jump_at = unit() * 2 * (double)count;

	for (size_t g = 0; g < groups; g++) {
		a[g] = n->loads * normal();
		b[g] = n->loads * normal();
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t g = (uint32_t)(i % groups);

		drift += n->drift / 20 * normal() + (fabs((double)i - jump_at) < 0.5 ? n->drift : 0);
		pairs[i] = (struct gk_pair){call_ms(n, n->ms, a[g], drift),
		                            call_ms(n, n->ms / truth, b[g], drift), g};
	}
}

/* ---- the alternatives: two levels of draws, of the sides' medians or of the pairs' logs ---- */

static double medians_of(const struct gk_pair *pairs, size_t count, int is_paired)
{
	static double a[MOST], b[MOST];

	for (size_t i = 0; i < count; i++) {
		a[i] = is_paired ? log(pairs[i].a_ms / pairs[i].b_ms) : pairs[i].a_ms;
		b[i] = pairs[i].b_ms;
	}
	return is_paired ? gk_median_of(a, count) : log(gk_median_of(a, count) / gk_median_of(b, count));
}

static void two_levels(const struct gk_pair *pairs, size_t count, size_t groups, int is_paired,
                       struct gk_ratio *r)
{
	static struct gk_pair drawn[MOST];
	double figures[DRAWS], low, high;

	for (size_t d = 0; d < DRAWS; d++) {
		size_t used = 0;

		for (size_t k = 0; k < groups; k++) {
			size_t g = next() % groups, in_group = (count - g + groups - 1) / groups;

			for (size_t i = 0; i < in_group && used < count; i++)
				drawn[used++] = pairs[g + groups * (next() % in_group)];
		}
		figures[d] = medians_of(drawn, used, is_paired);
	}
	low = gk_quantile_of(figures, DRAWS, 0.025);
	high = gk_quantile_of(figures, DRAWS, 0.975);
	*r = (struct gk_ratio){.ratio = exp(medians_of(pairs, count, is_paired)),
	                       .low = exp(low),
	                       .high = exp(high),
	                       .half_width = (high - low) / 2,
	                       .count = count,
	                       .groups = groups};
}

enum method { OURS, LEVELS_PAIRED, LEVELS_MEDIANS, SEQUENTIAL };
static const char *const method_names[] = {"geak", "two levels, pairs", "two levels, medians",
                                           "geak, stopping"};

static void estimate(enum method method, const struct gk_pair *pairs, size_t count, size_t groups,
                     double wanted, struct gk_ratio *r)
{
	if (method == LEVELS_PAIRED || method == LEVELS_MEDIANS) {
		two_levels(pairs, count, groups, method == LEVELS_PAIRED, r);
		return;
	}
	for (size_t used = method == SEQUENTIAL ? CHUNK : count;; used += CHUNK) {
		used = used < count ? used : count;
		gk_ratio_estimate(pairs, used, 1, GK_RATIO_LEVEL, r);
		if (used == count || gk_ratio_enough(r, groups, wanted))
			return;
	}
}

struct score {
	double misses, seen, width, error, pairs;
};

static struct score simulate(const struct noise *n, enum method method, double truth, size_t groups,
                             size_t count, double wanted, int runs)
{
	static struct gk_pair pairs[MOST];
	struct score s = {0};

	state = 20;
	for (int i = 0; i < runs; i++) {
		struct gk_ratio r;

		draw_measurement(n, truth, groups, count, pairs);
		estimate(method, pairs, count, groups, wanted, &r);
		s.misses += (r.low > truth || r.high < truth) / (double)runs;
		s.seen += (r.low > 1 || r.high < 1) / (double)runs;
		s.width += r.half_width / runs;
		s.error += pow(log(r.ratio / truth), 2) / runs;
		s.pairs += (double)r.count / runs;
	}
	s.error = sqrt(s.error);
	return s;
}

static const struct noise noises[] = {
	{"calls 1 %", 0.1, 0.01, 0, 0, 0, 0},
	{"calls 1 %, loads 0.5 %", 0.1, 0.01, 0.005, 0, 0, 0},
	{"calls 1 %, loads 2 %", 0.1, 0.01, 0.02, 0, 0, 0},
	{"calls 1 %, loads 0.5 %, outliers 5 %", 0.1, 0.01, 0.005, 0, 0.05, 0},
	{"calls 1 %, loads 0.5 %, drift 5 %", 0.1, 0.01, 0.005, 0.05, 0, 0},
	{"all of these", 0.1, 0.01, 0.005, 0.05, 0.05, 0.032},
	{"8 us: calls 3 %, loads 1 %, ticks 32 ns", 0.008, 0.03, 0.01, 0.01, 0.02, 0.032},
	{"3 us: calls 0.3 %, ticks 32 ns", 0.003, 0.003, 0, 0, 0, 0.032},
};

static void table_of_methods(int runs)
{
	printf("## Estimates, 8 groups, 256 pairs, A/A\n\n| noise | estimate | misses 1 | half width | error "
	       "(rms) |\n|---|---|---|---|---|\n");
	for (size_t k = 0; k < sizeof noises / sizeof *noises; k++)
		for (enum method m = OURS; m <= LEVELS_MEDIANS; m++) {
			struct score s = simulate(&noises[k], m, 1, 8, 256, 0, m == OURS ? runs : runs / 4);

			printf("| %s | %s | %.1f %% | %.2f %% | %.2f %% |\n", noises[k].name, method_names[m],
			       100 * s.misses, 100 * s.width, 100 * s.error);
		}
}

static void table_of_sizes(int runs)
{
	static const size_t groups[] = {1, 2, 4, 8, 16}, counts[] = {32, 64, 128, 400};

	printf("\n## Groups and pairs, A/A: misses 1 (half width), %s\n\n| groups |", noises[1].name);
	for (size_t c = 0; c < 4; c++)
		printf(" %zu pairs |", counts[c]);
	printf("\n|---|---|---|---|---|\n");
	for (size_t g = 0; g < 5; g++) {
		printf("| %zu |", groups[g]);
		for (size_t c = 0; c < 4; c++) {
			struct score s = simulate(&noises[1], OURS, 1, groups[g], counts[c], 0, runs);

			printf(" %.1f %% (%.2f %%) |", 100 * s.misses, 100 * s.width);
		}
		printf("\n");
	}
}

static void table_of_stopping(int runs)
{
	static const double truths[] = {1, 1.01, 1.02, 1.05, 1.2};

	printf("\n## Stopping at a half width of 1 %%, at most 400 pairs in 8 groups, a look every %d "
	       "pairs\n\n"
	       "| noise | true ratio | misses it | excludes 1 | pairs | half width "
	       "|\n|---|---|---|---|---|---|\n",
	       CHUNK);
	for (size_t k = 0; k < sizeof noises / sizeof *noises; k++)
		for (size_t t = 0; t < 5; t++) {
			struct score s = simulate(&noises[k], SEQUENTIAL, truths[t], 8, 400, 0.01, runs);

			printf("| %s | %g | %.1f %% | %.1f %% | %.0f | %.2f %% |\n", noises[k].name,
			       truths[t], 100 * s.misses, 100 * s.seen, s.pairs, 100 * s.width);
		}
}

int main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : 2000;

	table_of_methods(runs);
	table_of_sizes(runs);
	table_of_stopping(runs);
	return 0;
}
