/* A run told from its journal: the story, its JSON, and the page, with a model that means no good. */
#include <sqlite3.h>

#include "unit/run/script.h"

#include "view/page.h"
#include "view/story.h"
#include "view/summary.h"

static char folder[] = "/tmp/gk-report-XXXXXX";

static void add_event(struct gk_store *store, int step, enum gk_event_kind kind, json_t *body)
{
	struct gk_event event = {.trajectory = 1, .step = step, .kind = kind, .body = body};
	struct gk_err e;

	if (gk_store_event_add(store, &event, 0, &e) < 0)
		printf("# %s\n", e.text);
	json_decref(body);
}

static json_t *hostile_verdict(void)
{
	struct gk_case_result result = {.case_id = "M=1<img src=x>", .part = "exec", .outcome = GK_FAIL, .kind = "wrong_values",
	                                .message = "</td><script>1</script>"};
	struct gk_verdict verdict = {.stage = GK_STAGE_EXEC, .outcome = GK_FAIL, .kind = "<b>", .call = true,
	                             .evidence = GK_SIMULATED, .plan_hash = "", .cases = &result, .case_count = 1,
	                             .message = "wrong \x1b[31m<script>alert(1)</script>"};
	json_t *json;

	result.detail = json_loads("{\"outputs\": {\"out\": {\"map\": [[0, 3]]}}}", 0, NULL);
	verdict.kernels = json_loads("[{\"name\": \"k<script>\", \"regs\": 96, \"occupancy\": {\"warps\": 20, "
	                             "\"max_warps\": 64, \"limit\": \"<img>\"}}, 7]",
	                             0, NULL);
	json = gk_verdict_to_json(&verdict);
	json_decref(result.detail);
	json_decref(verdict.kernels);
	return json;
}

static void write_run(struct gk_store *store)
{
	struct gk_err e;
	char code[GK_HEX_SIZE], thought[GK_HEX_SIZE];
	const char *source = "import triton  # </pre><script>2</script>\n", *text = "Because <script>3</script>";

	gk_store_begin(store, &e);
	gk_store_blob_put(store, source, strlen(source), code, &e);
	gk_store_blob_put(store, text, strlen(text), thought, &e);
	add_event(store, 0, GK_EVENT_STARTED, json_pack("{s:s}", "task", "row_softmax"));
	add_event(store, 1, GK_EVENT_ASKED, json_pack("{s:s, s:s}", "role", "generator", "prompt", code));
	add_event(store, 2, GK_EVENT_ANSWERED, json_pack("{s:s, s:s}", "role", "generator", "answer", code));
	add_event(store, 3, GK_EVENT_PARSED, json_pack("{s:s, s:b, s:s, s:s, s:s}", "role", "generator", "ok", 1, "strategy",
	                                               "be <i>bold</i>", "code", code, "problem", ""));
	add_event(store, 4, GK_EVENT_JUDGED, json_pack("{s:s, s:o}", "code", code, "verdict", hostile_verdict()));
	add_event(store, 5, GK_EVENT_PARSED, json_pack("{s:s, s:b, s:s}", "role", "reflector", "ok", 1, "text", thought));
	add_event(store, 6, GK_EVENT_PARSED, json_pack("{s:s, s:b, s:n, s:s}", "role", "generator", "ok", 0, "code", "problem",
	                                               "no block"));
	add_event(store, 7, GK_EVENT_STOPPED, json_pack("{s:s, s:s}", "reason", "iterations", "message", "enough"));
	gk_store_commit(store, &e);
}

static void the_story_is_read(const struct gk_story *story)
{
	const struct gk_story_line *line = gk_story_line_of(story, "row_softmax", 0);

	ok(line && line->attempt_count == 2, "attempts are counted by the generator's answers");
	ok(line->attempts[0].judged && line->attempts[0].reflection && line->attempts[0].code, "what belongs to one is with it");
	is_text(gk_story_outcome(&line->attempts[0]), "<b>", "its outcome");
	is_text(gk_story_outcome(&line->attempts[1]), "no code", "and that of an answer without code");
	ok(line->stopped && strcmp(line->stop_reason, "iterations") == 0, "why it stopped");
	ok(!story->finished, "the others have not");
	ok(story->tasks[0].call && !story->tasks[0].exec && story->tasks[0].attempts == 2, "by task");
}

