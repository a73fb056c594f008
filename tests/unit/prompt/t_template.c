/* Templates: what is written, and what is refused. */
#include "prompt/template.h"

#include "base/memory.h"
#include "tap.h"

struct parts {
	struct gk_template *item, *loop;
};

static const struct gk_template *find(void *ctx, const char *name)
{
	struct parts *parts = ctx;

	return strcmp(name, "item") == 0 ? parts->item : strcmp(name, "loop") == 0 ? parts->loop : NULL;
}

static struct gk_template *read_text(struct gk_arena *arena, const char *text, struct gk_err *e)
{
	return gk_template_read(arena, "t.md", text, strlen(text), e);
}

static const char *const data_text =
	"{\"name\":\"softmax\",\"brace\":\"{{name}} {{#x}} }}\",\"n\":7,\"half\":0.5,\"none\":null,\"zero\":0,"
	"\"list\":[{\"name\":\"a\"},{\"name\":\"b\"}],\"words\":[\"x\",\"y\"],\"empty\":[],\"yes\":true,"
	"\"deep\":{\"er\":{\"est\":\"end\"}}}";

static const struct {
	const char *template, *want, *behaviour;
} renders[] = {
	{"a {{name}} b", "a softmax b", "a name is replaced by its text"},
	{"{{brace}}", "{{name}} {{#x}} }}", "braces in a value are text"},
	{"{{n}} {{half}}", "7 0.5", "numbers have one spelling"},
	{"{{deep.er.est}}", "end", "dotted names go inside"},
	{"{{#list}}<{{name}}>{{/list}}", "<a><b>", "a section runs once per item, whose names come first"},
	{"{{#words}}{{.}},{{/words}}", "x,y,", "{{.}} is the item"},
	{"{{#list}}{{n}}{{/list}}", "77", "outer names are seen inside"},
	{"{{#empty}}x{{/empty}}{{^empty}}none{{/empty}}", "none", "empty lists take the opposite section"},
	{"{{#none}}{{none}}{{/none}}{{#zero}}x{{/zero}}.", ".", "null and zero take no section"},
	{"{{?list}}head{{/list}}", "head", "a condition runs once and does not go inside"},
	{"{{#yes}}y{{/yes}}", "y", "true runs once"},
	{"a\n{{#yes}}\nb\n{{/yes}}\nc\n", "a\nb\nc\n", "a section's tag alone on its line takes the line away"},
	{"a\n{{#none}}\nb\n{{/none}}\nc\n", "a\nc\n", "and what is left out leaves no blank line"},
	{"{{#list}}\n- {{>item}}\n{{/list}}\n", "- [a]\n- [b]\n", "a part within a line keeps its line"},
	{"{ }} { {x} }", "{ }} { {x} }", "single braces are text"},
	{"{{ name }}", "softmax", "blanks in a tag do not matter"},
};

static const struct {
	const char *template, *want, *behaviour;
} refusals[] = {
	{"x\n{{nme}}", "t.md:2: \"nme\" is unknown here", "an unknown name is refused with its line"},
	{"{{#nope}}x{{/nope}}", "t.md:1: \"nope\" is unknown here", "an unknown section as well"},
	{"{{none}}", "t.md:1: \"none\" is no text and no number", "null is not printed"},
	{"{{list}}", "t.md:1: \"list\" is no text and no number", "a list is not printed"},
	{"{{deep.no}}", "t.md:1: \"deep.no\" is unknown here", "a missing inner name is refused"},
	{"a\n{{#yes}}\nb", "t.md:2: {{#yes}} is never ended", "an open section is refused"},
	{"{{#yes}}{{/no}}", "t.md:1: {{/no}} ends no section of that name", "crossed sections are refused"},
	{"{{/yes}}", "t.md:1: {{/yes}} ends no section of that name", "an end without a beginning is refused"},
	{"{{name", "t.md:1: a tag is not closed on its line", "an open tag is refused"},
	{"{{}}", "t.md:1: a tag needs a name of at most 64 bytes", "an empty tag is refused"},
	{"{{a b}}", "t.md:1: \"a b\" is no name", "a name with a blank is refused"},
	{"{{>none}}", "t.md:1: there is no part \"none\"", "a missing part is refused"},
	{"{{>loop}}", "t.md:1: the part contains itself", "a part that contains itself is refused"},
};

static int render(struct gk_arena *arena, const char *text, struct parts *parts, const json_t *data,
                  struct gk_buf *out, struct gk_err *e)
{
	const struct gk_template *template = read_text(arena, text, e);

	if (!template || gk_template_check(template, find, parts, e) < 0)
		return -1;
	return gk_template_render(template, data, find, parts, out, e);
}

int main(void)
{
	gk_arena_auto arena = {0};
	json_t *data = json_loads(data_text, 0, NULL);
	struct gk_err e = {0};
	struct parts parts = {.item = read_text(&arena, "[{{name}}]", &e), .loop = read_text(&arena, "{{>loop}}", &e)};
	size_t i;

	for (i = 0; i < gk_count_of(renders); i++) {
		gk_buf_auto out = GK_BUF_INIT;
		struct gk_err failure = {0};

		if (render(&arena, renders[i].template, &parts, data, &out, &failure) < 0)
			gk_buf_add_text(&out, failure.text);
		is_text(gk_buf_text(&out), renders[i].want, renders[i].behaviour);
	}
	for (i = 0; i < gk_count_of(refusals); i++) {
		gk_buf_auto out = GK_BUF_INIT;
		struct gk_err failure = {0};

		render(&arena, refusals[i].template, &parts, data, &out, &failure);
		is_text(failure.text, refusals[i].want, refusals[i].behaviour);
	}
	json_decref(data);
	return done_testing();
}
