/*
 * Queues and restarts. A death is held against the role only when no job can
 * explain it (before hello, or while idle): a candidate that takes launcher
 * after launcher along must not stop the run. Three such deaths running are
 * an error for everything that waits.
 *
 * A job under which a peer died is asked again alone on its next peer: if that
 * dies too, there is nobody else who could have done it.
 *
 * Where all peers of a role are busy with jobs that they take one after the
 * other, the next one is sent already: it lies in the peer's socket and is
 * begun without us. Its time runs, and a death is its own, from then on only.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "work.h"

#define MAX_DEATHS 3
#define PAUSE_MS   200 /* doubles with every death */

const char *const role_names[] = {"zygote", "oracle", "lowering", "launcher", "contained", NULL};

/* ---- jobs ---- */

void job_init(struct job *job, struct pool *pool, enum role role, const struct job_ops *ops, int64_t wall_ms)
{
	job->ops = ops;
	job->pool = pool;
	job->crew = &pool->crews[role];
	job->id = ++pool->last_id;
	job->wall_ms = wall_ms;
}

uint64_t job_submit(struct job *job)
{
	gk_vec_push(&job->pool->jobs, job);
	if (job->is_finished) /* it failed while it was made */
		return job->id;
	gk_vec_push(&job->crew->waiting, job);
	crew_wake(job->crew);
	return job->id;
}

void job_list_remove(struct job_list *list, const struct job *job)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == job) {
			list->count--;
			memmove(list->items + i, list->items + i + 1,
			        (list->count - i) * sizeof *list->items);
			return;
		}
}

static void deliver(void *ctx)
{
	struct job *job = ctx;

	job_list_remove(&job->pool->jobs, job);
	if (!job->is_cancelled)
		job->ops->deliver(job);
	job->ops->release(job);
	free(job);
}

/* A GPU serves launchers or a candidate that runs for real: whoever is done lets the others have it. */
static void wake_all(struct crew *crew)
{
	struct pool *pool = crew->pool;

	crew_wake(crew);
	if (crew->role == ROLE_CONTAINED)
		crew_wake(&pool->crews[ROLE_LAUNCHER]);
	else if (crew->role == ROLE_LAUNCHER && pool->crews[ROLE_CONTAINED].waiting.count)
		crew_wake(&pool->crews[ROLE_CONTAINED]);
}

static void begin_next(const struct peer *peer)
{
	struct job *next = peer->jobs.count ? peer->jobs.items[0] : NULL;

	if (next && next->may_follow && !next->deadline)
		job_set_deadline(next, next->wall_ms);
}

void job_finish(struct job *job)
{
	if (job->is_finished)
		return;
	job->is_finished = true;
	gk_timer_stop(&job->deadline);
	job_list_remove(&job->crew->waiting, job);
	if (job->peer) {
		job_list_remove(&job->peer->jobs, job);
		begin_next(job->peer);
		job->peer = NULL;
		wake_all(job->crew);
	} else if (job->crew->role == ROLE_CONTAINED) { /* nobody is kept waiting for it any more */
		wake_all(job->crew);
	}
	gk_loop_defer(job->pool->loop, deliver, job);
}

void job_fail(struct job *job, const struct gk_err *why)
{
	if (job->is_finished)
		return;
	job->failed = true;
	job->err = *why;
	job_finish(job);
}

void job_cancel(struct job *job)
{
	job->is_cancelled = true;
	if (!job->peer)
		job_finish(job);
	else if (job->ops->abandon)
		job->ops->abandon(job);
}

int job_copy_fd(int fd, struct gk_err *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? gk_err_errno(e, "descriptor %d", fd) : copy;
}

static void job_late(void *ctx)
{
	struct job *job = ctx;

	job->ops->late(job);
}

void job_set_deadline(struct job *job, int64_t ms)
{
	if (job->deadline)
		gk_timer_set(job->deadline, ms, 0);
	else
		job->deadline = gk_loop_timer(job->pool->loop, ms, 0, job_late, job);
}

/* ---- assignment ---- */

static bool wants_peer_alone(const struct job *job)
{
	return job->deaths > 0 || job->is_alone;
}

static bool is_taken(const struct peer *peer)
{
	for (size_t i = 0; i < peer->jobs.count; i++)
		if (wants_peer_alone(peer->jobs.items[i]))
			return true;
	return false;
}

static int count_starting(const struct crew *crew)
{
	int count = 0;

	for (size_t i = 0; i < crew->peers.count; i++)
		count += crew->peers.items[i]->slots == 0;
	return count;
}

/* Not where another peer could be started, and not in the way of one that waits for a peer of its own. */
static bool can_follow(const struct peer *peer, const struct job *job)
{
	const struct crew *crew = peer->crew;

	if (!job->may_follow || count_starting(crew) || crew->peers.count < (size_t)crew->max_peers)
		return false;
	for (size_t i = 0; i < peer->jobs.count; i++)
		if (!peer->jobs.items[i]->may_follow)
			return false;
	for (size_t i = 0; i < crew->waiting.count; i++)
		if (wants_peer_alone(crew->waiting.items[i]))
			return false;
	return true;
}

static bool can_take(const struct peer *peer, const struct job *job)
{
	int slots = peer->slots;

	if (peer->is_dead || !slots || is_taken(peer))
		return false;
	if (peer->crew->max_slots && peer->crew->max_slots < slots)
		slots = peer->crew->max_slots;
	slots += slots == 1 && can_follow(peer, job);
	return wants_peer_alone(job) ? peer->jobs.count == 0 : peer->jobs.count < (size_t)slots;
}

