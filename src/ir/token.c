#include "token.h"

#include <stdarg.h>

#define MAX_FOUND 40 /* bytes of the token that a message shows */

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word_char(char c)
{
	return is_letter(c) || is_digit(c) || c == '.' || c == '$';
}

static char char_at(const struct gk_lexer *l, size_t at)
{
	return (char)(at < l->size ? l->text[at] : '\0');
}

static void skip_blanks(struct gk_lexer *l)
{
	for (; l->at < l->size; l->at++) {
		char c = l->text[l->at];

		if (c == '/' && char_at(l, l->at + 1) == '/') {
			while (l->at < l->size && l->text[l->at] != '\n')
				l->at++;
			if (l->at == l->size)
				return;
		} else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
			return;
		}
	}
}

static void finish(struct gk_lexer *l, enum gk_token_kind kind, size_t text, size_t end)
{
	l->now.kind = kind;
	l->now.text = l->text + text;
	l->now.size = end - text;
	l->at = end;
}

/* The body of a string whose opening quote is at from; leaves at behind the closing one. */
static void lex_string(struct gk_lexer *l, size_t from, enum gk_token_kind kind)
{
	size_t i = from + 1;

	while (i < l->size && l->text[i] != '"' && l->text[i] != '\n')
		i += l->text[i] == '\\' ? 2 : 1;
	if (char_at(l, i) != '"') {
		finish(l, GK_TOKEN_BAD, from, i < l->size ? i : l->size);
		return;
	}
	finish(l, kind, from + 1, i);
	l->at = i + 1;
}

static void lex_sigil(struct gk_lexer *l, enum gk_token_kind kind)
{
	size_t from = l->at + 1, i = from;

	if (kind == GK_TOKEN_SYMBOL && char_at(l, from) == '"') {
		lex_string(l, from, GK_TOKEN_SYMBOL);
		return;
	}
	while (is_word_char(char_at(l, i)) || (kind == GK_TOKEN_VALUE && char_at(l, i) == '-'))
		i++;
	finish(l, i > from ? kind : GK_TOKEN_BAD, from, i);
}

static void lex_number(struct gk_lexer *l)
{
	size_t from = l->at, i = from + (l->text[from] == '-');

	if (char_at(l, i) == '0' && char_at(l, i + 1) == 'x') {
		i += 2;
		while (is_digit(char_at(l, i)) || (is_letter(char_at(l, i)) && char_at(l, i) != '_'))
			i++;
		finish(l, GK_TOKEN_NUMBER, from, i);
		return;
	}
	while (is_digit(char_at(l, i)))
		i++;
	if (char_at(l, i) == '.' && is_digit(char_at(l, i + 1))) {
		i++;
		while (is_digit(char_at(l, i)))
			i++;
		if (char_at(l, i) == 'e' || char_at(l, i) == 'E') {
			size_t k = i + 1 + (char_at(l, i + 1) == '+' || char_at(l, i + 1) == '-');

			while (is_digit(char_at(l, k)))
				i = ++k;
		}
	}
	finish(l, GK_TOKEN_NUMBER, from, i);
}

static enum gk_token_kind sigil_kind(char c)
{
	switch (c) {
	case '%':
		return GK_TOKEN_VALUE;
	case '^':
		return GK_TOKEN_BLOCK;
	case '@':
		return GK_TOKEN_SYMBOL;
	case '#':
		return GK_TOKEN_HASH;
	case '!':
		return GK_TOKEN_BANG;
	default:
		return GK_TOKEN_BAD;
	}
}

static void lex(struct gk_lexer *l)
{
	char c = char_at(l, l->at);

	l->now.start = l->at;
	if (l->at >= l->size) {
		finish(l, GK_TOKEN_END, l->size, l->size);
	} else if (is_letter(c)) {
		size_t i = l->at;

		while (is_word_char(char_at(l, i)))
			i++;
		finish(l, GK_TOKEN_WORD, l->at, i);
	} else if (is_digit(c) || (c == '-' && is_digit(char_at(l, l->at + 1)))) {
		lex_number(l);
	} else if (c == '-' && char_at(l, l->at + 1) == '>') {
		finish(l, GK_TOKEN_ARROW, l->at, l->at + 2);
	} else if (c == '"') {
		lex_string(l, l->at, GK_TOKEN_STRING);
	} else if (sigil_kind(c) != GK_TOKEN_BAD && (c != '#' || is_word_char(char_at(l, l->at + 1)))) {
		lex_sigil(l, sigil_kind(c));
	} else {
		finish(l, c && strchr("(){}[]<>,:=*|#?+-", c) ? GK_TOKEN_PUNCT : GK_TOKEN_BAD, l->at,
		       l->at + 1);
	}
}

void gk_lexer_init(struct gk_lexer *l, const char *name, const char *text, size_t size)
{
	*l = (struct gk_lexer){.name = name, .text = text, .size = size};
	gk_lexer_next(l);
}

void gk_lexer_next(struct gk_lexer *l)
{
	skip_blanks(l);
	lex(l);
}

void gk_lexer_seek(struct gk_lexer *l, size_t at)
{
	l->at = at;
	gk_lexer_next(l);
}

bool gk_token_is(const struct gk_lexer *l, char punct)
{
	return l->now.kind == GK_TOKEN_PUNCT && l->now.text[0] == punct;
}

bool gk_token_is_word(const struct gk_lexer *l, const char *word)
{
	return l->now.kind == GK_TOKEN_WORD && l->now.size == strlen(word) &&
	       memcmp(l->now.text, word, l->now.size) == 0;
}

void gk_lexer_position(const struct gk_lexer *l, size_t at, unsigned *line, unsigned *column)
{
	size_t start = 0;

	*line = 1;
	for (size_t i = 0; i < at && i < l->size; i++) {
		if (l->text[i] == '\n') {
			++*line;
			start = i + 1;
		}
	}
	*column = (unsigned)(at - start) + 1;
}

__attribute__((format(printf, 5, 0))) static int fail_at(const struct gk_lexer *l, size_t at,
                                                         struct gk_err *e, const char *found,
                                                         const char *format, va_list arguments)
{
	char text[512];
	unsigned line, column;

	vsnprintf(text, sizeof text, format, arguments);
	gk_lexer_position(l, at, &line, &column);
	return gk_err_set(e, GK_ERR_INPUT, "%s:%u:%u: %s%s", l->name, line, column, text, found);
}

int gk_lexer_fail(const struct gk_lexer *l, struct gk_err *e, const char *format, ...)
{
	char found[MAX_FOUND + 24];
	size_t size = l->at - l->now.start;
	va_list arguments;

	if (l->now.kind == GK_TOKEN_END)
		snprintf(found, sizeof found, ", found the end");
	else
		snprintf(found, sizeof found, ", found '%.*s'", (int)(size < MAX_FOUND ? size : MAX_FOUND),
		         l->text + l->now.start);
	va_start(arguments, format);
	fail_at(l, l->now.start, e, found, format, arguments);
	va_end(arguments);
	return -1;
}

int gk_lexer_fail_at(const struct gk_lexer *l, size_t at, struct gk_err *e, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fail_at(l, at, e, "", format, arguments);
	va_end(arguments);
	return -1;
}
