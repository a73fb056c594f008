/* How operations hang together: regions and their terminators, branches, calls, dominance. */
#include <stdlib.h>

#include "reader.h"

struct flow {
	const struct gk_ir_reader *r;
	const struct gk_ir *m;
	const struct gk_ir_op *op;
	uint32_t index;
	struct gk_err *e;
};

#define fail(f, ...) gk_ir_verify_fail((f)->r, (f)->index, (f)->e, __VA_ARGS__)

static uint32_t operand_type(const struct flow *f, const struct gk_ir_op *op, uint32_t i)
{
	return f->m->values[f->m->operands[op->operands + i]].type;
}

static const struct gk_ir_op *terminator(const struct gk_ir *m, const struct gk_ir_block *block)
{
	/* The last operation of a block has no regions, so it is the one before the end. */
	return &m->ops[block->end - 1];
}

/* The operands of op from first on have the types of count values. */
static bool types_agree(const struct flow *f, const struct gk_ir_op *op, uint32_t first, uint32_t values,
                        uint32_t count)
{
	if (op->operand_count != first + count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (operand_type(f, op, first + i) != f->m->values[values + i].type)
			return false;
	return true;
}

/* Region i of the operation has one block, ended by code; NULL and a failure otherwise. */
static const struct gk_ir_block *single_block(const struct flow *f, uint32_t i, enum gk_ir_code code)
{
	const struct gk_ir_region *region = gk_ir_op_region(f->m, f->op, i);
	const struct gk_ir_block *block = &f->m->blocks[region->blocks];

	if (region->block_count != 1 || terminator(f->m, block)->code != code) {
		fail(f, "expected a region of one block that ends with %s", gk_ir_ops[code].name);
		return NULL;
	}
	return block;
}

static int check_reduce_type(const struct flow *f, uint32_t i, bool is_scan, int64_t axis)
{
	const struct gk_ir_type *from = &f->m->types[operand_type(f, f->op, i)];
	const struct gk_ir_type *first = &f->m->types[operand_type(f, f->op, 0)];
	uint32_t result = f->m->values[f->op->results + i].type, rank = 0;
	const struct gk_ir_type *to = &f->m->types[result];

	if (from->kind != GK_IR_TENSOR || axis < 0 || axis >= from->rank || from->rank != first->rank ||
	    memcmp(from->shape, first->shape, from->rank * sizeof *from->shape) != 0)
		return fail(f, "expected tensors of one shape, and an axis of it");
	if (is_scan)
		return operand_type(f, f->op, i) == result
		               ? 0
		               : fail(f, "expected results of the operands' types");
	if (gk_ir_element(f->m->types, result) != from->element || to->rank != from->rank - 1)
		return fail(f, "expected results without the axis");
	for (uint32_t k = 0; k < from->rank; k++)
		if (k != axis && to->shape[rank++] != from->shape[k])
			return fail(f, "expected results without the axis");
	return 0;
}

static int check_reduce(const struct flow *f)
{
	bool is_scan = f->op->code == GK_IR_TT_SCAN;
	int64_t axis = gk_ir_attr_int(f->m, f->op, "axis", -1);
	uint32_t count = f->op->operand_count;
	const struct gk_ir_block *block;

	if (f->op->region_count != 1 || f->op->result_count != count)
		return fail(f, "expected one region, and a result for each operand");
	block = single_block(f, 0, is_scan ? GK_IR_TT_SCAN_RETURN : GK_IR_TT_REDUCE_RETURN);
	if (!block)
		return -1;
	if (block->arg_count != 2 * count || terminator(f->m, block)->operand_count != count)
		return fail(f, "expected a region that makes one value from two, for each operand");
	for (uint32_t i = 0; i < count; i++) {
		uint32_t element = gk_ir_element(f->m->types, operand_type(f, f->op, i));

		if (check_reduce_type(f, i, is_scan, axis))
			return -1;
		if (f->m->values[block->args + i].type != element ||
		    f->m->values[block->args + count + i].type != element ||
		    operand_type(f, terminator(f->m, block), i) != element)
			return fail(f, "expected a region over the operands' elements");
	}
	return 0;
}

static int check_for(const struct flow *f)
{
	const struct gk_ir_block *block;
	uint32_t type = operand_type(f, f->op, 0), inits = f->op->operand_count - 3u;

	if (f->op->region_count != 1 || f->op->result_count != inits)
		return fail(f, "expected one region, and a result for each initial value");
	block = single_block(f, 0, GK_IR_SCF_YIELD);
	if (!block)
		return -1;
	if (!gk_ir_kind_is_int(type) || operand_type(f, f->op, 1) != type ||
	    operand_type(f, f->op, 2) != type)
		return fail(f, "expected bounds and step of one integer type");
	if (block->arg_count != inits + 1 || f->m->values[block->args].type != type ||
	    !types_agree(f, f->op, 3, block->args + 1, inits) ||
	    !types_agree(f, f->op, 3, f->op->results, inits) ||
	    !types_agree(f, terminator(f->m, block), 0, f->op->results, inits))
		return fail(
			f,
			"expected initial values, arguments, yielded values and results of the same types");
	return 0;
}

static int check_if(const struct flow *f)
{
	if (f->op->region_count < 1 || f->op->region_count > 2 ||
	    (f->op->result_count && f->op->region_count != 2))
		return fail(f, "expected two regions, or one and no results");
	if (operand_type(f, f->op, 0) != GK_IR_I1)
		return fail(f, "expected a condition of i1");
	for (uint32_t i = 0; i < f->op->region_count; i++) {
		const struct gk_ir_block *block = single_block(f, i, GK_IR_SCF_YIELD);

		if (!block)
			return -1;
		if (block->arg_count ||
		    !types_agree(f, terminator(f->m, block), 0, f->op->results, f->op->result_count))
			return fail(f, "expected yielded values of the results' types");
	}
	return 0;
}

static int check_while(const struct flow *f)
{
	const struct gk_ir_block *before, *after;
	uint32_t results = f->op->result_count;

	if (f->op->region_count != 2)
		return fail(f, "expected two regions");
	before = single_block(f, 0, GK_IR_SCF_CONDITION);
	if (!before)
		return -1;
	after = single_block(f, 1, GK_IR_SCF_YIELD);
	if (!after)
		return -1;
	if (operand_type(f, terminator(f->m, before), 0) != GK_IR_I1)
		return fail(f, "expected a condition of i1");
	if (!types_agree(f, f->op, 0, before->args, before->arg_count) ||
	    !types_agree(f, terminator(f->m, before), 1, f->op->results, results) ||
	    after->arg_count != results ||
	    !types_agree(f, terminator(f->m, before), 1, after->args, results) ||
	    !types_agree(f, terminator(f->m, after), 0, before->args, before->arg_count))
		return fail(f, "expected values of the same types around the loop");
	return 0;
}

static int check_branch(const struct flow *f)
{
	uint32_t region = f->m->blocks[f->op->block].region;

	if (f->op->successor_count != (f->op->code == GK_IR_CF_BR ? 1 : 2))
		return fail(f, "expected successors");
	if (f->op->code == GK_IR_CF_COND_BR && operand_type(f, f->op, 0) != GK_IR_I1)
		return fail(f, "expected a condition of i1");
	for (uint32_t i = 0; i < f->op->successor_count; i++) {
		const struct gk_ir_successor *to = &f->m->successors[f->op->successors + i];
		const struct gk_ir_block *block = &f->m->blocks[to->block];

		if (to->block == f->m->regions[region].blocks)
			return fail(f, "expected no branch to the entry block");
		if (to->operand_count != block->arg_count)
			return fail(f, "expected a value for each argument of the block");
		for (uint32_t k = 0; k < block->arg_count; k++)
			if (f->m->values[f->m->operands[to->operands + k]].type !=
			    f->m->values[block->args + k].type)
				return fail(f, "expected values of the arguments' types");
	}
	return 0;
}

static int check_call(const struct flow *f)
{
	uint32_t index = gk_ir_func_find(f->m, gk_ir_attr_text(f->m, f->op, "callee", ""));
	const struct gk_ir_func *func;

	if (index == GK_IR_NONE)
		return fail(f, "expected a function of the module");
	func = &f->m->funcs[index];
	if (f->op->operand_count != func->param_count || f->op->result_count != func->result_count)
		return fail(f, "expected the operands and results of the function");
	for (uint32_t i = 0; i < func->param_count; i++)
		if (operand_type(f, f->op, i) != func->params[i].type)
			return fail(f, "expected operands of the parameters' types");
	for (uint32_t i = 0; i < func->result_count; i++)
		if (f->m->values[f->op->results + i].type != func->results[i])
			return fail(f, "expected results of the function's types");
	return 0;
}

/* The function that an operation stands in: bodies of functions are the first regions, in their order. */
static uint32_t func_of(const struct gk_ir *m, const struct gk_ir_op *op)
{
	uint32_t region = m->blocks[op->block].region;

	while (m->regions[region].op != GK_IR_NONE)
		region = m->blocks[m->ops[m->regions[region].op].block].region;
	return region;
}

static int check_return(const struct flow *f)
{
	const struct gk_ir_func *func = &f->m->funcs[func_of(f->m, f->op)];

	if (f->m->regions[f->m->blocks[f->op->block].region].op != GK_IR_NONE)
		return fail(f, "expected to end a block of the function itself");
	if (f->op->operand_count != func->result_count)
		return fail(f, "expected the function's results");
	for (uint32_t i = 0; i < func->result_count; i++)
		if (operand_type(f, f->op, i) != func->results[i])
			return fail(f, "expected the function's results");
	return 0;
}

/* Regions that may have several blocks: each ends with code or a branch. */
static int check_ends(const struct flow *f, uint32_t region, enum gk_ir_code code)
{
	const struct gk_ir_region *r = &f->m->regions[region];

	for (uint32_t i = 0; i < r->block_count; i++) {
		uint32_t last = f->m->blocks[r->blocks + i].end - 1;
		uint16_t found = f->m->ops[last].code;

		if (found != code && found != GK_IR_CF_BR && found != GK_IR_CF_COND_BR)
			return gk_ir_verify_fail(f->r, last, f->e, "expected %s or a branch here",
			                         gk_ir_ops[code].name);
	}
	return 0;
}

static int check_map(const struct flow *f)
{
	uint32_t pack = (uint32_t)gk_ir_attr_int(f->m, f->op, "pack", 1);
	const struct gk_ir_block *entry;

	if (f->op->region_count != 1 || pack < 1 || pack > 64)
		return fail(f, "expected one region, and a pack of 1 to 64");
	entry = gk_ir_entry_block(f->m, gk_ir_op_region(f->m, f->op, 0));
	if (entry->arg_count != f->op->operand_count * pack)
		return fail(f, "expected a region over the operands' elements");
	for (uint32_t i = 0; i < entry->arg_count; i++)
		if (f->m->values[entry->args + i].type !=
		    gk_ir_element(f->m->types, operand_type(f, f->op, i / pack)))
			return fail(f, "expected a region over the operands' elements");
	return check_ends(f, f->op->regions, GK_IR_TT_MAP_RETURN);
}

static int check_map_return(const struct flow *f)
{
	uint32_t owner = f->m->regions[f->m->blocks[f->op->block].region].op;
	const struct gk_ir_op *map = owner == GK_IR_NONE ? NULL : &f->m->ops[owner];
	uint32_t pack;

	if (!map || map->code != GK_IR_TT_MAP)
		return fail(f, "expected to end a block of tt.map_elementwise");
	pack = (uint32_t)gk_ir_attr_int(f->m, map, "pack", 1);
	if (f->op->operand_count != map->result_count * pack)
		return fail(f, "expected a value for each result");
	for (uint32_t i = 0; i < f->op->operand_count; i++) {
		uint32_t result = f->m->values[map->results + i / pack].type;

		if (operand_type(f, f->op, i) != gk_ir_element(f->m->types, result))
			return fail(f, "expected values of the results' elements");
	}
	return 0;
}

static int check_op(const struct flow *f)
{
	uint16_t code = f->op->code;

	if (f->op->successor_count && code != GK_IR_CF_BR && code != GK_IR_CF_COND_BR)
		return fail(f, "expected no successors");
	switch (code) {
	case GK_IR_TT_REDUCE:
	case GK_IR_TT_SCAN:
		return check_reduce(f);
	case GK_IR_SCF_FOR:
		return check_for(f);
	case GK_IR_SCF_IF:
		return check_if(f);
	case GK_IR_SCF_WHILE:
		return check_while(f);
	case GK_IR_TT_MAP:
		return check_map(f);
	default:
		break;
	}
	if (f->op->region_count)
		return fail(f, "expected no regions");
	switch (code) {
	case GK_IR_TT_MAP_RETURN:
		return check_map_return(f);
	case GK_IR_CF_BR:
	case GK_IR_CF_COND_BR:
		return check_branch(f);
	case GK_IR_TT_CALL:
		return check_call(f);
	case GK_IR_TT_RETURN:
		return check_return(f);
	default:
		return 0;
	}
}

/* reach[i] has bit k when function i calls k, if only through others; GK_IR_MAX_FUNCS is 64. */
static void find_calls(const struct gk_ir *m, uint64_t reach[GK_IR_MAX_FUNCS])
{
	for (uint32_t i = 0; i < m->op_count; i++)
		if (m->ops[i].code == GK_IR_TT_CALL)
			reach[func_of(m, &m->ops[i])] |=
				(uint64_t)1
				<< gk_ir_func_find(m, gk_ir_attr_text(m, &m->ops[i], "callee", ""));
	for (uint32_t via = 0; via < m->func_count; via++)
		for (uint32_t i = 0; i < m->func_count; i++)
			if (reach[i] >> via & 1)
				reach[i] |= reach[via];
}

static int check_funcs(const struct gk_ir_reader *r, struct gk_ir *m, struct gk_err *e)
{
	uint64_t reach[GK_IR_MAX_FUNCS] = {0};
	uint32_t entries = 0;

	find_calls(m, reach);
	for (uint32_t i = 0; i < m->func_count; i++) {
		if (gk_ir_func_find(m, m->funcs[i].name) != i)
			return gk_lexer_fail_at(&r->lexer, 0, e, "expected one function of the name %.64s",
			                        m->funcs[i].name);
		if (reach[i] >> i & 1)
			return gk_lexer_fail_at(&r->lexer, 0, e, "expected %.64s not to call itself",
			                        m->funcs[i].name);
		if (m->funcs[i].is_public) {
			m->entry = i;
			entries++;
		}
	}
	if (entries != 1)
		return gk_lexer_fail_at(&r->lexer, 0, e, "expected one public function, found %u", entries);
	for (uint32_t i = 0; i < m->func_count; i++)
		if (i != m->entry && !(reach[m->entry] >> i & 1))
			return gk_lexer_fail_at(&r->lexer, 0, e, "expected %.64s to be called",
			                        m->funcs[i].name);
	return 0;
}

/* Which blocks of one region dominate a block; bit i is the region's block i. */
struct dominators {
	uint64_t bits[GK_IR_MAX_BLOCKS / 64];
};

static bool intersect(struct dominators *to, const struct dominators *from, uint32_t self)
{
	bool changed = false;

	for (uint32_t i = 0; i < gk_count_of(to->bits); i++) {
		uint64_t bits =
			to->bits[i] & (from->bits[i] | (self / 64 == i ? (uint64_t)1 << self % 64 : 0));

		changed |= bits != to->bits[i];
		to->bits[i] = bits;
	}
	return changed;
}

/* The usual fixed point: a block is dominated by itself and by what dominates all blocks that lead to it. */
static void find_dominators(const struct gk_ir *m, const struct gk_ir_region *region, struct dominators *all)
{
	bool changed = true;

	memset(all, 0xff, region->block_count * sizeof *all);
	memset(&all[0], 0, sizeof all[0]);
	all[0].bits[0] = 1;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < region->block_count; i++) {
			const struct gk_ir_op *last = terminator(m, &m->blocks[region->blocks + i]);

			for (uint32_t k = 0; k < last->successor_count; k++) {
				uint32_t to = m->successors[last->successors + k].block - region->blocks;

				changed |= intersect(&all[to], &all[i], to);
			}
		}
	}
}

