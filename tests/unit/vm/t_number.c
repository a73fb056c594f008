/* Rounding to small formats against num/, and single operations on values at the edges. */
#include "vm/machine.h"

#include "machine_test.h"

static float from_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, 4);
	return value;
}

static bool is_same(float a, float b)
{
	return memcmp(&a, &b, 4) == 0 || (isnan(a) && isnan(b));
}

static void test_all_codes(void)
{
	int wrong = 0;

	for (uint32_t code = 0; code < 65536; code++) {
		uint16_t in = (uint16_t)code, out = 0;
		float held;

		vm_widen(GK_IR_F16, &held, &in, 1);
		vm_narrow(GK_IR_F16, &out, &held, 1);
		wrong += !is_same(held, gk_f16_value(in)) || (!isnan(held) && out != in);
		vm_widen(GK_IR_BF16, &held, &in, 1);
		vm_narrow(GK_IR_BF16, &out, &held, 1);
		wrong += !is_same(held, gk_bf16_value(in)) || (!isnan(held) && out != in);
	}
	is_int(wrong, 0, "all codes of f16 and bf16 pass through a register unchanged");
}

static void test_rounding(void)
{
	struct gk_random random;
	int wrong = 0;

	gk_random_seed(&random, 1);
	for (int i = 0; i < 200000; i++) {
		float value = from_bits((uint32_t)gk_random_next(&random)), held = value, wide[3] = {value, value, value};

		vm_round(GK_IR_F16, &held, 1);
		wrong += !is_same(held, gk_f16_round(value));
		vm_round(GK_IR_BF16, wide, 3);
		wrong += !is_same(wide[2], gk_bf16_round(value));
	}
	is_int(wrong, 0, "rounding agrees with num/ on 200,000 patterns of bits");
	ok(is_same(vm_round_double(GK_IR_F16, 1.0 + 0x1p-11 + 0x1p-40), 1.0f + 0x1p-10f),
	   "a double is rounded to f16 in one step");
	float tf32[2] = {1.0f + 0x1p-11f, -1.0f - 0x1.8p-11f};
	vm_round_tf32(tf32, tf32, 2);
	ok(tf32[0] == 1.0f + 0x1p-10f && tf32[1] == -1.0f - 0x1p-10f, "tf32 keeps 10 bits, ties away from zero");
}

/* d = op a, b on one lane of a kind */
static uint64_t compute(const char *operation, const char *kind, uint64_t a, uint64_t b, bool *is_undefined)
{
	gk_buf_auto params = GK_BUF_INIT, body = GK_BUF_INIT;
	struct machine *m;
	uint64_t *p, result;

	gk_buf_printf(&params, "%%p: !tt.ptr<%s>", kind);
	gk_buf_printf(&body,
	              "%%one = arith.constant 1 : i32\n%%two = arith.constant 2 : i32\n"
	              "%%a = tt.load %%p : !tt.ptr<%s>\n%%q = tt.addptr %%p, %%one : !tt.ptr<%s>, i32\n"
	              "%%b = tt.load %%q : !tt.ptr<%s>\n%%r = tt.addptr %%p, %%two : !tt.ptr<%s>, i32\n"
	              "%%d = %s %%a, %%b : %s\ntt.store %%r, %%d : !tt.ptr<%s>\n",
	              kind, kind, kind, kind, operation, kind, kind);
	m = machine_new(gk_buf_text(&params), gk_buf_text(&body));
	p = machine_buffer(m, 24);
	uint32_t bytes = (uint32_t)gk_dtype_bytes(gk_ir_kind_dtype(m->module->types[m->module->funcs[0].params[0].type].element));
	memcpy(p, &a, bytes);
	memcpy((uint8_t *)p + bytes, &b, bytes);
	result = 0;
	ok(machine_run(m), operation);
	memcpy(&result, (uint8_t *)p + 2 * bytes, bytes);
	*is_undefined = m->buffers[0].undef && m->buffers[0].undef[2 * bytes];
	machine_free(m);
	return result;
}

