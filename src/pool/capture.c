/*
 * One capture: a source, the write ends of two pipes, and a zygote that forks
 * the candidate. The answer comes from three sides: `spawned` and `exited`
 * from the zygote, claims through the result pipe, prints through the stdio
 * pipe. It is complete when all three have ended. A candidate that writes too
 * much, forges frames or is late is killed through its pidfd; the zygote's
 * stub then ends the rest of its tree, and says so with `exited`.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "claims.h"
#include "work.h"

#define MEMORY_BYTES ((int64_t)4 << 30)
#define PROCESSES    256
#define FILE_BYTES   ((int64_t)256 << 20)
#define OUTPUT_BYTES ((int64_t)64 << 20)
#define DEVICE_BYTES ((int64_t)32 << 30)
#define DEVICE_PROCESSES 4096 /* threads of a driver, and a compiler for each configuration */
#define SHARED_BYTES ((off_t)64 << 20) /* tensors of a run for real that shares a GPU with others */
#define TAIL_BYTES   ((size_t)64 << 10)
#define CHUNK_BYTES  ((size_t)64 << 10)
#define LARGE_BYTES  ((uint64_t)1 << 20)
#define GRACE_MS     15000 /* from the kill to `exited`; then the zygote itself is at fault */
#define DRAIN_MS     3000  /* from `exited` to the end of the pipes */
#define MAX_DEATHS   2

#define SYS_PIDFD_SEND_SIGNAL 424

struct capture_job {
	struct job job;
	json_t *request;
	enum gk_wire_type asks;
	int fds[GK_WIRE_MAX_BLOBS]; /* the source, places for two pipes, then the data of one that runs for real; owned */
	size_t fd_count;
	int64_t output_bytes;
	gk_capture_fn *fn;
	void *ctx;
	/* while it runs */
	int64_t begin_ns;
	int result, stdio; /* read ends, -1 once they have ended */
	struct gk_watch *result_watch, *stdio_watch;
	int pidfd;
	bool is_decided, is_killed, has_exited;
	/* the answer */
	struct claims claims;
	struct gk_buf tail;
	uint64_t output_total;
	enum gk_capture_end end;
	int code;
	int64_t cpu_ms, max_rss_bytes, wall_ms;
};

static struct capture_job *of(struct job *job)
{
	return (struct capture_job *)job;
}

/* ---- ends ---- */

static void close_run(struct capture_job *c)
{
	gk_watch_stop(&c->result_watch);
	gk_watch_stop(&c->stdio_watch);
	gk_fd_close(&c->result);
	gk_fd_close(&c->stdio);
	gk_fd_close(&c->pidfd);
}

static void finish(struct capture_job *c)
{
	c->wall_ms = (gk_clock_ns() - c->begin_ns) / 1000000;
	close_run(c);
	claims_end(&c->claims);
	job_finish(&c->job);
}

static void finish_if_complete(struct capture_job *c)
{
	if (c->has_exited && c->result < 0 && c->stdio < 0 && !c->job.is_finished)
		finish(c);
}

/* By its pidfd; by word to the zygote where that has not come yet, and for the tree. */
static void kill_candidate(struct capture_job *c)
{
	struct peer *peer = c->job.peer;
	struct gk_err e;

	if (c->is_killed || c->has_exited || !peer)
		return;
	c->is_killed = true;
	if (c->pidfd >= 0)
		syscall(SYS_PIDFD_SEND_SIGNAL, c->pidfd, SIGKILL, NULL, 0);
	if (gk_frame_put(&peer->writer, GK_WIRE_CANCEL, true, c->job.id, NULL, NULL, 0, &e) == 0)
		peer_flush(peer);
	job_set_deadline(&c->job, GRACE_MS);
}

static void decide(struct capture_job *c, enum gk_capture_end end)
{
	if (!c->is_decided && !c->has_exited) {
		c->is_decided = true;
		c->end = end;
	}
	kill_candidate(c);
}

/* ---- the two pipes ---- */

