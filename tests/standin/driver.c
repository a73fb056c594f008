/*
 * A GPU driver that is none: libcuda.so.1 (built with -DCUDA) or libamdhip64.so
 * as far as geak uses them. Device memory is memory of this process, streams
 * run at once, and a kernel is one of a few functions in kernels.c, named by the
 * code object. Every call is written, with its arguments, to the file STANDIN_LOG.
 *
 * A code object is the header of an ELF file, and at byte 64 words: the kernel,
 * then the sizes of its parameters: "add 8 8 8 4 8 8".
 *
 *   add   x, y, out, n        out[i] = x[i] + y[i], a program for each 64 elements
 *   half  the same, but odd elements are left as they are
 *   stray the same, and one element behind the end of out
 *   input the same, and x[0] is changed
 *   flags x, y, out, n        out is of bytes: x[i] > y[i]
 *   trap, wild                end with the driver's errors for these, which stay
 *   hang                      never ends
 *   noisy                     as add, but out[0] is another each time
 *   lazy, late, creep         as add for 40 launches; then writes nothing, traps, strays
 *   fill, flush, scrub, set_bN, copy_bN   as plan/helper.h says them
 *   sum_f32_f32_..   as well, whatever the spread of its lanes
 *
 * Others do as add. STANDIN_MS="add=0.05 fill=0.001" is what kernels take by the clock of events (others: nothing),
 * STANDIN_REAL what they really take, in the same form; STANDIN_JITTER=0.1 lets the former vary by 10 %.
 * STANDIN_RISE=0.001 makes every load of a kernel slower than the one before by so much. Without STANDIN_MS an
 * event is 1 ms behind the one before.
 *
 * STANDIN_FAULT="cuMemCreate:2=2" makes the second call of cuMemCreate answer 2.
 * STANDIN_TARGET: HIP's (gfx942). STANDIN_GPUS: how many there are (1). STANDIN_PCI: bus number of the first.
 * STANDIN_NO_MAP: no virtual memory management. STANDIN_LIES: copies come back wrong.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "standin.h"

#ifdef CUDA
#define NAME(cuda, hip) cuda
#else
#define NAME(cuda, hip) hip
#endif
#define STRING_(x) #x
#define STRING(x)  STRING_(x)

enum { GRANULE = 2 << 20, HEADER = 64 };

struct memory {
	size_t size;
	int fd; /* its bytes, which stay when it is mapped nowhere */
};

/* A driver's memory goes with the process: what a caller did not give back is no leak, as long as it is known. */
static void *keep(void *memory)
{
	static void *volatile kept[4096]; /* written for the sanitizer alone */
	static int count;

	kept[count % 4096] = memory;
	return kept[count++ % 4096];
}

/* ---- recording, injected faults ---- */

