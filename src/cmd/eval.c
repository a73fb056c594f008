/* geak eval: judges candidates that exist already, from files, a folder, standard input or a stream of
 * requests. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/place.h"
#include "base/text.h"
#include "base/vec.h"
#include "batch.h"
#include "box/spawn.h"
#include "cmd.h"
#include "loop/loop.h"
#include "option.h"
#include "peers.h"
#include "run/evaluator.h"
#include "task/task.h"
#include "view/judged.h"

#define MAX_SOURCE   ((size_t)1 << 20)
#define END_TO_END_CALLS 1000 /* at most; fewer where they take long */
#define MAX_REQUESTS 64 /* of --jsonl, under way; more wait in the pipe */

enum { SCHEMA_VERSION = 1 };

static const struct gk_command_help help = {
	"eval", "TARGET [-c FILE|DIR|-] [--json|--jsonl]",
	"Judge candidates: lint, capture, execution, comparison, timing",
	"TARGET is a suite, a task folder or a task id. Without -c each task's own reference is judged. With "
        "a folder,\n"
	"TASK.py in it is the candidate for TASK; for a single task every .py file is one. \"-c -\" reads "
        "one candidate\n"
	"from standard input, or with --jsonl one request a line: {\"id\": ANY, \"task\": ID, \"candidate\": "
        "SOURCE}.\n"
	"Exit code: 0 all passed, 1 one did not, 2 bad input, 3 geak itself failed."};

struct eval;

struct item {
	struct eval *eval;
	const struct gk_task *task;
	const char *name; /* of the candidate, for people */
	json_t *id;       /* --jsonl: of the request, or NULL */
	json_t *result;   /* --json: kept until the end */
	bool is_done;
};

struct eval {
	struct gk_arena arena;
	struct gk_suite *suite;
	struct gk_loop *loop;
	struct gk_evaluator *evaluator;
	struct gk_term term;
	const char *candidate; /* -c */
	const char *samples; /* --samples: file for the raw times, or NULL */
	json_t *kept;        /* of it, until the end */
	bool json, jsonl, basis_is_told;
	struct GK_VEC(struct item *) items;
	size_t done_count, failed, infra, bad_input;
	struct gk_watch *watch; /* requests on standard input */
	struct gk_buf input;
	bool input_ended;
	struct gk_err err; /* of reading requests */
};

/* ---- results ---- */

static json_t *result_json(const struct item *item, const struct gk_verdict *verdict)
{
	json_t *result = gk_verdict_to_json(verdict);

	json_object_set_new(result, "task", json_string(item->task->id));
	json_object_set_new(result, "candidate", json_string(item->name));
	json_object_set_new(result, "containment", json_string(gk_box_probe()->tier));
	if (item->id)
		json_object_set(result, "id", item->id);
	return result;
}

static void print_line(const json_t *json)
{
	gk_free_auto char *text = gk_json_text(json);

	puts(text);
	fflush(stdout);
}

/* Raw times of the verdict's cases, while the verdict still has them. */
static void keep_samples(const struct item *item, const struct gk_verdict *v)
{
	for (size_t i = 0; i < v->case_count; i++)
		if (v->cases[i].samples)
			json_array_append_new(item->eval->kept,
			                      json_pack("{s:s, s:s, s:s, s:O}", "task", item->task->id, "candidate", item->name,
			                                "case", v->cases[i].case_id, "timed", v->cases[i].samples));
}

static void print_verdict(struct eval *eval, const struct item *item, const struct gk_verdict *v)
{
	if (!eval->basis_is_told) {
		gk_json_auto *peers = gk_cmd_peers(eval->evaluator);

		gk_judged_print_basis(&eval->term, peers);
		eval->basis_is_told = true;
	}
	gk_judged_print(&eval->term, item->task->id, item->name, v);
}

static void count_outcome(struct eval *eval, const struct gk_verdict *v)
{
	eval->done_count++;
	if (v->outcome == GK_INFRA && strcmp(v->kind, "task") == 0)
		eval->bad_input++;
	else if (v->outcome == GK_INFRA)
		eval->infra++;
	else if (v->outcome != GK_PASS)
		eval->failed++;
}

static void read_requests(struct eval *eval);

