#include "rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compare.h"

enum trick { TRICK_NONE, TRICK_ZEROS, TRICK_CONSTANT, TRICK_LOWER, TRICK_VALUES };

/* An output made up from expected values. */
struct forgery {
	enum trick trick;
	double constant;
	const struct gk_tensor *source; /* VALUES: where they come from, with strides */
	const void *source_bytes;
};

static double value_at(const struct gk_tensor *t, const void *bytes, int64_t flat)
{
	int64_t at = t->offset;

	for (int d = t->rank - 1; d >= 0; d--) {
		at += flat % t->shape[d] * t->strides[d];
		flat /= t->shape[d];
	}
	return gk_element(t->dtype, bytes, at);
}

static double mean_of(enum gk_dtype dtype, const void *bytes, int64_t count)
{
	double sum = 0;
	int64_t finite = 0;

	for (int64_t i = 0; i < count; i++) {
		double value = gk_element(dtype, bytes, i);

		sum += isfinite(value) ? value : 0;
		finite += isfinite(value) != 0;
	}
	return finite ? sum / (double)finite : 0;
}

static double forge(const struct forgery *f, enum gk_dtype dtype, double want, int64_t i)
{
	switch (f->trick) {
	case TRICK_ZEROS:
		return 0;
	case TRICK_CONSTANT:
		return f->constant;
	case TRICK_LOWER:
		return gk_round_significand(want, gk_lower_precision(dtype));
	case TRICK_VALUES:
		return value_at(f->source, f->source_bytes, i);
	case TRICK_NONE:
		break;
	}
	return want;
}

/* Whether the task's comparison takes the forged output for right. */
static bool is_accepted(const struct gk_rules_case *c, size_t output, const struct forgery *f,
                        struct gk_difference *d)
{
	const struct gk_tensor *out = &c->data->outputs[output], *want = &c->data->want[output];
	int64_t count = gk_tensor_count(out);
	size_t size = gk_dtype_bytes(out->dtype);
	char *got = gk_alloc((size_t)count * size + 1);
	struct gk_comparison comparison = {.dtype = out->dtype,
	                                   .want_dtype = want->dtype,
	                                   .rank = out->rank,
	                                   .got = got,
	                                   .want = c->want[output],
	                                   .tolerance = gk_tolerance_of(c->task, c->c, out->dtype)};
	bool right;

	memcpy(comparison.shape, out->shape, sizeof comparison.shape);
	for (int64_t i = 0; i < count; i++)
		gk_dtype_store(out->dtype, got + (size_t)i * size,
		               forge(f, out->dtype, gk_element(want->dtype, c->want[output], i), i));
	right = gk_compare(&comparison, d);
	free(got);
	return right;
}

static bool all_accepted(const struct gk_rules_case *c, const struct forgery *f)
{
	struct gk_difference *d = gk_alloc(sizeof *d);
	bool accepted = true;

	for (size_t i = 0; accepted && i < c->data->output_count; i++) {
		struct forgery own = *f;

		own.constant =
			mean_of(c->data->want[i].dtype, c->want[i], gk_tensor_count(&c->data->want[i]));
		accepted = is_accepted(c, i, &own, d);
	}
	free(d);
	return accepted;
}

static bool seeds_differ(const struct gk_rules_case *c, const void *const *other)
{
	struct gk_difference *d = gk_alloc(sizeof *d);
	bool same = true;

	for (size_t i = 0; same && i < c->data->output_count; i++) {
		struct gk_tensor dense = c->data->outputs[i];
		struct forgery f = {.trick = TRICK_VALUES, .source = &dense, .source_bytes = other[i]};

		dense.dtype = c->data->want[i].dtype;
		same = is_accepted(c, i, &f, d);
	}
	free(d);
	return !same;
}

static void add_inputs(struct gk_rules *rules, const struct gk_rules_case *c)
{
	struct gk_difference *d = gk_alloc(sizeof *d);

	for (size_t i = 0; i < c->data->input_count; i++) {
		struct forgery f = {
			.trick = TRICK_VALUES, .source = &c->data->inputs[i], .source_bytes = c->inputs[i]};

		/* where it has another size, returning it is refused anyway */
		rules->input[i] |= c->data->output_count != 1 ||
		                   gk_tensor_count(f.source) != gk_tensor_count(&c->data->outputs[0]) ||
		                   !is_accepted(c, 0, &f, d);
	}
	free(d);
}

