/*
 * What executes a plan's steps: the seam under the launcher. One small table
 * of functions per kind of device; the machine (vm/) is the first row, GPUs by
 * their drivers are others. A device knows buffers and steps, not tasks.
 *
 * What a kernel does wrong is a finding; the functions fail only for reasons
 * of ours (memory, a driver).
 */
#ifndef GK_DEVICE_DEVICE_H
#define GK_DEVICE_DEVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "fact/object.h"
#include "plan/plan.h"

struct gk_device;
struct gk_device_module;
struct gk_device_memory;

struct gk_device_options {
	int threads;           /* 0: one */
	uint64_t memory_bytes; /* ceiling of the buffers of one execution, the device's own copies included */
	int gpu;               /* which one of several, -1: the first that no other geak uses */
};

/* A kernel's code: the machine runs the IR, a GPU loads the bytes that object tells about. */
struct gk_device_code {
	const struct gk_ir *ir;         /* NULL for a device that goes by objects */
	const struct gk_object *object; /* NULL for one that goes by the IR */
	const void *bytes;
	size_t size;
};

/* Something the executed code did wrong. All zero: nothing. */
struct gk_finding {
	char kind[24]; /* "out_of_bounds", "poison_used", "budget", "unsupported", ...; "" when there is none
	                */
	char message[512];
	char kernel[128];
	char operation[32];
	uint32_t line, column; /* of the candidate's source, 0 unknown */
	bool has_place;        /* program and lane are known */
	uint32_t program[3];
	uint32_t lane;
	int64_t buffer; /* of the plan, -1: none */
	int64_t at;     /* byte offset in the buffer */
};

struct gk_device_counts {
	uint64_t bytes_read, bytes_written, operations, atomics, launches, programs;
};

/* A kernel of our own (plan/helper.h), loaded. */
struct gk_device_helper {
	const char *name;
	struct gk_device_module *module;
};

/* Where the steps of one execution run. */
struct gk_device_run {
	const struct gk_plan *plan;
	struct gk_device_memory *memory;
	struct gk_device_module *const *modules; /* one per kernel of the plan; NULL: none of its launches is asked
	                                            for */
	const struct gk_device_helper *helpers;  /* for timed steps that the driver has no call for */
	size_t helper_count;
	uint64_t seed;
	int threads;                    /* 0: the device's own number */
	bool is_timed; /* steps are only queued, and finish() looks only near the buffers */
	uint64_t budget;                /* operations left over all launches, counted down to 1, never 0 */
	struct gk_device_counts counts; /* summed up */
	struct gk_finding finding;      /* the first one; nothing runs after it */
	struct gk_err err;              /* or a failure of ours, after which nothing runs either */
	struct gk_buf notes;            /* text of device_print; release it */
};

/* ---- for timing ---- */

/* What preparing a timed call goes by; 0: not known. */
struct gk_device_limits {
	uint64_t cache_bytes;     /* of the last level */
	uint64_t unused_bytes;    /* of memory, now, within the ceiling */
	uint64_t extra_bytes;     /* the most that a buffer takes beyond its own */
	uint32_t multiprocessors;
	uint32_t shared_bytes;    /* that one block can have */
};

/*
 * Buffers by their sizes. Buffer i lies where buffer same[i] of with does if their mappings have one size; otherwise
 * (or with same[i] < 0) in a mapping of its own. with must outlive what it lends. Contents are undefined, what
 * lies around the buffers is looked at by finish() as always.
 */
struct gk_device_layout {
	const uint64_t *bytes;
	uint32_t count;
	struct gk_device_memory *with; /* NULL: none */
	const int32_t *same;           /* NULL: all -1 */
	uint64_t scratch_bytes;        /* of kernels, shared with with's if that is large enough; 0: none */
	uint64_t seed;
};
#define GK_DEVICE_SCRATCH UINT32_MAX /* as a buffer's number */

struct gk_device_region {
	uint64_t at, bytes; /* an address of the device */
};

/* An argument of a kernel of our own. */
struct gk_device_value {
	uint64_t bits;
	uint32_t bytes;
};

/* How the device is; -1: not told. */
struct gk_device_health {
	int sm_mhz, memory_mhz, celsius;
	double watts;
	uint32_t throttle; /* bits, named by gk_throttle_names; idling is none */
};
extern const char *const gk_throttle_names[]; /* NULL-terminated */

struct gk_device_ops {
	const char *name;    /* of --device */
	bool by_object;      /* goes by code objects, not by the IR */
	bool guesses_poison; /* "never written" means: as filled; where chance does not explain it, settled by
	                        a second run over the inverse fill */
	/* The facts of the first such device here, without opening it (new reference); NULL: always there. */
	int (*describe)(json_t **facts, struct gk_err *e);
	int (*open)(const struct gk_device_options *options, struct gk_device **device, struct gk_err *e);
	void (*close)(struct gk_device *device);
	json_t *(*facts)(struct gk_device *device); /* new reference */

