/*
 * libcurl's multi interface, driven by the loop: curl says which sockets it
 * wants watched and when it wants to be woken (socket_wanted, timer_wanted);
 * the loop's callbacks hand the events on (curl_multi_socket_action). What is
 * finished goes through a queue and is told from a deferred call, one per
 * round, so that a caller may do anything in its callback, also free us.
 *
 * Each exchange has a stall timer of its own, set back by every byte: curl's
 * low-speed limit looks at averages.
 */
#include "net/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/loop.h"

#define MAX_HEADER_BYTES 65536

struct socket_watch {
	struct gk_http *http;
	curl_socket_t fd;
	struct gk_watch *watch;
};

struct gk_http_exchange {
	struct gk_http *http;
	struct gk_http_exchange *next; /* in all or in finished */
	CURL *easy;
	struct curl_slist *headers;
	struct gk_timer *stall;
	int stall_ms;
	size_t header_bytes;
	bool is_refused, is_stalled, is_over;
	gk_http_data_fn *data;
	gk_http_done_fn *done;
	void *ctx;
	char error[CURL_ERROR_SIZE];
	struct gk_http_result result;
};

struct gk_http {
	struct gk_loop *loop;
	CURLM *multi;
	struct gk_timer *timer;
	struct gk_http_exchange *all;
	struct gk_http_exchange *finished; /* oldest first */
};

/* --- curl and the loop --- */

static void collect_finished(struct gk_http *http);

static void socket_ready(void *ctx, int events)
{
	struct socket_watch *watch = ctx;
	struct gk_http *http = watch->http; /* the watch may be gone after the action */
	int running, mask = 0;

	if (events & GK_LOOP_READ)
		mask |= CURL_CSELECT_IN;
	if (events & GK_LOOP_WRITE)
		mask |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, watch->fd, mask, &running);
	collect_finished(http);
}

static void time_is_up(void *ctx)
{
	struct gk_http *http = ctx;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_finished(http);
}

static void drop_watch(struct gk_http *http, struct socket_watch *watch)
{
	if (!watch)
		return;
	gk_watch_stop(&watch->watch);
	curl_multi_assign(http->multi, watch->fd, NULL);
	free(watch);
}

static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct gk_http *http = ctx;
	struct socket_watch *watch = socket_ctx;
	int events = (what & CURL_POLL_IN ? GK_LOOP_READ : 0) | (what & CURL_POLL_OUT ? GK_LOOP_WRITE : 0);
	struct gk_err e;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		drop_watch(http, watch);
		return 0;
	}
	if (watch) {
		gk_watch_set(watch->watch, events);
		return 0;
	}
	watch = gk_alloc(sizeof(*watch));
	*watch = (struct socket_watch){http, fd, NULL};
	watch->watch = gk_loop_watch(http->loop, fd, events, socket_ready, watch, &e);
	if (!watch->watch) {
		free(watch);
		return -1;
	}
	curl_multi_assign(http->multi, fd, watch);
	return 0;
}

static int timer_wanted(CURLM *multi, long delay_ms, void *ctx)
{
	struct gk_http *http = ctx;

	(void)multi;
	if (delay_ms < 0)
		gk_timer_stop(&http->timer);
	else if (http->timer)
		gk_timer_set(http->timer, delay_ms, 0);
	else
		http->timer = gk_loop_timer(http->loop, delay_ms, 0, time_is_up, http);
	return 0;
}

/* --- exchanges --- */

static void unlink_from(struct gk_http_exchange **list, const struct gk_http_exchange *exchange)
{
	for (; *list; list = &(*list)->next)
		if (*list == exchange) {
			*list = exchange->next;
			return;
		}
}

static void free_exchange(struct gk_http_exchange *exchange)
{
	gk_timer_stop(&exchange->stall);
	if (!exchange->is_over)
		curl_multi_remove_handle(exchange->http->multi, exchange->easy);
	curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->headers);
	free(exchange);
}

static void tell_one(void *ctx)
{
	struct gk_http *http = ctx;
	struct gk_http_exchange *exchange = http->finished;
	struct gk_http_result result;
	gk_http_done_fn *done;
	void *done_ctx;

	if (!exchange)
		return;
	http->finished = exchange->next;
	if (http->finished)
		gk_loop_defer(http->loop, tell_one, http);
	result = exchange->result;
	done = exchange->done;
	done_ctx = exchange->ctx;
	free_exchange(exchange);
	done(done_ctx, &result);
}

static bool is_trust_failure(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	       code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_CERTPROBLEM;
}

