/* What a prompt has to say, as data for its template: the names are listed in docs/agent.md. */
#include "agent/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

#define MAX_CODE_BYTES       65536
#define MAX_REFLECTION_BYTES 6000
#define MAX_MESSAGE_BYTES    4000
#define MAX_CASE_BYTES       600
#define MAX_RESULT_BYTES     300
#define MAX_CASES            5
#define MAX_TRIED            6
#define MAX_TIMED            6
#define MAX_REFLECTIONS      3

struct texts {
	gk_text_fn *read;
	void *ctx;
};

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, text && text[0] ? json_string(text) : json_null());
}

static void put_cut(json_t *object, const char *key, const char *text, size_t max_bytes)
{
	gk_buf_auto cut = GK_BUF_INIT;

	if (text)
		gk_text_add_safe(&cut, text, strlen(text), max_bytes, true);
	put_text(object, key, gk_buf_text(&cut));
}

static void put_number(json_t *object, const char *key, double value)
{
	char text[32];

	gk_text_number(value, text);
	json_object_set_new(object, key, json_string(text));
}

/* Four decimals are more than a measurement holds. */
static void put_ratio(json_t *object, const char *key, double value)
{
	put_number(object, key, round(value * 1e4) / 1e4);
}

static int add_stored(struct gk_buf *out, const struct texts *texts, const char *hash, size_t max_bytes,
                      struct gk_err *e)
{
	size_t size = 0;
	const char *text = texts->read(texts->ctx, hash, &size);

	if (!text)
		return gk_err_set(e, GK_ERR_INTERNAL, "the text %.64s is not stored", hash);
	gk_text_add_safe(out, text, size, max_bytes, true);
	return 0;
}

