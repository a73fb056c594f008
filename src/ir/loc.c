#include "reader.h"

/* Foreign chains may share their links, so a walk is bounded by steps, not by depth. */
#define MAX_PLACE_STEPS 1024
#define MAX_LOC_NESTING 64

static int new_loc(struct gk_ir_reader *r, uint32_t *loc, struct gk_err *e)
{
	struct gk_ir_loc unknown = {.kind = GK_IR_LOC_UNKNOWN};

	if (r->locs.count >= GK_IR_MAX_LOCS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %zu locations", GK_IR_MAX_LOCS);
	*loc = (uint32_t)r->locs.count;
	gk_vec_push(&r->locs, unknown);
	gk_vec_push(&r->loc_defined, true);
	return 0;
}

/* The location of a "#loc12" that may be defined later; the token is consumed. */
static int alias_loc(struct gk_ir_reader *r, uint32_t *loc, struct gk_err *e)
{
	union gk_map_value *value;
	bool is_new;

	if (r->lexer.now.kind != GK_TOKEN_HASH || memchr(r->lexer.now.text, '.', r->lexer.now.size))
		return gk_lexer_fail(&r->lexer, e, "expected a location");
	value = gk_map_put_bytes(&r->aliases, r->lexer.now.text, r->lexer.now.size, &is_new);
	if (is_new) {
		*loc = 0;
		if (new_loc(r, loc, e))
			return -1;
		r->loc_defined.items[*loc] = false;
		value->number = *loc;
	}
	*loc = (uint32_t)value->number;
	gk_lexer_next(&r->lexer);
	return 0;
}

static int read_body(struct gk_ir_reader *r, int depth, uint32_t loc, struct gk_err *e);

/* A location within another one: an alias, or a new one. */
static int read_child(struct gk_ir_reader *r, int depth, uint32_t *loc, struct gk_err *e)
{
	if (r->lexer.now.kind == GK_TOKEN_HASH)
		return alias_loc(r, loc, e);
	return new_loc(r, loc, e) ? -1 : read_body(r, depth + 1, *loc, e);
}

/* "file":line:column, with an optional range behind it, or "name"(child). */
static int read_named(struct gk_ir_reader *r, int depth, struct gk_ir_loc *loc, struct gk_err *e)
{
	uint64_t number;
	uint32_t size;

	loc->text = gk_ir_unescape(r, &r->lexer.now, &size);
	gk_lexer_next(&r->lexer);
	if (!gk_ir_accept(r, ':')) {
		loc->kind = GK_IR_LOC_NAME;
		if (!gk_ir_accept(r, '('))
			return 0;
		return read_child(r, depth, &loc->a, e) ? -1 : gk_ir_expect(r, ')', e);
	}
	loc->kind = GK_IR_LOC_FILE;
	if (gk_ir_read_count(r, UINT32_MAX, &number, e))
		return -1;
	loc->line = (uint32_t)number;
	if (gk_ir_expect(r, ':', e) || gk_ir_read_count(r, UINT32_MAX, &number, e))
		return -1;
	loc->column = (uint32_t)number;
	if (!gk_ir_accept_word(r, "to"))
		return 0;
	if (!gk_token_is(&r->lexer, ':') && gk_ir_read_count(r, UINT32_MAX, &number, e))
		return -1;
	return gk_ir_expect(r, ':', e) || gk_ir_read_count(r, UINT32_MAX, &number, e) ? -1 : 0;
}

static int read_fused(struct gk_ir_reader *r, int depth, struct gk_ir_loc *loc, struct gk_err *e)
{
	struct GK_VEC(uint32_t) parts = {0};
	int result = 0;

	loc->kind = GK_IR_LOC_FUSED;
	if (gk_ir_accept(r, '<')) {
		struct gk_ir_attr ignored = {0};

		if (gk_ir_read_attr(r, &ignored, e) || gk_ir_expect(r, '>', e))
			return -1;
	}
	if (gk_ir_expect(r, '[', e))
		return -1;
	do {
		uint32_t part = 0;

		result = read_child(r, depth, &part, e);
		gk_vec_push(&parts, part);
	} while (!result && gk_ir_accept(r, ','));
	loc->a = (uint32_t)r->fused.count;
	loc->b = (uint32_t)parts.count;
	for (size_t i = 0; i < parts.count; i++)
		gk_vec_push(&r->fused, parts.items[i]);
	gk_vec_release(&parts);
	return result ? -1 : gk_ir_expect(r, ']', e);
}

static int read_call(struct gk_ir_reader *r, int depth, struct gk_ir_loc *loc, struct gk_err *e)
{
	loc->kind = GK_IR_LOC_CALL;
	if (gk_ir_expect(r, '(', e) || read_child(r, depth, &loc->a, e) || gk_ir_expect_word(r, "at", e))
		return -1;
	return read_child(r, depth, &loc->b, e) ? -1 : gk_ir_expect(r, ')', e);
}

static int read_body(struct gk_ir_reader *r, int depth, uint32_t loc, struct gk_err *e)
{
	struct gk_ir_loc body = {.kind = GK_IR_LOC_UNKNOWN};
	int result = 0;

	if (depth > MAX_LOC_NESTING)
		return gk_lexer_fail(&r->lexer, e, "expected locations nested at most %d deep",
		                     MAX_LOC_NESTING);
	if (r->lexer.now.kind == GK_TOKEN_STRING)
		result = read_named(r, depth, &body, e);
	else if (gk_ir_accept_word(r, "callsite"))
		result = read_call(r, depth, &body, e);
	else if (gk_ir_accept_word(r, "fused"))
		result = read_fused(r, depth, &body, e);
	else if (!gk_ir_accept_word(r, "unknown"))
		return gk_lexer_fail(&r->lexer, e, "expected a location");
	r->locs.items[loc] = body;
	return result;
}

int gk_ir_read_loc(struct gk_ir_reader *r, uint32_t *loc, struct gk_err *e)
{
	if (gk_ir_expect_word(r, "loc", e) || gk_ir_expect(r, '(', e) || read_child(r, 0, loc, e))
		return -1;
	return gk_ir_expect(r, ')', e);
}

int gk_ir_read_loc_alias(struct gk_ir_reader *r, struct gk_err *e)
{
	size_t at = r->lexer.now.start;
	uint32_t loc = 0;

	if (alias_loc(r, &loc, e))
		return -1;
	if (r->loc_defined.items[loc])
		return gk_lexer_fail_at(&r->lexer, at, e, "expected an alias that is not defined yet");
	r->loc_defined.items[loc] = true;
	if (gk_ir_expect(r, '=', e) || gk_ir_expect_word(r, "loc", e) || gk_ir_expect(r, '(', e))
		return -1;
	return read_body(r, 0, loc, e) ? -1 : gk_ir_expect(r, ')', e);
}

static uint32_t child_count(const struct gk_ir_loc *loc)
{
	return loc->kind == GK_IR_LOC_NAME    ? 1
	       : loc->kind == GK_IR_LOC_CALL  ? 2
	       : loc->kind == GK_IR_LOC_FUSED ? loc->b
	                                      : 0;
}

static uint32_t child(const struct gk_ir_loc *loc, const uint32_t *fused, uint32_t i)
{
	return loc->kind == GK_IR_LOC_FUSED ? fused[loc->a + i] : i ? loc->b : loc->a;
}

/* Depth of a location over its children, 1 for a leaf; fails on cycles. An explicit stack: chains are
 * foreign. */
static int measure(struct gk_ir_reader *r, uint32_t root, uint16_t *depths, struct gk_err *e)
{
	struct {
		uint32_t loc, next;
	} stack[GK_IR_MAX_LOC_DEPTH];
	int top = 0;

	stack[0].loc = root;
	stack[0].next = 0;
	while (top >= 0) {
		const struct gk_ir_loc *loc = &r->locs.items[stack[top].loc];

		if (stack[top].next == child_count(loc)) {
			uint16_t deepest = 0;

			for (uint32_t i = 0; i < child_count(loc); i++)
				if (depths[child(loc, r->fused.items, i)] > deepest)
					deepest = depths[child(loc, r->fused.items, i)];
			depths[stack[top--].loc] = deepest + 1;
			continue;
		}
		uint32_t next = child(loc, r->fused.items, stack[top].next++);

		if (depths[next])
			continue;
		/* A cycle never ends a path, so it runs into the ceiling of depth as well. */
		if (++top == GK_IR_MAX_LOC_DEPTH)
			return gk_lexer_fail_at(&r->lexer, 0, e,
			                        "expected locations without cycles, at most %d deep",
			                        GK_IR_MAX_LOC_DEPTH);
		stack[top].loc = next;
		stack[top].next = 0;
	}
	return depths[root] > GK_IR_MAX_LOC_DEPTH
	               ? gk_lexer_fail_at(&r->lexer, 0, e, "expected locations at most %d deep",
	                                  GK_IR_MAX_LOC_DEPTH)
	               : 0;
}

int gk_ir_check_locs(struct gk_ir_reader *r, struct gk_err *e)
{
	gk_free_auto uint16_t *depths = gk_alloc_array(r->locs.count + 1, sizeof *depths);

	for (size_t i = 0; i < r->aliases.count; i++)
		if (!r->loc_defined.items[r->aliases.entries[i].value.number])
			return gk_lexer_fail_at(&r->lexer, r->lexer.size, e,
			                        "expected a definition of #%.64s", r->aliases.entries[i].key);
	for (uint32_t i = 0; i < r->locs.count; i++)
		if (!depths[i] && measure(r, i, depths, e))
			return -1;
	return 0;
}

/* A place found on the way from the innermost frame of a location outwards. */
struct walk {
	const struct gk_ir *module;
	const char *file;
	const char *name; /* of the innermost NAME around what is visited */
	int steps;
	struct gk_ir_place inner, outer, any; /* first and last in file, last anywhere */
};

static void visit_file(struct walk *walk, const struct gk_ir_loc *loc)
{
	struct gk_ir_place place = {
		.file = loc->text, .line = loc->line, .column = loc->column, .name = walk->name};

	walk->any = place;
	if (walk->file && strcmp(walk->file, loc->text) != 0)
		return;
	if (!walk->inner.file)
		walk->inner = place;
	walk->outer = place;
}

static void visit(struct walk *walk, uint32_t index)
{
	const struct gk_ir_loc *loc = &walk->module->locs[index];
	const char *name = walk->name;

	if (walk->steps++ > MAX_PLACE_STEPS)
		return;
	switch ((enum gk_ir_loc_kind)loc->kind) {
	case GK_IR_LOC_UNKNOWN:
		return;
	case GK_IR_LOC_FILE:
		visit_file(walk, loc);
		return;
	case GK_IR_LOC_NAME:
		walk->name = loc->text;
		visit(walk, loc->a);
		walk->name = name;
		return;
	case GK_IR_LOC_CALL:
		visit(walk, loc->a);
		visit(walk, loc->b);
		return;
	case GK_IR_LOC_FUSED:
		/* The first part stands for all: the others say how the operation came to be. */
		if (loc->b)
			visit(walk, walk->module->fused[loc->a]);
		return;
	}
}

static const char *entry_file(const struct gk_ir *module)
{
	struct walk walk = {.module = module, .name = ""};

	visit(&walk, module->funcs[module->entry].loc);
	return walk.any.file;
}

void gk_ir_place(const struct gk_ir *module, uint32_t loc, const char *file, struct gk_ir_place *place)
{
	struct walk walk = {.module = module, .name = "", .file = file ? file : entry_file(module)};

	visit(&walk, loc);
	*place = walk.inner.file ? walk.inner : walk.any;
	if (!place->file)
		*place = (struct gk_ir_place){.file = "", .name = ""};
	if (walk.inner.file && (walk.outer.line != place->line || walk.outer.column != place->column)) {
		place->call_line = walk.outer.line;
		place->call_column = walk.outer.column;
	}
}
