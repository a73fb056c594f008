/* Models that are files: replay and spool. */
#include "llm/llm.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "tap.h"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HASH_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

struct heard {
	struct gk_loop *loop;
	int answers, wanted;
	uint64_t id;
	enum gk_answer_status status;
	char text[128], error[1024], warning[512];
	struct gk_usage usage;
};

static void answered(void *ctx, const struct gk_model_answer *answer)
{
	struct heard *heard = ctx;

	heard->id = answer->id;
	heard->status = answer->status;
	heard->usage = answer->usage;
	snprintf(heard->text, sizeof(heard->text), "%.100s", answer->text);
	snprintf(heard->error, sizeof(heard->error), "%s", answer->status == GK_ANSWER_OK ? "" : answer->err.text);
	snprintf(heard->warning, sizeof(heard->warning), "%s", answer->warning ? answer->warning : "");
	if (++heard->answers == heard->wanted)
		gk_loop_stop(heard->loop);
}

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_text(const char *name, const char *text)
{
	struct gk_err e;

	gk_file_write(in_folder(name), text, strlen(text), &e);
}

static struct gk_model_request request_for(const char *role, int trajectory, int ordinal, int sample,
                                           const char *prompt_hash)
{
	return (struct gk_model_request){.id = 42, .task = "soft max", .role = role, .trajectory = trajectory,
	                                 .step = 3, .ordinal = ordinal, .sample = sample, .system = "sys",
	                                 .user = "usr", .prompt_hash = prompt_hash, .temperature = 1};
}

static void ask(struct gk_endpoint *endpoint, struct heard *heard, const char *role, int trajectory, int ordinal,
                int sample, const char *prompt_hash)
{
	struct gk_model_request request = request_for(role, trajectory, ordinal, sample, prompt_hash);
	struct gk_err e;

	heard->answers = 0;
	heard->wanted = 1;
	gk_endpoint_start(endpoint, &request, &e);
	ok(heard->answers == 0, "nothing is answered from within the question");
	gk_loop_run(heard->loop);
}

/* Written by the same functions that turn runs into replay files. */
static void write_replay(void)
{
	gk_buf_auto out = GK_BUF_INIT;
	struct gk_replay_record record = {.task = "soft max", .role = "generator", .model = "spool:x",
	                                  .prompt_hash = HASH_A, .system = "s", .user = "u {{x}}\n",
	                                  .answer = "first \"quoted\"\n", .finish = "stop", .note = "by hand",
	                                  .usage = {10, 2, 5, -1}};
	struct gk_err e;

	gk_replay_add_header(&out, "written by the test", "a seed");
	gk_replay_add_record(&out, &record);
	record.answer = "second";
	record.trajectory = 1;
	record.system = record.user = NULL;
	gk_replay_add_record(&out, &record);
	record.answer = "of the reflector";
	record.trajectory = 0;
	record.role = "reflector";
	record.prompt_hash = HASH_B;
	gk_replay_add_record(&out, &record);
	gk_file_write(in_folder("replay.jsonl"), out.bytes, out.size, &e);
}

static struct gk_endpoint *open_model(const char *kind, const char *name, const struct gk_llm_options *options,
                                      struct heard *heard, struct gk_err *e)
{
	char model[300];

	snprintf(model, sizeof(model), "%s:%s", kind, in_folder(name));
	return gk_llm_open(model, options, heard->loop, answered, NULL, heard, e);
}

