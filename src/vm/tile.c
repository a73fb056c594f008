/* From the module's operations on tiles (memory, shapes, folds, dots, descriptors) to flat ones. */
#include "flat.h"

static void add_operands(struct vm_flat *f, const struct gk_ir_op *op, struct vm_op *o)
{
	o->src_count = (uint8_t)(op->operand_count < 3 ? op->operand_count : 3);
	for (uint32_t i = 0; i < o->src_count; i++)
		o->src[i] = vm_operand(f, op, i);
}

static enum gk_ir_kind kind_at(const struct vm_flat *f, const struct gk_ir_op *op, uint32_t i)
{
	return vm_kind(gk_ir_value_kind(f->ir, gk_ir_operand(f->ir, op, i)));
}

static uint32_t type_at(const struct vm_flat *f, const struct gk_ir_op *op, uint32_t i)
{
	return f->ir->values[gk_ir_operand(f->ir, op, i)].type;
}

static void set_result(struct vm_flat *f, const struct gk_ir_op *op, struct vm_op *o)
{
	o->dst = vm_result_new(f, op, 0);
	o->n = f->virtuals.items[o->dst].n;
	o->kind = f->virtuals.items[o->dst].kind;
}

/* Operands: pointers, [value,] [mask,] [other]. value is a store's or an atomic's second operand. */
static void flat_access(struct vm_flat *f, const struct gk_ir_op *op, vm_run_fn *run)
{
	struct vm_op o = vm_op_of(f, op, run);
	struct vm_access *access = gk_arena_alloc(&f->p->arena, sizeof *access);
	const struct gk_ir_type *type = &f->ir->types[type_at(f, op, 0)];

	add_operands(f, op, &o);
	access->shape = vm_shape_of(f->ir, type_at(f, op, 0));
	if (type->kind == GK_IR_TENSOR)
		type = &f->ir->types[type->element];
	access->mem = vm_kind(f->ir->types[type->element].kind);
	access->bytes = (uint32_t)gk_ir_kind_bytes(access->mem);
	o.extra = access;
	o.kind = (uint8_t)access->mem;
	o.n = f->virtuals.items[o.src[0]].n;
	if (op->result_count)
		o.dst = vm_result_new(f, op, 0);
	if (op->code == GK_IR_TT_ATOMIC_RMW)
		o.imm = gk_ir_attr_int(f->ir, op, "atomic_rmw_op", 0);
	vm_emit(f, &o);
}

static void flat_move(struct vm_flat *f, const struct gk_ir_op *op, vm_run_fn *run)
{
	struct vm_op o = vm_op_of(f, op, run);
	struct vm_move *move = gk_arena_alloc(&f->p->arena, sizeof *move);
	const struct gk_ir_attr *order = gk_ir_attr(f->ir, op, "order");

	add_operands(f, op, &o);
	set_result(f, op, &o);
	o.from = (uint8_t)kind_at(f, op, op->code == GK_IR_TT_GATHER ? 1 : 0);
	move->from = vm_shape_of(f->ir, type_at(f, op, 0));
	move->to = vm_shape_of(f->ir, f->ir->values[op->results].type);
	move->axis = (uint32_t)gk_ir_attr_int(f->ir, op, "axis", 0);
	for (uint32_t i = 0; i < move->from.rank; i++)
		move->order[i] = order && order->kind == GK_IR_ATTR_INTS && i < order->count
		                         ? (uint32_t)order->ints[i]
		                         : move->from.rank - 1 - i;
	o.extra = move;
	/* These two can find faults, which must wait until they are reached. */
	if (op->code == GK_IR_TT_GATHER || op->code == GK_IR_TT_HISTOGRAM)
		vm_emit(f, &o);
	else
		vm_emit_pure(f, &o);
}

/* Two results: the halves along the last dimension. */
static void flat_split(struct vm_flat *f, const struct gk_ir_op *op)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct vm_op o = vm_op_of(f, op, vm_run_split);

		o.src[0] = vm_operand(f, op, 0);
		o.dst = vm_result_new(f, op, i);
		o.n = f->virtuals.items[o.dst].n;
		o.kind = f->virtuals.items[o.dst].kind;
		o.imm = i;
		vm_emit_pure(f, &o);
	}
}

