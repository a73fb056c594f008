/*
 * Any module that the reader takes, on the machine: no memory of ours is read or written but the buffers, it
 * ends within its budget, and twice the same launch leaves the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/machine.h"

#define BUFFER_BYTES 1024
#define MAX_PARAMS   8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* libFuzzer's own; absent where seeds are only replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* The start of some word of the text that begins with first (a '%', a digit), or size. */
static size_t find_word(const uint8_t *data, size_t size, bool is_value, unsigned nth)
{
	size_t found = size;

	for (size_t i = 1; i < size; i++) {
		bool is_one = is_value ? data[i] == '%' : data[i] >= '0' && data[i] <= '9' && data[i - 1] == ' ';

		if (is_one && (found = i, nth-- == 0))
			break;
	}
	return found;
}

static size_t word_end(const uint8_t *data, size_t size, size_t at)
{
	while (++at < size && (data[at] == '_' || (data[at] >= '0' && data[at] <= '9') || (data[at] >= 'a' && data[at] <= 'z')))
		;
	return at;
}

/* Mostly one value's name (or one number) in place of another: what still reads is a program. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct gk_random random;
	bool is_value;
	size_t to, to_end, from, length;
	uint8_t word[64];

	gk_random_seed(&random, seed);
	is_value = gk_random_below(&random, 3) > 0;
	to = find_word(data, size, is_value, (unsigned)gk_random_below(&random, 200));
	from = find_word(data, size, is_value, (unsigned)gk_random_below(&random, 200));
	if (gk_random_below(&random, 4) == 0 || to >= size || from >= size)
		return LLVMFuzzerMutate(data, size, max_size);
	to_end = word_end(data, size, to);
	length = word_end(data, size, from) - from;
	if (length > sizeof word || size - (to_end - to) + length > max_size)
		return size;
	memcpy(word, data + from, length);
	memmove(data + to + length, data + to_end, size - to_end);
	memcpy(data + to, word, length);
	return size - (to_end - to) + length;
}

struct launch {
	struct gk_vm_arg args[MAX_PARAMS];
	struct gk_vm_buffer buffers[MAX_PARAMS];
	struct gk_vm_result result;
};

static void fill_arg(struct launch *l, uint32_t i, const struct gk_ir *module, uint32_t value)
{
	enum gk_ir_kind kind = gk_ir_value_kind(module, value);
	struct gk_vm_arg *arg = &l->args[i];

	*arg = (struct gk_vm_arg){.kind = GK_VM_INT, .number = 3 + i, .buffer = i};
	if (kind == GK_IR_PTR)
		arg->kind = GK_VM_POINTER;
	else if (gk_ir_kind_is_float(kind))
		arg->kind = GK_VM_FLOAT;
	else if (kind == GK_IR_DESC)
		*arg = (struct gk_vm_arg){
			.kind = GK_VM_DESC, .buffer = i, .rank = 2, .shape = {8, 8}, .strides = {8, 1}};
}

static void run(struct launch *l, const struct gk_vm_program *program, const struct gk_ir *module)
{
	const struct gk_ir_func *func = &module->funcs[module->entry];
	struct gk_vm_launch launch = {.grid = {2, 1, 1}, .args = l->args, .arg_count = func->param_count,
	                              .buffers = l->buffers, .buffer_count = MAX_PARAMS, .seed = 7, .budget = 200000,
	                              .threads = 1};

	for (uint32_t i = 0; i < MAX_PARAMS; i++) {
		l->buffers[i] = (struct gk_vm_buffer){.bytes = gk_alloc(BUFFER_BYTES), .size = BUFFER_BYTES};
		for (uint32_t j = 0; j < BUFFER_BYTES; j++)
			((uint8_t *)l->buffers[i].bytes)[j] = (uint8_t)(j % 4 ? 0 : j / 4 % 32);
	}
	for (uint32_t i = 0; i < func->param_count; i++)
		fill_arg(l, i, module, func->params[i].value);
	gk_vm_launch(program, &launch, &l->result);
}

static void end(struct launch *l)
{
	for (uint32_t i = 0; i < MAX_PARAMS; i++) {
		free(l->buffers[i].bytes);
		free(l->buffers[i].undef);
	}
	gk_vm_result_release(&l->result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gk_err e = {0};
	struct gk_ir *module = gk_ir_read("fuzz", (const char *)data, size, &e);
	struct gk_vm_program *program;
	struct launch *a, *b;

	if (!module)
		return 0;
	program = gk_vm_program_new(module);
	a = gk_alloc(sizeof *a);
	b = gk_alloc(sizeof *b);
	if (program->reg_bytes < (1 << 24) && module->funcs[module->entry].param_count <= MAX_PARAMS) {
		run(a, program, module);
		run(b, program, module);
		for (uint32_t i = 0; i < MAX_PARAMS; i++)
			if (memcmp(a->buffers[i].bytes, b->buffers[i].bytes, BUFFER_BYTES) != 0)
				abort();
		end(a);
		end(b);
	}
	free(a);
	free(b);
	gk_vm_program_free(program);
	gk_ir_free(module);
	return 0;
}
