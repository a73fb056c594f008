/* Inside of the cascade: what its parts share. */
#ifndef GK_JUDGE_STATE_H
#define GK_JUDGE_STATE_H

#include "base/arena.h"
#include "base/vec.h"
#include "cascade.h"
#include "describe.h"
#include "ir/ir.h"
#include "measure.h"

/* Why something is not right. kind NULL: it is. Strings live in the cascade's arena or are constants. */
struct failing {
	enum gk_outcome outcome;
	const char *kind;
	const char *message;
	json_t *detail; /* owned */
};

struct module {
	char hash[GK_HEX_SIZE];
	char *text;
	size_t size;
	struct gk_ir *ir; /* NULL: not readable, why says */
	const char *why;
};

/* A kernel of some plan, with its options. */
struct lowering {
	struct gk_judge_lowering x;
	const char *name;
	bool is_told;
	struct failing failing; /* kind NULL once told: it can be launched */
	bool has_object;
	struct gk_object object;
	char *code; /* on a GPU only */
	size_t size;
};

struct trial {
	struct gk_judge_execution x;
	bool is_told, is_right;
	bool is_repeat;       /* of round 0 of its case, for the sake of what varies */
	bool is_bare, is_same; /* without its launches; its outputs were right all the same */
	const char *printed; /* by device_print, or NULL */
	struct failing failing;
};

struct timing {
	struct gk_judge_timing x;
	bool is_told;
	struct timing *doubted;    /* this is a second look at the reference alone, for the sake of that timing */
	struct failing failing;    /* outcome INFRA: not the candidate's fault, and not measured */
	struct gk_measure measure; /* detail NULL: there is none */
	json_t *timed;             /* raw */
};

struct case_state {
	const char *id;
	const char *args;          /* in words */
	const char **tensor_names; /* of the tensors among the arguments */
	size_t tensor_count;
	struct gk_plan *plans[2];
	int variants;           /* executed ones of the autotuned kernels, at least 1 */
	uint32_t declared;      /* configurations of the autotuned kernels, before any was left out */
	bool is_captured;       /* its call part is decided */
	struct failing call[2]; /* per take */
	bool is_allowed[2];     /* refused for an operation of the framework that the task lists */
	struct failing exec;    /* of the first failing trial, in the order of trials */
	bool is_tried;
	uint64_t bytes;        /* of all its inputs and outputs */
	struct gk_ulps ulps;   /* over its executions */
	struct gk_repeat repeat;
	json_t *repeated;   /* the same as JSON, or NULL */
	const char *varies; /* what a repeat found, in words, or NULL */
	const struct timing *timing; /* that was told, or NULL */
};

/* A run for real and what came of it. */
struct run {
	struct gk_judge_run x;
	bool is_told, is_unable; /* unable: neither right nor wrong, failing says why */
	struct failing failing;
	uint64_t launches;
};

enum phase { PHASE_LINT, PHASE_CAPTURE, PHASE_LOWER, PHASE_EXECUTE, PHASE_RUN, PHASE_PERF, PHASE_DONE };

struct gk_cascade {
	struct gk_judge_setup setup;
	struct gk_source source;
	struct gk_arena arena;
	enum phase phase;
	bool lint_issued, done_issued, capture_issued[2], capture_told[2], take_is_right[2];
	json_t *args[2]; /* per take: array of the cases' arguments */
	int rounds;
	bool has_data; /* some parameter stands for data */
	struct case_state *cases;
	size_t exec_count; /* the first cases: those that are executed */
	struct GK_VEC(struct module) modules;
	struct failing overall[2]; /* per take, without a case: lint (0), import, a crash in capture */
	int decisive;              /* the take whose failures are told */
	struct GK_VEC(struct lowering *) lowerings;
	size_t next_lowering;         /* to be issued */
	bool is_lowered;              /* all was told */
	bool is_compiled;             /* every kernel that is launched has an object */
	uint32_t dropped, dropped_of; /* configurations of an autotuned kernel without an object, of how many */
	const char *dropped_why;
	struct GK_VEC(struct trial *) trials;
	size_t next_trial; /* to be issued */
	size_t next_case;  /* not yet in a wave */
	size_t repeated;   /* the case that is executed once more; case_count: none */
	size_t wave_first; /* trial with which the wave under way begins */
	bool is_failing;   /* a wave had a failure: one more, then the verdict */
	bool reference_issued, is_trusted;
	const struct gk_cascade *reference;
	const char *not_timed; /* why nothing was timed, or NULL */
	struct GK_VEC(struct timing *) timings;
	size_t next_timing; /* to be issued */
	struct GK_VEC(struct run *) runs;
	size_t next_run;           /* to be issued */
	bool is_contained;         /* judged by runs alone; */
	const char *contained_why; /* because capture refused it */
	const char *unconfirmed;   /* a confirmation could not be had: why */
	struct failing mismatch;   /* the Python does something else than its plans */
	json_t *end_to_end;        /* of the verdict, or NULL */
	char plan_hash[GK_HEX_SIZE];
	double stages_ms[GK_STAGE_COUNT], lower_ms;
	uint64_t bytes_read, bytes_written, operations, launches, atomics;
	struct gk_verdict verdict;
};

