/*
 * The clock. One kernel against itself must not differ, against a call of twice
 * the work it must, by about that much; a launcher that has been through all
 * this must read what a fresh one reads. Caches must be cold, and nothing that
 * a call leaves behind may reach the next: neither in a workspace nor in shared
 * memory. That such a thing would be found is shown by two launches of one
 * plan, between which nothing is cleared.
 *
 * Figures that are forged must be seen: they are those of a real measurement,
 * with the events of one side made to read half of what they read, as a kernel
 * that writes into the driver's pages would make them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "helpers.h"
#include "judge/measure.h"
#include "selftest_parts.h"

enum {
	LANES = 256,
	SHORT = 1 << 20,
	LONG = 1 << 24,
	LEAST_SHARED = 32 << 10,
	MARKED_STEP = 1024,
	READ_BLOCK = 4096,
	PASSES = 3
};

#define MOST_OFF       0.02 /* A/A: a ratio this close to 1 is none, whatever its interval */
#define MOST_CACHE     ((double)(1 << 28))
#define LEAST_CACHE    ((double)(16 << 20))
#define LEAST_COLDER   1.15 /* a cold read against a warm one */
#define FRESH_MAY_DIFF 0.05

struct clock {
	struct selftest *test;
	struct gk_helpers *helpers;
	json_t *kept; /* the answer about the long plan against itself */
};

static void fail(struct clock *c, const char *name, const char *words)
{
	selftest_tell(c->test, "time", name, GK_SELFTEST_FAIL, "%s", words);
}

/* ---- figures ---- */

/* calls additions of n floats, one behind the other. */
static void plan_adds(struct selftest_plan *plan, struct selftest *test, const float *x, int n, int calls)
{
	int a, b, o;

	selftest_plan_init(plan, test);
	a = selftest_plan_input(plan, x, (size_t)n * sizeof *x);
	b = selftest_plan_input(plan, x, (size_t)n * sizeof *x);
	o = selftest_plan_buffer(plan, (size_t)n * sizeof *x);
	selftest_plan_output(plan, o, "float32", n);
	for (int i = 0; i < calls; i++)
		selftest_plan_launch(plan, "add", n / LANES, "pppi", a, b, o, n);
}

static int figures(struct clock *c, const json_t *answer, struct gk_measure *m, const char **words)
{
	struct gk_measure_setup setup = {.timed = answer, .seed = 1};
	struct gk_err why = {0};

	if (gk_measure_case(&setup, m, &why) == 0)
		return 0;
	*words = gk_arena_string(&c->test->arena, why.text);
	return -1;
}

/* Times and releases both plans. *answer is NULL where *words says why. */
static int measure(struct clock *c, struct selftest_plan *a, struct selftest_plan *b, json_t **answer,
                   const char **words, struct gk_err *e)
{
	struct selftest_timed timed;
	int done = selftest_clock(c->test, c->helpers, a, b, false, &timed, e);

	*answer = NULL;
	if (done == 0) {
		*answer = timed.timed;
		*words = timed.wrong;
	}
	selftest_plan_release(a);
	selftest_plan_release(b);
	return done;
}

static int measure_adds(struct clock *c, int n, int calls, json_t **answer, const char **words,
                        struct gk_err *e)
{
	const float *x = selftest_floats(c->test, (size_t)n);
	struct selftest_plan a, b;

	plan_adds(&a, c->test, x, n, 1);
	plan_adds(&b, c->test, x, n, calls);
	return measure(c, &a, &b, answer, words, e);
}

/* ---- known ratios ---- */

static bool holds_one(const struct gk_measure *m)
{
	return (m->low <= 1 && m->high >= 1) || (m->speedup > 1 - MOST_OFF && m->speedup < 1 + MOST_OFF);
}

/* calls: of the plan beside it, which one call must be by about that much faster than. */
static void tell_ratio(struct clock *c, const char *name, int calls, const struct gk_measure *m)
{
	double want = 1.0 / calls;
	bool fine = m->outcome == GK_PASS && m->is_measured &&
	            (calls == 1 ? holds_one(m) : m->speedup > want * 0.75 && m->speedup < want * 1.25);

	selftest_tell(c->test, "time", name, fine ? GK_SELFTEST_PASS : GK_SELFTEST_FAIL,
	              "%.2f us against %.2f us: %.4f [%.4f, %.4f] in %zu pairs, must be %.3g%s%.300s",
	              m->a_ms * 1000, m->b_ms * 1000, m->speedup, m->low, m->high, m->pairs, want,
	              m->outcome == GK_PASS ? "" : "; ",
	              m->outcome == GK_PASS ? "" : gk_buf_text(&m->message));
}

