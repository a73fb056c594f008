/* A template is read once into a tree of nodes; rendering walks it with a stack of data. */
#include "prompt/template.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define MAX_DEPTH 16
#define MAX_NAME  64

enum node_kind { NODE_TEXT, NODE_VALUE, NODE_SECTION, NODE_WHEN, NODE_INVERTED, NODE_PART };

struct node {
	enum node_kind kind;
	const char *text; /* TEXT: the text; others: the name */
	size_t size;
	int line;
	struct node *first; /* of a section's contents */
	struct node *next;
};

struct gk_template {
	const char *name;
	struct node *first;
};

/* --- reading --- */

struct reader {
	struct gk_arena *arena;
	const char *name, *text;
	size_t size, at;
	int line;
	struct gk_err *e;
};

struct tag {
	char kind; /* '#', '?', '^', '/', '>' or 0 */
	const char *name;
	size_t start, end; /* in the text, braces included */
	int line;
};

static int __attribute__((format(printf, 3, 4)))
fail(const struct reader *r, int line, const char *format, ...)
{
	char words[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	return gk_err_set(r->e, GK_ERR_INPUT, "%s:%d: %s", r->name, line, words);
}

static bool is_name(const char *name)
{
	if (strcmp(name, ".") == 0)
		return true;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '_' && *name != '.')
			return false;
	return true;
}

static int name_of_tag(struct reader *r, const char *from, const char *to, struct tag *tag)
{
	while (from < to && *from == ' ')
		from++;
	while (to > from && to[-1] == ' ')
		to--;
	if (from == to || to - from > MAX_NAME)
		return fail(r, tag->line, "a tag needs a name of at most %d bytes", MAX_NAME);
	tag->name = gk_arena_copy(r->arena, from, (size_t)(to - from));
	if (!is_name(tag->name))
		return fail(r, tag->line, "\"%s\" is no name", tag->name);
	return 0;
}

