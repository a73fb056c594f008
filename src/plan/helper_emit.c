/* Text of Triton IR, written a value at a time; types are worked out here, the reader checks them again. */
#include "helper_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static const char *const kind_names[GK_IR_SCALAR_COUNT] = {
	[GK_IR_I1] = "i1",   [GK_IR_I8] = "i8",   [GK_IR_I16] = "i16",   [GK_IR_I32] = "i32", [GK_IR_I64] = "i64",
	[GK_IR_F16] = "f16", [GK_IR_BF16] = "bf16", [GK_IR_F32] = "f32", [GK_IR_F64] = "f64",
};

#define TILE_TYPE(name) "tensor<2048x" name ">"
_Static_assert(HELPER_TILE == 2048, "the types say so");

static const char *const tile_names[GK_IR_SCALAR_COUNT] = {
	[GK_IR_I1] = TILE_TYPE("i1"),   [GK_IR_I8] = TILE_TYPE("i8"),     [GK_IR_I16] = TILE_TYPE("i16"),
	[GK_IR_I32] = TILE_TYPE("i32"), [GK_IR_I64] = TILE_TYPE("i64"),   [GK_IR_F16] = TILE_TYPE("f16"),
	[GK_IR_BF16] = TILE_TYPE("bf16"), [GK_IR_F32] = TILE_TYPE("f32"), [GK_IR_F64] = TILE_TYPE("f64"),
};

const char *emit_type(enum gk_ir_kind kind, bool is_tile)
{
	return is_tile ? tile_names[kind] : kind_names[kind];
}

static const char *type_of(struct val v)
{
	return emit_type(v.kind, v.is_tile);
}

struct val emit_new(struct emitter *m, enum gk_ir_kind kind, bool is_tile)
{
	return (struct val){++m->last_id, kind, is_tile};
}

static struct val begin(struct emitter *m, enum gk_ir_kind kind, bool is_tile, const char *op)
{
	struct val v = emit_new(m, kind, is_tile);

	gk_buf_printf(m->out, "%%v%d = %s ", v.id, op);
	return v;
}

struct val emit_int(struct emitter *m, enum gk_ir_kind kind, bool is_tile, int64_t value)
{
	struct val v = begin(m, kind, is_tile, "arith.constant");

	gk_buf_printf(m->out, is_tile ? "dense<%lld> : %s\n" : "%lld : %s\n", (long long)value, type_of(v));
	return v;
}

struct val emit_bits(struct emitter *m, enum gk_ir_kind kind, bool is_tile, uint64_t bits)
{
	struct val v = begin(m, kind, is_tile, "arith.constant");
	int digits = 2 * (int)gk_ir_kind_bytes(kind);

	gk_buf_printf(m->out, is_tile ? "dense<0x%0*llX> : %s\n" : "0x%0*llX : %s\n", digits,
	              (unsigned long long)bits, type_of(v));
	return v;
}

struct val emit_two(struct emitter *m, const char *op, struct val a, struct val b)
{
	struct val v = begin(m, a.kind, a.is_tile, op);

	gk_buf_printf(m->out, "%%v%d, %%v%d : %s\n", a.id, b.id, type_of(a));
	return v;
}

struct val emit_one(struct emitter *m, const char *op, struct val a)
{
	struct val v = begin(m, a.kind, a.is_tile, op);

	gk_buf_printf(m->out, "%%v%d : %s\n", a.id, type_of(a));
	return v;
}

struct val emit_with(struct emitter *m, const char *op, struct val a, int64_t number)
{
	return emit_two(m, op, a, emit_int(m, a.kind, a.is_tile, number));
}

struct val emit_cmp(struct emitter *m, const char *op, struct val a, struct val b)
{
	struct val v = begin(m, GK_IR_I1, a.is_tile, op);

	gk_buf_printf(m->out, ", %%v%d, %%v%d : %s\n", a.id, b.id, type_of(a));
	return v;
}

struct val emit_select(struct emitter *m, struct val condition, struct val yes, struct val no)
{
	struct val v = begin(m, yes.kind, yes.is_tile, "arith.select");

	gk_buf_printf(m->out, "%%v%d, %%v%d, %%v%d : %s, %s\n", condition.id, yes.id, no.id, type_of(condition),
	              type_of(yes));
	return v;
}

struct val emit_cast(struct emitter *m, const char *op, struct val a, enum gk_ir_kind kind)
{
	struct val v = begin(m, kind, a.is_tile, op);
	const char *arrow = strncmp(op, "tt.", 3) == 0 ? "->" : "to";