static void stdio_ready(void *ctx, int events)
{
	struct capture_job *c = ctx;
	char *room = gk_buf_reserve(&c->tail, CHUNK_BYTES);
	ssize_t n = read(c->stdio, room, CHUNK_BYTES);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		gk_watch_stop(&c->stdio_watch);
		gk_fd_close(&c->stdio);
		finish_if_complete(c);
		return;
	}
	gk_buf_grew(&c->tail, (size_t)n);
	c->output_total += (uint64_t)n;
	if (c->tail.size > TAIL_BYTES)
		gk_buf_drop(&c->tail, c->tail.size - TAIL_BYTES);
	if (c->output_total > (uint64_t)c->output_bytes)
		decide(c, GK_CAPTURE_FLOODED);
}

static void result_ready(void *ctx, int events)
{
	struct capture_job *c = ctx;

	(void)events;
	switch (claims_read(&c->claims, c->result)) {
	case CLAIMS_MORE:
		break;
	case CLAIMS_FLOOD:
		decide(c, GK_CAPTURE_FLOODED);
		break;
	case CLAIMS_BAD:
		kill_candidate(c);
		break;
	case CLAIMS_END:
		gk_watch_stop(&c->result_watch);
		gk_fd_close(&c->result);
		finish_if_complete(c);
		break;
	}
}

/* ---- the zygote's answers ---- */

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void handle_spawned(struct capture_job *c, struct gk_frame *frame)
{
	struct gk_err e;

	if (c->pidfd >= 0 || gk_frame_steal_fd(frame, 0, &c->pidfd, &e) < 0)
		return;
	if (c->is_killed) /* the decision was faster */
		syscall(SYS_PIDFD_SEND_SIGNAL, c->pidfd, SIGKILL, NULL, 0);
}

static enum gk_capture_end end_of(const json_t *said)
{
	const char *status = json_string_value(json_object_get(said, "status"));

	if (json_is_true(json_object_get(said, "over_memory")))
		return GK_CAPTURE_OVER_MEMORY;
	if (json_is_true(json_object_get(said, "over_disk")))
		return GK_CAPTURE_FLOODED;
	return status && strcmp(status, "signaled") == 0 ? GK_CAPTURE_SIGNALED : GK_CAPTURE_EXITED;
}

static void handle_exited(struct capture_job *c, const json_t *said)
{
	if (!c->is_decided)
		c->end = end_of(said);
	c->code = (int)number_of(said, "code");
	c->cpu_ms = number_of(said, "cpu_ms");
	c->max_rss_bytes = number_of(said, "max_rss_bytes");
	c->has_exited = true;
	job_set_deadline(&c->job, DRAIN_MS);
	finish_if_complete(c);
}

static void frame(struct job *job, struct gk_frame *frame)
{
	if (frame->type == GK_WIRE_SPAWNED)
		handle_spawned(of(job), frame);
	else if (frame->type == GK_WIRE_EXITED)
		handle_exited(of(job), frame->doc.root);
}

static void late(struct job *job)
{
	struct capture_job *c = of(job);
	struct gk_err e;

	if (c->has_exited) { /* the tree is gone, so nobody of it holds the pipes: what is there is all */
		finish(c);
	} else if (!c->is_killed) {
		decide(c, GK_CAPTURE_TIMED_OUT);
	} else {
		gk_err_set(&e, GK_ERR_SYSTEM, "the zygote did not end a candidate within %d s",
		           GRACE_MS / 1000);
		peer_fail(job->peer, &e);
	}
}

static bool lost(struct job *job, const struct gk_err *why)
{
	struct capture_job *c = of(job);

	(void)why;
	if (!c->is_decided && !c->is_killed && job->deaths < MAX_DEATHS) {
		close_run(c);
		return true;
	}
	if (!c->is_decided && !c->is_killed)
		c->end = GK_CAPTURE_KILLED_ZYGOTE;
	else if (!c->is_decided)
		c->end = GK_CAPTURE_SIGNALED;
	c->code = SIGKILL;
	finish(c);
	return false;
}

static void abandon(struct job *job)
{
	kill_candidate(of(job));
}

/* ---- the start ---- */

static int open_pipe(struct capture_job *c, int *read_end, struct gk_watch **watch, gk_watch_fn *fn,
                     int *write_end, struct gk_err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return gk_err_errno(e, "pipe");
	*read_end = ends[0];
	*write_end = ends[1];
	*watch = gk_loop_watch(c->job.pool->loop, ends[0], GK_LOOP_READ, fn, c, e);
	return *watch ? 0 : -1;
}

