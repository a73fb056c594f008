/* What a launcher tells becomes figures and, where it must, a failure of the right side. */
#include "judge/measure.h"

#include "base/doc.h"
#include "base/memory.h"
#include "judge/timed.h"
#include "tap.h"

#define PAIRS 128

static uint64_t state;

static double unit(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double)(state >> 33) + 0.5) / 2147483648.;
}

static double noise(double ms)
{
	return ms * (1 + 0.01 * (unit() + unit() + unit() - 1.5));
}

/* Times by events and by the host, in milliseconds; 0: as the events say. */
struct story {
	double a_ms, b_ms, host_a_ms, host_b_ms, tick_ms;
	int sm_mhz, pairs; /* 0: 1900; PAIRS */
};

static json_t *side_json(const struct story *s, double ms)
{
	int pairs = s->pairs ? s->pairs : PAIRS;
	json_t *list = json_array();

	for (int i = 0; i < pairs; i++) {
		double one = noise(ms);

		json_array_append_new(list,
		                      json_real(s->tick_ms > 0 ? round(one / s->tick_ms) * s->tick_ms : one));
	}
	return json_pack("{s:o, s:[], s:[], s:n, s:[], s:i, s:i, s:[{s:i, s:i}]}", "ms", list, "chosen",
	                 "tuned", "fills_ms", "changed", "checked", 10, "different", 0, "poisoned",
	                 "poisoned", 0, "first", -1);
}

static json_t *tell(const struct story *s)
{
	int pairs = s->pairs ? s->pairs : PAIRS, mhz = s->sm_mhz ? s->sm_mhz : 1900;
	json_t *groups = json_array(), *first = json_array();

	state = 5;
	for (int i = 0; i < pairs; i++) {
		json_array_append_new(groups, json_integer(i % 8));
		json_array_append_new(first, json_integer(i % 2));
	}
	return json_pack("{s:n, s:n, s:b, s:o, s:o, s:o, s:o, s:{s:i, s:i, s:f, s:f}, s:n, s:f,"
	                 " s:[{s:i, s:i, s:f, s:[s]}, {s:i, s:i, s:i, s:[s, s]}], s:i, s:f, s:f, s:s}",
	                 "finding", "side", "lost", 0, "a", side_json(s, s->a_ms), "b", side_json(s, s->b_ms),
	                 "group", groups, "first", first, "host", "calls", 50, "rounds", 3, "a_ms",
	                 s->host_a_ms > 0 ? s->host_a_ms : s->a_ms, "b_ms",
	                 s->host_b_ms > 0 ? s->host_b_ms : s->b_ms, "batch", "tick_ms", s->tick_ms, "health",
	                 "pair", 0, "sm_mhz", mhz, "watts", 311.5, "throttle", "power", "pair", 32, "sm_mhz",
	                 mhz + 15, "celsius", 45, "throttle", "power", "heat", "discarded", 7, "held_ms",
	                 123.0, "ms", 150.0, "stopped", "precise");
}

static struct gk_measure measured(json_t *timed, json_t *alone)
{
	struct gk_measure_setup setup = {.timed = timed, .alone = alone, .seed = 3};
	struct gk_measure m;
	struct gk_err e = {0};

	if (gk_measure_case(&setup, &m, &e) < 0)
		printf("# %s\n", e.text);
	json_decref(timed);
	json_decref(alone);
	return m;
}

static struct gk_measure measured_story(const struct story *s, const struct story *alone)
{
	return measured(tell(s), alone ? tell(alone) : NULL);
}

static void expect_kind(const struct story *s, const struct story *alone, const char *kind,
                        const char *behaviour)
{
	struct gk_measure m = measured_story(s, alone);

	is_text(m.kind, kind, behaviour);
	is_int(m.outcome, kind[0] ? GK_FAIL : GK_PASS, "  and its outcome");
	ok((m.message.size > 0) == (kind[0] != 0), "  with words for a failure only");
	gk_measure_release(&m);
}

