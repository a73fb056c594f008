/*
 * Theory of operation: a launcher owns one GPU. Whoever opens one takes an
 * exclusive lock on a file named by the GPU's PCI address, so that no other
 * geak on this machine launches beside it; of several GPUs it takes the first
 * that is free, which spreads launchers over them without a word between them.
 * The lock goes with the process, however it ends.
 *
 * Before it says hello, a small round trip through the device's memory shows
 * that the GPU works: a launcher that comes after a fault proves with it that
 * the fault was the plan's.
 */
#include "gpu.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum { LOCK_WAIT_MS = 60000, LOCK_PAUSE_MS = 50, STREAM_ALONE = 1 };

/* ---- errors, library ---- */

int gpu_fail(struct gpu *gpu, int error, const char *what, struct gk_err *e)
{
	const char *name = NULL, *text = NULL;

	if (gpu->vendor->fault_kind(error))
		gpu->device.is_lost = true;
	gpu->call.error_name(error, &name);
	gpu->call.error_text(error, &text);
	return gk_err_set(e, GK_ERR_SYSTEM, "%s: %s (%s)", what, text ? text : "an error without words",
	                  name ? name : "unknown");
}

void *gpu_symbol(struct gpu *gpu, const char *name, struct gk_err *e)
{
	void *symbol = dlsym(gpu->library, name);

	if (!symbol)
		gk_err_set(e, GK_ERR_SYSTEM, "the driver (%s) is too old: it has no %s",
		           gpu->vendor->libraries[0], name);
	return symbol;
}

static int load_calls(struct gpu *gpu, struct gk_err *e)
{
	static const struct {
		size_t at;
		const char *names[2];
	} calls[] = {
#define GPU_ROW(field, arguments, cuda, hip) {offsetof(struct gpu_calls, field), {cuda, hip}},
		GPU_CALLS(GPU_ROW)
#undef GPU_ROW
	};

	for (size_t i = 0; i < gk_count_of(calls); i++) {
		void *symbol = gpu_symbol(gpu, calls[i].names[gpu->vendor->is_cuda ? 0 : 1], e);

		if (!symbol)
			return -1;
		memcpy((char *)&gpu->call + calls[i].at, &symbol, sizeof symbol);
	}
	return 0;
}

static int find_library(struct gpu *gpu, struct gk_err *e)
{
	const char *named = getenv(gpu->vendor->variable);
	const char *const named_alone[] = {named, NULL}, *const *names = gpu->vendor->libraries;
	char why[512] = "";

	for (names = named && *named ? named_alone : names; *names && !gpu->library; names++) {
		gpu->library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
		if (!gpu->library && !why[0])
			snprintf(why, sizeof why, "%s", dlerror());
	}
	return gpu->library
	               ? 0
	               : gk_err_set(e, GK_ERR_SYSTEM, "no driver for %s here: %s", gpu->vendor->name, why);
}

static int open_library(struct gpu *gpu, struct gk_err *e)
{
	int error;

	if (find_library(gpu, e) < 0)
		return -1;
	if (load_calls(gpu, e) < 0 || gpu->vendor->load(gpu, e) < 0)
		return -1;
	error = gpu->call.init(0);
	if (error || (error = gpu->call.count(&gpu->count)))
		return gpu_fail(gpu, error, "the driver does not start", e);
	if (gpu->count < 1)
		return gk_err_set(e, GK_ERR_SYSTEM, "the driver sees no GPU");
	return 0;
}

/* ---- choice and lock ---- */

static int open_lock(const char *pci, struct gk_err *e)
{
	const char *folder = getenv("GEAK_LOCKS");
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/geak-gpu-%s.lock", folder && *folder ? folder : "/tmp", pci);
	fd = open(path,
	          O_RDWR | O_CLOEXEC | O_NOFOLLOW); /* others' files may be opened, but not created again */
	if (fd < 0 && errno == ENOENT)
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT, 0666);
	if (fd < 0 && errno == EACCES)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? gk_err_errno(e, "%s", path) : fd;
}

/* 1: locked; 0: another geak has it. */
static int try_gpu(struct gpu *gpu, int ordinal, struct gk_err *e)
{
	gk_fd_auto fd = -1;
	int error = gpu->call.pci(gpu->pci, sizeof gpu->pci, ordinal);

	if (error)
		return gpu_fail(gpu, error, "a GPU's address", e);
	fd = open_lock(gpu->pci, e);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : gk_err_errno(e, "the lock of GPU %s", gpu->pci);
	gpu->lock = gk_fd_steal(&fd);
	gpu->ordinal = ordinal;
	return 1;
}

