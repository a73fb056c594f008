/*
 * Theory of operation: the bytes of large inputs stay on the device from one
 * time request to the next, as they came: every candidate of a task is timed on
 * the same ones. A memory file that nobody can write to any more is known again
 * by its inode and its times; its bytes are not read for that.
 *
 * No kernel of a candidate may reach what the next one is timed on. Between
 * requests the memory is mapped nowhere, and it comes back at another address.
 * In the request it is one of many mappings, surrounded by nothing; afterwards
 * sums over all of it and some parts, drawn anew, must be what they were, or it
 * is given up. What has the time of a request is put away last and dropped
 * first when there is more of it than an eighth of the device's memory.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "time.h"

enum { LEAST_BYTES = 4 << 20, CHECKS = 4, CHECK_BYTES = 64 << 10, SHARE = 8 };

/* ---- which file it is ---- */

/* False: it cannot be told from others for good. */
static bool identify(int fd, struct launch_file *file)
{
	struct stat s;
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_WRITE) || !(seals & F_SEAL_GROW) || fstat(fd, &s) < 0)
		return false;
	*file = (struct launch_file){.device = (uint64_t)s.st_dev,
	                             .inode = (uint64_t)s.st_ino,
	                             .bytes = (uint64_t)s.st_size,
	                             .made_s = (int64_t)s.st_ctim.tv_sec,
	                             .made_ns = (int64_t)s.st_ctim.tv_nsec,
	                             .written_s = (int64_t)s.st_mtim.tv_sec,
	                             .written_ns = (int64_t)s.st_mtim.tv_nsec};
	return true;
}

/* ---- the launcher's store ---- */

static void release(struct gk_launcher *launcher, struct launch_kept *k)
{
	if (k->memory)
		launcher->device->ops->memory_free(launcher->device, k->memory);
	free(k->sums);
	*k = (struct launch_kept){0};
}

static struct launch_kept take_out(struct gk_launcher *launcher, size_t i)
{
	struct launch_kept k = launcher->kept[i];

	launcher->kept[i] = launcher->kept[--launcher->kept_count];
	launcher->kept_bytes -= k.bytes;
	return k;
}

static void drop_oldest(struct gk_launcher *launcher)
{
	struct launch_kept k;
	size_t oldest = 0;

	for (size_t i = 1; i < launcher->kept_count; i++)
		if (launcher->kept[i].used < launcher->kept[oldest].used)
			oldest = i;
	k = take_out(launcher, oldest);
	release(launcher, &k);
}

bool launch_drop_kept(struct gk_launcher *launcher)
{
	bool any = launcher->kept_count > 0;

	while (launcher->kept_count)
		drop_oldest(launcher);
	return any;
}

static void put_in(struct gk_launcher *launcher, struct launch_kept *k)
{
	k->used = ++launcher->kept_tick;
	while (launcher->kept_count && (launcher->kept_count == gk_count_of(launcher->kept) ||
	                                launcher->kept_bytes + k->bytes > launcher->kept_ceiling))
		drop_oldest(launcher);
	if (k->bytes > launcher->kept_ceiling) {
		release(launcher, k);
		return;
	}
	launcher->kept_bytes += k->bytes;
	launcher->kept[launcher->kept_count++] = *k;
	*k = (struct launch_kept){0};
}

/* ---- of a request ---- */

static bool is_same(const struct launch_kept *k, const struct launch_file *file, uint64_t bytes)
{
	return memcmp(&k->file, file, sizeof *file) == 0 && k->bytes >= bytes;
}

void time_find_inputs(struct time_job *job, const uint64_t bytes[])
{
	struct gk_launcher *launcher = job->launcher;

	if (launcher->kept_ceiling == 0)
		launcher->kept_ceiling = job->limits.unused_bytes / SHARE;
	for (uint32_t i = 0; i < job->input_count; i++) {
		struct launch_kept *k = &job->on[i];
		uint64_t least = launcher->kept_least ? launcher->kept_least : LEAST_BYTES;

		k->has_sums = bytes[i] >= least;
		k->can_stay = k->has_sums && job->ops->park && identify(job->frame->blobs[1 + i].fd, &k->file);
		for (size_t n = 0; k->can_stay && !k->memory && n < launcher->kept_count; n++)
			if (is_same(&launcher->kept[n], &k->file, bytes[i]))
				*k = take_out(launcher, n);
		if (!k->memory)
			k->bytes = bytes[i];
	}
}

