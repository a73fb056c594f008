#include "task/task.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "tap.h"

#define TINY "tests/data/suites/tiny"

static char folder[] = "/tmp/geak-t-task-XXXXXX";
static struct gk_arena arena;

static void write_file(const char *name, const char *text)
{
	struct gk_err e = {0};

	if (gk_file_write(gk_path_join(&arena, folder, name), text, strlen(text), &e) < 0)
		printf("Bail out! %s\n", e.text);
}

/* A good task.yaml with one line replaced. */
static void refused(const char *old, const char *new, const char *want, const char *behaviour)
{
	static const char good[] = "id: t\n"
				   "title: T\n"
				   "entry:\n"
				   "  name: f\n"
				   "  params:\n"
				   "    - {name: x, kind: tensor}\n"
				   "    - {name: n, kind: int, default: 1}\n"
				   "  returns:\n"
				   "    - {name: out, dtype: float32}\n"
				   "tolerance: {operation: dot, length: N}\n"
				   "cases:\n"
				   "  - {N: 8, dtype: float32, cpu: true}\n"
				   "  - {N: 9, dtype: float32, cpu: true}\n"
				   "held_out:\n"
				   "  params:\n"
				   "    N: {range: [1, 5]}\n"
				   "    dtype: {choice: [float32]}\n"
				   "  limit: {product: [N], most: 4}\n";
	const char *at = strstr(good, old);
	struct gk_err e = {0};
	struct gk_task *task;
	char want_text[1024];

	if (!at)
		printf("Bail out! %s\n", old);
	write_file("task.yaml", gk_arena_printf(&arena, "%.*s%s%s", (int)(at - good), good, new, at + strlen(old)));
	task = gk_task_read(folder, &e);
	snprintf(want_text, sizeof want_text, "%s/task.yaml:%s", folder, want);
	is_text(task ? "accepted" : e.text, *want ? want_text : "accepted", behaviour);
	gk_task_free(task);
}

static void fields(void)
{
	write_file("instruction.md", "Do it.\n");
	write_file("oracle.py", "pass\n");
	write_file("reference.py", "pass\n");
	refused("", "", "", "the good task is read");
	refused("title: T\n", "", "1: title: is missing", "a missing field");
	refused("title: T\n", "titel: T\n", "2: titel: unknown key: did you mean title?", "an unknown key gets a suggestion");
	refused("id: t", "id: a/b", "1: id: letters, digits, _ . and - are needed, not \"a/b\"", "an id that is a path");
	refused("name: f", "name: lambda", "4: entry.name: a Python name is needed, not \"lambda\"", "an entry that is no name");
	refused("kind: tensor", "kind: tensr",
	        "6: entry.params[0].kind: one of tensor, int, float, bool, string is needed, not \"tensr\": did you mean tensor?",
	        "an unknown kind");
	refused("name: n,", "name: x,", "7: entry.params[1].name: a parameter x stands above", "a parameter twice");
	refused("{name: x, kind: tensor}", "{name: x, kind: tensor, default: null}", "", "defaults for all");
	refused("{name: x, kind: tensor}\n    - {name: n, kind: int, default: 1}",
	        "{name: x, kind: int, default: 3}\n    - {name: n, kind: int}",
	        "7: entry.params[1]: n needs a default, since x before it has one", "a default before none");
	refused("default: 1", "default: one", "7: entry.params[1].default: no value for a parameter of kind int",
	        "a default of another kind");
	refused("kind: tensor}", "kind: tensor, data: true}",
	        "6: entry.params[0].data: tensors always are data: this is for scalars", "a tensor as data");
	refused("kind: int, default: 1", "kind: int, in_place: true",
	        "7: entry.params[1].in_place: only tensors are written in place", "a number in place");
	refused("dtype: float32}\ntol", "dtype: \"like:n\"}\ntol", "9: entry.returns[0].dtype: n is no tensor among entry.params",
	        "a return value like a number");
	refused("operation: dot", "operation: dots",
	        "10: tolerance.operation: one of elementwise, reduction, dot, exact is needed, not \"dots\": did you mean dot?",
	        "an unknown operation");
	refused("length: N", "length: K", "10: tolerance.length: K is no integer parameter of the cases", "a length nobody gives");
	refused("length: N", "rtol: 0.1", "10: tolerance.reason: is missing: say why the table's tolerance is not right here",
	        "an override without reason");
	refused("length: N", "rtol: 7, reason: x", "10: tolerance.rtol: a number from 0 to 1 is needed", "an absurd tolerance");
}

