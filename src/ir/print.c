/* A module as text: locations, generic and special forms, blocks, regions, functions. */
#include <stdlib.h>

#include "base/memory.h"
#include "form.h"
#include "print.h"

/* Writes how a location refers to another one, whose alias there is already. */
static void refer(const struct printer *p, uint32_t loc, struct gk_buf *out)
{
	if (p->m->locs[loc].kind == GK_IR_LOC_UNKNOWN)
		gk_buf_add_text(out, "unknown");
	else
		gk_buf_printf(out, "#loc%u", p->locs[loc]);
}

static void describe(const struct printer *p, const struct gk_ir_loc *loc, struct gk_buf *out)
{
	switch ((enum gk_ir_loc_kind)loc->kind) {
	case GK_IR_LOC_FILE:
		put_quoted(out, loc->text, strlen(loc->text));
		gk_buf_printf(out, ":%u:%u", loc->line, loc->column);
		return;
	case GK_IR_LOC_NAME:
		put_quoted(out, loc->text, strlen(loc->text));
		gk_buf_add_char(out, '(');
		refer(p, loc->a, out);
		gk_buf_add_char(out, ')');
		return;
	case GK_IR_LOC_CALL:
		gk_buf_add_text(out, "callsite(");
		refer(p, loc->a, out);
		gk_buf_add_text(out, " at ");
		refer(p, loc->b, out);
		gk_buf_add_char(out, ')');
		return;
	case GK_IR_LOC_FUSED:
		gk_buf_add_text(out, "fused[");
		for (uint32_t i = 0; i < loc->b; i++) {
			gk_buf_add_text(out, i ? ", " : "");
			refer(p, p->m->fused[loc->a + i], out);
		}
		gk_buf_add_char(out, ']');
		return;
	case GK_IR_LOC_UNKNOWN:
		return;
	}
}

/* Gives loc an alias, after those it refers to; equal ones share it. The reader has bounded the depth. */
static void name_loc(struct printer *p, uint32_t index)
{
	const struct gk_ir_loc *loc = &p->m->locs[index];
	gk_buf_auto body = GK_BUF_INIT;
	union gk_map_value *value;
	bool is_new;

	if (p->locs[index] || loc->kind == GK_IR_LOC_UNKNOWN)
		return;
	if (loc->kind == GK_IR_LOC_NAME || loc->kind == GK_IR_LOC_CALL)
		name_loc(p, loc->a);
	if (loc->kind == GK_IR_LOC_CALL)
		name_loc(p, loc->b);
	for (uint32_t i = 0; loc->kind == GK_IR_LOC_FUSED && i < loc->b; i++)
		name_loc(p, p->m->fused[loc->a + i]);
	describe(p, loc, &body);
	value = gk_map_put(&p->texts, gk_buf_text(&body), &is_new);
	if (is_new) {
		value->number = (int64_t)p->texts.count;
		gk_buf_printf(&p->aliases, "#loc%lld = loc(%s)\n", (long long)value->number,
		              gk_buf_text(&body));
	}
	p->locs[index] = (uint32_t)value->number;
}

static void put_loc(struct printer *p, uint32_t loc)
{
	name_loc(p, loc);
	put_text(p, " loc(");
	refer(p, loc, p->out);
	put_text(p, ")");
}

static void put_region(struct printer *p, uint32_t region, bool with_args);

static void put_generic(struct printer *p, const struct gk_ir_op *op)
{
	put_text(p, "(");
	put_values(p, op, 0, op->operand_count);
	put_text(p, ")");
	put_dict(p, op, true, " <{", "}>");
	put_text(p, " (");
	for (uint32_t i = 0; i < op->region_count; i++) {
		put_text(p, i ? ", " : "");
		put_region(p, op->regions + i, true);
	}
	put_text(p, ")");
	put_dict(p, op, false, " {", "}");
	put_text(p, " : ");
	put_functional(p, op);
}

static void put_inits(struct printer *p, const struct gk_ir_op *op, uint32_t args, uint32_t first)
{
	put_text(p, "(");
	for (uint32_t i = first; i < op->operand_count; i++) {
		put_text(p, i > first ? ", " : "");
		put_value(p, args + i - first);
		put_text(p, " = ");
		put_values(p, op, i, 1);
	}
	put_text(p, ")");
}

static void put_for(struct printer *p, const struct gk_ir_op *op)
{
	const struct gk_ir_block *block = gk_ir_entry_block(p->m, gk_ir_op_region(p->m, op, 0));

	put_text(p, gk_ir_attr(p->m, op, "unsignedCmp") ? " unsigned " : " ");
	put_value(p, block->args);
	put_text(p, " = ");
	put_values(p, op, 0, 1);
	put_text(p, " to ");
	put_values(p, op, 1, 1);
	put_text(p, " step ");
	put_values(p, op, 2, 1);
	if (op->operand_count > 3) {
		put_text(p, " iter_args");
		put_inits(p, op, block->args + 1, 3);
		put_text(p, " -> (");
		put_result_types(p, op);
		put_text(p, ")");
	}
	put_text(p, " : ");
	put_type(p, operand_type(p, op, 0));
	put_text(p, " ");
	put_region(p, op->regions, false);
	put_dict(p, op, false, " {", "}");
}

