#include "fact/target.h"

#include <string.h>

#include "base/memory.h"
#include "tap.h"

static struct gk_object object(const char *target, int warps, int regs, uint32_t shared)
{
	struct gk_object o = {.warps = warps,
	                      .warp_size = gk_target_of(target)->warp_size,
	                      .ctas = 1,
	                      .regs = regs,
	                      .shared = shared};

	snprintf(o.target, sizeof o.target, "%s", target);
	return o;
}

/* Numbers of the vendors' own calculators. */
static void test_occupancy(void)
{
	static const struct {
		const char *target;
		int warps, regs;
		uint32_t shared;
		int blocks;
		const char *limit;
	} rows[] = {
		{"sm_90", 4, 32, 0, 16, "warps"},
		{"sm_90", 1, 32, 0, 32, "blocks"},
		{"sm_90", 4, 96, 16384, 5, "registers"},
		{"sm_90", 8, 255, 0, 1, "registers"},
		{"sm_90", 4, 32, 232448, 1, "shared memory"},
		{"sm_90", 4, 32, 65536, 3, "shared memory"},
		{"sm_80", 4, 32, 65536, 2, "shared memory"},
		{"gfx942", 4, 64, 0, 8, "warps"},
		{"gfx942", 4, 128, 0, 4, "registers"},
		{"gfx942", 4, 512, 0, 1, "registers"},
		{"gfx942", 8, 512, 0, 0, "registers"},
		{"gfx942", 4, 64, 32768, 2, "shared memory"},
		{"gfx942", 1, 64, 0, 32, "warps"},
		{"gfx942", 2, 32, 0, 16, "warps"},
		{"gfx950", 4, 64, 81920, 2, "shared memory"},
	};

	for (size_t i = 0; i < gk_count_of(rows); i++) {
		struct gk_object o = object(rows[i].target, rows[i].warps, rows[i].regs, rows[i].shared);
		struct gk_occupancy got;
		char what[128];

		gk_occupancy_of(gk_target_of(rows[i].target), &o, &got);
		snprintf(what, sizeof what, "%s, %d warps, %d registers, %u shared", rows[i].target,
		         rows[i].warps, rows[i].regs, rows[i].shared);
		is_int(got.blocks, rows[i].blocks, what);
		is_text(got.limit, rows[i].limit, "limit");
	}
}

static void fits(struct gk_object o, const char *want)
{
	char why[256] = "";

	gk_object_fits(gk_target_of(o.target), &o, why, sizeof why);
	is_text(why, want, want[0] ? want : "an ordinary block fits");
}

static void test_fits(void)
{
	fits(object("sm_90", 4, 96, 16384), "");
	fits(object("sm_90", 4, 96, 232448), "");
	fits(object("gfx942", 4, 64, 98304), "needs 96 KiB of shared memory, gfx942 has 64 KiB a block");
	fits(object("sm_80", 4, 64, 166913), "needs 163 KiB of shared memory, sm_80 has 163 KiB a block");
	fits(object("gfx942", 32, 32, 0), "needs 2048 threads (32 warps of 64), gfx942 has 1024 a block");
	fits(object("sm_90", 32, 128, 0),
	     "needs 128 registers for each of 1024 threads, more than sm_90 has");
}

static void test_text(void)
{
	struct gk_object o = object("sm_90", 4, 96, 16384);
	char text[256];

	gk_object_text(&o, text, sizeof text);
	is_text(text,
	        "96 registers, no spills, 16 KiB shared, 4 warps; 20 of 64 warps a core, limited by "
	        "registers",
	        "an object in words");
	o.spills = 6;
	o.shared = 12;
	snprintf(o.target, sizeof o.target, "gfx1100");
	gk_object_text(&o, text, sizeof text);
	is_text(text, "96 registers, 6 words spilled, 12 bytes shared, 4 warps",
	        "one for a target without facts");
}

static void test_names(void)
{
	struct gk_err e = {0};

	is_int(gk_target_check("cpu", &e), 0, "cpu is a target");
	is_int(gk_target_check("gfx950", &e), 0, "so is a GPU");
	gk_target_check("sm_42\n", &e);
	is_text(e.text,
	        "unknown target \"sm_42?\"; known are cpu, sm_80, sm_90, sm_100, gfx90a, gfx942, gfx950",
	        "an unknown one is answered with the known ones");
}

int main(void)
{
	test_occupancy();
	test_fits();
	test_text();
	test_names();
	return done_testing();
}
