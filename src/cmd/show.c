/* geak show DIR ATTEMPT: one attempt in full. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cmd.h"
#include "option.h"
#include "store/store.h"
#include "view/summary.h"

/* "TASK/TRAJECTORY.NUMBER"; "TASK/NUMBER" means trajectory 0. */
static int read_name(const char *name, char task[128], int64_t *number, int64_t *attempt, struct gk_err *e)
{
	const char *slash = strrchr(name, '/'), *dot = slash ? strchr(slash, '.') : NULL;
	gk_free_auto char *first = slash ? gk_strndup(slash + 1, dot ? (size_t)(dot - slash - 1) : strlen(slash + 1)) : NULL;

	*number = 0;
	if (!slash || (size_t)(slash - name) >= 128 || !gk_text_to_int(first, dot ? number : attempt) ||
	    (dot && !gk_text_to_int(dot + 1, attempt)))
		return gk_err_set(e, GK_ERR_INPUT, "\"%s\" names no attempt: TASK/TRAJECTORY.NUMBER is needed, as `geak log` prints"
		                  " it", name);
	snprintf(task, 128, "%.*s", (int)(slash - name), name);
	return 0;
}

static int print_one(struct gk_store *store, const struct gk_story *story, const char *name, struct gk_err *e)
{
	const struct gk_story_line *line;
	int64_t number, attempt = 0;
	struct gk_term term;
	char task[128];

	if (read_name(name, task, &number, &attempt, e) < 0)
		return -1;
	line = gk_story_line_of(story, task, (int)number);
	if (!line)
		return gk_err_set(e, GK_ERR_INPUT, "the run has no trajectory %lld of a task \"%s\"", (long long)number, task);
	if (attempt < 1 || (size_t)attempt > line->attempt_count)
		return gk_err_set(e, GK_ERR_INPUT, "%s/%lld has attempts 1 to %zu", task, (long long)number, line->attempt_count);
	gk_term_init(&term, stdout);
	gk_attempt_print(store, line, &line->attempts[attempt - 1], &term);
	return 0;
}

int gk_cmd_show(int argc, char **argv, struct gk_err *e)
{
	static const struct gk_command_help help = {
		"show", "DIR ATTEMPT", "Show one attempt in full: prompt, answer, code, verdict, cases, reflection",
		"ATTEMPT is TASK/TRAJECTORY.NUMBER, as `geak log DIR` prints it; TASK/NUMBER means trajectory 0."};
	const struct gk_option options[] = {{0}};
	int done = gk_options_read(&help, options, &argc, argv, e), rc;
	struct gk_story story;
	struct gk_store *store;

	if (done)
		return done < 0 ? -1 : 0;
	if (gk_operands_check(&help, argc, 2, 2, e) < 0)
		return -1;
	store = gk_store_open_read(argv[1], e);
	if (!store)
		return -1;
	rc = gk_story_read(store, &story, e);
	if (rc == 0) {
		rc = print_one(store, &story, argv[2], e);
		gk_story_release(&story);
	}
	gk_store_close(store);
	return rc;
}
