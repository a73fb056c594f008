/* What the parts of plan/ share; of no concern outside. */
#ifndef GK_PLAN_PARTS_H
#define GK_PLAN_PARTS_H

#include "plan.h"

/* view.c: geometry. A view of no elements touches no bytes: first and end are equal. */
struct gk_plan_extent {
	uint64_t first, end; /* bytes of the buffer: the least, and behind the greatest */
};
/* False when it overflows. */
bool gk_plan_view_extent(const struct gk_plan_view *view, struct gk_plan_extent *extent);
bool gk_plan_view_fits(const struct gk_plan_view *view, uint64_t bytes);
/* Whether two elements of the view may share bytes (exact for views whose strides nest, cautious otherwise).
 */
bool gk_plan_view_overlaps_itself(const struct gk_plan_view *view);
bool gk_plan_extents_meet(const struct gk_plan_view *a, const struct gk_plan_view *b);
bool gk_plan_view_is_same(const struct gk_plan_view *a, const struct gk_plan_view *b);

/* read.c */
int gk_plan_read_view(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_view *view,
                      struct gk_err *e);
int gk_plan_read_hex(const struct gk_node *at, uint64_t max, uint64_t *bits, struct gk_err *e);
int gk_plan_read_hash(const struct gk_node *at, char hash[GK_HEX_SIZE], struct gk_err *e);
/* A short printable string, copied. */
int gk_plan_read_name(const struct gk_node *at, size_t max_bytes, struct gk_plan *plan, const char **name,
                      struct gk_err *e);
void gk_plan_hold(struct gk_plan *plan, json_t *json); /* one more reference, until the plan ends */

/* meta.c: what has a meaning for people and for lowering only */
int gk_plan_read_options(const struct gk_node *at, struct gk_err *e);
int gk_plan_read_config(const struct gk_node *at, struct gk_err *e);
int gk_plan_read_from(const struct gk_node *at, struct gk_err *e);

/* launch.c */
int gk_plan_read_launch(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_launch *launch,
                        struct gk_err *e);

/* step.c */
struct gk_plan_budget {
	uint64_t data_bytes; /* left for data steps */
	size_t variants;     /* left */
};
int gk_plan_read_steps(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_budget *budget,
                       struct gk_plan_step **steps, uint32_t *count, struct gk_err *e);

/* assist.c: at is the step */
int gk_plan_read_assist(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_step *step,
                        struct gk_err *e);

/*
 * json.c: numbers for buffers and kernels by first use, which make the hash
 * and the comparison independent of how a capture numbered them.
 */
struct gk_plan_numbers {
	uint32_t buffers[GK_PLAN_MAX_BUFFERS], kernels[GK_PLAN_MAX_KERNELS]; /* GK_IR_NONE: never used */
	uint32_t buffer_count, kernel_count;
};
void gk_plan_number(const struct gk_plan *plan, struct gk_plan_numbers *numbers);
json_t *gk_plan_canonical(const struct gk_plan *plan); /* what the hash is made of */

#endif
