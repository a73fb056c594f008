/* Test Anything Protocol for unit tests: ok(), is_text(), is_int(), near(), skip(), and done_testing() at the end. */
#ifndef GK_TESTS_TAP_H
#define GK_TESTS_TAP_H

#include <math.h>
#include <stdio.h>
#include <string.h>

static int tap_number, tap_failures;

static inline int tap_ok(int holds, const char *behaviour, const char *file, int line)
{
	printf("%sok %d - %s\n", holds ? "" : "not ", ++tap_number, behaviour);
	if (!holds) {
		tap_failures++;
		printf("# at %s:%d\n", file, line);
	}
	fflush(stdout);
	return holds;
}

static inline int tap_is_text(const char *got, const char *want, const char *behaviour, const char *file, int line)
{
	int holds = got && want ? strcmp(got, want) == 0 : got == want;

	tap_ok(holds, behaviour, file, line);
	if (!holds)
		printf("#  got: %s\n# want: %s\n", got ? got : "NULL", want ? want : "NULL");
	return holds;
}

static inline int tap_is_int(long long got, long long want, const char *behaviour, const char *file, int line)
{
	tap_ok(got == want, behaviour, file, line);
	if (got != want)
		printf("#  got: %lld\n# want: %lld\n", got, want);
	return got == want;
}

static inline int tap_near(double got, double want, double slack, const char *behaviour, const char *file, int line)
{
	int holds = fabs(got - want) <= slack || got == want || (isnan(got) && isnan(want));

	tap_ok(holds, behaviour, file, line);
	if (!holds)
		printf("#  got: %.17g\n# want: %.17g\n", got, want);
	return holds;
}

#define ok(holds, behaviour)               tap_ok(!!(holds), behaviour, __FILE__, __LINE__)
#define is_text(got, want, behaviour)      tap_is_text(got, want, behaviour, __FILE__, __LINE__)
#define is_int(got, want, behaviour)       tap_is_int(got, want, behaviour, __FILE__, __LINE__)
#define near(got, want, slack, behaviour)  tap_near(got, want, slack, behaviour, __FILE__, __LINE__)
#define skip(behaviour, reason)            printf("ok %d - %s # SKIP %s\n", ++tap_number, behaviour, reason)

static inline int done_testing(void)
{
	printf("1..%d\n", tap_number);
	return tap_failures != 0;
}

#endif