static void test_integers(void)
{
	static const struct {
		const char *operation, *kind;
		uint64_t a, b, want;
		bool is_undefined;
	} rows[] = {
		{"arith.addi", "i8", 0x7f, 1, 0x80, false},
		{"arith.muli", "i16", 0xffff, 0xffff, 1, false},
		{"arith.subi", "i64", 0, 1, UINT64_MAX, false},
		{"arith.divsi", "i32", 0xfffffff9, 2, 0xfffffffd, false},
		{"arith.remsi", "i32", 0xfffffff9, 2, 0xffffffff, false},
		{"arith.divui", "i32", 0xfffffff9, 2, 0x7ffffffc, false},
		{"arith.ceildivsi", "i32", 7, 2, 4, false},
		{"arith.ceildivsi", "i32", 0xfffffff9, 2, 0xfffffffd, false},
		{"arith.floordivsi", "i32", 0xfffffff9, 2, 0xfffffffc, false},
		{"arith.divsi", "i32", 5, 0, 0, true},
		{"arith.remui", "i64", 5, 0, 0, true},
		{"arith.divsi", "i32", 0x80000000, 0xffffffff, 0x80000000, true},
		{"arith.divsi", "i64", 1ull << 63, UINT64_MAX, 1ull << 63, true},
		{"arith.divsi", "i32", 0x7fffffff, 0x7ffffffe, 1, false},
		{"arith.divsi", "i32", 0x7ffffffe, 0x7fffffff, 0, false},
		{"arith.shli", "i32", 1, 31, 0x80000000, false},
		{"arith.shli", "i32", 1, 32, 0, true},
		{"arith.shrsi", "i8", 0x80, 7, 0xff, false},
		{"arith.shrui", "i8", 0x80, 7, 1, false},
		{"arith.minsi", "i8", 0x80, 1, 0x80, false},
		{"arith.minui", "i8", 0x80, 1, 1, false},
		{"tt.mulhiui", "i32", 0xffffffff, 0xffffffff, 0xfffffffe, false},
		{"tt.mulhiui", "i64", UINT64_MAX, UINT64_MAX, UINT64_MAX - 1, false},
	};

	for (size_t i = 0; i < gk_count_of(rows); i++) {
		bool is_undefined;
		uint64_t got = compute(rows[i].operation, rows[i].kind, rows[i].a, rows[i].b, &is_undefined);

		is_int((long long)got, (long long)rows[i].want, rows[i].kind);
		is_int(is_undefined, rows[i].is_undefined, "undefined only where there is no result");
	}
}

static void test_floats(void)
{
	bool is_undefined;
	/* 2^-100 * 2^-34 is half of the least bf16: a tie, to even, 0; a little more is the least one. */
	is_int((long long)compute("arith.mulf", "bf16", 27 << 7, 93 << 7, &is_undefined), 0, "a tie below the least bf16 is 0");
	is_int((long long)compute("arith.mulf", "bf16", (27 << 7) + 1, 93 << 7, &is_undefined), 1, "more than the tie is not");
	is_int((long long)compute("arith.addf", "f16", 0x7bff, 0x7bff, &is_undefined), 0x7c00, "f16 overflows to infinity");
	is_int((long long)compute("arith.mulf", "f16", 0x0001, 0x3800, &is_undefined), 0, "half of the least f16 is 0");
	is_int((long long)compute("arith.mulf", "f16", 0x0003, 0x3800, &is_undefined), 2, "three halves of it are two");
	is_int((long long)compute("arith.maxnumf", "f32", 0x7fc00000, 0x3f800000, &is_undefined), 0x3f800000,
	       "maxnumf leaves NaN out");
	is_int((long long)(compute("arith.maximumf", "f32", 0x7fc00000, 0x3f800000, &is_undefined) & 0x7fc00000), 0x7fc00000,
	       "maximumf keeps NaN");
	is_int((long long)compute("arith.maximumf", "f32", 0x80000000, 0, &is_undefined), 0, "0 is above -0");
	is_int((long long)compute("arith.minimumf", "f32", 0, 0x80000000, &is_undefined), 0x80000000, "-0 is below 0");
}

