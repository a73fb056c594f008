/*
 * The machine as a device: buffers are plain memory with a map of undefined
 * bytes, kernels run on vm/, all other steps are loops of strided.c.
 *
 * A copy of undefined bytes into a buffer whose bytes are all defined (an
 * input that the task lets candidates write) gives that buffer a map first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "device.h"
#include "num/random.h"
#include "strided.h"
#include "vm/vm.h"

struct machine {
	struct gk_device device;
	struct gk_device_options options;
};

struct gk_device_module {
	const struct gk_ir *ir;
	struct gk_vm_program *program;
};

struct gk_device_memory {
	struct gk_vm_buffer *buffers;
	uint32_t count;
};

static int machine_open(const struct gk_device_options *options, struct gk_device **device, struct gk_err *e)
{
	struct machine *m = gk_alloc(sizeof *m);

	(void)e;
	m->device.ops = &gk_machine_ops;
	m->options = *options;
	if (m->options.threads < 1)
		m->options.threads = 1;
	*device = &m->device;
	return 0;
}

static void machine_close(struct gk_device *device)
{
	free(device);
}

static json_t *machine_facts(struct gk_device *device)
{
	struct machine *m = (struct machine *)device;

	return json_pack("{s:s, s:s, s:i, s:I}", "device", "cpu", "kind", "Triton IR machine", "threads",
	                 m->options.threads, "memory_bytes", (json_int_t)m->options.memory_bytes);
}

static struct gk_device_module *machine_module_load(struct gk_device *device,
                                                    const struct gk_device_code *code, struct gk_err *e)
{
	struct gk_device_module *module = gk_alloc(sizeof *module);

	(void)device;
	(void)e;
	module->ir = code->ir;
	module->program = gk_vm_program_new(code->ir);
	return module;
}

static void machine_module_free(struct gk_device *device, struct gk_device_module *module)
{
	(void)device;
	gk_vm_program_free(module->program);
	free(module);
}

static void machine_memory_free(struct gk_device *device, struct gk_device_memory *memory)
{
	(void)device;
	for (uint32_t i = 0; i < memory->count; i++) {
		free(memory->buffers[i].bytes);
		free(memory->buffers[i].undef);
	}
	free(memory->buffers);
	free(memory);
}

/* Allocated buffers count twice: bytes and the map of undefined ones. */
static int check_ceiling(const struct gk_plan *plan, const void *const *inputs, uint64_t ceiling,
                         struct gk_err *e)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < plan->buffer_count; i++) {
		uint64_t bytes = plan->buffers[i].bytes;

		if (bytes >= (uint64_t)1 << 39)
			return gk_err_set(e, GK_ERR_INPUT,
			                  "plan: buffers[%u]: %llu bytes, the machine addresses fewer", i,
			                  (unsigned long long)bytes);
		total += inputs[i] ? bytes : 2 * bytes;
		if (total > ceiling)
			return gk_err_set(e, GK_ERR_INPUT,
			                  "the plan's buffers need more than %llu bytes of memory",
			                  (unsigned long long)ceiling);
	}
	return 0;
}

static void name_buffer(struct gk_vm_buffer *buffer, const struct gk_plan *plan, uint32_t index)
{
	if (plan->buffers[index].input) {
		snprintf(buffer->name, sizeof buffer->name, "%s", plan->buffers[index].input);
		return;
	}
	for (uint32_t i = 0; i < plan->output_count; i++) {
		if (plan->outputs[i].view.buf == index) {
			snprintf(buffer->name, sizeof buffer->name, "output %s", plan->outputs[i].name);
			return;
		}
	}
	snprintf(buffer->name, sizeof buffer->name, "workspace %u", index);
}

/* gk_alloc() is calloc: the pages of a buffer that is never touched cost nothing, so bytes + 1 suits empty
 * ones. */
static void make_buffer(struct gk_vm_buffer *buffer, uint64_t bytes, const void *input,
                        struct gk_random *poison)
{
	buffer->bytes = gk_alloc(bytes ? bytes : 1);
	buffer->size = bytes;
	if (input) {
		memcpy(buffer->bytes, input, bytes);
		return;
	}
	gk_random_fill(poison, buffer->bytes, bytes);
	buffer->undef = gk_alloc(bytes ? bytes : 1);
	memset(buffer->undef, 1, bytes);
}

