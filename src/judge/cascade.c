#include "cascade.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "state.h"

static bool is_perf_only(const struct gk_case *c)
{
	return c->perf && !c->exec;
}

struct gk_cascade *gk_cascade_new(const struct gk_judge_setup *setup)
{
	struct gk_cascade *c = gk_alloc(sizeof *c);

	c->setup = *setup;
	c->source = (struct gk_source){setup->source, setup->source_size};
	c->rounds = setup->rounds > 0 ? setup->rounds : GK_JUDGE_ROUNDS;
	for (size_t i = 0; i < setup->task->param_count; i++)
		c->has_data |= setup->task->params[i].data;
	c->is_trusted = strncmp(setup->target, "gfx", 3) != 0;
	while (c->exec_count < setup->case_count && !is_perf_only(setup->cases[c->exec_count]))
		c->exec_count++;
	c->cases = gk_alloc_array(setup->case_count ? setup->case_count : 1, sizeof *c->cases);
	for (size_t i = 0; i < setup->case_count; i++) {
		const char *id = setup->cases[i]->id, *mark = " (held out)";
		size_t size = strlen(id), tail = strlen(mark);
		bool marked = size > tail && strcmp(id + size - tail, mark) == 0;

		c->cases[i].variants = 1;
		c->cases[i].id = gk_arena_printf(&c->arena, "%s%s", id,
		                                 setup->cases[i]->held_out && !marked ? mark : "");
	}
	return c;
}

static void case_release(struct case_state *s)
{
	gk_plan_free(s->plans[0]);
	gk_plan_free(s->plans[1]);
	json_decref(s->call[0].detail);
	json_decref(s->call[1].detail);
	json_decref(s->exec.detail);
	json_decref(s->repeated);
}

void gk_cascade_free(struct gk_cascade *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->setup.case_count; i++)
		case_release(&c->cases[i]);
	for (size_t i = 0; i < c->modules.count; i++)
		gk_ir_free(c->modules.items[i].ir);
	for (size_t i = 0; i < c->trials.count; i++)
		trial_free(c->trials.items[i]);
	for (size_t i = 0; i < c->lowerings.count; i++)
		lowering_free(c->lowerings.items[i]);
	for (size_t i = 0; i < c->timings.count; i++)
		perf_free(c->timings.items[i]);
	json_decref(c->args[0]);
	json_decref(c->args[1]);
	for (size_t i = 0; i < c->runs.count; i++)
		run_free(c->runs.items[i]);
	json_decref(c->mismatch.detail);
	json_decref(c->end_to_end);
	gk_vec_release(&c->runs);
	gk_vec_release(&c->modules);
	gk_vec_release(&c->trials);
	gk_vec_release(&c->lowerings);
	gk_vec_release(&c->timings);
	gk_verdict_release(&c->verdict);
	gk_arena_release(&c->arena);
	free(c->cases);
	free(c);
}

void cascade_finish(struct gk_cascade *c)
{
	write_verdict(c);
	c->phase = PHASE_DONE;
}

/* ---- where randomness comes from ---- */

uint64_t gk_judge_seed(const struct gk_judge_setup *setup, size_t case_index, int round)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(&text, "inputs/%s/%s/%d", setup->task->id, setup->cases[case_index]->id, round);
	return gk_hmac_seed(setup->secret, gk_buf_text(&text)) >> 1; /* 63 bits travel as a JSON integer */
}

const char *gk_judge_distribution(const struct gk_judge_setup *setup, size_t case_index, int round)
{
	const struct gk_task *task = setup->task;

	(void)case_index;
	if (round == GK_JUDGE_SPECIAL_ROUND) /* among the most usual values */
		round = 0;
	return task->distribution_count ? task->distributions[(size_t)round % task->distribution_count]
	                                : "normal";
}

unsigned gk_judge_specials(const struct gk_judge_setup *setup, size_t case_index, int round)
{
	return round == GK_JUDGE_SPECIAL_ROUND ? setup->cases[case_index]->specials : 0;
}

int gk_judge_take_round(int take)
{
	return take;
}