static void judged(void *ctx, uint64_t id, struct gk_verdict *verdict)
{
	struct item *item = ctx;
	struct eval *eval = item->eval;

	(void)id;
	item->is_done = true;
	count_outcome(eval, verdict);
	if (eval->kept)
		keep_samples(item, verdict);
	if (eval->json || eval->jsonl)
		item->result = result_json(item, verdict);
	else
		print_verdict(eval, item, verdict);
	gk_verdict_release(verdict);
	if (eval->jsonl) {
		print_line(item->result);
		json_decref(item->result);
		item->result = NULL;
		read_requests(eval);
	}
}

static void submit(struct eval *eval, const struct gk_task *task, const char *name, json_t *id,
                   const char *source, size_t size)
{
	struct item *item = gk_alloc(sizeof *item);

	item->eval = eval;
	item->task = task;
	item->name = gk_arena_string(&eval->arena, name);
	item->id = json_incref(id);
	gk_vec_push(&eval->items, item);
	gk_evaluator_submit(eval->evaluator, task, source, size, judged, item);
}

/* ---- requests on standard input, a line each ---- */

static void refuse_request(struct eval *eval, json_t *id, const char *why)
{
	json_t *answer = json_object();
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, why, strlen(why), 500, false);
	json_object_set_new(answer, "id", id ? json_incref(id) : json_null());
	json_object_set_new(answer, "error", json_string(gk_buf_text(&safe)));
	print_line(answer);
	json_decref(answer);
	eval->bad_input++;
}

static const struct gk_task *find_task(const struct gk_suite *suite, const char *id)
{
	for (size_t i = 0; i < suite->task_count; i++) {
		const struct gk_task *task = suite->tasks[i];

		if (task && strcmp(task->id, id) == 0)
			return task;
	}
	return NULL;
}

static void take_request(struct eval *eval, const char *line, size_t size)
{
	json_error_t error;
	gk_json_auto *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	json_t *id = json_object_get(request, "id");
	const char *task_id = json_string_value(json_object_get(request, "task"));
	const json_t *candidate = json_object_get(request, "candidate");
	const struct gk_task *task = task_id ? find_task(eval->suite, task_id) : NULL;

	if (!task_id && eval->suite->task_count == 1)
		task = eval->suite->tasks[0];
	if (!json_is_object(request))
		refuse_request(eval, NULL, request ? "a request is a JSON object" : error.text);
	else if (!json_is_string(candidate))
		refuse_request(eval, id, "\"candidate\" must be a string: the source text");
	else if (!task)
		refuse_request(eval, id, "\"task\" names no task of the target");
	else
		submit(eval, task, "-", id, json_string_value(candidate), json_string_length(candidate));
}

static bool is_blank(const char *line, size_t size)
{
	return strspn(line, " \t\r") >= size;
}

/* Whole lines, as long as there is room for more; the rest stays in the buffer. */
static void take_lines(struct eval *eval)
{
	size_t at = 0;

	while (eval->items.count - eval->done_count < MAX_REQUESTS) {
		const char *line = gk_buf_text(&eval->input) + at;
		const char *end = memchr(line, '\n', eval->input.size - at);
		size_t size = end ? (size_t)(end - line) : eval->input.size - at;

		if (!end && !(eval->input_ended && size > 0))
			break;
		if (!is_blank(line, size))
			take_request(eval, line, size);
		at += size + (end != NULL);
	}
	gk_buf_drop(&eval->input, at);
}

static void fill_input(struct eval *eval)
{
	char *room = gk_buf_reserve(&eval->input, 1 << 16);
	ssize_t n = room ? read(STDIN_FILENO, room, 1 << 16) : -1;

	if (n > 0)
		gk_buf_grew(&eval->input, (size_t)n);
	else if (!room)
		gk_err_set(&eval->err, GK_ERR_INPUT, "a request of more than %zu bytes", eval->input.ceiling);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		gk_err_errno(&eval->err, "reading requests");
	if (n == 0 || eval->err.kind != GK_ERR_NONE)
		eval->input_ended = true;
}

