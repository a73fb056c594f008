/*
 * Fuzzes the answer parser: the first byte chooses the role and how the answer
 * finished. What it hands out must lie within the text, and its event must be
 * valid JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "llm/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(const struct gk_span *span, const char *text, size_t size)
{
	if (span->size && (span->bytes < text || span->bytes + span->size > text + size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const roles[] = {"generator", "reflector", "optimizer"};
	struct gk_answer answer;
	const char *role, *text;
	json_t *body;

	if (size < 1)
		return 0;
	role = roles[data[0] % 3];
	text = (const char *)data + 1;
	gk_answer_parse(role, text, size - 1, data[0] & 4 ? "length" : "stop", &answer);
	check_span(&answer.code, text, size - 1);
	check_span(&answer.text, text, size - 1);
	for (size_t i = 0; i < answer.direction_count; i++)
		check_span(&answer.directions[i], text, size - 1);
	if (answer.ok == (answer.problem[0] != '\0'))
		abort();
	body = gk_answer_to_body(role, &answer, answer.code.size ? "code" : NULL, "text");
	if (!json_is_string(json_object_get(body, "strategy")) || !json_is_string(json_object_get(body, "problem")))
		abort();
	json_decref(body);
	return 0;
}
