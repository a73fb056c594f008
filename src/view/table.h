/* One table, four spellings: terminal, CSV, Markdown. Cells are copied and may hold foreign text. */
#ifndef GK_VIEW_TABLE_H
#define GK_VIEW_TABLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "view/term.h"

#define GK_TABLE_MAX_COLUMNS 16

struct gk_table_column { const char *title; bool right; int max_width; /* terminal only; 0: none */ };
struct gk_table_cell { const char *text; enum gk_tone tone; };

struct gk_table {
	struct gk_arena arena;
	struct gk_table_column columns[GK_TABLE_MAX_COLUMNS];
	int column_count;
	struct gk_table_cell *cells; /* row by row */
	size_t row_count, capacity;
};

/* columns is copied; end with gk_table_release(). */
void gk_table_init(struct gk_table *table, const struct gk_table_column *columns, int column_count);
void gk_table_release(struct gk_table *table);
/* A new row of empty cells. */
void gk_table_row(struct gk_table *table);
/* Into the last row. */
void gk_table_cell(struct gk_table *table, int column, enum gk_tone tone, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

void gk_table_print(const struct gk_table *table, const struct gk_term *term);
void gk_table_add_csv(const struct gk_table *table, struct gk_buf *out);      /* RFC 4180 */
void gk_table_add_markdown(const struct gk_table *table, struct gk_buf *out);

#endif
