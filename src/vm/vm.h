/*
 * The Triton IR machine: runs a verified module on the CPU, exactly and with
 * every access checked. It knows buffers, a grid and arguments, and nothing of
 * plans; whoever calls it owns the buffers.
 *
 * A bad kernel is a finding, never an error: gk_vm_launch() cannot fail otherwise.
 */
#ifndef GK_VM_VM_H
#define GK_VM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ir/ir.h"

#define GK_VM_MAX_RANK     5               /* of a tensor descriptor */
#define GK_VM_MAX_BUFFERS  ((uint32_t)1 << 16)
#define GK_VM_NOTE_BYTES   ((size_t)1 << 16) /* of device_print, a launch */
#define GK_VM_NO_BUFFER    UINT32_MAX

/*
 * Memory that a kernel may touch. undef has a byte for each byte of bytes,
 * non-zero where nothing defined was ever written; NULL says that all is
 * defined. Where a kernel stores something undefined into a buffer without
 * undef, the launch allocates it: it must be NULL or from gk_alloc(), and the
 * caller frees it.
 */
struct gk_vm_buffer {
	void *bytes;   /* aligned to 16 at least */
	uint64_t size; /* below 2^39 */
	uint8_t *undef;
	bool written; /* set when a store or an atomic reaches it; never cleared here */
	char name[64]; /* for messages */
};

enum gk_vm_arg_kind {
	GK_VM_POINTER, /* buffer, at */
	GK_VM_ADDRESS, /* a buffer's address as i64: buffer, at */
	GK_VM_NULL,    /* pointer to nothing */
	GK_VM_INT,     /* number, any integer width */
	GK_VM_FLOAT,   /* number: the bits in the format of the parameter */
	GK_VM_DESC,    /* tensor descriptor: buffer, at, rank, shape, strides, pad_nan */
};

struct gk_vm_arg {
	enum gk_vm_arg_kind kind;
	uint32_t buffer; /* index into buffers */
	uint64_t at;     /* bytes */
	int64_t number;
	uint32_t rank;
	int64_t shape[GK_VM_MAX_RANK];
	int64_t strides[GK_VM_MAX_RANK]; /* elements */
	bool pad_nan;                    /* what is outside of shape reads as NaN, else 0 */
};

struct gk_vm_launch {
	uint32_t grid[3];
	const struct gk_vm_arg *args; /* one for each parameter of the function, in order */
	uint32_t arg_count;
	struct gk_vm_buffer *buffers;
	uint32_t buffer_count;
	uint64_t seed;   /* order of programs; 0: x fastest, then y, then z */
	uint64_t budget; /* lane operations of the whole launch; 0: without end */
	int threads;     /* at most; modules with atomics run on one */
};

enum gk_vm_finding_kind {
	GK_VM_FINE,
	GK_VM_OUT_OF_BOUNDS,
	GK_VM_POISON_USED, /* something undefined as address, mask, condition, loop bound, coordinate */
	GK_VM_MISALIGNED,
	GK_VM_BUDGET,
	GK_VM_UNSUPPORTED,
	GK_VM_ASSERT,
	GK_VM_ARGUMENTS, /* the arguments do not fit the function */
	GK_VM_MEMORY,    /* a program needs more memory than the machine gives */
};

/* "out_of_bounds", "poison_used", "misaligned", "budget", "unsupported", "assert", "arguments", "memory". */
const char *gk_vm_finding_name(enum gk_vm_finding_kind kind);

struct gk_vm_finding {
	enum gk_vm_finding_kind kind; /* GK_VM_FINE: there is none */
	char message[512];            /* one line of words; foreign names are made safe */
	char kernel[128];
	char file[256];
	uint32_t line, column; /* of the source; 0 unknown */
	uint32_t program[3];
	uint32_t lane, lane_count; /* flat index in the tile of the operation */
	uint32_t buffer;           /* or GK_VM_NO_BUFFER */
	int64_t at;                /* byte offset in the buffer, may be negative */
	char operation[32];        /* "tt.load" */
};

struct gk_vm_counts {
	uint64_t bytes_read, bytes_written; /* of active lanes, atomics included */
	uint64_t operations;                /* lane operations */
	uint64_t atomics;                   /* atomic lane operations */
	uint64_t dot_flops;
	uint64_t programs;
};

struct gk_vm_result {
	struct gk_vm_finding finding; /* the first one in the order of programs */
	struct gk_vm_counts counts;
	struct gk_buf notes; /* text of device_print; gk_vm_result_release() */
};
void gk_vm_result_release(struct gk_vm_result *result);

/*
 * A module made ready to run: flat code with its registers assigned. The module
 * must outlive it. Never NULL: what cannot be run is found when it is reached.
 * May be used by several threads at once.
 */
struct gk_vm_program;
struct gk_vm_program *gk_vm_program_new(const struct gk_ir *module);
void gk_vm_program_free(struct gk_vm_program *program);

/*
 * Runs all programs of the grid. Returns true when all ended well, false when
 * result->finding tells why not (buffers then hold what was written until
 * then). *result is overwritten: release it before it is used again. Equal launches give
 * equal bytes, for any number of threads, unless programs race.
 */
bool gk_vm_launch(const struct gk_vm_program *program, const struct gk_vm_launch *launch,
                  struct gk_vm_result *result);

/* The address by which kernels know byte at of a buffer: for tables of pointers. The same in every launch. */
uint64_t gk_vm_address(uint32_t buffer, uint64_t at);

#endif
