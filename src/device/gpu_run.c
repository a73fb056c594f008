/*
 * Steps on a GPU. Fills and copies that the driver has calls for run there;
 * the others (a column, a cast) go through the host, byte for byte as the
 * machine does them. A launch is packed from the plan's arguments and checked
 * against the parameters that the code object declares, then waited for, so
 * that a fault has a kernel and a line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gpu.h"
#include "strided.h"

enum { BLOCK_BYTES = 32768, MAP_BYTES = 128, MAP_ALIGN = 64, MAP_PIECE = 16, NEAR_BYTES = 65536 };

/* ---- findings ---- */

static bool found(struct gk_device_run *run, const struct gk_plan_launch *launch, const char *kind,
                  const char *text)
{
	struct gk_finding *f = &run->finding;

	snprintf(f->kind, sizeof f->kind, "%s", kind);
	snprintf(f->message, sizeof f->message, "%.500s", text);
	f->buffer = -1;
	if (launch) {
		snprintf(f->kernel, sizeof f->kernel, "%s", run->plan->kernels[launch->kernel].name);
		f->line = launch->line > 0 ? (uint32_t)launch->line : 0;
	}
	return false;
}

/* What the driver said of the steps so far; error is not 0. */
bool gpu_found_fault(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_launch *launch, int error)
{
	const char *kind = gpu->vendor->fault_kind(error);
	struct gk_err e;

	gpu_fail(gpu, error, kind ? "the kernel was stopped by the GPU" : "the driver refuses the launch",
	         &e);
	return found(run, launch, kind ? kind : "launch", e.text);
}

/* ---- fills and copies ---- */

static uint64_t address(const struct gk_device_run *run, const struct gk_plan_view *view)
{
	return run->memory->buffers[view->buf].at + view->at;
}

/* Whether the driver has a call for it; then *error is what it said. */
static bool fill_there(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step,
                       int *error)
{
	size_t size = gk_dtype_bytes(step->dst.dtype), count = (size_t)gk_plan_view_count(&step->dst);
	uint64_t at = address(run, &step->dst);

	if (step->op != GK_STEP_FILL || !gk_plan_view_is_dense(&step->dst) || size > 4)
		return false;
	if (size == 1)
		*error = gpu->call.set8(at, (unsigned char)step->bits, count, gpu->stream);
	else if (size == 2)
		*error = gpu->call.set16(at, (unsigned short)step->bits, count, gpu->stream);
	else
		*error = gpu->call.set32(at, (unsigned)step->bits, count, gpu->stream);
	return true;
}

static bool copy_there(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step,
                       int *error)
{
	if (step->op != GK_STEP_COPY || step->dst.dtype != step->src.dtype || !gk_plan_view_is_dense(&step->dst) ||
	    !gk_plan_view_is_dense(&step->src))
		return false;
	*error = gpu->call.copy(address(run, &step->dst), address(run, &step->src),
	                        gk_plan_view_bytes(&step->dst), gpu->stream);
	return true;
}

static void do_here(const struct gk_plan_step *step, const struct gk_memory_span *dst,
                    const struct gk_memory_span *src)
{
	switch (step->op) {
	case GK_STEP_FILL:
		gk_strided_fill(dst, &step->dst, step->bits);
		break;
	case GK_STEP_IOTA:
		gk_strided_iota(dst, &step->dst, step->start, step->step);
		break;
	case GK_STEP_DATA:
		gk_strided_upload(dst, &step->dst, step->data);
		break;
	case GK_STEP_ASSIST:
		gk_strided_assist(dst, src, step);
		break;
	default:
		gk_strided_copy(dst, &step->dst, src, &step->src);
		break;
	}
}

/* The whole buffer here and back: right for every view, fast for none. */
static int step_here(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step,
                     struct gk_err *e)
{
	const struct gpu_buffer *to = &run->memory->buffers[step->dst.buf];
	bool reads = step->op == GK_STEP_COPY || step->op == GK_STEP_ASSIST;
	const struct gpu_buffer *from = reads ? &run->memory->buffers[step->src.buf] : to;
	gk_free_auto uint8_t *dst = gk_alloc(to->bytes + 1), *other = NULL;
	struct gk_memory_span out = {dst, NULL}, in = out;

	if (gpu_download(gpu, dst, to->at, to->bytes, e) < 0)
		return -1;
	if (from != to) {
		other = gk_alloc(from->bytes + 1);
		in.bytes = other;
		if (gpu_download(gpu, other, from->at, from->bytes, e) < 0)
			return -1;
	}
	do_here(step, &out, &in);
	return gpu_upload(gpu, to->at, dst, to->bytes, e);
}

static bool run_plain(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step)
{
	int error = 0;

	if (gk_plan_view_count(&step->dst) == 0)
		return true;
	if (!fill_there(gpu, run, step, &error) && !copy_there(gpu, run, step, &error))
		return run->is_timed ? gpu_timed_step(gpu, run, step)
		                     : step_here(gpu, run, step, &run->err) == 0;
	return error ? gpu_fail(gpu, error, "a fill or copy", &run->err) == 0 : true;
}

/* ---- arguments ---- */

