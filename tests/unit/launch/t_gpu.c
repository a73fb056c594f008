/*
 * GPUs without one: the launcher over the stand-ins of both vendors' drivers
 * (tests/standin). The calls are compared in order and with their arguments,
 * outputs with the values, faults with what should be said of them.
 */
#include "launch/answer.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "tap.h"
#include "standins.h"

enum { COUNT = 100, BYTES = 4 * COUNT, CODE = 128 };

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static float x[COUNT], y[COUNT], out[COUNT];
static uint8_t bytes_out[COUNT];
static struct gk_launcher launcher;
static struct gk_err e;
static json_t *answer;

/* What a request says. */
struct ask {
	const char *kernel, *params; /* of the code object */
	const char *described;       /* params as the object says; NULL: the same */
	const char *target;
	const char *steps;  /* before the launch; NULL: none */
	const char *options; /* of the object, merged in; NULL: none */
	const char *args;    /* of the launch; NULL: x, y, out, n */
	bool of_bytes, of_halves, lie; /* output of bytes, of twice as many float16; a wrong hash of the code */
	int seed; /* 0: 7 */
};

/* ---- code objects ---- */

static void make_code(uint8_t code[CODE], const struct ask *a)
{
	memset(code, 0, CODE);
	memcpy(code, "\177ELF", 4);
	code[18] = is_cuda ? 190 : 224;
	snprintf((char *)code + 64, CODE - 64, "%s %s", a->kernel, a->params);
}

static json_t *object_json(const uint8_t code[CODE], const struct ask *a)
{
	char hash[GK_HEX_SIZE];
	int end;
	json_t *params = params_json(a->described ? a->described : a->params, &end), *object;

	gk_hash_hex(code, CODE, hash);
	hash[0] = a->lie ? (hash[0] == '0' ? '1' : '0') : hash[0];
	object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:[iii], s:i, s:i, s:i, s:i, s:b, s:b, s:[], s:o, "
	                   "s:i, s:i, s:i}",
	                   "object", hash, "ttir", ZEROS, "name", a->kernel, "target", a->target, "toolchain", "none",
	                   "warps", 4, "warp_size", is_cuda ? 32 : 64, "ctas", 1, "cluster", 1, 1, 1, "shared", 1024,
	                   "static_shared", 0, "scratch_bytes", 0, "scratch_align", 1, "cooperative", 0, "pdl", 0,
	                   "desc", "params", params, "param_bytes", end, "regs", 16, "spills", 0);
	if (a->options) {
		json_t *more = json_loads(a->options, 0, NULL);

		json_object_update(object, more);
		json_decref(more);
	}
	return object;
}

/* ---- requests ---- */

static json_t *plan_json(const struct ask *a)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(&text,
	              "{\"plan\":1,\"ir\":\"ttir\",\"target\":\"%s\",\"case\":\"" ZEROS "\",\"from\":{\"candidate\":\"" ZEROS
	              "\",\"triton\":\"\",\"torch\":\"\",\"capture\":\"\",\"env\":{},\"census\":[],\"notes\":[]},"
	              "\"buffers\":[{\"bytes\":%d,\"align\":512,\"input\":\"x\"},{\"bytes\":%d,\"align\":512,"
	              "\"input\":\"y\"},{\"bytes\":%d,\"align\":512}],"
	              "\"kernels\":[{\"ttir\":\"" ZEROS "\",\"name\":\"%s\",\"options\":{},\"inline_asm\":false}],"
	              "\"prologue\":[],\"steps\":[%s{\"op\":\"launch\",\"kernel\":0,\"grid\":[2,1,1],\"line\":12,"
	              "\"args\":[%s]}],\"outputs\":[{\"buf\":2,\"at\":0,\"dtype\":\"%s\",\"shape\":[%d],\"strides\":[1],"
	              "\"name\":\"0\"}]}",
	              a->target, BYTES, BYTES, a->of_bytes ? COUNT : BYTES, a->kernel, a->steps ? a->steps : "",
	              a->args ? a->args
	                      : "{\"t\":\"ptr\",\"buf\":0,\"at\":0},{\"t\":\"ptr\",\"buf\":1,\"at\":0},"
	                        "{\"t\":\"ptr\",\"buf\":2,\"at\":0},{\"t\":\"i32\",\"v\":100}",
	              a->of_bytes    ? "uint8"
	              : a->of_halves ? "float16"
	                             : "float32",
	              a->of_halves ? 2 * COUNT : COUNT);
	return json_loads(gk_buf_text(&text), 0, NULL);
}

