/*
 * Runs launch plans on the machine with made-up inputs: `planrun TTIR_FOLDER INT PLAN...`. Integer inputs hold INT
 * everywhere, floats numbers from 0 to 1. One line a plan: "fine POISONED OPERATIONS MS PLAN", "KIND MESSAGE", or "refused WHY".
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "device/device.h"
#include "num/random.h"

#define MAX_FILE ((size_t)8 << 20)
#define BUDGET   ((uint64_t)4000000000)

struct session {
	const char *folder;
	int64_t whole;
	struct gk_device *device;
	struct gk_plan *plan;
	struct gk_ir *irs[GK_PLAN_MAX_KERNELS];
	struct gk_device_module *modules[GK_PLAN_MAX_KERNELS];
	enum gk_dtype dtypes[GK_PLAN_MAX_BUFFERS];
	void *inputs[GK_PLAN_MAX_BUFFERS];
};

static int load_kernel(struct session *s, uint32_t k, struct gk_err *e)
{
	char path[1024];
	gk_free_auto char *text = NULL;
	size_t size = 0;

	snprintf(path, sizeof path, "%s/%s.ttir", s->folder, s->plan->kernels[k].ttir);
	if (gk_file_read(path, MAX_FILE, &text, &size, e))
		return -1;
	s->irs[k] = gk_ir_read(s->plan->kernels[k].name, text, size, e);
	if (!s->irs[k])
		return -1;
	s->modules[k] = s->device->ops->module_load(s->device, s->irs[k], e);
	return s->modules[k] ? 0 : -1;
}

/* The element that the kernels' parameters say a buffer has. */
static void note_types(struct session *s, const struct gk_plan_launch *launch)
{
	const struct gk_ir *ir = s->irs[launch->kernel];
	const struct gk_ir_func *func = &ir->funcs[ir->entry];

	for (uint32_t i = 0; i < launch->arg_count && i < func->param_count; i++) {
		const struct gk_ir_type *type = &ir->types[func->params[i].type];

		if (launch->args[i].kind == GK_ARG_PTR && type->kind == GK_IR_PTR && !s->dtypes[launch->args[i].buf])
			s->dtypes[launch->args[i].buf] = gk_ir_kind_dtype(ir->types[type->element].kind);
		if (launch->args[i].kind == GK_ARG_DESC)
			s->dtypes[launch->args[i].desc->view.buf] = launch->args[i].desc->view.dtype;
	}
}

static void note_all_types(struct session *s)
{
	for (uint32_t i = 0; i < s->plan->step_count; i++) {
		const struct gk_plan_step *step = &s->plan->steps[i];

		if (step->op == GK_STEP_COPY && !s->dtypes[step->src.buf])
			s->dtypes[step->src.buf] = step->src.dtype;
		if (step->op == GK_STEP_LAUNCH)
			note_types(s, &step->launch);
		if (step->op == GK_STEP_CHOOSE)
			note_types(s, &step->variants[0].launch);
	}
}

static void *make_input(const struct session *s, uint32_t b, struct gk_random *random)
{
	uint64_t bytes = s->plan->buffers[b].bytes;
	enum gk_dtype dtype = s->dtypes[b] ? s->dtypes[b] : GK_U8;
	size_t size = gk_dtype_bytes(dtype);
	uint8_t *data = gk_alloc(bytes);

	for (uint64_t at = 0; at + size <= bytes; at += size) {
		if (gk_dtype_is_float(dtype))
			gk_dtype_store(dtype, data + at, gk_random_unit(random));
		else
			memcpy(data + at, &s->whole, size);
	}
	return data;
}

static void run_plan(struct session *s, const char *name, struct gk_err *e)
{
	struct gk_device_memory *memory = NULL;
	struct gk_device_run run = {.plan = s->plan, .modules = s->modules, .seed = 3, .threads = 1, .budget = BUDGET};
	uint64_t poisoned = 0;
	int64_t start = gk_clock_ns();
	bool goes_on = true;

	if (s->device->ops->memory_new(s->device, s->plan, (const void *const *)s->inputs, 5, &memory, e)) {
		printf("refused %s\n", e->text);
		return;
	}
	run.memory = memory;
	for (uint32_t i = 0; goes_on && i < s->plan->prologue_count; i++)
		goes_on = s->device->ops->step(s->device, &run, &s->plan->prologue[i], 0);
	for (uint32_t i = 0; goes_on && i < s->plan->step_count; i++)
		goes_on = s->device->ops->step(s->device, &run, &s->plan->steps[i], 0);
	for (uint32_t i = 0; goes_on && i < s->plan->output_count; i++) {
		uint64_t count = 0;
		int64_t first;
		gk_free_auto void *out = gk_alloc(gk_plan_view_bytes(&s->plan->outputs[i].view));

		s->device->ops->copy_out(s->device, memory, &s->plan->outputs[i].view, out, &count, &first);
		poisoned += count;
	}
	if (goes_on)
		printf("fine %llu %llu %.1f %s\n", (unsigned long long)poisoned, (unsigned long long)run.counts.operations,
		       (double)(gk_clock_ns() - start) / 1e6, name);
	else
		printf("%s %s %s\n", run.finding.kind, run.finding.message, name);
	gk_buf_release(&run.notes);
	s->device->ops->memory_free(s->device, memory);
}

static void one_plan(struct session *s, const char *name)
{
	struct gk_err e = {0};
	gk_free_auto char *text = NULL;
	size_t size = 0;
	struct gk_random random;
	bool loaded = !gk_file_read(name, MAX_FILE, &text, &size, &e) && (s->plan = gk_plan_read(name, text, size, &e));

	gk_random_seed(&random, 1);
	for (uint32_t k = 0; loaded && k < s->plan->kernel_count; k++)
		loaded = load_kernel(s, k, &e) == 0;
	if (loaded) {
		note_all_types(s);
		for (uint32_t b = 0; b < s->plan->buffer_count; b++)
			s->inputs[b] = s->plan->buffers[b].input ? make_input(s, b, &random) : NULL;
		run_plan(s, name, &e);
	} else {
		printf("refused %s\n", e.text);
	}
	fflush(stdout);
	for (uint32_t k = 0; k < GK_PLAN_MAX_KERNELS; k++) {
		if (s->modules[k])
			s->device->ops->module_free(s->device, s->modules[k]);
		gk_ir_free(s->irs[k]);
	}
	for (uint32_t b = 0; b < GK_PLAN_MAX_BUFFERS; b++)
		free(s->inputs[b]);
	gk_plan_free(s->plan);
}

int main(int argc, char **argv)
{
	struct gk_device_options options = {.threads = 1, .memory_bytes = (uint64_t)8 << 30};
	struct gk_device *device = NULL;
	struct gk_err e = {0};

	if (argc < 4 || gk_machine_ops.open(&options, &device, &e)) {
		fprintf(stderr, "planrun TTIR_FOLDER INT PLAN...\n");
		return 2;
	}
	for (int i = 3; i < argc; i++) {
		struct session s = {.folder = argv[1], .whole = atoll(argv[2]), .device = device};

		one_plan(&s, argv[i]);
	}
	device->ops->close(device);
	return 0;
}
