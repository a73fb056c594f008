#include "helper.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "helper_parts.h"
#include "parts.h"

/* ---- which ones ---- */

bool gk_helper_of_step(const struct gk_plan_step *step, char name[GK_HELPER_NAME])
{
	size_t bytes = gk_dtype_bytes(step->dst.dtype);
	bool is_here = step->op == GK_STEP_LAUNCH || step->op == GK_STEP_CHOOSE;

	if (is_here || gk_plan_view_count(&step->dst) == 0)
		return false;
	switch (step->op) {
	case GK_STEP_FILL:
		snprintf(name, GK_HELPER_NAME, "set_b%zu", bytes);
		return bytes > 4 || !gk_plan_view_is_dense(&step->dst);
	case GK_STEP_IOTA:
		return helper_iota_name(step->dst.dtype, name);
	case GK_STEP_ASSIST:
		helper_assist_name(step, name);
		return true;
	case GK_STEP_DATA:
		return !gk_plan_view_is_dense(&step->dst) && helper_copy_name(step->dst.dtype, step->dst.dtype, name);
	default:
		if (step->dst.dtype == step->src.dtype && gk_plan_view_is_dense(&step->dst) && gk_plan_view_is_dense(&step->src))
			return false;
		return helper_copy_name(step->dst.dtype, step->src.dtype, name);
	}
}

struct list {
	char (*names)[GK_HELPER_NAME];
	size_t count;
};

static void list_name(struct list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->names[i], name) == 0)
			return;
	if (list->count < GK_HELPER_MAX)
		snprintf(list->names[list->count++], GK_HELPER_NAME, "%s", name);
}

static void list_steps(struct list *list, const struct gk_plan_step *steps, uint32_t count)
{
	char name[GK_HELPER_NAME];

	for (uint32_t i = 0; i < count; i++) {
		if (gk_helper_of_step(&steps[i], name))
			list_name(list, name);
		for (uint32_t v = 0; v < steps[i].variant_count; v++)
			list_steps(list, steps[i].variants[v].pre, steps[i].variants[v].pre_count);
	}
}

size_t gk_helper_list(const struct gk_plan *plan, char names[GK_HELPER_MAX][GK_HELPER_NAME])
{
	struct list list = {names, 0};

	list_name(&list, "fill");
	list_name(&list, "flush");
	list_name(&list, "scrub");
	list_steps(&list, plan->prologue, plan->prologue_count);
	list_steps(&list, plan->steps, plan->step_count);
	return list.count;
}

/* ---- views as arguments ---- */

/* Whether a dimension continues the one before it (the inner one, already taken). */
static bool nests(int64_t stride, int64_t inner, int64_t extent)
{
	int64_t next;

	return !__builtin_mul_overflow(inner, extent, &next) && stride == next;
}

void gk_helper_walk(const struct gk_plan_view *dst, const struct gk_plan_view *src, struct gk_helper_walk *walk)
{
	int at = GK_MAX_RANK;

	*walk = (struct gk_helper_walk){.count = gk_plan_view_count(dst)};
	for (int d = dst->rank - 1; d >= 0; d--) {
		int64_t to = dst->strides[d], from = src ? src->strides[d] : 0;

		if (dst->shape[d] == 1)
			continue;
		if (at < GK_MAX_RANK && nests(to, walk->dst[at], walk->shape[at]) &&
		    (!src || nests(from, walk->src[at], walk->shape[at]))) {
			walk->shape[at] *= dst->shape[d];
			continue;
		}
		at--;
		walk->shape[at] = dst->shape[d];
		walk->dst[at] = to;
		walk->src[at] = from;
	}
	while (at > 0)
		walk->shape[--at] = 1;
}

/* ---- fill, flush, scrub ---- */

/* Each bit of the result hangs on every bit of the argument: two rounds of multiply and xor-shift. */
static struct val mix(struct emitter *m, struct val x, struct val key)
{
	x = emit_two(m, "arith.xori", x, emit_with(m, "arith.shrui", x, 16));
	x = emit_with(m, "arith.muli", x, 0x2c1b3c6d);
	x = emit_two(m, "arith.xori", x, emit_with(m, "arith.shrui", x, 12));
	x = emit_two(m, "arith.addi", x, key); /* between the rounds: seeds do not merely permute the words */
	x = emit_with(m, "arith.muli", x, 0x297a2d39);
	return emit_two(m, "arith.xori", x, emit_with(m, "arith.shrui", x, 15));
}

/* A word for each number of a tile (i64) and a seed (i32): 32 bits at a time, the upper half goes into the key. */
static struct val random_words(struct emitter *m, struct val number, struct val seed)
{
	struct val high = emit_resize(m, emit_with(m, "arith.shrui", number, 32), GK_IR_I32, false);
	struct val low = emit_resize(m, number, GK_IR_I32, false), keys = emit_splat(m, seed);

