/*
 * What a process of geak's own does to itself before it eats what candidates
 * have made: IR that goes through a compiler, plans that run. It keeps the
 * descriptors that it has; it gets no new socket, no program unless it needs
 * one, no way to other processes, and no file but those named. Landlock holds
 * for the calling thread and those that it makes from now on; the filter, where
 * it may, for all.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "box.h"
#include "inside.h"

static int failed(char *message, int32_t bytes, const char *step)
{
	if (message && bytes > 0)
		snprintf(message, (size_t)bytes, "%s: %s", step, strerror(errno));
	return -1;
}

int gk_box_confine(const struct gk_box_peer *peer, char *message, int32_t bytes)
{
	/* A driver asks /proc for modules and devices; what belongs to other processes Landlock refuses all the same. */
	struct box_paths paths = {.readable = peer->readable, .writable = peer->writable, .devices = peer->has_device,
	                          .own_proc = peer->has_device};
	struct box_filter filter = {.is_peer = true, .no_programs = !peer->may_run, .all_threads = !peer->may_run,
	                            .keep_files = !peer->may_run && !peer->has_device};
	struct rlimit no_core = {1, 1}; /* one byte: a zero would still feed a core_pattern that is a pipe */
	int layers = 0, listener;

	setrlimit(RLIMIT_CORE, &no_core);
	if ((!peer->has_device && gk_box_drop_rights() < 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return failed(message, bytes, "dropping capabilities");
	if (gk_box_landlock_abi()) {
		if (gk_box_landlock(&paths) < 0)
			return failed(message, bytes, "Landlock");
		layers |= GK_BOX_HAS_LANDLOCK;
	}
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return layers;
	if (gk_box_filter(&filter, &listener) < 0)
		return failed(message, bytes, "seccomp");
	return layers | GK_BOX_HAS_SECCOMP;
}
