#include <stdlib.h>

#include "form.h"
#include "reader.h"

uint32_t gk_ir_new_value(struct gk_ir_reader *r, uint32_t type, uint32_t op, uint32_t block, uint32_t index,
                         uint32_t loc)
{
	struct gk_ir_value value = {.type = type, .op = op, .block = block, .index = index, .loc = loc};

	gk_vec_push(&r->values, value);
	return (uint32_t)r->values.count - 1;
}

int gk_ir_define(struct gk_ir_reader *r, const struct gk_token *name, uint32_t first, uint32_t count,
                 struct gk_err *e)
{
	struct gk_ir_name entry = {first, count};
	union gk_map_value *value;
	bool is_new;

	value = gk_map_put_bytes(&r->names, name->text, name->size, &is_new);
	if (is_new) {
		value->number = (int64_t)r->ssa.count;
		gk_vec_push(&r->ssa, (struct gk_ir_name){0});
	}
	if (r->ssa.items[value->number].count)
		return gk_lexer_fail_at(&r->lexer, name->start, e,
		                        "expected a new name, %%%.*s is defined already",
		                        (int)(name->size < 64 ? name->size : 64), name->text);
	r->ssa.items[value->number] = entry;
	gk_vec_push(&r->scope, (uint32_t)value->number);
	return 0;
}

/* "%name" or "%name#1" */
static int read_value(struct gk_ir_reader *r, uint32_t *value, struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	struct gk_token token = l->now;
	const union gk_map_value *found;
	struct gk_ir_name name = {0};
	uint64_t which = 0;

	if (token.kind != GK_TOKEN_VALUE)
		return gk_lexer_fail(l, e, "expected a value");
	found = gk_map_find_bytes(&r->names, token.text, token.size);
	if (found)
		name = r->ssa.items[found->number];
	if (!name.count)
		return gk_lexer_fail(l, e, "expected a value that is defined before");
	gk_lexer_next(l);
	/* The tokenizer takes "#1" for an alias. */
	if (l->now.kind == GK_TOKEN_HASH && l->now.start == token.start + token.size + 1) {
		gk_lexer_seek(l, l->now.start + 1);
		if (gk_ir_read_count(r, UINT32_MAX, &which, e))
			return -1;
	}
	if (which >= name.count)
		return gk_lexer_fail_at(l, token.start, e, "expected one of %u results", name.count);
	*value = name.first + (uint32_t)which;
	return 0;
}

int gk_ir_read_operand(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	uint32_t value = 0;

	if (draft->operands.count == GK_IR_MAX_OPERANDS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %d operands", GK_IR_MAX_OPERANDS);
	if (read_value(r, &value, e))
		return -1;
	gk_vec_push(&draft->operands, value);
	return 0;
}

int gk_ir_read_operands(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	if (r->lexer.now.kind != GK_TOKEN_VALUE)
		return 0;
	do {
		if (gk_ir_read_operand(r, draft, e))
			return -1;
	} while (gk_ir_accept(r, ','));
	return 0;
}

int gk_ir_operand_is(struct gk_ir_reader *r, const struct gk_ir_draft *draft, uint32_t i, uint32_t type,
                     struct gk_err *e)
{
	const struct gk_ir types = {.types = r->types.items};
	gk_buf_auto text = GK_BUF_INIT;
	uint32_t wanted;

	if (i >= draft->operands.count)
		return gk_lexer_fail(&r->lexer, e, "expected an operand for each type");
	wanted = r->values.items[draft->operands.items[i]].type;
	if (wanted == type)
		return 0;
	gk_ir_print_type(&types, wanted, &text);
	return gk_lexer_fail_at(&r->lexer, r->type_at, e, "expected %.80s, the type of operand %u of %s",
	                        gk_buf_text(&text), i, gk_ir_ops[draft->code].name);
}

int gk_ir_read_type_list(struct gk_ir_reader *r, struct gk_ir_draft *draft, uint32_t first, uint32_t count,
                         struct gk_err *e)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t type;

		if ((i && gk_ir_expect(r, ',', e)) || gk_ir_read_type(r, &type, e) ||
		    gk_ir_operand_is(r, draft, first + i, type, e))
			return -1;
	}
	return 0;
}

