/*
 * The dispatch loop, the flow of undefined lanes, moves and jumps.
 *
 * A program leaves the loop when it ends, when it finds a fault, or at a jump
 * back when its slice is over and it changed no memory meanwhile: then it is
 * likely to wait for another program, and goes on later at the same place.
 */
#include "machine.h"

#define QUIET_SLICE 1000 /* jumps back without a change of memory before others get their turn */

static const uint8_t *undef_of(const struct vm_thread *t, uint32_t reg)
{
	return reg != VM_NONE && t->regs[reg].has_undef ? t->regs[reg].undef : NULL;
}

VM_LOOP void merge(uint8_t *dst, const uint8_t *src, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		dst[i] |= src[i];
}

void vm_flow(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *dst = &t->regs[op->dst];
	bool any = false;

	for (int i = 0; i < op->src_count; i++) {
		const uint8_t *src = undef_of(t, op->src[i]);

		if (!src)
			continue;
		if (!any)
			memcpy(dst->undef, src, n);
		else
			merge(dst->undef, src, n);
		any = true;
	}
	dst->has_undef = any;
}

static inline void run_loop(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *regs = t->regs;
	const struct vm_reg *a = &regs[op->src[0]], *b = NULL, *c = NULL;
	bool any = a->has_undef;

	if (op->src_count > 1) {
		b = &regs[op->src[1]];
		any |= b->has_undef;
	}
	if (op->src_count > 2) {
		c = &regs[op->src[2]];
		any |= c->has_undef;
	}
	op->loop(regs[op->dst].data, a->data, b ? b->data : NULL, c ? c->data : NULL, n);
	if (op->round)
		vm_round(op->round, regs[op->dst].data, n);
	if (any)
		vm_flow(t, op, n);
	else
		regs[op->dst].has_undef = false;
}

int vm_run_loop(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	run_loop(t, op, n);
	return VM_GO;
}

/* Division by zero and the like: no fault, but the lane is undefined from there on. */
int vm_run_checked(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *dst = &t->regs[op->dst];
	const void *a = t->regs[op->src[0]].data, *b = t->regs[op->src[1]].data;

	run_loop(t, op, n);
	if (!op->bad(NULL, a, b, n))
		return VM_GO;
	if (!dst->has_undef)
		memset(dst->undef, 0, n);
	dst->has_undef = true;
	op->bad(dst->undef, a, b, n);
	return VM_GO;
}

int vm_run_move(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	struct vm_reg *dst = &t->regs[op->dst], *src = &t->regs[op->src[0]];

	if (op->is_swap) {
		struct vm_reg old = *dst;

		*dst = *src;
		*src = old;
		return VM_GO;
	}
	memcpy(dst->data, src->data, (size_t)n * vm_held_bytes(op->kind));
	if (src->has_undef)
		memcpy(dst->undef, src->undef, n);
	dst->has_undef = src->has_undef;
	return VM_GO;
}

int vm_run_nothing(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	(void)t, (void)op, (void)n;
	return VM_GO;
}

int vm_run_end(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	(void)t, (void)op, (void)n;
	return VM_END;
}

int vm_run_refuse(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const char *why = op->extra;

	(void)n;
	if (*why)
		return vm_fault(t, op, GK_VM_UNSUPPORTED, 0, "%s is not simulated yet", why);
	return vm_fault(t, op, GK_VM_UNSUPPORTED, 0, "%s is not simulated yet", gk_ir_ops[op->code].name);
}

/* Books what was used; the launch as a whole may be over. */
static int book(struct vm_thread *t, const struct vm_op *op)
{
	uint64_t spent = __atomic_add_fetch(t->spent, t->used, __ATOMIC_RELAXED);

	t->counts.operations += t->used;
	t->used = 0;
	if (!t->launch->budget || spent <= t->launch->budget)
		return VM_GO;
	return vm_fault(t, op, GK_VM_BUDGET, 0, "the launch did not end within %llu lane operations",
	                (unsigned long long)t->launch->budget);
}

static int jump_back(struct vm_thread *t, const struct vm_op *op)
{
	if (t->used > 4096 && book(t, op))
		return VM_FAULT;
	if (t->slice == UINT64_MAX || --t->slice)
		return VM_GO;
	t->slice = QUIET_SLICE;
	if (t->is_quiet)
		return VM_PAUSE;
	t->is_quiet = true;
	return VM_GO;
}

