#include "cmd.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "option.h"

static const struct gk_command_help help = {
	.name = "help",
	.synopsis = "[COMMAND]",
	.summary = "Explain a command, or list all of them",
};

static void print_all(void)
{
	printf("Usage: geak COMMAND [ARGUMENT...]\n\n"
	       "geak writes, checks and speeds up Triton GPU kernels with large language models.\n\n"
	       "Commands:\n");
	for (const struct gk_command *command = gk_commands; command->name; command++)
		if (!command->hidden)
			printf("  %-10s %s\n", command->name, command->summary);
	printf("\n`geak help COMMAND` explains one of them, `geak --version` prints the version.\n"
	       "Exit codes: 0 done, 1 the work's verdict is negative, 2 bad input, 3 geak failed, 128+N signal N.\n");
}

static int fail_unknown(const char *name, struct gk_err *e)
{
	const char *names[64];
	const char *nearest;
	size_t count = 0;

	for (const struct gk_command *command = gk_commands; command->name && count + 1 < gk_count_of(names); command++)
		if (!command->hidden)
			names[count++] = command->name;
	names[count] = NULL;
	nearest = gk_text_nearest(name, names);
	return gk_err_set(e, GK_ERR_INPUT, "no command is called %s: %s%s%s", name, nearest ? "did you mean " : "",
	                  nearest ? nearest : "`geak help` lists all", nearest ? "?" : "");
}

int gk_cmd_help(int argc, char **argv, struct gk_err *e)
{
	const struct gk_option options[] = {{0}};
	char word[] = "--help";
	char *asked[] = {NULL, word, NULL};
	const struct gk_command *command;
	int done = gk_options_read(&help, options, &argc, argv, e);

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 0, 2, e) < 0)
		return -1;
	if (argc == 1) {
		print_all();
		return 0;
	}
	command = gk_command_find(argv[1]);
	if (!command)
		return fail_unknown(argv[1], e);
	/* `geak help task list` is `geak task list --help`. */
	asked[0] = argv[1];
	if (argc == 2)
		return command->run(2, asked, e);
	char *deep[] = {argv[1], argv[2], word, NULL};
	return command->run(3, deep, e);
}
