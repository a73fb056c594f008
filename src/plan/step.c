#include "parts.h"

#include "base/memory.h"

const char *const gk_step_names[] = {"fill", "iota", "copy", "data", "launch", "choose", "assist", NULL};

static int read_dst(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_step *step,
                    struct gk_err *e)
{
	struct gk_node dst = gk_node_key(at, "dst");

	if (gk_plan_read_view(&dst, plan, &step->dst, e))
		return -1;
	if (gk_plan_view_overlaps_itself(&step->dst))
		return gk_node_fail(&dst, e, "the view overlaps itself and cannot be written");
	return 0;
}

static int read_fill(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_step *step,
                     struct gk_err *e)
{
	static const char *const keys[] = {"op", "dst", "bits", NULL};
	struct gk_node bits = gk_node_key(at, "bits");
	size_t bytes;

	if (gk_node_known_keys(at, keys, e) || read_dst(at, plan, step, e))
		return -1;
	bytes = gk_dtype_bytes(step->dst.dtype);
	return gk_plan_read_hex(&bits, bytes == 8 ? UINT64_MAX : ((uint64_t)1 << bytes * 8) - 1, &step->bits,
	                        e);
}

static int read_iota(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_step *step,
                     struct gk_err *e)
{
	static const char *const keys[] = {"op", "dst", "start", "step", NULL};
	struct gk_node start = gk_node_key(at, "start"), by = gk_node_key(at, "step");
	int64_t last;

	if (gk_node_known_keys(at, keys, e) || read_dst(at, plan, step, e) ||
	    gk_node_int(&start, INT64_MIN, INT64_MAX, &step->start, e) ||
	    gk_node_int(&by, INT64_MIN, INT64_MAX, &step->step, e))
		return -1;
	if (__builtin_mul_overflow(step->step, gk_plan_view_count(&step->dst), &last) ||
	    __builtin_add_overflow(step->start, last, &last))
		return gk_node_fail(at, e, "the numbers leave 64 bits");
	return 0;
}

static int read_copy(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_step *step,
                     struct gk_err *e)
{
	static const char *const keys[] = {"op", "dst", "src", NULL};
	struct gk_node src = gk_node_key(at, "src");

	if (gk_node_known_keys(at, keys, e) || read_dst(at, plan, step, e) ||
	    gk_plan_read_view(&src, plan, &step->src, e))
		return -1;
	if (step->src.rank != step->dst.rank ||
	    memcmp(step->src.shape, step->dst.shape, (size_t)step->dst.rank * sizeof step->dst.shape[0]) != 0)
		return gk_node_fail(at, e, "src and dst of one shape are needed");
	if (gk_plan_extents_meet(&step->src, &step->dst) && !gk_plan_view_is_same(&step->src, &step->dst))
		return gk_node_fail(at, e, "src and dst overlap in part");
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_data(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_budget *budget,
                     struct gk_plan_step *step, struct gk_err *e)
{
	static const char *const keys[] = {"op", "dst", "hex", NULL};
	struct gk_node hex = gk_node_key(at, "hex");
	const char *text;
	uint8_t *data;

	if (gk_node_known_keys(at, keys, e) || read_dst(at, plan, step, e) || gk_node_string(&hex, &text, e))
		return -1;
	if (gk_plan_view_bytes(&step->dst) > budget->data_bytes)
		return gk_node_fail(at, e, "a plan holds at most %d bytes of data", GK_PLAN_MAX_DATA);
	if (strlen(text) != 2 * gk_plan_view_bytes(&step->dst))
		return gk_node_fail(&hex, e, "two digits for each of %llu bytes are needed",
		                    (unsigned long long)gk_plan_view_bytes(&step->dst));
	step->data_bytes = (uint32_t)gk_plan_view_bytes(&step->dst);
	budget->data_bytes -= step->data_bytes;
	data = gk_arena_alloc(&plan->arena, step->data_bytes);
	for (size_t i = 0; i < step->data_bytes; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return gk_node_fail(&hex, e, "lower-case hexadecimal digits are needed");
		data[i] = (uint8_t)(high << 4 | low);
	}
	step->data = data;
	return 0;
}

static int read_pre(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_variant *variant,
                    struct gk_err *e)
{
	static const char *const names[] = {"fill", "copy", NULL};

