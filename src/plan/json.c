/* Plans as JSON, as they stand and in the canonical form whose hash names what a plan does. */
#include <stdlib.h>

#include "base/memory.h"
#include "parts.h"

/* How numbers are written: as they are, or (canonical) by first use. */
struct writer {
	const struct gk_plan *plan;
	const struct gk_plan_numbers *numbers; /* NULL: as they are */
};

static json_int_t buffer_number(const struct writer *w, uint32_t buf)
{
	return w->numbers ? w->numbers->buffers[buf] : buf;
}

static json_t *write_sizes(const int64_t *sizes, int rank)
{
	json_t *list = json_array();

	for (int i = 0; i < rank; i++)
		json_array_append_new(list, json_integer(sizes[i]));
	return list;
}

static json_t *write_view(const struct writer *w, const struct gk_plan_view *view)
{
	return json_pack("{s:I, s:I, s:s, s:o, s:o}", "buf", buffer_number(w, view->buf), "at",
	                 (json_int_t)view->at, "dtype", gk_dtype_name(view->dtype), "shape",
	                 write_sizes(view->shape, view->rank), "strides",
	                 write_sizes(view->strides, view->rank));
}

static json_t *write_bits(uint64_t bits, size_t bytes)
{
	char text[24];

	snprintf(text, sizeof text, "0x%0*llx", (int)bytes * 2, (unsigned long long)bits);
	return json_string(text);
}

static json_t *write_desc(const struct writer *w, const struct gk_plan_desc *desc)
{
	json_t *block = json_array();

	for (int i = 0; i < desc->view.rank; i++)
		json_array_append_new(block, json_integer(desc->block[i]));
	return json_pack("{s:s, s:o, s:o, s:s, s:b}", "t", "desc", "view", write_view(w, &desc->view),
	                 "block", block, "pad", desc->pad_nan ? "nan" : "zero", "round_tf32",
	                 desc->round_tf32);
}

static const char *kind_name(enum gk_ir_kind kind)
{
	switch (kind) {
	case GK_IR_I1:
		return "i1";
	case GK_IR_I8:
		return "i8";
	case GK_IR_I16:
		return "i16";
	case GK_IR_I32:
		return "i32";
	case GK_IR_I64:
		return "i64";
	case GK_IR_F16:
		return "f16";
	case GK_IR_BF16:
		return "bf16";
	case GK_IR_F32:
		return "f32";
	default:
		return "f64";
	}
}

static json_t *write_arg(const struct writer *w, const struct gk_plan_arg *arg)
{
	switch (arg->kind) {
	case GK_ARG_PTR:
	case GK_ARG_RELOC:
		return json_pack("{s:s, s:I, s:I}", "t", arg->kind == GK_ARG_PTR ? "ptr" : "reloc", "buf",
		                 buffer_number(w, arg->buf), "at", (json_int_t)arg->at);
	case GK_ARG_NULL:
		return json_pack("{s:s}", "t", "null");
	case GK_ARG_INT:
		return json_pack("{s:s, s:I}", "t", kind_name(arg->type), "v", (json_int_t)arg->value);
	case GK_ARG_FLOAT:
		return json_pack("{s:s, s:o}", "t", kind_name(arg->type), "bits",
		                 write_bits(arg->bits, gk_ir_kind_bytes(arg->type)));
	case GK_ARG_DESC:
		return write_desc(w, arg->desc);
	}
	return NULL;
}

static json_t *write_launch(const struct writer *w, const struct gk_plan_launch *launch)
{
	json_t *args = json_array();

	for (uint32_t i = 0; i < launch->arg_count; i++)
		json_array_append_new(args, write_arg(w, &launch->args[i]));
	return json_pack("{s:s, s:I, s:[I,I,I], s:i, s:o}", "op", "launch", "kernel",
	                 (json_int_t)(w->numbers ? w->numbers->kernels[launch->kernel] : launch->kernel),
	                 "grid", (json_int_t)launch->grid[0], (json_int_t)launch->grid[1],
	                 (json_int_t)launch->grid[2], "line", launch->line, "args", args);
}

