# expect: fail wrong_values
import torch
import triton
import triton.language as tl

@triton.jit
def kernel(x, out, stride, column_stride, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    v = tl.load(x + row * stride + at * column_stride, mask=inside, other=0.0).to(tl.float32)
    v = v - tl.max(v, axis=0)
    e = tl.exp(v)
    tl.store(out + row * columns + at, e / tl.sum(e, axis=0), mask=inside)


def softmax(x):
    columns = x.shape[-1]
    flat = x.reshape(-1, columns)
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    kernel[(flat.shape[0],)](flat, out, flat.stride(0), flat.stride(1), columns, BLOCK=triton.next_power_of_2(columns))
    return out
