/*
 * The agent's paths, driven by scripts. A script has one token per judgement
 * or Generator answer:
 *
 *     Fkind  fails with that kind      Pn  correct, n bytes counted    Sx  correct, speedup's lower bound x
 *     U      undecided                 I   our own fault (judged again with the next token)
 *     N      the answer has no code    X   refused
 *
 * The trace that comes back has a letter per prompt: g generator, r its repair, o its optimisation, R reflector,
 * O optimizer, and "j" per judgement.
 */
#include "agent/agent.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "tap.h"

struct bench {
	struct gk_agent *agent;
	struct gk_map texts; /* hash -> text */
	struct gk_buf trace;
	int answers, directions; /* of each optimizer answer */
	bool refuse_reflector, refuse_optimizer;
	json_t *context; /* of the last ask */
	char stop[300];
	struct gk_err e;
};

static const char *text_of(void *ctx, const char *hash, size_t *size)
{
	struct bench *b = ctx;
	const union gk_map_value *value = gk_map_find(&b->texts, hash);

	if (!value)
		return NULL;
	*size = strlen(value->pointer);
	return value->pointer;
}

static void keep(struct bench *b, const char *text, char hash[GK_HEX_SIZE])
{
	union gk_map_value *value;
	bool is_new;

	gk_hash_hex(text, strlen(text), hash);
	value = gk_map_put(&b->texts, hash, &is_new);
	if (is_new)
		value->pointer = gk_strdup(text);
}

static int feed(struct bench *b, enum gk_event_kind kind, json_t *body)
{
	struct gk_event event = {.seq = 100 + gk_agent_next_step(b->agent), .trajectory = 1, .kind = kind, .body = body};
	int rc;

	event.step = gk_agent_next_step(b->agent);
	rc = gk_agent_fold(b->agent, &event, &b->e);
	json_decref(body);
	return rc;
}

static void open_bench(struct bench *b, const struct gk_recipe *recipe, int number)
{
	memset(b, 0, sizeof(*b));
	b->directions = 2;
	b->agent = gk_agent_new(recipe);
	feed(b, GK_EVENT_STARTED,
	     json_pack("{s:s,s:s,s:i,s:s}", "task", "t", "recipe", recipe->name, "number", number, "target", "cpu"));
}

static void close_bench(struct bench *b)
{
	size_t i;

	for (i = 0; i < b->texts.count; i++)
		free(b->texts.entries[i].value.pointer);
	gk_map_release(&b->texts);
	gk_buf_release(&b->trace);
	json_decref(b->context);
	gk_agent_free(b->agent);
}

static json_t *parsed_body(struct bench *b, const char *role, bool has_code)
{
	char hash[GK_HEX_SIZE], text[64];
	json_t *body, *directions = json_array();
	int i;

	snprintf(text, sizeof(text), "%s %d", role, ++b->answers);
	keep(b, text, hash);
	for (i = 0; i < b->directions; i++)
		json_array_append_new(directions, json_sprintf("direction %d of answer %d", i + 1, b->answers));
	body = json_pack("{s:s,s:b,s:s,s:s?,s:s,s:s,s:o}", "role", role, "ok", has_code, "strategy", text, "code",
	                 has_code ? hash : NULL, "text", hash, "problem", has_code ? "" : "no code block",
	                 "directions", directions);
	return body;
}

static json_t *verdict_json(const char *token)
{
	struct gk_verdict verdict = {.stage = GK_STAGE_EXEC, .outcome = GK_PASS, .kind = "pass", .message = ""};
	char message[64];
	json_t *json;

	verdict.plan_hash = "";
	snprintf(message, sizeof(message), "words about %s", token + 1);
	if (token[0] == 'F' || token[0] == 'U' || token[0] == 'I') {
		verdict.outcome = token[0] == 'F' ? GK_FAIL : token[0] == 'U' ? GK_UNDECIDED : GK_INFRA;
		verdict.kind = token[0] == 'F' ? token + 1 : token[0] == 'U' ? "not_capturable" : "worker_lost";
		verdict.message = message;
	} else {
		verdict.call = verdict.exec = true;
	}
	if (token[0] == 'P')
		verdict.counts = json_pack("{s:i,s:i,s:i,s:i}", "bytes_read", atoi(token + 1), "bytes_written", 0,
		                           "operations", 5, "launches", 1);
	if (token[0] == 'S') { /* with a noise floor of five percent */
		verdict.speedup = (struct gk_speedup){.measured = true, .mean = atof(token + 1), .geomean = 1,
		                                      .low = atof(token + 1), .high = 9, .floor = 0.05};
		verdict.cases = gk_arena_array(&verdict.arena, 1, sizeof *verdict.cases);
		verdict.case_count = 1;
		verdict.cases[0] = (struct gk_case_result){
			"N=9", "perf", GK_PASS, "", "",
			json_pack("{s:f, s:f, s:f}", "reference_ms", 1.5, "candidate_ms", 0.51234, "speedup", 2.9278), NULL};
	}
	json = gk_verdict_to_json(&verdict);
	gk_verdict_release(&verdict);
	return json;
}

