/* How each role's process is started: program, arguments, the whole of its environment, namespaces. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "box/inside.h"
#include "work.h"

#define LOWERING_BYTES ((int64_t)16 << 30)

extern char **environ;

static void add(struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct command *command, const char *format, ...)
{
	gk_buf_auto text = GK_BUF_INIT;
	va_list arguments;

	va_start(arguments, format);
	gk_buf_vprintf(&text, format, arguments);
	va_end(arguments);
	gk_vec_push(&command->environment, gk_buf_steal(&text));
}

/* Of our own environment only what programs need to find their libraries and files: no keys, no tokens. */
static void add_inherited(struct command *command)
{
	static const char *const names[] = {
		"PATH",         "HOME",         "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH",
		"ASAN_OPTIONS", "UBSAN_OPTIONS"};

	for (size_t i = 0; i < gk_count_of(names); i++) {
		const char *value = getenv(names[i]);

		if (value)
			add(command, "%s=%s", names[i], value);
	}
}

/* Which GPUs, which driver, where its lock lies. */
static void add_gpu(struct command *command)
{
	static const char *const names[] = {"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
	                                    "GEAK_LIBCUDA", "GEAK_LIBHIP", "GEAK_LIBNVML", "GEAK_LIBSMI", "GEAK_LOCKS",
	                                    "GEAK_LOCK_SECONDS"};

	for (size_t i = 0; i < gk_count_of(names); i++)
		if (getenv(names[i]))
			add(command, "%s=%s", names[i], getenv(names[i]));
}

static void add_all(struct command *command)
{
	for (char **variable = environ; *variable; variable++)
		if (strncmp(*variable, "GEAK_FD=", 8) != 0)
			gk_vec_push(&command->environment, gk_strdup(*variable));
}

static bool is_for_candidates(enum role role)
{
	return role == ROLE_ZYGOTE || role == ROLE_CONTAINED;
}

/* A candidate that runs for real: on the GPU, or on Triton's interpreter, which must be known before triton is loaded. */
static void add_real(const struct pool *pool, struct command *command)
{
	bool has_device = strcmp(pool->device, "cpu") != 0;

	add(command, "GEAK_DEVICE=%s", pool->device);
	if (has_device) {
		add_gpu(command);
		add(command, "GEAK_GPU=%d", contain_gpu(pool));
	} else {
		add(command, "TRITON_INTERPRET=1");
	}
}

static void add_python(struct pool *pool, enum role role, struct command *command)
{
	/* Candidates' order of sets must not vary, and threads do not survive the forks of a zygote. */
	static const char *const one_thread[] = {"OMP_NUM_THREADS", "MKL_NUM_THREADS",
	                                         "OPENBLAS_NUM_THREADS"};

	add(command, "PYTHONPATH=%s", pool->worker);
	add(command, "PYTHONSAFEPATH=1"); /* what lies in the folder where geak runs is no module of ours */
	add(command, "PYTHONHASHSEED=0");
	add(command, "PYTHONDONTWRITEBYTECODE=1");
	add(command, "PYTHONUNBUFFERED=1");
	add(command, "OMP_WAIT_POLICY=passive"); /* threads that spin for work take the cores of those who have some */
	if (role == ROLE_ORACLE)
		return;
	for (size_t i = 0; i < gk_count_of(one_thread); i++)
		add(command, "%s=1", one_thread[i]);
	if (role == ROLE_CONTAINED) {
		add_real(pool, command);
	} else {
		add(command, "CUDA_VISIBLE_DEVICES=");
		add(command, "HIP_VISIBLE_DEVICES=");
	}
	if (pool->tmp_folder)
		add(command, "TMPDIR=%s", pool->tmp_folder);
	if (pool->box)
		add(command, "GEAK_BOX=%s", pool->box);
	if (pool->tmp_folder)
		add(command, "GEAK_TMP=%s", pool->tmp_folder);
	if (is_for_candidates(role) && pool->group.fd >= 0)
		add(command, "GEAK_GROUP_FD=4");
	if (is_for_candidates(role) && gk_box_demanded() == GK_CONTAIN_STRICT)
		add(command, "GEAK_BOX_NEED=%d", GK_BOX_STRICT);
}

static void make_python(struct pool *pool, enum role role, struct command *command)
{
	command->argv[0] = command->program;
	command->argv[1] = "-m";
	command->argv[2] = "geak_worker";
	command->argv[3] = role_names[role];
	if (role != ROLE_ORACLE) /* the oracle reads tasks, wherever they lie */
		command->namespaces = gk_box_probe()->namespaces;
	if (role == ROLE_LOWERING) /* a module that makes a compiler eat the machine ends it instead */
		command->memory_bytes = LOWERING_BYTES;
	add_inherited(command);
	add_python(pool, role, command);
}

static int make_launcher(struct pool *pool, struct command *command, struct gk_err *e)
{
	if (pool->launcher) {
		snprintf(command->program, sizeof command->program, "/bin/sh");
		command->argv[0] = command->program;
		command->argv[1] = "-c";
		/* what serves elsewhere by what is there, whatever it takes of its own accord */
		if (snprintf(command->line, sizeof command->line, "%s --device %s", pool->launcher, pool->device) >=
		    (int)sizeof command->line)
			return gk_err_set(e, GK_ERR_INPUT, "a launcher's command line of more than %zu bytes", sizeof command->line);
		command->argv[2] = command->line;
		command->by_pipes = true;
		add_all(command); /* ssh and srun have needs of their own */
		return 0;
	}
	command->argv[0] = command->program;
	command->argv[1] = "launcher";
	command->argv[2] = "--device";
	command->argv[3] = pool->device;
	if (strcmp(pool->device, "cpu") == 0) /* a driver wants the machine as it is */
		command->namespaces = gk_box_probe()->namespaces;
	add_inherited(command);
	add_gpu(command);
	return 0;
}

int command_make(struct pool *pool, enum role role, struct command *command, struct gk_err *e)
{
	const char *program = role == ROLE_LAUNCHER ? pool->program : pool->python;

	if (!(role == ROLE_LAUNCHER && pool->launcher) &&
	    gk_program_find(program, command->program, sizeof command->program, e) < 0)
		return -1;
	if (role != ROLE_LAUNCHER)
		make_python(pool, role, command);
	else if (make_launcher(pool, command, e) < 0)
		return -1;
	if (pool->build)
		add(command, "GEAK_BUILD=%s", pool->build);
	if (!command->by_pipes)
		add(command, "GEAK_FD=3");
	gk_vec_push(&command->environment, NULL);
	return 0;
}

void command_release(struct command *command)
{
	for (size_t i = 0; i < command->environment.count; i++)
		free(command->environment.items[i]);
	gk_vec_release(&command->environment);
}
