/* One good plan of the softmax fixture, and what becomes of it when one thing in it is changed. */
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "plan/plan.h"
#include "tap.h"

static const char base[] =
	"{\"plan\":1, \"ir\":\"ttir\", \"target\":\"gfx942\","
	"\"case\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
	"\"from\":{\"candidate\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\", "
        "\"triton\":\"3.7.1\","
	"  \"torch\":\"2\", \"capture\":\"1\", \"env\":{}, \"census\":[{\"op\":\"aten::empty\", \"line\":12, "
        "\"count\":1}],"
	"  \"notes\":[\"a note\"]},"
	"\"buffers\":[{\"bytes\":1600, \"align\":512, \"input\":\"x\"}, {\"bytes\":3200, \"align\":512},"
	"  {\"bytes\":64, \"align\":512}],"
	"\"kernels\":[{\"ttir\":\"%HASH%\", \"name\":\"softmax\", \"options\":{\"num_warps\":4, "
        "\"num_stages\":2},"
	"  \"inline_asm\":false}],"
	"\"prologue\":[{\"op\":\"fill\", \"dst\":{\"buf\":2, \"at\":0, \"dtype\":\"int32\", \"shape\":[16], "
        "\"strides\":[1]},"
	"  \"bits\":\"0x0000002a\"}],"
	"\"steps\":["
	"  {\"op\":\"iota\", \"dst\":{\"buf\":2, \"at\":0, \"dtype\":\"int64\", \"shape\":[8], "
        "\"strides\":[1]}, \"start\":3,"
	"   \"step\":-1},"
	"  {\"op\":\"data\", \"dst\":{\"buf\":2, \"at\":8, \"dtype\":\"int16\", \"shape\":[2], "
        "\"strides\":[1]},"
	"   \"hex\":\"01000200\"},"
	"  {\"op\":\"copy\", \"dst\":{\"buf\":1, \"at\":0, \"dtype\":\"float32\", \"shape\":[16, 50], "
        "\"strides\":[50, 1]},"
	"   \"src\":{\"buf\":2, \"at\":0, \"dtype\":\"int32\", \"shape\":[16, 50], \"strides\":[1, 0]}},"
	"  {\"op\":\"launch\", \"kernel\":0, \"grid\":[16, 1, 1], \"line\":31, \"args\":[{\"t\":\"ptr\", "
        "\"buf\":0, \"at\":0},"
	"   {\"t\":\"ptr\", \"buf\":1, \"at\":0}, {\"t\":\"i32\", \"v\":50}, {\"t\":\"i32\", \"v\":50}]}],"
	"\"outputs\":[{\"name\":\"y\", \"buf\":1, \"at\":0, \"dtype\":\"float32\", \"shape\":[16, 50], "
        "\"strides\":[50, 1]}]}";

#define LAUNCH                                                                                               \
	"{\"op\":\"launch\",\"kernel\":0,\"grid\":[16,1,1],\"line\":31,\"args\":[{\"t\":\"ptr\",\"buf\":0,"  \
	"\"at\":0},"                                                                                         \
	"{\"t\":\"ptr\",\"buf\":1,\"at\":0},{\"t\":\"i32\",\"v\":50},{\"t\":\"i32\",\"v\":50}]}"

static struct gk_ir *module;
static char hash[GK_HEX_SIZE];

/* A change: the value at path, keys and indexes with '/' between, becomes value; NULL removes it. */
struct change {
	const char *path, *value, *message;
};