static void cases(void)
{
	refused("cases:\n  - {N: 8, dtype: float32, cpu: true}\n  - {N: 9, dtype: float32, cpu: true}\n", "cases: []\n",
	        "11: cases: a task needs at least one case", "a task without cases");
	refused("N: 8, dtype: float32", "N: 8, dtype: float33",
	        "12: cases[0].dtype: one of bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, "
	        "float32, float64, float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, float8_e4m3b11fnuz is needed, "
	        "not \"float33\": did you mean float32?",
	        "an unknown dtype");
	refused("{N: 9, ", "{", "13: cases[1].N: is missing: cases[0] has it", "a parameter that one case lacks");
	refused("{N: 9, ", "{N: 9, M: 1, ", "13: cases[1].M: cases[0] does not have it", "a parameter that only one case has");
	refused("N: 9", "N: 8", "13: cases[1]: the same parameters as cases[0]", "a case twice");
	refused("N: 9", "N: [9]", "13: cases[1].N: an integer, a number, true, false or a text is needed", "a list as parameter");
	refused("N: 9", "use: [run], N: 9", "13: cases[1].use[0]: one of exec, perf is needed, not \"run\"", "an unknown use");
	refused("{N: 8, dtype: float32, cpu: true}\n  - {N: 9,", "{N: 8, use: [perf], dtype: float32}\n  - {N: 9, use: [perf],",
	        "11: cases: at least one case with use: [exec] is needed", "a task that only measures");
	refused("N: 8, dtype: float32, cpu: true", "N: 8, dtype: float32, cpu: maybe",
	        "12: cases[0].cpu: true or false is needed, not \"maybe\"", "a flag that is none");
	refused("range: [1, 5]", "range: [5, 1]", "16: held_out.params.N.range: nothing lies between 5 and 1", "an empty range");
	refused("range: [1, 5]", "multiple: [7, 1, 5]", "16: held_out.params.N.multiple: no multiple lies in the range",
	        "no multiple");
	refused("range: [1, 5]", "multiple: [0, 1, 5]",
	        "16: held_out.params.N.multiple[0]: an integer from 1 to 1099511627776 is needed, not 0", "multiples of nothing");
	refused("range: [1, 5]", "between: [1, 5]", "16: held_out.params.N.between: unknown key", "an unknown generator");
	refused("    N: {range: [1, 5]}\n", "", "15: held_out.params.N: is missing: the cases have it", "a generator that is missing");
	refused("choice: [float32]", "choice: [flot32]", "17: held_out.params.dtype.choice[0]: one of bool, int8, int16, int32, int64, "
	        "uint8, uint16, uint32, uint64, float16, bfloat16, float32, float64, float8_e4m3fn, float8_e5m2, "
	        "float8_e4m3fnuz, float8_e5m2fnuz, float8_e4m3b11fnuz is needed, not \"flot32\": did you mean float32?",
	        "an unknown dtype in a choice");
	refused("product: [N]", "product: [dtype]", "18: held_out.limit.product[0]: dtype is no integer parameter of the cases",
	        "a limit on words");
	refused("title: T", "title: T\ntitle: U", "3: the key title stands here for the second time", "a key twice");
}