static int try_all(struct gpu *gpu, struct gk_err *e)
{
	int got = 0;

	if (gpu->options.gpu >= 0)
		return try_gpu(gpu, gpu->options.gpu, e);
	for (int i = 0; i < gpu->count && got == 0; i++)
		got = try_gpu(gpu, i, e);
	return got;
}

static int64_t lock_wait_ms(void)
{
	const char *text = getenv("GEAK_LOCK_SECONDS");
	int64_t seconds;

	return text && gk_text_to_int(text, &seconds) && seconds >= 0 && seconds < 1000000 ? seconds * 1000 : LOCK_WAIT_MS;
}

static int take_gpu(struct gpu *gpu, struct gk_err *e)
{
	int64_t until = gk_clock_ns() + lock_wait_ms() * 1000000;
	int got;

	if (gpu->options.gpu >= gpu->count)
		return gk_err_set(e, GK_ERR_INPUT, "there is no GPU %d: the driver sees %d", gpu->options.gpu,
		                  gpu->count);
	for (;;) {
		got = try_all(gpu, e);
		if (got != 0)
			return got < 0 ? -1 : 0;
		if (gk_clock_ns() > until)
			return gk_err_set(e, GK_ERR_SYSTEM, "every GPU is in use by another geak (%s is one)",
			                  gpu->pci);
		usleep(LOCK_PAUSE_MS * 1000);
	}
}

/* ---- open and close ---- */

int gpu_attribute(struct gpu *gpu, enum gpu_attribute which)
{
	int value = 0;

	return gpu->call.attribute(&value, gpu->vendor->attributes[which], gpu->ordinal) ? 0 : value;
}

static void find_granule(struct gpu *gpu)
{
	struct gpu_memory_kind kind = {.type = 1, .location = 1, .device = gpu->ordinal};

	gpu->can_map = gpu_attribute(gpu, GPU_CAN_MAP) > 0 &&
	               gpu->call.granularity(&gpu->granule, &kind, 0) == 0 && gpu->granule >= 4096;
}

static int enter(struct gpu *gpu, struct gk_err *e)
{
	size_t total = 0;
	int error;

	if (gpu->vendor->architecture(gpu, gpu->ordinal, gpu->target, sizeof gpu->target, e) < 0 ||
	    gpu->vendor->enter(gpu, e) < 0)
		return -1;
	error = gpu->call.stream_new(&gpu->stream, STREAM_ALONE);
	if (!error)
		error = gpu->call.host_alloc(&gpu->staging, GPU_STAGING_BYTES, 0);
	if (!error)
		error = gpu->call.total(&total, gpu->ordinal);
	if (error)
		return gpu_fail(gpu, error, "the GPU does not get ready", e);
	gpu->memory_bytes = total;
	find_granule(gpu);
	gpu->health = gpu->vendor->health->open(gpu->pci);
	return 0;
}

/* Bytes there, across and back: the least that a GPU must be able to do. */
static int try_out(struct gpu *gpu, struct gk_err *e)
{
	enum { SIZE = 4096 };
	uint8_t sent[SIZE], got[SIZE] = {0};
	uint64_t at = 0;
	int error = gpu->call.alloc(&at, 2 * (size_t)SIZE), done;

	if (error)
		return gpu_fail(gpu, error, "the GPU gives no memory", e);
	for (int i = 0; i < SIZE; i++)
		sent[i] = (uint8_t)(i * 7 + 1);
	done = gpu_upload(gpu, at, sent, SIZE, e);
	if (done == 0 && (error = gpu->call.copy(at + SIZE, at, SIZE, gpu->stream)) != 0)
		done = gpu_fail(gpu, error, "a copy on the GPU", e);
	if (done == 0)
		done = gpu_download(gpu, got, at + SIZE, SIZE, e);
	if (done == 0 && memcmp(sent, got, SIZE) != 0)
		done = gk_err_set(e, GK_ERR_SYSTEM, "the GPU gave back other bytes than it was sent");
	gpu->call.free(at);
	return done;
}

static void gpu_close(struct gk_device *device)
{
	struct gpu *gpu = (struct gpu *)device;

	for (int i = 0; i < GK_DEVICE_MARKS && !device->is_lost; i++)
		if (gpu->events[i])
			gpu->call.event_free(gpu->events[i]);
	if (!device->is_lost)
		gpu_idle_drop(gpu);
	if (gpu->staging && !device->is_lost)
		gpu->call.host_free(gpu->staging);
	if (gpu->stream && !device->is_lost)
		gpu->call.stream_free(gpu->stream);
	if (gpu->own)
		gpu->vendor->leave(gpu);
	free(gpu->own);
	if (gpu->health)
		gpu->vendor->health->close(gpu->health);
	gk_fd_close(&gpu->lock);
	free(gpu); /* the library stays: drivers do not like to be unloaded */
}

