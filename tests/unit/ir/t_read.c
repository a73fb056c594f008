#include <stdlib.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/text.h"
#include "ir/ir.h"
#include "tap.h"

#define FOLDER "tests/data/ttir"

static uint32_t uses[GK_IR_CODE_COUNT];

static struct gk_ir *read_file(const char *name)
{
	struct gk_arena arena = {0};
	struct gk_err e = {0};
	struct gk_ir *module = NULL;
	char *text = NULL;
	size_t size = 0;

	if (!gk_file_read(gk_path_join(&arena, FOLDER, name), GK_IR_MAX_BYTES, &text, &size, &e))
		module = gk_ir_read(name, text, size, &e);
	if (!module)
		printf("# %s\n", e.text);
	free(text);
	gk_arena_release(&arena);
	return module;
}

static int is_same(const struct gk_ir *a, const struct gk_ir *b)
{
	int same = a->op_count == b->op_count && a->value_count == b->value_count &&
	           a->block_count == b->block_count && a->region_count == b->region_count &&
	           a->operand_count == b->operand_count && a->func_count == b->func_count &&
	           a->entry == b->entry;

	for (uint32_t i = 0; same && i < a->op_count; i++) {
		const struct gk_ir_op *x = &a->ops[i], *y = &b->ops[i];

		same = x->code == y->code && x->operand_count == y->operand_count &&
		       x->results == y->results && x->end == y->end && x->block == y->block &&
		       x->attr_count == y->attr_count;
		for (uint32_t k = 0; same && k < x->operand_count; k++)
			same = gk_ir_operand(a, x, k) == gk_ir_operand(b, y, k);
	}
	return same;
}

/* ---- without what kernels print ---- */

static struct gk_ir *silenced(const struct gk_ir *module)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_err e = {0};
	struct gk_ir *again;

	gk_ir_print_silent(module, &text);
	again = gk_ir_read("silent", gk_buf_text(&text), text.size, &e);
	if (!again)
		printf("# %s\n", e.text);
	return again;
}

/* As many operations of every code, but those that print. */
static int is_silent_copy(const struct gk_ir *module, const struct gk_ir *again)
{
	int same = again != NULL;

	for (int code = 0; same && code < GK_IR_CODE_COUNT; code++)
		same = again->code_uses[code] == (code == GK_IR_TT_PRINT ? 0 : module->code_uses[code]);
	return same;
}

/* Reading what was printed gives the same module, and printing that the same text. */
static void check_round_trip(const char *name)
{
	struct gk_ir *module = read_file(name), *again = NULL, *silent = module ? silenced(module) : NULL;
	gk_buf_auto first = GK_BUF_INIT;
	gk_buf_auto second = GK_BUF_INIT;
	struct gk_err e = {0};
	char behaviour[128];

	if (module) {
		gk_ir_print(module, &first);
		again = gk_ir_read("printed", gk_buf_text(&first), first.size, &e);
		for (int code = 0; code < GK_IR_CODE_COUNT; code++)
			uses[code] += module->code_uses[code];
	}
	if (again)
		gk_ir_print(again, &second);
	snprintf(behaviour, sizeof behaviour, "%s is read, printed and read again unchanged", name);
	if (!ok(module && again && is_same(module, again) &&
	                strcmp(gk_buf_text(&first), gk_buf_text(&second)) == 0,
	        behaviour))
		printf("# %s\n", e.text);
	snprintf(behaviour, sizeof behaviour, "%s is the same without what it prints", name);
	ok(module && is_silent_copy(module, silent), behaviour);
	gk_ir_free(module);
	gk_ir_free(again);
	gk_ir_free(silent);
}

static const char talkative[] =
	"module {\n"
	"  tt.func public @k(%p: !tt.ptr<i32>, %n: i32) attributes {noinline = false} {\n"
	"    %c0 = arith.constant 0 : i32\n"
	"    %c1 = arith.constant 1 : i32\n"
	"    %some = arith.cmpi sgt, %n, %c0 : i32\n"
	"    tt.print \" no operands: \" {hex = false, isSigned = array<i32>}\n"
	"    scf.if %some {\n"
	"      tt.print \" tt.print \\22} else {\\22 \" {hex = false, isSigned = array<i32: 1>} : %n : i32\n"
	"    } else {\n"
	"      tt.print \" two: \" {hex = true,\n"
	"        isSigned = array<i32: 1, 1>} : %n,\n"
	"        %c1 : i32,\n"
	"        i32\n"
	"    }\n"
	"    scf.for %i = %c0 to %n step %c1 : i32 {\n"
	"      %q = tt.addptr %p, %i : !tt.ptr<i32>, i32\n"
	"      %v = tt.load %q : !tt.ptr<i32>\n"
	"      tt.print \" v: \" {hex = false, isSigned = array<i32: 1>} : %v : i32\n"
	"    }\n"
	"    scf.for %i = %c0 to %n step %c1 : i32 {\n"
	"      tt.print \" i: \" {hex = false, isSigned = array<i32: 1>} : %i : i32\n"
	"    }\n"
	"    tt.store %p, %n : !tt.ptr<i32>\n"
	"    tt.return\n"
	"  }\n"
	"}\n";

