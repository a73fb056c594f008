/*
 * Typed growing arrays: struct GK_VEC(int) numbers = {0}; gk_vec_push(&numbers, 7);
 * items are numbers.items[0 .. numbers.count - 1]; end with gk_vec_release(&numbers).
 */
#ifndef GK_BASE_VEC_H
#define GK_BASE_VEC_H

#include <stddef.h>
#include <stdlib.h>

#include "memory.h"

#define GK_VEC(type)                                                                                         \
	{                                                                                                    \
		type *items;                                                                                 \
		size_t count, capacity;                                                                      \
	}

/* Makes room for one more item; used by gk_vec_push(). */
void *gk_vec_grow(void *items, size_t *capacity, size_t count, size_t item_bytes);

#define gk_vec_push(v, ...)                                                                                  \
	((v)->items = gk_vec_grow((v)->items, &(v)->capacity, (v)->count, sizeof *(v)->items),              \
	 (v)->items[(v)->count++] = (__VA_ARGS__))
#define gk_vec_last(v)    ((v)->items[(v)->count - 1])
#define gk_vec_release(v) (free((v)->items), (v)->items = NULL, (v)->count = (v)->capacity = 0)

#endif
