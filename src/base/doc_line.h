/* Lines of a YAML tree's values; used by doc_yaml.c, which fills them, and node.c, which asks. */
#ifndef GK_BASE_DOC_LINE_H
#define GK_BASE_DOC_LINE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "doc.h"

/* key, or index when key is NULL, says where value stands in parent (NULL for the root). */
void gk_doc_line_set(struct gk_doc *doc, const json_t *parent, const char *key, size_t index, const json_t *value,
                     int64_t line);
/* 0 when it is not known. */
int64_t gk_doc_line_of(const struct gk_doc *doc, const json_t *parent, const char *key, size_t index,
                       const json_t *value);

#endif
