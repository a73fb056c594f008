/* What changed between two texts, line by line. */
#ifndef GK_VIEW_DIFF_H
#define GK_VIEW_DIFF_H

#include "base/arena.h"

struct gk_diff_line {
	char sign;        /* ' ', '-' or '+' */
	const char *text; /* borrowed from the texts, without its line end */
	size_t size;
};

/*
 * A shortest script of whole lines; removed lines stand before added ones.
 * Texts so large and so different that it would take long are given as all removed, all added.
 */
void gk_diff(const char *old_text, size_t old_size, const char *new_text, size_t new_size, struct gk_arena *arena,
             struct gk_diff_line **lines, size_t *count);

#endif
