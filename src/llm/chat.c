#include "llm/chat.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "llm/answer.h"

#define MAX_EVENT_BYTES ((size_t)1 << 20)
#define MAX_RAW_BYTES   ((size_t)16 << 20)

/* --- what is sent --- */

static void add_message(json_t *messages, const char *role, const char *content)
{
	json_t *message;

	if (!content || !content[0])
		return;
	message = json_object();
	json_object_set_new(message, "role", json_string(role));
	json_object_set_new(message, "content", json_string(content));
	json_array_append_new(messages, message);
}

char *gk_chat_body(const struct gk_chat_request *request, const struct gk_chat_dialect *dialect)
{
	json_t *body = json_object(), *messages = json_array(), *options = json_object();
	char *text;

	add_message(messages, "system", request->system);
	add_message(messages, "user", request->user);
	json_object_set_new(body, "model", json_string(request->model));
	json_object_set_new(body, "messages", messages);
	if (!dialect->no_temperature)
		json_object_set_new(body, "temperature", json_real(request->temperature));
	if (request->max_tokens > 0)
		json_object_set_new(body, dialect->completion_limit ? "max_completion_tokens" : "max_tokens",
		                    json_integer(request->max_tokens));
	json_object_set_new(options, "include_usage", json_true());
	if (!dialect->no_stream) {
		json_object_set_new(body, "stream", json_true());
		if (!dialect->no_usage_option)
			json_object_set(body, "stream_options", options);
	}
	text = json_dumps(body, JSON_COMPACT);
	json_decref(options);
	json_decref(body);
	return text ? text : gk_strdup("{}");
}

/* --- what comes back --- */

void gk_chat_reader_release(struct gk_chat_reader *reader)
{
	gk_sse_release(&reader->sse);
	gk_buf_release(&reader->raw);
	gk_buf_release(&reader->text);
}

void gk_chat_reader_init(struct gk_chat_reader *reader)
{
	gk_chat_reader_release(reader);
	*reader = (struct gk_chat_reader){
		.sse = {.line = {.ceiling = MAX_EVENT_BYTES}, .data = {.ceiling = MAX_EVENT_BYTES}},
		.raw = {.ceiling = MAX_RAW_BYTES},
		.text = {.ceiling = GK_ANSWER_MAX_BYTES},
		.usage = {.cost_nano_usd = -1},
	};
}

static int64_t count_in(const json_t *object, const char *key)
{
	int64_t count = json_integer_value(json_object_get(object, key));

	return count > 0 ? count : 0;
}

static void take_usage(struct gk_chat_reader *reader, const json_t *usage)
{
	if (!json_is_object(usage))
		return;
	reader->usage.prompt_tokens = count_in(usage, "prompt_tokens");
	reader->usage.completion_tokens = count_in(usage, "completion_tokens");
	reader->usage.cached_tokens =
		count_in(json_object_get(usage, "prompt_tokens_details"), "cached_tokens");
	if (reader->usage.cached_tokens > reader->usage.prompt_tokens)
		reader->usage.cached_tokens = reader->usage.prompt_tokens;
}

/* "error" is an object with a message, or the message itself. */
static const char *message_of(const json_t *error)
{
	const char *message =
		json_string_value(json_is_object(error) ? json_object_get(error, "message") : error);

	return message ? message : "without a message";
}

static void copy_safe(char *to, size_t size, const char *text)
{
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, text, strlen(text), size - 4, false);
	snprintf(to, size, "%s", gk_buf_text(&safe));
}

static bool take_error(struct gk_chat_reader *reader, const json_t *root)
{
	const json_t *error = json_object_get(root, "error");

	if (!error || json_is_null(error))
		return false;
	reader->has_failed = true;
	copy_safe(reader->error, sizeof(reader->error), message_of(error));
	return true;
}

