/*
 * Theory of operation: a job is one candidate for one task. Jobs run up to
 * options.parallel at once, the rest waits in order. Each has a cascade
 * (judge/) that says what to do next and is told what came of it
 * (judging.c); oracle values are kept for all (oracle.c). Clients that submit
 * the same text for the same task share one job, or get the verdict that is
 * already known: a verdict depends on the text, the task and the run's secret
 * alone. Verdicts about ourselves (INFRA) are never kept.
 *
 * Everything happens in the loop's thread, in callbacks of the runner and in
 * one deferred call (schedule), so that submit never calls back.
 */
#include "evaluator.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/doc.h"
#include "base/memory.h"
#include "base/place.h"
#include "aim.h"
#include "judging.h"
#include "pool/pool.h"

#define MAX_KEPT       1000 /* verdicts, for whoever asks again */
#define ORACLE_CEILING ((size_t)1 << 30)
#define MAX_CONTAINED   8 /* called for real on a GPU at once */
#define CORES_OF_ORACLE 4 /* it computes on several, but draws inputs on one */

const char *const gk_evidence_wanted_names[] = {"any", "sealed", NULL};

/* ---- tasks ---- */

static void add_case(struct prepared *p, const struct gk_case *c)
{
	p->cases[p->count++] = c;
}

static bool is_measured(const struct gk_evaluator *evaluator)
{
	return evaluator->options.on_gpu && !evaluator->options.skip_perf;
}

/* Those that are executed by being timed. */
static void add_perf_cases(struct prepared *p)
{
	const struct gk_task *task = p->task;

	for (size_t i = 0; i < task->case_count; i++)
		if (task->cases[i].perf && !task->cases[i].exec)
			add_case(p, &task->cases[i]);
}

/* A GPU takes them all; the machine those that it runs in a second or two, or all when none is marked. */
static void add_own_cases(struct prepared *p, bool on_gpu)
{
	const struct gk_task *task = p->task;

	for (size_t i = 0; i < task->case_count; i++)
		if (task->cases[i].exec && (task->cases[i].cpu || on_gpu))
			add_case(p, &task->cases[i]);
	for (size_t i = 0; p->count == 0 && i < task->case_count; i++)
		if (task->cases[i].exec)
			add_case(p, &task->cases[i]);
}

static struct prepared *prepare(struct gk_evaluator *evaluator, const struct gk_task *task)
{
	union gk_map_value *found = gk_map_put_address(&evaluator->prepared, task, NULL);
	struct prepared *p = found->pointer;
	struct gk_case *drawn = NULL;
	size_t count = 0;
	gk_buf_auto purpose = GK_BUF_INIT;

	if (p)
		return p;
	found->pointer = p = gk_alloc(sizeof *p);
	p->task = task;
	for (size_t i = 0; i < task->param_count; i++)
		p->has_data |= task->params[i].data;
	gk_buf_printf(&purpose, "held-out/%s", task->id);
	/* the drawn cases live in the task's arena: the one thing about a task that a run adds */
	if (gk_task_draw_held_out((struct gk_task *)(uintptr_t)task,
	                          gk_hmac_seed(evaluator->options.secret, gk_buf_text(&purpose)),
	                          GK_JUDGE_HELD_OUT, &drawn, &count, &p->err) < 0)
		return p;
	p->cases = gk_alloc_array(task->case_count + count + 1, sizeof *p->cases);
	add_own_cases(p, evaluator->options.on_gpu);
	for (size_t i = 0; i < count; i++)
		add_case(p, &drawn[i]);
	if (p->count == 0)
		gk_err_set(&p->err, GK_ERR_INPUT, "task %s: no case is for exec", task->id);
	else if (is_measured(evaluator))
		add_perf_cases(p);
	return p;
}

/* ---- answers ---- */

static void deliver(const struct client *client, const json_t *json)
{
	struct gk_verdict verdict = {0};
	struct gk_err e = {0};

	if (gk_verdict_from_json(json, &verdict, &e) < 0)
		gk_bug("a verdict does not read back: %s", e.text);
	client->done(client->ctx, client->id, &verdict);
	gk_verdict_release(&verdict);
}

