#include "agent/recipe.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/memory.h"

#define MAX_RECIPE_BYTES 65536

/* What the field table fills: the recipe, and its texts before they are copied. */
struct reading {
	struct gk_recipe recipe;
	char *name, *title;
};

#define AT(member) offsetof(struct reading, recipe.member)

static const struct gk_field module_fields[] = {
	{.name = "knowledge", .kind = GK_FIELD_BOOL, .offset = AT(modules.knowledge)},
	{.name = "one_shot", .kind = GK_FIELD_BOOL, .offset = AT(modules.one_shot)},
	{.name = "reflexion", .kind = GK_FIELD_BOOL, .offset = AT(modules.reflexion)},
	{.name = "optimizer", .kind = GK_FIELD_BOOL, .offset = AT(modules.optimizer)},
};

static const struct gk_field stop_fields[] = {
	{.name = "solved", .kind = GK_FIELD_BOOL, .offset = AT(stop.solved)},
	{.name = "without_gain", .kind = GK_FIELD_INT, .offset = AT(stop.without_gain), .max = 1000},
	{.name = "speedup", .kind = GK_FIELD_DOUBLE, .offset = AT(stop.speedup)},
};

static int decode_modules(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	return gk_node_decode(at, module_fields, gk_count_of(module_fields), out, arena, e);
}

static int decode_stop(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	return gk_node_decode(at, stop_fields, gk_count_of(stop_fields), out, arena, e);
}

static const struct gk_field recipe_fields[] = {
	{.name = "name", .kind = GK_FIELD_STRING, .offset = offsetof(struct reading, name), .required = true},
	{.name = "title", .kind = GK_FIELD_STRING, .offset = offsetof(struct reading, title)},
	{.name = "iterations", .kind = GK_FIELD_INT, .offset = AT(iterations), .min = 1, .max = 1000},
	{.name = "parallel", .kind = GK_FIELD_INT, .offset = AT(parallel), .min = 1, .max = 1000},
	{.name = "temperature", .kind = GK_FIELD_DOUBLE, .offset = AT(temperature)},
	{.name = "max_tokens", .kind = GK_FIELD_INT, .offset = AT(max_tokens), .max = 1000000},
	{.name = "modules", .kind = GK_FIELD_NODE, .decode = decode_modules},
	{.name = "max_perf_debug_num", .kind = GK_FIELD_INT, .offset = AT(max_perf_debug_num), .max = 1000},
	{.name = "max_same_failure", .kind = GK_FIELD_INT, .offset = AT(max_same_failure), .min = 1, .max = 1000},
	{.name = "ancestors", .kind = GK_FIELD_INT, .offset = AT(ancestors), .min = 1, .max = 32},
	{.name = "directions", .kind = GK_FIELD_INT, .offset = AT(directions), .min = 1, .max = 8},
	{.name = "infra_retries", .kind = GK_FIELD_INT, .offset = AT(infra_retries), .max = 100},
	{.name = "stop", .kind = GK_FIELD_NODE, .decode = decode_stop},
};

void gk_recipe_defaults(struct gk_recipe *recipe)
{
	*recipe = (struct gk_recipe){
		.name = "geak",
		.iterations = 10,
		.parallel = 1,
		.temperature = 1.0,
		.modules = {.knowledge = true, .one_shot = false, .reflexion = true, .optimizer = true},
		.max_perf_debug_num = 5,
		.max_same_failure = 3,
		.ancestors = 5,
		.directions = 2,
		.infra_retries = 2,
	};
}

static int copy_text(char *to, size_t size, const char *text, const char *field, struct gk_err *e)
{
	if (!text)
		return 0;
	if (strlen(text) >= size)
		return gk_err_set(e, GK_ERR_INPUT, "%s: at most %zu bytes", field, size - 1);
	snprintf(to, size, "%s", text);
	return 0;
}

