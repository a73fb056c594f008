#include "answer.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

int launch_write_output(int fd, const uint8_t *bytes, uint64_t size, struct gk_err *e)
{
	for (uint64_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, bytes + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return gk_err_errno(e, "writing an output");
		done += (uint64_t)n;
	}
	return 0;
}

int launch_output_fd(const struct gk_frame *frame, size_t blob, bool is_inline, uint64_t bytes,
                     struct gk_err *e)
{
	struct stat st;
	int fd;

	if (is_inline)
		return gk_memfd_new("output", bytes, e);
	if (blob >= frame->blob_count)
		return gk_err_set(e, GK_ERR_INPUT, "a descriptor for each output is needed");
	fd = frame->blobs[blob].fd;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
		return gk_err_set(e, GK_ERR_INPUT, "an output's memory file must have %llu bytes",
		                  (unsigned long long)bytes);
	return fd;
}

json_t *launch_safe_string(const char *text, size_t size, size_t most)
{
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, text, size, most, true);
	return json_string(gk_buf_text(&safe));
}

json_t *launch_finding_json(const struct gk_finding *f)
{
	json_t *o;

	if (!f->kind[0])
		return json_null();
	o = json_pack("{s:s, s:i, s:i, s:I, s:I}", "kind", f->kind, "line", (int)f->line, "column",
	              (int)f->column, "buffer", (json_int_t)f->buffer, "at", (json_int_t)f->at);
	if (f->has_place) {
		json_object_set_new(
			o, "program",
			json_pack("[iii]", (int)f->program[0], (int)f->program[1], (int)f->program[2]));
		json_object_set_new(o, "lane", json_integer(f->lane));
	}
	json_object_set_new(o, "message",
	                    launch_safe_string(f->message, strlen(f->message), sizeof f->message));
	json_object_set_new(o, "kernel", launch_safe_string(f->kernel, strlen(f->kernel), sizeof f->kernel));
	json_object_set_new(o, "operation",
	                    launch_safe_string(f->operation, strlen(f->operation), sizeof f->operation));
	return o;
}

bool launch_is_chance(uint64_t elements, size_t element_bytes, uint64_t suspected)
{
	double mean = (double)elements / 65536;

	return element_bytes == 2 && (double)suspected <= mean + 6 * sqrt(mean);
}

double launch_lap_ms(int64_t *last_ns)
{
	int64_t now = gk_clock_ns(), before = *last_ns;

	*last_ns = now;
	return (double)(now - before) / 1e6;
}
