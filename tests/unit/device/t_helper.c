/* Helper kernels run on the machine, against plain loops over the same views. */
#include "plan/helper.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/strided.h"
#include "num/random.h"
#include "tap.h"
#include "vm/vm.h"

enum { BYTES = 1 << 17 };

struct kernel {
	char name[GK_HELPER_NAME];
	struct gk_ir *ir;
	struct gk_vm_program *program;
};

static bool kernel_new(struct kernel *k, const char *name)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_err e = {0};

	*k = (struct kernel){0};
	snprintf(k->name, sizeof k->name, "%s", name);
	k->ir = gk_helper_text(name, "sm_90", &text, &e) == 0
	                ? gk_ir_read(name, gk_buf_text(&text), text.size, &e)
	                : NULL;
	if (!k->ir) {
		printf("# %s: %s\n", name, e.text);
		return false;
	}
	k->program = gk_vm_program_new(k->ir);
	return true;
}

static void kernel_free(struct kernel *k)
{
	if (!k->ir)
		return;
	gk_vm_program_free(k->program);
	gk_ir_free(k->ir);
	k->ir = NULL;
}

static struct gk_vm_arg number(int64_t value)
{
	return (struct gk_vm_arg){.kind = GK_VM_INT, .number = value};
}

static struct gk_vm_arg pointer(uint32_t buffer, uint64_t at)
{
	return (struct gk_vm_arg){.kind = GK_VM_POINTER, .buffer = buffer, .at = at};
}

static bool kernel_run(const struct kernel *k, int64_t count, const struct gk_vm_arg *args, uint32_t arg_count,
                       struct gk_vm_buffer *buffers, uint32_t buffer_count)
{
	struct gk_vm_launch launch = {.grid = {(uint32_t)((count + GK_HELPER_BLOCK - 1) / GK_HELPER_BLOCK), 1, 1},
	                              .args = args,
	                              .arg_count = arg_count,
	                              .buffers = buffers,
	                              .buffer_count = buffer_count,
	                              .threads = 1};
	struct gk_vm_result result = {0};
	bool is_fine = gk_vm_launch(k->program, &launch, &result);

	if (!is_fine)
		printf("# %s: %s: %s (%s)\n", k->name, gk_vm_finding_name(result.finding.kind),
		       result.finding.message, result.finding.operation);
	gk_vm_result_release(&result);
	return is_fine;
}

static uint32_t add_numbers(struct gk_vm_arg *args, uint32_t at, const int64_t numbers[GK_MAX_RANK])
{
	for (int d = 0; d < GK_MAX_RANK; d++)
		args[at++] = number(numbers[d]);
	return at;
}

/* ---- views ---- */

static int64_t draw(struct gk_random *random, int64_t below)
{
	return (int64_t)gk_random_below(random, (uint64_t)below);
}

/* Up to 8 dimensions, in any order in memory, with gaps; a source may repeat elements. */
static struct gk_plan_view random_view(struct gk_random *random, const struct gk_plan_view *shape_of, int64_t most,
                                       bool is_source, enum gk_dtype dtype)
{
	struct gk_plan_view v = {.dtype = dtype};
	int order[GK_MAX_RANK];
	int64_t stride = 1;

	if (shape_of) {
		v.rank = shape_of->rank;
		memcpy(v.shape, shape_of->shape, sizeof v.shape);
	} else {
		v.rank = (int)draw(random, GK_MAX_RANK + 1);
		for (int d = 0; d < v.rank; d++) {
			v.shape[d] = draw(random, 3) ? 1 + draw(random, most < 7 ? most : 7) : 1;
			most /= v.shape[d];
		}
		if (v.rank)
			v.shape[draw(random, v.rank)] *= 1 + draw(random, most > 0 ? most : 1);
	}
	for (int d = 0; d < v.rank; d++)
		order[d] = d;
	for (int d = v.rank - 1; d > 0 && draw(random, 2); d--) {
		int other = (int)draw(random, d + 1), kept = order[d];

		order[d] = order[other];
		order[other] = kept;
	}
	for (int d = v.rank - 1; d >= 0; d--) {
		v.strides[order[d]] = is_source && draw(random, 8) == 0 ? 0 : stride;
		stride *= v.shape[order[d]] + (draw(random, 6) == 0);
	}
	v.at = (uint64_t)draw(random, 5) * gk_dtype_bytes(dtype);
	return v;
}

