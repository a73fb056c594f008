#include "reader.h"

static struct gk_ir_label *find_label(struct gk_ir_reader *r, const struct gk_token *name)
{
	for (size_t i = r->label_base; i < r->labels.count; i++) {
		struct gk_ir_label *label = &r->labels.items[i];

		if (label->size == name->size && memcmp(label->text, name->text, name->size) == 0)
			return label;
	}
	return NULL;
}

static int new_block(struct gk_ir_reader *r, uint32_t *block, struct gk_err *e)
{
	if (r->blocks.count >= GK_IR_MAX_OPS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %u blocks", GK_IR_MAX_OPS);
	*block = (uint32_t)r->blocks.count;
	gk_vec_push(&r->blocks, (struct gk_ir_block){.region = r->region});
	return 0;
}

/* The block of the current ^label, made when it is met for the first time; the token is consumed. */
static int read_label(struct gk_ir_reader *r, bool is_definition, uint32_t *block, struct gk_err *e)
{
	struct gk_token name = r->lexer.now;
	struct gk_ir_label *label;

	if (name.kind != GK_TOKEN_BLOCK)
		return gk_lexer_fail(&r->lexer, e, "expected a block");
	label = find_label(r, &name);
	if (!label) {
		struct gk_ir_label fresh = {.text = name.text, .size = name.size, .where = name.start};

		if (r->labels.count - r->label_base == GK_IR_MAX_BLOCKS)
			return gk_lexer_fail(&r->lexer, e, "expected at most %d blocks in a region",
			                     GK_IR_MAX_BLOCKS);
		if (new_block(r, &fresh.block, e))
			return -1;
		gk_vec_push(&r->labels, fresh);
		label = &gk_vec_last(&r->labels);
	}
	if (is_definition && label->is_defined)
		return gk_lexer_fail(&r->lexer, e, "expected a new block");
	label->is_defined |= is_definition;
	*block = label->block;
	gk_lexer_next(&r->lexer);
	return 0;
}

static int define_args(struct gk_ir_reader *r, uint32_t block, const struct gk_ir_arg *args, uint32_t count,
                       struct gk_err *e)
{
	uint32_t first = (uint32_t)r->values.count;

	r->blocks.items[block].args = first;
	r->blocks.items[block].arg_count = count;
	for (uint32_t i = 0; i < count; i++)
		gk_ir_new_value(r, args[i].type, GK_IR_NONE, block, i, args[i].loc);
	for (uint32_t i = 0; i < count; i++)
		if (gk_ir_define(r, &args[i].name, first + i, 1, e))
			return -1;
	return 0;
}

/* "%a: f32 loc(#loc1)" */
static int read_block_arg(struct gk_ir_reader *r, struct gk_ir_arg *arg, struct gk_err *e)
{
	*arg = (struct gk_ir_arg){.name = r->lexer.now};
	if (arg->name.kind != GK_TOKEN_VALUE)
		return gk_lexer_fail(&r->lexer, e, "expected an argument");
	gk_lexer_next(&r->lexer);
	if (gk_ir_expect(r, ':', e) || gk_ir_read_type(r, &arg->type, e))
		return -1;
	return gk_token_is_word(&r->lexer, "loc") ? gk_ir_read_loc(r, &arg->loc, e) : 0;
}

/* "^bb1(%a: f32, %b: i32):" */
static int read_block_head(struct gk_ir_reader *r, uint32_t *block, struct gk_err *e)
{
	struct GK_VEC(struct gk_ir_arg) args = {0};
	int result = 0;

	if (read_label(r, true, block, e))
		return -1;
	if (gk_ir_accept(r, '(') && !gk_ir_accept(r, ')')) {
		do {
			struct gk_ir_arg arg;

			result = args.count == GK_IR_MAX_OPERANDS
			                 ? gk_lexer_fail(&r->lexer, e, "expected at most %d arguments",
			                                 GK_IR_MAX_OPERANDS)
			                 : read_block_arg(r, &arg, e);
			if (!result)
				gk_vec_push(&args, arg);
		} while (!result && gk_ir_accept(r, ','));
		if (!result)
			result = gk_ir_expect(r, ')', e);
	}
	if (!result)
		result = gk_ir_expect(r, ':', e);
	if (!result)
		result = define_args(r, *block, args.items, (uint32_t)args.count, e);
	gk_vec_release(&args);
	return result;
}

static bool is_terminator(uint16_t code)
{
	switch (code) {
	case GK_IR_TT_REDUCE_RETURN:
	case GK_IR_TT_SCAN_RETURN:
	case GK_IR_TT_MAP_RETURN:
	case GK_IR_TT_RETURN:
	case GK_IR_SCF_CONDITION:
	case GK_IR_SCF_YIELD:
	case GK_IR_CF_BR:
	case GK_IR_CF_COND_BR:
		return true;
	default:
		return false;
	}
}

static void add_terminator(struct gk_ir_reader *r, uint32_t block, enum gk_ir_code code)
{
	struct gk_ir_op op = {.code = (uint16_t)code,
	                      .block = block,
	                      .operands = (uint32_t)r->operands.count,
	                      .results = (uint32_t)r->values.count,
	                      .attrs = (uint32_t)r->attrs.count,
	                      .successors = (uint32_t)r->successors.count,
	                      .end = (uint32_t)r->ops.count + 1};

	gk_vec_push(&r->ops, op);
	gk_vec_push(&r->op_at, r->lexer.now.start);
}

/* The operations of a block up to the next label or the closing brace. */
static int read_block(struct gk_ir_reader *r, uint32_t block, enum gk_ir_code implicit, struct gk_err *e)
{
	uint32_t last = GK_IR_NONE;

	r->blocks.items[block].first = (uint32_t)r->ops.count;
	while (!gk_token_is(&r->lexer, '}') && r->lexer.now.kind != GK_TOKEN_BLOCK) {
		if (last != GK_IR_NONE && is_terminator(r->ops.items[last].code))
			return gk_lexer_fail(&r->lexer, e, "expected the end of the block");
		last = (uint32_t)r->ops.count;
		if (gk_ir_read_op(r, block, e))
			return -1;
	}
	if (last == GK_IR_NONE || !is_terminator(r->ops.items[last].code)) {
		if (implicit == GK_IR_INVALID || r->ops.count >= GK_IR_MAX_OPS)
			return gk_lexer_fail(&r->lexer, e, "expected a terminator");
		add_terminator(r, block, implicit);
	}
	r->blocks.items[block].end = (uint32_t)r->ops.count;
	return 0;
}

static int read_blocks(struct gk_ir_reader *r, const struct gk_ir_arg *args, uint32_t arg_count,
                       enum gk_ir_code implicit, struct gk_err *e)
{
	uint32_t block = 0;

	if (arg_count || r->lexer.now.kind != GK_TOKEN_BLOCK) {
		if (new_block(r, &block, e) || define_args(r, block, args, arg_count, e) ||
		    read_block(r, block, implicit, e))
			return -1;
	}
	while (r->lexer.now.kind == GK_TOKEN_BLOCK)
		if (read_block_head(r, &block, e) || read_block(r, block, implicit, e))
			return -1;
	for (size_t i = r->label_base; i < r->labels.count; i++)
		if (!r->labels.items[i].is_defined)
			return gk_lexer_fail_at(&r->lexer, r->labels.items[i].where, e,
			                        "expected a block that the region has");
	return gk_ir_expect(r, '}', e);
}

int gk_ir_read_region(struct gk_ir_reader *r, uint32_t op, const struct gk_ir_arg *args, uint32_t arg_count,
                      enum gk_ir_code implicit, uint32_t *region, struct gk_err *e)
{
	size_t outer_base = r->label_base, scope = r->scope.count;
	uint32_t outer = r->region;
	int result;

	if (r->depth == GK_IR_MAX_DEPTH)
		return gk_lexer_fail(&r->lexer, e, "expected regions nested at most %d deep",
		                     GK_IR_MAX_DEPTH);
	if (gk_ir_expect(r, '{', e))
		return -1;
	*region = r->region = (uint32_t)r->regions.count;
	gk_vec_push(&r->regions, (struct gk_ir_region){.op = op});
	r->label_base = r->labels.count;
	r->depth++;
	result = read_blocks(r, args, arg_count, implicit, e);
	r->depth--;
	r->labels.count = r->label_base;
	r->label_base = outer_base;
	r->region = outer;
	while (r->scope.count > scope)
		r->ssa.items[r->scope.items[--r->scope.count]].count = 0;
	return result;
}

int gk_ir_read_successor(struct gk_ir_reader *r, struct gk_ir_draft *draft, bool has_operands,
                         struct gk_err *e)
{
	struct gk_ir_successor successor = {.operands = (uint32_t)draft->operands.count};

	if (draft->successors.count == 2)
		return gk_lexer_fail(&r->lexer, e, "expected at most two successors");
	if (read_label(r, false, &successor.block, e))
		return -1;
	if (has_operands && gk_ir_accept(r, '(')) {
		if (gk_ir_read_operands(r, draft, e) || gk_ir_expect(r, ':', e))
			return -1;
		successor.operand_count = (uint32_t)draft->operands.count - successor.operands;
		if (gk_ir_read_type_list(r, draft, successor.operands, successor.operand_count, e) ||
		    gk_ir_expect(r, ')', e))
			return -1;
	}
	gk_vec_push(&draft->successors, successor);
	return 0;
}
