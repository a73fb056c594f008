/*
 * The runner seam: everything that run/ asks of other processes, as one table
 * of functions, so that tests can script the answers. The real one is the pool
 * (pool.h).
 *
 * One loop, one thread. No function calls back from within; exactly one
 * callback per request follows, unless it is cancelled or the runner closed.
 * Requests are borrowed for the duration of the call (descriptors are
 * duplicated, JSON and texts are copied). Results are borrowed for the
 * duration of the callback; a descriptor in a result is taken over by
 * gk_fd_steal(), the rest is closed afterwards.
 *
 * err is NULL, or our own failure (never the candidate's): the other fields
 * of the result are then empty. GK_ERR_INPUT means that the task's own code
 * is at fault (an oracle that raises), GK_ERR_SYSTEM and INTERNAL that we are.
 */
#ifndef GK_POOL_RUNNER_H
#define GK_POOL_RUNNER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fact/object.h"

struct gk_ir;

/* ---- lint: the oracle reads the candidate's syntax tree ---- */

struct gk_lint_request {
	json_t *entry; /* {"name", "params": [names]} */
	const char *source;
	size_t size;
};
struct gk_lint_result {
	const struct gk_err *err;
	bool passed;
	const char *kind, *message; /* "" when passed */
	int line;
	const json_t *notes; /* array of strings, or NULL */
};
typedef void gk_lint_fn(void *ctx, const struct gk_lint_result *result);

/* ---- inputs, expected: the task's own Python ---- */

struct gk_inputs_request {
	const char *task_folder;
	json_t *params; /* the case's parameters (gk_case.params) */
	uint64_t seed;  /* 63 bits are used */
	const char *distribution;
	json_t *specials, *ordinary; /* arrays of special values and of the tensors without any, or NULL */
	bool misaligned;
};
struct gk_expected_request {
	const char *task_folder;
	json_t *params;
	json_t *args;   /* as inputs gave them */
	const int *fds; /* storages of the tensor args, in order */
	size_t fd_count;
};
/* tensors: inputs: [arg] (docs/protocol.md); expected: [tensor + "declared"]. fds: one per tensor, in order.
 */
struct gk_tensors_result {
	const struct gk_err *err;
	json_t *tensors;
	int *fds;
	size_t fd_count;
};
typedef void gk_tensors_fn(void *ctx, const struct gk_tensors_result *result);

/* ---- capture: the candidate's Python, in the sandbox ---- */

struct gk_capture_limits {
	int64_t wall_ms, cpu_s, memory_bytes, processes, file_bytes, output_bytes; /* 0: the pool's default */
};
struct gk_capture_request {
	json_t *entry;      /* {"name", "params"} */
	json_t *cases;      /* [{"id", "args": [arg]}]; no data in it */
	json_t *allow;      /* array of schema names, or NULL */
	const char *target; /* "cpu", "sm_90", ... */
	const char *salt;   /* hex, other for every capture */
	const char *source;
	size_t size;
	struct gk_capture_limits limits;
};

enum gk_capture_end {
	GK_CAPTURE_EXITED,        /* code is the exit status */
	GK_CAPTURE_SIGNALED,      /* code is the signal */
	GK_CAPTURE_TIMED_OUT,     /* killed at the wall deadline */
	GK_CAPTURE_FLOODED,       /* killed: more output, claims or files than allowed */
	GK_CAPTURE_OVER_MEMORY,   /* killed: its processes took more memory together than allowed */
	GK_CAPTURE_KILLED_ZYGOTE, /* its zygote died under it twice */
};
struct gk_captured_module {
	char hash[65]; /* SHA-256 of the text, recomputed by the pool */
	const char *text;
	size_t size;
};
/* What the candidate's process claims, in the order it came. json is the frame's: docs/protocol.md. */
enum gk_claim_kind { GK_CLAIM_PLAN, GK_CLAIM_CANNOT, GK_CLAIM_RAISED, GK_CLAIM_RAN, GK_CLAIM_MARK };
struct gk_claim {
	enum gk_claim_kind kind;
	int64_t case_index; /* -1: at import */
	json_t *json;       /* PLAN: the plan itself; else the frame's object */
	int64_t came_ns;    /* by our clock */
};
struct gk_capture_result {
	const struct gk_err *err;
	enum gk_capture_end end;
	int code;
	bool complete;         /* `end` came, whole, and nothing after it */
	const char *malformed; /* what was wrong with the claims (forged frames, lying hashes), or NULL */
	const struct gk_captured_module *modules;
	size_t module_count;
	const struct gk_claim *claims;
	size_t claim_count;
	const char
		*output; /* tail of stdout and stderr, zero-terminated, at most 64 KiB kept, foreign bytes */
	size_t output_size;
	uint64_t output_total; /* bytes that came */
	int64_t cpu_ms, max_rss_bytes, wall_ms;
};
typedef void gk_capture_fn(void *ctx, const struct gk_capture_result *result);