/* addui_extended: sum and carry; mul?i_extended: low and high half. */
static void flat_extended(struct vm_flat *f, const struct gk_ir_op *op)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct vm_op o = vm_op_of(f, op, vm_run_extended);

		add_operands(f, op, &o);
		o.dst = vm_result_new(f, op, i);
		o.n = f->virtuals.items[o.dst].n;
		o.kind = (uint8_t)kind_at(f, op, 0);
		o.imm = i;
		vm_emit_pure(f, &o);
	}
}

static void flat_program_id(struct vm_flat *f, const struct gk_ir_op *op, vm_run_fn *run)
{
	struct vm_op o = vm_op_of(f, op, run);

	set_result(f, op, &o);
	o.imm = gk_ir_attr_int(f->ir, op, "axis", 0);
	if (op->code == GK_IR_TT_GET_NUM_PROGRAMS)
		vm_emit_pure(f, &o);
	else
		vm_emit(f, &o);
}

static void flat_dot(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_op o = vm_op_of(f, op, vm_run_dot);
	struct vm_dot *dot = gk_arena_alloc(&f->p->arena, sizeof *dot);
	struct vm_shape a = vm_shape_of(f->ir, type_at(f, op, 0)), b = vm_shape_of(f->ir, type_at(f, op, 1));

	add_operands(f, op, &o);
	set_result(f, op, &o);
	o.from = (uint8_t)kind_at(f, op, 0);
	dot->right = (uint8_t)kind_at(f, op, 1);
	dot->batch = a.rank == 3 ? a.dims[0] : 1;
	dot->m = a.dims[a.rank - 2];
	dot->k = a.dims[a.rank - 1];
	dot->n = b.dims[b.rank - 1];
	/* Three passes of tf32 (or of bf16) come close to f32: computed as such. */
	if (o.from == GK_IR_F32 && !strcmp(gk_ir_attr_text(f->ir, op, "inputPrecision", "ieee"), "tf32"))
		dot->precision = VM_TF32;
	o.extra = dot;
	vm_emit(f, &o);
}

static void fold_region(struct vm_flat *f, const struct gk_ir_op *op, struct vm_fold *fold, uint32_t lanes,
                        uint32_t *left, uint32_t *right, uint32_t *out)
{
	const struct gk_ir_block *block = gk_ir_entry_block(f->ir, gk_ir_op_region(f->ir, op, 0));
	const struct gk_ir_op *end = &f->ir->ops[block->end - 1];
	size_t first_captured = f->captured.count;

	f->where = VM_IN_SIDE;
	f->lanes = lanes;
	for (uint32_t i = 0; i < fold->count; i++) {
		uint32_t a = block->args + i, b = block->args + fold->count + i;

		f->map[a] = left[i] = vm_virtual_new(f, gk_ir_value_kind(f->ir, a), lanes);
		f->map[b] = right[i] = vm_virtual_new(f, gk_ir_value_kind(f->ir, b), lanes);
	}
	fold->first = (uint32_t)f->p->side.count;
	vm_flat_block(f, block);
	fold->end = (uint32_t)f->p->side.count;
	for (uint32_t i = 0; i < fold->count; i++)
		out[i] = f->map[gk_ir_operand(f->ir, end, i)];
	while (f->captured.count > first_captured) {
		struct vm_pair *pair = &f->captured.items[--f->captured.count];

		f->map[pair->dst] = pair->src;
	}
	f->where = VM_IN_CODE;
	f->lanes = 1;
}

static void set_extent(struct vm_fold *fold, const struct vm_shape *shape, uint32_t axis)
{
	fold->outer = fold->inner = fold->axis = 1;
	for (uint32_t i = 0; i < shape->rank; i++) {
		if (i < axis)
			fold->outer *= shape->dims[i];
		else if (i == axis)
			fold->axis = shape->dims[i];
		else
			fold->inner *= shape->dims[i];
	}
}

