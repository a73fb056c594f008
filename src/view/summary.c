#include "view/summary.h"

#include <math.h>

#include "base/memory.h"
#include "view/perf.h"

static const char *result_of(const struct gk_story_task *task)
{
	if (task->winner)
		return "correct";
	if (task->exec)
		return "not confirmed";
	if (task->call)
		return "wrong values";
	return task->attempts ? "does not run" : "no attempt";
}

static void add_speed_cells(struct gk_table *table, const struct gk_story_task *task)
{
	const struct gk_speedup *speedup = &task->confirmed.speedup;
	enum gk_tone tone = speedup->within_noise ? GK_PLAIN : speedup->mean > 1 ? GK_GOOD : GK_WARN;

	if (!task->winner || !gk_story_has_speed(&task->confirmed)) {
		gk_table_cell(table, 6, GK_DIM, "not measured");
		return;
	}
	gk_table_cell(table, 6, tone, "%.2f", speedup->mean);
	gk_table_cell(table, 7, GK_PLAIN, "%.2f - %.2f%s", speedup->low, speedup->high,
	              speedup->within_noise ? " (noise)" : "");
	gk_table_cell(table, 8, GK_DIM, "%.1f %%", 100 * speedup->floor);
}

void gk_summary_table(const struct gk_story *story, struct gk_table *table)
{
	static const struct gk_table_column columns[] = {{"task", false, 40},   {"result", false, 0},  {"call", false, 0},
	                                                 {"exec", false, 0},    {"attempts", true, 0}, {"winner", false, 0},
	                                                 {"speedup", true, 0},  {"95 % interval", true, 0},
	                                                 {"floor", true, 0},    {"evidence", false, 0}};

	gk_table_init(table, columns, gk_count_of(columns));
	for (size_t i = 0; i < story->task_count; i++) {
		const struct gk_story_task *task = &story->tasks[i];
		enum gk_tone tone = task->winner ? GK_GOOD : task->exec ? GK_WARN : GK_BAD;

		gk_table_row(table);
		gk_table_cell(table, 0, GK_PLAIN, "%s", task->id);
		gk_table_cell(table, 1, tone, "%s", result_of(task));
		gk_table_cell(table, 2, GK_PLAIN, "%s", task->call ? "yes" : "no");
		gk_table_cell(table, 3, GK_PLAIN, "%s", task->exec ? "yes" : "no");
		gk_table_cell(table, 4, GK_PLAIN, "%zu", task->attempts);
		if (task->winner)
			gk_table_cell(table, 5, GK_PLAIN, "%d.%d", task->winner_number, task->winner_attempt);
		add_speed_cells(table, task);
		if (task->winner)
			gk_table_cell(table, 9, GK_PLAIN, "%s%s", gk_evidence_names[task->confirmed.evidence],
			              task->confirmed.compiled ? ", compiled" : "");
	}
}

static void print_cost(const struct gk_store_ledger *ledger, const struct gk_term *term)
{
	gk_term_print(term, GK_DIM, "%lld prompts answered, %lld prompt and %lld answer tokens, ", (long long)ledger->requests,
	              (long long)ledger->prompt_tokens, (long long)ledger->completion_tokens);
	if (ledger->cost_nano_usd > 0 || ledger->unpriced == 0)
		gk_term_print(term, GK_DIM, "%.4f USD", (double)ledger->cost_nano_usd / 1e9);
	else
		gk_term_print(term, GK_DIM, "cost unknown");
	if (ledger->lost)
		gk_term_print(term, GK_WARN, "; %lld requests lost, booked at their most", (long long)ledger->lost);
	gk_term_print(term, GK_PLAIN, "\n");
}

/* What verdicts rest on stands above the figures. */
static void print_basis(const struct gk_story *story, const struct gk_term *term)
{
	gk_buf_auto words = GK_BUF_INIT;
	size_t by_evidence[4] = {0};

	for (size_t i = 0; i < story->task_count; i++)
		if (story->tasks[i].winner)
			by_evidence[story->tasks[i].confirmed.evidence]++;
	gk_term_print(term, GK_BOLD, "evidence of winners:");
	for (int i = 0, shown = 0; i < 4; i++)
		if (by_evidence[i])
			gk_term_print(term, GK_BOLD, "%s %zu %s", shown++ ? "," : "", by_evidence[i], gk_evidence_names[i]);
	if (by_evidence[0] + by_evidence[1] + by_evidence[2] + by_evidence[3] == 0)
		gk_term_print(term, GK_BOLD, " there are none");
	gk_peers_add_words(&words, story->peers);
	gk_term_print(term, GK_DIM, "; %s\n", gk_buf_text(&words));
}

