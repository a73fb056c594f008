/* What people see: nothing foreign drives a terminal, a page or a spreadsheet. */
#include <stdlib.h>

#include "base/memory.h"
#include "tap.h"
#include "view/chart.h"
#include "view/diff.h"
#include "view/html.h"
#include "view/near.h"
#include "view/story.h"
#include "view/table.h"

/* What a table prints, into memory. */
static char *printed(const struct gk_table *table, bool is_tty, int width)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct gk_term term = {.out = out, .is_tty = is_tty, .colour = is_tty, .width = width, .height = 24};

	gk_table_print(table, &term);
	fclose(out);
	return text;
}

static void a_table_is_aligned_and_harmless(void)
{
	static const struct gk_table_column columns[] = {{"task", false, 0}, {"n", true, 0}, {"what", false, 0}};
	struct gk_table table;
	gk_free_auto char *plain = NULL, *narrow = NULL;

	gk_table_init(&table, columns, 3);
	gk_table_row(&table);
	gk_table_cell(&table, 0, GK_PLAIN, "%s", "flip");
	gk_table_cell(&table, 1, GK_PLAIN, "%d", 7);
	gk_table_cell(&table, 2, GK_BAD, "%s", "a long message that does not fit into a line\x1b[2J");
	gk_table_row(&table);
	gk_table_cell(&table, 0, GK_PLAIN, "%s", "größe");
	gk_table_cell(&table, 1, GK_PLAIN, "%d", 1234);
	plain = printed(&table, false, 40);
	ok(strstr(plain, "flip      7  a long message that does not fit into a line?[2J\n") != NULL,
	   "columns are aligned, nothing is cut in a pipe, and no escape code gets through");
	ok(strstr(plain, "größe  1234") != NULL, "letters count, not bytes");
	ok(!strchr(plain, '\x1b'), "a pipe gets no colour");
	narrow = printed(&table, true, 40);
	ok(strstr(narrow, "...") && strstr(narrow, "\x1b[31m"), "a terminal gets cut lines and colour");
	gk_table_release(&table);
}

static void a_table_as_file(void)
{
	static const struct gk_table_column columns[] = {{"a", false, 0}, {"b", true, 0}};
	struct gk_table table;
	gk_buf_auto csv = GK_BUF_INIT, markdown = GK_BUF_INIT;

	gk_table_init(&table, columns, 2);
	gk_table_row(&table);
	gk_table_cell(&table, 0, GK_PLAIN, "%s", "say \"x\", y");
	gk_table_cell(&table, 1, GK_PLAIN, "%s", "-1.5");
	gk_table_row(&table);
	gk_table_cell(&table, 0, GK_PLAIN, "%s", "=cmd()");
	gk_table_cell(&table, 1, GK_PLAIN, "%s", "a|b");
	gk_table_add_csv(&table, &csv);
	is_text(gk_buf_text(&csv), "a,b\r\n\"say \"\"x\"\", y\",-1.5\r\n\"'=cmd()\",a|b\r\n",
	        "CSV quotes what must be quoted, and defuses formulas, not numbers");
	gk_table_add_markdown(&table, &markdown);
	ok(strstr(gk_buf_text(&markdown), "| =cmd() | a\\|b |") != NULL, "Markdown escapes its own signs");
	gk_table_release(&table);
}

static void html_is_escaped_and_cut(void)
{
	gk_buf_auto out = GK_BUF_INIT;
	const char *code = "@triton.jit\ndef f(x):  # <b>\n\ts = '''a\n\"'''  # end\n\treturn 0x1F if x else \"q\\\"\"\n";

	gk_html_text(&out, "<script>alert('x & \"y\"')</script>\x01", 100);
	is_text(gk_buf_text(&out), "&lt;script&gt;alert(&#39;x &amp; &quot;y&quot;&#39;)&lt;/script&gt;?",
	        "foreign text is escaped");
	gk_buf_clear(&out);
	gk_html_text(&out, "0123456789abcdef", 8);
	ok(out.size <= 11 && strstr(gk_buf_text(&out), "..."), "and cut");
	gk_buf_clear(&out);
	gk_html_name(&out, "a'b/c d\"");
	is_text(gk_buf_text(&out), "a-b-c-d-", "names keep letters and digits only");
	gk_buf_clear(&out);
	gk_html_python(&out, code, strlen(code), 1000);
	ok(strstr(gk_buf_text(&out), "<i class=k>@triton</i>") && strstr(gk_buf_text(&out), "<i class=k>def</i> f(x):") &&
	   strstr(gk_buf_text(&out), "<i class=c># &lt;b&gt;</i>"), "Python is coloured");
	ok(strstr(gk_buf_text(&out), "<i class=s>&#39;&#39;&#39;a\n&quot;&#39;&#39;&#39;</i>") &&
	   strstr(gk_buf_text(&out), "<i class=n>0x1F</i>") && strstr(gk_buf_text(&out), "<i class=s>&quot;q\\&quot;&quot;</i>"),
	   "strings of both kinds and numbers, too");
	gk_buf_clear(&out);
	gk_html_python(&out, "'''never closed", 15, 1000);
	gk_html_python(&out, "x = \"\\", 6, 1000);
	ok(out.size > 0, "text that is not Python is no trouble");
	gk_buf_clear(&out);
	gk_html_size(&out, 12345678);
	gk_html_count(&out, 1234567);
	is_text(gk_buf_text(&out), "12.3 MB1,234,567", "sizes and counts can be read");
}

