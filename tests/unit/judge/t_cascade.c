/* The cascade, told what a scripted world says: from lint to the verdict on what is right. */
#include "world.h"

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
	is_int(executions, 3 * 5 + 1, "each case was executed in three rounds, and one once more");
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

static void copies_alone_are_no_kernel(void)
{
	struct world hidden = {.bad_case = -1, .copies = true}, honest = {.bad_case = -1, .copies = true, .kernels_matter = 2};
	struct gk_verdict v;

	expect(&hidden, 3, GK_FAIL, "not_a_kernel", "without any kernel, in every case",
	       "copies that are the whole result are no kernel, whatever is launched behind them");
	v = judge(&honest, 3);
	ok(v.outcome == GK_PASS, "one case that needs the kernels is enough");
	is_int(executions, 9 + 1 + 3, "each case was executed once more without them");
	gk_verdict_release(&v);
	task.allow_fills = true;
	v = judge(&hidden, 3);
	ok(v.outcome == GK_PASS, "a task may allow it");
	gk_verdict_release(&v);
	task.allow_fills = false;
}

static void allowed_arithmetic_ends_what_kernels_made(void)
{
	static const char *const allow[] = {"aten::abs"};
	struct world hidden = {.bad_case = -1, .assists = true}, honest = {.bad_case = -1, .assists = true, .kernels_matter = 1};
	struct gk_verdict v;

	expect(&honest, 3, GK_FAIL, "invalid_plan", "the framework computes abs (line 9), which the task does not allow",
	       "no task, no leave");
	task.allow = (const char **)(uintptr_t)allow;
	task.allow_count = 1;
	v = judge(&honest, 3);
	ok(v.outcome == GK_PASS, "with leave it passes");
	is_text(json_string_value(json_array_get(v.notes, 0)),
	        "abs x 1 (line 9): computed by PyTorch, as the task allows; its time is part of the call", "and is told");
	gk_verdict_release(&v);
	expect(&hidden, 3, GK_FAIL, "not_a_kernel", "the arithmetic that the task allows) gives the whole result",
	       "but not what is the whole result without kernels");
	is_int((long long)zeroed_seen, 1, "which would find zeros where they write");
	task.allow_count = 0;
}

