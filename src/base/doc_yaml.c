/*
 * YAML by libyaml's events into a jansson tree. Plain scalars are resolved by
 * the core schema of YAML 1.2; quoted ones stay strings. What a task file has
 * no use for, and what makes small files explode or hide things (anchors,
 * aliases, tags, duplicate keys, several documents), is refused.
 */
#include "doc.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "doc_line.h"
#include "memory.h"
#include "text.h"

#define MAX_VALUES 1000000

struct reader {
	yaml_parser_t parser;
	struct gk_doc *doc;
	const char *name;
	size_t values;
	int depth;
	struct gk_err *e;
};

#define event_auto __attribute__((cleanup(event_release))) yaml_event_t

static void event_release(yaml_event_t *event)
{
	yaml_event_delete(event);
}

static int64_t line_of(const yaml_event_t *event)
{
	return (int64_t)event->start_mark.line + 1;
}

static int fail_at(struct reader *r, int64_t line, const char *what)
{
	return gk_err_set(r->e, GK_ERR_INPUT, "%s:%lld: %s", r->name, (long long)line, what);
}

static int fail_parser(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	bool has_context = p->context && p->error != YAML_READER_ERROR;

	return gk_err_set(r->e, GK_ERR_INPUT, "%s:%zu: not valid YAML: %s%s%s", r->name, p->problem_mark.line + 1,
	                  p->problem ? p->problem : "out of memory", has_context ? " " : "",
	                  has_context ? p->context : "");
}

static int next_event(struct reader *r, yaml_event_t *event)
{
	return yaml_parser_parse(&r->parser, event) ? 0 : fail_parser(r);
}

static bool is_one_of(const char *text, const char *const *names)
{
	while (*names && strcmp(text, *names) != 0)
		names++;
	return *names != NULL;
}

/* [-+]?[0-9]+, 0o[0-7]+ or 0x[0-9a-fA-F]+ */
static bool looks_like_int(const char *text, int *base)
{
	bool is_octal = gk_text_starts(text, "0o"), is_hex = gk_text_starts(text, "0x");
	const char *digits = is_hex    ? "0123456789abcdefABCDEF"
	                     : is_octal ? "01234567"
	                                : "0123456789";

	text += is_hex || is_octal ? 2 : *text == '-' || *text == '+';
	*base = is_hex ? 16 : is_octal ? 8 : 10;
	return *text && strspn(text, digits) == strlen(text);
}

static const char *skip_digits(const char *text)
{
	while (isdigit((unsigned char)*text))
		text++;
	return text;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool looks_like_float(const char *text)
{
	const char *at = text + (*text == '-' || *text == '+'), *whole = at;

	at = skip_digits(at);
	if (at == whole && !(at[0] == '.' && isdigit((unsigned char)at[1])))
		return false;
	if (*at == '.')
		at = skip_digits(at + 1);
	if (*at == 'e' || *at == 'E') {
		const char *exponent = at + 1 + (at[1] == '-' || at[1] == '+');

		at = skip_digits(exponent);
		if (at == exponent)
			return false;
	}
	return !*at;
}

static json_t *number_or_fail(struct reader *r, const char *text, int64_t line, int base)
{
	long long number;

	errno = 0;
	number = strtoll(base == 10 ? text : text + 2, NULL, base);
	if (!errno)
		return json_integer(number);
	fail_at(r, line, "the integer does not fit into 64 bits");
	return NULL;
}

static json_t *real_or_fail(struct reader *r, const char *text, int64_t line)
{
	double number = strtod(text, NULL);

	if (isfinite(number))
		return json_real(number);
	fail_at(r, line, "the number is too large for a double");
	return NULL;
}

static json_t *resolve_plain(struct reader *r, const char *text, int64_t line)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const trues[] = {"true", "True", "TRUE", NULL};
	static const char *const falses[] = {"false", "False", "FALSE", NULL};
	static const char *const endless[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF", "-.inf",
	                                      "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN",  NULL};
	int base;

	if (is_one_of(text, nulls))
		return json_null();
	if (is_one_of(text, trues))
		return json_true();
	if (is_one_of(text, falses))
		return json_false();
	if (looks_like_int(text, &base))
		return number_or_fail(r, text, line, base);
	if (looks_like_float(text))
		return real_or_fail(r, text, line);
	if (!is_one_of(text, endless))
		return json_string(text);
	fail_at(r, line, "infinity and NaN are not allowed as numbers");
	return NULL;
}

static json_t *read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	json_t *value;

	if (memchr(text, '\0', event->data.scalar.length)) {
		fail_at(r, line_of(event), "a string must not hold a zero byte");
		return NULL;
	}
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return resolve_plain(r, text, line_of(event));
	value = json_string(text);
	if (!value)
		fail_at(r, line_of(event), "the string is not valid UTF-8");
	return value;
}

static json_t *read_value(struct reader *r, const yaml_event_t *event);

