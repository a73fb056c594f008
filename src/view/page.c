#include "view/page.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "page_parts.h"
#include "view/chart.h"
#include "view/html.h"

#define STORIES_MAX ((size_t)24 << 20) /* a page that a browser still opens */

/* --- head --- */

static void add_head(struct page *page)
{
	gk_buf_add_text(page->out, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n"
	                "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; "
	                "img-src data:; base-uri 'none'; form-action 'none'\">\n"
	                "<meta name=viewport content='width=device-width,initial-scale=1'>\n<title>geak: ");
	gk_html_text(page->out, page->story->suite, 100);
	gk_buf_add_text(page->out, "</title>\n<style>\n");
	for (size_t i = 0; page_style[i]; i++)
		gk_buf_add_text(page->out, page_style[i]);
	gk_buf_add_text(page->out, "</style></head>\n<body><main>\n");
}

static void add_chip(struct page *page, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	gk_buf_printf(page->out, "<li>%s <b>", name);
	gk_html_text(page->out, value, 200);
	gk_buf_add_text(page->out, "</b></li>");
}

static void add_title(struct page *page)
{
	const struct gk_story *story = page->story;
	char created[32];

	gk_wall_text(story->run.created_ns, created, sizeof created);
	gk_buf_add_text(page->out, "<p class='muted small'>geak run report</p><h1>");
	gk_html_text(page->out, story->suite, 200);
	gk_buf_add_text(page->out, "</h1><ul class=chips>");
	add_chip(page, "model", story->model);
	add_chip(page, "recipe", story->recipe);
	add_chip(page, "target", story->target);
	add_chip(page, "begun", created);
	add_chip(page, "geak", story->run.geak);
	add_chip(page, "state", story->finished ? "finished" : "not finished: run the same command again to go on");
	gk_buf_add_text(page->out, "</ul>\n");
}

