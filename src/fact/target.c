#include "target.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define KIB(n) ((uint32_t)(n) << 10)

/* 227 KiB of 228 and 163 of 164: the driver keeps one for each block. */
#define CUDA(NAME, PRODUCT, SHARED)                                                                          \
	{                                                                                                    \
		NAME, PRODUCT, 32, KIB((SHARED)-1), KIB(SHARED), KIB(1), 128, 255, 65536, 256, 4, 64, 32,    \
			1024                                                                                 \
	}
/* 4 schedulers of 512 registers for each of 64 lanes, 8 waves each. */
#define CDNA(NAME, PRODUCT, SHARED, STEP)                                                                    \
	{                                                                                                    \
		NAME, PRODUCT, 64, KIB(SHARED), KIB(SHARED), 0, STEP, 512, 4 * 512 * 64, 8 * 64, 4, 32, 16,  \
			1024                                                                                 \
	}

const struct gk_target gk_targets[] = {
	CUDA("sm_80", "NVIDIA A100", 164),
	CUDA("sm_90", "NVIDIA H100, H200", 228),
	CUDA("sm_100", "NVIDIA B200", 228),
	CDNA("gfx90a", "AMD Instinct MI200", 64, 512),
	CDNA("gfx942", "AMD Instinct MI300", 64, 512),
	CDNA("gfx950", "AMD Instinct MI350", 160, 1280),
	{0},
};

const struct gk_target *gk_target_of(const char *name)
{
	for (size_t i = 0; gk_targets[i].name; i++)
		if (strcmp(gk_targets[i].name, name) == 0)
			return &gk_targets[i];
	return NULL;
}

int gk_target_check(const char *name, struct gk_err *e)
{
	gk_buf_auto known = GK_BUF_INIT;
	gk_buf_auto safe = GK_BUF_INIT;

	if (strcmp(name, "cpu") == 0 || gk_target_of(name))
		return 0;
	for (size_t i = 0; gk_targets[i].name; i++)
		gk_buf_printf(&known, ", %s", gk_targets[i].name);
	gk_text_add_safe(&safe, name, strlen(name), 64, false);
	return gk_err_set(e, GK_ERR_INPUT, "unknown target \"%s\"; known are cpu%s", gk_buf_text(&safe),
	                  gk_buf_text(&known));
}

/* ---- occupancy ---- */

static uint32_t round_up(uint32_t value, uint32_t step)
{
	return (value + step - 1) / step * step;
}

/* What a block takes of its core: asked for at launch, declared by the code, reserved by the driver. */
static uint32_t shared_of_block(const struct gk_target *t, const struct gk_object *o)
{
	uint32_t own = o->static_shared > t->shared_reserved ? o->static_shared : t->shared_reserved;

	return round_up(o->shared + own, t->shared_step);
}

static int warps_by_registers(const struct gk_target *t, const struct gk_object *o)
{
	uint32_t of_warp =
		round_up((uint32_t)(o->regs > 0 ? o->regs : 1) * (uint32_t)t->warp_size, t->regs_step);

	return (int)(t->regs_per_core / (uint32_t)t->schedulers / of_warp) * t->schedulers;
}

void gk_occupancy_of(const struct gk_target *t, const struct gk_object *o, struct gk_occupancy *out)
{
	uint32_t shared = shared_of_block(t, o);
	int by_registers = warps_by_registers(t, o) / o->warps, by_warps = t->warps_per_core / o->warps;
	int by_shared = shared ? (int)(t->shared_per_core / shared) : by_warps;

	*out = (struct gk_occupancy){by_warps, 0, t->warps_per_core, "warps"};
	/* a single wave needs no barrier, and so no slot for one */
	if (t->blocks_per_core < out->blocks && (o->warps > 1 || t->warp_size == 32)) {
		out->blocks = t->blocks_per_core;
		out->limit = "blocks";
	}
	if (by_shared < out->blocks) {
		out->blocks = by_shared;
		out->limit = "shared memory";
	}
	if (by_registers < out->blocks) {
		out->blocks = by_registers;
		out->limit = "registers";
	}
	out->warps = out->blocks * o->warps;
}

static void kib_text(uint32_t bytes, char text[32])
{
	if (bytes < 1024)
		snprintf(text, 32, "%u bytes", bytes);
	else
		snprintf(text, 32, "%.4g KiB", bytes / 1024.0);
}

bool gk_object_fits(const struct gk_target *t, const struct gk_object *o, char *why, size_t size)
{
	char needs[32], has[32];
	struct gk_occupancy occupancy;
	int threads = o->warps * o->warp_size;

	if (o->shared > t->shared_per_block) {
		kib_text(o->shared, needs);
		kib_text(t->shared_per_block, has);
		snprintf(why, size, "needs %s of shared memory, %s has %s a block", needs, t->name, has);
		return false;
	}
	if (threads > t->threads_per_block) {
		snprintf(why, size, "needs %d threads (%d warps of %d), %s has %d a block", threads, o->warps,
		         o->warp_size, t->name, t->threads_per_block);
		return false;
	}
	gk_occupancy_of(t, o, &occupancy);
	if (occupancy.blocks < 1)
		snprintf(why, size, "needs %d registers for each of %d threads, more than %s has", o->regs,
		         threads, t->name);
	return occupancy.blocks > 0;
}

void gk_object_text(const struct gk_object *o, char *text, size_t size)
{
	const struct gk_target *t = gk_target_of(o->target);
	char shared[32], spills[48] = "no spills";
	struct gk_occupancy occupancy;
	int used;

	kib_text(o->shared, shared);
	if (o->spills)
		snprintf(spills, sizeof spills, "%d words spilled", o->spills);
	used = snprintf(text, size, "%d registers, %s, %s shared, %d warp%s", o->regs, spills, shared,
	                o->warps, o->warps == 1 ? "" : "s");
	if (!t || used < 0 || (size_t)used >= size)
		return;
	gk_occupancy_of(t, o, &occupancy);
	snprintf(text + used, size - (size_t)used, "; %d of %d warps a core, limited by %s", occupancy.warps,
	         occupancy.max_warps, occupancy.limit);
}