static void ask(struct bench *b, const struct gk_action *action, const char **token)
{
	static const char letters[] = {'g', 'r', 'o', 'R', 'O'};
	static const char *const parts[] = {"generator", "generator_repair", "generator_optimize", "reflector",
	                                    "optimizer"};
	char hash[GK_HEX_SIZE];
	const char *part;
	bool is_refused;
	size_t i;

	json_decref(b->context);
	b->context = gk_agent_context(b->agent, text_of, b, &b->e);
	part = json_string_value(json_object_get(b->context, "part"));
	for (i = 0; i < 5; i++)
		if (part && strcmp(part, parts[i]) == 0)
			gk_buf_add_char(&b->trace, letters[i]);
	is_refused = (action->role[0] == 'r' && b->refuse_reflector) || (action->role[0] == 'o' && b->refuse_optimizer) ||
	             (action->role[0] == 'g' && **token == 'X');
	keep(b, action->role, hash);
	feed(b, GK_EVENT_ASKED, json_pack("{s:s,s:s,s:i,s:i}", "role", action->role, "prompt", hash, "sample",
	                                  action->sample, "ordinal", action->ordinal));
	if (is_refused)
		feed(b, GK_EVENT_NO_ANSWER,
		     json_pack("{s:s,s:s,s:s}", "role", action->role, "status", "refused", "message", "too long"));
	else
		feed(b, GK_EVENT_ANSWERED,
		     json_pack("{s:s,s:s,s:s}", "role", action->role, "answer", hash, "finish", "stop"));
	if (is_refused && action->role[0] == 'g')
		*token += strcspn(*token, " "), *token += strspn(*token, " ");
}

static void judge(struct bench *b, const struct gk_action *action, const char *token)
{
	char word[32];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(token, " "), token);
	gk_buf_add_char(&b->trace, 'j');
	feed(b, GK_EVENT_JUDGED, json_pack("{s:s,s:o}", "code", action->hash, "verdict", verdict_json(word)));
}

/* One action; false when the trajectory has stopped or the script is used up. */
static bool perform(struct bench *b, const char **token)
{
	struct gk_action action;
	bool has_code;

	gk_agent_next(b->agent, &action);
	switch (action.kind) {
	case GK_ACTION_ASK:
		if (!**token && action.role[0] == 'g')
			return false;
		ask(b, &action, token);
		return b->e.kind == GK_ERR_NONE;
	case GK_ACTION_PARSE:
		has_code = action.role[0] != 'g' || **token != 'N';
		if (!has_code)
			*token += strcspn(*token, " "), *token += strspn(*token, " ");
		feed(b, GK_EVENT_PARSED, parsed_body(b, action.role, has_code));
		return true;
	case GK_ACTION_JUDGE:
		if (!**token)
			return false;
		judge(b, &action, *token);
		*token += strcspn(*token, " "), *token += strspn(*token, " ");
		return true;
	case GK_ACTION_STOP:
		snprintf(b->stop, sizeof(b->stop), "%s", action.reason);
		feed(b, GK_EVENT_STOPPED, json_pack("{s:s,s:s}", "reason", action.reason, "message", action.message));
		return false;
	default:
		return false;
	}
}

static void run(struct bench *b, const char *script)
{
	while (perform(b, &script))
		;
}

static struct gk_recipe recipe_for(int64_t iterations, bool solved)
{
	struct gk_recipe recipe;

	gk_recipe_defaults(&recipe);
	recipe.iterations = iterations;
	recipe.stop.solved = solved;
	recipe.max_perf_debug_num = 2;
	recipe.max_same_failure = 3;
	return recipe;
}

