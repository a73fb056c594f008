/* Memory files: the second half of file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int gk_memfd_new(const char *name, size_t size, struct gk_err *e)
{
	gk_fd_auto fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return gk_err_errno(e, "memory file %s", name);
	if (size > INT64_MAX || ftruncate(fd, (off_t)size) < 0)
		return gk_err_errno(e, "memory file %s of %zu bytes", name, size);
	return gk_fd_steal(&fd);
}

int gk_memfd_from(const char *name, const void *bytes, size_t size, struct gk_err *e)
{
	gk_fd_auto fd = gk_memfd_new(name, 0, e);

	if (fd < 0)
		return -1;
	if (gk_fd_write(fd, bytes, size, e) < 0)
		return gk_err_context(e, "memory file %s", name);
	if (gk_memfd_seal(fd, e) < 0)
		return -1;
	return gk_fd_steal(&fd);
}

int gk_memfd_seal(int fd, struct gk_err *e)
{
	return fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0 ? gk_err_errno(e, "sealing a memory file") : 0;
}

int gk_memfd_map(int fd, size_t size, const void **bytes, struct gk_err *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *memory;

	if (seals < 0)
		return gk_err_errno(e, "not a memory file");
	if (!(seals & F_SEAL_SHRINK))
		return gk_err_set(e, GK_ERR_INPUT, "the memory file is not sealed against shrinking");
	if (fstat(fd, &st) < 0)
		return gk_err_errno(e, "memory file");
	if ((uint64_t)st.st_size < size)
		return gk_err_set(e, GK_ERR_INPUT, "the memory file has %lld bytes, %zu are needed",
		                  (long long)st.st_size, size);
	*bytes = NULL;
	if (!size)
		return 0;
	memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return gk_err_errno(e, "mapping %zu bytes of a memory file", size);
	*bytes = memory;
	return 0;
}
