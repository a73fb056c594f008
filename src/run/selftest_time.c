/*
 * The clock. One kernel against itself must not differ, against a call of twice
 * the work it must, by about that much; and figures that are forged must be
 * seen: they are those of a real measurement, with the events of one side made
 * to read half of what they read, as a kernel that writes into the driver's
 * pages would make them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "helpers.h"
#include "judge/measure.h"
#include "selftest_parts.h"

enum { LANES = 256, SMALL = 1 << 20, LARGE = 1 << 24 };

struct timing {
	bool done;
	struct gk_err err;
	json_t *timed;
};

static void timed(void *ctx, const struct gk_time_result *r)
{
	struct timing *t = ctx;

	t->done = true;
	if (r->err)
		t->err = *r->err;
	else if (!r->timed)
		gk_err_set(&t->err, GK_ERR_SYSTEM, "the launcher %s", r->timed_out ? "did not answer in time" : r->death);
	t->timed = r->timed ? json_incref(r->timed) : NULL;
}

struct helping {
	struct selftest *test;
	struct gk_time_request *request;
	struct timing *timing;
	bool done;
};

static void helpers_came(void *ctx, const struct gk_helpers_result *r)
{
	struct helping *h = ctx;

	h->done = true;
	if (r->err) {
		h->timing->err = *r->err;
		h->timing->done = true;
		return;
	}
	h->request->helpers = r->helpers;
	h->request->helper_count = r->count;
	gk_runner_time(h->test->runner, h->request, timed, h->timing);
}

/* ---- plans ---- */

/* calls additions of n floats, one behind the other. */
static void make_plan(struct selftest_plan *plan, struct selftest *test, const float *x, int n, int calls)
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

static struct gk_time_side side_of(const struct selftest_plan *plan, struct gk_execute_object *object, int *buffers,
                                   int *indexes)
{
	const struct selftest_module *m = plan->modules[0];

	*object = (struct gk_execute_object){0, m->object, m->code, m->code_size};
	for (int i = 0; i < 2; i++) {
		buffers[i] = plan->inputs[i].buffer;
		indexes[i] = 0; /* both are the same bytes */
	}
	return (struct gk_time_side){.plan = plan->json,
	                             .objects = object,
	                             .object_count = 1,
	                             .input_buffers = buffers,
	                             .input_indexes = indexes,
	                             .input_count = 2,
	                             .is_known = true};
}

/* ---- one measurement ---- */

static int ask(struct selftest *test, struct gk_helpers *helpers, const struct selftest_plan *a,
               const struct selftest_plan *b, struct timing *timing, struct gk_err *e)
{
	struct gk_execute_object objects[2];
	int buffers[2][2], indexes[2][2], fd = gk_memfd_from("input", a->inputs[0].bytes, a->inputs[0].size, e);
	struct gk_time_request request = {.input_fds = &fd, .input_count = 1, .seed = gk_random_next(&test->random) >> 1};
	struct helping h = {.test = test, .request = &request, .timing = timing};
	const struct gk_plan *none[] = {NULL};
	int done;

	if (fd < 0)
		return -1;
	request.a = side_of(a, &objects[0], buffers[0], indexes[0]);
	request.b = side_of(b, &objects[1], buffers[1], indexes[1]);
	gk_helpers_ask(helpers, none, 1, helpers_came, &h);
	done = selftest_wait(test, &timing->done, e);
	gk_fd_close(&fd);
	return done;
}

/* NULL in *timed: *words says why. calls: of b's plan, a has one. */
static int measure(struct selftest *test, struct gk_helpers *helpers, int n, int calls, json_t **answer, const char **words,
                   struct gk_err *e)
{
	const float *x = selftest_floats(test, (size_t)n);
	struct selftest_plan a, b;
	struct timing timing = {0};
	int done = 0;

