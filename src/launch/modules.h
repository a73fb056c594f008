/* Within the room: from the kernels of a plan to what the device runs. */
#ifndef GK_LAUNCH_MODULES_H
#define GK_LAUNCH_MODULES_H

#include "launch.h"

/*
 * Reads what came along (the frame's first blobs; *used counts them) and fills
 * modules, one per kernel of the plan. Over missing hashes it does not fail:
 * *missing gets a new array of them.
 */
int launch_find_modules(struct gk_launcher *launcher, struct gk_frame *frame, const struct gk_plan *plan,
                        struct gk_device_module **modules, json_t **missing, size_t *used, struct gk_err *e);

/* Whether the object was made from that kernel's module, for the plan's target. */
int launch_check_object(const struct gk_object *object, const struct gk_plan *plan, int64_t kernel,
                        struct gk_err *e);

#endif
