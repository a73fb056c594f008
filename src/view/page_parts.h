/* Inside view/ only: the parts of the report's page. */
#ifndef GK_VIEW_PAGE_PARTS_H
#define GK_VIEW_PAGE_PARTS_H

#include "base/buf.h"
#include "view/story.h"

extern const char *const page_style[]; /* NULL-terminated */

struct page {
	struct gk_buf *out;
	struct gk_store *store;
	const struct gk_story *story;
};

/* "pass", "fail", "undecided" or "none": how an attempt is coloured. */
const char *page_class(const struct gk_story_attempt *attempt);
void page_attempt_name(struct page *page, const struct gk_story_line *line, const struct gk_story_attempt *attempt);
/* Text behind a hash, "" and false when it is not there. */
bool page_text(struct page *page, const char *hash, struct gk_arena *arena, char **text, size_t *size);

void page_basis(struct page *page);      /* evidence and containment, in two lines: the top */
void page_facts(struct page *page);      /* what the verdicts rest on */
void page_unmeasured(struct page *page); /* what this page does not know: the bottom */

void page_speed(struct page *page);      /* all speedups in one picture */
void page_perf_table(struct page *page, const struct gk_verdict *verdict, const char *a, const char *b);
void page_samples(struct page *page, const struct gk_story_task *task); /* of the winner, case by case */

void page_task(struct page *page, const struct gk_story_task *task); /* its trajectories, told in full */
void page_attempt(struct page *page, const struct gk_story_line *line, const struct gk_story_attempt *attempt,
                  const struct gk_story_attempt *before);

#endif