static void record(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void record(const char *name, const char *format, ...)
{
	const char *path = getenv("STANDIN_LOG");
	FILE *file = path ? fopen(path, "ae") : NULL;
	va_list arguments;

	if (!file)
		return;
	fprintf(file, "%s ", name);
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	fputc('\n', file);
	fclose(file);
}

static int injected(const char *name)
{
	static char last[64];
	static int calls;
	const char *fault = getenv("STANDIN_FAULT");
	char which[64];
	int number, error;

	if (!fault || sscanf(fault, "%63[^:]:%d=%d", which, &number, &error) != 3 || strcmp(which, name) != 0)
		return 0;
	if (strcmp(last, fault) != 0) {
		snprintf(last, sizeof last, "%s", fault);
		calls = 0;
	}
	return ++calls == number ? error : 0;
}

/* Begins every function: records it, and answers what is stuck or injected. */
#define ENTER(name, ...)                                                                                     \
	do {                                                                                                 \
		int error_ = stuck;                                                                          \
		record(STRING(name), __VA_ARGS__);                                                           \
		if (!error_)                                                                                 \
			error_ = injected(STRING(name));                                                     \
		if (error_)                                                                                  \
			return error_;                                                                       \
	} while (0)
#define FUNCTION(cuda, hip, ...) int NAME(cuda, hip)(__VA_ARGS__); int NAME(cuda, hip)(__VA_ARGS__)

/* ---- devices ---- */

FUNCTION(cuInit, hipInit, unsigned flags)
{
	stuck = 0; /* as in a fresh process */
	launches = 0;
	ENTER(NAME(cuInit, hipInit), "%u", flags);
	return 0;
}

FUNCTION(cuDeviceGetCount, hipGetDeviceCount, int *count)
{
	const char *text = getenv("STANDIN_GPUS");

	ENTER(NAME(cuDeviceGetCount, hipGetDeviceCount), "%s", "");
	*count = text ? atoi(text) : 1;
	return 0;
}

FUNCTION(cuDeviceGetName, hipDeviceGetName, char *name, int size, int device)
{
	snprintf(name, (size_t)size, "stand-in %d", device);
	return 0;
}

FUNCTION(cuDeviceGetPCIBusId, hipDeviceGetPCIBusId, char *text, int size, int device)
{
	const char *bus = getenv("STANDIN_PCI");

	snprintf(text, (size_t)size, "ffff:%02x:00.0", (bus ? atoi(bus) : 0) + device);
	return 0;
}

FUNCTION(cuDeviceTotalMem_v2, hipDeviceTotalMem, size_t *bytes, int device)
{
	(void)device;
	*bytes = (size_t)1 << 30;
	return 0;
}

FUNCTION(cuDeviceGetAttribute, hipDeviceGetAttribute, int *value, int which, int device)
{
	(void)device;
	*value = 7;
	if (which == NAME(102, 89)) /* can map */
		*value = getenv("STANDIN_NO_MAP") == NULL;
	if (which == NAME(97, 74)) /* shared memory of a block */
		*value = 65536;
	if (which == NAME(75, -1)) /* capability */
		*value = 9;
	if (which == NAME(76, 10))
		*value = NAME(0, 1);
	return 0;
}

FUNCTION(cuDriverGetVersion, hipDriverGetVersion, int *version)
{
	*version = NAME(13000, 60300000);
	return 0;
}

FUNCTION(cuGetErrorName, hipDrvGetErrorName, int error, const char **text)
{
	static char name[64];

	snprintf(name, sizeof name, "STANDIN_ERROR_%d", error);
	*text = name;
	return 0;
}

FUNCTION(cuGetErrorString, hipDrvGetErrorString, int error, const char **text)
{
	*text = error == 700 ? "an illegal memory access" : error == 719 ? "a launch failure" : "some failure";
	return 0;
}

#ifdef CUDA
int cuDevicePrimaryCtxRetain(void **context, int device);
int cuDevicePrimaryCtxRetain(void **context, int device)
{
	static int here;

	ENTER(cuDevicePrimaryCtxRetain, "%d", device);
	*context = &here;
	return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device);
int cuDevicePrimaryCtxRelease_v2(int device)
{
	ENTER(cuDevicePrimaryCtxRelease_v2, "%d", device);
	return 0;
}

int cuCtxSetCurrent(void *context);
int cuCtxSetCurrent(void *context)
{
	ENTER(cuCtxSetCurrent, "%s", context ? "it" : "none");
	return 0;
}
#else
int hipSetDevice(int device);
int hipSetDevice(int device)
{
	ENTER(hipSetDevice, "%d", device);
	return 0;
}

int hipGetDevicePropertiesR0600(void *properties, int device);
int hipGetDevicePropertiesR0600(void *properties, int device)
{
	const char *target = getenv("STANDIN_TARGET");

	ENTER(hipGetDevicePropertiesR0600, "%d", device);
	memset(properties, 0, 1472);
	snprintf((char *)properties + 1160, 256, "%s:sramecc+:xnack-", target ? target : "gfx942");
	return 0;
}
#endif

/* ---- memory ---- */

FUNCTION(cuMemGetInfo_v2, hipMemGetInfo, size_t *unused, size_t *total)
{
	ENTER(NAME(cuMemGetInfo_v2, hipMemGetInfo), "%s", "");
	*unused = (size_t)900 << 20;
	*total = (size_t)1 << 30;
	return 0;
}

FUNCTION(cuMemAlloc_v2, hipMalloc, uint64_t *at, size_t size)
{
	ENTER(NAME(cuMemAlloc_v2, hipMalloc), "%zu", size);
	*at = (uint64_t)(uintptr_t)aligned_alloc(4096, (size + 4095) / 4096 * 4096);
	return 0;
}

FUNCTION(cuMemFree_v2, hipFree, uint64_t at)
{
	ENTER(NAME(cuMemFree_v2, hipFree), "%s", "");
	free((void *)(uintptr_t)at);
	return 0;
}

FUNCTION(cuMemHostAlloc, hipHostMalloc, void **at, size_t size, unsigned flags)
{
	ENTER(NAME(cuMemHostAlloc, hipHostMalloc), "%zu %u", size, flags);
	*at = keep(malloc(size));
	return 0;
}

FUNCTION(cuMemFreeHost, hipHostFree, void *at)
{
	ENTER(NAME(cuMemFreeHost, hipHostFree), "%s", "");
	free(at);
	return 0;
}

FUNCTION(cuMemGetAllocationGranularity, hipMemGetAllocationGranularity, size_t *bytes, const int *kind, int option)
{
	ENTER(NAME(cuMemGetAllocationGranularity, hipMemGetAllocationGranularity), "type=%d location=%d device=%d %d",
	      kind[0], kind[2], kind[3], option);
	*bytes = GRANULE;
	return 0;
}

FUNCTION(cuMemAddressReserve, hipMemAddressReserve, uint64_t *at, size_t size, size_t align, uint64_t wish,
         unsigned long long flags)
{
	void *range;

	ENTER(NAME(cuMemAddressReserve, hipMemAddressReserve), "%zu %zu %llu %llu", size, align,
	      (unsigned long long)wish, flags);
	range = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	*at = (uint64_t)(uintptr_t)range;
	return range == MAP_FAILED ? 2 : 0;
}

FUNCTION(cuMemAddressFree, hipMemAddressFree, uint64_t at, size_t size)
{
	ENTER(NAME(cuMemAddressFree, hipMemAddressFree), "%zu", size);
	return munmap((void *)(uintptr_t)at, size) < 0 ? 1 : 0;
}

FUNCTION(cuMemCreate, hipMemCreate, uint64_t *handle, size_t size, const int *kind, unsigned long long flags)
{
	struct memory *memory;

	ENTER(NAME(cuMemCreate, hipMemCreate), "%zu type=%d handle=%d location=%d device=%d %llu", size, kind[0],
	      kind[1], kind[2], kind[3], flags);
	memory = keep(malloc(sizeof *memory));
	memory->size = size;
	memory->fd = memfd_create("standin", MFD_CLOEXEC);
	if (memory->fd < 0 || ftruncate(memory->fd, (off_t)size) < 0)
		return 2;
	*handle = (uint64_t)(uintptr_t)memory;
	return 0;
}

FUNCTION(cuMemRelease, hipMemRelease, uint64_t handle)
{
	ENTER(NAME(cuMemRelease, hipMemRelease), "%s", "");
	close(((struct memory *)(uintptr_t)handle)->fd);
	free((void *)(uintptr_t)handle);
	return 0;
}

FUNCTION(cuMemMap, hipMemMap, uint64_t at, size_t size, size_t offset, uint64_t handle, unsigned long long flags)
{
	const struct memory *memory = (struct memory *)(uintptr_t)handle;

	ENTER(NAME(cuMemMap, hipMemMap), "%zu %zu %llu", size, offset, flags);
	if (memory->size != size || at % 4096)
		return 1;
	return mmap((void *)(uintptr_t)at, size, PROT_NONE, MAP_SHARED | MAP_FIXED, memory->fd, 0) == MAP_FAILED ? 2 : 0;
}

FUNCTION(cuMemUnmap, hipMemUnmap, uint64_t at, size_t size)
{
	ENTER(NAME(cuMemUnmap, hipMemUnmap), "%zu", size);
	return mmap((void *)(uintptr_t)at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
	            0) == MAP_FAILED
	               ? 1
	               : 0;
}

FUNCTION(cuMemSetAccess, hipMemSetAccess, uint64_t at, size_t size, const int *access, size_t count)
{
	ENTER(NAME(cuMemSetAccess, hipMemSetAccess), "%zu location=%d device=%d rights=%d %zu", size, access[0],
	      access[1], access[2], count);
	return mprotect((void *)(uintptr_t)at, size, PROT_READ | PROT_WRITE) < 0 ? 1 : 0;
}

FUNCTION(cuMemcpyHtoDAsync_v2, hipMemcpyHtoDAsync, uint64_t to, const void *from, size_t size, void *stream)
{
	(void)stream;
	ENTER(NAME(cuMemcpyHtoDAsync_v2, hipMemcpyHtoDAsync), "%zu", size);
	memcpy((void *)(uintptr_t)to, from, size);
	return 0;
}

FUNCTION(cuMemcpyDtoHAsync_v2, hipMemcpyDtoHAsync, void *to, uint64_t from, size_t size, void *stream)
{
	(void)stream;
	ENTER(NAME(cuMemcpyDtoHAsync_v2, hipMemcpyDtoHAsync), "%zu", size);
	memcpy(to, (void *)(uintptr_t)from, size);
	if (getenv("STANDIN_LIES") && size)
		((char *)to)[0] ^= 1;
	return 0;
}

FUNCTION(cuMemcpyDtoDAsync_v2, hipMemcpyDtoDAsync, uint64_t to, uint64_t from, size_t size, void *stream)
{
	(void)stream;
	ENTER(NAME(cuMemcpyDtoDAsync_v2, hipMemcpyDtoDAsync), "%zu", size);
	memmove((void *)(uintptr_t)to, (void *)(uintptr_t)from, size);
	return 0;
}

static void fill(uint64_t at, const void *value, size_t size, size_t count)
{
	for (size_t i = 0; i < count; i++)
		memcpy((char *)(uintptr_t)at + i * size, value, size);
}

FUNCTION(cuMemsetD8Async, hipMemsetD8Async, uint64_t at, unsigned char value, size_t count, void *stream)
{
	(void)stream;
	ENTER(NAME(cuMemsetD8Async, hipMemsetD8Async), "%u %zu", value, count);
	fill(at, &value, 1, count);
	return 0;
}

FUNCTION(cuMemsetD16Async, hipMemsetD16Async, uint64_t at, unsigned short value, size_t count, void *stream)
{
	(void)stream;
	ENTER(NAME(cuMemsetD16Async, hipMemsetD16Async), "%u %zu", value, count);
	fill(at, &value, 2, count);
	return 0;
}

FUNCTION(cuMemsetD32Async, hipMemsetD32Async, uint64_t at, unsigned value, size_t count, void *stream)
{
	(void)stream;
	ENTER(NAME(cuMemsetD32Async, hipMemsetD32Async), "%u %zu", value, count);
	fill(at, &value, 4, count);
	return 0;
}

/* ---- streams, events ---- */

FUNCTION(cuStreamCreate, hipStreamCreateWithFlags, void **stream, unsigned flags)
{
	ENTER(NAME(cuStreamCreate, hipStreamCreateWithFlags), "%u", flags);
	*stream = keep(malloc(1));
	return 0;
}

FUNCTION(cuStreamDestroy_v2, hipStreamDestroy, void *stream)
{
	ENTER(NAME(cuStreamDestroy_v2, hipStreamDestroy), "%s", "");
	free(stream);
	return 0;
}

FUNCTION(cuStreamSynchronize, hipStreamSynchronize, void *stream)
{
	(void)stream;
	ENTER(NAME(cuStreamSynchronize, hipStreamSynchronize), "%s", "");
	return 0;
}

FUNCTION(cuCtxSynchronize, hipDeviceSynchronize, void)
{
	ENTER(NAME(cuCtxSynchronize, hipDeviceSynchronize), "%s", "");
	return 0;
}

FUNCTION(cuEventCreate, hipEventCreateWithFlags, void **event, unsigned flags)
{
	ENTER(NAME(cuEventCreate, hipEventCreateWithFlags), "%u", flags);
	*event = keep(malloc(sizeof(double)));
	return 0;
}

FUNCTION(cuEventDestroy_v2, hipEventDestroy, void *event)
{
	free(event);
	return 0;
}

FUNCTION(cuEventRecord, hipEventRecord, void *event, void *stream)
{
	(void)stream;
	ENTER(NAME(cuEventRecord, hipEventRecord), "%s", "");
	gpu_now_ms += getenv("STANDIN_MS") ? 0 : 1;
	*(double *)event = gpu_now_ms;
	return 0;
}

FUNCTION(cuEventSynchronize, hipEventSynchronize, void *event)
{
	(void)event;
	ENTER(NAME(cuEventSynchronize, hipEventSynchronize), "%s", "");
	return 0;
}

FUNCTION(cuEventElapsedTime, hipEventElapsedTime, float *ms, const void *from, const void *to)
{
	ENTER(NAME(cuEventElapsedTime, hipEventElapsedTime), "%s", "");
	*ms = (float)(*(const double *)to - *(const double *)from);
	return 0;
}

/* ---- modules ---- */

/* How many loads of that kernel there were before. */
static int count_load(const char *kernel)
{
	static struct {
		char name[16];
		int count;
	} known[32];

	for (int i = 0; i < 32; i++) {
		if (known[i].name[0] && strcmp(known[i].name, kernel) != 0)
			continue;
		snprintf(known[i].name, sizeof known[i].name, "%s", kernel);
		return known[i].count++;
	}
	return 0;
}

FUNCTION(cuModuleLoadData, hipModuleLoadData, void **module, const void *image)
{
	struct module *m = keep(calloc(1, sizeof *m));
	const char *text = (const char *)image + HEADER;
	int used = 0, size;

	*module = m;
	if (sscanf(text, "%15s%n", m->kernel, &used) == 1)
		for (text += used; m->count < MAX_PARAMS && sscanf(text, "%d%n", &size, &used) == 1; text += used)
			m->sizes[m->count++] = size;
	m->number = count_load(m->kernel);
	ENTER(NAME(cuModuleLoadData, hipModuleLoadData), "%s of %d", m->kernel, m->count);
	return 0;
}

FUNCTION(cuModuleGetFunction, hipModuleGetFunction, void **function, void *module, const char *name)
{
	ENTER(NAME(cuModuleGetFunction, hipModuleGetFunction), "%s", name);
	*function = module;
	return strcmp(((struct module *)module)->kernel, name) == 0 ? 0 : 500;
}

FUNCTION(cuModuleUnload, hipModuleUnload, void *module)
{
	ENTER(NAME(cuModuleUnload, hipModuleUnload), "%s", ((struct module *)module)->kernel);
	free(module);
	return 0;
}

/* ---- launches ---- */

/* "x=8:.. n=4:100": what is no pointer with its value, pointers by whether they are null. */
static void write_params(const struct module *m, void **params, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; i < m->count && used + 40 < size; i++) {
		uint64_t value = 0;

		memcpy(&value, params[i], m->sizes[i] < 8 ? (size_t)m->sizes[i] : 8);
		if (m->sizes[i] > 8)
			used += (size_t)snprintf(text + used, size - used, " map");
		else if (m->sizes[i] == 8 && value > 1u << 30)
			used += (size_t)snprintf(text + used, size - used, " pointer");
		else
			used += (size_t)snprintf(text + used, size - used, " %llu", (unsigned long long)value);
	}
}

