/* Prompts: rendered once, stored, and from then on read from the journal, so that a resumed run sends the same bytes. */
#include <string.h>

#include "base/memory.h"
#include "llm/llm.h"
#include "prompt/prompt.h"
#include "state.h"

struct texts {
	struct gk_store *store;
	struct gk_arena arena;
	struct gk_err failed;
};

static const char *stored_text(void *ctx, const char *hash, size_t *size)
{
	struct texts *texts = ctx;
	char *bytes;

	gk_arena_release(&texts->arena);
	return gk_store_blob_get(texts->store, hash, &texts->arena, &bytes, size, &texts->failed) < 0 ? NULL : bytes;
}

static int render(struct track *track, struct gk_prompt *prompt, struct gk_err *e)
{
	const struct gk_run_options *options = track->engine->options;
	struct texts texts = {.store = track->engine->store};
	json_t *context = gk_agent_context(track->agent, stored_text, &texts, e);
	int rc = -1;

	gk_arena_release(&texts.arena);
	if (context)
		rc = gk_prompt_render(options->prompter, track->task, options->target, options->hardware, context, prompt, e);
	json_decref(context);
	if (rc < 0 && texts.failed.kind != GK_ERR_NONE)
		*e = texts.failed;
	return rc < 0 ? gk_err_context(e, "prompt for %s", track->row.task) : 0;
}

/* system, a zero byte, user: the blob's name is the prompt's hash. */
static int store_prompt(struct track *track, const struct gk_prompt *prompt, char hash[GK_HEX_SIZE], struct gk_err *e)
{
	gk_buf_auto bytes = GK_BUF_INIT;

	gk_buf_add(&bytes, prompt->system, strlen(prompt->system) + 1);
	gk_buf_add_text(&bytes, prompt->user);
	return gk_store_blob_put(track->engine->store, bytes.bytes, bytes.size, hash, e);
}

static int write_asked(struct track *track, const struct gk_action *action, const char *hash, struct gk_err *e)
{
	struct engine *engine = track->engine;
	struct gk_store_ask ask = {
		.trajectory = track->row.id,
		.step = gk_agent_next_step(track->agent),
		.role = action->role,
		.model = engine->options->endpoint->name,
		.params_hash = engine->params_hash,
		.prompt_hash = hash,
		.sample = action->sample,
	};

	if (gk_store_ask_add(engine->store, &ask, e) < 0)
		return -1;
	track->ask = ask.id;
	track->ask_step = ask.step;
	return 0;
}

int engine_ask(struct track *track, const struct gk_action *action, struct gk_err *e)
{
	struct gk_prompt prompt = {0};
	char hash[GK_HEX_SIZE];
	int rc;

	if (render(track, &prompt, e) < 0)
		return -1;
	rc = store_prompt(track, &prompt, hash, e);
	if (rc == 0)
		rc = write_asked(track, action, hash, e);
	gk_prompt_release(&prompt);
	return rc;
}

int engine_send(struct track *track, struct gk_err *e)
{
	const struct gk_run_options *options = track->engine->options;
	gk_arena_auto arena = {0};
	struct gk_store_ask ask;
	struct gk_action action;
	char *prompt;
	size_t size, split;

	if (!gk_agent_outstanding(track->agent, &action))
		gk_bug("nothing to send for trajectory %lld", (long long)track->row.id);
	if (gk_store_ask_get(track->engine->store, track->row.id, track->ask_step, &arena, &ask, e) < 0 ||
	    gk_store_blob_get(track->engine->store, ask.prompt_hash, &arena, &prompt, &size, e) < 0)
		return -1;
	split = strlen(prompt);
	struct gk_model_request request = {
		.id = (uint64_t)ask.id,
		.task = track->row.task,
		.role = ask.role,
		.trajectory = track->row.number,
		.step = ask.step,
		.ordinal = action.ordinal,
		.sample = ask.sample,
		.system = prompt,
		.user = split < size ? prompt + split + 1 : "",
		.prompt_hash = ask.prompt_hash,
		.temperature = options->recipe.temperature,
		.max_tokens = options->recipe.max_tokens,
	};
	return gk_endpoint_start(options->endpoint, &request, e);
}
