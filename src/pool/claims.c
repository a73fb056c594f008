#include "claims.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

#define MAX_BYTES   ((size_t)32 << 20)
#define MAX_JSON    ((size_t)16 << 20) /* over all frames: trees take a multiple of their text */
#define MAX_CLAIMS  4096
#define MAX_MODULES 1024

void claims_init(struct claims *claims)
{
	struct gk_frame_limits limits = {
		.allow_inline = true, .max_inline = MAX_BYTES, .max_total = MAX_BYTES};

	*claims = (struct claims){0};
	gk_frame_reader_init(&claims->reader, "the result pipe", &limits);
}

void claims_release(struct claims *claims)
{
	gk_frame_reader_release(&claims->reader);
	for (size_t i = 0; i < claims->modules.count; i++)
		free((char *)(uintptr_t)claims->modules.items[i].text);
	for (size_t i = 0; i < claims->list.count; i++)
		json_decref(claims->list.items[i].json);
	gk_vec_release(&claims->modules);
	gk_vec_release(&claims->list);
}

static int bad(struct claims *claims, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int bad(struct claims *claims, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(claims->malformed, sizeof claims->malformed, format, arguments);
	va_end(arguments);
	claims->is_bad = true;
	return -1;
}

/* ---- frames ---- */

static bool is_known(const struct claims *claims, const char *hash)
{
	for (size_t i = 0; i < claims->modules.count; i++)
		if (strcmp(claims->modules.items[i].hash, hash) == 0)
			return true;
	return false;
}

static int take_module(struct claims *claims, struct gk_blob *blob, const char *hash)
{
	struct gk_captured_module module = {.size = blob->size};

	gk_hash_hex(blob->bytes, blob->size, module.hash);
	if (!hash || strcmp(hash, module.hash) != 0)
		return bad(claims, "a module does not have the hash that is claimed for it");
	if (is_known(claims, hash))
		return 0;
	if (claims->modules.count == MAX_MODULES)
		return bad(claims, "more than %d modules", MAX_MODULES);
	module.text = blob->bytes; /* zero-terminated by the reader */
	blob->bytes = NULL;
	gk_vec_push(&claims->modules, module);
	return 0;
}

static int take_modules(struct claims *claims, struct gk_frame *frame)
{
	const json_t *hashes = json_object_get(frame->doc.root, "hashes");

	if (!json_is_array(hashes) || json_array_size(hashes) != frame->blob_count)
		return bad(claims, "ttir: as many hashes as modules are due");
	for (size_t i = 0; i < frame->blob_count; i++)
		if (take_module(claims, &frame->blobs[i], json_string_value(json_array_get(hashes, i))) < 0)
			return -1;
	return 0;
}

static int take_claim(struct claims *claims, struct gk_frame *frame, enum gk_claim_kind kind)
{
	json_t *index = json_object_get(frame->doc.root, "case");
	json_t *plan = json_object_get(frame->doc.root, "plan");
	struct gk_claim claim = {.kind = kind, .case_index = json_integer_value(index)};

	if (!json_is_integer(index) || claim.case_index < -1)
		return bad(claims, "%s: without the number of a case", gk_wire_type_name(frame->type));
	if (kind == GK_CLAIM_PLAN && !json_is_object(plan))
		return bad(claims, "plan: without a plan");
	if (frame->blob_count)
		return bad(claims, "%s: with blobs", gk_wire_type_name(frame->type));
	if (claims->list.count == MAX_CLAIMS)
		return bad(claims, "more than %d claims", MAX_CLAIMS);
	claim.json = json_incref(kind == GK_CLAIM_PLAN ? plan : frame->doc.root);
	claim.came_ns = gk_clock_ns();
	gk_vec_push(&claims->list, claim);
	return 0;
}

static int take_frame(struct claims *claims, struct gk_frame *frame)
{
	for (size_t i = 0; i < frame->blob_count; i++)
		claims->blob_bytes += frame->blobs[i].size;
	if (claims->is_complete)
		return bad(claims, "%s came after the end", gk_wire_type_name(frame->type));
	claims->is_flood =
		claims->reader.total_bytes - claims->blob_bytes - claims->reader.input.size > MAX_JSON;
	if (claims->is_flood)
		return bad(claims, "more than %zu bytes of claims", MAX_JSON);
	switch (frame->type) {
	case GK_WIRE_TTIR:
		return take_modules(claims, frame);
	case GK_WIRE_PLAN:
		return take_claim(claims, frame, GK_CLAIM_PLAN);
	case GK_WIRE_CANNOT:
		return take_claim(claims, frame, GK_CLAIM_CANNOT);
	case GK_WIRE_RAISED:
		return take_claim(claims, frame, GK_CLAIM_RAISED);
	case GK_WIRE_RAN:
		return claims->may_run ? take_claim(claims, frame, GK_CLAIM_RAN) : bad(claims, "a capture may not say ran");
	case GK_WIRE_MARK:
		return claims->may_run ? take_claim(claims, frame, GK_CLAIM_MARK) : bad(claims, "a capture may not say mark");
	case GK_WIRE_END:
		claims->is_complete = json_is_true(json_object_get(frame->doc.root, "complete"));
		return 0;
	default:
		return bad(claims, "a candidate may not say %s", gk_wire_type_name(frame->type));
	}
}

/* ---- bytes ---- */

/* Only counted: a writer that finds the pipe full could not end by itself. */
static enum claims_state drain(struct claims *claims, int fd)
{
	char bytes[16384];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return CLAIMS_END;
	claims->drained += n > 0 ? (uint64_t)n : 0;
	claims->is_flood = claims->is_flood || claims->drained > MAX_BYTES;
	return claims->is_flood ? CLAIMS_FLOOD : CLAIMS_BAD;
}

static void read_frames(struct claims *claims)
{
	struct gk_frame frame;
	struct gk_err e;
	int code;

	while ((code = gk_frame_next(&claims->reader, &frame, &e)) == 1) {
		code = take_frame(claims, &frame);
		gk_frame_release(&frame);
		if (code < 0)
			return;
	}
	if (code < 0)
		bad(claims, "%s", e.text);
}

enum claims_state claims_read(struct claims *claims, int fd)
{
	struct gk_err e;
	int code;

	if (claims->is_bad)
		return drain(claims, fd);
	code = gk_frame_fill(&claims->reader, fd, &e);
	if (code < 0) {
		claims->is_flood = claims->reader.total_bytes > MAX_BYTES;
		bad(claims, "%s", e.text);
	}
	if (code == 1)
		read_frames(claims);
	if (claims->is_bad)
		return claims->is_flood ? CLAIMS_FLOOD : CLAIMS_BAD;
	return claims->reader.is_ended ? CLAIMS_END : CLAIMS_MORE;
}

void claims_end(struct claims *claims)
{
	if (!claims->is_bad && (claims->reader.input.size || !claims->reader.is_ended))
		claims->is_complete = false;
}

void claims_show(const struct claims *claims, struct gk_capture_result *result)
{
	result->complete = claims->is_complete && !claims->is_bad;
	result->malformed = claims->is_bad ? claims->malformed : NULL;
	result->modules = claims->modules.items;
	result->module_count = claims->modules.count;
	result->claims = claims->list.items;
	result->claim_count = claims->list.count;
}