static void the_json_has_its_schema(const struct gk_story *story)
{
	gk_json_auto *json = gk_story_json(story);
	const json_t *task = json_array_get(json_object_get(json, "tasks"), 0);

	ok(json_is_object(json_object_get(json, "run")) && json_is_object(json_object_get(json, "ledger")), "run and ledger");
	is_text(json_string_value(json_object_get(task, "task")), "row_softmax", "a row per task");
	ok(json_is_true(json_object_get(task, "call")) && json_is_false(json_object_get(task, "exec")), "call and exec");
	ok(json_is_null(json_object_get(task, "speedup")) && json_is_null(json_object_get(task, "winner")), "what is not is null");
	near(json_number_value(json_object_get(json_object_get(json, "totals"), "call_accuracy")), 1.0 / 3, 1e-12,
	     "accuracies are over all tasks");
	ok(json_is_integer(json_object_get(json_object_get(json, "ledger"), "requests")), "the ledger counts");
}

/* Four trajectories of one task, two of them right; five of another, none right, one still under way. */
static void several_trajectories_have_a_pass_rate(void)
{
	struct gk_story_line lines[9] = {0}, *first[4], *second[5];
	struct gk_story_task tasks[2] = {{.id = "a", .lines = first, .line_count = 4, .exec = true},
	                                 {.id = "b", .lines = second, .line_count = 5}};
	struct gk_story story = {.folder = "x", .tasks = tasks, .task_count = 2, .lines = lines, .line_count = 9};
	struct gk_term term = {.width = 140, .height = 40};
	char *text = NULL;
	size_t size = 0;

	for (int i = 0; i < 9; i++) {
		lines[i].stopped = i != 8;
		lines[i].exec = i == 1 || i == 3;
		*(i < 4 ? &first[i] : &second[i - 4]) = &lines[i];
	}
	is_int((long long)gk_story_pass_most(&story), 4, "those that have ended count");
	near(gk_story_pass(&story, 1), 0.25, 1e-15, "pass@1 is the share that is right");
	near(gk_story_pass(&story, 2), (1 - 1.0 / 6) / 2, 1e-15, "pass@2 is without bias");
	term.out = open_memstream(&text, &size);
	gk_summary_print(&story, &term);
	fclose(term.out);
	ok(strstr(text, "pass@1 25%, pass@2 42%, pass@4 50% (of 4 trajectories a task)"), "the summary tells");
	free(text);
	lines[0].stopped = false;
	tasks[0].line_count = 1;
	is_int((long long)gk_story_pass_most(&story), 0, "nothing while a task has none that ended");
}

static void the_page_is_harmless(struct gk_store *store, const struct gk_story *story)
{
	gk_buf_auto page = GK_BUF_INIT;
	const char *text;

	gk_page_add(&page, store, story);
	text = gk_buf_text(&page);
	ok(!strstr(text, "<script") && !strstr(text, "<img") && !strstr(text, "<i>bold"), "no foreign tag gets into the page");
	ok(strstr(text, "&lt;script&gt;alert(1)&lt;/script&gt;") && !strchr(text, '\x1b'), "it is shown instead");
	ok(strstr(text, "default-src 'none'") && !strstr(text, "http://") && !strstr(text, "https://"),
	   "nothing is fetched from anywhere");
	ok(strstr(text, "class=off") != NULL, "where outputs differ is a picture");
	ok(strstr(text, "Not measured") && strstr(text, "Not finished"), "what is not known is said");
	ok(strstr(text, "2 lowered kernels") && strstr(text, "20 of 64, by &lt;img&gt;"), "kernels are told, whoever wrote them");
	ok(strstr(text, "Because &lt;script&gt;"), "reflections are told");
}

