/* Distances in units in the last place: what is counted where, against the slow definition, and in JSON. */
#include "judge/ulp.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "judge/compare.h"
#include "num/random.h"
#include "tap.h"

enum { COUNT = 3000 };
static struct gk_difference d;

/* Neighbouring floats, some way up. */
static float steps(float value, int by)
{
	for (int i = 0; i < by; i++)
		value = nextafterf(value, INFINITY);
	return value;
}

static bool compare_floats(const float *got, const double *want, int64_t count)
{
	struct gk_comparison c = {.dtype = GK_F32,
	                          .want_dtype = GK_F64,
	                          .rank = 1,
	                          .shape = {count},
	                          .got = got,
	                          .want = want,
	                          .tolerance = gk_tolerance_row(GK_F32, GK_OP_ELEMENTWISE, 0)};

	return gk_compare(&c, &d);
}

static void distances_go_to_their_buckets(void)
{
	static const struct {
		int by, bucket;
	} rows[] = {{0, 0}, {1, 1}, {2, 2},  {3, 3},  {4, 3},  {5, 4},
	            {8, 4}, {9, 5}, {16, 5}, {17, 6}, {64, 7}, {65, 8}};
	float got;
	double want = 1.25;
	int bad = 0;

	for (size_t i = 0; i < gk_count_of(rows); i++) {
		got = steps(1.25f, rows[i].by);
		compare_floats(&got, &want, 1);
		bad += d.ulps.buckets[rows[i].bucket] != 1 || d.ulps.count != 1 || d.ulps.max != rows[i].by;
	}
	is_int(bad, 0, "0, 1, 2, 3 to 4, 5 to 8 and so on");
	got = 2;
	compare_floats(&got, &want, 1);
	is_int(d.ulps.buckets[GK_ULP_BUCKETS - 1], 1, "what is far off is in the last, wrong elements too");
	want = 1.25 + 0x1p-24;
	got = 1.25f;
	compare_floats(&got, &want, 1);
	ok(d.ulps.buckets[0] == 1 && d.ulps.max == 0.5, "half a unit is as near as the format comes");
	got = 0x1p-149f;
	want = 0;
	compare_floats(&got, &want, 1);
	ok(d.ulps.max == 1, "around zero the unit is the smallest subnormal");
}

static void what_has_no_distance_is_apart(void)
{
	static const float got[] = {NAN, INFINITY, NAN, 1, -INFINITY, 1, 1};
	static const double want[] = {NAN, INFINITY, 1, NAN, INFINITY, -INFINITY, 1};

	ok(!compare_floats(got, want, 7), "NaN and infinity on one side");
	ok(d.ulps.apart == 4 && d.ulps.buckets[0] == 3 && d.ulps.count == 7,
	   "have no distance, on both sides they have none");
	ok(d.ulps.max == 0, "and are not in the largest");
}

/* The slow way: one element at a time. */
static void count_slowly(enum gk_dtype dtype, const void *got, const double *want, struct gk_ulps *ulps)
{
	struct gk_ulp_unit unit = gk_ulp_unit(dtype);

	for (int i = 0; i < COUNT; i++)
		gk_ulps_add_element(ulps, unit, gk_element(dtype, got, i), want[i], true);
}

static void blocks_and_elements_agree(void)
{
	static const enum gk_dtype formats[] = {GK_F16, GK_BF16, GK_F32, GK_F64, GK_F8E4M3FN, GK_F8E5M2};
	static double want[COUNT], got[COUNT];
	struct gk_random r;
	int bad = 0;

	gk_random_seed(&r, 3);
	for (size_t f = 0; f < gk_count_of(formats); f++) {
		double eps = gk_dtype_epsilon(formats[f]);
		struct gk_ulps slow = {0};
		struct gk_comparison c = {.dtype = formats[f],
		                          .want_dtype = GK_F64,
		                          .rank = 1,
		                          .shape = {COUNT},
		                          .got = got,
		                          .want = want};

		c.tolerance = (struct gk_tolerance){.rtol = 1, .atol = 100}; /* all are right: whole blocks */
		for (int i = 0; i < COUNT; i++) {
			want[i] = (gk_random_unit(&r) * 4 - 2) * exp2(-(double)gk_random_below(&r, 20));
			gk_dtype_store(formats[f], (char *)got + (size_t)i * gk_dtype_bytes(formats[f]),
			               want[i] * (1 + eps * 30 * gk_random_unit(&r) * gk_random_unit(&r)));
		}
		count_slowly(formats[f], got, want, &slow);
		bad += !gk_compare(&c, &d) || memcmp(&slow, &d.ulps, sizeof slow) != 0 ||
		       d.ulps.buckets[3] == 0;
	}
	is_int(bad, 0, "whole blocks count as single elements do, in six formats");
}

/* A distance between two numbers of the format is what num/ says it is. */
static void distances_are_those_of_the_format(void)
{
	struct gk_ulp_unit unit = gk_ulp_unit(GK_F16);
	int bad = 0;

	for (int i = 1; i < 0x7bff; i++) {
		uint16_t low = (uint16_t)i, high = (uint16_t)(i + 1);
		double a = gk_dtype_load(GK_F16, &low), b = gk_dtype_load(GK_F16, &high);

		bad += gk_ulp_distance(unit, b, a) != gk_dtype_ulps(GK_F16, a, b);
	}
	is_int(bad, 0, "neighbours of float16 are one apart, subnormal ones too");
}

static void integers_have_none(void)
{
	int32_t got = 4, want = 4;
	struct gk_comparison c = {
		.dtype = GK_I32, .want_dtype = GK_I32, .rank = 1, .shape = {1}, .got = &got, .want = &want};

	ok(gk_compare(&c, &d) && d.ulps.count == 0 && !gk_ulps_json(&d.ulps), "integers have no last place");
}

static void sums_and_json(void)
{
	struct gk_ulps all = {0}, one = {.count = 10, .buckets = {7, 3}, .max = 1.25},
		       two = {.count = 2, .apart = 2};
	json_t *json;

	gk_ulps_add(&all, &one);
	gk_ulps_add(&all, &two);
	json = gk_ulps_json(&all);
	is_int(json_integer_value(json_object_get(json, "count")), 12, "all elements");
	is_int(json_integer_value(json_object_get(json, "exact")), 7, "those as near as can be");
	is_int(json_integer_value(json_object_get(json, "apart")), 2, "those without a distance");
	near(json_real_value(json_object_get(json, "max")), 1.25, 0, "the largest");
	is_int((long long)json_array_size(json_object_get(json, "buckets")), GK_ULP_BUCKETS,
	       "the distribution");
	json_decref(json);
}

int main(void)
{
	distances_go_to_their_buckets();
	what_has_no_distance_is_apart();
	blocks_and_elements_agree();
	distances_are_those_of_the_format();
	integers_have_none();
	sums_and_json();
	return done_testing();
}
