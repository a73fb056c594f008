/* Functions of libm, by operation and by the names under which device libraries have them. */
#include <math.h>

#include "machine.h"

#include "base/memory.h"

#define UNARY(name, type, expression)                                                                        \
	static void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                 \
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
#define BINARY(name, type, expression)                                                                       \
	static void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                 \
	{                                                                                                    \
		type *d = dst;                                                                               \
		const type *p = a, *q = b;                                                                   \
                                                                                                             \
		(void)c;                                                                                     \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i], y = q[i];                                                             \
                                                                                                             \
			d[i] = (expression);                                                                 \
		}                                                                                            \
	}
#define LIBM_1(name)                                                                                         \
	UNARY(name##_loop_f32, float, name##f(x))                                                            \
	UNARY(name##_loop_f64, double, name(x))
#define LIBM_2(name)                                                                                         \
	BINARY(name##_loop_f32, float, name##f(x, y))                                                        \
	BINARY(name##_loop_f64, double, name(x, y))
/* What f32 cannot say exactly is computed in f64 and rounded. */
#define OF_DOUBLE(name, expression)                                                                          \
	UNARY(name##_loop_f32, float, (float)(expression))                                                   \
	UNARY(name##_loop_f64, double, (expression))

LIBM_1(acos)
LIBM_1(acosh)
LIBM_1(asin)
LIBM_1(asinh)
LIBM_1(atan)
LIBM_1(atanh)
LIBM_1(cbrt)
LIBM_1(ceil)
LIBM_1(cos)
LIBM_1(cosh)
LIBM_1(erf)
LIBM_1(erfc)
LIBM_1(exp)
LIBM_1(exp2)
LIBM_1(expm1)
LIBM_1(fabs)
LIBM_1(floor)
LIBM_1(j0)
LIBM_1(j1)
LIBM_1(lgamma)
LIBM_1(log)
LIBM_1(log10)
LIBM_1(log1p)
LIBM_1(log2)
LIBM_1(logb)
LIBM_1(rint)
LIBM_1(round)
LIBM_1(sin)
LIBM_1(sinh)
LIBM_1(sqrt)
LIBM_1(tan)
LIBM_1(tanh)
LIBM_1(tgamma)
LIBM_1(trunc)
LIBM_2(atan2)
LIBM_2(copysign)
LIBM_2(fdim)
LIBM_2(fmax)
LIBM_2(fmin)
LIBM_2(fmod)
LIBM_2(hypot)
LIBM_2(nextafter)
LIBM_2(pow)
LIBM_2(remainder)
OF_DOUBLE(rsqrt, 1.0 / sqrt((double)x))
OF_DOUBLE(rcbrt, 1.0 / cbrt((double)x))
OF_DOUBLE(exp10, pow(10.0, (double)x))
OF_DOUBLE(erfcx, exp((double)x *(double)x) * erfc((double)x))
OF_DOUBLE(normcdf, 0.5 * erfc(-(double)x * M_SQRT1_2))
OF_DOUBLE(cospi, cos(M_PI * fmod((double)x, 2.0)))
OF_DOUBLE(sinpi, sin(M_PI * fmod((double)x, 2.0)))
OF_DOUBLE(rcp, 1.0 / (double)x)
OF_DOUBLE(saturate, x != x ? 0.0 : fmin(fmax((double)x, 0.0), 1.0))
BINARY(divide_loop_f32, float, x / y)
BINARY(divide_loop_f64, double, x / y)
BINARY(mul_loop_f32, float, x *y)
BINARY(mul_loop_f64, double, x *y)
BINARY(add_loop_f32, float, x + y)
BINARY(add_loop_f64, double, x + y)
BINARY(sub_loop_f32, float, x - y)
BINARY(sub_loop_f64, double, x - y)

vm_loop_fn *vm_libm_loop(const char *name, uint32_t operands, enum gk_ir_kind kind)
{
#define ENTRY(name, operands) {#name, operands, name##_loop_f32, name##_loop_f64}
	static const struct {
		const char *name;
		uint32_t operands;
		vm_loop_fn *f32, *f64;
	} entries[] = {
		ENTRY(acos, 1), ENTRY(acosh, 1), ENTRY(asin, 1), ENTRY(asinh, 1), ENTRY(atan, 1), ENTRY(atanh, 1),
		ENTRY(cbrt, 1), ENTRY(ceil, 1), ENTRY(cos, 1), ENTRY(cosh, 1), ENTRY(cospi, 1), ENTRY(erf, 1),
		ENTRY(erfc, 1), ENTRY(erfcx, 1), ENTRY(exp, 1), ENTRY(exp10, 1), ENTRY(exp2, 1), ENTRY(expm1, 1),
		ENTRY(fabs, 1), ENTRY(floor, 1), ENTRY(j0, 1), ENTRY(j1, 1), ENTRY(lgamma, 1), ENTRY(log, 1),
		ENTRY(log10, 1), ENTRY(log1p, 1), ENTRY(log2, 1), ENTRY(logb, 1), ENTRY(normcdf, 1), ENTRY(rcbrt, 1),
		ENTRY(rcp, 1), ENTRY(rint, 1), ENTRY(round, 1), ENTRY(rsqrt, 1), ENTRY(saturate, 1), ENTRY(sin, 1),
		ENTRY(sinh, 1), ENTRY(sinpi, 1), ENTRY(sqrt, 1), ENTRY(tan, 1), ENTRY(tanh, 1), ENTRY(tgamma, 1),
		ENTRY(trunc, 1), ENTRY(atan2, 2), ENTRY(copysign, 2), ENTRY(fdim, 2), ENTRY(fmax, 2), ENTRY(fmin, 2),
		ENTRY(fmod, 2), ENTRY(hypot, 2), ENTRY(nextafter, 2), ENTRY(pow, 2), ENTRY(remainder, 2),
		ENTRY(add, 2), ENTRY(sub, 2), ENTRY(mul, 2), ENTRY(divide, 2),
	};

	for (size_t i = 0; i < gk_count_of(entries); i++)
		if (!strcmp(entries[i].name, name) && entries[i].operands == operands)
			return kind == GK_IR_F64 ? entries[i].f64 : entries[i].f32;
	return NULL;
}

/* "math.exp" is exp of libm; where the names differ, the table says so. */
vm_loop_fn *vm_math_loop(enum gk_ir_code code, enum gk_ir_kind kind)
{
	static const struct {
		uint16_t code;
		uint16_t operands;
		const char *name;
	} others[] = {
		{GK_IR_MATH_ROUNDEVEN, 1, "rint"},
		{GK_IR_MATH_POWF, 2, "pow"},
		{GK_IR_TT_PRECISE_SQRT, 1, "sqrt"},
		{GK_IR_MATH_ATAN2, 2, "atan2"},
		{GK_IR_MATH_COPYSIGN, 2, "copysign"},
	};
	const char *name = gk_ir_ops[code].name;

	for (size_t i = 0; i < gk_count_of(others); i++)
		if (others[i].code == code)
			return vm_libm_loop(others[i].name, others[i].operands, kind);
	return strncmp(name, "math.", 5) ? NULL : vm_libm_loop(name + 5, 1, kind);
}
