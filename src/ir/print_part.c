/* Parts of an operation's text: values, types, attributes. */
#include <math.h>
#include <stdlib.h>

#include "form.h"
#include "print.h"

void put_quoted(struct gk_buf *out, const char *text, size_t size)
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
void put_type(struct printer *p, uint32_t type)
{
	gk_ir_print_type(p->m, type, p->out);
}

void put_value(struct printer *p, uint32_t value)
{
	const struct gk_ir_value *v = &p->m->values[value];

	if (v->op == GK_IR_NONE)
		put(p, "%%arg%u", p->names[value]);
	else if (p->m->ops[v->op].result_count == 1)
		put(p, "%%%u", p->names[value]);
	else
		put(p, "%%%u#%u", p->names[value], v->index);
}

void put_values(struct printer *p, const struct gk_ir_op *op, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put_text(p, i ? ", " : "");
		put_value(p, p->m->operands[op->operands + first + i]);
	}
}

void put_operand_types(struct printer *p, const struct gk_ir_op *op, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		put_text(p, i ? ", " : "");
		put_type(p, operand_type(p, op, first + i));
	}
}

void put_result_types(struct printer *p, const struct gk_ir_op *op)
{
	for (uint32_t i = 0; i < op->result_count; i++) {
		put_text(p, i ? ", " : "");
		put_type(p, p->m->values[op->results + i].type);
	}
}

void put_result_list(struct printer *p, const struct gk_ir_op *op)
{
	put_text(p, op->result_count == 1 ? "" : "(");
	put_result_types(p, op);
	put_text(p, op->result_count == 1 ? "" : ")");
}

void put_functional(struct printer *p, const struct gk_ir_op *op)
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

/* Reads back without quotation marks. */
static bool is_plain_name(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.") == strlen(name) &&
	       strspn(name, "0123456789$.") == 0;
}

void put_symbol(struct printer *p, const char *name)
{
	bool is_plain = *name && is_plain_name(name);

	put_text(p, "@");
	put_text(p, is_plain ? "" : "\"");
	put_text(p, name);
	put_text(p, is_plain ? "" : "\"");
}

static void put_named(struct printer *p, const struct gk_ir_attr *attr);

static void put_number(struct printer *p, const struct gk_ir_attr *attr)
{
	put_element(p, attr->type, &attr->number);
	if (attr->type == GK_IR_I1)
		return;
	put_text(p, " : ");
	put_type(p, attr->type);
}

static void put_items(struct printer *p, const struct gk_ir_attr *attr)
{
	bool is_dict = attr->kind == GK_IR_ATTR_DICT;

	put_text(p, is_dict ? "{" : "[");
	for (uint32_t i = 0; i < attr->count; i++) {
		put_text(p, i ? ", " : "");
		(is_dict ? put_named : put_attr)(p, &attr->items[i]);
	}
	put_text(p, is_dict ? "}" : "]");
}

void put_attr(struct printer *p, const struct gk_ir_attr *attr)
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
		put_number(p, attr);
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
		put_items(p, attr);
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
	put(p, is_plain_name(attr->name) ? "%s" : "\"%s\"", attr->name);
	if (attr->kind == GK_IR_ATTR_UNIT)
		return;
	put_text(p, " = ");
	put_attr(p, attr);
}

void put_dict(struct printer *p, const struct gk_ir_op *op, bool properties, const char *open,
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

void put_dict_in(struct printer *p, uint32_t first, uint32_t count, const char *before)
{
	for (uint32_t i = 0; i < count; i++) {
		put(p, "%s", i ? ", " : before);
		put_named(p, &p->m->attrs[first + i]);
	}
	put_text(p, count ? "}" : "");
}
