#include "inputs.h"

#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "num/random.h"

/* A prime number of values, repeated: buffers of gigabytes are filled at the speed of memcpy(). */
enum { PATTERN = 4099, WIDEST = 8 };

static void see_view(enum gk_dtype seen[], const struct gk_plan_view *view)
{
	if (seen[view->buf] == GK_DTYPE_NONE)
		seen[view->buf] = view->dtype;
}

static void see_launch(enum gk_dtype seen[], const struct gk_plan_launch *launch,
                       const struct gk_ir *const *modules)
{
	const struct gk_ir *ir = modules[launch->kernel];
	const struct gk_ir_func *func = &ir->funcs[ir->entry];

	for (uint32_t i = 0; i < launch->arg_count && i < func->param_count; i++) {
		const struct gk_plan_arg *arg = &launch->args[i];
		const struct gk_ir_type *type = &ir->types[func->params[i].type];

		if (arg->kind == GK_ARG_DESC)
			see_view(seen, &arg->desc->view);
		else if (arg->kind == GK_ARG_PTR && type->kind == GK_IR_PTR &&
		         seen[arg->buf] == GK_DTYPE_NONE)
			seen[arg->buf] = gk_ir_kind_dtype(ir->types[type->element].kind);
	}
}

static void see_step(enum gk_dtype seen[], const struct gk_plan_step *step,
                     const struct gk_ir *const *modules)
{
	switch (step->op) {
	case GK_STEP_LAUNCH:
		see_launch(seen, &step->launch, modules);
		break;
	case GK_STEP_CHOOSE:
		see_launch(seen, &step->variants[0].launch, modules);
		break;
	case GK_STEP_COPY:
		see_view(seen, &step->src);
		break;
	default:
		break;
	}
}

/* What is in each buffer, as far as anything reads it. Kernels come first: they know best. */
static void find_types(const struct gk_plan *plan, const struct gk_ir *const *modules, enum gk_dtype seen[])
{
	for (uint32_t i = 0; i < plan->step_count; i++)
		see_step(seen, &plan->steps[i], modules);
	for (uint32_t i = 0; i < plan->output_count; i++)
		see_view(seen, &plan->outputs[i].view);
}

static double normal(struct gk_random *r)
{
	return sqrt(-2 * log(1 - gk_random_unit(r))) * cos(6.283185307179586 * gk_random_unit(r));
}

static void invent(uint8_t *bytes, uint64_t size, enum gk_dtype dtype, struct gk_random *r)
{
	uint8_t pattern[PATTERN * WIDEST];
	size_t width = gk_dtype_bytes(dtype), period = PATTERN * width;

	for (size_t i = 0; i < PATTERN; i++) {
		double value = gk_dtype_is_float(dtype)
		                       ? normal(r)
		                       : (double)gk_random_below(r, dtype == GK_BOOL ? 2 : 8);

		gk_dtype_store(dtype, pattern + i * width, value);
	}
	for (uint64_t at = 0; at < size; at += period)
		memcpy(bytes + at, pattern, size - at < period ? size - at : period);
}

static int make_one(struct study_inputs *inputs, const struct gk_plan_buffer *buffer, uint32_t index,
                    enum gk_dtype dtype, const char *prefix, struct gk_err *e)
{
	char path[512];
	struct gk_random r;
	char *bytes;
	size_t size;

	snprintf(path, sizeof path, "%s%s", prefix, buffer->input);
	if (gk_path_exists(path)) {
		if (gk_file_read(path, (size_t)1 << 30, &bytes, &size, e))
			return -1;
		inputs->bytes[index] = bytes;
		return size == buffer->bytes
		               ? 0
		               : gk_err_set(e, GK_ERR_INPUT, "%s has another size than its buffer", path);
	}
	if (dtype == GK_DTYPE_NONE)
		dtype = GK_F32; /* nothing that is typed reads it */
	gk_random_seed(&r, index);
	inputs->bytes[index] = gk_alloc(buffer->bytes ? buffer->bytes : 1);
	inputs->has_invented_ints |= buffer->bytes && !gk_dtype_is_float(dtype);
	invent(inputs->bytes[index], buffer->bytes, dtype, &r);
	return 0;
}

int study_inputs_make(struct study_inputs *inputs, const struct gk_plan *plan,
                      const struct gk_ir *const *modules, const char *prefix, struct gk_err *e)
{
	enum gk_dtype seen[GK_PLAN_MAX_BUFFERS] = {GK_DTYPE_NONE};

	*inputs = (struct study_inputs){0};
	find_types(plan, modules, seen);
	for (uint32_t i = 0; i < plan->buffer_count; i++)
		if (plan->buffers[i].input && make_one(inputs, &plan->buffers[i], i, seen[i], prefix, e))
			return -1;
	return 0;
}

void study_inputs_release(struct study_inputs *inputs)
{
	for (int i = 0; i < GK_PLAN_MAX_BUFFERS; i++)
		free(inputs->bytes[i]);
	*inputs = (struct study_inputs){0};
}
