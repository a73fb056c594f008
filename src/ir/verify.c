/* What an operation's operands, results and attributes must be; how they hang together is flow.c's. */
#include <stdarg.h>
#include <stdlib.h>

#include "form.h"
#include "reader.h"

int gk_ir_verify_fail(const struct gk_ir_reader *r, uint32_t op, struct gk_err *e, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return gk_lexer_fail_at(&r->lexer, r->op_at.items[op], e, "%s: %s",
	                        gk_ir_ops[r->module->ops[op].code].name, text);
}

/* One operation under verification, with its types at hand. */
struct check {
	const struct gk_ir_reader *r;
	const struct gk_ir *m;
	const struct gk_ir_op *op;
	uint32_t index;
	struct gk_err *e;
};

#define fail(c, ...) gk_ir_verify_fail((c)->r, (c)->index, (c)->e, __VA_ARGS__)

static uint32_t operand_type(const struct check *c, uint32_t i)
{
	return c->m->values[c->m->operands[c->op->operands + i]].type;
}

static uint32_t result_type(const struct check *c, uint32_t i)
{
	return c->m->values[c->op->results + i].type;
}

static const struct gk_ir_type *type_at(const struct check *c, uint32_t type)
{
	return &c->m->types[type];
}

static uint32_t element_of(const struct check *c, uint32_t type)
{
	return gk_ir_element(c->m->types, type);
}

static uint32_t element_kind(const struct check *c, uint32_t type)
{
	return c->m->types[element_of(c, type)].kind;
}

static bool is_tensor(const struct check *c, uint32_t type)
{
	return c->m->types[type].kind == GK_IR_TENSOR;
}

/* Both scalars, or tensors of equal shape. */
static bool same_shape(const struct check *c, uint32_t a, uint32_t b)
{
	const struct gk_ir_type *x = type_at(c, a), *y = type_at(c, b);

	return x->rank == y->rank &&
	       (x->rank == 0 || memcmp(x->shape, y->shape, x->rank * sizeof *x->shape) == 0);
}

static bool is_mask_for(const struct check *c, uint32_t mask, uint32_t type)
{
	return element_kind(c, mask) == GK_IR_I1 && same_shape(c, mask, type);
}

/* Every operand and result has one type. */
static int check_uniform(const struct check *c, bool wants_float)
{
	uint32_t type = result_type(c, 0), kind = element_kind(c, type);

	if (wants_float ? !gk_ir_kind_is_float(kind) : !gk_ir_kind_is_int(kind))
		return fail(c, "expected %s", wants_float ? "floats" : "integers");
	for (uint32_t i = 0; i < c->op->operand_count; i++)
		if (operand_type(c, i) != type)
			return fail(c, "expected operands and result of one type");
	return 0;
}

static int check_extended(const struct check *c)
{
	uint32_t type = operand_type(c, 0), kind = element_kind(c, type), second = result_type(c, 1);
	bool fits = c->op->code == GK_IR_ARITH_ADDUI_EXTENDED ? is_mask_for(c, second, type) : second == type;

	if (!gk_ir_kind_is_int(kind) || operand_type(c, 1) != type || result_type(c, 0) != type || !fits)
		return fail(c, "expected integers of one type");
	return 0;
}

static int check_compare(const struct check *c)
{
	uint32_t type = operand_type(c, 0), kind = element_kind(c, type);
	bool is_cmpf = c->op->code == GK_IR_ARITH_CMPF;
	const struct gk_ir_attr *predicate = gk_ir_attr(c->m, c->op, "predicate");

	if (operand_type(c, 1) != type || (is_cmpf ? !gk_ir_kind_is_float(kind) : !gk_ir_kind_is_int(kind)))
		return fail(c, "expected two %s of one type", is_cmpf ? "floats" : "integers");
	if (!predicate || predicate->kind != GK_IR_ATTR_WORD || predicate->number < 0)
		return fail(c, "expected a predicate");
	return is_mask_for(c, result_type(c, 0), type) ? 0 : fail(c, "expected an i1 of the operands' shape");
}

static int check_select(const struct check *c)
{
	uint32_t condition = operand_type(c, 0), type = result_type(c, 0);

	if (operand_type(c, 1) != type || operand_type(c, 2) != type)
		return fail(c, "expected two values of one type");
	if (condition != GK_IR_I1 && !is_mask_for(c, condition, type))
		return fail(c, "expected an i1, or a tensor of them in the values' shape");
	return 0;
}

