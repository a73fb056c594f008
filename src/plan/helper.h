/*
 * Kernels of our own that prepare a timed call, as Triton IR: lowered by the
 * same workers as candidates' kernels, for NVIDIA and AMD from one text where
 * the hardware allows it. By name:
 *
 *   fill           (ptr i32, i64 words, i32 seed): random words, other for each seed
 *   flush          (ptr i32, i64 words, ptr i32 sink): reads all words; sink has one word per program
 *   scrub          (ptr i32 sink, i32 bytes, i32 seed): random words over that many bytes of a block's shared memory;
 *                  the launcher asks for as much dynamic shared memory as a block can have
 *   copy_S_D       (ptr D dst, i64 dst strides x 8, ptr S src, i64 src strides x 8, i64 shape x 8): src cast to dst as
 *                  gk_dtype conversion does it; strides in elements, missing dimensions have shape 1
 *   set_D          (ptr D dst, i64 strides x 8, i64 shape x 8, i64 bits): a strided fill; D by size: b1 b2 b4 b8
 *   iota_D         (ptr D dst, i64 strides x 8, i64 shape x 8, i64 start, i64 step)
 *
 * Every program of fill, flush, copy, set and iota handles GK_HELPER_BLOCK
 * elements (words); the grid is one-dimensional.
 */
#ifndef GK_PLAN_HELPER_H
#define GK_PLAN_HELPER_H

#include "base/buf.h"
#include "plan.h"

#define GK_HELPER_BLOCK     4096
#define GK_HELPER_NAME      32
#define GK_HELPER_MAX       64 /* of one plan */

/*
 * Those that timing the plan takes: fill, flush and scrub always, the others
 * for steps that a driver has no call for. Returns how many names were written.
 */
size_t gk_helper_list(const struct gk_plan *plan, char names[GK_HELPER_MAX][GK_HELPER_NAME]);
/* The name of the one that a step other than a launch needs; false when the driver has a call for it. */
bool gk_helper_of_step(const struct gk_plan_step *step, char name[GK_HELPER_NAME]);

/* Its module as canonical Triton IR, for a target ("sm_90", "gfx942"). Unknown names are refused. */
int gk_helper_text(const char *name, const char *target, struct gk_buf *ttir, struct gk_err *e);

#endif
