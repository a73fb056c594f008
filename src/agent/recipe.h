/* A named configuration of the agent: recipes/NAME.yaml (docs/agent.md). */
#ifndef GK_AGENT_RECIPE_H
#define GK_AGENT_RECIPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct gk_recipe {
	char name[48];
	char title[160];
	int64_t iterations; /* Generator's answers per trajectory, at most */
	int64_t parallel;   /* trajectories per task */
	double temperature;
	int64_t max_tokens; /* of one answer; 0: the endpoint's default */
	struct {
		bool knowledge, one_shot, reflexion, optimizer;
	} modules;
	int64_t max_perf_debug_num; /* repairs per line of code before a fresh strategy */
	int64_t max_same_failure;   /* the same failure so many times in a row springs the trap earlier */
	int64_t ancestors;          /* correct attempts shown to the Optimizer */
	int64_t directions;         /* asked of the Optimizer at once; tried one after the other */
	int64_t infra_retries;      /* judgements of one candidate that may fail through our own fault */
	struct {
		bool solved;          /* stop at the first correct attempt */
		int64_t without_gain; /* stop after so many correct or trapped optimisations in a row that
		                         gained nothing; 0: never */
		double speedup;       /* stop once the lower bound reaches it; 0: never */
	} stop;
};

void gk_recipe_defaults(struct gk_recipe *recipe);
int gk_recipe_read(const char *path, struct gk_recipe *recipe, struct gk_err *e);
/* The resolved configuration, for the run's own copy; what gk_recipe_from_json() reads. New reference. */
json_t *gk_recipe_to_json(const struct gk_recipe *recipe);
int gk_recipe_from_json(const json_t *json, struct gk_recipe *recipe, struct gk_err *e);
/* Refuses what cannot work, after flags have changed a field. */
int gk_recipe_check(const struct gk_recipe *recipe, struct gk_err *e);

#endif