enum cast_side {
	FROM_INT = 1,
	FROM_FLOAT = 2,
	TO_INT = 4,
	TO_FLOAT = 8,
	WIDER = 16,
	NARROWER = 32,
	SAME_BITS = 64
};

static int cast_rule(uint16_t code)
{
	switch (code) {
	case GK_IR_ARITH_EXTSI:
	case GK_IR_ARITH_EXTUI:
		return FROM_INT | TO_INT | WIDER;
	case GK_IR_ARITH_TRUNCI:
		return FROM_INT | TO_INT | NARROWER;
	case GK_IR_ARITH_EXTF:
		return FROM_FLOAT | TO_FLOAT | WIDER;
	case GK_IR_ARITH_TRUNCF:
		return FROM_FLOAT | TO_FLOAT | NARROWER;
	case GK_IR_ARITH_SITOFP:
	case GK_IR_ARITH_UITOFP:
		return FROM_INT | TO_FLOAT;
	case GK_IR_ARITH_FPTOSI:
	case GK_IR_ARITH_FPTOUI:
		return FROM_FLOAT | TO_INT;
	case GK_IR_TT_FP_TO_FP:
		return FROM_FLOAT | TO_FLOAT;
	case GK_IR_ARITH_INDEX_CAST:
	case GK_IR_ARITH_INDEX_CASTUI:
		return FROM_INT | TO_INT;
	default:
		return SAME_BITS;
	}
}

static unsigned bits_of(uint32_t kind)
{
	return kind == GK_IR_I1 ? 1 : (unsigned)gk_ir_kind_bytes(kind) * 8;
}

static bool cast_fits(int rule, uint32_t from, uint32_t to)
{
	if ((rule & FROM_INT && !gk_ir_kind_is_int(from)) ||
	    (rule & FROM_FLOAT && !gk_ir_kind_is_float(from)) || (rule & TO_INT && !gk_ir_kind_is_int(to)) ||
	    (rule & TO_FLOAT && !gk_ir_kind_is_float(to)))
		return false;
	return !((rule & WIDER && bits_of(to) <= bits_of(from)) ||
	         (rule & NARROWER && bits_of(to) >= bits_of(from)) ||
	         (rule & SAME_BITS && bits_of(to) != bits_of(from)));
}

static int check_cast(const struct check *c)
{
	uint32_t from = operand_type(c, 0), to = result_type(c, 0), a = element_kind(c, from),
		 b = element_kind(c, to);
	bool fits;

	if (a > GK_IR_PTR || b > GK_IR_PTR || !same_shape(c, from, to))
		return fail(c, "expected operand and result of one shape");
	if (c->op->code == GK_IR_TT_INT_TO_PTR)
		fits = a == GK_IR_I64 && b == GK_IR_PTR;
	else if (c->op->code == GK_IR_TT_PTR_TO_INT)
		fits = a == GK_IR_PTR && b == GK_IR_I64;
	else if (c->op->code == GK_IR_TT_BITCAST && (a == GK_IR_PTR || b == GK_IR_PTR))
		fits = a == b;
	else
		fits = a < GK_IR_PTR && b < GK_IR_PTR && cast_fits(cast_rule(c->op->code), a, b);
	return fits ? 0 : fail(c, "expected types that it converts between");
}

static int check_constant(const struct check *c)
{
	const struct gk_ir_type *type = type_at(c, result_type(c, 0));
	const struct gk_ir_attr *value = gk_ir_attr(c->m, c->op, "value");

	if (c->op->code == GK_IR_UB_POISON)
		return 0;
	if (c->op->code == GK_IR_TT_MAKE_RANGE) {
		int64_t start = gk_ir_attr_int(c->m, c->op, "start", -1),
			end = gk_ir_attr_int(c->m, c->op, "end", -1);

		if (type->rank != 1 || element_kind(c, result_type(c, 0)) != GK_IR_I32 || start < 0 ||
		    end - start != type->count)
			return fail(c, "expected a one-dimensional i32 tensor of end - start elements");
		return 0;
	}
	if (!value || value->type != result_type(c, 0) ||
	    gk_ir_element(c->m->types, value->type) >= GK_IR_SCALAR_COUNT)
		return fail(c, "expected a value of the result's type");
	if (value->kind != (type->kind == GK_IR_TENSOR        ? GK_IR_ATTR_DENSE
	                    : gk_ir_kind_is_float(type->kind) ? GK_IR_ATTR_FLOAT
	                                                      : GK_IR_ATTR_INT))
		return fail(c, "expected a number, or a dense constant");
	if (value->kind == GK_IR_ATTR_DENSE && value->count != 1 && value->count != type->count)
		return fail(c, "expected one or all elements");
	return 0;
}

