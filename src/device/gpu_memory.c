/*
 * Theory of operation: each buffer lies in a mapping of its own, between two
 * address ranges that stay unmapped: an access that leaves it by more than a
 * little is a fault, not somebody else's data. Mappings are multiples of the
 * device's granule (2 MiB), so the buffer is put at their end, where the
 * accesses of a forgotten mask go; what is left before and behind it is filled
 * with a secret pattern and compared afterwards. Where the driver cannot map,
 * a plain allocation with such borders takes its place.
 *
 * Buffers that are not inputs are filled with the pattern too: elements that
 * hold it after the run count as never written. A right value can equal it by
 * chance (one in 256 for bytes), so the launcher asks again with the inverse
 * pattern before it says so: no value equals both.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gpu.h"
#include "strided.h"

enum { BORDER_BYTES = 65536, ALIGNMENT = 512, SPREAD = 16, HEADROOM = 16 };

#define LITTLE     ((uint64_t)64 << 20)
#define OTHER_SEED UINT64_C(0x9e3779b97f4a7c15)

static uint64_t round_up(uint64_t bytes, uint64_t to)
{
	return (bytes + to - 1) / to * to;
}

/* ---- mappings ---- */

static uint64_t mapping_size(const struct gpu *gpu, uint64_t bytes)
{
	return gpu->can_map ? round_up(bytes + ALIGNMENT, gpu->granule)
	                    : round_up(bytes, ALIGNMENT) + 2 * (uint64_t)BORDER_BYTES;
}

uint64_t gpu_buffer_extra(const struct gpu *gpu)
{
	return ALIGNMENT + (gpu->can_map ? gpu->granule : 2 * (uint64_t)BORDER_BYTES);
}

/* Where the buffer lies in its mapping. */
static void put_in_mapping(const struct gpu *gpu, struct gpu_buffer *b)
{
	b->at = gpu->can_map ? b->begin + b->size - round_up(b->bytes, ALIGNMENT) : b->begin + BORDER_BYTES;
	b->low = b->at;
	b->high = b->at + b->bytes;
}

bool gpu_buffer_lend(const struct gpu *gpu, struct gpu_buffer *from, uint64_t bytes, struct gpu_buffer *to)
{
	if (from->size == 0 || from->size != mapping_size(gpu, bytes))
		return false;
	*to = *from;
	to->is_lent = true;
	to->bytes = bytes;
	put_in_mapping(gpu, to);
	from->low = from->low < to->low ? from->low : to->low;
	from->high = from->high > to->high ? from->high : to->high;
	to->low = from->low;
	to->high = from->high;
	return true;
}

static int map_there(struct gpu *gpu, struct gpu_buffer *b, struct gk_err *e)
{
	struct gpu_memory_kind kind = {.type = 1, .location = 1, .device = gpu->ordinal};
	struct gpu_memory_access access = {1, gpu->ordinal, 3};
	int error = b->handle ? 0 : gpu->call.create(&b->handle, b->size, &kind, 0);

	if (error && gpu->idle.count) {
		gpu_idle_drop(gpu);
		error = gpu->call.create(&b->handle, b->size, &kind, 0);
	}
	if (error)
		return gpu_fail(gpu, error, "memory for a buffer", e);
	error = gpu->call.map(b->begin, b->size, 0, b->handle, 0);
	if (!error) {
		b->is_mapped = true;
		error = gpu->call.allow(b->begin, b->size, &access, 1);
	}
	return error ? gpu_fail(gpu, error, "mapping a buffer", e) : 0;
}

/* At a random place of a range with at least one granule on each side that is never mapped. */
static int map_buffer(struct gpu *gpu, struct gpu_buffer *b, struct gk_random *random, struct gk_err *e)
{
	uint64_t place = 1 + gk_random_below(random, SPREAD);
	int error;

	b->size = mapping_size(gpu, b->bytes);
	if (!b->handle && gpu_idle_take(gpu, random, b->size, b)) {
		put_in_mapping(gpu, b);
		return 0;
	}
	b->range = b->size + (SPREAD + 2) * gpu->granule;
	error = gpu->call.reserve(&b->reserved, b->range, 0, 0, 0);
	if (error) {
		b->range = 0;
		return gpu_fail(gpu, error, "an address range", e);
	}
	b->begin = b->reserved + place * gpu->granule;
	put_in_mapping(gpu, b);
	return map_there(gpu, b, e);
}

