#include "strided.h"

#include <math.h>
#include <string.h>

/* Walks rows: all dimensions but the last are counted, the last is left to a tight loop. */
struct walk {
	const struct gk_plan_view *view;
	int64_t index[GK_MAX_RANK];
	int64_t at;     /* byte of the row's first element */
	int64_t count;  /* elements of a row */
	int64_t stride; /* bytes from one to the next */
	int64_t size;   /* bytes of an element */
	bool is_done;
};

static struct walk walk_new(const struct gk_plan_view *view)
{
	struct walk w = {.view = view,
	                 .at = (int64_t)view->at,
	                 .size = (int64_t)gk_dtype_bytes(view->dtype),
	                 .count = 1};

	if (view->rank > 0) {
		w.count = view->shape[view->rank - 1];
		w.stride = view->strides[view->rank - 1] * w.size;
	}
	w.is_done = gk_plan_view_count(view) == 0;
	return w;
}

static void walk_next(struct walk *w)
{
	for (int d = w->view->rank - 2; d >= 0; d--) {
		w->at += w->view->strides[d] * w->size;
		if (++w->index[d] < w->view->shape[d])
			return;
		w->at -= w->view->strides[d] * w->view->shape[d] * w->size;
		w->index[d] = 0;
	}
	w->is_done = true;
}

static void define(const struct gk_memory_span *to, int64_t at, int64_t size)
{
	if (to->undef)
		memset(to->undef + at, 0, (size_t)size);
}

void gk_strided_fill(const struct gk_memory_span *to, const struct gk_plan_view *view, uint64_t bits)
{
	for (struct walk w = walk_new(view); !w.is_done; walk_next(&w)) {
		for (int64_t i = 0, at = w.at; i < w.count; i++, at += w.stride) {
			memcpy(to->bytes + at, &bits, (size_t)w.size);
			define(to, at, w.size);
		}
	}
}

void gk_strided_iota(const struct gk_memory_span *to, const struct gk_plan_view *view, int64_t start,
                     int64_t step)
{
	uint64_t value = (uint64_t)start; /* wraps as torch's does */

	for (struct walk w = walk_new(view); !w.is_done; walk_next(&w)) {
		for (int64_t i = 0, at = w.at; i < w.count; i++, at += w.stride, value += (uint64_t)step) {
			if (gk_dtype_is_float(view->dtype))
				gk_dtype_store(view->dtype, to->bytes + at, (double)(int64_t)value);
			else
				memcpy(to->bytes + at, &value, (size_t)w.size);
			define(to, at, w.size);
		}
	}
}

void gk_strided_upload(const struct gk_memory_span *to, const struct gk_plan_view *view, const uint8_t *dense)
{
	for (struct walk w = walk_new(view); !w.is_done; walk_next(&w)) {
		for (int64_t i = 0, at = w.at; i < w.count; i++, at += w.stride, dense += w.size) {
			memcpy(to->bytes + at, dense, (size_t)w.size);
			define(to, at, w.size);
		}
	}
}

static int64_t towards_zero(double value)
{
	if (isnan(value))
		return 0;
	if (value >= 0x1p63)
		return INT64_MAX;
	return value <= -0x1p63 ? INT64_MIN : (int64_t)value;
}

static void cast(enum gk_dtype to, uint8_t *out, enum gk_dtype from, const uint8_t *in)
{
	int64_t whole;

	if (gk_dtype_is_float(to)) {
		gk_dtype_store(to, out, gk_dtype_load(from, in));
		return;
	}
	if (to == GK_BOOL) {
		*out = gk_dtype_is_float(from) ? gk_dtype_load(from, in) != 0
		                               : gk_dtype_load_int(from, in) != 0;
		return;
	}
	whole = gk_dtype_is_float(from) ? towards_zero(gk_dtype_load(from, in)) : gk_dtype_load_int(from, in);
	memcpy(out, &whole, gk_dtype_bytes(to)); /* little endian: the low bytes are the wrapped value */
}

static bool is_undefined(const struct gk_memory_span *span, int64_t at, int64_t size)
{
	if (!span->undef)
		return false;
	for (int64_t i = 0; i < size; i++)
		if (span->undef[at + i])
			return true;
	return false;
}

