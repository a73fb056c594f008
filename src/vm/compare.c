/* Comparisons, selection, and the bitwise operations that can be sure of a result with half of their operands. */
#include "machine.h"

#include "base/memory.h"

#define COMPARE(name, type, expression)                                                                      \
	VM_LOOP void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)                \
	{                                                                                                    \
		uint8_t *d = dst;                                                                            \
		const type *p = a, *q = b;                                                                   \
                                                                                                             \
		(void)c;                                                                                     \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i], y = q[i];                                                             \
                                                                                                             \
			d[i] = (expression);                                                                 \
		}                                                                                            \
	}
#define COMPARE_WIDTHS(name, sign, expression)                                                               \
	COMPARE(name##_8, sign##8_t, expression)                                                             \
	COMPARE(name##_16, sign##16_t, expression)                                                           \
	COMPARE(name##_32, sign##32_t, expression)                                                           \
	COMPARE(name##_64, sign##64_t, expression)

COMPARE_WIDTHS(eq, uint, x == y)
COMPARE_WIDTHS(ne, uint, x != y)
COMPARE_WIDTHS(lt_s, int, x < y)
COMPARE_WIDTHS(le_s, int, x <= y)
COMPARE_WIDTHS(gt_s, int, x > y)
COMPARE_WIDTHS(ge_s, int, x >= y)
COMPARE_WIDTHS(lt_u, uint, x < y)
COMPARE_WIDTHS(le_u, uint, x <= y)
COMPARE_WIDTHS(gt_u, uint, x > y)
COMPARE_WIDTHS(ge_u, uint, x >= y)

vm_loop_fn *vm_cmpi_loop(int predicate, enum gk_ir_kind kind)
{
/* The signed value of a true bit is -1: the order of bits is turned round. */
#define ROW(bit, name) {bit##_8, name##_8, name##_16, name##_32, name##_64}
	static vm_loop_fn *const loops[][5] = {
		[GK_CMPI_EQ] = ROW(eq, eq),       [GK_CMPI_NE] = ROW(ne, ne),
		[GK_CMPI_SLT] = ROW(gt_u, lt_s),  [GK_CMPI_SLE] = ROW(ge_u, le_s),
		[GK_CMPI_SGT] = ROW(lt_u, gt_s),  [GK_CMPI_SGE] = ROW(le_u, ge_s),
		[GK_CMPI_ULT] = ROW(lt_u, lt_u),  [GK_CMPI_ULE] = ROW(le_u, le_u),
		[GK_CMPI_UGT] = ROW(gt_u, gt_u),  [GK_CMPI_UGE] = ROW(ge_u, ge_u),
	};

	if (predicate < 0 || predicate >= (int)gk_count_of(loops) || kind < GK_IR_I1 || kind > GK_IR_I64)
		return NULL;
	return loops[predicate][kind - GK_IR_I1];
}

#define COMPARE_FLOATS(name, expression)                                                                     \
	COMPARE(name##_f32, float, expression)                                                               \
	COMPARE(name##_f64, double, expression)
#define UNORDERED ((x != x) | (y != y))

COMPARE_FLOATS(never, (x < y) & (x > y))
COMPARE_FLOATS(always, (x == y) | (x != y))
COMPARE_FLOATS(oeq, x == y)
COMPARE_FLOATS(ogt, x > y)
COMPARE_FLOATS(oge, x >= y)
COMPARE_FLOATS(olt, x < y)
COMPARE_FLOATS(ole, x <= y)
COMPARE_FLOATS(one, (x < y) | (x > y))
COMPARE_FLOATS(ord, !UNORDERED)
COMPARE_FLOATS(ueq, (x == y) | UNORDERED)
COMPARE_FLOATS(ugt, !(x <= y))
COMPARE_FLOATS(uge, !(x < y))
COMPARE_FLOATS(ult, !(x >= y))
COMPARE_FLOATS(ule, !(x > y))
COMPARE_FLOATS(une, x != y)
COMPARE_FLOATS(uno, UNORDERED)

vm_loop_fn *vm_cmpf_loop(int predicate, enum gk_ir_kind kind)
{
#define PAIR(name) {name##_f32, name##_f64}
	static vm_loop_fn *const loops[][2] = {
		[GK_CMPF_FALSE] = PAIR(never), [GK_CMPF_TRUE] = PAIR(always), [GK_CMPF_OEQ] = PAIR(oeq),
		[GK_CMPF_OGT] = PAIR(ogt),     [GK_CMPF_OGE] = PAIR(oge),     [GK_CMPF_OLT] = PAIR(olt),
		[GK_CMPF_OLE] = PAIR(ole),     [GK_CMPF_ONE] = PAIR(one),     [GK_CMPF_ORD] = PAIR(ord),
		[GK_CMPF_UEQ] = PAIR(ueq),     [GK_CMPF_UGT] = PAIR(ugt),     [GK_CMPF_UGE] = PAIR(uge),
		[GK_CMPF_ULT] = PAIR(ult),     [GK_CMPF_ULE] = PAIR(ule),     [GK_CMPF_UNE] = PAIR(une),
		[GK_CMPF_UNO] = PAIR(uno),
	};

	if (predicate < 0 || predicate >= (int)gk_count_of(loops) || !gk_ir_kind_is_float(kind))
		return NULL;
	return loops[predicate][kind == GK_IR_F64];
}

#define SELECT(name, type)                                                                                   \
	VM_LOOP void name(type *dst, const uint8_t *condition, const type *a, const type *b, uint32_t n)     \
	{                                                                                                    \
		for (uint32_t i = 0; i < n; i++)                                                             \
			dst[i] = condition[i] ? a[i] : b[i];                                                 \
	}
SELECT(select_8, uint8_t)
SELECT(select_16, uint16_t)
SELECT(select_32, uint32_t)
SELECT(select_64, uint64_t)

void vm_select_lanes(uint32_t bytes, void *dst, const uint8_t *condition, const void *a, const void *b, uint32_t n)
{
	if (bytes == 1)
		select_8(dst, condition, a, b, n);
	else if (bytes == 2)
		select_16(dst, condition, a, b, n);
	else if (bytes == 4)
		select_32(dst, condition, a, b, n);
	else
		select_64(dst, condition, a, b, n);
}

static uint8_t undef_lane(const struct vm_reg *reg, uint32_t i)
{
	return reg->has_undef ? reg->undef[i] : 0;
}

/* Whole tiles by one scalar. */
static void select_whole(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *condition = &t->regs[op->src[0]];
	const struct vm_reg *from = &t->regs[op->src[*(const uint8_t *)condition->data ? 1 : 2]];
	struct vm_reg *dst = &t->regs[op->dst];

	memcpy(dst->data, from->data, (size_t)n * vm_held_bytes(op->kind));
	dst->has_undef = from->has_undef || undef_lane(condition, 0);
	if (undef_lane(condition, 0))
		memset(dst->undef, 1, n);
	else if (from->has_undef)
		memcpy(dst->undef, from->undef, n);
}

/* A lane is undefined when its condition is, or the value that was chosen. */
int vm_run_select(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *condition = &t->regs[op->src[0]], *a = &t->regs[op->src[1]], *b = &t->regs[op->src[2]];
	struct vm_reg *dst = &t->regs[op->dst];
	const uint8_t *chosen = condition->data;
	uint8_t any = 0;

	if (op->imm) {
		select_whole(t, op, n);
		return VM_GO;
	}
	vm_select_lanes(vm_held_bytes(op->kind), dst->data, chosen, a->data, b->data, n);
	dst->has_undef = condition->has_undef || a->has_undef || b->has_undef;
	if (!dst->has_undef)
		return VM_GO;
	for (uint32_t i = 0; i < n; i++) {
		dst->undef[i] = undef_lane(condition, i) | undef_lane(chosen[i] ? a : b, i);
		any |= dst->undef[i];
	}
	dst->has_undef = any;
	return VM_GO;
}

/* Byte b of element i. */
static bool is_all(const struct vm_reg *reg, uint32_t i, uint32_t bytes, uint8_t byte)
{
	const uint8_t *p = (const uint8_t *)reg->data + (size_t)i * bytes;

	for (uint32_t b = 0; b < bytes; b++)
		if (p[b] != byte)
			return false;
	return true;
}

/*
 * x & 0 is 0 and x | ~0 is ~0, whatever x is: masks are built that way from
 * values that were loaded under another mask.
 */
static int run_bitwise(struct vm_thread *t, const struct vm_op *op, uint32_t n, uint8_t decides)
{
	const struct vm_reg *a = &t->regs[op->src[0]], *b = &t->regs[op->src[1]];
	struct vm_reg *dst = &t->regs[op->dst];
	uint32_t bytes = vm_held_bytes(op->kind);
	uint8_t any = 0;

	op->loop(dst->data, a->data, b->data, NULL, n);
	dst->has_undef = a->has_undef || b->has_undef;
	if (!dst->has_undef)
		return VM_GO;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t x = undef_lane(a, i), y = undef_lane(b, i);
		bool is_sure = (!x && is_all(a, i, bytes, decides)) || (!y && is_all(b, i, bytes, decides));

		dst->undef[i] = (x | y) && !is_sure;
		any |= dst->undef[i];
		if (is_sure)
			memset((uint8_t *)dst->data + (size_t)i * bytes, decides, bytes);
	}
	dst->has_undef = any;
	return VM_GO;
}

int vm_run_and(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	return run_bitwise(t, op, n, 0);
}

int vm_run_or(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	return run_bitwise(t, op, n, op->kind == GK_IR_I1 ? 1 : 0xff);
}

__extension__ typedef unsigned __int128 wide_u;

static uint64_t lane_of(const void *data, uint32_t bytes, uint32_t i, bool is_signed)
{
	uint64_t value = 0;
	unsigned shift = 64 - 8 * bytes;

	memcpy(&value, (const uint8_t *)data + (size_t)i * bytes, bytes);
	return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
}

/* imm 0: the low half (of a sum: the sum), 1: the high half (of a sum: the carry, an i1). */
int vm_run_extended(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	uint32_t bytes = vm_held_bytes(op->kind), out = bytes;
	bool is_signed = op->code == GK_IR_ARITH_MULSI_EXTENDED, is_sum = op->code == GK_IR_ARITH_ADDUI_EXTENDED;

	if (is_sum && op->imm)
		out = 1;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t x = lane_of(t->regs[op->src[0]].data, bytes, i, is_signed);
		uint64_t y = lane_of(t->regs[op->src[1]].data, bytes, i, is_signed);
		/* Sign-extended factors give the right low 128 bits but for the wrap of negatives. */
		wide_u all = is_sum ? (wide_u)x + y : (wide_u)x * y;
		uint64_t part;

		if (is_signed)
			all -= ((wide_u)(x >> 63 ? y : 0) << 64) + ((wide_u)(y >> 63 ? x : 0) << 64);
		part = op->imm ? (uint64_t)(all >> (8 * bytes)) : (uint64_t)all;
		memcpy((uint8_t *)t->regs[op->dst].data + (size_t)i * out, &part, out);
	}
	vm_flow(t, op, n);
	return VM_GO;
}
