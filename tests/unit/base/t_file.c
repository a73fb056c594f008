#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/place.h"
#include "base/text.h"
#include "tap.h"

static struct gk_arena arena;
static const char *root;

static const char *in_root(const char *name)
{
	return gk_path_join(&arena, root, name);
}

static void whole_files(void)
{
	struct gk_err e = {0};
	gk_free_auto char *bytes = NULL;
	char *untouched = NULL;
	size_t size = 0;
	struct stat st;

	is_int(gk_file_write(in_root("f"), "one\0two", 7, &e), 0, "a file is written");
	is_int(gk_file_read(in_root("f"), 7, &bytes, &size, &e), 0, "and read");
	ok(size == 7 && memcmp(bytes, "one\0two", 8) == 0, "byte for byte, with a zero behind");
	is_int(gk_file_read(in_root("f"), 6, &untouched, &size, &e), -1, "a file over the ceiling is refused");
	ok(e.kind == GK_ERR_INPUT && untouched == NULL, "as the user's mistake, and nothing is handed out");
	is_int(gk_file_read(in_root("none"), 6, &untouched, &size, &e), -1, "a missing file is refused");
	ok(e.kind == GK_ERR_INPUT && gk_text_ends(e.text, "No such file or directory"), "with the system's words");
	is_int(gk_file_read(root, 6, &untouched, &size, &e), -1, "so is a folder");
	mkfifo(in_root("pipe"), 0600);
	is_int(gk_file_read(in_root("pipe"), 6, &untouched, &size, &e), -1, "and a pipe, without waiting for a writer");
	stat(in_root("f"), &st);
	umask(022);
	gk_file_write(in_root("f"), "new", 3, &e);
	stat(in_root("f"), &st);
	is_int(st.st_mode & 0777, 0644, "a written file has the usual mode");
	is_int(gk_file_write(in_root("none/f"), "x", 1, &e), -1, "a missing folder is an error");
	ok(e.kind == GK_ERR_SYSTEM, "of the system");
}

static void folders(void)
{
	struct gk_err e = {0};
	char **names;
	size_t count;

	is_int(gk_dir_make(in_root("a/b/c"), &e), 0, "folders are made with all above them");
	is_int(gk_dir_make(in_root("a/b/c"), &e), 0, "those that exist are no failure");
	is_int(gk_dir_make(in_root("f/x"), &e), -1, "a file in the way is");
	gk_file_write(in_root("a/z"), "", 0, &e);
	gk_file_write(in_root("a/B"), "", 0, &e);
	is_int(gk_dir_list(in_root("a"), &arena, &names, &count, &e), 0, "a folder is listed");
	ok(count == 3 && !strcmp(names[0], "B") && !strcmp(names[1], "b") && !strcmp(names[2], "z") && !names[3],
	   "bytewise sorted");
	is_int(gk_dir_list(in_root("none"), &arena, &names, &count, &e), -1, "a missing folder is refused");
}

static void removal(void)
{
	struct gk_err e = {0};

	gk_dir_make(in_root("keep"), &e);
	gk_file_write(in_root("keep/file"), "x", 1, &e);
	ok(symlink(in_root("keep"), in_root("a/link")) == 0, "a link leads out of the tree");
	is_int(gk_tree_remove(in_root("a"), &e), 0, "a tree is removed");
	ok(!gk_path_exists(in_root("a")) && gk_path_exists(in_root("keep/file")), "and no link is followed");
	is_int(gk_tree_remove(in_root("a"), &e), 0, "a missing tree is no failure");
}

static void paths(void)
{
	is_text(gk_path_base("/a/b.c"), "b.c", "the last part of a path");
	is_text(gk_path_base("b.c"), "b.c", "which may be all of it");
	is_text(gk_path_join(&arena, "/a", "b"), "/a/b", "paths are joined");
	is_text(gk_path_join(&arena, "/a/", "b"), "/a/b", "with one slash");
	is_text(gk_path_join(&arena, "/a", "/b"), "/b", "an absolute one stands for itself");
}

static void memory_files(void)
{
	struct gk_err e = {0};
	const void *bytes = NULL;
	gk_fd_auto sealed = gk_memfd_from("t", "hello", 5, &e);
	gk_fd_auto open_file = gk_memfd_new("t", 8, &e);

	ok(sealed >= 0 && gk_memfd_map(sealed, 5, &bytes, &e) == 0, "a sealed memory file is mapped");
	ok(memcmp(bytes, "hello", 5) == 0, "and holds its bytes");
	munmap((void *)bytes, 5);
	is_int(gk_memfd_map(sealed, 6, &bytes, &e), -1, "not more bytes than it has");
	ok(ftruncate(sealed, 1) < 0 && write(sealed, "x", 1) < 0, "nobody can change it");
	is_int(gk_memfd_map(open_file, 8, &bytes, &e), -1, "an unsealed file is refused: it could shrink");
	ok(gk_memfd_map(sealed, 0, &bytes, &e) == 0 && !bytes, "nothing maps to nothing");
	gk_fd_auto plain = open(in_root("f"), O_RDONLY | O_CLOEXEC);
	is_int(gk_memfd_map(plain, 1, &bytes, &e), -1, "a file on disk is no memory file");
	int taken = gk_fd_steal(&plain);
	ok(plain == -1 && taken >= 0, "a stolen descriptor is not closed");
	gk_fd_close(&taken);
	ok(taken == -1, "a closed one is gone");
}

static void places(void)
{
	struct gk_err e = {0};
	struct gk_place place;
	const char *path;

	setenv("GEAK_SHARE", root, 1);
	is_int(gk_place_find(&place, &arena, &e), -1, "a share folder without geak's files is refused");
	ok(gk_text_starts(e.text, "GEAK_SHARE="), "naming the variable");
	gk_dir_make(in_root("worker"), &e);
	gk_dir_make(in_root("prompts"), &e);
	setenv("GEAK_PYTHON", "/some/python", 1);
	is_int(gk_place_find(&place, &arena, &e), 0, "one with them is taken");
	is_text(place.python, "/some/python", "GEAK_PYTHON says which Python");
	is_int(gk_place_path(&arena, "worker", &path, &e), 0, "its parts are found");
	is_int(gk_place_path(&arena, "nonsense", &path, &e), -1, "others are missing");
	unsetenv("GEAK_PYTHON");
	setenv("XDG_DATA_HOME", root, 1);
	gk_place_find(&place, &arena, &e);
	is_text(place.python, "python3", "without any, python3 is looked up in PATH");
	gk_dir_make(in_root("geak/venv/bin"), &e);
	ok(symlink("/bin/sh", in_root("geak/venv/bin/python")) == 0, "a private environment appears");
	gk_place_find(&place, &arena, &e);
	is_text(place.python, in_root("geak/venv/bin/python"), "and is used");
}

int main(void)
{
	char folder[] = "/tmp/geak-t-file-XXXXXX";
	struct gk_err e = {0};

	root = mkdtemp(folder);
	whole_files();
	folders();
	removal();
	paths();
	memory_files();
	places();
	gk_tree_remove(root, &e);
	gk_arena_release(&arena);
	return done_testing();
}
