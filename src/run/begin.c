#include "run/begin.h"

#include <limits.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/doc.h"
#include "base/memory.h"
#include "base/text.h"
#include "prompt/prompt.h"

/* --- the configuration as a fact --- */

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_string(text));
}

static json_t *config_to_json(const struct gk_run_config *config, struct gk_task *const *tasks, size_t task_count)
{
	json_t *json = json_object(), *rows = json_array();

	for (size_t i = 0; i < task_count; i++)
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s}", "id", tasks[i]->id, "folder", tasks[i]->folder, "title",
		                                      tasks[i]->title));
	json_object_set_new(json, "tasks", rows);
	json_object_set_new(json, "recipe", gk_recipe_to_json(&config->recipe));
	put_text(json, "suite", config->suite);
	put_text(json, "model", config->model);
	put_text(json, "target", config->target);
	put_text(json, "seed", config->seed);
	put_text(json, "base_url", config->base_url);
	put_text(json, "key_file", config->key_file);
	put_text(json, "ca_file", config->ca_file);
	put_text(json, "prices", config->prices_file);
	put_text(json, "hardware", config->hardware);
	json_object_set_new(json, "budget_usd", json_real(config->budget_usd));
	json_object_set_new(json, "budget_tokens", json_integer(config->budget_tokens));
	if (config->skip_perf)
		json_object_set_new(json, "skip_perf", json_true());
	if (config->sealed_only)
		json_object_set_new(json, "sealed_only", json_true());
	json_object_set_new(json, "confirm_one_in", json_integer(config->confirm_one_in));
	return json;
}

static const char *text_of(struct gk_arena *arena, const json_t *object, const char *key)
{
	return gk_arena_string(arena, json_string_value(json_object_get(object, key)));
}

static bool read_tasks(struct gk_arena *arena, const json_t *tasks, struct gk_run_config *config)
{
	config->task_count = json_array_size(tasks);
	config->ids = gk_arena_array(arena, config->task_count, sizeof *config->ids);
	config->folders = gk_arena_array(arena, config->task_count, sizeof *config->folders);
	for (size_t i = 0; i < config->task_count; i++) {
		config->ids[i] = text_of(arena, json_array_get(tasks, i), "id");
		config->folders[i] = text_of(arena, json_array_get(tasks, i), "folder");
		if (!config->ids[i] || !config->folders[i])
			return false;
	}
	return config->task_count > 0;
}

int gk_run_config_read(struct gk_store *store, struct gk_arena *arena, struct gk_run_config *config, struct gk_err *e)
{
	json_t *json = NULL;
	bool complete;
	int rc;

	if (gk_store_fact_last(store, "config", &json, e) < 0)
		return -1;
	*config = (struct gk_run_config){
		.suite = text_of(arena, json, "suite"),
		.model = text_of(arena, json, "model"),
		.target = text_of(arena, json, "target"),
		.seed = text_of(arena, json, "seed"),
		.base_url = text_of(arena, json, "base_url"),
		.key_file = text_of(arena, json, "key_file"),
		.ca_file = text_of(arena, json, "ca_file"),
		.prices_file = text_of(arena, json, "prices"),
		.hardware = text_of(arena, json, "hardware"),
		.budget_usd = json_number_value(json_object_get(json, "budget_usd")),
		.budget_tokens = json_integer_value(json_object_get(json, "budget_tokens")),
		.skip_perf = json_is_true(json_object_get(json, "skip_perf")),
		.sealed_only = json_is_true(json_object_get(json, "sealed_only")),
		.confirm_one_in = (int)json_integer_value(json_object_get(json, "confirm_one_in")),
	};
	complete = read_tasks(arena, json_object_get(json, "tasks"), config) && config->model && config->target &&
	           config->suite && config->seed;
	rc = gk_recipe_from_json(json_object_get(json, "recipe"), &config->recipe, e);
	json_decref(json);
	if (rc == 0 && !complete)
		rc = gk_err_set(e, GK_ERR_SYSTEM, "it is incomplete");
	return rc < 0 ? gk_err_context(e, "%s: the run's configuration", gk_store_folder(store)) : 0;
}

