/* The comparison: what counts as right for each format, and what it says of what is wrong. */
#include "judge/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "num/random.h"
#include "tap.h"

enum { ROWS = 40, COLUMNS = 60, COUNT = ROWS * COLUMNS };
static double want[COUNT];
static float got[COUNT];
static struct gk_difference d;

static bool compare(void)
{
	struct gk_comparison c = {.dtype = GK_F32,
	                          .want_dtype = GK_F64,
	                          .rank = 2,
	                          .shape = {ROWS, COLUMNS},
	                          .got = got,
	                          .want = want,
	                          .tolerance = gk_tolerance_row(GK_F32, GK_OP_ELEMENTWISE, 0)};

	return gk_compare(&c, &d);
}

static void fresh(void)
{
	struct gk_random r;

	gk_random_seed(&r, 5);
	for (int i = 0; i < COUNT; i++) {
		want[i] = gk_random_unit(&r) * 4 - 2;
		got[i] = (float)want[i];
	}
}

static bool says(const char *words)
{
	if (strstr(d.words, words))
		return true;
	printf("# it says: %s\n", d.words);
	return false;
}

static void one_wrong_element_is_found(void)
{
	fresh();
	ok(compare(), "an output rounded once is right");
	ok(d.worst_ratio > 0 && d.worst_ratio < 0.1, "and well within the tolerance");
	got[7 * COLUMNS + 59] += 0.01f;
	ok(!compare(), "one wrong element of 2400 fails");
	is_int(d.wrong, 1, "it is counted once");
	ok(d.first[0] == 7 && d.first[1] == 59, "its index is named");
	near(d.max_abs, 0.01, 1e-6, "its error is measured");
	is_int(d.map[7 * d.map_rows / ROWS][59 * d.map_columns / COLUMNS], 1, "it stands in the map");
	fresh();
	got[COUNT - 1] = NAN;
	ok(!compare() && says("") && d.pattern == GK_PATTERN_NAN, "a NaN in the last element fails");
}

static void places_are_named(void)
{
	fresh();
	for (int r = 0; r < ROWS; r++)
		for (int c = 52; c < COLUMNS; c++)
			got[r * COLUMNS + c] = 0;
	ok(!compare() && says("from index 52 to the end of dimension 1 (size 60)") &&
	           d.pattern == GK_PATTERN_ZEROS,
	   "a tail of zeros");
	fresh();
	for (int c = 0; c < COLUMNS; c++)
		got[11 * COLUMNS + c] *= (float)(1 + c % 3);
	ok(!compare() && says("at index 11 of dimension 0"), "one row");
	ok(d.low[0] == 11 && d.high[0] == 11 && d.low[1] <= 2, "its box");
}

/* The same words each time for what was planted. */
static void plant(int row_step, int column_step, int row, int column)
{
	fresh();
	for (int r = row; r < ROWS; r += row_step)
		for (int c = column; c < COLUMNS; c += column_step)
			got[r * COLUMNS + c] += (float)(1 + (r * 7 + c * 3) % 5);
}

static void rhythms_are_named(void)
{
	plant(1, 4, 0, 3);
	ok(!compare() && says("from index 3 to the end of dimension 1 (size 60), one in 4 along dimension 1, from index 3 on"),
	   "every fourth column");
	plant(3, 1, 0, 0);
	ok(!compare() && says("one in 3 along dimension 0, from index 0 on"), "every third row");
	fresh();
	for (int i = 0; i < COUNT; i++)
		if (i % COLUMNS / 16 % 2)
			got[i] += (float)(1 + i % 5);
	ok(!compare() && says("one in 2 blocks of 16 along dimension 1, from index 16 on"), "every other block of 16, the last one cut");
	fresh();
	for (int r = 8; r < 24; r++)
		for (int c = 16; c < 48; c++)
			got[r * COLUMNS + c] += (float)(1 + (r + c) % 5);
	ok(!compare() && says("from index 8 to 23 of dimension 0 (size 40) and from index 16 to 47 of dimension 1 (size 60), which is "
	                      "wrong as a whole"), "a tile");
	ok(d.map[0][0] == 0 && d.map[12][16] > 0, "which is in the picture");
	fresh();
	for (int i = 0; i < COUNT; i++)
		if (i * 7919 % 13 < 4)
			got[i] += (float)(1 + i % 5);
	ok(!compare() && says("spread over the whole output, 30 % of it"), "without a rhythm, how many");
	plant(1, 1, 0, 0);
	for (int i = 0; i < 1000; i++)
		got[i] = (float)want[i];
	ok(!compare() && !strstr(d.words, "one in "), "a tail of the flat output has none, though every fourth element was sampled");
}

