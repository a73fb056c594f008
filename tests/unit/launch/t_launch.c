/* The launcher, asked as over the wire: outputs, findings, changed inputs, cached modules, lying requests. */
#include "launch/launch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../add_kernel.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "tap.h"

enum { COUNT = 100, BYTES = 4 * COUNT };

static struct gk_launcher launcher;
static float x[COUNT], y[COUNT], out[COUNT];
static char good[GK_HEX_SIZE], wild[GK_HEX_SIZE];

/* What a request says; zero values are replaced by honest ones. */
struct ask {
	const char *module; /* NULL: none is sent */
	const char *hash;
	int grid, kernel_output, buffer_bytes, input_bytes, output_bytes;
	const char *inputs;
	int64_t budget;
};

static struct gk_err e;
static json_t *answer;
static enum gk_wire_type type;

static int memfd(const void *bytes, size_t size)
{
	int fd = gk_memfd_from("test", bytes, size, &e);

	if (fd < 0)
		printf("# %s\n", e.text);
	return fd;
}

static void add_blob(struct gk_frame *f, int fd)
{
	f->blobs[f->blob_count].fd = fd;
	f->blob_count++;
}

static json_t *request_json(const struct ask *a)
{
	char plan[4096];
	json_t *json = json_object(), *ttir = json_array();

	snprintf(plan, sizeof plan, ADD_PLAN, BYTES, BYTES, a->buffer_bytes ? a->buffer_bytes : BYTES,
	         a->hash, a->grid ? a->grid : 2, a->kernel_output ? a->kernel_output - 1 : 2, COUNT, COUNT);
	json_object_set_new(json, "plan", json_loads(plan, 0, NULL));
	if (a->module)
		json_array_append_new(ttir, json_string(a->hash));
	json_object_set_new(json, "ttir", ttir);
	json_object_set_new(json, "inputs", json_loads(a->inputs ? a->inputs : "[0,1]", 0, NULL));
	json_object_set_new(json, "outputs", json_integer(1));
	json_object_set_new(json, "seed", json_integer(7));
	json_object_set_new(json, "budget", json_integer(a->budget));
	return json;
}

static int ask(const struct ask *a)
{
	gk_frame_auto frame = {.type = GK_WIRE_EXECUTE, .last = true, .id = 1};
	int made[GK_PLAN_MAX_OUTPUTS], fd, done;
	size_t made_count;
	ssize_t got;

	json_decref(answer);
	answer = NULL;
	e = (struct gk_err){0};
	frame.doc.root = request_json(a);
	frame.doc.name = gk_strdup("execute");
	if (a->module)
		add_blob(&frame, memfd(a->module, strlen(a->module)));
	add_blob(&frame, memfd(x, a->input_bytes ? (size_t)a->input_bytes : BYTES));
	add_blob(&frame, memfd(y, BYTES));
	fd = gk_memfd_new("out", a->output_bytes ? (size_t)a->output_bytes : BYTES, &e);
	add_blob(&frame, fd);
	done = gk_launcher_execute(&launcher, &frame, false, &type, &answer, made, &made_count, &e);
	got = pread(fd, out, BYTES, 0);
	(void)got;
	if (done < 0)
		printf("# %s\n", e.text);
	return done;
}

static const char *finding(const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(answer, "finding"), key));

	return text ? text : "";
}

static int64_t finding_int(const char *key)
{
	return json_integer_value(json_object_get(json_object_get(answer, "finding"), key));
}

static void an_honest_plan_gives_its_outputs(void)
{
	struct ask a = {.module = ADD_GOOD, .hash = good};
	int wrong = 0;

	ok(ask(&a) == 0 && type == GK_WIRE_EXECUTED, "a plan is executed");
	ok(json_is_null(json_object_get(answer, "finding")), "nothing is found");
	for (int i = 0; i < COUNT; i++)
		wrong += out[i] != x[i] + y[i];
	is_int(wrong, 0, "the outputs are right");
	is_int((long long)json_array_size(json_object_get(answer, "changed")), 0, "no input has changed");
	is_int(json_integer_value(
		       json_object_get(json_array_get(json_object_get(answer, "outputs"), 0), "poisoned")),
	       0, "every output was written");
	ok(json_integer_value(json_object_get(json_object_get(answer, "counts"), "bytes_written")) == BYTES,
	   "the traffic is counted");
}