/* What is put among the inputs, and where they begin. */
static void specials(void)
{
	struct gk_err e = {0};
	struct gk_case *drawn;
	struct gk_task *task;
	size_t count;

	refused("cases:\n", "specials: [nan, -0.0, -max]\ncases:\n", "", "special values by name, or as YAML has them");
	refused("cases:\n", "specials: [nan, zero]\ncases:\n",
	        "11: specials[1]: one of nan, inf, -inf, -0.0, subnormal, max, -max is needed, not \"zero\"", "an unknown one");
	refused("N: 9,", "N: 9, use: [perf], specials: [nan],", "13: cases[1].specials: special values are for cases with use: [exec]",
	        "where nothing is executed");
	refused("kind: int, default: 1", "kind: int, ordinary: true",
	        "7: entry.params[1].ordinary: special values are put into tensors alone", "a scalar that is spared");
	refused("N: 9, dtype", "N: 8, misaligned: true, dtype", "", "a case may be there again, misaligned");
	refused("N: 9, dtype", "N: 8, misaligned: 1, dtype", "13: cases[1].misaligned: true or false is needed, not 1", "or not");
	refused("cases:\n  - {N: 8,", "specials: [nan, -0.0]\nsigned_zeros: true\ndeterministic: true\ncases:\n"
	        "  - {N: 8, misaligned: true, specials: [],", "", "all of them");
	task = gk_task_read(folder, &e);
	ok(task && task->signed_zeros && task->deterministic, "flags of the task");
	is_int(task->cases[0].specials, 0, "a case may do without");
	is_int(task->cases[1].specials, 1 << GK_SPECIAL_NAN | 1 << GK_SPECIAL_MINUS_ZERO, "else it has the task's");
	is_text(task->cases[0].id, "N=8,dtype=float32 (misaligned)", "a misaligned case is named so");
	ok(task->cases[0].misaligned && json_object_size(task->cases[0].params) == 2, "which the oracle does not hear of");
	gk_task_draw_held_out(task, 1, 1, &drawn, &count, &e);
	ok(count == 1 && drawn[0].specials == task->specials && !drawn[0].misaligned, "held-out cases have the task's");
	gk_task_free(task);
}

static void files(void)
{
	struct gk_err e = {0};

	refused("", "", "", "still good");
	write_file("reference.py", " \n");
	ok(!gk_task_read(folder, &e) && gk_text_ends(e.text, "/reference.py: the file is empty"), "an empty reference");
	unlink(gk_path_join(&arena, folder, "reference.py"));
	ok(!gk_task_read(folder, &e) && gk_text_ends(e.text, "/reference.py: No such file or directory"), "no reference");
	ok(e.kind == GK_ERR_INPUT, "is the user's to mend");
	write_file("reference.py", "\xff\n");
	ok(!gk_task_read(folder, &e) && gk_text_ends(e.text, "/reference.py: not UTF-8 text"), "a reference that is no text");
	ok(!gk_task_read("/nonexistent", &e) && gk_text_ends(e.text, "/nonexistent: no such task folder"), "no folder");
}

static void good_task(void)
{
	struct gk_err e = {0};
	struct gk_task *task = gk_task_read(TINY "/pair", &e), *scale = gk_task_read(TINY "/scale", &e);

	if (!ok(task && scale, "the fixture tasks are read")) {
		printf("# %s\n", e.text);
		return;
	}
	is_text(task->signature, "pair(x: Tensor, k: int, mode: str = 'first', mask: Tensor = None) -> (Tensor, Tensor)",
	        "the signature for people");
	is_text(scale->signature, "scale(x: Tensor, factor: float = 2.0) -> Tensor", "one return value stands alone");
	is_text(task->cases[0].id, "M=4,scale=1e-05,dtype=float32,keep=true,mode=first", "a case is named by its parameters");
	ok(task->cases[0].exec && !task->cases[0].perf && !task->cases[0].cpu, "a case serves exec when it does not say");
	ok(scale->cases[1].exec && scale->cases[1].perf && scale->cases[1].cpu, "or what it says");
	ok(!json_object_get(scale->cases[1].params, "use") && json_object_size(scale->cases[1].params) == 2,
	   "the oracle gets the parameters only");
	ok(task->tolerance.operation == GK_OP_EXACT && task->tolerance.overridden && task->tolerance.rtol == 0.5,
	   "an overridden tolerance");
	ok(task->params[0].in_place && scale->params[1].data && task->params[2].optional, "flags of parameters");
	is_text(task->params[3].default_text, "None", "defaults are Python literals");
	ok(task->allow_fills && task->allow_count == 1 && task->distribution_count == 2, "lists");
	is_text(scale->distributions[0], "normal", "the distribution nobody names");
	ok(task->difficulty == 4 && scale->difficulty == 1, "difficulties");
	is_text(scale->category, "other", "a category nobody names");
	ok(strlen(task->hash) == 64 && strcmp(task->hash, scale->hash) != 0, "tasks are known by a hash");
	ok(task->folder[0] == '/', "folders are absolute");
	ok(gk_text_starts(task->instruction, "Multiply every"), "the instruction is read");
	gk_task_free(task);
	gk_task_free(scale);
}

