/* The journal: what is written is read back, what must not change does not, and bad files are one line. */
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/doc.h"
#include "base/file.h"
#include "base/memory.h"
#include "store/store.h"
#include "tap.h"

static char folder[64];

static void fresh_folder(void)
{
	struct gk_err e;

	gk_tree_remove(folder, &e);
}

static const char *journal_path(void)
{
	static char path[96];

	snprintf(path, sizeof path, "%s/journal.sqlite", folder);
	return path;
}

/* Runs SQL behind the journal's back; returns SQLite's message, or "" when it worked. */
static const char *behind_its_back(const char *sql)
{
	static char why[256];
	sqlite3 *db = NULL;
	char *message = NULL;

	sqlite3_open(journal_path(), &db);
	sqlite3_exec(db, sql, NULL, NULL, &message);
	snprintf(why, sizeof why, "%s", message ? message : "");
	sqlite3_free(message);
	sqlite3_close(db);
	return why;
}

static int64_t one_trajectory(struct gk_store *store)
{
	struct gk_store_run run = {"1.0", "c0ffee", {7}, NULL, 42};
	struct gk_err e = {0};
	int64_t id = 0;

	gk_store_begin(store, &e);
	gk_store_run_set(store, &run, &e);
	gk_store_trajectory_add(store, "flip", "geak", 0, &id, &e);
	if (gk_store_commit(store, &e) < 0)
		printf("# %s\n", e.text);
	return id;
}

static int add_event(struct gk_store *store, int64_t trajectory, int step, enum gk_event_kind kind, struct gk_err *e)
{
	struct gk_event event = {.trajectory = trajectory, .step = step, .kind = kind};
	int rc;

	event.body = json_pack("{s:i}", "step", step);
	rc = gk_store_event_add(store, &event, 0, e);
	json_decref(event.body);
	return rc;
}

static int count_steps(void *ctx, const struct gk_event *event, struct gk_err *e)
{
	int *count = ctx;

	(void)e;
	if (json_integer_value(json_object_get(event->body, "step")) == *count)
		++*count;
	return 0;
}

static void what_is_written_is_read_back(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	gk_arena_auto arena = {0};
	struct gk_store_run run = {0};
	struct gk_store_trajectory *rows;
	size_t count = 0;
	int64_t id = one_trajectory(store);
	int steps = 0;

	gk_store_begin(store, &e);
	ok(add_event(store, id, 0, GK_EVENT_STARTED, &e) == 0 && add_event(store, id, 1, GK_EVENT_ASKED, &e) == 0,
	   "events are written");
	gk_store_commit(store, &e);
	gk_store_close(store);

	store = gk_store_open_read(folder, &e);
	ok(store != NULL, "a closed journal opens for reading");
	ok(gk_store_run_get(store, &arena, &run, &e) == 0 && run.secret[0] == 7 && run.created_ns == 42,
	   "the run's row is read back");
	ok(gk_store_trajectories(store, &arena, &rows, &count, &e) == 0 && count == 1 && rows[0].id == id,
	   "trajectories are read back");
	is_text(rows[0].task, "flip", "with their task");
	ok(gk_store_events(store, id, count_steps, &steps, &e) == 0 && steps == 2, "events come back in order");
	gk_store_close(store);
	ok(access(journal_path(), F_OK) == 0, "the journal is one file");
}

static void what_was_not_committed_has_not_happened(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	int64_t id = one_trajectory(store);
	int steps = 0;

	gk_store_begin(store, &e);
	add_event(store, id, 0, GK_EVENT_STARTED, &e);
	gk_store_close(store);
	store = gk_store_open(folder, &e);
	gk_store_events(store, 0, count_steps, &steps, &e);
	is_int(steps, 0, "an event without commit is gone");
	gk_store_close(store);
}

static void steps_come_without_gaps_and_stay(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	int64_t id = one_trajectory(store);

	gk_store_begin(store, &e);
	ok(add_event(store, id, 1, GK_EVENT_STARTED, &e) < 0, "a first step that is not 0 is refused");
	ok(strstr(e.text, "steps come without gaps") != NULL, "and why is said");
	ok(add_event(store, id, 0, GK_EVENT_STARTED, &e) == 0 && add_event(store, id, 2, GK_EVENT_ASKED, &e) < 0,
	   "a gap is refused");
	ok(add_event(store, id, 0, GK_EVENT_STARTED, &e) < 0, "a step that is there is refused");
	gk_store_commit(store, &e);
	gk_store_close(store);
	is_text(behind_its_back("UPDATE event SET kind = 'asked'"), "events are final", "no event is changed");
	is_text(behind_its_back("DELETE FROM event"), "events are final", "no event is deleted");
}

