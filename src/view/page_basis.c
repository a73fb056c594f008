/* What the verdicts rest on, and what is not known. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fact/redteam.h"
#include "page_parts.h"
#include "view/html.h"
#include "view/perf.h"

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

void page_facts(struct page *page)
{
	struct counts counts = count_all(page->story);

	gk_buf_add_text(page->out, "<h2>What the verdicts rest on</h2><div class=panel><ul>");
	add_evidence(page, &counts);
	gk_buf_add_text(page->out, "<li>Inputs and some of the shapes are drawn by chance for each run, unseen by the model; a winner "
	                "is a candidate that passed a second time, in fresh processes, with others.</li>");
	gk_buf_add_text(page->out, "</ul>");
	if (page->story->peers) {
		gk_buf_add_text(page->out, "<details><summary>Processes and containment</summary>");
		add_peers(page);
		gk_buf_add_text(page->out, "</details>");
	}
	gk_buf_add_text(page->out, "</div>\n");
}

void page_basis(struct page *page)
{
	struct counts counts = count_all(page->story);
	bool first = true;

	gk_buf_add_text(page->out, "<p class=basis><b>Evidence</b> ");
	for (int i = 0; i < 4; i++)
		if (counts.by_evidence[i]) {
			gk_buf_printf(page->out, "%s%zu %s", first ? "" : ", ", counts.by_evidence[i],
			              i == GK_EVIDENCE_NONE ? "ended before any kernel ran" : gk_evidence_names[i]);
			first = false;
		}
	gk_buf_add_text(page->out, first ? "no verdict yet" : counts.judged == 1 ? " (one verdict)" : " (verdicts)");
	if (gk_peers_device(page->story->peers)[0]) {
		gk_buf_add_text(page->out, " &middot; <b>Executed on</b> ");
		gk_html_text(page->out, gk_peers_device(page->story->peers), 100);
	}
	gk_buf_add_text(page->out, " &middot; <b>Containment</b> ");
	gk_html_text(page->out, gk_peers_containment(page->story->peers), 200);
	gk_buf_add_text(page->out, "</p>\n");
}

/* --- what is not known --- */

static const char *peer_text(const struct page *page, const char *role, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(page->story->peers, role), key));

	return text ? text : "";
}

static void add_untimed_winner(struct page *page, const struct gk_story_task *task)
{
	gk_buf_auto why = GK_BUF_INIT;

	gk_perf_add_why_not(&why, &task->confirmed);
	gk_buf_add_text(page->out, "<li><b>Not measured:</b> the speed of ");
	gk_html_text(page->out, task->id, 100);
	gk_buf_add_text(page->out, ": ");
	gk_html_text(page->out, gk_buf_text(&why), 300);
	gk_buf_add_text(page->out, ".</li>");
}

static void add_speed(struct page *page, const struct counts *counts)
{
	bool is_simulated = counts->by_evidence[GK_SIMULATED] && !counts->by_evidence[GK_SEALED];

	if (counts->measured == 0) {
		gk_buf_printf(page->out, "<li><b>Not measured:</b> speed. Nothing was timed%s, and counted traffic is no time. "
		              "Cases that serve timing alone were not run.</li>", is_simulated ? ": the plans ran on the CPU, no GPU "
		              "was used" : "");
		return;
	}
	for (size_t i = 0; i < page->story->task_count; i++)
		if (page->story->tasks[i].winner && !gk_story_has_speed(&page->story->tasks[i].confirmed))
			add_untimed_winner(page, &page->story->tasks[i]);
	gk_buf_add_text(page->out, "<li><b>Not measured:</b> end to end time. The figures are of what the entry does to the GPU "
	                "(kernels, fills, copies), without the time of Python and of Triton's dispatch.</li>");
}

static bool is_left_out(const char *note)
{
	return note && strstr(note, "autotune") && (strstr(note, "left out") || strstr(note, "not tried"));
}

/* Notes of winners that say which autotune configurations nobody looked at. */
static void add_left_out(struct page *page)
{
	for (size_t i = 0; i < page->story->task_count; i++) {
		const struct gk_story_task *task = &page->story->tasks[i];

		for (size_t k = 0; task->winner && k < json_array_size(task->confirmed.notes); k++) {
			const char *note = json_string_value(json_array_get(task->confirmed.notes, k));

			if (!is_left_out(note))
				continue;
			gk_buf_add_text(page->out, "<li><b>Left out:</b> ");
			gk_html_text(page->out, task->id, 100);
			gk_buf_add_text(page->out, ": ");
			gk_html_text(page->out, note, 300);
			gk_buf_add_text(page->out, "</li>");
		}
	}
}

static void add_hardware(struct page *page)
{
	if (strcmp(peer_text(page, "launcher", "device"), "hip") == 0)
		gk_buf_add_text(page->out, "<li><b>AMD GPUs:</b> geak's way to them has not yet run on hardware at its makers'; "
		                "verdicts there are called sealed only after <code>geak selftest --device hip</code> has passed on "
		                "the machine.</li>");
	else if (strncmp(page->story->target, "gfx", 3) == 0)
		gk_buf_add_text(page->out, "<li><b>AMD GPUs:</b> the kernels were compiled for one and executed elsewhere; geak's way "
		                "to AMD GPUs has not yet run on hardware.</li>");
	else
		gk_buf_add_text(page->out, "<li><b>AMD GPUs:</b> nothing here was run on one; geak's way to them is tested against a "
		                "stand-in driver alone.</li>");
}

static void add_missing_layers(struct page *page)
{
	const char *missing = gk_peers_missing(page->story->peers);

	if (!missing[0])
		return;
	gk_buf_add_text(page->out, "<li><b>Layers of the sandbox that this machine lacks:</b> ");
	gk_html_text(page->out, missing, 300);
	gk_buf_add_text(page->out, ".</li>");
}

static void add_undecided(struct page *page, const struct counts *counts)
{
	if (counts->undecided)
		gk_buf_printf(page->out, "<li><b>Undecided:</b> %zu attempts could not be judged; they count as neither right nor "
		              "wrong.</li>", counts->undecided);
	if (counts->infra)
		gk_buf_printf(page->out, "<li><b>Our own failures:</b> %zu attempts met one; nothing is said of them.</li>",
		              counts->infra);
	if (!page->story->finished)
		gk_buf_add_text(page->out, "<li><b>Not finished:</b> winners are confirmed at the end of a run.</li>");
}

/* What was tried to cheat this judge, on the machine that writes the page. */
static void add_redteam(struct page *page)
{
	struct gk_redteam_last last;
	gk_buf_auto words = GK_BUF_INIT;

	if (!gk_redteam_last(&last)) {
		gk_buf_add_text(page->out, "<li><b>Not tried:</b> <code>geak redteam</code> has not run on the machine that wrote this "
		                "page.</li>");
		return;
	}
	gk_redteam_words(&last, &words);
	gk_buf_add_text(page->out, "<li><b>Red team</b> on the machine that wrote this page: ");
	gk_html_text(page->out, gk_buf_text(&words), 300);
	gk_buf_add_text(page->out, ".</li>");
}

void page_unmeasured(struct page *page)
{
	struct counts counts = count_all(page->story);

	gk_buf_add_text(page->out, "<h2>What was not measured</h2><div class=panel><ul>");
	add_speed(page, &counts);
	add_left_out(page);
	add_undecided(page, &counts);
	add_hardware(page);
	add_missing_layers(page);
	add_redteam(page);
	gk_buf_add_text(page->out, "</ul></div>\n");
}