/* claims.c: plans from what a capture claims. True when every case has one; else call or overall failures are
 * set. */
bool judge_claims(struct gk_cascade *c, int take, const struct gk_judge_data *data,
                  const struct gk_capture_result *r);
/* Both takes: the same plans? */
bool judge_agreement(struct gk_cascade *c, const json_t *first_args, const json_t *second_args,
                     size_t case_index);

/* lowering.c */
void lowering_ask(struct gk_cascade *c, int take); /* for what the plans of the take launch and nobody asked for */
bool lowering_is_told(const struct gk_cascade *c); /* all that was asked for */
void lowering_free(struct lowering *lowering);
struct lowering *lowering_of(const struct gk_cascade *c, const struct gk_plan_kernel *kernel); /* or NULL */
void lowering_told(struct gk_cascade *c, size_t number, const struct gk_lower_result *result);
/* Leaves out configurations without an object. False: some case cannot be launched, its call part says why. */
bool lowering_end(struct gk_cascade *c);
json_t *lowering_kernels(const struct gk_cascade *c); /* of the verdict; new reference */

/* trial.c */
struct trial *trial_new(struct gk_cascade *c, size_t case_index, int round, int variant);
struct trial *trial_repeat(struct gk_cascade *c, size_t case_index); /* of round 0 */
void trial_free(struct trial *trial);
void trial_judge(struct gk_cascade *c, struct trial *trial, const struct gk_judge_data *data,
                 const struct gk_execute_result *result, const struct gk_outputs *outputs);
/* Kernels of the plan that its steps launch, in the order of their first launch. */
struct used {
	uint32_t kernels[GK_PLAN_MAX_KERNELS];
	uint32_t count;
};
/* The plan without other kernels than used ones, numbered as there. variant -1: choices are kept. New reference. */
json_t *trial_plan(const struct gk_plan *plan, int variant, struct used *used);
struct gk_execute_object *trial_objects(const struct gk_cascade *c, const struct gk_plan *plan, const struct used *used,
                                        size_t *count);
/* Returns how many tensors of the case the plan takes: buffers and tensors get as many numbers. */
size_t trial_inputs(const struct gk_plan *plan, const struct case_state *s, int *buffers, size_t *tensors);
void trial_describe_difference(struct gk_cascade *c, size_t case_index, int round, const struct gk_judge_data *data,
                               const struct gk_outputs *outputs, struct gk_buf *words);
json_t *trial_difference(const struct gk_judge_data *data, const struct gk_outputs *outputs); /* new reference */

/* bare.c: plans without their kernels */
bool bare_is_wanted(const struct gk_cascade *c, size_t case_index);
struct trial *bare_new(struct gk_cascade *c, size_t case_index);
void bare_judge(struct trial *t, const struct gk_execute_result *result, const struct gk_outputs *outputs);
/* False: the kernels do nothing in any case, and the first says so. */
bool bare_end(struct gk_cascade *c);

/* run.c: the candidate's Python for real */
bool run_is_wanted(const struct gk_cascade *c); /* all was right: it is confirmed, or timed end to end */
void run_start(struct gk_cascade *c);
bool run_can_judge(const struct gk_cascade *c); /* capture has failed, for a reason that the task allows */
void run_judge(struct gk_cascade *c);
bool run_next(struct gk_cascade *c, struct gk_judge_action *action);
void run_free(struct run *run);
void run_go_on(struct gk_cascade *c); /* cascade.c: what follows a confirmation */

/* ran.c: what a run says of itself */
void ran_judge(struct gk_cascade *c, struct run *run, const struct gk_capture_result *result,
               const struct gk_judge_call *calls);

/* perf.c */
bool perf_is_wanted(const struct gk_cascade *c);
bool perf_next(struct gk_cascade *c, struct gk_judge_action *action);
void perf_free(struct timing *timing);
void perf_speedup(const struct gk_cascade *c, struct gk_speedup *speedup);

/* again.c: what is executed again, to see whether it varies */
void again_choose(struct gk_cascade *c, size_t case_index, const struct gk_judge_data *data);
void again_judge(struct gk_cascade *c, struct trial *t, const struct gk_judge_data *data, const struct gk_outputs *outputs);

/* cascade.c */
void cascade_finish(struct gk_cascade *c);

/* outcome.c */
void write_verdict(struct gk_cascade *c);

/* A failure whose words are copied from a buffer. */
struct failing failing_of(struct gk_cascade *c, enum gk_outcome outcome, const char *kind,
                          const struct gk_buf *words);

#endif
