/*
 * Mappings that nobody uses just now. To make one and to drop it again takes
 * the driver most of a millisecond, longer than most kernels run that are
 * checked; so those that are not large stay, wiped, for whoever wants one of
 * that size next. Which of them it gets is drawn, and one request in a few is
 * refused: where buffers lie must not be known from run to run. An access far
 * from every buffer must still be a fault, so large ones do not stay: what is
 * idle covers a tenth of the addresses around it at most.
 *
 * What is idle is no room that is taken: when memory runs short it goes first.
 */
#include <string.h>

#include "gpu.h"

enum { ONE_IN = 16 };
#define MOST_OF_ONE  ((uint64_t)4 << 20)
#define MOST_OF_CARD 64 /* a share of it */

static struct gpu_buffer take_out(struct gpu_idle *idle, uint32_t i)
{
	struct gpu_buffer taken = idle->items[i];

	idle->items[i] = idle->items[--idle->count];
	idle->bytes -= taken.size;
	return taken;
}

bool gpu_idle_take(struct gpu *gpu, struct gk_random *random, uint64_t size, struct gpu_buffer *b)
{
	struct gpu_idle *idle = &gpu->idle;
	uint32_t fitting[GPU_IDLE], count = 0;
	struct gpu_buffer taken;

	for (uint32_t i = 0; i < idle->count; i++)
		if (idle->items[i].size == size)
			fitting[count++] = i;
	if (!count || gk_random_below(random, ONE_IN) == 0)
		return false;
	taken = take_out(idle, fitting[gk_random_below(random, count)]);
	b->begin = taken.begin;
	b->size = taken.size;
	b->reserved = taken.reserved;
	b->range = taken.range;
	b->handle = taken.handle;
	b->is_mapped = true;
	return true;
}

bool gpu_idle_keep(struct gpu *gpu, const struct gpu_buffer *b)
{
	struct gpu_idle *idle = &gpu->idle;

	if (!b->is_mapped || !b->range || !b->handle || b->size > MOST_OF_ONE || idle->count == GPU_IDLE ||
	    idle->bytes + b->size > gpu->memory_bytes / MOST_OF_CARD ||
	    gpu->call.set8(b->begin, 0, b->size, gpu->stream) != 0)
		return false;
	idle->items[idle->count] = *b;
	idle->items[idle->count++].pattern = NULL;
	idle->bytes += b->size;
	return true;
}

void gpu_idle_drop(struct gpu *gpu)
{
	while (gpu->idle.count) {
		struct gpu_buffer b = take_out(&gpu->idle, gpu->idle.count - 1);

		gpu_mapping_drop(gpu, &b);
	}
}
