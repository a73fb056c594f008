/* One verdict for people, and what it was measured on: `geak eval`, `geak bench`. */
#ifndef GK_VIEW_JUDGED_H
#define GK_VIEW_JUDGED_H

#include <jansson.h>

#include "fact/verdict.h"
#include "view/term.h"

/* Outcome, evidence, speed, times, message; a table of the timed cases when there are any. */
void gk_judged_print(const struct gk_term *term, const char *task, const char *candidate,
                     const struct gk_verdict *verdict);
/* "on NVIDIA H200 (sm_90), containment: ...", a line of its own. peers: facts by role (story.h). */
void gk_judged_print_basis(const struct gk_term *term, const json_t *peers);
/* Table of the timed cases and what can be said of b against a. */
void gk_judged_print_comparison(const struct gk_term *term, const struct gk_verdict *verdict, const char *a,
                                const char *b);

#endif
