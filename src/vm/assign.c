/*
 * Registers for virtuals: by liveness over the positions of main code, in one
 * pass over it. Registers are shared only between values of the same number of
 * lanes and bytes a lane, so that moves can exchange two of them whole.
 */
#include "flat.h"

#include "base/memory.h"

struct shelf { /* free registers of one size */
	uint32_t n, bytes;
	struct GK_VEC(uint32_t) free;
};

struct assigner {
	struct vm_flat *f;
	struct GK_VEC(struct shelf) shelves;
	struct GK_VEC(struct vm_reg_plan) regs;
};

static int by_last(const void *a, const void *b)
{
	const struct vm_span *x = a, *y = b;

	return x->last < y->last ? -1 : x->last > y->last;
}

static void extend(struct vm_virtual *v, const struct vm_span *loop)
{
	if (v->first > loop->last || v->last < loop->first)
		return;
	if (v->is_block_arg && v->first > loop->first)
		v->first = loop->first;
	if ((v->first < loop->first || v->is_block_arg) && v->last < loop->last)
		v->last = loop->last;
}

/* What is made before a loop and used within it must last until the jump back; inner loops first. */
static void extend_over_loops(struct vm_flat *f)
{
	if (f->loops.count > VM_MAX_WORK / (f->virtuals.count + 1)) {
		f->p->refusal_kind = GK_VM_UNSUPPORTED;
		snprintf(f->p->refusal, sizeof f->p->refusal, "%zu loops over %zu values are too many", f->loops.count,
		         f->virtuals.count);
		return;
	}
	if (f->loops.count)
		qsort(f->loops.items, f->loops.count, sizeof *f->loops.items, by_last);
	for (size_t l = 0; l < f->loops.count; l++)
		for (size_t i = 0; i < f->virtuals.count; i++)
			if (f->virtuals.items[i].first != VM_NONE && !f->virtuals.items[i].is_pinned)
				extend(&f->virtuals.items[i], &f->loops.items[l]);
}

static struct shelf *shelf_of(struct assigner *a, uint32_t n, uint32_t bytes)
{
	for (size_t i = 0; i < a->shelves.count; i++)
		if (a->shelves.items[i].n == n && a->shelves.items[i].bytes == bytes)
			return &a->shelves.items[i];
	gk_vec_push(&a->shelves, (struct shelf){.n = n, .bytes = bytes});
	return &gk_vec_last(&a->shelves);
}

static uint32_t new_reg(struct assigner *a, uint32_t n, uint32_t bytes)
{
	gk_vec_push(&a->regs, (struct vm_reg_plan){.n = n, .bytes = bytes});
	return (uint32_t)a->regs.count - 1;
}

static void begin(struct assigner *a, struct vm_virtual *v)
{
	struct shelf *shelf = shelf_of(a, v->n, vm_held_bytes(v->kind));

	if (!v->is_pinned && shelf->free.count)
		v->reg = shelf->free.items[--shelf->free.count];
	else
		v->reg = new_reg(a, v->n, shelf->bytes);
}

static void end(struct assigner *a, struct vm_virtual *v)
{
	struct shelf *shelf = shelf_of(a, v->n, vm_held_bytes(v->kind));

	gk_vec_push(&shelf->free, v->reg);
}

struct links { /* virtuals by a position, as lists: heads[position], then next[virtual] */
	uint32_t *heads, *next;
};

static struct links links_by(const struct vm_flat *f, bool is_last)
{
	size_t positions = f->p->code.count + 1;
	struct links l = {gk_alloc_array(positions, sizeof *l.heads),
	                  gk_alloc_array(f->virtuals.count + 1, sizeof *l.next)};

	memset(l.heads, 0xff, positions * sizeof *l.heads);
	for (uint32_t i = 0; i < f->virtuals.count; i++) {
		const struct vm_virtual *v = &f->virtuals.items[i];
		uint32_t at = is_last ? v->last : v->first;

		if (v->is_pinned || v->first == VM_NONE)
			continue;
		l.next[i] = l.heads[at];
		l.heads[at] = i;
	}
	return l;
}

