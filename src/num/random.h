/* A small seeded generator (splitmix64 seeding xoshiro256**): same seed, same numbers, everywhere. Not secret. */
#ifndef GK_NUM_RANDOM_H
#define GK_NUM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct gk_random {
	uint64_t state[4];
};

void gk_random_seed(struct gk_random *r, uint64_t seed);
uint64_t gk_random_next(struct gk_random *r);
uint64_t gk_random_below(struct gk_random *r, uint64_t bound); /* 0 .. bound - 1, unbiased; bound > 0 */
double gk_random_unit(struct gk_random *r);                     /* [0, 1) */
void gk_random_shuffle(struct gk_random *r, uint32_t *items, size_t count);
void gk_random_fill(struct gk_random *r, void *bytes, size_t size);

#endif
