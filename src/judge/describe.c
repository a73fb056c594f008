#include "describe.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { LINE_BYTES = 160, MESSAGE_BYTES = 600 };
#define TOLD_ULPS 1e5 /* more say that it is wrong, not by how much */

void gk_describe_foreign(struct gk_buf *out, const char *text, size_t max)
{
	if (text)
		gk_text_add_safe(out, text, strlen(text), max, false);
}

static void add_scalar(struct gk_buf *out, const char *name, const json_t *value)
{
	char number[32];

	if (json_is_string(value)) {
		gk_buf_printf(out, "%s \"", name);
		gk_describe_foreign(out, json_string_value(value), 40);
		gk_buf_add_char(out, '"');
	} else if (json_is_boolean(value)) {
		gk_buf_printf(out, "%s %s", name, json_is_true(value) ? "True" : "False");
	} else if (json_is_integer(value)) {
		gk_buf_printf(out, "%s %lld", name, (long long)json_integer_value(value));
	} else if (json_is_real(value)) {
		gk_text_number(json_real_value(value), number);
		gk_buf_printf(out, "%s %s", name, number);
	} else {
		gk_buf_printf(out, "%s None", name);
	}
}

void gk_describe_args(struct gk_buf *out, const struct gk_judge_data *data)
{
	size_t i, tensor = 0;
	json_t *arg;
	char text[256];

	json_array_foreach(data->args, i, arg)
	{
		const char *name = json_string_value(json_object_get(arg, "name"));
		const char *kind = json_string_value(json_object_get(arg, "kind"));

		if (i > 0)
			gk_buf_add_text(out, ", ");
		if (kind && strcmp(kind, "tensor") == 0 && tensor < data->input_count) {
			gk_tensor_text(&data->inputs[tensor++], text, sizeof text);
			gk_buf_printf(out, "%s %s", name ? name : "?", text);
		} else {
			add_scalar(out, name ? name : "?", json_object_get(arg, "value"));
		}
	}
}

static const char *find_line(const struct gk_source *source, int64_t line, size_t *size)
{
	const char *at = source->text, *end = source->text + source->size;

	for (int64_t n = 1; at && n < line; n++) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at || at >= end)
		return NULL;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	*size = strcspn(at, "\n\r");
	return at;
}

