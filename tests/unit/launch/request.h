/*
 * Requests to the clock: plans that add x and y on the stand-ins' kernels, code
 * objects with nothing in them but a name and the sizes of parameters, helpers.
 */
#ifndef TEST_REQUEST_H
#define TEST_REQUEST_H

#include <jansson.h>

#include "base/hash.h"
#include "standins.h"

enum { COUNT = 100, BYTES = 4 * COUNT, CODE = 192, KERNELS = 8, CODES = 4 * KERNELS };

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

/* A plan that adds x and y, by one kernel or by whichever of several is chosen. */
struct side {
	const char *kernels[KERNELS]; /* NULL-terminated */
	const char *steps, *prologue; /* of the plan, steps with a comma behind; NULL: none */
	const char *variants;         /* JSON; NULL: not sent */
	const char *inputs;           /* JSON; NULL: [[0,0],[1,1]] */
	int out_bytes;                /* 0: BYTES */
	uint64_t scratch, huge;       /* bytes of a program; bytes of another buffer */
	bool returns_huge;            /* it is an output, which no kernel writes */
	bool returns_input;           /* x is an output as well */
	bool is_known;                /* its outputs are not wanted */
};

struct ask {
	struct side a, b; /* b without kernels: none */
	double cap_ms, half_width;
	int loads;
	const char *without; /* a helper that is not sent */
	const char *target;
	bool lie, is_inline; /* a wrong hash; outputs are to be made */
};

struct code {
	uint8_t bytes[CODE * CODES];
	int size;
};

static inline int add_code(struct code *c, const char *name, const char *params)
{
	uint8_t *at = c->bytes + c->size;

	memcpy(at, "\177ELF", 4);
	at[18] = is_cuda ? 190 : 224;
	snprintf((char *)at + 64, CODE - 64, "%s %s", name, params);
	c->size += CODE;
	return c->size - CODE;
}

static inline json_t *object_json(const struct ask *a, const uint8_t *code, const char *name, const char *sizes,
                                  uint64_t scratch)
{
	char hash[GK_HEX_SIZE];
	int end;
	json_t *params = params_json(sizes, &end);

	gk_hash_hex(code, CODE, hash);
	if (a->lie)
		hash[0] = hash[0] == '0' ? '1' : '0';
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[iii], s:i, s:i, s:I, s:i, s:b, s:b, s:[], s:o, "
	                 "s:i, s:i, s:i}",
	                 "object", hash, "ttir", ZEROS, "name", name, "target",
	                 a->target ? a->target : vendor("sm_90", "gfx90a"), "toolchain", "none", "warps", 4,
	                 "warp_size", is_cuda ? 32 : 64, "ctas", 1, "cluster", 1, 1, 1, "shared", 1024,
	                 "static_shared", 0, "scratch_bytes", (json_int_t)scratch, "scratch_align", 1, "cooperative",
	                 0, "pdl", 0, "desc", "params", params, "param_bytes", end, "regs", 16, "spills", 0);
}

/* "kernel" or "name" is set by the caller. */
static inline json_t *code_json(const struct ask *a, struct code *c, const char *name, const char *sizes,
                                uint64_t scratch)
{
	int at = add_code(c, name, sizes);

	return json_pack("{s:o, s:i, s:i}", "object", object_json(a, c->bytes + at, name, sizes, scratch), "at", at,
	                 "bytes", CODE);
}

static inline void add_launch(struct gk_buf *text, int kernel)
{
	gk_buf_printf(text,
	              "\"kernel\":%d,\"grid\":[2,1,1],\"line\":12,\"args\":[{\"t\":\"ptr\",\"buf\":0,\"at\":0},"
	              "{\"t\":\"ptr\",\"buf\":1,\"at\":0},{\"t\":\"ptr\",\"buf\":2,\"at\":0},{\"t\":\"i32\",\"v\":100}]",
	              kernel);
}

static inline int count_kernels(const struct side *s)
{
	int count = 0;

	while (s->kernels[count])
		count++;
	return count;
}

static inline void add_work(struct gk_buf *text, const struct side *s)
{
	int count = count_kernels(s);

	if (count == 1) {
		gk_buf_printf(text, "{\"op\":\"launch\",");
		add_launch(text, 0);
		gk_buf_printf(text, "}");
		return;
	}
	gk_buf_printf(text, "{\"op\":\"choose\",\"site\":0,\"variants\":[");
	for (int i = 0; i < count; i++) {
		gk_buf_printf(text, "%s{\"config\":{\"n\":%d},\"pre\":[],\"launch\":{\"op\":\"launch\",", i ? "," : "", i);
		add_launch(text, i);
		gk_buf_printf(text, "}}");
	}
	gk_buf_printf(text, "]}");
}

