#include "option.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define MAX_OPTIONS 64
#define HELP_COLUMN 28

struct reader {
	const struct gk_command_help *help;
	const struct gk_option *options;
	int argc;
	char **argv;
	int next; /* argument that is looked at next */
	struct gk_err *e;
};

static bool takes_value(const struct gk_option *option)
{
	return option->kind != GK_OPTION_FLAG && option->kind != GK_OPTION_COUNT;
}

static int fail_range(const struct gk_option *option, const char *text, const char *what, struct gk_err *e)
{
	if (!option->min && !option->max)
		return gk_err_set(e, GK_ERR_INPUT, "--%s %s: %s is needed", option->name, text, what);
	return gk_err_set(e, GK_ERR_INPUT, "--%s %s: %s from %lld to %lld is needed", option->name, text, what,
	                  (long long)option->min, (long long)option->max);
}

static int set_int(const struct gk_option *option, const char *text, struct gk_err *e)
{
	int64_t number;

	if (!gk_text_to_int(text, &number) ||
	    ((option->min || option->max) && (number < option->min || number > option->max)))
		return fail_range(option, text, "an integer", e);
	*(int64_t *)option->value = number;
	return 0;
}

static int set_double(const struct gk_option *option, const char *text, struct gk_err *e)
{
	double number;

	if (!gk_text_to_double(text, &number) || !isfinite(number) ||
	    ((option->min || option->max) && (number < (double)option->min || number > (double)option->max)))
		return fail_range(option, text, "a number", e);
	*(double *)option->value = number;
	return 0;
}

static int set_choice(const struct gk_option *option, const char *text, struct gk_err *e)
{
	gk_buf_auto names = GK_BUF_INIT;
	const char *nearest = gk_text_nearest(text, option->choices);

	for (int i = 0; option->choices[i]; i++) {
		if (strcmp(option->choices[i], text) == 0) {
			*(int *)option->value = i;
			return 0;
		}
		gk_buf_printf(&names, "%s%s", i ? ", " : "", option->choices[i]);
	}
	return gk_err_set(e, GK_ERR_INPUT, "--%s %s: one of %s is needed%s%s%s", option->name, text,
	                  gk_buf_text(&names), nearest ? ": did you mean " : "", nearest ? nearest : "",
	                  nearest ? "?" : "");
}

static int add_to_list(const struct gk_option *option, const char *text, struct gk_err *e)
{
	struct gk_option_list *list = option->value;

	if (list->count == GK_OPTION_LIST_MAX)
		return gk_err_set(e, GK_ERR_INPUT, "--%s: at most %d times", option->name, GK_OPTION_LIST_MAX);
	list->items[list->count++] = text;
	return 0;
}

static int set_variable(const struct gk_option *option, const char *text, struct gk_err *e)
{
	if (!*text)
		return gk_err_set(e, GK_ERR_INPUT, "--%s needs a value: --%s %s", option->name, option->name, option->argument);
	return setenv(option->value, text, 1) == 0 ? 0 : gk_err_errno(e, "--%s", option->name);
}

/* text is NULL for options without a value. */
static int set_value(const struct gk_option *option, const char *text, struct gk_err *e)
{
	switch (option->kind) {
	case GK_OPTION_FLAG:
		*(bool *)option->value = true;
		return 0;
	case GK_OPTION_COUNT:
		++*(int *)option->value;
		return 0;
	case GK_OPTION_TEXT:
		*(const char **)option->value = text;
		return 0;
	case GK_OPTION_INT:
		return set_int(option, text, e);
	case GK_OPTION_DOUBLE:
		return set_double(option, text, e);
	case GK_OPTION_CHOICE:
		return set_choice(option, text, e);
	case GK_OPTION_LIST:
		return add_to_list(option, text, e);
	case GK_OPTION_SETENV:
		return set_variable(option, text, e);
	}
	gk_bug("option %s has kind %d", option->name, (int)option->kind);
}

static const struct gk_option *find_long(const struct reader *r, const char *name, size_t length)
{
	for (const struct gk_option *option = r->options; option->name; option++)
		if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
			return option;
	return NULL;
}

static const struct gk_option *find_letter(const struct reader *r, char letter)
{
	for (const struct gk_option *option = r->options; option->name; option++)
		if (option->letter == letter)
			return option;
	return NULL;
}

static int fail_unknown(const struct reader *r, const char *name, struct gk_err *e)
{
	const char *names[MAX_OPTIONS + 1];
	const char *nearest;
	size_t count = 0;

	for (const struct gk_option *option = r->options; option->name && count < MAX_OPTIONS; option++)
		names[count++] = option->name;
	names[count] = NULL;
	nearest = gk_text_nearest(name, names);
	if (nearest)
		return gk_err_set(e, GK_ERR_INPUT, "geak %s has no option --%s: did you mean --%s?", r->help->name, name,
		                  nearest);
	return gk_err_set(e, GK_ERR_INPUT, "geak %s has no option --%s: see `geak help %s`", r->help->name, name,
	                  r->help->name);
}

