/* Models by name. */
#include "llm/llm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "llm/kinds.h"

static const struct {
	const char *scheme;
	struct gk_endpoint *(*open)(const char *what, const struct gk_llm_options *options,
	                            struct gk_loop *loop, struct gk_err *e);
	const char *what; /* for messages */
} kinds[] = {
	{"openai", gk_openai_open, "the name of a model"},
	{"replay", gk_replay_open, "a file of recorded answers"},
	{"spool", gk_spool_open, "a folder"},
};

static const char schemes_text[] = "openai:NAME, replay:FILE or spool:DIR";

/* The index of the model's kind; *what is set to what stands behind the colon. */
static int find_kind(const char *model, const char **what, struct gk_err *e)
{
	const char *colon = strchr(model, ':');
	size_t i;

	if (!colon)
		return gk_err_set(e, GK_ERR_INPUT, "model \"%s\": %s is needed", model, schemes_text);
	*what = colon + 1;
	for (i = 0; i < gk_count_of(kinds); i++)
		if (strlen(kinds[i].scheme) == (size_t)(colon - model) &&
		    gk_text_starts(model, kinds[i].scheme))
			break;
	if (i == gk_count_of(kinds))
		return gk_err_set(e, GK_ERR_INPUT, "model \"%s\": there is no kind \"%.*s\"; known are %s",
		                  model, (int)(colon - model), model, schemes_text);
	if (!**what)
		return gk_err_set(e, GK_ERR_INPUT, "model \"%s\": %s is needed behind the colon", model,
		                  kinds[i].what);
	return (int)i;
}

struct gk_endpoint *gk_llm_open(const char *model, const struct gk_llm_options *options, struct gk_loop *loop,
                                gk_answer_fn *answered, gk_send_fn *sent, void *ctx, struct gk_err *e)
{
	static const struct gk_llm_options defaults = {.base_url = NULL};
	struct gk_endpoint *endpoint;
	const char *what = NULL;
	int kind = find_kind(model, &what, e);

	if (kind < 0)
		return NULL;
	endpoint = kinds[kind].open(what, options ? options : &defaults, loop, e);
	if (!endpoint)
		return NULL;
	snprintf(endpoint->name, sizeof(endpoint->name), "%s", model);
	endpoint->answered = answered;
	endpoint->sent = sent;
	endpoint->ctx = ctx;
	return endpoint;
}

const char *gk_llm_key_source(void)
{
	static const char *const names[] = {"GEAK_API_KEY", "OPENAI_API_KEY"};
	size_t i;

	for (i = 0; i < gk_count_of(names); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0])
			return names[i];
	}
	return NULL;
}