	gk_buf_printf(m->out, "%%v%d : %s %s %s\n", a.id, type_of(a), arrow, type_of(v));
	return v;
}

struct val emit_resize(struct emitter *m, struct val a, enum gk_ir_kind kind, bool is_signed)
{
	size_t from = a.kind == GK_IR_I1 ? 0 : gk_ir_kind_bytes(a.kind), to = gk_ir_kind_bytes(kind);

	if (a.kind == kind)
		return a;
	if (to < from)
		return emit_cast(m, "arith.trunci", a, kind);
	return emit_cast(m, is_signed ? "arith.extsi" : "arith.extui", a, kind);
}

struct val emit_splat(struct emitter *m, struct val a)
{
	struct val v = begin(m, a.kind, TILE, "tt.splat");

	gk_buf_printf(m->out, "%%v%d : %s -> %s\n", a.id, type_of(a), type_of(v));
	return v;
}

/* ---- memory ---- */

static int emit_pointers(struct emitter *m, const char *base, enum gk_ir_kind kind, struct val offsets)
{
	const char *name = kind_names[kind];
	int all = ++m->last_id, at = ++m->last_id;

	gk_buf_printf(m->out, "%%v%d = tt.splat %s : !tt.ptr<%s> -> tensor<%dx!tt.ptr<%s>>\n", all, base, name,
	              HELPER_TILE, name);
	gk_buf_printf(m->out, "%%v%d = tt.addptr %%v%d, %%v%d : tensor<%dx!tt.ptr<%s>>, %s\n", at, all, offsets.id,
	              HELPER_TILE, name, type_of(offsets));
	return at;
}

struct val emit_load(struct emitter *m, const char *base, enum gk_ir_kind kind, struct val offsets, struct val mask)
{
	int at = emit_pointers(m, base, kind, offsets);
	struct val other = gk_ir_kind_is_float(kind) ? emit_bits(m, kind, TILE, 0) : emit_int(m, kind, TILE, 0);
	struct val v = begin(m, kind, TILE, "tt.load");

	gk_buf_printf(m->out, "%%v%d, %%v%d, %%v%d : tensor<%dx!tt.ptr<%s>>\n", at, mask.id, other.id, HELPER_TILE,
	              kind_names[kind]);
	return v;
}

void emit_store(struct emitter *m, const char *base, enum gk_ir_kind kind, struct val offsets, struct val mask,
                struct val value)
{
	int at = emit_pointers(m, base, kind, offsets);

	gk_buf_printf(m->out, "tt.store %%v%d, %%v%d, %%v%d : tensor<%dx!tt.ptr<%s>>\n", at, value.id, mask.id,
	              HELPER_TILE, kind_names[kind]);
}

struct val emit_lanes(struct emitter *m)
{
	struct val lanes = emit_new(m, GK_IR_I32, TILE);

	gk_buf_printf(m->out, "%%v%d = tt.make_range {end = %d : i32, start = 0 : i32} : %s\n", lanes.id, HELPER_TILE,
	              type_of(lanes));
	return lanes;
}

struct val emit_program(struct emitter *m)
{
	struct val program = begin(m, GK_IR_I32, SCALAR, "tt.get_program_id");

	gk_buf_add_text(m->out, "x : i32\n");
	return program;
}

struct val emit_tiles_begin(struct emitter *m)
{
	struct val begin_at = emit_int(m, GK_IR_I32, SCALAR, 0), step = emit_int(m, GK_IR_I32, SCALAR, 1);
	struct val count = emit_int(m, GK_IR_I32, SCALAR, GK_HELPER_BLOCK / HELPER_TILE);
	struct val lanes = emit_lanes(m), program = emit_program(m), tile, first;

	tile = emit_new(m, GK_IR_I32, SCALAR);
	gk_buf_printf(m->out, "scf.for %%v%d = %%v%d to %%v%d step %%v%d : i32 {\n", tile.id, begin_at.id, count.id,
	              step.id);
	first = emit_two(m, "arith.addi",
	                 emit_with(m, "arith.muli", emit_resize(m, program, GK_IR_I64, true), GK_HELPER_BLOCK),
	                 emit_with(m, "arith.muli", emit_resize(m, tile, GK_IR_I64, true), HELPER_TILE));
	return emit_two(m, "arith.addi", emit_splat(m, first), emit_resize(m, lanes, GK_IR_I64, true));
}

void emit_tiles_end(struct emitter *m)
{
	gk_buf_add_text(m->out, "}\n");
}