int gk_ir_add_result(struct gk_ir_reader *r, struct gk_ir_draft *draft, uint32_t type, struct gk_err *e)
{
	if (draft->results.count == GK_IR_MAX_OPERANDS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %d results", GK_IR_MAX_OPERANDS);
	gk_vec_push(&draft->results, type);
	return 0;
}

/* "(i32, i1) -> (f32, i32)" */
int gk_ir_read_functional(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	bool is_list;
	uint32_t type;

	if (gk_ir_expect(r, '(', e) ||
	    gk_ir_read_type_list(r, draft, 0, (uint32_t)draft->operands.count, e) ||
	    gk_ir_expect(r, ')', e) || gk_ir_expect_arrow(r, e))
		return -1;
	is_list = gk_ir_accept(r, '(');
	if (is_list && gk_ir_accept(r, ')'))
		return 0;
	do {
		if (gk_ir_read_type(r, &type, e) || gk_ir_add_result(r, draft, type, e))
			return -1;
	} while (is_list && gk_ir_accept(r, ','));
	return is_list ? gk_ir_expect(r, ')', e) : 0;
}

/* Splits the operands of a generic cf.cond_br among its successors by operandSegmentSizes. */
static int split_successors(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	uint32_t at = draft->code == GK_IR_CF_COND_BR, total = (uint32_t)draft->operands.count;
	const int64_t *sizes = NULL;

	for (size_t i = 0; i < draft->attrs.count; i++) {
		const struct gk_ir_attr *attr = &draft->attrs.items[i];

		if (strcmp(attr->name, "operandSegmentSizes") == 0 && attr->kind == GK_IR_ATTR_INTS &&
		    attr->count == 3)
			sizes = attr->ints;
	}
	for (size_t i = 0; i < draft->successors.count; i++) {
		int64_t count = draft->code == GK_IR_CF_COND_BR ? (sizes && i < 2 ? sizes[i + 1] : 0)
		                                                : (int64_t)total - at;

		if (at > total || count < 0 || count > total - at)
			return gk_lexer_fail(&r->lexer, e, "expected operandSegmentSizes that sum up");
		draft->successors.items[i].operands = at;
		draft->successors.items[i].operand_count = (uint32_t)count;
		at += (uint32_t)count;
	}
	return 0;
}

/* "{}", as the generic form has it for a missing else: left out, as in the custom form. */
static bool accept_empty_region(struct gk_ir_reader *r, const struct gk_ir_draft *draft)
{
	size_t at = r->lexer.now.start;

	if (draft->code != GK_IR_SCF_IF || draft->region_count != 1 || !gk_ir_accept(r, '{'))
		return false;
	if (gk_ir_accept(r, '}'))
		return true;
	gk_lexer_seek(&r->lexer, at);
	return false;
}

static int read_generic_regions(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	if (!gk_ir_accept(r, '('))
		return 0;
	do {
		uint32_t region;

		if (draft->region_count == 4)
			return gk_lexer_fail(&r->lexer, e, "expected at most four regions");
		if (accept_empty_region(r, draft))
			continue;
		if (gk_ir_read_region(r, draft->op, NULL, 0, GK_IR_INVALID, &region, e))
			return -1;
		draft->region_count++;
	} while (gk_ir_accept(r, ','));
	return gk_ir_expect(r, ')', e);
}

static int read_generic_successors(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	if (!gk_ir_accept(r, '['))
		return 0;
	do {
		if (gk_ir_read_successor(r, draft, false, e))
			return -1;
	} while (gk_ir_accept(r, ','));
	return gk_ir_expect(r, ']', e);
}

/* "(%a, %b) [^bb1] <{properties}> ({regions}) {attributes} : (types) -> types" behind the quoted name. */
static int read_generic(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	if (gk_ir_expect(r, '(', e) || gk_ir_read_operands(r, draft, e) || gk_ir_expect(r, ')', e) ||
	    read_generic_successors(r, draft, e))
		return -1;
	if (gk_token_is(&r->lexer, '<') && gk_ir_read_dict(r, true, &draft->attrs, e))
		return -1;
	if (read_generic_regions(r, draft, e))
		return -1;
	if (gk_token_is(&r->lexer, '{') && gk_ir_read_dict(r, false, &draft->attrs, e))
		return -1;
	return gk_ir_expect(r, ':', e) || gk_ir_read_functional(r, draft, e) ? -1
	                                                                     : split_successors(r, draft, e);
}

/* The names before "=": "%a:2, %b". */
struct result_names {
	struct gk_token token[16];
	uint32_t count[16], names, total;
};

static int read_result_names(struct gk_ir_reader *r, struct result_names *names, struct gk_err *e)
{
	names->names = names->total = 0;
	if (r->lexer.now.kind != GK_TOKEN_VALUE)
		return 0;
	do {
		uint64_t count = 1;

		if (names->names == gk_count_of(names->token) || r->lexer.now.kind != GK_TOKEN_VALUE)
			return gk_lexer_fail(&r->lexer, e, "expected a name for a result");
		names->token[names->names] = r->lexer.now;
		gk_lexer_next(&r->lexer);
		if (gk_ir_accept(r, ':') && gk_ir_read_count(r, GK_IR_MAX_OPERANDS, &count, e))
			return -1;
		names->count[names->names++] = (uint32_t)count;
		names->total += (uint32_t)count;
	} while (gk_ir_accept(r, ','));
	return gk_ir_expect(r, '=', e);
}

static int read_op_name(struct gk_ir_reader *r, struct gk_ir_draft *draft, bool *is_generic, struct gk_err *e)
{
	const struct gk_token *token = &r->lexer.now;
	char name[64];

	if ((token->kind != GK_TOKEN_WORD && token->kind != GK_TOKEN_STRING) || token->size >= sizeof name)
		return gk_lexer_fail(&r->lexer, e, "expected an operation");
	draft->code = gk_ir_code_find(token->text, token->size);
	*is_generic = token->kind == GK_TOKEN_STRING;
	if (draft->code == GK_IR_INVALID) {
		const char *nearest;

		snprintf(name, sizeof name, "%.*s", (int)token->size, token->text);
		nearest = gk_ir_nearest_op(name);
		return gk_lexer_fail(&r->lexer, e, "expected an operation that geak knows%s%s",
		                     nearest ? ", such as " : "", nearest ? nearest : "");
	}
	gk_lexer_next(&r->lexer);
	return 0;
}

static int read_op_body(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	bool is_generic = false;
	int result;

	if (read_op_name(r, draft, &is_generic, e))
		return -1;
	r->ops.items[draft->op].code = (uint16_t)draft->code;
	if (is_generic)
		result = read_generic(r, draft, e);
	else if (gk_form_is_special(gk_ir_ops[draft->code].format))
		result = gk_ir_read_special(r, draft, e);
	else
		result = gk_ir_read_form(r, draft, e);
	if (!result)
		gk_ir_normalise(r, draft);
	return result;
}

/* Writes the draft into its place among the operations. */
static void store_op(struct gk_ir_reader *r, const struct gk_ir_draft *draft, uint32_t loc)
{
	struct gk_ir_op *op = &r->ops.items[draft->op];
	uint32_t block = op->block;

	op->operands = (uint32_t)r->operands.count;
	op->operand_count = (uint16_t)draft->operands.count;
	for (size_t i = 0; i < draft->operands.count; i++) {
		gk_vec_push(&r->operands, draft->operands.items[i]);
		r->values.items[draft->operands.items[i]].uses++;
	}
	op->successors = (uint32_t)r->successors.count;
	op->successor_count = (uint8_t)draft->successors.count;
	for (size_t i = 0; i < draft->successors.count; i++) {
		struct gk_ir_successor successor = draft->successors.items[i];

		successor.operands += op->operands;
		gk_vec_push(&r->successors, successor);
	}
	op->attrs = gk_ir_store_attrs(r, &draft->attrs);
	op->attr_count = (uint8_t)draft->attrs.count;
	op->region_count = (uint8_t)draft->region_count;
	op->loc = loc;
	op->results = (uint32_t)r->values.count;
	op->result_count = (uint16_t)draft->results.count;
	op->end = (uint32_t)r->ops.count;
	for (uint32_t i = 0; i < draft->results.count; i++)
		gk_ir_new_value(r, draft->results.items[i], draft->op, block, i, loc);
}

static int define_results(struct gk_ir_reader *r, const struct gk_ir_draft *draft,
                          const struct result_names *names, struct gk_err *e)
{
	uint32_t value = r->ops.items[draft->op].results;

	if (names->total != draft->results.count && names->names)
		return gk_lexer_fail_at(&r->lexer, draft->at, e, "expected names for %zu results of %s",
		                        draft->results.count, gk_ir_ops[draft->code].name);
	for (uint32_t i = 0; i < names->names; i++) {
		if (names->count[i] && gk_ir_define(r, &names->token[i], value, names->count[i], e))
			return -1;
		value += names->count[i];
	}
	return 0;
}

static void release_draft(struct gk_ir_draft *draft)
{
	gk_vec_release(&draft->operands);
	gk_vec_release(&draft->attrs);
	gk_vec_release(&draft->results);
	gk_vec_release(&draft->successors);
}

int gk_ir_read_op(struct gk_ir_reader *r, uint32_t block, struct gk_err *e)
{
	struct gk_ir_draft draft = {.at = r->lexer.now.start, .op = (uint32_t)r->ops.count};
	struct result_names names;
	uint32_t loc = 0;
	int result;

	if (r->ops.count == GK_IR_MAX_OPS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %u operations", GK_IR_MAX_OPS);
	gk_vec_push(&r->ops, (struct gk_ir_op){.block = block});
	gk_vec_push(&r->op_at, draft.at);
	result = read_result_names(r, &names, e) || read_op_body(r, &draft, e) ? -1 : 0;
	if (!result && gk_token_is_word(&r->lexer, "loc"))
		result = gk_ir_read_loc(r, &loc, e);
	if (!result) {
		store_op(r, &draft, loc);
		result = define_results(r, &draft, &names, e);
	}
	release_draft(&draft);
	return result;
}