static void test_replay(struct gk_loop *loop)
{
	struct heard h = {.loop = loop};
	struct gk_err e = {0};
	struct gk_llm_options strict = {.replay_strict = true};
	struct gk_endpoint *endpoint;

	write_replay();
	endpoint = open_model("replay", "replay.jsonl", NULL, &h, &e);
	if (!ok(endpoint != NULL, e.text))
		return;
	ask(endpoint, &h, "generator", 0, 0, 0, HASH_A);
	is_text(h.text, "first \"quoted\"\n", "the same prompt at the same place gets its answer");
	ok(h.id == 42 && h.usage.prompt_tokens == 10 && h.usage.cost_nano_usd == 0, "with its tokens, and costs nothing");
	ask(endpoint, &h, "generator", 1, 0, 0, HASH_A);
	is_text(h.text, "second", "the place tells answers to one prompt apart");
	ask(endpoint, &h, "generator", 7, 0, 3, HASH_A);
	is_text(h.text, "second", "elsewhere the sample chooses among them");
	is_text(h.warning, "", "without a warning");
	ask(endpoint, &h, "reflector", 0, 0, 1, HASH_C);
	is_text(h.text, "of the reflector", "another prompt at the same place gets the answer");
	ok(strstr(h.warning, "reflector of task soft max, trajectory 0, request 0") != NULL, "with a warning");
	ask(endpoint, &h, "reflector", 0, 1, 1, HASH_C);
	ok(h.status == GK_ANSWER_REFUSED && strstr(h.error, "no answer was recorded for reflector of task soft max"),
	   "what is not there is refused in words");
	gk_endpoint_close(endpoint);

	endpoint = open_model("replay", "replay.jsonl", &strict, &h, &e);
	ask(endpoint, &h, "reflector", 0, 0, 1, HASH_C);
	is_int(h.status, GK_ANSWER_REFUSED, "strictly, only the same prompt counts");
	gk_endpoint_close(endpoint);
}

static void test_bad_replay(struct gk_loop *loop)
{
	static const struct {
		const char *text, *error, *behaviour;
	} files[] = {
		{"", "the file is empty", "an empty file"},
		{"{\"a\":1}\n", "not a replay file", "a file without its header"},
		{"{\"geak_replay\":9,\"origin\":\"x\"}\n", "replay format 9", "a format of tomorrow"},
		{"{\"geak_replay\":1}\n", "origin", "a header that does not say where the answers are from"},
		{"{\"geak_replay\":1,\"origin\":\"x\"}\n\n{\"task\":1}\n", "bad.jsonl:3", "a record that is none, by line"},
		{"{\"geak_replay\":1,\"origin\":\"x\"}\n{\"task\":\"a\",\"rle\":\"b\"}\n", "rle", "an unknown field"},
		{"{\"geak_replay\":1,\"origin\":\"x\"}\n{\"task\":", "bad.jsonl:2", "a line cut in the middle"},
	};
	struct heard h = {.loop = loop};
	size_t i;

	for (i = 0; i < gk_count_of(files); i++) {
		struct gk_err e = {0};

		write_text("bad.jsonl", files[i].text);
		ok(!open_model("replay", "bad.jsonl", NULL, &h, &e) && strstr(e.text, files[i].error), files[i].behaviour);
		printf("# %s\n", e.text);
	}
}

#define SPOOL_NAME "box/soft_max.t2.s03.generator.aaaaaaaa"

static void put_answer(void *ctx)
{
	(void)ctx;
	write_text(SPOOL_NAME ".answer.md", "the answer\n");
}

