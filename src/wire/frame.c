#include "frame.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

static const struct {
	enum gk_wire_type type;
	const char *name;
} types[] = {
	{GK_WIRE_HELLO, "hello"},       {GK_WIRE_CANCEL, "cancel"},     {GK_WIRE_ERROR, "error"},
	{GK_WIRE_LOG, "log"},           {GK_WIRE_CAPTURE, "capture"},   {GK_WIRE_SPAWNED, "spawned"},
	{GK_WIRE_EXITED, "exited"},     {GK_WIRE_TTIR, "ttir"},         {GK_WIRE_PLAN, "plan"},
	{GK_WIRE_CANNOT, "cannot"},     {GK_WIRE_RAISED, "raised"},     {GK_WIRE_END, "end"},
	{GK_WIRE_LOWER, "lower"},       {GK_WIRE_OBJECT, "object"},     {GK_WIRE_REJECTED, "rejected"},
	{GK_WIRE_INPUTS, "inputs"},     {GK_WIRE_EXPECTED, "expected"}, {GK_WIRE_TENSORS, "tensors"},
	{GK_WIRE_LINT, "lint"},         {GK_WIRE_LINTED, "linted"},     {GK_WIRE_EXECUTE, "execute"},
	{GK_WIRE_EXECUTED, "executed"}, {GK_WIRE_NEED, "need"},
	{GK_WIRE_CONTAIN, "contain"},   {GK_WIRE_RAN, "ran"},           {GK_WIRE_MARK, "mark"},
	{GK_WIRE_TIME, "time"},         {GK_WIRE_TIMED, "timed"},
};

const char *gk_wire_type_name(int type)
{
	for (size_t i = 0; i < gk_count_of(types); i++)
		if ((int)types[i].type == type)
			return types[i].name;
	return NULL;
}

void gk_frame_release(struct gk_frame *frame)
{
	for (size_t i = 0; i < frame->blob_count; i++) {
		gk_fd_close(&frame->blobs[i].fd);
		free(frame->blobs[i].bytes);
		frame->blobs[i].bytes = NULL;
	}
	frame->blob_count = 0;
	if (frame->doc.root)
		gk_doc_release(&frame->doc);
	frame->doc = (struct gk_doc){0};
}

static int find_blob(const struct gk_frame *frame, size_t index, struct gk_err *e)
{
	if (index < frame->blob_count)
		return 0;
	return gk_err_set(e, GK_ERR_SYSTEM, "%s: blob %zu is needed, %zu came",
	                  gk_wire_type_name(frame->type), index, frame->blob_count);
}

int gk_frame_steal_fd(struct gk_frame *frame, size_t index, int *fd, struct gk_err *e)
{
	struct gk_blob *blob = &frame->blobs[index];

	if (find_blob(frame, index, e) < 0)
		return -1;
	if (blob->fd < 0)
		blob->fd = gk_memfd_from("blob", blob->bytes ? blob->bytes : "", blob->size, e);
	if (blob->fd < 0)
		return -1;
	*fd = gk_fd_steal(&blob->fd);
	return 0;
}

static int map_descriptor(int fd, size_t max_bytes, struct gk_blob_map *map, struct gk_err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return gk_err_set(e, GK_ERR_SYSTEM, "a blob is not a memory file");
	if ((uint64_t)st.st_size > max_bytes)
		return gk_err_set(e, GK_ERR_SYSTEM, "a blob has %lld bytes, at most %zu are allowed",
		                  (long long)st.st_size, max_bytes);
	if (gk_memfd_map(fd, (size_t)st.st_size, &map->bytes, e) < 0)
		return -1;
	map->size = (size_t)st.st_size;
	map->is_mapped = map->size > 0;
	return 0;
}

int gk_frame_map(const struct gk_frame *frame, size_t index, size_t max_bytes, struct gk_blob_map *map,
                 struct gk_err *e)
{
	const struct gk_blob *blob = &frame->blobs[index];

	*map = (struct gk_blob_map){0};
	if (find_blob(frame, index, e) < 0)
		return -1;
	if (blob->fd >= 0)
		return map_descriptor(blob->fd, max_bytes, map, e);
	if (blob->size > max_bytes)
		return gk_err_set(e, GK_ERR_SYSTEM, "a blob has %zu bytes, at most %zu are allowed",
		                  blob->size, max_bytes);
	*map = (struct gk_blob_map){.bytes = blob->bytes, .size = blob->size};
	return 0;
}

void gk_blob_unmap(struct gk_blob_map *map)
{
	if (map->is_mapped)
		munmap((void *)(uintptr_t)map->bytes, map->size);
	*map = (struct gk_blob_map){0};
}