static void print_speed(const struct gk_story *story, const struct gk_term *term)
{
	struct gk_story_speed speed;
	bool any = false;

	for (int i = GK_SIMULATED; i <= GK_CONTAINED; i++) {
		gk_story_speed(story, (enum gk_evidence)i, &speed);
		if (!speed.measured)
			continue;
		any = true;
		gk_term_print(term, GK_BOLD, ", speedup %.2f (%s, mean of %zu winner%s", speed.mean, gk_evidence_names[i],
		              speed.measured, speed.measured == 1 ? "" : "s");
		if (isfinite(speed.over_all) && speed.measured < story->task_count)
			gk_term_print(term, GK_BOLD, "; %.2f over all tasks, unsolved ones as 0", speed.over_all);
		if (speed.within_noise)
			gk_term_print(term, GK_BOLD, "; %zu within noise", speed.within_noise);
		gk_term_print(term, GK_BOLD, ")");
	}
	gk_term_print(term, GK_BOLD, any ? "\n" : ", speedup not measured: nothing was timed\n");
}

/* For several trajectories a task: 1, 2, 4, .. and all of them. */
static void print_pass(const struct gk_story *story, const struct gk_term *term)
{
	size_t most = gk_story_pass_most(story);

	if (most < 2)
		return;
	for (size_t k = 1; k < most; k *= 2)
		gk_term_print(term, GK_PLAIN, "pass@%zu %.0f%%, ", k, 100 * gk_story_pass(story, k));
	gk_term_print(term, GK_PLAIN, "pass@%zu %.0f%% (of %zu trajectories a task)\n", most,
	              100 * gk_story_pass(story, most), most);
}

void gk_summary_print(const struct gk_story *story, const struct gk_term *term)
{
	struct gk_table table;
	double call, exec;

	print_basis(story, term);
	gk_summary_table(story, &table);
	gk_table_print(&table, term);
	gk_table_release(&table);
	gk_story_totals(story, &call, &exec);
	gk_term_print(term, GK_BOLD, "\ncall accuracy %.0f%%, execution accuracy %.0f%%", 100 * call, 100 * exec);
	print_speed(story, term);
	print_pass(story, term);
	print_cost(&story->ledger, term);
	if (!story->finished)
		gk_term_print(term, GK_WARN, "not finished: `geak run -o %s` goes on\n", story->folder);
}

void gk_log_table(const struct gk_story *story, struct gk_table *table)
{
	static const struct gk_table_column columns[] = {{"attempt", false, 0}, {"result", false, 0}, {"stage", false, 0},
	                                                 {"evidence", false, 0}, {"code", false, 0},   {"what", false, 100}};

	gk_table_init(table, columns, gk_count_of(columns));
	for (size_t i = 0; i < story->line_count; i++)
		for (size_t k = 0; k < story->lines[i].attempt_count; k++) {
			const struct gk_story_line *line = &story->lines[i];
			const struct gk_story_attempt *attempt = &line->attempts[k];
			bool pass = attempt->judged && attempt->verdict.outcome == GK_PASS;
			const char *message = attempt->judged ? attempt->verdict.message : attempt->problem;
			const char *what = message[0] ? message : attempt->strategy;

			gk_table_row(table);
			gk_table_cell(table, 0, GK_PLAIN, "%s/%d.%d", line->row.task, line->row.number, attempt->number);
			gk_table_cell(table, 1, pass ? GK_GOOD : GK_BAD, "%s", gk_story_outcome(attempt));
			if (attempt->judged) {
				gk_table_cell(table, 2, GK_PLAIN, "%s", gk_stage_names[attempt->verdict.stage]);
				gk_table_cell(table, 3, GK_PLAIN, "%s", gk_evidence_names[attempt->verdict.evidence]);
			}
			gk_table_cell(table, 4, GK_DIM, "%.12s", attempt->code ? attempt->code : "");
			gk_table_cell(table, 5, GK_PLAIN, "%.*s", (int)strcspn(what, "\n"), what);
		}
}

