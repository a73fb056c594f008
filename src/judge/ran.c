/*
 * What a run for real says of itself, and what came out of it. Everything but
 * the outputs, which geak has compared itself, is a claim: a candidate can make
 * its own process say what it likes, but it does not know what is expected, and
 * its outputs are read when nobody of it is left.
 */
#include <signal.h>
#include <string.h>

#include "base/text.h"
#include "contract.h"
#include "state.h"

enum { WORDS_BYTES = 1500, MOST_LAUNCHES = 4096 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* ---- what was returned ---- */

/* The one claim of a call; NULL when there is none, or more. */
static const json_t *told(const struct gk_capture_result *result, size_t call)
{
	const json_t *found = NULL;

	for (size_t i = 0; i < result->claim_count; i++) {
		const struct gk_claim *claim = &result->claims[i];

		if (claim->kind != GK_CLAIM_RAN || claim->case_index != (int64_t)call)
			continue;
		if (found)
			return NULL;
		found = claim->json;
	}
	return found;
}

static bool read_sizes(const json_t *array, int64_t *sizes, int *rank)
{
	size_t count = json_array_size(array);

	if (!json_is_array(array) || count > GK_MAX_RANK)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!json_is_integer(json_array_get(array, i)))
			return false;
		sizes[i] = json_integer_value(json_array_get(array, i));
	}
	*rank = (int)count;
	return true;
}

static bool read_view(const json_t *output, struct gk_returned *returned)
{
	struct gk_tensor *view = &returned->view;
	int strides = 0;

	*view = (struct gk_tensor){.dtype = gk_dtype_from_name(text_of(output, "dtype")), .fd = -1};
	returned->input = json_string_value(json_object_get(output, "input"));
	return read_sizes(json_object_get(output, "shape"), view->shape, &view->rank) &&
	       read_sizes(json_object_get(output, "strides"), view->strides, &strides) &&
	       strides == view->rank;
}

/* A class of its own could compute whenever somebody looks; a tensor elsewhere was not made on the device. */
static bool is_plain(const struct gk_judge_setup *setup, const json_t *output, size_t i, struct gk_buf *words)
{
	const char *device = text_of(output, "device");

	if (strcmp(text_of(output, "class"), "Tensor") != 0) {
		gk_buf_printf(words, "result %zu is of class ", i);
		gk_describe_foreign(words, text_of(output, "class"), 80);
		gk_buf_add_text(words, json_is_true(json_object_get(output, "is_tensor"))
		                               ? ", a class of tensors of its own, not a plain tensor"
		                               : ", not a tensor");
		return false;
	}
	if (strcmp(device, setup->on_gpu ? "cuda" : "cpu") == 0)
		return true;
	gk_buf_printf(words, "result %zu is a tensor on ", i);
	gk_describe_foreign(words, device, 30);
	gk_buf_add_text(words, ", not on the device of the inputs");
	return false;
}

static bool contract_holds(const struct gk_judge_setup *setup, const struct gk_judge_data *data,
                           const json_t *ran, struct gk_buf *words)
{
	struct gk_returned returned[GK_PLAN_MAX_OUTPUTS];
	const json_t *outputs = json_object_get(ran, "outputs");
	size_t count = json_array_size(outputs);

	if (count > GK_PLAN_MAX_OUTPUTS)
		count = GK_PLAN_MAX_OUTPUTS;
	for (size_t i = 0; i < count; i++) {
		const json_t *output = json_array_get(outputs, i);

		if (!is_plain(setup, output, i, words))
			return false;
		if (read_view(output, &returned[i]))
			continue;
		gk_buf_printf(words, "result %zu is no tensor that geak knows", i);
		return false;
	}
	return gk_contract_returned(setup->task, data, returned, count, words);
}

bool gk_judge_call_fits(const struct gk_judge_setup *setup, const struct gk_judge_data *data,
                        const struct gk_capture_result *result, size_t call)
{
	const json_t *ran = result->malformed ? NULL : told(result, call);
	gk_buf_auto words = GK_BUF_INIT;

	return ran && contract_holds(setup, data, ran, &words);
}

/* ---- launches against the plan ---- */

static bool is_launch_of(const struct gk_plan *plan, const struct gk_plan_launch *launch, const json_t *done)
{
	const struct gk_plan_kernel *kernel = &plan->kernels[launch->kernel];
	const json_t *grid = json_object_get(done, "grid");
	const char *ttir = text_of(done, "ttir");

	if (strcmp(text_of(done, "name"), kernel->name) != 0 || (*ttir && strcmp(ttir, kernel->ttir) != 0))
		return false;
	if (*ttir && !json_equal(json_object_get(done, "options"), kernel->options))
		return false;
	for (size_t i = 0; i < 3; i++)
		if (json_integer_value(json_array_get(grid, i)) != (json_int_t)launch->grid[i])
			return false;
	return true;
}

