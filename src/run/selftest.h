/*
 * `geak selftest`: plans of our own, good and bad, through the same workers and
 * launcher as candidates', with results that are known. What came of it is kept
 * per node, for a build, a driver and a GPU (selftest_record.c).
 */
#ifndef GK_RUN_SELFTEST_H
#define GK_RUN_SELFTEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Whether a selftest of this build passed on the device that a launcher's
 * facts (JSON text, as gk_runner_facts(runner, "launcher") gives it; NULL:
 * false) tell about, with the driver that it has now. It reads one small file.
 */
bool gk_selftest_passed(const char *facts);
/* The same in words, for people: "passed on 2025-11-28 with this build and driver", "never run here". */
bool gk_selftest_told(const char *facts, struct gk_buf *words);

/* ---- running it ---- */

enum gk_selftest_state { GK_SELFTEST_PASS, GK_SELFTEST_FAIL, GK_SELFTEST_SKIP };
extern const char *const gk_selftest_state_names[]; /* "pass", "fail", "skip", NULL */

struct gk_selftest_line {
	const char *group; /* "good", "bad", "time" */
	const char *name;  /* "add", "writes_far", ... */
	enum gk_selftest_state state;
	const char *words; /* why, with figures */
};

struct gk_selftest_options {
	const char *device;   /* "cpu", "cuda", "hip" */
	const char *launcher; /* a command line that serves one, or NULL: geak's own */
	void (*told)(void *ctx, const struct gk_selftest_line *line); /* as each is known; borrowed */
	void *ctx;
};

/* Runs it all and keeps the result. 0: all passed, 1: some did not, -1: a failure of ours. *result: new
 * reference. */
int gk_selftest_run(const struct gk_selftest_options *options, json_t **result, struct gk_err *e);

#endif
