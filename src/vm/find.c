/* Findings in words: what was done where, by which lane of which program, at which line of the source. */
#include "machine.h"

#include <stdarg.h>

#include "base/text.h"

const char *gk_vm_finding_name(enum gk_vm_finding_kind kind)
{
	static const char *const names[] = {
		[GK_VM_FINE] = "fine",
		[GK_VM_OUT_OF_BOUNDS] = "out_of_bounds",
		[GK_VM_POISON_USED] = "poison_used",
		[GK_VM_MISALIGNED] = "misaligned",
		[GK_VM_BUDGET] = "budget",
		[GK_VM_UNSUPPORTED] = "unsupported",
		[GK_VM_ASSERT] = "assert",
		[GK_VM_ARGUMENTS] = "arguments",
		[GK_VM_MEMORY] = "memory",
	};

	return names[kind];
}

static void copy_safe(char *text, size_t size, const char *from)
{
	gk_buf_auto safe = GK_BUF_INIT;

	gk_text_add_safe(&safe, from, strlen(from), size - 4, false);
	snprintf(text, size, "%s", gk_buf_text(&safe));
}

static void add_place(const struct vm_thread *t, const struct vm_op *op, struct gk_vm_finding *f)
{
	struct gk_ir_place place = {0};

	gk_ir_place(t->program->module, op->loc, NULL, &place);
	copy_safe(f->file, sizeof f->file, place.file ? place.file : "");
	f->line = place.line;
	f->column = place.column;
}

/* "lane 5 of 1024", with coordinates where there are several dimensions. */
static void add_lane(struct gk_buf *out, const struct vm_op *op, const struct vm_shape *shape, uint32_t lane)
{
	uint32_t left = lane, index[GK_IR_MAX_RANK];

	if (op->n < 2)
		return;
	gk_buf_printf(out, ", lane %u of %u", lane, op->n);
	if (!shape || shape->rank < 2)
		return;
	for (uint32_t d = shape->rank; d-- > 0; left /= shape->dims[d])
		index[d] = left % shape->dims[d];
	for (uint32_t d = 0; d < shape->rank; d++)
		gk_buf_printf(out, "%s%u", d ? ", " : " (element [", index[d]);
	gk_buf_add_text(out, "])");
}

static int finish(struct vm_thread *t, const struct vm_op *op, enum gk_vm_finding_kind kind, uint32_t lane,
                  const struct vm_shape *shape, const char *words)
{
	struct gk_vm_finding *f = &t->finding;
	gk_buf_auto text = GK_BUF_INIT;

	f->kind = kind;
	copy_safe(f->kernel, sizeof f->kernel, t->program->func->name);
	snprintf(f->operation, sizeof f->operation, "%s", gk_ir_ops[op->code].name);
	memcpy(f->program, t->id, sizeof f->program);
	f->lane = lane;
	f->lane_count = op->n;
	add_place(t, op, f);
	gk_buf_add_text(&text, f->kernel);
	if (f->line)
		gk_buf_printf(&text, ", line %u", f->line);
	gk_buf_printf(&text, ": %s: %s; program (%u, %u, %u)", f->operation, words, t->id[0], t->id[1], t->id[2]);
	add_lane(&text, op, shape, lane);
	copy_safe(f->message, sizeof f->message, gk_buf_text(&text));
	return VM_FAULT;
}

int vm_fault(struct vm_thread *t, const struct vm_op *op, enum gk_vm_finding_kind kind, uint32_t lane,
             const char *format, ...)
{
	char words[256];
	va_list arguments;

	if (t->finding.kind != GK_VM_FINE)
		return VM_FAULT;
	va_start(arguments, format);
	vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	t->finding.buffer = GK_VM_NO_BUFFER;
	return finish(t, op, kind, lane, NULL, words);
}

static const char *verb_of(const struct vm_op *op)
{
	switch (op->code) {
	case GK_IR_TT_STORE:
	case GK_IR_TT_DESC_STORE:
	case GK_IR_TT_ATOMIC_STORE:
		return "writes";
	case GK_IR_TT_ATOMIC_RMW:
	case GK_IR_TT_ATOMIC_CAS:
		return "changes";
	default:
		return "reads";
	}
}

static void where_in(const struct gk_vm_buffer *buffer, int64_t at, uint32_t bytes, char *words, size_t size)
{
	if (at < 0)
		snprintf(words, size, "%lld bytes before its start", -(long long)at);
	else if ((uint64_t)at >= buffer->size)
		snprintf(words, size, "%llu bytes past its end", (unsigned long long)at - buffer->size);
	else
		snprintf(words, size, "only %llu of %u bytes lie within", (unsigned long long)(buffer->size - (uint64_t)at),
		         bytes);
}

int vm_fault_at(struct vm_thread *t, const struct vm_op *op, const struct vm_access *access, uint64_t address,
                uint32_t lane)
{
	uint64_t base = 0;
	const struct gk_vm_buffer *buffer = vm_buffer_of(t, address, &base);
	int64_t at = (int64_t)(address - base);
	char words[256], where[96], name[80];

	if (t->finding.kind != GK_VM_FINE)
		return VM_FAULT;
	t->finding.buffer = buffer ? (uint32_t)(buffer - t->launch->buffers) : GK_VM_NO_BUFFER;
	t->finding.at = buffer ? at : (int64_t)address;
	if (!buffer) {
		snprintf(words, sizeof words, "%s %u bytes at address 0x%llx, which is in no buffer%s", verb_of(op),
		         access->bytes, (unsigned long long)address, address >> 40 ? "" : " (a null pointer)");
		return finish(t, op, GK_VM_OUT_OF_BOUNDS, lane, &access->shape, words);
	}
	copy_safe(name, sizeof name, buffer->name);
	where_in(buffer, at, access->bytes, where, sizeof where);
	if (at >= 0 && (uint64_t)at < buffer->size && buffer->size - (uint64_t)at >= access->bytes) {
		snprintf(words, sizeof words, "%s %u bytes at byte %lld of buffer %s, not a multiple of %u", verb_of(op),
		         access->bytes, (long long)at, name, access->bytes);
		return finish(t, op, GK_VM_MISALIGNED, lane, &access->shape, words);
	}
	snprintf(words, sizeof words, "%s %u bytes at byte %lld of buffer %s (%llu bytes), %s", verb_of(op),
	         access->bytes, (long long)at, name, (unsigned long long)buffer->size, where);
	return finish(t, op, GK_VM_OUT_OF_BOUNDS, lane, &access->shape, words);
}
