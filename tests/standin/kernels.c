/* Kernels of the stand-in driver: what each writes, and the time that it takes. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "standin.h"

enum { PROGRAM = 64 };

int stuck, launches;
double gpu_now_ms;

/* ---- time ---- */

/* "add=0.05 fill=0.001" in the environment: the number behind a kernel's name, 0 without one. */
static double number_of(const char *variable, const char *kernel)
{
	const char *text = getenv(variable);
	char name[32];
	double value;
	int used;

	for (; text && sscanf(text, " %31[^= ]=%lf%n", name, &value, &used) == 2; text += used)
		if (strcmp(name, kernel) == 0)
			return value;
	return 0;
}

/* From -1 to 1, the same numbers in every process. */
static double jitter(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state / 2147483648.0 - 1;
}

static void pass_time(const struct module *m)
{
	const char *by = getenv("STANDIN_JITTER"), *rise = getenv("STANDIN_RISE");
	double real = number_of("STANDIN_REAL", m->kernel), ms = number_of("STANDIN_MS", m->kernel);
	struct timespec from, now;

	ms *= 1 + (by ? atof(by) * jitter() : 0);
	gpu_now_ms += ms + (ms > 0 && rise ? atof(rise) * m->number : 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - from.tv_sec) * 1e3 + (now.tv_nsec - from.tv_nsec) / 1e6 < real);
}

/* ---- kernels of tests ---- */

static void add(const struct module *m, void **params, uint32_t programs)
{
	float *x = *(float **)params[0], *y = *(float **)params[1], *out = *(float **)params[2];
	int n = *(int *)params[3];

	for (int i = 0; i < n && i < (int)programs * PROGRAM; i++)
		if (strcmp(m->kernel, "half") != 0 || i % 2 == 0)
			out[i] = x[i] + y[i];
	if (strcmp(m->kernel, "stray") == 0)
		out[n] = 1;
	if (strcmp(m->kernel, "input") == 0)
		x[0] += 1;
	if (strcmp(m->kernel, "noisy") == 0)
		out[0] = (float)++launches;
}

static void flags(void **params)
{
	const float *x = *(float **)params[0], *y = *(float **)params[1];
	uint8_t *out = *(uint8_t **)params[2];

	for (int i = 0; i < *(int *)params[3]; i++)
		out[i] = x[i] > y[i];
}

/* ---- geak's own kernels ---- */

enum { BLOCK = 4096, RANK = 8 };

static void fill_words(void **params, uint32_t programs)
{
	uint32_t *words = *(uint32_t **)params[0], state = *(uint32_t *)params[2] * 2654435761u + 1;
	int64_t count = *(int64_t *)params[1];

	for (int64_t i = 0; i < count && i < (int64_t)programs * BLOCK; i++) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		words[i] = state ? state : (state = 1);
	}
}

static void sink_words(uint32_t *sink, uint32_t programs)
{
	for (uint32_t i = 0; i < programs; i++)
		sink[i] = i;
}

/* set_bN and copy_bN: pointers followed by strides, then the shape, then the bits of set. */
static void strided(const struct module *m, void **params)
{
	bool is_copy = strncmp(m->kernel, "copy_", 5) == 0;
	int size = atoi(strchr(m->kernel, '_') + 2), shape = is_copy ? 2 * (RANK + 1) : RANK + 1;
	int64_t index[RANK] = {0}, total = 1;
	char *to = *(char **)params[0], *from = is_copy ? *(char **)params[RANK + 1] : params[shape + RANK];

	for (int d = 0; d < RANK; d++)
		total *= *(int64_t *)params[shape + d];
	for (int64_t n = 0; n < total; n++) {
		int64_t dst = 0, src = 0, rest = n;

		for (int d = RANK; d-- > 0; rest /= *(int64_t *)params[shape + d]) {
			index[d] = rest % *(int64_t *)params[shape + d];
			dst += index[d] * *(int64_t *)params[1 + d];
			src += is_copy ? index[d] * *(int64_t *)params[RANK + 2 + d] : 0;
		}
		memcpy(to + dst * size, from + src * size, (size_t)size);
	}
}

/* Where element n of some shape lies; strides and shape are parameters from there on. */
static int64_t place(void **params, int strides, int shape, int64_t n)
{
	int64_t at = 0;

	for (int d = RANK; d-- > 0; n /= *(int64_t *)params[shape + d])
		at += n % *(int64_t *)params[shape + d] * *(int64_t *)params[strides + d];
	return at;
}

static int64_t count(void **params, int shape)
{
	int64_t all = 1;

	for (int d = 0; d < RANK; d++)
		all *= *(int64_t *)params[shape + d];
	return all;
}

/* dst and its strides, src and its strides, the shape of dst, strides and shape of what is folded. */
static void sum(void **params)
{
	enum { SRC = RANK + 1, SHAPE = SRC + RANK + 1, FOLDED = SHAPE + RANK, FOLDED_SHAPE = FOLDED + RANK };
	float *to = *(float **)params[0], *from = *(float **)params[SRC];

	for (int64_t n = 0; n < count(params, SHAPE); n++) {
		float all = 0;

		for (int64_t k = 0; k < count(params, FOLDED_SHAPE); k++)
			all += from[place(params, SRC + 1, SHAPE, n) + place(params, FOLDED, FOLDED_SHAPE, k)];
		to[place(params, 1, SHAPE, n)] = all;
	}
}

static bool run_own(const struct module *m, void **params, uint32_t programs)
{
	if (strcmp(m->kernel, "fill") == 0)
		fill_words(params, programs);
	else if (strcmp(m->kernel, "flush") == 0)
		sink_words(*(uint32_t **)params[2], programs);
	else if (strcmp(m->kernel, "scrub") == 0)
		sink_words(*(uint32_t **)params[0], programs);
	else if (strncmp(m->kernel, "set_b", 5) == 0 || strncmp(m->kernel, "copy_b", 6) == 0)
		strided(m, params);
	else if (strncmp(m->kernel, "sum_f32_f32_", 12) == 0)
		sum(params);
	else
		return false;
	return true;
}

/* Kernels that behave for a while. */
static void run_late(const struct module *m, void **params, uint32_t programs)
{
	bool is_late = ++launches > 40;

	if (is_late && strcmp(m->kernel, "late") == 0)
		stuck = 719;
	else if (!is_late || strcmp(m->kernel, "creep") == 0)
		add(m, params, programs);
	if (is_late && strcmp(m->kernel, "creep") == 0)
		(*(float **)params[2])[*(int *)params[3]] = 1;
}

void run(const struct module *m, void **params, uint32_t programs)
{
	pass_time(m);
	if (run_own(m, params, programs))
		return;
	if (strcmp(m->kernel, "lazy") == 0 || strcmp(m->kernel, "late") == 0 || strcmp(m->kernel, "creep") == 0)
		run_late(m, params, programs);
	else if (strcmp(m->kernel, "trap") == 0)
		stuck = 719;
	else if (strcmp(m->kernel, "wild") == 0)
		stuck = 700;
	else if (strcmp(m->kernel, "flags") == 0)
		flags(params);
	else if (strcmp(m->kernel, "hang") == 0)
		while (true)
			pause();
	else
		add(m, params, programs);
}
