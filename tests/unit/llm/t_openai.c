/*
 * The openai endpoint against a local server with faults (tests/command/fake_openai.py). A scene is a list of
 * faults, one per HTTP request; what counts is the status of the answer, the text, and what the ledger was told.
 */
#include "llm/llm.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "tap.h"

#define ANSWER "Strategy: s\n```python\nprint('\xc3\xa4\xc3\xb6\xc3\xbc, one piece after the other, many of them')\n```\n"

struct server {
	pid_t pid;
	char folder[64], port_file[96], log[96], url[64];
};

static void start_process(struct server *s, const char *faults)
{
	s->pid = fork();
	if (s->pid == 0) {
		execlp("python3", "python3", "tests/command/fake_openai.py", "--port-file", s->port_file, "--answer",
		       ANSWER, "--faults", faults, "--log", s->log, (char *)NULL);
		_exit(127);
	}
}

static bool start_server(struct server *s, const char *faults)
{
	gk_free_auto char *port = NULL;
	struct gk_err e;
	size_t size;
	int i;

	snprintf(s->folder, sizeof(s->folder), "/tmp/geak-test-XXXXXX");
	if (!mkdtemp(s->folder))
		return false;
	snprintf(s->port_file, sizeof(s->port_file), "%s/port", s->folder);
	snprintf(s->log, sizeof(s->log), "%s/log", s->folder);
	start_process(s, faults);
	for (i = 0; i < 1500 && !gk_path_exists(s->port_file) && waitpid(s->pid, NULL, WNOHANG) == 0; i++)
		usleep(10000);
	if (gk_file_read(s->port_file, 64, &port, &size, &e) < 0)
		return false;
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/v1/", atoi(port));
	return true;
}

static void stop_server(struct server *s)
{
	struct gk_err e;

	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	gk_tree_remove(s->folder, &e);
}

struct heard {
	struct gk_loop *loop;
	int answers, wanted;
	enum gk_answer_status status;
	int sends;
	char text[512], finish[32], error[1024], outcomes[256];
	struct gk_usage usage;
	int open_sends, most_open;
};

static void answered(void *ctx, const struct gk_model_answer *answer)
{
	struct heard *heard = ctx;

	heard->status = answer->status;
	heard->sends = answer->sends;
	heard->usage = answer->usage;
	snprintf(heard->text, sizeof(heard->text), "%s", answer->text);
	snprintf(heard->finish, sizeof(heard->finish), "%s", answer->finish);
	snprintf(heard->error, sizeof(heard->error), "%s", answer->status == GK_ANSWER_OK ? "" : answer->err.text);
	if (++heard->answers == heard->wanted)
		gk_loop_stop(heard->loop);
}

static void sent(void *ctx, uint64_t id, int send, int64_t started_ns, int64_t ended_ns, int http_status,
                 const char *outcome)
{
	struct heard *heard = ctx;
	size_t used = strlen(heard->outcomes);

	(void)id, (void)send, (void)started_ns;
	heard->open_sends += ended_ns ? -1 : 1;
	if (heard->open_sends > heard->most_open)
		heard->most_open = heard->open_sends;
	if (ended_ns)
		snprintf(heard->outcomes + used, sizeof(heard->outcomes) - used, "%s%s:%d", used ? " " : "", outcome,
		         http_status);
}

static void ask(struct gk_endpoint *endpoint, uint64_t id)
{
	struct gk_model_request request = {.id = id, .task = "t", .role = "generator", .system = "be good",
	                                   .user = "write it", .prompt_hash = "00", .temperature = 1,
	                                   .max_tokens = 100};
	struct gk_err e;

	gk_endpoint_start(endpoint, &request, &e);
}

static void converse(const char *url, const struct gk_llm_options *base, int count, struct heard *heard)
{
	struct gk_llm_options options = *base;
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);
	struct gk_endpoint *endpoint;
	int i;

	options.base_url = url;
	*heard = (struct heard){.loop = loop, .wanted = count, .status = GK_ANSWER_FATAL};
	endpoint = gk_llm_open("openai:fake", &options, loop, answered, sent, heard, &e);
	if (!endpoint)
		snprintf(heard->error, sizeof(heard->error), "%s", e.text);
	for (i = 0; endpoint && i < count; i++)
		ask(endpoint, (uint64_t)i + 1);
	if (endpoint)
		gk_loop_run(loop);
	gk_endpoint_close(endpoint);
	gk_loop_free(loop);
}

struct scene {
	const char *faults;
	enum gk_answer_status status;
	const char *outcomes, *behaviour, *error; /* a piece of it */
};

