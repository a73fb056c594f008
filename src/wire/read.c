#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "frame.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define KERNEL_FDS  253                             /* SCM_MAX_FD: the most that one message carries */
#define MAX_WAITING ((size_t)2 * GK_WIRE_MAX_BLOBS) /* descriptors of the frame under way and the next */

struct head {
	uint32_t magic, json_bytes;
	uint16_t type, flags, blobs, zero;
	uint64_t id, blob_bytes;
};

static uint64_t little(const char *bytes, int count)
{
	uint64_t value = 0;

	for (int i = count; i-- > 0;)
		value = value << 8 | (unsigned char)bytes[i];
	return value;
}

static struct head read_head(const char *b)
{
	return (struct head){
		.magic = (uint32_t)little(b, 4),
		.type = (uint16_t)little(b + 4, 2),
		.flags = (uint16_t)little(b + 6, 2),
		.id = little(b + 8, 8),
		.json_bytes = (uint32_t)little(b + 16, 4),
		.blobs = (uint16_t)little(b + 20, 2),
		.zero = (uint16_t)little(b + 22, 2),
		.blob_bytes = little(b + 24, 8),
	};
}

void gk_frame_reader_init(struct gk_frame_reader *reader, const char *peer,
                          const struct gk_frame_limits *limits)
{
	*reader = (struct gk_frame_reader){.limits = *limits, .peer = peer};
	if (!reader->limits.max_inline || reader->limits.max_inline > GK_WIRE_MAX_INLINE)
		reader->limits.max_inline = GK_WIRE_MAX_INLINE;
	reader->input.ceiling = GK_WIRE_HEAD_BYTES + GK_WIRE_MAX_JSON + (size_t)8 * GK_WIRE_MAX_BLOBS +
	                        (limits->allow_inline ? reader->limits.max_inline : 0) + 2 * CHUNK_BYTES;
}

static void close_waiting(struct gk_frame_reader *reader)
{
	for (size_t i = 0; i < reader->fds.count; i++)
		close(reader->fds.items[i]);
	reader->fds.count = 0;
}

void gk_frame_reader_release(struct gk_frame_reader *reader)
{
	close_waiting(reader);
	gk_vec_release(&reader->fds);
	gk_buf_release(&reader->input);
	reader->is_broken = true;
}

/* What has come is of no use any more, so it is given back at once. */
static int broken(struct gk_frame_reader *reader)
{
	reader->is_broken = true;
	close_waiting(reader);
	gk_buf_release(&reader->input);
	return -1;
}

static int refuse_count(struct gk_frame_reader *reader, const char *what, uint64_t got, uint64_t most,
                        struct gk_err *e)
{
	gk_err_set(e, GK_ERR_SYSTEM, "%s: %s %llu, at most %llu", reader->peer, what, (unsigned long long)got,
	           (unsigned long long)most);
	return broken(reader);
}

static int refuse(struct gk_frame_reader *reader, const char *why, struct gk_err *e)
{
	gk_err_set(e, GK_ERR_SYSTEM, "%s: %s", reader->peer, why);
	return broken(reader);
}

/* Quotes what came instead: words of a login script, a traceback, as a rule. */
static int refuse_garbage(struct gk_frame_reader *reader, struct gk_err *e)
{
	const char *bytes = reader->input.bytes;
	size_t size = 0, most = reader->input.size < 80 ? reader->input.size : 80;
	gk_buf_auto quoted = GK_BUF_INIT;

	while (size < most && bytes[size] != '\n' && bytes[size] != '\r')
		size++;
	gk_text_add_safe(&quoted, bytes, size, 80, false);
	gk_err_set(e, GK_ERR_SYSTEM, "%s: this is no frame (bad magic): \"%s\"", reader->peer, gk_buf_text(&quoted));
	return broken(reader);
}

/* ---- bytes and descriptors in ---- */

static int adopt(struct gk_frame_reader *reader, const int *fds, size_t count, struct gk_err *e)
{
	for (size_t i = 0; i < count; i++)
		gk_vec_push(&reader->fds, fds[i]);
	if (count && !reader->limits.allow_fds)
		return refuse(reader, "descriptors came where none are allowed", e);
	if (reader->fds.count > MAX_WAITING)
		return refuse_count(reader, "descriptors without a frame:", reader->fds.count, MAX_WAITING,
		                    e);
	return 0;
}