static json_t *write_data(const struct writer *w, const struct gk_plan_step *step)
{
	gk_buf_auto hex = GK_BUF_INIT;

	for (uint32_t i = 0; i < step->data_bytes; i++)
		gk_buf_printf(&hex, "%02x", step->data[i]);
	return json_pack("{s:s, s:o, s:s}", "op", "data", "dst", write_view(w, &step->dst), "hex",
	                 gk_buf_text(&hex));
}

static json_t *write_assist(const struct writer *w, const struct gk_plan_step *step)
{
	json_t *dims = json_array();

	for (int d = 0; d < step->src.rank; d++)
		if (step->dims >> d & 1)
			json_array_append_new(dims, json_integer(d));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:i}", "op", "assist", "does", gk_assist_names[step->assist],
	                 "dst", write_view(w, &step->dst), "src", write_view(w, &step->src), "dims", dims, "line",
	                 step->line);
}

static json_t *write_steps(const struct writer *w, const struct gk_plan_step *steps, uint32_t count);

static json_t *write_choose(const struct writer *w, const struct gk_plan_step *step)
{
	json_t *variants = json_array();

	for (uint32_t i = 0; i < step->variant_count; i++) {
		const struct gk_plan_variant *variant = &step->variants[i];

		json_array_append_new(variants, json_pack("{s:O, s:o, s:o}", "config", variant->config, "pre",
		                                          write_steps(w, variant->pre, variant->pre_count),
		                                          "launch", write_launch(w, &variant->launch)));
	}
	return json_pack("{s:s, s:I, s:o}", "op", "choose", "site", (json_int_t)step->site, "variants",
	                 variants);
}

static json_t *write_step(const struct writer *w, const struct gk_plan_step *step)
{
	switch (step->op) {
	case GK_STEP_FILL:
		return json_pack("{s:s, s:o, s:o}", "op", "fill", "dst", write_view(w, &step->dst), "bits",
		                 write_bits(step->bits, gk_dtype_bytes(step->dst.dtype)));
	case GK_STEP_IOTA:
		return json_pack("{s:s, s:o, s:I, s:I}", "op", "iota", "dst", write_view(w, &step->dst),
		                 "start", (json_int_t)step->start, "step", (json_int_t)step->step);
	case GK_STEP_COPY:
		return json_pack("{s:s, s:o, s:o}", "op", "copy", "dst", write_view(w, &step->dst), "src",
		                 write_view(w, &step->src));
	case GK_STEP_DATA:
		return write_data(w, step);
	case GK_STEP_LAUNCH:
		return write_launch(w, &step->launch);
	case GK_STEP_CHOOSE:
		return write_choose(w, step);
	case GK_STEP_ASSIST:
		return write_assist(w, step);
	}
	return NULL;
}

static json_t *write_steps(const struct writer *w, const struct gk_plan_step *steps, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, write_step(w, &steps[i]));
	return list;
}

static json_t *write_buffer(const struct gk_plan_buffer *buffer)
{
	json_t *json = json_pack("{s:I, s:I}", "bytes", (json_int_t)buffer->bytes, "align",
	                         (json_int_t)buffer->align);

	if (buffer->input)
		json_object_set_new(json, "input", json_string(buffer->input));
	return json;
}

static json_t *write_kernel(const struct gk_plan_kernel *kernel)
{
	return json_pack("{s:s, s:s, s:O, s:b}", "ttir", kernel->ttir, "name", kernel->name, "options",
	                 kernel->options, "inline_asm", kernel->inline_asm);
}

/* Lists in the order of the numbers; what has none is left out. */
static json_t *write_buffers(const struct writer *w)
{
	json_t *list = json_array();
	uint32_t count = w->numbers ? w->numbers->buffer_count : w->plan->buffer_count;

	for (uint32_t number = 0; number < count; number++)
		for (uint32_t i = 0; i < w->plan->buffer_count; i++)
			if (buffer_number(w, i) == number)
				json_array_append_new(list, write_buffer(&w->plan->buffers[i]));
	return list;
}

