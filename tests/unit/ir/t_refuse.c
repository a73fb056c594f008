/* What the reader refuses, and with which words. A case is the body of a function; the head is the same for
 * all. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"
#include "ir/ir.h"
#include "tap.h"

#define HEAD "module {\n  tt.func public @k(%p: !tt.ptr<f32>, %n: i32, %t: tensor<4x8xf32>, %c: i1) {\n"
#define TAIL "\n    tt.return\n  }\n}\n"

static const struct {
	const char *body, *message;
} cases[] = {
	{"%0 = arith.addi %n, %m : i32", "k:3:21: expected a value that is defined before, found '%m'"},
	{"%0 = arith.addi %n, %n : i64", "k:3:26: expected i32, the type of operand 0 of arith.addi"},
	{"%0 = arith.addi %n %n : i32", "k:3:20: expected ',', found '%n'"},
	{"%0 = arith.addf %n, %n : i32", "k:3:1: arith.addf: expected floats"},
	{"%0 = arith.addq %n, %n : i32",
         "k:3:6: expected an operation that geak knows, such as arith.addi, found 'arith.addq'"},
	{"llvm.inline_asm \"x\"", "k:3:1: expected an operation that geak knows, found 'llvm.inline_asm'"},
	{"%0:2 = arith.addi %n, %n : i32", "k:3:1: expected names for 1 results of arith.addi"},
	{"%n = arith.addi %n, %n : i32", "k:3:1: expected a new name, %n is defined already"},
	{"%0 = arith.cmpi lt, %n, %n : i32", "k:3:17: expected a known word for predicate, found 'lt'"},
	{"%0 = arith.constant 300 : i8", "k:3:21: expected a number that fits its type"},
	{"%0 = arith.constant dense<[1, 2, 3]> : tensor<2xi32>", "expected as many elements as the type has"},
	{"%0 = arith.constant dense<[[1, 2], [3]]> : tensor<2x2xi32>", "expected lists of equal length"},
	{"%0 = arith.constant dense<\"0x00\"> : tensor<2xi32>",
         "expected the bytes of one or of all elements"},
	{"%0 = arith.constant dense<1.5> : tensor<2xi32>", "expected elements that fit the type"},
	{"%0 = arith.constant dense<0> : tensor<1048577xi8>", "expected a tensor of 1 to 1048576 elements"},
	{"%0 = arith.constant dense<0> : tensor<4096x4096xi8>", "expected a tensor of 1 to 1048576 elements"},
	{"%0 = arith.constant dense<0> : tensor<0xi8>", "expected a tensor of 1 to 1048576 elements"},
	{"%0 = arith.constant dense<0> : tensor<2xtensor<2xi8>>", "expected a tensor of numbers or pointers"},
	{"%0 = arith.constant dense<0> : tensor<2xi8, #ttg.blocked<{}>>", "expected '>', found ','"},
	{"%0 = tt.load %n : i32", "expected a pointer to load from"},
	{"%0 = tt.load %p, %n : !tt.ptr<f32>", "tt.load: expected a mask of i1 in the pointers' shape"},
	{"%0 = tt.load %p, %c, %n : !tt.ptr<f32>", "tt.load: expected an alternative of the result's type"},
	{"tt.store %p, %n : !tt.ptr<f32>", "tt.store: expected pointers to the values' type, in their shape"},
	{"%0 = tt.splat %t : tensor<4x8xf32> -> tensor<4x8xf32>",
         "tt.splat: expected a tensor of the operand's type"},
	{"%0 = tt.expand_dims %t {axis = 5 : i32} : tensor<4x8xf32> -> tensor<4x8x1xf32>",
         "tt.expand_dims: expected one more dimension, of one, at the axis"},
	{"%0 = tt.broadcast %t : tensor<4x8xf32> -> tensor<8x8xf32>",
         "tt.broadcast: expected to widen only dimensions of one"},
	{"%0 = tt.trans %t {order = array<i32: 1, 1>} : tensor<4x8xf32> -> tensor<8x8xf32>",
         "tt.trans: expected the result's dimensions in the given order"},
	{"%0 = tt.reshape %t : tensor<4x8xf32> -> tensor<31xf32>",
         "tt.reshape: expected as many elements as before"},
	{"%0 = arith.extsi %n : i32 to i16", "arith.extsi: expected types that it converts between"},
	{"%0 = arith.trunci %n : i32 to f16", "arith.trunci: expected types that it converts between"},
	{"%0 = tt.bitcast %n : i32 -> f64", "tt.bitcast: expected types that it converts between"},
	{"%0 = tt.int_to_ptr %n : i32 -> !tt.ptr<f32>",
         "tt.int_to_ptr: expected types that it converts between"},
	{"%0 = arith.select %n, %n, %n : i32",
         "arith.select: expected an i1, or a tensor of them in the values' shape"},
	{"%0 = tt.addptr %p, %t : !tt.ptr<f32>, tensor<4x8xf32>",
         "tt.addptr: expected pointers and integers of one shape"},
	{"%0 = tt.dot %t, %t, %t : tensor<4x8xf32> * tensor<4x8xf32> -> tensor<4x8xf32>",
         "tt.dot: expected shapes that can be multiplied"},
	{"%0 = tt.make_range {end = 4 : i32, start = 1 : i32} : tensor<4xi32>", "tt.make_range: expected"},
	{"%0 = tt.get_program_id w : i32", "expected a known word for axis, found 'w'"},
	{"%0 = tt.atomic_rmw add, relaxed, gpu, %p, %a : (!tt.ptr<f32>, f32) -> f32",
         "expected a value that is defined before"},
	{"%a = arith.constant 1.0 : f32\n%0 = tt.atomic_rmw add, relaxed, gpu, %p, %a : (!tt.ptr<f32>, f32) "
         "-> f32",
         "k:4:1: tt.atomic_rmw: expected integers for this operation"},
	{"%0 = \"tt.reduce\"(%t) <{axis = 2 : i32}> ({\n^bb0(%a: f32, %b: f32):\n  tt.reduce.return %a : "
         "f32\n}) : "
         "(tensor<4x8xf32>) -> tensor<4xf32>",
         "tt.reduce: expected tensors of one shape, and an axis of it"},
	{"%0 = \"tt.reduce\"(%t) <{axis = 1 : i32}> ({\n^bb0(%a: f32, %b: f32):\n  tt.reduce.return %a : "
         "f32\n}) : "
         "(tensor<4x8xf32>) -> tensor<8xf32>",
         "tt.reduce: expected results without the axis"},
	{"%0 = \"tt.reduce\"(%t) <{axis = 1 : i32}> ({\n^bb0(%a: f32):\n  tt.reduce.return %a : f32\n}) : "
         "(tensor<4x8xf32>) -> tensor<4xf32>",
         "tt.reduce: expected a region that makes one value from two"},
	{"%0 = \"tt.scan\"(%t) <{axis = 1 : i32, reverse = false}> ({\n^bb0(%a: f32, %b: f32):\n  "
         "tt.reduce.return %a : "
         "f32\n}) : (tensor<4x8xf32>) -> tensor<4x8xf32>",
         "tt.scan: expected a region of one block that ends with tt.scan.return"},
	{"%0 = tt.reduce %t : f32", "expected tt.reduce in its generic form, in quotes"},
	{"scf.for %i = %n to %n step %n : i64 {\n}", "expected i32, the type of operand 0 of scf.for"},
	{"%0 = scf.for %i = %n to %n step %n iter_args(%a = %n) -> (i32) : i32 {\n}",
         "scf.for: expected initial values, arguments, yielded values and results of the same types"},
	{"%0 = scf.if %c -> (i32) {\n  scf.yield %n : i32\n}",
         "scf.if: expected two regions, or one and no results"},
	{"scf.if %c {\n  %x = arith.addi %n, %n : i32\n}\n%0 = arith.addi %x, %x : i32",
         "k:6:17: expected a value that is defined before, found '%x'"},
	{"scf.yield %n : i32\n%0 = arith.addi %n, %n : i32", "k:4:1: expected the end of the block"},
	{"scf.if %c {\n  tt.return\n}", "scf.if: expected a region of one block that ends with scf.yield"},
	{"cf.cond_br %c, ^bb1, ^bb9\n^bb1:", "k:3:22: expected a block that the region has"},
	{"cf.br ^bb1(%c : i1)\n^bb1(%q: i32):", "cf.br: expected values of the arguments' types"},
	{"cf.cond_br %c, ^bb1, ^bb2\n^bb1:\n  %x = arith.addi %n, %n : i32\n  cf.br ^bb2\n^bb2:\n  "
         "%y = arith.addi %x, %x : i32",
         "expected operand 0 to be defined on every way here"},
	{"%0 = tt.call @g(%n) : (i32) -> i32", "tt.call: expected a function of the module"},
	{"tt.call @k(%p, %n, %t, %c) : (!tt.ptr<f32>, i32, tensor<4x8xf32>, i1) -> ()",
         "expected k not to call itself"},
	{"%0 = tt.elementwise_inline_asm \"x\" {pure = true} -> i32 loc(#l)", "expected a definition of #l"},
	{"%0 = arith.addi %n, %n {a = 1, a = 2} : i32", "expected the attribute a only once"},
	{"%0 = arith.addi %n, %n {a = #x} : i32", "expected an attribute with its dialect's name"},
	{"%0 = \"tt.atomic_rmw\"(%p, %n) <{atomic_rmw_op = 4 : i32, scope = 1 : i32}> : (!tt.ptr<f32>, i32) -> i32",
	 "tt.atomic_rmw: expected an attribute sem"},
	{"%0 = \"tt.get_program_id\"() <{axis = 7 : i32}> : () -> i32",
	 "tt.get_program_id: expected another kind of attribute axis"},
	{"%0 = \"arith.addi\"(%n, %n) <{overflowFlags = \"x\"}> : (i32, i32) -> i32",
	 "arith.addi: expected another kind of attribute overflowFlags"},
	{"%0 = arith.constant \"text\"", "expected a number or a dense constant"},
	{"tt.print \"unfinished", "expected a string, found '\"unfinished'"},
	{"%0 = arith.addi %n, %n : vector<4xi32>", "expected a type, found 'vector'"},
	{"%0 = arith.addi %n, %n : i33", "expected a type, found 'i33'"},
	{"%0 = tt.load %p : !tt.ptr<tensor<8x8xf32>>", "block pointers must have been rewritten"},
};

static int read_message(const char *text, size_t size, struct gk_err *e)
{
	struct gk_ir *module = gk_ir_read("k", text, size, e);

	gk_ir_free(module);
	return module ? 0 : -1;
}

static void check_case(const char *body, const char *message)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_err e = {0};
	int result;

	gk_buf_printf(&text, "%s%s%s", HEAD, body, TAIL);
	result = read_message(gk_buf_text(&text), text.size, &e);
	if (!ok(result == -1 && strstr(e.text, message), message))
		printf("#  got: %s\n", result ? e.text : "no failure");
}

static void check_text(const char *text, const char *message)
{
	struct gk_err e = {0};
	int result = read_message(text, strlen(text), &e);

	if (!ok(result == -1 && strstr(e.text, message), message))
		printf("#  got: %s\n", result ? e.text : "no failure");
}

/* "loc(callsite(#l1 at ..))" chains: 300 deep, and a circle. */
static void check_locs(void)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_err e = {0};

	check_text("#a = loc(callsite(#b at unknown))\n#b = loc(\"x\"(#a))\nmodule {\ntt.func public @k() "
	           "{\ntt.return "
	           "loc(#a)\n}\n}\n",
	           "expected locations without cycles");
	gk_buf_printf(&text, "#l0 = loc(\"f\":1:1)\n");
	for (int i = 1; i < 300; i++)
		gk_buf_printf(&text, "#l%d = loc(callsite(#l%d at #l%d))\n", i, i - 1, i - 1);
	gk_buf_printf(&text, "module {\ntt.func public @k() {\ntt.return loc(#l250)\n}\n}\n");
	read_message(gk_buf_text(&text), text.size, &e);
	ok(strstr(e.text, "at most 256 deep"), "chains of locations have a ceiling");
}

