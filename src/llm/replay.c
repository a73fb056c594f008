/*
 * Recorded answers. The file is JSON lines: a header, then one record per
 * answer (docs/models.md). It is read once. A request takes, in this order:
 *
 *     1. the record of the same prompt, task, trajectory, role and ordinal;
 *     2. of the records of the same prompt, number sample % count: so that
 *        trajectories that were not recorded spread over them, by no clock;
 *     3. unless strict, the record of the same task, trajectory, role and
 *        ordinal, with a warning: its prompt has changed since.
 *
 * Answers come from deferred calls, one per round, in the order asked.
 */
#include "llm/kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vec.h"
#include "loop/loop.h"

#define MAX_FILE_BYTES ((size_t)256 << 20)
#define FORMAT_VERSION 1

struct record {
	const char *task, *role, *model, *prompt_hash, *answer, *finish, *note;
	int64_t trajectory, ordinal, sample;
	int64_t prompt_tokens, cached_tokens, completion_tokens;
};

struct pending {
	struct pending *next;
	uint64_t id;
	const struct record *record; /* NULL: there is none */
	bool has_changed;
	char where[200]; /* the request in words */
};

struct replay {
	struct gk_endpoint endpoint;
	struct gk_loop *loop;
	struct gk_arena arena;
	char *path;
	const char *seed; /* that the recorded run was judged with, or NULL */
	bool is_strict;
	struct GK_VEC(struct record) records;
	struct pending *pending; /* oldest first */
};

/* --- reading --- */

#define AT(member) offsetof(struct record, member)

static const struct gk_field usage_fields[] = {
	{.name = "prompt_tokens", .kind = GK_FIELD_INT, .offset = AT(prompt_tokens), .max = INT64_MAX},
	{.name = "cached_tokens", .kind = GK_FIELD_INT, .offset = AT(cached_tokens), .max = INT64_MAX},
	{.name = "completion_tokens", .kind = GK_FIELD_INT, .offset = AT(completion_tokens), .max = INT64_MAX},
};

static int decode_usage(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	return gk_node_decode(at, usage_fields, gk_count_of(usage_fields), out, arena, e);
}

/* The prompt is there for readers; it is found by its hash. */
static int skip_prompt(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)out, (void)arena;
	return gk_node_object(at, e);
}

static const struct gk_field record_fields[] = {
	{.name = "task", .kind = GK_FIELD_STRING, .offset = AT(task), .required = true},
	{.name = "role", .kind = GK_FIELD_STRING, .offset = AT(role), .required = true},
	{.name = "trajectory", .kind = GK_FIELD_INT, .offset = AT(trajectory), .max = INT32_MAX},
	{.name = "ordinal", .kind = GK_FIELD_INT, .offset = AT(ordinal), .max = INT32_MAX, .required = true},
	{.name = "sample", .kind = GK_FIELD_INT, .offset = AT(sample), .max = INT32_MAX},
	{.name = "model", .kind = GK_FIELD_STRING, .offset = AT(model)},
	{.name = "prompt_hash", .kind = GK_FIELD_STRING, .offset = AT(prompt_hash)},
	{.name = "prompt", .kind = GK_FIELD_NODE, .decode = skip_prompt},
	{.name = "answer", .kind = GK_FIELD_STRING, .offset = AT(answer), .required = true},
	{.name = "finish", .kind = GK_FIELD_STRING, .offset = AT(finish)},
	{.name = "usage", .kind = GK_FIELD_NODE, .decode = decode_usage},
	{.name = "note", .kind = GK_FIELD_STRING, .offset = AT(note)},
};

struct header {
	int64_t version;
	char *origin, *seed;
};

static const struct gk_field header_fields[] = {
	{.name = "geak_replay", .kind = GK_FIELD_INT, .offset = offsetof(struct header, version), .required = true,
	 .max = INT32_MAX},
	{.name = "origin", .kind = GK_FIELD_STRING, .offset = offsetof(struct header, origin), .required = true},
	{.name = "seed", .kind = GK_FIELD_STRING, .offset = offsetof(struct header, seed)},
};

static int read_header(struct replay *replay, const struct gk_node *root, struct gk_err *e)
{
	struct header header = {0};

	if (!json_object_get(root->value, "geak_replay"))
		return gk_err_set(e, GK_ERR_INPUT, "%s: not a replay file: its first line must be "
		                  "{\"geak_replay\": 1, \"origin\": ..}", replay->path);
	if (gk_node_decode(root, header_fields, gk_count_of(header_fields), &header, &replay->arena, e) < 0)
		return -1;
	if (header.version != FORMAT_VERSION)
		return gk_err_set(e, GK_ERR_INPUT, "%s: replay format %lld; this geak reads %d", replay->path,
		                  (long long)header.version, FORMAT_VERSION);
	replay->seed = header.seed;
	return 0;
}

