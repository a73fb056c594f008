/*
 * A launcher shuts itself in once its device is open and the driver's libraries
 * are loaded. What comes from candidates then meets a process without programs,
 * sockets, rights or files. A GPU's driver goes on opening its nodes and making
 * threads, so there /dev stays as it is and writing is kept to folders for
 * temporary files; its threads that are there already hold the filter, but not
 * Landlock.
 */
#include <stdlib.h>
#include <string.h>

#include "box/inside.h"
#include "launch.h"

#if defined(__SANITIZE_ADDRESS__)
#define IS_INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define IS_INSTRUMENTED 1
#endif
#endif

#define LIBRARIES "/usr/lib\n/usr/lib64\n/lib\n/lib64\n/sys/devices/system/cpu"
#define TEMPORARY "/tmp\n/var/tmp\n/run\n"

int gk_launch_confine(struct gk_launcher *launcher, struct gk_err *e)
{
	const char *own = getenv("TMPDIR");
	char words[256], writable[4096];
	bool is_gpu = launcher->device->ops->by_object;
	struct gk_box_peer peer = {.has_device = is_gpu, .writable = is_gpu ? writable : NULL,
	                           .readable = is_gpu ? NULL : LIBRARIES};
	int layers = 0;

#ifdef IS_INSTRUMENTED
	return 0; /* the leak checker needs ptrace */
#endif
	snprintf(writable, sizeof writable, TEMPORARY "%s", own ? own : "");
	if (!is_gpu)
		layers = gk_box_root(LIBRARIES, NULL, words, sizeof words);
	if (layers >= 0)
		layers = gk_box_confine(&peer, words, sizeof words);
	return layers < 0 ? gk_err_set(e, GK_ERR_SYSTEM, "the launcher cannot shut itself in: %s", words) : 0;
}
