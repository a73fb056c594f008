/* One execution: made from a plan, judged by what the launcher says and by its outputs. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "contract.h"
#include "state.h"

enum { REPEAT_ROUND = 2000 }; /* no round has this number: poison and order of programs are others */

/* ---- made ---- */

/* steps of the JSON plan with each choice replaced by one of its variants. */
static json_t *chosen_steps(const json_t *steps, int variant)
{
	json_t *out = json_array(), *step, *pre;
	size_t i, j;

	json_array_foreach(steps, i, step)
	{
		json_t *variants = json_object_get(step, "variants"), *chosen;
		size_t count = json_array_size(variants);

		if (!variants) {
			json_array_append(out, step);
			continue;
		}
		chosen = json_array_get(variants, (size_t)variant < count ? (size_t)variant : count - 1);
		json_array_foreach(json_object_get(chosen, "pre"), j, pre)
		{
			json_array_append(out, pre);
		}
		json_array_append(out, json_object_get(chosen, "launch"));
	}
	return out;
}

static uint32_t number_of(struct used *used, uint32_t kernel)
{
	uint32_t i = 0;

	while (i < used->count && used->kernels[i] != kernel)
		i++;
	if (i == used->count)
		used->kernels[used->count++] = kernel;
	return i;
}

static void renumber(json_t *steps, struct used *used)
{
	json_t *step, *kernel, *variant;
	size_t i, j;

	json_array_foreach(steps, i, step)
	{
		kernel = json_object_get(step, "kernel");
		if (kernel)
			json_object_set_new(step, "kernel", json_integer(number_of(used, (uint32_t)json_integer_value(kernel))));
		json_array_foreach(json_object_get(step, "variants"), j, variant)
		{
			json_t *launch = json_object_get(variant, "launch");

			kernel = json_object_get(launch, "kernel");
			json_object_set_new(launch, "kernel",
			                    json_integer(number_of(used, (uint32_t)json_integer_value(kernel))));
		}
	}
}

json_t *trial_plan(const struct gk_plan *plan, int variant, struct used *used)
{
	json_t *json = gk_plan_to_json(plan), *all = json_object_get(json, "kernels"), *kernels = json_array();

	if (variant >= 0)
		json_object_set_new(json, "steps", chosen_steps(json_object_get(json, "steps"), variant));
	renumber(json_object_get(json, "prologue"), used);
	renumber(json_object_get(json, "steps"), used);
	for (uint32_t i = 0; i < used->count; i++)
		json_array_append(kernels, json_array_get(all, used->kernels[i]));
	json_object_set_new(json, "kernels", kernels);
	return json;
}

static void add_modules(struct gk_cascade *c, const struct gk_plan *plan, const struct used *used,
                        struct gk_judge_execution *x)
{
	x->modules = gk_alloc_array(used->count ? used->count : 1, sizeof *x->modules);
	for (size_t m = 0; !c->setup.on_gpu && m < c->modules.count; m++) { /* a GPU takes objects */
		for (uint32_t k = 0; k < used->count; k++) {
			const struct module *module = &c->modules.items[m];

			if (strcmp(plan->kernels[used->kernels[k]].ttir, module->hash) != 0)
				continue;
			x->modules[x->module_count++] =
				(struct gk_execute_module){module->hash, module->text, module->size};
			break; /* one kernel of the plan is enough, others may share it */
		}
	}
}

struct gk_execute_object *trial_objects(const struct gk_cascade *c, const struct gk_plan *plan, const struct used *used,
                                        size_t *count)
{
	struct gk_execute_object *objects = gk_alloc_array(used->count ? used->count : 1, sizeof *objects);

	*count = 0;
	for (uint32_t k = 0; c->setup.on_gpu && k < used->count; k++) {
		const struct lowering *l = lowering_of(c, &plan->kernels[used->kernels[k]]);

		if (l && l->has_object)
			objects[(*count)++] = (struct gk_execute_object){k, &l->object, l->code, l->size};
	}
	return objects;
}

size_t trial_inputs(const struct gk_plan *plan, const struct case_state *s, int *buffers, size_t *tensors)
{
	size_t count = 0;

	for (uint32_t b = 0; b < plan->buffer_count; b++) {
		if (!plan->buffers[b].input)
			continue;
		for (size_t i = 0; i < s->tensor_count; i++) {
			if (strcmp(s->tensor_names[i], plan->buffers[b].input) != 0)
				continue;
			buffers[count] = (int)b;
			tensors[count++] = i;
			break;
		}
	}
	return count;
}

