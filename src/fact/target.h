/* Targets that plans are captured and lowered for, and what fits into one of their cores. */
#ifndef GK_FACT_TARGET_H
#define GK_FACT_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fact/object.h"

/* A core is a multiprocessor (CUDA) or a compute unit (AMD). From the vendors' public documents. */
struct gk_target {
	const char *name;    /* "sm_90" */
	const char *product; /* "NVIDIA H100" */
	int warp_size;
	uint32_t shared_per_block; /* most that a launch may ask for, bytes */
	uint32_t shared_per_core;
	uint32_t shared_reserved; /* of each block, by the driver */
	uint32_t shared_step;     /* allocated in multiples of it */
	uint32_t regs_per_thread; /* most that one may have */
	uint32_t regs_per_core;   /* 32-bit registers of all lanes, over all schedulers */
	uint32_t regs_step;       /* registers of a warp are allocated in multiples of it */
	int schedulers;           /* a warp's registers come from one of so many equal parts */
	int warps_per_core, blocks_per_core;
	int threads_per_block;
};

extern const struct gk_target gk_targets[];             /* ends with a name of NULL; without "cpu" */
const struct gk_target *gk_target_of(const char *name); /* NULL when unknown; "cpu" is none */
/* 0 for "cpu" and the known ones; else a line with the known names. */
int gk_target_check(const char *name, struct gk_err *e);

/* How many blocks of a code object one core can hold, and what stands in the way of one more. */
struct gk_occupancy {
	int blocks, warps, max_warps;
	const char *limit; /* "registers", "shared memory", "warps", "blocks" */
};
void gk_occupancy_of(const struct gk_target *target, const struct gk_object *object,
                     struct gk_occupancy *out);

/*
 * Whether one block fits at all; if not, why gets words: "needs 96 KiB of
 * shared memory, gfx942 has 64 KiB a block".
 */
bool gk_object_fits(const struct gk_target *target, const struct gk_object *object, char *why, size_t size);

/* "96 registers, no spills, 16 KiB shared, 4 warps; 20 of 64 warps a core, limited by registers". */
void gk_object_text(const struct gk_object *object, char *text, size_t size);

#endif
