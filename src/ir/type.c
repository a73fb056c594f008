#include <stdlib.h>

#include "reader.h"

static const struct {
	const char *name;
	enum gk_ir_kind kind;
	enum gk_dtype dtype;
	size_t bytes;
} scalars[] = {
	{"i1", GK_IR_I1, GK_BOOL, 1},
	{"i8", GK_IR_I8, GK_I8, 1},
	{"i16", GK_IR_I16, GK_I16, 2},
	{"i32", GK_IR_I32, GK_I32, 4},
	{"i64", GK_IR_I64, GK_I64, 8},
	{"index", GK_IR_INDEX, GK_DTYPE_NONE, 8},
	{"f16", GK_IR_F16, GK_F16, 2},
	{"bf16", GK_IR_BF16, GK_BF16, 2},
	{"f32", GK_IR_F32, GK_F32, 4},
	{"f64", GK_IR_F64, GK_F64, 8},
	{"f8E4M3FN", GK_IR_F8E4M3FN, GK_F8E4M3FN, 1},
	{"f8E5M2", GK_IR_F8E5M2, GK_F8E5M2, 1},
	{"f8E4M3FNUZ", GK_IR_F8E4M3FNUZ, GK_F8E4M3FNUZ, 1},
	{"f8E5M2FNUZ", GK_IR_F8E5M2FNUZ, GK_F8E5M2FNUZ, 1},
	{"f8E4M3B11FNUZ", GK_IR_F8E4M3B11FNUZ, GK_F8E4M3B11FNUZ, 1},
};

enum gk_dtype gk_ir_kind_dtype(enum gk_ir_kind kind)
{
	return kind > GK_IR_NO_TYPE && kind < GK_IR_SCALAR_COUNT ? scalars[kind - 1].dtype : GK_DTYPE_NONE;
}

size_t gk_ir_kind_bytes(enum gk_ir_kind kind)
{
	return kind > GK_IR_NO_TYPE && kind < GK_IR_SCALAR_COUNT ? scalars[kind - 1].bytes : 8;
}

/* The index of a type equal to type, whose shape is copied when it is new. */
static uint32_t intern(struct gk_ir_reader *r, const struct gk_ir_type *type)
{
	uint32_t key[4 + GK_IR_MAX_RANK] = {type->kind, type->space, type->element, type->rank};
	union gk_map_value *value;
	bool is_new;

	for (uint32_t i = 0; i < type->rank; i++)
		key[4 + i] = type->shape[i];
	value = gk_map_put_bytes(&r->types_by_text, (const char *)key, (4 + type->rank) * sizeof key[0],
	                         &is_new);
	if (is_new) {
		struct gk_ir_type copy = *type;

		copy.shape =
			(const uint32_t *)gk_arena_copy(r->arena, type->shape, type->rank * sizeof key[0]);
		value->number = (int64_t)r->types.count;
		gk_vec_push(&r->types, copy);
	}
	return (uint32_t)value->number;
}

void gk_ir_types_init(struct gk_ir_reader *r)
{
	for (uint32_t kind = 0; kind < GK_IR_SCALAR_COUNT; kind++) {
		struct gk_ir_type type = {.kind = (uint8_t)kind, .element = kind, .count = 1, .shape = NULL};

		gk_vec_push(&r->types, type);
	}
}

uint32_t gk_ir_make_tensor(struct gk_ir_reader *r, uint32_t element, const uint32_t *shape, uint32_t rank)
{
	struct gk_ir_type type = {
		.kind = GK_IR_TENSOR, .rank = (uint8_t)rank, .element = element, .count = 1};

	for (uint32_t i = 0; i < rank; i++)
		type.count *= shape[i];
	type.shape = shape;
	return intern(r, &type);
}

uint32_t gk_ir_element(const struct gk_ir_type *types, uint32_t type)
{
	return types[type].kind == GK_IR_TENSOR ? types[type].element : type;
}

uint32_t gk_ir_type_like(struct gk_ir_reader *r, uint32_t type, uint32_t element)
{
	const struct gk_ir_type *t = &r->types.items[type];

	return t->kind == GK_IR_TENSOR ? gk_ir_make_tensor(r, element, t->shape, t->rank) : element;
}

bool gk_ir_at_type(const struct gk_ir_reader *r)
{
	const struct gk_lexer *l = &r->lexer;

	if (l->now.kind == GK_TOKEN_BANG || gk_token_is_word(l, "tensor"))
		return true;
	for (size_t i = 0; i < gk_count_of(scalars); i++)
		if (gk_token_is_word(l, scalars[i].name))
			return true;
	return false;
}

