#include "view/chart.h"

#include <math.h>
#include <stdbool.h>

#include "view/html.h"

/* --- shares by iteration --- */

enum { WIDTH = 680, HEIGHT = 240, LEFT = 44, RIGHT = 120, TOP = 14, BOTTOM = 40 };

static double x_of(size_t i, size_t count)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * ((double)i + 0.5) / (double)count;
}

static double y_of(double share)
{
	return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share);
}

static void add_axes(struct gk_buf *out, size_t count, const char *x_title)
{
	size_t every = count > 12 ? (count + 11) / 12 : 1;

	for (int percent = 0; percent <= 100; percent += 25)
		gk_buf_printf(out, "<line class=grid x1=%d x2=%d y1=%.1f y2=%.1f /><text class=tick x=%d y=%.1f "
		              "text-anchor=end>%d%%</text>", LEFT, WIDTH - RIGHT, y_of(percent / 100.0), y_of(percent / 100.0),
		              LEFT - 8, y_of(percent / 100.0) + 4, percent);
	for (size_t i = 0; i < count; i += every)
		gk_buf_printf(out, "<text class=tick x=%.1f y=%d text-anchor=middle>%zu</text>", x_of(i, count),
		              HEIGHT - BOTTOM + 18, i + 1);
	gk_buf_printf(out, "<text class=tick x=%d y=%d text-anchor=middle>", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4);
	gk_html_text(out, x_title, 100);
	gk_buf_add_text(out, "</text>");
}

static void add_series(struct gk_buf *out, const struct gk_series *series, size_t count, double label_y)
{
	double half = (x_of(count, count) - x_of(0, count)) / (double)count / 2, last = series->values[count - 1];

	gk_buf_printf(out, "<path class='line %s' d='M%.1f %.1f", series->style, x_of(0, count) - half,
	              y_of(series->values[0]));
	for (size_t i = 0; i < count; i++)
		gk_buf_printf(out, " V%.1f H%.1f", y_of(series->values[i]), x_of(i, count) + half);
	gk_buf_add_text(out, "'/>");
	for (size_t i = 0; i < count; i++) {
		gk_buf_printf(out, "<circle class='%s' cx=%.1f cy=%.1f r=3.2><title>", series->style, x_of(i, count),
		              y_of(series->values[i]));
		gk_html_text(out, series->name, 60);
		gk_buf_printf(out, ", %zu: %.0f%%</title></circle>", i + 1, 100 * series->values[i]);
	}
	gk_buf_printf(out, "<text class='label %s' x=%d y=%.1f>", series->style, WIDTH - RIGHT + 10, label_y);
	gk_html_text(out, series->name, 60);
	gk_buf_printf(out, " %.0f%%</text>", 100 * last);
}

void gk_chart_shares(struct gk_buf *out, const struct gk_series *series, size_t series_count, size_t count,
                     const char *x_title)
{
	double taken = -100;

	if (count == 0)
		return;
	gk_buf_printf(out, "<svg class=chart viewBox='0 0 %d %d' role=img>", WIDTH, HEIGHT);
	add_axes(out, count, x_title);
	for (size_t i = 0; i < series_count; i++) {
		double y = y_of(series[i].values[count - 1]) + 4;

		if (fabs(y - taken) < 16) /* labels of equal values stand below each other */
			y = taken + 16;
		taken = y;
		add_series(out, &series[i], count, y);
	}
	gk_buf_add_text(out, "</svg>");
}

/* --- where outputs differ --- */

#define MAX_SIDE  64
#define MAP_DEPTH 5

static const json_t *find_map(const json_t *at, int depth)
{
	const json_t *map = json_object_get(at, "map"), *value;
	const char *key;
	size_t i;

	if (json_is_array(json_array_get(map, 0)))
		return map;
	if (depth == 0)
		return NULL;
	json_object_foreach((json_t *)at, key, value) {
		map = find_map(value, depth - 1);
		if (map)
			return map;
	}
	json_array_foreach(at, i, value) {
		map = find_map(value, depth - 1);
		if (map)
			return map;
	}
	return NULL;
}

static double largest(const json_t *map)
{
	double most = 0;

	for (size_t r = 0; r < json_array_size(map) && r < MAX_SIDE; r++)
		for (size_t c = 0; c < json_array_size(json_array_get(map, r)) && c < MAX_SIDE; c++)
			most = fmax(most, json_number_value(json_array_get(json_array_get(map, r), c)));
	return most;
}

bool gk_chart_map(struct gk_buf *out, const json_t *detail)
{
	const json_t *map = find_map(detail, MAP_DEPTH);
	size_t rows = json_array_size(map), columns = json_array_size(json_array_get(map, 0));
	double most;

	rows = rows < MAX_SIDE ? rows : MAX_SIDE;
	columns = columns < MAX_SIDE ? columns : MAX_SIDE;
	if (!map || rows == 0 || columns == 0)
		return false;
	most = largest(map);
	gk_buf_printf(out, "<svg class=map viewBox='-.5 -.5 %zu %zu' preserveAspectRatio=none style='aspect-ratio:%zu/%zu' "
	              "role=img><title>where the output differs: rows are its leading dimensions, columns the last one"
	              "</title><rect class=ok x=-.5 y=-.5 width=%zu height=%zu />", columns + 1, rows + 1,
	              columns < 3 * rows ? columns : 3 * rows, rows < columns ? rows : columns, columns + 1, rows + 1);
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < columns; c++) {
			double count = json_number_value(json_array_get(json_array_get(map, r), c));

			if (count > 0)
				gk_buf_printf(out, "<rect class=off x=%zu y=%zu width=1 height=1 opacity='%.2f'/>", c, r,
				              0.35 + 0.65 * (most > 0 ? count / most : 1));
		}
	gk_buf_add_text(out, "</svg>");
	return true;
}
