/* The engine in a scripted world: the whole loop, winners, budgets, failures of the model. */
#include <limits.h>
#include <sys/wait.h>

#include "script.h"

static char root[] = "/tmp/gk-run-XXXXXX";
static char folder[64];
static int folders;

static void next_folder(void)
{
	snprintf(folder, sizeof folder, "%s/%d", root, folders++);
}

static int events_of(const char *text, const char *kind)
{
	int count = 0;

	for (const char *at = text; (at = strstr(at, kind)); at++)
		count++;
	return count;
}

static void a_run_goes_through_to_its_winners(void)
{
	struct gk_err e = {0};
	struct script_run run;
	struct gk_store_ledger ledger;
	char path[PATH_MAX];
	gk_free_auto char *best = NULL;
	size_t size;

	next_folder();
	ok(script_prepare(&run, folder, 2, &e) == 0, "a run begins");
	run.model.cost_nano_usd = 5;
	if (!ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "and is done"))
		printf("# %s %s\n", e.text, run.why.text);
	is_int(run.model.most_in_flight, 3, "prompts are out together, as many as the model takes");
	ok(memcmp(script_attempt_secret, script_last_secret, GK_HASH_BYTES) != 0, "winners are judged with another secret");
	gk_store_ledger(run.options.store, &ledger, &e);
	is_int(ledger.requests, run.model.started, "the ledger counts each prompt");
	is_int(ledger.completion_tokens, 20 * run.model.started, "and its tokens");
	is_int(ledger.cost_nano_usd, 5 * run.model.started, "and its price");
	is_int(ledger.sends, run.model.started, "each send has a row");
	script_end(&run);

	gk_free_auto char *digest = script_digest(folder);
	is_int(events_of(digest, " started "), 6, "six trajectories");
	is_int(events_of(digest, " stopped "), 6, "each has stopped");
	is_int(events_of(digest, "\nwinner "), 2, "two tasks have a winner");
	ok(strstr(digest, "\nrefuted ") != NULL, "what did not stand a second judgement is refuted");
	snprintf(path, sizeof path, "%s/best/row_softmax.py", folder);
	ok(gk_file_read(path, 1000, &best, &size, &e) == 0 && gk_path_exists(path), "the winner is a file");
	ok(best && strstr(best, "# right row_softmax"), "with the text that stood");
	snprintf(path, sizeof path, "%s/best/other.py", folder);
	ok(!gk_path_exists(path), "a task without a correct candidate has no file");
}

static void a_finished_run_asks_nothing_when_it_is_run_again(void)
{
	struct gk_err e = {0};
	struct script_run run;
	gk_free_auto char *before = NULL, *after = NULL;

	next_folder();
	script_prepare(&run, folder, 1, &e);
	script_go(&run, &e);
	script_end(&run);
	before = script_digest(folder);
	script_judgings = 0;
	script_prepare(&run, folder, 1, &e);
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "a finished run is done at once");
	is_int(run.model.started, 0, "nothing is asked");
	is_int(script_judgings, 0, "nothing is judged");
	script_end(&run);
	after = script_digest(folder);
	is_text(after, before, "the journal is as it was");
}

static void a_run_goes_on_after_any_tick(void)
{
	struct gk_err e = {0};
	struct script_run run;
	gk_free_auto char *undisturbed = NULL;
	int ticks = 0, wrong = 0, asked;

	next_folder();
	script_prepare(&run, folder, 2, &e);
	script_go(&run, &e);
	asked = run.model.started;
	script_end(&run);
	undisturbed = script_digest(folder);
	do {
		int more = 0;

		next_folder();
		ticks++;
		script_prepare(&run, folder, 2, &e);
		run.options.stop_after_ticks = ticks;
		script_go(&run, &e);
		more = run.model.started - run.model.in_flight;
		script_end(&run);
		if (run.end == GK_RUN_DONE)
			break;
		script_prepare(&run, folder, 2, &e);
		if (script_go(&run, &e) < 0 || run.end != GK_RUN_DONE)
			printf("# tick %d: %s\n", ticks, e.text), wrong++;
		more += run.model.started;
		script_end(&run);
		gk_free_auto char *digest = script_digest(folder);
		if (strcmp(digest, undisturbed) != 0)
			printf("# tick %d: another end\n", ticks), wrong++;
		if (more != asked) /* answered before, plus asked again: each answer was had once */
			printf("# tick %d: %d asked for %d\n", ticks, more, asked), wrong++;
	} while (ticks < 300);
	ok(ticks > 10 && ticks < 300, "a run takes some ticks");
	is_int(wrong, 0, "stopped after any of them it ends alike, and no stored answer is asked for again");
}

