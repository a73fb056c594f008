/* Speed on the page: all winners in one picture, tables of cases, and the raw samples behind them. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/vec.h"
#include "page_parts.h"
#include "view/chart.h"
#include "view/html.h"
#include "view/perf.h"

#define MAX_FOREST  200 /* rows of one picture */
#define MAX_STRIPS  4   /* pictures of raw samples per task */

/* --- all winners --- */

typedef struct GK_VEC(struct gk_forest_row) forest_rows;

static struct gk_forest_row row_of_task(const struct gk_story_task *task, bool has_parts, struct gk_arena *arena)
{
	const struct gk_speedup *speedup = &task->confirmed.speedup;
	gk_buf_auto link = GK_BUF_INIT, words = GK_BUF_INIT;
	struct gk_forest_row row = {.label = task->id, .measured = gk_story_has_speed(&task->confirmed), .mid = speedup->mean,
	                            .low = speedup->low, .high = speedup->high, .floor = speedup->floor,
	                            .within_noise = speedup->within_noise, .is_heading = has_parts, .words = ""};

	gk_buf_add_text(&link, "#t-");
	gk_html_name(&link, task->id);
	row.link = gk_arena_string(arena, gk_buf_text(&link));
	if (row.measured && row.within_noise)
		row.words = "within noise";
	if (row.measured)
		return row;
	if (!task->winner) {
		row.words = "no confirmed kernel";
		return row;
	}
	gk_buf_add_text(&words, "not measured: ");
	gk_perf_add_why_not(&words, &task->confirmed);
	row.words = gk_arena_string(arena, gk_buf_text(&words));
	return row;
}

static void add_task_rows(forest_rows *rows, const struct gk_story_task *task, struct gk_arena *arena)
{
	struct gk_perf_case *cases;
	size_t count = task->winner ? gk_perf_cases(&task->confirmed, arena, &cases) : 0;
	struct gk_forest_row row = row_of_task(task, count > 1, arena);

	gk_vec_push(rows, row);
	for (size_t i = 0; count > 1 && i < count; i++) {
		const struct gk_perf_case *one = &cases[i];

		row = (struct gk_forest_row){.label = one->case_id, .measured = one->measured, .mid = one->speedup, .low = one->low,
		                             .high = one->high, .floor = one->floor, .within_noise = one->within_noise};
		row.words = !one->measured ? one->note : one->within_noise ? "within noise" : "";
		gk_vec_push(rows, row);
	}
}

static bool belongs(const struct gk_story_task *task, enum gk_evidence evidence)
{
	return task->winner && task->confirmed.evidence == evidence;
}

/* One picture per kind of evidence; tasks without a winner stand below the sealed ones. */
static void add_forest(struct page *page, enum gk_evidence evidence)
{
	const struct gk_story *story = page->story;
	struct gk_story_speed speed;
	gk_arena_auto arena = {0};
	forest_rows rows = {0};

	gk_story_speed(story, evidence, &speed);
	if (speed.measured == 0)
		return;
	for (size_t i = 0; i < story->task_count && rows.count < MAX_FOREST; i++)
		if (belongs(&story->tasks[i], evidence) || !story->tasks[i].winner)
			add_task_rows(&rows, &story->tasks[i], &arena);
	gk_buf_printf(page->out, "<h2>Speed of the winners, %s</h2><div class=panel>", gk_evidence_names[evidence]);
	gk_chart_forest(page->out, rows.items, rows.count);
	gk_buf_printf(page->out, "<p class='muted small'>How many times as fast as the reference, on a log scale: the mean over a "
	              "task's cases, and each case. Bars are 95 %% intervals; the grey band is the noise floor, what a "
	              "measurement of the reference against itself shows. A figure whose interval, widened by the floor, holds 1 "
	              "is drawn hollow: no difference can be told.%s</p></div>\n", rows.count >= MAX_FOREST ? " Not all tasks are "
	              "shown." : "");
	gk_vec_release(&rows);
}

void page_speed(struct page *page)
{
	for (int i = GK_SIMULATED; i <= GK_CONTAINED; i++)
		add_forest(page, (enum gk_evidence)i);
}

/* --- the cases of one verdict --- */

static void add_ms_cell(struct page *page, double ms)
{
	gk_buf_add_text(page->out, "<td class=num>");
	gk_perf_add_ms(page->out, ms);
	gk_buf_add_text(page->out, "</td>");
}

static void add_perf_row(struct page *page, const struct gk_perf_case *one)
{
	gk_buf_add_text(page->out, "<tr><td class=mono>");
	gk_html_text(page->out, one->case_id, 200);
	gk_buf_add_text(page->out, "</td>");
	if (one->measured) {
		add_ms_cell(page, one->reference_ms);
		add_ms_cell(page, one->candidate_ms);
		gk_buf_printf(page->out, "<td class=num><b>%.3f&times;</b></td><td class=num>%.3f to %.3f</td><td class=num>",
		              one->speedup, one->low, one->high);
		gk_perf_add_percent(page->out, one->floor);
		gk_buf_printf(page->out, "</td><td class=num>%lld</td><td class=small>", (long long)one->pairs);
	} else {
		gk_buf_add_text(page->out, "<td colspan=6 class=muted>not measured</td><td class=small>");
	}
	gk_buf_add_text(page->out, one->measured && one->within_noise ? "within noise" : "");
	gk_buf_add_text(page->out, one->measured && one->within_noise && one->note[0] ? "; " : "");
	gk_html_text(page->out, one->note, 400);
	gk_buf_add_text(page->out, "</td></tr>");
}

