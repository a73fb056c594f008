/* Form and self-consistency of a plan. Whether it fits the task is validate.c's question. */
#include "parts.h"

#include <stdlib.h>

#include "base/memory.h"

#define MAX_BYTES  ((int64_t)1 << 40)
#define MAX_NAME   128
#define MAX_STRIDE ((int64_t)1 << 40)

void gk_plan_hold(struct gk_plan *plan, json_t *json)
{
	plan->json = gk_realloc_array(plan->json, plan->json_count + 1, sizeof *plan->json);
	plan->json[plan->json_count++] = json_incref(json);
}

void gk_plan_free(struct gk_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->json_count; i++)
		json_decref(plan->json[i]);
	free(plan->json);
	gk_arena_release(&plan->arena);
	free(plan);
}

int gk_plan_read_hash(const struct gk_node *at, char hash[GK_HEX_SIZE], struct gk_err *e)
{
	const char *text;

	if (gk_node_string(at, &text, e))
		return -1;
	if (strlen(text) != GK_HEX_SIZE - 1 || strspn(text, "0123456789abcdef") != GK_HEX_SIZE - 1)
		return gk_node_fail(at, e, "a SHA-256 of 64 lower-case hexadecimal digits is needed");
	memcpy(hash, text, GK_HEX_SIZE);
	return 0;
}

int gk_plan_read_hex(const struct gk_node *at, uint64_t max, uint64_t *bits, struct gk_err *e)
{
	const char *text;
	size_t digits;

	if (gk_node_string(at, &text, e))
		return -1;
	digits = strlen(text) > 2 ? strlen(text) - 2 : 0;
	if (strncmp(text, "0x", 2) != 0 || digits < 1 || digits > 16 ||
	    strspn(text + 2, "0123456789abcdefABCDEF") != digits)
		return gk_node_fail(at, e, "bits in the form \"0x3f800000\" are needed");
	*bits = strtoull(text + 2, NULL, 16);
	return *bits > max ? gk_node_fail(at, e, "the bits do not fit the element") : 0;
}

int gk_plan_read_name(const struct gk_node *at, size_t max_bytes, struct gk_plan *plan, const char **name,
                      struct gk_err *e)
{
	const char *text;

	if (gk_node_string(at, &text, e))
		return -1;
	if (!*text || strlen(text) > max_bytes)
		return gk_node_fail(at, e, "a name of 1 to %zu bytes is needed", max_bytes);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return gk_node_fail(at, e, "a name without control characters is needed");
	*name = gk_arena_string(&plan->arena, text);
	return 0;
}

static int read_sizes(const struct gk_node *at, int64_t min, int64_t max, int64_t sizes[GK_MAX_RANK],
                      int *rank, struct gk_err *e)
{
	if (gk_node_array(at, GK_MAX_RANK, e))
		return -1;
	*rank = (int)gk_node_count(at);
	for (int i = 0; i < *rank; i++) {
		struct gk_node item = gk_node_item(at, (size_t)i);

		if (gk_node_int(&item, min, max, &sizes[i], e))
			return -1;
	}
	return 0;
}

static int read_view_parts(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_view *view,
                           int *ranks, struct gk_err *e)
{
	struct gk_node buf = gk_node_key(at, "buf"), start = gk_node_key(at, "at"),
		       dtype = gk_node_key(at, "dtype");
	struct gk_node shape = gk_node_key(at, "shape"), strides = gk_node_key(at, "strides");
	int64_t number = 0, offset = 0;
	int index = 0;

	if (gk_node_int(&buf, 0, (int64_t)plan->buffer_count - 1, &number, e) ||
	    gk_node_int(&start, 0, MAX_BYTES, &offset, e) ||
	    gk_node_choice(&dtype, gk_dtype_names, &index, e) ||
	    read_sizes(&shape, 0, MAX_BYTES, view->shape, &ranks[0], e) ||
	    read_sizes(&strides, -MAX_STRIDE, MAX_STRIDE, view->strides, &ranks[1], e))
		return -1;
	view->buf = (uint32_t)number;
	view->at = (uint64_t)offset;
	view->dtype = (enum gk_dtype)(index + 1);
	view->rank = ranks[0];
	return 0;
}