static void after_a_failure_a_few_more_cases_are_looked_at(void)
{
	struct world w = {.bad_case = 2};
	struct gk_verdict v = judge(&w, MOST_CASES);

	is_int(executions, GK_JUDGE_WAVE * GK_JUDGE_ROUNDS + 1 + GK_JUDGE_WAVE,
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

static void prints_are_left_out_on_a_gpu(void)
{
	static const char good[] = ADD_GOOD, print[] =
		 "    tt.print \" n: \" {hex = false, isSigned = array<i32: 1>} : %n : i32 loc(#loc1)\n";
	struct world here = {.bad_case = -1},
		     gpu = {.target = "sm_90", .on_gpu = true, .bad_case = -1};
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_verdict v = judge(&gpu, 2);
	const char *at = strstr(good, "    %pid");

	ok(!note_of(&v, "device_print: left out")[0], "a kernel that prints nothing gets no note of it");
	gk_verdict_release(&v);
	gk_buf_add(&text, good, (size_t)(at - good));
	gk_buf_add_text(&text, print);
	gk_buf_add_text(&text, at);
	set_kernel(gk_buf_text(&text));
	v = judge(&gpu, 2);
	ok(v.outcome == GK_PASS && note_of(&v, "device_print: left out")[0], "one that prints passes, and what is left out is told");
	gk_verdict_release(&v);
	v = judge(&here, 2);
	ok(v.outcome == GK_PASS && !note_of(&v, "device_print: left out")[0], "the machine prints what it is told to");
	gk_verdict_release(&v);
	set_kernel(ADD_GOOD);
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
	struct world late = {.target = "sm_90", .on_gpu = true, .variants = 10, .rejected = "no", .rejected_warps = -16,
	                     .bad_case = -1};
	struct gk_verdict v = judge(&w, 2);

	is_int(lowerings, 4, "each configuration is lowered");
	ok(v.outcome == GK_PASS && v.compiled, "one that does not compile is no fault");
	is_int(executions, 2 * 5 + 1, "the other three are executed");
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
	v = judge(&late, 3);
	ok(v.outcome == GK_PASS, "a GPU goes on to the later configurations where the first are all left out, in every case");
	gk_verdict_release(&v);
}

/* ---- special values, what varies, how near ---- */

static void special_values_have_a_round(void)
{
	struct world w = {.bad_case = -1}, bad = {.bad_case = -1, .bad_special = 2}, worse = {.bad_case = 1, .bad_special = 2};
	struct gk_verdict v;

	cases[1].specials = 1u << GK_SPECIAL_NAN | 1u << GK_SPECIAL_MINUS_ZERO;
	v = judge(&w, 3);
	ok(v.outcome == GK_PASS && specials_seen == cases[1].specials, "a case that declares them has a round with them");
	is_int(executions, 3 * 3 + 1 + 1, "one");
	is_int(json_integer_value(json_object_get(v.counts, "bytes_read")), 9 * 8, "which is not in the figures");
	gk_verdict_release(&v);
	expect(&bad, 3, GK_FAIL, "wrong_values",
	       "; inputs: normal values with nan, -0.0 at a few places; without these the same case is right.",
	       "what breaks with them alone is told so");
	v = judge(&worse, 3);
	ok(says(&v, "inputs: normal values.") && !strstr(v.message, "nan, -0.0"), "ordinary values come first");
	gk_verdict_release(&v);
	cases[1].specials = 0;
}

static const json_t *exec_detail(const struct gk_verdict *v, const char *id)
{
	for (size_t i = 0; i < v->case_count; i++)
		if (strcmp(v->cases[i].part, "exec") == 0 && strcmp(v->cases[i].case_id, id) == 0)
			return v->cases[i].detail;
	return NULL;
}

static void what_varies_is_noted(void)
{
	struct world w = {.bad_case = -1, .varies = true}, same = {.bad_case = -1};
	struct gk_verdict v = judge(&w, 3);
	const json_t *repeat = json_object_get(exec_detail(&v, "id0"), "repeat");

	ok(v.outcome == GK_PASS, "bits that differ are no failure");
	ok(strstr(note_of(&v, "nondeterministic"), "case id0: two executions on the same inputs differ in output out "
	                                           "float32[100]: 2 of 100 elements; first at [5]: "),
	   "but are told");
	ok(strstr(note_of(&v, "nondeterministic"), "; at most 1 ulp apart"), "with their distance");
	is_int(json_integer_value(json_object_get(repeat, "different")), 2, "the case has the count");
	gk_verdict_release(&v);
	v = judge(&same, 3);
	repeat = json_object_get(exec_detail(&v, "id0"), "repeat");
	ok(repeat && json_integer_value(json_object_get(repeat, "different")) == 0 && !note_of(&v, "nondet")[0],
	   "and that the same bits came");
	gk_verdict_release(&v);
	task.deterministic = true;
	expect(&same, 3, GK_PASS, "pass", "", "where a task asks for the same bits, they pass");
	expect(&w, 3, GK_FAIL, "nondeterministic", "Case id0 (x float32[100], y float32[100]): two executions", "and others fail");
	w.backwards = true;
	expect(&w, 3, GK_FAIL, "nondeterministic", "first at [5]", "in whatever order they come");
	task.deterministic = false;
	for (int i = 0; i < 3; i++)
		cases[i].held_out = i != 1;
	v = judge(&same, 3);
	ok(json_object_get(exec_detail(&v, "id1"), "repeat") && !json_object_get(exec_detail(&v, "id0"), "repeat"),
	   "one of the file's own cases is taken");
	gk_verdict_release(&v);
	for (int i = 0; i < 3; i++)
		cases[i].held_out = false;
}

static void distances_stand_in_the_verdict(void)
{
	struct world w = {.bad_case = -1}, values = {.bad_case = 1};
	struct gk_verdict v = judge(&w, 3);

	is_int(json_integer_value(json_object_get(v.ulp, "count")), 10 * COUNT, "of all that was compared, of a pass too");
	is_int(json_integer_value(json_object_get(v.ulp, "exact")), 10 * COUNT, "how many are as near as can be");
	is_int(json_integer_value(json_object_get(json_object_get(exec_detail(&v, "id1"), "ulp"), "count")), 3 * COUNT,
	       "and of each case");
	gk_verdict_release(&v);
	v = judge(&values, 3);
	ok(json_object_get(exec_detail(&v, "id1"), "map") && json_object_get(exec_detail(&v, "id1"), "ulp"),
	   "a wrong case has its figures as well");
	gk_verdict_release(&v);
}

int main(void)
{
	world_begin();
	an_honest_candidate_passes();
	lint_stops_at_once();
	claims_become_verdicts();
	contracts_and_plans_are_checked();
	executions_are_judged();
	copies_alone_are_no_kernel();
	allowed_arithmetic_ends_what_kernels_made();
	after_a_failure_a_few_more_cases_are_looked_at();
	what_hangs_or_crashes_does_so_once();
	the_order_of_completion_does_not_matter();
	failures_of_ours_are_infra();
	seeds_are_secret_and_shared();
	kernels_are_lowered_for_other_targets();
	prints_are_left_out_on_a_gpu();
	what_does_not_compile_fails_the_call();
	configurations_that_do_not_compile_are_left_out();
	special_values_have_a_round();
	what_varies_is_noted();
	distances_stand_in_the_verdict();
	world_end();
	return done_testing();
}
