/* `timed` of docs/protocol.md, decoded: what the launcher tells about timed calls. */
#ifndef GK_JUDGE_TIMED_H
#define GK_JUDGE_TIMED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "stat/ratio.h"

#define GK_TIMED_MAX 65536 /* numbers in one list */

struct gk_timed_numbers {
	double *items;
	size_t count;
};

/* What happened on one side. */
struct gk_timed_side {
	bool is_there;
	struct gk_timed_numbers ms;      /* as told: a forged clock may run backwards */
	struct gk_timed_numbers chosen;  /* variant per choose step */
	struct gk_timed_numbers changed; /* buffers */
	double fills_ms;                 /* 0: not told */
	int64_t checked, different;      /* timed calls whose outputs were compared; that differed */
	int64_t poisoned;                /* elements never written, over all outputs */
	int64_t poisoned_output, poisoned_first;
};

/* By another clock, or in batches; ms of a side: 0 is not measured. */
struct gk_timed_figure {
	bool is_there;
	int64_t calls, rounds;
	double a_ms, b_ms;
};

struct gk_timed_health {
	size_t count;
	double sm_mhz, sm_low, sm_high; /* median, least, most; 0: not told */
	double memory_low, memory_high;
	double watts, celsius; /* most; 0: not told */
	json_t *throttle;      /* array of reasons, each once; owned */
};

enum gk_timed_fault { GK_TIMED_NO_ONE, GK_TIMED_A, GK_TIMED_B };

struct gk_timed {
	struct gk_arena arena;
	const json_t *finding; /* borrowed from the JSON; NULL: none */
	enum gk_timed_fault fault;
	struct gk_timed_side a, b;
	uint32_t *groups; /* one per call of a */
	struct gk_timed_figure host, batch;
	struct gk_timed_health health;
	double tick_ms, held_ms;
	const json_t *took;  /* what held_ms went into, by name; borrowed, or NULL */
	const char *stopped; /* why no more calls were timed; borrowed, or NULL */
	int64_t discarded;
};

/* Fails (GK_ERR_INPUT) on what is not as documented, figures that do not belong together included. */
int gk_timed_read(const json_t *json, struct gk_timed *timed, struct gk_err *e);
void gk_timed_release(struct gk_timed *timed);

/*
 * Pairs of both sides' calls; in the arena, as many as a has calls. No time is
 * below half a tick: what reads less is forged or nothing, and a logarithm must come of it.
 */
struct gk_pair *gk_timed_pairs(struct gk_timed *timed);
double gk_timed_least_ms(const struct gk_timed *timed);

#endif
