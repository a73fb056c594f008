/*
 * What geak found out about this machine and keeps for later: a JSON file for
 * each, ${XDG_STATE_HOME:-~/.local/state}/geak/KIND/NAME.json.
 */
#ifndef GK_BASE_RECORD_H
#define GK_BASE_RECORD_H

#include <jansson.h>

#include "buf.h"
#include "err.h"

/* SHA-256 of the running program, hex: what a record holds for. "" when it cannot be read. */
const char *gk_record_build(void);
/* The machine's name, "localhost" when it has none; static. */
const char *gk_record_host(void);
/* Of name nothing but letters, digits, '-', '.' and '_' stays: foreign names cannot leave the folder. */
void gk_record_path(struct gk_buf *path, const char *kind, const char *name);
int gk_record_keep(const char *kind, const char *name, const json_t *record, struct gk_err *e);

#endif
