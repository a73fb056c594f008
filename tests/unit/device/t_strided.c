/* The loops of fills, ramps, uploads and casting copies over strided views. */
#include "device/strided.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tap.h"

static struct gk_plan_view view(enum gk_dtype dtype, uint64_t at, int64_t rows, int64_t columns,
                                int64_t row_stride, int64_t column_stride)
{
	return (struct gk_plan_view){.at = at,
	                             .dtype = dtype,
	                             .rank = 2,
	                             .shape = {rows, columns},
	                             .strides = {row_stride, column_stride}};
}

static void fills_touch_only_the_view(void)
{
	uint16_t data[20] = {0};
	uint8_t undef[40];
	struct gk_memory_span span = {(uint8_t *)data, undef};
	struct gk_plan_view v = view(GK_I16, 2, 3, 2, 6, 2); /* elements 1, 3, 7, 9, 13, 15 */

	memset(undef, 1, sizeof undef);
	gk_strided_fill(&span, &v, 0x1234);
	ok(data[1] == 0x1234 && data[3] == 0x1234 && data[15] == 0x1234,
	   "a fill reaches every element of the view");
	ok(data[0] == 0 && data[2] == 0 && data[5] == 0 && data[17] == 0, "and no other");
	ok(!undef[2] && !undef[31] && undef[0] && undef[4], "what is filled is defined");
}

static void ramps_count_in_row_major_order(void)
{
	float floats[6];
	uint8_t bytes[6];
	struct gk_memory_span f = {(uint8_t *)floats, NULL}, b = {bytes, NULL};
	struct gk_plan_view v = view(GK_F32, 0, 2, 3, 1, 2), w = view(GK_U8, 0, 2, 3, 3, 1);

	gk_strided_iota(&f, &v, 5, -2);
	ok(floats[0] == 5 && floats[2] == 3 && floats[4] == 1 && floats[1] == -1,
	   "a ramp follows the view, not memory");
	gk_strided_iota(&b, &w, 250, 3);
	ok(bytes[0] == 250 && bytes[1] == 253 && bytes[2] == 0 && bytes[3] == 3, "integers wrap");
}

static void copies_cast_and_carry_what_is_undefined(void)
{
	float from[4] = {1.5f, -2.75f, 70000.f, NAN};
	uint8_t undef_from[16] = {0}, undef_to[8];
	uint16_t half[4];
	int8_t whole[4];
	uint8_t flags[4];
	struct gk_plan_view src = view(GK_F32, 0, 1, 4, 4, 1), h = view(GK_F16, 0, 1, 4, 4, 1),
			    i = view(GK_I8, 0, 1, 4, 4, 1), b = view(GK_BOOL, 0, 1, 4, 4, 1);
	struct gk_memory_span s = {(uint8_t *)from, undef_from}, th = {(uint8_t *)half, undef_to},
			      ti = {(uint8_t *)whole, NULL}, tb = {flags, NULL};

	memset(undef_to, 1, sizeof undef_to);
	undef_from[6] = 1; /* one byte of the second element */
	gk_strided_copy(&th, &h, &s, &src);
	ok(half[0] == 0x3e00 && half[2] == 0x7c00 && (half[3] & 0x7c00) == 0x7c00,
	   "floats are rounded, overflow is infinite");
	ok(!undef_to[0] && undef_to[2] && undef_to[3] && !undef_to[4],
	   "an element with an undefined byte stays undefined");
	undef_from[6] = 0;
	gk_strided_copy(&ti, &i, &s, &src);
	ok(whole[0] == 1 && whole[1] == -2, "integers are cut towards zero");
	gk_strided_copy(&tb, &b, &s, &src);
	ok(flags[0] == 1 && flags[3] == 1, "bools are whether it is not zero");
}

static void copies_broadcast_and_transpose(void)
{
	int32_t from[6] = {1, 2, 3, 4, 5, 6}, to[6];
	struct gk_plan_view dense = view(GK_I32, 0, 3, 2, 2, 1), flipped = view(GK_I32, 0, 3, 2, 1, 3),
			    broadcast = view(GK_I32, 4, 3, 2, 0, 1);
	struct gk_memory_span s = {(uint8_t *)from, NULL}, t = {(uint8_t *)to, NULL};

	gk_strided_copy(&t, &dense, &s, &flipped);
	ok(to[0] == 1 && to[1] == 4 && to[2] == 2 && to[5] == 6, "a transposed copy");
	gk_strided_copy(&t, &dense, &s, &broadcast);
	ok(to[0] == 2 && to[1] == 3 && to[4] == 2 && to[5] == 3, "stride 0 broadcasts");
}