/* ---- contain: the candidate's Python for real, on data, in the sandbox with the device ---- */

/*
 * One process, the entry called once for each of calls. The result is that of
 * a capture, with claims RAN (one for each call, case_index is its number), RAISED and
 * MARK. Its whole tree has ended when the callback runs: nobody can write into
 * output_fds any more, and the caller may read them.
 */
struct gk_contain_request {
	json_t *entry;      /* {"name", "params"} */
	json_t *calls;      /* [{"args": [arg], "outputs": [bytes of each memory file]}]; of arg "in_place": true may be
	                       written */
	json_t *allow;      /* array of schema names, or NULL */
	const char *target;
	const char *source;
	size_t size;
	const int *input_fds;  /* storages of the tensor args, call by call */
	size_t input_count;
	const int *output_fds; /* writable, dense, of their final size; call by call */
	size_t output_count;   /* both together at most GK_CONTAIN_MAX_FDS */
	int timed;             /* end to end: so many calls back to back, over the inputs in turn; 0: none */
	struct gk_capture_limits limits;
};
#define GK_CONTAIN_MAX_FDS 58

/* ---- lower: a kernel's IR, to a code object ---- */

struct gk_lower_request {
	const char *target;     /* "sm_90", "gfx942", ...: not "cpu" */
	const char *ttir;       /* SHA-256 of the module's text as the plan names it */
	const struct gk_ir *ir; /* the module as it was read; what is lowered is its canonical text */
	json_t *options;        /* of the plan's kernel: allow-listed scalars */
	int64_t wall_ms;        /* 0: the pool's default */
};
/* Exactly one of err, object, rejected and death says what came of it; the others are NULL. */
struct gk_lower_result {
	const struct gk_err *err;
	const struct gk_object *object;
	const void *code; /* the bytes of object, borrowed */
	size_t size;
	const char *rejected; /* why there is none: the compiler's log, foreign text; may be "" */
	const char *death;    /* the worker died under it twice, each time a fresh one: "ended by signal 11 (..)" */
	bool timed_out;       /* the last death was our kill at the deadline */
	bool cached;          /* it was known from an earlier lowering */
	int64_t ms;           /* from the request to here */
};
typedef void gk_lower_fn(void *ctx, const struct gk_lower_result *result);

/* ---- execute: a plan, on the launcher's device ---- */

struct gk_execute_module {
	const char *hash; /* hex */
	const char *text;
	size_t size;
};
/* Of a kernel of the plan, for devices other than the machine. */
struct gk_execute_object {
	uint32_t kernel; /* index in the plan */
	const struct gk_object *object;
	const void *code;
	size_t size;
};
struct gk_execute_request {
	json_t *plan;
	const struct gk_execute_module *modules;
	size_t module_count;
	const struct gk_execute_object *objects;
	size_t object_count;
	const int *input_buffers; /* plan buffer index of each input storage */
	const int *input_fds;
	size_t input_count;
	const int *output_fds; /* writable memory files, contiguous size of each plan output; sealed by the
	                          caller afterwards */
	size_t output_count;
	uint64_t seed;   /* 63 bits are used */
	int64_t budget;  /* operations; 0: the launcher's default */
	int threads;     /* 0: the launcher's default */
	int64_t wall_ms; /* 0: the pool's default */
};
struct gk_execute_result {
	const struct gk_err *err;
	bool died; /* the launcher died under this plan, twice, on fresh processes: a crash of the plan */
	bool timed_out;    /* the last death was our kill at the deadline */
	const char *death; /* words for it ("killed by signal 11 (SIGSEGV)"), "" unless died */
	json_t *executed;  /* the frame's object {"finding", "changed", "outputs", "counts", "notes", "ms"};
	                      NULL when died */
};
typedef void gk_execute_fn(void *ctx, const struct gk_execute_result *result);

/* ---- time: two plans against each other, on the launcher's GPU (docs/protocol.md, `time`) ---- */

struct gk_time_helper {
	const char *name; /* as gk_helper_list() names it */
	const struct gk_object *object;
	const void *code;
	size_t size;
};
struct gk_time_side {
	json_t *plan;                            /* its choose steps are kept */
	json_t *variants;                        /* array, per choose step of the plan's steps, of arrays of variant indexes */
	const struct gk_execute_object *objects; /* of every kernel that is launched, allowed variants included */
	size_t object_count;
	const int *input_buffers; /* plan buffer and, in the same place, index among the request's inputs */
	const int *input_indexes;
	size_t input_count;
	const int *output_fds; /* as of an execution */
	size_t output_count;
	bool is_known; /* its outputs were judged before: they are not sent back, and there is no output_fds */
};
struct gk_time_request {
	struct gk_time_side a, b; /* a is what b is measured against */
	bool is_solo;             /* there is no b */
	const struct gk_time_helper *helpers;
	size_t helper_count;
	const int *input_fds;
	size_t input_count;
	uint64_t seed;     /* 63 bits are used */
	double cap_ms;     /* of the GPU's time; 0: the launcher's default */
	double half_width; /* of the interval of log(a/b), at which to stop; 0: the launcher's default */
	int loads;         /* of each code object; 0: the launcher's default */
	int64_t wall_ms;   /* 0: the pool's default */
};
struct gk_time_result {
	const struct gk_err *err;
	bool died, timed_out; /* as of an execution */
	const char *death;
	json_t *timed; /* the frame's object; NULL when died */
};
typedef void gk_time_fn(void *ctx, const struct gk_time_result *result);

