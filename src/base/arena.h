/* Memory by lifetime: many small allocations that end together. Out of memory ends the program. */
#ifndef GK_BASE_ARENA_H
#define GK_BASE_ARENA_H

#include <stddef.h>

struct gk_arena_chunk;

/* All zero is a valid, empty arena. */
struct gk_arena {
	struct gk_arena_chunk *chunks;
	size_t used_bytes; /* over all chunks, for ceilings and statistics */
};

#define gk_arena_auto __attribute__((cleanup(gk_arena_release))) struct gk_arena

/* Frees everything; the arena is empty and usable afterwards. */
void gk_arena_release(struct gk_arena *arena);

/* Zeroed memory, aligned for any object. bytes may be 0 (a valid, unique pointer). */
void *gk_arena_alloc(struct gk_arena *arena, size_t bytes);

/* count * size bytes, zeroed; an overflowing product is a bug of the caller (aborts). */
void *gk_arena_array(struct gk_arena *arena, size_t count, size_t size);

char *gk_arena_copy(struct gk_arena *arena, const void *bytes, size_t size); /* with a zero byte behind */
char *gk_arena_string(struct gk_arena *arena, const char *text);            /* NULL gives NULL */
char *gk_arena_printf(struct gk_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
