/*
 * The launcher's clock without a GPU: over the stand-ins of both vendors'
 * drivers, whose kernels take the time that a test says. What is looked at: the
 * order of calls around a timed one, what is queued without a wait, figures,
 * choices, findings, evidence.
 */
#include "launch/launch.h"

#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "tap.h"
#include "standins.h"

enum { COUNT = 100, BYTES = 4 * COUNT, CODE = 192, KERNELS = 8, CODES = 4 * KERNELS };

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define TIMES "fill=0.001 flush=5 scrub=0.001 add=0.05 " /* a flush takes longer than writing the log */

static float x[COUNT], y[COUNT], out[2][COUNT];
static struct gk_launcher launcher;
static struct gk_err e;
static json_t *answer;

/* ---- requests ---- */

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

static int add_code(struct code *c, const char *name, const char *params)
{
	uint8_t *at = c->bytes + c->size;

	memcpy(at, "\177ELF", 4);
	at[18] = is_cuda ? 190 : 224;
	snprintf((char *)at + 64, CODE - 64, "%s %s", name, params);
	c->size += CODE;
	return c->size - CODE;
}

static json_t *object_json(const struct ask *a, const uint8_t *code, const char *name, const char *sizes,
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
static json_t *code_json(const struct ask *a, struct code *c, const char *name, const char *sizes, uint64_t scratch)
{
	int at = add_code(c, name, sizes);

	return json_pack("{s:o, s:i, s:i}", "object", object_json(a, c->bytes + at, name, sizes, scratch), "at", at,
	                 "bytes", CODE);
}

static void add_launch(struct gk_buf *text, int kernel)
{
	gk_buf_printf(text,
	              "\"kernel\":%d,\"grid\":[2,1,1],\"line\":12,\"args\":[{\"t\":\"ptr\",\"buf\":0,\"at\":0},"
	              "{\"t\":\"ptr\",\"buf\":1,\"at\":0},{\"t\":\"ptr\",\"buf\":2,\"at\":0},{\"t\":\"i32\",\"v\":100}]",
	              kernel);
}

static int count_kernels(const struct side *s)
{
	int count = 0;

	while (s->kernels[count])
		count++;
	return count;
}

static void add_work(struct gk_buf *text, const struct side *s)
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

static json_t *plan_json(const struct side *s)
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
	gk_buf_printf(&text,
	              "],\"outputs\":[{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[%d],\"strides\":[1],"
	              "\"name\":\"0\"}",
	              COUNT);
	if (s->returns_huge)
		gk_buf_printf(&text,
		              ",{\"buf\":3,\"at\":0,\"dtype\":\"int16\",\"shape\":[%llu],\"strides\":[1],\"name\":\"1\"}",
		              (unsigned long long)s->huge / 2);
	if (s->returns_input)
		gk_buf_printf(&text,
		              ",{\"buf\":0,\"at\":0,\"dtype\":\"float32\",\"shape\":[%d],\"strides\":[1],\"name\":\"1\"}",
		              COUNT);
	gk_buf_printf(&text, "]}");
	plan = json_loads(gk_buf_text(&text), 0, NULL);
	if (!plan)
		gk_bug("no JSON: %s", gk_buf_text(&text));
	return plan;
}

static json_t *side_json(const struct ask *a, const struct side *s, struct code *c)
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
static json_t *helpers_json(const struct ask *a, struct code *c)
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

static json_t *request_json(const struct ask *a, struct code *c)
{
	json_t *side_a = side_json(a, &a->a, c), *side_b = a->b.kernels[0] ? side_json(a, &a->b, c) : json_null();

	return json_pack("{s:o, s:o, s:o, s:i, s:i, s:f, s:f, s:i}", "a", side_a, "b", side_b, "helpers",
	                 helpers_json(a, c), "inputs", 2, "seed", 7, "cap_ms", a->cap_ms > 0 ? a->cap_ms : 60000.,
	                 "half_width", a->half_width, "loads", a->loads ? a->loads : 4);
}

static void add_blob(struct gk_frame *f, int fd)
{
	f->blobs[f->blob_count++].fd = fd;
}

static void take_outputs(struct gk_frame *f, const int *made, size_t made_count)
{
	for (size_t i = 0; i < made_count; i++)
		add_blob(f, made[i]); /* closed with the frame */
	for (size_t i = 3; i < f->blob_count && i < 5; i++)
		if (pread(f->blobs[i].fd, out[i - 3], BYTES, 0) < 0)
			printf("# an output cannot be read\n");
}

static int shared[2]; /* memory files of x and y that are the same each time; 0: new ones */

