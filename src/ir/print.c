#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/memory.h"
#include "form.h"
#include "ir.h"

struct printer {
	const struct gk_ir *m;
	struct gk_buf *out;
	uint32_t *names;     /* of values: number of the %name */
	uint32_t *locs;      /* of locations: 1 + number of the alias, 0 while there is none */
	struct gk_map texts; /* body of a location -> number of its alias */
	struct gk_buf aliases;
	int depth;
	bool is_silent; /* without tt.print, which has no results: no value and no other operation refers to one */
};

#define put(p, ...) gk_buf_printf((p)->out, __VA_ARGS__)

static void put_text(struct printer *p, const char *text)
{
	gk_buf_add_text(p->out, text);
}

static void put_quoted(struct gk_buf *out, const char *text, size_t size)
{
	gk_buf_add_char(out, '"');
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			gk_buf_printf(out, "\\%02X", c);
		else
			gk_buf_add_char(out, (char)c);
	}
	gk_buf_add_char(out, '"');
}

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

static void put_type(struct printer *p, uint32_t type)
{
	gk_ir_print_type(p->m, type, p->out);
}

static void put_value(struct printer *p, uint32_t value)
{
	const struct gk_ir_value *v = &p->m->values[value];

	if (v->op == GK_IR_NONE)
		put(p, "%%arg%u", p->names[value]);
	else if (p->m->ops[v->op].result_count == 1)
		put(p, "%%%u", p->names[value]);
	else
		put(p, "%%%u#%u", p->names[value], v->index);
}

static void put_values(struct printer *p, const struct gk_ir_op *op, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put_text(p, i ? ", " : "");
		put_value(p, p->m->operands[op->operands + first + i]);
	}
}

static uint32_t operand_type(const struct printer *p, const struct gk_ir_op *op, uint32_t i)
{
	return p->m->values[p->m->operands[op->operands + i]].type;
}

static void put_operand_types(struct printer *p, const struct gk_ir_op *op, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put_text(p, i ? ", " : "");
		put_type(p, operand_type(p, op, first + i));
	}
}

static void put_result_types(struct printer *p, const struct gk_ir_op *op)
{
	for (uint32_t i = 0; i < op->result_count; i++) {
		put_text(p, i ? ", " : "");
		put_type(p, p->m->values[op->results + i].type);
	}
}

/* "f32", "(f32, i32)", "()" */
static void put_result_list(struct printer *p, const struct gk_ir_op *op)
{
	put_text(p, op->result_count == 1 ? "" : "(");
	put_result_types(p, op);
	put_text(p, op->result_count == 1 ? "" : ")");
}

static void put_functional(struct printer *p, const struct gk_ir_op *op)
{
	put_text(p, "(");
	put_operand_types(p, op, 0, op->operand_count);
	put_text(p, ") -> ");
	put_result_list(p, op);
}

/* Decimal where that reads back to the same bits, hexadecimal otherwise. */
static void put_float(struct printer *p, uint32_t kind, const void *element)
{
	enum gk_dtype dtype = gk_ir_kind_dtype(kind);
	size_t bytes = gk_ir_kind_bytes(kind);
	double value = gk_dtype_load(dtype, element);
	uint64_t bits = 0, again = 0;
	char text[40];

	memcpy(&bits, element, bytes);
	snprintf(text, sizeof text, "%.6e", value);
	gk_dtype_store(dtype, &again, strtod(text, NULL));
	if (isfinite(value) && again == bits)
		put_text(p, text);
	else
		put(p, "0x%0*llX", (int)bytes * 2, (unsigned long long)bits);
}

static void put_element(struct printer *p, uint32_t kind, const void *element)
{
	int64_t value;

	if (gk_ir_kind_is_float(kind)) {
		put_float(p, kind, element);
	} else if (kind == GK_IR_I1) {
		put_text(p, *(const uint8_t *)element ? "true" : "false");
	} else if (kind == GK_IR_INDEX) {
		memcpy(&value, element, sizeof value);
		put(p, "%lld", (long long)value);
	} else {
		put(p, "%lld", (long long)gk_dtype_load_int(gk_ir_kind_dtype(kind), element));
	}
}

