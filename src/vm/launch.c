/*
 * One launch: all programs of a grid, in an order drawn from the seed.
 *
 * Without atomics the programs are independent. Threads take the next order
 * number from a counter; when a program faults, numbers above its own are no
 * longer taken, so that the first fault in order is the one reported, however many threads there are.
 *
 * With atomics (or printing) one thread runs everything. A program that seems to wait for
 * another is set aside with its registers, and gets its turn again after the next one; so
 * locks and flags between programs work as on hardware that runs them all at once. How many may
 * be set aside is bounded by memory.
 */
#include <pthread.h>

#include "machine.h"

#include "base/memory.h"

#define WAITING_BYTES ((uint64_t)512 << 20) /* registers of all programs set aside */
#define MAX_WAITING   65536
#define MAX_BYTES     ((uint64_t)4 << 30) /* registers of all threads */
#define MAX_THREADS   64

struct work {
	const struct gk_vm_program *program;
	const struct gk_vm_launch *launch;
	uint64_t total, next; /* programs; the next in order */
	uint64_t step, start; /* order -> program: start + order * step, modulo total */
	uint64_t stop;        /* least order that faulted, or UINT64_MAX */
	uint64_t spent;
	pthread_mutex_t lock; /* of what follows */
	struct gk_vm_result *result;
};

static void fill_constant(struct vm_thread *t, const struct vm_fill *fill)
{
	struct vm_reg *reg = &t->regs[fill->reg];
	uint32_t held = vm_held_bytes(fill->kind);
	int32_t *range = reg->data;

	if (fill->is_poison) {
		memset(reg->undef, 1, fill->n);
		reg->has_undef = true;
	} else if (fill->is_range) {
		for (uint32_t i = 0; i < fill->n; i++)
			range[i] = (int32_t)(fill->start + i);
	} else if (fill->is_splat) {
		vm_widen(fill->kind, reg->data, fill->bytes, 1);
		for (uint32_t i = 1; i < fill->n; i++)
			memcpy((uint8_t *)reg->data + (size_t)i * held, reg->data, held);
	} else {
		vm_widen(fill->kind, reg->data, fill->bytes, fill->n);
	}
}

static void set_desc(struct vm_desc *desc, const struct gk_vm_arg *arg)
{
	*desc = (struct vm_desc){
		.base = gk_vm_address(arg->buffer, arg->at), .rank = arg->rank, .pad_nan = arg->pad_nan};
	for (uint32_t d = 0; d < arg->rank && d < GK_VM_MAX_RANK; d++) {
		desc->shape[d] = arg->shape[d];
		desc->strides[d] = arg->strides[d];
	}
}

static void set_param(struct vm_thread *t, uint32_t i)
{
	const struct gk_vm_program *p = t->program;
	enum gk_ir_kind kind = vm_kind(gk_ir_value_kind(p->module, p->func->params[i].value));
	const struct gk_vm_arg *arg = &t->launch->args[i];
	struct vm_reg *reg = &t->regs[p->params[i]];
	uint64_t value = (uint64_t)arg->number;

	if (arg->kind == GK_VM_DESC) {
		set_desc(reg->data, arg);
		return;
	}
	if (arg->kind == GK_VM_POINTER || arg->kind == GK_VM_ADDRESS)
		value = gk_vm_address(arg->buffer, arg->at);
	if (arg->kind == GK_VM_NULL)
		value = 0;
	vm_widen(kind, reg->data, &value, 1);
}

static bool fits(const struct gk_vm_launch *launch, const struct gk_vm_arg *arg, enum gk_ir_kind kind)
{
	bool has_buffer = arg->buffer < launch->buffer_count && arg->at <= launch->buffers[arg->buffer].size;

	switch (arg->kind) {
	case GK_VM_POINTER:
		return kind == GK_IR_PTR && has_buffer;
	case GK_VM_ADDRESS:
		return kind == GK_IR_I64 && has_buffer;
	case GK_VM_NULL:
		return kind == GK_IR_PTR;
	case GK_VM_INT:
		return gk_ir_kind_is_int(kind);
	case GK_VM_FLOAT:
		return gk_ir_kind_is_float(kind);
	case GK_VM_DESC:
		return kind == GK_IR_DESC && has_buffer && arg->rank <= GK_VM_MAX_RANK;
	default:
		return false;
	}
}