struct path {
	const char *script, *trace, *stop, *behaviour;
	int64_t iterations;
	bool solved, no_reflexion, no_optimizer, refuse_reflector, refuse_optimizer;
	int64_t without_gain;
	double speedup;
	int64_t debug_num; /* 0: 2 */
};

static const struct path paths[] = {
	{"P10", "gj", "solved", "the first answer may be enough", .iterations = 1, .solved = true},
	{"Fbad", "gj", "iterations", "one wrong answer and no iteration left: nobody reflects", .iterations = 1},
	{"Fa P10", "gjRrj", "solved", "a failure is reflected on and repaired", .iterations = 5, .solved = true},
	{"Fa Fb P10", "gjRrjRrj", "solved", "and again", .iterations = 5, .solved = true},
	{"Fa Fb Fc Fd P1", "gjRrjRrjgjRrj", "iterations", "two repairs spring the trap: a fresh strategy",
	 .iterations = 5},
	{"Fa Fa Fa P1", "gjRrjRrjgj", "iterations", "the same failure three times does, too", .iterations = 4,
	 .debug_num = 9},
	{"Fa Fa Fb Fa P1", "gjRrjRrjRrjRrj", "iterations", "but only in a row", .iterations = 5, .debug_num = 9},
	{"P90 P80 P70", "gjOojOoj", "iterations", "what gains is followed by a new question to the Optimizer",
	 .iterations = 3},
	{"P90 P95 P70", "gjOojoj", "iterations", "what gains nothing is followed by the other direction",
	 .iterations = 3},
	{"P90 P95 P95 P60", "gjOojojOoj", "iterations", "until the directions are used up", .iterations = 4},
	{"P90 Fa P80", "gjOojRrj", "iterations", "a failed optimisation is repaired", .iterations = 3},
	{"P90 Fa Fb Fc P80", "gjOojRrjRrjoj", "iterations", "trapped, the other direction is taken", .iterations = 5},
	{"P90 P95 P95 P95 P10", "gjOojojOoj", "no_gain", "three optimisations without gain end it", .iterations = 9,
	 .without_gain = 3},
	{"P90 P95 P80 P95 P95 P10", "gjOojojOojoj", "no_gain", "a gain in between counts them anew", .iterations = 9,
	 .without_gain = 2},
	{"P90 Fa Fa Fa P95", "gjOojRrjRrjoj", "no_gain", "a trapped optimisation counts among them", .iterations = 9,
	 .without_gain = 2},
	{"S1.1 S1.2 S1.6", "gjOojOoj", "target", "the wanted speedup ends it", .iterations = 9, .speedup = 1.5},
	{"S1.1 S1.13 S1.3", "gjOojoj", "iterations", "what is faster by no more than noise gains nothing", .iterations = 3},
	{"Fa P1", "gjrj", "solved", "without reflexion the repair comes at once", .iterations = 5, .solved = true,
	 .no_reflexion = true},
	{"P9 P8", "gjgj", "iterations", "without optimizer each correct answer is followed by a fresh one",
	 .iterations = 2, .no_optimizer = true},
	{"N P1", "ggj", "solved", "an answer without code is asked for again, and not reflected on", .iterations = 3,
	 .solved = true},
	{"N N N P1", "ggggj", "solved", "three of them begin a fresh line", .iterations = 5, .solved = true},
	{"Fa N P1", "gjRrrj", "solved", "a repair without code is asked for again", .iterations = 5, .solved = true},
	{"P9 N P8", "gjOooj", "iterations", "an optimisation without code too", .iterations = 3},
	{"U P1", "gjRrj", "solved", "undecided is reflected on", .iterations = 3, .solved = true},
	{"I I P1", "gjjj", "solved", "our own fault is judged again, unseen by the Reflector", .iterations = 3,
	 .solved = true},
	{"I I Fa I P1", "gjjjRrjj", "solved", "each candidate has its own patience", .iterations = 3, .solved = true},
	{"I I I P1", "gjjj", "infra", "but not without end", .iterations = 3, .solved = true},
	{"X P1", "g", "no_answer", "a refused fresh prompt ends it", .iterations = 5, .solved = true},
	{"Fa X P1", "gjRrgj", "solved", "a refused repair begins afresh", .iterations = 5, .solved = true},
	{"Fa X X", "gjRrg", "no_answer", "refused again: the end", .iterations = 5, .solved = true},
	{"Fa X", "gjRr", "iterations", "a refusal uses up an iteration", .iterations = 2, .solved = true},
	{"Fa P1", "gjRrj", "solved", "a refused reflection leaves the repair", .iterations = 5, .solved = true,
	 .refuse_reflector = true},
	{"P9 P8", "gjOoj", "iterations", "a refused optimizer leaves the Generator to choose", .iterations = 2,
	 .refuse_optimizer = true},
};

