/*
 * Suites, tasks and cases, read from folders (docs/task.md). Reads files,
 * nothing else: no Python is run here.
 */
#ifndef GK_TASK_TASK_H
#define GK_TASK_TASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "num/dtype.h"

#define GK_TASK_MAX_CASES  256
#define GK_TASK_MAX_PARAMS 32

enum gk_param_kind { GK_PARAM_TENSOR, GK_PARAM_INT, GK_PARAM_FLOAT, GK_PARAM_BOOL, GK_PARAM_STRING };

struct gk_param {
	const char *name;
	enum gk_param_kind kind;
	bool optional;            /* has a default in the declared signature */
	const char *default_text; /* Python literal, or NULL */
	bool data;                /* a scalar that stands for data: drawn per run, must not steer the plan */
	bool in_place;            /* the candidate may write this tensor */
	bool ordinary;            /* special values are not put into this tensor */
};

struct gk_return {
	const char *name;
	const char *dtype; /* torch name, or "like:PARAM" */
};

/* Values that a round of a case may put among its floats. A set of them is an OR of 1 << value. */
enum gk_special {
	GK_SPECIAL_NAN,
	GK_SPECIAL_INF,
	GK_SPECIAL_MINUS_INF,
	GK_SPECIAL_MINUS_ZERO,
	GK_SPECIAL_SUBNORMAL, /* of either sign */
	GK_SPECIAL_MAX,       /* the format's largest finite number */
	GK_SPECIAL_MINUS_MAX,
	GK_SPECIAL_COUNT
};
extern const char *const gk_special_names[]; /* "nan" "inf" "-inf" "-0.0" "subnormal" "max" "-max" NULL */

/* One set of parameters. json holds exactly the parameters, as the oracle gets them. */
struct gk_case {
	const char *id; /* "M=1823,N=781,dtype=float32", keys in the order of the file */
	json_t *params; /* owned by the task */
	bool exec, perf, cpu, held_out;
	bool misaligned;   /* tensors begin at an address that is aligned to their elements alone */
	unsigned specials; /* a further round with these among the inputs; 0: none */
};

enum gk_operation { GK_OP_ELEMENTWISE, GK_OP_REDUCTION, GK_OP_DOT, GK_OP_EXACT };

/* operation and length ("K": a case parameter with the number of terms) choose a row of the judge's table. */
struct gk_task_tolerance {
	enum gk_operation operation;
	const char *length; /* case parameter that holds K, or NULL */
	bool overridden;
	double rtol, atol; /* only when overridden; reason says why */
	const char *reason;
};

struct gk_task {
	struct gk_arena arena;
	const char *id, *title, *category, *origin, *folder; /* folder: absolute path */
	int difficulty;        /* 1 .. 5 */
	const char *entry;     /* name of the function */
	const char *signature; /* "softmax(x: Tensor) -> Tensor" for prompts and people */
	struct gk_param *params;
	size_t param_count;
	struct gk_return *returns;
	size_t return_count;
	struct gk_task_tolerance tolerance;
	const char **distributions; /* value distributions the oracle knows: "normal", "uniform", "large", ... */
	size_t distribution_count;
	bool contained;     /* what cannot be captured may be judged by running it, in the sandbox */
	bool allow_fills;   /* outputs may come from fills and copies, not only from launches */
	const char **allow; /* framework operations allowed on the path, by schema name */
	size_t allow_count;
	unsigned specials;   /* of cases that do not say, and of held-out ones */
	bool signed_zeros;   /* where exactly zero is expected, its sign counts */
	bool deterministic;  /* two executions must agree bit for bit */
	struct gk_case *cases;
	size_t case_count;
	json_t *held_out;        /* generator: docs/task.md; NULL when there is none */
	json_t *drawn;           /* parameters of the held-out cases that were drawn: kept alive with the task */
	const char *instruction; /* text of instruction.md */
	const char *reference;   /* text of reference.py */
	size_t reference_size;
	const char *oracle_path;
	char hash[65]; /* of all its files */
};

struct gk_suite {
	struct gk_arena arena;
	const char *id, *title, *folder;
	struct gk_task **tasks;
	size_t task_count;
};

/* folder holds task.yaml. Errors name file, line and field. */
struct gk_task *gk_task_read(const char *folder, struct gk_err *e);
void gk_task_free(struct gk_task *task);

struct gk_suite *gk_suite_read(const char *folder, struct gk_err *e);
void gk_suite_free(struct gk_suite *suite);

/*
 * What a user names: a folder with task.yaml or suite.yaml, the name of a
 * suite in suites_folder ("starter"), a task in it ("starter/flip"), or a task
 * id that is unique over all suites. An unknown name is refused with the nearest.
 */
struct gk_suite *gk_target_find(const char *suites_folder, const char *target, struct gk_err *e);

/* Draws count cases from the held-out generator, reproducibly from seed; they live in the task's arena. */
int gk_task_draw_held_out(struct gk_task *task, uint64_t seed, size_t count, struct gk_case **cases, size_t *drawn,
                          struct gk_err *e);

#endif