/* The block of region in which block lies, if only deep within; GK_IR_NONE when it lies elsewhere. */
static uint32_t block_in(const struct gk_ir *m, uint32_t block, uint32_t region)
{
	while (m->blocks[block].region != region) {
		uint32_t op = m->regions[m->blocks[block].region].op;

		if (op == GK_IR_NONE)
			return GK_IR_NONE;
		block = m->ops[op].block;
	}
	return block;
}

/* The text defines before it uses; what is left is whether each way there passes the definition. */
static int check_uses(const struct flow *f, const struct dominators *const *dominators)
{
	for (uint32_t i = 0; i < f->op->operand_count; i++) {
		const struct gk_ir_value *value = &f->m->values[f->m->operands[f->op->operands + i]];
		uint32_t region = f->m->blocks[value->block].region,
			 block = block_in(f->m, f->op->block, region), bit;

		if (block == GK_IR_NONE)
			return fail(f, "expected operand %u to be in scope", i);
		if (block == value->block)
			continue;
		bit = value->block - f->m->regions[region].blocks;
		if (!(dominators[region][block - f->m->regions[region].blocks].bits[bit / 64] >> bit % 64 &
		      1))
			return fail(f, "expected operand %u to be defined on every way here", i);
	}
	return 0;
}

static int check_all_uses(const struct gk_ir_reader *r, struct gk_err *e)
{
	const struct gk_ir *m = r->module;
	gk_arena_auto arena = {0};
	const struct dominators **all = gk_arena_array(&arena, m->region_count, sizeof *all);

	for (uint32_t i = 0; i < m->region_count; i++) {
		struct dominators *region = gk_arena_array(&arena, m->regions[i].block_count, sizeof *region);

		find_dominators(m, &m->regions[i], region);
		all[i] = region;
	}
	for (uint32_t i = 0; i < m->op_count; i++) {
		struct flow f = {r, m, &m->ops[i], i, e};

		if (check_uses(&f, all))
			return -1;
	}
	return 0;
}

int gk_ir_verify_flow(struct gk_ir_reader *r, struct gk_err *e)
{
	struct gk_ir *m = r->module;

	for (uint32_t i = 0; i < m->op_count; i++) {
		struct flow f = {r, m, &m->ops[i], i, e};

		if (check_op(&f))
			return -1;
	}
	for (uint32_t i = 0; i < m->func_count; i++) {
		struct flow f = {r, m, NULL, 0, e};

		if (check_ends(&f, m->funcs[i].region, GK_IR_TT_RETURN))
			return -1;
	}
	return check_funcs(r, m, e) ? -1 : check_all_uses(r, e);
}