/* ---- figures ---- */

static void check_keys(const json_t *detail)
{
	static const char *const keys[] = {"reference_ms", "candidate_ms", "speedup", "low",     "high",
	                                   "floor",        "within_noise", "pairs",   "loads",   "host_ms",
	                                   "batch_ms",     "variant",      "health",  "tick_ms", "discarded",
	                                   "held_ms",      "took",         "stopped", "note"};
	size_t found = 0;

	for (size_t i = 0; i < gk_count_of(keys); i++)
		found += json_object_get(detail, keys[i]) != NULL;
	ok(found == gk_count_of(keys) && json_object_size(detail) == found,
	   "the detail has the documented keys and no other");
}

static void test_figures(void)
{
	struct story alone = {0.2, 0.2, 0, 0, 0, 0, 0}, faster = {0.2, 0.1, 0, 0, 0, 0, 0};
	struct gk_measure m = measured_story(&faster, &alone);
	const json_t *health = json_object_get(m.detail, "health");

	ok(m.is_measured && m.outcome == GK_PASS && m.kind[0] == 0 && m.message.size == 0,
	   "nothing is wrong");
	near(m.speedup, 2, 0.01, "twice as fast");
	ok(m.low > 1.98 && m.low < m.speedup && m.high > m.speedup && m.high < 2.02,
	   "within a narrow interval");
	near(m.a_ms, 0.2, 0.001, "what the reference takes");
	near(m.b_ms, 0.1, 0.001, "what the candidate takes");
	ok(m.floor > 0.0002 && m.floor < 0.005, "the floor is of the reference against itself");
	ok(!m.within_noise && m.pairs == PAIRS && m.loads == 8, "not noise, from all pairs and loads");
	check_keys(m.detail);
	gk_free_auto char *told = gk_json_text(health);
	is_text(told,
	        "{\"celsius\":45.0,\"memory_mhz\":null,\"sm_mhz\":[1900.0,1915.0],\"throttle\":[\"power\","
	        "\"heat\"],"
	        "\"watts\":311.5}",
	        "the GPU's state in short");
	ok(json_is_null(json_object_get(m.detail, "batch_ms")), "what was not measured is null");
	is_text(json_string_value(json_object_get(m.detail, "note")), "", "no note");
	gk_measure_release(&m);

	m = measured_story(&alone, &alone);
	ok(m.within_noise && m.low < 1 && m.high > 1, "the same is no difference");
	gk_measure_release(&m);
	m = measured_story(&faster, NULL);
	ok(m.is_measured && m.floor == 0 && strstr(gk_buf_text(&m.note), "noise floor is not known"),
	   "without a floor: a note");
	gk_measure_release(&m);
}

static void test_ticks(void)
{
	struct story same = {0.0032, 0.0032, 0, 0, 0.000032, 0, 0},
		     bit = {0.00325, 0.0032, 0, 0, 0.000032, 0, 0},
		     more = {0.0034, 0.0032, 0, 0, 0.000032, 0, 0};
	struct gk_measure m = measured_story(&bit, &same);

	ok(m.floor >= 0.0099 && m.within_noise, "half a tick of 1 % each cannot be told from noise");
	ok(m.high / m.low >= exp(4 * 0.000016 / 0.0033), "the interval is never narrower than the ticks");
	gk_measure_release(&m);
	m = measured_story(&more, &same);
	ok(!m.within_noise && m.speedup > 1.05, "6 % can");
	gk_measure_release(&m);
}

