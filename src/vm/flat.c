/*
 * From a module to flat code. Each value becomes a virtual register; what only
 * renames elements (expand_dims, reshape) becomes another name for the same one.
 */
#include "flat.h"

#include "base/memory.h"

uint32_t vm_virtual_new(struct vm_flat *f, enum gk_ir_kind kind, uint32_t n)
{
	gk_vec_push(&f->virtuals, (struct vm_virtual){.n = n, .kind = (uint8_t)vm_kind(kind), .first = VM_NONE});
	return (uint32_t)f->virtuals.count - 1;
}

uint32_t vm_result_new(struct vm_flat *f, const struct gk_ir_op *op, uint32_t i)
{
	uint32_t value = op->results + i;
	const struct gk_ir_type *type = gk_ir_value_type(f->ir, value);
	uint32_t n = type->kind == GK_IR_TENSOR ? type->count : f->lanes;

	return f->map[value] = vm_virtual_new(f, gk_ir_value_kind(f->ir, value), n);
}

uint32_t vm_operand(const struct vm_flat *f, const struct gk_ir_op *op, uint32_t i)
{
	uint32_t virtual = f->map[gk_ir_operand(f->ir, op, i)];

	/* The verifier has seen to it that what is used was made before. */
	if (virtual == VM_NONE)
		gk_bug("operand %u of %s has no register", i, gk_ir_ops[op->code].name);
	return virtual;
}

static void touch(struct vm_flat *f, uint32_t virtual)
{
	struct vm_virtual *v;
	uint32_t at = (uint32_t)f->p->code.count;

	if (virtual == VM_NONE)
		return;
	v = &f->virtuals.items[virtual];
	if (v->first == VM_NONE)
		v->first = v->last = at;
	v->first = v->first < at ? v->first : at;
	v->last = v->last > at ? v->last : at;
}

void vm_touch_list(struct vm_flat *f, const uint32_t *virtuals, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		touch(f, virtuals[i]);
}

uint32_t *vm_list_new(struct vm_flat *f, uint32_t count)
{
	uint32_t *regs = gk_arena_array(&f->p->arena, count, sizeof *regs);

	gk_vec_push(&f->lists, (struct vm_lane_list){regs, count});
	return regs;
}

struct vm_op vm_op_of(const struct vm_flat *f, const struct gk_ir_op *op, vm_run_fn *run)
{
	struct vm_op o = {.run = run, .code = op->code, .loc = op->loc, .dst = VM_NONE, .n = 1};

	(void)f;
	for (int i = 0; i < 3; i++)
		o.src[i] = VM_NONE;
	return o;
}

/* Too much code is refused as a whole: what was emitted will not run. */
static bool is_full(struct vm_flat *f)
{
	if (f->p->code.count + f->p->side.count + f->p->once.count < VM_MAX_CODE)
		return false;
	f->p->refusal_kind = GK_VM_UNSUPPORTED;
	snprintf(f->p->refusal, sizeof f->p->refusal, "more than %u operations after inlining", VM_MAX_CODE);
	return true;
}

uint32_t vm_emit(struct vm_flat *f, const struct vm_op *op)
{
	if (is_full(f))
		return 0;
	touch(f, op->dst);
	vm_touch_list(f, op->src, 3);
	if (f->where == VM_IN_SIDE) {
		gk_vec_push(&f->p->side, *op);
		return (uint32_t)f->p->side.count - 1;
	}
	gk_vec_push(&f->p->code, *op);
	return (uint32_t)f->p->code.count - 1;
}

static bool is_pinned(const struct vm_flat *f, uint32_t virtual)
{
	return virtual == VM_NONE || f->virtuals.items[virtual].is_pinned;
}

void vm_emit_pure(struct vm_flat *f, const struct vm_op *op)
{
	if (f->where == VM_IN_SIDE || !is_pinned(f, op->src[0]) || !is_pinned(f, op->src[1]) ||
	    !is_pinned(f, op->src[2])) {
		vm_emit(f, op);
		return;
	}
	if (is_full(f))
		return;
	f->virtuals.items[op->dst].is_pinned = true;
	gk_vec_push(&f->p->once, *op);
}

void vm_emit_refusal(struct vm_flat *f, const struct gk_ir_op *op, const char *why)
{
	struct vm_op o = vm_op_of(f, op, vm_run_refuse);

	o.extra = gk_arena_string(&f->p->arena, why);
	for (uint32_t i = 0; i < op->result_count; i++)
		vm_result_new(f, op, i);
	vm_emit(f, &o);
}

static void emit_move(struct vm_flat *f, const struct gk_ir_op *op, uint32_t dst, uint32_t src)
{
	struct vm_op o = vm_op_of(f, op, vm_run_move);

	o.dst = dst;
	o.src[0] = src;
	o.n = f->virtuals.items[dst].n;
	o.kind = f->virtuals.items[dst].kind;
	vm_emit(f, &o);
}

static bool is_source(const struct vm_pair *pairs, uint32_t count, uint32_t virtual, uint32_t except)
{
	for (uint32_t i = 0; i < count; i++)
		if (i != except && pairs[i].src == virtual)
			return true;
	return false;
}

