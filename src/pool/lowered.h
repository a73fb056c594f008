/* Code objects kept on disk, by the hash of everything that decides over them. */
#ifndef GK_POOL_LOWERED_H
#define GK_POOL_LOWERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "fact/object.h"

struct lowered {
	char *folder; /* NULL: nothing is kept */
	int64_t max_bytes;
	int64_t bytes; /* in the folder, as far as known; -1: not yet counted */
};

/* folder NULL: $GEAK_CACHE_MB megabytes (1024; 0: nothing is kept) below
 * ${XDG_CACHE_HOME:-~/.cache}/geak/lowered. */
void lowered_open(struct lowered *lowered, const char *folder, int64_t max_bytes);
void lowered_close(struct lowered *lowered);

/* False when there is none, or none that is whole. *code is malloc'ed. */
bool lowered_find(struct lowered *lowered, const char key[GK_HEX_SIZE], struct gk_object *object, char **code,
                  size_t *size);
/* A full disk or a folder that cannot be written costs the entry, nothing else. */
void lowered_keep(struct lowered *lowered, const char key[GK_HEX_SIZE], const struct gk_object *object,
                  const void *code, size_t size);

#endif
