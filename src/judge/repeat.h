/* Two executions of one plan on the same inputs, bit for bit. */
#ifndef GK_JUDGE_REPEAT_H
#define GK_JUDGE_REPEAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fact/tensor.h"

struct gk_repeat {
	bool is_there;
	int64_t count, different; /* elements of all outputs; that are not the same bits */
	size_t output;            /* the first that differs; the rest is about it */
	int64_t output_different;
	int64_t first;    /* flat index of the first element that differs */
	double low, high; /* its two values, in order: which execution came first says nothing */
	double max_ulps;  /* of floats: the largest distance; infinite for NaN against a number */
};

/* Outputs as declared; a and b dense, one array each per output. Symmetric in a and b. */
void gk_repeat_compare(struct gk_repeat *repeat, const struct gk_tensor *outputs, size_t count,
                       const void *const *a, const void *const *b);
/* "output out float32[4, 8]: 3 of 32 elements differ ...", for a repeat with differences. */
void gk_repeat_describe(struct gk_buf *out, const struct gk_repeat *repeat, const struct gk_tensor *outputs);
/* {"count", "different"}, and where there are differences {"output", "first", "low", "high", "max_ulp"}; new.
 */
json_t *gk_repeat_json(const struct gk_repeat *repeat, const struct gk_tensor *outputs);

#endif
