/* Helper kernels of plans: asked for once, kept, told when all are there; and that the compilers take them. */
#include "run/helpers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "plan/helper.h"
#include "pool/pool.h"
#include "tap.h"

/* ---- a runner that lowers anything, when told ---- */

struct ask {
	char name[40];
	gk_lower_fn *fn;
	void *ctx;
	uint64_t id;
};
static struct {
	struct gk_runner runner;
	struct ask asks[64];
	size_t count, cancelled;
} fake;

static uint64_t take_lower(struct gk_runner *runner, const struct gk_lower_request *q, gk_lower_fn *fn, void *ctx)
{
	struct ask *ask = &fake.asks[fake.count++];

	(void)runner;
	snprintf(ask->name, sizeof ask->name, "%s", q->ir->funcs[q->ir->entry].name);
	ask->fn = fn;
	ask->ctx = ctx;
	ask->id = fake.count;
	return ask->id;
}

static void take_cancel(struct gk_runner *runner, uint64_t id)
{
	(void)runner;
	(void)id;
	fake.cancelled++;
}

static const struct gk_runner_ops fake_ops = {.lower = take_lower, .cancel = take_cancel};

static void answer(size_t i, const char *rejected)
{
	struct gk_object object = {0};
	struct gk_lower_result result = {.object = &object, .code = fake.asks[i].name, .size = 4};

	snprintf(object.name, sizeof object.name, "%s", fake.asks[i].name);
	if (rejected)
		result = (struct gk_lower_result){.rejected = rejected};
	fake.asks[i].fn(fake.asks[i].ctx, &result);
}

/* ---- somebody who asks ---- */

static struct {
	int calls;
	size_t count;
	char names[512], err[1024];
	bool is_right;
} got;

/* One variable behind what the system keeps (1 KiB on sm_90): with two, lanes would count from different beginnings,
 * and some words of each KiB would not be written. */
static bool has_one_beginning(const struct gk_time_helper *helper)
{
	uint32_t bytes = helper->object->static_shared % 1024;

	return strcmp(helper->name, "scrub") != 0 || bytes == 0 || bytes == GK_HELPER_SCRUB_STATIC;
}

static void told(void *ctx, const struct gk_helpers_result *r)
{
	size_t at = 0;

	(void)ctx;
	got.calls++;
	got.count = r->count;
	got.is_right = true;
	snprintf(got.err, sizeof got.err, "%s", r->err ? r->err->text : "");
	got.names[0] = '\0';
	for (size_t i = 0; i < r->count; i++) {
		at += (size_t)snprintf(got.names + at, sizeof got.names - at, "%s ", r->helpers[i].name);
		got.is_right = got.is_right && strcmp(r->helpers[i].object->name, r->helpers[i].name) == 0 &&
		               r->helpers[i].size >= 4 && has_one_beginning(&r->helpers[i]);
	}
}

static void turn(struct gk_loop *loop)
{
	for (int i = 0; i < 8; i++)
		gk_loop_turn(loop, false);
}

/* A plan with a cast in its steps and a column set in the first variant's pre. */
static struct gk_plan_step pre, steps[2];
static struct gk_plan_variant variant = {.pre = &pre, .pre_count = 1};
static const struct gk_plan plain, busy = {.steps = steps, .step_count = 2};

static void make_plans(void)
{
	pre = (struct gk_plan_step){.op = GK_STEP_FILL,
	                            .dst = {.dtype = GK_F32, .rank = 1, .shape = {4}, .strides = {3}}};
	steps[0] = (struct gk_plan_step){.op = GK_STEP_COPY,
	                                 .dst = {.dtype = GK_F16, .rank = 1, .shape = {4}, .strides = {1}},
	                                 .src = {.dtype = GK_F32, .rank = 1, .shape = {4}, .strides = {1}}};
	steps[1] = (struct gk_plan_step){.op = GK_STEP_CHOOSE, .variants = &variant, .variant_count = 1};
}

static void helpers_are_asked_for_once(void)
{
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);
	struct gk_helpers *helpers;
	const struct gk_plan *plans[] = {&plain, NULL, &busy};
	uint64_t id;

	fake.runner.ops = &fake_ops;
	helpers = gk_helpers_new(loop, &fake.runner, "sm_90");
	gk_helpers_ask(helpers, plans, 3, told, NULL);
	is_int((long long)fake.count, 5, "each kernel of either plan is lowered once");
	for (size_t i = 0; i < 4; i++)
		answer(i, NULL);
	turn(loop);
	is_int(got.calls, 0, "nobody is told before all are there");
	answer(4, NULL);
	is_int(got.calls, 0, "nor from within the last answer");
	turn(loop);
	ok(got.calls == 1 && got.is_right, "then they come together, each with its own object");
	is_text(got.names, "fill flush scrub copy_f32_f16 set_b4 ", "those that the plans need");
	gk_helpers_ask(helpers, plans, 1, told, NULL);
	is_int(got.calls, 1, "what is known is not told from within either");
	turn(loop);
	ok(got.calls == 2 && got.count == 3 && fake.count == 5, "and not lowered again");
	id = gk_helpers_ask(helpers, plans, 1, told, NULL);
	gk_helpers_cancel(helpers, id);
	turn(loop);
	is_int(got.calls, 2, "who cancels hears nothing");
	gk_helpers_free(helpers);
	gk_loop_free(loop);
}