static void check_silence(void)
{
	struct gk_err e = {0};
	struct gk_ir *module = gk_ir_read("talkative", talkative, strlen(talkative), &e), *again = NULL;
	gk_buf_auto text = GK_BUF_INIT;

	if (!ok(module != NULL, "a kernel that prints is read")) {
		printf("# %s\n", e.text);
		return;
	}
	is_int(module->code_uses[GK_IR_TT_PRINT], 5, "with all that it prints");
	gk_ir_print_silent(module, &text);
	ok(!strstr(gk_buf_text(&text), "print"), "printed for the compilers it prints nothing");
	again = silenced(module);
	ok(is_silent_copy(module, again), "what becomes empty of it is read again, and nothing else is missing");
	gk_ir_free(module);
	gk_ir_free(again);
}

static void check_files(void)
{
	struct gk_arena arena = {0};
	struct gk_err e = {0};
	char **names = NULL;
	size_t count = 0;
	int missing = 0;

	gk_dir_list(FOLDER, &arena, &names, &count, &e);
	for (size_t i = 0; i < count; i++)
		if (gk_text_ends(names[i], ".ttir"))
			check_round_trip(names[i]);
	/* Not met in the files: made by 3.8 and later only, or by none of triton's functions. */
	for (int code = 1; code < GK_IR_CODE_COUNT; code++) {
		if (uses[code] || code == GK_IR_TT_ATOMIC_LOAD || code == GK_IR_TT_ATOMIC_STORE ||
		    code == GK_IR_TT_APPROX_DIVF || code == GK_IR_TT_GDC_WAIT || code == GK_IR_TT_GDC_LAUNCH)
			continue;
		printf("# no file uses %s\n", gk_ir_ops[code].name);
		missing++;
	}
	is_int(missing, 0, "the files use every operation");
	gk_arena_release(&arena);
}

static const struct gk_ir_op *find_op(const struct gk_ir *module, enum gk_ir_code code, int which)
{
	for (uint32_t i = 0; i < module->op_count; i++)
		if (module->ops[i].code == code && which-- == 0)
			return &module->ops[i];
	return NULL;
}

static void check_softmax(void)
{
	struct gk_ir *module = read_file("softmax.ttir");
	const struct gk_ir_func *func;
	const struct gk_ir_op *reduce, *load;
	const struct gk_ir_attr *divisibility;
	const struct gk_ir_block *block;

	if (!ok(module != NULL, "softmax is read"))
		return;
	func = &module->funcs[module->entry];
	is_text(func->name, "softmax", "the entry function has its name");
	is_int(func->param_count, 4, "it has four parameters");
	is_text(func->params[0].name, "x", "parameters have the names of the source");
	is_int(module->types[module->types[func->params[0].type].element].kind, GK_IR_BF16,
	       "x points to bf16");
	divisibility =
		gk_ir_attr_in(module, func->params[0].attrs, func->params[0].attr_count, "tt.divisibility");
	is_int(divisibility ? divisibility->number : 0, 16, "its divisibility is 16");
	load = find_op(module, GK_IR_TT_LOAD, 0);
	is_int(load->operand_count, 3, "the load has pointer, mask and alternative");
	is_int(gk_ir_value_kind(module, load->results), GK_IR_BF16,
	       "the load's type follows from its pointers");
	is_int(gk_ir_value_type(module, load->results)->count, 64, "it loads 64 elements");
	reduce = find_op(module, GK_IR_TT_REDUCE, 0);
	block = gk_ir_entry_block(module, gk_ir_op_region(module, reduce, 0));
	is_int(block->arg_count, 2, "the first reduction's region has two arguments");
	is_int(module->ops[block->first].code, GK_IR_ARITH_MAXNUMF, "it is a maximum");
	is_int(module->ops[block->first].end, block->first + 1, "a plain operation ends right behind itself");
	is_int(reduce->end, block->end, "an operation ends behind its nested ones");
	is_int(gk_ir_attr_int(module, reduce, "axis", -1), 0, "it reduces axis 0");
	gk_ir_free(module);
}

