/* JSON out: one spelling for every value, whatever the version of jansson, since texts are hashed. */
#include "doc.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "memory.h"
#include "text.h"

struct writer {
	struct gk_buf out;
	int indent; /* spaces a level; 0: compact, with sorted keys */
};

static void write_value(struct writer *w, const json_t *value, int depth);

static void write_string(struct writer *w, const char *text, size_t size)
{
	gk_buf_add_char(&w->out, '"');
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			gk_buf_printf(&w->out, "\\%c", c);
		else if (c == '\n')
			gk_buf_add_text(&w->out, "\\n");
		else if (c == '\t')
			gk_buf_add_text(&w->out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			gk_buf_printf(&w->out, "\\u%04x", c);
		else
			gk_buf_add_char(&w->out, (char)c);
	}
	gk_buf_add_char(&w->out, '"');
}

/* A real stays a real when it is read back: 3 is written 3.0. */
static void write_real(struct writer *w, double value)
{
	char text[32];

	gk_text_number(value, text);
	gk_buf_add_text(&w->out, text);
	if (!strpbrk(text, ".en"))
		gk_buf_add_text(&w->out, ".0");
}

static void start_line(struct writer *w, int depth)
{
	if (w->indent)
		gk_buf_printf(&w->out, "\n%*s", depth * w->indent, "");
}

static void write_array(struct writer *w, const json_t *array, int depth)
{
	json_t *item;
	size_t index;

	gk_buf_add_char(&w->out, '[');
	json_array_foreach (array, index, item) {
		if (index)
			gk_buf_add_char(&w->out, ',');
		start_line(w, depth + 1);
		write_value(w, item, depth + 1);
	}
	if (json_array_size(array))
		start_line(w, depth);
	gk_buf_add_char(&w->out, ']');
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(struct writer *w, const json_t *object, int depth)
{
	size_t count = json_object_size(object), used = 0;
	const char **keys = gk_alloc_array(count + 1, sizeof *keys);
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)object, key, value)
		keys[used++] = key;
	if (!w->indent && count)
		qsort(keys, count, sizeof *keys, compare_keys);
	gk_buf_add_char(&w->out, '{');
	for (size_t i = 0; i < count; i++) {
		if (i)
			gk_buf_add_char(&w->out, ',');
		start_line(w, depth + 1);
		write_string(w, keys[i], strlen(keys[i]));
		gk_buf_add_text(&w->out, w->indent ? ": " : ":");
		write_value(w, json_object_get(object, keys[i]), depth + 1);
	}
	if (count)
		start_line(w, depth);
	gk_buf_add_char(&w->out, '}');
	free(keys);
}

static void write_value(struct writer *w, const json_t *value, int depth)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		write_object(w, value, depth);
		return;
	case JSON_ARRAY:
		write_array(w, value, depth);
		return;
	case JSON_STRING:
		write_string(w, json_string_value(value), json_string_length(value));
		return;
	case JSON_INTEGER:
		gk_buf_printf(&w->out, "%lld", (long long)json_integer_value(value));
		return;
	case JSON_REAL:
		write_real(w, json_real_value(value));
		return;
	default:
		gk_buf_add_text(&w->out, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
	}
}

char *gk_json_text(const json_t *value)
{
	struct writer w = {0};

	write_value(&w, value, 0);
	return gk_buf_steal(&w.out);
}

char *gk_json_pretty(const json_t *value)
{
	struct writer w = {.indent = 2};

	write_value(&w, value, 0);
	return gk_buf_steal(&w.out);
}

void gk_json_release(json_t **value)
{
	json_decref(*value);
	*value = NULL;
}
