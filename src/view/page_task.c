/* What verdicts rest on, and the trajectories of a task from first to last attempt. */
#include <string.h>

#include "base/memory.h"
#include "page_parts.h"
#include "view/html.h"

/* --- what the verdicts rest on --- */

struct counts {
	size_t judged, by_evidence[4], compiled, measured, undecided, infra;
};

static struct counts count_all(const struct gk_story *story)
{
	struct counts counts = {0};

	for (size_t i = 0; i < story->line_count; i++)
		for (size_t k = 0; k < story->lines[i].attempt_count; k++) {
			const struct gk_story_attempt *attempt = &story->lines[i].attempts[k];

			if (!attempt->judged)
				continue;
			counts.judged++;
			counts.by_evidence[attempt->verdict.evidence]++;
			counts.compiled += attempt->verdict.compiled;
			counts.measured += attempt->verdict.speedup.measured;
			counts.undecided += attempt->verdict.outcome == GK_UNDECIDED;
			counts.infra += attempt->verdict.outcome == GK_INFRA;
		}
	return counts;
}

static void add_evidence(struct page *page, const struct counts *counts)
{
	static const char *const words[] = {
		[GK_EVIDENCE_NONE] = "ended before any kernel ran",
		[GK_SIMULATED] = "simulated: their launch plans ran on geak's own Triton IR machine, on the CPU",
		[GK_SEALED] = "sealed: their launch plans ran on the GPU, in a process that never met their Python",
		[GK_CONTAINED] = "contained: their Python ran beside the GPU, in the sandbox"};

	for (int i = 0; i < 4; i++)
		if (counts->by_evidence[i])
			gk_buf_printf(page->out, "<li>%zu of %zu verdicts %s.</li>", counts->by_evidence[i], counts->judged, words[i]);
	if (counts->compiled)
		gk_buf_printf(page->out, "<li>%zu were also compiled for the target.</li>", counts->compiled);
}

static void add_fact(struct page *page, const char *key, const json_t *value, int depth)
{
	const char *inner;
	json_t *item;

	if (json_is_object(value) && depth > 0) {
		json_object_foreach((json_t *)value, inner, item) {
			add_fact(page, inner, item, depth - 1);
		}
		return;
	}
	gk_buf_add_text(page->out, "<span class=badge>");
	gk_html_text(page->out, key, 40);
	gk_buf_add_text(page->out, " ");
	if (json_is_string(value)) {
		gk_html_text(page->out, json_string_value(value), 120);
	} else {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		gk_html_text(page->out, text, 120);
		free(text);
	}
	gk_buf_add_text(page->out, "</span> ");
}

static void add_peers(struct page *page)
{
	const char *role;
	json_t *facts;

	json_object_foreach(page->story->peers, role, facts) {
		gk_buf_add_text(page->out, "<p class=small><b>");
		gk_html_text(page->out, role, 40);
		gk_buf_add_text(page->out, "</b> ");
		add_fact(page, "", facts, 2);
		gk_buf_add_text(page->out, "</p>");
	}
}

static void add_not_measured(struct page *page, const struct counts *counts)
{
	if (counts->measured == 0)
		gk_buf_add_text(page->out, "<li><b>Not measured:</b> speed. Nothing was timed, and counted traffic is no "
		                "time.</li>");
	if (counts->undecided)
		gk_buf_printf(page->out, "<li><b>Undecided:</b> %zu attempts could not be judged; they count as neither right nor "
		              "wrong.</li>", counts->undecided);
	if (counts->infra)
		gk_buf_printf(page->out, "<li><b>Our own failures:</b> %zu attempts met one; nothing is said of them.</li>",
		              counts->infra);
	if (!page->story->finished)
		gk_buf_add_text(page->out, "<li><b>Not finished:</b> winners are confirmed at the end of a run.</li>");
}

void page_facts(struct page *page)
{
	struct counts counts = count_all(page->story);

	gk_buf_add_text(page->out, "<h2>What the verdicts rest on</h2><div class=panel><ul>");
	add_evidence(page, &counts);
	gk_buf_add_text(page->out, "<li>Inputs and some of the shapes are drawn by chance for each run, unseen by the model; a winner "
	                "is a candidate that passed a second time, in fresh processes, with others.</li>");
	add_not_measured(page, &counts);
	gk_buf_add_text(page->out, "</ul>");
	if (page->story->peers) {
		gk_buf_add_text(page->out, "<details><summary>Processes and containment</summary>");
		add_peers(page);
		gk_buf_add_text(page->out, "</details>");
	}
	gk_buf_add_text(page->out, "</div>\n");
}

/* --- trajectories --- */

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
	for (size_t i = 0; i < task->line_count; i++)
		add_line(page, task->lines[i], i == 0);
}
