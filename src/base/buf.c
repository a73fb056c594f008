#include "buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

void gk_buf_release(struct gk_buf *buf)
{
	free(buf->bytes);
	buf->bytes = NULL;
	buf->size = buf->capacity = 0;
	buf->is_full = false;
}

void gk_buf_clear(struct gk_buf *buf)
{
	buf->size = 0;
	buf->is_full = false;
	if (buf->bytes)
		buf->bytes[0] = '\0';
}

char *gk_buf_reserve(struct gk_buf *buf, size_t size)
{
	size_t ceiling = buf->ceiling ? buf->ceiling : GK_BUF_CEILING;
	size_t capacity = buf->capacity;

	if (size > ceiling || buf->size > ceiling - size) {
		buf->is_full = true;
		return NULL;
	}
	if (buf->size + size < capacity)
		return buf->bytes + buf->size;
	while (capacity <= buf->size + size)
		capacity = capacity ? capacity * 2 : 64;
	buf->bytes = gk_realloc_array(buf->bytes, capacity, 1);
	buf->capacity = capacity;
	buf->bytes[buf->size] = '\0';
	return buf->bytes + buf->size;
}

void gk_buf_grew(struct gk_buf *buf, size_t size)
{
	if (buf->size + size >= buf->capacity)
		gk_bug("a buffer grew by %zu bytes that were not reserved", size);
	buf->size += size;
	buf->bytes[buf->size] = '\0';
}

void gk_buf_add(struct gk_buf *buf, const void *bytes, size_t size)
{
	char *place = gk_buf_reserve(buf, size);

	if (!place)
		return;
	if (size)
		memcpy(place, bytes, size);
	gk_buf_grew(buf, size);
}

void gk_buf_add_text(struct gk_buf *buf, const char *text)
{
	gk_buf_add(buf, text, strlen(text));
}

void gk_buf_add_char(struct gk_buf *buf, char c)
{
	gk_buf_add(buf, &c, 1);
}

void gk_buf_printf(struct gk_buf *buf, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	gk_buf_vprintf(buf, format, arguments);
	va_end(arguments);
}

void gk_buf_vprintf(struct gk_buf *buf, const char *format, va_list arguments)
{
	va_list again;
	int length;
	char *place;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		gk_bug("format \"%s\" is refused", format);
	place = gk_buf_reserve(buf, (size_t)length);
	if (!place)
		return;
	vsnprintf(place, (size_t)length + 1, format, arguments);
	gk_buf_grew(buf, (size_t)length);
}

void gk_buf_drop(struct gk_buf *buf, size_t size)
{
	if (size > buf->size)
		gk_bug("%zu bytes dropped of %zu", size, buf->size);
	if (!size)
		return;
	buf->size -= size;
	memmove(buf->bytes, buf->bytes + size, buf->size + 1);
}

const char *gk_buf_text(const struct gk_buf *buf)
{
	return buf->bytes ? buf->bytes : "";
}

char *gk_buf_steal(struct gk_buf *buf)
{
	char *bytes = buf->bytes ? buf->bytes : gk_alloc(1);

	buf->bytes = NULL;
	gk_buf_release(buf);
	return bytes;
}
