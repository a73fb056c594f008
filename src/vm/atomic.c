/*
 * Atomics: lane after lane, in the order of lanes. Launches of modules that
 * have any run on one thread, so that nothing here needs to be atomic for the host.
 */
#include "machine.h"

#include <math.h>

#include "base/memory.h"

union lane { /* as held */
	uint64_t bits;
	float f32;
	double f64;
};

static union lane read_lane(const void *data, uint32_t held, uint32_t i)
{
	union lane lane = {0};

	memcpy(&lane, (const uint8_t *)data + (size_t)i * held, held);
	return lane;
}

static int64_t as_signed(uint64_t bits, uint32_t bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (int64_t)(bits << shift) >> shift;
}

static union lane combine_ints(int64_t how, union lane old, union lane value, uint32_t bytes)
{
	int64_t a = as_signed(old.bits, bytes), b = as_signed(value.bits, bytes);

	switch (how) {
	case GK_RMW_AND:
		return (union lane){old.bits & value.bits};
	case GK_RMW_OR:
		return (union lane){old.bits | value.bits};
	case GK_RMW_XOR:
		return (union lane){old.bits ^ value.bits};
	case GK_RMW_ADD:
		return (union lane){old.bits + value.bits};
	case GK_RMW_MAX:
		return a > b ? old : value;
	case GK_RMW_MIN:
		return a < b ? old : value;
	case GK_RMW_UMAX:
		return old.bits > value.bits ? old : value;
	case GK_RMW_UMIN:
		return old.bits < value.bits ? old : value;
	default:
		return value;
	}
}

static union lane combine_doubles(int64_t how, union lane old, union lane value)
{
	union lane result = value;

	if (how == GK_RMW_FADD)
		result.f64 = old.f64 + value.f64;
	else if (how == GK_RMW_MAX)
		result.f64 = fmax(old.f64, value.f64);
	else if (how == GK_RMW_MIN)
		result.f64 = fmin(old.f64, value.f64);
	return result;
}

static union lane combine(enum gk_ir_kind kind, int64_t how, union lane old, union lane value, uint32_t bytes)
{
	union lane result = value;

	if (!gk_ir_kind_is_float(kind))
		return combine_ints(how, old, value, bytes);
	if (kind == GK_IR_F64)
		return combine_doubles(how, old, value);
	if (how == GK_RMW_FADD)
		result.f32 = old.f32 + value.f32;
	else if (how == GK_RMW_MAX)
		result.f32 = fmaxf(old.f32, value.f32);
	else if (how == GK_RMW_MIN)
		result.f32 = fminf(old.f32, value.f32);
	if (vm_is_small_float(kind))
		vm_round(kind, &result.f32, 1);
	return result;
}

/* The old value goes to lane i of dst; new, where it is not NULL, to memory. */
static void exchange(struct vm_thread *t, const struct vm_op *op, const struct vm_place *place, uint32_t i,
                     const union lane *old, const union lane *new, bool is_undef)
{
	const struct vm_access *access = op->extra;
	uint64_t before = 0, after = 0;

	if (op->dst != VM_NONE) {
		uint32_t held = vm_held_bytes(access->mem);

		memcpy((uint8_t *)t->regs[op->dst].data + (size_t)i * held, old, held);
	}
	if (!new)
		return;
	memcpy(&before, place->bytes, access->bytes);
	vm_narrow(access->mem, &after, new, 1);
	/* A program that only writes what is there already may be waiting in a lock. */
	if (before != after)
		t->is_quiet = false;
	memcpy(place->bytes, &after, access->bytes);
	place->buffer->written = true;
	vm_mark(place->buffer, place->at, access->bytes, is_undef);
}

static void set_undef(struct vm_thread *t, const struct vm_op *op, uint32_t i, bool is_undef)
{
	if (op->dst == VM_NONE || !is_undef)
		return;
	t->regs[op->dst].undef[i] = 1;
	t->regs[op->dst].has_undef = true;
}

static void clear_undef(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	if (op->dst == VM_NONE)
		return;
	memset(t->regs[op->dst].undef, 0, n);
	t->regs[op->dst].has_undef = false;
	memset(t->regs[op->dst].data, 0, (size_t)n * vm_held_bytes(op->kind));
}

static void count(struct vm_thread *t, const struct vm_access *access)
{
	t->counts.atomics++;
	t->counts.bytes_read += access->bytes;
	t->counts.bytes_written += access->bytes;
}

int vm_run_rmw(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_access *access = op->extra;
	const struct vm_reg *pointers = &t->regs[op->src[0]], *value = &t->regs[op->src[1]];
	const struct vm_reg *mask = op->src_count > 2 ? &t->regs[op->src[2]] : NULL;
	uint32_t held = vm_held_bytes(access->mem);

	if (vm_is_poisoned(t, op, pointers, mask, n))
		return VM_FAULT;
	clear_undef(t, op, n);
	for (uint32_t i = 0; i < n; i++) {
		struct vm_place place;
		union lane old = {0}, new;
		bool was_undef, value_undef = value->has_undef && value->undef[i];

		if (mask && !((const uint8_t *)mask->data)[i]) {
			set_undef(t, op, i, true);
			continue;
		}
		if (!vm_touch(t, op, access, ((const uint64_t *)pointers->data)[i], i, &place))
			return VM_FAULT;
		vm_widen(access->mem, &old, place.bytes, 1);
		was_undef = vm_is_undef(&place, access->bytes);
		new = combine(access->mem, op->imm, old, read_lane(value->data, held, i), access->bytes);
		exchange(t, op, &place, i, &old, &new, value_undef || (was_undef && op->imm != GK_RMW_XCHG));
		set_undef(t, op, i, was_undef);
		count(t, access);
	}
	return VM_GO;
}

/* Compared by bits, as the hardware does. */
int vm_run_cas(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_access *access = op->extra;
	const struct vm_reg *pointers = &t->regs[op->src[0]];
	const struct vm_reg *expected = &t->regs[op->src[1]], *value = &t->regs[op->src[2]];
	uint32_t held = vm_held_bytes(access->mem);

	if (vm_is_poisoned(t, op, pointers, NULL, n))
		return VM_FAULT;
	clear_undef(t, op, n);
	for (uint32_t i = 0; i < n; i++) {
		struct vm_place place;
		union lane old = {0}, new = read_lane(value->data, held, i), want = read_lane(expected->data, held, i);
		uint64_t wanted = 0;
		bool matches;

		if (expected->has_undef && expected->undef[i])
			return vm_fault(t, op, GK_VM_POISON_USED, i, "the expected value is undefined");
		if (!vm_touch(t, op, access, ((const uint64_t *)pointers->data)[i], i, &place))
			return VM_FAULT;
		if (vm_is_undef(&place, access->bytes))
			return vm_fault(t, op, GK_VM_POISON_USED, i, "memory that was never written is compared");
		vm_widen(access->mem, &old, place.bytes, 1);
		vm_narrow(access->mem, &wanted, &want, 1);
		matches = memcmp(&wanted, place.bytes, access->bytes) == 0;
		exchange(t, op, &place, i, &old, matches ? &new : NULL, value->has_undef && value->undef[i]);
		count(t, access);
	}
	return VM_GO;
}