/* In a child that is killed at the place numbered at; true when there was such a place. */
static bool run_until_killed(int at)
{
	struct gk_err e = {0};
	struct script_run run;
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		script_places = 0;
		script_kill_at = at;
		script_prepare(&run, folder, 2, &e);
		script_go(&run, &e);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void a_run_goes_on_after_a_kill_at_any_place(void)
{
	struct gk_err e = {0};
	struct script_run run;
	gk_free_auto char *undisturbed = NULL;
	int wrong = 0, at = 1, step = getenv("GEAK_TEST_ALL") ? 1 : 5;

	next_folder();
	script_prepare(&run, folder, 2, &e);
	script_go(&run, &e);
	script_end(&run);
	undisturbed = script_digest(folder);
	for (; at < 2000; at += step) {
		struct gk_store_ledger ledger = {0};

		next_folder();
		if (!run_until_killed(at))
			break;
		if (script_prepare(&run, folder, 2, &e) < 0 || script_go(&run, &e) < 0 || run.end != GK_RUN_DONE)
			printf("# place %d: %s\n", at, e.text), wrong++;
		gk_store_ledger(run.options.store, &ledger, &e);
		script_end(&run);
		gk_free_auto char *digest = script_digest(folder);
		if (strcmp(digest, undisturbed) != 0)
			printf("# place %d: another end\n", at), wrong++;
		if (ledger.sends - ledger.lost != ledger.requests || ledger.lost > 3)
			printf("# place %d: %lld sends, %lld lost, %lld answers\n", at, (long long)ledger.sends,
			       (long long)ledger.lost, (long long)ledger.requests), wrong++;
	}
	ok(at > 100 && at < 2000, "there are many places to be killed at");
	is_int(wrong, 0, "killed at any of them it ends alike, and the ledger knows what was lost");
}

static int count_timings(bool *has_samples)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_open_read(folder, &e);
	int count = 0;

	*has_samples = true;
	for (int64_t id = 1; store && id < 100; id++) {
		gk_arena_auto arena = {0};
		struct gk_store_timing *rows = NULL;
		size_t found = 0;

		if (gk_store_timings(store, id, &arena, &rows, &found, &e) < 0 || !found)
			continue;
		count += (int)found;
		for (size_t i = 0; i < found; i++)
			*has_samples &= rows[i].samples_hash != NULL && rows[i].mid > 1;
	}
	gk_store_close(store);
	return count;
}

static void what_was_measured_is_stored_and_not_measured_again(void)
{
	struct gk_err e = {0};
	struct script_run run;
	int judgings;
	bool has_samples;

	script_speedup = 2;
	script_confirmed = 1.5;
	next_folder();
	script_prepare(&run, folder, 1, &e);
	run.options.stop_after_ticks = 8;
	script_go(&run, &e);
	script_end(&run);
	script_prepare(&run, folder, 1, &e);
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "a run with timings goes on");
	script_end(&run);
	ok(count_timings(&has_samples) > 2 && has_samples, "timings are rows with raw samples");
	gk_free_auto char *digest = script_digest(folder);
	ok(strstr(digest, "\"mean\":2.0"), "attempts carry their speedup in the journal");
	ok(strstr(digest, "\nwinner ") && strstr(digest, "speedup 2.000 (1.980 to 2.020) at first, 1.500 (1.485 to 1.515) when it was "
	                                                 "confirmed"),
	   "a winner that is slower when it is confirmed is told so");
	judgings = script_judgings;
	script_prepare(&run, folder, 1, &e);
	script_go(&run, &e);
	script_end(&run);
	is_int(script_judgings, judgings, "a stored verdict is not measured again");
	script_speedup = script_confirmed = 0;
}

static void a_model_that_gives_up_suspends_the_run(void)
{
	struct gk_err e = {0};
	struct script_run run;

	next_folder();
	script_prepare(&run, folder, 1, &e);
	run.model.status_of_third = GK_ANSWER_EXHAUSTED;
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_SUSPENDED, "a model that gives up for now suspends the run");
	ok(strstr(run.why.text, "scripted failure") != NULL, "why is said");
	script_end(&run);
	script_prepare(&run, folder, 1, &e);
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "which goes on later");
	script_end(&run);
}

