/*
 * One execution: read the request, find the modules, take the inputs' bytes,
 * run prologue and steps, hand the outputs back, tell which inputs changed.
 *
 * A device that cannot know which bytes were written compares with what it
 * had filled in, and can be wrong by chance. Where it suspects an element, all
 * is run again over the inverse fill: an element that nobody wrote holds the
 * inverse then, one that was written holds what it held before. Of many
 * elements of 16 bits a few are as they were by chance, in almost every
 * honest run: while there are no more of them than chance explains, they count
 * as written. One of them that was not is random, and is wrong as a value.
 */
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "launch.h"
#include "modules.h"

enum { NOTE_BYTES = 4096 };

struct job {
	struct gk_launcher *launcher;
	struct gk_frame *frame;
	struct gk_plan *plan;
	struct gk_blob_map inputs[GK_PLAN_MAX_BUFFERS]; /* by buffer */
	const void *input_bytes[GK_PLAN_MAX_BUFFERS];
	struct gk_device_module *modules[GK_PLAN_MAX_KERNELS];
	struct gk_device_run run;
	uint8_t *dense[GK_PLAN_MAX_OUTPUTS];
	uint64_t poisoned[GK_PLAN_MAX_OUTPUTS];
	int64_t first[GK_PLAN_MAX_OUTPUTS];
	json_t *changed;
	double ms;
	int64_t started_ns, lap_ns;
	double memory_ms, outputs_ms, changes_ms; /* what the device was held for besides */
};

static int read_plan(struct job *job, const struct gk_node *root, struct gk_err *e)
{
	struct gk_node at = gk_node_key(root, "plan");

	if (!at.value)
		return gk_err_set(e, GK_ERR_INPUT, "execute: a plan is needed");
	job->plan = gk_plan_from_node(&at, e);
	return job->plan ? 0 : -1;
}

static int read_numbers(struct job *job, const struct gk_node *root, struct gk_err *e)
{
	struct gk_node seed = gk_node_key(root, "seed"), budget = gk_node_key(root, "budget"),
		       threads = gk_node_key(root, "threads");
	int64_t value = 0;

	if (seed.value && gk_node_int(&seed, 0, INT64_MAX, &value, e) < 0)
		return -1;
	job->run.seed = (uint64_t)value;
	value = 0;
	if (budget.value && gk_node_int(&budget, 0, INT64_MAX, &value, e) < 0)
		return -1;
	job->run.budget = value > 0 ? (uint64_t)value : GK_LAUNCH_BUDGET;
	value = 0;
	if (threads.value && gk_node_int(&threads, 0, 1024, &value, e) < 0)
		return -1;
	job->run.threads = (int)value;
	return 0;
}

static int map_input(struct job *job, int64_t buffer, size_t blob, struct gk_err *e)
{
	const struct gk_plan_buffer *b = &job->plan->buffers[buffer];

	if (!b->input || job->inputs[buffer].size || job->input_bytes[buffer])
		return gk_err_set(e, GK_ERR_INPUT,
		                  "execute: buffer %lld does not take an input, or takes it twice",
		                  (long long)buffer);
	if (gk_frame_map(job->frame, blob, job->launcher->memory_bytes, &job->inputs[buffer], e) < 0)
		return -1;
	if (job->inputs[buffer].size < b->bytes)
		return gk_err_set(e, GK_ERR_INPUT, "execute: input %s has %zu bytes, its buffer %llu",
		                  b->input, job->inputs[buffer].size, (unsigned long long)b->bytes);
	job->input_bytes[buffer] = b->bytes ? job->inputs[buffer].bytes : "";
	return 0;
}

static int map_inputs(struct job *job, const struct gk_node *root, size_t *used, struct gk_err *e)
{
	struct gk_node list = gk_node_key(root, "inputs");
	int64_t buffer;

	if (list.value && gk_node_array(&list, GK_PLAN_MAX_BUFFERS, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(&list); i++) {
		struct gk_node item = gk_node_item(&list, i);

		if (gk_node_int(&item, 0, (int64_t)job->plan->buffer_count - 1, &buffer, e) < 0 ||
		    map_input(job, buffer, (*used)++, e) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < job->plan->buffer_count; i++)
		if (job->plan->buffers[i].input && !job->input_bytes[i])
			return gk_err_set(e, GK_ERR_INPUT, "execute: the bytes of input %s are missing",
			                  job->plan->buffers[i].input);
	return 0;
}

static void run_steps(struct job *job)
{
	struct gk_device *device = job->launcher->device;
	int64_t started = gk_clock_ns();

	for (uint32_t i = 0; i < job->plan->prologue_count; i++)
		if (!device->ops->step(device, &job->run, &job->plan->prologue[i], 0))
			return;
	for (uint32_t i = 0; i < job->plan->step_count; i++)
		if (!device->ops->step(device, &job->run, &job->plan->steps[i], 0))
			return;
	device->ops->finish(device, &job->run);
	job->ms = (double)(gk_clock_ns() - started) / 1e6;
}

static int write_outputs(struct job *job, size_t used, bool is_inline, int *fds, size_t *count,
                         struct gk_err *e)
{
	for (uint32_t i = 0; i < job->plan->output_count; i++) {
		uint64_t bytes = gk_plan_view_bytes(&job->plan->outputs[i].view);
		int fd = launch_output_fd(job->frame, used + i, is_inline, bytes, e);

		if (fd < 0)
			return -1;
		if (is_inline)
			fds[(*count)++] = fd;
		if (launch_write_output(fd, job->dense[i], bytes, e) < 0)
			return -1;
	}
	return 0;
}

static json_t *counts_json(const struct gk_device_counts *c)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "bytes_read", (json_int_t)c->bytes_read,
	                 "bytes_written", (json_int_t)c->bytes_written, "operations",
	                 (json_int_t)c->operations, "atomics", (json_int_t)c->atomics, "launches",
	                 (json_int_t)c->launches, "programs", (json_int_t)c->programs);
}

