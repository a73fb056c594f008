/* The kernels of captured plans, lowered: what `geak capture` shows of them. */
#include <string.h>

#include "base/buf.h"
#include "fact/target.h"
#include "judge/describe.h"
#include "judging.h"
#include "plans.h"

/* What callbacks write to: in the plans' arena, which outlives the evaluator. */
struct lower {
	struct gk_plans *plans;
	size_t waiting;
	struct gk_err err;
};
struct lower_one {
	struct lower *all;
	struct gk_plans_kernel *kernel;
};

const struct gk_plans_kernel *gk_plans_kernel(const struct gk_plans *plans,
                                              const struct gk_plan_kernel *kernel)
{
	for (size_t i = 0; i < plans->kernel_count; i++)
		if (strcmp(plans->kernels[i].ttir, kernel->ttir) == 0 &&
		    json_equal(plans->kernels[i].options, kernel->options))
			return &plans->kernels[i];
	return NULL;
}

static const struct gk_ir *ir_of(const struct gk_plans *plans, const char *ttir)
{
	for (size_t i = 0; i < plans->module_count; i++)
		if (strcmp(plans->modules[i].hash, ttir) == 0)
			return plans->modules[i].ir;
	return NULL;
}

static void list_kernels(struct gk_plans *plans)
{
	size_t most = plans->case_count * GK_PLAN_MAX_KERNELS;

	plans->kernels = gk_arena_array(&plans->arena, most, sizeof *plans->kernels);
	for (size_t i = 0; i < plans->case_count; i++) {
		const struct gk_plan *plan = plans->cases[i].plan;

		for (uint32_t k = 0; plan && !*plans->cases[i].problem && k < plan->kernel_count; k++) {
			struct gk_plans_kernel *made = &plans->kernels[plans->kernel_count];

			if (gk_plans_kernel(plans, &plan->kernels[k]) || !ir_of(plans, plan->kernels[k].ttir))
				continue;
			memcpy(made->ttir, plan->kernels[k].ttir, sizeof made->ttir);
			made->options = plan->kernels[k].options;
			made->name = plan->kernels[k].name;
			made->problem = "";
			plans->kernel_count++;
		}
	}
}

static void lowered(void *ctx, const struct gk_lower_result *r)
{
	struct lower_one *l = ctx;
	const struct gk_target *target;
	gk_buf_auto words = GK_BUF_INIT;
	char why[256] = "";

	l->all->waiting--;
	if (r->err) {
		l->all->err = *r->err;
	} else if (r->object) {
		l->kernel->has_object = true;
		l->kernel->object = *r->object;
		target = gk_target_of(r->object->target);
		if (target && !gk_object_fits(target, r->object, why, sizeof why))
			gk_buf_add_text(&words, why);
	} else {
		gk_buf_add_text(&words, "does not compile: ");
		if (r->death)
			gk_buf_printf(&words, "the compiler died on it, twice: %s", r->death);
		else
			gk_describe_log(&words, r->rejected);
	}
	l->kernel->problem = gk_arena_string(&l->all->plans->arena, gk_buf_text(&words));
}

static void check_steps(struct gk_plans *plans, struct gk_plans_case *c, const struct gk_plan_step *steps,
                        uint32_t count)
{
	for (uint32_t i = 0; i < count && !*c->problem; i++) {
		const struct gk_plans_kernel *kernel;

		if (steps[i].op != GK_STEP_LAUNCH)
			continue;
		kernel = gk_plans_kernel(plans, &c->plan->kernels[steps[i].launch.kernel]);
		if (!kernel || !*kernel->problem)
			continue;
		c->problem = gk_arena_printf(&plans->arena, "kernel %s %s", kernel->name, kernel->problem);
		c->line = steps[i].launch.line;
	}
}

static bool is_waiting(const void *ctx)
{
	return ((const struct lower *)ctx)->waiting > 0;
}

static int wait_for_all(struct gk_loop *loop, const struct lower *all, struct gk_err *e)
{
	if (gk_loop_while(loop, is_waiting, all, e) < 0)
		return -1;
	if (all->err.kind == GK_ERR_NONE)
		return 0;
	*e = all->err;
	return -1;
}

static void ask(struct gk_evaluator *evaluator, struct lower *all, struct gk_plans_kernel *kernel)
{
	struct lower_one *one = gk_arena_alloc(&all->plans->arena, sizeof *one);
	struct gk_lower_request request = {.target = evaluator->target,
	                                   .ttir = kernel->ttir,
	                                   .ir = ir_of(all->plans, kernel->ttir),
	                                   .options = kernel->options};

	*one = (struct lower_one){all, kernel};
	all->waiting++;
	gk_runner_lower(evaluator->runner, &request, lowered, one);
}

int gk_plans_lower(struct gk_loop *loop, struct gk_evaluator *evaluator, struct gk_plans *plans,
                   struct gk_err *e)
{
	struct lower *all;

	if (strcmp(evaluator->target, "cpu") == 0)
		return 0;
	all = gk_arena_alloc(&plans->arena, sizeof *all);
	all->plans = plans;
	list_kernels(plans);
	for (size_t i = 0; i < plans->kernel_count; i++)
		ask(evaluator, all, &plans->kernels[i]);
	if (wait_for_all(loop, all, e) < 0)
		return -1;
	for (size_t i = 0; i < plans->case_count; i++) {
		struct gk_plans_case *c = &plans->cases[i];

		if (!c->plan)
			continue;
		check_steps(plans, c, c->plan->prologue, c->plan->prologue_count);
		check_steps(plans, c, c->plan->steps, c->plan->step_count);
	}
	return 0;
}
