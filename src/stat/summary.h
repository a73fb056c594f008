/* Figures of plain numbers. No numbers: 0. Numbers are finite. */
#ifndef GK_STAT_SUMMARY_H
#define GK_STAT_SUMMARY_H

#include <stddef.h>

/* Middle number, or the mean of both. The second form reorders its numbers instead of copying them. */
double gk_median(const double *numbers, size_t count);
double gk_median_of(double *numbers, size_t count);
/* The number that a share of them (0 .. 1) lies below, between two neighbours by proportion; _of reorders. */
double gk_quantile(const double *numbers, size_t count, double share);
double gk_quantile_of(double *numbers, size_t count, double share);
/* Median distance from the median; times 1.4826 it is the deviation of normal noise. */
double gk_mad(const double *numbers, size_t count);
double gk_mean(const double *numbers, size_t count);
/* All greater than 0. */
double gk_geomean(const double *numbers, size_t count);

/* The number that a share (0 .. 1, exclusive) of the standard normal distribution lies below. */
double gk_normal_quantile(double share);
/* The same of Student's distribution with df degrees of freedom, at least 1; right to 1e-6 for shares within
 * 0.0005 .. 0.9995. */
double gk_student_quantile(double share, double df);

#endif