static int check_ratio(struct clock *c, const char *name, int n, int calls, struct gk_err *e)
{
	json_t *answer = NULL;
	const char *words = NULL;
	struct gk_measure m = {0};

	if (measure_adds(c, n, calls, &answer, &words, e) < 0)
		return -1;
	if (!answer || figures(c, answer, &m, &words) < 0) {
		fail(c, name, words);
	} else {
		tell_ratio(c, name, calls, &m);
		gk_measure_release(&m);
	}
	if (n == LONG && calls == 1)
		c->kept = json_incref(answer);
	json_decref(answer);
	return 0;
}

/* The same with a launcher that has done nothing yet. */
static int check_fresh(struct clock *c, struct gk_err *e)
{
	struct gk_alone first = {0}, second = {0};
	json_t *answer = NULL;
	const char *words = "nothing was measured before";
	struct gk_err why = {0};
	double ratio, most;

	gk_helpers_free(c->helpers);
	c->helpers = NULL;
	if (selftest_open_pool(c->test, c->test->launcher, e) < 0)
		return -1;
	c->helpers = gk_helpers_new(c->test->loop, c->test->runner, c->test->target);
	if (measure_adds(c, LONG, 1, &answer, &words, e) < 0)
		return -1;
	if (!c->kept || !answer || gk_measure_alone(c->kept, 1, &first, &why) < 0 ||
	    gk_measure_alone(answer, 1, &second, &why) < 0 || !(first.ms > 0) || !(second.ms > 0)) {
		fail(c, "fresh launcher", why.kind ? why.text : words ? words : "nothing was measured");
	} else {
		ratio = second.ms / first.ms;
		most = 3 * first.floor > FRESH_MAY_DIFF ? 3 * first.floor : FRESH_MAY_DIFF;
		selftest_tell(
			c->test, "time", "fresh launcher",
			ratio < 1 + most && ratio > 1 / (1 + most) ? GK_SELFTEST_PASS : GK_SELFTEST_FAIL,
			"%.2f us, %.2f us in the one that had done everything else: %.4f, may be %.3f off",
			second.ms * 1000, first.ms * 1000, ratio, most);
	}
	json_decref(answer);
	return 0;
}

/* ---- caches ---- */

/* Reads blocks times, all of them or (distinct) others each time. */
static void plan_reads(struct selftest_plan *plan, struct selftest *test, const float *x, int blocks,
                       int times, bool distinct)
{
	int in, out, step = distinct ? blocks : 1, span = distinct ? blocks * PASSES : blocks;

	selftest_plan_init(plan, test);
	in = selftest_plan_input(plan, x, (size_t)blocks * PASSES * READ_BLOCK * sizeof *x);
	out = selftest_plan_buffer(plan, (size_t)blocks * sizeof *x);
	selftest_plan_output(plan, out, "float32", blocks);
	selftest_plan_launch(plan, "reads", blocks, "ppiii", in, out, times, step, span);
}

/* The times of both plans; false: *words says why not. */
static int time_two(struct clock *c, struct selftest_plan *a, struct selftest_plan *b, double ms[2],
                    const char **words, struct gk_err *e)
{
	json_t *answer = NULL;
	struct gk_measure m = {0};

	ms[0] = ms[1] = 0;
	if (measure(c, a, b, &answer, words, e) < 0)
		return -1;
	if (answer && figures(c, answer, &m, words) == 0) {
		ms[0] = m.a_ms;
		ms[1] = m.b_ms;
		gk_measure_release(&m);
	}
	json_decref(answer);
	return 0;
}

/*
 * A quarter of the cache, read once; three times; and three different quarters: what is added by reads of
 * what is there already, and by reads of what would be there had it not been flushed.
 */
