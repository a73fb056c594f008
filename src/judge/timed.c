#include "judge/timed.h"

#include <math.h>

#include "base/doc.h"
#include "base/memory.h"
#include "stat/summary.h"

/* Of a clock without a known tick. */
#define LEAST_MS 1e-6

static int fail_count(const struct gk_node *at, size_t count, struct gk_err *e)
{
	return gk_node_fail(at, e, "%zu numbers are needed, one for each pair, not %zu", count,
	                    gk_node_count(at));
}

static int read_numbers(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	struct gk_timed_numbers *numbers = out;

	if (gk_node_array(at, GK_TIMED_MAX, e) < 0)
		return -1;
	numbers->items = gk_arena_array(arena, gk_node_count(at), sizeof *numbers->items);
	numbers->count = gk_node_count(at);
	for (size_t i = 0; i < numbers->count; i++) {
		struct gk_node item = gk_node_item(at, i);

		if (gk_node_double(&item, &numbers->items[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_number_or_null(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	return json_is_null(at->value) ? 0 : gk_node_double(at, out, e);
}

static int skip(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)at;
	(void)out;
	(void)arena;
	(void)e;
	return 0;
}

/* ---- one side ---- */

struct poisoned {
	int64_t count, first;
};

static int read_poisoned(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	static const struct gk_field fields[] = {
		{.name = "poisoned",
	         .kind = GK_FIELD_INT,
	         .offset = offsetof(struct poisoned, count),
	         .required = true},
		{.name = "first",
	         .kind = GK_FIELD_INT,
	         .offset = offsetof(struct poisoned, first),
	         .required = true},
	};
	struct gk_timed_side *side = out;

	if (gk_node_array(at, GK_TIMED_MAX, e) < 0)
		return -1;
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		struct poisoned one = {0};

		if (gk_node_decode(&item, fields, gk_count_of(fields), &one, arena, e) < 0)
			return -1;
		if (one.count > 0 && !side->poisoned) {
			side->poisoned_output = (int64_t)i;
			side->poisoned_first = one.first;
		}
		side->poisoned += one.count > 0 ? one.count : 0;
	}
	return 0;
}

static int read_side(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
#define AT(member) offsetof(struct gk_timed_side, member)
	static const struct gk_field fields[] = {
		{.name = "ms",
	         .kind = GK_FIELD_NODE,
	         .offset = AT(ms),
	         .required = true,
	         .decode = read_numbers},
		{.name = "chosen", .kind = GK_FIELD_NODE, .offset = AT(chosen), .decode = read_numbers},
		{.name = "tuned", .kind = GK_FIELD_NODE, .decode = skip},
		{.name = "fills_ms",
	         .kind = GK_FIELD_NODE,
	         .offset = AT(fills_ms),
	         .decode = read_number_or_null},
		{.name = "changed", .kind = GK_FIELD_NODE, .offset = AT(changed), .decode = read_numbers},
		{.name = "checked", .kind = GK_FIELD_INT, .offset = AT(checked), .required = true},
		{.name = "different", .kind = GK_FIELD_INT, .offset = AT(different), .required = true},
		{.name = "poisoned", .kind = GK_FIELD_NODE, .decode = read_poisoned},
	};
#undef AT
	struct gk_timed_side *side = out;

	if (json_is_null(at->value))
		return 0;
	side->is_there = true;
	return gk_node_decode(at, fields, gk_count_of(fields), side, arena, e);
}

/* ---- clocks and health ---- */

static int read_figure(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
#define AT(member) offsetof(struct gk_timed_figure, member)
	static const struct gk_field fields[] = {
		{.name = "calls", .kind = GK_FIELD_INT, .offset = AT(calls), .required = true},
		{.name = "rounds", .kind = GK_FIELD_INT, .offset = AT(rounds)},
		{.name = "a_ms", .kind = GK_FIELD_DOUBLE, .offset = AT(a_ms), .required = true},
		{.name = "b_ms", .kind = GK_FIELD_NODE, .offset = AT(b_ms), .decode = read_number_or_null},
	};
#undef AT
	struct gk_timed_figure *figure = out;

	if (json_is_null(at->value))
		return 0;
	figure->is_there = true;
	return gk_node_decode(at, fields, gk_count_of(fields), figure, arena, e);
}

static void add_reasons(json_t *all, const json_t *reasons)
{
	const json_t *reason, *known;
	size_t i, k;

	json_array_foreach(reasons, i, reason)
	{
		bool is_new = json_is_string(reason);

		json_array_foreach(all, k, known) is_new = is_new && !json_equal(known, reason);
		if (is_new && json_array_size(all) < 32)
			json_array_append(all, (json_t *)reason);
	}
}

struct health {
	double sm_mhz, memory_mhz, watts, celsius;
};

static int read_one_health(const struct gk_node *at, struct health *one, json_t *throttle,
                           struct gk_arena *arena, struct gk_err *e)
{
#define AT(member) offsetof(struct health, member)
	static const struct gk_field fields[] = {
		{.name = "pair", .kind = GK_FIELD_NODE, .decode = skip},
		{.name = "sm_mhz", .kind = GK_FIELD_DOUBLE, .offset = AT(sm_mhz)},
		{.name = "memory_mhz", .kind = GK_FIELD_DOUBLE, .offset = AT(memory_mhz)},
		{.name = "watts", .kind = GK_FIELD_DOUBLE, .offset = AT(watts)},
		{.name = "celsius", .kind = GK_FIELD_DOUBLE, .offset = AT(celsius)},
		{.name = "throttle", .kind = GK_FIELD_NODE, .decode = skip},
	};
#undef AT

	if (gk_node_decode(at, fields, gk_count_of(fields), one, arena, e) < 0)
		return -1;
	add_reasons(throttle, json_object_get(at->value, "throttle"));
	return 0;
}

static void widen(double *low, double *high, double value)
{
	if (value <= 0)
		return;
	*low = *low > 0 ? fmin(*low, value) : value;
	*high = fmax(*high, value);
}

static int read_health(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	struct gk_timed_health *health = out;
	size_t told = 0;
	double *mhz;

	if (gk_node_array(at, GK_TIMED_MAX, e) < 0)
		return -1;
	health->throttle = json_array();
	mhz = gk_arena_array(arena, gk_node_count(at), sizeof *mhz);
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		struct health one = {0};

		if (read_one_health(&item, &one, health->throttle, arena, e) < 0)
			return -1;
		widen(&health->sm_low, &health->sm_high, one.sm_mhz);
		widen(&health->memory_low, &health->memory_high, one.memory_mhz);
		health->watts = fmax(health->watts, one.watts);
		health->celsius = fmax(health->celsius, one.celsius);
		if (one.sm_mhz > 0)
			mhz[told++] = one.sm_mhz;
	}
	health->count = gk_node_count(at);
	health->sm_mhz = gk_median_of(mhz, told);
	return 0;
}

/* ---- all ---- */

static int read_finding(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	if (json_is_null(at->value))
		return 0;
	*(const json_t **)out = at->value;
	return gk_node_object(at, e);
}

static int read_took(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	*(const json_t **)out = at->value;
	return gk_node_object(at, e);
}

static int read_text_or_null(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	(void)arena;
	return json_is_null(at->value) ? 0 : gk_node_string(at, out, e);
}

static int read_fault(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	static const char *const sides[] = {"a", "b", NULL};
	int side = -1;

	(void)arena;
	if (!json_is_null(at->value) && gk_node_choice(at, sides, &side, e) < 0)
		return -1;
	*(enum gk_timed_fault *)out = side < 0 ? GK_TIMED_NO_ONE : side == 0 ? GK_TIMED_A : GK_TIMED_B;
	return 0;
}

static int read_groups(const struct gk_node *at, void *out, struct gk_arena *arena, struct gk_err *e)
{
	if (gk_node_array(at, GK_TIMED_MAX, e) < 0)
		return -1;
	*(uint32_t **)out = gk_arena_array(arena, gk_node_count(at), sizeof(uint32_t));
	for (size_t i = 0; i < gk_node_count(at); i++) {
		struct gk_node item = gk_node_item(at, i);
		int64_t group;

		if (gk_node_int(&item, 0, UINT32_MAX, &group, e) < 0)
			return -1;
		(*(uint32_t **)out)[i] = (uint32_t)group;
	}
	return 0;
}

static int check_counts(const struct gk_node *root, const struct gk_timed *timed, struct gk_err *e)
{
	struct gk_node groups = gk_node_key(root, "group"), a = gk_node_key(root, "a"),
		       b = gk_node_key(root, "b");
	struct gk_node b_ms = gk_node_key(&b, "ms");

	if (timed->finding)
		return 0;
	if (!timed->a.is_there)
		return gk_node_fail(&a, e, "calls are needed where there is no finding");
	if (gk_node_count(&groups) != timed->a.ms.count)
		return fail_count(&groups, timed->a.ms.count, e);
	if (timed->b.is_there && timed->b.ms.count != timed->a.ms.count)
		return fail_count(&b_ms, timed->a.ms.count, e);
	return 0;
}

static int read_timed(const struct gk_node *root, struct gk_timed *timed, struct gk_err *e)
{
#define AT(member) offsetof(struct gk_timed, member)
	static const struct gk_field fields[] = {
		{.name = "finding",
	         .kind = GK_FIELD_NODE,
	         .offset = AT(finding),
	         .required = true,
	         .decode = read_finding},
		{.name = "side",
	         .kind = GK_FIELD_NODE,
	         .offset = AT(fault),
	         .required = true,
	         .decode = read_fault},
		{.name = "lost", .kind = GK_FIELD_NODE, .decode = skip},
		{.name = "a", .kind = GK_FIELD_NODE, .offset = AT(a), .required = true, .decode = read_side},
		{.name = "b", .kind = GK_FIELD_NODE, .offset = AT(b), .required = true, .decode = read_side},
		{.name = "group",
	         .kind = GK_FIELD_NODE,
	         .offset = AT(groups),
	         .required = true,
	         .decode = read_groups},
		{.name = "first", .kind = GK_FIELD_NODE, .decode = skip},
		{.name = "host", .kind = GK_FIELD_NODE, .offset = AT(host), .decode = read_figure},
		{.name = "batch", .kind = GK_FIELD_NODE, .offset = AT(batch), .decode = read_figure},
		{.name = "tick_ms", .kind = GK_FIELD_DOUBLE, .offset = AT(tick_ms)},
		{.name = "health", .kind = GK_FIELD_NODE, .offset = AT(health), .decode = read_health},
		{.name = "discarded", .kind = GK_FIELD_INT, .offset = AT(discarded)},
		{.name = "held_ms", .kind = GK_FIELD_DOUBLE, .offset = AT(held_ms)},
		{.name = "ms", .kind = GK_FIELD_NODE, .decode = skip},
		{.name = "took", .kind = GK_FIELD_NODE, .offset = AT(took), .decode = read_took},
		{.name = "stopped", .kind = GK_FIELD_NODE, .offset = AT(stopped), .decode = read_text_or_null},
	};
#undef AT

	if (gk_node_decode(root, fields, gk_count_of(fields), timed, &timed->arena, e) < 0)
		return -1;
	timed->tick_ms = fmax(0, timed->tick_ms);
	return check_counts(root, timed, e);
}

int gk_timed_read(const json_t *json, struct gk_timed *timed, struct gk_err *e)
{
	/* A borrowed view of the tree: the doc is never released. */
	struct gk_doc doc = {.root = (json_t *)json, .name = (char *)"timed"};
	struct gk_node root = gk_node_root(&doc);

	*timed = (struct gk_timed){0};
	if (read_timed(&root, timed, e) == 0)
		return 0;
	gk_timed_release(timed);
	return -1;
}

void gk_timed_release(struct gk_timed *timed)
{
	json_decref(timed->health.throttle);
	gk_arena_release(&timed->arena);
	*timed = (struct gk_timed){0};
}

double gk_timed_least_ms(const struct gk_timed *timed)
{
	return fmax(LEAST_MS, timed->tick_ms / 2);
}

struct gk_pair *gk_timed_pairs(struct gk_timed *timed)
{
	struct gk_pair *pairs = gk_arena_array(&timed->arena, timed->a.ms.count, sizeof *pairs);
	double least = gk_timed_least_ms(timed);

	for (size_t i = 0; i < timed->a.ms.count && timed->b.is_there; i++)
		pairs[i] = (struct gk_pair){fmax(least, timed->a.ms.items[i]),
		                            fmax(least, timed->b.ms.items[i]), timed->groups[i]};
	return pairs;
}
