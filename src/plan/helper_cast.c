/*
 * Conversion of a tile as gk_dtype_load() and gk_dtype_store() do it. What the
 * hardware converts with the same result is left to it: f16 and bf16 to and
 * from f32, f32 to and from f64, integers to floats that hold them or to f64.
 * The rest is integer arithmetic: 8-bit floats, about whose overflow compilers
 * and architectures differ, and f64 to f16 and bf16, which some round twice.
 *
 * The code of a positive float counts the representable numbers from 0 upward,
 * so that rounding carries into the exponent by plain addition.
 */
#include "helper_parts.h"

#include "base/memory.h"

/* A format of a few bits, and the wide one whose bits it is made from. */
struct narrow {
	int mantissa, bias;
	uint32_t largest;       /* code of the largest finite number */
	uint32_t overflow, nan; /* what stands for larger ones, and for NaN */
	int sign;               /* bit of the sign */
	bool is_unsigned_zero;  /* FNUZ: no -0, and NaN has no sign either */
};

static const struct narrow *narrow_of(enum gk_dtype dtype)
{
	static const struct narrow formats[GK_DTYPE_COUNT] = {
		[GK_F16] = {10, 15, 0x7bff, 0x7c00, 0x7e00, 15, false},
		[GK_BF16] = {7, 127, 0x7f7f, 0x7f80, 0x7fc0, 15, false},
		[GK_F8E4M3FN] = {3, 7, 0x7e, 0x7f, 0x7f, 7, false},
		[GK_F8E5M2] = {2, 15, 0x7b, 0x7c, 0x7e, 7, false},
		[GK_F8E4M3FNUZ] = {3, 8, 0x7f, 0x80, 0x80, 7, true},
		[GK_F8E5M2FNUZ] = {2, 16, 0x7f, 0x80, 0x80, 7, true},
		[GK_F8E4M3B11FNUZ] = {3, 11, 0x7f, 0x80, 0x80, 7, true},
	};

	return &formats[dtype];
}

struct wide {
	enum gk_ir_kind floats, bits;
	int mantissa, bias;
};
static const struct wide wide32 = {GK_IR_F32, GK_IR_I32, 23, 127}, wide64 = {GK_IR_F64, GK_IR_I64, 52, 1023};

static uint64_t wide_bits(const struct wide *w, int exponent)
{
	return (uint64_t)(exponent + w->bias) << w->mantissa; /* of 2^exponent */
}

static bool is_f8(enum gk_dtype dtype)
{
	return gk_dtype_is_float(dtype) && gk_dtype_bytes(dtype) == 1;
}

enum gk_ir_kind helper_memory_kind(enum gk_dtype dtype)
{
	static const enum gk_ir_kind ints[] = {0, GK_IR_I8, GK_IR_I16, 0, GK_IR_I32, 0, 0, 0, GK_IR_I64};

	switch (dtype) {
	case GK_F16:
		return GK_IR_F16;
	case GK_BF16:
		return GK_IR_BF16;
	case GK_F32:
		return GK_IR_F32;
	case GK_F64:
		return GK_IR_F64;
	default:
		return ints[gk_dtype_bytes(dtype)];
	}
}

/* ---- 8-bit floats to f32: every one of them is a normal number there ---- */

static struct val decode(struct emitter *m, struct val byte, const struct narrow *f)
{
	const struct wide *w = &wide32;
	struct val all = emit_resize(m, byte, GK_IR_I32, false);
	struct val code = emit_with(m, "arith.andi", all, 0x7f);
	struct val sign = emit_with(m, "arith.shli", emit_with(m, "arith.andi", all, 0x80), 24);
	struct val normal = emit_with(m, "arith.addi", emit_with(m, "arith.shli", code, w->mantissa - f->mantissa),
	                              (int64_t)wide_bits(w, -f->bias));
	struct val small = emit_two(m, "arith.mulf", emit_cast(m, "arith.uitofp", code, GK_IR_F32),
	                            emit_bits(m, GK_IR_F32, TILE, wide_bits(w, 1 - f->bias - f->mantissa)));
	struct val is_small = emit_cmp(m, "arith.cmpi ult", code, emit_int(m, GK_IR_I32, TILE, 1 << f->mantissa));
	struct val size = emit_select(m, is_small, emit_cast(m, "tt.bitcast", small, GK_IR_I32), normal);
	struct val nan = emit_int(m, GK_IR_I32, TILE, 0x7fc00000), is_nan, result;

