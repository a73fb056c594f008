/* One attempt on the page: strategy, verdict in words, what differed, what was thought, what was changed. */
#include "base/memory.h"
#include "page_parts.h"
#include "view/chart.h"
#include "view/diff.h"
#include "view/html.h"
#include "view/near.h"
#include "view/perf.h"

#define STRATEGY_MAX ((size_t)1200)
#define MESSAGE_MAX  ((size_t)4000)
#define PROSE_MAX    ((size_t)8000)
#define CODE_MAX     ((size_t)64 << 10)
#define LINE_MAX     ((size_t)400)
#define MAX_CASES    6
#define MAX_DIFF     600
#define CONTEXT      3
#define OPEN_DIFF    24 /* lines that are shown without a click */

const char *page_class(const struct gk_story_attempt *attempt)
{
	static const char *const classes[] = {[GK_PASS] = "pass", [GK_FAIL] = "fail", [GK_UNDECIDED] = "undecided",
	                                      [GK_INFRA] = "none"};

	if (!attempt->code)
		return "fail";
	return attempt->judged ? classes[attempt->verdict.outcome] : "none";
}

void page_attempt_name(struct page *page, const struct gk_story_line *line, const struct gk_story_attempt *attempt)
{
	gk_buf_add_text(page->out, "a-");
	gk_html_name(page->out, line->row.task);
	gk_buf_printf(page->out, "-%d-%d", line->row.number, attempt->number);
}

bool page_text(struct page *page, const char *hash, struct gk_arena *arena, char **text, size_t *size)
{
	struct gk_err ignored;

	*text = (char *)"";
	*size = 0;
	return hash && gk_store_blob_get(page->store, hash, arena, text, size, &ignored) == 0;
}

static void add_header(struct page *page, const struct gk_story_line *line, const struct gk_story_attempt *attempt)
{
	const struct gk_verdict *verdict = &attempt->verdict;
	double ms = 0;

	gk_buf_printf(page->out, "<article class='attempt %s' id='", page_class(attempt));
	page_attempt_name(page, line, attempt);
	gk_buf_printf(page->out, "'><header><h4>Attempt %d</h4><span class='badge %s'>", attempt->number,
	              page_class(attempt));
	gk_html_text(page->out, gk_story_outcome(attempt), 60);
	gk_buf_add_text(page->out, "</span>");
	if (attempt->judged) {
		gk_buf_printf(page->out, "<span class=badge>reached %s</span>", gk_stage_names[verdict->stage]);
		if (verdict->evidence != GK_EVIDENCE_NONE)
			gk_buf_printf(page->out, "<span class=badge>%s%s</span>", gk_evidence_names[verdict->evidence],
			              verdict->compiled ? ", compiled" : "");
		for (int i = 0; i < GK_STAGE_COUNT; i++)
			ms += verdict->stages_ms[i];
		gk_buf_printf(page->out, "<span class=grow></span><span class='muted small'>judged in %.1f s</span>", ms / 1000);
	}
	gk_buf_add_text(page->out, "</header>");
}

static void add_counts(struct page *page, const struct gk_verdict *verdict)
{
	double read = json_number_value(json_object_get(verdict->counts, "bytes_read"));
	double written = json_number_value(json_object_get(verdict->counts, "bytes_written"));

	if (!verdict->counts)
		return;
	gk_buf_add_text(page->out, "<p class='muted small'>Over all cases: ");
	gk_html_size(page->out, read);
	gk_buf_add_text(page->out, " read, ");
	gk_html_size(page->out, written);
	gk_buf_add_text(page->out, " written, ");
	gk_html_count(page->out, json_number_value(json_object_get(verdict->counts, "operations")));
	gk_buf_add_text(page->out, " operations, ");
	gk_html_count(page->out, json_number_value(json_object_get(verdict->counts, "launches")));
	gk_buf_add_text(page->out, " launches.</p>");
}

/* The figures of an attempt: with the seeds that all attempts share, before anyone has confirmed them. */
static void add_speed(struct page *page, const struct gk_verdict *verdict)
{
	gk_buf_auto line = GK_BUF_INIT;

	if (!gk_story_has_speed(verdict))
		return;
	gk_perf_add_line(&line, verdict);
	gk_buf_add_text(page->out, "<details><summary>Speed against the reference: <b>");
	gk_html_text(page->out, gk_buf_text(&line), 300);
	gk_buf_add_text(page->out, "</b></summary>");
	page_perf_table(page, verdict, "reference", "attempt");
	gk_buf_add_text(page->out, "</details>");
}