static void test_paths(void)
{
	size_t i;

	for (i = 0; i < gk_count_of(paths); i++) {
		const struct path *p = &paths[i];
		struct gk_recipe recipe = recipe_for(p->iterations, p->solved);
		struct bench b;

		recipe.modules.reflexion = !p->no_reflexion;
		recipe.modules.optimizer = !p->no_optimizer;
		recipe.stop.without_gain = p->without_gain;
		recipe.stop.speedup = p->speedup;
		recipe.max_perf_debug_num = p->debug_num ? p->debug_num : recipe.max_perf_debug_num;
		open_bench(&b, &recipe, 0);
		b.refuse_reflector = p->refuse_reflector;
		b.refuse_optimizer = p->refuse_optimizer;
		run(&b, p->script);
		is_text(gk_buf_text(&b.trace), p->trace, p->behaviour);
		is_text(b.stop, p->stop, "and stops with its reason");
		if (b.e.kind != GK_ERR_NONE)
			printf("# %s\n", b.e.text);
		ok(gk_agent_is_stopped(b.agent) && b.e.kind == GK_ERR_NONE, "without an error");
		close_bench(&b);
	}
}

static const char *in_context(const struct bench *b, const char *object, const char *key)
{
	const json_t *at = object ? json_object_get(b->context, object) : b->context;

	return json_string_value(json_object_get(at, key));
}

static void test_context_of_repair(void)
{
	struct gk_recipe recipe = recipe_for(9, true);
	struct bench b;

	open_bench(&b, &recipe, 0);
	run(&b, "Fa Fb P1");
	is_text(in_context(&b, "previous", "code"), "generator 3\n", "a repair shows the code that failed");
	is_text(in_context(&b, "previous", "fence"), "```", "within a fence");
	is_text(json_string_value(json_object_get(
			json_object_get(json_object_get(b.context, "previous"), "verdict"), "message")),
	        "words about b", "with the judge's words");
	is_text(in_context(&b, "reflection", "text"), "reflector 4", "and the reflection on it");
	is_int((long long)json_array_size(json_object_get(b.context, "earlier_reflections")), 1,
	       "and the earlier one apart from it");
	close_bench(&b);
}

static void test_context_of_restart(void)
{
	struct gk_recipe recipe = recipe_for(9, true);
	const json_t *tried;
	struct bench b;

	open_bench(&b, &recipe, 0);
	run(&b, "Fa Fb Fc N P1");
	tried = json_object_get(b.context, "tried");
	is_int((long long)json_array_size(tried), 1, "a restart hears of the line that was given up, once");
	is_text(json_string_value(json_object_get(json_array_get(tried, 0), "kind")), "c", "and how it ended");
	is_text(in_context(&b, NULL, "format_problem"), "no code block", "and what was wrong with the last answer");
	close_bench(&b);
}

static void test_context_of_optimisation(void)
{
	struct gk_recipe recipe = recipe_for(6, false);
	struct bench b;

	recipe.directions = 1;
	open_bench(&b, &recipe, 0);
	run(&b, "P50 P90 P40 P70");
	json_decref(b.context);
	b.context = gk_agent_context(b.agent, text_of, &b, &b.e);
	is_text(in_context(&b, NULL, "part"), "generator_optimize", "the Generator gets a direction");
	ok(strncmp(in_context(&b, NULL, "direction"), "direction 1 of answer", 21) == 0, "the first of the answer");
	is_int(json_integer_value(json_object_get(json_object_get(b.context, "base"), "attempt")), 3,
	       "and the best correct module");
	is_int(gk_agent_winner(b.agent)->number, 3, "the winner moves the fewest bytes");
	close_bench(&b);
}