static int read_item(struct reader *r, json_t *array, const yaml_event_t *event)
{
	json_t *item = read_value(r, event);

	if (!item)
		return -1;
	gk_doc_line_set(r->doc, array, NULL, json_array_size(array), item, line_of(event));
	return json_array_append_new(array, item);
}

static json_t *read_sequence(struct reader *r)
{
	json_t *array = json_array();

	for (;;) {
		event_auto event = {0};

		if (next_event(r, &event) < 0)
			break;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return array;
		if (read_item(r, array, &event) < 0)
			break;
	}
	json_decref(array);
	return NULL;
}

static const char *key_of(struct reader *r, const json_t *object, const yaml_event_t *event)
{
	const char *key = (const char *)event->data.scalar.value;

	if (event->type != YAML_SCALAR_EVENT) {
		fail_at(r, line_of(event), "a key must be a plain word");
		return NULL;
	}
	if (event->data.scalar.anchor || event->data.scalar.tag) {
		fail_at(r, line_of(event), "anchors and tags are not allowed");
		return NULL;
	}
	if (memchr(key, '\0', event->data.scalar.length)) {
		fail_at(r, line_of(event), "a key must not hold a zero byte");
		return NULL;
	}
	if (json_object_get(object, key)) {
		gk_err_set(r->e, GK_ERR_INPUT, "%s:%lld: the key %s stands here for the second time", r->name,
		           (long long)line_of(event), key);
		return NULL;
	}
	return key;
}

static int read_member(struct reader *r, json_t *object, const yaml_event_t *key_event)
{
	const char *key = key_of(r, object, key_event);
	event_auto event = {0};
	json_t *value;

	if (!key || next_event(r, &event) < 0)
		return -1;
	value = read_value(r, &event);
	if (!value)
		return -1;
	/* The key's line: a value may begin on the next one, and people look for the key. */
	gk_doc_line_set(r->doc, object, key, 0, value, line_of(key_event));
	if (json_object_set_new(object, key, value) < 0)
		return fail_at(r, line_of(key_event), "the key is not valid UTF-8");
	return 0;
}

static json_t *read_mapping(struct reader *r)
{
	json_t *object = json_object();

	for (;;) {
		event_auto event = {0};

		if (next_event(r, &event) < 0)
			break;
		if (event.type == YAML_MAPPING_END_EVENT)
			return object;
		if (read_member(r, object, &event) < 0)
			break;
	}
	json_decref(object);
	return NULL;
}

static bool is_decorated(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor || event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor || event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor || event->data.mapping_start.tag;
	default:
		return event->type == YAML_ALIAS_EVENT;
	}
}

static json_t *read_value(struct reader *r, const yaml_event_t *event)
{
	json_t *value = NULL;

	if (is_decorated(event))
		fail_at(r, line_of(event), "anchors, aliases and tags are not allowed");
	else if (++r->values > MAX_VALUES)
		fail_at(r, line_of(event), "too many values");
	else if (event->type == YAML_SCALAR_EVENT)
		value = read_scalar(r, event);
	else if (r->depth == GK_DOC_MAX_DEPTH)
		fail_at(r, line_of(event), "nested too deeply");
	else {
		r->depth++;
		value = event->type == YAML_SEQUENCE_START_EVENT ? read_sequence(r) : read_mapping(r);
		r->depth--;
	}
	return value;
}

static int skip_event(struct reader *r)
{
	event_auto event = {0};

	return next_event(r, &event);
}

static json_t *read_root(struct reader *r)
{
	event_auto event = {0};
	json_t *root;

	/* The start of the stream; then a document, or the end of an empty stream. */
	if (skip_event(r) < 0 || next_event(r, &event) < 0)
		return NULL;
	if (event.type == YAML_STREAM_END_EVENT) {
		fail_at(r, 1, "the file is empty");
		return NULL;
	}
	yaml_event_delete(&event);
	if (next_event(r, &event) < 0)
		return NULL;
	root = read_value(r, &event);
	if (root)
		gk_doc_line_set(r->doc, NULL, NULL, 0, root, line_of(&event));
	return root;
}

static int expect_end(struct reader *r)
{
	event_auto event = {0};

	if (skip_event(r) < 0 || next_event(r, &event) < 0)
		return -1;
	if (event.type != YAML_STREAM_END_EVENT)
		return fail_at(r, line_of(&event), "only one document is allowed in a file");
	return 0;
}

int gk_doc_from_yaml(struct gk_doc *doc, const char *name, const char *text, size_t size, struct gk_err *e)
{
	struct reader r = {.doc = doc, .name = name, .e = e};
	int result = -1;

	*doc = (struct gk_doc){0};
	if (!yaml_parser_initialize(&r.parser))
		return gk_err_set(e, GK_ERR_SYSTEM, "%s: out of memory", name);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
	doc->name = gk_strdup(name);
	doc->root = read_root(&r);
	if (doc->root)
		result = expect_end(&r);
	yaml_parser_delete(&r.parser);
	if (result < 0)
		gk_doc_release(doc);
	return result;
}