static int machine_memory_new(struct gk_device *device, const struct gk_plan *plan, const void *const *inputs,
                              uint64_t seed, bool inverse, struct gk_device_memory **memory, struct gk_err *e)
{
	struct machine *m = (struct machine *)device;
	struct gk_random poison;

	(void)inverse; /* undefined bytes are known, not guessed */
	if (check_ceiling(plan, inputs, m->options.memory_bytes, e) < 0)
		return -1;
	gk_random_seed(&poison, seed ^ 0x706f69736f6eu);
	*memory = gk_alloc(sizeof **memory);
	(*memory)->count = plan->buffer_count;
	(*memory)->buffers =
		gk_alloc_array(plan->buffer_count ? plan->buffer_count : 1, sizeof *(*memory)->buffers);
	for (uint32_t i = 0; i < plan->buffer_count; i++) {
		make_buffer(&(*memory)->buffers[i], plan->buffers[i].bytes, inputs[i], &poison);
		name_buffer(&(*memory)->buffers[i], plan, i);
	}
	return 0;
}

static struct gk_memory_span span_of(struct gk_device_memory *memory, uint32_t buffer)
{
	return (struct gk_memory_span){memory->buffers[buffer].bytes, memory->buffers[buffer].undef};
}

static void run_copy(struct gk_device_memory *memory, const struct gk_plan_step *step)
{
	struct gk_vm_buffer *to = &memory->buffers[step->dst.buf];
	struct gk_memory_span dst, src = span_of(memory, step->src.buf);

	if (src.undef && !to->undef)
		to->undef = gk_alloc(to->size ? to->size : 1);
	dst = span_of(memory, step->dst.buf);
	if (step->op == GK_STEP_ASSIST)
		gk_strided_assist(&dst, &src, step);
	else
		gk_strided_copy(&dst, &step->dst, &src, &step->src);
}

static void fill_desc(struct gk_vm_arg *to, const struct gk_plan_desc *desc)
{
	to->kind = GK_VM_DESC;
	to->buffer = desc->view.buf;
	to->at = desc->view.at;
	to->rank = (uint32_t)desc->view.rank;
	to->pad_nan = desc->pad_nan;
	for (int i = 0; i < desc->view.rank && i < GK_VM_MAX_RANK; i++) {
		to->shape[i] = desc->view.shape[i];
		to->strides[i] = desc->view.strides[i];
	}
}

static struct gk_vm_arg vm_arg(const struct gk_plan_arg *from)
{
	struct gk_vm_arg to = {.buffer = from->buf, .at = from->at};

	switch (from->kind) {
	case GK_ARG_PTR:
		to.kind = GK_VM_POINTER;
		break;
	case GK_ARG_RELOC:
		to.kind = GK_VM_ADDRESS;
		break;
	case GK_ARG_NULL:
		to.kind = GK_VM_NULL;
		break;
	case GK_ARG_INT:
		to.kind = GK_VM_INT;
		to.number = from->value;
		break;
	case GK_ARG_FLOAT:
		to.kind = GK_VM_FLOAT;
		to.number = (int64_t)from->bits;
		break;
	case GK_ARG_DESC:
		fill_desc(&to, from->desc);
		break;
	}
	return to;
}

static void take_finding(struct gk_finding *to, const struct gk_vm_finding *from)
{
	snprintf(to->kind, sizeof to->kind, "%s", gk_vm_finding_name(from->kind));
	snprintf(to->message, sizeof to->message, "%s", from->message);
	snprintf(to->kernel, sizeof to->kernel, "%s", from->kernel);
	snprintf(to->operation, sizeof to->operation, "%s", from->operation);
	to->line = from->line;
	to->column = from->column;
	to->has_place = true;
	memcpy(to->program, from->program, sizeof to->program);
	to->lane = from->lane;
	to->buffer = from->buffer == GK_VM_NO_BUFFER ? -1 : (int64_t)from->buffer;
	to->at = from->at;
}

