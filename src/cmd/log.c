/* geak log DIR: one line per attempt; with --replay, all answers as a replay file. */
#include <stdio.h>

#include "base/file.h"
#include "cmd.h"
#include "option.h"
#include "run/replay.h"
#include "store/store.h"
#include "view/summary.h"

static int print_log(struct gk_store *store, struct gk_err *e)
{
	struct gk_story story;
	struct gk_table table;
	struct gk_term term;

	if (gk_story_read(store, &story, e) < 0)
		return -1;
	gk_term_init(&term, stdout);
	gk_log_table(&story, &table);
	gk_table_print(&table, &term);
	gk_table_release(&table);
	gk_story_release(&story);
	return 0;
}

static int export_replay(struct gk_store *store, const char *path, const char *note, bool prompts, struct gk_err *e)
{
	gk_buf_auto out = GK_BUF_INIT;
	size_t count;

	if (gk_replay_export(store, note, prompts, &out, &count, e) < 0)
		return -1;
	if (out.is_full)
		return gk_err_set(e, GK_ERR_INPUT, "the answers are too large for one replay file");
	if (gk_file_write(path, gk_buf_text(&out), out.size, e) < 0)
		return -1;
	printf("%zu answers in %s\n", count, path);
	return 0;
}

int gk_cmd_log(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"log", "DIR [--replay FILE]", "List a run's attempts, one line each",
		"An attempt is called TASK/TRAJECTORY.NUMBER: `geak show DIR row_softmax/0.2` shows it in full."};
	const char *replay = NULL, *note = "";
	bool prompts = false;
	const struct gk_option options[] = {
		{.name = "replay", .kind = GK_OPTION_TEXT, .argument = "FILE",
	         .help = "write every stored answer to FILE, for `geak run -m replay:FILE`", .value = &replay},
		{.name = "prompts", .kind = GK_OPTION_FLAG, .help = "with the prompts in it (--replay)", .value = &prompts},
		{.name = "note", .kind = GK_OPTION_TEXT, .argument = "TEXT", .help = "where the answers come from (--replay)",
	         .value = &note},
		{0}};
	int done = gk_options_read(&help, options, &argc, argv, e), rc;
	struct gk_store *store;

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 1, 1, e) < 0)
		return -1;
	store = gk_store_open_read(argv[1], e);
	if (!store)
		return -1;
	rc = replay ? export_replay(store, replay, note, prompts, e) : print_log(store, e);
	gk_store_close(store);
	return rc;
}
