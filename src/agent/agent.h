/*
 * The agent: one pure state machine per trajectory. No clock, file, model or
 * kernel is touched here: the journal's events are folded in, and next() says
 * what is to be done now. The same fold serves the live run and the resume.
 *
 *     struct gk_agent *agent = gk_agent_new(&recipe);
 *     for each event of the trajectory, in the order of step: gk_agent_fold(agent, &event, e);
 *     gk_agent_next(agent, &action);
 *     ASK:   context = gk_agent_context(agent, texts, ctx, e); render it (prompt/prompt.h), store `asked`,
 * send PARSE: gk_answer_parse() (llm/answer.h) on the text of action.hash, store `parsed` JUDGE: judge the
 * text of action.hash, store `judged` STOP:  store `stopped`
 *
 * The path through a trajectory (docs/agent.md):
 *
 *     Generator -> judge -- fail --> Reflector -> Generator (repair) -> judge ...
 *                    |  `-- trap --> Generator (fresh strategy), or the next direction where something is
 * correct
 *                    `---- pass --> Optimizer -> Generator (one direction) -> judge ...
 */
#ifndef GK_AGENT_AGENT_H
#define GK_AGENT_AGENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/recipe.h"
#include "base/err.h"
#include "fact/event.h"
#include "fact/verdict.h"

struct gk_agent;

/* recipe is copied. */
struct gk_agent *gk_agent_new(const struct gk_recipe *recipe);
void gk_agent_free(struct gk_agent *agent);

/*
 * Takes one event in. Events must come by step 0, 1, 2, ..; one that cannot
 * follow the state (a damaged or foreign journal) is GK_ERR_INPUT and leaves
 * the agent unusable.
 */
int gk_agent_fold(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e);

/*
 * What to do now. The same action is returned until its event is folded in.
 * WAIT: before `started`, after `stopped`, and while an answer is outstanding.
 */
void gk_agent_next(const struct gk_agent *agent, struct gk_action *action);

/* After `asked` and before its answer: true, and the ASK that has to be sent again after a restart. */
bool gk_agent_outstanding(const struct gk_agent *agent, struct gk_action *action);

int gk_agent_next_step(const struct gk_agent *agent); /* the step that the next event gets */
bool gk_agent_is_stopped(const struct gk_agent *agent);
int gk_agent_iterations(const struct gk_agent *agent); /* Generator's answers so far */

/* The text of a stored blob, borrowed until the next call; NULL when it is unknown. */
typedef const char *gk_text_fn(void *ctx, const char *hash, size_t *size);

/*
 * What the pending ASK (or the outstanding one) has to say, as data for the
 * templates (the names are in docs/agent.md); a new reference. The same
 * events and texts give the same bytes.
 */
json_t *gk_agent_context(const struct gk_agent *agent, gk_text_fn *texts, void *ctx, struct gk_err *e);

/* A candidate with its verdict. Strings are the agent's. */
struct gk_attempt {
	int number;         /* 1, 2, .. within the trajectory: the Generator's answers */
	int64_t trajectory; /* started.number */
	int step;           /* of its `judged` event */
	const char *role;   /* template it came from: "generator", "generator_repair", "generator_optimize" */
	const char *code_hash; /* "" when the answer had no code */
	const char *strategy;
	const char *stage, *kind, *message;
	enum gk_outcome outcome;
	bool call, exec;
	struct gk_speedup speedup;
	bool counted; /* the machine counted: */
	double bytes_moved, operations, launches;
	bool is_fresh; /* began a new line: not derived from an earlier attempt of this trajectory */
};

size_t gk_agent_attempts(const struct gk_agent *agent, const struct gk_attempt **attempts);

/*
 * The better of two correct attempts: > 0 when a is. Measured beats not
 * measured; by the speedup's lower bound; else fewest bytes moved, fewest
 * operations, fewest launches; then the earlier attempt, the lower trajectory.
 */
int gk_attempt_compare(const struct gk_attempt *a, const struct gk_attempt *b);

/* The best correct attempt of a trajectory, or NULL. Over trajectories: compare the winners. */
const struct gk_attempt *gk_agent_winner(const struct gk_agent *agent);

#endif