static void held_out(void)
{
	struct gk_err e = {0};
	struct gk_task *task = gk_task_read(TINY "/scale", &e), *pair = gk_task_read(TINY "/pair", &e);
	struct gk_case *first, *second, *other;
	size_t count, again, rest;
	bool same = true, allowed = true, distinct = true, differs = false;

	is_int(gk_task_draw_held_out(task, 7, 20, &first, &count, &e), 0, "held-out cases are drawn");
	gk_task_draw_held_out(task, 7, 20, &second, &again, &e);
	gk_task_draw_held_out(task, 8, 20, &other, &rest, &e);
	ok(count == 20 && again == 20 && rest == 20, "as many as wanted");
	for (size_t i = 0; i < 20; i++) {
		int64_t n = json_integer_value(json_object_get(first[i].params, "N"));

		same &= strcmp(first[i].id, second[i].id) == 0;
		differs |= strcmp(first[i].id, other[i].id) != 0;
		allowed &= n >= 1 && n <= 30 && !(n == 8 && gk_text_ends(first[i].id, "float32 (held out)"));
		for (size_t j = 0; j < i; j++)
			distinct &= strcmp(first[i].id, first[j].id) != 0;
	}
	ok(same && differs, "the same from the same seed, others from another");
	ok(allowed, "within range and limit, and never a case of the file");
	ok(distinct, "never one twice");
	ok(first[0].held_out && first[0].exec && gk_text_ends(first[0].id, " (held out)"), "marked as held out");
	gk_task_draw_held_out(task, 9, 100, &first, &count, &e);
	ok(count == 59, "no more than there are");
	gk_task_draw_held_out(pair, 1, 5, &first, &count, &e);
	for (size_t i = 0; i < count; i++)
		allowed &= json_integer_value(json_object_get(first[i].params, "M")) % 16 == 0 &&
		           json_integer_value(json_object_get(first[i].params, "M")) >= 16;
	ok(count == 5 && allowed, "multiples are multiples");
	gk_task_free(task);
	gk_task_free(pair);
}

static void finds(const char *target, const char *want, const char *behaviour)
{
	struct gk_err e = {0};
	struct gk_suite *suite = gk_target_find("tests/data/suites", target, &e);
	char got[1100];

	if (suite)
		snprintf(got, sizeof got, "%s %zu %s", suite->id, suite->task_count, suite->tasks[0]->id);
	else
		snprintf(got, sizeof got, "%s", e.text);
	is_text(got, want, behaviour);
	gk_suite_free(suite);
}

static void targets(void)
{
	finds("tiny", "tiny 2 scale", "a suite by name");
	finds(TINY, "tiny 2 scale", "a suite by folder");
	finds("tiny/pair", "tiny 1 pair", "a task of a suite");
	finds("other/scale", "other 1 scale", "a task that two suites have, by the suite's name");
	finds(TINY "/pair", "pair 1 pair", "a task by folder");
	finds("pair", "tiny 1 pair", "a task by its id");
	finds("scale", "scale: 2 suites have this task: say tiny/scale", "an id that two suites have");
	finds("pear", "pear: no suite, task or task folder of this name: did you mean pair?", "an unknown name");
	finds("tiny/pear", "tiny/pear: no suite, task or task folder of this name: did you mean tiny/pair?",
	      "an unknown task of a suite");
	finds("zzzzzzzzzz", "zzzzzzzzzz: no suite, task or task folder of this name; `geak task list` shows what there is",
	      "a name like none");
	finds("tests/data", "tests/data: neither task.yaml nor suite.yaml is in this folder", "a folder of something else");
	finds("", ": no suite, task or task folder of this name; `geak task list` shows what there is", "no name");
}

int main(void)
{
	struct gk_err e = {0};

	if (!mkdtemp(folder))
		return 1;
	fields();
	cases();
	specials();
	files();
	good_task();
	held_out();
	targets();
	gk_tree_remove(folder, &e);
	gk_arena_release(&arena);
	return done_testing();
}