/* Values in the order of the code object's parameters; the driver puts each where the object wants it. */
struct packing {
	const struct gk_object *object;
	uint8_t *block;
	void *params[GK_OBJECT_MAX_PARAMS];
	uint32_t used;
	int count;
	bool fits; /* so far: number and sizes are those of the object */
};

static void *pack_room(struct packing *p, uint32_t bytes, uint32_t align)
{
	uint32_t at = (p->used + align - 1) / align * align;

	if (p->count >= p->object->param_count || p->object->params[p->count].bytes != bytes ||
	    at + bytes > BLOCK_BYTES) {
		p->fits = false;
		return NULL;
	}
	p->used = at + bytes;
	p->params[p->count++] = p->block + at;
	return p->block + at;
}

static void pack(struct packing *p, uint64_t value, uint32_t bytes)
{
	void *room = p->fits ? pack_room(p, bytes, bytes) : NULL;

	if (room)
		memcpy(room, &value, bytes); /* little endian: the low bytes */
}

static uint32_t bytes_of(enum gk_ir_kind kind)
{
	switch (kind) {
	case GK_IR_I1:
	case GK_IR_I8:
		return 1;
	case GK_IR_I16:
	case GK_IR_F16:
	case GK_IR_BF16:
		return 2;
	case GK_IR_I32:
	case GK_IR_F32:
		return 4;
	default:
		return 8;
	}
}

static void pack_numbers(struct packing *p, const int64_t *numbers, int rank, uint32_t bytes)
{
	for (int i = 0; i < rank; i++)
		pack(p, (uint64_t)numbers[i], bytes);
}

/* What stands for a descriptor itself; its shape and strides follow as parameters of the tt.func. *error:
 * what the driver says of a tensor map. flags: how many a descriptor that was taken apart has. */
static void pack_desc(struct gpu *gpu, struct packing *p, const struct gk_device_run *run,
                      const struct gk_plan_desc *desc, const struct gk_object_desc *form, int flags,
                      int *error)
{
	const struct gk_plan_view *view = &desc->view;
	struct gpu_tensor_map map = {address(run, view), form, desc, NULL};

	if (form && form->is_map) {
		map.map = p->fits ? pack_room(p, MAP_BYTES, MAP_ALIGN) : NULL;
		if (map.map && gpu->vendor->tensor_map)
			*error = gpu->vendor->tensor_map(gpu, &map);
		else
			p->fits = false;
	} else {
		pack(p, map.address, 8);
		pack_numbers(p, view->shape, view->rank, 8);
		pack_numbers(p, view->strides, view->rank, 8);
		if (flags > 0)
			pack(p, desc->pad_nan, 1);
		if (flags > 1)
			pack(p, desc->round_tf32, 1);
	}
}

static void pack_args(struct gpu *gpu, struct packing *p, const struct gk_device_run *run,
                      const struct gk_plan_launch *launch, int flags, int *error)
{
	int descs = 0;

	for (uint32_t i = 0; i < launch->arg_count; i++) {
		const struct gk_plan_arg *arg = &launch->args[i];

		switch (arg->kind) {
		case GK_ARG_PTR:
		case GK_ARG_RELOC:
			pack(p, run->memory->buffers[arg->buf].at + arg->at, 8);
			break;
		case GK_ARG_NULL:
			pack(p, 0, 8);
			break;
		case GK_ARG_INT:
			pack(p, (uint64_t)arg->value, bytes_of(arg->type));
			break;
		case GK_ARG_FLOAT:
			pack(p, arg->bits, bytes_of(arg->type));
			break;
		case GK_ARG_DESC:
			pack_desc(gpu, p, run, arg->desc,
			          descs < p->object->desc_count ? &p->object->descs[descs] : NULL, flags,
			          error);
			descs++;
			break;
		}
	}
}

/*
 * The plan's arguments, then as many pointers as the object has left: scratch
 * and, from triton 3.5, a second one for profiles. Versions differ in how many
 * flags a descriptor that was taken apart has: the object tells which fits.
 */
static int pack_launch(struct gpu *gpu, struct packing *p, const struct gk_device_run *run,
                       const struct gk_plan_launch *launch, int *error)
{
	for (int flags = 2; flags >= 0; flags--) {
		p->used = 0;
		p->count = 0;
		p->fits = true;
		*error = 0;
		pack_args(gpu, p, run, launch, flags, error);
		for (int i = 0; p->fits && i < 2 && p->count < p->object->param_count; i++)
			pack(p, i == 0 && p->object->scratch_bytes ? run->memory->scratch.at : 0, 8);
		if (p->fits && p->count == p->object->param_count)
			return 0;
	}
	return -1;
}

/* ---- launches ---- */

static int make_scratch(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_launch *launch,
                        const struct gk_object *object, struct gk_err *e)
{
	uint64_t programs = (uint64_t)launch->grid[0] * launch->grid[1], bytes = object->scratch_bytes;

	if (bytes == 0)
		return 0;
	if (__builtin_mul_overflow(programs, launch->grid[2], &programs) ||
	    __builtin_mul_overflow(programs, (uint64_t)object->ctas, &programs) ||
	    __builtin_mul_overflow(programs, bytes, &bytes))
		return gk_err_set(e, GK_ERR_INPUT,
		                  "a kernel's scratch memory has more bytes than can be counted");
	return gpu_scratch(gpu, run->memory, bytes, e);
}

