/* The cascade and runs for real: confirmations, verdicts that rest on runs alone, end-to-end figures. */
#include "world.h"

/* ---- what runs say ---- */

struct play {
	struct world world;
	bool confirm, may_contain, is_elsewhere;
	int end_to_end;
	const char *first, *launches; /* of the first and of later calls; NULL: those of the plan */
	const char *returned;         /* NULL: what is declared */
	const char *census, *changed, *raised, *malformed;
	enum gk_capture_end end;
	bool is_wrong, says_nothing, says_twice, exits;
	/* seen */
	int runs, calls, times;
};

#define LAUNCH(name, ttir, grid, own)                                                                                  \
	"{\"name\":\"" name "\",\"ttir\":\"" ttir "\",\"options\":{},\"grid\":" grid ",\"own\":" own "}"
#define PLANNED LAUNCH("add_kernel", "", "[2,1,1]", "true")
#define RETURNED(class, dtype, device, input)                                                                          \
	"[{\"class\":\"" class "\",\"is_tensor\":true,\"dtype\":\"" dtype "\",\"shape\":[100],\"strides\":[1],\"device\":\"" device    \
	"\",\"input\":" input "}]"

static json_t *loads(const char *text, const char *standard)
{
	return json_loads(text ? text : standard, 0, NULL);
}

static json_t *ran_json(const struct play *p, size_t call)
{
	json_t *launches = loads(call ? p->launches : p->first, "[" PLANNED "]");

	return json_pack("{s:i, s:i, s:o, s:o, s:i, s:o, s:o}", "case", (int)call, "count", 1, "outputs",
	                 loads(p->returned, RETURNED("Tensor", "float32", "cpu", "null")), "launches", launches, "total",
	                 (int)json_array_size(launches), "census", loads(p->census, "[]"), "changed", loads(p->changed, "[]"));
}

static void add(struct gk_claim *claims, struct gk_capture_result *r, enum gk_claim_kind kind, int64_t index,
                int64_t came_ms, json_t *json)
{
	claims[r->claim_count++] = (struct gk_claim){kind, index, json, came_ms * 1000000};
}

static void add_marks(const struct gk_judge_run *run, struct gk_claim *claims, struct gk_capture_result *r)
{
	add(claims, r, GK_CLAIM_MARK, 0, 100, json_pack("{s:s, s:i}", "at", "begin", "calls", run->times));
	add(claims, r, GK_CLAIM_MARK, 0, 180,
	    json_pack("{s:s, s:i, s:f, s:f}", "at", "end", "calls", run->times, "event_ms", 40.0, "host_ms", 60.0));
}

static void tell_run(struct gk_cascade *c, struct play *p, const struct gk_judge_run *run)
{
	static struct gk_outputs outputs;
	struct gk_judge_setup setup = setup_of(MOST_CASES);
	struct gk_judge_data data = data_new();
	struct gk_claim claims[32];
	struct gk_capture_result r = {.claims = claims, .output = "", .end = p->end, .complete = !p->exits,
	                              .malformed = p->malformed};
	struct gk_judge_call calls[GK_JUDGE_RUN_CALLS] = {{NULL, NULL}};
	const void *got[] = {p->is_wrong ? wrong : right}, *wanted[] = {want};

	if (run->times)
		add_marks(run, claims, &r);
	for (size_t i = 0; i < run->count && !p->says_nothing; i++)
		for (int k = 0; k < 1 + p->says_twice; k++)
			add(claims, &r, GK_CLAIM_RAN, (int64_t)i, 0, ran_json(p, i));
	if (p->raised)
		add(claims, &r, GK_CLAIM_RAISED, -1, 0, json_loads(p->raised, 0, NULL));
	gk_outputs_prepare(&outputs, &task, case_list[run->case_index], &data, got, wanted);
	gk_outputs_compare(&outputs);
	for (size_t i = 0; i < run->count; i++)
		calls[i] = (struct gk_judge_call){&data, gk_judge_call_fits(&setup, &data, &r, i) ? &outputs : NULL};
	p->runs++;
	p->calls += (int)run->count;
	p->times += run->times;
	gk_cascade_ran(c, run->number, &r, calls, 3);
	for (size_t i = 0; i < r.claim_count; i++)
		json_decref(claims[i].json);
	gk_judge_data_release(&data);
}