static const uint8_t *put_list(struct printer *p, const struct gk_ir_type *type, uint32_t axis,
                               const uint8_t *at)
{
	if (axis == type->rank) {
		put_element(p, type->element, at);
		return at + gk_ir_kind_bytes(type->element);
	}
	put_text(p, "[");
	for (uint32_t i = 0; i < type->shape[axis]; i++) {
		put_text(p, i ? ", " : "");
		at = put_list(p, type, axis + 1, at);
	}
	put_text(p, "]");
	return at;
}

static void put_dense(struct printer *p, const struct gk_ir_attr *attr)
{
	const struct gk_ir_type *type = &p->m->types[attr->type];

	put_text(p, "dense<");
	if (attr->count == 1)
		put_element(p, type->element, attr->bytes);
	else
		put_list(p, type, 0, attr->bytes);
	put_text(p, "> : ");
	put_type(p, attr->type);
}

static void put_ints(struct printer *p, const struct gk_ir_attr *attr)
{
	put_text(p, "array<");
	put_type(p, attr->type);
	for (uint32_t i = 0; i < attr->count; i++) {
		put_text(p, i ? ", " : ": ");
		if (attr->type == GK_IR_I1)
			put_text(p, attr->ints[i] ? "true" : "false");
		else
			put(p, "%lld", (long long)attr->ints[i]);
	}
	put_text(p, ">");
}

static void put_symbol(struct printer *p, const char *name)
{
	bool is_plain = *name &&
	                strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.") ==
	                        strlen(name) &&
	                strspn(name, "0123456789$.") == 0;

	put_text(p, "@");
	put_text(p, is_plain ? "" : "\"");
	put_text(p, name);
	put_text(p, is_plain ? "" : "\"");
}

static void put_named(struct printer *p, const struct gk_ir_attr *attr);

static void put_attr(struct printer *p, const struct gk_ir_attr *attr)
{
	switch ((enum gk_ir_attr_kind)attr->kind) {
	case GK_IR_ATTR_UNIT:
		put_text(p, "unit");
		return;
	case GK_IR_ATTR_BOOL:
		put_text(p, attr->number ? "true" : "false");
		return;
	case GK_IR_ATTR_INT:
	case GK_IR_ATTR_FLOAT:
		put_element(p, attr->type, &attr->number);
		if (attr->type != GK_IR_I1) {
			put_text(p, " : ");
			put_type(p, attr->type);
		}
		return;
	case GK_IR_ATTR_WORD:
		/* An enumeration without a place of its own in the text: the number is all MLIR takes. */
		put(p, "%lld : i32", (long long)attr->number);
		return;
	case GK_IR_ATTR_STRING:
		put_quoted(p->out, attr->text, attr->count);
		return;
	case GK_IR_ATTR_SYMBOL:
		put_symbol(p, attr->text);
		return;
	case GK_IR_ATTR_TYPE:
		put_type(p, attr->type);
		return;
	case GK_IR_ATTR_ARRAY:
	case GK_IR_ATTR_DICT:
		put_text(p, attr->kind == GK_IR_ATTR_DICT ? "{" : "[");
		for (uint32_t i = 0; i < attr->count; i++) {
			put_text(p, i ? ", " : "");
			(attr->kind == GK_IR_ATTR_DICT ? put_named : put_attr)(p, &attr->items[i]);
		}
		put_text(p, attr->kind == GK_IR_ATTR_DICT ? "}" : "]");
		return;
	case GK_IR_ATTR_INTS:
		put_ints(p, attr);
		return;
	case GK_IR_ATTR_DENSE:
		put_dense(p, attr);
		return;
	case GK_IR_ATTR_OPAQUE:
		put_text(p, attr->text);
		return;
	}
}

