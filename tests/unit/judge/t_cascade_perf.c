/* The cascade on a GPU: after everything was right, the cases of perf are timed against the reference. */
#include "world.h"

enum { CASES = 5, BOTH = 3, ONLY = 4 }; /* case 3 is for exec and perf, case 4 for perf alone */

static struct gk_cascade *reference;

static struct world timed_world(void)
{
	return (struct world){.bad_case = -1, .target = "sm_90", .on_gpu = true, .measure = true, .against = reference};
}

static const struct gk_case_result *perf_case(const struct gk_verdict *v, size_t n)
{
	for (size_t i = 0; i < v->case_count; i++)
		if (strcmp(v->cases[i].part, "perf") == 0 && n-- == 0)
			return &v->cases[i];
	return NULL;
}

static void the_reference_is_measured_against_itself(void)
{
	struct world w = {.bad_case = -1, .target = "sm_90", .on_gpu = true, .measure = true, .is_reference = true,
	                  .kept = &reference};
	struct gk_verdict v = judge(&w, CASES);

	ok(v.outcome == GK_PASS && v.stage == GK_STAGE_PERF && v.exec, "a reference passes");
	is_int(timings, 2, "both cases of perf are timed");
	is_int(executions, 4 * GK_JUDGE_ROUNDS + 1, "what is for perf alone is not executed before");
	ok(v.speedup.measured && v.speedup.within_noise, "against itself it is as fast as itself");
	gk_verdict_release(&v);
}

static void a_faster_candidate_has_a_speedup(void)
{
	struct world w = timed_world();
	struct gk_verdict v, back;
	const struct gk_case_result *r;
	json_t *ja, *jb;

	w.b_ms = 0.5;
	v = judge(&w, CASES);
	ok(v.outcome == GK_PASS && v.exec && v.stage == GK_STAGE_PERF && v.evidence == GK_SEALED,
	   "a candidate that was timed passes at the stage of perf");
	near(v.speedup.mean, 2, 0.01, "twice as fast");
	ok(v.speedup.measured && v.speedup.low > 1.9 && v.speedup.high < 2.1 && !v.speedup.within_noise,
	   "with an interval");
	is_int((long long)v.case_count, 5 + 4 + 2, "each case has a result for each part");
	r = perf_case(&v, 0);
	is_text(r->case_id, "id3", "the case for both is the first");
	ok(r->samples && json_array_size(json_object_get(json_object_get(r->samples, "b"), "ms")) == 128,
	   "raw samples are kept");
	near(json_number_value(json_object_get(r->detail, "speedup")), 2, 0.01, "and the figures");
	near(v.stages_ms[GK_STAGE_PERF], 9, 0, "and how long it took");
	w.backwards = true;
	back = judge(&w, CASES);
	ja = gk_verdict_to_json(&v);
	jb = gk_verdict_to_json(&back);
	ok(json_equal(ja, jb), "in any order of completion");
	json_decref(ja);
	json_decref(jb);
	gk_verdict_release(&v);
	gk_verdict_release(&back);
}

static void without_a_reference_nothing_is_timed(void)
{
	struct world w = timed_world(), off = timed_world(), machine = {.bad_case = -1, .measure = true};
	struct gk_verdict v;

	w.against = NULL;
	w.why = "it did not pass itself";
	v = judge(&w, CASES);
	ok(v.outcome == GK_PASS && v.exec && v.stage == GK_STAGE_EXEC && !v.speedup.measured && timings == 0,
	   "a reference that fails is no fault of the candidate's");
	is_text(note_of(&v, "speed"), "speed was not measured: it did not pass itself", "and a note says so");
	gk_verdict_release(&v);
	off.measure = false;
	v = judge(&off, CASES);
	ok(v.outcome == GK_PASS && v.stage == GK_STAGE_EXEC && timings == 0, "nothing is timed unless it is wanted");
	gk_verdict_release(&v);
	v = judge(&machine, CASES);
	ok(v.outcome == GK_PASS && timings == 0, "nor ever on the machine");
	gk_verdict_release(&v);
	w = timed_world();
	w.bad_case = 1;
	v = judge(&w, CASES);
	ok(v.outcome == GK_FAIL && v.stage == GK_STAGE_EXEC && timings == 0, "nor what is wrong");
	gk_verdict_release(&v);
}

/* Judges, checks kind and words and that nothing is called right or fast. */
static void expect_caught(const struct world *w, const char *kind, const char *words, const char *behaviour)
{
	struct gk_verdict v = judge(w, CASES);

	ok(v.outcome == GK_FAIL && v.stage == GK_STAGE_PERF && !v.exec && !v.speedup.measured &&
	           strcmp(v.kind, kind) == 0 && says(&v, words),
	   behaviour);
	gk_verdict_release(&v);
}

