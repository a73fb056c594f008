/* The report as one self-contained HTML page: no request leaves it, all foreign text is escaped and capped. */
#ifndef GK_VIEW_PAGE_H
#define GK_VIEW_PAGE_H

#include "base/buf.h"
#include "view/story.h"

/* store gives the texts behind the hashes; a missing one is said in its place. */
void gk_page_add(struct gk_buf *out, struct gk_store *store, const struct gk_story *story);
/* Into FOLDER/report.html. */
int gk_page_write(struct gk_store *store, const struct gk_story *story, struct gk_err *e);

#endif
