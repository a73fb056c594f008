#include "num/dtype.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "num/random.h"
#include "tap.h"

struct table {
	double values[65536]; /* of the codes from 0 to the largest finite */
	uint32_t count;
};

/* Independent of dtype.c: the positive numbers of a format written down one after the other. */
static void write_down(struct table *t, int exponent_bits, int mantissa_bits, int bias, uint32_t count)
{
	t->count = count;
	for (uint32_t code = 0; code < count; code++) {
		uint32_t mantissa = code % (1U << mantissa_bits), exponent = code / (1U << mantissa_bits);
		double fraction = (double)mantissa / (1U << mantissa_bits);

		t->values[code] = exponent ? (1 + fraction) * pow(2, (int)exponent - bias) : fraction * pow(2, 1 - bias);
	}
	(void)exponent_bits;
}

/* The code nearest to a positive value, ties to the even code; count when it rounds beyond the largest. */
static uint32_t nearest(const struct table *t, double value)
{
	uint32_t low = 0, high = t->count - 1;
	double last_step = t->values[t->count - 1] - t->values[t->count - 2];

	if (value > t->values[high]) {
		double middle = t->values[high] + last_step / 2;

		return value > middle || (value == middle && high % 2) ? t->count : high;
	}
	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		*(t->values[middle] <= value ? &low : &high) = middle;
	}
	double below = value - t->values[low], above = t->values[high] - value;
	if (below == above)
		return low % 2 ? high : low;
	return below < above ? low : high;
}

static struct format_case {
	enum gk_dtype dtype;
	int exponent_bits, mantissa_bits, bias;
	uint32_t count;
	double largest;
	bool overflow_is_infinite, has_negative_zero;
} const formats[] = {
	{GK_F16, 5, 10, 15, 0x7c00, 65504, true, true},
	{GK_BF16, 8, 7, 127, 0x7f80, 0x1.fep127, true, true},
	{GK_F8E4M3FN, 4, 3, 7, 0x7f, 448, false, true},
	{GK_F8E5M2, 5, 2, 15, 0x7c, 57344, true, true},
	{GK_F8E4M3FNUZ, 4, 3, 8, 0x80, 240, false, false},
	{GK_F8E5M2FNUZ, 5, 2, 16, 0x80, 57344, false, false},
	{GK_F8E4M3B11FNUZ, 4, 3, 11, 0x80, 30, false, false},
};

static uint32_t stored_bits(enum gk_dtype dtype, double value)
{
	uint16_t bits = 0;

	gk_dtype_store(dtype, &bits, value);
	return bits;
}

static double loaded(enum gk_dtype dtype, uint32_t code)
{
	uint16_t bits = (uint16_t)code;

	return gk_dtype_load(dtype, &bits);
}

static void patterns(const struct format_case *f, const struct table *t)
{
	uint32_t sign = 1U << (f->exponent_bits + f->mantissa_bits);
	bool same = true, round_trip = true, nans = true;
	char behaviour[100];

	for (uint32_t code = 0; code < t->count; code++) {
		same &= loaded(f->dtype, code) == t->values[code];
		round_trip &= stored_bits(f->dtype, t->values[code]) == code;
		if (!code && !f->has_negative_zero)
			continue;
		same &= loaded(f->dtype, sign | code) == -t->values[code];
		round_trip &= stored_bits(f->dtype, -t->values[code]) == (sign | code);
	}
	for (uint32_t bits = 0; bits < 2 * sign; bits++) {
		double value = loaded(f->dtype, bits);

		if ((bits & (sign - 1)) < t->count && !(bits == sign && !f->has_negative_zero))
			continue;
		nans &= isnan(value) || (f->overflow_is_infinite && isinf(value));
		nans &= isnan(value) ? isnan(loaded(f->dtype, stored_bits(f->dtype, value)))
		                     : stored_bits(f->dtype, value) == bits;
	}
	snprintf(behaviour, sizeof behaviour, "%s: every pattern has its value", gk_dtype_name(f->dtype));
	ok(same, behaviour);
	snprintf(behaviour, sizeof behaviour, "%s: every value has its pattern", gk_dtype_name(f->dtype));
	ok(round_trip, behaviour);
	snprintf(behaviour, sizeof behaviour, "%s: what is no number stays so", gk_dtype_name(f->dtype));
	ok(nans, behaviour);
	near(gk_dtype_max(f->dtype), f->largest, 0, "the largest number");
	near(gk_dtype_epsilon(f->dtype), ldexp(1, -f->mantissa_bits), 0, "the step above 1");
}

