#include "base/doc.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "tap.h"

/* What the text reads as, or the error. */
static void reads_yaml(const char *text, const char *want, const char *behaviour)
{
	struct gk_err e = {0};
	gk_doc_auto doc = {0};
	gk_free_auto char *got = NULL;

	if (gk_doc_from_yaml(&doc, "f.yaml", text, strlen(text), &e) == 0)
		got = gk_json_text(doc.root);
	is_text(got ? got : e.text, want, behaviour);
}

static void reads_json(const char *text, const char *want, const char *behaviour)
{
	struct gk_err e = {0};
	gk_doc_auto doc = {0};
	gk_free_auto char *got = NULL;

	if (gk_doc_from_json(&doc, "f.json", text, strlen(text), &e) == 0)
		got = gk_json_text(doc.root);
	ok(gk_text_starts(got ? got : e.text, want), behaviour);
	if (!gk_text_starts(got ? got : e.text, want))
		printf("# got %s\n", got ? got : e.text);
}

static void scalars(void)
{
	reads_yaml("[1, -2, +3, 0x1F, 0o17, 007]", "[1,-2,3,31,15,7]", "integers of YAML 1.2");
	reads_yaml("[1.5, .5, 1e3, -1.e-2, 3.]", "[1.5,0.5,1000.0,-0.01,3.0]", "reals of YAML 1.2");
	reads_yaml("[true, True, FALSE, null, ~, ]", "[true,true,false,null,null]", "truth and nothing");
	reads_yaml("[yes, no, on, off, 1_000, 1:30, 0b1, tRue, e3, '.', +, 1e]",
	           "[\"yes\",\"no\",\"on\",\"off\",\"1_000\",\"1:30\",\"0b1\",\"tRue\",\"e3\",\".\",\"+\",\"1e\"]",
	           "words of YAML 1.1 are just words");
	reads_yaml("['1', \"true\", 'null']", "[\"1\",\"true\",\"null\"]", "quoted scalars stay strings");
	reads_yaml("a: |\n  x\n  y\n", "{\"a\":\"x\\ny\\n\"}", "blocks of lines");
	reads_yaml("a:\nb: 1", "{\"a\":null,\"b\":1}", "an empty value is null");
	reads_yaml("1: x\ntrue: y", "{\"1\":\"x\",\"true\":\"y\"}", "keys are their text");
}

static void refusals(void)
{
	reads_yaml("a: 1\nb: 2\na: 3\n", "f.yaml:3: the key a stands here for the second time", "duplicate keys");
	reads_yaml("a: &x 1\nb: *x\n", "f.yaml:1: anchors, aliases and tags are not allowed", "anchors");
	reads_yaml("a: 1\nb: *x\n", "f.yaml:2: anchors, aliases and tags are not allowed", "aliases");
	reads_yaml("a: !!str 1", "f.yaml:1: anchors, aliases and tags are not allowed", "tags");
	reads_yaml("!!str a: 1", "f.yaml:1: anchors and tags are not allowed", "tags on keys");
	reads_yaml("? [a]\n: 1", "f.yaml:1: a key must be a plain word", "keys that are lists");
	reads_yaml("a: 1\n---\nb: 2\n", "f.yaml:2: only one document is allowed in a file", "two documents");
	reads_yaml("", "f.yaml:1: the file is empty", "an empty file");
	reads_yaml("# just words\n", "f.yaml:1: the file is empty", "a file of comments");
	reads_yaml("\n\na: [1, 2\n", "f.yaml:4: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence",
	           "broken syntax, with its line");
	reads_yaml("a: 9223372036854775808", "f.yaml:1: the integer does not fit into 64 bits", "too large integers");
	reads_yaml("a: 1e999", "f.yaml:1: the number is too large for a double", "too large reals");
	reads_yaml("a: .nan", "f.yaml:1: infinity and NaN are not allowed as numbers", "what is no number");
	reads_yaml("a: \"x\\0y\"", "f.yaml:1: a string must not hold a zero byte", "zero bytes");

	gk_buf_auto deep = GK_BUF_INIT;
	for (int i = 0; i < 65; i++)
		gk_buf_add_text(&deep, "[");
	for (int i = 0; i < 65; i++)
		gk_buf_add_text(&deep, "]");
	reads_yaml(gk_buf_text(&deep), "f.yaml:1: nested too deeply", "YAML that is nested too deeply");
	reads_json(deep.bytes, "f.json: nested deeper than 64 levels", "JSON that is nested too deeply");
	deep.bytes[deep.size - 1] = '\0';
	reads_json(deep.bytes + 1, "[[[[[", "64 levels are allowed");
}

static void json(void)
{
	reads_json("{\"b\":1,\"a\":[true,null,\"x\\u00e9\\n\"]}", "{\"a\":[true,null,\"x\xc3\xa9\\n\"],\"b\":1}",
	           "JSON is read and written with sorted keys");
	reads_json("{\"a\":1,\"a\":2}", "f.json:1: not valid JSON: duplicate object key", "duplicate keys are refused");
	reads_json("[\"\\u0000\"]", "f.json:1: not valid JSON: ", "zero bytes in strings are refused");
	reads_json("[1]\n\n x", "f.json:3: not valid JSON: end of file expected", "so is what follows");
	reads_json("", "f.json:1: not valid JSON: ", "so is nothing");
	reads_json("[1e400]", "f.json:1: not valid JSON: ", "and a number out of range");
	reads_json("[3.0, 0.1, 1e-7, 3, 1e100]", "[3.0,0.1,1e-07,3,1e+100]", "numbers are written shortest, reals stay reals");
}

