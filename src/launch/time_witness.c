/*
 * What timed calls have computed. Right behind a call's second event its
 * outputs are copied aside, on the device; when the queue has been waited for
 * they are fetched and compared. Where outputs are small every call is looked
 * at, else a few that nobody can know before. One of them, drawn by the seed,
 * is what goes back to be judged.
 *
 * An element that nobody wrote holds what it was filled with, and each call
 * has another fill: where two calls both end with their own fill in it, and
 * the fills differ, it was never written.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/strided.h"
#include "time.h"

enum { SMALL_BYTES = 256 << 10, PIECE = 256, FEW_SLOTS = 4 };

static void find_span(const struct gk_plan_view *view, uint64_t *low, uint64_t *span)
{
	int64_t first = (int64_t)view->at, last = first, size = (int64_t)gk_dtype_bytes(view->dtype);

	for (int i = 0; i < view->rank; i++) {
		int64_t reach = (view->shape[i] - 1) * view->strides[i] * size;

		*(reach < 0 ? &first : &last) += reach;
	}
	*low = (uint64_t)first;
	*span = gk_plan_view_count(view) ? (uint64_t)(last + size - first) : 0;
}

void time_lay_witness(struct time_job *job)
{
	struct time_rooms *r = &job->rooms;

	r->slot_bytes = PIECE;
	for (uint32_t s = 0; s < job->side_count; s++) {
		struct time_side *side = &job->sides[s];
		uint64_t at = 0;

		for (uint32_t i = 0; i < side->plan->output_count; i++) {
			find_span(&side->plan->outputs[i].view, &side->low[i], &side->span[i]);
			side->slot_at[i] = at;
			at += (side->span[i] + PIECE - 1) / PIECE * PIECE;
			side->evidence.dense_bytes += gk_plan_view_bytes(&side->plan->outputs[i].view);
		}
		r->slot_bytes = at > r->slot_bytes ? at : r->slot_bytes;
	}
	job->all_outputs = r->slot_bytes <= SMALL_BYTES;
	r->slots = job->all_outputs ? TIME_CALLS + FEW_SLOTS : FEW_SLOTS;
}

static uint64_t slot_address(const struct time_job *job, int slot)
{
	return time_room(job, job->rooms.witness).at + (uint64_t)slot * job->rooms.slot_bytes;
}

int time_witness(struct time_job *job, uint32_t side, uint32_t set, int slot, struct gk_err *e)
{
	const struct time_side *s = &job->sides[side];

	for (uint32_t i = 0; slot != TIME_NO_SLOT && i < s->plan->output_count; i++) {
		struct gk_device_region r =
			job->ops->region(job->device, s->memory[set], s->plan->outputs[i].view.buf);

		if (job->ops->copy(job->device, slot_address(job, slot) + s->slot_at[i], r.at + s->low[i],
		                   s->span[i], e) < 0)
			return -1;
	}
	return 0;
}

uint64_t time_output_at(const struct time_side *side, uint32_t output)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < output; i++)
		at += gk_plan_view_bytes(&side->plan->outputs[i].view);
	return at;
}

static int fetch(struct time_job *job, const struct time_side *s, int slot, uint8_t *dense, struct gk_err *e)
{
	gk_free_auto uint8_t *whole = gk_alloc(job->rooms.slot_bytes);
	uint64_t to = 0;
	int64_t first;

	if (job->ops->download(job->device, whole, slot_address(job, slot), job->rooms.slot_bytes, e) < 0)
		return -1;
	for (uint32_t i = 0; i < s->plan->output_count; i++) {
		struct gk_plan_view view = s->plan->outputs[i].view;
		struct gk_memory_span span = {whole + s->slot_at[i], NULL};

		view.at -= s->low[i];
		gk_strided_pack(&span, &view, dense + to, &first);
		to += gk_plan_view_bytes(&view);
	}
	return 0;
}

/* ---- what was never written ---- */

struct seen {
	const uint8_t *before, *after;
};

static bool is_untouched(struct seen one, struct seen two, uint64_t at, size_t size)
{
	return memcmp(one.before + at, one.after + at, size) == 0 &&
	       memcmp(two.before + at, two.after + at, size) == 0 &&
	       memcmp(one.before + at, two.before + at, size) != 0;
}

static void count_poisoned(struct time_side *s, struct seen one, struct seen two)
{
	struct time_evidence *v = &s->evidence;
	uint64_t at = 0;

	for (uint32_t i = 0; i < s->plan->output_count; i++) {
		size_t size = gk_dtype_bytes(s->plan->outputs[i].view.dtype);
		int64_t count = gk_plan_view_count(&s->plan->outputs[i].view);

		for (int64_t k = 0; k < count; k++, at += size)
			if (is_untouched(one, two, at, size) && v->poisoned[i]++ == 0)
				v->first_poisoned[i] = k;
	}
}

/* ---- looking ---- */

/* Keeps the first fill, and compares the second with it. dense: this call's outputs. */
static int look_before(struct time_job *job, struct time_side *s, int slot, const uint8_t *dense,
                       struct gk_err *e)
{
	struct time_evidence *v = &s->evidence;
	gk_free_auto uint8_t *before = gk_alloc(v->dense_bytes + 1);

	if (fetch(job, s, slot, before, e) < 0)
		return -1;
	if (v->befores == 0) {
		v->before = before;
		before = NULL;
	} else if (v->befores == 1) {
		count_poisoned(s, (struct seen){v->before, v->first}, (struct seen){before, dense});
	}
	v->befores++;
	return 0;
}

int time_look(struct time_job *job, uint32_t side, int slot, int before, struct gk_err *e)
{
	struct time_side *s = &job->sides[side];
	struct time_evidence *v = &s->evidence;
	gk_free_auto uint8_t *dense = gk_alloc(v->dense_bytes + 1);

	if (fetch(job, s, slot, dense, e) < 0 ||
	    (before != TIME_NO_SLOT && look_before(job, s, before, dense, e) < 0))
		return -1;
	v->checked++;
	if (!v->first) {
		v->first = gk_alloc(v->dense_bytes + 1);
		v->sent = gk_alloc(v->dense_bytes + 1);
		memcpy(v->first, dense, v->dense_bytes);
	}
	v->different += memcmp(v->first, dense, v->dense_bytes) != 0;
	if (gk_random_below(&job->random, v->checked) == 0) /* each of those so far is as likely */
		memcpy(v->sent, dense, v->dense_bytes);
	return 0;
}

void time_evidence_release(struct time_side *side)
{
	free(side->evidence.first);
	free(side->evidence.sent);
	free(side->evidence.before);
}
