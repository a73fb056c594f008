/* Plans whose results are known, executed and compared: every number is chosen so that the result is exact.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "num/dtype.h"
#include "selftest_parts.h"

enum { LANES = 256 };

static int blocks(int count)
{
	return (count + LANES - 1) / LANES;
}

/* ---- comparison ---- */

static const char *compare_floats(struct selftest *test, const uint8_t *got, const float *want, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		float value;

		memcpy(&value, got + i * sizeof value, sizeof value);
		if (!(value == want[i]))
			return gk_arena_printf(&test->arena, "element %zu is %.9g, not %.9g", i,
			                       (double)value, (double)want[i]);
	}
	return NULL;
}

static const char *compare_ints(struct selftest *test, const uint8_t *got, const int32_t *want, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int32_t value;

		memcpy(&value, got + i * sizeof value, sizeof value);
		if (value != want[i])
			return gk_arena_printf(&test->arena, "element %zu is %d, not %d", i, value, want[i]);
	}
	return NULL;
}

/* What speaks against an execution that should have gone well, or NULL. */
const char *selftest_complaint(struct selftest *test, const struct selftest_ran *ran)
{
	const json_t *output;
	size_t i;

	if (ran->err.kind)
		return gk_arena_printf(&test->arena, "%.400s", ran->err.text);
	if (ran->died)
		return gk_arena_printf(&test->arena, "the launcher %s",
		                       ran->timed_out ? "did not answer in time" : ran->death);
	if (*ran->kind)
		return gk_arena_printf(&test->arena, "found at fault: %s: %.300s", ran->kind, ran->message);
	if (json_array_size(json_object_get(ran->executed, "changed")) > 0)
		return "an input is said to be changed";
	json_array_foreach(json_object_get(ran->executed, "outputs"), i, output) if (
		json_integer_value(json_object_get(output, "poisoned")) !=
		0) return gk_arena_printf(&test->arena,
	                                  "%lld elements of output %zu are said to be never written",
	                                  (long long)json_integer_value(json_object_get(output, "poisoned")),
	                                  i);
	return NULL;
}

typedef const char *check_fn(struct selftest *test, const struct selftest_ran *ran, const void *want,
                             size_t count);

static const char *check_floats(struct selftest *test, const struct selftest_ran *ran, const void *want,
                                size_t count)
{
	return compare_floats(test, ran->outputs[0], want, count);
}

static const char *check_ints(struct selftest *test, const struct selftest_ran *ran, const void *want,
                              size_t count)
{
	return compare_ints(test, ran->outputs[0], want, count);
}

/* Runs the plan, releases it, and says what was wrong with it in *wrong (NULL: nothing). */
static int run(struct selftest_plan *plan, check_fn *check, const void *want, size_t count,
               const char **wrong, int64_t *ms, struct gk_err *e)
{
	struct selftest_ran ran;
	int done = selftest_execute(plan, SELFTEST_HONEST, &ran, e);

	if (done == 0) {
		*wrong = selftest_complaint(plan->test, &ran);
		if (!*wrong)
			*wrong = check(plan->test, &ran, want, count);
		*ms = ran.ms;
		selftest_ran_release(&ran);
	}
	selftest_plan_release(plan);
	return done;
}

static int tell(struct selftest_plan *plan, const char *name, check_fn *check, const void *want, size_t count,
                const char *what, struct gk_err *e)
{
	struct selftest *test = plan->test;
	const char *wrong = NULL;
	int64_t ms = 0;

	if (run(plan, check, want, count, &wrong, &ms, e) < 0)
		return -1;
	if (wrong)
		selftest_tell(test, "good", name, GK_SELFTEST_FAIL, "%s", wrong);
	else
		selftest_tell(test, "good", name, GK_SELFTEST_PASS, "%s; %lld ms", what, (long long)ms);
	return 0;
}

/* ---- the plans ---- */

