/*
 * Models by name: what `-m` takes. Each is a struct gk_endpoint (fact/endpoint.h) on the caller's loop.
 *
 *     openai:NAME    a server that speaks the chat completions format, over HTTPS
 *     replay:FILE    answers recorded before
 *     spool:DIR      each prompt becomes a file, the answer is awaited as a file
 */
#ifndef GK_LLM_LLM_H
#define GK_LLM_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "fact/endpoint.h"

struct gk_loop;

/* All zero and NULL: the defaults. Strings are copied by gk_llm_open(). */
struct gk_llm_options {
	const char *base_url;       /* NULL: $GEAK_BASE_URL, else https://api.openai.com/v1 */
	const char *key_file;       /* NULL: $GEAK_API_KEY, else $OPENAI_API_KEY, else no key */
	const char *ca_file;        /* NULL: the system's */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const char *prices_file;    /* NULL: prices are unknown */
	int max_parallel;           /* 0: 8 */
	int max_sends;              /* HTTP requests per prompt, at most; 0: 6 */
	int stall_ms;               /* no byte for so long ends a send; 0: 300 s */
	int connect_ms;             /* 0: 20 s */
	int backoff_ms;             /* first pause, doubled each time, with jitter; 0: 1000 */
	int backoff_max_ms;         /* also the most that Retry-After is obeyed; 0: 60 s */
	bool no_stream;             /* one JSON answer instead of server-sent events */
	bool replay_strict;         /* replay: only by prompt hash */
	int poll_ms;                /* spool: 0: 500 */
};

/*
 * answered is called once per started request, sent (may be NULL) at the start
 * and end of each HTTP request. An unknown scheme or a file that cannot be
 * used is GK_ERR_INPUT. Whether a server is there shows with the first request.
 */
struct gk_endpoint *gk_llm_open(const char *model, const struct gk_llm_options *options, struct gk_loop *loop,
                                gk_answer_fn *answered, gk_send_fn *sent, void *ctx, struct gk_err *e);

static inline int gk_endpoint_start(struct gk_endpoint *endpoint, const struct gk_model_request *request,
                                    struct gk_err *e)
{
	return endpoint->ops->start(endpoint, request, e);
}

static inline void gk_endpoint_close(struct gk_endpoint *endpoint)
{
	if (endpoint)
		endpoint->ops->close(endpoint);
}

/* Which key would be used: "GEAK_API_KEY", "OPENAI_API_KEY" or NULL; never its value (geak doctor). */
const char *gk_llm_key_source(void);

/* One record of a replay file. Strings are borrowed; prompts may be NULL (left out). */
struct gk_replay_record {
	const char *task, *role, *model, *prompt_hash, *system, *user, *answer, *finish, *note;
	int trajectory, ordinal, sample;
	struct gk_usage usage;
};

/* Writes a replay file (docs/models.md): the first line, then one line per record. */
/* seed: what the recorded run drew its judging from (geak run --seed), so that a replay gives the same prompts; or NULL */
void gk_replay_add_header(struct gk_buf *out, const char *origin, const char *seed);
void gk_replay_add_record(struct gk_buf *out, const struct gk_replay_record *record);

/* The seed in an open replay file; NULL: it has none, or the endpoint is another. */
const char *gk_replay_seed(const struct gk_endpoint *endpoint);

#endif
