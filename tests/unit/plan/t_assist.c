/* Arithmetic of the framework in plans: what is read, what a task must allow, and whose result an output then is. */
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "plan/plan.h"
#include "tap.h"

/* softmax writes 32 x 50 numbers into buffer 2, whose halves are summed into the output. Buffer 3: a spare of its size. */
#define VIEW(buf, dtype, shape, strides)                                                                     \
	"{\"buf\":" buf ",\"at\":0,\"dtype\":\"" dtype "\",\"shape\":" shape ",\"strides\":" strides "}"
#define LAUNCH                                                                                               \
	"{\"op\":\"launch\",\"kernel\":0,\"grid\":[32,1,1],\"line\":31,\"args\":[{\"t\":\"ptr\",\"buf\":0,\"at\":0}," \
	"{\"t\":\"ptr\",\"buf\":2,\"at\":0},{\"t\":\"i32\",\"v\":50},{\"t\":\"i32\",\"v\":50}]}"
#define HALVES(buf) VIEW(buf, "float32", "[2,16,50]", "[800,50,1]")
#define OUT(buf)    VIEW(buf, "float32", "[16,50]", "[50,1]")
#define SUM(dst, src)                                                                                        \
	"{\"op\":\"assist\",\"does\":\"sum\",\"dst\":" dst ",\"src\":" src ",\"dims\":[0],\"line\":40}"
#define COPY(dst, src) "{\"op\":\"copy\",\"dst\":" dst ",\"src\":" src "}"
#define INPUT          VIEW("0", "bfloat16", "[2,16,50]", "[800,50,1]")

static const char frame[] =
	"{\"plan\":1,\"ir\":\"ttir\",\"target\":\"gfx942\","
	"\"case\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
	"\"from\":{\"candidate\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\",\"triton\":\"3.7.1\","
	"\"torch\":\"2\",\"capture\":\"1\",\"env\":{},\"census\":[],\"notes\":[]},"
	"\"buffers\":[{\"bytes\":3200,\"align\":512,\"input\":\"x\"},{\"bytes\":3200,\"align\":512},"
	"{\"bytes\":6400,\"align\":512},{\"bytes\":6400,\"align\":512}],"
	"\"kernels\":[{\"ttir\":\"%s\",\"name\":\"softmax\",\"options\":{\"num_warps\":4,\"num_stages\":2},"
	"\"inline_asm\":false}],\"prologue\":[%s],\"steps\":[%s],"
	"\"outputs\":[{\"name\":\"y\",\"buf\":1,\"at\":0,\"dtype\":\"float32\",\"shape\":[16,50],\"strides\":[50,1]}]}";

static struct gk_plan_module modules[1];

static struct gk_plan *read_plan(const char *prologue, const char *steps, struct gk_err *e)
{
	gk_buf_auto text = GK_BUF_INIT;

	*e = (struct gk_err){0};
	gk_buf_printf(&text, frame, modules[0].hash, prologue, steps);
	return gk_plan_read("plan", gk_buf_text(&text), text.size, e);
}

static const char *const sums[] = {"aten::zeros", "aten::sum.dim_IntList"};

static int validate(const struct gk_plan *plan, const char *const *allow, size_t count, struct gk_err *e)
{
	static const struct gk_tensor inputs[] = {
		{.name = "x", .dtype = GK_BF16, .rank = 2, .shape = {32, 50}, .bytes = 3200}};
	static const struct gk_tensor outputs[] = {{.name = "y", .dtype = GK_F32, .rank = 2, .shape = {16, 50}}};
	struct gk_plan_expect expect = {.inputs = inputs,
	                                .input_count = 1,
	                                .outputs = outputs,
	                                .output_count = 1,
	                                .allow = allow,
	                                .allow_count = count,
	                                .modules = modules,
	                                .module_count = 1};

	return gk_plan_validate(plan, &expect, e);
}

/* message NULL: it passes. */
static void valid(const char *prologue, const char *steps, const char *message, const char *what)
{
	struct gk_err e;
	struct gk_plan *plan = read_plan(prologue, steps, &e);
	bool passes = plan && validate(plan, sums, 2, &e) == 0;

	if (!ok(message ? plan && !passes && strstr(e.text, message) : passes, what))
		printf("#  got: %s\n", e.text[0] ? e.text : "no failure");
	gk_plan_free(plan);
}

