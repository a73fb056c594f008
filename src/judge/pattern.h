/* Recognises what kind of mistake a set of wrong elements looks like, and says so in words. */
#ifndef GK_JUDGE_PATTERN_H
#define GK_JUDGE_PATTERN_H

#include "compare.h"

#define GK_SAMPLE_COUNT 512

/* Wrong elements, evenly spread over all of them: every stride-th. */
struct gk_wrong_sample {
	struct {
		int64_t index;
		double got, want;
	} items[GK_SAMPLE_COUNT];
	int count;
	int64_t stride, seen;
};

void gk_wrong_sample_add(struct gk_wrong_sample *sample, int64_t index, double got, double want);

/* Sets difference->pattern and words from the sample, the box and the arrays. Call when something is wrong.
 */
void gk_pattern_recognise(const struct gk_comparison *c, const struct gk_wrong_sample *sample,
                          struct gk_difference *difference);

/* Flat index to one index per dimension. */
void gk_index_split(const struct gk_comparison *c, int64_t flat, int64_t index[GK_MAX_RANK]);

#endif
