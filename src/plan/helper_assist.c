/*
 * Kernels for the arithmetic of the framework that a task allows. A program
 * has 2048 lanes for a few elements of dst, each with some lanes along the
 * folded dimensions: many where there is much to fold and little to keep, one
 * where the fold is short. Each lane folds every Nth element on its own, then
 * the lanes of an element are folded into one.
 */
#include "helper_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

struct spread {
	bool by_rows; /* neighbouring lanes belong to the fold, not to elements of dst */
	int lanes;    /* of one element: a power of two */
};
static const struct spread spreads[] = {{false, 1}, {false, 32}, {true, 32}, {true, HELPER_TILE}};

/* ---- which one ---- */

enum { SHORT_FOLD = 32, LONG_FOLD = HELPER_TILE, FEW_KEPT = 512 };

static int64_t least_stride(const struct gk_plan_view *view)
{
	int64_t least = INT64_MAX;

	for (int d = 0; d < view->rank; d++) {
		int64_t stride = view->strides[d] < 0 ? -view->strides[d] : view->strides[d];

		if (view->shape[d] > 1 && stride < least)
			least = stride;
	}
	return least;
}

static const struct spread *spread_of(const struct gk_plan_step *step)
{
	struct gk_plan_view kept, folded;
	int64_t count;

	gk_assist_split(step, &kept, &folded);
	count = gk_plan_view_count(&folded);
	if (count < SHORT_FOLD)
		return &spreads[0];
	if (count >= LONG_FOLD && gk_plan_view_count(&kept) <= FEW_KEPT)
		return &spreads[3];
	return least_stride(&folded) < least_stride(&kept) ? &spreads[2] : &spreads[1];
}

static void name_of(enum gk_assist assist, enum gk_dtype from, enum gk_dtype to, const struct spread *s,
                    char name[GK_HELPER_NAME])
{
	snprintf(name, GK_HELPER_NAME, "%s_%s_%s_%c%d", gk_assist_names[assist], helper_dtype_name(from),
	         helper_dtype_name(to), s->by_rows ? 'r' : 'c', s->lanes);
}

void helper_assist_name(const struct gk_plan_step *step, char name[GK_HELPER_NAME])
{
	name_of(step->assist, step->src.dtype, step->dst.dtype, spread_of(step), name);
}

void gk_helper_fold(const struct gk_plan_step *step, struct gk_helper_fold *fold)
{
	int64_t each = HELPER_TILE / spread_of(step)->lanes;
	struct gk_plan_view kept, folded;

	gk_assist_split(step, &kept, &folded);
	gk_helper_walk(&step->dst, &kept, &fold->kept);
	gk_helper_walk(&folded, NULL, &fold->folded);
	fold->programs = (uint32_t)((fold->kept.count + each - 1) / each);
}

/* ---- its parts ---- */

struct kernel {
	struct emitter *m;
	enum gk_assist assist,
		does;     /* does: what the pass that is written folds: sums, greatest or least numbers */
	struct val shift; /* of exp(element - shift), where it has an id */
	enum gk_dtype from, to;
	enum gk_ir_kind wide; /* what it computes in */
	struct spread spread;
	struct walk kept, folded;
};

static bool is_float(const struct kernel *k)
{
	return gk_dtype_is_float(k->to);
}

static struct val first_value(const struct kernel *k)
{
	static const uint64_t infinities[] = {0x7f800000, 0x7ff0000000000000};
	bool is_max = k->does == GK_ASSIST_MAX, is_sum = !is_max && k->does != GK_ASSIST_MIN;
	uint64_t bits = infinities[k->wide == GK_IR_F64];
	int64_t whole = gk_dtype_is_signed(k->to) ? (is_max ? INT64_MIN : INT64_MAX) : (is_max ? 0 : -1);

	if (is_max)
		bits |= k->wide == GK_IR_F64 ? (uint64_t)1 << 63 : (uint64_t)1 << 31;
	if (is_float(k))
		return emit_bits(k->m, k->wide, TILE, is_sum ? 0 : bits);
	return emit_int(k->m, k->wide, TILE, is_sum ? 0 : whole);
}

