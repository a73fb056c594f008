/* geak run: writes kernels for tasks with a model; goes on with a run folder that is there. */
#include <stdio.h>

#include "base/doc.h"
#include "base/log.h"
#include "base/memory.h"
#include "box/spawn.h"
#include "cmd.h"
#include "loop/loop.h"
#include "option.h"
#include "run/begin.h"
#include "run/session.h"
#include "view/live.h"
#include "view/page.h"
#include "view/summary.h"

struct given {
	struct gk_session_flags flags;
	struct gk_option_list headers;
	int64_t requests, judgings;
	int containment, evidence;
	bool json, quiet;
	int verbose;
};

static const char details[] =
	"A TARGET is a suite (starter), a task (row_softmax, starter/flip) or a folder with a suite.yaml or\n"
	"task.yaml. A MODEL is openai:NAME (any server that speaks that format: --base-url), replay:FILE\n"
	"(recorded answers) or spool:DIR (prompts and answers as files).\n"
	"\n"
	"With -o DIR of a run that is there, geak goes on where its journal ends: `geak run -o DIR`, or the\n"
	"same command again. No stored answer is asked for twice. The winners are in DIR/best/, the report in\n"
	"DIR/report.html.\n"
	"\n"
	"Exit codes: 0 every task has a confirmed kernel, 1 some have not, 2 bad input, 3 geak or the model\n"
	"failed (the run can go on), 130 interrupted (likewise).";

static int read_options(struct given *given, int *argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {"run", "TARGET... -m MODEL [-o DIR]",
	                                            "Write, check and speed up kernels with a model", details};
	struct gk_session_flags *flags = &given->flags;
	const struct gk_option options[] = {
		{'m', "model", GK_OPTION_TEXT, "MODEL", "who answers the prompts", .value = &flags->model},
		{'r', "recipe", GK_OPTION_TEXT, "RECIPE", "direct, reflexion, geak, or a file (geak)", .value = &flags->recipe},
		{'i', "iterations", GK_OPTION_INT, "N", "attempts per trajectory, at most", &flags->iterations, 1, 10000, NULL},
		{'p', "parallel", GK_OPTION_INT, "N", "trajectories per task", &flags->parallel, 1, 10000, NULL},
		{'t', "target", GK_OPTION_TEXT, "TARGET", "auto, cpu, sm_90, gfx942, ... (auto)", .value = &flags->target},
		GK_OPTION_LAUNCHER,
		{'o', "output", GK_OPTION_TEXT, "DIR", "run folder (geak-run/DATE-SUITE)", .value = &flags->folder},
		{0, "seed", GK_OPTION_TEXT, "TEXT", "judge attempts as the run with this seed did, to repeat it", .value = &flags->seed},
		{0, "temperature", GK_OPTION_DOUBLE, "T", "of the model", &flags->temperature, 0, 2, NULL},
		{0, "max-tokens", GK_OPTION_INT, "N", "of one answer", &flags->max_tokens, 1, 1 << 24, NULL},
		{0, "base-url", GK_OPTION_TEXT, "URL", "of the server ($GEAK_BASE_URL)", .value = &flags->base_url},
		{0, "key-file", GK_OPTION_TEXT, "FILE", "with the key ($GEAK_API_KEY, $OPENAI_API_KEY)", .value = &flags->key_file},
		{0, "header", GK_OPTION_LIST, "NAME: VALUE", "sent with each request; never stored", .value = &given->headers},
		{0, "ca-file", GK_OPTION_TEXT, "FILE", "certificates to trust", .value = &flags->ca_file},
		{0, "prices", GK_OPTION_TEXT, "FILE", "what tokens cost (docs/models.md)", .value = &flags->prices_file},
		{0, "budget-usd", GK_OPTION_DOUBLE, "USD", "stop asking once so much is spent", &flags->budget_usd, 0, 1 << 24, NULL},
		{0, "budget-tokens", GK_OPTION_INT, "N", "stop asking once so many are used", &flags->budget_tokens, 1, INT64_MAX,
	         NULL},
		{0, "requests", GK_OPTION_INT, "N", "prompts under way at once", &given->requests, 1, 1024, NULL},
		{0, "judgings", GK_OPTION_INT, "N", "candidates judged at once (cores)", &given->judgings, 1, 1024, NULL},
		{0, "containment", GK_OPTION_CHOICE, "LEVEL", "auto, or strict: every layer of the sandbox, or nothing runs",
	         .value = &given->containment, .choices = gk_containment_names},
		{0, "evidence", GK_OPTION_CHOICE, "KIND", "any, or sealed: nothing is judged contained",
	         .value = &given->evidence, .choices = gk_evidence_wanted_names},
		{0, "confirm", GK_OPTION_INT, "N", "run one of N passes for real, and every winner (16; 0: none)",
	         &flags->confirm_one_in, 0, 1 << 20, NULL},
		{0, "no-perf", GK_OPTION_FLAG, NULL, "time nothing, on a GPU neither", .value = &flags->skip_perf},
		{0, "strict-replay", GK_OPTION_FLAG, NULL, "replay: only answers to the very same prompt",
	         .value = &flags->replay_strict},
		{0, "json", GK_OPTION_FLAG, NULL, "print the final summary as JSON", .value = &given->json},
		{'q', "quiet", GK_OPTION_FLAG, NULL, "no progress", .value = &given->quiet},
		{'v', "verbose", GK_OPTION_COUNT, NULL, "say more on stderr (twice: all)", .value = &given->verbose},
		{0}};

	return gk_options_read(&help, options, argc, argv, e);
}

