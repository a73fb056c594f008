#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "text.h"

#define MAX_LINE_BYTES 4096

static const char *const prefixes[] = {"error: ", "warning: ", "", "debug: "};

static struct {
	enum gk_log_level level;
	void (*before)(void *ctx);
	void (*after)(void *ctx);
	void *ctx;
} settings = {.level = GK_LOG_WARN};

void gk_log_set_level(enum gk_log_level level)
{
	settings.level = level;
}

void gk_log_set_hooks(void (*before)(void *ctx), void (*after)(void *ctx), void *ctx)
{
	settings.before = before;
	settings.after = after;
	settings.ctx = ctx;
}

void gk_log(enum gk_log_level level, const char *format, ...)
{
	gk_buf_auto raw = {.ceiling = (size_t)1 << 20};
	gk_buf_auto line = GK_BUF_INIT;
	va_list arguments;

	if (level > settings.level)
		return;
	va_start(arguments, format);
	gk_buf_vprintf(&raw, format, arguments);
	va_end(arguments);
	gk_buf_printf(&line, "geak: %s", prefixes[level]);
	gk_text_add_safe(&line, gk_buf_text(&raw), raw.size, MAX_LINE_BYTES, false);
	gk_buf_add_char(&line, '\n');
	if (settings.before)
		settings.before(settings.ctx);
	fputs(gk_buf_text(&line), stderr); /* one call: lines of several processes do not mix */
	if (settings.after)
		settings.after(settings.ctx);
}
