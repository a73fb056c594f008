/*
 * Structured control flow, branches and calls as jumps over flat code. Values
 * that are carried (loop arguments, results of scf.if, block arguments) are virtuals
 * that moves fill; a move whose source dies is done by exchanging two registers.
 */
#include "flat.h"

#include "base/memory.h"

#define MAX_CALL_DEPTH 32

static uint32_t position(const struct vm_flat *f)
{
	return (uint32_t)f->p->code.count;
}

static uint32_t emit_jump(struct vm_flat *f, const struct gk_ir_op *op, uint32_t target)
{
	struct vm_op o = vm_op_of(f, op, vm_run_jump);

	o.imm = target;
	if (target <= position(f))
		gk_vec_push(&f->loops, (struct vm_span){target, position(f)});
	return vm_emit(f, &o);
}

/* Goes on where the condition is true, jumps where it is false. */
static uint32_t emit_branch(struct vm_flat *f, const struct gk_ir_op *op, uint32_t condition)
{
	struct vm_op o = vm_op_of(f, op, vm_run_branch);

	o.src[0] = condition;
	return vm_emit(f, &o);
}

static void land(struct vm_flat *f, uint32_t jump)
{
	if (jump < f->p->code.count)
		f->p->code.items[jump].imm = position(f);
}

static uint32_t new_like(struct vm_flat *f, uint32_t value)
{
	const struct gk_ir_type *type = gk_ir_value_type(f->ir, value);

	return f->map[value] = vm_virtual_new(f, gk_ir_value_kind(f->ir, value), type->count);
}

static const struct gk_ir_op *terminator(const struct vm_flat *f, const struct gk_ir_block *block)
{
	return &f->ir->ops[block->end - 1];
}

/* dsts[i] <- operand first + i of op */
static void move_operands(struct vm_flat *f, const struct gk_ir_op *op, const uint32_t *dsts, uint32_t first,
                          uint32_t count)
{
	gk_free_auto struct vm_pair *pairs = gk_alloc_array(count, sizeof *pairs);

	for (uint32_t i = 0; i < count; i++)
		pairs[i] = (struct vm_pair){dsts[i], vm_operand(f, op, first + i)};
	vm_emit_moves(f, op, pairs, count);
}

static uint32_t *new_args(struct vm_flat *f, const struct gk_ir_block *block, uint32_t first)
{
	uint32_t *virtuals = gk_alloc_array(block->arg_count, sizeof *virtuals);

	for (uint32_t i = first; i < block->arg_count; i++)
		virtuals[i - first] = new_like(f, block->args + i);
	return virtuals;
}

/*
 *         carried <- initial; i <- from; if !(i < to) goto end
 *   body: ... carried <- yielded; i += step; if (i < to) goto body
 *   end:
 */
static void flat_for(struct vm_flat *f, const struct gk_ir_op *op)
{
	const struct gk_ir_block *block = gk_ir_entry_block(f->ir, gk_ir_op_region(f->ir, op, 0));
	uint32_t count = op->operand_count - 3, index = new_like(f, block->args), first, body;
	gk_free_auto uint32_t *carried = new_args(f, block, 1);
	struct vm_op o = vm_op_of(f, op, vm_run_for_first);

	move_operands(f, op, carried, 3, count);
	move_operands(f, op, &index, 0, 1);
	o.dst = o.src[0] = index;
	o.src[1] = vm_operand(f, op, 1);
	o.src[2] = vm_operand(f, op, 2);
	o.kind = f->virtuals.items[index].kind;
	o.from = gk_ir_attr(f->ir, op, "unsignedCmp") != NULL;
	first = vm_emit(f, &o);
	body = position(f);
	vm_flat_block(f, block);
	move_operands(f, terminator(f, block), carried, 0, count);
	o.run = vm_run_for_next;
	o.imm = body;
	gk_vec_push(&f->loops, (struct vm_span){body, position(f)});
	vm_emit(f, &o);
	land(f, first);
	for (uint32_t i = 0; i < count; i++)
		f->map[op->results + i] = carried[i];
}

static void flat_branch_of_if(struct vm_flat *f, const struct gk_ir_op *op, uint32_t region, const uint32_t *results)
{
	const struct gk_ir_block *block = gk_ir_entry_block(f->ir, gk_ir_op_region(f->ir, op, region));

	vm_flat_block(f, block);
	move_operands(f, terminator(f, block), results, 0, op->result_count);
}

