#include "reader.h"

struct args GK_VEC(struct gk_ir_arg);

static int read_attributes(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	return gk_token_is(&r->lexer, '{') ? gk_ir_read_dict(r, false, &draft->attrs, e) : 0;
}

static int read_value_name(struct gk_ir_reader *r, struct gk_token *name, struct gk_err *e)
{
	*name = r->lexer.now;
	if (name->kind != GK_TOKEN_VALUE)
		return gk_lexer_fail(&r->lexer, e, "expected a name");
	gk_lexer_next(&r->lexer);
	return 0;
}

/* "arith.constant {attributes} value" */
static int read_constant(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	struct gk_ir_attr attr = {.name = "value"};

	if (read_attributes(r, draft, e) || gk_ir_read_attr(r, &attr, e))
		return -1;
	if (attr.kind != GK_IR_ATTR_BOOL && attr.kind != GK_IR_ATTR_INT && attr.kind != GK_IR_ATTR_FLOAT &&
	    attr.kind != GK_IR_ATTR_DENSE)
		return gk_lexer_fail(&r->lexer, e, "expected a number or a dense constant");
	return gk_ir_add_attr(r, &draft->attrs, &attr, e) ? -1 : gk_ir_add_result(r, draft, attr.type, e);
}

/* "(%a = %x, %b = %y)": names of a region's arguments, and their initial values as operands. */
static int read_inits(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct args *args, struct gk_err *e)
{
	if (gk_ir_expect(r, '(', e))
		return -1;
	if (gk_ir_accept(r, ')'))
		return 0;
	do {
		struct gk_ir_arg arg = {0};

		if (read_value_name(r, &arg.name, e) || gk_ir_expect(r, '=', e) ||
		    gk_ir_read_operand(r, draft, e))
			return -1;
		arg.type = r->values.items[gk_vec_last(&draft->operands)].type;
		gk_vec_push(args, arg);
	} while (gk_ir_accept(r, ','));
	return gk_ir_expect(r, ')', e);
}

static int read_results(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	uint32_t type;

	if (gk_ir_expect(r, '(', e))
		return -1;
	do {
		if (gk_ir_read_type(r, &type, e) || gk_ir_add_result(r, draft, type, e))
			return -1;
	} while (gk_ir_accept(r, ','));
	return gk_ir_expect(r, ')', e);
}

static int read_for_bounds(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct args *args,
                           struct gk_err *e)
{
	struct gk_ir_arg induction = {.type = GK_IR_INDEX};
	struct gk_ir_attr is_unsigned = {.name = "unsignedCmp", .kind = GK_IR_ATTR_UNIT};

	if (gk_ir_accept_word(r, "unsigned") && gk_ir_add_attr(r, &draft->attrs, &is_unsigned, e))
		return -1;
	if (read_value_name(r, &induction.name, e) || gk_ir_expect(r, '=', e) ||
	    gk_ir_read_operand(r, draft, e) || gk_ir_expect_word(r, "to", e) ||
	    gk_ir_read_operand(r, draft, e) || gk_ir_expect_word(r, "step", e) ||
	    gk_ir_read_operand(r, draft, e))
		return -1;
	gk_vec_push(args, induction);
	if (gk_ir_accept_word(r, "iter_args") &&
	    (read_inits(r, draft, args, e) || gk_ir_expect_arrow(r, e) || read_results(r, draft, e)))
		return -1;
	if (gk_ir_accept(r, ':') && gk_ir_read_type(r, &args->items[0].type, e))
		return -1;
	for (uint32_t i = 0; i < 3; i++)
		if (gk_ir_operand_is(r, draft, i, args->items[0].type, e))
			return -1;
	return 0;
}

static int read_draft_region(struct gk_ir_reader *r, struct gk_ir_draft *draft, const struct args *args,
                             enum gk_ir_code implicit, struct gk_err *e)
{
	uint32_t region;

	draft->region_count++;
	return gk_ir_read_region(r, draft->op, args ? args->items : NULL, args ? (uint32_t)args->count : 0,
	                         implicit, &region, e);
}

/* "scf.for %i = %a to %b step %c iter_args(%x = %y) -> (f32) : i32 {...} {attributes}" */
static int read_for(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	struct args args = {0};
	int result = read_for_bounds(r, draft, &args, e);

	if (!result)
		result = read_draft_region(r, draft, &args, GK_IR_SCF_YIELD, e);
	gk_vec_release(&args);
	return result ? -1 : read_attributes(r, draft, e);
}

/* "scf.if %c -> (f32) {...} else {...} {attributes}" */
static int read_if(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	if (gk_ir_read_operand(r, draft, e) || (gk_ir_accept_arrow(r) && read_results(r, draft, e)) ||
	    read_draft_region(r, draft, NULL, GK_IR_SCF_YIELD, e))
		return -1;
	if (gk_ir_accept_word(r, "else") && read_draft_region(r, draft, NULL, GK_IR_SCF_YIELD, e))
		return -1;
	return read_attributes(r, draft, e);
}

/* "scf.while (%a = %x) : (i32) -> (i32) {...} do {...} attributes {...}" */
static int read_while(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	struct args args = {0};
	int result = gk_token_is(&r->lexer, '(') ? read_inits(r, draft, &args, e) : 0;

	if (!result)
		result = gk_ir_expect(r, ':', e) || gk_ir_read_functional(r, draft, e) ? -1 : 0;
	if (!result)
		result = read_draft_region(r, draft, &args, GK_IR_INVALID, e);
	gk_vec_release(&args);
	if (result || gk_ir_expect_word(r, "do", e) || read_draft_region(r, draft, NULL, GK_IR_SCF_YIELD, e))
		return -1;
	return gk_ir_accept_word(r, "attributes") ? gk_ir_read_dict(r, false, &draft->attrs, e) : 0;
}