/* The operation that folds two numbers. */
static const char *folding(const struct kernel *k)
{
	static const char *const floats[] = {"arith.addf", "arith.maximumf", "arith.minimumf"};
	static const char *const whole[] = {"arith.addi", "arith.maxsi", "arith.minsi"};
	static const char *const plain[] = {"arith.addi", "arith.maxui", "arith.minui"};

	if (is_float(k))
		return floats[k->does];
	return (gk_dtype_is_signed(k->to) ? whole : plain)[k->does];
}

static bool folds(const struct kernel *k)
{
	return k->assist <= GK_ASSIST_LOGSUMEXP;
}

static struct val change(const struct kernel *k, struct val v)
{
	struct emitter *m = k->m;
	struct val zero;

	if (k->shift.id)
		return emit_one(m, "math.exp", emit_two(m, "arith.subf", v, k->shift));
	if (k->assist == GK_ASSIST_RECIPROCAL) {
		struct val one =
			emit_bits(m, k->wide, TILE, k->wide == GK_IR_F64 ? 0x3ff0000000000000 : 0x3f800000);

		return emit_two(m, k->wide == GK_IR_F64 ? "arith.divf" : "tt.precise_divf", one, v);
	}
	if (k->assist != GK_ASSIST_ABS || (!is_float(k) && !gk_dtype_is_signed(k->to)))
		return v;
	if (is_float(k))
		return emit_one(m, "math.absf", v);
	zero = emit_int(m, k->wide, TILE, 0);
	return emit_select(m, emit_cmp(m, "arith.cmpi slt", v, zero), emit_two(m, "arith.subi", zero, v), v);
}

/* As torch does it: dst's dtype first, then the wider number. */
static struct val widen(const struct kernel *k, struct val v)
{
	if (k->from != k->to)
		v = helper_cast(k->m, v, k->from, k->to);
	if (!is_float(k))
		return emit_resize(k->m, v, GK_IR_I64, gk_dtype_is_signed(k->to));
	return v.kind == k->wide ? v : emit_cast(k->m, "arith.extf", v, k->wide);
}

static struct val narrow(const struct kernel *k, struct val v)
{
	if (!is_float(k))
		return emit_resize(k->m, v, helper_memory_kind(k->to), true);
	return helper_cast(k->m, v, k->wide == GK_IR_F64 ? GK_F64 : GK_F32, k->to);
}

/* The lanes of each element into one number, which all of them get. */
static struct val fold_lanes(const struct kernel *k, struct val v)
{
	struct emitter *m = k->m;
	const char *kind = emit_type(k->wide, SCALAR), *tile = emit_type(k->wide, TILE), *op = folding(k);
	int lanes = k->spread.lanes, each = HELPER_TILE / lanes, axis = k->spread.by_rows ? 1 : 0;
	int rows = axis ? each : lanes, columns = axis ? lanes : each, id = m->last_id;
	struct val all;

	m->last_id += 4;
	all = emit_new(m, k->wide, TILE);
	gk_buf_printf(m->out, "%%v%d = tt.reshape %%v%d : %s -> tensor<%dx%dx%s>\n", id + 1, v.id, tile, rows,
	              columns, kind);
	gk_buf_printf(m->out,
	              "%%v%d = \"tt.reduce\"(%%v%d) <{axis = %d : i32}> ({\n^bb0(%%a: %s, %%b: %s):\n%%c = "
	              "%s %%a, %%b : %s\n"
	              "tt.reduce.return %%c : %s\n}) : (tensor<%dx%dx%s>) -> tensor<%dx%s>\n",
	              id + 2, id + 1, axis, kind, kind, op, kind, kind, rows, columns, kind, each, kind);
	gk_buf_printf(m->out,
	              "%%v%d = tt.expand_dims %%v%d {axis = %d : i32} : tensor<%dx%s> -> tensor<%dx%dx%s>\n",
	              id + 3, id + 2, axis, each, kind, axis ? each : 1, axis ? 1 : each, kind);
	gk_buf_printf(m->out, "%%v%d = tt.broadcast %%v%d : tensor<%dx%dx%s> -> tensor<%dx%dx%s>\n", id + 4,
	              id + 3, axis ? each : 1, axis ? 1 : each, kind, rows, columns, kind);
	gk_buf_printf(m->out, "%%v%d = tt.reshape %%v%d : tensor<%dx%dx%s> -> %s\n", all.id, id + 4, rows,
	              columns, kind, tile);
	return all;
}

