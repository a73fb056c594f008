/* The clock's figures: those of the device, in mixed order, as many as needed, of the best variant; its health. */
#include <unistd.h>

#include "base/clock.h"
#include "timing.h"

static double clock_ms(const char *clock, const char *key)
{
	return json_real_value(json_object_get(json_object_get(answer, clock), key));
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
	int64_t began = gk_clock_ns();

	setenv("STANDIN_JITTER", "0.3", 1);
	setenv("STANDIN_THROTTLES", "0 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4 0 4", 1);
	open_launcher();
	ok(time_it(wide) == 0, "clocks that are held down again and again");
	ok(json_integer_value(json_object_get(answer, "discarded")) <= 256 && pairs() == 512, "a third is left out at most");
	is_text(json_string_value(json_array_get(health(2, "throttle"), 0)), "power_cap", "what holds them down has a name");
	setenv("STANDIN_WATTS", "500", 1);
	ok(time_it(wide) == 0, "again, at once");
	ok(json_real_value(health(0, "watts")) < 413 || gk_clock_ns() - began > 900000000,
	   "heat and power are asked for once a second");
	usleep(1050000);
	ok(time_it(wide) == 0, "and a second later");
	near(json_real_value(health(0, "watts")), 500, 1e-9, "they are");
	unsetenv("STANDIN_WATTS");
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

static void all(void)
{
	figures_are_those_of_the_device();
	order_and_loads_are_mixed();
	it_stops();
	the_fastest_variant_is_chosen();
	short_calls_are_batched();
	health_goes_along();
}

int main(int argc, char **argv)
{
	(void)argc;
	begin_timing(argv[0], "time-figures");
	for_vendor(true, all);
	nvml_tells_more();
	for_vendor(false, all);
	return end_timing();
}
