#include "device.h"

#include <string.h>

const struct gk_device_ops *const gk_devices[] = {&gk_machine_ops, &gk_cuda_ops, &gk_hip_ops, NULL};

const struct gk_device_ops *gk_device_find(const char *name)
{
	for (size_t i = 0; gk_devices[i]; i++)
		if (strcmp(gk_devices[i]->name, name) == 0)
			return gk_devices[i];
	return NULL;
}
