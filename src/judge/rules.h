/*
 * Is a task able to tell right from wrong? Before any model is asked, outputs
 * that no honest kernel makes are put before the task's own comparison; each
 * must be refused in at least one case (lower precision: for each dtype). Pure.
 */
#ifndef GK_JUDGE_RULES_H
#define GK_JUDGE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "judge/data.h"
#include "task/task.h"

/* All zero is a valid start. */
struct gk_rules {
	size_t cases;
	bool zeros, constant, other_seed; /* refused somewhere */
	bool input[GK_PLAN_MAX_BUFFERS];  /* input i as the output: refused somewhere */
	bool has_dtype[GK_DTYPE_COUNT], lower[GK_DTYPE_COUNT];
	bool depends[GK_PLAN_MAX_BUFFERS]; /* the outputs changed with input i */
	bool is_refused;                   /* the expected values themselves, rounded once, were refused */
	char refused_words[1024];
};

/* One case and what belongs to it; all arrays per output or input of data. */
struct gk_rules_case {
	const struct gk_task *task;
	const struct gk_case *c;
	const struct gk_judge_data *data;
	const void *const *want;       /* expected values, contiguous */
	const void *const *other_want; /* of another seed */
	const void *const *inputs;     /* storages */
};

void gk_rules_add(struct gk_rules *rules, const struct gk_rules_case *c);
/* Whether the outputs change when input i is exchanged for another seed's. */
void gk_rules_depend(struct gk_rules *rules, const struct gk_rules_case *c, size_t input,
                     const void *const *want);
/* One line for each broken rule; returns how many. */
size_t gk_rules_report(const struct gk_rules *rules, const struct gk_task *task,
                       const struct gk_judge_data *data, struct gk_buf *out);

#endif
