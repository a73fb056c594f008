#include "writes.h"

#include <stdlib.h>

#include "base/memory.h"

#define WORDS (GK_PLAN_MAX_ARGS / 64)

/* For each value, the parameters whose address it may hold. */
struct flow {
	const struct gk_ir *ir;
	struct gk_plan_writes *values;
	struct gk_plan_writes *written;
	bool changed;
};

static void add(struct flow *f, struct gk_plan_writes *to, const struct gk_plan_writes *from)
{
	for (int i = 0; i < WORDS; i++) {
		f->changed |= (from->bits[i] & ~to->bits[i]) != 0;
		to->bits[i] |= from->bits[i];
	}
}

static bool may_hold_address(const struct flow *f, uint32_t value)
{
	enum gk_ir_kind kind = gk_ir_value_kind(f->ir, value);

	return kind == GK_IR_PTR || kind == GK_IR_DESC || kind == GK_IR_I64;
}

static void add_value(struct flow *f, uint32_t value, const struct gk_plan_writes *from)
{
	if (may_hold_address(f, value))
		add(f, &f->values[value], from);
}

static bool writes_first_operand(uint16_t code)
{
	switch (code) {
	case GK_IR_TT_STORE:
	case GK_IR_TT_ATOMIC_RMW:
	case GK_IR_TT_ATOMIC_CAS:
	case GK_IR_TT_ATOMIC_STORE:
	case GK_IR_TT_DESC_STORE:
	case GK_IR_TT_DESC_REDUCE:
	case GK_IR_TT_DESC_SCATTER:
		return true;
	default:
		return false;
	}
}

/* Assembly and called functions may do anything with what they are given. */
static bool writes_any_operand(uint16_t code)
{
	return code == GK_IR_TT_INLINE_ASM || code == GK_IR_TT_CALL || code == GK_IR_TT_EXTERN;
}

static void flow_to_regions(struct flow *f, const struct gk_ir_op *op, const struct gk_plan_writes *from)
{
	for (uint32_t i = 0; i < op->region_count; i++) {
		const struct gk_ir_block *block = gk_ir_entry_block(f->ir, gk_ir_op_region(f->ir, op, i));

		for (uint32_t k = 0; k < block->arg_count; k++)
			add_value(f, block->args + k, from);
	}
}

/* What a region yields becomes its operation's results and, around a loop, its arguments. */
static void flow_to_owner(struct flow *f, const struct gk_ir_op *op, const struct gk_plan_writes *from)
{
	uint32_t owner = f->ir->regions[f->ir->blocks[op->block].region].op;
	const struct gk_ir_op *parent;

	if (owner == GK_IR_NONE || (op->code != GK_IR_SCF_YIELD && op->code != GK_IR_SCF_CONDITION))
		return;
	parent = &f->ir->ops[owner];
	for (uint32_t i = 0; i < parent->result_count; i++)
		add_value(f, parent->results + i, from);
	flow_to_regions(f, parent, from);
}

static void flow_operand(struct flow *f, const struct gk_ir_op *op, uint32_t i)
{
	const struct gk_plan_writes *from = &f->values[gk_ir_operand(f->ir, op, i)];

	if (writes_any_operand(op->code) || (i == 0 && writes_first_operand(op->code)))
		add(f, f->written, from);
	for (uint32_t k = 0; k < op->result_count; k++)
		add_value(f, op->results + k, from);
	flow_to_regions(f, op, from);
	flow_to_owner(f, op, from);
	for (uint32_t k = 0; k < op->successor_count; k++) {
		const struct gk_ir_successor *to = &f->ir->successors[op->successors + k];
		uint32_t first = to->operands - op->operands;

		if (i >= first && i < first + to->operand_count)
			add_value(f, f->ir->blocks[to->block].args + i - first, from);
	}
}

void gk_plan_find_writes(const struct gk_ir *ir, struct gk_plan_writes *writes)
{
	const struct gk_ir_func *entry = &ir->funcs[ir->entry];
	struct flow f = {.ir = ir, .written = writes, .changed = true};

	*writes = (struct gk_plan_writes){{0}};
	f.values = gk_alloc_array(ir->value_count + 1, sizeof *f.values);
	for (uint32_t i = 0; i < entry->param_count && i < GK_PLAN_MAX_ARGS; i++)
		f.values[entry->params[i].value].bits[i / 64] |= (uint64_t)1 << i % 64;
	while (f.changed) {
		f.changed = false;
		for (uint32_t i = 0; i < ir->op_count; i++)
			for (uint32_t k = 0; k < ir->ops[i].operand_count; k++)
				flow_operand(&f, &ir->ops[i], k);
	}
	free(f.values);
}

bool gk_plan_may_write(const struct gk_plan_writes *writes, uint32_t param)
{
	return param < GK_PLAN_MAX_ARGS && writes->bits[param / 64] >> param % 64 & 1;
}