static void on_progress(void *ctx, const struct gk_run_line *line, const struct gk_event *event)
{
	struct gk_live_line shown = {line->index, line->task,   line->number, line->attempt,
	                             line->doing, line->active, line->correct, line->stopped};

	gk_live_update(ctx, &shown, event);
}

static void draw(void *live)
{
	gk_live_draw(live);
}

static void say_beginning(const struct gk_session *session, const struct gk_term *term)
{
	const struct gk_run_config *config = gk_session_config(session);

	gk_term_print(term, GK_BOLD, "%s %s", gk_session_is_resumed(session) ? "going on with" : "run", gk_session_folder(session));
	gk_term_print(term, GK_DIM, "  tasks: %zu, trajectories each: %lld, model %s, recipe %s, target %s\n",
	              gk_session_tasks(session), (long long)config->recipe.parallel, config->model, config->recipe.name,
	              config->target);
}

static int work(struct gk_session *session, const struct given *given, struct gk_term *term, enum gk_run_end *end,
                struct gk_err *why, struct gk_err *e)
{
	struct gk_live *live = gk_live_new(term, given->quiet);
	struct gk_timer *timer = gk_loop_timer(gk_session_loop(session), 250, 250, draw, live);
	int rc;

	gk_timer_background(timer, true);
	gk_log_set_hooks(gk_live_hide, gk_live_show, live);
	rc = gk_session_run(session, on_progress, live, end, why, e);
	gk_log_set_hooks(NULL, NULL, NULL);
	gk_timer_stop(&timer);
	gk_live_free(live);
	return rc;
}

static bool all_won(const struct gk_story *story)
{
	for (size_t i = 0; i < story->task_count; i++)
		if (!story->tasks[i].winner)
			return false;
	return true;
}

static bool has_winner(const struct gk_story *story)
{
	for (size_t i = 0; i < story->task_count; i++)
		if (story->tasks[i].winner)
			return true;
	return false;
}

static void print_summary(const struct gk_story *story, const struct given *given, const struct gk_term *term)
{
	if (given->json) {
		gk_json_auto *json = gk_story_json(story);
		gk_free_auto char *text = gk_json_pretty(json);

		puts(text);
		return;
	}
	gk_term_print(term, GK_PLAIN, "\n");
	gk_summary_print(story, term);
	if (has_winner(story))
		gk_term_print(term, GK_PLAIN, "winners %s/best/, ", story->folder);
	gk_term_print(term, GK_PLAIN, "report %s/report.html\n", story->folder);
}

/* The report is written however the run ended: what there is can be read. */
static int conclude(struct gk_session *session, const struct given *given, const struct gk_term *term, bool *won,
                    struct gk_err *e)
{
	struct gk_store *store = gk_session_store(session);
	struct gk_story story;
	int rc;

	if (gk_story_read(store, &story, e) < 0)
		return -1;
	*won = all_won(&story);
	rc = gk_page_write(store, &story, e);
	print_summary(&story, given, term);
	gk_story_release(&story);
	return rc;
}

static int run(struct gk_session *session, const struct given *given, struct gk_err *e)
{
	struct gk_err why = {0}, later = {0};
	enum gk_run_end end = GK_RUN_DONE;
	struct gk_term term;
	bool won = false;
	int rc, signal_number;

	gk_term_init(&term, given->json ? stderr : stdout); /* stdout is for the JSON alone */
	if (!given->quiet)
		say_beginning(session, &term);
	fflush(stdout);
	rc = work(session, given, &term, &end, &why, e);
	if (conclude(session, given, &term, &won, rc < 0 ? &later : e) < 0 && rc == 0)
		return -1;
	if (rc < 0)
		return gk_err_context(e, "the run stopped, `geak run -o %s` goes on", gk_session_folder(session));
	signal_number = gk_loop_interrupted(gk_session_loop(session));
	if (end == GK_RUN_INTERRUPTED)
		return 128 + (signal_number ? signal_number : 2);
	if (end == GK_RUN_SUSPENDED) {
		*e = why;
		gk_err_context(e, "the run is suspended, `geak run -o %s` goes on", gk_session_folder(session));
		e->kind = GK_ERR_SYSTEM;
		return -1;
	}
	return won ? 0 : 1;
}

int gk_cmd_run(int argc, char **argv, struct gk_err *e)
{
	struct given given = {.flags = {.temperature = -1, .confirm_one_in = -1, .build = GK_VERSION}};
	struct gk_session *session;
	int rc = read_options(&given, &argc, argv, e);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (given.verbose)
		gk_log_set_level(given.verbose > 1 ? GK_LOG_DEBUG : GK_LOG_INFO);
	given.flags.targets = argv + 1;
	given.flags.target_count = argc - 1;
	given.flags.requests = (int)given.requests;
	given.flags.judgings = (int)given.judgings;
	if (given.headers.count == GK_OPTION_LIST_MAX)
		return gk_err_set(e, GK_ERR_INPUT, "at most %d headers", GK_OPTION_LIST_MAX - 1);
	given.flags.headers = given.headers.count ? given.headers.items : NULL;
	given.flags.sealed_only = given.evidence == GK_EVIDENCE_SEALED_ONLY;
	if (gk_box_demand((enum gk_containment)given.containment, e) < 0)
		return -1;
	session = gk_session_open(&given.flags, e);
	if (!session)
		return -1;
	rc = run(session, &given, e);
	gk_session_close(session);
	return rc;
}