static void a_sum_of_what_a_kernel_made_is_a_result(void)
{
	valid("", LAUNCH "," SUM(OUT("1"), HALVES("2")), NULL, "an allowed sum of a kernel's results may be the output");
	valid("", LAUNCH "," SUM(OUT("3"), HALVES("2")) "," COPY(OUT("1"), OUT("3")), NULL, "and so may its cast or copy");
	valid("", LAUNCH "," COPY(HALVES("3"), HALVES("2")) "," SUM(OUT("1"), HALVES("3")), NULL,
	      "a copy of what a kernel made may be summed up");
	valid("", LAUNCH "," COPY(OUT("1"), OUT("2")), "last written by a copy (steps[1])", "a copy alone is none, as ever");
	valid("", SUM(OUT("1"), INPUT) "," LAUNCH, "last written by a sum of what no kernel made (steps[0])",
	      "nor is a sum of what no kernel made");
	valid("", COPY(HALVES("2"), INPUT) "," SUM(OUT("1"), HALVES("2")), "a sum of what no kernel made (steps[1])",
	      "whatever it was copied to before");
	valid("", LAUNCH "," COPY(HALVES("2"), INPUT) "," SUM(OUT("1"), HALVES("2")),
	      "a sum of what no kernel made (steps[2])", "nor where a copy has replaced what the kernel made");
	valid("", SUM(OUT("3"), INPUT) "," COPY(OUT("1"), OUT("3")), "last written by a copy (steps[1])",
	      "nor the cast of such a sum");
	valid("", LAUNCH "," SUM(OUT("0"), HALVES("2")), "steps[1]: writes the input x", "inputs are not written");
	valid(SUM(OUT("1"), INPUT), LAUNCH, "prologue[0]: a prologue must not read the input x", "prologues see no inputs");
}

static void tasks_allow_them_by_name(void)
{
	static const char *const refused[] = {"aten::summ", "aten::amax", "prims::sum", "sum_"};
	static const char *const any[] = {"sum"}, *const plain[] = {"aten::sum"}, *const longest[] = {"aten::amax"};
	struct gk_err e;
	struct gk_plan *plan = read_plan("", LAUNCH "," SUM(OUT("1"), HALVES("2")), &e);

	if (!ok(plan != NULL, "a plan with a sum is read"))
		return;
	ok(validate(plan, NULL, 0, &e) < 0, "without a permission it is refused");
	is_text(e.text, "plan: steps[1]: the framework computes sum (line 40), which the task does not allow",
	        "with its line");
	ok(validate(plan, refused, 4, &e) < 0, "names that are another's permit nothing");
	ok(validate(plan, any, 1, &e) == 0 && validate(plan, plain, 1, &e) == 0, "a name without overload permits all of them");
	ok(gk_assist_is_allowed(GK_ASSIST_MAX, longest, 1) && !gk_assist_is_allowed(GK_ASSIST_MIN, longest, 1),
	   "max is called amax as well");
	gk_plan_free(plan);
}

static void refused(const char *step, const char *message, const char *what)
{
	struct gk_err e;
	struct gk_plan *plan = read_plan("", step, &e);

	if (!ok(!plan && strstr(e.text, message), what))
		printf("#  got: %s\n", plan ? "a plan" : e.text);
	gk_plan_free(plan);
}

#define ASSIST(does, dst, src, dims)                                                                         \
	"{\"op\":\"assist\",\"does\":\"" does "\",\"dst\":" dst ",\"src\":" src ",\"dims\":" dims ",\"line\":1}"

