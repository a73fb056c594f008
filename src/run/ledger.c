/* What was paid, what may have been, and when it is enough. */
#include "base/doc.h"
#include "base/memory.h"
#include "llm/prices.h"
#include "state.h"

#define ANSWER_TOKENS_MAX 32768 /* where no limit was set */

/* No token is shorter than a byte, no answer longer than it may be: -1 when the price is unknown. */
static int most_it_cost(struct engine *engine, const struct gk_store_ask *ask, int64_t *nano_usd, struct gk_err *e)
{
	const struct gk_run_options *options = engine->options;
	gk_arena_auto arena = {0};
	struct gk_usage usage = {0};
	char *prompt;
	size_t size;

	*nano_usd = -1;
	if (!options->price || !options->price->is_known)
		return 0;
	if (gk_store_blob_get(engine->store, ask->prompt_hash, &arena, &prompt, &size, e) < 0)
		return -1;
	usage.prompt_tokens = (int64_t)size;
	usage.completion_tokens = options->recipe.max_tokens > 0 ? options->recipe.max_tokens : ANSWER_TOKENS_MAX;
	gk_price_apply(options->price, &usage);
	*nano_usd = usage.cost_nano_usd;
	return 0;
}

/* Whether a request that was on the wire when geak died was answered, and paid, nobody knows: it is booked as if. */
static int book(struct engine *engine, const struct gk_store_ask *ask, struct gk_err *e)
{
	gk_json_auto *fact = json_pack("{s:I, s:s}", "ask", (json_int_t)ask->id, "model", ask->model);
	int64_t nano_usd;

	if (most_it_cost(engine, ask, &nano_usd, e) < 0)
		return -1;
	json_object_set_new(fact, "cost_nano_usd", nano_usd < 0 ? json_null() : json_integer(nano_usd));
	return gk_store_fact_add(engine->store, "lost", fact, e);
}

int engine_book_lost(struct engine *engine, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	struct gk_store_ask *asks;
	size_t count;

	if (gk_store_begin(engine->store, e) < 0 ||
	    gk_store_sends_lost(engine->store, &arena, &asks, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (book(engine, &asks[i], e) < 0)
			return -1;
	return gk_store_commit(engine->store, e);
}

int engine_check_budget(struct engine *engine, char *spent, size_t size, struct gk_err *e)
{
	const struct gk_run_options *options = engine->options;
	struct gk_store_ledger ledger;
	double usd;
	int64_t tokens;

	if (options->budget_usd <= 0 && options->budget_tokens <= 0)
		return 0;
	if (gk_store_ledger(engine->store, &ledger, e) < 0)
		return -1;
	usd = (double)ledger.cost_nano_usd / 1e9;
	tokens = ledger.prompt_tokens + ledger.completion_tokens;
	if (options->budget_usd > 0 && usd >= options->budget_usd)
		snprintf(spent, size, "%.4f of %.4f USD are spent", usd, options->budget_usd);
	else if (options->budget_tokens > 0 && tokens >= options->budget_tokens)
		snprintf(spent, size, "%lld of %lld tokens are spent", (long long)tokens, (long long)options->budget_tokens);
	return 0;
}