static void test_combining(void)
{
	struct story alone = {0.2, 0.2, 0, 0, 0, 0, 0}, twice = {0.2, 0.1, 0, 0, 0, 0, 0},
		     same = {0.2, 0.2, 0, 0, 0, 0, 0};
	struct gk_measure m[3] = {
		measured_story(&twice, &alone), measured_story(&same, &alone), {.kind = ""}};
	struct gk_speedup all;

	gk_measure_combine(m, 3, &all);
	ok(all.measured && !all.within_noise, "cases together");
	near(all.mean, 1.5, 0.01, "mean of those that were measured");
	near(all.geomean, sqrt(2), 0.01, "geometric mean");
	near(all.worst, 1, 0.01, "worst");
	ok(all.floor == fmax(m[0].floor, m[1].floor) && all.low < all.mean && all.mean < all.high,
	   "floor and interval");
	gk_measure_combine(m + 2, 1, &all);
	ok(!all.measured && all.mean == 0, "none measured");
	for (int i = 0; i < 3; i++)
		gk_measure_release(&m[i]);
}

/* ---- clocks ---- */

static void test_forged_clock(void)
{
	static const double lengths[] = {0.001, 0.002, 0.003, 0.005, 0.02, 0.1, 3, 100};
	struct story alone = {0.2, 0.2, 0, 0, 0, 0, 0};
	int caught = 0, honest = 0;

	for (size_t i = 0; i < gk_count_of(lengths); i++) {
		double ms = lengths[i], late = fmin(0.002, 0.9 * ms);
		struct story forged = {0.2, ms / 30, 0, ms, 0.000032, 0, 0},
			     fair = {0.2, ms, 0, ms * 1.05, 0.000032, 0, 0},
			     gaps = {0.2, ms, 0, ms + late, 0.000032, 0, 0},
			     early = {0.2, ms, 0, ms - late / 2, 0.000032, 0, 0};
		struct gk_measure m[4] = {measured_story(&forged, &alone), measured_story(&fair, &alone),
		                          measured_story(&gaps, &alone), measured_story(&early, &alone)};

		caught += strcmp(m[0].kind, "clock_mismatch") == 0 && m[0].outcome == GK_FAIL &&
		          fabs(m[0].b_ms - ms) < 1e-9;
		for (int k = 1; k < 4; k++)
			honest += m[k].outcome == GK_PASS;
		for (int k = 0; k < 4; k++)
			gk_measure_release(&m[k]);
	}
	is_int(caught, (int)gk_count_of(lengths),
	       "a time made thirty times shorter is seen at any length; the slower figure counts");
	is_int(honest, 3 * (int)gk_count_of(lengths), "5 % or 2 us between the clocks are not");
}

static void test_clocks(void)
{
	struct story alone = {0.2, 0.2, 0, 0, 0, 0, 0}, backwards = {0.2, -0.3, 0, 0.1, 0, 0, 0},
		     slow = {0.2, 0.3, 0, 0.1, 0, 0, 0}, most = {0.2, 0.1, 0, 0.105, 0, 0, 0},
		     less = {0.2, 0.1, 0, 0.12, 0, 0, 0}, stretched = {0.2, 0.1, 0.1, 0, 0, 0, 0},
		     usual = {0.2, 0.2, 0.15, 0.15, 0, 0, 0};
	struct gk_measure m;

	expect_kind(&backwards, &alone, "clock_mismatch", "a clock that runs backwards");
	expect_kind(&slow, &alone, "", "who reads slower than the host only loses");
	expect_kind(&most, &alone, "", "5 %");
	expect_kind(&less, &alone, "clock_mismatch", "20 %");
	expect_kind(&stretched, &alone, "clock_mismatch", "a reference whose time is stretched");
	m = measured_story(&stretched, &alone);
	ok(fabs(m.a_ms - 0.1) < 1e-12 && fabs(m.speedup - 1) < 0.01 && m.low < m.speedup &&
	           m.high > m.speedup,
	   "the faster figure of the reference counts, in ratio and interval");
	gk_measure_release(&m);
	stretched.host_a_ms = 0.15;
	expect_kind(&stretched, &usual, "", "unless it reads so alone as well");
}

static json_t *without_host(const struct story *s)
{
	json_t *timed = tell(s);

	json_object_set_new(timed, "host", json_null());
	return timed;
}

