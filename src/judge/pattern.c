#include "pattern.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

const char *const gk_pattern_names[] = {"none",    "all_nan",   "nan",      "zeros",      "constant",
                                        "factor",  "offset",    "negated",  "transposed", "flipped",
                                        "shifted", "precision", "overflow", "nan_lost",
                                        "inf_lost", "zero_sign", "broadcast", NULL};

void gk_index_split(const struct gk_comparison *c, int64_t flat, int64_t index[GK_MAX_RANK])
{
	for (int i = c->rank - 1; i >= 0; i--) {
		index[i] = flat % c->shape[i];
		flat /= c->shape[i];
	}
}

static int64_t index_join(const struct gk_comparison *c, const int64_t *index)
{
	int64_t flat = 0;

	for (int i = 0; i < c->rank; i++)
		flat = flat * c->shape[i] + index[i];
	return flat;
}

void gk_wrong_sample_add(struct gk_wrong_sample *s, int64_t index, double got, double want)
{
	if (s->stride == 0)
		s->stride = 1;
	if (s->seen++ % s->stride != 0)
		return;
	if (s->count == GK_SAMPLE_COUNT) { /* full: keep every other one */
		s->stride *= 2;
		s->count = GK_SAMPLE_COUNT / 2;
		for (int i = 0; i < s->count; i++)
			s->items[i] = s->items[(size_t)i * 2];
		if ((s->seen - 1) % s->stride != 0)
			return;
	}
	s->items[s->count].index = index;
	s->items[s->count].got = got;
	s->items[s->count++].want = want;
}

/* ---- values ---- */

static bool wants_differ(const struct gk_wrong_sample *s)
{
	for (int i = 1; i < s->count; i++)
		if (s->items[i].want != s->items[0].want)
			return true;
	return false;
}

static bool all_got_equal(const struct gk_wrong_sample *s)
{
	for (int i = 1; i < s->count; i++)
		if (s->items[i].got != s->items[0].got)
			return false;
	return s->count > 1;
}

static bool all_got_infinite(const struct gk_wrong_sample *s)
{
	for (int i = 0; i < s->count; i++)
		if (!isinf(s->items[i].got) || isinf(s->items[i].want))
			return false;
	return true;
}

/* got = factor * want for nearly all, where want is large enough to tell. */
static bool has_factor(const struct gk_wrong_sample *s, double scale, double eps, double *factor)
{
	double num = 0, den = 0;
	int fits = 0;

	for (int i = 0; i < s->count; i++) {
		if (!isfinite(s->items[i].got) || !isfinite(s->items[i].want))
			return false;
		num += s->items[i].got * s->items[i].want;
		den += s->items[i].want * s->items[i].want;
	}
	if (s->count < 4 || den <= 0 || !wants_differ(s))
		return false;
	*factor = num / den;
	for (int i = 0; i < s->count; i++) {
		double rest = fabs(s->items[i].got - *factor * s->items[i].want);

		fits += rest <= 4 * eps * (fabs(*factor * s->items[i].want) + scale * fabs(*factor)) &&
		        rest <= 0.25 * fabs(s->items[i].got - s->items[i].want);
	}
	return fits * 20 >= s->count * 19 && fabs(*factor - 1) > 2 * eps && *factor != 0;
}

static bool has_offset(const struct gk_wrong_sample *s, double scale, double eps, double *offset)
{
	int fits = 0;

	*offset = 0;
	for (int i = 0; i < s->count; i++) {
		if (!isfinite(s->items[i].got) || !isfinite(s->items[i].want))
			return false;
		*offset += (s->items[i].got - s->items[i].want) / s->count;
	}
	for (int i = 0; i < s->count; i++) {
		double rest = fabs(s->items[i].got - s->items[i].want - *offset);

		fits += rest <= 4 * eps * (fabs(s->items[i].want) + scale) && rest <= 0.25 * fabs(*offset);
	}
	return s->count >= 4 && wants_differ(s) && fits * 20 >= s->count * 19;
}

