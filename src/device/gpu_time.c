/*
 * What timing takes besides steps. Everything here that runs between timed
 * calls is queued: no call waits, takes memory or loads code, but for what the
 * first timed run of a data step puts aside for the later ones.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "gpu.h"
#include "plan/helper.h"

enum { OWN_VALUES = 48 }; /* more than any kernel of our own has */

/* ---- memory ---- */

int gpu_limits(struct gk_device *device, struct gk_device_limits *limits, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	uint64_t l2 = (uint64_t)gpu_attribute(gpu, GPU_L2_BYTES);

	*limits = (struct gk_device_limits){
		.multiprocessors = (uint32_t)gpu_attribute(gpu, GPU_MULTIPROCESSORS),
		.shared_bytes = (uint32_t)gpu_attribute(gpu, GPU_SHARED_BYTES),
		.extra_bytes = gpu_buffer_extra(gpu),
		.cache_bytes = gpu->vendor->cache ? gpu->vendor->cache(gpu, l2) : l2};
	return gpu_memory_left(gpu, &limits->unused_bytes, e);
}

static int lay_buffer(struct gpu *gpu, const struct gk_device_layout *l, struct gpu_buffer *b, uint32_t i,
                      struct gk_err *e)
{
	int32_t same = l->with && l->same ? l->same[i] : -1;

	if (same >= 0 && (uint32_t)same < l->with->count &&
	    gpu_buffer_lend(gpu, &l->with->buffers[same], l->bytes[i], b))
		return 0;
	return gpu_buffer_new(gpu, b, l->bytes[i], l->seed + i, false, e);
}

static int lay_scratch(struct gpu *gpu, const struct gk_device_layout *l, struct gk_device_memory *m,
                       struct gk_err *e)
{
	if (l->scratch_bytes == 0)
		return 0;
	if (l->with && l->with->scratch.bytes >= l->scratch_bytes &&
	    gpu_buffer_lend(gpu, &l->with->scratch, l->with->scratch.bytes, &m->scratch))
		return 0;
	return gpu_buffer_new(gpu, &m->scratch, l->scratch_bytes, l->seed + l->count, false, e);
}

int gpu_memory_lay(struct gk_device *device, const struct gk_device_layout *l,
                   struct gk_device_memory **memory, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	struct gk_device_memory *m = gk_alloc(sizeof *m);
	int done = 0;

	m->count = l->count;
	m->seed = l->seed;
	m->buffers = gk_alloc_array(l->count ? l->count : 1, sizeof *m->buffers);
	for (uint32_t i = 0; i < l->count && done == 0; i++)
		done = lay_buffer(gpu, l, &m->buffers[i], i, e);
	if (done == 0)
		done = lay_scratch(gpu, l, m, e);
	if (done == 0)
		*memory = m;
	else
		gpu_memory_free(device, m);
	return done;
}

struct gk_device_region gpu_region(struct gk_device *device, struct gk_device_memory *m, uint32_t buffer)
{
	const struct gpu_buffer *b = buffer == GK_DEVICE_SCRATCH ? &m->scratch : &m->buffers[buffer];

	(void)device;
	return (struct gk_device_region){b->at, b->bytes};
}

int gpu_put(struct gk_device *device, uint64_t to, const void *from, uint64_t bytes, struct gk_err *e)
{
	return gpu_upload((struct gpu *)device, to, from, bytes, e);
}

int gpu_get(struct gk_device *device, void *to, uint64_t from, uint64_t bytes, struct gk_err *e)
{
	return gpu_download((struct gpu *)device, to, from, bytes, e);
}

int gpu_copy(struct gk_device *device, uint64_t to, uint64_t from, uint64_t bytes, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	int error = bytes ? gpu->call.copy(to, from, bytes, gpu->stream) : 0;

	return error ? gpu_fail(gpu, error, "a copy on the GPU", e) : 0;
}

/* ---- kernels of our own ---- */

