/* geak redteam: candidates that try to cheat, and honest ones, judged on this machine; says which got
 * through. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/place.h"
#include "box/spawn.h"
#include "cmd.h"
#include "fact/redteam.h"
#include "option.h"
#include "run/aim.h"
#include "run/evaluator.h"
#include "run/redteam.h"
#include "view/table.h"

/* Long enough for what is honest, and short for the fixtures that never end. */
#define CAPTURE_SECONDS "8"

#define LOG_SECONDS 10
#define NS_OF_SECOND   INT64_C(1000000000)

static const struct gk_command_help help = {
	"redteam", "[--group NAME] [--only ID]... [--json] [--export-json FILE] [--list] [-t ARCH] [-j N] [--no-timing] [--containment LEVEL]",
	"Try to cheat the judge on this machine, in every way that is known",
	"Judges candidates that try to cheat, each with the verdict that it must get, and honest ones that "
        "must pass, and\n"
	"prints the detection rate by group, the rate of honest kernels that were flagged, and every "
        "surprise. The result\n"
	"of a run over all of them is kept for this machine, and the reports of runs cite it.\n"
	"Exit code 0 when every verdict is the expected one, 1 when one is not."};

struct redteam {
	struct gk_arena arena;
	struct gk_fixtures fixtures;
	struct gk_redteam team;
	struct gk_term term, progress;
	struct gk_aim aim;
	struct gk_option_list only;
	const char *target, *containment;
	const char *export_file;
	bool json, list, no_timing, is_shown;
	int jobs;
	size_t surprises;
	int64_t told_ns; /* when progress was last said */
};

/* ---- the list ---- */

static json_t *list_json(const struct gk_fixtures *all)
{
	json_t *object = json_object(), *list = json_array(), *absent = json_array();

	for (size_t i = 0; i < all->count; i++) {
		const struct gk_fixture *f = &all->items[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:s?, s:s}",
		                                      "id", f->id, "group", f->group, "entry", f->entry,
		                                      "title", f->title, "defence", f->defence, "task",
		                                      f->task_id, "expect", f->expect, "sealed", f->sealed,
		                                      "needs", gk_fixture_needs_names[f->needs]));
	}
	for (size_t i = 0; i < all->absent_count; i++)
		json_array_append_new(absent, json_pack("{s:s, s:s}", "entry", all->absent[i].entry, "reason",
		                                        all->absent[i].reason));
	json_object_set_new(object, "schema_version", json_integer(1));
	json_object_set_new(object, "fixtures", list);
	json_object_set_new(object, "absent", absent);
	return object;
}

static void print_json(json_t *object)
{
	gk_json_auto *owned = object;
	gk_free_auto char *text = gk_json_pretty(owned);

	puts(text);
}

static void print_list(const struct redteam *r)
{
	static const struct gk_table_column columns[] = {{"group", false, 0},
	                                                 {"id", false, 0},
	                                                 {"entry", false, 0},
	                                                 {"defence", false, 0},
	                                                 {"title", false, 72}};
	struct gk_table table;

	gk_table_init(&table, columns, gk_count_of(columns));
	for (size_t i = 0; i < r->fixtures.count; i++) {
		const struct gk_fixture *f = &r->fixtures.items[i];

		gk_table_row(&table);
		gk_table_cell(&table, 0, GK_DIM, "%s", f->group);
		gk_table_cell(&table, 1, GK_BOLD, "%s", f->id);
		gk_table_cell(&table, 2, GK_PLAIN, "%s", f->entry ? f->entry : "-");
		gk_table_cell(&table, 3, GK_PLAIN, "%s", f->defence ? f->defence : "-");
		gk_table_cell(&table, 4, GK_PLAIN, "%s", f->title);
	}
	gk_table_print(&table, &r->term);
	gk_table_release(&table);
	gk_term_print(&r->term, GK_PLAIN, "\n%zu of the catalogue's %d entries are here; the others:\n",
	              r->fixtures.entries_covered, GK_CATALOGUE_ENTRIES);
	for (size_t i = 0; i < r->fixtures.absent_count; i++)
		gk_term_print(&r->term, GK_PLAIN, "  %-4s %s\n", r->fixtures.absent[i].entry,
		              r->fixtures.absent[i].reason);
}

/* ---- while it runs ---- */

/* A log gets a line now and then, a terminal one that is written over. */
static void told(void *ctx, const struct gk_redteam_outcome *outcome, size_t done, size_t count)
{
	struct redteam *r = ctx;
	int64_t now = gk_clock_ns();

	r->surprises += outcome->state == GK_REDTEAM_SURPRISE;
	if (!r->progress.is_tty && now - r->told_ns < LOG_SECONDS * NS_OF_SECOND && done < count)
		return;
	if (r->is_shown && r->progress.is_tty)
		gk_term_erase(&r->progress, 1);
	gk_term_print(&r->progress, GK_DIM, "%zu of %zu judged, %zu surprises, %.0f s\n", done, count, r->surprises,
	              (double)(now - r->team.started_ns) / NS_OF_SECOND);
	fflush(r->progress.out);
	r->is_shown = true;
	r->told_ns = now;
}

