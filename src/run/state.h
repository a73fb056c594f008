/* Inside the engine only: what it holds in memory. All of it can be made again from the journal. */
#ifndef GK_RUN_STATE_H
#define GK_RUN_STATE_H

#include "agent/agent.h"
#include "base/vec.h"
#include "run/engine.h"

enum judging_purpose { JUDGE_ATTEMPTS, JUDGE_WINNERS };
/* PROBE: our own judging failed; the task's reference tells whether it fails for everybody. */
enum doing { DOING_NOTHING, DOING_ASK, DOING_JUDGE, DOING_PROBE, DOING_SUSPENDED };

/* What a turn of the loop brought: an answer or a verdict, not yet journalled. */
struct completion {
	bool has_answer, has_verdict;
	enum gk_answer_status status;
	char *text;
	size_t size;
	char finish[32];
	struct gk_usage usage;
	struct gk_err err;
	struct gk_verdict verdict;
};

/* One trajectory at work. */
struct track {
	struct engine *engine;
	struct gk_store_trajectory row;
	const struct gk_task *task;
	struct gk_agent *agent;
	int index, written; /* candidates, for the display */
	enum doing doing;
	bool to_perform;       /* committed, to be started now */
	int64_t waiting_since; /* tick at which it began to want a slot; 0: it does not */
	int64_t ask;           /* journal's id while DOING_ASK */
	int ask_step;
	char role[24];         /* of the prompt that is out */
	char code[GK_HEX_SIZE]; /* of the candidate that is judged */
	struct completion came;
	bool probe_came, probe_failed;
};

/* A task's winner on its way to confirmation. */
struct contest {
	struct engine *engine;
	const struct gk_task *task;
	struct GK_VEC(struct gk_attempt) ranked; /* correct ones, best first, each code once; trajectory = index of track */
	size_t next;  /* the one that is judged */
	int infra;    /* failures of ours in a row */
	bool is_out;  /* at the evaluator */
	struct completion came;
};

struct shown {
	struct track *track;
	enum gk_event_kind kind;
	json_t *body;
};

struct engine {
	const struct gk_run_options *options;
	struct gk_store *store;
	struct gk_evaluator *evaluator;
	uint8_t secret[GK_HASH_BYTES];
	struct track *tracks;
	size_t track_count;
	int asks_out, judgings_out, judging_slots;
	int64_t ticks;
	bool facts_stored, warned;
	char params_hash[GK_HEX_SIZE]; /* temperature and max_tokens: part of an answer's key */
	struct GK_VEC(struct shown) shown; /* by the tick, for the display after its commit */
	struct gk_err failed;    /* of a callback; kind GK_ERR_NONE: none */
	struct gk_err suspended; /* why something cannot go on for now */
	struct gk_arena scratch; /* emptied by each tick */
};

/* tick.c: the transaction */
int engine_tick(struct engine *engine, struct gk_err *e);
/* perform.c: what leaves the journal for the world, and what comes back */
int engine_perform(struct engine *engine, struct gk_err *e);
void engine_answered(void *ctx, const struct gk_model_answer *answer);
void engine_sent(void *ctx, uint64_t id, int send, int64_t started_ns, int64_t ended_ns, int http, const char *outcome);
void completion_release(struct completion *came);
/* ask.c: prompts, rendered for the journal, read from it for the model */
int engine_ask(struct track *track, const struct gk_action *action, struct gk_err *e);
int engine_send(struct track *track, struct gk_err *e);
/* resume.c: the journal into memory */
int engine_load(struct engine *engine, struct gk_err *e);
int engine_check_fold(struct engine *engine, struct gk_err *e);
/* ledger.c */
int engine_book_lost(struct engine *engine, struct gk_err *e);
/* *spent gets the words for the event, or stays empty. */
int engine_check_budget(struct engine *engine, char *spent, size_t size, struct gk_err *e);
/* winner.c */
int engine_confirm_winners(struct engine *engine, enum gk_run_end *end, struct gk_err *e);
/* engine.c */
bool engine_is_interrupted(const struct engine *engine);
void engine_show(const struct track *track, const struct gk_event *event, const char *doing);
int engine_judging_open(struct engine *engine, enum judging_purpose purpose, struct gk_err *e);

#endif
