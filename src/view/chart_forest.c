/* Speedups with their intervals, one below the other, on a common log scale. */
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "view/chart.h"
#include "view/html.h"
#include "view/perf.h"

enum { WIDTH = 1000, LEFT = 270, RIGHT = 250, TOP = 8, ROW = 28, AXIS = 34, LABEL_MAX = 40, GAP = 44 };

struct scale {
	double low, high; /* logs */
};

static double x_of(const struct scale *scale, double ratio)
{
	double part = (log(ratio) - scale->low) / (scale->high - scale->low);

	return LEFT + (WIDTH - LEFT - RIGHT) * fmin(fmax(part, 0), 1);
}

/* Holds 1, every interval and every noise band; never so narrow that noise fills it. */
static struct scale scale_of(const struct gk_forest_row *rows, size_t count)
{
	struct scale scale = {log(0.95), log(1.05)};

	for (size_t i = 0; i < count; i++) {
		double floor = isfinite(rows[i].floor) ? fmin(fmax(rows[i].floor, 0), 0.5) : 0;

		if (!rows[i].measured)
			continue;
		scale.low = fmin(scale.low, log(fmin(rows[i].low, 1 - floor)));
		scale.high = fmax(scale.high, log(fmax(rows[i].high, 1 + floor)));
	}
	scale.low = fmax(scale.low, log(1e-4));
	scale.high = fmin(scale.high, log(1e4));
	scale.low -= 0.04 * (scale.high - scale.low);
	scale.high += 0.04 * (scale.high - scale.low);
	return scale;
}

static void add_tick(struct gk_buf *out, const struct scale *scale, double at, double bottom)
{
	double x = x_of(scale, at);

	gk_buf_printf(out, "<line class='%s' x1=%.1f x2=%.1f y1=%d y2=%.1f /><text class=tick x=%.1f y=%.1f "
	              "text-anchor=middle>%g&times;</text>", at == 1 ? "one" : "grid", x, x, TOP, bottom, x, bottom + 18, at);
}

/* Round ratios as far apart as their texts need; 1 always stands, and is drawn last, over the others. */
static void add_axis(struct gk_buf *out, const struct scale *scale, double bottom)
{
	static const double ticks[] = {0.001, 0.01, 0.1, 1000, 100, 10,  0.5, 2,    5,    0.2,  20,  50,   0.05, 200,
	                               500,   0.02, 3,   1.5,  0.7, 4,   0.8, 1.25, 0.9,  1.1,  1.2, 0.95, 1.05, 0.6,
	                               1.3,   1.4,  1.7, 2.5,  6,   8,   0.3, 0.4,  0.85, 1.15};
	double taken[gk_count_of(ticks) + 1] = {x_of(scale, 1)};
	size_t count = 1;

	for (size_t i = 0; i < gk_count_of(ticks); i++) {
		bool is_free = log(ticks[i]) > scale->low && log(ticks[i]) < scale->high;

		for (size_t k = 0; is_free && k < count; k++)
			is_free = fabs(taken[k] - x_of(scale, ticks[i])) >= GAP;
		if (!is_free)
			continue;
		taken[count++] = x_of(scale, ticks[i]);
		add_tick(out, scale, ticks[i], bottom);
	}
	add_tick(out, scale, 1, bottom);
	gk_buf_printf(out, "<text class=tick x=%.1f y=%.1f text-anchor=end>slower &larr;</text><text class=tick x=%.1f y=%.1f>"
	              "&rarr; faster</text>", x_of(scale, 1) - 6, bottom + 33, x_of(scale, 1) + 6, bottom + 33);
}

static void add_label(struct gk_buf *out, const struct gk_forest_row *row, double y)
{
	size_t size = strlen(row->label), most = LABEL_MAX;

	while (size > most && (row->label[most] & 0xc0) == 0x80)
		most--;
	if (row->link)
		gk_buf_printf(out, "<a href='%s'>", row->link);
	gk_buf_printf(out, "<text class='label%s' x=%d y=%.1f text-anchor=end>", row->is_heading ? " strong" : "", LEFT - 14,
	              y + 4.5);
	gk_html_bytes(out, row->label, size > most ? most : size, LABEL_MAX);
	gk_buf_printf(out, "%s<title>", size > most ? "&hellip;" : "");
	gk_html_text(out, row->label, 200);
	gk_buf_printf(out, "</title></text>%s", row->link ? "</a>" : "");
}

static void add_figure(struct gk_buf *out, const struct scale *scale, const struct gk_forest_row *row, double y)
{
	const char *style = row->within_noise ? "same" : row->mid > 1 ? "faster" : "slower";
	double radius = row->is_heading ? 5.5 : 4, width = row->high - row->low;

	if (row->floor > 0 && row->floor < 1)
		gk_buf_printf(out, "<rect class=band x=%.1f y=%.1f width=%.1f height=%d><title>noise floor: 1 &plusmn; %.2f %%"
		              "</title></rect>", x_of(scale, 1 - row->floor), y - ROW / 2 + 3.0,
		              x_of(scale, 1 + row->floor) - x_of(scale, 1 - row->floor), ROW - 6, 100 * row->floor);
	gk_buf_printf(out, "<line class='whisker %s' x1=%.1f x2=%.1f y1=%.1f y2=%.1f />", style, x_of(scale, row->low),
	              x_of(scale, row->high), y, y);
	gk_buf_printf(out, "<circle class='%s' cx=%.1f cy=%.1f r=%.1f><title>%.4f&times;, 95 %% interval %.4f to %.4f</title>"
	              "</circle>", style, x_of(scale, row->mid), y, radius, row->mid, row->low, row->high);
	gk_buf_printf(out, "<text class='value%s' x=%d y=%.1f>", row->is_heading ? " strong" : "", WIDTH - RIGHT + 16, y + 4.5);
	gk_perf_add_ratio(out, row->mid, width);
	gk_buf_add_text(out, "&times; <tspan class=range>[");
	gk_perf_add_ratio(out, row->low, width);
	gk_buf_add_text(out, ", ");
	gk_perf_add_ratio(out, row->high, width);
	gk_buf_add_text(out, "]");
	if (row->words[0]) {
		gk_buf_add_text(out, " ");
		gk_html_text(out, row->words, 40);
	}
	gk_buf_add_text(out, "</tspan></text>");
}

void gk_chart_forest(struct gk_buf *out, const struct gk_forest_row *rows, size_t count)
{
	struct scale scale = scale_of(rows, count);
	double bottom = TOP + ROW * (double)count;

	if (count == 0)
		return;
	gk_buf_printf(out, "<svg class='chart wide forest' viewBox='0 0 %d %.0f' role=img><title>speedups with their 95 %% "
	              "intervals, log scale</title>", WIDTH, bottom + AXIS + 4);
	add_axis(out, &scale, bottom);
	for (size_t i = 0; i < count; i++) {
		double y = TOP + ROW * ((double)i + 0.5);

		add_label(out, &rows[i], y);
		if (rows[i].measured) {
			add_figure(out, &scale, &rows[i], y);
		} else {
			gk_buf_printf(out, "<text class='value none' x=%d y=%.1f>", WIDTH - RIGHT + 16, y + 4.5);
			gk_html_text(out, rows[i].words, 44);
			gk_buf_add_text(out, "</text>");
		}
	}
	gk_buf_add_text(out, "</svg>");
}