	if (gk_node_array(at, GK_PLAN_MAX_STEPS, e))
		return -1;
	variant->pre_count = (uint32_t)gk_node_count(at);
	variant->pre = gk_arena_array(&plan->arena, variant->pre_count, sizeof *variant->pre);
	for (uint32_t i = 0; i < variant->pre_count; i++) {
		struct gk_node item = gk_node_item(at, i), op = gk_node_key(&item, "op");
		int index = 0;

		if (gk_node_object(&item, e) || gk_node_choice(&op, names, &index, e))
			return -1;
		variant->pre[i].op = index ? GK_STEP_COPY : GK_STEP_FILL;
		if ((index ? read_copy : read_fill)(&item, plan, &variant->pre[i], e))
			return -1;
	}
	return 0;
}

static int read_variant(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_variant *variant,
                        struct gk_err *e)
{
	static const char *const keys[] = {"config", "pre", "launch", NULL};
	struct gk_node config = gk_node_key(at, "config"), pre = gk_node_key(at, "pre");
	struct gk_node launch = gk_node_key(at, "launch");

	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e) || gk_plan_read_config(&config, e) ||
	    read_pre(&pre, plan, variant, e) || gk_plan_read_launch(&launch, plan, &variant->launch, e))
		return -1;
	variant->config = config.value;
	gk_plan_hold(plan, config.value);
	return 0;
}

static int read_choose(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_budget *budget,
                       struct gk_plan_step *step, struct gk_err *e)
{
	static const char *const keys[] = {"op", "site", "variants", NULL};
	struct gk_node site = gk_node_key(at, "site"), variants = gk_node_key(at, "variants");
	int64_t number = 0;

	if (gk_node_known_keys(at, keys, e) || gk_node_int(&site, 0, GK_PLAN_MAX_STEPS, &number, e) ||
	    gk_node_array(&variants, budget->variants, e))
		return -1;
	if (!gk_node_count(&variants))
		return gk_node_fail(&variants, e, "at least one variant is needed");
	step->site = (uint32_t)number;
	step->variant_count = (uint32_t)gk_node_count(&variants);
	budget->variants -= step->variant_count;
	step->variants = gk_arena_array(&plan->arena, step->variant_count, sizeof *step->variants);
	for (uint32_t i = 0; i < step->variant_count; i++) {
		struct gk_node item = gk_node_item(&variants, i);

		if (read_variant(&item, plan, &step->variants[i], e))
			return -1;
	}
	return 0;
}

static int read_step(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_budget *budget,
                     struct gk_plan_step *step, struct gk_err *e)
{
	struct gk_node op = gk_node_key(at, "op");
	int index = 0;

	if (gk_node_object(at, e) || gk_node_choice(&op, gk_step_names, &index, e))
		return -1;
	step->op = (enum gk_step_op)index;
	switch (step->op) {
	case GK_STEP_FILL:
		return read_fill(at, plan, step, e);
	case GK_STEP_IOTA:
		return read_iota(at, plan, step, e);
	case GK_STEP_COPY:
		return read_copy(at, plan, step, e);
	case GK_STEP_DATA:
		return read_data(at, plan, budget, step, e);
	case GK_STEP_LAUNCH:
		return gk_plan_read_launch(at, plan, &step->launch, e);
	case GK_STEP_CHOOSE:
		return read_choose(at, plan, budget, step, e);
	case GK_STEP_ASSIST:
		return gk_plan_read_assist(at, plan, step, e);
	}
	return -1;
}

int gk_plan_read_steps(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_budget *budget,
                       struct gk_plan_step **steps, uint32_t *count, struct gk_err *e)
{
	if (gk_node_array(at, GK_PLAN_MAX_STEPS, e))
		return -1;
	*steps = gk_arena_array(&plan->arena, gk_node_count(at), sizeof **steps);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		if (read_step(&item, plan, budget, &(*steps)[i], e))
			return -1;
	}
	*count = (uint32_t)gk_node_count(at);
	return 0;
}