static struct gpu *new_gpu(const struct gpu_vendor *vendor, const struct gk_device_ops *ops,
                           const struct gk_device_options *options)
{
	struct gpu *gpu = gk_alloc(sizeof *gpu);

	gpu->device.ops = ops;
	gpu->vendor = vendor;
	gpu->options = *options;
	gpu->lock = -1;
	return gpu;
}

static int gpu_open(const struct gpu_vendor *vendor, const struct gk_device_ops *ops,
                    const struct gk_device_options *options, struct gk_device **device, struct gk_err *e)
{
	struct gpu *gpu = new_gpu(vendor, ops, options);

	if (open_library(gpu, e) < 0 || take_gpu(gpu, e) < 0 || enter(gpu, e) < 0 || try_out(gpu, e) < 0) {
		gpu_close(&gpu->device);
		return -1;
	}
	*device = &gpu->device;
	return 0;
}

/* ---- facts ---- */

static void add_number(struct gpu *gpu, json_t *facts, const char *key, enum gpu_attribute which)
{
	json_object_set_new(facts, key, json_integer(gpu_attribute(gpu, which)));
}

static json_t *gpu_facts(struct gk_device *device)
{
	struct gpu *gpu = (struct gpu *)device;
	char name[256] = "";
	int version = 0;
	json_t *facts;

	gpu->call.name(name, sizeof name - 1, gpu->ordinal);
	gpu->call.version(&version);
	facts = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:i, s:b}", "device", gpu->vendor->name,
	                  "kind", name, "target", gpu->target, "pci", gpu->pci, "gpu", gpu->ordinal, "gpus",
	                  gpu->count, "memory_bytes", (json_int_t)gpu->memory_bytes, "driver", version,
	                  "own_mappings", gpu->can_map);
	if (!facts)
		return json_pack("{s:s, s:s}", "device", gpu->vendor->name, "target", gpu->target);
	add_number(gpu, facts, "multiprocessors", GPU_MULTIPROCESSORS);
	add_number(gpu, facts, "warp_size", GPU_WARP_SIZE);
	add_number(gpu, facts, "clock_khz", GPU_CLOCK_KHZ);
	add_number(gpu, facts, "memory_clock_khz", GPU_MEMORY_CLOCK_KHZ);
	add_number(gpu, facts, "memory_bus_bits", GPU_MEMORY_BUS_BITS);
	add_number(gpu, facts, "l2_bytes", GPU_L2_BYTES);
	add_number(gpu, facts, "shared_bytes", GPU_SHARED_BYTES);
	gpu->vendor->add_facts(gpu, facts);
	if (gpu->health)
		gpu->vendor->health->add_facts(gpu->health, facts);
	return facts;
}

/* What there is, without a lock or a context: it may be in use. */
static int describe(const struct gpu_vendor *vendor, const struct gk_device_ops *ops, json_t **facts,
                    struct gk_err *e)
{
	struct gk_device_options options = {.gpu = -1};
	struct gpu *gpu = new_gpu(vendor, ops, &options);
	size_t total = 0;
	int done = -1;

	if (open_library(gpu, e) == 0 &&
	    vendor->architecture(gpu, 0, gpu->target, sizeof gpu->target, e) == 0) {
		gpu->call.pci(gpu->pci, sizeof gpu->pci, 0);
		gpu->call.total(&total, 0);
		gpu->memory_bytes = total;
		find_granule(gpu);
		*facts = gpu_facts(&gpu->device);
		done = 0;
	}
	gpu_close(&gpu->device);
	return done;
}

/* ---- modules ---- */

static void gpu_module_free(struct gk_device *device, struct gk_device_module *m)
{
	struct gpu *gpu = (struct gpu *)device;

	if (m->module && !device->is_lost)
		gpu->call.module_unload(m->module);
	free(m->image);
	free(m);
}

static int check_code(const struct gpu *gpu, const struct gk_device_code *code, struct gk_err *e)
{
	const unsigned char *b = code->bytes;
	const struct gk_object *o = code->object;

	if (strcmp(o->target, gpu->target) != 0)
		return gk_err_set(e, GK_ERR_INPUT, "the code object of %s is for %s, this GPU is a %s",
		                  o->name, o->target, gpu->target);
	if (code->size < 64 || memcmp(b, "\177ELF", 4) != 0 ||
	    b[18] + b[19] * 256 != gpu->vendor->elf_machine)
		return gk_err_set(e, GK_ERR_INPUT, "the code object of %s is no ELF file for %s", o->name,
		                  gpu->target);
	return 0;
}

