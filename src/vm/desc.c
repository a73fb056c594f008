/*
 * Tensor descriptors: a block at coordinates. What lies outside of the tensor's
 * shape reads as 0 (or NaN) and is not written; what lies inside of it must lie in its buffer.
 */
#include "machine.h"

#include <math.h>

#include "base/memory.h"

static int64_t scalar(const struct vm_thread *t, const struct vm_list *list, uint32_t i)
{
	const void *data = t->regs[list->regs[i]].data;

	return list->kinds[i] == GK_IR_I64 ? *(const int64_t *)data : *(const int32_t *)data;
}

static int undefined_operand(struct vm_thread *t, const struct vm_op *op, const struct vm_list *list, uint32_t first)
{
	for (uint32_t i = first; i < list->count; i++) {
		const struct vm_reg *reg = &t->regs[list->regs[i]];

		if (list->lanes[i] == 1 && reg->has_undef && *reg->undef)
			return vm_fault(t, op, GK_VM_POISON_USED, 0, "a coordinate, shape or stride is undefined");
	}
	return VM_GO;
}

int vm_run_make_desc(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_list *list = op->extra;
	uint32_t rank = list->shape.rank;
	struct vm_desc desc = {.rank = rank, .pad_nan = list->is_hex};

	(void)n;
	if (undefined_operand(t, op, list, 0))
		return VM_FAULT;
	if (list->count != 1 + 2 * rank)
		return vm_fault(t, op, GK_VM_UNSUPPORTED, 0, "a descriptor of this form is not simulated yet");
	desc.base = *(const uint64_t *)t->regs[list->regs[0]].data;
	for (uint32_t d = 0; d < rank; d++) {
		desc.shape[d] = scalar(t, list, 1 + d);
		desc.strides[d] = scalar(t, list, 1 + rank + d);
	}
	memcpy(t->regs[op->dst].data, &desc, sizeof desc);
	t->regs[op->dst].has_undef = false;
	return VM_GO;
}

/* Address of lane i of a block at origin; false where it lies outside of the shape. */
static bool locate(const struct vm_desc *desc, const struct vm_list *list, const int64_t *origin, uint32_t i,
                   uint64_t *address)
{
	uint32_t rank = list->shape.rank;

	*address = desc->base;
	for (uint32_t d = rank; d-- > 0;) {
		int64_t at = origin[d] + i % list->shape.dims[d];

		i /= list->shape.dims[d];
		if (at < 0 || at >= desc->shape[d])
			return false;
		*address += (uint64_t)at * (uint64_t)desc->strides[d] * list->bytes;
	}
	return true;
}

static int read_origin(struct vm_thread *t, const struct vm_op *op, const struct vm_list *list, uint32_t first,
                       int64_t *origin)
{
	const struct vm_desc *desc = t->regs[list->regs[0]].data;

	if (undefined_operand(t, op, list, first))
		return VM_FAULT;
	if (list->count != first + list->shape.rank || desc->rank != list->shape.rank)
		return vm_fault(t, op, GK_VM_ARGUMENTS, 0, "the descriptor has %u dimensions, %u are needed", desc->rank,
		                list->shape.rank);
	for (uint32_t d = 0; d < list->shape.rank; d++)
		origin[d] = scalar(t, list, first + d);
	return VM_GO;
}

static void pad(enum gk_ir_kind kind, void *lane, bool is_nan)
{
	memset(lane, 0, vm_held_bytes(kind));
	if (is_nan && kind == GK_IR_F64)
		*(double *)lane = (double)NAN;
	else if (is_nan && gk_ir_kind_is_float(kind))
		*(float *)lane = NAN;
}

int vm_run_desc_load(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_list *list = op->extra;
	const struct vm_desc *desc = t->regs[list->regs[0]].data;
	struct vm_reg *dst = &t->regs[op->dst];
	struct vm_access access = {.shape = list->shape, .bytes = list->bytes, .mem = list->mem};
	uint32_t held = vm_held_bytes(list->mem);
	int64_t origin[GK_VM_MAX_RANK];

	if (read_origin(t, op, list, 1, origin))
		return VM_FAULT;
	dst->has_undef = false;
	memset(dst->undef, 0, n);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *lane = (uint8_t *)dst->data + (size_t)i * held;
		struct vm_place place;
		uint64_t address;

		if (!locate(desc, list, origin, i, &address)) {
			pad(list->mem, lane, desc->pad_nan);
			continue;
		}
		if (!vm_touch(t, op, &access, address, i, &place))
			return VM_FAULT;
		vm_widen(list->mem, lane, place.bytes, 1);
		dst->undef[i] = vm_is_undef(&place, list->bytes);
		dst->has_undef |= dst->undef[i];
		t->counts.bytes_read += list->bytes;
	}
	return VM_GO;
}

/* Operands: descriptor, source, coordinates. */
int vm_run_desc_store(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_list *list = op->extra;
	const struct vm_desc *desc = t->regs[list->regs[0]].data;
	const struct vm_reg *src = &t->regs[list->regs[1]];
	struct vm_access access = {.shape = list->shape, .bytes = list->bytes, .mem = list->mem};
	uint32_t held = vm_held_bytes(list->mem);
	int64_t origin[GK_VM_MAX_RANK];

	if (read_origin(t, op, list, 2, origin))
		return VM_FAULT;
	for (uint32_t i = 0; i < n; i++) {
		struct vm_place place;
		uint64_t address;

		if (!locate(desc, list, origin, i, &address))
			continue;
		if (!vm_touch(t, op, &access, address, i, &place))
			return VM_FAULT;
		vm_narrow(list->mem, place.bytes, (const uint8_t *)src->data + (size_t)i * held, 1);
		vm_mark(place.buffer, place.at, list->bytes, src->has_undef && src->undef[i]);
		place.buffer->written = true;
		t->is_quiet = false;
		t->counts.bytes_written += list->bytes;
	}
	return VM_GO;
}
