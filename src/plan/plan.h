/*
 * Launch plans, version 1: what a candidate's entry does to a GPU, as data
 * (docs/plan.md). A plan is a claim by a hostile process: gk_plan_read()
 * checks its form and its own consistency, gk_plan_validate() that it fits the
 * task, the target and the IR; nothing executes a plan that has not passed both.
 *
 * Errors are one line (GK_ERR_INPUT) that names the place: "plan: steps[3].args[2]: ...".
 */
#ifndef GK_PLAN_PLAN_H
#define GK_PLAN_PLAN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/doc.h"
#include "base/err.h"
#include "base/hash.h"
#include "fact/tensor.h"
#include "ir/ir.h"
#include "num/dtype.h"

#define GK_PLAN_MAX_BUFFERS  64
#define GK_PLAN_MAX_KERNELS  64
#define GK_PLAN_MAX_STEPS    256 /* prologue and steps, each */
#define GK_PLAN_MAX_VARIANTS 256 /* over the whole plan */
#define GK_PLAN_MAX_ARGS     128
#define GK_PLAN_MAX_OUTPUTS  32
#define GK_PLAN_MAX_DATA     65536 /* bytes of all data steps together */
#define GK_PLAN_MAX_TEXT     ((size_t)1 << 20)

struct gk_plan_buffer {
	uint64_t bytes;
	uint32_t align;    /* a power of two, 1 .. 4096 */
	const char *input; /* name of the argument, or NULL: allocated and poisoned before each execution */
};

/* Element (i, j, ..) lies at byte at + (i * strides[0] + j * strides[1] + ..) * size of dtype of the buffer.
 */
struct gk_plan_view {
	uint32_t buf;
	uint64_t at;
	enum gk_dtype dtype;
	int rank;
	int64_t shape[GK_MAX_RANK];
	int64_t strides[GK_MAX_RANK]; /* elements; 0 broadcasts a source */
};

struct gk_plan_output {
	const char *name;
	struct gk_plan_view view;
};

struct gk_plan_kernel {
	char ttir[GK_HEX_SIZE];
	const char *name;
	json_t *options; /* object of allow-listed scalars */
	bool inline_asm;
};

enum gk_arg_kind {
	GK_ARG_PTR,   /* buf, at */
	GK_ARG_RELOC, /* buf, at: the address as an i64 */
	GK_ARG_NULL,
	GK_ARG_INT,   /* type I1 .. I64, value */
	GK_ARG_FLOAT, /* type F16 .. F64, bits */
	GK_ARG_DESC,  /* view, block, pad_nan, round_tf32 */
};

struct gk_plan_desc {
	struct gk_plan_view view;
	uint32_t block[GK_MAX_RANK];
	bool pad_nan, round_tf32;
};

struct gk_plan_arg {
	enum gk_arg_kind kind;
	enum gk_ir_kind type; /* INT, FLOAT */
	uint32_t buf;
	uint64_t at;
	int64_t value;
	uint64_t bits;
	const struct gk_plan_desc *desc;
};

struct gk_plan_launch {
	uint32_t kernel;
	uint32_t grid[3];
	int line;                 /* of the candidate's source, 0 when unknown */
	struct gk_plan_arg *args; /* in the order of the tt.func's parameters */
	uint32_t arg_count;
};

enum gk_step_op {
	GK_STEP_FILL,
	GK_STEP_IOTA,
	GK_STEP_COPY,
	GK_STEP_DATA,
	GK_STEP_LAUNCH,
	GK_STEP_CHOOSE,
	GK_STEP_ASSIST
};
extern const char *const gk_step_names[]; /* "fill" .. "assist", NULL */

/* Arithmetic of the framework that a task may allow (docs/plan.md). The first four fold dimensions into one number. */
enum gk_assist {
	GK_ASSIST_SUM,
	GK_ASSIST_MAX,
	GK_ASSIST_MIN,
	GK_ASSIST_LOGSUMEXP,
	GK_ASSIST_ABS,
	GK_ASSIST_RECIPROCAL
};
extern const char *const gk_assist_names[]; /* "sum" .. "reciprocal", NULL */

struct gk_plan_variant {
	json_t *config;           /* object: for people */
	struct gk_plan_step *pre; /* FILL and COPY only */
	uint32_t pre_count;
	struct gk_plan_launch launch;
};

struct gk_plan_step {
	enum gk_step_op op;
	struct gk_plan_view dst; /* all but LAUNCH and CHOOSE */
	struct gk_plan_view src; /* COPY: shape equals dst's. ASSIST: shape without the folded dimensions does */
	uint64_t bits;           /* FILL: one element of dst */
	int64_t start, step;     /* IOTA: element i, row-major, is start + i * step */
	const uint8_t *data;     /* DATA: elements of dst, row-major, densely packed */
	uint32_t data_bytes;
	enum gk_assist assist;   /* ASSIST */
	uint32_t dims;           /* ASSIST: bit d: dimension d of src is folded */
	int line;                /* ASSIST: of the candidate's source, 0 when unknown */
	struct gk_plan_launch launch; /* LAUNCH */
	uint32_t site;                /* CHOOSE: which autotuned launch of the candidate */
	struct gk_plan_variant *variants;
	uint32_t variant_count; /* at least 1 */
};