/* A span without a map that receives undefined elements cannot say so: callers give both maps where either
 * has one. */
static void copy_undef(const struct gk_memory_span *to, int64_t at, int64_t size, bool undefined)
{
	if (to->undef)
		memset(to->undef + at, undefined, (size_t)size);
}

static void copy_row(const struct gk_memory_span *to, const struct walk *d, const struct gk_memory_span *from,
                     const struct walk *s)
{
	bool same = d->view->dtype == s->view->dtype;

	if (same && d->stride == d->size && s->stride == s->size) {
		memmove(to->bytes + d->at, from->bytes + s->at, (size_t)(d->count * d->size));
		if (to->undef && from->undef)
			memmove(to->undef + d->at, from->undef + s->at, (size_t)(d->count * d->size));
		else
			copy_undef(to, d->at, d->count * d->size, false);
		return;
	}
	for (int64_t i = 0; i < d->count; i++) {
		int64_t into = d->at + i * d->stride, out = s->at + i * s->stride;

		if (same)
			memmove(to->bytes + into, from->bytes + out, (size_t)d->size);
		else
			cast(d->view->dtype, to->bytes + into, s->view->dtype, from->bytes + out);
		copy_undef(to, into, d->size, is_undefined(from, out, s->size));
	}
}

void gk_strided_copy(const struct gk_memory_span *to, const struct gk_plan_view *dst,
                     const struct gk_memory_span *from, const struct gk_plan_view *src)
{
	struct walk d = walk_new(dst), s = walk_new(src);

	for (; !d.is_done; walk_next(&d), walk_next(&s))
		copy_row(to, &d, from, &s);
}

/* ---- assists ---- */

/* A number on its way: whole for integers, as bits of 64. */
struct number {
	double real; /* F32: a float's value after every operation */
	int64_t whole;
};

/* Sums go by blocks, so that a long one errs no more than a tree of additions would by much. */
#define SUM_BLOCK 256

static struct number load_number(const struct gk_plan_step *step, const uint8_t *in)
{
	uint8_t element[8];

	cast(step->dst.dtype, element, step->src.dtype, in);
	if (gk_dtype_is_float(step->dst.dtype))
		return (struct number){.real = gk_dtype_load(step->dst.dtype, element)};
	return (struct number){.whole = gk_dtype_load_int(step->dst.dtype, element)};
}

static double rounded(const struct gk_plan_step *step, double value)
{
	return gk_assist_dtype(step) == GK_F64 ? value : (double)(float)value;
}

static struct number add(const struct gk_plan_step *step, struct number a, struct number b)
{
	return (struct number){rounded(step, a.real + b.real), (int64_t)((uint64_t)a.whole + (uint64_t)b.whole)};
}

/* NaN wins, as in torch. */
static struct number greatest(const struct gk_plan_step *step, struct number a, struct number b, bool least)
{
	bool is_less = gk_dtype_is_signed(step->dst.dtype) ? a.whole < b.whole
	                                                   : (uint64_t)a.whole < (uint64_t)b.whole;

	if (gk_dtype_is_float(step->dst.dtype)) {
		if (isnan(a.real) || isnan(b.real))
			return isnan(a.real) ? a : b;
		is_less = a.real < b.real;
	}
	return is_less == least ? a : b;
}

static struct number change(const struct gk_plan_step *step, struct number a)
{
	if (step->assist == GK_ASSIST_ABS)
		return (struct number){fabs(a.real), a.whole < 0 && gk_dtype_is_signed(step->dst.dtype)
		                                             ? (int64_t)-(uint64_t)a.whole
		                                             : a.whole};
	return step->assist == GK_ASSIST_RECIPROCAL ? (struct number){.real = rounded(step, 1 / a.real)} : a;
}

/* One way through the elements of a fold: sums, greatest or least numbers. */
struct pass {
	const struct gk_plan_step *step;
	const struct gk_memory_span *from;
	const struct gk_plan_view *folded;
	enum gk_assist does;
	bool is_exp;  /* of exp(element - shift) */
	double shift;
};

