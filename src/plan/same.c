/* Two plans side by side, as JSON in canonical numbering: the first place where they part makes the message.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "parts.h"

struct pair {
	const struct gk_plan_scalar *scalars;
	size_t scalar_count;
	char path[160]; /* of the place that is compared */
	char *why;
	size_t why_size;
};

/* The values of a scalar argument as the scalar would give them: {"t": .., "v"|"bits": ..}. */
static bool holds(const json_t *arg, double value)
{
	const char *type = json_string_value(json_object_get(arg, "t"));
	const json_t *number = json_object_get(arg, "v"), *bits = json_object_get(arg, "bits");
	enum gk_dtype dtype = type && strcmp(type, "f16") == 0    ? GK_F16
	                      : type && strcmp(type, "bf16") == 0 ? GK_BF16
	                      : type && strcmp(type, "f32") == 0  ? GK_F32
	                                                          : GK_F64;
	uint64_t wanted = 0;

	if (json_is_integer(number))
		return (double)json_integer_value(number) == value;
	if (!json_is_string(bits))
		return false;
	gk_dtype_store(dtype, &wanted, value);
	return strtoull(json_string_value(bits) + 2, NULL, 16) == wanted;
}

/* A difference in a scalar argument that is explained by a scalar that stands for data. */
static bool is_explained(const struct pair *p, const json_t *a, const json_t *b)
{
	const char *x = json_string_value(json_object_get(a, "t")),
		   *y = json_string_value(json_object_get(b, "t"));

	if (!x || !y || strcmp(x, y) != 0)
		return false;
	for (size_t i = 0; i < p->scalar_count; i++)
		if (holds(a, p->scalars[i].a) && holds(b, p->scalars[i].b))
			return true;
	return false;
}

static bool differ(struct pair *p, const json_t *a, const json_t *b)
{
	gk_free_auto char *x = a ? json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	gk_free_auto char *y = b ? json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	snprintf(p->why, p->why_size, "%s: %.60s against %.60s", p->path, x ? x : "nothing",
	         y ? y : "nothing");
	return false;
}

static bool same(struct pair *p, const json_t *a, const json_t *b);

/* Compares a part of two values under a longer path, which is taken back only when they agree. */
static bool same_part(struct pair *p, const json_t *a, const json_t *b, const char *key, size_t index)
{
	size_t used = strlen(p->path);
	bool agree;

	if (key)
		snprintf(p->path + used, sizeof p->path - used, "%s%.24s", used ? "." : "", key);
	else
		snprintf(p->path + used, sizeof p->path - used, "[%zu]", index);
	agree = a && b ? same(p, a, b) : differ(p, a, b);
	if (agree)
		p->path[used] = '\0';
	return agree;
}

static bool same_object(struct pair *p, const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)a, key, value)
	{
		if (!same_part(p, value, json_object_get(b, key), key, 0))
			return false;
	}
	json_object_foreach((json_t *)(uintptr_t)b, key, value)
	{
		if (!json_object_get(a, key))
			return same_part(p, NULL, value, key, 0);
	}
	return true;
}

static bool same(struct pair *p, const json_t *a, const json_t *b)
{
	if (json_typeof(a) != json_typeof(b))
		return differ(p, a, b);
	if (json_is_array(a)) {
		size_t count =
			json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);

		for (size_t i = 0; i < count; i++)
			if (!same_part(p, json_array_get(a, i), json_array_get(b, i), NULL, i))
				return false;
		return true;
	}
	if (json_is_object(a))
		return (p->scalar_count && is_explained(p, a, b)) || same_object(p, a, b);
	return json_equal(a, b) || differ(p, a, b);
}

bool gk_plan_is_same(const struct gk_plan *a, const struct gk_plan *b, const struct gk_plan_scalar *scalars,
                     size_t scalar_count, char *why, size_t why_size)
{
	static const char *const order[] = {"ir",    "target",  "kernels", "prologue",
	                                    "steps", "buffers", "outputs"};
	gk_json_auto *x = gk_plan_canonical(a);
	gk_json_auto *y = gk_plan_canonical(b);
	struct pair pair = {
		.scalars = scalars, .scalar_count = scalar_count, .why = why, .why_size = why_size};

	for (size_t i = 0; i < gk_count_of(order); i++)
		if (!same_part(&pair, json_object_get(x, order[i]), json_object_get(y, order[i]), order[i],
		               0))
			return false;
	return true;
}