static int read_record(struct replay *replay, const struct gk_node *root, struct gk_err *e)
{
	struct record record = {.prompt_hash = "", .finish = "stop", .trajectory = 0};

	if (gk_node_decode(root, record_fields, gk_count_of(record_fields), &record, &replay->arena, e) < 0)
		return -1;
	gk_vec_push(&replay->records, record);
	return 0;
}

static int read_line(struct replay *replay, const char *line, size_t size, int number, struct gk_err *e)
{
	char *name = gk_arena_printf(&replay->arena, "%s:%d", replay->path, number);
	gk_doc_auto doc = {0};
	struct gk_node root;

	if (gk_doc_from_json(&doc, name, line, size, e) < 0)
		return -1;
	root = gk_node_root(&doc);
	return number == 1 ? read_header(replay, &root, e) : read_record(replay, &root, e);
}

static bool is_blank(const char *text, size_t size)
{
	return strspn(text, " \t\r\n") >= size;
}

static int read_lines(struct replay *replay, const char *text, size_t size, struct gk_err *e)
{
	size_t at = 0, length;
	int number = 0;

	while (at < size) {
		const char *end = memchr(text + at, '\n', size - at);

		length = end ? (size_t)(end - text) - at : size - at;
		number++;
		if ((number == 1 || !is_blank(text + at, length)) &&
		    read_line(replay, text + at, length, number, e) < 0)
			return -1;
		at += length + 1;
	}
	if (number == 0)
		return gk_err_set(e, GK_ERR_INPUT, "%s: the file is empty", replay->path);
	return 0;
}

/* --- answering --- */

static bool is_same_place(const struct record *record, const struct gk_model_request *request)
{
	return record->trajectory == request->trajectory && record->ordinal == request->ordinal &&
	       strcmp(record->role, request->role) == 0 && strcmp(record->task, request->task) == 0;
}

static const struct record *find_by_place(const struct replay *replay, const struct gk_model_request *request,
                                          bool same_prompt)
{
	size_t i;

	for (i = 0; i < replay->records.count; i++) {
		const struct record *record = &replay->records.items[i];

		if (is_same_place(record, request) &&
		    (!same_prompt || strcmp(record->prompt_hash, request->prompt_hash) == 0))
			return record;
	}
	return NULL;
}

static const struct record *find_by_prompt(const struct replay *replay, const struct gk_model_request *request)
{
	const struct record *found = NULL;
	size_t count = 0, wanted, i;

	for (i = 0; i < replay->records.count; i++)
		count += strcmp(replay->records.items[i].prompt_hash, request->prompt_hash) == 0;
	if (!count)
		return NULL;
	wanted = (size_t)request->sample % count;
	for (i = 0; i < replay->records.count && !found; i++)
		if (strcmp(replay->records.items[i].prompt_hash, request->prompt_hash) == 0 && wanted-- == 0)
			found = &replay->records.items[i];
	return found;
}

static void find(const struct replay *replay, const struct gk_model_request *request, struct pending *pending)
{
	pending->record = find_by_place(replay, request, true);
	if (!pending->record)
		pending->record = find_by_prompt(replay, request);
	if (pending->record || replay->is_strict)
		return;
	pending->record = find_by_place(replay, request, false);
	pending->has_changed = pending->record != NULL;
}

static void fill_answer(const struct replay *replay, const struct pending *pending, char warning[320],
                        struct gk_model_answer *answer)
{
	const struct record *record = pending->record;

	*answer = (struct gk_model_answer){.id = pending->id, .text = "", .finish = "", .usage = {.cost_nano_usd = 0}};
	if (!record) {
		answer->status = GK_ANSWER_REFUSED;
		gk_err_set(&answer->err, GK_ERR_INPUT, "%s: no answer was recorded for %s%s", replay->path,
		           pending->where, replay->is_strict ? " with this prompt" : "");
		return;
	}
	answer->text = record->answer;
	answer->size = strlen(record->answer);
	answer->finish = record->finish;
	answer->usage.prompt_tokens = record->prompt_tokens;
	answer->usage.cached_tokens = record->cached_tokens;
	answer->usage.completion_tokens = record->completion_tokens;
	if (pending->has_changed) {
		snprintf(warning, 320, "the prompt of %s has changed since its answer was recorded", pending->where);
		answer->warning = warning;
	}
}

/* Nothing of the endpoint is touched after the callback: it may have closed us. */
static void answer_one(void *ctx)
{
	struct replay *replay = ctx;
	struct pending *pending = replay->pending, copy;
	struct gk_model_answer answer;
	char warning[320];

	if (!pending)
		return;
	replay->pending = pending->next;
	if (replay->pending)
		gk_loop_defer(replay->loop, answer_one, replay);
	copy = *pending;
	free(pending);
	fill_answer(replay, &copy, warning, &answer);
	replay->endpoint.answered(replay->endpoint.ctx, &answer);
}