#ifdef CUDA
struct attribute {
	int id, pad, value[16];
};
struct config {
	unsigned grid[3], block[3], shared;
	void *stream;
	struct attribute *attributes;
	unsigned count;
};

int cuLaunchKernelEx(const struct config *config, void *function, void **params, void **extra);
int cuLaunchKernelEx(const struct config *c, void *function, void **params, void **extra)
{
	char text[512], attributes[256] = "";
	const struct module *m = function;

	write_params(m, params, text, sizeof text);
	for (unsigned i = 0; i < c->count; i++) {
		size_t used = strlen(attributes);

		snprintf(attributes + used, sizeof attributes - used, " attribute %d=%d,%d,%d", c->attributes[i].id,
		         c->attributes[i].value[0], c->attributes[i].value[1], c->attributes[i].value[2]);
	}
	ENTER(cuLaunchKernelEx, "%s grid %u %u %u block %u %u %u shared %u%s params%s%s", m->kernel, c->grid[0],
	      c->grid[1], c->grid[2], c->block[0], c->block[1], c->block[2], c->shared, attributes, text,
	      c->stream && !extra ? "" : " BAD");
	run(m, params, c->grid[0] * c->grid[1] * c->grid[2]);
	return 0;
}

int cuFuncSetAttribute(void *function, int attribute, int value);
int cuFuncSetAttribute(void *function, int attribute, int value)
{
	ENTER(cuFuncSetAttribute, "%s %d %d", ((struct module *)function)->kernel, attribute, value);
	return 0;
}

