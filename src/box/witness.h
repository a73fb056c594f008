/*
 * The clock of a candidate that runs for real, in its own process, part of
 * libgeakbox.so. It finds the driver's functions before anything of the
 * candidate is loaded and keeps their addresses, so that whatever is patched in
 * Python or in libraries above the driver changes nothing. All streams of the
 * device are waited for, by the driver itself, before either clock is read.
 *
 * The process is the candidate's all the same: geak has a clock of its own (the
 * frames `mark`), and the slowest of the three counts.
 */
#ifndef GK_BOX_WITNESS_H
#define GK_BOX_WITNESS_H

#include <stdint.h>

/* driver: "cuda" or "hip"; GEAK_LIBCUDA and GEAK_LIBHIP name other libraries. Makes the device's context. 0, or -1 with words. */
int gk_witness_open(const char *driver, char *message, int32_t message_bytes);
int gk_witness_wait(void); /* for all that was queued on the device; 0 without one; -1: the device has failed */
int gk_witness_begin(void);
/* event_ms is left alone without a device. */
int gk_witness_end(double *event_ms, double *host_ms);

#endif
