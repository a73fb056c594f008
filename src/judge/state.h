/* Inside of the cascade: what its parts share. */
#ifndef GK_JUDGE_STATE_H
#define GK_JUDGE_STATE_H

#include "base/arena.h"
#include "base/vec.h"
#include "cascade.h"
#include "describe.h"
#include "ir/ir.h"

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
	const char *printed; /* by device_print, or NULL */
	struct failing failing;
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
	struct failing exec;    /* of the first failing trial, in the order of trials */
	bool is_tried;
};

enum phase { PHASE_LINT, PHASE_CAPTURE, PHASE_LOWER, PHASE_EXECUTE, PHASE_DONE };

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
	struct GK_VEC(struct module) modules;
	struct failing overall[2]; /* per take, without a case: lint (0), import, a crash in capture */
	int decisive;              /* the take whose failures are told */
	struct GK_VEC(struct lowering *) lowerings;
	size_t next_lowering;         /* to be issued */
	bool is_compiled;             /* every kernel that is launched has an object */
	uint32_t dropped, dropped_of; /* configurations of an autotuned kernel without an object, of how many */
	const char *dropped_why;
	struct GK_VEC(struct trial *) trials;
	size_t next_trial; /* to be issued */
	size_t next_case;  /* not yet in a wave */
	size_t wave_first; /* trial with which the wave under way begins */
	bool is_failing;   /* a wave had a failure: one more, then the verdict */
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
void lowering_start(struct gk_cascade *c); /* what the plans launch */
void lowering_free(struct lowering *lowering);
struct lowering *lowering_of(const struct gk_cascade *c, const struct gk_plan_kernel *kernel); /* or NULL */
/* True when nothing is left to be told. */
bool lowering_told(struct gk_cascade *c, size_t number, const struct gk_lower_result *result);
/* Leaves out configurations without an object. False: some case cannot be launched, its call part says why. */
bool lowering_end(struct gk_cascade *c);
json_t *lowering_kernels(const struct gk_cascade *c); /* of the verdict; new reference */

/* trial.c */
struct trial *trial_new(struct gk_cascade *c, size_t case_index, int round, int variant);
void trial_free(struct trial *trial);
void trial_judge(struct gk_cascade *c, struct trial *trial, const struct gk_judge_data *data,
                 const struct gk_execute_result *result, const void *const *got, const void *const *want);

/* outcome.c */
void write_verdict(struct gk_cascade *c);

/* A failure whose words are copied from a buffer. */
struct failing failing_of(struct gk_cascade *c, enum gk_outcome outcome, const char *kind,
                          const struct gk_buf *words);

#endif