static inline void add_outputs(struct gk_buf *text, const struct side *s)
{
	gk_buf_printf(text,
	              "],\"outputs\":[{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[%d],\"strides\":[1],"
	              "\"name\":\"0\"}",
	              COUNT);
	if (s->returns_huge)
		gk_buf_printf(text,
		              ",{\"buf\":3,\"at\":0,\"dtype\":\"int16\",\"shape\":[%llu],\"strides\":[1],\"name\":\"1\"}",
		              (unsigned long long)s->huge / 2);
	if (s->returns_input)
		gk_buf_printf(text,
		              ",{\"buf\":0,\"at\":0,\"dtype\":\"float32\",\"shape\":[%d],\"strides\":[1],\"name\":\"1\"}",
		              COUNT);
}

static inline json_t *plan_json(const struct side *s)
{
	gk_buf_auto text = GK_BUF_INIT;
	json_t *plan;

	gk_buf_printf(&text,
	              "{\"plan\":1,\"ir\":\"ttir\",\"target\":\"%s\",\"case\":\"" ZEROS "\",\"from\":{\"candidate\":\"" ZEROS
	              "\",\"triton\":\"\",\"torch\":\"\",\"capture\":\"\",\"env\":{},\"census\":[],\"notes\":[]},"
	              "\"buffers\":[{\"bytes\":%d,\"align\":512,\"input\":\"x\"},{\"bytes\":%d,\"align\":512,"
	              "\"input\":\"y\"},{\"bytes\":%d,\"align\":512}",
	              vendor("sm_90", "gfx90a"), BYTES, BYTES, s->out_bytes ? s->out_bytes : BYTES);
	if (s->huge)
		gk_buf_printf(&text, ",{\"bytes\":%llu,\"align\":512}", (unsigned long long)s->huge);
	gk_buf_printf(&text, "],\"kernels\":[");
	for (int i = 0; i < count_kernels(s); i++)
		gk_buf_printf(&text, "%s{\"ttir\":\"" ZEROS "\",\"name\":\"%s\",\"options\":{},\"inline_asm\":false}",
		              i ? "," : "", s->kernels[i]);
	gk_buf_printf(&text, "],\"prologue\":[%s],\"steps\":[%s", s->prologue ? s->prologue : "",
	              s->steps ? s->steps : "");
	add_work(&text, s);
	add_outputs(&text, s);
	gk_buf_printf(&text, "]}");
	plan = json_loads(gk_buf_text(&text), 0, NULL);
	if (!plan)
		gk_bug("no JSON: %s", gk_buf_text(&text));
	return plan;
}

static inline json_t *side_json(const struct ask *a, const struct side *s, struct code *c)
{
	json_t *objects = json_array(), *side;

	for (int i = 0; i < count_kernels(s); i++) {
		json_t *object = code_json(a, c, s->kernels[i], "8 8 8 4 8 8", s->scratch);

		json_object_set_new(object, "kernel", json_integer(i));
		json_array_append_new(objects, object);
	}
	side = json_pack("{s:o, s:o, s:o}", "plan", plan_json(s), "objects", objects, "inputs",
	                 json_loads(s->inputs ? s->inputs : "[[0,0],[1,1]]", 0, NULL));
	if (s->is_known)
		json_object_set_new(side, "known", json_true());
	if (s->variants)
		json_object_set_new(side, "variants", json_loads(s->variants, 0, NULL));
	return side;
}

#define EIGHT " 8 8 8 8 8 8 8 8"
static inline json_t *helpers_json(const struct ask *a, struct code *c)
{
	static const char *const names[][2] = {{"fill", "8 8 4 8 8"},
	                                       {"flush", "8 8 8 8 8"},
	                                       {"scrub", "8 4 4 8 8"},
	                                       {"set_b4", "8" EIGHT EIGHT " 8 8 8"},
	                                       {"copy_b4", "8" EIGHT " 8" EIGHT EIGHT " 8 8"},
	                                       {"sum_f32_f32_c1", "8" EIGHT " 8" EIGHT EIGHT EIGHT EIGHT " 8 8"}};
	json_t *helpers = json_array();

	for (size_t i = 0; i < gk_count_of(names); i++) {
		json_t *helper;

		if (a->without && strcmp(a->without, names[i][0]) == 0)
			continue;
		helper = code_json(a, c, names[i][0], names[i][1], 0);
		json_object_set_new(helper, "name", json_string(names[i][0]));
		json_array_append_new(helpers, helper);
	}
	return helpers;
}

static inline json_t *request_json(const struct ask *a, struct code *c)
{
	json_t *side_a = side_json(a, &a->a, c), *side_b = a->b.kernels[0] ? side_json(a, &a->b, c) : json_null();

	return json_pack("{s:o, s:o, s:o, s:i, s:i, s:f, s:f, s:i}", "a", side_a, "b", side_b, "helpers",
	                 helpers_json(a, c), "inputs", 2, "seed", 7, "cap_ms", a->cap_ms > 0 ? a->cap_ms : 60000.,
	                 "half_width", a->half_width, "loads", a->loads ? a->loads : 4);
}

#endif
