/* The agent's memory of one trajectory: shared by fold (agent.c) and words for prompts (context.c). */
#ifndef GK_AGENT_STATE_H
#define GK_AGENT_STATE_H

#include "agent/agent.h"

#include "base/arena.h"
#include "base/vec.h"

enum phase {
	PHASE_NEW,      /* before `started` */
	PHASE_ASK,      /* the prompt of `part` is to be sent */
	PHASE_ASKED,    /* and was */
	PHASE_ANSWERED, /* its answer is to be parsed */
	PHASE_JUDGE,    /* the candidate of the last answer is to be judged */
	PHASE_STOP,     /* `stopped` is to be written */
	PHASE_STOPPED,
};

enum role { ROLE_GENERATOR, ROLE_REFLECTOR, ROLE_OPTIMIZER, ROLE_COUNT };

/* What a prompt is about; names its template. */
enum part { PART_GENERATE, PART_REPAIR, PART_OPTIMIZE, PART_REFLECT, PART_DIRECT };

extern const char *const gk_role_names[];
extern const char *const gk_part_names[];

/* What a line of code came from, and how far its repair has gone. */
struct line {
	int failures;        /* in a row, since the line began or was correct last */
	int same_failures;   /* of them, the last ones that were the same */
	const char *failure; /* signature of the last one */
};

struct reflection {
	int attempt; /* the one it is about */
	const char *text_hash;
};

struct gk_agent {
	struct gk_arena arena;
	struct gk_recipe recipe;
	enum phase phase;
	enum part part;
	int next_step;
	int64_t number;
	struct GK_VEC(struct gk_attempt) attempts;
	struct GK_VEC(struct gk_verdict) verdicts; /* beside attempts; all zero where nothing was judged */
	struct GK_VEC(struct reflection) reflections;
	struct line line;
	int iterations;
	int asks, asks_by_role[ROLE_COUNT];
	int infra_failures; /* of the judgement that is under way */
	int64_t without_gain;
	const char *answer_hash, *code_hash, *strategy; /* of the answer in hand */
	const char *format_problem;                     /* the last Generator answer had no usable code */
	json_t *directions; /* of the last Optimizer answer; NULL before the first */
	size_t direction_next;
	const char *direction; /* the one that PART_OPTIMIZE implements; NULL: none given */
	char stop_reason[24], stop_message[256];
};

/* gk_attempt_compare() without the tie-breakers: 0 when neither is faster. */
int gk_attempt_gain(const struct gk_attempt *a, const struct gk_attempt *b);
/* a is better than the best before it, and by more than the noise of both measurements. */
bool gk_attempt_has_gained(const struct gk_attempt *a, const struct gk_attempt *best);

#endif
