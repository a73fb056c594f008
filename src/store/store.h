/*
 * The journal of a run: one SQLite file in the run folder (docs/journal.md).
 *
 * SQL stands in this room only; callers see rows as structs. Strings of rows
 * live in the arena the caller hands over. One thread. Writing functions need
 * an open transaction unless they say otherwise. A failed write leaves the
 * journal as it was before gk_store_begin(), and the run resumable.
 */
#ifndef GK_STORE_STORE_H
#define GK_STORE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "fact/event.h"
#include "fact/usage.h"
#include "fact/verdict.h"

#define GK_STORE_VERSION   1
#define GK_BLOB_INSIDE_MAX ((size_t)1 << 20)  /* larger ones are files under blobs/ */
#define GK_BLOB_MAX        ((size_t)1 << 28)

struct gk_store;

bool gk_store_exists(const char *folder);
/* Makes the folder and an empty journal; one that has a journal is refused. Takes the folder's lock. */
struct gk_store *gk_store_create(const char *folder, struct gk_err *e);
/* For going on with a run: takes the lock, or says which process has it. */
struct gk_store *gk_store_open(const char *folder, struct gk_err *e);
/* For reports, also while another process writes. */
struct gk_store *gk_store_open_read(const char *folder, struct gk_err *e);
void gk_store_close(struct gk_store *store); /* rolls back what was not committed; NULL is fine */
const char *gk_store_folder(const struct gk_store *store);

int gk_store_begin(struct gk_store *store, struct gk_err *e);
int gk_store_commit(struct gk_store *store, struct gk_err *e);
void gk_store_rollback(struct gk_store *store);

/* The run itself: written once. */
struct gk_store_run {
	const char *geak;        /* version that began it */
	const char *config_hash; /* of the fact "config" */
	uint8_t secret[GK_HASH_BYTES];
	const char *replay_of;   /* name of the replay file, or NULL */
	int64_t created_ns;
};
int gk_store_run_set(struct gk_store *store, const struct gk_store_run *run, struct gk_err *e);
bool gk_store_has_run(struct gk_store *store);
int gk_store_run_get(struct gk_store *store, struct gk_arena *arena, struct gk_store_run *run, struct gk_err *e);

/* Hashes of the files that prompts and verdicts depend on: task files, prompt parts, recipe, price table. */
struct gk_store_pin { const char *name, *hash; };
int gk_store_pin_add(struct gk_store *store, const char *name, const char *hash, struct gk_err *e);
int gk_store_pins(struct gk_store *store, struct gk_arena *arena, struct gk_store_pin **pins, size_t *count,
                  struct gk_err *e);

/* Append-only remarks: "config", "hardware", "lost", "winner", ... The reference of json is not taken. */
struct gk_store_fact { int64_t seq; const char *name; json_t *json; };
int gk_store_fact_add(struct gk_store *store, const char *name, json_t *json, struct gk_err *e);
/* The last fact of that name, NULL in *json when there is none; new reference. */
int gk_store_fact_last(struct gk_store *store, const char *name, json_t **json, struct gk_err *e);
/* All of that name in order; the caller drops each reference. */
int gk_store_facts(struct gk_store *store, const char *name, struct gk_arena *arena, struct gk_store_fact **facts,
                   size_t *count, struct gk_err *e);

struct gk_store_trajectory { int64_t id; const char *task, *recipe; int number; };
int gk_store_trajectory_add(struct gk_store *store, const char *task, const char *recipe, int number, int64_t *id,
                            struct gk_err *e);
int gk_store_trajectories(struct gk_store *store, struct gk_arena *arena, struct gk_store_trajectory **rows,
                          size_t *count, struct gk_err *e); /* by id */

/* Fills in event->seq. ref: id of the ask or verdict it tells of, or 0. Steps must come without gaps. */
int gk_store_event_add(struct gk_store *store, struct gk_event *event, int64_t ref, struct gk_err *e);
/* Calls fn for each event in order (of one trajectory, or of all with 0); a damaged row is an error that names it. */
typedef int gk_store_event_fn(void *ctx, const struct gk_event *event, struct gk_err *e);
int gk_store_events(struct gk_store *store, int64_t trajectory, gk_store_event_fn *fn, void *ctx, struct gk_err *e);

