/* geak bench: two kernels for one task against each other, or one against the reference, by the launcher's clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/place.h"
#include "cmd.h"
#include "loop/loop.h"
#include "option.h"
#include "peers.h"
#include "run/evaluator.h"
#include "task/task.h"
#include "view/judged.h"
#include "view/perf.h"

#define MAX_SOURCE ((size_t)1 << 20)

enum { SCHEMA_VERSION = 1 };

static const struct gk_command_help help = {
	"bench", "A.py [B.py] --task TASK", "Time two kernels against each other on a GPU",
	"B is measured against A, or A alone against the task's reference. Both are judged first: what is not correct is\n"
	"not timed. Every call of either side is prepared alike and in random order; the figures come with their 95 %\n"
	"interval and with the noise floor, what a measurement of a kernel against itself shows (docs/timing.md).\n"
	"\n"
	"Exit codes: 0 measured, 1 one of them is not correct or its clock cannot be believed, 2 bad input or no GPU,\n"
	"3 geak itself failed."};

struct side {
	const char *name; /* the file's, or "reference" */
	char *source;
	size_t size;
};

struct bench {
	struct gk_arena arena;
	struct gk_suite *suite;
	const struct gk_task *task;
	struct gk_loop *loop;
	struct gk_evaluator *evaluator;
	struct gk_evaluator_options options;
	struct side a, b; /* b is measured against a */
	const char *export_file;
	bool json;
	struct gk_verdict verdict;
	bool is_judged;
};

/* ---- judging ---- */

static void judged(void *ctx, uint64_t id, struct gk_verdict *verdict)
{
	struct bench *bench = ctx;

	(void)id;
	bench->verdict = *verdict;
	*verdict = (struct gk_verdict){0};
	bench->is_judged = true;
}

/* x against y; the verdict that was there is dropped. */
static int judge(struct bench *bench, const struct side *x, const struct side *y, struct gk_err *e)
{
	gk_verdict_release(&bench->verdict);
	bench->is_judged = false;
	gk_evaluator_submit_against(bench->evaluator, bench->task, x->source, x->size, y->source, y->size, judged, bench);
	return gk_loop_until(bench->loop, &bench->is_judged, e) < 0 ? gk_err_context(e, "nothing was measured") : 0;
}

/* ---- what came of it ---- */

static const char *word_of(const struct gk_speedup *speedup)
{
	return !speedup->measured ? "not measured" : speedup->within_noise ? "no difference" : speedup->mean > 1 ? "faster" : "slower";
}

static json_t *samples_json(const struct gk_verdict *v)
{
	json_t *all = json_array();

	for (size_t i = 0; i < v->case_count; i++)
		if (v->cases[i].samples)
			json_array_append_new(all, json_pack("{s:s, s:O}", "case", v->cases[i].case_id, "timed", v->cases[i].samples));
	return all;
}

/* of: whose verdict it is. */
static json_t *result_json(struct bench *bench, const struct side *of)
{
	gk_buf_auto words = GK_BUF_INIT;
	const struct gk_speedup *speedup = &bench->verdict.speedup;

	if (speedup->measured)
		gk_perf_add_comparison(&words, speedup, bench->a.name, bench->b.name);
	else
		gk_perf_add_line(&words, &bench->verdict);
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "schema_version", SCHEMA_VERSION, "task",
	                 bench->task->id, "a", bench->a.name, "b", bench->b.name, "comparison", word_of(speedup), "words",
	                 gk_buf_text(&words), "judged", of->name, "result", gk_verdict_to_json(&bench->verdict), "peers",
	                 gk_cmd_peers(bench->evaluator));
}

static int export(struct bench *bench, json_t *result, struct gk_err *e)
{
	gk_free_auto char *text = NULL;

	if (!bench->export_file)
		return 0;
	json_object_set_new(result, "samples", samples_json(&bench->verdict));
	text = gk_json_pretty(result);
	return gk_file_write(bench->export_file, text, strlen(text), e);
}

static void print_text(struct bench *bench, const struct side *of)
{
	gk_json_auto *peers = gk_cmd_peers(bench->evaluator);
	struct gk_term term;

	gk_term_init(&term, stdout);
	gk_term_print(&term, GK_BOLD, "%s, evidence %s, ", bench->task->id, gk_evidence_names[bench->verdict.evidence]);
	gk_judged_print_basis(&term, peers);
	if (bench->verdict.speedup.measured)
		gk_judged_print_comparison(&term, &bench->verdict, bench->a.name, bench->b.name);
	else
		gk_judged_print(&term, bench->task->id, of->name, &bench->verdict);
}

static int tell(struct bench *bench, const struct side *of, struct gk_err *e)
{
	gk_json_auto *result = result_json(bench, of);
	gk_free_auto char *text = NULL;

	if (!result)
		return gk_err_set(e, GK_ERR_INTERNAL, "a verdict that is no JSON");
	if (bench->json)
		puts(text = gk_json_pretty(result));
	else
		print_text(bench, of);
	return export(bench, result, e) < 0 ? -1 : gk_stdout_flush(e);
}

static int exit_code(const struct gk_verdict *v)
{
	if (v->outcome == GK_INFRA)
		return strcmp(v->kind, "task") == 0 ? 2 : 3;
	if (v->outcome != GK_PASS)
		return 1;
	return v->speedup.measured ? 0 : 3;
}

