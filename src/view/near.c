#include "view/near.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

#define MOST 0.999

enum { BARS = 11, BAR = 26, GAP = 4, PLOT = 54, AXIS = 16 };

static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	double number = json_is_number(value) ? json_number_value(value) : 0;

	return isfinite(number) && number > 0 ? number : 0;
}

/* Some element must not read as none, and not every one as all. */
static void add_share(struct gk_buf *out, double part, double all)
{
	double percent = 100 * part / all;

	if (part < all && percent > 99.99)
		percent = 99.99;
	gk_buf_printf(out, part == all ? "all" : "%.*f %%", percent < 99 ? 1 : 2, percent);
}

/* What an executed case says of a second execution, or NULL. */
static const json_t *repeat_of(const struct gk_verdict *v)
{
	for (size_t i = 0; i < v->case_count; i++) {
		const json_t *repeat = json_object_get(v->cases[i].detail, "repeat");

		if (json_is_object(repeat))
			return repeat;
	}
	return NULL;
}

static void add_repeat(struct gk_buf *out, const json_t *repeat)
{
	double different = number_of(repeat, "different"), ulps = number_of(repeat, "max_ulp");

	if (!repeat)
		return;
	if (different <= 0) {
		gk_buf_add_text(out, "; two executions gave the same bits");
		return;
	}
	gk_buf_printf(out, "; two executions differ in %.0f of %.0f elements", different,
	              number_of(repeat, "count"));
	if (ulps > 0)
		gk_buf_printf(out, ", by up to %.0f ulp", ulps);
}

/* Where values cancel, the largest distance says little of the others. */
static void add_most(struct gk_buf *out, const json_t *ulp, double count)
{
	const json_t *buckets = json_object_get(ulp, "buckets");
	double within = 0;

	for (size_t i = 0; i < BARS && json_array_size(buckets) == BARS; i++) {
		within += json_number_value(json_array_get(buckets, i));
		if (within < MOST * count)
			continue;
		if (i > 0 && i + 1 < BARS && within < count)
			gk_buf_printf(out, ", 99.9 %% within %d ulp", i < 3 ? (int)i : 1 << (i - 1));
		return;
	}
}

bool gk_near_add_line(struct gk_buf *out, const struct gk_verdict *v)
{
	double count = number_of(v->ulp, "count"), max = number_of(v->ulp, "max"),
	       apart = number_of(v->ulp, "apart");

	if (count <= 0)
		return false;
	add_share(out, fmin(number_of(v->ulp, "exact"), count), count);
	gk_buf_printf(out, " of %.0f elements as near as the format comes", count);
	add_most(out, v->ulp, count);
	if (max > 0.5)
		gk_buf_printf(out, max < 1e6 ? ", at most %.0f ulp off" : ", at most %.1e ulp off",
		              ceil(max - 0.5));
	if (apart > 0)
		gk_buf_printf(out, ", %.0f NaN or infinite on one side", apart);
	add_repeat(out, repeat_of(v));
	return true;
}

static void add_bar(struct gk_buf *out, int number, double count, double all)
{
	static const char *const names[BARS] = {"0", "1", "2", "3", "5", "9", "17", "33", "65", "129", "257"};
	/* from 1 element of all to all of them; one is still seen */
	double height = count > 0 ? 3 + (PLOT - 3) * log(count) / fmax(log(all), 1) : 0;
	int x = number * (BAR + GAP);

	if (count > 0)
		gk_buf_printf(out,
		              "<rect class=%s x=%d y=%.1f width=%d height=%.1f rx=2><title>%.0f "
		              "elements</title></rect>",
		              number == 0 ? "near" : "far", x, PLOT - height, BAR, height, count);
	gk_buf_printf(out, "<text class=tick x=%d y=%d text-anchor=middle>%s</text>", x + BAR / 2,
	              PLOT + AXIS - 4, names[number]);
}

bool gk_near_chart(struct gk_buf *out, const struct gk_verdict *v)
{
	const json_t *buckets = json_object_get(v->ulp, "buckets");
	double all = number_of(v->ulp, "count");
	int width = BARS * (BAR + GAP) - GAP;

	if (all <= 0 || json_array_size(buckets) != BARS)
		return false;
	gk_buf_printf(
		out,
		"<svg class=near viewBox='0 0 %d %d' role=img><title>elements by their distance from the "
	        "expected value, "
		"in units in the last place; log scale</title><line class=grid x1=0 x2=%d y1=%d y2=%d />",
		width, PLOT + AXIS, width, PLOT, PLOT);
	for (int i = 0; i < BARS; i++)
		add_bar(out, i, fmin(fmax(json_number_value(json_array_get(buckets, (size_t)i)), 0), all),
		        all);
	gk_buf_add_text(out, "</svg>");
	return true;
}
