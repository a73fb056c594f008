/*
 * How far an output may lie from the expected value, by the dtype of the
 * output and the kind of operation:
 *
 *     |got - want| <= rtol * |want| + atol,   atol = spread * mean |want| + floor
 *
 * Expected values are float64; an honest kernel computes in at least f32 and
 * rounds once to the output's dtype, so in units of eps (2^(1 - precision) of
 * that dtype) it errs by 0.5 from the last rounding, plus what f32 arithmetic
 * loses. A kernel in the next lower precision errs by more. The table lies
 * between the two, in units of eps:
 *
 * clang-format off
 *  dtype      operation     rtol                 spread    honest        lower precision
 *  f64        all           64 .. 8 sqrt K       the same  few           2^28 (f32)
 *  f32        elementwise   128                  64        <= 45, exp    4096 (f16, tf32: half an ulp)
 *             reduction     512 .. 8 sqrt K      the same  see below     4096
 *             dot           128 .. 8 sqrt K      the same  0.36 sqrt K   4096 rounded, 2300 rms tf32 dot
 *  f16, bf16  elementwise   2                    0.5       0.5           4 (bf16), 8 (fp8)
 *             reduction     2                    0.5       0.5           4, 8
 *             dot           2                    1.5       0.5 .. 1.7    2.3 rms inputs, and 4 rounded
 *  fp8        all           0.625                0.0625    0.5           1 (one bit less)
 *  ints, bool, operation exact: equality. f32 sums stop at 1024, f64 at 65536.
 * clang-format on
 *
 * reduction: what is reduced is often subtracted again (normalisation), so that
 * the rounding of a large mean meets a small difference. Measured on 400 sets of
 * normalised rows whose means lie 32 standard deviations (rms) away, summed in
 * trees: 128 refuses some, 189 would do; 512 leaves room for sums in sequence.
 *
 * sqrt K: rounding errors of a sum of K terms in sequence grow as sqrt(K) *
 * 0.36 eps against the size of the result, whether terms have one sign or
 * two; trees do better. Errors near zero come from cancellation against
 * typical values, hence the spread, relative to the mean of |want| over the
 * output. tf32 inputs of a dot err by 2^-11 / sqrt 3 * 0.7 * sqrt 2 of the
 * result's size, whatever K is: hence the cap on 8 sqrt K. Terms of one sign
 * average such errors away, so a task needs a distribution with two signs.
 *
 * few: the mean of a handful of elements may be small by cancellation itself (a
 * single a * b + bias of 5e-5, of terms of 0.2: 2 of 2000 sets refused), while
 * it becomes unlikely with each element more. Reductions and dots in f32 and f64
 * are given (1 + 64 / n^2) times the spread for n elements, which a single one
 * of 3 in 100 000 such sets would exceed (by calculation: errors of a quarter of
 * an eps, terms of the normal distribution).
 *
 * floor is the smallest subnormal: below it the format holds nothing.
 */
#ifndef GK_JUDGE_TOLERANCE_H
#define GK_JUDGE_TOLERANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "num/dtype.h"
#include "task/task.h"

struct gk_tolerance {
	bool exact; /* equality; the other fields are 0 */
	double rtol;
	double spread; /* of the mean of |want| over the output's finite elements */
	double few;    /* n elements have (1 + few / n^2) times the spread */
	double atol;   /* absolute part: floor, or what the task says */
};

/* length: terms of a sum or depth of a dot, 0 when unknown (then 1024 is assumed). */
struct gk_tolerance gk_tolerance_row(enum gk_dtype dtype, enum gk_operation operation, int64_t length);

/* The task's own figures where it overrides, else the row for its operation and the case's K. Integers stay
 * exact. */
struct gk_tolerance gk_tolerance_of(const struct gk_task *task, const struct gk_case *c, enum gk_dtype dtype);

/* The smallest positive number of a float format. */
double gk_smallest_subnormal(enum gk_dtype dtype);

/* Bits of significand of the next lower precision: f64 24, f32 11, f16 8, bf16 4, fp8 one less; 0: none
 * below. */
int gk_lower_precision(enum gk_dtype dtype);
/* value with its significand rounded to nearest even to so many bits; range is left alone. */
double gk_round_significand(double value, int bits);

#endif