/* Each shares its parts with the next: a walk over all ways would never end. */
static void check_shared_locs(void)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_err e = {0};
	struct gk_ir *module;
	struct gk_ir_place place;

	gk_buf_printf(&text, "#l0 = loc(\"f\":1:1)\n");
	for (int i = 1; i < 200; i++)
		gk_buf_printf(&text, "#l%d = loc(callsite(#l%d at #l%d))\n", i, i - 1, i - 1);
	gk_buf_printf(&text, "module {\ntt.func public @k() {\ntt.return loc(#l199)\n} loc(\"f\":1:1)\n}\n");
	module = gk_ir_read("k", gk_buf_text(&text), text.size, &e);
	if (!ok(module != NULL, "locations may share their parts"))
		return;
	gk_ir_place(module, module->ops[0].loc, NULL, &place);
	is_int(place.line, 1, "and are found in bounded time");
	gk_ir_free(module);
}

static void check_ceilings(void)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_err e = {0};

	gk_buf_add_text(&text, HEAD);
	for (int i = 0; i < 40; i++)
		gk_buf_add_text(&text, "scf.if %c {\n");
	for (int i = 0; i < 40; i++)
		gk_buf_add_text(&text, "}\n");
	gk_buf_add_text(&text, TAIL);
	read_message(gk_buf_text(&text), text.size, &e);
	ok(strstr(e.text, "expected regions nested at most 32 deep"), "nesting of regions has a ceiling");
	gk_buf_clear(&text);
	gk_buf_add_text(&text, HEAD "%0 = arith.addi %n, %n {a = ");
	for (int i = 0; i < 100; i++)
		gk_buf_add_char(&text, '[');
	read_message(gk_buf_text(&text), text.size, &e);
	ok(strstr(e.text, "expected attributes nested at most 16 deep"),
	   "nesting of attributes has a ceiling");
	ok(!gk_ir_read("k", "", GK_IR_MAX_BYTES + 1, &e) && strstr(e.text, "expected at most 4194304 bytes"),
	   "the text has a ceiling");
}

int main(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_case(cases[i].body, cases[i].message);
	check_text("", "k:1:1: expected 'module', found the end");
	check_text("module {\n}\n", "expected one public function, found 0");
	check_text("module {\ntt.func @a() {\ntt.return\n}\ntt.func public @k() {\ntt.return\n}\n}\n",
	           "expected a to be called");
	check_text("module {\ntt.func public @k() {\n}\n}\n", "expected a terminator");
	check_text("module {\ntt.func public @k() {\ntt.return\n}\n", "expected 'tt.func', found the end");
	check_text("module {\ntt.func public @k() -> i32 {\ntt.return\n}\n}\n",
	           "tt.return: expected the function's results");
	check_text("module {\ntt.func public @k() {\ntt.return\n}\n} x", "expected the end, found 'x'");
	check_locs();
	check_shared_locs();
	check_ceilings();
	return done_testing();
}
