#include "record.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doc.h"
#include "file.h"
#include "hash.h"
#include "memory.h"

enum { PROGRAM_BYTES = 1 << 28 };

const char *gk_record_build(void)
{
	static char build[GK_HEX_SIZE];
	gk_free_auto char *bytes = NULL;
	struct gk_err ignored;
	size_t size = 0;

	if (!build[0] && gk_file_read("/proc/self/exe", PROGRAM_BYTES, &bytes, &size, &ignored) == 0)
		gk_hash_hex(bytes, size, build);
	return build;
}

const char *gk_record_host(void)
{
	static char host[256];

	if (!host[0] && (gethostname(host, sizeof host - 1) < 0 || !host[0]))
		snprintf(host, sizeof host, "localhost");
	return host;
}

static void add_folder(struct gk_buf *path, const char *kind)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && *state)
		gk_buf_printf(path, "%s/geak/%s", state, kind);
	else
		gk_buf_printf(path, "%s/.local/state/geak/%s", home ? home : "", kind);
}

void gk_record_path(struct gk_buf *path, const char *kind, const char *name)
{
	add_folder(path, kind);
	gk_buf_add_char(path, '/');
	for (; *name; name++) {
		bool is_plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", *name);

		gk_buf_add(path, is_plain ? name : "_", 1);
	}
	gk_buf_add_text(path, ".json");
}

int gk_record_keep(const char *kind, const char *name, const json_t *record, struct gk_err *e)
{
	gk_buf_auto folder = GK_BUF_INIT;
	gk_buf_auto path = GK_BUF_INIT;
	gk_free_auto char *text = gk_json_pretty(record);

	add_folder(&folder, kind);
	gk_record_path(&path, kind, name);
	if (gk_dir_make(gk_buf_text(&folder), e) < 0)
		return -1;
	return gk_file_write(gk_buf_text(&path), text, strlen(text), e);
}
