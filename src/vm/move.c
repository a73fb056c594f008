/* What only copies elements: splat, broadcast, transposition, joining and splitting; and the ids of programs. */
#include "machine.h"

#include "base/memory.h"

static void fill(void *dst, const void *element, uint32_t bytes, uint32_t n)
{
	if (bytes == 1) {
		memset(dst, *(const uint8_t *)element, n);
	} else if (bytes == 4) {
		uint32_t value = *(const uint32_t *)element, *d = dst;

		for (uint32_t i = 0; i < n; i++)
			d[i] = value;
	} else if (bytes == 8) {
		uint64_t value = *(const uint64_t *)element, *d = dst;

		for (uint32_t i = 0; i < n; i++)
			d[i] = value;
	} else {
		for (uint32_t i = 0; i < n; i++)
			memcpy((uint8_t *)dst + (size_t)i * bytes, element, bytes);
	}
}

int vm_run_splat(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *src = &t->regs[op->src[0]];
	struct vm_reg *dst = &t->regs[op->dst];

	fill(dst->data, src->data, vm_held_bytes(op->kind), n);
	dst->has_undef = src->has_undef && *src->undef;
	if (dst->has_undef)
		memset(dst->undef, 1, n);
	return VM_GO;
}

/* One row of the innermost dimension is filled or copied; the dimensions before it are counted up. */
static void broadcast(const struct vm_move *move, uint32_t bytes, uint8_t *dst, const uint8_t *src)
{
	uint32_t rank = move->to.rank, row = move->to.dims[rank - 1], rows = 1, strides[GK_IR_MAX_RANK] = {0};
	uint32_t index[GK_IR_MAX_RANK] = {0}, at = 0, stride = 1;
	bool fills = move->from.dims[rank - 1] == 1 && row > 1;

	for (uint32_t d = rank; d-- > 0;) {
		strides[d] = move->from.dims[d] == 1 ? 0 : stride;
		stride *= move->from.dims[d];
		rows *= d == rank - 1 ? 1 : move->to.dims[d];
	}
	for (uint32_t r = 0; r < rows; r++, dst += (size_t)row * bytes) {
		if (fills)
			fill(dst, src + (size_t)at * bytes, bytes, row);
		else
			memcpy(dst, src + (size_t)at * bytes, (size_t)row * bytes);
		for (uint32_t d = rank - 1; d-- > 0;) {
			at += strides[d];
			if (++index[d] < move->to.dims[d])
				break;
			at -= strides[d] * index[d];
			index[d] = 0;
		}
	}
}

int vm_run_broadcast(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *src = &t->regs[op->src[0]];
	struct vm_reg *dst = &t->regs[op->dst];

	(void)n;
	broadcast(op->extra, vm_held_bytes(op->kind), dst->data, src->data);
	dst->has_undef = src->has_undef;
	if (src->has_undef)
		broadcast(op->extra, 1, dst->undef, src->undef);
	return VM_GO;
}

#define TRANSPOSE(name, type)                                                                                \
	static void name(type *dst, const type *src, uint32_t rows, uint32_t columns)                        \
	{                                                                                                    \
		for (uint32_t c = 0; c < columns; c++)                                                       \
			for (uint32_t r = 0; r < rows; r++)                                                  \
				dst[c * rows + r] = src[r * columns + c];                                    \
	}
TRANSPOSE(transpose_8, uint8_t)
TRANSPOSE(transpose_16, uint16_t)
TRANSPOSE(transpose_32, uint32_t)
TRANSPOSE(transpose_64, uint64_t)

static void permute(const struct vm_move *move, uint32_t bytes, uint8_t *dst, const uint8_t *src, uint32_t n)
{
	uint32_t rank = move->from.rank, from[GK_IR_MAX_RANK] = {0}, strides[GK_IR_MAX_RANK] = {0}, stride = 1;
	uint32_t index[GK_IR_MAX_RANK] = {0}, at = 0;

	for (uint32_t d = rank; d-- > 0; stride *= move->from.dims[d])
		from[d] = stride;
	for (uint32_t d = 0; d < rank; d++)
		strides[d] = from[move->order[d]];
	for (uint32_t i = 0; i < n; i++) {
		memcpy(dst + (size_t)i * bytes, src + (size_t)at * bytes, bytes);
		for (uint32_t d = rank; d-- > 0;) {
			at += strides[d];
			if (++index[d] < move->to.dims[d])
				break;
			at -= strides[d] * index[d];
			index[d] = 0;
		}
	}
}

