#include "fixture.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/vec.h"

enum { FIXTURE_BYTES = 1 << 20, WORD_BYTES = 160 };

/* A kernel like the reference is now and then measured a little faster: that is chance, not a trick that pays. */
#define GAIN 0.05

const char *const gk_fixture_needs_names[] = {"cpu", "gpu", "contained", NULL};
static const char *const gains[] = {"", "none", NULL};

/* The catalogue's groups: letter and number of entries. */
static const struct {
	char letter;
	int count;
} catalogue[] = {{'T', 28}, {'R', 16}, {'O', 16}, {'I', 14}, {'L', 15}, {'N', 10}, {'H', 12}, {'P', 13}};

enum { GROUPS = gk_count_of(catalogue), MOST_IN_GROUP = 28 };

struct fixture_vec GK_VEC(struct gk_fixture);

/* ---- one file ---- */

/* The leading comment lines without "# ". */
static void header_of(const char *source, struct gk_buf *yaml)
{
	while (*source == '#') {
		size_t size = strcspn(source, "\n");
		const char *from = source + (source[1] == ' ' ? 2 : 1);

		gk_buf_add(yaml, from, size - (size_t)(from - source));
		gk_buf_add_char(yaml, '\n');
		source += size + (source[size] == '\n');
	}
}

static const struct gk_field fields[] = {
	{"id", GK_FIELD_STRING, offsetof(struct gk_fixture, id), true, 0, 0, NULL, NULL},
	{"entry", GK_FIELD_STRING, offsetof(struct gk_fixture, entry), false, 0, 0, NULL, NULL},
	{"title", GK_FIELD_STRING, offsetof(struct gk_fixture, title), true, 0, 0, NULL, NULL},
	{"defence", GK_FIELD_STRING, offsetof(struct gk_fixture, defence), false, 0, 0, NULL, NULL},
	{"task", GK_FIELD_STRING, offsetof(struct gk_fixture, task_id), true, 0, 0, NULL, NULL},
	{"expect", GK_FIELD_STRING, offsetof(struct gk_fixture, expect), true, 0, 0, NULL, NULL},
	{"sealed", GK_FIELD_STRING, offsetof(struct gk_fixture, sealed), false, 0, 0, NULL, NULL},
	{"needs", GK_FIELD_CHOICE, offsetof(struct gk_fixture, needs), false, 0, 0, gk_fixture_needs_names,
         NULL},
	{"gain", GK_FIELD_STRING, offsetof(struct gk_fixture, gain), false, 0, 0, NULL, NULL},
};

/* ---- expectations: "exec fail poison|poison_used or call fail timeout", "pass" ---- */

static int index_of(const char *const *names, const char *word)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], word) == 0)
			return i;
	return -1;
}

