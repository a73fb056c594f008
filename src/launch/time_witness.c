/*
 * What timed calls have computed. Right behind a call's second event its
 * outputs are copied aside, on the device; when the queue has been waited for
 * they are fetched and compared. Where outputs are small every call is looked
 * at, and one of them, drawn by the seed, goes back to be judged. Large ones
 * take longer to fetch than to compute: two calls of each side that nobody can
 * know before are kept on the device, one goes back whole, and of the other
 * parts drawn anew are compared with it.
 *
 * An element that nobody wrote holds what it was filled with, and each call
 * has another fill: where two calls both end with their own fill in it, and
 * the fills differ, it was never written. (Of large outputs nothing is said:
 * the judge sees that the values are wrong.)
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "device/strided.h"
#include "time.h"

enum { SMALL_BYTES = 256 << 10, PIECE = 256, FEW_SLOTS = 4, WINDOW = 1 << 20, WINDOWS = 16 };

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

/* Small ones come all at once: one transfer costs less than one for each. */
int time_fetch(struct time_job *job, uint32_t slots, struct gk_err *e)
{
	struct time_rooms *r = &job->rooms;

	if (!r->fetched)
		r->fetched = gk_alloc(r->slots * r->slot_bytes);
	return job->ops->download(job->device, r->fetched, slot_address(job, 0), slots * r->slot_bytes, e);
}

static void pack_outputs(const struct time_side *s, uint8_t *whole, uint8_t *dense)
{
	int64_t first;

	for (uint32_t i = 0; i < s->plan->output_count; i++) {
		struct gk_plan_view view = s->plan->outputs[i].view;
		struct gk_memory_span span = {whole + s->slot_at[i], NULL};

		view.at -= s->low[i];
		gk_strided_pack(&span, &view, dense, &first);
		dense += gk_plan_view_bytes(&view);
	}
}

static int fetch_large(struct time_job *job, const struct time_side *s, uint32_t output, int slot, uint8_t *dense,
                       struct gk_err *e)
{
	struct gk_plan_view view = s->plan->outputs[output].view;
	uint64_t from = slot_address(job, slot) + s->slot_at[output];
	gk_free_auto uint8_t *whole = NULL;
	struct gk_memory_span span = {0};
	int64_t first;

	if (gk_plan_view_is_dense(&view))
		return job->ops->download(job->device, dense, from, gk_plan_view_bytes(&view), e);
	whole = gk_alloc(s->span[output] + 1);
	if (job->ops->download(job->device, whole, from, s->span[output], e) < 0)
		return -1;
	span.bytes = whole;
	view.at -= s->low[output];
	gk_strided_pack(&span, &view, dense, &first);
	return 0;
}

static int fetch(struct time_job *job, const struct time_side *s, int slot, uint8_t *dense, struct gk_err *e)
{
	uint64_t to = 0;

	if (job->all_outputs) {
		pack_outputs(s, job->rooms.fetched + (uint64_t)slot * job->rooms.slot_bytes, dense);
		return 0;
	}
	for (uint32_t i = 0; i < s->plan->output_count; i++) {
		if (fetch_large(job, s, i, slot, dense + to, e) < 0)
			return -1;
		to += gk_plan_view_bytes(&s->plan->outputs[i].view);
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

/* ---- large outputs ---- */

/* Parts of what lies in two slots. */
static int compare_parts(struct time_job *job, const struct time_side *s, int one, int two, bool *differs,
                         struct gk_err *e)
{
	gk_free_auto uint8_t *got = gk_alloc(2 * (uint64_t)WINDOW);

	for (uint32_t n = 0; n < WINDOWS && !*differs; n++) {
		uint32_t i = (uint32_t)gk_random_below(&job->random, s->plan->output_count);
		uint64_t bytes = s->span[i] < WINDOW ? s->span[i] : WINDOW,
			 from = s->slot_at[i] + gk_random_below(&job->random, s->span[i] - bytes + 1);

		if (!gk_plan_view_is_dense(&s->plan->outputs[i].view)) /* between its elements lies what was there before */
			continue;
		if (job->ops->download(job->device, got, slot_address(job, one) + from, bytes, e) < 0 ||
		    job->ops->download(job->device, got + WINDOW, slot_address(job, two) + from, bytes, e) < 0)
			return -1;
		*differs = memcmp(got, got + WINDOW, bytes) != 0;
	}
	return 0;
}

/* Straight into the memory files that go back; *done: they were such. */
static int fetch_to_files(struct time_job *job, const struct time_side *s, int slot, bool *done, struct gk_err *e)
{
	size_t blob = job->first_output;

	if (s == &job->sides[1] && !job->sides[0].is_known)
		blob += job->sides[0].plan->output_count;
	for (uint32_t i = 0; i < s->plan->output_count; i++) {
		int fd = blob + i < job->frame->blob_count ? job->frame->blobs[blob + i].fd : -1;
		uint64_t bytes = gk_plan_view_bytes(&s->plan->outputs[i].view);
		void *room;
		int fetched;

		if (fd < 0)
			return 0;
		if (bytes == 0)
			continue;
		room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (room == MAP_FAILED)
			return gk_err_errno(e, "an output's memory file");
		fetched = fetch_large(job, s, i, slot, room, e);
		munmap(room, bytes);
		if (fetched < 0)
			return -1;
	}
	*done = true;
	return 0;
}

/* The outputs that go back. */
static int send_back(struct time_job *job, struct time_side *s, int slot, struct gk_err *e)
{
	bool done = s->is_known;

	if (!done && fetch_to_files(job, s, slot, &done, e) < 0)
		return -1;
	if (done)
		return 0;
	s->evidence.sent = gk_alloc(s->evidence.dense_bytes + 1);
	return fetch(job, s, slot, s->evidence.sent, e);
}

int time_look_few(struct time_job *job, uint32_t side, int first, int second, struct gk_err *e)
{
	struct time_side *s = &job->sides[side];
	struct time_evidence *v = &s->evidence;
	bool differs = false;

	if (s->plan->output_count == 0)
		return 0;
	v->checked = second == TIME_NO_SLOT ? 1 : 2;
	if (send_back(job, s, second == TIME_NO_SLOT ? first : second, e) < 0 ||
	    (second != TIME_NO_SLOT && compare_parts(job, s, first, second, &differs, e) < 0))
		return -1;
	v->different = differs;
	return 0;
}

void time_evidence_release(struct time_side *side)
{
	free(side->evidence.first);
	free(side->evidence.sent);
	free(side->evidence.before);
}
