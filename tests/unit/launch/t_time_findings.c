/* What the clock finds: outputs that nobody wrote or that vary, faults and whose they are, bad requests. */
#include "timing.h"

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
	what_timed_calls_wrote_is_looked_at();
	outputs_that_are_known_stay();
	an_input_that_is_an_output_is_no_poison();
	of_large_outputs_some_are_looked_at();
	faults_have_a_side();
	what_does_not_fit_is_refused();
}

int main(int argc, char **argv)
{
	(void)argc;
	begin_timing(argv[0], "time-findings");
	for_vendor(true, all);
	for_vendor(false, all);
	the_machine_has_no_clock();
	return end_timing();
}
