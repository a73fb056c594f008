/* NVIDIA: what CUDA's driver has differently from HIP's. Declarations are our own, of what is used here. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gpu.h"

enum {
	CAPABILITY_MAJOR = 75,
	CAPABILITY_MINOR = 76,
	FUNCTION_SHARED = 8,        /* dynamic shared memory that may be asked for */
	FUNCTION_BIG_CLUSTERS = 14, /* more than 8 blocks */
	PORTABLE_CLUSTER = 8,
	FREE_SHARED = 48 << 10, /* may be asked for without a word before */
	LAUNCH_COOPERATIVE = 2,
	LAUNCH_CLUSTER = 4,
	LAUNCH_OVERLAP = 6, /* "programmatic stream serialization" */
	MAP_TF32 = 11,
	MAP_PROMOTE_128 = 2,
	MAP_FILL_NAN = 1,
	DRIVER_WITH_MAP_FAULT = 13010,
	SMALL_TENSOR = 128 << 10,
};

struct attribute {
	int id, pad;
	union {
		char bytes[64];
		int number;
		struct {
			unsigned x, y, z;
		} cluster;
	} value;
};

struct config {
	unsigned grid[3], block[3], shared;
	void *stream;
	struct attribute *attributes;
	unsigned count;
};

struct cuda {
	void *context;
	int device;
	int (*retain)(void **context, int device);
	int (*leave)(int device);
	int (*set_current)(void *context);
	int (*launch)(const struct config *config, void *function, void **params, void **extra);
	int (*set_function)(void *function, int attribute, int value);
	/* These two are NULL where the driver is older. */
	int (*param_info)(void *function, size_t index, size_t *at, size_t *bytes);
	int (*encode)(void *map, int type, unsigned rank, void *address, const uint64_t *shape,
	              const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
	              int swizzle, int promotion, int fill);
};

static int find(struct gpu *gpu, void *field, const char *name, struct gk_err *e)
{
	void *symbol = gpu_symbol(gpu, name, e);

	memcpy(field, &symbol, sizeof symbol);
	return symbol ? 0 : -1;
}

static void find_if_there(const struct gpu *gpu, void *field, const char *name)
{
	void *symbol = dlsym(gpu->library, name);

	memcpy(field, &symbol, sizeof symbol);
}

static int load(struct gpu *gpu, struct gk_err *e)
{
	struct cuda *cuda = gpu->own = gk_alloc(sizeof *cuda);

	/* All code on the device before the first launch: a load in the middle would be timed, and waits. */
	setenv("CUDA_MODULE_LOADING", "EAGER", 1);
	find_if_there(gpu, &cuda->param_info, "cuFuncGetParamInfo");
	find_if_there(gpu, &cuda->encode, "cuTensorMapEncodeTiled");
	if (find(gpu, &cuda->retain, "cuDevicePrimaryCtxRetain", e) < 0 ||
	    find(gpu, &cuda->leave, "cuDevicePrimaryCtxRelease_v2", e) < 0 ||
	    find(gpu, &cuda->set_current, "cuCtxSetCurrent", e) < 0 ||
	    find(gpu, &cuda->launch, "cuLaunchKernelEx", e) < 0)
		return -1;
	return find(gpu, &cuda->set_function, "cuFuncSetAttribute", e);
}

static int architecture(struct gpu *gpu, int device, char *text, size_t size, struct gk_err *e)
{
	int major = 0, minor = 0, error = gpu->call.attribute(&major, CAPABILITY_MAJOR, device);

	if (!error)
		error = gpu->call.attribute(&minor, CAPABILITY_MINOR, device);
	snprintf(text, size, "sm_%d%d", major, minor);
	return error ? gpu_fail(gpu, error, "the GPU's architecture", e) : 0;
}

