/* A plan for people. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "parts.h"

struct print {
	const struct gk_plan *plan;
	const struct gk_plan_module *modules;
	size_t module_count;
	struct gk_buf *out;
};

/* Names come from the candidate. */
static void add_name(struct gk_buf *out, const char *name)
{
	gk_text_add_safe(out, name, strlen(name), 64, false);
}

static const struct gk_ir_func *find_func(const struct print *p, const struct gk_plan_kernel *kernel)
{
	for (size_t i = 0; i < p->module_count; i++)
		if (strcmp(p->modules[i].hash, kernel->ttir) == 0 && p->modules[i].ir)
			return &p->modules[i].ir->funcs[p->modules[i].ir->entry];
	return NULL;
}

static void add_bytes(struct gk_buf *out, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit + 1 < gk_count_of(units); unit++)
		value /= 1024;
	gk_buf_printf(out, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void add_buffer(const struct print *p, uint32_t buf, uint64_t at)
{
	gk_buf_printf(p->out, "b%u", buf);
	if (p->plan->buffers[buf].input) {
		gk_buf_add_text(p->out, " (");
		add_name(p->out, p->plan->buffers[buf].input);
		gk_buf_add_char(p->out, ')');
	}
	if (at)
		gk_buf_printf(p->out, " + %llu", (unsigned long long)at);
}

static void add_sizes(struct gk_buf *out, const int64_t *sizes, int rank)
{
	gk_buf_add_char(out, '[');
	for (int i = 0; i < rank; i++)
		gk_buf_printf(out, "%s%lld", i ? ", " : "", (long long)sizes[i]);
	gk_buf_add_char(out, ']');
}

/* "float32[1823, 781] in b1 + 64, strides [1, 1823]" */
static void add_view(const struct print *p, const struct gk_plan_view *view)
{
	gk_buf_add_text(p->out, gk_dtype_name(view->dtype));
	add_sizes(p->out, view->shape, view->rank);
	gk_buf_add_text(p->out, " in ");
	add_buffer(p, view->buf, view->at);
	if (!gk_plan_view_is_dense(view)) {
		gk_buf_add_text(p->out, ", strides ");
		add_sizes(p->out, view->strides, view->rank);
	}
}

static void add_float(struct gk_buf *out, enum gk_dtype dtype, uint64_t bits)
{
	char text[32];

	gk_text_number(gk_dtype_load(dtype, &bits), text);
	gk_buf_add_text(out, text);
}

static void add_desc(const struct print *p, const struct gk_plan_desc *desc)
{
	gk_buf_add_text(p->out, "descriptor of ");
	add_view(p, &desc->view);
	gk_buf_add_text(p->out, ", block [");
	for (int i = 0; i < desc->view.rank; i++)
		gk_buf_printf(p->out, "%s%u", i ? ", " : "", desc->block[i]);
	gk_buf_printf(p->out, "], padded with %s%s", desc->pad_nan ? "NaN" : "zero",
	              desc->round_tf32 ? ", tf32" : "");
}

static void add_arg(const struct print *p, const struct gk_plan_arg *arg)
{
	switch (arg->kind) {
	case GK_ARG_PTR:
		add_buffer(p, arg->buf, arg->at);
		return;
	case GK_ARG_RELOC:
		gk_buf_add_text(p->out, "address of ");
		add_buffer(p, arg->buf, arg->at);
		return;
	case GK_ARG_NULL:
		gk_buf_add_text(p->out, "none");
		return;
	case GK_ARG_INT:
		gk_buf_printf(p->out, "%lld", (long long)arg->value);
		return;
	case GK_ARG_FLOAT:
		add_float(p->out, gk_ir_kind_dtype(arg->type), arg->bits);
		return;
	case GK_ARG_DESC:
		add_desc(p, arg->desc);
		return;
	}
}

static void add_settings(struct gk_buf *out, const json_t *settings)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)settings, key, value)
	{
		gk_free_auto char *text = json_dumps(value, JSON_ENCODE_ANY);

		gk_buf_add_char(out, ' ');
		add_name(out, key);
		gk_buf_add_char(out, '=');
		gk_text_add_safe(out, text ? text : "?", text ? strlen(text) : 1, 64, false);
	}
}

