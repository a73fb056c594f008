#include "outputs.h"

#include <string.h>

void gk_outputs_prepare(struct gk_outputs *outputs, const struct gk_task *task, const struct gk_case *c,
                        const struct gk_judge_data *data, const void *const *got, const void *const *want)
{
	outputs->count = outputs->wrong = data->output_count;
	outputs->repeat.is_there = false;
	for (size_t i = 0; i < data->output_count; i++) {
		const struct gk_tensor *output = &data->outputs[i];
		struct gk_comparison *comparison = &outputs->comparisons[i];

		*comparison = (struct gk_comparison){.dtype = output->dtype,
		                                     .want_dtype = data->want[i].dtype,
		                                     .rank = output->rank,
		                                     .has_specials = data->has_specials,
		                                     .signed_zeros = task->signed_zeros,
		                                     .got = got[i],
		                                     .want = want[i],
		                                     .tolerance = gk_tolerance_of(task, c, output->dtype)};
		memcpy(comparison->shape, output->shape, sizeof comparison->shape);
	}
}

bool gk_outputs_compare(struct gk_outputs *outputs)
{
	bool is_right = true;

	outputs->ulps = (struct gk_ulps){0};
	for (outputs->wrong = 0; outputs->wrong < outputs->count; outputs->wrong++) {
		is_right = gk_compare(&outputs->comparisons[outputs->wrong], &outputs->difference);
		gk_ulps_add(&outputs->ulps, &outputs->difference.ulps);
		if (!is_right)
			break;
	}
	return is_right;
}

void gk_outputs_repeat(struct gk_outputs *outputs, const struct gk_judge_data *data, const struct gk_outputs *other)
{
	const void *a[GK_PLAN_MAX_OUTPUTS], *b[GK_PLAN_MAX_OUTPUTS];

	for (size_t i = 0; i < outputs->count; i++) {
		a[i] = outputs->comparisons[i].got;
		b[i] = other->comparisons[i].got;
	}
	gk_repeat_compare(&outputs->repeat, data->outputs, outputs->count, a, b);
}
