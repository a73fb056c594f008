/*
 * HTTP client on the loop: POST with a streamed answer. No retry and no
 * meaning here, only bytes, timeouts and what went wrong. One loop, one thread.
 */
#ifndef GK_NET_HTTP_H
#define GK_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct gk_loop;
struct gk_http;          /* connections, shared by its requests */
struct gk_http_exchange; /* one request and its answer */

enum gk_http_end {
	GK_HTTP_DONE,        /* the answer is complete; status says what it is */
	GK_HTTP_UNREACHABLE, /* name, connection or TLS failed: no byte of the request was answered */
	GK_HTTP_BROKEN,      /* the connection ended in the middle */
	GK_HTTP_STALLED,     /* no byte for stall_ms, or over total_ms */
	GK_HTTP_REFUSED,     /* by us: the data callback returned false, or headers over their ceiling */
	GK_HTTP_UNTRUSTED,   /* the server's certificate was not accepted */
};

struct gk_http_request {
	const char *url;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body;           /* copied */
	size_t body_size;
	const char *ca_file;                /* NULL: $SSL_CERT_FILE, else the system's, wherever it keeps them */
	int connect_ms, stall_ms, total_ms; /* 0: none */
};

struct gk_http_result {
	enum gk_http_end end;
	int status;             /* 0 when no status line came */
	int64_t retry_after_ms; /* of the Retry-After header; -1: none */
	char content_type[64];  /* lower case, without parameters */
	char request_id[96];    /* x-request-id, or "" */
	char message[256];      /* unless DONE: what went wrong, in words */
};

/* A piece of the answer's body; status is known. Returning false ends the exchange as REFUSED. */
typedef bool gk_http_data_fn(void *ctx, int status, const char *bytes, size_t size);
/* Exactly once, never from within gk_http_post(); the exchange is gone afterwards. */
typedef void gk_http_done_fn(void *ctx, const struct gk_http_result *result);

struct gk_http *gk_http_new(struct gk_loop *loop, struct gk_err *e);
void gk_http_free(struct gk_http *http); /* abandons what is in flight, without callbacks */

/* Never NULL unless *e is filled (a URL that is none, a CA file that is not there). */
struct gk_http_exchange *gk_http_post(struct gk_http *http, const struct gk_http_request *request,
                                      gk_http_data_fn *data, gk_http_done_fn *done, void *ctx,
                                      struct gk_err *e);
/* Ends it without a callback. Not from within its own callbacks. */
void gk_http_cancel(struct gk_http_exchange *exchange);

#endif
