#include "run/session.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/place.h"
#include "base/text.h"
#include "base/vec.h"
#include "llm/llm.h"
#include "llm/prices.h"
#include "loop/loop.h"
#include "prompt/prompt.h"
#include "run/aim.h"
#include "run/begin.h"

#define CONFIRM_ONE_IN 16

static const struct gk_judging pool_judging = {gk_evaluator_open, gk_evaluator_close, gk_evaluator_submit,
                                               gk_evaluator_facts};

struct suite_ref {
	struct gk_suite *suite; /* owns its tasks */
};

struct task_ref {
	struct gk_task *task;
	bool owned; /* read alone, for a run that goes on */
};

struct gk_session {
	const struct gk_session_flags *flags;
	struct gk_arena arena;
	struct GK_VEC(struct suite_ref) suites;
	struct GK_VEC(struct task_ref) refs;
	struct gk_task **tasks; /* the same, as the engine takes them */
	struct gk_run_config config;
	struct gk_loop *loop;
	struct gk_prompter *prompter;
	struct gk_endpoint *endpoint;
	struct gk_store *store;
	struct gk_price price;
	json_t *hardware;
	bool resumed;
};

/* --- tasks --- */

static int add_task(struct gk_session *session, struct task_ref ref, struct gk_err *e)
{
	const struct gk_task *task = ref.task;

	gk_vec_push(&session->refs, ref);
	for (size_t i = 0; i + 1 < session->refs.count; i++)
		if (strcmp(session->refs.items[i].task->id, task->id) == 0)
			return gk_err_set(e, GK_ERR_INPUT, "two of the tasks are called \"%s\" (%s and %s): name one of them", task->id,
			                  session->refs.items[i].task->folder, task->folder);
	return 0;
}

static int find_targets(struct gk_session *session, struct gk_err *e)
{
	const char *suites;

	if (gk_place_path(&session->arena, "suites", &suites, e) < 0)
		return -1;
	for (int i = 0; i < session->flags->target_count; i++) {
		struct suite_ref ref = {gk_target_find(suites, session->flags->targets[i], e)};

		if (!ref.suite)
			return -1;
		gk_vec_push(&session->suites, ref);
		for (size_t k = 0; k < ref.suite->task_count; k++)
			if (add_task(session, (struct task_ref){ref.suite->tasks[k], false}, e) < 0)
				return -1;
	}
	return 0;
}

static int read_stored_tasks(struct gk_session *session, struct gk_err *e)
{
	for (size_t i = 0; i < session->config.task_count; i++) {
		struct gk_task *task = gk_task_read(session->config.folders[i], e);

		if (!task)
			return gk_err_context(e, "task %s of the run", session->config.ids[i]);
		if (add_task(session, (struct task_ref){task, true}, e) < 0)
			return -1;
	}
	return 0;
}

static void list_tasks(struct gk_session *session)
{
	session->tasks = gk_arena_array(&session->arena, session->refs.count, sizeof(struct gk_task *));
	for (size_t i = 0; i < session->refs.count; i++)
		session->tasks[i] = session->refs.items[i].task;
}

static void name_tasks(struct gk_session *session, struct gk_run_config *config)
{
	size_t count = session->refs.count;

	config->task_count = count;
	config->ids = gk_arena_array(&session->arena, count, sizeof *config->ids);
	config->folders = gk_arena_array(&session->arena, count, sizeof *config->folders);
	for (size_t i = 0; i < count; i++) {
		config->ids[i] = session->refs.items[i].task->id;
		config->folders[i] = session->refs.items[i].task->folder;
	}
}

/* --- recipe and target --- */

static int read_recipe(struct gk_session *session, const char *name, struct gk_recipe *recipe, struct gk_err *e)
{
	const char *path = name;
	char inside[256];

	if (!strchr(name, '/') && !gk_text_ends(name, ".yaml")) {
		snprintf(inside, sizeof inside, "recipes/%s.yaml", name);
		if (gk_place_path(&session->arena, inside, &path, e) < 0)
			return gk_err_set(e, GK_ERR_INPUT, "there is no recipe \"%s\": direct, reflexion and geak come with geak, others"
			                  " are named by their file", name);
	}
	return gk_recipe_read(path, recipe, e);
}

static int change_recipe(const struct gk_session_flags *flags, struct gk_recipe *recipe, struct gk_err *e)
{
	if (flags->iterations > 0)
		recipe->iterations = flags->iterations;
	if (flags->parallel > 0)
		recipe->parallel = flags->parallel;
	if (flags->max_tokens > 0)
		recipe->max_tokens = flags->max_tokens;
	if (flags->temperature >= 0)
		recipe->temperature = flags->temperature;
	return gk_recipe_check(recipe, e);
}