/* part is "delta" in a stream and "message" in a whole answer. */
static void take_choice(struct gk_chat_reader *reader, const json_t *root, const char *part)
{
	const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
	const json_t *content = json_object_get(json_object_get(choice, part), "content");
	const char *finish = json_string_value(json_object_get(choice, "finish_reason"));

	if (json_is_string(content))
		gk_buf_add(&reader->text, json_string_value(content), json_string_length(content));
	if (finish)
		copy_safe(reader->finish, sizeof(reader->finish), finish);
}

static bool take_event(void *ctx, const char *data, size_t size)
{
	struct gk_chat_reader *reader = ctx;
	json_t *root;

	reader->has_events = true;
	if (strcmp(data, "[DONE]") == 0) {
		reader->is_done = true;
		return true;
	}
	root = json_loadb(data, size, 0, NULL);
	if (!json_is_object(root)) {
		json_decref(root);
		reader->is_garbage = true;
		return false;
	}
	if (!take_error(reader, root)) {
		take_choice(reader, root, "delta");
		take_usage(reader, json_object_get(root, "usage"));
	}
	json_decref(root);
	return !reader->has_failed && !reader->text.is_full;
}

/* White space in front belongs to neither format, however the pieces fall. */
static size_t leading_space(const char *bytes, size_t size)
{
	size_t skip = 0;

	while (skip < size && bytes[skip] && strchr(" \t\r\n", bytes[skip]))
		skip++;
	return skip;
}

bool gk_chat_reader_feed(struct gk_chat_reader *reader, const char *bytes, size_t size)
{
	size_t skip = reader->has_begun ? 0 : leading_space(bytes, size);

	bytes += skip;
	size -= skip;
	if (!size)
		return true;
	if (!reader->has_begun)
		reader->is_json = bytes[0] == '{';
	reader->has_begun = true;
	if (!reader->is_json)
		return gk_sse_feed(&reader->sse, bytes, size, take_event, reader);
	gk_buf_add(&reader->raw, bytes, size);
	return !reader->raw.is_full;
}

static enum gk_chat_end take_whole(struct gk_chat_reader *reader, const json_t *root)
{
	if (take_error(reader, root))
		return GK_CHAT_ERROR;
	if (!json_is_object(json_array_get(json_object_get(root, "choices"), 0)))
		return GK_CHAT_GARBAGE;
	take_choice(reader, root, "message");
	take_usage(reader, json_object_get(root, "usage"));
	return reader->text.is_full ? GK_CHAT_GARBAGE : GK_CHAT_COMPLETE;
}

static enum gk_chat_end end_json(struct gk_chat_reader *reader)
{
	json_t *root = json_loadb(gk_buf_text(&reader->raw), reader->raw.size, 0, NULL);
	enum gk_chat_end end = take_whole(reader, root);

	json_decref(root);
	return end;
}

enum gk_chat_end gk_chat_reader_end(struct gk_chat_reader *reader)
{
	if (reader->is_json)
		return end_json(reader);
	gk_sse_end(&reader->sse, take_event, reader);
	if (reader->has_failed)
		return GK_CHAT_ERROR;
	if (reader->is_garbage || reader->text.is_full || reader->sse.line.is_full ||
	    reader->sse.data.is_full)
		return GK_CHAT_GARBAGE;
	if (reader->has_begun && !reader->has_events)
		return GK_CHAT_GARBAGE; /* a web page, say */
	/* Some servers send no [DONE]; a reason to finish says as much. */
	return reader->is_done || reader->finish[0] ? GK_CHAT_COMPLETE : GK_CHAT_CUT;
}

/* --- refusals --- */

struct refusal {
	char message[200], code[64], param[64];
};

static void copy_text(char *to, size_t size, const json_t *text)
{
	if (json_is_string(text))
		copy_safe(to, size, json_string_value(text));
}