/* All products and quotients of small bf16 among the subnormals, against one rounding from f64. */
static void test_tiny_bf16(void)
{
	int wrong = 0;

	for (uint32_t a = 128; a < 256; a++)
		for (uint32_t b = 128; b < 256; b++) {
			float x = ldexpf((float)a, -70), y = ldexpf((float)b, -77), product, quotient, z = ldexpf((float)b, 61);

			vm_float_loop(GK_IR_ARITH_MULF, GK_IR_BF16)(&product, &x, &y, NULL, 1);
			vm_round(GK_IR_BF16, &product, 1);
			wrong += product != vm_round_double(GK_IR_BF16, (double)x * (double)y);
			vm_float_loop(GK_IR_ARITH_DIVF, GK_IR_BF16)(&quotient, &x, &z, NULL, 1);
			vm_round(GK_IR_BF16, &quotient, 1);
			wrong += quotient != vm_round_double(GK_IR_BF16, (double)x / (double)z);
		}
	is_int(wrong, 0, "tiny products and quotients of bf16 are rounded once");
}

static void test_bits(void)
{
	uint8_t bits[2] = {0, 1}, small, order[2];
	uint8_t other[2] = {1, 0};
	int32_t wide[2];
	float values[4] = {-1e20f, 3e9f, NAN, -129.0f}, held[2];
	int8_t narrow[4];

	vm_cast_loop(GK_IR_ARITH_EXTSI, GK_IR_I1, GK_IR_I32)(wide, bits, NULL, NULL, 2);
	ok(wide[0] == 0 && wide[1] == -1, "a set bit extends to -1 with its sign");
	vm_cast_loop(GK_IR_ARITH_EXTUI, GK_IR_I1, GK_IR_I32)(wide, bits, NULL, NULL, 2);
	ok(wide[0] == 0 && wide[1] == 1, "to 1 without");
	vm_cast_loop(GK_IR_ARITH_SITOFP, GK_IR_I1, GK_IR_F32)(held, bits, NULL, NULL, 2);
	ok(held[1] == -1.0f, "a signed bit is -1.0");
	vm_cast_loop(GK_IR_ARITH_UITOFP, GK_IR_I1, GK_IR_F32)(held, bits, NULL, NULL, 2);
	ok(held[1] == 1.0f, "an unsigned one 1.0");
	vm_cmpi_loop(GK_CMPI_SLT, GK_IR_I1)(order, bits, other, NULL, 2);
	ok(order[0] == 0 && order[1] == 1, "signed, true is the smaller bit");
	vm_int_loop(GK_IR_ARITH_ADDI, GK_IR_I1)(order, bits, bits, NULL, 2);
	ok(order[1] == 0, "bits wrap");
	wide[0] = 0x102;
	vm_cast_loop(GK_IR_ARITH_TRUNCI, GK_IR_I32, GK_IR_I1)(&small, wide, NULL, NULL, 1);
	ok(small == 0, "truncation to a bit takes the last one");
	vm_cast_loop(GK_IR_ARITH_FPTOSI, GK_IR_F32, GK_IR_I8)(narrow, values, NULL, NULL, 4);
	ok(narrow[0] == -128 && narrow[1] == 127 && narrow[2] == 0 && narrow[3] == -128, "floats saturate, NaN is 0");
	vm_cast_loop(GK_IR_ARITH_FPTOSI, GK_IR_F32, GK_IR_I32)(wide, values, NULL, NULL, 2);
	ok(wide[0] == INT32_MIN && wide[1] == INT32_MAX, "at the ends of i32, too");
}

int main(void)
{
	test_tiny_bf16();
	test_bits();
	test_all_codes();
	test_rounding();
	test_integers();
	test_floats();
	return done_testing();
}
