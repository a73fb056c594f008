/*
 * Memory for timing. Both sides run in the same buffers: what has another
 * address has another speed. A buffer of b that holds the same input as one of
 * a, or else one of the same size, lies in the same mapping; each is still
 * surrounded by memory that nobody has mapped. There are several such sets, so
 * that no call finds what the one before it left in a cache, and no speed
 * rests on one place.
 *
 * Beside them, in mappings of their own: the inputs as they came (time_kept.c), a buffer to
 * flush the caches with, a sink for what the flush has read, witnesses.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "time.h"

enum { LEAST_FLUSH = 256 << 10, UNKNOWN_FLUSH = 64 << 20, USUAL_SCRUBBERS = 256, ROOMS = 3 };

#define MOST_BUFFER ((uint64_t)1 << 48)
#define ALL_SETS    ((uint64_t)1 << 30)
#define BLOCK_BYTES ((uint64_t)GK_HELPER_BLOCK * 4)

/* ---- how large things are ---- */

struct scratch {
	const struct time_side *side;
	uint64_t most;
};

/* As the device counts it: for each program, and those of a cluster are several. */
static int see_scratch(void *ctx, const struct gk_plan_launch *launch, struct gk_err *e)
{
	struct scratch *s = ctx;
	const struct gk_object *object = s->side->objects[launch->kernel];
	uint64_t bytes = object->scratch_bytes;

	if (__builtin_mul_overflow(bytes, (uint64_t)launch->grid[0] * launch->grid[1], &bytes) ||
	    __builtin_mul_overflow(bytes, (uint64_t)launch->grid[2], &bytes) ||
	    __builtin_mul_overflow(bytes, (uint64_t)object->ctas, &bytes) || bytes > MOST_BUFFER)
		return gk_err_set(e, GK_ERR_INPUT, "%.200s: scratch memory beyond all bounds", object->name);
	s->most = bytes > s->most ? bytes : s->most;
	return 0;
}

static int find_scratch(struct time_job *job, uint64_t *bytes, struct gk_err *e)
{
	*bytes = 0;
	for (uint32_t i = 0; i < job->side_count; i++) {
		struct scratch s = {&job->sides[i], *bytes};

		if (time_visit_launches(s.side, false, see_scratch, &s, e) < 0)
			return -1;
		*bytes = s.most;
	}
	return 0;
}

/* Which buffer of a holds what buffer i of b holds; -1: none that is not taken. exact: allocated ones of the
 * same size only, else the nearest. */
static int32_t find_same(const struct time_side *a, const struct time_side *b, uint32_t i, bool exact,
                         const bool *taken)
{
	uint64_t want = b->plan->buffers[i].bytes, nearest = UINT64_MAX;
	int32_t found = -1;

	for (uint32_t k = 0; k < a->plan->buffer_count; k++) {
		uint64_t have = a->plan->buffers[k].bytes, apart = have > want ? have - want : want - have;

		if (taken[k] || a->input_of[k] != b->input_of[i] || apart >= nearest || (exact && apart))
			continue;
		nearest = apart;
		found = (int32_t)k;
	}
	return found;
}

static void match_buffers(const struct time_side *a, const struct time_side *b,
                          int32_t same[GK_PLAN_MAX_BUFFERS])
{
	bool taken[GK_PLAN_MAX_BUFFERS] = {false};

	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < b->plan->buffer_count; i++) {
			if (pass == 0 || same[i] < 0)
				same[i] = find_same(a, b, i, pass == 0, taken);
			if (same[i] >= 0)
				taken[same[i]] = true;
		}
	}
}

/* same NULL: nothing is shared. */
static int count_side(const struct time_job *job, const struct time_side *side, const int32_t *same,
                      uint64_t *bytes, struct gk_err *e)
{
	const struct gk_plan *a = job->sides[0].plan;

	for (uint32_t i = 0; i < side->plan->buffer_count; i++) {
		uint64_t own = side->plan->buffers[i].bytes;

		if (own > MOST_BUFFER)
			return gk_err_set(e, GK_ERR_INPUT, "plan: buffers[%u]: %llu bytes", i,
			                  (unsigned long long)own);
		if (!same || same[i] < 0 || a->buffers[same[i]].bytes != own)
			*bytes += own + job->limits.extra_bytes;
	}
	return 0;
}

/* ---- rooms ---- */

