/*
 * From an answer to its parts. Fences are those of Markdown: three or more
 * backticks or tildes at the start of a line, closed by a line of at least as
 * many of the same and nothing else. A fence within a triple-quoted Python
 * string does not close the block.
 */
#include "llm/answer.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"

#define MAX_CODE_BYTES      ((size_t)1 << 20)
#define MAX_DIRECTION_BYTES 4000
#define MAX_BLOCKS          64

struct fence {
	char mark;
	size_t length;
	struct gk_span info;
};

enum language { PYTHON, UNNAMED, OTHER };

struct block {
	enum language language;
	struct gk_span code;
	bool is_closed;
	size_t start, end; /* in the text, fences included */
};

struct blocks {
	struct block items[MAX_BLOCKS];
	size_t count;
	bool too_many;
};

/* Where the string that a Python line begins in ends. */
struct python_state {
	char quote; /* of the open triple-quoted string, or 0 */
};

/* The line at offset, without its line end; *next is where the following one begins. */
static struct gk_span line_at(const char *text, size_t size, size_t offset, size_t *next)
{
	const char *end = memchr(text + offset, '\n', size - offset);
	size_t length = end ? (size_t)(end - text) - offset : size - offset;

	*next = offset + length + (end != NULL);
	if (length && text[offset + length - 1] == '\r')
		length--;
	return (struct gk_span){text + offset, length};
}

static struct gk_span trimmed(struct gk_span span)
{
	while (span.size && isspace((unsigned char)span.bytes[0]))
		span.bytes++, span.size--;
	while (span.size && isspace((unsigned char)span.bytes[span.size - 1]))
		span.size--;
	return span;
}

static bool read_fence(struct gk_span line, struct fence *fence)
{
	size_t i = 0, start;

	while (i < line.size && i < 3 && line.bytes[i] == ' ')
		i++;
	if (i == line.size || (line.bytes[i] != '`' && line.bytes[i] != '~'))
		return false;
	fence->mark = line.bytes[i];
	for (start = i; i < line.size && line.bytes[i] == fence->mark;)
		i++;
	fence->length = i - start;
	fence->info = trimmed((struct gk_span){line.bytes + i, line.size - i});
	if (fence->mark == '`' && fence->info.size && memchr(fence->info.bytes, '`', fence->info.size))
		return false;
	return fence->length >= 3;
}

static bool closes(struct gk_span line, const struct fence *open)
{
	struct fence fence;

	return read_fence(line, &fence) && fence.mark == open->mark && fence.length >= open->length &&
	       fence.info.size == 0;
}

static enum language language_of(struct gk_span info)
{
	static const char *const names[] = {"python", "py", "python3", "triton"};
	size_t length = 0, i;

	while (length < info.size && !isspace((unsigned char)info.bytes[length]) && info.bytes[length] != '{')
		length++;
	if (length == 0)
		return UNNAMED;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == length && strncasecmp(info.bytes, names[i], length) == 0)
			return PYTHON;
	return OTHER;
}

static bool is_triple(struct gk_span line, size_t i, char quote)
{
	return i + 2 < line.size && line.bytes[i] == quote && line.bytes[i + 1] == quote &&
	       line.bytes[i + 2] == quote;
}

/* Behind the closing quote of a string on one line, or the end of the line. */
static size_t skip_short_string(struct gk_span line, size_t i)
{
	char quote = line.bytes[i++];

	while (i < line.size && line.bytes[i] != quote)
		i += line.bytes[i] == '\\' ? 2 : 1;
	return i + 1;
}

static void scan_python_line(struct python_state *state, struct gk_span line)
{
	size_t i = 0;

	while (i < line.size) {
		char c = line.bytes[i];

		if (state->quote) {
			if (is_triple(line, i, state->quote))
				state->quote = 0, i += 3;
			else
				i += c == '\\' ? 2 : 1;
		} else if (c == '#') {
			return;
		} else if (c != '"' && c != '\'') {
			i++;
		} else if (is_triple(line, i, c)) {
			state->quote = c, i += 3;
		} else {
			i = skip_short_string(line, i);
		}
	}
}

/* From the line behind an opening fence to the closing one; false when there is none. */
static bool find_close(const char *text, size_t size, size_t from, const struct fence *open, bool in_python,
                       struct block *block)
{
	struct python_state state = {0};
	size_t offset = from, next;

	for (; offset < size; offset = next) {
		struct gk_span line = line_at(text, size, offset, &next);

		if (!state.quote && closes(line, open)) {
			block->code = (struct gk_span){text + from, offset - from};
			block->end = next;
			return true;
		}
		if (in_python)
			scan_python_line(&state, line);
	}
	return false;
}

static void read_block(const char *text, size_t size, size_t from, const struct fence *open,
                       struct block *block)
{
	block->language = language_of(open->info);
	/* A string that never ends would hide the fence: then the plain rule of Markdown counts. */
	block->is_closed = (block->language != OTHER && find_close(text, size, from, open, true, block)) ||
	                   find_close(text, size, from, open, false, block);
	if (!block->is_closed) {
		block->code = (struct gk_span){text + from, size - from};
		block->end = size;
	}
}