static int time_it(struct ask a)
{
	gk_frame_auto frame = {.type = GK_WIRE_TIME, .last = true, .id = 1};
	struct code *c = gk_alloc(sizeof *c);
	int made[GK_LAUNCH_OUTPUTS], done, sides = (a.b.kernels[0] ? 2 : 1) - a.a.is_known;
	size_t made_count = 0;
	enum gk_wire_type type;

	json_decref(answer);
	answer = NULL;
	e = (struct gk_err){0};
	memset(out, 0, sizeof out);
	frame.doc.name = gk_strdup("time");
	frame.doc.root = request_json(&a, c);
	add_blob(&frame, gk_memfd_from("code", c->bytes, (size_t)c->size, &e));
	add_blob(&frame, shared[0] > 0 ? dup(shared[0]) : gk_memfd_from("x", x, BYTES, &e));
	add_blob(&frame, shared[1] > 0 ? dup(shared[1]) : gk_memfd_from("y", y, BYTES, &e));
	for (int i = 0; i < sides && !a.is_inline; i++)
		add_blob(&frame, gk_memfd_new("out", BYTES, &e));
	if (a.a.returns_input)
		add_blob(&frame, gk_memfd_new("x", BYTES, &e));
	if (a.a.returns_huge)
		add_blob(&frame, gk_memfd_new("huge", a.a.huge, &e));
	done = gk_launcher_time(&launcher, &frame, a.is_inline, &type, &answer, made, &made_count, &e);
	take_outputs(&frame, made, made_count);
	free(c);
	if (done < 0)
		printf("# %s\n", e.text);
	return done;
}

static void open_launcher(void)
{
	struct gk_launch_options options = {.device = vendor("cuda", "hip"), .build = "b", .gpu = -1};

	unlink(log_path);
	if (gk_launcher_open(&launcher, &options, &e) < 0)
		gk_bug("%s", e.text);
}

/* ---- answers ---- */

static const json_t *told(const char *side, const char *key)
{
	return json_object_get(json_object_get(answer, side), key);
}

static long long told_int(const char *side, const char *key)
{
	return (long long)json_integer_value(told(side, key));
}

/* Of the one output. */
static long long poisoned(const char *side, const char *key)
{
	return (long long)json_integer_value(json_object_get(json_array_get(told(side, "poisoned"), 0), key));
}

static const char *stopped(void)
{
	return json_string_value(json_object_get(answer, "stopped"));
}

static const char *side_of_finding(void)
{
	return json_string_value(json_object_get(answer, "side"));
}

static const char *finding(const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(answer, "finding"), key));

	return text ? text : "";
}

static bool is_fine(void)
{
	return json_is_null(json_object_get(answer, "finding"));
}

static long long pairs(void)
{
	return (long long)json_array_size(json_object_get(answer, "group"));
}

static int compare_doubles(const void *a, const void *b)
{
	double p = *(const double *)a, q = *(const double *)b;

	return p < q ? -1 : p > q;
}

static double median(const char *side)
{
	const json_t *list = told(side, "ms");
	double sorted[512];
	size_t count = json_array_size(list);

	for (size_t i = 0; i < count; i++)
		sorted[i] = json_real_value(json_array_get(list, i));
	qsort(sorted, count, sizeof *sorted, compare_doubles);
	return count ? sorted[count / 2] : 0;
}

static double clock_ms(const char *clock, const char *key)
{
	return json_real_value(json_object_get(json_object_get(answer, clock), key));
}

static int wrong_values(int side)
{
	int wrong = 0;

	for (int i = 0; i < COUNT; i++)
		wrong += out[side][i] != x[i] + y[i];
	return wrong;
}

static char *calls(void)
{
	char *text = NULL;
	size_t size;
	struct gk_err ignored;

	if (gk_file_read(log_path, (size_t)64 << 20, &text, &size, &ignored) < 0)
		text = gk_strdup("");
	unlink(log_path);
	return text;
}

/* Without the vendor's names and what differs from call to call: "copy 400", "fill", "mark", ... */
static void plain(const char *line, char *to, size_t size)
{
	static const char *const names[][2] = {{"MemcpyDtoDAsync", "copy"},   {"EventRecord", "mark"},
	                                       {"MemsetD32Async", "set"},     {"MemcpyHtoDAsync", "upload"},
	                                       {"LaunchKernelEx", ""},        {"ModuleLaunchKernel", ""},
	                                       {"MemcpyDtoHAsync", "download"}, {"EventSynchronize", "wait"}};
	char call[64] = "", first[64] = "";

	if (sscanf(line, "%63[^ \n] %63[^ \n]", call, first) < 1)
		call[0] = '\0';
	snprintf(to, size, "?%s", call);
	for (size_t i = 0; i < gk_count_of(names); i++)
		if (strstr(call, names[i][0]))
			snprintf(to, size, "%s%s%s", names[i][1], *names[i][1] && *first ? " " : "", first);
}

/* All lines of the log, plain, each with "; " behind. */
static char *plain_calls(void)
{
	gk_free_auto char *text = calls();
	struct gk_buf all = GK_BUF_INIT;
	char *copy, line[160];

	for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		plain(at, line, sizeof line);
		gk_buf_printf(&all, "%s; ", line);
	}
	copy = gk_strdup(gk_buf_text(&all));
	gk_buf_release(&all);
	return copy;
}

