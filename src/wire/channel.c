#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "frame.h"

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

void gk_channel_init(struct gk_channel *channel, int in, int out)
{
	bool is_inline = in != out || !is_socket(in);
	struct gk_frame_limits limits = {.allow_fds = !is_inline, .allow_inline = is_inline};

	channel->in = in;
	channel->out = out;
	gk_frame_reader_init(&channel->reader, "geak", &limits);
	gk_frame_writer_init(&channel->writer, is_inline);
}

/* The protocol gets private descriptors; whatever prints goes to stderr from here on. */
static int take_stdio(struct gk_channel *channel, struct gk_err *e)
{
	gk_fd_auto in = fcntl(0, F_DUPFD_CLOEXEC, 3);
	gk_fd_auto out = fcntl(1, F_DUPFD_CLOEXEC, 3);
	gk_fd_auto null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (in < 0 || out < 0 || null < 0 || dup2(null, 0) < 0 || dup2(2, 1) < 0)
		return gk_err_errno(e, "standard input and output cannot be taken over for frames (/dev/null takes their place)");
	gk_channel_init(channel, gk_fd_steal(&in), gk_fd_steal(&out));
	return 0;
}

int gk_channel_open(struct gk_channel *channel, struct gk_err *e)
{
	const char *name = getenv("GEAK_FD");
	int64_t number;

	signal(SIGPIPE, SIG_IGN);
	if (!name)
		return take_stdio(channel, e);
	if (!gk_text_to_int(name, &number) || number < 3 || number > 65535 || !is_socket((int)number))
		return gk_err_set(e, GK_ERR_INPUT, "GEAK_FD=%s is not the number of an open socket", name);
	if (fcntl((int)number, F_SETFD, FD_CLOEXEC) < 0)
		return gk_err_errno(e, "GEAK_FD=%s", name);
	gk_channel_init(channel, (int)number, (int)number);
	return 0;
}

void gk_channel_close(struct gk_channel *channel)
{
	gk_frame_reader_release(&channel->reader);
	gk_frame_writer_release(&channel->writer);
	if (channel->out == channel->in)
		channel->out = -1;
	gk_fd_close(&channel->in);
	gk_fd_close(&channel->out);
}

bool gk_channel_is_inline(const struct gk_channel *channel)
{
	return channel->writer.is_inline;
}

/* Descriptors that somebody made non-blocking (a terminal, ssh) block all the same. */
static void wait_for(int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};

	poll(&one, 1, -1);
}

int gk_channel_receive(struct gk_channel *channel, struct gk_frame *frame, struct gk_err *e)
{
	for (;;) {
		int code = gk_frame_next(&channel->reader, frame, e);

		if (code != 0)
			return code;
		if (channel->reader.is_ended)
			return gk_frame_end(&channel->reader, e);
		code = gk_frame_fill(&channel->reader, channel->in, e);
		if (code < 0)
			return -1;
		if (code == 0 && !channel->reader.is_ended)
			wait_for(channel->in, POLLIN);
	}
}

int gk_channel_send(struct gk_channel *channel, enum gk_wire_type type, bool last, uint64_t id,
                    const json_t *json, const int *fds, size_t fd_count, struct gk_err *e)
{
	if (gk_frame_put(&channel->writer, type, last, id, json, fds, fd_count, e) < 0)
		return -1;
	for (;;) {
		int code = gk_frame_flush(&channel->writer, channel->out, e);

		if (code != 0)
			return code < 0 ? -1 : 0;
		wait_for(channel->out, POLLOUT);
	}
}
