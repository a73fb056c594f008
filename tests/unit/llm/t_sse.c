/* Event streams, whole and in pieces of every size. */
#include "llm/sse.h"

#include "base/memory.h"
#include "tap.h"

static bool collect(void *ctx, const char *data, size_t size)
{
	struct gk_buf *out = ctx;

	gk_buf_add_char(out, '<');
	gk_buf_add(out, data, size);
	gk_buf_add_char(out, '>');
	return strcmp(data, "stop") != 0;
}

static const struct {
	const char *stream, *want, *behaviour;
} streams[] = {
	{"data: a\n\ndata: b\n\n", "<a><b>", "events end at blank lines"},
	{"data:a\n\ndata:  b\n\n", "<a>< b>", "one blank behind the colon does not count"},
	{"data: a\r\n\r\ndata: b\r\n\r\n", "<a><b>", "carriage returns belong to the line ends"},
	{"data: a\ndata: b\n\n", "<a\nb>", "several data lines are one event"},
	{": comment\nevent: x\nid: 7\ndata: a\n\n", "<a>", "comments and other fields say nothing"},
	{"\n\n\ndata: a\n\n\n", "<a>", "blank lines alone are no events"},
	{"data\n\ndatax: a\n\n", "", "what only looks like data is none"},
	{"data: a\n\ndata: b", "<a><b>", "the last event needs no blank line"},
	{"data: stop\n\ndata: b\n\n", "<stop>", "the reader can end it"},
	{"data:\n\n", "<>", "empty data is data"},
};

int main(void)
{
	size_t i, step;

	for (i = 0; i < gk_count_of(streams); i++) {
		size_t size = strlen(streams[i].stream);

		for (step = 1; step <= size; step += step < 4 ? 1 : size) {
			struct gk_sse sse = {.has_data = false};
			gk_buf_auto out = GK_BUF_INIT;
			bool goes_on = true;
			size_t at;

			for (at = 0; at < size && goes_on; at += step)
				goes_on = gk_sse_feed(&sse, streams[i].stream + at, size - at < step ? size - at : step,
				                      collect, &out);
			if (goes_on)
				gk_sse_end(&sse, collect, &out);
			is_text(gk_buf_text(&out), streams[i].want, streams[i].behaviour);
			gk_sse_release(&sse);
		}
	}
	{
		struct gk_sse sse = {.line = {.ceiling = 10}, .data = {.ceiling = 10}};
		gk_buf_auto out = GK_BUF_INIT;

		ok(!gk_sse_feed(&sse, "data: 12345678901234567890", 26, collect, &out), "a line over the ceiling ends it");
		gk_sse_clear(&sse);
		gk_sse_release(&sse);
	}
	return done_testing();
}