static void test_sabotage(void)
{
	struct story alone = {0.2, 0.2, 0, 0, 0, 0, 0}, beside = {0.24, 0.2, 0, 0, 0, 0, 0},
		     little = {0.208, 0.2, 0, 0, 0, 0, 0}, cold = {0.24, 0.2, 0, 0, 0, 1560, 0};
	struct gk_measure m;

	expect_kind(&beside, &alone, "sabotage",
	            "a reference that is slower by 20 % beside the candidate than alone");
	expect_kind(&little, &alone, "", "4 % are nothing");
	expect_kind(&cold, &alone, "", "nor 20 % at a clock that is as much lower");
	m = measured_story(&cold, &alone);
	ok(strstr(gk_buf_text(&m.note), "MHz"), "which is noted");
	gk_measure_release(&m);
	expect_kind(&beside, NULL, "", "without a measurement alone nothing can be said");
	m = measured(without_host(&alone), tell(&alone));
	ok(m.outcome == GK_PASS && strstr(gk_buf_text(&m.note), "host's clock was not read"),
	   "without a host's clock: a note");
	gk_measure_release(&m);
}

/* ---- calls that went wrong ---- */

static struct gk_plan plan_of(struct gk_plan_buffer *buffers, uint32_t count)
{
	return (struct gk_plan){.buffers = buffers, .buffer_count = count};
}

static struct gk_measure with(const char *side, const char *key, json_t *value, struct gk_measure_setup setup)
{
	struct story story = {0.2, 0.1, 0, 0, 0, 0, 0};
	json_t *timed = tell(&story);
	struct gk_measure m;
	struct gk_err e = {0};

	json_object_set_new(side ? json_object_get(timed, side) : timed, key, value);
	setup.timed = timed;
	if (gk_measure_case(&setup, &m, &e) < 0)
		printf("# %s\n", e.text);
	json_decref(timed);
	return m;
}

static void expect_blame(const char *key, json_t *value, struct gk_measure_setup setup, const char *kind)
{
	struct gk_measure b = with("b", key, json_incref(value), setup), a = with("a", key, value, setup);

	is_text(b.kind, kind, "of the candidate's calls");
	ok(b.outcome == GK_FAIL && strstr(gk_buf_text(&b.message), "the candidate"), "  a failure in words");
	ok(b.is_measured, "  that was measured all the same");
	is_text(a.kind, "task", "  of the reference's it is the task's fault");
	ok(a.outcome == GK_INFRA && strstr(gk_buf_text(&a.message), "the reference"), "  in words");
	gk_measure_release(&a);
	gk_measure_release(&b);
}

static void test_calls(void)
{
	struct gk_plan_buffer buffers[] = {{64, 16, NULL}, {64, 16, "x"}, {64, 16, "y"}};
	struct gk_plan plan = plan_of(buffers, 3);
	struct gk_param params[] = {{.name = "x", .in_place = true}, {.name = "y"}};
	struct gk_task task = {.params = params, .param_count = 2};
	struct gk_measure_setup setup = {.a = {.plan = &plan}, .b = {.plan = &plan}, .task = &task};
	struct gk_measure m;

	expect_blame(
		"poisoned",
		json_pack("[{s:i, s:i}, {s:i, s:i}]", "poisoned", 0, "first", -1, "poisoned", 3, "first", 17),
		setup, "poison");
	expect_blame("different", json_integer(2), setup, "unstable_values");
	expect_blame("changed", json_pack("[i]", 2), setup, "input_changed");
	m = with("b", "changed", json_pack("[i, i, i]", 1, 0, 99), setup);
	is_int(m.outcome, GK_PASS, "what the task lets the entry write may change");
	gk_measure_release(&m);
	setup.b.has_atomics = true;
	m = with("b", "different", json_integer(2), setup);
	ok(m.outcome == GK_PASS && strstr(gk_buf_text(&m.note), "2 of 10"),
	   "with atomics other bits are a note");
	gk_measure_release(&m);
	setup.b.name = "B.py";
	m = with("b", "poisoned", json_pack("[{s:i, s:i}]", "poisoned", 1, "first", 0), setup);
	ok(strstr(gk_buf_text(&m.message), "B.py left 1 element of"), "sides are called as the caller wants");
	gk_measure_release(&m);
}

