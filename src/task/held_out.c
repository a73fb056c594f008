/*
 * Cases that nobody has seen: a generator names for each parameter a range, a
 * choice or multiples, and a limit on products of sizes. The same seed draws
 * the same cases everywhere.
 */
#include "parts.h"

#include <string.h>

#include "base/memory.h"
#include "num/random.h"

#define MAX_SIZE        ((int64_t)1 << 40)
#define MAX_CHOICES     64
#define TRIES_PER_CASE  1000

static int check_bounds(const struct gk_node *at, size_t count, struct gk_err *e)
{
	int64_t numbers[3];

	if (gk_node_array(at, count, e) < 0)
		return -1;
	if (gk_node_count(at) != count)
		return gk_node_fail(at, e, count == 2 ? "[FROM, TO] is needed" : "[STEP, FROM, TO] is needed");
	for (size_t i = 0; i < count; i++) {
		struct gk_node item = gk_node_item(at, i);

		if (gk_node_int(&item, i + 2 < count ? 1 : -MAX_SIZE, MAX_SIZE, &numbers[i], e) < 0)
			return -1;
	}
	if (numbers[count - 2] > numbers[count - 1])
		return gk_node_fail(at, e, "nothing lies between %lld and %lld", (long long)numbers[count - 2],
		                    (long long)numbers[count - 1]);
	return 0;
}

/* Some multiple of step must lie in between: the first at or above from. */
static int64_t first_multiple(int64_t step, int64_t from)
{
	int64_t below = from / step * step;

	return below >= from ? below : below + step;
}

static int check_multiple(const struct gk_node *at, struct gk_err *e)
{
	int64_t step, from, to;

	if (check_bounds(at, 3, e) < 0)
		return -1;
	step = json_integer_value(json_array_get(at->value, 0));
	from = json_integer_value(json_array_get(at->value, 1));
	to = json_integer_value(json_array_get(at->value, 2));
	return first_multiple(step, from) <= to ? 0 : gk_node_fail(at, e, "no multiple lies in the range");
}

static int check_choice(const struct gk_node *at, const char *name, struct gk_err *e)
{
	if (gk_node_array(at, MAX_CHOICES, e) < 0)
		return -1;
	if (!gk_node_count(at))
		return gk_node_fail(at, e, "at least one value is needed");
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		int index;

		if (strcmp(name, "dtype") == 0 ? gk_node_choice(&item, gk_dtype_names, &index, e) < 0
		                               : gk_case_check_value(&item, e) < 0)
			return -1;
	}
	return 0;
}

static int check_generator(const struct gk_node *at, struct gk_err *e)
{
	static const char *const keys[] = {"range", "choice", "multiple", NULL};
	struct gk_node range = gk_node_key(at, "range"), choice = gk_node_key(at, "choice");
	struct gk_node multiple = gk_node_key(at, "multiple");

	if (gk_node_object(at, e) < 0 || gk_node_known_keys(at, keys, e) < 0)
		return -1;
	if (json_object_size(at->value) != 1)
		return gk_node_fail(at, e, "one of range, choice and multiple is needed");
	if (range.value)
		return check_bounds(&range, 2, e);
	return choice.value ? check_choice(&choice, at->key, e) : check_multiple(&multiple, e);
}

static int check_params(const struct gk_node *at, const struct gk_task *task, struct gk_err *e)
{
	const json_t *first = task->cases[0].params;
	const char *key;
	json_t *value;

	if (gk_node_object(at, e) < 0)
		return -1;
	json_object_foreach (at->value, key, value) {
		struct gk_node member = gk_node_key(at, key);

		if (!json_object_get(first, key))
			return gk_node_fail(&member, e, "the cases have no such parameter");
		if (check_generator(&member, e) < 0)
			return -1;
	}
	json_object_foreach ((json_t *)first, key, value) {
		struct gk_node member = gk_node_key(at, key);

		if (!member.value)
			return gk_node_fail(&member, e, "is missing: the cases have it");
	}
	return 0;
}

