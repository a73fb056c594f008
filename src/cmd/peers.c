#include "peers.h"

#include "base/memory.h"
#include "run/evaluator.h"

json_t *gk_cmd_peers(struct gk_evaluator *evaluator)
{
	static const char *const roles[] = {"containment", "zygote", "oracle", "lowering", "launcher"};
	json_t *peers = json_object();

	for (size_t i = 0; i < gk_count_of(roles); i++) {
		const char *facts = gk_evaluator_facts(evaluator, roles[i]);
		json_t *told = facts ? json_loads(facts, JSON_REJECT_DUPLICATES, NULL) : NULL;

		if (told)
			json_object_set_new(peers, roles[i], told);
	}
	return peers;
}
