/*
 * From what a capture claims to plans that may be executed. Everything here
 * was sent by the candidate's own process: it is read by plan/ and ir/, which
 * refuse, and nothing is believed that they did not accept.
 */
#include <signal.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "contract.h"
#include "state.h"

#define MAX_CASE_BYTES ((uint64_t)2 << 30) /* of all buffers of a plan */
enum { MESSAGE_BYTES = 1500, OUTPUT_BYTES = 300 };

struct failing failing_of(struct gk_cascade *c, enum gk_outcome outcome, const char *kind,
                          const struct gk_buf *words)
{
	return (struct failing){outcome, kind, gk_arena_string(&c->arena, gk_buf_text(words)), NULL};
}

/* ---- how the process ended ---- */

static void add_output(struct gk_buf *words, const struct gk_capture_result *r)
{
	size_t from = r->output_size > OUTPUT_BYTES ? r->output_size - OUTPUT_BYTES : 0;

	if (r->output_size == 0)
		return;
	gk_buf_add_text(words, "; it printed last: ");
	gk_text_add_safe(words, r->output + from, r->output_size - from, OUTPUT_BYTES, false);
}

static struct failing ended_badly(struct gk_cascade *c, const struct gk_capture_result *r, size_t plans)
{
	gk_buf_auto words = GK_BUF_INIT;
	const char *kind = "crash";

	gk_buf_add_text(&words, "while its Python ran without a GPU, ");
	if (r->end == GK_CAPTURE_TIMED_OUT) {
		kind = "timeout";
		gk_buf_add_text(&words, "the candidate did not come to an end in time and was stopped");
	} else if (r->end == GK_CAPTURE_FLOODED) {
		kind = "flood";
		gk_buf_printf(&words, "the candidate wrote more output than is allowed and was stopped");
	} else if (r->end == GK_CAPTURE_OVER_MEMORY) {
		kind = "memory";
		gk_buf_add_text(
			&words,
			"the candidate's processes took more memory than is allowed and were stopped");
	} else if (r->end == GK_CAPTURE_SIGNALED) {
		gk_buf_printf(&words, "the candidate's process was ended by signal %d (%s)", r->code,
		              strsignal(r->code));
	} else if (r->end == GK_CAPTURE_KILLED_ZYGOTE) {
		gk_buf_add_text(&words, "the candidate took down the process that had started it, twice");
	} else {
		kind = "exited";
		gk_buf_printf(&words, "the candidate's process exited with status %d before %s had returned",
		              r->code, c->setup.task->entry);
	}
	if (plans > 0)
		gk_buf_printf(&words, "; %zu of %zu cases had been called", plans, c->setup.case_count);
	add_output(&words, r);
	return failing_of(c, GK_FAIL, kind, &words);
}

/* ---- what it said instead of a plan ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const char *kind_of_error(const char *type)
{
	static const struct {
		const char *type, *kind;
	} kinds[] = {
		{"MissingEntry", "missing_entry"},
		{"SyntaxError", "syntax_error"},
		{"IndentationError", "syntax_error"},
		{"CompilationError", "compile_error"},
		{"CompileTimeAssertionFailure", "compile_error"},
		{"UnsupportedLanguageConstruct", "compile_error"},
		{"OutOfResources", "out_of_resources"},
		{"MemoryError", "memory"},
		{"OutOfMemoryError", "memory"},
	};

	for (size_t i = 0; i < gk_count_of(kinds); i++)
		if (gk_text_ends(type, kinds[i].type))
			return kinds[i].kind;
	return "raised";
}

static struct failing raised(struct gk_cascade *c, const json_t *claim)
{
	const char *type = text_of(claim, "type"), *message = text_of(claim, "message");
	gk_buf_auto words = GK_BUF_INIT;

	if (strcmp(type, "MissingEntry") != 0) {
		gk_describe_foreign(&words, type, 80);
		gk_describe_line(&words, &c->source, json_integer_value(json_object_get(claim, "line")));
		gk_buf_add_text(&words, ": ");
	}
	gk_text_add_safe(&words, message, strlen(message), MESSAGE_BYTES, true);
	return failing_of(c, GK_FAIL, kind_of_error(type), &words);
}

/* Capture ends its sentences with " (line 12)"; the line itself says more. */
static void cut_line(struct gk_buf *words, int64_t line)
{
	char tail[40];
	int size = snprintf(tail, sizeof tail, " (line %lld)", (long long)line);

	if (!gk_text_ends(gk_buf_text(words), tail))
		return;
	words->size -= (size_t)size;
	words->bytes[words->size] = '\0';
}

