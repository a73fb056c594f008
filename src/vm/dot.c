/*
 * Matrix products: D = A B + C on dense tiles, accumulated in f32 (f64, i32).
 * A block of 4 rows and 16 columns stays in registers while it runs along k.
 */
#include "machine.h"

#include <math.h>

#include "base/memory.h"

#define ROWS    4
#define COLUMNS 16

typedef float lanes8 __attribute__((vector_size(32), may_alias, aligned(4)));

/* Lanes as the compiler likes them best: not over memory, which could overlap. */
VM_LOOP void block_f32(float *d, const float *a, const float *b, const float *c, uint32_t n, uint32_t k)
{
	lanes8 sum[ROWS][2];

	for (int r = 0; r < ROWS; r++)
		for (int h = 0; h < 2; h++)
			sum[r][h] = *(const lanes8 *)(c + (size_t)r * n + (size_t)8 * h);
	for (uint32_t i = 0; i < k; i++) {
		lanes8 low = *(const lanes8 *)(b + (size_t)i * n), high = *(const lanes8 *)(b + (size_t)i * n + 8);

		for (int r = 0; r < ROWS; r++) {
			float x = a[(size_t)r * k + i];

			sum[r][0] += x * low;
			sum[r][1] += x * high;
		}
	}
	for (int r = 0; r < ROWS; r++)
		for (int h = 0; h < 2; h++)
			*(lanes8 *)(d + (size_t)r * n + (size_t)8 * h) = sum[r][h];
}

static void cell_f32(float *d, const float *a, const float *b, const float *c, uint32_t n, uint32_t k)
{
	float sum = *c;

	for (uint32_t i = 0; i < k; i++)
		sum += a[i] * b[(size_t)i * n];
	*d = sum;
}

static void dot_f32(void *dst, const void *left, const void *right, const void *addend, const struct vm_dot *dot)
{
	float *d = dst;
	const float *a = left, *b = right, *c = addend;
	uint32_t rows = dot->m / ROWS * ROWS, columns = dot->n / COLUMNS * COLUMNS;

	for (uint32_t j = 0; j < columns; j += COLUMNS)
		for (uint32_t i = 0; i < rows; i += ROWS)
			block_f32(d + (size_t)i * dot->n + j, a + (size_t)i * dot->k, b + j, c + (size_t)i * dot->n + j,
			          dot->n, dot->k);
	for (uint32_t i = 0; i < dot->m; i++)
		for (uint32_t j = i < rows ? columns : 0; j < dot->n; j++)
			cell_f32(d + (size_t)i * dot->n + j, a + (size_t)i * dot->k, b + j, c + (size_t)i * dot->n + j,
			         dot->n, dot->k);
}

#define PLAIN(name, type, wide, element)                                                                     \
	VM_LOOP void name(void *dst, const void *left, const void *right, const void *addend,                \
	                  const struct vm_dot *dot)                                                          \
	{                                                                                                    \
		wide *d = dst;                                                                               \
		const type *a = left, *b = right;                                                            \
                                                                                                             \
		memcpy(d, addend, (size_t)dot->m * dot->n * sizeof *d);                                      \
		for (uint32_t i = 0; i < dot->m; i++)                                                        \
			for (uint32_t k = 0; k < dot->k; k++) {                                              \
				element x = (element)a[(size_t)i * dot->k + k];                              \
				wide *row = d + (size_t)i * dot->n;                                          \
				const type *other = b + (size_t)k * dot->n;                                  \
                                                                                                             \
				for (uint32_t j = 0; j < dot->n; j++)                                        \
					row[j] += x * (element)other[j];                                     \
			}                                                                                    \
	}
PLAIN(dot_f64, double, double, double)
PLAIN(dot_i8, int8_t, uint32_t, uint32_t)

typedef void dot_fn(void *dst, const void *a, const void *b, const void *c, const struct vm_dot *dot);