struct thing {
	int64_t number;
	double real;
	bool flag;
	char *text;
	int color;
	int64_t twice;
};

static int decode_twice(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	int64_t value;

	(void)arena;
	if (gk_node_int(at, 0, 100, &value, e) < 0)
		return -1;
	*(int64_t *)out = 2 * value;
	return 0;
}

static const char *const colors[] = {"red", "green", NULL};
static const struct gk_field fields[] = {
	{"number", GK_FIELD_INT, offsetof(struct thing, number), true, 1, 10, NULL, NULL},
	{"real", GK_FIELD_DOUBLE, offsetof(struct thing, real), false, 0, 0, NULL, NULL},
	{"flag", GK_FIELD_BOOL, offsetof(struct thing, flag), false, 0, 0, NULL, NULL},
	{"text", GK_FIELD_STRING, offsetof(struct thing, text), false, 0, 0, NULL, NULL},
	{"color", GK_FIELD_CHOICE, offsetof(struct thing, color), false, 0, 0, colors, NULL},
	{"twice", GK_FIELD_NODE, offsetof(struct thing, twice), false, 0, 0, NULL, decode_twice},
};

static void decodes(const char *text, const char *want, const char *behaviour)
{
	struct gk_err e = {0};
	gk_doc_auto doc = {0};
	gk_arena_auto arena = {0};
	struct thing thing = {.real = 0.5, .color = 1};
	char got[1024];

	if (gk_doc_from_yaml(&doc, "t.yaml", text, strlen(text), &e) < 0) {
		is_text(e.text, want, behaviour);
		return;
	}
	struct gk_node root = gk_node_root(&doc), list = gk_node_key(&root, "list"), item = gk_node_item(&list, 0);
	if (gk_node_decode(list.value ? &item : &root, fields, gk_count_of(fields), &thing, &arena, &e) < 0)
		snprintf(got, sizeof got, "%s", e.text);
	else
		snprintf(got, sizeof got, "%d %g %d %s %d %d", (int)thing.number, thing.real, thing.flag,
		         thing.text ? thing.text : "-", thing.color, (int)thing.twice);
	is_text(got, want, behaviour);
}

static void decoding(void)
{
	decodes("number: 7", "7 0.5 0 - 1 0", "absent fields keep their defaults");
	decodes("{number: 7, real: 2, flag: true, text: hi, color: red, twice: 21}", "7 2 1 hi 0 42", "every kind is decoded");
	decodes("real: 2", "t.yaml:1: number: is missing", "a required field is missed");
	decodes("number: 11", "t.yaml:1: number: an integer from 1 to 10 is needed, not 11", "ranges are kept");
	decodes("number: many", "t.yaml:1: number: an integer from 1 to 10 is needed, not \"many\"", "kinds are kept");
	decodes("number: 3\nflag: 1", "t.yaml:2: flag: true or false is needed, not 1", "a number is no truth value");
	decodes("number: true", "t.yaml:1: number: an integer from 1 to 10 is needed, not true", "nor the other way round");
	decodes("number: 3\nreal: x\n", "t.yaml:2: real: a number is needed, not \"x\"", "a word is no number");
	decodes("number: 3\ntext: [1]", "t.yaml:2: text: a text is needed, not a list", "a list is no text");
	decodes("number: 3\n\ncolor: grean", "t.yaml:3: color: one of red, green is needed, not \"grean\": did you mean green?",
	        "choices are listed, and the nearest named");
	decodes("number: 3\nnumbr: 4", "t.yaml:2: numbr: unknown key: did you mean number?", "unknown keys are refused");
	decodes("list:\n  - number: 1\n    flag: maybe", "t.yaml:3: list[0].flag: true or false is needed, not \"maybe\"",
	        "the path leads through lists");
	decodes("list:\n  - number: 1\n    flag: ~", "t.yaml:3: list[0].flag: true or false is needed, not null",
	        "shared values know their line");
	decodes("list:\n - 5", "t.yaml:2: list[0]: a mapping is needed, not 5", "an item must be a mapping");
	decodes("number: 3\ntwice: 101", "t.yaml:2: twice: an integer from 0 to 100 is needed, not 101", "own decoders fail alike");
	decodes("number: \"\\e[31m\"", "t.yaml:1: number: an integer from 1 to 10 is needed, not \"?[31m\"", "foreign text is harmless");
}

static void other_nodes(void)
{
	struct gk_err e = {0};
	gk_doc_auto doc = {0};

	gk_doc_from_json(&doc, "j", "{\"a\":[1,2,3]}", 13, &e);
	struct gk_node root = gk_node_root(&doc), a = gk_node_key(&root, "a"), none = gk_node_key(&root, "none");
	is_int((long long)gk_node_count(&a), 3, "items are counted");
	is_int((long long)gk_node_count(&root), 0, "an object has no items");
	is_int(gk_node_array(&a, 2, &e), -1, "long lists are refused");
	is_text(e.text, "j: a: at most 2 entries are allowed, here are 3", "with the count, without a line in JSON");
	is_int(gk_node_array(&none, 2, &e), -1, "an absent list is refused");
	is_text(e.text, "j: none: is missing: a list is needed", "as missing");
	gk_free_auto char *pretty = gk_json_pretty(doc.root);
	is_text(pretty, "{\n  \"a\": [\n    1,\n    2,\n    3\n  ]\n}", "JSON for people is indented");
	gk_doc_auto missing = {0};
	is_int(gk_doc_read_yaml(&missing, "/nonexistent.yaml", 100, &e), -1, "a missing file is refused");
}

int main(void)
{
	scalars();
	refusals();
	json();
	decoding();
	other_nodes();
	return done_testing();
}
