#include "form.h"

#include <stdlib.h>

#include "reader.h"

static const struct {
	const char *word;
	enum gk_form form;
	const char *key, *name;
} words[] = {
	{"%", GK_FORM_OPERAND, "", ""},
	{",%?", GK_FORM_OPTIONAL_OPERAND, "", ""},
	{"%*", GK_FORM_OPERANDS, "", ""},
	{"%1", GK_FORM_SECOND_OPERAND, "", ""},
	{"overflow", GK_FORM_FLAGS, "overflow", "overflowFlags"},
	{"fastmath", GK_FORM_FLAGS, "fastmath", "fastmath"},
	{"exact", GK_FORM_UNIT, "exact", "isExact"},
	{"nneg", GK_FORM_UNIT, "nneg", "nonNeg"},
	{"allow_reorder", GK_FORM_UNIT, "allow_reorder", "allow_reorder"},
	{"efficient_layout", GK_FORM_UNIT, "efficient_layout", "efficient_layout"},
	{"roundingmode", GK_FORM_ROUNDING, "", "roundingmode"},
	{"{}", GK_FORM_DICT, "", ""},
	{"T", GK_FORM_TYPE, "", ""},
	{"T0", GK_FORM_OPERAND_TYPE, "", ""},
	{"T1", GK_FORM_OPERAND_TYPE, "", ""},
	{"T*", GK_FORM_OPERAND_TYPES, "", ""},
	{"R", GK_FORM_RESULT_TYPE, "", ""},
	{"R*", GK_FORM_RESULT_TYPES, "", ""},
	{"F", GK_FORM_FUNCTIONAL, "", ""},
	{"select", GK_FORM_SELECT, "", ""},
	{"(%*:T*)?", GK_FORM_TYPED_OPERANDS, "", ""},
	{":(%*:T*)?", GK_FORM_COLON_TYPED_OPERANDS, "", ""},
};

static const struct {
	const char *prefix;
	enum gk_form form;
} prefixes[] = {
	{"?,", GK_FORM_COMMA_KEY}, {"?", GK_FORM_KEY},    {"/", GK_FORM_WORD},
	{"\"", GK_FORM_STRING},    {"@", GK_FORM_SYMBOL}, {"|", GK_FORM_BAR_WORDS},
};

static void split_key(const char *text, struct gk_form_word *word)
{
	const char *equals = strchr(text, '=');

	if (equals)
		snprintf(word->key, sizeof word->key, "%.*s", (int)(equals - text), text);
	snprintf(word->name, sizeof word->name, "%s", equals ? equals + 1 : text);
}

