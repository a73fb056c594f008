/*
 * Inside of the machine: flat code over registers, and what runs it.
 *
 * A register holds one value of the program, a scalar or a dense tile, with a
 * byte a lane that says "undefined" (looked at only when has_undef is set).
 * Elements are held in the form in which they are computed: i1 as a byte, the
 * other integers, pointers and indices natively, f64 as double, every other
 * float as float, rounded to its own format after each operation. That is exact for + - * / and
 * square roots of formats of at most 11 bits (24 >= 2 * 11 + 2).
 *
 * Main code is one array with an explicit program counter, so that a program
 * can stop anywhere and go on later. Code of reduce and scan regions stands in
 * a second array and runs over any number of lanes. Operations whose operands are
 * the same for all programs stand in a third, which runs once per thread.
 */
#ifndef GK_VM_MACHINE_H
#define GK_VM_MACHINE_H

#include "base/arena.h"
#include "base/vec.h"
#include "num/random.h"
#include "vm.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) &&         \
	!defined(__SANITIZE_THREAD__)
#define VM_LOOP static __attribute__((target_clones("avx2", "default")))
#else
#define VM_LOOP static
#endif

/* One operation of two operands over n elements, x and y in expression; qualifier: VM_LOOP, or static. */
#define VM_BINARY(qualifier, name, type, expression)                                                         \
	qualifier void name(void *dst, const void *a, const void *b, const void *c, uint32_t n)              \
	{                                                                                                    \
		type *d = dst;                                                                               \
		const type *p = a, *q = b;                                                                   \
                                                                                                             \
		(void)c;                                                                                     \
		for (uint32_t i = 0; i < n; i++) {                                                           \
			type x = p[i], y = q[i];                                                             \
                                                                                                             \
			d[i] = (expression);                                                                 \
		}                                                                                            \
	}

#define VM_MAX_BYTES ((uint64_t)1 << 30) /* registers of one program */
#define VM_MAX_WORK  ((uint64_t)1 << 30) /* values times loops, when lifetimes are found */
#define VM_MAX_CODE  ((uint32_t)1 << 20) /* operations after inlining */
#define VM_NONE      UINT32_MAX

struct vm_reg {
	void *data;
	uint8_t *undef; /* a byte a lane */
	bool has_undef;
};

struct vm_thread;
struct vm_op;

/* Lanes in, lanes out; operands that are not there are NULL. */
typedef void vm_loop_fn(void *dst, const void *a, const void *b, const void *c, uint32_t n);
/* Lanes for which the operation has no defined result: tells whether there are any, marks them unless undef is NULL. */
typedef bool vm_bad_fn(uint8_t *undef, const void *a, const void *b, uint32_t n);
/* Everything else. Answers VM_GO, or why the thread leaves the loop. */
typedef int vm_run_fn(struct vm_thread *t, const struct vm_op *op, uint32_t n);

enum vm_outcome { VM_GO, VM_END, VM_FAULT, VM_PAUSE };

struct vm_op {
	vm_run_fn *run;
	vm_loop_fn *loop; /* for vm_run_loop() and its like */
	vm_bad_fn *bad;
	const void *extra; /* in the program's arena, see below */
	uint16_t code;     /* enum gk_ir_code, for messages */
	uint8_t kind;      /* enum gk_ir_kind of the result's (or stored) elements, as held: see vm_kind() */
	uint8_t from;      /* of the source's elements */
	uint8_t round;     /* kind of a small float that the loop's result must be rounded to, or 0 */
	uint8_t src_count;
	bool is_swap; /* a move whose source dies */
	uint32_t n;   /* lanes of the result, or of the stored value */
	uint32_t dst; /* registers; VM_NONE */
	uint32_t src[3];
	int64_t imm; /* jump target, axis, ... */
	uint32_t loc;
};

struct vm_shape {
	uint32_t rank;
	uint32_t dims[GK_IR_MAX_RANK];
};

/* broadcast: from -> to; trans: from, order; join, split, cat: from; gather: from, index shape, axis. */
struct vm_move {
	struct vm_shape from, to;
	uint32_t order[GK_IR_MAX_RANK];
	uint32_t axis;
};

struct vm_access {
	struct vm_shape shape; /* for runs of contiguous lanes, and for messages */
	uint32_t bytes;        /* of an element in memory */
	uint32_t mem;          /* enum gk_ir_kind in memory */
};

