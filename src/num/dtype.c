/*
 * Small floats are described by numbers of bits, a bias and a family:
 *
 *   IEEE  the largest exponent holds infinity and NaN; overflow gives infinity
 *   FN    no infinity; all ones is NaN; overflow gives NaN, as torch does
 *   FNUZ  no infinity, no -0; its bits (0x80) are the only NaN; overflow gives NaN, as torch does
 *
 * The code of a positive number counts the representable numbers from 0
 * upward, so that rounding may carry into the exponent by plain addition.
 */
#include "dtype.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum family { IEEE, FN, FNUZ };

struct format {
	int exponent_bits, mantissa_bits, bias;
	enum family family;
};

static const struct format *format_of(enum gk_dtype dtype)
{
	static const struct format formats[GK_DTYPE_COUNT] = {
		[GK_F16] = {5, 10, 15, IEEE},        [GK_BF16] = {8, 7, 127, IEEE},
		[GK_F32] = {8, 23, 127, IEEE},       [GK_F64] = {11, 52, 1023, IEEE},
		[GK_F8E4M3FN] = {4, 3, 7, FN},       [GK_F8E5M2] = {5, 2, 15, IEEE},
		[GK_F8E4M3FNUZ] = {4, 3, 8, FNUZ},   [GK_F8E5M2FNUZ] = {5, 2, 16, FNUZ},
		[GK_F8E4M3B11FNUZ] = {4, 3, 11, FNUZ},
	};

	return dtype > GK_DTYPE_NONE && dtype < GK_DTYPE_COUNT && formats[dtype].mantissa_bits ? &formats[dtype]
	                                                                                        : NULL;
}

const char *const gk_dtype_names[] = {
	"bool",    "int8",     "int16",   "int32",   "int64",         "uint8",       "uint16",          "uint32",
	"uint64",  "float16",  "bfloat16", "float32", "float64",      "float8_e4m3fn", "float8_e5m2",
	"float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e4m3b11fnuz", NULL,
};
_Static_assert(gk_count_of(gk_dtype_names) == GK_DTYPE_COUNT, "one name for each dtype, and NULL");

const char *gk_dtype_name(enum gk_dtype dtype)
{
	return dtype > GK_DTYPE_NONE && dtype < GK_DTYPE_COUNT ? gk_dtype_names[dtype - 1] : NULL;
}

enum gk_dtype gk_dtype_from_name(const char *name)
{
	if (gk_text_starts(name, "torch."))
		name += strlen("torch.");
	for (int i = 0; gk_dtype_names[i]; i++)
		if (strcmp(name, gk_dtype_names[i]) == 0)
			return (enum gk_dtype)(i + 1);
	return GK_DTYPE_NONE;
}

size_t gk_dtype_bytes(enum gk_dtype dtype)
{
	static const uint8_t sizes[GK_DTYPE_COUNT] = {
		[GK_BOOL] = 1,       [GK_I8] = 1,           [GK_I16] = 2,          [GK_I32] = 4,
		[GK_I64] = 8,        [GK_U8] = 1,           [GK_U16] = 2,          [GK_U32] = 4,
		[GK_U64] = 8,        [GK_F16] = 2,          [GK_BF16] = 2,         [GK_F32] = 4,
		[GK_F64] = 8,        [GK_F8E4M3FN] = 1,     [GK_F8E5M2] = 1,       [GK_F8E4M3FNUZ] = 1,
		[GK_F8E5M2FNUZ] = 1, [GK_F8E4M3B11FNUZ] = 1,
	};

	return (unsigned)dtype < GK_DTYPE_COUNT ? sizes[dtype] : 0;
}

bool gk_dtype_is_float(enum gk_dtype dtype)
{
	return format_of(dtype) != NULL;
}

bool gk_dtype_is_signed(enum gk_dtype dtype)
{
	return gk_dtype_is_float(dtype) || (dtype >= GK_I8 && dtype <= GK_I64);
}

int gk_dtype_precision(enum gk_dtype dtype)
{
	const struct format *f = format_of(dtype);

	return f ? f->mantissa_bits + 1 : 0;
}

double gk_dtype_epsilon(enum gk_dtype dtype)
{
	const struct format *f = format_of(dtype);

	return f ? ldexp(1, -f->mantissa_bits) : 0;
}

/* The code of the largest finite number. */
static uint32_t largest_code(const struct format *f)
{
	uint32_t all = (1U << (f->exponent_bits + f->mantissa_bits)) - 1;

	if (f->family == IEEE)
		return all - (1U << f->mantissa_bits);
	return f->family == FN ? all - 1 : all;
}

static int smallest_exponent(const struct format *f)
{
	return 1 - f->bias;
}

