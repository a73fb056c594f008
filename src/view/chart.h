/* Pictures as inline SVG, coloured by the page's style sheet (classes in page_style.c). */
#ifndef GK_VIEW_CHART_H
#define GK_VIEW_CHART_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct gk_series {
	const char *name, *style; /* CSS class: "exec", "call" */
	const double *values;     /* 0 .. 1, one per x */
};

/* Shares over 1 .. count as steps, with their last values written beside them. */
void gk_chart_shares(struct gk_buf *out, const struct gk_series *series, size_t series_count, size_t count,
                     const char *x_title);

/*
 * Where an output differs: rows of counts (detail's "map", anywhere in it) as
 * a small grid, darker for more. False when there is no map.
 */
bool gk_chart_map(struct gk_buf *out, const json_t *detail);

/* One speedup with its interval; what was not measured says why instead. Texts may be foreign. */
struct gk_forest_row {
	const char *label;
	const char *link;          /* "#t-flip", made by us, or NULL */
	bool measured;
	double mid, low, high;     /* ratios, above 0 */
	double floor;              /* relative; NaN: unknown */
	bool within_noise;
	bool is_heading;           /* of the rows below it, that are its parts */
	const char *words;         /* behind the figures, or in their place; "" */
};
/* Points and intervals on a log scale, each with the noise band around 1 (1 - floor to 1 + floor). */
void gk_chart_forest(struct gk_buf *out, const struct gk_forest_row *rows, size_t count);

/*
 * The raw times of both sides in the order they were taken, from what the
 * launcher told (docs/protocol.md, `timed`), with the GPU's clock below them
 * where it is told. False, and nothing added, when there are no times in it.
 */
bool gk_chart_strip(struct gk_buf *out, const json_t *timed, const char *a, const char *b);

#endif