static void flat_if(struct vm_flat *f, const struct gk_ir_op *op)
{
	gk_free_auto uint32_t *results = gk_alloc_array(op->result_count, sizeof *results);
	uint32_t to_else, to_end;
	bool has_else = op->region_count > 1 && gk_ir_op_region(f->ir, op, 1)->block_count;

	for (uint32_t i = 0; i < op->result_count; i++)
		results[i] = vm_result_new(f, op, i);
	to_else = emit_branch(f, op, vm_operand(f, op, 0));
	flat_branch_of_if(f, op, 0, results);
	if (!has_else) {
		land(f, to_else);
		return;
	}
	to_end = emit_jump(f, op, VM_NONE);
	land(f, to_else);
	flat_branch_of_if(f, op, 1, results);
	land(f, to_end);
}

/*
 *         before <- initial
 *   test: ... after <- of the condition; if !condition goto end
 *         ... before <- yielded; goto test
 *   end:
 */
static void flat_while(struct vm_flat *f, const struct gk_ir_op *op)
{
	const struct gk_ir_block *test = gk_ir_entry_block(f->ir, gk_ir_op_region(f->ir, op, 0));
	const struct gk_ir_block *body = gk_ir_entry_block(f->ir, gk_ir_op_region(f->ir, op, 1));
	gk_free_auto uint32_t *before = new_args(f, test, 0);
	gk_free_auto uint32_t *after = new_args(f, body, 0);
	uint32_t top, leave;

	move_operands(f, op, before, 0, test->arg_count);
	top = position(f);
	vm_flat_block(f, test);
	move_operands(f, terminator(f, test), after, 1, body->arg_count);
	leave = emit_branch(f, terminator(f, test), vm_operand(f, terminator(f, test), 0));
	vm_flat_block(f, body);
	move_operands(f, terminator(f, body), before, 0, test->arg_count);
	emit_jump(f, op, top);
	land(f, leave);
	for (uint32_t i = 0; i < op->result_count; i++)
		f->map[op->results + i] = after[i];
}

static void flat_goto(struct vm_flat *f, const struct gk_ir_op *op, uint32_t i)
{
	const struct gk_ir_successor *to = &f->ir->successors[op->successors + i];
	const struct gk_ir_block *block = &f->ir->blocks[to->block];
	gk_free_auto struct vm_pair *pairs = gk_alloc_array(to->operand_count, sizeof *pairs);

	for (uint32_t j = 0; j < to->operand_count; j++)
		pairs[j] = (struct vm_pair){f->map[block->args + j], f->map[f->ir->operands[to->operands + j]]};
	vm_emit_moves(f, op, pairs, to->operand_count);
	gk_vec_push(&f->patches, (struct vm_patch){position(f), to->block});
	emit_jump(f, op, VM_NONE);
}

static void flat_cond_br(struct vm_flat *f, const struct gk_ir_op *op)
{
	uint32_t to_false = emit_branch(f, op, vm_operand(f, op, 0));

	flat_goto(f, op, 0);
	land(f, to_false);
	flat_goto(f, op, 1);
}

static void flat_return(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_op end = vm_op_of(f, op, vm_run_end);

	if (!f->returns) {
		vm_emit(f, &end);
		return;
	}
	move_operands(f, op, f->returns, 0, op->operand_count);
	gk_vec_push(&f->ends, position(f));
	emit_jump(f, op, VM_NONE);
}

static void flat_call(struct vm_flat *f, const struct gk_ir_op *op)
{
	uint32_t callee = gk_ir_func_find(f->ir, gk_ir_attr_text(f->ir, op, "callee", ""));
	const struct gk_ir_func *func = callee == GK_IR_NONE ? NULL : &f->ir->funcs[callee];
	const uint32_t *outer = f->returns;
	size_t outer_ends = f->ends.count;
	gk_free_auto uint32_t *results = gk_alloc_array((size_t)op->result_count + 1, sizeof *results);

	if (!func || func->region == GK_IR_NONE || f->depth >= MAX_CALL_DEPTH || *f->p->refusal) {
		vm_emit_refusal(f, op, func ? "calls nested as deeply as this" : "a call of an unknown function");
		return;
	}
	for (uint32_t i = 0; i < func->param_count; i++)
		f->map[func->params[i].value] = vm_operand(f, op, i);
	for (uint32_t i = 0; i < op->result_count; i++)
		results[i] = vm_result_new(f, op, i);
	f->returns = results;
	f->depth++;
	vm_flat_function(f, func);
	f->depth--;
	f->returns = outer;
	while (f->ends.count > outer_ends)
		land(f, f->ends.items[--f->ends.count]);
}

