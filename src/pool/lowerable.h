/* What is given to the compilers: only IR whose meaning is its own. */
#ifndef GK_POOL_LOWERABLE_H
#define GK_POOL_LOWERABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/ir.h"

/* False: why gets a line that says what is refused, and where. */
bool ir_is_lowerable(const struct gk_ir *ir, const char *target, char *why, size_t size);

#endif
