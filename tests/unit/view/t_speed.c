/* Speed as it is shown: words, tables, pictures, and the page of a run that was timed. */
#include <math.h>

#include "unit/run/script.h"

#include "view/chart.h"
#include "view/judged.h"
#include "view/page.h"
#include "view/perf.h"
#include "view/story.h"
#include "view/summary.h"

static char folder[] = "/tmp/gk-speed-XXXXXX";

static size_t count_text(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		count++;
	return count;
}

static void is_buf(struct gk_buf *buf, const char *want, const char *behaviour)
{
	is_text(gk_buf_text(buf), want, behaviour);
	gk_buf_release(buf);
}

static void has(const char *text, const char *what, const char *behaviour)
{
	if (!ok(strstr(text, what) != NULL, behaviour))
		printf("# no \"%s\" in it\n", what);
}

/* --- words --- */

static json_t *figures(double reference, double candidate, double spread, double floor)
{
	double ratio = reference / candidate, low = ratio * (1 - spread), high = ratio * (1 + spread);

	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:b, s:i, s:i, s:f, s:i}", "reference_ms", reference, "candidate_ms",
	                 candidate, "speedup", ratio, "low", low, "high", high, "floor", floor, "within_noise",
	                 low * (1 - floor) <= 1 && high * (1 + floor) >= 1, "pairs", 160, "loads", 8, "held_ms", 180.5,
	                 "discarded", 2);
}

static void times_have_units(void)
{
	struct gk_buf out = GK_BUF_INIT;

	gk_perf_add_ms(&out, 0.0123456);
	is_buf(&out, "12.35 us", "microseconds");
	gk_perf_add_ms(&out, 1.5);
	is_buf(&out, "1.500 ms", "milliseconds");
	gk_perf_add_ms(&out, 12345);
	is_buf(&out, "12.35 s", "seconds");
	gk_perf_add_ms(&out, NAN);
	is_buf(&out, "-", "and what is no number");
	gk_perf_add_percent(&out, 0.004);
	is_buf(&out, "0.4 %", "a floor is in percent");
	gk_perf_add_percent(&out, 0.0004);
	is_buf(&out, "0.04 %", "however small");
}

static void a_comparison_says_what_can_be_said(void)
{
	struct gk_speedup speedup = {.measured = true, .mean = 1.1, .low = 1.08, .high = 1.12, .floor = 0.004};
	struct gk_buf out = GK_BUF_INIT;

	gk_perf_add_comparison(&out, &speedup, "A", "B");
	is_buf(&out, "B is 1.100x as fast as A [1.080, 1.120], noise floor 0.4 %: faster", "faster");
	speedup = (struct gk_speedup){.measured = true, .mean = 0.9, .low = 0.88, .high = 0.92, .floor = 0.004};
	gk_perf_add_comparison(&out, &speedup, "A", "B");
	has(gk_buf_text(&out), ": slower", "slower");
	gk_buf_release(&out);
	speedup.within_noise = true;
	gk_perf_add_comparison(&out, &speedup, "A", "B");
	has(gk_buf_text(&out), ": no difference can be told", "or neither");
	gk_buf_release(&out);
}

static void a_line_says_why_there_is_none(void)
{
	struct gk_case_result one = {.case_id = "N=1", .part = "perf", .outcome = GK_UNDECIDED, .kind = "no_memory",
	                             .message = "it takes 99 GB"};
	struct gk_verdict verdict = {.message = "", .kind = "pass", .evidence = GK_SIMULATED, .exec = true};
	struct gk_buf out = GK_BUF_INIT;

	gk_perf_add_line(&out, &verdict);
	is_buf(&out, "not measured: the plans ran on the Triton IR machine, on the CPU, which tells no speed", "no GPU");
	verdict.exec = false;
	gk_perf_add_line(&out, &verdict);
	is_buf(&out, "not measured: only what is correct is timed", "a wrong kernel");
	verdict.exec = true;
	verdict.evidence = GK_SEALED;
	verdict.cases = &one;
	verdict.case_count = 1;
	gk_perf_add_line(&out, &verdict);
	is_buf(&out, "not measured: N=1: it takes 99 GB", "a case's own reason comes first");
	verdict.speedup = (struct gk_speedup){true, 1.234, 1.22, 1.05, 1.2, 1.26, 0.004, false};
	one.detail = figures(2, 1, 0.01, 0.004);
	one.message = "";
	gk_perf_add_line(&out, &verdict);
	is_buf(&out, "1.23x [1.20, 1.26], one case (noise floor 0.4 %)", "one that was timed");
	json_decref(one.detail);
}

