/*
 * Lowerings. What is known already comes from the cache; else a worker is
 * asked. A worker that dies or hangs under a module is replaced and the module
 * asked again, alone; the second time the module is at fault.
 *
 * The cache's key needs the stamp of the compilers, which zygote and lowering
 * workers name in their hello: before the first of them has come, a lowering
 * is asked without a look at the cache.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "ir/ir.h"
#include "lowerable.h"
#include "work.h"

#define MAX_DEATHS 2
#define MAX_CODE   ((size_t)64 << 20)

struct lower_job {
	struct job job;
	json_t *request;
	int text_fd;
	char *options; /* as text, for the key */
	char text_hash[GK_HEX_SIZE];
	gk_lower_fn *fn;
	void *ctx;
	int64_t begin_ns;
	/* the answer */
	struct gk_object object;
	char *code;
	size_t size;
	char *rejected;
	bool died, timed_out, cached;
	char death[1024];
};

static struct lower_job *of(struct job *job)
{
	return (struct lower_job *)job;
}

static const char *asked(const struct lower_job *l, const char *key)
{
	return json_string_value(json_object_get(l->request, key));
}

/* ---- the cache ---- */

static const char *stamp_of(struct pool *pool)
{
	static const enum role roles[] = {ROLE_LOWERING, ROLE_ZYGOTE};

	for (size_t i = 0; !pool->stamp && i < gk_count_of(roles); i++) {
		const char *text = pool->crews[roles[i]].facts;
		gk_json_auto *facts = text ? json_loads(text, 0, NULL) : NULL;
		const char *stamp = json_string_value(json_object_get(facts, "stamp"));

		if (stamp)
			pool->stamp = gk_strdup(stamp);
	}
	return pool->stamp;
}

static bool make_key(struct lower_job *l, char key[GK_HEX_SIZE])
{
	gk_buf_auto all = GK_BUF_INIT;
	const char *stamp = stamp_of(l->job.pool);

	if (!stamp)
		return false;
	gk_buf_printf(&all, "1\n%s\n%s\n%s\n%s\n", stamp, asked(l, "target"), l->options, l->text_hash);
	gk_hash_hex(gk_buf_text(&all), all.size, key);
	return true;
}

static bool find_known(struct lower_job *l)
{
	char key[GK_HEX_SIZE];

	if (!make_key(l, key) || !lowered_find(&l->job.pool->lowered, key, &l->object, &l->code, &l->size))
		return false;
	/* another candidate's module may have had the same canonical text */
	snprintf(l->object.ttir, sizeof l->object.ttir, "%s", asked(l, "ttir"));
	l->cached = true;
	return true;
}

static void keep(struct lower_job *l)
{
	char key[GK_HEX_SIZE];

	if (make_key(l, key))
		lowered_keep(&l->job.pool->lowered, key, &l->object, l->code, l->size);
}

/* ---- the worker's answer ---- */

static int send(struct job *job, struct peer *peer, struct gk_err *e)
{
	struct lower_job *l = of(job);

	l->timed_out = false;
	return gk_frame_put(&peer->writer, GK_WIRE_LOWER, true, job->id, l->request, &l->text_fd, 1, e);
}

static int check_object(const struct lower_job *l, struct gk_err *e)
{
	char hash[GK_HEX_SIZE];

	gk_hash_hex(l->code, l->size, hash);
	if (strcmp(hash, l->object.object) != 0)
		return gk_err_set(e, GK_ERR_SYSTEM, "the lowering worker sent other code than it says");
	if (strcmp(l->object.target, asked(l, "target")) != 0 ||
	    strcmp(l->object.ttir, asked(l, "ttir")) != 0)
		return gk_err_set(e, GK_ERR_SYSTEM,
		                  "the lowering worker sent an object of another module or target");
	return 0;
}

static int take_object(struct lower_job *l, struct gk_frame *frame, struct gk_err *e)
{
	struct gk_node root = gk_node_root(&frame->doc);
	struct gk_blob_map map;

	if (gk_object_from_node(&root, &l->object, e) < 0)
		return gk_err_context(e, "the lowering worker");
	if (frame->blob_count != 1)
		return gk_err_set(e, GK_ERR_SYSTEM, "the lowering worker sent %zu blobs with an object",
		                  frame->blob_count);
	if (gk_frame_map(frame, 0, MAX_CODE, &map, e) < 0)
		return -1;
	l->size = map.size;
	l->code = gk_alloc(map.size + 1);
	if (map.size)
		memcpy(l->code, map.bytes, map.size);
	gk_blob_unmap(&map);
	return check_object(l, e);
}