static bool kind_is_in(const char *kind, const char *kinds)
{
	size_t size = strlen(kind);

	for (const char *at = kinds; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
		if (strncmp(at, kind, size) == 0 && (at[size] == '|' || at[size] == '\0'))
			return true;
	return false;
}

/* One alternative. False as well when it is none, which *is_well_formed tells. */
static bool part_fits(const char *part, const struct gk_verdict *v, bool *is_well_formed)
{
	char stage[16], outcome[16], kinds[WORD_BYTES], more[2];
	int words = sscanf(part, "%15s %15s %159s %1s", stage, outcome, kinds, more);

	*is_well_formed = words == 1 ? strcmp(stage, "pass") == 0
	                             : words == 3 && index_of(gk_stage_names, stage) >= 0 &&
	                                       index_of(gk_outcome_names, outcome) >= 0;
	if (!*is_well_formed || !v)
		return false;
	if (words == 1)
		return v->outcome == GK_PASS;
	return strcmp(gk_stage_names[v->stage], stage) == 0 &&
	       strcmp(gk_outcome_names[v->outcome], outcome) == 0 && kind_is_in(v->kind, kinds);
}

static bool any_part_fits(const char *expectation, const struct gk_verdict *v, bool *is_well_formed)
{
	char part[2 * WORD_BYTES];
	bool fits = false, is_well = true;

	for (const char *at = expectation; at && is_well;) {
		const char *end = strstr(at, " or ");

		snprintf(part, sizeof part, "%.*s", (int)(end ? end - at : (ptrdiff_t)strlen(at)), at);
		fits |= part_fits(part, v, &is_well);
		at = end ? end + strlen(" or ") : NULL;
	}
	*is_well_formed = is_well;
	return fits && is_well;
}

const char *gk_fixture_expectation(const struct gk_fixture *fixture, bool on_gpu)
{
	return on_gpu && fixture->sealed ? fixture->sealed : fixture->expect;
}

bool gk_fixture_expects(const struct gk_fixture *fixture, bool on_gpu, const struct gk_verdict *verdict)
{
	const struct gk_speedup *s = &verdict->speedup;
	bool ignored;

	if (fixture->gain && *fixture->gain && s->measured && !s->within_noise && s->low > 1 + GAIN + s->floor)
		return false;
	return any_part_fits(gk_fixture_expectation(fixture, on_gpu), verdict, &ignored);
}

/* ---- a fixture's file ---- */

static int check_words(const struct gk_node *root, const struct gk_fixture *f, struct gk_err *e)
{
	bool is_well;

	any_part_fits(f->expect, NULL, &is_well);
	if (!is_well)
		return gk_node_fail(root, e,
		                    "expect: STAGE OUTCOME KIND[|KIND] [or ...] is needed, not \"%s\"",
		                    f->expect);
	if (f->sealed)
		any_part_fits(f->sealed, NULL, &is_well);
	if (!is_well)
		return gk_node_fail(root, e,
		                    "sealed: STAGE OUTCOME KIND[|KIND] [or ...] is needed, not \"%s\"",
		                    f->sealed);
	if (f->gain && index_of(gains, f->gain) < 0)
		return gk_node_fail(root, e, "gain: none is needed, not \"%s\"", f->gain);
	if (!f->is_honest && (!f->entry || !f->defence))
		return gk_node_fail(root, e,
		                    "an exploit names its entry of the catalogue (or new) and a defence");
	return 0;
}

static int read_fixture(struct gk_fixtures *all, const char *group, const char *path, struct gk_fixture *f,
                        struct gk_err *e)
{
	gk_free_auto char *source = NULL;
	gk_buf_auto yaml = GK_BUF_INIT;
	gk_doc_auto doc = {0};
	struct gk_node root;

	*f = (struct gk_fixture){.group = group, .is_honest = strcmp(group, "honest") == 0};
	if (gk_file_read(path, FIXTURE_BYTES, &source, &f->size, e) < 0)
		return -1;
	header_of(source, &yaml);
	if (gk_doc_from_yaml(&doc, path, gk_buf_text(&yaml), yaml.size, e) < 0)
		return -1;
	root = gk_node_root(&doc);
	if (gk_node_decode(&root, fields, gk_count_of(fields), f, &all->arena, e) < 0 ||
	    check_words(&root, f, e) < 0)
		return -1;
	for (size_t i = 0; i < all->suite->task_count; i++)
		if (strcmp(all->suite->tasks[i]->id, f->task_id) == 0)
			f->task = all->suite->tasks[i];
	if (!f->task)
		return gk_node_fail(&root, e, "task: there is no task %s in tasks/", f->task_id);
	f->source = gk_arena_copy(&all->arena, source, f->size + 1);
	return 0;
}

static int read_group(struct gk_fixtures *all, const char *folder, const char *group,
                      struct fixture_vec *found, struct gk_err *e)
{
	char **names;
	size_t count;

	if (gk_dir_list(folder, &all->arena, &names, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct gk_fixture fixture;

		if (!gk_text_ends(names[i], ".py"))
			continue;
		if (read_fixture(all, group, gk_path_join(&all->arena, folder, names[i]), &fixture, e) < 0)
			return -1;
		gk_vec_push(found, fixture);
	}
	return 0;
}

/* Every folder with Python files is a group. */
static int read_groups(struct gk_fixtures *all, const char *folder, struct fixture_vec *found,
                       struct gk_err *e)
{
	char **names;
	size_t count;

	if (gk_dir_list(folder, &all->arena, &names, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const char *path = gk_path_join(&all->arena, folder, names[i]);

		if (strcmp(names[i], "tasks") == 0 || names[i][0] == '_' || !gk_path_is_dir(path))
			continue;
		if (read_group(all, path, names[i], found, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the catalogue ---- */

static int decode_absent(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	static const struct gk_field absent_fields[] = {
		{"entry", GK_FIELD_STRING, offsetof(struct gk_fixture_absent, entry), true, 0, 0, NULL, NULL},
		{"reason", GK_FIELD_STRING, offsetof(struct gk_fixture_absent, reason), true, 0, 0, NULL,
	         NULL},
	};

	return gk_node_decode(at, absent_fields, gk_count_of(absent_fields), out, arena, e);
}

static int read_absent(struct gk_fixtures *all, const char *path, struct gk_err *e)
{
	gk_doc_auto doc = {0};
	struct gk_node root, list;

	if (gk_doc_read_yaml(&doc, path, FIXTURE_BYTES, e) < 0)
		return -1;
	root = gk_node_root(&doc);
	list = gk_node_key(&root, "absent");
	if (gk_node_array(&list, GK_CATALOGUE_ENTRIES, e) < 0)
		return -1;
	all->absent_count = gk_node_count(&list);
	all->absent = gk_arena_array(&all->arena, all->absent_count + 1, sizeof *all->absent);
	for (size_t i = 0; i < all->absent_count; i++) {
		struct gk_node item = gk_node_item(&list, i);

		if (decode_absent(&item, &all->absent[i], &all->arena, e) < 0)
			return -1;
	}
	return 0;
}

/* "T12" -> group 0, number 11. */
static bool find_entry(const char *entry, size_t *group, int *number)
{
	int64_t n;

	for (*group = 0; *group < GROUPS && catalogue[*group].letter != entry[0];)
		++*group;
	if (*group == GROUPS || !gk_text_to_int(entry + 1, &n) || n < 1 || n > catalogue[*group].count)
		return false;
	*number = (int)n - 1;
	return true;
}

static int check_catalogue(struct gk_fixtures *all, struct gk_err *e)
{
	bool covered[GROUPS][MOST_IN_GROUP] = {{false}}, excused[GROUPS][MOST_IN_GROUP] = {{false}};
	size_t group;
	int number;

	for (size_t i = 0; i < all->count; i++) {
		const char *entry = all->items[i].entry;

		all->honest_count += all->items[i].is_honest;
		all->new_count += entry && strcmp(entry, "new") == 0;
		if (!entry || strcmp(entry, "new") == 0)
			continue;
		if (!find_entry(entry, &group, &number))
			return gk_err_set(e, GK_ERR_INPUT, "fixture %s: the catalogue has no entry %s",
			                  all->items[i].id, entry);
		all->entries_covered += !covered[group][number];
		covered[group][number] = true;
	}
	for (size_t i = 0; i < all->absent_count; i++) {
		if (!find_entry(all->absent[i].entry, &group, &number) || covered[group][number])
			return gk_err_set(e, GK_ERR_INPUT,
			                  "absent.yaml: %s is no entry of the catalogue, or has a fixture",
			                  all->absent[i].entry);
		excused[group][number] = true;
	}
	for (group = 0; group < GROUPS; group++)
		for (number = 0; number < catalogue[group].count; number++)
			if (!covered[group][number] && !excused[group][number])
				return gk_err_set(
					e, GK_ERR_INPUT,
					"entry %c%d of the catalogue has neither fixture nor reason",
					catalogue[group].letter, number + 1);
	return 0;
}

static int check_ids(const struct gk_fixtures *all, struct gk_err *e)
{
	gk_map_auto ids = {0};
	bool is_new;

	for (size_t i = 0; i < all->count; i++) {
		gk_map_put(&ids, all->items[i].id, &is_new);
		if (!is_new)
			return gk_err_set(e, GK_ERR_INPUT, "two fixtures are called %s", all->items[i].id);
	}
	return 0;
}

int gk_fixtures_read(const char *folder, struct gk_fixtures *all, struct gk_err *e)
{
	struct fixture_vec found = {0};
	int done;

	*all = (struct gk_fixtures){0};
	all->suite = gk_suite_read(gk_path_join(&all->arena, folder, "tasks"), e);
	done = all->suite ? read_groups(all, folder, &found, e) : -1;
	all->count = found.count;
	all->items = gk_arena_array(&all->arena, found.count + 1, sizeof *all->items);
	if (found.count)
		memcpy(all->items, found.items, found.count * sizeof *found.items);
	gk_vec_release(&found);
	if (done == 0)
		done = read_absent(all, gk_path_join(&all->arena, folder, "absent.yaml"), e);
	return done == 0 && check_ids(all, e) == 0 && check_catalogue(all, e) == 0 ? 0 : -1;
}

void gk_fixtures_release(struct gk_fixtures *all)
{
	gk_suite_free(all->suite);
	gk_arena_release(&all->arena);
	*all = (struct gk_fixtures){0};
}
