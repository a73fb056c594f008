/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104): content addresses and everything secret that is drawn. */
#ifndef GK_BASE_HASH_H
#define GK_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define GK_HASH_BYTES 32
#define GK_HEX_SIZE   65 /* 64 digits and a zero */

struct gk_sha256 {
	uint32_t state[8];
	uint64_t total_bytes;
	uint8_t block[64];
};

void gk_sha256_init(struct gk_sha256 *s);
void gk_sha256_add(struct gk_sha256 *s, const void *bytes, size_t size);
void gk_sha256_end(struct gk_sha256 *s, uint8_t digest[GK_HASH_BYTES]);

/* Lower-case hexadecimal SHA-256 of size bytes. */
void gk_hash_hex(const void *bytes, size_t size, char hex[GK_HEX_SIZE]);

void gk_hmac(const void *key, size_t key_size, const void *bytes, size_t size, uint8_t mac[GK_HASH_BYTES]);

/* The first eight bytes (little endian) of HMAC(secret, text): a seed that nobody without the secret can guess. */
uint64_t gk_hmac_seed(const uint8_t secret[GK_HASH_BYTES], const char *text);

/* Fills bytes from the kernel's generator; dies when there is none. */
void gk_random_bytes(void *bytes, size_t size);

#endif
