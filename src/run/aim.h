/* Where plans are executed: on the GPU that is here, or on the machine. */
#ifndef GK_RUN_AIM_H
#define GK_RUN_AIM_H

#include <jansson.h>

#include "base/err.h"

struct gk_aim {
	char target[32]; /* for which plans are captured and kernels lowered: "sm_90", "gfx942", "cpu" */
	char device[16]; /* of the launcher: "cuda", "hip", "cpu" */
	int gpus;        /* how many there are of it; 0 for the machine */
};

/*
 * The facts of the GPU that a launcher knows: the one of GEAK_LAUNCHER (a command line; whatever is wrong with it
 * is an error that quotes it), else our own. New reference; {} when there is none.
 */
int gk_aim_ask(json_t **facts, struct gk_err *e);

/*
 * asked: "auto" (or NULL), or a target. A target is executed where it is: on
 * the GPU here if that is what it is, else on the machine. A launcher tells
 * what is here (geak itself opens no driver); it is asked once per process.
 */
int gk_aim_take(const char *asked, struct gk_aim *aim, struct gk_err *e);

/* What prompts say of the GPU that was found: {name: number or text}, new reference; NULL when there is none. */
json_t *gk_aim_hardware(void);

#endif
