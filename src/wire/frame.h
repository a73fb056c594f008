/*
 * Frames between processes (docs/protocol.md): 32 bytes of header, JSON, blobs.
 *
 * Over a socket blobs are descriptors (SCM_RIGHTS with the first byte of the
 * header), over a plain pipe they are inline. The reader is a state machine:
 * fed with bytes and descriptors, it gives whole frames or refuses. Sizes are
 * checked against the ceilings before memory is taken, memory grows only as
 * bytes arrive, and descriptors are closed on every path that does not hand
 * them out.
 */
#ifndef GK_WIRE_FRAME_H
#define GK_WIRE_FRAME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/doc.h"
#include "base/err.h"
#include "base/vec.h"

#define GK_WIRE_PROTO      1
#define GK_WIRE_MAGIC      0x31574b47u /* "GKW1" */
#define GK_WIRE_HEAD_BYTES 32
#define GK_WIRE_MAX_JSON   ((size_t)1 << 20)
#define GK_WIRE_MAX_BLOBS  64
#define GK_WIRE_MAX_INLINE                                                                                   \
	((size_t)1 << 30) /* sum of the inline blobs of one frame, unless limits say less */

enum gk_wire_type {
	GK_WIRE_HELLO = 1,
	GK_WIRE_CANCEL = 2,
	GK_WIRE_ERROR = 3,
	GK_WIRE_LOG = 4,
	GK_WIRE_CAPTURE = 10,
	GK_WIRE_SPAWNED = 11,
	GK_WIRE_EXITED = 12,
	GK_WIRE_TTIR = 13,
	GK_WIRE_PLAN = 14,
	GK_WIRE_CANNOT = 15,
	GK_WIRE_RAISED = 16,
	GK_WIRE_END = 17,
	GK_WIRE_CONTAIN = 18,
	GK_WIRE_RAN = 19,
	GK_WIRE_LOWER = 20,
	GK_WIRE_OBJECT = 21,
	GK_WIRE_REJECTED = 22,
	GK_WIRE_MARK = 23,
	GK_WIRE_INPUTS = 30,
	GK_WIRE_EXPECTED = 31,
	GK_WIRE_TENSORS = 32,
	GK_WIRE_LINT = 33,
	GK_WIRE_LINTED = 34,
	GK_WIRE_EXECUTE = 40,
	GK_WIRE_EXECUTED = 41,
	GK_WIRE_NEED = 42,
	GK_WIRE_TIME = 43,
	GK_WIRE_TIMED = 44,
};
const char *gk_wire_type_name(int type); /* NULL when there is no such type */

enum { GK_WIRE_LAST = 1, GK_WIRE_INLINE = 2 };

/* Either a descriptor (fd >= 0) or inline bytes. */
struct gk_blob {
	int fd;
	char *bytes;
	size_t size; /* inline only */
};

struct gk_frame {
	enum gk_wire_type type;
	bool last; /* last frame of an answer */
	uint64_t id;
	struct gk_doc
		doc; /* doc.root is an object; gk_node_root(&frame->doc) starts a walk with good messages */
	struct gk_blob blobs[GK_WIRE_MAX_BLOBS];
	size_t blob_count;
};
#define gk_frame_auto __attribute__((cleanup(gk_frame_release))) struct gk_frame

/* Closes and frees what the frame still holds; an all-zero or released frame is fine. */
void gk_frame_release(struct gk_frame *frame);
/* The blob as a descriptor that the caller owns: the one that was sent, or a new sealed memory file of the
 * inline bytes. */
int gk_frame_steal_fd(struct gk_frame *frame, size_t index, int *fd, struct gk_err *e);
/*
 * The blob's bytes, read-only, valid until gk_blob_unmap(). Descriptors must be memory files sealed against
 * shrinking; more than max_bytes is refused.
 */
struct gk_blob_map {
	const void *bytes;
	size_t size;
	bool is_mapped;
};
int gk_frame_map(const struct gk_frame *frame, size_t index, size_t max_bytes, struct gk_blob_map *map,
                 struct gk_err *e);
void gk_blob_unmap(struct gk_blob_map *map);