static bool refuse(struct gk_vm_result *result, const struct gk_vm_program *p, enum gk_vm_finding_kind kind,
                   const char *words)
{
	struct gk_vm_finding *f = &result->finding;

	*f = (struct gk_vm_finding){.kind = kind, .buffer = GK_VM_NO_BUFFER};
	snprintf(f->kernel, sizeof f->kernel, "%.120s", p->func->name);
	snprintf(f->message, sizeof f->message, "%s: %s", f->kernel, words);
	return false;
}

static bool check(const struct gk_vm_program *p, const struct gk_vm_launch *launch, struct gk_vm_result *result)
{
	char words[160];

	if (*p->refusal)
		return refuse(result, p, p->refusal_kind, p->refusal);
	if (launch->arg_count != p->func->param_count || launch->buffer_count > GK_VM_MAX_BUFFERS) {
		snprintf(words, sizeof words, "%u arguments for %u parameters", launch->arg_count, p->func->param_count);
		return refuse(result, p, GK_VM_ARGUMENTS, words);
	}
	for (uint32_t i = 0; i < launch->buffer_count; i++)
		if (launch->buffers[i].size >> 39)
			return refuse(result, p, GK_VM_ARGUMENTS, "a buffer is larger than the machine can address");
	for (uint32_t i = 0; i < launch->arg_count; i++) {
		if (fits(launch, &launch->args[i], gk_ir_value_kind(p->module, p->func->params[i].value)))
			continue;
		snprintf(words, sizeof words, "argument %u does not fit parameter %.60s", i, p->func->params[i].name);
		return refuse(result, p, GK_VM_ARGUMENTS, words);
	}
	return true;
}

static struct vm_thread *thread_new(struct work *w)
{
	const struct gk_vm_program *p = w->program;
	struct vm_thread *t = gk_alloc(sizeof *t);
	uint8_t *aligned;

	*t = (struct vm_thread){.program = p, .launch = w->launch, .spent = &w->spent, .slice = UINT64_MAX};
	t->memory = gk_alloc(p->reg_bytes + 64);
	t->regs = gk_alloc_array((size_t)p->reg_count + 1, sizeof *t->regs);
	t->notes.ceiling = GK_VM_NOTE_BYTES;
	aligned = t->memory + (64 - (uintptr_t)t->memory % 64);
	for (uint32_t i = 0; i < p->reg_count; i++)
		t->regs[i] = (struct vm_reg){aligned + p->regs[i].data, aligned + p->regs[i].undef, false};
	for (size_t i = 0; i < p->fills.count; i++)
		fill_constant(t, &p->fills.items[i]);
	for (uint32_t i = 0; i < p->func->param_count; i++)
		set_param(t, i);
	vm_run_once(t);
	return t;
}

static void add_counts(struct gk_vm_counts *sum, const struct gk_vm_counts *c)
{
	sum->bytes_read += c->bytes_read;
	sum->bytes_written += c->bytes_written;
	sum->operations += c->operations;
	sum->atomics += c->atomics;
	sum->dot_flops += c->dot_flops;
	sum->programs += c->programs;
}

/* Adds what the thread has found and counted to the result, and ends it. */
static void thread_end(struct work *w, struct vm_thread *t)
{
	pthread_mutex_lock(&w->lock);
	add_counts(&w->result->counts, &t->counts);
	gk_buf_add(&w->result->notes, gk_buf_text(&t->notes), t->notes.size);
	if (t->finding.kind != GK_VM_FINE && t->order == __atomic_load_n(&w->stop, __ATOMIC_RELAXED))
		w->result->finding = t->finding;
	pthread_mutex_unlock(&w->lock);
	gk_buf_release(&t->notes);
	free(t->memory);
	free(t->regs);
	free(t);
}

static void begin(const struct work *w, struct vm_thread *t, uint64_t order)
{
	__extension__ typedef unsigned __int128 wide;
	uint64_t id = (uint64_t)((w->start + (wide)order * w->step) % w->total);
	const uint32_t *grid = w->launch->grid;

	t->order = order;
	t->pc = 0;
	t->id[0] = (uint32_t)(id % grid[0]);
	t->id[1] = (uint32_t)(id / grid[0] % grid[1]);
	t->id[2] = (uint32_t)(id / grid[0] / grid[1]);
	t->counts.programs++;
}

static void lower_stop(struct work *w, uint64_t order)
{
	uint64_t old = __atomic_load_n(&w->stop, __ATOMIC_RELAXED);

	while (order < old && !__atomic_compare_exchange_n(&w->stop, &old, order, false, __ATOMIC_RELAXED,
	                                                   __ATOMIC_RELAXED))
		;
}