static int take_plain(struct gpu *gpu, struct gpu_buffer *b, struct gk_err *e)
{
	int error;

	b->size = mapping_size(gpu, b->bytes);
	error = gpu->call.alloc(&b->begin, b->size);
	if (error)
		return gpu_fail(gpu, error, "memory for a buffer", e);
	put_in_mapping(gpu, b);
	return 0;
}

void gpu_mapping_drop(struct gpu *gpu, const struct gpu_buffer *b)
{
	if (b->is_mapped)
		gpu->call.unmap(b->begin, b->size);
	if (b->handle)
		gpu->call.release(b->handle);
	if (b->range)
		gpu->call.unreserve(b->reserved, b->range);
}

void gpu_buffer_drop(struct gpu *gpu, struct gpu_buffer *b)
{
	if (b->is_lent) {
		*b = (struct gpu_buffer){0};
		return;
	}
	if (!gpu->device.is_lost && (b->range || b->handle)) {
		if (!gpu_idle_keep(gpu, b))
			gpu_mapping_drop(gpu, b);
	} else if (!gpu->device.is_lost && b->begin) {
		gpu->call.free(b->begin);
	}
	free(b->pattern);
	*b = (struct gpu_buffer){0};
}

/* ---- out of the address space, and back ---- */

static bool can_park(const struct gpu *gpu, const struct gk_device_memory *m)
{
	bool can = gpu->can_map && !gpu->device.is_lost && m->scratch.size == 0 && m->held_count == 0;

	for (uint32_t i = 0; i < m->count; i++)
		can &= m->buffers[i].is_mapped && !m->buffers[i].is_lent;
	return can;
}

int gpu_park(struct gk_device *device, struct gk_device_memory *m)
{
	struct gpu *gpu = (struct gpu *)device;

	if (!can_park(gpu, m) || gpu_wait(gpu))
		return 0;
	for (uint32_t i = 0; i < m->count; i++) {
		struct gpu_buffer *b = &m->buffers[i];

		gpu->call.unmap(b->begin, b->size);
		gpu->call.unreserve(b->reserved, b->range);
		b->is_mapped = false;
		b->at = b->begin = b->reserved = b->range = 0;
	}
	return 1;
}

int gpu_unpark(struct gk_device *device, struct gk_device_memory *m, uint64_t seed, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	struct gk_random random;

	gk_random_seed(&random, seed);
	for (uint32_t i = 0; i < m->count; i++)
		if (map_buffer(gpu, &m->buffers[i], &random, e) < 0)
			return -1;
	return 0;
}

/* ---- the pattern ---- */

static void make_pattern(struct gpu_buffer *b, struct gk_random *random, bool inverse)
{
	b->pattern = gk_alloc(GPU_PATTERN_BYTES);
	gk_random_fill(random, b->pattern, GPU_PATTERN_BYTES);
	for (int i = 0; inverse && i < GPU_PATTERN_BYTES; i++)
		b->pattern[i] = (uint8_t)~b->pattern[i];
}

/* Once from here, then on the device from what is there already. */
static int spread_pattern(struct gpu *gpu, const struct gpu_buffer *b, struct gk_err *e)
{
	uint64_t done = b->size < GPU_PATTERN_BYTES ? b->size : GPU_PATTERN_BYTES;

	if (gpu_upload(gpu, b->begin, b->pattern, done, e) < 0)
		return -1;
	while (done < b->size) {
		uint64_t n = b->size - done < done ? b->size - done : done;
		int error = gpu->call.copy(b->begin + done, b->begin, n, gpu->stream);

		if (error)
			return gpu_fail(gpu, error, "filling a buffer", e);
		done += n;
	}
	return 0;
}

/* The bytes that the pattern has from offset from of the mapping on. */
static void pattern_at(const struct gpu_buffer *b, uint64_t from, uint8_t *to, uint64_t bytes)
{
	while (bytes > 0) {
		uint64_t at = from % GPU_PATTERN_BYTES, n = GPU_PATTERN_BYTES - at;

		n = n < bytes ? n : bytes;
		memcpy(to, b->pattern + at, n);
		from += n;
		to += n;
		bytes -= n;
	}
}

