#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/file.h"
#include "base/memory.h"
#include "judge/rules.h"
#include "judging.h"

/* What is mapped for one case. */
struct mapped {
	const void *want[GK_PLAN_MAX_OUTPUTS], *other[GK_PLAN_MAX_OUTPUTS], *inputs[GK_PLAN_MAX_BUFFERS];
	struct oracle_bytes want_bytes[GK_PLAN_MAX_OUTPUTS], other_bytes[GK_PLAN_MAX_OUTPUTS];
	size_t input_sizes[GK_PLAN_MAX_BUFFERS];
};

struct check {
	struct gk_loop *loop;
	struct gk_evaluator *evaluator;
	const struct gk_task *task;
	struct gk_rules rules;
	bool is_done;
	struct gk_err err; /* of what was waited for */
	/* the answer to an `expected` with one input exchanged */
	struct oracle_set *exchanged;
};

static int wait_done(struct check *k, struct gk_err *e)
{
	if (gk_loop_until(k->loop, &k->is_done, e) < 0)
		return gk_err_context(e, "task %s", k->task->id);
	k->is_done = false;
	if (k->err.kind == GK_ERR_NONE)
		return 0;
	*e = k->err;
	return -1;
}

static void set_came(void *ctx, struct oracle_set *set)
{
	struct check *k = ctx;

	k->is_done = true;
	if (set->state == ORACLE_FAILED)
		k->err = set->err;
}

static int get_set(struct check *k, const struct gk_case *c, int round, struct oracle_set **set,
                   struct gk_err *e)
{
	const struct gk_case *cases[1] = {c};
	struct gk_judge_setup setup = {
		.task = k->task, .cases = cases, .case_count = 1, .secret = k->evaluator->options.secret};

	/* one distribution for both seeds: a change must come from the seed */
	*set = oracle_get(&k->evaluator->oracle, k->task, c, gk_judge_seed(&setup, 0, round),
	                  gk_judge_distribution(&setup, 0, 0), 0, NULL, "check");
	if ((*set)->state == ORACLE_READY)
		return 0;
	oracle_wait(*set, set_came, k);
	return wait_done(k, e);
}

static int map_set(const struct oracle_set *set, const void **want, struct oracle_bytes *bytes,
                   struct gk_err *e)
{
	for (size_t i = 0; i < set->data.output_count; i++) {
		if (oracle_want(set, i, &bytes[i], e) < 0)
			return -1;
		want[i] = bytes[i].bytes;
	}
	return 0;
}

static int map_inputs(const struct oracle_set *set, struct mapped *m, struct gk_err *e)
{
	for (size_t i = 0; i < set->data.input_count; i++) {
		if (gk_memfd_map(set->input_fds[i], set->data.inputs[i].bytes, &m->inputs[i], e) < 0)
			return -1;
		m->input_sizes[i] = set->data.inputs[i].bytes;
	}
	return 0;
}

static void unmap(struct mapped *m)
{
	for (int i = 0; i < GK_PLAN_MAX_OUTPUTS; i++) {
		oracle_bytes_release(&m->want_bytes[i]);
		oracle_bytes_release(&m->other_bytes[i]);
	}
	for (int i = 0; i < GK_PLAN_MAX_BUFFERS; i++)
		if (m->input_sizes[i])
			munmap((void *)(uintptr_t)m->inputs[i], m->input_sizes[i]);
}

/* ---- one input exchanged for another seed's ---- */

static void exchanged_came(void *ctx, const struct gk_tensors_result *r)
{
	struct check *k = ctx;
	struct oracle_set *set = k->exchanged;

	k->is_done = true;
	if (r->err) {
		k->err = *r->err;
		return;
	}
	set->want_count = r->fd_count;
	set->want_fds = gk_alloc_array(r->fd_count ? r->fd_count : 1, sizeof *set->want_fds);
	for (size_t i = 0; i < r->fd_count; i++)
		set->want_fds[i] = gk_fd_steal(&r->fds[i]);
	gk_judge_data_read(set->args, r->tensors, &set->data, &k->err);
}

static bool same_layout(const struct gk_tensor *a, const struct gk_tensor *b)
{
	return a->dtype == b->dtype && a->rank == b->rank && a->offset == b->offset && a->bytes == b->bytes &&
	       memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
	       memcmp(a->strides, b->strides, sizeof a->strides) == 0;
}

static int ask_exchanged(struct check *k, const struct oracle_set *a, const struct oracle_set *b,
                         size_t input, struct gk_err *e)
{
	int fds[GK_PLAN_MAX_BUFFERS];
	struct gk_expected_request request = {.task_folder = k->task->folder,
	                                      .params = a->params,
	                                      .args = a->args,
	                                      .fds = fds,
	                                      .fd_count = a->input_count};

	for (size_t i = 0; i < a->input_count; i++)
		fds[i] = i == input ? b->input_fds[i] : a->input_fds[i];
	k->exchanged->args = a->args;
	gk_runner_expected(k->evaluator->runner, &request, exchanged_came, k);
	return wait_done(k, e);
}

