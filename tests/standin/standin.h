/* What the parts of the stand-in driver share. */
#ifndef TEST_STANDIN_H
#define TEST_STANDIN_H

#include <stdint.h>

enum { MAX_PARAMS = 48 };

/* A loaded code object, and its one function. */
struct module {
	char kernel[16];
	int number; /* of all loads of kernels of that name */
	int sizes[MAX_PARAMS], count;
};

#define HIDDEN __attribute__((visibility("hidden"))) /* no program's function of that name is called instead */

extern HIDDEN int stuck;         /* an error that stays */
extern HIDDEN int launches;      /* of kernels that change their ways */
extern HIDDEN double gpu_now_ms; /* the clock of events */

/* Does at once what the kernel does, with the time that it takes; what it breaks is stuck. */
HIDDEN void run(const struct module *m, void **params, uint32_t programs);

#endif
