/* The dynamic half of `geak task check`. */
#ifndef GK_CMD_TASK_CHECK_H
#define GK_CMD_TASK_CHECK_H

#include <stddef.h>

#include "base/err.h"
#include "task/task.h"
#include "view/term.h"

/* Prints one line per task, or one per broken rule; *broken counts them. Fails when an oracle does, or geak.
 * target: as of an evaluator. */
int gk_task_check_run(struct gk_suite *suite, const char *target, const struct gk_term *term, size_t *broken,
                      struct gk_err *e);

#endif
