#include "parts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vec.h"

#define MAX_TASKS 2000

struct list {
	const char *id, *title;
	const char **tasks; /* folder names */
	size_t task_count;
};

static int decode_tasks(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	struct list *list = out;

	if (gk_node_array(at, MAX_TASKS, e) < 0)
		return -1;
	if (!gk_node_count(at))
		return gk_node_fail(at, e, "a suite needs at least one task");
	list->tasks = gk_arena_array(arena, gk_node_count(at), sizeof *list->tasks);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		const char *name = "";

		if (gk_node_string(&item, &name, e) < 0)
			return -1;
		if (!*name || *name == '.' || strchr(name, '/'))
			return gk_node_fail(&item, e, "the name of a folder beside suite.yaml is needed, not \"%s\"", name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(list->tasks[j], name) == 0)
				return gk_node_fail(&item, e, "%s stands here for the second time", name);
		list->tasks[i] = gk_arena_string(arena, name);
	}
	list->task_count = gk_node_count(at);
	return 0;
}

static int read_list(const char *folder, struct list *list, struct gk_arena *arena, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"id", GK_FIELD_STRING, offsetof(struct list, id), true, 0, 0, NULL, NULL},
		{"title", GK_FIELD_STRING, offsetof(struct list, title), true, 0, 0, NULL, NULL},
		{"tasks", GK_FIELD_NODE, 0, true, 0, 0, NULL, decode_tasks},
	};
	gk_doc_auto doc = {0};

	if (gk_doc_read_yaml(&doc, gk_path_join(arena, folder, "suite.yaml"), GK_TASK_MAX_BYTES, e) < 0)
		return -1;
	struct gk_node root = gk_node_root(&doc);
	return gk_node_decode(&root, fields, gk_count_of(fields), list, arena, e);
}

static struct gk_suite *suite_new(const char *id, const char *title, const char *folder, size_t capacity)
{
	struct gk_suite *suite = gk_alloc(sizeof *suite);
	char absolute[PATH_MAX];

	suite->id = gk_arena_string(&suite->arena, id);
	suite->title = gk_arena_string(&suite->arena, title);
	suite->folder = gk_arena_string(&suite->arena, realpath(folder, absolute) ? absolute : folder);
	suite->tasks = gk_arena_array(&suite->arena, capacity, sizeof(struct gk_task *));
	return suite;
}

/* Tasks are named by id, and found by folder: inside a suite the two are the same. */
static int add_task(struct gk_suite *suite, const char *folder, const char *name, struct gk_err *e)
{
	struct gk_task *task = gk_task_read(gk_path_join(&suite->arena, folder, name), e);

	if (!task)
		return -1;
	suite->tasks[suite->task_count++] = task;
	if (strcmp(task->id, name) != 0)
		return gk_err_set(e, GK_ERR_INPUT, "%s/%s/task.yaml: id: is %s, but the folder is called %s", folder, name,
		                  task->id, name);
	return 0;
}

/* The suite of folder with all its tasks, or with the one called only. */
static struct gk_suite *read_suite(const char *folder, const char *only, struct gk_err *e)
{
	gk_arena_auto scratch = {0};
	struct list list = {0};
	struct gk_suite *suite;

	if (read_list(folder, &list, &scratch, e) < 0)
		return NULL;
	suite = suite_new(list.id, list.title, folder, list.task_count);
	for (size_t i = 0; i < list.task_count; i++) {
		if (only && strcmp(only, list.tasks[i]) != 0)
			continue;
		if (add_task(suite, folder, list.tasks[i], e) < 0) {
			gk_suite_free(suite);
			return NULL;
		}
	}
	return suite;
}

struct gk_suite *gk_suite_read(const char *folder, struct gk_err *e)
{
	return read_suite(folder, NULL, e);
}

void gk_suite_free(struct gk_suite *suite)
{
	if (!suite)
		return;
	for (size_t i = 0; i < suite->task_count; i++)
		gk_task_free(suite->tasks[i]);
	gk_arena_release(&suite->arena);
	free(suite);
}

static struct gk_suite *suite_of_task_folder(const char *folder, struct gk_err *e)
{
	struct gk_task *task = gk_task_read(folder, e);
	struct gk_suite *suite;

	if (!task)
		return NULL;
	suite = suite_new(task->id, task->title, folder, 1);
	suite->tasks[suite->task_count++] = task;
	return suite;
}

static bool has_file(struct gk_arena *arena, const char *folder, const char *name)
{
	return gk_path_exists(gk_path_join(arena, folder, name));
}