static int occurrences(const char *text, const char *what)
{
	int count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

/* ---- the tests ---- */

static void every_call_is_prepared_alike(void)
{
	static const char prologue[] = "{\"op\":\"fill\",\"dst\":{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[7],"
				       "\"strides\":[1]},\"bits\":\"0x40000000\"}";
	static const char one[] = "mark; add; mark; copy 400; copy 400; copy 400; fill; set 1073741824; scrub; fill; "
				  "flush; mark; add; mark; copy 400; ";
	gk_free_auto char *text = NULL;
	char *at, *end;

	setenv("STANDIN_MS", TIMES, 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}, .prologue = prologue}}) == 0, "one side alone is timed");
	text = plain_calls();
	at = strstr(text, one);
	ok(at, "inputs, output, prologue, shared memory, caches, mark, steps, mark, outputs aside");
	end = at ? strstr(at, "wait") : NULL;
	if (end)
		*end = '\0';
	ok(end && occurrences(at, one) > 25, "again and again");
	ok(end && !strchr(at, '?') && !strstr(at, "load"), "with nothing between that waits, takes memory, loads code");
	ok(is_fine() && json_is_null(json_object_get(answer, "b")), "nothing is found, there is no other side");
	is_text(stopped(), "precise", "it stops when the figure is narrow");
	is_int((long long)json_array_size(told("a", "ms")), pairs(), "a time for each call");
	free(text);
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"add"}}}) == 0, "two sides");
	text = plain_calls();
	ok(strstr(text, "mark; add; mark; copy 400; copy 400; copy 400; fill; scrub; ") && !strstr(text, "fill; fill; "),
	   "what both share is prepared once");
	gk_launcher_close(&launcher);
}

/* The third parameter of a fill. */
static void seeds_are_fresh(void)
{
	gk_free_auto char *text = NULL;
	gk_map_auto seen = {0};
	int fills = 0, twice = 0;

	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"add"}}}) == 0, "two sides are timed");
	text = calls();
	for (char *at = text; (at = strstr(at, " fill grid")); at++) {
		char seed[32];
		bool is_new = false;

		if (sscanf(strstr(at, "params"), "params pointer %*s %31s", seed) != 1)
			continue;
		gk_map_put(&seen, seed, &is_new);
		fills++;
		twice += !is_new;
	}
	ok(fills > 300, "hundreds of fills");
	ok(twice <= 1, "have a fresh seed each");
	ok(strstr(text, vendor("scrub grid 14 1 1 block 128 1 1 shared 65536 ", "scrub grid 14 1 1 block 256 1 1 shared 65536 ")),
	   "shared memory is overwritten on all multiprocessors, as much as there is");
	gk_launcher_close(&launcher);
}

static void figures_are_those_of_the_device(void)
{
	setenv("STANDIN_MS", TIMES "quick=0.025", 1);
	setenv("STANDIN_REAL", "add=0.5 quick=0.05", 1);
	setenv("STANDIN_JITTER", "0.005", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"quick"}}, .is_inline = true}) == 0,
	   "two sides over a pipe");
	near(median("a"), 0.05, 0.002, "the one takes what it takes");
	near(median("b"), 0.025, 0.001, "the other as well");
	ok(pairs() >= 64 && pairs() < 512, "as often as needed");
	is_text(stopped(), "precise", "to be precise");
	ok(clock_ms("host", "a_ms") > 0.4, "what events hide, the host's clock sees");
	ok(clock_ms("host", "b_ms") < clock_ms("host", "a_ms"), "of either side");
	ok(json_is_null(json_object_get(answer, "batch")), "long calls are not batched");
	ok(wrong_values(0) == 0 && wrong_values(1) == 0, "outputs come back, of both sides");
	ok(told_int("a", "checked") >= pairs() && told_int("b", "checked") >= pairs(),
	   "of every timed call they were looked at");
	ok(told_int("a", "different") == 0 && told_int("b", "different") == 0, "and are the same");
	ok(json_is_null(told("a", "fills_ms")), "a plan of launches has no fills");
	unsetenv("STANDIN_REAL");
	unsetenv("STANDIN_JITTER");
	gk_launcher_close(&launcher);
}

/* Every load is slower than the one before: what is in one group is of one load. */
static void order_and_loads_are_mixed(void)
{
	int groups[4] = {0}, firsts[2] = {0}, strangers = 0;
	double of[4] = {0};

	setenv("STANDIN_RISE", "0.001", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"add"}}}) == 0, "A/A");
	for (size_t i = 0; i < (size_t)pairs(); i++) {
		int group = (int)json_integer_value(json_array_get(json_object_get(answer, "group"), i)) & 3;
		double ms = json_real_value(json_array_get(told("a", "ms"), i));

		groups[group]++;
		firsts[json_integer_value(json_array_get(json_object_get(answer, "first"), i)) & 1]++;
		strangers += of[group] > 0 && fabs(of[group] - ms) > 1e-5;
		of[group] = ms;
	}
	ok(groups[0] == groups[1] && groups[1] == groups[2] && groups[2] == groups[3] && groups[0] > 0,
	   "four loads have as many pairs each");
	is_int(strangers, 0, "a group is one load");
	ok(of[0] != of[1] && of[1] != of[2] && of[2] != of[3], "another each");
	ok(firsts[0] > 10 && firsts[1] > 10, "either side is first now and then");
	unsetenv("STANDIN_RISE");
	gk_launcher_close(&launcher);
}

