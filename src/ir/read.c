/*
 * From text to a verified module. Reading makes growing arrays, with regions
 * and blocks in the order in which the text opens them; finishing puts them
 * into the order that ir.h promises and copies everything into one arena.
 */
#include <stdlib.h>

#include "reader.h"

int gk_ir_expect(struct gk_ir_reader *r, char punct, struct gk_err *e)
{
	if (!gk_token_is(&r->lexer, punct))
		return gk_lexer_fail(&r->lexer, e, "expected '%c'", punct);
	gk_lexer_next(&r->lexer);
	return 0;
}

int gk_ir_expect_arrow(struct gk_ir_reader *r, struct gk_err *e)
{
	return gk_ir_accept_arrow(r) ? 0 : gk_lexer_fail(&r->lexer, e, "expected '->'");
}

int gk_ir_expect_word(struct gk_ir_reader *r, const char *word, struct gk_err *e)
{
	return gk_ir_accept_word(r, word) ? 0 : gk_lexer_fail(&r->lexer, e, "expected '%s'", word);
}

bool gk_ir_accept(struct gk_ir_reader *r, char punct)
{
	bool is = gk_token_is(&r->lexer, punct);

	if (is)
		gk_lexer_next(&r->lexer);
	return is;
}

bool gk_ir_accept_word(struct gk_ir_reader *r, const char *word)
{
	bool is = gk_token_is_word(&r->lexer, word);

	if (is)
		gk_lexer_next(&r->lexer);
	return is;
}

bool gk_ir_accept_arrow(struct gk_ir_reader *r)
{
	bool is = r->lexer.now.kind == GK_TOKEN_ARROW;

	if (is)
		gk_lexer_next(&r->lexer);
	return is;
}

int gk_ir_read_count(struct gk_ir_reader *r, uint64_t max, uint64_t *value, struct gk_err *e)
{
	const struct gk_token *token = &r->lexer.now;
	uint64_t number = 0;

	if (token->kind != GK_TOKEN_NUMBER || token->size > 18)
		return gk_lexer_fail(&r->lexer, e, "expected a number");
	for (size_t i = 0; i < token->size; i++) {
		if (token->text[i] < '0' || token->text[i] > '9')
			return gk_lexer_fail(&r->lexer, e, "expected a whole number");
		number = number * 10 + (uint64_t)(token->text[i] - '0');
	}
	if (number > max)
		return gk_lexer_fail(&r->lexer, e, "expected a number of at most %llu",
		                     (unsigned long long)max);
	*value = number;
	gk_lexer_next(&r->lexer);
	return 0;
}

const char *gk_ir_intern(struct gk_ir_reader *r, const char *text, size_t size)
{
	union gk_map_value *value;
	bool is_new;

	value = gk_map_put_bytes(&r->strings, text, size, &is_new);
	if (is_new)
		value->pointer = gk_arena_copy(r->arena, text, size);
	return value->pointer;
}

static uint32_t take_attrs(struct gk_ir_reader *r, struct gk_ir_attr_vec *attrs, uint32_t *count)
{
	uint32_t first = gk_ir_store_attrs(r, attrs);

	*count = (uint32_t)attrs->count;
	gk_vec_release(attrs);
	return first;
}

/* "{...}" where one stands; without, none. */
static int read_stored_attrs(struct gk_ir_reader *r, uint32_t *first, uint32_t *count, struct gk_err *e)
{
	struct gk_ir_attr_vec attrs = {0};
	int result = gk_token_is(&r->lexer, '{') ? gk_ir_read_dict(r, false, &attrs, e) : 0;

	*first = take_attrs(r, &attrs, count);
	return result;
}

struct params {
	struct GK_VEC(struct gk_ir_arg) args;
	struct GK_VEC(struct gk_ir_param) params;
};

