/* The tokens of MLIR's text form, one at a time. */
#ifndef GK_IR_TOKEN_H
#define GK_IR_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum gk_token_kind {
	GK_TOKEN_END,
	GK_TOKEN_WORD,   /* tt.load, x, true */
	GK_TOKEN_VALUE,  /* %name, text without the % */
	GK_TOKEN_BLOCK,  /* ^name */
	GK_TOKEN_SYMBOL, /* @name or @"name", text is the name */
	GK_TOKEN_HASH,   /* #name */
	GK_TOKEN_BANG,   /* !name */
	GK_TOKEN_NUMBER, /* with its sign */
	GK_TOKEN_STRING, /* text is what stands between the quotes, escapes as they are */
	GK_TOKEN_ARROW,  /* -> */
	GK_TOKEN_PUNCT,  /* one character */
	GK_TOKEN_BAD,    /* nothing that begins a token, or an unfinished string */
};

struct gk_token {
	enum gk_token_kind kind;
	const char *text; /* into the source; not zero-terminated */
	size_t size;
	size_t start; /* offset of its first character */
};

struct gk_lexer {
	const char *name; /* for messages */
	const char *text;
	size_t size, at; /* at: behind the current token */
	struct gk_token now;
};

void gk_lexer_init(struct gk_lexer *l, const char *name, const char *text, size_t size);
void gk_lexer_next(struct gk_lexer *l);
/* Continues at offset at, which becomes the start of the current token. */
void gk_lexer_seek(struct gk_lexer *l, size_t at);

bool gk_token_is(const struct gk_lexer *l, char punct);
bool gk_token_is_word(const struct gk_lexer *l, const char *word);

/* "NAME:LINE:COLUMN: text, found ..." at the current token; returns -1. */
int gk_lexer_fail(const struct gk_lexer *l, struct gk_err *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same at an offset, without what was found. */
int gk_lexer_fail_at(const struct gk_lexer *l, size_t at, struct gk_err *e, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void gk_lexer_position(const struct gk_lexer *l, size_t at, unsigned *line, unsigned *column);

#endif
