/*
 * What the clock does around one timed call, read from the log of the stand-in
 * driver: the order of calls, what is queued without a wait, fresh seeds, steps
 * beside launches, inputs that stay on the device, memory that two sides share.
 */
#include "timing.h"

/* ---- the log ---- */

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

/* ---- one call ---- */

static void every_call_is_prepared_alike(void)
{
	static const char prologue[] = "{\"op\":\"fill\",\"dst\":{\"buf\":2,\"at\":0,\"dtype\":\"float32\",\"shape\":[7],"
				       "\"strides\":[1]},\"bits\":\"0x40000000\"}";
	static const char one[] = "mark; add; mark; copy 400; copy 400; copy 400; fill; set 1073741824; scrub; "
				  "flush; mark; add; mark; copy 400; ";
	gk_free_auto char *text = NULL;
	char *at, *end;

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
	ok(fills > 150, "hundreds of fills");
	ok(twice <= 1, "have a fresh seed each");
	ok(strstr(text, vendor("scrub grid 14 1 1 block 128 1 1 shared 65536 ", "scrub grid 14 1 1 block 256 1 1 shared 65536 ")),
	   "shared memory is overwritten on all multiprocessors, as much as there is");
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

/* ---- memory ---- */

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

/* How many address ranges a launcher's first request took; all of them must be given back in the end. */
static int ranges(struct ask a, const char *behaviour)
{
	gk_free_auto char *text = NULL, *closing = NULL;
	int taken;

	open_launcher();
	free(calls());
	ok(time_it(a) == 0 && is_fine(), behaviour);
	text = calls();
	gk_launcher_close(&launcher);
	closing = calls();
	taken = occurrences(text, "MemAddressReserve");
	ok(taken == occurrences(text, "MemAddressFree") + occurrences(closing, "MemAddressFree") &&
	           taken == occurrences(text, "MemRelease") + occurrences(closing, "MemRelease"),
	   "gives all its memory back");
	ok(occurrences(text, "ModuleUnload") == (a.b.kernels[0] ? 8 : 4), "and all its loads");
	return taken;
}

static void memory_is_shared(void)
{
	struct ask two = {.a = {.kernels = {"add"}}, .b = {.kernels = {"quick"}}};
	int alone;

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

static void all(void)
{
	every_call_is_prepared_alike();
	seeds_are_fresh();
	steps_are_part_of_the_call();
	allowed_sums_are_part_of_the_call();
	every_byte_is_filled();
	inputs_stay_on_the_device();
	memory_is_shared();
	too_much_memory_is_a_finding();
}

int main(int argc, char **argv)
{
	(void)argc;
	begin_timing(argv[0], "time-call");
	for_vendor(true, all);
	for_vendor(false, all);
	return end_timing();
}
