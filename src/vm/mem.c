/*
 * Loads and stores. A pointer is (buffer + 1) << 40 | 1 << 39, plus the offset
 * in bytes: negative offsets keep their buffer, and the null pointer has none.
 *
 * A tile is taken row by row of its innermost dimension. A row whose active
 * lanes come first and follow each other in memory is one copy; others go lane
 * by lane, after one pass over all pointers that only asks whether anything is
 * wrong. Only then the lanes are looked at one by one, to name the first bad one.
 */
#include "machine.h"

#include "base/memory.h"

#define SHORT_ROW 8 /* rows shorter than that are not worth it: the tile is taken as one row */

uint64_t gk_vm_address(uint32_t buffer, uint64_t at)
{
	return (((uint64_t)buffer + 1) << 40 | (uint64_t)1 << 39) + at;
}

struct gk_vm_buffer *vm_buffer_of(const struct vm_thread *t, uint64_t address, uint64_t *base)
{
	uint64_t id = address >> 40;

	if (id == 0 || id > t->launch->buffer_count)
		return NULL;
	*base = gk_vm_address((uint32_t)(id - 1), 0);
	return &t->launch->buffers[id - 1];
}

bool vm_touch(struct vm_thread *t, const struct vm_op *op, const struct vm_access *access, uint64_t address,
              uint32_t lane, struct vm_place *place)
{
	uint64_t base = 0;

	place->buffer = vm_buffer_of(t, address, &base);
	if (!place->buffer || place->buffer->size < access->bytes ||
	    address - base > place->buffer->size - access->bytes || address % access->bytes) {
		vm_fault_at(t, op, access, address, lane);
		return false;
	}
	place->at = address - base;
	place->bytes = (uint8_t *)place->buffer->bytes + place->at;
	return true;
}

bool vm_is_undef(const struct vm_place *place, uint32_t bytes)
{
	uint8_t any = 0;

	for (uint32_t i = 0; place->buffer->undef && i < bytes; i++)
		any |= place->buffer->undef[place->at + i];
	return any;
}

/* The map is made when it is first needed; two threads may need it at once. */
void vm_mark(struct gk_vm_buffer *buffer, uint64_t at, uint64_t bytes, bool is_undef)
{
	uint8_t *map = __atomic_load_n(&buffer->undef, __ATOMIC_ACQUIRE);

	if (!map && is_undef) {
		uint8_t *fresh = gk_alloc(buffer->size);

		if (__atomic_compare_exchange_n(&buffer->undef, &map, fresh, false, __ATOMIC_ACQ_REL,
		                                __ATOMIC_ACQUIRE))
			map = fresh;
		else
			free(fresh);
	}
	if (map)
		memset(map + at, is_undef, bytes);
}

static void set_written(struct vm_thread *t, struct gk_vm_buffer *buffer)
{
	t->is_quiet = false;
	if (!__atomic_load_n(&buffer->written, __ATOMIC_RELAXED))
		__atomic_store_n(&buffer->written, true, __ATOMIC_RELAXED);
}

bool vm_is_poisoned(struct vm_thread *t, const struct vm_op *op, const struct vm_reg *pointers,
                    const struct vm_reg *mask, uint32_t n)
{
	if (!pointers->has_undef && !(mask && mask->has_undef))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (mask && mask->has_undef && mask->undef[i]) {
			vm_fault(t, op, GK_VM_POISON_USED, i, "the mask is undefined");
			return true;
		}
		if (pointers->has_undef && pointers->undef[i] && (!mask || ((const uint8_t *)mask->data)[i])) {
			vm_fault(t, op, GK_VM_POISON_USED, i, "the address is computed from something undefined");
			return true;
		}
	}
	return false;
}

VM_LOOP uint32_t count_set(const uint8_t *mask, uint32_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += mask[i];
	return count;
}

VM_LOOP bool follow_each_other(const uint64_t *p, uint32_t n, uint64_t bytes)
{
	uint64_t differs = 0, first = p[0];

	for (uint32_t i = 0; i < n; i++)
		differs |= p[i] ^ (first + i * bytes);
	return differs == 0;
}

