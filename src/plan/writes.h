/* Which parameters of a kernel it may write through. */
#ifndef GK_PLAN_WRITES_H
#define GK_PLAN_WRITES_H

#include "plan.h"

/* One bit for each of the first GK_PLAN_MAX_ARGS parameters. */
struct gk_plan_writes {
	uint64_t bits[GK_PLAN_MAX_ARGS / 64];
};

/*
 * Follows addresses from the entry's parameters to stores and atomics. Errs on
 * the side of "may write": every result of an operation that has such an
 * address among its operands may be one.
 */
void gk_plan_find_writes(const struct gk_ir *ir, struct gk_plan_writes *writes);
bool gk_plan_may_write(const struct gk_plan_writes *writes, uint32_t param);

#endif