static bool is_step(const struct gk_plan *plan, const struct gk_plan_step *step, const json_t *done)
{
	if (step->op == GK_STEP_LAUNCH)
		return is_launch_of(plan, &step->launch, done);
	/* the interpreter takes the first configuration, a tuner the fastest */
	for (uint32_t v = 0; v < step->variant_count; v++)
		if (is_launch_of(plan, &step->variants[v].launch, done))
			return true;
	return false;
}

static const struct gk_plan_launch *launch_of(const struct gk_plan_step *step)
{
	return step->op == GK_STEP_LAUNCH ? &step->launch : &step->variants[0].launch;
}

static void add_launch(struct gk_buf *words, const struct gk_plan *plan, const struct gk_plan_launch *l)
{
	gk_describe_foreign(words, plan->kernels[l->kernel].name, 80);
	gk_buf_printf(words, " over (%u, %u, %u) programs", l->grid[0], l->grid[1], l->grid[2]);
}

static void add_done(struct gk_buf *words, const json_t *done)
{
	const json_t *grid = json_object_get(done, "grid");

	gk_describe_foreign(words, text_of(done, "name"), 80);
	gk_buf_printf(words, " over (%lld, %lld, %lld) programs",
	              (long long)json_integer_value(json_array_get(grid, 0)),
	              (long long)json_integer_value(json_array_get(grid, 1)),
	              (long long)json_integer_value(json_array_get(grid, 2)));
}

static bool differ(struct gk_buf *words, const struct gk_plan *plan, const struct gk_plan_step *step,
                   size_t number, const json_t *done)
{
	gk_buf_printf(words, "launch %zu is ", number + 1);
	if (done)
		add_done(words, done);
	else
		gk_buf_add_text(words, "not there");
	gk_buf_add_text(words, ", by its plan ");
	if (step)
		add_launch(words, plan, launch_of(step));
	else
		gk_buf_add_text(words, "there is none");
	if (done && step && strcmp(text_of(done, "name"), plan->kernels[launch_of(step)->kernel].name) == 0)
		gk_buf_add_text(words, " (of another text, with other options or another grid)");
	return false;
}

/* A first call does besides what later ones find done: the plan's prologue. */
static bool launches_agree(const struct gk_plan *plan, const json_t *ran, bool is_first, struct gk_buf *words)
{
	const json_t *launches = json_object_get(ran, "launches");
	size_t at = 0, from, count = json_array_size(launches);

	if (json_integer_value(json_object_get(ran, "total")) > MOST_LAUNCHES)
		return differ(words, plan, NULL, MOST_LAUNCHES, json_array_get(launches, count - 1));
	for (uint32_t i = 0; i < plan->step_count; i++) {
		const struct gk_plan_step *step = &plan->steps[i];

		if (step->op != GK_STEP_LAUNCH && step->op != GK_STEP_CHOOSE)
			continue;
		from = at;
		while (is_first && at < count && !is_step(plan, step, json_array_get(launches, at)))
			at++;
		if (at == count || !is_step(plan, step, json_array_get(launches, at)))
			return differ(words, plan, step, from, json_array_get(launches, from));
		at++;
	}
	return is_first || at == count || differ(words, plan, NULL, at, json_array_get(launches, at));
}

/* ---- the framework's work, where there is no plan to say it ---- */

static bool is_allowed(const struct gk_task *task, const json_t *item)
{
	const char *op = text_of(item, "op"), *bare = strrchr(op, ':') ? strrchr(op, ':') + 1 : op;
	size_t size = strlen(op);

	for (size_t i = 0; i < task->allow_count; i++) {
		const char *name = task->allow[i];

		if (strcmp(name, op) == 0 || strcmp(name, bare) == 0 ||
		    (strncmp(name, op, size) == 0 && name[size] == '.' &&
		     strcmp(name + size + 1, text_of(item, "overload")) == 0))
			return true;
	}
	return false;
}

static bool work_is_its_own(struct gk_cascade *c, const json_t *ran, struct gk_buf *words, const char **kind)
{
	json_t *census = json_object_get(ran, "census"), *launches = json_object_get(ran, "launches"), *item;
	size_t i;

	json_array_foreach(census, i, item)
	{
		if (strcmp(text_of(item, "what"), "arithmetic") != 0 || is_allowed(c->setup.task, item))
			continue;
		gk_describe_foreign(words, text_of(item, "op"), 80);
		gk_buf_add_text(words, " computes with PyTorch, which the task does not allow");
		gk_describe_line(words, &c->source, json_integer_value(json_object_get(item, "line")));
		*kind = "not_a_kernel";
		return false;
	}
	json_array_foreach(launches, i, item)
	{
		if (json_is_true(json_object_get(item, "own")))
			continue;
		gk_buf_add_text(words, "kernel ");
		gk_describe_foreign(words, text_of(item, "name"), 80);
		gk_buf_add_text(words, " is not defined in the candidate's file");
		*kind = "foreign_kernel";
		return false;
	}
	return true;
}

