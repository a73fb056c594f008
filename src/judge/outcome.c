/* The verdict from what has been decided: stage, outcome, words, one result for each case and part. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "state.h"

enum { LISTED_CASES = 4, PRINTED_BYTES = 500, TELLING_ELEMENTS = 16 };
enum part { PART_CALL, PART_EXEC, PART_PERF };

static const struct failing no_failing;

/* What was decided of a case in a part, or NULL: nothing. */
static const struct failing *part_of(const struct gk_cascade *c, enum part part, size_t i)
{
	const struct case_state *s = &c->cases[i];

	switch (part) {
	case PART_CALL:
		return s->is_captured && !c->is_contained ? &s->call[c->decisive] : NULL;
	case PART_EXEC:
		return s->is_tried ? &s->exec : NULL;
	case PART_PERF:
		break;
	}
	return s->timing ? &s->timing->failing : NULL;
}

static struct gk_case_result *add_case(struct gk_verdict *v, const char *id, const char *part,
                                       const struct failing *failing)
{
	struct gk_case_result *r = &v->cases[v->case_count++];

	r->case_id = gk_arena_string(&v->arena, id);
	r->part = part;
	r->outcome = failing->kind ? failing->outcome : GK_PASS;
	r->kind = gk_arena_string(&v->arena, failing->kind ? failing->kind : "");
	r->message = gk_arena_string(&v->arena, failing->kind ? failing->message : "");
	r->detail = failing->detail ? json_incref(failing->detail) : NULL;
	return r;
}

/* Of an executed case: how near its values are, and whether they vary; right ones have that alone. */
static void add_executed_case(struct gk_cascade *c, size_t i)
{
	struct gk_case_result *r = add_case(&c->verdict, c->cases[i].id, "exec", part_of(c, PART_EXEC, i));
	json_t *ulp = gk_ulps_json(&c->cases[i].ulps), *repeated = json_incref(c->cases[i].repeated);

	if (ulp || repeated) {
		json_t *detail = r->detail ? json_copy(r->detail) : json_object();

		json_decref(r->detail);
		r->detail = detail;
		json_object_update_new(detail, json_pack("{s:o*, s:o*}", "ulp", ulp, "repeat", repeated));
	}
}

static void add_timed_case(struct gk_cascade *c, size_t i)
{
	const struct timing *t = c->cases[i].timing;
	bool failed = t->failing.outcome == GK_FAIL;
	struct gk_case_result *r = add_case(&c->verdict, c->cases[i].id, "perf", failed ? &t->failing : &no_failing);

	if (t->failing.kind && !failed) { /* neither right nor wrong */
		r->outcome = GK_UNDECIDED;
		r->kind = gk_arena_string(&c->verdict.arena, "not_measured");
		r->message = gk_arena_string(&c->verdict.arena, t->failing.message);
	}
	json_decref(r->detail);
	r->detail = t->failing.kind ? t->failing.detail : t->measure.detail;
	json_incref(r->detail);
	r->samples = json_incref(t->timed);
}

static void list_cases(struct gk_cascade *c)
{
	struct gk_verdict *v = &c->verdict;

	v->cases = gk_arena_array(&v->arena, 3 * c->setup.case_count + 1, sizeof *v->cases);
	for (size_t i = 0; i < c->setup.case_count; i++)
		if (part_of(c, PART_CALL, i))
			add_case(v, c->cases[i].id, "call", part_of(c, PART_CALL, i));
	for (size_t i = 0; i < c->setup.case_count; i++)
		if (part_of(c, PART_EXEC, i))
			add_executed_case(c, i);
	for (size_t i = 0; i < c->setup.case_count; i++)
		if (c->cases[i].timing)
			add_timed_case(c, i);
}

/* The case whose failure is told in full: the first that is wrong, else the first that is undecided. */
static const struct failing *first_failing(const struct gk_cascade *c, enum part part, size_t *index)
{
	const struct failing *undecided = NULL;

	for (size_t i = 0; i < c->setup.case_count; i++) {
		const struct failing *f = part_of(c, part, i);

		if (!f || !f->kind || f->outcome == GK_INFRA || (f->outcome == GK_UNDECIDED && undecided))
			continue;
		*index = i;
		if (f->outcome == GK_FAIL)
			return f;
		undecided = f;
	}
	return undecided;
}

/* Of two elements no pattern can be read: a larger case that is wrong in the same way says more. */
static const struct failing *more_telling(const struct gk_cascade *c, const struct failing *first,
                                          size_t *index)
{
	if (strcmp(first->kind, "wrong_values") != 0)
		return first;
	for (size_t i = *index; i < c->setup.case_count; i++) {
		const struct failing *f = &c->cases[i].exec;

		if (!f->kind || strcmp(f->kind, first->kind) != 0 ||
		    json_integer_value(json_object_get(f->detail, "count")) < TELLING_ELEMENTS)
			continue;
		*index = i;
		return f;
	}
	return first;
}