static void read_requests(struct eval *eval)
{
	bool room;

	take_lines(eval);
	room = eval->items.count - eval->done_count < MAX_REQUESTS;
	if (eval->watch && eval->input_ended)
		gk_watch_stop(&eval->watch);
	if (eval->watch)
		gk_watch_set(eval->watch, room ? GK_LOOP_READ : 0);
}

static void input_ready(void *ctx, int events)
{
	struct eval *eval = ctx;

	(void)events;
	fill_input(eval);
	read_requests(eval);
}

static int open_requests(struct eval *eval, struct gk_err *e)
{
	struct stat st;

	eval->input.ceiling = 8 * MAX_SOURCE;
	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode)) { /* cannot be watched, need not be */
		while (!eval->input_ended)
			fill_input(eval);
		read_requests(eval);
		return 0;
	}
	eval->watch = gk_loop_watch(eval->loop, STDIN_FILENO, GK_LOOP_READ, input_ready, eval, e);
	return eval->watch ? 0 : -1;
}

/* ---- candidates from files ---- */

static int submit_file(struct eval *eval, const struct gk_task *task, const char *path, const char *name,
                       struct gk_err *e)
{
	gk_free_auto char *source = NULL;
	size_t size;

	if (gk_file_read(path, MAX_SOURCE, &source, &size, e) < 0)
		return -1;
	submit(eval, task, name, NULL, source, size);
	return 0;
}

