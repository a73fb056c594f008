/*
 * Within the room: what CUDA and HIP have in common, which is nearly all. The
 * two drivers' calls have the same arguments under other names (a HIP pointer
 * travels where CUDA has an integer of the same size), so one table of
 * functions, found by dlsym(), serves both; what differs is in struct
 * gpu_vendor, one for each of cuda.c and hip.c.
 *
 *   gpu.c         library, choice and lock of a GPU, facts, modules, clock
 *   gpu_copy.c    copies to and from
 *   gpu_memory.c  buffers: mappings, poison, guards
 *   gpu_idle.c    mappings that nobody uses just now
 *   gpu_run.c     steps: fills, copies, launches, what becomes of faults
 *   gpu_time.c    what timing takes besides: memory that two plans share, kernels of our own
 *   health*.c     clocks, power, heat: by the vendors' libraries of management
 */
#ifndef GK_DEVICE_GPU_H
#define GK_DEVICE_GPU_H

#include "device.h"
#include "num/random.h"

/* How memory is made, as both drivers declare it. */
struct gpu_memory_kind {
	int type;        /* 1: pinned to the device */
	int handle_type; /* 0: not to be shared */
	int location;    /* 1: a device */
	int device;
	void *unused;
	unsigned char flags[8];
};
struct gpu_memory_access {
	int location, device; /* as above */
	int rights;           /* 3: read and write */
};

/* X(field, arguments, CUDA's name, HIP's name): all return 0 or the driver's number of an error. */
#define GPU_CALLS(X)                                                                                         \
	X(init, (unsigned flags), "cuInit", "hipInit")                                                       \
	X(count, (int *count), "cuDeviceGetCount", "hipGetDeviceCount")                                      \
	X(name, (char *name, int size, int device), "cuDeviceGetName", "hipDeviceGetName")                   \
	X(pci, (char *text, int size, int device), "cuDeviceGetPCIBusId", "hipDeviceGetPCIBusId")            \
	X(total, (size_t * bytes, int device), "cuDeviceTotalMem_v2", "hipDeviceTotalMem")                   \
	X(attribute, (int *value, int which, int device), "cuDeviceGetAttribute", "hipDeviceGetAttribute")   \
	X(version, (int *version), "cuDriverGetVersion", "hipDriverGetVersion")                              \
	X(error_name, (int error, const char **text), "cuGetErrorName", "hipDrvGetErrorName")                \
	X(error_text, (int error, const char **text), "cuGetErrorString", "hipDrvGetErrorString")            \
	X(memory_info, (size_t * unused, size_t * total), "cuMemGetInfo_v2", "hipMemGetInfo")                \
	X(alloc, (uint64_t * at, size_t size), "cuMemAlloc_v2", "hipMalloc")                                 \
	X(free, (uint64_t at), "cuMemFree_v2", "hipFree")                                                    \
	X(host_alloc, (void **at, size_t size, unsigned flags), "cuMemHostAlloc", "hipHostMalloc")           \
	X(host_free, (void *at), "cuMemFreeHost", "hipHostFree")                                             \
	X(granularity, (size_t * bytes, const struct gpu_memory_kind *kind, int option),                     \
	  "cuMemGetAllocationGranularity", "hipMemGetAllocationGranularity")                                 \
	X(reserve, (uint64_t * at, size_t size, size_t align, uint64_t wish, unsigned long long flags),      \
	  "cuMemAddressReserve", "hipMemAddressReserve")                                                     \
	X(unreserve, (uint64_t at, size_t size), "cuMemAddressFree", "hipMemAddressFree")                    \
	X(create,                                                                                            \
	  (uint64_t * handle, size_t size, const struct gpu_memory_kind *kind, unsigned long long flags),    \
	  "cuMemCreate", "hipMemCreate")                                                                     \
	X(release, (uint64_t handle), "cuMemRelease", "hipMemRelease")                                       \
	X(map, (uint64_t at, size_t size, size_t offset, uint64_t handle, unsigned long long flags),         \
	  "cuMemMap", "hipMemMap")                                                                           \
	X(unmap, (uint64_t at, size_t size), "cuMemUnmap", "hipMemUnmap")                                    \
	X(allow, (uint64_t at, size_t size, const struct gpu_memory_access *access, size_t count),           \
	  "cuMemSetAccess", "hipMemSetAccess")                                                               \
	X(to_device, (uint64_t to, const void *from, size_t size, void *stream), "cuMemcpyHtoDAsync_v2",     \
	  "hipMemcpyHtoDAsync")                                                                              \
	X(to_host, (void *to, uint64_t from, size_t size, void *stream), "cuMemcpyDtoHAsync_v2",             \
	  "hipMemcpyDtoHAsync")                                                                              \
	X(copy, (uint64_t to, uint64_t from, size_t size, void *stream), "cuMemcpyDtoDAsync_v2",             \
	  "hipMemcpyDtoDAsync")                                                                              \
	X(set8, (uint64_t at, unsigned char value, size_t count, void *stream), "cuMemsetD8Async",           \
	  "hipMemsetD8Async")                                                                                \
	X(set16, (uint64_t at, unsigned short value, size_t count, void *stream), "cuMemsetD16Async",        \
	  "hipMemsetD16Async")                                                                               \
	X(set32, (uint64_t at, unsigned value, size_t count, void *stream), "cuMemsetD32Async",              \
	  "hipMemsetD32Async")                                                                               \
	X(stream_new, (void **stream, unsigned flags), "cuStreamCreate", "hipStreamCreateWithFlags")         \
	X(stream_free, (void *stream), "cuStreamDestroy_v2", "hipStreamDestroy")                             \
	X(stream_sync, (void *stream), "cuStreamSynchronize", "hipStreamSynchronize")                        \
	X(event_new, (void **event, unsigned flags), "cuEventCreate", "hipEventCreateWithFlags")             \
	X(event_free, (void *event), "cuEventDestroy_v2", "hipEventDestroy")                                 \
	X(event_record, (void *event, void *stream), "cuEventRecord", "hipEventRecord")                      \
	X(event_sync, (void *event), "cuEventSynchronize", "hipEventSynchronize")                            \
	X(event_elapsed, (float *ms, void *from, void *to), "cuEventElapsedTime", "hipEventElapsedTime")     \
	X(module_load, (void **module, const void *image), "cuModuleLoadData", "hipModuleLoadData")          \
	X(module_function, (void **function, void *module, const char *name), "cuModuleGetFunction",         \
	  "hipModuleGetFunction")                                                                            \
	X(module_unload, (void *module), "cuModuleUnload", "hipModuleUnload")

