/*
 * What the tests of the launcher's clock share: a launcher without a GPU, over the
 * stand-ins of both vendors' drivers, whose kernels take the time that a test says;
 * a request to it, and what it answered. Every test runs for both vendors.
 */
#ifndef TEST_TIMING_H
#define TEST_TIMING_H

#include "launch/launch.h"

#include <unistd.h>

#include "base/file.h"
#include "request.h"
#include "standins.h"
#include "tap.h"

#define TIMES "fill=0.001 flush=5 scrub=0.001 add=0.05 " /* a flush takes longer than writing the log */

static float x[COUNT], y[COUNT], out[2][COUNT];
static struct gk_launcher launcher;
static struct gk_err e;
static json_t *answer;

static inline void add_blob(struct gk_frame *f, int fd)
{
	f->blobs[f->blob_count++].fd = fd;
}

static inline void take_outputs(struct gk_frame *f, const int *made, size_t made_count)
{
	for (size_t i = 0; i < made_count; i++)
		add_blob(f, made[i]); /* closed with the frame */
	for (size_t i = 3; i < f->blob_count && i < 5; i++)
		if (pread(f->blobs[i].fd, out[i - 3], BYTES, 0) < 0)
			printf("# an output cannot be read\n");
}

static int shared[2]; /* memory files of x and y that are the same each time; 0: new ones */

static inline int time_it(struct ask a)
{
	gk_frame_auto frame = {.type = GK_WIRE_TIME, .last = true, .id = 1};
	struct code *c = gk_alloc(sizeof *c);
	int made[GK_LAUNCH_OUTPUTS], done, sides = (a.b.kernels[0] ? 2 : 1) - a.a.is_known;
	size_t made_count = 0;
	enum gk_wire_type type;

	json_decref(answer);
	answer = NULL;
	e = (struct gk_err){0};
	memset(out, 0, sizeof out);
	frame.doc.name = gk_strdup("time");
	frame.doc.root = request_json(&a, c);
	add_blob(&frame, gk_memfd_from("code", c->bytes, (size_t)c->size, &e));
	add_blob(&frame, shared[0] > 0 ? dup(shared[0]) : gk_memfd_from("x", x, BYTES, &e));
	add_blob(&frame, shared[1] > 0 ? dup(shared[1]) : gk_memfd_from("y", y, BYTES, &e));
	for (int i = 0; i < sides && !a.is_inline; i++)
		add_blob(&frame, gk_memfd_new("out", BYTES, &e));
	if (a.a.returns_input)
		add_blob(&frame, gk_memfd_new("x", BYTES, &e));
	if (a.a.returns_huge)
		add_blob(&frame, gk_memfd_new("huge", a.a.huge, &e));
	done = gk_launcher_time(&launcher, &frame, a.is_inline, &type, &answer, made, &made_count, &e);
	take_outputs(&frame, made, made_count);
	free(c);
	if (done < 0)
		printf("# %s\n", e.text);
	return done;
}

static inline void open_launcher(void)
{
	struct gk_launch_options options = {.device = vendor("cuda", "hip"), .build = "b", .gpu = -1};

	unlink(log_path);
	if (gk_launcher_open(&launcher, &options, &e) < 0)
		gk_bug("%s", e.text);
}

/* ---- answers ---- */

static inline const json_t *told(const char *side, const char *key)
{
	return json_object_get(json_object_get(answer, side), key);
}

static inline long long told_int(const char *side, const char *key)
{
	return (long long)json_integer_value(told(side, key));
}

/* Of the one output. */
static inline long long poisoned(const char *side, const char *key)
{
	return (long long)json_integer_value(json_object_get(json_array_get(told(side, "poisoned"), 0), key));
}

static inline const char *stopped(void)
{
	return json_string_value(json_object_get(answer, "stopped"));
}

static inline const char *side_of_finding(void)
{
	return json_string_value(json_object_get(answer, "side"));
}

static inline const char *finding(const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(answer, "finding"), key));

	return text ? text : "";
}

static inline bool is_fine(void)
{
	return json_is_null(json_object_get(answer, "finding"));
}

static inline long long pairs(void)
{
	return (long long)json_array_size(json_object_get(answer, "group"));
}

static inline int compare_doubles(const void *a, const void *b)
{
	double p = *(const double *)a, q = *(const double *)b;

	return p < q ? -1 : p > q;
}

static inline double median(const char *side)
{
	const json_t *list = told(side, "ms");
	double sorted[512];
	size_t count = json_array_size(list);

	for (size_t i = 0; i < count; i++)
		sorted[i] = json_real_value(json_array_get(list, i));
	qsort(sorted, count, sizeof *sorted, compare_doubles);
	return count ? sorted[count / 2] : 0;
}

static inline int wrong_values(int side)
{
	int wrong = 0;

	for (int i = 0; i < COUNT; i++)
		wrong += out[side][i] != x[i] + y[i];
	return wrong;
}

/* ---- the program ---- */

static inline void begin_timing(const char *program, const char *name)
{
	find_standins(program);
	make_folder(name);
	setenv("STANDIN_TARGET", "gfx90a", 1); /* a gfx942 has a cache of 256 MiB to be flushed */
	make_data(x, y, COUNT);
}

static inline void for_vendor(bool cuda, void (*tests)(void))
{
	is_cuda = cuda;
	setenv("STANDIN_PCI", vendor("193", "161"), 1);
	setenv("STANDIN_MS", TIMES, 1);
	tests();
}

static inline int end_timing(void)
{
	json_decref(answer);
	gk_tree_remove(folder, &e);
	return done_testing();
}

#endif