void gk_form_next(const char **format, struct gk_form_word *word)
{
	char text[48];
	size_t size = strcspn(*format, " ");

	*word = (struct gk_form_word){.form = size ? GK_FORM_LITERAL : GK_FORM_END};
	snprintf(text, sizeof text, "%.*s", (int)size, *format);
	*format += size + ((*format)[size] == ' ');
	for (size_t i = 0; i < gk_count_of(words); i++) {
		if (strcmp(words[i].word, text) == 0) {
			word->form = words[i].form;
			snprintf(word->key, sizeof word->key, "%s", words[i].key);
			snprintf(word->name, sizeof word->name, "%s", words[i].name);
			word->index = text[0] == 'T' ? text[1] - '0' : 0;
			return;
		}
	}
	for (size_t i = 0; i < gk_count_of(prefixes); i++) {
		if (strncmp(text, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0) {
			word->form = prefixes[i].form;
			split_key(text + strlen(prefixes[i].prefix), word);
			return;
		}
	}
	if (text[0] == ',' && text[1]) {
		word->form = GK_FORM_REQUIRED_KEY;
		split_key(text + 1, word);
		return;
	}
	snprintf(word->key, sizeof word->key, "%.23s", text);
}

int gk_form_is_special(const char *format)
{
	static const char *const special[] = {"constant", "generic", "scaled", "for",
	                                      "if",       "while",   "br",     "cond_br"};

	for (size_t i = 0; i < gk_count_of(special); i++)
		if (strcmp(format, special[i]) == 0)
			return 1;
	return 0;
}

/* The attributes that a syntax of its own shows. */
static enum gk_form find_special(const char *name)
{
	static const struct {
		const char *name;
		enum gk_form form;
	} special[] = {
		{"value", GK_FORM_LITERAL},
		{"unsignedCmp", GK_FORM_UNIT},
		{"operandSegmentSizes", GK_FORM_LITERAL},
		{"a_elem_type", GK_FORM_WORD},
		{"b_elem_type", GK_FORM_WORD},
	};

	for (size_t i = 0; i < gk_count_of(special); i++)
		if (strcmp(special[i].name, name) == 0)
			return special[i].form;
	return GK_FORM_END;
}

enum gk_form gk_form_find(const char *format, const char *name)
{
	struct gk_form_word word;

	if (gk_form_is_special(format))
		return find_special(name);
	for (gk_form_next(&format, &word); word.form != GK_FORM_END; gk_form_next(&format, &word))
		if (word.form != GK_FORM_LITERAL && strcmp(word.name, name) == 0)
			return word.form;
	return GK_FORM_END;
}

static int add_text(struct gk_ir_reader *r, struct gk_ir_draft *draft, const char *name,
                    enum gk_ir_attr_kind kind, const char *text, int64_t number, struct gk_err *e)
{
	struct gk_ir_attr attr = {.name = gk_ir_intern(r, name, strlen(name)),
	                          .kind = (uint8_t)kind,
	                          .number = number,
	                          .text = text};

	return gk_ir_add_attr(r, &draft->attrs, &attr, e);
}

/* A word of the enumeration of attribute name. */
static int read_word(struct gk_ir_reader *r, struct gk_ir_draft *draft, const char *name, struct gk_err *e)
{
	const char *text;
	int64_t number;

	if (r->lexer.now.kind != GK_TOKEN_WORD)
		return gk_lexer_fail(&r->lexer, e, "expected a word for %s", name);
	text = gk_ir_intern(r, r->lexer.now.text, r->lexer.now.size);
	number = gk_ir_word_number(draft->code, name, text);
	if (number < 0)
		return gk_lexer_fail(&r->lexer, e, "expected a known word for %s", name);
	gk_lexer_next(&r->lexer);
	return add_text(r, draft, name, GK_IR_ATTR_WORD, text, number, e);
}

static int read_key(struct gk_ir_reader *r, struct gk_ir_draft *draft, const struct gk_form_word *word,
                    struct gk_err *e)
{
	if (gk_ir_expect_word(r, word->key, e) || gk_ir_expect(r, '=', e))
		return -1;
	return read_word(r, draft, word->name, e);
}

/* ", key = word", told from a comma before something else by looking one token ahead. */
static int read_comma_key(struct gk_ir_reader *r, struct gk_ir_draft *draft, const struct gk_form_word *word,
                          struct gk_err *e)
{
	size_t at = r->lexer.now.start;

	if (!gk_ir_accept(r, ','))
		return word->form == GK_FORM_REQUIRED_KEY ? gk_ir_expect(r, ',', e) : 0;
	if (word->form == GK_FORM_COMMA_KEY && !gk_token_is_word(&r->lexer, word->key)) {
		gk_lexer_seek(&r->lexer, at);
		return 0;
	}
	return read_key(r, draft, word, e);
}

/* "overflow<nsw, nuw>" */
static int read_flags(struct gk_ir_reader *r, struct gk_ir_draft *draft, const struct gk_form_word *word,
                      struct gk_err *e)
{
	char text[128] = "";
	size_t size = 0;

	if (!gk_ir_accept_word(r, word->key))
		return 0;
	if (gk_ir_expect(r, '<', e))
		return -1;
	do {
		const struct gk_token *token = &r->lexer.now;

		if (token->kind != GK_TOKEN_WORD || token->size + size + 4 > sizeof text)
			return gk_lexer_fail(&r->lexer, e, "expected a flag");
		size += (size_t)snprintf(text + size, sizeof text - size, "%s%.*s", size ? "," : "",
		                         (int)token->size, token->text);
		gk_lexer_next(&r->lexer);
	} while (gk_ir_accept(r, ','));
	if (gk_ir_expect(r, '>', e))
		return -1;
	return add_text(r, draft, word->name, GK_IR_ATTR_WORD, gk_ir_intern(r, text, size), -1, e);
}

static int read_rounding(struct gk_ir_reader *r, struct gk_ir_draft *draft, const struct gk_form_word *word,
                         struct gk_err *e)
{
	if (r->lexer.now.kind != GK_TOKEN_WORD || gk_token_is_word(&r->lexer, "fastmath"))
		return 0;
	return read_word(r, draft, word->name, e);
}

static int read_string(struct gk_ir_reader *r, struct gk_ir_draft *draft, const char *name, struct gk_err *e)
{
	struct gk_ir_attr attr = {.name = gk_ir_intern(r, name, strlen(name)), .kind = GK_IR_ATTR_STRING};

	if (r->lexer.now.kind != GK_TOKEN_STRING)
		return gk_lexer_fail(&r->lexer, e, "expected a string");
	attr.text = gk_ir_unescape(r, &r->lexer.now, &attr.count);
	gk_lexer_next(&r->lexer);
	return gk_ir_add_attr(r, &draft->attrs, &attr, e);
}

static int read_symbol(struct gk_ir_reader *r, struct gk_ir_draft *draft, const char *name, struct gk_err *e)
{
	struct gk_token token = r->lexer.now;

	if (token.kind != GK_TOKEN_SYMBOL)
		return gk_lexer_fail(&r->lexer, e, "expected the @name of a function");
	gk_lexer_next(&r->lexer);
	return add_text(r, draft, name, GK_IR_ATTR_SYMBOL, gk_ir_intern(r, token.text, token.size), 0, e);
}

/* "local", "global_read|global_write"; none at all in triton 3.4 */
static int read_bar_words(struct gk_ir_reader *r, struct gk_ir_draft *draft, const char *name,
                          struct gk_err *e)
{
	size_t start = r->lexer.now.start, end;

	if (r->lexer.now.kind != GK_TOKEN_WORD || gk_token_is_word(&r->lexer, "loc"))
		return 0;
	do {
		if (r->lexer.now.kind != GK_TOKEN_WORD)
			return gk_lexer_fail(&r->lexer, e, "expected a word for %s", name);
		end = r->lexer.at;
		gk_lexer_next(&r->lexer);
	} while (gk_ir_accept(r, '|'));
	return add_text(r, draft, name, GK_IR_ATTR_WORD, gk_ir_intern(r, r->lexer.text + start, end - start),
	                -1, e);
}

static int read_one_type(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	uint32_t type;

	if (gk_ir_read_type(r, &type, e))
		return -1;
	for (uint32_t i = 0; i < draft->operands.count; i++)
		if (gk_ir_operand_is(r, draft, i, type, e))
			return -1;
	for (int i = 0; i < gk_ir_ops[draft->code].results; i++)
		if (gk_ir_add_result(r, draft, type, e))
			return -1;
	return 0;
}

static int read_result_types(struct gk_ir_reader *r, struct gk_ir_draft *draft, bool is_list,
                             struct gk_err *e)
{
	uint32_t type;

	do {
		if (gk_ir_read_type(r, &type, e) || gk_ir_add_result(r, draft, type, e))
			return -1;
	} while (is_list && gk_ir_accept(r, ','));
	return 0;
}

static int read_select(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	uint32_t type;

	if (gk_ir_read_type(r, &type, e))
		return -1;
	if (gk_ir_accept(r, ',') && (gk_ir_operand_is(r, draft, 0, type, e) || gk_ir_read_type(r, &type, e)))
		return -1;
	return gk_ir_operand_is(r, draft, 1, type, e) || gk_ir_operand_is(r, draft, 2, type, e)
	               ? -1
	               : gk_ir_add_result(r, draft, type, e);
}

static int read_typed_operands(struct gk_ir_reader *r, struct gk_ir_draft *draft, bool after_colon,
                               struct gk_err *e)
{
	uint32_t first = (uint32_t)draft->operands.count;

	if (after_colon ? !gk_ir_accept(r, ':') : r->lexer.now.kind != GK_TOKEN_VALUE)
		return 0;
	if (gk_ir_read_operands(r, draft, e) || gk_ir_expect(r, ':', e))
		return -1;
	return gk_ir_read_type_list(r, draft, first, (uint32_t)draft->operands.count - first, e);
}

static int read_second_operand(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	uint32_t last;

	if (gk_ir_read_operand(r, draft, e))
		return -1;
	last = gk_vec_last(&draft->operands);
	for (size_t i = draft->operands.count - 1; i > 1; i--)
		draft->operands.items[i] = draft->operands.items[i - 1];
	draft->operands.items[1] = last;
	return 0;
}

static int read_literal(struct gk_ir_reader *r, const char *text, struct gk_err *e)
{
	if (strcmp(text, "->") == 0)
		return gk_ir_expect_arrow(r, e);
	return text[1] ? gk_ir_expect_word(r, text, e) : gk_ir_expect(r, text[0], e);
}

static int read_operand_type(struct gk_ir_reader *r, struct gk_ir_draft *draft, uint32_t index,
                             struct gk_err *e)
{
	uint32_t type;

	return gk_ir_read_type(r, &type, e) ? -1 : gk_ir_operand_is(r, draft, index, type, e);
}

static int read_form_word(struct gk_ir_reader *r, struct gk_ir_draft *draft, const struct gk_form_word *word,
                          struct gk_err *e)
{
	switch (word->form) {
	case GK_FORM_OPERAND:
		return gk_ir_read_operand(r, draft, e);
	case GK_FORM_OPTIONAL_OPERAND:
		return gk_ir_accept(r, ',') ? gk_ir_read_operand(r, draft, e) : 0;
	case GK_FORM_OPERANDS:
		return gk_ir_read_operands(r, draft, e);
	case GK_FORM_SECOND_OPERAND:
		return read_second_operand(r, draft, e);
	case GK_FORM_WORD:
		return read_word(r, draft, word->name, e);
	case GK_FORM_KEY:
		return gk_token_is_word(&r->lexer, word->key) ? read_key(r, draft, word, e) : 0;
	case GK_FORM_COMMA_KEY:
	case GK_FORM_REQUIRED_KEY:
		return read_comma_key(r, draft, word, e);
	case GK_FORM_STRING:
		return read_string(r, draft, word->name, e);
	case GK_FORM_SYMBOL:
		return read_symbol(r, draft, word->name, e);
	case GK_FORM_BAR_WORDS:
		return read_bar_words(r, draft, word->name, e);
	case GK_FORM_FLAGS:
		return read_flags(r, draft, word, e);
	case GK_FORM_UNIT:
		return gk_ir_accept_word(r, word->key)
		               ? add_text(r, draft, word->name, GK_IR_ATTR_UNIT, NULL, 0, e)
		               : 0;
	case GK_FORM_ROUNDING:
		return read_rounding(r, draft, word, e);
	case GK_FORM_DICT:
		return gk_token_is(&r->lexer, '{') ? gk_ir_read_dict(r, false, &draft->attrs, e) : 0;
	case GK_FORM_TYPE:
		return read_one_type(r, draft, e);
	case GK_FORM_OPERAND_TYPE:
		return read_operand_type(r, draft, (uint32_t)word->index, e);
	case GK_FORM_OPERAND_TYPES:
		return gk_ir_read_type_list(r, draft, 0, (uint32_t)draft->operands.count, e);
	case GK_FORM_RESULT_TYPE:
	case GK_FORM_RESULT_TYPES:
		return read_result_types(r, draft, word->form == GK_FORM_RESULT_TYPES, e);
	case GK_FORM_FUNCTIONAL:
		return gk_ir_read_functional(r, draft, e);
	case GK_FORM_SELECT:
		return read_select(r, draft, e);
	case GK_FORM_TYPED_OPERANDS:
	case GK_FORM_COLON_TYPED_OPERANDS:
		return read_typed_operands(r, draft, word->form == GK_FORM_COLON_TYPED_OPERANDS, e);
	default:
		return read_literal(r, word->key, e);
	}
}

int gk_ir_read_form(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	const char *format = gk_ir_ops[draft->code].format;
	struct gk_form_word word;

	for (gk_form_next(&format, &word); word.form != GK_FORM_END; gk_form_next(&format, &word))
		if (read_form_word(r, draft, &word, e))
			return -1;
	return gk_ir_infer_results(r, draft, e);
}

/* The pointee of a pointer, or a tensor of pointees; 0 when type holds no pointers. */
static uint32_t pointee_like(struct gk_ir_reader *r, uint32_t type)
{
	uint32_t element = gk_ir_element(r->types.items, type);

	if (r->types.items[element].kind != GK_IR_PTR)
		return 0;
	return gk_ir_type_like(r, type, r->types.items[element].element);
}

int gk_ir_infer_results(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e)
{
	const struct gk_ir_op_info *info = &gk_ir_ops[draft->code];
	uint32_t type = 0;

	if (draft->results.count == 1 && info->results == 2)
		return gk_ir_add_result(r, draft, draft->results.items[0], e);
	if (draft->results.count || info->results <= 0 || !draft->operands.count)
		return 0;
	type = r->values.items[draft->operands.items[0]].type;
	if (info->class == GK_IR_CLASS_COMPARE)
		type = gk_ir_type_like(r, type, GK_IR_I1);
	else if (draft->code == GK_IR_TT_LOAD)
		type = pointee_like(r, type);
	else if (draft->code == GK_IR_TT_UNSPLAT)
		type = gk_ir_element(r->types.items, type);
	if (!type)
		return gk_lexer_fail_at(&r->lexer, draft->at, e, "expected a pointer to load from");
	return gk_ir_add_result(r, draft, type, e);
}