static int uploads_of_inputs(void)
{
	gk_free_auto char *text = plain_calls();
	char line[64];

	snprintf(line, sizeof line, "upload %d; ", (int)BYTES);
	return occurrences(text, line);
}

static void spoil(struct launch_kept *k)
{
	uint8_t byte = 0x5a;

	if (launcher.device->ops->unpark(launcher.device, k->memory, 1, &e) < 0 ||
	    launcher.device->ops->upload(launcher.device, launcher.device->ops->region(launcher.device, k->memory, 0).at + 7,
	                                 &byte, 1, &e) < 0 ||
	    launcher.device->ops->park(launcher.device, k->memory) != 1)
		gk_bug("%s", e.text);
}

static void inputs_stay_on_the_device(void)
{
	struct ask both = {.a = {.kernels = {"add"}}, .b = {.kernels = {"add"}}};

	shared[0] = gk_memfd_from("x", x, BYTES, &e);
	shared[1] = gk_memfd_from("y", y, BYTES, &e);
	open_launcher();
	ok(time_it(both) == 0 && launcher.kept_count == 0, "small inputs do not stay");
	launcher.kept_least = 1;
	uploads_of_inputs();
	ok(time_it(both) == 0 && launcher.kept_count == 2, "larger ones do");
	is_int(uploads_of_inputs(), 2, "which were sent once");
	ok(time_it(both) == 0 && launcher.kept_count == 2, "the same files again");
	is_int(uploads_of_inputs(), 0, "are there already");
	ok(memcmp(out[0], out[1], BYTES) == 0 && out[1][1] == x[1] + y[1], "and are what they were");
	spoil(&launcher.kept[0]);
	ok(time_it(both) == 0 && launcher.kept_count == 1, "what a kernel has reached is given up");
	ok(time_it(both) == 0 && launcher.kept_count == 2 && out[1][1] == x[1] + y[1], "and sent again");
	shared[1] = gk_memfd_from("y", y, BYTES, &e);
	ok(time_it(both) == 0 && launcher.kept_count == 3, "another file is another input, whatever is in it");
	launcher.kept_ceiling = 2 * BYTES;
	ok(time_it(both) == 0 && launcher.kept_count == 2, "of more than there is room for the oldest goes");
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"trap"}}}) == 0 && launcher.kept_count == 0,
	   "nothing stays behind a fault");
	gk_launcher_close(&launcher);
	setenv("STANDIN_NO_MAP", "1", 1);
	open_launcher();
	launcher.kept_least = 1;
	ok(time_it(both) == 0 && launcher.kept_count == 0, "nor where memory cannot be taken out of the address space");
	gk_launcher_close(&launcher);
	unsetenv("STANDIN_NO_MAP");
	gk_fd_close(&shared[0]);
	gk_fd_close(&shared[1]);
	shared[0] = shared[1] = 0;
}

static void it_stops(void)
{
	setenv("STANDIN_JITTER", "0.5", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"add"}}, .loads = 1, .half_width = 1e-6}) ==
	           0,
	   "a width that is never reached");
	is_text(stopped(), "most", "ends with the most pairs");
	is_int(pairs(), 512, "which are so many");
	setenv("STANDIN_REAL", "slow=5", 1);
	setenv("STANDIN_MS", TIMES "slow=5", 1);
	ok(time_it((struct ask){.a = {.kernels = {"slow"}}, .b = {.kernels = {"slow"}}, .half_width = 1e-6, .cap_ms = 60}) ==
	           0,
	   "slow kernels under a small cap");
	is_text(stopped(), "cap", "end with it");
	ok(pairs() >= 5 && pairs() < 20, "after a few pairs");
	unsetenv("STANDIN_REAL");
	unsetenv("STANDIN_JITTER");
	gk_launcher_close(&launcher);
}