static void add_blob(struct gk_frame *f, int fd)
{
	f->blobs[f->blob_count++].fd = fd;
}

static int execute(struct ask a)
{
	gk_frame_auto frame = {.type = GK_WIRE_EXECUTE, .last = true, .id = 1};
	int made[GK_PLAN_MAX_OUTPUTS], fd, done;
	uint8_t code[CODE];
	size_t made_count, size = a.of_bytes ? COUNT : BYTES;
	enum gk_wire_type type;
	ssize_t got;

	a.target = a.target ? a.target : vendor("sm_90", "gfx942");
	a.params = a.params ? a.params : "8 8 8 4 8 8";
	make_code(code, &a);
	json_decref(answer);
	answer = NULL;
	e = (struct gk_err){0};
	frame.doc.name = gk_strdup("execute");
	frame.doc.root = json_pack("{s:o, s:[{s:i, s:o}], s:[ii], s:i, s:i}", "plan", plan_json(&a), "objects", "kernel",
	                           0, "object", object_json(code, &a), "inputs", 0, 1, "outputs", 1, "seed", a.seed ? a.seed : 7);
	add_blob(&frame, gk_memfd_from("code", code, CODE, &e));
	add_blob(&frame, gk_memfd_from("x", x, BYTES, &e));
	add_blob(&frame, gk_memfd_from("y", y, BYTES, &e));
	fd = gk_memfd_new("out", size, &e);
	add_blob(&frame, fd);
	done = gk_launcher_execute(&launcher, &frame, false, &type, &answer, made, &made_count, &e);
	got = pread(fd, a.of_bytes ? (void *)bytes_out : (void *)out, size, 0);
	(void)got;
	if (done < 0)
		printf("# %s\n", e.text);
	return done;
}

static int open_launcher(void)
{
	struct gk_launch_options options = {.device = vendor("cuda", "hip"), .build = "b", .gpu = -1};
	int done;

	unlink(log_path);
	e = (struct gk_err){0};
	done = gk_launcher_open(&launcher, &options, &e);
	if (done < 0)
		printf("# %s\n", e.text);
	return done;
}

static const char *finding(const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(answer, "finding"), key));

	return text ? text : "";
}

static int64_t output_number(const char *key)
{
	return json_integer_value(
		json_object_get(json_array_get(json_object_get(answer, "outputs"), 0), key));
}

/* The calls since the launcher was opened, or since the last call of this. */
static char *calls(void)
{
	char *text = NULL;
	size_t size;
	struct gk_err ignored;

	if (gk_file_read(log_path, (size_t)1 << 20, &text, &size, &ignored) < 0)
		text = gk_strdup("");
	unlink(log_path);
	return text;
}

/* ---- the tests ---- */

static const char *const cuda_opening =
	"cuInit 0\ncuDeviceGetCount \ncuDevicePrimaryCtxRetain 0\ncuCtxSetCurrent it\ncuStreamCreate 1\n"
	"cuMemHostAlloc 8388608 0\ncuMemGetAllocationGranularity type=1 location=1 device=0 0\n"
	"cuMemAlloc_v2 8192\ncuMemcpyHtoDAsync_v2 4096\ncuMemcpyDtoDAsync_v2 4096\n"
	"cuMemcpyDtoHAsync_v2 4096\ncuStreamSynchronize \ncuMemFree_v2 \n";
static const char *const hip_opening =
	"hipInit 0\nhipGetDeviceCount \nhipGetDevicePropertiesR0600 0\nhipSetDevice 0\nhipStreamCreateWithFlags 1\n"
	"hipHostMalloc 8388608 0\nhipMemGetAllocationGranularity type=1 location=1 device=0 0\n"
	"hipMalloc 8192\nhipMemcpyHtoDAsync 4096\nhipMemcpyDtoDAsync 4096\n"
	"hipMemcpyDtoHAsync 4096\nhipStreamSynchronize \nhipFree \n";

