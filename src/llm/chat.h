/*
 * The chat completions format: what is sent, what comes back whole or as
 * events, and what a refusal means. No network here.
 */
#ifndef GK_LLM_CHAT_H
#define GK_LLM_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fact/usage.h"
#include "llm/sse.h"

/* Servers differ; what one refuses is left out from then on. */
struct gk_chat_dialect {
	bool no_stream;
	bool no_usage_option;  /* stream_options is refused */
	bool no_temperature;   /* only the model's own is accepted */
	bool completion_limit; /* the limit is called max_completion_tokens */
};

struct gk_chat_request {
	const char *model, *system, *user;
	double temperature;
	int64_t max_tokens; /* 0: not sent */
};

/* JSON; malloc'ed. */
char *gk_chat_body(const struct gk_chat_request *request, const struct gk_chat_dialect *dialect);

/* Reads the body of a 200 answer: event stream or one JSON object, told by its first byte. */
struct gk_chat_reader {
	struct gk_sse sse;
	struct gk_buf raw;  /* the JSON object */
	struct gk_buf text; /* the answer so far */
	bool has_begun, has_events, is_json, is_done, is_garbage, has_failed;
	char finish[32];
	char error[256]; /* an error that came in the stream */
	struct gk_usage usage;
};

void gk_chat_reader_init(
	struct gk_chat_reader *reader); /* also to begin anew; all zero before the first time */
void gk_chat_reader_release(struct gk_chat_reader *reader);
bool gk_chat_reader_feed(struct gk_chat_reader *reader, const char *bytes, size_t size); /* false: give up */

enum gk_chat_end {
	GK_CHAT_COMPLETE,
	GK_CHAT_CUT,     /* the stream ended without an end */
	GK_CHAT_GARBAGE, /* not this format, or over a ceiling */
	GK_CHAT_ERROR,   /* the server reported an error within the stream */
};
enum gk_chat_end gk_chat_reader_end(struct gk_chat_reader *reader);

enum gk_chat_advice {
	GK_CHAT_RETRY,   /* may succeed later */
	GK_CHAT_ADAPT,   /* the dialect was changed: send again at once */
	GK_CHAT_REFUSED, /* this prompt never will */
	GK_CHAT_FATAL,   /* no prompt ever will */
};

/*
 * What an answer other than 200 means. Adapts *dialect where the server
 * refuses a field by name. words gets one line for people; outcome a word for the ledger.
 */
enum gk_chat_advice gk_chat_judge(int status, const char *body, size_t size, struct gk_chat_dialect *dialect,
                                  char words[256], const char **outcome);

#endif