static void add_lower(struct gk_rules *rules, const struct gk_rules_case *c)
{
	struct gk_difference *d = gk_alloc(sizeof *d);

	for (size_t i = 0; i < c->data->output_count; i++) {
		enum gk_dtype dtype = c->data->outputs[i].dtype;
		struct forgery f = {.trick = TRICK_LOWER};

		if (gk_lower_precision(dtype) == 0)
			continue;
		rules->has_dtype[dtype] = true;
		rules->lower[dtype] |= !is_accepted(c, i, &f, d);
	}
	free(d);
}

static void add_honest(struct gk_rules *rules, const struct gk_rules_case *c)
{
	struct gk_difference *d = gk_alloc(sizeof *d);
	struct forgery f = {.trick = TRICK_NONE};

	for (size_t i = 0; !rules->is_refused && i < c->data->output_count; i++) {
		rules->is_refused = !is_accepted(c, i, &f, d);
		if (rules->is_refused)
			snprintf(rules->refused_words, sizeof rules->refused_words,
			         "case %.200s, output %s: %s", c->c->id, c->data->outputs[i].name, d->words);
	}
	free(d);
}

void gk_rules_add(struct gk_rules *rules, const struct gk_rules_case *c)
{
	struct forgery zeros = {.trick = TRICK_ZEROS}, constant = {.trick = TRICK_CONSTANT};

	rules->cases++;
	rules->zeros |= !all_accepted(c, &zeros);
	rules->constant |= !all_accepted(c, &constant);
	rules->other_seed |= seeds_differ(c, c->other_want);
	add_honest(rules, c);
	add_inputs(rules, c);
	add_lower(rules, c);
}

void gk_rules_depend(struct gk_rules *rules, const struct gk_rules_case *c, size_t input,
                     const void *const *want)
{
	rules->depends[input] |= seeds_differ(c, want);
}

static size_t report_precision(const struct gk_rules *rules, struct gk_buf *out)
{
	size_t broken = 0;

	for (int dtype = 1; dtype < GK_DTYPE_COUNT; dtype++) {
		if (!rules->has_dtype[dtype] || rules->lower[dtype])
			continue;
		gk_buf_printf(
			out, "%s results rounded to %d bits of significand pass: the tolerance is too wide\n",
			gk_dtype_name((enum gk_dtype)dtype), gk_lower_precision((enum gk_dtype)dtype));
		broken++;
	}
	return broken;
}

static size_t report_inputs(const struct gk_rules *rules, const struct gk_judge_data *data,
                            struct gk_buf *out)
{
	size_t broken = 0;

	for (size_t i = 0; i < data->input_count; i++) {
		if (!rules->input[i]) {
			gk_buf_printf(out, "the input %s itself passes as the output\n",
			              data->inputs[i].name);
			broken++;
		}
		if (!rules->depends[i]) {
			gk_buf_printf(out, "no output depends on the input %s\n", data->inputs[i].name);
			broken++;
		}
	}
	return broken;
}

size_t gk_rules_report(const struct gk_rules *rules, const struct gk_task *task,
                       const struct gk_judge_data *data, struct gk_buf *out)
{
	size_t broken = 0;

	(void)task;
	if (rules->is_refused) {
		gk_buf_printf(out, "the expected values, rounded once, fail: %s\n", rules->refused_words);
		broken++;
	}
	if (!rules->zeros) {
		gk_buf_add_text(out, "an output of zeros passes in every case\n");
		broken++;
	}
	if (!rules->constant) {
		gk_buf_add_text(out, "a constant output passes in every case\n");
		broken++;
	}
	if (!rules->other_seed) {
		gk_buf_add_text(out, "two seeds give the same outputs in every case\n");
		broken++;
	}
	return broken + report_precision(rules, out) + report_inputs(rules, data, out);
}