static void take_counts(struct gk_device_run *run, const struct gk_vm_counts *counts)
{
	run->counts.bytes_read += counts->bytes_read;
	run->counts.bytes_written += counts->bytes_written;
	run->counts.operations += counts->operations;
	run->counts.atomics += counts->atomics;
	run->counts.programs += counts->programs;
	run->counts.launches++;
	/* one operation is always left: 0 would mean without end */
	run->budget = counts->operations < run->budget ? run->budget - counts->operations : 1;
}

static bool run_launch(struct machine *m, struct gk_device_run *run, const struct gk_plan_launch *launch)
{
	struct gk_vm_arg *args = gk_alloc_array(launch->arg_count ? launch->arg_count : 1, sizeof *args);
	struct gk_vm_launch vm = {.grid = {launch->grid[0], launch->grid[1], launch->grid[2]},
	                          .args = args,
	                          .arg_count = launch->arg_count,
	                          .buffers = run->memory->buffers,
	                          .buffer_count = run->memory->count,
	                          .seed = run->seed,
	                          .budget = run->budget,
	                          .threads = run->threads > 0 ? run->threads : m->options.threads};
	struct gk_vm_result result = {0};
	bool fine;

	for (uint32_t i = 0; i < launch->arg_count; i++)
		args[i] = vm_arg(&launch->args[i]);
	fine = gk_vm_launch(run->modules[launch->kernel]->program, &vm, &result);
	take_counts(run, &result.counts);
	gk_buf_add(&run->notes, gk_buf_text(&result.notes), result.notes.size);
	if (!fine)
		take_finding(&run->finding, &result.finding);
	if (!fine && run->finding.line == 0 && launch->line > 0)
		run->finding.line = (uint32_t)launch->line;
	gk_vm_result_release(&result);
	free(args);
	return fine;
}

static bool machine_step(struct gk_device *device, struct gk_device_run *run, const struct gk_plan_step *step,
                         uint32_t variant)
{
	struct machine *m = (struct machine *)device;
	const struct gk_plan_variant *chosen;
	struct gk_memory_span dst;

	if (step->op == GK_STEP_LAUNCH)
		return run_launch(m, run, &step->launch);
	if (step->op == GK_STEP_CHOOSE) {
		chosen = &step->variants[variant < step->variant_count ? variant : 0];
		for (uint32_t i = 0; i < chosen->pre_count; i++)
			if (!machine_step(device, run, &chosen->pre[i], 0))
				return false;
		return run_launch(m, run, &chosen->launch);
	}
	run->memory->buffers[step->dst.buf].written = true;
	dst = span_of(run->memory, step->dst.buf);
	switch (step->op) {
	case GK_STEP_FILL:
		gk_strided_fill(&dst, &step->dst, step->bits);
		break;
	case GK_STEP_IOTA:
		gk_strided_iota(&dst, &step->dst, step->start, step->step);
		break;
	case GK_STEP_DATA:
		gk_strided_upload(&dst, &step->dst, step->data);
		break;
	default:
		run_copy(run->memory, step);
		break;
	}
	return true;
}

static bool machine_finish(struct gk_device *device, struct gk_device_run *run)
{
	(void)device;
	(void)run;
	return true;
}

static int machine_copy_out(struct gk_device *device, struct gk_device_memory *memory,
                            const struct gk_plan_view *view, void *bytes, uint64_t *poisoned, int64_t *first,
                            struct gk_err *e)
{
	struct gk_memory_span span = span_of(memory, view->buf);

	(void)device;
	(void)e;
	*poisoned = gk_strided_pack(&span, view, bytes, first);
	return 0;
}

static int machine_is_changed(struct gk_device *device, struct gk_device_memory *memory, uint32_t buffer,
                              const void *original, struct gk_err *e)
{
	const struct gk_vm_buffer *b = &memory->buffers[buffer];

	(void)device;
	(void)e;
	return b->written && memcmp(b->bytes, original, b->size) != 0;
}

const struct gk_device_ops gk_machine_ops = {
	.name = "cpu",
	.open = machine_open,
	.close = machine_close,
	.facts = machine_facts,
	.module_load = machine_module_load,
	.module_free = machine_module_free,
	.memory_new = machine_memory_new,
	.memory_free = machine_memory_free,
	.step = machine_step,
	.finish = machine_finish,
	.copy_out = machine_copy_out,
	.is_changed = machine_is_changed,
};
