/*
 * The tolerance table, numerically: honest computations pass and the same
 * computations in the next lower precision fail, on small and large outputs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "judge/compare.h"
#include "num/random.h"
#include "tap.h"

enum { MOST = 1 << 16 };
static double want[MOST], got[MOST];
static unsigned char bytes[MOST * 8];

static double normal(struct gk_random *r)
{
	return sqrt(-2 * log(1 - gk_random_unit(r))) * cos(6.283185307179586 * gk_random_unit(r));
}

/* value as a tensor of dtype holds it. */
static double held(enum gk_dtype dtype, double value)
{
	uint64_t element = 0;

	gk_dtype_store(dtype, &element, value);
	return gk_dtype_load(dtype, &element);
}

/* Stores got in dtype, rounded first to bits of significand unless 0, and compares. */
static bool passes(enum gk_dtype dtype, enum gk_operation operation, int64_t k, int count, int bits)
{
	struct gk_comparison c = {.dtype = dtype,
	                          .want_dtype = GK_F64,
	                          .rank = 1,
	                          .shape = {count},
	                          .got = bytes,
	                          .want = want,
	                          .tolerance = gk_tolerance_row(dtype, operation, k)};
	struct gk_difference d;
	bool right;

	for (int i = 0; i < count; i++)
		gk_dtype_store(dtype, bytes + (size_t)i * gk_dtype_bytes(dtype),
		               bits ? gk_round_significand(got[i], bits) : got[i]);
	right = gk_compare(&c, &d);
	if (!right)
		printf("# %lld of %d wrong, worst at %.1f times the allowance: %s\n", (long long)d.wrong,
		       count, d.worst_ratio, d.words);
	return right;
}

static void expect(enum gk_dtype dtype, enum gk_operation operation, int64_t k, int count, const char *what)
{
	char words[160];

	snprintf(words, sizeof words, "%s %s, %d elements: honest rounding passes", gk_dtype_name(dtype),
	         what, count);
	ok(passes(dtype, operation, k, count, 0), words);
	if (gk_lower_precision(dtype) == 0)
		return;
	snprintf(words, sizeof words, "%s %s, %d elements: the result in the next lower precision fails",
	         gk_dtype_name(dtype), what, count);
	ok(!passes(dtype, operation, k, count, gk_lower_precision(dtype)), words);
}

static void sums(enum gk_dtype dtype, int count)
{
	struct gk_random r;

	gk_random_seed(&r, 7 + (uint64_t)dtype);
	for (int i = 0; i < count; i++) {
		double a = held(dtype, normal(&r)), b = held(dtype, normal(&r));

		want[i] = a + b;
		got[i] = dtype == GK_F64 ? a + b : (double)((float)a + (float)b);
	}
	expect(dtype, GK_OP_ELEMENTWISE, 0, count, "sum");
}

/* Its negative tail is a difference of nearly equal numbers. */
static void gelus(enum gk_dtype dtype, int count)
{
	struct gk_random r;

	gk_random_seed(&r, 70 + (uint64_t)dtype);
	for (int i = 0; i < count; i++) {
		double x = held(dtype, 3 * normal(&r));
		float f = (float)x;

		want[i] = 0.5 * x * (1 + erf(x / sqrt(2)));
		got[i] = (double)(0.5f * f * (1 + erff(f * 0.70710678f)));
	}
	expect(dtype, GK_OP_ELEMENTWISE, 0, count, "gelu");
}

static void softmaxes(enum gk_dtype dtype, int rows, int columns)
{
	struct gk_random r;
	static float x[MOST];

	gk_random_seed(&r, 700 + (uint64_t)dtype);
	for (int row = 0; row < rows; row++) {
		double sum = 0;
		float sum32 = 0;

		for (int i = 0; i < columns; i++) {
			x[i] = (float)held(dtype, 4 * normal(&r));
			sum += exp((double)x[i] - 20);
			sum32 += expf(x[i] - 20);
		}
		for (int i = 0; i < columns; i++) {
			want[row * columns + i] = exp((double)x[i] - 20) / sum;
			got[row * columns + i] = (double)(expf(x[i] - 20) / sum32);
		}
	}
	expect(dtype, GK_OP_REDUCTION, columns, rows * columns, "softmax");
}