/* "Right: a; b; and 3 more." of the cases that have passed, or failed, in the part. */
static void add_list(struct gk_buf *words, const struct gk_cascade *c, enum part part, bool passed, size_t but,
                     const char *title)
{
	size_t listed = 0, more = 0;

	for (size_t i = 0; i < c->setup.case_count; i++) {
		const struct failing *f = part_of(c, part, i);

		if (!f || i == but || passed != !f->kind || (f->kind && f->outcome == GK_INFRA))
			continue;
		if (listed == LISTED_CASES) {
			more++;
			continue;
		}
		gk_buf_printf(words, "%s%s", listed++ ? "; " : title, c->cases[i].id);
	}
	if (more > 0)
		gk_buf_printf(words, "; and %zu more", more);
	if (listed > 0)
		gk_buf_add_char(words, '.');
}

static void tell_case(struct gk_cascade *c, enum part part, size_t index, const struct failing *f)
{
	static const char *const passed[] = {" Captured: ", " Right: ", " Measured: "};
	gk_buf_auto words = GK_BUF_INIT;
	const struct case_state *s = &c->cases[index];

	gk_buf_printf(&words, "Case %s", s->id);
	if (s->args)
		gk_buf_printf(&words, " (%s)", s->args);
	gk_buf_printf(&words, ": %s.", f->message);
	add_list(&words, c, part, false, index, " Wrong as well: ");
	add_list(&words, c, part, true, index, passed[part]);
	c->verdict.message = gk_arena_string(&c->verdict.arena, gk_buf_text(&words));
}

static void decide(struct gk_cascade *c, enum gk_stage stage, enum gk_outcome outcome, const char *kind)
{
	c->verdict.stage = stage;
	c->verdict.outcome = outcome;
	c->verdict.kind = gk_arena_string(&c->verdict.arena, kind);
}

static void decide_call(struct gk_cascade *c, const struct failing *f)
{
	bool called = strcmp(f->kind, "wrong_contract") == 0; /* it runs, but returns something else */

	decide(c, called ? GK_STAGE_EXEC : GK_STAGE_CALL, f->outcome, f->kind);
	c->verdict.call = called;
}

/* No verdict of an AMD GPU is called sealed before a self-test has passed on its node. */
static enum gk_evidence evidence_of(const struct gk_cascade *c)
{
	if (c->is_contained)
		return GK_CONTAINED;
	if (!c->setup.on_gpu)
		return GK_SIMULATED;
	return c->is_trusted ? GK_SEALED : GK_EVIDENCE_NONE;
}

/* Whoever betrays the clock, or computes other values when it is timed, is not right either. */
static void decide_perf(struct gk_cascade *c)
{
	size_t index = 0;
	const struct failing *f = first_failing(c, PART_PERF, &index);

	if (f) {
		decide(c, GK_STAGE_PERF, f->outcome, f->kind);
		tell_case(c, PART_PERF, index, f);
		return;
	}
	decide(c, GK_STAGE_PERF, GK_PASS, "pass");
	c->verdict.exec = true;
	perf_speedup(c, &c->verdict.speedup);
}

/* The case of the run that differs. */
static size_t mismatch_case(const struct gk_cascade *c)
{
	for (size_t i = 0; i < c->runs.count; i++)
		if (c->runs.items[i]->failing.message == c->mismatch.message)
			return c->runs.items[i]->x.case_index;
	return 0;
}

static void decide_exec(struct gk_cascade *c)
{
	size_t index = 0;
	const struct failing *f = first_failing(c, PART_EXEC, &index);

	c->verdict.call = true;
	c->verdict.evidence = evidence_of(c);
	c->verdict.plan_hash = gk_arena_string(&c->verdict.arena, c->plan_hash);
	c->verdict.compiled = c->is_compiled;
	if (f) {
		f = more_telling(c, f, &index);
		decide(c, GK_STAGE_EXEC, f->outcome, f->kind);
		tell_case(c, PART_EXEC, index, f);
	} else if (c->mismatch.kind) {
		decide(c, GK_STAGE_EXEC, c->mismatch.outcome, c->mismatch.kind);
		tell_case(c, PART_EXEC, mismatch_case(c), &c->mismatch);
	} else if (c->timings.count > 0) {
		decide_perf(c);
	} else {
		decide(c, GK_STAGE_EXEC, GK_PASS, "pass");
		c->verdict.exec = true;
	}
}

