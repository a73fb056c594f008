/* A hash table from strings (copied) or pointers (by address) to one word. Insertion order is kept for walks. */
#ifndef GK_BASE_MAP_H
#define GK_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

union gk_map_value {
	void *pointer;
	int64_t number;
};

struct gk_map_entry {
	char *key; /* owned; NULL for an address key */
	const void *address;
	size_t size;
	uint64_t hash;
	union gk_map_value value;
};

/* All zero is a valid, empty map. Walk entries[0 .. count - 1] in order of insertion. There is no removal. */
struct gk_map {
	struct gk_map_entry *entries;
	size_t count, capacity;
	uint32_t *slots;
	size_t slot_count;
};

#define gk_map_auto __attribute__((cleanup(gk_map_release))) struct gk_map

void gk_map_release(struct gk_map *map); /* values are the caller's */
union gk_map_value *gk_map_find(const struct gk_map *map, const char *key); /* NULL when absent */
union gk_map_value *gk_map_find_bytes(const struct gk_map *map, const char *key, size_t size);
union gk_map_value *gk_map_find_address(const struct gk_map *map, const void *address);
/* The value under key, zero when it was not there; *is_new (may be NULL) tells which. */
union gk_map_value *gk_map_put(struct gk_map *map, const char *key, bool *is_new);
union gk_map_value *gk_map_put_bytes(struct gk_map *map, const char *key, size_t size, bool *is_new);
union gk_map_value *gk_map_put_address(struct gk_map *map, const void *address, bool *is_new);

#endif