void vm_flat_control(struct vm_flat *f, const struct gk_ir_op *op)
{
	switch (op->code) {
	case GK_IR_SCF_FOR:
		flat_for(f, op);
		break;
	case GK_IR_SCF_IF:
		flat_if(f, op);
		break;
	case GK_IR_SCF_WHILE:
		flat_while(f, op);
		break;
	case GK_IR_CF_BR:
		flat_goto(f, op, 0);
		break;
	case GK_IR_CF_COND_BR:
		flat_cond_br(f, op);
		break;
	case GK_IR_TT_RETURN:
		flat_return(f, op);
		break;
	case GK_IR_TT_CALL:
		flat_call(f, op);
		break;
	default: /* yield, condition: what they stand in has moved their operands */
		break;
	}
}

/* Jumps between the blocks of one function. Those that lead back are loops, for the sake of liveness. */
static void patch(struct vm_flat *f, size_t first, const uint32_t *starts, uint32_t first_block)
{
	for (size_t i = first; i < f->patches.count; i++) {
		struct vm_patch p = f->patches.items[i];
		uint32_t target = starts[p.block - first_block];

		if (p.op >= f->p->code.count)
			continue;
		f->p->code.items[p.op].imm = target;
		if (target <= p.op)
			gk_vec_push(&f->loops, (struct vm_span){target, p.op});
	}
	f->patches.count = first;
}

static const struct gk_ir_successor *successor(const struct vm_flat *f, uint32_t block, uint32_t i)
{
	const struct gk_ir_op *end = terminator(f, &f->ir->blocks[block]);

	return i < end->successor_count ? &f->ir->successors[end->successors + i] : NULL;
}

/*
 * The blocks that can be reached, each after those that dominate it: in reverse
 * order of leaving them on a walk in depth. Answers how many; order has room for all.
 */
static uint32_t order_blocks(const struct vm_flat *f, const struct gk_ir_region *region, uint32_t *order)
{
	uint32_t count = region->block_count, depth = 0, left = count;
	gk_free_auto uint32_t *path = gk_alloc_array(count, sizeof *path);
	gk_free_auto uint32_t *next = gk_alloc_array(count, sizeof *next); /* successor to look at; 0 not entered */

	path[depth++] = 0;
	next[0] = 1;
	while (depth) {
		uint32_t block = path[depth - 1];
		const struct gk_ir_successor *to = successor(f, region->blocks + block, next[block] - 1);
		uint32_t target = to ? to->block - region->blocks : 0;

		if (!to) {
			order[--left] = block;
			depth--;
			continue;
		}
		next[block]++;
		if (!next[target]) {
			next[target] = 1;
			path[depth++] = target;
		}
	}
	memmove(order, order + left, (count - left) * sizeof *order);
	return count - left;
}

void vm_flat_function(struct vm_flat *f, const struct gk_ir_func *func)
{
	const struct gk_ir_region *region = &f->ir->regions[func->region];
	gk_free_auto uint32_t *starts = gk_alloc_array(region->block_count, sizeof *starts);
	gk_free_auto uint32_t *order = gk_alloc_array(region->block_count, sizeof *order);
	uint32_t count = order_blocks(f, region, order);
	size_t first_patch = f->patches.count;

	for (uint32_t b = 1; b < region->block_count; b++)
		for (uint32_t i = 0; i < f->ir->blocks[region->blocks + b].arg_count; i++) {
			uint32_t arg = new_like(f, f->ir->blocks[region->blocks + b].args + i);

			f->virtuals.items[arg].is_block_arg = true;
		}
	for (uint32_t b = 0; b < count; b++) {
		starts[order[b]] = position(f);
		vm_flat_block(f, &f->ir->blocks[region->blocks + order[b]]);
	}
	patch(f, first_patch, starts, region->blocks);
}
