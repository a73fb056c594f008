/* Whether a well-formed plan fits its task, its target and its modules. Total: a plan passes all of it or is
 * refused. */
#include <stdarg.h>
#include <stdlib.h>

#include "base/memory.h"
#include "parts.h"
#include "writes.h"

struct check {
	const struct gk_plan *plan;
	const struct gk_plan_expect *expect;
	const struct gk_ir *ir[GK_PLAN_MAX_KERNELS];
	struct gk_plan_writes writes[GK_PLAN_MAX_KERNELS];
	struct gk_err *e;
};

/* Where a step stands: "steps[3]", "steps[3].variants[1].launch". */
struct where {
	char text[80];
};

__attribute__((format(printf, 3, 4))) static int fail(const struct check *c, const char *where,
                                                      const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return gk_err_set(c->e, GK_ERR_INPUT, "plan: %s: %s", where, text);
}

static int check_head(const struct check *c)
{
	const struct gk_plan_expect *expect = c->expect;

	if (strcmp(c->plan->ir, "ttir") != 0)
		return fail(c, "ir", "only Triton IR can be checked, not %s", c->plan->ir);
	if (expect->target && strcmp(expect->target, c->plan->target) != 0)
		return fail(c, "target", "%s is needed, not %s", expect->target, c->plan->target);
	if (expect->case_hash && strcmp(expect->case_hash, c->plan->case_hash) != 0)
		return fail(c, "case", "this is the plan of another case");
	return 0;
}

static const struct gk_tensor *find_input(const struct check *c, const char *name, size_t *index)
{
	for (size_t i = 0; i < c->expect->input_count; i++) {
		if (strcmp(c->expect->inputs[i].name, name) == 0) {
			*index = i;
			return &c->expect->inputs[i];
		}
	}
	return NULL;
}

/* The name of the input that a buffer holds and that must not be written; NULL when it may be. */
static const char *read_only(const struct check *c, uint32_t buf)
{
	const char *name = c->plan->buffers[buf].input;
	size_t index;

	if (!name || !find_input(c, name, &index))
		return NULL;
	return c->expect->in_place && c->expect->in_place[index] ? NULL : name;
}

static int check_buffers(const struct check *c)
{
	uint64_t total = 0;
	char where[32];

	for (uint32_t i = 0; i < c->plan->buffer_count; i++) {
		const struct gk_plan_buffer *buffer = &c->plan->buffers[i];
		const struct gk_tensor *input;
		size_t index;

		snprintf(where, sizeof where, "buffers[%u]", i);
		total += buffer->bytes; /* at most 64 times 2^40 */
		if (!buffer->input)
			continue;
		input = find_input(c, buffer->input, &index);
		if (!input)
			return fail(c, where, "the task has no input %.64s", buffer->input);
		if (input->bytes != buffer->bytes)
			return fail(c, where, "input %.64s has %llu bytes, not %llu", buffer->input,
			            (unsigned long long)input->bytes, (unsigned long long)buffer->bytes);
	}
	if (c->expect->max_bytes && total > c->expect->max_bytes)
		return fail(c, "buffers", "%llu bytes are more than the %llu that the case may use",
		            (unsigned long long)total, (unsigned long long)c->expect->max_bytes);
	return 0;
}

static int check_kernel(struct check *c, uint32_t index)
{
	const struct gk_plan_kernel *kernel = &c->plan->kernels[index];
	char where[32];

	snprintf(where, sizeof where, "kernels[%u]", index);
	for (size_t i = 0; i < c->expect->module_count; i++)
		if (strcmp(c->expect->modules[i].hash, kernel->ttir) == 0)
			c->ir[index] = c->expect->modules[i].ir;
	if (!c->ir[index])
		return fail(c, where, "the module %.12s.. did not come with the plan", kernel->ttir);
	if (strcmp(c->ir[index]->funcs[c->ir[index]->entry].name, kernel->name) != 0)
		return fail(c, where, "the module's kernel is %.64s, not %.64s",
		            c->ir[index]->funcs[c->ir[index]->entry].name, kernel->name);
	if (kernel->inline_asm != (c->ir[index]->code_uses[GK_IR_TT_INLINE_ASM] > 0))
		return fail(c, where, "inline_asm says %s, the module says otherwise",
		            kernel->inline_asm ? "true" : "false");
	if (kernel->inline_asm && !c->expect->allow_asm)
		return fail(c, where, "%.64s uses inline assembly, which the task does not allow",
		            kernel->name);
	gk_plan_find_writes(c->ir[index], &c->writes[index]);
	return 0;
}

