/*
 * Templates for prompts, a small strict language:
 *
 *     {{name}} {{a.b}}      the value; a string, an integer or a number
 *     {{#name}}..{{/name}}  once for an object or a true value, once per item of an array, not at all for
 * null, false, "", 0 and what is empty; inside an object or item its names come first
 *     {{?name}}..{{/name}}  once, for the same values, without going inside
 *     {{^name}}..{{/name}}  for the others
 *     {{.}}                 the item itself
 *     {{>part}}             another template
 *
 * A tag of a section or part that stands alone on its line takes the line with
 * it. A name that the data does not have is an error, and so is printing null:
 * nothing is left out silently. Values are never read as templates.
 */
#ifndef GK_PROMPT_TEMPLATE_H
#define GK_PROMPT_TEMPLATE_H

#include <jansson.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct gk_template; /* lives in the arena it was read into */

/* name is for messages: "prompts/system.md". Tags are checked to be well formed and balanced. */
struct gk_template *gk_template_read(struct gk_arena *arena, const char *name, const char *text, size_t size,
                                     struct gk_err *e);

/* The template of that name (what {{>part}} says), or NULL. */
typedef const struct gk_template *gk_template_find_fn(void *ctx, const char *part);

/* Refuses parts that are not there and parts that contain themselves. */
int gk_template_check(const struct gk_template *template, gk_template_find_fn *find, void *ctx,
                      struct gk_err *e);

/* Adds to out. data is an object. */
int gk_template_render(const struct gk_template *template, const json_t *data, gk_template_find_fn *find,
                       void *ctx, struct gk_buf *out, struct gk_err *e);

#endif
