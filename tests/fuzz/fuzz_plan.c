/*
 * Any bytes as a launch plan: refused with a message, or read; what is read
 * is written and read back the same, hashed, compared, printed, and validated
 * against a task and a module that the harness brings along.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char ir_text[] =
	"module {\n"
	"  tt.func public @softmax(%x: !tt.ptr<bf16> {tt.divisibility = 16 : i32} loc(\"x\"(unknown)),"
	" %o: !tt.ptr<f32> {tt.pointer_range = 32 : i32}, %stride: i32 {tt.divisibility = 2 : i32}, %n: i32) "
        "{\n"
	"    %0 = tt.load %x : !tt.ptr<bf16>\n"
	"    %1 = arith.extf %0 : bf16 to f32\n"
	"    %2 = tt.addptr %o, %n : !tt.ptr<f32>, i32\n"
	"    tt.store %2, %1 : !tt.ptr<f32>\n"
	"    tt.return\n"
	"  }\n"
	"}\n";

/* The plan's own JSON reads back to a plan that does the same. */
static void check_round_trip(const struct gk_plan *plan)
{
	gk_json_auto *json = gk_plan_to_json(plan);
	gk_free_auto char *text = gk_json_text(json);
	char first[GK_HEX_SIZE], second[GK_HEX_SIZE], why[200] = "";
	struct gk_err e = {0};
	struct gk_plan *again = gk_plan_read("again", text, strlen(text), &e);

	if (!again && strlen(text) <= GK_PLAN_MAX_TEXT)
		gk_bug("does not read back: %s", e.text);
	if (!again)
		return;
	gk_plan_hash(plan, first);
	gk_plan_hash(again, second);
	if (strcmp(first, second) != 0 || !gk_plan_is_same(plan, again, NULL, 0, why, sizeof why))
		gk_bug("is not the same: %s", why);
	gk_plan_free(again);
}

static void check_against_task(const struct gk_plan *plan, const struct gk_ir *ir)
{
	const struct gk_tensor inputs[] = {
		{.name = "x", .dtype = GK_BF16, .rank = 2, .shape = {16, 50}, .bytes = 1600}};
	const struct gk_tensor outputs[] = {{.name = "y", .dtype = GK_F32, .rank = 2, .shape = {16, 50}}};
	struct gk_plan_module modules[GK_PLAN_MAX_KERNELS];
	struct gk_plan_expect expect = {.inputs = inputs,
	                                .input_count = 1,
	                                .outputs = outputs,
	                                .output_count = 1,
	                                .max_bytes = 1 << 20,
	                                .modules = modules};
	gk_buf_auto out = GK_BUF_INIT;
	struct gk_err e = {0};

	for (uint32_t i = 0; i < plan->kernel_count; i++) {
		memcpy(modules[i].hash, plan->kernels[i].ttir, GK_HEX_SIZE);
		modules[i].ir = ir;
	}
	expect.module_count = plan->kernel_count;
	if (gk_plan_validate(plan, &expect, &e) && e.kind != GK_ERR_INPUT)
		abort();
	gk_plan_print(plan, modules, expect.module_count, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gk_ir *ir;
	struct gk_err e = {0};
	struct gk_plan *plan;

	if (!ir)
		ir = gk_ir_read("module", ir_text, strlen(ir_text), &e);
	if (!ir)
		gk_bug("%s", e.text);
	plan = gk_plan_read("fuzz", (const char *)data, size, &e);
	if (!plan)
		return e.kind == GK_ERR_INPUT ? 0 : (abort(), 0);
	check_round_trip(plan);
	check_against_task(plan, ir);
	gk_plan_free(plan);
	return 0;
}