static int check_program(const struct check *c)
{
	const struct gk_ir_attr *axis = gk_ir_attr(c->m, c->op, "axis");

	if (result_type(c, 0) != GK_IR_I32 || !axis || axis->kind != GK_IR_ATTR_WORD || axis->number < 0)
		return fail(c, "expected an axis x, y or z and an i32");
	return 0;
}

/* The type of what a pointer (or a tensor of them) leads to; 0 when it is none. */
static bool points_to(const struct check *c, uint32_t pointer, uint32_t type)
{
	const struct gk_ir_type *p = type_at(c, element_of(c, pointer));

	return p->kind == GK_IR_PTR && same_shape(c, pointer, type) && p->element == element_of(c, type);
}

static int check_pointer(const struct check *c)
{
	uint32_t pointer = operand_type(c, 0), offset = operand_type(c, 1);

	if (element_kind(c, pointer) != GK_IR_PTR || result_type(c, 0) != pointer ||
	    !same_shape(c, pointer, offset) || !gk_ir_kind_is_int(element_kind(c, offset)))
		return fail(c, "expected pointers and integers of one shape");
	return 0;
}

static int check_memory(const struct check *c)
{
	bool is_load = c->op->code == GK_IR_TT_LOAD;
	uint32_t pointer = operand_type(c, 0), value = is_load ? result_type(c, 0) : operand_type(c, 1);
	uint32_t mask = is_load ? 1 : 2;

	if (!points_to(c, pointer, value))
		return fail(c, "expected pointers to the values' type, in their shape");
	if (c->op->operand_count > mask && !is_mask_for(c, operand_type(c, mask), pointer))
		return fail(c, "expected a mask of i1 in the pointers' shape");
	if (is_load && c->op->operand_count > 2 && operand_type(c, 2) != value)
		return fail(c, "expected an alternative of the result's type");
	return gk_ir_attr(c->m, c->op, "boundaryCheck") ? fail(c, "expected no boundary check") : 0;
}

static int check_atomic(const struct check *c)
{
	uint16_t code = c->op->code;
	bool is_load = code == GK_IR_TT_ATOMIC_LOAD;
	uint32_t pointer = operand_type(c, 0), value = is_load ? result_type(c, 0) : operand_type(c, 1);
	uint32_t mask = is_load ? 1 : 2;
	const struct gk_ir_attr *rmw = gk_ir_attr(c->m, c->op, "atomic_rmw_op");

	if (!points_to(c, pointer, value) || element_kind(c, value) >= GK_IR_PTR)
		return fail(c, "expected pointers to the values' type, in their shape");
	if (code == GK_IR_TT_ATOMIC_CAS)
		return operand_type(c, 2) == value && result_type(c, 0) == value
		               ? 0
		               : fail(c, "expected two values and a result of one type");
	if (c->op->operand_count > mask && !is_mask_for(c, operand_type(c, mask), pointer))
		return fail(c, "expected a mask of i1 in the pointers' shape");
	if (code != GK_IR_TT_ATOMIC_RMW)
		return 0;
	if (result_type(c, 0) != value || !rmw || rmw->kind != GK_IR_ATTR_WORD || rmw->number < 0)
		return fail(c, "expected an operation, and a result of the value's type");
	if ((rmw->number == GK_RMW_FADD) != gk_ir_kind_is_float(element_kind(c, value)) &&
	    rmw->number != GK_RMW_XCHG)
		return fail(c, "expected %s for this operation",
		            rmw->number == GK_RMW_FADD ? "floats" : "integers");
	return 0;
}

