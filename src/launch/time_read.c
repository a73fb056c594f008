/*
 * The request. All of it is foreign: indexes, sizes and hashes are checked
 * here, before the device hears of anything. What the driver thinks of the
 * code is checked when it is loaded.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "modules.h"
#include "time.h"

enum { CODE_BYTES = 1 << 30 };

#define USUAL_CAP_MS 200.
#define USUAL_WIDTH  0.005
#define MOST_CAP_MS  60000.

/* ---- visiting ---- */

static int visit_step(const struct time_side *side, uint32_t *choice, const struct gk_plan_step *step,
                      bool chosen, time_visit_fn *visit, void *ctx, struct gk_err *e)
{
	const struct time_choice *c;

	if (step->op == GK_STEP_LAUNCH)
		return visit(ctx, &step->launch, e);
	if (step->op != GK_STEP_CHOOSE)
		return 0;
	c = &side->choices[(*choice)++];
	if (chosen)
		return visit(ctx, &step->variants[side->variant[c->step]].launch, e);
	for (uint32_t i = 0; i < c->count; i++)
		if (visit(ctx, &step->variants[c->allowed[i]].launch, e) < 0)
			return -1;
	return 0;
}

int time_visit_launches(const struct time_side *side, bool chosen, time_visit_fn *visit, void *ctx,
                        struct gk_err *e)
{
	const struct gk_plan *plan = side->plan;
	uint32_t choice = 0;

	for (uint32_t i = 0; i < plan->prologue_count; i++)
		if (plan->prologue[i].op == GK_STEP_LAUNCH && visit(ctx, &plan->prologue[i].launch, e) < 0)
			return -1;
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (visit_step(side, &choice, &plan->steps[i], chosen, visit, ctx, e) < 0)
			return -1;
	return 0;
}

/* ---- code ---- */

/* "object", "at", "bytes": one code object, whose bytes lie in the first blob. */
static int read_object(struct time_job *job, const struct gk_node *item, struct gk_object *object,
                       const uint8_t **code, size_t *size, struct gk_err *e)
{
	struct gk_node description = gk_node_key(item, "object"), at = gk_node_key(item, "at"),
		       bytes = gk_node_key(item, "bytes");
	int64_t from, count, most = (int64_t)job->code.size;
	char own[GK_HEX_SIZE];

	if (gk_object_from_node(&description, object, e) < 0 || gk_node_int(&at, 0, most, &from, e) < 0 ||
	    gk_node_int(&bytes, 1, most - from, &count, e) < 0)
		return -1;
	*code = (const uint8_t *)job->code.bytes + from;
	*size = (size_t)count;
	gk_hash_hex(*code, *size, own);
	if (strcmp(own, object->object) != 0)
		return gk_err_set(e, GK_ERR_INPUT, "the code of %.200s has the hash %s, not %s", object->name,
		                  own, object->object);
	return 0;
}

static int read_side_object(struct time_job *job, struct time_side *side, const struct gk_node *item,
                            struct gk_err *e)
{
	struct gk_node kernel = gk_node_key(item, "kernel");
	int64_t index;

	if (gk_node_int(&kernel, 0, (int64_t)side->plan->kernel_count - 1, &index, e) < 0)
		return -1;
	if (side->objects[index])
		return gk_node_fail(&kernel, e, "kernel %lld has a code object already", (long long)index);
	side->objects[index] = gk_alloc(sizeof *side->objects[index]);
	if (read_object(job, item, side->objects[index], &side->code[index], &side->code_bytes[index], e) < 0)
		return -1;
	return launch_check_object(side->objects[index], side->plan, index, e);
}

static int need_object(void *ctx, const struct gk_plan_launch *launch, struct gk_err *e)
{
	const struct time_side *side = ctx;

	if (side->objects[launch->kernel])
		return 0;
	return gk_err_set(e, GK_ERR_INPUT, "time: the code object of kernel %s is missing",
	                  side->plan->kernels[launch->kernel].name);
}

static int read_objects(struct time_job *job, struct time_side *side, const struct gk_node *at,
                        struct gk_err *e)
{
	struct gk_node list = gk_node_key(at, "objects");

	if (gk_node_array(&list, GK_PLAN_MAX_KERNELS, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(&list); i++) {
		struct gk_node item = gk_node_item(&list, i);

		if (read_side_object(job, side, &item, e) < 0)
			return -1;
	}
	return time_visit_launches(side, false, need_object, side, e);
}

/* ---- variants ---- */

/* list NULL: all are allowed. */
static int read_choice(struct time_choice *c, const struct gk_plan_step *step, const struct gk_node *list,
                       struct gk_err *e)
{
	int64_t index;

