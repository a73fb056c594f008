/* A stream for people: colour only on a terminal that wants it (NO_COLOR, TERM=dumb), foreign text made harmless. */
#ifndef GK_VIEW_TERM_H
#define GK_VIEW_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum gk_tone { GK_PLAIN, GK_BOLD, GK_DIM, GK_GOOD, GK_BAD, GK_WARN, GK_ACCENT };

struct gk_term {
	FILE *out;
	bool is_tty, colour;
	int width, height; /* 100 columns and 24 lines when nobody knows */
};

void gk_term_init(struct gk_term *term, FILE *out);
/* Control characters in the result come out as '?'; newlines and tabs are kept. */
void gk_term_print(const struct gk_term *term, enum gk_tone tone, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void gk_term_write(const struct gk_term *term, enum gk_tone tone, const char *text, size_t size);
/* Goes back over the last lines and clears them; nothing when out is no terminal. */
void gk_term_erase(const struct gk_term *term, int lines);
/* Columns that text takes: UTF-8 characters, wide ones not known. */
size_t gk_term_columns(const char *text);
/* Bytes of text that fit into so many columns. */
size_t gk_term_cut(const char *text, size_t columns);

#endif