/* Little endian: a value's low bytes lie where the value does. */
static int launch_values(struct gpu *gpu, const struct gk_device_module *m, uint32_t programs,
                         const struct gk_device_value *values, uint32_t count, int *error)
{
	static const uint64_t none;
	const struct gk_object *o = m->object;
	void *params[GK_OBJECT_MAX_PARAMS];
	struct gpu_launch l = {.function = m->function,
	                       .grid = {programs, 1, 1},
	                       .threads = (uint32_t)(o->warps * o->warp_size),
	                       .shared = o->shared,
	                       .cluster = 1,
	                       .params = params};

	if (o->ctas != 1 || o->param_count < (int)count || o->param_count > (int)count + 2 ||
	    o->scratch_bytes)
		return -1;
	for (int i = 0; i < o->param_count; i++) {
		bool is_own = (uint32_t)i < count;

		if (o->params[i].bytes != (is_own ? values[i].bytes : 8))
			return -1;
		params[i] = is_own ? (void *)(uintptr_t)&values[i].bits : (void *)(uintptr_t)&none;
	}
	*error = gpu->vendor->launch(gpu, &l);
	return 0;
}

int gpu_launch_own(struct gk_device *device, struct gk_device_module *m, uint32_t programs,
                   const struct gk_device_value *values, uint32_t count, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	int error = 0;

	if (launch_values(gpu, m, programs, values, count, &error) < 0)
		return gk_err_set(e, GK_ERR_INPUT,
		                  "%s: the %d parameters of the code object are not those of geak's kernel",
		                  m->object->name, m->object->param_count);
	return error ? gpu_fail(gpu, error, m->object->name, e) : 0;
}

/* ---- timed steps ---- */

struct values {
	struct gk_device_value list[OWN_VALUES];
	uint32_t count;
};

static void add(struct values *v, uint64_t bits)
{
	v->list[v->count++] = (struct gk_device_value){bits, 8};
}

static void add_all(struct values *v, const int64_t numbers[GK_MAX_RANK])
{
	for (int i = 0; i < GK_MAX_RANK; i++)
		add(v, (uint64_t)numbers[i]);
}

/* In the order of plan/helper.h. from: 0 for what has no source. */
static void fill_values(struct values *v, const struct gk_plan_step *step, const struct gk_helper_walk *walk,
                        uint64_t to, uint64_t from)
{
	add(v, to);
	add_all(v, walk->dst);
	if (from) {
		add(v, from);
		add_all(v, walk->src);
	}
	add_all(v, walk->shape);
	if (step->op == GK_STEP_FILL)
		add(v, step->bits);
	if (step->op == GK_STEP_IOTA) {
		add(v, (uint64_t)step->start);
		add(v, (uint64_t)step->step);
	}
}

static struct gk_device_module *find_helper(const struct gk_device_run *run, const char *name)
{
	for (size_t i = 0; i < run->helper_count; i++)
		if (strcmp(run->helpers[i].name, name) == 0)
			return run->helpers[i].module;
	return NULL;
}

static bool helper_missing(struct gk_device_run *run, const char *name)
{
	return gk_err_set(&run->err, GK_ERR_INPUT, "time: geak's kernel \"%s\" is missing", name) == 0;
}

static bool by_helper(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step,
                      const struct gk_plan_view *src, uint64_t from)
{
	char name[GK_HELPER_NAME] = "";
	struct gk_device_module *module = gk_helper_of_step(step, name) ? find_helper(run, name) : NULL;
	uint64_t to = run->memory->buffers[step->dst.buf].at + step->dst.at;
	struct gk_helper_walk walk;
	struct values values = {.count = 0};

	if (!module)
		return helper_missing(run, name);
	gk_helper_walk(&step->dst, src, &walk);
	fill_values(&values, step, &walk, to, from);
	return gpu_launch_own(&gpu->device, module,
	                      (uint32_t)((walk.count + GK_HELPER_BLOCK - 1) / GK_HELPER_BLOCK), values.list,
	                      values.count, &run->err) == 0;
}

static bool timed_assist(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step)
{
	char name[GK_HELPER_NAME] = "";
	struct gk_device_module *module = gk_helper_of_step(step, name) ? find_helper(run, name) : NULL;
	struct values values = {.count = 0};
	struct gk_helper_fold fold;

	if (!module)
		return helper_missing(run, name);
	gk_helper_fold(step, &fold);
	add(&values, run->memory->buffers[step->dst.buf].at + step->dst.at);
	add_all(&values, fold.kept.dst);
	add(&values, run->memory->buffers[step->src.buf].at + step->src.at);
	add_all(&values, fold.kept.src);
	add_all(&values, fold.kept.shape);
	add_all(&values, fold.folded.dst);
	add_all(&values, fold.folded.shape);
	return gpu_launch_own(&gpu->device, module, fold.programs, values.list, values.count, &run->err) == 0;
}

