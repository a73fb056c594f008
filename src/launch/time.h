/*
 * Within the room: the answer to a time frame, in parts.
 *
 *   time.c          the order of things, and what becomes of faults
 *   time_read.c     the request: plans, code, helpers, inputs
 *   time_load.c     code objects onto the device, several times
 *   time_kept.c     inputs that stay on the device from request to request
 *   time_memory.c   rotating sets of buffers that both sides share; what is of ours
 *   time_call.c     what is queued before, for and behind one timed call
 *   time_check.c    untimed calls, what lies around buffers, inputs
 *   time_tune.c     variants of choose steps
 *   time_pairs.c    the measurement itself
 *   time_clock.c    the host's clock; batches of short calls
 *   time_witness.c  outputs of timed calls
 *   time_told.c     the answer's JSON
 */
#ifndef GK_LAUNCH_TIME_H
#define GK_LAUNCH_TIME_H

#include "launch.h"
#include "num/random.h"
#include "plan/helper.h"
#include "stat/ratio.h"
#include "stat/summary.h"

enum {
	TIME_SETS = 8,
	TIME_LOADS = 16,
	TIME_PAIRS = 512,
	TIME_CHUNK = 32, /* pairs between two waits */
	TIME_CALLS = 2 * TIME_CHUNK,
	TIME_INPUTS = GK_WIRE_MAX_BLOBS,
	TIME_REGIONS = 2 * GK_PLAN_MAX_BUFFERS + 2,
	TIME_HEALTH = TIME_PAIRS + 8,
	TIME_FLUSHES = 32,
	TIME_PHASES = 24
};

/* A choose step of a plan, and what its allowed variants took. */
struct time_choice {
	uint32_t step, count;
	uint32_t *allowed;
	double *ms; /* 0: not tuned, there is one only */
};

/* What came of the outputs of one side's timed calls. Dense elements of all outputs, one behind the other. */
struct time_evidence {
	uint64_t dense_bytes;
	uint8_t *first, *sent,
		*before; /* of the first call that was looked at, the one sent back, as filled */
	uint32_t checked, different, befores;
	uint64_t poisoned[GK_PLAN_MAX_OUTPUTS];
	int64_t first_poisoned[GK_PLAN_MAX_OUTPUTS];
};

struct time_side {
	struct gk_plan *plan;
	struct gk_object *objects[GK_PLAN_MAX_KERNELS]; /* NULL: not launched; owned */
	const uint8_t *code[GK_PLAN_MAX_KERNELS];
	size_t code_bytes[GK_PLAN_MAX_KERNELS];
	int32_t input_of[GK_PLAN_MAX_BUFFERS]; /* index among the request's inputs, -1: allocated */
	struct time_choice *choices;
	uint32_t choice_count;
	uint32_t variant[GK_PLAN_MAX_STEPS]; /* of choose steps, now */
	struct gk_device_module *modules[TIME_LOADS][GK_PLAN_MAX_KERNELS];
	struct gk_device_memory *memory[TIME_SETS];
	struct gk_device_run run;
	/* Of each output: the bytes of its buffer that it reaches, and where in a witness they go. */
	uint64_t low[GK_PLAN_MAX_OUTPUTS], span[GK_PLAN_MAX_OUTPUTS], slot_at[GK_PLAN_MAX_OUTPUTS];
	struct time_evidence evidence;
	bool is_known; /* its outputs are not sent back */
	bool changed[GK_PLAN_MAX_BUFFERS]; /* inputs that were written */
	double call_ms, fills_ms;          /* fills_ms < 0: the plan has launches only */
	double ms[TIME_PAIRS];
};

/* Bytes to be put back, or to be filled anew, before each call. */
struct time_region {
	uint64_t at, from, bytes;
};
struct time_set {
	struct time_region restores[TIME_REGIONS], fills[TIME_REGIONS];
	uint32_t restore_count, fill_count;
};

struct time_reading {
	uint32_t pair;
	struct gk_device_health health;
};

