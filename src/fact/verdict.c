#include "verdict.h"

#include <string.h>

#include "base/doc.h"
#include "base/memory.h"

#define MAX_CASES 4096

const char *const gk_stage_names[] = {"lint", "call", "exec", "perf", NULL};
const char *const gk_outcome_names[] = {"pass", "fail", "undecided", "infra", NULL};
const char *const gk_evidence_names[] = {"none", "simulated", "sealed", "contained", NULL};

void gk_verdict_release(struct gk_verdict *verdict)
{
	for (size_t i = 0; i < verdict->case_count; i++) {
		json_decref(verdict->cases[i].detail);
		json_decref(verdict->cases[i].samples);
	}
	json_decref(verdict->notes);
	json_decref(verdict->ulp);
	json_decref(verdict->counts);
	json_decref(verdict->kernels);
	json_decref(verdict->end_to_end);
	gk_arena_release(&verdict->arena);
	*verdict = (struct gk_verdict){0};
}

/* Texts come from kernels and compilers: bytes that are no UTF-8 must not lose the verdict. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text ? text : "");

	return json ? json : json_string("(a text that is not UTF-8)");
}

static json_t *or_null(json_t *json)
{
	return json ? json_incref(json) : json_null();
}

static json_t *case_to_json(const struct gk_case_result *result)
{
	json_t *object = json_object();

	json_object_set_new(object, "case", text_json(result->case_id));
	json_object_set_new(object, "part", text_json(result->part));
	json_object_set_new(object, "outcome", json_string(gk_outcome_names[result->outcome]));
	json_object_set_new(object, "kind", text_json(result->kind));
	json_object_set_new(object, "message", text_json(result->message));
	json_object_set_new(object, "detail", or_null(result->detail));
	return object;
}

static json_t *speedup_to_json(const struct gk_speedup *speedup)
{
	json_t *object;

	if (!speedup->measured)
		return json_null();
	object = json_object();
	json_object_set_new(object, "mean", json_real(speedup->mean));
	json_object_set_new(object, "geomean", json_real(speedup->geomean));
	json_object_set_new(object, "low", json_real(speedup->low));
	json_object_set_new(object, "high", json_real(speedup->high));
	json_object_set_new(object, "worst", json_real(speedup->worst));
	json_object_set_new(object, "floor", json_real(speedup->floor));
	json_object_set_new(object, "within_noise", json_boolean(speedup->within_noise));
	return object;
}

static const struct {
	const char *name;
	size_t offset;
} spent_parts[] = {
	{"total", offsetof(struct gk_spent, total)},     {"start", offsetof(struct gk_spent, start)},
	{"capture", offsetof(struct gk_spent, capture)}, {"lower", offsetof(struct gk_spent, lower)},
	{"oracle", offsetof(struct gk_spent, oracle)},   {"exec", offsetof(struct gk_spent, exec)},
	{"perf", offsetof(struct gk_spent, perf)},       {"reference", offsetof(struct gk_spent, reference)},
	{"gpu", offsetof(struct gk_spent, gpu)},
};

static json_t *spent_to_json(const struct gk_spent *spent)
{
	json_t *object = json_object();

	for (size_t i = 0; i < gk_count_of(spent_parts); i++)
		json_object_set_new(object, spent_parts[i].name,
		                    json_real(*(const double *)(const void *)((const char *)spent + spent_parts[i].offset)));
	return object;
}

static json_t *core_to_json(const struct gk_verdict *verdict)
{
	json_t *object = json_object();

	json_object_set_new(object, "stage", json_string(gk_stage_names[verdict->stage]));
	json_object_set_new(object, "outcome", json_string(gk_outcome_names[verdict->outcome]));
	json_object_set_new(object, "kind", text_json(verdict->kind));
	json_object_set_new(object, "message", text_json(verdict->message));
	return object;
}

json_t *gk_verdict_to_json(const struct gk_verdict *verdict)
{
	json_t *object = json_object(), *stages = json_object(), *cases = json_array();

	for (int i = 0; i < GK_STAGE_COUNT; i++)
		json_object_set_new(stages, gk_stage_names[i], json_real(verdict->stages_ms[i]));
	for (size_t i = 0; i < verdict->case_count; i++)
		json_array_append_new(cases, case_to_json(&verdict->cases[i]));
	json_object_set_new(object, "call", json_boolean(verdict->call));
	json_object_set_new(object, "exec", json_boolean(verdict->exec));
	json_object_set_new(object, "evidence", json_string(gk_evidence_names[verdict->evidence]));
	json_object_set_new(object, "compiled", json_boolean(verdict->compiled));
	json_object_set_new(object, "plan_hash", text_json(verdict->plan_hash));
	json_object_set_new(object, "verdict", core_to_json(verdict));
	json_object_set_new(object, "speedup", speedup_to_json(&verdict->speedup));
	json_object_set_new(object, "stages_ms", stages);
	json_object_set_new(object, "ms", spent_to_json(&verdict->spent));
	json_object_set_new(object, "cases", cases);
	json_object_set_new(object, "notes", or_null(verdict->notes));
	json_object_set_new(object, "ulp", or_null(verdict->ulp));
	json_object_set_new(object, "counts", or_null(verdict->counts));
	json_object_set_new(object, "lower_ms", json_real(verdict->lower_ms));
	json_object_set_new(object, "kernels", or_null(verdict->kernels));
	json_object_set_new(object, "end_to_end", or_null(verdict->end_to_end));
	return object;
}

/* ---- reading: stored verdicts, and those of another geak ---- */