int gk_plan_read_view(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_view *view,
                      struct gk_err *e)
{
	static const char *const keys[] = {"buf", "at", "dtype", "shape", "strides", NULL};
	int64_t count = 1;
	int ranks[2] = {0, 0};

	*view = (struct gk_plan_view){0};
	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e) ||
	    read_view_parts(at, plan, view, ranks, e))
		return -1;
	if (ranks[0] != ranks[1])
		return gk_node_fail(at, e, "a stride for each dimension is needed");
	for (int i = 0; i < view->rank; i++)
		if (__builtin_mul_overflow(count, view->shape[i], &count) || count > MAX_BYTES)
			return gk_node_fail(at, e, "the shape is too large");
	if (!gk_plan_view_fits(view, plan->buffers[view->buf].bytes))
		return gk_node_fail(at, e, "the view leaves buffer %u of %llu bytes", view->buf,
		                    (unsigned long long)plan->buffers[view->buf].bytes);
	if (view->at % gk_dtype_bytes(view->dtype))
		return gk_node_fail(at, e, "the view is not aligned to its elements");
	return 0;
}

static int read_buffer(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_buffer *buffer,
                       struct gk_err *e)
{
	static const char *const keys[] = {"bytes", "align", "input", NULL};
	struct gk_node bytes = gk_node_key(at, "bytes"), align = gk_node_key(at, "align"),
		       input = gk_node_key(at, "input");
	int64_t size = 0, power = 0;

	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e) ||
	    gk_node_int(&bytes, 0, MAX_BYTES, &size, e) || gk_node_int(&align, 1, 4096, &power, e))
		return -1;
	if (power & (power - 1))
		return gk_node_fail(&align, e, "a power of two is needed");
	if (input.value && gk_plan_read_name(&input, MAX_NAME, plan, &buffer->input, e))
		return -1;
	buffer->bytes = (uint64_t)size;
	buffer->align = (uint32_t)power;
	return 0;
}

static int read_buffers(const struct gk_node *at, struct gk_plan *plan, struct gk_err *e)
{
	if (gk_node_array(at, GK_PLAN_MAX_BUFFERS, e))
		return -1;
	plan->buffers = gk_arena_array(&plan->arena, gk_node_count(at), sizeof *plan->buffers);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		if (read_buffer(&item, plan, &plan->buffers[i], e))
			return -1;
		for (size_t k = 0; k < i && plan->buffers[i].input; k++)
			if (plan->buffers[k].input &&
			    strcmp(plan->buffers[k].input, plan->buffers[i].input) == 0)
				return gk_node_fail(&item, e, "buffer %zu has the same input", k);
	}
	plan->buffer_count = (uint32_t)gk_node_count(at);
	return 0;
}

static int read_kernel(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_kernel *kernel,
                       struct gk_err *e)
{
	static const char *const keys[] = {"ttir", "name", "options", "inline_asm", NULL};
	struct gk_node ttir = gk_node_key(at, "ttir"), name = gk_node_key(at, "name");
	struct gk_node options = gk_node_key(at, "options"), inline_asm = gk_node_key(at, "inline_asm");

	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e) ||
	    gk_plan_read_hash(&ttir, kernel->ttir, e) ||
	    gk_plan_read_name(&name, 512, plan, &kernel->name, e) || gk_plan_read_options(&options, e) ||
	    gk_node_bool(&inline_asm, &kernel->inline_asm, e))
		return -1;
	kernel->options = options.value;
	gk_plan_hold(plan, options.value);
	return 0;
}

static int read_kernels(const struct gk_node *at, struct gk_plan *plan, struct gk_err *e)
{
	if (gk_node_array(at, GK_PLAN_MAX_KERNELS, e))
		return -1;
	plan->kernels = gk_arena_array(&plan->arena, gk_node_count(at), sizeof *plan->kernels);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		if (read_kernel(&item, plan, &plan->kernels[i], e))
			return -1;
	}
	plan->kernel_count = (uint32_t)gk_node_count(at);
	return 0;
}

/* A view with a name beside its own keys. */
static int read_output(const struct gk_node *at, struct gk_plan *plan, struct gk_plan_output *output,
                       struct gk_err *e)
{
	struct gk_node name = gk_node_key(at, "name");
	gk_json_auto *view = NULL;
	struct gk_node bare = *at;

