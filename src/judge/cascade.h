/*
 * The judge of one candidate as a state machine: lint -> capture twice ->
 * validate -> lower -> execute -> compare -> time -> verdict. Pure: it asks for actions and is
 * told what came of them; who performs them is run/evaluator.c.
 *
 *   next    -> LINT
 *   linted  -> CAPTURE take 0, CAPTURE take 1 (other salt, other values of scalars that stand for data)
 *   captured (take 0) -> LOWER each kernel, unless the target is the machine
 *   captured (both), lowered (all) -> EXECUTE one, the first launch; then in waves: all rounds of the next few cases
 *   executed (the whole wave) -> the next wave, or after a failure one round of a few more cases
 *   all right, where it is asked for -> RUN: the Python itself, on fresh inputs, against the plan
 *   all right, on a GPU -> REFERENCE, then TIME each case of perf against it
 *   captured without plans, where the task allows it -> RUN each case: judged contained
 *   ...     -> DONE with the verdict
 *
 * The verdict depends on what is told, never on the order in which it is told.
 */
#ifndef GK_JUDGE_CASCADE_H
#define GK_JUDGE_CASCADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "fact/verdict.h"
#include "judge/data.h"
#include "judge/outputs.h"
#include "pool/runner.h"
#include "task/task.h"

#define GK_JUDGE_ROUNDS       3
#define GK_JUDGE_HELD_OUT     3 /* cases drawn per run */
#define GK_JUDGE_MAX_VARIANTS 8 /* of an autotuned kernel that are executed in each case */
#define GK_JUDGE_GPU_VARIANTS 64 /* a GPU chooses among so many at most; each is executed once, in the first case */
#define GK_JUDGE_WAVE         4 /* cases executed at once; after a wave with a failure so many more, one round each \
	                         */

#define GK_JUDGE_RUN_CALLS 8 /* of one run for real, at most */
#define GK_JUDGE_RUN_ROUND 2000 /* the first round whose inputs runs for real use: no execution has seen them */
#define GK_JUDGE_SPECIAL_ROUND 1000 /* number of the round with special values, in cases that have one */

/* Borrowed by the cascade until gk_cascade_free(). */
struct gk_judge_setup {
	const struct gk_task *task;
	const struct gk_case *const *cases; /* to be judged, held-out ones last, then those that are for perf alone */
	size_t case_count;
	const char *target;
	bool on_gpu;           /* executions are the GPU's: the evidence is sealed, not simulated */
	bool measure;          /* time the cases of perf when all was right; on a GPU only */
	const uint8_t *secret; /* GK_HASH_BYTES */
	const char *candidate; /* SHA-256 of the source, hex */
	const char *source;
	size_t source_size;
	int rounds; /* 0: GK_JUDGE_ROUNDS */
	bool confirm;      /* run the Python itself before a pass: it must do what the plan says */
	bool may_contain;  /* what cannot be captured is judged by runs alone, where the task allows it */
	int end_to_end;    /* calls back to back of which the end-to-end figure is made; 0: none */
};

enum gk_judge_action_kind {
	GK_JUDGE_LINT,
	GK_JUDGE_CAPTURE,
	GK_JUDGE_LOWER,
	GK_JUDGE_EXECUTE,
	GK_JUDGE_RUN,
	GK_JUDGE_REFERENCE, /* what it is measured against: gk_cascade_reference() */
	GK_JUDGE_TIME,
	GK_JUDGE_DONE
};

/* A kernel to be lowered; everything belongs to the cascade. */
struct gk_judge_lowering {
	size_t number;    /* to be given back */
	const char *ttir; /* hash of the module */
	const struct gk_ir *ir;
	json_t *options;
};

/* An execution: one case, one round, one variant of its autotuned kernels. Strings and arrays belong to the
 * cascade. */
struct gk_judge_execution {
	size_t number; /* to be given back */
	size_t case_index;
	int round, take, variant;
	bool is_paired; /* two of them are the same plan on the same inputs: their outputs are to be compared, too */
	json_t *plan; /* as the launcher gets it; borrowed */
	struct gk_execute_module *modules;
	size_t module_count;
	struct gk_execute_object *objects; /* of all kernels, on a GPU */
	size_t object_count;
	int input_buffers[GK_PLAN_MAX_BUFFERS]; /* plan buffer and, in the same place, index of the tensor
	                                           among the inputs */
	size_t input_tensors[GK_PLAN_MAX_BUFFERS];
	size_t input_count;
	uint64_t output_bytes[GK_PLAN_MAX_OUTPUTS]; /* size of each output, dense */
	size_t output_count;
	uint64_t seed; /* of the launcher: order of programs, poison */
};

/* One side of a timing. Everything belongs to the cascades of both sides. */
struct gk_judge_side {
	const struct gk_plan *plan; /* what json says, but for its kernels, which are numbered anew there */
	json_t *json, *variants;    /* as struct gk_time_side has them; borrowed */
	struct gk_execute_object *objects;
	size_t object_count;
	int input_buffers[GK_PLAN_MAX_BUFFERS];
	size_t input_tensors[GK_PLAN_MAX_BUFFERS];
	size_t input_count;
	uint64_t output_bytes[GK_PLAN_MAX_OUTPUTS];
	size_t output_count;
};

