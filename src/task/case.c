#include "parts.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

#define MAX_CASE_KEYS 32

#define MISALIGNED " (misaligned)"

const char *const gk_special_names[] = {"nan", "inf", "-inf", "-0.0", "subnormal", "max", "-max", NULL};

static const char *const operation_names[] = {"elementwise", "reduction", "dot", "exact", NULL};

char *gk_case_id_of(struct gk_arena *arena, const json_t *params, const char *tail)
{
	gk_buf_auto id = GK_BUF_INIT;
	char number[32];
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)params, key, value) {
		gk_buf_printf(&id, "%s%s=", id.size ? "," : "", key);
		if (json_is_string(value))
			gk_text_add_safe(&id, json_string_value(value), json_string_length(value), 64, false);
		else if (json_is_boolean(value))
			gk_buf_add_text(&id, json_is_true(value) ? "true" : "false");
		else if (json_is_integer(value))
			gk_buf_printf(&id, "%lld", (long long)json_integer_value(value));
		else {
			gk_text_number(json_real_value(value), number);
			gk_buf_add_text(&id, number);
		}
	}
	gk_buf_add_text(&id, tail);
	return gk_arena_string(arena, gk_buf_text(&id));
}

int gk_case_check_value(const struct gk_node *at, struct gk_err *e)
{
	int index;

	if (at->key && strcmp(at->key, "dtype") == 0)
		return gk_node_choice(at, gk_dtype_names, &index, e);
	if (json_is_number(at->value) || json_is_boolean(at->value) || json_is_string(at->value))
		return 0;
	return gk_node_fail(at, e, "an integer, a number, true, false or a text is needed");
}