static void put_if(struct printer *p, const struct gk_ir_op *op)
{
	put_text(p, " ");
	put_values(p, op, 0, 1);
	if (op->result_count) {
		put_text(p, " -> (");
		put_result_types(p, op);
		put_text(p, ")");
	}
	put_text(p, " ");
	put_region(p, op->regions, false);
	if (op->region_count > 1) {
		put_text(p, " else ");
		put_region(p, op->regions + 1, false);
	}
	put_dict(p, op, false, " {", "}");
}

static void put_while(struct printer *p, const struct gk_ir_op *op)
{
	if (op->operand_count) {
		put_text(p, " ");
		put_inits(p, op, gk_ir_entry_block(p->m, gk_ir_op_region(p->m, op, 0))->args, 0);
	}
	put_text(p, " : (");
	put_operand_types(p, op, 0, op->operand_count);
	put_text(p, ") -> ");
	put_result_list(p, op);
	put_text(p, " ");
	put_region(p, op->regions, false);
	put_text(p, " do ");
	put_region(p, op->regions + 1, true);
	put_dict(p, op, false, " attributes {", "}");
}

static void put_successor(struct printer *p, const struct gk_ir_op *op, uint32_t i)
{
	const struct gk_ir_successor *to = &p->m->successors[op->successors + i];
	uint32_t first = to->operands - op->operands;

	put(p, "^bb%u", to->block - p->m->regions[p->m->blocks[to->block].region].blocks);
	if (!to->operand_count)
		return;
	put_text(p, "(");
	put_values(p, op, first, to->operand_count);
	put_text(p, " : ");
	put_operand_types(p, op, first, to->operand_count);
	put_text(p, ")");
}

static void put_branch(struct printer *p, const struct gk_ir_op *op)
{
	put_text(p, " ");
	if (op->code == GK_IR_CF_COND_BR) {
		put_values(p, op, 0, 1);
		put_text(p, ", ");
	}
	for (uint32_t i = 0; i < op->successor_count; i++) {
		put_text(p, i ? ", " : "");
		put_successor(p, op, i);
	}
	put_dict(p, op, false, " {", "}");
}

static void put_scaled(struct printer *p, const struct gk_ir_op *op)
{
	const struct gk_ir_attr *sizes = gk_ir_attr(p->m, op, "operandSegmentSizes");
	uint32_t scale[2] = {0, 0}, next = 3;

	for (uint32_t i = 0; i < 2; i++)
		scale[i] = sizes && sizes->count == 5 && sizes->ints[3 + i] && next < op->operand_count
		                   ? next++
		                   : 0;
	for (uint32_t i = 0; i < 2; i++) {
		put_text(p, i ? ", " : " ");
		put_values(p, op, i, 1);
		if (scale[i]) {
			put_text(p, " scale ");
			put_values(p, op, scale[i], 1);
		}
	}
	put_text(p, ", ");
	put_values(p, op, 2, 1);
	put(p, " lhs = %s rhs = %s", gk_ir_attr_text(p->m, op, "a_elem_type", ""),
	    gk_ir_attr_text(p->m, op, "b_elem_type", ""));
	put_dict(p, op, false, " {", "}");
	for (uint32_t i = 0; i < 2; i++) {
		put_text(p, i ? " * " : " : ");
		put_operand_types(p, op, i, 1);
		if (scale[i]) {
			put_text(p, ", ");
			put_operand_types(p, op, scale[i], 1);
		}
	}
	put_text(p, " -> ");
	put_result_types(p, op);
}

static void put_special(struct printer *p, const struct gk_ir_op *op)
{
	switch (op->code) {
	case GK_IR_ARITH_CONSTANT:
		put_dict(p, op, false, " {", "}");
		put_text(p, " ");
		put_attr(p, gk_ir_attr(p->m, op, "value"));
		return;
	case GK_IR_SCF_FOR:
		put_for(p, op);
		return;
	case GK_IR_SCF_IF:
		put_if(p, op);
		return;
	case GK_IR_SCF_WHILE:
		put_while(p, op);
		return;
	case GK_IR_CF_BR:
	case GK_IR_CF_COND_BR:
		put_branch(p, op);
		return;
	case GK_IR_TT_DOT_SCALED:
		put_scaled(p, op);
		return;
	default:
		put_generic(p, op);
	}
}

static void put_indent(struct printer *p)
{
	for (int i = 0; i < p->depth; i++)
		put_text(p, "  ");
}

