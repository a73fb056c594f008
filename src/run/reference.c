/*
 * References: what candidates are measured against. Each is a job of its own,
 * started when the first candidate that needs it is submitted, beside the slots
 * of candidates. Its cascade stays when it is done: its plans and code are one side of every
 * timing, and its timing against itself is the noise floor. One that fails for a
 * reason of ours is judged again for the next candidate that asks.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "judging.h"

#define MAX_TRIES 2 /* of one whose time cannot be told */

static void make_job(struct reference *r)
{
	r->job = evaluator_new_job(r->evaluator, r->task, r->source, r->size, r->key);
	r->job->is_reference = true;
	r->job->reference = r;
	evaluator_schedule(r->evaluator);
}

struct reference *reference_find(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                                 size_t size)
{
	char hash[GK_HEX_SIZE];
	gk_buf_auto key = GK_BUF_INIT;
	union gk_map_value *found;
	struct reference *r;

	gk_hash_hex(source, size, hash);
	gk_buf_printf(&key, "%s/%s/%s", task->id, task->hash, hash);
	found = gk_map_put(&evaluator->references, gk_buf_text(&key), NULL);
	r = found->pointer;
	if (!r) {
		found->pointer = r = gk_alloc(sizeof *r);
		*r = (struct reference){.evaluator = evaluator, .source = gk_strndup(source, size), .size = size};
		r->key = gk_strdup(gk_buf_text(&key));
	}
	r->task = task;
	if (!r->job && !r->why)
		make_job(r);
	return r;
}

static void tell(struct job *job)
{
	struct reference *r = job->reference;

	gk_cascade_reference(job->cascade, r->is_ready ? r->job->cascade : NULL, r->why);
}

void reference_ask(struct job *job)
{
	struct reference *r = job->reference;

	if (job->is_reference) {
		gk_cascade_reference(job->cascade, job->cascade, NULL);
	} else if (r->is_ready || r->why) {
		tell(job);
	} else {
		if (!r->job) /* it has failed for others, for a reason of ours */
			make_job(r);
		job->waits_since_ns = gk_clock_ns();
		judging_sent(job);
		gk_vec_push(&r->waiting, job);
	}
}

void reference_forget(struct job *job)
{
	struct reference *r = job->reference;

	for (size_t i = 0; r && i < r->waiting.count; i++)
		if (r->waiting.items[i] == job)
			r->waiting.items[i] = NULL;
}

static void answer_waiting(struct reference *r)
{
	for (size_t i = 0; i < r->waiting.count; i++) {
		struct job *job = r->waiting.items[i];

		if (!job)
			continue;
		r->waiting.items[i] = NULL;
		judging_came(job);
		job->spent.reference = judging_ms_since(job->waits_since_ns);
		tell(job);
		judging_pump(job);
	}
	r->waiting.count = 0;
}

static char *words_of(const struct gk_verdict *verdict)
{
	gk_buf_auto words = GK_BUF_INIT;

	gk_buf_printf(&words, "what it is measured against did not pass itself: %s: %s", verdict->kind,
	              verdict->message);
	return gk_strdup(gk_buf_text(&words));
}

/* A reference that is right but whose clock was found wrong has met noise, most likely. */
static bool is_to_be_kept(struct reference *r, const struct gk_verdict *verdict)
{
	if (verdict->outcome == GK_INFRA)
		return false;
	return verdict->outcome == GK_PASS || verdict->stage != GK_STAGE_PERF || ++r->tries >= MAX_TRIES;
}

void reference_judged(struct job *job, const struct gk_verdict *verdict)
{
	struct reference *r = job->reference;
	bool is_kept = is_to_be_kept(r, verdict);

	r->is_ready = verdict->outcome == GK_PASS && verdict->exec;
	if (!r->is_ready)
		r->why = words_of(verdict);
	judging_rest(job);
	answer_waiting(r);
	if (is_kept)
		return;
	free(r->why);
	r->why = NULL;
	r->job = NULL; /* another is made for whoever asks next */
	job_free(job);
}

void reference_start_all(struct gk_evaluator *evaluator)
{
	for (size_t i = 0; i < evaluator->references.count; i++) {
		struct reference *r = evaluator->references.entries[i].value.pointer;

		if (r->job && !r->job->cascade)
			job_start(r->job);
	}
}

void reference_free(struct reference *r)
{
	if (r->job)
		job_free(r->job);
	gk_vec_release(&r->waiting);
	free(r->why);
	free(r->source);
	free(r->key);
	free(r);
}