static void the_fastest_variant_is_chosen(void)
{
	struct side three = {.kernels = {"slow", "swift", "slower"}};
	const json_t *tuned;

	setenv("STANDIN_MS", TIMES "slow=0.08 swift=0.04 slower=0.09", 1);
	setenv("STANDIN_JITTER", "0.05", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = three}) == 0, "three variants");
	is_int(json_integer_value(json_array_get(told("b", "chosen"), 0)), 1, "the swift one is chosen");
	tuned = json_array_get(told("b", "tuned"), 0);
	is_int((long long)json_array_size(tuned), 3, "a figure for each");
	near(json_real_value(json_array_get(tuned, 2)), 0.09, 0.01, "which is its own");
	near(median("b"), 0.04, 0.004, "and the measurement is of the chosen one");
	is_int((long long)json_array_size(told("a", "chosen")), 0, "the other side has nothing to choose");
	three.variants = "[[0,2]]";
	ok(time_it((struct ask){.a = three, .b = {.kernels = {"add"}}}) == 0, "two of three are allowed");
	is_int(json_integer_value(json_array_get(told("a", "chosen"), 0)), 0, "the better of them is chosen");
	is_int((long long)json_array_size(json_array_get(told("a", "tuned"), 0)), 2, "a figure for each that is allowed");
	unsetenv("STANDIN_JITTER");
	gk_launcher_close(&launcher);
}

static void short_calls_are_batched(void)
{
	setenv("STANDIN_MS", TIMES "best=0.008", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"best"}}, .b = {.kernels = {"best"}}}) == 0, "short calls");
	near(clock_ms("batch", "a_ms"), 0.008, 1e-5, "are timed in batches as well");
	is_int(json_integer_value(json_object_get(json_object_get(answer, "batch"), "calls")), 8, "each call on its own set");
	gk_launcher_close(&launcher);
}

static void steps_are_part_of_the_call(void)
{
	static const char steps[] =
		"{\"op\":\"fill\",\"dst\":{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[100],\"strides\":[1]},"
		"\"bits\":\"0x3f800000\"},"
		"{\"op\":\"fill\",\"dst\":{\"buf\":2,\"at\":4,\"dtype\":\"float32\",\"shape\":[49],\"strides\":[2]},"
		"\"bits\":\"0x40000000\"},"
		"{\"op\":\"copy\",\"dst\":{\"buf\":2,\"at\":4,\"dtype\":\"float32\",\"shape\":[4],\"strides\":[2]},"
		"\"src\":{\"buf\":0,\"at\":80,\"dtype\":\"float32\",\"shape\":[4],\"strides\":[0]}},"
		"{\"op\":\"data\",\"dst\":{\"buf\":2,\"at\":36,\"dtype\":\"float32\",\"shape\":[2],\"strides\":[1]},"
		"\"hex\":\"0000c04000000041\"},"
		"{\"op\":\"data\",\"dst\":{\"buf\":2,\"at\":52,\"dtype\":\"float32\",\"shape\":[2],\"strides\":[2]},"
		"\"hex\":\"0000c04000000041\"},";
	gk_free_auto char *text = NULL;
	int wrong = 0;

	setenv("STANDIN_MS", TIMES "half=0.03 set_b4=0.004 copy_b4=0.002", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"half"}, .steps = steps}}) == 0, "fills, a copy, data");
	for (int i = 1; i < COUNT; i += 2)
		wrong += out[0][i] != (i == 99 ? 1.f : i < 8 ? x[20] : i == 9 || i == 13 ? 6.f : i == 15 ? 8.f : 2.f);
	is_int(wrong, 0, "do on the device what they say");
	near(median("a"), 0.03 + 0.004 + 2 * 0.002, 1e-6, "and are timed with the launch");
	near(json_real_value(told("a", "fills_ms")), 0.008, 1e-6, "and alone");
	is_int(poisoned("a", "poisoned"), 0, "what they have written counts as written");
	text = plain_calls();
	ok(strstr(text, "mark; set 1065353216; set_b4; copy_b4; upload 8; copy_b4; half; mark; "),
	   "by the driver where it can, by geak's kernels else, without a wait");
	ok(time_it((struct ask){.a = {.kernels = {"half"}, .steps = steps}, .without = "set_b4"}) < 0 &&
	           e.kind == GK_ERR_INPUT && strstr(e.text, "\"set_b4\" is missing"),
	   "without such a kernel there is no timing");
	gk_launcher_close(&launcher);
}

/* Pairs of the first input go to elements 1, 3, .. of the output, which half leaves alone. */
static void allowed_sums_are_part_of_the_call(void)
{
	static const char steps[] =
		"{\"op\":\"assist\",\"does\":\"sum\",\"dst\":{\"buf\":2,\"at\":4,\"dtype\":\"float32\",\"shape\":[50],\"strides\":[2]},"
		"\"src\":{\"buf\":0,\"at\":0,\"dtype\":\"float32\",\"shape\":[50,2],\"strides\":[2,1]},\"dims\":[1],\"line\":9},";
	gk_free_auto char *text = NULL;
	int wrong = 0;

	setenv("STANDIN_MS", TIMES "half=0.03 sum_f32_f32_c1=0.007", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"half"}, .steps = steps}}) == 0, "a sum of the framework's");
	for (int i = 0; i < COUNT; i += 2)
		wrong += out[0][i + 1] != x[i] + x[i + 1];
	is_int(wrong, 0, "is what it should be");
	near(median("a"), 0.037, 1e-6, "is timed with the launch");
	near(json_real_value(told("a", "fills_ms")), 0.007, 1e-6, "and alone, with fills and copies");
	text = plain_calls();
	ok(strstr(text, "mark; sum_f32_f32_c1; half; mark; "), "by a kernel of geak's");
	ok(time_it((struct ask){.a = {.kernels = {"half"}, .steps = steps}, .without = "sum_f32_f32_c1"}) < 0 &&
	           strstr(e.text, "\"sum_f32_f32_c1\" is missing"),
	   "without which there is no timing");
	gk_launcher_close(&launcher);
}

