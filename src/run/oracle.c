#include "oracle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"

void oracle_init(struct oracle *oracle, struct gk_runner *runner, size_t ceiling)
{
	*oracle = (struct oracle){.runner = runner, .ceiling = ceiling};
}

/* ---- forgetting ---- */

static void close_all(int **fds, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		gk_fd_close(&(*fds)[i]);
	free(*fds);
	*fds = NULL;
	*count = 0;
}

static void set_empty(struct oracle_set *set)
{
	close_all(&set->input_fds, &set->input_count);
	close_all(&set->want_fds, &set->want_count);
	gk_judge_data_release(&set->data);
	json_decref(set->args);
	json_decref(set->outputs);
	set->args = set->outputs = NULL;
	set->oracle->bytes -= set->bytes;
	set->bytes = 0;
	set->state = ORACLE_EMPTY;
}

void oracle_release(struct oracle *oracle)
{
	for (size_t i = 0; i < oracle->sets.count; i++) {
		struct oracle_set *set = oracle->sets.entries[i].value.pointer;

		if (set->request)
			gk_runner_cancel(oracle->runner, set->request);
		set_empty(set);
		gk_vec_release(&set->waiters);
		json_decref(set->params);
		json_decref(set->pinned);
		json_decref(set->specials);
		json_decref(set->ordinary);
		free(set->distribution);
		free(set);
	}
	gk_map_release(&oracle->sets);
}

static struct oracle_set *longest_unused(struct oracle *oracle)
{
	struct oracle_set *found = NULL;

	for (size_t i = 0; i < oracle->sets.count; i++) {
		struct oracle_set *set = oracle->sets.entries[i].value.pointer;

		if (set->state == ORACLE_READY && set->users == 0 &&
		    (!found || set->last_used < found->last_used))
			found = set;
	}
	return found;
}

static size_t count_files(const struct oracle *oracle)
{
	size_t count = 0;

	for (size_t i = 0; i < oracle->sets.count; i++) {
		const struct oracle_set *set = oracle->sets.entries[i].value.pointer;

		count += set->input_count + set->want_count;
	}
	return count;
}

/* Each tensor is a memory file, and 1024 open files are the usual limit; half of it is for the rest. */
static size_t most_files(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (size_t)limit.rlim_cur / 2 : 32768;
}

static void drop_over_ceiling(struct oracle *oracle)
{
	while (oracle->bytes > oracle->ceiling || count_files(oracle) > most_files()) {
		struct oracle_set *set = longest_unused(oracle);

		if (!set)
			return;
		set_empty(set);
	}
}

/* ---- asking ---- */

/* In place: a waiter may make others forget, and may wait again for this very set. */
static void answer_waiters(struct oracle_set *set)
{
	size_t count = set->waiters.count;

	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct oracle_waiter waiter = set->waiters.items[i];

		set->waiters.items[i].fn = NULL;
		if (waiter.fn)
			waiter.fn(waiter.ctx, set);
	}
	set->waiters.count -= count;
	memmove(set->waiters.items, set->waiters.items + count,
	        set->waiters.count * sizeof *set->waiters.items);
}

static void set_failed(struct oracle_set *set, const struct gk_err *why)
{
	struct gk_err e = *why; /* may lie in the set's own answer */

	set_empty(set);
	set->state = ORACLE_FAILED;
	set->err = e;
	gk_err_context(&set->err, "task %s: oracle", set->task->id);
	answer_waiters(set);
}

static void take_fds(const struct gk_tensors_result *r, int **fds, size_t *count)
{
	*fds = gk_alloc_array(r->fd_count ? r->fd_count : 1, sizeof **fds);
	for (*count = 0; *count < r->fd_count; ++*count)
		(*fds)[*count] = gk_fd_steal(&r->fds[*count]);
}