static void a_model_that_refuses_for_good_ends_the_run_resumable(void)
{
	struct gk_err e = {0};
	struct script_run run;

	next_folder();
	script_prepare(&run, folder, 1, &e);
	run.model.status_of_third = GK_ANSWER_FATAL;
	ok(script_go(&run, &e) < 0 && strstr(e.text, "scripted failure"), "a fatal answer is the run's failure");
	script_end(&run);
	script_prepare(&run, folder, 1, &e);
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "and the run goes on once that is mended");
	script_end(&run);
}

static void a_broken_judge_suspends_the_run(void)
{
	struct gk_err e = {0};
	struct script_run run;

	next_folder();
	script_prepare(&run, folder, 1, &e);
	script_judge_is_broken = true;
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_SUSPENDED, "a judge that fails for the reference, too, suspends the run");
	is_text(run.why.text, "no candidate can be judged: no zygote", "why is said");
	script_end(&run);
	gk_free_auto char *digest = script_digest(folder);
	is_int(events_of(digest, " judged "), 0, "nothing is held against a candidate");
	script_judge_is_broken = false;
	script_prepare(&run, folder, 1, &e);
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "which goes on once that is mended");
	script_end(&run);
	gk_free_auto char *later = script_digest(folder);
	ok(events_of(later, "\"outcome\":\"infra\"") > 0, "a failure on one candidate alone is journalled");
}

static void a_refused_prompt_is_an_event(void)
{
	struct gk_err e = {0};
	struct script_run run;

	next_folder();
	script_prepare(&run, folder, 1, &e);
	run.model.status_of_third = GK_ANSWER_REFUSED;
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "a refused prompt does not stop the others");
	script_end(&run);
	gk_free_auto char *digest = script_digest(folder);
	is_int(events_of(digest, " no_answer "), 1, "and is an event");
}

static void a_spent_budget_stops_every_trajectory(void)
{
	struct gk_err e = {0};
	struct script_run run;

	next_folder();
	script_prepare(&run, folder, 1, &e);
	run.options.budget_tokens = 500; /* 120 an answer */
	ok(script_go(&run, &e) == 0 && run.end == GK_RUN_DONE, "a run with a budget ends");
	ok(run.model.started >= 5 && run.model.started <= 7, "about when it is spent");
	script_end(&run);
	gk_free_auto char *digest = script_digest(folder);
	ok(strstr(digest, "\"reason\":\"budget\"") != NULL, "the stop is an event with its reason");
}

static void other_flags_and_changed_files_are_refused(void)
{
	struct gk_err e = {0};
	struct script_run run;
	struct gk_run_config begun, asked;
	gk_arena_auto arena = {0};

	next_folder();
	script_prepare(&run, folder, 1, &e);
	ok(gk_run_config_read(run.options.store, &arena, &begun, &e) == 0, "the configuration is read back");
	is_int(begun.recipe.iterations, 4, "with its recipe");
	is_text(begun.folders[1], "/t", "and its tasks");
	asked = begun;
	ok(gk_run_config_same(&begun, &asked, "DIR", &e) == 0, "the same is the same");
	asked.recipe.iterations = 9;
	ok(gk_run_config_same(&begun, &asked, "DIR", &e) < 0 && strstr(e.text, "DIR was begun with recipe's iterations 4, not 9"),
	   "another flag is named");
	asked = begun;
	asked.model = "openai:x";
	ok(gk_run_config_same(&begun, &asked, "DIR", &e) < 0 && strstr(e.text, "model script:, not openai:x"),
	   "another model is named");
	script_tasks[1]->hash[0] ^= 1;
	ok(gk_run_check_pins(run.options.store, &begun, script_tasks, SCRIPT_TASKS, run.prompter, &e) < 0 &&
	   strstr(e.text, "changed since the run began: task flip;"), "a changed task is named");
	script_end(&run);
}

int main(void)
{
	struct gk_err e;

	if (!mkdtemp(root))
		return 3;
	a_run_goes_through_to_its_winners();
	a_finished_run_asks_nothing_when_it_is_run_again();
	a_run_goes_on_after_any_tick();
	a_run_goes_on_after_a_kill_at_any_place();
	what_was_measured_is_stored_and_not_measured_again();
	a_model_that_gives_up_suspends_the_run();
	a_model_that_refuses_for_good_ends_the_run_resumable();
	a_broken_judge_suspends_the_run();
	a_refused_prompt_is_an_event();
	a_spent_budget_stops_every_trajectory();
	other_flags_and_changed_files_are_refused();
	gk_tree_remove(root, &e);
	return done_testing();
}