static void cheating_with_the_clock_is_caught(void)
{
	static const char far[] = "{\"kind\":\"out_of_bounds\",\"message\":\"writes behind y\",\"kernel\":\"add_kernel\"}";
	struct world forged = timed_world(), sabotage = timed_world(), values = timed_world(), found = timed_world(),
		     dies = timed_world();

	forged.b_ms = 0.5;
	forged.b_host_ms = 1;
	expect_caught(&forged, "clock_mismatch", "Case id3", "events that say less than the host's clock");
	sabotage.a_ms = 1.5;
	expect_caught(&sabotage, "sabotage", "Case id3", "a reference that is slower beside the candidate");
	values.bad_timed = ONLY;
	expect_caught(&values, "wrong_values", "Case id4", "a timed call that computes something else");
	expect_caught(&values, "wrong_values", "in a timed call: ", "in words");
	found.timed_finding = far;
	found.timed_side = "b";
	expect_caught(&found, "out_of_bounds", "behind y", "a timed call that writes where it must not");
	dies.timed_dies = true;
	expect_caught(&dies, "crash", "signal 9", "a candidate that takes the launcher along when it is timed");
}

static void nobody_is_accused_before_a_second_look(void)
{
	struct world w = timed_world(), once = timed_world(), found = timed_world();
	struct gk_verdict v;
	const struct gk_case_result *r;

	w.a_ms = w.again_ms = 1.5;
	v = judge(&w, CASES);
	ok(v.outcome == GK_PASS && v.exec && v.speedup.measured, "a reference that is slow alone as well was not disturbed");
	near(v.speedup.mean, 1.5, 0.01, "and the speedup is that of the pairs");
	r = perf_case(&v, 0);
	near(json_number_value(json_object_get(r->detail, "alone_again_ms")), 1.5, 0.01, "the second look stands beside it");
	is_int(timings, 4, "each case is looked at once more");
	is_int((long long)v.case_count, 5 + 4 + 2, "which is no case of its own");
	gk_verdict_release(&v);
	once.a_ms = 1.5;
	v = judge(&once, CASES);
	ok(v.outcome == GK_FAIL && strcmp(v.kind, "sabotage") == 0 && timings == 4,
	   "one that is fast alone, twice, was disturbed");
	gk_verdict_release(&v);
	found.a_ms = 1.5;
	found.bad_timed = BOTH;
	v = judge(&found, CASES);
	is_text(v.kind, "wrong_values", "what is wrong besides is said without a second look");
	gk_verdict_release(&v);
}

static void a_fault_of_the_reference_is_nobody_elses(void)
{
	static const char far[] = "{\"kind\":\"out_of_bounds\",\"message\":\"writes behind y\",\"kernel\":\"add_kernel\"}";
	struct world w = timed_world();
	struct gk_verdict v;

	w.timed_finding = far;
	w.timed_side = "a";
	v = judge(&w, CASES);
	ok(v.outcome == GK_PASS && v.exec && !v.speedup.measured, "a reference that fails beside it leaves speed unmeasured");
	ok(note_of(&v, "not measured: id3")[0] != '\0', "and a note says so");
	is_int(perf_case(&v, 0)->outcome, GK_UNDECIDED, "the case is neither right nor wrong");
	gk_verdict_release(&v);
}

static void variants_are_tried_before_they_are_chosen(void)
{
	struct world w = timed_world();
	struct gk_cascade *own = NULL;
	struct gk_verdict v;

	w.variants = 6; /* the reference has one */
	w.kept = &own;
	v = judge(&w, CASES);
	ok(v.outcome == GK_PASS, "autotuned kernels are timed with all their configurations");
	is_int(executions, 4 * (GK_JUDGE_ROUNDS + 5) + 1, "each of which was executed before");
	gk_verdict_release(&v);
	gk_cascade_free(own);
	w.kept = NULL;
	w.bad_timed = ONLY;
	expect_caught(&w, "wrong_values", "Case id4", "and what is chosen is verified");
}

static void trust_decides_what_is_sealed(void)
{
	struct world w = timed_world();
	struct gk_verdict v;

	w.target = "gfx942";
	w.against = NULL;
	v = judge(&w, CASES);
	is_int(v.evidence, GK_EVIDENCE_NONE, "an AMD GPU's verdict is not sealed by itself");
	gk_verdict_release(&v);
	w.trusted = true;
	v = judge(&w, CASES);
	is_int(v.evidence, GK_SEALED, "but once a self-test has passed");
	gk_verdict_release(&v);
}

int main(void)
{
	world_begin();
	cases[BOTH].perf = true;
	cases[ONLY].exec = false;
	cases[ONLY].perf = true;
	the_reference_is_measured_against_itself();
	a_faster_candidate_has_a_speedup();
	without_a_reference_nothing_is_timed();
	cheating_with_the_clock_is_caught();
	nobody_is_accused_before_a_second_look();
	a_fault_of_the_reference_is_nobody_elses();
	variants_are_tried_before_they_are_chosen();
	trust_decides_what_is_sealed();
	gk_cascade_free(reference);
	world_end();
	return done_testing();
}