/* Memory of ours beside the inputs as they came: the flush buffer, the sink, witnesses. Buffers of job->rooms. */
struct time_rooms {
	struct gk_device_memory *memory;
	uint32_t flush, sink, witness; /* numbers of buffers */
	uint64_t flush_words;
	uint64_t slot_bytes; /* of one witness */
	uint32_t slots;
	uint8_t *fetched; /* where all outputs are looked at: the slots, on the host */
};

struct time_job {
	struct gk_launcher *launcher;
	struct gk_device *device;
	const struct gk_device_ops *ops;
	struct gk_frame *frame;
	struct gk_random random;

	/* the request */
	struct gk_blob_map code, inputs[TIME_INPUTS];
	uint32_t input_count;
	struct gk_device_helper helpers[2 * GK_HELPER_MAX];
	struct gk_object *helper_objects[2 * GK_HELPER_MAX];
	const uint8_t *helper_code[2 * GK_HELPER_MAX];
	size_t helper_bytes[2 * GK_HELPER_MAX];
	uint32_t helper_count;
	struct gk_device_module *fill, *flush, *scrub;
	uint64_t seed;
	double cap_ms, half_width;
	uint32_t loads, loaded;
	struct time_side sides[2];
	uint32_t side_count;
	size_t first_output; /* number of the first output's blob */

	/* memory */
	struct gk_device_limits limits;
	struct time_rooms rooms;
	struct launch_kept on[TIME_INPUTS]; /* the inputs, as they came */
	struct time_set sets[TIME_SETS];
	uint32_t set_count;
	bool is_refused;  /* there is not enough of it */
	bool all_outputs; /* of every call are looked at */
	uint32_t flushes; /* reads of the flush buffer before a call: so many that the host gets ahead */
	uint32_t scrub_programs, scrub_bytes;

	/* what was measured */
	uint32_t pair_count, discarded, group[TIME_PAIRS], first[TIME_PAIRS];
	double prepare_ms, tick_ms, pair_ms, held_ms;
	struct {
		const char *name;
		double ms;
	} took[TIME_PHASES]; /* what the time on the device went into, in order */
	uint32_t took_count;
	struct time_reading readings[TIME_HEALTH];
	uint32_t reading_count;
	struct {
		uint32_t calls, rounds;
		double ms[2];
	} host, batch; /* calls 0: there is none */
	const char *stopped;

	struct gk_finding finding;
	int who; /* the side whose doing a fault would be: 0, 1, -1: not known */
};

/* ---- time_read.c, time_load.c ---- */

int time_read(struct time_job *job, struct gk_err *e);
void time_read_release(struct time_job *job);
/* Every code object once, or again until there are job->loads of what the chosen variants launch. */
int time_load_all(struct time_job *job, struct gk_err *e);
int time_load_more(struct time_job *job, struct gk_err *e);
void time_unload(struct time_job *job);
/* Calls visit for each launch that may be made: of prologue, steps, allowed variants (chosen: of these
 * alone). */
typedef int time_visit_fn(void *ctx, const struct gk_plan_launch *launch, struct gk_err *e);
int time_visit_launches(const struct time_side *side, bool chosen, time_visit_fn *visit, void *ctx,
                        struct gk_err *e);

/* ---- time_memory.c ---- */

/* With job->is_refused there is not enough of it, which the error tells in words for a finding. */
int time_take_memory(struct time_job *job, struct gk_err *e);
void time_drop_memory(struct time_job *job);
struct gk_device_region time_room(const struct time_job *job, uint32_t buffer);

/* ---- time_kept.c ---- */