struct gpu_calls {
#define GPU_FIELD(field, arguments, cuda, hip) int(*field) arguments;
	GPU_CALLS(GPU_FIELD)
#undef GPU_FIELD
};

/* What is asked of attribute(), in the vendor's numbers. */
enum gpu_attribute {
	GPU_CLOCK_KHZ,
	GPU_MEMORY_CLOCK_KHZ,
	GPU_MEMORY_BUS_BITS,
	GPU_L2_BYTES,
	GPU_MULTIPROCESSORS,
	GPU_WARP_SIZE,
	GPU_SHARED_BYTES, /* of one block, at most */
	GPU_CAN_MAP,      /* virtual memory management */
	GPU_CAN_COOPERATE,
	GPU_ATTRIBUTE_COUNT
};

struct gpu;

/* A buffer in a mapping of its own; what of the mapping lies around it is poisoned and looked at later. */
struct gpu_buffer {
	uint64_t at, bytes;       /* as kernels see it */
	uint64_t begin, size;     /* of the mapping */
	uint64_t reserved, range; /* of the address range around it */
	uint64_t low, high;       /* what may be written: of all who share the mapping */
	uint64_t handle;
	bool is_mapped, is_lent; /* lent: the mapping is another memory's */
	uint8_t *pattern; /* GPU_PATTERN_BYTES, from begin on again and again */
};

enum { GPU_IDLE = 128 };

struct gpu_idle {
	struct gpu_buffer items[GPU_IDLE];
	uint32_t count;
	uint64_t bytes;
};

struct gpu_launch {
	void *function;
	uint32_t grid[3]; /* in blocks, clusters multiplied out */
	uint32_t threads, shared, cluster;
	bool cooperative, pdl;
	void **params;
};

/* A tensor map of 128 bytes at map, for one descriptor. */
struct gpu_tensor_map {
	uint64_t address;
	const struct gk_object_desc *form;
	const struct gk_plan_desc *desc;
	void *map;
};