static void add_card(struct page *page, const char *label, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add_card(struct page *page, const char *label, const char *format, ...)
{
	va_list arguments;

	gk_buf_add_text(page->out, "<div class=card><b>");
	va_start(arguments, format);
	gk_buf_vprintf(page->out, format, arguments);
	va_end(arguments);
	gk_buf_printf(page->out, "</b><span>%s</span></div>", label);
}

/* One for each kind of evidence: a number never mixes them. */
static void add_speed_cards(struct page *page)
{
	struct gk_story_speed speed;
	char label[96];
	bool any = false;

	for (int i = GK_SIMULATED; i <= GK_CONTAINED; i++) {
		gk_story_speed(page->story, (enum gk_evidence)i, &speed);
		if (!speed.measured)
			continue;
		any = true;
		snprintf(label, sizeof label, "mean speedup of %zu winner%s, %s", speed.measured, speed.measured == 1 ? "" : "s",
		         gk_evidence_names[i]);
		add_card(page, label, "%.2f&times;", speed.mean);
		if (isfinite(speed.over_all) && speed.measured < page->story->task_count)
			add_card(page, "over all tasks, unsolved ones as 0", "%.2f&times;", speed.over_all);
	}
	if (!any)
		add_card(page, "speedup: not measured", "&ndash;");
}

static void add_totals(struct page *page)
{
	const struct gk_story *story = page->story;
	double call, exec;
	size_t winners = 0;

	gk_story_totals(story, &call, &exec);
	for (size_t i = 0; i < story->task_count; i++)
		winners += story->tasks[i].winner != NULL;
	gk_buf_add_text(page->out, "<div class=cards>");
	add_card(page, "tasks with a confirmed kernel", "%zu / %zu", winners, story->task_count);
	add_card(page, "call accuracy", "%.0f%%", 100 * call);
	add_card(page, "execution accuracy", "%.0f%%", 100 * exec);
	add_speed_cards(page);
	add_card(page, "attempts", "%zu", story->attempts);
	gk_buf_add_text(page->out, "</div>\n");
}

/* --- charts --- */

/* Of all tasks, how many had a success among the first k attempts of any trajectory. */
static void success_by_attempt(const struct gk_story *story, double *call, double *exec)
{
	for (size_t t = 0; t < story->task_count; t++) {
		size_t none = story->most_attempts, first_call = none, first_exec = none;

		for (size_t i = 0; i < story->tasks[t].line_count; i++)
			for (size_t k = 0; k < story->tasks[t].lines[i]->attempt_count; k++) {
				const struct gk_story_attempt *attempt = &story->tasks[t].lines[i]->attempts[k];

				if (attempt->judged && attempt->verdict.call && k < first_call)
					first_call = k;
				if (attempt->judged && attempt->verdict.exec && k < first_exec)
					first_exec = k;
			}
		for (size_t k = 0; k < story->most_attempts; k++) {
			call[k] += (k >= first_call) / (double)story->task_count;
			exec[k] += (k >= first_exec) / (double)story->task_count;
		}
	}
}

static void add_success(struct page *page)
{
	size_t count = page->story->most_attempts;
	gk_arena_auto arena = {0};
	double *call = gk_arena_array(&arena, count, sizeof *call), *exec = gk_arena_array(&arena, count, sizeof *exec);
	struct gk_series series[] = {{"runs", "call", call}, {"correct", "exec", exec}};

	if (count == 0)
		return;
	success_by_attempt(page->story, call, exec);
	gk_buf_add_text(page->out, "<h2>Success by iteration</h2><div class=panel>");
	gk_chart_shares(page->out, series, gk_count_of(series), count, "attempts per trajectory");
	gk_buf_add_text(page->out, "<p class='muted small'>Share of tasks with at least one attempt so far that runs (call), "
	                "and that computes the right values (execution).</p></div>\n");
}

#define MAX_K 32

/* What parallel trajectories are worth. */
static void add_pass(struct page *page)
{
	size_t most = gk_story_pass_most(page->story);

	if (most < 2)
		return;
	gk_buf_add_text(page->out, "<h2>pass@k</h2><div class=panel><table><tr><th>");
	for (size_t k = 1; k <= most && k <= MAX_K; k++)
		gk_buf_printf(page->out, "<th class=num>k = %zu", k);
	gk_buf_add_text(page->out, "</tr><tr><td>correct</td>");
	for (size_t k = 1; k <= most && k <= MAX_K; k++)
		gk_buf_printf(page->out, "<td class=num>%.1f%%</td>", 100 * gk_story_pass(page->story, k));
	gk_buf_printf(page->out, "</tr></table><p class='muted small'>How likely at least one of k trajectories of a task comes to a "
	              "correct kernel: the unbiased estimate from the %zu there are, averaged over the tasks.</p></div>\n", most);
}

static void add_cell(struct page *page, const struct gk_story_task *task, const struct gk_story_line *line,
                     const struct gk_story_attempt *attempt)
{
	bool wins = task->winner && task->winner_number == line->row.number && task->winner_attempt == attempt->number;

	gk_buf_printf(page->out, "<a class='%s%s' href='#", page_class(attempt), wins ? " win" : "");
	page_attempt_name(page, line, attempt);
	gk_buf_printf(page->out, "' title='attempt %d: ", attempt->number);
	gk_html_text(page->out, gk_story_outcome(attempt), 60);
	gk_buf_printf(page->out, "'>%d</a>", attempt->number);
}

static void add_grid(struct page *page)
{
	gk_buf_add_text(page->out, "<h2>Every attempt</h2><div class=panel><div class=rows>");
	for (size_t t = 0; t < page->story->task_count; t++) {
		const struct gk_story_task *task = &page->story->tasks[t];

		for (size_t i = 0; i < task->line_count; i++) {
			gk_buf_add_text(page->out, "<div>");
			gk_html_text(page->out, task->id, 100);
			if (task->line_count > 1)
				gk_buf_printf(page->out, " <span class=muted>#%d</span>", task->lines[i]->row.number);
			gk_buf_add_text(page->out, "</div><div class=cells>");
			for (size_t k = 0; k < task->lines[i]->attempt_count; k++)
				add_cell(page, task, task->lines[i], &task->lines[i]->attempts[k]);
			gk_buf_add_text(page->out, "</div>");
		}
	}
	gk_buf_add_text(page->out, "</div><div class=legend><span><i style='background:var(--good)'></i>correct</span><span>"
	                "<i style='background:var(--bad)'></i>wrong</span><span><i style='background:var(--warn)'></i>"
	                "undecided</span><span><i style='background:var(--none)'></i>not judged</span><span>outlined: the "
	                "winner</span></div></div>\n");
}

/* --- table of tasks --- */

static const struct gk_story_attempt *first_correct(const struct gk_story_task *task)
{
	const struct gk_story_attempt *first = NULL;

	for (size_t i = 0; i < task->line_count; i++)
		for (size_t k = 0; k < task->lines[i]->attempt_count; k++) {
			const struct gk_story_attempt *attempt = &task->lines[i]->attempts[k];

			if (attempt->judged && attempt->verdict.exec && (!first || attempt->number < first->number))
				first = attempt;
		}
	return first;
}

static double bytes_moved(const struct gk_verdict *verdict)
{
	return json_number_value(json_object_get(verdict->counts, "bytes_read")) +
	       json_number_value(json_object_get(verdict->counts, "bytes_written"));
}

static void add_result(struct page *page, const struct gk_story_task *task)
{
	if (task->winner)
		gk_buf_add_text(page->out, "<span class='badge pass'>correct, confirmed</span>");
	else if (task->exec)
		gk_buf_add_text(page->out, "<span class='badge pass'>correct, not confirmed yet</span>");
	else if (task->call)
		gk_buf_add_text(page->out, "<span class='badge fail'>runs, wrong values</span>");
	else
		gk_buf_printf(page->out, "<span class='badge fail'>%s</span>", task->attempts ? "does not run" : "no attempt");
}

/* As an attempt, not as it was confirmed: only attempts met the same shapes. */
static const struct gk_story_attempt *winning_attempt(const struct page *page, const struct gk_story_task *task)
{
	const struct gk_story_line *line =
		task->winner ? gk_story_line_of(page->story, task->id, task->winner_number) : NULL;
	size_t number = (size_t)task->winner_attempt;

	return line && number >= 1 && number <= line->attempt_count ? &line->attempts[number - 1] : NULL;
}

static void add_traffic(struct page *page, const struct gk_story_task *task, const struct gk_story_attempt *first)
{
	const struct gk_story_attempt *winner = winning_attempt(page, task);

	if (!first || !winner || !winner->verdict.counts || !first->verdict.counts) {
		gk_buf_add_text(page->out, "<span class=muted>&ndash;</span>");
		return;
	}
	gk_html_size(page->out, bytes_moved(&first->verdict));
	gk_buf_add_text(page->out, " &rarr; ");
	gk_html_size(page->out, bytes_moved(&winner->verdict));
}

static void add_task_row(struct page *page, const struct gk_story_task *task)
{
	const struct gk_story_attempt *first = first_correct(task);

	gk_buf_add_text(page->out, "<tr><td><a href='#t-");
	gk_html_name(page->out, task->id);
	gk_buf_add_text(page->out, "'>");
	gk_html_text(page->out, task->id, 100);
	gk_buf_add_text(page->out, "</a></td><td>");
	add_result(page, task);
	gk_buf_printf(page->out, "</td><td class=num>%zu</td><td class=num>", task->attempts);
	if (first)
		gk_buf_printf(page->out, "%d", first->number);
	gk_buf_add_text(page->out, "</td><td class=num>");
	add_traffic(page, task, first);
	gk_buf_add_text(page->out, "</td><td class=num>");
	if (task->winner && gk_story_has_speed(&task->confirmed))
		gk_buf_printf(page->out, "%.2f&times;%s", task->confirmed.speedup.mean,
		              task->confirmed.speedup.within_noise ? "<br><span class='muted small'>within noise</span>" : "");
	else
		gk_buf_add_text(page->out, "<span class=muted>not measured</span>");
	gk_buf_printf(page->out, "</td><td>%s%s</td></tr>\n", task->winner ? gk_evidence_names[task->confirmed.evidence] : "",
	              task->winner && task->confirmed.compiled ? ", compiled" : "");
}

static void add_tasks(struct page *page)
{
	gk_buf_add_text(page->out, "<h2>Tasks</h2><div class=panel><table><tr><th>task<th>result<th class=num>attempts<th "
	                "class=num>first correct<th class=num>bytes moved, first correct &rarr; winner<th class=num>speedup<th>"
	                "evidence</tr>");
	for (size_t i = 0; i < page->story->task_count; i++)
		add_task_row(page, &page->story->tasks[i]);
	gk_buf_add_text(page->out, "</table></div>\n");
}

/* --- ledger --- */

static void add_ledger(struct page *page)
{
	const struct gk_store_ledger *ledger = &page->story->ledger;

	gk_buf_add_text(page->out, "<h2>Ledger</h2><div class=panel><table><tr><th class=num>prompts answered<th class=num>"
	                "requests sent<th class=num>of them lost<th class=num>prompt tokens<th class=num>answer tokens<th "
	                "class=num>cost</tr><tr><td class=num>");
	gk_html_count(page->out, (double)ledger->requests);
	gk_buf_add_text(page->out, "</td><td class=num>");
	gk_html_count(page->out, (double)ledger->sends);
	gk_buf_add_text(page->out, "</td><td class=num>");
	gk_html_count(page->out, (double)ledger->lost);
	gk_buf_add_text(page->out, "</td><td class=num>");
	gk_html_count(page->out, (double)ledger->prompt_tokens);
	gk_buf_add_text(page->out, "</td><td class=num>");
	gk_html_count(page->out, (double)ledger->completion_tokens);
	gk_buf_add_text(page->out, "</td><td class=num>");
	if (ledger->cost_nano_usd > 0 || ledger->unpriced == 0)
		gk_buf_printf(page->out, "%.4f USD%s", (double)ledger->cost_nano_usd / 1e9,
		              ledger->unpriced ? " and what has no price" : "");
	else
		gk_buf_add_text(page->out, "unknown: no price table");
	gk_buf_add_text(page->out, "</td></tr></table></div>\n");
}

void gk_page_add(struct gk_buf *out, struct gk_store *store, const struct gk_story *story)
{
	struct page page = {out, store, story};
	size_t before;

	add_head(&page);
	add_title(&page);
	page_basis(&page);
	add_totals(&page);
	page_speed(&page);
	page_facts(&page);
	add_success(&page);
	add_pass(&page);
	add_grid(&page);
	add_tasks(&page);
	gk_buf_add_text(out, "<h2>What happened</h2>\n");
	before = out->size;
	for (size_t i = 0; i < story->task_count; i++) {
		if (out->size - before > STORIES_MAX) {
			gk_buf_printf(out, "<p>%zu more tasks are not told here: use <code>geak log</code> and <code>geak show</code>.</p>",
			              story->task_count - i);
			break;
		}
		page_task(&page, &story->tasks[i]);
	}
	add_ledger(&page);
	page_unmeasured(&page);
	gk_buf_add_text(out, "<footer>Written by geak ");
	gk_html_text(out, story->run.geak, 40);
	gk_buf_add_text(out, ". This page is complete in itself and asks nothing of the network.</footer></main></body></html>\n");
}

int gk_page_write(struct gk_store *store, const struct gk_story *story, struct gk_err *e)
{
	gk_buf_auto page = GK_BUF_INIT;
	gk_arena_auto arena = {0};

	gk_page_add(&page, store, story);
	return gk_file_write(gk_path_join(&arena, story->folder, "report.html"), page.bytes, page.size, e);
}