static void diff_is_line_by_line(void)
{
	gk_arena_auto arena = {0};
	struct gk_diff_line *lines;
	size_t count;
	char script[64] = "";

	gk_diff("a\nb\nc\nd\n", 8, "a\nX\nc\nY\nd", 9, &arena, &lines, &count);
	for (size_t i = 0; i < count; i++)
		snprintf(script + strlen(script), sizeof script - strlen(script), "%c%.*s", lines[i].sign, (int)lines[i].size,
		         lines[i].text);
	is_text(script, " a-b+X c+Y d", "removed before added, the common lines kept");
	gk_diff("", 0, "", 0, &arena, &lines, &count);
	is_int(count, 0, "nothing differs from nothing");
	gk_diff("same\n", 5, "same\n", 5, &arena, &lines, &count);
	ok(count == 1 && lines[0].sign == ' ', "the same is the same");
	gk_diff("", 0, "new\n", 4, &arena, &lines, &count);
	ok(count == 1 && lines[0].sign == '+', "all new");
}

/* Applying the script to one text must give the other. */
static void diff_scripts_are_right(void)
{
	unsigned state = 12345;
	int wrong = 0;

	for (int round = 0; round < 300; round++) {
		gk_arena_auto arena = {0};
		struct gk_buf texts[2] = {GK_BUF_INIT, GK_BUF_INIT}, built[2] = {GK_BUF_INIT, GK_BUF_INIT};
		struct gk_diff_line *lines;
		size_t count;

		for (int side = 0; side < 2; side++)
			for (unsigned i = 0, n = round % 17; i < n; i++) {
				state = state * 1103515245 + 12345;
				gk_buf_printf(&texts[side], "%c\n", 'a' + (state >> 16) % 3);
			}
		gk_diff(gk_buf_text(&texts[0]), texts[0].size, gk_buf_text(&texts[1]), texts[1].size, &arena, &lines, &count);
		for (size_t i = 0; i < count; i++)
			for (int side = 0; side < 2; side++)
				if (lines[i].sign != (side ? '-' : '+'))
					gk_buf_printf(&built[side], "%.*s\n", (int)lines[i].size, lines[i].text);
		wrong += strcmp(gk_buf_text(&built[0]), gk_buf_text(&texts[0])) || strcmp(gk_buf_text(&built[1]), gk_buf_text(&texts[1]));
		for (int k = 0; k < 2; k++) {
			gk_buf_release(&texts[k]);
			gk_buf_release(&built[k]);
		}
	}
	is_int(wrong, 0, "a script leads from the one text to the other");
}

static void maps_are_found_and_bounded(void)
{
	gk_buf_auto out = GK_BUF_INIT;
	json_t *detail = json_loads("{\"outputs\": [{\"map\": [[0, 0, 4], [0, 0, 2]]}]}", 0, NULL);
	json_t *odd = json_loads("{\"map\": [\"x\", {}], \"more\": [1, [2]]}", 0, NULL);
	int off = 0;

	ok(gk_chart_map(&out, detail), "a map is found in what a case says");
	for (const char *at = gk_buf_text(&out); (at = strstr(at, "class=off")); at++)
		off++;
	is_int(off, 2, "each cell with differences is drawn");
	ok(!gk_chart_map(&out, odd) && !gk_chart_map(&out, NULL), "what is no map is no picture");
	json_decref(detail);
	json_decref(odd);
}

