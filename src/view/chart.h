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

#endif