static size_t bytes_of(const struct gk_judge_data *data)
{
	size_t bytes = 0;

	for (size_t i = 0; i < data->input_count; i++)
		bytes += data->inputs[i].bytes;
	for (size_t i = 0; i < data->output_count; i++)
		bytes += data->want[i].bytes;
	return bytes;
}

static int check_counts(const struct oracle_set *set, struct gk_err *e)
{
	if (set->data.input_count != set->input_count || set->data.output_count != set->want_count)
		return gk_err_set(
			e, GK_ERR_INTERNAL, "%zu inputs and %zu outputs came with %zu and %zu memory files",
			set->data.input_count, set->data.output_count, set->input_count, set->want_count);
	if (set->data.output_count != set->task->return_count)
		return gk_err_set(e, GK_ERR_INPUT, "expected() gives %zu outputs, task.yaml declares %zu",
		                  set->data.output_count, set->task->return_count);
	return 0;
}

static void expected_came(void *ctx, const struct gk_tensors_result *r)
{
	struct oracle_set *set = ctx;
	struct gk_err e = {0};

	set->request = 0;
	if (r->err) {
		set_failed(set, r->err);
		return;
	}
	set->outputs = json_incref(r->tensors);
	take_fds(r, &set->want_fds, &set->want_count);
	if (gk_judge_data_read(set->args, set->outputs, &set->data, &e) < 0 || check_counts(set, &e) < 0) {
		set_failed(set, &e);
		return;
	}
	set->data.has_specials = set->specials != NULL;
	set->bytes = bytes_of(&set->data);
	set->oracle->bytes += set->bytes;
	set->state = ORACLE_READY;
	answer_waiters(set);
	drop_over_ceiling(set->oracle);
}

/* Scalars that stand for data keep the values that the plan was captured with. */
static json_t *pin_scalars(const struct oracle_set *set, json_t *args)
{
	json_t *copy = json_deep_copy(args), *arg;
	size_t i;

	json_array_foreach(copy, i, arg)
	{
		json_t *value = json_object_get(json_array_get(set->pinned, i), "value");

		if (i < set->task->param_count && set->task->params[i].data && value)
			json_object_set(arg, "value", value);
	}
	return copy;
}

static void inputs_came(void *ctx, const struct gk_tensors_result *r)
{
	struct oracle_set *set = ctx;
	struct gk_expected_request request;

	set->request = 0;
	if (r->err) {
		set_failed(set, r->err);
		return;
	}
	set->args = set->pinned ? pin_scalars(set, r->tensors) : json_incref(r->tensors);
	take_fds(r, &set->input_fds, &set->input_count);
	request = (struct gk_expected_request){.task_folder = set->task->folder,
	                                       .params = set->params,
	                                       .args = set->args,
	                                       .fds = set->input_fds,
	                                       .fd_count = set->input_count};
	set->request = gk_runner_expected(set->oracle->runner, &request, expected_came, set);
}

static void ask(struct oracle_set *set)
{
	struct gk_inputs_request request = {.task_folder = set->task->folder,
	                                    .params = set->params,
	                                    .seed = set->seed,
	                                    .distribution = set->distribution,
	                                    .specials = set->specials,
	                                    .ordinary = set->ordinary,
	                                    .misaligned = set->misaligned};

	set->state = ORACLE_ASKED;
	set->request = gk_runner_inputs(set->oracle->runner, &request, inputs_came, set);
}

static json_t *special_names(unsigned specials)
{
	json_t *names = json_array();

	for (int i = 0; i < GK_SPECIAL_COUNT; i++)
		if (specials & 1u << i)
			json_array_append_new(names, json_string(gk_special_names[i]));
	return names;
}

static json_t *ordinary_names(const struct gk_task *task)
{
	json_t *names = json_array();

	for (size_t i = 0; i < task->param_count; i++)
		if (task->params[i].ordinary)
			json_array_append_new(names, json_string(task->params[i].name));
	return names;
}

