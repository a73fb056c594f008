/* Executions of plans. */
#include "base/file.h"
#include "base/memory.h"
#include "plan_job.h"

#define WALL_MS 600000

struct execute_job {
	struct plan_job plan;
	gk_execute_fn *fn;
	void *ctx;
};

static void deliver(struct job *job)
{
	struct execute_job *x = (struct execute_job *)job;
	struct gk_execute_result result = {.err = job->failed ? &job->err : NULL,
	                                   .died = x->plan.died,
	                                   .timed_out = x->plan.died && x->plan.timed_out,
	                                   .death = x->plan.death,
	                                   .executed = x->plan.answer};

	x->fn(x->ctx, &result);
}

static const struct job_ops execute_ops = {plan_job_send, plan_job_frame, plan_job_late, plan_job_lost, deliver, NULL,
                                           plan_job_release};

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

static int add_fds(struct plan_job *x, const struct gk_execute_request *request, struct gk_err *e)
{
	size_t code_count = request->module_count + request->object_count;

	if (code_count + request->input_count + request->output_count > GK_WIRE_MAX_BLOBS)
		return gk_err_set(e, GK_ERR_SYSTEM, "a plan with %zu modules, %zu inputs and %zu outputs: %d at most in all",
		                  code_count, request->input_count, request->output_count, GK_WIRE_MAX_BLOBS);
	for (size_t i = 0; i < request->module_count; i++)
		if (plan_job_add(x, gk_memfd_from("module", request->modules[i].text, request->modules[i].size, e)) < 0)
			return -1;
	for (size_t i = 0; i < request->object_count; i++)
		if (plan_job_add(x, gk_memfd_from("object", request->objects[i].code, request->objects[i].size, e)) < 0)
			return -1;
	for (size_t i = 0; i < request->input_count; i++)
		if (plan_job_add(x, job_copy_fd(request->input_fds[i], e)) < 0)
			return -1;
	return plan_job_add_outputs(x, request->output_fds, request->output_count, e);
}

uint64_t execute_start(struct gk_runner *runner, const struct gk_execute_request *request, gk_execute_fn *fn,
                       void *ctx)
{
	struct execute_job *x = gk_alloc(sizeof *x);
	struct gk_err e;

	plan_job_init(&x->plan, (struct pool *)runner, &execute_ops, request->wall_ms, WALL_MS);
	x->plan.asks = GK_WIRE_EXECUTE;
	x->plan.answers = GK_WIRE_EXECUTED;
	x->fn = fn;
	x->ctx = ctx;
	x->plan.request = request_json(request);
	if (add_fds(&x->plan, request, &e) < 0)
		job_fail(&x->plan.job, &e);
	return job_submit(&x->plan.job);
}
