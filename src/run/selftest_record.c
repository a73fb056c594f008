/*
 * What a selftest found, kept per node: one JSON file below
 * ${XDG_STATE_HOME:-~/.local/state}/geak/selftest, named by host, device and
 * PCI address. It counts only while what it was found with is the same: the
 * program (its SHA-256), the driver and the GPU. A file that is not whole, of
 * another form or of another geak is none.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/doc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/record.h"
#include "selftest_parts.h"

enum { RECORD_BYTES = 1 << 20, SCHEMA = 1 };

/* Of the facts: what must be the same for a result to hold. */
static const char *const identity[] = {"device", "kind", "target", "pci", "driver", "partition"};

static const char *text_of(const json_t *object, const char *key, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : otherwise;
}

static void name_of_device(struct gk_buf *name, const json_t *facts)
{
	gk_buf_printf(name, "%s-%s-%s", text_of(facts, "host", gk_record_host()), text_of(facts, "device", "cpu"),
	              text_of(facts, "pci", "cpu"));
}

/* ---- keeping ---- */

int selftest_keep(const json_t *facts, const json_t *result, struct gk_err *e)
{
	gk_buf_auto name = GK_BUF_INIT;

	name_of_device(&name, facts);
	return gk_record_keep("selftest", gk_buf_text(&name), result, e);
}

json_t *selftest_new_record(const json_t *facts)
{
	char date[32] = "";
	time_t now = time(NULL);
	struct tm utc;

	if (gmtime_r(&now, &utc))
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_pack("{s:i, s:s, s:s, s:O, s:[], s:b}", "schema_version", SCHEMA, "build",
	                 gk_record_build(), "date", date, "facts", facts, "lines", "passed", 0);
}

/* ---- asking ---- */

static json_t *read_record(const json_t *facts)
{
	gk_buf_auto name = GK_BUF_INIT;
	gk_buf_auto path = GK_BUF_INIT;
	gk_free_auto char *text = NULL;
	gk_doc_auto doc = {0};
	struct gk_err ignored;
	size_t size = 0;

	name_of_device(&name, facts);
	gk_record_path(&path, "selftest", gk_buf_text(&name));
	if (gk_file_read(gk_buf_text(&path), RECORD_BYTES, &text, &size, &ignored) < 0 ||
	    gk_doc_from_json(&doc, "selftest", text, size, &ignored) < 0)
		return NULL;
	if (json_integer_value(json_object_get(doc.root, "schema_version")) != SCHEMA)
		return NULL;
	return json_incref(doc.root);
}

/* What differs from when it was kept, or NULL. */
static const char *difference(const json_t *record, const json_t *facts)
{
	const json_t *then = json_object_get(record, "facts");

	if (!*gk_record_build() || strcmp(text_of(record, "build", ""), gk_record_build()) != 0)
		return "build";
	for (size_t i = 0; i < gk_count_of(identity); i++) {
		const json_t *a = json_object_get(then, identity[i]),
			     *b = json_object_get(facts, identity[i]);

		if (a != b && !(a && b && json_equal(a, b)))
			return identity[i];
	}
	return NULL;
}

bool gk_selftest_told(const char *facts, struct gk_buf *words)
{
	gk_json_auto *now = facts ? json_loads(facts, JSON_REJECT_DUPLICATES, NULL) : NULL;
	gk_json_auto *record = now ? read_record(now) : NULL;
	const char *other = record ? difference(record, now) : NULL, *date;
	bool passed = record && json_is_true(json_object_get(record, "passed"));

	date = record ? text_of(record, "date", "an unknown day") : "";
	if (!record)
		gk_buf_printf(words, "not run here: geak selftest --device %s",
		              text_of(now, "device", "cpu"));
	else if (other)
		gk_buf_printf(words, "%s on %.10s, but with another %s", passed ? "passed" : "failed", date,
		              other);
	else
		gk_buf_printf(words, "%s on %.10s", passed ? "passed" : "failed", date);
	return passed && !other;
}

bool gk_selftest_passed(const char *facts)
{
	gk_buf_auto words = GK_BUF_INIT;

	return gk_selftest_told(facts, &words);
}