	if (f->is_unsigned_zero) {
		is_nan = emit_cmp(m, "arith.cmpi eq", all, emit_int(m, GK_IR_I32, TILE, 0x80));
	} else {
		is_nan = emit_cmp(m, "arith.cmpi ugt", code, emit_int(m, GK_IR_I32, TILE, f->largest));
		if (f->overflow != f->nan) { /* it has an infinity */
			struct val is_inf = emit_cmp(m, "arith.cmpi eq", code,
			                             emit_int(m, GK_IR_I32, TILE, f->overflow));

			nan = emit_select(m, is_inf, emit_int(m, GK_IR_I32, TILE, 0x7f800000), nan);
		}
	}
	result = emit_two(m, "arith.ori", sign, emit_select(m, is_nan, nan, size));
	return emit_cast(m, "tt.bitcast", result, GK_IR_F32);
}

/* ---- f32 and f64 to fewer bits ---- */

/* The code of the nearest number, ties to even, of positive bits of a normal result. */
static struct val round_normal(struct emitter *m, const struct wide *w, const struct narrow *f, struct val size)
{
	int cut = w->mantissa - f->mantissa;
	struct val moved = emit_with(m, "arith.subi", size, (int64_t)wide_bits(w, -f->bias));
	struct val odd = emit_with(m, "arith.andi", emit_with(m, "arith.shrui", moved, cut), 1);
	struct val half = emit_with(m, "arith.addi", moved, ((int64_t)1 << (cut - 1)) - 1);

	return emit_with(m, "arith.shrui", emit_two(m, "arith.addi", half, odd), cut);
}

/* Of a subnormal one: added to a number whose last bit is one step, the addition rounds. */
static struct val round_small(struct emitter *m, const struct wide *w, const struct narrow *f, struct val size)
{
	uint64_t magic = wide_bits(w, 1 - f->bias - f->mantissa + w->mantissa);
	struct val sum = emit_two(m, "arith.addf", emit_cast(m, "tt.bitcast", size, w->floats),
	                          emit_bits(m, w->floats, TILE, magic));

	return emit_with(m, "arith.subi", emit_cast(m, "tt.bitcast", sum, w->bits), (int64_t)magic);
}

static struct val encode(struct emitter *m, const struct wide *w, const struct narrow *f, struct val value)
{
	int top = w == &wide32 ? 31 : 63;
	struct val all = emit_cast(m, "tt.bitcast", value, w->bits);
	struct val size = emit_with(m, "arith.andi", all, w == &wide32 ? INT32_MAX : INT64_MAX);
	struct val sign = emit_with(m, "arith.shli", emit_with(m, "arith.shrui", all, top), f->sign);
	struct val infinity = emit_int(m, w->bits, TILE, (int64_t)wide_bits(w, w->bias + 1));
	struct val least = emit_int(m, w->bits, TILE, (int64_t)wide_bits(w, 1 - f->bias));
	struct val code = emit_select(m, emit_cmp(m, "arith.cmpi ult", size, least), round_small(m, w, f, size),
	                              round_normal(m, w, f, size));
	struct val is_over = emit_cmp(m, "arith.cmpi ugt", code, emit_int(m, w->bits, TILE, f->largest));
	struct val is_nan = emit_cmp(m, "arith.cmpi ugt", size, infinity);
	struct val overflow = emit_int(m, w->bits, TILE, f->overflow), nan = emit_int(m, w->bits, TILE, f->nan), zero;

	if (!f->is_unsigned_zero) {
		code = emit_select(m, is_nan, nan, emit_select(m, is_over, overflow, code));
		return emit_two(m, "arith.ori", sign, code);
	}
	zero = emit_int(m, w->bits, TILE, 0);
	sign = emit_select(m, emit_cmp(m, "arith.cmpi eq", code, zero), zero, sign);
	code = emit_select(m, emit_two(m, "arith.ori", is_nan, is_over), nan, emit_two(m, "arith.ori", sign, code));
	return code;
}

