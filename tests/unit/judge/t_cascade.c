/*
 * The cascade, told what a scripted world says: from lint to verdict. Plans
 * and kernels are real; executions are played here.
 */
#include "judge/cascade.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../add_kernel.h"
#include "base/hash.h"
#include "base/memory.h"
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
static char hash[GK_HEX_SIZE];
static double want[COUNT];
static float right[COUNT], wrong[COUNT];

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
	const char *target; /* NULL: the machine */
	bool on_gpu;
	const char *rejected, *death; /* of lowerings of the kernel with rejected_warps; */
	int rejected_warps, shared;   /* shared memory of all others */
	int variants;                 /* the launch is a choice among so many, with 1, 2, 4, .. warps */
};

/* The launch becomes a choice, each configuration with a kernel of its own. */
static void add_variants(json_t *plan, int count)
{
	json_t *kernels = json_object_get(plan, "kernels"), *steps = json_object_get(plan, "steps");
	json_t *first = json_deep_copy(json_array_get(kernels, 0)), *variants = json_array();

	json_array_clear(kernels);
	for (int i = 0; i < count; i++) {
		json_t *launch = json_deep_copy(json_array_get(steps, 0)), *kernel = json_deep_copy(first);

		json_object_set_new(json_object_get(kernel, "options"), "num_warps", json_integer(1 << i));
		json_array_append_new(kernels, kernel);
		json_object_set_new(launch, "kernel", json_integer(i));
		json_array_append_new(variants, json_pack("{s:{s:i}, s:[], s:o}", "config", "num_warps",
		                                          1 << i, "pre", "launch", launch));
	}
	json_array_set_new(steps, 0,
	                   json_pack("{s:s, s:i, s:o}", "op", "choose", "site", 0, "variants", variants));
	json_decref(first);
}

static struct gk_claim plan_claim(const struct world *w, size_t index, int elements, int grid)
{
	char text[4096];
	json_t *plan;

	snprintf(text, sizeof text, ADD_PLAN, BYTES, BYTES, BYTES, hash, grid, 2, COUNT, elements);
	plan = json_loads(text, 0, NULL);
	if (w->target)
		json_object_set_new(plan, "target", json_string(w->target));
	if (w->variants)
		add_variants(plan, w->variants);
	return (struct gk_claim){GK_CLAIM_PLAN, (int64_t)index, plan};
}

static void tell_capture(struct gk_cascade *c, const struct world *w, size_t count, int take)
{
	struct gk_captured_module module = {.text = ADD_GOOD, .size = strlen(ADD_GOOD)};
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
			(struct gk_claim){w->claim_kind, (int64_t)count - 1, json_loads(w->claim, 0, NULL)};
		r.claim_count -= !w->claim[0];
	}
	gk_cascade_captured(c, take, data, &r, 5);
	for (size_t i = 0; i < count; i++) {
		gk_judge_data_release(&data[i]);
		json_decref(claims[i].json);
	}
}

static size_t objects_seen, kernels_seen; /* of the last execution */

static void tell_execution(struct gk_cascade *c, const struct world *w, struct gk_judge_execution *x)
{
	struct gk_judge_data data = data_new();
	bool bad = (int)x->case_index == w->bad_case;
	const void *got[] = {bad && !w->finding ? wrong : right}, *wanted[] = {want};
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
	objects_seen = x->object_count;
	kernels_seen = json_array_size(json_object_get(x->plan, "kernels"));
	gk_cascade_executed(c, x->number, &data, &r, got, wanted, 2);
	json_decref(r.executed);
	gk_judge_data_release(&data);
}

static int executions, lowerings;