void page_perf_table(struct page *page, const struct gk_verdict *verdict, const char *a, const char *b)
{
	gk_arena_auto arena = {0};
	struct gk_perf_case *cases;
	size_t count = gk_perf_cases(verdict, &arena, &cases);

	if (count == 0)
		return;
	gk_buf_printf(page->out, "<table class=cases><tr><th>case<th class=num>%s<th class=num>%s<th class=num>speedup<th "
	              "class=num>95 %% interval<th class=num>noise floor<th class=num>pairs<th></tr>", a, b);
	for (size_t i = 0; i < count; i++)
		add_perf_row(page, &cases[i]);
	gk_buf_add_text(page->out, "</table>");
}

/* --- raw samples --- */

static const struct gk_perf_case *case_of(const struct gk_perf_case *cases, size_t count, const char *case_hash)
{
	char hash[GK_HEX_SIZE];

	for (size_t i = 0; i < count; i++) {
		gk_store_case_hash(cases[i].case_id, hash);
		if (strcmp(hash, case_hash) == 0)
			return &cases[i];
	}
	return NULL;
}

static void add_batch_words(struct page *page, const json_t *batch)
{
	if (!json_is_number(json_object_get(batch, "b_ms")))
		return;
	gk_buf_printf(page->out, "In batches of %lld calls: reference ",
	              (long long)json_integer_value(json_object_get(batch, "calls")));
	gk_perf_add_ms(page->out, json_number_value(json_object_get(batch, "a_ms")));
	gk_buf_add_text(page->out, ", winner ");
	gk_perf_add_ms(page->out, json_number_value(json_object_get(batch, "b_ms")));
	gk_buf_add_text(page->out, " each. ");
}

static void add_strip_words(struct page *page, const json_t *timed, const struct gk_perf_case *one)
{
	const json_t *host = json_object_get(timed, "host");

	gk_buf_add_text(page->out, "<p class='muted small'>");
	if (one->discarded)
		gk_buf_printf(page->out, "%lld pairs were discarded because the GPU's clock changed under them. ",
		              (long long)one->discarded);
	if (one->loads)
		gk_buf_printf(page->out, "Each code object was loaded %lld times. ", (long long)one->loads);
	if (json_is_number(json_object_get(host, "b_ms"))) {
		gk_buf_add_text(page->out, "By the host's clock over the same protocol: reference ");
		gk_perf_add_ms(page->out, json_number_value(json_object_get(host, "a_ms")));
		gk_buf_add_text(page->out, ", winner ");
		gk_perf_add_ms(page->out, json_number_value(json_object_get(host, "b_ms")));
		gk_buf_add_text(page->out, ". ");
	}
	add_batch_words(page, json_object_get(timed, "batch"));
	if (isfinite(one->held_ms))
		gk_buf_printf(page->out, "The GPU was held for %.0f ms.", one->held_ms);
	gk_buf_add_text(page->out, "</p>");
}

static bool add_strip(struct page *page, const struct gk_store_timing *timing, const struct gk_perf_case *one)
{
	json_t *timed = NULL;
	struct gk_err ignored;
	bool shown;

	if (!one || !timing->samples_hash || gk_store_json_get(page->store, timing->samples_hash, &timed, &ignored) < 0)
		return false;
	gk_buf_add_text(page->out, "<h5 class=mono>");
	gk_html_text(page->out, one->case_id, 200);
	gk_buf_add_text(page->out, "</h5>");
	shown = gk_chart_strip(page->out, timed, "reference", "winner");
	if (shown)
		add_strip_words(page, timed, one);
	else
		gk_buf_add_text(page->out, "<p class='muted small'>No times are kept of this case.</p>");
	json_decref(timed);
	return shown;
}

static void add_strips(struct page *page, const struct gk_store_timing *timings, size_t count,
                       const struct gk_verdict *verdict, struct gk_arena *arena)
{
	struct gk_perf_case *cases;
	size_t case_count = gk_perf_cases(verdict, arena, &cases), shown = 0;

	for (size_t i = 0; i < count && shown < MAX_STRIPS; i++)
		shown += add_strip(page, &timings[i], case_of(cases, case_count, timings[i].case_hash));
	if (count > MAX_STRIPS)
		gk_buf_printf(page->out, "<p class='muted small'>Samples of %zu more cases are in the journal.</p>",
		              count - MAX_STRIPS);
}

void page_samples(struct page *page, const struct gk_story_task *task)
{
	const struct gk_story_line *line =
		task->winner ? gk_story_line_of(page->story, task->id, task->winner_number) : NULL;
	struct gk_store_timing *timings;
	gk_arena_auto arena = {0};
	struct gk_err ignored;
	gk_buf_auto words = GK_BUF_INIT;
	size_t count = 0;
	int64_t id = 0;

	if (!line || !gk_story_has_speed(&task->confirmed))
		return;
	gk_perf_add_line(&words, &task->confirmed);
	gk_buf_add_text(page->out, "<details><summary>How the winner was measured: <b>");
	gk_html_text(page->out, gk_buf_text(&words), 300);
	gk_buf_add_text(page->out, "</b></summary><div class=panel>");
	page_perf_table(page, &task->confirmed, "reference", "winner");
	if (gk_store_verdict_find(page->store, line->row.id, "confirm", task->winner, &id, &ignored) == 0 && id &&
	    gk_store_timings(page->store, id, &arena, &timings, &count, &ignored) == 0)
		add_strips(page, timings, count, &task->confirmed, &arena);
	gk_buf_add_text(page->out, "</div></details>");
}