static uint64_t input_bytes(const struct time_job *job, uint32_t input)
{
	uint64_t most = 0;

	for (uint32_t s = 0; s < job->side_count; s++)
		for (uint32_t i = 0; i < job->sides[s].plan->buffer_count; i++)
			if (job->sides[s].input_of[i] == (int32_t)input &&
			    job->sides[s].plan->buffers[i].bytes > most)
				most = job->sides[s].plan->buffers[i].bytes;
	return most;
}

static void lay_rooms(struct time_job *job, const uint64_t inputs[], uint64_t bytes[ROOMS])
{
	struct time_rooms *r = &job->rooms;
	uint64_t flush = job->limits.cache_bytes ? 2 * job->limits.cache_bytes : UNKNOWN_FLUSH, programs, most;

	flush = flush > LEAST_FLUSH ? flush : LEAST_FLUSH;
	programs = (flush + BLOCK_BYTES - 1) / BLOCK_BYTES;
	job->scrub_programs = job->limits.multiprocessors ? 2 * job->limits.multiprocessors : USUAL_SCRUBBERS;
	r->flush = 0;
	r->sink = 1;
	r->witness = 2;
	r->flush_words = programs * GK_HELPER_BLOCK;
	most = programs > job->scrub_programs ? programs : job->scrub_programs;
	for (uint32_t i = 0; i < job->input_count; i++)
		most = time_sum_count(inputs[i]) > most ? time_sum_count(inputs[i]) : most;
	bytes[r->flush] = programs * BLOCK_BYTES;
	bytes[r->sink] = 4 * most;
	time_lay_witness(job);
	bytes[r->witness] = r->slots * r->slot_bytes;
}

struct gk_device_region time_room(const struct time_job *job, uint32_t buffer)
{
	return job->ops->region(job->device, job->rooms.memory, buffer);
}

static int fill_rooms(struct time_job *job, const uint64_t bytes[], struct gk_err *e)
{
	struct gk_device_layout layout = {
		.bytes = bytes, .count = ROOMS, .seed = gk_random_next(&job->random)};

	if (job->ops->memory_lay(job->device, &layout, &job->rooms.memory, e) < 0 || time_fill_flush(job, e) < 0)
		return -1;
	return time_bring_inputs(job, e);
}

/* ---- sets ---- */

static int lay_side(struct time_job *job, uint32_t side, uint32_t set, const int32_t *same, uint64_t scratch,
                    struct gk_err *e)
{
	struct time_side *s = &job->sides[side];
	uint64_t bytes[GK_PLAN_MAX_BUFFERS] = {0};
	struct gk_device_layout layout = {.bytes = bytes,
	                                  .count = s->plan->buffer_count,
	                                  .with = side > 0 ? job->sides[0].memory[set] : NULL,
	                                  .same = same,
	                                  .scratch_bytes = scratch,
	                                  .seed = gk_random_next(&job->random)};

	for (uint32_t i = 0; i < s->plan->buffer_count; i++)
		bytes[i] = s->plan->buffers[i].bytes;
	return job->ops->memory_lay(job->device, &layout, &s->memory[set], e);
}

/* Once for what both sides share; where one reaches further than the other, as far as either does. */
static void add_region(struct time_region *list, uint32_t *count, struct time_region new)
{
	for (uint32_t i = 0; i < *count; i++) {
		struct time_region *old = &list[i];
		uint64_t low = old->at < new.at ? old->at : new.at, old_end = old->at + old->bytes,
			 end = new.at + new.bytes > old_end ? new.at + new.bytes : old_end;

		if (new.at < old_end && old->at < new.at + new.bytes && old->from == new.from) {
			*old = (struct time_region){low, old->from, end - low};
			return;
		}
	}
	if (new.bytes)
		list[(*count)++] = new;
}

static void note_regions(struct time_job *job, uint32_t side, uint32_t set)
{
	struct time_side *s = &job->sides[side];
	struct time_set *to = &job->sets[set];

	for (uint32_t i = 0; i < s->plan->buffer_count; i++) {
		struct gk_device_region r = job->ops->region(job->device, s->memory[set], i);

		if (s->input_of[i] < 0)
			add_region(to->fills, &to->fill_count, (struct time_region){r.at, 0, r.bytes});
		else /* of the same input, but of other lengths: at other addresses, so each for itself */
			to->restores[to->restore_count++] = (struct time_region){
				r.at, time_input(job, (uint32_t)s->input_of[i]).at, r.bytes};
	}
	if (s->memory[set]) {
		struct gk_device_region r = job->ops->region(job->device, s->memory[set], GK_DEVICE_SCRATCH);

		add_region(to->fills, &to->fill_count, (struct time_region){r.at, 0, r.bytes});
	}
}