static void test_ancestors(void)
{
	struct gk_recipe recipe = recipe_for(9, false);
	const char *script = "P50 P90 P40";
	const json_t *ancestors;
	struct gk_action action;
	struct bench b;

	recipe.ancestors = 2;
	recipe.directions = 1;
	open_bench(&b, &recipe, 0);
	while (perform(&b, &script)) {
		gk_agent_next(b.agent, &action);
		if (!*script && action.kind == GK_ACTION_ASK)
			break;
	}
	json_decref(b.context);
	b.context = gk_agent_context(b.agent, text_of, &b, &b.e);
	ancestors = json_object_get(b.context, "ancestors");
	is_int((long long)json_array_size(ancestors), 2, "the Optimizer sees the fastest ancestors only");
	is_int(json_integer_value(json_object_get(json_array_get(ancestors, 0), "attempt")), 1, "slow");
	is_int(json_integer_value(json_object_get(json_array_get(ancestors, 1), "attempt")), 3, "to fast");
	is_text(json_string_value(json_object_get(json_object_get(json_array_get(ancestors, 1), "counted"),
	                                          "bytes_read")),
	        "40", "with what was counted");
	close_bench(&b);
}

static void test_measured_ancestors(void)
{
	struct gk_recipe recipe = recipe_for(9, false);
	const char *script = "S1.5 S1.2 S1.9";
	const json_t *ancestors, *measured, *timed;
	struct gk_action action;
	struct bench b;

	recipe.directions = 1;
	open_bench(&b, &recipe, 0);
	while (perform(&b, &script)) {
		gk_agent_next(b.agent, &action);
		if (!*script && action.kind == GK_ACTION_ASK)
			break;
	}
	json_decref(b.context);
	b.context = gk_agent_context(b.agent, text_of, &b, &b.e);
	ancestors = json_object_get(b.context, "ancestors");
	is_int(json_integer_value(json_object_get(json_array_get(ancestors, 0), "attempt")), 2, "measured ones slow");
	is_int(json_integer_value(json_object_get(json_array_get(ancestors, 2), "attempt")), 3, "to fast");
	measured = json_object_get(json_array_get(ancestors, 2), "measured");
	timed = json_array_get(json_object_get(measured, "cases"), 0);
	is_text(json_string_value(json_object_get(measured, "mean")), "1.9", "with their speedup");
	is_text(json_string_value(json_object_get(timed, "ms")), "0.512", "and how long each case took");
	is_text(json_string_value(json_object_get(timed, "expert_ms")), "1.5", "and the reference");
	close_bench(&b);
}

static void test_tried_by_optimizer(void)
{
	struct gk_recipe recipe = recipe_for(9, false);
	const char *script = "P50 P90 P50 P40 Fa Fb Fc";
	const json_t *tried;
	struct gk_action action;
	struct bench b;

	recipe.directions = 1;
	open_bench(&b, &recipe, 0);
	while (perform(&b, &script)) {
		gk_agent_next(b.agent, &action);
		if (!*script && action.kind == GK_ACTION_ASK)
			break;
	}
	json_decref(b.context);
	b.context = gk_agent_context(b.agent, text_of, &b, &b.e);
	tried = json_object_get(b.context, "tried");
	is_text(in_context(&b, NULL, "part"), "optimizer", "trapped, the Optimizer is asked again");
	is_int((long long)json_array_size(tried), 3, "it hears of what failed and of what gained nothing");
	ok(json_is_true(json_object_get(json_array_get(tried, 1), "is_correct")) &&
	           !json_is_true(json_object_get(json_array_get(tried, 1), "gained")),
	   "with the difference");
	close_bench(&b);
}

static void test_numbers(void)
{
	struct gk_recipe recipe = recipe_for(9, true);
	struct gk_action action, again;
	struct bench b;

	open_bench(&b, &recipe, 3);
	run(&b, "Fa");
	gk_agent_next(b.agent, &action);
	is_int(action.ordinal, 1, "ordinals count the prompts of a role");
	is_int(action.sample, 300002, "samples are told by trajectory and prompt, not by arrival");
	ok(!gk_agent_outstanding(b.agent, &again), "nothing is outstanding before the prompt is sent");
	feed(&b, GK_EVENT_ASKED, json_pack("{s:s}", "role", "generator"));
	ok(gk_agent_outstanding(b.agent, &again) && again.sample == action.sample && again.ordinal == action.ordinal,
	   "afterwards the same prompt is");
	json_decref(b.context);
	b.context = gk_agent_context(b.agent, text_of, &b, &b.e);
	is_text(in_context(&b, NULL, "part"), "generator_repair", "and can be rendered again");
	gk_agent_next(b.agent, &action);
	is_int(action.kind, GK_ACTION_WAIT, "there is nothing to do but wait");
	close_bench(&b);
}

