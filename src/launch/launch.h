/*
 * The launcher's body: plans and bytes in, outputs and findings out. It owns
 * one device, has never seen a candidate's Python, and keeps nothing but a
 * cache of modules by content.
 */
#ifndef GK_LAUNCH_LAUNCH_H
#define GK_LAUNCH_LAUNCH_H

#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "device/device.h"
#include "fact/object.h"
#include "wire/frame.h"

#define GK_LAUNCH_BUDGET                                                                                     \
	((uint64_t)20000000000) /* operations of one execution where the request names none */

struct gk_launch_options {
	const char *device;    /* "cpu", "cuda", "hip" */
	int gpu;               /* which one, -1: the first that is free */
	const char *build;     /* for hello */
	int threads;           /* 0: one */
	uint64_t memory_bytes; /* ceiling of one execution's buffers; 0: half of the machine's memory */
};

/* Opens the device, says hello over the channel of GEAK_FD or stdin and stdout, serves until its end. */
int gk_launch_serve(const struct gk_launch_options *options, struct gk_err *e);

/* The facts of the first GPU that a driver here knows, in use or not; NULL when there is none. */
json_t *gk_launch_describe(void);

/* ---- parts, for tests ---- */

struct gk_launch_module {
	struct gk_ir *ir;         /* of a device that goes by it */
	struct gk_object *object; /* of one that goes by code objects */
	struct gk_device_module *made;
};

/* A memory file that nobody can write to any more. */
struct launch_file {
	uint64_t device, inode, bytes;
	int64_t made_s, made_ns, written_s, written_ns;
};

/* An input's bytes on the device, mapped nowhere between requests (time_kept.c). */
struct launch_kept {
	struct launch_file file;
	uint64_t bytes; /* on the device: the file's first */
	struct gk_device_memory *memory;
	uint32_t *sums; /* of its blocks, as it came */
	bool has_sums, can_stay;
	uint64_t used; /* a number that rises */
};

struct gk_launcher {
	struct gk_device *device;
	struct gk_map modules; /* hash of the IR's text, or of the object's JSON -> struct gk_launch_module */
	size_t module_bytes;   /* of IR text and code in the cache */
	struct launch_kept kept[64];
	size_t kept_count;
	uint64_t kept_bytes, kept_ceiling, kept_tick;
	uint64_t kept_least; /* smaller inputs do not stay; 0: 4 MiB */
	uint64_t memory_bytes;
};

int gk_launcher_open(struct gk_launcher *launcher, const struct gk_launch_options *options, struct gk_err *e);
void gk_launcher_close(struct gk_launcher *launcher);
/* No programs, sockets, rights or files from now on but what the device needs. Before anything of a candidate. */
/* The inputs that stayed on the device, so that there is more memory; false: there were none. */
bool launch_drop_kept(struct gk_launcher *launcher);
int gk_launch_confine(struct gk_launcher *launcher, struct gk_err *e);

/* The parsed module of that hash; NULL when it is not cached. */
struct gk_launch_module *gk_launcher_module(struct gk_launcher *launcher, const char *hash);
/* Reads the text and keeps it under its own hash, which must be hash. */
int gk_launcher_add(struct gk_launcher *launcher, const char *hash, const char *text, size_t size,
                    struct gk_err *e);

/* Loads code, whose own hash must be object->object, and keeps it under key. object is copied. */
int gk_launcher_add_object(struct gk_launcher *launcher, const char *key, const struct gk_object *object,
                           const void *code, size_t size, struct gk_err *e);

/*
 * Answers an execute frame: fills *type (EXECUTED or NEED), *json (new
 * reference) and, over an inline channel, *outputs with the descriptors of the
 * plan's outputs, to be sent and closed by the caller. Fails when the request
 * is not as docs/protocol.md says, or for reasons of ours.
 */
int gk_launcher_execute(struct gk_launcher *launcher, struct gk_frame *frame, bool is_inline,
                        enum gk_wire_type *type, json_t **json, int outputs[GK_PLAN_MAX_OUTPUTS],
                        size_t *output_count, struct gk_err *e);

/* The most outputs of both sides of a time request. */
#define GK_LAUNCH_OUTPUTS (2 * GK_PLAN_MAX_OUTPUTS)

/* Answers a time frame with TIMED, as above; outputs are a's, then b's. */
int gk_launcher_time(struct gk_launcher *launcher, struct gk_frame *frame, bool is_inline,
                     enum gk_wire_type *type, json_t **json, int outputs[GK_LAUNCH_OUTPUTS], size_t *output_count,
                     struct gk_err *e);

#endif
