/*
 * Triton IR (TTIR) as data: a module read from text, verified, and never
 * changed afterwards. Everything is an index into the module's arrays; types
 * are interned (same type, same index; a scalar's index is its kind), the
 * results of an operation are consecutive values, and operations stand in
 * pre-order, so that the nested ones of ops[i] are ops[i + 1 .. end - 1]:
 *
 *     for (uint32_t i = block->first; i < block->end; i = module->ops[i].end)
 */
#ifndef GK_IR_IR_H
#define GK_IR_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "num/dtype.h"

#define GK_IR_MAX_BYTES    ((size_t)4 << 20)
#define GK_IR_MAX_OPS      ((uint32_t)1 << 17)
#define GK_IR_MAX_DEPTH    32 /* nested regions */
#define GK_IR_MAX_ELEMENTS ((uint32_t)1 << 20)
#define GK_IR_MAX_RANK     24 /* tl.sort makes tensors of 2 x 2 x .. x 2 */
#define GK_IR_NONE         UINT32_MAX

enum gk_ir_kind {
	GK_IR_NO_TYPE,
	GK_IR_I1,
	GK_IR_I8,
	GK_IR_I16,
	GK_IR_I32,
	GK_IR_I64,
	GK_IR_INDEX, /* 64 bits */
	GK_IR_F16,
	GK_IR_BF16,
	GK_IR_F32,
	GK_IR_F64,
	GK_IR_F8E4M3FN,
	GK_IR_F8E5M2,
	GK_IR_F8E4M3FNUZ,
	GK_IR_F8E5M2FNUZ,
	GK_IR_F8E4M3B11FNUZ,
	GK_IR_SCALAR_COUNT,
	GK_IR_PTR = GK_IR_SCALAR_COUNT,
	GK_IR_TENSOR,
	GK_IR_DESC, /* tensor descriptor */
};

/* How a descriptor's type was written; without meaning for what it does. */
enum {
	GK_IR_DESC_SIGNED = 1,
	GK_IR_DESC_UNSIGNED = 2,
	GK_IR_DESC_FLAT = 4 /* <4x8xf32>, not <tensor<4x8xf32>> */
};

struct gk_ir_type {
	uint8_t kind;   /* enum gk_ir_kind */
	uint8_t rank;   /* TENSOR: 1 .. ; else 0 */
	uint16_t space; /* PTR: address space, usually 1 */
	/* A type. TENSOR: scalar or pointer; PTR: pointee; DESC: the tensor it loads; scalars: themselves. */
	uint32_t element;
	uint32_t count;        /* elements, 1 unless TENSOR */
	const uint32_t *shape; /* rank numbers, each at least 1 */
};

enum gk_ir_code {
	GK_IR_INVALID,
#define GK_IR_OP(code, name, operands, results, class, format) GK_IR_##code,
#include "op.def"
#undef GK_IR_OP
	GK_IR_CODE_COUNT
};

/* What operations of one class have in common for the verifier and for counts. */
enum gk_ir_class {
	GK_IR_CLASS_CONSTANT,
	GK_IR_CLASS_INT,          /* integers (or index) in and out, all of one type */
	GK_IR_CLASS_INT_EXTENDED, /* two operands, two results of one type (addui_extended: an i1) */
	GK_IR_CLASS_FLOAT,        /* floats in and out, all of one type */
	GK_IR_CLASS_COMPARE,      /* two of one type in, i1 of the same shape out */
	GK_IR_CLASS_SELECT,
	GK_IR_CLASS_CAST,    /* same shape, other element */
	GK_IR_CLASS_SHAPE,   /* same elements, other shape or order */
	GK_IR_CLASS_PROGRAM, /* program id and the like */
	GK_IR_CLASS_POINTER,
	GK_IR_CLASS_MEMORY,
	GK_IR_CLASS_ATOMIC,
	GK_IR_CLASS_REDUCE, /* reduce and scan */
	GK_IR_CLASS_DOT,
	GK_IR_CLASS_DESC,
	GK_IR_CLASS_CONTROL, /* scf, cf, call, return, terminators */
	GK_IR_CLASS_OTHER,
};

/* For messages, printing and verification; indexed by code. */
struct gk_ir_op_info {
	const char *name;     /* "tt.load" */
	const char *operands; /* "2", "1-3", "0-" */
	int8_t results;       /* -1: any number */
	uint8_t class;        /* enum gk_ir_class */
	const char *format;   /* form.h */
};
extern const struct gk_ir_op_info gk_ir_ops[GK_IR_CODE_COUNT];

