/* While a module becomes flat code: values before they have registers. */
#ifndef GK_VM_FLAT_H
#define GK_VM_FLAT_H

#include "machine.h"

/*
 * A value of the flat program. first .. last are the positions in main code
 * between which it holds something that is still needed; a pinned one has its register for itself, filled once
 * for all programs.
 */
struct vm_virtual {
	uint32_t n;
	uint8_t kind;
	bool is_pinned;
	bool is_block_arg; /* lives through every loop that it is met in */
	uint32_t first, last;
	uint32_t reg;
};

struct vm_span { /* a loop: position of its first operation and of the jump back */
	uint32_t first, last;
};

struct vm_lane_list { /* virtuals in an operation's extra, to be made registers */
	uint32_t *regs;
	uint32_t count;
};

struct vm_pair {
	uint32_t dst, src;
};

struct vm_patch { /* a jump of main code and the block it leads to */
	uint32_t op, block;
};

enum vm_where { VM_IN_CODE, VM_IN_SIDE };

struct vm_flat {
	struct gk_vm_program *p;
	const struct gk_ir *ir;
	struct GK_VEC(struct vm_virtual) virtuals;
	struct GK_VEC(struct vm_lane_list) lists;
	struct GK_VEC(struct vm_span) loops;
	uint32_t *map;       /* value of the module -> virtual */
	enum vm_where where; /* where operations are added */
	uint32_t lanes;      /* in a region of reduce or scan: lanes of its scalars; else 1 */
	uint32_t depth;      /* of calls */
	const uint32_t *returns; /* virtuals of the results of the function being inlined, NULL for the entry */
	struct GK_VEC(uint32_t) ends; /* jumps to the end of the function being inlined */
	struct GK_VEC(struct vm_patch) patches;
	struct GK_VEC(struct vm_pair) captured; /* values that a region sees widened, and their virtuals outside */
};

/* flat.c */
uint32_t vm_virtual_new(struct vm_flat *f, enum gk_ir_kind kind, uint32_t n);
uint32_t vm_result_new(struct vm_flat *f, const struct gk_ir_op *op, uint32_t i); /* and maps it */
uint32_t vm_operand(const struct vm_flat *f, const struct gk_ir_op *op, uint32_t i);
/* Appends an operation; answers its position. Registers in it are virtuals. */
uint32_t vm_emit(struct vm_flat *f, const struct vm_op *op);
/* One that depends on its operands only: runs once for all programs where these are pinned. */
void vm_emit_pure(struct vm_flat *f, const struct vm_op *op);
struct vm_op vm_op_of(const struct vm_flat *f, const struct gk_ir_op *op, vm_run_fn *run);
void vm_emit_refusal(struct vm_flat *f, const struct gk_ir_op *op, const char *why);
/* dst <- src for all pairs at once. */
void vm_emit_moves(struct vm_flat *f, const struct gk_ir_op *op, const struct vm_pair *pairs, uint32_t count);
uint32_t *vm_list_new(struct vm_flat *f, uint32_t count); /* of virtuals, filled by the caller before it emits */
void vm_touch_list(struct vm_flat *f, const uint32_t *virtuals, uint32_t count);
void vm_flat_op(struct vm_flat *f, const struct gk_ir_op *op);
void vm_flat_block(struct vm_flat *f, const struct gk_ir_block *block);
struct vm_shape vm_shape_of(const struct gk_ir *ir, uint32_t type);

/* control.c: scf, cf, functions */
void vm_flat_control(struct vm_flat *f, const struct gk_ir_op *op);
void vm_flat_function(struct vm_flat *f, const struct gk_ir_func *func);

/* pick.c: the loop for an elementwise operation; false when it has none */
bool vm_pick(const struct gk_ir *ir, const struct gk_ir_op *op, struct vm_op *o);

/* tile.c: memory, shapes, folds, dots, descriptors; false when it knows no way */
bool vm_flat_tile(struct vm_flat *f, const struct gk_ir_op *op);

/* assign.c: liveness, registers, moves that can be swaps */
void vm_assign(struct vm_flat *f);

#endif