/* A timing of one case: a is the reference, b the candidate. Inputs are those of round 0. */
struct gk_judge_timing {
	size_t number; /* to be given back */
	size_t case_index;
	struct gk_judge_side a, b;
	bool a_is_known; /* what a computes was judged when it was measured against itself */
	uint64_t seed;
};

/* A run for real: one case, one process, a call with the inputs of each of the rounds. */
struct gk_judge_run {
	size_t number; /* to be given back */
	size_t case_index;
	int rounds[GK_JUDGE_RUN_CALLS];
	size_t count;
	int times; /* the last call is made so often, and timed; 0: it is one like the others */
};
/* What came of a call. */
struct gk_judge_call {
	const struct gk_judge_data *data; /* of its round */
	const struct gk_outputs *outputs; /* compared; NULL: gk_judge_call_fits() says that there is nothing to compare */
};

struct gk_judge_action {
	enum gk_judge_action_kind kind;
	int take;                             /* CAPTURE */
	char salt[33];                        /* CAPTURE */
	const struct gk_judge_lowering *lowering; /* LOWER */
	struct gk_judge_execution *execution;     /* EXECUTE; borrowed until it was told */
	const struct gk_judge_timing *timing;     /* TIME; likewise */
	const struct gk_judge_run *run;           /* RUN; likewise */
	struct gk_verdict *verdict;           /* DONE; move it out: *verdict = {0} afterwards */
};

struct gk_cascade;

struct gk_cascade *gk_cascade_new(const struct gk_judge_setup *setup);
void gk_cascade_free(struct gk_cascade *cascade);

/* The next thing to do; false: something must be told first. Nothing follows DONE. */
bool gk_cascade_next(struct gk_cascade *cascade, struct gk_judge_action *action);

/* Where the inputs of a round come from. Equal for all candidates of a run. */
uint64_t gk_judge_seed(const struct gk_judge_setup *setup, size_t case_index, int round);
const char *gk_judge_distribution(const struct gk_judge_setup *setup, size_t case_index, int round);
/* The special values of a round, 0 but for GK_JUDGE_SPECIAL_ROUND. */
unsigned gk_judge_specials(const struct gk_judge_setup *setup, size_t case_index, int round);
/* The round whose inputs a take is captured with, and whose scalars that stand for data its rounds use. */
int gk_judge_take_round(int take);

void gk_cascade_linted(struct gk_cascade *cascade, const struct gk_lint_result *result, double ms);
/* data: one per case, of the take's round (of perf alone and without data scalars: of round 0), outputs included;
 * borrowed for the call. */
void gk_cascade_captured(struct gk_cascade *cascade, int take, const struct gk_judge_data *data,
                         const struct gk_capture_result *result, double ms);
/* ms: since the first lowering was asked for. */
void gk_cascade_lowered(struct gk_cascade *cascade, size_t number, const struct gk_lower_result *result, double ms);
/*
 * outputs: compared; NULL where the launcher has died or there is a finding. Of two paired executions, the outputs
 * of the one that is told last have been compared with the other's (gk_outputs_repeat). ms: since the first execution
 * was asked for.
 */
void gk_cascade_executed(struct gk_cascade *cascade, size_t number, const struct gk_judge_data *data,
                         const struct gk_execute_result *result, const struct gk_outputs *outputs, double ms);
/*
 * reference: of the same setup but for the candidate; it is DONE, has passed, and was itself measured against
 * itself (the noise floor). It must outlive this one; it may be this one. NULL: there is none, why says it
 * in words, and speed stays unmeasured.
 */
void gk_cascade_reference(struct gk_cascade *cascade, const struct gk_cascade *reference, const char *why);
/* As executed; outputs of both sides. */
void gk_cascade_timed(struct gk_cascade *cascade, size_t number, const struct gk_judge_data *data,
                      const struct gk_time_result *result, const struct gk_outputs *a, const struct gk_outputs *b,
                      double ms);
/* calls: one for each of the run's. ms: since the first run was asked for. */
void gk_cascade_ran(struct gk_cascade *cascade, size_t number, const struct gk_capture_result *result,
                    const struct gk_judge_call *calls, double ms);
/* It could not be run, for a reason of ours: a confirmation is missing then, what rests on runs alone is INFRA. */
void gk_cascade_not_run(struct gk_cascade *cascade, size_t number, const struct gk_err *why);
/* Whether the outputs of a call may be compared: it was told, once, and what was returned is what is declared. */
bool gk_judge_call_fits(const struct gk_judge_setup *setup, const struct gk_judge_data *data,
                        const struct gk_capture_result *result, size_t call);
/* Whether the verdict may be called sealed: a self-test of the device has passed on its node, or it needs none. */
void gk_cascade_trust(struct gk_cascade *cascade, bool is_trusted);
/* A failure of ours: the verdict will be INFRA. */
void gk_cascade_failed(struct gk_cascade *cascade, const struct gk_err *why);

/* The plans of a take once it was captured, or NULL; for `geak capture`. Valid until gk_cascade_free(). */
const struct gk_plan *gk_cascade_plan(const struct gk_cascade *cascade, int take, size_t case_index);

#endif