/* A buffer: range, memory, mapping, rights; the pattern once, then doubled. */
#define CUDA_BUFFER                                                                                          \
	"cuMemAddressReserve 39845888 0 0 0\ncuMemCreate 2097152 type=1 handle=0 location=1 device=0 0\n"    \
	"cuMemMap 2097152 0 0\ncuMemSetAccess 2097152 location=1 device=0 rights=3 1\n"                      \
	"cuMemcpyHtoDAsync_v2 65536\ncuMemcpyDtoDAsync_v2 65536\ncuMemcpyDtoDAsync_v2 131072\ncuMemcpyDtoDAsync_v2 262144\n" \
	"cuMemcpyDtoDAsync_v2 524288\ncuMemcpyDtoDAsync_v2 1048576\n"
#define CUDA_STRAYS                                                                                          \
	"cuMemcpyDtoHAsync_v2 112\ncuStreamSynchronize \ncuMemcpyDtoHAsync_v2 2096640\ncuStreamSynchronize \n"
#define CUDA_IN   "cuMemcpyHtoDAsync_v2 400\n"
#define CUDA_BACK "cuMemcpyDtoHAsync_v2 400\ncuStreamSynchronize \n"
#define CUDA_DROP "cuMemsetD8Async 0 2097152\n"
static const char *const cuda_execution =
	"cuModuleLoadData add of 6\ncuModuleGetFunction add\n" CUDA_BUFFER CUDA_IN CUDA_BUFFER CUDA_IN
		CUDA_BUFFER
	"cuLaunchKernelEx add grid 2 1 1 block 128 1 1 shared 1024 params pointer pointer pointer 100 0 0\n"
	"cuStreamSynchronize \ncuStreamSynchronize \n" CUDA_STRAYS CUDA_STRAYS CUDA_STRAYS CUDA_BACK CUDA_BACK CUDA_BACK
		CUDA_DROP CUDA_DROP CUDA_DROP;

#define HIP_BUFFER                                                                                           \
	"hipMemAddressReserve 39845888 0 0 0\nhipMemCreate 2097152 type=1 handle=0 location=1 device=0 0\n"  \
	"hipMemMap 2097152 0 0\nhipMemSetAccess 2097152 location=1 device=0 rights=3 1\n"                    \
	"hipMemcpyHtoDAsync 65536\nhipMemcpyDtoDAsync 65536\nhipMemcpyDtoDAsync 131072\nhipMemcpyDtoDAsync 262144\n" \
	"hipMemcpyDtoDAsync 524288\nhipMemcpyDtoDAsync 1048576\n"
#define HIP_STRAYS                                                                                           \
	"hipMemcpyDtoHAsync 112\nhipStreamSynchronize \nhipMemcpyDtoHAsync 2096640\nhipStreamSynchronize \n"
#define HIP_IN   "hipMemcpyHtoDAsync 400\n"
#define HIP_BACK "hipMemcpyDtoHAsync 400\nhipStreamSynchronize \n"
#define HIP_DROP "hipMemsetD8Async 0 2097152\n"
static const char *const hip_execution =
	"hipModuleLoadData add of 6\nhipModuleGetFunction add\n" HIP_BUFFER HIP_IN HIP_BUFFER HIP_IN
		HIP_BUFFER
	"hipModuleLaunchKernel add grid 2 1 1 block 256 1 1 shared 1024 params pointer pointer pointer 100 0 0\n"
	"hipStreamSynchronize \nhipStreamSynchronize \n" HIP_STRAYS HIP_STRAYS HIP_STRAYS HIP_BACK HIP_BACK HIP_BACK
		HIP_DROP HIP_DROP HIP_DROP;