static int launch_packed(struct gpu *gpu, const struct gk_plan_launch *launch,
                         const struct gk_device_module *m, struct packing *p)
{
	struct gpu_launch l = {
		.function = m->function,
		.grid = {launch->grid[0] * (uint32_t)m->object->ctas, launch->grid[1], launch->grid[2]},
		.threads = (uint32_t)(m->object->warps * m->object->warp_size),
		.shared = m->object->shared,
		.cluster = (uint32_t)m->object->ctas,
		.cooperative = m->object->cooperative,
		.pdl = m->object->pdl,
		.params = p->params};

	return gpu->vendor->launch(gpu, &l);
}

static bool run_launch(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_launch *launch)
{
	const struct gk_device_module *m = run->modules[launch->kernel];
	_Alignas(MAP_ALIGN) uint8_t block[BLOCK_BYTES];
	struct packing p = {.object = m->object, .block = block};
	int error = 0;

	if (make_scratch(gpu, run, launch, m->object, &run->err) < 0)
		return false;
	if (pack_launch(gpu, &p, run, launch, &error) < 0)
		return gk_err_set(
			       &run->err, GK_ERR_INPUT,
			       "%s: the %d parameters of the code object are not those of the plan's launch",
			       m->object->name, m->object->param_count) == 0;
	if (!error)
		error = launch_packed(gpu, launch, m, &p);
	if (!error && !run->is_timed)
		error = gpu_wait(gpu);
	run->counts.launches++;
	run->counts.programs += (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
	return error ? gpu_found_fault(gpu, run, launch, error) : true;
}

bool gpu_step(struct gk_device *device, struct gk_device_run *run, const struct gk_plan_step *step,
              uint32_t variant)
{
	struct gpu *gpu = (struct gpu *)device;
	const struct gk_plan_variant *chosen;

	if (step->op == GK_STEP_LAUNCH)
		return run_launch(gpu, run, &step->launch);
	if (step->op != GK_STEP_CHOOSE)
		return run_plain(gpu, run, step);
	chosen = &step->variants[variant < step->variant_count ? variant : 0];
	for (uint32_t i = 0; i < chosen->pre_count; i++)
		if (!run_plain(gpu, run, &chosen->pre[i]))
			return false;
	return run_launch(gpu, run, &chosen->launch);
}

/* ---- the end ---- */

static void name_buffer(const struct gk_plan *plan, uint32_t buffer, char *text, size_t size)
{
	if (plan->buffers[buffer].input) {
		snprintf(text, size, "the input %.80s", plan->buffers[buffer].input);
		return;
	}
	for (uint32_t i = 0; i < plan->output_count; i++) {
		if (plan->outputs[i].view.buf == buffer) {
			snprintf(text, size, "the output %.80s", plan->outputs[i].name);
			return;
		}
	}
	snprintf(text, size, "workspace %u", buffer);
}

/* A byte that was written with what was there already cannot be seen. */
static bool found_strays(struct gk_device_run *run, uint32_t buffer, uint64_t count, int64_t at)
{
	int64_t size = (int64_t)run->plan->buffers[buffer].bytes;
	char whose[128], text[400];

	name_buffer(run->plan, buffer, whose, sizeof whose);
	snprintf(text, sizeof text, "at least %llu bytes outside of %s were written, the first %lld bytes %s",
	         (unsigned long long)count, whose, (long long)(at < 0 ? -at : at - size),
	         at < 0 ? "before its beginning" : "behind its end");
	found(run, NULL, "out_of_bounds", text);
	run->finding.buffer = buffer;
	run->finding.at = at;
	return false;
}

/*
 * Tensor maps (the plan's, or made in scratch memory by a kernel) are stored
 * through in pieces of 16 bytes: the last piece of a tensor may be written
 * whole, which is the hardware's doing, not the kernel's.
 */
static uint32_t piece_of(const struct gk_device_run *run)
{
	for (uint32_t i = 0; i < run->plan->kernel_count; i++)
		if (run->modules[i] &&
		    (run->modules[i]->object->desc_count > 0 || run->modules[i]->object->scratch_bytes > 0))
			return MAP_PIECE;
	return 1;
}

bool gpu_finish(struct gk_device *device, struct gk_device_run *run)
{
	struct gpu *gpu = (struct gpu *)device;
	uint32_t piece = piece_of(run);
	int error = gpu_wait(gpu);
	uint64_t count;
	int64_t at;

	if (error)
		return gpu_found_fault(gpu, run, NULL, error);
	for (uint32_t i = 0; i < run->plan->buffer_count; i++) {
		if (gpu_count_strays(gpu, &run->memory->buffers[i], piece,
		                     run->is_timed ? NEAR_BYTES : UINT64_MAX, &count, &at, &run->err) < 0)
			return false;
		if (count)
			return found_strays(run, i, count, at);
	}
	return true;
}