static json_t *outputs_json(const struct job *job)
{
	json_t *outputs = json_array();

	for (uint32_t i = 0; i < job->plan->output_count; i++)
		json_array_append_new(outputs,
		                      json_pack("{s:I, s:I}", "poisoned", (json_int_t)job->poisoned[i],
		                                "first", (json_int_t)job->first[i]));
	return outputs;
}

static json_t *executed_json(const struct job *job)
{
	json_t *notes = json_array();

	if (job->run.notes.size > 0)
		json_array_append_new(notes,
		                      launch_safe_string(job->run.notes.bytes, job->run.notes.size, NOTE_BYTES));
	return json_pack("{s:o, s:O, s:o, s:o, s:o, s:f, s:f, s:{s:f, s:f, s:f}, s:b}", "finding",
	                 launch_finding_json(&job->run.finding), "changed", job->changed, "outputs", outputs_json(job),
	                 "counts", counts_json(&job->run.counts), "notes", notes, "ms", job->ms, "held_ms",
	                 (double)(gk_clock_ns() - job->started_ns) / 1e6, "took", "memory", job->memory_ms, "outputs",
	                 job->outputs_ms, "changes", job->changes_ms, "lost", job->launcher->device->is_lost);
}

/* ---- the runs ---- */

static void drop_memory(struct job *job)
{
	struct gk_device *device = job->launcher->device;

	if (job->run.memory)
		device->ops->memory_free(device, job->run.memory);
	job->run.memory = NULL;
}

static int take_memory(struct job *job, bool inverse, struct gk_err *e)
{
	struct gk_device *device = job->launcher->device;

	drop_memory(job);
	return device->ops->memory_new(device, job->plan, job->input_bytes, job->run.seed, inverse, &job->run.memory,
	                               e);
}

static int run_in_memory(struct job *job, struct gk_err *e)
{
	run_steps(job);
	if (job->run.err.kind == GK_ERR_NONE)
		return 0;
	*e = job->run.err;
	return -1;
}

static int take_outputs(struct job *job, struct gk_err *e)
{
	struct gk_device *device = job->launcher->device;

	for (uint32_t i = 0; i < job->plan->output_count; i++) {
		const struct gk_plan_view *view = &job->plan->outputs[i].view;

		job->dense[i] = gk_alloc(gk_plan_view_bytes(view) + 1);
		if (device->ops->copy_out(device, job->run.memory, view, job->dense[i], &job->poisoned[i],
		                          &job->first[i], e) < 0)
			return -1;
	}
	return 0;
}

static int take_changes(struct job *job, struct gk_err *e)
{
	struct gk_device *device = job->launcher->device;

	job->changed = json_array();
	for (uint32_t i = 0; i < job->plan->buffer_count; i++) {
		int changed = job->input_bytes[i] ? device->ops->is_changed(device, job->run.memory, i,
		                                                            job->input_bytes[i], e)
		                                  : 0;

		if (changed < 0)
			return -1;
		if (changed)
			json_array_append_new(job->changed, json_integer(i));
	}
	return 0;
}

static bool is_inverse(const uint8_t *a, const uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((a[i] ^ b[i]) != 0xff)
			return false;
	return true;
}

/* After a run over the inverse fill: what nobody wrote has turned into its inverse, nothing else has. */
static int settle_output(struct job *job, uint32_t index, struct gk_err *e)
{
	struct gk_device *device = job->launcher->device;
	const struct gk_plan_view *view = &job->plan->outputs[index].view;
	gk_free_auto uint8_t *again = gk_alloc(gk_plan_view_bytes(view) + 1);
	size_t size = gk_dtype_bytes(view->dtype);
	int64_t count = gk_plan_view_count(view), unused_first;
	uint64_t unused_count;

	if (job->poisoned[index] == 0)
		return 0;
	if (device->ops->copy_out(device, job->run.memory, view, again, &unused_count, &unused_first, e) < 0)
		return -1;
	job->poisoned[index] = 0;
	job->first[index] = -1;
	for (int64_t i = 0; i < count; i++)
		if (is_inverse(job->dense[index] + (size_t)i * size, again + (size_t)i * size, size) &&
		    job->poisoned[index]++ == 0)
			job->first[index] = i;
	return 0;
}

