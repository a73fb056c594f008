/* The prompts that ship with geak, rendered for a made-up task and every part the agent asks for. */
#include "prompt/prompt.h"

#include <stdlib.h>

#include "base/memory.h"
#include "tap.h"
#include "task/task.h"

static struct gk_task make_task(void)
{
	static struct gk_param params[] = {
		{.name = "x", .kind = GK_PARAM_TENSOR},
		{.name = "seed", .kind = GK_PARAM_INT, .data = true},
	};
	static struct gk_return returns[] = {{.name = "out", .dtype = "like:x"}, {.name = "n", .dtype = "int32"}};
	static struct gk_case cases[] = {
		{.id = "M=4,N=8", .exec = true},
		{.id = "M=4096,N=4096", .perf = true},
		{.id = "M=77,N=99", .exec = true, .held_out = true},
	};

	return (struct gk_task){.id = "soft", .title = "Softmax", .entry = "softmax",
	                        .signature = "softmax(x: Tensor, seed: int) -> (Tensor, Tensor)", .params = params,
	                        .param_count = 2, .returns = returns, .return_count = 2, .cases = cases,
	                        .case_count = 3, .instruction = "Write `softmax`, with {{braces}} in it.",
	                        .tolerance = {.operation = GK_OP_REDUCTION}, .folder = "/secret/folder",
	                        .reference = "the reference solution"};
}

#define MODULES  "\"modules\":{\"knowledge\":true,\"one_shot\":false},\"format_problem\":null"
#define VERDICT                                                                                                  \
	"\"verdict\":{\"stage\":\"exec\",\"kind\":\"wrong_values\",\"message\":\"row 3 is off\","                \
	"\"is_undecided\":false,\"passed\":2,\"failed\":1,"                                                      \
	"\"cases\":[{\"case\":\"M=4\",\"kind\":\"wrong_values\",\"message\":\"off by 2\"}]}"
#define ATTEMPT                                                                                                  \
	"{\"attempt\":3,\"strategy\":\"by rows\",\"measured\":null,\"counted\":{\"bytes_read\":\"640\","         \
	"\"bytes_written\":\"320\",\"operations\":\"99\",\"launches\":\"1\"}," VERDICT                           \
	",\"fence\":\"````\",\"code\":\"x = {{name}}  # ```\\n\"}"
#define MEASURED                                                                                                 \
	"{\"attempt\":4,\"strategy\":null,\"measured\":{\"mean\":\"1.52\",\"geomean\":\"1.5\",\"low\":\"1.4\"," \
	"\"high\":\"1.6\",\"within_noise\":false,\"cases\":[{\"case\":\"M=9\",\"ms\":\"0.5\",\"expert_ms\":\"0.76\"," \
	"\"speedup\":\"1.52\"}]},\"counted\":null," VERDICT ",\"fence\":\"```\",\"code\":\"x\\n\"}"
#define REFLECTED                                                                                                \
	"\"direction\":null,\"previous\":" ATTEMPT                                                               \
	",\"reflection\":{\"attempt\":3,\"text\":\"the mask\"},"                                                 \
	"\"earlier_reflections\":[{\"attempt\":2,\"text\":\"the stride\"}]"
#define TRIED                                                                                                    \
	"\"tried\":[{\"attempt\":1,\"strategy\":\"one program\",\"is_correct\":false,\"gained\":false,\"kind\":\"hang\","         \
	"\"message\":\"never ends\"}]"

static const struct {
	const char *context, *wants[6];
} parts[] = {
	{"{\"part\":\"generator\"," MODULES ",\"tried\":[]}",
	 {"softmax(x: Tensor, seed: int)", "with {{braces}} in it", "- `out`: dtype of `x`", "- `n`: dtype int32",
	  "Exactly one fenced code block", "- M=4,N=8\n"}},
	{"{\"part\":\"generator\"," MODULES "," TRIED "}", {"## What was tried before", "one program", "`hang`: never ends"}},
	{"{\"part\":\"generator_repair\"," MODULES "," REFLECTED "}",
	 {"````python\nx = {{name}}  # ```\n````", "row 3 is off", "- case M=4: `wrong_values` off by 2",
	  "2 passed, 1 did not", "## Diagnosis\n\nthe mask", "### After attempt 2\n\nthe stride"}},
	{"{\"part\":\"generator_optimize\"," MODULES ",\"direction\":\"fuse it\",\"base\":" ATTEMPT "}",
	 {"fuse it", "640 bytes read, 320 bytes written, 99 operations, 1 launches", "````python"}},
	{"{\"part\":\"generator_optimize\"," MODULES ",\"direction\":null,\"base\":" ATTEMPT "}",
	 {"change the one thing that pays most"}},
	{"{\"part\":\"generator_optimize\"," MODULES ",\"direction\":null,\"base\":" MEASURED "}",
	 {"mean 1.52, geometric mean 1.5, interval 1.4 to 1.6.\n- M=9: 0.5 ms, the expert kernel 0.76 ms (1.52 times as fast)\n"}},
	{"{\"part\":\"reflector\"," MODULES "," REFLECTED "}",
	 {"row 3 is off", "## Your earlier diagnoses of this task", "the stride", "Cause:"}},
	{"{\"part\":\"optimizer\"," MODULES "," TRIED ",\"directions\":2,\"ancestors\":[" ATTEMPT "]}",
	 {"### Attempt 3", "exactly 2 direction(s)", "## What failed or gained nothing", "never ends"}},
};