/* The vendors' numbers agree: an image that is none, or of another version, or for no GPU here. */
static int fail_load(struct gpu *gpu, int error, const struct gk_object *o, struct gk_err *e)
{
	enum { INVALID_IMAGE = 200, NO_BINARY = 209, INVALID_SOURCE = 218, UNKNOWN_VERSION = 222 };
	bool is_refused = error == INVALID_IMAGE || error == NO_BINARY || error == INVALID_SOURCE || error == UNKNOWN_VERSION;
	gk_json_auto *facts = is_refused ? gpu_facts(&gpu->device) : NULL;
	const char *driver = json_string_value(json_object_get(facts, "driver_text"));
	char what[1024];

	snprintf(what, sizeof what, "loading a code object");
	if (is_refused) /* the compilers are newer than the driver, as a rule */
		snprintf(what, sizeof what, "the driver (%s) does not take code for %s that %s made; it may be too old for it",
		         driver ? driver : gpu->vendor->name, o->target, o->toolchain);
	return gpu_fail(gpu, error, what, e);
}

static struct gk_device_module *gpu_module_load(struct gk_device *device, const struct gk_device_code *code,
                                                struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	struct gk_device_module *m;
	int error;

	if (check_code(gpu, code, e) < 0)
		return NULL;
	m = gk_alloc(sizeof *m);
	m->object = code->object;
	m->image = gk_alloc(code->size);
	memcpy(m->image, code->bytes, code->size);
	error = gpu->call.module_load(&m->module, m->image);
	if (!error)
		error = gpu->call.module_function(&m->function, m->module, m->object->name);
	if (error)
		fail_load(gpu, error, m->object, e);
	if (!error && gpu->vendor->prepare(gpu, m->function, m->object, e) == 0)
		return m;
	gpu_module_free(device, m);
	return NULL;
}

/* ---- clock ---- */

static int gpu_mark(struct gk_device *device, uint32_t n, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	int error = gpu->events[n] ? 0 : gpu->call.event_new(&gpu->events[n], 0);

	if (!error)
		error = gpu->call.event_record(gpu->events[n], gpu->stream);
	return error ? gpu_fail(gpu, error, "an event", e) : 0;
}

static int gpu_elapsed(struct gk_device *device, uint32_t from, uint32_t to, double *ms, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	float value = 0;
	int error = gpu->call.event_sync(gpu->events[from]);

	if (!error)
		error = gpu->call.event_sync(gpu->events[to]);
	if (!error)
		error = gpu->call.event_elapsed(&value, gpu->events[from], gpu->events[to]);
	*ms = (double)value;
	return error ? gpu_fail(gpu, error, "the time between two events", e) : 0;
}

static int gpu_sync(struct gk_device *device, struct gk_err *e)
{
	struct gpu *gpu = (struct gpu *)device;
	int error = gpu_wait(gpu);

	return error ? gpu_fail(gpu, error, "waiting for the GPU", e) : 0;
}

/* ---- the tables ---- */

static int cuda_open(const struct gk_device_options *options, struct gk_device **device, struct gk_err *e)
{
	return gpu_open(&gpu_cuda, &gk_cuda_ops, options, device, e);
}

static int hip_open(const struct gk_device_options *options, struct gk_device **device, struct gk_err *e)
{
	return gpu_open(&gpu_hip, &gk_hip_ops, options, device, e);
}

static int cuda_describe(json_t **facts, struct gk_err *e)
{
	return describe(&gpu_cuda, &gk_cuda_ops, facts, e);
}

static int hip_describe(json_t **facts, struct gk_err *e)
{
	return describe(&gpu_hip, &gk_hip_ops, facts, e);
}

#define GPU_OPS                                                                                              \
	.by_object = true, .guesses_poison = true, .close = gpu_close, .facts = gpu_facts,                   \
	.module_load = gpu_module_load, .module_free = gpu_module_free, .memory_new = gpu_memory_new,        \
	.memory_free = gpu_memory_free, .step = gpu_step, .finish = gpu_finish, .copy_out = gpu_copy_out,    \
	.is_changed = gpu_is_changed, .mark = gpu_mark, .elapsed = gpu_elapsed, .sync = gpu_sync,            \
	.limits = gpu_limits, .memory_lay = gpu_memory_lay, .park = gpu_park, .unpark = gpu_unpark, .region = gpu_region, .upload = gpu_put,         \
	.download = gpu_get, .copy = gpu_copy, .launch = gpu_launch_own, .health = gpu_read_health

const struct gk_device_ops gk_cuda_ops = {
	.name = "cuda", .describe = cuda_describe, .open = cuda_open, GPU_OPS};
const struct gk_device_ops gk_hip_ops = {.name = "hip", .describe = hip_describe, .open = hip_open, GPU_OPS};
