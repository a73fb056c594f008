/*
 * Failures in words that a person or a model can act on. Texts that come from
 * the candidate's side are cut and made safe here.
 */
#ifndef GK_JUDGE_DESCRIBE_H
#define GK_JUDGE_DESCRIBE_H

#include <jansson.h>

#include "base/buf.h"
#include "judge/compare.h"
#include "judge/data.h"

struct gk_source {
	const char *text;
	size_t size;
};

/* "x float32[4, 8], eps 1e-05": the arguments of a call. */
void gk_describe_args(struct gk_buf *out, const struct gk_judge_data *data);

/* " (line 12: `acc += tl.dot(a, b)`)"; nothing when line is 0 or the source has no such line. */
void gk_describe_line(struct gk_buf *out, const struct gk_source *source, int64_t line);

/* A finding of the launcher: what happened, in which kernel, program, lane, at which line of the source. */
void gk_describe_finding(struct gk_buf *out, const json_t *finding, const struct gk_source *source);

/* Wrong values of one output: how many, where, got and want, the pattern. */
void gk_describe_difference(struct gk_buf *out, const struct gk_tensor *output,
                            const struct gk_difference *difference, const struct gk_tolerance *tolerance);

/* "[3, 7]": the element of a flat index. */
void gk_describe_index(struct gk_buf *out, const struct gk_tensor *tensor, int64_t flat);

/* Outputs that were never written. */
void gk_describe_poison(struct gk_buf *out, const struct gk_tensor *output, int64_t count, int64_t first);

/* Of a compiler's log the line that says most: MLIR's first error, ptxas' own, else the last one. */
void gk_describe_log(struct gk_buf *out, const char *log);

/* Foreign text, at most max bytes. */
void gk_describe_foreign(struct gk_buf *out, const char *text, size_t max);

#endif