/* ---- data ---- */

void gpu_held_free(struct gpu *gpu, struct gk_device_memory *m)
{
	for (uint32_t i = 0; i < m->held_count; i++) {
		if (m->held[i].pinned && !gpu->device.is_lost)
			gpu->call.host_free(m->held[i].pinned);
		gpu_buffer_drop(gpu, &m->held[i].room);
	}
	free(m->held);
	m->held = NULL;
	m->held_count = 0;
}

static int hold(struct gpu *gpu, struct gk_device_memory *m, const struct gk_plan_step *step,
                struct gk_err *e)
{
	struct gpu_held *h;
	int error;

	m->held = gk_realloc_array(m->held, m->held_count + 1, sizeof *m->held);
	h = &m->held[m->held_count++];
	*h = (struct gpu_held){.data = step->data};
	error = gpu->call.host_alloc(&h->pinned, step->data_bytes, 0);
	if (error)
		return gpu_fail(gpu, error, "pinned memory for data", e);
	memcpy(h->pinned, step->data, step->data_bytes);
	if (gk_plan_view_is_dense(&step->dst))
		return 0;
	if (gpu_buffer_new(gpu, &h->room, step->data_bytes, m->seed, false, e) < 0)
		return -1;
	return gpu_upload(gpu, h->room.at, step->data, step->data_bytes, e);
}

static const struct gpu_held *find_held(const struct gk_device_memory *m, const uint8_t *data)
{
	for (uint32_t i = 0; i < m->held_count; i++)
		if (m->held[i].data == data)
			return &m->held[i];
	return NULL;
}

static struct gk_plan_view dense_view(const struct gk_plan_view *like)
{
	struct gk_plan_view view = *like;
	int64_t stride = 1;

	view.at = 0;
	for (int d = view.rank - 1; d >= 0; d--) {
		view.strides[d] = stride;
		stride *= view.shape[d];
	}
	return view;
}

/* As torch does it: from the host, which is part of the call; the bytes are pinned so that nothing waits for
 * them. */
static bool timed_data(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step)
{
	const struct gpu_held *held = find_held(run->memory, step->data);
	struct gk_plan_view dense = dense_view(&step->dst);
	int error;

	if (!held && hold(gpu, run->memory, step, &run->err) < 0)
		return false;
	held = find_held(run->memory, step->data);
	if (!gk_plan_view_is_dense(&step->dst))
		return by_helper(gpu, run, step, &dense, held->room.at);
	error = gpu->call.to_device(run->memory->buffers[step->dst.buf].at + step->dst.at, held->pinned,
	                            step->data_bytes, gpu->stream);
	return error ? gpu_fail(gpu, error, "an upload", &run->err) == 0 : true;
}

bool gpu_timed_step(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step)
{
	if (step->op == GK_STEP_DATA)
		return timed_data(gpu, run, step);
	if (step->op == GK_STEP_ASSIST)
		return timed_assist(gpu, run, step);
	if (step->op == GK_STEP_COPY)
		return by_helper(gpu, run, step, &step->src,
		                 run->memory->buffers[step->src.buf].at + step->src.at);
	return by_helper(gpu, run, step, NULL, 0);
}

/* ---- health ---- */

/* Heat and power change over seconds and take long to read, as long as a measurement. */
#define WARMTH_NS 1000000000

void gpu_read_health(struct gk_device *device, bool whole, struct gk_device_health *health)
{
	struct gpu *gpu = (struct gpu *)device;
	int64_t now = gk_clock_ns();
	bool is_old;

	*health = (struct gk_device_health){-1, -1, -1, -1, 0};
	if (!gpu->health)
		return;
	is_old = now - gpu->warmth_ns > WARMTH_NS || gpu->warmth_ns == 0;
	gpu->vendor->health->read(gpu->health, whole && is_old, health);
	if (whole && is_old) {
		gpu->warmth = *health;
		gpu->warmth_ns = now;
	} else if (whole) {
		health->celsius = gpu->warmth.celsius;
		health->watts = gpu->warmth.watts;
	}
}
