#include "object.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

#define MAX_SCRATCH ((int64_t)1 << 32)
#define MAX_BLOCK   4096 /* bytes of all parameters: the most that a driver takes */

/* Numbers that are not negative, 4 or 8 bytes wide, in the order of the text. */
struct number {
	const char *key;
	size_t offset, size;
	int64_t min, max;
};
#define NUMBER(type, member, min, max)                                                                       \
	{                                                                                                    \
#member, offsetof(struct type, member), sizeof(((struct type *)NULL)->member), min, max      \
	}

static const struct number numbers[] = {
	NUMBER(gk_object, warps, 1, 64),
	NUMBER(gk_object, warp_size, 1, 64),
	NUMBER(gk_object, ctas, 1, 16),
	NUMBER(gk_object, shared, 0, 1 << 24),
	NUMBER(gk_object, static_shared, 0, 1 << 24),
	NUMBER(gk_object, scratch_bytes, 0, MAX_SCRATCH),
	NUMBER(gk_object, scratch_align, 1, 1 << 16),
	NUMBER(gk_object, param_bytes, 0, MAX_BLOCK),
	NUMBER(gk_object, regs, 0, 1 << 16),
	NUMBER(gk_object, spills, 0, 1 << 24),
};
static const struct number desc_numbers[] = {
	NUMBER(gk_object_desc, swizzle, 0, 16),
	NUMBER(gk_object_desc, elem_bytes, 1, 16),
	NUMBER(gk_object_desc, elem_type, 0, 64),
};
static const struct number param_numbers[] = {
	NUMBER(gk_object_param, at, 0, MAX_BLOCK),
	NUMBER(gk_object_param, bytes, 1, 128),
};

static int read_number(const struct gk_node *object, const struct number *n, void *out, struct gk_err *e)
{
	struct gk_node at = gk_node_key(object, n->key);
	uint32_t narrow;
	int64_t value;

	if (gk_node_int(&at, n->min, n->max, &value, e) < 0)
		return -1;
	narrow = (uint32_t)value;
	memcpy((char *)out + n->offset, n->size == 4 ? (void *)&narrow : (void *)&value, n->size);
	return 0;
}

static void write_number(json_t *object, const struct number *n, const void *from)
{
	uint32_t narrow;
	int64_t value;

	memcpy(&narrow, (const char *)from + n->offset, sizeof narrow);
	value = narrow;
	if (n->size == 8)
		memcpy(&value, (const char *)from + n->offset, sizeof value);
	json_object_set_new(object, n->key, json_integer(value));
}

/* ---- reading ---- */

