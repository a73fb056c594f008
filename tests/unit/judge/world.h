/*
 * A scripted world for the tests of the cascade: plans and kernels are real;
 * executions and timings are played here.
 */
#ifndef GK_TESTS_WORLD_H
#define GK_TESTS_WORLD_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../add_kernel.h"
#include "base/hash.h"
#include "base/memory.h"
#include "judge/cascade.h"
#include "tap.h"

enum { COUNT = 100, BYTES = 4 * COUNT, MOST_CASES = 12 };

static const char source[] =
	"import triton\n\n\n@triton.jit\ndef add_kernel(x, y, o, n):\n    x = tl.load(x)\n";
static uint8_t secret[GK_HASH_BYTES] = {1, 2, 3};
static struct gk_param params[] = {{.name = "x"}, {.name = "y"}};
static struct gk_return returns[] = {{.name = "out", .dtype = "like:x"}};
static const char *distributions[] = {"normal", "uniform"};
static struct gk_task task = {.id = "vector_add",
                              .entry = "add",
                              .params = params,
                              .param_count = 2,
                              .returns = returns,
                              .return_count = 1,
                              .distributions = distributions,
                              .distribution_count = 2};
static struct gk_case cases[MOST_CASES];
static const struct gk_case *case_list[MOST_CASES];
static char ids[MOST_CASES][16];
static const char *kernel_text;
static char hash[GK_HEX_SIZE]; /* of kernel_text */
static double want[COUNT];
static float right[COUNT], wrong[COUNT], near_by[COUNT];

static struct gk_judge_setup setup_of(size_t case_count)
{
	return (struct gk_judge_setup){.task = &task,
	                               .cases = case_list,
	                               .case_count = case_count,
	                               .target = "cpu",
	                               .secret = secret,
	                               .candidate = "c0ffee",
	                               .source = source,
	                               .source_size = sizeof source - 1};
}

static struct gk_judge_data data_new(void)
{
	static const char arg[] =
		"{\"kind\":\"tensor\",\"name\":\"%s\",\"dtype\":\"float32\",\"shape\":[100],"
		"\"strides\":[1],\"offset\":0,\"bytes\":400}";
	char x[200], y[200], text[512];
	struct gk_judge_data data;
	struct gk_err e = {0};
	json_t *args, *outputs;

	snprintf(x, sizeof x, arg, "x");
	snprintf(y, sizeof y, arg, "y");
	snprintf(text, sizeof text, "[%s,%s]", x, y);
	args = json_loads(text, 0, NULL);
	outputs = json_loads(
		"[{\"name\":\"out\",\"dtype\":\"float64\",\"declared\":\"float32\",\"shape\":[100],"
		"\"strides\":[1],\"offset\":0,\"bytes\":800}]",
		0, NULL);
	if (gk_judge_data_read(args, outputs, &data, &e) < 0)
		printf("# %s\n", e.text);
	json_decref(args);
	json_decref(outputs);
	return data;
}

/* ---- the world ---- */

struct world {
	const char *lint;  /* kind of its refusal, or NULL */
	const char *claim; /* of the last case instead of a plan: JSON; "" none at all */
	enum gk_claim_kind claim_kind;
	enum gk_capture_end end;
	int elements;        /* of the output; 0: COUNT */
	int grid_of_second;  /* of the second take; 0: 2 */
	const char *finding; /* JSON of every execution of bad_case */
	const char *changed, *poisoned;
	int bad_case; /* its values are wrong, -1: none; with a finding: it is found */
	bool dies, hangs;
	bool backwards;     /* tells executions in reverse order */
	bool copies;        /* the wrapper copies x into the output before the launch */
	bool assists;       /* PyTorch takes absolute values of what the kernel has made */
	int kernels_matter; /* without its kernels only this case, counted from 1, is wrong; 0: none */
	const char *target; /* NULL: the machine */
	bool on_gpu;
	const char *rejected, *death; /* of lowerings of the kernel with rejected_warps (negative: with so many at most); */
	int rejected_warps, shared;   /* shared memory of all others */
	int variants;                 /* the launch is a choice among so many, with 1, 2, 4, .. warps; of more than six: 1, 1, 2, 2, .. 8, 32, .. */
	bool varies;                  /* what is executed once more gives other bits */
	int bad_special;              /* case, counted from 1, that is wrong with special values; 0: none */
	/* timing */
	bool measure;
	const struct gk_cascade *against; /* NULL: there is none, why says it */
	bool is_reference;                /* it is measured against itself */
	const char *why;
	double b_ms;                      /* of the candidate; the reference takes 1 ms; 0: 1 ms as well */
	double b_host_ms, a_ms;           /* by the host's clock; the reference's; 0: as it is */
	double again_ms;                  /* the reference's, alone once more; 0: as it is */
	int bad_timed;                    /* case whose timed outputs are wrong, 0: none */
	const char *timed_finding, *timed_side;
	bool timed_dies, trusted;
	struct gk_cascade **kept;         /* not freed */
};

