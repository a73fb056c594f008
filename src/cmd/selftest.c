/* geak selftest: whether this machine's device gives verdicts and times that can be believed. */
#include <stdio.h>
#include <string.h>

#include "base/doc.h"
#include "base/memory.h"
#include "cmd.h"
#include "option.h"
#include "run/selftest.h"
#include "view/term.h"

static const struct gk_command_help help = {
	"selftest",
	"[--device NAME] [--launcher COMMAND] [--json]",
	"Say whether a device gives verdicts and times that can be believed",
	"Plans of geak's own, good and bad, go through the same workers and launcher as candidates'; good "
        "ones must\n"
	"be right, bad ones must be caught, and on a GPU known differences in time must be found. The result "
        "is kept\n"
	"for this machine: an AMD GPU's verdicts are called sealed only with one that passed.\n"
	"Exit code 1 when a check failed.",
};

struct shown {
	struct gk_term term;
	size_t counts[3];
};

static void show(void *ctx, const struct gk_selftest_line *line)
{
	static const enum gk_tone tones[] = {GK_GOOD, GK_BAD, GK_DIM};
	struct shown *shown = ctx;

	shown->counts[line->state]++;
	gk_term_print(&shown->term, tones[line->state], "%-6s", gk_selftest_state_names[line->state]);
	gk_term_print(&shown->term, GK_PLAIN, "%-5s %-17s %s\n", line->group, line->name, line->words);
	fflush(stdout);
}

static void print_end(struct shown *shown, const char *device, const json_t *result)
{
	const char *kind = json_string_value(json_object_get(json_object_get(result, "facts"), "kind"));
	bool passed = shown->counts[GK_SELFTEST_FAIL] == 0;

	gk_term_print(&shown->term, passed ? GK_GOOD : GK_BAD, "%s", passed ? "passed" : "FAILED");
	gk_term_print(&shown->term, GK_PLAIN, ": %zu checks passed, %zu failed, %zu skipped%s%s\n",
	              shown->counts[GK_SELFTEST_PASS], shown->counts[GK_SELFTEST_FAIL],
	              shown->counts[GK_SELFTEST_SKIP], kind ? " on " : "", kind ? kind : "");
	if (strcmp(device, "hip") == 0)
		gk_term_print(&shown->term, GK_PLAIN, "geak's HIP path has not yet run on hardware at its makers'\n");
}

int gk_cmd_selftest(int argc, char **argv, struct gk_err *e)
{
	struct shown shown = {0};
	struct gk_selftest_options selftest = {.device = "cpu", .ctx = &shown};
	gk_json_auto *result = NULL;
	gk_free_auto char *text = NULL;
	bool json = false;
	const struct gk_option options[] = {
		{'d', "device", GK_OPTION_TEXT, "NAME", "cpu, cuda, hip (cpu); hip has not yet run on hardware",
	         .value = &selftest.device},
		{0, "launcher", GK_OPTION_TEXT, "COMMAND",
	         "whose standard input and output serve it ('ssh HOST geak launcher')",
	         .value = &selftest.launcher},
		{0, "json", GK_OPTION_FLAG, NULL, "print JSON, at the end", .value = &json},
		{0},
	};
	int code = gk_options_read(&help, options, &argc, argv, e);

	if (code)
		return code < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 0, 0, e) < 0)
		return -1;
	if (strcmp(selftest.device, "cpu") != 0 && strcmp(selftest.device, "cuda") != 0 &&
	    strcmp(selftest.device, "hip") != 0)
		return gk_err_set(e, GK_ERR_INPUT, "no device is called \"%s\": cpu, cuda, hip",
		                  selftest.device);
	gk_term_init(&shown.term, stdout);
	selftest.told = json ? NULL : show;
	code = gk_selftest_run(&selftest, &result, e);
	if (code < 0)
		return -1;
	text = json ? gk_json_pretty(result) : NULL;
	if (json)
		puts(text);
	else
		print_end(&shown, selftest.device, result);
	return gk_stdout_flush(e) < 0 ? -1 : code;
}
