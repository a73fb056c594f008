/* The trajectories of a task from first to last attempt, and how its winner was measured. */
#include <string.h>

#include "base/memory.h"
#include "page_parts.h"
#include "view/html.h"

static void add_line(struct page *page, const struct gk_story_line *line, bool open)
{
	const struct gk_story_attempt *before = NULL;

	gk_buf_printf(page->out, "<details%s><summary>Trajectory %d: %zu attempts", open ? " open" : "", line->row.number,
	              line->attempt_count);
	if (line->stopped) {
		gk_buf_add_text(page->out, "; ");
		gk_html_text(page->out, line->stop_message[0] ? line->stop_message : line->stop_reason, 300);
	}
	gk_buf_add_text(page->out, "</summary><div class=story>");
	for (size_t i = 0; i < line->attempt_count; i++) {
		page_attempt(page, line, &line->attempts[i], before);
		if (line->attempts[i].code)
			before = &line->attempts[i];
	}
	gk_buf_add_text(page->out, "</div></details>\n");
}

void page_task(struct page *page, const struct gk_story_task *task)
{
	gk_buf_add_text(page->out, "<h3 id='t-");
	gk_html_name(page->out, task->id);
	gk_buf_add_text(page->out, "'>");
	gk_html_text(page->out, task->title, 200);
	gk_buf_add_text(page->out, "</h3><p class='muted small'>");
	gk_html_text(page->out, task->id, 100);
	if (task->winner) {
		gk_buf_printf(page->out, ": attempt %d of trajectory %d won, and stands in <code>best/", task->winner_attempt,
		              task->winner_number);
		gk_html_text(page->out, task->id, 100);
		gk_buf_add_text(page->out, ".py</code>");
	}
	if (task->refuted)
		gk_buf_printf(page->out, "; %zu that had passed did not pass a second time", task->refuted);
	gk_buf_add_text(page->out, "</p>");
	page_samples(page, task);
	for (size_t i = 0; i < task->line_count; i++)
		add_line(page, task->lines[i], i == 0);
}