/* The next tag at or behind the reader's place. 1: found, 0: none, -1: malformed. */
static int next_tag(struct reader *r, struct tag *tag)
{
	const char *from = r->text + r->at, *end = r->text + r->size, *open, *close, *p;

	open = memmem(from, (size_t)(end - from), "{{", 2);
	if (!open)
		return 0;
	for (p = from, tag->line = r->line; p < open; p++)
		tag->line += *p == '\n';
	close = memmem(open, (size_t)(end - open), "}}", 2);
	if (!close || memchr(open, '\n', (size_t)(close - open)))
		return fail(r, tag->line, "a tag is not closed on its line");
	tag->start = (size_t)(open - r->text);
	tag->end = (size_t)(close - r->text) + 2;
	open += 2;
	tag->kind = 0;
	if (open < close && strchr("#?^/>", *open))
		tag->kind = *open++;
	return name_of_tag(r, open, close, tag) < 0 ? -1 : 1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* When nothing but the tag stands on its line: moves *start and *end around the whole line. */
static void take_line(const struct reader *r, size_t *start, size_t *end)
{
	size_t first = *start, last = *end;

	while (first > 0 && is_space(r->text[first - 1]))
		first--;
	while (last < r->size && is_space(r->text[last]))
		last++;
	if ((first > 0 && r->text[first - 1] != '\n') || (last < r->size && r->text[last] != '\n'))
		return;
	*start = first;
	*end = last + (last < r->size);
}

static struct node *new_node(struct reader *r, enum node_kind kind, const char *text, size_t size, int line)
{
	struct node *node = gk_arena_alloc(r->arena, sizeof(*node));

	*node = (struct node){.kind = kind, .text = text, .size = size, .line = line};
	return node;
}

/* Moves the reader behind the tag; *tail gets the text before it. */
static struct node **take_text_before(struct reader *r, const struct tag *tag, struct node **tail)
{
	size_t start = tag->start, end = tag->end, i;

	if (tag->kind)
		take_line(r, &start, &end);
	if (start > r->at) {
		*tail = new_node(r, NODE_TEXT, gk_arena_copy(r->arena, r->text + r->at, start - r->at),
		                 start - r->at, r->line);
		tail = &(*tail)->next;
	}
	for (i = r->at; i < end; i++)
		r->line += r->text[i] == '\n';
	r->at = end;
	return tail;
}

static int read_nodes(struct reader *r, const struct tag *open, int depth, struct node **first);

static int read_section(struct reader *r, const struct tag *tag, int depth, struct node **tail)
{
	enum node_kind kind = tag->kind == '#' ? NODE_SECTION : tag->kind == '?' ? NODE_WHEN : NODE_INVERTED;

	*tail = new_node(r, kind, tag->name, strlen(tag->name), tag->line);
	return read_nodes(r, tag, depth + 1, &(*tail)->first);
}

/* Until the end of the section that open began, or of the text. */
static int read_nodes(struct reader *r, const struct tag *open, int depth, struct node **first)
{
	struct node **tail = first;
	struct tag tag = {.name = ""};
	int found;

	if (depth > MAX_DEPTH)
		return fail(r, r->line, "sections are nested more than %d deep", MAX_DEPTH);
	while ((found = next_tag(r, &tag)) > 0) {
		tail = take_text_before(r, &tag, tail);
		if (tag.kind == '/') {
			if (!open || strcmp(open->name, tag.name) != 0)
				return fail(r, tag.line, "{{/%s}} ends no section of that name", tag.name);
			return 0;
		}
		if (tag.kind == '#' || tag.kind == '?' || tag.kind == '^') {
			if (read_section(r, &tag, depth, tail) < 0)
				return -1;
		} else {
			*tail = new_node(r, tag.kind ? NODE_PART : NODE_VALUE, tag.name, strlen(tag.name),
			                 tag.line);
		}
		tail = &(*tail)->next;
	}
	if (found < 0)
		return -1;
	if (open)
		return fail(r, open->line, "{{%c%s}} is never ended", open->kind, open->name);
	if (r->at < r->size)
		*tail = new_node(r, NODE_TEXT, gk_arena_copy(r->arena, r->text + r->at, r->size - r->at),
		                 r->size - r->at, r->line);
	return 0;
}

struct gk_template *gk_template_read(struct gk_arena *arena, const char *name, const char *text, size_t size,
                                     struct gk_err *e)
{
	struct reader r = {.arena = arena, .name = name, .text = text, .size = size, .line = 1, .e = e};
	struct gk_template *template = gk_arena_alloc(arena, sizeof(*template));

	if (!gk_text_is_utf8(text, size)) {
		gk_err_set(e, GK_ERR_INPUT, "%s: not valid UTF-8 text", name);
		return NULL;
	}
	template->name = gk_arena_string(arena, name);
	return read_nodes(&r, NULL, 0, &template->first) < 0 ? NULL : template;
}

/* --- checking --- */

static int check_nodes(const struct gk_template *template, const struct node *node, gk_template_find_fn *find,
                       void *ctx, int depth, struct gk_err *e)
{
	for (; node; node = node->next) {
		const struct gk_template *part = node->kind == NODE_PART ? find(ctx, node->text) : NULL;

		if (node->kind == NODE_PART && !part)
			return gk_err_set(e, GK_ERR_INPUT, "%s:%d: there is no part \"%s\"", template->name,
			                  node->line, node->text);
		if (depth > MAX_DEPTH)
			return gk_err_set(e, GK_ERR_INPUT, "%s:%d: the part contains itself", template->name,
			                  node->line);
		if (part && check_nodes(part, part->first, find, ctx, depth + 1, e) < 0)
			return -1;
		if (check_nodes(template, node->first, find, ctx, depth, e) < 0)
			return -1;
	}
	return 0;
}

int gk_template_check(const struct gk_template *template, gk_template_find_fn *find, void *ctx,
                      struct gk_err *e)
{
	return check_nodes(template, template->first, find, ctx, 0, e);
}

/* --- rendering --- */

struct scope {
	const struct scope *outer;
	const json_t *value;
};

struct writer {
	const struct gk_template *template; /* for messages */
	gk_template_find_fn *find;
	void *ctx;
	struct gk_buf *out;
	struct gk_err *e;
};

/* The first piece of a dotted name, of length bytes; NULL when object has none or is no object. */
static const json_t *get_piece(const json_t *object, const char *name, size_t length)
{
	char piece[MAX_NAME + 1];

	snprintf(piece, sizeof(piece), "%.*s", (int)length, name);
	return json_object_get(object, piece);
}

/* The first piece is looked for from the inside out, the rest within what it names. */
static const json_t *look_up(const struct scope *scope, const char *name)
{
	const json_t *value = NULL;
	size_t length = strcspn(name, ".");

	if (strcmp(name, ".") == 0)
		return scope->value;
	for (; scope && !value; scope = scope->outer)
		value = get_piece(scope->value, name, length);
	while (value && name[length]) {
		name += length + 1;
		length = strcspn(name, ".");
		value = get_piece(value, name, length);
	}
	return value;
}

static int complain(const struct writer *w, const struct node *node, const char *what)
{
	return gk_err_set(w->e, GK_ERR_INTERNAL, "%s:%d: \"%s\" %s", w->template->name, node->line,
	                  node->text, what);
}

static int write_value(const struct writer *w, const struct node *node, const json_t *value)
{
	char number[32];

	if (json_is_string(value)) {
		gk_buf_add(w->out, json_string_value(value), json_string_length(value));
	} else if (json_is_integer(value)) {
		gk_buf_printf(w->out, "%lld", (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		gk_text_number(json_real_value(value), number);
		gk_buf_add_text(w->out, number);
	} else {
		return complain(w, node, "is no text and no number");
	}
	return 0;
}

static bool is_something(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_NULL:
	case JSON_FALSE:
		return false;
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	default:
		return true;
	}
}

static int write_nodes(const struct writer *w, const struct node *node, const struct scope *scope);

static int write_section(const struct writer *w, const struct node *node, const struct scope *scope,
                         const json_t *value)
{
	struct scope inner = {.outer = scope, .value = value};
	size_t i, count = json_is_array(value) ? json_array_size(value) : 1;

	for (i = 0; i < count; i++) {
		if (json_is_array(value))
			inner.value = json_array_get(value, i);
		if (write_nodes(w, node->first, &inner) < 0)
			return -1;
	}
	return 0;
}

static int write_part(const struct writer *w, const struct node *node, const struct scope *scope)
{
	struct writer inner = *w;

	inner.template = w->find(w->ctx, node->text);
	if (!inner.template)
		return complain(w, node, "is a part that is not there");
	return write_nodes(&inner, inner.template->first, scope);
}

static int write_node(const struct writer *w, const struct node *node, const struct scope *scope)
{
	const json_t *value;

	if (node->kind == NODE_TEXT) {
		gk_buf_add(w->out, node->text, node->size);
		return 0;
	}
	if (node->kind == NODE_PART)
		return write_part(w, node, scope);
	value = look_up(scope, node->text);
	if (!value)
		return complain(w, node, "is unknown here");
	if (node->kind == NODE_VALUE)
		return write_value(w, node, value);
	if (is_something(value) != (node->kind != NODE_INVERTED))
		return 0;
	return node->kind == NODE_SECTION ? write_section(w, node, scope, value)
	                                  : write_nodes(w, node->first, scope);
}

static int write_nodes(const struct writer *w, const struct node *node, const struct scope *scope)
{
	for (; node; node = node->next)
		if (write_node(w, node, scope) < 0)
			return -1;
	return 0;
}

int gk_template_render(const struct gk_template *template, const json_t *data, gk_template_find_fn *find,
                       void *ctx, struct gk_buf *out, struct gk_err *e)
{
	struct writer writer = {template, find, ctx, out, e};
	struct scope scope = {NULL, data};

	if (write_nodes(&writer, template->first, &scope) < 0)
		return -1;
	if (out->is_full)
		return gk_err_set(e, GK_ERR_INPUT, "%s: the prompt is too large", template->name);
	return 0;
}