/* Which inputs are on the device already; bytes: of each. job->on[i].memory is NULL for the others. */
void time_find_inputs(struct time_job *job, const uint64_t bytes[]);
/* All of them, with the rooms in place. */
int time_bring_inputs(struct time_job *job, struct gk_err *e);
struct gk_device_region time_input(const struct time_job *job, uint32_t input);
size_t time_sum_count(uint64_t bytes); /* of so many bytes; 4 bytes of the sink each */
/* Whether what lies at another address has the sums of the input as it came; of large ones, and of its own size. */
bool time_has_sums(const struct time_job *job, uint32_t input, uint64_t bytes);
int time_compare_sums(struct time_job *job, uint32_t input, uint64_t at, bool *differs, struct gk_err *e);
/* Keeps what may stay, frees the rest; before the rooms go. */
void time_leave_inputs(struct time_job *job);

/* ---- time_call.c: all queued, nothing waits ---- */

enum { TIME_NO_MARK = -1, TIME_NO_SLOT = -1 };
struct time_call {
	uint32_t side, set, load;
	int mark;         /* the first of two, or TIME_NO_MARK */
	int slot, before; /* witnesses to be taken of the outputs, as filled and behind the call; or
	                     TIME_NO_SLOT */
};
int time_fill(struct time_job *job, uint32_t side, uint32_t set, int before,
              struct gk_err *e);                       /* restore, fill, prologue */
int time_fill_flush(struct time_job *job, struct gk_err *e); /* random words, once */
int time_wash(struct time_job *job, struct gk_err *e); /* scrub, flush */
/* Once more random bytes over what the call itself would write. */
int time_soil(struct time_job *job, uint32_t set, struct gk_err *e);
int time_steps(struct time_job *job, uint32_t side, uint32_t set, uint32_t load, struct gk_err *e);
int time_fills_only(struct time_job *job, uint32_t side, uint32_t set,
                    struct gk_err *e); /* the steps but launches */
int time_prepare(struct time_job *job, uint32_t side, uint32_t set, int before,
                 struct gk_err *e); /* fill and wash */
int time_call(struct time_job *job, const struct time_call *call, struct gk_err *e);
int time_elapsed(struct time_job *job, int mark, double *ms, struct gk_err *e); /* of mark and mark + 1 */
uint32_t time_any_set(struct time_job *job);
/* A run's failure: its finding becomes the job's; -1. */
int time_run_failed(struct time_job *job, const struct gk_device_run *run, struct gk_err *e);

/* ---- time_check.c ---- */

void time_took(struct time_job *job, const char *name, double ms); /* of the time on the device */
int time_check(struct time_job *job, struct gk_err *e); /* before anything is timed */
int time_settle(struct time_job *job,
                struct gk_err *e); /* how long things take, how far the host must be ahead */
int time_steps_apart(struct time_job *job,
                     struct gk_err *e);                  /* what the chosen plans' fills and copies take */
int time_finish(struct time_job *job, struct gk_err *e); /* at the end */

/* ---- the measurement ---- */

int time_tune(struct time_job *job, struct gk_err *e);
int time_pairs(struct time_job *job, struct gk_err *e);
int time_host(struct time_job *job, struct gk_err *e);
int time_batch(struct time_job *job, struct gk_err *e);
int64_t time_now_ns(void); /* the host's clock, which nobody adjusts */

/* ---- time_witness.c ---- */

void time_lay_witness(struct time_job *job); /* slots, before memory is taken */
int time_witness(struct time_job *job, uint32_t side, uint32_t set, int slot, struct gk_err *e); /* queued */
/* Before looking, where all outputs are looked at: the first so many slots. */
int time_fetch(struct time_job *job, uint32_t slots, struct gk_err *e);
int time_look(struct time_job *job, uint32_t side, int slot, int before, struct gk_err *e); /* afterwards */
/* Of large outputs, at the end: two calls' slots; second TIME_NO_SLOT: there was one only. */
int time_look_few(struct time_job *job, uint32_t side, int first, int second, struct gk_err *e);
uint64_t time_output_at(const struct time_side *side, uint32_t output); /* among dense bytes */
void time_evidence_release(struct time_side *side);

/* ---- time_told.c ---- */

json_t *time_told(struct time_job *job, double ms);

#endif
