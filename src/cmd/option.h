/*
 * Options of a command, declared once: parsing and --help come from the table.
 *
 *     bool json = false;
 *     const char *folder = "runs";
 *     const struct gk_option options[] = {
 *             {'o', "output", GK_OPTION_TEXT, "DIR", "folder to write into", .value = &folder},
 *             {0, "json", GK_OPTION_FLAG, NULL, "print JSON", .value = &json},
 *             {0},
 *     };
 *     int done = gk_options_read(&help, options, &argc, argv, e);
 *     if (done)
 *             return done < 0 ? -1 : 0;
 *     ... operands are argv[1 .. argc - 1]
 *
 * Both "-o DIR", "-oDIR", "--output DIR" and "--output=DIR" work; letters of
 * flags may be joined ("-vj"); "--" ends the options; "-" is an operand;
 * options may stand behind operands.
 */
#ifndef GK_CMD_OPTION_H
#define GK_CMD_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum gk_option_kind {
	GK_OPTION_FLAG,   /* bool *, becomes true */
	GK_OPTION_COUNT,  /* int *, one more each time: -v -v */
	GK_OPTION_TEXT,   /* const char **, borrowed from argv; the last one counts */
	GK_OPTION_INT,    /* int64_t *, within min .. max (both 0: any) */
	GK_OPTION_DOUBLE, /* double *, within min .. max (both 0: any) */
	GK_OPTION_CHOICE, /* int *, index into choices */
	GK_OPTION_LIST,   /* struct gk_option_list *, each time one more */
	GK_OPTION_SETENV, /* no pointer: value is the name of a variable of the environment, set for this process */
};

#define GK_OPTION_LIST_MAX 64

struct gk_option_list {
	const char *items[GK_OPTION_LIST_MAX];
	size_t count;
};

/* A launcher that is not started here; a row of the table of every command that executes plans. */
#define GK_OPTION_LAUNCHER                                                                                           \
	{0, "launcher", GK_OPTION_SETENV, "COMMAND", "what serves a GPU elsewhere: 'ssh HOST geak launcher'",          \
	 .value = (void *)(uintptr_t)"GEAK_LAUNCHER"}

/* A table ends with an entry without a name. */
struct gk_option {
	char letter;      /* 0: only the long name */
	const char *name; /* without "--" */
	enum gk_option_kind kind;
	const char *argument; /* how help calls the value; NULL for FLAG and COUNT */
	const char *help;
	void *value;
	int64_t min, max;
	const char *const *choices;
};

struct gk_command_help {
	const char *name;     /* "eval", "task list" */
	const char *synopsis; /* what follows the name: "TARGET -c FILE [--json]" */
	const char *summary;  /* one line, no full stop */
	const char *details;  /* paragraphs under the options, or NULL */
};

/*
 * Reads the options and moves the operands to argv[1 .. *argc - 1]. Returns 0,
 * 1 when --help or -h was given (the help has been printed to stdout), or -1
 * (GK_ERR_INPUT; an unknown option names the nearest known one).
 */
int gk_options_read(const struct gk_command_help *help, const struct gk_option *options, int *argc, char **argv,
                    struct gk_err *e);
void gk_options_help(struct gk_buf *out, const struct gk_command_help *help, const struct gk_option *options);

/* Refuses fewer than min or more than max operands (max -1: any number). */
int gk_operands_check(const struct gk_command_help *help, int argc, int min, int max, struct gk_err *e);

#endif
