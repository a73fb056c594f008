/*
 * Timings of plans. The code of all kernels and helpers travels as one memory
 * file, one object behind the other, each at a multiple of 16 bytes; what is
 * the same twice (a kernel that both sides launch) lies there once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "plan_job.h"

#define WALL_MS  20000
#define MAX_CODE ((size_t)1 << 28)
#define ALIGN    16

struct time_job {
	struct plan_job plan;
	gk_time_fn *fn;
	void *ctx;
};

static void deliver(struct job *job)
{
	struct time_job *x = (struct time_job *)job;
	struct gk_time_result result = {.err = job->failed ? &job->err : NULL,
	                                .died = x->plan.died,
	                                .timed_out = x->plan.died && x->plan.timed_out,
	                                .death = x->plan.death,
	                                .timed = x->plan.answer};

	x->fn(x->ctx, &result);
}

static const struct job_ops time_ops = {plan_job_send, plan_job_frame, plan_job_late, plan_job_lost, deliver, NULL,
                                        plan_job_release};

/* ---- the request ---- */

struct packed {
	const struct gk_object *object;
	size_t at;
};
struct packing {
	struct gk_buf code;
	struct GK_VEC(struct packed) objects;
};

static size_t pack(struct packing *p, const struct gk_object *object, const void *code, size_t size)
{
	static const char zeros[ALIGN];
	size_t at = p->code.size;

	for (size_t i = 0; i < p->objects.count; i++)
		if (strcmp(p->objects.items[i].object->object, object->object) == 0)
			return p->objects.items[i].at;
	gk_vec_push(&p->objects, (struct packed){object, at});
	gk_buf_add(&p->code, code, size);
	gk_buf_add(&p->code, zeros, (ALIGN - size % ALIGN) % ALIGN);
	return at;
}

/* Takes item over: its object, and where the code lies. */
static json_t *with_code(struct packing *p, json_t *item, const struct gk_object *object, const void *code, size_t size)
{
	json_object_set_new(item, "object", gk_object_to_json(object));
	json_object_set_new(item, "at", json_integer((json_int_t)pack(p, object, code, size)));
	json_object_set_new(item, "bytes", json_integer((json_int_t)size));
	return item;
}

static json_t *side_json(struct packing *p, const struct gk_time_side *side)
{
	json_t *objects = json_array(), *inputs = json_array();

	for (size_t i = 0; i < side->object_count; i++) {
		const struct gk_execute_object *o = &side->objects[i];

		json_array_append_new(objects, with_code(p, json_pack("{s:i}", "kernel", (int)o->kernel), o->object, o->code,
		                                         o->size));
	}
	for (size_t i = 0; i < side->input_count; i++)
		json_array_append_new(inputs, json_pack("[i, i]", side->input_buffers[i], side->input_indexes[i]));
	return json_pack("{s:O, s:o, s:o, s:o, s:b}", "plan", side->plan, "objects", objects, "inputs", inputs, "variants",
	                 side->variants ? json_incref(side->variants) : json_array(), "known", side->is_known);
}

static json_t *request_json(struct packing *p, const struct gk_time_request *request)
{
	json_t *helpers = json_array();

	for (size_t i = 0; i < request->helper_count; i++) {
		const struct gk_time_helper *h = &request->helpers[i];

		json_array_append_new(helpers, with_code(p, json_pack("{s:s}", "name", h->name), h->object, h->code, h->size));
	}
	return json_pack("{s:o, s:o, s:o, s:i, s:I, s:f, s:f, s:i}", "a", side_json(p, &request->a), "b",
	                 request->is_solo ? json_null() : side_json(p, &request->b), "helpers", helpers, "inputs",
	                 (int)request->input_count, "seed", (json_int_t)(request->seed & INT64_MAX), "cap_ms",
	                 request->cap_ms, "half_width", request->half_width, "loads", request->loads);
}

static int add_fds(struct plan_job *x, const struct packing *p, const struct gk_time_request *request, struct gk_err *e)
{
	size_t outputs = request->a.output_count + (request->is_solo ? 0 : request->b.output_count);

	if (p->code.is_full)
		return gk_err_set(e, GK_ERR_SYSTEM, "code objects of more than %zu MiB in one timing", MAX_CODE >> 20);
	if (1 + request->input_count + outputs > GK_WIRE_MAX_BLOBS)
		return gk_err_set(e, GK_ERR_SYSTEM, "plans with %zu inputs and %zu outputs: %d at most in all",
		                  request->input_count, outputs, GK_WIRE_MAX_BLOBS - 1);
	if (plan_job_add(x, gk_memfd_from("code", gk_buf_text(&p->code), p->code.size, e)) < 0)
		return -1;
	for (size_t i = 0; i < request->input_count; i++)
		if (plan_job_add(x, job_copy_fd(request->input_fds[i], e)) < 0)
			return -1;
	if (plan_job_add_outputs(x, request->a.output_fds, request->a.output_count, e) < 0)
		return -1;
	return request->is_solo ? 0 : plan_job_add_outputs(x, request->b.output_fds, request->b.output_count, e);
}

uint64_t time_start(struct gk_runner *runner, const struct gk_time_request *request, gk_time_fn *fn, void *ctx)
{
	struct time_job *x = gk_alloc(sizeof *x);
	struct packing p = {.code = {.ceiling = MAX_CODE}};
	struct gk_err e;

	plan_job_init(&x->plan, (struct pool *)runner, &time_ops, request->wall_ms, WALL_MS);
	x->plan.asks = GK_WIRE_TIME;
	x->plan.answers = GK_WIRE_TIMED;
	x->fn = fn;
	x->ctx = ctx;
	x->plan.request = request_json(&p, request);
	if (add_fds(&x->plan, &p, request, &e) < 0)
		job_fail(&x->plan.job, &e);
	gk_buf_release(&p.code);
	gk_vec_release(&p.objects);
	return job_submit(&x->plan.job);
}