/* --- one attempt --- */

#define TEXT_MAX ((size_t)256 << 10)

static void title(const struct gk_term *term, const char *text)
{
	gk_term_print(term, GK_ACCENT, "\n--- %s ---\n", text);
}

static void print_stored(struct gk_store *store, const char *name, const char *hash, const struct gk_term *term)
{
	gk_arena_auto arena = {0};
	struct gk_err e = {0};
	char *text;
	size_t size, split;

	if (!hash)
		return;
	title(term, name);
	if (gk_store_blob_get(store, hash, &arena, &text, &size, &e) < 0) {
		gk_term_print(term, GK_BAD, "%s\n", e.text);
		return;
	}
	split = strlen(text); /* a prompt: system, a zero byte, user */
	gk_term_write(term, GK_PLAIN, text, split < TEXT_MAX ? split : TEXT_MAX);
	if (split < size) {
		gk_term_print(term, GK_DIM, "\n--- user ---\n");
		gk_term_write(term, GK_PLAIN, text + split + 1, size - split - 1 < TEXT_MAX ? size - split - 1 : TEXT_MAX);
	}
	if (size && text[size - 1] != '\n')
		gk_term_print(term, GK_PLAIN, "\n");
}

static void print_cases(const struct gk_verdict *verdict, const struct gk_term *term)
{
	if (verdict->case_count)
		title(term, "cases");
	for (size_t i = 0; i < verdict->case_count; i++) {
		const struct gk_case_result *result = &verdict->cases[i];
		bool pass = result->outcome == GK_PASS;

		gk_term_print(term, pass ? GK_GOOD : GK_BAD, "%-5s", gk_outcome_names[result->outcome]);
		gk_term_print(term, GK_PLAIN, " %s %s", result->part, result->case_id);
		gk_term_print(term, GK_PLAIN, pass ? "\n" : "\n      %s: %s\n", result->kind, result->message);
	}
}

static void print_perf(const struct gk_verdict *verdict, const struct gk_term *term)
{
	gk_buf_auto line = GK_BUF_INIT;
	struct gk_table table;

	if (!verdict->speedup.measured)
		return;
	gk_perf_add_line(&line, verdict);
	gk_term_print(term, GK_PLAIN, "speedup %s\n", gk_buf_text(&line));
	gk_perf_table(verdict, "reference", "attempt", &table);
	gk_table_print(&table, term);
	gk_table_release(&table);
}

static void print_verdict(const struct gk_verdict *verdict, const struct gk_term *term)
{
	title(term, "verdict");
	gk_term_print(term, verdict->outcome == GK_PASS ? GK_GOOD : GK_BAD, "%s", gk_outcome_names[verdict->outcome]);
	gk_term_print(term, GK_PLAIN, " at %s (%s), evidence: %s%s\n", gk_stage_names[verdict->stage], verdict->kind,
	              gk_evidence_names[verdict->evidence], verdict->compiled ? ", compiled" : "");
	if (verdict->message[0])
		gk_term_print(term, GK_PLAIN, "%s\n", verdict->message);
	for (size_t i = 0; i < json_array_size(verdict->notes); i++)
		gk_term_print(term, GK_DIM, "note: %s\n", json_string_value(json_array_get(verdict->notes, i)));
	print_perf(verdict, term);
	print_cases(verdict, term);
}

void gk_attempt_print(struct gk_store *store, const struct gk_story_line *line, const struct gk_story_attempt *attempt,
                      const struct gk_term *term)
{
	gk_term_print(term, GK_BOLD, "%s, trajectory %d, attempt %d: %s\n", line->row.task, line->row.number, attempt->number,
	              gk_story_outcome(attempt));
	gk_term_print(term, GK_PLAIN, "%s\n", attempt->strategy);
	if (attempt->problem[0])
		gk_term_print(term, GK_WARN, "%s\n", attempt->problem);
	print_stored(store, "directions of the optimizer", attempt->plan, term);
	print_stored(store, "prompt", attempt->prompt, term);
	print_stored(store, "answer", attempt->answer, term);
	print_stored(store, "code", attempt->code, term);
	if (attempt->judged)
		print_verdict(&attempt->verdict, term);
	print_stored(store, "reflection", attempt->reflection, term);
}
