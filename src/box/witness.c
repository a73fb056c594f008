#include "witness.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Both drivers' calls have these forms; 0 is success. */
typedef int call_0(void);
typedef int call_uint(unsigned);
typedef int call_event_create(void **, unsigned);
typedef int call_event_record(void *, void *);
typedef int call_event(void *);
typedef int call_elapsed(float *, void *, void *);
typedef int call_retain(void **, int);

static struct {
	call_0 *wait;
	call_event_record *record;
	call_event *wait_event;
	call_elapsed *elapsed;
	void *events[2];
	struct timespec started;
	int has_device;
} witness;

struct names {
	const char *variable, *library;
	const char *init, *wait, *create, *record, *wait_event, *elapsed;
};

static const struct names cuda = {"GEAK_LIBCUDA",       "libcuda.so.1",      "cuInit",
                                  "cuCtxSynchronize",   "cuEventCreate",     "cuEventRecord",
                                  "cuEventSynchronize", "cuEventElapsedTime"};
static const struct names hip = {"GEAK_LIBHIP",          "libamdhip64.so",          "hipInit",
                                 "hipDeviceSynchronize", "hipEventCreateWithFlags", "hipEventRecord",
                                 "hipEventSynchronize",  "hipEventElapsedTime"};

static int failed(char *message, int32_t bytes, const char *what, int code)
{
	if (message && bytes > 0)
		snprintf(message, (size_t)bytes, code ? "%s: error %d of the driver" : "%s", what, code);
	return -1;
}

/* A function and an object pointer are of one size wherever dlsym() is. */
static int find(void *library, const char *name, void *function)
{
	void *found = dlsym(library, name);

	memcpy(function, &found, sizeof found);
	return found ? 0 : -1;
}

/* The context that the framework will use as well; HIP makes it by itself. */
static int make_context(void *library, const struct names *names, char *message, int32_t bytes)
{
	call_retain *retain;
	call_event *set;
	void *context = NULL;
	int code;

	if (names != &cuda)
		return 0;
	if (find(library, "cuDevicePrimaryCtxRetain", (void *)&retain) < 0 ||
	    find(library, "cuCtxSetCurrent", (void *)&set) < 0)
		return failed(message, bytes, "the driver lacks functions", 0);
	code = retain(&context, 0); /* the one that it sees */
	if (code == 0)
		code = set(context);
	return code ? failed(message, bytes, "a context", code) : 0;
}

int gk_witness_open(const char *driver, char *message, int32_t bytes)
{
	const struct names *names = strcmp(driver, "hip") == 0 ? &hip : &cuda;
	const char *own = getenv(names->variable);
	void *library = dlopen(own && *own ? own : names->library, RTLD_NOW | RTLD_GLOBAL);
	call_uint *init;
	call_event_create *create;
	int code;

	if (!library)
		return failed(message, bytes, dlerror(), 0);
	if (find(library, names->init, (void *)&init) < 0 ||
	    find(library, names->wait, (void *)&witness.wait) < 0 ||
	    find(library, names->create, (void *)&create) < 0 ||
	    find(library, names->record, (void *)&witness.record) < 0 ||
	    find(library, names->wait_event, (void *)&witness.wait_event) < 0 ||
	    find(library, names->elapsed, (void *)&witness.elapsed) < 0)
		return failed(message, bytes, "the driver lacks functions", 0);
	code = init(0);
	if (code)
		return failed(message, bytes, names->init, code);
	if (make_context(library, names, message, bytes) < 0)
		return -1;
	for (int i = 0; i < 2 && code == 0; i++)
		code = create(&witness.events[i], 0);
	witness.has_device = code == 0;
	return code ? failed(message, bytes, names->create, code) : 0;
}

int gk_witness_wait(void)
{
	return witness.has_device && witness.wait() ? -1 : 0;
}

int gk_witness_begin(void)
{
	if (gk_witness_wait() < 0 || (witness.has_device && witness.record(witness.events[0], NULL)))
		return -1;
	return clock_gettime(CLOCK_MONOTONIC, &witness.started);
}

int gk_witness_end(double *event_ms, double *host_ms)
{
	struct timespec now;
	float ms = 0;

	/* Every stream first: one that is private and never waited for counts in both clocks. */
	if (gk_witness_wait() < 0)
		return -1;
	if (witness.has_device &&
	    (witness.record(witness.events[1], NULL) || witness.wait_event(witness.events[1]) ||
	     witness.elapsed(&ms, witness.events[0], witness.events[1])))
		return -1;
	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return -1;
	*host_ms = (double)(now.tv_sec - witness.started.tv_sec) * 1e3 +
	           (double)(now.tv_nsec - witness.started.tv_nsec) / 1e6;
	if (witness.has_device)
		*event_ms = (double)ms;
	return 0;
}
