/*
 * A scripted world for the engine: a model that answers by task, role and
 * ordinal, and a judge that reads the verdict off the candidate's text. Both
 * answer through the loop, never from within.
 */
#ifndef GK_TESTS_SCRIPT_H
#define GK_TESTS_SCRIPT_H

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/recipe.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "prompt/prompt.h"
#include "run/begin.h"
#include "run/engine.h"
#include "tap.h"

/* Places where a process may be killed: at the one numbered script_kill_at. */
static int script_places, script_kill_at;

static void script_place(void)
{
	if (++script_places == script_kill_at)
		kill(getpid(), SIGKILL);
}

/* --- the model --- */

struct script_model {
	struct gk_endpoint endpoint;
	struct gk_loop *loop;
	int started;                       /* prompts sent */
	int in_flight, most_in_flight;
	enum gk_answer_status status_of_third; /* what becomes of the third prompt; OK: answered like the others */
	int64_t cost_nano_usd;
};

struct script_request {
	struct script_model *model;
	uint64_t id;
	enum gk_answer_status status;
	char text[2048];
};

/* row_softmax: wrong, then right, then better; flip: no code at all, then right; other: never right */
static void script_answer(const struct gk_model_request *request, char *text, size_t size)
{
	const char *word = "wrong";

	if (strcmp(request->role, "optimizer") == 0) {
		snprintf(text, size, "### Direction 1: fewer bytes\nRead each row once.\n### Direction 2: fewer launches\nFuse.\n");
		return;
	}
	if (strcmp(request->role, "reflector") == 0) {
		snprintf(text, size, "The mask of the tail is missing; add it.");
		return;
	}
	if (strcmp(request->task, "flip") == 0 && request->ordinal == 0) {
		snprintf(text, size, "Strategy: think first\nNo code today.");
		return;
	}
	if (strcmp(request->task, "other") == 0 && request->ordinal == 1)
		word = "infra";
	if (strcmp(request->task, "other") != 0 && request->ordinal > 0)
		word = request->ordinal == 2 ? "flaky" : "right";
	snprintf(text, size, "Strategy: %s number %d\n\n```python\n# %s %s %d %d\n```\n", word, request->ordinal, word,
	         request->task, request->trajectory, request->ordinal);
}

static void script_deliver(void *ctx)
{
	struct script_request *request = ctx;
	struct gk_endpoint *endpoint = &request->model->endpoint;
	struct gk_model_answer answer = {
		.id = request->id, .status = request->status, .text = request->status == GK_ANSWER_OK ? request->text : "",
		.finish = "stop", .usage = {100, 10, 20, request->model->cost_nano_usd}, .sends = 1};

	answer.size = strlen(answer.text);
	if (request->status != GK_ANSWER_OK)
		gk_err_set(&answer.err, GK_ERR_SYSTEM, "scripted failure");
	request->model->in_flight--;
	if (endpoint->sent)
		endpoint->sent(endpoint->ctx, request->id, 1, gk_clock_ns(), gk_clock_ns(), 200, "ok");
	if (endpoint->answered)
		endpoint->answered(endpoint->ctx, &answer);
	script_place(); /* answered, not yet journalled */
	free(request);
}

static int script_start(struct gk_endpoint *endpoint, const struct gk_model_request *wanted, struct gk_err *e)
{
	struct script_model *model = (struct script_model *)endpoint;
	struct script_request *request = gk_alloc(sizeof *request);
	char hash[GK_HEX_SIZE];

	(void)e;
	gk_prompt_hash(wanted->system, wanted->user, hash);
	if (strcmp(hash, wanted->prompt_hash) != 0)
		ok(0, "a prompt is sent with the hash it was stored under");
	script_place(); /* committed, not yet sent */
	request->model = model;
	request->id = wanted->id;
	model->started++;
	if (++model->in_flight > model->most_in_flight)
		model->most_in_flight = model->in_flight;
	request->status = model->started == 3 ? model->status_of_third : GK_ANSWER_OK;
	script_answer(wanted, request->text, sizeof request->text);
	endpoint->sent(endpoint->ctx, wanted->id, 1, gk_clock_ns(), 0, 0, NULL);
	script_place(); /* on the wire */
	gk_loop_defer(model->loop, script_deliver, request);
	return 0;
}

static const struct gk_endpoint_ops script_ops = {script_start, NULL};

/* --- the judge --- */

struct script_job {
	uint64_t id;
	gk_verdict_fn *done;
	void *ctx;
	bool confirming;
	int opened; /* number of the evaluator: one that was closed answers nobody */
	char source[256];
};

struct gk_evaluator {
	struct gk_loop *loop;
	uint8_t secret[GK_HASH_BYTES];
	uint64_t jobs;
	bool confirming;
};

