/*
 * NVIDIA's library of management: clocks, power, heat, what holds the clocks
 * down, who else is on the GPU. Declarations are our own, of what is used here.
 * It is not needed: what it would tell is left out where it is not there.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gpu.h"

enum { CLOCK_SM = 1, CLOCK_MEMORY = 2, SENSOR_GPU = 0, MAX_PROCESSES = 64, TOO_SMALL = 7, TEXT_BYTES = 96 };
#define THROTTLE_IDLE 0x1ull

struct process {
	unsigned pid;
	unsigned long long bytes;
	unsigned instance, compute_instance;
};

struct nvml {
	void *device;
	int (*init)(void);
	int (*shutdown)(void);
	int (*handle)(const char *pci, void **device);
	int (*clock)(void *device, int which, unsigned *mhz);
	int (*throttle)(void *device, unsigned long long *reasons);
	/* These may be NULL. */
	int (*power)(void *device, unsigned *milliwatts);
	int (*temperature)(void *device, int sensor, unsigned *celsius);
	int (*version)(char *text, unsigned size);
	int (*mig)(void *device, unsigned *now, unsigned *pending);
	int (*processes)(void *device, unsigned *count, struct process *list);
};

static bool find(void *library, void *field, const char *name)
{
	void *symbol = dlsym(library, name);

	memcpy(field, &symbol, sizeof symbol);
	return symbol != NULL;
}

static bool find_all(void *library, struct nvml *n)
{
	find(library, &n->power, "nvmlDeviceGetPowerUsage");
	find(library, &n->temperature, "nvmlDeviceGetTemperature");
	find(library, &n->version, "nvmlSystemGetDriverVersion");
	find(library, &n->mig, "nvmlDeviceGetMigMode");
	find(library, &n->processes, "nvmlDeviceGetComputeRunningProcesses_v3");
	return find(library, &n->init, "nvmlInit_v2") && find(library, &n->shutdown, "nvmlShutdown") &&
	       find(library, &n->handle, "nvmlDeviceGetHandleByPciBusId_v2") &&
	       find(library, &n->clock, "nvmlDeviceGetClockInfo") &&
	       find(library, &n->throttle, "nvmlDeviceGetCurrentClocksThrottleReasons");
}

static void *nvml_open(const char *pci)
{
	static const char *const names[] = {"libnvidia-ml.so.1", NULL};
	void *library = gpu_health_library("GEAK_LIBNVML", names);
	struct nvml *n = gk_alloc(sizeof *n);

	if (library && find_all(library, n) && n->init() == 0) {
		if (n->handle(pci, &n->device) == 0)
			return n;
		n->shutdown();
	}
	free(n);
	return NULL;
}

static void nvml_close(void *health)
{
	struct nvml *n = health;

	n->shutdown();
	free(n);
}

static void nvml_read(void *health, bool whole, struct gk_device_health *to)
{
	const struct nvml *n = health;
	unsigned long long reasons = 0;
	unsigned value;

	if (n->clock(n->device, CLOCK_SM, &value) == 0)
		to->sm_mhz = (int)value;
	if (n->clock(n->device, CLOCK_MEMORY, &value) == 0)
		to->memory_mhz = (int)value;
	/* in the order of gk_throttle_names from bit 1 on */
	if (n->throttle(n->device, &reasons) == 0)
		to->throttle =
			(uint32_t)((reasons & ~THROTTLE_IDLE) >> 1 & 0xff) | (reasons >> 9 ? 1u << 8 : 0);
	if (whole && n->temperature && n->temperature(n->device, SENSOR_GPU, &value) == 0)
		to->celsius = (int)value;
	if (whole && n->power && n->power(n->device, &value) == 0)
		to->watts = value / 1000.0;
}

/* Nothing is said where not even this process is listed, as in containers that hide processes. */
static void add_others(const struct nvml *n, json_t *facts)
{
	struct process list[MAX_PROCESSES];
	unsigned count = MAX_PROCESSES;
	int error = n->processes ? n->processes(n->device, &count, list) : -1;

	if ((error == 0 || error == TOO_SMALL) && count > 0)
		json_object_set_new(facts, "others", json_integer((json_int_t)count - 1));
}

static void nvml_add_facts(void *health, json_t *facts)
{
	const struct nvml *n = health;
	char text[TEXT_BYTES] = "";
	unsigned now = 0, pending = 0;

	if (n->version && n->version(text, sizeof text) == 0)
		json_object_set_new(facts, "driver_text", json_string(text));
	if (n->mig && n->mig(n->device, &now, &pending) == 0 && now)
		json_object_set_new(facts, "partition", json_string("MIG"));
	add_others(n, facts);
}

const struct gpu_health_ops gpu_nvml = {nvml_open, nvml_close, nvml_read, nvml_add_facts};
