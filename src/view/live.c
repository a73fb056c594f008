#include "view/live.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#define MESSAGE_MAX 160

struct row {
	char task[64], doing[48];
	int number, attempt;
	bool known, active, correct, stopped;
	int64_t since_ns;
	double speedup; /* the best so far, by its interval's low end; 0: none was measured */
	double low;
};

struct gk_live {
	struct gk_term term;
	bool quiet;
	struct row *rows;
	int row_count;
	int drawn; /* lines on the screen */
	int attempts, passes;
	int64_t started_ns;
};

struct gk_live *gk_live_new(const struct gk_term *term, bool quiet)
{
	struct gk_live *live = gk_alloc(sizeof *live);

	live->term = *term;
	live->quiet = quiet;
	live->started_ns = gk_clock_ns();
	return live;
}

void gk_live_hide(void *ctx)
{
	struct gk_live *live = ctx;

	gk_term_erase(&live->term, live->drawn);
	live->drawn = 0;
	fflush(live->term.out);
}

void gk_live_free(struct gk_live *live)
{
	if (!live)
		return;
	gk_live_hide(live);
	free(live->rows);
	free(live);
}

/* --- the block --- */

static void duration(int64_t ns, char text[16])
{
	long long seconds = ns / 1000000000;

	if (seconds < 60)
		snprintf(text, 16, "%llds", seconds);
	else
		snprintf(text, 16, "%lldm%02llds", seconds / 60 % 100000, seconds % 60);
}

/* Never longer than the terminal is wide: a line that wraps could not be erased. */
static void add_line(struct gk_live *live, enum gk_tone tone, const char *text)
{
	gk_term_write(&live->term, tone, text, gk_term_cut(text, (size_t)live->term.width - 1));
	gk_term_print(&live->term, GK_PLAIN, "\n");
	live->drawn++;
}

static void draw_row(struct gk_live *live, const struct row *row)
{
	gk_buf_auto line = GK_BUF_INIT;
	char time[16];

	duration(gk_clock_ns() - row->since_ns, time);
	gk_buf_printf(&line, "  %-20.40s #%-2d attempt %-3d %-22s %6s%s", row->task, row->number, row->attempt, row->doing,
	              time, row->correct ? "  correct" : "");
	if (row->speedup > 0)
		gk_buf_printf(&line, ", %.2fx at best", row->speedup);
	add_line(live, row->correct ? GK_GOOD : GK_PLAIN, gk_buf_text(&line));
}

static void draw_totals(struct gk_live *live, int active, int waiting, int stopped, int hidden)
{
	gk_buf_auto line = GK_BUF_INIT;
	char time[16];

	duration(gk_clock_ns() - live->started_ns, time);
	if (hidden)
		gk_buf_printf(&line, "  and %d more; ", hidden);
	gk_buf_printf(&line, "%s%d active, %d waiting, %d stopped, %d attempts judged, %d correct, %s", hidden ? "" : "  ",
	              active, waiting, stopped, live->attempts, live->passes, time);
	add_line(live, GK_DIM, gk_buf_text(&line));
}

void gk_live_draw(struct gk_live *live)
{
	int active = 0, waiting = 0, stopped = 0, shown = 0, room = live->term.height - 3;

	if (live->quiet || !live->term.is_tty)
		return;
	gk_live_hide(live);
	for (int i = 0; i < live->row_count; i++) {
		const struct row *row = &live->rows[i];

		active += row->known && row->active;
		stopped += row->known && row->stopped;
		waiting += row->known && !row->active && !row->stopped;
		if (row->known && row->active && shown < room) {
			draw_row(live, row);
			shown++;
		}
	}
	draw_totals(live, active, waiting, stopped, active - shown);
	fflush(live->term.out);
}

void gk_live_show(void *live)
{
	gk_live_draw(live);
}