/* n is no multiple of the lanes: the last program is masked. */
static float *plan_add(struct selftest_plan *plan, struct selftest *test, int n)
{
	float *x = selftest_floats(test, (size_t)n), *y = selftest_floats(test, (size_t)n),
	      *want = gk_arena_array(&test->arena, (size_t)n, sizeof *want);
	size_t bytes = (size_t)n * sizeof *x;
	int a, b, o;

	for (int i = 0; i < n; i++)
		want[i] = x[i] + y[i];
	selftest_plan_init(plan, test);
	a = selftest_plan_input(plan, x, bytes);
	b = selftest_plan_input(plan, y, bytes);
	o = selftest_plan_buffer(plan, bytes);
	selftest_plan_output(plan, o, "float32", n);
	selftest_plan_launch(plan, "add", blocks(n), "pppi", a, b, o, n);
	return want;
}

int selftest_add_once(struct selftest *test, bool *fine, const char **words, struct gk_err *e)
{
	int n = 1000 + (int)gk_random_below(&test->random, 1000);
	struct selftest_plan plan;
	float *want = plan_add(&plan, test, n);
	int64_t ms = 0;

	*words = NULL;
	if (run(&plan, check_floats, want, (size_t)n, words, &ms, e) < 0)
		return -1;
	*fine = !*words;
	return 0;
}

static int good_add(struct selftest *test, struct gk_err *e)
{
	static const int sizes[] = {1, 255, 256, 257, 4099};
	const char *wrong = NULL;
	int64_t ms = 0, all = 0;

	for (size_t i = 0; i < gk_count_of(sizes) && !wrong; i++, all += ms) {
		struct selftest_plan plan;
		float *want = plan_add(&plan, test, sizes[i]);

		if (run(&plan, check_floats, want, (size_t)sizes[i], &wrong, &ms, e) < 0)
			return -1;
	}
	if (wrong)
		selftest_tell(test, "good", "add", GK_SELFTEST_FAIL, "%s", wrong);
	else
		selftest_tell(test, "good", "add", GK_SELFTEST_PASS,
		              "sums of %zu lengths with their tails are right; %lld ms", gk_count_of(sizes),
		              (long long)all);
	return 0;
}

static int good_rows(struct selftest *test, struct gk_err *e)
{
	enum { ROWS = 37, WIDTH = 301 };
	float *x = selftest_floats(test, (size_t)ROWS * WIDTH),
	      *want = gk_arena_array(&test->arena, ROWS, sizeof *want);
	struct selftest_plan plan;
	int in, out;

	for (int i = 0; i < ROWS * WIDTH; i++)
		want[i / WIDTH] += x[i];
	selftest_plan_init(&plan, test);
	in = selftest_plan_input(&plan, x, (size_t)ROWS * WIDTH * sizeof *x);
	out = selftest_plan_buffer(&plan, ROWS * sizeof *want);
	selftest_plan_output(&plan, out, "float32", ROWS);
	selftest_plan_launch(&plan, "rows", ROWS, "ppi", in, out, WIDTH);
	return tell(&plan, "rows", check_floats, want, ROWS, "sums of 37 rows are right", e);
}

static int good_count(struct selftest *test, struct gk_err *e)
{
	enum { N = 5000, BINS = 16 };
	int32_t *x = gk_arena_array(&test->arena, N, sizeof *x),
		*want = gk_arena_array(&test->arena, BINS, sizeof *want);
	struct selftest_plan plan;
	int in, out;

	for (int i = 0; i < N; i++) {
		x[i] = (int32_t)gk_random_below(&test->random, 1000);
		want[x[i] & (BINS - 1)]++;
	}
	selftest_plan_init(&plan, test);
	in = selftest_plan_input(&plan, x, N * sizeof *x);
	out = selftest_plan_buffer(&plan, BINS * sizeof *want);
	selftest_plan_output(&plan, out, "int32", BINS);
	selftest_plan_step(&plan, json_pack("{s:s, s:o, s:s}", "op", "fill", "dst",
	                                    selftest_view(out, 0, "int32", BINS), "bits", "0x0"));
	selftest_plan_launch(&plan, "count", blocks(N), "ppi", in, out, N);
	return tell(&plan, "atomics", check_ints, want, BINS,
	            "5000 atomic additions into 16 places are right", e);
}

