#include "stat/pass.h"

/* C(n-c, k) / C(n, k) is the product of (i - k) / i over i = n-c+1 .. n: c factors within 0 .. 1. */
double gk_pass_at(const struct gk_pass_task *task, size_t k)
{
	double none = 1;

	if (k < 1 || k > task->attempts)
		return 0;
	if (task->attempts - task->right < k)
		return 1; /* too few are wrong to draw only those */
	for (size_t i = task->attempts - task->right + 1; i <= task->attempts; i++)
		none *= 1 - (double)k / (double)i;
	return 1 - none;
}

double gk_pass_mean(const struct gk_pass_task *tasks, size_t count, size_t k, size_t *counted)
{
	double sum = 0;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (k >= 1 && tasks[i].attempts >= k) {
			sum += gk_pass_at(&tasks[i], k);
			used++;
		}
	if (counted)
		*counted = used;
	return used ? sum / (double)used : 0;
}

size_t gk_pass_most(const struct gk_pass_task *tasks, size_t count)
{
	size_t most = count ? tasks[0].attempts : 0;

	for (size_t i = 1; i < count; i++)
		most = tasks[i].attempts < most ? tasks[i].attempts : most;
	return most;
}
