/*
 * Theory of operation: plans of our own go through the pool that candidates'
 * go through: the same workers lower their kernels, the same launcher executes
 * and times them, and what it answers is judged by the same rules. Checks are
 * made one after the other, each told as soon as it is known; a check that
 * fails stops nothing. What is found is kept per node at the end
 * (selftest_record.c); a selftest that is interrupted keeps nothing.
 *
 * Only what makes every check meaningless is a failure of ours: no such
 * device, no workers, an interrupt.
 */
#include "selftest.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "aim.h"
#include "base/buf.h"
#include "base/doc.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/place.h"
#include "pool/pool.h"
#include "selftest_parts.h"

const char *const gk_selftest_state_names[] = {"pass", "fail", "skip", NULL};

void selftest_tell(struct selftest *test, const char *group, const char *name, enum gk_selftest_state state,
                   const char *format, ...)
{
	struct gk_selftest_line line = {.group = group, .name = name, .state = state};
	gk_buf_auto words = GK_BUF_INIT;
	va_list arguments;

	va_start(arguments, format);
	gk_buf_vprintf(&words, format, arguments);
	va_end(arguments);
	line.words = gk_buf_text(&words);
	test->failed = test->failed || state == GK_SELFTEST_FAIL;
	json_array_append_new(test->lines,
	                      json_pack("{s:s, s:s, s:s, s:s%}", "group", group, "name", name, "state",
	                                gk_selftest_state_names[state], "words", line.words, words.size));
	if (test->options->told)
		test->options->told(test->options->ctx, &line);
}

/* ---- open ---- */

static int take_aim(struct selftest *test, struct gk_err *e)
{
	const char *device = test->options->device;
	struct gk_aim aim;

	test->on_gpu = strcmp(device, "cpu") != 0;
	test->target = "cpu";
	if (!test->on_gpu)
		return 0;
	if (gk_aim_take("auto", &aim, e) < 0)
		return -1;
	if (strcmp(aim.device, device) != 0)
		return gk_err_set(e, GK_ERR_SYSTEM,
		                  "there is no GPU for %s here that geak lowers for: geak doctor", device);
	test->target = gk_arena_string(&test->arena, aim.target);
	return 0;
}

int selftest_open_pool(struct selftest *test, const char *launcher, struct gk_err *e)
{
	struct gk_pool_options pool = {.launcher = launcher, .device = test->options->device};
	struct gk_place place;

	if (gk_place_find(&place, &test->arena, e) < 0 ||
	    gk_place_path(&test->arena, "worker", &pool.worker, e) < 0)
		return -1;
	pool.python = place.python;
	pool.program = place.program;
	pool.box = place.box;
	pool.lowerings = test->on_gpu ? 2 : 1;
	gk_runner_close(test->runner);
	test->runner = gk_pool_open(test->loop, &pool, e);
	return test->runner ? 0 : -1;
}

static int open_all(struct selftest *test, struct gk_err *e)
{
	uint64_t seed;

	test->launcher = test->options->launcher ? test->options->launcher : getenv("GEAK_LAUNCHER");
	if (test->launcher && !*test->launcher)
		test->launcher = NULL;
	if (test->options->launcher) /* it is asked what it has, too */
		setenv("GEAK_LAUNCHER", test->options->launcher, 1);
	gk_random_bytes(&seed, sizeof seed);
	gk_random_seed(&test->random, seed);
	test->lines = json_array();
	test->loop = gk_loop_new(e);
	if (!test->loop || gk_loop_catch_interrupts(test->loop, NULL, NULL, e) < 0)
		return -1;
	return take_aim(test, e) < 0 ? -1 : selftest_open_pool(test, test->launcher, e);
}

/* ---- the whole ---- */

/* Without one answer of the launcher nothing that follows says anything. */
static int check_start(struct selftest *test, struct gk_err *e)
{
	const char *words, *device;
	bool fine;

	if (selftest_add_once(test, &fine, &words, e) < 0)
		return -1;
	if (!test->facts)
		return gk_err_set(e, GK_ERR_SYSTEM, "the launcher does not start: %s",
		                  words ? words : "it says nothing of itself");
	device = json_string_value(json_object_get(test->facts, "device"));
	if (device && strcmp(device, test->options->device) != 0)
		return gk_err_set(e, GK_ERR_INPUT, "the launcher serves the device %s, not %s", device,
		                  test->options->device);
	return 0;
}

static int run_all(struct selftest *test, struct gk_err *e)
{
	if (open_all(test, e) < 0 || check_start(test, e) < 0 || selftest_good(test, e) < 0 ||
	    selftest_bad(test, e) < 0)
		return -1;
	if (!test->on_gpu) {
		selftest_tell(test, "time", "clock", GK_SELFTEST_SKIP,
		              "the machine has no clock: nothing is timed on it");
		return 0;
	}
	return selftest_time(test, e);
}

static void close_all(struct selftest *test)
{
	gk_runner_close(test->runner);
	for (size_t i = 0; i < test->module_count; i++) {
		struct selftest_module *m = &test->modules[i];

		free(m->text);
		free(m->object);
		free(m->code);
		gk_ir_free(m->ir);
		json_decref(m->options);
	}
	gk_loop_free(test->loop);
	json_decref(test->facts);
	json_decref(test->lines);
	gk_arena_release(&test->arena);
}

/* What the code was made with: a result does not hold for another compiler's. */
static void add_toolchain(struct selftest *test, json_t *record)
{
	for (size_t i = 0; i < test->module_count; i++)
		if (test->modules[i].object) {
			json_object_set_new(record, "toolchain",
			                    json_string(test->modules[i].object->toolchain));
			return;
		}
}

int gk_selftest_run(const struct gk_selftest_options *options, json_t **result, struct gk_err *e)
{
	struct selftest test = {.options = options};
	int done = run_all(&test, e);

	*result = NULL;
	if (done == 0) {
		*result = selftest_new_record(test.facts);
		json_object_set(*result, "lines", test.lines);
		json_object_set(*result, "passed", json_boolean(!test.failed));
		add_toolchain(&test, *result);
		done = selftest_keep(test.facts, *result, e);
	}
	close_all(&test);
	if (done == 0)
		return test.failed ? 1 : 0;
	json_decref(*result);
	*result = NULL;
	return -1;
}
