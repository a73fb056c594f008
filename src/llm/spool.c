/*
 * Prompts as files. For each request, DIR gets NAME.prompt.json (for programs)
 * and NAME.prompt.md (for people and chat windows), each by rename, and the
 * answer is awaited as NAME.answer.md. NAME is the same for the same request,
 * so that a run that was stopped finds the answers that came meanwhile.
 *
 * The folder is polled: an answer counts once it is not empty and has kept its
 * size and time of change from one look to the next, so that it may be written
 * in place. One timer serves all requests, and runs while any waits.
 */
#include "llm/kinds.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "llm/answer.h"
#include "loop/loop.h"

#define FIRST_LOOK_MS 5

struct waiting {
	struct waiting *next;
	uint64_t id;
	char *path; /* of the answer */
	off_t size; /* at the last look; 0: nothing was there */
	struct timespec changed;
	int64_t since_ns; /* when it was seen like that first */
	bool has_complained;
};

struct spool {
	struct gk_endpoint endpoint;
	struct gk_loop *loop;
	char *folder;
	int poll_ms;
	struct gk_timer *timer;
	struct waiting *waiting; /* oldest first */
};

/* --- prompts --- */

static void add_word(struct gk_buf *out, const char *word)
{
	for (; *word; word++)
		gk_buf_add_char(out, isalnum((unsigned char)*word) || strchr("_-", *word) ? *word : '_');
}

static void add_name(struct gk_buf *out, const struct gk_model_request *request)
{
	add_word(out, request->task);
	gk_buf_printf(out, ".t%d.s%02d.", request->trajectory, request->step);
	add_word(out, request->role);
	gk_buf_printf(out, ".%.8s", request->prompt_hash);
}

static int write_file(const struct spool *spool, const char *name, const char *ending, const char *text,
                      size_t size, struct gk_err *e)
{
	gk_buf_auto path = GK_BUF_INIT;

	gk_buf_printf(&path, "%s/%s%s", spool->folder, name, ending);
	return gk_file_write(gk_buf_text(&path), text, size, e);
}

static int write_json(const struct spool *spool, const char *name, const struct gk_model_request *request,
                      struct gk_err *e)
{
	gk_free_auto char *text = NULL;
	json_t *json = json_object();
	int rc;

	json_object_set_new(json, "task", json_string(request->task));
	json_object_set_new(json, "trajectory", json_integer(request->trajectory));
	json_object_set_new(json, "step", json_integer(request->step));
	json_object_set_new(json, "role", json_string(request->role));
	json_object_set_new(json, "prompt_hash", json_string(request->prompt_hash));
	json_object_set_new(json, "temperature", json_real(request->temperature));
	json_object_set_new(json, "max_tokens",
	                    request->max_tokens ? json_integer(request->max_tokens) : json_null());
	json_object_set_new(json, "system", json_string(request->system));
	json_object_set_new(json, "user", json_string(request->user));
	json_object_set_new(json, "answer_file", json_sprintf("%s.answer.md", name));
	text = json_dumps(json, JSON_INDENT(1));
	rc = text ? write_file(spool, name, ".prompt.json", text, strlen(text), e)
	          : gk_err_set(e, GK_ERR_INTERNAL, "a prompt that is no UTF-8");
	json_decref(json);
	return rc;
}

static int write_prompt(const struct spool *spool, const char *name, const struct gk_model_request *request,
                        struct gk_err *e)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(
		&text,
		"<!-- geak: %s for task %s, trajectory %d, step %d. Put the model's whole answer, as it "
		"is, into %s.answer.md -->\n\n",
		request->role, request->task, request->trajectory, request->step, name);
	gk_buf_printf(&text, "# System\n\n%s\n\n# User\n\n%s\n", request->system, request->user);
	if (write_json(spool, name, request, e) < 0)
		return -1;
	return write_file(spool, name, ".prompt.md", text.bytes, text.size, e);
}

/* --- answers --- */