static void forgive_chance(struct job *job, uint32_t index)
{
	const struct gk_plan_view *view = &job->plan->outputs[index].view;

	if (!launch_is_chance((uint64_t)gk_plan_view_count(view), gk_dtype_bytes(view->dtype), job->poisoned[index]))
		return;
	job->poisoned[index] = 0;
	job->first[index] = -1;
}

static int settle_poison(struct job *job, struct gk_err *e)
{
	uint64_t suspected = 0;

	if (!job->launcher->device->ops->guesses_poison)
		return 0;
	for (uint32_t i = 0; i < job->plan->output_count; i++) {
		forgive_chance(job, i);
		suspected += job->poisoned[i];
	}
	if (suspected == 0 || job->run.finding.kind[0])
		return 0;
	if (take_memory(job, true, e) < 0 || run_in_memory(job, e) < 0)
		return -1;
	for (uint32_t i = 0; i < job->plan->output_count; i++)
		if (settle_output(job, i, e) < 0)
			return -1;
	return 0;
}

/* A plan that wants more than there is says nothing about us, and is no error. */
static int refuse_memory(struct job *job, const struct gk_err *why, json_t **json)
{
	snprintf(job->run.finding.kind, sizeof job->run.finding.kind, "memory");
	snprintf(job->run.finding.message, sizeof job->run.finding.message, "%.500s", why->text);
	job->run.finding.buffer = -1;
	job->changed = json_array();
	*json = executed_json(job);
	return 0;
}

static int run_job(struct job *job, size_t used, bool is_inline, json_t **json, int *fds, size_t *count,
                   struct gk_err *e)
{
	struct gk_err why = {0};

	job->run.plan = job->plan;
	job->run.modules = job->modules;
	job->started_ns = job->lap_ns = gk_clock_ns();
	if (take_memory(job, false, &why) < 0 &&
	    !(why.kind == GK_ERR_INPUT && launch_drop_kept(job->launcher) && take_memory(job, false, &why) == 0)) {
		if (why.kind == GK_ERR_INPUT)
			return refuse_memory(job, &why, json);
		*e = why;
		return -1;
	}
	job->memory_ms = launch_lap_ms(&job->lap_ns);
	if (run_in_memory(job, e) < 0)
		return -1;
	job->lap_ns = gk_clock_ns(); /* the steps have been timed */
	if (take_outputs(job, e) < 0)
		return -1;
	job->outputs_ms = launch_lap_ms(&job->lap_ns);
	if (take_changes(job, e) < 0)
		return -1;
	job->changes_ms = launch_lap_ms(&job->lap_ns);
	if (settle_poison(job, e) < 0 || write_outputs(job, used, is_inline, fds, count, e) < 0)
		return -1;
	*json = executed_json(job);
	return *json ? 0 : gk_err_set(e, GK_ERR_INTERNAL, "execute: the answer could not be written as JSON");
}

static int prepare(struct job *job, json_t **missing, size_t *used, struct gk_err *e)
{
	struct gk_node root = gk_node_root(&job->frame->doc);

	if (read_plan(job, &root, e) < 0 || read_numbers(job, &root, e) < 0 ||
	    launch_find_modules(job->launcher, job->frame, job->plan, job->modules, missing, used, e) < 0)
		return -1;
	return *missing ? 0 : map_inputs(job, &root, used, e);
}

static void job_release(struct job *job)
{
	drop_memory(job);
	for (int i = 0; i < GK_PLAN_MAX_OUTPUTS; i++)
		free(job->dense[i]);
	for (int i = 0; i < GK_PLAN_MAX_BUFFERS; i++)
		gk_blob_unmap(&job->inputs[i]);
	gk_buf_release(&job->run.notes);
	json_decref(job->changed);
	gk_plan_free(job->plan);
	free(job);
}

int gk_launcher_execute(struct gk_launcher *launcher, struct gk_frame *frame, bool is_inline,
                        enum gk_wire_type *type, json_t **json, int outputs[GK_PLAN_MAX_OUTPUTS],
                        size_t *output_count, struct gk_err *e)
{
	struct job *job = gk_alloc(sizeof *job);
	json_t *missing = NULL;
	size_t used = 0;
	int done;

	job->launcher = launcher;
	job->frame = frame;
	*output_count = 0;
	*type = GK_WIRE_EXECUTED;
	done = prepare(job, &missing, &used, e);
	if (done == 0 && missing) {
		*type = GK_WIRE_NEED;
		*json = json_pack("{s:o}", "hashes", missing);
	} else if (done == 0) {
		done = run_job(job, used, is_inline, json, outputs, output_count, e);
	}
	for (size_t i = 0; done < 0 && i < *output_count; i++)
		gk_fd_close(&outputs[i]);
	job_release(job);
	return done;
}
