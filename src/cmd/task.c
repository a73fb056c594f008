/* geak task list|show|check: what tasks there are, what one asks for, and whether it is well made. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/place.h"
#include "cmd.h"
#include "option.h"
#include "task/task.h"
#include "task_check.h"
#include "view/table.h"

static const char *const kind_names[] = {"tensor", "int", "float", "bool", "string"};
static const char *const operation_names[] = {"elementwise", "reduction", "dot", "exact"};

/* ---- list ---- */

static void add_rows(struct gk_table *table, const struct gk_suite *suite)
{
	for (size_t i = 0; i < suite->task_count; i++) {
		const struct gk_task *task = suite->tasks[i];
		size_t cpu = 0;

		for (size_t j = 0; j < task->case_count; j++)
			cpu += task->cases[j].cpu;
		gk_table_row(table);
		gk_table_cell(table, 0, GK_PLAIN, "%s", suite->id);
		gk_table_cell(table, 1, GK_BOLD, "%s", task->id);
		gk_table_cell(table, 2, GK_PLAIN, "%d", task->difficulty);
		gk_table_cell(table, 3, GK_PLAIN, "%zu", task->case_count);
		gk_table_cell(table, 4, GK_PLAIN, "%zu", cpu);
		gk_table_cell(table, 5, GK_DIM, "%s", task->title);
	}
}

static json_t *summary_json(const struct gk_suite *suite, const struct gk_task *task)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:I, s:s}", "suite", suite->id, "task", task->id, "title",
	                 task->title, "category", task->category, "difficulty", task->difficulty, "signature",
	                 task->signature, "cases", (json_int_t)task->case_count, "hash", task->hash);
}

static int print_json(const json_t *json)
{
	gk_free_auto char *text = gk_json_pretty(json);

	return puts(text) < 0 ? -1 : 0;
}

static int list_suites(const char *suites_folder, char **targets, int count, json_t *rows, struct gk_table *table,
                       struct gk_err *e)
{
	for (int i = 0; i < count; i++) {
		struct gk_suite *suite = gk_target_find(suites_folder, targets[i], e);

		if (!suite)
			return -1;
		add_rows(table, suite);
		for (size_t j = 0; j < suite->task_count; j++)
			json_array_append_new(rows, summary_json(suite, suite->tasks[j]));
		gk_suite_free(suite);
	}
	return 0;
}

/* Every folder with a suite.yaml. */
static int all_suites(const char *suites_folder, struct gk_arena *arena, char ***targets, int *count,
                      struct gk_err *e)
{
	char **names;
	size_t name_count;

	if (gk_dir_list(suites_folder, arena, &names, &name_count, e) < 0)
		return -1;
	*targets = gk_arena_array(arena, name_count, sizeof **targets);
	*count = 0;
	for (size_t i = 0; i < name_count; i++) {
		char *folder = gk_path_join(arena, suites_folder, names[i]);

		if (gk_path_exists(gk_path_join(arena, folder, "suite.yaml")))
			(*targets)[(*count)++] = folder;
	}
	return 0;
}

static int task_list(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"task list", "[TARGET...] [--json]", "List tasks: all that come with geak, or those of the targets", NULL};
	static const struct gk_table_column columns[] = {{"suite", false, 0}, {"task", false, 0}, {"level", true, 0},
	                                                 {"cases", true, 0},  {"cpu", true, 0},   {"title", false, 60}};
	bool json = false;
	const struct gk_option options[] = {
		{.name = "json", .kind = GK_OPTION_FLAG, .help = "print JSON", .value = &json}, {0}};
	int done = gk_options_read(&help, options, &argc, argv, e), count = argc - 1, result;
	gk_arena_auto arena = {0};
	gk_json_auto *rows = json_array();
	struct gk_table table;
	struct gk_term term;
	char **targets = argv + 1;
	const char *suites;

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_place_path(&arena, "suites", &suites, e) < 0 ||
	    (!count && all_suites(suites, &arena, &targets, &count, e) < 0))
		return -1;
	gk_table_init(&table, columns, gk_count_of(columns));
	result = list_suites(suites, targets, count, rows, &table, e);
	gk_term_init(&term, stdout);
	if (result == 0 && json)
		result = print_json(rows);
	else if (result == 0)
		gk_table_print(&table, &term);
	gk_table_release(&table);
	return result;
}

