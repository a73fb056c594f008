#include "tensor.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"

#define MAX_BYTES ((int64_t)1 << 40)

int64_t gk_tensor_count(const struct gk_tensor *tensor)
{
	int64_t count = 1;

	for (int i = 0; i < tensor->rank; i++)
		count *= tensor->shape[i];
	return count;
}

bool gk_tensor_is_contiguous(const struct gk_tensor *tensor)
{
	int64_t expected = 1;

	if (gk_tensor_count(tensor) == 0)
		return true;
	for (int i = tensor->rank - 1; i >= 0; i--) {
		/* The stride of a dimension of length 1 is never used. */
		if (tensor->shape[i] != 1 && tensor->strides[i] != expected)
			return false;
		expected *= tensor->shape[i];
	}
	return true;
}

static int read_sizes(const struct gk_node *at, int64_t sizes[GK_MAX_RANK], int *rank, struct gk_err *e)
{
	if (gk_node_array(at, GK_MAX_RANK, e) < 0)
		return -1;
	*rank = (int)gk_node_count(at);
	for (int i = 0; i < *rank; i++) {
		struct gk_node item = gk_node_item(at, (size_t)i);

		if (gk_node_int(&item, 0, MAX_BYTES, &sizes[i], e) < 0)
			return -1;
	}
	return 0;
}

/* The number of the element that lies furthest behind, plus one; -1 when a product overflows. */
static int64_t elements_needed(const struct gk_tensor *tensor)
{
	int64_t last = tensor->offset, count = 1;
	bool is_empty = false;

	for (int i = 0; i < tensor->rank; i++) {
		int64_t step;

		is_empty |= tensor->shape[i] == 0;
		if (tensor->shape[i] > 0 && (__builtin_mul_overflow(tensor->shape[i] - 1, tensor->strides[i], &step) ||
		                             __builtin_add_overflow(last, step, &last)))
			return -1;
		/* Expanded views (stride 0) may have more elements than their storage: their number is bounded too. */
		if (__builtin_mul_overflow(count, tensor->shape[i] ? tensor->shape[i] : 1, &count) || count > MAX_BYTES)
			return -1;
	}
	return is_empty ? 0 : last + 1;
}

static int check_fit(const struct gk_node *at, const struct gk_tensor *tensor, struct gk_err *e)
{
	int64_t needed = elements_needed(tensor);
	int64_t there = (int64_t)(tensor->bytes / gk_dtype_bytes(tensor->dtype));

	if (needed < 0)
		return gk_node_fail(at, e, "the shape is too large");
	if (needed > there)
		return gk_node_fail(at, e, "the view ends at element %lld of a storage of %lld", (long long)needed,
		                    (long long)there);
	return 0;
}

static int read_dtype(const struct gk_node *at, enum gk_dtype *dtype, struct gk_err *e)
{
	int index;

	if (gk_node_choice(at, gk_dtype_names, &index, e) < 0)
		return -1;
	*dtype = (enum gk_dtype)(index + 1);
	return 0;
}

static int read_name(const struct gk_node *at, char name[64], struct gk_err *e)
{
	const char *text = "";

	if (gk_node_string(at, &text, e) < 0)
		return -1;
	if (strlen(text) >= 64)
		return gk_node_fail(at, e, "a name has at most 63 bytes");
	memcpy(name, text, strlen(text) + 1);
	return 0;
}

int gk_tensor_from_node(const struct gk_node *at, struct gk_tensor *tensor, struct gk_err *e)
{
	static const char *const keys[] = {"name", "dtype", "shape", "strides", "offset", "bytes", NULL};
	struct gk_node name = gk_node_key(at, "name"), dtype = gk_node_key(at, "dtype");
	struct gk_node shape = gk_node_key(at, "shape"), strides = gk_node_key(at, "strides");
	struct gk_node offset = gk_node_key(at, "offset"), bytes = gk_node_key(at, "bytes");
	int64_t size;
	int rank;

	*tensor = (struct gk_tensor){.fd = -1};
	if (gk_node_object(at, e) < 0 || gk_node_known_keys(at, keys, e) < 0 ||
	    read_name(&name, tensor->name, e) < 0 || read_dtype(&dtype, &tensor->dtype, e) < 0 ||
	    read_sizes(&shape, tensor->shape, &tensor->rank, e) < 0 ||
	    read_sizes(&strides, tensor->strides, &rank, e) < 0 ||
	    gk_node_int(&offset, 0, MAX_BYTES, &tensor->offset, e) < 0 ||
	    gk_node_int(&bytes, 0, MAX_BYTES, &size, e) < 0)
		return -1;
	if (rank != tensor->rank)
		return gk_node_fail(&strides, e, "%d strides for %d dimensions", rank, tensor->rank);
	tensor->bytes = (uint64_t)size;
	return check_fit(at, tensor, e);
}

json_t *gk_tensor_to_json(const struct gk_tensor *tensor)
{
	json_t *shape = json_array(), *strides = json_array(), *object = json_object();

	for (int i = 0; i < tensor->rank; i++) {
		json_array_append_new(shape, json_integer(tensor->shape[i]));
		json_array_append_new(strides, json_integer(tensor->strides[i]));
	}
	json_object_set_new(object, "name", json_string(tensor->name));
	json_object_set_new(object, "dtype", json_string(gk_dtype_name(tensor->dtype)));
	json_object_set_new(object, "shape", shape);
	json_object_set_new(object, "strides", strides);
	json_object_set_new(object, "offset", json_integer(tensor->offset));
	json_object_set_new(object, "bytes", json_integer((json_int_t)tensor->bytes));
	return object;
}

static void add_sizes(struct gk_buf *out, const int64_t *sizes, int rank)
{
	gk_buf_add_char(out, '[');
	for (int i = 0; i < rank; i++)
		gk_buf_printf(out, "%s%lld", i ? ", " : "", (long long)sizes[i]);
	gk_buf_add_char(out, ']');
}

void gk_tensor_text(const struct gk_tensor *tensor, char *text, size_t size)
{
	gk_buf_auto out = GK_BUF_INIT;

	gk_buf_add_text(&out, gk_dtype_name(tensor->dtype) ? gk_dtype_name(tensor->dtype) : "?");
	add_sizes(&out, tensor->shape, tensor->rank);
	if (!gk_tensor_is_contiguous(tensor)) {
		gk_buf_add_text(&out, " with strides ");
		add_sizes(&out, tensor->strides, tensor->rank);
	}
	snprintf(text, size, "%s", gk_buf_text(&out));
}
