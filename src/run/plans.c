#include "plans.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "judge/contract.h"
#include "judging.h"

#define MAX_MESSAGE 2000

struct capture {
	struct gk_loop *loop;
	struct gk_evaluator *evaluator;
	const struct gk_task *task;
	struct gk_plans *plans;
	const struct gk_case **cases;
	struct oracle_set **sets;
	size_t waiting; /* for the oracle */
	bool is_captured;
	struct gk_err err;
};

static bool is_picked(const struct gk_case *c, const char *pick)
{
	return pick ? strstr(c->id, pick) != NULL : c->exec && c->cpu;
}

static int pick_cases(struct capture *k, const char *pick, struct gk_err *e)
{
	const struct gk_task *task = k->task;

	k->cases = gk_alloc_array(task->case_count + 1, sizeof *k->cases);
	for (size_t i = 0; i < task->case_count; i++)
		if (is_picked(&task->cases[i], pick))
			k->cases[k->plans->case_count++] = &task->cases[i];
	for (size_t i = 0; !pick && !k->plans->case_count && i < task->case_count; i++)
		k->cases[k->plans->case_count++] = &task->cases[i];
	if (!k->plans->case_count)
		return gk_err_set(e, GK_ERR_INPUT, "task %s has no case with \"%.100s\" in its name",
		                  task->id, pick ? pick : "");
	k->plans->cases = gk_arena_array(&k->plans->arena, k->plans->case_count, sizeof *k->plans->cases);
	for (size_t i = 0; i < k->plans->case_count; i++)
		k->plans->cases[i] = (struct gk_plans_case){.id = k->cases[i]->id, .problem = ""};
	return 0;
}

/* ---- what the entry is called with ---- */

static void set_came(void *ctx, struct oracle_set *set)
{
	struct capture *k = ctx;

	k->waiting--;
	if (set->state == ORACLE_FAILED && k->err.kind == GK_ERR_NONE)
		k->err = set->err;
}

static bool is_waiting(const void *ctx)
{
	return ((const struct capture *)ctx)->waiting > 0;
}

/* Until *done, or without done until the oracle has answered. */
static int turn_until(struct capture *k, const bool *done, struct gk_err *e)
{
	if ((done ? gk_loop_until(k->loop, done, e) : gk_loop_while(k->loop, is_waiting, k, e)) < 0)
		return gk_err_context(e, "task %s", k->task->id);
	if (k->err.kind == GK_ERR_NONE)
		return 0;
	*e = k->err;
	return -1;
}

static int ask_oracle(struct capture *k, struct gk_err *e)
{
	const char *distribution = k->task->distribution_count ? k->task->distributions[0] : "normal";

	k->sets = gk_alloc_array(k->plans->case_count, sizeof *k->sets);
	for (size_t i = 0; i < k->plans->case_count; i++) {
		k->sets[i] = oracle_get(&k->evaluator->oracle, k->task, k->cases[i], 1, distribution, 0, NULL,
		                        "capture");
		if (k->sets[i]->state == ORACLE_READY)
			continue;
		k->waiting++;
		oracle_wait(k->sets[i], set_came, k);
	}
	return turn_until(k, NULL, e);
}

/* ---- what came of it ---- */

__attribute__((format(printf, 3, 4))) static void complain(struct capture *k, struct gk_plans_case *c,
                                                           const char *format, ...)
{
	gk_buf_auto text = GK_BUF_INIT;
	gk_buf_auto safe = GK_BUF_INIT;
	va_list arguments;

	va_start(arguments, format);
	gk_buf_vprintf(&text, format, arguments);
	va_end(arguments);
	gk_text_add_safe(&safe, gk_buf_text(&text), text.size, MAX_MESSAGE, false);
	c->problem = gk_arena_string(&k->plans->arena, gk_buf_text(&safe));
}

static void keep_modules(struct capture *k, const struct gk_capture_result *r)
{
	struct gk_plans *plans = k->plans;

	plans->modules = gk_arena_array(&plans->arena, r->module_count, sizeof *plans->modules);
	for (size_t i = 0; i < r->module_count; i++) {
		struct gk_plan_module *module = &plans->modules[plans->module_count];
		struct gk_err e = {0};

		snprintf(module->hash, sizeof module->hash, "%s", r->modules[i].hash);
		module->ir = gk_ir_read(module->hash, r->modules[i].text, r->modules[i].size, &e);
		plans->module_count += module->ir != NULL;
		for (size_t c = 0; !module->ir && c < plans->case_count; c++)
			complain(k, &plans->cases[c], "the kernel's Triton IR is not understood: %s", e.text);
	}
}

static int check_fit(struct capture *k, size_t index, struct gk_err *e)
{
	const struct gk_judge_data *data = &k->sets[index]->data;
	struct gk_plan *plan = k->plans->cases[index].plan;
	bool in_place[GK_PLAN_MAX_BUFFERS];
	struct gk_plan_expect expect = {.target = k->evaluator->target,
	                                .inputs = data->inputs,
	                                .in_place = in_place,
	                                .input_count = data->input_count,
	                                .outputs = data->outputs,
	                                .output_count = data->output_count,
	                                .allow_fills = k->task->allow_fills,
	                                .allow = k->task->allow,
	                                .allow_count = k->task->allow_count,
	                                .modules = k->plans->modules,
	                                .module_count = k->plans->module_count};

	for (size_t i = 0; i < data->input_count; i++)
		in_place[i] = gk_contract_in_place(k->task, data->inputs[i].name);
	/* The entry returns values without names; the task's stand for them. */
	for (size_t i = 0; i < plan->output_count && i < data->output_count; i++)
		plan->outputs[i].name = gk_arena_string(&plan->arena, data->outputs[i].name);
	return gk_plan_validate(plan, &expect, e);
}