struct gk_plan {
	struct gk_arena arena;
	char ir[8];      /* "ttir" or "ttgir" */
	char target[32]; /* "sm_90", "gfx942", .. */
	char case_hash[GK_HEX_SIZE];
	json_t *from; /* provenance */
	struct gk_plan_buffer *buffers;
	uint32_t buffer_count;
	struct gk_plan_kernel *kernels;
	uint32_t kernel_count;
	struct gk_plan_step *prologue, *steps;
	uint32_t prologue_count, step_count;
	struct gk_plan_output *outputs;
	uint32_t output_count;
	json_t **json; /* references held: options, configs, from */
	size_t json_count;
};

/*
 * Exact keys, kinds, ceilings, indexes, hashes in form; the least and greatest
 * byte of every view in its buffer; no dst that overlaps itself, no partial
 * overlap of src and dst; grids within 2^31-1 x 65535 x 65535. Nothing of the
 * plan outlives the call but what is copied. NULL on failure; end with gk_plan_free().
 */
struct gk_plan *gk_plan_read(const char *name, const char *text, size_t size, struct gk_err *e);
struct gk_plan *gk_plan_from_node(const struct gk_node *at, struct gk_err *e); /* as part of a message */
void gk_plan_free(struct gk_plan *plan);

/* A module that came with the plan, by the SHA-256 of its text. */
struct gk_plan_module {
	char hash[GK_HEX_SIZE];
	const struct gk_ir *ir;
};

/* What the plan must fit. */
struct gk_plan_expect {
	const char *target;    /* NULL: any */
	const char *case_hash; /* NULL: any */
	const struct gk_tensor
		*inputs;      /* the tensors among the entry's arguments: name, bytes of the storage */
	const bool *in_place; /* per input, may be written; NULL: none */
	size_t input_count;
	const struct gk_tensor *outputs; /* declared: name, dtype, rank, shape, in order */
	size_t output_count;
	bool allow_fills;   /* outputs may be last written by fills and copies */
	bool allow_asm;     /* inline assembly may be used */
	const char *const *allow; /* operations of the framework by their schemas' names; assists need theirs */
	size_t allow_count;
	uint64_t max_bytes; /* of all buffers together; 0: no ceiling */
	const struct gk_plan_module *modules;
	size_t module_count;
};

int gk_plan_validate(const struct gk_plan *plan, const struct gk_plan_expect *expect, struct gk_err *e);

/* Compact JSON that gk_plan_read() reads back to the same plan; new reference. */
json_t *gk_plan_to_json(const struct gk_plan *plan);

/*
 * Hash of what the plan does: buffers and kernels numbered by first use, those
 * never used left out, without provenance and case.
 */
void gk_plan_hash(const struct gk_plan *plan, char hex[GK_HEX_SIZE]);

/* A scalar that stands for data, with the values that plans a and b were captured with. */
struct gk_plan_scalar {
	double a, b;
};

/*
 * Whether both do the same, up to the numbers of buffers and kernels and to
 * scalar arguments that hold the scalars' values. If not, why (at least 160
 * bytes are sensible) gets a line: "steps[2].args[4]: 64 against 128".
 */
bool gk_plan_is_same(const struct gk_plan *a, const struct gk_plan *b, const struct gk_plan_scalar *scalars,
                     size_t scalar_count, char *why, size_t why_size);

/* Bytes of one view, densely packed. The view is of a plan that was read. */
uint64_t gk_plan_view_bytes(const struct gk_plan_view *view);
int64_t gk_plan_view_count(const struct gk_plan_view *view);
/* Whether its elements lie one behind the other in row-major order. */
bool gk_plan_view_is_dense(const struct gk_plan_view *view);

/* Whether a name of a task's list permits it: "aten::sum", with or without an overload. */
bool gk_assist_is_allowed(enum gk_assist assist, const char *const *allow, size_t count);
bool gk_assist_has(enum gk_assist assist, enum gk_dtype from, enum gk_dtype to); /* whether it knows these dtypes */
/* What it computes in: F32, F64 or I64, whose result becomes dst's dtype at the end. */
enum gk_dtype gk_assist_dtype(const struct gk_plan_step *step);
/*
 * An assist's src as two views: its elements for the first of each folded number (of dst's shape), and the folded
 * dimensions alone, at 0 of the same buffer. Offsets of the two add up.
 */
void gk_assist_split(const struct gk_plan_step *step, struct gk_plan_view *kept, struct gk_plan_view *folded);

/* For people: buffers, kernels with options, steps with grids, arguments and lines. modules may be NULL. */
void gk_plan_print(const struct gk_plan *plan, const struct gk_plan_module *modules, size_t module_count,
                   struct gk_buf *out);

#endif
