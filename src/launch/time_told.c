/* What was measured, as docs/protocol.md says it ("timed"). */
#include "answer.h"
#include "time.h"

static json_t *numbers(const double *ms, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_real(ms[i]));
	return list;
}

static json_t *indexes(const uint32_t *values, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_integer(values[i]));
	return list;
}

static json_t *changed(const struct time_side *s)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->plan->buffer_count; i++)
		if (s->changed[i])
			json_array_append_new(list, json_integer(i));
	return list;
}

static json_t *poisoned(const struct time_side *s)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->plan->output_count; i++) {
		uint64_t count = s->evidence.poisoned[i];

		json_array_append_new(list,
		                      json_pack("{s:I, s:I}", "poisoned", (json_int_t)count, "first",
		                                count ? (json_int_t)s->evidence.first_poisoned[i] : -1));
	}
	return list;
}

static json_t *side(const struct time_job *job, uint32_t index)
{
	const struct time_side *s = &job->sides[index];
	json_t *chosen = json_array(), *tuned = json_array();

	for (uint32_t i = 0; i < s->choice_count; i++) {
		json_array_append_new(chosen, json_integer(s->variant[s->choices[i].step]));
		json_array_append_new(tuned, numbers(s->choices[i].ms, s->choices[i].count));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:o}", "ms", numbers(s->ms, job->pair_count),
	                 "chosen", chosen, "tuned", tuned, "fills_ms",
	                 s->fills_ms < 0 ? json_null() : json_real(s->fills_ms), "changed", changed(s),
	                 "checked", (int)s->evidence.checked, "different", (int)s->evidence.different,
	                 "poisoned", poisoned(s));
}

/* keys of struct: calls 0 is none */
static json_t *both(const struct time_job *job, uint32_t calls, uint32_t rounds, const double ms[2])
{
	if (calls == 0)
		return json_null();
	return json_pack("{s:i, s:i, s:f, s:o}", "calls", (int)calls, "rounds", (int)rounds, "a_ms", ms[0],
	                 "b_ms", job->side_count > 1 ? json_real(ms[1]) : json_null());
}

static void add_known(json_t *o, const char *key, int value)
{
	if (value >= 0)
		json_object_set_new(o, key, json_integer(value));
}

static json_t *reading(const struct time_reading *r)
{
	json_t *o = json_pack("{s:i}", "pair", (int)r->pair), *throttle = json_array();

	add_known(o, "sm_mhz", r->health.sm_mhz);
	add_known(o, "memory_mhz", r->health.memory_mhz);
	add_known(o, "celsius", r->health.celsius);
	if (r->health.watts >= 0)
		json_object_set_new(o, "watts", json_real(r->health.watts));
	for (int i = 0; gk_throttle_names[i]; i++)
		if (r->health.throttle >> i & 1)
			json_array_append_new(throttle, json_string(gk_throttle_names[i]));
	json_object_set_new(o, "throttle", throttle);
	return o;
}

static json_t *health(const struct time_job *job)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < job->reading_count; i++)
		json_array_append_new(list, reading(&job->readings[i]));
	return list;
}

static json_t *took(const struct time_job *job)
{
	json_t *o = json_object();

	for (uint32_t i = 0; i < job->took_count; i++)
		json_object_set_new(o, job->took[i].name, json_real(job->took[i].ms));
	return o;
}

/* With a finding nothing was measured. */
json_t *time_told(struct time_job *job, double ms)
{
	bool fine = !job->finding.kind[0];
	json_t *who = json_null();

	if (!fine && job->who >= 0)
		who = json_string(job->who ? "b" : "a");
	return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:i, s:f, s:o, s:f, s:o}",
	                 "finding", launch_finding_json(&job->finding), "side", who, "lost",
	                 job->device->is_lost, "a", fine ? side(job, 0) : json_null(), "b",
	                 fine && job->side_count > 1 ? side(job, 1) : json_null(), "group",
	                 indexes(job->group, fine ? job->pair_count : 0), "first",
	                 indexes(job->first, fine ? job->pair_count : 0), "host",
	                 both(job, fine ? job->host.calls : 0, job->host.rounds, job->host.ms), "batch",
	                 both(job, fine ? job->batch.calls : 0, job->batch.rounds, job->batch.ms), "tick_ms",
	                 job->tick_ms, "health", health(job), "discarded", (int)job->discarded, "held_ms",
	                 job->held_ms, "took", took(job), "ms", ms, "stopped",
	                 job->stopped ? json_string(job->stopped) : json_null());
}