static void transpose(const struct vm_move *move, uint32_t bytes, void *dst, const void *src, uint32_t n)
{
	uint32_t rows = move->from.dims[0], columns = move->from.dims[1];

	if (move->from.rank != 2 || move->order[0] != 1)
		permute(move, bytes, dst, src, n);
	else if (bytes == 1)
		transpose_8(dst, src, rows, columns);
	else if (bytes == 2)
		transpose_16(dst, src, rows, columns);
	else if (bytes == 4)
		transpose_32(dst, src, rows, columns);
	else
		transpose_64(dst, src, rows, columns);
}

int vm_run_trans(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *src = &t->regs[op->src[0]];
	struct vm_reg *dst = &t->regs[op->dst];

	transpose(op->extra, vm_held_bytes(op->kind), dst->data, src->data, n);
	dst->has_undef = src->has_undef;
	if (src->has_undef)
		transpose(op->extra, 1, dst->undef, src->undef, n);
	return VM_GO;
}

/* Undefined lanes of a source, as bytes that can be copied; zeros where it has none. */
static const uint8_t *lanes_of(struct vm_reg *reg, uint32_t n)
{
	if (!reg->has_undef)
		memset(reg->undef, 0, n);
	return reg->undef;
}

int vm_run_cat(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *a = &t->regs[op->src[0]], *b = &t->regs[op->src[1]], *dst = &t->regs[op->dst];
	size_t half = (size_t)n / 2 * vm_held_bytes(op->kind);

	memcpy(dst->data, a->data, half);
	memcpy((uint8_t *)dst->data + half, b->data, half);
	dst->has_undef = a->has_undef || b->has_undef;
	if (dst->has_undef) {
		memcpy(dst->undef, lanes_of(a, n / 2), n / 2);
		memcpy(dst->undef + n / 2, lanes_of(b, n / 2), n / 2);
	}
	return VM_GO;
}

static void interleave(uint32_t bytes, uint8_t *dst, const uint8_t *a, const uint8_t *b, uint32_t pairs)
{
	for (uint32_t i = 0; i < pairs; i++) {
		memcpy(dst + (size_t)2 * i * bytes, a + (size_t)i * bytes, bytes);
		memcpy(dst + (size_t)(2 * i + 1) * bytes, b + (size_t)i * bytes, bytes);
	}
}

int vm_run_join(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *a = &t->regs[op->src[0]], *b = &t->regs[op->src[1]], *dst = &t->regs[op->dst];

	interleave(vm_held_bytes(op->kind), dst->data, a->data, b->data, n / 2);
	dst->has_undef = a->has_undef || b->has_undef;
	if (dst->has_undef)
		interleave(1, dst->undef, lanes_of(a, n / 2), lanes_of(b, n / 2), n / 2);
	return VM_GO;
}

static void every_second(uint32_t bytes, uint8_t *dst, const uint8_t *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		memcpy(dst + (size_t)i * bytes, src + (size_t)2 * i * bytes, bytes);
}

int vm_run_split(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *src = &t->regs[op->src[0]], *dst = &t->regs[op->dst];
	uint32_t bytes = vm_held_bytes(op->kind);

	every_second(bytes, dst->data, (const uint8_t *)src->data + (size_t)op->imm * bytes, n);
	dst->has_undef = src->has_undef;
	if (src->has_undef)
		every_second(1, dst->undef, src->undef + op->imm, n);
	return VM_GO;
}

static int64_t int_lane(enum gk_ir_kind kind, const void *data, uint32_t i)
{
	switch (kind) {
	case GK_IR_I8:
		return ((const int8_t *)data)[i];
	case GK_IR_I16:
		return ((const int16_t *)data)[i];
	case GK_IR_I32:
		return ((const int32_t *)data)[i];
	case GK_IR_I64:
		return ((const int64_t *)data)[i];
	default:
		return ((const uint8_t *)data)[i];
	}
}

