/* Clocks, in nanoseconds. */
#ifndef GK_BASE_CLOCK_H
#define GK_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t gk_clock_ns(void); /* monotonic */
int64_t gk_wall_ns(void);  /* since 1970, for people and file names only */
/* "2026-01-31 13:05:59" in UTC. */
void gk_wall_text(int64_t wall_ns, char *text, size_t size);

#endif