/* A run of backticks longer than any in the code. */
static void put_fence(json_t *object, const char *code)
{
	size_t run = 0, longest = 2;
	gk_buf_auto fence = GK_BUF_INIT;

	for (; *code; code++) {
		run = *code == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	while (fence.size <= longest)
		gk_buf_add_char(&fence, '`');
	put_text(object, "fence", gk_buf_text(&fence));
}

static int put_code(json_t *object, const struct texts *texts, const char *hash, struct gk_err *e)
{
	gk_buf_auto code = GK_BUF_INIT;

	if (add_stored(&code, texts, hash, MAX_CODE_BYTES, e) < 0)
		return -1;
	if (code.size == 0 || code.bytes[code.size - 1] != '\n')
		gk_buf_add_char(&code, '\n');
	put_fence(object, gk_buf_text(&code));
	put_text(object, "code", gk_buf_text(&code));
	return 0;
}

/* Three digits are what a measurement holds. */
static void put_ms(json_t *object, const char *key, double ms)
{
	char text[32];

	snprintf(text, sizeof text, "%.3g", ms);
	put_text(object, key, text);
}

/* In the order of the task. */
static json_t *timed_cases(const struct gk_verdict *verdict)
{
	json_t *cases = json_array(), *json;
	size_t i;

	for (i = 0; i < verdict->case_count && json_array_size(cases) < MAX_TIMED; i++) {
		const json_t *detail = verdict->cases[i].detail;

		if (strcmp(verdict->cases[i].part, "perf") != 0 || !json_is_number(json_object_get(detail, "speedup")))
			continue;
		json = json_object();
		put_text(json, "case", verdict->cases[i].case_id);
		put_ms(json, "ms", json_number_value(json_object_get(detail, "candidate_ms")));
		put_ms(json, "expert_ms", json_number_value(json_object_get(detail, "reference_ms")));
		put_ratio(json, "speedup", json_number_value(json_object_get(detail, "speedup")));
		json_array_append_new(cases, json);
	}
	return cases;
}

static json_t *measured_json(const struct gk_verdict *verdict)
{
	const struct gk_speedup *speedup = &verdict->speedup;
	json_t *json;

	if (!speedup->measured)
		return json_null();
	json = json_object();
	put_ratio(json, "mean", speedup->mean);
	put_ratio(json, "geomean", speedup->geomean);
	put_ratio(json, "low", speedup->low);
	put_ratio(json, "high", speedup->high);
	json_object_set_new(json, "within_noise", json_boolean(speedup->within_noise));
	json_object_set_new(json, "cases", timed_cases(verdict));
	return json;
}

static json_t *counted_json(const struct gk_attempt *attempt, const struct gk_verdict *verdict)
{
	static const char *const keys[] = {"bytes_read", "bytes_written"};
	json_t *json;
	size_t i;

	if (!attempt->counted)
		return json_null();
	json = json_object();
	for (i = 0; i < gk_count_of(keys); i++)
		put_number(json, keys[i], json_number_value(json_object_get(verdict->counts, keys[i])));
	put_number(json, "operations", attempt->operations);
	put_number(json, "launches", attempt->launches);
	return json;
}

static json_t *case_json(const struct gk_case_result *result)
{
	json_t *json = json_object();

	put_text(json, "case", result->case_id);
	put_text(json, "kind", result->kind);
	put_cut(json, "message", result->message, MAX_CASE_BYTES);
	return json;
}

static json_t *verdict_json(const struct gk_attempt *attempt, const struct gk_verdict *verdict)
{
	json_t *json = json_object(), *cases = json_array();
	size_t i, failed = 0, passed = 0;

	put_text(json, "stage", attempt->stage);
	put_text(json, "kind", attempt->kind);
	put_cut(json, "message", attempt->message, MAX_MESSAGE_BYTES);
	json_object_set_new(json, "is_undecided", json_boolean(attempt->outcome == GK_UNDECIDED));
	for (i = 0; i < verdict->case_count; i++) {
		bool is_pass = verdict->cases[i].outcome == GK_PASS;

		passed += is_pass;
		failed += !is_pass;
		if (!is_pass && failed <= MAX_CASES)
			json_array_append_new(cases, case_json(&verdict->cases[i]));
	}
	json_object_set_new(json, "passed", json_integer((json_int_t)passed));
	json_object_set_new(json, "failed", json_integer((json_int_t)failed));
	json_object_set_new(json, "cases", cases);
	return json;
}

/* New reference in *json. */
static int attempt_json(const struct gk_agent *agent, const struct gk_attempt *attempt,
                        const struct texts *texts, json_t **json, struct gk_err *e)
{
	const struct gk_verdict *verdict = &agent->verdicts.items[attempt - agent->attempts.items];
	json_t *made = json_object();

	json_object_set_new(made, "attempt", json_integer(attempt->number));
	put_text(made, "strategy", attempt->strategy);
	json_object_set_new(made, "measured", measured_json(verdict));
	json_object_set_new(made, "counted", counted_json(attempt, verdict));
	json_object_set_new(made, "verdict", verdict_json(attempt, verdict));
	if (put_code(made, texts, attempt->code_hash, e) < 0) {
		json_decref(made);
		return -1;
	}
	*json = made;
	return 0;
}

static int put_attempt(json_t *context, const char *key, const struct gk_agent *agent,
                       const struct gk_attempt *attempt, const struct texts *texts, struct gk_err *e)
{
	json_t *json = NULL;

	if (!attempt)
		return gk_err_set(e, GK_ERR_INTERNAL, "no attempt that a prompt could speak of");
	if (attempt_json(agent, attempt, texts, &json, e) < 0)
		return -1;
	json_object_set_new(context, key, json);
	return 0;
}

static bool has_code(const struct gk_attempt *attempt)
{
	return attempt->code_hash[0] != '\0';
}

static bool is_correct(const struct gk_attempt *attempt)
{
	return attempt->outcome == GK_PASS && attempt->exec;
}

/* The one under repair. */
static const struct gk_attempt *last_with_code(const struct gk_agent *agent)
{
	size_t i = agent->attempts.count;

	while (i-- > 0)
		if (has_code(&agent->attempts.items[i]))
			return &agent->attempts.items[i];
	return NULL;
}

/* --- what was tried --- */

static bool is_repair(const struct gk_attempt *attempt)
{
	return strcmp(attempt->role, gk_part_names[PART_REPAIR]) == 0;
}

/* The last attempt with code of each line: how the line ended. */
static bool ends_line(const struct gk_agent *agent, size_t i)
{
	size_t next = i + 1;

	if (!has_code(&agent->attempts.items[i]))
		return false;
	while (next < agent->attempts.count && !has_code(&agent->attempts.items[next]))
		next++;
	return next == agent->attempts.count || !is_repair(&agent->attempts.items[next]);
}

static json_t *tried_json(const struct gk_attempt *attempt, bool gained)
{
	json_t *json = json_object();

	json_object_set_new(json, "attempt", json_integer(attempt->number));
	put_text(json, "strategy", attempt->strategy);
	json_object_set_new(json, "is_correct", json_boolean(is_correct(attempt)));
	json_object_set_new(json, "gained", json_boolean(gained));
	put_text(json, "kind", attempt->kind);
	put_cut(json, "message", attempt->message, MAX_RESULT_BYTES);
	return json;
}

/*
 * The newest MAX_TRIED ends of lines, oldest first; for the Optimizer without
 * those that gained: they are shown in full as ancestors.
 */
static void put_tried(json_t *context, const struct gk_agent *agent, bool without_gains)
{
	const struct gk_attempt *best = NULL;
	json_t *tried = json_array();
	size_t i;

	for (i = 0; i < agent->attempts.count; i++) {
		const struct gk_attempt *attempt = &agent->attempts.items[i];
		bool gained = is_correct(attempt) && (!best || gk_attempt_has_gained(attempt, best));

		best = gained ? attempt : best;
		if (!ends_line(agent, i) || (without_gains && gained))
			continue;
		json_array_append_new(tried, tried_json(attempt, gained));
		if (json_array_size(tried) > MAX_TRIED)
			json_array_remove(tried, 0);
	}
	json_object_set_new(context, "tried", tried);
}

/* --- ancestors --- */

static int slow_to_fast(const void *a, const void *b)
{
	return gk_attempt_compare(*(const struct gk_attempt *const *)a, *(const struct gk_attempt *const *)b);
}

static bool is_known(const struct gk_attempt *const *known, size_t count, const struct gk_attempt *attempt)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(known[i]->code_hash, attempt->code_hash) == 0)
			return true;
	return false;
}