/* ---- afterwards ---- */

static const char *evidence_of(const struct redteam *r)
{
	return r->team.on_gpu ? gk_evidence_names[GK_SEALED] : gk_evidence_names[GK_SIMULATED];
}

static void add_group(const struct redteam *r, struct gk_table *table, const char *group, const char *shown)
{
	struct gk_redteam_count n = gk_redteam_count(&r->team, group);

	gk_table_row(table);
	gk_table_cell(table, 0, group ? GK_PLAIN : GK_BOLD, "%s", shown);
	gk_table_cell(table, 1, GK_PLAIN, "%zu", n.tried);
	gk_table_cell(table, 2, n.expected == n.tried ? GK_GOOD : GK_BAD, "%zu", n.expected);
	if (n.tried)
		gk_table_cell(table, 3, GK_PLAIN, "%.1f %%", 100.0 * (double)n.expected / (double)n.tried);
	if (n.skipped)
		gk_table_cell(table, 4, GK_DIM, "%zu", n.skipped);
}

static void print_groups(const struct redteam *r)
{
	static const struct gk_table_column columns[] = {{"group", false, 0},
	                                                 {"tried", true, 0},
	                                                 {"as expected", true, 0},
	                                                 {"rate", true, 0},
	                                                 {"not here", true, 0}};
	const char *last = "";
	struct gk_table table;

	gk_table_init(&table, columns, gk_count_of(columns));
	for (size_t i = 0; i < r->team.count; i++) {
		const struct gk_fixture *f = r->team.outcomes[i].fixture;

		if (!f->is_honest && strcmp(last, f->group) != 0)
			add_group(r, &table, f->group, f->group);
		last = f->group;
	}
	add_group(r, &table, NULL, "all exploits");
	add_group(r, &table, "honest", "honest kernels");
	gk_table_print(&table, &r->term);
	gk_table_release(&table);
}

static void print_surprises(const struct redteam *r)
{
	for (size_t i = 0; i < r->team.count; i++) {
		const struct gk_redteam_outcome *o = &r->team.outcomes[i];

		if (o->state != GK_REDTEAM_SURPRISE)
			continue;
		gk_term_print(&r->term, GK_BAD, "\n%s", o->fixture->id);
		gk_term_print(&r->term, GK_PLAIN, "  %s\n  expected: %s\n  verdict:  %s %s %s\n",
		              o->fixture->title, gk_fixture_expectation(o->fixture, r->team.on_gpu),
		              gk_stage_names[o->stage], gk_outcome_names[o->outcome], o->kind);
		if (*o->message)
			gk_term_print(&r->term, GK_DIM, "  %.600s\n", o->message);
	}
}

static void print_summary(const struct redteam *r)
{
	struct gk_redteam_count exploits = gk_redteam_count(&r->team, NULL),
				honest = gk_redteam_count(&r->team, "honest");

	gk_term_print(&r->term, GK_PLAIN, "\ntarget %s, evidence %s, containment %s, %.0f s\n", r->aim.target,
	              evidence_of(r), r->containment, (double)(gk_clock_ns() - r->team.started_ns) / NS_OF_SECOND);
	gk_term_print(&r->term, GK_PLAIN, "fixtures for %zu of the catalogue's %d entries, %zu new ones, %zu honest kernels\n",
	              r->fixtures.entries_covered, GK_CATALOGUE_ENTRIES, r->fixtures.new_count, r->fixtures.honest_count);
	gk_term_print(
		&r->term, gk_redteam_is_clean(&r->team) ? GK_GOOD : GK_BAD,
		"%zu of %zu exploits got the verdict they must get, %zu of %zu honest kernels were flagged\n",
		exploits.expected, exploits.tried, honest.tried - honest.expected, honest.tried);
}

static int export(const struct redteam *r, const json_t *result, struct gk_err *e)
{
	gk_free_auto char *text = gk_json_pretty(result);
	gk_buf_auto line = GK_BUF_INIT;

	gk_buf_printf(&line, "%s\n", text);
	return gk_file_write(r->export_file, gk_buf_text(&line), line.size, e);
}

static int report(struct redteam *r, struct gk_err *e)
{
	gk_json_auto *result = gk_redteam_json(&r->team, r->aim.target, evidence_of(r), r->containment);

	if (r->is_shown && r->progress.is_tty)
		gk_term_erase(&r->progress, 1);
	if (r->json) {
		print_json(json_incref(result));
	} else {
		print_groups(r);
		print_surprises(r);
		print_summary(r);
	}
	if (r->export_file && export(r, result, e) < 0)
		return -1;
	if (r->team.group || r->team.only_count || r->team.done < r->team.count)
		return gk_stdout_flush(e);
	return gk_redteam_keep(result, e) < 0 ? -1 : gk_stdout_flush(e);
}

