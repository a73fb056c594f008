/* Whole files, descriptors, paths, memory files. */
#ifndef GK_BASE_FILE_H
#define GK_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct gk_arena;

/* A descriptor that closes itself when its scope ends: gk_fd_auto fd = open(...); */
#define gk_fd_auto __attribute__((cleanup(gk_fd_close))) int

void gk_fd_close(int *fd); /* closes *fd unless it is negative, and makes it -1 */
int gk_fd_steal(int *fd);  /* returns *fd and makes it -1 */

/*
 * Reads the whole of a regular file. *bytes gets malloc'ed memory that the
 * caller frees, with a zero byte after the last (not counted in *size).
 * A file larger than max_bytes is GK_ERR_INPUT: nothing foreign is read
 * without a ceiling. On failure *bytes and *size are untouched.
 */
int gk_file_read(const char *path, size_t max_bytes, char **bytes, size_t *size, struct gk_err *e);

/* All of size bytes, or a failure; EINTR and short counts are handled. */
int gk_fd_write(int fd, const void *bytes, size_t size, struct gk_err *e);
int gk_fd_read(int fd, void *bytes, size_t size, struct gk_err *e);

/* Writes a temporary file beside path, fsyncs and renames it: readers see the old or the new file, whole. */
int gk_file_write(const char *path, const void *bytes, size_t size, struct gk_err *e);

/* mkdir -p with mode 0777 & ~umask. */
int gk_dir_make(const char *path, struct gk_err *e);
/* Names in path, sorted bytewise, without "." and ".."; in the arena, *names ends with NULL. */
int gk_dir_list(const char *path, struct gk_arena *arena, char ***names, size_t *count, struct gk_err *e);
/* rm -rf that never follows a link. A missing path is no failure. */
int gk_tree_remove(const char *path, struct gk_err *e);

bool gk_path_exists(const char *path);
bool gk_path_is_dir(const char *path);
const char *gk_path_base(const char *path); /* what stands behind the last '/' */
char *gk_path_join(struct gk_arena *arena, const char *folder, const char *name); /* name alone when absolute */

/*
 * A memory file of exactly size bytes (zeroed; close-on-exec). name shows up
 * in /proc only. Seal it with gk_memfd_seal() once it is filled.
 */
int gk_memfd_new(const char *name, size_t size, struct gk_err *e);
int gk_memfd_from(const char *name, const void *bytes, size_t size, struct gk_err *e); /* filled and sealed */
int gk_memfd_seal(int fd, struct gk_err *e);                                            /* against any change */
/*
 * Maps a foreign memory file for reading after checking that it is sealed
 * against shrinking and has at least size bytes (else a later access could
 * be a SIGBUS). Unmap with munmap(*bytes, size). size 0 gives a NULL pointer.
 */
int gk_memfd_map(int fd, size_t size, const void **bytes, struct gk_err *e);

#endif