/* A cell is undefined when anything in its row, its column or its addend is. */
static void flow(struct vm_thread *t, const struct vm_op *op, const struct vm_dot *dot)
{
	const struct vm_reg *a = &t->regs[op->src[0]], *b = &t->regs[op->src[1]], *c = &t->regs[op->src[2]];
	struct vm_reg *dst = &t->regs[op->dst];
	gk_free_auto uint8_t *columns = NULL;

	dst->has_undef = a->has_undef || b->has_undef || c->has_undef;
	if (!dst->has_undef)
		return;
	columns = gk_alloc(dot->n);
	for (uint32_t g = 0; g < dot->batch; g++) {
		const uint8_t *ua = a->undef + (size_t)g * dot->m * dot->k, *ub = b->undef + (size_t)g * dot->k * dot->n;

		memset(columns, 0, dot->n);
		for (uint32_t i = 0; b->has_undef && i < dot->k * dot->n; i++)
			columns[i % dot->n] |= ub[i];
		for (uint32_t i = 0; i < dot->m; i++) {
			uint8_t row = a->has_undef && memchr(ua + (size_t)i * dot->k, 1, dot->k);

			for (uint32_t j = 0; j < dot->n; j++) {
				size_t at = ((size_t)g * dot->m + i) * dot->n + j;

				dst->undef[at] = row | columns[j] | (c->has_undef ? c->undef[at] : 0);
			}
		}
	}
}

/* Copies of A and B in tf32. */
static void *rounded(const void *src, size_t n)
{
	float *copy = gk_alloc_array(n, sizeof *copy);

	vm_round_tf32(copy, src, (uint32_t)n);
	return copy;
}

/* Small floats and f32 in any mixture are held alike; the rest must be all f64, or i8 into i32. */
static bool are_simulated(const struct vm_op *op, const struct vm_dot *dot)
{
	if (op->kind == GK_IR_I32)
		return op->from == GK_IR_I8 && dot->right == GK_IR_I8;
	return gk_ir_kind_is_float(op->kind) && gk_ir_kind_is_float(op->from) && gk_ir_kind_is_float(dot->right) &&
	       (op->kind == GK_IR_F64) == (op->from == GK_IR_F64) && (op->kind == GK_IR_F64) == (dot->right == GK_IR_F64);
}

int vm_run_dot(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_dot *dot = op->extra;
	uint8_t *d = t->regs[op->dst].data;
	const uint8_t *a = t->regs[op->src[0]].data, *b = t->regs[op->src[1]].data, *c = t->regs[op->src[2]].data;
	uint32_t in = vm_held_bytes(op->from), out = vm_held_bytes(op->kind);
	size_t left = (size_t)dot->m * dot->k, right = (size_t)dot->k * dot->n, result = (size_t)dot->m * dot->n;
	dot_fn *run = op->kind == GK_IR_F64 ? dot_f64 : gk_ir_kind_is_float(op->kind) ? dot_f32 : dot_i8;
	gk_free_auto void *rounded_a = dot->precision == VM_TF32 ? rounded(a, left * dot->batch) : NULL;
	gk_free_auto void *rounded_b = dot->precision == VM_TF32 ? rounded(b, right * dot->batch) : NULL;

	if (!are_simulated(op, dot))
		return vm_fault(t, op, GK_VM_UNSUPPORTED, 0, "tt.dot of these types is not simulated yet");
	a = rounded_a ? rounded_a : a;
	b = rounded_b ? rounded_b : b;
	for (uint32_t g = 0; g < dot->batch; g++)
		run(d + g * result * out, a + g * left * in, b + g * right * in, c + g * result * out, dot);
	if (vm_is_small_float(op->kind))
		vm_round(op->kind, (float *)d, n);
	flow(t, op, dot);
	t->counts.dot_flops += 2 * (uint64_t)n * dot->k;
	t->used += (uint64_t)n * dot->k / 16;
	return VM_GO;
}