	/* ir and object must outlive the module, bytes need not. */
	struct gk_device_module *(*module_load)(struct gk_device *device, const struct gk_device_code *code,
	                                        struct gk_err *e);
	void (*module_free)(struct gk_device *device, struct gk_device_module *module);

	/*
	 * Buffers of the plan. inputs[i] are the first bytes of buffer i (copied), or NULL: then it is
	 * undefined and filled with a pattern drawn from seed (with inverse: its complement). Refuses what
	 * passes the memory ceiling, before taking any.
	 */
	int (*memory_new)(struct gk_device *device, const struct gk_plan *plan, const void *const *inputs,
	                  uint64_t seed, bool inverse, struct gk_device_memory **memory, struct gk_err *e);
	void (*memory_free)(struct gk_device *device, struct gk_device_memory *memory);

	/* One step; false when run->finding or run->err tells why nothing may follow. variant: of a CHOOSE.
	 */
	bool (*step)(struct gk_device *device, struct gk_device_run *run, const struct gk_plan_step *step,
	             uint32_t variant);

	/* After the last step: waits for all of them, looks at what lies around the buffers. As step. */
	bool (*finish)(struct gk_device *device, struct gk_device_run *run);

	/* Densely packed elements of the view. *poisoned: how many were never written whole, *first the first
	 * of them. Zeros from a lost device. */
	int (*copy_out)(struct gk_device *device, struct gk_device_memory *memory,
	                const struct gk_plan_view *view, void *bytes, uint64_t *poisoned, int64_t *first,
	                struct gk_err *e);
	/* 1 when buffer was written and now differs from original, 0 when not. */
	int (*is_changed)(struct gk_device *device, struct gk_device_memory *memory, uint32_t buffer,
	                  const void *original, struct gk_err *e);

	/*
	 * The device's clock; NULL where there is none. mark() puts event n (0 .. GK_DEVICE_MARKS - 1) behind
	 * the steps so far, elapsed() waits for both events. With run->is_timed no step waits for its end.
	 */
	int (*mark)(struct gk_device *device, uint32_t n, struct gk_err *e);
	int (*elapsed)(struct gk_device *device, uint32_t from, uint32_t to, double *ms, struct gk_err *e);
	int (*sync)(struct gk_device *device, struct gk_err *e);

	/* The rest serves timing, and is NULL where there is no clock. */
	int (*limits)(struct gk_device *device, struct gk_device_limits *limits, struct gk_err *e);
	/* With memory_lay() the run's plan must have as many buffers; there are no inputs to compare with. */
	int (*memory_lay)(struct gk_device *device, const struct gk_device_layout *layout,
	                  struct gk_device_memory **memory, struct gk_err *e);
	/*
	 * Takes the memory's buffers out of the address space, contents and all, once nothing uses them; and back,
	 * at another place. NULL where that cannot be; park: 1 done, 0 not of this memory, which is as it was.
	 */
	int (*park)(struct gk_device *device, struct gk_device_memory *memory);
	int (*unpark)(struct gk_device *device, struct gk_device_memory *memory, uint64_t seed, struct gk_err *e);
	struct gk_device_region (*region)(struct gk_device *device, struct gk_device_memory *memory, uint32_t buffer);
	/* Done on return. */
	int (*upload)(struct gk_device *device, uint64_t to, const void *from, uint64_t bytes, struct gk_err *e);
	int (*download)(struct gk_device *device, void *to, uint64_t from, uint64_t bytes, struct gk_err *e);
	/* Queued. */
	int (*copy)(struct gk_device *device, uint64_t to, uint64_t from, uint64_t bytes, struct gk_err *e);
	/* Queued; refuses values that are not the object's parameters (but for pointers that Triton adds). */
	int (*launch)(struct gk_device *device, struct gk_device_module *module, uint32_t programs,
	              const struct gk_device_value *values, uint32_t count, struct gk_err *e);
	/* The device's own view of itself; all -1 where nothing tells. whole: what takes longer as well (watts). */
	void (*health)(struct gk_device *device, bool whole, struct gk_device_health *health);
};

#define GK_DEVICE_MARKS 1024

/* First member of every device's own struct. */
struct gk_device {
	const struct gk_device_ops *ops;
	bool is_lost; /* a fault has taken the device's context along: its process must end */
};

extern const struct gk_device_ops gk_machine_ops; /* "cpu" */
extern const struct gk_device_ops gk_cuda_ops;    /* "cuda" */
extern const struct gk_device_ops gk_hip_ops;     /* "hip" */

extern const struct gk_device_ops *const gk_devices[];        /* NULL-terminated */
const struct gk_device_ops *gk_device_find(const char *name); /* NULL when there is none */

#endif