static bool fits(const struct gk_plan_view *v)
{
	int64_t last = 0;

	for (int d = 0; d < v->rank; d++)
		last += (v->shape[d] - 1) * v->strides[d];
	return v->at + ((uint64_t)last + 1) * gk_dtype_bytes(v->dtype) <= BYTES;
}

/* ---- values ---- */

/* Random bits, and numbers around which rounding, overflow and conversion to integers turn. */
static void make_values(struct gk_random *random, enum gk_dtype dtype, uint8_t *bytes)
{
	size_t size = gk_dtype_bytes(dtype);

	for (size_t at = 0; at < BYTES; at += 8) {
		uint64_t bits = gk_random_next(random);

		memcpy(bytes + at, &bits, 8);
	}
	if (size <= 2)
		for (size_t i = 0; i < BYTES / size; i++) /* all there are */
			memcpy(bytes + i * size, &i, size);
	for (size_t i = 0; size > 2 && i < BYTES / size; i++) {
		double value = ldexp(1 + (double)draw(random, 4096) / 4096, (int)draw(random, 80) - 40);

		if (!gk_dtype_is_float(dtype) || draw(random, 4) == 0)
			continue;
		if (draw(random, 4) == 0)
			value = nextafter(value, INFINITY);
		gk_dtype_store(dtype, bytes + i * size, draw(random, 2) ? value : -value);
	}
}

static bool is_nan_at(enum gk_dtype dtype, const uint8_t *element)
{
	return gk_dtype_is_float(dtype) && isnan(gk_dtype_load(dtype, element));
}

/* Equal bytes, but for what kind of NaN a NaN is. */
static bool is_same(enum gk_dtype dtype, const uint8_t *got, const uint8_t *want, const char *what)
{
	size_t size = gk_dtype_bytes(dtype);

	for (size_t at = 0; at + size <= BYTES; at += size) {
		if (memcmp(got + at, want + at, size) == 0 ||
		    (is_nan_at(dtype, got + at) && is_nan_at(dtype, want + at)))
			continue;
		printf("# %s: element %zu is %.17g, not %.17g\n", what, at / size,
		       gk_dtype_load(dtype, got + at), gk_dtype_load(dtype, want + at));
		return false;
	}
	return true;
}

/* ---- copies ---- */

static uint8_t source[BYTES], got[BYTES], want[BYTES];

static bool copy_once(const struct kernel *k, const struct gk_plan_view *dst, const struct gk_plan_view *src)
{
	struct gk_vm_buffer buffers[] = {{.bytes = got, .size = BYTES}, {.bytes = source, .size = BYTES}};
	struct gk_vm_arg args[2 + 3 * GK_MAX_RANK];
	struct gk_memory_span to = {want, NULL}, from = {source, NULL};
	struct gk_helper_walk walk;
	uint32_t count = 0;

	gk_helper_walk(dst, src, &walk);
	args[count++] = pointer(0, dst->at);
	count = add_numbers(args, count, walk.dst);
	args[count++] = pointer(1, src->at);
	count = add_numbers(args, count, walk.src);
	count = add_numbers(args, count, walk.shape);
	memset(got, 0, BYTES);
	memset(want, 0, BYTES);
	gk_strided_copy(&to, dst, &from, src);
	return kernel_run(k, walk.count, args, count, buffers, 2) && is_same(dst->dtype, got, want, k->name);
}

