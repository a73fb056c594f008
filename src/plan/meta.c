/* Options of kernels, configurations of variants, provenance: kept as JSON, checked for form and size. */
#include "parts.h"

#include "base/memory.h"

#define MAX_ENTRIES 256
#define MAX_TEXT    512

/*
 * What may be asked of the compiler. Anything that names a file, a library or
 * assembler flags (ir_override, extern_libs, ptx_options) is not here, and so
 * refused.
 */
static const struct option {
	const char *name;
	enum { FLAG, NUMBER, WORD } kind;
	int64_t min, max;
} options[] = {
	{"num_warps", NUMBER, 1, 64},
	{"num_stages", NUMBER, 0, 64},
	{"num_ctas", NUMBER, 1, 16},
	{"maxnreg", NUMBER, 1, 512},
	{"waves_per_eu", NUMBER, 0, 16},
	{"matrix_instr_nonkdim", NUMBER, 0, 64},
	{"kpack", NUMBER, 1, 8},
	{"enable_fp_fusion", FLAG, 0, 0},
	{"launch_cooperative_grid", FLAG, 0, 0},
	{"launch_pdl", FLAG, 0, 0},
	{"allow_flush_denorm", FLAG, 0, 0},
	{"schedule_hint", WORD, 0, 0},
};

static int check_text(const struct gk_node *at, size_t max_bytes, struct gk_err *e)
{
	const char *text;

	if (gk_node_string(at, &text, e))
		return -1;
	return strlen(text) > max_bytes
	               ? gk_node_fail(at, e, "a text of at most %zu bytes is needed", max_bytes)
	               : 0;
}

/* "local-prefetch", "none": letters, digits, '-', '_', ',' as the compiler's own. */
static int check_word(const struct gk_node *at, struct gk_err *e)
{
	const char *text;

	if (gk_node_string(at, &text, e))
		return -1;
	if (strlen(text) > 64 ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_,") != strlen(text))
		return gk_node_fail(at, e, "a word of letters, digits, '-', '_' and ',' is needed");
	return 0;
}

static int check_option(const struct gk_node *at, struct gk_err *e)
{
	int64_t number;
	bool flag;

	for (size_t i = 0; i < gk_count_of(options); i++) {
		if (strcmp(options[i].name, at->key) != 0)
			continue;
		switch (options[i].kind) {
		case FLAG:
			return gk_node_bool(at, &flag, e);
		case NUMBER:
			return gk_node_int(at, options[i].min, options[i].max, &number, e);
		case WORD:
			return check_word(at, e);
		}
	}
	return gk_node_fail(at, e, "is no option that may be asked of the compiler");
}

int gk_plan_read_options(const struct gk_node *at, struct gk_err *e)
{
	const char *key;
	json_t *value;

	if (gk_node_object(at, e))
		return -1;
	json_object_foreach(at->value, key, value)
	{
		struct gk_node option = gk_node_key(at, key);

		if (check_option(&option, e))
			return -1;
	}
	return 0;
}

int gk_plan_read_config(const struct gk_node *at, struct gk_err *e)
{
	const char *key;
	json_t *value;

	if (gk_node_object(at, e))
		return -1;
	if (json_object_size(at->value) > 64)
		return gk_node_fail(at, e, "at most 64 settings are allowed");
	json_object_foreach(at->value, key, value)
	{
		struct gk_node setting = gk_node_key(at, key);

		if (strlen(key) > MAX_TEXT || json_is_object(value) || json_is_array(value))
			return gk_node_fail(&setting, e, "a number, a text or a truth value is needed");
		if (json_is_string(value) && check_text(&setting, MAX_TEXT, e))
			return -1;
	}
	return 0;
}

static int check_env(const struct gk_node *at, struct gk_err *e)
{
	const char *key;
	json_t *value;

	if (gk_node_object(at, e))
		return -1;
	if (json_object_size(at->value) > MAX_ENTRIES)
		return gk_node_fail(at, e, "at most %d variables are allowed", MAX_ENTRIES);
	json_object_foreach(at->value, key, value)
	{
		struct gk_node item = gk_node_key(at, key);

		if (check_text(&item, MAX_TEXT, e))
			return -1;
	}
	return 0;
}

static int check_count(const struct gk_node *at, struct gk_err *e)
{
	static const char *const keys[] = {"op", "line", "count", NULL};
	struct gk_node op = gk_node_key(at, "op"), line = gk_node_key(at, "line"),
		       count = gk_node_key(at, "count");
	int64_t number;

	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e) || check_text(&op, MAX_TEXT, e) ||
	    gk_node_int(&line, 0, INT32_MAX, &number, e))
		return -1;
	return gk_node_int(&count, 0, INT64_MAX, &number, e);
}

static int check_list(const struct gk_node *at, int (*check)(const struct gk_node *at, struct gk_err *e),
                      struct gk_err *e)
{
	if (gk_node_array(at, MAX_ENTRIES, e))
		return -1;
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		if (check(&item, e))
			return -1;
	}
	return 0;
}

static int check_note(const struct gk_node *at, struct gk_err *e)
{
	return check_text(at, 2048, e);
}

int gk_plan_read_from(const struct gk_node *at, struct gk_err *e)
{
	static const char *const keys[] = {"candidate", "triton", "torch", "capture",
	                                   "env",       "census", "notes", NULL};
	char hash[GK_HEX_SIZE];

	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e))
		return -1;
	for (int i = 0; keys[i]; i++) {
		struct gk_node part = gk_node_key(at, keys[i]);
		int result = i == 0   ? gk_plan_read_hash(&part, hash, e)
		             : i < 4  ? check_text(&part, MAX_TEXT, e)
		             : i == 4 ? check_env(&part, e)
		             : i == 5 ? check_list(&part, check_count, e)
		                      : check_list(&part, check_note, e);

		if (result)
			return -1;
	}
	return 0;
}