static int good_dot(struct selftest *test, struct gk_err *e)
{
	enum { N = 32 };
	uint16_t *a = gk_arena_array(&test->arena, (size_t)N * N, sizeof *a),
		 *b = gk_arena_array(&test->arena, (size_t)N * N, sizeof *b);
	float *want = gk_arena_array(&test->arena, (size_t)N * N, sizeof *want);
	struct selftest_plan plan;
	int first, second, out;

	for (int i = 0; i < N * N; i++) {
		gk_dtype_store(GK_F16, &a[i], (double)gk_random_below(&test->random, 17) - 8);
		gk_dtype_store(GK_F16, &b[i], (double)gk_random_below(&test->random, 17) - 8);
	}
	for (int i = 0; i < N * N * N; i++)
		want[i / N] += (float)(gk_dtype_load(GK_F16, &a[i / (N * N) * N + i % N]) *
		                       gk_dtype_load(GK_F16, &b[i % N * N + i / N % N]));
	selftest_plan_init(&plan, test);
	first = selftest_plan_input(&plan, a, sizeof *a * N * N);
	second = selftest_plan_input(&plan, b, sizeof *b * N * N);
	out = selftest_plan_buffer(&plan, sizeof *want * N * N);
	selftest_plan_output(&plan, out, "float32", (int64_t)N * N);
	selftest_plan_launch(&plan, "dot", 1, "ppp", first, second, out);
	return tell(&plan, "dot", check_floats, want, (size_t)N * N, "a product of float16 matrices is right",
	            e);
}

static int good_workspace(struct selftest *test, struct gk_err *e)
{
	enum { ROWS = 20, WIDTH = 100, N = ROWS * WIDTH };
	float *x = selftest_floats(test, N), *y = selftest_floats(test, N),
	      *want = gk_arena_array(&test->arena, ROWS, sizeof *want);
	struct selftest_plan plan;
	int a, b, between, out;

	for (int i = 0; i < N; i++)
		want[i / WIDTH] += x[i] + y[i];
	selftest_plan_init(&plan, test);
	a = selftest_plan_input(&plan, x, N * sizeof *x);
	b = selftest_plan_input(&plan, y, N * sizeof *y);
	between = selftest_plan_buffer(&plan, N * sizeof *x);
	out = selftest_plan_buffer(&plan, ROWS * sizeof *want);
	selftest_plan_output(&plan, out, "float32", ROWS);
	selftest_plan_launch(&plan, "add", blocks(N), "pppi", a, b, between, N);
	selftest_plan_launch(&plan, "rows", ROWS, "ppi", between, out, WIDTH);
	return tell(&plan, "workspace", check_floats, want, ROWS, "two kernels hand over through a workspace",
	            e);
}

