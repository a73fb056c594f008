/* Diagnostics for people, on stderr, one line each, control characters replaced. Never for results. */
#ifndef GK_BASE_LOG_H
#define GK_BASE_LOG_H

enum gk_log_level { GK_LOG_ERROR, GK_LOG_WARN, GK_LOG_INFO, GK_LOG_DEBUG };

/* Lines above the level are dropped. GK_LOG_WARN at the start; `-v` raises it. */
void gk_log_set_level(enum gk_log_level level);
/* Called before and after a line, so that a live display can step aside. Either may be NULL. */
void gk_log_set_hooks(void (*before)(void *ctx), void (*after)(void *ctx), void *ctx);
void gk_log(enum gk_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
