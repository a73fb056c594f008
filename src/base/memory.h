/* Plain heap memory that cannot fail: running out ends the program with one line and exit code 3. */
#ifndef GK_BASE_MEMORY_H
#define GK_BASE_MEMORY_H

#include <stddef.h>

void *gk_alloc(size_t bytes); /* zeroed */
void *gk_alloc_array(size_t count, size_t size);
void *gk_realloc_array(void *old, size_t count, size_t size); /* what is new is not zeroed */
char *gk_strdup(const char *text);
char *gk_strndup(const char *text, size_t size);

/* For cleanup attributes: gk_free_auto char *text = ...; */
void gk_free_pointer(void *pointer_to_pointer);
#define gk_free_auto __attribute__((cleanup(gk_free_pointer)))

/* A broken invariant of ours: one line with file and line, then abort(). */
_Noreturn void gk_bug_at(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define gk_bug(...) gk_bug_at(__FILE__, __LINE__, __VA_ARGS__)

#define gk_count_of(array) (sizeof(array) / sizeof((array)[0]))

#endif
