#include "loop/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static struct gk_loop *loop;
static char order[64];

static void note(const char *what)
{
	if (strlen(order) + 2 > sizeof order)
		return;
	snprintf(order + strlen(order), sizeof order - strlen(order), "%s", what);
}

static void note_a(void *ctx)
{
	(void)ctx;
	note("a");
}

static void note_b(void *ctx)
{
	gk_loop_defer(ctx, note_a, NULL);
	note("b");
}

static void note_forgotten(void *ctx)
{
	(void)ctx;
	note("!");
}

static void forgets_the_next(void *ctx)
{
	gk_loop_forget(loop, ctx);
	note("f");
}

static void test_deferred(void)
{
	int marker;

	order[0] = '\0';
	gk_loop_defer(loop, note_b, loop);
	gk_loop_defer(loop, note_a, NULL);
	ok(order[0] == '\0', "a deferred call never runs from within");
	gk_loop_run(loop);
	is_text(order, "baa", "deferred calls run in order, later ones in a later round");

	order[0] = '\0';
	gk_loop_defer(loop, note_a, NULL);
	gk_loop_defer(loop, forgets_the_next, &marker);
	gk_loop_defer(loop, note_forgotten, &marker);
	gk_loop_run(loop);
	is_text(order, "af", "a forgotten call does not run, even in the same round");
}

struct reading {
	struct gk_watch *watch;
	int fd, calls;
	char got[32];
	size_t size;
	bool ended;
};

static void read_some(void *ctx, int events)
{
	struct reading *r = ctx;
	ssize_t n = read(r->fd, r->got + r->size, sizeof r->got - 1 - r->size);

	r->calls++;
	if (!(events & GK_LOOP_READ))
		return;
	if (n > 0)
		r->size += (size_t)n;
	if (n != 0)
		return;
	r->ended = true;
	gk_watch_stop(&r->watch);
}

static void test_watch(void)
{
	struct reading r = {0};
	struct gk_err e;
	int ends[2];

	if (pipe(ends) < 0)
		abort();
	r.fd = ends[0];
	r.watch = gk_loop_watch(loop, ends[0], GK_LOOP_READ, read_some, &r, &e);
	ok(write(ends[1], "hello", 5) == 5, "written");
	close(ends[1]);
	gk_loop_run(loop);
	is_text(r.got, "hello", "what is written is read");
	ok(r.ended && !r.watch, "end of file is reported, and a watch can be stopped in its own callback");
	close(ends[0]);
}

static void test_background(void)
{
	struct reading r = {0};
	struct gk_err e;
	int ends[2];

	if (pipe(ends) < 0)
		abort();
	r.fd = ends[0];
	r.watch = gk_loop_watch(loop, ends[0], GK_LOOP_READ, read_some, &r, &e);
	gk_watch_background(r.watch, true);
	gk_loop_run(loop);
	is_int(r.calls, 0, "a watch in the background does not keep the loop alive");
	gk_watch_stop(&r.watch);
	close(ends[0]);
	close(ends[1]);
}

static void test_unwatchable(void)
{
	struct gk_err e = {0};
	FILE *file = tmpfile();

	ok(!gk_loop_watch(loop, fileno(file), GK_LOOP_READ, read_some, NULL, &e), "a regular file is refused");
	is_int(e.kind, GK_ERR_SYSTEM, "as an error of the system");
	fclose(file);
}

static int ticks;
static struct gk_timer *ticker;

static void tick(void *ctx)
{
	(void)ctx;
	if (++ticks == 3)
		gk_timer_stop(&ticker);
}

static void stop_loop(void *ctx)
{
	(void)ctx;
	gk_loop_stop(loop);
}

static void test_timers(void)
{
	struct gk_timer *never = gk_loop_timer(loop, 3600000, 0, note_a, NULL), *soon;

	order[0] = '\0';
	ticker = gk_loop_timer(loop, 1, 1, tick, NULL);
	soon = gk_loop_timer(loop, 20, 0, stop_loop, NULL);
	gk_loop_run(loop);
	is_int(ticks, 3, "a repeating timer runs until it is stopped");
	ok(gk_loop_is_stopped(loop), "a stop ends the run although a timer is pending");
	gk_timer_background(never, true);
	gk_loop_run(loop);
	is_text(order, "", "a timer in the background does not keep the loop alive");
	gk_timer_stop(&never);
	gk_timer_stop(&soon);
}

