/* Which helper kernels a plan takes, and how views become their arguments. That they do right: device/t_helper.c. */
#include "plan/helper.h"

#include <string.h>

#include "base/memory.h"
#include "tap.h"

static struct gk_plan_view view(enum gk_dtype dtype, int64_t rows, int64_t columns, int64_t row_stride, int64_t stride)
{
	return (struct gk_plan_view){.dtype = dtype, .rank = 2, .shape = {rows, columns}, .strides = {row_stride, stride}};
}

static const char *name_of(struct gk_plan_step step)
{
	static char name[GK_HELPER_NAME];

	return gk_helper_of_step(&step, name) ? name : "none";
}

static const char *copy_name(enum gk_dtype to, enum gk_dtype from)
{
	return name_of((struct gk_plan_step){.op = GK_STEP_COPY, .dst = view(to, 2, 3, 3, 1), .src = view(from, 2, 3, 3, 1)});
}

static void steps_have_names(void)
{
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_FILL, .dst = view(GK_F32, 2, 3, 3, 1)}), "none",
	        "a driver fills words that lie densely");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_FILL, .dst = view(GK_F32, 2, 3, 4, 1)}), "set_b4",
	        "but not those with gaps");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_FILL, .dst = view(GK_I64, 2, 3, 3, 1)}), "set_b8", "nor wider ones");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_FILL, .dst = view(GK_I64, 0, 3, 3, 1)}), "none",
	        "nothing needs nothing");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_DATA, .dst = view(GK_I16, 2, 3, 3, 1)}), "none", "dense data is sent");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_DATA, .dst = view(GK_I16, 2, 3, 1, 2)}), "copy_b2",
	        "other data is copied to its places");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_IOTA, .dst = view(GK_U8, 2, 3, 3, 1)}), "iota_b1", "integers by size");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_IOTA, .dst = view(GK_BF16, 2, 3, 3, 1)}), "iota_bf16",
	        "floats by name");
	is_text(name_of((struct gk_plan_step){.op = GK_STEP_LAUNCH}), "none", "a launch is no step of ours");
	is_text(copy_name(GK_F32, GK_F32), "none", "dense copies of one dtype are the driver's");
	is_text(copy_name(GK_F16, GK_F32), "copy_f32_f16", "a cast has both names");
	is_text(copy_name(GK_U32, GK_F32), "copy_f32_i32", "the sign of what is stored does not matter");
	is_text(copy_name(GK_F32, GK_U32), "copy_u32_f32", "that of what is loaded does");
	is_text(copy_name(GK_U16, GK_I16), "copy_b2", "nor does either between integers of one size");
	is_text(copy_name(GK_BOOL, GK_U8), "copy_u8_bool", "but a bool is 0 or 1");
}

static void plans_have_lists(void)
{
	struct gk_plan_step pre[] = {{.op = GK_STEP_FILL, .dst = view(GK_F64, 2, 2, 2, 1)}};
	struct gk_plan_variant variants[] = {{.pre = pre, .pre_count = 1}, {.pre_count = 0}};
	struct gk_plan_step prologue[] = {{.op = GK_STEP_IOTA, .dst = view(GK_I32, 2, 2, 2, 1)}};
	struct gk_plan_step steps[] = {
		{.op = GK_STEP_COPY, .dst = view(GK_F16, 2, 2, 2, 1), .src = view(GK_F32, 2, 2, 2, 1)},
		{.op = GK_STEP_COPY, .dst = view(GK_F16, 2, 2, 1, 2), .src = view(GK_F32, 2, 2, 2, 1)},
		{.op = GK_STEP_CHOOSE, .variants = variants, .variant_count = 2},
	};
	struct gk_plan plan = {.prologue = prologue, .prologue_count = 1, .steps = steps, .step_count = 3}, none = {0};
	char names[GK_HELPER_MAX][GK_HELPER_NAME];
	static const char *const want[] = {"fill", "flush", "scrub", "iota_b4", "copy_f32_f16", "set_b8"};
	size_t count = gk_helper_list(&none, names);

	ok(count == 3 && strcmp(names[2], "scrub") == 0, "three are always needed");
	count = gk_helper_list(&plan, names);
	is_int((long long)count, 6, "each other one once, from prologue, steps and what a variant does before its launch");
	for (size_t i = 0; i < count && i < gk_count_of(want); i++)
		is_text(names[i], want[i], want[i]);
}

static const char *assist_name(enum gk_assist assist, int64_t rows, int64_t columns, uint32_t dims)
{
	struct gk_plan_step step = {.op = GK_STEP_ASSIST, .assist = assist, .dims = dims, .src = view(GK_F16, rows, columns, columns, 1)};
	struct gk_plan_view folded;

	gk_assist_split(&step, &step.dst, &folded);
	return name_of(step);
}

