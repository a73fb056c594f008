#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "frame.h"

#define COMPACT_BYTES                                                                                        \
	((size_t)1                                                                                           \
	 << 20) /* sent bytes are dropped in pieces of at least this, so that dropping stays linear */

void gk_frame_writer_init(struct gk_frame_writer *writer, bool is_inline)
{
	*writer = (struct gk_frame_writer){.is_inline = is_inline};
	writer->output.ceiling = GK_WIRE_MAX_INLINE + ((size_t)64 << 20);
}

static void close_sending(struct gk_sending *sending)
{
	for (size_t i = 0; sending->fds && i < sending->fd_count; i++)
		gk_fd_close(&sending->fds[i]);
	free(sending->fds);
	sending->fds = NULL;
	sending->fd_count = 0;
}

void gk_frame_writer_release(struct gk_frame_writer *writer)
{
	for (size_t i = writer->first; i < writer->frames.count; i++)
		close_sending(&writer->frames.items[i]);
	gk_vec_release(&writer->frames);
	gk_buf_release(&writer->output);
	writer->first = writer->sent = 0;
}

bool gk_frame_pending(const struct gk_frame_writer *writer)
{
	return writer->first < writer->frames.count;
}

/* ---- putting ---- */

static void add_little(struct gk_buf *out, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		gk_buf_add_char(out, (char)(value >> (8 * i) & 0xff));
}

static int size_blobs(const int *fds, size_t count, uint64_t sizes[GK_WIRE_MAX_BLOBS], uint64_t *sum,
                      struct gk_err *e)
{
	for (size_t i = 0; i < count; i++) {
		struct stat st;

		if (fstat(fds[i], &st) < 0)
			return gk_err_errno(e, "a blob's descriptor");
		if (!S_ISREG(st.st_mode))
			return gk_err_set(e, GK_ERR_INTERNAL, "only memory files can be sent over a pipe");
		sizes[i] = (uint64_t)st.st_size;
		if (sizes[i] > GK_WIRE_MAX_INLINE - *sum)
			return gk_err_set(e, GK_ERR_SYSTEM,
			                  "blobs of more than %zu bytes cannot be sent over a pipe",
			                  GK_WIRE_MAX_INLINE);
		*sum += sizes[i];
	}
	return 0;
}

