/*
 * Trees of foreign data: JSON (jansson) and YAML (libyaml, JSON's subset: no
 * anchors, aliases, tags or duplicate keys) read into the same tree, decoded
 * by the same tables, with errors that say file, line (YAML) and field path:
 *
 *     suites/x/softmax/task.yaml:12: cases[2].M: an integer from 1 to 65536 is needed, not "many"
 *
 * A field table names each key once; unknown keys are refused with the nearest
 * known name. Nodes are cursors on the caller's stack that know their way up.
 */
#ifndef GK_BASE_DOC_H
#define GK_BASE_DOC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "err.h"
#include "map.h"

#define GK_DOC_MAX_DEPTH 64

struct gk_doc {
	json_t *root;
	char *name;          /* file name for messages */
	struct gk_map lines; /* address of a json_t -> line; filled for YAML */
};

#define gk_doc_auto __attribute__((cleanup(gk_doc_release))) struct gk_doc

/* These fill *doc, whatever it held before; on failure it is empty. */
int gk_doc_from_json(struct gk_doc *doc, const char *name, const char *text, size_t size, struct gk_err *e);
int gk_doc_from_yaml(struct gk_doc *doc, const char *name, const char *text, size_t size, struct gk_err *e);
int gk_doc_read_yaml(struct gk_doc *doc, const char *path, size_t max_bytes, struct gk_err *e);
int gk_doc_read_json(struct gk_doc *doc, const char *path, size_t max_bytes, struct gk_err *e);
void gk_doc_release(struct gk_doc *doc);

/* A place in a doc. value is borrowed. Build with gk_node_root(), gk_node_key(), gk_node_item(). */
struct gk_node {
	const struct gk_doc *doc;
	const struct gk_node *parent; /* must outlive this node */
	json_t *value;                /* NULL: the key is absent */
	const char *key;              /* in an object */
	size_t index;                 /* in an array */
};

struct gk_node gk_node_root(const struct gk_doc *doc);
struct gk_node gk_node_key(const struct gk_node *object, const char *key); /* value NULL when absent */
struct gk_node gk_node_item(const struct gk_node *array, size_t index);
size_t gk_node_count(const struct gk_node *array); /* 0 unless it is an array */

/* "FILE:LINE: path: text", GK_ERR_INPUT; returns -1. */
int gk_node_fail(const struct gk_node *at, struct gk_err *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__
#define gk_node_fail(...) (gk_node_fail(__VA_ARGS__), -1)
#endif

/* One value each; all refuse other kinds, and say what was found. */
int gk_node_int(const struct gk_node *at, int64_t min, int64_t max, int64_t *value, struct gk_err *e);
int gk_node_double(const struct gk_node *at, double *value, struct gk_err *e);
int gk_node_bool(const struct gk_node *at, bool *value, struct gk_err *e);
int gk_node_string(const struct gk_node *at, const char **value, struct gk_err *e); /* borrowed from the doc */
/* The index of the string in names (NULL-terminated); refusal lists the names and the nearest. */
int gk_node_choice(const struct gk_node *at, const char *const *names, int *value, struct gk_err *e);
int gk_node_array(const struct gk_node *at, size_t max_count, struct gk_err *e);
int gk_node_object(const struct gk_node *at, struct gk_err *e);
/* Refuses keys that are not in names (NULL-terminated). */
int gk_node_known_keys(const struct gk_node *object, const char *const *names, struct gk_err *e);

enum gk_field_kind {
	GK_FIELD_INT,    /* int64_t, within min .. max (both 0: any) */
	GK_FIELD_DOUBLE, /* double */
	GK_FIELD_BOOL,   /* bool */
	GK_FIELD_STRING, /* char *, copied into the arena */
	GK_FIELD_CHOICE, /* int, index into choices */
	GK_FIELD_NODE,   /* handed to decode() with out + offset */
};

struct gk_field {
	const char *name;
	enum gk_field_kind kind;
	size_t offset; /* into *out */
	bool required; /* an absent optional field leaves *out as it was: fill in defaults first */
	int64_t min, max;
	const char *const *choices;
	int (*decode)(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e);
};

/* Decodes an object by a table of count fields; refuses unknown keys and missing required ones. */
int gk_node_decode(const struct gk_node *at, const struct gk_field *fields, size_t count, void *out,
                   struct gk_arena *arena, struct gk_err *e);

/* Compact JSON with sorted keys, for hashing and storing; malloc'ed. */
char *gk_json_text(const json_t *value);
/* Indented, for people; malloc'ed. */
char *gk_json_pretty(const json_t *value);

#define gk_json_auto __attribute__((cleanup(gk_json_release))) json_t
void gk_json_release(json_t **value);

#endif