int cuFuncGetParamInfo(void *function, size_t index, size_t *at, size_t *bytes);
int cuFuncGetParamInfo(void *function, size_t index, size_t *at, size_t *bytes)
{
	const struct module *m = function;
	size_t offset = 0;

	if (index >= (size_t)m->count)
		return 1;
	for (size_t i = 0; i <= index; i++) {
		size_t align = m->sizes[i] > 8 ? 64 : (size_t)m->sizes[i];

		offset = (offset + align - 1) / align * align;
		*at = offset;
		*bytes = (size_t)m->sizes[i];
		offset += (size_t)m->sizes[i];
	}
	return 0;
}

int cuTensorMapEncodeTiled(void *map, int type, unsigned rank, void *address, const uint64_t *shape,
                           const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                           int swizzle, int promotion, int fill);
int cuTensorMapEncodeTiled(void *map, int type, unsigned rank, void *address, const uint64_t *shape,
                           const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave,
                           int swizzle, int promotion, int filling)
{
	ENTER(cuTensorMapEncodeTiled,
	      "type %d rank %u shape %llu %llu strides %llu box %u %u steps %u %u %d swizzle %d promotion %d fill %d", type,
	      rank, (unsigned long long)shape[0], (unsigned long long)shape[1], (unsigned long long)strides[0], box[0],
	      box[1], steps[0], steps[1], interleave, swizzle, promotion, filling);
	memset(map, 0x5a, 128);
	return address ? 0 : 1;
}
#else
static int launch(const char *name, const struct module *m, const unsigned *grid, const unsigned *block, unsigned shared,
                  const void *stream, void **params)
{
	char text[512];

	write_params(m, params, text, sizeof text);
	record(name, "%s grid %u %u %u block %u %u %u shared %u params%s%s", m->kernel, grid[0], grid[1], grid[2], block[0],
	       block[1], block[2], shared, text, stream ? "" : " BAD");
	if (stuck || injected(name))
		return stuck ? stuck : 1;
	run(m, params, grid[0] * grid[1] * grid[2]);
	return 0;
}

int hipModuleLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, void *stream, void **params, void **extra);
int hipModuleLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, void *stream, void **params, void **extra)
{
	unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};

	return launch("hipModuleLaunchKernel", function, grid, block, shared, extra ? NULL : stream, params);
}

int hipModuleLaunchCooperativeKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                     unsigned bz, unsigned shared, void *stream, void **params);
int hipModuleLaunchCooperativeKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                     unsigned bz, unsigned shared, void *stream, void **params)
{
	unsigned grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};

	return launch("hipModuleLaunchCooperativeKernel", function, grid, block, shared, stream, params);
}
#endif
