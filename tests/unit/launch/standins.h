/* What the tests of GPUs share: the stand-in drivers, where things lie, data, parameters of a code object. */
#ifndef TEST_STANDINS_H
#define TEST_STANDINS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"

static bool is_cuda;
static char folder[128], log_path[256];

static inline const char *vendor(const char *cuda, const char *hip)
{
	return is_cuda ? cuda : hip;
}

/* "8 8 4": sizes, one behind the other, each aligned to itself (tensor maps to 64). */
static inline json_t *params_json(const char *sizes, int *end)
{
	json_t *params = json_array();
	int at = 0, size, used;

	for (; sscanf(sizes, "%d%n", &size, &used) == 1; sizes += used) {
		int align = size > 8 ? 64 : size;

		at = (at + align - 1) / align * align;
		json_array_append_new(params, json_pack("{s:i, s:i}", "at", at, "bytes", size));
		at += size;
	}
	*end = at;
	return params;
}

/* Beside this program: ../../standin. */
static inline void find_standins(const char *program)
{
	struct gk_arena arena = {0};
	char real[4096], *slash;
	int up = 3;

	if (!realpath(program, real))
		gk_bug("%s is nowhere", program);
	while (up-- && (slash = strrchr(real, '/')))
		*slash = '\0';
	setenv("GEAK_LIBCUDA", gk_path_join(&arena, real, "standin/libcuda.so.1"), 1);
	setenv("GEAK_LIBHIP", gk_path_join(&arena, real, "standin/libamdhip64.so"), 1);
	setenv("GEAK_LIBNVML", gk_path_join(&arena, real, "standin/libhealth.so"), 1);
	setenv("GEAK_LIBSMI", gk_path_join(&arena, real, "standin/libhealth.so"), 1);
	gk_arena_release(&arena);
}

/* A folder of its own for locks and the log of calls. */
static inline void make_folder(const char *name)
{
	snprintf(folder, sizeof folder, "/tmp/geak-t-%s-XXXXXX", name);
	if (!mkdtemp(folder))
		gk_bug("no folder");
	snprintf(log_path, sizeof log_path, "%s/log", folder);
	setenv("STANDIN_LOG", log_path, 1);
	setenv("GEAK_LOCKS", folder, 1);
}

/* Small whole numbers: their sums are exact. */
static inline void make_data(float *x, float *y, int count)
{
	for (int i = 0; i < count; i++) {
		x[i] = (float)(i * 3 % 17);
		y[i] = (float)(i * 5 % 13);
	}
}

#endif
