/*
 * A run's configuration as its journal keeps it, and the check that going on
 * is going on with the same: tasks, prompts and recipe are pinned by hash.
 */
#ifndef GK_RUN_BEGIN_H
#define GK_RUN_BEGIN_H

#include <jansson.h>

#include "agent/recipe.h"
#include "base/arena.h"
#include "store/store.h"
#include "task/task.h"

struct gk_prompter;

struct gk_run_config {
	const char *suite;            /* for names: "starter", "flip" */
	const char **ids, **folders;  /* of the tasks; folders are absolute */
	size_t task_count;
	const char *model, *target;
	const char *seed;             /* of the attempts' judging; NULL before the run has begun: drawn */
	struct gk_recipe recipe;
	const char *base_url, *key_file, *ca_file, *prices_file; /* or NULL */
	double budget_usd;
	int64_t budget_tokens;
	const char *hardware;         /* what prompts say of the GPU, as JSON; or NULL */
	bool skip_perf;               /* on a GPU nothing is timed either */
	bool sealed_only;             /* nothing is judged contained */
	int confirm_one_in;           /* of so many passes one is run for real; 0: none, winners neither */
};

/* Writes run, config, pins and trajectories in one transaction. replay_of may be NULL. */
int gk_run_begin(struct gk_store *store, const char *build, const struct gk_run_config *config,
                 struct gk_task *const *tasks, size_t task_count, const struct gk_prompter *prompter,
                 struct gk_err *e);
/* The journal's configuration; strings live in the arena. */
int gk_run_config_read(struct gk_store *store, struct gk_arena *arena, struct gk_run_config *config, struct gk_err *e);
/* Refuses to go on when flags ask for another run than the one begun, and says which. */
int gk_run_config_same(const struct gk_run_config *begun, const struct gk_run_config *asked, const char *folder,
                       struct gk_err *e);
/* Refuses to go on when a pinned file has changed, and says which. */
int gk_run_check_pins(struct gk_store *store, const struct gk_run_config *config, struct gk_task *const *tasks,
                      size_t task_count, const struct gk_prompter *prompter, struct gk_err *e);

#endif
