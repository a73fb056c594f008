#include "view/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"

#define GAP      2
#define CELL_MAX ((size_t)4096)

void gk_table_init(struct gk_table *table, const struct gk_table_column *columns, int column_count)
{
	*table = (struct gk_table){.column_count = column_count};
	memcpy(table->columns, columns, (size_t)column_count * sizeof *columns);
}

void gk_table_release(struct gk_table *table)
{
	free(table->cells);
	gk_arena_release(&table->arena);
	*table = (struct gk_table){0};
}

void gk_table_row(struct gk_table *table)
{
	size_t width = (size_t)table->column_count;

	if (table->row_count == table->capacity) {
		table->capacity = table->capacity ? 2 * table->capacity : 16;
		table->cells = gk_realloc_array(table->cells, table->capacity * width, sizeof *table->cells);
	}
	for (size_t i = 0; i < width; i++)
		table->cells[table->row_count * width + i] = (struct gk_table_cell){"", GK_PLAIN};
	table->row_count++;
}

void gk_table_cell(struct gk_table *table, int column, enum gk_tone tone, const char *format, ...)
{
	gk_buf_auto raw = GK_BUF_INIT, safe = GK_BUF_INIT;
	va_list arguments;

	va_start(arguments, format);
	gk_buf_vprintf(&raw, format, arguments);
	va_end(arguments);
	gk_text_add_safe(&safe, gk_buf_text(&raw), raw.size, CELL_MAX, false);
	table->cells[(table->row_count - 1) * (size_t)table->column_count + (size_t)column] =
		(struct gk_table_cell){gk_arena_copy(&table->arena, gk_buf_text(&safe), safe.size), tone};
}

static const struct gk_table_cell *cell_at(const struct gk_table *table, size_t row, int column)
{
	return &table->cells[row * (size_t)table->column_count + (size_t)column];
}

/* --- terminal --- */

static void measure(const struct gk_table *table, const struct gk_term *term, size_t widths[])
{
	for (int c = 0; c < table->column_count; c++) {
		size_t most = (size_t)table->columns[c].max_width;

		widths[c] = gk_term_columns(table->columns[c].title);
		for (size_t r = 0; r < table->row_count; r++) {
			size_t columns = gk_term_columns(cell_at(table, r, c)->text);

			widths[c] = columns > widths[c] ? columns : widths[c];
		}
		if (term->is_tty && most && widths[c] > most)
			widths[c] = most;
	}
}

/* The last column takes what is left of the line. */
static void fit_last(const struct gk_table *table, const struct gk_term *term, size_t widths[])
{
	size_t used = 0, last = (size_t)table->column_count - 1;

	for (size_t c = 0; c < last; c++)
		used += widths[c] + GAP;
	if (term->is_tty && used + widths[last] > (size_t)term->width)
		widths[last] = (size_t)term->width > used + 12 ? (size_t)term->width - used : 12;
}

static void print_cell(const struct gk_term *term, const char *text, enum gk_tone tone, size_t width, bool right,
                       bool is_last)
{
	size_t columns = gk_term_columns(text);
	int pad = columns < width ? (int)(width - columns) : 0;

	if (right)
		gk_term_print(term, GK_PLAIN, "%*s", pad, "");
	if (columns > width) {
		gk_term_write(term, tone, text, gk_term_cut(text, width - 3));
		gk_term_write(term, tone, "...", 3);
	} else {
		gk_term_write(term, tone, text, strlen(text));
	}
	if (!is_last)
		gk_term_print(term, GK_PLAIN, "%*s", (right ? 0 : pad) + GAP, "");
}

void gk_table_print(const struct gk_table *table, const struct gk_term *term)
{
	size_t widths[GK_TABLE_MAX_COLUMNS] = {0};
	int count = table->column_count;

	measure(table, term, widths);
	fit_last(table, term, widths);
	for (int c = 0; c < count; c++)
		print_cell(term, table->columns[c].title, GK_DIM, widths[c], table->columns[c].right, c == count - 1);
	gk_term_print(term, GK_PLAIN, "\n");
	for (size_t r = 0; r < table->row_count; r++) {
		for (int c = 0; c < count; c++) {
			const struct gk_table_cell *cell = cell_at(table, r, c);

			print_cell(term, cell->text, cell->tone, widths[c], table->columns[c].right, c == count - 1);
		}
		gk_term_print(term, GK_PLAIN, "\n");
	}
}

/* --- files --- */

/* A cell that a spreadsheet would take for a formula gets a quote in front. */
static void add_csv_cell(struct gk_buf *out, const char *text)
{
	bool is_formula = text[0] && strchr("=+-@", text[0]) && !gk_text_to_double(text, &(double){0});

	if (!is_formula && !strpbrk(text, ",\"\r\n")) {
		gk_buf_add_text(out, text);
		return;
	}
	gk_buf_add_text(out, is_formula ? "\"'" : "\"");
	for (; *text; text++)
		gk_buf_printf(out, *text == '"' ? "\"\"" : "%c", *text);
	gk_buf_add_char(out, '"');
}

void gk_table_add_csv(const struct gk_table *table, struct gk_buf *out)
{
	for (int c = 0; c < table->column_count; c++) {
		gk_buf_add_text(out, c ? "," : "");
		add_csv_cell(out, table->columns[c].title);
	}
	gk_buf_add_text(out, "\r\n");
	for (size_t r = 0; r < table->row_count; r++) {
		for (int c = 0; c < table->column_count; c++) {
			gk_buf_add_text(out, c ? "," : "");
			add_csv_cell(out, cell_at(table, r, c)->text);
		}
		gk_buf_add_text(out, "\r\n");
	}
}

static void add_markdown_cell(struct gk_buf *out, const char *text)
{
	gk_buf_add_text(out, " ");
	for (; *text; text++) {
		if (strchr("|\\`*_<>[]", *text))
			gk_buf_add_char(out, '\\');
		gk_buf_add_char(out, *text);
	}
	gk_buf_add_text(out, " |");
}

void gk_table_add_markdown(const struct gk_table *table, struct gk_buf *out)
{
	gk_buf_add_text(out, "|");
	for (int c = 0; c < table->column_count; c++)
		add_markdown_cell(out, table->columns[c].title);
	gk_buf_add_text(out, "\n|");
	for (int c = 0; c < table->column_count; c++)
		gk_buf_add_text(out, table->columns[c].right ? "--:|" : "---|");
	gk_buf_add_text(out, "\n");
	for (size_t r = 0; r < table->row_count; r++) {
		gk_buf_add_text(out, "|");
		for (int c = 0; c < table->column_count; c++)
			add_markdown_cell(out, cell_at(table, r, c)->text);
		gk_buf_add_text(out, "\n");
	}
}
