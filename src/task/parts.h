/* What the files of this room share: decoders of task.yaml's parts. */
#ifndef GK_TASK_PARTS_H
#define GK_TASK_PARTS_H

#include "base/doc.h"
#include "task.h"

#define GK_TASK_MAX_BYTES ((size_t)1 << 20)

/* Decoders for field tables (base/doc.h); out is the struct gk_task. */
int gk_task_read_entry(const struct gk_node *at, struct gk_task *task, struct gk_err *e);
int gk_task_read_tolerance(const struct gk_node *at, struct gk_task *task, struct gk_err *e);
int gk_task_read_cases(const struct gk_node *at, struct gk_task *task, struct gk_err *e);
/* Checks the generator and keeps it in task->held_out; cases must have been read. */
int gk_task_read_held_out(const struct gk_node *at, struct gk_task *task, struct gk_err *e);

/* A list of special values; [] is none. */
int gk_task_read_specials(const struct gk_node *at, unsigned *set, struct gk_err *e);

/* A name that can be a Python variable. */
bool gk_is_identifier(const char *text);
/* Reads a list of identifiers, at least one. */
int gk_task_read_names(const struct gk_node *at, struct gk_arena *arena, const char ***names, size_t *count,
                       struct gk_err *e);
/* "M=1823,N=781,dtype=float32", in the order of the object. */
char *gk_case_id_of(struct gk_arena *arena, const json_t *params, const char *tail);
/* Refuses what no oracle can take: lists, null, an unknown dtype. */
int gk_case_check_value(const struct gk_node *at, struct gk_err *e);

#endif
