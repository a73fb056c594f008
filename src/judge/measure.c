#include "judge/measure.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/memory.h"
#include "judge/contract.h"
#include "judge/timed.h"
#include "stat/floor.h"
#include "stat/speedup.h"
#include "stat/summary.h"

#define CLOCK_SHARE    0.10
#define CLOCK_MS       0.003
#define SABOTAGE_SHARE 0.05
#define MOST_FLOOR     0.10 /* that sabotage is given credit for */

/* One case on its way from what was told to what it means. */
struct work {
	const struct gk_measure_setup *setup;
	struct gk_timed timed;
	struct gk_alone alone;
	bool has_alone;
	struct gk_ratio ratio;
	struct gk_measure *m;
};

static const char *name_of(const struct work *w, bool is_b)
{
	const char *name = is_b ? w->setup->b.name : w->setup->a.name;

	return name ? name : is_b ? "the candidate" : "the reference";
}

static struct gk_buf *add_note(struct work *w)
{
	if (w->m->note.size)
		gk_buf_add_text(&w->m->note, "; ");
	return &w->m->note;
}

/* The first failure is the outcome. */
static void __attribute__((format(printf, 4, 5)))
fail(struct work *w, enum gk_outcome outcome, const char *kind, const char *format, ...)
{
	va_list arguments;

	if (w->m->kind[0])
		return;
	w->m->outcome = outcome;
	w->m->kind = kind;
	va_start(arguments, format);
	gk_buf_vprintf(&w->m->message, format, arguments);
	va_end(arguments);
}

/* ---- what was wrong with the calls ---- */

static void judge_finding(struct work *w)
{
	static const char *const kinds[] = {"out_of_bounds", "misaligned", "poison_used", "assert",
	                                    "budget",        "hang",       "crash",       "launch",
	                                    "memory",        "unsupported"};
	const struct gk_source nothing = {0};
	const char *told = json_string_value(json_object_get(w->timed.finding, "kind")), *kind = "crash";
	gk_buf_auto words = GK_BUF_INIT;
	bool is_b = w->timed.fault == GK_TIMED_B;

	for (size_t i = 0; i < gk_count_of(kinds); i++)
		kind = told && strcmp(told, kinds[i]) == 0 ? kinds[i] : kind;
	gk_describe_finding(&words, w->timed.finding, is_b && w->setup->source ? w->setup->source : &nothing);
	if (w->timed.fault == GK_TIMED_NO_ONE)
		fail(w, GK_INFRA, "infra", "timing: %s", gk_buf_text(&words));
	else
		fail(w, is_b ? GK_FAIL : GK_INFRA, is_b ? kind : "task", "when %s was timed: %s",
		     name_of(w, is_b), gk_buf_text(&words));
}

/* The name of an input that was written and must not be, or NULL. */
static const char *forbidden_change(const struct work *w, const struct gk_timed_side *told,
                                    const struct gk_measure_side *side)
{
	for (size_t i = 0; i < told->changed.count && w->setup->task && side->plan; i++) {
		double buffer = told->changed.items[i];
		const char *input = buffer >= 0 && buffer < side->plan->buffer_count
		                            ? side->plan->buffers[(uint32_t)buffer].input
		                            : NULL;

		if (input && !gk_contract_in_place(w->setup->task, input))
			return input;
	}
	return NULL;
}

static void judge_different(struct work *w, const struct gk_timed_side *told, bool is_b)
{
	const struct gk_measure_side *side = is_b ? &w->setup->b : &w->setup->a;

	if (told->different <= 0)
		return;
	if (side->has_atomics)
		gk_buf_printf(add_note(w),
		              "%lld of %lld outputs of %s differ in bits from call to call: it uses atomics",
		              (long long)told->different, (long long)told->checked, name_of(w, is_b));
	else
		fail(w, is_b ? GK_FAIL : GK_INFRA, is_b ? "unstable_values" : "task",
		     "%s computes different values from the same inputs: the outputs of %lld of %lld timed "
		     "calls differ "
		     "from another's, though it uses no atomics; it reads what it has not written, or its "
		     "programs race",
		     name_of(w, is_b), (long long)told->different, (long long)told->checked);
}

