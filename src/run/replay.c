#include "run/replay.h"

#include "base/memory.h"
#include "llm/llm.h"
#include "run/begin.h"

struct export {
	struct gk_store *store;
	const struct gk_store_trajectory *row;
	struct gk_buf *out;
	const char *note;
	bool prompts;
	size_t count;
	int ordinal; /* of the prompt asked last */
	int step;
};

static int add_record(struct export *export, const struct gk_store_ask *ask, const struct gk_store_answer *answer,
                      struct gk_arena *arena, struct gk_err *e)
{
	struct gk_replay_record record = {
		.task = export->row->task,
		.role = ask->role,
		.model = ask->model,
		.prompt_hash = ask->prompt_hash,
		.finish = answer->finish,
		.note = export->note,
		.trajectory = export->row->number,
		.ordinal = export->ordinal,
		.sample = ask->sample,
		.usage = answer->usage,
	};
	char *text, *prompt;
	size_t size, split;

	if (gk_store_blob_get(export->store, answer->text_hash, arena, &text, &size, e) < 0)
		return -1;
	record.answer = text;
	if (export->prompts) {
		if (gk_store_blob_get(export->store, ask->prompt_hash, arena, &prompt, &size, e) < 0)
			return -1;
		split = strlen(prompt);
		record.system = prompt;
		record.user = split < size ? prompt + split + 1 : "";
	}
	gk_replay_add_record(export->out, &record);
	export->count++;
	return 0;
}

static int take_event(void *ctx, const struct gk_event *event, struct gk_err *e)
{
	struct export *export = ctx;
	gk_arena_auto arena = {0};
	struct gk_store_ask ask;
	struct gk_store_answer answer;
	bool found;

	if (event->kind == GK_EVENT_ASKED) {
		export->ordinal = (int)json_integer_value(json_object_get(event->body, "ordinal"));
		export->step = event->step;
	}
	if (event->kind != GK_EVENT_ANSWERED)
		return 0;
	if (gk_store_ask_get(export->store, event->trajectory, export->step, &arena, &ask, e) < 0 ||
	    gk_store_answer_get(export->store, ask.id, &arena, &answer, &found, e) < 0)
		return -1;
	return found && answer.text_hash ? add_record(export, &ask, &answer, &arena, e) : 0;
}

int gk_replay_export(struct gk_store *store, const char *note, bool prompts, struct gk_buf *out, size_t *count,
                     struct gk_err *e)
{
	struct export export = {.store = store, .out = out, .note = note && note[0] ? note : NULL, .prompts = prompts};
	gk_arena_auto arena = {0};
	struct gk_store_trajectory *rows;
	struct gk_run_config config;
	size_t row_count;

	if (gk_store_trajectories(store, &arena, &rows, &row_count, e) < 0)
		return -1;
	if (gk_run_config_read(store, &arena, &config, e) < 0)
		return -1;
	gk_replay_add_header(out, note ? note : "", config.seed);
	for (size_t i = 0; i < row_count; i++) {
		export.row = &rows[i];
		if (gk_store_events(store, rows[i].id, take_event, &export, e) < 0)
			return -1;
	}
	*count = export.count;
	return 0;
}