static void the_table_has_a_row_per_case(void)
{
	struct gk_case_result cases[] = {
		{.case_id = "N=0", .part = "exec", .kind = "", .message = ""},
		{.case_id = "N=1", .part = "perf", .kind = "", .message = ""},
		{.case_id = "N=2", .part = "perf", .kind = "no_memory", .message = "too large"},
		{.case_id = "N=3", .part = "perf", .kind = "", .message = ""},
	};
	struct gk_verdict verdict = {.cases = cases, .case_count = 4};
	gk_buf_auto out = GK_BUF_INIT;
	struct gk_table table;

	cases[1].detail = figures(0.030, 0.020, 0.01, 0.004);
	cases[3].detail = json_pack("{s:f, s:s}", "speedup", -1.0, "low", "x");
	gk_perf_table(&verdict, "a.py", "b.py", &table);
	gk_table_add_csv(&table, &out);
	gk_table_release(&table);
	is_text(gk_buf_text(&out),
	        "case,a.py,b.py,speedup,95 % interval,floor,pairs,\r\n"
	        "N=1,30.00 us,20.00 us,1.500x,1.485 - 1.515,0.4 %,160,\r\n"
	        "N=2,,,not measured,,,,too large\r\n"
	        "N=3,,,not measured,,,,\r\n",
	        "figures, reasons, and nothing for what is no figure");
	json_decref(cases[1].detail);
	json_decref(cases[3].detail);
}

/* --- pictures --- */

static void a_forest_plot_has_its_parts(void)
{
	struct gk_forest_row rows[] = {
		{.label = "fast<b>", .link = "#t-fast", .measured = true, .mid = 2, .low = 1.9, .high = 2.1, .floor = 0.01, .words = ""},
		{.label = "slow", .measured = true, .mid = 0.5, .low = 0.45, .high = 0.55, .floor = NAN, .words = ""},
		{.label = "same", .measured = true, .mid = 1.001, .low = 0.99, .high = 1.01, .floor = 0.02, .within_noise = true,
	         .words = "within noise"},
		{.label = "none", .words = "not <measured>"},
	};
	gk_buf_auto out = GK_BUF_INIT;
	double one = 0, fast = 0, slow = 0;
	const char *text, *at;

	gk_chart_forest(&out, rows, 4);
	text = gk_buf_text(&out);
	is_int((long long)count_text(text, "class='whisker"), 3, "an interval per figure");
	is_int((long long)count_text(text, "class=band"), 2, "a noise band where the floor is known");
	has(text, "2.00&times; <tspan class=range>[1.90, 2.10]", "values stand in the text");
	has(text, "not &lt;measured&gt;", "what was not measured says so, escaped");
	has(text, "fast&lt;b&gt;", "labels are escaped");
	has(text, "circle class='same'", "noise is drawn as such");
	at = strstr(text, "class='one' x1=");
	ok(at && sscanf(at, "class='one' x1=%lf", &one) == 1, "there is a line at 1");
	at = strstr(text, "circle class='faster' cx=");
	ok(at && sscanf(at, "circle class='faster' cx=%lf", &fast) == 1, "faster ones");
	at = strstr(text, "circle class='slower' cx=");
	ok(at && sscanf(at, "circle class='slower' cx=%lf", &slow) == 1, "and slower ones");
	near(fast - one, one - slow, 0.11, "twice and half as fast are as far from 1: the scale is logarithmic");
}

static json_t *samples(size_t count, double a_ms, double b_ms, bool with_health)
{
	json_t *a = json_array(), *b = json_array(), *first = json_array(), *health = json_array();
	unsigned state = 12345;

	for (size_t i = 0; i < count; i++) {
		double noise[2];

		for (int k = 0; k < 2; k++) {
			state ^= state << 13, state ^= state >> 17, state ^= state << 5;
			noise[k] = 1 + 0.03 * (double)(state % 1000) / 1000 + (state % 61 == 0 ? 0.8 : 0);
		}
		json_array_append_new(a, json_real(a_ms * noise[0]));
		json_array_append_new(b, json_real(b_ms * noise[1]));
		json_array_append_new(first, json_integer(state % 2));
		if (with_health && i % 16 == 0)
			json_array_append_new(health, json_pack("{s:I, s:i, s:i, s:[]}", "pair", (json_int_t)i, "sm_mhz",
			                                        i < count / 2 ? 1980 : 1755, "celsius", 44, "throttle"));
	}
	if (with_health)
		json_object_set_new(json_array_get(health, json_array_size(health) - 1), "throttle",
		                    json_pack("[s]", "power <cap>"));
	return json_pack("{s:{s:o}, s:{s:o}, s:o, s:o, s:{s:i, s:i, s:f, s:f}}", "a", "ms", a, "b", "ms", b, "first", first,
	                 "health", health, "host", "calls", 64, "rounds", 8, "a_ms", a_ms * 1.02, "b_ms", b_ms * 1.02);
}

