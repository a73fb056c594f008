/* Any bytes as IR text: refused with a message, or read; what is read prints to text that reads back and
 * prints the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ir/ir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gk_buf_auto first = GK_BUF_INIT;
	gk_buf_auto second = GK_BUF_INIT;
	struct gk_err e = {0};
	struct gk_ir *module = gk_ir_read("fuzz", (const char *)data, size, &e), *again;
	struct gk_ir_place place;

	if (!module) {
		if (e.kind != GK_ERR_INPUT || !e.text[0])
			abort();
		return 0;
	}
	for (uint32_t i = 0; i < module->op_count; i++)
		gk_ir_place(module, module->ops[i].loc, NULL, &place);
	gk_ir_print(module, &first);
	again = gk_ir_read("again", gk_buf_text(&first), first.size, &e);
	/* What prints longer than the ceiling is all that may fail. */
	if (!again && first.size <= GK_IR_MAX_BYTES)
		abort();
	if (again)
		gk_ir_print(again, &second);
	if (again && (first.size != second.size || memcmp(first.bytes, second.bytes, first.size) != 0))
		abort();
	gk_ir_free(module);
	gk_ir_free(again);
	return 0;
}