static void read_refusal(const char *body, size_t size, struct refusal *refusal)
{
	json_t *root = json_loadb(body ? body : "", size, JSON_DISABLE_EOF_CHECK, NULL);
	const json_t *error = json_object_get(root, "error");

	memset(refusal, 0, sizeof(*refusal));
	if (!error)
		error = root; /* some servers put the message at the top */
	if (json_is_string(error))
		copy_text(refusal->message, sizeof(refusal->message), error);
	copy_text(refusal->message, sizeof(refusal->message), json_object_get(error, "message"));
	copy_text(refusal->code, sizeof(refusal->code), json_object_get(error, "code"));
	copy_text(refusal->param, sizeof(refusal->param), json_object_get(error, "param"));
	json_decref(root);
}

static bool mentions(const struct refusal *refusal, const char *word)
{
	return strcasestr(refusal->message, word) || strcasestr(refusal->code, word) ||
	       strcasestr(refusal->param, word);
}

static bool is_too_long(const struct refusal *refusal)
{
	return mentions(refusal, "context_length") || mentions(refusal, "context length") ||
	       mentions(refusal, "maximum context") || mentions(refusal, "context window") ||
	       mentions(refusal, "too many tokens") || mentions(refusal, "prompt is too long");
}

/* Leaves out, or renames, one thing that the server does not take. False: nothing left to try. */
static bool adapt(const struct refusal *refusal, struct gk_chat_dialect *dialect)
{
	bool *change = NULL;

	if (mentions(refusal, "max_completion_tokens"))
		change = &dialect->completion_limit;
	else if (mentions(refusal, "stream_options"))
		change = &dialect->no_usage_option;
	else if (mentions(refusal, "temperature"))
		change = &dialect->no_temperature;
	else if (mentions(refusal, "stream"))
		change = &dialect->no_stream;
	if (!change || *change)
		return false;
	*change = true;
	return true;
}

static enum gk_chat_advice judge_bad_request(const struct refusal *refusal, struct gk_chat_dialect *dialect,
                                             const char **outcome)
{
	if (is_too_long(refusal)) {
		*outcome = "too_long";
		return GK_CHAT_REFUSED;
	}
	if (mentions(refusal, "content_filter") || mentions(refusal, "content_policy") ||
	    mentions(refusal, "content management policy")) {
		*outcome = "filtered";
		return GK_CHAT_REFUSED;
	}
	*outcome = "bad_request";
	return adapt(refusal, dialect) ? GK_CHAT_ADAPT : GK_CHAT_FATAL;
}

static enum gk_chat_advice judge_status(int status, const struct refusal *refusal,
                                        struct gk_chat_dialect *dialect, const char **outcome)
{
	switch (status) {
	case 400:
	case 422:
		return judge_bad_request(refusal, dialect, outcome);
	case 401:
	case 403:
		*outcome = "unauthorized";
		return GK_CHAT_FATAL;
	case 402:
		*outcome = "no_credit";
		return GK_CHAT_FATAL;
	case 404:
		*outcome = "not_found";
		return GK_CHAT_FATAL;
	case 413:
		*outcome = "too_long";
		return GK_CHAT_REFUSED;
	case 429:
		*outcome = mentions(refusal, "insufficient_quota") ? "no_credit" : "rate_limited";
		return mentions(refusal, "insufficient_quota") ? GK_CHAT_FATAL : GK_CHAT_RETRY;
	case 408:
	case 409:
	case 425:
		*outcome = "server_error";
		return GK_CHAT_RETRY;
	default:
		*outcome = status >= 500 ? "server_error" : "unexpected_status";
		return status >= 500 ? GK_CHAT_RETRY : GK_CHAT_FATAL;
	}
}

enum gk_chat_advice gk_chat_judge(int status, const char *body, size_t size, struct gk_chat_dialect *dialect,
                                  char words[256], const char **outcome)
{
	struct refusal refusal;

	read_refusal(body, size, &refusal);
	snprintf(words, 256, "HTTP %d%s%s", status, refusal.message[0] ? ": " : "", refusal.message);
	return judge_status(status, &refusal, dialect, outcome);
}
