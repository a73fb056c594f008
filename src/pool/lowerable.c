/*
 * The reader has accepted the module: every operation in it is known, every
 * function is called. Refused here is what the compilers would take from
 * elsewhere: symbols of libraries that are not the target's own mathematics (a
 * name like llvm.* would become an intrinsic), and addresses out of data.
 */
#include "lowerable.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define MAX_VISITS 20000

__attribute__((format(printf, 5, 6))) static bool refuse(const struct gk_ir *ir, uint32_t loc, char *why,
                                                         size_t size, const char *format, ...)
{
	struct gk_ir_place place;
	va_list arguments;
	size_t used;

	gk_ir_place(ir, loc, NULL, &place);
	why[0] = '\0';
	if (place.line)
		snprintf(why, size, "%s:%u: ", gk_path_base(place.file), place.line);
	used = strlen(why);
	va_start(arguments, format);
	vsnprintf(why + used, size - used, format, arguments);
	va_end(arguments);
	return false;
}

static bool symbol_is_known(const char *symbol, const char *target)
{
	static const char *const of_cuda[] = {"__nv_", NULL};
	static const char *const of_hip[] = {"__ocml_", "__triton_hip_", NULL};
	const char *const *prefixes = gk_text_starts(target, "gfx") ? of_hip : of_cuda;

	for (size_t i = 0; prefixes[i]; i++)
		if (gk_text_starts(symbol, prefixes[i]))
			return symbol[strspn(
				       symbol,
				       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] ==
			       '\0';
	return false;
}

/* ---- addresses ---- */

struct walk {
	const struct gk_ir *ir;
	int visits;
	bool has_argument;
};

static bool is_argument(const struct gk_ir *ir, const struct gk_ir_value *value)
{
	const struct gk_ir_region *body = &ir->regions[ir->funcs[ir->entry].region];

	return value->block == body->blocks;
}

/* Made by arithmetic alone from arguments and constants: nothing that was loaded is in it. */
static bool is_computed(struct walk *walk, uint32_t index)
{
	const struct gk_ir_value *value = &walk->ir->values[index];
	const struct gk_ir_op *op;

	if (++walk->visits > MAX_VISITS)
		return false;
	if (value->op == GK_IR_NONE) {
		walk->has_argument = true;
		return is_argument(walk->ir, value);
	}
	op = &walk->ir->ops[value->op];
	switch ((enum gk_ir_class)gk_ir_ops[op->code].class) {
	case GK_IR_CLASS_CONSTANT:
	case GK_IR_CLASS_INT:
	case GK_IR_CLASS_COMPARE:
	case GK_IR_CLASS_SELECT:
	case GK_IR_CLASS_CAST:
	case GK_IR_CLASS_SHAPE:
	case GK_IR_CLASS_PROGRAM:
	case GK_IR_CLASS_POINTER:
		break;
	default:
		return false;
	}
	for (uint32_t i = 0; i < op->operand_count; i++)
		if (!is_computed(walk, gk_ir_operand(walk->ir, op, i)))
			return false;
	return true;
}

static bool op_is_lowerable(const struct gk_ir *ir, const struct gk_ir_op *op, const char *target, char *why,
                            size_t size)
{
	struct walk walk = {ir, 0, false};

	if (op->code == GK_IR_TT_INT_TO_PTR &&
	    !(is_computed(&walk, gk_ir_operand(ir, op, 0)) && walk.has_argument))
		return refuse(ir, op->loc, why, size,
		              "a pointer is made from a number that is no argument, but a constant, or was "
		              "loaded, or carried through a loop; pointers are passed as arguments");
	if (op->code == GK_IR_TT_EXTERN) {
		const char *symbol = gk_ir_attr_text(ir, op, "symbol", "");

		if (!symbol_is_known(symbol, target))
			return refuse(ir, op->loc, why, size,
			              "the function %.100s is not of the libraries of %s", symbol, target);
	}
	return true;
}

bool ir_is_lowerable(const struct gk_ir *ir, const char *target, char *why, size_t size)
{
	for (uint32_t i = 0; i < ir->op_count; i++)
		if (!op_is_lowerable(ir, &ir->ops[i], target, why, size))
			return false;
	return true;
}
