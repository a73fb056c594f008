/*
 * Within the room: who is who.
 *
 *   pool --1:4-- crew (all peers of a role, and the jobs that wait for one) --1:n-- peer (a process) --1:n-- job
 *
 * A job waits in its crew, is sent to a peer with a free slot, hears the
 * frames that carry its number, and is finished or failed exactly once; its
 * callback runs from a deferred call, when the job no longer belongs to the
 * pool, so that a callback may cancel, submit or close as it likes.
 *
 * A peer that breaks, ends or is late is failed: its whole tree is killed, and
 * each job that it had decides for itself whether it is asked again.
 */
#ifndef GK_POOL_WORK_H
#define GK_POOL_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"
#include "box/spawn.h"
#include "loop/loop.h"
#include "lowered.h"
#include "pool.h"
#include "wire/frame.h"

enum role { ROLE_ZYGOTE, ROLE_ORACLE, ROLE_LOWERING, ROLE_LAUNCHER, ROLE_CONTAINED, ROLE_COUNT };
extern const char *const role_names[]; /* as in hello */

struct good_plan;
struct job;
struct peer;
struct crew;
struct pool;

struct job_ops {
	int (*send)(struct job *job, struct peer *peer, struct gk_err *e); /* again after each loss */
	void (*frame)(struct job *job, struct gk_frame *frame);            /* never an error frame */
	void (*late)(struct job *job);                                     /* its deadline passed */
	bool (*lost)(struct job *job, const struct gk_err *why); /* its peer died; true: ask again */
	void (*deliver)(struct job *job); /* calls back; job->err holds the failure if job->failed */
	void (*abandon)(struct job *job); /* nobody waits any more: hurry its end; may be NULL */
	void (*release)(struct job *job); /* everything but the job itself */
};

/* First member of every kind of job. */
struct job {
	const struct job_ops *ops;
	struct pool *pool;
	struct crew *crew;
	struct peer *peer; /* NULL while it waits */
	uint64_t id;
	int64_t wall_ms; /* from its sending, or when the one before it is done */
	struct gk_timer *deadline;
	int deaths;                             /* peers that died under it */
	bool is_alone;                          /* no other job on its peer meanwhile */
	bool may_follow; /* may be sent to a peer that is busy with its like, which takes one after the other */
	bool is_finished, is_cancelled, failed; /* a cancelled job holds its slot until its peer answers */
	struct gk_err err;
};
struct job_list GK_VEC(struct job *);

void job_init(struct job *job, struct pool *pool, enum role role, const struct job_ops *ops, int64_t wall_ms);
uint64_t job_submit(struct job *job);
void job_finish(struct job *job); /* its result is complete; delivered in the next round */
void job_fail(struct job *job, const struct gk_err *why); /* the same with an error */
void job_cancel(struct job *job);
void job_set_deadline(struct job *job, int64_t ms);
void job_list_remove(struct job_list *list, const struct job *job);
int job_copy_fd(int fd, struct gk_err *e); /* duplicated, close-on-exec */

struct peer {
	struct crew *crew;
	struct gk_child child;
	int in, out, log; /* in == out for a socket; all owned */
	struct gk_watch *in_watch, *out_watch, *log_watch, *end_watch;
	struct gk_timer *timer; /* until hello; after end of file until the process ends */
	struct gk_frame_reader reader;
	struct gk_frame_writer writer;
	struct gk_buf said; /* tail of its stdout and stderr */
	struct job_list jobs;
	int slots; /* 0 until hello */
	bool is_dead;
};

int peer_start(struct crew *crew, struct peer **peer, struct gk_err *e);
/* Puts what is in the writer on its way. A broken stream fails the peer in the next round. */
void peer_flush(struct peer *peer);
/* Kills it and its tree, gives its jobs back to the crew. The peer is freed in a later round. */
void peer_fail(struct peer *peer, const struct gk_err *why);
void peer_free(struct peer *peer);

struct crew {
	struct pool *pool;
	enum role role;
	int max_peers, max_slots; /* max_slots 0: as the peer says */
	struct GK_VEC(struct peer *) peers;
	struct job_list waiting;
	struct gk_timer *pause; /* no new peer before it ends */
	int deaths_running;     /* without an answer or a job that explains them between */
	bool is_refused;        /* what hello said will not change: nothing is started any more */
	struct gk_err refusal;
	char *facts;
};

void crew_wake(struct crew *crew); /* looks at the queue in the next round */
void crew_warm(struct crew *crew); /* starts one peer when there is none; a failure shows when a job needs it */
void crew_hello(struct crew *crew, struct peer *peer);
void crew_lost_peer(struct crew *crew, struct peer *peer, const struct gk_err *why);
void crew_refuse(struct crew *crew, const struct gk_err *why);

struct pool {
	struct gk_runner runner;
	struct gk_loop *loop;
	struct crew crews[ROLE_COUNT];
	struct job_list jobs; /* all that are not delivered */
	struct GK_VEC(struct peer *) dead;
	uint64_t last_id;
	struct good_plan *good; /* plan_job.c: tells a plan's fault from the GPU's; NULL before one went well */
	/* copies of the options */
	char *python, *worker, *program, *box, *build, *device, *launcher;
	char *tmp_root; /* private folder where there are no mount namespaces; removed at the end */
	const char *tmp_folder;
	struct gk_box_group group; /* of candidates */
	int64_t start_ms, answer_ms, capture_ms, lower_ms;
	struct lowered lowered;
	char *stamp; /* of the compilers; NULL before somebody has named it */
};

/* The command line and environment of a role's process; freed with command_release(). */
struct command {
	char program[4096];
	const char *argv[8];
	char line[4096]; /* of a shell */
	struct GK_VEC(char *) environment; /* ends with NULL */
	bool by_pipes; /* a command line of the user's: stdin and stdout, no descriptors */
	unsigned namespaces;
	int64_t memory_bytes; /* of address space; 0: no ceiling */
};
int command_make(struct pool *pool, enum role role, struct command *command, struct gk_err *e);
void command_release(struct command *command);

uint64_t oracle_lint(struct gk_runner *runner, const struct gk_lint_request *request, gk_lint_fn *fn,
                     void *ctx);
uint64_t oracle_inputs(struct gk_runner *runner, const struct gk_inputs_request *request, gk_tensors_fn *fn,
                       void *ctx);
uint64_t oracle_expected(struct gk_runner *runner, const struct gk_expected_request *request,
                         gk_tensors_fn *fn, void *ctx);
uint64_t capture_start(struct gk_runner *runner, const struct gk_capture_request *request, gk_capture_fn *fn,
                       void *ctx);
uint64_t contain_start(struct gk_runner *runner, const struct gk_contain_request *request, gk_capture_fn *fn, void *ctx);
/* The number, among those that are visible, of the GPU that this geak's launcher has; 0 before it has said. */
int contain_gpu(const struct pool *pool);
uint64_t lower_start(struct gk_runner *runner, const struct gk_lower_request *request, gk_lower_fn *fn, void *ctx);
void good_plan_free(struct good_plan *good);
uint64_t execute_start(struct gk_runner *runner, const struct gk_execute_request *request, gk_execute_fn *fn,
                       void *ctx);
uint64_t time_start(struct gk_runner *runner, const struct gk_time_request *request, gk_time_fn *fn, void *ctx);

#endif
