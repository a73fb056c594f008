/*
 * A server that speaks the chat completions format.
 *
 * A request is an ask: it waits for a slot, sends, and either ends or waits
 * for its next send. What may succeed later (429, 5xx, a broken or silent
 * connection, garbage) is sent again, up to max_sends times, after a pause
 * that doubles and has jitter, or that the server asks for. Everything
 * happens in the loop's callbacks; start() only queues.
 *
 *     QUEUED -> SENDING -> ended
 *       ^          |
 *       `-- PAUSED <'
 */
#include "llm/kinds.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vec.h"
#include "llm/chat.h"
#include "llm/prices.h"
#include "loop/loop.h"
#include "net/http.h"

#define DEFAULT_URL       "https://api.openai.com/v1"
#define MAX_REFUSAL_BYTES ((size_t)64 << 10)
#define MAX_KEY_BYTES     ((size_t)16 << 10)
#define MAX_ADAPTATIONS   4

enum ask_state { ASK_QUEUED, ASK_SENDING, ASK_PAUSED };

struct ask {
	struct openai *openai;
	struct ask *next;
	enum ask_state state;
	uint64_t id;
	char *system, *user;
	double temperature;
	int64_t max_tokens;
	int sends, adaptations;
	int64_t started_ns;
	struct gk_chat_dialect dialect; /* it was sent in: others may have changed the endpoint's meanwhile */
	struct gk_http_exchange *exchange;
	struct gk_timer *pause;
	struct gk_chat_reader reader;
	struct gk_buf refusal; /* body of an answer other than 200 */
};

struct openai {
	struct gk_endpoint endpoint;
	struct gk_loop *loop;
	struct gk_http *http;
	struct gk_arena arena;
	char *model, *url, *ca_file, *key_source;
	struct GK_VEC(const char *) headers; /* NULL-terminated */
	struct gk_chat_dialect dialect;
	struct gk_price price;
	int max_sends, stall_ms, connect_ms, backoff_ms, backoff_max_ms;
	struct ask *asks; /* oldest first */
	int sending;
	bool is_pump_due;
};

/* --- the end of an ask --- */

static void free_ask(struct ask *ask)
{
	if (ask->exchange)
		gk_http_cancel(ask->exchange);
	gk_timer_stop(&ask->pause);
	gk_chat_reader_release(&ask->reader);
	gk_buf_release(&ask->refusal);
	free(ask->system);
	free(ask->user);
	free(ask);
}

static void unlink_ask(struct ask *ask)
{
	struct ask **at = &ask->openai->asks;

	while (*at != ask)
		at = &(*at)->next;
	*at = ask->next;
}

static void pump_soon(struct openai *openai);

/* The callback may close the endpoint: nothing of it is touched afterwards. */
static void end_ask(struct ask *ask, struct gk_model_answer *answer)
{
	struct gk_endpoint endpoint = ask->openai->endpoint;

	answer->id = ask->id;
	answer->sends = ask->sends;
	if (!answer->text)
		answer->text = "";
	if (!answer->finish)
		answer->finish = "";
	unlink_ask(ask);
	pump_soon(ask->openai);
	endpoint.answered(endpoint.ctx, answer);
	free_ask(ask);
}

static void end_badly(struct ask *ask, enum gk_answer_status status, enum gk_err_kind kind, const char *words)
{
	struct gk_model_answer answer = {.status = status, .usage = ask->reader.usage};

	gk_err_set(&answer.err, kind, "%s: %s", ask->openai->url, words);
	end_ask(ask, &answer);
}

static void end_well(struct ask *ask)
{
	struct gk_chat_reader *reader = &ask->reader;
	struct gk_model_answer answer = {
		.status = GK_ANSWER_OK, .finish = reader->finish, .usage = reader->usage};

	gk_price_apply(&ask->openai->price, &answer.usage);
	if (reader->text.size == 0 && strcmp(reader->finish, "content_filter") == 0) {
		answer.status = GK_ANSWER_REFUSED;
		gk_err_set(&answer.err, GK_ERR_INPUT, "%s: the server's content filter withheld the answer",
		           ask->openai->url);
	}
	answer.text = gk_buf_text(&reader->text);
	answer.size = reader->text.size;
	end_ask(ask, &answer);
}

/* --- sending again --- */

static void pause_is_over(void *ctx)
{
	struct ask *ask = ctx;

	gk_timer_stop(&ask->pause);
	ask->state = ASK_QUEUED;
	pump_soon(ask->openai);
}