static bool is_busy(const struct crew *crew)
{
	for (size_t i = 0; i < crew->peers.count; i++)
		if (crew->peers.items[i]->jobs.count)
			return true;
	return false;
}

/* From its start on: it tries a kernel before it says hello. */
static bool wants_device(const struct crew *real)
{
	bool is_starting = real->peers.count && !real->peers.items[0]->slots;

	return is_starting || (real->waiting.count && !real->pause);
}

/* Neither disturbs the other's times. Who runs for real comes first: there are few of them. */
static bool has_device(const struct crew *crew)
{
	const struct crew *real = &crew->pool->crews[ROLE_CONTAINED];

	if (strcmp(crew->pool->device, "cpu") == 0)
		return true;
	if (crew->role == ROLE_CONTAINED)
		return !is_busy(&crew->pool->crews[ROLE_LAUNCHER]);
	return crew->role != ROLE_LAUNCHER || !(is_busy(real) || wants_device(real));
}

static struct peer *find_peer(const struct crew *crew, const struct job *job)
{
	struct peer *best = NULL;

	if (!has_device(crew))
		return NULL;

	for (size_t i = 0; i < crew->peers.count; i++) {
		struct peer *peer = crew->peers.items[i];

		if (can_take(peer, job) && (!best || peer->jobs.count < best->jobs.count))
			best = peer;
	}
	return best;
}

static void assign(struct job *job, struct peer *peer)
{
	struct gk_err e;

	job_list_remove(&job->crew->waiting, job);
	if (job->ops->send(job, peer, &e) < 0) {
		job_fail(job, &e);
		return;
	}
	job->peer = peer;
	gk_vec_push(&peer->jobs, job);
	if (!job->may_follow || peer->slots > 1) /* begun at once */
		job_set_deadline(job, job->wall_ms);
	begin_next(peer);
	peer_flush(peer);
}

static void fail_waiting(struct crew *crew, const struct gk_err *why)
{
	while (crew->waiting.count)
		job_fail(crew->waiting.items[0], why);
}

static void start_peers(struct crew *crew)
{
	size_t starting = (size_t)count_starting(crew);
	struct peer *peer;
	struct gk_err e;

	if (crew->role == ROLE_CONTAINED && !has_device(crew))
		return;
	while (!crew->pause && starting < crew->waiting.count &&
	       crew->peers.count < (size_t)crew->max_peers) {
		if (peer_start(crew, &peer, &e) < 0) {
			fail_waiting(crew, &e);
			return;
		}
		gk_vec_push(&crew->peers, peer);
		starting++;
	}
}

static void look_at_queue(void *ctx)
{
	struct crew *crew = ctx;

	if (crew->is_refused)
		fail_waiting(crew, &crew->refusal);
	for (size_t i = 0; i < crew->waiting.count;) {
		struct job *job = crew->waiting.items[i];
		struct peer *peer = find_peer(crew, job);

		if (peer)
			assign(job, peer); /* leaves the list */
		else if (job->is_alone) /* those behind it would keep it waiting for ever */
			break;
		else
			i++;
	}
	start_peers(crew);
}

void crew_wake(struct crew *crew)
{
	gk_loop_forget(crew->pool->loop, crew);
	gk_loop_defer(crew->pool->loop, look_at_queue, crew);
}

void crew_warm(struct crew *crew)
{
	struct peer *peer;
	struct gk_err ignored;

	if (crew->peers.count || crew->waiting.count || crew->pause || crew->is_refused)
		return;
	if (peer_start(crew, &peer, &ignored) == 0)
		gk_vec_push(&crew->peers, peer);
}

/* ---- comings and goings ---- */

void crew_hello(struct crew *crew, struct peer *peer)
{
	crew->deaths_running = 0;
	if (peer->jobs.count == 0)
		wake_all(crew);
}

static void pause_over(void *ctx)
{
	struct crew *crew = ctx;

	gk_timer_stop(&crew->pause);
	crew_wake(crew);
}

static void remove_peer(struct crew *crew, struct peer *peer)
{
	for (size_t i = 0; i < crew->peers.count; i++)
		if (crew->peers.items[i] == peer) {
			crew->peers.items[i] = gk_vec_last(&crew->peers);
			crew->peers.count--;
			return;
		}
}

static void count_death(struct crew *crew, const struct gk_err *why)
{
	struct gk_err e = *why;

	if (++crew->deaths_running >= MAX_DEATHS) {
		crew->deaths_running = 0;
		gk_err_context(&e, "%d times running", MAX_DEATHS);
		fail_waiting(crew, &e);
	} else if (!crew->pause) {
		crew->pause = gk_loop_timer(crew->pool->loop, (int64_t)PAUSE_MS << crew->deaths_running, 0,
		                            pause_over, crew);
	}
}

void crew_lost_peer(struct crew *crew, struct peer *peer, const struct gk_err *why)
{
	bool is_explained = peer->jobs.count > 0;

	remove_peer(crew, peer);
	while (peer->jobs.count) {
		struct job *job = gk_vec_last(&peer->jobs);

		peer->jobs.count--;
		job->peer = NULL;
		job->deaths += job->deadline != NULL; /* else it was not begun */
		gk_timer_stop(&job->deadline);
		if (job->is_cancelled)
			job_finish(job);
		else if (job->ops->lost(job, why))
			gk_vec_push(&crew->waiting, job);
	}
	if (!is_explained && !crew->is_refused)
		count_death(crew, why);
	wake_all(crew);
}

void crew_refuse(struct crew *crew, const struct gk_err *why)
{
	crew->is_refused = true;
	crew->refusal = *why;
	fail_waiting(crew, why);
}
