/* What both vendors' libraries of management have in common. */
#include <dlfcn.h>
#include <stdlib.h>

#include "gpu.h"

const char *const gk_throttle_names[] = {
	"application_clocks", "power_cap",   "hardware",       "sync_boost", "thermal",
	"hardware_thermal",   "power_brake", "display_clocks", "other",      NULL};

/* Never closed: these libraries keep threads and handlers. */
void *gpu_health_library(const char *variable, const char *const *names)
{
	const char *named = getenv(variable);
	void *library = NULL;

	if (named && *named)
		return dlopen(named, RTLD_NOW | RTLD_LOCAL);
	for (; *names && !library; names++)
		library = dlopen(*names, RTLD_NOW | RTLD_LOCAL);
	return library;
}