static int occurrences(const char *text, const char *what)
{
	int count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

/* Mappings stay for the next who wants one of that size; one in a few is made anew all the same. */
static void idle_mappings_are_used_again(void)
{
	gk_free_auto char *some = NULL, *closing = NULL;
	int made, dropped, executions = 40;

	ok(open_launcher() == 0, "the launcher opens");
	for (int i = 0; i < executions; i++)
		execute((struct ask){.kernel = "add", .seed = 100 + i});
	some = calls();
	made = occurrences(some, "MemMap ");
	ok(made > 3 && made < executions, "of 120 buffers few have a mapping of their own making");
	is_int(occurrences(some, "MemCreate "), made, "with memory of its own");
	dropped = occurrences(some, "MemUnmap ");
	is_int(occurrences(some, "MemsetD8Async 0 2097152"), 3 * executions - dropped, "those that stay are wiped");
	is_int(made - dropped, 8, "no more stay than a share of the card");
	gk_launcher_close(&launcher);
	closing = calls();
	is_int(occurrences(closing, "MemUnmap "), 8, "all are dropped in the end");
	is_int(occurrences(closing, "MemRelease "), 8, "memory");
	is_int(occurrences(closing, "MemAddressFree "), 8, "and addresses");
}

static void the_calls_come_in_order(void)
{
	gk_free_auto char *opening = NULL, *execution = NULL, *again = NULL;
	int wrong = 0;

	ok(open_launcher() == 0, "the launcher opens");
	opening = calls();
	is_text(opening, vendor(cuda_opening, hip_opening), "a context, a stream, pinned memory, a trial");
	ok(execute((struct ask){.kernel = "add"}) == 0, "a plan is executed");
	execution = calls();
	is_text(execution, vendor(cuda_execution, hip_execution),
	        "load, mappings, patterns, inputs, launch, borders, output, inputs again, wiping");
	for (int i = 0; i < COUNT; i++)
		wrong += out[i] != x[i] + y[i];
	is_int(wrong, 0, "the outputs are right");
	ok(json_is_null(json_object_get(answer, "finding")), "nothing is found");
	is_int(output_number("poisoned"), 0, "everything was written");
	is_int((long long)json_array_size(json_object_get(answer, "changed")), 0, "no input has changed");
	ok(execute((struct ask){.kernel = "add"}) == 0, "the same again");
	again = calls();
	ok(!strstr(again, "ModuleLoadData"), "loads nothing");
	gk_launcher_close(&launcher);
}

static void facts_are_told(void)
{
	json_t *facts;

	ok(open_launcher() == 0, "the launcher opens");
	facts = launcher.device->ops->facts(launcher.device);
	is_text(json_string_value(json_object_get(facts, "target")), vendor("sm_90", "gfx942"), "the architecture");
	is_text(json_string_value(json_object_get(facts, "kind")), "stand-in 0", "the name");
	is_text(json_string_value(json_object_get(facts, "pci")), vendor("ffff:c0:00.0", "ffff:a0:00.0"), "the address");
	ok(json_is_true(json_object_get(facts, "own_mappings")), "whether buffers have mappings of their own");
	if (!is_cuda)
		is_text(json_string_value(json_object_get(facts, "note")), "geak's HIP path has not yet run on hardware",
		        "what was never run on hardware says so");
	json_decref(facts);
	gk_launcher_close(&launcher);
}

static void what_was_not_written_is_known(void)
{
	int wrong = 0;

	ok(open_launcher() == 0 && execute((struct ask){.kernel = "half"}) == 0, "a kernel that writes every other element");
	is_int(output_number("poisoned"), COUNT / 2, "the others count as not written");
	is_int(output_number("first"), 1, "from the first on");
	ok(execute((struct ask){.kernel = "flags", .of_bytes = true}) == 0, "an output of bytes");
	is_int(output_number("poisoned"), 0, "is not taken for poison where it equals it by chance");
	for (int i = 0; i < COUNT; i++)
		wrong += bytes_out[i] != (x[i] > y[i]);
	is_int(wrong, 0, "and is right");
	ok(execute((struct ask){.kernel = "half", .of_halves = true}) == 0, "an output of 16-bit elements");
	is_int(output_number("poisoned"), COUNT, "of which half is missing");
	ok(launch_is_chance(1 << 20, 2, 16 + 24) && !launch_is_chance(1 << 20, 2, 16 + 25), "of a million a few are as they were by chance");
	ok(!launch_is_chance(1000, 2, 1) && !launch_is_chance(1 << 20, 4, 1) && !launch_is_chance(1 << 20, 1, 1),
	   "but none of a thousand, and none of another length");
	gk_launcher_close(&launcher);
}

static void writes_elsewhere_are_found(void)
{
	ok(open_launcher() == 0 && execute((struct ask){.kernel = "stray"}) == 0, "a kernel that writes behind its output");
	is_text(finding("kind"), "out_of_bounds", "is found");
	ok(strstr(finding("message"), "bytes outside of the output 0 were written, the first 0 bytes behind its end"),
	   "with the buffer and the place");
	ok(!json_object_get(json_object_get(answer, "finding"), "program"), "but no program, which nobody knows");
	ok(execute((struct ask){.kernel = "input"}) == 0, "a kernel that writes to an input");
	is_int(json_integer_value(json_array_get(json_object_get(answer, "changed"), 0)), 0, "is told");
	is_int((long long)json_array_size(json_object_get(answer, "changed")), 1, "and only that input");
	gk_launcher_close(&launcher);
}

static void faults_are_findings(const char *kernel, const char *words)
{
	gk_free_auto char *text = NULL;

	ok(open_launcher() == 0 && execute((struct ask){.kernel = kernel}) == 0, "a kernel that faults is answered");
	is_text(finding("kind"), "crash", "with a finding");
	ok(strstr(finding("message"), words) && strcmp(finding("kernel"), kernel) == 0, "of its kernel");
	is_int(json_integer_value(json_object_get(json_object_get(answer, "finding"), "line")), 12, "and line");
	ok(launcher.device->is_lost, "the device is lost");
	free(calls());
	gk_launcher_close(&launcher);
	text = calls();
	is_text(text, "", "and is not touched again");
	ok(open_launcher() == 0 && execute((struct ask){.kernel = "add"}) == 0 &&
	           json_is_null(json_object_get(answer, "finding")),
	   "a fresh launcher works");
	gk_launcher_close(&launcher);
}

/* In a process of its own, as launchers are; geak's deadline is a kill. */
static void a_hang_is_killed(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (open_launcher() == 0)
			execute((struct ask){.kernel = "hang"});
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) { /* until it hangs: the launch stands in the log */
		gk_free_auto char *text = NULL;
		size_t size;
		struct gk_err ignored;

		if (gk_file_read(log_path, (size_t)1 << 20, &text, &size, &ignored) == 0 && strstr(text, "hang grid"))
			break;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status), "an endless kernel holds its launcher until it is killed");
	ok(open_launcher() == 0 && execute((struct ask){.kernel = "add"}) == 0, "and the GPU's lock is free then");
	gk_launcher_close(&launcher);
}

