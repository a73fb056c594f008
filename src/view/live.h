/*
 * A run while it happens: on a terminal a block that is redrawn (one line per
 * active trajectory, totals below), in a pipe plain lines as things happen.
 */
#ifndef GK_VIEW_LIVE_H
#define GK_VIEW_LIVE_H

#include <stdbool.h>

#include "fact/event.h"
#include "view/term.h"

struct gk_live;

/* quiet: nothing is shown at all. */
struct gk_live *gk_live_new(const struct gk_term *term, bool quiet);
void gk_live_free(struct gk_live *live); /* takes the block away */

struct gk_live_line {
	int index;         /* of the trajectory in the run */
	const char *task;
	int number, attempt;
	const char *doing;
	bool active, correct, stopped;
};
/* A trajectory moved; event as in gk_run_progress_fn. What is not worth a line of its own shows with the next draw. */
void gk_live_update(struct gk_live *live, const struct gk_live_line *line, const struct gk_event *event);
/* Draws the block again: call it a few times a second. */
void gk_live_draw(struct gk_live *live);
/* Before and after somebody else writes to the terminal (gk_log_set_hooks). */
void gk_live_hide(void *live);
void gk_live_show(void *live);

#endif
