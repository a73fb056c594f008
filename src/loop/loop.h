/*
 * The event loop (libuv underneath): descriptors, timers, deferred calls,
 * signals, work in a thread. One loop belongs to one thread; every function
 * here is called from that thread, and every callback but gk_work_fn runs in it.
 *
 * Nothing here calls back from within the call that asks for it. A handle may
 * be stopped in any callback, its own included; after the stop its callback
 * never runs again.
 */
#ifndef GK_LOOP_LOOP_H
#define GK_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct gk_loop;
struct gk_watch;
struct gk_timer;
struct gk_signal;

enum { GK_LOOP_READ = 1, GK_LOOP_WRITE = 2 };

typedef void gk_loop_fn(void *ctx);
typedef bool gk_loop_test(const void *ctx);
typedef void gk_watch_fn(void *ctx, int events); /* READ also for end of file and errors: read tells */
typedef void gk_signal_fn(void *ctx, int signal_number);
typedef void gk_work_fn(void *ctx); /* runs in a pool thread: touches nothing but *ctx */

/* Also makes the process ignore SIGPIPE. */
struct gk_loop *gk_loop_new(struct gk_err *e);
/* Stops every handle, waits for work under way (its done function does not run), frees. NULL is fine. */
void gk_loop_free(struct gk_loop *loop);

/* Until gk_loop_stop(), or until nothing is alive: no watch, timer, deferred call or work (but for those in
 * the background). */
void gk_loop_run(struct gk_loop *loop);
/* One round: waits for something to happen when wait is true. False: nothing is alive. */
bool gk_loop_turn(struct gk_loop *loop, bool wait);
/*
 * Turns until *done, or while is_waiting(ctx). Fails when a signal to stop came
 * ("interrupted", GK_ERR_SYSTEM), or when nothing is alive any more (GK_ERR_INTERNAL).
 */
int gk_loop_until(struct gk_loop *loop, const bool *done, struct gk_err *e);
int gk_loop_while(struct gk_loop *loop, gk_loop_test *is_waiting, const void *ctx, struct gk_err *e);
void gk_loop_stop(struct gk_loop *loop);
bool gk_loop_is_stopped(const struct gk_loop *loop); /* since the last start of gk_loop_run() */

/*
 * fd is a socket, a pipe, a pidfd, an eventfd (regular files cannot be watched) and becomes non-blocking.
 * Stop the watch before closing fd. events may be 0 (nothing is watched until gk_watch_set()).
 */
struct gk_watch *gk_loop_watch(struct gk_loop *loop, int fd, int events, gk_watch_fn *fn, void *ctx,
                               struct gk_err *e);
void gk_watch_set(struct gk_watch *watch, int events);
void gk_watch_background(struct gk_watch *watch, bool background); /* true: does not keep the loop alive */
void gk_watch_stop(struct gk_watch **watch); /* *watch may be NULL; it is NULL afterwards */

/* First after delay_ms, then every repeat_ms (0: once; the timer is then idle, still to be stopped). */
struct gk_timer *gk_loop_timer(struct gk_loop *loop, int64_t delay_ms, int64_t repeat_ms, gk_loop_fn *fn,
                               void *ctx);
void gk_timer_set(struct gk_timer *timer, int64_t delay_ms, int64_t repeat_ms); /* starts anew */
void gk_timer_background(struct gk_timer *timer, bool background);
void gk_timer_stop(struct gk_timer **timer);

/* In the next round, in the order asked. */
void gk_loop_defer(struct gk_loop *loop, gk_loop_fn *fn, void *ctx);
/* Drops every deferred call with this ctx. */
void gk_loop_forget(struct gk_loop *loop, const void *ctx);

/* work(ctx) in a thread, then done(ctx) in the loop. ctx must live until done ran, or the loop was freed. */
void gk_loop_work(struct gk_loop *loop, gk_work_fn *work, gk_loop_fn *done, void *ctx);

/* Signals never keep the loop alive. */
struct gk_signal *gk_loop_signal(struct gk_loop *loop, int number, gk_signal_fn *fn, void *ctx,
                                 struct gk_err *e);
void gk_signal_stop(struct gk_signal **signal);

/*
 * SIGINT and SIGTERM: the first sets the flag and calls fn (may be NULL); fn decides how to end.
 * The second of a kind ends the process at once with the signal's default action.
 */
int gk_loop_catch_interrupts(struct gk_loop *loop, gk_signal_fn *fn, void *ctx, struct gk_err *e);
int gk_loop_interrupted(const struct gk_loop *loop); /* number of the signal, or 0 */

#endif
