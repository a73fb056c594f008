/* What tokens cost: a YAML file, by model (docs/models.md). */
#ifndef GK_LLM_PRICES_H
#define GK_LLM_PRICES_H

#include <stdbool.h>

#include "base/err.h"
#include "fact/usage.h"

/* US dollars per million tokens. */
struct gk_price {
	bool is_known;
	double input, cached, output;
};

/* A model that is not in the file has no known price; "*" in the file stands for all others. */
int gk_price_read(const char *path, const char *model, struct gk_price *price, struct gk_err *e);
/* Fills in usage->cost_nano_usd: -1 when the price is unknown or no tokens were reported. */
void gk_price_apply(const struct gk_price *price, struct gk_usage *usage);

#endif
