#include "doc_line.h"

#include "buf.h"

/* jansson has one true, one false and one null: their address tells nothing, so their place in the parent does. */
static bool is_shared(const json_t *value)
{
	return !value || json_is_boolean(value) || json_is_null(value);
}

static void add_place(struct gk_buf *place, const json_t *parent, const char *key, size_t index)
{
	if (key)
		gk_buf_printf(place, "%p.%s", (const void *)parent, key);
	else
		gk_buf_printf(place, "%p[%zu]", (const void *)parent, index);
}

void gk_doc_line_set(struct gk_doc *doc, const json_t *parent, const char *key, size_t index, const json_t *value,
                     int64_t line)
{
	gk_buf_auto place = GK_BUF_INIT;

	if (!is_shared(value)) {
		gk_map_put_address(&doc->lines, value, NULL)->number = line;
		return;
	}
	add_place(&place, parent, key, index);
	gk_map_put(&doc->lines, gk_buf_text(&place), NULL)->number = line;
}

int64_t gk_doc_line_of(const struct gk_doc *doc, const json_t *parent, const char *key, size_t index,
                       const json_t *value)
{
	gk_buf_auto place = GK_BUF_INIT;
	const union gk_map_value *found;

	if (!is_shared(value)) {
		found = gk_map_find_address(&doc->lines, value);
	} else {
		add_place(&place, parent, key, index);
		found = gk_map_find(&doc->lines, gk_buf_text(&place));
	}
	return found ? found->number : 0;
}