	if (gk_node_object(at, e) || gk_plan_read_name(&name, MAX_NAME, plan, &output->name, e))
		return -1;
	view = json_copy(at->value);
	json_object_del(view, "name");
	bare.value = view;
	return gk_plan_read_view(&bare, plan, &output->view, e);
}

static int read_outputs(const struct gk_node *at, struct gk_plan *plan, struct gk_err *e)
{
	if (gk_node_array(at, GK_PLAN_MAX_OUTPUTS, e))
		return -1;
	plan->outputs = gk_arena_array(&plan->arena, gk_node_count(at), sizeof *plan->outputs);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);

		if (read_output(&item, plan, &plan->outputs[i], e))
			return -1;
	}
	plan->output_count = (uint32_t)gk_node_count(at);
	return 0;
}

static int read_target(const struct gk_node *at, struct gk_plan *plan, struct gk_err *e)
{
	const char *text;

	if (gk_node_string(at, &text, e))
		return -1;
	if (!*text || strlen(text) >= sizeof plan->target ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(text))
		return gk_node_fail(at, e, "a target such as \"sm_90\" or \"gfx942\" is needed");
	memcpy(plan->target, text, strlen(text) + 1);
	return 0;
}

static int read_head(const struct gk_node *at, struct gk_plan *plan, struct gk_err *e)
{
	static const char *const irs[] = {"ttir", "ttgir", NULL};
	struct gk_node version = gk_node_key(at, "plan"), ir = gk_node_key(at, "ir"),
		       target = gk_node_key(at, "target");
	struct gk_node hash = gk_node_key(at, "case"), from = gk_node_key(at, "from");
	int64_t number;
	int index = 0;

	if (gk_node_int(&version, 1, 1, &number, e) || gk_node_choice(&ir, irs, &index, e) ||
	    read_target(&target, plan, e) || gk_plan_read_hash(&hash, plan->case_hash, e) ||
	    gk_plan_read_from(&from, e))
		return -1;
	snprintf(plan->ir, sizeof plan->ir, "%s", irs[index]);
	plan->from = from.value;
	gk_plan_hold(plan, from.value);
	return 0;
}

static int read_body(const struct gk_node *at, struct gk_plan *plan, struct gk_err *e)
{
	static const char *const keys[] = {"plan",    "ir",       "target", "case",    "from", "buffers",
	                                   "kernels", "prologue", "steps",  "outputs", NULL};
	struct gk_plan_budget budget = {.data_bytes = GK_PLAN_MAX_DATA, .variants = GK_PLAN_MAX_VARIANTS};
	struct gk_node buffers = gk_node_key(at, "buffers"), kernels = gk_node_key(at, "kernels");
	struct gk_node prologue = gk_node_key(at, "prologue"), steps = gk_node_key(at, "steps");
	struct gk_node outputs = gk_node_key(at, "outputs");

	if (gk_node_object(at, e) || gk_node_known_keys(at, keys, e) || read_head(at, plan, e) ||
	    read_buffers(&buffers, plan, e) || read_kernels(&kernels, plan, e) ||
	    gk_plan_read_steps(&prologue, plan, &budget, &plan->prologue, &plan->prologue_count, e) ||
	    gk_plan_read_steps(&steps, plan, &budget, &plan->steps, &plan->step_count, e))
		return -1;
	return read_outputs(&outputs, plan, e);
}

struct gk_plan *gk_plan_from_node(const struct gk_node *at, struct gk_err *e)
{
	struct gk_plan *plan = gk_alloc(sizeof *plan);

	if (read_body(at, plan, e)) {
		gk_plan_free(plan);
		return NULL;
	}
	return plan;
}

struct gk_plan *gk_plan_read(const char *name, const char *text, size_t size, struct gk_err *e)
{
	gk_doc_auto doc = {0};
	struct gk_node root;

	if (size > GK_PLAN_MAX_TEXT) {
		gk_err_set(e, GK_ERR_INPUT, "%s: a plan has at most %zu bytes, not %zu", name,
		           GK_PLAN_MAX_TEXT, size);
		return NULL;
	}
	if (gk_doc_from_json(&doc, name, text, size, e))
		return NULL;
	root = gk_node_root(&doc);
	return gk_plan_from_node(&root, e);
}
