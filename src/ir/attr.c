#include <errno.h>
#include <stdlib.h>

#include "reader.h"

static int read_attr(struct gk_ir_reader *r, int depth, struct gk_ir_attr *attr, struct gk_err *e);

int gk_ir_add_attr(struct gk_ir_reader *r, struct gk_ir_attr_vec *attrs, const struct gk_ir_attr *attr,
                   struct gk_err *e)
{
	for (size_t i = 0; i < attrs->count; i++)
		if (strcmp(attrs->items[i].name, attr->name) == 0)
			return gk_lexer_fail(&r->lexer, e, "expected the attribute %.64s only once",
			                     attr->name);
	if (attrs->count == GK_IR_MAX_ATTRS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %d attributes", GK_IR_MAX_ATTRS);
	gk_vec_push(attrs, *attr);
	return 0;
}

uint32_t gk_ir_store_attrs(struct gk_ir_reader *r, const struct gk_ir_attr_vec *attrs)
{
	uint32_t first = (uint32_t)r->attrs.count;

	for (size_t i = 0; i < attrs->count; i++)
		gk_vec_push(&r->attrs, attrs->items[i]);
	return first;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* MLIR escapes a byte as \ and two hexadecimal digits, and \n \t \" \\. */
char *gk_ir_unescape(struct gk_ir_reader *r, const struct gk_token *token, uint32_t *size)
{
	char *text = gk_arena_copy(r->arena, token->text, token->size);
	uint32_t n = 0;

	for (size_t i = 0; i < token->size; i++) {
		char c = token->text[i];

		if (c == '\\' && i + 1 < token->size) {
			char next = token->text[++i];
			int high = hex_digit(next),
			    low = i + 1 < token->size ? hex_digit(token->text[i + 1]) : -1;

			if (high >= 0 && low >= 0) {
				c = (char)(high << 4 | low);
				i++;
			} else {
				c = (char)(next == 'n' ? '\n' : next == 't' ? '\t' : next);
			}
		}
		text[n++] = c;
	}
	text[n] = '\0';
	*size = n;
	return text;
}

/* Numbers as they stand in the text, before their type is known. */
struct literal {
	bool is_negative, is_hex, is_real;
	uint64_t whole; /* magnitude */
	double real;
};

static int read_literal(struct gk_ir_reader *r, struct literal *literal, struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	char text[512], *end;
	size_t sign;

	if (l->now.kind != GK_TOKEN_NUMBER || l->now.size >= sizeof text)
		return gk_lexer_fail(l, e, "expected a number");
	memcpy(text, l->now.text, l->now.size);
	text[l->now.size] = '\0';
	sign = text[0] == '-';
	*literal = (struct literal){
		.is_negative = sign, .is_hex = text[sign + 1] == 'x', .is_real = strchr(text, '.') != NULL};
	errno = 0;
	if (literal->is_real) {
		literal->real = strtod(text, &end);
	} else {
		literal->whole = strtoull(text + sign, &end, literal->is_hex ? 16 : 10);
		literal->real = (double)literal->whole * (sign ? -1 : 1);
		if (errno)
			return gk_lexer_fail(l, e, "expected a number of at most 64 bits");
	}
	if (*end)
		return gk_lexer_fail(l, e, "expected a number");
	gk_lexer_next(l);
	return 0;
}

static unsigned kind_bits(uint32_t kind)
{
	return kind == GK_IR_I1 ? 1 : (unsigned)gk_ir_kind_bytes(kind) * 8;
}

static int64_t sign_extend(uint64_t value, unsigned bits)
{
	if (bits == 1)
		return (int64_t)(value & 1);
	return bits == 64 ? (int64_t)value : (int64_t)(value << (64 - bits)) >> (64 - bits);
}

/* The bits of a literal as an element of a scalar type; false when it does not fit. */
static bool literal_bits(const struct literal *literal, uint32_t kind, int64_t *bits)
{
	unsigned width = kind_bits(kind);

	if (gk_ir_kind_is_float(kind) && !literal->is_hex) {
		uint64_t raw = 0;

		gk_dtype_store(gk_ir_kind_dtype(kind), &raw, literal->real);
		*bits = (int64_t)raw;
		return true;
	}
	if (literal->is_real || (width < 64 && literal->whole >> width))
		return false;
	if (gk_ir_kind_is_float(kind)) {
		*bits = (int64_t)literal->whole;
		return !literal->is_negative;
	}
	if (literal->is_negative && literal->whole > (uint64_t)1 << (width - 1))
		return false;
	*bits = sign_extend(literal->is_negative ? 0 - literal->whole : literal->whole, width);
	return true;
}

static int read_number(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e)
{
	struct literal literal;
	size_t at = r->lexer.now.start;

	if (read_literal(r, &literal, e))
		return -1;
	attr->type = literal.is_real ? GK_IR_F64 : GK_IR_I64;
	if (gk_ir_accept(r, ':') && gk_ir_read_type(r, &attr->type, e))
		return -1;
	if (attr->type >= GK_IR_SCALAR_COUNT || !literal_bits(&literal, attr->type, &attr->number))
		return gk_lexer_fail_at(&r->lexer, at, e, "expected a number that fits its type");
	attr->kind = gk_ir_kind_is_float(attr->type) ? GK_IR_ATTR_FLOAT : GK_IR_ATTR_INT;
	return 0;
}

/* "array<i32: 1, 0>" behind the word array. */
static int read_ints(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e)
{
	struct GK_VEC(int64_t) ints = {0};
	int result = -1;

	attr->kind = GK_IR_ATTR_INTS;
	if (gk_ir_expect(r, '<', e) || gk_ir_read_type(r, &attr->type, e))
		goto out;
	if (!gk_ir_kind_is_int(attr->type)) {
		gk_lexer_fail(&r->lexer, e, "expected an array of integers");
		goto out;
	}
	if (gk_ir_accept(r, ':')) {
		do {
			struct literal literal = {.whole = gk_token_is_word(&r->lexer, "true")};
			int64_t bits;

			if (gk_token_is_word(&r->lexer, "true") || gk_token_is_word(&r->lexer, "false"))
				gk_lexer_next(&r->lexer);
			else if (read_literal(r, &literal, e))
				goto out;
			if (!literal_bits(&literal, attr->type, &bits)) {
				gk_lexer_fail(&r->lexer, e, "expected a number that fits its type");
				goto out;
			}
			gk_vec_push(&ints, bits);
		} while (gk_ir_accept(r, ','));
	}
	attr->count = (uint32_t)ints.count;
	attr->ints = (const int64_t *)gk_arena_copy(r->arena, ints.items, ints.count * sizeof *ints.items);
	result = gk_ir_expect(r, '>', e);
out:
	gk_vec_release(&ints);
	return result;
}

/* The elements of a dense constant while their type is not known yet: it stands behind them. */
struct elements {
	struct GK_VEC(struct literal) items;
	uint32_t shape[GK_IR_MAX_RANK];
	uint32_t rank;
	bool has_shape;
};

static int read_element(struct gk_ir_reader *r, struct elements *elements, struct gk_err *e)
{
	struct literal literal = {.whole = 1};

	if (elements->items.count == GK_IR_MAX_ELEMENTS)
		return gk_lexer_fail(&r->lexer, e, "expected at most %u elements", GK_IR_MAX_ELEMENTS);
	if (gk_ir_accept_word(r, "false"))
		literal.whole = 0;
	else if (!gk_ir_accept_word(r, "true") && read_literal(r, &literal, e))
		return -1;
	gk_vec_push(&elements->items, literal);
	return 0;
}

/* Nested lists; every list of one depth must have the same length. */
static int read_elements(struct gk_ir_reader *r, struct elements *elements, uint32_t depth, struct gk_err *e)
{
	uint32_t count = 0;

	if (!gk_token_is(&r->lexer, '['))
		return depth && depth != elements->rank ? gk_lexer_fail(&r->lexer, e, "expected a list")
		                                        : read_element(r, elements, e);
	if (depth == GK_IR_MAX_RANK || (elements->has_shape && depth >= elements->rank))
		return gk_lexer_fail(&r->lexer, e, "expected a number");
	gk_lexer_next(&r->lexer);
	if (!elements->has_shape)
		elements->rank = depth + 1;
	do {
		if (read_elements(r, elements, depth + 1, e))
			return -1;
		elements->has_shape = true;
		count++;
	} while (gk_ir_accept(r, ','));
	if (elements->shape[depth] && elements->shape[depth] != count)
		return gk_lexer_fail(&r->lexer, e, "expected lists of equal length");
	elements->shape[depth] = count;
	return gk_ir_expect(r, ']', e);
}

static int store_elements(struct gk_ir_reader *r, const struct elements *elements, struct gk_ir_attr *attr,
                          struct gk_err *e)
{
	const struct gk_ir_type *type = &r->types.items[attr->type];
	size_t bytes = gk_ir_kind_bytes(type->element);
	uint8_t *to = gk_arena_array(r->arena, elements->items.count, bytes);
	bool fits = !elements->has_shape || elements->rank == type->rank;

	for (uint32_t i = 0; fits && elements->has_shape && i < type->rank; i++)
		fits = elements->shape[i] == type->shape[i];
	if (!fits)
		return gk_lexer_fail(&r->lexer, e, "expected as many elements as the type has");
	for (size_t i = 0; i < elements->items.count; i++) {
		int64_t bits;

		if (!literal_bits(&elements->items.items[i], type->element, &bits))
			return gk_lexer_fail(&r->lexer, e, "expected elements that fit the type");
		memcpy(to + i * bytes, &bits, bytes);
	}
	attr->bytes = to;
	attr->count = (uint32_t)elements->items.count;
	return 0;
}

/* "0x0000803F...": the raw bytes of all elements or of one; i1 are packed, eight to a byte. */
static int store_blob(struct gk_ir_reader *r, const struct gk_token *token, struct gk_ir_attr *attr,
                      struct gk_err *e)
{
	const struct gk_ir_type *type = &r->types.items[attr->type];
	size_t size = token->size / 2 - 1, bytes = gk_ir_kind_bytes(type->element),
	       full = type->count * bytes;
	bool is_bits = type->element == GK_IR_I1;
	uint8_t *to = gk_arena_alloc(r->arena, full);

	if (is_bits)
		full = (type->count + 7) / 8, bytes = 1;
	if (size != full && size != bytes)
		return gk_lexer_fail(&r->lexer, e, "expected the bytes of one or of all elements");
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(token->text[2 + 2 * i]), low = hex_digit(token->text[3 + 2 * i]);

		if (high < 0 || low < 0)
			return gk_lexer_fail(&r->lexer, e, "expected hexadecimal digits");
		if (!is_bits)
			to[i] = (uint8_t)(high << 4 | low);
		for (size_t k = 0; is_bits && k < 8 && i * 8 + k < type->count; k++)
			to[i * 8 + k] = (high << 4 | low) >> k & 1;
	}
	attr->bytes = to;
	attr->count = size == full ? type->count : 1;
	return 0;
}

static int read_dense_type(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e)
{
	if (gk_ir_expect(r, '>', e) || gk_ir_expect(r, ':', e) || gk_ir_read_type(r, &attr->type, e))
		return -1;
	if (r->types.items[attr->type].kind != GK_IR_TENSOR ||
	    r->types.items[attr->type].element >= GK_IR_SCALAR_COUNT)
		return gk_lexer_fail(&r->lexer, e, "expected a tensor of numbers");
	return 0;
}

/* "dense<...> : tensor<...>" behind the word dense. */
static int read_dense(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e)
{
	struct elements elements = {0};
	struct gk_token blob;
	int result;

	attr->kind = GK_IR_ATTR_DENSE;
	if (gk_ir_expect(r, '<', e))
		return -1;
	blob = r->lexer.now;
	if (blob.kind == GK_TOKEN_STRING) {
		if (blob.size < 4 || blob.size % 2 || memcmp(blob.text, "0x", 2) != 0)
			return gk_lexer_fail(&r->lexer, e, "expected a string \"0x...\" of whole bytes");
		gk_lexer_next(&r->lexer);
		return read_dense_type(r, attr, e) ? -1 : store_blob(r, &blob, attr, e);
	}
	result = read_elements(r, &elements, 0, e);
	if (!result)
		result = read_dense_type(r, attr, e) || store_elements(r, &elements, attr, e) ? -1 : 0;
	gk_vec_release(&elements.items);
	return result;
}

static int read_array(struct gk_ir_reader *r, int depth, struct gk_ir_attr *attr, struct gk_err *e)
{
	struct gk_ir_attr_vec items = {0};
	int result = 0;

	attr->kind = GK_IR_ATTR_ARRAY;
	while (!result && !gk_token_is(&r->lexer, ']')) {
		struct gk_ir_attr item = {0};

		result = (items.count && gk_ir_expect(r, ',', e)) || read_attr(r, depth + 1, &item, e) ? -1
		                                                                                       : 0;
		gk_vec_push(&items, item);
	}
	attr->count = (uint32_t)items.count;
	attr->items = (const void *)gk_arena_copy(r->arena, items.items, items.count * sizeof *items.items);
	gk_vec_release(&items);
	return result ? -1 : gk_ir_expect(r, ']', e);
}

/* "#tt.cache_policy<...>" as it stands, up to the bracket that closes it. */
static int read_opaque(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	size_t start = l->now.start, end = l->at;
	int open = 0;

	if (!memchr(l->now.text, '.', l->now.size))
		return gk_lexer_fail(l, e, "expected an attribute with its dialect's name");
	gk_lexer_next(l);
	while (gk_token_is(l, '<') || open) {
		if (l->now.kind == GK_TOKEN_END || l->now.kind == GK_TOKEN_BAD)
			return gk_lexer_fail(l, e, "expected a closing '>'");
		open += gk_token_is(l, '<') ? 1 : gk_token_is(l, '>') ? -1 : 0;
		end = l->at;
		gk_lexer_next(l);
	}
	attr->kind = GK_IR_ATTR_OPAQUE;
	attr->text = gk_ir_intern(r, l->text + start, end - start);
	return 0;
}

static int read_dict(struct gk_ir_reader *r, int depth, bool is_property, struct gk_ir_attr_vec *attrs,
                     struct gk_err *e);

static int read_nested_dict(struct gk_ir_reader *r, int depth, struct gk_ir_attr *attr, struct gk_err *e)
{
	struct gk_ir_attr_vec items = {0};
	int result = read_dict(r, depth + 1, false, &items, e);

	attr->kind = GK_IR_ATTR_DICT;
	attr->count = (uint32_t)items.count;
	attr->items = (const void *)gk_arena_copy(r->arena, items.items, items.count * sizeof *items.items);
	gk_vec_release(&items);
	return result;
}

static int read_attr_word(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e)
{
	bool is_true = gk_token_is_word(&r->lexer, "true");

	if (is_true || gk_token_is_word(&r->lexer, "false")) {
		gk_lexer_next(&r->lexer);
		attr->kind = GK_IR_ATTR_BOOL;
		attr->type = GK_IR_I1;
		attr->number = is_true;
		return 0;
	}
	if (gk_ir_accept_word(r, "unit"))
		return 0;
	if (gk_ir_accept_word(r, "array"))
		return read_ints(r, attr, e);
	if (gk_ir_accept_word(r, "dense"))
		return read_dense(r, attr, e);
	return gk_lexer_fail(&r->lexer, e, "expected an attribute");
}

static int read_attr(struct gk_ir_reader *r, int depth, struct gk_ir_attr *attr, struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	struct gk_token token = l->now;

	if (depth > GK_IR_MAX_NESTING)
		return gk_lexer_fail(l, e, "expected attributes nested at most %d deep", GK_IR_MAX_NESTING);
	if (gk_ir_at_type(r)) {
		attr->kind = GK_IR_ATTR_TYPE;
		return gk_ir_read_type(r, &attr->type, e);
	}
	switch (token.kind) {
	case GK_TOKEN_NUMBER:
		return read_number(r, attr, e);
	case GK_TOKEN_STRING:
		attr->kind = GK_IR_ATTR_STRING;
		attr->text = gk_ir_unescape(r, &token, &attr->count);
		gk_lexer_next(l);
		return 0;
	case GK_TOKEN_SYMBOL:
		attr->kind = GK_IR_ATTR_SYMBOL;
		attr->text = gk_ir_intern(r, token.text, token.size);
		gk_lexer_next(l);
		return 0;
	case GK_TOKEN_HASH:
		return read_opaque(r, attr, e);
	case GK_TOKEN_WORD:
		return read_attr_word(r, attr, e);
	default:
		if (gk_ir_accept(r, '['))
			return read_array(r, depth, attr, e);
		if (gk_token_is(l, '{'))
			return read_nested_dict(r, depth, attr, e);
		return gk_lexer_fail(l, e, "expected an attribute");
	}
}

int gk_ir_read_attr(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e)
{
	return read_attr(r, 0, attr, e);
}

static int read_entry(struct gk_ir_reader *r, int depth, bool is_property, struct gk_ir_attr_vec *attrs,
                      struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	struct gk_ir_attr attr = {.kind = GK_IR_ATTR_UNIT, .is_property = is_property};

	if ((l->now.kind != GK_TOKEN_WORD && l->now.kind != GK_TOKEN_STRING) || !l->now.size)
		return gk_lexer_fail(l, e, "expected the name of an attribute");
	attr.name = gk_ir_intern(r, l->now.text, l->now.size);
	gk_lexer_next(l);
	if (gk_ir_accept(r, '=') && read_attr(r, depth, &attr, e))
		return -1;
	return gk_ir_add_attr(r, attrs, &attr, e);
}

static int read_dict(struct gk_ir_reader *r, int depth, bool is_property, struct gk_ir_attr_vec *attrs,
                     struct gk_err *e)
{
	if (gk_ir_expect(r, '{', e))
		return -1;
	if (gk_ir_accept(r, '}'))
		return 0;
	do {
		if (read_entry(r, depth, is_property, attrs, e))
			return -1;
	} while (gk_ir_accept(r, ','));
	return gk_ir_expect(r, '}', e);
}

int gk_ir_read_dict(struct gk_ir_reader *r, bool is_property, struct gk_ir_attr_vec *attrs, struct gk_err *e)
{
	if (!is_property)
		return read_dict(r, 0, false, attrs, e);
	return gk_ir_expect(r, '<', e) || read_dict(r, 0, true, attrs, e) ? -1 : gk_ir_expect(r, '>', e);
}
