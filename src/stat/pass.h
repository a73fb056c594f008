/* pass@k: how likely at least one of k attempts, drawn from the n that were made, is right. */
#ifndef GK_STAT_PASS_H
#define GK_STAT_PASS_H

#include <stddef.h>

/* Attempts at one task, and how many of them were right. */
struct gk_pass_task {
	size_t attempts, right;
};

/*
 * The unbiased estimate 1 - C(n-c, k) / C(n, k) as a product that neither
 * overflows nor cancels. k from 1 to n; otherwise 0.
 */
double gk_pass_at(const struct gk_pass_task *task, size_t k);

/* Mean over the tasks with at least k attempts; *counted is their number (may be NULL). None: 0. */
double gk_pass_mean(const struct gk_pass_task *tasks, size_t count, size_t k, size_t *counted);

/* The largest k that every task can answer: the fewest attempts of any. */
size_t gk_pass_most(const struct gk_pass_task *tasks, size_t count);

#endif
