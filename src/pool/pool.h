/*
 * The real runner: starts peers on demand, checks their hello, queues requests
 * by their slots, keeps deadlines, restarts what dies. Peers hold caches,
 * never state: every request is self-contained and can be asked again.
 *
 * Deaths: under a capture, a verdict of the candidate (gk_capture_result.end);
 * of a zygote, its captures are asked once more of a new one; of an oracle, asked
 * again, then an error; of a lowering worker, asked again of a fresh one, then
 * gk_lower_result.death; of a launcher likewise, then gk_execute_result.died. Three deaths running, with no answer between them,
 * are an error for everything that waits on that role.
 */
#ifndef GK_POOL_POOL_H
#define GK_POOL_POOL_H

#include "runner.h"

struct gk_loop;

struct gk_pool_options {
	const char *python;   /* path of the interpreter that has torch and triton */
	const char *worker;   /* folder that holds the package geak_worker */
	const char *program;  /* path of geak itself, for the launcher */
	const char *box;      /* path of libgeakbox.so, or NULL: without */
	const char *build;    /* local peers must name the same in their hello; NULL: not compared */
	const char *device;   /* the launcher's --device: "cpu" */
	const char *launcher; /* another command line for the launcher ("ssh HOST geak launcher"), run by sh,
	                         or NULL */
	int captures;         /* at once; 0: what the zygote's hello says */
	int contained;        /* candidates called for real at once; 0: on a GPU one, elsewhere what the hello says. One
	                         that is timed on a GPU, or has large tensors, is alone */
	int oracles, lowerings, launchers; /* processes; 0: one each */
	int64_t start_ms;     /* within which a peer must say hello; 0: 120 s (a cold import of torch) */
	int64_t answer_ms;    /* deadline of lint, inputs, expected; 0: 120 s */
	int64_t capture_ms;   /* of one capture; 0: GEAK_CAPTURE_SECONDS, else 40 s */
	int64_t lower_ms;     /* of one lowering; 0: GEAK_LOWER_SECONDS, else 90 s */
	const char *lowered;  /* folder of the cache of code objects, or NULL: the user's (docs/protocol.md) */
	int64_t lowered_bytes; /* its ceiling; 0: nothing is kept. Without lowered: GEAK_CACHE_MB decides */
};

/* Starts nothing yet. The strings are copied. */
struct gk_runner *gk_pool_open(struct gk_loop *loop, const struct gk_pool_options *options, struct gk_err *e);

#endif