/* Correct attempts, each text once, slow to fast. The caller frees. */
static const struct gk_attempt **sorted_correct(const struct gk_agent *agent, size_t *count)
{
	const struct gk_attempt **found =
		gk_alloc_array(agent->attempts.count + 1, sizeof(const struct gk_attempt *));
	size_t i;

	*count = 0;
	for (i = 0; i < agent->attempts.count; i++) {
		const struct gk_attempt *attempt = &agent->attempts.items[i];

		if (is_correct(attempt) && !is_known(found, *count, attempt))
			found[(*count)++] = attempt;
	}
	qsort(found, *count, sizeof(const struct gk_attempt *), slow_to_fast);
	return found;
}

static int put_ancestors(json_t *context, const struct gk_agent *agent, const struct texts *texts,
                         struct gk_err *e)
{
	size_t count, first, i;
	const struct gk_attempt **sorted = sorted_correct(agent, &count);
	json_t *ancestors = json_array();
	int rc = 0;

	first = count > (size_t)agent->recipe.ancestors ? count - (size_t)agent->recipe.ancestors : 0;
	for (i = first; i < count && rc == 0; i++) {
		json_t *json = NULL;

		rc = attempt_json(agent, sorted[i], texts, &json, e);
		if (rc == 0)
			json_array_append_new(ancestors, json);
	}
	json_object_set_new(context, "ancestors", ancestors);
	free(sorted);
	return rc;
}

