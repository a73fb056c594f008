/* Loops on several threads: each round once, by whoever has time, also when many ask at once. */
#include "base/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tap.h"

enum { ROUNDS = 1000, ASKERS = 8 };

struct count {
	atomic_int times[ROUNDS];
};

static void add_one(void *ctx, size_t number)
{
	struct count *c = ctx;

	atomic_fetch_add(&c->times[number], 1);
}

static int all_once(struct count *c)
{
	int wrong = 0;

	for (int i = 0; i < ROUNDS; i++)
		wrong += atomic_load(&c->times[i]) != 1;
	return wrong == 0;
}

static void *ask(void *ctx)
{
	gk_parallel(ROUNDS, add_one, ctx);
	return NULL;
}

int main(void)
{
	static struct count one, none, all[ASKERS];
	pthread_t threads[ASKERS];
	int right = 0;

	gk_parallel(ROUNDS, add_one, &one);
	ok(all_once(&one), "every round is made once");
	gk_parallel(0, add_one, &none);
	is_int(atomic_load(&none.times[0]), 0, "no rounds: nothing");
	gk_parallel(1, add_one, &none);
	is_int(atomic_load(&none.times[0]), 1, "one round: here");
	for (int i = 0; i < ASKERS; i++)
		pthread_create(&threads[i], NULL, ask, &all[i]);
	for (int i = 0; i < ASKERS; i++) {
		pthread_join(threads[i], NULL);
		right += all_once(&all[i]);
	}
	is_int(right, ASKERS, "whoever asks at the same time gets the same");
	return done_testing();
}