void vm_emit_moves(struct vm_flat *f, const struct gk_ir_op *op, const struct vm_pair *pairs, uint32_t count)
{
	gk_free_auto struct vm_pair *left = gk_alloc_array(count, sizeof *left);
	uint32_t left_count = 0;

	for (uint32_t i = 0; i < count; i++)
		if (pairs[i].dst != pairs[i].src)
			left[left_count++] = pairs[i];
	while (left_count) {
		uint32_t i = 0;

		while (i < left_count && is_source(left, left_count, left[i].dst, i))
			i++;
		if (i < left_count) {
			emit_move(f, op, left[i].dst, left[i].src);
			left[i] = left[--left_count];
			continue;
		}
		/* Only cycles are left: what the first one overwrites is set aside. */
		uint32_t lost = left[0].dst;
		uint32_t aside = vm_virtual_new(f, f->virtuals.items[lost].kind, f->virtuals.items[lost].n);

		emit_move(f, op, aside, lost);
		for (uint32_t j = 0; j < left_count; j++)
			if (left[j].src == lost)
				left[j].src = aside;
	}
}

struct vm_shape vm_shape_of(const struct gk_ir *ir, uint32_t type)
{
	const struct gk_ir_type *t = &ir->types[type];
	struct vm_shape shape = {.rank = t->kind == GK_IR_TENSOR ? t->rank : 0};

	for (uint32_t i = 0; i < shape.rank; i++)
		shape.dims[i] = t->shape[i];
	return shape;
}

static const uint8_t *constant_bytes(struct vm_flat *f, const struct gk_ir_attr *value)
{
	uint8_t *bytes = gk_arena_alloc(&f->p->arena, 8);

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)value->number >> 8 * i);
	return bytes;
}

static void flat_constant(struct vm_flat *f, const struct gk_ir_op *op)
{
	uint32_t dst = vm_result_new(f, op, 0);
	struct vm_virtual *v = &f->virtuals.items[dst];
	const struct gk_ir_attr *value = gk_ir_attr(f->ir, op, "value");
	struct vm_fill fill = {.reg = dst, .n = v->n, .kind = (uint8_t)v->kind, .is_splat = true};

	v->is_pinned = true;
	if (op->code == GK_IR_TT_MAKE_RANGE) {
		fill.is_range = true;
		fill.start = gk_ir_attr_int(f->ir, op, "start", 0);
	} else if (op->code == GK_IR_UB_POISON || !value) {
		fill.is_poison = true;
	} else if (value->kind == GK_IR_ATTR_DENSE) {
		fill.is_splat = value->count == 1;
		fill.bytes = value->bytes;
	} else {
		fill.bytes = constant_bytes(f, value);
	}
	gk_vec_push(&f->p->fills, fill);
}

static bool is_rename(enum gk_ir_code code)
{
	return code == GK_IR_TT_EXPAND_DIMS || code == GK_IR_TT_RESHAPE || code == GK_IR_TT_UNSPLAT ||
	       code == GK_IR_TT_INT_TO_PTR || code == GK_IR_TT_PTR_TO_INT;
}

static bool is_nothing(enum gk_ir_code code)
{
	return code == GK_IR_GPU_BARRIER || code == GK_IR_TTG_BARRIER || code == GK_IR_TT_GDC_WAIT ||
	       code == GK_IR_TT_GDC_LAUNCH || code == GK_IR_LLVM_ASSUME || code == GK_IR_TT_REDUCE_RETURN ||
	       code == GK_IR_TT_SCAN_RETURN;
}

static void flat_elementwise(struct vm_flat *f, const struct gk_ir_op *op, struct vm_op *o)
{
	o->src_count = (uint8_t)op->operand_count;
	for (uint32_t i = 0; i < op->operand_count; i++)
		o->src[i] = vm_operand(f, op, i);
	o->dst = vm_result_new(f, op, 0);
	o->n = f->virtuals.items[o->dst].n;
	vm_emit_pure(f, o);
}

/* Scalars from outside of a reduce region become as wide as its own. */
static void widen_captured(struct vm_flat *f, const struct gk_ir_op *op)
{
	for (uint32_t i = 0; i < op->operand_count; i++) {
		uint32_t value = gk_ir_operand(f->ir, op, i), old = f->map[value];
		struct vm_op o = vm_op_of(f, op, vm_run_splat);

		if (f->virtuals.items[old].n == f->lanes)
			continue;
		o.src[0] = old;
		o.kind = f->virtuals.items[old].kind;
		o.n = f->lanes;
		o.dst = vm_virtual_new(f, o.kind, f->lanes);
		gk_vec_push(&f->captured, (struct vm_pair){value, old});
		f->map[value] = o.dst;
		vm_emit(f, &o);
	}
}

static bool has_tensor(const struct vm_flat *f, const struct gk_ir_op *op)
{
	for (uint32_t i = 0; i < op->operand_count; i++)
		if (gk_ir_value_type(f->ir, gk_ir_operand(f->ir, op, i))->kind == GK_IR_TENSOR)
			return true;
	return op->result_count && gk_ir_value_type(f->ir, op->results)->kind == GK_IR_TENSOR;
}

