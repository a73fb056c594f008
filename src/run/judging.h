/* Inside of the evaluator: jobs and how their cascades' actions are performed. */
#ifndef GK_RUN_JUDGING_H
#define GK_RUN_JUDGING_H

#include "base/map.h"
#include "base/vec.h"
#include "compared.h"
#include "evaluator.h"
#include "helpers.h"
#include "judge/cascade.h"
#include "loop/loop.h"
#include "oracle.h"
#include "pool/runner.h"

/* The cases of a task that are judged here: its own, those drawn per run, those for perf alone. */
struct prepared {
	const struct gk_task *task;
	const struct gk_case **cases;
	size_t count;
	bool has_data;     /* some parameter stands for data */
	struct gk_err err; /* of drawing; kind NONE: fine */
};

struct job;
struct flight;
struct stint;
struct real;

/*
 * What candidates for a task are measured against: a job of its own, judged
 * once, whose cascade is kept for its plans, its code and the noise floor.
 */
struct reference {
	struct gk_evaluator *evaluator;
	const struct gk_task *task;
	char *key, *source;
	size_t size;
	struct job *job;  /* NULL: it has failed for a reason of ours */
	int tries;
	bool is_ready;    /* the job is done and has passed */
	char *why;        /* it failed: in words */
	struct GK_VEC(struct job *) waiting;
};

/* One capture of a candidate: waits for the data of every case. */
struct take {
	struct job *job;
	int number;
	char salt[33];
	struct oracle_set **sets; /* per case */
	size_t ready;
	bool is_wanted; /* the action came */
	uint64_t request;
	int64_t started_ns;
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
	char *key; /* task, candidate and what it is measured against */
	char candidate[GK_HEX_SIZE];
	struct reference *reference; /* it is measured against, or NULL */
	bool is_reference;           /* it is that one's own */
	struct gk_cascade *cascade;  /* NULL: still queued */
	struct take takes[2];
	struct GK_VEC(struct descent *) descents;
	struct GK_VEC(struct flight *) flights;
	struct GK_VEC(struct stint *) stints;
	struct GK_VEC(struct real *) reals;
	struct compared *paired; /* of the first of two paired executions, or NULL */
	struct GK_VEC(struct oracle_set *) ahead; /* asked for before they are needed */
	uint64_t lint_request;
	int64_t started_ns, lint_started_ns, capture_started_ns, lower_started_ns, exec_started_ns, perf_started_ns,
		real_started_ns, waits_since_ns;
	int busy;             /* requests under way, those to the oracle's data left out */
	int64_t accounted_ns; /* until when the time has been told */
	struct gk_spent spent;
	bool is_cold, is_trust_known;
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
	struct gk_helpers *helpers;             /* NULL: nothing is timed */
	struct gk_map prepared;                 /* address of a task -> struct prepared */
	struct gk_map references;               /* key -> struct reference */
	struct gk_map verdicts;                 /* key -> text of JSON: finished verdicts */
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
/* Frees what is under way and what it holds of the oracle's; cascade and source stay. */
void judging_rest(struct job *job);

/* Of the parts of a job: something is under way, or has come. Between them the job waits for the oracle. */
void judging_sent(struct job *job);
void judging_came(struct job *job);
void judging_fail(struct job *job, const struct gk_err *why);
void judging_pump(struct job *job);
struct gk_judge_setup judging_setup(const struct job *job);
double judging_ms_since(int64_t started_ns);
/* The oracle's data of a round for the plans of a take. */
struct oracle_set *judging_get_set(struct job *job, size_t case_index, int round, json_t *pinned, const char *pin_name);
/* What the launcher says of itself decides whether its word counts as sealed. */
void judging_look_at_launcher(struct job *job);

/* flight.c: executions */
void flight_start(struct job *job, struct gk_judge_execution *x);
void flight_free(struct flight *flight);
int make_outputs(const uint64_t *sizes, size_t count, int **fds, struct gk_err *e);
void close_outputs(int *fds, size_t count);

/* real.c: the Python itself */
void real_start(struct job *job, const struct gk_judge_run *x);
void real_free(struct real *real);

/* stint.c: timings */
void stint_start(struct job *job, const struct gk_judge_timing *x);
void stint_free(struct stint *stint);

/* reference.c */
struct reference *reference_find(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                                 size_t size);
void reference_ask(struct job *job);    /* tells the job's cascade, now or later */
void reference_forget(struct job *job); /* it does not wait any more */
void reference_judged(struct job *job, const struct gk_verdict *verdict);
void reference_start_all(struct gk_evaluator *evaluator);
void reference_free(struct reference *reference);

/* Parts of a capture request: the entry, a case as the candidate's process gets it (no data), what the task
 * allows. */
json_t *judging_entry(const struct gk_task *task);
json_t *judging_case(const struct gk_task *task, const struct gk_case *c, const json_t *args);
json_t *judging_allow(const struct gk_task *task);

/* The cascade is done: hands the verdict to the clients and frees the job. */
void evaluator_finished(struct job *job, struct gk_verdict *verdict);
struct job *evaluator_new_job(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                              size_t size, const char *key);
void evaluator_schedule(struct gk_evaluator *evaluator);

/* As gk_evaluator_open(), over a runner of the caller's, which is closed with it. For tests. */
struct gk_evaluator *evaluator_over(struct gk_loop *loop, struct gk_runner *runner,
                                    const struct gk_evaluator_options *options);

#endif