static void a_strip_shows_every_call(void)
{
	gk_json_auto *timed = samples(100, 0.030, 0.020, true), *empty = json_pack("{s:{s:[s, i, n]}}", "a", "ms", "x", -1);
	gk_json_auto *solo = json_pack("{s:{s:[f, f, n]}}", "a", "ms", 1.0, 1.0);
	gk_buf_auto out = GK_BUF_INIT, other = GK_BUF_INIT;
	const char *text;

	ok(gk_chart_strip(&out, timed, "ref<i>", "mine"), "samples are drawn");
	text = gk_buf_text(&out);
	is_int((long long)(count_text(text, "h0") + count_text(text, "class='over")), 200, "every call of both sides");
	has(text, "100 pairs, in the order of time", "their number");
	has(text, "ref&lt;i&gt;", "names are escaped");
	has(text, "1755 to 1980 MHz", "the clock stands below");
	has(text, "throttled: power &lt;cap&gt;", "and why it was lowered");
	ok(strstr(text, "median 30.") && strstr(text, "median 20."), "medians have values");
	ok(!gk_chart_strip(&other, empty, "a", "b") && other.size == 0, "no times, no picture");
	ok(!gk_chart_strip(&other, NULL, "a", "b"), "nothing, no picture");
	ok(gk_chart_strip(&other, solo, "a", "b") && !strstr(gk_buf_text(&other), "nan"), "one side, all equal, is drawn");
}

/* --- a run --- */

#define MAX_CASES 4

static void add_event(struct gk_store *store, int64_t trajectory, int step, enum gk_event_kind kind, json_t *body)
{
	struct gk_event event = {.trajectory = trajectory, .step = step, .kind = kind, .body = body};
	struct gk_err e;

	if (gk_store_event_add(store, &event, 0, &e) < 0)
		printf("# %s\n", e.text);
	json_decref(body);
}

/* Three timed cases, the last without figures; factor: of the speedup. */
static void make_verdict(struct gk_verdict *verdict, struct gk_case_result cases[MAX_CASES], double factor)
{
	cases[0] = (struct gk_case_result){.case_id = "M=512,N=1024,dtype=float32", .part = "perf", .kind = "", .message = ""};
	cases[1] = cases[2] = cases[3] = cases[0];
	cases[1].case_id = "M=4096,N=4096,dtype=float16";
	cases[2].case_id = "M=16384,N=8192<script>";
	cases[2].message = "it needs 99 GB, the GPU has 80";
	cases[3].part = "exec";
	cases[0].detail = figures(0.0101 * factor, 0.0100, 0.012, 0.006);
	cases[0].samples = samples(160, 0.0101 * factor, 0.0100, true);
	cases[1].detail = figures(0.130 * factor, 0.100, 0.004, 0.002);
	cases[1].samples = samples(300, 0.130 * factor, 0.100, false);
	*verdict = (struct gk_verdict){.stage = GK_STAGE_PERF, .call = true, .exec = true, .compiled = true,
	                               .evidence = GK_SEALED, .plan_hash = "", .kind = "pass", .message = "",
	                               .cases = cases, .case_count = MAX_CASES};
	verdict->speedup = (struct gk_speedup){true, 1.155 * factor, 1.146 * factor, 1.01 * factor, 1.14 * factor,
	                                       1.17 * factor, 0.006, fabs(factor - 0.866) < 0.01};
	verdict->notes = json_pack("[s]", "12 of 20 autotune configurations were left out");
}

static void drop_verdict(struct gk_verdict *verdict)
{
	for (size_t i = 0; i < verdict->case_count; i++) {
		json_decref(verdict->cases[i].detail);
		json_decref(verdict->cases[i].samples);
	}
	json_decref(verdict->notes);
}