static void refused(struct ask a, const char *want, const char *behaviour)
{
	int done = execute(a);

	ok(done < 0 && strstr(e.text, want), behaviour);
}

static void what_does_not_fit_is_refused(void)
{
	ok(open_launcher() == 0, "the launcher opens");
	refused((struct ask){.kernel = "add", .target = vendor("sm_80", "gfx90a")}, "this GPU is a",
	        "code for another architecture");
	refused((struct ask){.kernel = "add", .lie = true}, "has the hash", "code under another's hash");
	refused((struct ask){.kernel = "add", .params = "8 8 8 8 8 8"}, "not those of the plan's launch",
	        "a parameter of another size than the argument");
	refused((struct ask){.kernel = "add", .params = "8 8 8 4 8 8 8"}, "not those of the plan's launch",
	        "more parameters than arguments and scratch");
	refused((struct ask){.kernel = "add", .params = "8 8 8"}, "not those of the plan's launch",
	        "fewer parameters than arguments");
	if (is_cuda)
		refused((struct ask){.kernel = "add", .described = "8 8 8 4 8"}, "the code object has more than 5 parameters",
		        "a description that the code object denies");
	ok(execute((struct ask){.kernel = "add", .params = "8 8 8 4 8"}) == 0, "one scratch pointer, as in triton 3.4, fits");
	gk_launcher_close(&launcher);
}

static void steps_do_what_they_say(void)
{
	static const char steps[] =
		"{\"op\":\"fill\",\"dst\":{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[100],\"strides\":[1]},"
		"\"bits\":\"0x40000000\"},"
		"{\"op\":\"iota\",\"dst\":{\"buf\":2,\"at\":4,\"dtype\":\"float32\",\"shape\":[50],\"strides\":[2]},\"start\":1,"
		"\"step\":3},"
		"{\"op\":\"copy\",\"dst\":{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[4],\"strides\":[1]},"
		"\"src\":{\"buf\":0,\"at\":80,\"dtype\":\"float32\",\"shape\":[4],\"strides\":[0]}},";
	gk_free_auto char *text = NULL;
	int wrong = 0;

	ok(open_launcher() == 0 && execute((struct ask){.kernel = "half", .steps = steps}) == 0, "fill, iota, copy, launch");
	for (int i = 1; i < COUNT; i += 2) /* even elements are the kernel's */
		wrong += out[i] != (i < 4 ? x[20] : (float)(1 + i / 2 * 3));
	is_int(wrong, 0, "leave their values where the kernel leaves them alone");
	is_int(output_number("poisoned"), 0, "and those count as written");
	text = calls();
	ok(strstr(text, vendor("cuMemsetD32Async 1073741824 100", "hipMemsetD32Async 1073741824 100")),
	   "a dense fill is the driver's");
	gk_launcher_close(&launcher);
}