static const struct change refused_by_reader[] = {
	{"plan", "2", "plan: an integer from 1 to 1 is needed, not 2"},
	{"extra", "1", "extra"},
	{"outputs", NULL, "outputs: is missing"},
	{"target", "\"../x\"", "target: a target such as"},
	{"case", "\"AB\"", "case: a SHA-256"},
	{"from/candidate", "7", "from.candidate"},
	{"from/secret", "\"x\"", "from"},
	{"buffers/0/bytes", "-1", "buffers[0].bytes: an integer from 0"},
	{"buffers/0/bytes", "9999999999999", "buffers[0].bytes: an integer from 0"},
	{"buffers/0/align", "24", "buffers[0].align: a power of two"},
	{"buffers/1/input", "\"x\"", "buffers[1]: buffer 0 has the same input"},
	{"buffers/1/input", "\"a\\nb\"", "buffers[1].input: a name without control characters"},
	{"kernels/0/options/ptx_options", "\"-x\"", "kernels[0].options.ptx_options: is no option"},
	{"kernels/0/options/extern_libs", "{}", "kernels[0].options.extern_libs: is no option"},
	{"kernels/0/options/num_warps", "0", "kernels[0].options.num_warps: an integer from 1 to 64"},
	{"kernels/0/options/schedule_hint", "\"a;b\"", "kernels[0].options.schedule_hint: a word"},
	{"steps/3/kernel", "1", "steps[3].kernel: an integer from 0 to 0"},
	{"steps/3/grid/0", "0", "steps[3].grid[0]: an integer from 1"},
	{"steps/3/grid/1", "65536", "steps[3].grid[1]: an integer from 1 to 65535"},
	{"steps/3/grid/0", "2147483648", "steps[3].grid[0]"},
	{"steps/3/grid", "[1, 1]", "steps[3].grid: three numbers"},
	{"steps/3/args/0/buf", "3", "steps[3].args[0].buf"},
	{"steps/3/args/0/at", "1601", "steps[3].args[0].at: an integer from 0 to 1600"},
	{"steps/3/args/2/v", "2147483648", "steps[3].args[2].v"},
	{"steps/3/args/2/bits", "\"0x1\"", "steps[3].args[2]"},
	{"steps/3/args/2/t", "\"u32\"", "steps[3].args[2].t"},
	{"steps/3/args/2", "{\"t\":\"f16\", \"bits\":\"0x12345\"}",
         "steps[3].args[2].bits: the bits do not fit"},
	{"steps/3/args/2", "{\"t\":\"f32\", \"bits\":\"1\"}", "steps[3].args[2].bits: bits in the form"},
	{"steps/3/op", "\"run\"", "steps[3].op"},
	{"steps/2/dst/strides/0", "49", "steps[2].dst: the view overlaps itself"},
	{"steps/2/dst/strides", "[50]", "steps[2].dst: a stride for each dimension"},
	{"steps/2/dst/at", "4", "steps[2].dst: the view leaves buffer 1 of 3200 bytes"},
	{"steps/2/dst/at", "2", "steps[2].dst: the view"},
	{"steps/2/dst/strides/0", "-50", "steps[2].dst: the view leaves buffer 1"},
	{"steps/2/dst/shape/0", "1000000000000", "steps[2].dst: the shape is too large"},
	{"steps/2/dst/strides/0", "1000000000000", "steps[2].dst: the view leaves"},
	{"steps/2/src/shape/0", "15", "steps[2]: src and dst of one shape"},
	{"steps/2/src", "{\"buf\":1, \"at\":0, \"dtype\":\"float32\", \"shape\":[16,50], \"strides\":[1,16]}",
         "steps[2]: src and dst overlap in part"},
	{"steps/2/dst/dtype", "\"float33\"", "steps[2].dst.dtype"},
	{"steps/1/hex", "\"010002\"", "steps[1].hex: two digits for each of 4 bytes"},
	{"steps/1/hex", "\"0100020G\"", "steps[1].hex: lower-case hexadecimal digits"},
	{"steps/0/step", "9223372036854775807", "steps[0]: the numbers leave 64 bits"},
	{"prologue/0/bits", "\"0x100000000\"", "prologue[0].bits: the bits do not fit"},
	{"outputs/0/buf", "64", "outputs[0].buf"},
	{"outputs/0/name", "\"\"", "outputs[0].name"},
	{"steps/0", "{\"op\":\"choose\", \"site\":0, \"variants\":[]}", "steps[0].variants: at least one"},
	{"steps/0",
         "{\"op\":\"choose\", \"site\":0, \"variants\":[{\"config\":{\"a\":[1]}, \"pre\":[], "
         "\"launch\":" LAUNCH "}]}",
         "steps[0].variants[0].config.a"},
	{"steps/0",
         "{\"op\":\"choose\", \"site\":0, \"variants\":[{\"config\":{}, \"pre\":[" LAUNCH
         "], \"launch\":" LAUNCH "}]}",
         "steps[0].variants[0].pre[0].op"},
	{"steps/3/args/0",
         "{\"t\":\"desc\", \"view\":{\"buf\":0, \"at\":0, \"dtype\":\"bfloat16\", \"shape\":[16, 50], "
         "\"strides\":[50, 1]}, \"block\":[8, 8], \"pad\":\"zero\", \"round_tf32\":false}",
         "steps[3].args[0].view: a descriptor's strides are multiples of 16 bytes"},
};