static void put_named(struct printer *p, const struct gk_ir_attr *attr)
{
	bool is_plain =
		strspn(attr->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.") ==
			strlen(attr->name) &&
		strspn(attr->name, "0123456789$.") == 0;

	put(p, is_plain ? "%s" : "\"%s\"", attr->name);
	if (attr->kind == GK_IR_ATTR_UNIT)
		return;
	put_text(p, " = ");
	put_attr(p, attr);
}

/* " {a = 1 : i32}" of the attributes that are (no) properties and not shown otherwise; open and close around
 * it. */
static void put_dict(struct printer *p, const struct gk_ir_op *op, bool properties, const char *open,
                     const char *close)
{
	bool any = false;

	for (uint32_t i = 0; i < op->attr_count; i++) {
		const struct gk_ir_attr *attr = &p->m->attrs[op->attrs + i];

		if (attr->is_property != properties ||
		    gk_form_find(gk_ir_ops[op->code].format, attr->name) != GK_FORM_END)
			continue;
		put_text(p, any ? ", " : open);
		put_named(p, attr);
		any = true;
	}
	put_text(p, any ? close : "");
}

static void put_dict_in(struct printer *p, uint32_t first, uint32_t count, const char *before)
{
	for (uint32_t i = 0; i < count; i++) {
		put(p, "%s", i ? ", " : before);
		put_named(p, &p->m->attrs[first + i]);
	}
	put_text(p, count ? "}" : "");
}

static void put_region(struct printer *p, uint32_t region, bool with_args);

/* How far the printing of one operation's form has come. */
struct progress {
	uint32_t operand, result;
	uint32_t lists;
};

/* What of the operands a "%*" takes: all that no later word of the format does; two lists share evenly. */
static uint32_t list_length(const struct gk_ir_op *op, const struct progress *at)
{
	uint32_t left = op->operand_count - at->operand;

	if (op->code == GK_IR_TT_MAKE_DESC)
		return at->lists ? left : left / 2;
	return left;
}

static void put_flag_word(struct printer *p, const struct gk_ir_op *op, const struct gk_form_word *word)
{
	const struct gk_ir_attr *attr = gk_ir_attr(p->m, op, word->name);

	if (!attr)
		return;
	switch (word->form) {
	case GK_FORM_KEY:
		put(p, " %s = %s", word->key, attr->text);
		return;
	case GK_FORM_COMMA_KEY:
	case GK_FORM_REQUIRED_KEY:
		put(p, ", %s = %s", word->key, attr->text);
		return;
	case GK_FORM_FLAGS:
		put(p, " %s<%s>", word->key, attr->text);
		return;
	case GK_FORM_UNIT:
		put(p, " %s", word->key);
		return;
	default:
		put(p, " %s", attr->text);
	}
}

static void put_literal(struct printer *p, const char *text)
{
	bool tight = strcmp(text, ",") == 0 || strcmp(text, "]") == 0 || strcmp(text, ")") == 0;

	put(p, tight ? "%s" : " %s", text);
}

static void put_gap(struct printer *p)
{
	char last = (char)(p->out->size ? p->out->bytes[p->out->size - 1] : ' ');

	if (last != '[' && last != '(')
		put_text(p, " ");
}

static void put_operand_word(struct printer *p, const struct gk_ir_op *op, const struct gk_form_word *word,
                             struct progress *at)
{
	uint32_t count = word->form == GK_FORM_OPERANDS ? list_length(op, at) : 1;

	if (word->form == GK_FORM_OPTIONAL_OPERAND) {
		if (at->operand == op->operand_count)
			return;
		put_text(p, ",");
	}
	if (word->form == GK_FORM_SECOND_OPERAND) {
		put_text(p, " ");
		put_values(p, op, 1, 1);
		return;
	}
	at->lists += word->form == GK_FORM_OPERANDS;
	if (!count)
		return;
	put_gap(p);
	put_values(p, op, at->operand, count);
	at->operand += count;
	/* The second operand of the descriptor's stores stands last in the text. */
	if (at->operand == 1 && (op->code == GK_IR_TT_DESC_STORE || op->code == GK_IR_TT_DESC_REDUCE))
		at->operand = 2;
}

static void put_type_word(struct printer *p, const struct gk_ir_op *op, const struct gk_form_word *word,
                          struct progress *at)
{
	put_text(p, " ");
	switch (word->form) {
	case GK_FORM_TYPE:
		put_type(p, op->result_count ? p->m->values[op->results].type : operand_type(p, op, 0));
		return;
	case GK_FORM_OPERAND_TYPE:
		put_type(p, operand_type(p, op, (uint32_t)word->index));
		return;
	case GK_FORM_OPERAND_TYPES:
		put_operand_types(p, op, 0, op->operand_count);
		return;
	case GK_FORM_RESULT_TYPE:
		put_type(p, p->m->values[op->results + at->result++].type);
		return;
	case GK_FORM_RESULT_TYPES:
		put_result_types(p, op);
		return;
	case GK_FORM_SELECT:
		if (operand_type(p, op, 0) != GK_IR_I1) {
			put_type(p, operand_type(p, op, 0));
			put_text(p, ", ");
		}
		put_type(p, p->m->values[op->results].type);
		return;
	default:
		put_functional(p, op);
	}
}

static void put_typed_operands(struct printer *p, const struct gk_ir_op *op, struct progress *at,
                               bool after_colon)
{
	uint32_t count = op->operand_count - at->operand;

	if (!count)
		return;
	put_text(p, after_colon ? " : " : " ");
	put_values(p, op, at->operand, count);
	put_text(p, " : ");
	put_operand_types(p, op, at->operand, count);
}

static void put_form_word(struct printer *p, const struct gk_ir_op *op, const struct gk_form_word *word,
                          struct progress *at)
{
	const struct gk_ir_attr *attr;

	switch (word->form) {
	case GK_FORM_OPERAND:
	case GK_FORM_OPTIONAL_OPERAND:
	case GK_FORM_OPERANDS:
	case GK_FORM_SECOND_OPERAND:
		put_operand_word(p, op, word, at);
		return;
	case GK_FORM_STRING:
		attr = gk_ir_attr(p->m, op, word->name);
		put_text(p, " ");
		put_quoted(p->out, attr ? attr->text : "", attr ? attr->count : 0);
		return;
	case GK_FORM_SYMBOL:
		put_text(p, " ");
		put_symbol(p, gk_ir_attr_text(p->m, op, word->name, ""));
		return;
	case GK_FORM_DICT:
		put_dict(p, op, false, " {", "}");
		return;
	case GK_FORM_TYPED_OPERANDS:
	case GK_FORM_COLON_TYPED_OPERANDS:
		put_typed_operands(p, op, at, word->form == GK_FORM_COLON_TYPED_OPERANDS);
		return;
	case GK_FORM_LITERAL:
		put_literal(p, word->key);
		return;
	case GK_FORM_TYPE:
	case GK_FORM_OPERAND_TYPE:
	case GK_FORM_OPERAND_TYPES:
	case GK_FORM_RESULT_TYPE:
	case GK_FORM_RESULT_TYPES:
	case GK_FORM_SELECT:
	case GK_FORM_FUNCTIONAL:
		put_type_word(p, op, word, at);
		return;
	default:
		put_flag_word(p, op, word);
	}
}

static void put_form(struct printer *p, const struct gk_ir_op *op)
{
	const char *format = gk_ir_ops[op->code].format;
	struct progress at = {0};
	struct gk_form_word word;

	for (gk_form_next(&format, &word); word.form != GK_FORM_END; gk_form_next(&format, &word))
		put_form_word(p, op, &word, &at);
}

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
