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
#define BINARY(name, type, expression) VM_BINARY(static, name, type, expression)
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

/* Names of libm, of one and of two operands; and what is made here, of one (others) or two (operators). */
#define UNARY_NAMES(X)                                                                               \
	X(acos) X(acosh) X(asin) X(asinh) X(atan) X(atanh) X(cbrt) X(ceil) X(cos) X(cosh) X(erf) X(erfc)    \
	X(exp) X(exp2) X(expm1) X(fabs) X(floor) X(j0) X(j1) X(lgamma) X(log) X(log10) X(log1p) X(log2)     \
	X(logb) X(rint) X(round) X(sin) X(sinh) X(sqrt) X(tan) X(tanh) X(tgamma) X(trunc)
#define BINARY_NAMES(X)                                                                              \
	X(atan2) X(copysign) X(fdim) X(fmax) X(fmin) X(fmod) X(hypot) X(nextafter) X(pow) X(remainder)
#define OTHER_NAMES(X)                                                                               \
	X(rsqrt) X(rcbrt) X(exp10) X(erfcx) X(normcdf) X(cospi) X(sinpi) X(rcp) X(saturate)
#define OPERATOR_NAMES(X)                                                                            \
	X(add) X(sub) X(mul) X(divide)

UNARY_NAMES(LIBM_1)
BINARY_NAMES(LIBM_2)
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
#define ENTRY_1(name) {#name, 1, name##_loop_f32, name##_loop_f64},
#define ENTRY_2(name) {#name, 2, name##_loop_f32, name##_loop_f64},
	static const struct {
		const char *name;
		uint32_t operands;
		vm_loop_fn *f32, *f64;
	} entries[] = {UNARY_NAMES(ENTRY_1) OTHER_NAMES(ENTRY_1) BINARY_NAMES(ENTRY_2) OPERATOR_NAMES(ENTRY_2)};

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