static int check_flush(struct clock *c, struct gk_err *e)
{
	double cache = selftest_fact(c->test, "l2_bytes"), first[2], then[2], warm, cold, mib;
	int blocks = (int)((cache < MOST_CACHE ? cache : MOST_CACHE) / 4 / (READ_BLOCK * sizeof(float)));
	const char *words = NULL;
	struct selftest_plan a, b;
	const float *x;

	if (cache < LEAST_CACHE) {
		selftest_tell(c->test, "time", "flush", GK_SELFTEST_SKIP,
		              "a cache of %.1f MiB is too small to tell", cache / 1048576);
		return 0;
	}
	x = selftest_floats(c->test, (size_t)blocks * PASSES * READ_BLOCK);
	plan_reads(&a, c->test, x, blocks, 1, false);
	plan_reads(&b, c->test, x, blocks, PASSES, false);
	if (time_two(c, &a, &b, first, &words, e) < 0)
		return -1;
	plan_reads(&a, c->test, x, blocks, PASSES, false);
	plan_reads(&b, c->test, x, blocks, PASSES, true);
	if (!words && time_two(c, &a, &b, then, &words, e) < 0)
		return -1;
	if (words) {
		fail(c, "flush", words);
		return 0;
	}
	warm = (first[1] - first[0]) / (PASSES - 1);
	cold = (then[1] - first[0]) / (PASSES - 1);
	mib = (double)blocks * READ_BLOCK * sizeof(float) / 1048576;
	selftest_tell(c->test, "time", "flush",
	              warm > 0 && cold > LEAST_COLDER * warm ? GK_SELFTEST_PASS : GK_SELFTEST_FAIL,
	              "%.1f MiB of a cache of %.0f take %.2f us more when they were flushed, %.2f us (%.1f "
	              "TB/s) when they are "
	              "there; the whole first call %.2f us",
	              mib, cache / 1048576, cold * 1000, warm * 1000,
	              warm > 0 ? mib * 1.048576e-6 / (warm * 1e-3) : 0, first[0] * 1000);
	return 0;
}

/* ---- what is left behind ---- */

/* Launches the kernel as often as there are outputs to say what it found. */
typedef void leaving_fn(struct clock *c, struct selftest_plan *plan, int launches);

enum { TABLE = 4096 };

static void plan_table(struct clock *c, struct selftest_plan *plan, int launches)
{
	int w;

	selftest_plan_init(plan, c->test);
	w = selftest_plan_buffer(plan, TABLE * sizeof(int32_t));
	for (int i = 0; i < launches; i++) {
		int o = selftest_plan_buffer(plan, TABLE * sizeof(int32_t));

		selftest_plan_output(plan, o, "int32", TABLE);
		selftest_plan_launch(plan, "table", TABLE / LANES, "ppi", w, o, TABLE);
	}
}

/* A program for each multiprocessor, with all shared memory that a program can have: each gets one of its
 * own, so that no program of a launch finds marks of another of the same launch. */
static void plan_marks(struct clock *c, struct selftest_plan *plan, int launches)
{
	int grid = (int)selftest_fact(c->test, "multiprocessors"),
	    shared = (int)selftest_fact(c->test, "shared_bytes");

	grid = grid < 1 ? 1 : grid;
	shared = shared > MARKED_STEP ? (shared - 1) / MARKED_STEP * MARKED_STEP : LEAST_SHARED;
	selftest_plan_init(plan, c->test);
	for (int i = 0; i < launches; i++) {
		int o = selftest_plan_buffer(plan, (size_t)grid * LANES * sizeof(int32_t));

		selftest_plan_output(plan, o, "int32", (int64_t)grid * LANES);
		selftest_plan_launch(plan, "marks", grid, "pi", o, shared);
	}
	/* the compiler knows of none of it: the launcher is told what to ask for */
	if (!plan->err.kind && plan->modules[0]->object)
		plan->modules[0]->object->shared = (uint32_t)shared;
}

static long long sum_of(const uint8_t *bytes, size_t size)
{
	long long sum = 0;

	for (size_t i = 0; i + sizeof(int32_t) <= size; i += sizeof(int32_t)) {
		int32_t value;

		memcpy(&value, bytes + i, sizeof value);
		sum += value;
	}
	return sum;
}

/* What the second launch of one plan finds of the first's; -1: *words says why nothing is known. */
static int find_within(struct clock *c, leaving_fn *make, long long *found, const char **words,
                       struct gk_err *e)
{
	struct selftest_plan plan;
	struct selftest_ran ran;
	int done;

