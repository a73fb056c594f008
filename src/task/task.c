#include "parts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

#define MAX_ALLOWED 64

static int decode_entry(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	return gk_task_read_entry(at, out, e);
}

static int decode_tolerance(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	return gk_task_read_tolerance(at, out, e);
}

static int decode_cases(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	return gk_task_read_cases(at, out, e);
}

static int decode_held_out(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	return gk_task_read_held_out(at, out, e);
}

static int decode_specials(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	return gk_task_read_specials(at, out, e);
}

static int decode_distributions(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	struct gk_task *task = out;

	return gk_task_read_names(at, arena, &task->distributions, &task->distribution_count, e);
}

/* Operations by schema name, "aten::softmax.int": more than a Python name can hold. */
static int decode_allow(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	struct gk_task *task = out;

	if (gk_node_array(at, MAX_ALLOWED, e) < 0)
		return -1;
	task->allow_count = gk_node_count(at);
	task->allow = gk_arena_array(arena, task->allow_count, sizeof *task->allow);
	for (size_t i = 0; i < task->allow_count; i++) {
		struct gk_node item = gk_node_item(at, i);
		const char *name = "";

		if (gk_node_string(&item, &name, e) < 0)
			return -1;
		task->allow[i] = gk_arena_string(arena, name);
	}
	return 0;
}

/* An id becomes a file name and a column of tables. */
static int decode_id(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	const char *text = "";

	if (gk_node_string(at, &text, e) < 0)
		return -1;
	if (!*text || *text == '.' || *text == '-' || strspn(text, letters) != strlen(text) || strlen(text) > 100)
		return gk_node_fail(at, e, "letters, digits, _ . and - are needed, not \"%s\"", text);
	*(const char **)out = gk_arena_string(arena, text);
	return 0;
}

static int decode_level(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	int64_t level;

	(void)arena;
	if (gk_node_int(at, 1, 5, &level, e) < 0)
		return -1;
	*(int *)out = (int)level;
	return 0;
}

static int read_yaml(struct gk_task *task, const struct gk_doc *doc, struct gk_err *e)
{
	/* The order matters: cases look at specials, tolerance and held_out at the cases. */
	static const struct gk_field fields[] = {
		{"id", GK_FIELD_NODE, offsetof(struct gk_task, id), true, 0, 0, NULL, decode_id},
		{"title", GK_FIELD_STRING, offsetof(struct gk_task, title), true, 0, 0, NULL, NULL},
		{"category", GK_FIELD_STRING, offsetof(struct gk_task, category), false, 0, 0, NULL, NULL},
		{"origin", GK_FIELD_STRING, offsetof(struct gk_task, origin), false, 0, 0, NULL, NULL},
		{"entry", GK_FIELD_NODE, 0, true, 0, 0, NULL, decode_entry},
		{"specials", GK_FIELD_NODE, offsetof(struct gk_task, specials), false, 0, 0, NULL, decode_specials},
		{"signed_zeros", GK_FIELD_BOOL, offsetof(struct gk_task, signed_zeros), false, 0, 0, NULL, NULL},
		{"deterministic", GK_FIELD_BOOL, offsetof(struct gk_task, deterministic), false, 0, 0, NULL, NULL},
		{"cases", GK_FIELD_NODE, 0, true, 0, 0, NULL, decode_cases},
		{"tolerance", GK_FIELD_NODE, 0, true, 0, 0, NULL, decode_tolerance},
		{"distributions", GK_FIELD_NODE, 0, false, 0, 0, NULL, decode_distributions},
		{"contained", GK_FIELD_BOOL, offsetof(struct gk_task, contained), false, 0, 0, NULL, NULL},
		{"allow_fills", GK_FIELD_BOOL, offsetof(struct gk_task, allow_fills), false, 0, 0, NULL, NULL},
		{"allow", GK_FIELD_NODE, 0, false, 0, 0, NULL, decode_allow},
		{"held_out", GK_FIELD_NODE, 0, false, 0, 0, NULL, decode_held_out},
		{"difficulty", GK_FIELD_NODE, offsetof(struct gk_task, difficulty), false, 0, 0, NULL, decode_level},
	};
	struct gk_node root = gk_node_root(doc);

	return gk_node_decode(&root, fields, gk_count_of(fields), task, &task->arena, e);
}

