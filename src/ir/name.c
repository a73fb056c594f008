#include "base/text.h"
#include "form.h"
#include "reader.h"

const struct gk_ir_op_info gk_ir_ops[GK_IR_CODE_COUNT] = {
	[GK_IR_INVALID] = {"", "0", 0, GK_IR_CLASS_OTHER, ""},
#define GK_IR_OP(code, name, operands, results, class, format)                                               \
	[GK_IR_##code] = {name, operands, results, GK_IR_CLASS_##class, format},
#include "op.def"
#undef GK_IR_OP
};

enum gk_ir_code gk_ir_code_find(const char *name, size_t size)
{
	for (int code = GK_IR_INVALID + 1; code < GK_IR_CODE_COUNT; code++)
		if (strlen(gk_ir_ops[code].name) == size && memcmp(gk_ir_ops[code].name, name, size) == 0)
			return (enum gk_ir_code)code;
	return GK_IR_INVALID;
}

const char *gk_ir_nearest_op(const char *name)
{
	const char *names[GK_IR_CODE_COUNT] = {NULL};

	for (int code = GK_IR_INVALID + 1; code < GK_IR_CODE_COUNT; code++)
		names[code - 1] = gk_ir_ops[code].name;
	return gk_text_nearest(name, names);
}

/* Enumerations by attribute; first is the number of the first word. A default is left out of the text. */
static const struct enumeration {
	const char *name, *words;
	enum gk_ir_code only; /* INVALID: of any operation */
	int64_t first;
	const char *fallback;
} enumerations[] = {
	{"predicate", "eq ne slt sle sgt sge ult ule ugt uge", GK_IR_ARITH_CMPI, 0, NULL},
	{"predicate", "false oeq ogt oge olt ole one ord ueq ugt uge ult ule une uno true", GK_IR_ARITH_CMPF,
         0, NULL},
	{"axis", "x y z", GK_IR_TT_GET_PROGRAM_ID, 0, NULL},
	{"axis", "x y z", GK_IR_TT_GET_NUM_PROGRAMS, 0, NULL},
	{"cache", "none ca cg wb cs wt cv", GK_IR_INVALID, 1, "none"},
	{"evict", "evict_normal evict_first evict_last", GK_IR_INVALID, 1, "evict_normal"},
	{"sem", "relaxed acquire release acq_rel", GK_IR_INVALID, 1, NULL},
	{"scope", "gpu cta sys", GK_IR_INVALID, 1, NULL},
	{"atomic_rmw_op", "and or xor add fadd max min umax umin exch", GK_IR_INVALID, 1, NULL},
	{"rounding", "rtz rtne", GK_IR_INVALID, 0, NULL},
	{"roundingmode", "to_nearest_even downward upward toward_zero to_nearest_away", GK_IR_INVALID, 0,
         NULL},
	{"inputPrecision", "tf32 tf32x3 ieee bf16x3 bf16x6", GK_IR_INVALID, 0, "ieee"},
	{"kind", "add min max inc dec and or xor", GK_IR_TT_DESC_REDUCE, 1, NULL},
	{"a_elem_type", "e4m3 e5m2 e2m3 e3m2 e2m1 bf16 fp16", GK_IR_INVALID, 0, NULL},
	{"b_elem_type", "e4m3 e5m2 e2m3 e3m2 e2m1 bf16 fp16", GK_IR_INVALID, 0, NULL},
	{"propagateNan", "none", GK_IR_TT_CLAMPF, 0, NULL},
	{"propagateNan", "all", GK_IR_TT_CLAMPF, 0xffff, NULL},
};

/* The word with that number, or with word given the number of that word; NULL when there is none. */
static const char *find_word(enum gk_ir_code code, const char *name, const char *word, int64_t *number)
{
	static _Thread_local char found[32];

	for (size_t i = 0; i < gk_count_of(enumerations); i++) {
		const struct enumeration *en = &enumerations[i];
		int64_t value = en->first;

		if (strcmp(en->name, name) != 0 || (en->only && en->only != code))
			continue;
		for (const char *at = en->words; *at; value++) {
			size_t size = strcspn(at, " ");
			bool matches =
				word ? strlen(word) == size && memcmp(word, at, size) == 0 : value == *number;

			if (matches) {
				*number = value;
				snprintf(found, sizeof found, "%.*s", (int)size, at);
				return found;
			}
			at += size + (at[size] == ' ');
		}
	}
	return NULL;
}

int64_t gk_ir_word_number(enum gk_ir_code code, const char *name, const char *word)
{
	int64_t number = -1;

	return find_word(code, name, word, &number) ? number : -1;
}

const char *gk_ir_number_word(enum gk_ir_code code, const char *name, int64_t number)
{
	return find_word(code, name, NULL, &number);
}

static bool is_default(const struct gk_ir_draft *draft, const struct gk_ir_attr *attr)
{
	if (strcmp(attr->name, "operandSegmentSizes") == 0)
		return draft->code != GK_IR_TT_DOT_SCALED;
	if (strcmp(attr->name, "boundaryCheck") == 0)
		return attr->kind == GK_IR_ATTR_INTS && attr->count == 0;
	if (strcmp(attr->name, "isVolatile") == 0)
		return attr->kind == GK_IR_ATTR_BOOL && !attr->number;
	if (strcmp(attr->name, "maxNumImpreciseAcc") == 0)
		return attr->kind == GK_IR_ATTR_INT && !attr->number;
	for (size_t i = 0; attr->kind == GK_IR_ATTR_WORD && i < gk_count_of(enumerations); i++)
		if (enumerations[i].fallback && strcmp(enumerations[i].name, attr->name) == 0 &&
		    strcmp(enumerations[i].fallback, attr->text) == 0)
			return true;
	return attr->kind == GK_IR_ATTR_WORD && strcmp(attr->text, "none") == 0 &&
	       (strcmp(attr->name, "fastmath") == 0 || strcmp(attr->name, "overflowFlags") == 0);
}

/* "#arith.fastmath<none>" -> "none" */
static void unwrap_flags(struct gk_ir_reader *r, struct gk_ir_attr *attr)
{
	const char *open = strchr(attr->text, '<'), *close = strrchr(attr->text, '>');

	if (!open || !close || close < open)
		return;
	attr->kind = GK_IR_ATTR_WORD;
	attr->number = -1;
	attr->text = gk_ir_intern(r, open + 1, (size_t)(close - open - 1));
}

static void normalise(struct gk_ir_reader *r, enum gk_ir_code code, struct gk_ir_attr *attr)
{
	enum gk_form form = gk_form_find(gk_ir_ops[code].format, attr->name);
	const char *word = NULL;

	if (form != GK_FORM_END && attr->kind == GK_IR_ATTR_INT)
		word = gk_ir_number_word(code, attr->name, attr->number);
	if (word) {
		attr->kind = GK_IR_ATTR_WORD;
		attr->type = 0;
		attr->text = gk_ir_intern(r, word, strlen(word));
	}
	if (attr->kind == GK_IR_ATTR_BOOL && code == GK_IR_ARITH_CONSTANT && strcmp(attr->name, "value") == 0)
		attr->kind = GK_IR_ATTR_INT;
	if (attr->kind == GK_IR_ATTR_OPAQUE && (form == GK_FORM_FLAGS || form == GK_FORM_BAR_WORDS))
		unwrap_flags(r, attr);
	if (strcmp(gk_ir_ops[code].format, "generic") != 0)
		attr->is_property = false;
}

void gk_ir_normalise(struct gk_ir_reader *r, struct gk_ir_draft *draft)
{
	size_t kept = 0;

	for (size_t i = 0; i < draft->attrs.count; i++) {
		struct gk_ir_attr attr = draft->attrs.items[i];

		normalise(r, draft->code, &attr);
		if (!is_default(draft, &attr))
			draft->attrs.items[kept++] = attr;
	}
	draft->attrs.count = kept;
}