/* Every error is what rounding to the next lower precision, in inputs or on the way, may leave. */
static bool is_lower_precision(const struct gk_comparison *c, const struct gk_wrong_sample *s, double scale)
{
	int bits = gk_lower_precision(c->dtype);
	double eps = ldexp(1, 1 - (bits ? bits : 2));

	if (!gk_dtype_is_float(c->dtype) || bits == 0)
		return false;
	for (int i = 0; i < s->count; i++)
		if (!(fabs(s->items[i].got - s->items[i].want) <= 6 * eps * (fabs(s->items[i].want) + scale)))
			return false;
	return true;
}

/* ---- places: got holds what was wanted elsewhere ---- */

enum move { MOVE_TRANSPOSE, MOVE_RESHAPE, MOVE_FLIP, MOVE_FIRST, MOVE_SHIFT };

/* Where the value of flat index would come from, or -1. */
static int64_t moved(const struct gk_comparison *c, enum move move, int dim, int64_t by, int64_t flat)
{
	int64_t index[GK_MAX_RANK] = {0}, keep, rows, columns, plane;

	gk_index_split(c, flat, index);
	switch (move) {
	case MOVE_TRANSPOSE:
		if (c->shape[c->rank - 1] != c->shape[c->rank - 2])
			return -1;
		keep = index[c->rank - 1];
		index[c->rank - 1] = index[c->rank - 2];
		index[c->rank - 2] = keep;
		break;
	case MOVE_RESHAPE: /* the transpose's bytes under the right shape */
		rows = c->shape[c->rank - 2];
		columns = c->shape[c->rank - 1];
		plane = flat / (rows * columns) * (rows * columns);
		flat -= plane;
		return plane + flat % rows * columns + flat / rows;
	case MOVE_FLIP:
		index[dim] = c->shape[dim] - 1 - index[dim];
		break;
	case MOVE_FIRST:
		index[dim] = 0;
		break;
	case MOVE_SHIFT:
		index[dim] += by;
		if (index[dim] < 0 || index[dim] >= c->shape[dim])
			return -1;
		break;
	}
	return index_join(c, index);
}

static bool is_moved(const struct gk_comparison *c, const struct gk_wrong_sample *s, double scale,
                     enum move move, int dim, int64_t by)
{
	double eps = gk_dtype_is_float(c->dtype) ? gk_dtype_epsilon(c->dtype) : 0;
	int fits = 0, asked = 0;

	for (int i = 0; i < s->count; i++) {
		int64_t from = moved(c, move, dim, by, s->items[i].index);
		double want;

		if (from < 0)
			continue;
		want = gk_element(c->want_dtype, c->want, from);
		asked++;
		fits += fabs(s->items[i].got - want) <= 4 * eps * (fabs(want) + scale);
	}
	return asked >= 4 && asked * 2 >= s->count && fits * 20 >= asked * 19;
}

static bool find_flip(const struct gk_comparison *c, const struct gk_wrong_sample *s, double scale,
                      struct gk_buf *w)
{
	for (int dim = c->rank - 1; dim >= 0; dim--) {
		if (c->shape[dim] < 2 || !is_moved(c, s, scale, MOVE_FLIP, dim, 0))
			continue;
		gk_buf_printf(w, "the output is right but reversed along dimension %d", dim);
		return true;
	}
	return false;
}

/* The offset along a dimension was forgotten. */
static bool find_broadcast(const struct gk_comparison *c, const struct gk_wrong_sample *s, double scale,
                           struct gk_buf *w)
{
	for (int dim = 0; dim < c->rank; dim++) {
		if (c->shape[dim] < 2 || !is_moved(c, s, scale, MOVE_FIRST, dim, 0))
			continue;
		gk_buf_printf(w, "each index of dimension %d holds what belongs to index 0 of it", dim);
		return true;
	}
	return false;
}