/* arith.cmpi: number of the attribute "predicate". */
enum gk_ir_cmpi {
	GK_CMPI_EQ,
	GK_CMPI_NE,
	GK_CMPI_SLT,
	GK_CMPI_SLE,
	GK_CMPI_SGT,
	GK_CMPI_SGE,
	GK_CMPI_ULT,
	GK_CMPI_ULE,
	GK_CMPI_UGT,
	GK_CMPI_UGE
};
/* arith.cmpf: O is false for NaN, U is true for NaN. */
enum gk_ir_cmpf {
	GK_CMPF_FALSE,
	GK_CMPF_OEQ,
	GK_CMPF_OGT,
	GK_CMPF_OGE,
	GK_CMPF_OLT,
	GK_CMPF_OLE,
	GK_CMPF_ONE,
	GK_CMPF_ORD,
	GK_CMPF_UEQ,
	GK_CMPF_UGT,
	GK_CMPF_UGE,
	GK_CMPF_ULT,
	GK_CMPF_ULE,
	GK_CMPF_UNE,
	GK_CMPF_UNO,
	GK_CMPF_TRUE
};
/* tt.atomic_rmw: number of the attribute "atomic_rmw_op". */
enum gk_ir_rmw {
	GK_RMW_AND = 1,
	GK_RMW_OR,
	GK_RMW_XOR,
	GK_RMW_ADD,
	GK_RMW_FADD,
	GK_RMW_MAX,
	GK_RMW_MIN,
	GK_RMW_UMAX,
	GK_RMW_UMIN,
	GK_RMW_XCHG
};

enum gk_ir_attr_kind {
	GK_IR_ATTR_UNIT,   /* present */
	GK_IR_ATTR_BOOL,   /* number */
	GK_IR_ATTR_INT,    /* number, type */
	GK_IR_ATTR_FLOAT,  /* number: the bits in the format of type */
	GK_IR_ATTR_WORD,   /* text, and number: the enumeration's value ("slt": 2), -1 when it has none */
	GK_IR_ATTR_STRING, /* text, count bytes and a zero byte (may hold zero bytes) */
	GK_IR_ATTR_SYMBOL, /* text: @name, without the @ */
	GK_IR_ATTR_TYPE,   /* type */
	GK_IR_ATTR_ARRAY,  /* items, count */
	GK_IR_ATTR_DICT,   /* items with names, count */
	GK_IR_ATTR_INTS,   /* array<i32: 1, 0>: ints, count; type of one */
	GK_IR_ATTR_DENSE,  /* a tensor: bytes of count elements (1 when it is a splat), type */
	GK_IR_ATTR_OPAQUE, /* text, as it stood: #tt.cache_policy<...> */
};

struct gk_ir_attr {
	const char *name; /* "axis"; NULL within an array */
	uint8_t kind;     /* enum gk_ir_attr_kind */
	bool is_property; /* stood in <{...}>: for the printer */
	uint32_t type;
	uint32_t count;
	int64_t number;
	union {
		const char *text;
		const int64_t *ints;
		const struct gk_ir_attr *items;
		const uint8_t *bytes; /* native elements, little endian: i1 a byte, floats their own format */
	};
};

struct gk_ir_op {
	uint16_t code; /* enum gk_ir_code */
	uint16_t operand_count, result_count;
	uint8_t attr_count, region_count, successor_count;
	uint32_t operands;   /* into module->operands */
	uint32_t results;    /* the first value */
	uint32_t attrs;      /* into module->attrs */
	uint32_t regions;    /* the first region */
	uint32_t successors; /* into module->successors */
	uint32_t loc;
	uint32_t block; /* that it stands in */
	uint32_t end;   /* the operation after it and its nested ones */
};

struct gk_ir_value {
	uint32_t type;
	uint32_t op;    /* that makes it, or GK_IR_NONE for an argument of block */
	uint32_t block; /* of the argument or of op */
	uint32_t index; /* which result or argument */
	uint32_t loc;
	uint32_t uses;
};

struct gk_ir_block {
	uint32_t region;
	uint32_t args, arg_count; /* the first value; consecutive */
	uint32_t first, end;      /* operations; the last one is the terminator */
};

struct gk_ir_region {
	uint32_t op;     /* owner, or GK_IR_NONE for a function's body */
	uint32_t blocks; /* the first block; consecutive, the entry first */
	uint32_t block_count;
};

/* Where a terminator may go, and the operands of it that become the block's arguments. */
struct gk_ir_successor {
	uint32_t block;
	uint32_t operands, operand_count; /* into module->operands */
};

enum gk_ir_loc_kind { GK_IR_LOC_UNKNOWN, GK_IR_LOC_FILE, GK_IR_LOC_NAME, GK_IR_LOC_CALL, GK_IR_LOC_FUSED };
struct gk_ir_loc {
	uint8_t kind;
	const char *text; /* FILE: path; NAME: name */
	uint32_t line, column;
	uint32_t a, b; /* NAME: a child; CALL: a callee, b caller; FUSED: a .. a + b - 1 in module->fused */
};

struct gk_ir_param {
	const char *name; /* in the source, "" when unknown */
	uint32_t type;
	uint32_t value;
	uint32_t attrs, attr_count; /* into module->attrs: tt.divisibility, tt.pointer_range, ... */
};

struct gk_ir_func {
	const char *name;
	bool is_public;
	uint32_t region; /* GK_IR_NONE: only declared (never so in a verified module) */
	struct gk_ir_param *params;
	uint32_t param_count;
	const uint32_t *results; /* types */
	uint32_t result_count;
	uint32_t attrs, attr_count;
	uint32_t loc;
};

