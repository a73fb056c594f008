#include "llm/prices.h"

#include <math.h>
#include <stddef.h>

#include "base/doc.h"
#include "base/memory.h"

#define MAX_FILE_BYTES ((size_t)1 << 20)
#define MAX_USD        1e6 /* per million tokens: more is a slip */

static const struct gk_field price_fields[] = {
	{.name = "input", .kind = GK_FIELD_DOUBLE, .offset = offsetof(struct gk_price, input), .required = true},
	{.name = "cached", .kind = GK_FIELD_DOUBLE, .offset = offsetof(struct gk_price, cached)},
	{.name = "output", .kind = GK_FIELD_DOUBLE, .offset = offsetof(struct gk_price, output), .required = true},
};

static bool is_price(double usd)
{
	return usd >= 0 && usd <= MAX_USD;
}

static int read_model(const struct gk_node *at, struct gk_price *price, struct gk_err *e)
{
	struct gk_price found = {.is_known = true, .cached = -1};
	gk_arena_auto arena = {0};

	if (gk_node_decode(at, price_fields, gk_count_of(price_fields), &found, &arena, e) < 0)
		return -1;
	if (found.cached < 0)
		found.cached = found.input;
	if (!is_price(found.input) || !is_price(found.cached) || !is_price(found.output))
		return gk_node_fail(at, e, "prices are US dollars per million tokens, from 0 to %g", MAX_USD);
	*price = found;
	return 0;
}

int gk_price_read(const char *path, const char *model, struct gk_price *price, struct gk_err *e)
{
	static const char *const keys[] = {"models", NULL};
	gk_doc_auto doc = {0};
	struct gk_node root, models, at;

	*price = (struct gk_price){.is_known = false};
	if (gk_doc_read_yaml(&doc, path, MAX_FILE_BYTES, e) < 0)
		return -1;
	root = gk_node_root(&doc);
	if (gk_node_object(&root, e) < 0 || gk_node_known_keys(&root, keys, e) < 0)
		return -1;
	models = gk_node_key(&root, "models");
	if (gk_node_object(&models, e) < 0)
		return -1;
	at = gk_node_key(&models, json_object_get(models.value, model) ? model : "*");
	return at.value ? read_model(&at, price, e) : 0;
}

void gk_price_apply(const struct gk_price *price, struct gk_usage *usage)
{
	double uncached = (double)(usage->prompt_tokens - usage->cached_tokens);

	usage->cost_nano_usd = -1;
	if (!price->is_known || usage->prompt_tokens + usage->completion_tokens == 0)
		return;
	/* A dollar per million tokens is a thousand nano-dollars per token. */
	usage->cost_nano_usd = llround(1000 * (uncached * price->input + (double)usage->cached_tokens * price->cached +
	                                       (double)usage->completion_tokens * price->output));
}
