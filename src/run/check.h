/* The dynamic half of `geak task check`: does the task tell right from wrong, and does its reference pass? */
#ifndef GK_RUN_CHECK_H
#define GK_RUN_CHECK_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "run/evaluator.h"

/*
 * Turns the loop until it is known. One line in *problems for each broken
 * rule, *count of them. Fails when it could not be found out: an oracle that
 * raises (GK_ERR_INPUT), or a failure of ours.
 */
int gk_check_task(struct gk_loop *loop, struct gk_evaluator *evaluator, const struct gk_task *task,
                  struct gk_buf *problems, size_t *count, struct gk_err *e);

#endif