static int read_branch(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	return gk_ir_read_successor(r, draft, true, e) ? -1 : read_attributes(r, draft, e);
}

/* "cf.cond_br %c, ^bb1(%a : i32), ^bb2" */
static int read_cond_branch(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	if (gk_ir_read_operand(r, draft, e) || gk_ir_expect(r, ',', e) ||
	    gk_ir_read_successor(r, draft, true, e) || gk_ir_expect(r, ',', e))
		return -1;
	return read_branch(r, draft, e);
}

/* The operands of tt.dot_scaled: the text has each scale behind its operand, the list at the end. */
struct scales {
	uint32_t value[2];
	bool given[2];
};

static int read_scaled_operand(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct scales *scales,
                               int which, struct gk_err *e)
{
	if (gk_ir_read_operand(r, draft, e))
		return -1;
	if (gk_ir_accept_word(r, "scale")) {
		if (gk_ir_read_operand(r, draft, e))
			return -1;
		scales->given[which] = true;
		scales->value[which] = draft->operands.items[--draft->operands.count];
	}
	return gk_ir_expect(r, ',', e);
}

static int read_format_word(struct gk_ir_reader *r, struct gk_ir_draft *draft, const char *key,
                            const char *name, struct gk_err *e)
{
	struct gk_ir_attr attr = {.name = name, .kind = GK_IR_ATTR_WORD};

	if (gk_ir_expect_word(r, key, e) || gk_ir_expect(r, '=', e))
		return -1;
	attr.text = gk_ir_intern(r, r->lexer.now.text, r->lexer.now.size);
	attr.number = gk_ir_word_number(draft->code, name, attr.text);
	if (attr.number < 0)
		return gk_lexer_fail(&r->lexer, e, "expected a format such as e4m3");
	gk_lexer_next(&r->lexer);
	return gk_ir_add_attr(r, &draft->attrs, &attr, e);
}

static int read_scaled_type(struct gk_ir_reader *r, struct gk_ir_draft *draft, uint32_t operand,
                            bool has_scale, uint32_t scale, struct gk_err *e)
{
	uint32_t type;

	if (gk_ir_read_type(r, &type, e) || gk_ir_operand_is(r, draft, operand, type, e))
		return -1;
	if (!has_scale)
		return 0;
	return gk_ir_expect(r, ',', e) || gk_ir_read_type(r, &type, e)
	               ? -1
	               : gk_ir_operand_is(r, draft, scale, type, e);
}

static int add_segments(struct gk_ir_reader *r, struct gk_ir_draft *draft, const bool given[2],
                        struct gk_err *e)
{
	const int64_t sizes[] = {1, 1, 1, given[0], given[1]};
	struct gk_ir_attr attr = {
		.name = "operandSegmentSizes", .kind = GK_IR_ATTR_INTS, .type = GK_IR_I32, .count = 5};

	attr.ints = (const int64_t *)gk_arena_copy(r->arena, sizes, sizeof sizes);
	return gk_ir_add_attr(r, &draft->attrs, &attr, e);
}

/* "%a scale %s, %b scale %t, %c lhs = e4m3 rhs = e4m3 {attributes} : A, S * B, T -> D" */
static int read_scaled(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	struct scales scales = {.given = {false, false}};
	uint32_t type;

	if (read_scaled_operand(r, draft, &scales, 0, e) || read_scaled_operand(r, draft, &scales, 1, e) ||
	    gk_ir_read_operand(r, draft, e))
		return -1;
	for (int i = 0; i < 2; i++)
		if (scales.given[i])
			gk_vec_push(&draft->operands, scales.value[i]);
	if (add_segments(r, draft, scales.given, e) || read_format_word(r, draft, "lhs", "a_elem_type", e) ||
	    read_format_word(r, draft, "rhs", "b_elem_type", e) || read_attributes(r, draft, e) ||
	    gk_ir_expect(r, ':', e) || read_scaled_type(r, draft, 0, scales.given[0], 3, e) ||
	    gk_ir_expect(r, '*', e) ||
	    read_scaled_type(r, draft, 1, scales.given[1], 3u + scales.given[0], e) ||
	    gk_ir_expect_arrow(r, e) || gk_ir_read_type(r, &type, e))
		return -1;
	return gk_ir_operand_is(r, draft, 2, type, e) ? -1 : gk_ir_add_result(r, draft, type, e);
}

int gk_ir_read_special(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	switch (draft->code) {
	case GK_IR_ARITH_CONSTANT:
		return read_constant(r, draft, e);
	case GK_IR_SCF_FOR:
		return read_for(r, draft, e);
	case GK_IR_SCF_IF:
		return read_if(r, draft, e);
	case GK_IR_SCF_WHILE:
		return read_while(r, draft, e);
	case GK_IR_CF_BR:
		return read_branch(r, draft, e);
	case GK_IR_CF_COND_BR:
		return read_cond_branch(r, draft, e);
	case GK_IR_TT_DOT_SCALED:
		return read_scaled(r, draft, e);
	default:
		return gk_lexer_fail_at(&r->lexer, draft->at, e, "expected %s in its generic form, in quotes",
		                        gk_ir_ops[draft->code].name);
	}
}