/* The launch becomes a choice, each configuration with a kernel of its own. */
static void add_variants(json_t *plan, int count)
{
	json_t *kernels = json_object_get(plan, "kernels"), *steps = json_object_get(plan, "steps");
	json_t *first = json_deep_copy(json_array_get(kernels, 0)), *variants = json_array();

	json_array_clear(kernels);
	for (int i = 0; i < count; i++) {
		json_t *launch = json_deep_copy(json_array_get(steps, 0)), *kernel = json_deep_copy(first);
		int warps = count > 6 && i < 8 ? 1 << i / 2 : count > 6 ? 32 : 1 << i;

		json_object_set_new(json_object_get(kernel, "options"), "num_warps", json_integer(warps));
		json_object_set_new(json_object_get(kernel, "options"), "num_stages", json_integer(1 + i));
		json_array_append_new(kernels, kernel);
		json_object_set_new(launch, "kernel", json_integer(i));
		json_array_append_new(variants, json_pack("{s:{s:i}, s:[], s:o}", "config", "num_warps",
		                                          warps, "pre", "launch", launch));
	}
	json_array_set_new(steps, 0,
	                   json_pack("{s:s, s:i, s:o}", "op", "choose", "site", 0, "variants", variants));
	json_decref(first);
}

static void add_copy(json_t *plan)
{
	json_t *dst = json_deep_copy(json_array_get(json_object_get(plan, "outputs"), 0)), *src;

	json_object_del(dst, "name");
	src = json_deep_copy(dst);
	json_object_set_new(src, "buf", json_integer(0));
	json_array_insert_new(json_object_get(plan, "steps"), 0,
	                      json_pack("{s:s, s:o, s:o}", "op", "copy", "dst", dst, "src", src));
}

static void add_assist(json_t *plan)
{
	json_t *view = json_deep_copy(json_array_get(json_object_get(plan, "outputs"), 0));

	json_object_del(view, "name");
	json_array_append_new(json_object_get(plan, "steps"),
	                      json_pack("{s:s, s:s, s:O, s:o, s:[], s:i}", "op", "assist", "does", "abs", "dst", view, "src",
	                                view, "dims", "line", 9));
}

static struct gk_claim plan_claim(const struct world *w, size_t index, int elements, int grid)
{
	char text[4096];
	json_t *plan;

	snprintf(text, sizeof text, ADD_PLAN, BYTES, BYTES, BYTES, hash, grid, 2, COUNT, elements);
	plan = json_loads(text, 0, NULL);
	if (w->target)
		json_object_set_new(plan, "target", json_string(w->target));
	if (w->copies)
		add_copy(plan);
	if (w->assists)
		add_assist(plan);
	if (w->variants)
		add_variants(plan, w->variants);
	return (struct gk_claim){.kind = GK_CLAIM_PLAN, .case_index = (int64_t)index, .json = plan};
}