/* --- pins --- */

typedef int pin_fn(void *ctx, const char *name, const char *hash, struct gk_err *e);

static void recipe_hash(const struct gk_recipe *recipe, char hash[GK_HEX_SIZE])
{
	gk_json_auto *json = gk_recipe_to_json(recipe);
	gk_free_auto char *text = gk_json_text(json);

	gk_hash_hex(text, strlen(text), hash);
}

/* Everything that a prompt or a verdict depends on, by name and hash. */
static int each_pin(const struct gk_run_config *config, struct gk_task *const *tasks, size_t task_count,
                    const struct gk_prompter *prompter, pin_fn *fn, void *ctx, struct gk_err *e)
{
	char name[PATH_MAX], hash[GK_HEX_SIZE];
	const char *file, *file_hash;

	for (size_t i = 0; i < task_count; i++) {
		snprintf(name, sizeof name, "task %s", tasks[i]->id);
		if (fn(ctx, name, tasks[i]->hash, e) < 0)
			return -1;
	}
	for (size_t i = 0; gk_prompter_file(prompter, i, &file, &file_hash); i++)
		if (fn(ctx, file, file_hash, e) < 0)
			return -1;
	recipe_hash(&config->recipe, hash);
	snprintf(name, sizeof name, "recipe %s", config->recipe.name);
	return fn(ctx, name, hash, e);
}

static int add_pin(void *ctx, const char *name, const char *hash, struct gk_err *e)
{
	return gk_store_pin_add(ctx, name, hash, e);
}

struct comparison {
	const struct gk_store_pin *pins;
	size_t count, seen, changed;
	struct gk_buf names;
};

static int compare_pin(void *ctx, const char *name, const char *hash, struct gk_err *e)
{
	struct comparison *comparison = ctx;
	const char *stored = "";

	(void)e;
	for (size_t i = 0; i < comparison->count; i++)
		if (strcmp(comparison->pins[i].name, name) == 0)
			stored = comparison->pins[i].hash;
	comparison->seen += stored[0] != '\0';
	if (strcmp(stored, hash) == 0)
		return 0;
	if (comparison->changed++ < 5)
		gk_buf_printf(&comparison->names, "%s%s%s", comparison->names.size ? ", " : "", name, stored[0] ? "" : " (new)");
	return 0;
}

int gk_run_check_pins(struct gk_store *store, const struct gk_run_config *config, struct gk_task *const *tasks,
                      size_t task_count, const struct gk_prompter *prompter, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	gk_buf_auto names = GK_BUF_INIT;
	struct comparison comparison = {0};
	struct gk_store_pin *pins;

	if (gk_store_pins(store, &arena, &pins, &comparison.count, e) < 0)
		return -1;
	comparison.pins = pins;
	if (each_pin(config, tasks, task_count, prompter, compare_pin, &comparison, e) < 0)
		return -1;
	names = comparison.names;
	if (comparison.changed == 0 && comparison.seen == comparison.count)
		return 0;
	if (comparison.changed == 0)
		return gk_err_set(e, GK_ERR_INPUT, "%zu files that the run began with are gone: restore them, or begin a new run"
		                  " with another -o", comparison.count - comparison.seen);
	return gk_err_set(e, GK_ERR_INPUT, "changed since the run began: %s%s; restore what changed, or begin a new run with"
	                  " another -o", gk_buf_text(&names), comparison.changed > 5 ? ", ..." : "");
}

/* --- begin --- */

static int write_trajectories(struct gk_store *store, const struct gk_run_config *config, struct gk_task *const *tasks,
                              size_t task_count, struct gk_err *e)
{
	for (size_t i = 0; i < task_count; i++)
		for (int n = 0; n < (int)config->recipe.parallel; n++) {
			int64_t id;

			if (gk_store_trajectory_add(store, tasks[i]->id, config->recipe.name, n, &id, e) < 0)
				return -1;
		}
	return 0;
}

