/*
 * What the red team found on this machine: a small JSON file per node, written
 * by `geak redteam` below ${XDG_STATE_HOME:-~/.local/state}/geak/redteam, and
 * cited by the reports of runs.
 */
#ifndef GK_FACT_REDTEAM_H
#define GK_FACT_REDTEAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct gk_redteam_last {
	char date[32];     /* UTC, "2025-11-28T01:20:00Z" */
	char target[32];   /* "cpu", "sm_90", ... */
	char evidence[16]; /* "simulated", "sealed" */
	char containment[64];
	size_t exploits, caught; /* that were tried, that got the verdict they must get */
	size_t honest, flagged;  /* honest kernels, and those of them that did not pass */
	bool is_whole;           /* all fixtures that this machine can try, not a selection */
	bool is_this_build;      /* found with the program that asks */
};

/* False when none is kept for this node, or the file does not read. */
bool gk_redteam_last(struct gk_redteam_last *last);
/* "131 of 131 caught, 0 of 62 honest flagged, cpu, simulated, 2025-11-28 (another build)". */
void gk_redteam_words(const struct gk_redteam_last *last, struct gk_buf *words);

/* Keeps a result (the object of `geak redteam --json`), whatever was kept for this node before. */
int gk_redteam_keep(const json_t *result, struct gk_err *e);

#endif