struct gk_store_ask {
	int64_t id, trajectory;
	int step; /* of its `asked` event */
	const char *role, *model, *params_hash, *prompt_hash;
	int sample;
};
int gk_store_ask_add(struct gk_store *store, struct gk_store_ask *ask, struct gk_err *e); /* fills in id */
int gk_store_ask_get(struct gk_store *store, int64_t trajectory, int step, struct gk_arena *arena,
                     struct gk_store_ask *ask, struct gk_err *e);
/* Asks that nothing has come for, by id: to be sent again after a resume. */
int gk_store_asks_open(struct gk_store *store, struct gk_arena *arena, struct gk_store_ask **asks, size_t *count,
                       struct gk_err *e);

/*
 * A request on the wire. The row stands, durable, before its bytes leave: so
 * this opens a transaction of its own when none is open. Refused by the
 * journal itself when an answer to the ask is stored.
 */
int gk_store_send_start(struct gk_store *store, int64_t ask, int n, int64_t started_ns, struct gk_err *e);
int gk_store_send_end(struct gk_store *store, int64_t ask, int n, int64_t ended_ns, int http, const char *outcome,
                      struct gk_err *e);
/*
 * Sends that a killed process left without an end, or with an answer that was
 * not stored: each becomes `lost`. Returns their asks (one entry per send).
 */
int gk_store_sends_lost(struct gk_store *store, struct gk_arena *arena, struct gk_store_ask **asks, size_t *count,
                        struct gk_err *e);

/* text_hash NULL: refused for good. */
struct gk_store_answer { int64_t ask; const char *text_hash, *finish; struct gk_usage usage; };
int gk_store_answer_add(struct gk_store *store, const struct gk_store_answer *answer, struct gk_err *e);
int gk_store_answer_get(struct gk_store *store, int64_t ask, struct gk_arena *arena, struct gk_store_answer *answer,
                        bool *found, struct gk_err *e);

/* Everything that was paid, or may have been. */
struct gk_store_ledger {
	int64_t requests;      /* prompts that were answered or refused */
	int64_t sends, lost;   /* HTTP requests made; those whose fate is unknown */
	int64_t prompt_tokens, cached_tokens, completion_tokens;
	int64_t cost_nano_usd; /* of answers whose price is known, and of lost sends at their maximum */
	int64_t lost_nano_usd; /* the part of it that was booked for lost sends */
	int64_t unpriced;      /* answers and lost sends whose price is unknown */
};
int gk_store_ledger(struct gk_store *store, struct gk_store_ledger *ledger, struct gk_err *e);

/* purpose: "attempt" or "confirm". Writes the verdict, a row per case, and per timed case a timing with its samples. */
int gk_store_verdict_add(struct gk_store *store, int64_t trajectory, int step, const char *purpose,
                         const char *candidate_hash, const char *judge_build, const struct gk_verdict *verdict,
                         int64_t *id, struct gk_err *e);

/* How fast a case was: ratios over the reference; NaN where the launcher's answer could not be made a figure of. */
struct gk_store_timing {
	const char *case_hash;    /* SHA-256 of the case's id, gk_store_case_hash() */
	double low, mid, high;    /* speedup and its interval */
	double floor;             /* noise floor, relative */
	const char *samples_hash; /* blob: what the launcher told (`timed` of docs/protocol.md); NULL: nothing was kept */
};
void gk_store_case_hash(const char *case_id, char hash[GK_HEX_SIZE]);
/* In the order of the verdict's cases; a verdict that was not timed has none. */
int gk_store_timings(struct gk_store *store, int64_t verdict, struct gk_arena *arena, struct gk_store_timing **timings,
                     size_t *count, struct gk_err *e);
/* The last verdict of that purpose on that candidate in a trajectory; 0 when there is none. */
int gk_store_verdict_find(struct gk_store *store, int64_t trajectory, const char *purpose, const char *candidate_hash,
                          int64_t *id, struct gk_err *e);
/* A blob that is JSON, as a new reference. */
int gk_store_json_get(struct gk_store *store, const char *hash, json_t **json, struct gk_err *e);

/* Content-addressed bytes. Putting what is there already does nothing. */
int gk_store_blob_put(struct gk_store *store, const void *bytes, size_t size, char hash[GK_HEX_SIZE],
                      struct gk_err *e);
/* With a zero behind; the content is checked against the hash. */
int gk_store_blob_get(struct gk_store *store, const char *hash, struct gk_arena *arena, char **bytes, size_t *size,
                      struct gk_err *e);

#endif