static void write_salt(const struct gk_cascade *c, int take, char salt[33])
{
	gk_buf_auto text = GK_BUF_INIT;
	uint64_t a, b;

	gk_buf_printf(&text, "salt/%s/%s/%d", c->setup.task->id, c->setup.candidate, take);
	a = gk_hmac_seed(c->setup.secret, gk_buf_text(&text));
	gk_buf_add_char(&text, '+');
	b = gk_hmac_seed(c->setup.secret, gk_buf_text(&text));
	snprintf(salt, 33, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
}

/* ---- actions ---- */

static bool issue_capture(struct gk_cascade *c, struct gk_judge_action *action)
{
	for (int take = 0; take < 2; take++) {
		if (c->capture_issued[take])
			continue;
		c->capture_issued[take] = true;
		action->kind = GK_JUDGE_CAPTURE;
		action->take = take;
		write_salt(c, take, action->salt);
		return true;
	}
	return false;
}

static bool issue_lowering(struct gk_cascade *c, struct gk_judge_action *action)
{
	if (c->next_lowering == c->lowerings.count)
		return false;
	action->kind = GK_JUDGE_LOWER;
	action->lowering = &c->lowerings.items[c->next_lowering++]->x;
	return true;
}

static bool issue_trial(struct gk_cascade *c, struct gk_judge_action *action)
{
	if (c->next_trial == c->trials.count)
		return false;
	action->kind = GK_JUDGE_EXECUTE;
	action->execution = &c->trials.items[c->next_trial++]->x;
	return true;
}

bool gk_cascade_next(struct gk_cascade *c, struct gk_judge_action *action)
{
	*action = (struct gk_judge_action){0};
	switch (c->phase) {
	case PHASE_LINT:
		action->kind = GK_JUDGE_LINT;
		return !c->lint_issued && (c->lint_issued = true);
	case PHASE_CAPTURE:
		return issue_capture(c, action) || issue_lowering(c, action);
	case PHASE_LOWER:
		return issue_lowering(c, action);
	case PHASE_EXECUTE:
		return issue_trial(c, action);
	case PHASE_RUN:
		return run_next(c, action);
	case PHASE_PERF:
		return perf_next(c, action);
	case PHASE_DONE:
		action->kind = GK_JUDGE_DONE;
		action->verdict = &c->verdict;
		return !c->done_issued && (c->done_issued = true);
	}
	return false;
}

/* ---- waves of executions ---- */

static void push_trial(struct gk_cascade *c, struct trial *t)
{
	t->x.number = c->trials.count;
	gk_vec_push(&c->trials, t);
}

static void add_trial(struct gk_cascade *c, size_t case_index, int round, int variant)
{
	push_trial(c, trial_new(c, case_index, round, variant));
}

/* The first launch alone: what hangs or crashes does so once, not in every case. */
static void start_probe(struct gk_cascade *c)
{
	c->wave_first = c->trials.count;
	add_trial(c, 0, 0, 0);
}

static void add_case(struct gk_cascade *c, int rounds)
{
	size_t i = c->next_case++;

	for (int round = i == 0; round < rounds; round++) /* the probe was round 0 of case 0 */
		add_trial(c, i, round, 0);
	if (!c->is_failing && c->setup.cases[i]->specials)
		add_trial(c, i, GK_JUDGE_SPECIAL_ROUND, 0);
	if (!c->is_failing && i == c->repeated)
		push_trial(c, trial_repeat(c, i));
	for (int variant = 1; !c->is_failing && variant < c->cases[i].variants; variant++)
		add_trial(c, i, 0, variant);
	if (!c->is_failing && bare_is_wanted(c, i))
		push_trial(c, bare_new(c, i));
}

/* All that is to be executed was told. */
static void end_execution(struct gk_cascade *c)
{
	if (c->is_failing || !bare_end(c))
		cascade_finish(c);
	else if (run_is_wanted(c))
		run_start(c);
	else
		run_go_on(c);
}

void run_go_on(struct gk_cascade *c)
{
	if (!c->mismatch.kind && perf_is_wanted(c))
		c->phase = PHASE_PERF;
	else
		cascade_finish(c);
}

static void start_wave(struct gk_cascade *c)
{
	size_t left;

	if (c->is_failing && c->next_case == 0)
		c->next_case = 1;
	left = c->exec_count - c->next_case;
	c->wave_first = c->trials.count;
	for (size_t end = c->next_case + (left < GK_JUDGE_WAVE ? left : GK_JUDGE_WAVE); c->next_case < end;)
		add_case(c, c->is_failing ? 1 : c->rounds);
	if (c->wave_first == c->trials.count) /* one case, one round: the probe was all */
		end_execution(c);
}

static bool wave_is_told(const struct gk_cascade *c)
{
	for (size_t i = c->wave_first; i < c->trials.count; i++)
		if (!c->trials.items[i]->is_told)
			return false;
	return true;
}

static void move_failing(struct failing *to, struct failing *from)
{
	*to = *from;
	from->detail = NULL;
}

/* Being wrong outweighs being undecided; otherwise the first trial speaks for its case. */
static void take_failing(struct case_state *s, struct trial *t)
{
	if (t->is_right ||
	    (s->exec.kind && !(s->exec.outcome == GK_UNDECIDED && t->failing.outcome == GK_FAIL)))
		return;
	json_decref(s->exec.detail);
	move_failing(&s->exec, &t->failing);
}

/* What takes long to happen is not asked to happen again. */
static bool is_fatal(const char *kind)
{
	return strcmp(kind, "hang") == 0 || strcmp(kind, "crash") == 0 || strcmp(kind, "budget") == 0;
}

static void end_wave(struct gk_cascade *c)
{
	bool failed = c->is_failing, was_failing = c->is_failing, fatal = false;

	for (size_t i = c->wave_first; i < c->trials.count; i++) {
		struct trial *t = c->trials.items[i];

		c->cases[t->x.case_index].is_tried = true;
		failed |= !t->is_right;
		fatal |= !t->is_right && is_fatal(t->failing.kind);
		take_failing(&c->cases[t->x.case_index], t);
	}
	c->is_failing = failed;
	if (was_failing || fatal || c->next_case >= c->exec_count)
		end_execution(c);
	else
		start_wave(c);
}

void gk_cascade_executed(struct gk_cascade *c, size_t number, const struct gk_judge_data *data,
                         const struct gk_execute_result *result, const struct gk_outputs *outputs, double ms)
{
	struct trial *t = number < c->trials.count ? c->trials.items[number] : NULL;

	if (c->phase != PHASE_EXECUTE || !t || t->is_told)
		return;
	t->is_told = true;
	if (ms > c->stages_ms[GK_STAGE_EXEC])
		c->stages_ms[GK_STAGE_EXEC] = ms;
	if (t->is_bare)
		bare_judge(t, result, outputs);
	else
		trial_judge(c, t, data, result, outputs);
	if (wave_is_told(c))
		end_wave(c);
}

/* ---- lint and capture ---- */

void gk_cascade_linted(struct gk_cascade *c, const struct gk_lint_result *result, double ms)
{
	gk_buf_auto words = GK_BUF_INIT;

	if (c->phase != PHASE_LINT)
		return;
	c->stages_ms[GK_STAGE_LINT] = ms;
	if (result->passed) {
		c->phase = PHASE_CAPTURE;
		return;
	}
	gk_describe_foreign(&words, result->message, 1000);
	if (!strstr(result->message, "line "))
		gk_describe_line(&words, &c->source, result->line);
	c->overall[0] = failing_of(c, GK_FAIL, gk_arena_string(&c->arena, result->kind), &words);
	cascade_finish(c);
}

static void remember_args(struct gk_cascade *c, const struct gk_judge_data *data)
{
	for (size_t i = 0; i < c->setup.case_count; i++) {
		struct case_state *s = &c->cases[i];
		gk_buf_auto words = GK_BUF_INIT;

		again_choose(c, i, &data[i]);
		gk_describe_args(&words, &data[i]);
		s->args = gk_arena_string(&c->arena, gk_buf_text(&words));
		s->tensor_count = data[i].input_count;
		s->tensor_names = gk_arena_array(&c->arena, s->tensor_count + 1, sizeof *s->tensor_names);
		for (size_t t = 0; t < s->tensor_count; t++)
			s->tensor_names[t] = gk_arena_string(&c->arena, data[i].inputs[t].name);
	}
}

/* Data scalars of both takes; kept as JSON until the takes are compared. */
static void keep_args(struct gk_cascade *c, int take, const struct gk_judge_data *data)
{
	c->args[take] = json_array();
	for (size_t i = 0; i < c->setup.case_count; i++)
		json_array_append(c->args[take], data[i].args);
}

static uint32_t most_variants(const struct gk_plan *plan)
{
	uint32_t most = 1;

	for (uint32_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].op == GK_STEP_CHOOSE && plan->steps[i].variant_count > most)
			most = plan->steps[i].variant_count;
	return most;
}