static void step(struct gk_cascade *c, struct play *p, const struct gk_judge_action *a, size_t count, struct gk_verdict *v)
{
	const struct gk_lint_result lint = {.passed = true, .kind = "", .message = ""};
	const struct gk_err none = {.kind = GK_ERR_SYSTEM, .text = "there is no device"};

	if (a->kind == GK_JUDGE_LINT) {
		gk_cascade_linted(c, &lint, 1);
	} else if (a->kind == GK_JUDGE_CAPTURE) {
		tell_capture(c, &p->world, count, a->take);
	} else if (a->kind == GK_JUDGE_EXECUTE) {
		tell_execution(c, &p->world, a->execution);
	} else if (a->kind == GK_JUDGE_RUN && p->is_elsewhere) {
		gk_cascade_not_run(c, a->run->number, &none);
	} else if (a->kind == GK_JUDGE_RUN) {
		tell_run(c, p, a->run);
	} else {
		*v = *a->verdict;
		*a->verdict = (struct gk_verdict){0};
	}
}

static struct gk_verdict play(struct play *p, size_t count)
{
	struct gk_judge_setup setup = setup_of(count);
	struct gk_judge_action a;
	struct gk_verdict v = {0};
	struct gk_cascade *c;

	setup.confirm = p->confirm;
	setup.may_contain = p->may_contain;
	setup.end_to_end = p->end_to_end;
	p->world.bad_case = -1;
	p->runs = p->calls = p->times = 0;
	paired_seen = 0;
	c = gk_cascade_new(&setup);
	while (gk_cascade_next(c, &a))
		step(c, p, &a, count, &v);
	gk_cascade_free(c);
	return v;
}

static void expect_play(struct play p, enum gk_outcome outcome, const char *kind, const char *words, const char *behaviour)
{
	struct gk_verdict v = play(&p, 3);

	ok(v.outcome == outcome && v.kind && strcmp(v.kind, kind) == 0 && says(&v, words), behaviour);
	gk_verdict_release(&v);
}

/* ---- confirmation ---- */

static void a_pass_is_confirmed(void)
{
	struct play p = {.confirm = true}, without = {.confirm = false};
	struct gk_verdict v = play(&p, 5);

	ok(v.outcome == GK_PASS && v.evidence == GK_SIMULATED, "who does what the plan says passes, with the same evidence");
	ok(p.runs == 1 && p.calls == 2, "one case is called twice");
	ok(note_of(&v, "confirmed")[0], "a note says so");
	gk_verdict_release(&v);
	v = play(&without, 5);
	ok(v.outcome == GK_PASS && without.runs == 0 && !note_of(&v, "confirmed")[0], "nothing is run unless it is asked for");
	gk_verdict_release(&v);
}

#define REFUSED(words, behaviour, ...)                                                                                 \
	expect_play((struct play){.confirm = true, __VA_ARGS__}, GK_FAIL, "plan_mismatch", words, behaviour)

static void who_does_something_else_is_refused(void)
{
	REFUSED("launch 1 is not there, by its plan add_kernel over (2, 1, 1)", "a launch that does not come", .launches = "[]");
	REFUSED("launch 1 is other over", "another kernel", .launches = "[" LAUNCH("other", "", "[2,1,1]", "true") "]");
	REFUSED("over (1, 1, 1) programs", "another grid", .launches = "[" LAUNCH("add_kernel", "", "[1,1,1]", "true") "]");
	REFUSED("of another text", "another text", .launches = "[" LAUNCH("add_kernel", "00", "[2,1,1]", "true") "]");
	REFUSED("launch 2 is add_kernel over (2, 1, 1) programs, by its plan there is none", "one launch more",
	        .launches = "[" PLANNED "," PLANNED "]");
	REFUSED("called for real, on fresh inputs, add", "other values", .is_wrong = true);
	REFUSED("class Lazy, a class of tensors of its own", "a class of its own",
	        .returned = RETURNED("Lazy", "float32", "cpu", "null"));
	REFUSED("on meta, not on the device of the inputs", "a tensor elsewhere",
	        .returned = RETURNED("Tensor", "float32", "meta", "null"));
	REFUSED("call 1", "a call that is not told", .says_nothing = true);
	REFUSED("more than once", "or told twice", .says_twice = true);
	REFUSED("channel", "forged claims", .malformed = "a capture may not say that");
	REFUSED("the input x was written to", "inputs that changed", .changed = "[\"x\"]");
	REFUSED("exited with status 0 before it had returned", "a process that ends early", .exits = true);
}

