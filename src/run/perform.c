/* After the commit: prompts go out, candidates go to the judge. Callbacks put down what comes, and nothing more. */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "state.h"

#define ANSWER_MAX ((size_t)4 << 20)

void completion_release(struct completion *came)
{
	free(came->text);
	if (came->has_verdict)
		gk_verdict_release(&came->verdict);
	*came = (struct completion){0};
}

static struct track *track_of_ask(struct engine *engine, uint64_t ask)
{
	for (size_t i = 0; i < engine->track_count; i++)
		if (engine->tracks[i].doing == DOING_ASK && (uint64_t)engine->tracks[i].ask == ask)
			return &engine->tracks[i];
	return NULL;
}

void engine_answered(void *ctx, const struct gk_model_answer *answer)
{
	struct engine *engine = ctx;
	struct track *track = track_of_ask(engine, answer->id);
	struct completion *came = track ? &track->came : NULL;

	if (!came || came->has_answer)
		return;
	if (answer->warning)
		gk_log(engine->warned ? GK_LOG_INFO : GK_LOG_WARN, "%s", answer->warning);
	engine->warned |= answer->warning != NULL; /* the first stands for all */
	came->has_answer = true;
	came->status = answer->status;
	came->size = answer->size < ANSWER_MAX ? answer->size : ANSWER_MAX;
	came->text = gk_strndup(answer->text ? answer->text : "", came->size);
	snprintf(came->finish, sizeof came->finish, "%s", answer->finish ? answer->finish : "");
	came->usage = answer->usage;
	came->err = answer->err;
	engine->asks_out--;
}

/* In the middle of a loop turn: no transaction is open, each row is its own. */
void engine_sent(void *ctx, uint64_t id, int send, int64_t started_ns, int64_t ended_ns, int http, const char *outcome)
{
	struct engine *engine = ctx;
	struct gk_err e;
	int rc = ended_ns ? gk_store_send_end(engine->store, (int64_t)id, send, ended_ns, http, outcome, &e)
	                  : gk_store_send_start(engine->store, (int64_t)id, send, started_ns, &e);

	if (rc < 0 && engine->failed.kind == GK_ERR_NONE)
		engine->failed = e;
}

static void judged(void *ctx, uint64_t job, struct gk_verdict *verdict)
{
	struct track *track = ctx;

	(void)job;
	if (track->doing != DOING_JUDGE || track->came.has_verdict) {
		gk_verdict_release(verdict);
		return;
	}
	track->came.verdict = *verdict;
	*verdict = (struct gk_verdict){0};
	track->came.has_verdict = true;
	track->engine->judgings_out--;
}

static void probed(void *ctx, uint64_t job, struct gk_verdict *verdict)
{
	struct track *track = ctx;

	(void)job;
	track->probe_came = true;
	track->probe_failed = verdict->outcome == GK_INFRA;
	track->engine->judgings_out--;
	gk_verdict_release(verdict);
}

static int submit(struct track *track, struct gk_err *e)
{
	struct engine *engine = track->engine;
	const struct gk_task *task = track->task;
	gk_arena_auto arena = {0};
	char *source;
	size_t size;

	if (track->doing == DOING_PROBE) {
		engine->options->judging->submit(engine->evaluator, task, task->reference, task->reference_size, probed, track);
		return 0;
	}
	if (gk_store_blob_get(engine->store, track->code, &arena, &source, &size, e) < 0)
		return -1;
	engine->options->judging->submit(engine->evaluator, task, source, size, judged, track);
	return 0;
}

static int failed(const struct engine *engine, struct gk_err *e)
{
	if (engine->failed.kind == GK_ERR_NONE)
		return 0;
	*e = engine->failed;
	return -1;
}

int engine_perform(struct engine *engine, struct gk_err *e)
{
	if (failed(engine, e) < 0)
		return -1;
	for (size_t i = 0; i < engine->track_count; i++) {
		struct track *track = &engine->tracks[i];

		if (!track->to_perform)
			continue;
		track->to_perform = false;
		if ((track->doing == DOING_ASK ? engine_send(track, e) : submit(track, e)) < 0)
			return -1;
	}
	return failed(engine, e);
}
