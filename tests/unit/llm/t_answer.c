/* The answer parser against tests/data/answers/cases.txt. */
#include "llm/answer.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "tap.h"

struct expected {
	char name[128], role[32], finish[32], problem[256], strategy[256];
	bool is_crlf;
	struct gk_buf answer, parts[4];
	size_t part_count;
};

static void release(struct expected *x)
{
	size_t i;

	gk_buf_release(&x->answer);
	for (i = 0; i < 4; i++)
		gk_buf_release(&x->parts[i]);
	memset(x, 0, sizeof(*x));
}

static void check_texts(const struct expected *x, const struct gk_answer *answer)
{
	const struct gk_span *spans = strcmp(x->role, "generator") == 0   ? &answer->code
	                              : strcmp(x->role, "optimizer") == 0 ? answer->directions
	                                                                  : &answer->text;
	size_t i;

	if (strcmp(x->role, "optimizer") == 0)
		is_int((long long)answer->direction_count, (long long)x->part_count, x->name);
	for (i = 0; i < x->part_count; i++) {
		gk_buf_auto got = GK_BUF_INIT;

		gk_buf_add(&got, spans[i].bytes, spans[i].size);
		if (strcmp(x->role, "generator") != 0)
			gk_buf_add_char(&got, '\n');
		is_text(gk_buf_text(&got), gk_buf_text(&x->parts[i]), x->name);
	}
}

static void check(struct expected *x)
{
	struct gk_answer answer;

	gk_answer_parse(x->role, gk_buf_text(&x->answer), x->answer.size, x->finish[0] ? x->finish : "stop", &answer);
	is_text(answer.problem, x->problem, x->name);
	ok(answer.ok == (x->problem[0] == '\0'), "and is usable just then");
	if (x->strategy[0])
		is_text(answer.strategy, x->strategy, x->name);
	if (answer.ok)
		check_texts(x, &answer);
	release(x);
}

static void add_line(const struct expected *x, struct gk_buf *to, const char *line)
{
	gk_buf_add_text(to, line);
	gk_buf_add_text(to, x->is_crlf ? "\r\n" : "\n");
}

static void take_word(struct expected *x, const char *line)
{
	if (gk_text_starts(line, "role "))
		snprintf(x->role, sizeof(x->role), "%s", line + 5);
	else if (gk_text_starts(line, "finish "))
		snprintf(x->finish, sizeof(x->finish), "%s", line + 7);
	else if (gk_text_starts(line, "problem "))
		snprintf(x->problem, sizeof(x->problem), "%s", line + 8);
	else if (gk_text_starts(line, "strategy "))
		snprintf(x->strategy, sizeof(x->strategy), "%s", line + 9);
	else if (strcmp(line, "crlf") == 0)
		x->is_crlf = true;
}

static void run_cases(char *text)
{
	struct expected x = {.name = ""};
	struct gk_buf *into = NULL;
	char *line, *next;

	for (line = text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (into && strcmp(line, into == &x.answer ? ">>>>" : "]]]]") == 0) {
			into = NULL;
		} else if (into) {
			add_line(&x, into, line);
		} else if (strcmp(line, "<<<<") == 0) {
			into = &x.answer;
		} else if (strcmp(line, "[[[[") == 0) {
			into = &x.parts[x.part_count++];
		} else if (gk_text_starts(line, "=== ")) {
			if (x.name[0])
				check(&x);
			snprintf(x.name, sizeof(x.name), "%s", line + 4);
		} else {
			take_word(&x, line);
		}
	}
	check(&x);
}

static void test_bodies(void)
{
	static const char good[] = "Strategy: s\n```python\na\n```\n", two[] = "### Direction 1: a\n### Direction 2: b\n";
	struct gk_answer answer;
	json_t *body;

	gk_answer_parse("generator", good, sizeof(good) - 1, "stop", &answer);
	body = gk_answer_to_body("generator", &answer, "c0de", NULL);
	is_text(json_string_value(json_object_get(body, "code")), "c0de", "the event names the candidate");
	ok(json_is_true(json_object_get(body, "ok")), "and says that it is usable");
	json_decref(body);
	gk_answer_parse("optimizer", two, sizeof(two) - 1, "stop", &answer);
	body = gk_answer_to_body("optimizer", &answer, NULL, "7e87");
	is_int((long long)json_array_size(json_object_get(body, "directions")), 2, "the event holds the directions");
	json_decref(body);
}

static void test_foreign_bytes(void)
{
	static const char broken[] = "```python\na = '\xff'\n```\n", nul[] = "```python\na\0b\n```\n";
	struct gk_answer answer;

	gk_answer_parse("generator", broken, sizeof(broken) - 1, "stop", &answer);
	is_text(answer.problem, "the code block is not valid UTF-8 text", "broken UTF-8 is refused, not repaired");
	gk_answer_parse("generator", nul, sizeof(nul) - 1, "stop", &answer);
	ok(!answer.ok, "a zero byte in the code is refused");
	gk_answer_parse("generator", "", 0, NULL, &answer);
	ok(!answer.ok, "nothing is no answer");
}

static void test_many_blocks(void)
{
	gk_buf_auto text = GK_BUF_INIT;
	struct gk_answer answer;
	int i;

	for (i = 0; i < 500; i++)
		gk_buf_add_text(&text, "```text\nx\n```\n");
	gk_answer_parse("generator", text.bytes, text.size, "stop", &answer);
	ok(!answer.ok, "hundreds of blocks end in a refusal");
}

int main(void)
{
	char *text = NULL;
	size_t size;
	struct gk_err e = {0};

	ok(gk_file_read("tests/data/answers/cases.txt", 1 << 20, &text, &size, &e) == 0, "the cases are there");
	if (text)
		run_cases(text);
	free(text);
	test_bodies();
	test_foreign_bytes();
	test_many_blocks();
	return done_testing();
}