/* The value of a positive finite code. */
static double value_of_code(const struct format *f, uint32_t code)
{
	uint32_t mantissa = code & ((1U << f->mantissa_bits) - 1);
	int exponent = (int)(code >> f->mantissa_bits);

	if (exponent)
		return ldexp(mantissa + (1U << f->mantissa_bits), exponent - f->bias - f->mantissa_bits);
	return ldexp(mantissa, smallest_exponent(f) - f->mantissa_bits);
}

double gk_dtype_max(enum gk_dtype dtype)
{
	const struct format *f = format_of(dtype);
	int bits = 8 * (int)gk_dtype_bytes(dtype);

	if (dtype == GK_F64)
		return DBL_MAX;
	if (f)
		return value_of_code(f, largest_code(f));
	if (dtype == GK_BOOL)
		return 1;
	return bits ? ldexp(1, gk_dtype_is_signed(dtype) ? bits - 1 : bits) - 1 : 0;
}

/* A positive finite value in steps of the format around it: 2^mantissa_bits and more, less for subnormals. Exact. */
static double steps_of(const struct format *f, double value, int *exponent)
{
	int least = smallest_exponent(f);

	*exponent = value > 0 ? ilogb(value) : least;
	if (*exponent < least)
		*exponent = least;
	return ldexp(value, f->mantissa_bits - *exponent);
}

/* The code of the nearest number, which may lie beyond the largest. */
static uint32_t nearest_code(const struct format *f, double value)
{
	int exponent;
	double steps = steps_of(f, value, &exponent);

	return (uint32_t)nearbyint(steps) + ((uint32_t)(exponent - smallest_exponent(f)) << f->mantissa_bits);
}

static uint32_t nan_bits(const struct format *f)
{
	uint32_t all = (1U << (f->exponent_bits + f->mantissa_bits)) - 1;

	if (f->family == FNUZ)
		return all + 1;
	return f->family == FN ? all : all - (1U << f->mantissa_bits) / 2 + 1; /* IEEE: the quiet bit alone */
}

static uint32_t encode(const struct format *f, double value)
{
	uint32_t sign = signbit(value) ? 1U << (f->exponent_bits + f->mantissa_bits) : 0;
	uint32_t largest = largest_code(f), code;

	if (isnan(value))
		return f->family == FNUZ ? nan_bits(f) : sign | nan_bits(f);
	/* Far above the largest number, where codes would overflow. */
	if (fabs(value) > 2 * value_of_code(f, largest))
		code = largest + 1;
	else
		code = nearest_code(f, fabs(value));
	if (code <= largest)
		return f->family == FNUZ && !code ? 0 : sign | code;
	if (f->family == IEEE)
		return sign | (largest + 1);
	return f->family == FN ? sign | nan_bits(f) : nan_bits(f);
}

static double decode(const struct format *f, uint32_t bits)
{
	uint32_t sign = 1U << (f->exponent_bits + f->mantissa_bits), code = bits & (sign - 1);
	double value;

	if (f->family == FNUZ && bits == sign)
		return NAN;
	if (code > largest_code(f))
		value = f->family == IEEE && code == largest_code(f) + 1 ? INFINITY : NAN;
	else
		value = value_of_code(f, code);
	return bits & sign ? -value : value;
}