static void modules_are_kept_and_missing_ones_named(void)
{
	struct ask a = {.hash = good}, b = {.hash = wild};

	ok(ask(&a) == 0 && type == GK_WIRE_EXECUTED, "a module that came before need not be sent again");
	ok(ask(&b) == 0 && type == GK_WIRE_NEED, "one that did not is asked for");
	is_text(json_string_value(json_array_get(json_object_get(answer, "hashes"), 0)), wild, "by its hash");
	b.module = ADD_GOOD;
	ok(ask(&b) == -1 && strstr(e.text, "hash"), "text under another's hash is refused");
}

static void a_wild_kernel_is_found_at_its_line(void)
{
	struct ask a = {.module = ADD_WILD, .hash = wild};

	ok(ask(&a) == 0, "an access out of bounds is a finding, no error");
	is_text(finding("kind"), "out_of_bounds", "its kind");
	is_int(finding_int("line"), 6, "its line");
	is_text(finding("kernel"), ADD_NAME, "its kernel");
	is_int(finding_int("buffer"), 0, "its buffer");
	is_int(finding_int("at"), BYTES, "its offset");
}

static void what_is_not_written_is_poison(void)
{
	struct ask a = {.hash = good, .grid = 1};
	json_t *output;

	ok(ask(&a) == 0, "half of the grid");
	output = json_array_get(json_object_get(answer, "outputs"), 0);
	is_int(json_integer_value(json_object_get(output, "poisoned")), COUNT - 64,
	       "the rest was never written");
	is_int(json_integer_value(json_object_get(output, "first")), 64,
	       "from the first element on that is missing");
	ok(out[70] != 0 || out[71] != 0 || out[72] != 0, "and holds a pattern, not zeros");
}

static void a_written_input_is_told(void)
{
	struct ask a = {.hash = good, .kernel_output = 1 + 1};

	ok(ask(&a) == 0, "a kernel that writes over y");
	is_int(json_integer_value(json_array_get(json_object_get(answer, "changed"), 0)), 1, "y has changed");
}

static void an_endless_kernel_ends(void)
{
	struct ask a = {.hash = good, .budget = 10};

	ok(ask(&a) == 0, "a budget that is too small");
	is_text(finding("kind"), "budget", "is a finding");
}

static void lies_are_refused(void)
{
	struct ask few = {.hash = good, .input_bytes = BYTES - 4}, twice = {.hash = good, .inputs = "[0,0]"},
		   none = {.hash = good, .inputs = "[0]"}, far = {.hash = good, .inputs = "[0,2]"},
		   small = {.hash = good, .output_bytes = BYTES - 4};

	ok(ask(&few) == -1 && strstr(e.text, "input x has 396 bytes"), "an input that is too short");
	ok(ask(&twice) == -1, "an input given twice");
	ok(ask(&none) == -1 && strstr(e.text, "input y"), "an input that is missing");
	ok(ask(&far) == -1, "an input for a buffer that takes none");
	ok(ask(&small) == -1 && strstr(e.text, "400 bytes"), "room for an output that is too small");
}

static void memory_has_a_ceiling(void)
{
	struct ask a = {.hash = good, .buffer_bytes = 1 << 30};

	ok(ask(&a) == 0, "a plan that needs more memory than there is");
	is_text(finding("kind"), "memory", "is a finding, before any is taken");
}

int main(void)
{
	struct gk_launch_options options = {.device = "cpu", .threads = 1, .memory_bytes = 64 << 20},
				 no = {.device = "tpu"};

	for (int i = 0; i < COUNT; i++) {
		x[i] = (float)i;
		y[i] = 0.5f * (float)i;
	}
	gk_hash_hex(ADD_GOOD, strlen(ADD_GOOD), good);
	gk_hash_hex(ADD_WILD, strlen(ADD_WILD), wild);
	ok(gk_launcher_open(&launcher, &no, &e) == -1 && strstr(e.text, "tpu"),
	   "an unknown device is refused");
	ok(gk_launcher_open(&launcher, &options, &e) == 0, "the machine opens");
	an_honest_plan_gives_its_outputs();
	modules_are_kept_and_missing_ones_named();
	a_wild_kernel_is_found_at_its_line();
	what_is_not_written_is_poison();
	a_written_input_is_told();
	an_endless_kernel_ends();
	lies_are_refused();
	memory_has_a_ceiling();
	json_decref(answer);
	gk_launcher_close(&launcher);
	return done_testing();
}
