#include "clock.h"

#include <stdio.h>
#include <time.h>

#include "memory.h"

#define NS_PER_S 1000000000

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	if (clock_gettime(id, &now) < 0)
		gk_bug("clock %d does not answer", (int)id);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t gk_clock_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t gk_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void gk_wall_text(int64_t wall_ns, char *text, size_t size)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) || !strftime(text, size, "%Y-%m-%d %H:%M:%S", &parts))
		snprintf(text, size, "?");
}
