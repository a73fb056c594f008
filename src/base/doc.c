#include "doc.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "memory.h"

static int check_depth(const json_t *value, int depth, const char *name, struct gk_err *e)
{
	const char *key;
	json_t *child;
	size_t index;

	if (depth > GK_DOC_MAX_DEPTH)
		return gk_err_set(e, GK_ERR_INPUT, "%s: nested deeper than %d levels", name, GK_DOC_MAX_DEPTH);
	json_array_foreach (value, index, child)
		if (check_depth(child, depth + 1, name, e) < 0)
			return -1;
	/* The foreach macro takes no const object; nothing is changed. */
	json_object_foreach ((json_t *)value, key, child)
		if (check_depth(child, depth + 1, name, e) < 0)
			return -1;
	return 0;
}

int gk_doc_from_json(struct gk_doc *doc, const char *name, const char *text, size_t size, struct gk_err *e)
{
	json_error_t reason;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &reason);

	*doc = (struct gk_doc){0};
	if (!root)
		return gk_err_set(e, GK_ERR_INPUT, "%s:%d: not valid JSON: %s", name,
		                  reason.line > 0 ? reason.line : 1, reason.text);
	if (check_depth(root, 1, name, e) < 0) {
		json_decref(root);
		return -1;
	}
	doc->root = root;
	doc->name = gk_strdup(name);
	return 0;
}

typedef int read_fn(struct gk_doc *doc, const char *name, const char *text, size_t size, struct gk_err *e);

static int read_file(struct gk_doc *doc, const char *path, size_t max_bytes, read_fn *read_text, struct gk_err *e)
{
	gk_free_auto char *text = NULL;
	size_t size = 0;

	*doc = (struct gk_doc){0};
	if (gk_file_read(path, max_bytes, &text, &size, e) < 0)
		return -1;
	return read_text(doc, path, text, size, e);
}

int gk_doc_read_yaml(struct gk_doc *doc, const char *path, size_t max_bytes, struct gk_err *e)
{
	return read_file(doc, path, max_bytes, gk_doc_from_yaml, e);
}

int gk_doc_read_json(struct gk_doc *doc, const char *path, size_t max_bytes, struct gk_err *e)
{
	return read_file(doc, path, max_bytes, gk_doc_from_json, e);
}

void gk_doc_release(struct gk_doc *doc)
{
	json_decref(doc->root);
	free(doc->name);
	gk_map_release(&doc->lines);
	*doc = (struct gk_doc){0};
}
