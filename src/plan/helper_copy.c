/*
 * Strided kernels: the number of an element is taken apart into its indexes
 * from the last dimension on, by division, in 32 bits where all numbers fit.
 * A dimension of extent 1 costs nothing: whether it is one is the same for the
 * whole program.
 */
#include "helper_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define SMALL     (INT32_MAX - GK_HELPER_BLOCK)

static const char *const short_names[GK_DTYPE_COUNT] = {
	[GK_BOOL] = "bool",       [GK_I8] = "i8",   [GK_I16] = "i16",
	[GK_I32] = "i32",         [GK_I64] = "i64", [GK_U8] = "u8",
	[GK_U16] = "u16",         [GK_U32] = "u32", [GK_U64] = "u64",
	[GK_F16] = "f16",         [GK_BF16] = "bf16", [GK_F32] = "f32",
	[GK_F64] = "f64",         [GK_F8E4M3FN] = "f8e4m3fn", [GK_F8E5M2] = "f8e5m2",
	[GK_F8E4M3FNUZ] = "f8e4m3fnuz", [GK_F8E5M2FNUZ] = "f8e5m2fnuz", [GK_F8E4M3B11FNUZ] = "f8e4m3b11fnuz",
};

const char *helper_dtype_name(enum gk_dtype dtype)
{
	return short_names[dtype];
}

enum gk_dtype helper_dtype_of(const char *name, size_t size)
{
	for (int i = GK_BOOL; i < GK_DTYPE_COUNT; i++)
		if (strlen(short_names[i]) == size && memcmp(short_names[i], name, size) == 0)
			return (enum gk_dtype)i;
	return GK_DTYPE_NONE;
}

static bool is_int(enum gk_dtype dtype)
{
	return dtype >= GK_I8 && dtype <= GK_U64;
}

/* Wrapped into the same bytes, whatever the sign. */
static enum gk_dtype stored_as(enum gk_dtype dtype)
{
	return dtype >= GK_U8 && dtype <= GK_U64 ? (enum gk_dtype)(dtype - GK_U8 + GK_I8) : dtype;
}

bool helper_copy_name(enum gk_dtype to, enum gk_dtype from, char name[GK_HELPER_NAME])
{
	size_t bytes = gk_dtype_bytes(to);

	if (!bytes || !gk_dtype_bytes(from))
		return false;
	if (to == from || (is_int(to) && is_int(from) && bytes == gk_dtype_bytes(from)))
		snprintf(name, GK_HELPER_NAME, "copy_b%zu", bytes);
	else
		snprintf(name, GK_HELPER_NAME, "copy_%s_%s", short_names[from], short_names[stored_as(to)]);
	return true;
}

bool helper_iota_name(enum gk_dtype to, char name[GK_HELPER_NAME])
{
	if (!gk_dtype_bytes(to))
		return false;
	if (gk_dtype_is_float(to))
		snprintf(name, GK_HELPER_NAME, "iota_%s", short_names[to]);
	else
		snprintf(name, GK_HELPER_NAME, "iota_b%zu", gk_dtype_bytes(to));
	return true;
}

/* ---- where an element lies ---- */

/* Opens the conditional that makes a place, or goes on in its other half. */
static struct place place_begin(struct walk *w, struct val condition, enum gk_ir_kind rest)
{
	struct emitter *m = w->m;
	struct place p = {.rest = emit_new(m, rest, TILE)};

	gk_buf_printf(m->out, "%%v%d", p.rest.id);
	for (int i = 0; i < w->views; i++) {
		p.offsets[i] = emit_new(m, GK_IR_I64, TILE);
		gk_buf_printf(m->out, ", %%v%d", p.offsets[i].id);
	}
	gk_buf_printf(m->out, " = scf.if %%v%d -> (%s", condition.id, emit_type(rest, TILE));
	for (int i = 0; i < w->views; i++)
		gk_buf_printf(m->out, ", %s", emit_type(GK_IR_I64, TILE));
	gk_buf_add_text(m->out, ") {\n");
	return p;
}