/* ---- the command ---- */

static const char *containment_of(struct redteam *r)
{
	const char *facts = gk_evaluator_facts(r->team.evaluator, "containment");
	gk_json_auto *json = facts ? json_loads(facts, 0, NULL) : NULL;
	const char *level = json_string_value(json_object_get(json, "level"));

	return gk_arena_string(&r->arena, level ? level : "unknown");
}

static int run_team(struct redteam *r, struct gk_err *e)
{
	struct gk_evaluator_options options = {.target = r->target, .parallel = r->jobs, .skip_perf = r->no_timing,
	                                       .confirm_one_in = 1};
	struct gk_err ignored;
	int done;

	if (gk_aim_take(r->target, &r->aim, e) < 0)
		return -1;
	gk_random_bytes(options.secret, sizeof options.secret);
	if (!getenv("GEAK_CAPTURE_SECONDS"))
		setenv("GEAK_CAPTURE_SECONDS", CAPTURE_SECONDS, 1);
	r->team.loop = gk_loop_new(e);
	if (!r->team.loop || gk_loop_catch_interrupts(r->team.loop, NULL, NULL, e) < 0)
		return -1;
	r->team.evaluator = gk_evaluator_open(r->team.loop, &options, e);
	if (!r->team.evaluator)
		return -1;
	r->team.on_gpu = r->aim.gpus > 0;
	r->team.has_contained = gk_evaluator_can_contain(r->team.evaluator);
	r->team.told = told;
	r->team.ctx = r;
	done = gk_redteam_run(&r->team, e);
	r->containment = containment_of(r);
	if (done < 0 && r->team.done > 0) /* what is known by then is worth its minutes */
		report(r, &ignored);
	return done < 0 ? -1 : report(r, e);
}

static int find_fixtures(struct redteam *r, struct gk_err *e)
{
	const char *folder;
	struct gk_err ignored;

	/* installed, or in a checkout */
	if (gk_place_path(&r->arena, "redteam", &folder, &ignored) < 0 &&
	    gk_place_path(&r->arena, "tests/exploits", &folder, e) < 0)
		return -1;
	return gk_fixtures_read(folder, &r->fixtures, e);
}

static int exit_code(const struct redteam *r)
{
	for (size_t i = 0; i < r->team.count; i++)
		if (r->team.outcomes[i].is_ours)
			return 3;
	return gk_redteam_is_clean(&r->team) ? 0 : 1;
}

static int do_it(struct redteam *r, struct gk_err *e)
{
	if (find_fixtures(r, e) < 0)
		return -1;
	r->team.fixtures = &r->fixtures;
	r->team.only = r->only.items;
	r->team.only_count = r->only.count;
	if (!r->list)
		return run_team(r, e) < 0 ? -1 : exit_code(r);
	if (r->json)
		print_json(list_json(&r->fixtures));
	else
		print_list(r);
	return gk_stdout_flush(e);
}

int gk_cmd_redteam(int argc, char **argv, struct gk_err *e)
{
	struct redteam r = {.target = "auto"};
	int containment = GK_CONTAIN_AUTO;
	const struct gk_option table[] = {
		{0, "group", GK_OPTION_TEXT, "NAME", "only the fixtures of a group", .value = &r.team.group},
		{0, "only", GK_OPTION_LIST, "ID", "only this fixture, and others named so", .value = &r.only},
		{0, "containment", GK_OPTION_CHOICE, "LEVEL",
	         "auto, or strict: every layer of the sandbox, or nothing runs", .value = &containment,
	         .choices = gk_containment_names},
		{0, "json", GK_OPTION_FLAG, NULL, "print JSON", .value = &r.json},
		{0, "export-json", GK_OPTION_TEXT, "FILE", "write it all as JSON as well", .value = &r.export_file},
		{0, "list", GK_OPTION_FLAG, NULL, "say what would be tried, and what cannot be tried here",
	         .value = &r.list},
		{'j', "jobs", GK_OPTION_INT, "N", "candidates at once (number of cores)", .value = &r.jobs, .min = 1,
	         .max = 64},
		{0, "no-timing", GK_OPTION_FLAG, NULL, "correctness alone: nothing is timed", .value = &r.no_timing},
		{'t', "target", GK_OPTION_TEXT, "ARCH", "auto, cpu, sm_90, gfx942, ...", .value = &r.target},
		{0},
	};
	int done = gk_options_read(&help, table, &argc, argv, e);

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 0, 0, e) < 0 ||
	    gk_box_demand((enum gk_containment)containment, e) < 0)
		return -1;
	gk_term_init(&r.term, stdout);
	gk_term_init(&r.progress, stderr);
	done = do_it(&r, e);
	gk_evaluator_close(r.team.evaluator);
	gk_loop_free(r.team.loop);
	gk_redteam_release(&r.team);
	gk_fixtures_release(&r.fixtures);
	gk_arena_release(&r.arena);
	return done;
}
