/* What an evaluator's peers said of themselves, for commands that judge. */
#ifndef GK_CMD_PEERS_H
#define GK_CMD_PEERS_H

#include <jansson.h>

struct gk_evaluator;

/* By role, as view/story.h reads it; roles that have not started are left out. New reference. */
json_t *gk_cmd_peers(struct gk_evaluator *evaluator);

#endif
