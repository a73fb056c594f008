/* Raw times of both sides, in the order they were taken, and the GPU's clock below them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "stat/summary.h"
#include "view/chart.h"
#include "view/html.h"
#include "view/perf.h"

enum { WIDTH = 1000, LEFT = 76, RIGHT = 190, TOP = 10, PLOT = 170, CLOCK = 44, AXIS = 26, MAX_DRAWN = 1500 };
#define MAX_SAMPLES ((size_t)1 << 20)

/* Times of one side; NaN where the journal holds none. */
struct side {
	double *ms;
	size_t count;
	double median;
	const char *name, *style;
};

struct strip {
	struct gk_buf *out;
	const json_t *timed;
	struct side sides[2];
	size_t count;     /* of the longer side */
	double low, high; /* of the axis, milliseconds */
};

/* Order statistics of what is a number; NaN when nothing is. */
static double quantile(const struct side *side, double part)
{
	gk_free_auto double *numbers = gk_alloc_array(side->count + 1, sizeof *numbers);
	size_t count = 0;

	for (size_t i = 0; i < side->count; i++)
		if (isfinite(side->ms[i]))
			numbers[count++] = side->ms[i];
	return count ? gk_quantile_of(numbers, count, part) : NAN;
}

static void read_side(const json_t *timed, const char *key, struct side *side, struct gk_arena *arena)
{
	const json_t *times = json_object_get(json_object_get(timed, key), "ms");
	size_t count = json_array_size(times);

	side->count = count < MAX_SAMPLES ? count : MAX_SAMPLES;
	side->ms = gk_arena_array(arena, side->count, sizeof *side->ms);
	for (size_t i = 0; i < side->count; i++) {
		const json_t *time = json_array_get(times, i);

		side->ms[i] = json_is_number(time) && json_number_value(time) > 0 ? json_number_value(time) : NAN;
	}
	side->median = quantile(side, 0.5);
}

/* From the fastest call to a little above the bulk: outliers are drawn at the rim, so that they squeeze nothing. */
static bool find_range(struct strip *strip)
{
	strip->low = INFINITY;
	strip->high = 0;
	for (int i = 0; i < 2; i++) {
		const struct side *side = &strip->sides[i];

		if (side->count == 0 || !isfinite(side->median))
			continue;
		strip->low = fmin(strip->low, quantile(side, 0));
		strip->high = fmax(strip->high, fmin(quantile(side, 1), 3 * quantile(side, 0.95) - 2 * quantile(side, 0.05)));
	}
	if (!isfinite(strip->low) || strip->high <= 0)
		return false;
	strip->high = fmax(strip->high, strip->low * 1.02);
	strip->low -= 0.06 * (strip->high - strip->low);
	strip->high += 0.06 * (strip->high - strip->low);
	return true;
}

static double x_of(const struct strip *strip, double index)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / (double)strip->count;
}

static double y_of(const struct strip *strip, double ms)
{
	double part = (ms - strip->low) / (strip->high - strip->low);

	return TOP + PLOT * (1 - fmin(fmax(part, 0), 1));
}

/* 1, 2 or 5 times a power of ten, for about four lines. */
static double tick_step(double range)
{
	double raw = range / 4, power = pow(10, floor(log10(raw)));

	return raw / power < 1.5 ? power : raw / power < 3.5 ? 2 * power : raw / power < 7.5 ? 5 * power : 10 * power;
}

static void add_axes(struct strip *strip)
{
	double step = tick_step(strip->high - strip->low), first = ceil(strip->low / step);

	for (int i = 0; i < 12 && (first + i) * step <= strip->high; i++) {
		double y = y_of(strip, (first + i) * step);

		gk_buf_printf(strip->out, "<line class=grid x1=%d x2=%d y1=%.1f y2=%.1f /><text class=tick x=%d y=%.1f "
		              "text-anchor=end>", LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4);
		gk_perf_add_ms(strip->out, (first + i) * step);
		gk_buf_add_text(strip->out, "</text>");
	}
}

/* Which side of a pair went first: the two stand left and right of the pair's place. */
static double offset_of(const struct strip *strip, size_t pair, int side)
{
	json_int_t first = json_integer_value(json_array_get(json_object_get(strip->timed, "first"), pair));

	return first == side ? -0.2 : 0.2;
}

static void add_points(struct strip *strip, int which)
{
	const struct side *side = &strip->sides[which];
	size_t every = side->count > MAX_DRAWN ? (side->count + MAX_DRAWN - 1) / MAX_DRAWN : 1;
	size_t over = 0;

	gk_buf_printf(strip->out, "<path class='dots %s' d='", side->style);
	for (size_t i = 0; i < side->count; i += every)
		if (side->ms[i] <= strip->high)
			gk_buf_printf(strip->out, "M%.1f %.1fh0", x_of(strip, (double)i + offset_of(strip, i, which)),
			              y_of(strip, side->ms[i]));
	gk_buf_add_text(strip->out, "'/>");
	for (size_t i = 0; i < side->count && over < 200; i++)
		if (side->ms[i] > strip->high) {
			over++;
			gk_buf_printf(strip->out, "<path class='over %s' d='M%.1f %dl3.5 6h-7z'><title>", side->style,
			              x_of(strip, (double)i + offset_of(strip, i, which)), TOP - 4);
			gk_perf_add_ms(strip->out, side->ms[i]);
			gk_buf_add_text(strip->out, "</title></path>");
		}
}