static void add_launch(const struct print *p, const struct gk_plan_launch *launch, const char *indent)
{
	const struct gk_plan_kernel *kernel = &p->plan->kernels[launch->kernel];
	const struct gk_ir_func *func = find_func(p, kernel);

	gk_buf_add_text(p->out, "launch ");
	add_name(p->out, kernel->name);
	gk_buf_printf(p->out, " (k%u), grid %u x %u x %u", launch->kernel, launch->grid[0], launch->grid[1],
	              launch->grid[2]);
	if (launch->line)
		gk_buf_printf(p->out, ", line %d", launch->line);
	gk_buf_add_char(p->out, '\n');
	for (uint32_t i = 0; i < launch->arg_count; i++) {
		gk_buf_auto name = GK_BUF_INIT;

		if (func && i < func->param_count && func->params[i].name[0])
			add_name(&name, func->params[i].name);
		else
			gk_buf_printf(&name, "%u", i);
		gk_buf_printf(p->out, "%s  %-16s ", indent, gk_buf_text(&name));
		add_arg(p, &launch->args[i]);
		gk_buf_add_char(p->out, '\n');
	}
}

static void add_step(const struct print *p, const struct gk_plan_step *step, const char *indent);

static void add_choose(const struct print *p, const struct gk_plan_step *step)
{
	gk_buf_printf(p->out, "choose the fastest of %u (autotuned launch %u)\n", step->variant_count,
	              step->site);
	for (uint32_t i = 0; i < step->variant_count; i++) {
		const struct gk_plan_variant *variant = &step->variants[i];

		gk_buf_printf(p->out, "       %u:", i + 1);
		add_settings(p->out, variant->config);
		gk_buf_add_char(p->out, '\n');
		for (uint32_t k = 0; k < variant->pre_count; k++) {
			gk_buf_add_text(p->out, "          ");
			add_step(p, &variant->pre[k], "          ");
		}
		gk_buf_add_text(p->out, "          ");
		add_launch(p, &variant->launch, "          ");
	}
}

/* "framework's sum of float32[2, 781] in b1 over dims 0 into float32[781] in b2, line 12" */
static void add_assist(const struct print *p, const struct gk_plan_step *step)
{
	const char *before = " over dims ";

	gk_buf_printf(p->out, "framework's %s of ", gk_assist_names[step->assist]);
	add_view(p, &step->src);
	for (int d = 0; d < step->src.rank; d++) {
		if (step->dims >> d & 1) {
			gk_buf_printf(p->out, "%s%d", before, d);
			before = ", ";
		}
	}
	gk_buf_add_text(p->out, " into ");
	add_view(p, &step->dst);
	if (step->line)
		gk_buf_printf(p->out, ", line %d", step->line);
	gk_buf_add_char(p->out, '\n');
}

static void add_step(const struct print *p, const struct gk_plan_step *step, const char *indent)
{
	if (step->op == GK_STEP_LAUNCH) {
		add_launch(p, &step->launch, indent);
		return;
	}
	if (step->op == GK_STEP_CHOOSE) {
		add_choose(p, step);
		return;
	}
	if (step->op == GK_STEP_ASSIST) {
		add_assist(p, step);
		return;
	}
	gk_buf_printf(p->out, "%s ", gk_step_names[step->op]);
	add_view(p, &step->dst);
	if (step->op == GK_STEP_FILL) {
		gk_buf_add_text(p->out, " with ");
		add_float(p->out, step->dst.dtype, step->bits);
	} else if (step->op == GK_STEP_IOTA) {
		gk_buf_printf(p->out, " from %lld in steps of %lld", (long long)step->start,
		              (long long)step->step);
	} else if (step->op == GK_STEP_COPY) {
		gk_buf_add_text(p->out, " from ");
		add_view(p, &step->src);
	} else {
		gk_buf_printf(p->out, " with %u bytes of data", step->data_bytes);
	}
	gk_buf_add_char(p->out, '\n');
}

