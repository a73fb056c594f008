/*
 * Float loops: f32 and f64. Results of smaller formats are rounded afterwards
 * (op->round), which is as good as rounding once. Where f32 itself is short of
 * bits, among the subnormals that it shares with bf16, a product of two bf16 above half of the
 * least one still fits (its 16 bits end at 2^-149), and a quotient keeps 2^-142 away from ties.
 */
#include "machine.h"

#include <math.h>

#include "base/memory.h"

#define BINARY(name, type, expression) VM_BINARY(VM_LOOP, name, type, expression)
#define BOTH(name, expression)                                                                               \
	BINARY(name##_f32, float, expression)                                                                \
	BINARY(name##_f64, double, expression)

BOTH(add, x + y)
BOTH(sub, x - y)
BOTH(mul, x *y)
BOTH(divide, x / y)
/* +0 above -0, NaN from either. */
#define PICKS(type, suffix)                                                                                  \
	static inline type greater_##suffix(type x, type y)                                                  \
	{                                                                                                    \
		type equal = x == y ? (signbit(x) ? y : x) : x + y;                                          \
                                                                                                             \
		return x > y ? x : y > x ? y : equal;                                                        \
	}                                                                                                    \
	static inline type less_##suffix(type x, type y)                                                     \
	{                                                                                                    \
		type equal = x == y ? (signbit(x) ? x : y) : x + y;                                          \
                                                                                                             \
		return x < y ? x : y < x ? y : equal;                                                        \
	}                                                                                                    \
	/* The number where one is NaN. */                                                                   \
	BINARY(max_num_##suffix, type, x != x ? y : y != y ? x : greater_##suffix(x, y))                     \
	BINARY(min_num_##suffix, type, x != x ? y : y != y ? x : less_##suffix(x, y))                        \
	BINARY(max_nan_##suffix, type, greater_##suffix(x, y))                                               \
	BINARY(min_nan_##suffix, type, less_##suffix(x, y))
PICKS(float, f32)
PICKS(double, f64)
BINARY(rem_f32, float, fmodf(x, y))
BINARY(rem_f64, double, fmod(x, y))

#define UNARY(name, type, expression)                                                                        \
	VM_LOOP void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                \
	{                                                                                                    \
		type *d = dst;                                                                               \
		const type *p = a;                                                                           \
                                                                                                             \
		(void)b, (void)c;                                                                            \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i];                                                                       \
                                                                                                             \
			d[i] = (expression);                                                                 \
		}                                                                                            \
	}
UNARY(neg_f32, float, -x)
UNARY(neg_f64, double, -x)
UNARY(abs_f32, float, fabsf(x))
UNARY(abs_f64, double, fabs(x))

#define TERNARY(name, type, expression)                                                                      \
	static void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                 \
	{                                                                                                    \
		type *d = dst;                                                                               \
		const type *p = a, *q = b, *r = c;                                                           \
                                                                                                             \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i], y = q[i], z = r[i];                                                   \
                                                                                                             \
			d[i] = (expression);                                                                 \
		}                                                                                            \
	}
TERNARY(fma_f32, float, fmaf(x, y, z))
TERNARY(fma_f64, double, fma(x, y, z))
/* Of small formats product and sum are exact in f64 or lie far from a tie; rounded once, from there. */
TERNARY(fma_f16, float, vm_round_double(GK_IR_F16, (double)x *y + z))
TERNARY(fma_bf16, float, vm_round_double(GK_IR_BF16, (double)x *y + z))
TERNARY(clamp_f32, float, x != x ? y : fminf(fmaxf(x, y), z))
TERNARY(clamp_f64, double, x != x ? y : fmin(fmax(x, y), z))
TERNARY(clamp_nan_f32, float, x != x ? x : fminf(fmaxf(x, y), z))
TERNARY(clamp_nan_f64, double, x != x ? x : fmin(fmax(x, y), z))

vm_loop_fn *vm_clamp_loop(bool propagates, enum gk_ir_kind kind)
{
	if (kind == GK_IR_F64)
		return propagates ? clamp_nan_f64 : clamp_f64;
	return propagates ? clamp_nan_f32 : clamp_f32;
}

static vm_loop_fn *of_format(enum gk_ir_code code, enum gk_ir_kind kind)
{
	if (kind == GK_IR_F16 && code == GK_IR_MATH_FMA)
		return fma_f16;
	if (kind == GK_IR_BF16 && code == GK_IR_MATH_FMA)
		return fma_bf16;
	return NULL;
}

vm_loop_fn *vm_float_loop(enum gk_ir_code code, enum gk_ir_kind kind)
{
	static const struct {
		uint16_t code;
		vm_loop_fn *f32, *f64;
	} entries[] = {
		{GK_IR_ARITH_ADDF, add_f32, add_f64},
		{GK_IR_ARITH_SUBF, sub_f32, sub_f64},
		{GK_IR_ARITH_MULF, mul_f32, mul_f64},
		{GK_IR_ARITH_DIVF, divide_f32, divide_f64},
		{GK_IR_TT_PRECISE_DIVF, divide_f32, divide_f64},
		{GK_IR_TT_APPROX_DIVF, divide_f32, divide_f64},
		{GK_IR_ARITH_REMF, rem_f32, rem_f64},
		{GK_IR_ARITH_MAXNUMF, max_num_f32, max_num_f64},
		{GK_IR_ARITH_MINNUMF, min_num_f32, min_num_f64},
		{GK_IR_ARITH_MAXIMUMF, max_nan_f32, max_nan_f64},
		{GK_IR_ARITH_MINIMUMF, min_nan_f32, min_nan_f64},
		{GK_IR_ARITH_NEGF, neg_f32, neg_f64},
		{GK_IR_MATH_ABSF, abs_f32, abs_f64},
		{GK_IR_MATH_FMA, fma_f32, fma_f64},
	};
	vm_loop_fn *special = of_format(code, kind);

	for (size_t i = 0; !special && i < gk_count_of(entries); i++)
		if (entries[i].code == code)
			return kind == GK_IR_F64 ? entries[i].f64 : entries[i].f32;
	return special;
}
