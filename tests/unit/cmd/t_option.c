#include "cmd/option.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "tap.h"

static const char *const colours[] = {"red", "green", NULL};
static const struct gk_command_help help = {"paint", "THING...", "Paint things", "More words."};

struct given {
	bool flag;
	int count, colour;
	const char *text;
	int64_t number;
	double real;
	struct gk_option_list list;
	char rest[200];
};

/* Splits the line at blanks and reads it. */
static int reads(const char *line, struct given *g, struct gk_err *e)
{
	const struct gk_option options[] = {
		{'f', "flag", GK_OPTION_FLAG, NULL, "a flag", .value = &g->flag},
		{'v', "verbose", GK_OPTION_COUNT, NULL, "more", .value = &g->count},
		{'o', "output", GK_OPTION_TEXT, "DIR", "a folder", .value = &g->text},
		{'n', "number", GK_OPTION_INT, "N", "a number", &g->number, 1, 10, NULL},
		{0, "any", GK_OPTION_INT, "N", "any number", .value = &g->number},
		{0, "real", GK_OPTION_DOUBLE, "X", "a real", &g->real, 0, 2, NULL},
		{0, "colour", GK_OPTION_CHOICE, "COLOUR", "a colour", .value = &g->colour, .choices = colours},
		{'H', "header", GK_OPTION_LIST, "TEXT", "a header", .value = &g->list},
		{0},
	};
	gk_free_auto char *copy = gk_strdup(line);
	static char words[40][64];
	char *argv[41], *state = NULL;
	int argc = 0, result;

	*g = (struct given){.colour = -1};
	for (char *word = strtok_r(copy, " ", &state); word && argc < 40; word = strtok_r(NULL, " ", &state)) {
		snprintf(words[argc], sizeof words[argc], "%s", word);
		argv[argc] = words[argc];
		argc++;
	}
	result = gk_options_read(&help, options, &argc, argv, e);
	for (int i = 1; result == 0 && i < argc; i++)
		snprintf(g->rest + strlen(g->rest), sizeof g->rest - strlen(g->rest), "%s%s", i > 1 ? " " : "", argv[i]);
	return result;
}

static void refused(const char *line, const char *want)
{
	struct given g;
	struct gk_err e = {0};

	is_text(reads(line, &g, &e) < 0 ? e.text : "accepted", want, line);
	ok(e.kind == GK_ERR_INPUT, "as bad input");
}

static void accepted(void)
{
	struct given g;
	struct gk_err e = {0};

	is_int(reads("paint -f -o DIR wall --number 7 --real=0.5 door --colour green -vv", &g, &e), 0, "all kinds are read");
	ok(g.flag && g.number == 7 && g.real == 0.5 && g.colour == 1 && g.count == 2, "with their values");
	is_text(g.text, "DIR", "texts too");
	is_text(g.rest, "wall door", "operands may stand between");
	reads("paint -oX -vfn3 -H a --header=b=c -H d", &g, &e);
	ok(g.flag && g.count == 1 && g.number == 3 && !strcmp(g.text, "X"), "letters are joined");
	ok(g.list.count == 3 && !strcmp(g.list.items[1], "b=c"), "lists keep every value");
	reads("paint -f -- -o --x -", &g, &e);
	is_text(g.rest, "-o --x -", "after -- everything is an operand");
	reads("paint - -f", &g, &e);
	ok(g.flag && !strcmp(g.rest, "-"), "a lone - is one too");
	reads("paint --output= --any -5", &g, &e);
	ok(!strcmp(g.text, "") && g.number == -5, "values may be empty or negative");
	reads("paint --output --flag", &g, &e);
	ok(!strcmp(g.text, "--flag") && !g.flag, "what follows an option that takes a value is its value");
}

static void help_text(void)
{
	bool flag = false;
	const char *text = NULL;
	const struct gk_option options[] = {
		{'f', "flag", GK_OPTION_FLAG, NULL, "a flag", .value = &flag},
		{0, "a-rather-long-option", GK_OPTION_TEXT, "VALUE", "a text", .value = &text},
		{0},
	};
	gk_buf_auto out = GK_BUF_INIT;

	gk_options_help(&out, &help, options);
	is_text(gk_buf_text(&out),
	        "Usage: geak paint THING...\n\nPaint things.\n\nOptions:\n"
	        "  -f, --flag                a flag\n"
	        "      --a-rather-long-option VALUE\n"
	        "                            a text\n"
	        "  -h, --help                show this text\n\nMore words.\n",
	        "help comes from the table");
}

int main(void)
{
	struct gk_err e = {0};

	accepted();
	refused("paint --nummer 3", "geak paint has no option --nummer: did you mean --number?");
	refused("paint --zzzzzzz", "geak paint has no option --zzzzzzz: see `geak help paint`");
	refused("paint -x", "geak paint has no option -x: see `geak help paint`");
	refused("paint --number", "--number needs a value: --number N");
	refused("paint -n 11", "--number 11: an integer from 1 to 10 is needed");
	refused("paint --any 1.5", "--any 1.5: an integer is needed");
	refused("paint --real nan", "--real nan: a number from 0 to 2 is needed");
	refused("paint --flag=1", "--flag takes no value");
	refused("paint --colour gren", "--colour gren: one of red, green is needed: did you mean green?");
	is_int(gk_operands_check(&help, 1, 1, -1, &e), -1, "too few operands");
	is_text(e.text, "too few arguments: geak paint THING...", "are refused with the usage");
	is_int(gk_operands_check(&help, 3, 0, 1, &e), -1, "too many as well");
	is_int(gk_operands_check(&help, 9, 1, -1, &e), 0, "any number is any number");
	help_text();
	return done_testing();
}