/* ---- the kernel ---- */

static void write_head(struct kernel *k, const char *name)
{
	struct emitter *m = k->m;

	gk_buf_printf(m->out, "module {\ntt.func public @%s(%%dst: !tt.ptr<%s>", name,
	              emit_type(helper_memory_kind(k->to), SCALAR));
	emit_numbers(m, k->kept.strides[0]);
	gk_buf_printf(m->out, ", %%src: !tt.ptr<%s>", emit_type(helper_memory_kind(k->from), SCALAR));
	emit_numbers(m, k->kept.strides[1]);
	emit_numbers(m, k->kept.shape);
	emit_numbers(m, k->folded.strides[0]);
	emit_numbers(m, k->folded.shape);
	gk_buf_add_text(m->out, ") attributes {noinline = false} {\n");
}

/* A lane's element of dst within the program, or its place in the fold: tiles of i64. */
static struct val lane_of(const struct kernel *k, struct val lanes, bool is_fold)
{
	int low = k->spread.by_rows ? k->spread.lanes : HELPER_TILE / k->spread.lanes;
	const char *op = is_fold == k->spread.by_rows ? "arith.remui" : "arith.divui";

	return emit_resize(k->m, emit_with(k->m, op, lanes, low), GK_IR_I64, true);
}

static struct val next_value(struct kernel *k, const struct place *kept, struct val number, struct val count,
                             struct val is_kept, struct val first)
{
	struct emitter *m = k->m;
	struct val mask = emit_two(m, "arith.andi", is_kept,
	                           emit_cmp(m, "arith.cmpi slt", number, emit_splat(m, count)));
	struct place p = emit_place(&k->folded, number, count);
	struct val at = emit_two(m, "arith.addi", kept->offsets[1], p.offsets[0]);
	struct val v = change(k, widen(k, emit_load(m, "%src", helper_memory_kind(k->from), at, mask)));

	return folds(k) ? emit_select(m, mask, v, first) : v;
}

static struct val fold_loop(struct kernel *k, const struct place *kept, struct val lane, struct val is_kept,
                            struct val count)
{
	struct emitter *m = k->m;
	struct val first = first_value(k), from = emit_int(m, GK_IR_I64, SCALAR, 0);
	struct val step = emit_int(m, GK_IR_I64, SCALAR, k->spread.lanes),
		   index = emit_new(m, GK_IR_I64, SCALAR);
	struct val so_far = emit_new(m, k->wide, TILE), all = emit_new(m, k->wide, TILE), next;

	gk_buf_printf(m->out,
	              "%%v%d = scf.for %%v%d = %%v%d to %%v%d step %%v%d iter_args(%%v%d = %%v%d) -> (%s) : "
	              "i64 {\n",
	              all.id, index.id, from.id, count.id, step.id, so_far.id, first.id,
	              emit_type(k->wide, TILE));
	next = next_value(k, kept, emit_two(m, "arith.addi", emit_splat(m, index), lane), count, is_kept,
	                  first);
	if (folds(k))
		next = emit_two(m, folding(k), so_far, next);
	gk_buf_printf(m->out, "scf.yield %%v%d : %s\n}\n", next.id, emit_type(k->wide, TILE));
	return all;
}

/* What a kernel folds by: all of it for one pass. */
struct ways {
	struct place kept;
	struct val lane, is_kept, count;
};

