/* Runs a few lines of Triton IR on the machine: one function @k, buffers that the test owns. */
#ifndef GK_TESTS_MACHINE_TEST_H
#define GK_TESTS_MACHINE_TEST_H

#include <stdlib.h>

#include "base/memory.h"
#include "tap.h"
#include "vm/vm.h"

#define TEST_BUFFERS 4

struct machine {
	struct gk_ir *module;
	struct gk_vm_program *program;
	struct gk_vm_buffer buffers[TEST_BUFFERS];
	struct gk_vm_arg args[8];
	struct gk_vm_launch launch;
	struct gk_vm_result result;
	uint64_t memory[TEST_BUFFERS][512]; /* of the buffers; they start defined */
};

/* params: as in the text, "%p: !tt.ptr<i32>, %n: i32"; body: operations without tt.return. */
static inline struct machine *machine_new(const char *params, const char *body)
{
	struct machine *m = gk_alloc(sizeof *m);
	struct gk_err e = {0};
	gk_buf_auto text = GK_BUF_INIT;

	gk_buf_printf(&text, "module {\n  tt.func public @k(%s) attributes {noinline = false} {\n%s\n    tt.return\n  }\n}\n",
	              params, body);
	m->module = gk_ir_read("test", gk_buf_text(&text), text.size, &e);
	if (!m->module) {
		printf("# %s\n%s", e.text, gk_buf_text(&text));
		exit(1);
	}
	m->program = gk_vm_program_new(m->module);
	m->launch = (struct gk_vm_launch){.grid = {1, 1, 1}, .args = m->args, .buffers = m->buffers, .threads = 1};
	return m;
}

/* A buffer of size bytes as the next argument; its memory. */
static inline void *machine_buffer(struct machine *m, uint64_t size)
{
	uint32_t i = m->launch.buffer_count++;

	m->buffers[i] = (struct gk_vm_buffer){.bytes = m->memory[i], .size = size};
	snprintf(m->buffers[i].name, sizeof m->buffers[i].name, "b%u", i);
	m->args[m->launch.arg_count++] = (struct gk_vm_arg){.kind = GK_VM_POINTER, .buffer = i};
	return m->memory[i];
}

static inline void machine_int(struct machine *m, int64_t number)
{
	m->args[m->launch.arg_count++] = (struct gk_vm_arg){.kind = GK_VM_INT, .number = number};
}

static inline bool machine_run(struct machine *m)
{
	gk_vm_result_release(&m->result);
	return gk_vm_launch(m->program, &m->launch, &m->result);
}

static inline int machine_finds(struct machine *m, const char *kind, const char *part)
{
	machine_run(m);
	if (strcmp(gk_vm_finding_name(m->result.finding.kind), kind) || !strstr(m->result.finding.message, part)) {
		printf("# %s: %s\n", gk_vm_finding_name(m->result.finding.kind), m->result.finding.message);
		return 0;
	}
	return 1;
}

static inline void machine_free(struct machine *m)
{
	for (uint32_t i = 0; i < m->launch.buffer_count; i++)
		free(m->buffers[i].undef);
	gk_vm_result_release(&m->result);
	gk_vm_program_free(m->program);
	gk_ir_free(m->module);
	free(m);
}

#endif