/* The same bytes need not come back twice. */
static void drop_doubles(struct time_set *set)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < set->restore_count; i++) {
		bool known = false;

		for (uint32_t k = 0; k < kept && !known; k++)
			known = memcmp(&set->restores[k], &set->restores[i], sizeof set->restores[i]) == 0;
		if (!known)
			set->restores[kept++] = set->restores[i];
	}
	set->restore_count = kept;
}

static int make_set(struct time_job *job, uint32_t set, const int32_t *same, uint64_t scratch,
                    struct gk_err *e)
{
	for (uint32_t i = 0; i < job->side_count; i++) {
		if (lay_side(job, i, set, i ? same : NULL, scratch, e) < 0)
			return -1;
		note_regions(job, i, set);
	}
	drop_doubles(&job->sets[set]);
	return 0;
}

/* ---- all of it ---- */

/* Before anything is taken: what all would need, and how many sets there may be. */
static int count_sets(struct time_job *job, const uint64_t rooms[], const int32_t *same, uint64_t scratch,
                      struct gk_err *e)
{
	uint64_t fixed = 0, one = scratch + job->limits.extra_bytes, left, most;

	for (uint32_t i = 0; i < ROOMS; i++)
		fixed += rooms[i] + job->limits.extra_bytes;
	for (uint32_t i = 0; i < job->input_count; i++)
		fixed += job->on[i].memory ? 0 : job->on[i].bytes + job->limits.extra_bytes;
	for (uint32_t i = 0; i < job->side_count; i++)
		if (count_side(job, &job->sides[i], i ? same : NULL, &one, e) < 0)
			return -1;
	if (fixed > job->limits.unused_bytes || one > job->limits.unused_bytes - fixed)
		return gk_err_set(
			e, GK_ERR_INPUT,
			"timing these plans needs %llu MiB of memory, the GPU has %llu MiB for them",
			(unsigned long long)((fixed + one) >> 20),
			(unsigned long long)(job->limits.unused_bytes >> 20));
	left = (job->limits.unused_bytes - fixed) / 2;
	most = (left < ALL_SETS ? left : ALL_SETS) / one;
	job->set_count = most < 2 ? 1 : most < TIME_SETS ? (uint32_t)most : TIME_SETS;
	return 0;
}

int time_take_memory(struct time_job *job, struct gk_err *e)
{
	uint64_t rooms[ROOMS] = {0}, inputs[TIME_INPUTS] = {0}, scratch = 0;
	int32_t same[GK_PLAN_MAX_BUFFERS] = {0};

	for (uint32_t i = 0; i < job->input_count; i++)
		inputs[i] = input_bytes(job, i);
	lay_rooms(job, inputs, rooms);
	time_find_inputs(job, inputs);
	if (job->side_count > 1)
		match_buffers(&job->sides[0], &job->sides[1], same);
	job->is_refused = find_scratch(job, &scratch, e) < 0 || count_sets(job, rooms, same, scratch, e) < 0;
	if (job->is_refused && launch_drop_kept(job->launcher)) { /* what others left has no right to it */
		if (job->ops->limits(job->device, &job->limits, e) < 0)
			return -1;
		job->is_refused = find_scratch(job, &scratch, e) < 0 || count_sets(job, rooms, same, scratch, e) < 0;
	}
	if (job->is_refused || fill_rooms(job, rooms, e) < 0)
		return -1;
	for (uint32_t i = 0; i < job->set_count; i++)
		if (make_set(job, i, same, scratch, e) < 0)
			return -1;
	return 0;
}

/* b's first: a lends. */
void time_drop_memory(struct time_job *job)
{
	for (uint32_t s = job->side_count; s-- > 0;)
		for (int i = 0; i < TIME_SETS; i++)
			if (job->sides[s].memory[i]) {
				job->ops->memory_free(job->device, job->sides[s].memory[i]);
				job->sides[s].memory[i] = NULL;
			}
	time_leave_inputs(job);
	if (job->rooms.memory)
		job->ops->memory_free(job->device, job->rooms.memory);
	job->rooms.memory = NULL;
}