static int read_speedup(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"mean", GK_FIELD_DOUBLE, offsetof(struct gk_speedup, mean), true, 0, 0, NULL, NULL},
		{"geomean", GK_FIELD_DOUBLE, offsetof(struct gk_speedup, geomean), true, 0, 0, NULL, NULL},
		{"low", GK_FIELD_DOUBLE, offsetof(struct gk_speedup, low), true, 0, 0, NULL, NULL},
		{"high", GK_FIELD_DOUBLE, offsetof(struct gk_speedup, high), true, 0, 0, NULL, NULL},
		{"worst", GK_FIELD_DOUBLE, offsetof(struct gk_speedup, worst), false, 0, 0, NULL, NULL},
		{"floor", GK_FIELD_DOUBLE, offsetof(struct gk_speedup, floor), false, 0, 0, NULL, NULL},
		{"within_noise", GK_FIELD_BOOL, offsetof(struct gk_speedup, within_noise), false, 0, 0, NULL, NULL},
	};
	struct gk_speedup *speedup = out;

	speedup->measured = !json_is_null(at->value);
	return speedup->measured ? gk_node_decode(at, fields, gk_count_of(fields), out, arena, e) : 0;
}

static int read_stages(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	double *stages_ms = out;

	(void)arena;
	if (gk_node_object(at, e) < 0 || gk_node_known_keys(at, gk_stage_names, e) < 0)
		return -1;
	for (int i = 0; i < GK_STAGE_COUNT; i++) {
		struct gk_node stage = gk_node_key(at, gk_stage_names[i]);

		if (stage.value && gk_node_double(&stage, &stages_ms[i], e) < 0)
			return -1;
	}
	return 0;
}

/* Parts that another geak knows are left out. */
static int read_spent(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	(void)e;
	for (size_t i = 0; i < gk_count_of(spent_parts); i++)
		*(double *)(void *)((char *)out + spent_parts[i].offset) =
			json_number_value(json_object_get(at->value, spent_parts[i].name));
	return 0;
}

/* Any JSON; null is no value. */
static int read_any(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	(void)e;
	*(json_t **)out = json_is_null(at->value) ? NULL : json_incref(at->value);
	return 0;
}

static int read_case(const struct gk_node *at, struct gk_case_result *result, struct gk_arena *arena,
                     struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"case", GK_FIELD_STRING, offsetof(struct gk_case_result, case_id), true, 0, 0, NULL, NULL},
		{"part", GK_FIELD_STRING, offsetof(struct gk_case_result, part), true, 0, 0, NULL, NULL},
		{"outcome", GK_FIELD_CHOICE, offsetof(struct gk_case_result, outcome), true, 0, 0, gk_outcome_names,
	         NULL},
		{"kind", GK_FIELD_STRING, offsetof(struct gk_case_result, kind), true, 0, 0, NULL, NULL},
		{"message", GK_FIELD_STRING, offsetof(struct gk_case_result, message), true, 0, 0, NULL, NULL},
		{"detail", GK_FIELD_NODE, offsetof(struct gk_case_result, detail), false, 0, 0, NULL, read_any},
	};

	return gk_node_decode(at, fields, gk_count_of(fields), result, arena, e);
}