static bool desc_agrees(const struct gk_ir *ir, const struct gk_ir_type *param,
                        const struct gk_plan_desc *desc)
{
	const struct gk_ir_type *block = &ir->types[param->element];
	enum gk_dtype dtype = gk_ir_kind_dtype(ir->types[block->element].kind);

	if (block->rank != desc->view.rank || gk_dtype_bytes(dtype) != gk_dtype_bytes(desc->view.dtype) ||
	    gk_dtype_is_float(dtype) != gk_dtype_is_float(desc->view.dtype))
		return false;
	for (uint32_t i = 0; i < block->rank; i++)
		if (block->shape[i] != desc->block[i])
			return false;
	return true;
}

static bool type_agrees(const struct gk_ir *ir, const struct gk_ir_type *param, const struct gk_plan_arg *arg)
{
	switch (arg->kind) {
	case GK_ARG_PTR:
	case GK_ARG_NULL:
		return param->kind == GK_IR_PTR;
	case GK_ARG_RELOC:
		return param->kind == GK_IR_I64;
	case GK_ARG_INT:
	case GK_ARG_FLOAT:
		return param->kind == arg->type;
	case GK_ARG_DESC:
		return param->kind == GK_IR_DESC && desc_agrees(ir, param, arg->desc);
	}
	return false;
}

/* The compiler was told these things of the arguments and relies on them. */
static int check_promises(const struct check *c, const char *where, const struct gk_ir *ir,
                          const struct gk_ir_param *param, const struct gk_plan_arg *arg)
{
	const struct gk_ir_attr *divisor =
		gk_ir_attr_in(ir, param->attrs, param->attr_count, "tt.divisibility");
	const struct gk_ir_attr *range =
		gk_ir_attr_in(ir, param->attrs, param->attr_count, "tt.pointer_range");
	bool is_address = arg->kind == GK_ARG_PTR || arg->kind == GK_ARG_RELOC;

	if (divisor && divisor->kind == GK_IR_ATTR_INT && divisor->number > 0) {
		uint64_t n = (uint64_t)divisor->number;

		if (is_address && (arg->at % n || c->plan->buffers[arg->buf].align % n))
			return fail(
				c, where,
				"parameter %.64s promises an address divisible by %llu, offset %llu is not",
				param->name, (unsigned long long)n, (unsigned long long)arg->at);
		if (arg->kind == GK_ARG_INT && arg->value % divisor->number)
			return fail(c, where,
			            "parameter %.64s promises a value divisible by %llu, %lld is not",
			            param->name, (unsigned long long)n, (long long)arg->value);
	}
	if (range && range->kind == GK_IR_ATTR_INT && range->number == 32 && is_address &&
	    c->plan->buffers[arg->buf].bytes > INT32_MAX)
		return fail(c, where, "parameter %.64s promises a buffer below 2 GiB", param->name);
	return 0;
}

static int check_launch(const struct check *c, const char *where, const struct gk_plan_launch *launch)
{
	const struct gk_ir *ir = c->ir[launch->kernel];
	const struct gk_ir_func *func = &ir->funcs[ir->entry];

	if (launch->arg_count != func->param_count)
		return fail(c, where, "kernel %.64s has %u parameters, %u arguments are given", func->name,
		            func->param_count, launch->arg_count);
	for (uint32_t i = 0; i < launch->arg_count; i++) {
		const struct gk_plan_arg *arg = &launch->args[i];
		char place[128];

		snprintf(place, sizeof place, "%s.args[%u]", where, i);
		if (!type_agrees(ir, &ir->types[func->params[i].type], arg)) {
			gk_buf_auto type = GK_BUF_INIT;

			gk_ir_print_type(ir, func->params[i].type, &type);
			return fail(c, place, "parameter %.64s of %.64s is of type %.80s",
			            func->params[i].name, func->name, gk_buf_text(&type));
		}
		if (check_promises(c, place, ir, &func->params[i], arg))
			return -1;
	}
	return 0;
}

static int check_dst(const struct check *c, const char *where, const struct gk_plan_view *dst)
{
	const char *name = read_only(c, dst->buf);

	return name ? fail(c, where, "writes the input %.64s, which the task does not allow", name) : 0;
}

static int check_choose(const struct check *c, const char *where, const struct gk_plan_step *step)
{
	for (uint32_t i = 0; i < step->variant_count; i++) {
		const struct gk_plan_variant *variant = &step->variants[i];
		char place[120];

		for (uint32_t k = 0; k < variant->pre_count; k++) {
			snprintf(place, sizeof place, "%s.variants[%u].pre[%u]", where, i, k);
			if (check_dst(c, place, &variant->pre[k].dst))
				return -1;
		}
		snprintf(place, sizeof place, "%s.variants[%u].launch", where, i);
		if (check_launch(c, place, &variant->launch))
			return -1;
	}
	return 0;
}

