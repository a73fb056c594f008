/*
 * Integer loops. Arithmetic is unsigned and wraps at the width; i1 is held as
 * 0 or 1 and is -1 where it is read as signed. Divisions of which there is no result give 0 here, and the
 * lane is marked by the loops named bad.
 */
#include "machine.h"

#include "base/memory.h"

/* name, type of the lanes, type in which it is computed, expression over x and y */
#define BINARY(name, type, wide, expression)                                                                 \
	VM_LOOP void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                \
	{                                                                                                    \
		type *d = dst;                                                                               \
		const type *p = a, *q = b;                                                                   \
                                                                                                             \
		(void)c;                                                                                     \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			wide x = p[i], y = q[i];                                                             \
                                                                                                             \
			d[i] = (type)(expression);                                                           \
		}                                                                                            \
	}
#define UNARY(name, type, wide, expression)                                                                  \
	VM_LOOP void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                \
	{                                                                                                    \
		type *d = dst;                                                                               \
		const type *p = a;                                                                           \
                                                                                                             \
		(void)b, (void)c;                                                                            \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			wide x = p[i];                                                                       \
                                                                                                             \
			d[i] = (type)(expression);                                                           \
		}                                                                                            \
	}
#define BINARY_UNSIGNED(name, expression)                                                                    \
	BINARY(name##_1, uint8_t, uint32_t, (expression) & 1)                                                \
	BINARY(name##_8, uint8_t, uint32_t, expression)                                                      \
	BINARY(name##_16, uint16_t, uint32_t, expression)                                                    \
	BINARY(name##_32, uint32_t, uint32_t, expression)                                                    \
	BINARY(name##_64, uint64_t, uint64_t, expression)
#define BINARY_SIGNED(name, expression)                                                                      \
	BINARY(name##_8, int8_t, int32_t, expression)                                                        \
	BINARY(name##_16, int16_t, int32_t, expression)                                                      \
	BINARY(name##_32, int32_t, int32_t, expression)                                                      \
	BINARY(name##_64, int64_t, int64_t, expression)

BINARY_UNSIGNED(add, x + y)
BINARY_UNSIGNED(sub, x - y)
BINARY_UNSIGNED(mul, x *y)
BINARY_UNSIGNED(and, x &y)
BINARY_UNSIGNED(or, x | y)
BINARY_UNSIGNED(xor, x ^ y)
BINARY_UNSIGNED(min_u, x < y ? x : y)
BINARY_UNSIGNED(max_u, x > y ? x : y)
BINARY_UNSIGNED(div_u, y ? x / y : 0)
BINARY_UNSIGNED(rem_u, y ? x % y : 0)
BINARY_UNSIGNED(ceil_u, y ? x / y + (x % y != 0) : 0)
BINARY_SIGNED(min_s, x < y ? x : y)
BINARY_SIGNED(max_s, x > y ? x : y)
/* -x for a divisor of -1, wrapped, keeps the processor from trapping on the least integer. */
#define NEGATED(x) ((sizeof(x) == 8) ? (int64_t)(0 - (uint64_t)(x)) : (int64_t)(int32_t)(0 - (uint32_t)(x)))
#define QUOTIENT   (y == 0 ? 0 : y == -1 ? NEGATED(x) : x / y)
#define REMAINDER  (y == 0 || y == -1 ? 0 : x % y)
#define IS_UNEVEN  (REMAINDER != 0)
BINARY(div_s_8, int8_t, int32_t, QUOTIENT)
BINARY(div_s_16, int16_t, int32_t, QUOTIENT)
BINARY(div_s_64, int64_t, int64_t, QUOTIENT)
BINARY(rem_s_8, int8_t, int32_t, REMAINDER)
BINARY(rem_s_16, int16_t, int32_t, REMAINDER)
BINARY(rem_s_64, int64_t, int64_t, REMAINDER)
BINARY_SIGNED(ceil_s, QUOTIENT + (IS_UNEVEN && (x < 0) == (y < 0)))
BINARY_SIGNED(floor_s, QUOTIENT - (IS_UNEVEN && (x < 0) != (y < 0)))

/* 53 bits hold every quotient of 32-bit integers apart from its neighbours, and double divides in vectors. */
static inline int32_t quotient_32(int32_t x, int32_t y)
{
	double q = (double)x / (double)(y ? y : 1);

	return y == -1 ? (int32_t)(0 - (uint32_t)x) : y ? (int32_t)q : 0;
}
BINARY(div_s_32, int32_t, int32_t, quotient_32(x, y))
BINARY(rem_s_32, int32_t, int32_t, y == 0 || y == -1 ? 0 : x - quotient_32(x, y) * y)

/* A shift by the width or more has no result: marked below. */
BINARY(shl_8, uint8_t, uint32_t, y < 8 ? x << y : 0)
BINARY(shl_16, uint16_t, uint32_t, y < 16 ? x << y : 0)
BINARY(shl_32, uint32_t, uint32_t, y < 32 ? x << (y & 31) : 0)
BINARY(shl_64, uint64_t, uint64_t, y < 64 ? x << (y & 63) : 0)
BINARY(shr_u_8, uint8_t, uint32_t, y < 8 ? x >> y : 0)
BINARY(shr_u_16, uint16_t, uint32_t, y < 16 ? x >> y : 0)
BINARY(shr_u_32, uint32_t, uint32_t, y < 32 ? x >> (y & 31) : 0)
BINARY(shr_u_64, uint64_t, uint64_t, y < 64 ? x >> (y & 63) : 0)
BINARY(shr_s_8, int8_t, int32_t, x >> (y & 7))
BINARY(shr_s_16, int16_t, int32_t, x >> (y & 15))
BINARY(shr_s_32, int32_t, int32_t, x >> (y & 31))
BINARY(shr_s_64, int64_t, int64_t, x >> (y & 63))

BINARY(mulhi_u_32, uint32_t, uint64_t, x *y >> 32)
__extension__ typedef unsigned __int128 wide_u;
__extension__ typedef __int128 wide_s;
BINARY(mulhi_u_64, uint64_t, uint64_t, (wide_u)x *y >> 64)

UNARY(abs_8, int8_t, int32_t, x < 0 ? -x : x)
UNARY(abs_16, int16_t, int32_t, x < 0 ? -x : x)
UNARY(abs_32, uint32_t, uint32_t, x >> 31 ? 0 - x : x)
UNARY(abs_64, uint64_t, uint64_t, x >> 63 ? 0 - x : x)
UNARY(clz_8, uint8_t, uint32_t, x ? __builtin_clz(x) - 24 : 8)
UNARY(clz_16, uint16_t, uint32_t, x ? __builtin_clz(x) - 16 : 16)
UNARY(clz_32, uint32_t, uint32_t, x ? __builtin_clz(x) : 32)
UNARY(clz_64, uint64_t, uint64_t, x ? __builtin_clzll(x) : 64)
UNARY(ctz_8, uint8_t, uint32_t, x ? __builtin_ctz(x) : 8)
UNARY(ctz_16, uint16_t, uint32_t, x ? __builtin_ctz(x) : 16)
UNARY(ctz_32, uint32_t, uint32_t, x ? __builtin_ctz(x) : 32)
UNARY(ctz_64, uint64_t, uint64_t, x ? __builtin_ctzll(x) : 64)
UNARY(pop_8, uint8_t, uint32_t, __builtin_popcount(x))
UNARY(pop_16, uint16_t, uint32_t, __builtin_popcount(x))
UNARY(pop_32, uint32_t, uint32_t, __builtin_popcount(x))
UNARY(pop_64, uint64_t, uint64_t, __builtin_popcountll(x))

struct entry {
	uint16_t code;
	vm_loop_fn *loops[5]; /* i1, i8, i16, i32, i64 */
};

#define WIDTHS(name)    {name##_1, name##_8, name##_16, name##_32, name##_64}
#define NO_BIT(name)    {NULL, name##_8, name##_16, name##_32, name##_64}
/* Of signed bits true is the smaller one. */
#define BIT(bit, name)  {bit##_1, name##_8, name##_16, name##_32, name##_64}

static const struct entry entries[] = {
	{GK_IR_ARITH_ADDI, WIDTHS(add)},
	{GK_IR_ARITH_SUBI, WIDTHS(sub)},
	{GK_IR_ARITH_MULI, WIDTHS(mul)},
	{GK_IR_ARITH_ANDI, WIDTHS(and)},
	{GK_IR_ARITH_ORI, WIDTHS(or)},
	{GK_IR_ARITH_XORI, WIDTHS(xor)},
	{GK_IR_ARITH_MINUI, WIDTHS(min_u)},
	{GK_IR_ARITH_MAXUI, WIDTHS(max_u)},
	{GK_IR_ARITH_MINSI, BIT(max_u, min_s)},
	{GK_IR_ARITH_MAXSI, BIT(min_u, max_s)},
	{GK_IR_ARITH_DIVUI, WIDTHS(div_u)},
	{GK_IR_ARITH_REMUI, WIDTHS(rem_u)},
	{GK_IR_ARITH_CEILDIVUI, WIDTHS(ceil_u)},
	{GK_IR_ARITH_DIVSI, NO_BIT(div_s)},
	{GK_IR_ARITH_REMSI, NO_BIT(rem_s)},
	{GK_IR_ARITH_CEILDIVSI, NO_BIT(ceil_s)},
	{GK_IR_ARITH_FLOORDIVSI, NO_BIT(floor_s)},
	{GK_IR_ARITH_SHLI, NO_BIT(shl)},
	{GK_IR_ARITH_SHRUI, NO_BIT(shr_u)},
	{GK_IR_ARITH_SHRSI, NO_BIT(shr_s)},
	{GK_IR_TT_MULHIUI, {NULL, NULL, NULL, mulhi_u_32, mulhi_u_64}},
	{GK_IR_MATH_ABSI, NO_BIT(abs)},
	{GK_IR_MATH_CTLZ, NO_BIT(clz)},
	{GK_IR_MATH_CTTZ, NO_BIT(ctz)},
	{GK_IR_MATH_CTPOP, NO_BIT(pop)},
};

static int width_index(enum gk_ir_kind kind)
{
	return kind >= GK_IR_I1 && kind <= GK_IR_I64 ? (int)(kind - GK_IR_I1) : -1;
}

vm_loop_fn *vm_int_loop(enum gk_ir_code code, enum gk_ir_kind kind)
{
	int width = width_index(kind);

	for (size_t i = 0; width >= 0 && i < gk_count_of(entries); i++)
		if (entries[i].code == code)
			return entries[i].loops[width];
	return NULL;
}

#define BAD(name, type, expression)                                                                          \
	static bool name(uint8_t *undef, const void *a, const void *b, uint32_t n)                           \
	{                                                                                                    \
		const type *p = a, *q = b;                                                                   \
		unsigned any = 0;                                                                            \
                                                                                                             \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i], y = q[i];                                                             \
			unsigned is_bad = (expression);                                                      \
                                                                                                             \
			(void)x;                                                                             \
			any |= is_bad;                                                                       \
			if (undef)                                                                           \
				undef[i] |= (uint8_t)is_bad;                                                 \
		}                                                                                            \
		return any != 0;                                                                             \
	}
BAD(zero_8, uint8_t, y == 0)
BAD(zero_16, uint16_t, y == 0)
BAD(zero_32, uint32_t, y == 0)
BAD(zero_64, uint64_t, y == 0)
BAD(divide_8, int8_t, (y == 0) | ((y == -1) & (x == INT8_MIN)))
BAD(divide_16, int16_t, (y == 0) | ((y == -1) & (x == INT16_MIN)))
BAD(divide_32, int32_t, (y == 0) | ((y == -1) & (x == INT32_MIN)))
BAD(divide_64, int64_t, (y == 0) | ((y == -1) & (x == INT64_MIN)))
BAD(shift_8, uint8_t, y >= 8)
BAD(shift_16, uint16_t, y >= 16)
BAD(shift_32, uint32_t, y >= 32)
BAD(shift_64, uint64_t, y >= 64)

vm_bad_fn *vm_int_bad(enum gk_ir_code code, enum gk_ir_kind kind)
{
	static vm_bad_fn *const by_zero[] = {zero_8, zero_8, zero_16, zero_32, zero_64};
	static vm_bad_fn *const divide[] = {zero_8, divide_8, divide_16, divide_32, divide_64};
	static vm_bad_fn *const shift[] = {NULL, shift_8, shift_16, shift_32, shift_64};
	int width = width_index(kind);

	if (width < 0)
		return NULL;
	switch (code) {
	case GK_IR_ARITH_DIVUI:
	case GK_IR_ARITH_REMUI:
	case GK_IR_ARITH_CEILDIVUI:
		return by_zero[width];
	case GK_IR_ARITH_DIVSI:
	case GK_IR_ARITH_REMSI:
	case GK_IR_ARITH_CEILDIVSI:
	case GK_IR_ARITH_FLOORDIVSI:
		return divide[width];
	case GK_IR_ARITH_SHLI:
	case GK_IR_ARITH_SHRUI:
	case GK_IR_ARITH_SHRSI:
		return shift[width];
	default:
		return NULL;
	}
}
