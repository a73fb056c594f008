/*
 * AMD: what HIP's runtime has differently from CUDA's driver. Declarations are
 * our own, of what is used here. Tried against a stand-in only: not yet run on
 * hardware, and the facts say so.
 */
#include <dlfcn.h>
#include <string.h>

#include "base/memory.h"
#include "gpu.h"

/* The properties as ROCm 6 has them: only the name of the architecture is read. */
enum { ARCHITECTURE_AT = 1160, ARCHITECTURE_BYTES = 256, ROOM_BYTES = 8192 };

enum { NUMBER_OF_XCCS = 10018, MEMORY_SIDE_CACHE = 256 << 20 };

struct hip {
	int (*set_device)(int device);
	int (*properties)(void *properties, int device);
	int (*launch)(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
	              unsigned block_y, unsigned block_z, unsigned shared, void *stream, void **params,
	              void **extra);
	int (*launch_cooperative)(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
	                          unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
	                          void *stream, void **params);
};

static int find(struct gpu *gpu, void *field, const char *name, struct gk_err *e)
{
	void *symbol = gpu_symbol(gpu, name, e);

	memcpy(field, &symbol, sizeof symbol);
	return symbol ? 0 : -1;
}

static int load(struct gpu *gpu, struct gk_err *e)
{
	struct hip *hip = gpu->own = gk_alloc(sizeof *hip);

	if (find(gpu, &hip->set_device, "hipSetDevice", e) < 0 ||
	    find(gpu, &hip->properties, "hipGetDevicePropertiesR0600", e) < 0 ||
	    find(gpu, &hip->launch, "hipModuleLaunchKernel", e) < 0)
		return -1;
	return find(gpu, &hip->launch_cooperative, "hipModuleLaunchCooperativeKernel", e);
}

/* "gfx942:sramecc+:xnack-" without what stands behind the first colon. */
static int architecture(struct gpu *gpu, int device, char *text, size_t size, struct gk_err *e)
{
	const struct hip *hip = gpu->own;
	gk_free_auto char *properties = gk_alloc(ROOM_BYTES); /* later versions may write more than ours */
	const char *name = properties + ARCHITECTURE_AT;
	int error = hip->properties(properties, device);

	properties[ARCHITECTURE_AT + ARCHITECTURE_BYTES - 1] = '\0';
	snprintf(text, size, "%.*s", (int)strcspn(name, ":"), name);
	if (error)
		return gpu_fail(gpu, error, "the GPU's architecture", e);
	if (strncmp(text, "gfx", 3) != 0)
		return gk_err_set(e, GK_ERR_SYSTEM,
		                  "the driver does not tell the GPU's architecture as ROCm 6 does");
	return 0;
}

static void add_facts(struct gpu *gpu, json_t *facts)
{
	int dies = 0, version = (int)json_integer_value(json_object_get(facts, "driver"));
	char text[32];

	snprintf(text, sizeof text, "HIP %d.%d", version / 10000000, version / 100000 % 100);
	json_object_set_new(facts, "driver_text", json_string(text));
	if (gpu->call.attribute(&dies, NUMBER_OF_XCCS, gpu->ordinal) == 0)
		json_object_set_new(facts, "xccs", json_integer(dies));
	json_object_set_new(facts, "note", json_string("geak's HIP path has not yet run on hardware"));
}

static int enter(struct gpu *gpu, struct gk_err *e)
{
	const struct hip *hip = gpu->own;
	int error = hip->set_device(gpu->ordinal);

	return error ? gpu_fail(gpu, error, "a context on the GPU", e) : 0;
}

static void leave(struct gpu *gpu)
{
	(void)gpu; /* HIP's context goes with the process */
}

static int prepare(struct gpu *gpu, void *function, const struct gk_object *object, struct gk_err *e)
{
	(void)gpu;
	(void)function; /* shared memory needs no word before the launch */
	if (object->ctas > 1)
		return gk_err_set(e, GK_ERR_INPUT, "%s: clusters of %d programs are not launched by HIP here",
		                  object->name, object->ctas);
	return 0;
}

static int launch(struct gpu *gpu, const struct gpu_launch *l)
{
	const struct hip *hip = gpu->own;

	if (l->cooperative)
		return hip->launch_cooperative(l->function, l->grid[0], l->grid[1], l->grid[2], l->threads, 1,
		                               1, l->shared, gpu->stream, l->params);
	return hip->launch(l->function, l->grid[0], l->grid[1], l->grid[2], l->threads, 1, 1, l->shared,
	                   gpu->stream, l->params, NULL);
}

/* The L2 that the driver tells of is one die's; behind all of them the CDNA 3 and 4 have a cache on the memory's side. */
static uint64_t cache(const struct gpu *gpu, uint64_t l2)
{
	bool is_large = strncmp(gpu->target, "gfx94", 5) == 0 || strncmp(gpu->target, "gfx95", 5) == 0;

	return is_large && l2 < MEMORY_SIDE_CACHE ? MEMORY_SIDE_CACHE : l2;
}

/* Most faults end the process (a signal); these are answered. */
static const char *fault_kind(int error)
{
	switch (error) {
	case 710:
		return "assert";
	case 700: /* illegal address */
	case 719: /* launch failed */
	case 999: /* unknown */
		return "crash";
	default:
		return NULL;
	}
}

const struct gpu_vendor gpu_hip = {
	.name = "hip",
	.libraries = {"libamdhip64.so", "libamdhip64.so.7", "libamdhip64.so.6"},
	.variable = "GEAK_LIBHIP",
	.elf_machine = 224,
	.attributes = {[GPU_CLOCK_KHZ] = 5,
                       [GPU_MEMORY_CLOCK_KHZ] = 60,
                       [GPU_MEMORY_BUS_BITS] = 59,
                       [GPU_L2_BYTES] = 19,
                       [GPU_MULTIPROCESSORS] = 63,
                       [GPU_WARP_SIZE] = 87,
                       [GPU_SHARED_BYTES] = 74,
                       [GPU_CAN_MAP] = 89,
                       [GPU_CAN_COOPERATE] = 10},
	.load = load,
	.architecture = architecture,
	.add_facts = add_facts,
	.enter = enter,
	.leave = leave,
	.prepare = prepare,
	.launch = launch,
	.fault_kind = fault_kind,
	.cache = cache,
	.health = &gpu_smi,
};
