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
#include "base/text.h"
#include "box/spawn.h"
#include "fact/target.h"

enum { DESCRIBE_MS = 30000, END_TRIES = 50, FACTS_BYTES = 1 << 16 };

extern char **environ;

/* ---- what a launcher tells ---- */

struct telling {
	struct gk_buf out, err;
	bool is_late;
	struct gk_child_end end;
};

/* One read; closes fd at its end. */
static void read_some(int *fd, struct gk_buf *text)
{
	char *room = gk_buf_reserve(text, 4096);
	ssize_t n = room ? read(*fd, room, 4096) : 0;

	if (n > 0)
		gk_buf_grew(text, (size_t)n);
	else
		gk_fd_close(fd);
}

/* What the child prints, until it closes both or the time is over. */
static void read_both(int out, int err, struct telling *t)
{
	int64_t until = gk_clock_ns() + (int64_t)DESCRIBE_MS * 1000000;

	t->out.ceiling = t->err.ceiling = FACTS_BYTES;
	while (out >= 0 && gk_clock_ns() < until) { /* a child of its own may keep the other open */
		struct pollfd p[] = {{out, POLLIN, 0}, {err, POLLIN, 0}};

		if (poll(p, 2, 100) <= 0)
			continue;
		if (p[0].revents)
			read_some(&out, &t->out);
		if (p[1].revents)
			read_some(&err, &t->err);
	}
	t->is_late = out >= 0;
	while (err >= 0 && poll(&(struct pollfd){err, POLLIN, 0}, 1, 100) > 0)
		read_some(&err, &t->err);
	gk_fd_close(&out);
	gk_fd_close(&err);
}

static void end_child(struct gk_child *child, struct telling *t)
{
	for (int i = 0; !t->is_late && i < END_TRIES; i++) { /* whoever closed its output ends */
		if (gk_child_reap(child, false, &t->end) == 1)
			return;
		poll(&(struct pollfd){child->pidfd, POLLIN, 0}, 1, 100);
	}
	t->is_late = true;
	gk_child_kill(child);
}

static int run_describe(struct gk_spawn *spawn, struct telling *t, struct gk_err *e)
{
	struct gk_child child = {0};
	int out[2] = {-1, -1}, err[2] = {-1, -1}, done = 0;

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		done = gk_err_errno(e, "a pipe");
	gk_spawn_fd(spawn, out[1], STDOUT_FILENO);
	gk_spawn_fd(spawn, err[1], STDERR_FILENO);
	if (done == 0)
		done = gk_spawn(spawn, &child, e);
	gk_fd_close(&out[1]);
	gk_fd_close(&err[1]);
	if (done < 0) {
		gk_fd_close(&out[0]);
		gk_fd_close(&err[0]);
		return -1;
	}
	read_both(out[0], err[0], t);
	end_child(&child, t);
	return 0;
}

static void add_line(struct gk_buf *words, const struct gk_buf *text, bool is_last)
{
	const char *line = gk_buf_text(text);
	size_t size = text->size;

	while (size && strchr(" \r\n", line[size - 1]))
		size--;
	for (size_t i = size; is_last && i > 0; i--)
		if (line[i - 1] == '\n') {
			line += i;
			size -= i;
			break;
		}
	gk_text_add_safe(words, line, is_last ? size : strcspn(line, "\r\n"), 200, false);
}

/* Why the command's answer is none, in words; command is the user's own. */
static int refuse_answer(const char *command, const struct telling *t, struct gk_err *e)
{
	gk_buf_auto said = GK_BUF_INIT, printed = GK_BUF_INIT;

	add_line(&said, &t->err, true);
	add_line(&printed, &t->out, false);
	if (t->is_late)
		return gk_err_set(e, GK_ERR_SYSTEM, "%.200s --describe: not done within %d s%s%s", command, DESCRIBE_MS / 1000,
		                  said.size ? "; its last words: " : "", gk_buf_text(&said));
	if (t->end.signaled || t->end.code != 0)
		return gk_err_set(e, GK_ERR_SYSTEM, "%.200s --describe: ended %s %d%s%s", command,
		                  t->end.signaled ? "by signal" : "with exit status", t->end.code,
		                  said.size ? "; its last words: " : "", gk_buf_text(&said));
	return gk_err_set(e, GK_ERR_SYSTEM,
	                  "%.200s --describe: printed \"%s\", not a launcher's facts alone: --describe must reach geak "
	                  "launcher, and what runs before it there (a login script, a banner) must print nothing",
	                  command, gk_buf_text(&printed));
}

