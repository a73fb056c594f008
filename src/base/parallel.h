/* One loop's rounds on several threads. */
#ifndef GK_BASE_PARALLEL_H
#define GK_BASE_PARALLEL_H

#include <stddef.h>

typedef void gk_parallel_fn(void *ctx, size_t number);

/*
 * fn(ctx, 0), .. fn(ctx, count - 1), each once, in any order and at once, on this thread and others; back when all
 * are done. fn must not ask for more of it. Any number of threads may be here at the same time: together they have
 * as many helpers as there are processors, and none waits for one.
 */
void gk_parallel(size_t count, gk_parallel_fn *fn, void *ctx);

#endif