static const struct scene scenes[] = {
	{"ok", GK_ANSWER_OK, "ok:200", "a stream is put together", ""},
	{"plain", GK_ANSWER_OK, "ok:200", "a whole answer is taken as well", ""},
	{"nodone", GK_ANSWER_OK, "ok:200", "a stream without [DONE] but with a finish is whole", ""},
	{"429=0,503,500", GK_ANSWER_OK, "rate_limited:429 server_error:503 server_error:500 ok:200",
	 "refusals for now are followed by another try", ""},
	{"reset", GK_ANSWER_OK, "broken:200 ok:200", "a reset in mid-stream is tried again from the start", ""},
	{"cut", GK_ANSWER_OK, "broken:200 ok:200", "so is a stream without an end", ""},
	{"stall", GK_ANSWER_OK, "stalled:200 ok:200", "so is one that falls silent", ""},
	{"silent", GK_ANSWER_OK, "stalled:0 ok:200", "and one that never speaks", ""},
	{"garbage,badjson,huge", GK_ANSWER_OK, "garbage:200 garbage:200 garbage:200 ok:200",
	 "what is no answer is tried again", ""},
	{"error", GK_ANSWER_OK, "server_error:200 ok:200", "an error within the stream is tried again", ""},
	{"500,500,500,500,500", GK_ANSWER_EXHAUSTED,
	 "server_error:500 server_error:500 server_error:500 server_error:500", "but not for ever",
	 "no answer after 4 requests; the last one: HTTP 500: this is a 500"},
	{"401", GK_ANSWER_FATAL, "unauthorized:401", "a wrong key ends it", "the key is from GEAK_API_KEY"},
	{"403", GK_ANSWER_FATAL, "unauthorized:403", "so does a forbidden one", "HTTP 403"},
	{"404", GK_ANSWER_FATAL, "not_found:404", "so does a model that is not there", "is the model \"fake\" right"},
	{"quota", GK_ANSWER_FATAL, "no_credit:429", "no credit is not a matter of waiting", "quota"},
	{"redirect", GK_ANSWER_FATAL, "unexpected_status:302", "the key is not carried elsewhere", "HTTP 302"},
	{"context", GK_ANSWER_REFUSED, "too_long:400", "a prompt that is too long is refused", "context length"},
	{"filter", GK_ANSWER_OK, "ok:200", "a filtered answer with text is handed on", ""},
	{"slow", GK_ANSWER_OK, "ok:200", "a slow stream is no silent one", ""},
	{"notemp,maxtok,notemp", GK_ANSWER_OK, "bad_request:400 bad_request:400 ok:200",
	 "fields that the server refuses are left out, one after the other", ""},
	{"maxtok,maxtok", GK_ANSWER_OK, "bad_request:400 ok:200", "a limit of another name is renamed", ""},
};

static void test_scenes(void)
{
	static const struct gk_llm_options options = {.max_sends = 4, .stall_ms = 400, .backoff_ms = 4,
	                                              .backoff_max_ms = 20};
	struct heard heard;
	struct server server;
	size_t i;

	for (i = 0; i < gk_count_of(scenes); i++) {
		const struct scene *scene = &scenes[i];

		if (!start_server(&server, scene->faults)) {
			ok(false, "the server starts");
			continue;
		}
		converse(server.url, &options, 1, &heard);
		is_text(heard.outcomes, scene->outcomes, scene->behaviour);
		ok(heard.answers == 1 && heard.status == scene->status, "exactly one answer, of the right kind");
		if (scene->status == GK_ANSWER_OK)
			is_text(heard.text, ANSWER, "with the whole text");
		else
			ok(strstr(heard.error, scene->error), heard.error);
		is_int(heard.open_sends, 0, "every send is told as ended");
		stop_server(&server);
	}
}

static void test_ledger(void)
{
	static const struct gk_llm_options options = {.backoff_ms = 1, .prices_file = "tests/data/prices.yaml"};
	struct heard heard;
	struct server server;

	if (!start_server(&server, "500"))
		return;
	converse(server.url, &options, 1, &heard);
	is_int(heard.usage.prompt_tokens, 3, "prompt tokens as reported");
	is_int(heard.usage.completion_tokens, (long long)(sizeof(ANSWER) - 1 - 3) / 4, "completion tokens as well");
	is_int(heard.usage.cost_nano_usd, 3 * 2000 + 8000 * heard.usage.completion_tokens, "and what they cost");
	is_int(heard.sends, 2, "requests are counted");
	is_text(heard.finish, "stop", "the reason to finish is handed on");
	stop_server(&server);
}