/* Whether an active lane leaves its buffer or is misaligned. */
VM_LOOP bool any_bad(const uint64_t *p, const uint8_t *mask, uint32_t n, uint64_t base, uint64_t limit, uint64_t bytes)
{
	uint64_t bad = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t is_off = p[i] - base > limit, is_odd = p[i] & (bytes - 1);

		bad |= (is_off | is_odd) & (mask ? (uint64_t)0 - mask[i] : ~(uint64_t)0);
	}
	return bad != 0;
}

struct row { /* of a tile in memory */
	struct vm_thread *t;
	const struct vm_op *op;
	const struct vm_access *access;
	const uint64_t *p;
	const uint8_t *mask; /* or NULL */
	uint8_t *held;       /* the lanes in a register */
	uint8_t *undef;      /* theirs; NULL for a store of what is defined */
	uint32_t lane, n;    /* of the first in the tile, and how many */
	bool *has_undef;     /* a load met undefined memory */
};

static bool is_on(const struct row *r, uint32_t i)
{
	return !r->mask || r->mask[i];
}

/* Where count elements that follow each other lie; NULL when not all of them lie in one buffer, aligned. */
static struct gk_vm_buffer *block_at(const struct row *r, uint32_t count, uint64_t *at)
{
	uint64_t base = 0, bytes = (uint64_t)count * r->access->bytes;
	struct gk_vm_buffer *buffer = vm_buffer_of(r->t, r->p[0], &base);

	if (!buffer || buffer->size < bytes || r->p[0] - base > buffer->size - bytes || r->p[0] % r->access->bytes)
		return NULL;
	*at = r->p[0] - base;
	return buffer;
}

static struct gk_vm_buffer *common_buffer(const struct row *r, uint64_t *base)
{
	uint32_t first = 0;
	struct gk_vm_buffer *buffer;

	while (!is_on(r, first))
		first++;
	buffer = vm_buffer_of(r->t, r->p[first], base);
	if (!buffer || buffer->size < r->access->bytes ||
	    any_bad(r->p, r->mask, r->n, *base, buffer->size - r->access->bytes, r->access->bytes))
		return NULL;
	return buffer;
}

static void note_undef(const struct row *r, const struct vm_place *place, uint32_t i, uint32_t n)
{
	if (!vm_is_undef(place, n * r->access->bytes))
		return;
	*r->has_undef = true;
	for (uint32_t j = 0; j < n; j++) {
		struct vm_place one = {place->buffer, place->at + (uint64_t)j * r->access->bytes, NULL};

		r->undef[i + j] = vm_is_undef(&one, r->access->bytes);
	}
}

static void load_block(const struct row *r, struct gk_vm_buffer *buffer, uint64_t at, uint32_t count)
{
	struct vm_place place = {buffer, at, (uint8_t *)buffer->bytes + at};
	uint32_t held = vm_held_bytes(r->access->mem);

	vm_widen(r->access->mem, r->held, place.bytes, count);
	memset(r->held + (size_t)count * held, 0, (size_t)(r->n - count) * held);
	note_undef(r, &place, 0, count);
}

#define TRANSFER(type, gather_name, scatter_name)                                                            \
	static void gather_name(type *raw, const uint8_t *bytes, const uint64_t *p, const uint8_t *mask,     \
	                        uint64_t base, uint32_t n)                                                   \
	{                                                                                                    \
		for (uint32_t i = 0; i < n; i++)                                                             \
			raw[i] = mask && !mask[i] ? 0 : *(const type *)(bytes + (p[i] - base));              \
	}                                                                                                    \
	static void scatter_name(uint8_t *bytes, const type *raw, const uint64_t *p, const uint8_t *mask,    \
	                         uint64_t base, uint32_t n)                                                  \
	{                                                                                                    \
		for (uint32_t i = 0; i < n; i++)                                                             \
			if (!mask || mask[i])                                                                \
				*(type *)(bytes + (p[i] - base)) = raw[i];                                   \
	}
TRANSFER(uint8_t, gather_8, scatter_8)
TRANSFER(uint16_t, gather_16, scatter_16)
TRANSFER(uint32_t, gather_32, scatter_32)
TRANSFER(uint64_t, gather_64, scatter_64)

static void gather(void *raw, const uint8_t *bytes, const uint64_t *p, const uint8_t *mask, uint64_t base, uint32_t size,
                   uint32_t n)
{
	if (size == 1)
		gather_8(raw, bytes, p, mask, base, n);
	else if (size == 2)
		gather_16(raw, bytes, p, mask, base, n);
	else if (size == 4)
		gather_32(raw, bytes, p, mask, base, n);
	else
		gather_64(raw, bytes, p, mask, base, n);
}