static void remove_job(struct gk_evaluator *evaluator, const struct job *job)
{
	size_t i = 0;

	while (i < evaluator->jobs.count && evaluator->jobs.items[i] != job)
		i++;
	evaluator->jobs.count--;
	memmove(evaluator->jobs.items + i, evaluator->jobs.items + i + 1,
	        (evaluator->jobs.count - i) * sizeof(struct job *));
}

static void forget_verdicts(struct gk_evaluator *evaluator)
{
	for (size_t i = 0; i < evaluator->verdicts.count; i++)
		free(evaluator->verdicts.entries[i].value.pointer);
	gk_map_release(&evaluator->verdicts);
}

static void keep_verdict(struct gk_evaluator *evaluator, const struct job *job, json_t *json)
{
	union gk_map_value *kept;

	if (evaluator->verdicts.count >= MAX_KEPT) /* a stream of candidates must not grow: all are forgotten at once */
		forget_verdicts(evaluator);
	kept = gk_map_put(&evaluator->verdicts, job->key, NULL);
	free(kept->pointer);
	kept->pointer = gk_json_text(json); /* a tenth of what the tree takes */
}

void evaluator_finished(struct job *job, struct gk_verdict *verdict)
{
	struct gk_evaluator *evaluator = job->evaluator;
	struct GK_VEC(struct client)
		clients = {job->clients.items, job->clients.count, job->clients.capacity};
	struct gk_verdict own = *verdict;
	json_t *json = gk_verdict_to_json(&own);

	*verdict = (struct gk_verdict){0};
	memset(&job->clients, 0, sizeof job->clients);
	remove_job(evaluator, job);
	if (own.outcome != GK_INFRA)
		keep_verdict(evaluator, job, json);
	evaluator_schedule(evaluator);
	job_free(job);
	clients.items[0].done(clients.items[0].ctx, clients.items[0].id, &own);
	gk_verdict_release(&own);
	for (size_t i = 1; i < clients.count; i++)
		deliver(&clients.items[i], json);
	gk_vec_release(&clients);
	json_decref(json);
}

static void deliver_answers(struct gk_evaluator *evaluator)
{
	while (evaluator->answers.count > 0) {
		struct answer *answer = evaluator->answers.items[0];

		evaluator->answers.count--;
		memmove(evaluator->answers.items, evaluator->answers.items + 1,
		        evaluator->answers.count * sizeof(struct answer *));
		deliver(&answer->client, answer->verdict);
		json_decref(answer->verdict);
		free(answer);
	}
}

static void start_jobs(void *ctx)
{
	struct gk_evaluator *evaluator = ctx;
	size_t slots = (size_t)evaluator->options.parallel;

	evaluator->is_scheduled = false;
	deliver_answers(evaluator);
	reference_start_all(evaluator);
	/* a job may end while it starts and move the others up, hence from the front each time */
	for (size_t i = 0; i < evaluator->jobs.count && i < slots;) {
		struct job *job = evaluator->jobs.items[i];

		if (!job->cascade)
			job_start(job);
		if (i < evaluator->jobs.count && evaluator->jobs.items[i] == job)
			i++;
	}
}

void evaluator_schedule(struct gk_evaluator *evaluator)
{
	if (evaluator->is_scheduled)
		return;
	evaluator->is_scheduled = true;
	gk_loop_defer(evaluator->loop, start_jobs, evaluator);
}

/* ---- submit ---- */

static struct job *find_job(struct gk_evaluator *evaluator, const char *key)
{
	for (size_t i = 0; i < evaluator->jobs.count; i++)
		if (strcmp(evaluator->jobs.items[i]->key, key) == 0)
			return evaluator->jobs.items[i];
	return NULL;
}

struct job *evaluator_new_job(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                              size_t size, const char *key)
{
	struct job *job = gk_alloc(sizeof *job);