/* Between half and all of the doubled pause: many that failed together must not come back together. */
static int64_t pause_ms(const struct openai *openai, int sends, int64_t retry_after_ms)
{
	int64_t pause = openai->backoff_ms;
	uint32_t random;
	int i;

	for (i = 1; i < sends && pause < openai->backoff_max_ms; i++)
		pause *= 2;
	gk_random_bytes(&random, sizeof(random));
	pause = pause / 2 + (int64_t)(random % (uint32_t)(pause / 2 + 1));
	if (retry_after_ms > pause)
		pause = retry_after_ms;
	return pause < openai->backoff_max_ms ? pause : openai->backoff_max_ms;
}

static void send_again(struct ask *ask, int64_t retry_after_ms, const char *words)
{
	struct openai *openai = ask->openai;
	char text[400];

	if (ask->sends >= openai->max_sends) {
		snprintf(text, sizeof(text), "no answer after %d requests; the last one: %.300s", ask->sends,
		         words);
		end_badly(ask, GK_ANSWER_EXHAUSTED, GK_ERR_SYSTEM, text);
		return;
	}
	gk_log(GK_LOG_INFO, "%s: %s; sending again", openai->endpoint.name, words);
	ask->state = ASK_PAUSED;
	ask->pause = gk_loop_timer(openai->loop, pause_ms(openai, ask->sends, retry_after_ms), 0,
	                           pause_is_over, ask);
	pump_soon(openai);
}

/* --- what a send brought --- */

static const char *outcome_of_end(enum gk_http_end end)
{
	switch (end) {
	case GK_HTTP_UNREACHABLE:
		return "unreachable";
	case GK_HTTP_STALLED:
		return "stalled";
	case GK_HTTP_REFUSED:
		return "garbage";
	case GK_HTTP_UNTRUSTED:
		return "untrusted";
	default:
		return "broken";
	}
}

static void note_end(struct ask *ask, int status, const char *outcome)
{
	const struct gk_endpoint *endpoint = &ask->openai->endpoint;

	if (endpoint->sent)
		endpoint->sent(endpoint->ctx, ask->id, ask->sends, ask->started_ns, gk_wall_ns(), status,
		               outcome);
}

static void judge_answer(struct ask *ask, const struct gk_http_result *result)
{
	char words[300];

	switch (gk_chat_reader_end(&ask->reader)) {
	case GK_CHAT_COMPLETE:
		note_end(ask, result->status, "ok");
		end_well(ask);
		return;
	case GK_CHAT_CUT:
		note_end(ask, result->status, "broken");
		send_again(ask, -1, "the answer ended in the middle");
		return;
	case GK_CHAT_ERROR:
		note_end(ask, result->status, "server_error");
		snprintf(words, sizeof(words), "the server reported: %s", ask->reader.error);
		send_again(ask, result->retry_after_ms, words);
		return;
	default:
		note_end(ask, result->status, "garbage");
		send_again(ask, -1, "the answer is not in the chat completions format");
	}
}

static void judge_failure(struct ask *ask, const struct gk_http_result *result)
{
	bool is_untrusted = result->end == GK_HTTP_UNTRUSTED;

	/* What was complete, or an error by the server's word, before the connection ended counts. */
	if (result->status == 200 && (ask->reader.is_done || ask->reader.has_failed)) {
		judge_answer(ask, result);
		return;
	}
	note_end(ask, result->status, outcome_of_end(result->end));
	if (is_untrusted)
		end_badly(ask, GK_ANSWER_FATAL, GK_ERR_INPUT, result->message);
	else
		send_again(ask, result->retry_after_ms, result->message);
}

static void end_fatally(struct ask *ask, const char *words, const char *outcome)
{
	const struct openai *openai = ask->openai;
	char text[400];

	if (strcmp(outcome, "unauthorized") == 0)
		snprintf(text, sizeof(text), "%s (the key is from %s)", words,
		         openai->key_source ? openai->key_source : "nowhere: none was given");
	else if (strcmp(outcome, "not_found") == 0)
		snprintf(text, sizeof(text), "%s (is the model \"%s\" right, and the address?)", words,
		         openai->model);
	else
		snprintf(text, sizeof(text), "%s", words);
	end_badly(ask, GK_ANSWER_FATAL, GK_ERR_INPUT, text);
}

static void learn(struct gk_chat_dialect *all, const struct gk_chat_dialect *one)
{
	all->no_stream |= one->no_stream;
	all->no_usage_option |= one->no_usage_option;
	all->no_temperature |= one->no_temperature;
	all->completion_limit |= one->completion_limit;
}

