/*
 * What a plan wrote, against what the oracle expects: mapped, compared, told.
 * Large outputs are compared in a thread of the loop's, so that the loop goes on.
 */
#ifndef GK_RUN_COMPARED_H
#define GK_RUN_COMPARED_H

#include "judge/outputs.h"
#include "loop/loop.h"
#include "oracle.h"

struct compared;

/* The outputs of one execution; fds get sealed. */
struct compared_request {
	const struct gk_task *task;
	const struct gk_case *c;
	const struct oracle_set *set;
	const int *fds; /* dense */
	const uint64_t *sizes;
	size_t count;
};

/*
 * *compared is to be ended with compared_free(). done(ctx) once, unless it was compared at once
 * (compared_is_done()). Fails when outputs cannot be sealed or mapped.
 */
int compared_start(struct gk_loop *loop, const struct compared_request *request, gk_loop_fn *done, void *ctx,
                   struct compared **compared, struct gk_err *e);
bool compared_is_done(const struct compared *compared);
const struct gk_outputs *compared_outputs(const struct compared *compared); /* once done */
/* Once both are done: what the same plan made of the same inputs another time (gk_outputs_repeat()). */
void compared_repeat(struct compared *compared, const struct gk_judge_data *data, const struct compared *other);
/* At any time; done does not run any more. NULL is fine. */
void compared_free(struct compared *compared);

#endif