/* Rows that no geak has written: an error each, never a crash. */
static void damage(const char *sql, const char *value)
{
	gk_free_auto char *path = NULL;
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;

	if (asprintf(&path, "%s/journal.sqlite", folder) < 0)
		abort();
	sqlite3_open(path, &db);
	sqlite3_exec(db, "DROP TRIGGER IF EXISTS event_update", NULL, NULL, NULL);
	sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	sqlite3_bind_text(statement, 1, value, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE)
		printf("# %s\n", sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

static bool is_read(void)
{
	struct gk_err e = {0};
	struct gk_store *store = gk_store_open_read(folder, &e);
	struct gk_story story;
	bool read = store && gk_story_read(store, &story, &e) == 0;

	if (read)
		gk_story_release(&story);
	else
		ok(e.text[0] && !strchr(e.text, '\n'), "a damaged row is one line");
	gk_store_close(store);
	return read;
}

static void damaged_rows_are_errors(void)
{
	static const char *const bodies[] = {"{", "[]", "7", "{\"verdict\": 1}", "{\"role\": 5, \"verdict\": {}}",
	                                     "{\"verdict\": {\"stage\": \"\", \"cases\": [1]}}"};
	int read = 0;

	for (size_t i = 0; i < gk_count_of(bodies); i++) {
		damage("UPDATE event SET body = ? WHERE kind = 'judged'", bodies[i]);
		read += is_read();
	}
	is_int(read, 0, "none passes for a verdict");
	damage("UPDATE event SET body = ? WHERE kind = 'judged'", "{\"verdict\": null}");
	damage("UPDATE event SET kind = 'judged', body = ? WHERE step = 1", "{}");
	ok(!is_read(), "a verdict on nothing is refused");
	damage("UPDATE fact SET json = ? WHERE name = 'config'", "[1, 2");
	ok(!is_read(), "a configuration that is no JSON is refused");
}

/* Bytes changed at random all over the file: whatever is read, nothing breaks. */
static void a_damaged_file_never_breaks_the_reader(void)
{
	gk_free_auto char *path = NULL, *bytes = NULL;
	unsigned state = 2463534242u;
	int opened = 0;
	struct gk_err e;
	size_t size;

	if (asprintf(&path, "%s/journal.sqlite", folder) < 0 || gk_file_read(path, 1 << 26, &bytes, &size, &e) < 0)
		abort();
	for (int round = 0; round < 300; round++) {
		gk_free_auto char *damaged = gk_alloc(size);
		struct gk_store *store;
		struct gk_story story;

		memcpy(damaged, bytes, size);
		for (int i = 0; i < 1 + round % 8; i++) {
			state ^= state << 13, state ^= state >> 17, state ^= state << 5;
			damaged[state % size] = (char)(state >> 24);
		}
		gk_file_write(path, damaged, size, &e);
		store = gk_store_open_read(folder, &e);
		if (store && gk_story_read(store, &story, &e) == 0) {
			gk_buf_auto page = GK_BUF_INIT;

			gk_page_add(&page, store, &story);
			gk_story_release(&story);
			opened++;
		}
		gk_store_close(store);
	}
	ok(opened > 0 && opened < 300, "a file with damaged bytes is read, or refused");
}

static void fresh_run(void)
{
	struct gk_err e = {0};
	struct script_run run;

	gk_tree_remove(folder, &e);
	if (script_prepare(&run, folder, 1, &e) < 0)
		abort();
	write_run(run.options.store);
	script_end(&run);
}

int main(void)
{
	struct gk_err e = {0};
	struct script_run run;
	struct gk_story story;

	if (!mkdtemp(folder) || script_prepare(&run, folder, 1, &e) < 0)
		return 3;
	write_run(run.options.store);
	ok(gk_story_read(run.options.store, &story, &e) == 0, "a run is read");
	the_story_is_read(&story);
	several_trajectories_have_a_pass_rate();
	the_json_has_its_schema(&story);
	the_page_is_harmless(run.options.store, &story);
	ok(gk_page_write(run.options.store, &story, &e) == 0, "the page is written");
	gk_story_release(&story);
	script_end(&run);
	a_damaged_file_never_breaks_the_reader();
	fresh_run();
	damaged_rows_are_errors();
	gk_tree_remove(folder, &e);
	return done_testing();
}