static const struct change refused_by_validator[] = {
	{"ir", "\"ttgir\"", "plan: ir: only Triton IR can be checked"},
	{"target", "\"sm_90\"", "plan: target: gfx942 is needed, not sm_90"},
	{"case", "\"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\"", "plan: case: "},
	{"buffers/0/input", "\"z\"", "plan: buffers[0]: the task has no input z"},
	{"buffers/0/bytes", "3200", "plan: buffers[0]: input x has 1600 bytes, not 3200"},
	{"buffers/2/bytes", "100000000", "plan: buffers: 100004800 bytes are more than the 1000000"},
	{"kernels/0/ttir", "\"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\"",
         "plan: kernels[0]: the module cccccccccccc.. did not come with the plan"},
	{"kernels/0/name", "\"hardmax\"", "plan: kernels[0]: the module's kernel is softmax, not hardmax"},
	{"kernels/0/inline_asm", "true", "plan: kernels[0]: inline_asm says true"},
	{"steps/3/args/3", NULL, "plan: steps[3]: kernel softmax has 4 parameters, 3 arguments are given"},
	{"steps/3/args/2", "{\"t\":\"i64\", \"v\":50}",
         "plan: steps[3].args[2]: parameter stride of softmax is of type i32"},
	{"steps/3/args/0", "{\"t\":\"i64\", \"v\":50}",
         "plan: steps[3].args[0]: parameter x of softmax is of type !tt.ptr<bf16>"},
	{"steps/3/args/0", "{\"t\":\"reloc\", \"buf\":0, \"at\":0}", "plan: steps[3].args[0]: parameter x"},
	{"steps/3/args/0/at", "8",
         "plan: steps[3].args[0]: parameter x promises an address divisible by 16, offset 8 is not"},
	{"buffers/0/align", "8", "plan: steps[3].args[0]: parameter x promises an address divisible by 16"},
	{"steps/2/dst", "{\"buf\":0, \"at\":0, \"dtype\":\"int16\", \"shape\":[16,50], \"strides\":[50,1]}",
         "plan: steps[2]: writes the input x"},
	{"prologue/0", LAUNCH, "plan: prologue[0]: a prologue must not give a kernel the input x"},
	{"prologue/0",
         "{\"op\":\"choose\", \"site\":0, \"variants\":[{\"config\":{}, \"pre\":[], \"launch\":" LAUNCH "}]}",
         "plan: prologue[0]: a prologue has no autotuned launches"},
	{"outputs", "[]", "plan: outputs: the task declares 1, the entry returns 0"},
	{"outputs/0/name", "\"z\"", "plan: outputs[0]: the output y is needed here, not z"},
	{"outputs/0/dtype", "\"int32\"", "plan: outputs[0]: the output y is declared as float32, not int32"},
	{"outputs/0/shape/0", "15", "plan: outputs[0]: the output y has another shape"},
	{"steps/3", NULL,
         "plan: outputs[0]: the output y is last written by a copy (steps[2]); a kernel must write it"},
	{"steps/3/args/1/buf", "0", "plan: outputs[0]: the output y is last written by a copy"},
};

static json_t *base_json(void)
{
	gk_free_auto char *text = gk_strdup(base);
	char *at = strstr(text, "%HASH%");
	gk_buf_auto whole = GK_BUF_INIT;

	gk_buf_add(&whole, text, (size_t)(at - text));
	gk_buf_add_text(&whole, hash);
	gk_buf_add_text(&whole, at + strlen("%HASH%"));
	return json_loads(gk_buf_text(&whole), 0, NULL);
}

static json_t *step_into(json_t *at, const char *key)
{
	return json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
}

static void change_json(json_t *root, const char *path, const char *value)
{
	gk_free_auto char *copy = gk_strdup(path);
	char *key = copy, *slash;
	json_t *at = root, *new = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;

	while ((slash = strchr(key, '/'))) {
		*slash = '\0';
		at = step_into(at, key);
		key = slash + 1;
	}
	if (json_is_array(at) && new)
		json_array_set_new(at, (size_t)atoi(key), new);
	else if (json_is_array(at))
		json_array_remove(at, (size_t)atoi(key));
	else if (new)
		json_object_set_new(at, key, new);
	else
		json_object_del(at, key);
}

static struct gk_plan *read_json(json_t *json, struct gk_err *e)
{
	gk_free_auto char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return gk_plan_read("plan", text, strlen(text), e);
}

static struct gk_plan *read_changed(const char *path, const char *value, struct gk_err *e)
{
	json_t *json = base_json();

