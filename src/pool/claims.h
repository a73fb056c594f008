/* Within the room: what comes through a candidate's result pipe. All of it is a claim, read with ceilings. */
#ifndef GK_POOL_CLAIMS_H
#define GK_POOL_CLAIMS_H

#include "base/vec.h"
#include "runner.h"
#include "wire/frame.h"

struct claims {
	struct gk_frame_reader reader;
	struct GK_VEC(struct gk_captured_module) modules;
	struct GK_VEC(struct gk_claim) list;
	size_t blob_bytes;
	uint64_t drained; /* bytes after the claims had become bad */
	bool may_run; /* of a process that runs for real: ran and mark are allowed */
	bool is_complete, is_bad, is_flood;
	char malformed[512];
};

enum claims_state {
	CLAIMS_MORE, /* wait for more */
	CLAIMS_BAD, /* forged or broken: nothing after it counts; go on reading, so that the writer can end */
	CLAIMS_FLOOD, /* more than is allowed */
	CLAIMS_END,   /* end of file */
};

void claims_init(struct claims *claims);
void claims_release(struct claims *claims);
/* One read from the pipe. */
enum claims_state claims_read(struct claims *claims, int fd);
void claims_end(struct claims *claims); /* nothing comes any more: a frame cut in two is not complete */
void claims_show(const struct claims *claims, struct gk_capture_result *result);

#endif
