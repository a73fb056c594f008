/* A run as its journal tells it, ready to be shown: used by report, log, show and the live display's end. */
#ifndef GK_VIEW_STORY_H
#define GK_VIEW_STORY_H

#include <jansson.h>

#include "base/arena.h"
#include "store/store.h"

/* One candidate with its verdict; before the candidate, what led to it. Hashes are blobs of the store. */
struct gk_story_attempt {
	int number;                 /* 1, 2, .. within the trajectory */
	const char *strategy;       /* the generator's words */
	const char *prompt, *answer; /* hashes of the generator's; NULL when there is none */
	const char *code;           /* hash, or NULL: the answer held none (problem says why) */
	const char *problem;
	const char *reflection;     /* hash of the text written about this attempt, or NULL */
	const char *plan;           /* hash of the optimizer's text that led here, or NULL */
	bool judged;
	struct gk_verdict verdict;
};

struct gk_story_line {
	struct gk_store_trajectory row;
	struct gk_story_attempt *attempts;
	size_t attempt_count;
	bool stopped;
	const char *stop_reason, *stop_message;
};

struct gk_story_task {
	const char *id;
	struct gk_story_line **lines;
	size_t line_count;
	size_t attempts, judged;
	bool call, exec;            /* of any attempt */
	const char *winner;         /* hash of the confirmed candidate, or NULL */
	int winner_number, winner_attempt;
	struct gk_speedup speedup;  /* of the winner as confirmed */
	json_t *confirmed;          /* fact "winner", or NULL: nothing was confirmed (yet) */
};

struct gk_story {
	struct gk_arena arena;
	struct gk_store_run run;
	json_t *config, *hardware; /* facts, or NULL */
	struct gk_story_line *lines;
	size_t line_count;
	struct gk_story_task *tasks;
	size_t task_count;
	struct gk_store_ledger ledger;
	size_t attempts;
	bool finished; /* every trajectory has stopped */
};

int gk_story_read(struct gk_store *store, struct gk_story *story, struct gk_err *e);
void gk_story_release(struct gk_story *story);

/* {"run", "tasks", "totals", "ledger"}: docs/report.md; new reference. */
json_t *gk_story_json(const struct gk_story *story);

#endif
