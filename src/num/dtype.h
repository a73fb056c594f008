/* Number formats of tensors: names, sizes, exact conversion to and from double. */
#ifndef GK_NUM_DTYPE_H
#define GK_NUM_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gk_dtype {
	GK_DTYPE_NONE,
	GK_BOOL, /* one byte, 0 or 1 */
	GK_I8,
	GK_I16,
	GK_I32,
	GK_I64,
	GK_U8,
	GK_U16,
	GK_U32,
	GK_U64,
	GK_F16,
	GK_BF16,
	GK_F32,
	GK_F64,
	GK_F8E4M3FN,   /* no infinity, NaN 0x7f and 0xff, largest 448 */
	GK_F8E5M2,     /* IEEE-like */
	GK_F8E4M3FNUZ, /* no infinity, NaN 0x80, no -0, bias 8, largest 240 */
	GK_F8E5M2FNUZ, /* no infinity, NaN 0x80, no -0, bias 16 */
	GK_F8E4M3B11FNUZ,
	GK_DTYPE_COUNT
};

/* torch's name without "torch.": "float32", "bfloat16", "float8_e4m3fn", "bool", ... NULL for NONE. */
const char *gk_dtype_name(enum gk_dtype dtype);
/* From torch's name, with or without "torch."; GK_DTYPE_NONE when unknown. */
enum gk_dtype gk_dtype_from_name(const char *name);
/* All names, NULL-terminated, for messages and gk_node_choice(): index + 1 is the enum. */
extern const char *const gk_dtype_names[];

size_t gk_dtype_bytes(enum gk_dtype dtype);
bool gk_dtype_is_float(enum gk_dtype dtype);
bool gk_dtype_is_signed(enum gk_dtype dtype);
/* Bits of significand with the hidden one (f32: 24); 0 for integers. */
int gk_dtype_precision(enum gk_dtype dtype);
/* Distance from 1 to the next number: 2^(1 - precision). */
double gk_dtype_epsilon(enum gk_dtype dtype);
double gk_dtype_max(enum gk_dtype dtype); /* largest finite */

/* One element from memory (need not be aligned). 64-bit integers beyond 2^53 lose bits: use the int form. */
double gk_dtype_load(enum gk_dtype dtype, const void *element);
int64_t gk_dtype_load_int(enum gk_dtype dtype, const void *element);
/* Rounded to nearest even; overflow as IEEE (or NaN / saturation as the format says, see dtype.c). */
void gk_dtype_store(enum gk_dtype dtype, void *element, double value);

/* f32 rounded to the format and back, for formats of at most 24 bits of precision: the machine holds them so. */
float gk_f16_round(float value);
float gk_bf16_round(float value);
uint16_t gk_f16_bits(float value);
float gk_f16_value(uint16_t bits);
uint16_t gk_bf16_bits(float value);
float gk_bf16_value(uint16_t bits);
uint8_t gk_f8_bits(enum gk_dtype format, float value);
float gk_f8_value(enum gk_dtype format, uint8_t bits);

/* Distance of a and b in units in the last place of the format; infinite for NaN against a number. */
double gk_dtype_ulps(enum gk_dtype dtype, double a, double b);

#endif