static int check_limit(const struct gk_node *at, const struct gk_task *task, struct gk_err *e)
{
	static const char *const keys[] = {"product", "most", NULL};
	struct gk_node product = gk_node_key(at, "product"), most = gk_node_key(at, "most");
	int64_t number;

	if (!at->value)
		return 0;
	if (gk_node_object(at, e) < 0 || gk_node_known_keys(at, keys, e) < 0 ||
	    gk_node_array(&product, GK_TASK_MAX_PARAMS, e) < 0 || gk_node_int(&most, 1, MAX_SIZE, &number, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(&product); i++) {
		struct gk_node item = gk_node_item(&product, i);
		const char *name = "";

		if (gk_node_string(&item, &name, e) < 0)
			return -1;
		if (!json_is_integer(json_object_get(task->cases[0].params, name)))
			return gk_node_fail(&item, e, "%s is no integer parameter of the cases", name);
	}
	return 0;
}

int gk_task_read_held_out(const struct gk_node *at, struct gk_task *task, struct gk_err *e)
{
	static const char *const keys[] = {"params", "limit", NULL};
	struct gk_node params = gk_node_key(at, "params"), limit = gk_node_key(at, "limit");

	if (gk_node_object(at, e) < 0 || gk_node_known_keys(at, keys, e) < 0 || check_params(&params, task, e) < 0 ||
	    check_limit(&limit, task, e) < 0)
		return -1;
	task->held_out = json_incref(at->value);
	return 0;
}

/* ---- drawing ---- */

static int64_t between(struct gk_random *r, int64_t from, int64_t to)
{
	return from + (int64_t)gk_random_below(r, (uint64_t)(to - from) + 1);
}

static int64_t item(const json_t *array, size_t index)
{
	return json_integer_value(json_array_get(array, index));
}

static json_t *draw_value(struct gk_random *r, const json_t *generator)
{
	const json_t *range = json_object_get(generator, "range"), *choice = json_object_get(generator, "choice");
	const json_t *multiple = json_object_get(generator, "multiple");
	int64_t step, first;

	if (range)
		return json_integer(between(r, item(range, 0), item(range, 1)));
	if (choice)
		return json_incref(json_array_get(choice, gk_random_below(r, json_array_size(choice))));
	step = item(multiple, 0);
	first = first_multiple(step, item(multiple, 1));
	return json_integer(first + step * between(r, 0, (item(multiple, 2) - first) / step));
}

static bool within_limit(const json_t *limit, const json_t *params)
{
	int64_t most = json_integer_value(json_object_get(limit, "most")), product = 1;
	const json_t *names = json_object_get(limit, "product");
	json_t *name;
	size_t index;

	json_array_foreach (names, index, name)
		if (__builtin_mul_overflow(product, json_integer_value(json_object_get(params, json_string_value(name))),
		                           &product))
			return false;
	return !limit || product <= most;
}

/* Parameters are drawn in the order of the cases, so that ids look alike. */
static json_t *draw_params(const struct gk_task *task, struct gk_random *r)
{
	const json_t *generators = json_object_get(task->held_out, "params");
	json_t *params = json_object(), *value;
	const char *key;

	json_object_foreach (task->cases[0].params, key, value) {
		json_object_set_new(params, key, draw_value(r, json_object_get(generators, key)));
	}
	return params;
}

static bool is_known(const struct gk_task *task, const struct gk_case *cases, size_t count, const json_t *params)
{
	for (size_t i = 0; i < task->case_count; i++)
		if (json_equal(task->cases[i].params, params))
			return true;
	for (size_t i = 0; i < count; i++)
		if (json_equal(cases[i].params, params))
			return true;
	return false;
}

int gk_task_draw_held_out(struct gk_task *task, uint64_t seed, size_t count, struct gk_case **cases, size_t *drawn,
                          struct gk_err *e)
{
	const json_t *limit = json_object_get(task->held_out, "limit");
	struct gk_random r;

	*drawn = 0;
	*cases = gk_arena_array(&task->arena, count, sizeof **cases);
	if (!task->held_out)
		return 0;
	if (!task->drawn)
		task->drawn = json_array();
	gk_random_seed(&r, seed);
	for (size_t tries = 0; *drawn < count && tries < count * TRIES_PER_CASE; tries++) {
		json_t *params = draw_params(task, &r);

		if (!within_limit(limit, params) || is_known(task, *cases, *drawn, params)) {
			json_decref(params);
			continue;
		}
		json_array_append_new(task->drawn, params);
		(*cases)[(*drawn)++] = (struct gk_case){
			.id = gk_case_id_of(&task->arena, params, " (held out)"),
			.params = params,
			.exec = true,
			.cpu = true,
			.held_out = true,
			.specials = task->specials,
		};
	}
	if (count && !*drawn)
		return gk_err_set(e, GK_ERR_INPUT, "%s/task.yaml: held_out: no case keeps its limit", task->folder);
	return 0;
}
