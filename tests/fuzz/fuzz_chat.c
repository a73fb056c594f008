/*
 * Fuzzes what a model's server may send. The first byte chooses between a
 * stream (or whole answer), fed in pieces, and a refusal; pieces of another
 * size must give the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "llm/chat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum gk_chat_end read_in_pieces(struct gk_chat_reader *reader, const char *bytes, size_t size, size_t piece)
{
	gk_chat_reader_init(reader);
	for (size_t at = 0; at < size; at += piece)
		if (!gk_chat_reader_feed(reader, bytes + at, size - at < piece ? size - at : piece))
			break;
	return gk_chat_reader_end(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_chat_reader one = {.is_done = false}, other = {.is_done = false};
	struct gk_chat_dialect dialect = {.no_stream = false};
	const char *bytes = (const char *)data + 1, *outcome = NULL;
	char words[256];

	if (size < 1)
		return 0;
	size--;
	if (data[0] == 0) {
		gk_chat_judge(400, bytes, size, &dialect, words, &outcome);
		return outcome ? 0 : (abort(), 0);
	}
	if (read_in_pieces(&one, bytes, size, data[0]) != read_in_pieces(&other, bytes, size, size + 1) ||
	    strcmp(gk_buf_text(&one.text), gk_buf_text(&other.text)) != 0)
		abort();
	gk_chat_reader_release(&one);
	gk_chat_reader_release(&other);
	return 0;
}
