/*
 * One process that is spoken to. Its protocol has a private descriptor (or,
 * for a command line of the user's, its stdin and stdout); what it prints goes
 * into a bounded tail, whose last line is quoted when it dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "work.h"

#define PEER_FD     3
#define GROUP_FD    4 /* a zygote's: the control group of its candidates */
#define SAID_BYTES  ((size_t)64 << 10)
#define END_WAIT_MS 3000 /* between the end of its stream and the end of its process */

/* ---- last words ---- */

static void read_log(struct peer *peer)
{
	char *room;
	ssize_t n;

	while (peer->log >= 0) {
		room = gk_buf_reserve(&peer->said, SAID_BYTES);
		n = read(peer->log, room, SAID_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			gk_watch_stop(&peer->log_watch);
			gk_fd_close(&peer->log);
			return;
		}
		gk_buf_grew(&peer->said, (size_t)n);
		if (peer->said.size > SAID_BYTES)
			gk_buf_drop(&peer->said, peer->said.size - SAID_BYTES);
	}
}

static void log_ready(void *ctx, int events)
{
	(void)events;
	read_log(ctx);
}

/* The last line that is not empty, without its end; "" when it said nothing. */
static void last_line(struct peer *peer, char *line, size_t size)
{
	const char *text = gk_buf_text(&peer->said);
	size_t end = peer->said.size, begin;

	while (end && (text[end - 1] == '\n' || text[end - 1] == ' ' || text[end - 1] == '\r'))
		end--;
	for (begin = end; begin && text[begin - 1] != '\n';)
		begin--;
	snprintf(line, size, "%.*s", (int)(end - begin < size ? end - begin : size - 1), text + begin);
}