static void scatter(uint8_t *bytes, const void *raw, const uint64_t *p, const uint8_t *mask, uint64_t base,
                    uint32_t size, uint32_t n)
{
	if (size == 1)
		scatter_8(bytes, raw, p, mask, base, n);
	else if (size == 2)
		scatter_16(bytes, raw, p, mask, base, n);
	else if (size == 4)
		scatter_32(bytes, raw, p, mask, base, n);
	else
		scatter_64(bytes, raw, p, mask, base, n);
}

#define CHUNK 128

static void load_scattered(const struct row *r, struct gk_vm_buffer *buffer, uint64_t base)
{
	uint64_t raw[CHUNK];
	uint32_t size = r->access->bytes, held = vm_held_bytes(r->access->mem);

	for (uint32_t i = 0; i < r->n; i += CHUNK) {
		uint32_t n = r->n - i < CHUNK ? r->n - i : CHUNK;

		gather(raw, buffer->bytes, r->p + i, r->mask ? r->mask + i : NULL, base, size, n);
		vm_widen(r->access->mem, r->held + (size_t)i * held, raw, n);
	}
	for (uint32_t i = 0; buffer->undef && i < r->n; i++)
		if (is_on(r, i))
			note_undef(r, &(struct vm_place){buffer, r->p[i] - base, NULL}, i, 1);
}

/* Lane by lane: several buffers in one tile, or something wrong. */
static bool load_each(const struct row *r)
{
	uint32_t held = vm_held_bytes(r->access->mem);

	memset(r->held, 0, (size_t)r->n * held);
	for (uint32_t i = 0; i < r->n; i++) {
		struct vm_place place;

		if (!is_on(r, i))
			continue;
		if (!vm_touch(r->t, r->op, r->access, r->p[i], r->lane + i, &place))
			return false;
		vm_widen(r->access->mem, r->held + (size_t)i * held, place.bytes, 1);
		note_undef(r, &place, i, 1);
	}
	return true;
}

/* Active lanes, and whether they come first and follow each other. */
static uint32_t active(const struct row *r, bool *is_block)
{
	uint32_t count = r->mask ? count_set(r->mask, r->n) : r->n;

	*is_block = count && (count == r->n || !memchr(r->mask, 0, count)) &&
	            follow_each_other(r->p, count, r->access->bytes);
	return count;
}

static bool load_row(const struct row *r)
{
	bool is_block;
	uint32_t count = active(r, &is_block);
	uint64_t at = 0;
	struct gk_vm_buffer *buffer;

	r->t->counts.bytes_read += (uint64_t)count * r->access->bytes;
	if (!count) {
		memset(r->held, 0, (size_t)r->n * vm_held_bytes(r->access->mem));
		return true;
	}
	if (is_block && (buffer = block_at(r, count, &at))) {
		load_block(r, buffer, at, count);
		return true;
	}
	if ((buffer = common_buffer(r, &at))) {
		load_scattered(r, buffer, at);
		return true;
	}
	return load_each(r);
}

static void store_block(const struct row *r, struct gk_vm_buffer *buffer, uint64_t at, uint32_t count)
{
	uint64_t bytes = r->access->bytes;

	vm_narrow(r->access->mem, (uint8_t *)buffer->bytes + at, r->held, count);
	set_written(r->t, buffer);
	if (!r->undef)
		vm_mark(buffer, at, count * bytes, false);
	for (uint32_t i = 0; r->undef && i < count; i++)
		vm_mark(buffer, at + i * bytes, bytes, r->undef[i]);
}

static void store_scattered(const struct row *r, struct gk_vm_buffer *buffer, uint64_t base)
{
	uint64_t raw[CHUNK];
	uint32_t size = r->access->bytes, held = vm_held_bytes(r->access->mem);

	for (uint32_t i = 0; i < r->n; i += CHUNK) {
		uint32_t n = r->n - i < CHUNK ? r->n - i : CHUNK;

		vm_narrow(r->access->mem, raw, r->held + (size_t)i * held, n);
		scatter(buffer->bytes, raw, r->p + i, r->mask ? r->mask + i : NULL, base, size, n);
	}
	set_written(r->t, buffer);
	for (uint32_t i = 0; (r->undef || buffer->undef) && i < r->n; i++)
		if (is_on(r, i))
			vm_mark(buffer, r->p[i] - base, size, r->undef && r->undef[i]);
}

