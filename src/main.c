/* The program: finds the command, runs it, prints its error once and turns it into an exit code. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/cmd.h"

static int code_of(const struct gk_err *e)
{
	return e->kind == GK_ERR_INPUT ? 2 : 3;
}

/* `geak help WORD` says what is wrong with an unknown word, and what was meant. */
static int run(int argc, char **argv, struct gk_err *e)
{
	char name[] = "help";
	char *help[] = {name, argc > 1 ? argv[1] : NULL, NULL};
	const struct gk_command *command;

	if (argc < 2)
		return gk_cmd_help(1, help, e) < 0 ? -1 : 2;
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return puts("geak " GK_VERSION) < 0 ? -1 : 0;
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return gk_cmd_help(1, help, e);
	if (argv[1][0] == '-')
		return gk_err_set(e, GK_ERR_INPUT, "a command comes first: geak COMMAND %s ...; see `geak help`", argv[1]);
	command = gk_command_find(argv[1]);
	return command ? command->run(argc - 1, argv + 1, e) : gk_cmd_help(2, help, e);
}

int main(int argc, char **argv)
{
	struct gk_err e = {0};
	int code;

	signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of a write */
	code = run(argc, argv, &e);
	errno = 0;
	if (code >= 0 && gk_stdout_flush(&e) < 0) {
		if (errno == EPIPE)
			return 128 + SIGPIPE; /* as if the signal had ended us: `geak log | head` */
		code = -1;
	}
	if (code >= 0)
		return code;
	gk_log(GK_LOG_ERROR, "%s", e.text);
	fflush(stdout);
	return code_of(&e);
}
