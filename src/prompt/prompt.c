/*
 * Assembling. prompts/NAME.md are the templates: one per part that the agent
 * may ask for (the user's message), "system" for all, and pieces that they
 * share. knowledge/ holds texts that are inserted as they are:
 *
 *     knowledge/triton.md  numerics.md          always
 *     knowledge/operation/OPERATION.md          by the task's kind of operation
 *     knowledge/target/TARGET.md                by target, where there is one
 */
#include "prompt/prompt.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vec.h"
#include "prompt/template.h"
#include "task/task.h"

#define MAX_FILE_BYTES   ((size_t)256 << 10)
#define MAX_PROMPT_BYTES ((size_t)8 << 20)

static const char *const operation_names[] = {
	[GK_OP_ELEMENTWISE] = "elementwise",
	[GK_OP_REDUCTION] = "reduction",
	[GK_OP_DOT] = "dot",
	[GK_OP_EXACT] = "exact",
};

/* Without them no recipe can run. */
static const char *const needed_templates[] = {
	"system", "generator", "generator_repair", "generator_optimize", "reflector", "optimizer"};
static const char *const needed_knowledge[] = {"triton.md", "numerics.md"};

struct file {
	const char *name;
	char hash[GK_HEX_SIZE];
};

struct gk_prompter {
	struct gk_arena arena;
	struct GK_VEC(struct file) files;
	struct gk_map templates; /* name without folder and ending -> struct gk_template * */
	struct gk_map knowledge; /* name within knowledge/ -> text */
};

static int read_file(struct gk_prompter *prompter, const char *folder, const char *as, const char *name,
                     char **text, size_t *size, struct gk_err *e)
{
	gk_free_auto char *bytes = NULL;
	struct file file;

	if (gk_file_read(gk_path_join(&prompter->arena, folder, name), MAX_FILE_BYTES, &bytes, size, e) < 0)
		return -1;
	*text = gk_arena_copy(&prompter->arena, bytes, *size);
	file.name = gk_arena_printf(&prompter->arena, "%s/%s", as, name);
	gk_hash_hex(bytes, *size, file.hash);
	gk_vec_push(&prompter->files, file);
	return 0;
}

static int read_template(struct gk_prompter *prompter, const char *folder, const char *name, struct gk_err *e)
{
	struct gk_template *template;
	char *text, *stem;
	size_t size;

	if (read_file(prompter, folder, "prompts", name, &text, &size, e) < 0)
		return -1;
	template = gk_template_read(&prompter->arena, gk_vec_last(&prompter->files).name, text, size, e);
	if (!template)
		return -1;
	stem = gk_arena_copy(&prompter->arena, name, strlen(name) - 3);
	gk_map_put(&prompter->templates, stem, NULL)->pointer = template;
	return 0;
}

static int read_templates(struct gk_prompter *prompter, const char *folder, struct gk_err *e)
{
	char **names;
	size_t count, i;

	if (gk_dir_list(folder, &prompter->arena, &names, &count, e) < 0)
		return -1;
	for (i = 0; i < count; i++)
		if (gk_text_ends(names[i], ".md") && read_template(prompter, folder, names[i], e) < 0)
			return -1;
	return 0;
}

static int read_knowledge_file(struct gk_prompter *prompter, const char *folder, const char *name,
                               struct gk_err *e)
{
	char *text;
	size_t size;

	if (read_file(prompter, folder, "knowledge", name, &text, &size, e) < 0)
		return -1;
	if (!gk_text_is_utf8(text, size))
		return gk_err_set(e, GK_ERR_INPUT, "knowledge/%s: not valid UTF-8 text", name);
	while (size && text[size - 1] == '\n')
		text[--size] = '\0';
	gk_map_put(&prompter->knowledge, name, NULL)->pointer = text;
	return 0;
}

/* inside is "" or a folder in knowledge/ with its slash; one that is not there holds nothing. */
static int read_knowledge(struct gk_prompter *prompter, const char *folder, const char *inside,
                          struct gk_err *e)
{
	const char *place = gk_path_join(&prompter->arena, folder, inside);
	char **names;
	size_t count, i;

	if (inside[0] && !gk_path_is_dir(place))
		return 0;
	if (gk_dir_list(place, &prompter->arena, &names, &count, e) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		const char *name = gk_arena_printf(&prompter->arena, "%s%s", inside, names[i]);

		if (gk_text_ends(name, ".md") && read_knowledge_file(prompter, folder, name, e) < 0)
			return -1;
	}
	return 0;
}