struct sum {
	long total;
	pid_t thread;
	bool done;
};

static void add_up(void *ctx)
{
	struct sum *s = ctx;

	for (long i = 1; i <= 1000; i++)
		s->total += i;
	s->thread = (pid_t)syscall(SYS_gettid);
}

static void added_up(void *ctx)
{
	((struct sum *)ctx)->done = true;
}

static void test_work(void)
{
	struct sum s = {0};

	gk_loop_work(loop, add_up, added_up, &s);
	gk_loop_run(loop);
	ok(s.done && s.total == 500500, "work is done, then reported");
	ok(s.thread != (pid_t)syscall(SYS_gettid), "in another thread");
}

static void signal_note(void *ctx, int number)
{
	*(int *)ctx = number;
	gk_loop_stop(loop);
}

static void test_signals(void)
{
	struct gk_timer *guard = gk_loop_timer(loop, 10000, 0, stop_loop, NULL);
	struct gk_err e;
	int number = 0;

	ok(gk_loop_catch_interrupts(loop, signal_note, &number, &e) == 0, "interrupts are caught");
	raise(SIGTERM);
	gk_loop_run(loop);
	is_int(number, SIGTERM, "the first is reported");
	is_int(gk_loop_interrupted(loop), SIGTERM, "and remembered");
	gk_timer_stop(&guard);
}

/* In a process of its own: the second signal must end it. */
static void test_second_interrupt(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct gk_err e;
		struct gk_loop *own = gk_loop_new(&e);

		alarm(10);
		gk_loop_timer(own, 1, 1, note_a, NULL); /* signals alone do not keep a loop alive */
		order[0] = '\0';
		gk_loop_catch_interrupts(own, NULL, NULL, &e);
		raise(SIGINT);
		gk_loop_turn(own, false);
		gk_loop_turn(own, false);
		raise(SIGINT);
		for (;;)
			gk_loop_turn(own, false);
	}
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT, "a second interrupt ends the process by the signal");
}

static void test_free_with_all_alive(void)
{
	struct gk_err e;
	struct gk_loop *other = gk_loop_new(&e);
	struct sum s = {0};
	int ends[2];

	if (pipe(ends) < 0)
		abort();
	gk_loop_watch(other, ends[0], GK_LOOP_READ, read_some, NULL, &e);
	gk_loop_timer(other, 0, 1, note_a, NULL);
	gk_loop_defer(other, note_a, NULL);
	gk_loop_work(other, add_up, added_up, &s);
	order[0] = '\0';
	gk_loop_free(other);
	ok(!s.done && order[0] == '\0', "nothing calls back once a loop is being freed");
	close(ends[0]);
	close(ends[1]);
}

static void set_true(void *ctx)
{
	*(bool *)ctx = true;
}

static void test_until(void)
{
	struct gk_err e = {0};
	bool done = false, never = false;
	struct gk_timer *timer = gk_loop_timer(loop, 5, 0, set_true, &done);

	ok(gk_loop_until(loop, &done, &e) == 0 && done, "it turns until what is waited for has come");
	gk_timer_stop(&timer);
	ok(gk_loop_until(loop, &done, &e) == 0, "what has come already is not waited for");
	ok(gk_loop_until(loop, &never, &e) < 0 && e.kind == GK_ERR_INTERNAL, "with nothing alive it does not wait for ever");
}

int main(void)
{
	struct gk_err e;

	test_second_interrupt();
	loop = gk_loop_new(&e);
	test_until();
	test_deferred();
	test_watch();
	test_background();
	test_unwatchable();
	test_timers();
	test_work();
	test_signals();
	gk_loop_free(loop);
	test_free_with_all_alive();
	return done_testing();
}
