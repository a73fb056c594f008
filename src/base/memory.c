#include "memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t bytes)
{
	fprintf(stderr, "geak: out of memory: %zu bytes were refused\n", bytes);
	exit(3);
}

static size_t product(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		gk_bug("%zu items of %zu bytes overflow", count, size);
	return bytes;
}

void *gk_alloc(size_t bytes)
{
	void *memory = calloc(1, bytes ? bytes : 1);

	if (!memory)
		out_of_memory(bytes);
	return memory;
}

void *gk_alloc_array(size_t count, size_t size)
{
	return gk_alloc(product(count, size));
}

void *gk_realloc_array(void *old, size_t count, size_t size)
{
	size_t bytes = product(count, size);
	void *memory = realloc(old, bytes ? bytes : 1);

	if (!memory)
		out_of_memory(bytes);
	return memory;
}

char *gk_strdup(const char *text)
{
	return gk_strndup(text, strlen(text));
}

char *gk_strndup(const char *text, size_t size)
{
	size_t length = strnlen(text, size);
	char *copy = gk_alloc(length + 1);

	memcpy(copy, text, length);
	return copy;
}

void gk_free_pointer(void *pointer_to_pointer)
{
	void **pointer = pointer_to_pointer;

	free(*pointer);
	*pointer = NULL;
}

void gk_bug_at(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "geak: bug at %s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}