static bool copies(struct gk_random *random, enum gk_dtype to, enum gk_dtype from)
{
	struct gk_plan_step step = {.op = GK_STEP_COPY};
	struct kernel k = {0};
	bool is_fine = true;
	int64_t most = BYTES / 8 / (int64_t)(gk_dtype_bytes(to) > gk_dtype_bytes(from) ? gk_dtype_bytes(to)
	                                                                               : gk_dtype_bytes(from));
	char name[GK_HELPER_NAME];

	/* a column, so that no driver has a call for it */
	step.dst = step.src = (struct gk_plan_view){.rank = 1, .shape = {2}, .strides = {2}};
	step.dst.dtype = to;
	step.src.dtype = from;
	if (!gk_helper_of_step(&step, name) || !kernel_new(&k, name))
		return false;
	make_values(random, from, source);
	/* every value once, then views of all kinds */
	for (int i = 0; i < 3 && is_fine; i++) {
		struct gk_plan_view dst = random_view(random, NULL, most, false, to), src;

		if (i == 0)
			dst = (struct gk_plan_view){.dtype = to, .rank = 1, .shape = {most * 4}, .strides = {1}};
		src = i == 0 ? dst : random_view(random, &dst, most, true, from);
		src.dtype = from;
		if (fits(&dst) && fits(&src))
			is_fine = copy_once(&k, &dst, &src);
	}
	kernel_free(&k);
	return is_fine;
}

static void every_pair_is_copied(void)
{
	struct gk_random random;

	gk_random_seed(&random, 7);

	for (int to = GK_BOOL; to < GK_DTYPE_COUNT; to++) {
		char text[80];
		bool is_fine = true;

		for (int from = GK_BOOL; from < GK_DTYPE_COUNT; from++)
			is_fine = copies(&random, (enum gk_dtype)to, (enum gk_dtype)from) && is_fine;
		snprintf(text, sizeof text, "every dtype becomes %s as plain loops do it", gk_dtype_name((enum gk_dtype)to));
		ok(is_fine, text);
	}
}

static void views_of_many_kinds(void)
{
	struct gk_random random;

	gk_random_seed(&random, 11);
	struct kernel k = {0};
	int done = 0;
	bool is_fine = kernel_new(&k, "copy_b2");

	make_values(&random, GK_I16, source);
	for (int i = 0; i < 60 && is_fine; i++) {
		struct gk_plan_view eight = {.rank = 8, .shape = {2, 3, 2, 3, 2, 3, 2, 3}};
		struct gk_plan_view dst = random_view(&random, i % 4 ? NULL : &eight, 6000, false, GK_I16);
		struct gk_plan_view src = random_view(&random, &dst, 6000, true, GK_I16);

		if (!fits(&dst) || !fits(&src))
			continue;
		is_fine = copy_once(&k, &dst, &src);
		done++;
	}
	kernel_free(&k);
	ok(is_fine && done > 20, "transposed, broadcast, padded views of up to 8 dimensions are walked right");
}

/* Of far more elements than 32 bits count: the first program alone is run. */
static void views_beyond_32_bits(void)
{
	struct gk_vm_buffer buffers[] = {{.bytes = got, .size = BYTES}, {.bytes = source, .size = BYTES}};
	int64_t shape[] = {1, 1, 1, 1, 1, (int64_t)1 << 31, 3, 5}, dst[] = {0, 0, 0, 0, 0, 15, 1, 3};
	int64_t src[] = {0, 0, 0, 0, 0, 15, 5, 1};
	struct gk_vm_arg args[2 + 3 * GK_MAX_RANK];
	struct kernel k = {0};
	bool is_fine = kernel_new(&k, "copy_b1");
	uint32_t count = 0;

	args[count++] = pointer(0, 0);
	count = add_numbers(args, count, dst);
	args[count++] = pointer(1, 0);
	count = add_numbers(args, count, src);
	count = add_numbers(args, count, shape);
	for (int i = 0; i < BYTES; i++)
		source[i] = (uint8_t)(i * 7);
	memset(got, 0, BYTES);
	is_fine = is_fine && kernel_run(&k, 1, args, count, buffers, 2);
	for (int i = 0; i < GK_HELPER_BLOCK && is_fine; i++)
		is_fine = got[i / 15 * 15 + i % 15 / 5 + i % 5 * 3] == source[i];
	ok(is_fine && got[GK_HELPER_BLOCK + 15] == 0, "views of more than 2^31 elements are walked in 64 bits");
	kernel_free(&k);
}

