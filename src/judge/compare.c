#include "compare.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "pattern.h"

/*
 * Blocks of BLOCK elements are widened to double and checked by loops that
 * the compiler turns into vector code; only a block with a failure, or with
 * NaN or infinity in it, is looked at element by element.
 *
 * More than one part of PART elements is shared among threads, which find out
 * whether all is right and how near it is. Where it is not, one thread looks at
 * everything again from the first element on: what is said hangs on no order.
 */
enum { BLOCK = GK_ULP_BLOCK, LANES = 4, PART = 1 << 18 };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t lane_counts __attribute__((vector_size(LANES * sizeof(int64_t))));

/* BLOCK numbers each; behind count both are 0: loops over whole blocks need no rest. */
struct block {
	const double *got, *want;
	int count;
	double got_room[BLOCK], want_room[BLOCK];
};

static inline float float_of_bits(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

/* The exponent is moved by a multiplication, which also normalises subnormals. */
static inline float half_value(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = (uint32_t)(half & 0x7fff) << 13;
	float finite = float_of_bits(rest) * 0x1p112f, special = float_of_bits(rest | 0x7f800000);
	float value = (half & 0x7c00) == 0x7c00 ? special : finite;

	return sign ? -value : value;
}

static void widen_half(const uint16_t *from, double *to, int count)
{
	for (int i = 0; i < count; i++)
		to[i] = half_value(from[i]);
}

static void widen_bfloat(const uint16_t *from, double *to, int count)
{
	for (int i = 0; i < count; i++)
		to[i] = float_of_bits((uint32_t)from[i] << 16);
}

static void widen_float(const float *from, double *to, int count)
{
	for (int i = 0; i < count; i++)
		to[i] = from[i];
}

static void widen_any(enum gk_dtype dtype, const char *from, double *to, int count)
{
	size_t size = gk_dtype_bytes(dtype);

	for (int i = 0; i < count; i++)
		to[i] = gk_dtype_load(dtype, from + (size_t)i * size);
}

static void widen(enum gk_dtype dtype, const void *base, int64_t start, double *to, int count)
{
	const char *from = (const char *)base + (size_t)start * gk_dtype_bytes(dtype);

	switch (dtype) {
	case GK_F64:
		memcpy(to, from, (size_t)count * sizeof *to);
		break;
	case GK_F32:
		widen_float((const float *)(const void *)from, to, count);
		break;
	case GK_F16:
		widen_half((const uint16_t *)(const void *)from, to, count);
		break;
	case GK_BF16:
		widen_bfloat((const uint16_t *)(const void *)from, to, count);
		break;
	default:
		widen_any(dtype, from, to, count);
	}
}

/* A block of numbers as doubles: in room, filled up with rest, or where they lie. */
static const double *wide_block(enum gk_dtype dtype, const void *base, int64_t start, int count, double *room, double rest)
{
	if (dtype == GK_F64 && count == BLOCK && (uintptr_t)base % _Alignof(double) == 0)
		return (const double *)base + start;
	widen(dtype, base, start, room, count);
	for (int i = count; i < BLOCK; i++)
		room[i] = rest;
	return room;
}

/* What one comparison needs besides the arrays. */
struct check {
	const struct gk_comparison *c;
	bool exact, as_integers, has_infinity, signed_zeros;
	double rtol, atol, largest, overflow; /* overflow: from here on rounding gives no finite number */
	size_t got_size, want_size;
};

static bool has_infinity(enum gk_dtype dtype)
{
	return dtype == GK_F64 || dtype == GK_F32 || dtype == GK_F16 || dtype == GK_BF16 ||
	       dtype == GK_F8E5M2;
}

/* Sums in lanes: no addition waits for the one before. What is infinite or NaN is left out. */
static void add_magnitudes(const double *block, double most, lanes *sum, lane_counts *seen)
{
	for (int i = 0; i < BLOCK; i += LANES) {
		lanes value;
		lane_counts use;

		memcpy(&value, block + i, sizeof value);
		value = (lanes)((lane_counts)value & INT64_MAX); /* without its sign */
		use = value <= most;
		*seen -= use; /* true is -1 */
		*sum += (lanes)((lane_counts)value & use);
	}
}

/*
 * Larger magnitudes do not count. Where the format's largest number was put among the inputs, what comes of it would
 * be most of the mean, and hide errors of ordinary elements.
 */
static double most_usual(const struct gk_comparison *c)
{
	double largest = c->has_specials && gk_dtype_is_float(c->dtype) ? gk_dtype_max(c->dtype) : INFINITY;

	return largest > DBL_MAX ? DBL_MAX : largest * (largest > 1e30 ? 0x1p-32 : 0.25);
}

/* Part of a sum: which parts there are hangs on the number of elements alone, so that the sum is always the same. */
struct mean_part {
	double total, finite;
};

struct mean {
	const struct gk_comparison *c;
	int64_t count;
	double most;
	struct mean_part *parts;
};

static void sum_part(void *ctx, size_t number)
{
	const struct mean *m = ctx;
	struct mean_part *part = &m->parts[number];
	int64_t first = (int64_t)number * PART, end = m->count - first < PART ? m->count : first + PART;
	double room[BLOCK];
	lanes sums = {0};
	lane_counts seen = {0};

	for (int64_t start = first; start < end; start += BLOCK) {
		int n = end - start < BLOCK ? (int)(end - start) : BLOCK;

		add_magnitudes(wide_block(m->c->want_dtype, m->c->want, start, n, room, INFINITY), m->most, &sums, &seen);
	}
	for (int lane = 0; lane < LANES; lane++) {
		part->total += sums[lane];
		part->finite += (double)seen[lane];
	}
}

static size_t part_count(int64_t count)
{
	return (size_t)((count + PART - 1) / PART);
}

static double mean_magnitude(const struct gk_comparison *c, int64_t count)
{
	size_t parts = part_count(count);
	struct mean m = {c, count, most_usual(c), gk_alloc_array(parts ? parts : 1, sizeof *m.parts)};
	double total = 0, finite = 0;

	gk_parallel(parts, sum_part, &m);
	for (size_t i = 0; i < parts; i++) {
		total += m.parts[i].total;
		finite += m.parts[i].finite;
	}
	free(m.parts);
	return finite > 0 ? total / finite : 0;
}

/* What the spread is relative to. */
static double scale_of(const struct gk_comparison *c, int64_t count)
{
	double n = count > 0 ? (double)count : 1;

	return mean_magnitude(c, count) * (1 + c->tolerance.few / (n * n));
}

static struct check check_new(const struct gk_comparison *c, double scale)
{
	struct check k = {.c = c, .has_infinity = has_infinity(c->dtype)};

	k.as_integers = !gk_dtype_is_float(c->dtype) && c->dtype == c->want_dtype;
	k.signed_zeros = c->signed_zeros;
	k.rtol = c->tolerance.rtol;
	k.atol = c->tolerance.atol + c->tolerance.spread * scale;
	k.exact = c->tolerance.exact || !gk_dtype_is_float(c->dtype) || (k.rtol <= 0 && k.atol <= 0);
	k.largest = gk_dtype_is_float(c->dtype) ? gk_dtype_max(c->dtype) : INFINITY;
	k.overflow = k.largest * (1 + gk_dtype_epsilon(c->dtype) / 4);
	k.got_size = gk_dtype_bytes(c->dtype);
	k.want_size = gk_dtype_bytes(c->want_dtype);
	return k;
}

static double rounded_to(enum gk_dtype dtype, double value)
{
	uint64_t element = 0;

	gk_dtype_store(dtype, &element, value);
	return gk_dtype_load(dtype, &element);
}

static bool exactly_right(const struct check *k, double got, double want)
{
	if (isnan(want))
		return isnan(got);
	if (got == want)
		return true;
	want = gk_dtype_is_float(k->c->dtype) ? rounded_to(k->c->dtype, want) : want;
	return got == want || (isnan(got) && isnan(want));
}

/* *ratio: error over allowance, infinite where no distance makes sense. */
static bool element_is_right(const struct check *k, double got, double want, double *ratio)
{
	double error = fabs(got - want), allowed = k->rtol * fabs(want) + k->atol;
	bool right;

	if (k->signed_zeros && want == 0 && got == 0 && signbit(got) != signbit(want)) {
		*ratio = INFINITY;
		return false;
	}
	if (k->exact) {
		right = exactly_right(k, got, want);
		*ratio = right ? 0 : isfinite(error) ? 1 + error : INFINITY;
		return right;
	}
	if (isnan(want)) {
		right = isnan(got);
	} else if (isinf(want)) {
		right = k->has_infinity ? got == want : isnan(got) || got == copysign(k->largest, want);
	} else if (isinf(got)) {
		right = signbit(got) == signbit(want) && fabs(want) + allowed >= k->overflow;
	} else if (isnan(got)) {
		right = !k->has_infinity && fabs(want) + allowed >= k->overflow;
	} else if (fabs(want) > k->largest && !k->has_infinity && got == copysign(k->largest, want)) {
		right = true; /* saturation is how these formats overflow in hardware */
	} else {
		*ratio = error / allowed;
		return error <= allowed;
	}
	*ratio = right ? 0 : INFINITY;
	return right;
}

/* Nearer to 1 than float32 can tell, element_is_right() decides. */
#define SURELY_RIGHT 0.999f

/* True when every element is surely right by distance alone; *ratio is raised to the largest error over allowance. */
static bool block_is_right(const struct block *b, double rtol, double atol, double *ratio)
{
	float ratios[BLOCK], most;

	for (int i = 0; i < BLOCK; i++) {
		float error = (float)fabs(b->got[i] - b->want[i]);
		float allowed = (float)(rtol * fabs(b->want[i]) + atol);

		ratios[i] = fabsf(error / allowed); /* a NaN loses its sign, so that it is the largest of all */
	}
	most = gk_largest_of_block(ratios);
	if (!(most < SURELY_RIGHT))
		return false;
	*ratio = (double)most > *ratio ? (double)most : *ratio;
	return true;
}

/* No zero has another sign than the expected one. */
static bool zeros_agree(const struct block *b)
{
	int differ = 0;

	for (int i = 0; i < BLOCK; i++)
		differ += (b->want[i] == 0) & (b->got[i] == 0) & (signbit(b->got[i]) != signbit(b->want[i]));
	return differ == 0;
}

static bool block_is_equal(const struct block *b)
{
	return memcmp(b->got, b->want, sizeof b->got_room) == 0;
}

struct tally {
	struct gk_difference *d;
	struct gk_wrong_sample sample;
	double worst; /* ratio of the worst wrong element so far */
	bool has_ulps;
	struct gk_ulp_unit unit;
	int64_t rows, columns;
};

static void map_add(struct tally *t, int64_t flat)
{
	struct gk_difference *d = t->d;
	int64_t row = flat / t->columns, column = flat % t->columns;

	d->map[row * d->map_rows / t->rows][column * d->map_columns / t->columns]++;
}

static void box_add(struct gk_difference *d, int rank, const int64_t *index)
{
	for (int i = 0; i < rank; i++) {
		d->low[i] = index[i] < d->low[i] ? index[i] : d->low[i];
		d->high[i] = index[i] > d->high[i] ? index[i] : d->high[i];
	}
}

static void magnitudes_add(struct gk_difference *d, double got, double want)
{
	double error = fabs(got - want);

	d->nan_got += isnan(got) != 0;
	d->zero_got += got == 0;
	d->nan_want += isnan(want) != 0;
	d->inf_want += isinf(want) != 0;
	d->sign_only += got == 0 && want == 0;
	if (!isfinite(error))
		return;
	d->max_abs = fmax(d->max_abs, error);
	if (want != 0)
		d->max_rel = fmax(d->max_rel, error / fabs(want));
}

static void tally_wrong(struct tally *t, const struct gk_comparison *c, int64_t flat, double got, double want,
                        double ratio)
{
	struct gk_difference *d = t->d;
	int64_t index[GK_MAX_RANK] = {0};

	gk_index_split(c, flat, index);
	if (d->wrong++ == 0) {
		memcpy(d->first, index, sizeof d->first);
		memcpy(d->low, index, sizeof d->low);
		memcpy(d->high, index, sizeof d->high);
		d->first_got = got;
		d->first_want = want;
	}
	if (ratio > t->worst || d->wrong == 1) {
		t->worst = ratio;
		memcpy(d->worst, index, sizeof d->worst);
		d->worst_got = got;
		d->worst_want = want;
	}
	box_add(d, c->rank, index);
	magnitudes_add(d, got, want);
	map_add(t, flat);
	gk_wrong_sample_add(&t->sample, flat, got, want);
}

/* What is right beyond the format's range is as near as the format can come. */
static void count_ulps(const struct check *k, struct tally *t, double got, double want, bool is_right)
{
	if (!t->has_ulps)
		return;
	if (is_right && fabs(want) > k->largest)
		gk_ulps_add_exact(&t->d->ulps, 1);
	else
		gk_ulps_add_element(&t->d->ulps, t->unit, got, want, is_right);
}

static void look_at_elements(const struct check *k, const struct block *b, int64_t start, struct tally *t)
{
	for (int i = 0; i < b->count; i++) {
		double ratio = 0;
		bool is_right = element_is_right(k, b->got[i], b->want[i], &ratio);

		count_ulps(k, t, b->got[i], b->want[i], is_right);
		if (!is_right)
			tally_wrong(t, k->c, start + i, b->got[i], b->want[i], ratio);
		else if (ratio > t->d->worst_ratio)
			t->d->worst_ratio = ratio;
	}
}

/* Integers are compared as bytes: a double would lose the low bits of large ones. */
static void look_at_integers(const struct check *k, int64_t start, int count, struct tally *t)
{
	const char *got = (const char *)k->c->got + (size_t)start * k->got_size;
	const char *want = (const char *)k->c->want + (size_t)start * k->got_size;

	if (memcmp(got, want, (size_t)count * k->got_size) == 0)
		return;
	for (int i = 0; i < count; i++, got += k->got_size, want += k->got_size) {
		double g, w;

		if (memcmp(got, want, k->got_size) == 0)
			continue;
		g = gk_dtype_load(k->c->dtype, got);
		w = gk_dtype_load(k->c->dtype, want);
		tally_wrong(t, k->c, start + i, g, w, 1 + fabs(g - w));
	}
}

static void look_at_block(const struct check *k, struct block *b, int64_t start, struct tally *t)
{
	if (k->as_integers) {
		look_at_integers(k, start, b->count, t);
		return;
	}
	b->got = wide_block(k->c->dtype, k->c->got, start, b->count, b->got_room, 0);
	b->want = wide_block(k->c->want_dtype, k->c->want, start, b->count, b->want_room, 0);
	if (!(k->exact ? block_is_equal(b) : block_is_right(b, k->rtol, k->atol, &t->d->worst_ratio)) ||
	    (k->signed_zeros && !zeros_agree(b)))
		look_at_elements(k, b, start, t);
	else if (k->exact && t->has_ulps)
		gk_ulps_add_exact(&t->d->ulps, b->count);
	else if (t->has_ulps)
		gk_ulps_add_block(&t->d->ulps, t->unit, b->got, b->want, b->count);
}

static int64_t count_elements(const struct gk_comparison *c)
{
	int64_t count = 1;

	for (int i = 0; i < c->rank; i++)
		count *= c->shape[i];
	return count;
}

static void lay_out_map(const struct gk_comparison *c, struct tally *t, int64_t count)
{
	t->columns = c->rank > 0 ? c->shape[c->rank - 1] : 1;
	if (c->rank == 1 && t->columns > (int64_t)4 * GK_MAP_SIDE) /* a line folds into a square */
		t->columns = (int64_t)ceil(sqrt((double)count));
	if (t->columns < 1)
		t->columns = 1;
	t->rows = (count + t->columns - 1) / t->columns;
	t->d->map_rows = t->rows < GK_MAP_SIDE ? (int)t->rows : GK_MAP_SIDE;
	t->d->map_columns = t->columns < GK_MAP_SIDE ? (int)t->columns : GK_MAP_SIDE;
}

static void tally_init(struct tally *t, const struct gk_comparison *c, struct gk_difference *d, int64_t count)
{
	t->d = d;
	t->has_ulps = gk_dtype_is_float(c->dtype);
	if (t->has_ulps)
		t->unit = gk_ulp_unit(c->dtype);
	lay_out_map(c, t, count);
}

static void look_at_range(const struct check *k, int64_t first, int64_t end, struct tally *t)
{
	struct block *b = gk_alloc(sizeof *b);

	for (int64_t start = first; start < end; start += BLOCK) {
		b->count = end - start < BLOCK ? (int)(end - start) : BLOCK;
		look_at_block(k, b, start, t);
	}
	free(b);
}

/* ---- parts of a large output, in threads ---- */

struct parts {
	const struct check *k;
	int64_t count;
	struct part {
		double worst_ratio;
		struct gk_ulps ulps;
	} *parts;
	atomic_bool is_wrong; /* somewhere: what the others would find is of no use */
};

static void look_at_part(void *ctx, size_t number)
{
	struct parts *p = ctx;
	int64_t first = (int64_t)number * PART, end = p->count - first < PART ? p->count : first + PART;
	struct gk_difference *d;
	struct tally *t;

	if (atomic_load_explicit(&p->is_wrong, memory_order_relaxed))
		return;
	d = gk_alloc(sizeof *d);
	t = gk_alloc(sizeof *t);
	tally_init(t, p->k->c, d, p->count);
	look_at_range(p->k, first, end, t);
	if (d->wrong)
		atomic_store(&p->is_wrong, true);
	p->parts[number] = (struct part){d->worst_ratio, d->ulps};
	free(t);
	free(d);
}

/* False where something is wrong: who describes it looks at all elements in order. */
static bool all_parts_are_right(const struct check *k, int64_t count, struct gk_difference *d)
{
	size_t n = part_count(count);
	struct parts p = {.k = k, .count = count, .parts = gk_alloc_array(n ? n : 1, sizeof *p.parts)};

	gk_parallel(n, look_at_part, &p);
	for (size_t i = 0; i < n && !p.is_wrong; i++) {
		d->worst_ratio = fmax(d->worst_ratio, p.parts[i].worst_ratio);
		gk_ulps_add(&d->ulps, &p.parts[i].ulps);
	}
	free(p.parts);
	return !p.is_wrong;
}

bool gk_compare(const struct gk_comparison *c, struct gk_difference *d)
{
	int64_t count = count_elements(c);
	struct tally *t;
	struct check k;

	memset(d, 0, sizeof *d);
	d->count = count;
	d->scale = scale_of(c, count);
	k = check_new(c, d->scale);
	t = gk_alloc(sizeof *t);
	tally_init(t, c, d, count);
	if (count <= PART || !all_parts_are_right(&k, count, d))
		look_at_range(&k, 0, count, t);
	if (d->wrong > 0) {
		d->worst_ratio = t->worst;
		gk_pattern_recognise(c, &t->sample, d);
	}
	free(t);
	return d->wrong == 0;
}

double gk_element(enum gk_dtype dtype, const void *bytes, int64_t index)
{
	return gk_dtype_load(dtype, (const char *)bytes + (size_t)index * gk_dtype_bytes(dtype));
}

static json_t *index_json(const int64_t *index, int rank)
{
	json_t *array = json_array();

	for (int i = 0; i < rank; i++)
		json_array_append_new(array, json_integer(index[i]));
	return array;
}

json_t *gk_number_json(double value)
{
	if (isnan(value))
		return json_string("nan");
	return isinf(value) ? json_string(value > 0 ? "inf" : "-inf") : json_real(value);
}

static json_t *map_json(const struct gk_difference *d)
{
	json_t *rows = json_array();

	for (int r = 0; r < d->map_rows; r++) {
		json_t *row = json_array();

		for (int c = 0; c < d->map_columns; c++)
			json_array_append_new(row, json_integer(d->map[r][c]));
		json_array_append_new(rows, row);
	}
	return rows;
}

json_t *gk_difference_json(const struct gk_difference *d, int rank)
{
	json_t *o = json_object();

	json_object_set_new(o, "count", json_integer(d->count));
	json_object_set_new(o, "wrong", json_integer(d->wrong));
	json_object_set_new(o, "scale", gk_number_json(d->scale));
	json_object_set_new(o, "worst_ratio", gk_number_json(d->worst_ratio));
	if (d->ulps.count)
		json_object_set_new(o, "ulp", gk_ulps_json(&d->ulps));
	if (d->wrong == 0)
		return o;
	json_object_set_new(o, "first", index_json(d->first, rank));
	json_object_set_new(o, "first_got", gk_number_json(d->first_got));
	json_object_set_new(o, "first_want", gk_number_json(d->first_want));
	json_object_set_new(o, "worst", index_json(d->worst, rank));
	json_object_set_new(o, "got", gk_number_json(d->worst_got));
	json_object_set_new(o, "want", gk_number_json(d->worst_want));
	json_object_set_new(o, "max_abs", gk_number_json(d->max_abs));
	json_object_set_new(o, "max_rel", gk_number_json(d->max_rel));
	json_object_set_new(o, "pattern", json_string(gk_pattern_names[d->pattern]));
	json_object_set_new(o, "words", json_string(d->words));
	json_object_set_new(o, "map", map_json(d));
	return o;
}
