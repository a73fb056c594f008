#include "parts.h"

#include "base/memory.h"

static const char *const arg_names[] = {"ptr", "reloc", "null", "i1",  "i8",  "i16",  "i32",
                                        "i64", "f16",   "bf16", "f32", "f64", "desc", NULL};
/* In the order of arg_names. */
static const struct {
	enum gk_arg_kind kind;
	enum gk_ir_kind type;
	int bits;
} arg_kinds[] = {
	{GK_ARG_PTR, GK_IR_NO_TYPE, 0},  {GK_ARG_RELOC, GK_IR_NO_TYPE, 0}, {GK_ARG_NULL, GK_IR_NO_TYPE, 0},
	{GK_ARG_INT, GK_IR_I1, 1},       {GK_ARG_INT, GK_IR_I8, 8},        {GK_ARG_INT, GK_IR_I16, 16},
	{GK_ARG_INT, GK_IR_I32, 32},     {GK_ARG_INT, GK_IR_I64, 64},      {GK_ARG_FLOAT, GK_IR_F16, 16},
	{GK_ARG_FLOAT, GK_IR_BF16, 16},  {GK_ARG_FLOAT, GK_IR_F32, 32},    {GK_ARG_FLOAT, GK_IR_F64, 64},
	{GK_ARG_DESC, GK_IR_NO_TYPE, 0},
};

static int read_address(const struct gk_node *at, const struct gk_plan *plan, struct gk_plan_arg *arg,
                        struct gk_err *e)
{
	static const char *const keys[] = {"t", "buf", "at", NULL};
	struct gk_node buf = gk_node_key(at, "buf"), start = gk_node_key(at, "at");
	int64_t number = 0, offset = 0;

	if (gk_node_known_keys(at, keys, e) ||
	    gk_node_int(&buf, 0, (int64_t)plan->buffer_count - 1, &number, e) ||
	    gk_node_int(&start, 0, (int64_t)plan->buffers[number].bytes, &offset, e))
		return -1;
	arg->buf = (uint32_t)number;
	arg->at = (uint64_t)offset;
	return 0;
}

static int read_number(const struct gk_node *at, struct gk_plan_arg *arg, int bits, struct gk_err *e)
{
	static const char *const int_keys[] = {"t", "v", NULL}, *const float_keys[] = {"t", "bits", NULL};
	struct gk_node value = gk_node_key(at, "v"), pattern = gk_node_key(at, "bits");
	int64_t half = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - 1)) - 1;

	if (arg->kind == GK_ARG_FLOAT)
		return gk_node_known_keys(at, float_keys, e)
		               ? -1
		               : gk_plan_read_hex(&pattern,
		                                  bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1,
		                                  &arg->bits, e);
	if (gk_node_known_keys(at, int_keys, e))
		return -1;
	return bits == 1 ? gk_node_int(&value, 0, 1, &arg->value, e)
	                 : gk_node_int(&value, -half - 1, half, &arg->value, e);
}

static int read_block(const struct gk_node *at, struct gk_plan_desc *desc, struct gk_err *e)
{
	int64_t elements = 1, size = 0;

	if (gk_node_array(at, GK_MAX_RANK, e))
		return -1;
	if (gk_node_count(at) != (size_t)desc->view.rank || !desc->view.rank)
		return gk_node_fail(at, e, "a size for each dimension of the view is needed");
	for (int i = 0; i < desc->view.rank; i++) {
		struct gk_node item = gk_node_item(at, (size_t)i);

		if (gk_node_int(&item, 1, GK_IR_MAX_ELEMENTS, &size, e))
			return -1;
		elements *= size;
		if (elements > GK_IR_MAX_ELEMENTS)
			return gk_node_fail(at, e, "a block of at most %u elements is needed",
			                    GK_IR_MAX_ELEMENTS);
		desc->block[i] = (uint32_t)size;
	}
	return 0;
}

/* The hardware's rules: dense along the last dimension, rows and base on 16 bytes. */
static int check_desc(const struct gk_node *at, const struct gk_plan *plan, const struct gk_plan_view *view,
                      struct gk_err *e)
{
	int64_t size = (int64_t)gk_dtype_bytes(view->dtype);

	if (view->rank > 5)
		return gk_node_fail(at, e, "a descriptor has at most five dimensions");
	if (view->strides[view->rank - 1] != 1 && view->shape[view->rank - 1] != 1)
		return gk_node_fail(at, e, "a descriptor's last stride is 1");
	for (int i = 0; i + 1 < view->rank; i++)
		if (view->strides[i] < 0 || view->strides[i] % 16 * size % 16)
			return gk_node_fail(at, e, "a descriptor's strides are multiples of 16 bytes");
	if (view->at % 16 || plan->buffers[view->buf].align % 16)
		return gk_node_fail(at, e, "a descriptor begins at a multiple of 16 bytes");
	return 0;
}