static void values_are_recognised(void)
{
	fresh();
	for (int i = 0; i < COUNT; i++)
		got[i] *= 0.5f;
	ok(!compare() && d.pattern == GK_PATTERN_FACTOR && says("times 0.5") && says("every element"),
	   "a factor");
	fresh();
	for (int i = 0; i < COUNT; i++)
		got[i] = -got[i];
	ok(!compare() && d.pattern == GK_PATTERN_NEGATED, "a wrong sign");
	fresh();
	for (int i = 0; i < COUNT; i++)
		got[i] += 3;
	ok(!compare() && d.pattern == GK_PATTERN_OFFSET && says("plus 3"), "a summand");
	fresh();
	for (int i = 0; i < COUNT; i++)
		got[i] = NAN;
	ok(!compare() && d.pattern == GK_PATTERN_ALL_NAN, "all NaN");
	for (int i = 0; i < COUNT; i++)
		got[i] = 1.5f;
	ok(!compare() && d.pattern == GK_PATTERN_CONSTANT && says("all 1.5"), "a constant");
	for (int i = 0; i < COUNT; i++)
		got[i] = (float)gk_round_significand(want[i], 11);
	ok(!compare() && d.pattern == GK_PATTERN_PRECISION && d.ulps.max > 100 && says("ieee"), "lower precision, with the cure");
	for (int i = 0; i < COUNT; i++)
		got[i] = (float)(want[i] * (1 + 0.37 * ((i * 7919) % 13)));
	ok(!compare() && d.pattern == GK_PATTERN_NONE, "nothing is claimed where nothing is recognised");
}

static void infinities_are_an_overflow(void)
{
	fresh();
	got[5] = INFINITY;
	got[99] = -INFINITY;
	ok(!compare() && d.wrong == 2 && d.pattern == GK_PATTERN_OVERFLOW && says("(overflow)"), "where numbers are expected");
	ok(d.ulps.apart == 2 && d.ulps.count == COUNT, "they have no distance");
}

static void moves_are_recognised(void)
{
	fresh();
	for (int r = 0; r < ROWS; r++)
		for (int c = 0; c < COLUMNS; c++)
			got[r * COLUMNS + c] = (float)want[r * COLUMNS + COLUMNS - 1 - c];
	ok(!compare() && d.pattern == GK_PATTERN_FLIPPED && says("dimension 1"), "reversed");
	for (int r = 0; r < ROWS; r++)
		for (int c = 0; c < COLUMNS; c++)
			got[c * ROWS + r] = (float)want[r * COLUMNS + c];
	ok(!compare() && d.pattern == GK_PATTERN_TRANSPOSED, "transposed");
	for (int i = 0; i < COUNT; i++)
		got[i] = (float)want[i % COLUMNS ? i - 1 : i];
	ok(!compare() && d.pattern == GK_PATTERN_SHIFTED && says("element i - 1"), "shifted by one");
	for (int i = 0; i < COUNT; i++)
		got[i] = (float)want[i % COLUMNS < 44 ? i + 16 : i];
	ok(!compare() && d.pattern == GK_PATTERN_SHIFTED && says("element i + 16"), "or by a block");
	for (int i = 0; i < COUNT; i++)
		got[i] = (float)want[i % COLUMNS];
	ok(!compare() && d.pattern == GK_PATTERN_BROADCAST && says("each index of dimension 0 holds what belongs to index 0"),
	   "rows that are all the first");
}

static bool one(enum gk_dtype dtype, double value, double expected)
{
	uint64_t element = 0;
	struct gk_comparison c = {.dtype = dtype,
	                          .want_dtype = GK_F64,
	                          .rank = 0,
	                          .got = &element,
	                          .want = &expected,
	                          .tolerance = gk_tolerance_row(dtype, GK_OP_ELEMENTWISE, 0)};

	gk_dtype_store(dtype, &element, value);
	return gk_compare(&c, &d);
}

