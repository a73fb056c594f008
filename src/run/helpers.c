#include "helpers.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/vec.h"
#include "judge/describe.h"
#include "loop/loop.h"
#include "plan/helper.h"

#define MAX_ASKED (2 * GK_HELPER_MAX)

struct kernel {
	struct gk_helpers *helpers;
	char name[GK_HELPER_NAME];
	enum { IDLE, ASKED, READY } state;
	uint64_t request;
	struct gk_object object;
	void *code;
	size_t size;
};

struct asker {
	uint64_t id;
	struct kernel *kernels[MAX_ASKED];
	size_t count;
	gk_helpers_fn *fn;
	void *ctx;
	struct gk_err err; /* kind NONE: none so far */
};

struct gk_helpers {
	struct gk_loop *loop;
	struct gk_runner *runner;
	char target[32];
	struct GK_VEC(struct kernel *) kernels;
	struct GK_VEC(struct asker *) askers; /* not yet called back */
	uint64_t last_id;
};

struct gk_helpers *gk_helpers_new(struct gk_loop *loop, struct gk_runner *runner, const char *target)
{
	struct gk_helpers *h = gk_alloc(sizeof *h);

	h->loop = loop;
	h->runner = runner;
	snprintf(h->target, sizeof h->target, "%s", target);
	return h;
}

void gk_helpers_free(struct gk_helpers *h)
{
	if (!h)
		return;
	gk_loop_forget(h->loop, h);
	for (size_t i = 0; i < h->kernels.count; i++) {
		if (h->kernels.items[i]->state == ASKED)
			gk_runner_cancel(h->runner, h->kernels.items[i]->request);
		free(h->kernels.items[i]->code);
		free(h->kernels.items[i]);
	}
	for (size_t i = 0; i < h->askers.count; i++)
		free(h->askers.items[i]);
	gk_vec_release(&h->kernels);
	gk_vec_release(&h->askers);
	free(h);
}

/* ---- callbacks ---- */

static bool is_settled(const struct asker *asker)
{
	for (size_t i = 0; i < asker->count && asker->err.kind == GK_ERR_NONE; i++)
		if (asker->kernels[i]->state != READY)
			return false;
	return true;
}

static struct asker *take_asker(struct gk_helpers *h, size_t i)
{
	struct asker *asker = h->askers.items[i];

	h->askers.count--;
	memmove(h->askers.items + i, h->askers.items + i + 1, (h->askers.count - i) * sizeof(struct asker *));
	return asker;
}

static void call_back(const struct asker *asker)
{
	struct gk_time_helper made[MAX_ASKED];
	struct gk_helpers_result result = {.helpers = made, .count = asker->count};

	if (asker->err.kind != GK_ERR_NONE)
		result = (struct gk_helpers_result){.err = &asker->err};
	for (size_t i = 0; i < result.count; i++) {
		const struct kernel *k = asker->kernels[i];

		made[i] = (struct gk_time_helper){k->name, &k->object, k->code, k->size};
	}
	asker->fn(asker->ctx, &result);
}

/* One a round: what a callback does to the helpers, freeing included, meets no loop over them. */
static void deliver(void *ctx)
{
	struct gk_helpers *h = ctx;

	for (size_t i = 0; i < h->askers.count; i++) {
		struct asker *asker;

		if (!is_settled(h->askers.items[i]))
			continue;
		asker = take_asker(h, i);
		gk_loop_defer(h->loop, deliver, h);
		call_back(asker);
		free(asker);
		return;
	}
}

/* ---- lowering ---- */

static void fail_waiting(struct kernel *k, const struct gk_err *why)
{
	struct gk_helpers *h = k->helpers;

	k->state = IDLE;
	for (size_t i = 0; i < h->askers.count; i++) {
		struct asker *asker = h->askers.items[i];

		for (size_t n = 0; n < asker->count; n++)
			if (asker->kernels[n] == k && asker->err.kind == GK_ERR_NONE)
				asker->err = *why;
	}
}

static void lowered(void *ctx, const struct gk_lower_result *r)
{
	struct kernel *k = ctx;
	gk_buf_auto log = GK_BUF_INIT;
	struct gk_err e = {0};

	if (r->object) {
		k->object = *r->object;
		k->size = r->size;
		k->code = gk_alloc(r->size + 1);
		memcpy(k->code, r->code, r->size);
		k->state = READY;
	} else if (r->err) {
		e = *r->err;
		fail_waiting(k, &e);
	} else {
		if (r->rejected)
			gk_describe_log(&log, r->rejected);
		gk_err_set(&e, r->death ? GK_ERR_SYSTEM : GK_ERR_INTERNAL,
		           "the helper kernel %s does not compile for %s: %.300s", k->name, k->helpers->target,
		           r->death ? r->death : gk_buf_text(&log));
		fail_waiting(k, &e);
	}
	gk_loop_defer(k->helpers->loop, deliver, k->helpers);
}

static int lower(struct kernel *k, struct gk_err *e)
{
	struct gk_helpers *h = k->helpers;
	gk_buf_auto text = GK_BUF_INIT;
	char hash[GK_HEX_SIZE];
	struct gk_lower_request request = {.target = h->target, .ttir = hash};
	struct gk_ir *ir;

	if (gk_helper_text(k->name, h->target, &text, e) < 0)
		return -1;
	gk_hash_hex(gk_buf_text(&text), text.size, hash);
	ir = gk_ir_read(k->name, gk_buf_text(&text), text.size, e);
	if (!ir)
		return -1;
	request.ir = ir;
	request.options = gk_helper_options(k->name);
	k->state = ASKED;
	k->request = gk_runner_lower(h->runner, &request, lowered, k);
	json_decref(request.options);
	gk_ir_free(ir);
	return 0;
}

static struct kernel *find_kernel(struct gk_helpers *h, const char *name)
{
	struct kernel *k;

	for (size_t i = 0; i < h->kernels.count; i++)
		if (strcmp(h->kernels.items[i]->name, name) == 0)
			return h->kernels.items[i];
	k = gk_alloc(sizeof *k);
	k->helpers = h;
	snprintf(k->name, sizeof k->name, "%s", name);
	gk_vec_push(&h->kernels, k);
	return k;
}

static void add_kernel(struct asker *asker, struct kernel *k)
{
	for (size_t i = 0; i < asker->count; i++)
		if (asker->kernels[i] == k)
			return;
	if (asker->count < MAX_ASKED)
		asker->kernels[asker->count++] = k;
	if (k->state == IDLE && lower(k, &asker->err) < 0)
		gk_err_context(&asker->err, "a text of our own");
}

uint64_t gk_helpers_ask(struct gk_helpers *h, const struct gk_plan *const *plans, size_t count, gk_helpers_fn *fn,
                        void *ctx)
{
	struct asker *asker = gk_alloc(sizeof *asker);
	char names[GK_HELPER_MAX][GK_HELPER_NAME];

	asker->id = ++h->last_id;
	asker->fn = fn;
	asker->ctx = ctx;
	gk_vec_push(&h->askers, asker);
	for (size_t i = 0; i < count; i++) {
		size_t found = plans[i] ? gk_helper_list(plans[i], names) : 0;

		for (size_t n = 0; n < found; n++)
			add_kernel(asker, find_kernel(h, names[n]));
	}
	gk_loop_defer(h->loop, deliver, h);
	return asker->id;
}

void gk_helpers_cancel(struct gk_helpers *h, uint64_t id)
{
	for (size_t i = 0; i < h->askers.count; i++)
		if (h->askers.items[i]->id == id) {
			free(take_asker(h, i));
			return;
		}
}
