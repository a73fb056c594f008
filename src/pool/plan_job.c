/*
 * A launcher that dies under a job, or says that its GPU is lost to a fault,
 * is replaced, the job asked again alone; the second time it is the plan's
 * fault. On a GPU that could still be the GPU's: then a plan that was executed
 * well before is executed once more, on a third launcher, and only if that
 * still goes well is the fault told as the job's. Over a pipe the outputs come
 * back inline and are copied into the caller's files.
 */
#include "plan_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define MAX_DEATHS 2
#define MAX_OUTPUT ((size_t)1 << 30)

/* Of the pool: a plan that went well on its GPU. */
struct good_plan {
	json_t *request;
	int fds[GK_WIRE_MAX_BLOBS]; /* outputs are not among them */
	size_t fd_count, output_count;
	size_t output_bytes[GK_WIRE_MAX_BLOBS];
};

static struct plan_job *of(struct job *job)
{
	return (struct plan_job *)job;
}

/* ---- the plan that went well ---- */

static void keep_good(struct plan_job *x)
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
static int send_good(struct plan_job *x, struct peer *peer, struct gk_err *e)
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

static void fail_probe(struct plan_job *x, const char *why)
{
	struct gk_err e;

	gk_err_set(&e, GK_ERR_SYSTEM, "a plan that went well before does not any more: %s", why);
	job_fail(&x->job, &e);
}

/* ---- asking and answers ---- */

int plan_job_send(struct job *job, struct peer *peer, struct gk_err *e)
{
	struct plan_job *x = of(job);
	size_t count = x->fd_count - (peer->writer.is_inline ? x->output_count : 0);

	if (x->is_probe)
		return send_good(x, peer, e);
	x->timed_out = false;
	json_decref(x->answer); /* of a try before, that ended with a lost GPU */
	x->answer = NULL;
	return gk_frame_put(&peer->writer, x->asks, true, job->id, x->request, x->fds, count, e);
}

static bool is_fine(const json_t *answer)
{
	return json_is_null(json_object_get(answer, "finding"));
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

static int take_outputs(struct plan_job *x, struct gk_frame *frame, struct gk_err *e)
{
	const int *outputs = x->fds + x->fd_count - x->output_count;

	if (!x->job.peer || !x->job.peer->writer.is_inline)
		return 0;
	if (frame->blob_count == 0 && !is_fine(frame->doc.root))
		return 0;
	if (frame->blob_count != x->output_count)
		return gk_err_set(e, GK_ERR_SYSTEM, "the launcher sent %zu outputs of %zu", frame->blob_count,
		                  x->output_count);
	for (size_t i = 0; i < x->output_count; i++)
		if (copy_output(frame, i, outputs[i], e) < 0)
			return -1;
	return 0;
}

/* The launcher ends by itself; it is not waited for, and gets no other job. */
static void lose_gpu(struct plan_job *x, struct gk_frame *frame)
{
	struct peer *peer = x->job.peer;
	struct gk_err e;

	gk_err_set(&e, GK_ERR_SYSTEM, "the GPU's context was lost to a fault");
	if (!x->is_probe)
		x->answer = json_incref(frame->doc.root);
	peer_fail(peer, &e);
}

void plan_job_frame(struct job *job, struct gk_frame *frame)
{
	struct plan_job *x = of(job);
	struct gk_err e;

	if (frame->type != (x->is_probe ? GK_WIRE_EXECUTED : x->answers)) {
		gk_err_set(&e, GK_ERR_SYSTEM, "the launcher answered %s with %s", gk_wire_type_name(x->asks),
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
		x->answer = json_incref(frame->doc.root);
		if (x->asks == GK_WIRE_EXECUTE && is_fine(x->answer))
			keep_good(x);
		job_finish(job);
	}
}

void plan_job_late(struct job *job)
{
	struct peer *peer = job->peer;
	struct gk_err e;

	if (!of(job)->is_probe)
		of(job)->timed_out = true;
	gk_err_set(&e, GK_ERR_SYSTEM, "not done within %lld s", (long long)(job->wall_ms / 1000));
	peer_fail(peer, &e);
}

bool plan_job_lost(struct job *job, const struct gk_err *why)
{
	struct plan_job *x = of(job);

	if (x->is_probe) {
		fail_probe(x, why->text);
		return false;
	}
	if (job->deaths < MAX_DEATHS)
		return true;
	x->died = !x->answer;
	snprintf(x->death, sizeof x->death, "%s", x->died ? why->text : "");
	x->is_probe = job->pool->good != NULL;
	if (!x->is_probe)
		job_finish(job);
	return x->is_probe;
}

void plan_job_release(struct job *job)
{
	struct plan_job *x = of(job);

	for (size_t i = 0; i < x->fd_count; i++)
		gk_fd_close(&x->fds[i]);
	json_decref(x->request);
	json_decref(x->answer);
}

void plan_job_init(struct plan_job *x, struct pool *pool, const struct job_ops *ops, int64_t wall_ms,
                   int64_t standard_ms)
{
	job_init(&x->job, pool, ROLE_LAUNCHER, ops, wall_ms > 0 ? wall_ms : standard_ms);
	x->job.may_follow = strcmp(pool->device, "cpu") != 0; /* the machine takes longer than any of our answers */
}

int plan_job_add(struct plan_job *x, int fd)
{
	if (fd >= 0)
		x->fds[x->fd_count++] = fd;
	return fd < 0 ? -1 : 0;
}

int plan_job_add_outputs(struct plan_job *x, const int *fds, size_t count, struct gk_err *e)
{
	for (size_t i = 0; i < count; i++, x->output_count++)
		if (plan_job_add(x, job_copy_fd(fds[i], e)) < 0)
			return -1;
	return 0;
}