/* A claim as well; with the interpreter inputs cannot be written at all. */
static bool inputs_are_unchanged(const json_t *ran, struct gk_buf *words)
{
	const json_t *changed = json_object_get(ran, "changed");

	if (json_array_size(changed) == 0)
		return true;
	gk_buf_add_text(words, "the input ");
	gk_describe_foreign(words, json_string_value(json_array_get(changed, 0)), 80);
	gk_buf_add_text(words, " was written to; inputs must be left as they are");
	return false;
}

/* ---- how it ended ---- */

static const struct gk_claim *raised(const struct gk_capture_result *r)
{
	for (size_t i = 0; i < r->claim_count; i++)
		if (r->claims[i].kind == GK_CLAIM_RAISED)
			return &r->claims[i];
	return NULL;
}

static void add_raised(struct gk_cascade *c, const json_t *claim, struct gk_buf *words)
{
	const char *message = text_of(claim, "message");

	gk_describe_foreign(words, text_of(claim, "type"), 80);
	gk_describe_line(words, &c->source, json_integer_value(json_object_get(claim, "line")));
	gk_buf_add_text(words, ": ");
	gk_text_add_safe(words, message, strlen(message), WORDS_BYTES, true);
}

/* Words and kind of a run that has not come to its end; NULL: it has. */
static const char *ended_badly(struct gk_cascade *c, const struct gk_capture_result *r, struct gk_buf *words)
{
	const struct gk_claim *error = raised(r);

	if (r->malformed) {
		gk_buf_add_text(words, "it wrote into geak's channel: ");
		gk_describe_foreign(words, r->malformed, 300);
		return "forged_claims";
	}
	if (error) {
		add_raised(c, error->json, words);
		return "raised";
	}
	switch (r->end) {
	case GK_CAPTURE_TIMED_OUT:
		gk_buf_add_text(words, "it did not come to an end in time and was stopped");
		return "timeout";
	case GK_CAPTURE_FLOODED:
		gk_buf_add_text(words, "it wrote more output than is allowed and was stopped");
		return "flood";
	case GK_CAPTURE_OVER_MEMORY:
		gk_buf_add_text(words, "it took more memory than is allowed and was stopped");
		return "memory";
	case GK_CAPTURE_KILLED_ZYGOTE:
		gk_buf_add_text(words, "it took down the process that had started it, twice");
		return "crash";
	case GK_CAPTURE_SIGNALED:
		gk_buf_printf(words, "its process was ended by signal %d (%s)", r->code, strsignal(r->code));
		if (r->code == SIGSEGV)
			gk_buf_add_text(words, "; inputs are read-only, a write to one ends like this");
		return "crash";
	case GK_CAPTURE_EXITED:
		break;
	}
	if (r->complete)
		return NULL;
	gk_buf_printf(words, "its process exited with status %d before it had returned", r->code);
	return "exited";
}

/*
 * With Triton's interpreter much ends that would go well on a GPU: it raises, it is slow, what waits for
 * another program waits for ever. No verdict is made of that.
 */
static bool is_interpreters(const struct gk_cascade *c, const char *kind)
{
	return !c->setup.on_gpu && (strcmp(kind, "raised") == 0 || strcmp(kind, "narrow_values") == 0 ||
	                            strcmp(kind, "timeout") == 0 || strcmp(kind, "memory") == 0 ||
	                            (!c->is_contained && strcmp(kind, "crash") == 0));
}

/* ---- end to end ---- */

static const struct gk_claim *mark(const struct gk_capture_result *r, const char *at)
{
	for (size_t i = 0; i < r->claim_count; i++)
		if (r->claims[i].kind == GK_CLAIM_MARK && strcmp(text_of(r->claims[i].json, "at"), at) == 0)
			return &r->claims[i];
	return NULL;
}

