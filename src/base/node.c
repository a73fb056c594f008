#include "doc.h"

#include <stdarg.h>
#include <string.h>

#include "buf.h"
#include "doc_line.h"
#include "memory.h"
#include "text.h"

#undef gk_node_fail /* see doc.h: it is defined here */

#define MAX_QUOTE_BYTES 60
#define MAX_PATH_DEPTH  (GK_DOC_MAX_DEPTH + 1)

struct gk_node gk_node_root(const struct gk_doc *doc)
{
	return (struct gk_node){.doc = doc, .value = doc->root};
}

struct gk_node gk_node_key(const struct gk_node *object, const char *key)
{
	return (struct gk_node){
		.doc = object->doc,
		.parent = object,
		.value = json_object_get(object->value, key),
		.key = key,
	};
}

struct gk_node gk_node_item(const struct gk_node *array, size_t index)
{
	return (struct gk_node){
		.doc = array->doc,
		.parent = array,
		.value = json_array_get(array->value, index),
		.index = index,
	};
}

size_t gk_node_count(const struct gk_node *array)
{
	return json_array_size(array->value);
}

static void add_path(struct gk_buf *out, const struct gk_node *at)
{
	const struct gk_node *way[MAX_PATH_DEPTH] = {0};
	int depth = 0;

	for (; at->parent && depth < MAX_PATH_DEPTH; at = at->parent)
		way[depth++] = at;
	while (depth--) {
		if (!way[depth]->key) {
			gk_buf_printf(out, "[%zu]", way[depth]->index);
			continue;
		}
		if (out->size)
			gk_buf_add_char(out, '.');
		gk_text_add_safe(out, way[depth]->key, strlen(way[depth]->key), MAX_QUOTE_BYTES, false);
	}
}

/* An absent key has no line: its object's is the nearest. */
static int64_t line_near(const struct gk_node *at)
{
	int64_t line = 0;

	for (; at && !line; at = at->parent)
		line = gk_doc_line_of(at->doc, at->parent ? at->parent->value : NULL, at->key, at->index, at->value);
	return line;
}

int gk_node_fail(const struct gk_node *at, struct gk_err *e, const char *format, ...)
{
	gk_buf_auto path = GK_BUF_INIT;
	gk_buf_auto text = GK_BUF_INIT;
	int64_t line = line_near(at);
	char number[32] = "";
	va_list arguments;

	va_start(arguments, format);
	gk_buf_vprintf(&text, format, arguments);
	va_end(arguments);
	add_path(&path, at);
	if (line)
		snprintf(number, sizeof number, ":%lld", (long long)line);
	return gk_err_set(e, GK_ERR_INPUT, "%s%s: %s%s%s", at->doc->name ? at->doc->name : "?", number,
	                  gk_buf_text(&path), path.size ? ": " : "", gk_buf_text(&text));
}

static void add_found(struct gk_buf *out, const json_t *value)
{
	char number[32];

	switch (json_typeof(value)) {
	case JSON_STRING:
		gk_buf_add_char(out, '"');
		gk_text_add_safe(out, json_string_value(value), json_string_length(value), MAX_QUOTE_BYTES, false);
		gk_buf_add_char(out, '"');
		return;
	case JSON_INTEGER:
		gk_buf_printf(out, "%lld", (long long)json_integer_value(value));
		return;
	case JSON_REAL:
		gk_text_number(json_real_value(value), number);
		gk_buf_add_text(out, number);
		return;
	default:
		gk_buf_add_text(out, json_is_true(value)    ? "true"
		                     : json_is_false(value) ? "false"
		                     : json_is_null(value)  ? "null"
		                     : json_is_array(value) ? "a list"
		                                            : "a mapping");
	}
}

static int refuse(const struct gk_node *at, const char *needed, struct gk_err *e)
{
	gk_buf_auto found = GK_BUF_INIT;

	if (!at->value)
		return gk_node_fail(at, e, "is missing: %s is needed", needed);
	add_found(&found, at->value);
	return gk_node_fail(at, e, "%s is needed, not %s", needed, gk_buf_text(&found));
}

static int refuse_int(const struct gk_node *at, int64_t min, int64_t max, struct gk_err *e)
{
	char needed[96];

	if (min == INT64_MIN && max == INT64_MAX)
		snprintf(needed, sizeof needed, "an integer");
	else if (max == INT64_MAX)
		snprintf(needed, sizeof needed, "an integer, at least %lld,", (long long)min);
	else
		snprintf(needed, sizeof needed, "an integer from %lld to %lld", (long long)min, (long long)max);
	return refuse(at, needed, e);
}