	c->count = list ? (uint32_t)gk_node_count(list) : step->variant_count;
	if (list && (gk_node_array(list, step->variant_count, e) < 0 || c->count == 0))
		return gk_node_fail(list, e, "between 1 and %u variants are needed", step->variant_count);
	c->allowed = gk_alloc_array(c->count, sizeof *c->allowed);
	c->ms = gk_alloc_array(c->count, sizeof *c->ms);
	for (uint32_t i = 0; i < c->count; i++) {
		struct gk_node item = list ? gk_node_item(list, i) : (struct gk_node){0};

		index = i;
		if (list && gk_node_int(&item, 0, (int64_t)step->variant_count - 1, &index, e) < 0)
			return -1;
		c->allowed[i] = (uint32_t)index;
	}
	return 0;
}

static uint32_t count_choices(const struct gk_plan *plan)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->step_count; i++)
		count += plan->steps[i].op == GK_STEP_CHOOSE;
	return count;
}

static int read_variants(struct time_side *side, const struct gk_node *at, struct gk_err *e)
{
	struct gk_node list = gk_node_key(at, "variants");
	uint32_t count = count_choices(side->plan);

	if (list.value && (gk_node_array(&list, GK_PLAN_MAX_STEPS, e) < 0 || gk_node_count(&list) != count))
		return gk_node_fail(&list, e, "the variants of %u choose steps are needed", count);
	side->choices = gk_alloc_array(count ? count : 1, sizeof *side->choices);
	for (uint32_t i = 0; i < side->plan->step_count; i++) {
		struct time_choice *c = &side->choices[side->choice_count];
		struct gk_node item;

		if (side->plan->steps[i].op != GK_STEP_CHOOSE)
			continue;
		item = gk_node_item(&list, side->choice_count++);
		c->step = i;
		if (read_choice(c, &side->plan->steps[i], list.value ? &item : NULL, e) < 0)
			return -1;
		side->variant[i] = c->allowed[0];
	}
	return 0;
}

/* ---- inputs ---- */

static int read_input(struct time_job *job, struct time_side *side, const struct gk_node *pair,
                      struct gk_err *e)
{
	struct gk_node first = gk_node_item(pair, 0), second = gk_node_item(pair, 1);
	const struct gk_plan_buffer *b;
	int64_t buffer, input;

	if (gk_node_array(pair, 2, e) < 0 || gk_node_count(pair) != 2)
		return gk_node_fail(pair, e, "a buffer and an input are needed");
	if (gk_node_int(&first, 0, (int64_t)side->plan->buffer_count - 1, &buffer, e) < 0 ||
	    gk_node_int(&second, 0, (int64_t)job->input_count - 1, &input, e) < 0)
		return -1;
	b = &side->plan->buffers[buffer];
	if (!b->input || side->input_of[buffer] >= 0)
		return gk_node_fail(pair, e, "buffer %lld does not take an input, or takes it twice",
		                    (long long)buffer);
	if (job->inputs[input].size < b->bytes)
		return gk_node_fail(pair, e, "input %s has %zu bytes, its buffer %llu", b->input,
		                    job->inputs[input].size, (unsigned long long)b->bytes);
	side->input_of[buffer] = (int32_t)input;
	return 0;
}

static int read_inputs(struct time_job *job, struct time_side *side, const struct gk_node *at,
                       struct gk_err *e)
{
	struct gk_node list = gk_node_key(at, "inputs");

