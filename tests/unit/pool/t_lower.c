/* Lowering through the pool, against workers that misbehave on demand (fake.py), and the cache of code
 * objects. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../add_kernel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "box/spawn.h"
#include "ir/ir.h"
#include "loop/loop.h"
#include "pool/lowerable.h"
#include "pool/lowered.h"
#include "pool/pool.h"
#include "tap.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct gk_loop *loop;
static struct gk_runner *runner;
static struct gk_ir *ir;
static char fake_folder[PATH_MAX], scratch[64], worker[128], cache[128], python[PATH_MAX];

static void open_pool(const char *stamp, struct gk_pool_options options)
{
	char path[256], text[2 * PATH_MAX];
	struct gk_err e = {0};

	snprintf(path, sizeof path, "%s/geak_worker", worker);
	gk_dir_make(path, &e);
	snprintf(path, sizeof path, "%s/geak_worker/__main__.py", worker);
	snprintf(text, sizeof text,
	         "import sys\nsys.path.insert(0, '%s')\nimport fake\nfake.main(sys.argv[1], '%s')\n",
	         fake_folder, stamp);
	if (gk_file_write(path, text, strlen(text), &e) < 0)
		abort();
	options.worker = worker;
	options.python = python;
	options.lowered = cache;
	if (!options.lowered_bytes)
		options.lowered_bytes = 1 << 20;
	runner = gk_pool_open(loop, &options, &e);
	if (!runner)
		printf("# %s\n", e.text);
}

static void close_pool(void)
{
	gk_runner_close(runner);
	runner = NULL;
}

static struct {
	int calls, pids[16];
	bool failed, made, timed_out, cached, prints;
	char words[1024];
	struct gk_object object;
	size_t size;
} got;

static void lowered(void *ctx, const struct gk_lower_result *r)
{
	const char *words = r->err ? r->err->text : r->rejected ? r->rejected : r->death ? r->death : "";

	(void)ctx;
	got.failed = r->err != NULL;
	got.made = r->object != NULL;
	got.timed_out = r->timed_out;
	got.cached = r->cached;
	got.size = r->size;
	got.prints = r->code && memmem(r->code, r->size, "tt.print", strlen("tt.print"));
	snprintf(got.words, sizeof got.words, "%s", words);
	if (r->object) {
		got.object = *r->object;
		got.pids[got.calls % 16] = (int)r->object->shared;
	}
	got.calls++;
}

static void ask(const char *what)
{
	json_int_t until = strcmp(what, "crash once") ? 0 : gk_clock_ns() + 700000000;
	json_t *options = json_pack("{s:s, s:I}", "do", what, "until", until);
	struct gk_lower_request request = {.target = "sm_90", .ttir = HASH, .ir = ir, .options = options};

	if (strcmp(what, "hang") == 0)
		request.wall_ms = 200;
	gk_runner_lower(runner, &request, lowered, NULL);
	json_decref(options);
}

static void lower(const char *what)
{
	memset(&got, 0, sizeof got);
	ask(what);
	gk_loop_run(loop);
	if (got.calls != 1)
		printf("# %s: %d calls\n", what, got.calls);
}

static void said(const char *words, bool failed, const char *behaviour)
{
	if (!ok(!got.made && got.failed == failed && strstr(got.words, words), behaviour))
		printf("# made %d, failed %d: %s\n", got.made, got.failed, got.words);
}

static void test_answers(void)
{
	open_pool("a", (struct gk_pool_options){.lowered_bytes = -1});
	lower("fine");
	ok(got.made && !got.cached, "a module becomes an object");
	is_int(got.object.regs, 7, "with its facts");
	ok(got.size > 8, "and its code");
	lower("reject");
	said("candidate.py:3:1: error: no", false, "what does not compile brings its log");
	lower("error");
	said("lowering: no space left", true, "a worker's failure is ours");
	lower("crash");
	said("signal 9", false, "a module under which two workers died is condemned");
	lower("crash once");
	ok(got.made, "one under which one worker died is asked again");
	lower("hang");
	said("not done within", false, "a module that takes for ever is condemned");
	ok(got.timed_out, "and said to have been late");
	lower("fine");
	ok(got.made, "the next is lowered");
	lower("wrong hash");
	said("other code than it says", true, "code must have the hash that is named");
	lower("other target");
	said("another module or target", true, "an object must be of the target");
	lower("bad object");
	said("warps", true, "an object must have all its facts");
	lower("no code");
	said("0 blobs", true, "and its code");
	close_pool();
}

/* The fake worker's code holds the text that it was sent. */
static void test_prints(void)
{
	static const char text[] =
		"module {\n  tt.func public @k(%n: i32) attributes {noinline = false} {\n"
		"    tt.print \" n: \" {hex = false, isSigned = array<i32: 1>} : %n : i32\n    tt.return\n  }\n}\n";
	struct gk_ir *add = ir;
	struct gk_err e;

	ir = gk_ir_read("prints", text, strlen(text), &e);
	open_pool("a", (struct gk_pool_options){.lowered_bytes = -1});
	lower("fine");
	ok(got.made && got.size > 8 && !got.prints, "compilers get kernels without what they print");
	is_text(got.object.ttir, HASH, "whose objects are of the plan's module");
	close_pool();
	gk_ir_free(ir);
	ir = add;
}

