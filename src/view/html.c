#include "view/html.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static void escape(struct gk_buf *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		switch (text[i]) {
		case '<':
			gk_buf_add_text(out, "&lt;");
			break;
		case '>':
			gk_buf_add_text(out, "&gt;");
			break;
		case '&':
			gk_buf_add_text(out, "&amp;");
			break;
		case '"':
			gk_buf_add_text(out, "&quot;");
			break;
		case '\'':
			gk_buf_add_text(out, "&#39;");
			break;
		default:
			gk_buf_add_char(out, text[i]);
		}
	}
}

void gk_html_bytes(struct gk_buf *out, const char *text, size_t size, size_t max_bytes)
{
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, text, size, max_bytes, true);
	escape(out, gk_buf_text(&safe), safe.size);
}

void gk_html_text(struct gk_buf *out, const char *text, size_t max_bytes)
{
	if (text)
		gk_html_bytes(out, text, strlen(text), max_bytes);
}

void gk_html_name(struct gk_buf *out, const char *text)
{
	for (size_t i = 0; text[i] && i < 100; i++)
		gk_buf_add_char(out, isalnum((unsigned char)text[i]) ? text[i] : '-');
}

/* --- Python --- */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t word_size(const char *at, const char *end)
{
	const char *p = at;

	while (p < end && is_word(*p))
		p++;
	return (size_t)(p - at);
}

/* With its quotes; triple quotes may span lines, others end with theirs. */
static size_t string_size(const char *at, const char *end)
{
	bool triple = end - at >= 3 && at[1] == at[0] && at[2] == at[0];
	const char *p = at + (triple ? 3 : 1);

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (!triple && (*p == at[0] || *p == '\n'))
			return (size_t)(p - at) + (*p == at[0]);
		else if (triple && end - p >= 3 && p[0] == at[0] && p[1] == at[0] && p[2] == at[0])
			return (size_t)(p - at) + 3;
	}
	return (size_t)(end - at);
}

static size_t comment_size(const char *at, const char *end)
{
	const char *stop = memchr(at, '\n', (size_t)(end - at));

	return (size_t)((stop ? stop : end) - at);
}

static bool is_keyword(const char *word, size_t size)
{
	static const char *const keywords[] = {
		"and", "as", "assert", "break", "class", "continue", "def", "del", "elif", "else", "except", "False", "finally",
		"for", "from", "global", "if", "import", "in", "is", "lambda", "None", "nonlocal", "not", "or", "pass", "raise",
		"return", "True", "try", "while", "with", "yield"};

	for (size_t i = 0; i < gk_count_of(keywords); i++)
		if (strlen(keywords[i]) == size && memcmp(keywords[i], word, size) == 0)
			return true;
	return false;
}

/* The size of the piece at `at`, and its kind: 'c', 's', 'k', 'n' or 0. */
static size_t piece(const char *at, const char *end, char *kind)
{
	size_t size = word_size(at, end);

	*kind = 0;
	if (*at == '#')
		return *kind = 'c', comment_size(at, end);
	if (*at == '"' || *at == '\'')
		return *kind = 's', string_size(at, end);
	if (*at == '@' && at + 1 < end && is_word(at[1]))
		return *kind = 'k', 1 + word_size(at + 1, end);
	if (size == 0)
		return 1;
	if (isdigit((unsigned char)*at))
		*kind = 'n';
	else if (is_keyword(at, size))
		*kind = 'k';
	return size;
}

void gk_html_python(struct gk_buf *out, const char *code, size_t size, size_t max_bytes)
{
	gk_buf_auto safe = GK_BUF_INIT;
	const char *at, *end;

	gk_text_add_safe(&safe, code, size, max_bytes, true);
	at = gk_buf_text(&safe);
	for (end = at + safe.size; at < end;) {
		char kind;
		size_t length = piece(at, end, &kind);

		if (kind)
			gk_buf_printf(out, "<i class=%c>", kind);
		escape(out, at, length);
		if (kind)
			gk_buf_add_text(out, "</i>");
		at += length;
	}
}

/* --- numbers --- */

void gk_html_size(struct gk_buf *out, double bytes)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
	size_t unit = 0;

	while (bytes >= 1000 && unit + 1 < gk_count_of(units)) {
		bytes /= 1000;
		unit++;
	}
	gk_buf_printf(out, unit == 0 || bytes >= 100 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

void gk_html_count(struct gk_buf *out, double number)
{
	char digits[64];
	size_t size = (size_t)snprintf(digits, sizeof digits, "%.0f", number);

	for (size_t i = 0; i < size; i++) {
		gk_buf_add_char(out, digits[i]);
		if (i + 1 < size && (size - i - 1) % 3 == 0 && digits[i] != '-')
			gk_buf_add_char(out, ',');
	}
}
