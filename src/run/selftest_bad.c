/*
 * Plans that do what a kernel must not, each of which has to be caught in the
 * way it is meant to be; after each, a good plan must be right again, whatever
 * became of the launcher.
 */
#include <string.h>

#include "base/memory.h"
#include "selftest_parts.h"

enum { N = 1000, BLOCKS = (N + 255) / 256, LATE_MS = 1500, HANG_MS = 4000 };

static const size_t bytes = N * sizeof(float);

/* Inputs x and y, output o, each of N floats. */
struct bad_plan {
	struct selftest_plan plan;
	int x, y, o;
};

static void begin(struct bad_plan *b, struct selftest *test)
{
	selftest_plan_init(&b->plan, test);
	b->x = selftest_plan_input(&b->plan, selftest_floats(test, N), bytes);
	b->y = selftest_plan_input(&b->plan, selftest_floats(test, N), bytes);
	b->o = selftest_plan_buffer(&b->plan, bytes);
	selftest_plan_output(&b->plan, b->o, "float32", N);
}

static void copy_part(struct bad_plan *b, int from, int to, int writes, int64_t away)
{
	selftest_plan_launch(&b->plan, "part", (writes + 255) / 256 + 1, "ppiil", from, to, N, writes, away);
}

/* ---- what it takes to be caught: words for it, or NULL ---- */

typedef const char *caught_fn(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran);

static const char *caught_as(const struct selftest_ran *ran, const char *kind, struct selftest *test)
{
	if (ran->err.kind || ran->died || strcmp(ran->kind, kind) != 0)
		return NULL;
	return gk_arena_printf(&test->arena, "%s: %.150s", ran->kind, ran->message);
}

static const char *caught_outside(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	(void)b;
	return caught_as(ran, "out_of_bounds", test);
}

/* Where nothing is mapped a GPU stops the kernel. */
static const char *caught_far(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	const char *words = caught_outside(test, b, ran);

	return words ? words : test->on_gpu ? caught_as(ran, "crash", test) : NULL;
}

static const char *caught_trap(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	const char *words = caught_as(ran, "assert", test);

	(void)b;
	return words ? words : test->on_gpu ? caught_as(ran, "crash", test) : NULL;
}

static const char *caught_budget(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	(void)b;
	return caught_as(ran, "budget", test);
}

static const char *caught_late(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	if (!ran->died || !ran->timed_out)
		return NULL;
	return gk_arena_printf(&test->arena, "stopped after %lld ms, twice", (long long)b->plan.wall_ms);
}

static long long poisoned(const struct selftest_ran *ran)
{
	const json_t *first = json_array_get(json_object_get(ran->executed, "outputs"), 0);

	return ran->err.kind || ran->died || *ran->kind
	               ? 0
	               : json_integer_value(json_object_get(first, "poisoned"));
}

static const char *caught_nothing(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	(void)b;
	return poisoned(ran) == N
	               ? gk_arena_printf(&test->arena, "all %d elements are known never to be written", N)
	               : NULL;
}

static const char *caught_half(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	(void)b;
	return poisoned(ran) == N / 2
	               ? gk_arena_printf(&test->arena, "%d elements are known never to be written", N / 2)
	               : NULL;
}

static const char *caught_input(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	const json_t *changed = json_object_get(ran->executed, "changed");

	(void)test;
	if (ran->err.kind || ran->died || *ran->kind || json_array_size(changed) != 1 ||
	    json_integer_value(json_array_get(changed, 0)) != b->x)
		return NULL;
	return "the input that was written is named";
}

static const char *caught_code(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	(void)b;
	if (ran->err.kind == GK_ERR_NONE || gk_runner_facts(test->runner, "launcher") == NULL)
		return NULL;
	return gk_arena_printf(&test->arena, "refused: %.200s", ran->err.text);
}

/* The machine knows what was never written; on a GPU the result follows the fill, which no two executions
 * share. */
static const char *caught_unwritten(struct selftest *test, struct bad_plan *b, const struct selftest_ran *ran)
{
	struct selftest_ran again;
	struct gk_err ignored;
	bool differs;

	if (ran->err.kind || ran->died)
		return NULL;
	if (*ran->kind || poisoned(ran))
		return *ran->kind ? caught_as(ran, "poison_used", test)
		                  : "its elements are known to come from nowhere";
	if (selftest_execute(&b->plan, SELFTEST_HONEST, &again, &ignored) < 0)
		return NULL;
	differs = again.executed && memcmp(ran->outputs[0], again.outputs[0], bytes) != 0;
	selftest_ran_release(&again);
	return differs ? "two executions differ" : NULL;
}