static void add_steps(const struct print *p, const char *title, const struct gk_plan_step *steps,
                      uint32_t count)
{
	if (count)
		gk_buf_printf(p->out, "  %s\n", title);
	for (uint32_t i = 0; i < count; i++) {
		gk_buf_printf(p->out, "  %3u. ", i + 1);
		add_step(p, &steps[i], "       ");
	}
}

static void add_buffers(const struct print *p)
{
	gk_buf_add_text(p->out, "  buffers\n");
	for (uint32_t i = 0; i < p->plan->buffer_count; i++) {
		gk_buf_auto bytes = GK_BUF_INIT;
		const struct gk_plan_buffer *buffer = &p->plan->buffers[i];

		add_bytes(&bytes, buffer->bytes);
		gk_buf_printf(p->out, "    b%-4u %10s  ", i, gk_buf_text(&bytes));
		if (buffer->input) {
			gk_buf_add_text(p->out, "input ");
			add_name(p->out, buffer->input);
		} else {
			gk_buf_add_text(p->out, "allocated");
		}
		gk_buf_add_char(p->out, '\n');
	}
}

static void add_kernels(const struct print *p)
{
	gk_buf_add_text(p->out, "  kernels\n");
	for (uint32_t i = 0; i < p->plan->kernel_count; i++) {
		const struct gk_plan_kernel *kernel = &p->plan->kernels[i];

		gk_buf_printf(p->out, "    k%-4u ", i);
		add_name(p->out, kernel->name);
		gk_buf_printf(p->out, "  ttir %.12s", kernel->ttir);
		add_settings(p->out, kernel->options);
		gk_buf_add_text(p->out, kernel->inline_asm ? "  inline assembly\n" : "\n");
	}
}

static void add_outputs(const struct print *p)
{
	gk_buf_add_text(p->out, "  outputs\n");
	for (uint32_t i = 0; i < p->plan->output_count; i++) {
		gk_buf_add_text(p->out, "    ");
		add_name(p->out, p->plan->outputs[i].name);
		gk_buf_add_text(p->out, "  ");
		add_view(p, &p->plan->outputs[i].view);
		gk_buf_add_char(p->out, '\n');
	}
}

static void add_provenance(const struct print *p)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(p->plan->from, "notes"), i, entry)
	{
		gk_buf_add_text(p->out, "  note: ");
		gk_text_add_safe(p->out, json_string_value(entry), json_string_length(entry), 256, false);
		gk_buf_add_char(p->out, '\n');
	}
	json_array_foreach(json_object_get(p->plan->from, "census"), i, entry)
	{
		gk_buf_add_text(p->out, "  framework: ");
		add_name(p->out, json_string_value(json_object_get(entry, "op")));
		gk_buf_printf(p->out, " x %lld, line %lld\n",
		              (long long)json_integer_value(json_object_get(entry, "count")),
		              (long long)json_integer_value(json_object_get(entry, "line")));
	}
}

void gk_plan_print(const struct gk_plan *plan, const struct gk_plan_module *modules, size_t module_count,
                   struct gk_buf *out)
{
	struct print p = {plan, modules, module_count, out};
	char hash[GK_HEX_SIZE];

	gk_plan_hash(plan, hash);
	gk_buf_printf(out, "plan %.12s for %s\n", hash, plan->target);
	add_buffers(&p);
	add_kernels(&p);
	add_steps(&p, "prologue (untimed, before every call)", plan->prologue, plan->prologue_count);
	add_steps(&p, "steps", plan->steps, plan->step_count);
	add_outputs(&p);
	add_provenance(&p);
}
