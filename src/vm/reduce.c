/*
 * Reduce and scan. The source is laid out anew with the axis first, so that its
 * lower and its upper half are two runs of lanes: a reduction folds the upper half into the
 * lower one until one row is left, with the code of the region over all lanes of
 * a half at once. A scan goes along the axis, row by row, from its start (or
 * its end): that is the order in which a sum is rounded.
 */
#include "machine.h"

/* dst[axis][outer][inner] = src[outer][axis][inner], or back. */
static void turn(const struct vm_fold *fold, uint32_t bytes, uint8_t *dst, const uint8_t *src, bool is_back)
{
	uint32_t row = fold->inner * bytes;

	for (uint32_t o = 0; o < fold->outer; o++)
		for (uint32_t a = 0; a < fold->axis; a++) {
			size_t there = ((size_t)a * fold->outer + o) * row, here = ((size_t)o * fold->axis + a) * row;

			memcpy(dst + (is_back ? here : there), src + (is_back ? there : here), row);
		}
}

#define TURN(name, type)                                                                                     \
	static void name(const struct vm_fold *fold, type *dst, const type *src)                             \
	{                                                                                                    \
		for (uint32_t a = 0; a < fold->axis; a++)                                                    \
			for (uint32_t o = 0; o < fold->outer; o++)                                           \
				dst[(size_t)a * fold->outer + o] = src[(size_t)o * fold->axis + a];          \
	}
TURN(turn_1, uint8_t)
TURN(turn_4, uint32_t)
TURN(turn_8, uint64_t)

static void axis_first(const struct vm_fold *fold, uint32_t bytes, void *dst, const void *src)
{
	if (fold->outer == 1)
		memcpy(dst, src, (size_t)fold->axis * fold->inner * bytes);
	else if (fold->inner > 1 || bytes == 2)
		turn(fold, bytes, dst, src, false);
	else if (bytes == 1)
		turn_1(fold, dst, src);
	else if (bytes == 4)
		turn_4(fold, dst, src);
	else
		turn_8(fold, dst, src);
}

static void lay_out(struct vm_thread *t, const struct vm_fold *fold)
{
	for (uint32_t i = 0; i < fold->count; i++) {
		const struct vm_reg *src = &t->regs[fold->sources[i]];
		struct vm_reg *work = &t->regs[fold->work[i]];

		axis_first(fold, vm_held_bytes(fold->kinds[i]), work->data, src->data);
		work->has_undef = src->has_undef;
		if (src->has_undef)
			axis_first(fold, 1, work->undef, src->undef);
	}
}

/* Lets a register of the region look at lanes of a work register. */
static struct vm_reg window(const struct vm_reg *work, uint32_t bytes, size_t first)
{
	return (struct vm_reg){(uint8_t *)work->data + first * bytes, work->undef + first, work->has_undef};
}

/* Runs the region on lanes left .. and right .. of the work registers, and puts its results at lanes to .. */
static int fold_lanes(struct vm_thread *t, const struct vm_fold *fold, size_t left, size_t right, size_t to, uint32_t n)
{
	int outcome;

	for (uint32_t i = 0; i < fold->count; i++) {
		const struct vm_reg *work = &t->regs[fold->work[i]];
		uint32_t bytes = vm_held_bytes(fold->kinds[i]);

		t->regs[fold->left[i]] = window(work, bytes, left);
		t->regs[fold->right[i]] = window(work, bytes, right);
	}
	outcome = vm_run_side(t, fold->first, fold->end, n);
	for (uint32_t i = 0; outcome == VM_GO && i < fold->count; i++) {
		struct vm_reg *work = &t->regs[fold->work[i]];
		const struct vm_reg *out = &t->regs[fold->out[i]];
		uint32_t bytes = vm_held_bytes(fold->kinds[i]);

		memmove((uint8_t *)work->data + to * bytes, out->data, (size_t)n * bytes);
		if (out->has_undef && !work->has_undef) {
			memset(work->undef, 0, (size_t)fold->outer * fold->axis * fold->inner);
			work->has_undef = true;
		}
		if (work->has_undef && out->has_undef)
			memmove(work->undef + to, out->undef, n);
		else if (work->has_undef)
			memset(work->undef + to, 0, n);
	}
	return outcome;
}

