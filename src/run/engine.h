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

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/recipe.h"
#include "base/err.h"
#include "fact/endpoint.h"
#include "fact/event.h"
#include "run/evaluator.h"
#include "store/store.h"
#include "task/task.h"

struct gk_loop;
struct gk_price;
struct gk_prompter;

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
	int index, number;  /* of the trajectory: in the run, and within its task */
	int attempt;        /* candidates written so far */
	const char *doing;  /* "waiting", "asking generator", "judging", "stopped: solved", "confirming", ... */
	bool active, correct, stopped;
};
/* After each tick, for each trajectory that moved; event is what was journalled, or NULL when only `doing` changed. */
typedef void gk_run_progress_fn(void *ctx, const struct gk_run_line *line, const struct gk_event *event);

struct gk_run_options {
	struct gk_store *store;         /* open for writing, begun (run/begin.h) */
	struct gk_loop *loop;
	struct gk_endpoint *endpoint;   /* the engine sets answered, sent and ctx */
	struct gk_task **tasks;
	size_t task_count;
	struct gk_recipe recipe;        /* resolved: flags are in it */
	const struct gk_prompter *prompter;
	const char *seed;               /* what attempts are judged with; winners are by the run's own secret */
	const char *target;             /* resolved: never "auto" */
	const json_t *hardware;         /* for prompts, as it was journalled; or NULL */
	const struct gk_judging *judging;
	int judging_slots;              /* candidates judged at once; 0: number of cores */
	bool skip_perf;                 /* nothing is timed */
	bool sealed_only;               /* nothing is judged contained */
	int confirm_one_in;             /* of so many passes one is run for real, and every winner; 0: none */
	const char *build;              /* geak's version, for verdict rows */
	double budget_usd;              /* 0: none */
	int64_t budget_tokens;          /* 0: none */
	const struct gk_price *price;   /* for what was lost on the wire; NULL: unknown */
	bool check_fold;                /* fold the journal again after each tick and compare */
	gk_run_progress_fn *progress;   /* or NULL */
	void *ctx;
	int stop_after_ticks;           /* tests: end as if interrupted after so many ticks; 0: never */
};

enum gk_run_end {
	GK_RUN_DONE,        /* every trajectory has stopped and the winners are confirmed */
	GK_RUN_INTERRUPTED, /* by a signal (gk_loop_interrupted()): resumable */
	GK_RUN_SUSPENDED,   /* the model or a peer failed for now: resumable, why says what */
};

/* Begins or goes on. -1 is a failure of ours or FATAL from the model; the run stays resumable then, too. */
int gk_run(const struct gk_run_options *options, enum gk_run_end *end, struct gk_err *why, struct gk_err *e);

#endif