static void set_defaults(struct gk_task *task)
{
	static const char *normal[] = {"normal"};

	task->category = "other";
	task->origin = "";
	task->difficulty = 1;
	task->distributions = normal;
	task->distribution_count = 1;
}

static int read_text(struct gk_task *task, const char *name, const char **text, size_t *size, struct gk_err *e)
{
	gk_free_auto char *bytes = NULL;
	char *path = gk_path_join(&task->arena, task->folder, name);

	if (gk_file_read(path, GK_TASK_MAX_BYTES, &bytes, size, e) < 0)
		return -1;
	if (!gk_text_is_utf8(bytes, *size))
		return gk_err_set(e, GK_ERR_INPUT, "%s: not UTF-8 text", path);
	if (strspn(bytes, " \t\r\n") == *size)
		return gk_err_set(e, GK_ERR_INPUT, "%s: the file is empty", path);
	*text = gk_arena_copy(&task->arena, bytes, *size);
	return 0;
}

static void hash_add(struct gk_sha256 *sha, const char *name, const char *text, size_t size)
{
	uint64_t length = size;

	/* Name and length stand before the bytes, so that no two sets of files read alike. */
	gk_sha256_add(sha, name, strlen(name) + 1);
	gk_sha256_add(sha, &length, sizeof length);
	gk_sha256_add(sha, text, size);
}

static int read_files(struct gk_task *task, struct gk_err *e)
{
	static const char *const names[] = {"task.yaml", "instruction.md", "oracle.py", "reference.py"};
	const char *texts[4] = {0};
	size_t sizes[4] = {0};
	struct gk_sha256 sha;
	uint8_t digest[GK_HASH_BYTES];

	gk_sha256_init(&sha);
	for (size_t i = 0; i < gk_count_of(names); i++) {
		if (read_text(task, names[i], &texts[i], &sizes[i], e) < 0)
			return -1;
		hash_add(&sha, names[i], texts[i], sizes[i]);
	}
	gk_sha256_end(&sha, digest);
	for (size_t i = 0; i < GK_HASH_BYTES; i++)
		snprintf(task->hash + 2 * i, 3, "%02x", digest[i]);
	task->instruction = texts[1];
	task->oracle_path = gk_path_join(&task->arena, task->folder, names[2]);
	task->reference = texts[3];
	task->reference_size = sizes[3];
	return 0;
}

static int read_task(struct gk_task *task, const char *folder, struct gk_err *e)
{
	gk_doc_auto doc = {0};
	char absolute[PATH_MAX];

	if (!realpath(folder, absolute))
		return gk_err_set(e, GK_ERR_INPUT, "%s: no such task folder", folder);
	task->folder = gk_arena_string(&task->arena, absolute);
	set_defaults(task);
	if (gk_doc_read_yaml(&doc, gk_path_join(&task->arena, folder, "task.yaml"), GK_TASK_MAX_BYTES, e) < 0)
		return -1;
	return read_yaml(task, &doc, e) < 0 ? -1 : read_files(task, e);
}

struct gk_task *gk_task_read(const char *folder, struct gk_err *e)
{
	struct gk_task *task = gk_alloc(sizeof *task);

	if (read_task(task, folder, e) == 0)
		return task;
	gk_task_free(task);
	return NULL;
}

void gk_task_free(struct gk_task *task)
{
	if (!task)
		return;
	for (size_t i = 0; i < task->case_count; i++)
		json_decref(task->cases[i].params);
	json_decref(task->held_out);
	json_decref(task->drawn);
	gk_arena_release(&task->arena);
	free(task);
}