/* A folder that has neither file may still share its name with a suite or a task. */
static bool is_target_folder(struct gk_arena *arena, const char *path)
{
	return gk_path_is_dir(path) &&
	       (strchr(path, '/') || has_file(arena, path, "suite.yaml") || has_file(arena, path, "task.yaml"));
}

static struct gk_suite *from_folder(struct gk_arena *arena, const char *folder, struct gk_err *e)
{
	if (has_file(arena, folder, "suite.yaml"))
		return gk_suite_read(folder, e);
	if (has_file(arena, folder, "task.yaml"))
		return suite_of_task_folder(folder, e);
	gk_err_set(e, GK_ERR_INPUT, "%s: neither task.yaml nor suite.yaml is in this folder", folder);
	return NULL;
}

/* Everything that a name may mean. */
struct directory {
	struct gk_arena arena;
	struct GK_VEC(const char *) folders; /* of each task's suite */
	struct GK_VEC(const char *) tasks;   /* names, beside folders */
	struct GK_VEC(const char *) names;   /* suites, tasks and SUITE/TASK; ends with NULL */
};

static void directory_release(struct directory *d)
{
	gk_vec_release(&d->folders);
	gk_vec_release(&d->tasks);
	gk_vec_release(&d->names);
	gk_arena_release(&d->arena);
}

static int add_suite(struct directory *d, const char *folder, const char *name, struct gk_err *e)
{
	struct list list = {0};

	if (read_list(folder, &list, &d->arena, e) < 0)
		return -1;
	gk_vec_push(&d->names, name);
	for (size_t i = 0; i < list.task_count; i++) {
		gk_vec_push(&d->folders, folder);
		gk_vec_push(&d->tasks, list.tasks[i]);
		gk_vec_push(&d->names, list.tasks[i]);
		gk_vec_push(&d->names, gk_arena_printf(&d->arena, "%s/%s", name, list.tasks[i]));
	}
	return 0;
}

static int directory_read(struct directory *d, const char *suites_folder, struct gk_err *e)
{
	char **names;
	size_t count;

	if (gk_dir_list(suites_folder, &d->arena, &names, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		char *folder = gk_path_join(&d->arena, suites_folder, names[i]);

		if (!gk_path_exists(gk_path_join(&d->arena, folder, "suite.yaml")))
			continue;
		if (add_suite(d, folder, names[i], e) < 0)
			return -1;
	}
	gk_vec_push(&d->names, NULL);
	return 0;
}

static struct gk_suite *fail_unknown(const struct directory *d, const char *target, struct gk_err *e)
{
	const char *nearest = gk_text_nearest(target, d->names.items);

	gk_err_set(e, GK_ERR_INPUT, "%s: no suite, task or task folder of this name%s%s%s", target,
	           nearest ? ": did you mean " : "; `geak task list` shows what there is", nearest ? nearest : "",
	           nearest ? "?" : "");
	return NULL;
}

static struct gk_suite *find_task(const struct directory *d, const char *target, struct gk_err *e)
{
	const char *slash = strrchr(target, '/'), *task = slash ? slash + 1 : target;
	size_t found = d->tasks.count, hits = 0;

	for (size_t i = 0; i < d->tasks.count; i++) {
		const char *suite = gk_path_base(d->folders.items[i]);

		if (strcmp(d->tasks.items[i], task) != 0)
			continue;
		if (slash && (strlen(suite) != (size_t)(slash - target) || !gk_text_starts(target, suite)))
			continue;
		found = i;
		hits++;
	}
	if (!hits)
		return fail_unknown(d, target, e);
	if (hits > 1) {
		gk_err_set(e, GK_ERR_INPUT, "%s: %zu suites have this task: say %s/%s", target, hits,
		           gk_path_base(d->folders.items[found]), task);
		return NULL;
	}
	return read_suite(d->folders.items[found], task, e);
}

struct gk_suite *gk_target_find(const char *suites_folder, const char *target, struct gk_err *e)
{
	struct directory d = {0};
	struct gk_suite *suite = NULL;

	if (is_target_folder(&d.arena, target))
		suite = from_folder(&d.arena, target, e);
	else if (*target && !strchr(target, '/') &&
	         has_file(&d.arena, gk_path_join(&d.arena, suites_folder, target), "suite.yaml"))
		suite = gk_suite_read(gk_path_join(&d.arena, suites_folder, target), e);
	else if (directory_read(&d, suites_folder, e) == 0)
		suite = find_task(&d, target, e);
	directory_release(&d);
	return suite;
}