/* What "auto" means on this machine. */
static int resolve_target(struct gk_session *session, const char *asked, const char **target, struct gk_err *e)
{
	struct gk_aim aim;

	if (gk_aim_take(asked, &aim, e) < 0)
		return -1;
	*target = gk_arena_string(&session->arena, aim.target);
	if (aim.gpus > 0 && !session->resumed) { /* prompts of a run speak of the GPU that it began on */
		gk_json_auto *hardware = gk_aim_hardware();
		gk_free_auto char *text = hardware ? gk_json_text(hardware) : NULL;

		session->config.hardware = gk_arena_string(&session->arena, text);
	}
	return 0;
}

static const char *or_else(const char *given, const char *instead)
{
	return given ? given : instead;
}

/* What is not part of a run's identity may be given anew each time. */
static void take_loose_flags(const struct gk_session_flags *flags, struct gk_run_config *config)
{
	config->base_url = or_else(flags->base_url, config->base_url);
	config->key_file = or_else(flags->key_file, config->key_file);
	config->ca_file = or_else(flags->ca_file, config->ca_file);
	config->prices_file = or_else(flags->prices_file, config->prices_file);
	if (flags->budget_usd > 0)
		config->budget_usd = flags->budget_usd;
	if (flags->budget_tokens > 0)
		config->budget_tokens = flags->budget_tokens;
}

/* --- a new run --- */

static const char *suite_name(const struct gk_session *session)
{
	return session->suites.count == 1 ? session->suites.items[0].suite->id : "mixed";
}

static int configure_new(struct gk_session *session, struct gk_err *e)
{
	const struct gk_session_flags *flags = session->flags;
	struct gk_run_config *config = &session->config;

	if (flags->target_count == 0)
		return gk_err_set(e, GK_ERR_INPUT, "name what to run: a suite, a task or a folder (geak task list shows them), or a"
		                  " run folder to go on with (-o DIR)");
	if (!flags->model)
		return gk_err_set(e, GK_ERR_INPUT, "name a model with -m: openai:NAME, replay:FILE or spool:DIR");
	if (find_targets(session, e) < 0 || read_recipe(session, or_else(flags->recipe, "geak"), &config->recipe, e) < 0 ||
	    change_recipe(flags, &config->recipe, e) < 0 || resolve_target(session, flags->target, &config->target, e) < 0)
		return -1;
	config->suite = suite_name(session);
	config->model = flags->model;
	config->seed = flags->seed;
	config->skip_perf = flags->skip_perf;
	config->sealed_only = flags->sealed_only;
	config->confirm_one_in = flags->confirm_one_in < 0 ? CONFIRM_ONE_IN : (int)flags->confirm_one_in;
	name_tasks(session, config);
	take_loose_flags(flags, config);
	return 0;
}

static const char *new_folder(struct gk_session *session)
{
	time_t now = (time_t)(gk_wall_ns() / 1000000000);
	struct tm parts;
	char date[32];
	const char *first, *path;

	localtime_r(&now, &parts);
	strftime(date, sizeof date, "%Y%m%d-%H%M%S", &parts);
	first = path = gk_arena_printf(&session->arena, "geak-run/%s-%s", date, session->config.suite);
	for (int i = 2; gk_path_exists(path); i++)
		path = gk_arena_printf(&session->arena, "%s-%d", first, i);
	return path;
}

static int begin(struct gk_session *session, struct gk_err *e)
{
	const char *folder = session->flags->folder ? session->flags->folder : new_folder(session);

	if (!session->store)
		session->store = gk_store_create(folder, e);
	if (!session->store)
		return -1;
	if (!session->config.seed)
		session->config.seed = gk_replay_seed(session->endpoint);
	if (gk_run_begin(session->store, session->flags->build, &session->config, session->tasks, session->refs.count,
	                 session->prompter, e) < 0)
		return -1;
	return gk_run_config_read(session->store, &session->arena, &session->config, e); /* with the seed that was drawn */
}

/* --- a run that goes on --- */

static int compare_with_begun(struct gk_session *session, struct gk_err *e)
{
	const struct gk_session_flags *flags = session->flags;
	struct gk_run_config asked = session->config;

	asked.model = or_else(flags->model, asked.model);
	asked.seed = or_else(flags->seed, asked.seed);
	asked.skip_perf |= flags->skip_perf;
	asked.sealed_only |= flags->sealed_only;
	if (flags->target && resolve_target(session, flags->target, &asked.target, e) < 0)
		return -1;
	if ((flags->recipe && read_recipe(session, flags->recipe, &asked.recipe, e) < 0) ||
	    change_recipe(flags, &asked.recipe, e) < 0)
		return -1;
	if (flags->target_count)
		name_tasks(session, &asked);
	return gk_run_config_same(&session->config, &asked, flags->folder, e);
}

static int configure_begun(struct gk_session *session, struct gk_err *e)
{
	if (gk_run_config_read(session->store, &session->arena, &session->config, e) < 0)
		return -1;
	if ((session->flags->target_count ? find_targets(session, e) : read_stored_tasks(session, e)) < 0)
		return -1;
	if (compare_with_begun(session, e) < 0)
		return -1;
	take_loose_flags(session->flags, &session->config);
	return 0;
}

/* --- open --- */

