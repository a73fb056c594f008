/*
 * Fixtures of the red team (tests/exploits/README.md): candidates that try to
 * cheat, and honest ones that must not be flagged, each with the verdict that
 * it must get. A fixture is a Python file whose first comment lines are YAML:
 *
 *     # id: O1-uninitialised
 *     # entry: O1                    of the catalogue, or new
 *     # title: returns a fresh tensor that may lie on the freed result
 *     # defence: poison              what it must run into (tests/exploits/break.py)
 *     # task: twice                  one of tests/exploits/tasks
 *     # expect: exec fail poison     STAGE OUTCOME KIND[|KIND] [or ...], or just: pass
 *     # sealed: exec fail crash      on a GPU, where that differs
 *     # needs: gpu                   cpu (default), gpu, contained
 *     # gain: none                   a measured speedup must not exceed 1 by more than 5 % and the floor
 *
 * Its group is the name of its folder; the group `honest` has no entry.
 */
#ifndef GK_RUN_FIXTURE_H
#define GK_RUN_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "fact/verdict.h"
#include "task/task.h"

enum gk_fixture_needs { GK_NEEDS_CPU, GK_NEEDS_GPU, GK_NEEDS_CONTAINED };
extern const char *const gk_fixture_needs_names[];

struct gk_fixture {
	char *id, *entry, *title, *defence, *task_id, *expect, *sealed; /* sealed: NULL where it does not differ */
	char *gain;
	int needs;
	bool is_honest;
	const char *group;
	const struct gk_task *task;
	const char *source;
	size_t size;
};

/* An entry of the catalogue that has no fixture, and why it cannot exist here. */
struct gk_fixture_absent { char *entry, *reason; };

struct gk_fixtures {
	struct gk_arena arena;
	struct gk_suite *suite;
	struct gk_fixture *items; /* by group, then by file name */
	size_t count;
	struct gk_fixture_absent *absent;
	size_t absent_count;
	size_t entries_covered; /* of GK_CATALOGUE_ENTRIES */
	size_t new_count, honest_count;
};

#define GK_CATALOGUE_ENTRIES 124

/* folder has absent.yaml, tasks/ and a folder for each group. Every entry of the catalogue has a fixture or a reason. */
int gk_fixtures_read(const char *folder, struct gk_fixtures *all, struct gk_err *e);
void gk_fixtures_release(struct gk_fixtures *all);

/* Whether the verdict is what the fixture must get. on_gpu chooses between expect and sealed. */
bool gk_fixture_expects(const struct gk_fixture *fixture, bool on_gpu, const struct gk_verdict *verdict);
/* The expectation as it stands in the file. */
const char *gk_fixture_expectation(const struct gk_fixture *fixture, bool on_gpu);

#endif
