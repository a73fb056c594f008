#include "fact/verdict.h"

#include "base/doc.h"
#include "base/memory.h"
#include "base/text.h"
#include "tap.h"

static void fill(struct gk_verdict *v)
{
	v->stage = GK_STAGE_EXEC;
	v->outcome = GK_FAIL;
	v->kind = "wrong_values";
	v->message = "the last column is wrong";
	v->call = v->compiled = true;
	v->evidence = GK_SIMULATED;
	v->plan_hash = "abc";
	v->stages_ms[GK_STAGE_CALL] = 12.5;
	v->speedup = (struct gk_speedup){true, 1.5, 1.4, 1.1, 1.2, 1.75, 0.01, false};
	v->case_count = 2;
	v->cases = gk_arena_array(&v->arena, 2, sizeof *v->cases);
	v->cases[0] = (struct gk_case_result){"M=1", "call", GK_PASS, "", "", NULL, json_array()};
	v->cases[1] = (struct gk_case_result){"M=2", "exec", GK_FAIL, "wrong_values", "index 3",
	                                      json_pack("{s:i}", "worst", 3), NULL};
	v->notes = json_pack("[s]", "atomics");
	v->counts = json_pack("{s:i}", "launches", 2);
}

static void refused(json_t *changed, const char *want, const char *behaviour)
{
	struct gk_verdict v;
	struct gk_err e = {0};

	is_text(gk_verdict_from_json(changed, &v, &e) < 0 ? e.text : "accepted", want, behaviour);
	json_decref(changed);
}

static void nothing_is_lost(const struct gk_verdict *v, const json_t *json)
{
	gk_free_auto char *text = gk_json_text(json);
	struct gk_verdict back;
	struct gk_err e = {0};

	is_int(gk_verdict_from_json(json, &back, &e), 0, "a verdict is read back");
	gk_json_auto *again = gk_verdict_to_json(&back);
	gk_free_auto char *text_again = gk_json_text(again);
	is_text(text_again, text, "nothing is lost on the way");
	is_text(back.cases[1].message, "index 3", "cases have their words");
	near(back.speedup.low, 1.2, 0, "and the speed-up its bound");
	near(back.speedup.worst, 1.1, 0, "its worst case");
	near(back.speedup.floor, 0.01, 0, "its noise floor");
	ok(!back.speedup.within_noise, "and whether it is more than noise");
	ok(v->cases[0].samples && !back.cases[0].samples && !strstr(text, "samples"), "raw samples are no part of it");
	ok(gk_text_starts(text, "{\"call\":true,\"cases\":[{\"case\":\"M=1\",\"detail\":null,\"kind\":\"\",\"message\":\"\","
	                        "\"outcome\":\"pass\",\"part\":\"call\"}"), "the form is the documented one");
	gk_verdict_release(&back);
}

static void what_is_empty_or_odd_is_kept(struct gk_verdict *v)
{
	struct gk_verdict back, empty = {0};
	struct gk_err e = {0};

	gk_json_auto *nothing = gk_verdict_to_json(&empty);
	ok(json_is_null(json_object_get(nothing, "speedup")), "speed that was not measured is null");
	is_int(gk_verdict_from_json(nothing, &back, &e), 0, "an empty verdict is read back");
	ok(!back.speedup.measured && back.case_count == 0, "as empty");
	gk_verdict_release(&back);
	v->message = "bad \xff byte";
	gk_json_auto *odd = gk_verdict_to_json(v);
	ok(odd && json_is_string(json_object_get(json_object_get(odd, "verdict"), "message")),
	   "a message that is no UTF-8 does not lose the verdict");
}

static void verdicts_without_floors_are_read(const json_t *json)
{
	json_t *old = json_deep_copy(json), *speedup = json_object_get(old, "speedup");
	struct gk_verdict back;
	struct gk_err e = {0};

	json_object_del(speedup, "worst");
	json_object_del(speedup, "floor");
	json_object_del(speedup, "within_noise");
	is_int(gk_verdict_from_json(old, &back, &e), 0, "one that was stored before there were floors is read");
	ok(back.speedup.mean == 1.5 && back.speedup.worst == 0 && back.speedup.floor == 0, "without them");
	gk_verdict_release(&back);
	json_object_set_new(speedup, "within_noise", json_integer(1));
	refused(old, "verdict: speedup.within_noise: true or false is needed, not 1", "but not with others in their place");
}

static void what_is_no_verdict_is_refused(const json_t *json)
{
	json_t *other = json_deep_copy(json);

	json_object_set_new(other, "evidence", json_string("seald"));
	refused(other, "verdict: evidence: one of none, simulated, sealed, contained is needed, not \"seald\": did you mean sealed?",
	        "a wrong word is refused");
	other = json_deep_copy(json);
	json_object_del(json_array_get(json_object_get(other, "cases"), 1), "kind");
	refused(other, "verdict: cases[1].kind: is missing", "a case without its kind too");
	other = json_deep_copy(json);
	json_object_set_new(other, "extra", json_true());
	refused(other, "verdict: extra: unknown key", "and what is not known");
	refused(json_integer(3), "verdict: a mapping is needed, not 3", "a number is no verdict");
}

int main(void)
{
	struct gk_verdict v = {0};

	fill(&v);
	gk_json_auto *json = gk_verdict_to_json(&v);
	nothing_is_lost(&v, json);
	what_is_empty_or_odd_is_kept(&v);
	verdicts_without_floors_are_read(json);
	what_is_no_verdict_is_refused(json);
	gk_verdict_release(&v);
	return done_testing();
}
