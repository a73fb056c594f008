/* Conversions between kinds of elements. */
#include "machine.h"

#include <math.h>

#include "base/memory.h"

#define CAST(name, to, from, expression)                                                                     \
	VM_LOOP void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                \
	{                                                                                                    \
		to *d = dst;                                                                                 \
		const from *p = a;                                                                           \
                                                                                                             \
		(void)b, (void)c;                                                                            \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			from x = p[i];                                                                       \
                                                                                                             \
			d[i] = (to)(expression);                                                             \
		}                                                                                            \
	}

/* Integers: from i1 (held 0 or 1) and the four widths to the four widths. */
#define TO_WIDTHS(name, from, sign, expression)                                                              \
	CAST(name##_8, sign##8_t, from, expression)                                                          \
	CAST(name##_16, sign##16_t, from, expression)                                                        \
	CAST(name##_32, sign##32_t, from, expression)                                                        \
	CAST(name##_64, sign##64_t, from, expression)
TO_WIDTHS(sext_1, uint8_t, int, -(int)x)
TO_WIDTHS(sext_8, int8_t, int, x)
TO_WIDTHS(sext_16, int16_t, int, x)
TO_WIDTHS(sext_32, int32_t, int, x)
TO_WIDTHS(sext_64, int64_t, int, x)
TO_WIDTHS(zext_1, uint8_t, uint, x)
TO_WIDTHS(zext_8, uint8_t, uint, x)
TO_WIDTHS(zext_16, uint16_t, uint, x)
TO_WIDTHS(zext_32, uint32_t, uint, x)
TO_WIDTHS(zext_64, uint64_t, uint, x)
CAST(bit_8, uint8_t, uint8_t, x & 1)
CAST(bit_16, uint8_t, uint16_t, x & 1)
CAST(bit_32, uint8_t, uint32_t, x & 1)
CAST(bit_64, uint8_t, uint64_t, x & 1)

#define INT_ROW(name) {NULL, name##_8, name##_16, name##_32, name##_64}
static vm_loop_fn *const sign_extend[5][5] = {
	INT_ROW(sext_1), INT_ROW(sext_8), INT_ROW(sext_16), INT_ROW(sext_32), INT_ROW(sext_64),
};
static vm_loop_fn *const zero_extend[5][5] = {
	INT_ROW(zext_1), INT_ROW(zext_8), INT_ROW(zext_16), INT_ROW(zext_32), INT_ROW(zext_64),
};
static vm_loop_fn *const to_bit[5] = {NULL, bit_8, bit_16, bit_32, bit_64};

#define TO_FLOATS(name, from, expression)                                                                    \
	CAST(name##_f32, float, from, expression)                                                            \
	CAST(name##_f64, double, from, expression)
TO_FLOATS(s_1, uint8_t, -(int)x)
TO_FLOATS(s_8, int8_t, x)
TO_FLOATS(s_16, int16_t, x)
TO_FLOATS(s_32, int32_t, x)
TO_FLOATS(s_64, int64_t, x)
TO_FLOATS(u_1, uint8_t, x)
TO_FLOATS(u_8, uint8_t, x)
TO_FLOATS(u_16, uint16_t, x)
TO_FLOATS(u_32, uint32_t, x)
TO_FLOATS(u_64, uint64_t, x)
#define FLOAT_ROW(name) {name##_f32, name##_f64}
static vm_loop_fn *const signed_to_float[5][2] = {
	FLOAT_ROW(s_1), FLOAT_ROW(s_8), FLOAT_ROW(s_16), FLOAT_ROW(s_32), FLOAT_ROW(s_64),
};
static vm_loop_fn *const unsigned_to_float[5][2] = {
	FLOAT_ROW(u_1), FLOAT_ROW(u_8), FLOAT_ROW(u_16), FLOAT_ROW(u_32), FLOAT_ROW(u_64),
};

/*
 * Floats to integers: toward zero; what does not fit becomes the nearest that does, NaN 0, as GPUs
 * do it. A float bound of one more than the largest is exact where the largest is not.
 */
#define SATURATED(type, least, largest, above) (x != x ? 0 : x <= (least) ? (least) : x >= (above) ? (largest) : (type)x)
#define FROM_FLOATS(name, type, least, largest, above)                                                       \
	CAST(name##_f32, type, float, SATURATED(type, least, largest, (float)(above)))                       \
	CAST(name##_f64, type, double, SATURATED(type, least, largest, (double)(above)))
FROM_FLOATS(to_s_8, int8_t, INT8_MIN, INT8_MAX, 128)
FROM_FLOATS(to_s_16, int16_t, INT16_MIN, INT16_MAX, 32768)
FROM_FLOATS(to_s_32, int32_t, INT32_MIN, INT32_MAX, 0x1p31)
FROM_FLOATS(to_s_64, int64_t, INT64_MIN, INT64_MAX, 0x1p63)
FROM_FLOATS(to_u_8, uint8_t, 0, UINT8_MAX, 256)
FROM_FLOATS(to_u_16, uint16_t, 0, UINT16_MAX, 65536)
FROM_FLOATS(to_u_32, uint32_t, 0, UINT32_MAX, 0x1p32)
FROM_FLOATS(to_u_64, uint64_t, 0, UINT64_MAX, 0x1p64)
CAST(to_bit_f32, uint8_t, float, x != 0)
CAST(to_bit_f64, uint8_t, double, x != 0)
static vm_loop_fn *const to_signed[5][2] = {
	{to_bit_f32, to_bit_f64}, FLOAT_ROW(to_s_8), FLOAT_ROW(to_s_16), FLOAT_ROW(to_s_32), FLOAT_ROW(to_s_64),
};
static vm_loop_fn *const to_unsigned[5][2] = {
	{to_bit_f32, to_bit_f64}, FLOAT_ROW(to_u_8), FLOAT_ROW(to_u_16), FLOAT_ROW(to_u_32), FLOAT_ROW(to_u_64),
};

CAST(float_to_float, float, float, x)
CAST(float_to_double, double, float, x)
CAST(double_to_float, float, double, x)
CAST(double_to_double, double, double, x)

static vm_loop_fn *between_floats(enum gk_ir_kind from, enum gk_ir_kind to)
{
	if (from == GK_IR_F64)
		return to == GK_IR_F64 ? double_to_double : double_to_float;
	return to == GK_IR_F64 ? float_to_double : float_to_float;
}

static vm_loop_fn *between_ints(vm_loop_fn *const rows[5][5], int from, int to)
{
	/* From bit to bit nothing changes: zero_extend to a byte. */
	if (to == 0)
		return from ? to_bit[from] : zext_1_8;
	return rows[from][to];
}

vm_loop_fn *vm_cast_loop(enum gk_ir_code code, enum gk_ir_kind from, enum gk_ir_kind to)
{
	int f = (int)from - (int)GK_IR_I1, t = (int)to - (int)GK_IR_I1;
	bool from_int = f >= 0 && f < 5, to_int = t >= 0 && t < 5;
	bool from_float = gk_ir_kind_is_float(from), to_float = gk_ir_kind_is_float(to);

	switch (code) {
	case GK_IR_ARITH_EXTSI:
	case GK_IR_ARITH_INDEX_CAST:
		return from_int && to_int ? between_ints(sign_extend, f, t) : NULL;
	case GK_IR_ARITH_EXTUI:
	case GK_IR_ARITH_INDEX_CASTUI:
	case GK_IR_ARITH_TRUNCI:
		return from_int && to_int ? between_ints(zero_extend, f, t) : NULL;
	case GK_IR_ARITH_SITOFP:
		return from_int && to_float ? signed_to_float[f][to == GK_IR_F64] : NULL;
	case GK_IR_ARITH_UITOFP:
		return from_int && to_float ? unsigned_to_float[f][to == GK_IR_F64] : NULL;
	case GK_IR_ARITH_FPTOSI:
		return from_float && to_int ? to_signed[t][from == GK_IR_F64] : NULL;
	case GK_IR_ARITH_FPTOUI:
		return from_float && to_int ? to_unsigned[t][from == GK_IR_F64] : NULL;
	case GK_IR_ARITH_EXTF:
	case GK_IR_ARITH_TRUNCF:
	case GK_IR_TT_FP_TO_FP:
		return from_float && to_float ? between_floats(from, to) : NULL;
	default:
		return NULL;
	}
}

/* The same bits under another kind: through the form that they have in memory. */
int vm_run_bitcast(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *dst = &t->regs[op->dst];
	const uint8_t *src = t->regs[op->src[0]].data;
	uint64_t chunk[64];
	uint32_t from = vm_held_bytes(op->from), to = vm_held_bytes(op->kind);

	for (uint32_t i = 0; i < n; i += 64) {
		uint32_t count = n - i < 64 ? n - i : 64;

		vm_narrow(op->from, chunk, src + (size_t)i * from, count);
		vm_widen(op->kind, (uint8_t *)dst->data + (size_t)i * to, chunk, count);
	}
	vm_flow(t, op, n);
	return VM_GO;
}

static double lane_value(const struct vm_op *op, const void *data, uint32_t i)
{
	switch (op->from) {
	case GK_IR_F64:
		return ((const double *)data)[i];
	case GK_IR_I32:
		return op->code == GK_IR_ARITH_UITOFP ? (double)((const uint32_t *)data)[i]
		                                      : (double)((const int32_t *)data)[i];
	case GK_IR_I64:
		return op->code == GK_IR_ARITH_UITOFP ? (double)((const uint64_t *)data)[i]
		                                      : (double)((const int64_t *)data)[i];
	default:
		return (double)((const float *)data)[i];
	}
}

/* The nearest of the format that is no farther from zero: one less in the bits, where rounding went away from it. */
static float toward_zero(enum gk_ir_kind kind, double value)
{
	float near = vm_round_double(kind, value);
	enum gk_dtype format = gk_ir_kind_dtype(kind);
	uint16_t bits = 0;

	if (isnan(near) && !isnan(value))
		return (float)copysign(gk_dtype_max(format), value);
	if (isnan(value) || fabs((double)near) <= fabs(value))
		return near;
	if (kind == GK_IR_F32)
		return nextafterf(near, 0);
	gk_dtype_store(format, &bits, (double)near);
	bits--;
	return (float)gk_dtype_load(format, &bits);
}

int vm_run_round_cast(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const void *src = t->regs[op->src[0]].data;
	float *dst = t->regs[op->dst].data;

	for (uint32_t i = 0; i < n; i++) {
		double value = lane_value(op, src, i);

		dst[i] = op->imm ? toward_zero(op->kind, value) : vm_round_double(op->kind, value);
	}
	vm_flow(t, op, n);
	return VM_GO;
}