/* Whether two shapes are equal but for extent of axis. */
static int check_join_split(const struct check *c, uint32_t whole, uint32_t part)
{
	const struct gk_ir_type *w = type_at(c, whole), *p = type_at(c, part);

	if (w->rank != p->rank + 1 || w->shape[w->rank - 1] != 2 || w->element != element_of(c, part) ||
	    (p->rank && memcmp(w->shape, p->shape, p->rank * sizeof *p->shape) != 0))
		return fail(c, "expected one more dimension, of two");
	return 0;
}

static int check_expand(const struct check *c, const struct gk_ir_type *from, const struct gk_ir_type *to)
{
	int64_t axis = gk_ir_attr_int(c->m, c->op, "axis", -1);

	if (to->rank != from->rank + 1 || axis < 0 || axis >= to->rank || to->shape[axis] != 1)
		return fail(c, "expected one more dimension, of one, at the axis");
	for (uint32_t i = 0; i < from->rank; i++)
		if (from->shape[i] != to->shape[i + (i >= axis)])
			return fail(c, "expected the other dimensions unchanged");
	return 0;
}

static int check_trans(const struct check *c, const struct gk_ir_type *from, const struct gk_ir_type *to)
{
	const struct gk_ir_attr *order = gk_ir_attr(c->m, c->op, "order");
	uint32_t seen = 0;

	if (!order || order->kind != GK_IR_ATTR_INTS || order->count != from->rank || to->rank != from->rank)
		return fail(c, "expected an order of all dimensions");
	for (uint32_t i = 0; i < from->rank; i++) {
		int64_t axis = order->ints[i];

		if (axis < 0 || axis >= from->rank || seen >> axis & 1 || to->shape[i] != from->shape[axis])
			return fail(c, "expected the result's dimensions in the given order");
		seen |= (uint32_t)1 << axis;
	}
	return 0;
}

static int check_broadcast(const struct check *c, const struct gk_ir_type *from, const struct gk_ir_type *to)
{
	if (from->rank != to->rank)
		return fail(c, "expected shapes of one rank");
	for (uint32_t i = 0; i < from->rank; i++)
		if (from->shape[i] != to->shape[i] && from->shape[i] != 1)
			return fail(c, "expected to widen only dimensions of one");
	return 0;
}

static int check_gather(const struct check *c)
{
	const struct gk_ir_type *from = type_at(c, operand_type(c, 0)), *at = type_at(c, operand_type(c, 1));
	int64_t axis = gk_ir_attr_int(c->m, c->op, "axis", -1);

	if (from->kind != GK_IR_TENSOR || at->kind != GK_IR_TENSOR || from->rank != at->rank || axis < 0 ||
	    axis >= at->rank || !gk_ir_kind_is_int(at->element))
		return fail(c, "expected a tensor, integer indices of its rank, and an axis");
	for (uint32_t i = 0; i < at->rank; i++)
		if (i != axis && at->shape[i] > from->shape[i])
			return fail(c, "expected indices within the tensor but along the axis");
	if (!same_shape(c, operand_type(c, 1), result_type(c, 0)) ||
	    element_of(c, result_type(c, 0)) != from->element)
		return fail(c, "expected a result in the indices' shape");
	return 0;
}

static int check_histogram(const struct check *c)
{
	const struct gk_ir_type *from = type_at(c, operand_type(c, 0)), *to = type_at(c, result_type(c, 0));

	if (from->rank != 1 || to->rank != 1 || !gk_ir_kind_is_int(from->element) ||
	    !gk_ir_kind_is_int(to->element))
		return fail(c, "expected one-dimensional tensors of integers");
	if (c->op->operand_count > 1 && !is_mask_for(c, operand_type(c, 1), operand_type(c, 0)))
		return fail(c, "expected a mask of i1 in the operand's shape");
	return 0;
}

/* What takes a tensor of one element to another of the same. */
static int check_reshaping(const struct check *c)
{
	const struct gk_ir_type *from = type_at(c, operand_type(c, 0)), *to = type_at(c, result_type(c, 0));

	if (from->kind != GK_IR_TENSOR || to->kind != GK_IR_TENSOR || from->element != to->element)
		return fail(c, "expected tensors of one element type");
	switch (c->op->code) {
	case GK_IR_TT_EXPAND_DIMS:
		return check_expand(c, from, to);
	case GK_IR_TT_TRANS:
		return check_trans(c, from, to);
	case GK_IR_TT_BROADCAST:
		return check_broadcast(c, from, to);
	case GK_IR_TT_CAT:
		return operand_type(c, 1) == operand_type(c, 0) && to->count == 2 * from->count &&
		                       to->rank == from->rank
		               ? 0
		               : fail(c, "expected twice the elements of its two equal operands");
	default:
		return to->count == from->count ? 0 : fail(c, "expected as many elements as before");
	}
}

