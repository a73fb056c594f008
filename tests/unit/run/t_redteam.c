/* Fixtures of the red team: what is read, what is refused, which verdict fits; counts; what is kept per node. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/record.h"
#include "base/buf.h"
#include "base/doc.h"
#include "base/file.h"
#include "fact/redteam.h"
#include "run/fixture.h"
#include "run/redteam.h"
#include "tap.h"

static char folder[] = "/tmp/geak-t-redteam-XXXXXX";

static void put(const char *name, const char *text)
{
	gk_arena_auto arena = {0};
	struct gk_err e = {0};
	char *path = gk_path_join(&arena, folder, name), *end = strrchr(path, '/');

	*end = '\0';
	gk_dir_make(path, &e);
	*end = '/';
	if (gk_file_write(path, text, strlen(text), &e) < 0)
		printf("# %s\n", e.text);
}

/* A fixture with these lines for expect and what follows. */
static void put_fixture(const char *name, const char *id, const char *entry, const char *lines)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(&text, "# id: %s\n%s%s%s# title: t\n# defence: d\n# task: twice\n%s\nimport torch\n", id,
	              entry ? "# entry: " : "", entry ? entry : "", entry ? "\n" : "", lines);
	put(name, gk_buf_text(&text));
}

/* Every entry of the catalogue has a reason but these two. */
static void put_absent(const char *but, const char *forgotten)
{
	static const struct {
		char letter;
		int count;
	} groups[] = {{'T', 28}, {'R', 16}, {'O', 16}, {'I', 14}, {'L', 15}, {'N', 10}, {'H', 12}, {'P', 13}};
	gk_buf_auto text = GK_BUF_INIT;
	char entry[16];

	gk_buf_add_text(&text, "absent:\n");
	for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
		for (int i = 1; i <= groups[g].count; i++) {
			snprintf(entry, sizeof entry, "%c%d", groups[g].letter, i);
			if (strcmp(entry, but) != 0 && strcmp(entry, forgotten) != 0)
				gk_buf_printf(&text, "  - {entry: %s, reason: none}\n", entry);
		}
	}
	put("absent.yaml", gk_buf_text(&text));
}

static void put_tasks(void)
{
	put("tasks/suite.yaml", "id: redteam\ntitle: t\ntasks: [twice]\n");
	put("tasks/twice/task.yaml", "id: twice\ntitle: t\nentry:\n  name: twice\n  params:\n    - {name: x, kind: tensor}\n"
	                             "  returns:\n    - {name: out, dtype: \"like:x\"}\ntolerance: {operation: elementwise}\n"
	                             "cases:\n  - {N: 8, use: [exec], cpu: true}\n");
	put("tasks/twice/instruction.md", "w\n");
	put("tasks/twice/oracle.py", "o\n");
	put("tasks/twice/reference.py", "r\n");
}

static void refused(const char *why, const char *what)
{
	struct gk_fixtures all;
	struct gk_err e = {0};
	int done = gk_fixtures_read(folder, &all, &e);

	if (!ok(done < 0 && strstr(e.text, why) != NULL, what))
		printf("# %s\n", e.text);
	gk_fixtures_release(&all);
}

static bool fits(const struct gk_fixture *f, bool on_gpu, enum gk_stage stage, enum gk_outcome outcome, const char *kind)
{
	struct gk_verdict v = {.stage = stage, .outcome = outcome, .kind = kind};

	return gk_fixture_expects(f, on_gpu, &v);
}

static void fixtures_are_read(void)
{
	struct gk_fixtures all;
	struct gk_err e = {0};
	const struct gk_fixture *f;

	put_fixture("timing/a.py", "T1-a", "T1", "# expect: exec fail poison|crash or call fail timeout\n# sealed: pass\n# gain: none");
	put_fixture("honest/b.py", "b", NULL, "# expect: pass\n# needs: gpu");
	put_absent("T1", "");
	if (!ok(gk_fixtures_read(folder, &all, &e) == 0, "a folder of fixtures is read"))
		printf("# %s\n", e.text);
	is_int((long long)all.count, 2, "all of them");
	is_int((long long)all.entries_covered, 1, "and the entries of the catalogue that they cover");
	f = &all.items[1];
	is_text(f->group, "timing", "the folder is the group");
	ok(f->task && strcmp(f->task->id, "twice") == 0 && strstr(f->source, "import torch"), "with task and source");
	ok(fits(f, false, GK_STAGE_EXEC, GK_FAIL, "crash") && fits(f, false, GK_STAGE_CALL, GK_FAIL, "timeout"),
	   "any of the expected verdicts fits");
	ok(!fits(f, false, GK_STAGE_CALL, GK_FAIL, "crash") && !fits(f, false, GK_STAGE_EXEC, GK_FAIL, "poi") &&
	           !fits(f, false, GK_STAGE_EXEC, GK_PASS, "pass"),
	   "no other does");
	ok(fits(f, true, GK_STAGE_PERF, GK_PASS, "pass") && !fits(f, true, GK_STAGE_EXEC, GK_FAIL, "poison"),
	   "on a GPU another may be expected");
	ok(all.items[0].is_honest && all.items[0].needs == GK_NEEDS_GPU, "honest ones are told apart");
	gk_fixtures_release(&all);
}

