/* The loop for each elementwise operation. */
#include "flat.h"

static enum gk_ir_kind kind_of(const struct gk_ir *ir, uint32_t value)
{
	return vm_kind(gk_ir_value_kind(ir, value));
}

static vm_loop_fn *any_float_loop(enum gk_ir_code code, enum gk_ir_kind kind)
{
	vm_loop_fn *loop = vm_float_loop(code, kind);

	return loop ? loop : vm_math_loop(code, kind);
}

static bool pick_int(const struct gk_ir_op *op, struct vm_op *o)
{
	o->loop = vm_int_loop(op->code, o->kind);
	o->bad = vm_int_bad(op->code, o->kind);
	o->run = o->bad ? vm_run_checked : vm_run_loop;
	if (op->code == GK_IR_ARITH_ANDI)
		o->run = vm_run_and;
	if (op->code == GK_IR_ARITH_ORI)
		o->run = vm_run_or;
	return o->loop != NULL;
}

static bool pick_float(const struct gk_ir *ir, const struct gk_ir_op *op, struct vm_op *o)
{
	if (op->code == GK_IR_TT_CLAMPF)
		o->loop = vm_clamp_loop(!strcmp(gk_ir_attr_text(ir, op, "propagateNan", "none"), "all"), o->kind);
	else
		o->loop = any_float_loop(op->code, o->kind);
	o->run = vm_run_loop;
	o->round = vm_is_small_float(o->kind) ? o->kind : 0;
	return o->loop != NULL;
}

static bool pick_compare(const struct gk_ir *ir, const struct gk_ir_op *op, struct vm_op *o)
{
	int predicate = (int)gk_ir_attr_int(ir, op, "predicate", -1);

	o->from = (uint8_t)kind_of(ir, gk_ir_operand(ir, op, 0));
	o->loop = op->code == GK_IR_ARITH_CMPI ? vm_cmpi_loop(predicate, o->from) : vm_cmpf_loop(predicate, o->from);
	o->run = vm_run_loop;
	return o->loop != NULL;
}

static bool is_toward_zero(const struct gk_ir *ir, const struct gk_ir_op *op)
{
	return !strcmp(gk_ir_attr_text(ir, op, "rounding", ""), "rtz") ||
	       !strcmp(gk_ir_attr_text(ir, op, "roundingmode", ""), "toward_zero");
}

static bool pick_cast(const struct gk_ir *ir, const struct gk_ir_op *op, struct vm_op *o)
{
	bool to_float = gk_ir_kind_is_float(o->kind);

	o->from = (uint8_t)kind_of(ir, gk_ir_operand(ir, op, 0));
	o->run = vm_run_loop;
	if (op->code == GK_IR_TT_BITCAST || op->code == GK_IR_ARITH_BITCAST) {
		o->run = vm_run_bitcast;
		return true;
	}
	/* From 64 bits to a small float in one rounding, or with another rounding: by the lane. */
	if (to_float && vm_is_small_float(o->kind) &&
	    (is_toward_zero(ir, op) || o->from == GK_IR_F64 || o->from == GK_IR_I32 || o->from == GK_IR_I64)) {
		o->run = vm_run_round_cast;
		o->imm = is_toward_zero(ir, op);
		return true;
	}
	if (o->kind == GK_IR_F32 && o->from == GK_IR_F64 && is_toward_zero(ir, op)) {
		o->run = vm_run_round_cast;
		o->imm = 1;
		return true;
	}
	o->loop = vm_cast_loop(op->code, o->from, o->kind);
	o->round = to_float && vm_is_small_float(o->kind) ? o->kind : 0;
	return o->loop != NULL;
}

static bool pick_extern(const struct gk_ir *ir, const struct gk_ir_op *op, struct vm_op *o)
{
	enum gk_ir_kind kinds[4] = {o->kind};

	if (op->operand_count < 1 || op->operand_count > 3)
		return false;
	for (uint32_t i = 0; i < op->operand_count; i++)
		kinds[i + 1] = kind_of(ir, gk_ir_operand(ir, op, i));
	o->loop = vm_extern_loop(gk_ir_attr_text(ir, op, "symbol", ""), kinds);
	o->run = vm_run_loop;
	return o->loop != NULL;
}

/* Bytes that one step of a pointer is worth. */
static int64_t step_bytes(const struct gk_ir *ir, uint32_t pointer)
{
	const struct gk_ir_type *type = gk_ir_value_type(ir, pointer);

	if (type->kind == GK_IR_TENSOR)
		type = &ir->types[type->element];
	return (int64_t)gk_ir_kind_bytes(ir->types[type->element].kind);
}

bool vm_pick(const struct gk_ir *ir, const struct gk_ir_op *op, struct vm_op *o)
{
	if (op->result_count != 1)
		return false;
	o->kind = (uint8_t)kind_of(ir, op->results);
	switch (gk_ir_ops[op->code].class) {
	case GK_IR_CLASS_INT:
		return pick_int(op, o);
	case GK_IR_CLASS_FLOAT:
		return pick_float(ir, op, o);
	case GK_IR_CLASS_COMPARE:
		return pick_compare(ir, op, o);
	case GK_IR_CLASS_SELECT:
		if (o->kind == GK_IR_DESC)
			return false;
		o->run = vm_run_select;
		o->imm = gk_ir_value_type(ir, gk_ir_operand(ir, op, 0))->kind != GK_IR_TENSOR &&
		         gk_ir_value_type(ir, op->results)->kind == GK_IR_TENSOR;
		return true;
	case GK_IR_CLASS_CAST:
		return pick_cast(ir, op, o);
	case GK_IR_CLASS_POINTER:
		o->run = vm_run_addptr;
		o->imm = step_bytes(ir, gk_ir_operand(ir, op, 0));
		o->from = (uint8_t)kind_of(ir, gk_ir_operand(ir, op, 1));
		return true;
	default:
		return op->code == GK_IR_TT_EXTERN && pick_extern(ir, op, o);
	}
}