static void tell_lowering(struct gk_cascade *c, const struct world *w, const struct gk_judge_lowering *l)
{
	int warps = (int)json_integer_value(json_object_get(l->options, "num_warps"));
	bool bad = (w->rejected || w->death) && (!w->rejected_warps || w->rejected_warps == warps);
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

static struct gk_verdict judge(const struct world *w, size_t case_count)
{
	struct gk_judge_setup setup = setup_of(case_count);
	struct gk_cascade *c = NULL;
	struct gk_lint_result lint = {.passed = !w->lint,
	                              .kind = w->lint ? w->lint : "",
	                              .message = w->lint ? "no" : "",
	                              .line = w->lint ? 6 : 0};
	struct gk_judge_execution *wave[256];
	struct gk_judge_action a;
	struct gk_verdict v = {0};
	int flying = 0;

	setup.target = w->target ? w->target : "cpu";
	setup.on_gpu = w->on_gpu;
	c = gk_cascade_new(&setup);
	executions = lowerings = 0;
	for (;;) {
		while (gk_cascade_next(c, &a)) {
			if (a.kind == GK_JUDGE_LINT)
				gk_cascade_linted(c, &lint, 1);
			else if (a.kind == GK_JUDGE_CAPTURE)
				tell_capture(c, w, case_count, a.take);
			else if (a.kind == GK_JUDGE_LOWER)
				tell_lowering(c, w, a.lowering);
			else if (a.kind == GK_JUDGE_EXECUTE)
				wave[flying++] = a.execution;
			else {
				v = *a.verdict;
				*a.verdict = (struct gk_verdict){0};
			}
		}
		if (flying == 0)
			break;
		tell_wave(c, w, wave, flying);
		flying = 0;
	}
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
static void expect(const struct world *w, size_t count, enum gk_outcome outcome, const char *kind,
                   const char *words, const char *behaviour)
{
	struct gk_verdict v = judge(w, count);

	ok(v.outcome == outcome && v.kind && strcmp(v.kind, kind) == 0 && says(&v, words), behaviour);
	gk_verdict_release(&v);
}

/* ---- what it decides ---- */

static void an_honest_candidate_passes(void)
{
	struct world w = {.bad_case = -1};
	struct gk_verdict v = judge(&w, 5);

	ok(v.outcome == GK_PASS && v.call && v.exec && v.stage == GK_STAGE_EXEC,
	   "an honest candidate passes");
	is_text(v.message, "", "without words");
	is_int(v.evidence, GK_SIMULATED, "the evidence is stated");
	is_int((long long)v.case_count, 10, "each case has a result for call and for exec");
	is_int(executions, 15, "each case was executed in three rounds");
	is_int((long long)strlen(v.plan_hash), 64, "the plans have a hash");
	ok(!v.speedup.measured, "speed is not measured here");
	is_int(json_integer_value(json_object_get(v.counts, "bytes_read")), 120, "traffic is summed up");
	gk_verdict_release(&v);
}

static void lint_stops_at_once(void)
{
	struct world w = {.lint = "missing_entry", .bad_case = -1};
	struct gk_verdict v = judge(&w, 3);

	ok(v.stage == GK_STAGE_LINT && v.outcome == GK_FAIL && !v.call &&
	           strcmp(v.kind, "missing_entry") == 0,
	   "what lint refuses goes no further");
	ok(says(&v, "line 6: `x = tl.load(x)`"), "and the line is shown");
	gk_verdict_release(&v);
}

static void claims_become_verdicts(void)
{
	struct world raised = {.claim = "{\"type\":\"TypeError\",\"message\":\"bad operand\",\"line\":6}",
	                       .claim_kind = GK_CLAIM_RAISED,
	                       .bad_case = -1};
	struct world cannot = {
		.claim =
			"{\"kind\":\"not_capturable\",\"op\":\"item\",\"line\":6,\"message\":\"reads data\"}",
		.claim_kind = GK_CLAIM_CANNOT,
		.bad_case = -1};
	struct world not_kernel = {
		.claim = "{\"kind\":\"not_a_kernel\",\"op\":\"softmax\",\"line\":6,\"message\":\"torch\"}",
		.claim_kind = GK_CLAIM_CANNOT,
		.bad_case = -1};
	struct world missing = {.claim = "", .bad_case = -1},
		     slow = {.claim = "", .end = GK_CAPTURE_TIMED_OUT, .bad_case = -1},
		     crash = {.claim = "", .end = GK_CAPTURE_SIGNALED, .bad_case = -1},
		     flood = {.claim = "", .end = GK_CAPTURE_FLOODED, .bad_case = -1};

	expect(&raised, 3, GK_FAIL, "raised", "TypeError (line 6: `x = tl.load(x)`): bad operand",
	       "an exception, with its line");
	expect(&raised, 3, GK_FAIL, "raised", "Captured: id0; id1.", "and which cases went well");
	expect(&cannot, 3, GK_UNDECIDED, "not_capturable", "reads data",
	       "what cannot be captured is undecided");
	expect(&not_kernel, 3, GK_FAIL, "not_a_kernel", "torch", "framework arithmetic is no kernel");
	expect(&missing, 3, GK_FAIL, "exited", "2 of 3 cases", "a process that ends early");
	expect(&slow, 3, GK_FAIL, "timeout", "in time", "a process that does not end");
	expect(&crash, 3, GK_FAIL, "crash", "signal", "a process that crashes");
	expect(&flood, 3, GK_FAIL, "flood", "output", "a process that writes without end");
}

static void contracts_and_plans_are_checked(void)
{
	struct world shape = {.elements = COUNT - 1, .bad_case = -1},
		     unstable = {.grid_of_second = 3, .bad_case = -1};
	struct world forged = {.claim = "{\"plan\":1}", .claim_kind = GK_CLAIM_PLAN, .bad_case = -1};

	expect(&shape, 2, GK_FAIL, "wrong_contract", "float32[99], but float32[100] is expected",
	       "a wrong shape");
	expect(&unstable, 2, GK_FAIL, "unstable_plan", "equal shapes",
	       "a plan that differs from call to call");
	expect(&forged, 2, GK_FAIL, "invalid_plan", "plan", "a plan that is none");
}

static void executions_are_judged(void)
{
	static const char oob[] =
		"{\"kind\":\"out_of_bounds\",\"message\":\"reads 4 bytes behind "
		"x\",\"kernel\":\"add_kernel\","
		"\"line\":6,\"column\":1,\"program\":[1,0,0],\"lane\":36,\"buffer\":0,\"at\":400,"
		"\"operation\":\"tt.load\"}";
	static const char odd[] = "{\"kind\":\"unsupported\",\"message\":\"tt.odd\",\"line\":6}";
	struct world values = {.bad_case = 1}, found = {.bad_case = 1, .finding = oob},
		     unknown = {.bad_case = 1, .finding = odd}, changed = {.bad_case = 1, .changed = "[1]"},
		     poison = {.bad_case = 1, .poisoned = "{\"poisoned\":36,\"first\":64}"},
		     dies = {.bad_case = 1, .dies = true}, hangs = {.bad_case = 1, .hangs = true};

	expect(&values, 3, GK_FAIL, "wrong_values", "Case id1", "wrong values name their case");
	expect(&values, 3, GK_FAIL, "wrong_values", "Right: id0; id2.", "and the cases that are right");
	expect(&values, 3, GK_FAIL, "wrong_values", "36 of 100 elements are wrong; first at [64]",
	       "and how many, where");
	expect(&found, 3, GK_FAIL, "out_of_bounds",
	       "kernel add_kernel: reads 4 bytes behind x, in program (1, 0, 0) (line 6: `x = tl.load(x)`)",
	       "a finding is told with its place");
	expect(&unknown, 3, GK_UNDECIDED, "not_simulated", "tt.odd",
	       "what the machine cannot do is undecided");
	expect(&changed, 3, GK_FAIL, "input_changed", "input y", "a changed input");
	expect(&poison, 3, GK_FAIL, "poison", "36 of 100 elements were never written with",
	       "an unwritten output");
	expect(&dies, 3, GK_FAIL, "crash", "signal 11", "a dead launcher");
	expect(&hangs, 3, GK_FAIL, "hang", "in time", "a launcher that had to be stopped");
}

static void after_a_failure_a_few_more_cases_are_looked_at(void)
{
	struct world w = {.bad_case = 2};
	struct gk_verdict v = judge(&w, MOST_CASES);

	is_int(executions, GK_JUDGE_WAVE * GK_JUDGE_ROUNDS + GK_JUDGE_WAVE,
	       "one wave, then one round of a few more");
	is_int((long long)v.case_count, MOST_CASES + GK_JUDGE_WAVE + GK_JUDGE_WAVE,
	       "untried cases have no exec result");
	gk_verdict_release(&v);
}

static void what_hangs_or_crashes_does_so_once(void)
{
	struct world w = {.bad_case = 0, .hangs = true};
	struct gk_verdict v = judge(&w, MOST_CASES);

	is_int(executions, 1, "after a hang in the first launch nothing more is executed");
	gk_verdict_release(&v);
	w = (struct world){.bad_case = 0};
	v = judge(&w, 1);
	ok(executions == 1 && v.outcome == GK_FAIL, "a single case that fails at once");
	gk_verdict_release(&v);
	v = judge(&w, MOST_CASES);
	is_int(executions, 1 + GK_JUDGE_WAVE,
	       "wrong values in the first launch are compared with a few other cases");
	gk_verdict_release(&v);
}

static void the_order_of_completion_does_not_matter(void)
{
	struct world w = {.bad_case = 2}, back = {.bad_case = 2, .backwards = true};
	struct gk_verdict a = judge(&w, 7), b = judge(&back, 7);
	json_t *ja = gk_verdict_to_json(&a), *jb = gk_verdict_to_json(&b);

	ok(json_equal(ja, jb), "the verdict is the same in any order of completion");
	json_decref(ja);
	json_decref(jb);
	gk_verdict_release(&a);
	gk_verdict_release(&b);
}

static void failures_of_ours_are_infra(void)
{
	struct gk_judge_setup setup = setup_of(1);
	struct gk_cascade *c = gk_cascade_new(&setup);
	struct gk_judge_action a;
	struct gk_err why = {GK_ERR_SYSTEM, "no oracle"};

	ok(gk_cascade_next(c, &a) && a.kind == GK_JUDGE_LINT && !gk_cascade_next(c, &a),
	   "nothing is asked twice");
	gk_cascade_failed(c, &why);
	ok(gk_cascade_next(c, &a) && a.kind == GK_JUDGE_DONE && a.verdict->outcome == GK_INFRA,
	   "our failure is infra");
	is_text(a.verdict->message, "no oracle", "with its words");
	gk_cascade_free(c);
}

static void seeds_are_secret_and_shared(void)
{
	struct gk_judge_setup a = setup_of(2), b = setup_of(2);
	uint8_t other[GK_HASH_BYTES] = {9};

	b.candidate = "another";
	ok(gk_judge_seed(&a, 0, 0) == gk_judge_seed(&b, 0, 0), "all candidates meet the same inputs");
	ok(gk_judge_seed(&a, 0, 0) != gk_judge_seed(&a, 1, 0) &&
	           gk_judge_seed(&a, 0, 0) != gk_judge_seed(&a, 0, 1),
	   "cases and rounds differ");
	b.secret = other;
	ok(gk_judge_seed(&a, 0, 0) != gk_judge_seed(&b, 0, 0), "another secret, other inputs");
	ok(gk_judge_seed(&a, 0, 0) >> 63 == 0, "63 bits, for JSON");
}

/* ---- other targets ---- */

static const char *note_of(const struct gk_verdict *v, const char *start)
{
	json_t *note;
	size_t i;

	json_array_foreach(v->notes, i, note) if (strncmp(json_string_value(note), start, strlen(start)) ==
	                                          0) return json_string_value(note);
	return "";
}

static void kernels_are_lowered_for_other_targets(void)
{
	struct world w = {.target = "gfx942", .bad_case = -1},
		     gpu = {.target = "sm_90", .on_gpu = true, .bad_case = -1};
	struct gk_verdict v = judge(&w, 3);
	json_t *kernel = json_array_get(v.kernels, 0);

	is_int(lowerings, 1, "a kernel that several cases launch is lowered once");
	ok(v.outcome == GK_PASS && v.compiled && v.evidence == GK_SIMULATED,
	   "the verdict says that it compiles");
	is_int((long long)objects_seen, 0, "the machine needs no objects");
	is_text(json_string_value(json_object_get(kernel, "name")), "add_kernel",
	        "its facts are in the verdict");
	is_int(json_integer_value(json_object_get(json_object_get(kernel, "occupancy"), "max_warps")), 32,
	       "with its occupancy");
	ok(v.lower_ms == 7 && v.stages_ms[GK_STAGE_CALL] == 12, "lowering is a part of call");
	gk_verdict_release(&v);
	v = judge(&gpu, 3);
	ok(objects_seen == 1 && v.evidence == GK_SEALED && v.compiled, "a GPU gets the objects");
	gk_verdict_release(&v);
	gpu.target = "gfx942";
	v = judge(&gpu, 3);
	ok(v.outcome == GK_PASS && v.evidence == GK_EVIDENCE_NONE, "an AMD GPU's verdict is not called sealed");
	ok(note_of(&v, "HIP: not yet run on hardware")[0], "and says why");
	gk_verdict_release(&v);
	w.target = NULL;
	v = judge(&w, 2);
	ok(lowerings == 0 && !v.compiled && !v.kernels, "for the machine nothing is lowered");
	gk_verdict_release(&v);
}

static void what_does_not_compile_fails_the_call(void)
{
	struct world mlir = {.target = "sm_90",
	                     .rejected = "note\n\"/geak/candidate.py\":6:4: error: no such layout\nmore\n",
	                     .bad_case = -1};
	struct world ptxas = {.target = "sm_90",
	                      .rejected = "x\nptxas fatal : Out of range\nRuntimeError: y",
	                      .bad_case = -1};
	struct world other = {.target = "sm_90", .rejected = "a\nValueError: num_ctas\n", .bad_case = -1};
	struct world dies = {.target = "sm_90", .death = "ended by signal 11", .bad_case = -1};
	struct world big = {.target = "gfx942", .shared = 98304, .bad_case = -1};
	struct gk_verdict v = judge(&mlir, 2);

	ok(v.stage == GK_STAGE_CALL && v.outcome == GK_FAIL && !v.call && !v.compiled, "the call has failed");
	is_text(v.kind, "does_not_compile", "by its kind");
	ok(says(&v, "add_kernel does not compile for sm_90: \"/geak/candidate.py\":6:4: error: no such "
	            "layout (line 6: "
	            "`x = tl.load(x)`)"),
	   "with the telling line of the log and that of the source");
	ok(json_object_get(v.cases[0].detail, "log") != NULL, "the log is kept");
	gk_verdict_release(&v);
	expect(&ptxas, 2, GK_FAIL, "does_not_compile", "ptxas fatal : Out of range.",
	       "ptxas has its own words");
	expect(&other, 2, GK_FAIL, "does_not_compile", "ValueError: num_ctas.", "else the last line counts");
	expect(&dies, 2, GK_FAIL, "does_not_compile", "the compiler crashed on it, twice: ended by signal 11",
	       "a compiler that crashes");
	expect(&big, 2, GK_FAIL, "out_of_resources",
	       "needs 96 KiB of shared memory, gfx942 has 64 KiB a block", "a block that does not fit");
}

static void configurations_that_do_not_compile_are_left_out(void)
{
	struct world w = {
		.target = "sm_90", .variants = 4, .rejected = "no", .rejected_warps = 2, .bad_case = -1};
	struct world none = {.target = "sm_90", .variants = 4, .rejected = "no", .bad_case = -1};
	struct world many = {.target = "sm_90", .variants = 6, .bad_case = -1};
	struct gk_verdict v = judge(&w, 2);

	is_int(lowerings, 4, "each configuration is lowered");
	ok(v.outcome == GK_PASS && v.compiled, "one that does not compile is no fault");
	is_int(executions, 2 * 5, "the other three are executed");
	is_int((long long)kernels_seen, 1, "a launcher hears of the chosen kernel alone");
	is_text(note_of(&v, "autotune: 1"),
	        "autotune: 1 of 4 configurations were left out: kernel add_kernel does not compile for "
	        "sm_90: no",
	        "and the verdict says so");
	gk_verdict_release(&v);
	expect(&none, 2, GK_FAIL, "does_not_compile", "does not compile for sm_90: no",
	       "but one must be left");
	v = judge(&many, 1);
	ok(v.outcome == GK_PASS && json_array_size(v.kernels) == 6, "a single warp or 32 of them");
	gk_verdict_release(&v);
}

int main(void)
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
	}
	gk_hash_hex(ADD_GOOD, strlen(ADD_GOOD), hash);
	an_honest_candidate_passes();
	lint_stops_at_once();
	claims_become_verdicts();
	contracts_and_plans_are_checked();
	executions_are_judged();
	after_a_failure_a_few_more_cases_are_looked_at();
	what_hangs_or_crashes_does_so_once();
	the_order_of_completion_does_not_matter();
	failures_of_ours_are_infra();
	seeds_are_secret_and_shared();
	kernels_are_lowered_for_other_targets();
	what_does_not_compile_fails_the_call();
	configurations_that_do_not_compile_are_left_out();
	for (int i = 0; i < MOST_CASES; i++)
		json_decref(cases[i].params);
	return done_testing();
}