static void launches_have_their_attributes(void)
{
	gk_free_auto char *text = NULL;
	struct ask a = {.kernel = "add", .options = "{\"cooperative\":true, \"shared\":65536}"};
	struct ask b = {.kernel = "add",
	                .options = "{\"pdl\":true, \"ctas\":2, \"cluster\":[2,1,1], \"warps\":12, \"scratch_bytes\":256}"};

	ok(open_launcher() == 0 && execute(a) == 0, "a cooperative launch with much shared memory");
	text = calls();
	if (is_cuda)
		ok(strstr(text, "cuFuncSetAttribute add 8 65536\n") && strstr(text, "shared 65536 attribute 2=1,0,0 params"),
		   "says so to the driver");
	else
		ok(strstr(text, "hipModuleLaunchCooperativeKernel add grid 2 1 1"), "is another call");
	if (!is_cuda) {
		refused(b, "clusters of 2 programs are not launched by HIP", "clusters are refused by name");
		gk_launcher_close(&launcher);
		return;
	}
	ok(execute(b) == 0, "clusters, early starts, scratch memory");
	free(text);
	text = calls();
	ok(strstr(text, "grid 4 1 1 block 384 1 1 shared 1024 attribute 6=1,0,0 attribute 4=2,1,1 params"),
	   "attributes, and a grid of whole clusters");
	ok(strstr(text, "params pointer pointer pointer 100 pointer 0\n"), "the first pointer behind is scratch");
	gk_launcher_close(&launcher);
}

static void descriptors_become_maps(void)
{
	static const char args[] = "{\"t\":\"desc\",\"view\":{\"buf\":0,\"at\":0,\"dtype\":\"float32\",\"shape\":[4,20],"
				   "\"strides\":[24,1]},\"block\":[2,16],\"pad\":\"nan\",\"round_tf32\":false},"
				   "{\"t\":\"i32\",\"v\":4},{\"t\":\"i32\",\"v\":20},"
				   "{\"t\":\"i64\",\"v\":24},{\"t\":\"i64\",\"v\":1},"
				   "{\"t\":\"ptr\",\"buf\":2,\"at\":0}";
	gk_free_auto char *text = NULL;
	struct ask map = {.kernel = "flags", .of_bytes = true, .args = args, .params = "128 4 4 8 8 8 8 8"};
	struct ask apart = map;

	map.options = "{\"desc\":[{\"swizzle\":2,\"elem_bytes\":4,\"elem_type\":7,\"block\":[2,16],\"fp4_padded\":false}]}";
	apart.options = "{\"desc\":[null]}";
	apart.kernel = "half";
	apart.params = "8 8 8 8 8 1 1 4 4 8 8 8 8 8";
	ok(open_launcher() == 0, "the launcher opens");
	if (is_cuda) {
		/* the stand-in's kernel reads other parameters: only the packing is looked at */
		setenv("STANDIN_FAULT", "cuLaunchKernelEx:1=701", 1);
		ok(execute(map) == 0, "a descriptor as a map");
		text = calls();
		ok(strstr(text, "cuTensorMapEncodeTiled type 7 rank 2 shape 20 4 strides 96 box 16 2 steps 1 1 0 swizzle 2 "
		                "promotion 2 fill 1\n"),
		   "is encoded from the innermost dimension on");
		ok(strstr(text, "params map 4 20 24 1 pointer 0 0\n"), "and stands before shape and strides");
		unsetenv("STANDIN_FAULT");
		free(text);
		text = NULL;
	}
	setenv("STANDIN_FAULT", vendor("cuLaunchKernelEx:1=702", "hipModuleLaunchKernel:1=702"), 1);
	execute(apart);
	text = calls();
	ok(strstr(text, "params pointer 4 20 24 1 1 0 4 20 24 1 pointer 0 0\n"),
	   "where there is none: pointer, shape, strides, flags, shape, strides");
	unsetenv("STANDIN_FAULT");
	gk_launcher_close(&launcher);
}