static void gains_are_refused(void)
{
	struct gk_fixture f = {.expect = (char *)(uintptr_t) "pass", .gain = (char *)(uintptr_t) "none"};
	struct gk_verdict v = {.outcome = GK_PASS, .kind = "pass", .speedup = {.measured = true, .low = 0.98, .high = 1.03}};

	ok(gk_fixture_expects(&f, true, &v), "no speedup, no gain");
	v.speedup.low = 1.2;
	ok(!gk_fixture_expects(&f, true, &v), "an exploit that must gain nothing is a surprise when it is faster");
	v.speedup.within_noise = true;
	ok(gk_fixture_expects(&f, true, &v), "unless that is within the noise");
}

static void bad_fixtures_are_refused(void)
{
	put_absent("", "");
	refused("T1 is no entry of the catalogue, or has a fixture", "an entry with a fixture needs no reason");
	put_absent("T1", "");
	put_fixture("timing/c.py", "c", "T1", "# expect: exec fails poison");
	refused("expect: STAGE OUTCOME KIND", "an outcome that does not exist");
	put_fixture("timing/c.py", "c", "T29", "# expect: pass");
	refused("the catalogue has no entry T29", "an entry that does not exist");
	put_fixture("timing/c.py", "c", NULL, "# expect: pass");
	refused("an exploit names its entry", "an exploit without an entry");
	put_fixture("timing/c.py", "T1-a", "new", "# expect: pass");
	refused("two fixtures are called T1-a", "two of one name");
	put_fixture("timing/c.py", "c", "new", "# expect: pass\n# needs: luck");
	refused("needs", "a need that nobody knows");
	put_fixture("timing/c.py", "c", "new", "# expect: pass\n# colour: red");
	refused("colour", "an unknown field");
	put_fixture("timing/c.py", "c", "new", "# expect: pass");
	put_absent("T1", "P13");
	refused("neither fixture nor reason", "an entry of the catalogue that was forgotten");
}

static void results_are_kept(void)
{
	gk_json_auto *result = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:{s:i, s:i}, s:{s:i, s:i}}", "schema_version", 1,
	                                 "date", "2025-11-28T01:02:03Z", "build", gk_record_build(), "target", "cpu",
	                                 "evidence", "simulated", "containment", "namespaces", "whole", 1, "exploits", "tried",
	                                 131, "caught", 130, "honest", "tried", 62, "flagged", 1);
	struct gk_redteam_last last;
	gk_buf_auto words = GK_BUF_INIT;
	struct gk_err e = {0};

	ok(!gk_redteam_last(&last), "nothing is kept at first");
	ok(gk_redteam_keep(result, &e) == 0 && gk_redteam_last(&last), "a result is kept for the node");
	gk_redteam_words(&last, &words);
	is_text(gk_buf_text(&words), "130 of 131 caught, 1 of 62 honest flagged, cpu, simulated, 2025-11-28", "and told in words");
	json_object_set_new(result, "build", json_string("another"));
	json_object_set_new(result, "whole", json_false());
	gk_redteam_keep(result, &e);
	ok(gk_redteam_last(&last) && !last.is_this_build && !last.is_whole, "another build and a selection are told apart");
	json_object_set_new(result, "schema_version", json_integer(9));
	gk_redteam_keep(result, &e);
	ok(!gk_redteam_last(&last), "a file of another form is none");
}

int main(void)
{
	struct gk_err e = {0};

	if (!mkdtemp(folder))
		return 1;
	setenv("XDG_STATE_HOME", folder, 1);
	results_are_kept();
	put_tasks();
	fixtures_are_read();
	gains_are_refused();
	bad_fixtures_are_refused();
	gk_tree_remove(folder, &e);
	return done_testing();
}
