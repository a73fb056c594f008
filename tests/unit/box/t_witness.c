/* The clock of a candidate's process, over drivers that are none. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "box/witness.h"
#include "tap.h"

static char folder[PATH_MAX], log_path[PATH_MAX];

static void find_standins(const char *program)
{
	char real[PATH_MAX], path[PATH_MAX + 64];

	if (!realpath(program, real))
		abort();
	for (int i = 0; i < 3; i++) /* unit/box/t_witness */
		*strrchr(real, '/') = '\0';
	snprintf(path, sizeof path, "%s/standin/libcuda.so.1", real);
	setenv("GEAK_LIBCUDA", path, 1);
	snprintf(path, sizeof path, "%s/standin/libamdhip64.so", real);
	setenv("GEAK_LIBHIP", path, 1);
	snprintf(folder, sizeof folder, "/tmp/geak-witness-XXXXXX");
	if (!mkdtemp(folder))
		abort();
	snprintf(log_path, sizeof log_path, "%.4000s/log", folder);
}

/* Calls of the driver since the last look, one name a line. */
static const char *calls(void)
{
	static char text[8192];
	char line[256], *end;
	FILE *file = fopen(log_path, "r");

	text[0] = '\0';
	while (file && fgets(line, sizeof line, file)) {
		end = strchr(line, ' ');
		if (end && strlen(text) + (size_t)(end - line) + 2 < sizeof text)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ", (int)(end - line), line);
	}
	if (file)
		fclose(file);
	unlink(log_path);
	return text;
}

static void pause_ms(long ms)
{
	struct timespec t = {0, ms * 1000000};

	nanosleep(&t, NULL);
}

static void without_a_device_there_is_the_hosts_clock(void)
{
	double event = -1, host = 0;

	is_int(gk_witness_wait(), 0, "without a device there is nothing to wait for");
	is_int(gk_witness_begin(), 0, "it begins");
	pause_ms(5);
	is_int(gk_witness_end(&event, &host), 0, "and ends");
	ok(host >= 5 && event == -1, "by the host's clock alone");
}

static void a_device_is_waited_for_before_clocks_are_read(const char *driver, const char *opened, const char *begun, const char *ended)
{
	char words[256] = "";
	double event = -1, host = -1;

	calls();
	is_int(gk_witness_open(driver, words, sizeof words), 0, "a driver is opened");
	is_text(calls(), opened, "its context made, its events too");
	is_int(gk_witness_begin(), 0, "it begins");
	is_text(calls(), begun, "once all streams are through");
	is_int(gk_witness_end(&event, &host), 0, "and ends");
	is_text(calls(), ended, "likewise");
	ok(event == 1 && host >= 0, "with the time between the events");
}

static void what_fails_is_told(void)
{
	char words[256] = "";
	double event, host;

	setenv("STANDIN_FAULT", "cuCtxSynchronize:1=700", 1);
	is_int(gk_witness_end(&event, &host), -1, "a device that has failed");
	setenv("STANDIN_FAULT", "cuInit:1=100", 1);
	is_int(gk_witness_open("cuda", words, sizeof words), -1, "a driver without a device");
	is_text(words, "cuInit: error 100 of the driver", "in words");
	unsetenv("STANDIN_FAULT");
	setenv("GEAK_LIBCUDA", "/no/such/library.so", 1);
	is_int(gk_witness_open("cuda", words, sizeof words), -1, "no driver");
	ok(strstr(words, "/no/such/library.so") != NULL, "in words, too");
}

int main(int argc, char **argv)
{
	(void)argc;
	find_standins(argv[0]);
	without_a_device_there_is_the_hosts_clock();
	setenv("STANDIN_LOG", log_path, 1);
	a_device_is_waited_for_before_clocks_are_read(
		"hip", "hipInit hipEventCreateWithFlags hipEventCreateWithFlags ", "hipDeviceSynchronize hipEventRecord ",
		"hipDeviceSynchronize hipEventRecord hipEventSynchronize hipEventElapsedTime ");
	a_device_is_waited_for_before_clocks_are_read(
		"cuda", "cuInit cuDevicePrimaryCtxRetain cuCtxSetCurrent cuEventCreate cuEventCreate ", "cuCtxSynchronize cuEventRecord ",
		"cuCtxSynchronize cuEventRecord cuEventSynchronize cuEventElapsedTime ");
	what_fails_is_told();
	unlink(log_path);
	rmdir(folder);
	return done_testing();
}