/* By a few elements, or by what may be a block. */
static bool find_shift(const struct gk_comparison *c, const struct gk_wrong_sample *s, double scale,
                       struct gk_buf *w)
{
	static const int steps[] = {1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096};

	for (int dim = c->rank - 1; dim >= 0; dim--) {
		for (size_t i = 0; i < 2 * gk_count_of(steps); i++) {
			int by = i % 2 ? steps[i / 2] : -steps[i / 2];

			if (steps[i / 2] >= c->shape[dim] || !is_moved(c, s, scale, MOVE_SHIFT, dim, by))
				continue;
			gk_buf_printf(w,
			              "the output is right but shifted: element i of dimension %d holds what "
			              "belongs to element i %c %d",
			              dim, by < 0 ? '-' : '+', by < 0 ? -by : by);
			return true;
		}
	}
	return false;
}

static bool find_transpose(const struct gk_comparison *c, const struct gk_wrong_sample *s, double scale,
                           struct gk_buf *w)
{
	if (c->rank < 2 || c->shape[c->rank - 1] < 2 || c->shape[c->rank - 2] < 2)
		return false;
	if (!is_moved(c, s, scale, MOVE_TRANSPOSE, 0, 0) && !is_moved(c, s, scale, MOVE_RESHAPE, 0, 0))
		return false;
	gk_buf_add_text(w, "the last two dimensions are transposed");
	return true;
}

static enum gk_pattern find_move(const struct gk_comparison *c, const struct gk_wrong_sample *s, double scale,
                                 struct gk_buf *w)
{
	if (!wants_differ(s) || c->rank == 0)
		return GK_PATTERN_NONE;
	if (find_transpose(c, s, scale, w))
		return GK_PATTERN_TRANSPOSED;
	if (find_flip(c, s, scale, w))
		return GK_PATTERN_FLIPPED;
	if (find_broadcast(c, s, scale, w))
		return GK_PATTERN_BROADCAST;
	return find_shift(c, s, scale, w) ? GK_PATTERN_SHIFTED : GK_PATTERN_NONE;
}

/* ---- words ---- */

static enum gk_pattern find_same(const struct gk_difference *d, const struct gk_wrong_sample *s,
                                 struct gk_buf *w)
{
	char number[32];

	if (d->nan_want == d->wrong) {
		gk_buf_add_text(w, "NaN is expected where the wrong elements are: a NaN among the inputs got lost");
		return GK_PATTERN_NAN_LOST;
	}
	if (d->sign_only == d->wrong) {
		gk_buf_add_text(w, "the wrong elements are zeros with the wrong sign");
		return GK_PATTERN_ZERO_SIGN;
	}
	if (d->inf_want == d->wrong && d->nan_got == 0) {
		gk_buf_add_text(w, "an infinity is expected where the wrong elements are");
		return GK_PATTERN_INF_LOST;
	}
	if (d->nan_got == d->wrong) {
		gk_buf_add_text(w, d->wrong == d->count ? "every element is NaN"
		                                        : "the wrong elements are all NaN");
		return d->wrong == d->count ? GK_PATTERN_ALL_NAN : GK_PATTERN_NAN;
	}
	if (d->zero_got == d->wrong && d->wrong > 1) {
		gk_buf_add_text(w, "the wrong elements are all 0");
		return GK_PATTERN_ZEROS;
	}
	if (all_got_infinite(s)) {
		gk_buf_add_text(
			w, "the wrong elements are infinite where finite values are expected (overflow)");
		return GK_PATTERN_OVERFLOW;
	}
	if (all_got_equal(s) && wants_differ(s)) {
		gk_text_number(s->items[0].got, number);
		gk_buf_printf(w, "the wrong elements are all %s", number);
		return GK_PATTERN_CONSTANT;
	}
	return GK_PATTERN_NONE;
}

