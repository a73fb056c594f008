/*
 * Fuzzes the readers of foreign trees: the first byte chooses YAML or JSON.
 * What is read is written out, read again and must come back the same; it is
 * decoded as a tensor header as well, so that node errors are reached.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/doc.h"
#include "base/memory.h"
#include "fact/tensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const json_t *root)
{
	gk_free_auto char *text = gk_json_text(root);
	gk_free_auto char *pretty = gk_json_pretty(root);
	gk_doc_auto again = {0};
	gk_doc_auto indented = {0};
	struct gk_err e = {0};

	if (gk_doc_from_json(&again, "again", text, strlen(text), &e) < 0 || !json_equal(again.root, root))
		gk_bug("does not read back: %s: %s", text, e.text);
	if (gk_doc_from_json(&indented, "pretty", pretty, strlen(pretty), &e) < 0 || !json_equal(indented.root, root))
		gk_bug("does not read back: %s: %s", pretty, e.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gk_doc_auto doc = {0};
	struct gk_tensor tensor;
	struct gk_err e = {0};
	int result;

	if (!size)
		return 0;
	if (data[0] % 2)
		result = gk_doc_from_yaml(&doc, "fuzz", (const char *)data + 1, size - 1, &e);
	else
		result = gk_doc_from_json(&doc, "fuzz", (const char *)data + 1, size - 1, &e);
	if (result < 0)
		return 0;
	read_back(doc.root);
	struct gk_node root = gk_node_root(&doc);
	gk_tensor_from_node(&root, &tensor, &e);
	return 0;
}
