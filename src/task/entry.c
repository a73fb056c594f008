/* The entry point: its name, its typed parameters and what it returns. */
#include "parts.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

#define MAX_RETURNS 16

static const char *const kind_names[] = {"tensor", "int", "float", "bool", "string", NULL};
static const char *const python_types[] = {"Tensor", "int", "float", "bool", "str"};

bool gk_is_identifier(const char *text)
{
	static const char *const keywords[] = {
		"False", "None",   "True",  "and",    "as",   "assert", "async",  "await",    "break",
		"class", "continue", "def", "del",    "elif", "else",   "except", "finally",  "for",
		"from",  "global", "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
		"or",    "pass",   "raise", "return", "try",  "while",  "with",   "yield",    NULL,
	};

	if (!isalpha((unsigned char)text[0]) && text[0] != '_')
		return false;
	for (const char *at = text; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '_')
			return false;
	for (size_t i = 0; keywords[i]; i++)
		if (strcmp(keywords[i], text) == 0)
			return false;
	return strlen(text) < 64;
}

static int read_identifier(const struct gk_node *at, struct gk_arena *arena, const char **name, struct gk_err *e)
{
	const char *text = "";

	if (gk_node_string(at, &text, e) < 0)
		return -1;
	if (!gk_is_identifier(text))
		return gk_node_fail(at, e, "a Python name is needed, not \"%s\"", text);
	*name = gk_arena_string(arena, text);
	return 0;
}

static int decode_identifier(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	return read_identifier(at, arena, out, e);
}

int gk_task_read_names(const struct gk_node *at, struct gk_arena *arena, const char ***names, size_t *count,
                       struct gk_err *e)
{
	if (gk_node_array(at, 64, e) < 0)
		return -1;
	*count = gk_node_count(at);
	if (!*count)
		return gk_node_fail(at, e, "at least one name is needed");
	*names = gk_arena_array(arena, *count, sizeof **names);
	for (size_t i = 0; i < *count; i++) {
		struct gk_node item = gk_node_item(at, i);

		if (read_identifier(&item, arena, &(*names)[i], e) < 0)
			return -1;
	}
	return 0;
}

/* The default as Python writes it. Quotes in it are escaped, since the text goes into code. */
static int decode_default(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	const char **text = out;
	char number[32];

	if (json_is_null(at->value))
		*text = "None";
	else if (json_is_boolean(at->value))
		*text = json_is_true(at->value) ? "True" : "False";
	else if (json_is_integer(at->value))
		*text = gk_arena_printf(arena, "%lld", (long long)json_integer_value(at->value));
	else if (json_is_real(at->value)) {
		gk_text_number(json_real_value(at->value), number);
		*text = gk_arena_printf(arena, "%s%s", number, strpbrk(number, ".e") ? "" : ".0");
	} else if (json_is_string(at->value) && !strpbrk(json_string_value(at->value), "'\\\n\r"))
		*text = gk_arena_printf(arena, "'%s'", json_string_value(at->value));
	else
		return gk_node_fail(at, e, "a number, true, false, null or a plain text is needed");
	return 0;
}

static bool default_fits(const json_t *value, enum gk_param_kind kind)
{
	switch (kind) {
	case GK_PARAM_TENSOR:
		return json_is_null(value);
	case GK_PARAM_INT:
		return json_is_null(value) || json_is_integer(value);
	case GK_PARAM_FLOAT:
		return json_is_null(value) || json_is_number(value);
	case GK_PARAM_BOOL:
		return json_is_null(value) || json_is_boolean(value);
	case GK_PARAM_STRING:
		return json_is_null(value) || json_is_string(value);
	}
	return false;
}

static int check_param(const struct gk_node *at, const struct gk_task *task, struct gk_param *param,
                       struct gk_err *e)
{
	struct gk_node initial = gk_node_key(at, "default"), data = gk_node_key(at, "data");
	struct gk_node ordinary = gk_node_key(at, "ordinary");
	struct gk_node in_place = gk_node_key(at, "in_place"), name = gk_node_key(at, "name");
	const struct gk_param *before = task->param_count ? &task->params[task->param_count - 1] : NULL;

	for (size_t i = 0; i < task->param_count; i++)
		if (strcmp(task->params[i].name, param->name) == 0)
			return gk_node_fail(&name, e, "a parameter %s stands above", param->name);
	param->optional = initial.value != NULL;
	if (param->optional && !default_fits(initial.value, param->kind))
		return gk_node_fail(&initial, e, "no value for a parameter of kind %s", kind_names[param->kind]);
	if (!param->optional && before && before->optional)
		return gk_node_fail(at, e, "%s needs a default, since %s before it has one", param->name, before->name);
	if (param->data && param->kind == GK_PARAM_TENSOR)
		return gk_node_fail(&data, e, "tensors always are data: this is for scalars");
	if (param->ordinary && param->kind != GK_PARAM_TENSOR)
		return gk_node_fail(&ordinary, e, "special values are put into tensors alone");
	if (param->in_place && param->kind != GK_PARAM_TENSOR)
		return gk_node_fail(&in_place, e, "only tensors are written in place");
	return 0;
}