static int check_shape(const struct check *c)
{
	uint32_t from = operand_type(c, 0), to = result_type(c, 0);

	switch (c->op->code) {
	case GK_IR_TT_SPLAT:
		return is_tensor(c, to) && !is_tensor(c, from) && element_of(c, to) == from
		               ? 0
		               : fail(c, "expected a tensor of the operand's type");
	case GK_IR_TT_UNSPLAT:
		return is_tensor(c, from) && type_at(c, from)->count == 1 && element_of(c, from) == to
		               ? 0
		               : fail(c, "expected a tensor of one element");
	case GK_IR_TT_JOIN:
		return operand_type(c, 1) != from ? fail(c, "expected two operands of one type")
		                                  : check_join_split(c, to, from);
	case GK_IR_TT_SPLIT:
		return !is_tensor(c, from) || result_type(c, 1) != to
		               ? fail(c, "expected two results of one type")
		               : check_join_split(c, from, to);
	case GK_IR_TT_GATHER:
		return check_gather(c);
	case GK_IR_TT_HISTOGRAM:
		return check_histogram(c);
	default:
		return check_reshaping(c);
	}
}

/* operandSegmentSizes is {1, 1, 1, has a's scale, has b's scale}. */
static bool segments_fit(const struct check *c)
{
	const struct gk_ir_attr *sizes = gk_ir_attr(c->m, c->op, "operandSegmentSizes");
	int64_t sum = 0;

	if (!sizes || sizes->kind != GK_IR_ATTR_INTS || sizes->count != 5)
		return false;
	for (uint32_t i = 0; i < sizes->count; i++) {
		if (sizes->ints[i] < (i < 3) || sizes->ints[i] > 1)
			return false;
		sum += sizes->ints[i];
	}
	return sum == c->op->operand_count;
}

static int check_scaled(const struct check *c, const struct gk_ir_type *a, const struct gk_ir_type *d)
{
	if (!gk_ir_kind_is_float(d->element) || d->shape[d->rank - 2] != a->shape[a->rank - 2])
		return fail(c, "expected a result of floats in the operands' shape");
	if (!segments_fit(c) || !gk_ir_attr(c->m, c->op, "a_elem_type") ||
	    !gk_ir_attr(c->m, c->op, "b_elem_type"))
		return fail(c, "expected formats of both operands, and which of them has a scale");
	return 0;
}

static int check_dot(const struct check *c)
{
	const struct gk_ir_type *a = type_at(c, operand_type(c, 0)), *b = type_at(c, operand_type(c, 1));
	const struct gk_ir_type *d = type_at(c, result_type(c, 0));
	uint32_t n = a->rank;

	if (operand_type(c, 2) != result_type(c, 0) || n < 2 || n > 3 || b->rank != n || d->rank != n)
		return fail(c, "expected matrices, and an accumulator of the result's type");
	if (c->op->code == GK_IR_TT_DOT_SCALED)
		return check_scaled(c, a, d);
	if (a->shape[n - 1] != b->shape[n - 2] || d->shape[n - 2] != a->shape[n - 2] ||
	    d->shape[n - 1] != b->shape[n - 1] ||
	    (n == 3 && (a->shape[0] != b->shape[0] || a->shape[0] != d->shape[0])))
		return fail(c, "expected shapes that can be multiplied");
	if (gk_ir_kind_is_float(a->element) != gk_ir_kind_is_float(b->element) ||
	    gk_ir_kind_is_float(a->element) != gk_ir_kind_is_float(d->element) || d->element >= GK_IR_PTR ||
	    a->element >= GK_IR_PTR || b->element >= GK_IR_PTR)
		return fail(c, "expected all floats or all integers");
	return 0;
}

/* The block that a descriptor loads, or NULL. */
static const struct gk_ir_type *block_of(const struct check *c, uint32_t type)
{
	const struct gk_ir_type *t = type_at(c, type);

	return t->kind == GK_IR_DESC ? type_at(c, t->element) : NULL;
}