static int read_doc(const struct gk_doc *doc, struct gk_recipe *recipe, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	struct reading reading = {0};
	struct gk_node root = gk_node_root(doc);

	gk_recipe_defaults(&reading.recipe);
	if (gk_node_decode(&root, recipe_fields, gk_count_of(recipe_fields), &reading, &arena, e) < 0)
		return -1;
	if (copy_text(reading.recipe.name, sizeof(reading.recipe.name), reading.name, "name", e) < 0 ||
	    copy_text(reading.recipe.title, sizeof(reading.recipe.title), reading.title, "title", e) < 0 ||
	    gk_recipe_check(&reading.recipe, e) < 0)
		return gk_err_context(e, "%s", doc->name);
	*recipe = reading.recipe;
	return 0;
}

int gk_recipe_read(const char *path, struct gk_recipe *recipe, struct gk_err *e)
{
	gk_doc_auto doc = {0};

	if (gk_doc_read_yaml(&doc, path, MAX_RECIPE_BYTES, e) < 0)
		return -1;
	return read_doc(&doc, recipe, e);
}

int gk_recipe_from_json(const json_t *json, struct gk_recipe *recipe, struct gk_err *e)
{
	char name[] = "recipe";
	struct gk_doc doc = {.root = (json_t *)json, .name = name}; /* borrowed: not released */

	return read_doc(&doc, recipe, e);
}

json_t *gk_recipe_to_json(const struct gk_recipe *r)
{
	json_t *json = json_object(), *modules = json_object(), *stop = json_object();

	json_object_set_new(json, "name", json_string(r->name));
	json_object_set_new(json, "title", json_string(r->title));
	json_object_set_new(json, "iterations", json_integer(r->iterations));
	json_object_set_new(json, "parallel", json_integer(r->parallel));
	json_object_set_new(json, "temperature", json_real(r->temperature));
	json_object_set_new(json, "max_tokens", json_integer(r->max_tokens));
	json_object_set_new(modules, "knowledge", json_boolean(r->modules.knowledge));
	json_object_set_new(modules, "one_shot", json_boolean(r->modules.one_shot));
	json_object_set_new(modules, "reflexion", json_boolean(r->modules.reflexion));
	json_object_set_new(modules, "optimizer", json_boolean(r->modules.optimizer));
	json_object_set_new(json, "modules", modules);
	json_object_set_new(json, "max_perf_debug_num", json_integer(r->max_perf_debug_num));
	json_object_set_new(json, "max_same_failure", json_integer(r->max_same_failure));
	json_object_set_new(json, "ancestors", json_integer(r->ancestors));
	json_object_set_new(json, "directions", json_integer(r->directions));
	json_object_set_new(json, "infra_retries", json_integer(r->infra_retries));
	json_object_set_new(stop, "solved", json_boolean(r->stop.solved));
	json_object_set_new(stop, "without_gain", json_integer(r->stop.without_gain));
	json_object_set_new(stop, "speedup", json_real(r->stop.speedup));
	json_object_set_new(json, "stop", stop);
	return json;
}

static bool is_between(int64_t value, int64_t min, int64_t max)
{
	return value >= min && value <= max;
}

int gk_recipe_check(const struct gk_recipe *r, struct gk_err *e)
{
	if (!r->name[0] || strpbrk(r->name, "/ \t\n"))
		return gk_err_set(e, GK_ERR_INPUT, "name: a word is needed, not \"%s\"", r->name);
	if (!is_between(r->iterations, 1, 1000))
		return gk_err_set(e, GK_ERR_INPUT, "iterations: 1 to 1000 are possible");
	if (!is_between(r->parallel, 1, 1000))
		return gk_err_set(e, GK_ERR_INPUT, "parallel: 1 to 1000 are possible");
	if (!(r->temperature >= 0 && r->temperature <= 2))
		return gk_err_set(e, GK_ERR_INPUT, "temperature: 0 to 2 is possible");
	if (!(r->stop.speedup >= 0))
		return gk_err_set(e, GK_ERR_INPUT, "stop.speedup: a number that is not negative is needed");
	return 0;
}
