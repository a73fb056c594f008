/*
 * Copies to and from the device, through pinned memory. Much is moved in two
 * halves: while the driver moves one, the host fills or reads the other. What
 * is small is put behind what was small before, and nobody waits: the queue
 * keeps the order, and the memory is used anew once it was waited for anyway.
 */
#include <string.h>

#include "base/parallel.h"
#include "gpu.h"

enum { HALF = GPU_STAGING_BYTES / 2, SLICE = 1 << 20, SMALL = 1 << 19, APART = 256 };

/* ---- on the host: new pages and memory that is far are slow for one thread ---- */

struct copying {
	char *to;
	const char *from;
	uint64_t bytes;
};

static void copy_slice(void *ctx, size_t number)
{
	const struct copying *c = ctx;
	uint64_t at = (uint64_t)number * SLICE;

	memcpy(c->to + at, c->from + at, c->bytes - at < SLICE ? c->bytes - at : SLICE);
}

static void copy(void *to, const void *from, uint64_t bytes)
{
	struct copying c = {to, from, bytes};

	gk_parallel((bytes + SLICE - 1) / SLICE, copy_slice, &c);
}

/* ---- to and from the device ---- */

static char *half_of(const struct gpu *gpu, uint64_t number)
{
	return (char *)gpu->staging + number % 2 * HALF;
}

static uint64_t piece_at(uint64_t done, uint64_t bytes)
{
	return bytes - done < HALF ? bytes - done : HALF;
}

int gpu_wait(struct gpu *gpu)
{
	int error = gpu->call.stream_sync(gpu->stream);

	if (!error)
		gpu->staged = 0;
	return error;
}

static int upload_small(struct gpu *gpu, uint64_t to, const void *from, uint64_t bytes)
{
	char *at;
	int error = gpu->staged + bytes > GPU_STAGING_BYTES ? gpu_wait(gpu) : 0;

	if (error || bytes == 0)
		return error;
	at = (char *)gpu->staging + gpu->staged;
	memcpy(at, from, bytes);
	gpu->staged += (bytes + APART - 1) / APART * APART;
	return gpu->call.to_device(to, at, bytes, gpu->stream);
}

/* The transfer of one half is waited for when the next half is ready. */
static int upload_halves(struct gpu *gpu, uint64_t to, const void *from, uint64_t bytes)
{
	int error = gpu->staged ? gpu_wait(gpu) : 0;
	uint64_t number = 0;

	for (uint64_t done = 0, n; done < bytes && !error; done += n, number++) {
		n = piece_at(done, bytes);
		copy(half_of(gpu, number), (const char *)from + done, n);
		if (number)
			error = gpu_wait(gpu);
		if (!error)
			error = gpu->call.to_device(to + done, half_of(gpu, number), n, gpu->stream);
	}
	return error ? error : gpu_wait(gpu);
}

int gpu_upload(struct gpu *gpu, uint64_t to, const void *from, uint64_t bytes, struct gk_err *e)
{
	int error = bytes > SMALL ? upload_halves(gpu, to, from, bytes) : upload_small(gpu, to, from, bytes);

	return error ? gpu_fail(gpu, error, "copying to the GPU", e) : 0;
}

static int fetch(struct gpu *gpu, uint64_t number, uint64_t from, uint64_t bytes)
{
	return bytes ? gpu->call.to_host(half_of(gpu, number), from, bytes, gpu->stream) : 0;
}

int gpu_read(struct gpu *gpu, uint64_t from, uint64_t bytes, gpu_read_fn *fn, void *ctx, struct gk_err *e)
{
	bool go_on = true;
	int error = fetch(gpu, 0, from, piece_at(0, bytes));

	for (uint64_t done = 0, number = 0, n; done < bytes && !error && go_on; done += n, number++) {
		n = piece_at(done, bytes);
		error = gpu_wait(gpu);
		if (!error)
			error = fetch(gpu, number + 1, from + done + n, piece_at(done + n, bytes));
		if (!error)
			go_on = fn(ctx, done, half_of(gpu, number), n);
	}
	if (!error && !go_on) /* the half that was asked for ahead */
		error = gpu_wait(gpu);
	return error ? gpu_fail(gpu, error, "copying from the GPU", e) : 0;
}

static bool copy_piece(void *ctx, uint64_t at, const void *piece, uint64_t bytes)
{
	copy((char *)ctx + at, piece, bytes);
	return true;
}

int gpu_download(struct gpu *gpu, void *to, uint64_t from, uint64_t bytes, struct gk_err *e)
{
	return gpu_read(gpu, from, bytes, copy_piece, to, e);
}

struct likeness {
	const char *want;
	bool differs;
};

static bool compare_piece(void *ctx, uint64_t at, const void *piece, uint64_t bytes)
{
	struct likeness *l = ctx;

	l->differs = memcmp(piece, l->want + at, bytes) != 0;
	return !l->differs;
}

int gpu_differs(struct gpu *gpu, uint64_t from, const void *want, uint64_t bytes, bool *differs, struct gk_err *e)
{
	struct likeness l = {want, false};
	int done = gpu_read(gpu, from, bytes, compare_piece, &l, e);

	*differs = l.differs;
	return done;
}
