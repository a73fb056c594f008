#include "random.h"

#include <endian.h>
#include <string.h>

#include "base/memory.h"

static uint64_t splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

void gk_random_seed(struct gk_random *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->state[i] = splitmix(&seed);
}

uint64_t gk_random_next(struct gk_random *r)
{
	uint64_t *s = r->state;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9, carried = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= carried;
	s[3] = rotate_left(s[3], 45);
	return result;
}

/* Draws again where a plain remainder would favour small numbers. */
uint64_t gk_random_below(struct gk_random *r, uint64_t bound)
{
	uint64_t unfair, drawn;

	if (!bound)
		gk_bug("a random number below 0");
	unfair = -bound % bound; /* 2^64 mod bound */
	do
		drawn = gk_random_next(r);
	while (drawn < unfair);
	return drawn % bound;
}

double gk_random_unit(struct gk_random *r)
{
	return (double)(gk_random_next(r) >> 11) * 0x1p-53;
}

void gk_random_shuffle(struct gk_random *r, uint32_t *items, size_t count)
{
	for (size_t left = count; left > 1; left--) {
		size_t pick = gk_random_below(r, left);
		uint32_t last = items[left - 1];

		items[left - 1] = items[pick];
		items[pick] = last;
	}
}

/* Little endian whatever the machine, so that a seed means the same bytes everywhere. */
void gk_random_fill(struct gk_random *r, void *bytes, size_t size)
{
	uint8_t *at = bytes;

	while (size) {
		uint64_t word = htole64(gk_random_next(r));
		size_t step = size < sizeof word ? size : sizeof word;

		memcpy(at, &word, step);
		at += step;
		size -= step;
	}
}
