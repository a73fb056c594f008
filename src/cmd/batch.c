/*
 * A stream of candidates. Theory of operation: lines are read as long as fewer
 * than MAX_UNDER_WAY candidates are being judged, so memory does not depend on
 * the length of the stream; what is answered is forgotten. A line that cannot
 * be used is answered with an error record and the stream goes on.
 *
 * A line may name a seed: from it on the secret is another. Nothing is under way
 * when it changes, so such lines stand best together.
 *
 * With an output file a broken batch is gone on with by the same command: ids
 * that have an answer there are skipped, half a line at the file's end (written
 * when geak was killed) is cut off. Records about ourselves (infra) and about bad
 * lines are no answers: these are tried again.
 */
#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/place.h"
#include "base/text.h"
#include "box/spawn.h"
#include "cmd.h"
#include "loop/loop.h"
#include "task/task.h"

#define MAX_SOURCE    ((size_t)1 << 20)
#define MAX_LINE      (8 * MAX_SOURCE) /* a source of escapes alone */
#define MAX_UNDER_WAY 64
#define CHUNK         ((size_t)1 << 16)
#define PROGRESS_MS   5000

struct work {
	const struct gk_batch *batch;
	struct gk_arena arena;
	const char *suites;
	struct gk_map targets;  /* of lines -> struct gk_suite, NULL: there is none */
	struct gk_suite *suite; /* of the command line, or NULL */
	struct gk_loop *loop;
	struct gk_evaluator *evaluator;
	struct gk_watch *watch;
	struct gk_timer *progress;
	int fd;
	bool is_file; /* read at will: such descriptors cannot be watched */
	FILE *out;
	struct gk_buf input;
	bool has_ended;
	struct gk_err err; /* of input or output */
	struct gk_map answered; /* ids in the output file */
	int64_t line, begin_ns;
	int64_t seed, line_seed; /* in force, and of the line at hand; -1: none was named */
	size_t under_way, skipped, passed, failed, undecided, infra, bad, cached;
};

struct item {
	struct work *work;
	json_t *id;
	const char *task; /* the suite's */
	int64_t seed; /* of its line, or -1 */
	bool is_cached;
};

static size_t count_done(const struct work *w)
{
	return w->passed + w->failed + w->undecided + w->infra;
}

void gk_batch_secret(int64_t seed, uint8_t secret[GK_HASH_BYTES])
{
	struct gk_sha256 s;
	char text[64];

	if (seed < 0) {
		gk_random_bytes(secret, GK_HASH_BYTES);
		return;
	}
	snprintf(text, sizeof text, "geak seed %lld", (long long)seed);
	gk_sha256_init(&s);
	gk_sha256_add(&s, text, strlen(text));
	gk_sha256_end(&s, secret);
}

/* ---- answers ---- */

static void put_record(struct work *w, const json_t *record)
{
	gk_free_auto char *text = gk_json_text(record);

	if ((fputs(text, w->out) < 0 || fputc('\n', w->out) == EOF || fflush(w->out) != 0) &&
	    w->err.kind == GK_ERR_NONE)
		gk_err_errno(&w->err, "writing %s", w->batch->output ? w->batch->output : "to the standard output");
}

static void count_outcome(struct work *w, enum gk_outcome outcome)
{
	w->passed += outcome == GK_PASS;
	w->failed += outcome == GK_FAIL;
	w->undecided += outcome == GK_UNDECIDED;
	w->infra += outcome == GK_INFRA;
}

static void take_lines(void *ctx);

static void judged(void *ctx, uint64_t number, struct gk_verdict *verdict)
{
	struct item *item = ctx;
	struct work *w = item->work;
	gk_json_auto *record = gk_verdict_to_json(verdict);

	(void)number;
	json_object_set_new(record, "id", item->id);
	json_object_set_new(record, "task", json_string(item->task));
	json_object_set_new(record, "cached", json_boolean(item->is_cached));
	if (item->seed >= 0)
		json_object_set_new(record, "seed", json_integer(item->seed));
	json_object_set_new(record, "containment", json_string(gk_box_probe()->tier));
	count_outcome(w, verdict->outcome);
	w->cached += item->is_cached;
	w->under_way--;
	gk_verdict_release(verdict);
	free(item);
	put_record(w, record);
	gk_loop_forget(w->loop, w);
	gk_loop_defer(w->loop, take_lines, w); /* a new secret must not come from within a verdict */
}