static uint64_t launch_seed(const struct gk_judge_setup *s, size_t case_index, int round, int variant)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(&text, "launch/%s/%s/%s/%d/%d", s->task->id, s->cases[case_index]->id, s->candidate,
	              round, variant);
	return gk_hmac_seed(s->secret, gk_buf_text(&text)) >> 1;
}

struct trial *trial_new(struct gk_cascade *c, size_t case_index, int round, int variant)
{
	struct trial *t = gk_alloc(sizeof *t);
	struct gk_judge_execution *x = &t->x;
	struct used used = {.count = 0};
	const struct gk_plan *plan;

	x->case_index = case_index;
	x->round = round;
	x->variant = variant;
	x->take = c->has_data ? round % 2 : 0;
	x->is_paired = case_index == c->repeated && round == 0 && variant == 0;
	x->seed = launch_seed(&c->setup, case_index, round, variant);
	plan = c->cases[case_index].plans[x->take];
	x->plan = trial_plan(plan, variant, &used);
	add_modules(c, plan, &used, x);
	x->objects = trial_objects(c, plan, &used, &x->object_count);
	x->input_count = trial_inputs(plan, &c->cases[case_index], x->input_buffers, x->input_tensors);
	for (uint32_t i = 0; i < plan->output_count; i++)
		x->output_bytes[x->output_count++] = gk_plan_view_bytes(&plan->outputs[i].view);
	return t;
}

struct trial *trial_repeat(struct gk_cascade *c, size_t case_index)
{
	struct trial *t = trial_new(c, case_index, 0, 0);

	t->is_repeat = true;
	t->x.seed = launch_seed(&c->setup, case_index, REPEAT_ROUND, 0);
	return t;
}

void trial_free(struct trial *t)
{
	json_decref(t->x.plan);
	json_decref(t->failing.detail);
	free(t->x.modules);
	free(t->x.objects);
	free(t);
}

/* ---- judged ---- */

static void add_variant(struct gk_buf *words, const struct gk_plan *plan, int variant)
{
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct gk_plan_step *step = &plan->steps[i];
		gk_free_auto char *config = NULL;

		if (step->op != GK_STEP_CHOOSE)
			continue;
		config = gk_json_text(
			step->variants[(uint32_t)variant < step->variant_count ? (uint32_t)variant
		                                                               : step->variant_count - 1]
				.config);
		gk_buf_add_text(words, "with the autotune configuration ");
		gk_describe_foreign(words, config, 300);
		gk_buf_add_text(words, ": ");
		return;
	}
}

static void fail(struct gk_cascade *c, struct trial *t, enum gk_outcome outcome, const char *kind,
                 const struct gk_buf *words)
{
	gk_buf_auto all = GK_BUF_INIT;

	add_variant(&all, c->cases[t->x.case_index].plans[t->x.take], t->x.variant);
	gk_buf_add(&all, gk_buf_text(words), words->size);
	t->failing = failing_of(c, outcome, gk_arena_string(&c->arena, kind), &all);
}

static void judge_death(struct gk_cascade *c, struct trial *t, const struct gk_execute_result *r)
{
	gk_buf_auto words = GK_BUF_INIT;

	if (r->timed_out) {
		gk_buf_add_text(&words, "the kernels did not come to an end in time and were stopped");
		fail(c, t, GK_FAIL, "hang", &words);
		return;
	}
	gk_buf_add_text(&words, "the process that executes the kernels died under them, twice: ");
	gk_describe_foreign(&words, r->death, 200);
	fail(c, t, GK_FAIL, "crash", &words);
}

static void judge_finding(struct gk_cascade *c, struct trial *t, const json_t *finding)
{
	gk_buf_auto words = GK_BUF_INIT;
	const char *kind = json_string_value(json_object_get(finding, "kind"));
	bool ours = kind && (strcmp(kind, "unsupported") == 0 || strcmp(kind, "memory") == 0);

	gk_describe_finding(&words, finding, &c->source);
	if (kind && strcmp(kind, "budget") == 0)
		gk_buf_add_text(&words, "; a loop that does not end, or far more work than the case needs");
	fail(c, t, ours ? GK_UNDECIDED : GK_FAIL, ours ? "not_simulated" : kind ? kind : "crash", &words);
	t->failing.detail = json_pack("{s:O}", "finding", finding);
}

static bool inputs_are_unchanged(struct gk_cascade *c, struct trial *t, const json_t *executed)
{
	const struct gk_plan *plan = c->cases[t->x.case_index].plans[t->x.take];
	gk_buf_auto words = GK_BUF_INIT;
	json_t *changed = json_object_get(executed, "changed"), *item;
	size_t i;

	json_array_foreach(changed, i, item)
	{
		json_int_t buffer = json_integer_value(item);
		const char *name =
			buffer >= 0 && buffer < plan->buffer_count ? plan->buffers[buffer].input : NULL;

		if (!name || gk_contract_in_place(c->setup.task, name))
			continue;
		gk_buf_printf(&words, "the input %s was written to; inputs must be left as they are", name);
		fail(c, t, GK_FAIL, "input_changed", &words);
		return false;
	}
	return true;
}