static void flat_fold(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_fold *fold = gk_arena_alloc(&f->p->arena, sizeof *fold);
	struct vm_shape shape = vm_shape_of(f->ir, type_at(f, op, 0));
	struct vm_op o = vm_op_of(f, op, op->code == GK_IR_TT_SCAN ? vm_run_scan : vm_run_reduce);
	uint32_t count = op->operand_count, lanes, *lists[6];
	uint8_t *kinds = gk_arena_alloc(&f->p->arena, count);

	for (int i = 0; i < 6; i++)
		lists[i] = vm_list_new(f, count);
	fold->count = count;
	fold->is_scan = op->code == GK_IR_TT_SCAN;
	fold->is_reverse = gk_ir_attr_int(f->ir, op, "reverse", 0);
	set_extent(fold, &shape, (uint32_t)gk_ir_attr_int(f->ir, op, "axis", 0));
	lanes = fold->outer * fold->inner * (fold->is_scan || fold->axis < 2 ? 1 : fold->axis / 2);
	for (uint32_t i = 0; i < count; i++) {
		lists[0][i] = vm_operand(f, op, i);
		kinds[i] = (uint8_t)kind_at(f, op, i);
		lists[1][i] = vm_result_new(f, op, i);
		lists[5][i] = vm_virtual_new(f, kinds[i], f->virtuals.items[lists[0][i]].n);
	}
	fold_region(f, op, fold, lanes, lists[2], lists[3], lists[4]);
	for (int i = 0; i < 6; i++)
		vm_touch_list(f, lists[i], count);
	fold->kinds = kinds;
	fold->sources = lists[0], fold->results = lists[1], fold->left = lists[2];
	fold->right = lists[3], fold->out = lists[4], fold->work = lists[5];
	o.extra = fold;
	o.n = fold->outer * fold->axis * fold->inner;
	vm_emit(f, &o);
}

/* Operands by list: any number of them, each with its kind and lanes. */
static struct vm_list *list_of(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_list *list = gk_arena_alloc(&f->p->arena, sizeof *list);
	uint32_t *regs = vm_list_new(f, op->operand_count);
	uint32_t *lanes = gk_arena_array(&f->p->arena, op->operand_count, sizeof *lanes);
	uint8_t *kinds = gk_arena_alloc(&f->p->arena, op->operand_count);

	for (uint32_t i = 0; i < op->operand_count; i++) {
		regs[i] = vm_operand(f, op, i);
		kinds[i] = f->virtuals.items[regs[i]].kind;
		lanes[i] = f->virtuals.items[regs[i]].n;
	}
	vm_touch_list(f, regs, op->operand_count);
	*list = (struct vm_list){.count = op->operand_count, .regs = regs, .kinds = kinds, .lanes = lanes};
	return list;
}

static void flat_print(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_op o = vm_op_of(f, op, vm_run_print);
	struct vm_list *list = list_of(f, op);
	const struct gk_ir_attr *is_signed = gk_ir_attr(f->ir, op, "isSigned");
	uint8_t *flags = gk_arena_alloc(&f->p->arena, op->operand_count);

	for (uint32_t i = 0; i < op->operand_count; i++)
		flags[i] = is_signed && is_signed->kind == GK_IR_ATTR_INTS && i < is_signed->count
		                   ? is_signed->ints[i] != 0
		                   : 1;
	list->text = gk_ir_attr_text(f->ir, op, "prefix", "");
	list->is_hex = gk_ir_attr_int(f->ir, op, "hex", 0) != 0;
	list->is_signed = flags;
	o.extra = list;
	vm_emit(f, &o);
}

static void flat_assert(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_op o = vm_op_of(f, op, vm_run_assert);

	add_operands(f, op, &o);
	o.n = f->virtuals.items[o.src[0]].n;
	o.extra = gk_ir_attr_text(f->ir, op, "message", gk_ir_attr_text(f->ir, op, "msg", ""));
	vm_emit(f, &o);
}

/* The block of a descriptor: what one load of it gives. */
static void set_block(struct vm_flat *f, const struct gk_ir_op *op, struct vm_list *list, uint32_t desc_type)
{
	uint32_t block = f->ir->types[desc_type].element;
	const struct gk_ir_attr *padding = gk_ir_attr(f->ir, op, "padding");

	list->shape = vm_shape_of(f->ir, block);
	list->mem = vm_kind(f->ir->types[f->ir->types[block].element].kind);
	list->bytes = (uint32_t)gk_ir_kind_bytes(list->mem);
	/* PAD_NAN is 2 in every version that has it. */
	list->is_hex = padding && padding->number == 2;
}