static void ask_once(struct gk_store *store, int64_t trajectory, int step, struct gk_store_ask *ask)
{
	struct gk_err e = {0};

	*ask = (struct gk_store_ask){0, trajectory, step, "generator", "replay:x", "p", "h", 0};
	if (gk_store_ask_add(store, ask, &e) < 0)
		printf("# %s\n", e.text);
}

static void an_answered_prompt_is_never_sent_again(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	gk_arena_auto arena = {0};
	int64_t id = one_trajectory(store);
	struct gk_store_ask first, second, *open = NULL;
	struct gk_store_answer answer = {0, "abc", "stop", {10, 2, 5, 1000}}, read = {0};
	size_t count = 0;
	bool found = false;

	ask_once(store, id, 1, &first);
	ask_once(store, id, 2, &second);
	ok(gk_store_send_start(store, first.id, 1, 100, &e) == 0 &&
	   gk_store_send_end(store, first.id, 1, 200, 200, "ok", &e) == 0, "a send is written, and its end");
	answer.ask = first.id;
	ok(gk_store_answer_add(store, &answer, &e) == 0, "its answer is written");
	ok(gk_store_send_start(store, first.id, 2, 300, &e) < 0 && strstr(e.text, "never asked for again"),
	   "an answered prompt cannot be sent again");
	ok(gk_store_answer_add(store, &answer, &e) < 0, "nor answered twice");
	ok(gk_store_asks_open(store, &arena, &open, &count, &e) == 0 && count == 1 && open[0].id == second.id,
	   "only the other prompt is open");
	ok(gk_store_answer_get(store, first.id, &arena, &read, &found, &e) == 0 && found &&
	   read.usage.completion_tokens == 5, "the answer is read back");
	ok(gk_store_answer_get(store, second.id, &arena, &read, &found, &e) == 0 && !found, "the other has none");
	gk_store_close(store);
	is_text(behind_its_back("DELETE FROM answer"), "answers are final", "no answer is deleted");
}

static void a_send_without_an_end_is_lost_and_booked(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	gk_arena_auto arena = {0};
	int64_t id = one_trajectory(store);
	struct gk_store_ask ask, *lost = NULL;
	struct gk_store_ledger ledger;
	gk_json_auto *booked = json_pack("{s:i}", "cost_nano_usd", 700), *unknown = json_pack("{s:n}", "cost_nano_usd");
	size_t count = 0;

	ask_once(store, id, 1, &ask);
	gk_store_send_start(store, ask.id, 1, 100, &e);
	ok(gk_store_sends_lost(store, &arena, &lost, &count, &e) == 0 && count == 1 && lost[0].id == ask.id,
	   "a send without an end is lost");
	ok(gk_store_sends_lost(store, &arena, &lost, &count, &e) == 0 && count == 0, "once");
	gk_store_fact_add(store, "lost", booked, &e);
	gk_store_fact_add(store, "lost", unknown, &e);
	ok(gk_store_ledger(store, &ledger, &e) == 0 && ledger.lost == 1 && ledger.sends == 1, "the ledger counts it");
	is_int(ledger.cost_nano_usd, 700, "at what it may have cost");
	is_int(ledger.unpriced, 1, "and says what has no price");
	gk_store_close(store);
}

static void blobs_are_found_by_hash_inside_and_outside(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	gk_arena_auto arena = {0};
	size_t large = GK_BLOB_INSIDE_MAX + 1, size = 0;
	gk_free_auto char *bytes = gk_alloc(large);
	char inside[GK_HEX_SIZE], outside[GK_HEX_SIZE], again[GK_HEX_SIZE], empty[GK_HEX_SIZE], path[256];
	char *read = NULL;

	memset(bytes, 'x', large);
	ok(gk_store_blob_put(store, "kernel", 6, inside, &e) == 0 && gk_store_blob_put(store, bytes, large, outside, &e) == 0,
	   "small and large bytes are taken");
	ok(gk_store_blob_put(store, "kernel", 6, again, &e) == 0 && strcmp(inside, again) == 0, "twice is once");
	ok(gk_store_blob_get(store, inside, &arena, &read, &size, &e) == 0 && size == 6 && memcmp(read, "kernel", 6) == 0,
	   "small ones come back");
	ok(gk_store_blob_get(store, outside, &arena, &read, &size, &e) == 0 && size == large && read[large - 1] == 'x',
	   "large ones come back");
	ok(gk_store_blob_put(store, "", 0, empty, &e) == 0 && gk_store_blob_get(store, empty, &arena, &read, &size, &e) == 0 &&
	   size == 0, "nothing is something, too");
	snprintf(path, sizeof path, "%s/blobs/%.2s/%s", folder, outside, outside + 2);
	ok(access(path, F_OK) == 0, "large ones are files");
	bytes[0] = 'y';
	gk_file_write(path, bytes, large, &e);
	ok(gk_store_blob_get(store, outside, &arena, &read, &size, &e) < 0 && strstr(e.text, "has changed"),
	   "a file that changed is found out");
	ok(gk_store_blob_get(store, "../../etc/passwd", &arena, &read, &size, &e) < 0, "a hash that is none is refused");
	gk_store_close(store);
}