static int add_blob(struct gk_buf *out, int fd, uint64_t size, struct gk_err *e)
{
	char *room;
	size_t done = 0;

	add_little(out, size, 8);
	room = gk_buf_reserve(out, (size_t)size);
	if (!room)
		return gk_err_set(e, GK_ERR_SYSTEM, "too much waits to be sent");
	while (done < size) {
		ssize_t n = pread(fd, room + done, (size_t)size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gk_err_set(e, GK_ERR_SYSTEM, "a blob could not be read");
		done += (size_t)n;
	}
	gk_buf_grew(out, (size_t)size);
	return 0;
}

static int duplicate(struct gk_sending *sending, const int *fds, size_t count, struct gk_err *e)
{
	sending->fds = count ? gk_alloc_array(count, sizeof *fds) : NULL;
	for (; sending->fd_count < count; sending->fd_count++) {
		int copy = fcntl(fds[sending->fd_count], F_DUPFD_CLOEXEC, 3);

		if (copy < 0)
			return gk_err_errno(e, "a blob's descriptor");
		sending->fds[sending->fd_count] = copy;
	}
	return 0;
}

static int add_blobs(struct gk_frame_writer *writer, const int *fds, size_t count,
                     const uint64_t sizes[GK_WIRE_MAX_BLOBS], struct gk_sending *sending, struct gk_err *e)
{
	if (!writer->is_inline)
		return duplicate(sending, fds, count, e);
	for (size_t i = 0; i < count; i++)
		if (add_blob(&writer->output, fds[i], sizes[i], e) < 0)
			return -1;
	return 0;
}

static void add_head(struct gk_buf *out, enum gk_wire_type type, unsigned flags, uint64_t id,
                     size_t json_bytes, size_t blobs, uint64_t blob_bytes)
{
	add_little(out, GK_WIRE_MAGIC, 4);
	add_little(out, type, 2);
	add_little(out, flags, 2);
	add_little(out, id, 8);
	add_little(out, json_bytes, 4);
	add_little(out, blobs, 2);
	add_little(out, 0, 2);
	add_little(out, blob_bytes, 8);
}

/* A frame that could not be put whole is taken back, so that the stream stays in step. */
static void take_back(struct gk_frame_writer *writer, size_t size, struct gk_sending *sending)
{
	close_sending(sending);
	writer->output.size = size;
	writer->output.is_full = false;
	if (writer->output.bytes)
		writer->output.bytes[size] = '\0';
}

int gk_frame_put(struct gk_frame_writer *writer, enum gk_wire_type type, bool last, uint64_t id,
                 const json_t *json, const int *fds, size_t fd_count, struct gk_err *e)
{
	gk_free_auto char *text = json ? gk_json_text(json) : gk_strdup("{}");
	size_t begin = writer->output.size, json_bytes = strlen(text);
	unsigned flags = (last ? GK_WIRE_LAST : 0u) | (writer->is_inline && fd_count ? GK_WIRE_INLINE : 0u);
	uint64_t sizes[GK_WIRE_MAX_BLOBS] = {0}, sum = 0;
	struct gk_sending sending = {0};

	if (json_bytes > GK_WIRE_MAX_JSON || fd_count > GK_WIRE_MAX_BLOBS)
		return gk_err_set(e, GK_ERR_INTERNAL,
		                  "%s: %zu bytes of JSON and %zu blobs do not fit a frame",
		                  gk_wire_type_name(type), json_bytes, fd_count);
	if (writer->is_inline && size_blobs(fds, fd_count, sizes, &sum, e) < 0)
		return gk_err_context(e, "%s", gk_wire_type_name(type));
	add_head(&writer->output, type, flags, id, json_bytes, fd_count, sum);
	gk_buf_add(&writer->output, text, json_bytes);
	if (add_blobs(writer, fds, fd_count, sizes, &sending, e) < 0) {
		take_back(writer, begin, &sending);
		return gk_err_context(e, "%s", gk_wire_type_name(type));
	}
	if (writer->output.is_full) {
		take_back(writer, begin, &sending);
		return gk_err_set(e, GK_ERR_SYSTEM, "%s: too much waits to be sent", gk_wire_type_name(type));
	}
	sending.bytes = writer->output.size - begin;
	gk_vec_push(&writer->frames, sending);
	return 0;
}

/* ---- sending ---- */

union descriptor_message {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(GK_WIRE_MAX_BLOBS * sizeof(int))];
};

static void attach(struct msghdr *message, union descriptor_message *control,
                   const struct gk_sending *sending)
{
	size_t size = sending->fd_count * sizeof(int);

	memset(control, 0, sizeof *control);
	control->head.cmsg_level = SOL_SOCKET;
	control->head.cmsg_type = SCM_RIGHTS;
	control->head.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&control->head), sending->fds, size);
	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(size);
}

static ssize_t send_with_descriptors(int fd, const char *bytes, const struct gk_sending *sending)
{
	union descriptor_message control;
	struct iovec part = {(void *)(uintptr_t)bytes, sending->bytes};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (sending->fds)
		attach(&message, &control, sending);
	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void was_sent(struct gk_frame_writer *writer, size_t size)
{
	struct gk_sending *sending = &writer->frames.items[writer->first];

	close_sending(sending);
	sending->bytes -= size;
	writer->sent += size;
	if (sending->bytes == 0)
		writer->first++;
	if (!gk_frame_pending(writer)) {
		writer->first = writer->frames.count = writer->sent = 0;
		gk_buf_clear(&writer->output);
	} else if (writer->sent >= COMPACT_BYTES && writer->sent >= writer->output.size / 2) {
		gk_buf_drop(&writer->output, writer->sent);
		writer->sent = 0;
	}
}

int gk_frame_flush(struct gk_frame_writer *writer, int fd, struct gk_err *e)
{
	while (gk_frame_pending(writer)) {
		struct gk_sending *sending = &writer->frames.items[writer->first];
		const char *bytes = writer->output.bytes + writer->sent;
		ssize_t n = writer->is_inline ? write(fd, bytes, sending->bytes)
		                              : send_with_descriptors(fd, bytes, sending);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return gk_err_errno(e, "sending");
		was_sent(writer, (size_t)n);
	}
	return 1;
}
