/*
 * AMD's library of management, by ROCm SMI's functions as ROCm 6 has them.
 * Declarations are our own, of what is used here. Tried against a stand-in
 * only: numbers that no GPU has are left out rather than told.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "gpu.h"

enum {
	CLOCK_SYSTEM = 0,
	CLOCK_MEMORY = 4,
	SENSOR_JUNCTION = 1,
	TEMPERATURE_NOW = 0,
	FREQUENCIES = 33,
	LEAST_MHZ = 50,
	MOST_MHZ = 10000,
	MOST_CELSIUS = 150,
	MOST_WATTS = 5000
};

struct frequencies {
	bool has_deep_sleep;
	uint32_t count, current;
	uint64_t hz[FREQUENCIES + 31]; /* room for versions that know more */
};

struct smi {
	uint32_t device;
	int (*init)(uint64_t flags);
	int (*shutdown)(void);
	int (*count)(uint32_t *count);
	int (*pci)(uint32_t device, uint64_t *address);
	int (*clock)(uint32_t device, int which, struct frequencies *to);
	int (*power)(uint32_t device, uint32_t sensor, uint64_t *microwatts);            /* may be NULL */
	int (*temperature)(uint32_t device, uint32_t sensor, int what, int64_t *millis); /* may be NULL */
};

static bool find(void *library, void *field, const char *name)
{
	void *symbol = dlsym(library, name);

	memcpy(field, &symbol, sizeof symbol);
	return symbol != NULL;
}

static bool find_all(void *library, struct smi *s)
{
	find(library, &s->power, "rsmi_dev_power_ave_get");
	find(library, &s->temperature, "rsmi_dev_temp_metric_get");
	return find(library, &s->init, "rsmi_init") && find(library, &s->shutdown, "rsmi_shut_down") &&
	       find(library, &s->count, "rsmi_num_monitor_devices") &&
	       find(library, &s->pci, "rsmi_dev_pci_id_get") &&
	       find(library, &s->clock, "rsmi_dev_gpu_clk_freq_get");
}

/* "0000:c1:00.0" in the bits of the library's number: domain 63-32, bus 15-8, device 7-3, function 2-0. */
static uint64_t address_of(const char *pci)
{
	unsigned domain = 0, bus = 0, device = 0, function = 0;

	if (sscanf(pci, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return UINT64_MAX;
	return (uint64_t)domain << 32 | bus << 8 | device << 3 | function;
}

/* Bits 31-28 number a partition of the device. */
static bool find_device(struct smi *s, const char *pci)
{
	uint64_t want = address_of(pci), got;
	uint32_t count = 0;

	if (s->count(&count) != 0)
		return false;
	for (s->device = 0; s->device < count; s->device++)
		if (s->pci(s->device, &got) == 0 && (got & ~0xf0000000ull) == want)
			return true;
	return false;
}

static void *smi_open(const char *pci)
{
	static const char *const names[] = {"librocm_smi64.so",   "librocm_smi64.so.7", "librocm_smi64.so.6",
	                                    "librocm_smi64.so.1", "libamd_smi.so",      NULL};
	void *library = gpu_health_library("GEAK_LIBSMI", names);
	struct smi *s = gk_alloc(sizeof *s);

	if (library && find_all(library, s) && s->init(0) == 0) {
		if (find_device(s, pci))
			return s;
		s->shutdown();
	}
	free(s);
	return NULL;
}

static void smi_close(void *health)
{
	struct smi *s = health;

	s->shutdown();
	free(s);
}

static int read_clock(const struct smi *s, int which)
{
	struct frequencies f = {0};
	uint64_t mhz = 0;

	if (s->clock(s->device, which, &f) == 0 && f.count <= FREQUENCIES && f.current < f.count)
		mhz = f.hz[f.current] / 1000000;
	return mhz >= LEAST_MHZ && mhz <= MOST_MHZ ? (int)mhz : -1;
}

static void smi_read(void *health, bool whole, struct gk_device_health *to)
{
	const struct smi *s = health;
	uint64_t microwatts = 0;
	int64_t millis = 0;

	to->sm_mhz = read_clock(s, CLOCK_SYSTEM);
	to->memory_mhz = read_clock(s, CLOCK_MEMORY);
	if (whole && s->temperature &&
	    s->temperature(s->device, SENSOR_JUNCTION, TEMPERATURE_NOW, &millis) == 0 && millis > 0 &&
	    millis / 1000 <= MOST_CELSIUS)
		to->celsius = (int)(millis / 1000);
	if (whole && s->power && s->power(s->device, 0, &microwatts) == 0 && microwatts > 0 &&
	    microwatts / 1000000 <= MOST_WATTS)
		to->watts = (double)microwatts / 1e6;
}

static void smi_add_facts(void *health, json_t *facts)
{
	(void)health;
	(void)facts; /* nothing that HIP does not tell */
}

const struct gpu_health_ops gpu_smi = {smi_open, smi_close, smi_read, smi_add_facts};
