/* Plans of the selftest, and the kernels they launch. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/place.h"
#include "num/dtype.h"
#include "plan/helper.h"
#include "selftest_parts.h"

enum { TEXT_BYTES = 1 << 20 };

#define NO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

/* ---- kernels ---- */

struct lowering {
	struct selftest_module *module;
	bool done;
	struct gk_err err;
};

static void lowered(void *ctx, const struct gk_lower_result *r)
{
	struct lowering *l = ctx;
	struct selftest_module *m = l->module;

	l->done = true;
	if (r->err) {
		l->err = *r->err;
	} else if (!r->object) {
		gk_err_set(&l->err, GK_ERR_SYSTEM, "kernel %s is not lowered: %.400s", m->name,
		           r->death ? r->death : r->rejected);
	} else {
		m->object = gk_alloc(sizeof *m->object);
		*m->object = *r->object;
		m->code = gk_alloc(r->size);
		m->code_size = r->size;
		memcpy(m->code, r->code, r->size);
	}
}

static int lower(struct selftest *test, struct selftest_module *m, struct gk_err *e)
{
	struct lowering l = {.module = m};
	struct gk_lower_request request = {
		.target = test->target, .ttir = m->hash, .ir = m->ir, .options = m->options};

	gk_runner_lower(test->runner, &request, lowered, &l);
	if (gk_loop_until(test->loop, &l.done, e) < 0)
		return -1;
	if (l.err.kind == GK_ERR_NONE)
		return 0;
	*e = l.err;
	return -1;
}

/* Files of ours, vendors' own where one cannot be for both: NAME.cuda.ttir, NAME.hip.ttir. */
static int read_text(struct selftest *test, struct selftest_module *m, struct gk_err *e)
{
	const char *folder, *path, *own;

	if (gk_place_path(&test->arena, "selftest", &folder, e) < 0)
		return -1;
	path = gk_arena_printf(&test->arena, "%s/%s.ttir", folder, m->name);
	own = gk_arena_printf(&test->arena, "%s/%s.%s.ttir", folder, m->name, test->options->device);
	return gk_file_read(gk_path_exists(own) ? own : path, TEXT_BYTES, &m->text, &m->size, e);
}

static int read_helper(struct selftest *test, struct selftest_module *m, struct gk_err *e)
{
	gk_buf_auto text = GK_BUF_INIT;

	if (gk_helper_text(m->name, test->target, &text, e) < 0)
		return -1;
	m->size = text.size;
	m->text = gk_buf_steal(&text);
	json_decref(m->options);
	m->options = gk_helper_options(m->name);
	return 0;
}

static int make_module(struct selftest *test, struct selftest_module *m, struct gk_err *e)
{
	bool is_helper = strncmp(m->name, "helper:", 7) == 0;

	m->options = json_pack("{s:i}", "num_warps", 4);
	m->name += is_helper ? 7 : 0;
	if ((is_helper ? read_helper : read_text)(test, m, e) < 0)
		return -1;
	gk_hash_hex(m->text, m->size, m->hash);
	m->ir = gk_ir_read(m->name, m->text, m->size, e);
	if (!m->ir)
		return -1;
	return test->on_gpu ? lower(test, m, e) : 0;
}

struct selftest_module *selftest_module(struct selftest *test, const char *name, struct gk_err *e)
{
	const char *own = strncmp(name, "helper:", 7) == 0 ? name + 7 : name;
	struct selftest_module *m;

	for (size_t i = 0; i < test->module_count; i++)
		if (strcmp(test->modules[i].name, own) == 0)
			return &test->modules[i];
	if (test->module_count == SELFTEST_MODULES)
		gk_bug("more than %d kernels", SELFTEST_MODULES);
	m = &test->modules[test->module_count];
	m->name = gk_arena_string(&test->arena, name);
	if (make_module(test, m, e) == 0) {
		test->module_count++;
		return m;
	}
	free(m->text);
	gk_ir_free(m->ir);
	json_decref(m->options);
	*m = (struct selftest_module){0};
	return NULL;
}

/* ---- plans ---- */

void selftest_plan_init(struct selftest_plan *plan, struct selftest *test)
{
	*plan = (struct selftest_plan){.test = test};
	plan->json = json_pack("{s:i, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:{}, s:[], s:[]}, s:[], s:[], "
	                       "s:[], s:[], s:[]}",
	                       "plan", 1, "ir", "ttir", "target", test->target, "case", NO_HASH, "from",
	                       "candidate", NO_HASH, "triton", "", "torch", "", "capture", "", "env",
	                       "census", "notes", "buffers", "kernels", "prologue", "steps", "outputs");
	if (!plan->json)
		gk_bug("a plan is not packed");
}

void selftest_plan_release(struct selftest_plan *plan)
{
	json_decref(plan->json);
	plan->json = NULL;
}

static json_t *part(struct selftest_plan *plan, const char *key)
{
	return json_object_get(plan->json, key);
}