static void check_part(const struct gk_prompter *prompter, const struct gk_task *task, size_t index)
{
	json_t *context = json_loads(parts[index].context, 0, NULL);
	struct gk_prompt prompt = {NULL}, again = {NULL};
	char hash[GK_HEX_SIZE];
	struct gk_err e = {0};
	size_t i;

	if (!ok(context && gk_prompt_render(prompter, task, "cpu", NULL, context, &prompt, &e) == 0, parts[index].context))
		printf("# %s\n", e.text);
	else if (gk_prompt_render(prompter, task, "cpu", NULL, context, &again, &e) == 0)
		is_text(prompt.hash, again.hash, "the same again gives the same");
	for (i = 0; i < 6 && parts[index].wants[i] && prompt.user; i++)
		ok(strstr(prompt.user, parts[index].wants[i]) != NULL, parts[index].wants[i]);
	ok(prompt.user && !strstr(prompt.user, "/secret") && !strstr(prompt.user, "reference solution"),
	   "no path and no reference gets in");
	ok(prompt.user && !strstr(prompt.user, "M=77"), "held-out cases stay unseen");
	ok(prompt.user && !strstr(prompt.user, "\n\n\n\n"), "what is left out leaves no gaps");
	if (prompt.user) {
		gk_prompt_hash(prompt.system, prompt.user, hash);
		is_text(prompt.hash, hash, "the hash is that of system and user");
	}
	if (getenv("SHOW"))
		printf("%s\n=====\n%s\n", prompt.system, prompt.user);
	gk_prompt_release(&prompt);
	gk_prompt_release(&again);
	json_decref(context);
}

static char *user_for(const struct gk_prompter *prompter, const struct gk_task *task, const char *target,
                      const char *hardware, const char *context)
{
	json_t *facts = hardware ? json_loads(hardware, 0, NULL) : NULL, *data = json_loads(context, 0, NULL);
	struct gk_prompt prompt = {NULL};
	struct gk_err e;
	char *user;

	gk_prompt_render(prompter, task, target, facts, data, &prompt, &e);
	user = gk_strdup(prompt.user ? prompt.user : "");
	gk_prompt_release(&prompt);
	json_decref(facts);
	json_decref(data);
	return user;
}

static void test_targets(const struct gk_prompter *prompter, const struct gk_task *task)
{
	static const char without[] = "{\"part\":\"generator\",\"modules\":{\"knowledge\":false,\"one_shot\":false},"
				      "\"format_problem\":\"no code\",\"tried\":[]}";
	gk_free_auto char *cpu = user_for(prompter, task, "cpu", NULL, parts[0].context);
	gk_free_auto char *hopper = user_for(prompter, task, "sm_90", "{\"multiprocessors\":132,\"device\":\"H200\"}",
	                                     parts[0].context);
	gk_free_auto char *bare = user_for(prompter, task, "cpu", NULL, without);

	ok(strstr(cpu, "## What is counted") && !strstr(cpu, "Hopper"), "knowledge is that of the target");
	ok(strstr(hopper, "- M=4096,N=4096") && !strstr(cpu, "- M=4096,N=4096"), "cases for speed are shown where it is measured");
	ok(strstr(hopper, "Hopper") && strstr(hopper, "- device: H200\n- multiprocessors: 132\n"),
	   "with the hardware's own numbers, in the order of their names");
	ok(strstr(cpu, "## Reductions") && !strstr(cpu, "## Matrix products"), "and that of the kind of operation");
	ok(!strstr(bare, "## Writing Triton") && !strstr(bare, "## Reductions"), "none when the module is off");
	ok(strstr(bare, "could not be used: no code.") != NULL, "a problem of form is said");
}

static void test_refusals(const struct gk_prompter *prompter, const struct gk_task *task)
{
	json_t *context = json_pack("{s:s}", "part", "generator");
	struct gk_prompt prompt = {NULL};
	struct gk_err e = {0};

	ok(gk_prompt_render(prompter, task, "cpu", NULL, context, &prompt, &e) < 0 && strstr(e.text, "\"tried\" is unknown"),
	   "a context without a name that the template uses is refused");
	json_object_set_new(context, "part", json_string("critic"));
	ok(gk_prompt_render(prompter, task, "cpu", NULL, context, &prompt, &e) < 0, "an unknown part is refused");
	json_decref(context);
	ok(!gk_prompter_open("recipes", "knowledge", &e) && strstr(e.text, "system.md is missing"),
	   "a folder without the templates is refused");
	ok(!gk_prompter_open("prompts", "recipes", &e) && strstr(e.text, "triton.md is missing"),
	   "and one without the knowledge");
}

int main(void)
{
	struct gk_err e = {0};
	struct gk_prompter *prompter = gk_prompter_open("prompts", "knowledge", &e);
	struct gk_task task = make_task();
	const char *name, *hash;
	size_t i;

	if (!ok(prompter != NULL, e.text))
		return done_testing();
	for (i = 0; i < gk_count_of(parts); i++)
		check_part(prompter, &task, i);
	test_targets(prompter, &task);
	test_refusals(prompter, &task);
	for (i = 0; gk_prompter_file(prompter, i, &name, &hash); i++)
		if (strcmp(name, "knowledge/target/sm_90.md") == 0)
			is_int((long long)strlen(hash), 64, "every file that was read has its hash");
	ok(i > 15, "and all of them are told");
	gk_prompter_free(prompter);
	return done_testing();
}
