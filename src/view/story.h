/* A run as its journal tells it, ready to be shown: for report, log, show and the end of a run. */
#ifndef GK_VIEW_STORY_H
#define GK_VIEW_STORY_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/store.h"

/* One candidate with its verdict, and what led to it. Hashes are blobs of the store, NULL when there is none. */
struct gk_story_attempt {
	int number;                  /* 1, 2, .. within the trajectory */
	const char *strategy;        /* the generator's words; "" when it said none */
	const char *prompt, *answer; /* of the generator */
	const char *code;            /* NULL: the answer held none, problem says why */
	const char *problem;
	const char *reflection;      /* written about this attempt */
	const char *plan;            /* the optimizer's text that came before */
	bool judged;
	struct gk_verdict verdict;
};

struct gk_story_line {
	struct gk_store_trajectory row;
	struct gk_story_attempt *attempts;
	size_t attempt_count;
	bool started, stopped;
	bool exec;                   /* some attempt was right, and was not refuted */
	const char *stop_reason, *stop_message;
};

struct gk_story_task {
	const char *id, *title;
	struct gk_story_line **lines;
	size_t line_count;
	size_t attempts;
	bool call, exec;             /* of any attempt; what was refuted does not count */
	const char *winner;          /* hash of the confirmed candidate, or NULL */
	int winner_number, winner_attempt;
	struct gk_verdict confirmed; /* its second verdict; zero without a winner */
	size_t refuted;              /* candidates that did not stand a second judgement */
};

struct gk_story {
	struct gk_arena arena;
	struct gk_store_run run;
	const char *folder, *suite, *model, *target, *recipe;
	json_t *config, *peers;      /* facts, or NULL */
	struct gk_story_line *lines;
	size_t line_count;
	struct gk_story_task *tasks;
	size_t task_count;
	struct gk_store_ledger ledger;
	size_t attempts, most_attempts; /* in all; of one trajectory */
	bool finished;               /* every trajectory has stopped, and who won is decided */
};

int gk_story_read(struct gk_store *store, struct gk_story *story, struct gk_err *e);
void gk_story_release(struct gk_story *story);

/* NULL when there is no such task or attempt. number: of the trajectory. */
const struct gk_story_line *gk_story_line_of(const struct gk_story *story, const char *task, int number);
/* In one or two words: "pass", "wrong_values", "no code", "not judged". */
const char *gk_story_outcome(const struct gk_story_attempt *attempt);
/* Fractions over all tasks. */
void gk_story_totals(const struct gk_story *story, double *call, double *exec);
/*
 * pass@k over trajectories that have stopped: how likely one of k independent ones solves a task, the mean over
 * all tasks (stat/pass.h). For k from 1 to gk_story_pass_most(), which is 0 while some task has none.
 */
size_t gk_story_pass_most(const struct gk_story *story);
double gk_story_pass(const struct gk_story *story, size_t k);

/* Speedups of confirmed winners with one kind of evidence: kinds are never mixed in a number. */
struct gk_story_speed {
	size_t winners, measured, within_noise;
	double mean;     /* over the measured ones */
	double over_all; /* over all tasks, one without a winner counted as 0; NaN while not every winner was measured this way */
};
void gk_story_speed(const struct gk_story *story, enum gk_evidence evidence, struct gk_story_speed *speed);
/* Whether a verdict's speedup can be drawn: a stored number may be anything. */
bool gk_story_has_speed(const struct gk_verdict *verdict);

/*
 * What peers said of themselves (an object by role: fact "peers", with fact
 * "containment" in it, or collected), in words. Containment: how candidates were kept in, "unknown"
 * when they did not say. Device: the GPU, or what executed the plans in its place; "" before a
 * launcher has started. Borrowed from peers.
 */
const char *gk_peers_containment(const json_t *peers);
const char *gk_peers_missing(const json_t *peers); /* layers of the sandbox that are not there, in words; "" */
const char *gk_peers_device(const json_t *peers);
/* "on NVIDIA H200 (sm_90), containment: ..." */
void gk_peers_add_words(struct gk_buf *out, const json_t *peers);

/* {"run", "tasks", "totals", "ledger"}: docs/report.md; new reference. */
json_t *gk_story_json(const struct gk_story *story);

#endif