static void test_retry_after(void)
{
	static const struct gk_llm_options options = {.backoff_ms = 1, .backoff_max_ms = 5000};
	struct heard heard;
	struct server server;
	int64_t started_ns;

	if (!start_server(&server, "429=1"))
		return;
	started_ns = gk_clock_ns();
	converse(server.url, &options, 1, &heard);
	ok(heard.status == GK_ANSWER_OK && gk_clock_ns() - started_ns >= 990000000,
	   "Retry-After is waited for");
	stop_server(&server);
}

static void test_many(void)
{
	static const struct gk_llm_options options = {.backoff_ms = 2, .max_parallel = 3, .stall_ms = 2000};
	struct heard heard;
	struct server server;

	if (!start_server(&server, "500,reset,ok,429=0,cut,ok,garbage"))
		return;
	converse(server.url, &options, 20, &heard);
	is_int(heard.answers, 20, "many at once are all answered");
	is_int(heard.open_sends, 0, "and their sends are all told as ended");
	is_int(heard.most_open, 3, "never more at once than allowed");
	stop_server(&server);
}

static void test_dialects_at_once(void)
{
	static const struct gk_llm_options options = {.backoff_ms = 2, .max_parallel = 4};
	struct heard heard;
	struct server server;

	if (!start_server(&server, "notemp,notemp,notemp,notemp,notemp,notemp,notemp,notemp"))
		return;
	converse(server.url, &options, 4, &heard);
	ok(heard.answers == 4 && heard.status == GK_ANSWER_OK, "several that are refused a field at once all adapt");
	stop_server(&server);
}

static void test_unreachable(void)
{
	static const struct gk_llm_options options = {.backoff_ms = 1, .max_sends = 2};
	struct heard heard;

	converse("http://127.0.0.1:9/v1", &options, 1, &heard);
	is_text(heard.outcomes, "unreachable:0 unreachable:0", "a server that is not there is tried again");
	is_int(heard.status, GK_ANSWER_EXHAUSTED, "and may be there later");
	converse("ftp://example.org", &options, 1, &heard);
	ok(heard.status == GK_ANSWER_FATAL && strstr(heard.error, "not an http:// or https:// address"),
	   "an address of another kind is refused");
}

static void test_opening(void)
{
	struct gk_llm_options options = {.ca_file = NULL};
	struct gk_err e = {0};
	struct gk_loop *loop = gk_loop_new(&e);

	unsetenv("GEAK_API_KEY");
	ok(!gk_llm_open("openai:x", &options, loop, answered, NULL, NULL, &e) && strstr(e.text, "--key-file"),
	   "the public server needs a key");
	setenv("GEAK_API_KEY", "two words", 1);
	ok(!gk_llm_open("openai:x", &options, loop, answered, NULL, NULL, &e) && !strstr(e.text, "two words"),
	   "a broken key is refused, and not shown");
	ok(!gk_llm_open("opnai:x", &options, loop, answered, NULL, NULL, &e) && strstr(e.text, "opnai"),
	   "an unknown kind is refused");
	ok(!gk_llm_open("gpt", &options, loop, answered, NULL, NULL, &e), "a name without a kind is refused");
	ok(!gk_llm_open("replay:", &options, loop, answered, NULL, NULL, &e), "a kind without a name is refused");
	gk_loop_free(loop);
}

static void test_closing_in_flight(void)
{
	struct gk_llm_options options = {.max_parallel = 2};
	struct heard heard = {.wanted = 9};
	struct server server;
	struct gk_err e = {0};
	struct gk_endpoint *endpoint;
	int i;

	if (!start_server(&server, "stall,silent"))
		return;
	heard.loop = gk_loop_new(&e);
	options.base_url = server.url;
	endpoint = gk_llm_open("openai:fake", &options, heard.loop, answered, sent, &heard, &e);
	for (i = 0; i < 4; i++)
		ask(endpoint, (uint64_t)i);
	for (i = 0; i < 50 && heard.open_sends < 2; i++)
		gk_loop_turn(heard.loop, true);
	gk_endpoint_close(endpoint);
	ok(heard.answers == 0 && heard.open_sends == 2, "closing abandons what is in flight without a word");
	ok(!gk_loop_turn(heard.loop, false) || !gk_loop_turn(heard.loop, false), "and leaves nothing in the loop");
	gk_loop_free(heard.loop);
	stop_server(&server);
}

int main(void)
{
	if (system("python3 -c 'import http.server' >/dev/null 2>&1") != 0) {
		skip("the openai endpoint", "python3 is not there");
		return done_testing();
	}
	setenv("GEAK_API_KEY", "sk-test", 1);
	test_scenes();
	test_ledger();
	test_retry_after();
	test_many();
	test_dialects_at_once();
	test_unreachable();
	test_closing_in_flight();
	test_opening();
	return done_testing();
}