static struct failing cannot(struct gk_cascade *c, const json_t *claim)
{
	static const char *const kinds[] = {"not_capturable", "not_a_kernel",   "foreign_kernel",
	                                    "unstable_plan",  "wrong_contract", NULL};
	const char *said = text_of(claim, "kind"), *kind = "not_capturable";
	gk_buf_auto words = GK_BUF_INIT;
	int64_t line = json_integer_value(json_object_get(claim, "line"));

	for (size_t i = 0; kinds[i]; i++)
		if (strcmp(kinds[i], said) == 0)
			kind = kinds[i];
	gk_describe_foreign(&words, text_of(claim, "message"), MESSAGE_BYTES);
	cut_line(&words, line);
	gk_describe_line(&words, &c->source, line);
	return failing_of(c, strcmp(kind, "not_capturable") == 0 ? GK_UNDECIDED : GK_FAIL, kind, &words);
}

/* ---- modules and plans ---- */

static void keep_module(struct gk_cascade *c, const struct gk_captured_module *from)
{
	struct module m = {.size = from->size};
	struct gk_err e = {0};

	for (size_t i = 0; i < c->modules.count; i++)
		if (strcmp(c->modules.items[i].hash, from->hash) == 0)
			return;
	snprintf(m.hash, sizeof m.hash, "%s", from->hash);
	m.text = gk_arena_copy(&c->arena, from->text, from->size);
	m.ir = gk_ir_read("ttir", from->text, from->size, &e);
	if (!m.ir)
		m.why = gk_arena_string(&c->arena, e.text);
	gk_vec_push(&c->modules, m);
}

static const struct module *find_module(const struct gk_cascade *c, const char *hash)
{
	for (size_t i = 0; i < c->modules.count; i++)
		if (strcmp(c->modules.items[i].hash, hash) == 0)
			return &c->modules.items[i];
	return NULL;
}

static bool modules_are_read(struct gk_cascade *c, const struct gk_plan *plan, struct failing *failing)
{
	gk_buf_auto words = GK_BUF_INIT;

	for (uint32_t i = 0; i < plan->kernel_count; i++) {
		const struct module *m = find_module(c, plan->kernels[i].ttir);

		if (!m || m->ir)
			continue;
		gk_buf_add_text(&words, "kernel ");
		gk_describe_foreign(&words, plan->kernels[i].name, 100);
		gk_buf_add_text(&words, ": its Triton IR is not understood by geak's reader: ");
		gk_describe_foreign(&words, m->why, MESSAGE_BYTES);
		*failing = failing_of(c, GK_UNDECIDED, "not_simulated", &words);
		return false;
	}
	return true;
}

/* Plans name their outputs by number; from here on they have the task's names. */
static void name_outputs(const struct gk_judge_data *data, struct gk_plan *plan)
{
	for (size_t i = 0; i < plan->output_count && i < data->output_count; i++)
		plan->outputs[i].name = gk_arena_string(&plan->arena, data->outputs[i].name);
}

static int validate(struct gk_cascade *c, const struct gk_judge_data *data, const struct gk_plan *plan,
                    struct gk_err *e)
{
	const struct gk_task *task = c->setup.task;
	bool in_place[GK_PLAN_MAX_BUFFERS];
	struct gk_plan_expect expect = {.target = c->setup.target,
	                                .inputs = data->inputs,
	                                .in_place = in_place,
	                                .input_count = data->input_count,
	                                .outputs = data->outputs,
	                                .output_count = data->output_count,
	                                .allow_fills = task->allow_fills,
	                                .allow = task->allow,
	                                .allow_count = task->allow_count,
	                                .max_bytes = MAX_CASE_BYTES};
	struct gk_plan_module *modules =
		gk_alloc_array(c->modules.count ? c->modules.count : 1, sizeof *modules);
	int done;