static uint32_t bits_of(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static float float_of(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

/* The machine calls the next six for every element: integer arithmetic instead of encode() and decode(). */
uint16_t gk_f16_bits(float value)
{
	uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;

	if (size > 0x7f800000)
		return (uint16_t)(sign | 0x7e00 | (size >> 13 & 0x3ff));
	if (size >= 0x477ff000) /* 65520: half a step above the largest */
		return (uint16_t)(sign | 0x7c00);
	if (size >= 0x38800000) /* 2^-14: normal; half a step, less a bit when the last one is even, then cut */
		return (uint16_t)(sign | (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13);
	/* Below, one step is 2^-24, the last bit of 0.5f: the addition rounds. */
	return (uint16_t)(sign | (bits_of(float_of(size) + 0.5f) - 0x3f000000));
}

float gk_f16_value(uint16_t bits)
{
	uint32_t sign = (uint32_t)(bits & 0x8000) << 16, code = bits & 0x7fff;

	if (code >= 0x7c00)
		return float_of(sign | 0x7f800000 | (code & 0x3ff) << 13);
	if (code >= 0x400)
		return float_of(sign | ((code << 13) + 0x38000000));
	return float_of(sign | bits_of((float)code * 0x1p-24f));
}

float gk_f16_round(float value)
{
	return gk_f16_value(gk_f16_bits(value));
}

uint16_t gk_bf16_bits(float value)
{
	uint32_t bits = bits_of(value);

	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float gk_bf16_value(uint16_t bits)
{
	return float_of((uint32_t)bits << 16);
}

float gk_bf16_round(float value)
{
	return gk_bf16_value(gk_bf16_bits(value));
}

static const struct format *f8_format(enum gk_dtype dtype)
{
	if (gk_dtype_bytes(dtype) != 1 || !format_of(dtype))
		gk_bug("dtype %d is no 8-bit float", (int)dtype);
	return format_of(dtype);
}

uint8_t gk_f8_bits(enum gk_dtype format, float value)
{
	return (uint8_t)encode(f8_format(format), value);
}

float gk_f8_value(enum gk_dtype format, uint8_t bits)
{
	return (float)decode(f8_format(format), bits);
}

#define LOAD(type)                                                                                           \
	do {                                                                                                 \
		type loaded;                                                                                 \
		memcpy(&loaded, element, sizeof loaded);                                                     \
		return loaded;                                                                               \
	} while (0)

double gk_dtype_load(enum gk_dtype dtype, const void *element)
{
	uint16_t half;

	switch (dtype) {
	case GK_F64:
		LOAD(double);
	case GK_F32:
		LOAD(float);
	case GK_F16:
	case GK_BF16:
		memcpy(&half, element, sizeof half);
		return dtype == GK_F16 ? gk_f16_value(half) : gk_bf16_value(half);
	case GK_U64:
		return (double)(uint64_t)gk_dtype_load_int(dtype, element);
	default:
		if (gk_dtype_is_float(dtype))
			return decode(format_of(dtype), *(const uint8_t *)element);
		return (double)gk_dtype_load_int(dtype, element);
	}
}

int64_t gk_dtype_load_int(enum gk_dtype dtype, const void *element)
{
	switch (dtype) {
	case GK_BOOL:
		return *(const uint8_t *)element != 0;
	case GK_I8:
		LOAD(int8_t);
	case GK_U8:
		LOAD(uint8_t);
	case GK_I16:
		LOAD(int16_t);
	case GK_U16:
		LOAD(uint16_t);
	case GK_I32:
		LOAD(int32_t);
	case GK_U32:
		LOAD(uint32_t);
	case GK_I64:
	case GK_U64:
		LOAD(int64_t);
	default:
		gk_bug("dtype %d is no integer", (int)dtype);
	}
}

/* Nearest integer, at the bounds where there is none, 0 for NaN. */
static uint64_t integer_of(enum gk_dtype dtype, double value)
{
	double rounded = nearbyint(value), bound = ldexp(1, 8 * (int)gk_dtype_bytes(dtype) - gk_dtype_is_signed(dtype));

	if (isnan(value))
		return 0;
	if (rounded >= bound)
		return gk_dtype_is_signed(dtype) ? (uint64_t)INT64_MAX >> (64 - 8 * gk_dtype_bytes(dtype))
		                                 : UINT64_MAX;
	if (!gk_dtype_is_signed(dtype))
		return rounded <= 0 ? 0 : (uint64_t)rounded;
	return (uint64_t)(int64_t)(rounded < -bound ? -bound : rounded);
}

static void store_low_bytes(void *element, uint64_t bits, size_t size)
{
	uint8_t *at = element;

	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(bits >> (8 * i));
}

void gk_dtype_store(enum gk_dtype dtype, void *element, double value)
{
	float narrow = (float)value;

	if (dtype == GK_F64)
		memcpy(element, &value, sizeof value);
	else if (dtype == GK_F32)
		memcpy(element, &narrow, sizeof narrow);
	else if (dtype == GK_BOOL)
		store_low_bytes(element, value != 0, 1);
	else if (gk_dtype_is_float(dtype))
		store_low_bytes(element, encode(format_of(dtype), value), gk_dtype_bytes(dtype));
	else
		store_low_bytes(element, integer_of(dtype, value), gk_dtype_bytes(dtype));
}

static double distance(const struct format *f, double a, double b)
{
	int exponent_a, exponent_b;
	double steps_a = steps_of(f, fabs(a), &exponent_a), steps_b = steps_of(f, fabs(b), &exponent_b);
	double above_a = ldexp(exponent_a - smallest_exponent(f), f->mantissa_bits);
	double above_b = ldexp(exponent_b - smallest_exponent(f), f->mantissa_bits);

	if (signbit(a) != signbit(b))
		return above_a + steps_a + above_b + steps_b;
	return fabs(above_a - above_b + (steps_a - steps_b)); /* like parts first: close doubles lose no bit */
}

double gk_dtype_ulps(enum gk_dtype dtype, double a, double b)
{
	const struct format *f = format_of(dtype);

	if (a == b || (isnan(a) && isnan(b)))
		return 0;
	if (!isfinite(a) || !isfinite(b))
		return INFINITY;
	return f ? distance(f, a, b) : fabs(a - b);
}