/* ---- between kinds ---- */

/* A float's tile as f32, or as f64 where it is one. */
static struct val to_wide(struct emitter *m, struct val value, enum gk_dtype from)
{
	if (is_f8(from))
		return decode(m, value, narrow_of(from));
	return from == GK_F32 || from == GK_F64 ? value : emit_cast(m, "arith.extf", value, GK_IR_F32);
}

/* f32 where that holds every value of the integer, else f64 (which 64 bits are rounded to). */
static struct val int_to_wide(struct emitter *m, struct val value, enum gk_dtype from)
{
	enum gk_ir_kind kind = gk_dtype_bytes(from) <= 2 ? GK_IR_F32 : GK_IR_F64;

	return emit_cast(m, gk_dtype_is_signed(from) ? "arith.sitofp" : "arith.uitofp", value, kind);
}

static struct val from_wide(struct emitter *m, struct val value, enum gk_dtype to)
{
	enum gk_ir_kind memory = helper_memory_kind(to);
	struct val bits;

	if (memory == value.kind)
		return value;
	if (to == GK_F64)
		return emit_cast(m, "arith.extf", value, GK_IR_F64);
	if (to == GK_F32 || (!is_f8(to) && value.kind == GK_IR_F32))
		return emit_cast(m, "arith.truncf", value, memory);
	bits = encode(m, value.kind == GK_IR_F32 ? &wide32 : &wide64, narrow_of(to), value);
	bits = emit_resize(m, bits, is_f8(to) ? GK_IR_I8 : GK_IR_I16, false);
	return is_f8(to) ? bits : emit_cast(m, "tt.bitcast", bits, memory);
}

/* Towards zero into 64 bits, at their bounds where there is no such number, 0 for NaN. */
static struct val to_whole(struct emitter *m, struct val value)
{
	const struct wide *w = value.kind == GK_IR_F32 ? &wide32 : &wide64;
	struct val bound = emit_bits(m, value.kind, TILE, wide_bits(w, 63));
	struct val below = emit_bits(m, value.kind, TILE, wide_bits(w, 63) | (uint64_t)1 << (w == &wide32 ? 31 : 63));
	struct val is_high = emit_cmp(m, "arith.cmpf oge", value, bound);
	struct val is_low = emit_cmp(m, "arith.cmpf ole", value, below);
	struct val is_nan = emit_cmp(m, "arith.cmpf uno", value, value);
	struct val outside = emit_two(m, "arith.ori", emit_two(m, "arith.ori", is_high, is_low), is_nan);
	struct val inside = emit_select(m, outside, emit_bits(m, value.kind, TILE, 0), value);
	struct val whole = emit_cast(m, "arith.fptosi", inside, GK_IR_I64);

	whole = emit_select(m, is_high, emit_int(m, GK_IR_I64, TILE, INT64_MAX), whole);
	return emit_select(m, is_low, emit_int(m, GK_IR_I64, TILE, INT64_MIN), whole);
}

static struct val to_bool(struct emitter *m, struct val value, enum gk_dtype from)
{
	struct val is_set;

	if (gk_dtype_is_float(from)) {
		value = to_wide(m, value, from);
		is_set = emit_cmp(m, "arith.cmpf une", value, emit_bits(m, value.kind, TILE, 0));
	} else {
		is_set = emit_cmp(m, "arith.cmpi ne", value, emit_int(m, value.kind, TILE, 0));
	}
	return emit_resize(m, is_set, GK_IR_I8, false);
}

struct val helper_cast(struct emitter *m, struct val value, enum gk_dtype from, enum gk_dtype to)
{
	enum gk_ir_kind memory = helper_memory_kind(to);

	if (to == GK_BOOL)
		return to_bool(m, value, from);
	if (from == GK_BOOL)
		value = to_bool(m, value, from);
	if (gk_dtype_is_float(to))
		return from_wide(m, gk_dtype_is_float(from) ? to_wide(m, value, from) : int_to_wide(m, value, from), to);
	if (gk_dtype_is_float(from))
		return emit_resize(m, to_whole(m, to_wide(m, value, from)), memory, true);
	return emit_resize(m, value, memory, gk_dtype_is_signed(from));
}
