/*
 * Theory of operation. Every handle of ours is a heap object that begins with
 * libuv's; libuv closes handles in a later round, so a stop forgets the
 * callback at once and the memory is freed by the close callback. Deferred
 * calls sit in a list that an idle handle drains, one batch a round: what a
 * deferred call defers runs in the next round, so no round is endless.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/memory.h"
#include "base/vec.h"

enum { LEAST_THREADS = 4, MOST_THREADS = 32 };

struct deferred {
	gk_loop_fn *fn; /* NULL: forgotten */
	void *ctx;
};

struct deferred_list GK_VEC(struct deferred);

struct gk_loop {
	uv_loop_t uv;
	uv_idle_t idle; /* active while something is deferred */
	struct deferred_list waiting, running;
	size_t work_count;
	bool is_stopped, is_closing;
	struct gk_signal *interrupts[2];
	gk_signal_fn *interrupt_fn;
	void *interrupt_ctx;
	int interrupted;
};

struct gk_watch {
	uv_poll_t uv;
	gk_watch_fn *fn;
	void *ctx;
	int events;
};

struct gk_timer {
	uv_timer_t uv;
	gk_loop_fn *fn;
	void *ctx;
};

struct gk_signal {
	uv_signal_t uv;
	gk_signal_fn *fn;
	void *ctx;
};

struct work {
	uv_work_t uv;
	struct gk_loop *loop;
	gk_work_fn *work;
	gk_loop_fn *done;
	void *ctx;
};

static void free_handle(uv_handle_t *handle)
{
	free(handle->data); /* the object around it; NULL for the idle handle within the loop */
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, free_handle);
}

static void set_background(uv_handle_t *handle, bool background)
{
	if (background)
		uv_unref(handle);
	else
		uv_ref(handle);
}

/* ---- deferred calls ---- */

static void run_deferred(uv_idle_t *idle)
{
	struct gk_loop *loop = idle->loop->data;
	struct deferred_list batch = loop->waiting;

	loop->waiting = loop->running;
	loop->running = batch;
	for (size_t i = 0; i < loop->running.count; i++) {
		struct deferred *d = &loop->running.items[i];

		if (d->fn)
			d->fn(d->ctx);
	}
	loop->running.count = 0;
	if (loop->waiting.count == 0)
		uv_idle_stop(idle);
}

void gk_loop_defer(struct gk_loop *loop, gk_loop_fn *fn, void *ctx)
{
	gk_vec_push(&loop->waiting, (struct deferred){fn, ctx});
	uv_idle_start(&loop->idle, run_deferred);
}

static void forget_in(struct deferred_list *list, const void *ctx)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].ctx == ctx)
			list->items[i].fn = NULL;
}

void gk_loop_forget(struct gk_loop *loop, const void *ctx)
{
	forget_in(&loop->waiting, ctx);
	forget_in(&loop->running, ctx);
}

/* ---- descriptors ---- */

static void watch_ready(uv_poll_t *handle, int status, int events)
{
	struct gk_watch *watch = handle->data;
	int ours = (events & UV_READABLE ? GK_LOOP_READ : 0) | (events & UV_WRITABLE ? GK_LOOP_WRITE : 0);

	/* On an error libuv stops polling; the owner's next read or write says what it is. */
	if (watch->fn)
		watch->fn(watch->ctx, status < 0 ? watch->events : ours);
}

void gk_watch_set(struct gk_watch *watch, int events)
{
	int theirs = (events & GK_LOOP_READ ? UV_READABLE : 0) | (events & GK_LOOP_WRITE ? UV_WRITABLE : 0);

	watch->events = events;
	if (theirs)
		uv_poll_start(&watch->uv, theirs, watch_ready);
	else
		uv_poll_stop(&watch->uv);
}

struct gk_watch *gk_loop_watch(struct gk_loop *loop, int fd, int events, gk_watch_fn *fn, void *ctx,
                               struct gk_err *e)
{
	struct gk_watch *watch = gk_alloc(sizeof *watch);
	int code = uv_poll_init(&loop->uv, &watch->uv, fd);