/* The largest number that all of an operation's hints of alignment are multiples of; 1: there are none. */
static int64_t promised(const struct gk_ir *ir, const struct gk_ir_op *op)
{
	const struct gk_ir_attr *hint = gk_ir_attr(ir, op, "tt.divisibility");
	int64_t most = 1;

	for (uint32_t i = 0; hint && hint->kind == GK_IR_ATTR_DENSE && i < hint->count; i++) {
		int32_t number;

		memcpy(&number, hint->bytes + (size_t)i * sizeof number, sizeof number);
		most = number > 0 && (number & -number) > most ? number & -number : most;
	}
	return most;
}

/* No access is wider than WIDEST: compilers have no use for more than that of a promise, nor do buffers keep it. */
static void flat_promise(struct vm_flat *f, const struct gk_ir_op *op)
{
	enum { WIDEST = 16 };
	int64_t number = op->code == GK_IR_TT_ADDPTR && f->where == VM_IN_CODE ? promised(f->ir, op) : 1;
	struct vm_op o = vm_op_of(f, op, vm_run_promise);

	if (number == 1)
		return;
	o.src[0] = f->map[op->results];
	o.src_count = 1;
	o.n = 1;
	o.imm = number < WIDEST ? number : WIDEST;
	vm_emit(f, &o);
}

void vm_flat_op(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_op o = vm_op_of(f, op, NULL);
	uint8_t class = gk_ir_ops[op->code].class;

	/* In a region of reduce or scan every value has as many lanes as are folded at once: no tiles of its own. */
	if (f->where == VM_IN_SIDE && has_tensor(f, op)) {
		vm_emit_refusal(f, op, "a tensor in the region of a reduction");
		return;
	}
	if (f->where == VM_IN_SIDE)
		widen_captured(f, op);
	if (class == GK_IR_CLASS_CONSTANT)
		flat_constant(f, op);
	else if (is_rename(op->code))
		f->map[op->results] = vm_operand(f, op, 0);
	else if (is_nothing(op->code))
		return;
	else if (vm_pick(f->ir, op, &o))
		flat_elementwise(f, op, &o);
	else if (f->where == VM_IN_CODE && class == GK_IR_CLASS_CONTROL)
		vm_flat_control(f, op);
	else if (f->where == VM_IN_SIDE || !vm_flat_tile(f, op))
		vm_emit_refusal(f, op, gk_ir_attr_text(f->ir, op, "symbol", ""));
	flat_promise(f, op);
}

void vm_flat_block(struct vm_flat *f, const struct gk_ir_block *block)
{
	for (uint32_t i = block->first; i < block->end; i = f->ir->ops[i].end)
		vm_flat_op(f, &f->ir->ops[i]);
}

static void flat_params(struct vm_flat *f)
{
	struct gk_vm_program *p = f->p;

	p->params = gk_arena_array(&p->arena, p->func->param_count, sizeof *p->params);
	for (uint32_t i = 0; i < p->func->param_count; i++) {
		uint32_t value = p->func->params[i].value;
		uint32_t virtual = vm_virtual_new(f, gk_ir_value_kind(f->ir, value), 1);

		f->virtuals.items[virtual].is_pinned = true;
		f->map[value] = p->params[i] = virtual;
	}
	gk_vec_push(&f->lists, (struct vm_lane_list){p->params, p->func->param_count});
}

static bool has_atomics(const struct gk_ir *ir)
{
	for (uint32_t i = 0; i < ir->op_count; i++)
		if (gk_ir_ops[ir->ops[i].code].class == GK_IR_CLASS_ATOMIC ||
		    ir->ops[i].code == GK_IR_TT_DESC_REDUCE || ir->ops[i].code == GK_IR_TT_PRINT || gk_ir_attr_int(ir, &ir->ops[i], "isVolatile", 0))
			return true;
	return false;
}

struct gk_vm_program *gk_vm_program_new(const struct gk_ir *module)
{
	struct gk_vm_program *p = gk_alloc(sizeof *p);
	struct vm_flat f = {.p = p, .ir = module, .lanes = 1};

	p->module = module;
	p->func = &module->funcs[module->entry];
	p->has_atomics = has_atomics(module);
	f.map = gk_alloc_array(module->value_count, sizeof *f.map);
	memset(f.map, 0xff, module->value_count * sizeof *f.map);
	flat_params(&f);
	vm_flat_function(&f, p->func);
	vm_assign(&f);
	free(f.map);
	gk_vec_release(&f.virtuals);
	gk_vec_release(&f.lists);
	gk_vec_release(&f.loops);
	gk_vec_release(&f.ends);
	gk_vec_release(&f.patches);
	gk_vec_release(&f.captured);
	return p;
}

void gk_vm_program_free(struct gk_vm_program *p)
{
	if (!p)
		return;
	gk_vec_release(&p->code);
	gk_vec_release(&p->side);
	gk_vec_release(&p->once);
	gk_vec_release(&p->fills);
	gk_arena_release(&p->arena);
	free(p);
}
