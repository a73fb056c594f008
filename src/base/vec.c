#include "vec.h"

void *gk_vec_grow(void *items, size_t *capacity, size_t count, size_t item_bytes)
{
	if (count < *capacity)
		return items;
	*capacity = *capacity ? *capacity * 2 : 8;
	return gk_realloc_array(items, *capacity, item_bytes);
}