static void test_spool(struct gk_loop *loop)
{
	static const struct gk_llm_options options = {.poll_ms = 20};
	struct heard h = {.loop = loop, .wanted = 1};
	struct gk_err e = {0};
	struct gk_model_request request = request_for("generator", 2, 0, 0, HASH_A);
	struct gk_endpoint *endpoint = open_model("spool", "box", &options, &h, &e);
	gk_free_auto char *prompt = NULL, *json = NULL;
	struct gk_timer *timer;
	size_t size;

	if (!ok(endpoint != NULL, e.text))
		return;
	ok(gk_endpoint_start(endpoint, &request, &e) == 0, "a prompt is taken");
	ok(gk_file_read(in_folder(SPOOL_NAME ".prompt.md"), 10000, &prompt, &size, &e) == 0 &&
	           strstr(prompt, "# System\n\nsys\n\n# User\n\nusr\n"),
	   "and lies there for people");
	ok(gk_file_read(in_folder(SPOOL_NAME ".prompt.json"), 10000, &json, &size, &e) == 0 &&
	           strstr(json, "\"answer_file\": \"soft_max.t2.s03.generator.aaaaaaaa.answer.md\""),
	   "and for programs");
	timer = gk_loop_timer(loop, 40, 0, put_answer, NULL);
	gk_loop_run(loop);
	is_text(h.text, "the answer\n", "the answer is found when it comes");
	ok(h.status == GK_ANSWER_OK && h.usage.cost_nano_usd == -1, "its cost is not known");
	gk_timer_stop(&timer);
	gk_endpoint_close(endpoint);

	endpoint = open_model("spool", "box", &options, &h, &e);
	ask(endpoint, &h, "generator", 2, 0, 0, HASH_A);
	is_text(h.text, "the answer\n", "an answer that came meanwhile is found after a restart");
	gk_endpoint_close(endpoint);
}

static void test_spool_patience(struct gk_loop *loop)
{
	static const struct gk_llm_options options = {.poll_ms = 30};
	struct heard h = {.loop = loop, .wanted = 1};
	struct gk_err e = {0};
	struct gk_model_request first = request_for("generator", 0, 0, 0, HASH_A);
	struct gk_model_request second = request_for("generator", 0, 0, 0, HASH_B);
	struct gk_endpoint *endpoint = open_model("spool", "other", &options, &h, &e);

	first.id = 1;
	second.id = 2;
	gk_endpoint_start(endpoint, &first, &e);
	gk_endpoint_start(endpoint, &second, &e);
	write_text("other/soft_max.t0.s03.generator.aaaaaaaa.answer.md", "");
	write_text("other/soft_max.t0.s03.generator.bbbbbbbb.answer.md", "b");
	gk_loop_run(loop);
	ok(h.id == 2 && h.answers == 1, "answers come in any order, and an empty file is none");
	write_text("other/soft_max.t0.s03.generator.aaaaaaaa.answer.md", "a");
	gk_loop_run(loop);
	ok(h.answers >= 1, "the loop goes on for the other");
	while (h.answers < 2)
		gk_loop_turn(loop, true);
	ok(h.id == 1, "which is found in the end");
	gk_endpoint_close(endpoint);
	ok(!gk_loop_turn(loop, false) || !gk_loop_turn(loop, false), "and nothing stays in the loop");
}

static void write_more(void *ctx)
{
	int *written = ctx;

	if (*written < 10)
		write_text("slow/soft_max.t0.s03.generator.aaaaaaaa.answer.md", &"0123456789"[9 - (*written)++]);
}

static void test_spool_of_slow_writers(struct gk_loop *loop)
{
	static const struct gk_llm_options options = {.poll_ms = 100};
	struct heard h = {.loop = loop, .wanted = 1};
	struct gk_err e = {0};
	struct gk_model_request request = request_for("generator", 0, 0, 0, HASH_A);
	struct gk_endpoint *endpoint = open_model("spool", "slow", &options, &h, &e);
	int written = 0;
	struct gk_timer *timer = gk_loop_timer(loop, 1, 30, write_more, &written);

	gk_endpoint_start(endpoint, &request, &e);
	gk_loop_run(loop);
	is_text(h.text, "0123456789", "a file that still changes is not taken yet");
	gk_timer_stop(&timer);
	gk_endpoint_close(endpoint);
}

int main(void)
{
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);

	snprintf(folder, sizeof(folder), "/tmp/geak-test-XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	test_replay(loop);
	test_bad_replay(loop);
	test_spool(loop);
	test_spool_patience(loop);
	test_spool_of_slow_writers(loop);
	gk_loop_free(loop);
	gk_tree_remove(folder, &e);
	return done_testing();
}