static bool flat_desc(struct vm_flat *f, const struct gk_ir_op *op)
{
	struct vm_op o = vm_op_of(f, op, vm_run_make_desc);
	struct vm_list *list = list_of(f, op);
	bool makes = op->code == GK_IR_TT_MAKE_DESC;

	set_block(f, op, list, makes ? f->ir->values[op->results].type : type_at(f, op, 0));
	if (list->shape.rank > GK_VM_MAX_RANK)
		return false;
	if (op->code == GK_IR_TT_DESC_LOAD)
		o.run = vm_run_desc_load;
	if (op->code == GK_IR_TT_DESC_STORE)
		o.run = vm_run_desc_store;
	if (op->result_count)
		set_result(f, op, &o);
	if (!makes) {
		o.n = 1;
		for (uint32_t i = 0; i < list->shape.rank; i++)
			o.n *= list->shape.dims[i];
		o.kind = (uint8_t)list->mem;
	}
	o.extra = list;
	vm_emit(f, &o);
	return true;
}

/* Those that look alike: the way to flatten them, and what runs them. */
static bool flat_form(struct vm_flat *f, const struct gk_ir_op *op)
{
	static const struct {
		uint16_t code;
		void (*flat)(struct vm_flat *f, const struct gk_ir_op *op, vm_run_fn *run);
		vm_run_fn *run;
	} forms[] = {
		{GK_IR_TT_LOAD, flat_access, vm_run_load},
		{GK_IR_TT_STORE, flat_access, vm_run_store},
		{GK_IR_TT_ATOMIC_RMW, flat_access, vm_run_rmw},
		{GK_IR_TT_ATOMIC_CAS, flat_access, vm_run_cas},
		{GK_IR_TT_ATOMIC_LOAD, flat_access, vm_run_load},
		{GK_IR_TT_ATOMIC_STORE, flat_access, vm_run_store},
		{GK_IR_TT_SPLAT, flat_move, vm_run_splat},
		{GK_IR_TT_BROADCAST, flat_move, vm_run_broadcast},
		{GK_IR_TT_TRANS, flat_move, vm_run_trans},
		{GK_IR_TT_CAT, flat_move, vm_run_cat},
		{GK_IR_TT_JOIN, flat_move, vm_run_join},
		{GK_IR_TT_GATHER, flat_move, vm_run_gather},
		{GK_IR_TT_HISTOGRAM, flat_move, vm_run_histogram},
		{GK_IR_TT_GET_PROGRAM_ID, flat_program_id, vm_run_program_id},
		{GK_IR_TT_GET_NUM_PROGRAMS, flat_program_id, vm_run_num_programs},
	};

	for (size_t i = 0; i < gk_count_of(forms); i++)
		if (forms[i].code == op->code) {
			forms[i].flat(f, op, forms[i].run);
			return true;
		}
	return false;
}

bool vm_flat_tile(struct vm_flat *f, const struct gk_ir_op *op)
{
	static const struct {
		uint16_t code;
		void (*flat)(struct vm_flat *f, const struct gk_ir_op *op);
	} others[] = {
		{GK_IR_TT_SPLIT, flat_split},
		{GK_IR_TT_DOT, flat_dot},
		{GK_IR_TT_REDUCE, flat_fold},
		{GK_IR_TT_SCAN, flat_fold},
		{GK_IR_TT_PRINT, flat_print},
		{GK_IR_TT_ASSERT, flat_assert},
		{GK_IR_CF_ASSERT, flat_assert},
		{GK_IR_ARITH_ADDUI_EXTENDED, flat_extended},
		{GK_IR_ARITH_MULSI_EXTENDED, flat_extended},
		{GK_IR_ARITH_MULUI_EXTENDED, flat_extended},
	};

	if (flat_form(f, op))
		return true;
	for (size_t i = 0; i < gk_count_of(others); i++)
		if (others[i].code == op->code) {
			others[i].flat(f, op);
			return true;
		}
	return (op->code == GK_IR_TT_MAKE_DESC || op->code == GK_IR_TT_DESC_LOAD || op->code == GK_IR_TT_DESC_STORE) &&
	       flat_desc(f, op);
}
