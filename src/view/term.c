#include "view/term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"

#define DEFAULT_WIDTH 100
#define PRINT_MAX     ((size_t)1 << 20)

void gk_term_init(struct gk_term *term, FILE *out)
{
	const char *kind = getenv("TERM"), *no_colour = getenv("NO_COLOR");
	struct winsize size = {0};

	*term = (struct gk_term){.out = out, .is_tty = isatty(fileno(out)) != 0, .width = DEFAULT_WIDTH, .height = 24};
	term->colour = term->is_tty && kind && strcmp(kind, "dumb") != 0 && !(no_colour && no_colour[0]);
	if (!term->is_tty || ioctl(fileno(out), TIOCGWINSZ, &size) < 0)
		return;
	if (size.ws_col >= 20)
		term->width = size.ws_col;
	if (size.ws_row >= 4)
		term->height = size.ws_row;
}

static const char *code_of(enum gk_tone tone)
{
	static const char *const codes[] = {[GK_PLAIN] = "", [GK_BOLD] = "\x1b[1m", [GK_DIM] = "\x1b[2m",
	                                    [GK_GOOD] = "\x1b[32m", [GK_BAD] = "\x1b[31m", [GK_WARN] = "\x1b[33m",
	                                    [GK_ACCENT] = "\x1b[36m"};

	return codes[tone];
}

void gk_term_write(const struct gk_term *term, enum gk_tone tone, const char *text, size_t size)
{
	gk_buf_auto safe = GK_BUF_INIT;
	bool toned = term->colour && tone != GK_PLAIN;

	gk_text_add_safe(&safe, text, size, PRINT_MAX, true);
	if (toned)
		fputs(code_of(tone), term->out);
	fwrite(gk_buf_text(&safe), 1, safe.size, term->out);
	if (toned)
		fputs("\x1b[0m", term->out);
}

void gk_term_print(const struct gk_term *term, enum gk_tone tone, const char *format, ...)
{
	gk_buf_auto raw = GK_BUF_INIT;
	va_list arguments;

	va_start(arguments, format);
	gk_buf_vprintf(&raw, format, arguments);
	va_end(arguments);
	gk_term_write(term, tone, gk_buf_text(&raw), raw.size);
}

void gk_term_erase(const struct gk_term *term, int lines)
{
	if (!term->is_tty || lines <= 0)
		return;
	fprintf(term->out, "\r\x1b[%dA\x1b[J", lines);
}

size_t gk_term_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}

size_t gk_term_cut(const char *text, size_t columns)
{
	size_t bytes = 0;

	while (text[bytes]) {
		if (((unsigned char)text[bytes] & 0xc0) != 0x80 && columns-- == 0)
			break;
		bytes++;
	}
	return bytes;
}