void gk_describe_line(struct gk_buf *out, const struct gk_source *source, int64_t line)
{
	size_t size = 0;
	const char *text = line > 0 && source->text ? find_line(source, line, &size) : NULL;

	if (line <= 0)
		return;
	gk_buf_printf(out, " (line %lld", (long long)line);
	if (text && size > 0) {
		gk_buf_add_text(out, ": `");
		gk_text_add_safe(out, text, size, LINE_BYTES, false);
		gk_buf_add_char(out, '`');
	}
	gk_buf_add_char(out, ')');
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void gk_describe_finding(struct gk_buf *out, const json_t *finding, const struct gk_source *source)
{
	const char *kernel = text_of(finding, "kernel");
	json_t *program = json_object_get(finding, "program");

	if (kernel[0] && !gk_text_starts(text_of(finding, "message"), kernel)) {
		gk_buf_add_text(out, "kernel ");
		gk_describe_foreign(out, kernel, 100);
		gk_buf_add_text(out, ": ");
	}
	gk_describe_foreign(out, text_of(finding, "message"), MESSAGE_BYTES);
	if (json_array_size(program) == 3 && !strstr(text_of(finding, "message"), "program"))
		gk_buf_printf(out, ", in program (%lld, %lld, %lld)",
		              (long long)json_integer_value(json_array_get(program, 0)),
		              (long long)json_integer_value(json_array_get(program, 1)),
		              (long long)json_integer_value(json_array_get(program, 2)));
	gk_describe_line(out, source, json_integer_value(json_object_get(finding, "line")));
}

static void add_index(struct gk_buf *out, const int64_t *index, int rank)
{
	gk_buf_add_char(out, '[');
	for (int i = 0; i < rank; i++)
		gk_buf_printf(out, "%s%lld", i ? ", " : "", (long long)index[i]);
	gk_buf_add_char(out, ']');
}

void gk_describe_index(struct gk_buf *out, const struct gk_tensor *tensor, int64_t flat)
{
	int64_t index[GK_MAX_RANK] = {0};

	for (int i = tensor->rank - 1; i >= 0; i--) {
		index[i] = tensor->shape[i] ? flat % tensor->shape[i] : 0;
		flat = tensor->shape[i] ? flat / tensor->shape[i] : 0;
	}
	add_index(out, index, tensor->rank);
}

/* As many digits as tell two float32 apart in practice; whole numbers in full. */
static void add_number(struct gk_buf *out, const char *before, double value, int digits)
{
	if (value == trunc(value) && fabs(value) < 1e15)
		gk_buf_printf(out, "%s%.0f", before, value);
	else
		gk_buf_printf(out, "%s%.*g", before, digits, value);
}

static void add_pair(struct gk_buf *out, double got, double want)
{
	add_number(out, "got ", got, 7);
	add_number(out, ", expected ", want, 7);
}

void gk_describe_difference(struct gk_buf *out, const struct gk_tensor *output, const struct gk_difference *d,
                            const struct gk_tolerance *tolerance)
{
	char text[256];

	gk_tensor_text(output, text, sizeof text);
	gk_buf_printf(out, "output %s %s: %lld of %lld elements are wrong; first at ", output->name, text,
	              (long long)d->wrong, (long long)d->count);
	add_index(out, d->first, output->rank);
	gk_buf_add_text(out, ": ");
	add_pair(out, d->first_got, d->first_want);
	if (d->wrong > 1) {
		gk_buf_add_text(out, "; worst at ");
		add_index(out, d->worst, output->rank);
		gk_buf_add_text(out, ": ");
		add_pair(out, d->worst_got, d->worst_want);
	}
	if (!tolerance->exact) {
		add_number(out, " (allowed: ", tolerance->atol + tolerance->spread * d->scale, 2);
		add_number(out, " + ", tolerance->rtol, 2);
		gk_buf_add_text(out, " * |expected|)");
	} else {
		gk_buf_add_text(out, " (equality is required)");
	}
	if (d->ulps.apart == 0 && d->ulps.max > 0 && d->ulps.max <= TOLD_ULPS)
		gk_buf_printf(out, "; off by up to %.0f ulp", ceil(d->ulps.max));
	if (d->words[0])
		gk_buf_printf(out, "; %s", d->words);
}

void gk_describe_poison(struct gk_buf *out, const struct gk_tensor *output, int64_t count, int64_t first)
{
	int64_t total = gk_tensor_count(output);
	char text[256];

	gk_tensor_text(output, text, sizeof text);
	gk_buf_printf(out, "output %s %s: ", output->name, text);
	if (count == total)
		gk_buf_add_text(out, "no element was written with a defined value");
	else
		gk_buf_printf(out, "%lld of %lld elements were never written with a defined value",
		              (long long)count, (long long)total);
	gk_buf_add_text(
		out,
		" (a masked load without `other` gives undefined values, and so does memory that was never "
		"written); the first is ");
	gk_describe_index(out, output, first);
}

/* What MLIR says of every failure. */
static bool is_general(const char *line, size_t size)
{
	static const char *const words[] = {"Failures have been detected", "Pipeline failed", "PassManager::run failed"};

	for (size_t i = 0; i < gk_count_of(words); i++)
		if (memmem(line, size, words[i], strlen(words[i])))
			return true;
	return false;
}

/* The first line with mark; NULL when there is none. */
static const char *line_with(const char *log, const char *mark, size_t *size)
{
	for (const char *line = log; *line; line += *size + (line[*size] == '\n')) {
		*size = strcspn(line, "\n");
		if (memmem(line, *size, mark, strlen(mark)) && !is_general(line, *size))
			return line;
	}
	return NULL;
}

static const char *last_line(const char *log, size_t *size)
{
	const char *end = log + strlen(log), *line;

	while (end > log && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	for (line = end; line > log && line[-1] != '\n';)
		line--;
	*size = (size_t)(end - line);
	return line;
}

void gk_describe_log(struct gk_buf *out, const char *log)
{
	static const char *const marks[] = {"LLVM ERROR: ", "error: ", "ptxas fatal", "ptxas error", "Error: "};
	const char *line = NULL;
	size_t size = 0;

	for (size_t i = 0; i < gk_count_of(marks) && !line; i++)
		line = line_with(log, marks[i], &size);
	if (!line)
		line = last_line(log, &size);
	if (size)
		gk_text_add_safe(out, line, size, 600, false);
	else
		gk_buf_add_text(out, "the compiler does not say why");
}