static void malformed_ones_are_refused(void)
{
	refused(ASSIST("cumsum", OUT("1"), OUT("2"), "[]"), "steps[0].does", "unknown operations");
	refused(ASSIST("sum", OUT("1"), HALVES("2"), "[1]"), "steps[0]: dst of src's shape without", "another shape");
	refused(ASSIST("sum", OUT("1"), HALVES("2"), "[3]"), "steps[0].dims[0]: an integer from 0 to 2", "another dimension");
	refused(ASSIST("sum", OUT("1"), HALVES("2"), "[0, 0]"), "steps[0].dims[1]: an integer from 1 to 2", "one twice");
	refused(ASSIST("sum", OUT("1"), HALVES("2"), "[-1]"), "steps[0].dims[0]", "negative ones");
	refused(ASSIST("abs", OUT("1"), HALVES("2"), "[0]"), "abs folds no dimensions", "folds that are none");
	refused(ASSIST("max", VIEW("1", "float16", "[16,50]", "[50,1]"), HALVES("2"), "[0]"),
	        "there is no max of float32 as float16", "casts that are none");
	refused(ASSIST("sum", VIEW("1", "bool", "[16,50]", "[50,1]"), HALVES("2"), "[0]"), "no sum of float32 as bool",
	        "sums that are truth values");
	refused(ASSIST("sum", VIEW("1", "float32", "[16]", "[1]"), VIEW("2", "float8_e5m2", "[16,5]", "[5,1]"), "[1]"),
	        "no sum of float8_e5m2", "8-bit floats");
	refused(ASSIST("reciprocal", VIEW("1", "int32", "[16]", "[1]"), VIEW("2", "int32", "[16]", "[1]"), "[]"),
	        "no reciprocal of int32", "one over an integer");
	refused(ASSIST("sum", VIEW("1", "float32", "[16]", "[1]"), VIEW("2", "float32", "[9000000,16]", "[0,1]"), "[0]"),
	        "src repeats elements", "endless work in a short text");
	refused(ASSIST("sum", VIEW("2", "float32", "[16,50]", "[50,1]"), HALVES("2"), "[0]"), "src and dst overlap",
	        "a sum into its own elements");
	refused(ASSIST("sum", VIEW("1", "float32", "[16,50]", "[0,1]"), HALVES("2"), "[0]"), "overlaps itself",
	        "a result that overlaps itself");
	refused(ASSIST("max", VIEW("1", "float32", "[16]", "[1]"), VIEW("2", "float32", "[0,16]", "[16,1]"), "[0]"),
	        "there is no max of nothing", "the greatest of nothing");
	refused("{\"op\":\"assist\",\"does\":\"sum\",\"dst\":" OUT("1") ",\"src\":" HALVES("2") ",\"dims\":[0]}",
	        "line: is missing", "missing keys");
}

static void they_are_written_named_and_printed(void)
{
	struct gk_err e;
	struct gk_plan *plan = read_plan("", LAUNCH "," SUM(OUT("1"), HALVES("2")), &e), *other;
	gk_json_auto *json = plan ? gk_plan_to_json(plan) : NULL;
	gk_json_auto *step = json_loads(SUM(OUT("1"), HALVES("2")), 0, NULL);
	gk_buf_auto out = GK_BUF_INIT;
	char a[GK_HEX_SIZE], b[GK_HEX_SIZE], why[200] = "";

	if (!plan)
		return;
	ok(json_equal(json_array_get(json_object_get(json, "steps"), 1), step), "it is written as it was read");
	other = read_plan("", LAUNCH "," ASSIST("max", OUT("1"), HALVES("2"), "[0]"), &e);
	gk_plan_hash(plan, a);
	gk_plan_hash(other, b);
	ok(strcmp(a, b) != 0, "what it does is part of the hash");
	ok(!gk_plan_is_same(plan, other, NULL, 0, why, sizeof why) && strstr(why, "steps[1].does: \"sum\" against \"max\""),
	   "and of the comparison");
	gk_plan_print(plan, NULL, 0, &out);
	ok(strstr(gk_buf_text(&out),
	          "framework's sum of float32[2, 16, 50] in b2 over dims 0 into float32[16, 50] in b1, line 40\n"),
	   "it is printed");
	gk_plan_free(plan);
	gk_plan_free(other);
}

int main(void)
{
	struct gk_err e = {0};
	gk_free_auto char *text = NULL;
	size_t size = 0;
	struct gk_ir *ir;

	if (gk_file_read("tests/data/ttir/softmax.ttir", GK_IR_MAX_BYTES, &text, &size, &e))
		return 1;
	gk_hash_hex(text, size, modules[0].hash);
	ir = gk_ir_read("softmax.ttir", text, size, &e);
	modules[0].ir = ir;
	a_sum_of_what_a_kernel_made_is_a_result();
	tasks_allow_them_by_name();
	malformed_ones_are_refused();
	they_are_written_named_and_printed();
	gk_ir_free(ir);
	return done_testing();
}
