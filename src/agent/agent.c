/*
 * The fold. Each event is checked against the phase, changes the memory, and
 * sets the next phase at once; next() only reads it off. Decisions stand in
 * after_pass(), after_failure() and after_trap(): the loop of the paper.
 */
#include "agent/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define MAX_NUMBER 20000 /* trajectories: sample = number * SAMPLES + asks must fit an int */
#define SAMPLES    100000

const char *const gk_role_names[] = {"generator", "reflector", "optimizer", NULL};
const char *const gk_part_names[] = {"generator", "generator_repair", "generator_optimize", "reflector", "optimizer",
                                     NULL};

static enum role role_of(enum part part)
{
	return part == PART_REFLECT ? ROLE_REFLECTOR : part == PART_DIRECT ? ROLE_OPTIMIZER : ROLE_GENERATOR;
}

struct gk_agent *gk_agent_new(const struct gk_recipe *recipe)
{
	struct gk_agent *agent = gk_alloc(sizeof(*agent));

	agent->recipe = *recipe;
	return agent;
}

void gk_agent_free(struct gk_agent *agent)
{
	size_t i;

	if (!agent)
		return;
	for (i = 0; i < agent->verdicts.count; i++)
		gk_verdict_release(&agent->verdicts.items[i]);
	gk_vec_release(&agent->attempts);
	gk_vec_release(&agent->verdicts);
	gk_vec_release(&agent->reflections);
	json_decref(agent->directions);
	gk_arena_release(&agent->arena);
	free(agent);
}

static void want(struct gk_agent *agent, enum part part)
{
	agent->phase = PHASE_ASK;
	agent->part = part;
}

static void __attribute__((format(printf, 3, 4))) stop(struct gk_agent *agent, const char *reason,
                                                        const char *format, ...)
{
	va_list arguments;

	agent->phase = PHASE_STOP;
	snprintf(agent->stop_reason, sizeof(agent->stop_reason), "%s", reason);
	va_start(arguments, format);
	vsnprintf(agent->stop_message, sizeof(agent->stop_message), format, arguments);
	va_end(arguments);
}

static void begin_fresh_line(struct gk_agent *agent)
{
	agent->line = (struct line){0};
	agent->format_problem = NULL;
	want(agent, PART_GENERATE);
}

/* The next direction of the Optimizer's last answer; false when they are used up. */
static bool take_direction(struct gk_agent *agent)
{
	size_t count = agent->directions ? json_array_size(agent->directions) : 0;

	if (agent->direction_next >= count || agent->direction_next >= (size_t)agent->recipe.directions)
		return false;
	agent->direction = json_string_value(json_array_get(agent->directions, agent->direction_next++));
	want(agent, PART_OPTIMIZE);
	return true;
}

static void begin_optimisation(struct gk_agent *agent, bool may_reuse_directions)
{
	agent->line = (struct line){0};
	agent->format_problem = NULL;
	if (!may_reuse_directions || !take_direction(agent))
		want(agent, PART_DIRECT);
}

static bool has_stopped_for_iterations(struct gk_agent *agent)
{
	const struct gk_attempt *best = gk_agent_winner(agent);

	if (agent->iterations < agent->recipe.iterations)
		return false;
	if (best)
		stop(agent, "iterations", "%d iterations done; attempt %d is the best correct one", agent->iterations,
		     best->number);
	else
		stop(agent, "iterations", "%d iterations done, none of them correct", agent->iterations);
	return true;
}

static bool has_stopped_without_gain(struct gk_agent *agent)
{
	int64_t limit = agent->recipe.stop.without_gain;

	if (limit == 0 || agent->without_gain < limit)
		return false;
	stop(agent, "no_gain", "the last %lld optimisations gained nothing", (long long)agent->without_gain);
	return true;
}

static void after_pass(struct gk_agent *agent, const struct gk_attempt *attempt, const struct gk_attempt *best_before)
{
	bool gained = !best_before || gk_attempt_has_gained(attempt, best_before);

	agent->without_gain = gained ? 0 : agent->without_gain + 1;
	if (agent->recipe.stop.solved) {
		stop(agent, "solved", "attempt %d is correct", attempt->number);
		return;
	}
	if (agent->recipe.stop.speedup > 0 && attempt->speedup.measured &&
	    attempt->speedup.low >= agent->recipe.stop.speedup) {
		stop(agent, "target", "attempt %d reaches the wanted speedup", attempt->number);
		return;
	}
	if (has_stopped_for_iterations(agent) || has_stopped_without_gain(agent))
		return;
	if (agent->recipe.modules.optimizer)
		begin_optimisation(agent, !gained);
	else
		begin_fresh_line(agent);
}

