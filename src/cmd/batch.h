/* geak eval --batch: a stream of candidates, a line each, answered a line each; it can be broken off and gone on with. */
#ifndef GK_CMD_BATCH_H
#define GK_CMD_BATCH_H

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "run/evaluator.h"

struct gk_batch {
	const char *input;  /* path of the requests, or "-" */
	const char *output; /* file that answers are added to; ids that stand in it are not judged again. NULL: stdout */
	const char *target; /* suite, task folder or task id that the lines' "task" is one of; NULL: any target, by line */
};

/* The secret that follows from a seed; a negative one: a secret that nobody knows. */
void gk_batch_secret(int64_t seed, uint8_t secret[GK_HASH_BYTES]);

/* Returns the exit code: 3 geak failed on some, 2 some lines were bad, 1 some did not pass, 0; or -1 with *e. */
int gk_batch_run(const struct gk_batch *batch, const struct gk_evaluator_options *options, struct gk_err *e);

#endif
