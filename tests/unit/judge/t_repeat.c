/* Two executions, bit for bit: what differs is the same told from either side. */
#include "judge/repeat.h"

#include <math.h>
#include <string.h>

#include "tap.h"

enum { COUNT = 10000 };

static float first[COUNT], second[COUNT];
static int32_t counts[2][3] = {{1, 2, 3}, {1, 2, 3}};
static const struct gk_tensor outputs[2] = {
	{.name = "out",
         .dtype = GK_F32,
         .rank = 2,
         .shape = {100, 100},
         .strides = {100, 1},
         .bytes = sizeof first},
	{.name = "n", .dtype = GK_I32, .rank = 1, .shape = {3}, .strides = {1}, .bytes = sizeof counts[0]}};
static struct gk_repeat r, back;

static void compare(void)
{
	const void *a[] = {first, counts[0]}, *b[] = {second, counts[1]};

	gk_repeat_compare(&r, outputs, 2, a, b);
	gk_repeat_compare(&back, outputs, 2, b, a);
}

static void fresh(void)
{
	for (int i = 0; i < COUNT; i++)
		first[i] = second[i] = (float)sin(i);
	first[7] = second[7] = NAN;
}

static bool says(const char *words)
{
	gk_buf_auto a = GK_BUF_INIT, b = GK_BUF_INIT;

	gk_repeat_describe(&a, &r, outputs);
	gk_repeat_describe(&b, &back, outputs);
	if (strcmp(gk_buf_text(&a), gk_buf_text(&b)) == 0 && strstr(gk_buf_text(&a), words))
		return true;
	printf("# it says: %s, and: %s\n", gk_buf_text(&a), gk_buf_text(&b));
	return false;
}

int main(void)
{
	json_t *json;

	fresh();
	compare();
	ok(r.is_there && r.count == COUNT + 3 && r.different == 0, "the same bits, NaN included");
	second[9876] = nextafterf(second[9876], 2);
	second[5000] += 0x1p-20f;
	compare();
	is_int(r.different, 2, "each element that differs counts");
	ok(says("in output out float32[100, 100]: 2 of 10000 elements; first at [50, 0]: -0.987966418 and "
	        "-0.987965465"),
	   "from either side the same");
	ok(says("; at most 16 ulp apart"), "with the largest distance");
	fresh();
	second[3] = NAN;
	compare();
	ok(says(": 0.141120002 and nan") && isinf(r.max_ulps),
	   "NaN stands behind a number, and has no distance");
	json = gk_repeat_json(&r, outputs);
	is_text(json_string_value(json_object_get(json, "high")), "nan", "in JSON it is a word");
	json_decref(json);
	fresh();
	second[11] = -0.0f;
	first[11] = 0;
	counts[1][1] = 9;
	compare();
	ok(r.different == 2 && r.output == 0 && r.output_different == 1 && says("first at [0, 11]"),
	   "the bits of zeros count, and the first output that differs is told");
	fresh();
	compare();
	ok(r.output == 1 && says("in output n int32[3]: 1 of 3 elements; first at [1]: 2 and 9") &&
	           r.max_ulps == 0,
	   "integers have values and no last place");
	return done_testing();
}