static void tell_capture(struct gk_cascade *c, const struct world *w, size_t count, int take)
{
	struct gk_captured_module module = {.text = kernel_text, .size = strlen(kernel_text)};
	struct gk_claim claims[MOST_CASES];
	struct gk_judge_data data[MOST_CASES] = {0};
	struct gk_capture_result r = {.end = w->end,
	                              .complete = w->end == GK_CAPTURE_EXITED,
	                              .modules = &module,
	                              .module_count = 1,
	                              .claims = claims,
	                              .output = "",
	                              .claim_count = count};

	memcpy(module.hash, hash, sizeof hash);
	for (size_t i = 0; i < count; i++) {
		data[i] = data_new();
		claims[i] = plan_claim(w, i, w->elements ? w->elements : COUNT,
		                       take == 1 && w->grid_of_second ? w->grid_of_second : 2);
	}
	if (w->claim) {
		json_decref(claims[count - 1].json);
		claims[count - 1] =
			(struct gk_claim){.kind = w->claim_kind, .case_index = (int64_t)count - 1, .json = json_loads(w->claim, 0, NULL)};
		r.claim_count -= !w->claim[0];
	}
	gk_cascade_captured(c, take, data, &r, 5);
	for (size_t i = 0; i < count; i++) {
		gk_judge_data_release(&data[i]);
		json_decref(claims[i].json);
	}
}

static size_t objects_seen, kernels_seen; /* of the last execution */
static unsigned specials_seen;            /* of all of them */
static int paired_seen;
static size_t zeroed_seen; /* buffers, before the last execution without kernels */

static void tell_execution(struct gk_cascade *c, const struct world *w, struct gk_judge_execution *x)
{
	struct gk_judge_data data = data_new();
	bool is_bare = json_array_size(json_object_get(x->plan, "kernels")) == 0;
	bool bad = is_bare ? (int)x->case_index + 1 == w->kernels_matter : (int)x->case_index == w->bad_case;
	const void *got[] = {bad && !w->finding ? wrong : right}, *wanted[] = {want};
	static struct gk_outputs outputs, paired;
	struct gk_execute_result r = {
		.died = bad && (w->dies || w->hangs), .timed_out = w->hangs, .death = "killed by signal 11"};

	if (!r.died)
		r.executed = json_pack(
			"{s:o, s:o, s:[o], s:{s:i}, s:[], s:i}", "finding",
			bad && w->finding ? json_loads(w->finding, 0, NULL) : json_null(), "changed",
			json_loads(bad && w->changed ? w->changed : "[]", 0, NULL), "outputs",
			json_loads(bad && w->poisoned ? w->poisoned : "{\"poisoned\":0,\"first\":-1}", 0,
		                   NULL),
			"counts", "bytes_read", 8, "notes", "ms", 1);
	if (x->round == GK_JUDGE_SPECIAL_ROUND) {
		specials_seen |= gk_judge_specials(&(struct gk_judge_setup){.cases = case_list}, x->case_index, x->round);
		if ((int)x->case_index + 1 == w->bad_special)
			got[0] = wrong;
	}
	if (x->is_paired && paired_seen == 1 && w->varies)
		got[0] = near_by;
	if (is_bare)
		zeroed_seen = json_array_size(json_object_get(x->plan, "prologue"));
	objects_seen = x->object_count;
	kernels_seen = json_array_size(json_object_get(x->plan, "kernels"));
	gk_outputs_prepare(&outputs, &task, case_list[x->case_index], &data, got, wanted);
	gk_outputs_compare(&outputs);
	if (x->is_paired && paired_seen++ == 0)
		paired = outputs;
	else if (x->is_paired)
		gk_outputs_repeat(&outputs, &data, &paired);
	gk_cascade_executed(c, x->number, &data, &r, r.died ? NULL : &outputs, 2);
	json_decref(r.executed);
	gk_judge_data_release(&data);
}

static int executions, lowerings, timings;

static json_t *told_json(double ms)
{
	json_t *all = json_array();

	for (int i = 0; i < 128; i++) /* a little noise, the same for every side */
		json_array_append_new(all, json_real(ms * (1 + 0.002 * sin(i * 7.0))));
	return json_pack("{s:o, s:[], s:[], s:n, s:[], s:i, s:i, s:[{s:i, s:i}]}", "ms", all, "chosen", "tuned",
	                 "fills_ms", "changed", "checked", 128, "different", 0, "poisoned", "poisoned", 0, "first", -1);
}