/* "4x8x": the tokenizer would take x8x for a word, so this reads characters. */
static int read_shape(struct gk_ir_reader *r, uint32_t *shape, uint32_t *rank, struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	size_t at = l->now.start;
	uint64_t count = 1;

	*rank = 0;
	while (at < l->size && l->text[at] >= '0' && l->text[at] <= '9') {
		uint64_t dim = 0;

		for (; at < l->size && l->text[at] >= '0' && l->text[at] <= '9'; at++)
			if (dim <= GK_IR_MAX_ELEMENTS)
				dim = dim * 10 + (uint64_t)(l->text[at] - '0');
		if (at >= l->size || l->text[at] != 'x')
			return gk_lexer_fail_at(l, at, e, "expected an x after a dimension");
		at++;
		if (!dim || dim > GK_IR_MAX_ELEMENTS || (count *= dim) > GK_IR_MAX_ELEMENTS)
			return gk_lexer_fail(l, e, "expected a tensor of 1 to %u elements",
			                     GK_IR_MAX_ELEMENTS);
		if (*rank == GK_IR_MAX_RANK)
			return gk_lexer_fail(l, e, "expected at most %d dimensions", GK_IR_MAX_RANK);
		shape[(*rank)++] = (uint32_t)dim;
	}
	if (!*rank)
		return gk_lexer_fail(l, e, "expected a dimension of at least 1");
	gk_lexer_seek(l, at);
	return 0;
}

static int read_type(struct gk_ir_reader *r, int depth, uint32_t *type, struct gk_err *e);

/* "<4x8xf32>" behind the word tensor. */
static int read_tensor(struct gk_ir_reader *r, int depth, uint32_t *type, struct gk_err *e)
{
	uint32_t shape[GK_IR_MAX_RANK], rank, element = 0;
	const struct gk_ir_type *t;
	size_t at;

	if (gk_ir_expect(r, '<', e) || read_shape(r, shape, &rank, e))
		return -1;
	at = r->lexer.now.start;
	if (read_type(r, depth + 1, &element, e))
		return -1;
	t = &r->types.items[element];
	if (t->kind > GK_IR_PTR)
		return gk_lexer_fail_at(&r->lexer, at, e, "expected a tensor of numbers or pointers");
	*type = gk_ir_make_tensor(r, element, shape, rank);
	return gk_ir_expect(r, '>', e);
}

static int read_pointer(struct gk_ir_reader *r, int depth, uint32_t *type, struct gk_err *e)
{
	struct gk_ir_type pointer = {.kind = GK_IR_PTR, .space = 1, .count = 1};
	size_t at = r->lexer.now.start;
	uint64_t space;

	if (gk_ir_expect(r, '<', e) || read_type(r, depth + 1, &pointer.element, e))
		return -1;
	if (r->types.items[pointer.element].kind > GK_IR_PTR)
		return gk_lexer_fail_at(
			&r->lexer, at, e,
			"expected a pointer to a number or pointer: block pointers must have been rewritten");
	if (gk_ir_accept(r, ',')) {
		if (gk_ir_read_count(r, 7, &space, e))
			return -1;
		pointer.space = (uint16_t)space;
	}
	*type = intern(r, &pointer);
	return gk_ir_expect(r, '>', e);
}

/* The element of a descriptor's block, in which integers may carry their sign: si8, ui8. */
static int read_desc_element(struct gk_ir_reader *r, struct gk_ir_type *desc, uint32_t *element,
                             struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	bool has_sign = l->now.kind == GK_TOKEN_WORD && l->now.size > 2 && l->now.text[1] == 'i';

	if (has_sign && (l->now.text[0] == 's' || l->now.text[0] == 'u')) {
		desc->space |= l->now.text[0] == 's' ? GK_IR_DESC_SIGNED : GK_IR_DESC_UNSIGNED;
		gk_lexer_seek(l, l->now.start + 1);
	}
	if (read_type(r, 1, element, e))
		return -1;
	if (r->types.items[*element].kind >= GK_IR_SCALAR_COUNT)
		return gk_lexer_fail(l, e, "expected a descriptor of numbers");
	return 0;
}

