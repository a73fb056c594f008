#include "ulp.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tolerance.h"

#define FARTHEST 1e30f

/* Upper ends of all buckets but the last. */
static const float ends[GK_ULP_BUCKETS - 1] = {0.5f,  1.5f,  2.5f,  4.5f,   8.5f,
                                               16.5f, 32.5f, 64.5f, 128.5f, 256.5f};

struct gk_ulp_unit gk_ulp_unit(enum gk_dtype dtype)
{
	int digits = gk_dtype_precision(dtype) - 1;
	double normal = ldexp(gk_smallest_subnormal(dtype), digits);

	/* 1/ulp must be a normal double: float64 below 2^-970 counts as that */
	return (struct gk_ulp_unit){.least = fmax(normal, 0x1p-970),
	                            .inverse = (uint64_t)(2046 + digits) << 52};
}

/* Without branches, so that loops over it become vector code. */
static inline float distance(struct gk_ulp_unit unit, double got, double want)
{
	double magnitude = fabs(want) > unit.least ? fabs(want) : unit.least, inverse;
	uint64_t bits;

	memcpy(&bits, &magnitude, sizeof bits);
	bits = unit.inverse - (bits & 0x7ff0000000000000);
	memcpy(&inverse, &bits, sizeof inverse);
	return (float)(fabs(got - want) * inverse);
}

double gk_ulp_distance(struct gk_ulp_unit unit, double got, double want)
{
	return (double)distance(unit, got, want);
}

/* Numbers that are not negative are in the order of their bits. */
float gk_largest_of_block(const float *numbers)
{
	int32_t most = 0;
	float value;

	for (int i = 0; i < GK_ULP_BLOCK; i++) {
		int32_t bits;

		memcpy(&bits, &numbers[i], sizeof bits);
		most = bits > most ? bits : most;
	}
	memcpy(&value, &most, sizeof value);
	return value;
}

static int count_over(const float *numbers, float end)
{
	int count = 0;

	for (int i = 0; i < GK_ULP_BLOCK; i++)
		count += numbers[i] > end;
	return count;
}

static void note_max(struct gk_ulps *ulps, float most)
{
	float capped = most < FARTHEST ? most : FARTHEST;

	if ((double)capped > ulps->max)
		ulps->max = (double)capped;
}

/* One pass to measure, then one for each bucket that is needed, all within the first cache. */
void gk_ulps_add_block(struct gk_ulps *ulps, struct gk_ulp_unit unit, const double *got, const double *want,
                       int count)
{
	float distances[GK_ULP_BLOCK], most;
	int left = GK_ULP_BLOCK, bucket = 0;

	for (int i = 0; i < GK_ULP_BLOCK; i++)
		distances[i] = distance(unit, got[i], want[i]);
	most = gk_largest_of_block(distances);
	note_max(ulps, most);
	for (; bucket < GK_ULP_BUCKETS - 1 && most > ends[bucket]; bucket++) {
		int over = count_over(distances, ends[bucket]);

		ulps->buckets[bucket] += left - over;
		left = over;
	}
	ulps->buckets[bucket] += left;
	ulps->buckets[0] -= GK_ULP_BLOCK - count;
	ulps->count += count;
}

void gk_ulps_add_element(struct gk_ulps *ulps, struct gk_ulp_unit unit, double got, double want,
                         bool is_right)
{
	int bucket = 0;
	float far;

	if (!isfinite(got) || !isfinite(want)) {
		ulps->count++;
		*(is_right ? &ulps->buckets[0] : &ulps->apart) += 1;
		return;
	}
	far = distance(unit, got, want);
	note_max(ulps, far);
	while (bucket < GK_ULP_BUCKETS - 1 && far > ends[bucket])
		bucket++;
	ulps->buckets[bucket]++;
	ulps->count++;
}

void gk_ulps_add_exact(struct gk_ulps *ulps, int64_t count)
{
	ulps->buckets[0] += count;
	ulps->count += count;
}

void gk_ulps_add(struct gk_ulps *ulps, const struct gk_ulps *more)
{
	for (int i = 0; i < GK_ULP_BUCKETS; i++)
		ulps->buckets[i] += more->buckets[i];
	ulps->count += more->count;
	ulps->apart += more->apart;
	ulps->max = fmax(ulps->max, more->max);
}

json_t *gk_ulps_json(const struct gk_ulps *ulps)
{
	json_t *buckets;

	if (ulps->count == 0)
		return NULL;
	buckets = json_array();
	for (int i = 0; i < GK_ULP_BUCKETS; i++)
		json_array_append_new(buckets, json_integer(ulps->buckets[i]));
	return json_pack("{s:I, s:I, s:f, s:I, s:o}", "count", (json_int_t)ulps->count, "exact",
	                 (json_int_t)ulps->buckets[0], "max", ulps->max, "apart", (json_int_t)ulps->apart,
	                 "buckets", buckets);
}