static json_t *found(const char *side)
{
	return json_pack("{s:{s:s, s:s, s:s}, s:s?, s:b, s:n, s:n, s:[], s:[], s:n, s:n, s:f, s:[], s:i, "
	                 "s:f, s:f, s:n}",
	                 "finding", "kind", "out_of_bounds", "message", "writes behind buffer 2", "kernel",
	                 "add", "side", side, "lost", 1, "a", "b", "group", "first", "host", "batch",
	                 "tick_ms", 0.0, "health", "discarded", 0, "held_ms", 5.0, "ms", 6.0, "stopped");
}

static void test_findings(void)
{
	struct story none = {0.2, 0.1, 0, 0, 0, 0, 0};
	struct gk_measure b = measured(found("b"), NULL), a = measured(found("a"), NULL),
			  no = measured(found(NULL), NULL);
	struct gk_measure m;
	json_t *timed = tell(&none);

	ok(b.outcome == GK_FAIL && strcmp(b.kind, "out_of_bounds") == 0 &&
	           strstr(gk_buf_text(&b.message), "behind buffer 2"),
	   "a finding on the candidate's side is its failure");
	ok(a.outcome == GK_INFRA && strcmp(a.kind, "task") == 0, "on the reference's the task's");
	ok(no.outcome == GK_INFRA && strcmp(no.kind, "infra") == 0, "on nobody's ours");
	check_keys(b.detail);
	ok(json_is_null(json_object_get(b.detail, "speedup")) && !b.is_measured, "nothing is measured");
	gk_measure_release(&a);
	gk_measure_release(&b);
	gk_measure_release(&no);

	for (int i = 0; i < 2; i++)
		json_array_clear(json_object_get(json_object_get(timed, i ? "b" : "a"), "ms"));
	json_array_clear(json_object_get(timed, "group"));
	m = measured(timed, NULL);
	ok(m.outcome == GK_INFRA && !m.is_measured && strstr(gk_buf_text(&m.message), "7 were discarded"),
	   "no pair that is left is nobody's fault");
	gk_measure_release(&m);
}

static void test_variants(void)
{
	struct gk_plan_variant variants[] = {{.config = json_pack("{s:i}", "BLOCK", 64)},
	                                     {.config = json_pack("{s:i}", "BLOCK", 128)}};
	struct gk_plan_step steps[] = {{.op = GK_STEP_LAUNCH},
	                               {.op = GK_STEP_CHOOSE, .variants = variants, .variant_count = 2},
	                               {.op = GK_STEP_CHOOSE, .variants = variants, .variant_count = 2}};
	struct gk_plan plan = {.steps = steps, .step_count = 3};
	struct gk_measure_setup setup = {.b = {.plan = &plan}};
	struct gk_measure one = with("b", "chosen", json_pack("[i]", 1), setup),
			  two = with("b", "chosen", json_pack("[i, i]", 1, 7), setup);

	gk_free_auto char *first = gk_json_text(json_object_get(one.detail, "variant"));
	gk_free_auto char *second = gk_json_text(json_object_get(two.detail, "variant"));
	is_text(first, "{\"candidate\":{\"BLOCK\":128},\"reference\":null}",
	        "the configuration that was chosen");
	is_text(second, "{\"candidate\":[{\"BLOCK\":128},7],\"reference\":null}",
	        "of several; a number that is none of them stays one");
	gk_measure_release(&one);
	gk_measure_release(&two);
	json_decref(variants[0].config);
	json_decref(variants[1].config);
}

/* ---- alone ---- */