/* "%x: !tt.ptr<f32> {tt.divisibility = 16 : i32} loc("x"(#loc))" */
static int read_param(struct gk_ir_reader *r, struct params *list, struct gk_err *e)
{
	struct gk_ir_arg arg = {.name = r->lexer.now};
	struct gk_ir_param param = {.name = ""};

	if (arg.name.kind != GK_TOKEN_VALUE || list->args.count == GK_IR_MAX_OPERANDS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %d parameters by name",
		                     GK_IR_MAX_OPERANDS);
	gk_lexer_next(&r->lexer);
	if (gk_ir_expect(r, ':', e) || gk_ir_read_type(r, &arg.type, e) ||
	    read_stored_attrs(r, &param.attrs, &param.attr_count, e))
		return -1;
	if (gk_token_is_word(&r->lexer, "loc") && gk_ir_read_loc(r, &arg.loc, e))
		return -1;
	param.type = arg.type;
	gk_vec_push(&list->args, arg);
	gk_vec_push(&list->params, param);
	return 0;
}

static int read_params(struct gk_ir_reader *r, struct params *list, struct gk_err *e)
{
	if (gk_ir_expect(r, '(', e))
		return -1;
	if (gk_ir_accept(r, ')'))
		return 0;
	do {
		if (read_param(r, list, e))
			return -1;
	} while (gk_ir_accept(r, ','));
	return gk_ir_expect(r, ')', e);
}

/* "-> f32", "-> (f32, i32)" */
static int read_func_results(struct gk_ir_reader *r, struct gk_ir_func *func, struct gk_err *e)
{
	uint32_t types[GK_IR_MAX_ATTRS];
	bool is_list;

	if (!gk_ir_accept_arrow(r))
		return 0;
	is_list = gk_ir_accept(r, '(');
	do {
		if (func->result_count == GK_IR_MAX_ATTRS)
			return gk_lexer_fail(&r->lexer, e, "expected at most %d results", GK_IR_MAX_ATTRS);
		if (gk_ir_read_type(r, &types[func->result_count++], e))
			return -1;
	} while (is_list && gk_ir_accept(r, ','));
	func->results = (const uint32_t *)gk_arena_copy(r->arena, types, func->result_count * sizeof *types);
	return is_list ? gk_ir_expect(r, ')', e) : 0;
}

/* Behind the word tt.func. */
static int read_func_head(struct gk_ir_reader *r, struct gk_ir_func *func, struct params *list,
                          struct gk_err *e)
{
	struct gk_token *name = &r->lexer.now;

	func->is_public = gk_ir_accept_word(r, "public");
	if (!func->is_public)
		gk_ir_accept_word(r, "private");
	if (name->kind != GK_TOKEN_SYMBOL || !name->size)
		return gk_lexer_fail(&r->lexer, e, "expected the @name of the function");
	func->name = gk_ir_intern(r, name->text, name->size);
	gk_lexer_next(&r->lexer);
	if (read_params(r, list, e) || read_func_results(r, func, e))
		return -1;
	return gk_ir_accept_word(r, "attributes") ? read_stored_attrs(r, &func->attrs, &func->attr_count, e)
	                                          : 0;
}

static int read_func_body(struct gk_ir_reader *r, struct gk_ir_func *func, struct params *list,
                          struct gk_err *e)
{
	uint32_t first = (uint32_t)r->values.count;

	if (gk_ir_read_region(r, GK_IR_NONE, list->args.items, (uint32_t)list->args.count, GK_IR_INVALID,
	                      &func->region, e))
		return -1;
	for (uint32_t i = 0; i < list->params.count; i++)
		list->params.items[i].value = first + i;
	func->param_count = (uint32_t)list->params.count;
	func->params = (struct gk_ir_param *)gk_arena_copy(r->arena, list->params.items,
	                                                   list->params.count * sizeof *list->params.items);
	return gk_token_is_word(&r->lexer, "loc") ? gk_ir_read_loc(r, &func->loc, e) : 0;
}

