/*
 * Executions. A launcher that dies under a plan, or says that its GPU is lost
 * to a fault, is replaced, the plan asked again alone; the second time it is
 * the plan's fault. On a GPU that could still be the GPU's: then a plan that
 * went well before is executed once more, on a third launcher, and only if it
 * still does is the fault told as the plan's. Over a pipe the outputs come
 * back inline and are copied into the caller's files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "work.h"

#define WALL_MS    600000
#define MAX_DEATHS 2
#define MAX_OUTPUT ((size_t)1 << 30)

struct execute_job {
	struct job job;
	json_t *request;
	int fds[GK_WIRE_MAX_BLOBS];
	size_t fd_count, output_count; /* outputs are the last of fds */
	gk_execute_fn *fn;
	void *ctx;
	bool died, timed_out;
	char death[1024];
	json_t *executed;
	bool is_probe; /* what is under way is the plan that went well */
};

/* Of the pool: a plan that went well on its GPU. */
struct good_plan {
	json_t *request;
	int fds[GK_WIRE_MAX_BLOBS]; /* outputs are not among them */
	size_t fd_count, output_count;
	size_t output_bytes[GK_WIRE_MAX_BLOBS];
};

static struct execute_job *of(struct job *job)
{
	return (struct execute_job *)job;
}

/* ---- the plan that went well ---- */

static void keep_good(struct execute_job *x)
{
	struct pool *pool = x->job.pool;
	struct good_plan *good;
	struct gk_err ignored;
	struct stat st;

	if (pool->good || strcmp(pool->device, "cpu") == 0)
		return;
	good = gk_alloc(sizeof *good);
	good->request = json_incref(x->request);
	good->fd_count = x->fd_count - x->output_count;
	good->output_count = x->output_count;
	for (size_t i = 0; i < good->fd_count; i++)
		good->fds[i] = job_copy_fd(x->fds[i], &ignored);
	for (size_t i = 0; i < good->output_count; i++)
		good->output_bytes[i] = fstat(x->fds[good->fd_count + i], &st) == 0 ? (size_t)st.st_size : 0;
	pool->good = good;
}

void good_plan_free(struct good_plan *good)
{
	if (!good)
		return;
	for (size_t i = 0; i < good->fd_count; i++)
		gk_fd_close(&good->fds[i]);
	json_decref(good->request);
	free(good);
}

/* With outputs of its own, which nobody reads. */
static int send_good(struct execute_job *x, struct peer *peer, struct gk_err *e)
{
	const struct good_plan *good = x->job.pool->good;
	int fds[2 * GK_WIRE_MAX_BLOBS], done = 0;
	size_t count = good->fd_count;

	memcpy(fds, good->fds, count * sizeof *fds);
	for (size_t i = 0; i < good->output_count && !peer->writer.is_inline && done == 0; i++) {
		fds[count] = gk_memfd_new("probe", good->output_bytes[i], e);
		done = fds[count] < 0 ? -1 : 0;
		count += done == 0;
	}
	if (done == 0)
		done = gk_frame_put(&peer->writer, GK_WIRE_EXECUTE, true, x->job.id, good->request, fds, count, e);
	for (size_t i = good->fd_count; i < count; i++)
		gk_fd_close(&fds[i]);
	return done;
}

static void fail_probe(struct execute_job *x, const char *why)
{
	struct gk_err e;

	gk_err_set(&e, GK_ERR_SYSTEM, "a plan that went well before does not any more: %s", why);
	job_fail(&x->job, &e);
}

/* ---- asking and answers ---- */

static int send(struct job *job, struct peer *peer, struct gk_err *e)
{
	struct execute_job *x = of(job);
	size_t count = x->fd_count - (peer->writer.is_inline ? x->output_count : 0);

	if (x->is_probe)
		return send_good(x, peer, e);
	x->timed_out = false;
	json_decref(x->executed); /* of a try before, that ended with a lost GPU */
	x->executed = NULL;
	return gk_frame_put(&peer->writer, GK_WIRE_EXECUTE, true, job->id, x->request, x->fds, count, e);
}