static int check_all_ints(const struct check *c, uint32_t first, uint32_t count, uint32_t type)
{
	for (uint32_t i = first; i < first + count; i++)
		if (operand_type(c, i) != type)
			return fail(c,
			            "expected i32 sizes and indices and i64 strides, as many as dimensions");
	return 0;
}

static int check_make_desc(const struct check *c)
{
	const struct gk_ir_type *block = block_of(c, result_type(c, 0)),
				*base = type_at(c, operand_type(c, 0));

	if (!block || base->kind != GK_IR_PTR || base->element != block->element)
		return fail(c, "expected a pointer and a descriptor of one element type");
	if (c->op->operand_count != 1 + 2 * block->rank)
		return fail(c, "expected a size and a stride for each dimension");
	return check_all_ints(c, 1, block->rank, GK_IR_I32) ||
	                       check_all_ints(c, 1 + block->rank, block->rank, GK_IR_I64)
	               ? -1
	               : 0;
}

static int check_desc(const struct check *c)
{
	uint16_t code = c->op->code;
	bool is_store = code == GK_IR_TT_DESC_STORE || code == GK_IR_TT_DESC_REDUCE;
	const struct gk_ir_type *block, *value;

	if (code == GK_IR_TT_MAKE_DESC)
		return check_make_desc(c);
	block = block_of(c, operand_type(c, 0));
	value = type_at(c, is_store                        ? operand_type(c, 1)
	                   : code == GK_IR_TT_DESC_SCATTER ? operand_type(c, 3)
	                                                   : result_type(c, 0));
	if (!block || value->kind != GK_IR_TENSOR || value->element != block->element)
		return fail(c, "expected a descriptor and a tensor of its elements");
	if (code == GK_IR_TT_DESC_GATHER || code == GK_IR_TT_DESC_SCATTER) {
		const struct gk_ir_type *rows = type_at(c, operand_type(c, 1));

		if (rows->rank != 1 || !gk_ir_kind_is_int(rows->element) || operand_type(c, 2) != GK_IR_I32 ||
		    block->rank != 2 || block->shape[0] != 1 || value->rank != 2 ||
		    value->shape[0] != rows->count)
			return fail(c, "expected rows by index of a descriptor of one row");
		return 0;
	}
	if (value->count != block->count || c->op->operand_count != 1 + is_store + block->rank)
		return fail(c, "expected a tensor of the block's size, and an index for each dimension");
	return check_all_ints(c, 1 + is_store, block->rank, GK_IR_I32);
}

static int check_elementwise(const struct check *c)
{
	for (uint32_t i = 0; i < c->op->operand_count; i++)
		if (!same_shape(c, operand_type(c, i), result_type(c, 0)))
			return fail(c, "expected operands and results of one shape");
	for (uint32_t i = 1; i < c->op->result_count; i++)
		if (!same_shape(c, result_type(c, i), result_type(c, 0)))
			return fail(c, "expected operands and results of one shape");
	return 0;
}

static int check_other(const struct check *c)
{
	switch (c->op->code) {
	case GK_IR_TT_EXTERN:
		return *gk_ir_attr_text(c->m, c->op, "symbol", "") ? check_elementwise(c)
		                                                   : fail(c, "expected a symbol");
	case GK_IR_TT_INLINE_ASM:
	case GK_IR_TT_MAP:
		return c->op->result_count ? check_elementwise(c) : fail(c, "expected a result");
	case GK_IR_TT_ASSERT:
	case GK_IR_CF_ASSERT:
	case GK_IR_LLVM_ASSUME:
		return element_kind(c, operand_type(c, 0)) == GK_IR_I1
		               ? 0
		               : fail(c, "expected a condition of i1");
	default:
		return 0;
	}
}