/* --- reflections --- */

static int add_reflection(json_t *array, const struct reflection *reflection, const struct texts *texts,
                          struct gk_err *e)
{
	gk_buf_auto text = GK_BUF_INIT;
	json_t *json;

	if (add_stored(&text, texts, reflection->text_hash, MAX_REFLECTION_BYTES, e) < 0)
		return -1;
	json = json_object();
	json_object_set_new(json, "attempt", json_integer(reflection->attempt));
	put_text(json, "text", gk_buf_text(&text));
	json_array_append_new(array, json);
	return 0;
}

/* "reflection" is the one about the attempt under repair, "earlier_reflections" the last few before it. */
static int put_reflections(json_t *context, const struct gk_agent *agent, const struct texts *texts,
                           struct gk_err *e)
{
	const struct gk_attempt *attempt = last_with_code(agent);
	size_t count = agent->reflections.count, first, i;
	json_t *earlier = json_array(), *newest = json_array();
	bool has_newest = count && attempt && gk_vec_last(&agent->reflections).attempt == attempt->number;
	size_t before = has_newest ? count - 1 : count;
	int rc = 0;

	first = before > MAX_REFLECTIONS ? before - MAX_REFLECTIONS : 0;
	for (i = first; i < before && rc == 0; i++)
		rc = add_reflection(earlier, &agent->reflections.items[i], texts, e);
	if (has_newest && rc == 0)
		rc = add_reflection(newest, &agent->reflections.items[before], texts, e);
	json_object_set(context, "reflection",
	                has_newest && rc == 0 ? json_array_get(newest, 0) : json_null());
	json_object_set_new(context, "earlier_reflections", earlier);
	json_decref(newest);
	return rc;
}

/* --- the parts --- */

/* The direction that the line under repair began with. */
static const char *direction_of_line(const struct gk_agent *agent)
{
	size_t i = agent->attempts.count;

	while (i-- > 0)
		if (!is_repair(&agent->attempts.items[i]))
			return agent->attempts.items[i].is_fresh ? NULL : agent->direction;
	return NULL;
}

static int put_part(json_t *context, const struct gk_agent *agent, const struct texts *texts,
                    struct gk_err *e)
{
	switch (agent->part) {
	case PART_GENERATE:
		put_tried(context, agent, false);
		return 0;
	case PART_OPTIMIZE:
		put_text(context, "direction", agent->direction);
		return put_attempt(context, "base", agent, gk_agent_winner(agent), texts, e);
	case PART_DIRECT:
		put_tried(context, agent, true);
		json_object_set_new(context, "directions", json_integer(agent->recipe.directions));
		return put_ancestors(context, agent, texts, e);
	default: /* REFLECT, REPAIR */
		put_text(context, "direction", direction_of_line(agent));
		if (put_attempt(context, "previous", agent, last_with_code(agent), texts, e) < 0)
			return -1;
		return put_reflections(context, agent, texts, e);
	}
}

json_t *gk_agent_context(const struct gk_agent *agent, gk_text_fn *read, void *ctx, struct gk_err *e)
{
	struct texts texts = {read, ctx};
	json_t *context, *modules;

	if (agent->phase != PHASE_ASK && agent->phase != PHASE_ASKED) {
		gk_err_set(e, GK_ERR_INTERNAL, "no prompt is due");
		return NULL;
	}
	context = json_object();
	modules = json_object();
	put_text(context, "part", gk_part_names[agent->part]);
	put_text(context, "format_problem", agent->format_problem);
	json_object_set_new(modules, "knowledge", json_boolean(agent->recipe.modules.knowledge));
	json_object_set_new(modules, "one_shot", json_boolean(agent->recipe.modules.one_shot));
	json_object_set_new(context, "modules", modules);
	if (put_part(context, agent, &texts, e) < 0) {
		json_decref(context);
		return NULL;
	}
	return context;
}
