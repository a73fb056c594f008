/*
 * tt.extern_elementwise: the symbols of CUDA's libdevice (__nv_expf, __nv_exp,
 * __nv_fast_expf, __nv_fdiv_rn) and of ROCm's ocml (__ocml_exp_f32) by the names libm has for them.
 */
#include <math.h>

#include "machine.h"

#include "base/memory.h"
#include "base/text.h"

#define TO(to, name, type, expression)                                                                       \
	static void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                 \
	{                                                                                                    \
		to *d = dst;                                                                                 \
		const type *p = a;                                                                           \
                                                                                                             \
		(void)b, (void)c;                                                                            \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i];                                                                       \
                                                                                                             \
			d[i] = (expression);                                                                 \
		}                                                                                            \
	}
#define TO_INT(name, type, expression) TO(int32_t, name, type, expression)
TO_INT(isnan_f32, float, x != x)
TO_INT(isnan_f64, double, x != x)
TO_INT(isinf_f32, float, isinf(x) != 0)
TO_INT(isinf_f64, double, isinf(x) != 0)
TO_INT(finite_f32, float, isfinite(x) != 0)
TO_INT(finite_f64, double, isfinite(x) != 0)
TO_INT(signbit_f32, float, signbit(x) != 0)
TO_INT(signbit_f64, double, signbit(x) != 0)
TO_INT(popc_i32, uint32_t, __builtin_popcount(x))
TO_INT(clz_i32, uint32_t, x ? __builtin_clz(x) : 32)
TO_INT(ffs_i32, uint32_t, x ? __builtin_ctz(x) + 1 : 0)
TO_INT(abs_i32, uint32_t, (int32_t)(x >> 31 ? 0 - x : x))

/* Beyond the range: the nearest end; NaN gives 0. */
static int64_t whole(double x, double least, double greatest)
{
	if (x != x)
		return 0;
	if (x >= greatest)
		return greatest < 0x1p63 ? (int64_t)greatest : INT64_MAX;
	return x <= least ? (int64_t)least : (int64_t)x;
}
#define WHOLE_32(x) ((int32_t)whole(x, -0x1p31, 0x1p31 - 1))
#define WHOLE_64(x) whole(x, -0x1p63, 0x1p63)
TO(int64_t, llrint_f32, float, WHOLE_64(rint((double)x)))
TO(int64_t, llrint_f64, double, WHOLE_64(rint(x)))
TO(int64_t, llround_f32, float, WHOLE_64(round((double)x)))
TO(int64_t, llround_f64, double, WHOLE_64(round(x)))
TO_INT(int_nearest_f32, float, WHOLE_32(rint((double)x)))
TO_INT(int_nearest_f64, double, WHOLE_32(rint(x)))
TO_INT(int_down_f32, float, WHOLE_32(floor((double)x)))
TO_INT(int_up_f32, float, WHOLE_32(ceil((double)x)))
TO_INT(int_zero_f32, float, WHOLE_32(trunc((double)x)))

#define BY_INT(name, type, expression)                                                                       \
	static void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                 \
	{                                                                                                    \
		type *d = dst;                                                                               \
		const type *p = a;                                                                           \
		const int32_t *q = b;                                                                        \
                                                                                                             \
		(void)c;                                                                                     \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i];                                                                       \
			int32_t y = q[i];                                                                    \
                                                                                                             \
			d[i] = (expression);                                                                 \
		}                                                                                            \
	}
BY_INT(ldexp_f32, float, ldexpf(x, y))
BY_INT(ldexp_f64, double, ldexp(x, y))
BY_INT(powi_f32, float, (float)pow((double)x, (double)y))
BY_INT(powi_f64, double, pow(x, (double)y))

struct odd { /* those that mix kinds */
	const char *name;
	uint8_t kinds[3];
	vm_loop_fn *loop;
};