static void save(struct vm_thread *t, const struct vm_fold *fold, struct vm_reg *saved, bool restores)
{
	for (size_t i = 0; i < fold->count; i++) {
		struct vm_reg *left = &t->regs[fold->left[i]], *right = &t->regs[fold->right[i]];

		if (restores) {
			*left = saved[2 * i];
			*right = saved[2 * i + 1];
		} else {
			saved[2 * i] = *left;
			saved[2 * i + 1] = *right;
		}
	}
}

#define MAX_FOLDED 16

static int fold_all(struct vm_thread *t, const struct vm_op *op, int (*along)(struct vm_thread *, const struct vm_fold *))
{
	const struct vm_fold *fold = op->extra;
	struct vm_reg saved[2 * MAX_FOLDED];
	int outcome;

	if (fold->count > MAX_FOLDED)
		return vm_fault(t, op, GK_VM_UNSUPPORTED, 0, "%s of more than %d tensors is not simulated yet",
		                gk_ir_ops[op->code].name, MAX_FOLDED);
	save(t, fold, saved, false);
	lay_out(t, fold);
	outcome = along(t, fold);
	save(t, fold, saved, true);
	return outcome;
}

static int fold_halves(struct vm_thread *t, const struct vm_fold *fold)
{
	size_t lanes = (size_t)fold->outer * fold->inner;

	for (uint32_t left = fold->axis; left > 1;) {
		uint32_t half = left / 2, rest = left - half;

		/* An odd length keeps its middle row where it is. */
		if (fold_lanes(t, fold, 0, rest * lanes, 0, (uint32_t)(half * lanes)) != VM_GO)
			return VM_FAULT;
		left = rest;
	}
	return VM_GO;
}

int vm_run_reduce(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_fold *fold = op->extra;
	size_t lanes = (size_t)fold->outer * fold->inner;

	(void)n;
	if (fold_all(t, op, fold_halves) != VM_GO)
		return VM_FAULT;
	for (uint32_t i = 0; i < fold->count; i++) {
		const struct vm_reg *work = &t->regs[fold->work[i]];
		struct vm_reg *dst = &t->regs[fold->results[i]];

		memcpy(dst->data, work->data, lanes * vm_held_bytes(fold->kinds[i]));
		dst->has_undef = work->has_undef && memchr(work->undef, 1, lanes);
		if (dst->has_undef)
			memcpy(dst->undef, work->undef, lanes);
	}
	return VM_GO;
}

static int fold_along(struct vm_thread *t, const struct vm_fold *fold)
{
	size_t lanes = (size_t)fold->outer * fold->inner;

	for (uint32_t i = 1; i < fold->axis; i++) {
		size_t at = fold->is_reverse ? fold->axis - 1 - i : i, before = fold->is_reverse ? at + 1 : at - 1;

		if (fold_lanes(t, fold, before * lanes, at * lanes, at * lanes, (uint32_t)lanes) != VM_GO)
			return VM_FAULT;
	}
	return VM_GO;
}

int vm_run_scan(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_fold *fold = op->extra;

	(void)n;
	if (fold_all(t, op, fold_along) != VM_GO)
		return VM_FAULT;
	for (uint32_t i = 0; i < fold->count; i++) {
		const struct vm_reg *work = &t->regs[fold->work[i]];
		struct vm_reg *dst = &t->regs[fold->results[i]];

		turn(fold, vm_held_bytes(fold->kinds[i]), dst->data, work->data, true);
		dst->has_undef = work->has_undef;
		if (work->has_undef)
			turn(fold, 1, dst->undef, work->undef, true);
	}
	return VM_GO;
}
