/*
 * A growing run of bytes, always followed by a zero byte, with a ceiling: what
 * would pass the ceiling is not added, and the buffer remembers that it was
 * cut (is_full). Callers that feed it foreign bytes must look at is_full.
 */
#ifndef GK_BASE_BUF_H
#define GK_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct gk_buf {
	char *bytes;    /* NULL or zero-terminated; use gk_buf_text() for printing */
	size_t size;    /* without the zero */
	size_t capacity;
	size_t ceiling; /* 0: GK_BUF_CEILING */
	bool is_full;
};

#define GK_BUF_CEILING ((size_t)1 << 30)
#define GK_BUF_INIT    {0}
#define gk_buf_auto    __attribute__((cleanup(gk_buf_release))) struct gk_buf

void gk_buf_release(struct gk_buf *buf);
void gk_buf_clear(struct gk_buf *buf); /* keeps memory and ceiling */

void gk_buf_add(struct gk_buf *buf, const void *bytes, size_t size);
void gk_buf_add_text(struct gk_buf *buf, const char *text);
void gk_buf_add_char(struct gk_buf *buf, char c);
void gk_buf_printf(struct gk_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gk_buf_vprintf(struct gk_buf *buf, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/* Room for at least size more bytes; returns where to write, or NULL over the ceiling. Then gk_buf_grew(). */
char *gk_buf_reserve(struct gk_buf *buf, size_t size);
void gk_buf_grew(struct gk_buf *buf, size_t size);

/* Removes size bytes from the front. */
void gk_buf_drop(struct gk_buf *buf, size_t size);

const char *gk_buf_text(const struct gk_buf *buf); /* "" when empty; never NULL */
char *gk_buf_steal(struct gk_buf *buf);            /* malloc'ed, never NULL; the buffer is empty afterwards */

#endif