/* w: 16 numbers of a ramp, cast; 4 given bytes; 12 filled; 32 of x, transposed. Then w + y. */
static int good_steps(struct selftest *test, struct gk_err *e)
{
	enum { N = 64 };
	static const int64_t shape[2] = {8, 4}, dense[2] = {4, 1}, across[2] = {1, 8};
	float *x = selftest_floats(test, 32), *y = selftest_floats(test, N),
	      *want = gk_arena_array(&test->arena, N, sizeof *want);
	struct selftest_plan plan;
	int a, b, ramp, w, out;

	selftest_plan_init(&plan, test);
	a = selftest_plan_input(&plan, x, 32 * sizeof *x);
	b = selftest_plan_input(&plan, y, N * sizeof *y);
	ramp = selftest_plan_buffer(&plan, 16 * sizeof(int32_t));
	w = selftest_plan_buffer(&plan, N * sizeof *x);
	out = selftest_plan_buffer(&plan, N * sizeof *x);
	for (int i = 0; i < N; i++)
		want[i] = y[i] + (i < 16   ? (float)(3 + 2 * i)
		                  : i < 20 ? 1.0F
		                  : i < 32 ? 1.5F
		                           : x[(i - 32) % 4 * 8 + (i - 32) / 4]);
	selftest_plan_step(&plan, json_pack("{s:s, s:o, s:s}", "op", "fill", "dst",
	                                    selftest_view(w, 0, "float32", N), "bits", "0x3fc00000"));
	selftest_plan_step(&plan, json_pack("{s:s, s:o, s:i, s:i}", "op", "iota", "dst",
	                                    selftest_view(ramp, 0, "int32", 16), "start", 3, "step", 2));
	selftest_plan_step(&plan, json_pack("{s:s, s:o, s:o}", "op", "copy", "dst",
	                                    selftest_view(w, 0, "float32", 16), "src",
	                                    selftest_view(ramp, 0, "int32", 16)));
	selftest_plan_step(&plan, json_pack("{s:s, s:o, s:s}", "op", "data", "dst",
	                                    selftest_view(w, 64, "float32", 4), "hex",
	                                    "0000803f0000803f0000803f0000803f"));
	selftest_plan_step(&plan, json_pack("{s:s, s:o, s:o}", "op", "copy", "dst",
	                                    selftest_view2(w, 128, "float32", shape, dense), "src",
	                                    selftest_view2(a, 0, "float32", shape, across)));
	selftest_plan_output(&plan, out, "float32", N);
	selftest_plan_launch(&plan, "add", 1, "pppi", w, b, out, N);
	return tell(&plan, "steps", check_floats, want, N,
	            "fills, ramps, data, casts and strided copies are right", e);
}

/* A kernel that counts back from an address within the buffer. */
static int good_offsets(struct selftest *test, struct gk_err *e)
{
	enum { N = 700 };
	float *x = selftest_floats(test, N);
	struct selftest_plan plan;
	int in, out;

	selftest_plan_init(&plan, test);
	in = selftest_plan_input(&plan, x, N * sizeof *x);
	out = selftest_plan_buffer(&plan, N * sizeof *x);
	selftest_plan_output(&plan, out, "float32", N);
	selftest_plan_launch(&plan, "part", blocks(N), "pPiil", in, out, (int64_t)512 * 4, N, N,
	                     (int64_t)-512);
	return tell(&plan, "offsets", check_floats, x, N, "offsets of 64 bits, negative ones too, are right",
	            e);
}

/* More than 4 GiB: what is taken for 32 bits anywhere lands elsewhere. */
static int good_large(struct selftest *test, struct gk_err *e)
{
	enum { N = 700 };
	const int64_t at = ((int64_t)4 << 30) + 4096;
	float *x;
	struct selftest_plan plan;
	int in, middle, out;

	if (!test->on_gpu || selftest_fact(test, "memory_bytes") < 24e9) {
		selftest_tell(test, "good", "large", GK_SELFTEST_SKIP, "%s",
		              test->on_gpu ? "a buffer of 4 GiB takes a GPU with 24 GB"
		                           : "a buffer of 4 GiB is for GPUs");
		return 0;
	}
	x = selftest_floats(test, N);
	selftest_plan_init(&plan, test);
	in = selftest_plan_input(&plan, x, N * sizeof *x);
	middle = selftest_plan_buffer(&plan, (size_t)at + N * sizeof *x);
	out = selftest_plan_buffer(&plan, N * sizeof *x);
	selftest_plan_output(&plan, out, "float32", N);
	selftest_plan_launch(&plan, "part", blocks(N), "ppiil", in, middle, N, N, at / 4);
	selftest_plan_launch(&plan, "part", blocks(N), "Ppiil", middle, at, out, N, N, (int64_t)0);
	return tell(&plan, "large", check_floats, x, N, "what lies behind 4 GiB of a buffer is right", e);
}

int selftest_good(struct selftest *test, struct gk_err *e)
{
	static int (*const checks[])(struct selftest *, struct gk_err *) = {
		good_add,       good_rows,  good_count,   good_dot,
		good_workspace, good_steps, good_offsets, good_large};

	for (size_t i = 0; i < gk_count_of(checks); i++)
		if (checks[i](test, e) < 0)
			return -1;
	return 0;
}