	make_plan(&a, test, x, n, 1);
	make_plan(&b, test, x, n, calls);
	if (a.err.kind || b.err.kind)
		timing.err = a.err.kind ? a.err : b.err;
	else
		done = ask(test, helpers, &a, &b, &timing, e);
	*answer = timing.timed;
	*words = timing.err.kind ? gk_arena_string(&test->arena, timing.err.text) : NULL;
	selftest_plan_release(&a);
	selftest_plan_release(&b);
	return done;
}

static int figures(struct selftest *test, const json_t *answer, struct gk_measure *m, const char **words)
{
	struct gk_measure_setup setup = {.timed = answer, .seed = 1};
	struct gk_err why = {0};

	if (gk_measure_case(&setup, m, &why) == 0)
		return 0;
	*words = gk_arena_string(&test->arena, why.text);
	return -1;
}

/* ---- the checks ---- */

/* low and high: what the ratio a/b must lie between. */
static int check_ratio(struct selftest *test, struct gk_helpers *helpers, const char *name, int n, int calls, double low,
                       double high, json_t **kept, struct gk_err *e)
{
	json_t *answer = NULL;
	const char *words = NULL;
	struct gk_measure m = {0};

	if (measure(test, helpers, n, calls, &answer, &words, e) < 0)
		return -1;
	if (!answer || figures(test, answer, &m, &words) < 0) {
		selftest_tell(test, "time", name, GK_SELFTEST_FAIL, "%s", words);
	} else {
		bool fine = m.outcome == GK_PASS && m.is_measured && m.speedup >= low && m.speedup <= high;

		selftest_tell(test, "time", name, fine ? GK_SELFTEST_PASS : GK_SELFTEST_FAIL,
		              "%.2f us against %.2f us: %.4f [%.4f, %.4f], must be %.3g to %.3g%s%.300s", m.a_ms * 1000,
		              m.b_ms * 1000, m.speedup, m.low, m.high, low, high, m.outcome == GK_PASS ? "" : "; ",
		              m.outcome == GK_PASS ? "" : gk_buf_text(&m.message));
		gk_measure_release(&m);
	}
	if (kept)
		*kept = answer ? json_incref(answer) : NULL;
	json_decref(answer);
	return 0;
}

/* Every event of b reads half. */
static void forge(json_t *answer)
{
	json_t *ms = json_object_get(json_object_get(answer, "b"), "ms"), *item;
	size_t i;

	json_array_foreach(ms, i, item)
		json_array_set_new(ms, i, json_real(json_number_value(item) / 2));
}

static void check_forgery(struct selftest *test, json_t *answer)
{
	struct gk_measure m = {0};
	const char *words = "nothing was measured that could be forged";
	json_t *forged = answer ? json_deep_copy(answer) : NULL;

	if (forged)
		forge(forged);
	if (!forged || figures(test, forged, &m, &words) < 0) {
		selftest_tell(test, "time", "forged events", GK_SELFTEST_FAIL, "%s", words);
	} else {
		bool seen = strcmp(m.kind, "clock_mismatch") == 0;

		selftest_tell(test, "time", "forged events", seen ? GK_SELFTEST_PASS : GK_SELFTEST_FAIL, "%s",
		              seen ? "events that read half are not believed: the host's clock says otherwise"
		                   : "events that read half were believed");
		gk_measure_release(&m);
	}
	json_decref(forged);
}

int selftest_time(struct selftest *test, struct gk_err *e)
{
	struct gk_helpers *helpers = gk_helpers_new(test->loop, test->runner, test->target);
	json_t *kept = NULL;
	int done = check_ratio(test, helpers, "itself, short", SMALL, 1, 0.9, 1.1, NULL, e);

	if (done == 0)
		done = check_ratio(test, helpers, "itself, long", LARGE, 1, 0.97, 1.03, &kept, e);
	if (done == 0)
		done = check_ratio(test, helpers, "twice the work", LARGE, 2, 0.4, 0.62, NULL, e);
	if (done == 0)
		check_forgery(test, kept);
	json_decref(kept);
	gk_helpers_free(helpers);
	return done;
}
