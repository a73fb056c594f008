/* A tensor as geak hands it around: a header, and bytes in a memory file. */
#ifndef GK_FACT_TENSOR_H
#define GK_FACT_TENSOR_H

#include <jansson.h>
#include <stdint.h>

#include "base/doc.h"
#include "num/dtype.h"

#define GK_MAX_RANK 8

/*
 * Wire and journal form: {"name", "dtype", "shape":[..], "strides":[..elements],
 * "offset": elements, "bytes": of the whole storage}. The memory file holds the
 * storage; element (i, j, ..) lies at offset + i * strides[0] + j * strides[1] + ..
 */
struct gk_tensor {
	char name[64];
	enum gk_dtype dtype;
	int rank;
	int64_t shape[GK_MAX_RANK];
	int64_t strides[GK_MAX_RANK]; /* elements, not negative */
	int64_t offset;               /* elements from the start of the storage */
	uint64_t bytes;               /* size of the storage */
	int fd;                       /* sealed memory file, or -1 */
};

int64_t gk_tensor_count(const struct gk_tensor *tensor); /* elements of the view: product of shape */
bool gk_tensor_is_contiguous(const struct gk_tensor *tensor);
/* Refuses views that leave their storage, and products that overflow. */
int gk_tensor_from_node(const struct gk_node *at, struct gk_tensor *tensor, struct gk_err *e);
json_t *gk_tensor_to_json(const struct gk_tensor *tensor);
/* "float32[1823, 781]", with strides when not contiguous. */
void gk_tensor_text(const struct gk_tensor *tensor, char *text, size_t size);

#endif
