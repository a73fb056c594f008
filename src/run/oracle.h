/*
 * What the oracle says, kept: inputs and expected values by (task, case, seed,
 * distribution), shared by all candidates of a run, as sealed memory files.
 * Nothing here belongs to a candidate. Sets that nobody uses are dropped, the
 * longest unused first, when they exceed the ceiling.
 */
#ifndef GK_RUN_ORACLE_H
#define GK_RUN_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "judge/data.h"
#include "pool/runner.h"
#include "task/task.h"

enum oracle_state { ORACLE_EMPTY, ORACLE_ASKED, ORACLE_READY, ORACLE_FAILED };

struct oracle_set;
/* The set is READY or FAILED (set->err says why). */
typedef void oracle_fn(void *ctx, struct oracle_set *set);

struct oracle_waiter {
	oracle_fn *fn;
	void *ctx;
};

struct oracle_set {
	struct oracle *oracle;
	enum oracle_state state;
	const struct gk_task *task;
	json_t *params;
	uint64_t seed;
	char *distribution;
	json_t *specials, *ordinary; /* arrays of names, or NULL */
	bool misaligned;
	json_t *pinned; /* args whose data scalars replace the drawn ones, or NULL */
	json_t *args, *outputs;
	int *input_fds, *want_fds;
	size_t input_count, want_count;
	struct gk_judge_data data; /* valid when READY */
	struct gk_err err;
	size_t bytes;
	int users; /* an unused set may be dropped */
	uint64_t last_used;
	uint64_t request;
	struct GK_VEC(struct oracle_waiter) waiters;
};

struct oracle {
	struct gk_runner *runner;
	struct gk_map sets; /* key -> struct oracle_set */
	size_t bytes, ceiling;
	uint64_t tick;
};

void oracle_init(struct oracle *oracle, struct gk_runner *runner, size_t ceiling);
void oracle_release(struct oracle *oracle); /* before the runner is closed */

/* One more user; asks when it is not there. When not READY yet, wait. specials: a set of them, 0 for none. */
struct oracle_set *oracle_get(struct oracle *oracle, const struct gk_task *task, const struct gk_case *c,
                              uint64_t seed, const char *distribution, unsigned specials, json_t *pinned,
                              const char *pin_name);
/* Calls fn once, later; never from within. Only for sets that are ASKED. */
void oracle_wait(struct oracle_set *set, oracle_fn *fn, void *ctx);
void oracle_forget(struct oracle_set *set, const void *ctx);
void oracle_put(struct oracle_set *set); /* one user less */

/* Expected values of output i: contiguous bytes, mapped or copied. */
struct oracle_bytes {
	const void *bytes;
	void *mapped; /* what to unmap */
	size_t mapped_size;
	void *copied; /* what to free */
};
int oracle_want(const struct oracle_set *set, size_t i, struct oracle_bytes *bytes, struct gk_err *e);
void oracle_bytes_release(struct oracle_bytes *bytes);

#endif