static void specials_have_rules(void)
{
	ok(one(GK_F32, NAN, NAN) && !one(GK_F32, 1, NAN) && !one(GK_F32, NAN, 1), "NaN only for NaN");
	ok(one(GK_F32, INFINITY, INFINITY) && !one(GK_F32, -INFINITY, INFINITY), "infinities by sign");
	ok(!one(GK_F32, 3e38, INFINITY) && !one(GK_F32, INFINITY, 1e30), "a large number is no infinity");
	ok(one(GK_F16, INFINITY, 70000) && one(GK_F16, -INFINITY, -1e9),
	   "what overflows float16 may be infinite");
	ok(!one(GK_F16, INFINITY, 60000) && one(GK_F16, 65504, 65510), "and what does not may not");
	ok(one(GK_F8E4M3FN, NAN, INFINITY) && one(GK_F8E4M3FN, 448, 1000) && !one(GK_F8E4M3FN, 448, -1000),
	   "a format without infinities saturates or gives NaN");
	ok(one(GK_F32, -0.0, 0) && one(GK_F32, 0, 0) && !one(GK_F32, 1e-30, 0),
	   "zero has a sign that nobody minds");
	ok(one(GK_F16, 0x1p-24, 0x1p-24) && one(GK_F16, 0, 0x1p-25), "half a subnormal may be lost");
}

static bool with(struct gk_comparison c, int count)
{
	c.dtype = GK_F32;
	c.want_dtype = GK_F64;
	c.rank = 1;
	c.shape[0] = count;
	c.got = got;
	c.want = want;
	return gk_compare(&c, &d);
}

static void signs_of_zeros_count_where_they_are_declared(void)
{
	struct gk_comparison near_enough = {.tolerance = gk_tolerance_row(GK_F32, GK_OP_ELEMENTWISE, 0)};
	struct gk_comparison exact = {.tolerance = {.exact = true}};

	fresh();
	want[70] = 0;
	got[70] = -0.0f;
	ok(with(near_enough, COUNT), "they do not by themselves");
	near_enough.signed_zeros = exact.signed_zeros = true;
	ok(!with(near_enough, COUNT) && d.wrong == 1 && d.first[0] == 70 && d.pattern == GK_PATTERN_ZERO_SIGN &&
	           says("zeros with the wrong sign"), "and then alone");
	for (int i = 0; i < COUNT; i++)
		want[i] = got[i];
	ok(with(exact, COUNT), "the right sign is right");
	want[70] = 0;
	ok(!with(exact, COUNT) && d.wrong == 1, "of exact outputs as well");
}

static void lost_special_values_are_named(void)
{
	fresh();
	want[3] = want[900] = NAN;
	ok(!compare() && d.wrong == 2 && d.pattern == GK_PATTERN_NAN_LOST && says("a NaN among the inputs got lost"), "a lost NaN");
	fresh();
	want[3] = INFINITY;
	want[900] = -INFINITY;
	ok(!compare() && d.pattern == GK_PATTERN_INF_LOST && says("an infinity is expected"), "a lost infinity");
	got[3] = NAN;
	ok(!compare() && d.wrong == 2 && d.pattern == GK_PATTERN_NONE, "of two kinds no one is named");
}

/* One huge expected value must not make room for errors everywhere else. */
static void huge_values_do_not_hide_errors(void)
{
	struct gk_comparison c = {.tolerance = gk_tolerance_row(GK_F32, GK_OP_ELEMENTWISE, 0)};

	fresh();
	want[8] = 3.4028234e38;
	got[8] = (float)want[8];
	got[100] += 1;
	ok(with(c, COUNT), "against the mean of all, 1 more is nothing");
	c.has_specials = true;
	ok(!with(c, COUNT) && d.wrong == 1 && d.first[0] == 100, "with special values among the inputs it is seen");
	near(d.scale, 1, 0.1, "the scale is that of ordinary values");
}

static bool ints(enum gk_dtype dtype, int64_t value, int64_t expected)
{
	struct gk_comparison c = {.dtype = dtype,
	                          .want_dtype = dtype,
	                          .rank = 1,
	                          .shape = {1},
	                          .got = &value,
	                          .want = &expected,
	                          .tolerance = gk_tolerance_row(dtype, GK_OP_ELEMENTWISE, 0)};

	return gk_compare(&c, &d);
}

static void integers_are_exact(void)
{
	ok(ints(GK_I64, INT64_MAX, INT64_MAX) && !ints(GK_I64, INT64_MAX, INT64_MAX - 1),
	   "64-bit integers to the last bit");
	ok(ints(GK_I8, -1, 0xff) && !ints(GK_I8, 1, 2), "only the element's bytes count");
	ok(!ints(GK_BOOL, 2, 1), "a bool is 0 or 1");
}

