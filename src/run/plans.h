/* What a candidate's entry does, case by case, without judging it: for `geak capture`. */
#ifndef GK_RUN_PLANS_H
#define GK_RUN_PLANS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "fact/object.h"
#include "plan/plan.h"
#include "run/evaluator.h"
#include "task/task.h"

struct gk_plans_case {
	const char *id;
	struct gk_plan *plan; /* NULL: problem says why */
	const char *problem;  /* "" when the plan was captured and fits the task */
	int line;             /* of the candidate, 0 when unknown */
};

/* A kernel of the plans with its options, lowered for the target. */
struct gk_plans_kernel {
	char ttir[GK_HEX_SIZE];
	json_t *options; /* of a plan */
	const char *name;
	bool has_object;
	struct gk_object object;
	const char *problem; /* "" with an object that fits; else why it cannot be launched */
};

struct gk_plans {
	struct gk_arena arena;
	struct gk_plans_case *cases;
	size_t case_count;
	struct gk_plan_module *modules;
	size_t module_count;
	struct gk_plans_kernel *kernels; /* none for the machine */
	size_t kernel_count;
	const char *output; /* what the candidate printed, foreign */
};

/*
 * Captures source for the cases whose id holds pick (NULL: those that the
 * machine would execute), for the evaluator's target. Turns the loop until it
 * is known. What is wrong with the candidate stands in its cases; fails only
 * for an oracle that raises, a pick that matches nothing, or a failure of ours.
 */
int gk_plans_capture(struct gk_loop *loop, struct gk_evaluator *evaluator, const struct gk_task *task,
                     const char *pick, const char *source, size_t size, struct gk_plans *plans,
                     struct gk_err *e);
/*
 * Lowers every kernel of the plans for the evaluator's target. A case that
 * launches one without an object has a problem; a configuration of an autotuned
 * kernel may lack one. Nothing is done for the machine.
 */
int gk_plans_lower(struct gk_loop *loop, struct gk_evaluator *evaluator, struct gk_plans *plans,
                   struct gk_err *e);
/* NULL when it was not lowered. */
const struct gk_plans_kernel *gk_plans_kernel(const struct gk_plans *plans,
                                              const struct gk_plan_kernel *kernel);
void gk_plans_release(struct gk_plans *plans);

#endif
