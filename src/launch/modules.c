/*
 * The machine takes a kernel's IR: "ttir" names the texts that came along. A
 * GPU takes code objects: "objects" describes one for each kernel of the plan,
 * whose code comes along. What is known from before is not loaded again; the
 * same code under another description is another module.
 */
#include "modules.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

enum { CODE_BYTES = 64 << 20 };

static void add_missing(json_t **missing, const char *hash)
{
	if (!*missing)
		*missing = json_array();
	json_array_append_new(*missing, json_string(hash));
}

/* ---- by IR ---- */

static int add_text(struct gk_launcher *launcher, struct gk_frame *frame, const struct gk_node *item,
                    size_t *used, struct gk_err *e)
{
	struct gk_blob_map text = {0};
	const char *hash;
	int done;

	if (gk_node_string(item, &hash, e) < 0)
		return -1;
	if (gk_launcher_module(launcher, hash)) {
		++*used;
		return 0;
	}
	if (gk_frame_map(frame, (*used)++, GK_IR_MAX_BYTES, &text, e) < 0)
		return -1;
	done = gk_launcher_add(launcher, hash, text.bytes, text.size, e);
	gk_blob_unmap(&text);
	return done;
}

static int find_texts(struct gk_launcher *launcher, struct gk_frame *frame, const struct gk_plan *plan,
                      struct gk_device_module **modules, json_t **missing, size_t *used, struct gk_err *e)
{
	struct gk_node root = gk_node_root(&frame->doc), list = gk_node_key(&root, "ttir");

	if (list.value && gk_node_array(&list, GK_WIRE_MAX_BLOBS, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(&list); i++) {
		struct gk_node item = gk_node_item(&list, i);

		if (add_text(launcher, frame, &item, used, e) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < plan->kernel_count; i++) {
		struct gk_launch_module *m = gk_launcher_module(launcher, plan->kernels[i].ttir);

		if (m)
			modules[i] = m->made;
		else
			add_missing(missing, plan->kernels[i].ttir);
	}
	return 0;
}

/* ---- by code object ---- */

int launch_check_object(const struct gk_object *object, const struct gk_plan *plan, int64_t kernel,
                        struct gk_err *e)
{
	const struct gk_plan_kernel *k = &plan->kernels[kernel];

	if (strcmp(object->ttir, k->ttir) != 0)
		return gk_err_set(e, GK_ERR_INPUT,
		                  "the object of kernel %s was made from another module", k->name);
	if (strcmp(object->target, plan->target) != 0)
		return gk_err_set(e, GK_ERR_INPUT,
		                  "the object of kernel %s is for %s, the plan for %s", k->name,
		                  object->target, plan->target);
	return 0;
}

static int load_code(struct gk_launcher *launcher, struct gk_frame *frame, size_t blob, const char *key,
                     const struct gk_object *object, struct gk_err *e)
{
	struct gk_blob_map code = {0};
	int done;

	if (gk_frame_map(frame, blob, CODE_BYTES, &code, e) < 0)
		return -1;
	done = gk_launcher_add_object(launcher, key, object, code.bytes, code.size, e);
	gk_blob_unmap(&code);
	return done;
}

/* One of "objects": its kernel's number and the description; blob is its code. */
static int find_object(struct gk_launcher *launcher, struct gk_frame *frame, const struct gk_plan *plan,
                       const struct gk_node *item, size_t blob, struct gk_device_module **modules,
                       struct gk_err *e)
{
	struct gk_node kernel = gk_node_key(item, "kernel"), at = gk_node_key(item, "object");
	gk_free_auto struct gk_object *object = gk_alloc(sizeof *object);
	gk_free_auto char *text = NULL;
	char key[GK_HEX_SIZE];
	int64_t index;

	if (gk_node_int(&kernel, 0, (int64_t)plan->kernel_count - 1, &index, e) < 0 ||
	    gk_object_from_node(&at, object, e) < 0 ||
	    launch_check_object(object, plan, index, e) < 0)
		return -1;
	text = json_dumps(at.value, JSON_COMPACT | JSON_SORT_KEYS);
	gk_hash_hex(text ? text : "", text ? strlen(text) : 0, key);
	if (!gk_launcher_module(launcher, key) && load_code(launcher, frame, blob, key, object, e) < 0)
		return -1;
	modules[index] = gk_launcher_module(launcher, key)->made;
	return 0;
}

static int find_objects(struct gk_launcher *launcher, struct gk_frame *frame, const struct gk_plan *plan,
                        struct gk_device_module **modules, size_t *used, struct gk_err *e)
{
	struct gk_node root = gk_node_root(&frame->doc), list = gk_node_key(&root, "objects"),
		       texts = gk_node_key(&root, "ttir");

	if (gk_node_array(&list, GK_PLAN_MAX_KERNELS, e) < 0 ||
	    (texts.value && gk_node_array(&texts, GK_WIRE_MAX_BLOBS, e) < 0))
		return -1;
	*used += gk_node_count(&texts); /* the machine's; nothing here reads them */
	for (size_t i = 0; i < gk_node_count(&list); i++) {
		struct gk_node item = gk_node_item(&list, i);

		if (find_object(launcher, frame, plan, &item, (*used)++, modules, e) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < plan->kernel_count; i++)
		if (!modules[i])
			return gk_err_set(e, GK_ERR_INPUT, "execute: the code object of kernel %s is missing",
			                  plan->kernels[i].name);
	return 0;
}

int launch_find_modules(struct gk_launcher *launcher, struct gk_frame *frame, const struct gk_plan *plan,
                        struct gk_device_module **modules, json_t **missing, size_t *used, struct gk_err *e)
{
	*missing = NULL;
	if (launcher->device->ops->by_object)
		return find_objects(launcher, frame, plan, modules, used, e);
	return find_texts(launcher, frame, plan, modules, missing, used, e);
}
