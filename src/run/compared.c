/*
 * A comparison owns what its thread reads: mapped outputs and expected values
 * stay when the oracle's set, the task or the candidate are gone. One that is
 * given up while its thread runs frees itself when the thread is done.
 */
#include "compared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/memory.h"

#define AT_ONCE ((uint64_t)256 << 10) /* bytes of outputs: less takes no longer than a thread takes to wake up */

struct compared {
	const void *got[GK_PLAN_MAX_OUTPUTS], *want[GK_PLAN_MAX_OUTPUTS];
	size_t sizes[GK_PLAN_MAX_OUTPUTS];
	struct oracle_bytes wanted[GK_PLAN_MAX_OUTPUTS];
	size_t count;
	struct gk_outputs outputs;
	gk_loop_fn *done;
	void *ctx;
	bool is_done, is_abandoned;
};

static int map_all(struct compared *c, const struct compared_request *r, struct gk_err *e)
{
	for (size_t i = 0; i < r->count; i++) {
		if (gk_memfd_seal(r->fds[i], e) < 0 || gk_memfd_map(r->fds[i], r->sizes[i], &c->got[i], e) < 0)
			return -1;
		c->sizes[i] = r->sizes[i];
		c->count++;
		if (oracle_want(r->set, i, &c->wanted[i], e) < 0)
			return -1;
		c->want[i] = c->wanted[i].bytes;
	}
	return 0;
}

static void release(struct compared *c)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->sizes[i])
			munmap((void *)(uintptr_t)c->got[i], c->sizes[i]);
		oracle_bytes_release(&c->wanted[i]);
	}
	free(c);
}

static void compare(void *ctx)
{
	struct compared *c = ctx;

	gk_outputs_compare(&c->outputs);
}

static void came(void *ctx)
{
	struct compared *c = ctx;

	if (c->is_abandoned) {
		release(c);
		return;
	}
	c->is_done = true;
	c->done(c->ctx);
}

int compared_start(struct gk_loop *loop, const struct compared_request *request, gk_loop_fn *done, void *ctx,
                   struct compared **compared, struct gk_err *e)
{
	struct compared *c = gk_alloc(sizeof *c);
	uint64_t bytes = 0;

	*compared = NULL;
	if (map_all(c, request, e) < 0) {
		release(c);
		return -1;
	}
	c->done = done;
	c->ctx = ctx;
	gk_outputs_prepare(&c->outputs, request->task, request->c, &request->set->data, c->got, c->want);
	for (size_t i = 0; i < c->count; i++)
		bytes += c->sizes[i];
	if (bytes > AT_ONCE) {
		gk_loop_work(loop, compare, came, c);
	} else {
		compare(c);
		c->is_done = true;
	}
	*compared = c;
	return 0;
}

bool compared_is_done(const struct compared *c)
{
	return c->is_done;
}

const struct gk_outputs *compared_outputs(const struct compared *c)
{
	return &c->outputs;
}

void compared_repeat(struct compared *c, const struct gk_judge_data *data, const struct compared *other)
{
	gk_outputs_repeat(&c->outputs, data, &other->outputs);
}

void compared_free(struct compared *c)
{
	if (!c)
		return;
	if (c->is_done)
		release(c);
	else
		c->is_abandoned = true;
}
