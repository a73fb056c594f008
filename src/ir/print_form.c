/* Operations in their custom form: the words of a format (form.h), written one after the other. */
#include "form.h"
#include "print.h"

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

void put_form(struct printer *p, const struct gk_ir_op *op)
{
	const char *format = gk_ir_ops[op->code].format;
	struct progress at = {0};
	struct gk_form_word word;

	for (gk_form_next(&format, &word); word.form != GK_FORM_END; gk_form_next(&format, &word))
		put_form_word(p, op, &word, &at);
}
