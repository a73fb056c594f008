/*
 * One file for each code object: FOLDER/ab/REST, named by its key, that holds
 *
 *     geak-lowered 1 JSON_BYTES\n
 *     {the object as JSON}
 *     the code
 *
 * Files come whole into their place (written beside it, renamed), so several
 * geak processes may share a folder. What is read is believed only when the
 * code has the hash that the JSON names; anything else is removed and counts
 * as absent. A file's modification time is when it was used last: when the
 * folder has grown over its ceiling the oldest go, down to three quarters.
 */
#include "lowered.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vec.h"

#define MARK     "geak-lowered 1 "
#define MAX_FILE ((size_t)80 << 20)
#define MAX_JSON ((size_t)1 << 20)
#define STANDARD ((int64_t)1024)
#define MEGABYTE ((int64_t)1 << 20)

static int64_t ceiling_of_environment(void)
{
	const char *text = getenv("GEAK_CACHE_MB");
	int64_t megabytes;

	if (!text || !gk_text_to_int(text, &megabytes) || megabytes < 0 || megabytes > INT32_MAX)
		megabytes = STANDARD;
	return megabytes * MEGABYTE;
}

static char *standard_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];

	if (cache && cache[0] == '/')
		snprintf(path, sizeof path, "%s/geak/lowered", cache);
	else if (home && home[0] == '/')
		snprintf(path, sizeof path, "%s/.cache/geak/lowered", home);
	else
		return NULL;
	return gk_strdup(path);
}

void lowered_open(struct lowered *lowered, const char *folder, int64_t max_bytes)
{
	*lowered = (struct lowered){NULL, folder ? max_bytes : ceiling_of_environment(), -1};
	if (lowered->max_bytes > 0)
		lowered->folder = folder ? gk_strdup(folder) : standard_folder();
}

void lowered_close(struct lowered *lowered)
{
	free(lowered->folder);
	*lowered = (struct lowered){0};
}

static void path_of(const struct lowered *lowered, const char *key, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%.2s/%s", lowered->folder, key, key + 2);
}

/* ---- reading ---- */

static bool is_code_of(const struct gk_object *object, const char *code, size_t size)
{
	char hash[GK_HEX_SIZE];

	gk_hash_hex(code, size, hash);
	return strcmp(hash, object->object) == 0;
}

/* The object of a whole file; *at is where its code begins. */
static bool read_head(const char *path, const char *text, size_t size, struct gk_object *object, size_t *at)
{
	size_t mark = strlen(MARK);
	const char *line_end = memchr(text, '\n', size < 64 ? size : 64);
	gk_doc_auto doc = {0};
	struct gk_node root;
	struct gk_err e;
	char digits[32];
	int64_t json;

	if (!line_end || size < mark || memcmp(text, MARK, mark) != 0)
		return false;
	snprintf(digits, sizeof digits, "%.*s", (int)(line_end - text - (ptrdiff_t)mark), text + mark);
	*at = (size_t)(line_end + 1 - text);
	if (!gk_text_to_int(digits, &json) || json < 2 || (size_t)json > MAX_JSON ||
	    (size_t)json > size - *at)
		return false;
	if (gk_doc_from_json(&doc, path, text + *at, (size_t)json, &e) < 0)
		return false;
	root = gk_node_root(&doc);
	*at += (size_t)json;
	return gk_object_from_node(&root, object, &e) == 0;
}

bool lowered_find(struct lowered *lowered, const char key[GK_HEX_SIZE], struct gk_object *object, char **code,
                  size_t *size)
{
	gk_free_auto char *text = NULL;
	char path[PATH_MAX];
	size_t all, at;
	struct gk_err e;

	if (!lowered->folder)
		return false;
	path_of(lowered, key, path);
	if (gk_file_read(path, MAX_FILE, &text, &all, &e) < 0)
		return false;
	if (!read_head(path, text, all, object, &at) || !is_code_of(object, text + at, all - at)) {
		gk_log(GK_LOG_INFO, "%s is damaged and was removed", path);
		unlink(path);
		return false;
	}
	utimensat(AT_FDCWD, path, NULL, 0); /* used now; a folder that cannot be written keeps what it has */
	*size = all - at;
	*code = gk_alloc(*size + 1);
	memcpy(*code, text + at, *size);
	return true;
}

/* ---- the ceiling ---- */

struct kept {
	char *path;
	int64_t bytes, used_s;
};
struct kept_list GK_VEC(struct kept);

static void list_folder(const char *folder, struct gk_arena *arena, struct kept_list *list)
{
	char **names;
	size_t count;
	struct gk_err e;

	if (gk_dir_list(folder, arena, &names, &count, &e) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct kept kept = {.path = gk_path_join(arena, folder, names[i])};
		struct stat st;

		if (lstat(kept.path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		kept.bytes = st.st_size;
		kept.used_s = st.st_mtim.tv_sec;
		gk_vec_push(list, kept);
	}
}

/* Everything in the sub-folders "00" to "ff"; nothing else is ours. */
static void list_all(const struct lowered *lowered, struct gk_arena *arena, struct kept_list *list)
{
	for (int i = 0; i < 256; i++) {
		char *folder = gk_arena_printf(arena, "%s/%02x", lowered->folder, (unsigned)i);

		if (gk_path_is_dir(folder))
			list_folder(folder, arena, list);
	}
}

static int older_first(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

static void count_and_shrink(struct lowered *lowered)
{
	gk_arena_auto arena = {0};
	struct kept_list list = {0};

	list_all(lowered, &arena, &list);
	lowered->bytes = 0;
	for (size_t i = 0; i < list.count; i++)
		lowered->bytes += list.items[i].bytes;
	if (lowered->bytes > lowered->max_bytes) {
		qsort(list.items, list.count, sizeof *list.items, older_first);
		for (size_t i = 0; i < list.count && lowered->bytes > lowered->max_bytes / 4 * 3; i++)
			if (unlink(list.items[i].path) == 0)
				lowered->bytes -= list.items[i].bytes;
	}
	gk_vec_release(&list);
}

void lowered_keep(struct lowered *lowered, const char key[GK_HEX_SIZE], const struct gk_object *object,
                  const void *code, size_t size)
{
	gk_buf_auto all = GK_BUF_INIT;
	gk_json_auto *json = NULL;
	gk_free_auto char *text = NULL;
	char path[PATH_MAX], folder[PATH_MAX];
	struct gk_err e;

	if (!lowered->folder || (int64_t)size > lowered->max_bytes / 4)
		return;
	json = gk_object_to_json(object);
	text = gk_json_text(json);
	gk_buf_printf(&all, MARK "%zu\n%s", strlen(text), text);
	gk_buf_add(&all, code, size);
	path_of(lowered, key, path);
	snprintf(folder, sizeof folder, "%.*s", (int)(gk_path_base(path) - path - 1), path);
	if (gk_dir_make(folder, &e) < 0 || gk_file_write(path, gk_buf_text(&all), all.size, &e) < 0) {
		gk_log(GK_LOG_INFO, "a code object is not kept: %s", e.text);
		return;
	}
	lowered->bytes += lowered->bytes < 0 ? 0 : (int64_t)all.size;
	if (lowered->bytes < 0 || lowered->bytes > lowered->max_bytes)
		count_and_shrink(lowered);
}
