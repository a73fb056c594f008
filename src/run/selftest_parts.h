/* Inside of the selftest: plans of our own, how they are run, and the three groups of checks. */
#ifndef GK_RUN_SELFTEST_PARTS_H
#define GK_RUN_SELFTEST_PARTS_H

#include <stdint.h>

#include "base/arena.h"
#include "fact/object.h"
#include "ir/ir.h"
#include "loop/loop.h"
#include "num/random.h"
#include "pool/runner.h"
#include "selftest.h"

enum { SELFTEST_INPUTS = 8, SELFTEST_OUTPUTS = 4, SELFTEST_KERNELS = 4, SELFTEST_MODULES = 16 };

/* ---- the record (selftest_record.c) ---- */

/* {"schema_version", "build", "date", "facts", "lines": [], "passed": false}; new reference. */
json_t *selftest_new_record(const json_t *facts);
int selftest_keep(const json_t *facts, const json_t *result, struct gk_err *e);

/* ---- kernels ---- */

/* One of ours, from SHARE/selftest or of plan/helper.h, lowered once. */
struct selftest_module {
	const char *name; /* of the file and of the function in it */
	char *text;
	size_t size;
	char hash[GK_HEX_SIZE];
	struct gk_ir *ir;
	json_t *options;
	struct gk_object *object; /* NULL for the machine */
	void *code;
	size_t code_size;
};

struct selftest {
	const struct gk_selftest_options *options;
	struct gk_loop *loop;
	struct gk_runner *runner;
	struct gk_arena arena;
	const char *target;   /* "cpu", "sm_90", ... */
	const char *launcher; /* command line of another launcher, or NULL */
	bool on_gpu;
	bool has_clock; /* of the device */
	json_t *facts;  /* of the launcher; NULL before it spoke */
	json_t *lines;
	bool failed;
	struct gk_random random;
	struct selftest_module modules[SELFTEST_MODULES];
	size_t module_count;
};

/* Loads and lowers it; NULL with *e when that fails (ours, or the compiler refuses: both are no pass). */
struct selftest_module *selftest_module(struct selftest *test, const char *name, struct gk_err *e);
/* The launcher's own words of itself: reads the facts once they are there. */
void selftest_take_facts(struct selftest *test);
double selftest_fact(const struct selftest *test, const char *key); /* a number, 0 when it is not told */
int selftest_open_pool(struct selftest *test, const char *launcher, struct gk_err *e);

__attribute__((format(printf, 5, 6))) void selftest_tell(struct selftest *test, const char *group,
                                                         const char *name, enum gk_selftest_state state,
                                                         const char *format, ...);

/* ---- plans ---- */

struct selftest_plan {
	struct selftest *test;
	json_t *json;
	struct selftest_module *modules[SELFTEST_KERNELS];
	size_t module_count;
	struct {
		int buffer;
		const void *bytes; /* in the test's arena */
		size_t size;
	} inputs[SELFTEST_INPUTS];
	size_t input_count;
	size_t output_bytes[SELFTEST_OUTPUTS];
	size_t output_count;
	int buffer_count;
	int64_t budget, wall_ms; /* of the request; 0: the usual */
	struct gk_err err;       /* the first thing that went wrong in making it */
};

void selftest_plan_init(struct selftest_plan *plan, struct selftest *test);
void selftest_plan_release(struct selftest_plan *plan);
/* Return the buffer's number. bytes are borrowed until the plan has run. */
int selftest_plan_input(struct selftest_plan *plan, const void *bytes, size_t size);
int selftest_plan_buffer(struct selftest_plan *plan, size_t size);
void selftest_plan_output(struct selftest_plan *plan, int buffer, const char *dtype, int64_t count);
/* {"buf", "at": bytes, "dtype", "shape", "strides"} of up to two dimensions; new reference. */
json_t *selftest_view(int buffer, int64_t at, const char *dtype, int64_t count);
json_t *selftest_view2(int buffer, int64_t at, const char *dtype, const int64_t shape[2],
                       const int64_t strides[2]);
void selftest_plan_step(struct selftest_plan *plan, json_t *step); /* takes over the reference */
/*
 * form: of the arguments, one letter each: p buffer (int), P buffer and byte offset (int, int64_t), i an i32
 * (int), l an i64 (int64_t).
 */
void selftest_plan_launch(struct selftest_plan *plan, const char *module, int grid, const char *form, ...);

/* What came of an execution. */
struct selftest_ran {
	struct gk_err err; /* kind NONE: the launcher answered */
	bool died, timed_out;
	char death[256];
	json_t *executed;
	uint8_t *outputs[SELFTEST_OUTPUTS];
	const char *kind, *message; /* of the finding, "" */
	int64_t ms;
};
enum selftest_lie { SELFTEST_HONEST, SELFTEST_WRONG_CODE };
/* -1 only for what ends the selftest (interrupted). lie: what is said of the first kernel's code is not so.
 */
int selftest_execute(struct selftest_plan *plan, enum selftest_lie lie, struct selftest_ran *ran,
                     struct gk_err *e);
void selftest_ran_release(struct selftest_ran *ran);

/* ---- the clock (selftest_clock.c) ---- */

struct gk_helpers;

/* What came of timing plan a against plan b. */
struct selftest_timed {
	json_t *timed;                         /* docs/protocol.md; NULL: wrong says why */
	const char *wrong;                     /* in the arena */
	uint8_t *outputs[2][SELFTEST_OUTPUTS]; /* of a call of either; without with_outputs NULL */
};
int selftest_clock(struct selftest *test, struct gk_helpers *helpers, const struct selftest_plan *a,
                   const struct selftest_plan *b, bool with_outputs, struct selftest_timed *timed,
                   struct gk_err *e);
void selftest_timed_release(struct selftest_timed *timed);

/* What a plan in good order is told of: words for what speaks against it, or NULL. */
const char *selftest_complaint(struct selftest *test, const struct selftest_ran *ran);

/* ---- groups; -1 ends the selftest ---- */

int selftest_good(struct selftest *test, struct gk_err *e);
/* One known-good plan with new data. *words: what is wrong, or figures. In the arena. */
int selftest_add_once(struct selftest *test, bool *fine, const char **words, struct gk_err *e);
int selftest_bad(struct selftest *test, struct gk_err *e);
int selftest_time(struct selftest *test, struct gk_err *e);

float *selftest_floats(struct selftest *test, size_t count); /* small whole numbers: their sums are exact */

#endif
