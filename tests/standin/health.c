/*
 * The vendors' libraries of management that are none: libnvidia-ml and
 * librocm_smi64 in one. STANDIN_CLOCKS="1980 1980 1500" are the megahertz that
 * one reading after the other finds, STANDIN_THROTTLES="0 4" the reasons (the
 * last one stays); STANDIN_PCI as for the drivers. STANDIN_PROCESSES: how many
 * are on the GPU. STANDIN_MIG: it is divided. STANDIN_WATTS: what it takes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The n-th number of a list in the environment, or its last. */
static unsigned nth(const char *variable, int n, unsigned otherwise)
{
	const char *text = getenv(variable);
	unsigned value = otherwise;
	int used;

	for (int i = 0; text && i <= n && sscanf(text, "%u%n", &value, &used) == 1; i++)
		text += used;
	return value;
}

static int clock_reads, throttle_reads;

int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
	clock_reads = throttle_reads = 0;
	return 0;
}

int nvmlShutdown(void);
int nvmlShutdown(void)
{
	return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device);
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device)
{
	static int here;

	*device = &here;
	return strncmp(pci, "ffff:", 5) == 0 ? 0 : 6;
}

int nvmlDeviceGetClockInfo(void *device, int which, unsigned *mhz);
int nvmlDeviceGetClockInfo(void *device, int which, unsigned *mhz)
{
	*mhz = which == 1 ? nth("STANDIN_CLOCKS", clock_reads++, 1980) : 2619;
	return device ? 0 : 2;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons)
{
	*reasons = nth("STANDIN_THROTTLES", throttle_reads++, 1);
	return device ? 0 : 2;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
	*milliwatts = getenv("STANDIN_WATTS") ? (unsigned)atoi(getenv("STANDIN_WATTS")) * 1000 : 412500;
	return device ? 0 : 2;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius)
{
	*celsius = 61;
	return device && sensor == 0 ? 0 : 2;
}

int nvmlSystemGetDriverVersion(char *text, unsigned size);
int nvmlSystemGetDriverVersion(char *text, unsigned size)
{
	snprintf(text, size, "580.00.1");
	return 0;
}

int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *pending);
int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *pending)
{
	*now = *pending = getenv("STANDIN_MIG") != NULL;
	return device ? 0 : 2;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, void *list);
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, void *list)
{
	*count = nth("STANDIN_PROCESSES", 0, 1);
	return device && list ? 0 : 2;
}

/* ---- AMD ---- */

struct frequencies {
	bool has_deep_sleep;
	uint32_t count, current;
	uint64_t hz[33];
};

int rsmi_init(uint64_t flags);
int rsmi_init(uint64_t flags)
{
	clock_reads = 0;
	return flags == 0 ? 0 : 1;
}

int rsmi_shut_down(void);
int rsmi_shut_down(void)
{
	return 0;
}

int rsmi_num_monitor_devices(uint32_t *count);
int rsmi_num_monitor_devices(uint32_t *count)
{
	*count = 2;
	return 0;
}

/* The second is the drivers' first. */
int rsmi_dev_pci_id_get(uint32_t device, uint64_t *address);
int rsmi_dev_pci_id_get(uint32_t device, uint64_t *address)
{
	const char *bus = getenv("STANDIN_PCI");

	*address = (uint64_t)0xffff << 32 | (uint64_t)((bus ? atoi(bus) : 0) + (int)device - 1) << 8;
	return 0;
}

int rsmi_dev_gpu_clk_freq_get(uint32_t device, int which, struct frequencies *to);
int rsmi_dev_gpu_clk_freq_get(uint32_t device, int which, struct frequencies *to)
{
	*to = (struct frequencies){false, 2, 1, {132000000, which == 0 ? nth("STANDIN_CLOCKS", clock_reads++, 2100) * 1000000ull : 1300000000}};
	return device == 1 ? 0 : 2;
}

int rsmi_dev_power_ave_get(uint32_t device, uint32_t sensor, uint64_t *microwatts);
int rsmi_dev_power_ave_get(uint32_t device, uint32_t sensor, uint64_t *microwatts)
{
	*microwatts = 412500000;
	return device == 1 && sensor == 0 ? 0 : 2;
}

int rsmi_dev_temp_metric_get(uint32_t device, uint32_t sensor, int what, int64_t *millis);
int rsmi_dev_temp_metric_get(uint32_t device, uint32_t sensor, int what, int64_t *millis)
{
	*millis = 61000;
	return device == 1 && sensor == 1 && what == 0 ? 0 : 2;
}