struct strays {
	const struct gpu_buffer *buffer;
	uint64_t from, count; /* from: of the mapping */
	int64_t at;
};

static bool look_at_piece(void *ctx, uint64_t at, const void *piece, uint64_t bytes)
{
	struct strays *s = ctx;
	const uint8_t *got = piece, *want;

	for (uint64_t i = 0, n; i < bytes; i += n) {
		uint64_t place = s->from + at + i, in_pattern = place % GPU_PATTERN_BYTES;

		n = GPU_PATTERN_BYTES - in_pattern < bytes - i ? GPU_PATTERN_BYTES - in_pattern : bytes - i;
		want = s->buffer->pattern + in_pattern;
		if (memcmp(got + i, want, n) == 0)
			continue;
		for (uint64_t k = 0; k < n; k++)
			if (got[i + k] != want[k] && s->count++ == 0)
				s->at = (int64_t)(s->buffer->begin + place + k - s->buffer->at);
	}
	return true;
}

static int count_strays(struct gpu *gpu, const struct gpu_buffer *b, uint64_t from, uint64_t bytes,
                        uint64_t *count, int64_t *at, struct gk_err *e)
{
	struct strays s = {b, from, *count, *at};
	int done = gpu_read(gpu, b->begin + from, bytes, look_at_piece, &s, e);

	*count = s.count;
	*at = s.at;
	return done;
}

int gpu_count_strays(struct gpu *gpu, const struct gpu_buffer *b, uint32_t piece, uint64_t within,
                     uint64_t *count, int64_t *at, struct gk_err *e)
{
	uint64_t front = b->low - b->begin, back = front + round_up(b->high - b->low, piece);
	uint64_t behind = back < b->size ? b->size - back : 0, before = front < within ? front : within;

	*count = 0;
	*at = 0;
	behind = behind < within ? behind : within;
	/* behind first: that is where most go */
	if (behind && count_strays(gpu, b, back, behind, count, at, e) < 0)
		return -1;
	return count_strays(gpu, b, front - before, before, count, at, e);
}

/* ---- a plan's memory ---- */

int gpu_buffer_new(struct gpu *gpu, struct gpu_buffer *b, uint64_t bytes, uint64_t seed, bool inverse,
                   struct gk_err *e)
{
	struct gk_random place, pattern;

	gk_random_seed(&place, seed);
	gk_random_seed(&pattern, seed + OTHER_SEED); /* the same wherever the buffer comes to lie */
	b->bytes = bytes;
	if ((gpu->can_map ? map_buffer(gpu, b, &place, e) : take_plain(gpu, b, e)) < 0)
		return -1;
	make_pattern(b, &pattern, inverse);
	return spread_pattern(gpu, b, e);
}

int gpu_memory_left(struct gpu *gpu, uint64_t *bytes, struct gk_err *e)
{
	size_t unused = 0, all = 0;
	int error = gpu->call.memory_info(&unused, &all);

	unused += gpu->idle.bytes;
	*bytes = unused - unused / HEADROOM;
	if (*bytes > gpu->options.memory_bytes)
		*bytes = gpu->options.memory_bytes;
	return error ? gpu_fail(gpu, error, "the GPU's memory", e) : 0;
}

static int bytes_of_plan(const struct gpu *gpu, const struct gk_plan *plan, uint64_t *total, struct gk_err *e)
{
	uint64_t least = 2 * (uint64_t)BORDER_BYTES + ALIGNMENT;

	*total = 0;
	for (uint32_t i = 0; i < plan->buffer_count; i++) {
		uint64_t bytes = plan->buffers[i].bytes;

		if (bytes > (uint64_t)1 << 48)
			return gk_err_set(e, GK_ERR_INPUT, "plan: buffers[%u]: %llu bytes", i,
			                  (unsigned long long)bytes);
		*total += round_up(bytes + least, gpu->can_map ? gpu->granule : ALIGNMENT);
	}
	return 0;
}

