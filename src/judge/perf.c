/*
 * Timing: each case of perf against the reference, once everything was right.
 * What the launcher tells becomes figures in measure.c; here it is decided what
 * that means for the candidate. What is wrong on the reference's side, or for
 * reasons of ours, leaves the speed unmeasured; it is never the candidate's fault.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "state.h"

#define TIMED_ROUND 0 /* whose inputs are used: the round that the plans of take 0 belong to */

bool perf_is_wanted(const struct gk_cascade *c)
{
	bool any = false;

	for (size_t i = 0; i < c->setup.case_count; i++)
		any |= c->setup.cases[i]->perf;
	return any && c->setup.measure && c->setup.on_gpu;
}

/* ---- made ---- */

/* Every configuration that is left in the plan may be chosen: it was lowered, and what it computes is verified. */
static json_t *all_variants(const struct gk_plan *plan)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < plan->step_count; i++) {
		json_t *indexes;

		if (plan->steps[i].op != GK_STEP_CHOOSE)
			continue;
		indexes = json_array();
		for (uint32_t v = 0; v < plan->steps[i].variant_count; v++)
			json_array_append_new(indexes, json_integer((json_int_t)v));
		json_array_append_new(all, indexes);
	}
	return all;
}

static void side_init(struct gk_judge_side *side, const struct gk_cascade *c, size_t case_index)
{
	const struct gk_plan *plan = c->cases[case_index].plans[0];
	struct used used = {.count = 0};

	side->plan = plan;
	side->json = trial_plan(plan, -1, &used);
	side->variants = all_variants(plan);
	side->objects = trial_objects(c, plan, &used, &side->object_count);
	side->input_count = trial_inputs(plan, &c->cases[case_index], side->input_buffers, side->input_tensors);
	for (uint32_t i = 0; i < plan->output_count; i++)
		side->output_bytes[side->output_count++] = gk_plan_view_bytes(&plan->outputs[i].view);
}

static void side_release(struct gk_judge_side *side)
{
	json_decref(side->json);
	json_decref(side->variants);
	free(side->objects);
}

static uint64_t seed_of(const struct gk_cascade *c, const char *purpose, size_t case_index)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(&text, "%s/%s/%s/%s", purpose, c->setup.task->id, c->setup.cases[case_index]->id,
	              c->setup.candidate);
	return gk_hmac_seed(c->setup.secret, gk_buf_text(&text)) >> 1;
}

/* The reference against b, whatever purpose that serves. */
static struct timing *add_timing(struct gk_cascade *c, const struct gk_cascade *b, size_t case_index,
                                 const char *purpose)
{
	struct timing *t = gk_alloc(sizeof *t);

	t->x.number = c->timings.count;
	t->x.case_index = case_index;
	t->x.seed = seed_of(c, purpose, case_index);
	t->x.a_is_known = c->reference != c;
	side_init(&t->x.a, c->reference, case_index);
	side_init(&t->x.b, b, case_index);
	gk_vec_push(&c->timings, t);
	return t;
}

void perf_free(struct timing *t)
{
	side_release(&t->x.a);
	side_release(&t->x.b);
	json_decref(t->failing.detail);
	json_decref(t->timed);
	if (t->measure.detail)
		gk_measure_release(&t->measure);
	free(t);
}

bool perf_next(struct gk_cascade *c, struct gk_judge_action *action)
{
	if (!c->reference_issued) {
		c->reference_issued = true;
		action->kind = GK_JUDGE_REFERENCE;
		return true;
	}
	if (c->next_timing == c->timings.count)
		return false;
	action->kind = GK_JUDGE_TIME;
	action->timing = &c->timings.items[c->next_timing++]->x;
	return true;
}

/* ---- the reference ---- */

/* The reference against itself, or NULL when that could not be measured. */
static const struct timing *alone_of(const struct gk_cascade *reference, size_t case_index)
{
	const struct timing *t = reference->cases[case_index].timing;

	return t && !t->failing.kind ? t : NULL;
}

void gk_cascade_reference(struct gk_cascade *c, const struct gk_cascade *reference, const char *why)
{
	if (c->phase != PHASE_PERF || c->timings.count > 0 || c->not_timed)
		return;
	c->reference = reference;
	for (size_t i = 0; reference && i < c->setup.case_count; i++)
		if (c->setup.cases[i]->perf && (reference == c || alone_of(reference, i)))
			add_timing(c, c, i, "time");
	if (c->timings.count > 0)
		return;
	c->not_timed = gk_arena_string(&c->arena, why ? why : "what it is measured against could not be timed itself");
	cascade_finish(c);
}

/* ---- judged ---- */

static void fail(struct gk_cascade *c, struct timing *t, enum gk_outcome outcome, const char *kind,
                 const struct gk_buf *words)
{
	t->failing = failing_of(c, outcome, gk_arena_string(&c->arena, kind), words);
}

static void judge_death(struct gk_cascade *c, struct timing *t, const struct gk_time_result *r)
{
	gk_buf_auto words = GK_BUF_INIT;

	if (r->timed_out) {
		gk_buf_add_text(&words, "the timed calls did not come to an end in time and were stopped");
	} else {
		gk_buf_add_text(&words, "the process that times the kernels died under them, twice: ");
		gk_describe_foreign(&words, r->death, 200);
	}
	fail(c, t, GK_FAIL, r->timed_out ? "hang" : "crash", &words);
}

static bool is_wrong(const struct gk_outputs *outputs)
{
	return outputs && outputs->wrong < outputs->count;
}

