/*
 * Where geak's own things lie: its share folder (worker/, suites/, prompts/,
 * recipes/), its program file, and the Python that has torch and triton.
 */
#ifndef GK_BASE_PLACE_H
#define GK_BASE_PLACE_H

#include "arena.h"
#include "err.h"

struct gk_place {
	const char *share;       /* absolute: $GEAK_SHARE, else the checkout of build/geak, else PREFIX/share/geak */
	const char *program;     /* $GEAK_PROGRAM, else the running program; `PROGRAM launcher` is started from it */
	const char *box;         /* libgeakbox.so beside the program or in ../lib/geak, or NULL */
	const char *python;      /* $GEAK_PYTHON, else the private environment's, else "python3"; it may be missing */
	const char *python_from; /* "GEAK_PYTHON", "private environment" or "PATH" */
};

/* Strings live in the arena. Fails (GK_ERR_INPUT, says what to set) when there is no share folder. */
int gk_place_find(struct gk_place *place, struct gk_arena *arena, struct gk_err *e);
/* SHARE/NAME, a folder or file: gk_place_path(&arena, "worker", &path, e). Fails when it is not there. */
int gk_place_path(struct gk_arena *arena, const char *name, const char **path, struct gk_err *e);

#endif
