/* What the parts of the printer share; of no concern outside ir/. Everything is written to the printer's text. */
#ifndef GK_IR_PRINT_H
#define GK_IR_PRINT_H

#include "base/map.h"
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

static inline void put_text(struct printer *p, const char *text)
{
	gk_buf_add_text(p->out, text);
}

static inline uint32_t operand_type(const struct printer *p, const struct gk_ir_op *op, uint32_t i)
{
	return p->m->values[p->m->operands[op->operands + i]].type;
}

/* ---- print_part.c: values, types, attributes ---- */

/* Between quotation marks, what is not printable as \XX. */
void put_quoted(struct gk_buf *out, const char *text, size_t size);
void put_type(struct printer *p, uint32_t type);
void put_value(struct printer *p, uint32_t value);
/* Operands first .. first + count - 1 of an operation, with commas. */
void put_values(struct printer *p, const struct gk_ir_op *op, uint32_t first, uint32_t count);
void put_operand_types(struct printer *p, const struct gk_ir_op *op, uint32_t first, uint32_t count);
void put_result_types(struct printer *p, const struct gk_ir_op *op);
/* "f32", "(f32, i32)", "()" */
void put_result_list(struct printer *p, const struct gk_ir_op *op);
/* "(i32, f32) -> f32" */
void put_functional(struct printer *p, const struct gk_ir_op *op);
void put_symbol(struct printer *p, const char *name);
void put_attr(struct printer *p, const struct gk_ir_attr *attr);
/* " {a = 1 : i32}" of the attributes that are (no) properties and not shown otherwise; open and close around
 * it. */
void put_dict(struct printer *p, const struct gk_ir_op *op, bool properties, const char *open,
              const char *close);
/* Of count attributes from number first on, with before in front and "}" behind; nothing of none. */
void put_dict_in(struct printer *p, uint32_t first, uint32_t count, const char *before);

/* ---- print_form.c ---- */

/* An operation by the format that op.def has for it. */
void put_form(struct printer *p, const struct gk_ir_op *op);

#endif
