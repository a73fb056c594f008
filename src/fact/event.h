/*
 * The journal's events and the agent's actions. Events are the only input of
 * the agent's fold: state = fold(state, event); action = next(state). Bodies
 * are small JSON; long texts (prompts, answers, candidates) are blobs named
 * by their SHA-256.
 *
 * kind       body
 * started    {"task", "recipe", "number", "target"}
 * asked      {"role", "prompt": hash, "sample", "ordinal"}
 * answered   {"role", "answer": hash, "finish"}
 * no_answer  {"role", "status": "refused", "message"}
 * parsed     {"role", "ok": bool, "strategy": text, "code": hash or null, "text": hash, "problem": text}
 *            generator: code and strategy; reflector and optimizer: text
 * judged     {"code": hash, "verdict": object of fact/verdict.h}
 * stopped    {"reason": "iterations"|"solved"|"budget"|..., "message"}
 */
#ifndef GK_FACT_EVENT_H
#define GK_FACT_EVENT_H

#include <jansson.h>
#include <stdint.h>

enum gk_event_kind {
	GK_EVENT_STARTED,
	GK_EVENT_ASKED,
	GK_EVENT_ANSWERED,
	GK_EVENT_NO_ANSWER,
	GK_EVENT_PARSED,
	GK_EVENT_JUDGED,
	GK_EVENT_STOPPED,
	GK_EVENT_COUNT
};
extern const char *const gk_event_names[]; /* NULL-terminated */

struct gk_event {
	int64_t seq;        /* 0 until it is stored */
	int64_t trajectory; /* journal's id */
	int step;           /* 0, 1, 2, .. within the trajectory, without gaps */
	enum gk_event_kind kind;
	json_t *body; /* one reference is held by the event */
};

enum gk_action_kind {
	GK_ACTION_WAIT,  /* an ask or a judgement is under way */
	GK_ACTION_ASK,   /* render and send the prompt of a role */
	GK_ACTION_PARSE, /* parse the answer that has come */
	GK_ACTION_JUDGE, /* judge a candidate */
	GK_ACTION_STOP,  /* write `stopped` with reason and message */
};

struct gk_action {
	enum gk_action_kind kind;
	char role[24];      /* ASK, PARSE */
	int sample;         /* ASK */
	int ordinal;        /* ASK */
	char hash[65];      /* PARSE: answer; JUDGE: candidate */
	char reason[24];    /* STOP */
	char message[256];  /* STOP */
};

#endif
