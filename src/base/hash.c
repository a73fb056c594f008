#include "hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BLOCK_BYTES 64

/* FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t word, int bits)
{
	return word >> bits | word << (32 - bits);
}

static void expand(const uint8_t block[BLOCK_BYTES], uint32_t words[64])
{
	for (size_t i = 0; i < 16; i++)
		words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = words[i - 15], b = words[i - 2];
		uint32_t small0 = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
		uint32_t small1 = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;

		words[i] = words[i - 16] + small0 + words[i - 7] + small1;
	}
}

static void compress(uint32_t state[8], const uint8_t block[BLOCK_BYTES])
{
	uint32_t words[64], s[8];

	expand(block, words);
	memcpy(s, state, sizeof s);
	for (int i = 0; i < 64; i++) {
		uint32_t big1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
		uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
		uint32_t first = s[7] + big1 + choice + round_constants[i] + words[i];
		uint32_t big0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
		uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);

		memmove(s + 1, s, 7 * sizeof *s);
		s[4] += first;
		s[0] = first + big0 + majority;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

void gk_sha256_init(struct gk_sha256 *s)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memcpy(s->state, start, sizeof start);
	s->total_bytes = 0;
}

void gk_sha256_add(struct gk_sha256 *s, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size) {
		size_t used = s->total_bytes % BLOCK_BYTES;
		size_t step = BLOCK_BYTES - used < size ? BLOCK_BYTES - used : size;

		memcpy(s->block + used, at, step);
		s->total_bytes += step;
		at += step;
		size -= step;
		if (used + step == BLOCK_BYTES)
			compress(s->state, s->block);
	}
}

void gk_sha256_end(struct gk_sha256 *s, uint8_t digest[GK_HASH_BYTES])
{
	uint64_t bits = s->total_bytes * 8;
	uint8_t length[8];

	gk_sha256_add(s, "\x80", 1);
	while (s->total_bytes % BLOCK_BYTES != BLOCK_BYTES - sizeof length)
		gk_sha256_add(s, "", 1);
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	gk_sha256_add(s, length, sizeof length);
	for (int i = 0; i < GK_HASH_BYTES; i++)
		digest[i] = (uint8_t)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}

void gk_hash_hex(const void *bytes, size_t size, char hex[GK_HEX_SIZE])
{
	struct gk_sha256 s;
	uint8_t digest[GK_HASH_BYTES];

	gk_sha256_init(&s);
	gk_sha256_add(&s, bytes, size);
	gk_sha256_end(&s, digest);
	for (int i = 0; i < GK_HASH_BYTES; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
}

static void hash_two(const uint8_t block[BLOCK_BYTES], const void *bytes, size_t size, uint8_t digest[GK_HASH_BYTES])
{
	struct gk_sha256 s;

	gk_sha256_init(&s);
	gk_sha256_add(&s, block, BLOCK_BYTES);
	gk_sha256_add(&s, bytes, size);
	gk_sha256_end(&s, digest);
}

void gk_hmac(const void *key, size_t key_size, const void *bytes, size_t size, uint8_t mac[GK_HASH_BYTES])
{
	uint8_t padded[BLOCK_BYTES] = {0}, inner[BLOCK_BYTES], outer[BLOCK_BYTES], digest[GK_HASH_BYTES];

	if (key_size > BLOCK_BYTES) {
		struct gk_sha256 s;

		gk_sha256_init(&s);
		gk_sha256_add(&s, key, key_size);
		gk_sha256_end(&s, padded);
	} else if (key_size) {
		memcpy(padded, key, key_size);
	}
	for (int i = 0; i < BLOCK_BYTES; i++) {
		inner[i] = padded[i] ^ 0x36;
		outer[i] = padded[i] ^ 0x5c;
	}
	hash_two(inner, bytes, size, digest);
	hash_two(outer, digest, sizeof digest, mac);
}

uint64_t gk_hmac_seed(const uint8_t secret[GK_HASH_BYTES], const char *text)
{
	uint8_t mac[GK_HASH_BYTES];
	uint64_t seed = 0;

	gk_hmac(secret, GK_HASH_BYTES, text, strlen(text), mac);
	for (int i = 7; i >= 0; i--)
		seed = seed << 8 | mac[i];
	return seed;
}

void gk_random_bytes(void *bytes, size_t size)
{
	uint8_t *at = bytes;

	while (size) {
		ssize_t n = getrandom(at, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			perror("geak: no random numbers from the kernel");
			exit(3);
		}
		at += n;
		size -= (size_t)n;
	}
}
