/* What an entry must return, before any value is looked at: how many tensors, of which dtype, shape and
 * layout. */
#ifndef GK_JUDGE_CONTRACT_H
#define GK_JUDGE_CONTRACT_H

#include <stdbool.h>

#include "base/buf.h"
#include "judge/data.h"
#include "task/task.h"

/*
 * Checks the plan's outputs against the declared ones. Outputs are contiguous
 * and new; only where the task lets the entry write a parameter in place may
 * an output be that parameter, with its strides. When false, words say what is
 * wrong with which output.
 */
bool gk_contract_holds(const struct gk_task *task, const struct gk_judge_data *data,
                       const struct gk_plan *plan, struct gk_buf *words);

/* What was returned by a call that was made for real. */
struct gk_returned {
	struct gk_tensor view; /* dtype, shape, strides */
	const char *input;     /* the tensor argument whose memory it lies in, or NULL */
};
/* The same for these. */
bool gk_contract_returned(const struct gk_task *task, const struct gk_judge_data *data,
                          const struct gk_returned *returned, size_t count, struct gk_buf *words);

/* Whether the task lets the entry write the parameter of that name. */
bool gk_contract_in_place(const struct gk_task *task, const char *param);

#endif