static json_t *timed_json(const struct world *w, double a_ms, double b_ms)
{
	json_t *group = json_array(), *first = json_array();

	for (int i = 0; i < 128; i++) {
		json_array_append_new(group, json_integer(i / 16));
		json_array_append_new(first, json_integer(i % 2));
	}
	return json_pack("{s:o, s:s?, s:b, s:o, s:o, s:o, s:o, s:{s:i, s:i, s:f, s:f}, s:n, s:f, s:[], s:i, s:f, s:f, s:s}",
	                 "finding", w->timed_finding ? json_loads(w->timed_finding, 0, NULL) : json_null(), "side",
	                 w->timed_side, "lost", false, "a", told_json(a_ms), "b", told_json(b_ms), "group", group, "first",
	                 first, "host", "calls", 20, "rounds", 5, "a_ms", a_ms, "b_ms", w->b_host_ms ? w->b_host_ms : b_ms,
	                 "batch", "tick_ms", 0.00003, "health", "discarded", 0, "held_ms", 50.0, "ms", 60.0, "stopped",
	                 "precise");
}

static void tell_timing(struct gk_cascade *c, const struct world *w, const struct gk_judge_timing *x)
{
	struct gk_judge_data data = data_new();
	bool bad = w->bad_timed && (int)x->case_index == w->bad_timed;
	const void *good[] = {right}, *got[] = {bad ? wrong : right}, *wanted[] = {want};
	static struct gk_outputs a, b;
	struct gk_time_result r = {.died = w->timed_dies, .death = "killed by signal 9"};

	if (!r.died && w->against && x->a.plan == x->b.plan)
		r.timed = timed_json(w, w->again_ms ? w->again_ms : 1, w->again_ms ? w->again_ms : 1);
	else if (!r.died)
		r.timed = timed_json(w, w->a_ms ? w->a_ms : 1, w->b_ms ? w->b_ms : 1);
	gk_outputs_prepare(&a, &task, case_list[x->case_index], &data, good, wanted);
	gk_outputs_prepare(&b, &task, case_list[x->case_index], &data, got, wanted);
	gk_outputs_compare(&a);
	gk_outputs_compare(&b);
	gk_cascade_timed(c, x->number, &data, &r, r.died ? NULL : &a, r.died ? NULL : &b, 9);
	json_decref(r.timed);
	gk_judge_data_release(&data);
}

static void tell_timings(struct gk_cascade *c, const struct world *w, const struct gk_judge_timing **all, int count)
{
	for (int i = 0; i < count; i++)
		tell_timing(c, w, all[w->backwards ? count - 1 - i : i]);
	timings += count;
}

static void tell_lowering(struct gk_cascade *c, const struct world *w, const struct gk_judge_lowering *l)
{
	int warps = (int)json_integer_value(json_object_get(l->options, "num_warps"));
	bool bad = (w->rejected || w->death) &&
	           (!w->rejected_warps || w->rejected_warps == warps || (w->rejected_warps < 0 && warps <= -w->rejected_warps));
	struct gk_object object = {.name = "add_kernel",
	                           .warps = warps,
	                           .warp_size = 32,
	                           .ctas = 1,
	                           .cluster = {1, 1, 1},
	                           .shared = (uint32_t)w->shared,
	                           .regs = 32,
	                           .scratch_align = 1};
	struct gk_lower_result r = {.rejected = bad ? w->rejected : NULL,
	                            .death = bad ? w->death : NULL,
	                            .object = bad ? NULL : &object,
	                            .code = "code",
	                            .size = 4};

	snprintf(object.target, sizeof object.target, "%s", w->target);
	memcpy(object.ttir, l->ttir, sizeof object.ttir);
	ok(l->ir && strcmp(l->ttir, hash) == 0, "a lowering names its module");
	lowerings++;
	gk_cascade_lowered(c, l->number, &r, 7);
}

static void tell_wave(struct gk_cascade *c, const struct world *w, struct gk_judge_execution **wave,
                      int count)
{
	for (int i = 0; i < count; i++)
		tell_execution(c, w, wave[w->backwards ? count - 1 - i : i]);
	executions += count;
}