static int count_bytes(struct gk_frame_reader *reader, size_t size, struct gk_err *e)
{
	size_t most = reader->limits.max_total;

	reader->total_bytes += size;
	if (most && reader->total_bytes > most)
		return refuse_count(reader, "bytes sent:", reader->total_bytes, most, e);
	return 0;
}

int gk_frame_feed(struct gk_frame_reader *reader, const void *bytes, size_t size, const int *fds,
                  size_t fd_count, struct gk_err *e)
{
	if (adopt(reader, fds, fd_count, e) < 0)
		return -1;
	if (reader->is_broken)
		return refuse(reader, "bytes after a broken frame", e);
	if (count_bytes(reader, size, e) < 0)
		return -1;
	gk_buf_add(&reader->input, bytes, size);
	if (reader->input.is_full)
		return refuse(reader, "more bytes than any frame has", e);
	return 0;
}

static size_t take_descriptors(struct msghdr *message, int fds[KERNEL_FDS])
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n && count < KERNEL_FDS; i++)
			memcpy(&fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return count;
}

static ssize_t receive(int fd, char *room, int fds[KERNEL_FDS], size_t *fd_count, bool *is_cut)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(KERNEL_FDS * sizeof(int))];
	} control;
	struct iovec part = {room, CHUNK_BYTES};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control.bytes,
	                         .msg_controllen = sizeof control.bytes};
	ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return n;
	*fd_count = take_descriptors(&message, fds);
	*is_cut = message.msg_flags & MSG_CTRUNC;
	return n;
}

int gk_frame_fill(struct gk_frame_reader *reader, int fd, struct gk_err *e)
{
	char *room = reader->is_broken ? NULL : gk_buf_reserve(&reader->input, CHUNK_BYTES);
	int fds[KERNEL_FDS];
	size_t fd_count = 0;
	bool is_cut = false;
	ssize_t n;

	if (!room)
		return refuse(reader, "more bytes than any frame has", e);
	do {
		/* Without the control buffer the kernel itself drops descriptors that nobody asked for. */
		n = reader->limits.allow_fds ? receive(fd, room, fds, &fd_count, &is_cut)
		                             : read(fd, room, CHUNK_BYTES);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0 && errno != ECONNRESET) {
		gk_err_errno(e, "%s", reader->peer);
		return broken(reader);
	}
	reader->is_ended = n <= 0;
	if (n <= 0)
		return 0;
	gk_buf_grew(&reader->input, (size_t)n);
	if (adopt(reader, fds, fd_count, e) < 0)
		return -1;
	if (is_cut)
		return refuse(reader,
		              "descriptors were lost on the way (is the limit of open files reached?)", e);
	return count_bytes(reader, (size_t)n, e) < 0 ? -1 : 1;
}

/* ---- frames out ---- */

static int check_blobs(struct gk_frame_reader *reader, const struct head *h, struct gk_err *e)
{
	const struct gk_frame_limits *limits = &reader->limits;

	if (h->blobs > GK_WIRE_MAX_BLOBS)
		return refuse_count(reader, "blobs in a frame:", h->blobs, GK_WIRE_MAX_BLOBS, e);
	if (h->blobs == 0 || !(h->flags & GK_WIRE_INLINE)) {
		if (h->blob_bytes)
			return refuse(reader, "a frame counts inline bytes and has none", e);
		if (h->blobs && !limits->allow_fds)
			return refuse(reader, "a frame with descriptors where they cannot travel", e);
		if (h->blobs > reader->fds.count)
			return refuse_count(reader, "descriptors announced:", h->blobs, reader->fds.count, e);
		return 0;
	}
	if (!limits->allow_inline)
		return refuse(reader, "a frame with inline blobs where descriptors are due", e);
	if (h->blob_bytes > limits->max_inline)
		return refuse_count(reader, "bytes of blobs in a frame:", h->blob_bytes, limits->max_inline,
		                    e);
	return 0;
}

static int check_head(struct gk_frame_reader *reader, const struct head *h, struct gk_err *e)
{
	if (h->magic != GK_WIRE_MAGIC)
		return refuse_garbage(reader, e);
	if (!gk_wire_type_name(h->type))
		return refuse_count(reader, "unknown frame type", h->type, GK_WIRE_TIMED, e);
	if (h->flags & ~(GK_WIRE_LAST | GK_WIRE_INLINE) || h->zero)
		return refuse(reader, "a frame with reserved bits set", e);
	if (h->json_bytes > GK_WIRE_MAX_JSON)
		return refuse_count(reader, "bytes of JSON in a frame:", h->json_bytes, GK_WIRE_MAX_JSON, e);
	return check_blobs(reader, h, e);
}

