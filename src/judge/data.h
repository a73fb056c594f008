/* What the oracle said about one case and seed: the entry's arguments and the expected outputs, as headers.
 */
#ifndef GK_JUDGE_DATA_H
#define GK_JUDGE_DATA_H

#include <jansson.h>

#include "fact/tensor.h"
#include "plan/plan.h"

struct gk_judge_data {
	json_t *args; /* [arg] of docs/protocol.md, in the order of the entry's parameters */
	struct gk_tensor inputs[GK_PLAN_MAX_BUFFERS]; /* the tensors among them */
	size_t input_count;
	struct gk_tensor outputs[GK_PLAN_MAX_OUTPUTS]; /* as declared: dtype, shape, contiguous */
	struct gk_tensor want[GK_PLAN_MAX_OUTPUTS];    /* as the oracle sends them: float64 or exact */
	size_t output_count;
	bool has_specials; /* special values were put among the inputs */
};

/* args and outputs are the oracle's answers; outputs may be NULL (not asked yet). Takes a reference to args.
 */
int gk_judge_data_read(json_t *args, json_t *outputs, struct gk_judge_data *data, struct gk_err *e);
void gk_judge_data_release(struct gk_judge_data *data);

#endif