struct gpu_vendor {
	const char *name;         /* "cuda" */
	const char *libraries[5]; /* the first that is there; NULL-terminated */
	const char *variable;     /* of the environment, names another library */
	bool is_cuda;             /* which names in GPU_CALLS */
	int elf_machine;
	int attributes[GPU_ATTRIBUTE_COUNT];
	/* The vendor's own functions; gpu->library is open. */
	int (*load)(struct gpu *gpu, struct gk_err *e);
	/* "sm_90", "gfx942"; and what of the device a report should say besides, or nothing. */
	int (*architecture)(struct gpu *gpu, int device, char *text, size_t size, struct gk_err *e);
	void (*add_facts)(struct gpu *gpu, json_t *facts);
	int (*enter)(struct gpu *gpu, struct gk_err *e); /* makes the context current */
	void (*leave)(struct gpu *gpu);
	/* Checks the function against the object and sets what it needs before a launch. */
	int (*prepare)(struct gpu *gpu, void *function, const struct gk_object *object, struct gk_err *e);
	int (*launch)(struct gpu *gpu, const struct gpu_launch *launch);      /* the driver's number */
	int (*tensor_map)(struct gpu *gpu, const struct gpu_tensor_map *map); /* NULL: there are none */
	uint64_t (*cache)(const struct gpu *gpu, uint64_t l2);                 /* of the last level; NULL: l2 */
	const struct gpu_health_ops *health;
	const char *(*fault_kind)(int error);                                 /* of a finding */
};

extern const struct gpu_vendor gpu_cuda, gpu_hip;

struct gpu {
	struct gk_device device; /* first */
	const struct gpu_vendor *vendor;
	struct gk_device_options options;
	void *library;
	struct gpu_calls call;
	void *own; /* the vendor's functions and context; freed by gpu.c after leave() */
	int ordinal, count, lock;
	char target[32], pci[32];
	bool can_map;
	size_t granule;
	struct gpu_idle idle;
	void *stream, *staging;
	uint64_t staged; /* bytes of staging that the stream may still read from */
	void *events[GK_DEVICE_MARKS];
	uint64_t memory_bytes; /* of the card */
	void *health;          /* of vendor->health; NULL where no library tells */
	struct gk_device_health warmth; /* heat and power as last read, at */
	int64_t warmth_ns;
};

/* A vendor's library of management: its own declarations, found by dlopen(). */
struct gpu_health_ops {
	void *(*open)(const char *pci); /* NULL where it is not there */
	void (*close)(void *health);
	void (*read)(void *health, bool whole, struct gk_device_health *to);
	void (*add_facts)(void *health, json_t *facts);
};
extern const struct gpu_health_ops gpu_nvml, gpu_smi;
void *gpu_health_library(const char *variable, const char *const *names); /* NULL: none */

int gpu_attribute(struct gpu *gpu, enum gpu_attribute which); /* 0 where the driver does not tell */

struct gk_device_module {
	const struct gk_object *object;
	void *image; /* kept: a driver may go on reading it */
	void *module, *function;
};

/* Fills e from the driver's number, "WHAT: words (NAME)", and remembers that the device is lost if it is. */
int gpu_fail(struct gpu *gpu, int error, const char *what, struct gk_err *e);
void *gpu_symbol(struct gpu *gpu, const char *name, struct gk_err *e); /* of the library; NULL is a failure */

/* ---- memory ---- */

enum { GPU_PATTERN_BYTES = 1 << 16, GPU_STAGING_BYTES = 1 << 23 };

/* Bytes of a data step, pinned; and on the device where its view is not dense. */
struct gpu_held {
	const uint8_t *data;
	void *pinned;
	struct gpu_buffer room;
};

struct gk_device_memory {
	uint32_t count;
	struct gpu_buffer *buffers; /* of the plan */
	const void *const *inputs;  /* NULL: none is compared with */
	struct gpu_held *held;
	uint32_t held_count;
	struct gpu_buffer scratch; /* of the launch with the most; size 0: none yet */
	uint64_t seed;
	bool inverse;
};

int gpu_memory_new(struct gk_device *device, const struct gk_plan *plan, const void *const *inputs,
                   uint64_t seed, bool inverse, struct gk_device_memory **memory, struct gk_err *e);
void gpu_memory_free(struct gk_device *device, struct gk_device_memory *memory);
/* Makes, with a mapping and a pattern of its own; drops. */
int gpu_buffer_new(struct gpu *gpu, struct gpu_buffer *buffer, uint64_t bytes, uint64_t seed, bool inverse,
                   struct gk_err *e);