/* What a verdict says of distances; the picture's bars. */
static void values_have_a_line_and_a_picture(void)
{
	struct gk_case_result result = {.detail = json_loads("{\"repeat\": {\"count\": 32, \"different\": 0}}", 0, NULL)};
	struct gk_verdict v = {.cases = &result, .case_count = 1};
	gk_buf_auto out = GK_BUF_INIT;
	int bars = 0;

	ok(!gk_near_add_line(&out, &v) && !gk_near_chart(&out, &v) && out.size == 0, "a verdict without them adds nothing");
	v.ulp = json_loads("{\"count\": 1000000, \"exact\": 999999, \"max\": 2.6, \"apart\": 0,"
	                   "\"buckets\": [999999, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]}", 0, NULL);
	gk_near_add_line(&out, &v);
	is_text(gk_buf_text(&out), "99.99 % of 1000000 elements as near as the format comes, at most 3 ulp off; two executions gave the "
	                           "same bits", "a line for people, in which one of a million is not nothing");
	gk_buf_clear(&out);
	ok(gk_near_chart(&out, &v), "and a picture");
	for (const char *at = gk_buf_text(&out); (at = strstr(at, "<rect")); at++)
		bars++;
	is_int(bars, 2, "with a bar for each bucket that has elements");
	json_decref(v.ulp);
	v.ulp = json_loads("{\"count\": 10000, \"exact\": 9000, \"max\": 1.3e7, \"apart\": 0,"
	                   "\"buckets\": [9000, 900, 50, 40, 2, 0, 0, 0, 0, 0, 8]}", 0, NULL);
	gk_buf_clear(&out);
	gk_near_add_line(&out, &v);
	is_text(gk_buf_text(&out), "90.0 % of 10000 elements as near as the format comes, 99.9 % within 4 ulp, at most 1.3e+07 ulp off; "
	                           "two executions gave the same bits", "most of them, too, where some are far off");
	json_decref(v.ulp);
	v.ulp = json_loads("{\"count\": 1000000, \"buckets\": [1000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]}", 0, NULL);
	json_decref(result.detail);
	result.detail = json_loads("{\"repeat\": {\"count\": 32, \"different\": 5, \"max_ulp\": 2}}", 0, NULL);
	json_object_set_new(v.ulp, "exact", json_integer(1000000));
	json_object_set_new(v.ulp, "max", json_real(0.5));
	json_object_set_new(v.ulp, "apart", json_string("x"));
	gk_buf_clear(&out);
	gk_near_add_line(&out, &v);
	is_text(gk_buf_text(&out), "all of 1000000 elements as near as the format comes; two executions differ in 5 of 32 elements, by "
	                           "up to 2 ulp", "what varies is told");
	json_object_set_new(v.ulp, "buckets", json_string("odd"));
	ok(!gk_near_chart(&out, &v), "what is no distribution is no picture");
	json_decref(v.ulp);
	json_decref(result.detail);
}

static void a_gpu_that_is_shared_is_told(void)
{
	json_t *peers = json_pack("{s:{s:s, s:s, s:s, s:i}, s:{s:s}}", "launcher", "kind", "NVIDIA H200", "target", "sm_90",
	                          "partition", "MIG", "others", 2, "containment", "level", "limits");
	gk_buf_auto words = GK_BUF_INIT;

	gk_peers_add_words(&words, peers);
	is_text(gk_buf_text(&words),
	        "on NVIDIA H200 (sm_90), a partition (MIG), in use by 2 other processes, containment: limits",
	        "that a GPU is a part of one, or not alone, stands beside its name");
	gk_buf_clear(&words);
	json_object_set_new(json_object_get(peers, "launcher"), "partition", json_string("none"));
	json_object_set_new(json_object_get(peers, "launcher"), "others", json_integer(0));
	gk_peers_add_words(&words, peers);
	is_text(gk_buf_text(&words), "on NVIDIA H200 (sm_90), containment: limits", "and nothing where it is whole and alone");
	json_decref(peers);
}

int main(void)
{
	a_gpu_that_is_shared_is_told();
	a_table_is_aligned_and_harmless();
	a_table_as_file();
	html_is_escaped_and_cut();
	diff_is_line_by_line();
	diff_scripts_are_right();
	maps_are_found_and_bounded();
	values_have_a_line_and_a_picture();
	return done_testing();
}