/* Of three clocks the slowest counts: two are in the candidate's process, the third is geak's own. */
static void take_times(struct gk_cascade *c, const struct run *run, const struct gk_capture_result *r)
{
	const struct gk_claim *begin = mark(r, "begin"), *end = mark(r, "end");
	json_int_t calls = begin ? json_integer_value(json_object_get(begin->json, "calls")) : 0;
	double event, host, keeper, most;

	if (!begin || !end || calls < 1 || calls > run->x.times)
		return;
	event = json_number_value(json_object_get(end->json, "event_ms")) / (double)calls;
	host = json_number_value(json_object_get(end->json, "host_ms")) / (double)calls;
	keeper = (double)(end->came_ns - begin->came_ns) / 1e6 / (double)calls;
	most = host > event ? host : event;
	if (!c->end_to_end)
		c->end_to_end = json_array();
	json_array_append_new(c->end_to_end,
	                      json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:b}", "case",
	                                c->cases[run->x.case_index].id, "calls", calls, "ms",
	                                keeper > most ? keeper : most, "event_ms", event, "host_ms", host,
	                                "keeper_ms", keeper, "interpreted", !c->setup.on_gpu));
}

/* ---- the run ---- */

/* The interpreter rounds formats that its arrays do not have in its own way. */
static bool is_narrow(const struct gk_judge_data *data)
{
	bool narrow = false;

	for (size_t i = 0; i < data->input_count; i++)
		narrow |=
			gk_dtype_is_float(data->inputs[i].dtype) && gk_dtype_bytes(data->inputs[i].dtype) < 4;
	for (size_t i = 0; i < data->output_count; i++)
		narrow |= gk_dtype_is_float(data->outputs[i].dtype) &&
		          gk_dtype_bytes(data->outputs[i].dtype) < 4;
	return narrow;
}

static bool has_narrow(const struct gk_cascade *c)
{
	for (size_t i = 0; i < c->modules.count; i++)
		if (strstr(c->modules.items[i].text, "bf16") || strstr(c->modules.items[i].text, "f8E"))
			return true;
	return false;
}

static const char *judge_values(struct gk_cascade *c, const struct run *run, size_t i,
                                const struct gk_judge_call *call, struct gk_buf *words)
{
	if (call->outputs->wrong == call->outputs->count)
		return NULL;
	trial_describe_difference(c, run->x.case_index, run->x.rounds[i], call->data, call->outputs, words);
	return !c->setup.on_gpu && (is_narrow(call->data) || has_narrow(c)) ? "narrow_values"
	                                                                    : "wrong_values";
}

/* The kind of what is wrong with a call, or NULL. */
static const char *judge_call(struct gk_cascade *c, struct run *run, size_t i,
                              const struct gk_capture_result *r, const struct gk_judge_call *call,
                              struct gk_buf *words)
{
	const json_t *ran = told(r, i);
	const char *kind = NULL;

	if (!ran) {
		gk_buf_printf(words, "it has not told of call %zu, or more than once", i + 1);
		return "forged_claims";
	}
	if (!contract_holds(&c->setup, call->data, ran, words))
		return "wrong_contract";
	run->launches += json_array_size(json_object_get(ran, "launches"));
	if (!inputs_are_unchanged(ran, words))
		return "input_changed";
	if (c->is_contained && !run->x.times && !work_is_its_own(c, ran, words, &kind))
		return kind;
	if (!c->is_contained && !run->x.times &&
	    !launches_agree(c->cases[run->x.case_index].plans[0], ran, i == 0, words))
		return "launches";
	return judge_values(c, run, i, call, words);
}

static void fail(struct gk_cascade *c, struct run *run, const char *kind, const struct gk_buf *why)
{
	gk_buf_auto words = GK_BUF_INIT;
	json_t *detail = json_pack("{s:s}", "real", kind);

	run->is_unable = is_interpreters(c, kind);
	if (run->is_unable) {
		gk_buf_printf(&words, "with Triton's interpreter, %s", gk_buf_text(why));
		run->failing = failing_of(c, GK_UNDECIDED, "not_simulated", &words);
	} else if (c->is_contained) {
		run->failing = failing_of(c, GK_FAIL, kind, why);
	} else {
		gk_buf_printf(
			&words,
			"called for real, on fresh inputs, %s does not do what its launch plan says: %s",
			c->setup.task->entry, gk_buf_text(why));
		run->failing = failing_of(c, GK_FAIL, "plan_mismatch", &words);
	}
	run->failing.detail = detail;
}

void ran_judge(struct gk_cascade *c, struct run *run, const struct gk_capture_result *r,
               const struct gk_judge_call *calls)
{
	gk_buf_auto words = GK_BUF_INIT;
	const char *kind = ended_badly(c, r, &words);

	for (size_t i = 0; i < run->x.count && !kind; i++)
		kind = judge_call(c, run, i, r, &calls[i], &words);
	if (kind)
		fail(c, run, kind, &words);
	else if (run->x.times)
		take_times(c, run, r);
}