	keys = emit_two(m, "arith.addi", emit_with(m, "arith.muli", keys, 0x5bd1e995),
	                emit_with(m, "arith.muli", high, 0x1b873593));
	return mix(m, emit_two(m, "arith.addi", low, keys), emit_two(m, "arith.xori", keys, emit_splat(m, seed)));
}

static void write_fill(struct emitter *m)
{
	struct val words = emit_new(m, GK_IR_I64, SCALAR), seed = emit_new(m, GK_IR_I32, SCALAR), number, mask;

	gk_buf_printf(m->out,
	              "tt.func public @fill(%%dst: !tt.ptr<i32>, %%v%d: i64, %%v%d: i32) attributes {noinline = false} {\n",
	              words.id, seed.id);
	number = emit_tiles_begin(m);
	mask = emit_cmp(m, "arith.cmpi slt", number, emit_splat(m, words));
	emit_store(m, "%dst", GK_IR_I32, number, mask, random_words(m, number, seed));
	emit_tiles_end(m);
}

/* One tile of a whole block: what was loaded is folded into one word, and so cannot be left out. */
static const char flush_text[] =
	"tt.func public @flush(%src: !tt.ptr<i32>, %words: i64, %sink: !tt.ptr<i32>) attributes {noinline = false} {\n"
	"%pid = tt.get_program_id x : i32\n"
	"%block = arith.constant 4096 : i64\n"
	"%wide = arith.extsi %pid : i32 to i64\n"
	"%first = arith.muli %wide, %block : i64\n"
	"%lanes = tt.make_range {end = 4096 : i32, start = 0 : i32} : tensor<4096xi32>\n"
	"%lane = arith.extsi %lanes : tensor<4096xi32> to tensor<4096xi64>\n"
	"%firsts = tt.splat %first : i64 -> tensor<4096xi64>\n"
	"%number = arith.addi %firsts, %lane : tensor<4096xi64>\n"
	"%end = tt.splat %words : i64 -> tensor<4096xi64>\n"
	"%mask = arith.cmpi slt, %number, %end : tensor<4096xi64>\n"
	"%none = arith.constant dense<0> : tensor<4096xi32>\n"
	"%base = tt.splat %src : !tt.ptr<i32> -> tensor<4096x!tt.ptr<i32>>\n"
	"%at = tt.addptr %base, %number : tensor<4096x!tt.ptr<i32>>, tensor<4096xi64>\n"
	"%got = tt.load %at, %mask, %none : tensor<4096x!tt.ptr<i32>>\n"
	"%all = \"tt.reduce\"(%got) <{axis = 0 : i32}> ({\n"
	"^bb0(%a: i32, %b: i32):\n"
	"%c = arith.xori %a, %b : i32\n"
	"tt.reduce.return %c : i32\n"
	"}) : (tensor<4096xi32>) -> i32\n"
	"%to = tt.addptr %sink, %pid : !tt.ptr<i32>, i32\n"
	"tt.store %to, %all : !tt.ptr<i32>\n";
_Static_assert(GK_HELPER_BLOCK == 4096, "the text says so");

/*
 * Shared memory is reached by its address alone. NVIDIA: a variable of the
 * block's own tells where it begins (0 on sm_80, behind 1 KiB of the system's
 * on sm_90, with the block's number in the cluster above), and what the
 * launcher asks for follows it. AMD: it begins at 0. A scalar asks: of a tensor
 * each element of a thread would, and each text has a variable of its own.
 *
 * Lanes beyond the end write the last word, the same as its own lane.
 */
static const char nvidia_base[] = "{ .shared .align 16 .b8 geak_base[16]; .reg .b32 a; mov.u32 a, geak_base; "
				  "add.u32 $0, a, $1; }";
static const char nvidia_write[] = "st.volatile.shared.b32 [$1], $2; ld.volatile.shared.b32 $0, [$1];";
static const char amd_base[] = "v_mov_b32 $0, $1";
static const char amd_write[] = "ds_write_b32 $1, $2\\0A\\09s_waitcnt lgkmcnt(0)\\0A\\09ds_read_b32 $0, $1\\0A\\09"
				"s_waitcnt lgkmcnt(0)";