static void judge_side(struct work *w, bool is_b)
{
	const struct gk_timed_side *told = is_b ? &w->timed.b : &w->timed.a;
	const struct gk_measure_side *side = is_b ? &w->setup->b : &w->setup->a;
	const char *changed = forbidden_change(w, told, side);
	enum gk_outcome outcome = is_b ? GK_FAIL : GK_INFRA;

	if (!told->is_there)
		return;
	if (told->poisoned > 0)
		fail(w, outcome, is_b ? "poison" : "task",
		     "%s left %lld element%s of its outputs unwritten in a timed call, the first at index "
		     "%lld of output %lld",
		     name_of(w, is_b), (long long)told->poisoned, told->poisoned == 1 ? "" : "s",
		     (long long)told->poisoned_first, (long long)told->poisoned_output);
	if (changed)
		fail(w, outcome, is_b ? "input_changed" : "task", "%s wrote to its input %s in a timed call",
		     name_of(w, is_b), changed);
	judge_different(w, told, is_b);
	if (told->checked == 0 && told->ms.count > 0)
		gk_buf_printf(add_note(w), "no outputs of timed calls of %s were looked at",
		              name_of(w, is_b));
}

/* ---- whether the clock can be believed ---- */

/* How far a figure may be from another of that size. */
static double clock_tolerance(const struct work *w, double ms)
{
	double tolerance = fmax(CLOCK_SHARE, w->m->floor) * ms;

	tolerance = fmax(tolerance, 2 * w->timed.tick_ms);
	tolerance = fmax(tolerance, CLOCK_MS);
	return fmin(tolerance, ms / 2);
}

/* Figures of the slower clock, and the interval with them. */
static void correct(struct work *w, double a_ms, double b_ms)
{
	double factor = a_ms / w->m->a_ms * w->m->b_ms / b_ms;

	w->m->a_ms = a_ms;
	w->m->b_ms = b_ms;
	w->m->speedup *= factor;
	w->m->low *= factor;
	w->m->high *= factor;
	w->m->within_noise = gk_within_noise(w->m->low, w->m->high, w->m->floor);
}

static void judge_clock(struct work *w)
{
	const struct gk_timed_figure *host = &w->timed.host;
	double a_ms = w->m->a_ms, b_ms = w->m->b_ms, usual;

	if (!host->is_there) {
		gk_buf_add_text(add_note(w), "the host's clock was not read");
		return;
	}
	usual = w->has_alone && w->alone.host_ms > 0 ? fmax(0, w->alone.ms - w->alone.host_ms) : 0;
	if (host->b_ms - b_ms > clock_tolerance(w, host->b_ms)) {
		fail(w, GK_FAIL, "clock_mismatch",
		     "the GPU's events say that a call of %s takes %.4g ms, the host's clock says %.4g ms: "
		     "its time is not "
		     "to be believed; the slower figure counts",
		     name_of(w, true), b_ms, host->b_ms);
		correct(w, a_ms, host->b_ms);
	}
	if (host->a_ms > 0 && a_ms - host->a_ms - usual > clock_tolerance(w, a_ms)) {
		fail(w, GK_FAIL, "clock_mismatch",
		     "beside %s the GPU's events say that a call of %s takes %.4g ms, the host's clock says "
		     "%.4g ms: the time "
		     "is not to be believed; the faster figure counts",
		     name_of(w, true), name_of(w, false), a_ms, host->a_ms);
		correct(w, host->a_ms, w->m->b_ms);
	}
}

static void judge_sabotage(struct work *w)
{
	double mhz = w->timed.health.sm_mhz, alone = w->alone.ms, slower, allowed, by_clock = 1;

	if (!w->has_alone || alone <= 0)
		return;
	if (mhz > 0 && w->alone.sm_mhz > mhz)
		by_clock = w->alone.sm_mhz / mhz;
	slower = w->ratio.a_ms / alone;
	allowed = 1 + fmax(SABOTAGE_SHARE, 3 * fmin(MOST_FLOOR, w->m->floor)) + 2 * w->timed.tick_ms / alone;
	if (slower / by_clock > allowed)
		fail(w, GK_FAIL, "sabotage",
		     "a call of %s took %.4g ms alone and takes %.4g ms when %s runs in between: the GPU is "
		     "left disturbed",
		     name_of(w, false), alone, w->ratio.a_ms, name_of(w, true));
	else if (slower > allowed)
		gk_buf_printf(add_note(w), "the GPU's clock was %.0f MHz, %.0f MHz when %s was alone", mhz,
		              w->alone.sm_mhz, name_of(w, false));
}

/* ---- figures ---- */

static void measure(struct work *w)
{
	const struct gk_pair *pairs = gk_timed_pairs(&w->timed);
	double ticks;

	gk_ratio_estimate(pairs, w->timed.a.ms.count, w->setup->seed, GK_RATIO_LEVEL, &w->ratio);
	ticks = w->timed.tick_ms / 2 * (1 / w->ratio.a_ms + 1 / w->ratio.b_ms);
	w->m->is_measured = true;
	w->m->a_ms = w->ratio.a_ms;
	w->m->b_ms = w->ratio.b_ms;
	w->m->speedup = w->ratio.ratio;
	w->m->low = w->ratio.low * exp(-ticks);
	w->m->high = w->ratio.high * exp(ticks);
	w->m->floor = fmax(w->alone.floor, w->timed.tick_ms / fmin(w->ratio.a_ms, w->ratio.b_ms));
	w->m->within_noise = gk_within_noise(w->m->low, w->m->high, w->m->floor);
	w->m->pairs = w->ratio.count;
	w->m->loads = w->ratio.groups;
	if (!w->has_alone)
		gk_buf_printf(add_note(w), "%s was not measured against itself: the noise floor is not known",
		              name_of(w, false));
}