static void test_several_workers(void)
{
	open_pool("a", (struct gk_pool_options){.lowered_bytes = -1, .lowerings = 2});
	memset(&got, 0, sizeof got);
	for (int i = 0; i < 4; i++)
		ask("slow");
	gk_loop_run(loop);
	is_int(got.calls, 4, "four modules are lowered");
	ok(got.pids[0] != got.pids[1] || got.pids[1] != got.pids[2], "by more than one worker");
	close_pool();
	ok(waitpid(-1, NULL, WNOHANG) == -1, "no process is left");
}

/* ---- the cache ---- */

static void test_known(void)
{
	struct gk_object first;

	open_pool("a", (struct gk_pool_options){0});
	lower("fine");
	first = got.object;
	ok(got.made && !got.cached, "what is not known is lowered");
	lower("fine");
	ok(got.made && got.cached, "what is known comes from the cache");
	ok(memcmp(&first, &got.object, sizeof first) == 0 && got.size > 8, "the same in every respect");
	lower("slow");
	ok(got.made && !got.cached, "other options are another lowering");
	lower("reject");
	lower("reject");
	ok(!got.cached, "refusals are not kept");
	close_pool();
	open_pool("a", (struct gk_pool_options){0});
	lower("reject"); /* its hello names the stamp */
	lower("fine");
	ok(got.cached, "another process knows it");
	close_pool();
	open_pool("b", (struct gk_pool_options){0});
	lower("reject");
	lower("fine");
	ok(got.made && !got.cached, "with other compilers it is not known");
	close_pool();
}

static struct gk_object object_of(const char *code, size_t size)
{
	struct gk_object o = {.ttir = HASH,
	                      .name = "k",
	                      .target = "sm_90",
	                      .toolchain = "t",
	                      .warps = 1,
	                      .warp_size = 32,
	                      .ctas = 1,
	                      .cluster = {1, 1, 1},
	                      .scratch_align = 1};

	gk_hash_hex(code, size, o.object);
	return o;
}

static void key_of(int number, char key[GK_HEX_SIZE])
{
	gk_hash_hex(&number, sizeof number, key);
}

static void keep(struct lowered *kept, int number, size_t size)
{
	char *code = gk_alloc(size), key[GK_HEX_SIZE];
	struct gk_object object;

	memset(code, number, size);
	object = object_of(code, size);
	key_of(number, key);
	lowered_keep(kept, key, &object, code, size);
	free(code);
}

static bool is_known(struct lowered *kept, int number)
{
	char key[GK_HEX_SIZE], *code = NULL;
	struct gk_object object;
	size_t size;
	bool known;

	key_of(number, key);
	known = lowered_find(kept, key, &object, &code, &size);
	free(code);
	return known;
}

static void set_age(int number, int seconds)
{
	struct timespec times[2];
	char path[PATH_MAX], key[GK_HEX_SIZE];

	key_of(number, key);
	snprintf(path, sizeof path, "%s/%.2s/%s", cache, key, key + 2);
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds;
	times[1] = times[0];
	utimensat(AT_FDCWD, path, times, 0);
}

static void damage(int number, off_t at)
{
	char path[PATH_MAX], key[GK_HEX_SIZE];
	int fd;

	key_of(number, key);
	snprintf(path, sizeof path, "%s/%.2s/%s", cache, key, key + 2);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (pwrite(fd, "?", 1, at) != 1 || close(fd) < 0)
		abort();
}

static void test_ceiling(void)
{
	struct lowered kept;
	int known = 0;

	snprintf(cache, sizeof cache, "%s/ceiling", scratch);
	lowered_open(&kept, cache, 100000);
	for (int i = 1; i <= 9; i++) {
		keep(&kept, i, 10000);
		set_age(i, 1000 - i);
	}
	ok(is_known(&kept, 2), "below the ceiling everything is kept");
	keep(&kept, 10, 10000);
	for (int i = 1; i <= 10; i++)
		known += is_known(&kept, i);
	ok(known >= 6 && known <= 8, "above it the folder shrinks");
	ok(is_known(&kept, 10) && is_known(&kept, 2), "what was used last stays");
	ok(!is_known(&kept, 1) && !is_known(&kept, 3), "the oldest goes");
	keep(&kept, 11, 90000);
	ok(!is_known(&kept, 11), "what would fill the folder alone is not kept");
	for (off_t at = 0; at < 400; at += 40) {
		keep(&kept, 12, 2000);
		damage(12, at);
		if (is_known(&kept, 12) && !ok(false, "a damaged file is not believed"))
			break;
	}
	keep(&kept, 12, 2000);
	damage(12, 2300);
	ok(!is_known(&kept, 12), "nor one whose code is damaged");
	keep(&kept, 12, 2000);
	ok(is_known(&kept, 12), "it can be kept anew");
	lowered_close(&kept);
}