/* Medians as lines, with their names and values beside them. */
static void add_medians(struct strip *strip)
{
	double ys[2], gap;

	for (int i = 0; i < 2; i++)
		ys[i] = strip->sides[i].count && isfinite(strip->sides[i].median) ? y_of(strip, strip->sides[i].median) : NAN;
	gap = isfinite(ys[0] + ys[1]) && fabs(ys[0] - ys[1]) < 34 ? (34 - fabs(ys[0] - ys[1])) / 2 : 0;
	for (int i = 0; i < 2; i++) {
		const struct side *side = &strip->sides[i];
		double text_y = ys[i] + (ys[i] < ys[!i] || (ys[i] == ys[!i] && i == 0) ? -gap : gap);

		if (!isfinite(ys[i]))
			continue;
		text_y = fmin(fmax(text_y, TOP + 6), TOP + PLOT - 14);
		gk_buf_printf(strip->out, "<line class='median %s' x1=%d x2=%d y1=%.1f y2=%.1f /><text class='label %s' x=%d y=%.1f>",
		              side->style, LEFT, WIDTH - RIGHT, ys[i], ys[i], side->style, WIDTH - RIGHT + 10, text_y);
		gk_html_text(strip->out, side->name, 24);
		gk_buf_printf(strip->out, "</text><text class=tick x=%d y=%.1f>median ", WIDTH - RIGHT + 10, text_y + 15);
		gk_perf_add_ms(strip->out, side->median);
		gk_buf_add_text(strip->out, "</text>");
	}
}

/* --- the GPU's clock --- */

static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool clock_range(const json_t *health, double *low, double *high)
{
	*low = INFINITY;
	*high = 0;
	for (size_t i = 0; i < json_array_size(health); i++) {
		double mhz = number_of(json_array_get(health, i), "sm_mhz");

		if (mhz > 0) {
			*low = fmin(*low, mhz);
			*high = fmax(*high, mhz);
		}
	}
	return *high > 0;
}

/* The reasons that the driver gives for a lower clock. */
static void add_throttle(struct strip *strip, const json_t *at, double x, double y)
{
	const json_t *reasons = json_object_get(at, "throttle");

	if (json_array_size(reasons) == 0)
		return;
	gk_buf_printf(strip->out, "<path class=throttle d='M%.1f %.1fl4 7h-8z'><title>throttled:", x, y);
	for (size_t i = 0; i < json_array_size(reasons) && i < 8; i++) {
		const char *reason = json_string_value(json_array_get(reasons, i));

		gk_buf_add_text(strip->out, " ");
		gk_html_text(strip->out, reason ? reason : "?", 60);
	}
	gk_buf_add_text(strip->out, "</title></path>");
}

static void add_clock(struct strip *strip, const json_t *health, double low, double high)
{
	double top = TOP + PLOT + 14, height = CLOCK - 18, span = fmax(high - low, 0.02 * high);
	bool drawn = false;

	gk_buf_printf(strip->out, "<text class=tick x=%d y=%.1f text-anchor=end>clock</text><path class=clock d='", LEFT - 8,
	              top + height / 2 + 4);
	for (size_t i = 0; i < json_array_size(health) && i < MAX_DRAWN; i++) {
		double mhz = number_of(json_array_get(health, i), "sm_mhz"), pair = number_of(json_array_get(health, i), "pair");

		if (!(mhz > 0) || !(pair >= 0 && pair <= (double)strip->count))
			continue;
		gk_buf_printf(strip->out, drawn ? "H%.1fV%.1f" : "M%.1f %.1f", x_of(strip, pair),
		              top + height * (1 - (mhz - low) / span));
		drawn = true;
	}
	gk_buf_printf(strip->out, drawn ? "H%d'/>" : "M%d 0'/>", WIDTH - RIGHT);
	for (size_t i = 0; i < json_array_size(health) && i < MAX_DRAWN; i++) {
		double pair = number_of(json_array_get(health, i), "pair");

		if (pair >= 0 && pair <= (double)strip->count)
			add_throttle(strip, json_array_get(health, i), x_of(strip, pair), top + height + 2);
	}
	gk_buf_printf(strip->out, "<text class=tick x=%d y=%.1f>", WIDTH - RIGHT + 10, top + height / 2 + 4);
	gk_buf_printf(strip->out, low < high ? "%.0f to %.0f MHz</text>" : "%.0f MHz</text>", low, high);
}

bool gk_chart_strip(struct gk_buf *out, const json_t *timed, const char *a, const char *b)
{
	gk_arena_auto arena = {0};
	struct strip strip = {out, timed, {{.name = a, .style = "ref"}, {.name = b, .style = "cand"}}, 0, 0, 0};
	const json_t *health = json_object_get(timed, "health");
	double slow, fast, height;
	bool has_clock = clock_range(health, &slow, &fast);

	read_side(timed, "a", &strip.sides[0], &arena);
	read_side(timed, "b", &strip.sides[1], &arena);
	strip.count = strip.sides[0].count > strip.sides[1].count ? strip.sides[0].count : strip.sides[1].count;
	if (strip.count == 0 || !find_range(&strip))
		return false;
	height = TOP + PLOT + (has_clock ? CLOCK : 0) + AXIS;
	gk_buf_printf(out, "<svg class='chart wide strip' viewBox='0 0 %d %.0f' role=img><title>every timed call, in the order "
	              "of time</title>", WIDTH, height);
	add_axes(&strip);
	add_points(&strip, 0);
	add_points(&strip, 1);
	add_medians(&strip);
	if (has_clock)
		add_clock(&strip, health, slow, fast);
	gk_buf_printf(out, "<text class=tick x=%d y=%.1f text-anchor=middle>%zu pairs, in the order of time</text></svg>",
	              (LEFT + WIDTH - RIGHT) / 2, height - 6, strip.count);
	return true;
}
