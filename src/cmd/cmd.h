/*
 * The commands. Each has a file of its own with a function of this form:
 * argv[0] is the command's name; the result is the exit code (0 done, 1 the
 * work's verdict is negative), or -1 with *e filled, which main() prints once
 * (exit code 2 for GK_ERR_INPUT, 3 for the rest). A new command: write
 * cmd/NAME.c, declare its function here, add a line to cmd/table.c and a page
 * docs/man/geak-NAME.1.
 */
#ifndef GK_CMD_CMD_H
#define GK_CMD_CMD_H

#include <stdbool.h>

#include "base/err.h"

#define GK_VERSION "0.1.0"

typedef int gk_command_fn(int argc, char **argv, struct gk_err *e);

struct gk_command {
	const char *name;
	gk_command_fn *run;
	const char *summary; /* one line for `geak help` */
	bool hidden;         /* started by geak itself, not listed */
};

extern const struct gk_command gk_commands[]; /* ends with an entry without a name */
const struct gk_command *gk_command_find(const char *name); /* NULL when there is none */

/* Flushes stdout: a full disk or a closed pipe is an error, not a shorter result. */
int gk_stdout_flush(struct gk_err *e);

gk_command_fn gk_cmd_help;
gk_command_fn gk_cmd_log;
gk_command_fn gk_cmd_report;
gk_command_fn gk_cmd_run;
gk_command_fn gk_cmd_show;
gk_command_fn gk_cmd_task;
gk_command_fn gk_cmd_doctor;
gk_command_fn gk_cmd_selftest;
gk_command_fn gk_cmd_redteam;
gk_command_fn gk_cmd_launcher;
gk_command_fn gk_cmd_eval;
gk_command_fn gk_cmd_bench;
gk_command_fn gk_cmd_capture;

#endif