static void take_plan(struct capture *k, size_t index, json_t *json)
{
	struct gk_plans_case *c = &k->plans->cases[index];
	struct gk_doc doc = {.root = json, .name = (char *)(uintptr_t) "plan"};
	struct gk_node root = gk_node_root(&doc);
	struct gk_err e = {0};

	c->plan = gk_plan_from_node(&root, &e);
	if ((!c->plan || check_fit(k, index, &e)) && !*c->problem)
		complain(k, c, "%s", e.text);
}

static const char *field(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static void take_claim(struct capture *k, const struct gk_claim *claim)
{
	for (size_t i = 0; i < k->plans->case_count; i++) {
		struct gk_plans_case *c = &k->plans->cases[i];

		if ((claim->case_index >= 0 && (size_t)claim->case_index != i) || c->plan || *c->problem)
			continue;
		c->line = (int)json_integer_value(json_object_get(claim->json, "line"));
		if (claim->kind == GK_CLAIM_PLAN)
			take_plan(k, i, claim->json);
		else if (claim->kind == GK_CLAIM_RAISED)
			complain(k, c, "raised %s: %s", field(claim->json, "type"),
			         field(claim->json, "message"));
		else
			complain(k, c, "%s: %s", field(claim->json, "kind"), field(claim->json, "message"));
	}
}

static const char *end_words(enum gk_capture_end end)
{
	static const char *const words[] = {
		[GK_CAPTURE_EXITED] = "its process ended before it was through",
		[GK_CAPTURE_SIGNALED] = "its process was ended by a signal",
		[GK_CAPTURE_TIMED_OUT] = "it took too long and was stopped",
		[GK_CAPTURE_FLOODED] = "it wrote too much and was stopped",
		[GK_CAPTURE_KILLED_ZYGOTE] = "it ended the process that had started it",
	};

	return words[end];
}

static void captured(void *ctx, const struct gk_capture_result *r)
{
	struct capture *k = ctx;
	gk_buf_auto output = GK_BUF_INIT;

	k->is_captured = true;
	if (r->err) {
		k->err = *r->err;
		return;
	}
	keep_modules(k, r);
	for (size_t i = 0; !r->malformed && i < r->claim_count; i++)
		take_claim(k, &r->claims[i]);
	for (size_t i = 0; i < k->plans->case_count; i++)
		if (!k->plans->cases[i].plan && !*k->plans->cases[i].problem)
			complain(k, &k->plans->cases[i], "%s",
			         r->malformed ? r->malformed : end_words(r->end));
	gk_text_add_safe(&output, r->output, r->output_size, 1 << 16, true);
	k->plans->output = gk_arena_string(&k->plans->arena, gk_buf_text(&output));
}

static int capture(struct capture *k, const char *source, size_t size, struct gk_err *e)
{
	json_t *entry = judging_entry(k->task), *cases = json_array(), *allow = judging_allow(k->task);
	struct gk_capture_request request = {.entry = entry,
	                                     .cases = cases,
	                                     .allow = allow,
	                                     .target = k->evaluator->target,
	                                     .source = source,
	                                     .size = size};
	uint64_t salt;
	char text[24];

	gk_random_bytes(&salt, sizeof salt);
	snprintf(text, sizeof text, "%016llx", (unsigned long long)salt);
	request.salt = text;
	for (size_t i = 0; i < k->plans->case_count; i++)
		json_array_append_new(cases, judging_case(k->task, k->cases[i], k->sets[i]->args));
	gk_runner_capture(k->evaluator->runner, &request, captured, k);
	json_decref(entry);
	json_decref(cases);
	json_decref(allow);
	return turn_until(k, &k->is_captured, e);
}

int gk_plans_capture(struct gk_loop *loop, struct gk_evaluator *evaluator, const struct gk_task *task,
                     const char *pick, const char *source, size_t size, struct gk_plans *plans,
                     struct gk_err *e)
{
	struct capture k = {.loop = loop, .evaluator = evaluator, .task = task, .plans = plans};
	int result = pick_cases(&k, pick, e);

	if (!result)
		result = ask_oracle(&k, e);
	if (!result)
		result = capture(&k, source, size, e);
	for (size_t i = 0; k.sets && i < plans->case_count; i++) {
		oracle_forget(k.sets[i], &k);
		oracle_put(k.sets[i]);
	}
	free(k.sets);
	free(k.cases);
	return result;
}

void gk_plans_release(struct gk_plans *plans)
{
	for (size_t i = 0; i < plans->case_count && plans->cases; i++)
		gk_plan_free(plans->cases[i].plan);
	for (size_t i = 0; i < plans->module_count; i++)
		gk_ir_free((struct gk_ir *)(uintptr_t)plans->modules[i].ir);
	gk_arena_release(&plans->arena);
}
