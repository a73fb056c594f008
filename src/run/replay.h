/* Any run as a replay file: its answers, by prompt hash and by their place. */
#ifndef GK_RUN_REPLAY_H
#define GK_RUN_REPLAY_H

#include <stdbool.h>

#include "base/buf.h"
#include "store/store.h"

/* note: where the answers come from; prompts: include their text. */
int gk_replay_export(struct gk_store *store, const char *note, bool prompts, struct gk_buf *out, size_t *count,
                     struct gk_err *e);

#endif
