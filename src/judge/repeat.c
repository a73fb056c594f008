#include "repeat.h"

#include <math.h>
#include <string.h>

#include "compare.h"
#include "describe.h"

enum { CHUNK = 4096 }; /* elements that are compared at once before any is looked at */

/* NaN is above all numbers, 0 above -0. */
static bool is_above(double x, double y)
{
	if (isnan(x) || isnan(y))
		return !isnan(y);
	return x > y || (x == y && signbit(y) && !signbit(x));
}

static void note(struct gk_repeat *r, const struct gk_tensor *t, size_t output, int64_t at, const void *a,
                 const void *b)
{
	double x = gk_element(t->dtype, a, at), y = gk_element(t->dtype, b, at);

	if (r->different++ == 0) {
		r->output = output;
		r->first = at;
		r->low = is_above(x, y) ? y : x;
		r->high = is_above(x, y) ? x : y;
	}
	if (output != r->output)
		return;
	r->output_different++;
	if (gk_dtype_is_float(t->dtype))
		r->max_ulps = fmax(r->max_ulps, gk_dtype_ulps(t->dtype, x, y));
}

static void compare_output(struct gk_repeat *r, const struct gk_tensor *t, size_t output, const char *a,
                           const char *b)
{
	int64_t count = gk_tensor_count(t);
	size_t size = gk_dtype_bytes(t->dtype);

	r->count += count;
	for (int64_t from = 0; from < count; from += CHUNK) {
		int64_t end = count - from < CHUNK ? count : from + CHUNK;

		if (memcmp(a + (size_t)from * size, b + (size_t)from * size, (size_t)(end - from) * size) ==
		    0)
			continue;
		for (int64_t i = from; i < end; i++)
			if (memcmp(a + (size_t)i * size, b + (size_t)i * size, size) != 0)
				note(r, t, output, i, a, b);
	}
}

void gk_repeat_compare(struct gk_repeat *repeat, const struct gk_tensor *outputs, size_t count,
                       const void *const *a, const void *const *b)
{
	*repeat = (struct gk_repeat){.is_there = true};
	for (size_t i = 0; i < count; i++)
		compare_output(repeat, &outputs[i], i, a[i], b[i]);
}

void gk_repeat_describe(struct gk_buf *out, const struct gk_repeat *r, const struct gk_tensor *outputs)
{
	const struct gk_tensor *t = &outputs[r->output];
	char text[256];

	gk_tensor_text(t, text, sizeof text);
	gk_buf_printf(
		out,
		"two executions on the same inputs differ in output %s %s: %lld of %lld elements; first at ",
		t->name, text, (long long)r->output_different, (long long)gk_tensor_count(t));
	gk_describe_index(out, t, r->first);
	gk_buf_printf(out, ": %.9g and %.9g", r->low, r->high);
	if (r->max_ulps > 0 && isfinite(r->max_ulps))
		gk_buf_printf(out, "; at most %.0f ulp apart", r->max_ulps);
}

json_t *gk_repeat_json(const struct gk_repeat *r, const struct gk_tensor *outputs)
{
	json_t *json =
		json_pack("{s:I, s:I}", "count", (json_int_t)r->count, "different", (json_int_t)r->different);

	if (r->different == 0)
		return json;
	json_object_set_new(json, "output", json_string(outputs[r->output].name));
	json_object_set_new(json, "first", json_integer(r->first));
	json_object_set_new(json, "low", gk_number_json(r->low));
	json_object_set_new(json, "high", gk_number_json(r->high));
	json_object_set_new(json, "max_ulp", gk_number_json(r->max_ulps));
	return json;
}