static void test_alone(void)
{
	struct story same = {0.2, 0.2, 0.21, 0.23, 0.000032, 0, 0}, biased = {0.21, 0.2, 0, 0, 0, 0, 0};
	json_t *pair = tell(&same), *solo = tell(&same), *bias = tell(&biased);
	struct gk_alone alone;
	struct gk_err e = {0};

	is_int(gk_measure_alone(pair, 1, &alone, &e), 0, "a reference against itself");
	near(alone.ms, 0.2, 0.001, "how long it takes");
	ok(alone.low < 1 && alone.high > 1 && alone.floor > 0.0005 && alone.floor < 0.005,
	   "its interval and floor");
	near(alone.host_ms, 0.22, 1e-12, "by the host's clock");
	near(alone.sm_mhz, 1907.5, 1e-9, "at that clock of the GPU");
	gk_measure_alone(bias, 1, &alone, &e);
	ok(alone.floor > 0.049, "a bias between the sides is in the floor");
	json_object_set_new(solo, "b", json_null());
	is_int(gk_measure_alone(solo, 1, &alone, &e), 0, "or for itself");
	ok(fabs(alone.ms - 0.2) < 0.001 && alone.low == 0 && alone.floor > 0.0002 && alone.floor < 0.01 &&
	           fabs(alone.host_ms - 0.21) < 1e-12,
	   "has a floor as well");
	json_decref(pair);
	json_decref(solo);
	json_decref(bias);
}

/* ---- what is no answer ---- */

static void refused(const char *path, const char *key, json_t *value, const char *want)
{
	struct story story = {0.2, 0.1, 0, 0, 0, 0, 0};
	json_t *timed = tell(&story);
	struct gk_measure_setup setup = {.timed = timed};
	struct gk_measure m;
	struct gk_err e = {0};

	if (value)
		json_object_set_new(path ? json_object_get(timed, path) : timed, key, value);
	else
		json_object_del(path ? json_object_get(timed, path) : timed, key);
	is_text(gk_measure_case(&setup, &m, &e) < 0 ? e.text : "accepted", want, "refused");
	json_decref(timed);
}

static void test_refusals(void)
{
	refused(NULL, "group", json_pack("[i, i]", 1, 2),
	        "timed: group: 128 numbers are needed, one for each pair, not 2");
	refused("b", "ms", json_pack("[f]", 0.1),
	        "timed: b.ms: 128 numbers are needed, one for each pair, not 1");
	refused("b", "ms", json_string("x"), "timed: b.ms: a list is needed, not \"x\"");
	refused("a", "checked", json_string("x"), "timed: a.checked: an integer is needed, not \"x\"");
	refused("a", "different", NULL, "timed: a.different: is missing");
	refused("a", "poisoned", json_pack("[i]", 3), "timed: a.poisoned[0]: a mapping is needed, not 3");
	refused("a", "chosen", json_pack("[s]", "x"), "timed: a.chosen[0]: a number is needed, not \"x\"");
	refused(NULL, "a", json_null(), "timed: a: calls are needed where there is no finding");
	refused(NULL, "b", json_null(), "timed: b: calls are needed");
	refused(NULL, "side", json_string("c"), "timed: side: one of a, b is needed, not \"c\"");
	refused(NULL, "finding", json_integer(1), "timed: finding: a mapping is needed, not 1");
	refused(NULL, "host", json_pack("{s:i}", "calls", 3), "timed: host.a_ms: is missing");
	refused(NULL, "health", json_pack("[{s:s}]", "sm_mhz", "x"),
	        "timed: health[0].sm_mhz: a number is needed, not \"x\"");
	refused(NULL, "tick_ms", json_true(), "timed: tick_ms: a number is needed, not true");
	refused(NULL, "extra", json_true(), "timed: extra: unknown key");
}

int main(void)
{
	test_figures();
	test_ticks();
	test_combining();
	test_forged_clock();
	test_clocks();
	test_sabotage();
	test_calls();
	test_findings();
	test_variants();
	test_alone();
	test_refusals();
	return done_testing();
}