static void judge_status(struct ask *ask, const struct gk_http_result *result)
{
	const char *outcome;
	char words[256];
	enum gk_chat_advice advice = gk_chat_judge(result->status, ask->refusal.bytes, ask->refusal.size,
	                                           &ask->dialect, words, &outcome);

	note_end(ask, result->status, outcome);
	if (advice == GK_CHAT_ADAPT && ++ask->adaptations <= MAX_ADAPTATIONS) {
		learn(&ask->openai->dialect, &ask->dialect);
		ask->state = ASK_QUEUED;
		pump_soon(ask->openai);
	} else if (advice == GK_CHAT_RETRY) {
		send_again(ask, result->retry_after_ms, words);
	} else if (advice == GK_CHAT_REFUSED) {
		end_badly(ask, GK_ANSWER_REFUSED, GK_ERR_INPUT, words);
	} else {
		end_fatally(ask, words, outcome);
	}
}

static void send_done(void *ctx, const struct gk_http_result *result)
{
	struct ask *ask = ctx;

	ask->exchange = NULL;
	ask->openai->sending--;
	if (result->end != GK_HTTP_DONE)
		judge_failure(ask, result);
	else if (result->status == 200)
		judge_answer(ask, result);
	else
		judge_status(ask, result);
}

static bool send_data(void *ctx, int status, const char *bytes, size_t size)
{
	struct ask *ask = ctx;

	if (status == 200)
		return gk_chat_reader_feed(&ask->reader, bytes, size);
	gk_buf_add(&ask->refusal, bytes, size); /* cut at its ceiling: the message stands at the beginning */
	return true;
}

/* --- sending --- */

static void send_ask(struct ask *ask)
{
	struct openai *openai = ask->openai;
	struct gk_chat_request chat = {openai->model, ask->system, ask->user, ask->temperature,
	                               ask->max_tokens};
	gk_free_auto char *body = gk_chat_body(&chat, &openai->dialect);
	struct gk_http_request request = {.url = openai->url,
	                                  .headers = openai->headers.items,
	                                  .body = body,
	                                  .body_size = strlen(body),
	                                  .ca_file = openai->ca_file,
	                                  .connect_ms = openai->connect_ms,
	                                  .stall_ms = openai->stall_ms};
	struct gk_err e;

	ask->dialect = openai->dialect;
	gk_chat_reader_init(&ask->reader);
	gk_buf_clear(&ask->refusal);
	ask->sends++;
	ask->started_ns = gk_wall_ns();
	if (openai->endpoint.sent)
		openai->endpoint.sent(openai->endpoint.ctx, ask->id, ask->sends, ask->started_ns, 0, 0, "");
	ask->exchange = gk_http_post(openai->http, &request, send_data, send_done, ask, &e);
	if (!ask->exchange) {
		note_end(ask, 0, "unreachable");
		end_badly(ask, GK_ANSWER_FATAL, e.kind, e.text);
		return;
	}
	ask->state = ASK_SENDING;
	openai->sending++;
}

/* Sends the oldest that is queued, if there is a slot; one a round, since a callback may close us. */
static void pump(void *ctx)
{
	struct openai *openai = ctx;
	struct ask *ask = openai->asks;

	openai->is_pump_due = false;
	while (ask && ask->state != ASK_QUEUED)
		ask = ask->next;
	if (!ask || openai->sending >= openai->endpoint.max_parallel)
		return;
	pump_soon(openai);
	send_ask(ask);
}

static void pump_soon(struct openai *openai)
{
	if (openai->is_pump_due)
		return;
	openai->is_pump_due = true;
	gk_loop_defer(openai->loop, pump, openai);
}

static int start(struct gk_endpoint *endpoint, const struct gk_model_request *request, struct gk_err *e)
{
	struct openai *openai = (struct openai *)endpoint;
	struct ask *ask = gk_alloc(sizeof(*ask)), **tail = &openai->asks;

	(void)e;
	ask->openai = openai;
	ask->id = request->id;
	ask->system = gk_strdup(request->system);
	ask->user = gk_strdup(request->user);
	ask->temperature = request->temperature;
	ask->max_tokens = request->max_tokens;
	ask->refusal.ceiling = MAX_REFUSAL_BYTES;
	while (*tail)
		tail = &(*tail)->next;
	*tail = ask;
	pump_soon(openai);
	return 0;
}

static void close_openai(struct gk_endpoint *endpoint)
{
	struct openai *openai = (struct openai *)endpoint;

	while (openai->asks) {
		struct ask *next = openai->asks->next;

		free_ask(openai->asks);
		openai->asks = next;
	}
	gk_loop_forget(openai->loop, openai);
	gk_http_free(openai->http);
	gk_vec_release(&openai->headers);
	gk_arena_release(&openai->arena);
	free(openai);
}

static const struct gk_endpoint_ops openai_ops = {start, close_openai};