	if (code < 0) {
		free(watch);
		gk_err_set(e, GK_ERR_SYSTEM, "descriptor %d cannot be watched: %s", fd, uv_strerror(code));
		return NULL;
	}
	watch->uv.data = watch;
	watch->fn = fn;
	watch->ctx = ctx;
	gk_watch_set(watch, events);
	return watch;
}

void gk_watch_background(struct gk_watch *watch, bool background)
{
	set_background((uv_handle_t *)&watch->uv, background);
}

void gk_watch_stop(struct gk_watch **watch)
{
	if (!*watch)
		return;
	(*watch)->fn = NULL;
	uv_poll_stop(&(*watch)->uv);
	close_handle((uv_handle_t *)&(*watch)->uv, NULL);
	*watch = NULL;
}

/* ---- timers ---- */

static void timer_due(uv_timer_t *handle)
{
	struct gk_timer *timer = handle->data;

	if (timer->fn)
		timer->fn(timer->ctx);
}

void gk_timer_set(struct gk_timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
	uv_update_time(timer->uv.loop); /* else a long callback would shorten the delay */
	uv_timer_start(&timer->uv, timer_due, delay_ms > 0 ? (uint64_t)delay_ms : 0,
	               repeat_ms > 0 ? (uint64_t)repeat_ms : 0);
}

struct gk_timer *gk_loop_timer(struct gk_loop *loop, int64_t delay_ms, int64_t repeat_ms, gk_loop_fn *fn,
                               void *ctx)
{
	struct gk_timer *timer = gk_alloc(sizeof *timer);

	uv_timer_init(&loop->uv, &timer->uv);
	timer->uv.data = timer;
	timer->fn = fn;
	timer->ctx = ctx;
	gk_timer_set(timer, delay_ms, repeat_ms);
	return timer;
}

void gk_timer_background(struct gk_timer *timer, bool background)
{
	set_background((uv_handle_t *)&timer->uv, background);
}

void gk_timer_stop(struct gk_timer **timer)
{
	if (!*timer)
		return;
	(*timer)->fn = NULL;
	uv_timer_stop(&(*timer)->uv);
	close_handle((uv_handle_t *)&(*timer)->uv, NULL);
	*timer = NULL;
}

/* ---- threads ---- */

static void work_in_thread(uv_work_t *request)
{
	struct work *work = request->data;

	work->work(work->ctx);
}

static void work_done(uv_work_t *request, int status)
{
	struct work *work = request->data;

	(void)status;
	work->loop->work_count--;
	if (!work->loop->is_closing)
		work->done(work->ctx);
	free(work);
}

void gk_loop_work(struct gk_loop *loop, gk_work_fn *fn, gk_loop_fn *done, void *ctx)
{
	struct work *work = gk_alloc(sizeof *work);

	*work = (struct work){.loop = loop, .work = fn, .done = done, .ctx = ctx};
	work->uv.data = work;
	if (uv_queue_work(&loop->uv, &work->uv, work_in_thread, work_done) < 0)
		gk_bug("no thread pool");
	loop->work_count++;
}

/* ---- signals ---- */

static void signal_came(uv_signal_t *handle, int number)
{
	struct gk_signal *s = handle->data;

	if (s->fn)
		s->fn(s->ctx, number);
}

struct gk_signal *gk_loop_signal(struct gk_loop *loop, int number, gk_signal_fn *fn, void *ctx,
                                 struct gk_err *e)
{
	struct gk_signal *s = gk_alloc(sizeof *s);
	int code;

	uv_signal_init(&loop->uv, &s->uv);
	s->uv.data = s;
	s->fn = fn;
	s->ctx = ctx;
	code = uv_signal_start(&s->uv, signal_came, number);
	uv_unref((uv_handle_t *)&s->uv);
	if (code < 0) {
		gk_signal_stop(&s);
		gk_err_set(e, GK_ERR_SYSTEM, "signal %d cannot be caught: %s", number, uv_strerror(code));
		return NULL;
	}
	return s;
}

