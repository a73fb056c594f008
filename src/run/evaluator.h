/*
 * Judges candidates: owns the pool of peers (zygote, oracle, launcher, ...),
 * steps one judge state machine per candidate and performs its actions.
 * Used by `geak eval` and by the engine of `geak run` alike. One loop, one thread.
 */
#ifndef GK_RUN_EVALUATOR_H
#define GK_RUN_EVALUATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "fact/verdict.h"

struct gk_loop;
struct gk_task;
struct gk_evaluator;

/* --evidence: what verdicts may rest on. */
enum gk_evidence_wanted { GK_EVIDENCE_ANY, GK_EVIDENCE_SEALED_ONLY };
extern const char *const gk_evidence_wanted_names[]; /* "any" "sealed" NULL */

struct gk_evaluator_options {
	const char *target;            /* "auto", "cpu", "sm_90", "gfx942", ... */
	bool on_gpu;                   /* plans are executed on a GPU; set by gk_evaluator_open() */
	uint8_t secret[GK_HASH_BYTES]; /* every seed, distribution and held-out shape is drawn from it */
	int parallel;                  /* candidates under way at once; 0: number of cores */
	int rounds;                    /* secret seeds per case; 0: default */
	bool skip_perf;                /* nothing is timed; else a GPU measures what has passed */
	double cap_ms, half_width;     /* of each timing, as of a gk_time_request; 0: the launcher's defaults */
	int confirm_one_in;            /* of so many passes one is run for real, by a secret draw; 1: each, 0: none */
	bool sealed_only;              /* --evidence sealed: nothing is judged contained */
	int end_to_end;                /* calls of which an end-to-end figure is made; 0: none */
	const char *launcher;          /* command line of a launcher elsewhere, or NULL: GEAK_LAUNCHER, else our own */
};

/* verdict is owned by the callee (gk_verdict_release()). With outcome GK_INFRA its message says what failed
 * of ours. */
typedef void gk_verdict_fn(void *ctx, uint64_t id, struct gk_verdict *verdict);

struct gk_evaluator *gk_evaluator_open(struct gk_loop *loop, const struct gk_evaluator_options *options,
                                       struct gk_err *e);
void gk_evaluator_close(struct gk_evaluator *evaluator); /* kills all peers and their trees */

/* source is copied; task must outlive the callback. Never calls back from within. Returns the number of the
 * job. */
uint64_t gk_evaluator_submit(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                             size_t size, gk_verdict_fn *done, void *ctx);

/* The same text for the same task is known or under way: a submit now gets that verdict. */
bool gk_evaluator_knows(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source, size_t size);

/* Another secret from now on: as a new evaluator, with the same peers. Nothing that was submitted may be under way, and
 * not from within a verdict's callback. */
void gk_evaluator_renew(struct gk_evaluator *evaluator, const uint8_t secret[GK_HASH_BYTES]);

/*
 * As submit, but measured against another source (copied) than the task's
 * reference: `geak bench A B`. Nothing but time is compared with it. When it does
 * not pass itself, the speedup is not measured and a note of the verdict says why.
 */
uint64_t gk_evaluator_submit_against(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                                     size_t size, const char *against, size_t against_size, gk_verdict_fn *done,
                                     void *ctx);

/* Whether plans are executed on a GPU, hence timed. */
bool gk_evaluator_is_on_gpu(const struct gk_evaluator *evaluator);

/* Whether candidates can be run for real: not on a GPU that a launcher elsewhere serves. */
bool gk_evaluator_can_contain(const struct gk_evaluator *evaluator);

/* What peers said of themselves in their hello, for `fact` rows and reports; borrowed, NULL before they
 * started. */
const char *gk_evaluator_facts(struct gk_evaluator *evaluator, const char *role);

#endif