static int check_class(const struct check *c)
{
	switch ((enum gk_ir_class)gk_ir_ops[c->op->code].class) {
	case GK_IR_CLASS_CONSTANT:
		return check_constant(c);
	case GK_IR_CLASS_INT:
		return check_uniform(c, false);
	case GK_IR_CLASS_INT_EXTENDED:
		return check_extended(c);
	case GK_IR_CLASS_FLOAT:
		return check_uniform(c, true);
	case GK_IR_CLASS_COMPARE:
		return check_compare(c);
	case GK_IR_CLASS_SELECT:
		return check_select(c);
	case GK_IR_CLASS_CAST:
		return check_cast(c);
	case GK_IR_CLASS_SHAPE:
		return check_shape(c);
	case GK_IR_CLASS_PROGRAM:
		return check_program(c);
	case GK_IR_CLASS_POINTER:
		return check_pointer(c);
	case GK_IR_CLASS_MEMORY:
		return check_memory(c);
	case GK_IR_CLASS_ATOMIC:
		return check_atomic(c);
	case GK_IR_CLASS_DOT:
		return check_dot(c);
	case GK_IR_CLASS_DESC:
		return check_desc(c);
	case GK_IR_CLASS_OTHER:
		return check_other(c);
	case GK_IR_CLASS_REDUCE:
	case GK_IR_CLASS_CONTROL:
		return 0;
	}
	return 0;
}

/* "2", "1-3", "0-" */
static int check_arity(const struct check *c)
{
	const struct gk_ir_op_info *info = &gk_ir_ops[c->op->code];
	char *end;
	unsigned long least = strtoul(info->operands, &end, 10), most = least;

	if (*end == '-')
		most = end[1] ? strtoul(end + 1, NULL, 10) : GK_IR_MAX_OPERANDS;
	if (c->op->operand_count < least || c->op->operand_count > most)
		return fail(c, "expected %s operands, found %u", info->operands, c->op->operand_count);
	if (info->results >= 0 && c->op->result_count != info->results)
		return fail(c, "expected %d results, found %u", info->results, c->op->result_count);
	if (c->op->region_count && info->class != GK_IR_CLASS_REDUCE && info->class != GK_IR_CLASS_CONTROL &&
	    c->op->code != GK_IR_TT_MAP)
		return fail(c, "expected no regions");
	return 0;
}

/* Flags and bare words print as they are, so they must be words. */
static bool is_words(const char *text)
{
	return *text &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_, |")] ==
	               '\0';
}

static bool attr_fits(const struct gk_ir_attr *attr, enum gk_form form)
{
	switch (form) {
	case GK_FORM_WORD:
	case GK_FORM_KEY:
	case GK_FORM_COMMA_KEY:
	case GK_FORM_REQUIRED_KEY:
	case GK_FORM_ROUNDING:
		return attr->kind == GK_IR_ATTR_WORD && attr->number >= 0;
	case GK_FORM_FLAGS:
	case GK_FORM_BAR_WORDS:
		return attr->kind == GK_IR_ATTR_WORD && is_words(attr->text);
	case GK_FORM_UNIT:
		return attr->kind == GK_IR_ATTR_UNIT;
	case GK_FORM_STRING:
		return attr->kind == GK_IR_ATTR_STRING;
	case GK_FORM_SYMBOL:
		return attr->kind == GK_IR_ATTR_SYMBOL;
	default:
		return true;
	}
}

/* The generic form may leave out or twist what the custom form always has. */
static int check_attrs(const struct check *c)
{
	const char *format = gk_ir_ops[c->op->code].format;
	struct gk_form_word word;

	for (uint32_t i = 0; i < c->op->attr_count; i++) {
		const struct gk_ir_attr *attr = &c->m->attrs[c->op->attrs + i];

		if (!attr_fits(attr, gk_form_find(format, attr->name)))
			return fail(c, "expected another kind of attribute %.64s", attr->name);
	}
	for (gk_form_next(&format, &word); word.form != GK_FORM_END; gk_form_next(&format, &word)) {
		bool is_needed = word.form == GK_FORM_WORD || word.form == GK_FORM_REQUIRED_KEY ||
		                 word.form == GK_FORM_STRING || word.form == GK_FORM_SYMBOL;

		if (is_needed && !gk_ir_attr(c->m, c->op, word.name))
			return fail(c, "expected an attribute %.64s", word.name);
	}
	return 0;
}

int gk_ir_verify(struct gk_ir_reader *r, struct gk_err *e)
{
	for (uint32_t i = 0; i < r->module->op_count; i++) {
		struct check c = {r, r->module, &r->module->ops[i], i, e};

		if (check_arity(&c) || check_attrs(&c) || check_class(&c))
			return -1;
	}
	return gk_ir_verify_flow(r, e);
}
