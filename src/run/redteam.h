/* Runs the red team's fixtures through an evaluator and counts what came of them. */
#ifndef GK_RUN_REDTEAM_H
#define GK_RUN_REDTEAM_H

#include "fixture.h"
#include "loop/loop.h"

struct gk_evaluator;

/* SKIPPED: what it needs is not here. OPEN: not judged (yet). */
enum gk_redteam_state { GK_REDTEAM_EXPECTED, GK_REDTEAM_SURPRISE, GK_REDTEAM_SKIPPED, GK_REDTEAM_OPEN };

struct gk_redteam_outcome {
	const struct gk_fixture *fixture;
	enum gk_redteam_state state;
	enum gk_stage stage;
	enum gk_outcome outcome;
	const char *kind, *message; /* of the verdict; "" without one */
	double ms;                  /* of all its stages, waiting for a device included */
	bool is_ours;               /* the verdict says that geak itself failed */
};

struct gk_redteam {
	struct gk_arena arena;
	const struct gk_fixtures *fixtures;
	struct gk_loop *loop;
	struct gk_evaluator *evaluator;
	bool on_gpu, has_contained;
	const char *group;       /* NULL: all */
	const char *const *only; /* ids, */
	size_t only_count;       /* 0: all */
	struct gk_redteam_outcome *outcomes; /* in the order of the fixtures */
	size_t count, done;
	int64_t started_ns;
	void (*told)(void *ctx, const struct gk_redteam_outcome *outcome, size_t done, size_t count);
	void *ctx;
};

/* fixtures, loop, evaluator and the choice are set by the caller. Fails when the choice is empty, or when it is
 * interrupted: done of count are judged then, and the others OPEN. */
int gk_redteam_run(struct gk_redteam *team, struct gk_err *e);
void gk_redteam_release(struct gk_redteam *team);

/* Of one group, or of all exploits (NULL): tried, as expected, skipped. Honest kernels only when asked for by name. */
struct gk_redteam_count { size_t tried, expected, skipped; };
struct gk_redteam_count gk_redteam_count(const struct gk_redteam *team, const char *group);
/* Whether every fixture that was tried got the verdict it must get. */
bool gk_redteam_is_clean(const struct gk_redteam *team);

/* The object of `geak redteam --json`; new reference. */
json_t *gk_redteam_json(const struct gk_redteam *team, const char *target, const char *evidence,
                        const char *containment);

#endif
