#include "map.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* FNV-1a, then a finaliser: keys are names from files with a ceiling, not an attacker's flood. */
static uint64_t mix(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	return hash ^ (hash >> 33);
}

static uint64_t hash_of_bytes(const char *key, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3ULL;
	return mix(hash);
}

static bool is_same(const struct gk_map_entry *entry, uint64_t hash, const char *key, size_t size,
                    const void *address)
{
	if (entry->hash != hash)
		return false;
	if (!key)
		return !entry->key && entry->address == address;
	return entry->key && entry->size == size && (!size || memcmp(entry->key, key, size) == 0);
}

/* The slot that holds the key, or the empty one where it belongs. Slots hold the entry's index + 1. */
static uint32_t *slot_of(const struct gk_map *map, uint64_t hash, const char *key, size_t size,
                         const void *address)
{
	size_t at = hash & (map->slot_count - 1);

	while (map->slots[at] && !is_same(&map->entries[map->slots[at] - 1], hash, key, size, address))
		at = (at + 1) & (map->slot_count - 1);
	return &map->slots[at];
}

static void grow(struct gk_map *map)
{
	map->slot_count = map->slot_count ? map->slot_count * 2 : 16;
	free(map->slots);
	map->slots = gk_alloc_array(map->slot_count, sizeof *map->slots);
	map->capacity = map->slot_count / 2;
	map->entries = gk_realloc_array(map->entries, map->capacity, sizeof *map->entries);
	for (size_t i = 0; i < map->count; i++) {
		size_t at = map->entries[i].hash & (map->slot_count - 1);

		while (map->slots[at])
			at = (at + 1) & (map->slot_count - 1);
		map->slots[at] = (uint32_t)i + 1;
	}
}

static union gk_map_value *find(const struct gk_map *map, uint64_t hash, const char *key, size_t size,
                                const void *address)
{
	uint32_t slot = map->slot_count ? *slot_of(map, hash, key, size, address) : 0;

	return slot ? &map->entries[slot - 1].value : NULL;
}

static union gk_map_value *put(struct gk_map *map, uint64_t hash, const char *key, size_t size,
                               const void *address, bool *is_new)
{
	union gk_map_value *found = find(map, hash, key, size, address);
	struct gk_map_entry *entry;

	if (is_new)
		*is_new = !found;
	if (found)
		return found;
	if (!map->entries || map->count == map->capacity)
		grow(map);
	*slot_of(map, hash, key, size, address) = (uint32_t)map->count + 1;
	entry = &map->entries[map->count++];
	*entry = (struct gk_map_entry){.address = address, .size = size, .hash = hash};
	if (key) {
		entry->key = gk_alloc(size + 1);
		memcpy(entry->key, key, size);
	}
	return &entry->value;
}

void gk_map_release(struct gk_map *map)
{
	for (size_t i = 0; i < map->count; i++)
		free(map->entries[i].key);
	free(map->entries);
	free(map->slots);
	*map = (struct gk_map){0};
}

union gk_map_value *gk_map_find(const struct gk_map *map, const char *key)
{
	return gk_map_find_bytes(map, key, strlen(key));
}

union gk_map_value *gk_map_find_bytes(const struct gk_map *map, const char *key, size_t size)
{
	return find(map, hash_of_bytes(key, size), key, size, NULL);
}

union gk_map_value *gk_map_find_address(const struct gk_map *map, const void *address)
{
	return find(map, mix((uintptr_t)address), NULL, 0, address);
}

union gk_map_value *gk_map_put(struct gk_map *map, const char *key, bool *is_new)
{
	return gk_map_put_bytes(map, key, strlen(key), is_new);
}

union gk_map_value *gk_map_put_bytes(struct gk_map *map, const char *key, size_t size, bool *is_new)
{
	return put(map, hash_of_bytes(key, size), key, size, NULL, is_new);
}

union gk_map_value *gk_map_put_address(struct gk_map *map, const void *address, bool *is_new)
{
	return put(map, mix((uintptr_t)address), NULL, 0, address, is_new);
}