	if (path)
		change_json(json, path, value);
	return read_json(json, e);
}

static struct gk_plan_module modules[1];
static const struct gk_tensor inputs[] = {
	{.name = "x", .dtype = GK_BF16, .rank = 2, .shape = {16, 50}, .bytes = 1600}};
static const struct gk_tensor outputs[] = {{.name = "y", .dtype = GK_F32, .rank = 2, .shape = {16, 50}}};

static struct gk_plan_expect expected(void)
{
	return (struct gk_plan_expect){
		.target = "gfx942",
		.case_hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.inputs = inputs,
		.input_count = 1,
		.outputs = outputs,
		.output_count = 1,
		.max_bytes = 1000000,
		.modules = modules,
		.module_count = 1,
	};
}

static void check_good(void)
{
	struct gk_err e = {0};
	struct gk_plan *plan = read_changed(NULL, NULL, &e);
	struct gk_plan_expect expect = expected();

	if (!ok(plan != NULL, "the good plan is read"))
		printf("# %s\n", e.text);
	if (!plan)
		return;
	if (!ok(gk_plan_validate(plan, &expect, &e) == 0, "and fits its task"))
		printf("# %s\n", e.text);
	is_int(plan->steps[3].launch.grid[0], 16, "the grid is read");
	is_int(plan->steps[3].launch.args[2].value, 50, "an integer argument is read");
	is_int((long long)plan->prologue[0].bits, 42, "a fill's bits are read");
	ok(memcmp(plan->steps[1].data, "\1\0\2\0", 4) == 0, "data bytes are read");
	is_int(plan->steps[0].step, -1, "an iota's step is read");
	gk_plan_free(plan);
}

static void check_refused(void)
{
	struct gk_plan_expect expect = expected();

	for (size_t i = 0; i < gk_count_of(refused_by_reader); i++) {
		const struct change *change = &refused_by_reader[i];
		struct gk_err e = {0};
		struct gk_plan *plan = read_changed(change->path, change->value, &e);

		if (!ok(!plan && strstr(e.text, change->message), change->message))
			printf("#  got: %s\n", plan ? "a plan" : e.text);
		gk_plan_free(plan);
	}
	for (size_t i = 0; i < gk_count_of(refused_by_validator); i++) {
		const struct change *change = &refused_by_validator[i];
		struct gk_err e = {0};
		struct gk_plan *plan = read_changed(change->path, change->value, &e);

		if (!ok(plan && gk_plan_validate(plan, &expect, &e) && strstr(e.text, change->message),
		        change->message))
			printf("#  got: %s\n", e.text[0] ? e.text : "no failure");
		gk_plan_free(plan);
	}
}

static void check_allowed(void)
{
	struct gk_plan_expect expect = expected();
	struct gk_err e = {0};
	struct gk_plan *plan = read_changed("steps/3", NULL, &e);
	const bool in_place = true;

	expect.allow_fills = true;
	ok(plan && gk_plan_validate(plan, &expect, &e) == 0, "a task may allow outputs by copies");
	gk_plan_free(plan);
	plan = read_changed(
		"steps/2/dst",
		"{\"buf\":0, \"at\":0, \"dtype\":\"int16\", \"shape\":[16,50], \"strides\":[50,1]}", &e);
	expect.in_place = &in_place;
	ok(plan && gk_plan_validate(plan, &expect, &e) == 0, "a task may allow writing an input");
	gk_plan_free(plan);
	plan = read_changed(
		"steps/0",
		"{\"op\":\"choose\", \"site\":0, \"variants\":[{\"config\":{\"B\":64}, \"pre\":["
		"{\"op\":\"fill\", \"dst\":{\"buf\":1, \"at\":0, \"dtype\":\"float32\", \"shape\":[8], "
		"\"strides\":[1]}, \"bits\":\"0x0\"}], \"launch\":" LAUNCH "}]}",
		&e);
	if (!ok(plan && gk_plan_validate(plan, &expect, &e) == 0, "an autotuned launch has variants"))
		printf("# %s\n", e.text);
	gk_plan_free(plan);
}

static void check_duplicates(void)
{
	static const char text[] = "{\"plan\":1, \"plan\":1}";
	struct gk_err e = {0};

	ok(!gk_plan_read("plan", text, strlen(text), &e) && strstr(e.text, "uplicate"),
	   "a duplicate key is refused");
	ok(!gk_plan_read("plan", "[1", 2, &e), "text that is no JSON is refused");
	ok(!gk_plan_read("plan", "", GK_PLAN_MAX_TEXT + 1, &e), "a plan has a ceiling");
}