static void place_yield(struct walk *w, struct place p, const char *after)
{
	gk_buf_printf(w->m->out, "scf.yield %%v%d", p.rest.id);
	for (int i = 0; i < w->views; i++)
		gk_buf_printf(w->m->out, ", %%v%d", p.offsets[i].id);
	gk_buf_printf(w->m->out, " : %s", emit_type(p.rest.kind, TILE));
	for (int i = 0; i < w->views; i++)
		gk_buf_printf(w->m->out, ", %s", emit_type(GK_IR_I64, TILE));
	gk_buf_printf(w->m->out, "\n%s\n", after);
}

static void step_along(struct walk *w, struct place *p, struct val index, int d)
{
	struct val wide = emit_resize(w->m, index, GK_IR_I64, true);

	for (int i = 0; i < w->views; i++) {
		struct val by = emit_two(w->m, "arith.muli", wide, emit_splat(w->m, w->strides[i][d]));

		p->offsets[i] = emit_two(w->m, "arith.addi", p->offsets[i], by);
	}
}

static struct place take_dimension(struct walk *w, struct place at, int d)
{
	struct emitter *m = w->m;
	struct val one = emit_int(m, GK_IR_I64, SCALAR, 1);
	struct place after = place_begin(w, emit_cmp(m, "arith.cmpi ne", w->shape[d], one), at.rest.kind), in = at;
	struct val extent = emit_splat(m, emit_resize(m, w->shape[d], at.rest.kind, true));
	struct val above = emit_two(m, "arith.divui", at.rest, extent);
	struct val index = emit_two(m, "arith.subi", at.rest, emit_two(m, "arith.muli", above, extent));

	in.rest = above;
	step_along(w, &in, index, d);
	place_yield(w, in, "} else {");
	place_yield(w, at, "}");
	return after;
}

static struct place take_all(struct walk *w, struct val number, enum gk_ir_kind kind)
{
	struct val zero = emit_int(w->m, GK_IR_I64, TILE, 0);
	struct place p = {emit_resize(w->m, number, kind, true), {zero, zero}};

	for (int d = GK_MAX_RANK - 1; d > 0; d--)
		p = take_dimension(w, p, d);
	step_along(w, &p, p.rest, 0);
	p.rest = emit_resize(w->m, p.rest, GK_IR_I64, true);
	return p;
}

struct place emit_place(struct walk *w, struct val number, struct val count)
{
	struct val is_small = emit_cmp(w->m, "arith.cmpi sle", count, emit_int(w->m, GK_IR_I64, SCALAR, SMALL));
	struct place p = place_begin(w, is_small, GK_IR_I64);

	place_yield(w, take_all(w, number, GK_IR_I32), "} else {");
	place_yield(w, take_all(w, number, GK_IR_I64), "}");
	return p;
}

/* ---- the kernels ---- */

/* What a kernel is, besides its views. */
struct strided {
	const char *name;
	enum gk_dtype from, to;   /* to: NONE but for casts */
	enum gk_ir_kind src, dst; /* as they lie in memory */
	enum { COPY, SET, IOTA } what;
	struct val numbers[2]; /* SET: bits; IOTA: start, step */
};

static struct val add_number(struct emitter *m)
{
	struct val v = emit_new(m, GK_IR_I64, SCALAR);

	gk_buf_printf(m->out, ", %%v%d: i64", v.id);
	return v;
}

void emit_numbers(struct emitter *m, struct val numbers[GK_MAX_RANK])
{
	for (int d = 0; d < GK_MAX_RANK; d++)
		numbers[d] = add_number(m);
}

static void write_head(struct walk *w, struct strided *k)
{
	struct emitter *m = w->m;

	gk_buf_printf(m->out, "module {\ntt.func public @%s(%%dst: !tt.ptr<%s>", k->name, emit_type(k->dst, SCALAR));
	emit_numbers(m, w->strides[0]);
	if (k->what == COPY) {
		gk_buf_printf(m->out, ", %%src: !tt.ptr<%s>", emit_type(k->src, SCALAR));
		emit_numbers(m, w->strides[1]);
	}
	emit_numbers(m, w->shape);
	for (int i = 0; i < (k->what == SET ? 1 : k->what == IOTA ? 2 : 0); i++)
		k->numbers[i] = add_number(m);
	gk_buf_add_text(m->out, ") attributes {noinline = false} {\n");
}