static json_t *write_kernels(const struct writer *w)
{
	json_t *list = json_array();
	uint32_t count = w->numbers ? w->numbers->kernel_count : w->plan->kernel_count;

	for (uint32_t number = 0; number < count; number++)
		for (uint32_t i = 0; i < w->plan->kernel_count; i++)
			if ((w->numbers ? w->numbers->kernels[i] : i) == number)
				json_array_append_new(list, write_kernel(&w->plan->kernels[i]));
	return list;
}

static json_t *write_outputs(const struct writer *w)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < w->plan->output_count; i++) {
		json_t *view = write_view(w, &w->plan->outputs[i].view);

		json_object_set_new(view, "name", json_string(w->plan->outputs[i].name));
		json_array_append_new(list, view);
	}
	return list;
}

static json_t *write_plan(const struct writer *w)
{
	const struct gk_plan *plan = w->plan;

	return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "plan", 1, "ir", plan->ir, "target",
	                 plan->target, "buffers", write_buffers(w), "kernels", write_kernels(w), "prologue",
	                 write_steps(w, plan->prologue, plan->prologue_count), "steps",
	                 write_steps(w, plan->steps, plan->step_count), "outputs", write_outputs(w));
}

json_t *gk_plan_to_json(const struct gk_plan *plan)
{
	struct writer w = {.plan = plan};
	json_t *json = write_plan(&w);

	json_object_set_new(json, "case", json_string(plan->case_hash));
	json_object_set(json, "from", plan->from);
	return json;
}

static void number_buffer(struct gk_plan_numbers *n, uint32_t buf)
{
	if (n->buffers[buf] == GK_IR_NONE)
		n->buffers[buf] = n->buffer_count++;
}

static void number_launch(struct gk_plan_numbers *n, const struct gk_plan_launch *launch)
{
	if (n->kernels[launch->kernel] == GK_IR_NONE)
		n->kernels[launch->kernel] = n->kernel_count++;
	for (uint32_t i = 0; i < launch->arg_count; i++)
		if (launch->args[i].kind == GK_ARG_PTR || launch->args[i].kind == GK_ARG_RELOC ||
		    launch->args[i].kind == GK_ARG_DESC)
			number_buffer(n, launch->args[i].buf);
}

static void number_step(struct gk_plan_numbers *n, const struct gk_plan_step *step)
{
	if (step->op == GK_STEP_LAUNCH) {
		number_launch(n, &step->launch);
		return;
	}
	for (uint32_t i = 0; step->op == GK_STEP_CHOOSE && i < step->variant_count; i++) {
		for (uint32_t k = 0; k < step->variants[i].pre_count; k++)
			number_step(n, &step->variants[i].pre[k]);
		number_launch(n, &step->variants[i].launch);
	}
	if (step->op == GK_STEP_CHOOSE)
		return;
	number_buffer(n, step->dst.buf);
	if (step->op == GK_STEP_COPY || step->op == GK_STEP_ASSIST)
		number_buffer(n, step->src.buf);
}

void gk_plan_number(const struct gk_plan *plan, struct gk_plan_numbers *numbers)
{
	memset(numbers, 0xff, sizeof *numbers);
	numbers->buffer_count = numbers->kernel_count = 0;
	for (uint32_t i = 0; i < plan->prologue_count; i++)
		number_step(numbers, &plan->prologue[i]);
	for (uint32_t i = 0; i < plan->step_count; i++)
		number_step(numbers, &plan->steps[i]);
	for (uint32_t i = 0; i < plan->output_count; i++)
		number_buffer(numbers, plan->outputs[i].view.buf);
}

json_t *gk_plan_canonical(const struct gk_plan *plan)
{
	struct gk_plan_numbers numbers;
	struct writer w = {.plan = plan, .numbers = &numbers};

	gk_plan_number(plan, &numbers);
	return write_plan(&w);
}

void gk_plan_hash(const struct gk_plan *plan, char hex[GK_HEX_SIZE])
{
	gk_json_auto *json = gk_plan_canonical(plan);
	gk_free_auto char *text = gk_json_text(json);

	gk_hash_hex(text, strlen(text), hex);
}
