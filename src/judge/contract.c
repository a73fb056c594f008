#include "contract.h"

#include <string.h>

bool gk_contract_in_place(const struct gk_task *task, const char *param)
{
	for (size_t i = 0; i < task->param_count; i++)
		if (strcmp(task->params[i].name, param) == 0)
			return task->params[i].in_place;
	return false;
}

static struct gk_tensor as_tensor(const struct gk_plan_view *view)
{
	struct gk_tensor t = {.dtype = view->dtype, .rank = view->rank, .fd = -1};

	memcpy(t.shape, view->shape, sizeof t.shape);
	memcpy(t.strides, view->strides, sizeof t.strides);
	return t;
}

static void add_text(struct gk_buf *words, const struct gk_tensor *tensor)
{
	char text[256];

	gk_tensor_text(tensor, text, sizeof text);
	gk_buf_add_text(words, text);
}

static bool same_shape(const struct gk_tensor *a, const struct gk_tensor *b)
{
	return a->rank == b->rank && memcmp(a->shape, b->shape, (size_t)a->rank * sizeof a->shape[0]) == 0;
}

static const struct gk_tensor *input_named(const struct gk_judge_data *data, const char *name)
{
	for (size_t i = 0; i < data->input_count; i++)
		if (strcmp(data->inputs[i].name, name) == 0)
			return &data->inputs[i];
	return NULL;
}

static bool same_strides(const struct gk_tensor *a, const struct gk_tensor *b)
{
	for (int i = 0; i < a->rank; i++)
		if (a->shape[i] > 1 && a->strides[i] != b->strides[i])
			return false;
	return true;
}

/* An output in an input's memory. */
static bool aliasing_is_fine(const struct gk_task *task, const struct gk_judge_data *data, const char *name,
                             const char *input, const struct gk_tensor *got, struct gk_buf *words)
{
	const struct gk_tensor *original = input_named(data, input);

	if (!gk_contract_in_place(task, input)) {
		gk_buf_printf(words,
		              "output %s is the input %s itself, or a view of it; a new tensor is needed",
		              name, input);
		return false;
	}
	if (original && same_shape(got, original) && same_strides(got, original))
		return true;
	gk_buf_printf(words, "output %s is another view of %s than the argument", name, input);
	return false;
}

static bool output_is_fine(const struct gk_task *task, const struct gk_judge_data *data,
                           const struct gk_returned *returned, size_t i, struct gk_buf *words)
{
	const struct gk_tensor *want = &data->outputs[i], *got = &returned->view;

	if (got->dtype != want->dtype || !same_shape(got, want)) {
		gk_buf_printf(words, "output %s is ", want->name);
		add_text(words, got);
		gk_buf_add_text(words, ", but ");
		add_text(words, want);
		gk_buf_add_text(words, " is expected");
		return false;
	}
	if (returned->input)
		return aliasing_is_fine(task, data, want->name, returned->input, got, words);
	if (gk_tensor_is_contiguous(got))
		return true;
	gk_buf_printf(words, "output %s is ", want->name);
	add_text(words, got);
	gk_buf_add_text(
		words,
		": a contiguous tensor is expected (torch.empty_like keeps the strides of its argument)");
	return false;
}

static bool count_is_fine(const struct gk_task *task, const struct gk_judge_data *data, size_t count,
                          struct gk_buf *words)
{
	if (count == data->output_count)
		return true;
	gk_buf_printf(words, "%s returns %zu tensor%s, %zu %s expected", task->entry, count, count == 1 ? "" : "s",
	              data->output_count, data->output_count == 1 ? "is" : "are");
	return false;
}

bool gk_contract_returned(const struct gk_task *task, const struct gk_judge_data *data,
                          const struct gk_returned *returned, size_t count, struct gk_buf *words)
{
	if (!count_is_fine(task, data, count, words))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!output_is_fine(task, data, &returned[i], i, words))
			return false;
	return true;
}

bool gk_contract_holds(const struct gk_task *task, const struct gk_judge_data *data,
                       const struct gk_plan *plan, struct gk_buf *words)
{
	if (!count_is_fine(task, data, plan->output_count, words))
		return false;
	for (size_t i = 0; i < data->output_count; i++) {
		const struct gk_plan_view *view = &plan->outputs[i].view;
		struct gk_returned returned = {as_tensor(view), plan->buffers[view->buf].input};

		if (!output_is_fine(task, data, &returned, i, words))
			return false;
	}
	return true;
}
