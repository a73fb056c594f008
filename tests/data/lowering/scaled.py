"""A product that not every target has an instruction for."""

import torch
import triton
import triton.language as tl


@triton.jit
def softmax_kernel(x_ptr, out_ptr, n, x_row, x_column, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * x_row + at * x_column, mask=at < n, other=-float("inf")).to(tl.float32)
    e = tl.exp(x - tl.max(x, 0))
    y = e / tl.sum(e, 0)
    a = tl.full((64, 64), 56, tl.uint8)
    s = tl.full((64, 2), 127, tl.uint8)
    d = tl.dot_scaled(a, s, "e4m3", a, s, "e4m3")
    tl.store(out_ptr + row * n + at, y + 0 * tl.sum(tl.sum(d, 0), 0), mask=at < n)


def softmax(x):
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    m, n = x.shape
    softmax_kernel[(m,)](x, out, n, x.stride(0), x.stride(1), BLOCK=triton.next_power_of_2(n))
    return out
