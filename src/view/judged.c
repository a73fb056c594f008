#include "view/judged.h"

#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "view/near.h"
#include "view/perf.h"
#include "view/story.h"

static enum gk_tone tone_of(enum gk_outcome outcome)
{
	return outcome == GK_PASS ? GK_GOOD : outcome == GK_FAIL ? GK_BAD : GK_WARN;
}

static size_t count_part(const struct gk_verdict *v, const char *part)
{
	size_t count = 0;

	for (size_t i = 0; i < v->case_count; i++)
		count += strcmp(v->cases[i].part, part) == 0;
	return count;
}

static void print_times(const struct gk_term *term, const struct gk_verdict *v)
{
	gk_term_print(term, GK_DIM, "; lint %.0f ms, call %.0f ms", v->stages_ms[GK_STAGE_LINT],
	              v->stages_ms[GK_STAGE_CALL]);
	if (v->kernels)
		gk_term_print(term, GK_DIM, " (lowering %.0f ms)", v->lower_ms);
	gk_term_print(term, GK_DIM, ", exec %.0f ms", v->stages_ms[GK_STAGE_EXEC]);
	if (v->stages_ms[GK_STAGE_PERF] > 0)
		gk_term_print(term, GK_DIM, ", perf %.0f ms", v->stages_ms[GK_STAGE_PERF]);
	if (v->spent.gpu > 0)
		gk_term_print(term, GK_DIM, ", GPU held %.0f ms", v->spent.gpu);
	gk_term_print(term, GK_DIM, "\n");
}

static void print_cases(const struct gk_term *term, const struct gk_verdict *v, const char *a, const char *b)
{
	struct gk_table table;

	if (count_part(v, "perf") == 0)
		return;
	gk_perf_table(v, a, b, &table);
	gk_table_print(&table, term);
	gk_table_release(&table);
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

/* What came of runs for real: whether they agree with the plans, and how long calls take end to end. */
static void print_real(const struct gk_term *term, const struct gk_verdict *v)
{
	static const char *const begins[] = {"confirmed: ", "not confirmed ", "judged contained"};
	size_t i;
	json_t *item;

	json_array_foreach(v->notes, i, item)
		for (size_t k = 0; k < gk_count_of(begins); k++)
			if (gk_text_starts(json_string_value(item), begins[k]))
				gk_term_print(term, GK_DIM, "  %s\n", json_string_value(item));
	json_array_foreach(v->end_to_end, i, item)
		gk_term_print(term, GK_PLAIN, "  end to end %s: %.4f ms a call (events %.4f, host %.4f, geak %.4f; %d calls%s)\n",
		              json_string_value(json_object_get(item, "case")), number_of(item, "ms"),
		              number_of(item, "event_ms"), number_of(item, "host_ms"), number_of(item, "keeper_ms"),
		              (int)number_of(item, "calls"),
		              json_is_true(json_object_get(item, "interpreted")) ? ", interpreted" : "");
}

void gk_judged_print(const struct gk_term *term, const char *task, const char *candidate,
                     const struct gk_verdict *v)
{
	gk_buf_auto speed = GK_BUF_INIT, near = GK_BUF_INIT;

	gk_term_print(term, tone_of(v->outcome), "%-9s", gk_outcome_names[v->outcome]);
	gk_term_print(term, GK_BOLD, " %s", task);
	gk_term_print(term, GK_PLAIN, "  %s", candidate);
	if (v->outcome != GK_PASS)
		gk_term_print(term, GK_PLAIN, "  %s at %s", v->kind, gk_stage_names[v->stage]);
	gk_term_print(term, GK_DIM, "\n  evidence %s%s, call %s, exec %s; %zu cases executed", gk_evidence_names[v->evidence],
	              v->compiled ? ", compiled" : "", v->call ? "yes" : "no", v->exec ? "yes" : "no",
	              count_part(v, "exec"));
	print_times(term, v);
	gk_perf_add_line(&speed, v);
	gk_term_print(term, v->speedup.measured ? GK_BOLD : GK_DIM, "  perf %s\n", gk_buf_text(&speed));
	if (gk_near_add_line(&near, v))
		gk_term_print(term, GK_DIM, "  values %s\n", gk_buf_text(&near));
	if (v->message && v->message[0])
		gk_term_print(term, GK_PLAIN, "  %s\n", v->message);
	print_real(term, v);
	print_cases(term, v, "reference", "candidate");
	fflush(term->out);
}

void gk_judged_print_basis(const struct gk_term *term, const json_t *peers)
{
	gk_buf_auto words = GK_BUF_INIT;

	gk_peers_add_words(&words, peers);
	gk_term_print(term, GK_DIM, "%s\n", gk_buf_text(&words));
}

void gk_judged_print_comparison(const struct gk_term *term, const struct gk_verdict *v, const char *a, const char *b)
{
	gk_buf_auto words = GK_BUF_INIT;
	enum gk_tone tone = v->speedup.within_noise ? GK_WARN : v->speedup.mean > 1 ? GK_GOOD : GK_BAD;

	print_cases(term, v, a, b);
	gk_perf_add_comparison(&words, &v->speedup, a, b);
	gk_term_print(term, tone, "\n%s\n", gk_buf_text(&words));
	for (size_t i = 0; i < json_array_size(v->notes); i++)
		gk_term_print(term, GK_DIM, "note: %s\n", json_string_value(json_array_get(v->notes, i)));
	fflush(term->out);
}