static void what_timed_calls_wrote_is_looked_at(void)
{
	setenv("STANDIN_MS", TIMES "half=0.05 noisy=0.05 lazy=0.05 input=0.05", 1);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"half"}}}) == 0, "a side that leaves half of it");
	is_int(poisoned("b", "poisoned"), COUNT / 2, "has never written so many elements");
	is_int(poisoned("b", "first"), 1, "from the first on");
	is_int(poisoned("a", "poisoned"), 0, "which is not the other side's doing");
	is_int(told_int("a", "different"), 0, "whose outputs are always the same");
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"noisy"}}}) == 0, "a side that varies");
	ok(told_int("b", "different") == told_int("b", "checked") - 1 && told_int("b", "checked") >= 64, "is told so");
	is_int(poisoned("b", "poisoned"), 0, "but has written everything");
	gk_launcher_close(&launcher);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"lazy"}}}) == 0,
	   "a side that does nothing after a while");
	ok(told_int("b", "different") > 20, "is seen through");
	is_int(told_int("a", "different"), 0, "the other is not");
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"input"}}}) == 0, "a side that writes to an input");
	is_int((long long)json_array_size(told("b", "changed")), 1, "is told");
	is_int((long long)json_array_size(told("a", "changed")), 0, "of that side alone");
	is_int(wrong_values(0), 0, "whose doing does not reach the other");
	gk_launcher_close(&launcher);
}

static void outputs_that_are_known_stay(void)
{
	struct ask two = {.a = {.kernels = {"half"}, .is_known = true}, .b = {.kernels = {"add"}}};

	open_launcher();
	ok(time_it(two) == 0 && is_fine(), "a side whose outputs are not wanted");
	is_int(wrong_values(0), 0, "sends none: the first that comes is the other's");
	two.is_inline = true;
	ok(time_it(two) == 0 && wrong_values(0) == 0 && out[1][2] == 0, "over a pipe as well");
	is_int(poisoned("a", "poisoned"), COUNT / 2, "but they are looked at");
	gk_launcher_close(&launcher);
}

static void an_input_that_is_an_output_is_no_poison(void)
{
	struct side both = {.kernels = {"add"}, .returns_input = true};
	int wrong = 0;

	open_launcher();
	ok(time_it((struct ask){.a = both}) == 0 && is_fine(), "an input is returned as well");
	is_int(json_integer_value(json_object_get(json_array_get(told("a", "poisoned"), 1), "poisoned")), 0,
	       "what nobody wrote to it was there before");
	for (int i = 0; i < COUNT; i++)
		wrong += out[1][i] != x[i];
	is_int(wrong, 0, "and comes back");
	gk_launcher_close(&launcher);
}

static void of_large_outputs_some_are_looked_at(void)
{
	struct side large = {.kernels = {"add"}, .huge = 300 << 10, .returns_huge = true};

	open_launcher();
	ok(time_it((struct ask){.a = large}) == 0 && is_fine(), "an output of 300 KiB");
	ok(told_int("a", "checked") >= 2 && told_int("a", "checked") < pairs() / 2, "is looked at a few times");
	is_int(poisoned("a", "poisoned"), 0, "the one beside it was written");
	is_int(wrong_values(0), 0, "and is right");
	gk_launcher_close(&launcher);
}

static void faults_have_a_side(void)
{
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"trap"}}}) == 0, "a side that faults at once");
	is_text(finding("kind"), "crash", "is a finding");
	is_text(side_of_finding(), "b", "of that side");
	is_text(finding("kernel"), "trap", "and kernel");
	ok(json_is_true(json_object_get(answer, "lost")) && json_is_null(json_object_get(answer, "a")),
	   "the device is lost, and nothing was measured");
	gk_launcher_close(&launcher);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add", "wild"}}, .b = {.kernels = {"add"}}}) == 0, "a variant that faults");
	is_text(side_of_finding(), "a", "is its side's");
	is_text(finding("kernel"), "wild", "and has a name");
	gk_launcher_close(&launcher);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"late"}}}) == 0, "a fault in the middle of it");
	is_text(finding("kind"), "crash", "is a finding");
	ok(!side_of_finding() && finding("kernel")[0] == '\0', "of which nobody knows whose it is");
	gk_launcher_close(&launcher);
	open_launcher();
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"stray"}}}) == 0, "a write behind an output");
	is_text(finding("kind"), "out_of_bounds", "is a finding");
	is_text(side_of_finding(), "b", "of its side");
	ok(time_it((struct ask){.a = {.kernels = {"add"}}, .b = {.kernels = {"creep"}}}) == 0, "one that comes late");
	is_text(finding("kind"), "out_of_bounds", "is found at the end");
	ok(!side_of_finding(), "in memory that both share");
	gk_launcher_close(&launcher);
}