/* ---- show ---- */

static json_t *params_json(const struct gk_task *task)
{
	json_t *params = json_array();

	for (size_t i = 0; i < task->param_count; i++) {
		const struct gk_param *p = &task->params[i];

		json_array_append_new(params, json_pack("{s:s, s:s, s:s?, s:b, s:b}", "name", p->name, "kind",
		                                        kind_names[p->kind], "default", p->default_text, "data", p->data,
		                                        "in_place", p->in_place));
	}
	return params;
}

static json_t *cases_json(const struct gk_task *task)
{
	json_t *cases = json_array();

	for (size_t i = 0; i < task->case_count; i++) {
		const struct gk_case *c = &task->cases[i];

		json_array_append_new(cases, json_pack("{s:s, s:O, s:b, s:b, s:b}", "id", c->id, "params", c->params, "exec",
		                                       c->exec, "perf", c->perf, "cpu", c->cpu));
	}
	return cases;
}

static json_t *task_json(const struct gk_suite *suite, const struct gk_task *task)
{
	json_t *object = summary_json(suite, task), *returns = json_array();

	for (size_t i = 0; i < task->return_count; i++)
		json_array_append_new(returns, json_pack("{s:s, s:s}", "name", task->returns[i].name, "dtype",
		                                         task->returns[i].dtype));
	json_object_set_new(object, "folder", json_string(task->folder));
	json_object_set_new(object, "origin", json_string(task->origin));
	json_object_set_new(object, "entry", json_string(task->entry));
	json_object_set_new(object, "params", params_json(task));
	json_object_set_new(object, "returns", returns);
	json_object_set_new(object, "cases", cases_json(task));
	json_object_set_new(object, "instruction", json_string(task->instruction));
	return object;
}

static void print_task(const struct gk_term *term, const struct gk_suite *suite, const struct gk_task *task)
{
	gk_term_print(term, GK_BOLD, "%s/%s: %s\n", suite->id, task->id, task->title);
	gk_term_print(term, GK_PLAIN, "\n%s\n\n", task->signature);
	gk_term_print(term, GK_DIM, "category    %s, level %d\n", task->category, task->difficulty);
	gk_term_print(term, GK_DIM, "tolerance   %s%s%s\n", operation_names[task->tolerance.operation],
	              task->tolerance.length ? " over " : "", task->tolerance.length ? task->tolerance.length : "");
	gk_term_print(term, GK_DIM, "folder      %s\n\n", task->folder);
	for (size_t i = 0; i < task->case_count; i++) {
		const struct gk_case *c = &task->cases[i];

		gk_term_print(term, GK_PLAIN, "case        %s (%s%s%s%s)\n", c->id, c->exec ? "exec" : "",
		              c->exec && c->perf ? ", " : "", c->perf ? "perf" : "", c->cpu ? ", cpu" : "");
	}
	/* Line by line: the printer makes newlines within an argument harmless. */
	gk_term_print(term, GK_PLAIN, "\n");
	for (const char *line = task->instruction; *line;) {
		size_t length = strcspn(line, "\n");

		gk_term_print(term, GK_PLAIN, "%.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

static int task_show(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"task show", "TARGET [--json]", "Show tasks in full: signature, cases, instruction", NULL};
	bool json = false;
	const struct gk_option options[] = {
		{.name = "json", .kind = GK_OPTION_FLAG, .help = "print JSON", .value = &json}, {0}};
	int done = gk_options_read(&help, options, &argc, argv, e);
	gk_arena_auto arena = {0};
	gk_json_auto *rows = json_array();
	struct gk_suite *suite;
	struct gk_term term;
	const char *suites;

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 1, 1, e) < 0 || gk_place_path(&arena, "suites", &suites, e) < 0)
		return -1;
	suite = gk_target_find(suites, argv[1], e);
	if (!suite)
		return -1;
	gk_term_init(&term, stdout);
	for (size_t i = 0; i < suite->task_count; i++) {
		json_array_append_new(rows, task_json(suite, suite->tasks[i]));
		if (!json)
			print_task(&term, suite, suite->tasks[i]);
	}
	gk_suite_free(suite);
	return json ? print_json(rows) : 0;
}