static struct val pass(struct kernel *k, const struct ways *w, enum gk_assist does)
{
	struct val all;

	k->does = does;
	all = fold_loop(k, &w->kept, w->lane, w->is_kept, w->count);
	return k->spread.lanes > 1 ? fold_lanes(k, all) : all;
}

/* Less the greatest first, so that nothing overflows; infinities are left to exp() and log(). */
static struct val log_sum_exp(struct kernel *k, const struct ways *w)
{
	struct emitter *m = k->m;
	struct val most = pass(k, w, GK_ASSIST_MAX), zero = emit_bits(m, k->wide, TILE, 0), is_finite;

	is_finite =
		emit_cmp(m, "arith.cmpf one", emit_one(m, "math.absf", most),
	                 emit_bits(m, k->wide, TILE, k->wide == GK_IR_F64 ? 0x7ff0000000000000 : 0x7f800000));
	k->shift = emit_select(m, is_finite, most, zero);
	return emit_two(m, "arith.addf", emit_one(m, "math.log", pass(k, w, GK_ASSIST_SUM)), k->shift);
}

static void write_kernel(struct kernel *k, const char *name)
{
	struct emitter *m = k->m;
	struct val count, lanes, program, number, all, is_first;
	struct ways w;

	write_head(k, name);
	count = emit_count(&k->kept);
	w.count = emit_count(&k->folded);
	lanes = emit_lanes(m);
	program = emit_with(m, "arith.muli", emit_resize(m, emit_program(m), GK_IR_I64, true),
	                    HELPER_TILE / k->spread.lanes);
	number = emit_two(m, "arith.addi", emit_splat(m, program), lane_of(k, lanes, false));
	w.lane = lane_of(k, lanes, true);
	w.is_kept = emit_cmp(m, "arith.cmpi slt", number, emit_splat(m, count));
	w.kept = emit_place(&k->kept, number, count);
	all = k->assist == GK_ASSIST_LOGSUMEXP ? log_sum_exp(k, &w) : pass(k, &w, k->assist);
	is_first = emit_cmp(m, "arith.cmpi eq", w.lane, emit_int(m, GK_IR_I64, TILE, 0));
	emit_store(m, "%dst", helper_memory_kind(k->to), w.kept.offsets[0],
	           emit_two(m, "arith.andi", w.is_kept, is_first), narrow(k, all));
	gk_buf_add_text(m->out, "tt.return\n}\n}\n");
}

/* The name is made again from its parts: no other text stands for a kernel. */
static bool read_name(struct kernel *k, const char *name)
{
	const char *from = strchr(name, '_'), *to = from ? strchr(from + 1, '_') : NULL;
	const char *spread = to ? strchr(to + 1, '_') : NULL;
	char again[GK_HELPER_NAME];

	if (!spread)
		return false;
	k->from = helper_dtype_of(from + 1, (size_t)(to - from - 1));
	k->to = helper_dtype_of(to + 1, (size_t)(spread - to - 1));
	for (int a = 0; k->from && k->to && gk_assist_names[a]; a++)
		for (size_t i = 0; i < gk_count_of(spreads); i++) {
			k->assist = (enum gk_assist)a;
			k->spread = spreads[i];
			name_of(k->assist, k->from, k->to, &k->spread, again);
			if (strcmp(again, name) == 0)
				return folds(k) || i == 0;
		}
	return false;
}

bool helper_assist_text(const char *name, struct gk_buf *out)
{
	struct emitter m = {out, 0};
	struct kernel k = {.m = &m, .kept = {.m = &m, .views = 2}, .folded = {.m = &m, .views = 1}};

	if (!read_name(&k, name) || !gk_assist_has(k.assist, k.from, k.to))
		return false;
	k.wide = !is_float(&k) ? GK_IR_I64 : k.to == GK_F64 ? GK_IR_F64 : GK_IR_F32;
	write_kernel(&k, name);
	return true;
}
