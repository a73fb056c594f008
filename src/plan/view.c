#include <stdlib.h>

#include "parts.h"

int64_t gk_plan_view_count(const struct gk_plan_view *view)
{
	int64_t count = 1;

	for (int i = 0; i < view->rank; i++)
		count *= view->shape[i];
	return count;
}

uint64_t gk_plan_view_bytes(const struct gk_plan_view *view)
{
	return (uint64_t)gk_plan_view_count(view) * gk_dtype_bytes(view->dtype);
}

bool gk_plan_view_is_dense(const struct gk_plan_view *view)
{
	int64_t stride = 1;

	for (int d = view->rank - 1; d >= 0; d--) {
		if (view->shape[d] != 1 && view->strides[d] != stride)
			return false;
		stride *= view->shape[d];
	}
	return true;
}

static bool is_empty(const struct gk_plan_view *view)
{
	for (int i = 0; i < view->rank; i++)
		if (view->shape[i] == 0)
			return true;
	return false;
}

bool gk_plan_view_extent(const struct gk_plan_view *view, struct gk_plan_extent *extent)
{
	int64_t low = 0, high = 0, size = (int64_t)gk_dtype_bytes(view->dtype), start;

	if (__builtin_add_overflow(view->at, 0, &start))
		return false;
	*extent = (struct gk_plan_extent){view->at, view->at};
	if (is_empty(view))
		return true;
	for (int i = 0; i < view->rank; i++) {
		int64_t reach;

		if (__builtin_mul_overflow(view->shape[i] - 1, view->strides[i], &reach) ||
		    __builtin_mul_overflow(reach, size, &reach) ||
		    __builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high))
			return false;
	}
	if (__builtin_add_overflow(start, low, &low) || low < 0 ||
	    __builtin_add_overflow(start, high, &high) || __builtin_add_overflow(high, size, &high))
		return false;
	*extent = (struct gk_plan_extent){(uint64_t)low, (uint64_t)high};
	return true;
}

bool gk_plan_view_fits(const struct gk_plan_view *view, uint64_t bytes)
{
	struct gk_plan_extent extent;

	return gk_plan_view_extent(view, &extent) && extent.end <= bytes;
}

struct axis {
	int64_t stride, reach; /* reach: of the elements along this and all narrower axes */
};

static int by_stride(const void *a, const void *b)
{
	const struct axis *x = a, *y = b;

	return x->stride < y->stride ? -1 : x->stride > y->stride;
}

/*
 * Sorted by stride, each axis must step over all that the narrower ones reach.
 * That is what every view of a dense tensor does; the rare interleavings that
 * do not nest and yet never meet are taken for overlapping.
 */
bool gk_plan_view_overlaps_itself(const struct gk_plan_view *view)
{
	struct axis axes[GK_MAX_RANK];
	int64_t reach = 0;
	int count = 0;

	if (is_empty(view))
		return false;
	for (int i = 0; i < view->rank; i++)
		if (view->shape[i] > 1)
			axes[count++] = (struct axis){llabs(view->strides[i]),
			                              llabs(view->strides[i]) * (view->shape[i] - 1)};
	qsort(axes, (size_t)count, sizeof axes[0], by_stride);
	for (int i = 0; i < count; i++) {
		if (axes[i].stride <= reach)
			return true;
		reach += axes[i].reach;
	}
	return false;
}

bool gk_plan_extents_meet(const struct gk_plan_view *a, const struct gk_plan_view *b)
{
	struct gk_plan_extent x, y;

	if (a->buf != b->buf || !gk_plan_view_extent(a, &x) || !gk_plan_view_extent(b, &y))
		return false;
	return x.first < y.end && y.first < x.end;
}

bool gk_plan_view_is_same(const struct gk_plan_view *a, const struct gk_plan_view *b)
{
	if (a->buf != b->buf || a->at != b->at || a->dtype != b->dtype || a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->shape[i] != b->shape[i] || (a->shape[i] > 1 && a->strides[i] != b->strides[i]))
			return false;
	return true;
}