static const char *lower_names(enum gk_dtype dtype)
{
	switch (dtype) {
	case GK_F64:
		return "float32";
	case GK_F32:
		return "tf32, float16 or bfloat16: compute in float32, and give tl.dot of float32 "
		       "input_precision=\"ieee\"";
	case GK_F16:
		return "bfloat16 or float16 on the way: accumulate in float32 and round once, at the store";
	case GK_BF16:
		return "bfloat16 on the way: accumulate in float32 and round once, at the store";
	default:
		return "a lower precision on the way";
	}
}

static enum gk_pattern find_linear(const struct gk_comparison *c, const struct gk_difference *d,
                                   const struct gk_wrong_sample *s, struct gk_buf *w)
{
	double eps = gk_dtype_is_float(c->dtype) ? gk_dtype_epsilon(c->dtype) : 0x1p-40, factor, offset;
	char number[32];

	if (has_factor(s, d->scale, eps, &factor)) {
		if (fabs(factor + 1) <= 4 * eps) {
			gk_buf_add_text(w, "the wrong elements have the wrong sign");
			return GK_PATTERN_NEGATED;
		}
		gk_text_number((double)(float)factor, number);
		gk_buf_printf(w, "the wrong elements are the expected ones times %s", number);
		return GK_PATTERN_FACTOR;
	}
	if (has_offset(s, d->scale, eps, &offset)) {
		gk_text_number((double)(float)offset, number);
		gk_buf_printf(w, "the wrong elements are the expected ones plus %s", number);
		return GK_PATTERN_OFFSET;
	}
	return GK_PATTERN_NONE;
}

static enum gk_pattern find_pattern(const struct gk_comparison *c, const struct gk_difference *d,
                                    const struct gk_wrong_sample *s, struct gk_buf *w)
{
	enum gk_pattern p = find_same(d, s, w);

	if (p == GK_PATTERN_NONE)
		p = find_linear(c, d, s, w);
	if (p == GK_PATTERN_NONE)
		p = find_move(c, s, d->scale, w);
	if (p == GK_PATTERN_NONE && is_lower_precision(c, s, d->scale)) {
		gk_buf_printf(w, "the errors are small, as of %s", lower_names(c->dtype));
		p = GK_PATTERN_PRECISION;
	}
	return p;
}

/* One dimension's part of the box around the wrong elements; false when it is the whole dimension. */
static bool add_range(struct gk_buf *w, const struct gk_comparison *c, const struct gk_difference *d, int dim)
{
	int64_t low = d->low[dim], high = d->high[dim], size = c->shape[dim];
	const char *join = w->size > 0 && w->bytes[w->size - 1] != ' ' ? " and " : "";

	if (low == 0 && high == size - 1)
		return false;
	if (low == high)
		gk_buf_printf(w, "%sat index %lld of dimension %d (size %lld)", join, (long long)low, dim,
		              (long long)size);
	else if (high == size - 1)
		gk_buf_printf(w, "%sfrom index %lld to the end of dimension %d (size %lld)", join,
		              (long long)low, dim, (long long)size);
	else if (low == 0)
		gk_buf_printf(w, "%sup to index %lld of dimension %d (size %lld)", join, (long long)high, dim,
		              (long long)size);
	else
		gk_buf_printf(w, "%sfrom index %lld to %lld of dimension %d (size %lld)", join,
		              (long long)low, (long long)high, dim, (long long)size);
	return true;
}

/* ---- every k-th element or block ---- */

enum { MOST_BLOCK = 4096, MOST_PERIOD = 64 };

struct rhythm {
	int dim;
	int64_t block, period; /* of so many blocks one is wrong */
};

/* Elements of the box around the wrong ones, dim left out (-1: none). */
static double box_count(const struct gk_comparison *c, const struct gk_difference *d, int dim)
{
	double count = 1;

	for (int i = 0; i < c->rank; i++)
		count *= i == dim ? 1 : (double)(d->high[i] - d->low[i] + 1);
	return count;
}