static bool is_settled(struct waiting *waiting, int64_t quiet_ns)
{
	int64_t now_ns = gk_clock_ns();
	struct stat st;

	if (stat(waiting->path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
		waiting->size = 0;
		return false;
	}
	if (waiting->size == st.st_size && waiting->changed.tv_sec == st.st_mtim.tv_sec &&
	    waiting->changed.tv_nsec == st.st_mtim.tv_nsec)
		return now_ns - waiting->since_ns >= quiet_ns;
	waiting->size = st.st_size;
	waiting->changed = st.st_mtim;
	waiting->since_ns = now_ns;
	return false;
}

/* A file that cannot be used is not the model's fault: say it once, and wait until it is put right. */
static bool read_answer(struct waiting *waiting, char **text, size_t *size)
{
	struct gk_err e;

	if (gk_file_read(waiting->path, GK_ANSWER_MAX_BYTES, text, size, &e) < 0) {
		if (!waiting->has_complained)
			gk_log(GK_LOG_WARN, "%s; waiting for one that can be used", e.text);
		waiting->has_complained = true;
		return false;
	}
	return true;
}

static void free_waiting(struct waiting *waiting)
{
	free(waiting->path);
	free(waiting);
}

static struct waiting *take_settled(struct spool *spool, char **text, size_t *size)
{
	struct waiting **at;

	for (at = &spool->waiting; *at; at = &(*at)->next) {
		struct waiting *found = *at;

		/* Timers are exact to a millisecond: a little less than the time between two looks. */
		if (is_settled(found, (int64_t)spool->poll_ms * 900000) && read_answer(found, text, size)) {
			*at = found->next;
			return found;
		}
	}
	return NULL;
}

/* One answer a look: the callback may close us or start more. The next look then follows at once. */
static void look(void *ctx)
{
	struct spool *spool = ctx;
	gk_free_auto char *text = NULL;
	struct gk_model_answer answer = {
		.status = GK_ANSWER_OK, .finish = "stop", .usage = {.cost_nano_usd = -1}};
	struct waiting *found = take_settled(spool, &text, &answer.size);

	if (!found) {
		if (!spool->waiting)
			gk_timer_stop(&spool->timer);
		return;
	}
	answer.id = found->id;
	answer.text = text;
	free_waiting(found);
	if (spool->waiting)
		gk_timer_set(spool->timer, FIRST_LOOK_MS, spool->poll_ms);
	else
		gk_timer_stop(&spool->timer);
	spool->endpoint.answered(spool->endpoint.ctx, &answer);
}

static int start(struct gk_endpoint *endpoint, const struct gk_model_request *request, struct gk_err *e)
{
	struct spool *spool = (struct spool *)endpoint;
	struct waiting **tail = &spool->waiting;
	struct waiting *waiting;
	gk_buf_auto name = GK_BUF_INIT;
	gk_buf_auto path = GK_BUF_INIT;

	add_name(&name, request);
	if (write_prompt(spool, gk_buf_text(&name), request, e) < 0)
		return gk_err_context(e, "spool");
	gk_buf_printf(&path, "%s/%s.answer.md", spool->folder, gk_buf_text(&name));
	waiting = gk_alloc(sizeof(*waiting));
	waiting->id = request->id;
	waiting->path = gk_buf_steal(&path);
	while (*tail)
		tail = &(*tail)->next;
	*tail = waiting;
	if (spool->timer)
		gk_timer_set(spool->timer, FIRST_LOOK_MS, spool->poll_ms);
	else
		spool->timer = gk_loop_timer(spool->loop, FIRST_LOOK_MS, spool->poll_ms, look, spool);
	return 0;
}

static void close_spool(struct gk_endpoint *endpoint)
{
	struct spool *spool = (struct spool *)endpoint;

	gk_timer_stop(&spool->timer);
	while (spool->waiting) {
		struct waiting *next = spool->waiting->next;

		free_waiting(spool->waiting);
		spool->waiting = next;
	}
	free(spool->folder);
	free(spool);
}

static const struct gk_endpoint_ops spool_ops = {start, close_spool};

struct gk_endpoint *gk_spool_open(const char *what, const struct gk_llm_options *options,
                                  struct gk_loop *loop, struct gk_err *e)
{
	struct spool *spool;

	if (gk_dir_make(what, e) < 0)
		return NULL;
	spool = gk_alloc(sizeof(*spool));
	spool->endpoint.ops = &spool_ops;
	spool->endpoint.max_parallel = options->max_parallel > 0 ? options->max_parallel : 1000;
	spool->loop = loop;
	spool->folder = gk_strdup(what);
	spool->poll_ms = options->poll_ms > 0 ? options->poll_ms : 500;
	return &spool->endpoint;
}