static bool script_judge_is_broken; /* nothing can be judged */
static double script_speedup, script_confirmed; /* of what is right, measured again; 0: not measured */
static int script_judgings, script_opened, script_open_now;
static uint8_t script_attempt_secret[GK_HASH_BYTES], script_last_secret[GK_HASH_BYTES];

static struct gk_evaluator *script_open(struct gk_loop *loop, const struct gk_evaluator_options *options,
                                        struct gk_err *e)
{
	struct gk_evaluator *evaluator = gk_alloc(sizeof *evaluator);

	(void)e;
	evaluator->loop = loop;
	script_open_now = ++script_opened;
	memcpy(script_last_secret, options->secret, GK_HASH_BYTES);
	evaluator->confirming = memcmp(script_last_secret, script_attempt_secret, GK_HASH_BYTES) != 0;
	return evaluator;
}

static void script_time(struct gk_verdict *verdict, double speedup)
{
	verdict->stage = GK_STAGE_PERF;
	verdict->speedup = (struct gk_speedup){.measured = true, .mean = speedup, .geomean = speedup, .worst = speedup,
	                                       .low = speedup * 0.99, .high = speedup * 1.01, .floor = 0.01};
	verdict->cases = gk_arena_array(&verdict->arena, 1, sizeof *verdict->cases);
	verdict->case_count = 1;
	verdict->cases[0] = (struct gk_case_result){
		"M=8", "perf", GK_PASS, "", "",
		json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "reference_ms", 1.0, "candidate_ms", 1 / speedup, "speedup",
		          speedup, "low", speedup * 0.99, "high", speedup * 1.01, "floor", 0.01),
		json_pack("{s:{s:[f, f]}}", "b", "ms", 1 / speedup, 1 / speedup)};
}

static void script_judged(void *ctx)
{
	struct script_job *job = ctx;
	struct gk_verdict verdict = {.stage = GK_STAGE_EXEC, .call = true, .evidence = GK_SIMULATED, .plan_hash = "",
	                             .kind = "pass", .message = "", .exec = true};

	if (script_judge_is_broken || strstr(job->source, "infra")) {
		verdict = (struct gk_verdict){.outcome = GK_INFRA, .kind = "infra", .message = "no zygote", .plan_hash = ""};
	} else if (strstr(job->source, "wrong") || (job->confirming && strstr(job->source, "flaky"))) {
		verdict.outcome = GK_FAIL;
		verdict.exec = false;
		verdict.kind = "wrong_values";
		verdict.message = "the last block of each row is wrong";
	} else { /* flaky ones count least: they would win */
		verdict.counts = json_pack("{s:i, s:i, s:i, s:i}", "bytes_read", strstr(job->source, "flaky") ? 10 : 100,
		                           "bytes_written", 10, "operations", 5, "launches", 1);
		if (script_speedup > 0)
			script_time(&verdict, job->confirming && script_confirmed > 0 ? script_confirmed : script_speedup);
	}
	if (job->opened == script_open_now)
		job->done(job->ctx, job->id, &verdict);
	script_place();
	gk_verdict_release(&verdict);
	free(job);
}

static uint64_t script_submit(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                              size_t size, gk_verdict_fn *done, void *ctx)
{
	struct script_job *job = gk_alloc(sizeof *job);

	(void)task;
	*job = (struct script_job){.id = ++evaluator->jobs, .done = done, .ctx = ctx, .confirming = evaluator->confirming,
	                           .opened = script_open_now};
	snprintf(job->source, sizeof job->source, "%.*s", (int)size, source);
	script_judgings++;
	gk_loop_defer(evaluator->loop, script_judged, job);
	return job->id;
}

static void script_close(struct gk_evaluator *evaluator)
{
	script_open_now = 0;
	free(evaluator);
}

static const struct gk_judging script_judging = {script_open, script_close, script_submit, NULL};

/* --- tasks and a run --- */

#define SCRIPT_TASKS 3

static struct gk_task script_task_rows[SCRIPT_TASKS];
static struct gk_task *script_tasks[SCRIPT_TASKS];

static void script_make_tasks(void)
{
	static const char *const ids[SCRIPT_TASKS] = {"row_softmax", "flip", "other"};
	static struct gk_param params[] = {{.name = "x", .kind = GK_PARAM_TENSOR}};
	static struct gk_return returns[] = {{"out", "like:x"}};

	for (int i = 0; i < SCRIPT_TASKS; i++) {
		struct gk_task *task = script_tasks[i] = &script_task_rows[i];

		*task = (struct gk_task){.id = ids[i], .title = ids[i], .category = "test", .origin = "test", .folder = "/t",
		                         .entry = "f", .signature = "f(x: Tensor) -> Tensor", .params = params,
		                         .param_count = 1, .returns = returns, .return_count = 1, .instruction = "Do it.",
		                         .reference = "right", .reference_size = 5, .oracle_path = "/t/oracle.py", .difficulty = 1};
		gk_hash_hex(ids[i], strlen(ids[i]), task->hash);
	}
}