/* ---- reading ---- */

struct gk_frame_limits {
	bool allow_fds;    /* false: every blob must be inline (untrusted pipes, remote peers) */
	bool allow_inline; /* false: every blob must be a descriptor */
	size_t max_inline; /* bytes of inline blobs in one frame */
	size_t max_total;  /* bytes over the whole stream; 0: no ceiling */
};

struct gk_frame_reader {
	struct gk_frame_limits limits;
	const char *peer;       /* name for messages; must outlive the reader */
	struct gk_buf input;    /* bytes of the frame that is being read, and what came behind it */
	struct GK_VEC(int) fds; /* received, not yet claimed by a header */
	size_t total_bytes;
	bool is_ended;  /* end of file was seen */
	bool is_broken; /* nothing more is accepted */
};

void gk_frame_reader_init(struct gk_frame_reader *reader, const char *peer,
                          const struct gk_frame_limits *limits);
void gk_frame_reader_release(struct gk_frame_reader *reader);

/* Owns fds from here on, in every case. Fails when a ceiling is passed. */
int gk_frame_feed(struct gk_frame_reader *reader, const void *bytes, size_t size, const int *fds,
                  size_t fd_count, struct gk_err *e);
/* 1: *frame holds one (release it); 0: more bytes are needed; -1: the stream is broken for good. */
int gk_frame_next(struct gk_frame_reader *reader, struct gk_frame *frame, struct gk_err *e);
/* After end of file: 0 when the stream ended between frames, -1 in the middle of one. */
int gk_frame_end(const struct gk_frame_reader *reader, struct gk_err *e);
/* One read from fd (socket or pipe) into the reader: 1 something came; 0 nothing now, or end of file
 * (is_ended); -1. */
int gk_frame_fill(struct gk_frame_reader *reader, int fd, struct gk_err *e);

/* ---- writing ---- */

/* A frame in the output: its descriptors leave with its first byte. */
struct gk_sending {
	size_t bytes; /* still to be sent */
	int *fds;     /* NULL once they are out */
	size_t fd_count;
};
struct gk_frame_writer {
	bool is_inline; /* blobs travel inline (plain pipes) */
	struct gk_buf output;
	size_t sent; /* bytes at the front of output that are out already */
	struct GK_VEC(struct gk_sending) frames;
	size_t first; /* frames before this one are out */
};

void gk_frame_writer_init(struct gk_frame_writer *writer, bool is_inline);
void gk_frame_writer_release(struct gk_frame_writer *writer);
/*
 * Appends a frame. json is an object and borrowed (NULL: {}); the descriptors are duplicated (or, inline,
 * read whole from offset 0: they must be regular or memory files), so the caller keeps its own.
 */
int gk_frame_put(struct gk_frame_writer *writer, enum gk_wire_type type, bool last, uint64_t id,
                 const json_t *json, const int *fds, size_t fd_count, struct gk_err *e);
/* 1: all is sent; 0: the rest must wait until fd is writable; -1: broken. */
int gk_frame_flush(struct gk_frame_writer *writer, int fd, struct gk_err *e);
bool gk_frame_pending(const struct gk_frame_writer *writer);

/* ---- blocking, for peers ---- */

struct gk_channel {
	int in, out; /* the same socket twice, or two pipes; owned */
	struct gk_frame_reader reader;
	struct gk_frame_writer writer;
};

/* Over the socket named by GEAK_FD (descriptors), else over stdin and stdout (inline). */
int gk_channel_open(struct gk_channel *channel, struct gk_err *e);
void gk_channel_init(struct gk_channel *channel, int in, int out); /* sockets are recognised */
void gk_channel_close(struct gk_channel *channel);
bool gk_channel_is_inline(const struct gk_channel *channel);
/* 1: a frame (release it); 0: the other side is gone; -1. */
int gk_channel_receive(struct gk_channel *channel, struct gk_frame *frame, struct gk_err *e);
int gk_channel_send(struct gk_channel *channel, enum gk_wire_type type, bool last, uint64_t id,
                    const json_t *json, const int *fds, size_t fd_count, struct gk_err *e);

#endif
