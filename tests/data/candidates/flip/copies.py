# expect: fail wrong_values
import torch
import triton
import triton.language as tl

@triton.jit
def kernel(x, out, stride, column_stride, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < columns
    v = tl.load(x + row * stride + at * column_stride, mask=inside)
    tl.store(out + row * columns + at, v, mask=inside)


def flip(x):
    rows, columns = x.shape
    out = torch.empty((rows, columns), dtype=x.dtype, device=x.device)
    kernel[(rows, triton.cdiv(columns, 128))](x, out, x.stride(0), x.stride(1), columns, BLOCK=128)
    return out