static int open_prompter(struct gk_session *session, struct gk_err *e)
{
	const char *prompts, *knowledge;

	if (gk_place_path(&session->arena, "prompts", &prompts, e) < 0 ||
	    gk_place_path(&session->arena, "knowledge", &knowledge, e) < 0)
		return -1;
	session->prompter = gk_prompter_open(prompts, knowledge, e);
	return session->prompter ? 0 : -1;
}

static int open_model(struct gk_session *session, struct gk_err *e)
{
	const struct gk_run_config *config = &session->config;
	struct gk_llm_options options = {
		.base_url = config->base_url,
		.key_file = config->key_file,
		.ca_file = config->ca_file,
		.headers = session->flags->headers,
		.prices_file = config->prices_file,
		.max_parallel = session->flags->requests,
		.replay_strict = session->flags->replay_strict,
	};
	const char *name = strchr(config->model, ':');

	if (config->prices_file && name && gk_price_read(config->prices_file, name + 1, &session->price, e) < 0)
		return -1;
	if (config->budget_usd > 0 && !session->price.is_known && gk_text_starts(config->model, "openai:"))
		return gk_err_set(e, GK_ERR_INPUT, "--budget-usd needs the price of %s: give a table with --prices, or use"
		                  " --budget-tokens", config->model);
	session->endpoint = gk_llm_open(config->model, &options, session->loop, NULL, NULL, NULL, e);
	return session->endpoint ? 0 : -1;
}

static int open_store(struct gk_session *session, struct gk_err *e)
{
	const char *folder = session->flags->folder;

	if (!folder || !gk_store_exists(folder))
		return 0;
	session->store = gk_store_open(folder, e);
	if (!session->store)
		return -1;
	session->resumed = gk_store_has_run(session->store);
	return 0;
}

static int open_all(struct gk_session *session, struct gk_err *e)
{
	session->loop = gk_loop_new(e);
	if (!session->loop || gk_loop_catch_interrupts(session->loop, NULL, NULL, e) < 0)
		return -1;
	if (open_store(session, e) < 0 || (session->resumed ? configure_begun : configure_new)(session, e) < 0)
		return -1;
	list_tasks(session);
	if (session->config.hardware)
		session->hardware = json_loads(session->config.hardware, JSON_REJECT_DUPLICATES, NULL);
	if (open_prompter(session, e) < 0 || open_model(session, e) < 0)
		return -1;
	if (!session->resumed)
		return begin(session, e);
	return gk_run_check_pins(session->store, &session->config, session->tasks, session->refs.count,
	                         session->prompter, e);
}

struct gk_session *gk_session_open(const struct gk_session_flags *flags, struct gk_err *e)
{
	struct gk_session *session = gk_alloc(sizeof *session);

	session->flags = flags;
	if (open_all(session, e) == 0)
		return session;
	gk_session_close(session);
	return NULL;
}

void gk_session_close(struct gk_session *session)
{
	if (!session)
		return;
	json_decref(session->hardware);
	gk_endpoint_close(session->endpoint);
	gk_loop_free(session->loop);
	gk_prompter_free(session->prompter);
	gk_store_close(session->store);
	for (size_t i = 0; i < session->suites.count; i++)
		gk_suite_free(session->suites.items[i].suite);
	for (size_t i = 0; i < session->refs.count; i++)
		if (session->refs.items[i].owned)
			gk_task_free(session->refs.items[i].task);
	gk_vec_release(&session->suites);
	gk_vec_release(&session->refs);
	gk_arena_release(&session->arena);
	free(session);
}

const char *gk_session_folder(const struct gk_session *session)
{
	return gk_store_folder(session->store);
}

struct gk_store *gk_session_store(const struct gk_session *session)
{
	return session->store;
}

struct gk_loop *gk_session_loop(const struct gk_session *session)
{
	return session->loop;
}

bool gk_session_is_resumed(const struct gk_session *session)
{
	return session->resumed;
}

size_t gk_session_tasks(const struct gk_session *session)
{
	return session->refs.count;
}

const struct gk_run_config *gk_session_config(const struct gk_session *session)
{
	return &session->config;
}

int gk_session_run(struct gk_session *session, gk_run_progress_fn *progress, void *ctx, enum gk_run_end *end,
                   struct gk_err *why, struct gk_err *e)
{
	struct gk_run_options options = {
		.store = session->store,
		.loop = session->loop,
		.endpoint = session->endpoint,
		.tasks = session->tasks,
		.task_count = session->refs.count,
		.recipe = session->config.recipe,
		.prompter = session->prompter,
		.seed = session->config.seed,
		.target = session->config.target,
		.hardware = session->hardware,
		.skip_perf = session->config.skip_perf,
		.sealed_only = session->config.sealed_only,
		.confirm_one_in = session->config.confirm_one_in,
		.judging = &pool_judging,
		.judging_slots = session->flags->judgings,
		.build = session->flags->build,
		.budget_usd = session->config.budget_usd,
		.budget_tokens = session->config.budget_tokens,
		.price = &session->price,
		.progress = progress,
		.ctx = ctx,
	};

	return gk_run(&options, end, why, e);
}
