#include "task_check.h"

#include <string.h>

#include "loop/loop.h"
#include "run/check.h"
#include "run/evaluator.h"

static void print_problems(const struct gk_term *term, const struct gk_task *task, const char *problems)
{
	for (const char *line = problems; *line;) {
		size_t size = strcspn(line, "\n");

		gk_term_print(term, GK_BAD, "%s: %.*s\n", task->id, (int)size, line);
		line += size + (line[size] == '\n');
	}
}

static int check_task(struct gk_loop *loop, struct gk_evaluator *evaluator, const struct gk_task *task,
                      const struct gk_term *term, size_t *broken, struct gk_err *e)
{
	gk_buf_auto problems = GK_BUF_INIT;
	size_t count = 0;

	if (gk_check_task(loop, evaluator, task, &problems, &count, e) < 0)
		return -1;
	print_problems(term, task, gk_buf_text(&problems));
	if (count == 0)
		gk_term_print(term, GK_GOOD, "%s: tells right from wrong, and the reference passes\n",
		              task->id);
	*broken += count;
	return 0;
}

static int check_all(struct gk_loop *loop, struct gk_suite *suite, const char *target, const struct gk_term *term,
                     size_t *broken, struct gk_err *e)
{
	struct gk_evaluator_options options = {.target = target};
	struct gk_evaluator *evaluator;
	int done = 0;

	gk_random_bytes(options.secret, sizeof options.secret);
	evaluator = gk_evaluator_open(loop, &options, e);
	if (!evaluator)
		return -1;
	for (size_t i = 0; done == 0 && i < suite->task_count; i++)
		done = check_task(loop, evaluator, suite->tasks[i], term, broken, e);
	gk_evaluator_close(evaluator);
	return done;
}

int gk_task_check_run(struct gk_suite *suite, const char *target, const struct gk_term *term, size_t *broken,
                      struct gk_err *e)
{
	struct gk_loop *loop = gk_loop_new(e);
	int done = loop ? check_all(loop, suite, target, term, broken, e) : -1;

	gk_loop_free(loop);
	return done;
}