/* How many address ranges a request took; all of them must be given back. */
static int ranges(struct ask a, const char *behaviour)
{
	gk_free_auto char *text = NULL;
	int taken;

	free(calls());
	ok(time_it(a) == 0 && is_fine(), behaviour);
	text = calls();
	taken = occurrences(text, "MemAddressReserve");
	ok(taken == occurrences(text, "MemAddressFree") && taken == occurrences(text, "MemRelease"),
	   "gives all its memory back");
	ok(occurrences(text, "ModuleUnload") == (a.b.kernels[0] ? 8 : 4), "and all its loads");
	return taken;
}

static void memory_is_shared(void)
{
	struct ask two = {.a = {.kernels = {"add"}}, .b = {.kernels = {"quick"}}};
	int alone;

	open_launcher();
	alone = ranges((struct ask){.a = {.kernels = {"add"}}}, "one side");
	is_int(alone, 5 + 8 * 3, "takes inputs, flush, sink, witnesses; eight sets of three");
	is_int(ranges(two, "another beside it"), alone, "and needs no more");
	two.b.out_bytes = BYTES + 100;
	is_int(ranges(two, "with a larger output"), alone, "shares the mapping");
	two.b.out_bytes = BYTES + (4 << 20);
	is_int(ranges(two, "with a much larger one"), alone + 8, "has its own");
	two.b.out_bytes = 0;
	two.b.scratch = 256;
	is_int(ranges(two, "with scratch memory"), alone + 8, "has it once for each set");
	gk_launcher_close(&launcher);
}

/* 501 bytes are 125 words and one byte more, the longer of what both sides share. */
static void every_byte_is_filled(void)
{
	struct ask two = {.a = {.kernels = {"add"}}, .b = {.kernels = {"quick"}, .out_bytes = 501}};
	gk_free_auto char *text = NULL, *order = NULL;

	open_launcher();
	free(calls());
	ok(time_it(two) == 0 && is_fine(), "an output of 400 and one of 501 bytes");
	text = calls();
	ok(strstr(text, "params pointer 125 ") && !strstr(text, "params pointer 100 "), "are filled as far as either goes");
	ok(time_it(two) == 0, "again");
	order = plain_calls();
	ok(strstr(order, "copy 400; copy 400; fill; copy 1; scrub; "), "to the last byte");
	gk_launcher_close(&launcher);
}

static void too_much_memory_is_a_finding(void)
{
	gk_free_auto char *text = NULL;

	open_launcher();
	free(calls());
	ok(time_it((struct ask){.a = {.kernels = {"add"}, .huge = (uint64_t)1 << 40}}) == 0, "a plan that wants a terabyte");
	is_text(finding("kind"), "memory", "is refused by name");
	is_text(side_of_finding(), "a", "with its side");
	ok(!json_is_true(json_object_get(answer, "lost")), "nothing is lost");
	text = calls();
	ok(!strstr(text, "MemCreate"), "and nothing was taken");
	gk_launcher_close(&launcher);
}

static const json_t *health(size_t index, const char *key)
{
	return json_object_get(json_array_get(json_object_get(answer, "health"), index), key);
}

static void health_goes_along(void)
{
	struct ask wide = {.a = {.kernels = {"add"}}, .b = {.kernels = {"add"}}, .loads = 1, .half_width = 1e-6};

	setenv("STANDIN_JITTER", "0.3", 1);
	setenv("STANDIN_CLOCKS", "1980 1980 1980 1500 1500 1490 1490", 1);
	setenv("STANDIN_THROTTLES", "1 0 1 0", 1);
	open_launcher();
	ok(time_it(wide) == 0, "clocks that fall once");
	is_int(json_integer_value(health(0, "sm_mhz")), 1980, "are told");
	is_int(json_integer_value(health(0, "celsius")), 61, "with the heat");
	near(json_real_value(health(0, "watts")), 412.5, 1e-9, "and the power");
	ok(!health(1, "watts"), "which takes long to read, and is left out between");
	is_int((long long)json_array_size(health(0, "throttle")), 0, "to be idle holds no clock down");
	is_int(json_integer_value(json_object_get(answer, "discarded")), 32, "the pairs of that chunk are left out");
	is_int(pairs(), 512, "others take their place");
	gk_launcher_close(&launcher);
	unsetenv("STANDIN_CLOCKS");
	unsetenv("STANDIN_THROTTLES");
	unsetenv("STANDIN_JITTER");
}