static void the_drivers_failures_are_errors(void)
{
	ok(open_launcher() == 0, "the launcher opens");
	setenv("STANDIN_FAULT", vendor("cuMemCreate:2=2", "hipMemCreate:2=2"), 1);
	refused((struct ask){.kernel = "add"}, "memory for a buffer: some failure (STANDIN_ERROR_2)",
	        "memory that the driver does not give");
	unsetenv("STANDIN_FAULT");
	setenv("STANDIN_FAULT", vendor("cuLaunchKernelEx:1=701", "hipModuleLaunchKernel:1=701"), 1);
	ok(execute((struct ask){.kernel = "add"}) == 0, "a launch that the driver refuses");
	ok(strcmp(finding("kind"), is_cuda ? "launch" : "launch") == 0 && !launcher.device->is_lost,
	   "is a finding, and the device goes on");
	unsetenv("STANDIN_FAULT");
	gk_launcher_close(&launcher);
	setenv("STANDIN_LIES", "1", 1);
	ok(open_launcher() < 0 && strstr(e.text, "gave back other bytes"), "a GPU that forgets is not opened");
	unsetenv("STANDIN_LIES");
	setenv("STANDIN_GPUS", "0", 1);
	ok(open_launcher() < 0 && strstr(e.text, "sees no GPU"), "nor one that is not there");
	unsetenv("STANDIN_GPUS");
}

static void without_mappings_there_are_borders(void)
{
	setenv("STANDIN_NO_MAP", "1", 1);
	ok(open_launcher() == 0 && execute((struct ask){.kernel = "stray"}) == 0, "plain allocations have borders");
	is_text(finding("kind"), "out_of_bounds", "that are looked at");
	ok(execute((struct ask){.kernel = "half"}) == 0 && output_number("poisoned") == COUNT / 2, "and poison");
	unsetenv("STANDIN_NO_MAP");
	gk_launcher_close(&launcher);
}

static void the_clock_is_the_devices(void)
{
	const struct gk_device_ops *ops;
	double ms = 0;

	ok(open_launcher() == 0, "the launcher opens");
	ops = launcher.device->ops;
	ok(ops->mark(launcher.device, 0, &e) == 0 && ops->mark(launcher.device, 7, &e) == 0 &&
	           ops->mark(launcher.device, 3, &e) == 0,
	   "events are put behind what was queued");
	ok(ops->elapsed(launcher.device, 0, 3, &ms, &e) == 0 && ms == 2, "and tell the time between them");
	ok(ops->sync(launcher.device, &e) == 0, "the queue can be waited for");
	gk_launcher_close(&launcher);
}

/* Two launchers, two GPUs: the second takes what is free. */
static void a_gpu_is_taken_by_one(void)
{
	struct gk_launcher first;
	struct gk_launch_options named = {.device = vendor("cuda", "hip"), .build = "b", .gpu = 5};
	json_t *facts;

	setenv("STANDIN_GPUS", "2", 1);
	ok(open_launcher() == 0, "the first of two GPUs");
	first = launcher;
	ok(open_launcher() == 0, "and the second for another launcher");
	facts = launcher.device->ops->facts(launcher.device);
	is_int(json_integer_value(json_object_get(facts, "gpu")), 1, "which is another");
	is_int(json_integer_value(json_object_get(facts, "gpus")), 2, "of so many");
	json_decref(facts);
	gk_launcher_close(&launcher);
	gk_launcher_close(&first);
	ok(gk_launcher_open(&launcher, &named, &e) < 0 && strstr(e.text, "there is no GPU 5"), "a GPU that is not there");
	unsetenv("STANDIN_GPUS");
}

static void all(void)
{
	setenv("STANDIN_PCI", vendor("192", "160"), 1);
	the_calls_come_in_order();
	idle_mappings_are_used_again();
	facts_are_told();
	what_was_not_written_is_known();
	writes_elsewhere_are_found();
	faults_are_findings("trap", "a launch failure");
	faults_are_findings("wild", "an illegal memory access");
	a_hang_is_killed();
	what_does_not_fit_is_refused();
	steps_do_what_they_say();
	launches_have_their_attributes();
	descriptors_become_maps();
	the_drivers_failures_are_errors();
	without_mappings_there_are_borders();
	the_clock_is_the_devices();
	a_gpu_is_taken_by_one();
}

int main(int argc, char **argv)
{
	(void)argc;
	find_standins(argv[0]);
	make_folder("gpu");
	make_data(x, y, COUNT);
	is_cuda = true;
	all();
	is_cuda = false;
	all();
	json_decref(answer);
	gk_tree_remove(folder, &e);
	return done_testing();
}