static void packing_counts_what_was_never_written(void)
{
	uint32_t from[6] = {1, 2, 3, 4, 5, 6}, to[6];
	uint8_t undef[24] = {0};
	struct gk_plan_view flipped = view(GK_U32, 0, 3, 2, 1, 3);
	struct gk_memory_span s = {(uint8_t *)from, undef};
	int64_t first;

	undef[4] = undef[19] = 1; /* elements 1 and 4: (1, 0) and (1, 1) of the view */
	is_int((long long)gk_strided_pack(&s, &flipped, (uint8_t *)to, &first), 2,
	       "two elements are undefined");
	is_int(first, 2, "the first of them, row-major");
	ok(to[0] == 1 && to[1] == 4 && to[2] == 2 && to[5] == 6, "the elements are packed");
	flipped.shape[0] = 0;
	is_int((long long)gk_strided_pack(&s, &flipped, (uint8_t *)to, &first), 0, "an empty view is fine");
}

static void sums_are_of_what_is_defined(void)
{
	float from[6] = {1, 2, 3, 4, 5, 6}, to[3] = {0};
	uint8_t undef_from[24] = {0}, undef_to[12];
	struct gk_plan_step step = {.op = GK_STEP_ASSIST, .dims = 1, .src = view(GK_F32, 0, 2, 3, 3, 1)};
	struct gk_memory_span s = {(uint8_t *)from, undef_from}, t = {(uint8_t *)to, undef_to};
	struct gk_plan_view folded;

	gk_assist_split(&step, &step.dst, &folded);
	memset(undef_to, 1, sizeof undef_to);
	undef_from[17] = 1; /* of the fifth element */
	gk_strided_assist(&t, &s, &step);
	ok(to[0] == 5 && to[2] == 9, "columns are summed up");
	ok(!undef_to[0] && undef_to[4] && undef_to[7] && !undef_to[8], "with an undefined element a sum is undefined");
	step.src.shape[0] = 0;
	gk_strided_assist(&t, &s, &step);
	ok(to[0] == 0 && to[1] == 0 && !undef_to[4], "a sum of nothing is 0, and defined");
}

/* One more than 2^24 is 2^24 in float32: a sum in one long chain would stand still there. */
static void long_sums_go_by_blocks(void)
{
	enum { COUNT = 100000 };
	float *from = gk_alloc_array(COUNT, sizeof *from), first = 0x1p24f, to = 0;
	struct gk_plan_step step = {.op = GK_STEP_ASSIST, .dims = 3, .src = view(GK_F32, 0, 100, 1000, 1000, 1)};
	struct gk_memory_span s = {(uint8_t *)from, NULL}, t = {(uint8_t *)&to, NULL};

	for (int i = 0; i < COUNT; i++)
		from[i] = i ? 1 : first;
	step.dst = (struct gk_plan_view){.dtype = GK_F32};
	gk_strided_assist(&t, &s, &step);
	near(to, 0x1p24 + COUNT, 300, "a long sum loses no more than its first block");
	free(from);
}

static void scalars_have_one_element(void)
{
	double value = 3, copy = 0;
	struct gk_plan_view scalar = {.dtype = GK_F64};
	struct gk_memory_span s = {(uint8_t *)&value, NULL}, t = {(uint8_t *)&copy, NULL};

	gk_strided_copy(&t, &scalar, &s, &scalar);
	near(copy, 3, 0, "rank 0 is one element");
}

int main(void)
{
	fills_touch_only_the_view();
	ramps_count_in_row_major_order();
	copies_cast_and_carry_what_is_undefined();
	copies_broadcast_and_transpose();
	packing_counts_what_was_never_written();
	sums_are_of_what_is_defined();
	long_sums_go_by_blocks();
	scalars_have_one_element();
	return done_testing();
}
