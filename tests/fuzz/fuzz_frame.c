/*
 * Fuzzes the frame reader. The first byte chooses limits and how the rest is
 * cut into pieces; real descriptors are fed along with some pieces, and all
 * of them must be closed at the end whatever happened.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct gk_frame_reader *reader)
{
	struct gk_frame frame;
	struct gk_blob_map map;
	struct gk_err e;

	while (gk_frame_next(reader, &frame, &e) == 1) {
		for (size_t i = 0; i < frame.blob_count; i++)
			if (gk_frame_map(&frame, i, 1 << 16, &map, &e) == 0)
				gk_blob_unmap(&map);
		gk_frame_release(&frame);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_frame_limits limits = {.max_inline = 1 << 16, .max_total = 1 << 18};
	struct gk_frame_reader reader;
	struct gk_err e;
	int before = dup(0), after;

	close(before);
	if (size < 1)
		return 0;
	limits.allow_fds = data[0] & 1;
	limits.allow_inline = data[0] & 2;
	gk_frame_reader_init(&reader, "fuzz", &limits);
	for (size_t at = 1, step = 1 + (data[0] >> 3); at < size; at += step) {
		size_t n = size - at < step ? size - at : step;
		int fds[2] = {dup(0), dup(0)};
		size_t count = data[0] & 4 && (at & 3) == 1 ? 2 : 0;

		for (size_t i = count; i < 2; i++)
			close(fds[i]);
		if (gk_frame_feed(&reader, data + at, n, fds, count, &e) < 0)
			break;
		drain(&reader);
	}
	gk_frame_end(&reader, &e);
	gk_frame_reader_release(&reader);
	after = dup(0);
	close(after);
	if (after != before)
		abort();
	return 0;
}