static void links_free(struct links *l)
{
	free(l->heads);
	free(l->next);
}

static void walk(struct assigner *a)
{
	struct vm_virtual *virtuals = a->f->virtuals.items;
	struct links first = links_by(a->f, false), last = links_by(a->f, true);

	for (uint32_t at = 0; at <= a->f->p->code.count; at++) {
		for (uint32_t i = first.heads[at]; i != VM_NONE; i = first.next[i])
			begin(a, &virtuals[i]);
		for (uint32_t i = last.heads[at]; i != VM_NONE; i = last.next[i])
			end(a, &virtuals[i]);
	}
	links_free(&first);
	links_free(&last);
}

static uint32_t reg_of(const struct vm_flat *f, uint32_t virtual)
{
	return virtual < f->virtuals.count ? f->virtuals.items[virtual].reg : VM_NONE;
}

static void rename_op(const struct vm_flat *f, struct vm_op *op, uint32_t at)
{
	if (op->run == vm_run_move) {
		const struct vm_virtual *src = &f->virtuals.items[op->src[0]];

		op->is_swap = !src->is_pinned && src->last == at;
	}
	op->dst = reg_of(f, op->dst);
	for (int i = 0; i < 3; i++)
		op->src[i] = reg_of(f, op->src[i]);
}

static void rename_all(struct vm_flat *f)
{
	for (uint32_t i = 0; i < f->p->code.count; i++)
		rename_op(f, &f->p->code.items[i], i);
	for (uint32_t i = 0; i < f->p->side.count; i++)
		rename_op(f, &f->p->side.items[i], VM_NONE);
	for (uint32_t i = 0; i < f->p->once.count; i++)
		rename_op(f, &f->p->once.items[i], VM_NONE);
	for (uint32_t i = 0; i < f->p->fills.count; i++)
		f->p->fills.items[i].reg = reg_of(f, f->p->fills.items[i].reg);
	for (size_t l = 0; l < f->lists.count; l++)
		for (uint32_t i = 0; i < f->lists.items[l].count; i++)
			f->lists.items[l].regs[i] = reg_of(f, f->lists.items[l].regs[i]);
}

/* Offsets in a thread's memory. The odd cache line between keeps tiles from sharing their low address bits. */
static void lay_out(struct assigner *a)
{
	struct gk_vm_program *p = a->f->p;
	uint64_t at = 0;

	for (size_t i = 0; i < a->regs.count; i++) {
		struct vm_reg_plan *r = &a->regs.items[i];
		uint64_t bytes = (uint64_t)r->n * r->bytes;

		r->data = at;
		at += (bytes < 16 ? 16 : bytes + 63) / (bytes < 16 ? 16 : 64) * (bytes < 16 ? 16 : 64);
		r->undef = at;
		at += r->n < 16 ? 16 : (r->n + 63u) / 64 * 64 + 64;
		if (r->n >= 16)
			at = (at + 63) / 64 * 64;
	}
	p->reg_count = (uint32_t)a->regs.count;
	p->reg_bytes = at;
	p->regs = gk_arena_array(&p->arena, a->regs.count, sizeof *p->regs);
	if (a->regs.count)
		memcpy(p->regs, a->regs.items, a->regs.count * sizeof *p->regs);
	if (at > VM_MAX_BYTES && !*p->refusal) {
		p->refusal_kind = GK_VM_MEMORY;
		snprintf(p->refusal, sizeof p->refusal, "one program needs %llu MiB for its tiles",
		         (unsigned long long)(at >> 20));
	}
}

void vm_assign(struct vm_flat *f)
{
	struct assigner a = {.f = f};

	extend_over_loops(f);
	for (size_t i = 0; i < f->virtuals.count; i++)
		if (f->virtuals.items[i].is_pinned || f->virtuals.items[i].first == VM_NONE)
			begin(&a, &f->virtuals.items[i]);
	walk(&a);
	rename_all(f);
	lay_out(&a);
	for (size_t i = 0; i < a.shelves.count; i++)
		gk_vec_release(&a.shelves.items[i].free);
	gk_vec_release(&a.shelves);
	gk_vec_release(&a.regs);
}