static void check_constants(void)
{
	struct gk_ir *module = read_file("handmade.ttir");
	const struct gk_ir_attr *value;
	float numbers[2];

	if (!ok(module != NULL, "the handmade file is read"))
		return;
	value = gk_ir_attr(module, find_op(module, GK_IR_ARITH_CONSTANT, 0), "value");
	ok(value->count == 4 && memcmp(value->bytes, "\1\xfe\3\x7f", 4) == 0,
	   "a nested list gives row-major bytes");
	value = gk_ir_attr(module, find_op(module, GK_IR_ARITH_CONSTANT, 1), "value");
	memcpy(numbers, value->bytes, sizeof numbers);
	ok(numbers[0] == 1.0f && numbers[1] == -2.0f, "a hexadecimal blob gives its floats");
	value = gk_ir_attr(module, find_op(module, GK_IR_ARITH_CONSTANT, 2), "value");
	ok(memcmp(value->bytes, "\1\0\1\0", 4) == 0, "a blob of i1 is unpacked");
	value = gk_ir_attr(module, find_op(module, GK_IR_ARITH_CONSTANT, 3), "value");
	is_int(value->number, 0x7fc00000, "a hexadecimal float keeps its bits");
	value = gk_ir_attr(module, find_op(module, GK_IR_ARITH_CONSTANT, 5), "value");
	is_int(value->number, 0xb800, "a half is stored in its own format");
	value = gk_ir_attr(module, find_op(module, GK_IR_ARITH_CONSTANT, 7), "value");
	is_int(value->number, -1, "an i32 above 2^31 is its two's complement");
	is_int(gk_ir_attr_int(module, find_op(module, GK_IR_ARITH_CMPI, 0), "predicate", -1), GK_CMPI_SLT,
	       "the generic form's number is the custom form's predicate");
	is_text(gk_ir_attr_text(module, find_op(module, GK_IR_TT_LOAD, 0), "cache", ""), "cg",
	        "the generic form's cache modifier has its word");
	ok(!gk_ir_attr(module, find_op(module, GK_IR_TT_LOAD, 0), "evict"), "defaults are left out");
	is_int(find_op(module, GK_IR_SCF_IF, 1)->region_count, 1, "an empty else is none");
	gk_ir_free(module);
}

static void check_blocks(void)
{
	struct gk_ir *module = read_file("control.ttir");
	const struct gk_ir_region *body = &module->regions[module->funcs[module->entry].region];
	const struct gk_ir_op *branch = find_op(module, GK_IR_CF_COND_BR, 0);
	int in_order = 1;

	ok(body->block_count > 1, "an early return makes blocks");
	for (uint32_t i = 0; i + 1 < body->block_count; i++)
		in_order &=
			module->blocks[body->blocks + i].end == module->blocks[body->blocks + i + 1].first;
	ok(in_order, "blocks of a region are consecutive and in the order of the text");
	is_int(branch->successor_count, 2, "a conditional branch has two successors");
	is_int(module->successors[branch->successors].block, body->blocks + 1,
	       "the first leads to the next block");
	for (uint32_t i = 0; i < module->region_count; i++)
		in_order &= module->regions[i].op == GK_IR_NONE ||
		            module->ops[module->regions[i].op].regions <= i;
	ok(in_order, "regions follow their operation's first one");
	gk_ir_free(module);
}

static void check_places(void)
{
	struct gk_ir *module = read_file("softmax.ttir");
	struct gk_ir_place place;

	gk_ir_place(module, find_op(module, GK_IR_TT_LOAD, 0)->loc, NULL, &place);
	is_text(place.file, "/geak/kernels.py", "a load lies in the kernel's file");
	is_text(place.name, "v", "it is assigned to v");
	ok(place.line > 0 && place.call_line == 0, "it stands in the kernel itself");
	gk_ir_place(module, find_op(module, GK_IR_ARITH_MAXNUMF, 0)->loc, NULL, &place);
	is_text(place.file, "/geak/kernels.py", "what tl.max does is shown at the kernel's line");
	gk_ir_place(module, find_op(module, GK_IR_ARITH_MAXNUMF, 0)->loc, "/triton/language/standard.py",
	            &place);
	is_text(place.file, "/triton/language/standard.py", "or in the library, when asked for");
	gk_ir_place(module, 0, NULL, &place);
	ok(place.line == 0 && *place.file == '\0', "an unknown location has no place");
	gk_ir_free(module);
	module = read_file("reductions.ttir");
	for (uint32_t i = 0; i < module->op_count; i++) {
		gk_ir_place(module, module->ops[i].loc, NULL, &place);
		if (place.call_line && strcmp(place.file, "/geak/kernels.py") == 0)
			break;
	}
	ok(place.call_line > place.line, "a helper's line comes with the line that called it");
	gk_ir_free(module);
}

int main(void)
{
	check_files();
	check_silence();
	check_softmax();
	check_constants();
	check_blocks();
	check_places();
	return done_testing();
}