static void refuse(struct work *w, const json_t *id, const char *why)
{
	gk_json_auto *record = json_object();
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, why, strlen(why), 500, false);
	json_object_set_new(record, "id", id ? json_incref((json_t *)(uintptr_t)id) : json_null());
	json_object_set_new(record, "line", json_integer(w->line));
	json_object_set_new(record, "error", json_string(gk_buf_text(&safe)));
	w->bad++;
	put_record(w, record);
}

/* ---- requests ---- */

static const struct gk_task *task_in(const struct gk_suite *suite, const char *id)
{
	for (size_t i = 0; id && i < suite->task_count; i++)
		if (suite->tasks[i] && strcmp(suite->tasks[i]->id, id) == 0)
			return suite->tasks[i];
	return !id && suite->task_count == 1 ? suite->tasks[0] : NULL;
}

/* Targets that lines name are looked up once. */
static const struct gk_task *task_of_line(struct work *w, const char *name, struct gk_err *e)
{
	union gk_map_value *known;
	bool is_new;

	if (w->suite) {
		const struct gk_task *task = task_in(w->suite, name);

		if (!task)
			gk_err_set(e, GK_ERR_INPUT, "\"task\" names no task of %s", w->batch->target);
		return task;
	}
	if (!name) {
		gk_err_set(e, GK_ERR_INPUT, "\"task\" is missing");
		return NULL;
	}
	known = gk_map_put(&w->targets, name, &is_new);
	if (is_new)
		known->pointer = gk_target_find(w->suites, name, e);
	if (known->pointer && ((struct gk_suite *)known->pointer)->task_count == 1)
		return ((struct gk_suite *)known->pointer)->tasks[0];
	if (known->pointer)
		gk_err_set(e, GK_ERR_INPUT, "\"task\" %s is a suite: name one of its tasks", name);
	else if (!is_new)
		gk_err_set(e, GK_ERR_INPUT, "\"task\" %s: there is no such task", name);
	return NULL;
}

/* The text of the line or of the file that it names; *size. Owned by the caller. */
static char *source_of(const json_t *request, size_t *size, struct gk_err *e)
{
	const json_t *source = json_object_get(request, "source");
	const char *path = json_string_value(json_object_get(request, "path"));
	char *bytes;

	if (!source)
		source = json_object_get(request, "candidate"); /* as --jsonl calls it */
	if (json_is_string(source)) {
		*size = json_string_length(source);
		if (*size <= MAX_SOURCE)
			return gk_strndup(json_string_value(source), *size);
		gk_err_set(e, GK_ERR_INPUT, "a candidate has at most %zu bytes", MAX_SOURCE);
		return NULL;
	}
	if (path)
		return gk_file_read(path, MAX_SOURCE, &bytes, size, e) < 0 ? NULL : bytes;
	gk_err_set(e, GK_ERR_INPUT, "neither \"source\" nor \"path\" is a string");
	return NULL;
}

static bool is_answered(struct work *w, const json_t *id)
{
	gk_free_auto char *key = gk_json_text(id);

	return gk_map_find(&w->answered, key) != NULL;
}

static void submit(struct work *w, json_t *request, json_t *id)
{
	struct gk_err e = {0};
	const struct gk_task *task = task_of_line(w, json_string_value(json_object_get(request, "task")), &e);
	size_t size = 0;
	gk_free_auto char *source = task ? source_of(request, &size, &e) : NULL;
	struct item *item;

	if (!source) {
		refuse(w, id, e.text);
		return;
	}
	item = gk_alloc(sizeof *item);
	*item = (struct item){w, json_incref(id), task->id, w->line_seed,
	                      gk_evaluator_knows(w->evaluator, task, source, size)};
	w->under_way++;
	gk_evaluator_submit(w->evaluator, task, source, size, judged, item);
}

/* False: the line waits until nothing is under way, and its seed holds then. */
static bool change_seed(struct work *w, const json_t *request)
{
	const json_t *seed = json_object_get(request, "seed");
	uint8_t secret[GK_HASH_BYTES];

	w->line_seed = json_is_integer(seed) ? json_integer_value(seed) : -1;
	if (w->line_seed < 0 || w->line_seed == w->seed)
		return true;
	if (w->under_way > 0)
		return false;
	gk_batch_secret(w->line_seed, secret);
	gk_evaluator_renew(w->evaluator, secret);
	w->seed = w->line_seed;
	return true;
}