static int read_cases(const struct gk_node *at, struct gk_verdict *verdict, struct gk_err *e)
{
	if (gk_node_array(at, MAX_CASES, e) < 0)
		return -1;
	verdict->cases = gk_arena_array(&verdict->arena, gk_node_count(at), sizeof *verdict->cases);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		verdict->case_count = i + 1; /* what is read so far is released even when this one fails */
		if (read_case(&item, &verdict->cases[i], &verdict->arena, e) < 0)
			return -1;
	}
	return 0;
}

static int read_core(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"stage", GK_FIELD_CHOICE, offsetof(struct gk_verdict, stage), true, 0, 0, gk_stage_names, NULL},
		{"outcome", GK_FIELD_CHOICE, offsetof(struct gk_verdict, outcome), true, 0, 0, gk_outcome_names, NULL},
		{"kind", GK_FIELD_STRING, offsetof(struct gk_verdict, kind), true, 0, 0, NULL, NULL},
		{"message", GK_FIELD_STRING, offsetof(struct gk_verdict, message), true, 0, 0, NULL, NULL},
	};

	return gk_node_decode(at, fields, gk_count_of(fields), out, arena, e);
}

/* Read on its own, since it needs the verdict and its arena, not one field. */
static int skip_node(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)at;
	(void)out;
	(void)arena;
	(void)e;
	return 0;
}

static int read_verdict(const struct gk_node *at, struct gk_verdict *verdict, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{"call", GK_FIELD_BOOL, offsetof(struct gk_verdict, call), true, 0, 0, NULL, NULL},
		{"exec", GK_FIELD_BOOL, offsetof(struct gk_verdict, exec), true, 0, 0, NULL, NULL},
		{"evidence", GK_FIELD_CHOICE, offsetof(struct gk_verdict, evidence), true, 0, 0, gk_evidence_names,
	         NULL},
		{"compiled", GK_FIELD_BOOL, offsetof(struct gk_verdict, compiled), true, 0, 0, NULL, NULL},
		{"plan_hash", GK_FIELD_STRING, offsetof(struct gk_verdict, plan_hash), true, 0, 0, NULL, NULL},
		{"verdict", GK_FIELD_NODE, 0, true, 0, 0, NULL, read_core},
		{"speedup", GK_FIELD_NODE, offsetof(struct gk_verdict, speedup), true, 0, 0, NULL, read_speedup},
		{"stages_ms", GK_FIELD_NODE, offsetof(struct gk_verdict, stages_ms), true, 0, 0, NULL, read_stages},
		{"ms", GK_FIELD_NODE, offsetof(struct gk_verdict, spent), false, 0, 0, NULL, read_spent},
		{"cases", GK_FIELD_NODE, 0, true, 0, 0, NULL, skip_node},
		{"notes", GK_FIELD_NODE, offsetof(struct gk_verdict, notes), false, 0, 0, NULL, read_any},
		{"ulp", GK_FIELD_NODE, offsetof(struct gk_verdict, ulp), false, 0, 0, NULL, read_any},
		{"counts", GK_FIELD_NODE, offsetof(struct gk_verdict, counts), false, 0, 0, NULL, read_any},
		{"lower_ms", GK_FIELD_DOUBLE, offsetof(struct gk_verdict, lower_ms), false, 0, 0, NULL, NULL},
		{"kernels", GK_FIELD_NODE, offsetof(struct gk_verdict, kernels), false, 0, 0, NULL, read_any},
		{"end_to_end", GK_FIELD_NODE, offsetof(struct gk_verdict, end_to_end), false, 0, 0, NULL, read_any},
	};
	struct gk_node cases = gk_node_key(at, "cases");

	if (gk_node_decode(at, fields, gk_count_of(fields), verdict, &verdict->arena, e) < 0)
		return -1;
	return read_cases(&cases, verdict, e);
}

int gk_verdict_from_json(const json_t *json, struct gk_verdict *verdict, struct gk_err *e)
{
	/* A borrowed view of the tree: the doc is never released. */
	struct gk_doc doc = {.root = (json_t *)json, .name = (char *)"verdict"};
	struct gk_node root = gk_node_root(&doc);

	*verdict = (struct gk_verdict){0};
	if (read_verdict(&root, verdict, e) == 0)
		return 0;
	gk_verdict_release(verdict);
	return -1;
}
