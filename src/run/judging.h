/* Inside of the evaluator: jobs and how their cascades' actions are performed. */
#ifndef GK_RUN_JUDGING_H
#define GK_RUN_JUDGING_H

#include "base/map.h"
#include "base/vec.h"
#include "evaluator.h"
#include "judge/cascade.h"
#include "loop/loop.h"
#include "oracle.h"
#include "pool/runner.h"

/* The cases of a task that are judged here: its own and those drawn per run. */
struct prepared {
	const struct gk_task *task;
	const struct gk_case **cases;
	size_t count;
	struct gk_err err; /* of drawing; kind NONE: fine */
};

struct job;

/* One capture of a candidate: waits for the data of every case. */
struct take {
	struct job *job;
	int number;
	char salt[33];
	struct oracle_set **sets; /* per case, NULL before the action came */
	size_t ready;
	uint64_t request;
	int64_t started_ns;
};

/* One execution under way. */
struct flight {
	struct job *job;
	struct gk_judge_execution *x;
	struct oracle_set *set;
	int *outputs; /* memory files, one per output */
	uint64_t request;
};

/* One lowering under way. */
struct descent {
	struct job *job;
	size_t number;
	uint64_t request;
};

/* Somebody who wants the verdict of a job. */
struct client {
	uint64_t id;
	gk_verdict_fn *done;
	void *ctx;
};

struct job {
	struct gk_evaluator *evaluator;
	struct prepared *prepared;
	char *source;
	size_t size;
	char *key; /* task and candidate */
	char candidate[GK_HEX_SIZE];
	struct gk_cascade *cascade; /* NULL: still queued */
	struct take takes[2];
	struct GK_VEC(struct descent *) descents;
	struct GK_VEC(struct flight *) flights;
	uint64_t lint_request;
	int64_t lint_started_ns, lower_started_ns, exec_started_ns;
	struct GK_VEC(struct client) clients; /* the same candidate for the same task is judged once */
	bool is_pumping;
};

struct gk_evaluator {
	struct gk_loop *loop;
	struct gk_runner *runner;
	bool owns_runner;
	struct gk_evaluator_options options;
	char *target;
	struct oracle oracle;
	struct gk_map prepared;                 /* address of a task -> struct prepared */
	struct gk_map verdicts;                 /* key -> json_t: finished verdicts */
	struct GK_VEC(struct job *) jobs;       /* running first, then queued, in order */
	struct GK_VEC(struct answer *) answers; /* verdicts to be delivered in the next round */
	uint64_t last_id;
	bool is_scheduled;
};

/* A verdict that was known when it was asked for. */
struct answer {
	struct client client;
	json_t *verdict;
};

void job_start(struct job *job);
void job_free(struct job *job);

/* Parts of a capture request: the entry, a case as the candidate's process gets it (no data), what the task
 * allows. */
json_t *judging_entry(const struct gk_task *task);
json_t *judging_case(const struct gk_task *task, const struct gk_case *c, const json_t *args);
json_t *judging_allow(const struct gk_task *task);

/* The cascade is done: hands the verdict to the clients and frees the job. */
void evaluator_finished(struct job *job, struct gk_verdict *verdict);

/* As gk_evaluator_open(), over a runner of the caller's, which is closed with it. For tests. */
struct gk_evaluator *evaluator_over(struct gk_loop *loop, struct gk_runner *runner,
                                    const struct gk_evaluator_options *options);

#endif