static void write_winner(struct gk_store *store, int64_t trajectory, const char *task, double factor)
{
	const char *source = "import triton\n";
	struct gk_case_result cases[MAX_CASES];
	struct gk_verdict verdict;
	char code[GK_HEX_SIZE];
	struct gk_err e;
	int64_t id;

	make_verdict(&verdict, cases, factor);
	gk_store_begin(store, &e);
	gk_store_blob_put(store, source, strlen(source), code, &e);
	add_event(store, trajectory, 0, GK_EVENT_STARTED, json_pack("{s:s}", "task", task));
	add_event(store, trajectory, 1, GK_EVENT_ASKED, json_pack("{s:s, s:s}", "role", "generator", "prompt", code));
	add_event(store, trajectory, 2, GK_EVENT_ANSWERED, json_pack("{s:s, s:s}", "role", "generator", "answer", code));
	add_event(store, trajectory, 3, GK_EVENT_PARSED, json_pack("{s:s, s:b, s:s, s:s, s:s}", "role", "generator", "ok", 1,
	                                                           "strategy", "fewer bytes", "code", code, "problem", ""));
	add_event(store, trajectory, 4, GK_EVENT_JUDGED, json_pack("{s:s, s:o}", "code", code, "verdict",
	                                                           gk_verdict_to_json(&verdict)));
	add_event(store, trajectory, 5, GK_EVENT_STOPPED, json_pack("{s:s, s:s}", "reason", "solved", "message", "done"));
	gk_json_auto *fact = json_pack("{s:s, s:i, s:i, s:i, s:s, s:o}", "task", task, "trajectory", 0, "attempt", 1, "step", 4,
	                               "code", code, "verdict", gk_verdict_to_json(&verdict));
	if (gk_store_verdict_add(store, trajectory, 4, "confirm", code, "test", &verdict, &id, &e) < 0 ||
	    gk_store_fact_add(store, "winner", fact, &e) < 0 || gk_store_commit(store, &e) < 0)
		printf("# %s\n", e.text);
	drop_verdict(&verdict);
}

static void write_peers(struct gk_store *store)
{
	gk_json_auto *peers = json_pack("{s:{s:s, s:s, s:s}, s:{s:s}}", "launcher", "device", "cuda", "kind",
	                                "NVIDIA H200", "target", "sm_90", "zygote", "box", "libgeakbox");
	gk_json_auto *containment = json_pack("{s:s, s:s}", "level", "landlock", "missing", "mount <namespace>");
	struct gk_err e;

	gk_store_begin(store, &e);
	gk_store_fact_add(store, "peers", peers, &e);
	gk_store_fact_add(store, "containment", containment, &e);
	gk_store_commit(store, &e);
}

static void the_page_tells_of_speed(struct gk_store *store, const struct gk_story *story)
{
	gk_buf_auto page = GK_BUF_INIT;
	const char *keep = getenv("GK_KEEP_PAGE"), *text;
	struct gk_err e;

	gk_page_add(&page, store, story);
	text = gk_buf_text(&page);
	ok(strstr(text, "<b>Evidence</b>") && strstr(text, "<b>Evidence</b>") < strstr(text, "class=cards"),
	   "evidence stands above the figures");
	has(text, "<b>Containment</b> landlock", "and containment");
	has(text, "<h2>Speed of the winners, sealed</h2>", "a picture for the kind of evidence");
	is_int((long long)count_text(text, "class='chart wide forest'"), 1, "one");
	is_int((long long)count_text(text, "class='whisker"), 6, "a row per task and measured case");
	is_int((long long)count_text(text, "class='chart wide strip'"), 4, "raw samples per case of each winner");
	has(text, "By the host's clock", "what the host's clock says");
	ok(strstr(text, "<h2>What was not measured</h2>") > strstr(text, "<h2>Ledger</h2>"), "the bottom says what is not known");
	has(text, "12 of 20 autotune configurations were left out", "configurations left out");
	has(text, "lacks:</b> mount &lt;namespace&gt;", "layers that are missing");
	has(text, "end to end time", "what is not in the time");
	ok(!strstr(text, "<script") && strstr(text, "N=8192&lt;script&gt;"), "names of cases are escaped");
	if (keep)
		gk_file_write(keep, page.bytes, page.size, &e);
}

static void totals_do_not_mix(const struct gk_story *story)
{
	struct gk_story_speed speed;
	gk_json_auto *json = gk_story_json(story);
	const json_t *sealed = json_object_get(json_object_get(json_object_get(json, "totals"), "speedup"), "sealed");

	gk_story_speed(story, GK_SEALED, &speed);
	is_int((long long)speed.measured, 2, "two winners were timed");
	near(speed.mean, (1.155 + 1.155 * 0.866) / 2, 1e-9, "their mean");
	near(speed.over_all, speed.mean * 2 / 3, 1e-9, "over all tasks, with none for the third");
	is_int((long long)speed.within_noise, 1, "one of them within noise");
	gk_story_speed(story, GK_SIMULATED, &speed);
	ok(speed.measured == 0 && isnan(speed.over_all), "nothing of another kind");
	near(json_number_value(json_object_get(sealed, "mean")), (1.155 + 1.155 * 0.866) / 2, 1e-9, "the JSON has it by kind");
	is_int((long long)json_array_size(json_object_get(
		       json_object_get(json_array_get(json_object_get(json, "tasks"), 0), "speedup"), "cases")),
	       3, "with its cases");
}