static int copy_inline(struct gk_frame_reader *reader, const struct head *h, struct gk_frame *frame,
                       struct gk_err *e)
{
	const char *at = reader->input.bytes + GK_WIRE_HEAD_BYTES + h->json_bytes;
	uint64_t left = h->blob_bytes;

	for (uint16_t i = 0; i < h->blobs; i++) {
		uint64_t size = little(at, 8);

		if (size > left)
			return refuse(reader, "inline blobs are longer than their sum", e);
		frame->blobs[i] = (struct gk_blob){-1, gk_alloc((size_t)size + 1), (size_t)size};
		memcpy(frame->blobs[i].bytes, at + 8, (size_t)size);
		frame->blob_count++;
		left -= size;
		at += 8 + size;
	}
	if (left)
		return refuse(reader, "inline blobs are shorter than their sum", e);
	return 0;
}

static void claim_descriptors(struct gk_frame_reader *reader, size_t count, struct gk_frame *frame)
{
	for (size_t i = 0; i < count; i++)
		frame->blobs[i] = (struct gk_blob){reader->fds.items[i], NULL, 0};
	frame->blob_count = count;
	reader->fds.count -= count;
	if (count)
		memmove(reader->fds.items, reader->fds.items + count, reader->fds.count * sizeof(int));
}

static int read_json(struct gk_frame_reader *reader, const struct head *h, struct gk_frame *frame,
                     struct gk_err *e)
{
	const char *text = reader->input.bytes + GK_WIRE_HEAD_BYTES;
	char name[96];

	snprintf(name, sizeof name, "%s: %s", reader->peer, gk_wire_type_name(h->type));
	if (gk_doc_from_json(&frame->doc, name, h->json_bytes ? text : "{}",
	                     h->json_bytes ? h->json_bytes : 2, e) < 0) {
		frame->doc = (struct gk_doc){0};
		return broken(reader);
	}
	if (!json_is_object(frame->doc.root))
		return refuse(reader, "the JSON of a frame is not an object", e);
	return 0;
}

static int take_frame(struct gk_frame_reader *reader, const struct head *h, size_t bytes,
                      struct gk_frame *frame, struct gk_err *e)
{
	frame->type = (enum gk_wire_type)h->type;
	frame->last = h->flags & GK_WIRE_LAST;
	frame->id = h->id;
	if (read_json(reader, h, frame, e) < 0)
		return -1;
	if (!(h->flags & GK_WIRE_INLINE))
		claim_descriptors(reader, h->blobs, frame);
	else if (copy_inline(reader, h, frame, e) < 0)
		return -1;
	gk_buf_drop(&reader->input, bytes);
	/* A descriptor comes with the first byte of its frame: with nothing behind, none may be left. */
	if (reader->fds.count && reader->input.size == 0)
		return refuse(reader, "more descriptors came than the frame has blobs", e);
	return 1;
}

int gk_frame_next(struct gk_frame_reader *reader, struct gk_frame *frame, struct gk_err *e)
{
	struct head h;
	size_t bytes;
	int code;

	*frame = (struct gk_frame){0};
	if (reader->is_broken)
		return refuse(reader, "the stream is broken", e);
	if (reader->input.size < GK_WIRE_HEAD_BYTES)
		return 0;
	h = read_head(reader->input.bytes);
	if (check_head(reader, &h, e) < 0)
		return -1;
	bytes = GK_WIRE_HEAD_BYTES + h.json_bytes;
	if (h.flags & GK_WIRE_INLINE)
		bytes += (size_t)8 * h.blobs + (size_t)h.blob_bytes;
	if (reader->input.size < bytes)
		return 0;
	code = take_frame(reader, &h, bytes, frame, e);
	if (code < 0)
		gk_frame_release(frame);
	return code;
}

int gk_frame_end(const struct gk_frame_reader *reader, struct gk_err *e)
{
	if (reader->is_broken)
		return gk_err_set(e, GK_ERR_SYSTEM, "%s: the stream is broken", reader->peer);
	if (reader->input.size || reader->fds.count)
		return gk_err_set(e, GK_ERR_SYSTEM, "%s: the stream ended within a frame", reader->peer);
	return 0;
}