/* f32, rows around means of up to a hundred deviations, as a kernel does it: sums in a tree, two passes. */
static float tree_sum(const float *x, int count)
{
	return count == 1 ? x[0] : tree_sum(x, count / 2) + tree_sum(x + count / 2, count - count / 2);
}

static void norm_row(struct gk_random *r, int n, double *exact, double *f32)
{
	static float x[4096], c[4096];
	double mean = 32 * normal(r), sum = 0, square = 0;
	float mean32, square32;

	for (int i = 0; i < n; i++) {
		x[i] = (float)(normal(r) + mean);
		sum += (double)x[i] / n;
	}
	mean32 = tree_sum(x, n) / (float)n;
	for (int i = 0; i < n; i++) {
		square += ((double)x[i] - sum) * ((double)x[i] - sum) / n;
		c[i] = (x[i] - mean32) * (x[i] - mean32);
	}
	square32 = tree_sum(c, n) / (float)n;
	for (int i = 0; i < n; i++) {
		float weight = (float)(1 + 0.5 * normal(r)), bias = (float)normal(r);

		exact[i] = ((double)x[i] - sum) / sqrt(square + 1e-5) * (double)weight + (double)bias;
		f32[i] = (double)((x[i] - mean32) / sqrtf(square32 + 1e-5f) * weight + bias);
	}
}

static void norms_of_shifted_rows(int n)
{
	struct gk_random r;
	int refused = 0, accepted = 0, rounds = 200, rows = 24;

	gk_random_seed(&r, 4711);
	for (int round = 0; round < rounds; round++) {
		for (int row = 0; row < rows; row++)
			norm_row(&r, n, want + row * n, got + row * n);
		refused += !passes(GK_F32, GK_OP_REDUCTION, n, rows * n, 0);
		accepted += passes(GK_F32, GK_OP_REDUCTION, n, rows * n, gk_lower_precision(GK_F32));
	}
	is_int(refused, 0, "normalised rows around far means: honest kernels pass for 200 seeds");
	is_int(accepted, 0, "and results rounded to half precision never do");
}

enum dot_mode { DOT_HONEST, DOT_LOW_INPUTS, DOT_LOW_SUM };

static double dot_once(struct gk_random *r, enum gk_dtype dtype, int k, bool positive, enum dot_mode mode,
                       double *exact)
{
	int low = gk_lower_precision(dtype);
	double sum = 0;
	float sum32 = 0;

	for (int i = 0; i < k; i++) {
		double a = positive ? gk_random_unit(r) : normal(r),
		       b = positive ? gk_random_unit(r) : normal(r);

		a = held(dtype, a);
		b = held(dtype, b);
		sum += a * b;
		if (mode == DOT_LOW_INPUTS) {
			a = gk_round_significand(a, low);
			b = gk_round_significand(b, low);
		}
		sum32 += (float)a * (float)b;
		if (mode == DOT_LOW_SUM)
			sum32 = (float)gk_round_significand((double)sum32, gk_dtype_precision(dtype) < 12
			                                                           ? gk_dtype_precision(dtype)
			                                                           : 11);
	}
	*exact = sum;
	return (double)sum32;
}

static void dots(enum gk_dtype dtype, int k, bool positive)
{
	static const char *const modes[] = {"honest f32 sums pass", "inputs in lower precision fail",
	                                    "sums in half precision fail"};
	char words[160];
	struct gk_random r;

	for (int mode = DOT_HONEST; mode <= DOT_LOW_SUM; mode++) {
		if (mode == DOT_LOW_INPUTS && positive)
			continue; /* the inputs' roundings average out: no output shows them */
		gk_random_seed(&r, 7000 + (uint64_t)k);
		for (int i = 0; i < 1024; i++)
			got[i] = dot_once(&r, dtype, k, positive, (enum dot_mode)mode, &want[i]);
		snprintf(words, sizeof words, "%s dot of %d %s terms: %s", gk_dtype_name(dtype), k,
		         positive ? "positive" : "normal", modes[mode]);
		ok(passes(dtype, GK_OP_DOT, k, 1024, 0) == (mode == DOT_HONEST), words);
	}
}

