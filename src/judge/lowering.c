/*
 * Kernels on their way to code objects: which are asked for, what is said when
 * there is none, and what that means for plans. A configuration of an
 * autotuned kernel that does not compile or fit is left out, as Triton's
 * autotuner does; a kernel without an object fails its cases.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "fact/target.h"
#include "state.h"

enum { DEATH_BYTES = 600, LOG_BYTES = 4000, LISTED_KERNELS = 32 };

/* ---- asked for ---- */

struct lowering *lowering_of(const struct gk_cascade *c, const struct gk_plan_kernel *kernel)
{
	for (size_t i = 0; i < c->lowerings.count; i++) {
		struct lowering *l = c->lowerings.items[i];

		if (strcmp(l->x.ttir, kernel->ttir) == 0 && json_equal(l->x.options, kernel->options))
			return l;
	}
	return NULL;
}

static const struct gk_ir *ir_of(const struct gk_cascade *c, const char *ttir)
{
	for (size_t i = 0; i < c->modules.count; i++)
		if (strcmp(c->modules.items[i].hash, ttir) == 0)
			return c->modules.items[i].ir;
	return NULL;
}

static void ask(struct gk_cascade *c, const struct gk_plan_kernel *kernel)
{
	struct lowering *l = lowering_of(c, kernel);

	if (l)
		return;
	l = gk_alloc(sizeof *l);
	l->x.number = c->lowerings.count;
	l->x.ttir = kernel->ttir;
	l->x.ir = ir_of(c, kernel->ttir);
	l->x.options = kernel->options;
	l->name = kernel->name;
	gk_vec_push(&c->lowerings, l);
}

static bool all_have_failed(const struct gk_cascade *c, const struct gk_plan *plan, const struct gk_plan_step *step,
                            uint32_t count)
{
	for (uint32_t v = 0; v < count; v++) {
		const struct lowering *l = lowering_of(c, &plan->kernels[step->variants[v].launch.kernel]);

		if (!l || !l->is_told || !l->failing.kind)
			return false;
	}
	return true;
}

/*
 * Of a case that is timed, and of the first, a GPU takes as many configurations as it chooses among. Elsewhere the
 * first few are executed, and more are of use only where none of them can be launched.
 */
static uint32_t wanted_variants(const struct gk_cascade *c, size_t case_index, const struct gk_plan *plan,
                                const struct gk_plan_step *step)
{
	bool is_tuned = c->setup.on_gpu && (case_index == 0 || c->setup.cases[case_index]->perf);
	uint32_t few = step->variant_count < GK_JUDGE_MAX_VARIANTS ? step->variant_count : GK_JUDGE_MAX_VARIANTS;
	uint32_t all = step->variant_count < GK_JUDGE_GPU_VARIANTS ? step->variant_count : GK_JUDGE_GPU_VARIANTS;

	return is_tuned || (c->setup.on_gpu && all_have_failed(c, plan, step, few)) ? all : few;
}

static void ask_for_steps(struct gk_cascade *c, size_t case_index, const struct gk_plan *plan,
                          const struct gk_plan_step *steps, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (steps[i].op == GK_STEP_LAUNCH)
			ask(c, &plan->kernels[steps[i].launch.kernel]);
		if (steps[i].op == GK_STEP_CHOOSE)
			for (uint32_t v = 0, n = wanted_variants(c, case_index, plan, &steps[i]); v < n; v++)
				ask(c, &plan->kernels[steps[i].variants[v].launch.kernel]);
	}
}

void lowering_ask(struct gk_cascade *c, int take)
{
	for (size_t i = 0; i < c->setup.case_count; i++) {
		const struct gk_plan *plan = c->cases[i].plans[take];

		ask_for_steps(c, i, plan, plan->prologue, plan->prologue_count);
		ask_for_steps(c, i, plan, plan->steps, plan->step_count);
	}
}

void lowering_free(struct lowering *l)
{
	json_decref(l->failing.detail);
	free(l->code);
	free(l);
}

/* ---- what came of it ---- */

/* "/geak/candidate.py":12:4, as MLIR writes where it was; 0 when it does not. */
static int64_t candidate_line(const char *text)
{
	static const char name[] = "candidate.py";
	const char *at = strstr(text, name);
	int64_t line = 0;

	if (!at)
		return 0;
	at += strlen(name);
	at += *at == '"';
	if (*at != ':')
		return 0;
	for (at++; *at >= '0' && *at <= '9' && line < 1000000; at++)
		line = line * 10 + (*at - '0');
	return line;
}

static struct failing does_not_compile(struct gk_cascade *c, const struct lowering *l,
                                       const struct gk_lower_result *r)
{
	gk_buf_auto words = GK_BUF_INIT;
	gk_buf_auto line = GK_BUF_INIT;
	gk_buf_auto log = GK_BUF_INIT;
	struct failing failing;

	gk_buf_add_text(&words, "kernel ");
	gk_describe_foreign(&words, l->name, 100);
	gk_buf_printf(&words, " does not compile for %s: ", c->setup.target);
	if (r->death) {
		gk_buf_add_text(&words, r->timed_out ? "the compiler did not come to an end, twice: "
		                                     : "the compiler crashed on it, twice: ");
		gk_describe_foreign(&words, r->death, DEATH_BYTES);
	} else {
		gk_describe_log(&line, r->rejected);
		gk_buf_add(&words, line.bytes, line.size - gk_text_ends(gk_buf_text(&line), "."));
		gk_describe_line(&words, &c->source, candidate_line(gk_buf_text(&line)));
	}
	failing = failing_of(c, GK_FAIL, "does_not_compile", &words);
	if (r->rejected) {
		gk_text_add_safe(&log, r->rejected, strlen(r->rejected), LOG_BYTES, true);
		failing.detail = json_pack("{s:s}", "log", gk_buf_text(&log));
	}
	return failing;
}