static bool outputs_are_written(struct gk_cascade *c, struct trial *t, const struct gk_judge_data *data,
                                const json_t *executed)
{
	json_t *outputs = json_object_get(executed, "outputs");
	gk_buf_auto words = GK_BUF_INIT;

	for (size_t i = 0; i < data->output_count; i++) {
		json_t *output = json_array_get(outputs, i);
		int64_t poisoned = json_integer_value(json_object_get(output, "poisoned"));

		if (poisoned == 0)
			continue;
		gk_describe_poison(&words, &data->outputs[i], poisoned,
		                   json_integer_value(json_object_get(output, "first")));
		fail(c, t, GK_FAIL, "poison", &words);
		return false;
	}
	return true;
}

/* Ordinary rounds come first, and the first that fails is told. */
static void add_specials(struct gk_buf *words, unsigned specials)
{
	const char *join = " with ";

	for (int i = 0; i < GK_SPECIAL_COUNT; i++) {
		if (!(specials & 1u << i))
			continue;
		gk_buf_printf(words, "%s%s", join, gk_special_names[i]);
		join = ", ";
	}
	if (specials)
		gk_buf_add_text(words, " at a few places; without these the same case is right");
}

void trial_describe_difference(struct gk_cascade *c, size_t case_index, int round, const struct gk_judge_data *data,
                               const struct gk_outputs *outputs, struct gk_buf *words)
{
	gk_describe_difference(words, &data->outputs[outputs->wrong], &outputs->difference,
	                       &outputs->comparisons[outputs->wrong].tolerance);
	gk_buf_printf(words, "; inputs: %s values", gk_judge_distribution(&c->setup, case_index, round));
	add_specials(words, gk_judge_specials(&c->setup, case_index, round));
}

json_t *trial_difference(const struct gk_judge_data *data, const struct gk_outputs *outputs)
{
	const struct gk_tensor *output = &data->outputs[outputs->wrong];
	json_t *detail = gk_difference_json(&outputs->difference, output->rank);

	json_object_set_new(detail, "output", json_string(output->name));
	return detail;
}

static bool values_are_right(struct gk_cascade *c, struct trial *t, const struct gk_judge_data *data,
                             const struct gk_outputs *outputs)
{
	gk_buf_auto words = GK_BUF_INIT;

	if (outputs->wrong == outputs->count)
		return true;
	trial_describe_difference(c, t->x.case_index, t->x.round, data, outputs, &words);
	fail(c, t, GK_FAIL, "wrong_values", &words);
	t->failing.detail = trial_difference(data, outputs);
	return false;
}

static void add_counts(struct gk_cascade *c, struct trial *t, const json_t *executed)
{
	json_t *counts = json_object_get(executed, "counts");
	const char *printed = json_string_value(json_array_get(json_object_get(executed, "notes"), 0));

	c->atomics += (uint64_t)json_integer_value(json_object_get(counts, "atomics"));
	t->printed = gk_arena_string(&c->arena, printed);
	if (t->is_repeat || t->x.round == GK_JUDGE_SPECIAL_ROUND) /* the figures of a task stay comparable */
		return;
	c->bytes_read += (uint64_t)json_integer_value(json_object_get(counts, "bytes_read"));
	c->bytes_written += (uint64_t)json_integer_value(json_object_get(counts, "bytes_written"));
	c->operations += (uint64_t)json_integer_value(json_object_get(counts, "operations"));
	c->launches += (uint64_t)json_integer_value(json_object_get(counts, "launches"));
}

void trial_judge(struct gk_cascade *c, struct trial *t, const struct gk_judge_data *data,
                 const struct gk_execute_result *r, const struct gk_outputs *outputs)
{
	const json_t *finding;

	if (r->died || !r->executed) {
		judge_death(c, t, r);
		return;
	}
	add_counts(c, t, r->executed);
	if (outputs)
		gk_ulps_add(&c->cases[t->x.case_index].ulps, &outputs->ulps);
	finding = json_object_get(r->executed, "finding");
	if (json_is_object(finding)) {
		judge_finding(c, t, finding);
		return;
	}
	if (!inputs_are_unchanged(c, t, r->executed) || !outputs_are_written(c, t, data, r->executed))
		return;
	t->is_right = values_are_right(c, t, data, outputs);
	again_judge(c, t, data, outputs);
}
