/*
 * One case is executed once more on the inputs of its round 0, over other
 * poison and in another order of programs. What differs is told; it is a
 * failure where the task asks for the same bits each time, and nowhere else:
 * additions in any order are honest.
 */
#include "describe.h"
#include "state.h"

/* Bytes of inputs and outputs: that one case costs little, and is large enough to show something. */
#define MOST_SIMULATED ((uint64_t)512 << 10)
#define MOST_ON_GPU    ((uint64_t)8 << 20)

static bool is_better(const struct gk_cascade *c, size_t case_index, size_t than)
{
	uint64_t most = c->setup.on_gpu ? MOST_ON_GPU : MOST_SIMULATED;
	uint64_t bytes = c->cases[case_index].bytes, other;

	if (than >= c->exec_count)
		return true;
	if (c->setup.cases[than]->held_out != c->setup.cases[case_index]->held_out)
		return c->setup.cases[than]->held_out;
	other = c->cases[than].bytes;
	return other > most ? bytes < other : bytes <= most && bytes > other;
}

/* The largest under the ceiling, else the smallest. Held-out cases are of any size: only where there are no
 * others. */
void again_choose(struct gk_cascade *c, size_t case_index, const struct gk_judge_data *data)
{
	if (case_index == 0)
		c->repeated = c->setup.case_count;
	for (size_t i = 0; i < data->output_count; i++)
		c->cases[case_index].bytes += data->outputs[i].bytes;
	for (size_t i = 0; i < data->input_count; i++)
		c->cases[case_index].bytes += data->inputs[i].bytes;
	if (case_index < c->exec_count && is_better(c, case_index, c->repeated))
		c->repeated = case_index;
}

void again_judge(struct gk_cascade *c, struct trial *t, const struct gk_judge_data *data,
                 const struct gk_outputs *outputs)
{
	struct case_state *s = &c->cases[t->x.case_index];
	gk_buf_auto words = GK_BUF_INIT;

	if (!outputs || !outputs->repeat.is_there)
		return;
	s->repeat = outputs->repeat;
	json_decref(s->repeated);
	s->repeated = gk_repeat_json(&s->repeat, data->outputs);
	if (s->repeat.different == 0)
		return;
	gk_repeat_describe(&words, &s->repeat, data->outputs);
	s->varies = gk_arena_string(&c->arena, gk_buf_text(&words));
	if (!t->is_right || !c->setup.task->deterministic)
		return;
	gk_buf_add_text(
		&words,
		"; this task asks for the same bits each time (no atomic additions whose order is open)");
	t->failing = failing_of(c, GK_FAIL, "nondeterministic", &words);
	t->is_right = false;
}