static const char scrub_text[] =
	"tt.func public @scrub(%%sink: !tt.ptr<i32>, %%bytes: i32, %%seed: i32) attributes {noinline = false} {\n"
	"%%zero = arith.constant 0 : i32\n"
	"%%own = arith.constant %d : i32\n"
	"%%step = arith.constant 4096 : i32\n"
	"%%four = arith.constant 4 : i32\n"
	"%%end = arith.addi %%bytes, %%own : i32\n"
	"%%last = arith.subi %%end, %%four : i32\n"
	"%%lasts = tt.splat %%last : i32 -> tensor<1024xi32>\n"
	"%%pid = tt.get_program_id x : i32\n"
	"%%odd = arith.constant -1640531527 : i32\n"
	"%%mine = arith.muli %%pid, %%odd : i32\n"
	"%%salt = arith.addi %%mine, %%seed : i32\n"
	"%%salts = tt.splat %%salt : i32 -> tensor<1024xi32>\n"
	"%%lanes = tt.make_range {end = 1024 : i32, start = 0 : i32} : tensor<1024xi32>\n"
	"%%fours = arith.constant dense<4> : tensor<1024xi32>\n"
	"%%nones = arith.constant dense<0> : tensor<1024xi32>\n"
	"%%lane = arith.muli %%lanes, %%fours : tensor<1024xi32>\n"
	"%%begin = tt.elementwise_inline_asm \"%s\" {constraints = \"%s\", packed_element = 1 : i32, pure = false} "
	"%%zero : i32 -> i32\n"
	"%%base = tt.splat %%begin : i32 -> tensor<1024xi32>\n"
	"%%all = scf.for %%at = %%zero to %%end step %%step iter_args(%%so_far = %%nones) -> (tensor<1024xi32>) : i32 {\n"
	"%%ats = tt.splat %%at : i32 -> tensor<1024xi32>\n"
	"%%wish = arith.addi %%ats, %%lane : tensor<1024xi32>\n"
	"%%to = arith.minsi %%wish, %%lasts : tensor<1024xi32>\n"
	"%%address = arith.addi %%base, %%to : tensor<1024xi32>\n"
	"%%m1 = arith.constant dense<739982445> : tensor<1024xi32>\n"
	"%%m2 = arith.constant dense<695872825> : tensor<1024xi32>\n"
	"%%s1 = arith.constant dense<15> : tensor<1024xi32>\n"
	"%%a = arith.addi %%to, %%salts : tensor<1024xi32>\n"
	"%%b = arith.muli %%a, %%m1 : tensor<1024xi32>\n"
	"%%c = arith.shrui %%b, %%s1 : tensor<1024xi32>\n"
	"%%d = arith.xori %%b, %%c : tensor<1024xi32>\n"
	"%%f = arith.addi %%d, %%salts : tensor<1024xi32>\n"
	"%%g = arith.muli %%f, %%m2 : tensor<1024xi32>\n"
	"%%h = arith.shrui %%g, %%s1 : tensor<1024xi32>\n"
	"%%word = arith.xori %%g, %%h : tensor<1024xi32>\n"
	"%%got = tt.elementwise_inline_asm \"%s\" {constraints = \"%s\", packed_element = 1 : i32, pure = false} "
	"%%address, %%word : tensor<1024xi32>, tensor<1024xi32> -> tensor<1024xi32>\n"
	"%%more = arith.xori %%so_far, %%got : tensor<1024xi32>\n"
	"scf.yield %%more : tensor<1024xi32>\n"
	"}\n"
	"%%first = arith.cmpi eq, %%lanes, %%nones : tensor<1024xi32>\n"
	"%%place = tt.addptr %%sink, %%pid : !tt.ptr<i32>, i32\n"
	"%%places = tt.splat %%place : !tt.ptr<i32> -> tensor<1024x!tt.ptr<i32>>\n"
	"tt.store %%places, %%all, %%first : tensor<1024x!tt.ptr<i32>>\n";

static void write_scrub(struct gk_buf *out, bool is_amd)
{
	gk_buf_printf(out, scrub_text, is_amd ? 0 : GK_HELPER_SCRUB_STATIC, is_amd ? amd_base : nvidia_base,
	              is_amd ? "=v,v" : "=r,r", is_amd ? amd_write : nvidia_write, is_amd ? "=v,v,v" : "=r,r,r");
}

/* ---- texts ---- */

static bool write_text(const char *name, const char *target, struct gk_buf *out)
{
	struct emitter m = {out, 0};

	if (helper_strided_text(name, out) || helper_assist_text(name, out))
		return true;
	gk_buf_add_text(out, "module {\n");
	if (strcmp(name, "fill") == 0)
		write_fill(&m);
	else if (strcmp(name, "flush") == 0)
		gk_buf_add_text(out, flush_text);
	else if (strcmp(name, "scrub") == 0)
		write_scrub(out, gk_text_starts(target, "gfx"));
	else
		return false;
	gk_buf_add_text(out, "tt.return\n}\n}\n");
	return true;
}

int gk_helper_text(const char *name, const char *target, struct gk_buf *ttir, struct gk_err *e)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_ir *ir;

	if (!write_text(name, target, &text))
		return gk_err_set(e, GK_ERR_INPUT, "there is no helper kernel \"%.40s\"", name);
	ir = gk_ir_read(name, gk_buf_text(&text), text.size, e);
	if (!ir)
		return -1;
	gk_ir_print(ir, ttir);
	gk_ir_free(ir);
	return 0;
}

json_t *gk_helper_options(const char *name)
{
	(void)name;
	return json_pack("{s:i, s:i}", "num_warps", 8, "num_stages", 1);
}