static bool is_before_connection(const struct gk_http_exchange *exchange, CURLcode code)
{
	curl_off_t sent = 0;
	long status = 0;

	curl_easy_getinfo(exchange->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
	       code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR || (sent == 0 && status == 0);
}

static enum gk_http_end end_of(const struct gk_http_exchange *exchange, CURLcode code)
{
	if (exchange->is_stalled)
		return GK_HTTP_STALLED;
	if (exchange->is_refused)
		return GK_HTTP_REFUSED;
	if (code == CURLE_OK)
		return GK_HTTP_DONE;
	if (is_trust_failure(code))
		return GK_HTTP_UNTRUSTED;
	if (is_before_connection(exchange, code))
		return GK_HTTP_UNREACHABLE;
	return code == CURLE_OPERATION_TIMEDOUT ? GK_HTTP_STALLED : GK_HTTP_BROKEN;
}

static void take_content_type(const char *type, char *out, size_t size)
{
	size_t i;

	for (i = 0; type && type[i] && type[i] != ';' && type[i] != ' ' && i + 1 < size; i++)
		out[i] = (char)tolower((unsigned char)type[i]);
	out[i] = '\0';
}

static void fill_result(struct gk_http_exchange *exchange, CURLcode code)
{
	struct gk_http_result *result = &exchange->result;
	curl_off_t retry_after = 0;
	char *type = NULL;
	long status = 0;

	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after);
	curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_TYPE, &type);
	result->end = end_of(exchange, code);
	result->status = (int)status;
	if (result->retry_after_ms < 0 && retry_after > 0 && retry_after < 1000000)
		result->retry_after_ms = (int64_t)retry_after * 1000;
	take_content_type(type, result->content_type, sizeof(result->content_type));
	if (result->end == GK_HTTP_STALLED && exchange->is_stalled)
		snprintf(result->message, sizeof(result->message), "no byte came for %g s",
		         exchange->stall_ms / 1000.0);
	else if (result->end == GK_HTTP_REFUSED)
		snprintf(result->message, sizeof(result->message), "the answer is not acceptable");
	else if (result->end != GK_HTTP_DONE)
		snprintf(result->message, sizeof(result->message), "%.250s",
		         exchange->error[0] ? exchange->error : curl_easy_strerror(code));
}

static void finish(struct gk_http_exchange *exchange, CURLcode code)
{
	struct gk_http *http = exchange->http;
	struct gk_http_exchange **tail = &http->finished;

	fill_result(exchange, code);
	curl_multi_remove_handle(http->multi, exchange->easy);
	gk_timer_stop(&exchange->stall);
	exchange->is_over = true;
	unlink_from(&http->all, exchange);
	exchange->next = NULL;
	if (!http->finished)
		gk_loop_defer(http->loop, tell_one, http);
	while (*tail)
		tail = &(*tail)->next;
	*tail = exchange;
}

static void collect_finished(struct gk_http *http)
{
	struct gk_http_exchange *exchange;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
		finish(exchange, message->data.result);
	}
}

static void stalled(void *ctx)
{
	struct gk_http_exchange *exchange = ctx;

	exchange->is_stalled = true;
	finish(exchange, CURLE_OPERATION_TIMEDOUT);
}

static void note_life(struct gk_http_exchange *exchange)
{
	if (exchange->stall)
		gk_timer_set(exchange->stall, exchange->stall_ms, 0);
}

/* --- what curl hands out --- */

static size_t take_data(char *bytes, size_t size, size_t count, void *ctx)
{
	struct gk_http_exchange *exchange = ctx;
	long status = 0;

	note_life(exchange);
	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!exchange->data(exchange->ctx, (int)status, bytes, size * count)) {
		exchange->is_refused = true;
		return 0;
	}
	return size * count;
}