static const struct odd odds[] = {
	{"isnan", {GK_IR_I32, GK_IR_F32}, isnan_f32},      {"isnan", {GK_IR_I32, GK_IR_F64}, isnan_f64},
	{"isinf", {GK_IR_I32, GK_IR_F32}, isinf_f32},      {"isinf", {GK_IR_I32, GK_IR_F64}, isinf_f64},
	{"finite", {GK_IR_I32, GK_IR_F32}, finite_f32},    {"finite", {GK_IR_I32, GK_IR_F64}, finite_f64},
	{"isfinite", {GK_IR_I32, GK_IR_F32}, finite_f32},  {"isfinite", {GK_IR_I32, GK_IR_F64}, finite_f64},
	{"signbit", {GK_IR_I32, GK_IR_F32}, signbit_f32},  {"signbit", {GK_IR_I32, GK_IR_F64}, signbit_f64},
	{"popc", {GK_IR_I32, GK_IR_I32}, popc_i32},        {"clz", {GK_IR_I32, GK_IR_I32}, clz_i32},
	{"ffs", {GK_IR_I32, GK_IR_I32}, ffs_i32},          {"abs", {GK_IR_I32, GK_IR_I32}, abs_i32},
	{"llrint", {GK_IR_I64, GK_IR_F32}, llrint_f32},    {"llrint", {GK_IR_I64, GK_IR_F64}, llrint_f64},
	{"llround", {GK_IR_I64, GK_IR_F32}, llround_f32},  {"llround", {GK_IR_I64, GK_IR_F64}, llround_f64},
	{"float2int_rn", {GK_IR_I32, GK_IR_F32}, int_nearest_f32},
	{"float2int_rd", {GK_IR_I32, GK_IR_F32}, int_down_f32},
	{"float2int_ru", {GK_IR_I32, GK_IR_F32}, int_up_f32},
	{"float2int_rz", {GK_IR_I32, GK_IR_F32}, int_zero_f32},
	{"double2int_rn", {GK_IR_I32, GK_IR_F64}, int_nearest_f64},
	{"ldexp", {GK_IR_F32, GK_IR_F32, GK_IR_I32}, ldexp_f32},
	{"ldexp", {GK_IR_F64, GK_IR_F64, GK_IR_I32}, ldexp_f64},
	{"powi", {GK_IR_F32, GK_IR_F32, GK_IR_I32}, powi_f32},
	{"pown", {GK_IR_F32, GK_IR_F32, GK_IR_I32}, powi_f32},
	{"powi", {GK_IR_F64, GK_IR_F64, GK_IR_I32}, powi_f64},
	{"pown", {GK_IR_F64, GK_IR_F64, GK_IR_I32}, powi_f64},
};

/* Names that differ from libm's. Directed rounding other than to nearest is not here. */
static const char *const aliases[][2] = {
	{"abs", "fabs"},         {"max", "fmax"},          {"min", "fmin"},          {"nearbyint", "rint"},
	{"div_rn", "divide"},    {"divide", "divide"},     {"mul_rn", "mul"},        {"add_rn", "add"},
	{"sub_rn", "sub"},       {"sqrt_rn", "sqrt"},      {"rcp_rn", "rcp"},        {"rsqrt_rn", "rsqrt"},
	{"native_exp", "exp"},   {"native_log", "log"},    {"native_sin", "sin"},    {"native_cos", "cos"},
	{"native_exp2", "exp2"}, {"native_log2", "log2"},  {"native_sqrt", "sqrt"},  {"native_rsqrt", "rsqrt"},
	{"native_rcp", "rcp"},   {"native_log10", "log10"},
};

static const char *libm_name(const char *name)
{
	for (size_t i = 0; i < gk_count_of(aliases); i++)
		if (!strcmp(aliases[i][0], name))
			return aliases[i][1];
	return name;
}

static vm_loop_fn *odd_loop(const char *name, const enum gk_ir_kind kinds[4])
{
	for (size_t i = 0; i < gk_count_of(odds); i++)
		if (!strcmp(odds[i].name, name) && odds[i].kinds[0] == kinds[0] && odds[i].kinds[1] == kinds[1] &&
		    odds[i].kinds[2] == kinds[2] && kinds[3] == GK_IR_NO_TYPE)
			return odds[i].loop;
	return NULL;
}

static vm_loop_fn *named_loop(const char *name, const enum gk_ir_kind kinds[4])
{
	vm_loop_fn *loop = odd_loop(name, kinds);
	uint32_t operands = 0;

	while (operands < 3 && kinds[operands + 1] != GK_IR_NO_TYPE) {
		if (!loop && kinds[operands + 1] != kinds[0])
			return NULL;
		operands++;
	}
	if (loop || (kinds[0] != GK_IR_F32 && kinds[0] != GK_IR_F64))
		return loop;
	if (operands == 3 && !strcmp(name, "fma"))
		return vm_float_loop(GK_IR_MATH_FMA, kinds[0]);
	return vm_libm_loop(libm_name(name), operands, kinds[0]);
}

/*
 * The type stands before or behind the name (__nv_expf, __nv_isnand, __nv_fdiv_rn,
 * __ocml_exp_f32), and names end in f of their own (erf): the plain reading comes first.
 */
vm_loop_fn *vm_extern_loop(const char *symbol, const enum gk_ir_kind kinds[4])
{
	static const char *const prefixes[] = {"__nv_fast_", "__nv_", "__ocml_"};
	char name[64] = "";
	size_t length;
	vm_loop_fn *loop;

	for (size_t i = 0; !*name && i < gk_count_of(prefixes); i++)
		if (gk_text_starts(symbol, prefixes[i]))
			snprintf(name, sizeof name, "%s", symbol + strlen(prefixes[i]));
	length = strlen(name);
	if (length > 4 && gk_text_starts(symbol, "__ocml_") &&
	    (!strcmp(name + length - 4, "_f32") || !strcmp(name + length - 4, "_f64")))
		name[length -= 4] = 0;
	loop = named_loop(name, kinds);
	if (!loop && length > 1 && (name[length - 1] == 'f' || name[length - 1] == 'd')) {
		name[length - 1] = 0;
		loop = named_loop(name, kinds);
	}
	if (!loop && (*name == 'f' || *name == 'd'))
		loop = named_loop(name + 1, kinds);
	return loop;
}