struct gk_ir {
	struct gk_arena arena;
	struct gk_ir_type *types;
	struct gk_ir_value *values;
	struct gk_ir_op *ops;
	uint32_t *operands; /* values */
	struct gk_ir_block *blocks;
	struct gk_ir_region *regions;
	struct gk_ir_successor *successors;
	struct gk_ir_attr *attrs;
	struct gk_ir_loc *locs; /* locs[0] is unknown */
	uint32_t *fused;        /* locations */
	struct gk_ir_func *funcs;
	uint32_t type_count, value_count, op_count, operand_count, block_count, region_count, successor_count,
		attr_count, loc_count, fused_count, func_count;
	uint32_t attr_first, attr_last; /* the module's own attributes: attrs[attr_first .. attr_last - 1] */
	uint32_t entry;                 /* the one public function */
	uint32_t code_uses[GK_IR_CODE_COUNT];
};

/*
 * Reads and verifies a module. Errors (GK_ERR_INPUT) read
 * "NAME:LINE:COLUMN: what was expected, what was found", of the IR text. The
 * text need not end with a zero byte. NULL on failure. End with gk_ir_free().
 */
struct gk_ir *gk_ir_read(const char *name, const char *text, size_t size, struct gk_err *e);
void gk_ir_free(struct gk_ir *module);

/* Canonical text that Triton reads; equal modules give equal text, and reading it gives an equal module. */
void gk_ir_print(const struct gk_ir *module, struct gk_buf *out);
/* The same without its tt.print operations: text for the compilers, of kernels that compute the same and say nothing. */
void gk_ir_print_silent(const struct gk_ir *module, struct gk_buf *out);
void gk_ir_print_type(const struct gk_ir *module, uint32_t type, struct gk_buf *out);

/* By name, without "tt.func"; GK_IR_NONE when absent. */
uint32_t gk_ir_func_find(const struct gk_ir *module, const char *name);

/* A line of the source that people know. */
struct gk_ir_place {
	const char *file; /* "" when unknown */
	uint32_t line, column;
	uint32_t call_line, call_column; /* where the kernel called the helper that holds line, else 0 */
	const char *name;                /* of the variable that is assigned, or "" */
};

/*
 * The innermost place of loc that lies in file (NULL: the file of the entry
 * function, that is the candidate), so that a fault within tl.sum is shown at
 * the candidate's line. Falls back to the outermost place known.
 */
void gk_ir_place(const struct gk_ir *module, uint32_t loc, const char *file, struct gk_ir_place *place);

/* NULL when absent. */
const struct gk_ir_attr *gk_ir_attr(const struct gk_ir *module, const struct gk_ir_op *op, const char *name);
const struct gk_ir_attr *gk_ir_attr_in(const struct gk_ir *module, uint32_t attrs, uint32_t count,
                                       const char *name);
/* Number of an INT, BOOL or WORD (UNIT: 1), fallback when absent or another kind. */
int64_t gk_ir_attr_int(const struct gk_ir *module, const struct gk_ir_op *op, const char *name,
                       int64_t fallback);
const char *gk_ir_attr_text(const struct gk_ir *module, const struct gk_ir_op *op, const char *name,
                            const char *fallback);

/* NONE for index, pointers, tensors and descriptors; i1 is GK_BOOL. */
enum gk_dtype gk_ir_kind_dtype(enum gk_ir_kind kind);
size_t gk_ir_kind_bytes(enum gk_ir_kind kind); /* in memory; pointers and index 8 */

static inline bool gk_ir_kind_is_int(enum gk_ir_kind kind)
{
	return kind >= GK_IR_I1 && kind <= GK_IR_INDEX;
}

static inline bool gk_ir_kind_is_float(enum gk_ir_kind kind)
{
	return kind >= GK_IR_F16 && kind < GK_IR_SCALAR_COUNT;
}

static inline const struct gk_ir_type *gk_ir_value_type(const struct gk_ir *module, uint32_t value)
{
	return &module->types[module->values[value].type];
}

/* Kind of one element: of the value itself unless it is a tensor. */
static inline enum gk_ir_kind gk_ir_value_kind(const struct gk_ir *module, uint32_t value)
{
	const struct gk_ir_type *type = gk_ir_value_type(module, value);

	return type->kind == GK_IR_TENSOR ? module->types[type->element].kind : type->kind;
}

static inline uint32_t gk_ir_operand(const struct gk_ir *module, const struct gk_ir_op *op, uint32_t i)
{
	return module->operands[op->operands + i];
}

static inline const struct gk_ir_region *gk_ir_op_region(const struct gk_ir *module,
                                                         const struct gk_ir_op *op, uint32_t i)
{
	return &module->regions[op->regions + i];
}

/* The only block of a structured region, or a region's entry block. */
static inline const struct gk_ir_block *gk_ir_entry_block(const struct gk_ir *module,
                                                          const struct gk_ir_region *region)
{
	return &module->blocks[region->blocks];
}

#endif