	for (size_t i = 0; i < data->input_count; i++)
		in_place[i] = gk_contract_in_place(task, data->inputs[i].name);
	for (size_t i = 0; i < c->modules.count; i++) {
		if (!c->modules.items[i].ir)
			continue;
		memcpy(modules[expect.module_count].hash, c->modules.items[i].hash, GK_HEX_SIZE);
		modules[expect.module_count++].ir = c->modules.items[i].ir;
	}
	expect.modules = modules;
	done = gk_plan_validate(plan, &expect, e);
	free(modules);
	return done;
}

static struct failing refused(struct gk_cascade *c, const struct gk_err *e)
{
	gk_buf_auto words = GK_BUF_INIT;

	gk_buf_add_text(&words, "what the entry does cannot be accepted as a launch plan: ");
	gk_describe_foreign(&words, e->text, MESSAGE_BYTES);
	return failing_of(c, GK_FAIL, "invalid_plan", &words);
}

static bool take_plan(struct gk_cascade *c, int take, size_t index, const struct gk_judge_data *data,
                      json_t *json)
{
	struct case_state *s = &c->cases[index];
	struct gk_doc doc = {.root = json, .name = (char *)(uintptr_t) "plan"};
	struct gk_node root = gk_node_root(&doc);
	gk_buf_auto words = GK_BUF_INIT;
	struct gk_err e = {0};

	s->plans[take] = gk_plan_from_node(&root, &e);
	if (!s->plans[take]) {
		s->call[take] = refused(c, &e);
		return false;
	}
	name_outputs(data, s->plans[take]);
	if (!gk_contract_holds(c->setup.task, data, s->plans[take], &words)) {
		s->call[take] = failing_of(c, GK_FAIL, "wrong_contract", &words);
		return false;
	}
	if (!modules_are_read(c, s->plans[take], &s->call[take]))
		return false;
	if (validate(c, data, s->plans[take], &e) < 0) {
		s->call[take] = refused(c, &e);
		return false;
	}
	return true;
}

/* The first thing claimed for a case counts. */
static const struct gk_claim *claim_of(const struct gk_capture_result *r, int64_t index)
{
	for (size_t i = 0; i < r->claim_count; i++)
		if (r->claims[i].case_index == index)
			return &r->claims[i];
	return NULL;
}

/* Sums and their kind have steps in plans: in a form that has none they are no reason to do without a plan. */
static bool is_assist(const char *op)
{
	for (int kind = 0; gk_assist_names[kind]; kind++)
		if (gk_assist_is_allowed((enum gk_assist)kind, &op, 1))
			return true;
	return false;
}

static bool is_listed(const struct gk_task *task, const char *op)
{
	size_t size = strlen(op);

	if (is_assist(op))
		return false;
	for (size_t i = 0; i < task->allow_count && size; i++) {
		const char *name = task->allow[i], *bare = strrchr(name, ':') ? strrchr(name, ':') + 1 : name;

		if (strncmp(bare, op, size) == 0 && (!bare[size] || bare[size] == '.'))
			return true;
	}
	return false;
}

static bool judge_claim(struct gk_cascade *c, int take, size_t index, const struct gk_judge_data *data,
                        const struct gk_claim *claim)
{
	c->cases[index].is_captured = true;
	if (claim->kind == GK_CLAIM_PLAN)
		return take_plan(c, take, index, data, claim->json);
	c->cases[index].is_allowed[take] = is_listed(c->setup.task, text_of(claim->json, "op"));
	c->cases[index].call[take] =
		claim->kind == GK_CLAIM_RAISED ? raised(c, claim->json) : cannot(c, claim->json);
	return false;
}

static bool import_failed(struct gk_cascade *c, int take, const struct gk_capture_result *r)
{
	const struct gk_claim *claim = claim_of(r, -1);

	if (!claim || claim->kind == GK_CLAIM_PLAN)
		return false;
	c->overall[take] = claim->kind == GK_CLAIM_RAISED ? raised(c, claim->json) : cannot(c, claim->json);
	return true;
}

