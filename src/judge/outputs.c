#include "outputs.h"

#include <string.h>

void gk_outputs_prepare(struct gk_outputs *outputs, const struct gk_task *task, const struct gk_case *c,
                        const struct gk_judge_data *data, const void *const *got, const void *const *want)
{
	outputs->count = outputs->wrong = data->output_count;
	for (size_t i = 0; i < data->output_count; i++) {
		const struct gk_tensor *output = &data->outputs[i];
		struct gk_comparison *comparison = &outputs->comparisons[i];

		*comparison = (struct gk_comparison){.dtype = output->dtype,
		                                     .want_dtype = data->want[i].dtype,
		                                     .rank = output->rank,
		                                     .got = got[i],
		                                     .want = want[i],
		                                     .tolerance = gk_tolerance_of(task, c, output->dtype)};
		memcpy(comparison->shape, output->shape, sizeof comparison->shape);
	}
}

bool gk_outputs_compare(struct gk_outputs *outputs)
{
	outputs->wrong = 0;
	while (outputs->wrong < outputs->count &&
	       gk_compare(&outputs->comparisons[outputs->wrong], &outputs->difference))
		outputs->wrong++;
	return outputs->wrong == outputs->count;
}