/* dst[.., i, ..] = src[.., index[.., i, ..], ..] along one axis; dst has the shape of index. */
int vm_run_gather(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_move *move = op->extra;
	struct vm_reg *src = &t->regs[op->src[0]], *index = &t->regs[op->src[1]], *dst = &t->regs[op->dst];
	uint32_t bytes = vm_held_bytes(op->kind), inner = 1, axis = move->to.dims[move->axis];
	uint32_t from = move->from.dims[move->axis];
	bool any = src->has_undef || index->has_undef;

	for (uint32_t d = move->axis + 1; d < move->to.rank; d++)
		inner *= move->to.dims[d];
	for (uint32_t i = 0; i < n; i++) {
		int64_t at = int_lane(op->from, index->data, i);
		uint32_t outer = i / (axis * inner), within = i % inner;
		bool is_undef = index->has_undef && index->undef[i];
		size_t source;

		if (is_undef)
			at = 0;
		if (at < 0 || at >= from)
			return vm_fault(t, op, GK_VM_OUT_OF_BOUNDS, i, "index %lld of %u elements along axis %u",
			                (long long)at, from, move->axis);
		source = ((size_t)outer * from + (size_t)at) * inner + within;
		memcpy((uint8_t *)dst->data + (size_t)i * bytes, (const uint8_t *)src->data + source * bytes, bytes);
		if (any)
			dst->undef[i] = is_undef || (src->has_undef && src->undef[source]);
	}
	dst->has_undef = any;
	return VM_GO;
}

/* Values that have no bin are left out. */
int vm_run_histogram(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_move *move = op->extra;
	struct vm_reg *src = &t->regs[op->src[0]], *dst = &t->regs[op->dst];
	const struct vm_reg *mask = op->src_count > 1 ? &t->regs[op->src[1]] : NULL;
	uint32_t count = move->from.dims[0], bytes = vm_held_bytes(op->kind);

	if (op->kind != GK_IR_I32 && op->kind != GK_IR_I64)
		return vm_fault(t, op, GK_VM_UNSUPPORTED, 0, "a histogram of such small integers is not simulated yet");
	memset(dst->data, 0, (size_t)n * bytes);
	dst->has_undef = false;
	for (uint32_t i = 0; i < count; i++) {
		int64_t bin = int_lane(op->from, src->data, i);

		if (mask && !((const uint8_t *)mask->data)[i])
			continue;
		if ((src->has_undef && src->undef[i]) || (mask && mask->has_undef && mask->undef[i]))
			return vm_fault(t, op, GK_VM_POISON_USED, i, "an undefined value is counted");
		if (bin < 0 || bin >= n)
			continue;
		if (op->kind == GK_IR_I64)
			((int64_t *)dst->data)[bin]++;
		else
			((int32_t *)dst->data)[bin]++;
	}
	return VM_GO;
}

#define ADDPTR(name, type)                                                                                   \
	VM_LOOP void name(uint64_t *dst, const uint64_t *base, const type *offset, uint64_t bytes, uint32_t n) \
	{                                                                                                    \
		for (uint32_t i = 0; i < n; i++)                                                             \
			dst[i] = base[i] + (uint64_t)(int64_t)offset[i] * bytes;                             \
	}
ADDPTR(addptr_8, int8_t)
ADDPTR(addptr_16, int16_t)
ADDPTR(addptr_32, int32_t)
ADDPTR(addptr_64, int64_t)

int vm_run_addptr(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	uint64_t *dst = t->regs[op->dst].data;
	const uint64_t *base = t->regs[op->src[0]].data;
	const void *offset = t->regs[op->src[1]].data;
	uint64_t bytes = (uint64_t)op->imm;

	if (op->from == GK_IR_I32)
		addptr_32(dst, base, offset, bytes, n);
	else if (op->from == GK_IR_I64)
		addptr_64(dst, base, offset, bytes, n);
	else if (op->from == GK_IR_I16)
		addptr_16(dst, base, offset, bytes, n);
	else
		addptr_8(dst, base, offset, bytes, n);
	vm_flow(t, op, n);
	return VM_GO;
}

int vm_run_program_id(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	(void)n;
	*(uint32_t *)t->regs[op->dst].data = t->id[op->imm];
	t->regs[op->dst].has_undef = false;
	return VM_GO;
}

int vm_run_num_programs(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	(void)n;
	*(uint32_t *)t->regs[op->dst].data = t->launch->grid[op->imm];
	t->regs[op->dst].has_undef = false;
	return VM_GO;
}