/* By geak's own flush, which reads. The sink has room for all of them. */
static int find_sums(struct time_job *job, uint64_t at, uint64_t bytes, uint32_t *sums, struct gk_err *e)
{
	struct gk_device_region sink = time_room(job, job->rooms.sink);
	uint32_t blocks = (uint32_t)time_sum_count(bytes);
	struct gk_device_value values[] = {{at, 8}, {bytes / 4, 8}, {sink.at, 8}};

	if (blocks == 0)
		return 0;
	if (job->ops->launch(job->device, job->flush, blocks, values, 3, e) < 0)
		return -1;
	return job->ops->download(job->device, sums, sink.at, 4 * (uint64_t)blocks, e);
}

size_t time_sum_count(uint64_t bytes)
{
	return (size_t)((bytes / 4 + GK_HELPER_BLOCK - 1) / GK_HELPER_BLOCK);
}

static int bring(struct time_job *job, uint32_t i, struct gk_err *e)
{
	struct launch_kept *k = &job->on[i];
	struct gk_device_layout layout = {.bytes = &k->bytes, .count = 1, .seed = gk_random_next(&job->random)};

	if (k->memory)
		return job->ops->unpark(job->device, k->memory, layout.seed, e);
	if (job->ops->memory_lay(job->device, &layout, &k->memory, e) < 0 ||
	    job->ops->upload(job->device, time_input(job, i).at, job->inputs[i].bytes, k->bytes, e) < 0)
		return -1;
	if (!k->has_sums)
		return 0;
	k->sums = gk_alloc_array(time_sum_count(k->bytes) + 1, sizeof *k->sums);
	return find_sums(job, time_input(job, i).at, k->bytes, k->sums, e);
}

int time_bring_inputs(struct time_job *job, struct gk_err *e)
{
	for (uint32_t i = 0; i < job->input_count; i++)
		if (bring(job, i, e) < 0)
			return -1;
	return 0;
}

struct gk_device_region time_input(const struct time_job *job, uint32_t input)
{
	return job->ops->region(job->device, job->on[input].memory, 0);
}

/* ---- afterwards ---- */

static bool part_is_same(struct time_job *job, uint32_t i, uint64_t from, uint64_t bytes)
{
	gk_free_auto uint8_t *got = gk_alloc(bytes + 1);
	struct gk_err ignored;

	return job->ops->download(job->device, got, time_input(job, i).at + from, bytes, &ignored) == 0 &&
	       memcmp(got, (const uint8_t *)job->inputs[i].bytes + from, bytes) == 0;
}

bool time_has_sums(const struct time_job *job, uint32_t input, uint64_t bytes)
{
	return job->on[input].sums && job->on[input].bytes == bytes;
}

int time_compare_sums(struct time_job *job, uint32_t input, uint64_t at, bool *differs, struct gk_err *e)
{
	const struct launch_kept *k = &job->on[input];
	size_t count = time_sum_count(k->bytes);
	gk_free_auto uint32_t *sums = gk_alloc_array(count + 1, sizeof *sums);

	if (find_sums(job, at, k->bytes, sums, e) < 0)
		return -1;
	*differs |= memcmp(sums, k->sums, count * sizeof *sums) != 0;
	return 0;
}

static bool is_as_it_came(struct time_job *job, uint32_t i)
{
	const struct launch_kept *k = &job->on[i];
	uint64_t part = k->bytes < CHECK_BYTES ? k->bytes : CHECK_BYTES;
	struct gk_err ignored;
	bool differs = false;

	if (time_compare_sums(job, i, time_input(job, i).at, &differs, &ignored) < 0 || differs)
		return false;
	for (int n = 0; n < CHECKS; n++)
		if (!part_is_same(job, i, gk_random_below(&job->random, k->bytes - part + 1), part))
			return false;
	return part_is_same(job, i, k->bytes - part, part); /* the end is in no sum when it is no whole word */
}

void time_leave_inputs(struct time_job *job)
{
	for (uint32_t i = 0; i < job->input_count; i++) {
		struct launch_kept *k = &job->on[i];
		bool stays = k->memory && k->can_stay && k->sums && job->rooms.memory && !job->finding.kind[0] &&
		             !job->device->is_lost && is_as_it_came(job, i) && job->ops->park(job->device, k->memory) > 0;

		if (stays)
			put_in(job->launcher, k);
		else
			release(job->launcher, k);
	}
}
