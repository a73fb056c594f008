/* What a model's answer cost. */
#ifndef GK_FACT_USAGE_H
#define GK_FACT_USAGE_H

#include <stdint.h>

struct gk_usage {
	int64_t prompt_tokens, cached_tokens, completion_tokens; /* as the endpoint reports them; 0 when it does not */
	int64_t cost_nano_usd;                                   /* from the price table; -1: price unknown */
};

#endif
