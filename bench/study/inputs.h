/* Inputs for plans that came without a task: real integers where the study wrote them down, else made-up
 * values. */
#ifndef GK_STUDY_INPUTS_H
#define GK_STUDY_INPUTS_H

#include <stdbool.h>

#include "plan/plan.h"

struct study_inputs {
	void *bytes[GK_PLAN_MAX_BUFFERS]; /* by buffer; NULL for those that are no input */
	bool has_invented_ints;           /* some integer input is made up, so addresses may mean nothing */
};

/*
 * prefix: where real bytes are, as PREFIX followed by the input's name. Made-up floats are normal, made-up
 * integers 0 .. 7, made-up truth values 0 or 1, by the type of what a kernel, a copy or an output sees in the
 * buffer. modules: one for each kernel of the plan. Release it also after a failure.
 */
int study_inputs_make(struct study_inputs *inputs, const struct gk_plan *plan,
                      const struct gk_ir *const *modules, const char *prefix, struct gk_err *e);
void study_inputs_release(struct study_inputs *inputs);

#endif