/* False: not yet. */
static bool take_request(struct work *w, const char *line, size_t size)
{
	json_error_t error;
	gk_json_auto *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	json_t *id = json_object_get(request, "id");

	if (json_is_object(request) && !change_seed(w, request))
		return false;
	if (!json_is_object(request))
		refuse(w, NULL, request ? "a request is a JSON object" : error.text);
	else if (!id || json_is_null(id))
		refuse(w, NULL, "\"id\" is missing");
	else if (is_answered(w, id))
		w->skipped++;
	else
		submit(w, request, id);
	return true;
}

/* ---- the stream ---- */

static void fill(struct work *w)
{
	char *room = gk_buf_reserve(&w->input, CHUNK);
	ssize_t n = room ? read(w->fd, room, CHUNK) : -1;

	if (n > 0)
		gk_buf_grew(&w->input, (size_t)n);
	else if (!room)
		gk_err_set(&w->err, GK_ERR_INPUT, "line %lld has more than %zu bytes", (long long)w->line + 1, MAX_LINE);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		gk_err_errno(&w->err, "reading %s", w->batch->input);
	if (n == 0 || w->err.kind != GK_ERR_NONE)
		w->has_ended = true;
}

enum taken { TAKEN, NO_LINE, NOT_YET };

/* One line off the buffer. */
static enum taken take_line(struct work *w)
{
	const char *line = gk_buf_text(&w->input), *end = memchr(line, '\n', w->input.size);
	size_t size = end ? (size_t)(end - line) : w->input.size;

	if (!end && !(w->has_ended && size > 0))
		return NO_LINE;
	w->line++;
	if (strspn(line, " \t\r") < size && !take_request(w, line, size)) {
		w->line--;
		return NOT_YET;
	}
	gk_buf_drop(&w->input, size + (end != NULL));
	return TAKEN;
}

static void take_lines(void *ctx)
{
	struct work *w = ctx;

	while (w->under_way < MAX_UNDER_WAY && w->err.kind == GK_ERR_NONE) {
		enum taken taken = take_line(w);

		if (taken == TAKEN)
			continue;
		if (taken == NOT_YET || !w->is_file || w->has_ended)
			break;
		fill(w);
	}
	if (w->watch && w->has_ended)
		gk_watch_stop(&w->watch);
	/* What waits for its turn is enough: the rest waits in the pipe. */
	if (w->watch)
		gk_watch_set(w->watch, memchr(gk_buf_text(&w->input), '\n', w->input.size) ? 0 : GK_LOOP_READ);
}

static void input_ready(void *ctx, int events)
{
	struct work *w = ctx;

	(void)events;
	fill(w);
	take_lines(w);
}

static int open_input(struct work *w, struct gk_err *e)
{
	struct stat st;

	w->input.ceiling = MAX_LINE;
	w->fd = strcmp(w->batch->input, "-") == 0 ? STDIN_FILENO : open(w->batch->input, O_RDONLY | O_CLOEXEC);
	if (w->fd < 0 || fstat(w->fd, &st) < 0) {
		gk_err_errno(e, "%s", w->batch->input);
		e->kind = GK_ERR_INPUT;
		return -1;
	}
	if (S_ISDIR(st.st_mode))
		return gk_err_set(e, GK_ERR_INPUT, "%s is a folder; --batch reads a file of requests, -c reads folders",
		                  w->batch->input);
	w->is_file = S_ISREG(st.st_mode) || S_ISCHR(st.st_mode);
	if (w->is_file)
		return 0;
	w->watch = gk_loop_watch(w->loop, w->fd, GK_LOOP_READ, input_ready, w, e);
	return w->watch ? 0 : -1;
}

/* ---- the output file ---- */

static void remember_answer(struct work *w, const char *line, size_t size)
{
	gk_json_auto *record = json_loadb(line, size, 0, NULL);
	json_t *id = json_object_get(record, "id");
	const char *outcome = json_string_value(json_object_get(json_object_get(record, "verdict"), "outcome"));
	gk_free_auto char *key = NULL;

	if (!id || json_is_null(id) || !outcome || strcmp(outcome, "infra") == 0)
		return;
	key = gk_json_text(id);
	gk_map_put(&w->answered, key, NULL);
}

