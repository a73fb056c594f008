#include "aim.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/place.h"
#include "box/spawn.h"
#include "fact/target.h"

enum { DESCRIBE_MS = 30000, FACTS_BYTES = 1 << 16 };

extern char **environ;

/* ---- what is here ---- */

/* What the child prints, until it ends or the time is over. */
static void read_facts(int fd, struct gk_buf *text)
{
	int64_t until = gk_clock_ns() + (int64_t)DESCRIBE_MS * 1000000;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char *room;
	ssize_t n = 1;

	text->ceiling = FACTS_BYTES;
	while (n > 0 && gk_clock_ns() < until) {
		if (poll(&p, 1, 100) <= 0)
			continue;
		room = gk_buf_reserve(text, 4096);
		n = room ? read(fd, room, 4096) : 0;
		if (n > 0)
			gk_buf_grew(text, (size_t)n);
	}
}

static int ask_launcher(struct gk_buf *text, struct gk_err *e)
{
	const char *command = getenv("GEAK_LAUNCHER");
	gk_arena_auto arena = {0};
	gk_buf_auto line = GK_BUF_INIT;
	struct gk_place place;
	char program[4096];
	const char *own[] = {program, "launcher", "--describe", NULL},
		   *shell[] = {"/bin/sh", "-c", NULL, NULL};
	struct gk_spawn spawn = {.argv = own, .environment = (const char *const *)environ};
	struct gk_child child = {0};
	int pipes[2];

	if (command && *command) { /* the same one, elsewhere */
		gk_buf_printf(&line, "%s --describe", command);
		shell[2] = gk_buf_text(&line);
		spawn.argv = shell;
	} else if (gk_place_find(&place, &arena, e) < 0 ||
	           gk_program_find(place.program, program, sizeof program, e) < 0) {
		return -1;
	}
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return gk_err_errno(e, "a pipe");
	gk_spawn_fd(&spawn, pipes[1], STDOUT_FILENO);
	if (gk_spawn(&spawn, &child, e) < 0) {
		gk_fd_close(&pipes[0]);
		gk_fd_close(&pipes[1]);
		return -1;
	}
	gk_fd_close(&pipes[1]);
	read_facts(pipes[0], text);
	gk_fd_close(&pipes[0]);
	gk_child_kill(&child);
	return 0;
}

/* Its target and device; is_here false: there is none. */
static struct {
	bool is_asked, is_here;
	struct gk_aim aim;
} gpu;

static int look(struct gk_err *e)
{
	gk_buf_auto text = GK_BUF_INIT;
	json_t *facts;
	const char *target, *device;

	if (gpu.is_asked)
		return 0;
	if (ask_launcher(&text, e) < 0)
		return -1;
	gpu.is_asked = true;
	facts = json_loads(gk_buf_text(&text), JSON_REJECT_DUPLICATES, NULL);
	target = json_string_value(json_object_get(facts, "target"));
	device = json_string_value(json_object_get(facts, "device"));
	if (target && device) {
		snprintf(gpu.aim.target, sizeof gpu.aim.target, "%s", target);
		snprintf(gpu.aim.device, sizeof gpu.aim.device, "%s", device);
		gpu.aim.gpus = (int)json_integer_value(json_object_get(facts, "gpus"));
		gpu.is_here = true;
	}
	json_decref(facts);
	return 0;
}

/* ---- the aim ---- */

static void aim_at_machine(struct gk_aim *aim, const char *target)
{
	*aim = (struct gk_aim){.device = "cpu"};
	snprintf(aim->target, sizeof aim->target, "%s", target);
}

int gk_aim_take(const char *asked, struct gk_aim *aim, struct gk_err *e)
{
	bool any = !asked || strcmp(asked, "auto") == 0;

	if (!any && gk_target_check(asked, e) < 0)
		return -1;
	if (!any)
		aim_at_machine(aim, asked);
	if (!any && strcmp(asked, "cpu") == 0)
		return 0;
	if (look(e) < 0)
		return -1;
	if (gpu.is_here && any && !gk_target_of(gpu.aim.target))
		gk_log(GK_LOG_INFO, "the GPU here is a %s, for which geak does not capture yet",
		       gpu.aim.target);
	if (gpu.is_here && gk_target_of(gpu.aim.target) && (any || strcmp(asked, gpu.aim.target) == 0))
		*aim = gpu.aim;
	else if (any)
		aim_at_machine(aim, "cpu");
	return 0;
}
