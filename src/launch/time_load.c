/*
 * Code onto the device. The same code object, loaded twice, lies at another
 * address and is not equally fast: loads are a level of the measurement's
 * noise. Each is loaded once for checking and tuning; of what is chosen there
 * are several. These loads are this request's; geak's own kernels stay in the
 * launcher's cache.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "time.h"

#define SHORT_MS 0.05
#define LONG_MS  0.3

static int load_one(struct time_job *job, struct time_side *side, uint32_t load, uint32_t kernel,
                    struct gk_err *e)
{
	struct gk_device_code code = {.object = side->objects[kernel],
	                              .bytes = side->code[kernel],
	                              .size = side->code_bytes[kernel]};

	if (side->modules[load][kernel])
		return 0;
	side->modules[load][kernel] = job->ops->module_load(job->device, &code, e);
	return side->modules[load][kernel] ? 0 : -1;
}

struct loading {
	struct time_job *job;
	struct time_side *side;
	uint32_t load;
};

static int load_launched(void *ctx, const struct gk_plan_launch *launch, struct gk_err *e)
{
	const struct loading *l = ctx;

	return load_one(l->job, l->side, l->load, launch->kernel, e);
}

static int load_sides(struct time_job *job, uint32_t load, bool chosen, struct gk_err *e)
{
	for (uint32_t i = 0; i < job->side_count; i++) {
		struct loading l = {job, &job->sides[i], load};

		if (time_visit_launches(l.side, chosen, load_launched, &l, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- geak's own ---- */

static int load_helper(struct time_job *job, uint32_t i, struct gk_err *e)
{
	struct gk_object *object = job->helper_objects[i];
	bool is_scrub = strcmp(job->helpers[i].name, "scrub") == 0;
	gk_free_auto char *text = NULL;
	json_t *json;
	char key[GK_HEX_SIZE];

	if (is_scrub) { /* as much as there is, whatever it was lowered with */
		uint32_t own = object->static_shared ? GK_HELPER_SCRUB_STATIC : 0;

		job->scrub_bytes = job->limits.shared_bytes > own ? (job->limits.shared_bytes - own) / 4 * 4 : 0;
		object->shared = job->scrub_bytes;
	}
	json = gk_object_to_json(object);
	text = gk_json_text(json);
	json_decref(json);
	gk_hash_hex(text, strlen(text), key);
	if (!gk_launcher_module(job->launcher, key) &&
	    gk_launcher_add_object(job->launcher, key, object, job->helper_code[i], job->helper_bytes[i], e) <
	            0)
		return -1;
	job->helpers[i].module = gk_launcher_module(job->launcher, key)->made;
	return 0;
}

static struct gk_device_module *helper(const struct time_job *job, const char *name)
{
	for (uint32_t i = 0; i < job->helper_count; i++)
		if (strcmp(job->helpers[i].name, name) == 0)
			return job->helpers[i].module;
	gk_bug("the helper %s was there when the request was read", name);
}

int time_load_all(struct time_job *job, struct gk_err *e)
{
	for (uint32_t i = 0; i < job->helper_count; i++)
		if (load_helper(job, i, e) < 0)
			return -1;
	job->fill = helper(job, "fill");
	job->flush = helper(job, "flush");
	job->scrub = helper(job, "scrub");
	job->loaded = 1;
	return load_sides(job, 0, false, e);
}

/* Loads differ by 1 to 2 % at 10 us, by 0.1 % at 100 us; over few of them an interval is wide (Student's t). */
static uint32_t usual_loads(const struct time_job *job)
{
	double a = job->sides[0].call_ms, b = job->side_count > 1 ? job->sides[1].call_ms : a, ms = a < b ? a : b;

	return ms < SHORT_MS ? 12 : ms < LONG_MS ? 6 : 4;
}

int time_load_more(struct time_job *job, struct gk_err *e)
{
	if (job->loads == 0)
		job->loads = usual_loads(job);
	for (; job->loaded < job->loads; job->loaded++)
		if (load_sides(job, job->loaded, true, e) < 0)
			return -1;
	return 0;
}

void time_unload(struct time_job *job)
{
	for (uint32_t s = 0; s < job->side_count; s++)
		for (int load = 0; load < TIME_LOADS; load++)
			for (int k = 0; k < GK_PLAN_MAX_KERNELS; k++)
				if (job->sides[s].modules[load][k]) {
					job->ops->module_free(job->device, job->sides[s].modules[load][k]);
					job->sides[s].modules[load][k] = NULL;
				}
}