/* The value that stands in the next argument. */
static int take_next(struct reader *r, const struct gk_option *option)
{
	if (r->next == r->argc)
		return gk_err_set(r->e, GK_ERR_INPUT, "--%s needs a value: --%s %s", option->name, option->name,
		                  option->argument);
	return set_value(option, r->argv[r->next++], r->e);
}

static int read_long(struct reader *r, const char *name)
{
	size_t length = strcspn(name, "=");
	const struct gk_option *option = find_long(r, name, length);
	gk_free_auto char *alone = gk_strndup(name, length);

	if (!option)
		return fail_unknown(r, alone, r->e);
	if (!takes_value(option) && name[length])
		return gk_err_set(r->e, GK_ERR_INPUT, "--%s takes no value", option->name);
	if (!takes_value(option))
		return set_value(option, NULL, r->e);
	return name[length] ? set_value(option, name + length + 1, r->e) : take_next(r, option);
}

/* "-vj", "-o DIR" or "-oDIR". */
static int read_letters(struct reader *r, const char *letters)
{
	for (; *letters; letters++) {
		const struct gk_option *option = find_letter(r, *letters);

		if (!option)
			return gk_err_set(r->e, GK_ERR_INPUT, "geak %s has no option -%c: see `geak help %s`",
			                  r->help->name, *letters, r->help->name);
		if (takes_value(option))
			return letters[1] ? set_value(option, letters + 1, r->e) : take_next(r, option);
		if (set_value(option, NULL, r->e) < 0)
			return -1;
	}
	return 0;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int print_help(const struct gk_command_help *help, const struct gk_option *options)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_options_help(&text, help, options);
	fputs(gk_buf_text(&text), stdout);
	return 1;
}

int gk_options_read(const struct gk_command_help *help, const struct gk_option *options, int *argc, char **argv,
                    struct gk_err *e)
{
	struct reader r = {.help = help, .options = options, .argc = *argc, .argv = argv, .next = 1, .e = e};
	int operands = 1;
	bool only_operands = false;

	if (asks_for_help(*argc, argv))
		return print_help(help, options);
	while (r.next < r.argc) {
		char *argument = argv[r.next++];
		int result = 0;

		if (only_operands || argument[0] != '-' || !argument[1])
			argv[operands++] = argument; /* never ahead of what is read */
		else if (strcmp(argument, "--") == 0)
			only_operands = true;
		else if (argument[1] == '-')
			result = read_long(&r, argument + 2);
		else
			result = read_letters(&r, argument + 1);
		if (result < 0)
			return -1;
	}
	*argc = operands;
	return 0;
}

static void add_option_help(struct gk_buf *out, const struct gk_option *option)
{
	size_t start = out->size, width;

	if (option->letter)
		gk_buf_printf(out, "  -%c, ", option->letter);
	else
		gk_buf_add_text(out, "      ");
	gk_buf_printf(out, "--%s%s%s", option->name, option->argument ? " " : "",
	              option->argument ? option->argument : "");
	width = out->size - start;
	if (width + 2 > HELP_COLUMN) {
		gk_buf_add_char(out, '\n');
		width = 0;
	}
	gk_buf_printf(out, "%*s%s\n", (int)(HELP_COLUMN - width), "", option->help);
}

void gk_options_help(struct gk_buf *out, const struct gk_command_help *help, const struct gk_option *options)
{
	static const struct gk_option for_help = {'h', "help", GK_OPTION_FLAG, NULL, "show this text", NULL, 0, 0, NULL};

	gk_buf_printf(out, "Usage: geak %s%s%s\n\n%s.\n\nOptions:\n", help->name, help->synopsis[0] ? " " : "",
	              help->synopsis, help->summary);
	for (const struct gk_option *option = options; option->name; option++)
		add_option_help(out, option);
	add_option_help(out, &for_help);
	if (help->details)
		gk_buf_printf(out, "\n%s\n", help->details);
}

int gk_operands_check(const struct gk_command_help *help, int argc, int min, int max, struct gk_err *e)
{
	int count = argc - 1;

	if (count >= min && (max < 0 || count <= max))
		return 0;
	return gk_err_set(e, GK_ERR_INPUT, "too %s arguments: geak %s%s%s", count < min ? "few" : "many", help->name,
	                  help->synopsis[0] ? " " : "", help->synopsis);
}