/* The code is discarded: a fresh strategy, or another direction from the best correct attempt. */
static void after_trap(struct gk_agent *agent)
{
	if (!gk_agent_winner(agent) || !agent->recipe.modules.optimizer) {
		begin_fresh_line(agent);
		return;
	}
	agent->without_gain++;
	if (!has_stopped_without_gain(agent))
		begin_optimisation(agent, true);
}

static void note_failure(struct gk_agent *agent, const char *signature)
{
	struct line *line = &agent->line;

	line->failures++;
	line->same_failures = line->failure && strcmp(line->failure, signature) == 0 ? line->same_failures + 1 : 1;
	line->failure = signature;
}

/* The first failure of a line is no repair, so a line may fail once more than it may be repaired. */
static bool is_trapped(const struct gk_agent *agent)
{
	return agent->line.failures > agent->recipe.max_perf_debug_num ||
	       agent->line.same_failures >= agent->recipe.max_same_failure;
}

static void after_failure(struct gk_agent *agent, const struct gk_attempt *attempt)
{
	note_failure(agent, gk_arena_printf(&agent->arena, "%s|%s|%s", attempt->stage, attempt->kind,
	                                    attempt->message));
	if (has_stopped_for_iterations(agent))
		return;
	if (is_trapped(agent))
		after_trap(agent);
	else if (agent->format_problem)
		agent->phase = PHASE_ASK; /* the same part once more: there is no code to reflect on */
	else
		want(agent, agent->recipe.modules.reflexion ? PART_REFLECT : PART_REPAIR);
}

/* --- events --- */

static int cannot_follow(const struct gk_event *event, struct gk_err *e, const char *why)
{
	return gk_err_set(e, GK_ERR_INPUT, "event %lld, step %d of trajectory %lld (%s): %s", (long long)event->seq,
	                  event->step, (long long)event->trajectory, gk_event_names[event->kind], why);
}

/* The string under key in the body, in the agent's arena; "" when it is absent or null. */
static const char *body_text(struct gk_agent *agent, const struct gk_event *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event->body, key));

	return text ? gk_arena_string(&agent->arena, text) : "";
}

static bool is_role(const struct gk_agent *agent, const struct gk_event *event)
{
	const char *role = json_string_value(json_object_get(event->body, "role"));

	return role && strcmp(role, gk_role_names[role_of(agent->part)]) == 0;
}

static int on_started(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	agent->number = json_integer_value(json_object_get(event->body, "number"));
	if (agent->number < 0 || agent->number > MAX_NUMBER)
		return cannot_follow(event, e, "the number of the trajectory is out of range");
	begin_fresh_line(agent);
	return 0;
}

static int on_asked(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	if (!is_role(agent, event))
		return cannot_follow(event, e, "another role was to be asked");
	agent->asks++;
	agent->asks_by_role[role_of(agent->part)]++;
	agent->phase = PHASE_ASKED;
	return 0;
}

static int on_answered(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	agent->answer_hash = body_text(agent, event, "answer");
	if (!is_role(agent, event) || strlen(agent->answer_hash) != 64)
		return cannot_follow(event, e, "the role or the hash of the answer is wrong");
	agent->phase = PHASE_ANSWERED;
	return 0;
}

/* A refused repair or optimisation may be too long to answer: a fresh prompt is short. Then nothing is left to try. */
static void generator_refused(struct gk_agent *agent, const char *message)
{
	agent->iterations++;
	if (agent->part == PART_GENERATE)
		stop(agent, "no_answer", "the Generator's prompt was not answered: %s", message);
	else if (!has_stopped_for_iterations(agent))
		begin_fresh_line(agent);
}

static int on_no_answer(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	if (!is_role(agent, event))
		return cannot_follow(event, e, "another role was asked");
	switch (role_of(agent->part)) {
	case ROLE_REFLECTOR:
		want(agent, PART_REPAIR);
		break;
	case ROLE_OPTIMIZER:
		agent->direction = NULL;
		want(agent, PART_OPTIMIZE);
		break;
	default:
		generator_refused(agent, body_text(agent, event, "message"));
	}
	return 0;
}

