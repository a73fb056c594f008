/*
 * Arithmetic of the framework as steps: a small table, no tensor library. An
 * element of src is cast to dst's dtype, as torch does it, then folded or
 * changed in a wider number, and stored. Of nothing there is a sum, 0, but no
 * greatest number.
 */
#include "parts.h"

#include <string.h>

const char *const gk_assist_names[] = {"sum", "max", "min", "logsumexp", "abs", "reciprocal", NULL};

static const struct assist {
	const char *schemas[2]; /* operations of torch that it stands for */
	bool folds;
	bool casts;       /* dst may have another dtype than src */
	bool only_floats; /* dst */
} assists[] = {
	[GK_ASSIST_SUM] = {.schemas = {"sum"}, .folds = true, .casts = true},
	[GK_ASSIST_MAX] = {.schemas = {"max", "amax"}, .folds = true},
	[GK_ASSIST_MIN] = {.schemas = {"min", "amin"}, .folds = true},
	[GK_ASSIST_LOGSUMEXP] = {.schemas = {"logsumexp"}, .folds = true, .only_floats = true},
	[GK_ASSIST_ABS] = {.schemas = {"abs", "absolute"}},
	[GK_ASSIST_RECIPROCAL] = {.schemas = {"reciprocal"}, .only_floats = true},
};

/* ---- what it may be ---- */

/* An overload is another way to call the same thing: a permission for one is a permission for what it
 * computes. */
static bool is_schema(const char *name, const char *wanted)
{
	size_t size;

	if (strncmp(name, "aten::", 6) == 0)
		name += 6;
	size = strcspn(name, ".");
	return strlen(wanted) == size && memcmp(name, wanted, size) == 0;
}

bool gk_assist_is_allowed(enum gk_assist assist, const char *const *allow, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (int k = 0; k < 2 && assists[assist].schemas[k]; k++)
			if (is_schema(allow[i], assists[assist].schemas[k]))
				return true;
	return false;
}

/* torch has no arithmetic for 8-bit floats, and truth values are no sums. */
static bool is_number(enum gk_dtype dtype)
{
	return dtype != GK_BOOL && (!gk_dtype_is_float(dtype) || gk_dtype_bytes(dtype) > 1);
}

bool gk_assist_has(enum gk_assist assist, enum gk_dtype from, enum gk_dtype to)
{
	const struct assist *a = &assists[assist];

	return is_number(to) && (from == GK_BOOL || is_number(from)) && (a->casts || from == to) &&
	       (!a->only_floats || gk_dtype_is_float(to));
}

static int check_dtypes(const struct gk_node *at, const struct gk_plan_step *step, struct gk_err *e)
{
	return gk_assist_has(step->assist, step->src.dtype, step->dst.dtype)
	               ? 0
	               : gk_node_fail(at, e, "there is no %s of %s as %s", gk_assist_names[step->assist],
	                              gk_dtype_name(step->src.dtype), gk_dtype_name(step->dst.dtype));
}

/* src is read once for each of its elements: repeated ones would make a short text into endless work. */
static int check_views(const struct gk_node *at, const struct gk_plan_step *step, struct gk_err *e)
{
	struct gk_plan_view kept, folded;

	gk_assist_split(step, &kept, &folded);
	if (kept.rank != step->dst.rank ||
	    memcmp(kept.shape, step->dst.shape, (size_t)kept.rank * sizeof kept.shape[0]) != 0)
		return gk_node_fail(at, e, "dst of src's shape without the folded dimensions is needed");
	if (gk_plan_view_overlaps_itself(&step->src))
		return gk_node_fail(at, e, "src repeats elements, which is for copies only");
	if (gk_plan_extents_meet(&step->src, &step->dst) && !gk_plan_view_is_same(&step->src, &step->dst))
		return gk_node_fail(at, e, "src and dst overlap");
	if ((step->assist == GK_ASSIST_MAX || step->assist == GK_ASSIST_MIN) &&
	    gk_plan_view_count(&folded) == 0 && gk_plan_view_count(&kept) > 0)
		return gk_node_fail(at, e, "there is no %s of nothing", gk_assist_names[step->assist]);
	return 0;
}

/* ---- reading ---- */

static int read_dims(const struct gk_node *at, struct gk_plan_step *step, struct gk_err *e)
{
	int64_t dim, last = -1;

	if (gk_node_array(at, (size_t)step->src.rank, e))
		return -1;
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		if (gk_node_int(&item, last + 1, step->src.rank - 1, &dim, e))
			return -1;
		step->dims |= (uint32_t)1 << dim;
		last = dim;
	}
	if (step->dims && !assists[step->assist].folds)
		return gk_node_fail(at, e, "%s folds no dimensions", gk_assist_names[step->assist]);
	return 0;
}

int gk_plan_read_assist(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_step *step,
                        struct gk_err *e)
{
	static const char *const keys[] = {"op", "does", "dst", "src", "dims", "line", NULL};
	struct gk_node does = gk_node_key(at, "does"), dst = gk_node_key(at, "dst"),
		       src = gk_node_key(at, "src");
	struct gk_node dims = gk_node_key(at, "dims"), line = gk_node_key(at, "line");
	int64_t number = 0;
	int index = 0;

	if (gk_node_known_keys(at, keys, e) || gk_node_choice(&does, gk_assist_names, &index, e) ||
	    gk_plan_read_view(&dst, plan, &step->dst, e) || gk_plan_read_view(&src, plan, &step->src, e) ||
	    gk_node_int(&line, 0, INT32_MAX, &number, e))
		return -1;
	step->assist = (enum gk_assist)index;
	step->line = (int)number;
	if (gk_plan_view_overlaps_itself(&step->dst))
		return gk_node_fail(&dst, e, "the view overlaps itself and cannot be written");
	return read_dims(&dims, step, e) || check_dtypes(at, step, e) || check_views(at, step, e) ? -1 : 0;
}

/* ---- what it means ---- */

void gk_assist_split(const struct gk_plan_step *step, struct gk_plan_view *kept, struct gk_plan_view *folded)
{
	*kept = *folded = (struct gk_plan_view){.buf = step->src.buf, .dtype = step->src.dtype};
	kept->at = step->src.at;
	for (int d = 0; d < step->src.rank; d++) {
		struct gk_plan_view *to = step->dims >> d & 1 ? folded : kept;

		to->shape[to->rank] = step->src.shape[d];
		to->strides[to->rank++] = step->src.strides[d];
	}
}

enum gk_dtype gk_assist_dtype(const struct gk_plan_step *step)
{
	if (!gk_dtype_is_float(step->dst.dtype))
		return GK_I64;
	return step->dst.dtype == GK_F64 ? GK_F64 : GK_F32;
}