static void test_without_a_folder(void)
{
	struct lowered kept;

	lowered_open(&kept, "/proc/no/such", 100000);
	keep(&kept, 1, 100);
	ok(!is_known(&kept, 1), "a folder that cannot be made costs nothing but the entry");
	lowered_close(&kept);
	setenv("GEAK_CACHE_MB", "0", 1);
	lowered_open(&kept, NULL, 0);
	ok(!kept.folder, "GEAK_CACHE_MB=0 keeps nothing");
	setenv("GEAK_CACHE_MB", "5", 1);
	setenv("XDG_CACHE_HOME", cache, 1);
	lowered_open(&kept, NULL, 0);
	is_int(kept.max_bytes, 5 << 20, "GEAK_CACHE_MB is the ceiling");
	ok(kept.folder && strstr(kept.folder, "/geak/lowered"), "below XDG_CACHE_HOME");
	lowered_close(&kept);
	unsetenv("XDG_CACHE_HOME");
}

/* ---- what is given to the compilers at all ---- */

#define KERNEL(BODY)                                                                                         \
	"module {\n  tt.func public @k(%p: !tt.ptr<i64>, %a: i64) attributes {noinline = false} {\n"         \
	"    %r = tt.make_range {end = 32 : i32, start = 0 : i32} : tensor<32xi32>\n" BODY                   \
	"    tt.return\n  }\n}\n"
#define EXTERN(SYMBOL)                                                                                       \
	KERNEL("    %f = arith.sitofp %r : tensor<32xi32> to tensor<32xf32>\n"                               \
	       "    %e = tt.extern_elementwise %f {libname = \"\", libpath = \"\", pure = true, symbol = "   \
	       "\"" SYMBOL "\"} : (tensor<32xf32>) -> tensor<32xf32>\n")

static void test_lowerable(void)
{
	static const struct {
		const char *text, *target, *words; /* words "": accepted */
	} rows[] = {
		{EXTERN("__nv_expf"), "sm_90", ""},
		{EXTERN("__ocml_exp_f32"), "gfx942", ""},
		{EXTERN("__nv_expf"), "gfx942", "the function __nv_expf is not of the libraries of gfx942"},
		{EXTERN("llvm.nvvm.exit"), "sm_90", "llvm.nvvm.exit is not of the libraries"},
		{EXTERN("__nv_x y"), "sm_90", "is not of the libraries"},
		{KERNEL("    %q = tt.int_to_ptr %a : i64 -> !tt.ptr<f32>\n"), "sm_90", ""},
		{KERNEL("    %c = arith.constant 64 : i64\n    %b = arith.addi %a, %c : i64\n"
	                "    %q = tt.int_to_ptr %b : i64 -> !tt.ptr<f32>\n"),
	         "sm_90", ""},
		{KERNEL("    %c = arith.constant 4096 : i64\n    %q = tt.int_to_ptr %c : i64 -> "
	                "!tt.ptr<f32>\n"),
	         "sm_90", "pointers are passed as arguments"},
		{KERNEL("    %b = tt.load %p : !tt.ptr<i64>\n    %q = tt.int_to_ptr %b : i64 -> "
	                "!tt.ptr<f32>\n"),
	         "sm_90", "a pointer is made from a number that is no argument"},
	};

	for (size_t i = 0; i < gk_count_of(rows); i++) {
		struct gk_err e = {0};
		struct gk_ir *module = gk_ir_read("t", rows[i].text, strlen(rows[i].text), &e);
		char why[512] = "";
		bool accepted = module && ir_is_lowerable(module, rows[i].target, why, sizeof why);

		if (!ok(module && (rows[i].words[0] ? !accepted && strstr(why, rows[i].words) : accepted),
		        rows[i].words[0] ? rows[i].words : "an honest module is lowered"))
			printf("# %s%s\n", e.text, why);
		gk_ir_free(module);
	}
}

int main(void)
{
	const char *name = getenv("GEAK_PYTHON");
	struct gk_err e;

	if (gk_program_find(name ? name : "python3", python, sizeof python, &e) < 0 ||
	    !realpath("tests/unit/pool", fake_folder)) {
		skip("lowering", "it needs Python, and the checkout as working folder");
		return done_testing();
	}
	setenv("TMPDIR", "/tmp", 1);
	snprintf(scratch, sizeof scratch, "/tmp/geak-t-lower-XXXXXX");
	if (!mkdtemp(scratch))
		abort();
	snprintf(worker, sizeof worker, "%s/worker", scratch);
	snprintf(cache, sizeof cache, "%s/lowered", scratch);
	gk_log_set_level(GK_LOG_ERROR);
	loop = gk_loop_new(&e);
	ir = gk_ir_read("add", ADD_GOOD, strlen(ADD_GOOD), &e);
	test_answers();
	test_prints();
	test_several_workers();
	test_known();
	test_ceiling();
	test_without_a_folder();
	test_lowerable();
	gk_ir_free(ir);
	gk_loop_free(loop);
	gk_tree_remove(scratch, &e);
	return done_testing();
}