	job->evaluator = evaluator;
	job->prepared = prepare(evaluator, task);
	job->source = gk_strndup(source, size);
	job->size = size;
	job->key = gk_strdup(key);
	gk_hash_hex(source, size, job->candidate);
	return job;
}

uint64_t gk_evaluator_submit_against(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                                     size_t size, const char *against, size_t against_size, gk_verdict_fn *done,
                                     void *ctx)
{
	struct client client = {++evaluator->last_id, done, ctx};
	char candidate[GK_HEX_SIZE], other[GK_HEX_SIZE];
	gk_buf_auto key = GK_BUF_INIT;
	union gk_map_value *known;
	struct job *job;

	gk_hash_hex(source, size, candidate);
	gk_hash_hex(against, against_size, other);
	gk_buf_printf(&key, "%s/%s/%s/%s", task->id, task->hash, candidate, other);
	known = gk_map_find(&evaluator->verdicts, gk_buf_text(&key));
	evaluator_schedule(evaluator);
	if (known) {
		struct answer *answer = gk_alloc(sizeof *answer);

		*answer = (struct answer){client, json_loads(known->pointer, 0, NULL)};
		gk_vec_push(&evaluator->answers, answer);
		return client.id;
	}
	job = find_job(evaluator, gk_buf_text(&key));
	if (!job) {
		job = evaluator_new_job(evaluator, task, source, size, gk_buf_text(&key));
		if (is_measured(evaluator))
			job->reference = reference_find(evaluator, task, against, against_size);
		gk_vec_push(&evaluator->jobs, job);
	}
	gk_vec_push(&job->clients, client);
	return client.id;
}

uint64_t gk_evaluator_submit(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source,
                             size_t size, gk_verdict_fn *done, void *ctx)
{
	return gk_evaluator_submit_against(evaluator, task, source, size, task->reference, task->reference_size, done,
	                                   ctx);
}

bool gk_evaluator_knows(struct gk_evaluator *evaluator, const struct gk_task *task, const char *source, size_t size)
{
	char candidate[GK_HEX_SIZE], other[GK_HEX_SIZE];
	gk_buf_auto key = GK_BUF_INIT;

	gk_hash_hex(source, size, candidate);
	gk_hash_hex(task->reference, task->reference_size, other);
	gk_buf_printf(&key, "%s/%s/%s/%s", task->id, task->hash, candidate, other);
	return gk_map_find(&evaluator->verdicts, gk_buf_text(&key)) || find_job(evaluator, gk_buf_text(&key));
}

bool gk_evaluator_is_on_gpu(const struct gk_evaluator *evaluator)
{
	return evaluator->options.on_gpu;
}

bool gk_evaluator_can_contain(const struct gk_evaluator *evaluator)
{
	return gk_runner_can_contain(evaluator->runner);
}

/* ---- open and close ---- */

/* All that follows from the secret. */
static void forget_all(struct gk_evaluator *evaluator)
{
	for (size_t i = 0; i < evaluator->references.count; i++)
		reference_free(evaluator->references.entries[i].value.pointer);
	forget_verdicts(evaluator);
	for (size_t i = 0; i < evaluator->prepared.count; i++) {
		struct prepared *p = evaluator->prepared.entries[i].value.pointer;

		free(p->cases);
		free(p);
	}
	oracle_release(&evaluator->oracle);
	gk_map_release(&evaluator->references);
	gk_map_release(&evaluator->prepared);
}

void gk_evaluator_renew(struct gk_evaluator *evaluator, const uint8_t secret[GK_HASH_BYTES])
{
	if (evaluator->answers.count)
		gk_bug("a new secret with %zu answers under way", evaluator->answers.count);
	forget_all(evaluator);
	oracle_init(&evaluator->oracle, evaluator->runner, evaluator->oracle.ceiling);
	memcpy(evaluator->options.secret, secret, GK_HASH_BYTES);
}

static int count_cores(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 1 ? 1 : cores > 16 ? 16 : (int)cores;
}