static void judge_values(struct gk_cascade *c, struct timing *t, const struct gk_judge_data *data,
                         const struct gk_outputs *outputs, bool is_candidate)
{
	gk_buf_auto words = GK_BUF_INIT;

	gk_buf_add_text(&words, is_candidate ? "in a timed call: " : "in a timed call of what it is measured against: ");
	trial_describe_difference(c, t->x.case_index, TIMED_ROUND, data, outputs, &words);
	fail(c, t, is_candidate ? GK_FAIL : GK_INFRA, is_candidate ? "wrong_values" : "task", &words);
	t->failing.detail = trial_difference(data, outputs);
}

static bool has_atomics(const struct gk_cascade *c, const struct gk_plan *plan)
{
	for (uint32_t i = 0; i < plan->kernel_count; i++) {
		const struct lowering *l = lowering_of(c, &plan->kernels[i]);
		const uint32_t *uses = l && l->x.ir ? l->x.ir->code_uses : NULL;

		if (uses && (uses[GK_IR_TT_ATOMIC_RMW] || uses[GK_IR_TT_ATOMIC_CAS] || uses[GK_IR_TT_ATOMIC_STORE] ||
		             uses[GK_IR_TT_DESC_REDUCE]))
			return true;
	}
	return false;
}

static int measure(struct gk_cascade *c, struct timing *t, const struct timing *alone, struct gk_err *e)
{
	struct gk_measure_setup setup = {
		.timed = t->timed,
		.alone = alone ? alone->timed : NULL,
		.task = c->setup.task,
		.a = {.plan = t->x.a.plan, .has_atomics = has_atomics(c->reference, t->x.a.plan)},
		.b = {.plan = t->x.b.plan, .has_atomics = has_atomics(c, t->x.b.plan)},
		.seed = seed_of(c, "bootstrap", t->x.case_index)};

	return gk_measure_case(&setup, &t->measure, e);
}

/*
 * Before anybody is accused of having disturbed the GPU the reference is
 * measured alone once more: short calls are up to a tenth faster in one
 * process's or buffer's place than in the next.
 */
static void look_again(struct gk_cascade *c, struct timing *t)
{
	add_timing(c, c->reference, t->x.case_index, "alone")->doubted = t;
}

static int settle_doubt(struct gk_cascade *c, struct timing *again, struct gk_err *e)
{
	struct timing *t = again->doubted;

	if (again->timed && measure(c, again, again, e) < 0)
		return -1;
	if (again->timed && again->measure.outcome == GK_PASS) {
		gk_measure_release(&t->measure);
		if (measure(c, t, again, e) < 0)
			return -1;
		json_object_set_new(t->measure.detail, "alone_again_ms", json_real(again->measure.a_ms));
	}
	if (t->measure.outcome != GK_PASS)
		fail(c, t, t->measure.outcome, t->measure.kind, &t->measure.message);
	if (!t->failing.detail)
		t->failing.detail = json_incref(t->measure.detail);
	return 0;
}

static int judge_timed(struct gk_cascade *c, struct timing *t, const struct gk_judge_data *data,
                       const struct gk_outputs *a, const struct gk_outputs *b, struct gk_err *e)
{
	const struct gk_measure *m = &t->measure;
	bool is_sabotage, is_clock;

	if (measure(c, t, c->reference == c ? t : alone_of(c->reference, t->x.case_index), e) < 0)
		return -1;
	is_sabotage = strcmp(m->kind, "sabotage") == 0;
	is_clock = is_sabotage || strcmp(m->kind, "clock_mismatch") == 0;
	if (is_sabotage && !is_wrong(b)) {
		look_again(c, t);
		return 0;
	}
	if ((m->outcome == GK_PASS || is_clock) && is_wrong(b))
		judge_values(c, t, data, b, true);
	else if (m->outcome == GK_PASS && is_wrong(a))
		judge_values(c, t, data, a, false);
	else if (m->outcome != GK_PASS)
		fail(c, t, m->outcome, m->kind, &m->message);
	if (!t->failing.detail)
		t->failing.detail = json_incref(m->detail);
	return 0;
}

static bool all_told(const struct gk_cascade *c)
{
	for (size_t i = 0; i < c->timings.count; i++)
		if (!c->timings.items[i]->is_told)
			return false;
	return true;
}

void gk_cascade_timed(struct gk_cascade *c, size_t number, const struct gk_judge_data *data,
                      const struct gk_time_result *result, const struct gk_outputs *a, const struct gk_outputs *b,
                      double ms)
{
	struct timing *t = number < c->timings.count ? c->timings.items[number] : NULL;
	struct gk_err e = {0};

	if (c->phase != PHASE_PERF || !t || t->is_told)
		return;
	t->is_told = true;
	if (ms > c->stages_ms[GK_STAGE_PERF])
		c->stages_ms[GK_STAGE_PERF] = ms;
	t->timed = result->timed ? json_incref(result->timed) : NULL;
	if (!t->timed && !t->doubted) {
		judge_death(c, t, result);
	} else if ((t->doubted ? settle_doubt(c, t, &e) : judge_timed(c, t, data, a, b, &e)) < 0) {
		gk_cascade_failed(c, &e);
		return;
	}
	if (!t->doubted)
		c->cases[t->x.case_index].timing = t;
	if (all_told(c))
		cascade_finish(c);
}

/* One case that could not be measured beside this candidate leaves all unmeasured: a mean over the others flatters. */
void perf_speedup(const struct gk_cascade *c, struct gk_speedup *speedup)
{
	struct gk_measure *measures = gk_alloc_array(c->timings.count ? c->timings.count : 1, sizeof *measures);
	size_t count = 0;
	bool all = true;

	for (size_t i = 0; i < c->timings.count; i++) {
		const struct timing *t = c->timings.items[i];

		if (t->doubted)
			continue;
		measures[count++] = t->measure;
		all &= !t->failing.kind && t->measure.is_measured;
	}
	if (all && count)
		gk_measure_combine(measures, count, speedup);
	free(measures);
}
