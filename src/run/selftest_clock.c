/* One measurement of the selftest: two plans against each other by the launcher's clock, as the judge asks
 * for them. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "helpers.h"
#include "selftest_parts.h"

/* Everything that the request borrows. */
struct request {
	struct selftest *test;
	struct gk_time_request request;
	struct gk_execute_object objects[2][SELFTEST_KERNELS];
	const void *bytes[2 * SELFTEST_INPUTS]; /* of inputs[]: what is the same is sent once */
	int inputs[2 * SELFTEST_INPUTS], buffers[2][SELFTEST_INPUTS], indexes[2][SELFTEST_INPUTS];
	int outputs[2][SELFTEST_OUTPUTS];
	struct selftest_timed *timed;
	bool done;
};

static char plan_name[] = "plan";

static void say_wrong(struct request *r, const char *words)
{
	r->timed->wrong = gk_arena_printf(&r->test->arena, "%.500s", words);
}

static void was_timed(void *ctx, const struct gk_time_result *result)
{
	struct request *r = ctx;

	r->done = true;
	if (result->err)
		say_wrong(r, result->err->text);
	else if (!result->timed)
		say_wrong(r, result->timed_out ? "the launcher did not answer in time" : result->death);
	else
		r->timed->timed = json_incref(result->timed);
}

static void helpers_came(void *ctx, const struct gk_helpers_result *result)
{
	struct request *r = ctx;

	if (result->err) {
		say_wrong(r, result->err->text);
		r->done = true;
		return;
	}
	r->request.helpers = result->helpers;
	r->request.helper_count = result->count;
	gk_runner_time(r->test->runner, &r->request, was_timed, r);
}

/* ---- the sides ---- */

static int add_input(struct request *r, const void *bytes, size_t size, struct gk_err *e)
{
	size_t count = r->request.input_count;

	for (size_t i = 0; i < count; i++)
		if (r->bytes[i] == bytes)
			return (int)i;
	r->inputs[count] = gk_memfd_from("input", bytes, size, e);
	if (r->inputs[count] < 0)
		return -1;
	r->bytes[count] = bytes;
	return (int)r->request.input_count++;
}

static int add_side(struct request *r, int which, const struct selftest_plan *plan, bool with_outputs,
                    struct gk_err *e)
{
	struct gk_time_side *side = which ? &r->request.b : &r->request.a;

	*side = (struct gk_time_side){.plan = plan->json,
	                              .objects = r->objects[which],
	                              .object_count = plan->module_count,
	                              .input_buffers = r->buffers[which],
	                              .input_indexes = r->indexes[which],
	                              .input_count = plan->input_count,
	                              .output_fds = r->outputs[which],
	                              .is_known = !with_outputs};
	for (size_t i = 0; i < plan->module_count; i++) {
		const struct selftest_module *m = plan->modules[i];

		r->objects[which][i] =
			(struct gk_execute_object){(uint32_t)i, m->object, m->code, m->code_size};
	}
	for (size_t i = 0; i < plan->input_count; i++) {
		r->buffers[which][i] = plan->inputs[i].buffer;
		r->indexes[which][i] = add_input(r, plan->inputs[i].bytes, plan->inputs[i].size, e);
		if (r->indexes[which][i] < 0)
			return -1;
	}
	for (size_t i = 0; with_outputs && i < plan->output_count; i++) {
		r->outputs[which][i] = gk_memfd_new("output", plan->output_bytes[i], e);
		if (r->outputs[which][i] < 0)
			return -1;
		side->output_count++;
	}
	return 0;
}

static int read_side(struct request *r, int which, const struct selftest_plan *plan, struct gk_err *e)
{
	size_t count = which ? r->request.b.output_count : r->request.a.output_count;

	for (size_t i = 0; i < count; i++) {
		r->timed->outputs[which][i] = gk_alloc(plan->output_bytes[i] + 1);
		if (gk_fd_read(r->outputs[which][i], r->timed->outputs[which][i], plan->output_bytes[i], e) <
		    0)
			return -1;
	}
	return 0;
}

static void close_all(struct request *r)
{
	for (size_t i = 0; i < r->request.input_count; i++)
		gk_fd_close(&r->inputs[i]);
	for (size_t i = 0; i < r->request.a.output_count; i++)
		gk_fd_close(&r->outputs[0][i]);
	for (size_t i = 0; i < r->request.b.output_count; i++)
		gk_fd_close(&r->outputs[1][i]);
}

/* The helpers that timing takes follow from what the plans do. */
static int ask(struct request *r, struct gk_helpers *helpers, struct gk_err *e)
{
	struct gk_doc docs[2] = {{.root = r->request.a.plan, .name = plan_name},
	                         {.root = r->request.b.plan, .name = plan_name}};
	struct gk_node roots[2] = {gk_node_root(&docs[0]), gk_node_root(&docs[1])};
	struct gk_plan *plans[2] = {gk_plan_from_node(&roots[0], e), gk_plan_from_node(&roots[1], e)};
	int done = -1;

	if (plans[0] && plans[1]) {
		gk_helpers_ask(helpers, (const struct gk_plan *const *)plans, 2, helpers_came, r);
		done = gk_loop_until(r->test->loop, &r->done, e);
	}
	gk_plan_free(plans[0]);
	gk_plan_free(plans[1]);
	return done;
}

int selftest_clock(struct selftest *test, struct gk_helpers *helpers, const struct selftest_plan *a,
                   const struct selftest_plan *b, bool with_outputs, struct selftest_timed *timed,
                   struct gk_err *e)
{
	struct request r = {.test = test, .timed = timed};
	int done;

	*timed = (struct selftest_timed){0};
	if (a->err.kind || b->err.kind) {
		say_wrong(&r, a->err.kind ? a->err.text : b->err.text);
		return 0;
	}
	r.request.seed = gk_random_next(&test->random) >> 1;
	r.request.input_fds = r.inputs;
	done = add_side(&r, 0, a, with_outputs, e);
	if (done == 0)
		done = add_side(&r, 1, b, with_outputs, e);
	if (done == 0)
		done = ask(&r, helpers, e);
	if (done == 0 && timed->timed)
		done = read_side(&r, 0, a, e) < 0 ? -1 : read_side(&r, 1, b, e);
	close_all(&r);
	if (done < 0)
		selftest_timed_release(timed);
	return done;
}

void selftest_timed_release(struct selftest_timed *timed)
{
	for (int i = 0; i < 2 * SELFTEST_OUTPUTS; i++) {
		free(timed->outputs[i / SELFTEST_OUTPUTS][i % SELFTEST_OUTPUTS]);
		timed->outputs[i / SELFTEST_OUTPUTS][i % SELFTEST_OUTPUTS] = NULL;
	}
	json_decref(timed->timed);
	timed->timed = NULL;
}
