#include "pool.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "work.h"

#define MOST_FILES 65536
#define START_MS   120000
#define ANSWER_MS  120000
#define CAPTURE_MS 40000
#define LOWER_MS  90000

static struct pool *pool_of(struct gk_runner *runner)
{
	return (struct pool *)runner;
}

static void cancel(struct gk_runner *runner, uint64_t id)
{
	struct pool *pool = pool_of(runner);

	for (size_t i = 0; i < pool->jobs.count; i++) {
		struct job *job = pool->jobs.items[i];

		if (job->id == id && !job->is_cancelled) {
			job_cancel(job);
			return;
		}
	}
}

static const char *facts(struct gk_runner *runner, const char *role)
{
	struct pool *pool = pool_of(runner);

	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(role_names[i], role) == 0)
			return pool->crews[i].facts;
	return strcmp(role, "containment") == 0 ? gk_box_describe() : NULL;
}

static void close_crew(struct crew *crew)
{
	gk_loop_forget(crew->pool->loop, crew);
	gk_timer_stop(&crew->pause);
	for (size_t i = 0; i < crew->peers.count; i++)
		peer_free(crew->peers.items[i]);
	gk_vec_release(&crew->peers);
	gk_vec_release(&crew->waiting);
	free(crew->facts);
}

static void free_jobs(struct pool *pool)
{
	for (size_t i = 0; i < pool->jobs.count; i++) {
		struct job *job = pool->jobs.items[i];

		gk_timer_stop(&job->deadline);
		gk_loop_forget(pool->loop, job);
		job->ops->release(job);
		free(job);
	}
	gk_vec_release(&pool->jobs);
}

static void close_pool(struct gk_runner *runner)
{
	struct pool *pool = pool_of(runner);
	struct gk_err ignored;

	for (int i = 0; i < ROLE_COUNT; i++)
		close_crew(&pool->crews[i]);
	for (size_t i = 0; i < pool->dead.count; i++)
		peer_free(pool->dead.items[i]);
	gk_vec_release(&pool->dead);
	free_jobs(pool);
	good_plan_free(pool->good);
	gk_box_sweep_orphans();
	gk_box_group_close(&pool->group);
	if (pool->tmp_root)
		gk_tree_remove(pool->tmp_root, &ignored);
	free(pool->tmp_root);
	free(pool->python);
	free(pool->worker);
	free(pool->program);
	free(pool->box);
	free(pool->build);
	free(pool->device);
	free(pool->launcher);
	free(pool->stamp);
	lowered_close(&pool->lowered);
	free(pool);
}

static const struct gk_runner_ops ops = {
	.lint = oracle_lint,
	.inputs = oracle_inputs,
	.expected = oracle_expected,
	.capture = capture_start,
	.lower = lower_start,
	.execute = execute_start,
	.time = time_start,
	.contain = contain_start,
	.cancel = cancel,
	.facts = facts,
	.close = close_pool,
};

/* A GPU elsewhere: what runs for real would need it here. */
static const struct gk_runner_ops ops_elsewhere = {
	.lint = oracle_lint,
	.inputs = oracle_inputs,
	.expected = oracle_expected,
	.capture = capture_start,
	.lower = lower_start,
	.execute = execute_start,
	.time = time_start,
	.cancel = cancel,
	.facts = facts,
	.close = close_pool,
};

static char *copy(const char *text)
{
	return text ? gk_strdup(text) : NULL;
}

