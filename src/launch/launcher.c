/*
 * Theory of operation: one blocking loop, one request at a time. A request is
 * whole in itself: plan, inputs, room for outputs, and modules unless they are
 * cached from before (then a hash is enough; what is missing is named in a
 * `need`). Whatever is wrong with a kernel is a finding in `executed`;
 * whatever is wrong with the request or with us is an `error`, and the loop
 * goes on. The end of the channel ends the process. A kernel that takes the
 * process down takes nothing with it: geak starts another. So it does when a
 * GPU's context was lost to a fault: the launcher answers with the finding and
 * ends.
 */
#include "launch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/record.h"

#define MODULE_CACHE_BYTES ((size_t)64 << 20)

static uint64_t half_of_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages / 2 * (uint64_t)size : (uint64_t)1 << 30;
}

int gk_launcher_open(struct gk_launcher *launcher, const struct gk_launch_options *options, struct gk_err *e)
{
	const struct gk_device_ops *ops = gk_device_find(options->device);
	struct gk_device_options device = {
		.threads = options->threads, .memory_bytes = options->memory_bytes, .gpu = options->gpu};

	memset(launcher, 0, sizeof *launcher);
	if (!ops)
		return gk_err_set(e, GK_ERR_INPUT,
		                  "no device is called \"%s\"; this launcher has: cpu, cuda, hip",
		                  options->device);
	if (device.memory_bytes == 0) /* a GPU knows itself what it has */
		device.memory_bytes = ops->by_object ? (uint64_t)1 << 48 : half_of_memory();
	launcher->memory_bytes = device.memory_bytes;
	if (ops->open(&device, &launcher->device, e) < 0)
		return -1;
	if (!launcher->device)
		gk_bug("device %s opened as nothing", ops->name);
	return 0;
}

/* Which machine it is that has the device: results that are kept for one (geak selftest) must not pass for another's. */
static json_t *with_host(json_t *facts)
{
	if (facts)
		json_object_set_new(facts, "host", json_string(gk_record_host()));
	return facts;
}

json_t *gk_launch_describe(void)
{
	json_t *facts = NULL;
	struct gk_err ignored;

	for (size_t i = 0; gk_devices[i] && !facts; i++)
		if (gk_devices[i]->describe && gk_devices[i]->describe(&facts, &ignored) < 0)
			facts = NULL;
	return with_host(facts);
}

static void drop_modules(struct gk_launcher *launcher)
{
	for (size_t i = 0; i < launcher->modules.count; i++) {
		struct gk_launch_module *m = launcher->modules.entries[i].value.pointer;

		launcher->device->ops->module_free(launcher->device, m->made);
		gk_ir_free(m->ir);
		free(m->object);
		free(m);
	}
	gk_map_release(&launcher->modules);
	launcher->module_bytes = 0;
}

void gk_launcher_close(struct gk_launcher *launcher)
{
	if (!launcher->device)
		return;
	launch_drop_kept(launcher);
	drop_modules(launcher);
	launcher->device->ops->close(launcher->device);
	launcher->device = NULL;
}

struct gk_launch_module *gk_launcher_module(struct gk_launcher *launcher, const char *hash)
{
	union gk_map_value *found = gk_map_find(&launcher->modules, hash);

	return found ? found->pointer : NULL;
}

int gk_launcher_add(struct gk_launcher *launcher, const char *hash, const char *text, size_t size,
                    struct gk_err *e)
{
	struct gk_launch_module *m;
	struct gk_device_code code = {0};
	char own[GK_HEX_SIZE];

	gk_hash_hex(text, size, own);
	if (strcmp(own, hash) != 0)
		return gk_err_set(e, GK_ERR_INPUT, "a module's text has the hash %s, not %.64s", own, hash);
	m = gk_alloc(sizeof *m);
	m->ir = gk_ir_read("module", text, size, e);
	code.ir = m->ir;
	m->made = m->ir ? launcher->device->ops->module_load(launcher->device, &code, e) : NULL;
	if (!m->made) {
		gk_ir_free(m->ir);
		free(m);
		return -1;
	}
	gk_map_put(&launcher->modules, hash, NULL)->pointer = m;
	launcher->module_bytes += size;
	return 0;
}

int gk_launcher_add_object(struct gk_launcher *launcher, const char *key, const struct gk_object *object,
                           const void *bytes, size_t size, struct gk_err *e)
{
	struct gk_launch_module *m;
	struct gk_device_code code = {.bytes = bytes, .size = size};
	char own[GK_HEX_SIZE];

	gk_hash_hex(bytes, size, own);
	if (strcmp(own, object->object) != 0)
		return gk_err_set(e, GK_ERR_INPUT, "the code of %.200s has the hash %s, not %s", object->name,
		                  own, object->object);
	m = gk_alloc(sizeof *m);
	m->object = gk_alloc(sizeof *m->object);
	*m->object = *object;
	code.object = m->object;
	m->made = launcher->device->ops->module_load(launcher->device, &code, e);
	if (!m->made) {
		free(m->object);
		free(m);
		return -1;
	}
	gk_map_put(&launcher->modules, key, NULL)->pointer = m;
	launcher->module_bytes += size;
	return 0;
}