static struct failing forged(struct gk_cascade *c, const struct gk_capture_result *r)
{
	gk_buf_auto words = GK_BUF_INIT;

	gk_buf_add_text(&words, "the candidate's process wrote into geak's channel: ");
	gk_describe_foreign(&words, r->malformed, 300);
	return failing_of(c, GK_FAIL, "forged_claims", &words);
}

bool judge_claims(struct gk_cascade *c, int take, const struct gk_judge_data *data,
                  const struct gk_capture_result *r)
{
	size_t plans = 0;
	bool right = true;

	if (r->malformed) {
		c->overall[take] = forged(c, r);
		return false;
	}
	if (import_failed(c, take, r))
		return false;
	for (size_t i = 0; i < r->module_count; i++)
		keep_module(c, &r->modules[i]);
	for (size_t i = 0; i < c->setup.case_count; i++) {
		const struct gk_claim *claim = claim_of(r, (int64_t)i);

		plans += claim && claim->kind == GK_CLAIM_PLAN;
		if (claim)
			right &= judge_claim(c, take, i, &data[i], claim);
	}
	if (right && (r->end != GK_CAPTURE_EXITED || !r->complete || plans < c->setup.case_count)) {
		c->overall[take] = ended_badly(c, r, plans);
		return false;
	}
	return right;
}

static void blank_args(json_t *launch)
{
	json_t *args = json_object_get(launch, "args"), *arg;
	size_t i;

	json_array_foreach(args, i, arg)
	{
		if (json_object_get(arg, "v"))
			json_object_set_new(arg, "v", json_integer(0));
		if (json_object_get(arg, "bits"))
			json_object_set_new(arg, "bits", json_string(""));
	}
}

/* What the plan does but for the values of its kernels' scalar arguments. */
static json_t *without_scalars(const struct gk_plan *plan)
{
	json_t *json = gk_plan_to_json(plan), *step, *variant;
	size_t i, j;

	json_object_del(json, "from");
	json_object_del(json, "case");
	json_array_foreach(json_object_get(json, "steps"), i, step)
	{
		blank_args(step);
		json_array_foreach(json_object_get(step, "variants"), j, variant) {
			blank_args(json_object_get(variant, "launch"));
		}
	}
	return json;
}

/*
 * Where scalars stand for data, Python may compute arguments from them (alpha * log2(e)): each take is
 * executed with the values it was captured with, so that such arguments are tested all the same.
 */
static bool differ_in_scalars_only(const struct gk_plan *a, const struct gk_plan *b)
{
	gk_json_auto *left = without_scalars(a);
	gk_json_auto *right = without_scalars(b);

	return json_equal(left, right) != 0;
}

bool judge_agreement(struct gk_cascade *c, const json_t *first_args, const json_t *second_args,
                     size_t case_index)
{
	struct case_state *s = &c->cases[case_index];
	struct gk_plan_scalar scalars[GK_TASK_MAX_PARAMS];
	size_t count = 0, i;
	json_t *arg;
	char why[256] = "";
	gk_buf_auto words = GK_BUF_INIT;

	json_array_foreach(first_args, i, arg)
	{
		json_t *value = json_object_get(arg, "value");

		if (i < c->setup.task->param_count && c->setup.task->params[i].data &&
		    json_is_number(value)) {
			scalars[count].a = json_number_value(value);
			scalars[count++].b =
				json_number_value(json_object_get(json_array_get(second_args, i), "value"));
		}
	}
	if (gk_plan_is_same(s->plans[0], s->plans[1], scalars, count, why, sizeof why) ||
	    (c->has_data && differ_in_scalars_only(s->plans[0], s->plans[1])))
		return true;
	gk_buf_add_text(&words, "two calls with equal shapes did not do the same: ");
	gk_describe_foreign(&words, why, sizeof why);
	gk_buf_add_text(&words, "; what is launched must depend on shapes, dtypes and flags only");
	s->call[0] = failing_of(c, GK_FAIL, "unstable_plan", &words);
	return false;
}