static void reset(struct capture_job *c)
{
	close_run(c);
	claims_release(&c->claims);
	claims_init(&c->claims);
	c->claims.may_run = c->asks == GK_WIRE_CONTAIN;
	gk_buf_clear(&c->tail);
	c->output_total = 0;
	c->is_decided = c->is_killed = c->has_exited = false;
	c->begin_ns = gk_clock_ns();
}

static int send(struct job *job, struct peer *peer, struct gk_err *e)
{
	struct capture_job *c = of(job);
	gk_fd_auto result = -1;
	gk_fd_auto stdio = -1;
	int fds[GK_WIRE_MAX_BLOBS];

	reset(c);
	if (open_pipe(c, &c->result, &c->result_watch, result_ready, &result, e) < 0 ||
	    open_pipe(c, &c->stdio, &c->stdio_watch, stdio_ready, &stdio, e) < 0)
		return -1;
	memcpy(fds, c->fds, sizeof fds);
	fds[1] = result;
	fds[2] = stdio;
	return gk_frame_put(&peer->writer, c->asks, true, job->id, c->request, fds, c->fd_count, e);
}

static void deliver(struct job *job)
{
	struct capture_job *c = of(job);
	struct gk_capture_result result = {.err = job->failed ? &job->err : NULL, .output = ""};

	if (!job->failed) {
		result.end = c->end;
		result.code = c->code;
		result.output = gk_buf_text(&c->tail);
		result.output_size = c->tail.size;
		result.output_total = c->output_total;
		result.cpu_ms = c->cpu_ms;
		result.max_rss_bytes = c->max_rss_bytes;
		result.wall_ms = c->wall_ms;
		claims_show(&c->claims, &result);
	}
	c->fn(c->ctx, &result);
}

static void release(struct job *job)
{
	struct capture_job *c = of(job);
	bool is_large = c->claims.reader.total_bytes > LARGE_BYTES;

	close_run(c);
	claims_release(&c->claims);
	if (is_large) /* else what lives on above it would keep the hole */
		malloc_trim(0);
	gk_buf_release(&c->tail);
	for (size_t i = 0; i < c->fd_count; i++)
		gk_fd_close(&c->fds[i]);
	json_decref(c->request);
}

static const struct job_ops capture_ops = {send, frame, late, lost, deliver, abandon, release};

static int64_t or_else(int64_t value, int64_t standard)
{
	return value > 0 ? value : standard;
}

static json_t *limits_json(const struct gk_capture_limits *l, int64_t wall_ms)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "wall_ms", (json_int_t)wall_ms, "cpu_s",
	                 (json_int_t)or_else(l->cpu_s, (wall_ms + 999) / 1000), "memory_bytes",
	                 (json_int_t)or_else(l->memory_bytes, MEMORY_BYTES), "processes",
	                 (json_int_t)or_else(l->processes, PROCESSES), "file_bytes",
	                 (json_int_t)or_else(l->file_bytes, FILE_BYTES), "output_bytes",
	                 (json_int_t)or_else(l->output_bytes, OUTPUT_BYTES));
}

/* Takes request over. */
static struct capture_job *make(struct pool *pool, enum role role, enum gk_wire_type asks, int64_t wall_ms,
                                const struct gk_capture_limits *limits, json_t *request)
{
	struct capture_job *c = gk_alloc(sizeof *c);

	job_init(&c->job, pool, role, &capture_ops, wall_ms);
	c->asks = asks;
	c->result = c->stdio = c->pidfd = -1;
	for (size_t i = 0; i < gk_count_of(c->fds); i++)
		c->fds[i] = -1;
	c->fd_count = 3;
	c->output_bytes = or_else(limits->output_bytes, OUTPUT_BYTES);
	c->tail.ceiling = TAIL_BYTES + 2 * CHUNK_BYTES;
	claims_init(&c->claims);
	c->request = request;
	return c;
}

static uint64_t start(struct capture_job *c, const char *source, size_t size, gk_capture_fn *fn, void *ctx)
{
	struct gk_err e;

	c->fn = fn;
	c->ctx = ctx;
	c->fds[0] = gk_memfd_from("candidate", source, size, &e);
	if (c->fds[0] < 0)
		job_fail(&c->job, &e);
	return job_submit(&c->job);
}