struct vm_fold { /* reduce and scan */
	uint32_t first, end; /* in side code */
	uint32_t count;      /* of tensors folded together */
	uint32_t outer, axis, inner;
	bool is_scan, is_reverse;
	const uint8_t *kinds;
	const uint32_t *sources, *results; /* registers */
	const uint32_t *left, *right, *out; /* registers of the region */
	const uint32_t *work;               /* registers: the source with the axis first */
};

struct vm_dot {
	uint32_t batch, m, n, k;
	uint8_t precision; /* enum vm_precision */
	uint8_t right;     /* kind of B; A's is op->from */
};
enum vm_precision { VM_IEEE, VM_TF32 };

struct vm_list { /* operands beyond three: print, descriptors */
	uint32_t count;
	const uint32_t *regs;
	const uint8_t *kinds;
	const uint32_t *lanes;
	const char *text;
	struct vm_shape shape;
	uint32_t mem, bytes;
	const uint8_t *is_signed;
	bool is_hex;
};

/* What a register of kind GK_IR_DESC holds. */
struct vm_desc {
	uint64_t base;
	uint32_t rank;
	bool pad_nan;
	int64_t shape[GK_VM_MAX_RANK];
	int64_t strides[GK_VM_MAX_RANK];
};

struct vm_reg_plan {
	uint32_t n, bytes; /* lanes; bytes of one */
	uint64_t data, undef; /* offsets */
};

struct vm_fill { /* constants: bytes of one element, or of all of them */
	uint32_t reg;
	uint8_t kind;
	bool is_splat, is_poison, is_range;
	uint32_t n;
	int64_t start;
	const uint8_t *bytes;
};

struct gk_vm_program {
	const struct gk_ir *module;
	const struct gk_ir_func *func;
	struct gk_arena arena;
	struct GK_VEC(struct vm_op) code, side, once;
	struct GK_VEC(struct vm_fill) fills;
	struct vm_reg_plan *regs;
	uint32_t reg_count;
	uint64_t reg_bytes;
	uint32_t *params; /* registers of the function's parameters; VM_NONE when unused */
	bool has_atomics;
	char refusal[256]; /* not empty: cannot run at all, for this reason */
	enum gk_vm_finding_kind refusal_kind;
};

/* One program of the grid in execution, and the memory it runs in. */
struct vm_thread {
	const struct gk_vm_program *program;
	const struct gk_vm_launch *launch;
	struct vm_reg *regs;
	uint8_t *memory;
	uint32_t pc;
	uint32_t id[3];
	uint64_t order; /* position among the programs of the launch */
	uint64_t used;  /* lane operations since the last time it was booked */
	uint64_t slice; /* back edges until it must let others run; UINT64_MAX: never */
	uint64_t *spent; /* lane operations of the launch, shared */
	bool is_quiet;   /* no store or changing atomic since it was resumed */
	struct gk_vm_counts counts;
	struct gk_vm_finding finding;
	struct gk_buf notes;
	struct vm_thread *next; /* waiting */
};

/* Kind by which elements are held: pointers and indices are i64. */
static inline enum gk_ir_kind vm_kind(enum gk_ir_kind kind)
{
	return kind == GK_IR_PTR || kind == GK_IR_INDEX ? GK_IR_I64 : kind;
}

static inline bool vm_is_small_float(enum gk_ir_kind kind)
{
	return gk_ir_kind_is_float(kind) && kind != GK_IR_F32 && kind != GK_IR_F64;
}

/* Bytes of one element in a register. */
static inline uint32_t vm_held_bytes(enum gk_ir_kind kind)
{
	if (kind == GK_IR_DESC)
		return sizeof(struct vm_desc);
	if (gk_ir_kind_is_float(kind))
		return kind == GK_IR_F64 ? 8 : 4;
	return (uint32_t)gk_ir_kind_bytes(kind);
}

/* run.c */
int vm_run(struct vm_thread *t);
int vm_run_side(struct vm_thread *t, uint32_t first, uint32_t end, uint32_t n);
int vm_run_once(struct vm_thread *t);
vm_run_fn vm_run_loop, vm_run_checked, vm_run_move, vm_run_jump, vm_run_branch, vm_run_for_first, vm_run_for_next,
	vm_run_end, vm_run_refuse, vm_run_nothing;