/* A tmpfs in the zygote's own mounts where there are any, else a real folder of ours. */
static int choose_tmp(struct pool *pool, struct gk_err *e)
{
	char real[PATH_MAX], own[PATH_MAX];
	const char *home = getenv("HOME"), *tmp = getenv("TMPDIR");
	const char *avoid[8] = {pool->worker};
	size_t count = 1;

	if (home)
		avoid[count++] = home;
	if (gk_program_find(pool->python, own, sizeof own, e) == 0) {
		avoid[count++] = own;
		if (realpath(own, real))
			avoid[count++] = real;
	}
	if (pool->box)
		avoid[count++] = pool->box;
	if (gk_box_probe()->namespaces & GK_NS_MOUNT)
		pool->tmp_folder = gk_box_tmp_folder(avoid);
	if (pool->tmp_folder)
		return 0;
	snprintf(own, sizeof own, "%s/geak-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(own))
		return gk_err_errno(e, "%s", own);
	pool->tmp_root = gk_strdup(own);
	pool->tmp_folder = pool->tmp_root;
	return 0;
}

/* A slow machine needs more, a test less. */
static int64_t deadline(int64_t wanted, const char *variable, int64_t standard)
{
	const char *text = getenv(variable);
	int64_t seconds;

	if (wanted > 0)
		return wanted;
	return text && gk_text_to_int(text, &seconds) && seconds > 0 && seconds < 1000000 ? seconds * 1000 : standard;
}

/* Tensors are memory files, thousands of them where many candidates are under way. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= MOST_FILES)
		return;
	limit.rlim_cur = limit.rlim_max < MOST_FILES ? limit.rlim_max : MOST_FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void copy_options(struct pool *pool, const struct gk_pool_options *options)
{
	pool->python = gk_strdup(options->python ? options->python : "python3");
	pool->worker = gk_strdup(options->worker ? options->worker : "worker");
	pool->program = gk_strdup(options->program ? options->program : "/proc/self/exe");
	pool->box = copy(options->box);
	pool->build = copy(options->build);
	pool->device = gk_strdup(options->device ? options->device : "cpu");
	pool->launcher = options->launcher && *options->launcher ? gk_strdup(options->launcher) : NULL;
	pool->start_ms = options->start_ms > 0 ? options->start_ms : START_MS;
	pool->answer_ms = options->answer_ms > 0 ? options->answer_ms : ANSWER_MS;
	pool->capture_ms = deadline(options->capture_ms, "GEAK_CAPTURE_SECONDS", CAPTURE_MS);
	pool->lower_ms = deadline(options->lower_ms, "GEAK_LOWER_SECONDS", LOWER_MS);
	pool->crews[ROLE_ZYGOTE].max_slots = options->captures > 0 ? options->captures : 0;
	pool->crews[ROLE_ZYGOTE].max_peers = 1;
	pool->crews[ROLE_CONTAINED].max_peers = 1;
	/* interpreters share the cores */
	pool->crews[ROLE_CONTAINED].max_slots = options->contained || strcmp(pool->device, "cpu") == 0 ? options->contained : 1;
	pool->crews[ROLE_ORACLE].max_peers = options->oracles > 0 ? options->oracles : 1;
	pool->crews[ROLE_LOWERING].max_peers = options->lowerings > 0 ? options->lowerings : 1;
	pool->crews[ROLE_LAUNCHER].max_peers = options->launchers > 0 ? options->launchers : 1;
}

struct gk_runner *gk_pool_open(struct gk_loop *loop, const struct gk_pool_options *options, struct gk_err *e)
{
	struct pool *pool = gk_alloc(sizeof *pool);

	pool->runner.ops = &ops;
	pool->loop = loop;
	copy_options(pool, options);
	if (pool->launcher && strcmp(pool->device, "cpu") != 0)
		pool->runner.ops = &ops_elsewhere;
	lowered_open(&pool->lowered, options->lowered, options->lowered_bytes);
	for (int i = 0; i < ROLE_COUNT; i++) {
		pool->crews[i].pool = pool;
		pool->crews[i].role = (enum role)i;
	}
	raise_file_limit();
	gk_box_adopt_orphans();
	pool->group.fd = -1;
	if (pool->box)
		gk_box_group_open(&pool->group);
	if (choose_tmp(pool, e) < 0) {
		close_pool(&pool->runner);
		return NULL;
	}
	return &pool->runner;
}