uint64_t capture_start(struct gk_runner *runner, const struct gk_capture_request *q, gk_capture_fn *fn, void *ctx)
{
	struct pool *pool = (struct pool *)runner;
	int64_t wall_ms = or_else(q->limits.wall_ms, pool->capture_ms);
	json_t *allow = q->allow ? json_incref(q->allow) : json_array();
	json_t *request = json_pack("{s:O, s:s, s:s, s:n, s:O, s:o, s:o}", "entry", q->entry, "target", q->target, "salt",
	                            q->salt, "pick", "cases", q->cases, "allow", allow, "limits",
	                            limits_json(&q->limits, wall_ms));
	struct capture_job *c = make(pool, ROLE_ZYGOTE, GK_WIRE_CAPTURE, wall_ms, &q->limits, request);

	if (strcmp(q->target, "cpu") != 0) /* its kernels will be lowered: meanwhile the first worker starts */
		crew_warm(&pool->crews[ROLE_LOWERING]);
	return start(c, q->source, q->size, fn, ctx);
}

/* ---- for real ---- */

static void add_fds(struct capture_job *c, const int *fds, size_t count)
{
	struct gk_err e;

	for (size_t i = 0; i < count; i++) {
		if (c->fd_count == gk_count_of(c->fds))
			gk_bug("a contained run with more than %d descriptors", GK_CONTAIN_MAX_FDS);
		c->fds[c->fd_count] = job_copy_fd(fds[i], &e);
		if (c->fds[c->fd_count++] < 0)
			job_fail(&c->job, &e);
	}
}

/* A driver's address space and its threads are no measure of what a candidate takes. */
static struct gk_capture_limits real_limits(const struct pool *pool, const struct gk_capture_limits *asked)
{
	struct gk_capture_limits limits = *asked;
	bool has_device = strcmp(pool->device, "cpu") != 0;

	limits.memory_bytes = or_else(limits.memory_bytes, has_device ? DEVICE_BYTES : MEMORY_BYTES);
	limits.processes = or_else(limits.processes, has_device ? DEVICE_PROCESSES : PROCESSES);
	return limits;
}

/* Times bear no neighbours; of large tensors several sets may not fit the device. */
static bool is_alone(const struct pool *pool, const struct gk_contain_request *q)
{
	off_t bytes = 0;
	struct stat s;

	for (size_t i = 0; i < q->input_count + q->output_count; i++)
		if (fstat(i < q->input_count ? q->input_fds[i] : q->output_fds[i - q->input_count], &s) == 0)
			bytes += s.st_size;
	return strcmp(pool->device, "cpu") != 0 && (q->timed > 0 || bytes > SHARED_BYTES);
}

int contain_gpu(const struct pool *pool)
{
	const char *facts = pool->crews[ROLE_LAUNCHER].facts;
	gk_json_auto *json = facts ? json_loads(facts, 0, NULL) : NULL;

	return (int)json_integer_value(json_object_get(json, "gpu"));
}

uint64_t contain_start(struct gk_runner *runner, const struct gk_contain_request *q, gk_capture_fn *fn, void *ctx)
{
	struct pool *pool = (struct pool *)runner;
	struct gk_capture_limits limits = real_limits(pool, &q->limits);
	int64_t wall_ms = or_else(limits.wall_ms, pool->capture_ms);
	json_t *allow = q->allow ? json_incref(q->allow) : json_array();
	json_t *request = json_pack("{s:O, s:s, s:O, s:o, s:i, s:i, s:o}", "entry", q->entry, "target", q->target, "calls",
	                            q->calls, "allow", allow, "timed", q->timed, "gpu", contain_gpu(pool), "limits",
	                            limits_json(&limits, wall_ms));
	struct capture_job *c = make(pool, ROLE_CONTAINED, GK_WIRE_CONTAIN, wall_ms, &limits, request);

	c->job.is_alone = is_alone(pool, q);
	if (strcmp(pool->device, "cpu") != 0) /* whoever has the GPU's lock */
		crew_warm(&pool->crews[ROLE_LAUNCHER]);
	add_fds(c, q->input_fds, q->input_count);
	add_fds(c, q->output_fds, q->output_count);
	return start(c, q->source, q->size, fn, ctx);
}