/* ---- check ---- */

/* What is allowed, but seldom meant. Returns how many remarks there were. */
static size_t print_remarks(const struct gk_term *term, const struct gk_task *task)
{
	const char *remarks[3];
	size_t cpu = 0, dtypes = 0, count = 0;

	for (size_t i = 0; i < task->case_count; i++) {
		cpu += task->cases[i].cpu && task->cases[i].exec;
		dtypes += json_object_get(task->cases[i].params, "dtype") != NULL;
	}
	if (!cpu)
		remarks[count++] = "no case for exec has cpu: true";
	if (!task->held_out)
		remarks[count++] = "no held_out: its shapes can be learned by heart";
	if (!dtypes)
		remarks[count++] = "no case names a dtype";
	for (size_t i = 0; i < count; i++)
		gk_term_print(term, GK_WARN, "%s: %s\n", task->id, remarks[i]);
	return count;
}

static int draw_one(struct gk_task *task, struct gk_err *e)
{
	struct gk_case *cases;
	size_t drawn;

	return task->held_out ? gk_task_draw_held_out(task, 1, 3, &cases, &drawn, e) : 0;
}

static int check_suite(struct gk_suite *suite, const struct gk_term *term, struct gk_err *e)
{
	for (size_t i = 0; i < suite->task_count; i++) {
		struct gk_task *task = suite->tasks[i];

		if (draw_one(task, e) < 0)
			return -1;
		if (!print_remarks(term, task))
			gk_term_print(term, GK_GOOD, "%s: well formed, %zu cases\n", task->id, task->case_count);
	}
	return 0;
}

static int task_check(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"task check", "TARGET... [--files] [--target NAME]", "Check tasks: their files, their cases, and that they tell right from wrong",
		"Besides the files: outputs must depend on every input and on the seed; zeros, a constant, an input and results\n"
		"in lower precision must fail; the reference must pass. Exit code 1 when a rule is broken."};
	bool files = false;
	const char *target = "cpu";
	const struct gk_option options[] = {
		{.name = "files", .kind = GK_OPTION_FLAG, .help = "the files only: nothing is run", .value = &files},
		{'t', "target", GK_OPTION_TEXT, "TARGET", "where the reference is run: auto, cpu, sm_90, ... (cpu)", .value = &target},
		GK_OPTION_LAUNCHER,
		{0}};
	int done = gk_options_read(&help, options, &argc, argv, e);
	gk_arena_auto arena = {0};
	struct gk_term term;
	const char *suites;
	size_t broken = 0;

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 1, -1, e) < 0 || gk_place_path(&arena, "suites", &suites, e) < 0)
		return -1;
	gk_term_init(&term, stdout);
	for (int i = 1; i < argc; i++) {
		struct gk_suite *suite = gk_target_find(suites, argv[i], e);
		int result = suite ? check_suite(suite, &term, e) : -1;

		if (result == 0 && !files)
			result = gk_task_check_run(suite, target, &term, &broken, e);
		gk_suite_free(suite);
		if (result < 0)
			return -1;
	}
	return broken > 0;
}

int gk_cmd_task(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"task", "list|show|check [ARGUMENT...]", "List, show or check tasks",
		"`geak help task list`, `geak help task show`, `geak help task check` say more."};
	static const struct {
		const char *name;
		gk_command_fn *run;
	} parts[] = {{"list", task_list}, {"show", task_show}, {"check", task_check}};
	const struct gk_option options[] = {{0}};
	int done;

	for (size_t i = 0; argc > 1 && i < gk_count_of(parts); i++)
		if (strcmp(argv[1], parts[i].name) == 0)
			return parts[i].run(argc - 1, argv + 1, e);
	done = gk_options_read(&help, options, &argc, argv, e);
	if (done)
		return done < 0 ? -1 : 0;
	if (argc == 1)
		return gk_operands_check(&help, argc, 1, 1, e);
	return gk_err_set(e, GK_ERR_INPUT, "geak task %s: list, show or check is needed", argv[1]);
}
