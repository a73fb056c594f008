/* All outputs of one execution against what is expected of them. */
#ifndef GK_JUDGE_OUTPUTS_H
#define GK_JUDGE_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "judge/compare.h"
#include "judge/data.h"
#include "judge/repeat.h"
#include "task/task.h"

struct gk_outputs {
	struct gk_comparison comparisons[GK_PLAN_MAX_OUTPUTS];
	size_t count;
	size_t wrong;                    /* the first output that is wrong; count: all are right */
	struct gk_difference difference; /* of that one */
	struct gk_ulps ulps;             /* of all that were compared: what comes after a wrong one is not */
	struct gk_repeat repeat;         /* against another execution's, where there was one */
};

/* got: dense, want: contiguous, one each per output of data; both must outlive the comparison. Looks at no element. */
void gk_outputs_prepare(struct gk_outputs *outputs, const struct gk_task *task, const struct gk_case *c,
                        const struct gk_judge_data *data, const void *const *got, const void *const *want);
/* Every element; in any thread: touches nothing but *outputs and the bytes. True: all are right. */
bool gk_outputs_compare(struct gk_outputs *outputs);
/* Sets repeat: the same plan and inputs, executed another time. data: of the outputs. */
void gk_outputs_repeat(struct gk_outputs *outputs, const struct gk_judge_data *data, const struct gk_outputs *other);

#endif
