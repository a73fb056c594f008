/*
 * Helper kernels (plan/helper.h) of one target, lowered once and kept for the
 * life of the evaluator: what a gk_time_request takes along. Their text is
 * ours, so a compiler that refuses it, or dies of it, is a failure of ours.
 */
#ifndef GK_RUN_HELPERS_H
#define GK_RUN_HELPERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/plan.h"
#include "pool/runner.h"

struct gk_loop;
struct gk_helpers;

/* runner and loop are borrowed and must outlive it. Lowers nothing yet. target: "sm_90", "gfx942": not "cpu". */
struct gk_helpers *gk_helpers_new(struct gk_loop *loop, struct gk_runner *runner, const char *target);
void gk_helpers_free(struct gk_helpers *helpers); /* NULL is fine; no callback runs any more */

struct gk_helpers_result {
	const struct gk_err *err;             /* a failure of ours; the others are then empty */
	const struct gk_time_helper *helpers; /* borrowed for the callback; object and code live as long as gk_helpers */
	size_t count;
};
typedef void gk_helpers_fn(void *ctx, const struct gk_helpers_result *result);

/*
 * All that timing these plans takes (each once): of both sides, plans[i] NULL
 * is skipped. Calls back exactly once, never from within, unless cancelled.
 * What failed is tried again by the next one who asks. Never 0.
 */
uint64_t gk_helpers_ask(struct gk_helpers *helpers, const struct gk_plan *const *plans, size_t count,
                        gk_helpers_fn *fn, void *ctx);
void gk_helpers_cancel(struct gk_helpers *helpers, uint64_t id); /* unknown ids are fine */

#endif
