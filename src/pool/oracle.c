/* Requests to the oracle: lint, inputs, expected. Infrastructure: asked again when it dies, then an error. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "work.h"

#define MAX_DEATHS 3

struct oracle_job {
	struct job job;
	enum gk_wire_type type;
	json_t *request;
	int *fds;
	size_t fd_count;
	gk_lint_fn *lint;
	gk_tensors_fn *tensors;
	void *ctx;
	/* the answer */
	json_t *answer;
	int *answer_fds;
	size_t answer_fd_count;
};

static struct oracle_job *of(struct job *job)
{
	return (struct oracle_job *)job;
}

static int send(struct job *job, struct peer *peer, struct gk_err *e)
{
	struct oracle_job *o = of(job);

	return gk_frame_put(&peer->writer, o->type, true, job->id, o->request, o->fds, o->fd_count, e);
}

static int take_answer(struct oracle_job *o, struct gk_frame *frame, struct gk_err *e)
{
	enum gk_wire_type due = o->lint ? GK_WIRE_LINTED : GK_WIRE_TENSORS;

	if (frame->type != due)
		return gk_err_set(e, GK_ERR_SYSTEM, "the oracle answered %s with %s",
		                  gk_wire_type_name(o->type), gk_wire_type_name(frame->type));
	o->answer_fds = gk_alloc_array(frame->blob_count + 1, sizeof *o->answer_fds);
	for (; o->answer_fd_count < frame->blob_count; o->answer_fd_count++)
		if (gk_frame_steal_fd(frame, o->answer_fd_count, &o->answer_fds[o->answer_fd_count], e) < 0)
			return -1;
	o->answer = json_incref(frame->doc.root);
	return 0;
}

static void frame(struct job *job, struct gk_frame *frame)
{
	struct gk_err e;

	if (take_answer(of(job), frame, &e) < 0)
		job_fail(job, &e);
	else
		job_finish(job);
}

static void late(struct job *job)
{
	struct peer *peer = job->peer;
	struct gk_err e;

	gk_err_set(&e, GK_ERR_SYSTEM, "the oracle gave no answer to %s within %lld s",
	           gk_wire_type_name(of(job)->type), (long long)(job->wall_ms / 1000));
	job_fail(job, &e);
	peer_fail(peer, &e); /* it is busy with what nobody waits for any more */
}

static bool lost(struct job *job, const struct gk_err *why)
{
	struct gk_err e = *why;

	if (job->deaths < MAX_DEATHS)
		return true;
	gk_err_context(&e, "%s: %d times running", gk_wire_type_name(of(job)->type), MAX_DEATHS);
	job_fail(job, &e);
	return false;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void deliver(struct job *job)
{
	struct oracle_job *o = of(job);
	struct gk_lint_result lint = {.err = job->failed ? &job->err : NULL, .kind = "", .message = ""};
	struct gk_tensors_result tensors = {
		.err = lint.err, .fds = o->answer_fds, .fd_count = o->answer_fd_count};

	if (!o->lint) {
		tensors.tensors = json_object_get(o->answer, o->type == GK_WIRE_INPUTS ? "args" : "outputs");
		o->tensors(o->ctx, &tensors);
		return;
	}
	if (o->answer) {
		lint.passed = json_is_true(json_object_get(o->answer, "ok"));
		lint.kind = text_of(o->answer, "kind");
		lint.message = text_of(o->answer, "message");
		lint.notes = json_object_get(o->answer, "notes");
		lint.line = (int)json_integer_value(json_object_get(o->answer, "line"));
	}
	o->lint(o->ctx, &lint);
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gk_fd_close(&fds[i]);
	free(fds);
}

static void release(struct job *job)
{
	struct oracle_job *o = of(job);

	close_all(o->fds, o->fd_count);
	close_all(o->answer_fds, o->answer_fd_count);
	json_decref(o->request);
	json_decref(o->answer);
}

static const struct job_ops oracle_ops = {send, frame, late, lost, deliver, NULL, release};

/* The job keeps what it sends until it is finished: it may have to be asked again. */
static struct oracle_job *make(struct gk_runner *runner, enum gk_wire_type type, json_t *request,
                               const int *fds, size_t fd_count, void *ctx)
{
	struct pool *pool = (struct pool *)runner;
	struct oracle_job *o = gk_alloc(sizeof *o);
	struct gk_err e;

	job_init(&o->job, pool, ROLE_ORACLE, &oracle_ops, pool->answer_ms);
	o->type = type;
	o->request = request;
	o->ctx = ctx;
	o->fds = gk_alloc_array(fd_count + 1, sizeof *o->fds);
	for (; o->fd_count < fd_count; o->fd_count++) {
		o->fds[o->fd_count] = job_copy_fd(fds[o->fd_count], &e);
		if (o->fds[o->fd_count] < 0) {
			job_fail(&o->job, &e);
			break;
		}
	}
	if (!request) {
		gk_err_set(&e, GK_ERR_INTERNAL, "%s: text that is no UTF-8", gk_wire_type_name(type));
		job_fail(&o->job, &e);
	}
	return o;
}

uint64_t oracle_lint(struct gk_runner *runner, const struct gk_lint_request *request, gk_lint_fn *fn,
                     void *ctx)
{
	struct gk_err e;
	gk_fd_auto source = gk_memfd_from("source", request->source, request->size, &e);
	struct oracle_job *o = make(runner, GK_WIRE_LINT, json_pack("{s:O}", "entry", request->entry),
	                            &source, source >= 0 ? 1 : 0, ctx);

	if (source < 0)
		job_fail(&o->job, &e);
	o->lint = fn;
	return job_submit(&o->job);
}

uint64_t oracle_inputs(struct gk_runner *runner, const struct gk_inputs_request *request, gk_tensors_fn *fn,
                       void *ctx)
{
	json_t *json = json_pack("{s:s, s:O, s:I, s:s, s:O*, s:O*}", "task", request->task_folder, "case", request->params,
	                         "seed", (json_int_t)(request->seed & INT64_MAX), "dist", request->distribution,
	                         "specials", request->specials, "ordinary", request->ordinary);
	struct oracle_job *o;

	if (request->misaligned)
		json_object_set_new(json, "misaligned", json_true());
	o = make(runner, GK_WIRE_INPUTS, json, NULL, 0, ctx);

	o->tensors = fn;
	return job_submit(&o->job);
}

uint64_t oracle_expected(struct gk_runner *runner, const struct gk_expected_request *request,
                         gk_tensors_fn *fn, void *ctx)
{
	json_t *json = json_pack("{s:s, s:O, s:O}", "task", request->task_folder, "case", request->params,
	                         "args", request->args);
	struct oracle_job *o = make(runner, GK_WIRE_EXPECTED, json, request->fds, request->fd_count, ctx);

	o->tensors = fn;
	return job_submit(&o->job);
}