/* ---- fills and ramps ---- */

static bool set_once(const struct kernel *k, struct gk_plan_view *dst, uint64_t bits)
{
	struct gk_vm_buffer buffers[] = {{.bytes = got, .size = BYTES}};
	struct gk_vm_arg args[2 + 2 * GK_MAX_RANK];
	struct gk_memory_span to = {want, NULL};
	struct gk_helper_walk walk;
	uint32_t count = 0;

	gk_helper_walk(dst, NULL, &walk);
	args[count++] = pointer(0, dst->at);
	count = add_numbers(args, count, walk.dst);
	count = add_numbers(args, count, walk.shape);
	args[count++] = number((int64_t)bits);
	memset(got, 0, BYTES);
	memset(want, 0, BYTES);
	gk_strided_fill(&to, dst, bits);
	return kernel_run(k, walk.count, args, count, buffers, 1) && memcmp(got, want, BYTES) == 0;
}

static bool ramp_once(const struct kernel *k, struct gk_plan_view *dst, int64_t start, int64_t step)
{
	struct gk_vm_buffer buffers[] = {{.bytes = got, .size = BYTES}};
	struct gk_vm_arg args[3 + 2 * GK_MAX_RANK];
	struct gk_memory_span to = {want, NULL};
	struct gk_helper_walk walk;
	uint32_t count = 0;

	gk_helper_walk(dst, NULL, &walk);
	args[count++] = pointer(0, dst->at);
	count = add_numbers(args, count, walk.dst);
	count = add_numbers(args, count, walk.shape);
	args[count++] = number(start);
	args[count++] = number(step);
	memset(got, 0, BYTES);
	memset(want, 0, BYTES);
	gk_strided_iota(&to, dst, start, step);
	return kernel_run(k, walk.count, args, count, buffers, 1) && is_same(dst->dtype, got, want, k->name);
}

static void fills_and_ramps(void)
{
	struct gk_random random;

	gk_random_seed(&random, 13);
	static const enum gk_dtype kinds[] = {GK_U8, GK_F16, GK_I32, GK_F64};
	bool is_fine = true;

	for (size_t i = 0; i < gk_count_of(kinds); i++) {
		struct kernel k = {0};
		char name[GK_HELPER_NAME];

		snprintf(name, sizeof name, "set_b%zu", gk_dtype_bytes(kinds[i]));
		is_fine = is_fine && kernel_new(&k, name);
		for (int n = 0; n < 5 && is_fine; n++) {
			struct gk_plan_view dst = random_view(&random, NULL, 1500, false, kinds[i]);

			is_fine = !fits(&dst) || set_once(&k, &dst, 0x8182838485868788);
		}
		kernel_free(&k);
	}
	ok(is_fine, "fills of 1, 2, 4 and 8 bytes set every element of the view and no other");
	is_fine = true;
	for (int d = GK_BOOL; d < GK_DTYPE_COUNT; d++) {
		struct gk_plan_step step = {.op = GK_STEP_IOTA, .dst = {.dtype = (enum gk_dtype)d, .rank = 1, .shape = {2}, .strides = {1}}};
		struct kernel k = {0};
		char name[GK_HELPER_NAME];

		is_fine = is_fine && gk_helper_of_step(&step, name) && kernel_new(&k, name);
		for (int n = 0; n < 3 && is_fine; n++) {
			struct gk_plan_view dst = random_view(&random, NULL, 1500, false, (enum gk_dtype)d);

			is_fine = !fits(&dst) || ramp_once(&k, &dst, n == 2 ? INT64_MAX - 7000000 : -40, n == 2 ? 4099 : 7);
		}
		kernel_free(&k);
	}
	ok(is_fine, "ramps of every dtype count in the order of the view");
}

