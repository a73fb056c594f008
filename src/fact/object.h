/*
 * What lowering says of a code object (a cubin or an hsaco), so that a device
 * can launch it and people can read what it costs. The bytes travel beside it.
 *
 * A plan's arguments follow the parameters of the tt.func. The code object's
 * own parameters, as it declares them itself, are params: first those of the
 * tt.func in order, a descriptor being a 128-byte tensor map where desc names
 * it (else taken apart by lowering), then pointers to scratch memory that
 * Triton adds. Hidden arguments of an hsaco are not listed.
 */
#ifndef GK_FACT_OBJECT_H
#define GK_FACT_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/doc.h"
#include "base/hash.h"

#define GK_OBJECT_MAX_PARAMS 160
#define GK_OBJECT_MAX_DESCS  32
#define GK_OBJECT_MAX_RANK   5
#define GK_OBJECT_MAX_NAME   512

/* Where an argument lies in the argument block of a launch. */
struct gk_object_param {
	uint32_t at, bytes;
};

/* How the tensor map of a descriptor argument is made; the n-th is the n-th descriptor of the tt.func. */
struct gk_object_desc {
	bool is_map; /* false: Triton took it apart, nothing of the rest is set */
	int swizzle; /* CUtensorMapSwizzle: 0 none, 1 32 bytes, 2 64 bytes, 3 128 bytes */
	int elem_bytes;
	int elem_type; /* CUtensorMapDataType */
	int rank;
	uint32_t block[GK_OBJECT_MAX_RANK];
	bool fp4_padded;
};

struct gk_object {
	char object[GK_HEX_SIZE];      /* SHA-256 of the code */
	char ttir[GK_HEX_SIZE];        /* of the module as the plan names it */
	char name[GK_OBJECT_MAX_NAME]; /* of the entry in the code object */
	char target[32];               /* "sm_90", "gfx942", .. */
	char toolchain[256];           /* "triton 3.7.1 ptxas 12.9.86", for people and for the cache */
	int warps, warp_size; /* a block has warps * warp_size threads (warp specialisation included) */
	int ctas;             /* programs of a cluster; the grid's first number is multiplied by it */
	int cluster[3];
	uint32_t shared;        /* bytes of dynamic shared memory to be asked for */
	uint32_t static_shared; /* bytes that the code object declares itself */
	uint64_t scratch_bytes; /* global scratch of one program; 0: its pointer may be null */
	uint32_t scratch_align;
	bool cooperative, pdl;
	struct gk_object_desc descs[GK_OBJECT_MAX_DESCS];
	int desc_count;
	struct gk_object_param params[GK_OBJECT_MAX_PARAMS];
	int param_count;
	uint32_t param_bytes; /* of the whole argument block, hidden arguments included */
	int regs;             /* vector registers of a thread */
	int spills;           /* 32-bit words of a thread's registers in memory (its stack included) */
};

/* The wire and cache form (docs/plan.md, "Code objects"). Refuses unknown keys and params that overlap. */
int gk_object_from_node(const struct gk_node *at, struct gk_object *object, struct gk_err *e);
json_t *gk_object_to_json(const struct gk_object *object);

#endif
