#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct gk_command gk_commands[] = {
	{"run", gk_cmd_run, "write, check and speed up kernels with a model", false},
	{"report", gk_cmd_report, "show how a run went; write its HTML page", false},
	{"log", gk_cmd_log, "list a run's attempts", false},
	{"show", gk_cmd_show, "show one attempt in full", false},
	{"eval", gk_cmd_eval, "judge candidates that exist already", false},
	{"bench", gk_cmd_bench, "time two kernels against each other", false},
	{"capture", gk_cmd_capture, "show a candidate's launch plan", false},
	{"task", gk_cmd_task, "list, show and check tasks", false},
	{"redteam", gk_cmd_redteam, "try to cheat the judge, in every way that is known", false},
	{"selftest", gk_cmd_selftest, "say whether a device gives results that can be believed", false},
	{"doctor", gk_cmd_doctor, "say what works on this machine", false},
	{"launcher", gk_cmd_launcher, "execute launch plans", true},
	{"help", gk_cmd_help, "explain a command", false},
	{0},
};

const struct gk_command *gk_command_find(const char *name)
{
	for (const struct gk_command *command = gk_commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

int gk_stdout_flush(struct gk_err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	return gk_err_errno(e, "writing to the standard output");
}
