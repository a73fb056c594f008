/*
 * The engine of `geak run`: many trajectories on one event loop, one journal.
 *
 * A turn of the loop brings completions (answers, verdicts); a tick folds
 * them, asks the agent what comes next, writes events and asks in one
 * transaction, and only then performs: sends prompts, submits candidates.
 * What is not in the journal has not happened, so a run that was killed goes
 * on where its journal ends (docs/journal.md). One thread.
 */
#ifndef GK_RUN_ENGINE_H
#define GK_RUN_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fact/endpoint.h"
#include "fact/event.h"
#include "run/evaluator.h"
#include "store/store.h"
#include "task/task.h"

struct gk_loop;
struct gk_recipe;
struct gk_prompts;

/* How the engine has candidates judged: evaluator.h in life, a script in tests. Same contracts as there. */
struct gk_judging {
	struct gk_evaluator *(*open)(struct gk_loop *loop, const struct gk_evaluator_options *options,
	                             struct gk_err *e);
	void (*close)(struct gk_evaluator *evaluator);
	uint64_t (*submit)(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source, size_t size,
	                   gk_verdict_fn *done, void *ctx);
	const char *(*facts)(struct gk_evaluator *evaluator, const char *role);
};

/* What a display may show of one trajectory; strings are borrowed for the call. */
struct gk_run_line {
	const char *task;
	int number;         /* of the trajectory */
	int attempt;        /* candidates judged so far */
	const char *doing;  /* "waiting", "asking generator", "judging", "solved", "stopped: iterations", ... */
	bool active, correct;
};
/* Called after each tick; event is the one just journalled, or NULL when only `doing` changed. */
typedef void gk_run_progress_fn(void *ctx, const struct gk_run_line *line, const struct gk_event *event);

struct gk_run_options {
	struct gk_store *store;       /* open for writing; `begin` when it is new */
	struct gk_loop *loop;
	struct gk_endpoint *endpoint; /* the engine sets answered, sent and ctx */
	struct gk_task **tasks;
	size_t task_count;
	const struct gk_recipe *recipe; /* resolved: flags are in it */
	struct gk_prompts *prompts;
	const char *target;           /* resolved: never "auto" */
	const struct gk_judging *judging;
	int judging_slots;            /* candidates judged at once; 0: number of cores */
	int parallel;                 /* trajectories per task */
	double temperature;
	int64_t max_tokens;           /* of an answer; 0: endpoint's default */
	double budget_usd;            /* 0: none */
	int64_t budget_tokens;        /* 0: none */
	const int *stop_signal;       /* non-zero: finish the tick and stop resumable; may be NULL */
	bool check_fold;              /* fold every trajectory again from the journal after each tick and compare */
	gk_run_progress_fn *progress; /* or NULL */
	void *ctx;
};

enum gk_run_end {
	GK_RUN_DONE,        /* every trajectory has stopped and the winners are confirmed */
	GK_RUN_INTERRUPTED, /* by a signal: resumable */
	GK_RUN_SUSPENDED,   /* the model or a peer failed for now: resumable, why says what */
};

/* Begins or goes on. -1 is a failure of ours; the run stays resumable then, too. */
int gk_run(const struct gk_run_options *options, enum gk_run_end *end, char *why, size_t why_size, struct gk_err *e);

#endif