/* --- opening --- */

/* Without white space around it; a key with anything but printable ASCII in it was not meant. */
static int take_key(struct openai *openai, const char *text, const char *source, struct gk_err *e)
{
	size_t size, i;

	text += strspn(text, " \t\r\n");
	size = strlen(text);
	while (size && isspace((unsigned char)text[size - 1]))
		size--;
	for (i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return gk_err_set(e, GK_ERR_INPUT,
			                  "the key from %s holds blanks or control characters", source);
	if (!size)
		return gk_err_set(e, GK_ERR_INPUT, "the key from %s is empty", source);
	openai->key_source = gk_arena_string(&openai->arena, source);
	gk_vec_push(&openai->headers,
	            gk_arena_printf(&openai->arena, "Authorization: Bearer %.*s", (int)size, text));
	return 0;
}

static int find_key(struct openai *openai, const struct gk_llm_options *options, struct gk_err *e)
{
	const char *source = gk_llm_key_source();
	const char *value = source ? getenv(source) : NULL;
	gk_free_auto char *text = NULL;
	size_t size;

	if (options->key_file) {
		if (gk_file_read(options->key_file, MAX_KEY_BYTES, &text, &size, e) < 0)
			return gk_err_context(e, "key");
		return take_key(openai, text, options->key_file, e);
	}
	if (value)
		return take_key(openai, value, source, e);
	if (gk_text_starts(openai->url, DEFAULT_URL))
		return gk_err_set(e, GK_ERR_INPUT,
		                  "%s needs a key: set GEAK_API_KEY or OPENAI_API_KEY, or name a "
		                  "file with --key-file",
		                  openai->url);
	return 0;
}

static int take_headers(struct openai *openai, const char *const *headers, struct gk_err *e)
{
	size_t i;

	gk_vec_push(&openai->headers, "Content-Type: application/json");
	gk_vec_push(&openai->headers, "Accept: text/event-stream, application/json");
	for (i = 0; headers && headers[i]; i++) {
		if (!strchr(headers[i], ':') || strpbrk(headers[i], "\r\n"))
			return gk_err_set(e, GK_ERR_INPUT, "header \"%s\": \"Name: value\" is needed",
			                  headers[i]);
		gk_vec_push(&openai->headers, gk_arena_string(&openai->arena, headers[i]));
	}
	gk_vec_push(&openai->headers, NULL);
	return 0;
}

static void take_url(struct openai *openai, const char *option)
{
	const char *base = option && option[0] ? option : getenv("GEAK_BASE_URL");
	size_t size;

	if (!base || !base[0])
		base = DEFAULT_URL;
	for (size = strlen(base); size && base[size - 1] == '/';)
		size--;
	openai->url = gk_arena_printf(&openai->arena, "%.*s/chat/completions", (int)size, base);
	if (gk_text_starts(openai->url, "http://") && !gk_text_starts(openai->url, "http://127.") &&
	    !gk_text_starts(openai->url, "http://localhost"))
		gk_log(GK_LOG_WARN, "%s: prompts and key travel unencrypted", openai->url);
}

static int or_default(int value, int fallback)
{
	return value > 0 ? value : fallback;
}

static int configure(struct openai *openai, const char *model, const struct gk_llm_options *options,
                     struct gk_err *e)
{
	openai->model = gk_arena_string(&openai->arena, model);
	openai->ca_file = gk_arena_string(&openai->arena, options->ca_file);
	openai->dialect.no_stream = options->no_stream;
	openai->endpoint.max_parallel = or_default(options->max_parallel, 8);
	openai->max_sends = or_default(options->max_sends, 6);
	openai->stall_ms = or_default(options->stall_ms, 300000);
	openai->connect_ms = or_default(options->connect_ms, 20000);
	openai->backoff_ms = or_default(options->backoff_ms, 1000);
	openai->backoff_max_ms = or_default(options->backoff_max_ms, 60000);
	take_url(openai, options->base_url);
	if (find_key(openai, options, e) < 0 || take_headers(openai, options->headers, e) < 0)
		return -1;
	return options->prices_file ? gk_price_read(options->prices_file, model, &openai->price, e) : 0;
}

struct gk_endpoint *gk_openai_open(const char *what, const struct gk_llm_options *options,
                                   struct gk_loop *loop, struct gk_err *e)
{
	struct openai *openai = gk_alloc(sizeof(*openai));

	openai->endpoint.ops = &openai_ops;
	openai->loop = loop;
	openai->http = gk_http_new(loop, e);
	if (openai->http && configure(openai, what, options, e) == 0)
		return &openai->endpoint;
	close_openai(&openai->endpoint);
	return NULL;
}