/* Memory moves two words a clock; the driver's number is major * 1000 + minor * 10. */
static void add_facts(struct gpu *gpu, json_t *facts)
{
	const char *name = json_string_value(json_object_get(facts, "kind"));
	double khz = gpu_attribute(gpu, GPU_MEMORY_CLOCK_KHZ), bits = gpu_attribute(gpu, GPU_MEMORY_BUS_BITS);
	int version = (int)json_integer_value(json_object_get(facts, "driver"));
	char text[32];

	snprintf(text, sizeof text, "CUDA %d.%d", version / 1000, version % 1000 / 10);
	json_object_set_new(facts, "driver_text", json_string(text));
	if (khz > 0 && bits > 0)
		json_object_set_new(facts, "bandwidth_gbs", json_real(2 * khz * bits / 8 / 1e6));
	json_object_set_new(facts, "partition", json_string(name && strstr(name, "MIG") ? "MIG" : "none"));
}

static int enter(struct gpu *gpu, struct gk_err *e)
{
	struct cuda *cuda = gpu->own;
	int error = cuda->retain(&cuda->context, gpu->ordinal);

	cuda->device = gpu->ordinal;
	if (!error)
		error = cuda->set_current(cuda->context);
	return error ? gpu_fail(gpu, error, "a context on the GPU", e) : 0;
}

static void leave(struct gpu *gpu)
{
	struct cuda *cuda = gpu->own;

	if (cuda->context && !gpu->device.is_lost)
		cuda->leave(cuda->device);
}

/* The code object's own word on its parameters, where the driver passes it on. */
static int check_params(const struct cuda *cuda, void *function, const struct gk_object *object,
                        struct gk_err *e)
{
	size_t at, bytes;

	for (int i = 0; cuda->param_info && i < object->param_count; i++) {
		if (cuda->param_info(function, (size_t)i, &at, &bytes) != 0 || at != object->params[i].at ||
		    bytes != object->params[i].bytes)
			return gk_err_set(e, GK_ERR_INPUT,
			                  "%s: parameter %d of the code object is not as it was described",
			                  object->name, i);
	}
	if (cuda->param_info && cuda->param_info(function, (size_t)object->param_count, &at, &bytes) == 0)
		return gk_err_set(e, GK_ERR_INPUT, "%s: the code object has more than %d parameters",
		                  object->name, object->param_count);
	return 0;
}

static int prepare(struct gpu *gpu, void *function, const struct gk_object *object, struct gk_err *e)
{
	struct cuda *cuda = gpu->own;
	int error = 0;

	if (check_params(cuda, function, object, e) < 0)
		return -1;
	if (object->shared + object->static_shared > FREE_SHARED)
		error = cuda->set_function(function, FUNCTION_SHARED, (int)object->shared);
	if (!error && object->ctas > PORTABLE_CLUSTER)
		error = cuda->set_function(function, FUNCTION_BIG_CLUSTERS, 1);
	return error ? gpu_fail(gpu, error, object->name, e) : 0;
}

static int launch(struct gpu *gpu, const struct gpu_launch *l)
{
	struct cuda *cuda = gpu->own;
	struct attribute attributes[3] = {{0}};
	struct config config = {{l->grid[0], l->grid[1], l->grid[2]},
	                        {l->threads, 1, 1},
	                        l->shared,
	                        gpu->stream,
	                        attributes,
	                        0};

	if (l->pdl)
		attributes[config.count++] = (struct attribute){.id = LAUNCH_OVERLAP, .value.number = 1};
	if (l->cooperative)
		attributes[config.count++] = (struct attribute){.id = LAUNCH_COOPERATIVE, .value.number = 1};
	if (l->cluster > 1)
		attributes[config.count++] =
			(struct attribute){.id = LAUNCH_CLUSTER, .value.cluster = {l->cluster, 1, 1}};
	return cuda->launch(&config, l->function, l->params, NULL);
}

/*
 * Drivers up to 13.1 take a map of a tensor of less than 128 KiB for one whose
 * accesses may be promoted; the bit that says so is cleared, as other users of
 * these maps do.
 */