static int read_func(struct gk_ir_reader *r, struct gk_err *e)
{
	struct gk_ir_func func = {.region = GK_IR_NONE};
	struct params list = {0};
	int result;

	if (r->funcs.count == GK_IR_MAX_FUNCS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %d functions", GK_IR_MAX_FUNCS);
	result = gk_ir_expect_word(r, "tt.func", e) || read_func_head(r, &func, &list, e) ||
	                         read_func_body(r, &func, &list, e)
	                 ? -1
	                 : 0;
	gk_vec_push(&r->funcs, func);
	gk_vec_release(&list.args);
	gk_vec_release(&list.params);
	return result;
}

static int read_aliases(struct gk_ir_reader *r, struct gk_err *e)
{
	while (r->lexer.now.kind == GK_TOKEN_HASH)
		if (gk_ir_read_loc_alias(r, e))
			return -1;
	return 0;
}

/* "#loc = ... module attributes {...} { functions } loc(#loc) #loc1 = ..." */
static int read_module(struct gk_ir_reader *r, struct gk_err *e)
{
	uint32_t count = 0, ignored;

	if (read_aliases(r, e) || gk_ir_expect_word(r, "module", e))
		return -1;
	if (r->lexer.now.kind == GK_TOKEN_SYMBOL)
		gk_lexer_next(&r->lexer);
	if (gk_ir_accept_word(r, "attributes") && read_stored_attrs(r, &r->module->attr_first, &count, e))
		return -1;
	r->module->attr_last = r->module->attr_first + count;
	if (gk_ir_expect(r, '{', e))
		return -1;
	while (!gk_token_is(&r->lexer, '}'))
		if (read_func(r, e))
			return -1;
	gk_lexer_next(&r->lexer);
	if (gk_token_is_word(&r->lexer, "loc") && gk_ir_read_loc(r, &ignored, e))
		return -1;
	if (read_aliases(r, e))
		return -1;
	return r->lexer.now.kind == GK_TOKEN_END ? gk_ir_check_locs(r, e)
	                                         : gk_lexer_fail(&r->lexer, e, "expected the end");
}

/* Where a region or block goes: sorted by owner, then by what comes first in the text. */
struct place {
	uint32_t owner, order, index;
};

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Sorts count places; where[old index] becomes the new one. */
static void sort_places(struct place *places, size_t count, uint32_t *where)
{
	qsort(places, count, sizeof *places, by_place);
	for (size_t i = 0; i < count; i++)
		where[places[i].index] = (uint32_t)i;
}

/* Regions: functions' bodies in their order, then those of operations, consecutive for each. */
static void order_regions(struct gk_ir_reader *r)
{
	size_t count = r->regions.count;
	gk_free_auto struct place *places = gk_alloc_array(count + 1, sizeof *places);
	gk_free_auto uint32_t *where = gk_alloc_array(count + 1, sizeof *where);
	struct gk_ir_region *sorted = gk_arena_array(r->arena, count, sizeof *sorted);

	for (uint32_t i = 0; i < count; i++)
		places[i] = (struct place){r->regions.items[i].op + 1, i, i};
	sort_places(places, count, where);
	for (uint32_t i = 0; i < count; i++)
		sorted[where[i]] = r->regions.items[i];
	for (size_t i = 0; i < r->blocks.count; i++)
		r->blocks.items[i].region = where[r->blocks.items[i].region];
	for (size_t i = 0; i < r->funcs.count; i++)
		r->funcs.items[i].region = where[r->funcs.items[i].region];
	for (uint32_t i = (uint32_t)count; i-- > 0;)
		if (sorted[i].op != GK_IR_NONE)
			r->ops.items[sorted[i].op].regions = i;
	r->module->regions = sorted;
	r->module->region_count = (uint32_t)count;
}

static void order_blocks(struct gk_ir_reader *r)
{
	size_t count = r->blocks.count;
	gk_free_auto struct place *places = gk_alloc_array(count + 1, sizeof *places);
	gk_free_auto uint32_t *where = gk_alloc_array(count + 1, sizeof *where);
	struct gk_ir_block *sorted = gk_arena_array(r->arena, count, sizeof *sorted);

	for (uint32_t i = 0; i < count; i++)
		places[i] = (struct place){r->blocks.items[i].region, r->blocks.items[i].first, i};
	sort_places(places, count, where);
	for (uint32_t i = 0; i < count; i++)
		sorted[where[i]] = r->blocks.items[i];
	for (size_t i = 0; i < r->ops.count; i++)
		r->ops.items[i].block = where[r->ops.items[i].block];
	for (size_t i = 0; i < r->values.count; i++)
		r->values.items[i].block = where[r->values.items[i].block];
	for (size_t i = 0; i < r->successors.count; i++)
		r->successors.items[i].block = where[r->successors.items[i].block];
	for (uint32_t i = (uint32_t)count; i-- > 0;) {
		r->module->regions[sorted[i].region].blocks = i;
		r->module->regions[sorted[i].region].block_count++;
	}
	r->module->blocks = sorted;
	r->module->block_count = (uint32_t)count;
}

/* A growing array into the arena, with its length. */
#define COPY(r, array, count_field)                                                                          \
	((r)->module->array = (void *)gk_arena_copy((r)->arena, (r)->array.items,                            \
	                                            (r)->array.count * sizeof *(r)->array.items),            \
	 (r)->module->count_field = (uint32_t)(r)->array.count)

static void finish(struct gk_ir_reader *r)
{
	struct gk_ir *module = r->module;

	order_regions(r);
	order_blocks(r);
	COPY(r, types, type_count);
	COPY(r, values, value_count);
	COPY(r, ops, op_count);
	COPY(r, operands, operand_count);
	COPY(r, successors, successor_count);
	COPY(r, attrs, attr_count);
	COPY(r, locs, loc_count);
	COPY(r, fused, fused_count);
	COPY(r, funcs, func_count);
	for (uint32_t i = 0; i < module->op_count; i++)
		module->code_uses[module->ops[i].code]++;
	for (uint32_t i = 0; i < module->func_count; i++) {
		for (uint32_t k = 0; k < module->funcs[i].param_count; k++) {
			struct gk_ir_param *param = &module->funcs[i].params[k];
			const struct gk_ir_loc *loc = &module->locs[module->values[param->value].loc];

			if (loc->kind == GK_IR_LOC_NAME)
				param->name = loc->text;
		}
	}
}

static void init(struct gk_ir_reader *r, const char *name, const char *text, size_t size)
{
	struct gk_ir_loc unknown = {.kind = GK_IR_LOC_UNKNOWN};

	r->module = gk_alloc(sizeof *r->module);
	r->arena = &r->module->arena;
	gk_lexer_init(&r->lexer, name, text, size);
	gk_ir_types_init(r);
	gk_vec_push(&r->locs, unknown);
	gk_vec_push(&r->loc_defined, true);
}

static void release(struct gk_ir_reader *r)
{
	gk_map_release(&r->aliases);
	gk_map_release(&r->types_by_text);
	gk_map_release(&r->strings);
	gk_map_release(&r->names);
	gk_vec_release(&r->ssa);
	gk_vec_release(&r->scope);
	gk_vec_release(&r->labels);
	gk_vec_release(&r->types);
	gk_vec_release(&r->values);
	gk_vec_release(&r->ops);
	gk_vec_release(&r->operands);
	gk_vec_release(&r->blocks);
	gk_vec_release(&r->regions);
	gk_vec_release(&r->successors);
	gk_vec_release(&r->attrs);
	gk_vec_release(&r->locs);
	gk_vec_release(&r->loc_defined);
	gk_vec_release(&r->fused);
	gk_vec_release(&r->funcs);
	gk_vec_release(&r->op_at);
}

struct gk_ir *gk_ir_read(const char *name, const char *text, size_t size, struct gk_err *e)
{
	struct gk_ir_reader r = {0};
	int result;

	if (size > GK_IR_MAX_BYTES) {
		gk_err_set(e, GK_ERR_INPUT, "%s: expected at most %zu bytes of IR, found %zu", name,
		           GK_IR_MAX_BYTES, size);
		return NULL;
	}
	init(&r, name, text, size);
	result = read_module(&r, e);
	if (!result) {
		finish(&r);
		result = gk_ir_verify(&r, e);
	}
	release(&r);
	if (result)
		gk_ir_free(r.module);
	return result ? NULL : r.module;
}