	for (uint32_t i = 0; i < GK_PLAN_MAX_BUFFERS; i++)
		side->input_of[i] = -1;
	if (gk_node_array(&list, GK_PLAN_MAX_BUFFERS, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(&list); i++) {
		struct gk_node item = gk_node_item(&list, i);

		if (read_input(job, side, &item, e) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < side->plan->buffer_count; i++)
		if (side->plan->buffers[i].input && side->input_of[i] < 0)
			return gk_err_set(e, GK_ERR_INPUT, "time: the bytes of input %s are missing",
			                  side->plan->buffers[i].input);
	return 0;
}

/* ---- helpers ---- */

static int read_helper(struct time_job *job, const struct gk_node *item, struct gk_err *e)
{
	struct gk_node name = gk_node_key(item, "name");
	uint32_t i = job->helper_count;

	if (gk_node_string(&name, &job->helpers[i].name, e) < 0)
		return -1;
	job->helper_objects[i] = gk_alloc(sizeof *job->helper_objects[i]);
	job->helper_count++;
	return read_object(job, item, job->helper_objects[i], &job->helper_code[i], &job->helper_bytes[i], e);
}

static int need_helper(const struct time_job *job, const char *name, struct gk_err *e)
{
	for (uint32_t i = 0; i < job->helper_count; i++)
		if (strcmp(job->helpers[i].name, name) == 0)
			return 0;
	return gk_err_set(e, GK_ERR_INPUT, "time: geak's kernel \"%s\" is missing", name);
}

static int need_for_step(const struct time_job *job, const struct gk_plan_step *step, struct gk_err *e)
{
	char name[GK_HELPER_NAME];

	if (step->op == GK_STEP_CHOOSE) {
		for (uint32_t i = 0; i < step->variant_count; i++)
			for (uint32_t k = 0; k < step->variants[i].pre_count; k++)
				if (need_for_step(job, &step->variants[i].pre[k], e) < 0)
					return -1;
		return 0;
	}
	return step->op != GK_STEP_LAUNCH && gk_helper_of_step(step, name) ? need_helper(job, name, e) : 0;
}

static int need_for_plan(const struct time_job *job, const struct gk_plan *plan, struct gk_err *e)
{
	for (uint32_t i = 0; i < plan->prologue_count; i++)
		if (need_for_step(job, &plan->prologue[i], e) < 0)
			return -1;
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (need_for_step(job, &plan->steps[i], e) < 0)
			return -1;
	return 0;
}

static int read_helpers(struct time_job *job, const struct gk_node *root, struct gk_err *e)
{
	static const char *const always[] = {"fill", "flush", "scrub"};
	struct gk_node list = gk_node_key(root, "helpers");

	if (gk_node_array(&list, gk_count_of(job->helpers), e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(&list); i++) {
		struct gk_node item = gk_node_item(&list, i);

		if (read_helper(job, &item, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < gk_count_of(always); i++)
		if (need_helper(job, always[i], e) < 0)
			return -1;
	for (uint32_t i = 0; i < job->side_count; i++)
		if (need_for_plan(job, job->sides[i].plan, e) < 0)
			return -1;
	return 0;
}

/* ---- the whole ---- */

static int read_side(struct time_job *job, const struct gk_node *at, struct gk_err *e)
{
	struct time_side *side = &job->sides[job->side_count++];
	struct gk_node plan = gk_node_key(at, "plan"), known = gk_node_key(at, "known");

	if (gk_node_object(at, e) < 0 || (known.value && gk_node_bool(&known, &side->is_known, e) < 0))
		return -1;
	side->plan = gk_plan_from_node(&plan, e);
	if (!side->plan || read_variants(side, at, e) < 0 || read_objects(job, side, at, e) < 0)
		return -1;
	return read_inputs(job, side, at, e);
}

static int read_positive(const struct gk_node *root, const char *key, double usual, double most,
                         double *value, struct gk_err *e)
{
	struct gk_node at = gk_node_key(root, key);

	*value = 0;
	if (at.value && gk_node_double(&at, value, e) < 0)
		return -1;
	if (!(*value >= 0 && *value <= most))
		return gk_node_fail(&at, e, "a number from 0 to %g is needed", most);
	if (*value == 0)
		*value = usual;
	return 0;
}

static int read_numbers(struct time_job *job, const struct gk_node *root, struct gk_err *e)
{
	struct gk_node seed = gk_node_key(root, "seed"), loads = gk_node_key(root, "loads"),
		       inputs = gk_node_key(root, "inputs");
	int64_t value = 0;

	if (seed.value && gk_node_int(&seed, 0, INT64_MAX, &value, e) < 0)
		return -1;
	job->seed = (uint64_t)value;
	gk_random_seed(&job->random, job->seed ^ 0x74696d65u);
	value = 0;
	if (loads.value && gk_node_int(&loads, 0, TIME_LOADS, &value, e) < 0)
		return -1;
	job->loads = (uint32_t)value; /* 0: as time_load_more() finds sensible */
	if (gk_node_int(&inputs, 0, TIME_INPUTS - 2, &value, e) < 0)
		return -1;
	job->input_count = (uint32_t)value;
	return read_positive(root, "cap_ms", USUAL_CAP_MS, MOST_CAP_MS, &job->cap_ms, e) < 0
	               ? -1
	               : read_positive(root, "half_width", USUAL_WIDTH, 1, &job->half_width, e);
}

static int map_blobs(struct time_job *job, struct gk_err *e)
{
	if (gk_frame_map(job->frame, 0, CODE_BYTES, &job->code, e) < 0)
		return -1;
	for (uint32_t i = 0; i < job->input_count; i++)
		if (gk_frame_map(job->frame, 1 + i, job->launcher->memory_bytes, &job->inputs[i], e) < 0)
			return -1;
	job->first_output = 1 + job->input_count;
	return 0;
}

int time_read(struct time_job *job, struct gk_err *e)
{
	struct gk_node root = gk_node_root(&job->frame->doc), a = gk_node_key(&root, "a"),
		       b = gk_node_key(&root, "b");

	if (read_numbers(job, &root, e) < 0 || map_blobs(job, e) < 0 || read_side(job, &a, e) < 0)
		return -1;
	if (b.value && !json_is_null(b.value) && read_side(job, &b, e) < 0)
		return -1;
	return read_helpers(job, &root, e);
}

static void side_release(struct time_side *side)
{
	for (uint32_t i = 0; i < side->choice_count; i++) {
		free(side->choices[i].allowed);
		free(side->choices[i].ms);
	}
	free(side->choices);
	for (int i = 0; i < GK_PLAN_MAX_KERNELS; i++)
		free(side->objects[i]);
	gk_buf_release(&side->run.notes);
	gk_plan_free(side->plan);
}

void time_read_release(struct time_job *job)
{
	for (uint32_t i = 0; i < job->side_count; i++)
		side_release(&job->sides[i]);
	for (uint32_t i = 0; i < job->helper_count; i++)
		free(job->helper_objects[i]);
	for (int i = 0; i < TIME_INPUTS; i++)
		gk_blob_unmap(&job->inputs[i]);
	gk_blob_unmap(&job->code);
}