static void hash_plans(struct gk_cascade *c)
{
	struct gk_sha256 all;
	uint8_t digest[GK_HASH_BYTES];
	char hex[GK_HEX_SIZE];

	gk_sha256_init(&all);
	for (size_t i = 0; i < c->setup.case_count; i++) {
		gk_plan_hash(c->cases[i].plans[0], hex);
		gk_sha256_add(&all, c->cases[i].id, strlen(c->cases[i].id) + 1);
		gk_sha256_add(&all, hex, sizeof hex);
		c->cases[i].declared = most_variants(c->cases[i].plans[0]);
	}
	gk_sha256_end(&all, digest);
	for (int i = 0; i < GK_HASH_BYTES; i++)
		snprintf(c->plan_hash + (size_t)i * 2, 3, "%02x", digest[i]);
}

static void start_execution(struct gk_cascade *c)
{
	for (size_t i = 0; i < c->setup.case_count; i++) {
		uint32_t most = most_variants(c->cases[i].plans[0]);
		uint32_t limit = c->setup.on_gpu && i == 0 ? GK_JUDGE_GPU_VARIANTS : GK_JUDGE_MAX_VARIANTS;

		c->cases[i].variants = (int)(most < limit ? most : limit);
	}
	c->phase = PHASE_EXECUTE;
	if (c->exec_count > 0)
		start_probe(c);
	else
		cascade_finish(c);
}