static int read_desc(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_arg *arg,
                     struct gk_err *e)
{
	static const char *const keys[] = {"t", "view", "block", "pad", "round_tf32", NULL};
	static const char *const pads[] = {"zero", "nan", NULL};
	struct gk_node view = gk_node_key(at, "view"), block = gk_node_key(at, "block"),
		       pad = gk_node_key(at, "pad");
	struct gk_node round = gk_node_key(at, "round_tf32");
	struct gk_plan_desc *desc = gk_arena_alloc(&plan->arena, sizeof *desc);
	int index = 0;

	if (gk_node_known_keys(at, keys, e) || gk_plan_read_view(&view, plan, &desc->view, e) ||
	    read_block(&block, desc, e) || check_desc(&view, plan, &desc->view, e) ||
	    gk_node_choice(&pad, pads, &index, e) || gk_node_bool(&round, &desc->round_tf32, e))
		return -1;
	desc->pad_nan = index == 1;
	arg->desc = desc;
	arg->buf = desc->view.buf;
	arg->at = desc->view.at;
	return 0;
}

static int read_arg(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_arg *arg, struct gk_err *e)
{
	static const char *const null_keys[] = {"t", NULL};
	struct gk_node kind = gk_node_key(at, "t");
	int index = 0;

	if (gk_node_object(at, e) || gk_node_choice(&kind, arg_names, &index, e))
		return -1;
	arg->kind = arg_kinds[index].kind;
	arg->type = arg_kinds[index].type;
	switch (arg->kind) {
	case GK_ARG_PTR:
	case GK_ARG_RELOC:
		return read_address(at, plan, arg, e);
	case GK_ARG_NULL:
		return gk_node_known_keys(at, null_keys, e);
	case GK_ARG_INT:
	case GK_ARG_FLOAT:
		return read_number(at, arg, arg_kinds[index].bits, e);
	case GK_ARG_DESC:
		return read_desc(at, plan, arg, e);
	}
	return -1;
}

static int read_grid(const struct gk_node *at, struct gk_plan_launch *launch, struct gk_err *e)
{
	static const int64_t most[3] = {INT32_MAX, 65535, 65535};

	if (gk_node_array(at, 3, e))
		return -1;
	if (gk_node_count(at) != 3)
		return gk_node_fail(at, e, "three numbers are needed");
	for (size_t i = 0; i < 3; i++) {
		struct gk_node item = gk_node_item(at, i);
		int64_t size = 0;

		if (gk_node_int(&item, 1, most[i], &size, e))
			return -1;
		launch->grid[i] = (uint32_t)size;
	}
	return 0;
}

/* The first dimension is multiplied by the blocks of a cluster, and must still fit. */
static int check_ctas(const struct gk_node *at, const struct gk_plan *plan,
                      const struct gk_plan_launch *launch, struct gk_err *e)
{
	const json_t *ctas = json_object_get(plan->kernels[launch->kernel].options, "num_ctas");

	if (ctas && (int64_t)launch->grid[0] * json_integer_value(ctas) > INT32_MAX)
		return gk_node_fail(at, e, "the grid times num_ctas is at most %d", INT32_MAX);
	return 0;
}

int gk_plan_read_launch(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_launch *launch,
                        struct gk_err *e)
{
	static const char *const keys[] = {"op", "kernel", "grid", "line", "args", NULL};
	struct gk_node kernel = gk_node_key(at, "kernel"), grid = gk_node_key(at, "grid");
	struct gk_node line = gk_node_key(at, "line"), args = gk_node_key(at, "args"),
		       op = gk_node_key(at, "op");
	static const char *const ops[] = {"launch", NULL};
	int64_t number = 0, source = 0;
	int index;

	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e) || gk_node_choice(&op, ops, &index, e) ||
	    gk_node_int(&kernel, 0, (int64_t)plan->kernel_count - 1, &number, e) ||
	    read_grid(&grid, launch, e) || gk_node_int(&line, 0, INT32_MAX, &source, e) ||
	    gk_node_array(&args, GK_PLAN_MAX_ARGS, e))
		return -1;
	launch->kernel = (uint32_t)number;
	launch->line = (int)source;
	launch->arg_count = (uint32_t)gk_node_count(&args);
	launch->args = gk_arena_array(&plan->arena, launch->arg_count, sizeof *launch->args);
	for (uint32_t i = 0; i < launch->arg_count; i++) {
		struct gk_node item = gk_node_item(&args, i);

		if (read_arg(&item, plan, &launch->args[i], e))
			return -1;
	}
	return check_ctas(&grid, plan, launch, e);
}