static int write_run(struct gk_store *store, const char *build, const struct gk_run_config *config, json_t *json,
                     struct gk_err *e)
{
	gk_free_auto char *text = gk_json_text(json);
	char hash[GK_HEX_SIZE];
	struct gk_store_run run = {.geak = build, .config_hash = hash, .created_ns = gk_wall_ns()};

	gk_hash_hex(text, strlen(text), hash);
	if (gk_text_starts(config->model, "replay:"))
		run.replay_of = config->model + strlen("replay:");
	gk_random_bytes(run.secret, sizeof run.secret);
	return gk_store_run_set(store, &run, e) < 0 ? -1 : gk_store_fact_add(store, "config", json, e);
}

int gk_run_begin(struct gk_store *store, const char *build, const struct gk_run_config *config,
                 struct gk_task *const *tasks, size_t task_count, const struct gk_prompter *prompter,
                 struct gk_err *e)
{
	struct gk_run_config complete = *config;
	uint8_t drawn[GK_HASH_BYTES];
	char hex[GK_HEX_SIZE];

	gk_random_bytes(drawn, sizeof drawn);
	gk_hash_hex(drawn, sizeof drawn, hex);
	if (!complete.seed)
		complete.seed = hex;
	gk_json_auto *json = config_to_json(&complete, tasks, task_count);
	if (gk_store_begin(store, e) < 0)
		return -1;
	if (write_run(store, build, config, json, e) < 0 ||
	    each_pin(config, tasks, task_count, prompter, add_pin, store, e) < 0 ||
	    write_trajectories(store, config, tasks, task_count, e) < 0) {
		gk_store_rollback(store);
		return -1;
	}
	return gk_store_commit(store, e);
}

/* --- the same run? --- */

static int differs(struct gk_err *e, const char *folder, const char *what, const char *begun, const char *asked)
{
	return gk_err_set(e, GK_ERR_INPUT, "%s was begun with %s %s, not %s: leave that out to go on with it, or name another"
	                  " folder with -o", folder, what, begun, asked);
}

static int compare_recipes(const struct gk_recipe *begun, const struct gk_recipe *asked, const char *folder,
                           struct gk_err *e)
{
	gk_json_auto *a = gk_recipe_to_json(begun), *b = gk_recipe_to_json(asked);
	const char *key;
	json_t *value;

	json_object_foreach(b, key, value) {
		gk_free_auto char *was = json_dumps(json_object_get(a, key), JSON_ENCODE_ANY | JSON_SORT_KEYS);
		gk_free_auto char *is = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
		char what[64];

		if (was && is && strcmp(was, is) == 0)
			continue;
		snprintf(what, sizeof what, "recipe's %s", key);
		return differs(e, folder, what, was ? was : "unset", is ? is : "unset");
	}
	return 0;
}

int gk_run_config_same(const struct gk_run_config *begun, const struct gk_run_config *asked, const char *folder,
                       struct gk_err *e)
{
	if (strcmp(begun->model, asked->model) != 0)
		return differs(e, folder, "model", begun->model, asked->model);
	if (strcmp(begun->target, asked->target) != 0)
		return differs(e, folder, "target", begun->target, asked->target);
	if (strcmp(begun->seed, asked->seed) != 0)
		return differs(e, folder, "seed", begun->seed, asked->seed);
	if (begun->skip_perf != asked->skip_perf)
		return differs(e, folder, "timing", begun->skip_perf ? "off" : "on", asked->skip_perf ? "off" : "on");
	if (begun->sealed_only != asked->sealed_only)
		return differs(e, folder, "evidence", begun->sealed_only ? "sealed" : "any", asked->sealed_only ? "sealed" : "any");
	if (begun->task_count != asked->task_count)
		return gk_err_set(e, GK_ERR_INPUT, "%s was begun with %zu tasks, not %zu: name the same, or another folder with"
		                  " -o", folder, begun->task_count, asked->task_count);
	for (size_t i = 0; i < begun->task_count; i++)
		if (strcmp(begun->ids[i], asked->ids[i]) != 0)
			return differs(e, folder, "the task", begun->ids[i], asked->ids[i]);
	return compare_recipes(&begun->recipe, &asked->recipe, folder, e);
}