/* Reading what was written gives the same JSON. */
static void check_round_trip(void)
{
	struct gk_err e = {0};
	struct gk_plan *plan = read_changed(NULL, NULL, &e);
	gk_json_auto *json = gk_plan_to_json(plan);
	gk_json_auto *original = base_json();

	ok(json_equal(json, original), "a plan is written as it was read");
	gk_plan_free(plan);
}

/* The same plan with buffers 1 and 2 changing places. */
static struct gk_plan *renumbered(void)
{
	gk_json_auto *json = base_json();
	gk_free_auto char *text = json_dumps(json, JSON_COMPACT);
	struct gk_err e = {0};
	json_t *other, *buffers;
	struct gk_plan *plan;

	for (char *at = text; (at = strstr(at, "\"buf\":")); at += 6)
		at[6] = at[6] == '1' ? '2' : at[6] == '2' ? '1' : at[6];
	other = json_loads(text, 0, NULL);
	buffers = json_object_get(other, "buffers");
	json_array_append(buffers, json_array_get(buffers, 1));
	json_array_remove(buffers, 1);
	plan = read_json(other, &e);
	return plan;
}

static void check_same(void)
{
	struct gk_plan_scalar scalar = {.a = 50, .b = 49};
	struct gk_err e = {0};
	struct gk_plan *plan = read_changed(NULL, NULL, &e), *other = renumbered();
	char a[GK_HEX_SIZE], b[GK_HEX_SIZE], why[200] = "";

	gk_plan_hash(plan, a);
	gk_plan_hash(other, b);
	is_text(b, a, "the hash does not depend on how buffers are numbered");
	ok(gk_plan_is_same(plan, other, NULL, 0, why, sizeof why), "nor does equality");
	gk_plan_free(other);
	other = read_changed("steps/3/args/2/v", "49", &e);
	gk_plan_hash(other, b);
	ok(strcmp(a, b) != 0, "another argument gives another hash");
	ok(!gk_plan_is_same(plan, other, NULL, 0, why, sizeof why), "plans with different arguments differ");
	is_text(why, "steps[3].args[2].v: 50 against 49", "and the place is named");
	ok(gk_plan_is_same(plan, other, &scalar, 1, why, sizeof why),
	   "unless the argument is a scalar that stands for data");
	scalar.b = 48;
	ok(!gk_plan_is_same(plan, other, &scalar, 1, why, sizeof why), "and holds just its values");
	gk_plan_free(other);
	other = read_changed("steps/1", NULL, &e);
	ok(!gk_plan_is_same(plan, other, NULL, 0, why, sizeof why), "a missing step is a difference");
	gk_plan_free(other);
	other = read_changed("from/notes", "[]", &e);
	gk_plan_hash(other, b);
	is_text(b, a, "provenance is not part of the hash");
	gk_plan_free(other);
	gk_plan_free(plan);
}

static void check_print(void)
{
	struct gk_err e = {0};
	struct gk_plan *plan = read_changed(NULL, NULL, &e);
	gk_buf_auto out = GK_BUF_INIT;

	gk_plan_print(plan, modules, 1, &out);
	ok(strstr(gk_buf_text(&out), "launch softmax (k0), grid 16 x 1 x 1, line 31\n"),
	   "a launch is printed");
	ok(strstr(gk_buf_text(&out), "stride           50\n"), "with its arguments by name");
	ok(strstr(gk_buf_text(&out), "x                b0 (x)\n"), "and its buffers");
	ok(strstr(gk_buf_text(&out), "fill int32[16] in b2 with 42\n"), "a fill is printed");
	ok(strstr(gk_buf_text(&out), "num_stages=2"), "options are printed");
	gk_plan_free(plan);
}

int main(void)
{
	struct gk_err e = {0};
	char *text = NULL;
	size_t size = 0;

	if (gk_file_read("tests/data/ttir/softmax.ttir", GK_IR_MAX_BYTES, &text, &size, &e))
		return 1;
	gk_hash_hex(text, size, hash);
	module = gk_ir_read("softmax.ttir", text, size, &e);
	free(text);
	memcpy(modules[0].hash, hash, sizeof hash);
	modules[0].ir = module;
	check_good();
	check_refused();
	check_allowed();
	check_duplicates();
	check_round_trip();
	check_same();
	check_print();
	gk_ir_free(module);
	return done_testing();
}