static struct number fold(const struct pass *p, struct number so_far, struct number next)
{
	if (p->does == GK_ASSIST_MAX || p->does == GK_ASSIST_MIN)
		return greatest(p->step, so_far, next, p->does == GK_ASSIST_MIN);
	return add(p->step, so_far, next);
}

static struct number next_number(const struct pass *p, const uint8_t *in)
{
	struct number next = load_number(p->step, in);

	if (p->is_exp)
		return (struct number){.real = rounded(p->step, exp(next.real - p->shift))};
	return change(p->step, next);
}

/* All elements that belong to one of dst, the first of which lies at that byte. */
static struct number fold_all(const struct pass *p, int64_t first, bool *undefined)
{
	struct number total = {0, 0}, block = {0, 0};
	int64_t count = 0;

	for (struct walk w = walk_new(p->folded); !w.is_done; walk_next(&w)) {
		for (int64_t i = 0, at = first + w.at; i < w.count; i++, at += w.stride, count++) {
			struct number next = next_number(p, p->from->bytes + at);

			*undefined |= is_undefined(p->from, at, w.size);
			if (count % SUM_BLOCK == 0 && count > 0) {
				total = count == SUM_BLOCK ? block : fold(p, total, block);
				block = next;
			} else {
				block = count == 0 ? next : fold(p, block, next);
			}
		}
	}
	return count > SUM_BLOCK ? fold(p, total, block) : block;
}

/* Less the greatest first, so that nothing overflows; infinities are left to exp() and log(). */
static struct number log_sum_exp(struct pass p, int64_t first, bool *undefined)
{
	p.does = GK_ASSIST_MAX;
	p.shift = fold_all(&p, first, undefined).real;
	if (isinf(p.shift) || gk_plan_view_count(p.folded) == 0)
		p.shift = 0;
	p.does = GK_ASSIST_SUM;
	p.is_exp = true;
	return (struct number){.real = rounded(p.step, log(fold_all(&p, first, undefined).real) + p.shift)};
}

static void store_number(const struct gk_plan_step *step, uint8_t *out, struct number value)
{
	if (gk_dtype_is_float(step->dst.dtype))
		gk_dtype_store(step->dst.dtype, out, value.real);
	else
		memcpy(out, &value.whole, gk_dtype_bytes(step->dst.dtype));
}

void gk_strided_assist(const struct gk_memory_span *to, const struct gk_memory_span *from,
                       const struct gk_plan_step *step)
{
	struct gk_plan_view kept, folded;
	struct pass p = {.step = step, .from = from, .folded = &folded, .does = step->assist};
	struct walk d = walk_new(&step->dst), s;

	gk_assist_split(step, &kept, &folded);
	s = walk_new(&kept);
	for (; !d.is_done; walk_next(&d), walk_next(&s)) {
		for (int64_t i = 0; i < d.count; i++) {
			bool undefined = false;
			int64_t first = s.at + i * s.stride;
			struct number value = step->assist == GK_ASSIST_LOGSUMEXP ? log_sum_exp(p, first, &undefined)
			                                                          : fold_all(&p, first, &undefined);

			store_number(step, to->bytes + d.at + i * d.stride, value);
			copy_undef(to, d.at + i * d.stride, d.size, undefined);
		}
	}
}

uint64_t gk_strided_pack(const struct gk_memory_span *from, const struct gk_plan_view *view, uint8_t *dense,
                         int64_t *first)
{
	uint64_t undefined = 0;
	int64_t element = 0;

	*first = -1;
	for (struct walk w = walk_new(view); !w.is_done; walk_next(&w)) {
		if (w.stride == w.size)
			memcpy(dense, from->bytes + w.at, (size_t)(w.count * w.size));
		if (w.stride == w.size && !from->undef) { /* that was all: large outputs are most of a copy's time */
			element += w.count;
			dense += w.count * w.size;
			continue;
		}
		for (int64_t i = 0, at = w.at; i < w.count; i++, at += w.stride, element++) {
			if (w.stride != w.size)
				memcpy(dense + i * w.size, from->bytes + at, (size_t)w.size);
			if (!is_undefined(from, at, w.size))
				continue;
			if (undefined++ == 0)
				*first = element;
		}
		dense += w.count * w.size;
	}
	return undefined;
}
