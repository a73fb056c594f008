/* geak report DIR: a run in a table; always writes DIR/report.html. */
#include <stdio.h>

#include "base/doc.h"
#include "base/log.h"
#include "base/memory.h"
#include "cmd.h"
#include "option.h"
#include "store/store.h"
#include "view/page.h"
#include "view/summary.h"

enum form { FORM_TEXT, FORM_CSV, FORM_MARKDOWN, FORM_JSON };

static void print_table(const struct gk_story *story, enum form form)
{
	gk_buf_auto out = GK_BUF_INIT;
	struct gk_table table;

	gk_summary_table(story, &table);
	(form == FORM_CSV ? gk_table_add_csv : gk_table_add_markdown)(&table, &out);
	gk_table_release(&table);
	fwrite(gk_buf_text(&out), 1, out.size, stdout);
}

static void print_json(const struct gk_story *story)
{
	gk_json_auto *json = gk_story_json(story);
	gk_free_auto char *text = gk_json_pretty(json);

	puts(text);
}

static void print_text(const struct gk_story *story)
{
	struct gk_term term;

	gk_term_init(&term, stdout);
	gk_summary_print(story, &term);
	gk_term_print(&term, GK_PLAIN, "%s/report.html\n", story->folder);
}

static int report(const char *folder, enum form form, struct gk_err *e)
{
	struct gk_store *store = gk_store_open_read(folder, e);
	struct gk_story story;
	int rc;

	if (!store)
		return -1;
	if (gk_story_read(store, &story, e) < 0) {
		gk_store_close(store);
		return -1;
	}
	rc = gk_page_write(store, &story, e);
	if (form == FORM_JSON)
		print_json(&story);
	else if (form == FORM_TEXT)
		print_text(&story);
	else
		print_table(&story, form);
	gk_story_release(&story);
	gk_store_close(store);
	return rc;
}

int gk_cmd_report(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"report", "DIR [--csv | --md | --json]", "Show how a run went, and write DIR/report.html",
		"The HTML page is complete in itself: it can be mailed and opened anywhere. Of a run that is\n"
		"still under way, what its journal holds by now is shown."};
	bool csv = false, markdown = false, json = false;
	const struct gk_option options[] = {
		{.name = "csv", .kind = GK_OPTION_FLAG, .help = "print the table of tasks as CSV", .value = &csv},
		{.name = "md", .kind = GK_OPTION_FLAG, .help = "print it as Markdown", .value = &markdown},
		{.name = "json", .kind = GK_OPTION_FLAG, .help = "print everything as JSON (docs/report.md)", .value = &json},
		{0}};
	int done = gk_options_read(&help, options, &argc, argv, e);

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 1, 1, e) < 0)
		return -1;
	if (csv + markdown + json > 1)
		return gk_err_set(e, GK_ERR_INPUT, "one of --csv, --md and --json at a time");
	return report(argv[1], csv ? FORM_CSV : markdown ? FORM_MARKDOWN : json ? FORM_JSON : FORM_TEXT, e);
}