/* ---- the plans ---- */

static void make_nothing(struct bad_plan *b)
{
	copy_part(b, b->x, b->o, 0, 0);
}

static void make_half(struct bad_plan *b)
{
	copy_part(b, b->x, b->o, N / 2, 0);
}

static void make_near(struct bad_plan *b)
{
	copy_part(b, b->x, b->o, N + 3, 0);
}

static void make_before(struct bad_plan *b)
{
	copy_part(b, b->x, b->o, N, -1);
}

static void make_far(struct bad_plan *b)
{
	copy_part(b, b->x, b->o, N, (int64_t)1 << 31);
}

static void make_input(struct bad_plan *b)
{
	copy_part(b, b->y, b->x, N, 0);
	copy_part(b, b->y, b->o, N, 0);
}

/* Its condition does not hold: x against itself. */
static void make_trap(struct bad_plan *b)
{
	selftest_plan_launch(&b->plan, "trap", BLOCKS, "pppi", b->x, b->x, b->o, N);
}

static void make_endless(struct bad_plan *b)
{
	selftest_plan_launch(&b->plan, "endless", 1, "pp", b->x, b->o);
	b->plan.budget = (int64_t)1 << 60;
	b->plan.wall_ms = b->plan.test->on_gpu ? HANG_MS : LATE_MS;
}

static void make_budget(struct bad_plan *b)
{
	make_endless(b);
	b->plan.budget = 1000000;
	b->plan.wall_ms = 0;
}

static void make_unwritten(struct bad_plan *b)
{
	copy_part(b, selftest_plan_buffer(&b->plan, bytes), b->o, N, 0);
}

static const struct {
	const char *name;
	void (*make)(struct bad_plan *b);
	caught_fn *caught;
	enum selftest_lie lie;
	bool of_machine; /* only there */
} bads[] = {
	{"stores nothing", make_nothing, caught_nothing, SELFTEST_HONEST, false},
	{"stores half", make_half, caught_half, SELFTEST_HONEST, false},
	{"writes behind", make_near, caught_outside, SELFTEST_HONEST, false},
	{"writes before", make_before, caught_outside, SELFTEST_HONEST, false},
	{"writes far away", make_far, caught_far, SELFTEST_HONEST, false},
	{"writes its input", make_input, caught_input, SELFTEST_HONEST, false},
	{"reads unwritten", make_unwritten, caught_unwritten, SELFTEST_HONEST, false},
	{"traps", make_trap, caught_trap, SELFTEST_HONEST, false},
	{"counts no end", make_budget, caught_budget, SELFTEST_HONEST, true},
	{"never ends", make_endless, caught_late, SELFTEST_HONEST, false},
	{"other code", make_half, caught_code, SELFTEST_WRONG_CODE, false},
};

/* What came instead of being caught. */
static const char *came(struct selftest *test, const struct selftest_ran *ran)
{
	if (ran->err.kind)
		return gk_arena_printf(&test->arena, "error: %.300s", ran->err.text);
	if (ran->died)
		return gk_arena_printf(&test->arena, "the launcher died: %s",
		                       ran->timed_out ? "not done in time" : ran->death);
	if (*ran->kind)
		return gk_arena_printf(&test->arena, "%s: %.200s", ran->kind, ran->message);
	return gk_arena_printf(&test->arena, "nothing was found, %lld elements never written", poisoned(ran));
}

static int try_bad(struct selftest *test, size_t i, struct gk_err *e)
{
	struct bad_plan b;
	struct selftest_ran ran;
	const char *words = NULL, *instead = "", *after = NULL;
	bool fine = false;
	int done;

	begin(&b, test);
	bads[i].make(&b);
	done = selftest_execute(&b.plan, bads[i].lie, &ran, e);
	if (done == 0) {
		words = bads[i].caught(test, &b, &ran);
		instead = words ? "" : came(test, &ran);
		selftest_ran_release(&ran);
	}
	selftest_plan_release(&b.plan);
	if (done < 0 || selftest_add_once(test, &fine, &after, e) < 0)
		return -1;
	selftest_tell(test, "bad", bads[i].name, words && fine ? GK_SELFTEST_PASS : GK_SELFTEST_FAIL,
	              "%s%s; a good plan after it is %s%s", words ? words : "not caught: ", instead,
	              fine ? "right" : "not: ", fine ? "" : after);
	return 0;
}

int selftest_bad(struct selftest *test, struct gk_err *e)
{
	for (size_t i = 0; i < gk_count_of(bads); i++)
		if (!(bads[i].of_machine && test->on_gpu) && try_bad(test, i, e) < 0)
			return -1;
	return 0;
}