static int read_answers(struct work *w, struct gk_err *e)
{
	FILE *file = fopen(w->batch->output, "re");
	char *line = NULL;
	size_t capacity = 0;
	off_t whole = 0;
	ssize_t size;

	if (!file)
		return errno == ENOENT ? 0 : gk_err_errno(e, "%s", w->batch->output);
	while ((size = getline(&line, &capacity, file)) > 0) {
		if (line[size - 1] != '\n')
			break; /* geak was killed over it */
		whole += size;
		remember_answer(w, line, (size_t)size);
	}
	free(line);
	fclose(file);
	return truncate(w->batch->output, whole) < 0 ? gk_err_errno(e, "%s", w->batch->output) : 0;
}

static int open_output(struct work *w, struct gk_err *e)
{
	w->out = stdout;
	if (!w->batch->output)
		return 0;
	w->out = NULL;
	if (read_answers(w, e) < 0)
		return -1;
	w->out = fopen(w->batch->output, "ae");
	return w->out ? 0 : gk_err_errno(e, "%s", w->batch->output);
}

/* ---- the command ---- */

static void tell(void *ctx)
{
	const struct work *w = ctx;
	double seconds = (double)(gk_clock_ns() - w->begin_ns) / 1e9;
	size_t done = count_done(w);

	fprintf(stderr, "batch: %zu judged (%zu passed, %zu failed, %zu undecided, %zu infra), %zu cached, %zu skipped, %zu bad "
	        "lines; %.2f a second\n", done, w->passed, w->failed, w->undecided, w->infra, w->cached, w->skipped, w->bad,
	        seconds > 0 ? (double)done / seconds : 0);
}

static bool is_waiting(const void *ctx)
{
	const struct work *w = ctx;
	bool is_read = w->has_ended && w->input.size == 0;

	return w->under_way > 0 || (w->err.kind == GK_ERR_NONE && !is_read);
}

static int run_loop(struct work *w, struct gk_err *e)
{
	take_lines(w);
	if (gk_loop_while(w->loop, is_waiting, w, e) < 0)
		return gk_err_context(e, "%zu candidates judged%s", count_done(w),
		                      w->batch->output ? ", the same command goes on" : "");
	if (w->err.kind == GK_ERR_NONE)
		return 0;
	*e = w->err;
	return -1;
}

static int open_all(struct work *w, const struct gk_evaluator_options *options, struct gk_err *e)
{
	if (gk_place_path(&w->arena, "suites", &w->suites, e) < 0)
		return -1;
	if (w->batch->target) {
		w->suite = gk_target_find(w->suites, w->batch->target, e);
		if (!w->suite)
			return -1;
	}
	w->loop = gk_loop_new(e);
	if (!w->loop || gk_loop_catch_interrupts(w->loop, NULL, NULL, e) < 0 || open_output(w, e) < 0 || open_input(w, e) < 0)
		return -1;
	w->evaluator = gk_evaluator_open(w->loop, options, e);
	if (!w->evaluator)
		return -1;
	w->progress = gk_loop_timer(w->loop, PROGRESS_MS, PROGRESS_MS, tell, w);
	gk_timer_background(w->progress, true);
	return 0;
}

static void close_all(struct work *w)
{
	gk_timer_stop(&w->progress);
	if (w->loop)
		gk_loop_forget(w->loop, w);
	gk_watch_stop(&w->watch);
	gk_evaluator_close(w->evaluator);
	gk_loop_free(w->loop);
	if (w->fd > STDIN_FILENO)
		gk_fd_close(&w->fd);
	if (w->out && w->out != stdout)
		fclose(w->out);
	for (size_t i = 0; i < w->targets.count; i++)
		gk_suite_free(w->targets.entries[i].value.pointer);
	gk_map_release(&w->targets);
	gk_map_release(&w->answered);
	gk_suite_free(w->suite);
	gk_buf_release(&w->input);
	gk_arena_release(&w->arena);
}

int gk_batch_run(const struct gk_batch *batch, const struct gk_evaluator_options *options, struct gk_err *e)
{
	struct work w = {.batch = batch, .fd = -1, .seed = -1, .begin_ns = gk_clock_ns()};
	int done = open_all(&w, options, e);

	if (done == 0)
		done = run_loop(&w, e);
	if (w.evaluator)
		tell(&w);
	close_all(&w);
	if (done < 0)
		return -1;
	return w.infra ? 3 : w.bad ? 2 : w.failed + w.undecided ? 1 : 0;
}
