#include "place.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"

/* The path of an environment variable that is set and not empty. */
static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static bool is_share(struct gk_arena *arena, const char *folder)
{
	return gk_path_is_dir(gk_path_join(arena, folder, "worker")) &&
	       gk_path_is_dir(gk_path_join(arena, folder, "prompts"));
}

static char *absolute(struct gk_arena *arena, const char *path)
{
	char full[PATH_MAX];

	return realpath(path, full) ? gk_arena_string(arena, full) : NULL;
}

static char *own_program(struct gk_arena *arena)
{
	return absolute(arena, "/proc/self/exe");
}

/* The program is build/geak of a checkout, or PREFIX/bin/geak. */
static char *share_beside(struct gk_arena *arena, const char *program)
{
	static const char *const ways[] = {"..", "../share/geak"};

	for (size_t i = 0; program && i < sizeof ways / sizeof *ways; i++) {
		const char *folder = gk_arena_printf(arena, "%.*s/%s", (int)(gk_path_base(program) - program), program,
		                                     ways[i]);

		if (is_share(arena, folder))
			return absolute(arena, folder);
	}
	return NULL;
}

static char *box_beside(struct gk_arena *arena, const char *program)
{
	static const char *const ways[] = {"", "../lib/geak/"};

	for (size_t i = 0; program && i < sizeof ways / sizeof *ways; i++) {
		char *path = gk_arena_printf(arena, "%.*s%slibgeakbox.so", (int)(gk_path_base(program) - program),
		                             program, ways[i]);

		if (gk_path_exists(path))
			return absolute(arena, path);
	}
	return NULL;
}

static int find_share(struct gk_arena *arena, const char *program, const char **share, struct gk_err *e)
{
	const char *told = from_environment("GEAK_SHARE");

	if (told && !is_share(arena, told))
		return gk_err_set(e, GK_ERR_INPUT, "GEAK_SHARE=%s: no folder with worker/ and prompts/ in it", told);
	*share = told ? absolute(arena, told) : share_beside(arena, program);
	if (!*share)
		return gk_err_set(e, GK_ERR_INPUT,
		                  "geak's own files (worker/, prompts/, suites/) are not beside the program %s: set "
		                  "GEAK_SHARE to their folder",
		                  program ? program : "?");
	return 0;
}

static char *private_python(struct gk_arena *arena)
{
	const char *data = from_environment("XDG_DATA_HOME"), *home = from_environment("HOME");

	if (data)
		return gk_arena_printf(arena, "%s/geak/venv/bin/python", data);
	return gk_arena_printf(arena, "%s/.local/share/geak/venv/bin/python", home ? home : "");
}

static void find_python(struct gk_place *place, struct gk_arena *arena)
{
	const char *told = from_environment("GEAK_PYTHON");

	place->python = told ? gk_arena_string(arena, told) : private_python(arena);
	place->python_from = told ? "GEAK_PYTHON" : "private environment";
	if (told || access(place->python, X_OK) == 0)
		return;
	place->python = "python3";
	place->python_from = "PATH";
}

int gk_place_find(struct gk_place *place, struct gk_arena *arena, struct gk_err *e)
{
	const char *own = own_program(arena), *told = from_environment("GEAK_PROGRAM");

	*place = (struct gk_place){.program = told ? gk_arena_string(arena, told) : own};
	place->box = box_beside(arena, place->program);
	find_python(place, arena);
	return find_share(arena, own, &place->share, e);
}

int gk_place_path(struct gk_arena *arena, const char *name, const char **path, struct gk_err *e)
{
	struct gk_place place;

	if (gk_place_find(&place, arena, e) < 0)
		return -1;
	*path = gk_path_join(arena, place.share, name);
	if (!gk_path_exists(*path))
		return gk_err_set(e, GK_ERR_INPUT, "%s is missing in geak's own files", *path);
	return 0;
}