static int start(struct gk_endpoint *endpoint, const struct gk_model_request *request, struct gk_err *e)
{
	struct replay *replay = (struct replay *)endpoint;
	struct pending **tail = &replay->pending;
	struct pending *pending = gk_alloc(sizeof(*pending));

	(void)e;
	pending->id = request->id;
	snprintf(pending->where, sizeof(pending->where), "%s of task %.80s, trajectory %d, request %d", request->role,
	         request->task, request->trajectory, request->ordinal);
	find(replay, request, pending);
	if (!replay->pending)
		gk_loop_defer(replay->loop, answer_one, replay);
	while (*tail)
		tail = &(*tail)->next;
	*tail = pending;
	return 0;
}

static void close_replay(struct gk_endpoint *endpoint)
{
	struct replay *replay = (struct replay *)endpoint;

	gk_loop_forget(replay->loop, replay);
	while (replay->pending) {
		struct pending *next = replay->pending->next;

		free(replay->pending);
		replay->pending = next;
	}
	gk_vec_release(&replay->records);
	gk_arena_release(&replay->arena);
	free(replay);
}

static const struct gk_endpoint_ops replay_ops = {start, close_replay};

struct gk_endpoint *gk_replay_open(const char *what, const struct gk_llm_options *options, struct gk_loop *loop,
                                   struct gk_err *e)
{
	gk_free_auto char *text = NULL;
	struct replay *replay;
	size_t size;

	if (gk_file_read(what, MAX_FILE_BYTES, &text, &size, e) < 0)
		return NULL;
	replay = gk_alloc(sizeof(*replay));
	replay->endpoint.ops = &replay_ops;
	replay->endpoint.max_parallel = options->max_parallel > 0 ? options->max_parallel : 64;
	replay->loop = loop;
	replay->path = gk_arena_string(&replay->arena, what);
	replay->is_strict = options->replay_strict;
	if (read_lines(replay, text, size, e) == 0)
		return &replay->endpoint;
	close_replay(&replay->endpoint);
	return NULL;
}

/* --- writing --- */

/* Bytes that are no UTF-8 cannot stand in JSON: an answer from a spool folder may hold some. */
static json_t *safe_string(const char *text)
{
	json_t *json = json_string(text);
	gk_buf_auto safe = GK_BUF_INIT;

	if (json)
		return json;
	gk_text_add_safe(&safe, text, strlen(text), strlen(text), true);
	return json_string(gk_buf_text(&safe));
}

static void add_line(struct gk_buf *out, json_t *json)
{
	gk_free_auto char *text = json_dumps(json, JSON_COMPACT);

	gk_buf_add_text(out, text);
	gk_buf_add_char(out, '\n');
	json_decref(json);
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, safe_string(text));
}

const char *gk_replay_seed(const struct gk_endpoint *endpoint)
{
	return endpoint->ops == &replay_ops ? ((const struct replay *)endpoint)->seed : NULL;
}

void gk_replay_add_header(struct gk_buf *out, const char *origin, const char *seed)
{
	json_t *json = json_object();

	json_object_set_new(json, "geak_replay", json_integer(FORMAT_VERSION));
	put_text(json, "origin", origin);
	put_text(json, "seed", seed);
	add_line(out, json);
}

static json_t *usage_json(const struct gk_usage *usage)
{
	json_t *json = json_object();

	json_object_set_new(json, "prompt_tokens", json_integer(usage->prompt_tokens));
	json_object_set_new(json, "cached_tokens", json_integer(usage->cached_tokens));
	json_object_set_new(json, "completion_tokens", json_integer(usage->completion_tokens));
	return json;
}

void gk_replay_add_record(struct gk_buf *out, const struct gk_replay_record *record)
{
	json_t *json = json_object(), *prompt = json_object();

	put_text(json, "task", record->task);
	put_text(json, "role", record->role);
	json_object_set_new(json, "trajectory", json_integer(record->trajectory));
	json_object_set_new(json, "ordinal", json_integer(record->ordinal));
	json_object_set_new(json, "sample", json_integer(record->sample));
	put_text(json, "model", record->model);
	put_text(json, "prompt_hash", record->prompt_hash);
	put_text(prompt, "system", record->system);
	put_text(prompt, "user", record->user);
	if (json_object_size(prompt))
		json_object_set(json, "prompt", prompt);
	json_decref(prompt);
	put_text(json, "answer", record->answer);
	put_text(json, "finish", record->finish);
	json_object_set_new(json, "usage", usage_json(&record->usage));
	put_text(json, "note", record->note);
	add_line(out, json);
}