static void put_op(struct printer *p, const struct gk_ir_op *op)
{
	const char *format = gk_ir_ops[op->code].format;
	bool is_generic = strcmp(format, "generic") == 0;

	put_indent(p);
	if (op->result_count) {
		put(p, "%%%u", p->names[op->results]);
		if (op->result_count > 1)
			put(p, ":%u", op->result_count);
		put_text(p, " = ");
	}
	put(p, is_generic ? "\"%s\"" : "%s", gk_ir_ops[op->code].name);
	if (gk_form_is_special(format))
		put_special(p, op);
	else
		put_form(p, op);
	put_loc(p, op->loc);
	put_text(p, "\n");
}

static void put_block_head(struct printer *p, const struct gk_ir_block *block, uint32_t index, bool with_args)
{
	if (!index && (!with_args || !block->arg_count))
		return;
	for (int i = 1; i < p->depth; i++)
		put_text(p, "  ");
	put(p, "^bb%u", index);
	for (uint32_t i = 0; i < block->arg_count; i++) {
		put_text(p, i ? ", " : "(");
		put_value(p, block->args + i);
		put_text(p, ": ");
		put_type(p, p->m->values[block->args + i].type);
		put_loc(p, p->m->values[block->args + i].loc);
	}
	put_text(p, block->arg_count ? "):\n" : ":\n");
}

static void put_region(struct printer *p, uint32_t region, bool with_args)
{
	const struct gk_ir_region *r = &p->m->regions[region];

	put_text(p, "{\n");
	p->depth++;
	for (uint32_t i = 0; i < r->block_count; i++) {
		const struct gk_ir_block *block = &p->m->blocks[r->blocks + i];

		put_block_head(p, block, i, with_args);
		for (uint32_t k = block->first; k < block->end; k = p->m->ops[k].end)
			if (!p->is_silent || p->m->ops[k].code != GK_IR_TT_PRINT)
				put_op(p, &p->m->ops[k]);
	}
	p->depth--;
	put_indent(p);
	put_text(p, "}");
}

static void put_func(struct printer *p, const struct gk_ir_func *func)
{
	put(p, "  tt.func %s ", func->is_public ? "public" : "private");
	put_symbol(p, func->name);
	put_text(p, "(");
	for (uint32_t i = 0; i < func->param_count; i++) {
		put_text(p, i ? ", " : "");
		put_value(p, func->params[i].value);
		put_text(p, ": ");
		put_type(p, func->params[i].type);
		put_dict_in(p, func->params[i].attrs, func->params[i].attr_count, " {");
		put_loc(p, p->m->values[func->params[i].value].loc);
	}
	put_text(p, ")");
	for (uint32_t i = 0; i < func->result_count; i++) {
		put_text(p, i ? ", " : func->result_count > 1 ? " -> (" : " -> ");
		put_type(p, func->results[i]);
	}
	put_text(p, func->result_count > 1 ? ")" : "");
	put_dict_in(p, func->attrs, func->attr_count, " attributes {");
	put_text(p, " ");
	p->depth = 1;
	put_region(p, func->region, false);
	put_loc(p, func->loc);
	put_text(p, "\n");
}

/* Results share their operation's number, arguments have their own; both in the order of the text. */
static void name_values(struct printer *p)
{
	uint32_t results = 0, args = 0;

	for (uint32_t i = 0; i < p->m->op_count; i++) {
		for (uint32_t k = 0; k < p->m->ops[i].result_count; k++)
			p->names[p->m->ops[i].results + k] = results;
		results += p->m->ops[i].result_count > 0;
	}
	for (uint32_t i = 0; i < p->m->value_count; i++)
		if (p->m->values[i].op == GK_IR_NONE)
			p->names[i] = args++;
}

static void print_module(const struct gk_ir *module, bool is_silent, struct gk_buf *out)
{
	gk_buf_auto body = GK_BUF_INIT;
	struct printer p = {.m = module, .out = &body, .is_silent = is_silent};

	p.names = gk_alloc_array(module->value_count + 1, sizeof *p.names);
	p.locs = gk_alloc_array(module->loc_count + 1, sizeof *p.locs);
	name_values(&p);
	put_text(&p, "module");
	put_dict_in(&p, module->attr_first, module->attr_last - module->attr_first, " attributes {");
	put_text(&p, " {\n");
	for (uint32_t i = 0; i < module->func_count; i++)
		put_func(&p, &module->funcs[i]);
	put_text(&p, "}\n");
	gk_buf_add(out, gk_buf_text(&p.aliases), p.aliases.size);
	gk_buf_add(out, gk_buf_text(&body), body.size);
	gk_buf_release(&p.aliases);
	gk_map_release(&p.texts);
	free(p.names);
	free(p.locs);
}

void gk_ir_print(const struct gk_ir *module, struct gk_buf *out)
{
	print_module(module, false, out);
}

void gk_ir_print_silent(const struct gk_ir *module, struct gk_buf *out)
{
	print_module(module, true, out);
}
