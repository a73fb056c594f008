/*
 * Theory of operation: whoever comes takes as many helpers as are free and of
 * use, starts them, works along, and waits for them. A round is taken by adding
 * one to a counter; nothing else is shared. Threads are started anew each time
 * (tens of microseconds): rounds are for work of milliseconds. Signals are left
 * to the threads that were there before.
 */
#include "parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { MOST_HELPERS = 31 };

struct rounds {
	gk_parallel_fn *fn;
	void *ctx;
	size_t count;
	atomic_size_t next;
};

static atomic_int busy; /* helpers of this process */

static void *work(void *ctx)
{
	struct rounds *r = ctx;

	for (size_t i; (i = atomic_fetch_add(&r->next, 1)) < r->count;)
		r->fn(r->ctx, i);
	return NULL;
}

static int take_helpers(size_t wanted)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int most = cores > MOST_HELPERS ? MOST_HELPERS : cores > 1 ? (int)cores - 1 : 0, now = atomic_load(&busy), took;

	do {
		int left = most > now ? most - now : 0;

		took = wanted < (size_t)left ? (int)wanted : left;
	} while (!atomic_compare_exchange_weak(&busy, &now, now + took));
	return took;
}

void gk_parallel(size_t count, gk_parallel_fn *fn, void *ctx)
{
	struct rounds r = {.fn = fn, .ctx = ctx, .count = count};
	pthread_t helpers[MOST_HELPERS];
	int taken = count > 1 ? take_helpers(count - 1) : 0, started = 0;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started < taken && pthread_create(&helpers[started], NULL, work, &r) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	work(&r);
	for (int i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
	atomic_fetch_sub(&busy, taken);
}