static int read_use(const struct gk_node *at, struct gk_case *one, struct gk_err *e)
{
	static const char *const uses[] = {"exec", "perf", NULL};

	if (!at->value) {
		one->exec = true;
		return 0;
	}
	if (gk_node_array(at, 2, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		int use;

		if (gk_node_choice(&item, uses, &use, e) < 0)
			return -1;
		*(use ? &one->perf : &one->exec) = true;
	}
	return one->exec || one->perf ? 0 : gk_node_fail(at, e, "exec, perf or both are needed");
}

/* -0.0 is a number to YAML. */
static bool is_minus_zero(const json_t *value)
{
	return json_is_real(value) && json_real_value(value) == 0 && signbit(json_real_value(value));
}

int gk_task_read_specials(const struct gk_node *at, unsigned *set, struct gk_err *e)
{
	*set = 0;
	if (gk_node_array(at, GK_SPECIAL_COUNT, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		int special = GK_SPECIAL_MINUS_ZERO;

		if (!is_minus_zero(item.value) && gk_node_choice(&item, gk_special_names, &special, e) < 0)
			return -1;
		*set |= 1u << special;
	}
	return 0;
}

/* What a case says to geak, besides its parameters. */
static int read_flags(const struct gk_node *at, const struct gk_task *task, struct gk_case *one, struct gk_err *e)
{
	struct gk_node use = gk_node_key(at, "use"), cpu = gk_node_key(at, "cpu");
	struct gk_node misaligned = gk_node_key(at, "misaligned"), specials = gk_node_key(at, "specials");

	if (read_use(&use, one, e) < 0 || (cpu.value && gk_node_bool(&cpu, &one->cpu, e) < 0) ||
	    (misaligned.value && gk_node_bool(&misaligned, &one->misaligned, e) < 0))
		return -1;
	one->specials = one->exec ? task->specials : 0;
	if (!specials.value)
		return 0;
	if (!one->exec)
		return gk_node_fail(&specials, e, "special values are for cases with use: [exec]");
	return gk_task_read_specials(&specials, &one->specials, e);
}

static bool is_own_key(const char *key)
{
	static const char *const keys[] = {"use", "cpu", "misaligned", "specials"};

	for (size_t i = 0; i < gk_count_of(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static int read_case_params(const struct gk_node *at, struct gk_case *one, struct gk_err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach (at->value, key, value) {
		struct gk_node member = gk_node_key(at, key);

		if (is_own_key(key))
			continue;
		if (!gk_is_identifier(key))
			return gk_node_fail(&member, e, "a parameter's name must be a Python name");
		if (gk_case_check_value(&member, e) < 0)
			return -1;
		json_object_set(one->params, key, value);
	}
	if (!json_object_size(one->params) || json_object_size(one->params) > MAX_CASE_KEYS)
		return gk_node_fail(at, e, "from 1 to %d parameters are needed", MAX_CASE_KEYS);
	return 0;
}

/* The oracle reads every parameter of every case: the first case says which there are. */
static int check_same_keys(const struct gk_node *at, const json_t *first, const json_t *params, struct gk_err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)first, key, value) {
		struct gk_node member = gk_node_key(at, key);

		if (!json_object_get(params, key))
			return gk_node_fail(&member, e, "is missing: cases[0] has it");
	}
	json_object_foreach ((json_t *)params, key, value) {
		struct gk_node member = gk_node_key(at, key);

		if (!json_object_get(first, key))
			return gk_node_fail(&member, e, "cases[0] does not have it");
	}
	return 0;
}

static int check_new(const struct gk_node *at, const struct gk_task *task, const char *id, struct gk_err *e)
{
	for (size_t i = 0; i < task->case_count; i++)
		if (strcmp(task->cases[i].id, id) == 0)
			return gk_node_fail(at, e, "the same parameters as cases[%zu]", i);
	return 0;
}

static int read_case(const struct gk_node *at, struct gk_task *task, struct gk_err *e)
{
	struct gk_case *one = &task->cases[task->case_count];

	if (gk_node_object(at, e) < 0)
		return -1;
	one->params = json_object(); /* released with the task, as it is counted below whatever happens */
	if (read_flags(at, task, one, e) < 0 || read_case_params(at, one, e) < 0 ||
	    check_same_keys(at, task->cases[0].params, one->params, e) < 0)
		return -1;
	one->id = gk_case_id_of(&task->arena, one->params, one->misaligned ? MISALIGNED : "");
	return check_new(at, task, one->id, e);
}

int gk_task_read_cases(const struct gk_node *at, struct gk_task *task, struct gk_err *e)
{
	bool has_exec = false;

	if (gk_node_array(at, GK_TASK_MAX_CASES, e) < 0)
		return -1;
	if (!gk_node_count(at))
		return gk_node_fail(at, e, "a task needs at least one case");
	task->cases = gk_arena_array(&task->arena, gk_node_count(at), sizeof *task->cases);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		int result = read_case(&item, task, e);

		task->case_count++;
		if (result < 0)
			return -1;
		has_exec |= task->cases[i].exec;
	}
	return has_exec ? 0 : gk_node_fail(at, e, "at least one case with use: [exec] is needed");
}

static int check_length(const struct gk_node *at, const struct gk_task *task, struct gk_err *e)
{
	const json_t *value;

	if (!task->tolerance.length)
		return 0;
	value = json_object_get(task->cases[0].params, task->tolerance.length);
	if (!json_is_integer(value))
		return gk_node_fail(at, e, "%s is no integer parameter of the cases", task->tolerance.length);
	return 0;
}

static int check_override(const struct gk_node *at, struct gk_task_tolerance *t, struct gk_err *e)
{
	struct gk_node rtol = gk_node_key(at, "rtol"), atol = gk_node_key(at, "atol");
	struct gk_node reason = gk_node_key(at, "reason");

	t->overridden = rtol.value || atol.value;
	if (!t->overridden)
		return 0;
	if (!reason.value || !t->reason[0])
		return gk_node_fail(&reason, e, "is missing: say why the table's tolerance is not right here");
	if (!(t->rtol >= 0 && t->rtol <= 1))
		return gk_node_fail(&rtol, e, "a number from 0 to 1 is needed");
	return t->atol >= 0 ? 0 : gk_node_fail(&atol, e, "a number of at least 0 is needed");
}

int gk_task_read_tolerance(const struct gk_node *at, struct gk_task *task, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"operation", GK_FIELD_CHOICE, offsetof(struct gk_task_tolerance, operation), true, 0, 0,
	         operation_names, NULL},
		{"length", GK_FIELD_STRING, offsetof(struct gk_task_tolerance, length), false, 0, 0, NULL, NULL},
		{"rtol", GK_FIELD_DOUBLE, offsetof(struct gk_task_tolerance, rtol), false, 0, 0, NULL, NULL},
		{"atol", GK_FIELD_DOUBLE, offsetof(struct gk_task_tolerance, atol), false, 0, 0, NULL, NULL},
		{"reason", GK_FIELD_STRING, offsetof(struct gk_task_tolerance, reason), false, 0, 0, NULL, NULL},
	};
	struct gk_node length = gk_node_key(at, "length");

	if (gk_node_decode(at, fields, gk_count_of(fields), &task->tolerance, &task->arena, e) < 0 ||
	    check_override(at, &task->tolerance, e) < 0)
		return -1;
	return check_length(&length, task, e);
}