static void judge(struct work *w)
{
	if (w->timed.finding) {
		judge_finding(w);
		return;
	}
	judge_side(w, false);
	judge_side(w, true);
	if (w->timed.b.ms.count == 0) {
		fail(w, GK_INFRA, "infra",
		     "no pair of calls could be measured; %lld were discarded since the GPU's clock changed",
		     (long long)w->timed.discarded);
		return;
	}
	measure(w);
	judge_clock(w);
	judge_sabotage(w);
}

/* ---- detail ---- */

static void put_number(json_t *object, const char *key, bool is_known, double value)
{
	json_object_set_new(object, key, is_known && isfinite(value) ? json_real(value) : json_null());
}

static json_t *figure_json(const struct gk_timed_figure *figure, bool with_calls)
{
	json_t *object;

	if (!figure->is_there)
		return json_null();
	object = json_object();
	put_number(object, "reference", true, figure->a_ms);
	put_number(object, "candidate", figure->b_ms != 0, figure->b_ms);
	if (with_calls)
		json_object_set_new(object, "calls", json_integer((json_int_t)figure->calls));
	return object;
}

static const struct gk_plan_step *choose_step(const struct gk_plan *plan, size_t wanted)
{
	for (uint32_t i = 0; plan && i < plan->step_count; i++)
		if (plan->steps[i].op == GK_STEP_CHOOSE && wanted-- == 0)
			return &plan->steps[i];
	return NULL;
}

/* The configuration that was chosen; of several choices an array; without the plan their indexes. */
static json_t *variant_json(const struct gk_timed_side *told, const struct gk_plan *plan)
{
	json_t *all = json_array(), *only;

	for (size_t i = 0; i < told->chosen.count; i++) {
		const struct gk_plan_step *step = choose_step(plan, i);
		double index = told->chosen.items[i];

		if (step && index >= 0 && index < step->variant_count &&
		    step->variants[(uint32_t)index].config)
			json_array_append(all, step->variants[(uint32_t)index].config);
		else
			json_array_append_new(
				all, json_integer((json_int_t)fmin(fmax(index, -1), GK_PLAN_MAX_VARIANTS)));
	}
	if (json_array_size(all) > 1)
		return all;
	only = json_array_size(all) ? json_incref(json_array_get(all, 0)) : json_null();
	json_decref(all);
	return only;
}

static json_t *range_json(double low, double high)
{
	return low > 0 ? json_pack("[f, f]", low, high) : json_null();
}

static json_t *health_json(const struct gk_timed_health *health)
{
	json_t *object;

	if (!health->count)
		return json_null();
	object = json_object();
	json_object_set_new(object, "sm_mhz", range_json(health->sm_low, health->sm_high));
	json_object_set_new(object, "memory_mhz", range_json(health->memory_low, health->memory_high));
	put_number(object, "watts", health->watts > 0, health->watts);
	put_number(object, "celsius", health->celsius > 0, health->celsius);
	json_object_set(object, "throttle", health->throttle);
	return object;
}

static json_t *detail_json(const struct work *w)
{
	const struct gk_measure *m = w->m;
	json_t *detail = json_object(), *variant = json_object();

	put_number(detail, "reference_ms", m->is_measured, m->a_ms);
	put_number(detail, "candidate_ms", m->is_measured, m->b_ms);
	put_number(detail, "speedup", m->is_measured, m->speedup);
	put_number(detail, "low", m->is_measured, m->low);
	put_number(detail, "high", m->is_measured, m->high);
	put_number(detail, "floor", m->is_measured, m->floor);
	json_object_set_new(detail, "within_noise",
	                    m->is_measured ? json_boolean(m->within_noise) : json_null());
	json_object_set_new(detail, "pairs", json_integer((json_int_t)m->pairs));
	json_object_set_new(detail, "loads", json_integer((json_int_t)m->loads));
	json_object_set_new(detail, "host_ms", figure_json(&w->timed.host, false));
	json_object_set_new(detail, "batch_ms", figure_json(&w->timed.batch, true));
	json_object_set_new(variant, "reference", variant_json(&w->timed.a, w->setup->a.plan));
	json_object_set_new(variant, "candidate", variant_json(&w->timed.b, w->setup->b.plan));
	json_object_set_new(detail, "variant", variant);
	json_object_set_new(detail, "health", health_json(&w->timed.health));
	put_number(detail, "tick_ms", true, w->timed.tick_ms);
	json_object_set_new(detail, "discarded", json_integer((json_int_t)w->timed.discarded));
	put_number(detail, "held_ms", true, w->timed.held_ms);
	json_object_set_new(detail, "took", w->timed.took ? json_deep_copy(w->timed.took) : json_object());
	json_object_set_new(detail, "stopped", w->timed.stopped ? json_string(w->timed.stopped) : json_null());
	json_object_set_new(detail, "note", json_string(gk_buf_text(&m->note)));
	return detail;
}