/* The value behind NAME and a colon, or NULL; *length without white space around it. */
static const char *header_value(const char *line, size_t size, const char *name, size_t *length)
{
	size_t n = strlen(name);

	if (size <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	for (n++; n < size && isspace((unsigned char)line[n]);)
		n++;
	*length = size - n;
	while (*length && isspace((unsigned char)line[n + *length - 1]))
		(*length)--;
	return line + n;
}

static size_t take_header(char *line, size_t size, size_t count, void *ctx)
{
	struct gk_http_exchange *exchange = ctx;
	struct gk_http_result *result = &exchange->result;
	size_t total = size * count, length;
	const char *value;
	char number[24];

	note_life(exchange);
	exchange->header_bytes += total;
	if (exchange->header_bytes > MAX_HEADER_BYTES) {
		exchange->is_refused = true;
		return 0;
	}
	value = header_value(line, total, "x-request-id", &length);
	if (value)
		snprintf(result->request_id, sizeof(result->request_id), "%.*s", (int)length, value);
	value = header_value(line, total, "retry-after-ms", &length);
	if (value && length < sizeof(number)) {
		snprintf(number, sizeof(number), "%.*s", (int)length, value);
		result->retry_after_ms = strtol(number, NULL, 10);
	}
	return total;
}

/* --- asking --- */

static int check_request(const struct gk_http_request *request, struct gk_err *e)
{
	CURLU *url = curl_url();
	char *scheme = NULL;
	bool is_fine;

	is_fine = curl_url_set(url, CURLUPART_URL, request->url, 0) == CURLUE_OK &&
	          curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	          (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	curl_free(scheme);
	curl_url_cleanup(url);
	if (!is_fine)
		return gk_err_set(e, GK_ERR_INPUT, "%s: not an http:// or https:// address", request->url);
	if (request->ca_file && access(request->ca_file, R_OK) < 0)
		return gk_err_errno(e, "%s", request->ca_file);
	return 0;
}

static void set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/*
 * Certificates of the system that we run on, where they are not where our libcurl was built to look: a bundle
 * goes from one distribution to another. NULL: libcurl knows best.
 */
static const char *find_certificates(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch, Alpine */
		"/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL, Amazon */
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* newer ones of them */
		"/etc/ssl/ca-bundle.pem",                            /* SUSE */
		"/etc/ssl/cert.pem",                                 /* Alpine, OpenWrt */
	};
	const char *own = curl_version_info(CURLVERSION_NOW)->cainfo, *named = getenv("SSL_CERT_FILE");

	if (named && access(named, R_OK) == 0)
		return named;
	if (own && access(own, R_OK) == 0)
		return NULL;
	for (size_t i = 0; i < gk_count_of(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static void set_certificates(CURL *easy, const char *ca_file)
{
	const char *path = ca_file ? ca_file : find_certificates();

	if (path)
		curl_easy_setopt(easy, CURLOPT_CAINFO, path);
}

static void set_request(struct gk_http_exchange *exchange, const struct gk_http_request *request)
{
	CURL *easy = exchange->easy;

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	set_protocols(easy);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); /* a redirect must not carry the key elsewhere */
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_size);
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "geak");
	set_certificates(easy, request->ca_file);
	if (request->connect_ms)
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
	if (request->total_ms)
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_ms);
}

static void set_callbacks(struct gk_http_exchange *exchange)
{
	CURL *easy = exchange->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

struct gk_http_exchange *gk_http_post(struct gk_http *http, const struct gk_http_request *request,
                                      gk_http_data_fn *data, gk_http_done_fn *done, void *ctx,
                                      struct gk_err *e)
{
	struct gk_http_exchange *exchange;
	size_t i;

	if (check_request(request, e) < 0)
		return NULL;
	exchange = gk_alloc(sizeof(*exchange));
	*exchange = (struct gk_http_exchange){.http = http,
	                                      .data = data,
	                                      .done = done,
	                                      .ctx = ctx,
	                                      .stall_ms = request->stall_ms,
	                                      .result = {.retry_after_ms = -1}};
	exchange->easy = curl_easy_init();
	if (!exchange->easy)
		gk_bug("curl_easy_init() failed");
	for (i = 0; request->headers && request->headers[i]; i++)
		exchange->headers = curl_slist_append(exchange->headers, request->headers[i]);
	exchange->headers =
		curl_slist_append(exchange->headers, "Expect:"); /* no waiting for "100 Continue" */
	set_request(exchange, request);
	set_callbacks(exchange);
	if (request->stall_ms)
		exchange->stall = gk_loop_timer(http->loop, request->stall_ms, 0, stalled, exchange);
	exchange->next = http->all;
	http->all = exchange;
	curl_multi_add_handle(http->multi, exchange->easy);
	return exchange;
}

void gk_http_cancel(struct gk_http_exchange *exchange)
{
	unlink_from(exchange->is_over ? &exchange->http->finished : &exchange->http->all, exchange);
	free_exchange(exchange);
}

struct gk_http *gk_http_new(struct gk_loop *loop, struct gk_err *e)
{
	struct gk_http *http;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		gk_err_set(e, GK_ERR_SYSTEM, "libcurl cannot be used");
		return NULL;
	}
	http = gk_alloc(sizeof(*http));
	http->loop = loop;
	http->multi = curl_multi_init();
	if (!http->multi)
		gk_bug("curl_multi_init() failed");
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	return http;
}

static void free_list(struct gk_http_exchange *exchange)
{
	while (exchange) {
		struct gk_http_exchange *next = exchange->next;

		free_exchange(exchange);
		exchange = next;
	}
}

void gk_http_free(struct gk_http *http)
{
	if (!http)
		return;
	free_list(http->all);
	free_list(http->finished);
	curl_multi_cleanup(
		http->multi); /* closes idle connections: the socket callback may still be called */
	gk_timer_stop(&http->timer);
	gk_loop_forget(http->loop, http);
	free(http);
}
