#include "fact/object.h"

#include <string.h>

#include "base/memory.h"
#include "tap.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Read from the JSON of *object with key replaced by the JSON text value. */
static int reread(const struct gk_object *object, const char *key, const char *value, struct gk_object *again,
                  struct gk_err *e)
{
	gk_json_auto *json = gk_object_to_json(object);
	struct gk_doc doc = {.root = json, .name = (char *)(uintptr_t) "o"};
	struct gk_node root = gk_node_root(&doc);

	if (key)
		json_object_set_new(json, key, json_loads(value, JSON_DECODE_ANY, NULL));
	return gk_object_from_node(&root, again, e);
}

static void refused(const struct gk_object *object, const char *key, const char *value, const char *want,
                    const char *behaviour)
{
	struct gk_object again;
	struct gk_err e = {0};

	is_text(reread(object, key, value, &again, &e) < 0 ? e.text : "accepted", want, behaviour);
}

static struct gk_object example(void)
{
	struct gk_object o = {.object = HASH,
	                      .ttir = HASH,
	                      .name = "add_kernel",
	                      .target = "sm_90",
	                      .toolchain = "triton 3.7.1",
	                      .warps = 12,
	                      .warp_size = 32,
	                      .ctas = 2,
	                      .cluster = {2, 1, 1},
	                      .shared = 65536,
	                      .scratch_bytes = (uint64_t)1 << 31,
	                      .scratch_align = 128,
	                      .pdl = true,
	                      .desc_count = 2,
	                      .param_count = 3,
	                      .param_bytes = 200,
	                      .regs = 168,
	                      .spills = 4};

	o.descs[1] = (struct gk_object_desc){true, 3, 2, 6, 2, {128, 64}, true};
	o.params[0] = (struct gk_object_param){0, 128};
	o.params[1] = (struct gk_object_param){128, 4};
	o.params[2] = (struct gk_object_param){136, 8};
	return o;
}

static void test_there_and_back(void)
{
	struct gk_object object = example(), again;
	struct gk_err e = {0};

	is_int(reread(&object, NULL, NULL, &again, &e), 0, "reads what it wrote");

	ok(memcmp(&object, &again, sizeof object) == 0, "every member comes back as it was");
}

static void test_refusals(void)
{
	struct gk_object o = example();

	refused(&o, "warps", "0", "o: warps: an integer from 1 to 64 is needed, not 0",
	        "a block has threads");
	refused(&o, "object", "\"12\"", "o: object: not a SHA-256", "a hash is a hash");
	refused(&o, "extra", "1", "o: extra: unknown key", "no other keys");
	refused(&o, "cluster", "[1, 1, 1]", "o: cluster: a cluster of 1 for 2 programs",
	        "the cluster holds all programs");
	refused(&o, "params", "[{\"at\": 0, \"bytes\": 8}, {\"at\": 4, \"bytes\": 8}]",
	        "o: params[1]: a parameter at 4 of 8 bytes does not fit behind 8 in 200",
	        "parameters do not overlap");
	refused(&o, "params", "[{\"at\": 196, \"bytes\": 8}]",
	        "o: params[0]: a parameter at 196 of 8 bytes does not fit behind 0 in 200",
	        "parameters end within the block");
	refused(&o, "desc",
	        "[{\"swizzle\": 3, \"elem_bytes\": 2, \"elem_type\": 6, \"block\": [], \"fp4_padded\": "
	        "false}]",
	        "o: desc[0].block: a block without a dimension", "a descriptor has dimensions");
}

int main(void)
{
	test_there_and_back();
	test_refusals();
	return done_testing();
}