/* ---- assists ---- */

/* Some dimensions of src folded; dst has the others, in an order of its own. */
static struct gk_plan_step random_assist(struct gk_random *random, enum gk_assist assist, enum gk_dtype from,
                                         enum gk_dtype to, int64_t most)
{
	struct gk_plan_step step = {.op = GK_STEP_ASSIST, .assist = assist};
	struct gk_plan_view kept, folded;

	step.src = random_view(random, NULL, most, false, from);
	for (int d = 0; d < step.src.rank && assist <= GK_ASSIST_LOGSUMEXP; d++)
		step.dims |= (uint32_t)draw(random, 2) << d;
	gk_assist_split(&step, &kept, &folded);
	step.dst = random_view(random, &kept, most, false, to);
	return step;
}

/* Small numbers, some of them odd: NaN, infinities, the least and greatest. */
static void make_numbers(struct gk_random *random, enum gk_dtype dtype)
{
	size_t size = gk_dtype_bytes(dtype);

	for (size_t i = 0; i < BYTES / size; i++) {
		uint64_t bits = gk_random_next(random);
		double value = (double)draw(random, 4001) / 1000 - 2;

		memcpy(source + i * size, &bits, size);
		if (dtype == GK_BOOL)
			source[i] &= 1;
		if (gk_dtype_is_float(dtype))
			gk_dtype_store(dtype, source + i * size, draw(random, 3000) ? value : draw(random, 2) ? NAN : INFINITY);
	}
}

/* Integers and what is not added up agree exactly; sums of floats go in another order. */
static bool is_close(const struct gk_plan_step *step, const char *name)
{
	size_t size = gk_dtype_bytes(step->dst.dtype);
	double slack = step->dst.dtype == GK_F64 ? 1e-12 : step->dst.dtype == GK_F32 ? 2e-5 : step->dst.dtype == GK_F16 ? 1e-3 : 8e-3;

	if (!gk_dtype_is_float(step->dst.dtype) ||
	    (step->assist != GK_ASSIST_SUM && step->assist != GK_ASSIST_LOGSUMEXP))
		return is_same(step->dst.dtype, got, want, name);
	for (size_t at = 0; at + size <= BYTES; at += size) {
		double a = gk_dtype_load(step->dst.dtype, got + at), b = gk_dtype_load(step->dst.dtype, want + at);

		if (a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= slack * (fabs(b) + 30))
			continue;
		printf("# %s: element %zu is %.17g, not %.17g\n", name, at / size, a, b);
		return false;
	}
	return true;
}

static bool assist_once(const struct gk_plan_step *step, char name[GK_HELPER_NAME])
{
	struct gk_vm_buffer buffers[] = {{.bytes = got, .size = BYTES}, {.bytes = source, .size = BYTES}};
	struct gk_vm_arg args[2 + 5 * GK_MAX_RANK];
	struct gk_memory_span to = {want, NULL}, from = {source, NULL};
	struct gk_helper_fold fold;
	struct kernel k = {0};
	uint32_t count = 0;
	bool is_fine;

	if (!gk_helper_of_step(step, name))
		return gk_plan_view_count(&step->dst) == 0;
	if (!kernel_new(&k, name))
		return false;
	gk_helper_fold(step, &fold);
	args[count++] = pointer(0, step->dst.at);
	count = add_numbers(args, count, fold.kept.dst);
	args[count++] = pointer(1, step->src.at);
	count = add_numbers(args, count, fold.kept.src);
	count = add_numbers(args, count, fold.kept.shape);
	count = add_numbers(args, count, fold.folded.dst);
	count = add_numbers(args, count, fold.folded.shape);
	memset(got, 0, BYTES);
	memset(want, 0, BYTES);
	gk_strided_assist(&to, &from, step);
	is_fine = kernel_run(&k, (int64_t)fold.programs * GK_HELPER_BLOCK, args, count, buffers, 2) && is_close(step, name);
	kernel_free(&k);
	return is_fine;
}

