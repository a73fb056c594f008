/*
 * Prompts: templates under prompts/, knowledge under knowledge/, filled with
 * what the task declares and what the agent has to say. The same inputs give
 * the same bytes: no clock, path, pid, locale or hash order gets in.
 */
#ifndef GK_PROMPT_PROMPT_H
#define GK_PROMPT_PROMPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"

struct gk_task;
struct gk_prompter;

struct gk_prompt {
	char *system, *user;    /* UTF-8, zero-terminated */
	char hash[GK_HEX_SIZE]; /* SHA-256 of system, a zero byte, user */
};

/* Reads and checks every template and every knowledge file. */
struct gk_prompter *gk_prompter_open(const char *prompts_folder, const char *knowledge_folder,
                                     struct gk_err *e);
void gk_prompter_free(struct gk_prompter *prompter);

/* The files it has read, for the journal's pins: "prompts/system.md" and the hash of its bytes. False at the
 * end. */
bool gk_prompter_file(const struct gk_prompter *prompter, size_t index, const char **name, const char **hash);

/*
 * Renders the prompt for a context of gk_agent_context(). target is "cpu",
 * "sm_90", "gfx942", ..; hardware is an object of facts measured or declared
 * for it (its keys and values are listed as they are), or NULL. On success
 * *out is the caller's: gk_prompt_release().
 */
int gk_prompt_render(const struct gk_prompter *prompter, const struct gk_task *task, const char *target,
                     const json_t *hardware, const json_t *context, struct gk_prompt *out, struct gk_err *e);
void gk_prompt_release(struct gk_prompt *prompt);

/* Hex SHA-256 of system, a zero byte, user. */
void gk_prompt_hash(const char *system, const char *user, char hash[GK_HEX_SIZE]);

#endif
