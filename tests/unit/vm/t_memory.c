/* Addresses, bounds, masks, and what is undefined. */
#include "machine_test.h"

#define TILE "tensor<8x!tt.ptr<i32>>"

/* out[i] = in[i + start] for the lanes below count */
static const char *const copy_body =
	"    %r = tt.make_range {end = 8 : i32, start = 0 : i32} : tensor<8xi32>\n"
	"    %s = tt.splat %start : i32 -> tensor<8xi32>\n"
	"    %c = tt.splat %count : i32 -> tensor<8xi32>\n"
	"    %m = arith.cmpi slt, %r, %c : tensor<8xi32>\n"
	"    %i = arith.addi %r, %s : tensor<8xi32>\n"
	"    %pi = tt.splat %in : !tt.ptr<i32> -> " TILE "\n"
	"    %po = tt.splat %out : !tt.ptr<i32> -> " TILE "\n"
	"    %qi = tt.addptr %pi, %i : " TILE ", tensor<8xi32>\n"
	"    %qo = tt.addptr %po, %r : " TILE ", tensor<8xi32>\n"
	"    %x = tt.load %qi, %m : " TILE "\n"
	"    tt.store %qo, %x : " TILE "\n";

static struct machine *copier(uint64_t in, uint64_t out, int64_t start, int64_t count)
{
	struct machine *m = machine_new("%in: !tt.ptr<i32>, %out: !tt.ptr<i32>, %start: i32, %count: i32", copy_body);
	int32_t *x = machine_buffer(m, in);

	machine_buffer(m, out);
	machine_int(m, start);
	machine_int(m, count);
	for (int i = 0; i < 64; i++)
		x[i] = 100 + i;
	return m;
}

static void test_bounds(void)
{
	static const struct {
		uint64_t in, out;
		int64_t start, count;
		const char *finding, *part;
		uint32_t lane;
		int64_t at;
	} rows[] = {
		{32, 32, 0, 8, "fine", "", 0, 0},
		{31, 32, 0, 8, "out_of_bounds", "only 3 of 4 bytes lie within", 7, 28},
		{32, 32, 1, 8, "out_of_bounds", "tt.load: reads 4 bytes at byte 32 of buffer b0 (32 bytes), 0 bytes past its end", 7, 32},
		{32, 32, 1, 7, "fine", "", 0, 0},
		{32, 32, -1, 8, "out_of_bounds", "4 bytes before its start", 0, -4},
		{32, 16, 0, 8, "out_of_bounds", "tt.store: writes 4 bytes at byte 16 of buffer b1", 4, 16},
		{0, 32, 0, 8, "out_of_bounds", "buffer b0 (0 bytes)", 0, 0},
		{0, 32, 0, 0, "fine", "", 0, 0},
		{32, 32, 0x20000000, 8, "out_of_bounds", "past its end", 0, 0x80000000},
	};

	for (size_t i = 0; i < gk_count_of(rows); i++) {
		struct machine *m = copier(rows[i].in, rows[i].out, rows[i].start, rows[i].count);

		ok(machine_finds(m, rows[i].finding, rows[i].part), rows[i].finding);
		is_int(m->result.finding.lane, rows[i].lane, "the first bad lane");
		is_int(m->result.finding.at, rows[i].at, "the first bad byte");
		machine_free(m);
	}
}

static void test_undefined(void)
{
	struct machine *m = copier(32, 32, 0, 5);
	const int32_t *out = (const int32_t *)m->memory[1];

	ok(machine_run(m), "a load under a mask, stored without one");
	is_int(out[4], 104, "a lane that was loaded");
	ok(m->buffers[1].undef && !m->buffers[1].undef[19] && m->buffers[1].undef[20] && m->buffers[1].undef[31],
	   "lanes that were masked off make memory undefined");
	ok(m->buffers[1].written && !m->buffers[0].written, "only what is stored to counts as written");
	is_int((long long)m->result.counts.bytes_read, 20, "bytes of active lanes are counted");
	is_int((long long)m->result.counts.bytes_written, 32, "for stores, too");
	m->args[3].number = 8;
	ok(machine_run(m) && !m->buffers[1].undef[20], "a defined store makes memory defined again");
	m->buffers[0].undef = gk_alloc(32);
	m->buffers[0].undef[9] = 1;
	ok(machine_run(m) && m->buffers[1].undef[8] && m->buffers[1].undef[11] && !m->buffers[1].undef[12],
	   "one undefined byte makes its element undefined");
	machine_free(m);
}