static const struct gk_template *find_template(void *ctx, const char *name)
{
	const struct gk_prompter *prompter = ctx;
	const union gk_map_value *value = gk_map_find(&prompter->templates, name);

	return value ? value->pointer : NULL;
}

static int check_complete(struct gk_prompter *prompter, const char *prompts, const char *knowledge,
                          struct gk_err *e)
{
	size_t i;

	for (i = 0; i < gk_count_of(needed_templates); i++)
		if (!find_template(prompter, needed_templates[i]))
			return gk_err_set(e, GK_ERR_INPUT, "%s: %s.md is missing", prompts,
			                  needed_templates[i]);
	for (i = 0; i < gk_count_of(needed_knowledge); i++)
		if (!gk_map_find(&prompter->knowledge, needed_knowledge[i]))
			return gk_err_set(e, GK_ERR_INPUT, "%s: %s is missing", knowledge,
			                  needed_knowledge[i]);
	for (i = 0; i < prompter->templates.count; i++)
		if (gk_template_check(prompter->templates.entries[i].value.pointer, find_template, prompter,
		                      e) < 0)
			return -1;
	return 0;
}

struct gk_prompter *gk_prompter_open(const char *prompts_folder, const char *knowledge_folder,
                                     struct gk_err *e)
{
	struct gk_prompter *prompter = gk_alloc(sizeof(*prompter));

	if (read_templates(prompter, prompts_folder, e) == 0 &&
	    read_knowledge(prompter, knowledge_folder, "", e) == 0 &&
	    read_knowledge(prompter, knowledge_folder, "operation/", e) == 0 &&
	    read_knowledge(prompter, knowledge_folder, "target/", e) == 0 &&
	    check_complete(prompter, prompts_folder, knowledge_folder, e) == 0)
		return prompter;
	gk_prompter_free(prompter);
	return NULL;
}

void gk_prompter_free(struct gk_prompter *prompter)
{
	if (!prompter)
		return;
	gk_map_release(&prompter->templates);
	gk_map_release(&prompter->knowledge);
	gk_vec_release(&prompter->files);
	gk_arena_release(&prompter->arena);
	free(prompter);
}

bool gk_prompter_file(const struct gk_prompter *prompter, size_t index, const char **name, const char **hash)
{
	if (index >= prompter->files.count)
		return false;
	*name = prompter->files.items[index].name;
	*hash = prompter->files.items[index].hash;
	return true;
}

/* --- the data that templates see, besides the agent's --- */

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text && text[0] ? json_string(text) : json_null());
}

static json_t *texts_json(const char *const *texts, size_t count)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(array, json_string(texts[i]));
	return array;
}

static json_t *returns_json(const struct gk_task *task)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < task->return_count; i++) {
		const char *dtype = task->returns[i].dtype;
		bool is_like = gk_text_starts(dtype, "like:");
		json_t *json = json_object();

		put_text(json, "name", task->returns[i].name);
		put_text(json, "dtype", is_like ? NULL : dtype);
		put_text(json, "like", is_like ? dtype + 5 : NULL);
		json_array_append_new(array, json);
	}
	return array;
}

/* Parameters that the entry may write, and scalars that may not steer the launches. */
static void put_params(json_t *json, const struct gk_task *task)
{
	json_t *in_place = json_array(), *data = json_array();
	size_t i;

	for (i = 0; i < task->param_count; i++) {
		if (task->params[i].in_place)
			json_array_append_new(in_place, json_string(task->params[i].name));
		if (task->params[i].data)
			json_array_append_new(data, json_string(task->params[i].name));
	}
	json_object_set_new(json, "in_place", in_place);
	json_object_set_new(json, "data_scalars", data);
}

/* Cases of use, and never the held-out ones: they must stay unseen. */
static json_t *cases_json(const struct gk_task *task, bool perf)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < task->case_count; i++)
		if (!task->cases[i].held_out && (perf ? task->cases[i].perf : task->cases[i].exec))
			json_array_append_new(array, json_string(task->cases[i].id));
	return array;
}

static json_t *task_json(const struct gk_task *task)
{
	json_t *json = json_object();

	put_text(json, "id", task->id);
	put_text(json, "title", task->title);
	put_text(json, "entry", task->entry);
	put_text(json, "signature", task->signature);
	put_text(json, "instruction", task->instruction);
	json_object_set_new(json, "returns", returns_json(task));
	put_params(json, task);
	json_object_set_new(json, "exec_cases", cases_json(task, false));
	json_object_set_new(json, "perf_cases", cases_json(task, true));
	json_object_set_new(json, "has_held_out", json_boolean(task->held_out != NULL));
	json_object_set_new(json, "allow_fills", json_boolean(task->allow_fills));
	json_object_set_new(json, "allow", texts_json(task->allow, task->allow_count));
	return json;
}