/* A verdict with one executed case, one timed, one timed in vain and one that met no clock. */
static int add_timed_verdict(struct gk_store *store, int64_t trajectory, const char *purpose, int64_t *id, struct gk_err *e)
{
	struct gk_case_result cases[4] = {
		{.case_id = "N=1", .part = "exec", .kind = "", .message = ""},
		{.case_id = "N=1", .part = "perf", .kind = "", .message = ""},
		{.case_id = "N=2", .part = "perf", .outcome = GK_FAIL, .kind = "clock_mismatch", .message = "clocks differ"},
		{.case_id = "N=3", .part = "perf", .outcome = GK_UNDECIDED, .kind = "no_memory", .message = "too large"},
	};
	struct gk_verdict verdict = {.stage = GK_STAGE_PERF, .kind = "pass", .message = "", .plan_hash = "",
	                             .evidence = GK_SEALED, .cases = cases, .case_count = 4};
	int rc;

	cases[0].detail = json_pack("{s:f}", "speedup", 9.0); /* no timing, whatever it says */
	cases[1].detail = json_pack("{s:f, s:f, s:f, s:f}", "speedup", 1.25, "low", 1.2, "high", 1.3, "floor", 0.004);
	cases[1].samples = json_pack("{s:{s:[f, f]}}", "a", "ms", 1.5, 1.25);
	cases[2].samples = json_pack("{s:n}", "b");
	rc = gk_store_verdict_add(store, trajectory, 1, purpose, "c0de", "test", &verdict, id, e);
	json_decref(cases[0].detail);
	json_decref(cases[1].detail);
	json_decref(cases[1].samples);
	json_decref(cases[2].samples);
	return rc;
}

static void timings_stand_by_their_verdict(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	gk_arena_auto arena = {0};
	int64_t id = one_trajectory(store), attempt = 0, confirm = 0, found = 0;
	struct gk_store_timing *timings;
	gk_json_auto *samples = NULL;
	char hash[GK_HEX_SIZE];
	size_t count = 9;

	gk_store_begin(store, &e);
	ok(add_timed_verdict(store, id, "attempt", &attempt, &e) == 0 && add_timed_verdict(store, id, "confirm", &confirm, &e) == 0,
	   "verdicts with timings are taken");
	gk_store_commit(store, &e);
	ok(gk_store_timings(store, attempt, &arena, &timings, &count, &e) == 0 && count == 2, "a row per case that met a clock");
	gk_store_case_hash("N=1", hash);
	is_text(timings[0].case_hash, hash, "by the case's hash");
	near(timings[0].low, 1.2, 0, "the interval's low end");
	near(timings[0].mid, 1.25, 0, "the figure");
	near(timings[0].high, 1.3, 0, "the interval's high end");
	near(timings[0].floor, 0.004, 0, "the noise floor");
	ok(isnan(timings[1].mid) && timings[1].samples_hash, "what gave no figure keeps its samples");
	ok(gk_store_json_get(store, timings[0].samples_hash, &samples, &e) == 0, "samples are found by hash");
	near(json_number_value(json_array_get(json_object_get(json_object_get(samples, "a"), "ms"), 0)), 1.5, 0, "as they were");
	ok(gk_store_verdict_find(store, id, "confirm", "c0de", &found, &e) == 0 && found == confirm,
	   "a verdict is found by purpose and candidate");
	ok(gk_store_verdict_find(store, id, "confirm", "dead", &found, &e) == 0 && found == 0, "or there is none");
	ok(gk_store_timings(store, 77, &arena, &timings, &count, &e) == 0 && count == 0, "no verdict, no timings");
	gk_store_begin(store, &e);
	add_timed_verdict(store, id, "attempt", &found, &e);
	gk_store_rollback(store);
	ok(gk_store_timings(store, found, &arena, &timings, &count, &e) == 0 && count == 0, "they go with their transaction");
	gk_store_close(store);
}

static void the_second_process_is_told_of_the_first(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e), *reader;
	char pid[32];
	int status = 0;

	one_trajectory(store);
	snprintf(pid, sizeof pid, "process %d on ", (int)getpid());
	if (fork() == 0) {
		struct gk_store *second = gk_store_open(folder, &e);

		_exit(second == NULL && strstr(e.text, pid) && strstr(e.text, "in use") ? 0 : 1);
	}
	wait(&status);
	is_int(status, 0, "a second writer is refused and told who is first");
	reader = gk_store_open_read(folder, &e);
	ok(reader != NULL, "a reader is let in");
	gk_store_close(reader);
	gk_store_close(store);
	store = gk_store_open(folder, &e);
	ok(store != NULL, "the lock ends with the store");
	gk_store_close(store);
}