/* False when a launch of it would be refused. */
static bool fits(struct gk_cascade *c, struct lowering *l)
{
	const struct gk_target *target = gk_target_of(l->object.target);
	gk_buf_auto words = GK_BUF_INIT;
	char why[256];

	if (!target || gk_object_fits(target, &l->object, why, sizeof why))
		return true;
	gk_buf_add_text(&words, "kernel ");
	gk_describe_foreign(&words, l->name, 100);
	gk_buf_printf(&words, " %s", why);
	l->failing = failing_of(c, GK_FAIL, "out_of_resources", &words);
	return false;
}

static void take_result(struct gk_cascade *c, struct lowering *l, const struct gk_lower_result *r)
{
	l->is_told = true;
	if (!r->object) {
		l->failing = does_not_compile(c, l, r);
		return;
	}
	l->object = *r->object;
	l->has_object = true;
	if (!fits(c, l) || !c->setup.on_gpu) /* the machine needs no code */
		return;
	l->code = gk_alloc(r->size + 1);
	memcpy(l->code, r->code, r->size);
	l->size = r->size;
}

/* ---- plans without what cannot be launched ---- */

/* Those that nobody asked for go as well: nothing is executed that was not lowered. */
static void keep_good_variants(struct gk_cascade *c, size_t case_index, const struct gk_plan *plan,
                               struct gk_plan_step *step, const struct failing **bad)
{
	uint32_t wanted = wanted_variants(c, case_index, plan, step), good = 0;
	const struct failing *why = NULL;

	for (uint32_t v = 0; v < wanted; v++) {
		const struct lowering *l = lowering_of(c, &plan->kernels[step->variants[v].launch.kernel]);

		if (l && !l->failing.kind)
			step->variants[good++] = step->variants[v];
		else if (l && !why)
			why = &l->failing;
	}
	if (why && wanted - good > c->dropped) {
		c->dropped = wanted - good;
		c->dropped_of = wanted;
		c->dropped_why = why->message;
	}
	if (good)
		step->variant_count = good;
	else
		*bad = why;
}

/* Why the steps cannot be launched, or NULL. */
static const struct failing *check_steps(struct gk_cascade *c, size_t case_index, const struct gk_plan *plan,
                                         struct gk_plan_step *steps, uint32_t count)
{
	const struct failing *bad = NULL;

	for (uint32_t i = 0; i < count && !bad; i++) {
		const struct lowering *l = steps[i].op == GK_STEP_LAUNCH
		                                   ? lowering_of(c, &plan->kernels[steps[i].launch.kernel])
		                                   : NULL;

		if (l && l->failing.kind)
			bad = &l->failing;
		if (steps[i].op == GK_STEP_CHOOSE)
			keep_good_variants(c, case_index, plan, &steps[i], &bad);
	}
	return bad;
}

static bool check_case(struct gk_cascade *c, size_t case_index)
{
	struct case_state *s = &c->cases[case_index];

	for (int take = 0; take < 2; take++) {
		struct gk_plan *plan = s->plans[take];
		const struct failing *bad = check_steps(c, case_index, plan, plan->prologue, plan->prologue_count);

		if (!bad)
			bad = check_steps(c, case_index, plan, plan->steps, plan->step_count);
		if (!bad)
			continue;
		s->call[0] = *bad;
		s->call[0].detail = json_incref(bad->detail);
		return false;
	}
	return true;
}

void lowering_told(struct gk_cascade *c, size_t number, const struct gk_lower_result *result)
{
	if (number < c->lowerings.count && !c->lowerings.items[number]->is_told)
		take_result(c, c->lowerings.items[number], result);
}

bool lowering_is_told(const struct gk_cascade *c)
{
	for (size_t i = 0; i < c->lowerings.count; i++)
		if (!c->lowerings.items[i]->is_told)
			return false;
	return true;
}

bool lowering_end(struct gk_cascade *c)
{
	bool right = true;

	for (size_t i = 0; i < c->setup.case_count; i++)
		right &= check_case(c, i);
	c->is_compiled = right;
	return right;
}

/* ---- for people ---- */

static json_t *kernel_json(const struct lowering *l)
{
	const struct gk_object *o = &l->object;
	const struct gk_target *target = gk_target_of(o->target);
	struct gk_occupancy occupancy;
	json_t *json = json_pack("{s:s, s:O, s:i, s:i, s:i, s:i, s:I}", "name", o->name, "options",
	                         l->x.options, "warps", o->warps, "warp_size", o->warp_size, "regs", o->regs,
	                         "spills", o->spills, "shared", (json_int_t)o->shared);

	if (!json || !target)
		return json;
	gk_occupancy_of(target, o, &occupancy);
	json_object_set_new(json, "occupancy",
	                    json_pack("{s:i, s:i, s:i, s:s}", "blocks", occupancy.blocks, "warps",
	                              occupancy.warps, "max_warps", occupancy.max_warps, "limit",
	                              occupancy.limit));
	return json;
}

json_t *lowering_kernels(const struct gk_cascade *c)
{
	json_t *kernels = json_array();

	for (size_t i = 0; i < c->lowerings.count && json_array_size(kernels) < LISTED_KERNELS; i++)
		if (c->lowerings.items[i]->has_object)
			json_array_append_new(kernels, kernel_json(c->lowerings.items[i]));
	return kernels;
}