static int check_assist(const struct check *c, const char *where, const struct gk_plan_step *step)
{
	if (!gk_assist_is_allowed(step->assist, c->expect->allow, c->expect->allow_count))
		return fail(c, where, "the framework computes %s (line %d), which the task does not allow",
		            gk_assist_names[step->assist], step->line);
	return check_dst(c, where, &step->dst);
}

static int check_step(const struct check *c, const char *where, const struct gk_plan_step *step)
{
	switch (step->op) {
	case GK_STEP_ASSIST:
		return check_assist(c, where, step);
	case GK_STEP_LAUNCH:
		return check_launch(c, where, &step->launch);
	case GK_STEP_CHOOSE:
		return check_choose(c, where, step);
	default:
		return check_dst(c, where, &step->dst);
	}
}

static int check_steps(const struct check *c)
{
	for (uint32_t i = 0; i < c->plan->step_count; i++) {
		struct where where;

		snprintf(where.text, sizeof where.text, "steps[%u]", i);
		if (check_step(c, where.text, &c->plan->steps[i]))
			return -1;
	}
	return 0;
}

/* The prologue is repeated untimed before every call, so it must not do the work: it never sees inputs. */
static int check_prologue(const struct check *c)
{
	for (uint32_t i = 0; i < c->plan->prologue_count; i++) {
		const struct gk_plan_step *step = &c->plan->prologue[i];
		struct where where;

		snprintf(where.text, sizeof where.text, "prologue[%u]", i);
		if (step->op == GK_STEP_CHOOSE)
			return fail(c, where.text, "a prologue has no autotuned launches");
		if ((step->op == GK_STEP_COPY || step->op == GK_STEP_ASSIST) &&
		    c->plan->buffers[step->src.buf].input)
			return fail(c, where.text, "a prologue must not read the input %.64s",
			            c->plan->buffers[step->src.buf].input);
		for (uint32_t k = 0; step->op == GK_STEP_LAUNCH && k < step->launch.arg_count; k++) {
			const struct gk_plan_arg *arg = &step->launch.args[k];
			bool has_buffer = arg->kind == GK_ARG_PTR || arg->kind == GK_ARG_RELOC ||
			                  arg->kind == GK_ARG_DESC;

			if (has_buffer && c->plan->buffers[arg->buf].input)
				return fail(c, where.text,
				            "a prologue must not give a kernel the input %.64s",
				            c->plan->buffers[arg->buf].input);
		}
		if (check_step(c, where.text, step))
			return -1;
	}
	return 0;
}

/* ---- who writes the outputs ---- */

enum writer { NOBODY, FILL, KERNEL };

/*
 * What is known of buffers on the way through the steps, a bit for each. An
 * assist of what a kernel made may be an output, and so may its cast: the task
 * has allowed it. One of what no kernel made is a copy like any other.
 */
struct made {
	uint64_t by_kernel; /* holds something that came from a kernel, also by copies and assists */
	uint64_t by_assist; /* was last written by an assist of such */
};
_Static_assert(GK_PLAN_MAX_BUFFERS <= 64, "a bit for each");

static bool launch_writes(const struct check *c, const struct gk_plan_launch *launch, uint32_t buf)
{
	for (uint32_t i = 0; i < launch->arg_count; i++) {
		const struct gk_plan_arg *arg = &launch->args[i];

		if ((arg->kind == GK_ARG_PTR || arg->kind == GK_ARG_RELOC || arg->kind == GK_ARG_DESC) &&
		    arg->buf == buf && gk_plan_may_write(&c->writes[launch->kernel], i))
			return true;
	}
	return false;
}

static bool is_launch(const struct gk_plan_step *step)
{
	return step->op == GK_STEP_LAUNCH || step->op == GK_STEP_CHOOSE;
}

/* Whether the kernel of a launch writes the buffer, or that of every variant. */
static bool kernel_writes(const struct check *c, const struct gk_plan_step *step, uint32_t buf)
{
	if (step->op == GK_STEP_LAUNCH)
		return launch_writes(c, &step->launch, buf);
	for (uint32_t i = 0; i < step->variant_count; i++)
		if (!launch_writes(c, &step->variants[i].launch, buf))
			return false;
	return true;
}

static bool is_from_kernel(const struct gk_plan_step *step, const struct made *made)
{
	return (step->op == GK_STEP_ASSIST && made->by_kernel >> step->src.buf & 1) ||
	       (step->op == GK_STEP_COPY && made->by_assist >> step->src.buf & 1);
}

/* Who writes the output last, as far as this step changes it. made: before the step. */
static enum writer step_writes(const struct check *c, const struct gk_plan_step *step, const struct made *made,
                               const struct gk_plan_view *view, enum writer last)
{
	if (is_launch(step))
		return kernel_writes(c, step, view->buf) ? KERNEL : last;
	if (!gk_plan_extents_meet(&step->dst, view))
		return last;
	return is_from_kernel(step, made) ? KERNEL : FILL;
}