/* ---- */

int gk_measure_case(const struct gk_measure_setup *setup, struct gk_measure *measure, struct gk_err *e)
{
	struct work w = {.setup = setup, .m = measure, .has_alone = setup->alone};

	*measure = (struct gk_measure){.kind = ""};
	if (setup->alone && gk_measure_alone(setup->alone, setup->seed, &w.alone, e) < 0)
		return gk_err_context(e, "alone");
	if (gk_timed_read(setup->timed, &w.timed, e) < 0)
		return -1;
	if (!w.timed.finding && !w.timed.b.is_there) {
		gk_timed_release(&w.timed);
		return gk_err_set(e, GK_ERR_INPUT, "timed: b: calls are needed");
	}
	w.has_alone = w.alone.ms > 0;
	judge(&w);
	measure->detail = detail_json(&w);
	gk_timed_release(&w.timed);
	return 0;
}

void gk_measure_release(struct gk_measure *measure)
{
	gk_buf_release(&measure->message);
	gk_buf_release(&measure->note);
	json_decref(measure->detail);
	*measure = (struct gk_measure){.kind = ""};
}

void gk_measure_combine(const struct gk_measure *measures, size_t count, struct gk_speedup *speedup)
{
	struct gk_speedup_case *cases = gk_alloc_array(count + 1, sizeof *cases);
	struct gk_speedup_all all;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (measures[i].is_measured)
			cases[used++] = (struct gk_speedup_case){measures[i].speedup, measures[i].low,
			                                         measures[i].high, measures[i].floor};
	gk_speedup_combine(cases, used, &all);
	*speedup = (struct gk_speedup){.measured = used > 0,
	                               .mean = all.mean,
	                               .geomean = all.geomean,
	                               .worst = all.worst,
	                               .low = all.low,
	                               .high = all.high,
	                               .floor = all.floor,
	                               .within_noise = all.within_noise};
	gk_free_pointer(&cases);
}

/* ---- alone ---- */

static double median_of_calls(struct gk_timed *timed)
{
	size_t count = timed->a.ms.count, all = timed->b.is_there ? 2 * count : count;
	double *ms = gk_arena_array(&timed->arena, all, sizeof *ms);

	for (size_t i = 0; i < all; i++)
		ms[i] = fmax(gk_timed_least_ms(timed),
		             i < count ? timed->a.ms.items[i] : timed->b.ms.items[i - count]);
	return gk_median_of(ms, all);
}

static void measure_alone(struct gk_timed *timed, uint64_t seed, struct gk_alone *alone)
{
	size_t count = timed->a.ms.count;

	alone->ms = median_of_calls(timed);
	alone->sm_mhz = timed->health.sm_mhz;
	alone->host_ms = timed->host.a_ms;
	if (timed->b.is_there) {
		const struct gk_pair *pairs = gk_timed_pairs(timed);
		struct gk_ratio ratio;

		gk_ratio_estimate(pairs, count, seed, GK_RATIO_LEVEL, &ratio);
		alone->low = ratio.low;
		alone->high = ratio.high;
		alone->floor = gk_floor(pairs, count, seed, GK_RATIO_LEVEL);
		alone->host_ms =
			timed->host.b_ms > 0 ? (timed->host.a_ms + timed->host.b_ms) / 2 : timed->host.a_ms;
	} else {
		for (size_t i = 0; i < count; i++)
			timed->a.ms.items[i] = fmax(gk_timed_least_ms(timed), timed->a.ms.items[i]);
		alone->floor =
			gk_floor_of_calls(timed->a.ms.items, timed->groups, count, seed, GK_RATIO_LEVEL);
	}
	alone->floor = fmax(alone->floor, timed->tick_ms / alone->ms);
}

int gk_measure_alone(const json_t *json, uint64_t seed, struct gk_alone *alone, struct gk_err *e)
{
	struct gk_timed timed;

	*alone = (struct gk_alone){0};
	if (gk_timed_read(json, &timed, e) < 0)
		return -1;
	if (!timed.finding && timed.a.ms.count > 0)
		measure_alone(&timed, seed, alone);
	gk_timed_release(&timed);
	return 0;
}