int selftest_plan_buffer(struct selftest_plan *plan, size_t size)
{
	json_array_append_new(part(plan, "buffers"),
	                      json_pack("{s:I, s:i}", "bytes", (json_int_t)size, "align", 512));
	return plan->buffer_count++;
}

int selftest_plan_input(struct selftest_plan *plan, const void *bytes, size_t size)
{
	char name[8];
	int buffer = plan->buffer_count++;

	if (plan->input_count == SELFTEST_INPUTS)
		gk_bug("more than %d inputs", SELFTEST_INPUTS);
	snprintf(name, sizeof name, "in%zu", plan->input_count);
	json_array_append_new(part(plan, "buffers"), json_pack("{s:I, s:i, s:s}", "bytes", (json_int_t)size,
	                                                       "align", 512, "input", name));
	plan->inputs[plan->input_count].buffer = buffer;
	plan->inputs[plan->input_count].bytes = bytes;
	plan->inputs[plan->input_count++].size = size;
	return buffer;
}

json_t *selftest_view(int buffer, int64_t at, const char *dtype, int64_t count)
{
	return json_pack("{s:i, s:I, s:s, s:[I], s:[i]}", "buf", buffer, "at", (json_int_t)at, "dtype", dtype,
	                 "shape", (json_int_t)count, "strides", 1);
}

json_t *selftest_view2(int buffer, int64_t at, const char *dtype, const int64_t shape[2],
                       const int64_t strides[2])
{
	return json_pack("{s:i, s:I, s:s, s:[I, I], s:[I, I]}", "buf", buffer, "at", (json_int_t)at, "dtype",
	                 dtype, "shape", (json_int_t)shape[0], (json_int_t)shape[1], "strides",
	                 (json_int_t)strides[0], (json_int_t)strides[1]);
}

void selftest_plan_output(struct selftest_plan *plan, int buffer, const char *dtype, int64_t count)
{
	json_t *view = selftest_view(buffer, 0, dtype, count);
	char name[8];

	if (plan->output_count == SELFTEST_OUTPUTS)
		gk_bug("more than %d outputs", SELFTEST_OUTPUTS);
	snprintf(name, sizeof name, "%zu", plan->output_count);
	json_object_set_new(view, "name", json_string(name));
	json_array_append_new(part(plan, "outputs"), view);
	plan->output_bytes[plan->output_count++] = (size_t)count * gk_dtype_bytes(gk_dtype_from_name(dtype));
}

void selftest_plan_step(struct selftest_plan *plan, json_t *step)
{
	if (!step)
		gk_bug("a step is not packed");
	json_array_append_new(part(plan, "steps"), step);
}

/* The number of a kernel in the plan. */
static int use_module(struct selftest_plan *plan, struct selftest_module *m)
{
	for (size_t i = 0; i < plan->module_count; i++)
		if (plan->modules[i] == m)
			return (int)i;
	if (plan->module_count == SELFTEST_KERNELS)
		gk_bug("more than %d kernels in a plan", SELFTEST_KERNELS);
	plan->modules[plan->module_count] = m;
	json_array_append_new(part(plan, "kernels"),
	                      json_pack("{s:s, s:s, s:O, s:b}", "ttir", m->hash, "name", m->name, "options",
	                                m->options, "inline_asm", strstr(m->text, "inline_asm") != NULL));
	return (int)plan->module_count++;
}

static json_t *argument(char form, va_list *more)
{
	int buffer;

	switch (form) {
	case 'p':
		return json_pack("{s:s, s:i, s:i}", "t", "ptr", "buf", va_arg(*more, int), "at", 0);
	case 'P':
		buffer = va_arg(*more, int);
		return json_pack("{s:s, s:i, s:I}", "t", "ptr", "buf", buffer, "at",
		                 (json_int_t)va_arg(*more, int64_t));
	case 'i':
		return json_pack("{s:s, s:i}", "t", "i32", "v", va_arg(*more, int));
	default:
		return json_pack("{s:s, s:I}", "t", "i64", "v", (json_int_t)va_arg(*more, int64_t));
	}
}

void selftest_plan_launch(struct selftest_plan *plan, const char *module, int grid, const char *form, ...)
{
	struct selftest_module *m = plan->err.kind ? NULL : selftest_module(plan->test, module, &plan->err);
	json_t *args;
	va_list more;

	if (!m)
		return;
	args = json_array();
	va_start(more, form);
	for (; *form; form++)
		json_array_append_new(args, argument(*form, &more));
	va_end(more);
	selftest_plan_step(plan, json_pack("{s:s, s:i, s:[i, i, i], s:i, s:o}", "op", "launch", "kernel",
	                                   use_module(plan, m), "grid", grid, 1, 1, "line", 0, "args", args));
}

/* ---- data ---- */

float *selftest_floats(struct selftest *test, size_t count)
{
	float *values = gk_arena_array(&test->arena, count, sizeof *values);

	for (size_t i = 0; i < count; i++)
		values[i] = (float)gk_random_below(&test->random, 1024) - 512;
	return values;
}