struct script_run {
	struct gk_run_options options;
	struct gk_run_config config;
	struct script_model model;
	struct gk_prompter *prompter;
	enum gk_run_end end;
	struct gk_err why;
};

static const char *script_ids[] = {"row_softmax", "flip", "other"}, *script_folders[] = {"/t", "/t", "/t"};

/* Opens or begins the run in folder; parallel trajectories of each task. */
static int script_prepare(struct script_run *run, const char *folder, int parallel, struct gk_err *e)
{
	struct gk_recipe recipe;
	bool is_new = !gk_store_exists(folder);

	*run = (struct script_run){0};
	script_make_tasks();
	if (gk_recipe_read("recipes/geak.yaml", &recipe, e) < 0)
		return -1;
	recipe.iterations = 4;
	recipe.parallel = parallel;
	run->config = (struct gk_run_config){.suite = "test", .ids = script_ids, .folders = script_folders,
	                                     .task_count = SCRIPT_TASKS, .model = "script:", .target = "cpu",
	                                     .seed = "seed",
	                                     .recipe = recipe};
	run->prompter = gk_prompter_open("prompts", "knowledge", e);
	run->options = (struct gk_run_options){
		.store = is_new ? gk_store_create(folder, e) : gk_store_open(folder, e),
		.loop = gk_loop_new(e), .endpoint = &run->model.endpoint, .tasks = script_tasks, .task_count = SCRIPT_TASKS,
		.recipe = recipe, .prompter = run->prompter, .target = "cpu", .seed = "seed", .judging = &script_judging,
		.judging_slots = 2, .build = "test", .check_fold = true};
	if (!run->prompter || !run->options.store || !run->options.loop)
		return -1;
	run->model = (struct script_model){.endpoint = {.ops = &script_ops, .name = "script:", .max_parallel = 3},
	                                   .loop = run->options.loop};
	if (!gk_store_has_run(run->options.store))
		return gk_run_begin(run->options.store, "test", &run->config, script_tasks, SCRIPT_TASKS, run->prompter, e);
	return gk_run_check_pins(run->options.store, &run->config, script_tasks, SCRIPT_TASKS, run->prompter, e);
}

static void script_progress(void *ctx, const struct gk_run_line *line, const struct gk_event *event)
{
	(void)ctx;
	(void)line;
	(void)event;
	script_place(); /* committed, nothing performed */
}

static inline int script_go(struct script_run *run, struct gk_err *e)
{
	run->options.progress = script_progress;
	gk_hmac("attempts", strlen("attempts"), "seed", strlen("seed"), script_attempt_secret);
	return gk_run(&run->options, &run->end, &run->why, e);
}

static void script_end(struct script_run *run)
{
	while (gk_loop_turn(run->options.loop, false)) /* what was under way answers nobody */
		;
	gk_loop_free(run->options.loop);
	gk_store_close(run->options.store);
	gk_prompter_free(run->prompter);
}

/* --- what a run comes to --- */

static int script_digest_event(void *ctx, const struct gk_event *event, struct gk_err *e)
{
	gk_free_auto char *body = gk_json_text(event->body);

	(void)e;
	gk_buf_printf(ctx, "%lld.%d %s %s\n", (long long)event->trajectory, event->step, gk_event_names[event->kind], body);
	return 0;
}

static void script_digest_facts(struct gk_store *store, const char *name, struct gk_buf *out)
{
	gk_arena_auto arena = {0};
	struct gk_store_fact *facts;
	size_t count = 0;
	struct gk_err e;
	char *lines[64];

	gk_store_facts(store, name, &arena, &facts, &count, &e);
	for (size_t i = 0; i < count && i < 64; i++) {
		lines[i] = gk_json_text(facts[i].json);
		json_decref(facts[i].json);
	}
	for (size_t n = 0; n < count; n++) { /* in the order of their text, not of their coming */
		size_t least = 0;

		for (size_t i = 0; i < count; i++)
			if (lines[i] && (!lines[least] || strcmp(lines[i], lines[least]) < 0))
				least = i;
		gk_buf_printf(out, "%s %s\n", name, lines[least]);
		free(lines[least]);
		lines[least] = NULL;
	}
}

/* Every event of every trajectory by its place, and the facts about winners: what must not depend on when geak died. */
static inline char *script_digest(const char *folder)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_open_read(folder, &e);
	struct gk_buf out = GK_BUF_INIT;

	for (int64_t i = 1; store && i <= 100; i++)
		gk_store_events(store, i, script_digest_event, &out, &e);
	if (store) {
		script_digest_facts(store, "winner", &out);
		script_digest_facts(store, "refuted", &out);
	}
	gk_store_close(store);
	return gk_buf_steal(&out);
}

#endif
