/*
 * Between memory and registers: small floats are held as floats. The
 * conversions are written without branches, so that compilers make vectors of them.
 */
#include "machine.h"

#include "base/memory.h"

static inline uint32_t bits_of(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, 4);
	return bits;
}

static inline float value_of(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, 4);
	return value;
}

/* The exponent is rebiased by a multiplication, which makes subnormals right, too. */
static inline float from_f16(uint16_t h)
{
	uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
	uint32_t finite = bits_of(value_of(magnitude) * 0x1p112f);

	return value_of((magnitude >= 0x0f800000 ? magnitude | 0x7f800000 : finite) | sign);
}

/* Round to nearest even; below 2^-14 the addition of 0.5 rounds to the grid of subnormals. */
static inline uint16_t to_f16(float value)
{
	uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, x = bits & 0x7fffffff;
	uint32_t small = bits_of(value_of(x) + 0.5f) - 0x3f000000;
	uint32_t normal = (x - 0x38000000 + 0xfff + (x >> 13 & 1)) >> 13;
	uint32_t special = x > 0x7f800000 ? 0x7e00 | (x >> 13 & 0x3ff) : 0x7c00;
	uint32_t finite = x < 0x38800000 ? small : normal;

	return (uint16_t)((x >= 0x47800000 ? special : finite) | sign);
}

static inline float to_bf16(float value)
{
	uint32_t x = bits_of(value);
	uint32_t rounded = (x + 0x7fff + (x >> 16 & 1)) & 0xffff0000;

	return value_of((x & 0x7fffffff) > 0x7f800000 ? (x | 0x400000) & 0xffff0000 : rounded);
}

VM_LOOP void widen_f16(float *dst, const uint16_t *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dst[i] = from_f16(src[i]);
}

VM_LOOP void narrow_f16(uint16_t *dst, const float *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dst[i] = to_f16(src[i]);
}

VM_LOOP void round_f16(float *held, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		held[i] = from_f16(to_f16(held[i]));
}

VM_LOOP void widen_bf16(float *dst, const uint16_t *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dst[i] = value_of((uint32_t)src[i] << 16);
}

VM_LOOP void narrow_bf16(uint16_t *dst, const float *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dst[i] = (uint16_t)(bits_of(to_bf16(src[i])) >> 16);
}

VM_LOOP void round_bf16(float *held, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		held[i] = to_bf16(held[i]);
}

static void widen_f8(enum gk_dtype format, float *dst, const uint8_t *src, uint32_t n)
{
	float table[256];

	if (n < 64) {
		for (uint32_t i = 0; i < n; i++)
			dst[i] = gk_f8_value(format, src[i]);
		return;
	}
	for (int i = 0; i < 256; i++)
		table[i] = gk_f8_value(format, (uint8_t)i);
	for (uint32_t i = 0; i < n; i++)
		dst[i] = table[src[i]];
}

void vm_widen(enum gk_ir_kind kind, void *held, const void *memory, uint32_t n)
{
	switch (kind) {
	case GK_IR_I1:
		for (uint32_t i = 0; i < n; i++)
			((uint8_t *)held)[i] = ((const uint8_t *)memory)[i] & 1;
		break;
	case GK_IR_F16:
		widen_f16(held, memory, n);
		break;
	case GK_IR_BF16:
		widen_bf16(held, memory, n);
		break;
	default:
		if (vm_is_small_float(kind))
			widen_f8(gk_ir_kind_dtype(kind), held, memory, n);
		else
			memcpy(held, memory, (size_t)n * gk_ir_kind_bytes(kind));
	}
}

void vm_narrow(enum gk_ir_kind kind, void *memory, const void *held, uint32_t n)
{
	const float *floats = held;
	uint8_t *bytes = memory;

	if (kind == GK_IR_F16)
		narrow_f16(memory, held, n);
	else if (kind == GK_IR_BF16)
		narrow_bf16(memory, held, n);
	else if (vm_is_small_float(kind))
		for (uint32_t i = 0; i < n; i++)
			bytes[i] = gk_f8_bits(gk_ir_kind_dtype(kind), floats[i]);
	else
		memcpy(memory, held, (size_t)n * gk_ir_kind_bytes(kind));
}

void vm_round(enum gk_ir_kind kind, float *held, uint32_t n)
{
	enum gk_dtype format = gk_ir_kind_dtype(kind);

	if (kind == GK_IR_F16)
		round_f16(held, n);
	else if (kind == GK_IR_BF16)
		round_bf16(held, n);
	else
		for (uint32_t i = 0; i < n; i++)
			held[i] = gk_f8_value(format, gk_f8_bits(format, held[i]));
}

/* In one step, where a detour over float would round twice. */
float vm_round_double(enum gk_ir_kind kind, double value)
{
	enum gk_dtype format = gk_ir_kind_dtype(kind);
	uint8_t element[8];

	if (kind == GK_IR_F32)
		return (float)value;
	gk_dtype_store(format, element, value);
	return (float)gk_dtype_load(format, element);
}

/* To 10 bits of fraction, nearest, ties away from zero: what the hardware's conversion does. */
VM_LOOP void round_tf32(float *dst, const float *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t x = bits_of(src[i]);
		uint32_t rounded = (x + 0x1000) & 0xffffe000;

		dst[i] = value_of((x & 0x7f800000) == 0x7f800000 ? x : rounded);
	}
}

void vm_round_tf32(float *dst, const float *src, uint32_t n)
{
	round_tf32(dst, src, n);
}