static void add_case(struct page *page, const struct gk_case_result *result)
{
	gk_buf_add_text(page->out, "<tr><td class=mono>");
	gk_html_text(page->out, result->case_id, 200);
	gk_buf_add_text(page->out, "</td><td><span class='badge fail'>");
	gk_html_text(page->out, result->kind, 60);
	gk_buf_add_text(page->out, "</span></td><td class=message-cell>");
	gk_html_text(page->out, result->message, 900);
	gk_buf_add_text(page->out, "</td><td>");
	gk_chart_map(page->out, result->detail);
	gk_buf_add_text(page->out, "</td></tr>");
}

static void add_cases(struct page *page, const struct gk_verdict *verdict)
{
	size_t failed = 0;

	for (size_t i = 0; i < verdict->case_count; i++)
		failed += verdict->cases[i].outcome != GK_PASS;
	if (failed == 0)
		return;
	gk_buf_printf(page->out, "<details%s><summary>%zu of %zu case results not passed</summary><table class=cases><tr>"
	              "<th>case<th>what<th>in words<th>where</tr>", failed <= 2 ? " open" : "", failed, verdict->case_count);
	for (size_t i = 0, shown = 0; i < verdict->case_count && shown < MAX_CASES; i++)
		if (verdict->cases[i].outcome != GK_PASS) {
			add_case(page, &verdict->cases[i]);
			shown++;
		}
	gk_buf_add_text(page->out, "</table>");
	if (failed > MAX_CASES)
		gk_buf_printf(page->out, "<p class='muted small'>and %zu more</p>", failed - MAX_CASES);
	gk_buf_add_text(page->out, "</details>");
}

static void add_near(struct page *page, const struct gk_verdict *verdict)
{
	gk_buf_auto line = GK_BUF_INIT;

	if (!gk_near_add_line(&line, verdict))
		return;
	gk_buf_add_text(page->out, "<details><summary>Values: ");
	gk_html_text(page->out, gk_buf_text(&line), 300);
	gk_buf_add_text(page->out, "</summary><p class='muted small'>Elements by their distance from the expected value, in units "
	                           "in the last place of the output's format (0, 1, 2, 3 to 4, 5 to 8 and so on), log scale:</p>");
	gk_near_chart(page->out, verdict);
	gk_buf_add_text(page->out, "</details>");
}

static void add_notes(struct page *page, const struct gk_verdict *verdict)
{
	for (size_t i = 0; i < json_array_size(verdict->notes) && i < 8; i++) {
		const char *note = json_string_value(json_array_get(verdict->notes, i));

		gk_buf_add_text(page->out, "<p class='muted small'>Note: ");
		gk_html_text(page->out, note ? note : "", 300);
		gk_buf_add_text(page->out, "</p>");
	}
}

static void add_number(struct page *page, const json_t *object, const char *key)
{
	gk_buf_add_text(page->out, "<td class=num>");
	gk_html_count(page->out, json_number_value(json_object_get(object, key)));
	gk_buf_add_text(page->out, "</td>");
}

static void add_kernel(struct page *page, const json_t *kernel)
{
	const json_t *occupancy = json_object_get(kernel, "occupancy");
	const char *name = json_string_value(json_object_get(kernel, "name"));
	const char *limit = json_string_value(json_object_get(occupancy, "limit"));

	gk_buf_add_text(page->out, "<tr><td class=mono>");
	gk_html_text(page->out, name ? name : "", 100);
	gk_buf_add_text(page->out, "</td>");
	add_number(page, kernel, "warps");
	add_number(page, kernel, "regs");
	add_number(page, kernel, "spills");
	gk_buf_add_text(page->out, "<td class=num>");
	gk_html_size(page->out, json_number_value(json_object_get(kernel, "shared")));
	gk_buf_printf(page->out, "</td><td>%lld of %lld", (long long)json_integer_value(json_object_get(occupancy, "warps")),
	              (long long)json_integer_value(json_object_get(occupancy, "max_warps")));
	gk_buf_add_text(page->out, limit ? ", by " : "");
	gk_html_text(page->out, limit ? limit : "", 40);
	gk_buf_add_text(page->out, "</td></tr>");
}

/* What the target's compiler made of it. */
static void add_kernels(struct page *page, const struct gk_verdict *verdict)
{
	size_t count = json_array_size(verdict->kernels);

	if (count == 0)
		return;
	gk_buf_printf(page->out, "<details><summary>%zu lowered kernel%s</summary><table class=cases><tr><th>kernel<th>warps"
	              "<th>registers<th>words spilled<th>shared memory<th>warps a core</tr>", count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count && i < MAX_CASES; i++)
		add_kernel(page, json_array_get(verdict->kernels, i));
	gk_buf_add_text(page->out, "</table></details>");
}

