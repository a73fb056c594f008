/* Order of programs, threads, budgets, arguments, loops and blocks. */
#include "machine_test.h"

/* out[pid] += 1, without atomics; program `bad` and those after it store outside. */
static const char *const count_body =
	"    %pid = tt.get_program_id x : i32\n"
	"    %one = arith.constant 1 : i32\n"
	"    %far = arith.constant 1000000 : i32\n"
	"    %is_bad = arith.cmpi sge, %pid, %bad : i32\n"
	"    %at = arith.select %is_bad, %far, %pid : i32\n"
	"    %p = tt.addptr %out, %at : !tt.ptr<i32>, i32\n"
	"    %x = tt.load %p : !tt.ptr<i32>\n"
	"    %y = arith.addi %x, %one : i32\n"
	"    tt.store %p, %y : !tt.ptr<i32>\n";

static void test_order(void)
{
	struct machine *m = machine_new("%out: !tt.ptr<i32>, %bad: i32", count_body);
	int32_t *out = machine_buffer(m, 4 * 1000);
	int wrong = 0;

	machine_int(m, 100000);
	m->launch.grid[0] = 1000;
	for (uint64_t seed = 0; seed < 20; seed++) {
		m->launch.seed = seed;
		m->launch.threads = 1 + (int)(seed % 4);
		wrong += !machine_run(m);
	}
	for (int i = 0; i < 1000; i++)
		wrong += out[i] != 20;
	is_int(wrong, 0, "each program runs once, in any order, on any number of threads");
	is_int((long long)m->result.counts.programs, 1000, "programs are counted");
	machine_free(m);
}

static void test_first_fault(void)
{
	struct machine *m = machine_new("%out: !tt.ptr<i32>, %bad: i32", count_body);
	int wrong = 0;

	machine_buffer(m, 4 * 1000);
	machine_int(m, 500);
	m->launch.grid[0] = 1000;
	for (int i = 0; i < 50; i++) {
		m->launch.threads = 1 + i % 8;
		wrong += machine_run(m) || m->result.finding.program[0] != 500;
	}
	is_int(wrong, 0, "the first fault in order is reported, whatever the threads did");
	machine_free(m);
}

static void test_arguments(void)
{
	struct machine *m = machine_new("%out: !tt.ptr<i32>, %bad: i32", count_body);

	machine_buffer(m, 40);
	ok(machine_finds(m, "arguments", "1 arguments for 2 parameters"), "too few arguments");
	m->args[m->launch.arg_count++] = (struct gk_vm_arg){.kind = GK_VM_FLOAT};
	ok(machine_finds(m, "arguments", "argument 1 does not fit parameter"), "a float for an integer");
	m->args[1].kind = GK_VM_INT;
	m->args[0].at = 41;
	ok(machine_finds(m, "arguments", "argument 0"), "a pointer that starts outside of its buffer");
	m->args[0].at = 0;
	m->launch.grid[1] = 0;
	ok(machine_run(m) && m->result.counts.programs == 0, "an empty grid does nothing");
	machine_free(m);
}

/* Loop arguments that change places must be moved all at once. */
static void test_moves(void)
{
	struct machine *m = machine_new(
		"%out: !tt.ptr<i32>, %n: i64",
		"    %zero = arith.constant 0 : i64\n    %one = arith.constant 1 : i64\n"
		"    %a = arith.constant 1 : i32\n    %b = arith.constant 2 : i32\n    %c = arith.constant 3 : i32\n"
		"    %r:3 = scf.for %i = %zero to %n step %one iter_args(%x = %a, %y = %b, %z = %c) -> (i32, i32, i32)  : i64 {\n"
		"      scf.yield %y, %z, %x : i32, i32, i32\n"
		"    }\n"
		"    tt.store %out, %r#0 : !tt.ptr<i32>\n");
	int32_t *out = machine_buffer(m, 4);

	machine_int(m, 0);
	for (int n = 0; n < 7; n++) {
		m->args[1].number = n;
		machine_run(m);
		if (*out != 1 + n % 3)
			break;
		if (n == 6)
			ok(1, "three loop arguments rotate");
	}
	is_int(*out, 1, "after six turns the first is back");
	m->args[1].number = -5;
	ok(machine_run(m) && *out == 1, "a loop whose end lies before its start is not run");
	machine_free(m);
}