int vm_run_jump(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	bool is_back = op->imm < t->pc;

	(void)n;
	t->pc = (uint32_t)op->imm;
	return is_back ? jump_back(t, op) : VM_GO;
}

int vm_run_branch(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *condition = &t->regs[op->src[0]];

	(void)n;
	if (condition->has_undef && *condition->undef)
		return vm_fault(t, op, GK_VM_POISON_USED, 0, "an undefined value decides a branch");
	if (!*(const uint8_t *)condition->data)
		t->pc = (uint32_t)op->imm;
	return VM_GO;
}

static int64_t read_index(const struct vm_thread *t, const struct vm_op *op, uint32_t reg)
{
	const void *data = t->regs[reg].data;

	if (op->kind == GK_IR_I64)
		return *(const int64_t *)data;
	return op->from ? (int64_t)*(const uint32_t *)data : *(const int32_t *)data;
}

static void write_index(const struct vm_thread *t, const struct vm_op *op, int64_t value)
{
	if (op->kind == GK_IR_I64)
		*(int64_t *)t->regs[op->dst].data = value;
	else
		*(int32_t *)t->regs[op->dst].data = (int32_t)value;
}

static bool is_below(const struct vm_op *op, int64_t a, int64_t b)
{
	return op->from ? (uint64_t)a < (uint64_t)b : a < b;
}

int vm_run_for_first(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	(void)n;
	if (op->kind != GK_IR_I32 && op->kind != GK_IR_I64)
		return vm_fault(t, op, GK_VM_UNSUPPORTED, 0, "scf.for over integers of this width is not simulated yet");
	for (int i = 0; i < 3; i++) {
		const struct vm_reg *reg = &t->regs[op->src[i]];

		if (reg->has_undef && *reg->undef)
			return vm_fault(t, op, GK_VM_POISON_USED, 0, "a loop bound is undefined");
	}
	if (!is_below(op, read_index(t, op, op->src[0]), read_index(t, op, op->src[1])))
		t->pc = (uint32_t)op->imm;
	return VM_GO;
}

int vm_run_for_next(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	int64_t next, limit = op->kind == GK_IR_I64 ? INT64_MAX : op->from ? UINT32_MAX : INT32_MAX;

	(void)n;
	if (t->used > 4096 && book(t, op))
		return VM_FAULT;
	/* Past the largest index there is nothing below the bound. */
	if (__builtin_add_overflow(read_index(t, op, op->src[0]), read_index(t, op, op->src[2]), &next) ||
	    (!(op->from && op->kind == GK_IR_I64) && next > limit))
		return VM_GO;
	write_index(t, op, next);
	if (is_below(op, next, read_index(t, op, op->src[1])))
		t->pc = (uint32_t)op->imm;
	return VM_GO;
}

int vm_run(struct vm_thread *t)
{
	const struct vm_op *code = t->program->code.items, *op = code;
	int outcome = VM_GO;

	if (t->slice != UINT64_MAX)
		t->slice = QUIET_SLICE;
	t->is_quiet = true;
	while (outcome == VM_GO) {
		op = &code[t->pc++];

		t->used += op->n;
		if (op->run == vm_run_loop)
			run_loop(t, op, op->n);
		else
			outcome = op->run(t, op, op->n);
	}
	if (outcome != VM_FAULT && book(t, op))
		return VM_FAULT;
	return outcome;
}

/* Region code: n lanes at a time. Operations in it do not jump. */
int vm_run_side(struct vm_thread *t, uint32_t first, uint32_t end, uint32_t n)
{
	const struct vm_op *code = t->program->side.items;

	for (uint32_t i = first; i < end; i++) {
		t->used += n;
		if (code[i].run(t, &code[i], n) != VM_GO)
			return VM_FAULT;
	}
	return VM_GO;
}

int vm_run_once(struct vm_thread *t)
{
	const struct vm_op *code = t->program->once.items;

	for (size_t i = 0; i < t->program->once.count; i++)
		if (code[i].run(t, &code[i], code[i].n) != VM_GO)
			return VM_FAULT;
	return VM_GO;
}