/* NVIDIA's alone: what holds clocks down, partitions, who else is there. */
static void nvml_tells_more(void)
{
	struct ask wide = {.a = {.kernels = {"add"}}, .b = {.kernels = {"add"}}, .loads = 1, .half_width = 1e-6};
	json_t *facts;

	setenv("STANDIN_JITTER", "0.3", 1);
	setenv("STANDIN_THROTTLES", "0 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4", 1);
	open_launcher();
	ok(time_it(wide) == 0, "clocks that are held down again and again");
	ok(json_integer_value(json_object_get(answer, "discarded")) <= 256 && pairs() == 512, "a third is left out at most");
	is_text(json_string_value(json_array_get(health(2, "throttle"), 0)), "power_cap", "what holds them down has a name");
	unsetenv("STANDIN_THROTTLES");
	unsetenv("STANDIN_JITTER");
	setenv("STANDIN_PROCESSES", "3", 1);
	setenv("STANDIN_MIG", "1", 1);
	facts = launcher.device->ops->facts(launcher.device);
	is_int(json_integer_value(json_object_get(facts, "others")), 2, "others on the GPU are a fact");
	is_text(json_string_value(json_object_get(facts, "partition")), "MIG", "as its partition is");
	is_text(json_string_value(json_object_get(facts, "driver_text")), "580.00.1", "and the driver");
	json_decref(facts);
	unsetenv("STANDIN_PROCESSES");
	unsetenv("STANDIN_MIG");
	gk_launcher_close(&launcher);
}

static void refused(struct ask a, const char *want, const char *behaviour)
{
	int done = time_it(a);

	ok(done < 0 && e.kind == GK_ERR_INPUT && strstr(e.text, want), behaviour);
}

static void what_does_not_fit_is_refused(void)
{
	struct side good = {.kernels = {"add"}}, two = {.kernels = {"add", "quick"}}, bad = good;

	open_launcher();
	refused((struct ask){.a = good, .without = "flush"}, "\"flush\" is missing", "a request without a helper");
	refused((struct ask){.a = good, .lie = true}, "has the hash", "code under another's hash");
	refused((struct ask){.a = good, .target = vendor("sm_80", "gfx942")}, "is for", "code for another architecture");
	refused((struct ask){.a = good, .loads = 17}, "loads", "more loads than there may be");
	bad.inputs = "[[0,0]]";
	refused((struct ask){.a = bad}, "input y are missing", "an input that is missing");
	bad.inputs = "[[0,0],[1,2]]";
	refused((struct ask){.a = bad}, "inputs[1][1]", "an input that was not sent");
	bad.inputs = "[[0,0],[1,1],[2,1]]";
	refused((struct ask){.a = bad}, "does not take an input", "an input for an output");
	two.variants = "[[2]]";
	refused((struct ask){.a = two}, "variants[0][0]", "a variant that is not there");
	two.variants = "[[]]";
	refused((struct ask){.a = two}, "variants are needed", "no variant at all");
	two.variants = "[]";
	refused((struct ask){.a = two}, "variants of 1 choose steps", "variants of another number of steps");
	ok(time_it((struct ask){.a = good}) == 0 && is_fine(), "and then all is well");
	gk_launcher_close(&launcher);
}

static void the_machine_has_no_clock(void)
{
	struct gk_launch_options options = {.device = "cpu", .build = "b", .gpu = -1};

	ok(gk_launcher_open(&launcher, &options, &e) == 0, "the machine opens");
	refused((struct ask){.a = {.kernels = {"add"}}}, "the machine has no clock", "and does not time");
	gk_launcher_close(&launcher);
}

static void all(void)
{
	setenv("STANDIN_PCI", vendor("193", "161"), 1);
	every_call_is_prepared_alike();
	seeds_are_fresh();
	figures_are_those_of_the_device();
	order_and_loads_are_mixed();
	it_stops();
	inputs_stay_on_the_device();
	the_fastest_variant_is_chosen();
	short_calls_are_batched();
	steps_are_part_of_the_call();
	allowed_sums_are_part_of_the_call();
	what_timed_calls_wrote_is_looked_at();
	outputs_that_are_known_stay();
	an_input_that_is_an_output_is_no_poison();
	of_large_outputs_some_are_looked_at();
	faults_have_a_side();
	memory_is_shared();
	every_byte_is_filled();
	too_much_memory_is_a_finding();
	health_goes_along();
	what_does_not_fit_is_refused();
}

int main(int argc, char **argv)
{
	(void)argc;
	find_standins(argv[0]);
	make_folder("time");
	setenv("STANDIN_TARGET", "gfx90a", 1); /* a gfx942 has a cache of 256 MiB to be flushed */
	make_data(x, y, COUNT);
	is_cuda = true;
	all();
	nvml_tells_more();
	is_cuda = false;
	all();
	the_machine_has_no_clock();
	json_decref(answer);
	gk_tree_remove(folder, &e);
	return done_testing();
}