static void tell_lint(struct gk_cascade *c, const struct world *w)
{
	struct gk_lint_result lint = {.passed = !w->lint,
	                              .kind = w->lint ? w->lint : "",
	                              .message = w->lint ? "no" : "",
	                              .line = w->lint ? 6 : 0};

	gk_cascade_linted(c, &lint, 1);
}

static struct gk_cascade *begin(const struct world *w, size_t case_count)
{
	struct gk_judge_setup setup = setup_of(case_count);
	struct gk_cascade *c;

	setup.measure = w->measure;
	setup.target = w->target ? w->target : "cpu";
	setup.on_gpu = w->on_gpu;
	c = gk_cascade_new(&setup);
	if (w->trusted)
		gk_cascade_trust(c, true);
	executions = lowerings = timings = paired_seen = 0;
	specials_seen = 0;
	return c;
}

static struct gk_verdict judge(const struct world *w, size_t case_count)
{
	struct gk_cascade *c = begin(w, case_count);
	struct gk_judge_execution *wave[256];
	const struct gk_judge_timing *clocks[16];
	struct gk_judge_action a;
	struct gk_verdict v = {0};
	int flying = 0, timed = 0;

	for (;;) {
		while (gk_cascade_next(c, &a)) {
			if (a.kind == GK_JUDGE_LINT)
				tell_lint(c, w);
			else if (a.kind == GK_JUDGE_CAPTURE)
				tell_capture(c, w, case_count, a.take);
			else if (a.kind == GK_JUDGE_LOWER)
				tell_lowering(c, w, a.lowering);
			else if (a.kind == GK_JUDGE_EXECUTE)
				wave[flying++] = a.execution;
			else if (a.kind == GK_JUDGE_REFERENCE)
				gk_cascade_reference(c, w->is_reference ? c : w->against, w->why);
			else if (a.kind == GK_JUDGE_TIME)
				clocks[timed++] = a.timing;
			else {
				v = *a.verdict;
				*a.verdict = (struct gk_verdict){0};
			}
		}
		if (flying == 0 && timed == 0)
			break;
		tell_wave(c, w, wave, flying);
		tell_timings(c, w, clocks, timed);
		flying = timed = 0;
	}
	if (w->kept)
		*w->kept = c;
	else
		gk_cascade_free(c);
	return v;
}

static bool says(const struct gk_verdict *v, const char *words)
{
	if (v->message && strstr(v->message, words))
		return true;
	printf("# it says: %s: %s\n", v->kind ? v->kind : "NULL", v->message ? v->message : "NULL");
	return false;
}

/* Judges, checks kind and words, releases. */
static void __attribute__((unused)) expect(const struct world *w, size_t count, enum gk_outcome outcome, const char *kind,
                   const char *words, const char *behaviour)
{
	struct gk_verdict v = judge(w, count);

	ok(v.outcome == outcome && v.kind && strcmp(v.kind, kind) == 0 && says(&v, words), behaviour);
	gk_verdict_release(&v);
}


static const char *__attribute__((unused)) note_of(const struct gk_verdict *v, const char *start)
{
	json_t *note;
	size_t i;

	json_array_foreach(v->notes, i, note) if (strncmp(json_string_value(note), start, strlen(start)) ==
	                                          0) return json_string_value(note);
	return "";
}

static void set_kernel(const char *text)
{
	kernel_text = text;
	gk_hash_hex(text, strlen(text), hash);
}

static void world_begin(void)
{
	for (int i = 0; i < MOST_CASES; i++) {
		snprintf(ids[i], sizeof ids[i], "id%d", i);
		cases[i] = (struct gk_case){.id = ids[i], .params = json_object(), .exec = true, .cpu = true};
		case_list[i] = &cases[i];
	}
	for (int i = 0; i < COUNT; i++) {
		want[i] = sin(i + 1);
		right[i] = (float)want[i];
		wrong[i] = i < 64 ? right[i] : 0;
		near_by[i] = i == 5 || i == 70 ? nextafterf(right[i], 2) : right[i];
	}
	set_kernel(ADD_GOOD);
}

static void world_end(void)
{
	for (int i = 0; i < MOST_CASES; i++)
		json_decref(cases[i].params);
}

#endif