/* Indexes between low and high in the first block and each period-th after it; high lies in one of these. */
static double rhythm_count(const struct gk_difference *d, const struct rhythm *r)
{
	int64_t low = d->low[r->dim], high = d->high[r->dim], last = high / r->block - low / r->block;

	if (last < r->period || last % r->period != 0)
		return -1;
	return (double)((last / r->period + 1) * r->block - low % r->block - (r->block - 1 - high % r->block));
}

static bool rhythm_fits(const struct gk_comparison *c, const struct gk_difference *d, const struct gk_wrong_sample *s,
                        const struct rhythm *r)
{
	int64_t index[GK_MAX_RANK] = {0}, first = d->low[r->dim] / r->block;

	/* in the sample alone a rhythm may be that of sampling: the number of wrong elements must be just right */
	if (rhythm_count(d, r) * box_count(c, d, r->dim) != (double)d->wrong)
		return false;
	for (int i = 0; i < s->count; i++) {
		gk_index_split(c, s->items[i].index, index);
		if ((index[r->dim] / r->block - first) % r->period != 0)
			return false;
	}
	return true;
}

static bool find_rhythm(const struct gk_comparison *c, const struct gk_difference *d, const struct gk_wrong_sample *s,
                        struct rhythm *r)
{
	for (r->dim = c->rank - 1; r->dim >= 0; r->dim--)
		for (r->block = 1; r->block <= MOST_BLOCK; r->block *= 2)
			for (r->period = 2; r->period <= MOST_PERIOD; r->period++)
				if (rhythm_fits(c, d, s, r))
					return true;
	return false;
}

/* How much of the named part is wrong. */
static void add_density(struct gk_buf *w, const struct gk_comparison *c, const struct gk_difference *d,
                        const struct gk_wrong_sample *s)
{
	double share = (double)d->wrong / box_count(c, d, -1);
	struct rhythm r;

	if (share == 1)
		gk_buf_add_text(w, ", which is wrong as a whole");
	else if (!find_rhythm(c, d, s, &r))
		gk_buf_printf(w, share < 0.01 ? ", less than 1 %% of it" : ", %.0f %% of it", floor(100 * share));
	else if (r.block == 1)
		gk_buf_printf(w, ", one in %lld along dimension %d, from index %lld on", (long long)r.period, r.dim,
		              (long long)d->low[r.dim]);
	else
		gk_buf_printf(w, ", one in %lld blocks of %lld along dimension %d, from index %lld on", (long long)r.period,
		              (long long)r.block, r.dim, (long long)d->low[r.dim]);
}

static void add_place(struct gk_buf *w, const struct gk_comparison *c, const struct gk_difference *d,
                      const struct gk_wrong_sample *s)
{
	gk_buf_auto place = GK_BUF_INIT;
	bool is_part = false;

	if (d->wrong == d->count) {
		gk_buf_printf(w, "%severy element is wrong", w->size ? "; " : "");
		return;
	}
	for (int dim = 0; dim < c->rank; dim++)
		is_part |= add_range(&place, c, d, dim);
	if (is_part && d->wrong > 1)
		gk_buf_printf(w, "%sall wrong elements lie %s", w->size ? "; " : "", gk_buf_text(&place));
	else if (d->wrong > 1)
		gk_buf_printf(w, "%sthe wrong elements are spread over the whole output",
		              w->size ? "; " : "");
	if (d->wrong > 1)
		add_density(w, c, d, s);
}

void gk_pattern_recognise(const struct gk_comparison *c, const struct gk_wrong_sample *s,
                          struct gk_difference *d)
{
	gk_buf_auto words = GK_BUF_INIT;

	d->pattern = find_pattern(c, d, s, &words);
	add_place(&words, c, d, s);
	snprintf(d->words, sizeof d->words, "%s", gk_buf_text(&words));
}
