/* How near a candidate's values come, and whether they vary: a line, and a small picture (docs/verdict.md,
 * `ulp`). */
#ifndef GK_VIEW_NEAR_H
#define GK_VIEW_NEAR_H

#include <stdbool.h>

#include "base/buf.h"
#include "fact/verdict.h"

/*
 * "93.12 % of 1234567 elements as near as the format comes, 99.9 % within 2 ulp, at most 17 ulp off; two
 * executions gave the same bits". False, and nothing added, when the verdict does not tell.
 */
bool gk_near_add_line(struct gk_buf *out, const struct gk_verdict *verdict);
/* Bars on a log scale, one for each bucket of distances. False when there is none. */
bool gk_near_chart(struct gk_buf *out, const struct gk_verdict *verdict);

#endif