/* dst's undefined lanes: the union of those of the sources. */
void vm_flow(struct vm_thread *t, const struct vm_op *op, uint32_t n);

/* find.c: fill t->finding unless there is one; return VM_FAULT. */
int vm_fault(struct vm_thread *t, const struct vm_op *op, enum gk_vm_finding_kind kind, uint32_t lane,
             const char *format, ...) __attribute__((format(printf, 5, 6)));
int vm_fault_at(struct vm_thread *t, const struct vm_op *op, const struct vm_access *access, uint64_t address,
                uint32_t lane);

/* mem.c */
vm_run_fn vm_run_load, vm_run_store;
struct gk_vm_buffer *vm_buffer_of(const struct vm_thread *t, uint64_t address, uint64_t *base); /* or NULL */
struct vm_place { /* one element in memory */
	struct gk_vm_buffer *buffer;
	uint64_t at;
	uint8_t *bytes;
};
/* Checks one access; false after a fault. */
bool vm_touch(struct vm_thread *t, const struct vm_op *op, const struct vm_access *access, uint64_t address,
              uint32_t lane, struct vm_place *place);
bool vm_is_undef(const struct vm_place *place, uint32_t bytes);
void vm_mark(struct gk_vm_buffer *buffer, uint64_t at, uint64_t bytes, bool is_undef);
/* The mask of an access, or the pointers where it lets them through, are undefined in some lane: a fault. */
bool vm_is_poisoned(struct vm_thread *t, const struct vm_op *op, const struct vm_reg *pointers,
                    const struct vm_reg *mask, uint32_t n);

/* half.c: between memory and registers, and rounding in place */
void vm_widen(enum gk_ir_kind kind, void *held, const void *memory, uint32_t n);
void vm_narrow(enum gk_ir_kind kind, void *memory, const void *held, uint32_t n);
void vm_round(enum gk_ir_kind kind, float *held, uint32_t n);
float vm_round_double(enum gk_ir_kind kind, double value);
void vm_round_tf32(float *dst, const float *src, uint32_t n);

/* Loops by operation and kind; NULL when there is none. */
vm_loop_fn *vm_int_loop(enum gk_ir_code code, enum gk_ir_kind kind);
vm_bad_fn *vm_int_bad(enum gk_ir_code code, enum gk_ir_kind kind);
vm_loop_fn *vm_cmpi_loop(int predicate, enum gk_ir_kind kind);
vm_loop_fn *vm_float_loop(enum gk_ir_code code, enum gk_ir_kind kind);
vm_loop_fn *vm_clamp_loop(bool propagates, enum gk_ir_kind kind);
vm_loop_fn *vm_cmpf_loop(int predicate, enum gk_ir_kind kind);
vm_loop_fn *vm_math_loop(enum gk_ir_code code, enum gk_ir_kind kind);
vm_loop_fn *vm_libm_loop(const char *name, uint32_t operands, enum gk_ir_kind kind); /* "exp", "atan2", ... */
vm_loop_fn *vm_cast_loop(enum gk_ir_code code, enum gk_ir_kind from, enum gk_ir_kind to);
/* kinds: of the result and of up to three operands, GK_IR_NO_TYPE behind the last. */
vm_loop_fn *vm_extern_loop(const char *symbol, const enum gk_ir_kind kinds[4]);

/* compare.c */
vm_run_fn vm_run_and, vm_run_or, vm_run_select, vm_run_extended;
void vm_select_lanes(uint32_t bytes, void *dst, const uint8_t *condition, const void *a, const void *b, uint32_t n);
/* cast.c */ vm_run_fn vm_run_bitcast, vm_run_round_cast;
/* move.c */
vm_run_fn vm_run_splat, vm_run_broadcast, vm_run_trans, vm_run_cat, vm_run_join, vm_run_split, vm_run_gather,
	vm_run_histogram, vm_run_addptr, vm_run_program_id, vm_run_num_programs;
/* reduce.c */ vm_run_fn vm_run_reduce, vm_run_scan;
/* dot.c */ vm_run_fn vm_run_dot;
/* atomic.c */ vm_run_fn vm_run_rmw, vm_run_cas, vm_run_atomic_load, vm_run_atomic_store;
/* desc.c */ vm_run_fn vm_run_make_desc, vm_run_desc_load, vm_run_desc_store;
/* note.c */ vm_run_fn vm_run_print, vm_run_assert, vm_run_promise;

#endif