static bool rounds_right(const struct format_case *f, const struct table *t, double value)
{
	uint32_t code = nearest(t, value);
	double got = loaded(f->dtype, stored_bits(f->dtype, value));
	double want = code < t->count ? t->values[code] : f->overflow_is_infinite ? INFINITY : NAN;
	double minus = loaded(f->dtype, stored_bits(f->dtype, -value));

	if (isnan(want))
		return isnan(got) && isnan(minus);
	return got == want && minus == -want;
}

/* Between every two neighbours: the middle, and the doubles just beside it, where double rounding would err. */
static void roundings(const struct format_case *f, const struct table *t)
{
	bool right = true;
	char behaviour[100];

	for (uint32_t code = 0; code < t->count; code++) {
		double low = t->values[code];
		double step = code + 1 < t->count ? t->values[code + 1] - low : low - t->values[code - 1];
		double middle = low + step / 2;

		right &= rounds_right(f, t, middle) && rounds_right(f, t, nextafter(middle, 0)) &&
		         rounds_right(f, t, nextafter(middle, INFINITY)) && rounds_right(f, t, low + step / 4) &&
		         rounds_right(f, t, low + step * 0.75);
	}
	right &= rounds_right(f, t, DBL_MAX) && rounds_right(f, t, DBL_MIN) && rounds_right(f, t, 5e-324) &&
	         rounds_right(f, t, INFINITY);
	snprintf(behaviour, sizeof behaviour, "%s: every double rounds to the nearest, ties to even",
	         gk_dtype_name(f->dtype));
	ok(right, behaviour);
}

/* The fast paths for float against the general one. */
static void fast_paths(void)
{
	bool half = true, brain = true, small = true;
	struct gk_random r;

	gk_random_seed(&r, 1);
	for (int i = 0; i < 2000000; i++) {
		uint32_t bits = (uint32_t)gk_random_next(&r);
		float value;

		if (i % 4 == 0)
			bits &= 0xffffe000; /* f16 numbers and ties */
		if (i % 4 == 1)
			bits = (bits & 0x80007fff) | (0x30000000 + (bits >> 3 & 0x1ffff000)); /* f16's range and below */
		memcpy(&value, &bits, sizeof value);
		if (isnan(value)) {
			half &= isnan(gk_f16_round(value)) != 0;
			brain &= isnan(gk_bf16_round(value)) != 0;
			continue;
		}
		half &= gk_f16_bits(value) == stored_bits(GK_F16, (double)value);
		brain &= gk_bf16_bits(value) == stored_bits(GK_BF16, (double)value);
		small &= gk_f8_bits(GK_F8E5M2, value) == stored_bits(GK_F8E5M2, (double)value);
	}
	ok(half, "float to f16 is right for any pattern");
	ok(brain, "float to bf16 is right for any pattern");
	ok(small, "float to f8e5m2 is right for any pattern");
	half = brain = true;
	for (uint32_t bits = 0; bits < 65536; bits++) {
		float value = gk_f16_value((uint16_t)bits), other = gk_bf16_value((uint16_t)bits);

		half &= isnan(value) ? isnan(loaded(GK_F16, bits)) : value == loaded(GK_F16, bits) && gk_f16_bits(value) == bits;
		brain &= isnan(other) ? isnan(loaded(GK_BF16, bits))
		                      : other == loaded(GK_BF16, bits) && gk_bf16_bits(other) == bits;
	}
	ok(half && brain, "all 65536 patterns survive the way to float and back");
}