static void mend_small_map(struct gpu *gpu, const uint64_t *shape, const uint64_t *strides, int rank,
                           int bytes, void *map)
{
	uint64_t reach = 0, *words = map;
	int version = 0;

	for (int i = 0; i < rank; i++)
		reach += (shape[i] - 1) * (i == 0 ? (uint64_t)bytes : strides[i - 1]);
	if (gpu->call.version(&version) == 0 && version <= DRIVER_WITH_MAP_FAULT && reach + 1 < SMALL_TENSOR)
		words[1] &= ~((uint64_t)1 << 21);
}

/* Dimensions are counted from the innermost here, from the outermost in the plan. */
static int tensor_map(struct gpu *gpu, const struct gpu_tensor_map *m)
{
	const struct cuda *cuda = gpu->own;
	const struct gk_plan_view *view = &m->desc->view;
	uint64_t shape[GK_OBJECT_MAX_RANK] = {0}, strides[GK_OBJECT_MAX_RANK] = {0};
	uint32_t box[GK_OBJECT_MAX_RANK] = {0}, steps[GK_OBJECT_MAX_RANK] = {1, 1, 1, 1, 1};
	int rank = m->form->rank, error;

	if (!cuda->encode || rank != view->rank || rank < 1 || rank > GK_OBJECT_MAX_RANK)
		return 801; /* not supported */
	for (int i = 0; i < rank; i++) {
		int outer = rank - 1 - i;

		shape[i] = (uint64_t)view->shape[outer] << (i == 0 && m->form->fp4_padded);
		box[i] = m->form->block[outer];
		if (i + 1 < rank)
			strides[i] = (uint64_t)view->strides[outer - 1] * (uint64_t)m->form->elem_bytes;
	}
	error = cuda->encode(m->map, m->desc->round_tf32 ? MAP_TF32 : m->form->elem_type, (unsigned)rank,
	                     (void *)(uintptr_t)m->address, shape, strides, box, steps, 0, m->form->swizzle,
	                     MAP_PROMOTE_128, m->desc->pad_nan ? MAP_FILL_NAN : 0);
	if (!error)
		mend_small_map(gpu, shape, strides, rank, m->form->elem_bytes, m->map);
	return error;
}

/* Errors after which the context answers nothing but the same error. */
static const char *fault_kind(int error)
{
	switch (error) {
	case 710:
		return "assert";
	case 700: /* illegal address */
	case 702: /* timeout */
	case 714: /* stack error */
	case 715: /* illegal instruction */
	case 716: /* misaligned address */
	case 717: /* invalid address space */
	case 718: /* invalid program counter */
	case 719: /* launch failed: a trap, and all else */
	case 721: /* tensor memory leak */
	case 46:  /* device unavailable */
	case 214: /* uncorrectable memory error */
	case 220: /* link error */
	case 226: /* contained memory error */
	case 999: /* unknown */
		return "crash";
	default:
		return NULL;
	}
}

const struct gpu_vendor gpu_cuda = {
	.name = "cuda",
	.libraries = {"libcuda.so.1"},
	.variable = "GEAK_LIBCUDA",
	.is_cuda = true,
	.elf_machine = 190,
	.attributes = {[GPU_CLOCK_KHZ] = 13,
                       [GPU_MEMORY_CLOCK_KHZ] = 36,
                       [GPU_MEMORY_BUS_BITS] = 37,
                       [GPU_L2_BYTES] = 38,
                       [GPU_MULTIPROCESSORS] = 16,
                       [GPU_WARP_SIZE] = 10,
                       [GPU_SHARED_BYTES] = 97,
                       [GPU_CAN_MAP] = 102,
                       [GPU_CAN_COOPERATE] = 95},
	.load = load,
	.architecture = architecture,
	.add_facts = add_facts,
	.enter = enter,
	.leave = leave,
	.prepare = prepare,
	.launch = launch,
	.tensor_map = tensor_map,
	.fault_kind = fault_kind,
	.health = &gpu_nvml,
};
