/* Within the room: jobs of a launcher that run plans and fill outputs, and what their deaths mean. */
#ifndef GK_POOL_PLAN_JOB_H
#define GK_POOL_PLAN_JOB_H

#include "work.h"

/* First member of every kind. */
struct plan_job {
	struct job job;
	enum gk_wire_type asks, answers;
	json_t *request;
	int fds[GK_WIRE_MAX_BLOBS];    /* owned */
	size_t fd_count, output_count; /* outputs are the last of fds, writable */
	bool died, timed_out;          /* twice, each time under a fresh launcher; the last time by our kill */
	char death[1024];
	json_t *answer;                /* NULL when it died */
	bool is_probe;                 /* what is under way is the plan that went well */
};

/* wall_ms 0: standard_ms */
void plan_job_init(struct plan_job *x, struct pool *pool, const struct job_ops *ops, int64_t wall_ms,
                   int64_t standard_ms);
/* Takes fd over; -1 for one that could not be made. */
int plan_job_add(struct plan_job *x, int fd);
int plan_job_add_outputs(struct plan_job *x, const int *fds, size_t count, struct gk_err *e);

/* For job_ops; deliver() is each kind's own. */
int plan_job_send(struct job *job, struct peer *peer, struct gk_err *e);
void plan_job_frame(struct job *job, struct gk_frame *frame);
void plan_job_late(struct job *job);
bool plan_job_lost(struct job *job, const struct gk_err *why);
void plan_job_release(struct job *job);

#endif
