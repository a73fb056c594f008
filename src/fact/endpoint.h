/*
 * The model seam: something that answers prompts (live, replay, spool).
 *
 * One loop, one thread. start() never blocks and never calls back from within
 * itself; exactly one callback per request follows (unless the endpoint is
 * closed first). Endpoints retry transient faults themselves; what they report
 * is final for that request.
 */
#ifndef GK_FACT_ENDPOINT_H
#define GK_FACT_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fact/usage.h"

/* Borrowed by start() for the duration of the call only. */
struct gk_model_request {
	uint64_t id;               /* the asker's number: journal's ask.id */
	const char *task, *role;   /* "row_softmax", "generator" | "reflector" | "optimizer" */
	int trajectory, step;      /* for people and file names */
	int ordinal;               /* how many requests of this (task, trajectory, role) came before */
	int sample;                /* part of the answer's key: (model, params, prompt hash, sample) */
	const char *system, *user; /* the prompt, UTF-8 */
	const char *prompt_hash;   /* hex SHA-256 of system + "\0" + user */
	double temperature;
	int64_t max_tokens;        /* of the answer; 0: the endpoint's default */
};

enum gk_answer_status {
	GK_ANSWER_OK,        /* text is the model's whole answer */
	GK_ANSWER_REFUSED,   /* this prompt will never be answered (too long, content filter, not in the replay file) */
	GK_ANSWER_EXHAUSTED, /* retries ran out; a later run may succeed: the run stops resumable */
	GK_ANSWER_FATAL,     /* nothing will be answered (401, no such model): stop the run; err says why */
};

struct gk_model_answer {
	uint64_t id;
	enum gk_answer_status status;
	const char *text; /* borrowed; "" unless OK */
	size_t size;
	const char *finish; /* "stop", "length", ... as reported */
	struct gk_usage usage;
	int sends;          /* HTTP requests that were made for it */
	struct gk_err err;  /* filled unless OK */
	const char *warning; /* e.g. replay: the prompt has changed since it was recorded; or NULL */
};

typedef void gk_answer_fn(void *ctx, const struct gk_model_answer *answer);
/* Each HTTP send as it starts (ended 0) and ends, for the ledger; may be NULL. */
typedef void gk_send_fn(void *ctx, uint64_t id, int send, int64_t started_ns, int64_t ended_ns, int http_status,
                        const char *outcome);

struct gk_endpoint;
struct gk_endpoint_ops {
	int (*start)(struct gk_endpoint *endpoint, const struct gk_model_request *request, struct gk_err *e);
	void (*close)(struct gk_endpoint *endpoint); /* abandons what is in flight and frees */
};
/* First member of every endpoint's own struct. */
struct gk_endpoint {
	const struct gk_endpoint_ops *ops;
	char name[128];   /* "openai:gpt-4.1", "replay:FILE", as the user wrote it */
	int max_parallel; /* requests worth starting at once */
	gk_answer_fn *answered;
	gk_send_fn *sent;
	void *ctx; /* handed to answered and sent */
};

#endif