static void a_first_call_may_do_more(void)
{
	struct play p = {.confirm = true, .first = "[" LAUNCH("table", "", "[1,1,1]", "true") "," PLANNED "]"};
	struct gk_verdict v = play(&p, 3);

	ok(v.outcome == GK_PASS, "what the prologue does");
	gk_verdict_release(&v);
	p.launches = p.first;
	v = play(&p, 3);
	ok(v.outcome == GK_FAIL, "a second call may not");
	gk_verdict_release(&v);
}

static void what_the_interpreter_cannot_say_is_a_note(void)
{
	struct play raised = {.confirm = true, .raised = "{\"type\":\"InterpreterError\",\"message\":\"no\",\"line\":0}"},
		    late = {.confirm = true, .end = GK_CAPTURE_TIMED_OUT, .exits = true},
		    crash = {.confirm = true, .end = GK_CAPTURE_SIGNALED, .exits = true},
		    elsewhere = {.confirm = true, .is_elsewhere = true};
	struct play *all[] = {&raised, &late, &crash, &elsewhere};

	for (size_t i = 0; i < gk_count_of(all); i++) {
		struct gk_verdict v = play(all[i], 3);

		ok(v.outcome == GK_PASS && v.exec && note_of(&v, "not confirmed")[0], "passes, not confirmed");
		gk_verdict_release(&v);
	}
}

/* ---- judged contained ---- */

static const struct world not_captured = {
	.claim = "{\"kind\":\"not_capturable\",\"op\":\"item\",\"line\":6,\"message\":\"reads data\"}", .claim_kind = GK_CLAIM_CANNOT};

static void what_cannot_be_captured_is_run_where_the_task_allows_it(void)
{
	struct play p = {.world = not_captured, .may_contain = true}, sealed = {.world = not_captured};
	struct gk_verdict v;

	expect_play(p, GK_UNDECIDED, "not_capturable", "reads data", "not without the task's leave");
	task.contained = true;
	v = play(&p, 3);
	ok(v.outcome == GK_PASS && v.call && v.exec && v.evidence == GK_CONTAINED, "with it, runs decide");
	ok(p.runs == 3 && p.calls == 9, "every case, every round");
	ok(strstr(note_of(&v, "judged contained"), "reads data") != NULL, "a note says why");
	is_text(v.plan_hash, "", "there is no plan");
	gk_verdict_release(&v);
	expect_play(sealed, GK_UNDECIDED, "not_capturable", "reads data", "--evidence sealed insists on plans");
	p.world.claim = "{\"kind\":\"not_a_kernel\",\"op\":\"mul\",\"line\":6,\"message\":\"torch.mul computes\"}";
	expect_play(p, GK_FAIL, "not_a_kernel", "torch.mul computes", "other refusals stay what they are");
	task.contained = false;
}

static void allowed_arithmetic_is_leave_enough(void)
{
	static const char *allow[] = {"aten::sort"};
	struct play p = {.world = not_captured, .may_contain = true};

	p.world.claim = "{\"kind\":\"not_capturable\",\"op\":\"sort\",\"line\":6,\"message\":\"sort is allowed\"}";
	task.allow = allow;
	task.allow_count = 1;
	expect_play(p, GK_PASS, "pass", "", "an operation that the task lists");
	p.census = "[{\"op\":\"aten::sort\",\"overload\":\"stable\",\"what\":\"arithmetic\",\"line\":6,\"count\":1}]";
	expect_play(p, GK_PASS, "pass", "", "is allowed in the run as well");
	p.census = "[{\"op\":\"aten::topk\",\"overload\":\"default\",\"what\":\"arithmetic\",\"line\":6,\"count\":1}]";
	expect_play(p, GK_FAIL, "not_a_kernel", "aten::topk computes with PyTorch, which the task does not allow (line 6", "another is not");
	p.world.claim = "{\"kind\":\"not_capturable\",\"op\":\"topk\",\"line\":6,\"message\":\"topk\"}";
	expect_play(p, GK_UNDECIDED, "not_capturable", "topk", "and gives no leave");
	allow[0] = "aten::sum";
	p.world.claim = "{\"kind\":\"not_capturable\",\"op\":\"sum\",\"line\":6,\"message\":\"not in this form\"}";
	expect_play(p, GK_UNDECIDED, "not_capturable", "not in this form", "nor does what plans have steps for");
	task.allow_count = 0;
}