static void end_lowering(struct gk_cascade *c)
{
	lowering_ask(c, 0); /* of cases whose first configurations have all failed, the others */
	lowering_ask(c, 1);
	if (!lowering_is_told(c))
		return;
	c->is_lowered = true;
	if (lowering_end(c))
		start_execution(c);
	else
		cascade_finish(c);
}

static void compare_takes(struct gk_cascade *c)
{
	bool same = true;

	for (size_t i = 0; i < c->setup.case_count; i++)
		same &= judge_agreement(c, json_array_get(c->args[0], i), json_array_get(c->args[1], i), i);
	if (!same) {
		cascade_finish(c);
		return;
	}
	hash_plans(c);
	if (strcmp(c->setup.target, "cpu") == 0) {
		start_execution(c);
		return;
	}
	c->phase = PHASE_LOWER;
	lowering_ask(c, 0);
	lowering_ask(c, 1);
	if (lowering_is_told(c)) /* before the second capture was, or nothing is launched at all */
		end_lowering(c);
}

void gk_cascade_lowered(struct gk_cascade *c, size_t number, const struct gk_lower_result *result, double ms)
{
	if (c->phase != PHASE_LOWER && c->phase != PHASE_CAPTURE)
		return;
	if (ms > c->lower_ms)
		c->lower_ms = ms;
	lowering_told(c, number, result);
	if (c->phase == PHASE_LOWER && lowering_is_told(c))
		end_lowering(c);
}

static void end_without_plans(struct gk_cascade *c)
{
	if (run_can_judge(c))
		run_judge(c);
	else
		cascade_finish(c);
}

static int take_1_failed(const struct gk_cascade *c)
{
	return c->capture_told[1] && !c->take_is_right[1];
}

void gk_cascade_captured(struct gk_cascade *c, int take, const struct gk_judge_data *data,
                         const struct gk_capture_result *result, double ms)
{
	if (c->phase != PHASE_CAPTURE || c->capture_told[take])
		return;
	c->capture_told[take] = true;
	if (ms > c->stages_ms[GK_STAGE_CALL])
		c->stages_ms[GK_STAGE_CALL] = ms;
	if (take == 0)
		remember_args(c, data);
	keep_args(c, take, data);
	c->take_is_right[take] = judge_claims(c, take, data, result);
	/* the first take decides when both fail, whichever comes first */
	c->decisive = c->capture_told[0] && !c->take_is_right[0] ? 0 : take_1_failed(c);
	if (c->capture_told[0] && (!c->take_is_right[0] || (c->capture_told[1] && !c->take_is_right[1])))
		end_without_plans(c);
	else if (c->capture_told[0] && c->capture_told[1])
		compare_takes(c);
	else if (take == 0 && strcmp(c->setup.target, "cpu") != 0)
		lowering_ask(c, 0); /* the second take will most likely do the same */
}

void gk_cascade_failed(struct gk_cascade *c, const struct gk_err *why)
{
	static const enum gk_stage stages[] = {GK_STAGE_LINT, GK_STAGE_CALL, GK_STAGE_CALL,
	                                       GK_STAGE_EXEC, GK_STAGE_EXEC, GK_STAGE_PERF};

	if (c->phase == PHASE_DONE)
		return;
	gk_verdict_release(&c->verdict);
	memcpy(c->verdict.stages_ms, c->stages_ms, sizeof c->stages_ms);
	c->verdict.stage = stages[c->phase];
	c->verdict.outcome = GK_INFRA;
	c->verdict.kind = why->kind == GK_ERR_INPUT ? "task" : "infra";
	c->verdict.message = gk_arena_string(&c->verdict.arena, why->text);
	c->verdict.plan_hash = "";
	c->phase = PHASE_DONE;
}

void gk_cascade_trust(struct gk_cascade *c, bool is_trusted)
{
	c->is_trusted = is_trusted;
}

const struct gk_plan *gk_cascade_plan(const struct gk_cascade *c, int take, size_t case_index)
{
	return case_index < c->setup.case_count ? c->cases[case_index].plans[take] : NULL;
}