/* Takes the verdict over; it may be all zero. */
static struct gk_attempt *add_attempt(struct gk_agent *agent, const struct gk_event *event,
                                      const struct gk_attempt *attempt, const struct gk_verdict *verdict)
{
	struct gk_attempt *added;

	gk_vec_push(&agent->attempts, *attempt);
	gk_vec_push(&agent->verdicts, *verdict);
	added = &gk_vec_last(&agent->attempts);
	added->number = (int)agent->attempts.count;
	added->trajectory = agent->number;
	added->step = event->step;
	added->role = gk_part_names[agent->part];
	added->is_fresh = agent->part == PART_GENERATE;
	added->strategy = agent->strategy;
	return added;
}

static void code_parsed(struct gk_agent *agent, const struct gk_event *event, bool is_usable)
{
	struct gk_attempt attempt = {.code_hash = "", .stage = "lint", .kind = "no_code", .outcome = GK_FAIL};
	struct gk_verdict none = {.kind = NULL};

	agent->iterations++;
	agent->strategy = body_text(agent, event, "strategy");
	agent->infra_failures = 0;
	if (is_usable) {
		agent->code_hash = body_text(agent, event, "code");
		agent->format_problem = NULL;
		agent->phase = PHASE_JUDGE;
		return;
	}
	attempt.message = agent->format_problem = body_text(agent, event, "problem");
	after_failure(agent, add_attempt(agent, event, &attempt, &none));
}

static void reflection_parsed(struct gk_agent *agent, const struct gk_event *event, bool is_usable)
{
	struct reflection reflection = {(int)agent->attempts.count, body_text(agent, event, "text")};

	if (is_usable)
		gk_vec_push(&agent->reflections, reflection);
	want(agent, PART_REPAIR);
}

static void directions_parsed(struct gk_agent *agent, const struct gk_event *event, bool is_usable)
{
	json_decref(agent->directions);
	agent->directions = NULL;
	agent->direction_next = 0;
	agent->direction = NULL;
	if (is_usable)
		agent->directions = json_incref(json_object_get(event->body, "directions"));
	if (!take_direction(agent))
		want(agent, PART_OPTIMIZE);
}

static int on_parsed(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	bool is_usable = json_is_true(json_object_get(event->body, "ok"));

	if (!is_role(agent, event))
		return cannot_follow(event, e, "another role was asked");
	if (is_usable && role_of(agent->part) == ROLE_GENERATOR && strlen(body_text(agent, event, "code")) != 64)
		return cannot_follow(event, e, "the candidate's hash is missing");
	switch (role_of(agent->part)) {
	case ROLE_REFLECTOR:
		reflection_parsed(agent, event, is_usable);
		break;
	case ROLE_OPTIMIZER:
		directions_parsed(agent, event, is_usable);
		break;
	default:
		code_parsed(agent, event, is_usable);
	}
	return 0;
}

static double count_of(const struct gk_verdict *verdict, const char *key)
{
	return json_number_value(json_object_get(verdict->counts, key));
}

static struct gk_attempt attempt_of(const struct gk_verdict *verdict, const char *code_hash)
{
	return (struct gk_attempt){
		.code_hash = code_hash,
		.stage = gk_stage_names[verdict->stage],
		.kind = verdict->kind,
		.message = verdict->message,
		.outcome = verdict->outcome,
		.call = verdict->call,
		.exec = verdict->exec,
		.speedup = verdict->speedup,
		.counted = json_is_object(verdict->counts),
		.bytes_moved = count_of(verdict, "bytes_read") + count_of(verdict, "bytes_written"),
		.operations = count_of(verdict, "operations"),
		.launches = count_of(verdict, "launches"),
	};
}

/* Our own fault says nothing about the code: it is judged again, and no role ever hears of it. */
static void judging_failed(struct gk_agent *agent, const struct gk_verdict *verdict)
{
	if (++agent->infra_failures > agent->recipe.infra_retries)
		stop(agent, "infra", "the candidate could not be judged %d times; last: %.160s", agent->infra_failures,
		     verdict->message);
}

static void candidate_judged(struct gk_agent *agent, const struct gk_event *event, struct gk_verdict *verdict)
{
	const struct gk_attempt *best = gk_agent_winner(agent);
	struct gk_attempt before = best ? *best : (struct gk_attempt){0};
	struct gk_attempt attempt = attempt_of(verdict, agent->code_hash);
	struct gk_attempt *added = add_attempt(agent, event, &attempt, verdict);

	if (verdict->outcome == GK_PASS && verdict->exec)
		after_pass(agent, added, best ? &before : NULL);
	else
		after_failure(agent, added);
}

