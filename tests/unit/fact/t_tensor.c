#include "fact/tensor.h"

#include "base/memory.h"
#include "fact/event.h"
#include "tap.h"

static int from(const char *text, struct gk_tensor *tensor, struct gk_err *e)
{
	gk_doc_auto doc = {0};

	if (gk_doc_from_json(&doc, "t", text, strlen(text), e) < 0)
		return -1;
	struct gk_node root = gk_node_root(&doc);
	return gk_tensor_from_node(&root, tensor, e);
}

static void refused(const char *text, const char *want, const char *behaviour)
{
	struct gk_tensor tensor;
	struct gk_err e = {0};

	is_text(from(text, &tensor, &e) < 0 ? e.text : "accepted", want, behaviour);
}

static void accepted(const char *text, const char *want, const char *behaviour)
{
	struct gk_tensor tensor;
	struct gk_err e = {0};
	char got[200];

	if (from(text, &tensor, &e) == 0)
		gk_tensor_text(&tensor, got, sizeof got);
	else
		snprintf(got, sizeof got, "%.150s", e.text);
	is_text(got, want, behaviour);
}

#define TENSOR(shape, strides, offset, bytes)                                                                \
	"{\"name\":\"x\",\"dtype\":\"float32\",\"shape\":" shape ",\"strides\":" strides ",\"offset\":" offset   \
	",\"bytes\":" bytes "}"

int main(void)
{
	struct gk_tensor tensor;
	struct gk_err e = {0};

	accepted(TENSOR("[3,4]", "[4,1]", "0", "48"), "float32[3, 4]", "a whole storage");
	accepted(TENSOR("[3,4]", "[8,2]", "1", "96"), "float32[3, 4] with strides [8, 2]", "a strided view that ends at the end");
	accepted(TENSOR("[]", "[]", "11", "48"), "float32[]", "a scalar");
	accepted(TENSOR("[5,1000]", "[0,1]", "0", "4000"), "float32[5, 1000] with strides [0, 1]", "an expanded view");
	accepted(TENSOR("[0,4]", "[4,1]", "0", "0"), "float32[0, 4]", "an empty one");
	accepted(TENSOR("[1,4]", "[999,1]", "0", "16"), "float32[1, 4]", "a dimension of 1 is contiguous with any stride");
	refused(TENSOR("[3,4]", "[4,1]", "1", "48"), "t: the view ends at element 13 of a storage of 12", "one element too far");
	refused(TENSOR("[3,4]", "[4,1]", "0", "47"), "t: the view ends at element 12 of a storage of 11", "one byte too few");
	refused(TENSOR("[1000000000000,1000000000000]", "[1000000000000,1]", "0", "48"), "t: the shape is too large",
	        "a product that overflows");
	refused(TENSOR("[1000000000000,1000000000000]", "[0,0]", "0", "48"), "t: the shape is too large",
	        "an expanded view without end");
	refused(TENSOR("[3]", "[-1]", "2", "48"),
	        "t: strides[0]: an integer from 0 to 1099511627776 is needed, not -1", "negative strides");
	refused(TENSOR("[3,4]", "[4]", "0", "48"), "t: strides: 1 strides for 2 dimensions", "strides that are missing");
	refused(TENSOR("[1,1,1,1,1,1,1,1,1]", "[]", "0", "48"), "t: shape: at most 8 entries are allowed, here are 9",
	        "too many dimensions");
	refused("{\"name\":\"x\"}", "t: dtype: is missing: one of bool, int8, int16, int32, int64, uint8, uint16, uint32, "
	        "uint64, float16, bfloat16, float32, float64, float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, "
	        "float8_e5m2fnuz, float8_e4m3b11fnuz is needed", "a missing dtype");
	is_int(from(TENSOR("[3,4]", "[8,2]", "1", "96"), &tensor, &e), 0, "a header is read");
	gk_json_auto *json = gk_tensor_to_json(&tensor);
	gk_free_auto char *text = gk_json_text(json);
	is_text(text, "{\"bytes\":96,\"dtype\":\"float32\",\"name\":\"x\",\"offset\":1,\"shape\":[3,4],\"strides\":[8,2]}",
	        "and written");
	is_int(gk_tensor_count(&tensor), 12, "elements are counted");
	is_int(tensor.fd, -1, "a header alone has no memory");
	is_text(gk_event_names[GK_EVENT_JUDGED], "judged", "events have names");
	return done_testing();
}
