/*
 * Kernels of our own that prepare a timed call, as Triton IR: lowered by the
 * same workers as candidates' kernels, for NVIDIA and AMD from one text where
 * the hardware allows it. By name:
 *
 *   fill      (ptr i32, i64 words, i32 seed): random words, other for each seed
 *   flush     (ptr i32, i64 words, ptr i32 sink): reads all words; sink has one word per program
 *   scrub     (ptr i32 sink, i32 bytes, i32 seed): random words over that many bytes of a block's shared memory,
 *             bytes a multiple of 4; sink (one word per program) gets what the last word read back as. The launcher
 *             asks for as much dynamic shared memory as a block can have less what scrub has of its own
 *             (GK_HELPER_SCRUB_STATIC, which it writes as well), and launches enough blocks to reach every
 *             multiprocessor
 *   copy_S_D  (ptr dst, i64 dst strides x 8, ptr src, i64 src strides x 8, i64 shape x 8): src cast to dst as
 *             gk_strided_copy() does it, bit for bit but for the bits of a NaN; S and D are short names of
 *             dtypes ("f16", "bf16", "f8e4m3fn", "i32", "u8", "bool"). Of one dtype: copy_bN, by bytes of an element
 *   set_bN    (ptr dst, i64 strides x 8, i64 shape x 8, i64 bits): a strided fill of elements of N = 1, 2, 4, 8 bytes
 *   iota_D    (ptr dst, i64 strides x 8, i64 shape x 8, i64 start, i64 step); integers as bN
 *   A_S_D_M   (ptr dst, i64 dst strides x 8, ptr src, i64 src strides x 8, i64 shape x 8, i64 strides x 8 and
 *             i64 shape x 8 of the folded dimensions of src): an assist ("sum", "abs"). M is how a program's 2048 lanes
 *             are spread: "cN" or "rN", N of them along the folded dimensions, for each of 2048 / N elements of dst;
 *             neighbours are elements of dst (c) or of the fold (r)
 *
 * Strides in elements, the first dimension outermost, in i64 scalars one after
 * the other. Every program of fill, flush, copy, set and iota handles
 * GK_HELPER_BLOCK elements (words); the grid is one-dimensional. All that is
 * pointed to is aligned to its elements.
 */
#ifndef GK_PLAN_HELPER_H
#define GK_PLAN_HELPER_H

#include "base/buf.h"
#include "plan.h"

#define GK_HELPER_BLOCK     4096
#define GK_HELPER_SCRUB_STATIC 16 /* where its object has static_shared at all; the rest of that is the system's */
#define GK_HELPER_NAME      32
#define GK_HELPER_MAX       64 /* of one plan */

/*
 * Those that timing the plan takes: fill, flush and scrub always, the others
 * for steps that a driver has no call for. Returns how many names were written.
 */
size_t gk_helper_list(const struct gk_plan *plan, char names[GK_HELPER_MAX][GK_HELPER_NAME]);
/*
 * The name of the one that a step other than a launch or choose needs; false when the driver has a call for it (dense
 * fills of up to 4 bytes, dense copies of one dtype, dense data, nothing at all). A DATA step whose view is not
 * dense takes copy_bN from its bytes, which the launcher has put on the device.
 */
bool gk_helper_of_step(const struct gk_plan_step *step, char name[GK_HELPER_NAME]);

/*
 * The numbers of copy, set and iota: dimensions that nest in both views are one, those of extent 1 gone, missing
 * ones have shape 1 and stride 0 and come first. The order of elements stays row-major. src NULL: only dst.
 */
struct gk_helper_walk {
	int64_t dst[GK_MAX_RANK], src[GK_MAX_RANK], shape[GK_MAX_RANK];
	int64_t count; /* of elements */
};
void gk_helper_walk(const struct gk_plan_view *dst, const struct gk_plan_view *src, struct gk_helper_walk *walk);

/* The same for an assist: what stays, as a copy's, and what is folded (its dst alone); and the grid. */
struct gk_helper_fold {
	struct gk_helper_walk kept, folded;
	uint32_t programs;
};
void gk_helper_fold(const struct gk_plan_step *step, struct gk_helper_fold *fold);

/* Its module as canonical Triton IR, for a target ("sm_90", "gfx942"). Unknown names are refused. */
int gk_helper_text(const char *name, const char *target, struct gk_buf *ttir, struct gk_err *e);
/* What it is lowered with, as a plan's kernel has it: new reference. */
json_t *gk_helper_options(const char *name);

#endif
