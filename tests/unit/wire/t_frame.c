#include "wire/frame.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tap.h"

static const struct gk_frame_limits by_socket = {.allow_fds = true};
static const struct gk_frame_limits by_pipe = {.allow_inline = true, .max_inline = 1 << 20, .max_total = 4 << 20};

static int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static int text_file(const char *text)
{
	struct gk_err e;

	return gk_memfd_from("test", text, strlen(text), &e);
}

static json_t *number(int value)
{
	return json_pack("{s:i}", "value", value);
}

/* ---- a frame as raw bytes, to be bent ---- */

static void put_little(char *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (char)(value >> (8 * i) & 0xff);
}

struct raw {
	char bytes[4096];
	size_t size;
};

static struct raw raw_frame(int type, int flags, const char *json, int blobs, uint64_t blob_bytes)
{
	struct raw r = {{0}, 32 + strlen(json)};

	put_little(r.bytes, GK_WIRE_MAGIC, 4);
	put_little(r.bytes + 4, (uint64_t)type, 2);
	put_little(r.bytes + 6, (uint64_t)flags, 2);
	put_little(r.bytes + 8, 7, 8);
	put_little(r.bytes + 16, strlen(json), 4);
	put_little(r.bytes + 20, (uint64_t)blobs, 2);
	put_little(r.bytes + 24, blob_bytes, 8);
	memcpy(r.bytes + 32, json, strlen(json));
	return r;
}

static void raw_blob(struct raw *r, uint64_t size, const char *bytes)
{
	put_little(r->bytes + r->size, size, 8);
	memcpy(r->bytes + r->size + 8, bytes, strlen(bytes));
	r->size += 8 + strlen(bytes);
}

static int parse(const struct gk_frame_limits *limits, const struct raw *r, size_t step, struct gk_frame *frame,
                 struct gk_err *e)
{
	struct gk_frame_reader reader;
	int code = 0;

	gk_frame_reader_init(&reader, "peer", limits);
	for (size_t at = 0; at < r->size && code == 0; at += step) {
		size_t n = r->size - at < step ? r->size - at : step;

		code = gk_frame_feed(&reader, r->bytes + at, n, NULL, 0, e);
		if (code == 0)
			code = gk_frame_next(&reader, frame, e);
	}
	if (code == 0 && gk_frame_end(&reader, e) < 0)
		code = -2;
	gk_frame_reader_release(&reader);
	return code;
}