static int read_text(const struct gk_node *object, const char *key, char *out, size_t size, struct gk_err *e)
{
	struct gk_node at = gk_node_key(object, key);
	const char *text;

	if (gk_node_string(&at, &text, e) < 0)
		return -1;
	if (strlen(text) >= size)
		return gk_node_fail(&at, e, "at most %zu bytes are allowed", size - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int read_hash(const struct gk_node *object, const char *key, char out[GK_HEX_SIZE], struct gk_err *e)
{
	struct gk_node at = gk_node_key(object, key);

	if (read_text(object, key, out, GK_HEX_SIZE, e) < 0)
		return -1;
	if (strspn(out, "0123456789abcdef") != GK_HEX_SIZE - 1)
		return gk_node_fail(&at, e, "not a SHA-256");
	return 0;
}

static int read_block(const struct gk_node *at, struct gk_object_desc *desc, struct gk_err *e)
{
	if (gk_node_array(at, GK_OBJECT_MAX_RANK, e) < 0)
		return -1;
	desc->rank = (int)gk_node_count(at);
	for (int i = 0; i < desc->rank; i++) {
		struct gk_node item = gk_node_item(at, (size_t)i);
		int64_t value;

		if (gk_node_int(&item, 1, 1 << 20, &value, e) < 0)
			return -1;
		desc->block[i] = (uint32_t)value;
	}
	return desc->rank ? 0 : gk_node_fail(at, e, "a block without a dimension");
}

static int read_desc(const struct gk_node *at, struct gk_object_desc *desc, struct gk_err *e)
{
	static const char *const keys[] = {"swizzle", "elem_bytes", "elem_type", "block", "fp4_padded", NULL};
	struct gk_node block = gk_node_key(at, "block"), padded = gk_node_key(at, "fp4_padded");

	if (json_is_null(at->value))
		return 0;
	desc->is_map = true;
	if (gk_node_object(at, e) < 0 || gk_node_known_keys(at, keys, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_count_of(desc_numbers); i++)
		if (read_number(at, &desc_numbers[i], desc, e) < 0)
			return -1;
	return read_block(&block, desc, e) < 0 ? -1 : gk_node_bool(&padded, &desc->fp4_padded, e);
}

static int read_descs(const struct gk_node *at, struct gk_object *object, struct gk_err *e)
{
	if (gk_node_array(at, GK_OBJECT_MAX_DESCS, e) < 0)
		return -1;
	object->desc_count = (int)gk_node_count(at);
	for (int i = 0; i < object->desc_count; i++) {
		struct gk_node item = gk_node_item(at, (size_t)i);

		if (read_desc(&item, &object->descs[i], e) < 0)
			return -1;
	}
	return 0;
}

/* In the order of their places, without overlap, within the block: what a device may rely on. */
static int read_params(const struct gk_node *at, struct gk_object *object, struct gk_err *e)
{
	uint32_t end = 0;

	if (gk_node_array(at, GK_OBJECT_MAX_PARAMS, e) < 0)
		return -1;
	object->param_count = (int)gk_node_count(at);
	for (int i = 0; i < object->param_count; i++) {
		static const char *const keys[] = {"at", "bytes", NULL};
		struct gk_node item = gk_node_item(at, (size_t)i);
		struct gk_object_param *p = &object->params[i];

		if (gk_node_object(&item, e) < 0 || gk_node_known_keys(&item, keys, e) < 0 ||
		    read_number(&item, &param_numbers[0], p, e) < 0 ||
		    read_number(&item, &param_numbers[1], p, e) < 0)
			return -1;
		if (p->at < end || p->at + p->bytes > object->param_bytes)
			return gk_node_fail(&item, e,
			                    "a parameter at %u of %u bytes does not fit behind %u in %u",
			                    p->at, p->bytes, end, object->param_bytes);
		end = p->at + p->bytes;
	}
	return 0;
}

static int read_cluster(const struct gk_node *at, struct gk_object *object, struct gk_err *e)
{
	int64_t product = 1, value;

	if (gk_node_array(at, 3, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		struct gk_node item = gk_node_item(at, (size_t)i);

		if (gk_node_int(&item, 1, 16, &value, e) < 0)
			return -1;
		object->cluster[i] = (int)value;
		product *= value;
	}
	return product == object->ctas ? 0
	                               : gk_node_fail(at, e, "a cluster of %lld for %d programs",
	                                              (long long)product, object->ctas);
}

int gk_object_from_node(const struct gk_node *at, struct gk_object *object, struct gk_err *e)
{
	static const char *const keys[] = {
		"object",        "ttir",        "name",    "target", "toolchain",     "warps",
		"warp_size",     "ctas",        "cluster", "shared", "static_shared", "scratch_bytes",
		"scratch_align", "cooperative", "pdl",     "desc",   "params",        "param_bytes",
		"regs",          "spills",      NULL};
	struct gk_node desc = gk_node_key(at, "desc"), params = gk_node_key(at, "params"),
		       cluster = gk_node_key(at, "cluster"), cooperative = gk_node_key(at, "cooperative"),
		       pdl = gk_node_key(at, "pdl");

	*object = (struct gk_object){0};
	if (gk_node_object(at, e) < 0 || gk_node_known_keys(at, keys, e) < 0 ||
	    read_hash(at, "object", object->object, e) < 0 || read_hash(at, "ttir", object->ttir, e) < 0 ||
	    read_text(at, "name", object->name, sizeof object->name, e) < 0 ||
	    read_text(at, "target", object->target, sizeof object->target, e) < 0 ||
	    read_text(at, "toolchain", object->toolchain, sizeof object->toolchain, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_count_of(numbers); i++)
		if (read_number(at, &numbers[i], object, e) < 0)
			return -1;
	if (gk_node_bool(&cooperative, &object->cooperative, e) < 0 ||
	    gk_node_bool(&pdl, &object->pdl, e) < 0 || read_cluster(&cluster, object, e) < 0 ||
	    read_descs(&desc, object, e) < 0)
		return -1;
	return read_params(&params, object, e);
}

/* ---- writing ---- */

static json_t *desc_json(const struct gk_object_desc *desc)
{
	json_t *object = json_object(), *block = json_array();

	for (size_t i = 0; i < gk_count_of(desc_numbers); i++)
		write_number(object, &desc_numbers[i], desc);
	for (int i = 0; i < desc->rank; i++)
		json_array_append_new(block, json_integer(desc->block[i]));
	json_object_set_new(object, "block", block);
	json_object_set_new(object, "fp4_padded", json_boolean(desc->fp4_padded));
	return object;
}

json_t *gk_object_to_json(const struct gk_object *object)
{
	json_t *json =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:[i,i,i]}", "object", object->object, "ttir",
	                  object->ttir, "name", object->name, "target", object->target, "toolchain",
	                  object->toolchain, "cooperative", object->cooperative, "pdl", object->pdl,
	                  "cluster", object->cluster[0], object->cluster[1], object->cluster[2]);
	json_t *descs = json_array(), *params = json_array();

	for (size_t i = 0; i < gk_count_of(numbers); i++)
		write_number(json, &numbers[i], object);
	for (int i = 0; i < object->desc_count; i++)
		json_array_append_new(descs,
		                      object->descs[i].is_map ? desc_json(&object->descs[i]) : json_null());
	for (int i = 0; i < object->param_count; i++) {
		json_t *param = json_object();

		write_number(param, &param_numbers[0], &object->params[i]);
		write_number(param, &param_numbers[1], &object->params[i]);
		json_array_append_new(params, param);
	}
	json_object_set_new(json, "desc", descs);
	json_object_set_new(json, "params", params);
	return json;
}
