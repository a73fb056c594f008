/* What a selftest found is believed for the program, the driver and the GPU that it was found with, and no
 * other. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/record.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/selftest_parts.h"
#include "tap.h"

#define FACTS(pci, driver)                                                                                   \
	"{\"device\":\"hip\",\"kind\":\"a GPU\",\"target\":\"gfx942\",\"pci\":\"" pci                        \
	"\",\"driver\":" driver ",\"host\":\"node/7\"}"

static char folder[] = "/tmp/geak-selftest-XXXXXX";

static bool keep(const char *facts_text, bool passed, const char *build)
{
	gk_json_auto *facts = json_loads(facts_text, 0, NULL), *record = selftest_new_record(facts);
	struct gk_err e;

	json_object_set(record, "passed", json_boolean(passed));
	if (build)
		json_object_set_new(record, "build", json_string(build));
	return selftest_keep(facts, record, &e) == 0;
}

static bool words_have(const char *facts, const char *text)
{
	gk_buf_auto words = GK_BUF_INIT;

	gk_selftest_told(facts, &words);
	if (strstr(gk_buf_text(&words), text))
		return true;
	printf("# %s\n", gk_buf_text(&words));
	return false;
}

int main(void)
{
	static const char one[] = FACTS("0000:01:00.0", "60"), other[] = FACTS("0000:02:00.0", "60"),
			  newer[] = FACTS("0000:01:00.0", "61");
	gk_arena_auto arena = {0};
	struct gk_err e;
	const char *path;

	if (!mkdtemp(folder))
		return 1;
	setenv("XDG_STATE_HOME", folder, 1);
	ok(strlen(gk_record_build()) == 64, "a build is known by its program's hash");
	ok(!gk_selftest_passed(NULL) && !gk_selftest_passed("{"), "without facts nothing has passed");
	ok(!gk_selftest_passed(one), "nothing has passed that was never run");
	ok(words_have(one, "not run here: geak selftest --device hip"), "and it is said how to");
	ok(keep(one, true, NULL) && gk_selftest_passed(one), "what passed has passed");
	ok(words_have(one, "passed on 20"), "with its day");
	ok(!gk_selftest_passed(other), "another GPU has not");
	ok(!gk_selftest_passed(newer), "nor the same with another driver");
	ok(words_have(newer, "but with another driver"), "which is said");
	ok(keep(one, true, "0123") && !gk_selftest_passed(one), "nor another build");
	ok(words_have(one, "another build"), "which is said");
	ok(keep(one, false, NULL) && !gk_selftest_passed(one), "what failed has not passed");
	path = gk_path_join(&arena, folder, "geak/selftest/node_7-hip-0000_01_00.0.json");
	ok(gk_path_exists(path), "a name of a host cannot leave the folder");
	ok(gk_file_write(path, "{\"schema_version\":1,\"passed\":tr", 30, &e) == 0 &&
	           !gk_selftest_passed(one),
	   "a file that is not whole is none");
	gk_tree_remove(folder, &e);
	return done_testing();
}