/* The driver is slow to tell what is left: of a plan that takes little it is asked only when it has failed. */
static int check_room(struct gpu *gpu, const struct gk_plan *plan, bool has_failed, struct gk_err *e)
{
	uint64_t total, left;

	if (bytes_of_plan(gpu, plan, &total, e) < 0)
		return -1;
	if (!has_failed && total <= LITTLE && total <= gpu->options.memory_bytes)
		return 0;
	if (gpu_memory_left(gpu, &left, e) < 0)
		return -1;
	if (total <= left)
		return 0;
	return gk_err_set(e, GK_ERR_INPUT,
	                  "the plan's buffers need %llu MiB of memory, the GPU has %llu MiB for them",
	                  (unsigned long long)(total >> 20), (unsigned long long)(left >> 20));
}

/* Why there was no memory: more is wanted than there is, if that is so. */
static void explain(struct gpu *gpu, const struct gk_plan *plan, struct gk_err *e)
{
	struct gk_err why = {0};

	if (!gpu->device.is_lost && check_room(gpu, plan, true, &why) < 0 && why.kind == GK_ERR_INPUT)
		*e = why;
}

int gpu_memory_new(struct gk_device *device, const struct gk_plan *plan, const void *const *inputs,
                   uint64_t seed, bool inverse, struct gk_device_memory **memory, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	struct gk_device_memory *m;

	if (check_room(gpu, plan, false, e) < 0)
		return -1;
	m = gk_alloc(sizeof *m);
	*m = (struct gk_device_memory){
		.count = plan->buffer_count, .inputs = inputs, .seed = seed, .inverse = inverse};
	m->buffers = gk_alloc_array(plan->buffer_count ? plan->buffer_count : 1, sizeof *m->buffers);
	for (uint32_t i = 0; i < plan->buffer_count; i++) {
		struct gpu_buffer *b = &m->buffers[i];

		if (gpu_buffer_new(gpu, b, plan->buffers[i].bytes, seed * 64 + i, inverse, e) < 0 ||
		    (inputs[i] && gpu_upload(gpu, b->at, inputs[i], b->bytes, e) < 0)) {
			gpu_memory_free(device, m);
			explain(gpu, plan, e);
			return -1;
		}
	}
	*memory = m;
	return 0;
}

void gpu_memory_free(struct gk_device *device, struct gk_device_memory *m)
{
	struct gpu *gpu = (struct gpu *)device;

	gpu_held_free(gpu, m);
	for (uint32_t i = 0; i < m->count; i++)
		gpu_buffer_drop(gpu, &m->buffers[i]);
	gpu_buffer_drop(gpu, &m->scratch);
	free(m->buffers);
	free(m);
}

int gpu_scratch(struct gpu *gpu, struct gk_device_memory *m, uint64_t bytes, struct gk_err *e)
{
	if (m->scratch.size && m->scratch.bytes >= bytes)
		return 0;
	gpu_buffer_drop(gpu, &m->scratch);
	if (bytes > gpu->options.memory_bytes)
		return gk_err_set(e, GK_ERR_INPUT, "a kernel's scratch memory would take %llu MiB",
		                  (unsigned long long)(bytes >> 20));
	return gpu_buffer_new(gpu, &m->scratch, bytes, m->seed * 64 + 63, m->inverse, e);
}

/* ---- what came out ---- */

static uint64_t count_poisoned(const uint8_t *got, const uint8_t *poison, uint64_t count, size_t size,
                               int64_t *first)
{
	uint64_t poisoned = 0;

	for (uint64_t i = 0; i < count; i++)
		if (memcmp(got + i * size, poison + i * size, size) == 0 && poisoned++ == 0)
			*first = (int64_t)i;
	return poisoned;
}

#define COUNT_SAME(name, type)                                                                               \
	static uint64_t name(const uint8_t *a, const uint8_t *b, uint64_t count)                             \
	{                                                                                                    \
		uint64_t same = 0;                                                                           \
                                                                                                             \
		for (uint64_t i = 0; i < count; i++) {                                                       \
			type x, y;                                                                           \
                                                                                                             \
			memcpy(&x, a + i * sizeof x, sizeof x);                                              \
			memcpy(&y, b + i * sizeof y, sizeof y);                                              \
			same += x == y;                                                                      \
		}                                                                                            \
		return same;                                                                                 \
	}
