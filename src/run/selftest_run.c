/* One plan of the selftest through the pool: asked, waited for, its outputs read back. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "selftest_parts.h"

struct execution {
	bool done;
	struct selftest_ran *ran;
};

void selftest_take_facts(struct selftest *test)
{
	const char *text = gk_runner_facts(test->runner, "launcher");

	if (!test->facts && text)
		test->facts = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
}

double selftest_fact(const struct selftest *test, const char *key)
{
	return json_number_value(json_object_get(test->facts, key));
}

static const char *field(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void executed(void *ctx, const struct gk_execute_result *r)
{
	struct execution *x = ctx;
	struct selftest_ran *ran = x->ran;

	x->done = true;
	if (r->err) {
		ran->err = *r->err;
		return;
	}
	ran->died = r->died;
	ran->timed_out = r->timed_out;
	snprintf(ran->death, sizeof ran->death, "%s", r->death ? r->death : "");
	ran->executed = json_incref(r->executed);
	ran->kind = field(json_object_get(r->executed, "finding"), "kind");
	ran->message = field(json_object_get(r->executed, "finding"), "message");
}

/* ---- the request ---- */

struct files {
	int buffers[SELFTEST_INPUTS], inputs[SELFTEST_INPUTS], outputs[SELFTEST_OUTPUTS];
	size_t input_count, output_count;
	struct gk_execute_module modules[SELFTEST_KERNELS];
	struct gk_execute_object objects[SELFTEST_KERNELS];
};

static void close_files(struct files *files)
{
	for (size_t i = 0; i < files->input_count; i++)
		gk_fd_close(&files->inputs[i]);
	for (size_t i = 0; i < files->output_count; i++)
		gk_fd_close(&files->outputs[i]);
}

static int open_files(const struct selftest_plan *plan, struct files *files, struct gk_err *e)
{
	for (size_t i = 0; i < plan->input_count; i++) {
		files->buffers[i] = plan->inputs[i].buffer;
		files->inputs[i] = gk_memfd_from("input", plan->inputs[i].bytes, plan->inputs[i].size, e);
		if (files->inputs[i] < 0)
			return -1;
		files->input_count++;
	}
	for (size_t i = 0; i < plan->output_count; i++) {
		files->outputs[i] = gk_memfd_new("output", plan->output_bytes[i], e);
		if (files->outputs[i] < 0)
			return -1;
		files->output_count++;
	}
	for (size_t i = 0; i < plan->module_count; i++) {
		const struct selftest_module *m = plan->modules[i];

		files->modules[i] = (struct gk_execute_module){m->hash, m->text, m->size};
		files->objects[i] = (struct gk_execute_object){(uint32_t)i, m->object, m->code, m->code_size};
	}
	return 0;
}

/* The first kernel's code is another one's; its text has another hash than the plan names. */
static int tell_lie(struct selftest_plan *plan, struct files *files, struct gk_err *e)
{
	const struct selftest_module *other = selftest_module(plan->test, "rows", e);

	if (!other)
		return -1;
	files->modules[0] = (struct gk_execute_module){files->modules[0].hash, other->text, other->size};
	files->objects[0] = (struct gk_execute_object){0, other->object, other->code, other->code_size};
	return 0;
}

static int ask(struct selftest_plan *plan, struct files *files, struct selftest_ran *ran, struct gk_err *e)
{
	struct selftest *test = plan->test;
	struct execution x = {.ran = ran};
	struct gk_execute_request request = {.plan = plan->json,
	                                     .modules = files->modules,
	                                     .module_count = plan->module_count,
	                                     .objects = files->objects,
	                                     .object_count = test->on_gpu ? plan->module_count : 0,
	                                     .input_buffers = files->buffers,
	                                     .input_fds = files->inputs,
	                                     .input_count = files->input_count,
	                                     .output_fds = files->outputs,
	                                     .output_count = files->output_count,
	                                     .seed = gk_random_next(&test->random) >> 1,
	                                     .budget = plan->budget,
	                                     .wall_ms = plan->wall_ms};

	gk_runner_execute(test->runner, &request, executed, &x);
	if (gk_loop_until(test->loop, &x.done, e) < 0)
		return -1;
	selftest_take_facts(test);
	return 0;
}

static int read_outputs(struct selftest_plan *plan, struct files *files, struct selftest_ran *ran,
                        struct gk_err *e)
{
	for (size_t i = 0; i < files->output_count; i++) {
		ran->outputs[i] = gk_alloc(plan->output_bytes[i] + 1);
		if (gk_fd_read(files->outputs[i], ran->outputs[i], plan->output_bytes[i], e) < 0)
			return -1;
	}
	return 0;
}

int selftest_execute(struct selftest_plan *plan, enum selftest_lie lie, struct selftest_ran *ran,
                     struct gk_err *e)
{
	struct files files = {0};
	int64_t started = gk_clock_ns();
	int done;

	*ran = (struct selftest_ran){.kind = "", .message = ""};
	if (plan->err.kind) { /* a kernel that is not lowered: told as what came of the plan */
		ran->err = plan->err;
		return gk_loop_interrupted(plan->test->loop) ? gk_err_set(e, GK_ERR_SYSTEM, "interrupted")
		                                             : 0;
	}
	done = open_files(plan, &files, e);
	if (done == 0 && lie == SELFTEST_WRONG_CODE)
		done = tell_lie(plan, &files, e);
	if (done == 0)
		done = ask(plan, &files, ran, e);
	if (done == 0)
		done = read_outputs(plan, &files, ran, e);
	close_files(&files);
	ran->ms = (gk_clock_ns() - started) / 1000000;
	if (done < 0)
		selftest_ran_release(ran);
	return done;
}

void selftest_ran_release(struct selftest_ran *ran)
{
	for (size_t i = 0; i < SELFTEST_OUTPUTS; i++) {
		free(ran->outputs[i]);
		ran->outputs[i] = NULL;
	}
	json_decref(ran->executed);
	ran->executed = NULL;
}