void gk_signal_stop(struct gk_signal **s)
{
	if (!*s)
		return;
	(*s)->fn = NULL;
	uv_signal_stop(&(*s)->uv);
	close_handle((uv_handle_t *)&(*s)->uv, NULL);
	*s = NULL;
}

static void interrupt_came(void *ctx, int number)
{
	struct gk_loop *loop = ctx;

	if (loop->interrupted) { /* the person means it: no more tidying up */
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	loop->interrupted = number;
	if (loop->interrupt_fn)
		loop->interrupt_fn(loop->interrupt_ctx, number);
}

int gk_loop_catch_interrupts(struct gk_loop *loop, gk_signal_fn *fn, void *ctx, struct gk_err *e)
{
	static const int numbers[] = {SIGINT, SIGTERM};

	loop->interrupt_fn = fn;
	loop->interrupt_ctx = ctx;
	for (size_t i = 0; i < gk_count_of(numbers); i++) {
		if (!loop->interrupts[i])
			loop->interrupts[i] = gk_loop_signal(loop, numbers[i], interrupt_came, loop, e);
		if (!loop->interrupts[i])
			return -1;
	}
	return 0;
}

int gk_loop_interrupted(const struct gk_loop *loop)
{
	return loop->interrupted;
}

/* ---- the loop ---- */

/* libuv's four threads are few where many comparisons are under way; it looks at this when the first is asked for. */
static void choose_threads(void)
{
	char text[16];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	snprintf(text, sizeof text, "%ld", cores < LEAST_THREADS ? LEAST_THREADS : cores > MOST_THREADS ? MOST_THREADS : cores);
	setenv("UV_THREADPOOL_SIZE", text, 0);
}

struct gk_loop *gk_loop_new(struct gk_err *e)
{
	struct gk_loop *loop = gk_alloc(sizeof *loop);
	int code = uv_loop_init(&loop->uv);

	if (code < 0) {
		free(loop);
		gk_err_set(e, GK_ERR_SYSTEM, "no event loop: %s", uv_strerror(code));
		return NULL;
	}
	loop->uv.data = loop;
	uv_idle_init(&loop->uv, &loop->idle);
	choose_threads();
	signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error code, not our death */
	return loop;
}

void gk_loop_free(struct gk_loop *loop)
{
	if (!loop)
		return;
	loop->is_closing = true;
	uv_walk(&loop->uv, close_handle, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	if (uv_loop_close(&loop->uv) < 0)
		gk_bug("the event loop has handles left");
	gk_vec_release(&loop->waiting);
	gk_vec_release(&loop->running);
	free(loop);
}

bool gk_loop_turn(struct gk_loop *loop, bool wait)
{
	return uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
}

int gk_loop_while(struct gk_loop *loop, gk_loop_test *is_waiting, const void *ctx, struct gk_err *e)
{
	while (is_waiting(ctx)) {
		if (gk_loop_interrupted(loop))
			return gk_err_set(e, GK_ERR_SYSTEM, "interrupted");
		if (!gk_loop_turn(loop, true) && is_waiting(ctx))
			return gk_err_set(e, GK_ERR_INTERNAL, "nothing is left to wait for");
	}
	return 0;
}

static bool is_not_done(const void *done)
{
	return !*(const bool *)done;
}

int gk_loop_until(struct gk_loop *loop, const bool *done, struct gk_err *e)
{
	return gk_loop_while(loop, is_not_done, done, e);
}

void gk_loop_run(struct gk_loop *loop)
{
	loop->is_stopped = false;
	while (!loop->is_stopped && gk_loop_turn(loop, true))
		continue;
}

void gk_loop_stop(struct gk_loop *loop)
{
	loop->is_stopped = true;
	uv_stop(&loop->uv); /* else the round under way would still wait for descriptors */
}

bool gk_loop_is_stopped(const struct gk_loop *loop)
{
	return loop->is_stopped;
}