/* Cases of perf are large, and every candidate of a run needs them again. */
static size_t gpu_oracle_ceiling(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
	size_t share = pages > 0 && bytes > 0 ? (size_t)pages / 8 * (size_t)bytes : 0;

	return share < ORACLE_CEILING ? ORACLE_CEILING : share > 16 * ORACLE_CEILING ? 16 * ORACLE_CEILING : share;
}

struct gk_evaluator *evaluator_over(struct gk_loop *loop, struct gk_runner *runner,
                                    const struct gk_evaluator_options *options)
{
	struct gk_evaluator *evaluator = gk_alloc(sizeof *evaluator);

	evaluator->loop = loop;
	evaluator->runner = runner;
	evaluator->options = *options;
	evaluator->target = gk_strdup(options->target);
	if (evaluator->options.parallel < 1)
		evaluator->options.parallel = count_cores();
	oracle_init(&evaluator->oracle, runner, is_measured(evaluator) ? gpu_oracle_ceiling() : ORACLE_CEILING);
	if (is_measured(evaluator))
		evaluator->helpers = gk_helpers_new(loop, runner, evaluator->target);
	return evaluator;
}

/* Each has a context on the GPU, and compiles its kernels. */
static int contained_at_once(const struct gk_evaluator_options *options)
{
	int most = options->parallel > 0 ? options->parallel : count_cores();

	if (most > count_cores() / 2)
		most = count_cores() / 2;
	return most < 1 ? 1 : most > MAX_CONTAINED ? MAX_CONTAINED : most;
}

static int fill_pool_options(struct gk_pool_options *pool, const struct gk_aim *aim, struct gk_arena *arena,
                             struct gk_err *e)
{
	struct gk_place place;

	if (gk_place_find(&place, arena, e) < 0 || gk_place_path(arena, "worker", &pool->worker, e) < 0)
		return -1;
	pool->python = place.python;
	pool->program = place.program;
	pool->launcher = getenv("GEAK_LAUNCHER");
	pool->device = aim->device;
	pool->oracles = count_cores() < 2 * CORES_OF_ORACLE ? 1 : count_cores() / CORES_OF_ORACLE;
	pool->lowerings = count_cores();
	pool->launchers = aim->gpus > 0 ? aim->gpus : count_cores();
	pool->box = place.box;
	return 0;
}

struct gk_evaluator *gk_evaluator_open(struct gk_loop *loop, const struct gk_evaluator_options *options,
                                       struct gk_err *e)
{
	gk_arena_auto arena = {0};
	struct gk_pool_options pool = {0};
	struct gk_evaluator_options aimed = *options;
	struct gk_runner *runner;
	struct gk_aim aim;

	if (options->launcher) /* it is asked what is there, too */
		setenv("GEAK_LAUNCHER", options->launcher, 1);
	if (gk_aim_take(options->target, &aim, e) < 0 || fill_pool_options(&pool, &aim, &arena, e) < 0)
		return NULL;
	pool.contained = aim.gpus > 0 ? contained_at_once(options) : 0;
	runner = gk_pool_open(loop, &pool, e);
	aimed.target = aim.target;
	aimed.on_gpu = aim.gpus > 0;
	return runner ? evaluator_over(loop, runner, &aimed) : NULL;
}

void gk_evaluator_close(struct gk_evaluator *evaluator)
{
	if (!evaluator)
		return;
	gk_loop_forget(evaluator->loop, evaluator);
	for (size_t i = 0; i < evaluator->jobs.count; i++)
		job_free(evaluator->jobs.items[i]);
	gk_helpers_free(evaluator->helpers);
	for (size_t i = 0; i < evaluator->answers.count; i++) {
		json_decref(evaluator->answers.items[i]->verdict);
		free(evaluator->answers.items[i]);
	}
	forget_all(evaluator);
	gk_runner_close(evaluator->runner);
	gk_vec_release(&evaluator->jobs);
	gk_vec_release(&evaluator->answers);
	free(evaluator->target);
	free(evaluator);
}

const char *gk_evaluator_facts(struct gk_evaluator *evaluator, const char *role)
{
	return gk_runner_facts(evaluator->runner, role);
}
