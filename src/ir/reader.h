/* What the parts of the reader share; of no concern outside ir/. */
#ifndef GK_IR_READER_H
#define GK_IR_READER_H

#include "base/map.h"
#include "base/vec.h"
#include "ir.h"
#include "token.h"

#define GK_IR_MAX_OPERANDS  4096 /* of one operation, and results */
#define GK_IR_MAX_ATTRS     64   /* of one operation, function or argument */
#define GK_IR_MAX_NESTING   16   /* attributes and types */
#define GK_IR_MAX_LOC_DEPTH 256
#define GK_IR_MAX_LOCS      ((size_t)1 << 19)
#define GK_IR_MAX_BLOCKS    256 /* of one region */
#define GK_IR_MAX_FUNCS     64

struct gk_ir_attr_vec GK_VEC(struct gk_ir_attr);

/* A value name: where it leads while it is in scope. */
struct gk_ir_name {
	uint32_t first, count; /* values; count 0: not in scope */
};

/* A ^label of the region that is being read. */
struct gk_ir_label {
	const char *text;
	size_t size, where; /* offset of the first mention, for messages */
	uint32_t block;
	bool is_defined;
};

struct gk_ir_reader {
	struct gk_lexer lexer;
	struct gk_ir *module;
	struct gk_arena *arena; /* the module's */
	struct gk_map aliases;  /* "loc12" -> location */
	struct gk_map types_by_text, strings;
	struct gk_map names; /* "v_4" -> index into ssa */
	struct GK_VEC(struct gk_ir_name) ssa;
	struct GK_VEC(uint32_t) scope; /* names defined since .., to be undone */
	struct GK_VEC(struct gk_ir_label) labels;
	struct GK_VEC(struct gk_ir_type) types;
	struct GK_VEC(struct gk_ir_value) values;
	struct GK_VEC(struct gk_ir_op) ops;
	struct GK_VEC(uint32_t) operands;
	struct GK_VEC(struct gk_ir_block) blocks;
	struct GK_VEC(struct gk_ir_region) regions;
	struct GK_VEC(struct gk_ir_successor) successors;
	struct gk_ir_attr_vec attrs;
	struct GK_VEC(struct gk_ir_loc) locs;
	struct GK_VEC(bool) loc_defined;
	struct GK_VEC(uint32_t) fused;
	struct GK_VEC(struct gk_ir_func) funcs;
	struct GK_VEC(size_t) op_at; /* offset of each operation in the text */
	size_t label_base;           /* labels from here on are the current region's */
	uint32_t region;             /* that is being read */
	int depth;                   /* of regions */
	size_t type_at;              /* offset of the type read last */
};

/* An operation that is being read. */
struct gk_ir_draft {
	enum gk_ir_code code;
	size_t at; /* offset in the text */
	uint32_t op;
	struct GK_VEC(uint32_t) operands;
	struct gk_ir_attr_vec attrs;
	struct GK_VEC(uint32_t) results;                  /* types */
	struct GK_VEC(struct gk_ir_successor) successors; /* operands: into this draft's */
	uint32_t region_count;
};

/* token-level helpers; "expected ..." on failure */
int gk_ir_expect(struct gk_ir_reader *r, char punct, struct gk_err *e);
int gk_ir_expect_arrow(struct gk_ir_reader *r, struct gk_err *e);
int gk_ir_expect_word(struct gk_ir_reader *r, const char *word, struct gk_err *e);
bool gk_ir_accept(struct gk_ir_reader *r, char punct);
bool gk_ir_accept_word(struct gk_ir_reader *r, const char *word);
bool gk_ir_accept_arrow(struct gk_ir_reader *r);
/* The current token as a number from 0 to max. */
int gk_ir_read_count(struct gk_ir_reader *r, uint64_t max, uint64_t *value, struct gk_err *e);
/* Interned, zero-terminated. */
const char *gk_ir_intern(struct gk_ir_reader *r, const char *text, size_t size);

/* type.c */
void gk_ir_types_init(struct gk_ir_reader *r);
int gk_ir_read_type(struct gk_ir_reader *r, uint32_t *type, struct gk_err *e);
bool gk_ir_at_type(const struct gk_ir_reader *r);
uint32_t gk_ir_make_tensor(struct gk_ir_reader *r, uint32_t element, const uint32_t *shape, uint32_t rank);
/* type with its element replaced: a tensor of the same shape, or just element. */
uint32_t gk_ir_type_like(struct gk_ir_reader *r, uint32_t type, uint32_t element);
uint32_t gk_ir_element(const struct gk_ir_type *types, uint32_t type); /* itself unless a tensor */