static void the_summary_tells_of_speed(const struct gk_story *story)
{
	char *text = NULL;
	size_t size = 0;
	struct gk_term term = {.width = 140, .height = 40};

	term.out = open_memstream(&text, &size);
	gk_summary_print(story, &term);
	fclose(term.out);
	ok(strncmp(text, "evidence of winners: 2 sealed; on NVIDIA H200 (sm_90), containment: landlock (without mount <namespace>)\n", 105) == 0,
	   "the basis comes first");
	has(text, "1.14 - 1.17", "intervals");
	has(text, "(noise)", "noise is named");
	has(text, "speedup 1.08 (sealed, mean of 2 winners; 0.72 over all tasks, unsolved ones as 0; 1 within noise)", "totals");
	free(text);
}

/* --- one verdict --- */

static void a_verdict_is_printed_with_its_figures(void)
{
	struct gk_case_result cases[MAX_CASES];
	struct gk_verdict verdict;
	struct gk_term term = {.width = 140, .height = 40};
	char *text = NULL;
	size_t size = 0;

	make_verdict(&verdict, cases, 1);
	verdict.stages_ms[GK_STAGE_PERF] = 412;
	term.out = open_memstream(&text, &size);
	gk_judged_print(&term, "flip", "mine.py", &verdict);
	gk_judged_print_comparison(&term, &verdict, "a.py", "b.py");
	fclose(term.out);
	has(text, "evidence sealed, compiled, call yes, exec yes; 1 cases executed", "evidence first");
	has(text, ", perf 412 ms", "the time that timing took");
	has(text, "  perf 1.16x [1.14, 1.17], mean of 2 cases (worst 1.01x, geometric mean 1.15x, noise floor 0.6 %)", "the figure");
	has(text, "M=4096,N=4096,dtype=float16   130.0 us   100.0 us        1.300x", "a table with a row per case");
	has(text, "it needs 99 GB, the GPU has 80", "and what was not timed");
	has(text, "b.py is 1.155x as fast as a.py [1.140, 1.170], noise floor 0.6 %: faster", "the comparison's sentence");
	free(text);
	drop_verdict(&verdict);
}

static void parallel_trajectories_have_pass_at_k(void)
{
	struct gk_err e = {0};
	struct script_run run;
	struct gk_story story;
	gk_buf_auto page = GK_BUF_INIT;

	gk_tree_remove(folder, &e);
	if (script_prepare(&run, folder, 2, &e) < 0)
		abort();
	write_winner(run.options.store, 1, "row_softmax", 1); /* one of two trajectories, of one of three tasks */
	gk_store_begin(run.options.store, &e);
	for (int64_t id = 2; id <= 6; id++) {
		add_event(run.options.store, id, 0, GK_EVENT_STARTED, json_pack("{s:s}", "task", "it"));
		add_event(run.options.store, id, 1, GK_EVENT_STOPPED, json_pack("{s:s, s:s}", "reason", "iterations", "message", ""));
	}
	gk_store_commit(run.options.store, &e);
	ok(gk_story_read(run.options.store, &story, &e) == 0 && gk_story_pass_most(&story) == 2, "trajectories are samples");
	gk_page_add(&page, run.options.store, &story);
	has(gk_buf_text(&page), "<td class=num>16.7%</td><td class=num>33.3%</td>", "the page has pass@k");
	gk_story_release(&story);
	script_end(&run);
}

int main(void)
{
	struct gk_err e = {0};
	struct script_run run;
	struct gk_story story;

	times_have_units();
	a_comparison_says_what_can_be_said();
	a_line_says_why_there_is_none();
	the_table_has_a_row_per_case();
	a_forest_plot_has_its_parts();
	a_strip_shows_every_call();
	if (!mkdtemp(folder) || script_prepare(&run, folder, 1, &e) < 0)
		return 3;
	write_peers(run.options.store);
	write_winner(run.options.store, 1, "row_softmax", 1);
	write_winner(run.options.store, 2, "flip", 0.866);
	ok(gk_story_read(run.options.store, &story, &e) == 0, "a run that was timed is read");
	the_page_tells_of_speed(run.options.store, &story);
	totals_do_not_mix(&story);
	the_summary_tells_of_speed(&story);
	gk_story_release(&story);
	script_end(&run);
	a_verdict_is_printed_with_its_figures();
	parallel_trajectories_have_pass_at_k();
	gk_tree_remove(folder, &e);
	return done_testing();
}