static void test_refusals(void)
{
	static const struct {
		const char *what, *json, *words;
		int type, flags, blobs;
		uint64_t blob_bytes;
	} rows[] = {
		{"an unknown type", "{}", "unknown frame type", 9, 0, 0, 0},
		{"unknown flags", "{}", "reserved bits", 1, 4, 0, 0},
		{"inline bytes without blobs", "{}", "counts inline bytes", 1, 2, 0, 5},
		{"more blobs than allowed", "{}", "blobs in a frame: 65", 13, 2, 65, 5},
		{"more blob bytes than allowed", "{}", "bytes of blobs", 13, 2, 1, 1 << 21},
		{"2^64 - 1 blob bytes", "{}", "bytes of blobs", 13, 2, 1, UINT64_MAX},
		{"descriptors over a pipe", "{}", "cannot travel", 13, 0, 1, 0},
		{"JSON that is none", "{]", "peer: hello", 1, 0, 0, 0},
		{"JSON that is no object", "[1]", "not an object", 1, 0, 0, 0},
		{"a duplicate key", "{\"a\":1,\"a\":2}", "peer: hello", 1, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct raw r = raw_frame(rows[i].type, rows[i].flags, rows[i].json, rows[i].blobs, rows[i].blob_bytes);
		struct gk_frame frame;
		struct gk_err e = {0};

		is_int(parse(&by_pipe, &r, 4096, &frame, &e), -1, rows[i].what);
		if (!ok(strstr(e.text, rows[i].words) != NULL, "is refused in words"))
			printf("# %s\n", e.text);
	}
}

static void test_lying_sizes(void)
{
	struct raw r = raw_frame(13, 2, "{}", 2, 10);
	struct gk_frame frame;
	struct gk_err e;

	raw_blob(&r, 10, "0123456789");
	raw_blob(&r, 0, "");
	is_int(parse(&by_pipe, &r, 4096, &frame, &e), 1, "blobs that add up are taken");
	is_int((long long)frame.blobs[0].size, 10, "with their sizes");
	gk_frame_release(&frame);

	put_little(r.bytes + 34, UINT64_MAX, 8);
	is_int(parse(&by_pipe, &r, 4096, &frame, &e), -1, "a blob that is longer than the sum is refused");
	put_little(r.bytes + 34, 9, 8);
	is_int(parse(&by_pipe, &r, 4096, &frame, &e), -1, "blobs that do not add up are refused");

	r = raw_frame(1, 0, "{}", 0, 0);
	put_little(r.bytes + 16, GK_WIRE_MAX_JSON + 1, 4);
	is_int(parse(&by_pipe, &r, 4096, &frame, &e), -1, "a megabyte and one of JSON is refused on its header alone");
	r = raw_frame(1, 0, "{}", 0, 0);
	r.bytes[0] = 'X';
	is_int(parse(&by_pipe, &r, 4096, &frame, &e), -1, "a wrong magic is refused");
	r = raw_frame(1, 0, "{\"a\":1}", 0, 0);
	r.size--;
	is_int(parse(&by_pipe, &r, 4096, &frame, &e), -2, "a stream that ends within a frame is no end");
}

static void test_byte_by_byte(void)
{
	struct raw r = raw_frame(14, 3, "{\"case\":3}", 1, 4);
	struct gk_frame frame;
	struct gk_err e;

	raw_blob(&r, 4, "abcd");
	for (size_t step = 1; step < 40; step += 13) {
		is_int(parse(&by_pipe, &r, step, &frame, &e), 1, "a frame in pieces is read");
		ok(frame.type == GK_WIRE_PLAN && frame.last && frame.id == 7 && frame.blob_count == 1 &&
		           !memcmp(frame.blobs[0].bytes, "abcd", 4),
		   "with all its fields");
		gk_frame_release(&frame);
	}
}

static void test_total_ceiling(void)
{
	static char filler[64 << 10];
	struct gk_frame_limits small = {.allow_inline = true, .max_inline = 1 << 20, .max_total = 100000};
	struct gk_frame_reader reader;
	struct gk_frame frame;
	struct gk_err e = {0};
	struct raw r = raw_frame(13, 2, "{}", 1, 1 << 20);
	int code;

	gk_frame_reader_init(&reader, "peer", &small);
	ok(gk_frame_feed(&reader, r.bytes, r.size, NULL, 0, &e) == 0, "a promise of a megabyte is heard");
	ok(reader.input.capacity < 4096, "and no memory is taken for it");
	code = gk_frame_feed(&reader, filler, sizeof filler, NULL, 0, &e);
	if (code == 0)
		code = gk_frame_feed(&reader, filler, sizeof filler, NULL, 0, &e);
	is_int(code, -1, "the ceiling over the whole stream holds");
	is_int(gk_frame_next(&reader, &frame, &e), -1, "and nothing comes out afterwards");
	gk_frame_reader_release(&reader);
}

/* ---- over a socket ---- */

static void look_at(struct gk_frame *frame, uint64_t id)
{
	struct gk_node root = gk_node_root(&frame->doc), node = gk_node_key(&root, "value");
	struct gk_blob_map map;
	struct gk_err e = {0};
	int64_t value = 0;

	is_int((long long)frame->id, (long long)id, "frames arrive in order");
	is_int((long long)frame->blob_count, id == 2 ? 0 : 2, "each with its descriptors");
	ok(gk_node_int(&node, 0, 100, &value, &e) == 0 && value == 42, "and its JSON");
	if (!frame->blob_count)
		return;
	is_int(gk_frame_map(frame, 1, 100, &map, &e), 0, "a blob is mapped");
	ok(map.size == 6 && !memcmp(map.bytes, "second", 6), "and has its bytes");
	gk_blob_unmap(&map);
	is_int(gk_frame_map(frame, 1, 5, &map, &e), -1, "unless it is too large");
}

static void test_descriptors(void)
{
	int before = open_descriptors(), pair[2], files[2] = {text_file("first"), text_file("second")};
	json_t *json = number(42);
	struct gk_frame_writer writer;
	struct gk_frame_reader reader;
	struct gk_frame frame;
	struct gk_blob_map map;
	struct gk_err e = {0};

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	gk_frame_writer_init(&writer, false);
	gk_frame_reader_init(&reader, "peer", &by_socket);
	for (uint64_t id = 1; id <= 3; id++)
		gk_frame_put(&writer, GK_WIRE_TENSORS, id == 3, id, json, files, id == 2 ? 0 : 2, &e);
	is_int(gk_frame_flush(&writer, pair[0], &e), 1, "three frames leave");
	for (uint64_t id = 1; id <= 3; id++) {
		while (gk_frame_next(&reader, &frame, &e) == 0)
			gk_frame_fill(&reader, pair[1], &e);
		look_at(&frame, id);
		gk_frame_release(&frame);
	}
	is_int(gk_frame_map(&frame, 0, 10, &map, &e), -1, "a blob that is not there is refused");
	close(pair[0]);
	ok(gk_frame_fill(&reader, pair[1], &e) == 0 && reader.is_ended, "end of file is seen");
	is_int(gk_frame_end(&reader, &e), 0, "between frames it is a clean end");
	gk_frame_reader_release(&reader);
	gk_frame_writer_release(&writer);
	close(pair[1]);
	close(files[0]);
	close(files[1]);
	json_decref(json);
	is_int(open_descriptors(), before, "no descriptor is left");
}

static void send_raw(int fd, const struct raw *r, const int *fds, size_t count)
{
	char control[CMSG_SPACE(250 * sizeof(int))] = {0};
	struct iovec part = {(void *)(uintptr_t)r->bytes, r->size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
	struct cmsghdr *c;

	message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	ok(sendmsg(fd, &message, 0) == (ssize_t)r->size, "a raw frame is sent");
}

static int receive_raw(const struct gk_frame_limits *limits, int fd, struct gk_err *e)
{
	struct gk_frame_reader reader;
	struct gk_frame frame = {0};
	int code;

	gk_frame_reader_init(&reader, "peer", limits);
	code = gk_frame_fill(&reader, fd, e);
	if (code == 1)
		code = gk_frame_next(&reader, &frame, e);
	gk_frame_release(&frame);
	if (code == 1)
		code = gk_frame_next(&reader, &frame, e);
	gk_frame_reader_release(&reader);
	return code;
}

static void test_stray_descriptors(void)
{
	int before = open_descriptors(), pair[2], many[250];
	struct raw none = raw_frame(1, 0, "{}", 0, 0), two = raw_frame(32, 0, "{}", 2, 0);
	struct gk_err e;

	for (int i = 0; i < 250; i++)
		many[i] = 0;
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	send_raw(pair[0], &none, many, 1);
	is_int(receive_raw(&by_socket, pair[1], &e), -1, "a descriptor that no frame claims is refused");
	send_raw(pair[0], &two, many, 1);
	is_int(receive_raw(&by_socket, pair[1], &e), -1, "a frame that announces more descriptors than came is refused");
	send_raw(pair[0], &none, many, 250);
	is_int(receive_raw(&by_socket, pair[1], &e), -1, "250 descriptors are refused");
	send_raw(pair[0], &none, many, 3);
	is_int(receive_raw(&by_pipe, pair[1], &e), 0, "where none are allowed they are never received");
	close(pair[0]);
	close(pair[1]);
	is_int(open_descriptors(), before, "and none of them is left open");
}

static void test_unsealed(void)
{
	struct gk_frame frame = {.type = GK_WIRE_TENSORS, .blob_count = 1};
	struct gk_blob_map map;
	struct gk_err e;

	frame.blobs[0].fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ok(ftruncate(frame.blobs[0].fd, 100) == 0, "a file that can still shrink");
	is_int(gk_frame_map(&frame, 0, 1000, &map, &e), -1, "is not mapped");
	gk_frame_release(&frame);
	frame = (struct gk_frame){.type = GK_WIRE_TENSORS, .blob_count = 1};
	frame.blobs[0].fd = open("/dev/zero", O_RDONLY);
	is_int(gk_frame_map(&frame, 0, 1000, &map, &e), -1, "nor is a device");
	gk_frame_release(&frame);
}

/* ---- inline, both ways, larger than a pipe ---- */

static void test_inline_through_pipe(void)
{
	enum { SIZE = 600000 };
	static char big[SIZE];
	int before = open_descriptors(), ends[2], file, fd = -1;
	struct gk_frame_writer writer;
	struct gk_frame_reader reader;
	struct gk_frame frame = {0};
	struct gk_err e = {0};
	struct stat st;
	int sent = 0, got = 0;

	for (int i = 0; i < SIZE; i++)
		big[i] = (char)(i * 7);
	file = gk_memfd_from("big", big, SIZE, &e);
	ok(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0, "a pipe");
	gk_frame_writer_init(&writer, true);
	gk_frame_reader_init(&reader, "peer", &by_pipe);
	is_int(gk_frame_put(&writer, GK_WIRE_TTIR, false, 0, NULL, &file, 1, &e), 0, "a memory file goes inline");
	ok(gk_frame_put(&writer, GK_WIRE_TTIR, false, 0, NULL, ends, 1, &e) < 0, "a pipe cannot");
	while (got == 0 && sent >= 0) {
		sent = gk_frame_flush(&writer, ends[1], &e);
		gk_frame_fill(&reader, ends[0], &e);
		got = gk_frame_next(&reader, &frame, &e);
	}
	is_int(got, 1, "it comes through in pieces");
	is_int(gk_frame_steal_fd(&frame, 0, &fd, &e), 0, "inline bytes become a memory file");
	ok(fstat(fd, &st) == 0 && st.st_size == SIZE && !memcmp(frame.blobs[0].bytes, big, SIZE), "with the same bytes");
	gk_fd_close(&fd);
	gk_frame_release(&frame);
	gk_frame_reader_release(&reader);
	gk_frame_writer_release(&writer);
	close(file);
	close(ends[0]);
	close(ends[1]);
	is_int(open_descriptors(), before, "no descriptor is left");
}

static void test_channel(void)
{
	struct gk_channel a, b;
	struct gk_frame frame;
	struct gk_err e = {0};
	int pair[2], before = open_descriptors(), file = text_file("blob");
	char text[16];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	snprintf(text, sizeof text, "%d", pair[1]);
	setenv("GEAK_FD", text, 1);
	gk_channel_init(&a, pair[0], pair[0]);
	is_int(gk_channel_open(&b, &e), 0, "a channel opens on GEAK_FD");
	ok(!gk_channel_is_inline(&b), "a socket sends descriptors");
	is_int(gk_channel_send(&a, GK_WIRE_LINT, true, 5, NULL, &file, 1, &e), 0, "a frame is sent");
	is_int(gk_channel_receive(&b, &frame, &e), 1, "and received");
	ok(frame.type == GK_WIRE_LINT && frame.id == 5 && frame.blob_count == 1, "whole");
	gk_frame_release(&frame);
	gk_channel_close(&a);
	is_int(gk_channel_receive(&b, &frame, &e), 0, "the end of the other side is an end");
	ok(gk_channel_send(&b, GK_WIRE_LINTED, true, 5, NULL, NULL, 0, &e) < 0, "sending to it is an error, no signal");
	gk_channel_close(&b);
	close(file);
	setenv("GEAK_FD", "77", 1);
	ok(gk_channel_open(&b, &e) < 0 && e.kind == GK_ERR_INPUT, "a GEAK_FD that is no socket is refused");
	unsetenv("GEAK_FD");
	is_int(open_descriptors(), before, "no descriptor is left");
}

int main(void)
{
	test_refusals();
	test_lying_sizes();
	test_byte_by_byte();
	test_total_ceiling();
	test_descriptors();
	test_stray_descriptors();
	test_unsealed();
	test_inline_through_pipe();
	test_channel();
	return done_testing();
}
