/* Server-sent events, read piece by piece: bytes in, the data of each event out. */
#ifndef GK_LLM_SSE_H
#define GK_LLM_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Set the ceilings of line and data before the first byte. */
struct gk_sse {
	struct gk_buf line, data;
	bool has_data;
};

/* The data lines of one event, joined by newlines. Returning false ends the reading. */
typedef bool gk_sse_fn(void *ctx, const char *data, size_t size);

void gk_sse_release(struct gk_sse *sse);
void gk_sse_clear(struct gk_sse *sse);
/* False: fn said so, or something passed its ceiling. Pieces may end anywhere. */
bool gk_sse_feed(struct gk_sse *sse, const char *bytes, size_t size, gk_sse_fn *fn, void *ctx);
/* The stream is over: the last event need not have its blank line. */
bool gk_sse_end(struct gk_sse *sse, gk_sse_fn *fn, void *ctx);

#endif
