#include "tolerance.h"

#include <math.h>

#define FEW 64.0

double gk_smallest_subnormal(enum gk_dtype dtype)
{
	static const int exponents[GK_DTYPE_COUNT] = {
		[GK_F16] = -24,        [GK_BF16] = -133,      [GK_F32] = -149,
		[GK_F64] = -1074,      [GK_F8E4M3FN] = -9,    [GK_F8E5M2] = -16,
		[GK_F8E4M3FNUZ] = -10, [GK_F8E5M2FNUZ] = -17, [GK_F8E4M3B11FNUZ] = -13,
	};

	return ldexp(1, exponents[dtype]);
}

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* rtol and spread in units of eps. */
static void wide_row(enum gk_dtype dtype, enum gk_operation operation, double k, double *rtol, double *spread)
{
	double base = dtype == GK_F64 ? 64 : operation == GK_OP_REDUCTION ? 512 : 128;

	if (operation == GK_OP_ELEMENTWISE) {
		*rtol = base;
		*spread = 64;
		return;
	}
	*rtol = *spread = clamp(8 * sqrt(k), base, dtype == GK_F64 ? 65536 : 1024);
}

static void half_row(enum gk_operation operation, double *rtol, double *spread)
{
	*rtol = 2;
	*spread = operation == GK_OP_DOT ? 1.5 : 0.5;
}

struct gk_tolerance gk_tolerance_row(enum gk_dtype dtype, enum gk_operation operation, int64_t length)
{
	struct gk_tolerance t = {0};
	double rtol = 0.625, spread = 0.0625, eps;

	if (operation == GK_OP_EXACT || !gk_dtype_is_float(dtype)) {
		t.exact = true;
		return t;
	}
	if (dtype == GK_F64 || dtype == GK_F32)
		wide_row(dtype, operation, length > 0 ? (double)length : 1024, &rtol, &spread);
	else if (dtype == GK_F16 || dtype == GK_BF16)
		half_row(operation, &rtol, &spread);
	if ((dtype == GK_F64 || dtype == GK_F32) && operation != GK_OP_ELEMENTWISE)
		t.few = FEW;
	eps = gk_dtype_epsilon(dtype);
	t.rtol = rtol * eps;
	t.spread = spread * eps;
	t.atol = gk_smallest_subnormal(dtype);
	return t;
}

struct gk_tolerance gk_tolerance_of(const struct gk_task *task, const struct gk_case *c, enum gk_dtype dtype)
{
	const struct gk_task_tolerance *own = &task->tolerance;
	int64_t length = 0;

	if (own->overridden && gk_dtype_is_float(dtype))
		return (struct gk_tolerance){.rtol = own->rtol, .atol = own->atol};
	if (own->length)
		length = json_integer_value(json_object_get(c->params, own->length));
	return gk_tolerance_row(dtype, own->operation, length);
}

int gk_lower_precision(enum gk_dtype dtype)
{
	switch (dtype) {
	case GK_F64:
		return 24;
	case GK_F32:
		return 11;
	case GK_F16:
		return 8;
	case GK_BF16:
		return 4;
	case GK_F8E4M3FN:
	case GK_F8E4M3FNUZ:
	case GK_F8E4M3B11FNUZ:
		return 3;
	default:
		return 0;
	}
}

double gk_round_significand(double value, int bits)
{
	int exponent;
	double fraction;

	if (!isfinite(value) || value == 0)
		return value;
	fraction = frexp(value, &exponent);
	return ldexp(nearbyint(ldexp(fraction, bits)), exponent - bits);
}