static void a_killed_writer_loses_nothing_that_was_committed(void)
{
	struct gk_err e = {0};
	struct gk_store *store;
	int status, steps = 0;
	pid_t child = fork();

	if (child == 0) {
		store = gk_store_create(folder, &e);
		int64_t id = one_trajectory(store);
		gk_store_begin(store, &e);
		add_event(store, id, 0, GK_EVENT_STARTED, &e);
		gk_store_commit(store, &e);
		gk_store_begin(store, &e);
		add_event(store, id, 1, GK_EVENT_ASKED, &e);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, &status, 0);
	store = gk_store_open(folder, &e);
	ok(store && gk_store_events(store, 0, count_steps, &steps, &e) == 0, "the journal of a killed process opens");
	is_int(steps, 1, "with what was committed, and nothing else");
	gk_store_close(store);
}

static void bad_files_are_one_line(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_create(folder, &e);
	char rubbish[8192];

	one_trajectory(store);
	gk_store_close(store);
	ok(gk_store_create(folder, &e) == NULL && strstr(e.text, "holds a run already"), "a journal is never overwritten");
	behind_its_back("PRAGMA user_version = 99");
	ok(gk_store_open(folder, &e) == NULL && strstr(e.text, "version 99"), "a newer version is refused");
	ok(gk_store_open_read(folder, &e) == NULL && strstr(e.text, "version 99"), "for reading as well");
	memset(rubbish, 'z', sizeof rubbish);
	gk_file_write(journal_path(), rubbish, sizeof rubbish, &e);
	ok(gk_store_open(folder, &e) == NULL && strstr(e.text, "is damaged"), "a file that is no database is named damaged");
	ok(gk_store_open("/no/such/folder", &e) == NULL && strstr(e.text, "not a run folder"), "no folder, no journal");
	fresh_folder();
	gk_dir_make(folder, &e);
	gk_file_write(journal_path(), "", 0, &e);
	store = gk_store_open(folder, &e);
	ok(store != NULL && !gk_store_has_run(store), "an empty file, left by a process killed at birth, is begun anew");
	gk_store_close(store);
}

/* In a child with a mount namespace of its own: a file system of 400 KiB. */
static int on_a_small_disk(void)
{
	struct gk_err e = {0};
	gk_free_auto char *bytes = gk_alloc(GK_BLOB_INSIDE_MAX);
	char hash[GK_HEX_SIZE];
	int steps = 0, full;
	int64_t id;

	gk_dir_make(folder, &e);
	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("none", folder, "tmpfs", 0, "size=400k") < 0)
		return 77;
	struct gk_store *store = gk_store_create(folder, &e);
	id = one_trajectory(store);
	gk_store_begin(store, &e);
	add_event(store, id, 0, GK_EVENT_STARTED, &e);
	full = (gk_store_blob_put(store, bytes, GK_BLOB_INSIDE_MAX, hash, &e) < 0 || gk_store_commit(store, &e) < 0) &&
	       strstr(e.text, "the disk is full; free some space");
	gk_store_close(store);
	if (!full)
		return 1;
	store = gk_store_open(folder, &e);
	return store && gk_store_events(store, 0, count_steps, &steps, &e) == 0 && steps == 0 ? 0 : 2;
}

static void a_full_disk_is_said_and_leaves_the_journal_as_it_was(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(on_a_small_disk());
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip("a full disk is one line, and the journal is as before", "no file system can be mounted here");
	else
		is_int(status, 0, "a full disk is one line, and the journal is as before");
}

int main(void)
{
	char template[] = "/tmp/gk-store-XXXXXX";
	struct gk_err e;
	void (*const tests[])(void) = {
		what_is_written_is_read_back,
		what_was_not_committed_has_not_happened,
		steps_come_without_gaps_and_stay,
		an_answered_prompt_is_never_sent_again,
		a_send_without_an_end_is_lost_and_booked,
		blobs_are_found_by_hash_inside_and_outside,
		timings_stand_by_their_verdict,
		the_second_process_is_told_of_the_first,
		a_killed_writer_loses_nothing_that_was_committed,
		bad_files_are_one_line,
		a_full_disk_is_said_and_leaves_the_journal_as_it_was,
	};

	if (!mkdtemp(template))
		return 3;
	for (size_t i = 0; i < gk_count_of(tests); i++) {
		snprintf(folder, sizeof folder, "%s/%zu", template, i);
		tests[i]();
	}
	gk_tree_remove(template, &e);
	return done_testing();
}