static void add_prose(struct page *page, const char *title, const char *hash, bool open)
{
	gk_arena_auto arena = {0};
	char *text;
	size_t size;

	if (!hash)
		return;
	gk_buf_printf(page->out, "<details%s><summary>%s</summary><div class=prose>", open ? " open" : "", title);
	if (page_text(page, hash, &arena, &text, &size))
		gk_html_bytes(page->out, text, size, PROSE_MAX);
	else
		gk_buf_add_text(page->out, "<span class=muted>The text is missing from the journal.</span>");
	gk_buf_add_text(page->out, "</div></details>");
}

/* Lines far from any change are left out. */
static bool is_near_change(const struct gk_diff_line *lines, size_t count, size_t at)
{
	size_t from = at > CONTEXT ? at - CONTEXT : 0, to = at + CONTEXT < count ? at + CONTEXT + 1 : count;

	for (size_t i = from; i < to; i++)
		if (lines[i].sign != ' ')
			return true;
	return false;
}

static void add_diff_lines(struct page *page, const struct gk_diff_line *lines, size_t count)
{
	bool in_gap = false;
	size_t shown = 0;

	for (size_t i = 0; i < count && shown < MAX_DIFF; i++) {
		if (!is_near_change(lines, count, i)) {
			if (!in_gap)
				gk_buf_add_text(page->out, "<span class=gap>&#8943;</span>");
			in_gap = true;
			continue;
		}
		in_gap = false;
		shown++;
		gk_buf_printf(page->out, "<span class=%s>%c ", lines[i].sign == '+' ? "add" : lines[i].sign == '-' ? "del" : "same",
		              lines[i].sign);
		gk_html_bytes(page->out, lines[i].text, lines[i].size, LINE_MAX);
		gk_buf_add_text(page->out, "</span>");
	}
	if (shown == MAX_DIFF)
		gk_buf_add_text(page->out, "<span class=gap>cut here</span>");
}

static void add_diff(struct page *page, const struct gk_story_attempt *attempt, const struct gk_story_attempt *before)
{
	gk_arena_auto arena = {0};
	char *old_text, *new_text;
	size_t old_size, new_size, count, added = 0, removed = 0;
	struct gk_diff_line *lines;

	if (!before || !page_text(page, before->code, &arena, &old_text, &old_size) ||
	    !page_text(page, attempt->code, &arena, &new_text, &new_size))
		return;
	gk_diff(old_text, old_size, new_text, new_size, &arena, &lines, &count);
	for (size_t i = 0; i < count; i++) {
		added += lines[i].sign == '+';
		removed += lines[i].sign == '-';
	}
	gk_buf_printf(page->out, "<details%s><summary>Changes since attempt %d: +%zu &minus;%zu lines</summary><pre class=diff>",
	              added + removed <= OPEN_DIFF ? " open" : "", before->number, added, removed);
	add_diff_lines(page, lines, count);
	gk_buf_add_text(page->out, "</pre></details>");
}

static void add_code(struct page *page, const char *hash)
{
	gk_arena_auto arena = {0};
	size_t size, line_count = 0;
	char *code;

	if (!page_text(page, hash, &arena, &code, &size))
		return;
	for (size_t i = 0; i < size; i++)
		line_count += code[i] == '\n';
	gk_buf_printf(page->out, "<details><summary>Code, %zu lines</summary><pre>", line_count);
	gk_html_python(page->out, code, size, CODE_MAX);
	gk_buf_add_text(page->out, "</pre></details>");
}

void page_attempt(struct page *page, const struct gk_story_line *line, const struct gk_story_attempt *attempt,
                  const struct gk_story_attempt *before)
{
	const char *message = attempt->code ? attempt->judged ? attempt->verdict.message : "" : attempt->problem;

	add_prose(page, "Directions from the Optimizer", attempt->plan, false);
	add_header(page, line, attempt);
	gk_buf_add_text(page->out, "<p class=strategy>");
	gk_html_text(page->out, attempt->strategy, STRATEGY_MAX);
	gk_buf_add_text(page->out, "</p>");
	if (message[0]) {
		gk_buf_add_text(page->out, "<p class=message>");
		gk_html_text(page->out, message, MESSAGE_MAX);
		gk_buf_add_text(page->out, "</p>");
	}
	if (attempt->judged) {
		add_speed(page, &attempt->verdict);
		add_counts(page, &attempt->verdict);
		add_near(page, &attempt->verdict);
		add_notes(page, &attempt->verdict);
		add_cases(page, &attempt->verdict);
		add_kernels(page, &attempt->verdict);
	}
	add_prose(page, "Reflection", attempt->reflection, true);
	add_diff(page, attempt, before);
	add_code(page, attempt->code);
	gk_buf_add_text(page->out, "</article>\n");
}