static int submit_stdin(struct eval *eval, const struct gk_task *task, struct gk_err *e)
{
	gk_buf_auto source = {.ceiling = MAX_SOURCE};
	char *room;

	while ((room = gk_buf_reserve(&source, 4096)) != NULL) {
		ssize_t n = read(STDIN_FILENO, room, 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gk_err_errno(e, "reading a candidate from standard input");
		if (n == 0)
			break;
		gk_buf_grew(&source, (size_t)n);
	}
	if (!room)
		return gk_err_set(e, GK_ERR_INPUT, "standard input: a candidate has at most %zu bytes",
		                  MAX_SOURCE);
	submit(eval, task, "-", NULL, gk_buf_text(&source), source.size);
	return 0;
}

static int only_task(const struct eval *eval, const struct gk_task **task, struct gk_err *e)
{
	if (eval->suite->task_count != 1)
		return gk_err_set(e, GK_ERR_INPUT,
		                  "%s has %zu tasks: name the one that the candidate is for (%s/%s)",
		                  eval->suite->id, eval->suite->task_count, eval->suite->id,
		                  eval->suite->task_count ? eval->suite->tasks[0]->id : "TASK");
	*task = eval->suite->tasks[0];
	return 0;
}

static int submit_folder(struct eval *eval, const char *folder, struct gk_err *e)
{
	const struct gk_suite *suite = eval->suite;
	char **names;
	size_t count;

	if (gk_dir_list(folder, &eval->arena, &names, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const struct gk_task *task;
		char *id = gk_arena_string(&eval->arena, names[i]);

		if (!gk_text_ends(id, ".py"))
			continue;
		id[strlen(id) - 3] = '\0';
		task = suite->task_count == 1 ? suite->tasks[0] : find_task(suite, id);
		if (task &&
		    submit_file(eval, task, gk_path_join(&eval->arena, folder, names[i]), names[i], e) < 0)
			return -1;
	}
	if (eval->items.count == 0)
		return gk_err_set(e, GK_ERR_INPUT, "%s: no candidate in it: files are called TASK.py",
		                  folder);
	return 0;
}

static int submit_all(struct eval *eval, struct gk_err *e)
{
	const struct gk_task *task = NULL;

	if (!eval->candidate) {
		for (size_t i = 0; i < eval->suite->task_count; i++) {
			task = eval->suite->tasks[i];
			submit(eval, task, "reference.py", NULL, task->reference, task->reference_size);
		}
		return 0;
	}
	if (strcmp(eval->candidate, "-") == 0 && eval->jsonl)
		return open_requests(eval, e);
	if (gk_path_is_dir(eval->candidate))
		return submit_folder(eval, eval->candidate, e);
	if (only_task(eval, &task, e) < 0)
		return -1;
	if (strcmp(eval->candidate, "-") == 0)
		return submit_stdin(eval, task, e);
	return submit_file(eval, task, eval->candidate, eval->candidate, e);
}

/* ---- the command ---- */

static bool is_waiting(const void *ctx)
{
	const struct eval *eval = ctx;

	return eval->done_count < eval->items.count || eval->watch || (!eval->input_ended && eval->input.size);
}

static int run_loop(struct eval *eval, struct gk_err *e)
{
	if (gk_loop_while(eval->loop, is_waiting, eval, e) < 0)
		return gk_err_context(e, "%zu of %zu candidates judged", eval->done_count, eval->items.count);
	if (eval->err.kind == GK_ERR_NONE)
		return 0;
	*e = eval->err;
	return -1;
}

static void print_json(const struct eval *eval)
{
	gk_json_auto *all = json_pack("{s:i, s:o, s:[]}", "schema_version", SCHEMA_VERSION, "peers",
	                              gk_cmd_peers(eval->evaluator), "results");
	gk_free_auto char *text = NULL;

	for (size_t i = 0; i < eval->items.count; i++)
		json_array_append(json_object_get(all, "results"), eval->items.items[i]->result);
	text = gk_json_pretty(all);
	puts(text);
}

static void eval_release(struct eval *eval)
{
	gk_watch_stop(&eval->watch);
	gk_evaluator_close(eval->evaluator);
	gk_loop_free(eval->loop);
	for (size_t i = 0; i < eval->items.count; i++) {
		json_decref(eval->items.items[i]->id);
		json_decref(eval->items.items[i]->result);
		free(eval->items.items[i]);
	}
	gk_vec_release(&eval->items);
	gk_buf_release(&eval->input);
	json_decref(eval->kept);
	gk_suite_free(eval->suite);
	gk_arena_release(&eval->arena);
}

static int write_samples(const struct eval *eval, struct gk_err *e)
{
	gk_json_auto *all = json_pack("{s:i, s:O}", "schema_version", SCHEMA_VERSION, "samples", eval->kept);
	gk_free_auto char *text = gk_json_text(all);

	return gk_file_write(eval->samples, text, strlen(text), e);
}

static int run_eval(struct eval *eval, const struct gk_evaluator_options *options, struct gk_err *e)
{
	eval->loop = gk_loop_new(e);
	if (!eval->loop || gk_loop_catch_interrupts(eval->loop, NULL, NULL, e) < 0)
		return -1;
	eval->evaluator = gk_evaluator_open(eval->loop, options, e);
	if (!eval->evaluator || submit_all(eval, e) < 0 || run_loop(eval, e) < 0)
		return -1;
	if (eval->json)
		print_json(eval);
	if (eval->samples && write_samples(eval, e) < 0)
		return -1;
	return gk_stdout_flush(e);
}

static int exit_code(const struct eval *eval)
{
	return eval->infra ? 3 : eval->bad_input ? 2 : eval->failed ? 1 : 0;
}

static int find_suite(struct eval *eval, const char *target, struct gk_err *e)
{
	const char *suites;

	if (gk_place_path(&eval->arena, "suites", &suites, e) < 0)
		return -1;
	eval->suite = gk_target_find(suites, target, e);
	return eval->suite ? 0 : -1;
}

/* What the command line said, beside what is in struct eval. */
struct given {
	struct gk_evaluator_options options;
	struct gk_batch batch;
	int64_t seed, rounds, jobs;
	int containment, evidence;
	bool contained, end_to_end;
};

static int read_options(struct eval *eval, struct given *given, int *argc, char **argv, struct gk_err *e)
{
	const struct gk_option table[] = {
		{'c', "candidate", GK_OPTION_TEXT, "FILE|DIR|-", "what to judge (default: the references)",
	         .value = &eval->candidate},
		{0, "json", GK_OPTION_FLAG, NULL, "one JSON object at the end (docs/verdict.md)", .value = &eval->json},
		{0, "jsonl", GK_OPTION_FLAG, NULL, "one JSON line for each verdict as it comes", .value = &eval->jsonl},
		{0, "batch", GK_OPTION_TEXT, "FILE|-", "a candidate a line: {\"id\", \"task\", \"source\" or \"path\"}",
	         .value = &given->batch.input},
		{0, "out", GK_OPTION_TEXT, "FILE", "of --batch: where answers go; what stands there is not judged again",
	         .value = &given->batch.output},
		{'t', "target", GK_OPTION_TEXT, "ARCH", "auto, cpu, sm_90, gfx942, ...", .value = &given->options.target},
		{0, "seed", GK_OPTION_INT, "N", "draw inputs reproducibly instead of secretly", &given->seed, 0, INT64_MAX, NULL},
		{0, "rounds", GK_OPTION_INT, "N", "inputs per case (3)", &given->rounds, 1, 100, NULL},
		{0, "containment", GK_OPTION_CHOICE, "LEVEL", "auto, or strict: every layer of the sandbox, or nothing runs",
	         .value = &given->containment, .choices = gk_containment_names},
		{0, "evidence", GK_OPTION_CHOICE, "KIND", "any, or sealed: nothing is judged contained",
	         .value = &given->evidence, .choices = gk_evidence_wanted_names},
		{0, "contained", GK_OPTION_FLAG, NULL, "run each pass for real as well: it must do what its plan says",
	         .value = &given->contained},
		{0, "end-to-end", GK_OPTION_FLAG, NULL, "time calls for real, Python and Triton's dispatch included",
	         .value = &given->end_to_end},
		{'j', "jobs", GK_OPTION_INT, "N", "candidates at once (number of cores)", &given->jobs, 1, 256, NULL},
		{0, "no-timing", GK_OPTION_FLAG, NULL, "correctness alone: nothing is timed", .value = &given->options.skip_perf},
		{0, "samples", GK_OPTION_TEXT, "FILE", "write the raw times as JSON (docs/timing.md)", .value = &eval->samples},
		{0, "launcher", GK_OPTION_TEXT, "COMMAND", "what serves a GPU elsewhere: 'ssh HOST geak launcher'",
	         .value = &given->options.launcher},
		{0}};

	return gk_options_read(&help, table, argc, argv, e);
}

static int check_options(const struct eval *eval, const struct gk_batch *batch, struct gk_err *e)
{
	if (eval->json && eval->jsonl)
		return gk_err_set(e, GK_ERR_INPUT, "--json and --jsonl exclude each other");
	if (batch->input && (eval->candidate || eval->jsonl || eval->samples))
		return gk_err_set(e, GK_ERR_INPUT, "--batch takes no -c, --jsonl or --samples: it brings and answers lines itself");
	if (batch->output && !batch->input)
		return gk_err_set(e, GK_ERR_INPUT, "--out goes with --batch");
	return 0;
}

static void finish_options(struct given *given)
{
	struct gk_evaluator_options *options = &given->options;

	options->rounds = (int)given->rounds;
	options->parallel = (int)given->jobs;
	options->sealed_only = given->evidence == GK_EVIDENCE_SEALED_ONLY;
	options->confirm_one_in = given->contained;
	options->end_to_end = given->end_to_end ? END_TO_END_CALLS : 0;
	gk_batch_secret(given->seed, options->secret);
}

static int eval_target(struct eval *eval, const char *target, const struct gk_evaluator_options *options,
                       struct gk_err *e)
{
	int done, code;

	gk_term_init(&eval->term, stdout);
	if (eval->samples)
		eval->kept = json_array();
	done = find_suite(eval, target, e);
	if (done == 0)
		done = run_eval(eval, options, e);
	code = exit_code(eval);
	eval_release(eval);
	return done < 0 ? -1 : code;
}

int gk_cmd_eval(int argc, char **argv, struct gk_err *e)
{
	struct eval eval = {0};
	struct given given = {
		.options = {.target = "auto"}, .seed = -1, .containment = GK_CONTAIN_AUTO, .evidence = GK_EVIDENCE_ANY};
	int done = read_options(&eval, &given, &argc, argv, e);

	if (done)
		return done < 0 ? -1 : 0;
	if (check_options(&eval, &given.batch, e) < 0 ||
	    gk_operands_check(&help, argc, given.batch.input ? 0 : 1, 1, e) < 0 ||
	    gk_box_demand((enum gk_containment)given.containment, e) < 0)
		return -1;
	finish_options(&given);
	given.batch.target = argc > 1 ? argv[1] : NULL;
	if (given.batch.input)
		return gk_batch_run(&given.batch, &given.options, e);
	return eval_target(&eval, argv[1], &given.options, e);
}