	make(c, &plan, 2);
	done = selftest_execute(&plan, SELFTEST_HONEST, &ran, e);
	if (done == 0) {
		*words = selftest_complaint(c->test, &ran);
		*found = *words ? 0 : sum_of(ran.outputs[1], plan.output_bytes[1]);
		selftest_ran_release(&ran);
	}
	selftest_plan_release(&plan);
	return done;
}

static int find_between(struct clock *c, leaving_fn *make, long long *found, const char **words,
                        struct gk_err *e)
{
	struct selftest_plan a, b;
	struct selftest_timed timed;
	int done;

	make(c, &a, 1);
	make(c, &b, 1);
	done = selftest_clock(c->test, c->helpers, &a, &b, true, &timed, e);
	if (done == 0) {
		*words = timed.wrong;
		*found = 0;
		for (int i = 0; i < 2 && timed.timed; i++) {
			const json_t *told = json_object_get(timed.timed, i ? "b" : "a");

			*found += json_integer_value(json_object_get(told, "different"));
			*found += timed.outputs[i][0] ? sum_of(timed.outputs[i][0], a.output_bytes[0]) : 0;
		}
		if (timed.timed && !json_is_null(json_object_get(timed.timed, "finding")))
			*words = "timing it was ended by a finding";
		selftest_timed_release(&timed);
	}
	selftest_plan_release(&a);
	selftest_plan_release(&b);
	return done;
}

static int check_left(struct clock *c, const char *name, leaving_fn *make, const char *where,
                      struct gk_err *e)
{
	long long within = 0, between = 0;
	const char *words = NULL;

	if (find_within(c, make, &within, &words, e) < 0)
		return -1;
	if (!words && within == 0) {
		selftest_tell(c->test, "time", name, GK_SELFTEST_SKIP, "%s does not outlive a kernel here",
		              where);
		return 0;
	}
	if (!words && find_between(c, make, &between, &words, e) < 0)
		return -1;
	if (words)
		fail(c, name, words);
	else if (between)
		selftest_tell(c->test, "time", name, GK_SELFTEST_FAIL,
		              "%lld marks of an earlier call were found in %s", between, where);
	else
		selftest_tell(
			c->test, "time", name, GK_SELFTEST_PASS,
			"a call finds nothing of the one before in %s; launches of one call find %lld marks",
			where, within);
	return 0;
}

/* ---- forgery ---- */

/* Every event of b reads half. */
static void forge(json_t *answer)
{
	json_t *ms = json_object_get(json_object_get(answer, "b"), "ms"), *item;
	size_t i;

	json_array_foreach(ms, i, item) json_array_set_new(ms, i, json_real(json_number_value(item) / 2));
}

static void check_forgery(struct clock *c)
{
	struct gk_measure m = {0};
	const char *words = "nothing was measured that could be forged";
	json_t *forged = c->kept ? json_deep_copy(c->kept) : NULL;

	if (forged)
		forge(forged);
	if (!forged || figures(c, forged, &m, &words) < 0) {
		fail(c, "forged events", words);
	} else {
		bool seen = strcmp(m.kind, "clock_mismatch") == 0;

		selftest_tell(c->test, "time", "forged events", seen ? GK_SELFTEST_PASS : GK_SELFTEST_FAIL,
		              "%s",
		              seen ? "events that read half are not believed: the host's clock says otherwise"
		                   : "events that read half were believed");
		gk_measure_release(&m);
	}
	json_decref(forged);
}

/* ---- all ---- */

static int check_all(struct clock *c, struct gk_err *e)
{
	if (check_ratio(c, "itself, short", SHORT, 1, e) < 0 ||
	    check_ratio(c, "itself, long", LONG, 1, e) < 0 ||
	    check_ratio(c, "twice the work", LONG, 2, e) < 0)
		return -1;
	check_forgery(c);
	if (check_flush(c, e) < 0 || check_left(c, "table", plan_table, "a workspace", e) < 0 ||
	    check_left(c, "shared memory", plan_marks, "shared memory", e) < 0)
		return -1;
	return check_fresh(c, e);
}

int selftest_time(struct selftest *test, struct gk_err *e)
{
	struct clock c = {.test = test, .helpers = gk_helpers_new(test->loop, test->runner, test->target)};
	int done = check_all(&c, e);

	json_decref(c.kept);
	gk_helpers_free(c.helpers);
	return done;
}
