#include "ir.h"

#include <stdlib.h>

#include "base/memory.h"

void gk_ir_free(struct gk_ir *module)
{
	if (!module)
		return;
	gk_arena_release(&module->arena);
	free(module);
}

uint32_t gk_ir_func_find(const struct gk_ir *module, const char *name)
{
	for (uint32_t i = 0; i < module->func_count; i++)
		if (strcmp(module->funcs[i].name, name) == 0)
			return i;
	return GK_IR_NONE;
}

const struct gk_ir_attr *gk_ir_attr_in(const struct gk_ir *module, uint32_t attrs, uint32_t count,
                                       const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(module->attrs[attrs + i].name, name) == 0)
			return &module->attrs[attrs + i];
	return NULL;
}

const struct gk_ir_attr *gk_ir_attr(const struct gk_ir *module, const struct gk_ir_op *op, const char *name)
{
	return gk_ir_attr_in(module, op->attrs, op->attr_count, name);
}

int64_t gk_ir_attr_int(const struct gk_ir *module, const struct gk_ir_op *op, const char *name,
                       int64_t fallback)
{
	const struct gk_ir_attr *attr = gk_ir_attr(module, op, name);

	if (!attr)
		return fallback;
	if (attr->kind == GK_IR_ATTR_UNIT)
		return 1;
	return attr->kind == GK_IR_ATTR_INT || attr->kind == GK_IR_ATTR_BOOL || attr->kind == GK_IR_ATTR_WORD
	               ? attr->number
	               : fallback;
}

const char *gk_ir_attr_text(const struct gk_ir *module, const struct gk_ir_op *op, const char *name,
                            const char *fallback)
{
	const struct gk_ir_attr *attr = gk_ir_attr(module, op, name);

	return attr && (attr->kind == GK_IR_ATTR_WORD || attr->kind == GK_IR_ATTR_STRING ||
	                attr->kind == GK_IR_ATTR_SYMBOL || attr->kind == GK_IR_ATTR_OPAQUE)
	               ? attr->text
	               : fallback;
}
