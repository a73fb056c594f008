/* Foreign text into HTML: escaped, cut, without control characters. Nothing else in view/ may add foreign bytes to a page. */
#ifndef GK_VIEW_HTML_H
#define GK_VIEW_HTML_H

#include "base/buf.h"

void gk_html_text(struct gk_buf *out, const char *text, size_t max_bytes);
void gk_html_bytes(struct gk_buf *out, const char *text, size_t size, size_t max_bytes);
/* For id and href: letters, digits and '-' only. */
void gk_html_name(struct gk_buf *out, const char *text);
/* Python with spans for comments (c), strings (s), keywords (k) and numbers (n). */
void gk_html_python(struct gk_buf *out, const char *code, size_t size, size_t max_bytes);
/* "12.3 MB", "1,234". */
void gk_html_size(struct gk_buf *out, double bytes);
void gk_html_count(struct gk_buf *out, double number);

#endif