static int ask_elsewhere(const char *command, json_t **facts, struct gk_err *e)
{
	gk_buf_auto line = GK_BUF_INIT;
	const char *shell[] = {"/bin/sh", "-c", NULL, NULL};
	struct gk_spawn spawn = {.argv = shell, .environment = (const char *const *)environ};
	struct telling t = {0};
	int done = -1;

	gk_buf_printf(&line, "%s --describe", command);
	shell[2] = gk_buf_text(&line);
	if (run_describe(&spawn, &t, e) == 0) {
		bool is_told = !t.is_late && !t.end.signaled && t.end.code == 0;

		*facts = is_told ? json_loads(gk_buf_text(&t.out), JSON_REJECT_DUPLICATES, NULL) : NULL;
		done = json_is_object(*facts) ? 0 : refuse_answer(command, &t, e);
	}
	if (done < 0) {
		json_decref(*facts);
		*facts = NULL;
	}
	gk_buf_release(&t.out);
	gk_buf_release(&t.err);
	return done;
}

/* Whatever goes wrong with a driver here: there is no GPU to be used. */
static int ask_here(json_t **facts, struct gk_err *e)
{
	gk_arena_auto arena = {0};
	struct gk_place place;
	char program[4096];
	const char *own[] = {program, "launcher", "--describe", NULL};
	struct gk_spawn spawn = {.argv = own, .environment = (const char *const *)environ};
	struct telling t = {0};
	int done;

	if (gk_place_find(&place, &arena, e) < 0 || gk_program_find(place.program, program, sizeof program, e) < 0)
		return -1;
	done = run_describe(&spawn, &t, e);
	*facts = done == 0 ? json_loads(gk_buf_text(&t.out), JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (done == 0 && !json_is_object(*facts)) {
		json_decref(*facts);
		*facts = json_object();
	}
	gk_buf_release(&t.out);
	gk_buf_release(&t.err);
	return done;
}

int gk_aim_ask(json_t **facts, struct gk_err *e)
{
	const char *command = getenv("GEAK_LAUNCHER");

	*facts = NULL;
	return command && *command ? ask_elsewhere(command, facts, e) : ask_here(facts, e);
}

/* Its target and device; is_here false: there is none. */
static struct {
	bool is_asked, is_here;
	struct gk_aim aim;
	json_t *hardware;
} gpu;

static json_t *hardware_of(const json_t *facts)
{
	static const struct {
		const char *fact, *name;
	} said[] = {
		{"kind", "GPU"},
		{"multiprocessors", "multiprocessors"},
		{"warp_size", "threads of a warp"},
		{"bandwidth_gbs", "memory bandwidth, GB/s"},
		{"l2_bytes", "bytes of L2 cache"},
		{"shared_bytes", "bytes of shared memory, each block at most"},
	};
	json_t *hardware = json_object();

	for (size_t i = 0; i < gk_count_of(said); i++) {
		json_t *value = json_object_get(facts, said[i].fact);

		if (json_is_string(value) || (json_is_number(value) && json_number_value(value) > 0))
			json_object_set_new(hardware, said[i].name,
			                    json_is_string(value) ? json_incref(value)
			                                          : json_integer((json_int_t)json_number_value(value)));
	}
	return hardware;
}

static int look(struct gk_err *e)
{
	json_t *facts;
	const char *target, *device;

	if (gpu.is_asked)
		return 0;
	if (gk_aim_ask(&facts, e) < 0)
		return -1;
	gpu.is_asked = true;
	target = json_string_value(json_object_get(facts, "target"));
	device = json_string_value(json_object_get(facts, "device"));
	if (target && device) {
		snprintf(gpu.aim.target, sizeof gpu.aim.target, "%s", target);
		snprintf(gpu.aim.device, sizeof gpu.aim.device, "%s", device);
		gpu.aim.gpus = (int)json_integer_value(json_object_get(facts, "gpus"));
		gpu.is_here = true;
		gpu.hardware = hardware_of(facts); /* for the life of the process */
	}
	json_decref(facts);
	return 0;
}

json_t *gk_aim_hardware(void)
{
	return json_incref(gpu.hardware);
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