static void test_addresses(void)
{
	/* *(int *)*table = 7, the table holding addresses */
	struct machine *m = machine_new("%table: !tt.ptr<i64>, %x: !tt.ptr<i32>, %address: i64",
	                                "    %a = tt.load %table : !tt.ptr<i64>\n"
	                                "    %p = tt.int_to_ptr %a : i64 -> !tt.ptr<i32>\n"
	                                "    %seven = arith.constant 7 : i32\n"
	                                "    tt.store %p, %seven : !tt.ptr<i32>\n"
	                                "    %q = tt.int_to_ptr %address : i64 -> !tt.ptr<i32>\n"
	                                "    tt.store %q, %seven : !tt.ptr<i32>\n");
	uint64_t *table = machine_buffer(m, 8);
	int32_t *x = machine_buffer(m, 16);

	m->args[m->launch.arg_count++] = (struct gk_vm_arg){.kind = GK_VM_ADDRESS, .buffer = 1, .at = 4};
	table[0] = gk_vm_address(1, 12);
	ok(machine_run(m) && x[3] == 7 && x[1] == 7, "addresses in memory and as arguments lead to their buffers");
	table[0] = gk_vm_address(1, 16);
	ok(machine_finds(m, "out_of_bounds", "byte 16 of buffer b1"), "and are checked");
	table[0] = gk_vm_address(1, 2);
	ok(machine_finds(m, "misaligned", "at byte 2 of buffer b1, not a multiple of 4"), "alignment, too");
	table[0] = 8;
	ok(machine_finds(m, "out_of_bounds", "address 0x8, which is in no buffer (a null pointer)"), "a null pointer is named");
	table[0] = gk_vm_address(77, 0);
	ok(machine_finds(m, "out_of_bounds", "which is in no buffer"), "an address of no buffer");
	m->args[1].kind = GK_VM_NULL;
	table[0] = gk_vm_address(1, 0);
	ok(machine_run(m), "an unused null pointer is no fault");
	machine_free(m);
}

/* What tl.multiple_of says of addresses is believed by compilers, and checked here. */
static void test_promises(void)
{
	struct machine *m = machine_new("%x: !tt.ptr<i32>, %start: i32",
	                                "    %r = tt.make_range {end = 4 : i32, start = 0 : i32} : tensor<4xi32>\n"
	                                "    %p = tt.addptr %x, %start : !tt.ptr<i32>, i32\n"
	                                "    %s = tt.splat %p : !tt.ptr<i32> -> tensor<4x!tt.ptr<i32>>\n"
	                                "    %q = tt.addptr %s, %r {tt.divisibility = dense<64> : tensor<1xi32>} : "
	                                "tensor<4x!tt.ptr<i32>>, tensor<4xi32>\n"
	                                "    tt.store %q, %r : tensor<4x!tt.ptr<i32>>\n");

	machine_buffer(m, 64);
	machine_int(m, 4);
	ok(machine_run(m), "of a promised 64 bytes, 16 are asked for: no access is wider");
	m->args[1].number = 2;
	ok(machine_finds(m, "misaligned", "promises addresses that are multiples of 16 (tl.multiple_of), the first is 8 more than one"),
	   "a promise that is not kept");
	machine_free(m);
}

/* A mask that is computed from masked-off lanes and combined with the mask itself is defined. */
static void test_combined_mask(void)
{
	struct machine *m = copier(32, 32, 0, 5);
	struct machine *n = machine_new("%in: !tt.ptr<i32>, %out: !tt.ptr<i32>, %start: i32, %count: i32",
	                                "    %r = tt.make_range {end = 8 : i32, start = 0 : i32} : tensor<8xi32>\n"
	                                "    %z = arith.constant dense<0> : tensor<8xi32>\n"
	                                "    %c = tt.splat %count : i32 -> tensor<8xi32>\n"
	                                "    %m = arith.cmpi slt, %r, %c : tensor<8xi32>\n"
	                                "    %pi = tt.splat %in : !tt.ptr<i32> -> " TILE "\n"
	                                "    %qi = tt.addptr %pi, %r : " TILE ", tensor<8xi32>\n"
	                                "    %x = tt.load %qi, %m : " TILE "\n"
	                                "    %g = arith.cmpi sgt, %x, %z : tensor<8xi32>\n"
	                                "    %both = arith.andi %m, %g : tensor<8xi1>\n"
	                                "    %po = tt.splat %out : !tt.ptr<i32> -> " TILE "\n"
	                                "    %qo = tt.addptr %po, %r : " TILE ", tensor<8xi32>\n"
	                                "    tt.store %qo, %x, %both : " TILE "\n");
	memcpy(n->memory, m->memory, sizeof n->memory);
	machine_buffer(n, 32);
	machine_buffer(n, 32);
	machine_int(n, 0);
	machine_int(n, 5);
	ok(machine_run(n) && !n->buffers[1].undef, "false and undefined is false");
	is_int(((int32_t *)n->memory[1])[4], 104, "what it lets through is stored");
	machine_free(m);
	machine_free(n);
}

int main(void)
{
	test_bounds();
	test_undefined();
	test_addresses();
	test_promises();
	test_combined_mask();
	return done_testing();
}