/* Ends that say that the entry did not even return. */
static bool is_of_call(const char *kind)
{
	static const char *const kinds[] = {"raised", "timeout", "flood", "memory", "crash", "exited", "forged_claims", NULL};

	for (size_t i = 0; kinds[i]; i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

static void decide_contained(struct gk_cascade *c)
{
	size_t index = 0;
	const struct failing *f = first_failing(c, PART_EXEC, &index);

	decide_exec(c);
	c->verdict.plan_hash = "";
	if (f && is_of_call(f->kind)) {
		c->verdict.stage = GK_STAGE_CALL;
		c->verdict.call = false;
	}
}

static void add_note(struct gk_verdict *v, const char *text)
{
	json_t *string = json_string(text);

	if (!v->notes)
		v->notes = json_array();
	json_array_append_new(v->notes, string ? string : json_string("(a note that is not UTF-8)"));
}

static bool prints(const struct gk_cascade *c)
{
	for (size_t i = 0; i < c->lowerings.count; i++) {
		const struct gk_ir *ir = c->lowerings.items[i]->x.ir;

		if (ir && ir->code_uses[GK_IR_TT_PRINT] > 0)
			return true;
	}
	return false;
}

static void add_printed(struct gk_cascade *c)
{
	gk_buf_auto words = GK_BUF_INIT;

	if (c->setup.on_gpu && prints(c))
		add_note(&c->verdict, "device_print: left out of the kernels that were executed and timed; it changes nothing of "
		                      "what they compute");
	for (size_t i = 0; i < c->trials.count; i++) {
		if (!c->trials.items[i]->printed)
			continue;
		gk_buf_add_text(&words, "device_print: ");
		gk_describe_foreign(&words, c->trials.items[i]->printed, PRINTED_BYTES);
		add_note(&c->verdict, gk_buf_text(&words));
		return;
	}
}

static void add_variants(struct gk_cascade *c)
{
	for (size_t i = 0; i < c->setup.case_count; i++) {
		char text[128];

		/* a GPU executes all of a kernel's once, in the first case, and the others when they are chosen */
		int executed = c->setup.on_gpu ? GK_JUDGE_GPU_VARIANTS : c->cases[i].variants;

		if (c->cases[i].declared <= (uint32_t)executed)
			continue;
		snprintf(text, sizeof text, "autotune: %d of %u configurations were executed", executed,
		         c->cases[i].declared);
		add_note(&c->verdict, text);
		return;
	}
}

static void add_dropped(struct gk_cascade *c)
{
	gk_buf_auto text = GK_BUF_INIT;

	if (!c->dropped)
		return;
	gk_buf_printf(&text, "autotune: %u of %u configurations were left out: %s", c->dropped, c->dropped_of,
	              c->dropped_why);
	add_note(&c->verdict, gk_buf_text(&text));
}

/* What the candidate did besides launching, as capture notes it: the first plan's. */
static void add_capture_notes(struct gk_cascade *c)
{
	const struct gk_plan *plan = c->setup.case_count ? c->cases[0].plans[0] : NULL;
	json_t *notes = plan ? json_object_get(plan->from, "notes") : NULL, *item;
	size_t i;

	json_array_foreach(notes, i, item)
	{
		gk_buf_auto words = GK_BUF_INIT;

		gk_describe_foreign(&words, json_string_value(item), PRINTED_BYTES);
		if (i < 16)
			add_note(&c->verdict, gk_buf_text(&words));
	}
}

/* Each kind of arithmetic that the task lets the framework do, in the first plan, with where it was first used. */
static void add_assists(struct gk_cascade *c)
{
	const struct gk_plan *plan = c->setup.case_count ? c->cases[0].plans[0] : NULL;
	gk_buf_auto words = GK_BUF_INIT;

	for (int kind = 0; plan && gk_assist_names[kind]; kind++) {
		int count = 0, line = 0;

		for (uint32_t i = 0; i < plan->step_count; i++) {
			const struct gk_plan_step *step = &plan->steps[i];

			if (step->op != GK_STEP_ASSIST || (int)step->assist != kind)
				continue;
			line = count++ ? line : step->line;
		}
		if (count)
			gk_buf_printf(&words, "%s%s x %d (line %d)", words.size ? ", " : "", gk_assist_names[kind], count,
			              line);
	}
	if (!words.size)
		return;
	gk_buf_add_text(&words, ": computed by PyTorch, as the task allows; its time is part of the call");
	add_note(&c->verdict, gk_buf_text(&words));
}

static void add_case_note(struct gk_cascade *c, size_t i, const char *title, const char *text)
{
	gk_buf_auto words = GK_BUF_INIT;

	gk_buf_printf(&words, "%s%s: ", title, c->cases[i].id);
	gk_describe_foreign(&words, text, PRINTED_BYTES);
	add_note(&c->verdict, gk_buf_text(&words));
}

/* What was not timed, and why; what measuring has to say. */
static void add_timed(struct gk_cascade *c)
{
	gk_buf_auto words = GK_BUF_INIT;

	if (c->not_timed) {
		gk_buf_printf(&words, "speed was not measured: %s", c->not_timed);
		add_note(&c->verdict, gk_buf_text(&words));
	}
	for (size_t i = 0; i < c->setup.case_count; i++) {
		const struct timing *t = c->cases[i].timing;

		if (t && t->failing.kind && t->failing.outcome != GK_FAIL)
			add_case_note(c, i, "not measured: ", t->failing.message);
		else if (t && t->measure.note.size)
			add_case_note(c, i, "", gk_buf_text(&t->measure.note));
		else if (!t && c->timings.count && c->setup.cases[i]->perf)
			add_case_note(c, i, "not measured: ", "what it is measured against could not be timed in this case");
	}
}

static void add_ulps(struct gk_cascade *c)
{
	struct gk_ulps all = {0};

	for (size_t i = 0; i < c->setup.case_count; i++)
		gk_ulps_add(&all, &c->cases[i].ulps);
	c->verdict.ulp = gk_ulps_json(&all);
}

static void add_varies(struct gk_cascade *c)
{
	for (size_t i = 0; i < c->setup.case_count; i++)
		if (c->cases[i].varies)
			add_case_note(c, i, "nondeterministic: case ", c->cases[i].varies);
}

/* Of runs for real. */
static void add_real(struct gk_cascade *c)
{
	gk_buf_auto words = GK_BUF_INIT;

	if (c->is_contained) {
		gk_buf_add_text(&words, "judged contained, since capture cannot follow it: ");
		gk_describe_foreign(&words, c->contained_why, PRINTED_BYTES);
	} else if (c->unconfirmed) {
		gk_buf_add_text(&words, "not confirmed by a run for real: ");
		gk_describe_foreign(&words, c->unconfirmed, PRINTED_BYTES);
	} else if (c->runs.count && c->setup.confirm && !c->mismatch.kind) {
		gk_buf_add_text(&words, "confirmed: called for real, the entry does what its launch plan says");
	}
	if (words.size)
		add_note(&c->verdict, gk_buf_text(&words));
}

static void add_notes(struct gk_cascade *c)
{
	add_real(c);
	add_capture_notes(c);
	add_assists(c);
	add_dropped(c);
	if (c->trials.count == 0)
		return;
	if (c->atomics > 0)
		add_note(&c->verdict, "atomics: the order of additions may change results from run to run");
	add_varies(c);
	add_ulps(c);
	if (c->setup.on_gpu && evidence_of(c) == GK_EVIDENCE_NONE)
		add_note(&c->verdict, "HIP: not yet run on hardware, and no self-test has passed here: not called sealed");
	add_printed(c);
	add_variants(c);
	add_timed(c);
	c->verdict.counts = json_pack("{s:I, s:I, s:I, s:I}", "bytes_read", (json_int_t)c->bytes_read,
	                              "bytes_written", (json_int_t)c->bytes_written, "operations",
	                              (json_int_t)c->operations, "launches", (json_int_t)c->launches);
}

void write_verdict(struct gk_cascade *c)
{
	struct gk_verdict *v = &c->verdict;
	size_t index = 0;
	const struct failing *f;

	v->plan_hash = v->message = "";
	memcpy(v->stages_ms, c->stages_ms, sizeof v->stages_ms);
	v->stages_ms[GK_STAGE_CALL] += c->lower_ms;
	v->lower_ms = c->lower_ms;
	if (c->is_lowered && c->lowerings.count)
		v->kernels = lowering_kernels(c);
	list_cases(c);
	f = first_failing(c, PART_CALL, &index);
	if (c->end_to_end)
		v->end_to_end = json_incref(c->end_to_end);
	if (c->is_contained) {
		decide_contained(c);
	} else if (c->overall[c->decisive].kind) {
		decide(c, c->phase == PHASE_LINT ? GK_STAGE_LINT : GK_STAGE_CALL,
		       c->overall[c->decisive].outcome, c->overall[c->decisive].kind);
		v->message = gk_arena_string(&v->arena, c->overall[c->decisive].message);
	} else if (f) {
		decide_call(c, f);
		tell_case(c, PART_CALL, index, f);
	} else {
		decide_exec(c);
	}
	add_notes(c);
}
