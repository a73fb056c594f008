#include "num/random.h"

#include "tap.h"

/* xoshiro256** from splitmix64(0), computed with another program. */
static void numbers_follow_from_the_seed(void)
{
	struct gk_random a, b;
	unsigned char whole[20], part[5];

	gk_random_seed(&a, 0);
	ok(a.state[0] == 0xe220a8397b1dcdafULL && a.state[1] == 0x6e789e6aa1b965f4ULL, "the seed is spread by splitmix64");
	ok(gk_random_next(&a) == 0x99ec5f36cb75f2b4ULL, "the first number of seed 0");
	ok(gk_random_next(&a) == 0xbf6e1f784956452aULL, "the second");
	gk_random_seed(&a, 7);
	gk_random_seed(&b, 8);
	ok(gk_random_next(&a) != gk_random_next(&b), "other seeds give other numbers");
	gk_random_seed(&a, 3);
	gk_random_seed(&b, 3);
	gk_random_fill(&a, whole, sizeof whole);
	gk_random_fill(&b, part, sizeof part);
	ok(memcmp(whole, part, sizeof part) == 0, "the same seed fills the same bytes");
}

static void draws_are_even(struct gk_random *r)
{
	int counts[6] = {0}, in_range = 1;
	double sum = 0;

	for (int i = 0; i < 60000; i++)
		counts[gk_random_below(r, 6)]++;
	for (int i = 0; i < 6; i++)
		in_range &= counts[i] > 9500 && counts[i] < 10500;
	ok(in_range, "a die is fair");
	is_int((long long)gk_random_below(r, 1), 0, "below 1 there is only 0");
	in_range = 1;
	for (int i = 0; i < 10000; i++) {
		double unit = gk_random_unit(r);

		in_range &= unit >= 0 && unit < 1;
		sum += unit;
	}
	ok(in_range, "units lie in [0, 1)");
	near(sum / 10000, 0.5, 0.02, "and are spread evenly");
}

static void shuffling_keeps_the_cards(struct gk_random *r)
{
	uint32_t items[52];
	int seen[52] = {0}, moved = 0, once = 1;

	for (uint32_t i = 0; i < 52; i++)
		items[i] = i;
	gk_random_shuffle(r, items, 52);
	for (uint32_t i = 0; i < 52; i++) {
		seen[items[i]]++;
		moved += items[i] != i;
	}
	for (int i = 0; i < 52; i++)
		once &= seen[i] == 1;
	ok(once && moved > 40, "shuffling keeps every card and moves most");
}

int main(void)
{
	struct gk_random r;

	numbers_follow_from_the_seed();
	gk_random_seed(&r, 7);
	draws_are_even(&r);
	shuffling_keeps_the_cards(&r);
	return done_testing();
}
