/* A run in a table and a few lines: the end of `geak run`, and `geak report`. */
#ifndef GK_VIEW_SUMMARY_H
#define GK_VIEW_SUMMARY_H

#include "view/story.h"
#include "view/table.h"

/* One row per task; end with gk_table_release(). */
void gk_summary_table(const struct gk_story *story, struct gk_table *table);
/* Table, totals, what was not measured, ledger. */
void gk_summary_print(const struct gk_story *story, const struct gk_term *term);
/* One row per attempt: `geak log`. */
void gk_log_table(const struct gk_story *story, struct gk_table *table);
/* One attempt in full: `geak show`. Missing texts are said in their place. */
void gk_attempt_print(struct gk_store *store, const struct gk_story_line *line, const struct gk_story_attempt *attempt,
                      const struct gk_term *term);

#endif
