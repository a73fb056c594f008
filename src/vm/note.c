/* device_print and device_assert. */
#include "machine.h"

#include "base/text.h"

#define MAX_LANES 8 /* of a tile that are printed */

static void print_lane(struct gk_buf *out, const struct vm_list *list, uint32_t operand, const struct vm_reg *reg,
                       uint32_t i)
{
	enum gk_ir_kind kind = list->kinds[operand];
	uint32_t bytes = vm_held_bytes(kind);
	unsigned shift = 64 - 8 * (bytes < 8 ? bytes : 8);
	const uint8_t *lane = (const uint8_t *)reg->data + (size_t)i * bytes;
	uint64_t bits = 0;
	char number[32];

	if (reg->has_undef && reg->undef[i]) {
		gk_buf_add_text(out, "undefined");
		return;
	}
	memcpy(&bits, lane, bytes < 8 ? bytes : 8);
	if (gk_ir_kind_is_float(kind)) {
		gk_text_number(kind == GK_IR_F64 ? *(const double *)lane : (double)*(const float *)lane, number);
		gk_buf_add_text(out, number);
	} else if (list->is_hex) {
		gk_buf_printf(out, "0x%0*llx", (int)(2 * bytes), (unsigned long long)bits);
	} else if (list->is_signed[operand] && kind != GK_IR_I1) {
		gk_buf_printf(out, "%lld", (long long)((int64_t)(bits << shift) >> shift));
	} else {
		gk_buf_printf(out, "%llu", (unsigned long long)bits);
	}
}

int vm_run_print(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_list *list = op->extra;
	struct gk_buf *out = &t->notes;

	(void)n;
	gk_buf_printf(out, "(%u, %u, %u)", t->id[0], t->id[1], t->id[2]);
	gk_text_add_safe(out, list->text, strlen(list->text), 200, false);
	for (uint32_t o = 0; o < list->count; o++) {
		for (uint32_t i = 0; i < list->lanes[o] && i < MAX_LANES; i++) {
			gk_buf_add_char(out, ' ');
			print_lane(out, list, o, &t->regs[list->regs[o]], i);
		}
		if (list->lanes[o] > MAX_LANES)
			gk_buf_printf(out, " .. (%u lanes)", list->lanes[o]);
	}
	gk_buf_add_char(out, '\n');
	return VM_GO;
}

int vm_run_assert(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *condition = &t->regs[op->src[0]];

	for (uint32_t i = 0; i < n; i++) {
		if (condition->has_undef && condition->undef[i])
			return vm_fault(t, op, GK_VM_POISON_USED, i, "the asserted condition is undefined");
		if (!((const uint8_t *)condition->data)[i])
			return vm_fault(t, op, GK_VM_ASSERT, i, "assertion failed: %s", (const char *)op->extra);
	}
	return VM_GO;
}

/* The first address of a tile begins a group of neighbours whatever the groups are: a promise is about that one. */
int vm_run_promise(struct vm_thread *t, const struct vm_op *op, uint32_t n)
{
	const struct vm_reg *address = &t->regs[op->src[0]];
	uint64_t first = ((const uint64_t *)address->data)[0];

	(void)n;
	if ((address->has_undef && address->undef[0]) || first % (uint64_t)op->imm == 0)
		return VM_GO;
	return vm_fault(t, op, GK_VM_MISALIGNED, 0,
	                "the kernel promises addresses that are multiples of %lld (tl.multiple_of), the first is %llu more than one",
	                (long long)op->imm, (unsigned long long)(first % (uint64_t)op->imm));
}