static void exact_floats_are_exact(void)
{
	static uint16_t halves[3000], same[3000];
	struct gk_comparison c = {.dtype = GK_BF16,
	                          .want_dtype = GK_BF16,
	                          .rank = 1,
	                          .shape = {3000},
	                          .got = halves,
	                          .want = same,
	                          .tolerance = gk_tolerance_row(GK_BF16, GK_OP_EXACT, 0)};

	for (int i = 0; i < 3000; i++)
		halves[i] = same[i] = (uint16_t)(i * 21);
	halves[2999] = same[2999] = 0x7fc1;
	ok(gk_compare(&c, &d), "equal bytes are equal, NaN included");
	halves[1500]++;
	ok(!gk_compare(&c, &d) && d.first[0] == 1500, "one unit in the last place is not");
}

static void every_format_is_read_like_the_table(void)
{
	static const enum gk_dtype formats[] = {GK_F16, GK_BF16};
	static uint16_t halves[1 << 16];
	static double values[1 << 16];
	int bad = 0;

	for (size_t f = 0; f < gk_count_of(formats); f++) {
		struct gk_comparison c = {.dtype = formats[f],
		                          .want_dtype = GK_F64,
		                          .rank = 1,
		                          .shape = {1 << 16},
		                          .got = halves,
		                          .want = values,
		                          .tolerance = gk_tolerance_row(formats[f], GK_OP_EXACT, 0)};

		for (int i = 0; i < 1 << 16; i++) {
			halves[i] = (uint16_t)i;
			values[i] = gk_dtype_load(formats[f], &halves[i]);
		}
		bad += !gk_compare(&c, &d);
	}
	is_int(bad, 0, "the fast conversions agree with num/ for all 65536 patterns");
}

static void json_holds_the_figures(void)
{
	json_t *json;

	fresh();
	got[3] = NAN;
	compare();
	json = gk_difference_json(&d, 2);
	is_int(json_integer_value(json_object_get(json, "wrong")), 1, "wrong");
	is_text(json_string_value(json_object_get(json, "got")), "nan", "NaN is a word");
	is_int((long long)json_array_size(json_object_get(json, "map")), 32, "the map has 32 rows");
	json_decref(json);
}

/* Larger than one thread's part: what is right, and what is said of what is wrong, is the same as of a small one. */
static void large_outputs(void)
{
	enum { LARGE_ROWS = 1000, LARGE_COLUMNS = 777, LARGE = LARGE_ROWS * LARGE_COLUMNS };
	double *large_want = gk_alloc_array(LARGE, sizeof *large_want);
	float *large_got = gk_alloc_array(LARGE, sizeof *large_got);
	struct gk_comparison c = {.dtype = GK_F32, .want_dtype = GK_F64, .rank = 2, .shape = {LARGE_ROWS, LARGE_COLUMNS},
	                          .got = large_got, .want = large_want,
	                          .tolerance = gk_tolerance_row(GK_F32, GK_OP_ELEMENTWISE, 0)};
	struct gk_difference again;

	for (int i = 0; i < LARGE; i++) {
		large_want[i] = 1 + i % 1000 * 0.25;
		large_got[i] = (float)large_want[i];
	}
	large_got[LARGE - 5] = nextafterf(large_got[LARGE - 5], 2000);
	ok(gk_compare(&c, &d) && d.worst_ratio > 0, "a large output that is right, with the one that is farthest");
	ok(d.ulps.count == LARGE && d.ulps.max == 1, "every element is counted once");
	large_got[400000] = large_got[400001] = large_got[LARGE - 1] = 7777;
	ok(!gk_compare(&c, &d) && d.wrong == 3, "three that are wrong, in two parts");
	ok(d.first[0] == 400000 / LARGE_COLUMNS && d.first[1] == 400000 % LARGE_COLUMNS, "the first of them");
	ok(d.low[0] == d.first[0] && d.high[0] == LARGE_ROWS - 1, "and the box around all");
	gk_compare(&c, &again);
	ok(memcmp(&d, &again, sizeof d) == 0, "the same again");
	free(large_want);
	free(large_got);
}

int main(void)
{
	one_wrong_element_is_found();
	places_are_named();
	rhythms_are_named();
	values_are_recognised();
	infinities_are_an_overflow();
	moves_are_recognised();
	specials_have_rules();
	signs_of_zeros_count_where_they_are_declared();
	lost_special_values_are_named();
	huge_values_do_not_hide_errors();
	integers_are_exact();
	exact_floats_are_exact();
	every_format_is_read_like_the_table();
	json_holds_the_figures();
	large_outputs();
	return done_testing();
}
