#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "tap.h"

static int hooks[2];

static void before(void *ctx)
{
	hooks[0] += *(int *)ctx;
}

static void after(void *ctx)
{
	hooks[1] += hooks[0] == *(int *)ctx; /* only when the line came between */
}

/* What a line looks like on the standard error. */
static const char *logged(enum gk_log_level level, const char *text)
{
	static char line[8192];
	int pipe_fds[2], saved = dup(2);
	ssize_t n;

	if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0 || dup2(pipe_fds[1], 2) < 0)
		return "no pipe";
	gk_log(level, "%s", text);
	dup2(saved, 2);
	n = read(pipe_fds[0], line, sizeof line - 1);
	line[n > 0 ? n : 0] = '\0';
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(saved);
	return line;
}

int main(void)
{
	static char long_text[6000];
	int one = 1;

	is_text(logged(GK_LOG_ERROR, "a disk is full"), "geak: error: a disk is full\n", "an error is one line");
	is_text(logged(GK_LOG_WARN, "x\ny\x1b[2J"), "geak: warning: x?y?[2J\n", "whatever it quotes");
	is_text(logged(GK_LOG_INFO, "quiet"), "", "information is silent at first");
	gk_log_set_level(GK_LOG_DEBUG);
	is_text(logged(GK_LOG_INFO, "loud"), "geak: loud\n", "until the level is raised");
	is_text(logged(GK_LOG_DEBUG, "louder"), "geak: debug: louder\n", "to the last");
	memset(long_text, 'x', sizeof long_text - 1);
	ok(strlen(logged(GK_LOG_ERROR, long_text)) < 4200, "a long line is cut");
	gk_log_set_hooks(before, after, &one);
	logged(GK_LOG_ERROR, "between");
	ok(hooks[0] == 1 && hooks[1] == 1, "a display is told before and after");
	gk_log_set_level(GK_LOG_ERROR);
	logged(GK_LOG_WARN, "dropped");
	ok(hooks[0] == 1, "but not of lines that are dropped");
	return done_testing();
}