static bool store_each(const struct row *r)
{
	uint32_t held = vm_held_bytes(r->access->mem);

	for (uint32_t i = 0; i < r->n; i++) {
		struct vm_place place;

		if (!is_on(r, i))
			continue;
		if (!vm_touch(r->t, r->op, r->access, r->p[i], r->lane + i, &place))
			return false;
		vm_narrow(r->access->mem, place.bytes, r->held + (size_t)i * held, 1);
		set_written(r->t, place.buffer);
		vm_mark(place.buffer, place.at, r->access->bytes, r->undef && r->undef[i]);
	}
	return true;
}

static bool store_row(const struct row *r)
{
	bool is_block;
	uint32_t count = active(r, &is_block);
	uint64_t at = 0;
	struct gk_vm_buffer *buffer;

	r->t->counts.bytes_written += (uint64_t)count * r->access->bytes;
	if (!count)
		return true;
	if (is_block && (buffer = block_at(r, count, &at))) {
		store_block(r, buffer, at, count);
		return true;
	}
	if ((buffer = common_buffer(r, &at))) {
		store_scattered(r, buffer, at);
		return true;
	}
	return store_each(r);
}

static bool each_row(const struct row *tile, bool (*do_row)(const struct row *r))
{
	const struct vm_shape *shape = &tile->access->shape;
	uint32_t length = shape->rank ? shape->dims[shape->rank - 1] : 1, held = vm_held_bytes(tile->access->mem);
	struct row r = *tile;

	if (length < SHORT_ROW)
		length = tile->n;
	for (uint32_t i = 0; i < tile->n; i += length) {
		r.p = tile->p + i;
		r.mask = tile->mask ? tile->mask + i : NULL;
		r.held = tile->held + (size_t)i * held;
		r.undef = tile->undef ? tile->undef + i : NULL;
		r.lane = i;
		r.n = length;
		if (!do_row(&r))
			return false;
	}
	return true;
}

/* Lanes that were masked off: other where there is one, else undefined. */
static void add_other(struct vm_reg *dst, const uint8_t *mask, const struct vm_reg *other, uint32_t held, uint32_t n)
{
	if (other)
		vm_select_lanes(held, dst->data, mask, dst->data, other->data, n);
	for (uint32_t i = 0; (!other || other->has_undef) && i < n; i++)
		if (!mask[i])
			dst->undef[i] = !other || other->undef[i];
	dst->has_undef |= !other || other->has_undef;
}

int vm_run_load(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_access *access = op->extra;
	struct vm_reg *dst = &t->regs[op->dst];
	const struct vm_reg *pointers = &t->regs[op->src[0]];
	const struct vm_reg *mask = op->src_count > 1 ? &t->regs[op->src[1]] : NULL;
	const struct vm_reg *other = op->src_count > 2 ? &t->regs[op->src[2]] : NULL;
	struct row tile = {.t = t, .op = op, .access = access, .p = pointers->data, .mask = mask ? mask->data : NULL,
	                   .held = dst->data, .undef = dst->undef, .n = n, .has_undef = &dst->has_undef};

	if (vm_is_poisoned(t, op, pointers, mask, n))
		return VM_FAULT;
	dst->has_undef = false;
	memset(dst->undef, 0, n);
	if (!each_row(&tile, load_row))
		return VM_FAULT;
	if (mask && memchr(mask->data, 0, n))
		add_other(dst, mask->data, other, vm_held_bytes(access->mem), n);
	return VM_GO;
}

int vm_run_store(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *pointers = &t->regs[op->src[0]], *value = &t->regs[op->src[1]];
	const struct vm_reg *mask = op->src_count > 2 ? &t->regs[op->src[2]] : NULL;
	struct row tile = {.t = t, .op = op, .access = op->extra, .p = pointers->data,
	                   .mask = mask ? mask->data : NULL, .held = value->data,
	                   .undef = value->has_undef ? value->undef : NULL, .n = n};

	if (vm_is_poisoned(t, op, pointers, mask, n))
		return VM_FAULT;
	return each_row(&tile, store_row) ? VM_GO : VM_FAULT;
}