static void quote_last_words(struct peer *peer, struct gk_err *e)
{
	char line[400];
	size_t used = strlen(e->text);

	read_log(peer);
	last_line(peer, line, sizeof line);
	if (line[0])
		snprintf(e->text + used, sizeof e->text - used, "; its last words: %s", line);
	for (char *c = e->text + used; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

/* ---- the end ---- */

static void close_streams(struct peer *peer)
{
	gk_watch_stop(&peer->in_watch);
	gk_watch_stop(&peer->out_watch);
	gk_watch_stop(&peer->log_watch);
	gk_watch_stop(&peer->end_watch);
	gk_timer_stop(&peer->timer);
	if (peer->out == peer->in)
		peer->out = -1;
	gk_fd_close(&peer->in);
	gk_fd_close(&peer->out);
	gk_fd_close(&peer->log);
}

void peer_free(struct peer *peer)
{
	close_streams(peer);
	gk_loop_forget(peer->crew->pool->loop, peer);
	gk_child_kill(&peer->child);
	gk_frame_reader_release(&peer->reader);
	gk_frame_writer_release(&peer->writer);
	gk_buf_release(&peer->said);
	gk_vec_release(&peer->jobs);
	free(peer);
}

static void bury(void *ctx)
{
	struct peer *peer = ctx;
	struct pool *pool = peer->crew->pool;

	for (size_t i = 0; i < pool->dead.count; i++)
		if (pool->dead.items[i] == peer)
			pool->dead.items[i] = pool->dead.items[--pool->dead.count];
	peer_free(peer);
}

void peer_fail(struct peer *peer, const struct gk_err *why)
{
	struct pool *pool = peer->crew->pool;
	struct gk_err e = *why;

	if (peer->is_dead)
		return;
	peer->is_dead = true;
	quote_last_words(peer, &e);
	gk_log(GK_LOG_INFO, "%s", e.text);
	close_streams(peer);
	gk_child_kill(&peer->child);
	gk_box_sweep_orphans(); /* what it left behind when it ended by itself */
	crew_lost_peer(peer->crew, peer, &e);
	gk_vec_push(&pool->dead, peer);
	gk_loop_defer(pool->loop, bury, peer);
}

static const char *peer_name(const struct peer *peer)
{
	return role_names[peer->crew->role];
}

/* Of a command line of the user's: what it printed instead of a hello. */
static void quote_printed(const struct peer *peer, struct gk_err *e)
{
	const struct gk_buf *input = &peer->reader.input;
	gk_buf_auto words = GK_BUF_INIT;
	size_t used = strlen(e->text);

	if (peer->slots || !peer->writer.is_inline || !input->size)
		return;
	gk_text_add_safe(&words, input->bytes, strcspn(input->bytes, "\r\n"), 80, false);
	snprintf(e->text + used, sizeof e->text - used, "; it printed \"%s\"", gk_buf_text(&words));
}

static void process_ended(struct peer *peer)
{
	struct gk_child_end end = {0};
	struct gk_err e;

	gk_watch_stop(&peer->end_watch); /* reaping closes its descriptor */
	if (!gk_child_reap(&peer->child, false, &end))
		return;
	if (end.signaled)
		gk_err_set(&e, GK_ERR_SYSTEM, "the %s was ended by signal %d (%s)", peer_name(peer), end.code,
		           strsignal(end.code));
	else
		gk_err_set(&e, GK_ERR_SYSTEM, "the %s ended with exit status %d%s", peer_name(peer), end.code,
		           peer->slots ? "" : " before it was ready");
	quote_printed(peer, &e);
	if (!peer->slots && peer->crew->role != ROLE_LAUNCHER)
		gk_err_context(&e, "%s (GEAK_PYTHON names another Python)", peer->crew->pool->python);
	peer_fail(peer, &e);
}

static void timer_due(void *ctx)
{
	struct peer *peer = ctx;
	struct gk_err e;

	gk_err_set(&e, GK_ERR_SYSTEM,
	           peer->reader.is_ended ? "the %s closed its connection"
	                                 : "the %s did not say hello in time",
	           peer_name(peer));
	peer_fail(peer, &e);
}

/* ---- frames ---- */

/* Whoever starts a launcher elsewhere may have dropped what stood behind the command line. */
static int check_device(const struct peer *peer, const struct gk_node *hello, struct gk_err *e)
{
	struct gk_node facts = gk_node_key(hello, "facts");
	const char *device = json_string_value(json_object_get(facts.value, "device"));
	const struct pool *pool = peer->crew->pool;

	if (peer->crew->role != ROLE_LAUNCHER || !device || strcmp(device, pool->device) == 0)
		return 0;
	return gk_err_set(e, GK_ERR_SYSTEM,
	                  "the launcher serves %.20s, not %s: what follows its command line (--device %s) must reach it",
	                  device, pool->device, pool->device);
}

static int check_hello(struct peer *peer, struct gk_frame *frame, int64_t *slots, struct gk_err *e)
{
	struct pool *pool = peer->crew->pool;
	struct gk_node root = gk_node_root(&frame->doc), proto = gk_node_key(&root, "proto"),
		       build = gk_node_key(&root, "build"), role = gk_node_key(&root, "role"),
		       count = gk_node_key(&root, "slots");
	const char *text;
	int64_t number;

	if (frame->type != GK_WIRE_HELLO)
		return gk_err_set(e, GK_ERR_SYSTEM, "the %s began with %s, not with hello", peer_name(peer),
		                  gk_wire_type_name(frame->type));
	if (gk_node_int(&proto, 0, INT32_MAX, &number, e) < 0 || gk_node_string(&role, &text, e) < 0 ||
	    gk_node_int(&count, 1, 1024, slots, e) < 0)
		return -1;
	if (number != GK_WIRE_PROTO)
		return gk_err_set(e, GK_ERR_SYSTEM,
		                  "the %s speaks version %lld of the protocol, this geak version %d",
		                  peer_name(peer), (long long)number, GK_WIRE_PROTO);
	if (strcmp(text, peer_name(peer)) != 0)
		return gk_err_set(e, GK_ERR_SYSTEM, "a %s was asked for, a %s answered", peer_name(peer),
		                  text);
	if (gk_node_string(&build, &text, e) < 0 || check_device(peer, &root, e) < 0)
		return -1;
	if (pool->build && !peer->writer.is_inline && strcmp(text, pool->build) != 0)
		return gk_err_set(e, GK_ERR_SYSTEM, "the %s is of build %s, this geak of build %s",
		                  peer_name(peer), text, pool->build);
	return 0;
}

/* Before hello an error frame says why there will be none. */
static int refused_by_itself(struct peer *peer, struct gk_frame *frame, struct gk_err *e)
{
	const char *message = json_string_value(json_object_get(frame->doc.root, "message"));

	return gk_err_set(e, GK_ERR_SYSTEM, "the %s cannot work here: %s", peer_name(peer),
	                  message ? message : "(no reason given)");
}

static void handle_hello(struct peer *peer, struct gk_frame *frame)
{
	struct crew *crew = peer->crew;
	json_t *facts = json_object_get(frame->doc.root, "facts");
	int64_t slots = 0;
	struct gk_err e;

	if ((frame->type == GK_WIRE_ERROR ? refused_by_itself(peer, frame, &e)
	                                  : check_hello(peer, frame, &slots, &e)) < 0) {
		crew_refuse(crew, &e);
		peer_fail(peer, &e);
		return;
	}
	gk_timer_stop(&peer->timer);
	peer->slots = (int)slots;
	free(crew->facts);
	crew->facts = facts ? gk_json_text(facts) : NULL;
	crew_hello(crew, peer);
}

static struct job *find_job(const struct peer *peer, uint64_t id)
{
	for (size_t i = 0; i < peer->jobs.count; i++)
		if (peer->jobs.items[i]->id == id)
			return peer->jobs.items[i];
	return NULL;
}

static void job_error(struct job *job, struct gk_frame *frame)
{
	const char *kind = json_string_value(json_object_get(frame->doc.root, "kind"));
	const char *message = json_string_value(json_object_get(frame->doc.root, "message"));
	bool is_input = kind && (strcmp(kind, "task") == 0 || strcmp(kind, "input") == 0);
	struct gk_err e;

	gk_err_set(&e, is_input ? GK_ERR_INPUT : GK_ERR_SYSTEM, "%s",
	           message ? message : "an error without words");
	if (!is_input)
		gk_err_context(&e, "%s", role_names[job->crew->role]);
	job_fail(job, &e);
}

static void pass_log(struct peer *peer, struct gk_frame *frame)
{
	const char *text = json_string_value(json_object_get(frame->doc.root, "text"));

	gk_log(GK_LOG_INFO, "%s: %s", peer_name(peer), text ? text : "");
}

static void handle_frame(struct peer *peer, struct gk_frame *frame)
{
	struct job *job;

	if (frame->type == GK_WIRE_LOG) {
		pass_log(peer, frame);
		return;
	}
	if (!peer->slots) {
		handle_hello(peer, frame);
		return;
	}
	job = find_job(peer, frame->id);
	if (!job) /* cancelled, or late after a deadline */
		return;
	if (frame->type == GK_WIRE_ERROR)
		job_error(job, frame);
	else
		job->ops->frame(job, frame);
}

static int handle_input(struct peer *peer, struct gk_err *e)
{
	struct gk_frame frame;
	int code = 0;

	while (!peer->is_dead && (code = gk_frame_next(&peer->reader, &frame, e)) == 1) {
		handle_frame(peer, &frame);
		gk_frame_release(&frame);
	}
	return code;
}

/* What prints before a launcher elsewhere does so each time. */
static void refuse_noise(struct peer *peer, struct gk_err *e)
{
	static const char hint[] = "; what runs before it there (a login script, a banner) must print nothing";
	size_t used = strlen(e->text);

	if (peer->slots || !peer->writer.is_inline)
		return;
	snprintf(e->text + used, sizeof e->text - used, "%s", hint);
	crew_refuse(peer->crew, e);
}

static void read_peer(struct peer *peer)
{
	struct gk_err e;
	int code = 1;

	while (code == 1 && !peer->is_dead) {
		code = gk_frame_fill(&peer->reader, peer->in, &e);
		if (code == 1 && handle_input(peer, &e) < 0)
			code = -1;
	}
	if (peer->is_dead)
		return;
	if (code < 0) {
		refuse_noise(peer, &e);
		peer_fail(peer, &e);
	} else if (peer->reader.is_ended && peer->in_watch) {
		/* Its exit status says more than the end of the stream: it comes at once, or it is late. */
		gk_watch_stop(&peer->in_watch);
		gk_timer_stop(&peer->timer);
		peer->timer = gk_loop_timer(peer->crew->pool->loop, END_WAIT_MS, 0, timer_due, peer);
	}
}

static void in_ready(void *ctx, int events);

static void send_failed(void *ctx)
{
	struct peer *peer = ctx;
	struct gk_err e;

	if (peer->is_dead)
		return;
	gk_err_set(&e, GK_ERR_SYSTEM, "the %s does not listen any more", peer_name(peer));
	peer_fail(peer, &e);
}

void peer_flush(struct peer *peer)
{
	struct gk_watch *watch = peer->out_watch ? peer->out_watch : peer->in_watch;
	int reading = peer->out_watch ? 0 : GK_LOOP_READ, code;
	struct gk_err e;

	if (peer->is_dead || !watch)
		return;
	code = gk_frame_flush(&peer->writer, peer->out, &e);
	if (code < 0) /* not from within: the caller may be busy with this peer */
		gk_loop_defer(peer->crew->pool->loop, send_failed, peer);
	gk_watch_set(watch, reading | (code == 0 ? GK_LOOP_WRITE : 0));
}

static void in_ready(void *ctx, int events)
{
	struct peer *peer = ctx;

	if (events & GK_LOOP_WRITE)
		peer_flush(peer);
	if (events & GK_LOOP_READ && !peer->is_dead)
		read_peer(peer);
}

static void process_end_ready(void *ctx, int events)
{
	struct peer *peer = ctx;

	(void)events;
	if (peer->in_watch)
		read_peer(peer); /* what it said before it ended counts */
	if (!peer->is_dead)
		process_ended(peer);
}

/* ---- the start ---- */

static int open_streams(struct peer *peer, const struct command *command, struct gk_spawn *spawn,
                        int theirs[3], struct gk_err *e)
{
	int pair[2], log[2], to[2], from[2];

	if (pipe2(log, O_CLOEXEC) < 0)
		return gk_err_errno(e, "pipe");
	peer->log = log[0];
	theirs[0] = log[1];
	gk_spawn_fd(spawn, log[1], 2);
	if (!command->by_pipes) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return gk_err_errno(e, "socket");
		peer->in = peer->out = pair[0];
		theirs[1] = pair[1];
		gk_spawn_fd(spawn, log[1], 1);
		gk_spawn_fd(spawn, pair[1], PEER_FD);
		return 0;
	}
	if (pipe2(to, O_CLOEXEC) < 0)
		return gk_err_errno(e, "pipe");
	peer->out = to[1];
	theirs[1] = to[0];
	if (pipe2(from, O_CLOEXEC) < 0)
		return gk_err_errno(e, "pipe");
	peer->in = from[0];
	theirs[2] = from[1];
	gk_spawn_fd(spawn, to[0], 0);
	gk_spawn_fd(spawn, from[1], 1);
	return 0;
}

static int watch_all(struct peer *peer, struct gk_err *e)
{
	struct gk_loop *loop = peer->crew->pool->loop;

	peer->in_watch = gk_loop_watch(loop, peer->in, GK_LOOP_READ, in_ready, peer, e);
	if (!peer->in_watch)
		return -1;
	if (peer->out != peer->in)
		peer->out_watch = gk_loop_watch(loop, peer->out, 0, in_ready, peer, e);
	peer->log_watch = gk_loop_watch(loop, peer->log, GK_LOOP_READ, log_ready, peer, e);
	peer->end_watch = gk_loop_watch(loop, peer->child.pidfd, GK_LOOP_READ, process_end_ready, peer, e);
	if (!peer->log_watch || !peer->end_watch || (peer->out != peer->in && !peer->out_watch))
		return -1;
	/* An idle peer does not keep geak running; a job does, by its deadline. */
	gk_watch_background(peer->in_watch, true);
	gk_watch_background(peer->log_watch, true);
	gk_watch_background(peer->end_watch, true);
	if (peer->out_watch)
		gk_watch_background(peer->out_watch, true);
	peer->timer = gk_loop_timer(loop, peer->crew->pool->start_ms, 0, timer_due, peer);
	return 0;
}

static int start_process(struct peer *peer, struct command *command, struct gk_err *e)
{
	struct pool *pool = peer->crew->pool;
	struct gk_spawn spawn = {.argv = command->argv,
	                         .environment = (const char *const *)command->environment.items,
	                         .namespaces = command->namespaces,
	                         .limits = {.memory_bytes = command->memory_bytes},
	                         .tmp_folder = command->namespaces & GK_NS_MOUNT ? pool->tmp_folder : NULL};
	int theirs[3] = {-1, -1, -1};
	int code = open_streams(peer, command, &spawn, theirs, e);

	if ((peer->crew->role == ROLE_ZYGOTE || peer->crew->role == ROLE_CONTAINED) && pool->group.fd >= 0)
		gk_spawn_fd(&spawn, pool->group.fd, GROUP_FD);
	if (code == 0)
		code = gk_spawn(&spawn, &peer->child, e);
	for (size_t i = 0; i < gk_count_of(theirs); i++)
		gk_fd_close(&theirs[i]);
	return code == 0 ? watch_all(peer, e) : -1;
}

int peer_start(struct crew *crew, struct peer **made, struct gk_err *e)
{
	struct peer *peer = gk_alloc(sizeof *peer);
	struct command command = {0};
	struct gk_frame_limits limits = {0};
	int code;

	*peer = (struct peer){.crew = crew, .child = {0, -1}, .in = -1, .out = -1, .log = -1};
	code = command_make(crew->pool, crew->role, &command, e);
	limits.allow_fds = !command.by_pipes;
	limits.allow_inline = command.by_pipes;
	gk_frame_reader_init(&peer->reader, role_names[crew->role], &limits);
	gk_frame_writer_init(&peer->writer, command.by_pipes);
	if (code == 0)
		code = start_process(peer, &command, e);
	command_release(&command);
	if (code < 0) {
		peer_free(peer);
		return gk_err_context(e, "the %s does not start", role_names[crew->role]);
	}
	*made = peer;
	return 0;
}