static void set_bit(uint64_t *bits, uint32_t buf, bool value)
{
	*bits = (*bits & ~((uint64_t)1 << buf)) | (uint64_t)value << buf;
}

static void make(const struct check *c, const struct gk_plan_step *step, struct made *made)
{
	bool reads = step->op == GK_STEP_COPY || step->op == GK_STEP_ASSIST;
	bool is_whole, from_kernel = reads && made->by_kernel >> step->src.buf & 1;

	for (uint32_t buf = 0; is_launch(step) && buf < c->plan->buffer_count; buf++) {
		if (kernel_writes(c, step, buf)) {
			set_bit(&made->by_kernel, buf, true);
			set_bit(&made->by_assist, buf, false);
		}
	}
	if (is_launch(step) || gk_plan_view_count(&step->dst) == 0)
		return;
	is_whole = gk_plan_view_bytes(&step->dst) == c->plan->buffers[step->dst.buf].bytes;
	set_bit(&made->by_assist, step->dst.buf, is_from_kernel(step, made));
	if (is_whole || from_kernel)
		set_bit(&made->by_kernel, step->dst.buf, from_kernel);
}

static const struct gk_plan_step *step_at(const struct check *c, uint32_t i)
{
	uint32_t before = c->plan->prologue_count;

	return i < before ? &c->plan->prologue[i] : &c->plan->steps[i - before];
}

static int not_by_kernel(const struct check *c, const char *where, const char *name, uint32_t by)
{
	const struct gk_plan_step *step = step_at(c, by);
	bool is_before = by < c->plan->prologue_count, is_assist = step->op == GK_STEP_ASSIST;

	return fail(c, where, "the output %.64s is last written by a %s%s (%s[%u]); a kernel must write it", name,
	            is_assist ? gk_assist_names[step->assist] : gk_step_names[step->op],
	            is_assist ? " of what no kernel made" : "", is_before ? "prologue" : "steps",
	            is_before ? by : by - c->plan->prologue_count);
}

static int check_written(const struct check *c, const char *where, const struct gk_plan_output *output)
{
	enum writer last = NOBODY;
	struct made made = {0};
	uint32_t by = 0;

	if (gk_plan_view_count(&output->view) == 0)
		return 0;
	for (uint32_t i = 0; i < c->plan->prologue_count + c->plan->step_count; i++) {
		const struct gk_plan_step *step = step_at(c, i);
		enum writer now = step_writes(c, step, &made, &output->view, last);

		by = now != last ? i : by;
		last = now;
		make(c, step, &made);
	}
	if (last == NOBODY)
		return fail(c, where, "no step writes the output %.64s", output->name);
	if (last == FILL && !c->expect->allow_fills)
		return not_by_kernel(c, where, output->name, by);
	return 0;
}

static int check_output(const struct check *c, const char *where, const struct gk_plan_output *output,
                        const struct gk_tensor *declared)
{
	const struct gk_plan_view *view = &output->view;
	const char *input = read_only(c, view->buf);

	if (strcmp(output->name, declared->name) != 0)
		return fail(c, where, "the output %.64s is needed here, not %.64s", declared->name,
		            output->name);
	if (view->dtype != declared->dtype)
		return fail(c, where, "the output %.64s is declared as %s, not %s", output->name,
		            gk_dtype_name(declared->dtype), gk_dtype_name(view->dtype));
	if (view->rank != declared->rank ||
	    memcmp(view->shape, declared->shape, (size_t)view->rank * sizeof view->shape[0]) != 0)
		return fail(c, where, "the output %.64s has another shape than the task declares",
		            output->name);
	if (input && gk_plan_view_count(view))
		return fail(c, where, "the output %.64s is the input %.64s itself", output->name, input);
	return check_written(c, where, output);
}

static int check_outputs(const struct check *c)
{
	if (c->plan->output_count != c->expect->output_count)
		return fail(c, "outputs", "the task declares %zu, the entry returns %u",
		            c->expect->output_count, c->plan->output_count);
	for (uint32_t i = 0; i < c->plan->output_count; i++) {
		char where[32];

		snprintf(where, sizeof where, "outputs[%u]", i);
		if (check_output(c, where, &c->plan->outputs[i], &c->expect->outputs[i]))
			return -1;
	}
	return 0;
}

int gk_plan_validate(const struct gk_plan *plan, const struct gk_plan_expect *expect, struct gk_err *e)
{
	gk_free_auto struct check *c = gk_alloc(sizeof *c);

	c->plan = plan;
	c->expect = expect;
	c->e = e;
	if (check_head(c) || check_buffers(c))
		return -1;
	for (uint32_t i = 0; i < plan->kernel_count; i++)
		if (check_kernel(c, i))
			return -1;
	return check_prologue(c) || check_steps(c) || check_outputs(c) ? -1 : 0;
}