static void *run_independent(void *ctx)
{
	struct work *w = ctx;
	struct vm_thread *t = thread_new(w);

	for (;;) {
		uint64_t order = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED);

		if (order >= w->total || order > __atomic_load_n(&w->stop, __ATOMIC_RELAXED))
			break;
		begin(w, t, order);
		if (vm_run(t) == VM_FAULT) {
			lower_stop(w, order);
			break;
		}
	}
	thread_end(w, t);
	return NULL;
}

static void run_threads(struct work *w, int threads)
{
	pthread_t others[MAX_THREADS];
	int started = 0;

	if (threads > MAX_THREADS)
		threads = MAX_THREADS;
	while (threads > 1 && (uint64_t)threads * w->program->reg_bytes > MAX_BYTES)
		threads--;
	if ((uint64_t)threads > w->total)
		threads = (int)w->total;
	while (started < threads - 1 && pthread_create(&others[started], NULL, run_independent, w) == 0)
		started++;
	run_independent(w);
	for (int i = 0; i < started; i++)
		pthread_join(others[i], NULL);
}

struct queue { /* programs that wait, in the order of their turns */
	struct vm_thread *head, **tail;
	struct vm_thread *idle; /* ended: their memory serves again */
	uint64_t count;
};

static void queue_push(struct queue *q, struct vm_thread *t)
{
	t->next = NULL;
	*q->tail = t;
	q->tail = &t->next;
	q->count++;
}

static struct vm_thread *queue_pop(struct queue *q)
{
	struct vm_thread *t = q->head;

	q->head = t->next;
	if (!q->head)
		q->tail = &q->head;
	q->count--;
	return t;
}

/* Runs t for one turn; false when it found a fault. */
static bool take_turn(struct work *w, struct queue *q, struct vm_thread *t)
{
	switch (vm_run(t)) {
	case VM_FAULT:
		lower_stop(w, t->order);
		thread_end(w, t);
		return false;
	case VM_PAUSE:
		queue_push(q, t);
		return true;
	default:
		t->next = q->idle;
		q->idle = t;
		return true;
	}
}

static void run_in_turns(struct work *w)
{
	struct queue q = {.tail = &q.head};
	uint64_t limit = WAITING_BYTES / (w->program->reg_bytes + 4096);
	bool goes_on = true;

	limit = limit < 2 ? 2 : limit > MAX_WAITING ? MAX_WAITING : limit;
	while (goes_on && (w->next < w->total || q.count)) {
		if (w->next < w->total && q.count < limit) {
			struct vm_thread *t = q.idle ? q.idle : thread_new(w);

			q.idle = q.idle ? q.idle->next : NULL;
			t->slice = 0;
			begin(w, t, w->next++);
			goes_on = take_turn(w, &q, t);
		}
		if (goes_on && q.count)
			goes_on = take_turn(w, &q, queue_pop(&q));
	}
	while (q.count)
		thread_end(w, queue_pop(&q));
	for (struct vm_thread *t = q.idle, *next; t; t = next) {
		next = t->next;
		thread_end(w, t);
	}
}

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* A permutation that needs no memory: steps of a length that has no divisor in common with the number of programs. */
static void draw_order(struct work *w)
{
	struct gk_random random;

	w->step = 1;
	if (!w->launch->seed || w->total < 2)
		return;
	gk_random_seed(&random, w->launch->seed);
	w->start = gk_random_below(&random, w->total);
	do
		w->step = 1 + gk_random_below(&random, w->total - 1);
	while (greatest_common_divisor(w->step, w->total) != 1);
}

bool gk_vm_launch(const struct gk_vm_program *program, const struct gk_vm_launch *launch, struct gk_vm_result *result)
{
	struct work w = {.program = program, .launch = launch, .stop = UINT64_MAX, .result = result};
	const uint32_t *grid = launch->grid;

	*result = (struct gk_vm_result){.notes.ceiling = GK_VM_NOTE_BYTES};
	if (!check(program, launch, result))
		return false;
	if (grid[1] && grid[2] && grid[0] > UINT64_MAX / grid[1] / grid[2])
		return refuse(result, program, GK_VM_ARGUMENTS, "the grid is too large");
	w.total = (uint64_t)grid[0] * grid[1] * grid[2];
	if (!w.total)
		return true;
	draw_order(&w);
	pthread_mutex_init(&w.lock, NULL);
	if (program->has_atomics)
		run_in_turns(&w);
	else
		run_threads(&w, launch->threads < 1 ? 1 : launch->threads);
	pthread_mutex_destroy(&w.lock);
	return result->finding.kind == GK_VM_FINE;
}

void gk_vm_result_release(struct gk_vm_result *result)
{
	gk_buf_release(&result->notes);
}