/* --- what stays --- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void first_line(const char *text, char out[MESSAGE_MAX + 8])
{
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, text, strcspn(text, "\n"), MESSAGE_MAX, false);
	snprintf(out, MESSAGE_MAX + 8, "%s", gk_buf_text(&safe));
}

static void say(struct gk_live *live, const struct gk_live_line *line, enum gk_tone tone, const char *what,
                const char *detail)
{
	char cut[MESSAGE_MAX + 8];

	first_line(detail, cut);
	gk_live_hide(live);
	gk_term_print(&live->term, GK_PLAIN, "%s #%d ", line->task, line->number);
	gk_term_print(&live->term, tone, "%s", what);
	gk_term_print(&live->term, GK_PLAIN, "%s%s\n", cut[0] ? ": " : "", cut);
	gk_live_draw(live);
	fflush(live->term.out);
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? json_number_value(value) : 0;
}

/* The figure of a timed pass, in words; what is better by its lower bound is remembered. */
static void take_speed(struct row *row, const json_t *speedup, char words[64])
{
	double mean = number_of(speedup, "mean"), low = number_of(speedup, "low");

	words[0] = '\0';
	if (!(mean > 0) || !(low > 0))
		return;
	snprintf(words, 64, ", %.3gx [%.3g, %.3g]%s", mean, low, number_of(speedup, "high"),
	         json_is_true(json_object_get(speedup, "within_noise")) ? " within noise" : "");
	if (low > row->low) {
		row->low = low;
		row->speedup = mean;
	}
}

static struct row *row_of(struct gk_live *live, int index);

static void say_judged(struct gk_live *live, const struct gk_live_line *line, const json_t *body)
{
	const json_t *verdict = json_object_get(json_object_get(body, "verdict"), "verdict");
	bool pass = strcmp(text_of(verdict, "outcome"), "pass") == 0;
	char what[160], speed[64] = "";

	live->attempts++;
	live->passes += pass;
	if (pass)
		take_speed(row_of(live, line->index), json_object_get(json_object_get(body, "verdict"), "speedup"), speed);
	if (pass)
		snprintf(what, sizeof what, "attempt %d pass%s", line->attempt, speed);
	else
		snprintf(what, sizeof what, "attempt %d %s at %s (%s)", line->attempt, text_of(verdict, "outcome"),
		         text_of(verdict, "stage"), text_of(verdict, "kind"));
	say(live, line, pass ? GK_GOOD : GK_BAD, what, text_of(verdict, "message"));
}

static void say_event(struct gk_live *live, const struct gk_live_line *line, const struct gk_event *event)
{
	char what[64];

	if (event->kind == GK_EVENT_JUDGED) {
		say_judged(live, line, event->body);
	} else if (event->kind == GK_EVENT_STOPPED) {
		snprintf(what, sizeof what, "stopped, %s", text_of(event->body, "reason"));
		say(live, line, GK_DIM, what, text_of(event->body, "message"));
	} else if (event->kind == GK_EVENT_NO_ANSWER) {
		say(live, line, GK_WARN, "no answer", text_of(event->body, "message"));
	} else if (event->kind == GK_EVENT_PARSED && json_is_false(json_object_get(event->body, "ok"))) {
		say(live, line, GK_WARN, "an answer without what was asked", text_of(event->body, "problem"));
	}
}

static struct row *row_of(struct gk_live *live, int index)
{
	if (index >= live->row_count) {
		live->rows = gk_realloc_array(live->rows, (size_t)index + 1, sizeof *live->rows);
		memset(live->rows + live->row_count, 0, (size_t)(index + 1 - live->row_count) * sizeof *live->rows);
		live->row_count = index + 1;
	}
	return &live->rows[index];
}

static bool is_final_word(const char *doing)
{
	return strcmp(doing, "confirmed") == 0 || strcmp(doing, "refuted") == 0;
}

void gk_live_update(struct gk_live *live, const struct gk_live_line *line, const struct gk_event *event)
{
	struct row *row = row_of(live, line->index);

	if (live->quiet)
		return;
	if (strcmp(row->doing, line->doing) != 0)
		row->since_ns = gk_clock_ns();
	snprintf(row->task, sizeof row->task, "%s", line->task);
	snprintf(row->doing, sizeof row->doing, "%s", line->doing);
	row->number = line->number;
	row->attempt = line->attempt;
	row->known = true;
	row->active = line->active;
	row->correct = line->correct;
	row->stopped = line->stopped;
	if (event)
		say_event(live, line, event);
	else if (is_final_word(line->doing))
		say(live, line, strcmp(line->doing, "confirmed") == 0 ? GK_GOOD : GK_BAD, line->doing,
		    strcmp(line->doing, "confirmed") == 0 ? "the winner passed again, in fresh processes"
		                                          : "it did not pass again in fresh processes");
}