static void refuse(struct bench *b, enum gk_event_kind kind, json_t *body, const char *behaviour)
{
	b->e = (struct gk_err){GK_ERR_NONE, ""};
	ok(feed(b, kind, body) < 0 && b->e.kind == GK_ERR_INPUT, behaviour);
	printf("# %s\n", b->e.text);
}

static void test_foreign_events(void)
{
	struct gk_recipe recipe = recipe_for(9, true);
	struct gk_event event = {.step = 7, .kind = GK_EVENT_ASKED, .body = json_object()};
	struct bench b;

	open_bench(&b, &recipe, 0);
	refuse(&b, GK_EVENT_JUDGED, json_pack("{s:s}", "code", "x"), "a verdict before any candidate is refused");
	refuse(&b, GK_EVENT_ASKED, json_pack("{s:s}", "role", "reflector"), "so is another role");
	refuse(&b, GK_EVENT_STARTED, json_object(), "and a second start");
	ok(gk_agent_fold(b.agent, &event, &b.e) < 0, "and a gap in the steps");
	json_decref(event.body);
	b.e = (struct gk_err){GK_ERR_NONE, ""};
	ok(feed(&b, GK_EVENT_STOPPED, json_pack("{s:s}", "reason", "budget")) == 0, "a budget may stop it at any time");
	refuse(&b, GK_EVENT_ASKED, json_pack("{s:s}", "role", "generator"), "nothing follows the end");
	close_bench(&b);
}

static struct gk_attempt attempt(int number, double low, double bytes, double operations)
{
	return (struct gk_attempt){.number = number, .outcome = GK_PASS, .exec = true, .counted = bytes > 0,
	                           .speedup = {.measured = low > 0, .mean = low, .low = low, .high = low},
	                           .bytes_moved = bytes,
	                           .operations = operations};
}

static void test_compare(void)
{
	struct gk_attempt fast = attempt(5, 1.5, 0, 0), slow = attempt(1, 1.2, 0, 0), lean = attempt(4, 0, 10, 9);
	struct gk_attempt busy = attempt(2, 0, 10, 20), fat = attempt(1, 0, 20, 1), bare = attempt(1, 0, 0, 0);
	struct gk_attempt twin = attempt(6, 0, 10, 9);

	ok(gk_attempt_compare(&fast, &slow) > 0, "the higher lower bound wins");
	ok(gk_attempt_compare(&slow, &lean) > 0, "measured beats counted");
	ok(gk_attempt_compare(&lean, &fat) > 0, "fewer bytes win");
	ok(gk_attempt_compare(&lean, &busy) > 0, "then fewer operations");
	ok(gk_attempt_compare(&lean, &twin) > 0, "then who came first");
	ok(gk_attempt_compare(&fat, &bare) > 0, "counted beats nothing");
	ok(gk_attempt_compare(&bare, &fat) < 0, "either way round");
}

static void test_recipes(void)
{
	static const char *const files[] = {"recipes/direct.yaml", "recipes/reflexion.yaml", "recipes/geak.yaml"};
	struct gk_recipe recipe, again;
	struct gk_err e = {0};
	json_t *json, *json_again;
	size_t i;

	for (i = 0; i < gk_count_of(files); i++) {
		ok(gk_recipe_read(files[i], &recipe, &e) == 0, files[i]);
		json = gk_recipe_to_json(&recipe);
		ok(gk_recipe_from_json(json, &again, &e) == 0, "its stored form can be read");
		json_again = gk_recipe_to_json(&again);
		ok(json_equal(json, json_again), "and says the same");
		json_decref(json);
		json_decref(json_again);
	}
	json = json_pack("{s:s,s:i}", "name", "x", "iterations", 0);
	ok(gk_recipe_from_json(json, &recipe, &e) < 0 && strstr(e.text, "iterations"), "no iterations is refused");
	json_decref(json);
	json = json_pack("{s:s,s:{s:b}}", "name", "x", "modules", "optimiser", 1);
	ok(gk_recipe_from_json(json, &recipe, &e) < 0 && strstr(e.text, "optimizer"), "a misspelt module is refused");
	json_decref(json);
}

int main(void)
{
	test_paths();
	test_context_of_repair();
	test_context_of_restart();
	test_context_of_optimisation();
	test_ancestors();
	test_measured_ancestors();
	test_tried_by_optimizer();
	test_numbers();
	test_foreign_events();
	test_compare();
	test_recipes();
	return done_testing();
}
