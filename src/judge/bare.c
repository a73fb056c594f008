/*
 * Plans without their kernels. Copies of the framework may prepare an output
 * (a clone that a kernel changes in place), and sums that the task allows may
 * end it, but neither must be the answer: a kernel that stores one element
 * once more would hide them. So plans that copy or assist into an output are
 * executed without their launches as well, and where that is right in every
 * case, the candidate has no kernel. One case proves nothing: of a few numbers
 * all may be such that a kernel leaves them alone.
 *
 * Where there are assists, what no kernel writes now is zero instead of
 * unknown: a decoy that adds a column of zeros to a sum shall not help.
 */
#include <string.h>

#include "base/memory.h"
#include "state.h"

static bool writes_into(const struct gk_plan_step *steps, uint32_t count, uint32_t buf)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct gk_plan_step *step = &steps[i];

		if ((step->op == GK_STEP_COPY || step->op == GK_STEP_ASSIST) && step->dst.buf == buf)
			return true;
		for (uint32_t v = 0; step->op == GK_STEP_CHOOSE && v < step->variant_count; v++)
			if (writes_into(step->variants[v].pre, step->variants[v].pre_count, buf))
				return true;
	}
	return false;
}

bool bare_is_wanted(const struct gk_cascade *c, size_t case_index)
{
	const struct gk_plan *plan = c->cases[case_index].plans[0];

	if (c->setup.task->allow_fills)
		return false;
	for (uint32_t i = 0; i < plan->output_count; i++)
		if (gk_plan_view_count(&plan->outputs[i].view) > 0 &&
		    writes_into(plan->steps, plan->step_count, plan->outputs[i].view.buf))
			return true;
	return false;
}

static json_t *without_launches(const json_t *steps)
{
	json_t *out = json_array(), *step;
	size_t i;

	json_array_foreach(steps, i, step)
	{
		if (!json_object_get(step, "kernel"))
			json_array_append(out, step);
	}
	return out;
}

static bool has_assists(const struct gk_plan *plan)
{
	for (uint32_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].op == GK_STEP_ASSIST)
			return true;
	return false;
}

static void zero_buffers(const struct gk_plan *plan, json_t *prologue)
{
	for (uint32_t i = 0; i < plan->buffer_count && json_array_size(prologue) < GK_PLAN_MAX_STEPS; i++) {
		json_t *dst = plan->buffers[i].input
		                      ? NULL
		                      : json_pack("{s:i, s:i, s:s, s:[I], s:[i]}", "buf", (int)i, "at", 0, "dtype",
		                                  "uint8", "shape", (json_int_t)plan->buffers[i].bytes, "strides", 1);

		if (dst)
			json_array_insert_new(prologue, 0,
			                      json_pack("{s:s, s:o, s:s}", "op", "fill", "dst", dst, "bits", "0x00"));
	}
}

struct trial *bare_new(struct gk_cascade *c, size_t case_index)
{
	/* rounds take turns, so that all distributions are seen */
	struct trial *t = trial_new(c, case_index, (int)(case_index % (size_t)c->rounds), 0);

	t->is_bare = true;
	t->x.is_paired = false;
	t->x.module_count = t->x.object_count = 0;
	json_object_set_new(t->x.plan, "kernels", json_array());
	json_object_set_new(t->x.plan, "prologue", without_launches(json_object_get(t->x.plan, "prologue")));
	if (has_assists(c->cases[case_index].plans[0]))
		zero_buffers(c->cases[case_index].plans[0], json_object_get(t->x.plan, "prologue"));
	json_object_set_new(t->x.plan, "steps", without_launches(json_object_get(t->x.plan, "steps")));
	return t;
}

void bare_judge(struct trial *t, const struct gk_execute_result *result, const struct gk_outputs *outputs)
{
	json_t *told = result->executed ? json_object_get(result->executed, "outputs") : NULL, *output;
	bool is_written =
		told && !result->died && !json_is_object(json_object_get(result->executed, "finding"));
	size_t i;

	json_array_foreach(told, i, output)
	{
		is_written = is_written && json_integer_value(json_object_get(output, "poisoned")) == 0;
	}
	t->is_right = true;
	t->is_same = is_written && outputs && outputs->wrong == outputs->count;
}

bool bare_end(struct gk_cascade *c)
{
	gk_buf_auto words = GK_BUF_INIT;
	bool any = false;

	for (size_t i = 0; i < c->trials.count; i++) {
		if (c->trials.items[i]->is_bare && !c->trials.items[i]->is_same)
			return true;
		any |= c->trials.items[i]->is_bare;
	}
	if (!any)
		return true;
	gk_buf_add_text(&words, "what PyTorch does in the wrapper (copies, and the arithmetic that the task allows) gives "
	                        "the whole result without any kernel, in every case; a kernel must compute it");
	c->cases[0].exec = failing_of(c, GK_FAIL, "not_a_kernel", &words);
	return false;
}