static void find_blocks(const char *text, size_t size, struct blocks *blocks)
{
	size_t offset = 0, next;
	struct fence open;

	for (; offset < size; offset = next) {
		struct gk_span line = line_at(text, size, offset, &next);
		struct block *block = &blocks->items[blocks->count];

		if (!read_fence(line, &open))
			continue;
		if (blocks->count == MAX_BLOCKS) {
			blocks->too_many = true;
			return;
		}
		block->start = offset;
		read_block(text, size, next, &open, block);
		next = block->end;
		blocks->count++;
	}
}

static size_t count_language(const struct blocks *blocks, enum language language, const struct block **first)
{
	size_t i, count = 0;

	for (i = 0; i < blocks->count; i++)
		if (blocks->items[i].language == language && count++ == 0)
			*first = &blocks->items[i];
	return count;
}

static void problem(struct gk_answer *answer, const char *text)
{
	snprintf(answer->problem, sizeof(answer->problem), "%s", text);
}

static bool is_blank(struct gk_span span)
{
	return trimmed(span).size == 0;
}

static void take_code(const struct blocks *blocks, const char *finish, struct gk_answer *answer)
{
	const struct block *block = NULL;
	size_t count = count_language(blocks, PYTHON, &block);

	if (count == 0)
		count = count_language(blocks, UNNAMED, &block);
	if (count == 0 && finish && strcmp(finish, "length") == 0)
		problem(answer, "the answer was cut off at the token limit before any code block began");
	else if (count == 0)
		problem(answer, "the answer has no fenced python code block");
	else if (!block->is_closed && finish && strcmp(finish, "length") == 0)
		problem(answer, "the answer was cut off at the token limit before its code block ended");
	else if (!block->is_closed)
		problem(answer, "the code block is never closed by a fence of its own");
	else if (count > 1 || blocks->too_many)
		problem(answer, "the answer has several python code blocks; exactly one, with the complete "
		                "module, is needed");
	else if (is_blank(block->code))
		problem(answer, "the code block is empty");
	else if (block->code.size > MAX_CODE_BYTES)
		problem(answer, "the code block is larger than 1 MiB");
	else if (!gk_text_is_utf8(block->code.bytes, block->code.size))
		problem(answer, "the code block is not valid UTF-8 text");
	else
		answer->code = block->code;
	answer->ok = answer->code.size > 0;
}

/* Behind "Strategy:" (any case, with or without Markdown's emphasis), or NULL. */
static const char *behind_label(struct gk_span line)
{
	static const char label[] = "strategy";
	const char *p = line.bytes, *end = line.bytes + line.size;

	while (p < end && strchr("*#_ \t>-", *p))
		p++;
	if ((size_t)(end - p) < sizeof(label) - 1 || strncasecmp(p, label, sizeof(label) - 1) != 0)
		return NULL;
	p += sizeof(label) - 1;
	while (p < end && strchr("*_ ", *p))
		p++;
	if (p == end || *p != ':')
		return NULL;
	for (p++; p < end && strchr("*_ \t", *p);)
		p++;
	return p;
}

static bool is_in_block(const struct blocks *blocks, size_t offset, size_t *behind)
{
	size_t i;

	for (i = 0; i < blocks->count; i++)
		if (offset >= blocks->items[i].start && offset < blocks->items[i].end) {
			*behind = blocks->items[i].end;
			return true;
		}
	return false;
}

/* The rest of the paragraph that begins at from, as one line. */
static void add_paragraph(const char *text, size_t size, size_t from, const struct blocks *blocks,
                          struct gk_buf *out)
{
	size_t next, behind;

	for (; from < size && !is_in_block(blocks, from, &behind); from = next) {
		struct gk_span line = trimmed(line_at(text, size, from, &next));

		if (line.size == 0)
			return;
		if (out->size)
			gk_buf_add_char(out, ' ');
		gk_text_add_safe(out, line.bytes, line.size, line.size, false);
	}
}

/* Where the strategy's words begin: behind its label, else at the first words outside of code. */
static bool find_strategy(const char *text, size_t size, const struct blocks *blocks, size_t *from)
{
	size_t offset = 0, next, first = size;

	for (; offset < size; offset = next) {
		struct gk_span line;
		const char *label;

		if (is_in_block(blocks, offset, &next))
			continue;
		line = line_at(text, size, offset, &next);
		label = behind_label(line);
		if (label) {
			*from = label < line.bytes + line.size ? (size_t)(label - text) : next;
			return true;
		}
		if (first == size && !is_blank(line))
			first = offset;
	}
	*from = first;
	return first < size;
}

static void take_strategy(const char *text, size_t size, const struct blocks *blocks,
                          struct gk_answer *answer)
{
	gk_buf_auto line = GK_BUF_INIT;
	gk_buf_auto cut = GK_BUF_INIT;
	size_t from;

