#include "arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define CHUNK_BYTES  ((size_t)16 * 1024)
#define LARGEST_SIZE (SIZE_MAX / 4)

struct gk_arena_chunk {
	struct gk_arena_chunk *next;
	size_t used, capacity;
	max_align_t memory[];
};

void gk_arena_release(struct gk_arena *arena)
{
	while (arena->chunks) {
		struct gk_arena_chunk *next = arena->chunks->next;

		free(arena->chunks);
		arena->chunks = next;
	}
	arena->used_bytes = 0;
}

static struct gk_arena_chunk *chunk_new(size_t capacity)
{
	struct gk_arena_chunk *chunk = gk_alloc(sizeof *chunk + capacity);

	chunk->capacity = capacity;
	return chunk;
}

/* A big block gets its own chunk behind the first, so that the room left in the first stays in use. */
static void *alloc_big(struct gk_arena *arena, size_t bytes)
{
	struct gk_arena_chunk *chunk = chunk_new(bytes);

	chunk->used = bytes;
	if (arena->chunks) {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	} else {
		arena->chunks = chunk;
	}
	return chunk->memory;
}

void *gk_arena_alloc(struct gk_arena *arena, size_t bytes)
{
	struct gk_arena_chunk *chunk = arena->chunks;
	size_t rounded;
	void *memory;

	if (bytes > LARGEST_SIZE)
		gk_bug("%zu bytes from an arena", bytes);
	rounded = bytes ? (bytes + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1) : alignof(max_align_t);
	arena->used_bytes += rounded;
	if (rounded > CHUNK_BYTES / 4)
		return alloc_big(arena, rounded);
	if (!chunk || chunk->capacity - chunk->used < rounded) {
		chunk = chunk_new(CHUNK_BYTES);
		chunk->next = arena->chunks;
		arena->chunks = chunk;
	}
	memory = (char *)chunk->memory + chunk->used;
	chunk->used += rounded;
	return memory;
}

void *gk_arena_array(struct gk_arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		gk_bug("%zu items of %zu bytes overflow", count, size);
	return gk_arena_alloc(arena, bytes);
}

char *gk_arena_copy(struct gk_arena *arena, const void *bytes, size_t size)
{
	char *copy = gk_arena_alloc(arena, size + 1);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

char *gk_arena_string(struct gk_arena *arena, const char *text)
{
	return text ? gk_arena_copy(arena, text, strlen(text)) : NULL;
}

char *gk_arena_printf(struct gk_arena *arena, const char *format, ...)
{
	va_list arguments;
	int length;
	char *text;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		gk_bug("format \"%s\" is refused", format);
	text = gk_arena_alloc(arena, (size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}