static int check_dependence(struct check *k, const struct gk_rules_case *c, const struct oracle_set *a,
                            const struct oracle_set *b, size_t input, struct gk_err *e)
{
	struct oracle_set exchanged = {0};
	struct oracle_bytes bytes[GK_PLAN_MAX_OUTPUTS] = {0};
	const void *want[GK_PLAN_MAX_OUTPUTS] = {0};
	int done;

	if (k->rules.depends[input] || !same_layout(&a->data.inputs[input], &b->data.inputs[input]))
		return 0;
	k->exchanged = &exchanged;
	done = ask_exchanged(k, a, b, input, e);
	if (done == 0 && exchanged.data.output_count == a->data.output_count &&
	    map_set(&exchanged, want, bytes, e) == 0)
		gk_rules_depend(&k->rules, c, input, want);
	for (size_t i = 0; i < GK_PLAN_MAX_OUTPUTS; i++)
		oracle_bytes_release(&bytes[i]);
	for (size_t i = 0; i < exchanged.want_count; i++)
		gk_fd_close(&exchanged.want_fds[i]);
	free(exchanged.want_fds);
	gk_judge_data_release(&exchanged.data);
	k->exchanged = NULL;
	return done;
}

/* ---- cases, reference, all ---- */

static int check_mapped(struct check *k, const struct gk_case *c, const struct oracle_set *a,
                        const struct oracle_set *b, struct mapped *m, struct gk_err *e)
{
	struct gk_rules_case rules_case = {k->task, c, &a->data, m->want, m->other, m->inputs};

	if (map_set(a, m->want, m->want_bytes, e) < 0 || map_set(b, m->other, m->other_bytes, e) < 0 ||
	    map_inputs(a, m, e) < 0)
		return -1;
	gk_rules_add(&k->rules, &rules_case);
	for (size_t i = 0; i < a->data.input_count; i++)
		if (check_dependence(k, &rules_case, a, b, i, e) < 0)
			return -1;
	return 0;
}

static int check_case(struct check *k, const struct gk_case *c, struct gk_buf *problems, bool report,
                      size_t *count, struct gk_err *e)
{
	struct oracle_set *a = NULL, *b = NULL;
	struct mapped *m = gk_alloc(sizeof *m);
	int done = get_set(k, c, 0, &a, e);

	if (done == 0)
		done = get_set(k, c, 1, &b, e);
	if (done == 0)
		done = check_mapped(k, c, a, b, m, e);
	if (done == 0 && report)
		*count += gk_rules_report(&k->rules, k->task, &a->data, problems);
	unmap(m);
	free(m);
	if (a)
		oracle_put(a);
	if (b)
		oracle_put(b);
	return done;
}

struct own_reference {
	struct check *check;
	struct gk_buf *problems;
	size_t *count;
};

static void own_reference_judged(void *ctx, uint64_t id, struct gk_verdict *verdict)
{
	struct own_reference *r = ctx;

	(void)id;
	r->check->is_done = true;
	if (verdict->outcome == GK_INFRA) {
		gk_err_set(&r->check->err, strcmp(verdict->kind, "task") == 0 ? GK_ERR_INPUT : GK_ERR_SYSTEM,
		           "%s", verdict->message);
	} else if (verdict->outcome != GK_PASS) {
		gk_buf_printf(r->problems, "the reference does not pass: %s: %s\n", verdict->kind,
		              verdict->message);
		++*r->count;
	}
	gk_verdict_release(verdict);
}

static int check_reference(struct check *k, struct gk_buf *problems, size_t *count, struct gk_err *e)
{
	struct own_reference r = {k, problems, count};

	gk_evaluator_submit(k->evaluator, k->task, k->task->reference, k->task->reference_size,
	                    own_reference_judged, &r);
	return wait_done(k, e);
}

int gk_check_task(struct gk_loop *loop, struct gk_evaluator *evaluator, const struct gk_task *task,
                  struct gk_buf *problems, size_t *count, struct gk_err *e)
{
	struct check *k = gk_alloc(sizeof *k);
	const struct gk_case *cases[GK_TASK_MAX_CASES];
	size_t case_count = 0;
	int done = 0;

	*count = 0;
	k->loop = loop;
	k->evaluator = evaluator;
	k->task = task;
	for (size_t i = 0; i < task->case_count; i++)
		if (task->cases[i].exec && task->cases[i].cpu)
			cases[case_count++] = &task->cases[i];
	for (size_t i = 0; done == 0 && i < case_count; i++)
		done = check_case(k, cases[i], problems, i + 1 == case_count, count, e);
	if (done == 0)
		done = check_reference(k, problems, count, e);
	free(k);
	return done;
}