	if (!find_strategy(text, size, blocks, &from))
		return;
	add_paragraph(text, size, from, blocks, &line);
	gk_text_add_safe(&cut, gk_buf_text(&line), line.size, sizeof(answer->strategy) - 4, false);
	snprintf(answer->strategy, sizeof(answer->strategy), "%s", gk_buf_text(&cut));
}

/* "### Direction 2: words", at any level of heading or emphasis. */
static bool is_direction(struct gk_span line)
{
	static const char label[] = "direction";
	const char *p = line.bytes, *end = line.bytes + line.size;

	while (p < end && strchr("#* \t", *p))
		p++;
	if ((size_t)(end - p) < sizeof(label) - 1 || strncasecmp(p, label, sizeof(label) - 1) != 0)
		return false;
	for (p += sizeof(label) - 1; p < end && *p == ' ';)
		p++;
	return p < end && isdigit((unsigned char)*p);
}

static void end_direction(struct gk_answer *answer, const char *end)
{
	struct gk_span *last;

	if (answer->direction_count == 0)
		return;
	last = &answer->directions[answer->direction_count - 1];
	last->size = (size_t)(end - last->bytes);
	*last = trimmed(*last);
}

static void take_directions(struct gk_answer *answer)
{
	const char *text = answer->text.bytes;
	size_t size = answer->text.size, offset = 0, next;

	for (; offset < size; offset = next) {
		struct gk_span line = line_at(text, size, offset, &next);

		if (!is_direction(line))
			continue;
		end_direction(answer, line.bytes);
		if (answer->direction_count == GK_ANSWER_MAX_DIRECTIONS)
			return;
		answer->directions[answer->direction_count++].bytes = line.bytes;
	}
	end_direction(answer, text + size);
	if (answer->direction_count == 0)
		answer->directions[answer->direction_count++] = answer->text;
}

static void take_text(const char *role, const char *finish, struct gk_span whole, struct gk_answer *answer)
{
	answer->text = trimmed(whole);
	if (answer->text.size == 0 && finish && strcmp(finish, "length") == 0)
		problem(answer, "the answer was cut off at the token limit before it began");
	else if (answer->text.size == 0)
		problem(answer, "the answer is empty");
	else if (!gk_text_is_utf8(answer->text.bytes, answer->text.size))
		problem(answer, "the answer is not valid UTF-8 text");
	else
		answer->ok = true;
	if (answer->ok && strcmp(role, "optimizer") == 0)
		take_directions(answer);
}

/* Local servers hand out a model's thoughts in front of its answer; code in them is no answer. */
static struct gk_span without_thoughts(struct gk_span text)
{
	static const char open[] = "<think>", close[] = "</think>";
	struct gk_span inner = trimmed(text);
	const char *end;

	if (inner.size < sizeof(open) - 1 || memcmp(inner.bytes, open, sizeof(open) - 1) != 0)
		return text;
	end = memmem(inner.bytes, inner.size, close, sizeof(close) - 1);
	if (!end)
		return (struct gk_span){inner.bytes + inner.size, 0};
	end += sizeof(close) - 1;
	return (struct gk_span){end, (size_t)(text.bytes + text.size - end)};
}

void gk_answer_parse(const char *role, const char *text, size_t size, const char *finish,
                     struct gk_answer *answer)
{
	struct gk_span whole = without_thoughts((struct gk_span){text, size});
	struct blocks blocks = {.count = 0};

	memset(answer, 0, sizeof(*answer));
	if (size > GK_ANSWER_MAX_BYTES) {
		problem(answer, "the answer is larger than 4 MiB");
		return;
	}
	if (strcmp(role, "generator") != 0) {
		take_text(role, finish, whole, answer);
		return;
	}
	find_blocks(whole.bytes, whole.size, &blocks);
	take_code(&blocks, finish, answer);
	take_strategy(whole.bytes, whole.size, &blocks, answer);
}

static json_t *directions_json(const struct gk_answer *answer)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < answer->direction_count; i++) {
		gk_buf_auto text = GK_BUF_INIT;

		gk_text_add_safe(&text, answer->directions[i].bytes, answer->directions[i].size,
		                 MAX_DIRECTION_BYTES, true);
		json_array_append_new(array, json_string(gk_buf_text(&text)));
	}
	return array;
}

json_t *gk_answer_to_body(const char *role, const struct gk_answer *answer, const char *code_hash,
                          const char *text_hash)
{
	json_t *body = json_object();

	json_object_set_new(body, "role", json_string(role));
	json_object_set_new(body, "ok", json_boolean(answer->ok));
	json_object_set_new(body, "strategy", json_string(answer->strategy));
	json_object_set_new(body, "code", code_hash ? json_string(code_hash) : json_null());
	json_object_set_new(body, "text", text_hash ? json_string(text_hash) : json_null());
	json_object_set_new(body, "problem", json_string(answer->problem));
	if (strcmp(role, "optimizer") == 0)
		json_object_set_new(body, "directions", directions_json(answer));
	return body;
}
