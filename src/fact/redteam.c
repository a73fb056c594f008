#include "redteam.h"

#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/record.h"

enum { RECORD_BYTES = 4 << 20, SCHEMA = 1 };

static void name_of_node(struct gk_buf *name)
{
	gk_buf_printf(name, "node-%s", gk_record_host());
}

int gk_redteam_keep(const json_t *result, struct gk_err *e)
{
	gk_buf_auto name = GK_BUF_INIT;

	name_of_node(&name);
	return gk_record_keep("redteam", gk_buf_text(&name), result, e);
}

static void copy_text(const json_t *object, const char *key, char *out, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, size, "%s", text ? text : "");
}

static size_t number(const json_t *object, const char *part, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(json_object_get(object, part), key));

	return value > 0 ? (size_t)value : 0;
}

bool gk_redteam_last(struct gk_redteam_last *last)
{
	gk_buf_auto name = GK_BUF_INIT;
	gk_buf_auto path = GK_BUF_INIT;
	gk_free_auto char *text = NULL;
	gk_doc_auto doc = {0};
	struct gk_err ignored;
	char build[GK_HEX_SIZE];
	size_t size = 0;

	*last = (struct gk_redteam_last){0};
	name_of_node(&name);
	gk_record_path(&path, "redteam", gk_buf_text(&name));
	if (gk_file_read(gk_buf_text(&path), RECORD_BYTES, &text, &size, &ignored) < 0 ||
	    gk_doc_from_json(&doc, "red team", text, size, &ignored) < 0 ||
	    json_integer_value(json_object_get(doc.root, "schema_version")) != SCHEMA)
		return false;
	copy_text(doc.root, "date", last->date, sizeof last->date);
	copy_text(doc.root, "target", last->target, sizeof last->target);
	copy_text(doc.root, "evidence", last->evidence, sizeof last->evidence);
	copy_text(doc.root, "containment", last->containment, sizeof last->containment);
	copy_text(doc.root, "build", build, sizeof build);
	last->exploits = number(doc.root, "exploits", "tried");
	last->caught = number(doc.root, "exploits", "caught");
	last->honest = number(doc.root, "honest", "tried");
	last->flagged = number(doc.root, "honest", "flagged");
	last->is_whole = json_is_true(json_object_get(doc.root, "whole"));
	last->is_this_build = *build && strcmp(build, gk_record_build()) == 0;
	return true;
}

void gk_redteam_words(const struct gk_redteam_last *last, struct gk_buf *words)
{
	gk_buf_printf(words, "%zu of %zu caught, %zu of %zu honest flagged, %s, %s, %.10s", last->caught,
	              last->exploits, last->flagged, last->honest, last->target, last->evidence, last->date);
	if (!last->is_whole)
		gk_buf_add_text(words, " (a selection)");
	if (!last->is_this_build)
		gk_buf_add_text(words, " (another build)");
}