struct oracle_set *oracle_get(struct oracle *oracle, const struct gk_task *task, const struct gk_case *c,
                              uint64_t seed, const char *distribution, unsigned specials, json_t *pinned,
                              const char *pin_name)
{
	gk_buf_auto key = GK_BUF_INIT;
	union gk_map_value *found;
	struct oracle_set *set;

	gk_buf_printf(&key, "%s/%s/%llu/%s/%u/%s", task->hash, c->id, (unsigned long long)seed, distribution,
	              specials, pin_name);
	found = gk_map_put(&oracle->sets, gk_buf_text(&key), NULL);
	set = found->pointer;
	if (!set) {
		found->pointer = set = gk_alloc(sizeof *set);
		set->oracle = oracle;
		set->params = json_incref(c->params);
		set->pinned = json_incref(pinned);
		set->seed = seed;
		set->distribution = gk_strdup(distribution);
		set->specials = specials ? special_names(specials) : NULL;
		set->ordinary = specials ? ordinary_names(task) : NULL;
		set->misaligned = c->misaligned;
	}
	set->task = task; /* the same by its hash; an earlier pointer may be gone */
	set->users++;
	set->last_used = ++oracle->tick;
	if (set->state == ORACLE_EMPTY || set->state == ORACLE_FAILED)
		ask(set);
	return set;
}

void oracle_wait(struct oracle_set *set, oracle_fn *fn, void *ctx)
{
	gk_vec_push(&set->waiters, (struct oracle_waiter){fn, ctx});
}

void oracle_forget(struct oracle_set *set, const void *ctx)
{
	for (size_t i = 0; i < set->waiters.count; i++)
		if (set->waiters.items[i].ctx == ctx)
			set->waiters.items[i].fn = NULL;
}

void oracle_put(struct oracle_set *set)
{
	if (--set->users == 0 &&
	    set->state == ORACLE_ASKED) { /* its task may be gone when the answer comes */
		gk_runner_cancel(set->oracle->runner, set->request);
		set->request = 0;
		set_empty(set);
	}
	drop_over_ceiling(set->oracle);
}

/* ---- bytes ---- */

/* Row-major copy of a strided tensor; rare: oracles give contiguous ones. */
static void *dense_copy(const struct gk_tensor *t, const char *storage)
{
	size_t size = gk_dtype_bytes(t->dtype);
	int64_t count = gk_tensor_count(t), index[GK_MAX_RANK] = {0};
	char *copy = gk_alloc((size_t)count * size + 1);

	for (int64_t i = 0; i < count; i++) {
		int64_t at = t->offset;

		for (int d = 0; d < t->rank; d++)
			at += index[d] * t->strides[d];
		memcpy(copy + (size_t)i * size, storage + (size_t)at * size, size);
		for (int d = t->rank - 1; d >= 0 && ++index[d] == t->shape[d]; d--)
			index[d] = 0;
	}
	return copy;
}

int oracle_want(const struct oracle_set *set, size_t i, struct oracle_bytes *bytes, struct gk_err *e)
{
	const struct gk_tensor *t = &set->data.want[i];
	const void *storage = NULL;

	*bytes = (struct oracle_bytes){0};
	if (gk_memfd_map(set->want_fds[i], t->bytes, &storage, e) < 0)
		return -1;
	bytes->mapped = (void *)(uintptr_t)storage;
	bytes->mapped_size = t->bytes;
	if (gk_tensor_is_contiguous(t)) {
		bytes->bytes = (const char *)storage + (size_t)t->offset * gk_dtype_bytes(t->dtype);
		return 0;
	}
	bytes->bytes = bytes->copied = dense_copy(t, storage);
	return 0;
}

void oracle_bytes_release(struct oracle_bytes *bytes)
{
	if (bytes->mapped && bytes->mapped_size)
		munmap(bytes->mapped, bytes->mapped_size);
	free(bytes->copied);
	*bytes = (struct oracle_bytes){0};
}