static void rows_and_overrides(void)
{
	struct gk_tolerance t = gk_tolerance_row(GK_I32, GK_OP_ELEMENTWISE, 0);
	struct gk_task task = {.tolerance = {.operation = GK_OP_DOT, .length = "K"}};
	struct gk_case c = {.params = json_pack("{s:i}", "K", 1 << 20)};

	ok(t.exact, "integers are exact");
	ok(gk_tolerance_row(GK_F16, GK_OP_EXACT, 0).exact, "operation exact is exact for floats as well");
	near(gk_tolerance_of(&task, &c, GK_F32).rtol, 1024 * 0x1p-23, 0,
	     "K is the case's parameter, and its effect is capped");
	task.tolerance = (struct gk_task_tolerance){.overridden = true, .rtol = 0.25, .atol = 2};
	near(gk_tolerance_of(&task, &c, GK_F32).rtol, 0.25, 0, "a task may say its own");
	ok(gk_tolerance_of(&task, &c, GK_I64).exact, "but integers stay exact");
	near(gk_round_significand(1.0009765625 + 0x1p-12, 11), 1.0009765625, 0,
	     "rounding goes to the nearest");
	near(gk_round_significand(1 + 0x1p-11, 11), 1, 0, "and ties to even");
	json_decref(c.params);
}

/* a * b + bias of terms of 0.2, in f32, that leave 5e-5; what two of 2000 sets of inputs were refused for. */
static bool one_left_over(int64_t count, double error)
{
	double wanted[64];
	float made[64];
	struct gk_difference d;
	struct gk_comparison c = {.dtype = GK_F32, .want_dtype = GK_F64, .rank = 1, .shape = {count}, .got = made, .want = wanted,
	                          .tolerance = gk_tolerance_row(GK_F32, GK_OP_DOT, 1)};

	for (int64_t i = 0; i < count; i++) {
		wanted[i] = -4.874357e-05;
		made[i] = (float)(wanted[i] + error);
	}
	return gk_compare(&c, &d);
}

static void a_few_elements_may_cancel(void)
{
	ok(one_left_over(1, 1.3e-8), "a single element that is what was left of a difference");
	ok(!one_left_over(1, 1e-6), "but not anything");
	ok(!one_left_over(64, 1.3e-8), "and not where there are many");
	is_int((long long)gk_tolerance_row(GK_F16, GK_OP_DOT, 1).few, 0, "a format that is rounded to at the end needs none of it");
	is_int((long long)gk_tolerance_row(GK_F32, GK_OP_ELEMENTWISE, 0).few, 0, "nor does what is computed element by element");
}

int main(void)
{
	static const enum gk_dtype floats[] = {GK_F64,      GK_F32,    GK_F16,        GK_BF16,
	                                       GK_F8E4M3FN, GK_F8E5M2, GK_F8E4M3FNUZ, GK_F8E5M2FNUZ};
	static const enum gk_dtype common[] = {GK_F32, GK_F16, GK_BF16};

	rows_and_overrides();
	for (size_t i = 0; i < gk_count_of(floats); i++) {
		sums(floats[i], 512);
		sums(floats[i], 40000);
	}
	norms_of_shifted_rows(200);
	norms_of_shifted_rows(1151);
	for (size_t i = 0; i < gk_count_of(common); i++) {
		gelus(common[i], 20000);
		softmaxes(common[i], 16, 2000);
		softmaxes(common[i], 4, 16);
		dots(common[i], 64, false);
		dots(common[i], 2048, false);
		dots(common[i], 512, true);
	}
	a_few_elements_may_cancel();
	return done_testing();
}
