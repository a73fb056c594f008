/* The kinds of models, each in a file of its own; and what they share. */
#ifndef GK_LLM_KINDS_H
#define GK_LLM_KINDS_H

#include "llm/llm.h"

/* what stands behind the colon of the model's name. */
struct gk_endpoint *gk_openai_open(const char *what, const struct gk_llm_options *options,
                                   struct gk_loop *loop, struct gk_err *e);
struct gk_endpoint *gk_replay_open(const char *what, const struct gk_llm_options *options,
                                   struct gk_loop *loop, struct gk_err *e);
struct gk_endpoint *gk_spool_open(const char *what, const struct gk_llm_options *options,
                                  struct gk_loop *loop, struct gk_err *e);

#endif
