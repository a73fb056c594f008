/* Small things about strings: safe display, suggestions, numbers. */
#ifndef GK_BASE_TEXT_H
#define GK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

bool gk_text_starts(const char *text, const char *prefix);
bool gk_text_ends(const char *text, const char *suffix);

/* True for well-formed UTF-8 without NUL. */
bool gk_text_is_utf8(const char *text, size_t size);

/*
 * Adds foreign text so that a terminal or a log cannot be driven by it:
 * control characters (but for \n and \t when multiline) become '?', bytes
 * that are no UTF-8 become '?', at most max_bytes, cut with "...".
 */
void gk_text_add_safe(struct gk_buf *out, const char *text, size_t size, size_t max_bytes, bool multiline);

/* The entry of names (NULL-terminated) closest to text by edit distance, or NULL when none is near. */
const char *gk_text_nearest(const char *text, const char *const *names);

/* The whole of text as a number; false when it is none or out of range. */
bool gk_text_to_int(const char *text, int64_t *value);
bool gk_text_to_double(const char *text, double *value);

/* One spelling for a number everywhere (prompts included): shortest that reads back, "1e-05", "3", "nan", "-inf". */
void gk_text_number(double value, char text[32]);

#endif