static int read_param(const struct gk_node *at, struct gk_task *task, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"name", GK_FIELD_NODE, offsetof(struct gk_param, name), true, 0, 0, NULL, decode_identifier},
		{"kind", GK_FIELD_CHOICE, offsetof(struct gk_param, kind), true, 0, 0, kind_names, NULL},
		{"default", GK_FIELD_NODE, offsetof(struct gk_param, default_text), false, 0, 0, NULL, decode_default},
		{"data", GK_FIELD_BOOL, offsetof(struct gk_param, data), false, 0, 0, NULL, NULL},
		{"in_place", GK_FIELD_BOOL, offsetof(struct gk_param, in_place), false, 0, 0, NULL, NULL},
		{"ordinary", GK_FIELD_BOOL, offsetof(struct gk_param, ordinary), false, 0, 0, NULL, NULL},
	};
	struct gk_param *param = &task->params[task->param_count];

	if (gk_node_decode(at, fields, gk_count_of(fields), param, &task->arena, e) < 0 ||
	    check_param(at, task, param, e) < 0)
		return -1;
	task->param_count++;
	return 0;
}

static int decode_params(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	struct gk_task *task = out;

	if (gk_node_array(at, GK_TASK_MAX_PARAMS, e) < 0)
		return -1;
	if (!gk_node_count(at))
		return gk_node_fail(at, e, "at least one parameter is needed");
	task->params = gk_arena_array(arena, gk_node_count(at), sizeof *task->params);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		if (read_param(&item, task, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_tensor_param(const struct gk_task *task, const char *name)
{
	for (size_t i = 0; i < task->param_count; i++)
		if (strcmp(task->params[i].name, name) == 0)
			return task->params[i].kind == GK_PARAM_TENSOR;
	return false;
}

static int read_return(const struct gk_node *at, struct gk_task *task, struct gk_return *result, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"name", GK_FIELD_NODE, offsetof(struct gk_return, name), true, 0, 0, NULL, decode_identifier},
		{"dtype", GK_FIELD_STRING, offsetof(struct gk_return, dtype), true, 0, 0, NULL, NULL},
	};
	struct gk_node dtype = gk_node_key(at, "dtype");
	int index;

	if (gk_node_decode(at, fields, gk_count_of(fields), result, &task->arena, e) < 0)
		return -1;
	if (!gk_text_starts(result->dtype, "like:"))
		return gk_node_choice(&dtype, gk_dtype_names, &index, e);
	if (!is_tensor_param(task, result->dtype + strlen("like:")))
		return gk_node_fail(&dtype, e, "%s is no tensor among entry.params", result->dtype + strlen("like:"));
	return 0;
}

/* Runs after the parameters have been read: the field table keeps the order. */
static int decode_returns(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	struct gk_task *task = out;

	if (gk_node_array(at, MAX_RETURNS, e) < 0)
		return -1;
	if (!gk_node_count(at))
		return gk_node_fail(at, e, "at least one returned tensor is needed");
	task->returns = gk_arena_array(arena, gk_node_count(at), sizeof *task->returns);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i), name = gk_node_key(&item, "name");

		if (read_return(&item, task, &task->returns[i], e) < 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (strcmp(task->returns[j].name, task->returns[i].name) == 0)
				return gk_node_fail(&name, e, "a return value %s stands above", task->returns[j].name);
	}
	task->return_count = gk_node_count(at);
	return 0;
}

static char *signature_of(struct gk_task *task)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(&text, "%s(", task->entry);
	for (size_t i = 0; i < task->param_count; i++) {
		const struct gk_param *param = &task->params[i];

		gk_buf_printf(&text, "%s%s: %s", i ? ", " : "", param->name, python_types[param->kind]);
		if (param->default_text)
			gk_buf_printf(&text, " = %s", param->default_text);
	}
	gk_buf_add_text(&text, ") -> ");
	for (size_t i = 0; i < task->return_count; i++)
		gk_buf_printf(&text, "%sTensor", i ? ", " : task->return_count > 1 ? "(" : "");
	if (task->return_count > 1)
		gk_buf_add_char(&text, ')');
	return gk_arena_string(&task->arena, gk_buf_text(&text));
}

int gk_task_read_entry(const struct gk_node *at, struct gk_task *task, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"name", GK_FIELD_NODE, offsetof(struct gk_task, entry), true, 0, 0, NULL, decode_identifier},
		{"params", GK_FIELD_NODE, 0, true, 0, 0, NULL, decode_params},
		{"returns", GK_FIELD_NODE, 0, true, 0, 0, NULL, decode_returns},
	};

	if (gk_node_decode(at, fields, gk_count_of(fields), task, &task->arena, e) < 0)
		return -1;
	task->signature = signature_of(task);
	return 0;
}