void gpu_buffer_drop(struct gpu *gpu, struct gpu_buffer *buffer);
void gpu_mapping_drop(struct gpu *gpu, const struct gpu_buffer *buffer); /* mapping, memory, addresses */
/* A mapping of that size, of zeros, if one is idle and the draw falls so: begin, size, range, handle of b. */
bool gpu_idle_take(struct gpu *gpu, struct gk_random *random, uint64_t size, struct gpu_buffer *b);
bool gpu_idle_keep(struct gpu *gpu, const struct gpu_buffer *b); /* false: the caller must drop it */
void gpu_idle_drop(struct gpu *gpu);                             /* all of them */
int gpu_park(struct gk_device *device, struct gk_device_memory *memory);
int gpu_unpark(struct gk_device *device, struct gk_device_memory *memory, uint64_t seed, struct gk_err *e);
/* A buffer in another's mapping; false when that has not the size which it would get itself. */
bool gpu_buffer_lend(const struct gpu *gpu, struct gpu_buffer *from, uint64_t bytes, struct gpu_buffer *to);
uint64_t gpu_buffer_extra(const struct gpu *gpu); /* the most bytes that a buffer takes beyond its own */
/* What the driver has, in bytes, and what of it may be used now. */
int gpu_memory_left(struct gpu *gpu, uint64_t *bytes, struct gk_err *e);
int gpu_scratch(struct gpu *gpu, struct gk_device_memory *memory, uint64_t bytes, struct gk_err *e);
int gpu_wait(struct gpu *gpu); /* for all that was queued; the driver's number */
/* Through pinned memory. What is uploaded may be changed on return, and is there for whatever is queued next; what is
 * downloaded is here. */
int gpu_upload(struct gpu *gpu, uint64_t to, const void *from, uint64_t bytes, struct gk_err *e);
int gpu_download(struct gpu *gpu, void *to, uint64_t from, uint64_t bytes, struct gk_err *e);
/* The bytes, piece by piece, without a place of their own; until fn says false. */
typedef bool gpu_read_fn(void *ctx, uint64_t at, const void *piece, uint64_t bytes);
int gpu_read(struct gpu *gpu, uint64_t from, uint64_t bytes, gpu_read_fn *fn, void *ctx, struct gk_err *e);
int gpu_differs(struct gpu *gpu, uint64_t from, const void *want, uint64_t bytes, bool *differs, struct gk_err *e);
/* Bytes around the buffer (its end rounded up to a piece) that are not as they were filled; *at: of the
 * first, counted from the buffer. within: only so far from it. */
int gpu_count_strays(struct gpu *gpu, const struct gpu_buffer *buffer, uint32_t piece, uint64_t within,
                     uint64_t *count, int64_t *at, struct gk_err *e);
int gpu_copy_out(struct gk_device *device, struct gk_device_memory *memory, const struct gk_plan_view *view,
                 void *bytes, uint64_t *poisoned, int64_t *first, struct gk_err *e);
int gpu_is_changed(struct gk_device *device, struct gk_device_memory *memory, uint32_t buffer,
                   const void *original, struct gk_err *e);

/* ---- steps ---- */

bool gpu_step(struct gk_device *device, struct gk_device_run *run, const struct gk_plan_step *step,
              uint32_t variant);
bool gpu_finish(struct gk_device *device, struct gk_device_run *run);
/* The driver's number becomes a finding of that launch (NULL: not known which); false. */
bool gpu_found_fault(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_launch *launch, int error);

/* ---- timing ---- */

/* A timed step that the driver has no call for: by a kernel of our own, or from pinned memory. */
bool gpu_timed_step(struct gpu *gpu, struct gk_device_run *run, const struct gk_plan_step *step);
void gpu_held_free(struct gpu *gpu, struct gk_device_memory *memory);
int gpu_limits(struct gk_device *device, struct gk_device_limits *limits, struct gk_err *e);
int gpu_memory_lay(struct gk_device *device, const struct gk_device_layout *layout,
                   struct gk_device_memory **memory, struct gk_err *e);
struct gk_device_region gpu_region(struct gk_device *device, struct gk_device_memory *memory, uint32_t buffer);
int gpu_put(struct gk_device *device, uint64_t to, const void *from, uint64_t bytes, struct gk_err *e);
int gpu_get(struct gk_device *device, void *to, uint64_t from, uint64_t bytes, struct gk_err *e);
int gpu_copy(struct gk_device *device, uint64_t to, uint64_t from, uint64_t bytes, struct gk_err *e);
int gpu_launch_own(struct gk_device *device, struct gk_device_module *module, uint32_t programs,
                   const struct gk_device_value *values, uint32_t count, struct gk_err *e);
void gpu_read_health(struct gk_device *device, bool whole, struct gk_device_health *health);

#endif