/* ---- the table ---- */

struct gk_runner;
struct gk_runner_ops {
	uint64_t (*lint)(struct gk_runner *runner, const struct gk_lint_request *request, gk_lint_fn *fn, void *ctx);
	uint64_t (*inputs)(struct gk_runner *runner, const struct gk_inputs_request *request, gk_tensors_fn *fn,
	                   void *ctx);
	uint64_t (*expected)(struct gk_runner *runner, const struct gk_expected_request *request, gk_tensors_fn *fn,
	                     void *ctx);
	uint64_t (*capture)(struct gk_runner *runner, const struct gk_capture_request *request, gk_capture_fn *fn,
	                    void *ctx);
	uint64_t (*execute)(struct gk_runner *runner, const struct gk_execute_request *request, gk_execute_fn *fn,
	                    void *ctx);
	void (*cancel)(struct gk_runner *runner, uint64_t id); /* its callback will not run; unknown ids are fine */
	/* The "facts" object of a role's hello ("zygote", "oracle", "lowering", "launcher") as JSON text, or NULL before one has started; borrowed. */
	const char *(*facts)(struct gk_runner *runner, const char *role);
	void (*close)(struct gk_runner *runner); /* frees; no callback runs any more */
	uint64_t (*lower)(struct gk_runner *runner, const struct gk_lower_request *request, gk_lower_fn *fn, void *ctx);
	uint64_t (*time)(struct gk_runner *runner, const struct gk_time_request *request, gk_time_fn *fn, void *ctx);
	/* NULL: nothing can be run for real. */
	uint64_t (*contain)(struct gk_runner *runner, const struct gk_contain_request *request, gk_capture_fn *fn, void *ctx);
};
/* First member of every runner's own struct. */
struct gk_runner {
	const struct gk_runner_ops *ops;
};

/* Numbers are never 0. */
static inline uint64_t gk_runner_lint(struct gk_runner *r, const struct gk_lint_request *q, gk_lint_fn *fn,
                                      void *ctx)
{
	return r->ops->lint(r, q, fn, ctx);
}

static inline uint64_t gk_runner_inputs(struct gk_runner *r, const struct gk_inputs_request *q,
                                        gk_tensors_fn *fn, void *ctx)
{
	return r->ops->inputs(r, q, fn, ctx);
}

static inline uint64_t gk_runner_expected(struct gk_runner *r, const struct gk_expected_request *q,
                                          gk_tensors_fn *fn, void *ctx)
{
	return r->ops->expected(r, q, fn, ctx);
}

static inline uint64_t gk_runner_capture(struct gk_runner *r, const struct gk_capture_request *q,
                                         gk_capture_fn *fn, void *ctx)
{
	return r->ops->capture(r, q, fn, ctx);
}

static inline uint64_t gk_runner_execute(struct gk_runner *r, const struct gk_execute_request *q,
                                         gk_execute_fn *fn, void *ctx)
{
	return r->ops->execute(r, q, fn, ctx);
}

static inline uint64_t gk_runner_lower(struct gk_runner *r, const struct gk_lower_request *q, gk_lower_fn *fn,
                                       void *ctx)
{
	return r->ops->lower(r, q, fn, ctx);
}

static inline uint64_t gk_runner_time(struct gk_runner *r, const struct gk_time_request *q, gk_time_fn *fn,
                                      void *ctx)
{
	return r->ops->time(r, q, fn, ctx);
}

static inline bool gk_runner_can_contain(const struct gk_runner *r)
{
	return r->ops->contain != NULL;
}

static inline uint64_t gk_runner_contain(struct gk_runner *r, const struct gk_contain_request *q, gk_capture_fn *fn,
                                         void *ctx)
{
	return r->ops->contain(r, q, fn, ctx);
}

static inline void gk_runner_cancel(struct gk_runner *r, uint64_t id)
{
	r->ops->cancel(r, id);
}

static inline const char *gk_runner_facts(struct gk_runner *r, const char *role)
{
	return r->ops->facts(r, role);
}

static inline void gk_runner_close(struct gk_runner *r)
{
	if (r)
		r->ops->close(r);
}

#endif