struct val emit_count(struct walk *w)
{
	struct val count = emit_int(w->m, GK_IR_I64, SCALAR, 1);

	for (int d = 0; d < GK_MAX_RANK; d++) {
		count = emit_two(w->m, "arith.muli", count, w->shape[d]);
		w->shape[d] = emit_with(w->m, "arith.maxsi", w->shape[d], 1); /* nothing divides by 0 */
	}
	return count;
}

static struct val value_of(struct emitter *m, const struct strided *k, struct val number, struct place p,
                           struct val mask)
{
	struct val v;

	if (k->what == COPY)
		v = emit_load(m, "%src", k->src, p.offsets[1], mask);
	else if (k->what == SET)
		v = emit_splat(m, emit_resize(m, k->numbers[0], k->dst, true));
	else
		v = emit_two(m, "arith.addi", emit_splat(m, k->numbers[0]),
		             emit_two(m, "arith.muli", number, emit_splat(m, k->numbers[1])));
	if (k->to)
		return helper_cast(m, v, k->from, k->to);
	return k->what == IOTA ? emit_resize(m, v, k->dst, true) : v;
}

static void write_kernel(struct strided *k, struct gk_buf *out)
{
	struct emitter m = {out, 0};
	struct walk w = {.m = &m, .views = k->what == COPY ? 2 : 1};
	struct val count, number, mask;
	struct place p;

	write_head(&w, k);
	count = emit_count(&w);
	number = emit_tiles_begin(&m);
	mask = emit_cmp(&m, "arith.cmpi slt", number, emit_splat(&m, count));
	p = emit_place(&w, number, count);
	emit_store(&m, "%dst", k->dst, p.offsets[0], mask, value_of(&m, k, number, p, mask));
	emit_tiles_end(&m);
	gk_buf_add_text(out, "tt.return\n}\n}\n");
}

/* "b4": the kind of memory of so many bytes. */
static bool read_bytes(const char *text, enum gk_ir_kind *kind)
{
	static const enum gk_ir_kind kinds[] = {0, GK_IR_I8, GK_IR_I16, 0, GK_IR_I32, 0, 0, 0, GK_IR_I64};

	if (text[0] != 'b' || text[1] < '1' || text[1] > '8' || text[2])
		return false;
	*kind = kinds[text[1] - '0'];
	return *kind != GK_IR_NO_TYPE;
}

static bool read_cast(const char *text, struct strided *k)
{
	const char *middle = strchr(text, '_');
	char again[GK_HELPER_NAME];

	if (!middle)
		return false;
	k->from = helper_dtype_of(text, (size_t)(middle - text));
	k->to = helper_dtype_of(middle + 1, strlen(middle + 1));
	if (!k->from || !k->to || !helper_copy_name(k->to, k->from, again) || strcmp(again, k->name) != 0)
		return false;
	k->src = helper_memory_kind(k->from);
	k->dst = helper_memory_kind(k->to);
	return true;
}

static bool read_name(struct strided *k)
{
	if (strncmp(k->name, "copy_", 5) == 0) {
		k->what = COPY;
		if (!read_bytes(k->name + 5, &k->dst))
			return read_cast(k->name + 5, k);
		k->src = k->dst;
		return true;
	}
	k->what = strncmp(k->name, "set_", 4) == 0 ? SET : IOTA;
	if (k->what == SET)
		return read_bytes(k->name + 4, &k->dst);
	if (strncmp(k->name, "iota_", 5) != 0)
		return false;
	if (read_bytes(k->name + 5, &k->dst))
		return true;
	k->from = GK_I64;
	k->to = helper_dtype_of(k->name + 5, strlen(k->name + 5));
	k->dst = k->to ? helper_memory_kind(k->to) : GK_IR_NO_TYPE;
	return gk_dtype_is_float(k->to);
}

bool helper_strided_text(const char *name, struct gk_buf *out)
{
	struct strided k = {.name = name};

	if (!read_name(&k))
		return false;
	write_kernel(&k, out);
	return true;
}