COUNT_SAME(count_same_1, uint8_t)
COUNT_SAME(count_same_2, uint16_t)
COUNT_SAME(count_same_4, uint32_t)
COUNT_SAME(count_same_8, uint64_t)

static uint64_t count_same(const uint8_t *a, const uint8_t *b, uint64_t count, size_t size)
{
	return size == 1   ? count_same_1(a, b, count)
	       : size == 2 ? count_same_2(a, b, count)
	       : size == 4 ? count_same_4(a, b, count)
	                   : count_same_8(a, b, count);
}

/* Elements that lie one behind the other, against the pattern where it is: no element reaches over its end. */
static uint64_t count_poisoned_dense(const struct gpu_buffer *b, uint64_t from, const uint8_t *got, uint64_t count,
                                     size_t size, int64_t *first)
{
	uint64_t poisoned = 0;

	for (uint64_t i = 0, n; i < count; i += n) {
		uint64_t at = (b->at - b->begin + from + i * size) % GPU_PATTERN_BYTES, left = (GPU_PATTERN_BYTES - at) / size;
		uint64_t same;

		n = left < count - i ? left : count - i;
		same = count_same(got + i * size, b->pattern + at, n, size);
		if (same && poisoned == 0) {
			int64_t at_piece = 0;

			count_poisoned(got + i * size, b->pattern + at, n, size, &at_piece);
			*first = (int64_t)i + at_piece;
		}
		poisoned += same;
	}
	return poisoned;
}

/* What lies in one piece needs no second copy. */
static int copy_dense(struct gpu *gpu, const struct gk_device_memory *m, const struct gk_plan_view *view, void *bytes,
                      uint64_t *poisoned, int64_t *first, struct gk_err *e)
{
	const struct gpu_buffer *b = &m->buffers[view->buf];

	if (gpu_download(gpu, bytes, b->at + view->at, gk_plan_view_bytes(view), e) < 0)
		return -1;
	if (m->inputs && !m->inputs[view->buf])
		*poisoned = count_poisoned_dense(b, view->at, bytes, (uint64_t)gk_plan_view_count(view),
		                                 gk_dtype_bytes(view->dtype), first);
	return 0;
}

int gpu_copy_out(struct gk_device *device, struct gk_device_memory *m, const struct gk_plan_view *view,
                 void *bytes, uint64_t *poisoned, int64_t *first, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	const struct gpu_buffer *b = &m->buffers[view->buf];
	gk_free_auto uint8_t *whole = NULL, *poison = NULL;
	struct gk_memory_span span = {0};
	uint64_t size = gk_plan_view_bytes(view);

	*poisoned = 0;
	*first = -1;
	if (device->is_lost) {
		memset(bytes, 0, size);
		return 0;
	}
	if (gk_plan_view_is_dense(view) && view->at % gk_dtype_bytes(view->dtype) == 0)
		return copy_dense(gpu, m, view, bytes, poisoned, first, e);
	memset(bytes, 0, size);
	span.bytes = whole = gk_alloc(b->bytes + 1);
	if (gpu_download(gpu, whole, b->at, b->bytes, e) < 0)
		return -1;
	gk_strided_pack(&span, view, bytes, first);
	if (!m->inputs || m->inputs[view->buf])
		return 0;
	poison = gk_alloc(size + 1);
	pattern_at(b, b->at - b->begin, whole, b->bytes);
	gk_strided_pack(&span, view, poison, first);
	*poisoned = count_poisoned(bytes, poison, (uint64_t)gk_plan_view_count(view),
	                           gk_dtype_bytes(view->dtype), first);
	return 0;
}

int gpu_is_changed(struct gk_device *device, struct gk_device_memory *m, uint32_t buffer,
                   const void *original, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	const struct gpu_buffer *b = &m->buffers[buffer];
	bool differs = false;

	if (device->is_lost || b->bytes == 0)
		return 0;
	return gpu_differs(gpu, b->at, original, b->bytes, &differs, e) < 0 ? -1 : differs;
}