static const enum gk_dtype numbers[] = {GK_I8,  GK_I16, GK_I32, GK_I64, GK_U8,   GK_U16,
                                        GK_U32, GK_U64, GK_F16, GK_F32, GK_BF16, GK_F64};

static void every_assist_is_as_plain_loops_do_it(void)
{
	struct gk_random random;
	char name[GK_HELPER_NAME], text[80];

	gk_random_seed(&random, 17);
	for (int a = 0; gk_assist_names[a]; a++) {
		bool is_fine = true;

		for (size_t i = 0; i < gk_count_of(numbers) && is_fine; i++) {
			if (!gk_assist_has((enum gk_assist)a, numbers[i], numbers[i]))
				continue;
			make_numbers(&random, numbers[i]);
			for (int n = 0; n < 3 && is_fine; n++) {
				struct gk_plan_step step = random_assist(&random, (enum gk_assist)a, numbers[i], numbers[i], 3000);

				if (fits(&step.dst) && fits(&step.src))
					is_fine = assist_once(&step, name);
			}
		}
		snprintf(text, sizeof text, "every dtype's %s is as plain loops do it", gk_assist_names[a]);
		ok(is_fine, text);
	}
}

static void sums_cast_first(void)
{
	static const enum gk_dtype pairs[][2] = {{GK_BOOL, GK_I64}, {GK_I8, GK_I64}, {GK_U8, GK_I32}, {GK_F32, GK_F64},
	                                         {GK_F16, GK_F32},  {GK_F32, GK_F16}, {GK_I32, GK_F32}, {GK_F32, GK_I64}};
	struct gk_random random;
	char name[GK_HELPER_NAME];
	bool is_fine = true;

	gk_random_seed(&random, 19);
	for (size_t i = 0; i < gk_count_of(pairs) && is_fine; i++) {
		struct gk_plan_step step;

		make_numbers(&random, pairs[i][0]);
		do
			step = random_assist(&random, GK_ASSIST_SUM, pairs[i][0], pairs[i][1], 3000);
		while (!fits(&step.dst) || !fits(&step.src));
		is_fine = assist_once(&step, name);
	}
	ok(is_fine, "a sum of another dtype casts its elements first");
}

/* Columns of large numbers, of infinities alone, and of nothing that has a logarithm. */
static void exponentials_do_not_overflow(void)
{
	static const float rows[3][4] = {{9e4f, -INFINITY, 1, 5}, {9e4f, -INFINITY, INFINITY, NAN}, {-9e4f, -INFINITY, -INFINITY, 3}};
	struct gk_plan_step step = {.op = GK_STEP_ASSIST, .assist = GK_ASSIST_LOGSUMEXP, .dims = 1};
	struct gk_plan_view folded;
	char name[GK_HELPER_NAME];
	float out[4];

	memcpy(source, rows, sizeof rows);
	step.src = (struct gk_plan_view){.dtype = GK_F32, .rank = 2, .shape = {3, 4}, .strides = {4, 1}};
	gk_assist_split(&step, &step.dst, &folded);
	step.dst.strides[0] = 1;
	ok(assist_once(&step, name), "large and infinite exponents are as plain loops do them");
	memcpy(out, got, sizeof out);
	near(out[0], 9e4 + log(2), 0.01, "and do not overflow");
	ok(out[1] == -INFINITY && out[2] == INFINITY && isnan(out[3]), "infinities stay");
}

