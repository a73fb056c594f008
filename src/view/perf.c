#include "view/perf.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

static double number_of(const json_t *detail, const char *key)
{
	const json_t *value = json_object_get(detail, key);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

static int64_t count_of(const json_t *detail, const char *key)
{
	double number = number_of(detail, key);

	return isfinite(number) && number > 0 && number < 1e15 ? (int64_t)number : 0;
}

static const char *note_of(const struct gk_case_result *result)
{
	const char *note = json_string_value(json_object_get(result->detail, "note"));

	return result->message && result->message[0] ? result->message : note ? note : "";
}

/* Whatever a stored verdict says: a figure counts only if it can be one. */
static bool is_figure(const struct gk_perf_case *one)
{
	return one->speedup > 0 && isfinite(one->speedup) && one->low > 0 && isfinite(one->high) &&
	       one->low <= one->high && one->reference_ms > 0 && isfinite(one->reference_ms) && one->candidate_ms > 0 &&
	       isfinite(one->candidate_ms);
}

static void read_case(const struct gk_case_result *result, struct gk_perf_case *one)
{
	const json_t *detail = result->detail;

	*one = (struct gk_perf_case){
		.case_id = result->case_id,
		.reference_ms = number_of(detail, "reference_ms"),
		.candidate_ms = number_of(detail, "candidate_ms"),
		.speedup = number_of(detail, "speedup"),
		.low = number_of(detail, "low"),
		.high = number_of(detail, "high"),
		.floor = number_of(detail, "floor"),
		.within_noise = json_is_true(json_object_get(detail, "within_noise")),
		.pairs = count_of(detail, "pairs"),
		.loads = count_of(detail, "loads"),
		.discarded = count_of(detail, "discarded"),
		.held_ms = number_of(detail, "held_ms"),
		.tick_ms = number_of(detail, "tick_ms"),
		.note = note_of(result),
		.result = result,
	};
	one->measured = is_figure(one);
}

size_t gk_perf_cases(const struct gk_verdict *verdict, struct gk_arena *arena, struct gk_perf_case **cases)
{
	size_t count = 0;

	*cases = gk_arena_array(arena, verdict->case_count, sizeof **cases);
	for (size_t i = 0; i < verdict->case_count; i++)
		if (strcmp(verdict->cases[i].part, "perf") == 0)
			read_case(&verdict->cases[i], &(*cases)[count++]);
	return count;
}

/* --- numbers --- */

void gk_perf_add_ms(struct gk_buf *out, double ms)
{
	double value = ms < 1 ? ms * 1000 : ms < 1000 ? ms : ms / 1000;
	const char *unit = ms < 1 ? "us" : ms < 1000 ? "ms" : "s";

	if (!isfinite(ms))
		gk_buf_add_text(out, "-");
	else
		gk_buf_printf(out, "%.*f %s", value < 10 ? 3 : value < 100 ? 2 : 1, value, unit);
}

void gk_perf_add_percent(struct gk_buf *out, double part)
{
	if (!isfinite(part))
		gk_buf_add_text(out, "-");
	else
		gk_buf_printf(out, part < 0.001 ? "%.2f %%" : "%.1f %%", 100 * part);
}

void gk_perf_add_ratio(struct gk_buf *out, double ratio, double width)
{
	int digits = ratio >= 100 ? 0 : ratio >= 10 ? 1 : ratio >= 0.1 ? 2 : 3;

	if (width > 0 && width < 0.02 && digits == 2)
		digits = 3;
	if (!isfinite(ratio))
		gk_buf_add_text(out, "-");
	else
		gk_buf_printf(out, "%.*f", digits, ratio);
}

/* --- words --- */

static size_t count_measured(const struct gk_perf_case *cases, size_t count)
{
	size_t measured = 0;

	for (size_t i = 0; i < count; i++)
		measured += cases[i].measured;
	return measured;
}

void gk_perf_add_why_not(struct gk_buf *out, const struct gk_verdict *verdict)
{
	gk_arena_auto arena = {0};
	struct gk_perf_case *cases;
	size_t count = gk_perf_cases(verdict, &arena, &cases);

	if (verdict->speedup.measured)
		return;
	for (size_t i = 0; i < count; i++)
		if (cases[i].note[0]) {
			gk_buf_printf(out, "%s: %s", cases[i].case_id, cases[i].note);
			return;
		}
	if (!verdict->exec)
		gk_buf_add_text(out, "only what is correct is timed");
	else if (verdict->evidence == GK_SIMULATED)
		gk_buf_add_text(out, "the plans ran on the Triton IR machine, on the CPU, which tells no speed");
	else if (count == 0)
		gk_buf_add_text(out, "no case was timed");
	else
		gk_buf_add_text(out, "its timing gave no figure");
}

void gk_perf_add_line(struct gk_buf *out, const struct gk_verdict *verdict)
{
	const struct gk_speedup *speedup = &verdict->speedup;
	gk_arena_auto arena = {0};
	struct gk_perf_case *cases;
	size_t count = gk_perf_cases(verdict, &arena, &cases), measured = count_measured(cases, count);
	double width;

	if (!speedup->measured) {
		gk_buf_add_text(out, "not measured: ");
		gk_perf_add_why_not(out, verdict);
		return;
	}
	width = speedup->high - speedup->low;
	gk_perf_add_ratio(out, speedup->mean, width);
	gk_buf_add_text(out, "x [");
	gk_perf_add_ratio(out, speedup->low, width);
	gk_buf_add_text(out, ", ");
	gk_perf_add_ratio(out, speedup->high, width);
	if (measured > 1) {
		gk_buf_printf(out, "], mean of %zu cases (", measured);
		if (speedup->worst > 0) {
			gk_buf_add_text(out, "worst ");
			gk_perf_add_ratio(out, speedup->worst, width);
			gk_buf_add_text(out, "x, ");
		}
		gk_buf_add_text(out, "geometric mean ");
		gk_perf_add_ratio(out, speedup->geomean, width);
		gk_buf_add_text(out, "x, noise floor ");
	} else {
		gk_buf_add_text(out, "], one case (noise floor ");
	}
	gk_perf_add_percent(out, speedup->floor);
	gk_buf_add_text(out, speedup->within_noise ? "): within noise, no difference can be told" : ")");
}

void gk_perf_add_comparison(struct gk_buf *out, const struct gk_speedup *speedup, const char *a, const char *b)
{
	gk_buf_printf(out, "%s is %.3fx as fast as %s [%.3f, %.3f], noise floor ", b, speedup->mean, a, speedup->low,
	              speedup->high);
	gk_perf_add_percent(out, speedup->floor);
	if (speedup->within_noise)
		gk_buf_add_text(out, ": no difference can be told");
	else
		gk_buf_add_text(out, speedup->mean > 1 ? ": faster" : ": slower");
}

/* --- the table --- */

enum { COLUMN_CASE, COLUMN_A, COLUMN_B, COLUMN_SPEEDUP, COLUMN_INTERVAL, COLUMN_FLOOR, COLUMN_PAIRS, COLUMN_NOTE };

static void add_time_cell(struct gk_table *table, int column, double ms)
{
	gk_buf_auto text = GK_BUF_INIT;

	gk_perf_add_ms(&text, ms);
	gk_table_cell(table, column, GK_PLAIN, "%s", gk_buf_text(&text));
}

static void add_figures(struct gk_table *table, const struct gk_perf_case *one)
{
	enum gk_tone tone = one->within_noise ? GK_PLAIN : one->speedup > 1 ? GK_GOOD : GK_BAD;
	gk_buf_auto percent = GK_BUF_INIT;

	add_time_cell(table, COLUMN_A, one->reference_ms);
	add_time_cell(table, COLUMN_B, one->candidate_ms);
	gk_perf_add_percent(&percent, one->floor);
	gk_table_cell(table, COLUMN_SPEEDUP, tone, "%.3fx", one->speedup);
	gk_table_cell(table, COLUMN_INTERVAL, GK_PLAIN, "%.3f - %.3f", one->low, one->high);
	gk_table_cell(table, COLUMN_FLOOR, GK_DIM, "%s", gk_buf_text(&percent));
	gk_table_cell(table, COLUMN_PAIRS, GK_DIM, "%lld", (long long)one->pairs);
}

void gk_perf_table(const struct gk_verdict *verdict, const char *a, const char *b, struct gk_table *table)
{
	const struct gk_table_column columns[] = {
		{"case", false, 50}, {a, true, 24}, {b, true, 24}, {"speedup", true, 0}, {"95 % interval", true, 0},
		{"floor", true, 0}, {"pairs", true, 0}, {"", false, 100}};
	gk_arena_auto arena = {0};
	struct gk_perf_case *cases;
	size_t count = gk_perf_cases(verdict, &arena, &cases);

	gk_table_init(table, columns, gk_count_of(columns));
	table->columns[COLUMN_A].title = gk_arena_string(&table->arena, a);
	table->columns[COLUMN_B].title = gk_arena_string(&table->arena, b);
	for (size_t i = 0; i < count; i++) {
		gk_table_row(table);
		gk_table_cell(table, COLUMN_CASE, GK_PLAIN, "%s", cases[i].case_id);
		if (cases[i].measured)
			add_figures(table, &cases[i]);
		else
			gk_table_cell(table, COLUMN_SPEEDUP, GK_WARN, "not measured");
		gk_table_cell(table, COLUMN_NOTE, GK_WARN, "%s%s%s", cases[i].within_noise ? "within noise" : "",
		              cases[i].within_noise && cases[i].note[0] ? "; " : "", cases[i].note);
	}
}