/* When b is right and yet was not timed, a may be why: then its verdict is the one to be shown. */
static int measure(struct bench *bench, struct gk_err *e)
{
	const struct side *of = &bench->b;

	if (judge(bench, &bench->b, &bench->a, e) < 0)
		return -1;
	if (bench->verdict.outcome == GK_PASS && !bench->verdict.speedup.measured) {
		if (judge(bench, &bench->a, &bench->a, e) < 0)
			return -1;
		if (bench->verdict.outcome != GK_PASS)
			of = &bench->a;
		else if (judge(bench, &bench->b, &bench->a, e) < 0) /* known already: the same verdict again */
			return -1;
	}
	return tell(bench, of, e) < 0 ? -1 : exit_code(&bench->verdict);
}

/* ---- what is measured, and where ---- */

static int read_side(struct side *side, const char *path, struct gk_err *e)
{
	side->name = path;
	return gk_file_read(path, MAX_SOURCE, &side->source, &side->size, e);
}

static int read_sides(struct bench *bench, int count, char **files, struct gk_err *e)
{
	if (count == 2)
		return read_side(&bench->a, files[0], e) < 0 || read_side(&bench->b, files[1], e) < 0 ? -1 : 0;
	bench->a = (struct side){"reference", gk_strndup(bench->task->reference, bench->task->reference_size),
	                         bench->task->reference_size};
	return read_side(&bench->b, files[0], e);
}

static int find_task(struct bench *bench, const char *name, struct gk_err *e)
{
	const char *suites;
	bool any = false;

	if (gk_place_path(&bench->arena, "suites", &suites, e) < 0)
		return -1;
	bench->suite = gk_target_find(suites, name, e);
	if (!bench->suite)
		return -1;
	if (bench->suite->task_count != 1)
		return gk_err_set(e, GK_ERR_INPUT, "%s has %zu tasks: name the one that the kernels are for (%s/%s)",
		                  bench->suite->id, bench->suite->task_count, bench->suite->id,
		                  bench->suite->task_count ? bench->suite->tasks[0]->id : "TASK");
	bench->task = bench->suite->tasks[0];
	for (size_t i = 0; i < bench->task->case_count; i++)
		any |= bench->task->cases[i].perf;
	return any ? 0 : gk_err_set(e, GK_ERR_INPUT, "task %s: no case is for perf, nothing of it is timed", bench->task->id);
}

static int open_evaluator(struct bench *bench, struct gk_err *e)
{
	bench->loop = gk_loop_new(e);
	if (!bench->loop || gk_loop_catch_interrupts(bench->loop, NULL, NULL, e) < 0)
		return -1;
	bench->evaluator = gk_evaluator_open(bench->loop, &bench->options, e);
	if (!bench->evaluator)
		return -1;
	if (gk_evaluator_is_on_gpu(bench->evaluator))
		return 0;
	return gk_err_set(e, GK_ERR_INPUT, "%s%s, so nothing can be timed: `geak eval %s -c FILE` says what is correct, and "
	                  "--launcher 'ssh HOST geak launcher' times on a GPU elsewhere",
	                  strcmp(bench->options.target, "auto") == 0 ? "no GPU that geak knows is here" : "no GPU here is a ",
	                  strcmp(bench->options.target, "auto") == 0 ? "" : bench->options.target, bench->task->id);
}

static void bench_release(struct bench *bench)
{
	gk_verdict_release(&bench->verdict);
	gk_evaluator_close(bench->evaluator);
	gk_loop_free(bench->loop);
	free(bench->a.source);
	free(bench->b.source);
	gk_suite_free(bench->suite);
	gk_arena_release(&bench->arena);
}

static int read_options(struct bench *bench, const char **task, int *argc, char **argv, struct gk_err *e)
{
	struct gk_evaluator_options *options = &bench->options;
	const struct gk_option table[] = {
		{0, "task", GK_OPTION_TEXT, "TASK", "what they compute: starter/flip, or a task folder", .value = task},
		{'t', "target", GK_OPTION_TEXT, "ARCH", "auto, sm_90, gfx942, ... (auto)", .value = &options->target},
		{0, "json", GK_OPTION_FLAG, NULL, "print JSON", .value = &bench->json},
		{0, "export-json", GK_OPTION_TEXT, "FILE", "write it all as JSON, raw times included", .value = &bench->export_file},
		{0, "launcher", GK_OPTION_TEXT, "COMMAND", "what serves a GPU elsewhere: 'ssh HOST geak launcher'",
	         .value = &options->launcher},
		{0, "cap-ms", GK_OPTION_DOUBLE, "MS", "GPU time for each case, at most", &options->cap_ms, 10, 60000, NULL},
		{0, "half-width", GK_OPTION_DOUBLE, "PART", "stop once the interval is so narrow: 0.01 is +- one percent",
	         &options->half_width, 0, 1, NULL},
		{0}};

	return gk_options_read(&help, table, argc, argv, e);
}

static int run_bench(struct bench *bench, const char *task, int count, char **files, struct gk_err *e)
{
	if (find_task(bench, task, e) < 0 || read_sides(bench, count, files, e) < 0 || open_evaluator(bench, e) < 0)
		return -1;
	return measure(bench, e);
}

int gk_cmd_bench(int argc, char **argv, struct gk_err *e)
{
	struct bench bench = {.options = {.target = "auto"}};
	const char *task = NULL;
	int code = read_options(&bench, &task, &argc, argv, e);

	if (code)
		return code < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 1, 2, e) < 0)
		return -1;
	if (!task)
		return gk_err_set(e, GK_ERR_INPUT, "--task is needed: what the kernels compute, as `geak task list` names it");
	if (strcmp(bench.options.target, "cpu") == 0)
		return gk_err_set(e, GK_ERR_INPUT, "the target cpu is geak's own machine, which tells no speed: nothing is timed there");
	gk_random_bytes(bench.options.secret, GK_HASH_BYTES);
	code = run_bench(&bench, task, argc - 1, argv + 1, e);
	bench_release(&bench);
	return code;
}