/* What a program's lanes do follows from how much there is to fold, and how it lies. */
static void assists_have_names(void)
{
	struct gk_plan_step step = {.op = GK_STEP_ASSIST, .dims = 1, .src = view(GK_F32, 4, 100, 100, 1)};
	struct gk_helper_fold fold;
	struct gk_plan_view folded;

	is_text(assist_name(GK_ASSIST_ABS, 100, 100, 0), "abs_f16_f16_c1", "what folds nothing has a lane for each element");
	is_text(assist_name(GK_ASSIST_SUM, 4, 1000, 1), "sum_f16_f16_c1", "so have short folds");
	is_text(assist_name(GK_ASSIST_MAX, 100, 1000, 1), "max_f16_f16_c32", "longer ones have some lanes for each");
	is_text(assist_name(GK_ASSIST_SUM, 1000, 100, 2), "sum_f16_f16_r32", "beside each other where the fold is dense");
	is_text(assist_name(GK_ASSIST_SUM, 100, 100000, 3), "sum_f16_f16_r2048", "and where one number remains, all of them");
	is_text(assist_name(GK_ASSIST_SUM, 4, 0, 1), "none", "nothing needs nothing");
	gk_assist_split(&step, &step.dst, &folded);
	gk_helper_fold(&step, &fold);
	ok(fold.kept.count == 100 && fold.kept.src[7] == 1 && fold.folded.count == 4 && fold.folded.dst[7] == 100 &&
	           fold.programs == 1,
	   "what stays and what is folded are two walks");
	step.src = view(GK_F32, 64, 10000, 10000, 1);
	gk_assist_split(&step, &step.dst, &folded);
	gk_helper_fold(&step, &fold);
	is_int(fold.programs, 157, "a program has 64 elements of 32 lanes each");
}

static void views_become_arguments(void)
{
	struct gk_plan_view dst = {.dtype = GK_F32, .rank = 4, .shape = {2, 1, 3, 5}, .strides = {15, 7, 5, 1}}, src = dst;
	struct gk_helper_walk walk;

	gk_helper_walk(&dst, NULL, &walk);
	ok(walk.count == 30 && walk.shape[7] == 30 && walk.dst[7] == 1 && walk.shape[6] == 1 && walk.shape[0] == 1,
	   "a view without gaps is one dimension");
	src.strides[3] = 3; /* rows and columns exchanged */
	src.strides[2] = 1;
	gk_helper_walk(&dst, &src, &walk);
	ok(walk.shape[7] == 5 && walk.src[7] == 3 && walk.shape[6] == 3 && walk.src[6] == 1 && walk.shape[5] == 2 &&
	           walk.src[5] == 15 && walk.dst[5] == 15 && walk.shape[4] == 1,
	   "where one of two views does not nest there are several");
	src.strides[0] = src.strides[2] = src.strides[3] = 0;
	gk_helper_walk(&dst, &src, &walk);
	ok(walk.shape[7] == 30 && walk.src[7] == 0 && walk.dst[7] == 1, "a source that repeats one element nests as well");
	dst.rank = 0;
	gk_helper_walk(&dst, NULL, &walk);
	ok(walk.count == 1 && walk.shape[7] == 1, "a number is one element");
}

static bool has_text(const char *name, const char *target, const char *part)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_err e = {0};

	return gk_helper_text(name, target, &text, &e) == 0 && strstr(gk_buf_text(&text), part);
}

static void texts_are_by_name(void)
{
	static const char *const bad[] = {"", "fil", "copy_", "copy_f32", "copy_f32_f32", "copy_f32_u8", "copy_b3",
	                                  "copy_f32_f16_f16", "set_f32", "set_b16", "iota_i32", "iota_", "sum_f32_f32",
	                                  "sum_f32_f32_c2", "abs_f32_f32_c32", "max_f32_f64_c1", "sum_f32_bool_c1", "scrub2"};
	gk_buf_auto again = GK_BUF_INIT, text = GK_BUF_INIT;
	struct gk_err e = {0};
	struct gk_ir *ir;
	bool all_refused = true;

	ok(has_text("scrub", "sm_90", "st.volatile.shared") && !has_text("scrub", "sm_90", "ds_write"),
	   "shared memory is written by NVIDIA's instructions");
	ok(has_text("scrub", "gfx942", "ds_write_b32") && has_text("scrub", "gfx942", "pure = false"),
	   "and by AMD's, which no compiler may leave out");
	for (size_t i = 0; i < gk_count_of(bad); i++)
		all_refused = gk_helper_text(bad[i], "sm_90", &text, &e) < 0 && all_refused;
	ok(all_refused && strstr(e.text, "no helper kernel \"scrub2\""), "names that mean nothing are refused");
	gk_buf_clear(&text);
	ok(gk_helper_text("copy_f8e4m3b11fnuz_f8e4m3fnuz", "sm_90", &text, &e) == 0, "the longest name");
	ir = gk_ir_read("text", gk_buf_text(&text), text.size, &e);
	if (ir)
		gk_ir_print(ir, &again);
	ok(ir && strcmp(gk_buf_text(&again), gk_buf_text(&text)) == 0, "texts are canonical");
	gk_ir_free(ir);
}

int main(void)
{
	steps_have_names();
	plans_have_lists();
	assists_have_names();
	views_become_arguments();
	texts_are_by_name();
	return done_testing();
}