static void failures_are_ours_and_not_kept(void)
{
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);
	struct gk_helpers *helpers = gk_helpers_new(loop, &fake.runner, "gfx942");
	const struct gk_plan *plans[] = {&plain};

	memset(&got, 0, sizeof got);
	fake.count = 0;
	gk_helpers_ask(helpers, plans, 1, told, NULL);
	answer(1, "error: no such instruction");
	turn(loop);
	ok(got.calls == 1 && got.count == 0, "one that does not compile fails all who wait for it");
	is_text(got.err, "the helper kernel flush does not compile for gfx942: error: no such instruction", "in words");
	answer(0, NULL);
	answer(2, NULL);
	gk_helpers_ask(helpers, plans, 1, told, NULL);
	is_int((long long)fake.count, 4, "the next one who asks tries it again, and that alone");
	gk_helpers_free(helpers);
	turn(loop);
	ok(got.calls == 1 && fake.cancelled == 1, "whoever frees them cancels what is under way, and hears nothing");
	gk_loop_free(loop);
}

/* ---- the real compilers ---- */

static const char *find_python(void)
{
	static const char probe[] = "exec \"$GEAK_PYTHON\" -c 'import triton' 2>/dev/null";
	const char *python = getenv("GEAK_PYTHON");

	return python && system(probe) == 0 ? python : NULL;
}

/* Of rows x columns elements, folded over dims. */
static struct gk_plan_step assist(enum gk_assist kind, enum gk_dtype from, enum gk_dtype to, uint32_t dims,
                                  int64_t rows, int64_t columns)
{
	struct gk_plan_step step = {.op = GK_STEP_ASSIST, .assist = kind, .dims = dims};
	struct gk_plan_view folded;

	step.src = (struct gk_plan_view){.dtype = from, .rank = 2, .shape = {rows, columns}, .strides = {columns, 1}};
	gk_assist_split(&step, &step.dst, &folded);
	step.dst.dtype = to;
	return step;
}

/* Every spread of lanes, what folds and what changes, and each kind of number that they compute in. */
static void every_target_takes_assists(const char *python)
{
	static const char *const targets[] = {"sm_80", "sm_90", "sm_100", "gfx90a", "gfx942", "gfx950"};
	struct gk_plan_step list[] = {
		assist(GK_ASSIST_SUM, GK_BF16, GK_BF16, 1, 4, 1000),
		assist(GK_ASSIST_SUM, GK_BOOL, GK_I64, 2, 1000, 100),
		assist(GK_ASSIST_MAX, GK_F32, GK_F32, 3, 1000, 1000),
		assist(GK_ASSIST_MIN, GK_F64, GK_F64, 1, 100, 1000),
		assist(GK_ASSIST_MAX, GK_U16, GK_U16, 2, 1000, 100),
		assist(GK_ASSIST_LOGSUMEXP, GK_F32, GK_F32, 2, 1000, 100),
		assist(GK_ASSIST_LOGSUMEXP, GK_F64, GK_F64, 1, 10, 100),
		assist(GK_ASSIST_ABS, GK_F16, GK_F16, 0, 10, 10),
		assist(GK_ASSIST_RECIPROCAL, GK_F32, GK_F32, 0, 10, 10),
	};
	struct gk_pool_options options = {.python = python, .worker = "worker", .lowered = "/", .lowerings = 2};
	struct gk_plan plan = {.steps = list, .step_count = gk_count_of(list)};
	const struct gk_plan *plans[] = {&plan};
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);
	struct gk_runner *runner = gk_pool_open(loop, &options, &e);

	for (size_t i = 0; i < gk_count_of(targets) && runner; i++) {
		struct gk_helpers *helpers = gk_helpers_new(loop, runner, targets[i]);
		char text[80];

		memset(&got, 0, sizeof got);
		gk_helpers_ask(helpers, plans, 1, told, NULL);
		while (!got.calls && gk_loop_turn(loop, true))
			;
		snprintf(text, sizeof text, "the compilers take sums and their kind for %s", targets[i]);
		if (!ok(got.calls == 1 && got.count == 3 + gk_count_of(list) && got.is_right, text))
			printf("# %s\n", got.err);
		gk_helpers_free(helpers);
	}
	gk_runner_close(runner);
	gk_loop_free(loop);
}

static void every_target_takes_them(const char *python)
{
	static const char *const targets[] = {"sm_80", "sm_90", "sm_100", "gfx90a", "gfx942", "gfx950"};
	struct gk_pool_options options = {.python = python, .worker = "worker", .lowered = "/", .lowerings = 2};
	static struct gk_plan_step casts[3];
	struct gk_plan many = {.steps = casts, .step_count = 3};
	const struct gk_plan *plans[] = {&busy, &many};
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);
	struct gk_runner *runner = gk_pool_open(loop, &options, &e);

	for (int i = 0; i < 3; i++)
		casts[i] = steps[0];
	casts[0].dst.dtype = GK_F8E4M3FN;
	casts[1].src.dtype = GK_F64;
	casts[2].dst.dtype = GK_BF16;
	for (size_t i = 0; i < gk_count_of(targets) && runner; i++) {
		struct gk_helpers *helpers = gk_helpers_new(loop, runner, targets[i]);
		char text[80];

		memset(&got, 0, sizeof got);
		gk_helpers_ask(helpers, plans, 2, told, NULL);
		while (!got.calls && gk_loop_turn(loop, true))
			;
		snprintf(text, sizeof text, "the compilers take them for %s", targets[i]);
		if (!ok(got.calls == 1 && got.count == 8 && got.is_right, text))
			printf("# %s\n", got.err);
		gk_helpers_free(helpers);
	}
	gk_runner_close(runner);
	gk_loop_free(loop);
}

int main(void)
{
	const char *python = find_python();

	make_plans();
	helpers_are_asked_for_once();
	failures_are_ours_and_not_kept();
	if (python) {
		every_target_takes_them(python);
		every_target_takes_assists(python);
	} else {
		skip("the compilers take them", "GEAK_PYTHON names none with triton");
	}
	return done_testing();
}