/* "<tensor<4x8xf32>>", from triton 3.8 on "<4x8xf32>". */
static int read_descriptor(struct gk_ir_reader *r, uint32_t *type, struct gk_err *e)
{
	struct gk_ir_type desc = {.kind = GK_IR_DESC, .count = 1};
	uint32_t shape[GK_IR_MAX_RANK], rank, element = 0;
	bool nested;

	if (gk_ir_expect(r, '<', e))
		return -1;
	nested = gk_ir_accept_word(r, "tensor");
	if (!nested)
		desc.space = GK_IR_DESC_FLAT;
	if ((nested && gk_ir_expect(r, '<', e)) || read_shape(r, shape, &rank, e) ||
	    read_desc_element(r, &desc, &element, e))
		return -1;
	desc.element = gk_ir_make_tensor(r, element, shape, rank);
	*type = intern(r, &desc);
	return (nested && gk_ir_expect(r, '>', e)) ? -1 : gk_ir_expect(r, '>', e);
}

/* A type without its name, as in "<f32>": a pointer or a descriptor, by what it holds. */
static int read_short(struct gk_ir_reader *r, int depth, uint32_t *type, struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;
	size_t at = l->now.start;
	bool is_desc;

	gk_lexer_next(l);
	is_desc = gk_token_is_word(l, "tensor") || l->now.kind == GK_TOKEN_NUMBER;
	gk_lexer_seek(l, at);
	return is_desc ? read_descriptor(r, type, e) : read_pointer(r, depth, type, e);
}

static bool token_is(const struct gk_token *token, const char *text)
{
	return token->size == strlen(text) && memcmp(token->text, text, token->size) == 0;
}

static int read_type(struct gk_ir_reader *r, int depth, uint32_t *type, struct gk_err *e)
{
	struct gk_lexer *l = &r->lexer;

	if (depth > GK_IR_MAX_NESTING)
		return gk_lexer_fail(l, e, "expected a type nested at most %d deep", GK_IR_MAX_NESTING);
	if (gk_token_is(l, '<'))
		return read_short(r, depth, type, e);
	if (gk_ir_accept_word(r, "tensor"))
		return read_tensor(r, depth, type, e);
	if (l->now.kind == GK_TOKEN_BANG && token_is(&l->now, "tt.ptr")) {
		gk_lexer_next(l);
		return read_pointer(r, depth, type, e);
	}
	if (l->now.kind == GK_TOKEN_BANG && token_is(&l->now, "tt.tensordesc")) {
		gk_lexer_next(l);
		return read_descriptor(r, type, e);
	}
	for (size_t i = 0; i < gk_count_of(scalars); i++) {
		if (gk_ir_accept_word(r, scalars[i].name)) {
			*type = (uint32_t)scalars[i].kind;
			return 0;
		}
	}
	return gk_lexer_fail(l, e, "expected a type");
}

int gk_ir_read_type(struct gk_ir_reader *r, uint32_t *type, struct gk_err *e)
{
	r->type_at = r->lexer.now.start;
	return read_type(r, 0, type, e);
}

static void print_shape(const struct gk_ir_type *tensor, struct gk_buf *out)
{
	for (uint32_t i = 0; i < tensor->rank; i++)
		gk_buf_printf(out, "%ux", tensor->shape[i]);
}

static void print_descriptor(const struct gk_ir *module, const struct gk_ir_type *desc, struct gk_buf *out)
{
	const struct gk_ir_type *block = &module->types[desc->element];
	bool is_flat = desc->space & GK_IR_DESC_FLAT;

	gk_buf_add_text(out, is_flat ? "!tt.tensordesc<" : "!tt.tensordesc<tensor<");
	print_shape(block, out);
	if (desc->space & (GK_IR_DESC_SIGNED | GK_IR_DESC_UNSIGNED))
		gk_buf_add_char(out, desc->space & GK_IR_DESC_SIGNED ? 's' : 'u');
	gk_ir_print_type(module, block->element, out);
	gk_buf_add_text(out, is_flat ? ">" : ">>");
}

void gk_ir_print_type(const struct gk_ir *module, uint32_t type, struct gk_buf *out)
{
	const struct gk_ir_type *t = &module->types[type];

	if (t->kind == GK_IR_TENSOR) {
		gk_buf_add_text(out, "tensor<");
		print_shape(t, out);
		gk_ir_print_type(module, t->element, out);
		gk_buf_add_char(out, '>');
	} else if (t->kind == GK_IR_PTR) {
		gk_buf_add_text(out, "!tt.ptr<");
		gk_ir_print_type(module, t->element, out);
		if (t->space != 1)
			gk_buf_printf(out, ", %u", t->space);
		gk_buf_add_char(out, '>');
	} else if (t->kind == GK_IR_DESC) {
		print_descriptor(module, t, out);
	} else {
		gk_buf_add_text(out, t->kind ? scalars[t->kind - 1].name : "none");
	}
}
