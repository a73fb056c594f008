#include "data.h"

#include <string.h>

#include "base/doc.h"

/* The tensor's own keys; args and expected values have more. */
static json_t *header_of(const json_t *from)
{
	static const char *const keys[] = {"name", "dtype", "shape", "strides", "offset", "bytes", NULL};
	json_t *header = json_object();

	for (size_t i = 0; keys[i]; i++)
		if (json_object_get(from, keys[i]))
			json_object_set(header, keys[i], json_object_get(from, keys[i]));
	return header;
}

static int read_tensor(const char *where, const json_t *from, struct gk_tensor *tensor, struct gk_err *e)
{
	struct gk_doc doc = {.root = header_of(from), .name = (char *)(uintptr_t)where};
	struct gk_node node = gk_node_root(&doc);
	int done = gk_tensor_from_node(&node, tensor, e);

	json_decref(doc.root);
	return done;
}

static int read_args(struct gk_judge_data *data, struct gk_err *e)
{
	size_t i;
	json_t *arg;

	json_array_foreach(data->args, i, arg)
	{
		const char *kind = json_string_value(json_object_get(arg, "kind"));

		if (!kind || strcmp(kind, "tensor") != 0)
			continue;
		if (data->input_count == GK_PLAN_MAX_BUFFERS)
			return gk_err_set(e, GK_ERR_INPUT, "oracle: more than %d tensors",
			                  GK_PLAN_MAX_BUFFERS);
		if (read_tensor("oracle: inputs", arg, &data->inputs[data->input_count++], e) < 0)
			return -1;
	}
	return 0;
}

static void declare(const struct gk_tensor *want, enum gk_dtype dtype, struct gk_tensor *out)
{
	int64_t stride = 1;

	*out = *want;
	out->dtype = dtype;
	out->offset = 0;
	for (int i = out->rank - 1; i >= 0; i--) {
		out->strides[i] = stride;
		stride *= out->shape[i];
	}
	out->bytes = (uint64_t)gk_tensor_count(want) * gk_dtype_bytes(dtype);
}

static int read_outputs(struct gk_judge_data *data, json_t *outputs, struct gk_err *e)
{
	size_t i;
	json_t *output;

	json_array_foreach(outputs, i, output)
	{
		const char *declared = json_string_value(json_object_get(output, "declared"));
		enum gk_dtype dtype = declared ? gk_dtype_from_name(declared) : GK_DTYPE_NONE;

		if (data->output_count == GK_PLAN_MAX_OUTPUTS)
			return gk_err_set(e, GK_ERR_INPUT, "oracle: more than %d outputs",
			                  GK_PLAN_MAX_OUTPUTS);
		if (read_tensor("oracle: expected", output, &data->want[i], e) < 0)
			return -1;
		if (dtype == GK_DTYPE_NONE)
			return gk_err_set(e, GK_ERR_INPUT, "oracle: output %s has no declared dtype",
			                  data->want[i].name);
		if (data->want[i].dtype != GK_F64 && data->want[i].dtype != dtype)
			return gk_err_set(
				e, GK_ERR_INPUT,
				"oracle: output %s: expected values are %s, float64 or %s is needed",
				data->want[i].name, gk_dtype_name(data->want[i].dtype), declared);
		declare(&data->want[i], dtype, &data->outputs[i]);
		data->output_count++;
	}
	return 0;
}

int gk_judge_data_read(json_t *args, json_t *outputs, struct gk_judge_data *data, struct gk_err *e)
{
	memset(data, 0, sizeof *data);
	data->args = json_incref(args);
	if (read_args(data, e) < 0 || (outputs && read_outputs(data, outputs, e) < 0)) {
		gk_judge_data_release(data);
		return -1;
	}
	return 0;
}

void gk_judge_data_release(struct gk_judge_data *data)
{
	json_decref(data->args);
	memset(data, 0, sizeof *data);
}
