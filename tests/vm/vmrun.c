/*
 * Runs one module on the machine: `vmrun JOB`, where JOB is a text file of lines
 *
 *     module PATH                 buffer NAME PATH [BYTES]    (BYTES: fresh, nothing of it defined)
 *     ptr BUFFER AT | addr BUFFER AT | null | int N | bits 0x..
 *     desc BUFFER AT NAN RANK SHAPE.. STRIDES..
 *     grid X Y Z | seed N | budget N | threads N | repeat N
 *
 * It writes each buffer to PATH.out and, for those that have one, the map of undefined bytes to
 * PATH.undef, and prints one line: "done MS OPERATIONS" (MS of the fastest repeat) or
 * "KIND LINE LANE X,Y,Z BUFFER AT MESSAGE", then notes, each line after "note ".
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "vm/vm.h"

#define MAX_ITEMS 64

struct job {
	char module[512];
	struct gk_vm_buffer buffers[MAX_ITEMS];
	char paths[MAX_ITEMS][512];
	struct gk_vm_arg args[MAX_ITEMS];
	struct gk_vm_launch launch;
	int repeat;
};

static void die(const char *text, const char *detail)
{
	fprintf(stderr, "vmrun: %s: %s\n", text, detail);
	exit(2);
}

static void read_buffer(struct job *job, const char *rest)
{
	struct gk_err e = {0};
	uint32_t i = job->launch.buffer_count++;
	struct gk_vm_buffer *b = &job->buffers[i];
	long long fresh = -1;
	char *bytes = NULL;
	size_t size = 0;

	if (sscanf(rest, "%63s %511s %lld", b->name, job->paths[i], &fresh) < 2)
		die("bad buffer", rest);
	if (fresh >= 0) {
		size = (size_t)fresh;
		b->undef = gk_alloc(size);
		memset(b->undef, 1, size);
	} else if (gk_file_read(job->paths[i], (size_t)1 << 32, &bytes, &size, &e)) {
		die("cannot read", e.text);
	}
	b->size = size;
	b->bytes = aligned_alloc(64, (size + 64) / 64 * 64);
	if (bytes)
		memcpy(b->bytes, bytes, size);
	else
		memset(b->bytes, 0xee, size);
	free(bytes);
}

static void read_desc(struct gk_vm_arg *arg, const char *rest)
{
	int used = 0, nan = 0;
	unsigned long long at;

	arg->kind = GK_VM_DESC;
	if (sscanf(rest, "%u %llu %d %u %n", &arg->buffer, &at, &nan, &arg->rank, &used) < 4 || arg->rank > GK_VM_MAX_RANK)
		die("bad desc", rest);
	arg->at = at;
	arg->pad_nan = nan;
	for (uint32_t i = 0; i < 2 * arg->rank; i++) {
		char *end;
		long long value = strtoll(rest + used, &end, 10);

		used = (int)(end - rest);
		*(i < arg->rank ? &arg->shape[i] : &arg->strides[i - arg->rank]) = value;
	}
}

static bool read_arg(struct job *job, const char *word, const char *rest)
{
	struct gk_vm_arg *arg = &job->args[job->launch.arg_count];
	unsigned long long at = 0;

	*arg = (struct gk_vm_arg){.kind = GK_VM_NULL};
	if (!strcmp(word, "ptr") || !strcmp(word, "addr")) {
		arg->kind = *word == 'p' ? GK_VM_POINTER : GK_VM_ADDRESS;
		sscanf(rest, "%u %llu", &arg->buffer, &at);
		arg->at = at;
	} else if (!strcmp(word, "int")) {
		arg->kind = GK_VM_INT;
		arg->number = strtoll(rest, NULL, 10);
	} else if (!strcmp(word, "bits")) {
		arg->kind = GK_VM_FLOAT;
		arg->number = (int64_t)strtoull(rest, NULL, 16);
	} else if (!strcmp(word, "desc")) {
		read_desc(arg, rest);
	} else if (strcmp(word, "null")) {
		return false;
	}
	job->launch.arg_count++;
	return true;
}

static void read_line(struct job *job, const char *line)
{
	char word[32] = "";
	int used = 0;
	const char *rest;

	if (sscanf(line, "%31s %n", word, &used) < 1)
		return;
	rest = line + used;
	if (job->launch.buffer_count >= MAX_ITEMS || job->launch.arg_count >= MAX_ITEMS)
		die("too many", word);
	if (!strcmp(word, "module"))
		sscanf(rest, "%511s", job->module);
	else if (!strcmp(word, "buffer"))
		read_buffer(job, rest);
	else if (!strcmp(word, "grid"))
		sscanf(rest, "%u %u %u", &job->launch.grid[0], &job->launch.grid[1], &job->launch.grid[2]);
	else if (!strcmp(word, "seed"))
		job->launch.seed = strtoull(rest, NULL, 10);
	else if (!strcmp(word, "budget"))
		job->launch.budget = strtoull(rest, NULL, 10);
	else if (!strcmp(word, "threads"))
		job->launch.threads = atoi(rest);
	else if (!strcmp(word, "repeat"))
		job->repeat = atoi(rest);
	else if (!read_arg(job, word, rest))
		die("unknown line", line);
}

static void read_job(struct job *job, const char *path)
{
	char line[1024];
	FILE *file = fopen(path, "r");

	if (!file)
		die("cannot open", path);
	while (fgets(line, sizeof line, file))
		read_line(job, line);
	fclose(file);
	job->launch.args = job->args;
	job->launch.buffers = job->buffers;
}

static void write_buffers(struct job *job)
{
	struct gk_err e = {0};
	char path[600];

	for (uint32_t i = 0; i < job->launch.buffer_count; i++) {
		struct gk_vm_buffer *b = &job->buffers[i];

		snprintf(path, sizeof path, "%s.out", job->paths[i]);
		if (gk_file_write(path, b->bytes, b->size, &e))
			die("cannot write", e.text);
		snprintf(path, sizeof path, "%s.undef", job->paths[i]);
		remove(path);
		if (b->undef && gk_file_write(path, b->undef, b->size, &e))
			die("cannot write", e.text);
		free(b->bytes);
		free(b->undef);
	}
}

static void print_result(const struct gk_vm_result *r, double ms)
{
	const struct gk_vm_finding *f = &r->finding;
	char *text = gk_strdup(gk_buf_text(&r->notes));

	if (f->kind == GK_VM_FINE)
		printf("done %.3f %llu\n", ms, (unsigned long long)r->counts.operations);
	else
		printf("%s %u %u %u,%u,%u %d %lld %s\n", gk_vm_finding_name(f->kind), f->line, f->lane, f->program[0],
		       f->program[1], f->program[2], (int)f->buffer, (long long)f->at, f->message);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		printf("note %s\n", line);
	free(text);
}

int main(int argc, char **argv)
{
	struct job job = {.repeat = 1, .launch.grid = {1, 1, 1}, .launch.threads = 1};
	struct gk_vm_result result = {0};
	struct gk_err e = {0};
	char *text = NULL;
	size_t size = 0;
	struct gk_ir *module;
	struct gk_vm_program *program;
	double best = 0;

	if (argc != 2)
		die("usage", "vmrun JOB");
	read_job(&job, argv[1]);
	if (gk_file_read(job.module, GK_IR_MAX_BYTES, &text, &size, &e))
		die("cannot read", e.text);
	module = gk_ir_read(job.module, text, size, &e);
	if (!module)
		die("refused", e.text);
	program = gk_vm_program_new(module);
	for (int i = 0; i < job.repeat; i++) {
		int64_t start = gk_clock_ns();
		double ms;

		gk_vm_result_release(&result);
		gk_vm_launch(program, &job.launch, &result);
		ms = (double)(gk_clock_ns() - start) / 1e6;
		best = i == 0 || ms < best ? ms : best;
	}
	print_result(&result, best);
	write_buffers(&job);
	gk_vm_result_release(&result);
	gk_vm_program_free(program);
	gk_ir_free(module);
	free(text);
	return 0;
}