int gk_node_int(const struct gk_node *at, int64_t min, int64_t max, int64_t *value, struct gk_err *e)
{
	json_int_t found = json_integer_value(at->value);

	if (!json_is_integer(at->value) || found < min || found > max)
		return refuse_int(at, min, max, e);
	*value = found;
	return 0;
}

int gk_node_double(const struct gk_node *at, double *value, struct gk_err *e)
{
	if (!json_is_number(at->value))
		return refuse(at, "a number", e);
	*value = json_number_value(at->value);
	return 0;
}

int gk_node_bool(const struct gk_node *at, bool *value, struct gk_err *e)
{
	if (!json_is_boolean(at->value))
		return refuse(at, "true or false", e);
	*value = json_is_true(at->value);
	return 0;
}

int gk_node_string(const struct gk_node *at, const char **value, struct gk_err *e)
{
	if (!json_is_string(at->value))
		return refuse(at, "a text", e);
	*value = json_string_value(at->value);
	return 0;
}

static int refuse_choice(const struct gk_node *at, const char *const *names, struct gk_err *e)
{
	const char *text = json_string_value(at->value);
	const char *nearest = text ? gk_text_nearest(text, names) : NULL;
	gk_buf_auto needed = GK_BUF_INIT;

	gk_buf_add_text(&needed, names[0] && names[1] ? "one of" : "the word");
	for (size_t i = 0; names[i]; i++)
		gk_buf_printf(&needed, "%s %s", i ? "," : "", names[i]);
	if (!nearest)
		return refuse(at, gk_buf_text(&needed), e);
	return gk_node_fail(at, e, "%s is needed, not \"%s\": did you mean %s?", gk_buf_text(&needed), text, nearest);
}

int gk_node_choice(const struct gk_node *at, const char *const *names, int *value, struct gk_err *e)
{
	const char *text = json_string_value(at->value);

	for (int i = 0; text && names[i]; i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		*value = i;
		return 0;
	}
	return refuse_choice(at, names, e);
}

int gk_node_array(const struct gk_node *at, size_t max_count, struct gk_err *e)
{
	if (!json_is_array(at->value))
		return refuse(at, "a list", e);
	if (json_array_size(at->value) > max_count)
		return gk_node_fail(at, e, "at most %zu entries are allowed, here are %zu", max_count,
		                    json_array_size(at->value));
	return 0;
}

int gk_node_object(const struct gk_node *at, struct gk_err *e)
{
	return json_is_object(at->value) ? 0 : refuse(at, "a mapping", e);
}

static bool is_known(const char *key, const char *const *names)
{
	while (*names && strcmp(key, *names) != 0)
		names++;
	return *names != NULL;
}

int gk_node_known_keys(const struct gk_node *object, const char *const *names, struct gk_err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach (object->value, key, value) {
		struct gk_node member = gk_node_key(object, key);
		const char *nearest;

		if (is_known(key, names))
			continue;
		nearest = gk_text_nearest(key, names);
		if (nearest)
			return gk_node_fail(&member, e, "unknown key: did you mean %s?", nearest);
		return gk_node_fail(&member, e, "unknown key");
	}
	return 0;
}

static int decode_field(const struct gk_node *at, const struct gk_field *field, void *out, struct gk_arena *arena,
                        struct gk_err *e)
{
	bool any = !field->min && !field->max;
	void *place = (char *)out + field->offset;
	const char *text = NULL;

	switch (field->kind) {
	case GK_FIELD_INT:
		return gk_node_int(at, any ? INT64_MIN : field->min, any ? INT64_MAX : field->max, place, e);
	case GK_FIELD_DOUBLE:
		return gk_node_double(at, place, e);
	case GK_FIELD_BOOL:
		return gk_node_bool(at, place, e);
	case GK_FIELD_STRING:
		if (gk_node_string(at, &text, e) < 0)
			return -1;
		*(char **)place = gk_arena_string(arena, text);
		return 0;
	case GK_FIELD_CHOICE:
		return gk_node_choice(at, field->choices, place, e);
	case GK_FIELD_NODE:
		return field->decode(at, place, arena, e);
	}
	gk_bug("field %s has kind %d", field->name, (int)field->kind);
}

int gk_node_decode(const struct gk_node *at, const struct gk_field *fields, size_t count, void *out,
                   struct gk_arena *arena, struct gk_err *e)
{
	gk_arena_auto scratch = {0};
	const char **names = gk_arena_array(&scratch, count + 1, sizeof *names);

	if (gk_node_object(at, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		names[i] = fields[i].name;
	if (gk_node_known_keys(at, names, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct gk_node member = gk_node_key(at, fields[i].name);

		if (!member.value && !fields[i].required)
			continue;
		if (!member.value)
			return gk_node_fail(&member, e, "is missing");
		if (decode_field(&member, &fields[i], out, arena, e) < 0)
			return -1;
	}
	return 0;
}