static void integers(void)
{
	int64_t wide = 0;
	uint8_t byte = 0;
	int8_t small = 0;

	gk_dtype_store(GK_I8, &small, 2.5);
	is_int(small, 2, "integers round to even");
	gk_dtype_store(GK_I8, &small, 1000);
	is_int(small, 127, "and stop at the largest");
	gk_dtype_store(GK_I8, &small, -1000);
	is_int(small, -128, "and the smallest");
	gk_dtype_store(GK_U8, &byte, -1);
	is_int(byte, 0, "unsigned ones at 0");
	gk_dtype_store(GK_U8, &byte, 1e30);
	is_int(byte, 255, "and above");
	gk_dtype_store(GK_I64, &wide, 9.3e18);
	is_int(wide, INT64_MAX, "64 bits too");
	gk_dtype_store(GK_I64, &wide, -1e300);
	is_int(wide, INT64_MIN, "on both sides");
	gk_dtype_store(GK_I64, &wide, NAN);
	is_int(wide, 0, "NaN is 0");
	gk_dtype_store(GK_BOOL, &byte, 0.25);
	is_int(byte, 1, "what is not 0 is true");
	wide = -1;
	near(gk_dtype_load(GK_U64, &wide), 0x1p64, 0, "unsigned 64 bits are read as such");
	near(gk_dtype_load(GK_I32, &wide), -1, 0, "signed ones too");
	near(gk_dtype_load(GK_U16, &wide), 65535, 0, "and short ones");
	is_int(gk_dtype_load_int(GK_I64, &wide), -1, "as integers without loss");
	near(gk_dtype_max(GK_I32), 2147483647, 0, "the largest int32");
	near(gk_dtype_max(GK_U8), 255, 0, "the largest uint8");
}

static void names(void)
{
	bool all = true;

	for (int i = 1; i < GK_DTYPE_COUNT; i++)
		all &= gk_dtype_from_name(gk_dtype_name((enum gk_dtype)i)) == (enum gk_dtype)i &&
		       strcmp(gk_dtype_names[i - 1], gk_dtype_name((enum gk_dtype)i)) == 0;
	ok(all, "every dtype has its name");
	ok(gk_dtype_from_name("torch.bfloat16") == GK_BF16, "torch's prefix is accepted");
	ok(gk_dtype_from_name("float33") == GK_DTYPE_NONE, "an unknown name is none");
	ok(gk_dtype_name(GK_DTYPE_NONE) == NULL, "none has no name");
	ok(gk_dtype_bytes(GK_BF16) == 2 && gk_dtype_bytes(GK_F64) == 8 && gk_dtype_bytes(GK_F8E5M2) == 1, "sizes");
	ok(gk_dtype_precision(GK_F32) == 24 && gk_dtype_precision(GK_I32) == 0, "precisions");
	ok(gk_dtype_is_signed(GK_F16) && gk_dtype_is_signed(GK_I8) && !gk_dtype_is_signed(GK_U8), "signs");
}

static void distances(void)
{
	near(gk_dtype_ulps(GK_F32, 1, nextafterf(1, 2)), 1, 0, "neighbours are 1 apart");
	near(gk_dtype_ulps(GK_F32, 1, nextafterf(1, 0)), 1, 0, "below a power of two as well");
	near(gk_dtype_ulps(GK_F32, 1, 2), 8388608, 0, "from 1 to 2");
	near(gk_dtype_ulps(GK_F32, 0.0, 0x1p-149), 1, 0, "0 and the smallest");
	near(gk_dtype_ulps(GK_F32, -0x1p-149, 0x1p-149), 2, 0, "across 0");
	near(gk_dtype_ulps(GK_F32, 1, 1 + 0x1p-25), 0.25, 0, "parts of a step");
	near(gk_dtype_ulps(GK_F64, 1e300, nextafter(1e300, INFINITY)), 1, 0, "doubles too");
	near(gk_dtype_ulps(GK_F16, 2048, 2050), 1, 0, "f16 steps are wide up there");
	ok(isinf(gk_dtype_ulps(GK_F32, NAN, 1)) && isinf(gk_dtype_ulps(GK_F32, INFINITY, 1)), "no number is near NaN");
	near(gk_dtype_ulps(GK_F32, NAN, NAN), 0, 0, "NaN is NaN");
	near(gk_dtype_ulps(GK_F32, INFINITY, INFINITY), 0, 0, "infinity is infinity");
	near(gk_dtype_ulps(GK_I32, 5, 2), 3, 0, "integers by difference");
}

int main(void)
{
	static struct table table;

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		const struct format_case *f = &formats[i];

		write_down(&table, f->exponent_bits, f->mantissa_bits, f->bias, f->count);
		patterns(f, &table);
		roundings(f, &table);
	}
	fast_paths();
	integers();
	names();
	distances();
	return done_testing();
}
