/*
 * Plain loops over strided views in ordinary memory: fills, ramps, uploads and
 * casting copies, each with the map of undefined bytes kept true. Views are of
 * a plan that was read: they lie in their buffers.
 */
#ifndef GK_DEVICE_STRIDED_H
#define GK_DEVICE_STRIDED_H

#include <stdint.h>

#include "plan/plan.h"

/* A buffer: bytes, and for each of them whether it is undefined; undef NULL: all is defined. */
struct gk_memory_span {
	uint8_t *bytes;
	uint8_t *undef;
};

void gk_strided_fill(const struct gk_memory_span *to, const struct gk_plan_view *view, uint64_t bits);
/* Element i, row-major, becomes start + i * step in the view's dtype. */
void gk_strided_iota(const struct gk_memory_span *to, const struct gk_plan_view *view, int64_t start,
                     int64_t step);
void gk_strided_upload(const struct gk_memory_span *to, const struct gk_plan_view *view,
                       const uint8_t *dense);
/* Of equal shapes. Floats become integers towards zero, numbers become bools by != 0, all else rounds to
 * nearest even. */
void gk_strided_copy(const struct gk_memory_span *to, const struct gk_plan_view *dst,
                     const struct gk_memory_span *from, const struct gk_plan_view *src);
/* An assist: sums of floats in float32 (float64 for those), of integers in 64 bits. Of what is undefined: undefined.
 */
void gk_strided_assist(const struct gk_memory_span *to, const struct gk_memory_span *from,
                       const struct gk_plan_step *step);
/* Packs the view; returns how many elements have an undefined byte, *first the row-major index of the first
 * (or -1). */
uint64_t gk_strided_pack(const struct gk_memory_span *from, const struct gk_plan_view *view, uint8_t *dense,
                         int64_t *first);

#endif