/* attr.c */
int gk_ir_read_attr(struct gk_ir_reader *r, struct gk_ir_attr *attr, struct gk_err *e);
/* "{...}" or, as properties, "<{...}>" into attrs. */
int gk_ir_read_dict(struct gk_ir_reader *r, bool is_property, struct gk_ir_attr_vec *attrs, struct gk_err *e);
int gk_ir_add_attr(struct gk_ir_reader *r, struct gk_ir_attr_vec *attrs, const struct gk_ir_attr *attr,
                   struct gk_err *e);
/* Moves attrs to the module; returns the first. */
uint32_t gk_ir_store_attrs(struct gk_ir_reader *r, const struct gk_ir_attr_vec *attrs);
/* The text of a string token without its escapes. */
char *gk_ir_unescape(struct gk_ir_reader *r, const struct gk_token *token, uint32_t *size);

/* loc.c */
int gk_ir_read_loc(struct gk_ir_reader *r, uint32_t *loc, struct gk_err *e); /* "loc(...)" */
int gk_ir_read_loc_alias(struct gk_ir_reader *r, struct gk_err *e);          /* "#loc1 = loc(...)" */
int gk_ir_check_locs(struct gk_ir_reader *r, struct gk_err *e);

/* name.c: enumerations, and operations by name */
enum gk_ir_code gk_ir_code_find(const char *name, size_t size);
const char *gk_ir_nearest_op(const char *name);
/* The value of word in the enumeration of attribute name of code; -1 when it is none. */
int64_t gk_ir_word_number(enum gk_ir_code code, const char *name, const char *word);
/* The other way round; NULL. */
const char *gk_ir_number_word(enum gk_ir_code code, const char *name, int64_t number);
/* Brings attributes of the generic form into the custom form's: words for numbers, defaults left out. */
void gk_ir_normalise(struct gk_ir_reader *r, struct gk_ir_draft *draft);

/* form.c: "operands {attributes} : types" by the operation's format */
int gk_ir_read_form(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e);
int gk_ir_infer_results(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e);

/* op.c */
int gk_ir_read_operand(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e);
int gk_ir_read_operands(struct gk_ir_reader *r, struct gk_ir_draft *draft,
                        struct gk_err *e); /* none or more */
int gk_ir_read_type_list(struct gk_ir_reader *r, struct gk_ir_draft *draft, uint32_t first, uint32_t count,
                         struct gk_err *e); /* types of operands first .. */
int gk_ir_add_result(struct gk_ir_reader *r, struct gk_ir_draft *draft, uint32_t type, struct gk_err *e);
int gk_ir_operand_is(struct gk_ir_reader *r, const struct gk_ir_draft *draft, uint32_t i, uint32_t type,
                     struct gk_err *e);
int gk_ir_read_functional(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e);
int gk_ir_read_op(struct gk_ir_reader *r, uint32_t block, struct gk_err *e);
int gk_ir_define(struct gk_ir_reader *r, const struct gk_token *name, uint32_t first, uint32_t count,
                 struct gk_err *e);
uint32_t gk_ir_new_value(struct gk_ir_reader *r, uint32_t type, uint32_t op, uint32_t block, uint32_t index,
                         uint32_t loc);

/* syntax.c: the operations with a syntax of their own */
int gk_ir_read_special(struct gk_ir_reader *r, struct gk_ir_draft *draft, struct gk_err *e);

/* region.c: regions, blocks and labels */
struct gk_ir_arg {
	struct gk_token name;
	uint32_t type, loc;
};
/* "{ ... }" with args as the entry block's arguments unless the text gives them; implicit: terminator, or
 * INVALID. */
int gk_ir_read_region(struct gk_ir_reader *r, uint32_t op, const struct gk_ir_arg *args, uint32_t arg_count,
                      enum gk_ir_code implicit, uint32_t *region, struct gk_err *e);
int gk_ir_read_successor(struct gk_ir_reader *r, struct gk_ir_draft *draft, bool has_operands,
                         struct gk_err *e);

/* verify.c */
int gk_ir_verify(struct gk_ir_reader *r, struct gk_err *e);
/* flow.c: calls, regions, terminators, dominance */
int gk_ir_verify_flow(struct gk_ir_reader *r, struct gk_err *e);
int gk_ir_verify_fail(const struct gk_ir_reader *r, uint32_t op, struct gk_err *e, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