static int say_hello(struct gk_channel *channel, const struct gk_launcher *launcher, const char *build,
                     struct gk_err *e)
{
	gk_json_auto *json =
		json_pack("{s:i, s:s, s:s, s:i, s:I, s:o}", "proto", GK_WIRE_PROTO, "build", build, "role",
	                  "launcher", "slots", 1, "max_bytes", (json_int_t)launcher->memory_bytes, "facts",
	                  with_host(launcher->device->ops->facts(launcher->device)));

	return gk_channel_send(channel, GK_WIRE_HELLO, true, 0, json, NULL, 0, e);
}

static int say_error(struct gk_channel *channel, uint64_t id, const struct gk_err *why, struct gk_err *e)
{
	static const char *const kinds[] = {"none", "input", "system", "internal"};
	gk_json_auto *json = json_pack("{s:s, s:s}", "kind", kinds[why->kind], "message", why->text);

	/* json_pack() refuses text that is no UTF-8 */
	if (!json)
		json = json_pack("{s:s, s:s}", "kind", kinds[why->kind], "message",
		                 "a failure whose words are no text");
	return gk_channel_send(channel, GK_WIRE_ERROR, true, id, json, NULL, 0, e);
}

typedef int request_fn(struct gk_launcher *launcher, struct gk_frame *frame, bool is_inline, enum gk_wire_type *type,
                       json_t **json, int *outputs, size_t *output_count, struct gk_err *e);

static int answer_request(struct gk_channel *channel, struct gk_launcher *launcher, struct gk_frame *frame,
                          request_fn *request, struct gk_err *e)
{
	int outputs[GK_LAUNCH_OUTPUTS], done;
	size_t output_count = 0;
	gk_json_auto *json = NULL;
	enum gk_wire_type type = GK_WIRE_ERROR;
	struct gk_err why = {0};

	if (launcher->module_bytes > MODULE_CACHE_BYTES)
		drop_modules(launcher);
	if (request(launcher, frame, gk_channel_is_inline(channel), &type, &json, outputs, &output_count, &why) < 0)
		return say_error(channel, frame->id, &why, e);
	done = gk_channel_send(channel, type, true, frame->id, json, outputs, output_count, e);
	for (size_t i = 0; i < output_count; i++)
		gk_fd_close(&outputs[i]);
	return done;
}

static int answer(struct gk_channel *channel, struct gk_launcher *launcher, struct gk_frame *frame,
                  struct gk_err *e)
{
	struct gk_err why = {0};

	if (frame->type == GK_WIRE_EXECUTE)
		return answer_request(channel, launcher, frame, gk_launcher_execute, e);
	if (frame->type == GK_WIRE_TIME)
		return answer_request(channel, launcher, frame, gk_launcher_time, e);
	if (frame->type == GK_WIRE_CANCEL) /* nothing runs while we listen */
		return 0;
	gk_err_set(&why, GK_ERR_INPUT, "a launcher does not know frames of type %s",
	           gk_wire_type_name(frame->type));
	return say_error(channel, frame->id, &why, e);
}

static int serve(struct gk_channel *channel, struct gk_launcher *launcher, struct gk_err *e)
{
	for (;;) {
		gk_frame_auto frame = {0};
		int got = gk_channel_receive(channel, &frame, e);

		if (got <= 0)
			return got;
		if (answer(channel, launcher, &frame, e) < 0)
			return -1;
		if (launcher->device->is_lost)
			return gk_err_set(e, GK_ERR_SYSTEM, "a fault has taken the GPU's context along");
	}
}

int gk_launch_serve(const struct gk_launch_options *options, struct gk_err *e)
{
	struct gk_launcher launcher;
	struct gk_channel channel;
	struct gk_err unsaid;
	int done = -1;

	if (gk_channel_open(&channel, e) < 0)
		return -1;
	if (gk_launcher_open(&launcher, options, e) < 0) {
		say_error(&channel, 0, e, &unsaid); /* instead of hello */
	} else if (gk_launch_confine(&launcher, e) < 0) {
		say_error(&channel, 0, e, &unsaid);
		gk_launcher_close(&launcher);
	} else {
		done = say_hello(&channel, &launcher, options->build, e);
		if (done == 0)
			done = serve(&channel, &launcher, e);
		gk_launcher_close(&launcher);
	}
	gk_channel_close(&channel);
	return done;
}