static void add_knowledge(const struct gk_prompter *prompter, const char *name, json_t *array)
{
	const union gk_map_value *value = gk_map_find(&prompter->knowledge, name);

	if (value)
		json_array_append_new(array, json_string(value->pointer));
}

static json_t *knowledge_json(const struct gk_prompter *prompter, const struct gk_task *task,
                              const char *target)
{
	json_t *array = json_array();
	char name[96];

	add_knowledge(prompter, "triton.md", array);
	add_knowledge(prompter, "numerics.md", array);
	snprintf(name, sizeof(name), "operation/%s.md", operation_names[task->tolerance.operation]);
	add_knowledge(prompter, name, array);
	snprintf(name, sizeof(name), "target/%s.md", target);
	add_knowledge(prompter, name, array);
	return array;
}

/* Scalars only, in the order of their names. */
static json_t *hardware_json(const json_t *hardware)
{
	gk_free_auto char *sorted = NULL;
	json_t *array = json_array(), *copy, *value;
	const char *key;

	if (!json_is_object(hardware))
		return array;
	sorted = json_dumps(hardware, JSON_SORT_KEYS | JSON_COMPACT);
	copy = json_loads(sorted ? sorted : "{}", 0, NULL);
	json_object_foreach(copy, key, value)
	{
		json_t *item;

		if (!json_is_string(value) && !json_is_number(value))
			continue;
		item = json_object();
		json_object_set_new(item, "name", json_string(key));
		json_object_set(item, "value", value);
		json_array_append_new(array, item);
	}
	json_decref(copy);
	return array;
}

static json_t *data_for(const struct gk_prompter *prompter, const struct gk_task *task, const char *target,
                        const json_t *hardware, const json_t *context)
{
	json_t *data = json_copy((json_t *)(uintptr_t)context);
	bool with_knowledge = json_is_true(json_object_get(json_object_get(context, "modules"), "knowledge"));

	json_object_set_new(data, "task", task_json(task));
	put_text(data, "target", target);
	json_object_set_new(data, "is_machine", json_boolean(strcmp(target, "cpu") == 0));
	json_object_set_new(data, "knowledge",
	                    with_knowledge ? knowledge_json(prompter, task, target) : json_null());
	json_object_set_new(data, "hardware", with_knowledge ? hardware_json(hardware) : json_null());
	return data;
}

void gk_prompt_hash(const char *system, const char *user, char hash[GK_HEX_SIZE])
{
	gk_buf_auto both = GK_BUF_INIT;

	gk_buf_add(&both, system, strlen(system) + 1);
	gk_buf_add_text(&both, user);
	gk_hash_hex(both.bytes, both.size, hash);
}

static int render_part(const struct gk_prompter *prompter, const char *part, const json_t *data, char **text,
                       struct gk_err *e)
{
	gk_buf_auto out = {.ceiling = MAX_PROMPT_BYTES};
	struct gk_prompter *ctx = (struct gk_prompter *)(uintptr_t)prompter;
	const struct gk_template *template = find_template(ctx, part);

	if (!template)
		return gk_err_set(e, GK_ERR_INTERNAL, "there is no prompt for the part \"%s\"", part);
	if (gk_template_render(template, data, find_template, ctx, &out, e) < 0)
		return -1;
	*text = gk_buf_steal(&out);
	return 0;
}

int gk_prompt_render(const struct gk_prompter *prompter, const struct gk_task *task, const char *target,
                     const json_t *hardware, const json_t *context, struct gk_prompt *out, struct gk_err *e)
{
	const char *part = json_string_value(json_object_get(context, "part"));
	struct gk_prompt made = {.system = NULL};
	json_t *data;
	int rc;

	if (!part)
		return gk_err_set(e, GK_ERR_INTERNAL, "a prompt's context names no part");
	data = data_for(prompter, task, target, hardware, context);
	rc = render_part(prompter, "system", data, &made.system, e);
	if (rc == 0)
		rc = render_part(prompter, part, data, &made.user, e);
	json_decref(data);
	if (rc < 0) {
		gk_prompt_release(&made);
		return gk_err_context(e, "prompt %s for %s", part, task->id);
	}
	gk_prompt_hash(made.system, made.user, made.hash);
	*out = made;
	return 0;
}

void gk_prompt_release(struct gk_prompt *prompt)
{
	free(prompt->system);
	free(prompt->user);
	*prompt = (struct gk_prompt){.system = NULL};
}