static void take_rejected(struct lower_job *l, const struct gk_frame *frame)
{
	const char *log = json_string_value(json_object_get(frame->doc.root, "log"));

	l->rejected = gk_strdup(log ? log : "");
}

static void frame(struct job *job, struct gk_frame *frame)
{
	struct lower_job *l = of(job);
	struct gk_err e;

	if (frame->type == GK_WIRE_REJECTED) {
		take_rejected(l, frame);
		job_finish(job);
	} else if (frame->type != GK_WIRE_OBJECT) {
		gk_err_set(&e, GK_ERR_SYSTEM, "the lowering worker answered lower with %s",
		           gk_wire_type_name(frame->type));
		job_fail(job, &e);
	} else if (take_object(l, frame, &e) < 0) {
		job_fail(job, &e);
	} else {
		keep(l);
		job_finish(job);
	}
}

static void late(struct job *job)
{
	struct peer *peer = job->peer;
	struct gk_err e;

	of(job)->timed_out = true;
	gk_err_set(&e, GK_ERR_SYSTEM, "not done within %lld s", (long long)(job->wall_ms / 1000));
	peer_fail(peer, &e);
}

static bool lost(struct job *job, const struct gk_err *why)
{
	struct lower_job *l = of(job);

	if (job->deaths < MAX_DEATHS)
		return true;
	l->died = true;
	snprintf(l->death, sizeof l->death, "%s", why->text);
	job_finish(job);
	return false;
}

static void deliver(struct job *job)
{
	struct lower_job *l = of(job);
	struct gk_lower_result result = {.err = job->failed ? &job->err : NULL,
	                                 .cached = l->cached,
	                                 .ms = (gk_clock_ns() - l->begin_ns) / 1000000};

	if (job->failed) {
		l->fn(l->ctx, &result);
		return;
	}
	result.rejected = l->rejected;
	result.death = l->died ? l->death : NULL;
	result.timed_out = l->died && l->timed_out;
	if (!l->rejected && !l->died) {
		result.object = &l->object;
		result.code = l->code;
		result.size = l->size;
	}
	l->fn(l->ctx, &result);
}

static void release(struct job *job)
{
	struct lower_job *l = of(job);

	gk_fd_close(&l->text_fd);
	json_decref(l->request);
	free(l->options);
	free(l->code);
	free(l->rejected);
}

static const struct job_ops lower_ops = {send, frame, late, lost, deliver, NULL, release};

static int make_text(struct lower_job *l, const struct gk_ir *ir, struct gk_err *e)
{
	gk_buf_auto text = GK_BUF_INIT;

	/* what a kernel prints would be fetched by the driver outside of the events: its time would not be the kernel's */
	gk_ir_print_silent(ir, &text);
	gk_hash_hex(gk_buf_text(&text), text.size, l->text_hash);
	l->text_fd = gk_memfd_from("ttir", gk_buf_text(&text), text.size, e);
	return l->text_fd < 0 ? -1 : 0;
}

uint64_t lower_start(struct gk_runner *runner, const struct gk_lower_request *request, gk_lower_fn *fn,
                     void *ctx)
{
	struct pool *pool = (struct pool *)runner;
	struct lower_job *l = gk_alloc(sizeof *l);
	char why[512];
	struct gk_err e;

	job_init(&l->job, pool, ROLE_LOWERING, &lower_ops,
	         request->wall_ms > 0 ? request->wall_ms : pool->lower_ms);
	l->fn = fn;
	l->ctx = ctx;
	l->begin_ns = gk_clock_ns();
	l->text_fd = -1;
	l->options = gk_json_text(request->options);
	l->request = json_pack("{s:s, s:s, s:O}", "target", request->target, "ttir", request->ttir, "options",
	                       request->options);
	if (!ir_is_lowerable(request->ir, request->target, why, sizeof why)) {
		l->rejected = gk_strdup(why);
		job_finish(&l->job);
	} else if (make_text(l, request->ir, &e) < 0) {
		job_fail(&l->job, &e);
	} else if (find_known(l)) {
		job_finish(&l->job);
	}
	return job_submit(&l->job);
}