static int copy_output(struct gk_frame *frame, size_t index, int fd, struct gk_err *e)
{
	struct gk_blob_map map;
	size_t done = 0;
	bool is_whole;

	if (gk_frame_map(frame, index, MAX_OUTPUT, &map, e) < 0)
		return -1;
	while (done < map.size) {
		ssize_t n = pwrite(fd, (const char *)map.bytes + done, map.size - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	is_whole = done == map.size || gk_err_errno(e, "an output") == 0;
	gk_blob_unmap(&map);
	return is_whole ? 0 : -1;
}

static int take_outputs(struct execute_job *x, struct gk_frame *frame, struct gk_err *e)
{
	const int *outputs = x->fds + x->fd_count - x->output_count;

	if (!x->job.peer || !x->job.peer->writer.is_inline)
		return 0;
	if (frame->blob_count != x->output_count)
		return gk_err_set(e, GK_ERR_SYSTEM, "the launcher sent %zu outputs of %zu", frame->blob_count,
		                  x->output_count);
	for (size_t i = 0; i < x->output_count; i++)
		if (copy_output(frame, i, outputs[i], e) < 0)
			return -1;
	return 0;
}

static bool is_fine(const json_t *executed)
{
	return json_is_null(json_object_get(executed, "finding"));
}

/* The launcher ends by itself; it is not waited for, and gets no other job. */
static void lose_gpu(struct execute_job *x, struct gk_frame *frame)
{
	struct peer *peer = x->job.peer;
	struct gk_err e;

	gk_err_set(&e, GK_ERR_SYSTEM, "the GPU's context was lost to a fault");
	if (!x->is_probe)
		x->executed = json_incref(frame->doc.root);
	peer_fail(peer, &e);
}

static void frame(struct job *job, struct gk_frame *frame)
{
	struct execute_job *x = of(job);
	struct gk_err e;

	if (frame->type != GK_WIRE_EXECUTED) {
		gk_err_set(&e, GK_ERR_SYSTEM, "the launcher answered execute with %s",
		           gk_wire_type_name(frame->type));
		job_fail(job, &e);
	} else if (json_is_true(json_object_get(frame->doc.root, "lost"))) {
		lose_gpu(x, frame);
	} else if (x->is_probe) {
		if (is_fine(frame->doc.root))
			job_finish(job);
		else
			fail_probe(x, "it is found at fault");
	} else if (take_outputs(x, frame, &e) < 0) {
		job_fail(job, &e);
	} else {
		x->executed = json_incref(frame->doc.root);
		if (is_fine(x->executed))
			keep_good(x);
		job_finish(job);
	}
}

static void late(struct job *job)
{
	struct peer *peer = job->peer;
	struct gk_err e;

	if (!of(job)->is_probe)
		of(job)->timed_out = true;
	gk_err_set(&e, GK_ERR_SYSTEM, "not done within %lld s", (long long)(job->wall_ms / 1000));
	peer_fail(peer, &e);
}

static bool lost(struct job *job, const struct gk_err *why)
{
	struct execute_job *x = of(job);

	if (x->is_probe) {
		fail_probe(x, why->text);
		return false;
	}
	if (job->deaths < MAX_DEATHS)
		return true;
	x->died = !x->executed;
	snprintf(x->death, sizeof x->death, "%s", x->died ? why->text : "");
	x->is_probe = job->pool->good != NULL;
	if (!x->is_probe)
		job_finish(job);
	return x->is_probe;
}

static void deliver(struct job *job)
{
	struct execute_job *x = of(job);
	struct gk_execute_result result = {.err = job->failed ? &job->err : NULL,
	                                   .died = x->died,
	                                   .timed_out = x->died && x->timed_out,
	                                   .death = x->death,
	                                   .executed = x->executed};

	x->fn(x->ctx, &result);
}

static void release(struct job *job)
{
	struct execute_job *x = of(job);

	for (size_t i = 0; i < x->fd_count; i++)
		gk_fd_close(&x->fds[i]);
	json_decref(x->request);
	json_decref(x->executed);
}

static const struct job_ops execute_ops = {send, frame, late, lost, deliver, NULL, release};

static json_t *request_json(const struct gk_execute_request *request)
{
	json_t *ttir = json_array(), *inputs = json_array(), *objects = json_array();

	for (size_t i = 0; i < request->module_count; i++)
		json_array_append_new(ttir, json_string(request->modules[i].hash));
	for (size_t i = 0; i < request->input_count; i++)
		json_array_append_new(inputs, json_integer(request->input_buffers[i]));
	for (size_t i = 0; i < request->object_count; i++)
		json_array_append_new(objects, json_pack("{s:i, s:o}", "kernel", (int)request->objects[i].kernel, "object",
		                                         gk_object_to_json(request->objects[i].object)));
	return json_pack("{s:O, s:o, s:o, s:o, s:i, s:I, s:I, s:i}", "plan", request->plan, "ttir", ttir, "objects",
	                 objects, "inputs", inputs, "outputs", (int)request->output_count, "seed", (json_int_t)(request->seed & INT64_MAX),
	                 "budget", (json_int_t)request->budget, "threads", request->threads);
}

static int add_fd(struct execute_job *x, int fd)
{
	if (fd >= 0)
		x->fds[x->fd_count++] = fd;
	return fd < 0 ? -1 : 0;
}

static int add_fds(struct execute_job *x, const struct gk_execute_request *request, struct gk_err *e)
{
	size_t code_count = request->module_count + request->object_count;

	if (code_count + request->input_count + request->output_count > GK_WIRE_MAX_BLOBS)
		return gk_err_set(e, GK_ERR_SYSTEM, "a plan with %zu modules, %zu inputs and %zu outputs: %d at most in all",
		                  code_count, request->input_count, request->output_count, GK_WIRE_MAX_BLOBS);
	for (size_t i = 0; i < request->module_count; i++)
		if (add_fd(x, gk_memfd_from("module", request->modules[i].text, request->modules[i].size,
		                            e)) < 0)
			return -1;
	for (size_t i = 0; i < request->object_count; i++)
		if (add_fd(x, gk_memfd_from("object", request->objects[i].code, request->objects[i].size, e)) < 0)
			return -1;
	for (size_t i = 0; i < request->input_count; i++)
		if (add_fd(x, job_copy_fd(request->input_fds[i], e)) < 0)
			return -1;
	for (size_t i = 0; i < request->output_count; i++, x->output_count++)
		if (add_fd(x, job_copy_fd(request->output_fds[i], e)) < 0)
			return -1;
	return 0;
}

uint64_t execute_start(struct gk_runner *runner, const struct gk_execute_request *request, gk_execute_fn *fn,
                       void *ctx)
{
	struct execute_job *x = gk_alloc(sizeof *x);
	struct gk_err e;

	job_init(&x->job, (struct pool *)runner, ROLE_LAUNCHER, &execute_ops,
	         request->wall_ms > 0 ? request->wall_ms : WALL_MS);
	x->fn = fn;
	x->ctx = ctx;
	x->request = request_json(request);
	if (add_fds(x, request, &e) < 0)
		job_fail(&x->job, &e);
	return job_submit(&x->job);
}
