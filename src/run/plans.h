/* What a candidate's entry does, case by case, without judging it: for `geak capture`. */
#ifndef GK_RUN_PLANS_H
#define GK_RUN_PLANS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "plan/plan.h"
#include "run/evaluator.h"
#include "task/task.h"

struct gk_plans_case {
	const char *id;
	struct gk_plan *plan; /* NULL: problem says why */
	const char *problem;  /* "" when the plan was captured and fits the task */
	int line;             /* of the candidate, 0 when unknown */
};

struct gk_plans {
	struct gk_arena arena;
	struct gk_plans_case *cases;
	size_t case_count;
	struct gk_plan_module *modules;
	size_t module_count;
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
void gk_plans_release(struct gk_plans *plans);

#endif
