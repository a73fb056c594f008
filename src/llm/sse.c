#include "llm/sse.h"

#include <string.h>

void gk_sse_release(struct gk_sse *sse)
{
	gk_buf_release(&sse->line);
	gk_buf_release(&sse->data);
}

void gk_sse_clear(struct gk_sse *sse)
{
	gk_buf_clear(&sse->line);
	gk_buf_clear(&sse->data);
	sse->has_data = false;
}

static bool end_event(struct gk_sse *sse, gk_sse_fn *fn, void *ctx)
{
	bool goes_on = true;

	if (sse->data.is_full)
		return false;
	if (sse->has_data)
		goes_on = fn(ctx, gk_buf_text(&sse->data), sse->data.size);
	gk_buf_clear(&sse->data);
	sse->has_data = false;
	return goes_on;
}

/* "data: text" and "data:text" mean the same; other fields and comments say nothing to us. */
static void take_field(struct gk_sse *sse, const char *line, size_t size)
{
	size_t skip = 5;

	if (size < skip || memcmp(line, "data:", skip) != 0)
		return;
	if (size > skip && line[skip] == ' ')
		skip++;
	if (sse->has_data)
		gk_buf_add_char(&sse->data, '\n');
	gk_buf_add(&sse->data, line + skip, size - skip);
	sse->has_data = true;
}

static bool end_line(struct gk_sse *sse, gk_sse_fn *fn, void *ctx)
{
	const char *line = gk_buf_text(&sse->line);
	size_t size = sse->line.size;
	bool goes_on = true;

	if (sse->line.is_full)
		return false;
	if (size && line[size - 1] == '\r')
		size--;
	if (size == 0)
		goes_on = end_event(sse, fn, ctx);
	else
		take_field(sse, line, size);
	gk_buf_clear(&sse->line);
	return goes_on;
}

bool gk_sse_feed(struct gk_sse *sse, const char *bytes, size_t size, gk_sse_fn *fn, void *ctx)
{
	while (size) {
		const char *end = memchr(bytes, '\n', size);
		size_t length = end ? (size_t)(end - bytes) : size;

		gk_buf_add(&sse->line, bytes, length);
		if (sse->line.is_full || (end && !end_line(sse, fn, ctx)))
			return false;
		length += end != NULL;
		bytes += length;
		size -= length;
	}
	return true;
}

bool gk_sse_end(struct gk_sse *sse, gk_sse_fn *fn, void *ctx)
{
	if (sse->line.size && !end_line(sse, fn, ctx))
		return false;
	return end_event(sse, fn, ctx);
}