static void what_is_returned_is_checked(void)
{
	struct play p = {.world = not_captured, .may_contain = true};

	p.returned = RETURNED("Tensor", "float16", "cpu", "null");
	expect_play(p, GK_FAIL, "wrong_contract", "output out is float16[100], but float32[100] is expected", "another dtype");
	p.returned = RETURNED("Tensor", "float32", "cpu", "\"x\"");
	expect_play(p, GK_FAIL, "wrong_contract", "is the input x itself", "an input");
	p.returned = "[{\"class\":\"Tensor\",\"is_tensor\":true,\"dtype\":\"float32\",\"shape\":\"all\",\"strides\":[1],\"device\":\"cpu\"}]";
	expect_play(p, GK_FAIL, "wrong_contract", "no tensor that geak knows", "nonsense");
	p.returned = "[]";
	expect_play(p, GK_FAIL, "wrong_contract", "add returns 0 tensors, 1 is expected", "nothing at all");
}

static void runs_are_judged(void)
{
	struct play p = {.world = not_captured, .may_contain = true}, plain = p;

	p.is_wrong = true;
	expect_play(p, GK_FAIL, "wrong_values", "output out", "wrong values");
	p = plain;
	p.launches = "[" LAUNCH("add_kernel", "", "[2,1,1]", "false") "]";
	expect_play(p, GK_FAIL, "foreign_kernel", "add_kernel is not defined in the candidate's file", "a kernel of another file");
	p = plain;
	p.launches = p.first = "[]";
	expect_play(p, GK_FAIL, "not_a_kernel", "no Triton kernel was launched", "somebody must launch");
	p = plain;
	p.end = GK_CAPTURE_SIGNALED;
	expect_play(p, GK_FAIL, "crash", "signal", "a crash");
	p = plain;
	p.raised = "{\"type\":\"InterpreterError\",\"message\":\"no\",\"line\":0}";
	expect_play(p, GK_UNDECIDED, "not_simulated", "Triton's interpreter", "what the interpreter cannot run is undecided");
	p = plain;
	p.is_elsewhere = true;
	expect_play(p, GK_INFRA, "infra", "there is no device", "what cannot be run at all is ours to fail");
}

/* ---- end to end ---- */

static void the_slowest_clock_counts(void)
{
	struct play p = {.end_to_end = 20};
	struct gk_verdict v = play(&p, 3);
	const json_t *first = json_array_get(v.end_to_end, 0);

	ok(v.outcome == GK_PASS && p.runs == 1 && p.times == 20, "a case is timed, and nothing else run");
	is_int((long long)json_array_size(v.end_to_end), 1, "there is a figure");
	ok(json_number_value(json_object_get(first, "event_ms")) == 2 && json_number_value(json_object_get(first, "host_ms")) == 3,
	   "per call");
	ok(json_number_value(json_object_get(first, "ms")) == 4, "geak's own clock is the slowest here");
	gk_verdict_release(&v);
	p.is_wrong = true;
	v = play(&p, 3);
	ok(v.outcome == GK_PASS && !v.end_to_end, "what computes other values has no figure");
	gk_verdict_release(&v);
}

int main(void)
{
	world_begin();
	a_pass_is_confirmed();
	who_does_something_else_is_refused();
	a_first_call_may_do_more();
	what_the_interpreter_cannot_say_is_a_note();
	what_cannot_be_captured_is_run_where_the_task_allows_it();
	allowed_arithmetic_is_leave_enough();
	task.contained = true;
	what_is_returned_is_checked();
	runs_are_judged();
	task.contained = false;
	the_slowest_clock_counts();
	world_end();
	return done_testing();
}
