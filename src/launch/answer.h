/* Within the room: what the answers to both kinds of request are made of. */
#ifndef GK_LAUNCH_ANSWER_H
#define GK_LAUNCH_ANSWER_H

#include "launch.h"

/*
 * The descriptor to write an output to: the frame's blob, whose memory file must have that many bytes, or
 * over an inline channel a new one, which the caller owns. Negative on failure.
 */
int launch_output_fd(const struct gk_frame *frame, size_t blob, bool is_inline, uint64_t bytes,
                     struct gk_err *e);
int launch_write_output(int fd, const uint8_t *bytes, uint64_t size, struct gk_err *e);

/*
 * Whether so many elements may hold by chance what the memory held before. Of 16 bits one in 2^16 does, and six
 * standard deviations more; of 8 bits too many to tell anything, of longer ones so few that each tells.
 */
bool launch_is_chance(uint64_t elements, size_t element_bytes, uint64_t suspected);

/* Milliseconds since *last_ns (of gk_clock_ns()), which becomes now. */
double launch_lap_ms(int64_t *last_ns);

json_t *launch_safe_string(const char *text, size_t size, size_t most); /* foreign text, escaped */
json_t *launch_finding_json(const struct gk_finding *finding);          /* null when there is none */

#endif
