/* Which of two correct attempts is the better one. */
#include "agent/state.h"

static bool is_correct(const struct gk_attempt *attempt)
{
	return attempt->outcome == GK_PASS && attempt->exec;
}

static int order(double a, double b)
{
	return (a > b) - (a < b);
}

/* Without the tie-breakers that only say who came first. */
int gk_attempt_gain(const struct gk_attempt *a, const struct gk_attempt *b)
{
	int by_bytes, by_operations;

	if (a->speedup.measured != b->speedup.measured)
		return a->speedup.measured ? 1 : -1;
	if (a->speedup.measured)
		return order(a->speedup.low, b->speedup.low);
	if (a->counted != b->counted)
		return a->counted ? 1 : -1;
	if (!a->counted)
		return 0;
	by_bytes = order(b->bytes_moved, a->bytes_moved);
	by_operations = order(b->operations, a->operations);
	return by_bytes ? by_bytes : by_operations ? by_operations : order(b->launches, a->launches);
}

bool gk_attempt_has_gained(const struct gk_attempt *a, const struct gk_attempt *best)
{
	double floor = a->speedup.floor > best->speedup.floor ? a->speedup.floor : best->speedup.floor;

	if (gk_attempt_gain(a, best) <= 0)
		return false;
	return !a->speedup.measured || !best->speedup.measured ||
	       a->speedup.mean > best->speedup.mean * (1 + floor);
}

int gk_attempt_compare(const struct gk_attempt *a, const struct gk_attempt *b)
{
	int gain = gk_attempt_gain(a, b);

	if (gain)
		return gain;
	if (a->number != b->number)
		return a->number < b->number ? 1 : -1;
	return (a->trajectory < b->trajectory) - (a->trajectory > b->trajectory);
}

const struct gk_attempt *gk_agent_winner(const struct gk_agent *agent)
{
	const struct gk_attempt *best = NULL;
	size_t i;

	for (i = 0; i < agent->attempts.count; i++) {
		const struct gk_attempt *attempt = &agent->attempts.items[i];

		if (is_correct(attempt) && (!best || gk_attempt_compare(attempt, best) > 0))
			best = attempt;
	}
	return best;
}

size_t gk_agent_attempts(const struct gk_agent *agent, const struct gk_attempt **attempts)
{
	*attempts = agent->attempts.items;
	return agent->attempts.count;
}