/* Branches between blocks, backwards too: the sum of 1 .. n. */
static void test_blocks(void)
{
	struct machine *m = machine_new("%out: !tt.ptr<i32>, %n: i32",
	                                "    %zero = arith.constant 0 : i32\n    %one = arith.constant 1 : i32\n"
	                                "    cf.br ^bb1(%zero, %n : i32, i32)\n"
	                                "  ^bb1(%sum: i32, %left: i32):\n"
	                                "    %more = arith.cmpi sgt, %left, %zero : i32\n"
	                                "    cf.cond_br %more, ^bb2, ^bb3\n"
	                                "  ^bb2:\n"
	                                "    %s = arith.addi %sum, %left : i32\n"
	                                "    %l = arith.subi %left, %one : i32\n"
	                                "    cf.br ^bb1(%s, %l : i32, i32)\n"
	                                "  ^bb3:\n"
	                                "    tt.store %out, %sum : !tt.ptr<i32>\n");
	int32_t *out = machine_buffer(m, 4);

	machine_int(m, 100);
	ok(machine_run(m) && *out == 5050, "a loop of blocks with arguments");
	m->args[1].number = 2000000000;
	m->launch.budget = 10000;
	ok(machine_finds(m, "budget", "did not end within 10000 lane operations"), "and the budget that ends it");
	machine_free(m);
}

/* Programs take a lock; the one that has it needs many turns of its own to let it go. */
static void test_lock(void)
{
	struct machine *m = machine_new(
		"%lock: !tt.ptr<i32>, %sum: !tt.ptr<i32>",
		"    %zero = arith.constant 0 : i32\n    %one = arith.constant 1 : i32\n    %true = arith.constant true\n"
		"    scf.while : () -> () {\n"
		"      %old = tt.atomic_cas acq_rel, gpu, %lock, %zero, %one : (!tt.ptr<i32>, i32, i32) -> i32\n"
		"      %taken = arith.cmpi ne, %old, %zero : i32\n"
		"      scf.condition(%taken)\n"
		"    } do {\n      scf.yield\n    }\n"
		"    %x = tt.load %sum : !tt.ptr<i32>\n"
		"    %many = arith.constant 5000 : i32\n"
		"    %w = scf.while (%k = %zero) : (i32) -> i32 {\n"
		"      %go = arith.cmpi slt, %k, %many : i32\n"
		"      scf.condition(%go) %k : i32\n"
		"    } do {\n    ^bb0(%k: i32):\n      %k1 = arith.addi %k, %one : i32\n      scf.yield %k1 : i32\n    }\n"
		"    %y = arith.addi %x, %one : i32\n"
		"    tt.store %sum, %y : !tt.ptr<i32>\n"
		"    %u = tt.atomic_rmw exch, acq_rel, gpu, %lock, %zero, %true : (!tt.ptr<i32>, i32, i1) -> i32\n");
	int32_t *lock = machine_buffer(m, 4), *sum = machine_buffer(m, 4);

	m->launch.grid[0] = 40;
	m->launch.seed = 12;
	m->launch.threads = 4;
	*lock = 0;
	*sum = 0;
	ok(machine_run(m), "all programs get the lock");
	is_int(*sum, 40, "and each of them alone");
	*lock = 1;
	m->launch.budget = 3000000;
	ok(machine_finds(m, "budget", "did not end"), "a lock that nobody lets go ends with the budget");
	machine_free(m);
}

static void test_notes(void)
{
	struct machine *m = machine_new("%n: i32", "    tt.print \" n: \" {hex = false, isSigned = array<i32: 1>} : %n : i32\n");

	machine_int(m, -3);
	m->launch.grid[0] = 2;
	ok(machine_run(m), "print");
	is_text(gk_buf_text(&m->result.notes), "(0, 0, 0) n:  -3\n(1, 0, 0) n:  -3\n", "notes are in the order of programs");
	m->launch.grid[0] = 100000;
	machine_run(m);
	ok(m->result.notes.size <= GK_VM_NOTE_BYTES, "and bounded");
	machine_free(m);
}

int main(void)
{
	test_order();
	test_first_fault();
	test_arguments();
	test_moves();
	test_blocks();
	test_lock();
	test_notes();
	return done_testing();
}