static int on_judged(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	const char *code = json_string_value(json_object_get(event->body, "code"));
	struct gk_verdict verdict = {.kind = NULL};

	if (!code || strcmp(code, agent->code_hash) != 0)
		return cannot_follow(event, e, "another candidate was to be judged");
	if (gk_verdict_from_json(json_object_get(event->body, "verdict"), &verdict, e) < 0)
		return gk_err_context(e, "event %lld", (long long)event->seq);
	if (verdict.outcome != GK_INFRA) {
		candidate_judged(agent, event, &verdict);
		return 0;
	}
	judging_failed(agent, &verdict);
	gk_verdict_release(&verdict);
	return 0;
}

/* The engine may stop a trajectory at any time (a budget), not only when next() says so. */
static int on_stopped(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	(void)event, (void)e;
	agent->phase = PHASE_STOPPED;
	return 0;
}

#define ANY_PHASE (-1)

static const struct {
	int phase;
	int (*fold)(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e);
} folds[GK_EVENT_COUNT] = {
	[GK_EVENT_STARTED] = {PHASE_NEW, on_started},    [GK_EVENT_ASKED] = {PHASE_ASK, on_asked},
	[GK_EVENT_ANSWERED] = {PHASE_ASKED, on_answered}, [GK_EVENT_NO_ANSWER] = {PHASE_ASKED, on_no_answer},
	[GK_EVENT_PARSED] = {PHASE_ANSWERED, on_parsed}, [GK_EVENT_JUDGED] = {PHASE_JUDGE, on_judged},
	[GK_EVENT_STOPPED] = {ANY_PHASE, on_stopped},
};

int gk_agent_fold(struct gk_agent *agent, const struct gk_event *event, struct gk_err *e)
{
	bool is_alive = agent->phase != PHASE_NEW && agent->phase != PHASE_STOPPED;

	if (event->step != agent->next_step)
		return cannot_follow(event, e, "a step is missing or doubled before it");
	if (folds[event->kind].phase == ANY_PHASE ? !is_alive : folds[event->kind].phase != (int)agent->phase)
		return cannot_follow(event, e, "it cannot follow the event before it");
	if (folds[event->kind].fold(agent, event, e) < 0)
		return -1;
	agent->next_step++;
	return 0;
}

/* --- what is to be done --- */

static void fill_ask(const struct gk_agent *agent, int before, struct gk_action *action)
{
	enum role role = role_of(agent->part);

	action->kind = GK_ACTION_ASK;
	snprintf(action->role, sizeof(action->role), "%s", gk_role_names[role]);
	action->ordinal = agent->asks_by_role[role] - before;
	action->sample = (int)agent->number * SAMPLES + agent->asks - before;
}

void gk_agent_next(const struct gk_agent *agent, struct gk_action *action)
{
	memset(action, 0, sizeof(*action));
	switch (agent->phase) {
	case PHASE_ASK:
		fill_ask(agent, 0, action);
		break;
	case PHASE_ANSWERED:
		action->kind = GK_ACTION_PARSE;
		snprintf(action->role, sizeof(action->role), "%s", gk_role_names[role_of(agent->part)]);
		snprintf(action->hash, sizeof(action->hash), "%s", agent->answer_hash);
		break;
	case PHASE_JUDGE:
		action->kind = GK_ACTION_JUDGE;
		snprintf(action->hash, sizeof(action->hash), "%s", agent->code_hash);
		break;
	case PHASE_STOP:
		action->kind = GK_ACTION_STOP;
		snprintf(action->reason, sizeof(action->reason), "%s", agent->stop_reason);
		snprintf(action->message, sizeof(action->message), "%s", agent->stop_message);
		break;
	default:
		action->kind = GK_ACTION_WAIT;
	}
}

bool gk_agent_outstanding(const struct gk_agent *agent, struct gk_action *action)
{
	if (agent->phase != PHASE_ASKED)
		return false;
	memset(action, 0, sizeof(*action));
	fill_ask(agent, 1, action);
	return true;
}

int gk_agent_next_step(const struct gk_agent *agent)
{
	return agent->next_step;
}

bool gk_agent_is_stopped(const struct gk_agent *agent)
{
	return agent->phase == PHASE_STOPPED;
}

int gk_agent_iterations(const struct gk_agent *agent)
{
	return agent->iterations;
}
