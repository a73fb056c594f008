#include <stdlib.h>

#include "base/doc.h"
#include "base/memory.h"
#include "cmd.h"
#include "launch/launch.h"
#include "option.h"

static const struct gk_command_help help = {
	"launcher",
	"[--device NAME] [--gpu N] [--threads N] [--memory MIB] | --describe",
	"execute launch plans; started by geak itself",
	"Speaks the protocol of docs/protocol.md over the socket named by GEAK_FD, or over standard input "
	"and output\n"
	"(ssh HOST geak launcher), until its end. With --describe it prints the facts of the GPU that is "
        "here\n"
	"({}: there is none) and ends.",
};

static int describe(struct gk_err *e)
{
	gk_json_auto *facts = gk_launch_describe();
	gk_free_auto char *text = facts ? gk_json_text(facts) : gk_strdup("{}");

	puts(text);
	return gk_stdout_flush(e);
}

int gk_cmd_launcher(int argc, char **argv, struct gk_err *e)
{
	const char *device = "cpu", *build = getenv("GEAK_BUILD");
	int64_t threads = 1, memory = 0, gpu = -1;
	bool only_facts = false;
	const struct gk_option options[] = {
		{'d', "device", GK_OPTION_TEXT, "NAME", "cpu, cuda, hip (cpu); hip has not yet run on hardware",
	         .value = &device},
		{'g', "gpu", GK_OPTION_INT, "N", "which GPU (the first that no other geak uses)",
	         .value = &gpu, .min = 0, .max = 1023},
		{0, "describe", GK_OPTION_FLAG, NULL, "print the facts of the GPU that is here, and end",
	         .value = &only_facts},
		{'t', "threads", GK_OPTION_INT, "N", "threads of one execution (1)", .value = &threads,
	         .min = 1, .max = 1024},
		{'m', "memory", GK_OPTION_INT, "MIB",
	         "ceiling of one execution's buffers (half of the memory)", .value = &memory, .min = 1,
	         .max = (int64_t)1 << 24},
		{0},
	};
	struct gk_launch_options launch;
	int done = gk_options_read(&help, options, &argc, argv, e);

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 0, 0, e) < 0)
		return -1;
	if (only_facts)
		return describe(e);
	launch = (struct gk_launch_options){.device = device,
	                                    .build = build ? build : GK_VERSION,
	                                    .gpu = (int)gpu,
	                                    .threads = (int)threads,
	                                    .memory_bytes = (uint64_t)memory << 20};
	return gk_launch_serve(&launch, e);
}
