/*
 * What a model's answer holds. The Generator's answer is a line that begins
 * with "Strategy:" and exactly one fenced code block; the block's bytes are
 * the candidate, as they are. Nothing in it is ever repaired.
 */
#ifndef GK_LLM_ANSWER_H
#define GK_LLM_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define GK_ANSWER_MAX_BYTES      ((size_t)4 << 20)
#define GK_ANSWER_MAX_DIRECTIONS 16

/* A part of the answer's text: borrowed. */
struct gk_span {
	const char *bytes;
	size_t size;
};

struct gk_answer {
	bool ok;
	char problem[256];   /* unless ok: what is missing, in words that a model can act on */
	char strategy[1024]; /* generator: the strategy in one line, cut; safe UTF-8 */
	struct gk_span
		code; /* generator: the block's lines, each with its line end; the fences are not in it */
	struct gk_span text;    /* reflector, optimizer: the answer without white space around it */
	size_t direction_count; /* optimizer: the sections "### Direction N: TITLE" (at least 1 when ok: else
	                           the whole) */
	struct gk_span directions[GK_ANSWER_MAX_DIRECTIONS];
};

/* role is "generator", "reflector" or "optimizer"; finish is the endpoint's ("length" explains a missing
 * fence). */
void gk_answer_parse(const char *role, const char *text, size_t size, const char *finish,
                     struct gk_answer *answer);

/*
 * The body of the `parsed` event: {"role", "ok", "strategy", "code", "text", "problem"}, and for the
 * optimizer "directions": [text, ..]. code_hash (generator) and text_hash are the caller's names of the
 * stored blobs, or NULL.
 */
json_t *gk_answer_to_body(const char *role, const struct gk_answer *answer, const char *code_hash,
                          const char *text_hash);

#endif
