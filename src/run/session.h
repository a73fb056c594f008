/*
 * `geak run` from flags to winners: finds tasks, recipe, prompts and model,
 * begins a run folder or goes on with one, and has the engine do the work.
 */
#ifndef GK_RUN_SESSION_H
#define GK_RUN_SESSION_H

#include "base/err.h"
#include "run/engine.h"

/* What the user said; NULL, 0 and negative: nothing, so the run folder's own word or the default counts. */
struct gk_session_flags {
	char *const *targets;       /* suites, tasks, folders */
	int target_count;
	const char *model, *recipe, *target, *folder, *seed;
	int64_t iterations, parallel, max_tokens;
	double temperature;         /* negative: not given */
	const char *base_url, *key_file, *ca_file, *prices_file;
	const char *const *headers; /* NULL-terminated, or NULL; never stored */
	double budget_usd;
	int64_t budget_tokens;
	int requests, judgings;     /* at once; 0: default */
	bool replay_strict;
	bool skip_perf;             /* nothing is timed */
	bool sealed_only;           /* nothing is judged contained */
	int64_t confirm_one_in;     /* of so many passes one is run for real; negative: not given */
	const char *build;          /* geak's version */
};

struct gk_session;

/* Everything but the work: the folder is begun or checked. NULL: *e says what is wrong. */
struct gk_session *gk_session_open(const struct gk_session_flags *flags, struct gk_err *e);
void gk_session_close(struct gk_session *session); /* NULL is fine */
const char *gk_session_folder(const struct gk_session *session);
struct gk_store *gk_session_store(const struct gk_session *session);
struct gk_loop *gk_session_loop(const struct gk_session *session);
bool gk_session_is_resumed(const struct gk_session *session);
size_t gk_session_tasks(const struct gk_session *session);
const struct gk_run_config *gk_session_config(const struct gk_session *session);

int gk_session_run(struct gk_session *session, gk_run_progress_fn *progress, void *ctx, enum gk_run_end *end,
                   struct gk_err *why, struct gk_err *e);

#endif