/* The shapes for which lanes are spread in another way, and one whose fold is empty. */
static void folds_of_all_sizes(void)
{
	static const struct {
		int64_t rows, columns;
		uint32_t dims;
		const char *ends;
	} sizes[] = {
		{4, 3000, 1, "_c1"},   {3000, 5, 2, "_c1"}, {70, 100, 1, "_c32"}, {90, 70, 2, "_r32"}, {2, 12000, 2, "_r2048"},
		{1, 16000, 3, "_r2048"}, {5000, 3, 1, "_r2048"}, {0, 40, 1, "_c1"}, {40, 50, 0, "_c1"},
	};
	struct gk_random random;
	char name[GK_HELPER_NAME];

	gk_random_seed(&random, 23);
	make_numbers(&random, GK_F32);
	for (size_t i = 0; i < gk_count_of(sizes); i++) {
		struct gk_plan_step step = {.op = GK_STEP_ASSIST, .dims = sizes[i].dims};
		struct gk_plan_view folded;
		int64_t stride = 1;

		step.src = (struct gk_plan_view){.dtype = GK_F32, .rank = 2, .shape = {sizes[i].rows, sizes[i].columns}};
		step.src.strides[0] = sizes[i].columns;
		step.src.strides[1] = 1;
		gk_assist_split(&step, &step.dst, &folded);
		for (int d = step.dst.rank - 1; d >= 0; d--) {
			step.dst.strides[d] = stride;
			stride *= step.dst.shape[d];
		}
		ok(assist_once(&step, name) && strstr(name, sizes[i].ends), sizes[i].ends);
	}
}

/* ---- fill and flush ---- */

static bool fill_words(const struct kernel *k, uint32_t *words, int64_t count, uint64_t room, int64_t seed)
{
	struct gk_vm_buffer buffers[] = {{.bytes = words, .size = room}};
	struct gk_vm_arg args[] = {pointer(0, 0), number(count), number(seed)};

	return kernel_run(k, count, args, 3, buffers, 1);
}

static int compare_words(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int count_repeats(uint32_t *words, int count)
{
	int repeats = 0;

	qsort(words, (size_t)count, sizeof *words, compare_words);
	for (int i = 1; i < count; i++)
		repeats += words[i] == words[i - 1];
	return repeats;
}

static void random_fill(void)
{
	enum { COUNT = 10000 };
	static uint32_t words[COUNT + 2], other[2 * COUNT];
	struct kernel k;
	uint64_t ones = 0, moved = 0;

	if (!ok(kernel_new(&k, "fill"), "there is a random fill"))
		return;
	ok(fill_words(&k, words, COUNT, sizeof words, 12345) && words[COUNT] == 0 && words[COUNT + 1] == 0,
	   "it writes as many words as it is told");
	ok(fill_words(&k, other, COUNT, sizeof other, 12346), "and again with another seed");
	for (int i = 0; i < COUNT; i++) {
		ones += (uint64_t)__builtin_popcount(words[i]);
		moved += (uint64_t)__builtin_popcount(words[i] ^ other[i]);
	}
	near((double)ones / COUNT, 16, 0.2, "half of the bits are set");
	near((double)moved / COUNT, 16, 0.2, "a seed that differs in one bit changes half of them");
	memcpy(other + COUNT, words, sizeof *words * COUNT);
	ok(count_repeats(other, 2 * COUNT) < 5, "two fills have no more words in common than chance has it");
	kernel_free(&k);
}

static void flush(void)
{
	enum { COUNT = 9001 };
	static uint32_t words[COUNT];
	uint32_t sink[3] = {0}, all[3] = {0};
	struct gk_vm_buffer buffers[] = {{.bytes = words, .size = sizeof words}, {.bytes = sink, .size = sizeof sink}};
	struct gk_vm_arg args[] = {pointer(0, 0), number(COUNT), pointer(1, 0)};
	struct kernel k;

	for (uint32_t i = 0; i < COUNT; i++) {
		words[i] = i * 2654435761U;
		all[i / GK_HELPER_BLOCK] ^= words[i];
	}
	ok(kernel_new(&k, "flush") && kernel_run(&k, COUNT, args, 3, buffers, 2) && memcmp(sink, all, sizeof all) == 0,
	   "the flush has read every word");
	kernel_free(&k);
}

int main(void)
{
	every_pair_is_copied();
	views_of_many_kinds();
	views_beyond_32_bits();
	fills_and_ramps();
	every_assist_is_as_plain_loops_do_it();
	sums_cast_first();
	exponentials_do_not_overflow();
	folds_of_all_sizes();
	random_fill();
	flush();
	return done_testing();
}
